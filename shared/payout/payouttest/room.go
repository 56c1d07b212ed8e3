package payouttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

const (
	// Amount is what the award gives; Budget is what the fund had.
	Amount money.Fen = 3_000_00
	Budget money.Fen = 10_000_00
	// Name and Account are the payee's: canaries that must be seen nowhere.
	Name    = "欧阳试金"
	Account = "6222020200099887766"

	agreement = "A-1"
)

// Start is when every room opens.
var Start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// The people.
var (
	Clerk    = event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.clerk"}
	Approver = event.Actor{Kind: event.Staff, ID: "approver-1", Person: "b1.approver"}
	Finance  = event.Actor{Kind: event.Staff, ID: "finance-1", Person: "b1.finance"}
)

// Case is the application of a room, and what its money is judged by.
type Case struct {
	Application    string // its award is "01"
	Slice          fund.ID
	Amount, Budget money.Fen
	// Secrets must be seen nowhere.
	Secrets []string
}

// Room holds one application. Unless an option says otherwise it is approved and
// its payout is due.
type Room struct {
	T      testing.TB
	Case   Case
	Store  *embedded.Store // as it is
	Table  *Mortal         // as the functions see it
	Fate   *Fate
	Box    *seal.Box
	Teller *Teller
	Bank   *bank.Client
	Log    *bytes.Buffer
	Alarms map[string]int64
	clock  sync.Mutex // of at: a provider may still be looking at it when its caller has given up
	at     time.Time
	mu     sync.Mutex
}

// oneKey is a data key that is always there.
type oneKey struct{ seal.Key }

func (k oneKey) Current(context.Context) (seal.Key, error)      { return k.Key, nil }
func (k oneKey) ByID(context.Context, string) (seal.Key, error) { return k.Key, nil }

// Option changes how a room is made.
type Option func(*options)

type options struct {
	sign   func(name string, fill byte) (bank.Signer, bank.Verifier)
	open   func(*Room) Case
	random io.Reader
}

// Opened puts an application of the caller's own into the store, as it is, instead
// of the usual one.
func Opened(open func(*Room) Case) Option { return func(o *options) { o.open = open } }

// Drawing makes everything that is drawn at random in the room come from there.
func Drawing(from io.Reader) Option { return func(o *options) { o.random = from } }

// QuickSignatures replaces the signatures of both sides by keyed hashes of the
// same place in the protocol: an enumeration spends its time on schedules, and
// that the real ones hold is tested elsewhere.
func QuickSignatures() Option { return func(o *options) { o.sign = quickSigner } }

// New is a room in which fate rules every touch after the approval.
func New(t testing.TB, fate *Fate, opts ...Option) *Room {
	t.Helper()
	set := options{sign: signer, open: (*Room).approved, random: rand.Reader}
	for _, o := range opts {
		o(&set)
	}
	key, err := seal.NewKey("k1", seal.AES256GCM, bytes.Repeat([]byte{7}, seal.AES256GCM.KeyBytes()))
	if err != nil {
		t.Fatal(err)
	}
	r := &Room{T: t, Store: embedded.Memory(), Fate: fate, Box: seal.NewBox(oneKey{key}, set.random), at: Start,
		Log: &bytes.Buffer{}, Alarms: map[string]int64{}}
	r.Table = &Mortal{Store: r.Store, Fate: fate}
	ours, oursPublic := set.sign("ours", 1)
	theirs, theirsPublic := set.sign("bank", 2)
	secret := bytes.Repeat([]byte{3}, 32)
	r.Teller = &Teller{now: r.Now, ours: map[string]bank.Verifier{ours.KeyID(): oursPublic}, key: theirs, keyID: "p1", secret: secret,
		orders: map[string]*transfer{}, Bodies: map[string][]string{}, Credits: map[string]int{}}
	r.Bank, err = bank.New(bank.Config{BaseURL: "http://bank.test", HTTP: &http.Client{Transport: line{fate, r.Teller}},
		Agreement: agreement, Signer: ours, BankKeys: map[string]bank.Verifier{theirs.KeyID(): theirsPublic},
		PayeeKeyID: "p1", PayeeKey: secret, Now: r.Now, Random: set.random})
	if err != nil {
		t.Fatal(err)
	}
	r.Case = set.open(r)
	return r
}

// BankAt is a client to the same bank behind a real network.
func (r *Room) BankAt(url string) *bank.Client {
	r.T.Helper()
	ours, _ := signer("ours", 1)
	theirs, theirsPublic := signer("bank", 2)
	c, err := bank.New(bank.Config{BaseURL: url, Agreement: agreement, Signer: ours,
		BankKeys: map[string]bank.Verifier{theirs.KeyID(): theirsPublic}, PayeeKeyID: "p1", PayeeKey: bytes.Repeat([]byte{3}, 32), Now: r.Now, Random: rand.Reader})
	if err != nil {
		r.T.Fatal(err)
	}
	return c
}

// Rails is the bank as the functions use it.
func (r *Room) Rails() rail.Set { return rail.Of(bankrail.New(r.Bank)) }

