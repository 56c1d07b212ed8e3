package inspection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/verification"
)

var (
	first  = event.Actor{Kind: event.Staff, ID: "a", Person: "p"}
	second = event.Actor{Kind: event.Staff, ID: "b", Person: "q"}
	judge  = event.Actor{Kind: event.Staff, ID: "c", Person: "r"}
	system = event.Actor{Kind: event.System, ID: "test"}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// decide approves an application as one transaction, as the decide function does,
// and gives what was found. It starts again when a marker moved.
func decide(t *testing.T, o *firstaidtest.Office, id string) []inspection.Finding {
	t.Helper()
	found, err := approve(o, id)
	must(t, err)
	return found
}

func approve(o *firstaidtest.Office, id string) (found []inspection.Finding, err error) {
	ctx := context.Background()
	_, err = application.Change(ctx, o.Store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		var none application.Step[struct{}]
		if a.State == application.Verified {
			return none, errors.New("not proposed")
		}
		c, err := o.Open(ctx, a)
		if err != nil {
			return none, err
		}
		r, err := o.Inspect(ctx, c, second, system, o.Now())
		if err != nil {
			return none, err
		}
		g, err := o.Grant(ctx, c, firstaid.Decision{Proposal: *a.Proposal, Proposer: first, Approver: second, At: o.Now()})
		if err != nil {
			return none, err
		}
		next, err := a.Approve(application.Award{ID: g.Award.ID, AmountFen: g.Award.AmountFen, By: second, At: o.Now()}, g.Explain)
		if err != nil {
			return none, err
		}
		next = r.Held(next)
		writes, err := r.Writes(ctx, o.Store)
		if err != nil {
			return none, err
		}
		decided, err := r.Decided()
		if err != nil {
			return none, err
		}
		found = r.Found
		e := next.Event("approved", second, o.Now())
		e.Facts = event.Facts{"amount_fen": g.Award.AmountFen}
		return application.Step[struct{}]{Next: next, Event: r.Tell(e),
			Also: slices.Concat(g.Writes, writes, decided)}, nil
	})
	return found, err
}

// proposed is an application that waits for approval.
func proposed(o *firstaidtest.Office, who application.Person, change ...func(*application.Submission)) application.Application {
	a := o.Verify(o.Apply(who, change...).ID)
	return propose(o, a.ID)
}

func propose(o *firstaidtest.Office, id string) application.Application {
	return o.Change(id, "proposed", func(a application.Application) (application.Application, error) {
		f := a.Findings
		return a.Propose(application.Proposal{By: first, At: o.Now(), AmountFen: f.AmountFen, Persons: f.Persons, Months: f.Months,
			Rail: "bank", Authority: f.Authority, Payee: a.Payee, Rules: f.Rules})
	})
}

