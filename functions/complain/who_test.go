package complain_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// The canary: nothing that any officer but the supervision body is ever answered
// holds who complained, what they said, or anything that leads there; and nothing
// of it stands in the table in the clear.
func TestNobodyAtTheHandlingUnitLearnsWhoComplained(t *testing.T) {
	t.Parallel()
	w := open(t)
	a := w.Apply(w.Person(), func(s *application.Submission) { s.Account = "account-canary" })
	id := w.want(w.send("POST", "account-canary", "/v1/complaints", w.key(), sealed(m{"application": a.ID})), 201, "").text("id")
	w.want(w.mine("account-canary", id, "supplements", m{"text": canaryStory}), 201, "")
	w.want(w.mine("account-canary", id, "documents", picture()), 201, "")
	w.want(w.act(district, id, "acceptance", m{}), 201, "")
	for name, text := range map[string]string{"name": "请核实" + canaryName + "的救助金。", "spaced_name": "请核实赵 金 丝 雀的救助金。",
		"telephone": "联系电话 199-0031-4159。", "application": "申请编号" + a.ID + "。"} {
		if r := w.act(district, id, "assignments", m{"division": township, "brief": text}); r.status != 400 || r.code != "brief-shows-complainant" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if marks := w.marks(district); strings.Count(marks, "brief-shows-complainant") != 4 {
		t.Errorf("marks %s", marks)
	}
	w.want(w.act(district, id, "assignments", m{"division": township, "brief": brief}), 201, "")
	w.want(w.act(district, id, "supervision-notes", m{"working_days": 2, "text": "致电" + canaryPhone + "核实。"}), 400, "brief-shows-complainant")
	w.want(w.act(district, id, "supervision-notes", m{"working_days": 2, "text": "请说明进度。"}), 201, "")
	w.want(w.act(district, id, "identity-readings", m{"reason": "verify_facts", "text": "电话回访核实。"}), 201, "")
	owner := w.read(id).Owner
	look := func() {
		for _, who := range []string{clerk, clerk2, clerk3, reviewer, approver, countyClerk, countyReviewer, finance} {
			w.get(who, "/v1/staff/complaints")
			w.get(who, "/v1/staff/complaints?division="+township)
			w.get(who, "/v1/staff/complaints/"+id)
			w.get(who, "/v1/complaints/"+id)
			w.get(who, "/v1/staff/complaint-figures?division="+township)
			w.act(who, id, "identity-readings", m{"reason": "verify_facts", "text": "想知道是谁反映的。"})
			w.act(who, id, "acceptance", m{})
			for _, d := range w.documents(id) {
				w.get(who, "/v1/staff/complaints/"+id+"/documents/"+d)
			}
		}
	}
	look()
	w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "查实漏发一笔，已补发。"}), 201, "")
	look()
	w.want(w.passed(id, reviewer), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": "您反映的情况属实，差额已经补发。"}), 201, "")
	w.want(w.mine("account-canary", id, "ratings", m{"rating": "dissatisfied", "text": canaryStory}), 201, "")
	w.want(w.mine("account-canary", id, "reopenings", m{"text": canaryStory}), 201, "")
	look()
	secrets := []string{canaryName, canaryPhone, canaryStory, a.ID, "account-canary", owner, "iVBORw0KGgo", "identity_read", "电话回访核实。"}
	for who, answers := range w.seen {
		supervision := strings.Contains(who, "supervisor") || who == "account-canary"
		for _, body := range answers {
			for _, s := range secrets {
				if !supervision && strings.Contains(body, s) {
					t.Errorf("%s was answered %q:\n%s", who, s, body)
				}
			}
		}
	}
	// The supervision body sees the words, and not who, without an identity reading.
	whole := w.want(w.get(district, "/v1/staff/complaints/"+id), 200, "")
	if !strings.Contains(whole.body, canaryStory) {
		t.Errorf("the supervision body does not see the words: %s", whole.body)
	}
	for _, s := range []string{canaryName, canaryPhone, a.ID, "account-canary", owner} {
		if strings.Contains(whole.body, s) {
			t.Errorf("the supervision body sees %q without having asked", s)
		}
	}
	w.clear(complaint.Partition(id), canaryName, canaryPhone, canaryStory, a.ID, "account-canary")
	w.clear(complaint.OwnerList(owner), "account-canary")
	for _, e := range w.Events(complaint.Partition(id)) {
		if raw, _ := json.Marshal(e); strings.Contains(string(raw), owner) || e.Actor.Kind == "citizen" && (e.Actor != complaint.Complainant() || e.Trace != "") {
			t.Errorf("event %s leads to the person: %s", e.Kind, raw)
		}
	}
}