// Slice is the fund's slice that pays.
func (r *Room) Slice() fund.ID { return r.Case.Slice }

// approved is the usual case.
func (r *Room) approved() Case {
	r.T.Helper()
	ctx := context.Background()
	c := Case{Application: "app1", Slice: fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: "320402001000"},
		Amount: Amount, Budget: Budget, Secrets: []string{Name, Account}}
	if err := fund.Provide(ctx, r.Store, fund.Slice{ID: c.Slice, Source: "county"},
		fund.Appropriation{Reference: "1", AmountFen: Budget, First: Finance, Second: Approver, At: Start}); err != nil {
		r.T.Fatal(err)
	}
	a := application.Application{ID: c.Application, Version: 1, State: application.Approved, Account: "acc", Township: c.Slice.Township,
		Subject: "b1.person", People: []string{"b1.person"}, AcceptedAt: Start}
	head, err := a.Writes(a.Event("approved", Approver, Start))
	if err != nil {
		r.T.Fatal(err)
	}
	payee, err := payout.Payee{Name: civil.StoredName(Name), Account: civil.StoredAccount(Account)}.Seal(ctx, r.Box, c.Application, "01", 1)
	if err != nil {
		r.T.Fatal(err)
	}
	granted, err := payout.Grant(ctx, r.Store, award.Award{ID: "01", Application: c.Application, Kind: award.FirstAid, AmountFen: Amount,
		Persons: 3, Months: 1, Cause: "illness", Year: 2026, Subject: "b1.person", Payee: "b1.account", Rail: award.Bank,
		Fund: c.Slice.Fund, Township: c.Slice.Township, Proposer: Clerk, Approver: Approver, Rules: "rules",
		Article: "《社会救助法》第五十条", At: Start}, payee)
	if err != nil {
		r.T.Fatal(err)
	}
	if err := r.Store.Transact(ctx, append(head, granted...)...); err != nil {
		r.T.Fatal(err)
	}
	return c
}

// Now is the room's clock.
func (r *Room) Now() time.Time { r.clock.Lock(); defer r.clock.Unlock(); return r.at }

// Wait lets time pass.
func (r *Room) Wait(d time.Duration) { r.clock.Lock(); defer r.clock.Unlock(); r.at = r.at.Add(d) }

// Logger writes where Log can be read.
func (r *Room) Logger() *slog.Logger { return slog.New(slog.NewJSONHandler(r.Log, nil)) }

// Key is where the payout is.
func (r *Room) Key() table.Key { return payout.Key(r.Case.Application, "01") }

// Payout is the payout as it is stored.
func (r *Room) Payout() payout.Payout {
	r.T.Helper()
	p, err := payout.Get(context.Background(), r.Store, r.Key())
	if err != nil {
		r.T.Fatal(err)
	}
	return p
}

// Head is the application as it is stored.
func (r *Room) Head() application.Application {
	r.T.Helper()
	a, err := application.Get(context.Background(), r.Store, r.Case.Application)
	if err != nil {
		r.T.Fatal(err)
	}
	return a
}

// Hold puts a hold on the application, behind everybody's back.
func (r *Room) Hold(ctx context.Context, code string) {
	r.T.Helper()
	next, _, err := r.Head().PlaceHold(application.Hold{ID: code, Code: code, Owner: "clerk", Placed: Clerk, At: r.at, Due: r.at.Add(time.Hour)})
	if err != nil {
		r.T.Fatal(err)
	}
	r.move(ctx, next, "held")
}

// Lift ends every hold.
func (r *Room) Lift(ctx context.Context) {
	r.T.Helper()
	for _, h := range r.Head().Holds {
		if h.Lifted == nil {
			next, err := r.Head().LiftHold(h.ID, Approver, r.at)
			if err != nil {
				r.T.Fatal(err)
			}
			r.move(ctx, next, "hold_lifted")
		}
	}
}

func (r *Room) move(ctx context.Context, next application.Application, what string) {
	r.T.Helper()
	w, err := next.Writes(next.Event(what, Approver, r.at))
	if err == nil {
		err = r.Store.Transact(ctx, w...)
	}
	if err != nil {
		r.T.Fatal(err)
	}
}

// Message is the message that the relay or the sweeper sends about the payout.
func (r *Room) Message() queue.Message {
	return queue.Message{ID: "m", Body: work.Message{PK: r.Key().PK, SK: r.Key().SK}.Encode(), Attempt: 1}
}

// Owed reads the due index as the sweeper does: to which queue the payout is
// owed first, and when.
func (r *Room) Owed() (q work.Queue, at time.Time, owes bool) {
	r.T.Helper()
	for shard := range work.Shards {
		page, err := r.Store.Query(context.Background(), table.Query{Index: table.ByDue, PK: work.Shard(shard)})
		if err != nil {
			r.T.Fatal(err)
		}
		for _, item := range page.Items {
			if when, to, ok := work.Owed(item); ok && item.Key == r.Key() {
				return to, when, true
			}
		}
	}
	return "", time.Time{}, false
}