func models(found []inspection.Finding) string {
	var ids []string
	for _, f := range found {
		ids = append(ids, f.Model)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// open lists the codes of the holds that stop money.
func open(a application.Application) []string {
	var codes []string
	for _, h := range a.Holds {
		if h.Lifted == nil {
			codes = append(codes, h.Code)
		}
	}
	return codes
}

// answer keeps what a register said about the subject.
func answer(t *testing.T, o *firstaidtest.Office, a application.Application, source string, facts map[string]string) {
	t.Helper()
	c := verification.Check{Person: a.Subject, Source: source, Outcome: policy.HitAdverse, Facts: facts, FetchedAt: o.Now()}
	must(t, c.Keep(context.Background(), o.Store, o.Box, a.ID))
}

func phone(t *testing.T, number string) func(*application.Submission) {
	return func(s *application.Submission) {
		p, err := civil.ParsePhone(number)
		must(t, err)
		s.Particulars.Subject.Phone = p
	}
}

func bill(number string) func(*application.Submission) {
	return func(s *application.Submission) {
		s.Particulars.Expenses = append(s.Particulars.Expenses, application.Expense{Invoice: redact.New(number)})
	}
}

// Of people who share a telephone the fourth is held, whoever is decided on first.
func TestOneTelephoneForManyHoldsTheMoney(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	for n := range 5 {
		a := proposed(o, o.Person(), phone(t, "19900000001"))
		found := decide(t, o, a.ID)
		if held := n >= 3; held != slices.Contains(open(o.Read(a.ID)), "MODEL_SHARED_PHONE") {
			t.Errorf("case %d: held %v", n+1, open(o.Read(a.ID)))
		}
		if n == 3 {
			f := found[0]
			hold := o.Read(a.ID).Holds[0]
			if models(found) != "shared-phone" && !strings.Contains(models(found), "shared-phone") || hold.Owner != "approver" || !hold.Due.Equal(o.Now().Add(24*time.Hour)) {
				t.Errorf("%+v %+v", found, hold)
			}
			if !strings.Contains(f.Words.Zh, "另外3个") && !strings.Contains(found[len(found)-1].Words.Zh, "另外3个") {
				t.Errorf("it does not say why: %v", found)
			}
		}
	}
	// One person with their own telephone again is nobody else.
	b := proposed(o, o.Person(), phone(t, "19900000002"))
	if found := decide(t, o, b.ID); strings.Contains(models(found), "phone") {
		t.Errorf("a telephone of one's own: %v", found)
	}
}

// However many approvals that share a bill race, all but the first are held.
func TestTheSameBillRaces(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	var ids []string
	for range 6 {
		ids = append(ids, proposed(o, o.Person(), bill("FP-0001")).ID)
	}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			for { // a busy marker moves more often than one change starts again
				_, err := approve(o, id)
				if errors.Is(err, application.ErrMovedOn) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	held := 0
	for _, id := range ids {
		a := o.Read(id)
		if a.State != application.Approved {
			t.Errorf("%s: a machine stopped a decision", a.State)
		}
		if slices.Contains(open(a), "MODEL_INVOICE_TWICE") {
			held++
		}
	}
	if held != len(ids)-1 {
		t.Errorf("%d of %d are held", held, len(ids))
	}
	tallies, err := inspection.Tallies(t.Context(), o.Store, func(civil.DivisionCode) bool { return true })
	if got := tallies["invoice-twice"]; err != nil || got.Hits != int64(held) || got.Held != int64(held) {
		t.Errorf("counted %+v, %v", got, err)
	}
}

// What was found is told, is listed until judged, and is counted exactly once.
func TestAJudgementIsCountedOnce(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	decide(t, o, proposed(o, o.Person(), bill("FP-1")).ID)
	a := proposed(o, o.Person(), bill("FP-1"))
	found := decide(t, o, a.ID)
	if models(found) != "invoice-twice" {
		t.Fatalf("found %v", found)
	}
	f := found[0]
	listed := func() int {
		page, err := o.Store.Query(t.Context(), table.Query{Index: table.ByWork, PK: inspection.List(firstaidtest.Township)})
		must(t, err)
		return len(page.Items)
	}
	if listed() != 1 {
		t.Errorf("%d listed", listed())
	}
	told := false
	for _, e := range o.Events(application.Partition(a.ID)) {
		told = told || e.Noun == inspection.Noun && e.Kind == "raised" && e.ID == f.ID && e.Rules == f.Rules && e.Facts.Text("model") == "invoice-twice"
		if e.Kind == "approved" && e.Facts.Text("models") != "invoice-twice" {
			t.Errorf("the decision does not tell: %v", e.Facts)
		}
	}
	if !told {
		t.Error("no event tells what was found")
	}
	read, err := inspection.Get(t.Context(), o.Store, a.ID, f.ID)
	must(t, err)
	keep := func(answer inspection.Answer) error {
		j, err := read.Judge(answer, judge, o.Now())
		must(t, err)
		writes, err := inspection.Judged(t.Context(), o.Store, j, j.Event("judged", judge, o.Now()))
		must(t, err)
		return o.Store.Transact(t.Context(), writes...)
	}
	must(t, keep(inspection.Wrong))
	if err := keep(inspection.Right); err == nil {
		t.Error("judged twice")
	}
	judged, err := inspection.Get(t.Context(), o.Store, a.ID, f.ID)
	must(t, err)
	if _, err := judged.Judge(inspection.Right, judge, o.Now()); !errors.Is(err, inspection.ErrJudged) {
		t.Errorf("judged again: %v", err)
	}
	if !judged.Lifts([]inspection.Finding{judged}) || judged.Lifts([]inspection.Finding{judged, {ID: "other", Hold: judged.Hold}}) {
		t.Error("the wrong hold is freed")
	}
	all, err := inspection.Tallies(t.Context(), o.Store, func(c civil.DivisionCode) bool { return c == firstaidtest.County })
	must(t, err)
	if got := all["invoice-twice"]; got.Hits != 1 || got.Wrong != 1 || got.Right != 0 || listed() != 0 {
		t.Errorf("counted %+v, %d listed", got, listed())
	}
	if percent, ok := all["invoice-twice"].Percent(); !ok || percent != 0 {
		t.Errorf("%d %%", percent)
	}
	if _, ok := (inspection.Tally{}).Percent(); ok {
		t.Error("a share of nothing")
	}
	none, err := inspection.Tallies(t.Context(), o.Store, func(civil.DivisionCode) bool { return false })
	if err != nil || len(none) != 0 {
		t.Errorf("elsewhere: %v %v", none, err)
	}
}

// R18: a model that is switched on looks at the cases under way. What somebody
// has looked at holds nothing again, until the account changes.
func TestAgainOverCasesUnderWay(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a := proposed(o, o.Person())
	decide(t, o, a.ID)
	answer(t, o, a, "death", map[string]string{"deceased": "yes"})
	again := func() []inspection.Finding {
		found, err := o.Inspection().Again(t.Context(), a.ID, system, o.Now())
		must(t, err)
		return found
	}
	if found := again(); models(found) != "dead-payee" || !slices.Equal(open(o.Read(a.ID)), []string{policy.HoldDeathRecord}) {
		t.Fatalf("found %v, holds %v", found, open(o.Read(a.ID)))
	}
	version := o.Read(a.ID).Version
	if found := again(); len(found) != 0 || o.Read(a.ID).Version != version {
		t.Errorf("found twice: %v", found)
	}
	held := o.Read(a.ID)
	o.Change(a.ID, "hold_lifted", func(a application.Application) (application.Application, error) {
		return a.LiftHold(held.Holds[0].ID, judge, o.Now())
	})
	if found := again(); len(found) != 0 || len(open(o.Read(a.ID))) != 0 {
		t.Errorf("whoever looked is overruled: %v", found)
	}
	o.Change(a.ID, "changed", func(a application.Application) (application.Application, error) {
		n, err := a.Note()
		n.Payee = "b1.another"
		return n.Unseen(), err
	})
	if found := again(); models(found) != "dead-payee" || len(open(o.Read(a.ID))) != 1 {
		t.Errorf("the new account was never looked at: %v", found)
	}
	// Nothing to look at, and nothing that is there.
	if found, err := o.Inspection().Again(t.Context(), o.Apply(o.Person()).ID, system, o.Now()); err != nil || found != nil {
		t.Errorf("an application nobody has answered for: %v %v", found, err)
	}
	if _, err := o.Inspection().Again(t.Context(), "none", system, o.Now()); !errors.Is(err, application.ErrNotFound) {
		t.Error(err)
	}
}

func TestWhatElseIsFound(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	for name, c := range map[string]struct {
		make func() string
		want string
		hold string
	}{
		"changed_after_a_proposal": {func() string {
			a := proposed(o, o.Person())
			p, version, err := application.OpenParticulars(t.Context(), o.Store, o.Box, a.ID)
			must(t, err)
			p.Account = o.Account(900)
			item, err := p.Seal(t.Context(), o.Box, a.ID, version+1)
			must(t, err)
			must(t, o.Store.Transact(t.Context(), table.Replace{Item: item}))
			o.Change(a.ID, "supplemented", func(a application.Application) (application.Application, error) {
				return a.Supplement(a.Subject, a.People, application.AccountRef(o.Blind, p.Account), o.Now())
			})
			o.Verify(a.ID)
			return propose(o, a.ID).ID
		}, "payee-changed", "MODEL_PAYEE_CHANGED"},
		"corrected_before_a_proposal": {func() string {
			a := o.Verify(o.Apply(o.Person()).ID)
			o.Change(a.ID, "supplemented", func(a application.Application) (application.Application, error) {
				return a.Supplement(a.Subject, a.People, a.Payee, o.Now())
			})
			o.Verify(a.ID)
			return propose(o, a.ID).ID
		}, "", ""},
		"open_elsewhere": {func() string {
			who := o.Person()
			o.Apply(who, firstaidtest.In(firstaidtest.Sibling), func(s *application.Submission) { s.Account = "another" })
			return proposed(o, who, func(s *application.Submission) { s.Account = "a third" }).ID
		}, "two-places", "MODEL_TWO_PLACES"},
		"aided_elsewhere": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "earlier_aid", map[string]string{"times_this_year": "1", "last_month": "2026-10", "last_division": "511702001000", "last_cause": "fire"})
			return a.ID
		}, "two-places", "MODEL_TWO_PLACES"},
		"aided_here": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "earlier_aid", map[string]string{"times_this_year": "1", "last_month": "2026-10", "last_division": string(firstaidtest.Township), "last_cause": "fire"})
			return a.ID
		}, "", ""},
		"two_schemes": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "allowance", map[string]string{"tekun_support": "paying", "elderly_allowance": "none"})
			return a.ID
		}, "two-schemes", ""},
		"kin": {func() string {
			a := o.Verify(o.Apply(o.Person()).ID, func(f *application.Findings) { f.Kin = []string{"320400-clerk-2"} })
			return propose(o, a.ID).ID
		}, "staff-kin", ""},
		"payroll": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "public_payroll", map[string]string{"on_payroll": "yes"})
			return a.ID
		}, "public-payroll", ""},
		"a_car_on_dibao": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "vehicle", map[string]string{"vehicle": "car"})
			return a.ID
		}, "aided-with-assets", ""},
		"two_wheels_on_dibao": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "vehicle", map[string]string{"vehicle": "light"})
			answer(t, o, a, "real_estate", map[string]string{"homes": "one"})
			answer(t, o, a, "business", map[string]string{"owner": "self_employed"})
			return a.ID
		}, "", ""},
		"a_car_and_no_support": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "none"})
			answer(t, o, a, "vehicle", map[string]string{"vehicle": "car"})
			return a.ID
		}, "", ""},
		"joined_last_year": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "household_move", map[string]string{"kinship": "other", "since": o.Now().AddDate(0, -11, 0).Format("2006-01")})
			return a.ID
		}, "household-joined", ""},
		"joined_long_ago": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "household_move", map[string]string{"kinship": "other", "since": "2019-05"})
			return a.ID
		}, "", ""},
		"joined_nobody_knows_when": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "household_move", map[string]string{"kinship": "other"})
			return a.ID
		}, "", ""},
		"married_into_it": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "low_income", map[string]string{"class": "dibao"})
			answer(t, o, a, "household_move", map[string]string{"kinship": "near"})
			return a.ID
		}, "", ""},
		"a_place_left": {func() string {
			a := proposed(o, o.Person())
			answer(t, o, a, "allowance", map[string]string{"elderly_allowance": "paying"})
			answer(t, o, a, "household", map[string]string{"registration": "moved_out"})
			return a.ID
		}, "allowance-ended", ""},
		"a_false_bill": {func() string {
			a := proposed(o, o.Person(), bill("FP-77"))
			answer(t, o, a, "medical_settlement", map[string]string{"settled": "yes", "invoices": "FP-78"})
			return a.ID
		}, "unsettled-invoice", "MODEL_UNSETTLED_INVOICE"},
		"a_true_bill": {func() string {
			a := proposed(o, o.Person(), bill("FP-79"))
			answer(t, o, a, "medical_settlement", map[string]string{"settled": "yes", "invoices": "FP-78 FP-79"})
			return a.ID
		}, "", ""},
		"a_bill_nobody_was_asked_about": {func() string { return proposed(o, o.Person(), bill("FP-80")).ID }, "", ""},
	} {
		id := c.make()
		found := decide(t, o, id)
		ids := slices.DeleteFunc(strings.Fields(models(found)), func(id string) bool { return id == "shared-filer" }) // everybody here files from one account
		codes := strings.Join(open(o.Read(id)), " ")
		if strings.Join(ids, " ") != c.want || codes != c.hold {
			t.Errorf("%s: found %v, holds %q", name, ids, codes)
		}
	}
}