// clear fails when an item of a partition has one of words in the clear.
func (w *world) clear(partition string, words ...string) {
	w.T.Helper()
	page, err := w.Store.Query(context.Background(), table.Query{PK: partition})
	if err != nil || len(page.Items) == 0 {
		w.T.Fatal(partition, err)
	}
	for _, item := range page.Items {
		text := item.Key.PK + item.Key.SK + string(item.Body)
		for _, p := range item.Places {
			text += p.PK + p.SK
		}
		for _, word := range words {
			if strings.Contains(text, word) {
				w.T.Errorf("%s/%s holds %q", item.Key.PK, item.Key.SK, word)
			}
		}
	}
}

func (w *world) documents(id string) (ids []string) {
	r := w.want(w.get(district, "/v1/staff/complaints/"+id), 200, "")
	for _, d := range r.out["documents"].([]any) {
		ids = append(ids, d.(m)["id"].(string))
	}
	return ids
}

// marks are the reasons of the reaches that one member of staff was refused.
func (w *world) marks(id string) string {
	var all []string
	for _, e := range w.Events("ACCESS#" + id) {
		if e.Kind == "denied" {
			all = append(all, e.Reason)
		}
	}
	return strings.Join(all, " ")
}

func TestAnAnonymousComplaintKnowsNobody(t *testing.T) {
	t.Parallel()
	w := open(t)
	code := w.want(w.send("POST", "", "/v1/complaint-codes", "", m{}), 201, "").text("code")
	in := matter(m{"code": code})
	// Somebody who happens to be signed in leaves no trace of that either.
	first := w.want(w.send("POST", "account-canary", "/v1/anonymous-complaints", "", in), 201, "")
	id := first.text("id")
	if again := w.send("POST", "", "/v1/anonymous-complaints", "", in); again.body != first.body {
		t.Errorf("again: %s", again.body)
	}
	in["description"] = "换了一个说法的投诉。"
	w.want(w.send("POST", "", "/v1/anonymous-complaints", "", in), 422, "complaint-request-reused")
	w.clear(complaint.Partition(id), "account-canary", code, canaryStory)
	if c := w.read(id); c.Owner != "" || c.Taken != nil || len(c.Requests) != 1 {
		t.Errorf("kept: %+v", c)
	}
	w.want(w.get("account-canary", "/v1/complaints/"+id), 404, "complaint-not-found")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/lookups", "", m{"code": w.IDs.New()}), 404, "complaint-not-found")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/lookups", "", m{"code": strings.Repeat("!", 26)}), 404, "complaint-not-found")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/lookups", "", m{"code": code}), 200, "")
	// A code leads to nothing that was not filed with it.
	own := w.filed("account-1", nil)
	for _, path := range []string{"supplements", "reopenings"} {
		if r := w.send("POST", "", "/v1/anonymous-complaints/"+path, "", m{"code": own, "text": "试一试别人的。"}); r.status != 404 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	r := w.want(w.act(district, id, "identity-readings", m{"reason": "verify_facts", "text": "想核实经过。"}), 201, "")
	if r.out["known"] != false || r.text("name") != "" {
		t.Errorf("somebody is known: %s", r.body)
	}
	w.want(w.act(district, id, "acceptance", m{"kind": "petition"}), 400, "invalid-fields")
	for name, more := range map[string]m{"petition": {"kind": "petition"}, "bad_code": {"code": "short"}} {
		in := matter(m{"code": w.IDs.New()})
		for k, v := range more {
			in[k] = v
		}
		if r := w.send("POST", "", "/v1/anonymous-complaints", "", in); r.status != 400 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

func TestTheComplainedAboutNeitherSeeNorHandle(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.filed("account-1", m{"target_unit": township})
	w.want(w.act(district, id, "acceptance", m{"target_staff": countyReviewer}), 201, "")
	for _, d := range []string{township} {
		w.want(w.act(district, id, "assignments", m{"division": d, "brief": brief}), 409, "complaint-target")
	}
	w.want(w.act(district, id, "assignments", m{"division": village, "brief": brief}), 400, "invalid-fields")
	w.want(w.act(district, id, "assignments", m{"division": county, "brief": brief}), 201, "")
	for _, who := range []string{clerk, clerk2, reviewer, approver, countyReviewer} {
		w.want(w.get(who, "/v1/staff/complaints/"+id), 404, "complaint-not-found")
		w.want(w.act(who, id, "findings", m{"outcome": "not_upheld", "text": "没有这样的事。"}), 404, "complaint-not-found")
		if list := w.want(w.get(who, "/v1/staff/complaints"), 200, ""); len(list.out["complaints"].([]any)) != 0 {
			t.Errorf("%s has it in the list: %s", who, list.body)
		}
	}
	// A clerk of the county who came from the township complained about, and one
	// whose kin is complained about, stand back too.
	w.revise(countyClerk, func(s *staff.Staff) {
		g := s.Grants[0]
		g.Division, g.Until = township2(), w.Now()
		s.Grants = append(s.Grants, g)
	})
	w.want(w.get(countyClerk, "/v1/staff/complaints/"+id), 404, "complaint-not-found")
	w.revise(countyClerk, func(s *staff.Staff) { s.Grants = s.Grants[:1] })
	w.want(w.get(countyClerk, "/v1/staff/complaints/"+id), 200, "")
	w.want(w.act(countyClerk, id, "findings", m{"outcome": "upheld", "text": "查实，已责令改正。"}), 201, "")
	w.want(w.passed(id, countyReviewer), 404, "complaint-not-found")
	w.want(w.passed(id, countyClerk), 403, "complaint-same-person")
	w.want(w.passed(id, district), 201, "")
	// It never leaves the lists of the supervision body.
	w.want(w.act(district, id, "replies", m{"text": "您反映的情况属实，已责令改正。"}), 201, "")
	for _, who := range []string{district, supervisor, auditor} {
		closed := w.want(w.get(who, "/v1/staff/complaints?state=closed"), 200, "")
		if !strings.Contains(closed.body, id) {
			t.Errorf("%s lost it: %s", who, closed.body)
		}
	}
}

func TestTwoPeople(t *testing.T) {
	t.Parallel()
	w := open(t)
	// The reviewer is the clerk under another account.
	id := w.handled("account-1", nil)
	own, err := staff.Get(t.Context(), w.Store, clerk)
	if err != nil {
		t.Fatal(err)
	}
	w.revise(reviewer, func(s *staff.Staff) { s.Person, s.Papers = own.Person, nil })
	w.want(w.passed(id, reviewer), 403, "complaint-same-person")
	w.want(w.passed(id, clerk), 403, "complaint-same-person")
	w.want(w.passed(id, clerk2), 403, "not-allowed")
	w.want(w.passed(id, district), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": "您反映的情况属实，已经补发。"}), 201, "")
	w.want(w.act(reviewer, id, "look-backs", m{"rectified": true, "text": "已经核实到账。"}), 403, "complaint-same-person")
	// Whoever proposed not to take it does not review that.
	declined := w.filed("account-1", nil)
	w.want(w.act(district, declined, "refusal", m{"outcome": "not_accepted", "text": "同一事项正在办理。"}), 201, "")
	w.want(w.passed(declined, district), 403, "complaint-same-person")
	w.want(w.passed(declined, supervisor), 201, "")
	// Whoever took the call knows who called.
	called := w.want(w.send("POST", clerk2, "/v1/staff/complaints", w.key(), sealed(nil)), 201, "").text("id")
	w.want(w.act(district, called, "acceptance", m{}), 201, "")
	w.want(w.act(district, called, "assignments", m{"division": township, "brief": brief}), 201, "")
	w.want(w.act(clerk2, called, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}), 403, "complaint-same-person")
	w.want(w.act(clerk, called, "extensions", m{"days": 3, "text": "需要核对银行流水。"}), 201, "")
	w.want(w.act(clerk, called, "extensions/answers", m{"agree": true, "text": "同意。"}), 403, "complaint-same-person")
	w.want(w.act(approver, called, "extensions/answers", m{"agree": true, "text": "同意。"}), 201, "")
	w.want(w.act(clerk, called, "extensions", m{"days": 3, "text": "还需要几天时间。"}), 409, "complaint-extended")
	// Supervision leads and does not handle.
	w.want(w.act(district, called, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}), 403, "supervision-reads-only")
	// Nobody whose person is unknown.
	w.revise(clerk, func(s *staff.Staff) { s.Person, s.Papers = "", nil })
	w.want(w.act(clerk, called, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}), 403, "person-unknown")
}

