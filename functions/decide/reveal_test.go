package decide_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

func aReveal(fields ...string) m {
	return m{"fields": fields, "reason": "contact_person", "note": "通知没有送达，需要打电话核对收款账户。"}
}

func (w *world) agree(who, id string, r reply) reply {
	w.T.Helper()
	return w.post(who, id, "reveals/"+r.text("id")+"/approvals", m{"version": r.number("version")})
}

func (w *world) see(who, id string, r reply) reply {
	w.T.Helper()
	return w.get(who, "/v1/staff/applications/"+id+"/reveals/"+r.text("id"))
}

// pages counts how often supervision was called.
type pages struct {
	telemetry.Metrics
	mu sync.Mutex
	n  int64
}

func (p *pages) Count(name string, n int64, _ ...telemetry.Label) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == "break_glass" {
		p.n += n
	}
}

// X032, A08, L06: alone nothing is seen; two people open it for a while to one;
// supervision is called, the person is told, and every look is in the record.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	metrics := &pages{Metrics: telemetry.Discard}
	w := serve(firstaidtest.New(t), func(d *decide.Deps) { d.Metrics = metrics })
	someone := w.Person()
	id := w.Verify(w.Apply(someone).ID).ID
	phone := someone.Phone.Reveal()
	asked := w.post(clerk, id, "reveals", aReveal("phone", "account", "phone"))
	w.want(asked, 201, "")
	if asked.text("state") != "asked" || strings.Contains(asked.body, phone) {
		t.Fatalf("asked %s", asked.body)
	}
	w.want(w.see(clerk, id, asked), 403, "reveal-alone")
	w.want(w.agree(clerk, id, asked), 403, "reveal-alone")
	w.want(w.agree(clerk2, id, asked), 403, "not-allowed")
	w.want(w.agree(approver2, id, asked), 404, "application-not-found")
	w.want(w.post(approver, id, "reveals/"+asked.text("id")+"/approvals", m{"version": 2}), 409, "reveal-moved")
	opened := w.agree(approver, id, asked)
	w.want(opened, 201, "")
	w.want(w.agree(supervisor, id, opened), 409, "reveal-state")
	w.want(w.see(clerk2, id, opened), 403, "reveal-not-yours")
	w.want(w.see(approver, id, opened), 403, "reveal-not-yours")
	for range 2 {
		seen := w.see(clerk, id, opened)
		w.want(seen, 200, "")
		for _, want := range []string{`"phone":"` + phone + `"`, `"account":"629999`} {
			if !strings.Contains(seen.body, want) {
				t.Errorf("no %s in %s", want, seen.body)
			}
		}
		for _, not := range []string{"王测安", "320402196", "失火", "某路", `"name"`, `"paper"`} {
			if strings.Contains(seen.body, not) {
				t.Errorf("%s was not asked for: %s", not, seen.body)
			}
		}
	}
	w.want(w.post(clerk, id, "reveals/"+asked.text("id")+"/reviews", m{"version": 2, "result": "justified", "note": "确有必要。"}), 403, "reveal-alone")
	w.want(w.post(approver, id, "reveals/"+asked.text("id")+"/reviews", m{"version": 2, "result": "justified", "note": "确有必要。"}), 403, "reveal-alone")
	w.Pass(reading.Window)
	w.want(w.see(clerk, id, opened), 403, "reveal-closed")
	w.want(w.post(auditor, id, "reveals/"+asked.text("id")+"/reviews", m{"version": 2, "result": "justified", "note": "确有必要。"}), 201, "")

	var looks []event.Event
	for _, e := range w.Events(reading.Of(id)) {
		if whole, _ := e.Facts["whole"].(bool); whole {
			looks = append(looks, e)
		}
		raw, err := json.Marshal(e)
		if err != nil || strings.Contains(string(raw), phone) || strings.Contains(string(raw), "629999") {
			t.Errorf("the record holds what was seen: %s %v", raw, err)
		}
	}
	if len(looks) != 2 {
		t.Fatalf("%d looks are in the record", len(looks))
	}
	if e := looks[0]; e.Actor.ID != clerk || e.Actor.Person == "" || e.Facts.Text("office") != "天宁街道经办人员" || e.Facts.Text("fields") != "phone account" ||
		e.Reason != "contact_person" || e.Facts.Text("purpose") != "handle" || e.Trace == "" {
		t.Errorf("the look does not say who, where, what and why: %+v", e)
	}
	var steps []string
	for _, e := range w.Events(application.Partition(id)) {
		if e.Noun == reading.RevealNoun {
			steps = append(steps, e.Kind+" by "+e.Actor.ID)
		}
	}
	if got := strings.Join(steps, ", "); got != "asked by "+clerk+", agreed by "+approver+", reviewed by "+auditor {
		t.Errorf("steps: %s", got)
	}
	w.owes(id, "NOTICE#revealed", 1)
	if metrics.n != 5 { // asked, agreed, looked twice, reviewed
		t.Errorf("supervision was called %d times", metrics.n)
	}
	if got := w.marks(clerk); !strings.Contains(got, "reveal-alone") || !strings.Contains(got, "reveal-closed") {
		t.Errorf("refused looks leave no mark: %s", got)
	}
}

