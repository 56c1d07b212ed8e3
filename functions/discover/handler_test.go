package discover_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/discover"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/tabletest"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
)

const (
	clerk      = "320400-clerk-1"
	grid       = "320400-grid-1"
	stranger   = "511700-clerk-1"
	approver   = "320400-approver-1"
	supervisor = "320400-supervisor-1"
	township   = string(firstaidtest.Township)
	village    = "320402005001"
	device     = "00000000000000000000000001"
)

type m = map[string]any

// world is an office with this function served over real HTTP.
type world struct {
	*firstaidtest.Office
	t        *testing.T
	url      string
	sessions *session.Store
	gate     *tabletest.Gate
	keys     atomic.Int64
	people   atomic.Int64

	mu  sync.Mutex
	all []string // every answer that was not a list to walk
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{Office: firstaidtest.New(t), t: t}
	w.gate = &tabletest.Gate{Store: w.Store}
	w.sessions = session.NewStore(w.Store, rand.Reader, w.Now)
	d := discover.Deps{Table: w.gate, Box: w.Box, Blind: w.Blind, Book: w.Book, Tree: w.Tree, Now: w.Now}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: w.sessions, Watch: watch.Over(w.Store, w.Now), Now: w.Now, IDs: w.IDs,
		Logger: telemetry.NewLogger(t.Output(), slog.LevelError)}, discover.Routes(d)...))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

type reply struct {
	status int
	body   string
	out    m
}

func (r reply) number(name string) int { n, _ := r.out[name].(float64); return int(n) }
func (r reply) list(name string) []m {
	var out []m
	list, _ := r.out[name].([]any)
	for _, one := range list {
		out = append(out, one.(m))
	}
	return out
}

