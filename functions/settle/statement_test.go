package settle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

// archive is a hall whose statements settle fetches, from a bank that is told what
// to give.
type archive struct {
	*reconciliationtest.Hall
	table   table.Store
	give    func(day civil.Day) settle.Fetched
	fetched int
	handle  queue.Handler
	counted map[string]int64
	mu      sync.Mutex
}

func (a *archive) Count(name string, n int64, labels ...telemetry.Label) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counted[name] += n
	for _, l := range labels {
		a.counted[name+" "+l.Value] += n
	}
}

func (a *archive) Age(string, time.Duration, ...telemetry.Label) {}

func openArchive(t testing.TB, fate *payouttest.Fate) *archive {
	t.Helper()
	a := &archive{Hall: reconciliationtest.New(t), counted: map[string]int64{}}
	a.table = a.Store
	if fate != nil {
		a.table = &payouttest.Mortal{Store: a.Store, Fate: fate}
	}
	office := a.Office
	office.Table = a.table
	a.handle = settle.Handle(settle.Deps{Table: a.table, Office: &office, Now: a.Now, Metrics: a, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Fetch: map[string]settle.Fetch{reconciliation.Bank: func(_ context.Context, day civil.Day) settle.Fetched {
			a.mu.Lock()
			a.fetched++
			a.mu.Unlock()
			return a.give(day)
		}}})
	return a
}

// want makes the day's statement owed.
func (a *archive) want() {
	a.T.Helper()
	if err := reconciliation.Want(context.Background(), a.Store, reconciliation.Bank, reconciliationtest.Day, reconciliationtest.Settle, a.Now(), a.Now()); err != nil {
		a.T.Fatal(err)
	}
}

func (a *archive) message() queue.Message {
	key := reconciliation.StatementKey(reconciliation.Bank, reconciliationtest.Day)
	return queue.Message{ID: "m", Body: work.Message{PK: key.PK, SK: key.SK}.Encode(), Attempt: 1}
}

func (a *archive) head() reconciliation.Head {
	a.T.Helper()
	h, err := reconciliation.Statement(context.Background(), a.Store, reconciliation.Bank, reconciliationtest.Day)
	if err != nil {
		a.T.Fatal(err)
	}
	return h
}

// day makes three payments and gives a statement of them, bent by lie.
func (a *archive) day(lie func([]reconciliation.Line) []reconciliation.Line) {
	a.T.Helper()
	noon := reconciliationtest.At("12:00:00")
	var lines []reconciliation.Line
	for n := 1; n <= 3; n++ {
		a.Pay(n, award.Bank, noon)
		lines = append(lines, a.Line(n, payout.Out, noon))
	}
	if lie != nil {
		lines = lie(lines)
	}
	a.give = func(day civil.Day) settle.Fetched {
		return settle.Fetched{Raw: reconciliationtest.BankSource.Write(day, lines)}
	}
}

func TestAStatementIsFetchedAndHeldAgainstOurBooks(t *testing.T) {
	t.Parallel()
	a := openArchive(t, nil)
	a.day(nil)
	a.want()
	for range 3 { // messages come more than once
		if err := a.handle(t.Context(), a.message()); err != nil {
			t.Fatal(err)
		}
	}
	h := a.head()
	if h.Standing != reconciliation.Matched || h.Counted.Pairs != 3 || len(h.Counted.Breaks) != 0 || !h.Verified || a.fetched != 1 {
		t.Errorf("%+v after %d fetches", h, a.fetched)
	}
	// It is looked at again for restatements, twice, and then no more.
	for range 5 {
		if h = a.head(); h.Next.IsZero() {
			break
		}
		a.Wait(h.Next.Sub(a.Now()))
		if err := a.handle(t.Context(), a.message()); err != nil {
			t.Fatal(err)
		}
	}
	if h.Issue != 1 || h.Looks != 2 || !h.Next.IsZero() || a.fetched != 3 {
		t.Errorf("%+v after %d fetches", h, a.fetched)
	}
}

