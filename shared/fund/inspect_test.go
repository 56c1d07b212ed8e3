package fund_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// lived is a slice in which one reservation was paid, and given back in part.
func lived(t *testing.T) *embedded.Store {
	t.Helper()
	s := stocked(t, 1000)
	do := transact(t, s)
	if err := errors.Join(do(fund.Take(slice, claim(1), 400, []event.Actor{first, other}, now)),
		do(fund.Post(slice, claim(1), 400, 300, pays, "digest", now)),
		do(fund.Recover(slice, claim(1), "TK#1", 100, pays, "digest", now))); err != nil {
		t.Fatal(err)
	}
	return s
}

// behind changes one item as somebody with the table's keys would.
func behind(t *testing.T, s table.Store, sk string, change func(*table.Item)) {
	t.Helper()
	item, ok, err := s.Get(t.Context(), table.Key{PK: slice.Partition(), SK: sk})
	if err != nil || !ok {
		t.Fatal(sk, err)
	}
	change(&item)
	item.Version++
	if err := s.Transact(t.Context(), table.Replace{Item: item}); err != nil {
		t.Fatal(err)
	}
}

// slip puts an entry beside the others and counts it, legs and all, so that only
// what the entry itself says is wrong.
func slip(t *testing.T, s table.Store, e fund.Entry) {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: slice.Partition(), SK: "ENTRY#" + e.Cause}, Version: 1, Body: body}}); err != nil {
		t.Fatal(err)
	}
	behind(t, s, "SLICE", func(i *table.Item) {
		i.Counters["count"]++
		for _, leg := range e.Legs {
			if _, ours := i.Counters[string(leg.Account)]; ours {
				i.Counters[string(leg.Account)] += int64(leg.Fen)
			}
		}
	})
}

const posted = "ENTRY#app1#01#001#resolve"

