package decide_test

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/policy"
)

const envelopes = "/v1/staff/envelopes"

func (w *world) asking() m {
	return m{"township": string(firstaidtest.Township), "class": "dibao", "person_fen": 1500_00, "total_fen": 3000_00,
		"until": w.Now().AddDate(0, 0, 3).Format(time.RFC3339)}
}

// standing is an open standing approval.
func (w *world) standing() (id string, restated m) {
	w.T.Helper()
	r := w.send("POST", approver, envelopes, w.IDs.New(), w.asking())
	w.want(r, 201, "")
	restated = m{"township": string(firstaidtest.Township), "total_fen": 3000_00}
	w.want(w.send("POST", county, envelopes+"/"+r.text("id")+"/approvals", w.IDs.New(), restated), 201, "")
	return r.text("id"), restated
}

func TestStandingApprovalsAreOffUnlessTheRulesTurnThemOn(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.want(w.send("POST", approver, envelopes, "k", w.asking()), 409, "envelope-off")
}

// X032: nobody opens one alone.
func TestAStandingApprovalNeedsTwoOfficersAndTheCounty(t *testing.T) {
	t.Parallel()
	w := open(t, firstaidtest.StandingApprovals)
	w.want(w.send("POST", clerk, envelopes, "a", w.asking()), 403, "not-allowed")
	w.want(w.send("POST", supervisor, envelopes, "a", w.asking()), 403, "not-allowed")
	w.want(w.send("POST", approver2, envelopes, "a", w.asking()), 403, "not-allowed")
	for field, bad := range map[string]any{"class": "near_dibao", "person_fen": 3000_01, "total_fen": 20000_01, "until": w.Now().AddDate(0, 0, 8).Format(time.RFC3339)} {
		in := w.asking()
		in["total_fen"] = 20000_00
		in[field] = bad
		r := w.send("POST", approver, envelopes, "a"+field, in)
		w.want(r, 400, "invalid-fields")
		if r.fields != "limit" {
			t.Errorf("%s: %s", field, r.body)
		}
	}
	whole := w.asking()
	whole["township"] = string(firstaidtest.County)
	w.want(w.send("POST", county, envelopes, "a", whole), 400, "invalid-fields")

	first := w.send("POST", county, envelopes, "once", w.asking())
	w.want(first, 201, "")
	if again := w.send("POST", county, envelopes, "once", w.asking()); again.body != first.body {
		t.Errorf("repeat: %s, %s", first.body, again.body)
	}
	path := envelopes + "/" + first.text("id")
	restated := m{"township": string(firstaidtest.Township), "total_fen": 3000_00}
	w.want(w.send("POST", county, path+"/approvals", "b", restated), 403, "same-person")
	w.want(w.send("POST", approver, path+"/approvals", "b", restated), 403, "county-required")
	w.want(w.send("POST", approver2, path+"/approvals", "b", restated), 404, "envelope-not-found")
	w.want(w.send("POST", approver, envelopes+"/none/approvals", "b", restated), 404, "envelope-not-found")

	mine := w.send("POST", approver, envelopes, "mine", w.asking())
	w.want(mine, 201, "")
	if tasks := w.get(county, "/v1/staff/tasks").tasks(); len(tasks) != 2 || tasks[0]["kind"] != "envelope" || tasks[0]["mine"] == tasks[1]["mine"] {
		t.Errorf("tasks %v", tasks)
	}
	path = envelopes + "/" + mine.text("id")
	w.want(w.send("POST", county, path+"/approvals", "c", m{"township": string(firstaidtest.Township), "total_fen": 1}), 409, "proposal-moved")
	opened := w.send("POST", county, path+"/approvals", "d", restated)
	w.want(opened, 201, "")
	if again := w.send("POST", county, path+"/approvals", "d", restated); again.body != opened.body || again.status != 201 {
		t.Errorf("repeat: %s, %s", opened.body, again.body)
	}
	w.want(w.send("POST", county, path+"/approvals", "d", m{"township": string(firstaidtest.Township), "total_fen": 1}), 422, "idempotency-mismatch")
	w.want(w.send("POST", county, path+"/approvals", "e", restated), 409, "envelope-state")
	if !opened.out["running"].(bool) || opened.number("left_fen") != 3000_00 {
		t.Errorf("opened %s", opened.body)
	}
	list := w.get(auditor, envelopes+"?township="+string(firstaidtest.Township))
	w.want(list, 200, "")
	if n := len(list.out["envelopes"].([]any)); n != 2 {
		t.Errorf("%d listed", n)
	}
	w.want(w.get(clerk3, envelopes+"?township="+string(firstaidtest.Township)), 403, "not-allowed")
	w.want(w.send("POST", approver, path+"/closure", "f", restated), 201, "")
	w.want(w.send("POST", approver, path+"/closure", "g", restated), 409, "envelope-state")
}

func TestAnOfficerRemovedWhileOpeningOpensNothing(t *testing.T) {
	t.Parallel()
	w := open(t, firstaidtest.StandingApprovals)
	r := w.send("POST", approver, envelopes, "a", w.asking())
	w.want(r, 201, "")
	w.gate.once(func() {
		s := w.staff(county)
		s.Active = false
		w.revise(s)
	})
	w.want(w.send("POST", county, envelopes+"/"+r.text("id")+"/approvals", "b",
		m{"township": string(firstaidtest.Township), "total_fen": 3000_00}), 409, "envelope-moved")
	e, err := envelope.Get(t.Context(), w.Store, firstaidtest.Township, r.text("id"))
	if err != nil || e.State != envelope.Asked {
		t.Errorf("got %+v %v", e, err)
	}
}

// Each release is looked at again on the next working day.
func TestAReleaseIsReviewed(t *testing.T) {
	t.Parallel()
	w := open(t, firstaidtest.StandingApprovals)
	w.standing()
	released := func() string {
		id := w.Verify(w.Apply(w.Person()).ID, func(f *application.Findings) { f.Classes = []policy.RecipientClass{policy.Dibao} }).ID
		ok, err := envelope.Release(t.Context(), w.Office.Office, w.Calendar, id, w.Now())
		if err != nil || !ok {
			t.Fatalf("released %t %v", ok, err)
		}
		return id
	}
	id := released()
	var found m
	for _, task := range w.get(clerk, "/v1/staff/tasks").tasks() {
		if task["kind"] == "review" {
			found = task
		}
	}
	// Friday's release is due by the end of Monday.
	if found == nil || found["application"] != id || found["mine"] != true || found["deadline"].(m)["at"] != "2026-11-24T00:00:00+08:00" {
		t.Errorf("task %v", found)
	}
	look := m{"finding": "ok", "text": "已电话回访，情况属实。"}
	w.want(w.post(approver, id, "reviews", look), 403, "not-allowed")
	w.want(w.post(clerk, id, "reviews", look), 201, "")
	w.want(w.post(clerk, id, "reviews", look), 409, "application-state")
	if a := w.Read(id); a.Held() {
		t.Error("held")
	}
	id = released()
	w.want(w.post(clerk, id, "reviews", m{"finding": "problem", "text": "电话是空号，需上门核实。"}), 201, "")
	if a := w.Read(id); !a.Held() {
		t.Error("a problem places no hold")
	}
	ordinary, approval := w.proposed(nil)
	w.want(w.post(approver, ordinary, "approvals", approval), 201, "")
	w.want(w.post(clerk, ordinary, "reviews", look), 409, "application-state")
}
