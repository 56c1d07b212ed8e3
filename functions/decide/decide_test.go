package decide_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

var system = event.Actor{Kind: event.System, ID: "test"}

func TestTwoPeopleMakeAnAward(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	if got := w.Read(id); got.Proposal.AmountFen != got.Findings.AmountFen || got.Proposal.Rail != "bank" || got.Proposal.Authority != policy.Township {
		t.Fatalf("defaults are not the draft: %+v", got.Proposal)
	}
	r := w.post(approver, id, "approvals", approval)
	w.want(r, 201, "")
	a := w.Read(id)
	if a.State != application.Approved || a.Award.ID != "01" || a.Deadline.Kind != application.ToExplain {
		t.Fatalf("got %+v", a)
	}
	p, err := payout.Get(t.Context(), w.Store, payout.Key(id, "01"))
	if err != nil || p.State != payout.Due || p.Award.AmountFen != a.Proposal.AmountFen {
		t.Fatalf("payout %+v %v", p, err)
	}
	if b := w.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Reserved) != a.Proposal.AmountFen {
		t.Fatalf("reserved %v", b.Of(fund.Reserved))
	}
	var kinds []string
	for _, e := range w.Events(application.Partition(id)) {
		kinds = append(kinds, e.Noun+"."+e.Kind)
		if e.Kind != "approved" {
			continue
		}
		if e.Facts.Text("office") != "天宁街道审批负责人" || e.Facts.Text("policies") != "approver-approves" || e.Rules == "" ||
			e.Facts.Text("article") != "《社会救助法》第五十条" || e.Actor.ID != approver || e.Actor.Person == "" {
			t.Errorf("the decision does not say who, where and why: %+v", e)
		}
	}
	for _, want := range []string{"application.proposed", "application.approved", "payout.granted"} {
		if !strings.Contains(strings.Join(kinds, " "), want) {
			t.Errorf("no event %s in %v", want, kinds)
		}
	}
}

// W03: the same request gets the same bytes for ever, another body does not.
func TestRepeatedRequests(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	path := "/v1/staff/applications/" + id + "/approvals"
	first := w.send("POST", approver, path, "once", approval)
	again := w.send("POST", approver, path, "once", approval)
	if first.status != 201 || again.status != 201 || first.body != again.body {
		t.Errorf("repeat: %d %s, %d %s", first.status, first.body, again.status, again.body)
	}
	approval["amount_fen"] = 1
	w.want(w.send("POST", approver, path, "once", approval), 422, "idempotency-mismatch")
	w.want(w.send("POST", approver, path, "", approval), 400, "idempotency-key-missing")
}

func TestWhoMayNotApprove(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		who    string
		before func(w *world, id string)
		status int
		code   string
		mark   string
	}{
		"the_proposer":                         {clerk, nil, 403, "same-person", "same-person"},
		"another_clerk":                        {clerk2, nil, 403, "not-allowed", "not-allowed"},
		"X003_an_approver_of_another_township": {approver2, nil, 404, "application-not-found", "application-not-found"},
		"X007_a_supervisor":                    {supervisor, nil, 403, "supervision-reads-only", "supervision-reads-only"},
		"X007_an_auditor":                      {auditor, nil, 403, "supervision-reads-only", "supervision-reads-only"},
		"finance":                              {finance, nil, 403, "not-allowed", "not-allowed"},
		"A02_the_proposer_under_another_account": {approver, func(w *world, _ string) {
			s := w.staff(approver)
			s.Person = w.staff(clerk).Person
			w.revise(s)
		}, 403, "same-person", "same-person"},
		"X021_the_subject": {approver, func(w *world, id string) {
			s := w.staff(approver)
			s.Person = w.Read(id).Subject
			w.revise(s)
		}, 403, "self-dealing", "self-dealing"},
		"X023_declared_kin": {approver, func(w *world, id string) {
			s := w.staff(approver)
			s.Kin = []string{w.Read(id).Subject}
			w.revise(s)
		}, 403, "declared-kin", "declared-kin"},
		"X004_moved_away": {approver, func(w *world, _ string) {
			s := w.staff(approver)
			s.Grants[0].Until = w.Now()
			s.Grants = append(s.Grants, staff.Grant{Role: staff.Approver, Division: firstaidtest.Sibling, From: w.Now()})
			w.revise(s)
		}, 403, "moved-away", "moved-away"},
		"X085_removed": {approver, func(w *world, _ string) {
			if err := staff.Revoke(t.Context(), w.Store, w.sessions, w.staff(approver), "left", system, w.Now()); err != nil {
				t.Fatal(err)
			}
		}, 401, "not-signed-in", ""},
		"B23_removed_with_a_session_that_was_overlooked": {approver, func(w *world, _ string) {
			s := w.staff(approver)
			s.Active = false
			w.revise(s)
		}, 401, "not-signed-in", ""},
		"held": {approver, func(w *world, id string) { w.hold(id) }, 409, "application-held", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id, approval := w.proposed(nil)
			if tc.before != nil {
				tc.before(w, id)
				approval["proposal_version"] = w.Read(id).Version
			}
			version := w.Read(id).Version
			w.want(w.post(tc.who, id, "approvals", approval), tc.status, tc.code)
			if a := w.Read(id); a.Version != version || a.Award != nil {
				t.Errorf("something changed: %+v", a)
			}
			if got := w.marks(tc.who); got != tc.mark {
				t.Errorf("marks %q, want %q", got, tc.mark)
			}
		})
	}
}

