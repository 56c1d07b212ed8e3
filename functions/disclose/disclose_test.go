package disclose_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/disclose"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
)

const (
	clerk      = "320400-clerk-1"
	approver   = "320400-approver-1"
	county     = "320400-county-1"
	chief      = "320400-chief-1"
	supervisor = "320400-supervisor-1"
	auditor    = "320400-auditor-1"
	citizen    = "wang"

	village civil.DivisionCode = "320402005001"
)

type m = map[string]any

// world is an office with a log, whose notices are served over real HTTP.
type world struct {
	*firstaidtest.Office
	deps     disclose.Deps
	log      *evidence.Log
	url      string
	sessions *session.Store
	tokens   map[string]string

	// planted are the particulars of everybody: none may be public.
	planted []string

	mu   sync.Mutex
	said bytes.Buffer // every public byte that went out
}

func open(t *testing.T, edits ...func([]byte) []byte) *world {
	t.Helper()
	w := &world{Office: firstaidtest.New(t, edits...), tokens: map[string]string{}}
	w.log = evidence.New(w.Store, w.Box, rand.Reader, w.Now)
	w.deps = disclose.Deps{Table: w.Store, Box: w.Box, Blind: w.Blind, Book: w.Book, Tree: w.Tree, Regions: []civil.DivisionCode{"320400000000"},
		Logged: func(ctx context.Context, key table.Key) (bool, error) {
			_, in, err := w.log.Index(ctx, key)
			return in, err
		}, Now: w.Now, Metrics: telemetry.Discard, Log: slog.New(slog.DiscardHandler)}
	sessions := session.NewStore(w.Store, rand.Reader, w.Now)
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: sessions, Now: w.Now, IDs: w.IDs, Logger: slog.New(slog.DiscardHandler),
		Watch: watch.Over(w.Store, w.Now)}, disclose.Routes(w.deps)...))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.sessions = sessions
	for _, id := range []string{clerk, approver, county, chief, supervisor, auditor, citizen, "li"} {
		w.signIn(id)
	}
	return w
}

func (w *world) signIn(id string) {
	w.T.Helper()
	kind := session.Staff
	if id == citizen || id == "li" {
		kind = session.Citizen
	}
	token, err := w.sessions.Open(w.T.Context(), session.Opening{Principal: session.Principal{Kind: kind, ID: id}, TTL: 8 * time.Hour})
	if err != nil {
		w.T.Fatal(err)
	}
	w.tokens[id] = token
}

type reply struct {
	status int
	body   string
	header http.Header
	out    m
}

func (r reply) text(name string) string { s, _ := r.out[name].(string); return s }

