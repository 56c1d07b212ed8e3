// Package attack is the worst user, by number: every open item of the attack
// list that concerns the routes built now, over real HTTP against whole local
// systems, and scenarios in which the world outside misbehaves. After each test
// the store and the bank's book are held to the invariants.
package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/invariant"
	"github.com/doudi-aid/doudi/test/openapi"
)

const (
	region   = "320400"
	township = "320402005000"
	county   = "320402000000"
)

// began is when every test begins: a Monday morning, far from the year's end, at
// which every fund is closed.
var began = time.Date(2026, 9, 7, 10, 0, 0, 0, calendar.Zone)

// clock runs as the machine's does, from began on and ahead by as much as a test
// wants.
type clock struct {
	started time.Time // by the machine's clock
	ahead   atomic.Int64
}

func (c *clock) Now() time.Time { return began.Add(time.Since(c.started) + c.gone()) }

// gone is how much time tests have let go by.
func (c *clock) gone() time.Duration { return time.Duration(c.ahead.Load()) }

// pass lets d go by. What was due before is done first, because a call that is
// under way when a minute jumps by looks dead to everybody else, and what comes
// due by then is done, and has had its answers, when it returns: a system that
// is left behind by its clock proves nothing.
func (o *office) pass(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	before := o.Follow(ctx)
	o.clock.ahead.Add(int64(d))
	if err := errors.Join(before, o.Follow(ctx)); err != nil {
		t.Fatalf("after %s: %v", d, err)
	}
}

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// office is one whole local system under attack.
type office struct {
	*local.System
	clock *clock
	log   *lines
	http  *http.Client

	mu     sync.Mutex
	tokens map[string]session
	latest map[table.Key]table.Item // everything written since the start
	broken []error                  // versions that were left out or written twice
	stop   context.CancelFunc
	read   sync.WaitGroup
}

// open starts a system. The caller closes it.
func open(change func(*local.Options)) (*office, error) {
	o := &office{clock: &clock{started: time.Now()}, log: &lines{}, tokens: map[string]session{}, latest: map[table.Key]table.Item{},
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}}}
	many := httpapi.Limits{PerSecond: 1e6, Burst: 1e6, Misses: 1e6}
	opts := local.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Store: local.Embedded, SweepEvery: 400 * time.Millisecond,
		PayDelay: 20 * time.Millisecond, BankRate: 1e6, Limits: many, Log: o.log, Level: slog.LevelInfo, Now: o.clock.Now}
	opts.WithoutLog = true // what is attacked here is told of in the log, and not changed by it
	change(&opts)
	s, err := local.Start(context.Background(), opts)
	if err != nil {
		return nil, err
	}
	o.System = s
	ctx, stop := context.WithCancel(context.Background())
	o.stop = stop
	if feed, ok := s.Table.(table.Feed); ok {
		o.read.Go(func() { o.follow(ctx, feed) })
	}
	return o, nil
}

func (o *office) close() error {
	o.stop()
	o.read.Wait()
	o.http.CloseIdleConnections()
	return o.Close()
}

// follow keeps a diary of everything that is written.
func (o *office) follow(ctx context.Context, feed table.Feed) {
	for ctx.Err() == nil {
		changes, err := feed.Next(ctx, "attack", 512)
		if err != nil {
			return
		}
		o.mu.Lock()
		for _, c := range changes {
			before, known := o.latest[c.Item.Key]
			if known && c.Item.Version != before.Version+1 {
				o.broken = append(o.broken, fmt.Errorf("%s %s went from version %d to %d", c.Item.Key.PK, c.Item.Key.SK, before.Version, c.Item.Version))
			}
			o.latest[c.Item.Key] = c.Item
		}
		o.mu.Unlock()
		if len(changes) > 0 {
			if err := feed.Ack(ctx, "attack", changes[len(changes)-1].Seq); err != nil {
				return
			}
		}
	}
}

// everything is a copy of the whole store.
func (o *office) everything() map[table.Key]table.Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[table.Key]table.Item, len(o.latest))
	for k, v := range o.latest {
		all[k] = v
	}
	return all
}