// The pasted rows: 24 in six townships from one account that files for others.
func TestPastedRowsAreHeld(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	pasted := func(account string) func(*application.Submission) {
		return func(s *application.Submission) {
			agent := o.Person()
			s.Account, s.Relation, s.Particulars.Applicant = account, application.Committee, &agent
		}
	}
	day := civil.Date(2026, 11, 20)
	for n := range 24 {
		for _, account := range []string{"pasted", "village"} {
			township := civil.DivisionCode(fmt.Sprintf("32040200%d000", n%6))
			if account == "village" {
				township = firstaidtest.Township
			}
			w, err := inspection.Filed(t.Context(), o.Store, account, day, township)
			must(t, err)
			must(t, o.Store.Transact(t.Context(), w))
		}
	}
	for account, want := range map[string]string{"pasted": "bulk-rows", "village": ""} {
		a := proposed(o, o.Person(), pasted(account))
		found := decide(t, o, a.ID)
		if models(found) != want || want != "" && !slices.Contains(open(o.Read(a.ID)), "MODEL_BULK_ROWS") {
			t.Errorf("%s: found %v", account, found)
		}
	}
}

// A file that is damaged holds the decision up; it is never "nothing found".
func TestDamagedRecordsAreErrors(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]func(*firstaidtest.Office, application.Application) table.Key{
		"a_marker": func(o *firstaidtest.Office, a application.Application) table.Key {
			return table.Key{PK: "SEEN#invoice#" + o.Blind.Ref("invoice", "FP-1"), SK: "MARK"}
		},
		"a_finding": func(_ *firstaidtest.Office, a application.Application) table.Key { return inspection.Key(a.ID, "x") },
	} {
		o := firstaidtest.New(t)
		decide(t, o, proposed(o, o.Person(), phone(t, "19900000009")).ID)
		a := proposed(o, o.Person(), bill("FP-1"))
		answer(t, o, a, "public_payroll", map[string]string{"on_payroll": "yes"})
		must(t, o.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: key(o, a), Version: 1, Body: []byte("{")}}))
		if _, err := approve(o, a.ID); err == nil {
			t.Errorf("%s: approved", name)
		}
	}
	o := firstaidtest.New(t)
	must(t, o.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: "ACCOUNT#x", SK: "FILED#2026-11-20"}, Version: 1, Body: []byte("{")}}))
	if _, err := inspection.Filed(t.Context(), o.Store, "x", civil.Date(2026, 11, 20), firstaidtest.Township); err == nil {
		t.Error("counted on a damaged item")
	}
	if _, err := inspection.Get(t.Context(), o.Store, "x", "y"); !errors.Is(err, inspection.ErrNotFound) {
		t.Error(err)
	}
}

