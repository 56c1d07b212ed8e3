package attack

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/staff"
)

// ref is how the system knows a person.
func (o *office) ref(t *testing.T, p world.Person) string {
	t.Helper()
	paper, err := civil.ParsePaper(civil.IDCard, p.IDNumber, civil.DayOf(o.clock.Now(), o.clock.Now().Location()))
	if err != nil {
		t.Fatal(err)
	}
	return application.PersonRef(o.Blind, paper, "")
}

func TestX021_own_case(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p, housemate := o.person(t), o.person(t)
	f := o.file(t, p, with("members", []any{with1(who(housemate), "relation", "spouse")}), with("consents", []any{agreed("subject"), agreed("members/0")}))
	f.verified(t)
	for _, concerned := range []world.Person{p, housemate} {
		me := func(s *staff.Staff) { s.Person = o.ref(t, concerned) }
		clerk, approver := o.hire(t, staff.Clerk, township, me), o.hire(t, staff.Approver, township, me)
		f.unmoved(t, func() {
			clerk.get(t, f.staffPath("")).is(t, 403, "self-dealing")
			clerk.post(t, f.staffPath("/proposals"), map[string]any{}).is(t, 403, "self-dealing")
			approver.post(t, f.staffPath("/refusals"), staffPosts["/refusals"]).is(t, 403, "self-dealing")
		})
		f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
		f.unmoved(t, func() { f.decide(t, approver).is(t, 403, "self-dealing") })
	}
}

func with1(m map[string]any, field string, value any) map[string]any {
	m[field] = value
	return m
}

func TestOnePersonWithTwoAccounts(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	both := func(s *staff.Staff) { s.Person = "one human being" }
	clerk, approver := o.hire(t, staff.Clerk, township, both), o.hire(t, staff.Approver, township, both)
	f.proposeAs(t, clerk, map[string]any{})
	f.unmoved(t, func() { f.decide(t, approver).is(t, 403, "same-person") })
	unknown := o.hire(t, staff.Approver, township, func(s *staff.Staff) { s.Person = "" })
	f.unmoved(t, func() { f.decide(t, unknown).is(t, 403, "person-unknown") })
}

func TestX023_approver_is_declared_kin(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	f := o.file(t, p).verified(t)
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
	kin := o.hire(t, staff.Approver, township, func(s *staff.Staff) { s.Kin = []string{o.ref(t, p)} })
	f.unmoved(t, func() {
		f.decide(t, kin).is(t, 403, "declared-kin")
		kin.get(t, f.staffPath("")).is(t, 403, "declared-kin")
	})
	if marks := o.reaches(t, kin.id, f.id); len(marks) != 2 {
		t.Errorf("marks %v", marks)
	}
	f.decide(t, o.staff(t, "county-1")).is(t, 201, "")
	f.paid(t)
}

// Kin that only the register knows, and that nobody declared: the clerk stands
// back and the county decides.
func TestX023_kin_known_to_the_register(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	f := o.file(t, o.cast(t, "kin_of_clerk")).verified(t)
	f.unmoved(t, func() {
		o.staff(t, "clerk-1").post(t, f.staffPath("/proposals"), map[string]any{}).is(t, 403, "declared-kin")
	})
	f.proposeAs(t, o.staff(t, "clerk-2"), map[string]any{})
	f.unmoved(t, func() { f.decide(t, o.staff(t, "approver-1")).is(t, 403, "county-required") })
	f.decide(t, o.staff(t, "county-1")).is(t, 201, "")
	f.paid(t).settled(t)
}

