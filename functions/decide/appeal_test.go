package decide_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
)

// appeal is an objection of the citizen against id, as functions/apply records it.
func (w *world) appeal(id string) string {
	w.T.Helper()
	var p application.Appeal
	_, err := application.Change(w.T.Context(), w.Store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		n, err1 := a.Note()
		p = application.NewAppeal(n, nil, w.Now(), w.Now().AddDate(0, 0, 10))
		put, err2 := p.Put()
		e, err3 := application.SealNote(w.T.Context(), w.Box, n.Event("appealed", event.Actor{Kind: event.Citizen, ID: "account"}, w.Now()),
			redact.New("我家确实着火了。"))
		return application.Step[struct{}]{Next: n, Event: e, Also: []table.Write{put}}, errors.Join(err1, err2, err3)
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return p.ID
}

// refused is an application that who refused, and the objection against that.
func (w *world) refused(who string) (id, path string) {
	w.T.Helper()
	id = w.Verify(w.Apply(w.Person()).ID).ID
	w.want(w.post(who, id, "refusals", m{"code": "NOT_EMERGENCY", "reason": "长期困难，不属于突发情况，已转办低保。"}), 201, "")
	return id, "appeals/" + w.appeal(id) + "/answers"
}

var (
	reopen = m{"result": "reopened", "reasons": "火灾属于突发性困难，原决定适用理由不当。"}
	uphold = m{"result": "upheld", "reasons": "经复核，情况不属于突发性困难，维持原决定。"}
)

// D07: a refusal that does not stand is taken back by the county and decided on
// anew, and the case goes all the way to the money.
func TestARefusalIsReopenedOnAppeal(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, path := w.refused(approver)
	accepted := w.Read(id).AcceptedAt
	w.Pass(2 * time.Hour)
	task := w.appeals(county)
	if len(task) != 1 || task[0]["application"] != id || task[0]["mine"] != true || task[0]["next_action"] != "answer_appeal" {
		t.Fatalf("the county's tasks: %v", task)
	}
	if page := w.get(county, "/v1/staff/applications/"+id); !strings.Contains(page.body, "我家确实着火了。") {
		t.Error("whoever answers cannot read what was objected")
	}
	r := w.post(county, id, path, reopen)
	w.want(r, 201, "")
	a := w.Read(id)
	if r.text("state") != "verified" || a.State != application.Verified || a.Proposal != nil || !a.AcceptedAt.Equal(accepted) {
		t.Errorf("%s: %+v", r.body, a)
	}
	if a.Deadline.Kind != application.ToDecide || !a.Deadline.From.Equal(w.Now()) || !a.Deadline.At.Equal(w.Now().Add(24*time.Hour)) || a.Deadline.Told != 0 {
		t.Errorf("deadline %+v", a.Deadline)
	}
	if len(w.appeals(county)) != 0 {
		t.Error("an answered appeal is still a task")
	}
	w.owes(id, "NOTICE#reopened", 1)
	w.told(id, "application.reopened by "+county)
	if flaws, err := reconciliation.CheckCase(t.Context(), w.Store, id); err != nil || len(flaws) > 0 {
		t.Errorf("ours against ours finds %+v %v", flaws, err)
	}
	w.want(w.post(county, id, path, uphold), 409, "appeal-answered")
	r = w.post(clerk, id, "proposals", m{})
	w.want(r, 201, "")
	w.want(w.post(approver, id, "approvals", m{"proposal_version": r.number("version"), "amount_fen": r.number("amount_fen")}), 201, "")
}

func TestADecisionIsUpheldWithReasons(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, path := w.refused(approver)
	before := w.Read(id)
	w.want(w.post(county, id, path, m{"result": "upheld", "reasons": "维持"}), 400, "invalid-fields")
	w.want(w.post(county, id, path, m{"result": "rejected", "reasons": uphold["reasons"]}), 400, "invalid-fields")
	w.want(w.post(county, id, "appeals/nothing/answers", uphold), 404, "appeal-not-found")
	w.want(w.post(county, id, path, uphold), 201, "")
	if a := w.Read(id); a.State != application.Refused || a.Version != before.Version+1 || len(w.appeals(county)) != 0 {
		t.Errorf("got %+v", a)
	}
	w.owes(id, "NOTICE#appeal_upheld", 1)
	w.told(id, "application.appeal_upheld by "+county)
	for _, e := range w.Events(application.Partition(id)) {
		if e.Kind == "appeal_upheld" && (len(e.Note) == 0 || strings.Contains(string(e.Note), "突发")) {
			t.Error("the reasons are not sealed")
		}
	}
	// An award is no refusal: it can be upheld, and not taken back.
	id, approval := w.proposed(nil)
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	path = "appeals/" + w.appeal(id) + "/answers"
	w.want(w.post(county, id, path, reopen), 409, "application-state")
	w.want(w.post(county, id, path, uphold), 201, "")
}

// D07, A02: nobody answers for their own decision, whatever the part, the account
// or the moment; and no township for its own.
func TestWhoMayNotAnswerAnAppeal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		by, who string
		before  func(w *world, id string)
		status  int
		code    string
	}{
		"the_refuser":        {county, county, nil, 403, "same-person"},
		"the_township":       {approver, approver, nil, 403, "same-person"},
		"another_township":   {approver, approver2, nil, 404, "application-not-found"},
		"a_clerk":            {approver, clerk2, nil, 403, "county-required"},
		"X007_a_supervisor":  {approver, supervisor, nil, 403, "supervision-reads-only"},
		"the_county_finance": {approver, finance, nil, 403, "county-required"},
		"A02_the_refuser_under_another_account": {approver, county, func(w *world, _ string) {
			s := w.staff(county)
			s.Person = w.staff(approver).Person
			w.revise(s)
		}, 403, "same-person"},
		"X023_declared_kin": {approver, county, func(w *world, id string) {
			s := w.staff(county)
			s.Kin = []string{w.Read(id).Subject}
			w.revise(s)
		}, 403, "declared-kin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id, path := w.refused(tc.by)
			if tc.before != nil {
				tc.before(w, id)
			}
			version := w.Read(id).Version
			w.want(w.post(tc.who, id, path, reopen), tc.status, tc.code)
			if a := w.Read(id); a.Version != version || a.State != application.Refused {
				t.Errorf("something changed: %+v", a)
			}
		})
	}
}

