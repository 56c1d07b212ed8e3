package apply_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	paper "github.com/doudi-aid/doudi/shared/card"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Check-digit-valid synthetic numbers (domain.md 4.3), for tests only.
const (
	fatherID = "320402198507090013"
	motherID = "320411195803120021"
	childID  = "320404201405010032"
	agentID  = "511702197602280059"
	youngID  = "320402200812010016"
	card     = "6228480000000000018"
)

// counter is the citizens' counter over real HTTP, with everything it wrote.
type counter struct {
	t     *testing.T
	url   string
	store table.Store
	box   *seal.Box
	blind *seal.Blind
	users map[string]string // token by user
	ids   map[string]string // account by user

	evidence *evidence.Publisher // the log that the card's proofs are from

	mu   sync.Mutex
	logs bytes.Buffer
	said bytes.Buffer // every body that went out
	now  time.Time
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs.Write(p)
}

func (c *counter) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{t: t, now: time.Date(2026, 11, 23, 9, 30, 0, 0, calendar.Zone), users: map[string]string{}, ids: map[string]string{}}
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	mem := embedded.Memory()
	c.store, c.box, c.blind = mem, seal.NewBox(keys, rand.Reader), keys.Blind()
	papers, err := document.OpenDirectory(t.TempDir()+"/papers", c.box)
	if err != nil {
		t.Fatal(err)
	}
	book, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	sessions := session.NewStore(c.store, rand.Reader, c.clock)
	for _, user := range []string{"father", "neighbour", "committee"} {
		a, err := account.Open(t.Context(), c.store, c.blind, c.box, "wxapp", redact.New("openid-"+user), c.now)
		if err != nil {
			t.Fatal(err)
		}
		c.ids[user] = a.ID
		if c.users[user], err = sessions.Open(t.Context(), session.Opening{Principal: session.Principal{Kind: session.Citizen, ID: a.ID}, TTL: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if c.users["clerk"], err = sessions.Open(t.Context(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: "clerk-1"}, TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	signing, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := evidence.OpenDirectory(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	if c.evidence, err = signing.Publisher(evidence.New(c.store, c.box, rand.Reader, c.clock), blobs); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: sessions, Now: c.clock, IDs: ident.Random(), Logger: telemetry.NewLogger(c, slog.LevelDebug)},
		apply.Routes(apply.Deps{Table: c.store, Box: c.box, Blind: c.blind, Book: book, Tree: division.Shipped(), Documents: papers, Evidence: c.evidence, Now: c.clock})...))
	t.Cleanup(func() { server.Close(); papers.Close(); blobs.Close(); mem.Close() })
	c.url = server.URL
	return c
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (r reply) field(name string) string {
	var m map[string]any
	if json.Unmarshal([]byte(r.body), &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

func (r reply) pointers() []string {
	var p httpapi.Problem
	_ = json.Unmarshal([]byte(r.body), &p)
	var all []string
	for _, f := range p.Fields {
		all = append(all, f.Pointer+" "+f.Code)
	}
	slices.Sort(all)
	return all
}

// do sends one request as user; a POST gets key as its Idempotency-Key.
func (c *counter) do(user, method, path, key string, body any) reply {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		raw, ok := body.(string)
		if !ok {
			b, err := json.Marshal(body)
			if err != nil {
				c.t.Fatal(err)
			}
			raw = string(b)
		}
		in = strings.NewReader(raw)
	}
	req, err := http.NewRequest(method, c.url+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		req.Header.Set("Authorization", "Bearer "+c.users[user])
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.said.Write(raw)
	c.mu.Unlock()
	return reply{res.StatusCode, string(raw), res.Header}
}

type object = map[string]any

func who(name, number string) object {
	return object{"name": name, "paper": object{"kind": "id_card", "number": number}}
}

// form is a family of three whose father asks, with no document at all.
func form() object {
	sha := application.Authorisation().SHA256
	spouse, child := who("李四", motherID), who("张小", childID)
	spouse["relation"], child["relation"] = "spouse", "child"
	subject := who("张三", fatherID)
	subject["phone"] = "13800138000"
	return object{
		"track": "emergency", "place": "320402005000", "cause": "fire", "relation": "self", "subject": subject,
		"members": []object{spouse, child}, "address": "天宁街道某小区7幢", "story": "昨夜失火，\n房屋烧毁", "payee": object{"account": card},
		"consents": []object{{"person": "subject", "document_sha256": sha, "agreed": true}, {"person": "members/0", "document_sha256": sha, "agreed": true}},
		"channels": object{"subscribe": []string{"tmpl-paid"}},
	}
}

func with(change func(object)) object {
	f := form()
	change(f)
	return f
}

func (c *counter) submit(user, key string) string {
	c.t.Helper()
	r := c.do(user, "POST", "/v1/applications", key, form())
	if r.status != 201 {
		c.t.Fatalf("submit: %d %s", r.status, r.body)
	}
	return r.field("id")
}

func (c *counter) get(id string) application.Application {
	c.t.Helper()
	a, err := application.Get(context.Background(), c.store, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// award takes an application through to an award, as staff would.
func (c *counter) award(id string) {
	c.t.Helper()
	now := c.clock()
	clerk := event.Actor{Kind: event.Staff, ID: "320400-clerk-1", Person: "b1.clerk"}
	approver := event.Actor{Kind: event.Staff, ID: "320400-approver-1", Person: "b1.approver"}
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.WithFindings(application.Findings{At: now, AmountFen: 300_000, Persons: 3}, nil)
		return n, "verified", event.Actor{Kind: event.System, ID: "verify"}, err
	})
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.Propose(application.Proposal{By: clerk, At: now, AmountFen: 300_000, Rail: "bank", Payee: a.Payee, Authority: policy.Township})
		return n, "proposed", clerk, err
	})
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.Approve(application.Award{ID: "01", AmountFen: 300_000, By: approver, At: now}, application.Deadline{Kind: application.ToExplain, From: now, At: now.AddDate(0, 0, 7)})
		return n, "approved", approver, err
	})
}

