package award_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var now = time.Date(2026, 12, 31, 17, 0, 0, 0, time.UTC) // already 2027 in China

func sample(change ...func(*award.Award)) award.Award {
	a := award.Award{ID: "01", Application: "app1", Kind: award.FirstAid, AmountFen: 3000_00, Persons: 3, Months: 1,
		Cause: "illness", Year: 2027, Subject: "b1.person", Payee: "b1.account", Rail: award.Bank,
		Fund: fund.Named(fund.Relief, 2027), Township: "320402001000",
		Proposer: event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.c"},
		Approver: event.Actor{Kind: event.Staff, ID: "approver-1", Person: "b1.a"},
		Rules:    "rules", Article: "《社会救助法》第五十条", At: now}
	for _, c := range change {
		c(&a)
	}
	return a
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := sample().Check(); err != nil {
		t.Fatal(err)
	}
	if err := sample(func(a *award.Award) { a.AmountFen = award.Ceiling }).Check(); err != nil {
		t.Errorf("B06: the ceiling itself is refused: %v", err)
	}
	if err := sample(func(a *award.Award) {
		a.Envelope, a.Proposer, a.Approver = "e1", event.Actor{}, event.Actor{}
	}).Check(); err != nil {
		t.Errorf("within a standing approval: %v", err)
	}
	for _, amount := range []money.Fen{0, -1, award.Ceiling + 1, 1<<63 - 1} {
		if err := sample(func(a *award.Award) { a.AmountFen = amount }).Check(); !errors.Is(err, award.ErrAmount) {
			t.Errorf("M03: amount %d: %v", amount, err)
		}
	}
	for name, change := range map[string]func(*award.Award){
		"no id":                func(a *award.Award) { a.ID = "" },
		"an id of one digit":   func(a *award.Award) { a.ID = "1" },
		"no application":       func(a *award.Award) { a.Application = "" },
		"another kind":         func(a *award.Award) { a.Kind = "gift" },
		"no cause":             func(a *award.Award) { a.Cause = "" },
		"a year before us":     func(a *award.Award) { a.Year = 2025 },
		"no subject":           func(a *award.Award) { a.Subject = "" },
		"no rail":              func(a *award.Award) { a.Rail = "" },
		"an unknown rail":      func(a *award.Award) { a.Rail = "cheque" },
		"cash from the relief": func(a *award.Award) { a.Rail = award.ReserveCash },
		"bank from reserve":    func(a *award.Award) { a.Fund = fund.Named(fund.Reserve, 2027) },
		"no payee":             func(a *award.Award) { a.Payee = "" },
		"no township":          func(a *award.Award) { a.Township = "" },
		"no rules":             func(a *award.Award) { a.Rules = "" },
		"no article":           func(a *award.Award) { a.Article = "" },
		"no time":              func(a *award.Award) { a.At = time.Time{} },
		"one person twice":     func(a *award.Award) { a.Approver = a.Proposer },
		"one person, two accounts": func(a *award.Award) {
			a.Approver.Person = a.Proposer.Person
		},
		"a machine approves": func(a *award.Award) { a.Approver = event.Actor{Kind: event.System, ID: "x", Person: "y"} },
		"nobody known":       func(a *award.Award) { a.Approver.Person = "" },
	} {
		if err := sample(change).Check(); !errors.Is(err, award.ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// give makes an award's markers and reports what stood in the way.
func give(ctx context.Context, s table.Store, a award.Award) error {
	w, err := award.Markers(ctx, s, a)
	if err != nil {
		return err
	}
	return s.Transact(ctx, w...)
}

func TestM22OncePerPersonCauseAndYear(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	ctx := t.Context()
	if err := give(ctx, s, sample()); err != nil {
		t.Fatal(err)
	}
	again := func(a *award.Award) { a.Application = "app2" }
	if err := give(ctx, s, sample(again)); !errors.Is(err, award.ErrOnce) {
		t.Errorf("X047: a second award: %v", err)
	}
	for name, change := range map[string]func(*award.Award){
		"another cause":  func(a *award.Award) { a.Cause = "ill" }, // the first is longer and begins with it
		"another year":   func(a *award.Award) { a.Year = 2028 },
		"another person": func(a *award.Award) { a.Subject, a.Payee = "b1.other", "b1.others" },
	} {
		if err := give(ctx, s, sample(again, change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	exception := func(a *award.Award) { a.Application, a.Exception = "app3", "SECOND_FIRE" }
	for range 2 {
		if err := give(ctx, s, sample(exception)); err != nil {
			t.Errorf("a reasoned exception: %v", err)
		}
	}
	got, err := had(ctx, s, "b1.person")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got {
		if e.Day != civil.Date(2027, time.January, 1) || e.AmountFen != 3000_00 || e.Cause == "" {
			t.Errorf("earlier award is %+v", e)
		}
	}
	if want := []string{"app2#01", "app1#01", "app3#01"}; !slices.Equal(ids(got), want) {
		t.Errorf("earlier awards %v, want %v", ids(got), want)
	}
}

func TestOfTwoAwardsAtOnceOneIsMade(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	w1, err1 := award.Markers(t.Context(), s, sample())
	w2, err2 := award.Markers(t.Context(), s, sample(func(a *award.Award) { a.Application, a.Payee = "app2", "b1.second" }))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := s.Transact(t.Context(), w1...); err != nil {
		t.Fatal(err)
	}
	var failed *table.ConditionError
	if err := s.Transact(t.Context(), w2...); !errors.As(err, &failed) {
		t.Errorf("the second one: %v", err)
	}
}

// What the first reads say is worth nothing once somebody else has written:
// each of these pairs read before either wrote.
func TestWhateverTwoAwardsReadOnlyOneIsMade(t *testing.T) {
	t.Parallel()
	other := func(a *award.Award) { a.Application = "app2" }
	for name, c := range map[string]struct {
		before        bool // the person was helped, and the account known, already
		first, second func(*award.Award)
	}{
		"two_exceptions_are_not_both_the_second_award": {true,
			func(a *award.Award) { a.Exception = "SECOND_FIRE" },
			func(a *award.Award) { a.Exception, a.Payee = "SECOND_FIRE", "b1.second" }},
		"one_instance_knows_only_the_old_key": {false,
			func(a *award.Award) { a.Subject = "b1.new" },
			func(a *award.Award) { a.Subject, a.Subjects, a.Payee = "b2.new", []string{"b1.new"}, "b2.second" }},
		"two_people_register_one_new_account": {false,
			func(a *award.Award) { a.Subject, a.Payee = "b1.ghost", "b1.fresh" },
			func(a *award.Award) { a.Payee = "b1.fresh" }},
	} {
		s := embedded.Memory()
		if c.before {
			if err := give(t.Context(), s, sample(func(a *award.Award) { a.Application = "app0" })); err != nil {
				t.Fatal(err)
			}
		}
		w1, err1 := award.Markers(t.Context(), s, sample(c.first))
		w2, err2 := award.Markers(t.Context(), s, sample(c.second, other))
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", name, err1, err2)
			continue
		}
		if err := s.Transact(t.Context(), w2...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var failed *table.ConditionError
		if err := s.Transact(t.Context(), w1...); !errors.As(err, &failed) {
			t.Errorf("%s: both were made (%v)", name, err)
		}
	}
}

// had is what the person with refs had by themselves.
func had(ctx context.Context, s table.Store, refs ...string) ([]policy.Earlier, error) {
	h, err := award.Read(ctx, s, [][]string{refs}, false)
	return h.Earlier, err
}

func ids(had []policy.Earlier) []string {
	var out []string
	for _, e := range had {
		out = append(out, e.AwardID)
	}
	return out
}

// A region that counts by household sees what each who lives there was given,
// once each, whichever key it was given under.
func TestAHouseholdHadWhatEachInItHad(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	for app, change := range map[string]func(*award.Award){
		"app1": func(a *award.Award) { a.Subject, a.Subjects = "b2.mother", []string{"b1.mother"} },
		"app2": func(a *award.Award) { a.Subject, a.Payee = "b1.son", "b1.sons" }, // before the rotation
		"app3": func(a *award.Award) { a.Subject, a.Payee = "b1.neighbour", "b1.neighbours" },
	} {
		if err := give(t.Context(), s, sample(change, func(a *award.Award) { a.Application = app })); err != nil {
			t.Fatal(err)
		}
	}
	mother, son, baby := []string{"b2.mother", "b1.mother"}, []string{"b2.son", "b1.son"}, []string{"b2.baby"}
	for name, c := range map[string]struct {
		people [][]string
		want   []string
	}{
		"counted_by_person_only_the_subject_counts":      {[][]string{mother}, []string{"app1#01"}},
		"counted_by_household_everybody_who_lives_there": {[][]string{baby, mother, son}, []string{"app1#01", "app2#01"}},
		"a_child_without_awards_had_none":                {[][]string{baby}, nil},
		"nobody_had_none":                                {nil, nil},
	} {
		if got, err := award.Read(t.Context(), s, c.people, true); err != nil || !slices.Equal(ids(got.Earlier), c.want) {
			t.Errorf("%s: %v, %v", name, ids(got.Earlier), err)
		}
	}
	// Half a household is not an answer: whoever was not read may have had one.
	reads := 2 // both references of the mother; the son's fail
	if got, err := award.Read(t.Context(), broken{s, &reads, false}, [][]string{mother, son}, true); !errors.Is(err, table.ErrBusy) || got.Earlier != nil {
		t.Errorf("half a household was given as the whole: %v, %v", got, err)
	}
}

// A page may end early; what stands on the next one counts as well.
func TestAnAwardOnALaterPageCounts(t *testing.T) {
	t.Parallel()
	s := short{embedded.Memory()}
	change := func(a *award.Award) { a.Exception = "SECOND_FIRE" }
	for n := range 3 {
		app := fmt.Sprintf("app%d", n+1)
		if err := give(t.Context(), s, sample(change, func(a *award.Award) { a.Application = app })); err != nil {
			t.Fatalf("award %d: %v", n+1, err)
		}
	}
	got, err := had(t.Context(), s, "b1.person")
	if want := []string{"app1#01", "app2#01", "app3#01"}; err != nil || !slices.Equal(ids(got), want) {
		t.Errorf("%v, %v", ids(got), err)
	}
}

// short gives one item a page.
type short struct{ table.Store }

func (s short) Query(ctx context.Context, q table.Query) (table.Page, error) {
	q.Limit = 1
	return s.Store.Query(ctx, q)
}

// While keys rotate some instances know only the old key. Whoever comes second
// meets the first, whichever key the first knew.
func TestRotationOpensNoSecondAward(t *testing.T) {
	t.Parallel()
	old := func(a *award.Award) { a.Subject, a.Payee = "b1.person", "b1.account" }
	both := func(a *award.Award) {
		a.Subject, a.Subjects, a.Payee, a.Payees = "b2.person", []string{"b1.person"}, "b2.account", []string{"b1.account"}
	}
	for name, order := range map[string][2]func(*award.Award){"old then new": {old, both}, "new then old": {both, old}, "new then new": {both, both}} {
		s := embedded.Memory()
		if err := give(t.Context(), s, sample(order[0])); err != nil {
			t.Fatal(err)
		}
		if err := give(t.Context(), s, sample(order[1], func(a *award.Award) { a.Application = "app2" })); !errors.Is(err, award.ErrOnce) {
			t.Errorf("%s: %v", name, err)
		}
		// The same person's account stays theirs under the other key.
		if err := give(t.Context(), s, sample(order[1], func(a *award.Award) { a.Application, a.Year = "app3", 2028 })); err != nil {
			t.Errorf("%s, next year: %v", name, err)
		}
		got, err := had(t.Context(), s, "b2.person", "b1.person")
		if err != nil || len(got) != 2 {
			t.Errorf("%s: earlier %v, %v", name, got, err)
		}
	}
}

func TestM21OneAccountForOnePerson(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	ctx := t.Context()
	if err := give(ctx, s, sample()); err != nil {
		t.Fatal(err)
	}
	if err := give(ctx, s, sample(func(a *award.Award) { a.Subject = "b1.ghost" })); !errors.Is(err, award.ErrPayeeTaken) {
		t.Errorf("a second person on one account: %v", err)
	}
	// A guardian's account serves the guardian and those it is held for.
	if err := give(ctx, s, sample(func(a *award.Award) { a.Subject, a.Holder = "b1.child", "b1.person" })); err != nil {
		t.Errorf("the same holder for a child: %v", err)
	}
	if err := give(ctx, s, sample(func(a *award.Award) {
		a.Subject, a.Payee, a.Rail, a.Fund = "b1.x", "", award.ReserveCash, fund.Named(fund.Reserve, 2027)
	})); err != nil {
		t.Errorf("cash: %v", err)
	}
}

// broken is a store that fails from the nth call on, or gives back rubbish.
type broken struct {
	table.Store
	after   *int
	rubbish bool
}

func (b broken) fails() bool { *b.after--; return *b.after < 0 && !b.rubbish }

func (b broken) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if b.fails() {
		return table.Item{}, false, table.ErrBusy
	}
	item, ok, err := b.Store.Get(ctx, k)
	if b.rubbish {
		item.Body = []byte("{")
	}
	return item, ok, err
}

func (b broken) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if b.fails() {
		return table.Page{}, table.ErrBusy
	}
	p, err := b.Store.Query(ctx, q)
	for i := range p.Items {
		if b.rubbish {
			p.Items[i].Body = []byte("{")
		}
	}
	return p, err
}

func TestABrokenStoreGivesNoAward(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	if err := give(t.Context(), s, sample()); err != nil {
		t.Fatal(err)
	}
	next := sample(func(a *award.Award) { a.Application, a.Year = "app2", 2028 })
	for n := range 2 {
		after := n
		if _, err := award.Markers(t.Context(), broken{s, &after, false}, next); !errors.Is(err, table.ErrBusy) {
			t.Errorf("fails after %d reads: %v", n, err)
		}
	}
	zero := 0
	if _, err := had(t.Context(), broken{s, &zero, false}, "b1.person"); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	if _, err := had(t.Context(), broken{s, &zero, true}, "b1.person"); err == nil {
		t.Error("rubbish was read as history")
	}
	if _, err := award.Markers(t.Context(), broken{s, &zero, true}, next); err == nil {
		t.Error("rubbish was read as a holder")
	}
}

func TestEdgesOfAYear(t *testing.T) {
	t.Parallel()
	for year, ok := range map[int]bool{2025: false, 2026: true, 9999: true, 10000: false} { // four digits: keys sort by them
		if err := sample(func(a *award.Award) { a.Year = year }).Check(); (err == nil) != ok {
			t.Errorf("%d: %v", year, err)
		}
	}
}

func TestWhatEachRailLeavesToPeople(t *testing.T) {
	t.Parallel()
	type by struct{ machine, files bool }
	for rail, want := range map[award.Rail]by{award.Bank: {true, false}, award.ReserveCash: {false, false}, award.WxPay: {true, false}, award.BankBatch: {true, true}} {
		if got := (by{rail.ByMachine(), rail.InFiles()}); got != want {
			t.Errorf("%s: %+v", rail, got)
		}
	}
}

// Two who write the nth award at once must meet in one key, so the key is the
// count of what is there and nothing else.
func TestTheNthAwardOfAYearStandsUnderItsNumber(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	for n := range 3 {
		if err := give(t.Context(), s, sample(func(a *award.Award) {
			a.Application, a.Exception = fmt.Sprintf("app%d", n), "SECOND_FIRE"
		})); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for item, err := range table.All(t.Context(), s, table.Query{PK: "PERSON#b1.person"}.Prefix("ONCE#")) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, item.Key.SK)
	}
	if want := []string{"ONCE#2027#illness", "ONCE#2027#illness#002", "ONCE#2027#illness#003"}; !slices.Equal(keys, want) {
		t.Errorf("markers %v, want %v", keys, want)
	}
}

// What is known under two keys is one award, and hides none that is known under one.
func TestAnAwardSeenTwiceHidesNoOther(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	for app, change := range map[string]func(*award.Award){
		"app1": func(a *award.Award) { a.Subject, a.Subjects = "b2.person", []string{"b1.person"} },
		"app2": func(a *award.Award) { a.Year = 2028 }, // by an instance that knew only the old key
	} {
		if err := give(t.Context(), s, sample(change, func(a *award.Award) { a.Application = app })); err != nil {
			t.Fatal(err)
		}
	}
	got, err := had(t.Context(), s, "b2.person", "b1.person")
	if want := []string{"app1#01", "app2#01"}; err != nil || !slices.Equal(ids(got), want) {
		t.Errorf("earlier %v, %v; want %v", ids(got), err, want)
	}
}

// An account is somebody's under every live key, so that whoever knows only the
// old one is refused as well.
func TestAnAccountIsTakenUnderEveryKey(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	if err := give(t.Context(), s, sample(func(a *award.Award) { a.Payee, a.Payees = "b2.account", []string{"b1.account"} })); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"b2.account", "b1.account"} {
		if err := give(t.Context(), s, sample(func(a *award.Award) { a.Subject, a.Payee = "b1.ghost", ref })); !errors.Is(err, award.ErrPayeeTaken) {
			t.Errorf("another person on %s: %v", ref, err)
		}
	}
}