func (w *world) do(method, who, path, key string, body any, header ...string) reply {
	w.T.Helper()
	raw := []byte{}
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			w.T.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(w.T.Context(), method, w.url+path, bytes.NewReader(raw))
	if err != nil {
		w.T.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		req.Header.Set("Authorization", "Bearer "+w.tokens[who])
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	r := reply{status: res.StatusCode, body: string(got), header: res.Header}
	_ = json.Unmarshal(got, &r.out) // pages and files are not JSON
	if who == "" {
		w.mu.Lock()
		fmt.Fprintf(&w.said, "%s %v %s\n", path, res.Header, got)
		w.mu.Unlock()
	}
	return r
}

func (w *world) want(r reply, status int, code string) {
	w.T.Helper()
	if r.status != status || code != "" && r.text("code") != code {
		w.T.Errorf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
}

// granted is an award made by two people.
func (w *world) granted(change ...func(*application.Submission)) application.Application {
	w.T.Helper()
	one, two := event.Actor{Kind: event.Staff, ID: clerk, Person: "b1.one"}, event.Actor{Kind: event.Staff, ID: approver, Person: "b1.two"}
	who := w.Person()
	w.planted = append(w.planted, who.Name.Reveal(), who.Name.Masked(), who.Paper.Reveal(), who.Phone.Reveal())
	id := w.Verify(w.Apply(who, append([]func(*application.Submission){func(s *application.Submission) { s.Place = village }}, change...)...).ID).ID
	w.Change(id, "proposed", func(a application.Application) (application.Application, error) {
		return a.Propose(application.Proposal{By: one, At: w.Now(), AmountFen: 1100_00, Persons: 1, Months: 1, Rail: "bank", Payee: a.Payee,
			Authority: policy.Township, Rules: a.Findings.Rules})
	})
	_, err := application.Change(w.T.Context(), w.Store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		c, err := w.Open(w.T.Context(), a)
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		g, err := w.Grant(w.T.Context(), c, firstaid.Decision{Proposal: *a.Proposal, Proposer: one, Approver: two, At: w.Now()})
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		next, err := a.Approve(application.Award{ID: g.Award.ID, AmountFen: g.Award.AmountFen, By: two, At: w.Now()}, g.Explain)
		return application.Step[struct{}]{Next: next, Event: next.Event("approved", two, w.Now()), Also: g.Writes}, err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Read(id)
}

func (w *world) run() {
	w.T.Helper()
	if err := disclose.Run(w.T.Context(), w.deps); err != nil {
		w.T.Fatal(err)
	}
}

func (w *world) sequence() {
	w.T.Helper()
	if _, err := w.log.Sweep(w.T.Context(), firstaidtest.Start.Add(-time.Hour)); err != nil {
		w.T.Fatal(err)
	}
}

// public makes an edition of what there is and lets it go public.
func (w *world) public() disclosure.Edition {
	w.T.Helper()
	w.run()
	w.sequence()
	w.run()
	all, err := disclosure.List(w.T.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil || len(all) == 0 {
		w.T.Fatal(len(all), err)
	}
	return all[len(all)-1]
}

// editions are all there are.
func (w *world) editions() []disclosure.Edition {
	w.T.Helper()
	all, err := disclosure.List(w.T.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// secrets are the planted particulars that no masking leaves.
func (w *world) secrets() []string {
	return slices.DeleteFunc(slices.Clone(w.planted), func(s string) bool { return strings.Contains(s, "*") })
}

func lines(t *testing.T, e disclosure.Edition) []disclosure.Line {
	t.Helper()
	d, err := e.Document()
	if err != nil {
		t.Fatal(err)
	}
	var all []disclosure.Line
	for _, p := range d.Places {
		all = append(all, p.Lines...)
	}
	return all
}

// L07, P05, X118 and the canary: what is told is told of five, only when its hash
// is in the log, until its day, and in no byte of it is anybody's number, name,
// telephone, account, address or story.
func TestFromTheDecisionToThePublic(t *testing.T) {
	t.Parallel()
	w := open(t)
	for range 4 {
		w.granted()
	}
	w.run()
	if got := w.do("GET", "", "/v1/disclosures", "", nil); got.status != 200 || !strings.Contains(got.body, `"notices":[]`) {
		t.Fatalf("four people are told of: %s", got.body)
	}
	w.granted()
	w.run()
	all, err := disclosure.List(t.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	e := all[0]
	hidden := func(why string) {
		t.Helper()
		for _, path := range []string{"", "/page"} {
			w.want(w.do("GET", "", "/v1/disclosures/"+e.ID+path, "", nil), 404, "disclosure-not-found")
		}
		if got := w.do("GET", "", "/v1/disclosures?division=320402", "", nil); strings.Contains(got.body, e.ID) {
			t.Errorf("listed %s", why)
		}
	}
	hidden("before it is in the log")
	w.run() // still not in the log
	hidden("before it is in the log")
	w.sequence()
	hidden("before anybody looked")
	w.run()

	list := w.do("GET", "", "/v1/disclosures?division=320402", "", nil)
	if !strings.Contains(list.body, e.ID) || !strings.Contains(list.body, e.SHA256) {
		t.Fatalf("list %s", list.body)
	}
	if got := w.do("GET", "", "/v1/disclosures?division=320404", "", nil); strings.Contains(got.body, e.ID) {
		t.Errorf("listed elsewhere: %s", got.body)
	}
	w.want(w.do("GET", "", "/v1/disclosures?division=x", "", nil), 400, "query-not-allowed")
	r := w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil)
	sum := sha256.Sum256([]byte(r.body))
	if hex.EncodeToString(sum[:]) != e.SHA256 || r.header.Get("Cache-Control") != "public, max-age=300" || r.header.Get("ETag") == "" {
		t.Errorf("other bytes than the log's hash, or no caching: %v", r.header)
	}
	if again := w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil, "If-None-Match", r.header.Get("ETag")); again.status != 304 || again.body != "" {
		t.Errorf("%d %s", again.status, again.body)
	}
	entries, err := w.log.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	logged := ""
	for _, en := range entries {
		if en.Event.Noun == disclosure.Noun && logged == "" {
			logged = en.Event.Facts.Text("sha256")
		}
	}
	if logged != e.SHA256 {
		t.Errorf("the log has %q", logged)
	}
	page := w.do("GET", "", "/v1/disclosures/"+e.ID+"/page", "", nil)
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(page.header.Get("Content-Security-Policy"), "style-src 'sha256-") {
		t.Errorf("%d %v", page.status, page.header)
	}
	open := w.do("GET", "", "/v1/open-data/320402/2026", "", nil)
	files := map[string][]byte{disclosure.ManifestFile: []byte(open.body)}
	for _, name := range disclosure.FileNames() {
		f := w.do("GET", "", "/v1/open-data/320402/2026/"+name, "", nil)
		w.want(f, 200, "")
		files[name] = []byte(f.body)
	}
	if wrong := disclosure.Recompute(files); len(wrong) != 0 {
		t.Errorf("open data does not add up: %v", wrong)
	}
	for _, bad := range []string{"/320402/2025", "/320402/26", "/320402/x", "/110101/2026", "/x/2026", "/320402005/2026", "/320402/2026/passwords.csv", "/320402/2026/manifest.json"} {
		w.want(w.do("GET", "", "/v1/open-data"+bad, "", nil), 404, "disclosure-not-found")
	}
	for _, id := range []string{"x", w.IDs.New(), strings.Repeat("0", 300)} {
		w.want(w.do("GET", "", "/v1/disclosures/"+id, "", nil), 404, "disclosure-not-found")
	}
	for _, canary := range append(w.planted, "629999", "某路", "失火", "fire", "b1.", clerk, "account\":") {
		if strings.Contains(w.said.String(), canary) {
			t.Errorf("%q is in the open", canary)
		}
	}
	w.Pass(31 * 24 * time.Hour)
	hidden("after its day")
	w.want(w.do("GET", "", "/v1/open-data/320402/2026", "", nil), 200, "") // sums stay
}

// By name only where a region says so, masked, and a minor as somebody's child.
func TestNamesWhereARegionWantsThem(t *testing.T) {
	t.Parallel()
	w := open(t, func(text []byte) []byte {
		text = bytes.ReplaceAll(text, []byte("name_emergency:\n    value: false"), []byte("name_emergency:\n    value: true"))
		text = bytes.ReplaceAll(text, []byte("pre_days:\n    value: 0"), []byte("pre_days:\n    value: 7"))
		return bytes.ReplaceAll(text, []byte("skip_if_emergency:\n    value: true"), []byte("skip_if_emergency:\n    value: false"))
	})
	for range 4 {
		w.granted()
	}
	w.granted(func(s *application.Submission) {
		s.Particulars.Members = []application.Member{{Person: s.Particulars.Subject, Kinship: application.Parent}}
		s.Particulars.Subject = w.Holder("32040220150601001")
		s.Particulars.Holder = application.RoleMember(0)
		s.Relation = application.Household
	})
	e := w.public()
	names := map[string]int{}
	for _, l := range lines(t, e) {
		names[l.Name]++
	}
	d, err := e.Document()
	if names["王*安"] != 4 || names["王*安之子女"] != 1 || err != nil || d.Kind != disclosure.Consultation || d.Title != "社会救助公示" {
		t.Errorf("%v %s %s %v", names, d.Kind, d.Title, err)
	}
}

func TestAnObjectionIsAnsweredBySomebodyElse(t *testing.T) {
	t.Parallel()
	w := open(t)
	for range 6 {
		w.granted()
	}
	e := w.public()
	line := lines(t, e)[0].Line
	path := "/v1/disclosures/" + e.ID + "/lines/" + line + "/objections"
	const words = "这家人上个月刚买了新车，请核实。"
	w.want(w.do("POST", "", path, "k", m{"text": words}), 401, "not-signed-in")
	w.want(w.do("POST", clerk, path, "k", m{"text": words}), 403, "wrong-caller")
	w.want(w.do("POST", citizen, path, "", m{"text": words}), 400, "idempotency-key-missing")
	w.want(w.do("POST", citizen, path, "k", m{"text": "短"}), 400, "invalid-fields")
	first := w.do("POST", citizen, path, "k", m{"text": words})
	w.want(first, 201, "")
	if again := w.do("POST", citizen, path, "k", m{"text": words}); again.body != first.body || again.status != 201 {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	w.want(w.do("POST", citizen, path, "k", m{"text": "另一番话。"}), 422, "idempotency-mismatch")
	for _, bad := range []string{"/v1/disclosures/" + e.ID + "/lines/" + w.IDs.New(), "/v1/disclosures/" + w.IDs.New() + "/lines/" + line, "/v1/disclosures/x/lines/y"} {
		w.want(w.do("POST", citizen, bad+"/objections", w.IDs.New(), m{"text": words}), 404, "disclosure-not-found")
	}
	id := first.text("id")
	if first.text("due") == "" || first.text("next") == "" {
		t.Errorf("%s", first.body)
	}
	mine := "/v1/disclosures/" + e.ID + "/objections/" + id
	w.want(w.do("GET", "li", mine, "", nil), 404, "disclosure-not-found")
	w.want(w.do("GET", citizen, mine, "", nil), 200, "")

	task := "/v1/staff/disclosures/" + e.ID + "/objections/" + id
	w.want(w.do("GET", clerk, task, "", nil), 403, "not-allowed")
	seen := w.do("GET", county, task, "", nil)
	if seen.status != 200 || seen.text("text") != words || strings.Contains(seen.body, citizen) {
		t.Errorf("%d %s", seen.status, seen.body)
	}
	source, err := e.Source(line)
	if err != nil || len(w.Events(reading.Of(source.Application))) != 1 {
		t.Errorf("the look is not in the record: %v", err)
	}
	answer := m{"version": 1, "result": "upheld", "reasons": "经核实情况属实，相关内容予以撤下。"}
	w.want(w.do("POST", approver, task+"/answers", "a", answer), 403, "objection-same-person")
	w.want(w.do("POST", supervisor, task+"/answers", "a", answer), 403, "supervision-reads-only")
	// The county's approver had part in this very decision under another account.
	s, err := staff.Get(t.Context(), w.Store, county)
	if err != nil {
		t.Fatal(err)
	}
	person := s.Person
	revise := func(p string) {
		t.Helper()
		s, err := staff.Get(t.Context(), w.Store, county)
		if err != nil {
			t.Fatal(err)
		}
		s.Person, s.Papers = p, nil
		body, err := json.Marshal(s)
		if err == nil {
			err = w.Store.Transact(t.Context(), table.Replace{Item: table.Item{Key: staff.Key(s.ID), Version: s.Version + 1, Body: body}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	revise("b1.two")
	w.want(w.do("POST", county, task+"/answers", "a", answer), 403, "objection-same-person")
	revise(person)
	w.want(w.do("POST", county, task+"/answers", "a", m{"version": 2, "result": "upheld", "reasons": answer["reasons"]}), 409, "disclosure-moved")
	done := w.do("POST", county, task+"/answers", "a", answer)
	w.want(done, 201, "")
	if again := w.do("POST", county, task+"/answers", "a", answer); again.body != done.body {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	w.want(w.do("POST", chief, task+"/answers", "b", answer), 409, "objection-answered")
	got := w.do("GET", citizen, mine, "", nil)
	if got.text("result") != "upheld" || got.text("reasons") != answer["reasons"] {
		t.Errorf("%s", got.body)
	}
	// Taken down with all of its place, hidden until the new hash is in the log, and
	// then public without lines.
	w.want(w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil), 404, "disclosure-not-found")
	w.sequence()
	w.run()
	after := w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil)
	if after.status != 200 || !strings.Contains(after.body, `"lines":[],"taken_down":true`) || strings.Contains(after.body, line) || !strings.Contains(after.body, `"persons":6`) {
		t.Errorf("%d %s", after.status, after.body)
	}
	w.want(w.do("POST", citizen, path, w.IDs.New(), m{"text": words}), 404, "disclosure-not-found")
	if strings.Contains(fmt.Sprint(w.Events(disclosure.Partition(firstaidtest.County, 2026))), words) {
		t.Error("what was objected stands in the clear")
	}
}

func TestTakingDown(t *testing.T) {
	t.Parallel()
	w := open(t)
	for range 5 {
		w.granted()
	}
	e := w.public()
	line := lines(t, e)[0].Line
	path := "/v1/staff/disclosures/" + e.ID + "/lines/" + line + "/takedowns"
	body := m{"version": e.Version, "reason": "deceased", "note": "家属来电。"}
	w.want(w.do("POST", clerk, path, "k", body), 403, "not-allowed")
	w.want(w.do("POST", auditor, path, "k", body), 403, "not-allowed")
	w.want(w.do("POST", "320400-approver-2", path, "k", body), 401, "not-signed-in")
	w.want(w.do("POST", supervisor, path, "k", m{"version": 1, "reason": "deceased"}), 409, "disclosure-moved")
	for _, bad := range []string{"/v1/staff/disclosures/x/lines/y/takedowns", "/v1/staff/disclosures/" + e.ID + "/lines/" + w.IDs.New() + "/takedowns"} {
		w.want(w.do("POST", supervisor, bad, w.IDs.New(), body), 404, "disclosure-not-found")
	}
	done := w.do("POST", supervisor, path, "k", body)
	w.want(done, 201, "")
	if again := w.do("POST", supervisor, path, "k", body); again.body != done.body {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	w.want(w.do("POST", supervisor, path, "k2", body), 404, "disclosure-not-found")
	w.want(w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil), 404, "disclosure-not-found")
}

// Dead or stopped: the machine takes it down by itself.
func TestWhoDiesIsTakenDown(t *testing.T) {
	t.Parallel()
	w := open(t)
	var last application.Application
	for range 6 {
		last = w.granted()
	}
	e := w.public()
	by := event.Actor{Kind: event.System, ID: "test"}
	w.Change(last.ID, "held", func(a application.Application) (application.Application, error) {
		next, _, err := a.PlaceHold(application.NewHold(a.ID, a.Version, policy.HoldDeathRecord, by, w.Now(), w.Now().Add(time.Hour)))
		return next, err
	})
	w.run()
	w.want(w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil), 404, "disclosure-not-found")
	w.sequence()
	w.run()
	if got := w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil); got.status != 200 || !strings.Contains(got.body, `"taken_down":true`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Run twice at once, day after day, and through a store that fails: every
// decision is told once, and a county that fails keeps no other from it.
func TestEveryDecisionIsToldOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	want := 0
	for day := range 3 {
		for range 5 + day {
			w.granted()
			want++
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := disclose.Run(context.Background(), w.deps); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		w.Pass(24 * time.Hour)
		w.sequence()
	}
	w.run()
	all, err := disclosure.List(t.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d editions, %v", len(all), err)
	}
	told := map[string]bool{}
	for i, e := range all {
		for _, key := range e.Keys {
			if told[key] {
				t.Errorf("%s is told twice", key)
			}
			told[key] = true
		}
		if e.Number != i+1 || e.State != disclosure.Published {
			t.Errorf("edition %d is %s", e.Number, e.State)
		}
	}
	if len(told) != want {
		t.Errorf("%d of %d are told", len(told), want)
	}
	files, err := disclosure.Open(all)
	if err != nil || len(disclosure.Recompute(files)) != 0 {
		t.Errorf("does not add up: %v %v", disclosure.Recompute(files), err)
	}
}

// failing is a store whose nth call fails.
type failing struct {
	table.Store
	mu   sync.Mutex
	left int
}

func (f *failing) blown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	return f.left == 0
}

func (f *failing) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if f.blown() {
		return table.Item{}, false, table.ErrBusy
	}
	return f.Store.Get(ctx, k)
}

func (f *failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if f.blown() {
		return table.Page{}, table.ErrBusy
	}
	return f.Store.Query(ctx, q)
}

func (f *failing) Transact(ctx context.Context, w ...table.Write) error {
	if f.blown() {
		return table.ErrBusy
	}
	return f.Store.Transact(ctx, w...)
}

// If we die anywhere, the next run goes on.
func TestTheStoreFailsAnywhere(t *testing.T) {
	t.Parallel()
	w := open(t)
	for range 5 {
		w.granted()
	}
	d := w.deps
	f := &failing{Store: w.Store}
	d.Table = f
	failed := 0
	for n := 1; ; n += 7 { // every seventh call: there are hundreds
		f.left = n
		err := disclose.Run(t.Context(), d)
		whole := f.left > 0
		if whole {
			break
		}
		if err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
	f.left = -1
	if e := w.public(); e.State != disclosure.Published {
		t.Errorf("it is %s", e.State)
	}
	all, err := disclosure.List(t.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil || len(all) != 1 {
		t.Errorf("%d editions, %v", len(all), err)
	}
}