// X060, K21 and the ordinary slowness of banks: nothing is believed, and it is
// owed until it is.
func TestStatementsThatAreNotThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		give    settle.Fetched
		refused bool
	}{
		"not ready yet":         {settle.Fetched{Code: bank.CodeNotReady}, false},
		"another digest":        {settle.Fetched{Code: bank.CodeDigest}, true},
		"nobody answers":        {settle.Fetched{Code: "timeout"}, true},
		"not the agreed form":   {settle.Fetched{Raw: []byte("hello\n")}, true},
		"far too large":         {settle.Fetched{Raw: []byte(strings.Repeat("x", reconciliation.MaxBytes+1))}, true},
		"another day's content": {settle.Fetched{Raw: reconciliationtest.BankSource.Write(reconciliationtest.Day.AddDays(-1), nil)}, true},
	} {
		a := openArchive(t, nil)
		a.day(nil)
		good := a.give
		a.give = func(civil.Day) settle.Fetched { return c.give }
		a.want()
		for range 6 {
			if err := a.handle(t.Context(), a.message()); err != nil {
				t.Fatal(err)
			}
			h := a.head()
			if h.Believed() || h.Next.IsZero() || !h.Next.After(a.Now()) || h.Code == "" {
				t.Fatalf("%s: %+v", name, h)
			}
			a.Wait(h.Next.Sub(a.Now()))
		}
		if (a.counted["statement_refused"] > 0) != c.refused || a.counted["statement_missed"] != 6 {
			t.Errorf("%s: counted %v", name, a.counted)
		}
		a.give = good
		if err := a.handle(t.Context(), a.message()); err != nil || a.head().Standing != reconciliation.Matched || a.head().Tries != 0 {
			t.Errorf("%s: and then: %+v, %v", name, a.head(), err)
		}
	}
}

// TestStatementCrashes kills settle at every write of a day's statement, in every
// way, and pairs of them: in the end every difference is there once, the money
// that came back is booked once, and the head says that it is done.
func TestStatementCrashes(t *testing.T) {
	t.Parallel()
	lie := func(a *archive) func([]reconciliation.Line) []reconciliation.Line {
		return func(l []reconciliation.Line) []reconciliation.Line {
			other := l[1]
			other.Reference = strings.Repeat("z", 26)
			l[1].AmountFen++
			return append(l, a.Line(1, payout.Back, reconciliationtest.At("16:00:00")), other)
		}
	}
	once := func(name string, dooms map[int]payouttest.Doom) int {
		fate := payouttest.NewFate(dooms)
		a := openArchive(t, fate)
		a.day(lie(a))
		a.want()
		for range 12 {
			_, _ = payouttest.Live(func() error { return a.handle(t.Context(), a.message()) })
			if h := a.head(); h.Standing == reconciliation.Matched {
				break
			}
			if h := a.head(); h.Next.After(a.Now()) {
				a.Wait(h.Next.Sub(a.Now()))
			}
		}
		h := a.head()
		if h.Standing != reconciliation.Matched || h.Issue != 1 {
			t.Errorf("%s: it ends %+v", name, h)
		}
		got := map[reconciliation.Class]int{}
		for class, breaks := range a.Breaks(reconciliationtest.BankSource, reconciliationtest.Day) {
			got[class] += len(breaks)
			for _, b := range breaks {
				if n := events(t, a.Store, b.Event("", event.Actor{}, time.Time{}).PK, b.ID); n != b.Version {
					t.Errorf("%s: %s is at version %d with %d events", name, b.ID, b.Version, n)
				}
			}
		}
		if want := fmt.Sprint(map[reconciliation.Class]int{reconciliation.Amount: 1, reconciliation.Returned: 1, reconciliation.MissingOurs: 1}); fmt.Sprint(got) != want {
			t.Errorf("%s: found %v", name, got)
		}
		if p := a.Payout(1); p.State != payout.Returned {
			t.Errorf("%s: what came back is %s", name, p.State)
		}
		return fate.Touches()
	}
	touches := once("nothing", nil)
	if touches < 6 {
		t.Fatalf("only %d writes", touches)
	}
	for first := 1; first <= touches; first++ {
		for i, doom := range payouttest.Dooms() {
			once(fmt.Sprintf("write %d %s", first, doom), map[int]payouttest.Doom{first: doom})
			second := first + 1 + i
			once(fmt.Sprintf("writes %d %s and %d", first, doom, second), map[int]payouttest.Doom{first: doom, second: payouttest.Dooms()[(i+first)%4]})
		}
	}
}

