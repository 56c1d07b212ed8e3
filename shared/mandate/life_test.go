package mandate_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// TestLifeOfAMandate has anybody answer, return, close and look again, over a store
// that loses writes and answers. What is stored is what the last step made, with an
// event for each version; it is in the list of its unit exactly while somebody owes
// something, and owed to a clock while there is something to say; answering, closing
// and looking again are for people who are known and not the same; what is closed for
// good stays so.
func TestLifeOfAMandate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), at
		life := eventtest.Over(embedded.Memory())
		m := told(rapid.SampledFrom(mandate.Kinds()).Draw(rt, "kind"))
		if m.Kind == mandate.Accountability {
			m.About = eventtest.Cast()[3].ID
		}
		commit := func(t *rapid.T, kind string, next mandate.Mandate, by event.Actor) {
			at := now
			life.Step(t, mandate.ErrMovedOn, func() error { return mandate.Commit(ctx, life, next, next.Event(kind, by, at)) })
			m = next
		}
		commit(rt, "told", m, m.Told.By)
		step := func(t *rapid.T, kind string, next mandate.Mandate, err error, by event.Actor) {
			if err != nil {
				if next.Version != m.Version {
					t.Fatalf("%s: refused with %v and yet moved", kind, err)
				}
				return
			}
			if m.State == mandate.Closed || m.State == mandate.Looked {
				t.Fatalf("%s of what is %s", kind, m.State)
			}
			if by.ID == m.About {
				t.Fatalf("%s by whom it is about", kind)
			}
			switch kind { // of two people
			case "returned", "closed":
				eventtest.Apart(t, kind, by, m.Answer.By)
			case "looked-again":
				eventtest.Apart(t, kind, by, m.Answer.By, m.Close.By)
			}
			commit(t, kind, next, by)
		}
		reply := func(t *rapid.T) {
			by := eventtest.Who(t)
			next, err := m.Reply(by, rapid.SampledFrom([][]string{nil, {"x"}}).Draw(t, "proof"), now)
			step(t, "answered", next, err, by)
		}
		settle := func(t *rapid.T) {
			by := eventtest.Who(t)
			next, err := m.Settle(by, rapid.SampledFrom(append(m.Kind.Outcomes(), "else")).Draw(t, "outcome"), now)
			step(t, "closed", next, err, by)
		}
		look := func(t *rapid.T) {
			by := eventtest.Who(t)
			next, err := m.LookAgain(by, rapid.Bool().Draw(t, "lasting"), now)
			step(t, "looked-again", next, err, by)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass":  func(t *rapid.T) { now = now.AddDate(0, 0, rapid.SampledFrom([]int{1, 10, 90}).Draw(t, "days")) },
			"reply": reply, "reply again": reply, "settle": settle, "settle again": settle, "look": look, "look again": look,
			"return": func(t *rapid.T) {
				by := eventtest.Who(t)
				next, err := m.Return(by)
				step(t, "returned", next, err, by)
			},
			"remind": func(t *rapid.T) {
				if next, due := m.Remind(now); due {
					commit(t, "reminded", next, event.Actor{Kind: event.System, ID: "sweep"})
				}
			},
			"late": life.Late,
			"": func(t *rapid.T) {
				stored, err := mandate.Get(ctx, life, m.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := life.Holds(t, mandate.Key(m.ID), mandate.Noun, m.ID, m.Version, stored, m)
				listed := false
				for _, p := range item.Places {
					listed = listed || p.Index == table.ByWork && p.PK == mandate.UnitList(m.Unit)
				}
				if over := m.State == mandate.Closed || m.State == mandate.Looked; listed == over {
					t.Fatalf("%s, and in the list of its unit: %t", m.State, listed)
				}
				due, _, owed := work.Owed(item)
				next, _, more := m.Next()
				if owed != more || more && due.Sub(next).Abs() > time.Second {
					t.Fatalf("%s is owed %t at %s, not at %s", m.State, owed, due, next)
				}
			},
		})
	})
}