// Rest delivers what is owed, each message twice, letting time pass, until
// nothing is owed or limit deliveries were made.
func (r *Room) Rest(limit int, handlers map[work.Queue]queue.Handler) bool {
	r.T.Helper()
	for range limit {
		q, at, owes := r.Owed()
		if !owes {
			return true
		}
		if now := r.Now(); at.After(now) {
			r.Wait(at.Sub(now))
		}
		for range 2 {
			// Errors bring the message back, which the next round does.
			_, _ = Live(func() error { return handlers[q](context.Background(), r.Message()) })
		}
	}
	return false
}

// Judge checks what must hold whenever nothing is going on, for the end that
// should have been reached.
func (r *Room) Judge(end payout.State) {
	r.T.Helper()
	ctx := context.Background()
	p := r.Payout()
	if p.State != end {
		r.T.Errorf("it ended %s, not %s", p.State, end)
	}
	kept := map[payout.State]money.Fen{payout.Paid: r.Case.Amount}[end]
	if r.Teller.Paid != kept {
		r.T.Errorf("M08: the bank has paid %d, want %d", r.Teller.Paid, kept)
	}
	total := 0
	for ref, n := range r.Teller.Credits {
		total += n
		if n > 1 {
			r.T.Errorf("%s was credited %d times", ref, n)
		}
	}
	if total > 1 {
		r.T.Errorf("M08: %d credits for one award", total)
	}
	for ref, bodies := range r.Teller.Bodies {
		for _, b := range bodies {
			if b != bodies[0] {
				r.T.Errorf("M10: other bytes were sent under %s", ref)
			}
		}
	}
	for i, a := range p.Attempts {
		if a.Reference != payout.Reference(r.Case.Application, "01", i+1) {
			r.T.Errorf("M10: attempt %d has reference %s", i+1, a.Reference)
		}
		if i < len(p.Attempts)-1 && a.Evidence == "" {
			r.T.Errorf("M11: attempt %d follows one that nobody said had failed", i+2)
		}
	}
	s, err := fund.Read(ctx, r.Store, r.Slice())
	if err != nil {
		r.T.Fatal(err)
	}
	b := s.Balances
	if got := b.Of(fund.Paid) + b.Of(fund.Returned); got != kept || b.Of(fund.Reserved) != 0 || b.Of(fund.Available) != r.Case.Budget-kept {
		r.T.Errorf("M18: the ledger says %v, the bank %d", b.Accounts, kept)
	}
	if err := fund.Coherent(ctx, r.Store, r.Slice()); err != nil {
		r.T.Errorf("M02: %v", err)
	}
	r.record(p, end)
}

// record checks the events and notices behind the payout.
func (r *Room) record(p payout.Payout, end payout.State) {
	r.T.Helper()
	events, told := int64(0), map[notice.Kind]int{}
	for _, item := range r.Items() {
		if event.Is(item.Key) {
			if noun, _, _, ok := event.Named(item.Key); ok && noun == payout.Noun {
				events++
			}
		}
		if notice.Is(item.Key) {
			n, err := notice.Decode(item)
			if err != nil {
				r.T.Fatal(err)
			}
			told[n.Kind]++
		}
		for _, secret := range r.Case.Secrets {
			if bytes.Contains(item.Body, []byte(secret)) || bytes.Contains([]byte(item.Key.SK), []byte(secret)) {
				r.T.Errorf("P01: %s shows the payee", item.Key.SK)
			}
			if bytes.Contains(r.Log.Bytes(), []byte(secret)) {
				r.T.Error("P01: the log shows the payee")
			}
		}
	}
	if events != p.Version {
		r.T.Errorf("W01: %d events for %d versions", events, p.Version)
	}
	want := map[payout.State]notice.Kind{payout.Paid: notice.Paid, payout.Failed: notice.PaymentFailed, payout.Returned: notice.Returned}[end]
	if told[want] != 1 {
		r.T.Errorf("the person was told %v; want %s once", told, want)
	}
	if owner := r.Head().Held(); owner != (end == payout.Failed || end == payout.Returned) {
		r.T.Errorf("W08: held=%v although it ended %s", owner, end)
	}
}

// Items is everything in the application's partition.
func (r *Room) Items() []table.Item {
	r.T.Helper()
	page, err := r.Store.Query(context.Background(), table.Query{PK: application.Partition(r.Case.Application)})
	if err != nil {
		r.T.Fatal(err)
	}
	if page.Next != "" {
		r.T.Fatal("more items than a page holds")
	}
	return page.Items
}

// Count notes alarms; Room is the Metrics of its functions.
func (r *Room) Count(name string, n int64, labels ...telemetry.Label) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range labels {
		r.Alarms[l.Value] += n
	}
	if name != "payout_instructed" && name != "payout_paid" && name != "pay_braked" {
		r.Alarms[name] += n
	}
}

// Age notes nothing.
func (r *Room) Age(string, time.Duration, ...telemetry.Label) {}
