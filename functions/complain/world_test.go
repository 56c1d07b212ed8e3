package complain_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/complain"
	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table/tabletest"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
)

// The staff of Changzhou, as seeded.
const (
	clerk          = "320400-clerk-1"
	clerk2         = "320400-clerk-2"
	clerk3         = "320400-clerk-3" // of the sibling township
	reviewer       = "320400-reviewer-1"
	approver       = "320400-approver-1"
	countyClerk    = "320400-clerk-4"
	countyReviewer = "320400-reviewer-2"
	finance        = "320400-finance-1"
	auditor        = "320400-auditor-1"
	supervisor     = "320400-supervisor-1" // of the city
	supervisor2    = "320400-supervisor-2" // of the city
	district       = "320400-supervisor-3"

	township = string(firstaidtest.Township)
	sibling  = string(firstaidtest.Sibling)
	county   = string(firstaidtest.County)
	city     = "320400000000"
	village  = "320402005001"
)

type m = map[string]any

// world is an office with the API of complaints served over real HTTP.
type world struct {
	*firstaidtest.Office
	url      string
	sessions *session.Store
	book     *complaint.Book
	gate     *tabletest.Gate
	keys     atomic.Int64

	mu     sync.Mutex
	tokens map[string]string
	seen   map[string][]string // every answer, by who got it
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{Office: firstaidtest.New(t), tokens: map[string]string{}, seen: map[string][]string{}}
	w.gate = &tabletest.Gate{Store: w.Store}
	w.sessions = session.NewStore(w.Store, rand.Reader, w.Now)
	var err error
	if w.book, err = complaint.Shipped(); err != nil {
		t.Fatal(err)
	}
	papers, err := document.OpenDirectory(t.TempDir(), w.Box)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = papers.Close() })
	deps := complain.Deps{Table: w.gate, Box: w.Box, Blind: w.Blind, Book: w.book, Tree: w.Tree, Documents: papers, IDs: w.IDs, Now: w.Now}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: w.sessions, Watch: watch.Over(w.Store, w.Now), Now: w.Now, IDs: w.IDs,
		Logger: telemetry.NewLogger(io.Discard, slog.LevelError)}, complain.Routes(deps)...))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// token signs somebody in: staff by their ids, anybody else as a citizen.
func (w *world) token(who string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if who == "" {
		return ""
	}
	name := who + " " + w.Now().Format(time.DateOnly)
	if t := w.tokens[name]; t != "" {
		return t
	}
	kind := session.Citizen
	if strings.HasPrefix(who, "320400-") {
		kind = session.Staff
	}
	t, err := w.sessions.Open(context.Background(), session.Opening{Principal: session.Principal{Kind: kind, ID: who}, TTL: 23 * time.Hour})
	if err != nil {
		w.T.Error(err)
	}
	w.tokens[name] = t
	return t
}

// reply is an answer read whole.
type reply struct {
	status int
	body   string
	code   string // of a problem
	fields string // pointers of the bad fields
	out    m
}

func (r reply) text(name string) string { s, _ := r.out[name].(string); return s }
func (r reply) part(name string) reply  { o, _ := r.out[name].(m); return reply{out: o} }

// send makes one request; it may be called from any goroutine.
func (w *world) send(method, who, path, key string, body any) reply {
	raw := []byte(nil)
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return reply{body: err.Error()}
		}
	}
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(string(raw)))
	if err != nil {
		return reply{body: err.Error()}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if t := w.token(who); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{body: err.Error()}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{body: err.Error()}
	}
	r := reply{status: res.StatusCode, body: string(answer)}
	_ = json.Unmarshal(answer, &r.out) // a body that is not JSON has no members
	if r.status >= 400 {
		r.code = r.text("code")
		list, _ := r.out["fields"].([]any)
		for _, f := range list {
			r.fields += f.(m)["pointer"].(string) + " "
		}
		r.fields = strings.TrimSpace(r.fields)
	}
	w.mu.Lock()
	w.seen[who] = append(w.seen[who], r.body)
	w.mu.Unlock()
	return r
}

func (w *world) get(who, path string) reply { return w.send("GET", who, path, "", nil) }

func (w *world) key() string { return fmt.Sprintf("key-%d", w.keys.Add(1)) }