func TestWhoMayBreakTheGlass(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asks, agrees string
		before       func(w *world, id string)
		ask, agree   string
	}{
		"a_supervisor_and_another":         {supervisor, supervisor2, nil, "", ""},
		"an_auditor_and_the_county":        {auditor, county, nil, "", ""},
		"an_approver_of_another_township":  {approver2, "", nil, "application-not-found", ""},
		"an_auditor_does_not_agree":        {clerk, auditor, nil, "", "not-allowed"},
		"finance_does_not_agree":           {clerk, finance, nil, "", "not-allowed"},
		"X021_the_subject":                 {clerk, "", func(w *world, id string) { w.concern(clerk, id) }, "self-dealing", ""},
		"X021_the_subject_agrees":          {clerk, approver, func(w *world, id string) { w.concern(approver, id) }, "", "self-dealing"},
		"A02_the_same_under_another_login": {clerk, approver, func(w *world, _ string) { w.same(approver, clerk) }, "", "reveal-alone"},
		"nobody_known": {clerk, "", func(w *world, _ string) {
			s := w.staff(clerk)
			s.Person, s.Papers = "", nil
			w.revise(s)
		}, "person-unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id := w.Verify(w.Apply(w.Person()).ID).ID
			if tc.before != nil {
				tc.before(w, id)
			}
			r := w.post(tc.asks, id, "reveals", aReveal("name"))
			if tc.ask != "" {
				if r.code != tc.ask || w.marks(tc.asks) != tc.ask {
					t.Errorf("%d %s, marks %s", r.status, r.body, w.marks(tc.asks))
				}
				return
			}
			w.want(r, 201, "")
			if got := w.agree(tc.agrees, id, r); got.code != tc.agree {
				t.Errorf("%d %s", got.status, got.body)
			}
			if seen := w.see(tc.asks, id, r); (seen.status == 200) != (tc.agree == "") {
				t.Errorf("%d %s", seen.status, seen.body)
			}
		})
	}
}

// concern makes the member of staff the subject of the case.
func (w *world) concern(who, id string) {
	s := w.staff(who)
	s.Person = w.Read(id).Subject
	w.revise(s)
}

// same makes who another account of the person of as.
func (w *world) same(who, as string) {
	s := w.staff(who)
	s.Person, s.Papers = w.staff(as).Person, nil
	w.revise(s)
}

func TestRepeatedRevealRequests(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	path := "/v1/staff/applications/" + id + "/reveals"
	one, two := w.send("POST", clerk, path, "k", aReveal("name")), w.send("POST", clerk, path, "k", aReveal("name"))
	if one.status != 201 || one.body != two.body {
		t.Errorf("%s, then %s", one.body, two.body)
	}
	w.want(w.send("POST", clerk, path, "k", aReveal("phone")), 422, "idempotency-mismatch")
	step := path + "/" + one.text("id") + "/approvals"
	a, b := w.send("POST", approver, step, "k2", m{"version": 1}), w.send("POST", approver, step, "k2", m{"version": 1})
	if a.status != 201 || a.body != b.body {
		t.Errorf("%s, then %d %s", a.body, b.status, b.body)
	}
	if got := w.marks(approver); got != "" {
		t.Errorf("a repeat left a mark: %s", got)
	}
	w.want(w.send("POST", clerk, path, "k3", m{"fields": []string{"income"}, "reason": "x", "note": "短"}), 400, "invalid-fields")
	for _, p := range []string{"/v1/staff/applications/x/reveals", path + "/x/approvals", "/v1/staff/applications/" + w.IDs.New() + "/reveals/" + one.text("id") + "/approvals"} {
		body := m{"version": 1}
		if strings.HasSuffix(p, "reveals") {
			body = aReveal("name")
		}
		w.want(w.send("POST", approver, p, w.IDs.New(), body), 404, "application-not-found")
	}
}

// Whatever moves between reading and writing undoes the agreement.
func TestWhateverMovesMeanwhileUndoesTheAgreement(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(w *world, id string, r reply){
		"another_agrees": func(w *world, id string, r reply) { w.want(w.agree(county, id, r), 201, "") },
		"the_approver_is_removed": func(w *world, _ string, _ reply) {
			s := w.staff(approver)
			s.Active = false
			w.revise(s)
		},
		"the_approver_is_stopped": func(w *world, _ string, _ reply) { w.pull("officer", city, approver) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id := w.Verify(w.Apply(w.Person()).ID).ID
			r := w.post(clerk, id, "reveals", aReveal("name"))
			w.gate.once(func() { move(w, id, r) })
			w.want(w.agree(approver, id, r), 409, "reveal-moved")
		})
	}
}