// X021, X023: staff were registered under one blind key and the case under the
// next; whoever is concerned is so still, and two accounts are one person.
func TestARotationOfTheBlindKeyMakesNobodyAStranger(t *testing.T) {
	t.Parallel()
	own := map[string]string{clerk: "320402197201109004", approver: "320402197804139034"}
	for name, tc := range map[string]struct {
		people []string // among the people of the case, by identity number
		code   string
	}{
		"nobody_is_concerned":                    {nil, ""},
		"X021_the_subject":                       {[]string{own[approver]}, "self-dealing"},
		"X021_the_household":                     {[]string{"", own[approver]}, "self-dealing"},
		"A02_the_proposer_under_another_account": {[]string{"", "account"}, "same-person"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := firstaidtest.New(t)
			before := o.Blind
			o.RotateBlind()
			w := serve(o)
			who := w.Person()
			if len(tc.people) > 0 && tc.people[0] != "" {
				who = w.Holder(tc.people[0])
			}
			a := w.Apply(who, func(s *application.Submission) {
				if len(tc.people) > 1 && tc.people[1] != "account" {
					s.Particulars.Members = []application.Member{{Person: w.Holder(tc.people[1]), Kinship: application.Sibling}}
				}
			})
			if strings.HasPrefix(a.Subject, "b1.") || !strings.HasPrefix(w.staff(approver).Person, "b1.") {
				t.Fatalf("the key did not change between them: %s %s", a.Subject, w.staff(approver).Person)
			}
			id := w.Verify(a.ID).ID
			if tc.code == "same-person" {
				// The account that approves belongs to the proposer and was registered after the change.
				s, err := w.staff(approver).WithPapers(t.Context(), w.Box, w.Blind, w.Holder(own[clerk]).Paper, nil)
				if err != nil || s.Person == w.staff(clerk).Person || s.Person == application.PersonRef(before, w.Holder(own[clerk]).Paper, "") {
					t.Fatalf("%s %v", s.Person, err)
				}
				w.revise(s)
			}
			r := w.post(clerk, id, "proposals", m{})
			w.want(r, 201, "")
			r = w.post(approver, id, "approvals", m{"proposal_version": r.number("proposal_version"), "amount_fen": r.number("amount_fen")})
			if tc.code == "" {
				w.want(r, 201, "")
				return
			}
			w.want(r, 403, tc.code)
		})
	}
}

// revise stores s as its next version, as somebody at the registry would.
func (w *world) revise(s staff.Staff) {
	w.T.Helper()
	body, err := json.Marshal(s)
	if err == nil {
		err = w.Store.Transact(w.T.Context(), table.Replace{Item: table.Item{Key: staff.Key(s.ID), Version: s.Version + 1, Body: body}})
	}
	if err != nil {
		w.T.Fatal(err)
	}
}