// bank is what became of the money: an event, and the state it left the money in.
func (c *counter) bank(id, kind, state string, version int64) {
	c.t.Helper()
	w, err := event.Event{PK: application.Partition(id), Noun: "payout", ID: "01", Version: version, Kind: kind, At: c.clock(),
		Actor: event.Actor{Kind: event.Provider, ID: "bank"}, Facts: event.Facts{"amount_fen": 300_000, "state": state}}.Write()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.store.Transact(context.Background(), w); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) change(id string, do func(application.Application) (application.Application, string, event.Actor, error)) {
	c.t.Helper()
	_, err := application.Change(context.Background(), c.store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		n, kind, by, err := do(a)
		e := n.Event(kind, by, c.clock())
		e.Facts = event.Facts{"office": "天宁街道审批负责人", "article": "《社会救助法》第五十条"}
		return application.Step[struct{}]{Next: n, Event: e}, err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestAnApplicationWithoutASingleDocument(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	r := c.do("father", "POST", "/v1/applications", "k1", form())
	var out apply.Accepted
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if out.State != "accepted" || out.Deadline.At != "2026-11-24T09:30:00+08:00" || out.AcceptedAt != "2026-11-23T09:30:00+08:00" || !strings.Contains(out.Office, "天宁街道") {
		t.Errorf("%+v", out)
	}
	for _, m := range out.Materials {
		if m.RequiredToApply {
			t.Errorf("%s is required in an emergency", m.Code)
		}
	}
	a := c.get(out.ID)
	if a.Township != "320402005000" || a.County != "320402000000" || a.Account != c.ids["father"] || a.Deadline.Kind != application.ToDecide {
		t.Errorf("stored %+v", a)
	}
	acc, err := account.Get(t.Context(), c.store, c.ids["father"])
	if err != nil || acc.Filed["self"] != 1 || acc.Credits["tmpl-paid"] != 1 {
		t.Errorf("account %+v, %v", acc, err)
	}
}

func TestTheLeastThatCanBeSaid(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	r := c.do("father", "POST", "/v1/applications", "k", object{"track": "emergency", "place": "320402005000", "cause": "other", "relation": "self",
		"subject": object{"name": "无名", "paper": object{"kind": "none"}}})
	if r.status != 201 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestEveryProblemIsNamedAtOnceAndNothingIsStored(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	bad := with(func(f object) {
		f["place"], f["cause"] = "320402000000", "boredom"
		f["subject"].(object)["name"] = "张3"
		f["subject"].(object)["paper"] = object{"kind": "id_card", "number": fatherID[:17] + "4"}
		f["members"].([]object)[0]["paper"] = object{"kind": "library_card", "number": "1"}
		f["members"].([]object)[1]["phone"] = "12"
		f["payee"] = object{"account": "12", "holder": "agent"}
		f["consents"] = []object{{"person": "nobody", "document_sha256": strings.Repeat("0", 64), "agreed": false}}
		f["channels"] = object{"subscribe": []string{"no such thing"}}
	})
	r := c.do("father", "POST", "/v1/applications", "k", bad)
	want := []string{
		"/cause not-allowed", "/channels/subscribe/0 not-allowed", "/consents/0/agreed not-agreed", "/consents/0/document_sha256 document-unknown",
		"/consents/0/person no-such-person", "/members/0/paper/kind paper_kind", "/members/1/phone phone_form", "/payee/account account_length",
		"/payee/holder no-such-person", "/place place-too-wide", "/subject/name name_digit", "/subject/paper/number id_check",
	}
	got := r.pointers()
	if r.status != 400 || !slices.Equal(got, want) {
		t.Errorf("%d\n%s", r.status, strings.Join(got, "\n"))
	}
	if l := c.do("father", "GET", "/v1/applications", "", nil); !strings.Contains(l.body, `"applications":[]`) {
		t.Errorf("something was stored: %s", l.body)
	}
	if strings.Contains(r.body, fatherID[:10]) || strings.Contains(r.body, "张3") {
		t.Error("the problem repeats what was sent")
	}
}

func TestFormAndMeaningAreNamedTogether(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	bad := with(func(f object) {
		f["status"] = "PAID"                                                                      // no such field
		f["story"] = 7                                                                            // wrong type
		f["cause"] = "boredom"                                                                    // no such cause
		f["subject"].(object)["paper"] = object{"kind": "id_card", "number": fatherID[:17] + "4"} // wrong check digit
		f["members"].([]object)[0]["paper"] = 1                                                   // wrong type: its kind and number are not asked for on top
	})
	r := c.do("father", "POST", "/v1/applications", "k", bad)
	want := []string{"/cause not-allowed", "/members/0/paper wrong-type", "/status unknown-field", "/story wrong-type", "/subject/paper/number id_check"}
	if got := r.pointers(); r.status != 400 || !slices.Equal(got, want) {
		t.Errorf("%d\n%s", r.status, strings.Join(got, "\n"))
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	for name, b := range map[string]struct {
		path string
		body any
		want int
	}{
		"X008 a status in the body":              {"/v1/applications", with(func(f object) { f["status"] = "PAID" }), 400},
		"X009 an amount":                         {"/v1/applications", with(func(f object) { f["amount_approved"] = 1 }), 400},
		"X009 an approver":                       {"/v1/applications", with(func(f object) { f["approver_id"] = "x" }), 400},
		"X009 a version":                         {"/v1/applications", with(func(f object) { f["version"] = 9 }), 400},
		"X009 an area":                           {"/v1/applications", with(func(f object) { f["area"] = "x" }), 400},
		"X013 another id inside":                 {"/v1/applications/" + id + "/supplements", object{"id": "other", "story": "x"}, 400},
		"X039 a payee who is an agent":           {"/v1/applications", with(func(f object) { f["payee"] = object{"account": card, "type": "agent"} }), 400},
		"X112 an address to fetch evidence from": {"/v1/applications/" + id + "/documents", object{"kind": "incident", "url": "http://169.254.169.254/"}, 400},
		"X111 a key of another kind":             {"/v1/applications", with(func(f object) { f["#place"] = ":x" }), 400},
		"X108 deep JSON":                         {"/v1/applications", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), 400},
		"a duplicate key":                        {"/v1/applications", `{"track":"emergency","track":"emergency"}`, 400},
		"a null":                                 {"/v1/applications", with(func(f object) { f["applicant"] = nil }), 400},
		"full-width digits":                      {"/v1/applications", with(func(f object) { f["subject"].(object)["phone"] = "１３８００１３８０００" }), 400},
		"control characters":                     {"/v1/applications", with(func(f object) { f["story"] = "a\u0000b" }), 400},
		"an expenditure application":             {"/v1/applications", with(func(f object) { f["track"] = "expenditure" }), 400},
		"a place that is nowhere":                {"/v1/applications", with(func(f object) { f["place"] = "999999001001" }), 400},
		"nothing to supplement":                  {"/v1/applications/" + id + "/supplements", object{}, 400},
		"a receipt of another kind":              {"/v1/applications/" + id + "/receipts", object{"award": "01", "answer": "maybe"}, 400},
		"a consent to a text nobody has seen":    {"/v1/applications/" + id + "/consents", object{"consents": []object{{"person": "subject", "document_sha256": strings.Repeat("a", 64), "agreed": true}}}, 400},
		"an agent without a name":                {"/v1/applications", with(func(f object) { f["relation"] = "village_committee" }), 400},
		"X107 a body that is too large":          {"/v1/applications", with(func(f object) { f["story"] = strings.Repeat("火", 40_000) }), 413},
	} {
		if r := c.do("father", "POST", b.path, "bad", b.body); r.status != b.want {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if c.get(id).Version != 1 {
		t.Error("a refused request changed something")
	}
}

func TestX001ToX013CasesOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	absent := ident.Random().New()
	type call struct {
		method, tail string
		body         any
	}
	calls := []call{{"GET", "", nil}, {"GET", "/card", nil}, {"POST", "/supplements", object{"story": "新情况"}}, {"POST", "/withdrawal", object{}},
		{"POST", "/appeals", object{"about": "other", "text": "不服"}}, {"POST", "/receipts", object{"award": "01", "answer": "received"}},
		{"POST", "/consents", object{"consents": []object{{"person": "subject", "document_sha256": application.Authorisation().SHA256, "agreed": true}}}},
		{"POST", "/documents", picture(t, 2, 2, nil)}, {"POST", "/not-me", object{"paper": object{"kind": "id_card", "number": motherID}}}}
	for i, k := range calls {
		key := ""
		if k.method == "POST" {
			key = fmt.Sprint("x", i)
		}
		theirs := c.do("neighbour", k.method, "/v1/applications/"+id+k.tail, key, k.body)
		none := c.do("neighbour", k.method, "/v1/applications/"+absent+k.tail, key, k.body)
		wrong := c.do("neighbour", k.method, "/v1/applications/1234"+k.tail, key, k.body)
		if theirs.status != 404 || none.status != 404 || wrong.status != 404 || theirs.field("code") != none.field("code") || none.field("title") != wrong.field("title") || theirs.field("title") != none.field("title") {
			t.Errorf("%s %s: %d %s, absent %d %s, malformed %d", k.method, k.tail, theirs.status, theirs.body, none.status, none.body, wrong.status)
		}
		if r := c.do("clerk", k.method, "/v1/applications/"+id+k.tail, key, k.body); r.status != 403 {
			t.Errorf("staff at the citizens' counter: %d", r.status)
		}
		if r := c.do("", k.method, "/v1/applications/"+id+k.tail, key, k.body); r.status != 401 {
			t.Errorf("nobody in particular: %d", r.status)
		}
	}
	if r := c.do("neighbour", "GET", "/v1/applications", "", nil); strings.Contains(r.body, id) {
		t.Error("X012: the list shows another's case")
	}
	if r := c.do("father", "GET", "/v1/applications?account="+c.ids["neighbour"], "", nil); r.status != 400 {
		t.Errorf("a filter of one's own: %d", r.status)
	}
	if a := c.get(id); a.Version != 1 {
		t.Error("a stranger changed something")
	}
	if len(c.ids["father"]) < 26 || !ident.Valid(id) {
		t.Error("X002: ids can be guessed")
	}
}

func TestX041ToX047TheSameRequestAgain(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	first := c.do("father", "POST", "/v1/applications", "k1", form())
	again := c.do("father", "POST", "/v1/applications", "k1", form())
	if again.status != 201 || again.body != first.body {
		t.Errorf("X041: %d %s", again.status, again.body)
	}
	if r := c.do("father", "POST", "/v1/applications", "k1", with(func(f object) { f["story"] = "别的事" })); r.status != 422 {
		t.Errorf("X042: %d %s", r.status, r.body)
	}
	if r := c.do("neighbour", "POST", "/v1/applications", "k1", form()); r.status != 201 || r.field("id") == first.field("id") {
		t.Errorf("X044: %d %s", r.status, r.body)
	}
	if r := c.do("father", "POST", "/v1/applications", "", form()); r.status != 400 || r.field("type") == "" {
		t.Errorf("X045: %d %s", r.status, r.body)
	}
	for _, key := range []string{strings.Repeat("k", 10_240), "钥匙", "a b"} {
		if r := c.do("father", "POST", "/v1/applications", key, form()); r.status != 400 {
			t.Errorf("X046: %d", r.status)
		}
	}
	for _, later := range []time.Duration{25 * time.Hour, 8 * 24 * time.Hour, 396 * 24 * time.Hour} {
		c.mu.Lock()
		c.now = c.now.Add(later)
		c.mu.Unlock()
		sessions := session.NewStore(c.store, rand.Reader, c.clock)
		var err error
		if c.users["father"], err = sessions.Open(t.Context(), session.Opening{Principal: session.Principal{Kind: session.Citizen, ID: c.ids["father"]}, TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if r := c.do("father", "POST", "/v1/applications", "k1", form()); r.status != 201 || r.body != first.body {
			t.Errorf("X047 after %s: %d %s", later, r.status, r.body)
		}
	}
	if got := c.do("father", "POST", "/v1/applications", "k2", form()); got.status != 409 || !strings.Contains(got.body, first.field("id")) {
		t.Errorf("a second open application: %d %s", got.status, got.body)
	}
}

func TestX047WhatWasAcceptedOnceStaysAccepted(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	young := with(func(f object) { // seventeen today, of age when the request comes again
		f["subject"] = who("张小", youngID)
		f["members"] = f["members"].([]object)[:1]
		f["consents"] = f["consents"].([]object)[:1]
		f["payee"] = object{"account": card, "holder": "members/0"}
	})
	first := c.do("father", "POST", "/v1/applications", "k1", young)
	if first.status != 201 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	c.mu.Lock()
	c.now = c.now.AddDate(0, 1, 0)
	c.mu.Unlock()
	var err error
	if c.users["father"], err = session.NewStore(c.store, rand.Reader, c.clock).Open(t.Context(), session.Opening{
		Principal: session.Principal{Kind: session.Citizen, ID: c.ids["father"]}, TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if r := c.do("father", "POST", "/v1/applications", "k1", young); r.status != 201 || r.body != first.body {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := c.do("father", "POST", "/v1/applications", "k2", young); r.status != 400 {
		t.Errorf("the same today: %d", r.status)
	}
}

func TestX043FiftyAtOnce(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	var wg sync.WaitGroup
	replies := make([]reply, 50)
	for i := range replies {
		wg.Go(func() { replies[i] = c.do("father", "POST", "/v1/applications", "k1", form()) })
	}
	wg.Wait()
	for _, r := range replies {
		if r.status == 201 && r.body != replies[0].body && replies[0].status == 201 {
			t.Errorf("two bodies for one request")
		}
		if r.status != 201 && r.status != 409 && r.status != 503 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	list := c.do("father", "GET", "/v1/applications", "", nil)
	if n := strings.Count(list.body, `"accepted_at"`); n != 1 {
		t.Errorf("%d cases", n)
	}
}

func TestAnotherCallersOpenCaseIsHeldAndNotRefused(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	first := c.submit("father", "k1")
	r := c.do("neighbour", "POST", "/v1/applications", "k1", form())
	if r.status != 201 || strings.Contains(r.body, first) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	a := c.get(r.field("id"))
	if !a.Held() || a.Holds[0].Code != application.HoldDuplicate {
		t.Errorf("holds %+v", a.Holds)
	}
	show := c.do("neighbour", "GET", "/v1/applications/"+a.ID, "", nil)
	if !strings.Contains(show.body, "不是拒绝") {
		t.Errorf("the person is not told: %s", show.body)
	}
}

func TestX096ToX101FilingForOthers(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	agent := who("王五", agentID)
	agent["phone"] = "13900139000"
	filing := func(cause string) object {
		return with(func(f object) { f["relation"], f["applicant"], f["cause"] = "village_committee", agent, cause })
	}
	r := c.do("committee", "POST", "/v1/applications", "k1", filing("fire"))
	if r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	id := r.field("id")
	page, err := c.store.Query(t.Context(), table.Query{PK: application.Partition(id)}.Prefix("NOTICE#filed_for_you"))
	if err != nil || len(page.Items) != 1 {
		t.Errorf("X096: the real person is not told: %d, %v", len(page.Items), err)
	}
	t.Run("X096 not me, one tap freezes", func(t *testing.T) {
		mine := object{"paper": object{"kind": "id_card", "number": fatherID}}
		r := c.do("father", "POST", "/v1/applications/"+id+"/not-me", "n1", mine)
		if r.status != 200 || !c.get(id).Held() || c.get(id).Holds[0].Owner != "supervisor" {
			t.Errorf("%d %s %+v", r.status, r.body, c.get(id).Holds)
		}
		if again := c.do("father", "POST", "/v1/applications/"+id+"/not-me", "n1", mine); again.body != r.body {
			t.Error("one tap twice is two")
		}
		if again := c.do("father", "POST", "/v1/applications/"+id+"/not-me", "n2", mine); again.status != 200 || len(c.get(id).Holds) != 1 {
			t.Errorf("said twice: %d, %d holds", again.status, len(c.get(id).Holds))
		}
		if bad := c.do("father", "POST", "/v1/applications/"+id+"/not-me", "n3", object{"paper": object{"kind": "id_card", "number": "1"}}); bad.status != 400 {
			t.Errorf("a paper that is none: %d", bad.status)
		}
	})
	t.Run("X097 a working rate and a sample for the supervisor", func(t *testing.T) {
		acc, err := account.Get(t.Context(), c.store, c.ids["committee"])
		if err != nil {
			t.Fatal(err)
		}
		acc.Filed["village_committee"] = apply.SampleEvery - 1
		w, err := acc.Replace()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.store.Transact(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		r := c.do("committee", "POST", "/v1/applications", "k2", filing("injury"))
		if r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		e := c.first(r.field("id"))
		if e.Facts["sampled"] != true {
			t.Errorf("not sampled: %v", e.Facts)
		}
	})
	t.Run("X101 a quota, and when it ends", func(t *testing.T) {
		acc, err := account.Get(t.Context(), c.store, c.ids["committee"])
		if err != nil {
			t.Fatal(err)
		}
		acc.Filed["village_committee"] = apply.Quotas[application.Committee]
		w, err := acc.Replace()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.store.Transact(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		r := c.do("committee", "POST", "/v1/applications", "k3", filing("disaster"))
		if r.status != 429 || r.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", r.status, r.body)
		}
		if again := c.do("committee", "POST", "/v1/applications", "k1", filing("fire")); again.status != 201 {
			t.Errorf("a quota takes back what was accepted: %d", again.status)
		}
	})
}

func (c *counter) first(id string) event.Event {
	c.t.Helper()
	item, ok, err := c.store.Get(context.Background(), event.Key(application.Partition(id), application.Noun, id, 1))
	if err != nil || !ok {
		c.t.Fatal(ok, err)
	}
	e, err := event.Decode(item)
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

func TestStatusSaysEverythingAndMasksIt(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	r := c.do("father", "GET", "/v1/applications/"+id, "", nil)
	var s apply.Status
	if err := json.Unmarshal([]byte(r.body), &s); err != nil || r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if s.Now == "" || len(s.People) != 3 || s.People[0].Name != "张*" || s.Payee == nil || s.Payee.Tail != "0018" || len(s.Timeline) != 1 || s.Hotline != "12345" {
		t.Errorf("%s", r.body)
	}
	i := slices.IndexFunc(s.Missing, func(m apply.Missing) bool { return m.Code == "consent" })
	if i < 0 || s.Missing[i].Role != "members/1" {
		t.Errorf("missing %+v", s.Missing)
	}
	for _, secret := range []string{fatherID, motherID, childID, card, "13800138000", "李四", "失火", "某小区"} {
		if strings.Contains(r.body, secret) {
			t.Errorf("the status shows %q", secret)
		}
	}
}

func TestListsArePaged(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	want := map[string]bool{}
	causes := policy.Causes()
	quota := 0
	for i := range 45 {
		if quota++; quota > 5 {
			quota = 1
			c.mu.Lock()
			c.now = c.now.Add(24 * time.Hour)
			c.mu.Unlock()
			sessions := session.NewStore(c.store, rand.Reader, c.clock)
			c.users["father"], _ = sessions.Open(t.Context(), session.Opening{Principal: session.Principal{Kind: session.Citizen, ID: c.ids["father"]}, TTL: time.Hour})
		}
		r := c.do("father", "POST", "/v1/applications", fmt.Sprint("k", i), with(func(f object) {
			f["cause"], f["place"] = string(causes[i%len(causes)]), fmt.Sprintf("3204020%02d000", 5)
			f["subject"] = object{"name": "无名", "paper": object{"kind": "none"}}
		}))
		if r.status != 201 {
			t.Fatalf("%d: %d %s", i, r.status, r.body)
		}
		want[r.field("id")] = true
	}
	after, pages := "", 0
	for {
		path := "/v1/applications"
		if after != "" {
			path += "?after=" + after
		}
		r := c.do("father", "GET", path, "", nil)
		var l apply.List
		if err := json.Unmarshal([]byte(r.body), &l); err != nil || r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		pages++
		for _, a := range l.Applications {
			if !want[a.ID] {
				t.Errorf("%s comes twice or is not ours", a.ID)
			}
			delete(want, a.ID)
		}
		if after = l.After; after == "" {
			break
		}
	}
	if len(want) != 0 || pages != 3 {
		t.Errorf("%d missing after %d pages", len(want), pages)
	}
	if r := c.do("father", "GET", "/v1/applications?after=nonsense", "", nil); r.status != 400 {
		t.Errorf("a cursor that is none: %d", r.status)
	}
}

func TestSupplementsGoBackToVerificationAndKeepTheClock(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	before := c.get(id)
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.WithFindings(application.Findings{At: c.clock(), AmountFen: 1}, nil)
		return n, "verified", event.Actor{Kind: event.System, ID: "verify"}, err
	})
	clerk := event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.clerk"}
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.Propose(application.Proposal{By: clerk, AmountFen: 1, Payee: a.Payee})
		return n, "proposed", clerk, err
	})
	spouse := who("李四", motherID)
	spouse["relation"] = "spouse"
	r := c.do("father", "POST", "/v1/applications/"+id+"/supplements", "s1", object{"phone": "13900139000", "address": "新地址", "story": "又有新情况",
		"payee": object{"account": "6217000000000000020"}, "members": []object{spouse},
		"consents": []object{{"person": "members/0", "document_sha256": application.Authorisation().SHA256, "agreed": true}}})
	a := c.get(id)
	if r.status != 200 || a.State != application.Accepted || a.Proposal != nil || a.Payee == before.Payee || len(a.People) != 2 || !a.AcceptedAt.Equal(before.AcceptedAt) || a.Deadline != before.Deadline {
		t.Fatalf("%d %s\n%+v", r.status, r.body, a)
	}
	p, v, err := application.OpenParticulars(t.Context(), c.store, c.box, id)
	if err != nil || v != 2 || p.Subject.Phone.Reveal() != "13900139000" || p.Address.Reveal() != "新地址" || len(p.Members) != 1 {
		t.Errorf("particulars at %d: %v", v, err)
	}
	if again := c.do("father", "POST", "/v1/applications/"+id+"/supplements", "s2", object{"members": []object{who("张三", fatherID)}}); again.status != 400 {
		t.Errorf("a member who is the subject: %d %s", again.status, again.body)
	}
	if r := c.do("father", "POST", "/v1/applications/"+id+"/withdrawal", "w1", object{"reason": "问题解决了"}); r.status != 200 || c.get(id).State != application.Withdrawn {
		t.Errorf("withdrawal: %d %s", r.status, r.body)
	}
	if r := c.do("father", "POST", "/v1/applications/"+id+"/supplements", "s3", object{"story": "x"}); r.status != 409 {
		t.Errorf("after withdrawal: %d", r.status)
	}
}

func TestConsentsGivenLater(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.WithFindings(application.Findings{At: c.clock()}, nil)
		return n, "verified", event.Actor{Kind: event.System, ID: "verify"}, err
	})
	agree := func(person, sha string) object {
		return object{"consents": []object{{"person": person, "document_sha256": sha, "agreed": true}}}
	}
	if r := c.do("father", "POST", "/v1/applications/"+id+"/consents", "c1", agree("members/1", application.Authorisation().SHA256)); r.status != 200 || c.get(id).State != application.Accepted {
		t.Fatalf("%d %s", r.status, r.body)
	}
	have, err := application.Consents(t.Context(), c.store, id)
	if err != nil || len(have) != 3 {
		t.Fatal(len(have), err)
	}
	guardians := 0
	for _, h := range have {
		if h.Signer == application.Guardian && h.Guardian != "" {
			guardians++
		}
	}
	if guardians != 1 {
		t.Error("nobody signed for the child")
	}
	paper := picture(t, 3, 3, nil)
	paper["kind"] = "authorisation"
	if r := c.do("father", "POST", "/v1/applications/"+id+"/documents", "d1", paper); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := c.do("father", "POST", "/v1/applications/"+id+"/consents", "c2", agree("subject", paper["sha256"].(string))); r.status != 200 {
		t.Errorf("a signed paper: %d %s", r.status, r.body)
	}
}

// picture is a JPEG with extra segments put in behind the start marker.
func picture(t *testing.T, w, h int, extra []byte) object {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	raw := slices.Concat(b.Bytes()[:2], extra, b.Bytes()[2:])
	return upload("incident", "image/jpeg", raw)
}

func upload(kind, media string, raw []byte) object {
	sum := sha256.Sum256(raw)
	return object{"kind": kind, "media_type": media, "sha256": hex.EncodeToString(sum[:]), "content_base64": base64.StdEncoding.EncodeToString(raw)}
}

func TestX102ToX104Documents(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	path := "/v1/applications/" + id + "/documents"
	good := picture(t, 10, 10, nil)
	r := c.do("father", "POST", path, "d1", good)
	if r.status != 201 || r.field("document") == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if again := c.do("father", "POST", path, "d1", good); again.status != 201 || again.body != r.body {
		t.Errorf("K04: sent again: %d %s", again.status, again.body)
	}
	if again := c.do("father", "POST", path, "d2", good); again.status != 409 {
		t.Errorf("the same picture: %d", again.status)
	}
	torn := picture(t, 12, 12, nil)
	torn["sha256"] = strings.Repeat("0", 64)
	notBase64 := picture(t, 13, 13, nil)
	notBase64["content_base64"] = "%%%"
	for name, k := range map[string]struct {
		body object
		want int
	}{
		"X103 HTML called JPEG": {upload("incident", "image/jpeg", []byte("<html><script>alert(1)</script>")), 415},
		"X103 SVG":              {upload("incident", "image/svg+xml", []byte("<svg/>")), 415},
		"X102 ZIP":              {upload("incident", "image/png", []byte("PK\x03\x04 and so on")), 415},
		"X102 PDF":              {upload("incident", "application/pdf", []byte("%PDF-1.7")), 415},
		"a torn upload":         {torn, 400},
		"no base64":             {notBase64, 400},
		"X102 too large":        {upload("incident", "image/jpeg", append([]byte("\xff\xd8\xff"), make([]byte, 4<<20)...)), 413},
	} {
		if r := c.do("father", "POST", path, "bad", k.body); r.status != k.want {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if s := c.do("father", "GET", "/v1/applications/"+id, "", nil); strings.Count(s.body, r.field("document")) != 1 {
		t.Error("the document is not listed once")
	}
}

func TestReceiptsAfterTheMoney(t *testing.T) {
	t.Parallel()
	for answer, hold := range map[string]string{"received": "", "not_received": application.HoldReceipt, "wrong_amount": application.HoldAmount} {
		c := newCounter(t)
		id := c.submit("father", "k1")
		path := "/v1/applications/" + id
		if r := c.do("father", "POST", path+"/receipts", "r0", object{"award": "01", "answer": answer}); r.status != 409 {
			t.Errorf("before the money: %d", r.status)
		}
		if r := c.do("father", "POST", path+"/appeals", "a0", object{"about": "amount", "text": "太少"}); r.status != 409 {
			t.Errorf("before a decision: %d", r.status)
		}
		c.award(id)
		c.bank(id, "instructed", "instructing", 2)
		if r := c.do("father", "POST", path+"/receipts", "r0", object{"award": "01", "answer": answer}); r.field("code") != "not-paid-yet" {
			t.Errorf("under way: %d %s", r.status, r.body)
		}
		c.bank(id, "paid", "paid", 3)
		c.bank(id, "confirmed", "paid", 4) // the bank was asked once more
		r := c.do("father", "POST", path+"/receipts", "r1", object{"award": "01", "answer": answer})
		a := c.get(id)
		if r.status != 200 || len(a.Receipts) != 1 || a.Held() != (hold != "") {
			t.Fatalf("%s: %d %s", answer, r.status, r.body)
		}
		if hold != "" && (a.Holds[0].Code != hold || a.Holds[0].Owner != "finance") {
			t.Errorf("%s: hold %+v", answer, a.Holds[0])
		}
		work, err := c.store.Query(t.Context(), table.Query{Index: table.ByWork, PK: application.WorkList(a.Township)})
		if err != nil || len(work.Items) != 1 {
			t.Errorf("%s: %d tasks, %v", answer, len(work.Items), err)
		}
		k := c.do("father", "GET", path+"/card", "", nil)
		if k.status != 200 || !strings.Contains(k.body, "¥3,000.00") || !strings.Contains(k.body, "第五十条") || !strings.Contains(k.body, "12345") || strings.Contains(k.body, "approver-1") {
			t.Errorf("card: %s", k.body)
		}
		c.proved(k)
		c.bank(id, "returned", "returned", 5)
		if r := c.do("father", "POST", path+"/receipts", "r2", object{"award": "01", "answer": answer}); r.field("code") != "not-paid-yet" {
			t.Errorf("after a return: %d %s", r.status, r.body)
		}
	}
}

// proved fails unless the card begins without a proof, has one when a checkpoint
// speaks of the payment, and the proof holds with the public key alone.
func (c *counter) proved(before reply) {
	c.t.Helper()
	if strings.Contains(before.body, `"evidence"`) {
		c.t.Errorf("a proof before there is a log: %s", before.body)
	}
	_, err := c.evidence.Log.Sweep(c.t.Context(), c.now.Add(-time.Hour))
	if err == nil {
		_, err = c.evidence.Publish(c.t.Context())
	}
	if err != nil {
		c.t.Fatal(err)
	}
	var got paper.Card
	list := c.do("father", "GET", "/v1/applications", "", nil)
	_, id, _ := strings.Cut(list.body, `"id":"`)
	k := c.do("father", "GET", "/v1/applications/"+id[:ident.Length]+"/card", "", nil)
	if err := json.Unmarshal([]byte(k.body), &got); err != nil || got.Payments[0].Evidence == nil {
		c.t.Fatalf("%v: %s", err, k.body)
	}
	proof, err := evidence.ParseProof(got.Payments[0].Evidence.Code)
	if err != nil {
		c.t.Fatal(err)
	}
	leaf, _, err := proof.Check(c.evidence.Verifier)
	if err != nil || leaf.Noun != paper.Payout || leaf.Facts.Text("state") != "paid" || leaf.Version != 4 || string(proof.Leaf) != got.Payments[0].Evidence.Leaf {
		c.t.Errorf("%+v %v", leaf, err)
	}
}

func TestD07AppealsGoToTheCountyAndNotToWhoDecided(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	by := event.Actor{Kind: event.Staff, ID: "320400-approver-1", Person: "b1.approver"}
	c.change(id, func(a application.Application) (application.Application, string, event.Actor, error) {
		n, err := a.Refuse(by)
		return n, "refused", by, err
	})
	r := c.do("father", "POST", "/v1/applications/"+id+"/appeals", "a1", object{"about": "refusal", "text": "我认为理由不成立"})
	all, err := application.Appeals(t.Context(), c.store, id)
	if r.status != 201 || err != nil || len(all) != 1 || all[0].Division != "320402000000" || !slices.Equal(all[0].Not, event.Names(by)) || !all[0].Due.After(c.clock()) {
		t.Fatalf("%d %s %+v %v", r.status, r.body, all, err)
	}
	s := c.do("father", "GET", "/v1/applications/"+id, "", nil)
	if !strings.Contains(s.body, all[0].ID) || !strings.Contains(s.body, `"refusal"`) {
		t.Errorf("%s", s.body)
	}
	// The answer is the citizen's to read, reasons and all; a refusal taken back is none.
	county := event.Actor{Kind: event.Staff, ID: "320400-county-1", Person: "b1.county"}
	_, err = application.Change(t.Context(), c.store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		n, move, err1 := a.Reopen(county, application.Deadline{Kind: application.ToDecide, From: c.clock(), At: c.clock().Add(time.Hour)})
		answered, err2 := all[0].Answered(application.Reopened, county, c.clock())
		e := n.Event(move, county, c.clock())
		e.Facts = event.Facts{"appeal": all[0].ID, "result": string(application.Reopened)}
		e, err3 := application.SealNote(t.Context(), c.box, e, redact.New("原决定适用理由不当"))
		return application.Step[struct{}]{Next: n, Event: e, Also: []table.Write{answered}}, errors.Join(err1, err2, err3)
	})
	if err != nil {
		t.Fatal(err)
	}
	s = c.do("father", "GET", "/v1/applications/"+id, "", nil)
	var out apply.Status
	if err := json.Unmarshal([]byte(s.body), &out); err != nil || out.Refusal != nil || len(out.Appeals) != 1 {
		t.Fatalf("%v %s", err, s.body)
	}
	want := apply.AppealAnswerOut{Result: "reopened", Label: "撤销原决定，重新办理", Reason: "原决定适用理由不当", At: "2026-11-23T09:30:00+08:00"}
	if got := out.Appeals[0].Answer; got == nil || *got != want {
		t.Errorf("answer %+v in %s", got, s.body)
	}
}

func TestProgramsAndEstimates(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	r := c.do("", "GET", "/v1/programs", "", nil)
	var p apply.Programs
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.status != 200 || len(p.Programs) != 3 || p.Authorisation.SHA256 != application.Authorisation().SHA256 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, choices := range [][]apply.Choice{p.Causes, p.Relations, p.Kinships, p.Papers, p.Places} {
		for _, k := range choices {
			if k.Code == "" || k.Label == "" {
				t.Errorf("a choice without code or label: %+v", choices)
			}
		}
	}
	r = c.do("", "GET", "/v1/programs?place=320402005000", "", nil)
	if r.status != 200 || !strings.Contains(r.body, "天宁街道") || !strings.Contains(r.body, "不看户籍") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := c.do("", "GET", "/v1/programs?place=990000000000", "", nil); r.status != 404 {
		t.Errorf("nowhere: %d", r.status)
	}
	e := c.do("", "POST", "/v1/estimates", "", object{"place": "320402005000", "cause": "fire", "persons": 3, "classes": []string{"dibao"}})
	var out apply.Estimate
	if err := json.Unmarshal([]byte(e.body), &out); err != nil || e.status != 200 || !out.AmountFen.Payable() || len(out.Trace) == 0 || out.Persons != 3 {
		t.Errorf("%d %s", e.status, e.body)
	}
	bad := c.do("", "POST", "/v1/estimates", "", object{"place": "320402000000", "cause": "x", "persons": 1, "classes": []string{"rich"}})
	if !slices.Equal(bad.pointers(), []string{"/cause not-allowed", "/classes/0 not-allowed", "/place place-too-wide"}) {
		t.Errorf("%d %s", bad.status, bad.body)
	}
}

func TestX115NothingPersonalLeaves(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k1")
	c.do("father", "POST", "/v1/applications", "k2", form())
	c.do("father", "GET", "/v1/applications/"+id, "", nil)
	c.do("father", "POST", "/v1/applications/"+id+"/supplements", "s1", object{"phone": "13900139000"})
	c.do("neighbour", "POST", "/v1/applications/"+id+"/not-me", "n1", object{"paper": object{"kind": "id_card", "number": motherID}})
	c.do("father", "POST", "/v1/applications", "k3", strings.Repeat(`{"subject":"`+fatherID, 3))
	c.do("father", "POST", "/v1/applications", "k4", with(func(f object) { f["subject"].(object)["paper"] = object{"kind": "id_card", "number": fatherID + "7"} }))
	c.do("father", "GET", "/v1/applications/"+fatherID, "", nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{fatherID, motherID, childID, card, "13800138000", "13900139000", "张三", "李四", "某小区", "烧毁", "openid-father"} {
		if strings.Contains(c.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
		if strings.Contains(c.said.String(), secret) {
			t.Errorf("an answer holds %q", secret)
		}
	}
	if c.logs.Len() == 0 {
		t.Error("nothing was logged at all")
	}
}