// Kin declared between proposal and approval, in the middle of the race.
func TestKinDeclaredMidFlight(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for range 5 {
		p := o.person(t)
		f := o.file(t, p).verified(t)
		approver := o.hire(t, staff.Approver, township)
		f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
		s, err := staff.Get(t.Context(), o.Table, approver.id)
		if err != nil {
			t.Fatal(err)
		}
		together(2, func(i int) {
			if i == 0 {
				if err := staff.Declare(t.Context(), o.Table, s, []string{o.ref(t, p)}, seeded, o.clock.Now()); err != nil {
					t.Error(err)
				}
				return
			}
			r := f.decide(t, approver)
			if r.status != 201 && r.status != 403 && r.status != 409 {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
		// Afterwards there is no way.
		if f.head(t).State == application.Proposed {
			f.decide(t, approver).is(t, 403, "declared-kin")
		}
	}
}

func TestX025_amount_edited_around_the_approval(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	clerk, approver := o.staff(t, "clerk-1"), o.staff(t, "approver-1")
	first := f.proposeAs(t, clerk, map[string]any{"amount_fen": 100_000, "months": 1})
	second := f.proposeAs(t, clerk, map[string]any{"amount_fen": 200_000, "months": 1})
	f.unmoved(t, func() {
		approver.post(t, f.staffPath("/approvals"), first).is(t, 409, "proposal-moved")
		approver.post(t, f.staffPath("/approvals"), proposal{second.ProposalVersion, first.AmountFen}).is(t, 409, "proposal-moved")
		approver.post(t, f.staffPath("/approvals"), proposal{first.ProposalVersion, second.AmountFen}).is(t, 409, "proposal-moved")
	})
	for approved := (reply{}); approved.status != 201; {
		// A register that answers late moves the case, and not what was proposed.
		second.ProposalVersion = f.head(t).Version
		if approved = approver.post(t, f.staffPath("/approvals"), second); approved.status != 201 {
			approved.is(t, 409, "proposal-moved")
		}
	}
	clerk.post(t, f.staffPath("/proposals"), map[string]any{"amount_fen": 300_000}).is(t, 409, "application-state")
	approver.post(t, f.staffPath("/approvals"), second).is(t, 409, "application-state")
	f.paid(t)
	if got := f.payout(t).PaidFen; int64(got) != second.AmountFen {
		t.Errorf("paid %d, approved %d", got, second.AmountFen)
	}
}

func TestX026_payee_swapped(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p, other := o.person(t), o.person(t)
	f := o.file(t, p).verified(t)
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
	f.by.post(t, f.path("/supplements"), map[string]any{"payee": map[string]any{"account": other.Account}}).is(t, 200, "")
	approver := o.staff(t, "approver-1")
	r := f.decide(t, approver)
	r.is(t, 409, "")
	f.verified(t)
	f.unmoved(t, func() { f.decide(t, approver).is(t, 409, "") })
	// Made anew and approved, the money waits: the account was changed just before.
	f.propose(t)
	var decided struct {
		Held     bool
		Findings []struct{ ID, Model string }
	}
	f.decide(t, approver).is(t, 201, "").read(t, &decided)
	if !decided.Held || len(decided.Findings) != 1 || decided.Findings[0].Model != "payee-changed" {
		t.Fatalf("a new account just before payment holds nothing: %+v", decided)
	}
	// Who had part in the decision frees nothing. Freed by another, the name at the
	// bank is somebody else's: no money moves.
	outcome := f.staffPath("/findings/" + decided.Findings[0].ID + "/outcome")
	wrong := map[string]any{"outcome": "wrong", "reason": "本人来电确认是自己换的账户。"}
	approver.post(t, outcome, wrong).is(t, 403, "same-person")
	o.staff(t, "county-1").post(t, outcome, wrong).is(t, 201, "")
	f.becomes(t, payout.Failed)
	if f.times(t) != 0 || len(f.holds(t)) != 1 {
		t.Errorf("paid %d times, holds %v", f.times(t), f.holds(t))
	}
	// After the decision the citizen cannot move the account any more.
	f.unmoved(t, func() {
		f.by.post(t, f.path("/supplements"), map[string]any{"payee": map[string]any{"account": p.Account}}).is(t, 409, "application-state")
	})
}

// The citizen changes the account in the very moment of the approval: either the
// change came first and voids the proposal, or it came too late. Never is money
// sent to an account that the approver did not see.
func TestSupplementDuringApproval(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for range 6 {
		p, other := o.person(t), o.person(t)
		f := o.file(t, p).verified(t)
		f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
		var approved, changed atomic.Bool
		together(2, func(i int) {
			if i == 0 {
				changed.Store(f.by.post(t, f.path("/supplements"), map[string]any{"payee": map[string]any{"account": other.Account}}).status == 200)
				return
			}
			approved.Store(f.decide(t, o.staff(t, "approver-1")).status == 201)
		})
		if approved.Load() == changed.Load() {
			t.Errorf("approved %v and changed %v", approved.Load(), changed.Load())
		}
		if approved.Load() {
			f.paid(t)
			continue
		}
		f.verified(t)
		if _, err := payout.Get(t.Context(), o.Table, payout.Key(f.id, "01")); err == nil {
			t.Error("there is a payout without an approval")
		}
	}
}

func TestWithdrawalAgainstApproval(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for range 6 {
		f := o.file(t, o.person(t)).verified(t)
		f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
		var approved, withdrawn atomic.Bool
		together(2, func(i int) {
			if i == 0 {
				withdrawn.Store(f.by.post(t, f.path("/withdrawal"), map[string]any{}).status == 200)
				return
			}
			approved.Store(f.decide(t, o.staff(t, "approver-1")).status == 201)
		})
		if approved.Load() == withdrawn.Load() {
			t.Errorf("approved %v and withdrawn %v", approved.Load(), withdrawn.Load())
		}
		if approved.Load() {
			f.paid(t)
		} else if f.times(t) != 0 {
			t.Error("money left for a withdrawn application")
		}
	}
}

func TestX027_one_card_for_three_people(t *testing.T) {
	t.Parallel()
	o := shared(t)
	first := o.person(t)
	o.file(t, first).approve(t).paid(t)
	for range 2 {
		f := o.file(t, o.person(t), with("payee", map[string]any{"account": first.Account}))
		f.propose(t)
		f.unmoved(t, func() {
			f.decide(t, o.staff(t, "approver-1")).is(t, 409, "payee-account-taken")
		})
	}
	book, err := o.transfers(t.Context(), "account="+first.Account)
	if err != nil || len(book) != 1 {
		t.Errorf("the card received %d times, %v", len(book), err)
	}
}

// One person pasted into many townships by many accounts (喜德): one award.
func TestX028_one_person_in_many_townships(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	townships := []string{"320402002000", "320402003000", "320402004000", "320402005000", "320402006000"}
	clerk := o.hire(t, staff.Clerk, county)
	var files []*file
	for _, place := range townships {
		by := o.citizen(t, o.person(t))
		r := by.post(t, "/v1/applications", form(p, with("place", place)))
		if r.status == 400 && r.at("/place") != "" {
			continue // not a township of ours
		}
		r.is(t, 201, "")
		var a struct{ ID string }
		r.read(t, &a)
		f := &file{o, a.ID, p, by}
		f.watch(t)
		files = append(files, f.verified(t))
		f.proposeAs(t, clerk, map[string]any{})
	}
	if len(files) < 3 {
		t.Fatalf("%d townships", len(files))
	}
	var won atomic.Int64
	together(len(files), func(i int) {
		r := files[i].decide(t, o.staff(t, "county-1"))
		if r.status == 201 {
			won.Add(1)
		} else {
			r.is(t, 409, "award-duplicate")
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d awards", won.Load())
	}
}

func TestX039_no_payee_but_the_person(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p, agent := o.person(t), o.person(t)
	by := o.citizen(t, agent)
	for _, relation := range []string{"village_committee", "outreach", "relative"} {
		body := form(p, with("relation", relation), with("applicant", who(agent)), with("payee", map[string]any{"account": agent.Account, "holder": "applicant"}))
		if r := by.post(t, "/v1/applications", body).is(t, 400, ""); r.at("/payee/holder") == "" {
			t.Errorf("%s: %s", relation, r.body)
		}
	}
	for _, payee := range []map[string]any{{"type": "agent", "account": agent.Account}, {"account": agent.Account, "holder": "agent"},
		{"account": agent.Account, "name": agent.Name}} {
		by.post(t, "/v1/applications", form(p, with("payee", payee))).is(t, 400, "")
	}
}

func TestX040_less_paid_than_awarded(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	finance := o.staff(t, "finance-1")
	f := o.file(t, o.person(t)).verified(t)
	f.unmoved(t, func() {
		finance.post(t, f.staffPath("/proposals"), map[string]any{"amount_fen": 100}).is(t, 403, "not-allowed")
	})
	// The bank answers our question with another amount than was awarded.
	o.scenario(t, "[[rule]]\nservice = \"bank\"\nop = \"query\"\neffect = \"lie\"\nlie = \"wrong_amount\"\n")
	f.approve(t).becomes(t, payout.Frozen)
	if !slices.Contains(f.holds(t), payout.HoldFrozen) {
		t.Errorf("holds %v", f.holds(t))
	}
	card := f.card(t)
	if len(card.Payments) != 1 || card.Payments[0].PaidFen != 0 || card.Payments[0].AwardedFen == 0 {
		t.Errorf("the card says %+v", card)
	}
	if p := f.payout(t); p.Award.AmountFen > award.Ceiling || !p.Open {
		t.Errorf("%+v", p)
	}
}

// cardOut is what the citizen reads.
type cardOut struct {
	Payments []struct {
		AwardedFen int64  `json:"awarded_fen"`
		PaidFen    int64  `json:"paid_fen"`
		State      string `json:"state"`
		StateLabel string `json:"state_label"`
		PaidAt     string `json:"paid_at"`
		Receipt    string `json:"receipt"`
	} `json:"payments"`
}

func (f *file) card(t *testing.T) (c cardOut) {
	t.Helper()
	f.by.get(t, f.path("/card")).is(t, 200, "").read(t, &c)
	return c
}
