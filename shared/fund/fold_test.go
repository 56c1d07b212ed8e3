package fund_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// entry is one movement with legs given in the order of fund.Accounts.
func entry(kind fund.Kind, cause, answers string, legs ...money.Fen) fund.Entry {
	e := fund.Entry{Cause: cause, Kind: kind, Answers: answers}
	for i, fen := range legs {
		if fen != 0 {
			e.Legs = append(e.Legs, fund.Leg{Account: fund.Accounts()[i], Fen: fen})
		}
	}
	return e
}

// What follows a reservation must be for it, of the right kind and of no more. The
// stored slice says the same as the fold, to whoever inspects it.
func TestAnAnswerFitsWhatItAnswers(t *testing.T) {
	t.Parallel()
	const resolve = "app1#01#001#resolve"
	in := entry(fund.Appropriated, "appropriate#1", "", -1000, 1000)
	take := entry(fund.Reservation, "app1#01#001#reserve", "", 0, -400, 400)
	post := entry(fund.Posted, resolve, take.Cause, 0, 100, -400, 300)
	void := entry(fund.Voided, resolve, take.Cause, 0, 400, -400)
	// Another's payment, so that the slice as a whole has paid more than comes back.
	take2 := entry(fund.Reservation, "app2#01#001#reserve", "", 0, -400, 400)
	post2 := entry(fund.Posted, "app2#01#001#resolve", take2.Cause, 0, 0, -400, 400)
	late := entry(fund.PostedLate, "app1#01#001#late", resolve, 0, -300, 0, 300)
	back := func(fen money.Fen) fund.Entry {
		return entry(fund.CameBack, "app1#01#001#return", resolve, 0, fen, 0, 0, -fen)
	}
	gave := func(n, answers string, fen money.Fen) fund.Entry {
		return entry(fund.GaveBack, "app1#01#001#back#"+n, answers, 0, fen, 0, 0, -fen)
	}
	for name, c := range map[string]struct {
		entries  []fund.Entry
		ok       bool
		foldOnly bool // no answer is wrong, only what all of them come to
	}{
		"nothing":      {nil, true, false},
		"appropriated": {[]fund.Entry{in}, true, false},
		"paid":         {[]fund.Entry{in, take, post}, true, false},
		"the answer is read before what it answers": {[]fund.Entry{post, take, in}, true, false},
		"all came back":                             {[]fund.Entry{in, take, post, back(300)}, true, false},
		"less came back":                            {[]fund.Entry{in, take, post, back(299)}, false, false},
		"given back to the last fen":                {[]fund.Entry{in, take, post, gave("1", resolve, 100), gave("2", resolve, 200)}, true, false},
		"given back one fen too much, in two parts": {[]fund.Entry{in, take, post, gave("1", resolve, 100), gave("2", resolve, 201), take2, post2}, false, false},
		"given back too much at once":               {[]fund.Entry{in, take, post, gave("1", resolve, 301)}, false, false},
		"all given back at once":                    {[]fund.Entry{in, take, post, gave("1", resolve, 300)}, true, false},
		"nothing given back":                        {[]fund.Entry{in, take, post, gave("1", resolve, 0)}, false, false},
		"given, not given back":                     {[]fund.Entry{in, take, post, gave("1", resolve, 100), gave("2", resolve, -50)}, false, false},
		"came back, and then some given back":       {[]fund.Entry{in, take, post, back(300), gave("1", resolve, 1), take2, post2}, false, false},
		"another's payment covers what is too much": {[]fund.Entry{in, take, post, take2, post2, gave("1", resolve, 301)}, false, false},
		"posted less than was reserved":             {[]fund.Entry{in, take, entry(fund.Posted, resolve, take.Cause, 0, 0, -399, 399)}, false, false},
		"posted upon an appropriation":              {[]fund.Entry{in, take, entry(fund.Posted, resolve, in.Cause, 0, 0, -400, 400)}, false, false},
		"voided twice":                              {[]fund.Entry{in, take, void, entry(fund.Voided, "app1#01#001#again", resolve, 0, -400, 400)}, false, false},
		"came back without having been posted":      {[]fund.Entry{in, take, void, back(400)}, false, false},
		"given back without having been posted":     {[]fund.Entry{in, take, void, late, gave("1", resolve, 100)}, false, false},
		"paid late":                                 {[]fund.Entry{in, take, void, late}, true, false},
		"paid late and given back":                  {[]fund.Entry{in, take, void, late, gave("1", late.Cause, 300)}, true, false},
		"paid late and come back":                   {[]fund.Entry{in, take, void, late, entry(fund.CameBack, "app1#01#001#return", late.Cause, 0, 300, 0, 0, -300)}, true, false},
		"paid late, all that was reserved":          {[]fund.Entry{in, take, void, entry(fund.PostedLate, late.Cause, resolve, 0, -400, 0, 400)}, true, false},
		"paid late, more than was reserved":         {[]fund.Entry{in, take, void, entry(fund.PostedLate, late.Cause, resolve, 0, -401, 0, 401)}, false, false},
		"more came back than ever went out":         {[]fund.Entry{in, entry(fund.Appropriated, "appropriate#2", "", 0, 5, 0, 0, -5)}, false, true},
		"what came back went out again by itself":   {[]fund.Entry{in, entry(fund.Appropriated, "appropriate#2", "", 0, -5, 0, 0, 5)}, false, true},
		"more is appropriated than can be counted":  {[]fund.Entry{entry(fund.Appropriated, "appropriate#1", "", -math.MaxInt64, math.MaxInt64), entry(fund.Appropriated, "appropriate#2", "", -1, 1)}, false, true},
		"legs that come to more than can be added":  {[]fund.Entry{entry(fund.Appropriated, "appropriate#1", "", 0, math.MaxInt64, math.MaxInt64)}, false, true},
	} {
		if _, err := fund.Fold(c.entries); (err == nil) != c.ok || (err != nil && !errors.Is(err, fund.ErrIncoherent)) {
			t.Errorf("%s: folded, %v", name, err)
		}
		if c.foldOnly {
			continue
		}
		s := embedded.Memory()
		if err := transact(t, s)(fund.Open(fund.Slice{ID: slice, Source: "county"}, first, now)); err != nil {
			t.Fatal(err)
		}
		for _, e := range c.entries {
			slip(t, s, e)
		}
		got, err := fund.Inspect(t.Context(), s, slice)
		if err != nil || (len(got.Flaws) == 0) != c.ok {
			t.Errorf("%s: inspected, %v %v", name, got.Flaws, err)
		}
	}
}