func TestWhoReadsTheIdentity(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.filed("account-1", nil)
	ask := m{"reason": "verify_facts", "text": "需要向本人核实经过。"}
	w.want(w.act(auditor, id, "identity-readings", ask), 403, "not-allowed")
	w.want(w.act(clerk, id, "identity-readings", ask), 404, "complaint-not-found")
	w.want(w.act(district, id, "identity-readings", m{"text": "想看。"}), 400, "invalid-fields")
	key := w.key()
	path := "/v1/staff/complaints/" + id + "/identity-readings"
	r := w.want(w.send("POST", district, path, key, ask), 201, "")
	if r.text("name") != canaryName || r.text("phone") != canaryPhone {
		t.Errorf("read %s", r.body)
	}
	w.want(w.send("POST", district, path, key, ask), 201, "")
	if got := w.kinds(id); got != "filed identity_read" {
		t.Errorf("events %s", got)
	}
	if e := w.Events(complaint.Partition(id))[1]; e.Actor.ID != district || e.Facts.Text("why") != "verify_facts" || len(e.Note) == 0 || strings.Contains(string(e.Request.Answer), canaryName) {
		t.Errorf("event %+v", e)
	}
	if told := w.want(w.get("account-1", "/v1/complaints/"+id), 200, ""); !strings.Contains(told.body, "查看了您的身份") {
		t.Errorf("the complainant is not told: %s", told.body)
	}
}

