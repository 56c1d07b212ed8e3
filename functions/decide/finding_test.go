package decide_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/verification"
)

func bill(number string) func(*application.Submission) {
	return func(s *application.Submission) {
		s.Particulars.Expenses = []application.Expense{{Invoice: redact.New(number)}}
	}
}

// says keeps what a register said about the subject of a case.
func (w *world) says(id, source string, facts map[string]string) {
	w.T.Helper()
	a := w.Read(id)
	c := verification.Check{Person: a.Subject, Source: source, Outcome: policy.HitAdverse, Facts: facts, FetchedAt: w.Now()}
	if err := c.Keep(w.T.Context(), w.Store, w.Box, id); err != nil {
		w.T.Fatal(err)
	}
}

// decided is a case that clerk-1 proposed and approver-1 approved, with the answer.
func (w *world) decided(change ...func(*application.Submission)) (id string, r reply) {
	w.T.Helper()
	id = w.Verify(w.Apply(w.Person(), change...).ID).ID
	p := w.post(clerk, id, "proposals", m{})
	w.want(p, 201, "")
	r = w.post(approver, id, "approvals", m{"proposal_version": p.number("proposal_version"), "amount_fen": p.number("amount_fen")})
	w.want(r, 201, "")
	return id, r
}

// finding is the first finding of an answer that has some.
func (r reply) finding() m {
	list, _ := r.out["findings"].([]any)
	if len(list) == 0 {
		return m{}
	}
	return list[0].(m)
}

func judged(outcome string) m {
	return m{"outcome": outcome, "reason": "已当面核实，并看过原件。"}
}

// The decision stands and the money waits; who had part in it frees nothing; what
// was found is listed, judged by another, counted once, and then it is paid.
func TestAHitHoldsWhatWasDecided(t *testing.T) {
	t.Parallel()
	w := open(t)
	_, first := w.decided(bill("FP-100"))
	if first.out["held"] != false || len(first.finding()) != 0 {
		t.Errorf("the first with the bill: %s", first.body)
	}
	id, r := w.decided(bill("FP-100"))
	f := r.finding()
	a := w.Read(id)
	if r.out["held"] != true || f["model"] != "invoice-twice" || f["why"] == "" || f["why_en"] == "" || f["title"] == "" || a.State != application.Approved || !a.Held() {
		t.Fatalf("%s, holds %v: %s", a.State, a.Holds, r.body)
	}
	if p, err := payout.Get(t.Context(), w.Store, payout.Key(id, "01")); err != nil || p.State != payout.Due {
		t.Errorf("payout %s %v", p.State, err)
	}
	page := w.get(supervisor, "/v1/staff/findings?division="+city)
	w.want(page, 200, "")
	if page.finding()["id"] != f["id"] || page.text("next") != "" {
		t.Errorf("listed %s", page.body)
	}
	outcome := "findings/" + f["id"].(string) + "/outcome"
	hold := "holds/" + f["hold"].(string) + "/release"
	w.want(w.post(approver, id, outcome, judged("wrong")), 403, "same-person")
	w.want(w.post(approver, id, hold, m{"reason": "本人已核实，可以发放。"}), 403, "same-person")
	w.want(w.post(clerk2, id, outcome, judged("wrong")), 403, "not-allowed")
	w.want(w.post(approver2, id, outcome, judged("wrong")), 404, "application-not-found")
	w.want(w.post(county, id, "findings/none/outcome", judged("wrong")), 404, "finding-not-found")
	w.want(w.post(county, id, outcome, m{"outcome": "maybe", "reason": "已当面核实。"}), 400, "invalid-fields")
	done := w.send("POST", county, "/v1/staff/applications/"+id+"/"+outcome, "judging", judged("wrong"))
	w.want(done, 201, "")
	if done.out["freed"] != true || w.Read(id).Held() {
		t.Errorf("freed: %s", done.body)
	}
	if again := w.send("POST", county, "/v1/staff/applications/"+id+"/"+outcome, "judging", judged("wrong")); again.body != done.body {
		t.Errorf("the same request got %s", again.body)
	}
	w.want(w.post(reviewer, id, outcome, judged("right")), 409, "finding-judged")
	if page = w.get(supervisor, "/v1/staff/findings"); len(page.finding()) != 0 {
		t.Errorf("still listed: %s", page.body)
	}
	if got := w.model(supervisor, "invoice-twice"); got["hits"] != float64(1) || got["held"] != float64(1) || got["wrong"] != float64(1) || got["right"] != float64(0) || got["precision_percent"] != float64(0) {
		t.Errorf("counted %v", got)
	}
	told := ""
	for _, e := range w.Events(application.Partition(id)) {
		told += e.Noun + "." + e.Kind + " "
		if e.Noun == inspection.Noun && e.Kind == "judged" {
			if note, err := application.OpenNote(t.Context(), w.Box, e); err != nil || note.Reveal() != "已当面核实，并看过原件。" || e.Reason != "wrong" {
				t.Errorf("the reason is not kept: %v", err)
			}
		}
	}
	for _, want := range []string{"finding.raised", "finding.judged", "application.finding_judged"} {
		if !strings.Contains(told, want) {
			t.Errorf("no event %s in %s", want, told)
		}
	}
}

