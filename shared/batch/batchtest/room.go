// Package batchtest is a room with many approved applications that wait to be paid
// in a file, and a real bank behind real HTTP, where the process dies and answers
// are lost where a test says. It is for tests only and knows nothing of the
// functions it is used on.
package batchtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/filerail"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

const (
	// Amount is what each award gives, and Name what everybody is called: a canary.
	Amount money.Fen = 3_000_00
	Name             = "䶮试金"
)

// Start is when every room opens.
var Start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// Townships are where the applications are, turn by turn.
var Townships = []civil.DivisionCode{"320402001000", "320402002000"}

// The people.
var (
	Clerk    = event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.clerk"}
	Approver = event.Actor{Kind: event.Staff, ID: "approver-1", Person: "b1.approver"}
	Finance  = event.Actor{Kind: event.Staff, ID: "finance-1", Person: "b1.finance"}
)

// Doom is what becomes of one touch of the world.
type Doom string

// The dooms. After a death nothing is touched any more until Revive.
const (
	DieBefore Doom = "die-before"
	DieAfter  Doom = "die-after"
	Lost      Doom = "lost"
	LostDone  Doom = "lost-done"
)

// Dooms lists every doom.
func Dooms() []Doom { return []Doom{DieBefore, DieAfter, Lost, LostDone} }

var (
	// errDead is what the dead are told.
	errDead = errors.New("batchtest: the process is dead")
	errCut  = errors.New("connection cut")
)

// Room holds approved applications.
type Room struct {
	T     testing.TB
	Store *embedded.Store
	Box   *seal.Box
	Files rail.Files
	World *world.World
	Log   bytes.Buffer
	// Codes counts alarms by code.
	Codes map[string]int64
	Sends int // files sent
	// Before, when set, runs before every transaction of whoever looks through Table.
	Before func()

	mu      sync.Mutex
	at      time.Time
	touches int
	dooms   map[int]Doom
	dead    bool
	sent    map[string][]string // digests of what was sent, by path
	kept    *embedded.Store     // as Again finds it
	keys    world.Keys
}

type oneKey struct{ seal.Key }

func (k oneKey) Current(context.Context) (seal.Key, error)      { return k.Key, nil }
func (k oneKey) ByID(context.Context, string) (seal.Key, error) { return k.Key, nil }

// Direct is a room whose bank is called without a network, and which Again opens
// anew: an enumeration spends its time on schedules.
func Direct(t testing.TB, n int) *Room {
	t.Helper()
	r := room(t, n, func(r *Room) (http.RoundTripper, string) { return direct{r}, "http://bank.test" })
	r.kept = r.Store
	r.Again(world.Scenario{}, nil)
	return r
}

// Again makes the room what it was when Keep was called last, or when it was made,
// with a new bank of that scenario and dooms to come.
func (r *Room) Again(scenario world.Scenario, dooms map[int]Doom) {
	r.T.Helper()
	r.Store = r.kept.Fork()
	r.openWorld(scenario)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Codes, r.Sends, r.sent, r.Before = map[string]int64{}, 0, map[string][]string{}, nil
	r.at, r.touches, r.dooms, r.dead = Start, 0, dooms, false
	r.Log.Reset()
}

// Keep is what Again goes back to from now on.
func (r *Room) Keep() { r.kept = r.Store }

// direct calls the world's own handler.
type direct struct{ room *Room }

func (d direct) RoundTrip(q *http.Request) (*http.Response, error) {
	w := &wire{ResponseRecorder: httptest.NewRecorder()}
	if q.Body == nil {
		q.Body = http.NoBody
	}
	if d.room.World.Handler().ServeHTTP(w, q); w.cut {
		return nil, errCut
	}
	answer := w.Result()
	answer.Request = q
	return answer, nil
}

// wire is an answer that whoever gives it may cut.
type wire struct {
	*httptest.ResponseRecorder
	cut bool
}

// Hijack is how the world cuts a line.
func (w *wire) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.cut = true
	ours, theirs := net.Pipe()
	return ours, nil, theirs.Close()
}

// New is a room with n applications whose touches after their approval go as dooms
// have it, by number from 1.
func New(t testing.TB, n int, scenario string, dooms map[int]Doom) *Room {
	t.Helper()
	r := room(t, n, func(r *Room) (http.RoundTripper, string) {
		s, err := world.ParseScenario([]byte(scenario))
		must(t, err)
		r.openWorld(s)
		server := httptest.NewServer(r.World.Handler())
		transport := &http.Transport{}
		t.Cleanup(func() { transport.CloseIdleConnections(); server.Close(); _ = r.World.Close() })
		return transport, server.URL
	})
	r.dooms = dooms
	return r
}