// Of two who act at once one wins, and nothing is written twice.
func TestRaces(t *testing.T) {
	t.Parallel()
	for name, race := range map[string]func(w *world) (id string, one, two func() reply){
		"two_clerks": func(w *world) (string, func() reply, func() reply) {
			id := w.assigned("account-1", township, nil)
			f := func(who string) func() reply {
				return func() reply {
					return w.act(who, id, "findings", m{"outcome": "upheld", "text": "查实，已补发。"})
				}
			}
			return id, f(clerk), f(clerk2)
		},
		"two_reviewers": func(w *world) (string, func() reply, func() reply) {
			id := w.handled("account-1", nil)
			v := w.read(id).Finding.Version
			f := func(who string, pass bool) func() reply {
				return func() reply {
					return w.act(who, id, "reviews", m{"finding_version": v, "pass": pass, "text": "看过了。"})
				}
			}
			return id, f(reviewer, true), f(district, false)
		},
		"two_supervisors_assign": func(w *world) (string, func() reply, func() reply) {
			id := w.filed("account-1", nil)
			f := func(who string) func() reply { return func() reply { return w.act(who, id, "acceptance", m{}) } }
			return id, f(district), f(supervisor)
		},
		"two_ratings": func(w *world) (string, func() reply, func() reply) {
			id := w.replied("account-1", nil)
			f := func(r string) func() reply {
				return func() reply { return w.mine("account-1", id, "ratings", m{"rating": r}) }
			}
			return id, f("satisfied"), f("dissatisfied")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id, one, two := race(w)
			before := w.read(id).Version
			// The second acts between the first one's reading and writing, every time.
			var second reply
			f := func() { second = two() }
			w.gate.Before.Store(&f)
			first := one()
			if second.status != 201 || first.status != 409 {
				t.Errorf("first %d %s, second %d %s", first.status, first.body, second.status, second.body)
			}
			if got := w.read(id).Version; got != before+1 {
				t.Errorf("version %d after %d", got, before)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { one(); two() })
			}
			wg.Wait()
			if got := w.read(id); got.Version != before+1 && name != "two_reviewers" {
				t.Errorf("version %d after %d", got.Version, before)
			}
		})
	}
}

// The store's answer is lost: the act happened once, and the caller hears so.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.gate.Lose.Store(true)
	filed := w.want(w.send("POST", "account-1", "/v1/complaints", "once", sealed(nil)), 201, "")
	id := filed.text("id")
	w.gate.Lose.Store(true)
	w.want(w.act(district, id, "acceptance", m{}), 201, "")
	body := m{"division": township, "brief": brief}
	path := "/v1/staff/complaints/" + id + "/assignments"
	w.gate.Lose.Store(true)
	first := w.want(w.send("POST", district, path, "assign", body), 201, "")
	if again := w.send("POST", district, path, "assign", body); again.body != first.body || again.status != 201 {
		t.Errorf("again %d %s", again.status, again.body)
	}
	body["division"] = county
	w.want(w.send("POST", district, path, "assign", body), 422, "complaint-request-reused")
	w.want(w.send("POST", district, path, "", body), 400, "idempotency-key-missing")
	if got := w.kinds(id); got != "filed accepted assigned" {
		t.Errorf("events %s", got)
	}
}