// model is one model as the models page shows it.
func (w *world) model(who, id string) m {
	w.T.Helper()
	r := w.get(who, "/v1/staff/models")
	w.want(r, 200, "")
	for _, one := range r.out["models"].([]any) {
		if one.(m)["id"] == id {
			return one.(m)
		}
	}
	w.T.Fatalf("no model %s in %s", id, r.body)
	return nil
}

// A supervisor judges and frees nothing: right leaves the hold to the office, and
// so does wrong, until somebody who may lifts it.
func TestASupervisorJudgesAndFreesNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.decided(bill("FP-1"))
	id, r := w.decided(bill("FP-1"))
	f := r.finding()
	done := w.post(supervisor, id, "findings/"+f["id"].(string)+"/outcome", judged("right"))
	w.want(done, 201, "")
	if done.out["freed"] != false || !w.Read(id).Held() {
		t.Errorf("freed by a supervisor: %s", done.body)
	}
	w.want(w.post(auditor, id, "findings/"+f["id"].(string)+"/outcome", judged("right")), 403, "not-allowed")
	// What is right may be paid all the same: people decide, with a reason.
	w.want(w.post(supervisor, id, "holds/"+f["hold"].(string)+"/release", m{"reason": "票据属实，救助照发。"}), 403, "supervision-reads-only")
	w.want(w.post(county, id, "holds/"+f["hold"].(string)+"/release", m{"reason": "票据属实，救助照发。"}), 201, "")
	if got := w.model(county, "invoice-twice"); got["right"] != float64(1) || got["precision_percent"] != float64(100) {
		t.Errorf("counted %v", got)
	}
	if got := w.model(county, "shared-phone"); got["precision_percent"] != float64(-1) || len(got["figures"].([]any)) != 2 || got["reading"] == "" {
		t.Errorf("a model that never hit: %v", got)
	}
	shown := w.get(county, "/v1/staff/applications/"+id)
	if list := shown.out["inspections"].([]any); len(list) != 1 || list[0].(m)["outcome"] != "right" || list[0].(m)["judged_by"] != supervisor {
		t.Errorf("shown %s", shown.body)
	}
}

// Of many judgements at once one counts.
func TestOneJudgementCounts(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.decided(bill("FP-1"))
	id, r := w.decided(bill("FP-1"))
	path := "findings/" + r.finding()["id"].(string) + "/outcome"
	var wg sync.WaitGroup
	answers := make([]reply, 8)
	for i := range answers {
		who := []string{county, supervisor, reviewer, supervisor2}[i%4]
		wg.Go(func() { answers[i] = w.post(who, id, path, judged([]string{"right", "wrong"}[i%2])) })
	}
	wg.Wait()
	won := 0
	for _, a := range answers {
		if a.status == 201 {
			won++
		} else if a.code != "finding-judged" && a.code != "application-moved" {
			t.Errorf("%d %s", a.status, a.code)
		}
	}
	got := w.model(county, "invoice-twice")
	if won != 1 || got["right"].(float64)+got["wrong"].(float64) != 1 {
		t.Errorf("%d judged, counted %v", won, got)
	}
}

// X027: an account that is another's receives nothing; that it was tried is on
// record and holds the case.
func TestX027AnotherPersonsAccountIsOnRecord(t *testing.T) {
	t.Parallel()
	w := open(t)
	account := w.Account(700)
	same := func(s *application.Submission) { s.Particulars.Account = account }
	w.decided(same)
	id := w.Verify(w.Apply(w.Person(), same).ID).ID
	p := w.post(clerk, id, "proposals", m{})
	w.want(w.post(approver, id, "approvals", m{"proposal_version": p.number("proposal_version"), "amount_fen": p.number("amount_fen")}), 409, "payee-account-taken")
	a := w.Read(id)
	if a.State != application.Proposed || !a.Held() || a.Holds[0].Code != "MODEL_SHARED_ACCOUNT" || a.Holds[0].Owner != "supervisor" {
		t.Errorf("%s %+v", a.State, a.Holds)
	}
	found, err := inspection.Of(t.Context(), w.Store, id)
	if err != nil || len(found) != 1 || found[0].Model != "shared-account" {
		t.Errorf("found %+v %v", found, err)
	}
}