func (w *world) hold(id string) application.Hold {
	w.T.Helper()
	var h application.Hold
	w.Change(id, "held", func(a application.Application) (application.Application, error) {
		h = application.NewHold(a.ID, a.Version, application.HoldNotMine, system, w.Now(), w.Now().Add(time.Hour))
		next, _, err := a.PlaceHold(h)
		return next, err
	})
	return h
}

// B07, A04, X022–X026: whatever moves between reading and writing undoes the
// approval. Without the condition on the write each of these would pay.
func TestWhateverMovesBetweenReadingAndWritingUndoesTheApproval(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		move   func(w *world, id string)
		status int
		code   string
	}{
		"B07_a_hold_is_placed":         {func(w *world, id string) { w.hold(id) }, 409, "application-held"},
		"X025_a_visit_is_recorded":     {func(w *world, id string) { w.post(clerk2, id, "visits", aVisit) }, 409, "proposal-moved"},
		"X025_another_amount_proposed": {func(w *world, id string) { w.post(clerk, id, "proposals", m{"amount_fen": 90000}) }, 409, "proposal-moved"},
		"the_applicant_withdraws":      {func(w *world, id string) { w.Change(id, "withdrawn", application.Application.Withdraw) }, 409, "application-state"},
		"X026_the_payee_is_supplemented": {func(w *world, id string) {
			w.Change(id, "supplemented", func(a application.Application) (application.Application, error) {
				return a.Supplement(a.Subject, a.People, "b1.another-account", w.Now())
			})
		}, 409, "application-state"},
		"A06_the_approver_is_removed": {func(w *world, _ string) {
			s := w.staff(approver)
			s.Active = false
			w.revise(s)
		}, 401, "not-signed-in"},
		"A04_the_approver_is_transferred": {func(w *world, _ string) {
			s := w.staff(approver)
			s.Grants[0].Until = w.Now()
			w.revise(s)
		}, 403, "moved-away"},
		"X023_the_approver_declares_kin": {func(w *world, id string) {
			if err := staff.Declare(t.Context(), w.Store, w.staff(approver), []string{w.Read(id).Subject}, system, w.Now()); err != nil {
				t.Error(err)
			}
		}, 403, "declared-kin"},
		"the_money_is_spent_elsewhere": {func(w *world, _ string) {
			w.Fund(fund.Relief, firstaidtest.Township, -firstaidtest.Available)
		}, 409, "fund-empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id, approval := w.proposed(nil)
			w.gate.once(func() { tc.move(w, id) })
			w.want(w.post(approver, id, "approvals", approval), tc.status, tc.code)
			if a := w.Read(id); a.Award != nil {
				t.Errorf("an award was made: %+v", a.Award)
			}
			if b := w.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Reserved) != 0 {
				t.Errorf("money was reserved: %v", b.Of(fund.Reserved))
			}
		})
	}
}

var aVisit = m{"method": "door", "finding": "as_told", "note": "房屋烧毁，情况属实。"}

// B07: the head's version and the event's place guard an approval twice over, so
// dropping either shows in no race. So the conditions themselves are held to.
func TestWhatAnApprovalDemands(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	before := w.Read(id)
	var got []string
	w.gate.watch(func(writes []table.Write) {
		for _, one := range writes {
			key := one.Target()
			switch one := one.(type) {
			case table.Replace:
				got = append(got, fmt.Sprintf("replace %s v%d", key.SK, one.Item.Version-before.Version))
			case table.Check:
				got = append(got, fmt.Sprintf("check %s v%d", key.PK, one.Version))
			case table.Move:
				for _, d := range one.Deltas {
					got = append(got, fmt.Sprintf("move %s %+d floor %d", d.Counter, d.By, d.Floor))
				}
			case table.Put:
				sk, _, _ := strings.Cut(key.SK, "#")
				got = append(got, "put "+sk)
			}
		}
	})
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	all := strings.Join(got, "\n")
	for _, want := range []string{"replace HEAD v1", "put EVENT", "check STAFF#" + approver + " v1", "move available -110000 floor 0", "put PAYOUT",
		"put ONCE", "put HOLDER", "put ENTRY", "put PAYEE"} {
		if !strings.Contains(all, want) {
			t.Errorf("not demanded: %s\nin\n%s", want, all)
		}
	}
}