// own starts a system for one test.
func own(t *testing.T, change func(*local.Options)) *office {
	t.Helper()
	o, err := open(change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

var (
	common     *office
	commonErr  error
	commonOnce sync.Once
)

// shared is the system that most tests attack together.
func shared(t *testing.T) *office {
	t.Helper()
	commonOnce.Do(func() { common, commonErr = open(func(*local.Options) {}) })
	if commonErr != nil {
		t.Fatal(commonErr)
	}
	return common
}

// atOnce is how many tests run together: most of them wait for something.
const atOnce = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	debug.SetGCPercent(400) // many small systems that live for a moment
	code := m.Run()
	if common != nil {
		if err := errors.Join(append(common.broken, common.close())...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// reply is what came back over the wire.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// problem is a problem document.
type problem struct {
	Type   string `json:"type"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Fields []struct {
		Pointer string `json:"pointer"`
		Code    string `json:"code"`
		Detail  string `json:"detail"`
	} `json:"fields"`
}

func (r reply) problem() (p problem) {
	_ = json.Unmarshal(r.body, &p) // no problem reads as the empty one
	return p
}

// at is the code of the problem with one field.
func (r reply) at(pointer string) string {
	for _, f := range r.problem().Fields {
		if f.Pointer == pointer {
			return f.Code
		}
	}
	return ""
}

func (r reply) read(t *testing.T, out any) {
	t.Helper()
	if err := json.Unmarshal(r.body, out); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

// is fails the test unless r has the status, and the code when there is one.
func (r reply) is(t *testing.T, status int, code string) reply {
	t.Helper()
	if r.status != status || (code != "" && r.problem().Code != code) {
		t.Errorf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
	return r
}

// caller is somebody with a token, or without.
type caller struct {
	o     *office
	token string
	id    string // staff id, for staff
}

// raw is a body that is sent as it is.
type raw []byte

// call makes one request. The reply is held against the API document.
func (c caller) call(t *testing.T, method, path, key string, body any, change ...func(*http.Request)) reply {
	t.Helper()
	r, err := c.try(t.Context(), method, path, key, body, change...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (c caller) try(ctx context.Context, method, path, key string, body any, change ...func(*http.Request)) (reply, error) {
	var sent []byte
	switch b := body.(type) {
	case nil:
	case raw:
		sent = b
	default:
		var err error
		if sent, err = json.Marshal(b); err != nil {
			return reply{}, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.o.URL+path, bytes.NewReader(sent))
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for _, f := range change {
		f(req)
	}
	res, err := c.o.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return reply{}, err
	}
	if err := openapi.Hold(req, res.StatusCode, res.Header, got); err != nil {
		return reply{}, fmt.Errorf("answered %d %s: %w", res.StatusCode, got, err)
	}
	return reply{res.StatusCode, res.Header, got}, nil
}

func (c caller) get(t *testing.T, path string, change ...func(*http.Request)) reply {
	t.Helper()
	return c.call(t, http.MethodGet, path, "", nil, change...)
}

// post sends body under a key of its own.
func (c caller) post(t *testing.T, path string, body any, change ...func(*http.Request)) reply {
	t.Helper()
	return c.call(t, http.MethodPost, path, key(), body, change...)
}

var keys atomic.Int64

// key is an Idempotency-Key that nobody used.
func key() string { return "attack-" + strconv.FormatInt(keys.Add(1), 10) }

func (o *office) nobody() caller { return caller{o: o} }

// signIn opens a session. Who is told that WeChat did not answer in time tries
// again, as people on a busy day do.
func (o *office) signIn(t *testing.T, path, code string) caller {
	t.Helper()
	var r reply
	until(t, "signing in as "+code, func() bool {
		r = o.nobody().call(t, http.MethodPost, path, "", map[string]string{"code": code})
		return r.status != http.StatusServiceUnavailable
	})
	if r.status != http.StatusCreated {
		t.Fatalf("sign in %s: %d %s", code, r.status, r.body)
	}
	var s struct{ Token string }
	r.read(t, &s)
	return caller{o: o, token: s.Token}
}

func (o *office) citizen(t *testing.T, p world.Person) caller {
	t.Helper()
	return o.signIn(t, "/v1/sessions", p.Code)
}

// staff is a member of staff of the region, signed in lately enough for anything.
func (o *office) staff(t *testing.T, id string) caller {
	t.Helper()
	if !strings.HasPrefix(id, region) {
		id = region + "-" + id
	}
	o.mu.Lock()
	s := o.tokens[id]
	o.mu.Unlock()
	if now := o.clock.Now(); now.Sub(s.opened) > 2*time.Minute {
		s = session{o.signIn(t, "/v1/staff/sessions", "staff:"+id).token, now}
		o.mu.Lock()
		o.tokens[id] = s
		o.mu.Unlock()
	}
	return caller{o, s.token, id}
}

// session is a token and when it was given.
type session struct {
	token  string
	opened time.Time
}

var seeded = event.Actor{Kind: event.System, ID: "attack"}

// hire appoints somebody new.
func (o *office) hire(t *testing.T, role staff.Role, division string, change ...func(*staff.Staff)) caller {
	t.Helper()
	id := region + "-hired-" + strconv.FormatInt(keys.Add(1), 10)
	s := staff.Staff{ID: id, Region: region, Person: "person of " + id, Active: true,
		Grants: []staff.Grant{{Role: role, Division: civil.DivisionCode(division), From: o.clock.Now().AddDate(0, 0, -1)}}}
	for _, f := range change {
		f(&s)
	}
	if err := staff.Appoint(t.Context(), o.Table, s, seeded, o.clock.Now()); err != nil {
		t.Fatal(err)
	}
	return o.staff(t, id)
}

// world asks the stand-in world.
func (o *office) world(t *testing.T, method, path string, body any, out any) {
	t.Helper()
	if err := o.ask(t.Context(), method, path, body, out); err != nil {
		t.Fatal(err)
	}
}

func (o *office) ask(ctx context.Context, method, path string, body any, out any) error {
	var sent []byte
	if text, ok := body.(string); ok {
		sent = []byte(text)
	} else if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, o.WorldURL+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	res, err := o.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		return fmt.Errorf("world: %s: %d %s %w", path, res.StatusCode, got, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(got, out)
}

// scenario makes the world misbehave.
func (o *office) scenario(t *testing.T, toml string) {
	t.Helper()
	o.world(t, http.MethodPost, "/world/scenario", toml, nil)
}

// person is a fresh ordinary person.
func (o *office) person(t *testing.T) world.Person {
	t.Helper()
	return o.personOf(t, region)
}

func (o *office) personOf(t *testing.T, region string) world.Person {
	t.Helper()
	var p world.Person
	o.world(t, http.MethodPost, "/world/people", map[string]string{"region": region}, &p)
	return p
}

// cast is the person with a story.
func (o *office) cast(t *testing.T, role string) world.Person {
	t.Helper()
	var all struct{ People []world.Person }
	o.world(t, http.MethodGet, "/world/people?region="+region, nil, &all)
	for _, p := range all.People {
		if p.Role == role {
			return p
		}
	}
	t.Fatalf("nobody is %s", role)
	return world.Person{}
}

// transfers is the bank's book for one account, or of one reference.
func (o *office) transfers(ctx context.Context, query string) ([]invariant.Transfer, error) {
	var book struct{ Entries []invariant.Transfer }
	err := o.ask(ctx, http.MethodGet, "/world/bank/book?"+query, nil, &book)
	return book.Entries, err
}

// view is what the invariants look at.
func (o *office) view() invariant.View {
	return invariant.View{Table: o.Table, Rules: o.Book, Bank: func(ctx context.Context, reference string) ([]invariant.Transfer, error) {
		return o.transfers(ctx, "reference="+reference)
	}}
}

// patience bounds every wait; nothing that works comes near it.
const patience = 60 * time.Second

// until waits for what must become true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("never: %s", what)
		case <-t.Context().Done():
			t.Fatalf("ended before: %s", what)
		}
	}
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}