func events(t *testing.T, store table.Store, pk, id string) (n int64) {
	t.Helper()
	page, err := store.Query(t.Context(), table.Query{PK: pk}.Prefix(event.Prefix+reconciliation.Noun+"#"+id+"#"))
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(page.Items))
}

// Two at once find what one finds.
func TestTwoMatchersAtOnce(t *testing.T) {
	t.Parallel()
	a := openArchive(t, nil)
	a.day(func(l []reconciliation.Line) []reconciliation.Line { return l[2:] })
	a.want()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := a.handle(t.Context(), a.message()); err != nil && !errors.Is(err, table.ErrBusy) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := a.handle(t.Context(), a.message()); err != nil {
		t.Fatal(err)
	}
	got := a.Breaks(reconciliationtest.BankSource, reconciliationtest.Day)
	if h := a.head(); h.Standing != reconciliation.Matched || h.Issue != 1 || len(got[reconciliation.MissingTheirs]) != 2 || len(got) != 1 {
		t.Errorf("%+v, %v", h, got)
	}
}

// What cannot be asked for, and what comes back from nobody.
func TestFetchingFromWhereNobodyIs(t *testing.T) {
	t.Parallel()
	a := openArchive(t, nil)
	if err := reconciliation.Want(t.Context(), a.Store, reconciliation.Treasury, reconciliationtest.Day, reconciliationtest.Settle, a.Now(), a.Now()); err != nil {
		t.Fatal(err)
	}
	key := reconciliation.StatementKey(reconciliation.Treasury, reconciliationtest.Day)
	if err := a.handle(t.Context(), queue.Message{Body: work.Message{PK: key.PK, SK: key.SK}.Encode()}); err != nil {
		t.Fatal(err)
	}
	if h, err := reconciliation.Statement(t.Context(), a.Store, reconciliation.Treasury, reconciliationtest.Day); err != nil || h.Code != "no-line" || h.Next.IsZero() {
		t.Errorf("%+v, %v", h, err)
	}
	room := payouttest.New(t, payouttest.NewFate(nil))
	if f := settle.FromBank(room.BankAt("http://127.0.0.1:1"), bank.Payouts)(t.Context(), reconciliationtest.Day); f.Raw != nil || f.Code == "" {
		t.Errorf("from a bank that is not there: %+v", f)
	}
	none := reconciliation.StatementKey(reconciliation.Bank, reconciliationtest.Day.AddDays(9))
	if err := a.handle(t.Context(), queue.Message{Body: work.Message{PK: none.PK, SK: none.SK}.Encode()}); err != nil {
		t.Errorf("a statement that nobody wants: %v", err)
	}
}

