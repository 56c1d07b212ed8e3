package attack

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// posts are what one may post below an application, each with a body that is
// well formed.
var posts = map[string]map[string]any{
	"/supplements": {"story": "换了说法。"},
	"/documents": {"kind": "other", "media_type": "image/png", "sha256": strings.Repeat("0", 64),
		"content_base64": "iVBORw0KGgo="},
	"/consents":   {"consents": []any{agreed("subject")}},
	"/withdrawal": {},
	"/appeals":    {"about": "amount", "text": "金额太少了。"},
	"/receipts":   {"award": "01", "answer": "received"},
	"/not-me":     {"paper": map[string]any{"kind": "id_card", "number": "32040219900307900X"}},
}

// staffPosts are the same for staff.
var staffPosts = map[string]map[string]any{
	"/visits":             {"method": "door", "finding": "as_told", "note": "到户看过。"},
	"/proposals":          {},
	"/approvals":          {"proposal_version": 2, "amount_fen": 100},
	"/refusals":           {"code": "NOT_EMERGENCY", "reason": "经核实不属于突发性困难。"},
	"/explanations":       {"findings": "ok", "text": "已入户核实，情况属实，材料齐全。"},
	"/holds":              {"code": "OTHER", "reason": "需要核实情况"},
	"/holds/none/release": {"reason": "已经核实清楚"},
	"/reviews":            {"finding": "ok", "text": "复核无误"},
	"/payees":             {"account": "6222020200112233445", "reason": "换一个账户"},
	"/cash-receipts":      {"receipt_sha256": strings.Repeat("a", 64)},
	"/thaws":              {"reason": "与银行核对无误，可以解冻。"},
}

// same is a problem without what differs from request to request.
func same(r reply) string {
	p := r.problem()
	return p.Code + p.Title + p.Detail + p.Type
}

func TestX001_citizen_reads_another_case(t *testing.T) {
	t.Parallel()
	o := shared(t)
	theirs := o.file(t, o.person(t))
	theirs.verified(t)
	me := o.citizen(t, o.person(t))
	absent := ident.Derive("nobody")
	theirs.unmoved(t, func() {
		for _, tail := range []string{"", "/card"} {
			got := me.get(t, theirs.path(tail)).is(t, 404, "application-not-found")
			if none := me.get(t, "/v1/applications/"+absent+tail); same(none) != same(got) {
				t.Errorf("somebody else's %q answers %s, an absent one %s", tail, got.body, none.body)
			}
		}
		for tail, body := range posts {
			got := me.post(t, theirs.path(tail), body)
			if tail == "/documents" {
				got.is(t, 404, "")
				continue
			}
			got.is(t, 404, "application-not-found")
		}
	})
	var list struct{ Applications []struct{ ID string } }
	me.get(t, "/v1/applications").is(t, 200, "").read(t, &list)
	if len(list.Applications) != 0 {
		t.Errorf("a fresh account sees %v", list.Applications)
	}
}

// strict is a system with the limits of a real one.
func strict(t *testing.T, l httpapi.Limits) *office {
	return own(t, func(o *local.Options) { o.Limits = l })
}

func TestX002_probing_for_ids(t *testing.T) {
	t.Parallel()
	o := strict(t, httpapi.Limits{})
	f := o.file(t, o.person(t))
	if len(f.id) < 26 || !ident.Valid(f.id) {
		t.Errorf("id %q is short of 128 bits", f.id)
	}
	prober := o.citizen(t, o.person(t))
	misses, first := 0, reply{}
	for i := range 40 {
		r := prober.get(t, "/v1/applications/"+ident.Derive("guess", string(rune('a'+i))))
		if r.status == http.StatusTooManyRequests {
			first = r
			break
		}
		r.is(t, 404, "application-not-found")
		misses++
	}
	if misses > 20 || first.problem().Code != "too-many-misses" || first.header.Get("Retry-After") == "" {
		t.Errorf("%d misses, then %d %s", misses, first.status, first.body)
	}
	f.by.get(t, f.path("")).is(t, 200, "")
}

// reaches are the marks that one member of staff left by reaching for what is
// not theirs.
func (o *office) reaches(t *testing.T, id, application string) (actions []string) {
	t.Helper()
	page, err := o.Table.Query(t.Context(), table.Query{PK: "ACCESS#" + id})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		e, err := event.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == "denied" && e.Facts.Text("application") == application {
			actions = append(actions, e.Facts.Text("action"))
		}
	}
	return actions
}

func TestX003_caseworker_of_another_district(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	stranger := o.hire(t, staff.Clerk, "320402002000")
	f.unmoved(t, func() {
		got := stranger.get(t, f.staffPath("")).is(t, 404, "application-not-found")
		none := stranger.get(t, "/v1/staff/applications/"+ident.Derive("nobody"))
		if same(got) != same(none) {
			t.Errorf("out of scope %s, absent %s", got.body, none.body)
		}
		for tail, body := range staffPosts {
			stranger.post(t, f.staffPath(tail), body).is(t, 404, "application-not-found")
		}
	})
	if marks := o.reaches(t, stranger.id, f.id); len(marks) != 1+len(staffPosts) {
		t.Errorf("%d marks of %d reaches: %v", len(marks), 1+len(staffPosts), marks)
	}
}

