package fund_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var (
	now   = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	slice = fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: "320402001000"}
	first = event.Actor{Kind: event.Staff, ID: "finance-1", Person: "b1.f1"}
	other = event.Actor{Kind: event.Staff, ID: "finance-2", Person: "b1.f2"}
	pays  = event.Actor{Kind: event.System, ID: "settle"}
)

func claim(n int) fund.Claim {
	return fund.Claim{Application: fmt.Sprintf("app%d", n), Award: "01", Number: 1}
}

func appropriation(ref string, amount money.Fen) fund.Appropriation {
	return fund.Appropriation{Reference: ref, AmountFen: amount, First: first, Second: other, At: now}
}

// stocked is a store with one slice that holds amount.
func stocked(t testing.TB, amount money.Fen) *embedded.Store {
	t.Helper()
	s := embedded.Memory()
	if err := fund.Provide(context.Background(), s, fund.Slice{ID: slice, Source: "county", LowFen: 500}, appropriation("2026-1", amount)); err != nil {
		t.Fatal(err)
	}
	return s
}

func transact(t *testing.T, s table.Store) func(writes []table.Write, err error) error {
	return func(writes []table.Write, err error) error {
		t.Helper()
		if err != nil {
			return err
		}
		return fund.Refusal(s.Transact(t.Context(), writes...), slice, "2026-11-22")
	}
}

// balances fails the test unless the slice stands exactly so and is coherent.
func balances(t *testing.T, s table.Store, available, reserved, paid, returned money.Fen) {
	t.Helper()
	got, err := fund.Read(t.Context(), s, slice)
	if err != nil {
		t.Fatal(err)
	}
	b := got.Balances
	if b.Of(fund.Available) != available || b.Of(fund.Reserved) != reserved || b.Of(fund.Paid) != paid || b.Of(fund.Returned) != returned {
		t.Errorf("available %d reserved %d paid %d returned %d; want %d %d %d %d", b.Of(fund.Available), b.Of(fund.Reserved),
			b.Of(fund.Paid), b.Of(fund.Returned), available, reserved, paid, returned)
	}
	if err := fund.Coherent(t.Context(), s, slice); err != nil {
		t.Errorf("M01 M02: %v", err)
	}
}

func TestALifeOfOneReservation(t *testing.T) {
	t.Parallel()
	s := stocked(t, 1000)
	do := transact(t, s)
	people := []event.Actor{first, other}
	balances(t, s, 1000, 0, 0, 0)
	for what, err := range map[string]error{"reserve": do(fund.Take(slice, claim(1), 400, people, now))} {
		if err != nil {
			t.Fatal(what, err)
		}
	}
	balances(t, s, 600, 400, 0, 0)
	if err := do(fund.Post(slice, claim(1), 400, 300, pays, "digest", now)); err != nil {
		t.Fatal(err)
	}
	balances(t, s, 700, 0, 300, 0) // M07: the remainder came back in the same transaction
	if err := do(fund.Return(slice, claim(1), 300, pays, "digest", now)); err != nil {
		t.Fatal(err)
	}
	balances(t, s, 1000, 0, 300, -300)
	if low, _ := fund.Read(t.Context(), s, slice); low.Low() {
		t.Error("1000 is called low against 500")
	}
	if err := do(fund.Take(slice, claim(2), 501, people, now)); err != nil {
		t.Fatal(err)
	}
	if low, _ := fund.Read(t.Context(), s, slice); !low.Low() {
		t.Error("499 is not called low against 500")
	}
}