// Nothing personal is in a finding, an event or a key.
func TestNothingPersonalIsWritten(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	who := o.Person()
	decide(t, o, proposed(o, o.Person(), bill("SECRET-BILL")).ID)
	a := proposed(o, who, bill("SECRET-BILL"), phone(t, "19912345678"))
	found := decide(t, o, a.ID)
	number, _ := who.Paper.IDNumber()
	for _, f := range found {
		for _, secret := range []string{number.Reveal(), "SECRET-BILL", "19912345678", who.Name.Reveal()} {
			if strings.Contains(fmt.Sprintf("%+v", f), secret) {
				t.Errorf("%s is in a finding", secret)
			}
		}
	}
	if len(found) == 0 || found[0].Effect != model.Hold {
		t.Errorf("found %v", found)
	}
}

// A trial says what a model would have held: of past decisions, as each stood when
// it was made, and without writing anything.
func TestATrialShowsWhatAModelWouldHaveHeld(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	all := o.Models
	o.Models = all.Only("kin-of-nobody").With(model.Model{ID: "keeps-markers", Kind: "kin", FirstDay: "2026-07-01", Regions: []string{"000000"}, Effect: model.Sample, Hours: 1, Owner: "clerk"})
	var ids []string
	for n := range 5 {
		a := proposed(o, o.Person(), phone(t, "19900000003"))
		if n == 4 {
			a = proposed(o, o.Person())
		}
		decide(t, o, a.ID)
		ids = append(ids, a.ID)
		o.Pass(time.Hour)
	}
	events := func(yield func(event.Event, error) bool) {
		for _, id := range ids {
			for _, e := range o.Events(application.Partition(id)) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	var candidate model.Model
	for _, m := range all.Only("shared-phone").All() {
		candidate = m
	}
	before := len(o.Events(application.Partition(ids[3])))
	long := o.Now().AddDate(1, 0, 0)
	trial, err := o.Inspection().Try(t.Context(), candidate, events, time.Time{}, long)
	must(t, err)
	// Only the fourth saw three others at its own time.
	if trial.Cases != 5 || trial.Hit != 1 || trial.PerMille() != 200 || trial.Examples[0].Application != ids[3] || trial.HitFen == 0 || trial.DecidedFen != 5*trial.HitFen {
		t.Errorf("%+v", trial)
	}
	if len(o.Events(application.Partition(ids[3]))) != before || o.Read(ids[3]).Held() {
		t.Error("a trial wrote something")
	}
	none, err := o.Inspection().Try(t.Context(), candidate, events, long, long)
	if err != nil || none.Cases != 0 || none.PerMille() != 0 {
		t.Errorf("%+v %v", none, err)
	}
	broken := func(yield func(event.Event, error) bool) { yield(event.Event{}, table.ErrBusy) }
	if _, err := o.Inspection().Try(t.Context(), candidate, broken, time.Time{}, long); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	lost := func(yield func(event.Event, error) bool) {
		yield(event.Event{PK: application.Partition("gone"), Noun: application.Noun, Kind: "approved", At: o.Now()}, nil)
	}
	if _, err := o.Inspection().Try(t.Context(), candidate, lost, time.Time{}, long); !errors.Is(err, application.ErrNotFound) {
		t.Error(err)
	}
}

// fuse is a store whose nth call fails.
type fuse struct {
	table.Store
	left atomic.Int64
}

func (f *fuse) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if f.left.Add(-1) == 0 {
		return table.Item{}, false, table.ErrBusy
	}
	return f.Store.Get(ctx, key)
}

func (f *fuse) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if f.left.Add(-1) == 0 {
		return table.Page{}, table.ErrBusy
	}
	return f.Store.Query(ctx, q)
}

