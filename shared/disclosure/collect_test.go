package disclosure_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
)

// grant has an award made on the application, by two people.
func grant(o *firstaidtest.Office, id string) application.Application {
	o.T.Helper()
	one, two := event.Actor{Kind: event.Staff, ID: "320400-clerk-1", Person: "b1.one"}, event.Actor{Kind: event.Staff, ID: "320400-approver-1", Person: "b1.two"}
	o.Change(id, "proposed", func(a application.Application) (application.Application, error) {
		return a.Propose(application.Proposal{By: one, At: o.Now(), AmountFen: 1100_00, Persons: 1, Months: 1, Rail: "bank", Payee: a.Payee,
			Authority: policy.Township, Rules: a.Findings.Rules})
	})
	_, err := application.Change(context.Background(), o.Store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		c, err := o.Open(context.Background(), a)
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		g, err := o.Grant(context.Background(), c, firstaid.Decision{Proposal: *a.Proposal, Proposer: one, Approver: two, At: o.Now()})
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		next, err := a.Approve(application.Award{ID: g.Award.ID, AmountFen: g.Award.AmountFen, By: two, At: o.Now()}, g.Explain)
		return application.Step[struct{}]{Next: next, Event: next.Event("approved", two, o.Now()), Also: g.Writes}, err
	})
	if err != nil {
		o.T.Fatal(err)
	}
	return o.Read(id)
}

// book writes entries into the township's slice.
func book(o *firstaidtest.Office, writes []table.Write, err error) {
	o.T.Helper()
	if err == nil {
		err = o.Store.Transact(context.Background(), writes...)
	}
	if err != nil {
		o.T.Fatal(err)
	}
}

func in(village civil.DivisionCode) func(*application.Submission) {
	return func(s *application.Submission) { s.Place = village }
}

func TestWhatTheLedgersTell(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	const village, elsewhere civil.DivisionCode = "320402005001", "320402002001"
	slice := fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: firstaidtest.Township}
	bank := event.Actor{Kind: event.Provider, ID: "bank"}
	var ids []string
	for range 6 {
		a := o.Apply(o.Person(), in(village))
		ids = append(ids, grant(o, o.Verify(a.ID).ID).ID)
	}
	claim := func(i int) fund.Claim { return fund.Claim{Application: ids[i], Award: "01", Number: 1} }
	for i := range 3 {
		w, err := fund.Post(slice, claim(i), 1100_00, 1100_00, bank, "d", o.Now())
		book(o, w, err)
	}
	w, err := fund.Return(slice, claim(0), 1100_00, bank, "d", o.Now())
	book(o, w, err)
	w, err = fund.Recover(slice, claim(1), "TK-1", 100_00, bank, "d", o.Now()) // given back: no new appropriation
	book(o, w, err)
	w, err = fund.Void(slice, claim(4), 1100_00, bank, "d", o.Now())
	book(o, w, err)
	w, err = fund.Take(slice, fund.Claim{Application: ids[4], Award: "01", Number: 2}, 1100_00, []event.Actor{bank}, o.Now()) // tried again: no second decision
	book(o, w, err)
	dead := o.Change(ids[5], "held", func(a application.Application) (application.Application, error) {
		next, _, err := a.PlaceHold(application.NewHold(a.ID, a.Version, policy.HoldDeathRecord, bank, o.Now(), o.Now().Add(time.Hour)))
		return next, err
	})
	books := disclosure.Books{Table: o.Store, Box: o.Box, Blind: o.Blind, Tree: o.Tree, Office: func(civil.DivisionCode) string { return "天宁街道" }}
	townships := []civil.DivisionCode{firstaidtest.Township, firstaidtest.Sibling, "320402003000"}
	l, err := books.Collect(t.Context(), firstaidtest.County, townships, 2026, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Decisions) != 5 || len(l.Paid) != 3 || len(l.Returned) != 2 || l.Appropriated[firstaidtest.Township] != 2*firstaidtest.Available {
		t.Fatalf("%d decisions, %d paid, %d returned, %v", len(l.Decisions), len(l.Paid), len(l.Returned), l.Appropriated)
	}
	for _, d := range l.Decisions {
		if d.Application == dead.ID || d.AmountFen != 1100_00 || d.Village != village || d.Township != firstaidtest.Township || d.County != firstaidtest.County ||
			d.Name != "王*安" || d.Persons != 1 || d.Office != "天宁街道" || !slices.Contains(d.Not, "320400-approver-1") || !slices.Contains(d.Not, "b1.one") {
			t.Errorf("%+v", d)
		}
	}
	if l.Returned[0].AmountFen+l.Returned[1].AmountFen != 1200_00 || l.Paid[0].AmountFen != 1100_00 {
		t.Errorf("%+v %+v", l.Returned, l.Paid)
	}
	e := made(t, heading(), l)
	again, err := books.Collect(t.Context(), firstaidtest.County, townships, 2026, []disclosure.Edition{e})
	if err != nil || len(again.Decisions) != 0 || len(again.Paid) != 3 { // three people are too few to tell of
		t.Errorf("told again: %d decisions, %d paid, %v", len(again.Decisions), len(again.Paid), err)
	}
	// The case ends: its line is found, and nobody else's.
	if line, _, err := disclosure.Stopped(t.Context(), o.Store, e); line != "" || err != nil {
		t.Errorf("%q stopped, %v", line, err)
	}
	o.Change(ids[2], "held", func(a application.Application) (application.Application, error) {
		next, _, err := a.PlaceHold(application.NewHold(a.ID, a.Version, policy.HoldDeathRecord, bank, o.Now(), o.Now().Add(time.Hour)))
		return next, err
	})
	line, reason, err := disclosure.Stopped(t.Context(), o.Store, e)
	source, missing := e.Source(line)
	if err != nil || missing != nil || reason != "stopped" || source.Application != ids[2] {
		t.Errorf("%q %q %+v %v", line, reason, source, err)
	}
	// Somebody who lives elsewhere is told of where the money comes from.
	a := grant(o, o.Verify(o.Apply(o.Person(), in(elsewhere), func(s *application.Submission) { s.Township = firstaidtest.Township }).ID).ID)
	l, err = books.Collect(t.Context(), firstaidtest.County, townships, 2026, []disclosure.Edition{e})
	if err != nil || len(l.Decisions) != 1 || l.Decisions[0].Application != a.ID || l.Decisions[0].Village != firstaidtest.Township {
		t.Fatal(l.Decisions, err)
	}
	// One person under two keys of references is one person.
	before := l.Decisions[0].Person
	o.RotateBlind()
	books.Blind = o.Blind
	l, err = books.Collect(t.Context(), firstaidtest.County, townships, 2026, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Decisions {
		if d.Person == before || d.Person[:3] != "b2." {
			t.Errorf("known by an old key: %s", d.Person)
		}
	}
}

func TestALedgerThatNamesWhatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	slice := fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: firstaidtest.Township}
	w, err := fund.Take(slice, fund.Claim{Application: "nobody", Award: "01", Number: 1}, money.Fen(1), []event.Actor{{Kind: event.System, ID: "x"}}, o.Now())
	book(o, w, err)
	books := disclosure.Books{Table: o.Store, Box: o.Box, Blind: o.Blind, Tree: o.Tree, Office: func(c civil.DivisionCode) string { return fmt.Sprint(c) }}
	if _, err := books.Collect(t.Context(), firstaidtest.County, []civil.DivisionCode{firstaidtest.Township}, 2026, nil); err == nil {
		t.Error("left out in silence")
	}
}
