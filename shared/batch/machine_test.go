package batch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// TestLifeOfAFile has people and the bank do and say anything about one file, over
// a store that loses writes and answers. What is stored is what the last step
// made, with an event for each version; the file holds no more than two people
// released; and once its payouts may be in another file, or the bank has it, it is
// never sent again.
func TestLifeOfAFile(t *testing.T) {
	t.Parallel()
	words := []payout.Word{payout.Processing, payout.Processing, payout.Declined, payout.NotFound, payout.Short, payout.Refused, payout.Conflict, payout.Silence}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), at
		s := eventtest.Over(embedded.Memory())
		b := proposed(t)
		held := false // the bank has said that it has the file, or the payouts went back
		step := func(t *rapid.T, kind string, next batch.Batch, err error, by event.Actor) {
			if err != nil {
				if next.Version != b.Version {
					t.Fatalf("%s: refused with %v and yet moved", kind, err)
				}
				return
			}
			at := now
			s.Step(t, batch.ErrMovedOn, func() error { return batch.Commit(ctx, s, next, next.Event(kind, by, at)) })
			if held && (next.State == batch.Ready || next.State == batch.Sending) && b.State != next.State {
				t.Fatalf("%s to %s: the bank has the file, or its payouts are elsewhere", b.State, next.State)
			}
			b = next
			held = held || b.Accepted || b.State == batch.Rejecting
		}
		step(rt, "proposed", b, nil, anna)
		person := func(t *rapid.T) event.Actor {
			return rapid.SampledFrom([]event.Actor{anna, bert, self, {Kind: event.Staff, ID: "second-account", Person: anna.Person}, {Kind: event.Staff, ID: "nobody"}}).Draw(t, "who")
		}
		says := func(t *rapid.T) {
			r := said(b, rapid.SampledFrom(words).Draw(t, "word"))
			if r.Word == payout.Processing && rapid.Bool().Draw(t, "return") {
				r.Edition, r.ReturnDigest = rapid.IntRange(1, 3).Draw(t, "edition"), rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "digest")
			}
			if rapid.IntRange(0, 9).Draw(t, "other bytes") == 0 {
				r.Digest = "x"
			}
			if b.State == batch.Sending && rapid.Bool().Draw(t, "reply") {
				next, kind, _, err := b.Reply(r, now)
				step(t, kind, next, err, self)
				return
			}
			next, kind, _, wants, err := b.Answer(r, now)
			if wants {
				if next, err = b.Take(r.Edition, r.ReturnDigest, 1, now); err != nil || rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
					next, err = b.Park(r.ReturnDigest, now)
				}
				kind = "returned"
			}
			step(t, kind, next, err, self)
		}
		// on is what the machine owes next.
		on := func(t *rapid.T) {
			now = later(now, b.Next)
			switch b.State {
			case batch.Proposed:
				next, err := b.Release(bert, now)
				step(t, "released", next, err, bert)
			case batch.Filling:
				next, err := b.Filled(lines(rapid.IntRange(0, 3).Draw(t, "lines")), batch.Mark{Township: 1}, now)
				if b.Pages > 0 || rapid.IntRange(0, 4).Draw(t, "empty") == 0 {
					next, err = b.Complete(now)
				}
				step(t, "filled", next, err, self)
			case batch.Sealing:
				next, err := b.Sealed(strings.Repeat("d", 64), 100, 1, now)
				if rapid.IntRange(0, 9).Draw(t, "unwritable") == 0 {
					next, err = b.Unwritable(now)
				}
				step(t, "sealed", next, err, self)
			case batch.Ready:
				next, err := b.Claim(now)
				step(t, "claimed", next, err, self)
			case batch.Applying, batch.Rejecting:
				next, _, err := b.Done(map[payout.Word]batch.Tally{payout.Succeeded: {Count: rapid.IntRange(0, b.Lines.Count).Draw(t, "paid")}}, now)
				step(t, "done", next, err, self)
			default:
				says(t)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 24*20).Draw(t, "hours")) * time.Hour) },
			"release": func(t *rapid.T) {
				by := person(t)
				next, err := b.Release(by, now)
				step(t, "released", next, err, by)
			},
			"cancel": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
					return
				}
				by := person(t)
				next, err := b.Cancel(by, now)
				step(t, "cancelled", next, err, by)
			},
			"fill": func(t *rapid.T) {
				next, err := b.Filled(lines(rapid.IntRange(0, 6).Draw(t, "lines")), batch.Mark{}, now)
				if err == nil || errors.Is(err, batch.ErrState) {
					step(t, "filled", next, err, self)
				} else if !errors.Is(err, batch.ErrNothing) {
					t.Fatal(err)
				}
			},
			"claim": func(t *rapid.T) {
				next, err := b.Claim(now)
				step(t, "claimed", next, err, self)
			},
			"on": on, "further": on, "and on": on, "to the end": on,
			"says": says,
			"late": s.Late,
			"": func(t *rapid.T) {
				stored, err := batch.Get(ctx, s, b.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := s.Holds(t, batch.Key(b.ID), batch.Noun, b.ID, b.Version, stored, b)
				if due, _, owed := work.Owed(item); owed == b.Next.IsZero() || owed && due.Sub(b.Next).Abs() > time.Second {
					t.Fatalf("%s is owed at %v, not %v", b.State, due, b.Next)
				}
				if b.Lines.Count > b.Most.Count || b.Lines.Fen > b.Most.Fen {
					t.Fatalf("%+v in a file of at most %+v", b.Lines, b.Most)
				}
				if b.Released != nil {
					eventtest.Apart(t, "released", b.Released.By, b.Proposed.By)
				}
				if over := b.State == batch.Empty || b.State == batch.Cancelled || b.State == batch.Proposed; !over && b.Next.IsZero() && now.Sub(b.SentAt) < batch.Watched && b.State != batch.Rejected {
					t.Fatalf("nobody owns a file that is %s", b.State)
				}
			},
		})
	})
}
