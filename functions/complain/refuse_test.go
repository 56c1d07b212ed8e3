package complain_test

import (
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
)

func township2() civil.DivisionCode { return firstaidtest.Township }

// Every step at every state where it may not be taken, and everything that is
// wrong with a complaint named at once.
func TestEveryStepAtTheWrongState(t *testing.T) {
	t.Parallel()
	w := open(t)
	filed, assigned, handled, replied := w.filed("account-1", nil), w.assigned("account-1", township, nil), w.handled("account-1", nil), w.replied("account-1", nil)
	words := m{"text": "说明一下情况。"}
	for _, c := range []struct {
		name, who, id, path string
		body                m
		status              int
		code                string
	}{
		{"accept_twice", district, assigned, "acceptance", m{}, 409, "complaint-state"},
		{"assign_what_is_not_taken", district, filed, "assignments", m{"division": township, "brief": brief}, 409, "complaint-state"},
		{"assign_what_is_handled", district, handled, "assignments", m{"division": township, "brief": brief}, 409, "complaint-state"},
		{"decline_what_is_taken", district, assigned, "refusal", m{"outcome": "not_accepted", "text": "不属受理范围。"}, 409, "complaint-state"},
		{"handle_what_is_not_assigned", clerk, filed, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}, 404, "complaint-not-found"},
		{"handle_twice", clerk, handled, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}, 409, "complaint-state"},
		{"review_what_is_not_handled", reviewer, assigned, "reviews", m{"finding_version": 3, "pass": true, "text": "同意。"}, 409, "complaint-state"},
		{"review_another_finding", reviewer, handled, "reviews", m{"finding_version": 99, "pass": true, "text": "同意。"}, 409, "finding-moved"},
		{"reply_before_review", clerk, handled, "replies", m{"text": "您反映的情况属实。"}, 409, "complaint-state"},
		{"object_what_is_handled", clerk, handled, "objections", words, 409, "complaint-state"},
		{"answer_no_objection", district, assigned, "objections/answers", m{"agree": true, "text": "同意。"}, 409, "complaint-state"},
		{"grant_what_nobody_asked", district, assigned, "extensions/answers", m{"agree": true, "text": "同意。"}, 409, "complaint-state"},
		{"pause_what_is_handled", district, handled, "pauses", m{"days": 1, "reason": "hearing", "text": "举行听证会。"}, 409, "complaint-state"},
		{"look_back_before_reply", supervisor2, handled, "look-backs", m{"rectified": true, "text": "看过了，没有问题。"}, 409, "complaint-state"},
		{"a_note_that_is_none", clerk, assigned, "supervision-notes/none/answers", words, 409, "complaint-note-answered"},
		{"assign_nowhere", district, assigned, "assignments", m{"division": "320402999000", "brief": brief}, 400, "invalid-fields"},
		{"assign_a_document_that_is_none", district, assigned, "assignments", m{"division": township, "brief": brief, "documents": []string{"x"}}, 400, "invalid-fields"},
		{"accept_a_target_that_is_none", district, filed, "acceptance", m{"target_staff": "320400-nobody", "target_unit": "1"}, 400, "invalid-fields"},
		{"another_township", clerk3, assigned, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}, 404, "complaint-not-found"},
		{"finance", finance, assigned, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}, 404, "complaint-not-found"},
		{"a_clerk_leads", clerk, assigned, "assignments", m{"division": township, "brief": brief}, 403, "not-allowed"},
		{"a_clerk_accepts", clerk, assigned, "acceptance", m{}, 403, "not-allowed"},
		{"an_auditor_writes", auditor, filed, "acceptance", m{}, 403, "not-allowed"},
		{"nothing_there", district, strings.Repeat("0", 26), "acceptance", m{}, 404, "complaint-not-found"},
		{"no_id", district, "x", "acceptance", m{}, 404, "complaint-not-found"},
		{"unknown_field", district, filed, "acceptance", m{"state": "replied"}, 400, "invalid-fields"},
	} {
		before := int64(0)
		if len(c.id) == 26 && c.id[0] != '0' {
			before = w.read(c.id).Version
		}
		if r := w.act(c.who, c.id, c.path, c.body); r.status != c.status || r.code != c.code {
			t.Errorf("%s: got %d %s, want %d %s\n%s", c.name, r.status, r.code, c.status, c.code, r.body)
		}
		if before > 0 && w.read(c.id).Version != before {
			t.Errorf("%s: something changed", c.name)
		}
	}
	for _, c := range []struct {
		name, who, id, path string
		body                m
		status              int
		code                string
	}{
		{"somebody_elses", "account-2", replied, "ratings", m{"rating": "satisfied"}, 404, "complaint-not-found"},
		{"somebody_elses_words", "account-2", filed, "supplements", words, 404, "complaint-not-found"},
		{"somebody_elses_picture", "account-2", filed, "documents", picture(), 404, "complaint-not-found"},
		{"rate_before_reply", "account-1", assigned, "ratings", m{"rating": "satisfied"}, 409, "complaint-state"},
		{"reopen_before_reply", "account-1", assigned, "reopenings", words, 409, "complaint-state"},
		{"supplement_after_reply", "account-1", replied, "supplements", words, 409, "complaint-state"},
		{"document_after_reply", "account-1", replied, "documents", picture(), 409, "complaint-state"},
		{"picture_damaged", "account-1", filed, "documents", m{"media_type": "image/png", "sha256": strings.Repeat("0", 64), "content_base64": "AAAA"}, 400, "document-digest"},
		{"picture_cut", "account-1", filed, "documents", m{"media_type": "image/png", "sha256": strings.Repeat("0", 64), "content_base64": "A"}, 400, "invalid-fields"},
		{"no_such_rating", "account-1", replied, "ratings", m{"rating": "fine"}, 400, "invalid-fields"},
		{"no_id", "account-1", "x", "ratings", m{"rating": "satisfied"}, 404, "complaint-not-found"},
	} {
		if r := w.mine(c.who, c.id, c.path, c.body); r.status != c.status || r.code != c.code {
			t.Errorf("%s: got %d %s, want %d %s\n%s", c.name, r.status, r.code, c.status, c.code, r.body)
		}
	}
	w.want(w.mine("account-1", replied, "ratings", m{"rating": "satisfied"}), 201, "")
	w.want(w.mine("account-1", replied, "ratings", m{"rating": "dissatisfied"}), 409, "complaint-rated")
	w.want(w.mine("account-1", filed, "documents", picture()), 201, "")
	w.want(w.mine("account-1", filed, "documents", picture()), 409, "complaint-documents")
}

func TestWhatIsWrongWithAComplaintIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	a := w.Apply(w.Person())
	for name, c := range map[string]struct {
		body   m
		fields string
	}{
		"everything":          {m{"place": village, "module": "none", "target_unit": "99", "description": canaryStory, "name": "1", "phone": "12", "application": a.ID}, "/module /target_unit /name /phone /application"},
		"no_such_item":        {sealed(m{"item": "none"}), "/item"},
		"item_without_module": {sealed(m{"module": "medical-aid"}), "/item"},
		"no_place":            {sealed(m{"place": "999999"}), "/place"},
		"a_province":          {sealed(m{"place": "320000"}), "/place"},
		"somebody_elses_case": {sealed(m{"application": a.ID}), "/application"},
		"no_such_case":        {sealed(m{"application": "x"}), "/application"},
		"too_short":           {sealed(m{"description": "坏"}), "/description"},
	} {
		if r := w.send("POST", "account-1", "/v1/complaints", w.key(), c.body); r.status != 400 || r.fields != c.fields {
			t.Errorf("%s: %d %q\n%s", name, r.status, r.fields, r.body)
		}
	}
	w.want(w.send("POST", "account-1", "/v1/complaints", "", sealed(nil)), 400, "idempotency-key-missing")
	w.want(w.send("POST", "", "/v1/complaints", w.key(), sealed(nil)), 401, "not-signed-in")
	w.want(w.send("POST", clerk3, "/v1/staff/complaints", w.key(), sealed(nil)), 403, "not-allowed")
	w.want(w.send("POST", finance, "/v1/staff/complaints", w.key(), sealed(m{"place": township})), 403, "not-allowed")
	w.want(w.send("POST", district, "/v1/staff/complaints", w.key(), sealed(m{"place": "x"})), 403, "not-allowed")
	w.want(w.send("POST", district, "/v1/staff/complaints", w.key(), matter(m{"kind": "petition"})), 400, "invalid-fields")
	w.want(w.get("", "/v1/complaint-modules"), 400, "complaint-place")
	w.want(w.get("", "/v1/complaint-modules?place=999999"), 400, "complaint-place")
	for range complaint.Quota {
		w.filed("account-9", nil)
	}
	w.want(w.send("POST", "account-9", "/v1/complaints", w.key(), sealed(nil)), 429, "complaint-quota")
}

// Changzhou has its three modules and unknown stays unknown; elsewhere there are
// the nation's.
func TestModules(t *testing.T) {
	t.Parallel()
	w := open(t)
	here := w.want(w.get("", "/v1/complaint-modules?place="+township), 200, "")
	for _, name := range []string{"村（社区）救助救济资金管理", "困难群众救助和生活补贴管理", "低保、特困等困难群众医疗救助"} {
		if !strings.Contains(here.body, name) {
			t.Errorf("%s is not among %s", name, here.body)
		}
	}
	for _, one := range here.out["modules"].([]any) {
		for _, item := range one.(m)["items"].([]any) {
			if i := item.(m); i["supervising"] != "" || i["confirmed"] != false {
				t.Errorf("somebody made up who supervises: %v", i)
			}
		}
	}
	confirmed := map[string]bool{}
	for _, c := range here.out["clocks"].([]any) {
		confirmed[c.(m)["name"].(string)] = c.(m)["confirmed"].(bool)
	}
	if confirmed["handle_working_days"] || !confirmed["petition_handle_days"] || len(confirmed) != 13 {
		t.Errorf("%v", confirmed)
	}
	if elsewhere := w.want(w.get("", "/v1/complaint-modules?place=120112103000"), 200, ""); strings.Contains(elsewhere.body, "村（社区）") || len(elsewhere.out["modules"].([]any)) != 2 {
		t.Errorf("%s", elsewhere.body)
	}
}
