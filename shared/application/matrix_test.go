package application_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	clerk    = event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.clerk"}
	approver = event.Actor{Kind: event.Staff, ID: "approver-1", Person: "b1.approver"}
)

// sample is an application that can be in state s.
func sample(s application.State) application.Application {
	a := application.Application{ID: "x", Version: 5, Track: application.Emergency, State: s, Township: "320402005000", County: "320402000000",
		Account: "acc", Subject: "b1.subject", People: []string{"b1.subject"}, Payee: "b1.payee", AcceptedAt: t0,
		Deadline: application.Deadline{Kind: application.ToDecide, From: t0, At: t0.Add(24 * time.Hour)}}
	if s != application.Accepted {
		a.Findings = &application.Findings{At: t0, AmountFen: 100_000, Kin: []string{"approver-2"}}
	}
	if s == application.Proposed || s == application.Approved || s == application.Explained {
		a.Proposal = &application.Proposal{By: clerk, At: t0, AmountFen: 100_000, Payee: "b1.payee", Authority: policy.Township}
	}
	if s == application.Approved || s == application.Explained {
		a.Award = &application.Award{ID: "01", AmountFen: 100_000, By: approver, At: t0}
	}
	return a
}

var someHold = application.NewHold("x", 6, application.HoldStaff, clerk, t0, t0.Add(time.Hour))

// doers carry out each move as its method does.
var doers = map[string]func(application.Application) (application.Application, error){
	"verified": func(a application.Application) (application.Application, error) {
		return a.WithFindings(application.Findings{At: t0}, nil)
	},
	"supplemented": func(a application.Application) (application.Application, error) {
		return a.Supplement("b1.subject", []string{"b1.subject"}, "b1.payee", t0)
	},
	"proposed": func(a application.Application) (application.Application, error) {
		return a.Propose(application.Proposal{By: clerk, AmountFen: 100_000, Payee: a.Payee})
	},
	"approved": func(a application.Application) (application.Application, error) {
		return a.Approve(application.Award{ID: "01", AmountFen: 100_000, By: approver, At: t0}, application.Deadline{Kind: application.ToExplain, From: t0, At: t0.Add(time.Hour)})
	},
	"released": func(a application.Application) (application.Application, error) {
		return a.Release(application.Award{ID: "01"}, application.Proposal{}, application.Deadline{Kind: application.ToExplain})
	},
	"refused": func(a application.Application) (application.Application, error) { return a.Refuse(approver) },
	"reopened": func(a application.Application) (application.Application, error) {
		n, _, err := a.Reopen(approver, application.Deadline{Kind: application.ToDecide})
		return n, err
	},
	"restarted": func(a application.Application) (application.Application, error) {
		a.Findings = nil
		n, _, err := a.Reopen(approver, application.Deadline{Kind: application.ToDecide})
		return n, err
	},
	"withdrawn": application.Application.Withdraw,
	"explained": application.Application.Explain,
	"noted":     application.Application.Note,
	"escalated": func(a application.Application) (application.Application, error) { return a.Escalate(50) },
	"rescheduled": func(a application.Application) (application.Application, error) {
		a.Deadline.Provisional = true
		return a.Reschedule(t0.Add(48*time.Hour), t0)
	},
	"held": func(a application.Application) (application.Application, error) {
		n, _, err := a.PlaceHold(someHold)
		return n, err
	},
	"hold_lifted": func(a application.Application) (application.Application, error) {
		a.Holds = []application.Hold{someHold}
		return a.LiftHold(someHold.ID, approver, t0)
	},
	"receipted": func(a application.Application) (application.Application, error) {
		return a.Confirm(application.Receipt{Award: "01", Answer: application.Received, At: t0}, nil)
	},
}

func TestTheWholeMatrixOfStatesAndMoves(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, move := range application.Moves() {
		do, ok := doers[move]
		if !ok {
			t.Fatalf("no test carries out %q", move)
		}
		for _, s := range application.States() {
			if s.Label() == "" {
				t.Errorf("state %s has no label", s)
			}
			before := sample(s)
			n, err := do(before)
			if (err == nil) != application.May(s, move) {
				t.Errorf("%s from %s: %v, but May says %v", move, s, err, application.May(s, move))
			}
			if err != nil {
				if !errors.Is(err, application.ErrState) {
					t.Errorf("%s from %s fails with %v", move, s, err)
				}
				fmt.Fprintf(&out, "%-12s %-10s no\n", move, s)
				continue
			}
			if n.Version != 6 || before.Version != 5 || !n.AcceptedAt.Equal(t0) {
				t.Errorf("%s from %s makes version %d or moves the clock", move, s, n.Version)
			}
			fmt.Fprintf(&out, "%-12s %-10s %s\n", move, s, n.State)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/matrix.golden", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/matrix.golden")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the matrix changed; look at each line and run with -update:\n%s", out.String())
	}
}