func TestX004_moved_caseworker_with_an_old_page(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	c := o.hire(t, staff.Clerk, township)
	c.get(t, f.staffPath("")).is(t, 200, "")
	s, err := staff.Get(t.Context(), o.Table, c.id)
	if err != nil {
		t.Fatal(err)
	}
	now := o.clock.Now()
	old := s.Grants[0]
	old.Until = now
	grants := []staff.Grant{old, {Role: staff.Clerk, Division: "320402002000", From: now}}
	if err := staff.Assign(t.Context(), o.Table, s, grants, seeded, now); err != nil {
		t.Fatal(err)
	}
	f.unmoved(t, func() {
		c.post(t, f.staffPath("/proposals"), map[string]any{}).is(t, 403, "moved-away")
		c.post(t, f.staffPath("/holds"), staffPosts["/holds"]).is(t, 403, "moved-away")
	})
}

func TestX006_township_uses_county_authority(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	f := o.file(t, p).verified(t)
	// Above the township's ceiling only the county decides.
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{"amount_fen": 600_000, "exception": map[string]any{
		"codes": []string{"OVER_CEILING"}, "reason": "房屋全部烧毁，家中三人受伤，确有特殊困难。"}})
	f.unmoved(t, func() {
		f.decide(t, o.staff(t, "approver-1")).is(t, 403, "county-required")
	})
	f.decide(t, o.staff(t, "county-1")).is(t, 201, "")
	f.paid(t)
}

func TestX007_supervisor_on_write_routes(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	for _, id := range []staff.Role{staff.Supervisor, staff.Auditor} {
		c := o.hire(t, id, "320400000000")
		f.unmoved(t, func() {
			c.get(t, f.staffPath("")).is(t, 200, "")
			for tail, body := range staffPosts {
				c.post(t, f.staffPath(tail), body).is(t, 403, "supervision-reads-only")
			}
			c.post(t, "/v1/staff/envelopes", map[string]any{"township": township, "class": "dibao", "person_fen": 1000, "total_fen": 1000,
				"until": "2026-12-31T00:00:00+08:00"}).is(t, 403, "not-allowed")
		})
		if marks := o.reaches(t, c.id, f.id); len(marks) != len(staffPosts) {
			t.Errorf("%s: %d marks of %d", id, len(marks), len(staffPosts))
		}
	}
	// A citizen's token is no staff token, and the reverse.
	f.by.get(t, f.staffPath("")).is(t, 403, "wrong-caller")
	o.staff(t, "clerk-1").get(t, f.path("")).is(t, 403, "wrong-caller")
}

func TestX008_writing_the_state(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	f.unmoved(t, func() {
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			for _, path := range []string{f.path(""), f.staffPath("")} {
				f.by.call(t, method, path, key(), map[string]any{"status": "PAID"}).is(t, 405, "method-not-allowed")
			}
		}
		for _, name := range []string{"status", "state"} {
			r := f.by.post(t, f.path("/supplements"), map[string]any{"story": "新情况。", name: "PAID"}).is(t, 400, "")
			if r.at("/"+name) == "" {
				t.Errorf("%s is not named: %s", name, r.body)
			}
		}
	})
}

func TestX009_fields_that_are_not_the_applicants(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by := o.citizen(t, p)
	body := form(p)
	forged := []string{"amount_approved", "amount_fen", "approver_id", "version", "area", "township", "findings", "holds", "account", "openid", "id"}
	for _, name := range forged {
		body[name] = 1
	}
	r := by.post(t, "/v1/applications", body).is(t, 400, "")
	for _, name := range forged {
		if r.at("/"+name) == "" {
			t.Errorf("%s is not named: %s", name, r.body)
		}
	}
	subject := who(p)
	subject["verified"] = true
	if r := by.post(t, "/v1/applications", form(p, with("subject", subject))).is(t, 400, ""); r.at("/subject/verified") == "" {
		t.Errorf("nested: %s", r.body)
	}
}

