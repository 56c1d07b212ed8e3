package firstaid_test

import (
	"errors"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/policy"
)

var (
	first  = event.Actor{Kind: event.Staff, ID: "a", Person: "p"}
	second = event.Actor{Kind: event.Staff, ID: "b", Person: "q"}
)

func decided(o *firstaidtest.Office, a application.Application, rail string) firstaid.Decision {
	f := a.Findings
	return firstaid.Decision{Proposer: first, Approver: second, At: o.Now(), Proposal: application.Proposal{By: first, AmountFen: f.AmountFen,
		Persons: f.Persons, Months: f.Months, Rail: rail, Authority: f.Authority, Payee: a.Payee, Rules: f.Rules}}
}

// An award says what it rests on: the rules, the article, the fund of its rail,
// the year in China, and both people.
func TestAGrantSaysWhatItRestsOn(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	for rail, purpose := range map[string]fund.Purpose{"bank": fund.Relief, "reserve_cash": fund.Reserve} {
		a := o.Verify(o.Apply(o.Person()).ID)
		c, err := o.Open(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		g, err := o.Grant(t.Context(), c, decided(o, a, rail))
		if err != nil {
			t.Fatal(err)
		}
		w := g.Award
		if w.Fund != fund.Named(purpose, 2026) || w.Year != 2026 || w.Article != "《社会救助法》第五十条" || w.Rules != a.Findings.Rules ||
			w.Proposer != first || w.Approver != second || w.Subject != a.Subject || (w.Payee == "") != (rail == "reserve_cash") {
			t.Errorf("%s: %+v", rail, w)
		}
		if g.Explain.Kind != application.ToExplain || !g.Explain.At.After(o.Now()) {
			t.Errorf("explanation due %+v", g.Explain)
		}
	}
}

// A minor's guardian is the holder of the account, and the money goes in that name.
func TestAGuardianIsTheHolder(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	guardian := application.Member{Person: o.Person(), Kinship: application.Parent}
	a := o.Verify(o.Apply(o.Holder("32040220160215"+"920"), func(s *application.Submission) {
		s.Particulars.Members, s.Particulars.Holder = []application.Member{guardian}, application.RoleMember(0)
	}).ID)
	c, err := o.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	g, err := o.Grant(t.Context(), c, decided(o, a, "bank"))
	if err != nil || g.Award.Holder != a.People[1] || g.Award.Holder == a.Subject {
		t.Errorf("holder %q %v", g.Award.Holder, err)
	}
}

func TestWhatCannotBeGranted(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a := o.Verify(o.Apply(o.Person(), func(s *application.Submission) {
		s.Particulars.Account, s.Particulars.Holder = civil.Account{}, ""
	}).ID)
	c, err := o.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Grant(t.Context(), c, decided(o, a, "bank")); !errors.Is(err, firstaid.ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
	alone := decided(o, a, "reserve_cash")
	alone.Approver = first
	if _, err := o.Grant(t.Context(), c, alone); !errors.Is(err, award.ErrIncomplete) {
		t.Errorf("one person: %v", err)
	}
	a = o.Verify(o.Apply(o.Person()).ID)
	if c, err = o.Open(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	swapped := decided(o, a, "bank")
	swapped.Proposal.Payee = "b1.another"
	if _, err := o.Grant(t.Context(), c, swapped); !errors.Is(err, firstaid.ErrPayee) {
		t.Errorf("another payee than proposed: %v", err) // X026
	}
	if c.Earlier() {
		t.Error("an award that was never made counts as earlier")
	}
	if _, err := o.Open(t.Context(), o.Apply(o.Person())); !errors.Is(err, application.ErrState) {
		t.Errorf("without findings: %v", err)
	}
	elsewhere := a
	elsewhere.Township = "110101001000"
	if _, err := o.Open(t.Context(), elsewhere); !errors.Is(err, policy.ErrNoRules) {
		t.Errorf("without rules: %v", err)
	}
}

// What a person has looked at and lifted stands in nobody's way; an amount that
// first-step aid can never have always does.
func TestWhatIsInsuperable(t *testing.T) {
	t.Parallel()
	c := firstaid.Case{Application: application.Application{Holds: []application.Hold{
		{Code: policy.HoldDeathRecord, Lifted: &application.Lift{}}, {Code: policy.HoldOverCodeCeiling, Lifted: &application.Lift{}}}}}
	out := policy.Outcome{Holds: []policy.HoldReason{{Code: policy.HoldDeathRecord}, {Code: policy.HoldIdentityMismatch}, {Code: policy.HoldOverCodeCeiling}}}
	got := c.Insuperable(out)
	if len(got) != 2 || got[0].Code != policy.HoldIdentityMismatch || got[1].Code != policy.HoldOverCodeCeiling {
		t.Errorf("got %v", got)
	}
}