func (r *Room) openWorld(scenario world.Scenario) {
	r.T.Helper()
	var err error
	r.World, err = world.New(world.Options{Keys: r.keys, Seed: "batch", Now: r.Now, Scenario: scenario, AdoptStrangers: true})
	must(r.T, err)
}

// room is a room with n applications and a bank at the end of the line that open makes.
func room(t testing.TB, n int, open func(*Room) (http.RoundTripper, string)) *Room {
	t.Helper()
	key, err := seal.NewKey("k1", seal.AES256GCM, bytes.Repeat([]byte{7}, seal.AES256GCM.KeyBytes()))
	must(t, err)
	r := &Room{T: t, Store: embedded.Memory(), Box: seal.NewBox(oneKey{key}, rand.Reader), at: Start, Codes: map[string]int64{}}
	r.keys, r.sent = world.LocalKeys("batch"), map[string][]string{}
	transport, url := open(r)
	c, err := bank.New(r.keys.BankConfig(url, &http.Client{Transport: line{r, transport}}, r.Now, rand.Reader))
	must(t, err)
	r.Files, err = filerail.New(c, world.DefaultLayout)
	must(t, err)
	for _, township := range Townships {
		must(t, fund.Provide(context.Background(), r.Store, fund.Slice{ID: slice(township), Source: "county"},
			fund.Appropriation{Reference: "1", AmountFen: r.Budget(), First: Finance, Second: Approver, At: Start}))
	}
	for i := range n {
		r.approve(i)
	}
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Budget is what each township's fund began with.
func (r *Room) Budget() money.Fen { return 1_000_000_00 }

func slice(township civil.DivisionCode) fund.ID {
	return fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: township}
}

// ID is the id of the nth application, from 0.
func ID(n int) string { return fmt.Sprintf("app%d", n) }

// AccountOf is the nth person's account.
func AccountOf(n int) string { return fmt.Sprintf("9900%08d", n) }

func (r *Room) approve(n int) {
	r.T.Helper()
	ctx, township := context.Background(), Townships[n%len(Townships)]
	person := fmt.Sprintf("b1.person%d", n)
	a := application.Application{ID: ID(n), Version: 1, State: application.Approved, Account: "acc", Township: township,
		Subject: person, People: []string{person}, AcceptedAt: Start}
	head, err := a.Writes(a.Event("approved", Approver, Start))
	must(r.T, err)
	payee, err := payout.Payee{Name: civil.StoredName(Name), Account: civil.StoredAccount(AccountOf(n))}.Seal(ctx, r.Box, a.ID, "01", 1)
	must(r.T, err)
	granted, err := payout.Grant(ctx, r.Store, award.Award{ID: "01", Application: a.ID, Kind: award.FirstAid, AmountFen: Amount,
		Persons: 3, Months: 1, Cause: "illness", Year: 2026, Subject: person, Payee: "b1.account" + a.ID, Rail: award.BankBatch,
		Fund: slice(township).Fund, Township: township, Proposer: Clerk, Approver: Approver, Rules: "rules",
		Article: "《社会救助法》第五十条", At: Start.Add(time.Duration(n) * time.Millisecond)}, payee)
	must(r.T, err)
	must(r.T, r.Store.Transact(ctx, append(head, granted...)...))
}

// Now is the room's clock.
func (r *Room) Now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }

// Wait lets time pass.
func (r *Room) Wait(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.at = r.at.Add(d) }

// Revive starts a new process.
func (r *Room) Revive() { r.mu.Lock(); defer r.mu.Unlock(); r.dead = false }

// touch does act, or not, as the dooms have it.
func (r *Room) touch(act func() error, lost error) error {
	r.mu.Lock()
	if r.dead {
		r.mu.Unlock()
		return errDead
	}
	r.touches++
	doom := r.dooms[r.touches]
	r.dead = doom == DieBefore || doom == DieAfter
	r.mu.Unlock()
	switch doom {
	case DieBefore:
		return errDead
	case DieAfter:
		_ = act()
		return errDead
	case Lost:
		return lost
	case LostDone:
		_ = act()
		return lost
	}
	return act()
}

// Touches is how many there were.
func (r *Room) Touches() int { r.mu.Lock(); defer r.mu.Unlock(); return r.touches }

// Table is the store as the functions see it.
func (r *Room) Table() table.Store { return mortal{r} }

type mortal struct{ room *Room }

// Get reads from the room's store as it is now.
func (m mortal) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	return m.room.Store.Get(ctx, k)
}