// Every way to resolve a reservation a second time, or one that is not there.
func TestM06AReservationResolvesOnce(t *testing.T) {
	t.Parallel()
	post := func() ([]table.Write, error) { return fund.Post(slice, claim(1), 400, 400, pays, "", now) }
	void := func() ([]table.Write, error) { return fund.Void(slice, claim(1), 400, pays, "", now) }
	back := func() ([]table.Write, error) { return fund.Return(slice, claim(1), 400, pays, "", now) }
	late := func() ([]table.Write, error) { return fund.PostLate(slice, claim(1), 400, pays, "", now) }
	backLate := func() ([]table.Write, error) {
		c := claim(1)
		c.Late = true
		return fund.Return(slice, c, 400, pays, "", now)
	}
	take := func() ([]table.Write, error) {
		return fund.Take(slice, claim(1), 400, []event.Actor{first}, now)
	}
	type move func() ([]table.Write, error)
	for name, c := range map[string]struct {
		before []move
		then   move
		ok     bool
	}{
		"post":                         {[]move{take}, post, true},
		"void":                         {[]move{take}, void, true},
		"post twice":                   {[]move{take, post}, post, false},
		"void twice (B05)":             {[]move{take, void}, void, false},
		"void after post":              {[]move{take, post}, void, false},
		"post after void":              {[]move{take, void}, post, false},
		"post unreserved":              {nil, post, false},
		"void unreserved":              {nil, void, false},
		"return unposted":              {[]move{take}, back, false},
		"return twice":                 {[]move{take, post, back}, back, false},
		"reserve twice":                {[]move{take}, take, false},
		"reserve again after void":     {[]move{take, void}, take, false},
		"late after void":              {[]move{take, void}, late, true},
		"late twice":                   {[]move{take, void, late}, late, false},
		"late without void":            {[]move{take}, late, false},
		"return of a late one":         {[]move{take, void, late}, backLate, true},
		"return of late twice":         {[]move{take, void, late, backLate}, backLate, false},
		"return as late of a proper":   {[]move{take, post}, backLate, false},
		"return of proper and as late": {[]move{take, post, back}, backLate, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stocked(t, 1000)
			do := transact(t, s)
			for _, m := range c.before {
				if err := do(m()); err != nil {
					t.Fatal(err)
				}
			}
			if err := do(c.then()); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
			if err := fund.Coherent(t.Context(), s, slice); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestX050ExactlyWhatIsThereIsReserved(t *testing.T) {
	t.Parallel()
	s := stocked(t, 60*100)
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			writes, err := fund.Take(slice, claim(i), 100, []event.Actor{first, other}, now)
			if err != nil {
				t.Error(err)
				return
			}
			switch err := fund.Refusal(s.Transact(t.Context(), writes...), slice, ""); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, fund.ErrShort):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 60 {
		t.Errorf("%d reservations on a budget for 60", won.Load())
	}
	balances(t, s, 0, 6000, 0, 0)
}

func TestX051ABudgetDoesNotGoBelowWhatIsReserved(t *testing.T) {
	t.Parallel()
	s := stocked(t, 1000)
	do := transact(t, s)
	if err := do(fund.Take(slice, claim(1), 700, []event.Actor{first}, now)); err != nil {
		t.Fatal(err)
	}
	if err := do(fund.Appropriate(slice, appropriation("cut", -301))); !errors.Is(err, fund.ErrShort) {
		t.Errorf("lowered by one fen too much: %v", err)
	}
	if err := do(fund.Appropriate(slice, appropriation("cut", -300))); err != nil {
		t.Errorf("lowered to exactly what is reserved: %v", err)
	}
	balances(t, s, 0, 700, 0, 0)
}

func TestX052AmountsOutOfRange(t *testing.T) {
	t.Parallel()
	people := []event.Actor{first}
	for _, amount := range []money.Fen{0, -1, money.Max + 1, -1 << 63, 1<<63 - 1} {
		_, err1 := fund.Take(slice, claim(1), amount, people, now)
		_, err2 := fund.Post(slice, claim(1), money.Max, amount, pays, "", now)
		_, err3 := fund.Void(slice, claim(1), amount, pays, "", now)
		_, err4 := fund.Return(slice, claim(1), amount, pays, "", now)
		_, err5 := fund.PostLate(slice, claim(1), amount, pays, "", now)
		_, err6 := fund.Post(slice, claim(1), amount, 1, pays, "", now)
		_, err7 := fund.Spend(t.Context(), embedded.Memory(), slice, "2026-11-22", 100, amount)
		_, err8 := fund.Spend(t.Context(), embedded.Memory(), slice, "2026-11-22", amount, 1)
		for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8} {
			if !errors.Is(err, fund.ErrAmount) {
				t.Errorf("amount %d, builder %d: %v", amount, i, err)
			}
		}
	}
	for _, amount := range []money.Fen{0, money.Max + 1, -money.Max - 1} {
		if _, err := fund.Appropriate(slice, appropriation("r", amount)); !errors.Is(err, fund.ErrAmount) {
			t.Errorf("appropriation of %d: %v", amount, err)
		}
	}
	if _, err := fund.Post(slice, claim(1), 100, 101, pays, "", now); !errors.Is(err, fund.ErrExceeds) {
		t.Errorf("M07: %v", err)
	}
	if _, err := fund.Take(slice, claim(1), 1, nil, now); err == nil {
		t.Error("money moved by nobody")
	}
	if _, err := fund.Take(slice, claim(1), 1, people, time.Time{}); err == nil {
		t.Error("money moved at no time")
	}
}

func TestProvideBooksAReferenceOnce(t *testing.T) {
	t.Parallel()
	s := stocked(t, 1000)
	sl := fund.Slice{ID: slice, Source: "county"}
	for range 3 {
		if err := fund.Provide(t.Context(), s, sl, appropriation("2026-1", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	balances(t, s, 1000, 0, 0, 0)
	if err := fund.Provide(t.Context(), s, sl, appropriation("2026-1", 999)); !errors.Is(err, fund.ErrReference) {
		t.Errorf("the same paper for another amount: %v", err)
	}
	if err := fund.Provide(t.Context(), s, sl, appropriation("2026-2", -1001)); !errors.Is(err, fund.ErrShort) {
		t.Errorf("took more than there is: %v", err)
	}
	for name, bad := range map[string]fund.Slice{
		"no purpose": {ID: fund.ID{Fund: "slush-2026", Township: "320402001000"}, Source: "county"},
		"no place":   {ID: fund.ID{Fund: "relief-2026"}, Source: "county"},
		"no source":  {ID: slice},
	} {
		if err := fund.Provide(t.Context(), s, bad, appropriation("x", 1)); err == nil {
			t.Errorf("opened a slice with %s", name)
		}
	}
	if err := fund.Provide(t.Context(), s, sl, fund.Appropriation{Reference: "y", AmountFen: 1, First: first, Second: first, At: now}); !errors.Is(err, fund.ErrTwo) {
		t.Errorf("one person provided: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]fund.Purpose{
		"relief-2026": fund.Relief, "reserve-2027": fund.Reserve, "relief": "", "relief-26": "", "relief-20x6": "", "other-2026": "", "": "",
	} {
		if got := fund.Of(name); got != want {
			t.Errorf("%q is for %q, want %q", name, got, want)
		}
	}
	if _, err := fund.Read(t.Context(), embedded.Memory(), slice); !errors.Is(err, fund.ErrMissing) {
		t.Error(err)
	}
	do := transact(t, embedded.Memory())
	if err := do(fund.Take(slice, claim(1), 1, []event.Actor{first}, now)); !errors.Is(err, fund.ErrMissing) {
		t.Errorf("reserved from a slice that is not there: %v", err)
	}
}

func TestADayHasALimit(t *testing.T) {
	t.Parallel()
	s := stocked(t, 10_000)
	spend := func(i int, amount money.Fen) error {
		w, err := fund.Spend(t.Context(), s, slice, "2026-11-22", 1000, amount)
		if err != nil {
			return err
		}
		// The Put beside it stands for the fund entry that is always there.
		other := table.Put{Item: table.Item{Key: table.Key{PK: "x", SK: fmt.Sprint(i)}, Version: 1}}
		return fund.Refusal(s.Transact(t.Context(), w, other), slice, "2026-11-22")
	}
	for i, c := range []struct {
		amount money.Fen
		want   error
	}{{1001, fund.ErrDay}, {600, nil}, {401, fund.ErrDay}, {400, nil}, {1, fund.ErrDay}} {
		if err := spend(i, c.amount); !errors.Is(err, c.want) && err != c.want {
			t.Errorf("payment %d of %d: %v, want %v", i, c.amount, err, c.want)
		}
	}
}

// X033: whoever edits the table behind our back is found.
func TestX033EditsBehindOurBackAreFound(t *testing.T) {
	t.Parallel()
	replace := func(key table.Key, change func(*table.Item)) func(*testing.T, *embedded.Store) {
		return func(t *testing.T, s *embedded.Store) {
			item, ok, err := s.Get(t.Context(), key)
			if err != nil || !ok {
				t.Fatal(key, err)
			}
			change(&item)
			item.Version++
			if err := s.Transact(t.Context(), table.Replace{Item: item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	entry := func(cause string, change func(*fund.Entry)) func(*testing.T, *embedded.Store) {
		return replace(table.Key{PK: slice.Partition(), SK: "ENTRY#" + cause}, func(i *table.Item) {
			var e fund.Entry
			if err := json.Unmarshal(i.Body, &e); err != nil {
				panic(err)
			}
			change(&e)
			i.Body, _ = json.Marshal(e)
		})
	}
	added := func(e fund.Entry) func(*testing.T, *embedded.Store) {
		return func(t *testing.T, s *embedded.Store) {
			body, _ := json.Marshal(e)
			if err := s.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: slice.Partition(), SK: "ENTRY#" + e.Cause}, Version: 1, Body: body}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, edit := range map[string]func(*testing.T, *embedded.Store){
		"a balance":             replace(slice.Key(), func(i *table.Item) { i.Counters["available"]++ }),
		"two balances":          replace(slice.Key(), func(i *table.Item) { i.Counters["available"]++; i.Counters["paid"]-- }),
		"the count":             replace(slice.Key(), func(i *table.Item) { i.Counters["count"]++ }),
		"the slice's body":      replace(slice.Key(), func(i *table.Item) { i.Body = []byte("{") }),
		"one leg":               entry("appropriate#2026-1", func(e *fund.Entry) { e.Legs[1].Fen++ }),
		"both legs":             entry("appropriate#2026-1", func(e *fund.Entry) { e.Legs[0].Fen--; e.Legs[1].Fen++ }),
		"an account":            entry("appropriate#2026-1", func(e *fund.Entry) { e.Legs[1].Account = "mine" }),
		"a cause":               entry("appropriate#2026-1", func(e *fund.Entry) { e.Cause = "other" }),
		"an overflow":           entry("appropriate#2026-1", func(e *fund.Entry) { e.Legs = []fund.Leg{{"available", 1<<63 - 1}, {"available", 1<<63 - 1}} }),
		"what it answers":       entry("app1#01#001#resolve", func(e *fund.Entry) { e.Answers = "nothing" }),
		"another reservation":   entry("app1#01#001#resolve", func(e *fund.Entry) { e.Answers = "appropriate#2026-1" }),
		"a return of nothing":   added(fund.Entry{Cause: "z", Kind: fund.CameBack, Answers: "app1#01#001#resolve", Legs: []fund.Leg{{fund.Returned, -999}, {fund.Available, 999}}}),
		"a bare entry":          added(fund.Entry{Cause: "z", Kind: fund.Appropriated, Legs: []fund.Leg{{fund.External, -5}, {fund.Available, 5}}}),
		"more out than in":      added(fund.Entry{Cause: "z", Kind: fund.Appropriated, Legs: []fund.Leg{{fund.External, 5000}, {fund.Available, -5000}}}),
		"an entry of no answer": added(fund.Entry{Cause: "z", Kind: "gift", Answers: "appropriate#2026-1", Legs: []fund.Leg{{fund.External, -5}, {fund.Available, 5}}}),
		"outside above zero":    added(fund.Entry{Cause: "z", Kind: fund.Appropriated, Legs: []fund.Leg{{fund.External, 5000}, {fund.Returned, -5000}}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stocked(t, 1000)
			do := transact(t, s)
			for _, err := range []error{do(fund.Take(slice, claim(1), 400, []event.Actor{first}, now)), do(fund.Void(slice, claim(1), 400, pays, "", now))} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := fund.Coherent(t.Context(), s, slice); err != nil {
				t.Fatal(err)
			}
			edit(t, s)
			if err := fund.Coherent(t.Context(), s, slice); err == nil {
				t.Error("nobody noticed")
			}
		})
	}
	if _, err := fund.Fold([]fund.Entry{{Cause: "a"}, {Cause: "a"}}); !errors.Is(err, fund.ErrIncoherent) {
		t.Error("the same cause twice was folded")
	}
}

// model is the fund as one would keep it on paper.
type model struct {
	available, reserved, paid, returned money.Fen
	claims                              map[int]string
	amounts                             map[int]money.Fen
	entries                             int64
}

// Random movements over a store that loses writes and answers, kept on paper beside:
// none is booked twice, after each both agree, nothing is below zero, and the entries
// fold to the balances, from any prefix.
func TestM01M02RandomMovements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		s := eventtest.Over(embedded.Memory())
		if err := fund.Provide(ctx, s, fund.Slice{ID: slice, Source: "county"}, appropriation("0", 5000)); err != nil {
			t.Fatal(err)
		}
		m := model{available: 5000, claims: map[int]string{}, amounts: map[int]money.Fen{}, entries: 1}
		papers := 0
		claimOf := rapid.IntRange(0, 5)
		apply := func(t *rapid.T, ok bool, writes []table.Write, err error, then func()) {
			if err == nil && !ok {
				err = s.Transact(ctx, writes...)
			}
			if (err == nil) != ok {
				t.Fatalf("expected ok=%v, got %v", ok, err)
			}
			if ok {
				s.Step(t, fund.ErrShort, func() error { return table.Commit(ctx, s, fund.ErrShort, writes...) })
				then()
				m.entries++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"appropriate": func(t *rapid.T) {
				papers++
				a := money.Fen(rapid.Int64Range(-3000, 3000).Filter(func(n int64) bool { return n != 0 }).Draw(t, "amount"))
				w, err := fund.Appropriate(slice, appropriation(fmt.Sprint(papers), a))
				apply(t, m.available+a >= 0, w, err, func() { m.available += a })
			},
			"take": func(t *rapid.T) {
				n, a := claimOf.Draw(t, "claim"), money.Fen(rapid.Int64Range(1, 3000).Draw(t, "amount"))
				w, err := fund.Take(slice, claim(n), a, []event.Actor{first, other}, now)
				apply(t, m.claims[n] == "" && m.available >= a, w, err, func() {
					m.available, m.reserved, m.claims[n], m.amounts[n] = m.available-a, m.reserved+a, "open", a
				})
			},
			"post": func(t *rapid.T) {
				n := claimOf.Draw(t, "claim")
				a := m.amounts[n]
				if a == 0 {
					a = 1
				}
				w, err := fund.Post(slice, claim(n), a, a, pays, "", now)
				apply(t, m.claims[n] == "open", w, err, func() { m.reserved, m.paid, m.claims[n] = m.reserved-a, m.paid+a, "paid" })
			},
			"void": func(t *rapid.T) {
				n := claimOf.Draw(t, "claim")
				a := max(m.amounts[n], 1)
				w, err := fund.Void(slice, claim(n), a, pays, "", now)
				apply(t, m.claims[n] == "open", w, err, func() { m.reserved, m.available, m.claims[n] = m.reserved-a, m.available+a, "void" })
			},
			"return": func(t *rapid.T) {
				n := claimOf.Draw(t, "claim")
				a := max(m.amounts[n], 1)
				w, err := fund.Return(slice, claim(n), a, pays, "", now)
				// A voided claim has a resolution too, which a return must not answer; the
				// payout never asks for that, and Fold would show it.
				if m.claims[n] == "void" {
					t.Skip("the payout's own state forbids it")
				}
				apply(t, m.claims[n] == "paid", w, err, func() { m.available, m.returned, m.claims[n] = m.available+a, m.returned-a, "back" })
			},
			"late": s.Late,
			"": func(t *rapid.T) {
				got, err := fund.Read(ctx, s, slice)
				if err != nil {
					t.Fatal(err)
				}
				b := got.Balances
				if b.Of(fund.Available) != m.available || b.Of(fund.Reserved) != m.reserved || b.Of(fund.Paid) != m.paid ||
					b.Of(fund.Returned) != m.returned || b.Count != m.entries {
					t.Fatalf("stored %+v, on paper %+v", b, m)
				}
				if m.available < 0 || m.reserved < 0 {
					t.Fatalf("M04: %+v", m)
				}
				if err := fund.Coherent(ctx, s, slice); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// away is a store that stops answering some kind of read.
type away struct {
	table.Store
	get, query bool
}

func (a away) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if a.get {
		return table.Item{}, false, table.ErrBusy
	}
	return a.Store.Get(ctx, k)
}

func (a away) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if a.query {
		return table.Page{}, table.ErrBusy
	}
	return a.Store.Query(ctx, q)
}

// restless moves money at every look.
type restless struct {
	table.Store
	n *int
}

func (r restless) Query(ctx context.Context, q table.Query) (table.Page, error) {
	*r.n++
	w, err := fund.Take(slice, claim(100+*r.n), 1, []event.Actor{first}, now)
	if err != nil {
		return table.Page{}, err
	}
	if err := r.Transact(ctx, w...); err != nil {
		return table.Page{}, err
	}
	return r.Store.Query(ctx, q)
}

func TestASilentStoreIsNotCalledIncoherent(t *testing.T) {
	t.Parallel()
	s := stocked(t, 1000)
	for name, st := range map[string]table.Store{"no get": away{s, true, false}, "no query": away{s, false, true}, "always moving": restless{s, new(int)}} {
		if err := fund.Coherent(t.Context(), st, slice); !errors.Is(err, table.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fund.Spend(t.Context(), away{s, true, false}, slice, "2026-11-22", 10, 5); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
}

func TestManyEntriesAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	s := stocked(t, 10_000)
	for i := range table.MaxPage + 20 {
		w, err := fund.Take(slice, claim(i), 1, []event.Actor{first}, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Transact(t.Context(), w...); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := fund.Entries(t.Context(), s, slice)
	if err != nil || len(entries) != table.MaxPage+21 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if !strings.HasPrefix(entries[0].Cause, "app") {
		t.Error("entries are out of order")
	}
}