// X048.
func TestFiftyApproveAtOnceAndOneWins(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	var group sync.WaitGroup
	replies := make([]reply, 50)
	for i := range replies {
		group.Go(func() { replies[i] = w.post([]string{approver, county}[i%2], id, "approvals", approval) })
	}
	group.Wait()
	won := 0
	for _, r := range replies {
		switch {
		case r.status == 201:
			won++
		case r.status != 409:
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
	if b := w.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Reserved) != w.Read(id).Award.AmountFen {
		t.Errorf("reserved %v", b.Of(fund.Reserved))
	}
}

// X050: the budget is for six, ten are approved at once.
func TestABudgetIsNeverOverspent(t *testing.T) {
	t.Parallel()
	w := open(t)
	type one struct {
		id       string
		approval m
	}
	var all []one
	for range 10 {
		id, approval := w.proposed(m{"amount_fen": 100_00})
		all = append(all, one{id, approval})
	}
	w.Fund(fund.Relief, firstaidtest.Township, -(firstaidtest.Available - 600_00))
	var group sync.WaitGroup
	replies := make([]reply, len(all))
	for i, o := range all {
		group.Go(func() {
			for range 20 { // the slice is one item: losers of the race ask again
				replies[i] = w.post(approver, o.id, "approvals", o.approval)
				if replies[i].code != "application-moved" {
					return
				}
			}
		})
	}
	group.Wait()
	paid, empty := 0, 0
	for _, r := range replies {
		switch {
		case r.status == 201:
			paid++
		case r.code == "fund-empty":
			empty++
		default:
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	if paid != 6 || empty != 4 {
		t.Errorf("%d paid, %d refused", paid, empty)
	}
	if b := w.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Available) != 0 {
		t.Errorf("available %v", b.Of(fund.Available))
	}
}

// M22, X028: one award per person, cause and year; more only by a reasoned
// exception that the county decides.
func TestASecondAwardNeedsAReasonedException(t *testing.T) {
	t.Parallel()
	w := open(t)
	who := w.Person()
	here := w.Verify(w.Apply(who).ID).ID
	there := w.Verify(w.Apply(who, firstaidtest.In(firstaidtest.Sibling)).ID).ID
	propose := func(clerk, id string, body m) m {
		t.Helper()
		r := w.post(clerk, id, "proposals", body)
		w.want(r, 201, "")
		return m{"proposal_version": r.number("version"), "amount_fen": r.number("amount_fen")}
	}
	first, second := propose(clerk, here, m{}), propose(clerk3, there, m{})
	w.want(w.post(approver, here, "approvals", first), 201, "")
	w.want(w.post(approver2, there, "approvals", second), 409, "award-duplicate")

	r := w.post(clerk3, there, "proposals", m{})
	w.want(r, 409, "exception-required")
	if r.fields != "SAME_CAUSE_REPEAT" {
		t.Errorf("fields %q", r.fields)
	}
	exception := m{"exception": m{"codes": []string{"SAME_CAUSE_REPEAT"}, "reason": "第二次火灾，另一处住所烧毁，确有必要。"}}
	third := propose(clerk3, there, exception)
	w.want(w.post(approver2, there, "approvals", third), 403, "county-required")
	w.want(w.post(county, there, "approvals", third), 201, "")
	for _, e := range w.Events(application.Partition(there)) {
		if e.Kind == "approved" && e.Reason != "SAME_CAUSE_REPEAT" {
			t.Errorf("the exception is not logged: %+v", e)
		}
	}
}

// living is an application of somebody who lives with another, from an account of
// their own: nothing but the household ties the two together.
func living(with application.Person, cause policy.Cause) func(*application.Submission) {
	return func(s *application.Submission) {
		s.Cause, s.Account = cause, "account-"+s.ID
		s.Particulars.Members = []application.Member{{Person: with, Kinship: application.Spouse}}
	}
}

// Two of one household ask, each for themselves, and both are judged before either is
// decided: while one approval stands at its write, the other is made. Changzhou counts
// by household: once for a cause and twice a year, so that exactly so many pass.
func TestTwoOfOneHouseholdAreNotBothTheFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second    policy.Cause
		exception m
		code      string // of the one that is judged again; empty when it passes
		awards    int    // of the household when both have asked
	}{
		"for_one_cause":       {policy.Fire, nil, "award-duplicate", 1},
		"for_another_cause":   {policy.SuddenIllness, nil, "", 2},
		"with_good_reason":    {policy.Fire, m{"codes": []string{policy.SameCauseRepeat}, "reason": "同一火灾中另一处住房也被烧毁，确有必要。"}, "", 2},
		"for_another_reason":  {policy.Fire, m{"codes": []string{policy.OverCeiling}, "reason": "超过最高金额，已经一事一议集体研究。"}, "award-duplicate", 1},
		"a_third_in_the_year": {policy.TrafficAccident, nil, "proposal-outdated", 2},
	} {
		w := open(t)
		wife, husband := w.Person(), w.Person()
		if name == "a_third_in_the_year" {
			if id := w.Verify(w.Apply(wife, living(husband, policy.SuddenIllness)).ID).ID; w.approves(id, nil).status != 201 {
				t.Fatal("the first of the year")
			}
		}
		first := w.Verify(w.Apply(wife, living(husband, policy.Fire)).ID).ID
		second := w.Verify(w.Apply(husband, living(wife, c.second)).ID).ID
		// Both are proposed while neither is decided.
		other, late := w.proposes(first, nil), w.proposes(second, c.exception)
		w.gate.once(func() { w.want(w.post(county, first, "approvals", other), 201, "") })
		r := w.post(county, second, "approvals", late)
		if c.code == "" != (r.status == 201) || r.code != c.code {
			t.Errorf("%s: %d %s, want %q\n%s", name, r.status, r.code, c.code, r.body)
		}
		rules, err := w.Book.Rules(firstaidtest.Township, calendar.Today(w.Now()))
		if err != nil || !rules.Frequency().ByHousehold {
			t.Fatal("the region does not count by household: the test shows nothing", err)
		}
		a := w.Read(first)
		h, err := award.Read(t.Context(), w.Store, [][]string{{a.Subject}, {w.Read(second).Subject}}, true)
		if err != nil || len(h.Earlier) != c.awards {
			t.Errorf("%s: the household had %v, %v", name, h.Earlier, err)
		}
	}
}