func (w *world) send(who, method, path, key string, body any) reply {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	if body == nil {
		raw = nil
	}
	req, err := http.NewRequest(method, w.url+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := w.sessions.Open(w.t.Context(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: who}, TTL: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if raw != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{status: res.StatusCode, body: string(answer)}
	_ = json.Unmarshal(answer, &r.out)
	if path != "/v1/staff/visit-lists" {
		w.mu.Lock()
		w.all = append(w.all, r.body)
		w.mu.Unlock()
	}
	return r
}

func (w *world) post(who, path string, body any) reply {
	return w.send(who, "POST", path, fmt.Sprintf("key-%d", w.keys.Add(1)), body)
}

func (r reply) want(t *testing.T, status int, code string) reply {
	t.Helper()
	got, _ := r.out["code"].(string)
	if r.status != status || code != "" && got != code {
		t.Fatalf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
	return r
}

// number is 17 digits with the check that GB 11643 gives them.
func number(digits string) string {
	weights, sum := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}, 0
	for i, w := range weights {
		sum += int(digits[i]-'0') * w
	}
	return digits + string("10X98765432"[sum%11])
}

// somebody is a person who does not exist, with a valid number.
func (w *world) somebody() m {
	n := w.people.Add(1)
	return m{"name": "赵小满", "paper": m{"kind": "id_card", "number": number(fmt.Sprintf("32040219850607%03d", 800+n))}, "phone": "13900000001", "address": "天宁街道甲字楼二单元"}
}

func (w *world) row(number string, more m) m {
	row := m{"number": number, "kind": "fire", "place": village, "happened_on": "2026-11-19", "person": w.somebody()}
	for k, v := range more {
		row[k] = v
	}
	return row
}

func (w *world) hand(rows ...m) reply {
	w.t.Helper()
	return w.post(clerk, "/v1/staff/signals", m{"source": "fire-brigade", "rows": rows})
}

func (w *world) walk(who string, most int) reply {
	w.t.Helper()
	return w.post(who, "/v1/staff/visit-lists", m{"township": township, "most": most}).want(w.t, 200, "")
}

func (w *world) record(number int, more m) m {
	rec := m{"number": number, "at": w.Now().Add(-time.Hour).Format(time.RFC3339), "finding": "nobody_home"}
	for k, v := range more {
		rec[k] = v
	}
	return rec
}

func (w *world) sync(records ...m) reply {
	w.t.Helper()
	return w.post(grid, "/v1/staff/visit-records", m{"device": device, "records": records})
}

// signal is the one open or ended signal under a source's number.
func (w *world) signal(number string) discovery.Signal {
	w.t.Helper()
	s, err := discovery.Get(w.t.Context(), w.Store, discovery.SignalID("fire-brigade", number))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) events(pk string) (out []event.Event) {
	w.t.Helper()
	page, err := w.Store.Query(w.t.Context(), table.Query{PK: pk}.Prefix(event.Prefix))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, item := range page.Items {
		e, err := event.Decode(item)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// From a list of the fire brigade to an application on the person's behalf.
func TestAFireSomebodyDidNotApplyFor(t *testing.T) {
	t.Parallel()
	w := open(t)
	r := w.hand(w.row("1", nil), w.row("2", m{"kind": "job_loss"})).want(t, 200, "")
	if r.number("new") != 2 || r.number("known") != 0 {
		t.Fatal(r.body)
	}
	again := w.hand(w.row("1", nil), w.row("2", m{"kind": "job_loss"})).want(t, 200, "")
	if again.number("new") != 0 || again.number("known") != 2 {
		t.Errorf("the same list twice: %s", again.body)
	}
	doors := w.walk(grid, 5).list("doors")
	if len(doors) != 2 || doors[0]["kind"] != "fire" || doors[0]["name"] != "赵小满" || doors[0]["address"] == "" {
		t.Fatalf("%v", doors)
	}
	agreed := application.Authorisation().SHA256
	out := w.sync(w.record(1, m{"signal": doors[0]["signal"], "finding": "needs_help", "needs": []string{"money", "food"}, "consent_sha256": agreed, "story": "房子烧了"}),
		w.record(2, m{"signal": doors[1]["signal"]})).want(t, 200, "")
	recs := out.list("records")
	if recs[0]["result"] != "stored" || recs[1]["result"] != "stored" || recs[0]["application"] == nil {
		t.Fatal(out.body)
	}
	id := recs[0]["application"].(string)
	a, err := application.Get(t.Context(), w.Store, id)
	if err != nil || a.State != application.Accepted || a.Relation != application.Outreach || a.Cause != "fire" || a.Township != firstaidtest.Township {
		t.Fatalf("%+v, %v", a, err)
	}
	s := w.signal("1")
	if s.State != discovery.Helped || s.Application != id || s.Visits != 1 {
		t.Errorf("%+v", s)
	}
	if s := w.signal("2"); s.State != discovery.Open || s.Visits != 1 || s.Finding != "nobody_home" {
		t.Errorf("nobody was home, and %+v", s)
	}
	// Whoever filed is concerned: the application knows the person behind the account.
	var filer event.Actor
	for _, e := range w.events(application.Partition(id)) {
		if e.Noun == application.Noun && e.Version == 1 {
			filer = e.Actor
		}
	}
	if filer.ID != grid || filer.Kind != event.Staff || filer.Person == "" || !slices.Contains(a.People, filer.Person) {
		t.Errorf("filed by %+v, people %d", filer, len(a.People))
	}
	// Showing the doors was written down, with which fields.
	if looks := w.events(reading.Of(discovery.Noun + "-" + s.ID)); len(looks) != 1 || looks[0].Actor.ID != grid {
		t.Errorf("%d looks", len(looks))
	}
	// Nothing that anybody else was answered, and no event, says who it is.
	for _, e := range append(w.events(discovery.Partition(s.ID)), w.events(application.Partition(id))...) {
		raw, _ := json.Marshal(e)
		w.all = append(w.all, string(raw))
	}
	for _, text := range w.all {
		if strings.Contains(text, "赵小满") || strings.Contains(text, "13900000001") || strings.Contains(text, "甲字楼") || strings.Contains(text, "房子烧了") {
			t.Errorf("somebody's particulars: %s", text)
		}
	}
}

// What a device wrote down is stored once, whatever happens to the request.
func TestSynchronisation(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.hand(w.row("1", nil)).want(t, 200, "")
	door := w.walk(grid, 1).list("doors")[0]["signal"]
	agreed := application.Authorisation().SHA256
	one := w.record(1, m{"signal": door, "finding": "needs_help", "consent_sha256": agreed})
	w.gate.Lose.Store(true) // stored, and nobody heard of it
	first := w.sync(one)
	second := w.sync(one).want(t, 200, "")
	if r := second.list("records")[0]; r["result"] != "known" || r["application"] == nil {
		t.Errorf("first %d, then %s", first.status, second.body)
	}
	if s := w.signal("1"); s.Visits != 1 || s.State != discovery.Helped {
		t.Errorf("%+v", s)
	}
	// Other content under the same number changes nothing and is said to the device.
	other := w.record(1, m{"signal": door, "finding": "no_need"})
	if r := w.sync(other).want(t, 200, "").list("records")[0]; r["result"] != "refused" || r["code"] != "visit-differs" {
		t.Errorf("%v", r)
	}
	// Out of order, with a bad one between: the good ones are kept, the gap is named.
	r := w.sync(w.record(5, m{"signal": door}), w.record(4, m{"signal": "nothing"}), w.record(3, m{"signal": door})).want(t, 200, "")
	got := r.list("records")
	if got[0]["result"] != "stored" || got[1]["result"] != "refused" || got[2]["result"] != "stored" {
		t.Error(r.body)
	}
	if missing := fmt.Sprint(r.out["missing"]); missing != "[2 4]" {
		t.Errorf("missing %s", missing)
	}
	// The same records in two requests at once.
	var wg sync.WaitGroup
	results := make([]string, 6)
	for i := range results {
		wg.Go(func() { results[i] = fmt.Sprint(w.sync(w.record(9, m{"signal": door})).list("records")[0]["result"]) })
	}
	wg.Wait()
	slices.Sort(results)
	if fmt.Sprint(slices.Compact(results)) != "[known stored]" || w.signal("1").Visits != 4 {
		t.Errorf("%v, %d visits", results, w.signal("1").Visits)
	}
}

// Two workers are not sent to one door, and a worker who asks again gets the same.
func TestListsDoNotMeet(t *testing.T) {
	t.Parallel()
	w := open(t)
	var rows []m
	for i := range 6 {
		rows = append(rows, w.row(fmt.Sprint(i), m{"kind": "disability"}))
	}
	w.hand(rows...).want(t, 200, "")
	mine, theirs := w.walk(grid, 4).list("doors"), w.walk(clerk, 4).list("doors")
	if len(mine) != 4 || len(theirs) != 2 {
		t.Fatalf("%d and %d", len(mine), len(theirs))
	}
	seen := map[any]bool{}
	for _, d := range append(mine, theirs...) {
		if seen[d["signal"]] {
			t.Error("one door on two lists")
		}
		seen[d["signal"]] = true
	}
	if again := w.walk(grid, 40).list("doors"); len(again) != 4 {
		t.Errorf("%d doors again", len(again))
	}
	w.Pass(72 * time.Hour)
	if later := w.walk(clerk, 40).list("doors"); len(later) != 6 {
		t.Errorf("%d doors after the lists ended", len(later))
	}
	if s := w.signal("0"); !s.Due.Equal(firstaidtest.Start.AddDate(0, 0, discovery.Disability.Within())) {
		t.Errorf("the day moved to %s", s.Due)
	}
}

// Whoever applied needs no visit: found when the list comes in, when it is taken,
// and at the door.
func TestWhoHasApplied(t *testing.T) {
	t.Parallel()
	w := open(t)
	person := w.somebody()
	agreed := application.Authorisation().SHA256
	apply := func(number int, who m) {
		out := w.sync(w.record(number, m{"place": village, "person": who, "finding": "needs_help", "consent_sha256": agreed}))
		if r := out.list("records")[0]; r["result"] != "stored" || r["application"] == nil {
			t.Fatal(out.body)
		}
	}
	apply(1, person) // a door that was on no list
	if r := w.hand(w.row("1", m{"person": person})).want(t, 200, ""); r.number("applied") != 1 || w.signal("1").State != discovery.Applied {
		t.Error(r.body)
	}
	late := w.somebody()
	w.hand(w.row("2", m{"person": late})).want(t, 200, "")
	apply(2, late)
	r := w.walk(grid, 5)
	if len(r.list("doors")) != 0 || r.number("applied_meanwhile") != 1 || w.signal("2").State != discovery.Applied {
		t.Errorf("%s, %+v", r.body, w.signal("2"))
	}
	third := w.somebody()
	w.hand(w.row("3", m{"person": third})).want(t, 200, "")
	door := w.walk(grid, 5).list("doors")[0]["signal"]
	apply(3, third)
	out := w.sync(w.record(4, m{"signal": door, "finding": "needs_help", "consent_sha256": agreed})).want(t, 200, "")
	if s := w.signal("3"); s.State != discovery.Applied || s.Visits != 1 || out.list("records")[0]["application"] != s.Application {
		t.Errorf("%s, %+v", out.body, s)
	}
}

func TestWhatEndsASignal(t *testing.T) {
	t.Parallel()
	w := open(t)
	for i, c := range []struct {
		finding string
		more    m
		want    discovery.State
	}{
		{"needs_help", nil, discovery.Open}, // no consent: somebody asks again
		{"no_need", nil, discovery.Closed}, {"moved", nil, discovery.Closed}, {"died", nil, discovery.Closed}, {"declined", nil, discovery.Closed},
		{"nobody_home", nil, discovery.Open},
	} {
		number := fmt.Sprint(i)
		w.hand(w.row(number, nil)).want(t, 200, "")
		s := w.signal(number)
		w.sync(w.record(i+1, m{"signal": s.ID, "finding": c.finding})).want(t, 200, "")
		if got := w.signal(number); got.State != c.want || got.Due != s.Due {
			t.Errorf("%s: %s by %s", c.finding, got.State, got.Due)
		}
		// A later visit is kept and changes no end.
		w.sync(w.record(100+i, m{"signal": s.ID, "finding": "no_need"})).want(t, 200, "")
		if got := w.signal(number); got.Visits != 2 || c.want == discovery.Closed && got.Finding != c.finding {
			t.Errorf("%s, then %+v", c.finding, got)
		}
	}
}

func TestBadRows(t *testing.T) {
	t.Parallel()
	w := open(t)
	bad := w.row("2", m{"place": "511702001001", "happened_on": "2027-01-01", "person": m{"name": "1", "paper": m{"kind": "id_card", "number": "123"}, "phone": "12"}})
	rows := []m{w.row("1", nil), bad, w.row("1", nil)}
	r := w.hand(rows...).want(t, 400, "")
	for _, want := range []string{"/rows/1/place", "/rows/1/happened_on", "/rows/1/person/name", "/rows/1/person/paper/number", "/rows/1/person/phone", "/rows/2/number"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is not named in %s", want, r.body)
		}
	}
	if _, err := discovery.Get(t.Context(), w.Store, discovery.SignalID("fire-brigade", "1")); err == nil {
		t.Error("a row was taken although the list was refused")
	}
	r = w.post(clerk, "/v1/staff/signals", m{"source": "fire-brigade", "skip_bad": true, "rows": rows}).want(t, 200, "")
	if r.number("new") != 1 || len(r.list("bad")) != 2 {
		t.Error(r.body)
	}
	w.post(clerk, "/v1/staff/signals", m{"source": "x", "rows": []m{{"number": "1", "kind": "poverty"}}}).want(t, 400, "")
	out := w.sync(w.record(1, nil), w.record(2, m{"place": village, "person": w.somebody(), "at": "2026-11-21T00:00:00+08:00"}),
		w.record(3, m{"place": village, "person": w.somebody(), "needs": []string{"gold"}}),
		w.record(4, m{"place": village, "person": w.somebody(), "consent_sha256": strings.Repeat("0", 64)}),
		w.record(5, m{"signal": "x", "place": village}), w.record(6, m{"place": "511702001001", "person": w.somebody()})).want(t, 200, "")
	for i, r := range out.list("records") {
		if r["result"] != "refused" {
			t.Errorf("record %d: %v", i+1, r)
		}
	}
	w.post(grid, "/v1/staff/visit-records", m{"device": "not a device ident", "records": []m{w.record(1, nil)}}).want(t, 400, "")
}

func TestWhoMay(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.hand(w.row("1", nil)).want(t, 200, "")
	id := w.signal("1").ID
	list := m{"township": township, "most": 5}
	w.post(stranger, "/v1/staff/visit-lists", list).want(t, 404, "signal-not-found")
	w.post(approver, "/v1/staff/visit-lists", list).want(t, 403, "not-allowed")
	w.post(supervisor, "/v1/staff/visit-lists", list).want(t, 403, "supervision-reads-only")
	w.post(grid, "/v1/staff/signals", m{"source": "s", "rows": []m{w.row("9", nil)}}).want(t, 403, "not-allowed")
	w.post(clerk, "/v1/staff/visit-lists", m{"township": "320402000000", "most": 5}).want(t, 404, "signal-not-found")
	if r := w.post(stranger, "/v1/staff/visit-records", m{"device": device, "records": []m{w.record(1, m{"signal": id})}}).want(t, 200, ""); r.list("records")[0]["result"] != "refused" {
		t.Error(r.body)
	}
	w.send(stranger, "GET", "/v1/staff/signals?township="+township, "", nil).want(t, 404, "signal-not-found")
	w.send(supervisor, "GET", "/v1/staff/signals?township="+township+"&limit=0", "", nil).want(t, 400, "")
	w.send(supervisor, "GET", "/v1/staff/signals?township="+township+"&after=junk", "", nil).want(t, 400, "")
	r := w.send(supervisor, "GET", "/v1/staff/signals?township="+township, "", nil).want(t, 200, "")
	if got := r.list("signals"); len(got) != 1 || got[0]["id"] != id || got[0]["overdue"] != false {
		t.Error(r.body)
	}
	w.Pass(48 * time.Hour)
	if r := w.send(clerk, "GET", "/v1/staff/signals?township="+township, "", nil).want(t, 200, ""); r.list("signals")[0]["overdue"] != true {
		t.Error(r.body)
	}
	if calendar.Today(w.Now()).String() != "2026-11-22" {
		t.Error("the clock of the test is not what the rows say")
	}
}