// A store that does not answer is never "nothing found": whichever read fails, the
// inspection fails, and so does the decision that waits for it.
func TestNoReadIsTakenForNothing(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	decide(t, o, proposed(o, o.Person(), bill("FP-1")).ID)
	agent := func(s *application.Submission) {
		helper := o.Person()
		s.Relation, s.Particulars.Applicant, s.Account = application.Committee, &helper, "committee"
	}
	for _, change := range [][]func(*application.Submission){{bill("FP-1")}, {bill("FP-1"), agent}} {
		a := proposed(o, o.Person(), change...)
		p, _, err := application.OpenParticulars(t.Context(), o.Store, o.Box, a.ID)
		must(t, err)
		look := func(left int64) (reads int64, err error) {
			f := &fuse{Store: o.Store}
			f.left.Store(left)
			desk := o.Inspection()
			desk.Table = f
			r, err := desk.Inspect(t.Context(), inspection.Scene{App: a, Particulars: &p, Approver: second, By: system, At: o.Now()})
			if err == nil {
				_, err = r.Writes(t.Context(), f)
			}
			return left - f.left.Load(), err
		}
		reads, err := look(1 << 40)
		must(t, err)
		for n := range reads {
			if _, err := look(n + 1); !errors.Is(err, table.ErrBusy) {
				t.Errorf("read %d of %d failed and the answer is %v", n+1, reads, err)
			}
		}
	}
	f := &fuse{Store: o.Store}
	for _, read := range []func() error{
		func() error { _, err := inspection.Of(t.Context(), f, "x"); return err },
		func() error { _, err := inspection.Get(t.Context(), f, "x", "y"); return err },
		func() error {
			_, err := inspection.Tallies(t.Context(), f, func(civil.DivisionCode) bool { return true })
			return err
		},
		func() error {
			_, err := inspection.Filed(t.Context(), f, "x", civil.Date(2026, 11, 20), "y")
			return err
		},
	} {
		f.left.Store(1)
		if err := read(); !errors.Is(err, table.ErrBusy) {
			t.Errorf("got %v", err)
		}
	}
}