// The largest household that may apply, with as many bills as one may bring, while the
// blind key rotates: what it rests on still fits into one transaction.
func TestTheLargestHouseholdFitsIntoOneTransaction(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	o.RotateBlind()
	w, most := serve(o), 0
	w.gate.watch(func(writes []table.Write) { most = max(most, len(writes)) })
	a := w.Apply(w.Person(), func(s *application.Submission) {
		for n := range 20 {
			s.Particulars.Members = append(s.Particulars.Members, application.Member{Person: w.Person(), Kinship: application.Sibling})
			s.Particulars.Expenses = append(s.Particulars.Expenses, application.Expense{Invoice: redact.New(fmt.Sprintf("%08d", n))})
		}
	})
	w.want(w.approves(w.Verify(a.ID).ID, nil), 201, "")
	if most > table.MaxWrites || most < 80 {
		t.Errorf("%d writes", most)
	}
}

// proposes is a proposal by clerk-1, and what an approval of it restates.
func (w *world) proposes(id string, exception m) m {
	w.T.Helper()
	body := m{}
	if exception != nil {
		body["exception"] = exception
	}
	r := w.post(clerk, id, "proposals", body)
	w.want(r, 201, "")
	return m{"proposal_version": r.number("proposal_version"), "amount_fen": r.number("amount_fen")}
}

// approves is a proposal and its approval by the county.
func (w *world) approves(id string, exception m) reply {
	w.T.Helper()
	return w.post(county, id, "approvals", w.proposes(id, exception))
}