// R18: a model that was switched on today looks at yesterday's cases, a page at a
// time, and finds nothing twice.
func TestANewModelLooksAtCasesUnderWay(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	all := o.Models
	o.Models = all.Only("none")
	w := serve(o, func(d *decide.Deps) { d.Models = all })
	var ids []string
	for n := range 30 {
		id := w.Verify(w.Apply(w.Person()).ID).ID
		if n%10 == 0 {
			w.says(id, "public_payroll", map[string]string{"on_payroll": "yes"})
			ids = append(ids, id)
		}
	}
	w.says(ids[0], "death", map[string]string{"deceased": "yes"})
	again := func() (looked int, found []string) {
		after := ""
		for range 5 {
			r := w.send("POST", supervisor, "/v1/staff/inspections", "", m{"township": firstaidtest.Township, "after": after})
			w.want(r, 200, "")
			looked += int(r.number("looked"))
			list, _ := r.out["findings"].([]any)
			for _, f := range list {
				found = append(found, f.(m)["application"].(string)+" "+f.(m)["model"].(string))
			}
			if after = r.text("next"); after == "" {
				break
			}
		}
		return looked, found
	}
	looked, found := again()
	if looked < 30 || len(found) != 4 || !slices.Contains(found, ids[0]+" dead-payee") || !w.Read(ids[0]).Held() || w.Read(ids[1]).Held() {
		t.Errorf("looked at %d, found %v", looked, found)
	}
	if _, twice := again(); len(twice) != 0 {
		t.Errorf("found twice: %v", twice)
	}
	asked := false
	for _, e := range w.Events(application.Partition(ids[0])) {
		asked = asked || e.Kind == "inspected" && e.Actor.Kind == event.System && strings.HasSuffix(e.Actor.ID, supervisor)
	}
	if !asked {
		t.Error("nobody asked for it")
	}
	w.want(w.send("POST", clerk, "/v1/staff/inspections", "", m{"township": firstaidtest.Township}), 403, "not-allowed")
	w.want(w.send("POST", approver2, "/v1/staff/inspections", "", m{"township": firstaidtest.Township}), 403, "not-allowed")
	w.want(w.send("POST", supervisor, "/v1/staff/inspections", "", m{"township": county320402}), 400, "invalid-fields")
	w.want(w.send("POST", supervisor, "/v1/staff/inspections", "", m{"township": firstaidtest.Township, "after": "?"}), 400, "page-invalid")

	// The list comes by what is due, each once, and only to those who may see it.
	var listed []string
	path := "/v1/staff/findings?limit=1"
	for range 9 {
		r := w.get(clerk2, path)
		w.want(r, 200, "")
		if id, ok := r.finding()["id"].(string); ok {
			listed = append(listed, id)
		}
		if r.text("next") == "" {
			break
		}
		path = "/v1/staff/findings?limit=1&after=" + url.QueryEscape(r.text("next"))
	}
	if slices.Sort(listed); len(slices.Compact(listed)) != 4 {
		t.Errorf("listed %v", listed)
	}
	if r := w.get(clerk3, "/v1/staff/findings"); len(r.finding()) != 0 {
		t.Errorf("another township sees %s", r.body)
	}
	w.want(w.get(clerk3, "/v1/staff/findings?division="+string(firstaidtest.Township)), 403, "not-allowed")
	w.want(w.get(clerk3, "/v1/staff/models?division="+string(firstaidtest.Township)), 403, "not-allowed")
	for effect, want := range map[string]int{"hold": 1, "sample": 3, "inform": 0} {
		list, _ := w.get(clerk2, "/v1/staff/findings?effect="+effect).out["findings"].([]any)
		if len(list) != want {
			t.Errorf("%s: %d listed", effect, len(list))
		}
	}
	w.want(w.get(clerk, "/v1/staff/findings?effect=refuse"), 400, "effect-unknown")
	w.want(w.get(clerk, "/v1/staff/findings?limit=0"), 400, "page-invalid")
	w.want(w.get(clerk, "/v1/staff/findings?after=*"), 400, "page-invalid")
}

const county320402 = "320402000000"

// An account that two officers change after a failed payment is told to the
// supervisor and holds nothing: the bank still compares names.
func TestAnAccountChangedByStaffIsTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.awarded(nil, payout.Said{Word: payout.Declined, Code: "ACCOUNT_CLOSED"})
	w.release(reviewer, id)
	asked := w.post(finance, id, "payees", m{"account": w.Account(9_001).Reveal(), "reason": "原账户已销户，本人提供新账户。"})
	w.want(asked, 201, "")
	w.want(w.post(county, id, "orders/"+asked.text("order")+"/approvals", nil), 201, "")
	found, err := inspection.Of(t.Context(), w.Store, id)
	if err != nil || len(found) != 1 || found[0].Model != "payee-reordered" || found[0].Effect != model.Inform || w.Read(id).Held() {
		t.Errorf("found %+v %v, holds %v", found, err, w.Read(id).Holds)
	}
}

// With no model in force nothing is found and everything goes on.
func TestNoModels(t *testing.T) {
	t.Parallel()
	w := serve(firstaidtest.New(t), func(d *decide.Deps) { d.Models = nil })
	w.decided(bill("FP-1"))
	if _, r := w.decided(bill("FP-1")); r.out["held"] != false {
		t.Errorf("%s", r.body)
	}
	r := w.get(supervisor, "/v1/staff/models")
	w.want(r, 200, "")
	if fmt.Sprint(r.out["models"]) != "[]" {
		t.Errorf("%s", r.body)
	}
}
