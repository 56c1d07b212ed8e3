package decide_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/staff"
)

func (r reply) tasks() []m {
	var all []m
	list, _ := r.out["tasks"].([]any)
	for _, t := range list {
		all = append(all, t.(m))
	}
	return all
}

func (r reply) applications() string {
	var ids []string
	for _, t := range r.tasks() {
		ids = append(ids, fmt.Sprint(t["application"]))
	}
	return strings.Join(ids, " ")
}

func TestTasksComeByTheLegalClock(t *testing.T) {
	t.Parallel()
	w := open(t)
	var ids []string
	for range 5 {
		ids = append(ids, w.Verify(w.Apply(w.Person()).ID).ID)
		w.Pass(time.Hour)
	}
	elsewhere := w.Verify(w.Apply(w.Person(), firstaidtest.In(firstaidtest.Sibling)).ID).ID
	w.hold(ids[4]) // due in an hour: first of all

	r := w.get(clerk, "/v1/staff/tasks")
	w.want(r, 200, "")
	want := strings.Join([]string{ids[4], ids[0], ids[1], ids[2], ids[3]}, " ")
	if r.applications() != want {
		t.Errorf("got  %s\nwant %s", r.applications(), want)
	}
	first, second := r.tasks()[0], r.tasks()[1]
	if holds := first["holds"].([]any); len(holds) != 1 || holds[0].(m)["code"] != application.HoldNotMine || first["next_action"] != "release_hold" || first["mine"] != false {
		t.Errorf("held task %v", first)
	}
	deadline := second["deadline"].(m)
	if deadline["elapsed_percent"] != float64(20) || second["next_action"] != "propose" || second["mine"] != true || second["state_label"] != "已核对" {
		t.Errorf("first task %v", second) // 5 of 24 hours
	}
	if me := r.out["me"].(m); me["staff"] != clerk || me["name"] != "钱若溪" || len(me["posts"].([]any)) != 1 {
		t.Errorf("me %v", me)
	}

	// Paged, everything comes once and in the same order.
	var paged []string
	path := "/v1/staff/tasks?limit=2"
	for range 4 {
		r = w.get(clerk, path)
		w.want(r, 200, "")
		paged = append(paged, strings.Fields(r.applications())...)
		if r.text("next") == "" {
			break
		}
		path = "/v1/staff/tasks?limit=2&after=" + r.text("next")
	}
	if got := strings.Join(paged, " "); got != want {
		t.Errorf("paged %s\nwant  %s", got, want)
	}

	// The county sees its townships, and each of them alone.
	if got := w.get(county, "/v1/staff/tasks").applications(); !strings.HasSuffix(got, elsewhere) || len(strings.Fields(got)) != 6 {
		t.Errorf("county sees %s", got)
	}
	if got := w.get(county, "/v1/staff/tasks?division="+string(firstaidtest.Sibling)).applications(); got != elsewhere {
		t.Errorf("sibling has %s", got)
	}
	if got := w.get(supervisor, "/v1/staff/tasks").applications(); len(strings.Fields(got)) != 6 {
		t.Errorf("the city's supervisor sees %s", got)
	}
}

func TestTasksOfOthersAreNotListed(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.Verify(w.Apply(w.Person()).ID)
	for _, q := range []string{"division=" + string(firstaidtest.Township), "division=320402", "division=511702001000", "division=nonsense"} {
		w.want(w.get(clerk3, "/v1/staff/tasks?"+q), 403, "not-allowed") // X012
	}
	if got := w.marks(clerk3); strings.Count(got, "not-allowed") != 4 {
		t.Errorf("marks %q", got)
	}
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "after=x!", "after=YQ"} {
		w.want(w.get(clerk, "/v1/staff/tasks?"+q), 400, "page-invalid")
	}
	w.want(w.get(clerk, "/v1/staff/tasks?area=1"), 400, "query-not-allowed")
}

// Somebody who must stand back sees that there is work, and not whose.
func TestTasksOfKinAreRecused(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	s := w.staff(clerk)
	s.Kin = []string{w.Read(id).Subject}
	w.revise(s)
	r := w.get(clerk, "/v1/staff/tasks")
	w.want(r, 200, "")
	if task := r.tasks()[0]; task["recused"] != true || task["mine"] != false || task["application"] != nil || task["cause"] != nil {
		t.Errorf("got %v", task)
	}
	w.want(w.get(clerk, "/v1/staff/applications/"+id), 403, "declared-kin")
	if got := w.marks(clerk); got != "declared-kin" {
		t.Errorf("marks %q", got)
	}
}

func TestWorkGoesToWhoMustDecide(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, _ := w.proposed(m{"amount_fen": 6000_00})
	if got := w.get(approver, "/v1/staff/tasks").applications(); got != "" {
		t.Errorf("the township has %s", got)
	}
	tasks := w.get(county, "/v1/staff/tasks").tasks()
	if len(tasks) != 1 || tasks[0]["application"] != id || tasks[0]["mine"] != true || tasks[0]["next_action"] != "approve" {
		t.Errorf("the county has %v", tasks)
	}
}