// X028: however many pasted applications of one person race, one is paid.
func TestOnePersonInManyRowsIsPaidOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	who := w.Person()
	causes := []civil.DivisionCode{firstaidtest.Township, firstaidtest.Sibling}
	ids := make([]string, len(causes))
	approvals := make([]m, len(causes))
	for i, township := range causes {
		ids[i] = w.Verify(w.Apply(who, firstaidtest.In(township)).ID).ID
		r := w.post([]string{clerk, clerk3}[i], ids[i], "proposals", m{})
		w.want(r, 201, "")
		approvals[i] = m{"proposal_version": r.number("version"), "amount_fen": r.number("amount_fen")}
	}
	var group sync.WaitGroup
	replies := make([]reply, len(ids))
	for i := range ids {
		group.Go(func() { replies[i] = w.post(county, ids[i], "approvals", approvals[i]) })
	}
	group.Wait()
	if sum, codes := replies[0].status+replies[1].status, replies[0].code+replies[1].code; sum != 201+409 || codes != "award-duplicate" {
		t.Errorf("got %s\n%s", replies[0].body, replies[1].body)
	}
}

// X027, M21.
func TestOneAccountPaysForOnePerson(t *testing.T) {
	t.Parallel()
	w := open(t)
	shared := w.Account(777)
	same := func(s *application.Submission) { s.Particulars.Account = shared }
	var last reply
	for range 2 {
		id := w.Verify(w.Apply(w.Person(), same).ID).ID
		r := w.post(clerk, id, "proposals", m{})
		w.want(r, 201, "")
		last = w.post(approver, id, "approvals", m{"proposal_version": r.number("version"), "amount_fen": r.number("amount_fen")})
	}
	w.want(last, 409, "payee-account-taken")
}

func TestAmountsAboveTheCeilingNeedTheCounty(t *testing.T) {
	t.Parallel()
	w := open(t)
	// Changzhou's ceiling is 5,000 yuan, inclusive.
	id, approval := w.proposed(m{"amount_fen": 5000_00})
	if a := w.Read(id); a.Proposal.Authority != policy.Township || a.Actor() != firstaidtest.Township {
		t.Errorf("5,000.00 went to %s", a.Proposal.Authority)
	}
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	id, approval = w.proposed(m{"amount_fen": 5000_01})
	w.want(w.post(approver, id, "approvals", approval), 403, "county-required") // X006
	w.want(w.post(county, id, "approvals", approval), 201, "")
	// First-step aid has a ceiling of its own; above the one in code there is none.
	id = w.Verify(w.Apply(w.Person()).ID).ID
	w.want(w.post(clerk, id, "proposals", m{"amount_fen": 9000_00}), 409, "exception-required")
	w.want(w.post(clerk, id, "proposals", m{"amount_fen": 20000_01,
		"exception": m{"codes": []string{"OVER_CEILING"}, "reason": "经县级协调机制一事一议同意。"}}), 409, "rules-hold")
}