// A proposer is none to answer either, and neither is one who comes to have a
// part while the answer is being written.
func TestWhoDecidesMeanwhileDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, path := w.refused(approver)
	w.gate.once(func() {
		// Another window of the same officer: reopened, and refused again.
		w.want(w.post(county, id, "appeals/"+w.appeal(id)+"/answers", reopen), 201, "")
		w.want(w.post(county, id, "refusals", m{"code": "NOT_EMERGENCY", "reason": "长期困难，不属于突发情况，已转办低保。"}), 201, "")
	})
	w.want(w.post(county, id, path, reopen), 403, "same-person")
}

// One that was refused before the registers had answered begins with them.
func TestAReopenedApplicationWithoutFindingsIsVerifiedFirst(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Apply(w.Person()).ID
	w.want(w.post(approver, id, "refusals", m{"code": "NOT_EMERGENCY", "reason": "长期困难，不属于突发情况，已转办低保。"}), 201, "")
	w.want(w.post(county, id, "appeals/"+w.appeal(id)+"/answers", reopen), 201, "")
	if a := w.Read(id); a.State != application.Accepted {
		t.Errorf("state %s", a.State)
	}
	w.told(id, "application.restarted by "+county)
	w.want(w.post(clerk, w.Verify(id).ID, "proposals", m{}), 201, "")
}

// appeals are the tasks to answer an objection, as who sees them.
func (w *world) appeals(who string) (all []m) {
	w.T.Helper()
	for _, t := range w.get(who, "/v1/staff/tasks").tasks() {
		if t["kind"] == "appeal" {
			all = append(all, t)
		}
	}
	return all
}

// owes fails unless n notices of the application begin with prefix.
func (w *world) owes(id, prefix string, n int) {
	w.T.Helper()
	page, err := w.Store.Query(w.T.Context(), table.Query{PK: application.Partition(id)}.Prefix(prefix))
	if err != nil || len(page.Items) != n {
		w.T.Errorf("%d notices %s, %v", len(page.Items), prefix, err)
	}
}