// Query reads from the room's store as it is now.
func (m mortal) Query(ctx context.Context, q table.Query) (table.Page, error) {
	return m.room.Store.Query(ctx, q)
}

// Transact applies writes, or not, as the dooms have it.
func (m mortal) Transact(ctx context.Context, writes ...table.Write) error {
	if before := m.room.Before; before != nil {
		before()
	}
	return m.room.touch(func() error { return m.room.Store.Transact(ctx, writes...) }, table.ErrUnknown)
}

type line struct {
	room *Room
	to   http.RoundTripper
}

func (l line) RoundTrip(q *http.Request) (answer *http.Response, err error) {
	if q.Method == http.MethodPost {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return nil, err
		}
		_ = q.Body.Close()
		q.Body = io.NopCloser(bytes.NewReader(body))
		l.room.mu.Lock()
		l.room.Sends++
		l.room.sent[q.URL.Path] = append(l.room.sent[q.URL.Path], batch.Digest(body))
		l.room.mu.Unlock()
	}
	err = l.room.touch(func() error {
		var err error
		answer, err = l.to.RoundTrip(q)
		return err
	}, errCut)
	if err != nil {
		if answer != nil {
			_ = answer.Body.Close()
		}
		return nil, err
	}
	return answer, nil
}

// Propose proposes a file of all that waits, and answers it.
func (r *Room) Propose(id string) batch.Batch {
	r.T.Helper()
	b := batch.Batch{ID: id, Division: "320402000000", Townships: Townships, Cutoff: r.Now(), Layout: r.Files.Layout()}
	for _, township := range Townships {
		w, err := batch.Waits(context.Background(), r.Store, township, b.Cutoff, r.Files.MaxLines())
		must(r.T, err)
		b.Most.Count += w.Count
		b.Most.Fen += w.Fen
	}
	b, err := batch.New(b, Finance, r.Now())
	must(r.T, err)
	r.keep(b, "proposed", Finance)
	return b
}

// Release releases a proposed file.
func (r *Room) Release(b batch.Batch) batch.Batch {
	r.T.Helper()
	b, err := b.Release(Approver, r.Now())
	must(r.T, err)
	r.keep(b, "released", Approver)
	return b
}

func (r *Room) keep(b batch.Batch, kind string, by event.Actor) {
	r.T.Helper()
	must(r.T, batch.Commit(context.Background(), r.Store, b, b.Event(kind, by, r.Now())))
}

// Batch is a file as it is stored.
func (r *Room) Batch(id string) batch.Batch {
	r.T.Helper()
	b, err := batch.Get(context.Background(), r.Store, id)
	must(r.T, err)
	return b
}

// Items is everything in a partition.
func (r *Room) Items(partition string) (all []table.Item) {
	r.T.Helper()
	for item, err := range table.All(context.Background(), r.Store, table.Query{PK: partition}) {
		must(r.T, err)
		all = append(all, item)
	}
	return all
}

// Payout is the nth application's payout as it is stored.
func (r *Room) Payout(n int) payout.Payout {
	r.T.Helper()
	p, err := payout.Get(context.Background(), r.Store, payout.Key(ID(n), "01"))
	must(r.T, err)
	return p
}

// Head is the nth application as it is stored.
func (r *Room) Head(n int) application.Application {
	r.T.Helper()
	a, err := application.Get(context.Background(), r.Store, ID(n))
	must(r.T, err)
	return a
}

// Hold puts a hold on the nth application.
func (r *Room) Hold(n int) {
	r.T.Helper()
	next, _, err := r.Head(n).PlaceHold(application.Hold{ID: "h", Code: "DOUBT", Owner: "clerk", Placed: Clerk, At: r.Now(), Due: r.Now().Add(time.Hour)})
	must(r.T, err)
	w, err := next.Writes(next.Event("held", Clerk, r.Now()))
	must(r.T, err)
	must(r.T, r.Store.Transact(context.Background(), w...))
}

// owed is what is owed to pay and settle, the most urgent first.
func (r *Room) owed() (owed []table.Item) {
	for shard := range work.Shards {
		page, err := r.Store.Query(context.Background(), table.Query{Index: table.ByDue, PK: work.Shard(shard)})
		must(r.T, err)
		for _, item := range page.Items {
			if _, q, ok := work.Owed(item); ok && (q == work.Pay || q == work.Settle) {
				owed = append(owed, item)
			}
		}
	}
	slices.SortStableFunc(owed, func(a, b table.Item) int {
		x, _, _ := work.Owed(a)
		y, _, _ := work.Owed(b)
		return x.Compare(y)
	})
	return owed
}

