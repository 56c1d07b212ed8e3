package envelope_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfAStandingApproval has anybody approve and close it while cases come to be
// released, over a store that loses writes and answers. What is stored is what the last
// step made, with an event for each version; two people opened it; nobody is paid twice,
// nothing is paid before or after, and what is left and what was reserved make the total.
func TestLifeOfAStandingApproval(t *testing.T) {
	t.Parallel()
	o := &office{Office: firstaidtest.New(t, firstaidtest.StandingApprovals), id: "e1"}
	var cases []string
	for range 5 {
		cases = append(cases, o.verified())
	}
	asked, county := o.staff("320400-approver-1").Actor(), o.staff("320400-county-1").Actor()
	people := append(eventtest.Cast(), asked, county, event.Actor{Kind: event.Staff, ID: "second-account", Person: asked.Person})
	begun, ok := o.Store.(*embedded.Store)
	if !ok {
		t.Fatal("the office keeps its things elsewhere")
	}
	const most, each = money.Fen(3300_00), money.Fen(1100_00)
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), o.Now()
		life := eventtest.Over(begun.Fork())
		at := o.Office.Office
		at.Table = life
		e := envelope.New(envelope.Envelope{ID: "e1", Township: firstaidtest.Township, County: firstaidtest.County, Class: policy.Dibao,
			PersonFen: each, TotalFen: most, Until: now.AddDate(0, 0, 3)}, asked, now)
		steps := 0 // of people; a release is a version too, with an event of its own
		released := map[string]bool{}
		step := func(t *rapid.T, kind string, next envelope.Envelope, err error, by event.Actor) {
			if err != nil {
				if next.Version != e.Version {
					t.Fatalf("%s: refused with %v and yet moved", kind, err)
				}
				return
			}
			if e.State == envelope.Closed {
				t.Fatalf("%s of what is closed", kind)
			}
			writes, err := next.Writes(kind, by, now, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			life.Step(t, envelope.ErrMovedOn, func() error { return table.Commit(ctx, life, envelope.ErrMovedOn, writes...) })
			e = next
			steps++
		}
		step(rt, "asked", e, nil, asked)
		release := func(t *rapid.T) {
			id := rapid.SampledFrom(cases).Draw(t, "case")
			may := e.State == envelope.Open && e.LeftFen >= each && now.Before(e.Until) && !released[id]
			lost := life.Lose(t)
			done, err := envelope.Release(ctx, at, o.Calendar, id, now)
			if heard := lost == "" || !may; heard != (err == nil) || heard && done != may {
				t.Fatalf("released %t, and it may: %t; lost %q: %v", done, may, lost, err)
			}
			life.Heal()
			if may {
				if done, err := envelope.Release(ctx, at, o.Calendar, id, now); err != nil || done != (lost == eventtest.Write) {
					t.Fatalf("again, lost %q: %t, %v", lost, done, err)
				}
				released[id] = true
				e.LeftFen, e.Version = e.LeftFen-each, e.Version+1
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass":    func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "hours")) * time.Hour) },
			"release": release, "release another": release,
			"approve": func(t *rapid.T) {
				by := rapid.SampledFrom(people).Draw(t, "who")
				if e.State == envelope.Asked && rapid.Bool().Draw(t, "county") {
					by = county
				}
				next, err := e.Approve(by, now)
				if err == nil && by != county {
					eventtest.Apart(t, "approved", by, asked)
					return // Release asks the roster about them, and only the county's is on it
				}
				step(t, "approved", next, err, by)
			},
			"close": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "really") > 0 {
					return
				}
				by := rapid.SampledFrom(people).Draw(t, "who")
				next, err := e.Close(by)
				step(t, "closed", next, err, by)
			},
			// It is closed between the reading and the writing of a release.
			"crossed": func(t *rapid.T) {
				if e.State != envelope.Open || rapid.IntRange(0, 2).Draw(t, "really") > 0 {
					return
				}
				next, err := e.Close(county)
				if err != nil {
					t.Fatal(err)
				}
				id, closed := rapid.SampledFrom(cases).Draw(t, "case"), false
				life.Before = func() { closed = true; step(t, "closed", next, nil, county) }
				done, err := envelope.Release(ctx, at, o.Calendar, id, now)
				if life.Before = nil; err != nil || done {
					t.Fatalf("released %t although it was closed %t: %v", done, closed, err)
				}
			},
			"late": life.Late,
			"": func(t *rapid.T) {
				stored, err := envelope.Get(ctx, life, e.Township, e.ID)
				if err != nil || stored.Version != e.Version || stored.LeftFen != e.LeftFen {
					t.Fatalf("version %d with %s left, not %d with %s: %v", stored.Version, stored.LeftFen, e.Version, e.LeftFen, err)
				}
				told := map[string]int{}
				happened, err := event.Of(ctx, life, envelope.Partition(e.Township))
				for _, one := range happened {
					told[one.Noun]++
				}
				if err != nil || told[envelope.Noun] != steps || len(happened) != steps+len(released) {
					t.Fatalf("told %v of %d steps and %d releases: %v", told, steps, len(released), err)
				}
				if e.Approved != nil {
					eventtest.Apart(t, "approved", *e.Approved, e.Asked)
				}
				if e.State == envelope.Open && e.LeftFen+each*money.Fen(len(released)) != most {
					t.Fatalf("%s are left after %d of %s", e.LeftFen, len(released), most)
				}
				slice, err := fund.Read(ctx, life, fund.ID{Fund: fund.Named(fund.Relief, now.Year()), Township: firstaidtest.Township})
				if err != nil || slice.Balances.Of(fund.Reserved) != each*money.Fen(len(released)) {
					t.Fatalf("%s is reserved for %d: %v", slice.Balances.Of(fund.Reserved), len(released), err)
				}
				for _, id := range cases {
					if a, err := application.Get(ctx, life, id); err != nil || (a.State == application.Approved) != released[id] {
						t.Fatalf("%s is %s, and released %t: %v", id, a.State, released[id], err)
					}
				}
			},
		})
	})
}