// A hold that the rules place at the same moment is the hold of the finding too;
// one that stands is not placed again.
func TestOneHoldForOneReason(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a := o.Verify(o.Apply(o.Person()).ID)
	answer(t, o, a, "death", map[string]string{"deceased": "yes"})
	coming := application.NewHold(a.ID, a.Version, policy.HoldDeathRecord, system, o.Now(), o.Now())
	r, err := o.Inspection().Inspect(t.Context(), inspection.Scene{App: a, Coming: []application.Hold{coming}, RegistersOnly: true, By: system, At: o.Now()})
	if err != nil || len(r.Found) != 1 || r.Found[0].Hold != coming.ID || r.Holds() {
		t.Errorf("%+v %v", r.Found, err)
	}
	held, _, err := a.PlaceHold(coming)
	must(t, err)
	r, err = o.Inspection().Inspect(t.Context(), inspection.Scene{App: held, RegistersOnly: true, By: system, At: o.Now()})
	if err != nil || len(r.Found) != 1 || r.Found[0].Hold != coming.ID || r.Holds() || len(r.Held(held).Holds) != 1 {
		t.Errorf("%+v %v", r.Found, err)
	}
}

// While keys rotate, what was shared under the old key is still shared.
func TestMarkersOutliveAKey(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	decide(t, o, proposed(o, o.Person(), bill("FP-1")).ID)
	o.RotateBlind()
	found := decide(t, o, proposed(o, o.Person(), bill("FP-1")).ID)
	if !strings.Contains(models(found), "invoice-twice") {
		t.Errorf("found %v", found)
	}
	if found = decide(t, o, proposed(o, o.Person(), bill("FP-1")).ID); !strings.Contains(models(found), "invoice-twice") {
		t.Errorf("under the new key: %v", found)
	}
}