// telephone is how those of the people here are written. Three digits alone come up in
// the id of a request, once in a while.
var telephone = regexp.MustCompile(`1990\d{7}`)

// What cannot be written down is not shown, masked or not.
func TestWhatCannotBeRecordedIsNotShown(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	r := w.post(clerk, id, "reveals", aReveal("phone"))
	w.want(w.agree(approver, id, r), 201, "")
	for _, path := range []string{"", "/reveals/" + r.text("id")} {
		for n := int64(1); ; n++ {
			w.gate.fuse.Store(n)
			got := w.get(clerk, "/v1/staff/applications/"+id+path)
			whole := w.gate.fuse.Load() > 0
			w.gate.fuse.Store(0)
			if whole {
				w.want(got, 200, "")
				break
			}
			if got.status != 503 || telephone.MatchString(got.body) {
				t.Fatalf("%s, call %d: %d %s", path, n, got.status, got.body)
			}
		}
	}
}

// Every query of a supervisor or an auditor is an event; a clerk's list, which
// shows nobody's particulars, is none.
func TestTheSupervisorIsWatchedToo(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	for _, who := range []string{supervisor, auditor, clerk} {
		w.want(w.get(who, "/v1/staff/tasks?limit=5"), 200, "")
		w.want(w.get(who, "/v1/staff/applications/"+id), 200, "")
	}
	w.want(w.get(supervisor, "/v1/staff/brakes?division="+city), 200, "")
	queried := func(who string) (all []string) {
		for _, e := range w.Events(reading.By(who)) {
			all = append(all, e.Kind+" "+e.Facts.Text("operation")+" "+e.Facts.Text("asked")+e.Facts.Text("of_division"))
		}
		return all
	}
	if got := queried(supervisor); len(got) != 2 || !strings.Contains(strings.Join(got, ";"), "queried GET /v1/staff/brakes division"+city) {
		t.Errorf("supervisor: %q", got)
	}
	if got := queried(auditor); len(got) != 1 || got[0] != "queried GET /v1/staff/tasks limit" {
		t.Errorf("auditor: %q", got)
	}
	if got := queried(clerk); len(got) != 0 {
		t.Errorf("clerk: %q", got)
	}
	looks := map[string]string{}
	for _, e := range w.Events(reading.Of(id)) {
		looks[e.Actor.ID] = e.Facts.Text("purpose") + " " + e.Facts.Text("fields")
	}
	if len(looks) != 3 || !strings.HasPrefix(looks[supervisor], "supervise ") || strings.Contains(looks[supervisor], "story") || !strings.Contains(looks[clerk], "story") {
		t.Errorf("%v", looks)
	}
}

// Whatever reason staff may give is told to the person in words.
func TestEveryReasonIsTold(t *testing.T) {
	t.Parallel()
	f, _ := reflect.TypeFor[decide.RevealIn]().FieldByName("Reason")
	_, codes, _ := strings.Cut(f.Tag.Get("api"), "enum=")
	for code := range strings.SplitSeq(codes, "|") {
		if reading.ReasonLabel(code) == "" {
			t.Errorf("%s has no words", code)
		}
	}
	f, _ = reflect.TypeFor[decide.RevealIn]().FieldByName("Fields")
	for _, field := range reading.Fields() {
		if !strings.Contains(f.Tag.Get("api"), string(field)) {
			t.Errorf("%s cannot be asked for", field)
		}
	}
}

// The task of a reveal: the second person first, supervision afterwards.
func TestTheTaskOfAReveal(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	r := w.post(clerk, id, "reveals", aReveal("name"))
	task := func(who string) m {
		for _, one := range w.get(who, "/v1/staff/tasks").tasks() {
			if one["kind"] == "reveal" {
				return one
			}
		}
		return m{}
	}
	for who, mine := range map[string]bool{approver: true, supervisor: true, clerk: false, clerk2: false, auditor: false} {
		if one := task(who); one["next_action"] != string(staff.AgreeReveal) || one["mine"] != mine {
			t.Errorf("%s: %v", who, one)
		}
	}
	w.want(w.agree(supervisor, id, r), 201, "")
	for who, mine := range map[string]bool{approver: false, supervisor: false, supervisor2: true, auditor: true, clerk: false} {
		if one := task(who); one["next_action"] != string(staff.ReviewReveal) || one["mine"] != mine {
			t.Errorf("%s afterwards: %v", who, one)
		}
	}
	w.Pass(time.Hour)
	w.want(w.post(auditor, id, "reveals/"+r.text("id")+"/reviews", m{"version": 2, "result": "unjustified", "note": "没有必要。"}), 201, "")
	if one := task(auditor); len(one) != 0 {
		t.Errorf("it is still there: %v", one)
	}
}