// moved is a store in which money moves once, between the first look and its end.
type moved struct {
	table.Store
	t    *testing.T
	once *bool
}

func (m moved) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := m.Store.Query(ctx, q)
	if !*m.once {
		*m.once = true
		if err := transact(m.t, m.Store)(fund.Take(slice, claim(7), 1, []event.Actor{first}, now)); err != nil {
			m.t.Fatal(err)
		}
	}
	return page, err
}

// Whoever looks while money moves looks again, and finds nothing wrong.
func TestALookDuringWhichMoneyMovedIsRepeated(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(table.Store) error{
		"coherent": func(s table.Store) error { return fund.Coherent(t.Context(), s, slice) },
		"inspect": func(s table.Store) error {
			got, err := fund.Inspect(t.Context(), s, slice)
			if len(got.Flaws) > 0 || err == nil && len(got.Entries) != 2 {
				t.Errorf("inspected %+v", got)
			}
			return err
		},
	} {
		if err := look(moved{stocked(t, 1000), t, new(bool)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// At each limit, on both sides of it.
func TestLimitsOfAmounts(t *testing.T) {
	t.Parallel()
	for amount, ok := range map[money.Fen]bool{money.Max: true, money.Max + 1: false, -money.Max: true, -money.Max - 1: false} {
		if _, err := fund.Appropriate(slice, appropriation("r", amount)); (err == nil) != ok {
			t.Errorf("appropriation of %d: %v", amount, err)
		}
	}
	for amount, ok := range map[money.Fen]bool{1000: true, 1001: false} {
		if _, err := fund.Spend(t.Context(), embedded.Memory(), slice, "2026-11-22", 1000, amount); (err == nil) != ok {
			t.Errorf("the first payment of a day, of %d: %v", amount, err)
		}
	}
	s := fund.Slice{LowFen: 500}
	for available, low := range map[money.Fen]bool{499: true, 500: false, 501: false} {
		s.Balances.Accounts = map[fund.Account]money.Fen{fund.Available: available}
		if s.Low() != low {
			t.Errorf("low at %d of 500: %t", available, !low)
		}
	}
	whole, err := fund.Post(slice, claim(1), 400, 400, pays, "", now)
	if err != nil || len(whole[0].(table.Move).Deltas) != 3 { // the count and two accounts
		t.Errorf("paid in full, and something is released: %+v %v", whole, err)
	}
}

// Two different human beings, whichever of them is the one that is wrong.
func TestTwoPeopleAppropriate(t *testing.T) {
	t.Parallel()
	bad := map[string]event.Actor{
		"a machine":                 {Kind: event.System, ID: "x", Person: "b1.x"},
		"the same account":          {Kind: event.Staff, ID: first.ID, Person: "b1.x"},
		"the same person elsewhere": {Kind: event.Staff, ID: "x", Person: first.Person},
		"nobody known":              {Kind: event.Staff, ID: "x"},
	}
	for name, a := range bad {
		for _, pair := range [][2]event.Actor{{first, a}, {a, first}} {
			got := appropriation("r", 1)
			got.First, got.Second = pair[0], pair[1]
			if _, err := fund.Appropriate(slice, got); !errors.Is(err, fund.ErrTwo) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Only a day that is used up says so.
func TestADayThatSomebodyElseBeganIsNotUsedUp(t *testing.T) {
	t.Parallel()
	s := stocked(t, 1000)
	w1, err1 := fund.Spend(t.Context(), s, slice, "2026-11-22", 1000, 1)
	w2, err2 := fund.Spend(t.Context(), s, slice, "2026-11-22", 1000, 1)
	if err := errors.Join(err1, err2, s.Transact(t.Context(), w1)); err != nil {
		t.Fatal(err)
	}
	err := fund.Refusal(s.Transact(t.Context(), w2), slice, "2026-11-22")
	if _, failed := errors.AsType[*table.ConditionError](err); !failed || errors.Is(err, fund.ErrDay) {
		t.Errorf("the second of two first payments: %v", err)
	}
}