// Rest delivers what is owed, each message twice, letting time pass, until nothing
// is owed before until, or limit deliveries were made. A process that died is
// followed by another.
func (r *Room) Rest(until time.Time, limit int, handlers map[work.Queue]queue.Handler) bool {
	r.T.Helper()
	for range limit {
		owed := r.owed()
		if len(owed) == 0 {
			return true
		}
		at, q, _ := work.Owed(owed[0])
		if at.After(until) {
			return true
		}
		r.mu.Lock()
		if at.After(r.at) {
			r.at = at
		}
		r.mu.Unlock()
		for range 2 {
			_ = handlers[q](context.Background(), queue.Message{ID: "m", Body: work.Message{PK: owed[0].Key.PK, SK: owed[0].Key.SK}.Encode(), Attempt: 1})
			r.Revive()
		}
	}
	return false
}

// Credits is how often the bank has paid the nth person, and not sent it back.
func (r *Room) Credits(n int) int {
	paid := 0
	for _, e := range r.World.Book(world.Filter{Account: AccountOf(n)}) {
		if e.Status == bank.Paid {
			paid++
		}
	}
	return paid
}

// SameBytes checks that nothing but the very same bytes was ever sent under one id.
func (r *Room) SameBytes() {
	r.T.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, sent := range r.sent {
		for _, digest := range sent {
			if digest != sent[0] {
				r.T.Errorf("M10: other bytes went to %s", path)
			}
		}
	}
}

// Books checks that the funds say what the bank says, and what every payout says.
func (r *Room) Books(n int) {
	r.T.Helper()
	ctx := context.Background()
	var paid, flying money.Fen
	for i := range n {
		p := r.Payout(i)
		credits := r.Credits(i)
		if credits > 1 {
			r.T.Errorf("M08: %d credits for one award", credits)
		}
		if (p.State == payout.Paid) != (credits == 1) && !p.State.Flying() && p.State != payout.Frozen {
			r.T.Errorf("M18: application %d is %s, and the bank has credited it %d times", i, p.State, credits)
		}
		if p.State == payout.Paid {
			paid += Amount
		}
		if p.Open {
			flying += Amount
		}
		for k, a := range p.Attempts {
			if a.Reference != payout.Reference(ID(i), "01", k+1) {
				r.T.Errorf("M10: attempt %d has reference %s", k+1, a.Reference)
			}
			if k < len(p.Attempts)-1 && a.Evidence == "" {
				r.T.Errorf("M11: attempt %d follows one that nobody said had failed", k+2)
			}
		}
	}
	var gone, reserved money.Fen
	for _, township := range Townships {
		must(r.T, fund.Coherent(ctx, r.Store, slice(township)))
		s, err := fund.Read(ctx, r.Store, slice(township))
		must(r.T, err)
		gone += s.Balances.Of(fund.Paid) + s.Balances.Of(fund.Returned)
		reserved += s.Balances.Of(fund.Reserved)
	}
	if gone != paid || reserved != flying {
		r.T.Errorf("M18: the ledger has paid %d and reserved %d; payouts say %d and %d", gone, reserved, paid, flying)
	}
}

// Secret fails when anybody's name or account is in the clear anywhere.
func (r *Room) Secret(n int, files ...string) {
	r.T.Helper()
	partitions := []string{batch.ParkedList()}
	for i := range n {
		partitions = append(partitions, application.Partition(ID(i)))
	}
	for _, f := range files {
		partitions = append(partitions, batch.Partition(f))
	}
	for _, pk := range partitions {
		page, err := r.Store.Query(context.Background(), table.Query{PK: pk})
		must(r.T, err)
		for _, item := range page.Items {
			for _, secret := range []string{Name, "99000000"} {
				if bytes.Contains(item.Body, []byte(secret)) || strings.Contains(item.Key.SK, secret) {
					r.T.Errorf("P01: %s/%s shows a payee", item.Key.PK, item.Key.SK)
				}
			}
		}
	}
	if strings.Contains(r.Log.String(), Name) {
		r.T.Error("P01: the log shows a payee")
	}
}

// Logger writes where Log can be read.
func (r *Room) Logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&locked{r}, nil)) }

type locked struct{ r *Room }

func (l *locked) Write(p []byte) (int, error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	return l.r.Log.Write(p)
}

// Count notes alarms; Room is the Metrics of its functions.
func (r *Room) Count(_ string, n int64, labels ...telemetry.Label) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range labels {
		r.Codes[l.Value] += n
	}
}

// Age notes nothing.
func (r *Room) Age(string, time.Duration, ...telemetry.Label) {}
