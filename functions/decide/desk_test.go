package decide_test

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
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
)

// The staff of Changzhou, as seeded.
const (
	clerk      = "320400-clerk-1"
	clerk2     = "320400-clerk-2"
	clerk3     = "320400-clerk-3" // of the sibling township
	reviewer   = "320400-reviewer-1"
	approver   = "320400-approver-1"
	approver2  = "320400-approver-2" // of the sibling township
	county     = "320400-county-1"
	finance    = "320400-finance-1"
	supervisor = "320400-supervisor-1"
	auditor    = "320400-auditor-1"
)

// world is an office with its API served over real HTTP.
type world struct {
	*firstaidtest.Office
	url      string
	sessions *session.Store
	tokens   map[string]string
	keys     atomic.Int64
	// between, when set, wraps the store that the API sees.
	gate *gate
}

// gate is the table as the API sees it. It can be made to wait before a
// transaction, and to fail at the nth call.
type gate struct {
	table.Store
	before atomic.Pointer[func(writes []table.Write)]
	// fuse counts calls down; the call that finds it at zero fails, and it stays
	// below zero. lose makes a failing transaction happen all the same.
	fuse atomic.Int64
	lose bool
}

func (g *gate) blown() bool { return g.fuse.Add(-1) == 0 }

func (g *gate) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if g.blown() {
		return table.Item{}, false, table.ErrBusy
	}
	return g.Store.Get(ctx, key)
}

func (g *gate) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if g.blown() {
		return table.Page{}, table.ErrBusy
	}
	return g.Store.Query(ctx, q)
}

func (g *gate) Transact(ctx context.Context, writes ...table.Write) error {
	if f := g.before.Load(); f != nil {
		(*f)(writes)
	}
	if g.blown() {
		if !g.lose {
			return table.ErrBusy
		}
		if err := g.Store.Transact(ctx, writes...); err != nil {
			return err
		}
		return table.ErrUnknown
	}
	return g.Store.Transact(ctx, writes...)
}

// watch has f see every transaction from now on.
func (g *gate) watch(f func([]table.Write)) { g.before.Store(&f) }

// once has f run before the next transaction, and never again.
func (g *gate) once(f func()) {
	var ran atomic.Bool
	h := func([]table.Write) {
		if ran.CompareAndSwap(false, true) {
			f()
		}
	}
	g.before.Store(&h)
}

func open(t *testing.T, edits ...func([]byte) []byte) *world {
	t.Helper()
	return serve(firstaidtest.New(t, edits...))
}

// serve opens an office's API and signs everybody in.
func serve(o *firstaidtest.Office, change ...func(*decide.Deps)) *world {
	t := o.T
	t.Helper()
	w := &world{Office: o, tokens: map[string]string{}}
	w.gate = &gate{Store: w.Store}
	w.sessions = session.NewStore(w.Store, rand.Reader, w.Now)
	deps := decide.Deps{Table: w.gate, Box: w.Box, Blind: w.Blind, Book: w.Book, Tree: w.Tree, IDs: w.IDs, Now: w.Now, Models: w.Models,
		Cash: decide.CashLimits{CaseFen: 2000_00, DayFen: 3000_00}}
	for _, c := range change {
		c(&deps)
	}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: w.sessions, Now: w.Now, IDs: w.IDs,
		Logger: telemetry.NewLogger(io.Discard, slog.LevelError), Watch: watch.Over(w.gate, w.Now)}, decide.Routes(deps)...))
	t.Cleanup(server.Close)
	w.url = server.URL
	for _, id := range []string{clerk, clerk2, clerk3, reviewer, approver, approver2, county, finance, supervisor, auditor,
		supervisor2, finance2, chief} {
		w.signIn(id)
	}
	return w
}

func (w *world) signIn(id string) {
	w.T.Helper()
	token, err := w.sessions.Open(w.T.Context(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: id}, TTL: 8 * time.Hour})
	if err != nil {
		w.T.Fatal(err)
	}
	w.tokens[id] = token
}

// reply is an answer read whole.
type reply struct {
	status int
	body   string
	asked  string // WWW-Authenticate
	code   string // of a problem
	fields string // codes of the bad fields
	out    map[string]any
}

func (r reply) text(name string) string { s, _ := r.out[name].(string); return s }
func (r reply) number(name string) int64 {
	n, _ := r.out[name].(float64)
	return int64(n)
}

// send makes one request with an Idempotency-Key; it may be called from any goroutine.
func (w *world) send(method, who, path, key string, body any) reply {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			return reply{body: err.Error()}
		}
		reader = strings.NewReader(string(raw))
	}
	req, err := http.NewRequest(method, w.url+path, reader)
	if err != nil {
		return reply{body: err.Error()}
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+w.tokens[who])
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{body: err.Error()}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{body: err.Error()}
	}
	r := reply{status: res.StatusCode, body: string(raw), asked: res.Header.Get("WWW-Authenticate")}
	_ = json.Unmarshal(raw, &r.out) // a body that is not JSON has no members
	if r.status >= 400 {
		r.code = r.text("code")
		list, _ := r.out["fields"].([]any)
		for _, f := range list {
			r.fields += f.(map[string]any)["code"].(string) + " "
		}
		r.fields = strings.TrimSpace(r.fields)
	}
	return r
}

func (w *world) get(who, path string) reply { return w.send("GET", who, path, "", nil) }

// post sends body to a path under one application, as a request of its own.
func (w *world) post(who, id, path string, body any) reply {
	return w.send("POST", who, "/v1/staff/applications/"+id+"/"+path, fmt.Sprintf("key-%d", w.keys.Add(1)), body)
}

type m = map[string]any

// proposed is an application that clerk-1 has made a proposal for, with the
// version that an approval restates.
func (w *world) proposed(body m) (id string, approval m) {
	w.T.Helper()
	id = w.Verify(w.Apply(w.Person()).ID).ID
	if body == nil {
		body = m{}
	}
	r := w.post(clerk, id, "proposals", body)
	w.want(r, 201, "")
	return id, m{"proposal_version": r.number("proposal_version"), "amount_fen": r.number("amount_fen")}
}

func (w *world) want(r reply, status int, code string) {
	w.T.Helper()
	if r.status != status || r.code != code {
		w.T.Fatalf("got %d %s, want %d %s\n%s", r.status, r.code, status, code, r.body)
	}
}

// staff is one member of staff as stored.
func (w *world) staff(id string) staff.Staff {
	w.T.Helper()
	s, err := staff.Get(w.T.Context(), w.Store, id)
	if err != nil {
		w.T.Fatal(err)
	}
	return s
}

// marks are the reasons of the accesses that one member of staff was denied.
func (w *world) marks(id string) string {
	var all []string
	for _, e := range w.Events(reading.By(id)) {
		if e.Kind == "denied" {
			all = append(all, e.Reason)
		}
	}
	return strings.Join(all, " ")
}