// A statement that is restated while the first one is held against our books: the
// first is left, and the second is owed.
func TestARestatementMeanwhile(t *testing.T) {
	t.Parallel()
	a := openArchive(t, payouttest.NewFate(nil))
	a.day(nil)
	a.want()
	mortal, _ := a.table.(*payouttest.Mortal)
	writes := 0
	mortal.Before = func(ctx context.Context) {
		if writes++; writes == 3 { // chunk, head, and now the end of the match
			mortal.Before = nil
			if _, fresh, err := a.Office.Receive(ctx, reconciliation.Bank, reconciliationtest.Day, reconciliationtest.BankSource.Write(reconciliationtest.Day, nil),
				reconciliation.From{By: reconciliationtest.Settle, Verified: true}); err != nil || !fresh {
				t.Error(fresh, err)
			}
		}
	}
	if err := a.handle(t.Context(), a.message()); err != nil {
		t.Fatal(err)
	}
	if h := a.head(); h.Issue != 2 || h.Standing != reconciliation.Received || h.Next.IsZero() {
		t.Errorf("%+v", h)
	}
	if err := a.handle(t.Context(), a.message()); err != nil {
		t.Fatal(err)
	}
	if got := a.Breaks(reconciliationtest.BankSource, reconciliationtest.Day); len(got[reconciliation.MissingTheirs]) != 3 || a.head().Standing != reconciliation.Matched {
		t.Errorf("%v, %+v", got, a.head())
	}
}

// What the queue may bring is repeated until the store is there again.
func TestAStatementAndAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	a := openArchive(t, nil)
	a.day(nil)
	a.want()
	away := settle.Handle(settle.Deps{Table: deaf{a.Store}, Office: &a.Office, Now: a.Now, Metrics: a, Log: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	if err := away(t.Context(), a.message()); !errors.Is(err, table.ErrBusy) {
		t.Errorf("%v", err)
	}
}

// A day that is not to be read stays as it is, and the message goes to a person.
func TestADamagedStatementHead(t *testing.T) {
	t.Parallel()
	a := openArchive(t, nil)
	key := reconciliation.StatementKey(reconciliation.Bank, reconciliationtest.Day)
	if err := a.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	if err := a.handle(t.Context(), a.message()); err == nil || a.fetched != 0 {
		t.Errorf("%v after %d fetches", err, a.fetched)
	}
	if item, ok, err := a.Store.Get(t.Context(), key); err != nil || !ok || item.Version != 1 {
		t.Errorf("%+v, %v", item, err)
	}
}

// Whoever finds nothing after somebody else has found it leaves it to them.
func TestALateMissMeanwhile(t *testing.T) {
	t.Parallel()
	a := openArchive(t, payouttest.NewFate(nil))
	a.day(nil)
	good := a.give
	a.want()
	mortal, _ := a.table.(*payouttest.Mortal)
	a.give = func(civil.Day) settle.Fetched {
		mortal.Before = func(context.Context) { // the other's fetch, just before we write that there was nothing
			mortal.Before, a.give = nil, good
			if err := a.handle(t.Context(), a.message()); err != nil {
				t.Error(err)
			}
		}
		return settle.Fetched{Code: bank.CodeNotReady}
	}
	if err := a.handle(t.Context(), a.message()); err != nil {
		t.Errorf("%v", err)
	}
	if h := a.head(); h.Standing != reconciliation.Matched || h.Tries != 0 || h.Code != "" || a.fetched != 2 {
		t.Errorf("%+v after %d fetches", h, a.fetched)
	}
}

// The account that transfers into wallets leave has statements too.
func TestFetchingFromWeChat(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return reconciliationtest.Day.AddDays(2).Start(time.UTC) }
	keys := world.LocalKeys("flow")
	w, err := world.New(world.Options{Keys: keys, Seed: "flow", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.Handler())
	defer func() { _ = w.Close(); server.Close() }()
	for url, want := range map[string]bool{server.URL: true, "http://127.0.0.1:1": false} {
		c, err := wxpay.New(keys.WxPayConfig(url, "https://aid.example.cn"+wxpayrail.CallbackPath, nil, now))
		if err != nil {
			t.Fatal(err)
		}
		if f := settle.FromWxPay(c)(t.Context(), reconciliationtest.Day); (f.Raw != nil) != want || (f.Code == "") != want {
			t.Errorf("%s: %d bytes, %q", url, len(f.Raw), f.Code)
		}
	}
}