func TestAppealsAndOrdersAreTasks(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	a := w.Read(id)
	put, err := application.NewAppeal(a, []string{approver}, w.Now(), w.Now().Add(time.Hour)).Put()
	if err != nil {
		t.Fatal(err)
	}
	writes, err := order.New("o1", a, "01", order.Thaw, w.staff(finance).Actor(), w.Now()).Writes("asked", w.staff(finance).Actor(), w.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Transact(t.Context(), append(writes, put)...); err != nil {
		t.Fatal(err)
	}
	kinds := map[any]m{}
	for _, task := range w.get(county, "/v1/staff/tasks").tasks() {
		kinds[task["kind"]] = task
	}
	if kinds["appeal"]["next_action"] != "answer_appeal" || kinds["order"]["next_action"] != "approve_thaw" || len(kinds) != 3 {
		t.Errorf("got %v", kinds)
	}
}

func TestACaseIsShownMasked(t *testing.T) {
	t.Parallel()
	w := open(t)
	who := w.Person()
	id := w.Verify(w.Apply(who).ID, func(f *application.Findings) {
		f.Classes = []policy.RecipientClass{policy.Dibao}
		f.Kin = []string{"320400-somebody"}
	}).ID
	account := w.Account(2)
	w.want(w.post(clerk, id, "proposals", m{}), 201, "")
	for _, reader := range []string{clerk, approver, county, supervisor, auditor, finance} {
		r := w.get(reader, "/v1/staff/applications/"+id)
		w.want(r, 200, "")
		for what, secret := range map[string]string{"name": who.Name.Reveal(), "number": who.Paper.Reveal(), "phone": who.Phone.Reveal(),
			"account": account.Reveal(), "reference": w.Read(id).Subject, "address": "某路1号"} {
			if strings.Contains(r.body, secret) {
				t.Errorf("%s sees the %s", reader, what)
			}
		}
		if r.text("account_tail") == "" || r.out["people"].([]any)[0].(m)["name"] == "" {
			t.Errorf("%s sees too little: %s", reader, r.body)
		}
		if told := strings.Contains(r.body, "昨夜失火"); told != (reader == clerk || reader == approver || reader == county) {
			t.Errorf("%s reads the story: %t", reader, told)
		}
	}
	r := w.get(approver, "/v1/staff/applications/"+id)
	findings, proposal := r.out["findings"].(m), r.out["proposal"].(m)
	if len(findings["trace"].([]any)) == 0 || findings["classes"].([]any)[0] != "最低生活保障家庭" || findings["kin"] != true {
		t.Errorf("findings %v", findings)
	}
	if proposal["version"] != r.out["version"] || r.text("next_action") != "approve" {
		t.Errorf("proposal %v", proposal)
	}
	// Somebody here is kin of the people: the county decides.
	if got := fmt.Sprint(r.out["actions"]); got != "[refuse hold]" {
		t.Errorf("the township's approver may %s", got)
	}
	if got := fmt.Sprint(w.get(county, "/v1/staff/applications/"+id).out["actions"]); got != "[approve refuse hold]" {
		t.Errorf("the county's approver may %s", got)
	}
	if got := fmt.Sprint(w.get(supervisor, "/v1/staff/applications/"+id).out["actions"]); got != "[]" {
		t.Errorf("a supervisor may %s", got)
	}
}

// X003, X085.
func TestACaseOfAnotherPlaceIsNotThere(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	absent := w.get(clerk3, "/v1/staff/applications/"+w.IDs.New())
	there := w.get(clerk3, "/v1/staff/applications/"+id)
	w.want(there, 404, "application-not-found")
	if a, b := absent.text("title"), there.text("title"); a != b || absent.status != there.status {
		t.Errorf("absent and out of scope differ: %q, %q", a, b)
	}
	if got := w.marks(clerk3); got != "application-not-found application-not-found" { // a probe is a reach too
		t.Errorf("marks %q", got)
	}
	marks := w.Events("ACCESS#" + clerk3)
	e := marks[slices.IndexFunc(marks, func(e event.Event) bool { return e.Facts.Text("application") != "" })]
	if e.Facts.Text("application") != id || e.Facts.Text("policies") != "out-of-scope-looks-absent" || e.Actor.ID != clerk3 {
		t.Errorf("the mark says too little: %+v", e)
	}
	w.want(w.get(clerk, "/v1/staff/applications/nothing"), 404, "application-not-found")
	if err := staff.Revoke(t.Context(), w.Store, w.sessions, w.staff(clerk), "left", system, w.Now()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/staff/applications/" + id, "/v1/staff/tasks", "/v1/staff/envelopes?township=" + string(firstaidtest.Township)} {
		w.want(w.get(clerk, path), 401, "not-signed-in")
	}
	s := w.staff(clerk2)
	s.Active = false
	w.revise(s)
	for _, path := range []string{"/v1/staff/applications/" + id, "/v1/staff/tasks", "/v1/staff/envelopes?township=" + string(firstaidtest.Township)} {
		w.want(w.get(clerk2, path), 401, "not-signed-in")
	}
}

// The whole of a paid case reads: award, payout, receipts, history.
func TestAPaidCaseIsShownWhole(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	w.Change(id, "receipted", func(a application.Application) (application.Application, error) {
		return a.Confirm(application.Receipt{Award: "01", Answer: application.Received, At: w.Now()}, nil)
	})
	w.hold(id)
	r := w.get(finance, "/v1/staff/applications/"+id)
	w.want(r, 200, "")
	if p := r.out["payouts"].([]any)[0].(m); p["state"] != "due" || p["amount_fen"] != approval["amount_fen"] && p["amount_fen"] != float64(approval["amount_fen"].(int64)) {
		t.Errorf("payout %v", p)
	}
	if len(r.out["receipts"].([]any)) != 1 || len(r.out["holds"].([]any)) != 1 || r.out["award"].(m)["by"] != approver {
		t.Errorf("got %s", r.body)
	}
	for _, e := range r.out["events"].([]any) {
		if by := e.(m)["by"].(string); strings.HasPrefix(by, string(event.Citizen)+":") {
			t.Errorf("an account is shown: %s", by)
		}
	}
}