// Each damage is named by its rule and at its item, and what is whole is not named.
func TestInspectNamesEveryDamage(t *testing.T) {
	t.Parallel()
	edit := func(sk string, change func(*fund.Entry)) func(*testing.T, *embedded.Store) {
		return func(t *testing.T, s *embedded.Store) {
			behind(t, s, sk, func(i *table.Item) {
				var e fund.Entry
				if err := json.Unmarshal(i.Body, &e); err != nil {
					t.Fatal(err)
				}
				change(&e)
				var err error
				if i.Body, err = json.Marshal(e); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	counter := func(change func(map[string]int64)) func(*testing.T, *embedded.Store) {
		return func(t *testing.T, s *embedded.Store) {
			behind(t, s, "SLICE", func(i *table.Item) { change(i.Counters) })
		}
	}
	slipped := func(e fund.Entry) func(*testing.T, *embedded.Store) {
		return func(t *testing.T, s *embedded.Store) { slip(t, s, e) }
	}
	const most = money.Fen(1<<63 - 1)
	for name, c := range map[string]struct {
		damage func(*testing.T, *embedded.Store)
		want   string // rules and items, sorted
	}{
		"nothing": {func(*testing.T, *embedded.Store) {}, ""},
		"unreadable": {func(t *testing.T, s *embedded.Store) {
			behind(t, s, posted, func(i *table.Item) { i.Body = []byte("{") })
		}, "M02 SLICE, M02 SLICE, M02 SLICE, M06 ENTRY#app1#01#001#back#TK#1, M13 " + posted + ", M15 SLICE"},
		"another's cause":       {edit(posted, func(e *fund.Entry) { e.Cause = "app2#01#001#resolve" }), "M02 SLICE, M02 SLICE, M02 SLICE, M06 ENTRY#app1#01#001#back#TK#1, M13 " + posted + ", M15 SLICE"},
		"written again":         {edit(posted, func(*fund.Entry) {}), "M13 " + posted},
		"unbalanced":            {edit(posted, func(e *fund.Entry) { e.Legs[1].Fen++ }), "M01 " + posted + ", M02 SLICE, M13 " + posted},
		"answers nothing":       {slipped(fund.Entry{Cause: "app9#01#001#resolve", Kind: fund.Voided, Answers: "app9#01#001#reserve", Legs: []fund.Leg{{Account: fund.Reserved}, {Account: fund.Available}}}), "M06 ENTRY#app9#01#001#resolve"},
		"does not fit":          {slipped(fund.Entry{Cause: "app1#01#001#late", Kind: fund.PostedLate, Answers: "app1#01#001#resolve", Legs: []fund.Leg{{Account: fund.Available, Fen: -1}, {Account: fund.Paid, Fen: 1}}}), "M07 ENTRY#app1#01#001#late"},
		"given back too much":   {slipped(fund.Entry{Cause: "app1#01#001#back#TK#2", Kind: fund.GaveBack, Answers: "app1#01#001#resolve", Legs: []fund.Leg{{Account: fund.Returned, Fen: -201}, {Account: fund.Available, Fen: 201}}}), "M07 ENTRY#app1#01#001#back#TK#2"},
		"accounts of strangers": {slipped(fund.Entry{Cause: "z", Kind: fund.Appropriated, Legs: []fund.Leg{{Account: "mine", Fen: 5}, {Account: "mine", Fen: -5}}}), "M01 ENTRY#z, M01 ENTRY#z"},
		"overflow": {edit("ENTRY#appropriate#2026-1", func(e *fund.Entry) {
			e.Legs = []fund.Leg{{Account: fund.External, Fen: most}, {Account: fund.External, Fen: most}}
		}), "M01 ENTRY#appropriate#2026-1, M02 ENTRY#appropriate#2026-1, M02 SLICE, M02 SLICE, M13 ENTRY#appropriate#2026-1"},
		"a counter":          {counter(func(c map[string]int64) { c["available"]++ }), "M01 SLICE, M02 SLICE"},
		"a pair of counters": {counter(func(c map[string]int64) { c["available"]++; c["paid"]-- }), "M02 SLICE, M02 SLICE"},
		"below zero":         {counter(func(c map[string]int64) { c["available"]++; c["reserved"]-- }), "M02 SLICE, M02 SLICE, M04 SLICE"},
		"a lost entry":       {counter(func(c map[string]int64) { c["count"]++ }), "M15 SLICE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lived(t)
			c.damage(t, s)
			look, err := fund.Inspect(t.Context(), s, slice)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range look.Flaws {
				got = append(got, f.Rule+" "+f.SK)
				if f.Why == "" {
					t.Errorf("%s has no reason", f.Rule)
				}
			}
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
			if c.want == "" && (len(look.Entries) != 4 || look.Slice.Balances.Of(fund.Available) != 800) {
				t.Errorf("%d entries, %+v", len(look.Entries), look.Slice)
			}
			// Whatever stops the money is named, except a second version that says the same.
			if err := fund.Coherent(t.Context(), s, slice); err != nil && c.want == "" {
				t.Errorf("nothing was named: %v", err)
			}
		})
	}
}

// after lets so many reads through and then stops answering.
type after struct {
	table.Store
	gets int
}

func (a *after) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if a.gets--; a.gets < 0 {
		return table.Item{}, false, table.ErrBusy
	}
	return a.Store.Get(ctx, k)
}

// A store that does not answer is no flaw and no finding.
func TestInspectingASilentStore(t *testing.T) {
	t.Parallel()
	s := lived(t)
	for name, st := range map[string]table.Store{"no get": away{s, true, false}, "no query": away{s, false, true},
		"no second get": &after{s, 1}, "always moving": restless{stocked(t, 1000), new(int)}} {
		if look, err := fund.Inspect(t.Context(), st, slice); !errors.Is(err, table.ErrBusy) || len(look.Flaws) > 0 {
			t.Errorf("%s: %+v %v", name, look, err)
		}
	}
	if err := fund.Coherent(t.Context(), &after{s, 1}, slice); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	if _, err := fund.Inspect(t.Context(), embedded.Memory(), slice); !errors.Is(err, fund.ErrMissing) {
		t.Errorf("a slice that is not there: %v", err)
	}
	if _, err := fund.About(t.Context(), away{s, false, true}, slice, "app1", "01"); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
}

// Money that came from a page beyond the first counts as the rest does.
func TestInspectReadsToTheEnd(t *testing.T) {
	t.Parallel()
	s := stocked(t, 10_000)
	for i := range table.MaxPage + 1 {
		w, err := fund.Take(slice, claim(i), 1, []event.Actor{first}, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Transact(t.Context(), w...); err != nil {
			t.Fatal(err)
		}
	}
	look, err := fund.Inspect(t.Context(), s, slice)
	if err != nil || len(look.Entries) != table.MaxPage+2 || len(look.Flaws) > 0 {
		t.Errorf("%d entries, %v, %v", len(look.Entries), look.Flaws, err)
	}
}

// Every step of an award says whose it is, whatever the bank calls its credits; a
// paper that orders money is nobody's, whatever its number looks like.
func TestWhoseAnEntryIs(t *testing.T) {
	t.Parallel()
	s := lived(t)
	do := transact(t, s)
	if err := errors.Join(do(fund.Appropriate(slice, appropriation("2026#3#4", 5))), do(fund.Take(slice, claim(11), 1, []event.Actor{first, other}, now))); err != nil {
		t.Fatal(err)
	}
	all, err := fund.Entries(t.Context(), s, slice)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, e := range all {
		c, ok := e.Claim()
		application, award, again := e.Of()
		if ok != (e.Kind != fund.Appropriated) || again != ok || ok && (c.Number != 1 || c.Award != "01" || application != c.Application || award != "01") {
			t.Errorf("%s is of %+v, %t", e.Cause, c, ok)
		}
		of[application]++
	}
	if of["app1"] != 3 || of["app11"] != 1 {
		t.Errorf("entries by application: %v", of)
	}
	for _, cause := range []string{"", "app1", "app1#01#x#resolve", "app1#01#000#resolve", "app1#01#-01#resolve"} {
		if c, ok := (fund.Entry{Kind: fund.Posted, Cause: cause}).Claim(); ok {
			t.Errorf("%q is of %+v", cause, c)
		}
	}
	about, err := fund.About(t.Context(), s, slice, "app1", "01")
	if err != nil || len(about) != 3 {
		t.Errorf("%d entries about one award, %v", len(about), err)
	}
	behind(t, s, posted, func(i *table.Item) { i.Body = []byte("{") })
	if about, err = fund.About(t.Context(), s, slice, "app1", "01"); err != nil || len(about) != 2 {
		t.Errorf("beside a damaged one: %d entries, %v", len(about), err)
	}
	if got := about[0].Fen(fund.Returned); got != -100 || about[0].Fen(fund.Paid) != 0 {
		t.Errorf("given back: %d", got)
	}
	if _, err := fund.Entries(t.Context(), s, slice); err == nil {
		t.Error("the damaged one was read")
	}
}

// unsaid is a store whose next write is done and not answered.
type unsaid struct {
	table.Store
	n    int // which transaction, from 1
	done bool
}

func (u *unsaid) Transact(ctx context.Context, w ...table.Write) error {
	if u.n--; u.n != 0 {
		return u.Store.Transact(ctx, w...)
	}
	if u.done {
		if err := u.Store.Transact(ctx, w...); err != nil {
			return err
		}
	}
	return table.ErrUnknown
}

// Whichever write of Provide is lost, before or after it was done, the next call
// finishes, and the money is there once.
func TestProvideAfterALostWrite(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 2; n++ {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprint(n, done), func(t *testing.T) {
				t.Parallel()
				s := embedded.Memory()
				give := func(st table.Store) error {
					return fund.Provide(t.Context(), st, fund.Slice{ID: slice, Source: "county"}, appropriation("1", 700))
				}
				if err := give(&unsaid{s, n, done}); !errors.Is(err, table.ErrUnknown) {
					t.Fatal(err)
				}
				if err := give(s); err != nil {
					t.Fatal(err)
				}
				balances(t, s, 700, 0, 0, 0)
			})
		}
	}
}

// What was booked under a reference cannot be told from a damaged entry: that is an
// error, and the money is not booked beside it.
func TestProvideOverADamagedEntry(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{"{": nil, "{}": fund.ErrReference} {
		s := stocked(t, 1000)
		behind(t, s, "ENTRY#appropriate#2026-1", func(i *table.Item) { i.Body = []byte(body) })
		err := fund.Provide(t.Context(), s, fund.Slice{ID: slice, Source: "county"}, appropriation("2026-1", 1000))
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("over %s: %v", body, err)
		}
		if got, err := fund.Read(t.Context(), s, slice); err != nil || got.Balances.Of(fund.Available) != 1000 {
			t.Errorf("over %s: %+v %v", body, got.Balances, err)
		}
	}
}

// Every step needs somebody who took it and a moment, and so has a slice.
func TestNoStepIsOfNobody(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(time.Time) ([]table.Write, error){
		"post":    func(at time.Time) ([]table.Write, error) { return fund.Post(slice, claim(1), 2, 1, pays, "", at) },
		"void":    func(at time.Time) ([]table.Write, error) { return fund.Void(slice, claim(1), 2, pays, "", at) },
		"return":  func(at time.Time) ([]table.Write, error) { return fund.Return(slice, claim(1), 2, pays, "", at) },
		"recover": func(at time.Time) ([]table.Write, error) { return fund.Recover(slice, claim(1), "c", 2, pays, "", at) },
		"open": func(at time.Time) ([]table.Write, error) {
			return fund.Open(fund.Slice{ID: slice, Source: "county"}, first, at)
		},
	} {
		if w, err := f(time.Time{}); err == nil {
			t.Errorf("%s at no time: %v", name, w)
		}
		if w, err := f(now); err != nil || len(w) < 2 {
			t.Errorf("%s: %d writes, %v", name, len(w), err)
		}
	}
	if _, err := fund.Open(fund.Slice{ID: slice, Source: "county"}, event.Actor{}, now); err == nil {
		t.Error("opened by nobody")
	}
}
