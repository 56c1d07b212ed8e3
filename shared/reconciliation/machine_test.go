package reconciliation_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	. "github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// TestLifeOfABreak has anybody say anything about one break, over a store that
// loses writes and answers. What is stored is what the last step made, with an
// event for each version; it is in the list of its division until two people who
// did not decide on the payment have closed it, with evidence; the supervisor is
// told once; and no line of the ledger moves.
func TestLifeOfABreak(t *testing.T) {
	t.Parallel()
	h, _, opened := amountBreak(t)
	before, err := fund.Entries(t.Context(), h.Store, h.Slice())
	if err != nil {
		t.Fatal(err)
	}
	key := mustKey(t, opened)
	dooms := []payouttest.Doom{"", "", "", payouttest.Lost, payouttest.LostDone}
	people := []event.Actor{Finance, Second, Supervisor, Clerk, Approver, sweeper, {Kind: event.Staff, ID: "finance-9", Person: Finance.Person}, {Kind: event.Staff, ID: "nobody"}}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), h.Now()
		fate := payouttest.NewFate(nil)
		s := &payouttest.Mortal{Store: h.Store.Fork(), Fate: fate}
		b, told := opened, 0
		var stale reconciliation.Break
		step := func(t *rapid.T, kind string, next reconciliation.Break, by event.Actor) {
			doom := rapid.SampledFrom(dooms).Draw(t, "doom")
			fate.Turn(0, map[int]payouttest.Doom{1: doom})
			e := next.Event(kind, by, now)
			if err := reconciliation.Commit(ctx, s, next, e); (doom == "") != (err == nil) {
				t.Fatalf("%s: %v", doom, err)
			}
			if doom != "" { // whoever hears nothing sends it again
				if err := reconciliation.Commit(ctx, s, next, e); errors.Is(err, reconciliation.ErrMovedOn) != (doom == payouttest.LostDone) || doom == payouttest.Lost && err != nil {
					t.Fatalf("sent again after %s: %v", doom, err)
				}
			}
			stale, b = b, next
		}
		propose := func(t *rapid.T) {
			hand := reconciliation.Hand{By: rapid.SampledFrom(people).Draw(t, "who"), At: now, Reason: rapid.SampledFrom(append(reconciliation.Reasons(), "because")).Draw(t, "reason"),
				Evidence: rapid.SampledFrom([]string{strings.Repeat("a", 64), strings.Repeat("b", 64), ""}).Draw(t, "evidence")}
			if next, err := b.Propose(hand); err == nil {
				step(t, "proposed", next, hand.By)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass":    func(*rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour) },
			"propose": propose, "propose again": propose,
			"agree": func(t *rapid.T) {
				by := rapid.SampledFrom(people).Draw(t, "who")
				if next, err := b.Agree(by, now); err == nil {
					step(t, "closed", next, by)
				}
			},
			"tell": func(t *rapid.T) {
				if next, due := b.Tell(now); due {
					if next.Reminded <= b.Reminded {
						t.Fatalf("told of %d %% after %d %%", next.Reminded, b.Reminded)
					}
					if !next.Told.IsZero() {
						told++
					}
					step(t, "escalated", next, sweeper)
				}
			},
			// Whoever read it before it moved stores nothing.
			"late": func(t *rapid.T) {
				if stale.Version == 0 {
					return
				}
				next := stale
				next.Version++
				if err := reconciliation.Commit(ctx, s, next, next.Event("late", Finance, now)); !errors.Is(err, reconciliation.ErrMovedOn) {
					t.Fatalf("a step from version %d of a break of version %d: %v", stale.Version, b.Version, err)
				}
			},
			"": func(t *rapid.T) {
				stored, err := reconciliation.Get(ctx, s, b.ID)
				got, err2 := json.Marshal(stored)
				want, err3 := json.Marshal(b)
				if err := errors.Join(err, err2, err3); err != nil || string(got) != string(want) {
					t.Fatalf("stored %s, not %s: %v", got, want, err)
				}
				item, _, err := s.Get(ctx, key)
				if _, _, owed := work.Owed(item); err != nil || owed != (b.State != reconciliation.Closed && b.Told.IsZero()) {
					t.Fatalf("%s, told %v, owed %t: %v", b.State, b.Told, owed, err)
				}
				events := 0
				for _, err := range table.All(ctx, s, table.Query{PK: key.PK}.Prefix(event.Prefix+reconciliation.Noun+"#"+b.ID+"#")) {
					if events++; err != nil {
						t.Fatal(err)
					}
				}
				listed, err := reconciliation.OpenIn(ctx, s, b.Division)
				if err != nil || int64(events) != b.Version || (len(listed) == 1) != (b.State != reconciliation.Closed) {
					t.Fatalf("%d events of %d versions, %s and %d listed: %v", events, b.Version, b.State, len(listed), err)
				}
				if told > 1 {
					t.Fatalf("the supervisor is told %d times", told)
				}
				if c := b.Closed; c != nil {
					for _, o := range []event.Actor{b.Proposed.By, Clerk, Approver} {
						if c.By.Person == o.Person || c.By.Kind != event.Staff || len(c.Evidence) != 64 {
							t.Fatalf("closed by %+v, with %s", c, o.ID)
						}
					}
				}
				after, err := fund.Entries(ctx, s, h.Slice())
				if err != nil || len(after) != len(before) {
					t.Fatalf("%d entries of the ledger, and there were %d: %v", len(after), len(before), err)
				}
			},
		})
	})
}
