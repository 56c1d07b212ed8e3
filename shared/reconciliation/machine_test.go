package reconciliation_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	. "github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
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
	people := []event.Actor{Finance, Second, Supervisor, Clerk, Approver, sweeper, {Kind: event.Staff, ID: "finance-9", Person: Finance.Person}, {Kind: event.Staff, ID: "nobody"}}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), h.Now()
		s := eventtest.Over(h.Store.Fork())
		b, told := opened, 0
		step := func(t *rapid.T, kind string, next reconciliation.Break, by event.Actor) {
			at := now
			s.Step(t, reconciliation.ErrMovedOn, func() error { return reconciliation.Commit(ctx, s, next, next.Event(kind, by, at)) })
			b = next
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
			"late": s.Late,
			"": func(t *rapid.T) {
				stored, err := reconciliation.Get(ctx, s, b.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := s.Holds(t, key, reconciliation.Noun, b.ID, b.Version, stored, b)
				if _, _, owed := work.Owed(item); owed != (b.State != reconciliation.Closed && b.Told.IsZero()) {
					t.Fatalf("%s, told %v, owed %t", b.State, b.Told, owed)
				}
				listed, err := reconciliation.OpenIn(ctx, s, b.Division)
				if err != nil || (len(listed) == 1) != (b.State != reconciliation.Closed) {
					t.Fatalf("%s and %d listed: %v", b.State, len(listed), err)
				}
				if told > 1 {
					t.Fatalf("the supervisor is told %d times", told)
				}
				if c := b.Closed; c != nil {
					eventtest.Apart(t, "closed", c.By, b.Proposed.By, Clerk, Approver)
					if len(c.Evidence) != 64 {
						t.Fatalf("closed with %q", c.Evidence)
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
