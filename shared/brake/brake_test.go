package brake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

const (
	here  civil.DivisionCode = "320402005000"
	there civil.DivisionCode = "320402002000"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// who is one account of one person: "a/1" and "a/2" are two accounts of a.
func who(id string) event.Actor {
	return event.Actor{Kind: event.Staff, ID: id, Person: "b1." + id[:1]}
}

func pulled(t *testing.T) brake.Brake {
	t.Helper()
	b, err := brake.New(brake.Brake{ID: "x", Kind: brake.Division, Division: here, Townships: []civil.DivisionCode{here}}, who("a/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every order of four accounts of three persons and one stranger: a brake is
// lifted exactly when two others lift what one or two pulled.
func TestWhoMayTakeWhichStep(t *testing.T) {
	t.Parallel()
	people := []string{"a/1", "a/2", "b/1", "c/1", "d/1", "?"}
	actor := func(id string) event.Actor {
		if id == "?" {
			return event.Actor{Kind: event.Staff, ID: "?"} // nobody knows which person
		}
		return who(id)
	}
	for _, second := range people {
		for _, ask := range people {
			for _, lift := range people {
				b := pulled(t)
				name := fmt.Sprintf("a/1 pulled, %s seconded, %s asked, %s lifted", second, ask, lift)
				b2, err := b.Second(actor(second), noon)
				if ok := second[0] != 'a' && second != "?"; ok != (err == nil) {
					t.Errorf("%s: second: %v", name, err)
				}
				if err == nil {
					b = b2
				}
				took := map[byte]bool{'a': true, '?': true}
				if err == nil {
					took[second[0]] = true
				}
				b2, err = b.AskLift(actor(ask), noon)
				if ok := !took[ask[0]]; ok != (err == nil) {
					t.Errorf("%s: ask: %v", name, err)
				}
				if err != nil {
					continue
				}
				took[ask[0]] = true
				if b2.State(noon) != brake.Lifting || !b2.Stops(noon) {
					t.Errorf("%s: one person freed it", name)
				}
				b3, err := b2.Lift(actor(lift), noon)
				if ok := !took[lift[0]]; ok != (err == nil) || ok != !b3.Stops(noon) && err == nil {
					t.Errorf("%s: lift: %v, stops %t", name, err, b3.Stops(noon))
				}
			}
		}
	}
}

func TestSecondingAnswersAWishToLift(t *testing.T) {
	t.Parallel()
	asked, err := pulled(t).AskLift(who("b/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asked.Second(who("b/1"), noon); !errors.Is(err, brake.ErrPerson) {
		t.Errorf("who wishes to lift it seconds it: %v", err)
	}
	b, err := asked.Second(who("c/1"), noon)
	if err != nil || b.State(noon.AddDate(1, 0, 0)) != brake.Standing {
		t.Errorf("%s %v", b.State(noon), err)
	}
	if _, err := b.Lift(who("d/1"), noon); !errors.Is(err, brake.ErrState) {
		t.Errorf("lifted by one: %v", err)
	}
}

func TestWhatEachKindStops(t *testing.T) {
	t.Parallel()
	mine := brake.Payment{Township: here, Programme: award.FirstAid, Rail: award.Bank, People: []event.Actor{who("p/1"), who("q/1")}}
	for name, tc := range map[string]struct {
		b       brake.Brake
		change  func(*brake.Payment)
		stopped bool
	}{
		"the_division":              {brake.Brake{Kind: brake.Division}, nil, true},
		"another_township":          {brake.Brake{Kind: brake.Division}, func(p *brake.Payment) { p.Township = there }, false},
		"the_rail":                  {brake.Brake{Kind: brake.Rail, Target: "bank"}, nil, true},
		"another_rail":              {brake.Brake{Kind: brake.Rail, Target: "bank"}, func(p *brake.Payment) { p.Rail = award.ReserveCash }, false},
		"a_rail_before_it_leaves":   {brake.Brake{Kind: brake.Rail, Target: "bank"}, func(p *brake.Payment) { p.Rail = "" }, false},
		"the_rail_elsewhere":        {brake.Brake{Kind: brake.Rail, Target: "bank"}, func(p *brake.Payment) { p.Township = there }, false},
		"the_programme":             {brake.Brake{Kind: brake.Programme, Target: "first_aid"}, nil, true},
		"another_programme":         {brake.Brake{Kind: brake.Programme, Target: "grant"}, nil, false},
		"who_proposed":              {brake.Brake{Kind: brake.Officer, Target: "p/1"}, nil, true},
		"who_approved":              {brake.Brake{Kind: brake.Officer, Target: "q/1"}, nil, true},
		"another_account_of_theirs": {brake.Brake{Kind: brake.Officer, Target: "q/9", Persons: []string{"b1.q"}}, nil, true},
		"an_officer_everywhere":     {brake.Brake{Kind: brake.Officer, Target: "q/1"}, func(p *brake.Payment) { p.Township = there }, true},
		"another_officer":           {brake.Brake{Kind: brake.Officer, Target: "r/1", Persons: []string{"b1.r"}}, nil, false},
		"nobody_known":              {brake.Brake{Kind: brake.Officer, Target: "r/1", Persons: []string{""}}, func(p *brake.Payment) { p.People = []event.Actor{{ID: "s"}} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := embedded.Memory()
			tc.b.ID, tc.b.Division, tc.b.Townships = "x", "320402000000", []civil.DivisionCode{here}
			b, err := brake.New(tc.b, who("a/1"), noon)
			if err != nil {
				t.Fatal(err)
			}
			keep(t, store, b, "pulled")
			p := mine
			if tc.change != nil {
				tc.change(&p)
			}
			for n := range 2 * brake.Copies {
				board := read(t, store, fmt.Sprint(n))
				if err := board.Stopped(p, noon); errors.Is(err, brake.ErrStopped) != tc.stopped {
					t.Errorf("a copy says %v", err)
				}
				if board.Stopped(p, noon.Add(brake.Alone)) != nil {
					t.Error("it never lapses")
				}
			}
		})
	}
}

func read(t *testing.T, store table.Store, id string) brake.Board {
	t.Helper()
	board, err := brake.Read(context.Background(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	return board
}

func keep(t *testing.T, store table.Store, b brake.Brake, kind string) {
	t.Helper()
	if err := brake.Commit(context.Background(), store, read(t, store, "any"), b, b.Event(kind, b.Pulled.By, noon)); err != nil {
		t.Fatal(err)
	}
}

// A payment that read any copy before a pull or a lift is undone by it.
func TestEveryCopyMovesWithEveryStep(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	b := pulled(t)
	for step, next := range []func() (brake.Brake, error){
		func() (brake.Brake, error) { return b, nil },
		func() (brake.Brake, error) { return b.Second(who("b/1"), noon) },
		func() (brake.Brake, error) { return b.AskLift(who("c/1"), noon) },
		func() (brake.Brake, error) { return b.Lift(who("d/1"), noon) },
	} {
		var before []brake.Board
		for n := range 4 * brake.Copies {
			before = append(before, read(t, store, fmt.Sprint(n)))
		}
		var err error
		if b, err = next(); err != nil {
			t.Fatal(err)
		}
		keep(t, store, b, "step")
		seen := map[table.Key]bool{}
		for n, board := range before {
			put := table.Put{Item: table.Item{Key: table.Key{PK: "P", SK: fmt.Sprintf("%d.%d", step, n)}, Version: 1}}
			if err := store.Transact(t.Context(), put, board.Check()); !board.Moved(err) {
				t.Errorf("step %d: paid although it changed: %v", step, err)
			}
			seen[board.Check().Key] = true
		}
		if len(seen) != brake.Copies {
			t.Errorf("%d of %d copies are used", len(seen), brake.Copies)
		}
	}
	if got := read(t, store, "x").Standing(noon); len(got) != 0 {
		t.Errorf("on the board after lifting: %+v", got)
	}
	all, err := brake.List(t.Context(), store)
	if err != nil || len(all) != 1 || all[0].State(noon) != brake.Lifted {
		t.Errorf("%+v %v", all, err)
	}
}

func TestTheBoardDoesNotOverflow(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	for n := range 60 {
		b, err := brake.New(brake.Brake{ID: fmt.Sprint(n), Kind: brake.Officer, Target: fmt.Sprint("o", n), Division: here}, who("a/1"), noon)
		if err != nil {
			t.Fatal(err)
		}
		err = brake.Commit(t.Context(), store, read(t, store, "any"), b, b.Event("pulled", b.Pulled.By, noon))
		if want := n >= 50; errors.Is(err, brake.ErrMany) != want {
			t.Fatalf("brake %d: %v", n, err)
		}
	}
}

// A record that cannot be read stops money: it is an error, never "no brake".
func TestDamagedRecordsAreErrors(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	put := func(key table.Key, body string) {
		if err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte(body)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := brake.Get(t.Context(), store, "none"); !errors.Is(err, brake.ErrNotFound) {
		t.Error(err)
	}
	put(brake.Key("broken"), "{")
	put(brake.Key("other"), `{"id":"other","version":7}`)
	put(read(t, store, "any").Check().Key, "{")
	for _, id := range []string{"broken", "other"} {
		if _, err := brake.Get(t.Context(), store, id); err == nil {
			t.Errorf("%s was read", id)
		}
	}
	if _, err := brake.List(t.Context(), store); err == nil {
		t.Error("listed")
	}
	if _, err := brake.Read(t.Context(), store, "any"); err == nil {
		t.Error("the board was read")
	}
}

// Two who act on the same board at once: one step lands.
func TestOfTwoStepsAtOnceOneLands(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	board := read(t, store, "any")
	first := pulled(t)
	second := first
	second.ID, second.Kind, second.Target = "y", brake.Officer, "o"
	if err := brake.Commit(t.Context(), store, board, first, first.Event("pulled", first.Pulled.By, noon)); err != nil {
		t.Fatal(err)
	}
	if err := brake.Commit(t.Context(), store, board, second, second.Event("pulled", second.Pulled.By, noon)); !errors.Is(err, brake.ErrMovedOn) {
		t.Errorf("got %v", err)
	}
	if err := brake.Commit(t.Context(), store, read(t, store, "any"), first, first.Event("pulled", first.Pulled.By, noon)); !errors.Is(err, brake.ErrAlready) {
		t.Errorf("got %v", err)
	}
	if b := read(t, store, "any"); b.Frozen(noon, event.Actor{ID: "o"}) != nil || len(b.Standing(noon)) != 1 {
		t.Error("both landed")
	}
}

func TestEverythingHasAName(t *testing.T) {
	t.Parallel()
	for _, k := range brake.Kinds() {
		if k.Label() == "" {
			t.Errorf("%s has no name", k)
		}
	}
	for _, s := range []brake.State{brake.Pulled, brake.Standing, brake.Lifting, brake.Lapsed, brake.Lifted} {
		if s.Label() == "" {
			t.Errorf("%s has no name", s)
		}
	}
}