// X026: what one officer saw and what another pays to is one account, on the
// application and in the sealed particulars.
func TestAPayeeThatWasSwappedIsNotPaid(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	p, version, err := application.OpenParticulars(t.Context(), w.Store, w.Box, id)
	if err != nil {
		t.Fatal(err)
	}
	p.Account = w.Account(4242)
	item, err := p.Seal(t.Context(), w.Box, id, version+1)
	if err == nil {
		err = w.Store.Transact(t.Context(), table.Replace{Item: item})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.want(w.post(approver, id, "approvals", approval), 409, "payee-moved")
	w.Change(id, "noted", func(a application.Application) (application.Application, error) {
		next, err := a.Note()
		next.Payee = application.AccountRef(w.Blind, p.Account)
		return next, err
	})
	approval["proposal_version"] = w.Read(id).Version
	w.want(w.post(approver, id, "approvals", approval), 409, "payee-moved")
}

// An exception that no rule asked for is still an exception: the county decides.
func TestAnExceptionAlwaysGoesToTheCounty(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(m{"exception": m{"codes": []string{"FREQUENCY_CAP"}, "reason": "在外地已获救助，确有必要再次救助。"}})
	w.want(w.post(approver, id, "approvals", approval), 403, "county-required")
	w.want(w.post(county, id, "approvals", approval), 201, "")
}

func TestAnApprovalRestatesWhatItApproves(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	w.want(w.post(approver, id, "approvals", m{"proposal_version": approval["proposal_version"], "amount_fen": 1}), 409, "proposal-moved")
	w.want(w.post(approver, id, "approvals", m{"proposal_version": 1, "amount_fen": approval["amount_fen"]}), 409, "proposal-moved")
	w.want(w.post(approver, id, "approvals", m{}), 400, "invalid-fields")
	w.want(w.post(approver, w.IDs.New(), "approvals", approval), 404, "application-not-found")
	w.want(w.post(approver, "nothing", "approvals", approval), 404, "application-not-found")
}

// X008, X009, X013 and the unknown fields of every write.
func TestNobodySetsWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, _ := w.proposed(nil)
	for _, body := range []string{
		`{"state":"approved"}`, `{"status":"PAID"}`, `{"id":"other"}`, `{"application":"other"}`, `{"amount_approved":1}`,
		`{"approver_id":"x"}`, `{"version":9}`, `{"Amount_fen":1}`, `{"amount_fen":1.5}`, `{"amount_fen":"1"}`, `{"amount_fen":-1}`, `{"amount_fen":0}`,
		`{"amount_fen":5000001}`, `{"rail":"agent"}`, `{"months":13}`, `{"exception":{"codes":["ANY"],"reason":"十个字以上的理由理由"}}`,
	} {
		before := w.Read(id).Version
		if r := w.post(clerk, id, "proposals", body); r.status != 400 {
			t.Errorf("%s: got %d %s", body, r.status, r.body)
		}
		if w.Read(id).Version != before {
			t.Errorf("%s changed something", body)
		}
	}
	if r := w.send("PUT", clerk, "/v1/staff/applications/"+id, "k", `{"status":"PAID"}`); r.status != 405 {
		t.Errorf("PUT: got %d", r.status)
	}
}

func TestARefusalHasAPersonAReasonAndARemedy(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	body := m{"code": "NOT_EMERGENCY", "reason": "长期困难，不属于突发情况，已转办低保。"}
	w.want(w.post(clerk, id, "refusals", body), 403, "not-allowed")
	w.want(w.post(approver, id, "refusals", m{"code": "INCOME_OVER", "reason": "收入过高，不予救助，理由充分。"}), 400, "invalid-fields")
	w.want(w.post(approver, id, "refusals", m{"code": "NOT_EMERGENCY", "reason": "不行"}), 400, "invalid-fields")
	r := w.post(approver, id, "refusals", body)
	w.want(r, 201, "")
	if !strings.Contains(r.text("remedy"), "行政复议") || !strings.Contains(r.text("remedy"), "再次申请") || r.text("basis") == "" {
		t.Errorf("no remedy or basis in %s", r.body)
	}
	if a := w.Read(id); a.State != application.Refused {
		t.Errorf("state %s", a.State)
	}
	page, err := w.Store.Query(t.Context(), table.Query{PK: application.Partition(id)}.Prefix("NOTICE#refused"))
	if err != nil || len(page.Items) != 1 {
		t.Errorf("notices %d %v", len(page.Items), err)
	}
	w.want(w.post(approver, id, "refusals", body), 409, "application-state")
}