// act is one act of staff on a complaint, as a request of its own.
func (w *world) act(who, id, path string, body any) reply {
	return w.send("POST", who, "/v1/staff/complaints/"+id+"/"+path, w.key(), body)
}

// mine is one act of a complainant who is signed in.
func (w *world) mine(who, id, path string, body any) reply {
	return w.send("POST", who, "/v1/complaints/"+id+"/"+path, w.key(), body)
}

func (w *world) want(r reply, status int, code string) reply {
	w.T.Helper()
	if r.status != status || r.code != code {
		w.T.Fatalf("got %d %s, want %d %s\n%s", r.status, r.code, status, code, r.body)
	}
	return r
}

// The name, telephone and words of a complainant, by which a leak is seen.
const (
	canaryName  = "赵金丝雀"
	canaryPhone = "19900314159"
	canaryStory = "我住桥西第三间，我的救助金被扣了一半。"
)

func matter(more m) m {
	in := m{"place": village, "module": "hardship-allowances", "item": "first-aid", "description": canaryStory}
	for k, v := range more {
		in[k] = v
	}
	return in
}

func sealed(more m) m {
	in := matter(m{"name": canaryName, "phone": canaryPhone})
	for k, v := range more {
		in[k] = v
	}
	return in
}

// filed is a complaint of citizen's.
func (w *world) filed(citizen string, more m) string {
	w.T.Helper()
	return w.want(w.send("POST", citizen, "/v1/complaints", w.key(), sealed(more)), 201, "").text("id")
}

const brief = "群众反映救助金未足额发放，请核实近三个月发放情况。"

// assigned is one that was taken and handed to division.
func (w *world) assigned(citizen, division string, more m) string {
	w.T.Helper()
	id := w.filed(citizen, more)
	w.want(w.act(district, id, "acceptance", m{}), 201, "")
	w.want(w.act(district, id, "assignments", m{"division": division, "brief": brief}), 201, "")
	return id
}

// handled is one that the clerk of the township found something about.
func (w *world) handled(citizen string, more m) string {
	w.T.Helper()
	id := w.assigned(citizen, township, more)
	w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "查实漏发一笔，已补发。"}), 201, "")
	return id
}

func (w *world) passed(id, who string) reply {
	return w.act(who, id, "reviews", m{"finding_version": w.read(id).Finding.Version, "pass": true, "text": "同意。"})
}

// replied is one that was answered.
func (w *world) replied(citizen string, more m) string {
	w.T.Helper()
	id := w.handled(citizen, more)
	w.want(w.passed(id, reviewer), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": "您反映的情况属实，差额已经补发到账，请查收。"}), 201, "")
	return id
}

func (w *world) read(id string) complaint.Complaint {
	w.T.Helper()
	c, err := complaint.Get(context.Background(), w.Store, id)
	if err != nil {
		w.T.Fatal(err)
	}
	return c
}

// kinds are the events of a complaint, in order.
func (w *world) kinds(id string) string {
	var all []string
	for _, e := range w.Events(complaint.Partition(id)) {
		all = append(all, e.Kind)
	}
	return strings.Join(all, " ")
}

// sweep is the machine passing by.
func (w *world) sweep() sweep.Report {
	w.T.Helper()
	r, err := sweep.Run(context.Background(), sweep.Deps{Table: w.Store, Book: w.Book, Complaints: w.book, Now: w.Now, Metrics: telemetry.Discard,
		Log: telemetry.NewLogger(io.Discard, slog.LevelError), Send: nobody{}}, 0)
	if err != nil || r.Failed > 0 {
		w.T.Fatalf("%+v %v", r, err)
	}
	return r
}

type nobody struct{}

func (nobody) Send(context.Context, string, []byte, time.Duration) error { return nil }

// revise stores somebody's next version, as the registry would.
func (w *world) revise(id string, change func(*staff.Staff)) {
	w.T.Helper()
	s, err := staff.Get(context.Background(), w.Store, id)
	if err != nil {
		w.T.Fatal(err)
	}
	change(&s)
	if err := staff.Assign(context.Background(), w.Store, s, s.Grants, event.Actor{Kind: event.System, ID: "test"}, w.Now()); err != nil {
		w.T.Fatal(err)
	}
}
