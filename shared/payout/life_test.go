package payout_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
)

// TestLifeOfAPayout has the world of TestRandomWorlds happen to a payout in the real
// store, which loses writes and answers. What is stored is what the last step made, with
// an event for each version; a step from what was read before it moved stores nothing;
// and after each the fund adds up and has paid what the world counts, once.
func TestLifeOfAPayout(t *testing.T) {
	t.Parallel()
	room := payouttest.New(t, payouttest.NewFate(nil))
	due := room.Payout()
	begun, err := fund.Read(t.Context(), room.Store, room.Slice())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		ctx, left := room.T.Context(), 40
		life := eventtest.Over(room.Store.Fork())
		w := newWorld(award.Bank, func(n int) int {
			if left--; left < 0 {
				return 0
			}
			return rapid.IntRange(0, n-1).Draw(t, "choice")
		}, healthy)
		w.p, w.at = due, due.Next
		w.store = func(o payout.Outcome, fresh bool) {
			commit := func() error { return payout.Commit(ctx, life, o) }
			if !fresh {
				if err := commit(); !errors.Is(err, payout.ErrMovedOn) {
					t.Fatalf("%s of version %d on one of %d: %v", o.Event, o.Payout.Version-1, w.p.Version, err)
				}
				return
			}
			life.Step(t, payout.ErrMovedOn, commit)
			life.Late(t)
			stored, err := payout.Get(ctx, life, room.Key())
			if err != nil {
				t.Fatal(err)
			}
			life.Holds(t, room.Key(), payout.Noun, o.Payout.Award.ID, o.Payout.Version, stored, o.Payout)
			slice, err := fund.Read(ctx, life, room.Slice())
			if err == nil {
				err = fund.Coherent(ctx, life, room.Slice())
			}
			was, is := begun.Balances, slice.Balances
			out := is.Of(fund.Paid) + is.Of(fund.Returned) - was.Of(fund.Paid) - was.Of(fund.Returned)
			if held := is.Of(fund.Available) + is.Of(fund.Reserved); err != nil || held+out != was.Of(fund.Available)+was.Of(fund.Reserved) || out != w.posted {
				t.Fatalf("%s held and %s out after %s, and the world counts %s: %v", held, out, o.Event, w.posted, err)
			}
		}
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
	})
}