func TestAHoldStopsTheMoneyAndAnotherPersonEndsIt(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	why := m{"code": "PAYEE_DOUBT", "reason": "户名与申请人不一致，需核实。"}
	r := w.post(reviewer, id, "holds", why)
	w.want(r, 201, "")
	path := "holds/" + r.text("hold") + "/release"
	w.want(w.post(clerk, id, "holds", why), 409, "hold-exists")
	w.want(w.post(clerk, id, "proposals", m{}), 409, "application-held")
	approval["proposal_version"] = w.Read(id).Version
	w.want(w.post(approver, id, "approvals", approval), 409, "application-held")
	w.want(w.post(reviewer, id, path, m{"reason": "已核实。"}), 403, "same-person")
	w.want(w.post(clerk2, id, path, m{"reason": "已核实。"}), 403, "not-allowed")
	w.want(w.post(approver, id, "holds/nothing/release", m{"reason": "已核实。"}), 404, "hold-not-found")
	w.want(w.post(approver, id, path, m{"reason": "已核实。"}), 201, "")
	w.want(w.post(approver, id, path, m{"reason": "已核实。"}), 409, "application-state")
	approval["proposal_version"] = w.Read(id).Version
	w.want(w.post(approver, id, "approvals", approval), 201, "")
}

func TestVisitsAndExplanations(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	w.want(w.post(clerk2, id, "visits", aVisit), 201, "")
	w.want(w.post(clerk2, id, "visits", m{"method": "door", "finding": "as_told", "note": "好。", "at": w.Now().Add(time.Hour).Format(time.RFC3339)}), 400, "invalid-fields")
	text := m{"findings": "ok", "text": "已入户核实，情况属实，材料已补。"}
	w.want(w.post(clerk, id, "explanations", text), 409, "application-state")
	approval["proposal_version"] = w.Read(id).Version
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	w.want(w.post(clerk, id, "explanations", text), 201, "")
	w.want(w.post(clerk, id, "explanations", text), 409, "application-state")
	if a := w.Read(id); a.State != application.Explained || a.Held() {
		t.Errorf("got %+v", a)
	}
	r := w.get(clerk2, "/v1/staff/applications/"+id)
	for _, want := range []string{"房屋烧毁，情况属实。", "已入户核实，情况属实，材料已补。"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is not shown", want)
		}
	}
	// A problem found afterwards holds what may follow and takes nothing back.
	id, approval = w.proposed(nil)
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	w.want(w.post(clerk, id, "explanations", m{"findings": "problem", "text": "邻里反映情况不符，需要再核实。"}), 201, "")
	if a := w.Read(id); a.State != application.Explained || !a.Held() || a.Award == nil {
		t.Errorf("got %+v", a)
	}
}

// A check that holds the money is answered by a person who lifts the hold; the
// rules, asked again at the decision, do not bring it back.
func TestALiftedHoldOfTheRulesStaysLifted(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID, func(f *application.Findings) { // X098
		f.Checks = append(f.Checks, policy.Check{Source: policy.SourceDeath, Outcome: policy.HitAdverse})
	}).ID
	w.want(w.post(clerk, id, "proposals", m{}), 409, "application-held")
	w.want(w.post(approver, id, "holds/"+w.Read(id).Holds[0].ID+"/release", m{"reason": "本人到场，系登记错误。"}), 201, "")
	r := w.post(clerk, id, "proposals", m{})
	w.want(r, 201, "")
	w.want(w.post(approver, id, "approvals", m{"proposal_version": r.number("version"), "amount_fen": r.number("amount_fen")}), 201, "")
}

// What changes between the proposal and the approval makes it another question.
func TestAProposalThatNoLongerStandsIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	w.Change(id, "noted", func(a application.Application) (application.Application, error) {
		next, err := a.Note()
		findings := *next.Findings
		findings.Checks = append(findings.Checks, policy.Check{Source: policy.SourceKin, Outcome: policy.HitAdverse})
		next.Findings = &findings
		return next, err
	})
	approval["proposal_version"] = w.Read(id).Version
	w.want(w.post(approver, id, "approvals", approval), 409, "proposal-outdated")
}

func TestWithoutAnAccountTheReserveIsProposed(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person(), func(s *application.Submission) {
		s.Particulars.Account, s.Particulars.Holder = civil.Account{}, ""
	}).ID).ID
	w.want(w.post(clerk, id, "proposals", m{"rail": "bank"}), 409, "no-account")
	r := w.post(clerk, id, "proposals", m{"months": 1})
	w.want(r, 201, "")
	if r.text("rail") != "reserve_cash" {
		t.Errorf("rail %s", r.text("rail"))
	}
}