func TestX012_lists_of_another_area(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	stranger := o.hire(t, staff.Clerk, "320402002000")
	for _, path := range []string{"/v1/staff/tasks?division=" + township, "/v1/staff/tasks?division=" + county, "/v1/staff/tasks?division=000000000000",
		"/v1/staff/tasks?division=320402", "/v1/staff/tasks?division=%27", "/v1/staff/tasks", "/v1/staff/envelopes?township=" + township, "/v1/staff/envelopes"} {
		r := stranger.get(t, path)
		if bytes.Contains(r.body, []byte(f.id)) || r.status >= 500 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := o.staff(t, "clerk-1").get(t, "/v1/staff/tasks?limit=100&division="+township); r.status != 200 {
		t.Errorf("own area: %d %s", r.status, r.body)
	}
}

func TestX013_objects_of_another_case(t *testing.T) {
	t.Parallel()
	o := shared(t)
	mine, theirs := o.file(t, o.person(t)).verified(t), o.file(t, o.person(t)).verified(t)
	clerk, reviewer := o.staff(t, "clerk-1"), o.staff(t, "reviewer-1")
	var held struct{ Hold string }
	clerk.post(t, theirs.staffPath("/holds"), staffPosts["/holds"]).is(t, 201, "").read(t, &held)
	theirs.unmoved(t, func() {
		reviewer.post(t, mine.staffPath("/holds/"+held.Hold+"/release"), map[string]any{"reason": "已经核实清楚"}).is(t, 404, "hold-not-found")
		r := clerk.post(t, mine.staffPath("/proposals"), map[string]any{"application": theirs.id, "id": theirs.id}).is(t, 400, "")
		if r.at("/application") == "" || r.at("/id") == "" {
			t.Errorf("%s", r.body)
		}
	})
	for _, path := range []string{"/orders/" + ident.Derive("nothing") + "/approvals", "/orders/01/approvals", "/orders/%2e%2e/approvals"} {
		if r := o.staff(t, "approver-1").post(t, mine.staffPath(path), map[string]any{}); r.status != 404 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	mine.approve(t).paid(t)
	mine.by.post(t, mine.path("/receipts"), map[string]any{"award": "02", "answer": "received"}).is(t, 409, "not-paid-yet")
	reviewer.post(t, theirs.staffPath("/holds/"+held.Hold+"/release"), map[string]any{"reason": "已经核实清楚"}).is(t, 201, "")
}

func TestX016_no_export(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for _, role := range []string{"clerk-1", "auditor-1", "finance-1"} {
		c := o.staff(t, role)
		for _, path := range []string{"/v1/staff/exports", "/v1/staff/applications", "/v1/staff/applications.csv", "/v1/staff/people", "/v1/export"} {
			c.get(t, path).is(t, 404, "not-found")
		}
		c.get(t, "/v1/staff/tasks?format=csv").is(t, 400, "query-not-allowed")
		c.get(t, "/v1/staff/tasks?limit=100000").is(t, 400, "")
	}
}

func TestX018_method_override(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t))
	f.verified(t)
	f.unmoved(t, func() {
		for _, h := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
			f.by.get(t, f.path("/withdrawal"), func(r *http.Request) { r.Header.Set(h, "POST") }).is(t, 405, "method-not-allowed")
			f.by.get(t, f.path(""), func(r *http.Request) { r.Header.Set(h, "DELETE") }).is(t, 200, "")
		}
		f.by.get(t, f.path("")+"?_method=DELETE").is(t, 400, "query-not-allowed")
	})
}

func TestX020_forged_headers(t *testing.T) {
	t.Parallel()
	o := strict(t, httpapi.Limits{})
	f := o.file(t, o.person(t))
	forge := func(r *http.Request) {
		for _, h := range []string{"X-User-Id", "X-Openid", "X-Wx-Openid", "X-Amzn-Oidc-Identity", "X-Amzn-Request-Context", "X-Apigateway-Event", "X-Account"} {
			r.Header.Set(h, f.head(t).Account)
		}
	}
	o.nobody().get(t, f.path(""), forge).is(t, 401, "not-signed-in")
	o.citizen(t, o.person(t)).get(t, f.path(""), forge).is(t, 404, "application-not-found")
	// Another address every time does not make another caller.
	prober, limited := o.citizen(t, o.person(t)), false
	for i := range 30 {
		r := prober.get(t, "/v1/applications/"+ident.Derive("guess", string(rune('a'+i))), func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "203.0.113."+string(rune('0'+i%10)))
			r.Header.Set("Forwarded", "for=203.0.113.9")
		})
		limited = limited || r.status == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("a forged address escapes the limit")
	}
}

// moves tells whether an act in the middle of a case can be made by somebody
// whose post has just ended.
func TestStaffWhosePostEndsActNoMore(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	f := o.file(t, o.person(t)).verified(t)
	until := o.clock.Now().Add(time.Hour)
	c := o.hire(t, staff.Clerk, township, func(s *staff.Staff) { s.Grants[0].Until = until })
	f.proposeAs(t, c, map[string]any{})
	o.pass(t, 2*time.Hour)
	f.unmoved(t, func() {
		r := c.post(t, f.staffPath("/proposals"), map[string]any{})
		if r.status != 403 && r.status != 404 {
			t.Errorf("a post that ended still proposes: %d %s", r.status, r.body)
		}
	})
	// What was proposed in office stands, and another decides on it.
	f.decide(t, o.staff(t, "approver-1")).is(t, 201, "")
	f.paid(t)
	if a := f.head(t); a.State != application.Approved || a.Township != civil.DivisionCode(township) {
		t.Errorf("%+v", a.State)
	}
}