func TestWhoMayDecide(t *testing.T) {
	t.Parallel()
	award := func(by event.Actor) application.Award {
		return application.Award{ID: "01", AmountFen: 100_000, By: by, At: t0}
	}
	other := func(id, person string) event.Actor {
		return event.Actor{Kind: event.Staff, ID: id, Person: person}
	}
	held := sample(application.Proposed)
	held.Holds = []application.Hold{someHold}
	moved := sample(application.Proposed)
	moved.Payee = "b1.another"
	heldEarlier := sample(application.Verified)
	heldEarlier.Holds = []application.Hold{someHold}
	for name, c := range map[string]struct {
		do   func() (application.Application, error)
		want error
	}{
		"D01 a machine does not refuse": {func() (application.Application, error) {
			return sample(application.Verified).Refuse(event.Actor{Kind: event.System, ID: "verify"})
		}, application.ErrNotAPerson},
		"nor an account without a person": {func() (application.Application, error) {
			return sample(application.Verified).Refuse(other("clerk-1", ""))
		}, application.ErrNotAPerson},
		"X021 nobody refuses their own": {func() (application.Application, error) {
			return sample(application.Verified).Refuse(other("clerk-1", "b1.subject"))
		}, application.ErrConcerned},
		"a machine does not approve": {func() (application.Application, error) {
			return sample(application.Proposed).Approve(award(event.Actor{Kind: event.System, ID: "x"}), application.Deadline{})
		}, application.ErrNotAPerson},
		"A02 one account does not do both": {func() (application.Application, error) {
			return sample(application.Proposed).Approve(award(other("clerk-1", "b1.else")), application.Deadline{})
		}, application.ErrSamePerson},
		"A02 one person with two accounts": {func() (application.Application, error) {
			return sample(application.Proposed).Approve(award(other("clerk-9", "b1.clerk")), application.Deadline{})
		}, application.ErrSamePerson},
		"X021 nobody approves their own": {func() (application.Application, error) {
			return sample(application.Proposed).Approve(award(other("approver-1", "b1.subject")), application.Deadline{})
		}, application.ErrConcerned},
		"X023 nor declared kin": {func() (application.Application, error) {
			return sample(application.Proposed).Approve(award(other("approver-2", "b1.x")), application.Deadline{})
		}, application.ErrConcerned},
		"X025 another amount voids": {func() (application.Application, error) {
			a := award(approver)
			a.AmountFen++
			return sample(application.Proposed).Approve(a, application.Deadline{})
		}, application.ErrMovedOn},
		"X026 another payee voids": {func() (application.Application, error) { return moved.Approve(award(approver), application.Deadline{}) }, application.ErrMovedOn},
		"a hold stops an approval": {func() (application.Application, error) { return held.Approve(award(approver), application.Deadline{}) }, application.ErrHeld},
		"a hold stops a proposal":  {func() (application.Application, error) { return heldEarlier.Propose(application.Proposal{}) }, application.ErrHeld},
		"a hold stops a release": {func() (application.Application, error) {
			return heldEarlier.Release(award(approver), application.Proposal{}, application.Deadline{})
		}, application.ErrHeld},
		"a machine lifts no hold": {func() (application.Application, error) {
			return held.LiftHold(someHold.ID, event.Actor{Kind: event.System}, t0)
		}, application.ErrNotAPerson},
		"who placed a hold does not lift it": {func() (application.Application, error) { return held.LiftHold(someHold.ID, clerk, t0) }, application.ErrSamePerson},
		"who is concerned lifts no hold": {func() (application.Application, error) {
			return held.LiftHold(someHold.ID, other("a", "b1.subject"), t0)
		}, application.ErrConcerned},
		"a hold that is not there": {func() (application.Application, error) { return held.LiftHold("none", approver, t0) }, application.ErrNoHold},
		"a hold is lifted once": {func() (application.Application, error) {
			n, _ := held.LiftHold(someHold.ID, approver, t0)
			return n.LiftHold(someHold.ID, approver, t0)
		}, application.ErrState},
	} {
		if _, err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHoldsComeOnceAndALiftedOneStaysLifted(t *testing.T) {
	t.Parallel()
	a := sample(application.Accepted)
	death := application.NewHold("x", 6, policy.HoldDeathRecord, event.Actor{Kind: event.System, ID: "verify"}, t0, t0.Add(time.Hour))
	n, err := a.WithFindings(application.Findings{At: t0}, []application.Hold{death})
	if err != nil || !n.Held() {
		t.Fatal(err)
	}
	if again, placed, err := n.PlaceHold(death); err != nil || placed || again.Version != n.Version {
		t.Error("an open hold is placed twice")
	}
	n, err = n.LiftHold(death.ID, approver, t0)
	if err != nil || n.Held() {
		t.Fatal(err)
	}
	again, err := n.WithFindings(application.Findings{At: t0}, []application.Hold{death})
	if err != nil || again.Held() {
		t.Error("a second verification brings back a hold that a person lifted")
	}
	if h, placed, err := n.PlaceHold(death); err != nil || !placed || !h.Held() {
		t.Error("a person may place it again")
	}
	r, err := sample(application.Approved).Confirm(application.Receipt{Award: "01", Answer: application.NotReceived, At: t0}, &someHold)
	if err != nil || !r.Held() || len(r.Receipts) != 1 {
		t.Error("an answer other than received comes with a hold")
	}
	if application.NewHold("x", 1, "NEW_CODE", clerk, t0, t0).Owner == "" {
		t.Error("a hold without an owner")
	}
}

func TestEscalationsAndWorkPlaces(t *testing.T) {
	t.Parallel()
	d := application.Deadline{Kind: application.ToDecide, From: t0, At: t0.Add(10 * time.Hour)}
	for told, want := range map[int]time.Duration{0: 5 * time.Hour, 50: 8 * time.Hour, 80: 10 * time.Hour} {
		d.Told = told
		if at, _, ok := d.Next(); !ok || !at.Equal(t0.Add(want)) {
			t.Errorf("after %d%%: %s", told, at)
		}
	}
	d.Told = 100
	if _, _, ok := d.Next(); ok {
		t.Error("escalates for ever")
	}
	place := func(a application.Application, index table.Index) string {
		writes, err := a.Writes(a.Event("noted", citizen, t0))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range writes[0].(table.Replace).Item.Places {
			if p.Index == index {
				return p.PK + " " + p.SK
			}
		}
		return ""
	}
	county := sample(application.Proposed)
	county.Proposal.Authority = policy.County
	if got := place(county, table.ByWork); got != "WORK#320402000000 "+work.Stamp(t0.Add(24*time.Hour)) {
		t.Errorf("work of the county at %s", got)
	}
	early := sample(application.Verified)
	early.Holds = []application.Hold{someHold}
	if got := place(early, table.ByWork); got != "WORK#320402005000 "+work.Stamp(t0.Add(time.Hour)) {
		t.Errorf("a hold that is due first at %s", got)
	}
	over := sample(application.Withdrawn)
	over.Deadline = application.Deadline{}
	if got := place(over, table.ByWork) + place(over, table.ByDue); got != "" {
		t.Errorf("an ended application still stands at %s", got)
	}
	if got := place(sample(application.Accepted), table.ByDue); got == "" {
		t.Error("an accepted application owes no verification")
	}
	if got := place(sample(application.Verified), table.ByDue); got == "" {
		t.Error("a deadline owes no escalation")
	}
}

func TestAppealsStandBeforeTheCounty(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	p := application.NewAppeal(a, []string{"clerk-1"}, t0, t0.AddDate(0, 0, 15))
	w, err := p.Put()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Transact(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	all, err := application.Appeals(t.Context(), b.store, a.ID)
	if err != nil || len(all) != 1 || all[0].ID != p.ID || all[0].Not[0] != "clerk-1" || all[0].Version != 1 {
		t.Fatalf("%+v %v", all, err)
	}
	page, err := b.store.Query(t.Context(), table.Query{Index: table.ByWork, PK: application.WorkList(a.County)})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("the county has %d tasks, %v", len(page.Items), err)
	}
	if _, err := application.DecodeAppeal(table.Item{Key: application.Key("x"), Body: []byte(`{}`)}); err == nil {
		t.Error("a head reads as an appeal")
	}
}
