package brake_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfBrakes has anybody pull, second and lift anything, over a store that loses
// writes and answers. What is stored is what the last step made, with an event for each
// version, and every copy of the board says so; one person alone stops for half an hour
// and not again for a day; two who were not in it lift, and never who is stopped; what
// was lifted or has lapsed stays so.
func TestLifeOfBrakes(t *testing.T) {
	t.Parallel()
	cast := eventtest.Cast()
	scopes := []brake.Brake{
		{Kind: brake.Division, Division: here, Townships: []civil.DivisionCode{here}, Reason: brake.Blind},
		{Kind: brake.Rail, Target: string(award.Bank), Division: here, Townships: []civil.DivisionCode{here}, Reason: brake.Blind},
		{Kind: brake.Officer, Target: cast[1].ID, Persons: []string{cast[1].Person}, Division: here, Reason: brake.Blind},
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), noon
		life := eventtest.Over(embedded.Memory())
		var all []brake.Brake
		commit := func(t *rapid.T, kind string, next brake.Brake, by event.Actor) func() error {
			board, err := brake.Read(ctx, life, next.ID)
			if err != nil {
				t.Fatal(err)
			}
			at := now
			return func() error { return brake.Commit(ctx, life, board, next, next.Event(kind, by, at)) }
		}
		// barred is why a new brake may not be pulled.
		barred := func(pulled brake.Brake) error {
			for _, b := range all {
				if b.Stops(now) && b.Kind == pulled.Kind {
					return brake.ErrAlready
				}
				alone := b.State(now) == brake.Lapsed && b.Pulled.By.Person == pulled.Pulled.By.Person
				if alone && now.Before(b.Pulled.At.Add(brake.Alone+brake.Again)) && pulled.Pulled.By.Kind == event.Staff {
					return brake.ErrAlone
				}
			}
			return nil
		}
		pull := func(t *rapid.T) {
			b, by := rapid.SampledFrom(scopes).Draw(t, "scope"), eventtest.Who(t)
			b.ID = fmt.Sprint("b", len(all))
			made := brake.New
			if by.Kind == event.System {
				made = brake.NewByMachine
			}
			b, err := made(b, by, now)
			if err != nil {
				return
			}
			if want := barred(b); want != nil {
				if err := commit(t, "pulled", b, by)(); !errors.Is(err, brake.ErrAlready) && !errors.Is(err, brake.ErrAlone) {
					t.Fatalf("pulled although %v: %v", want, err)
				}
				return
			}
			life.Step(t, brake.ErrMovedOn, commit(t, "pulled", b, by))
			all = append(all, b)
		}
		step := func(kind string, act func(brake.Brake, event.Actor, time.Time) (brake.Brake, error)) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(all) == 0 {
					return
				}
				by := eventtest.Who(t)
				i := len(all) - 1 - rapid.IntRange(0, min(2, len(all)-1)).Draw(t, "which")
				next, err := act(all[i], by, now)
				if err != nil {
					if next.Version != all[i].Version {
						t.Fatalf("%s: refused with %v and yet moved", kind, err)
					}
					return
				}
				if was := all[i].State(now); was == brake.Lifted || was == brake.Lapsed {
					t.Fatalf("%s of what is %s", kind, was)
				}
				life.Step(t, brake.ErrMovedOn, commit(t, kind, next, by))
				all[i] = next
			}
		}
		second, ask, lift := step("seconded", brake.Brake.Second), step("lift-asked", brake.Brake.AskLift), step("lifted", brake.Brake.Lift)
		rt.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Minute, brake.Alone, brake.Again}).Draw(t, "time"))
			},
			"pull": pull, "pull again": pull,
			"second": second, "second again": second, "ask": ask, "ask again": ask, "lift": lift, "lift again": lift,
			"release": step("released", brake.Brake.Release),
			"late":    life.Late,
			"": func(t *rapid.T) {
				standing := []string{}
				for _, b := range all {
					stored, err := brake.Get(ctx, life, b.ID)
					if err != nil {
						t.Fatal(err)
					}
					life.Holds(t, brake.Key(b.ID), brake.Noun, b.ID, b.Version, stored, b)
					stoppers(t, b)
					if b.Stops(now) {
						standing = append(standing, b.ID)
					}
					if b.State(now) == brake.Pulled && !now.Before(b.Pulled.At.Add(brake.Alone)) {
						t.Fatalf("%s alone stops since %s", b.Pulled.By.ID, b.Pulled.At)
					}
				}
				for n := range brake.Copies {
					board, err := brake.Read(ctx, life, fmt.Sprint(n))
					if err != nil {
						t.Fatal(err)
					}
					shown := []string{}
					for _, b := range board.Standing(now) {
						shown = append(shown, b.ID)
					}
					slices.Sort(shown)
					slices.Sort(standing)
					if !slices.Equal(shown, standing) {
						t.Fatalf("%v stop, and a copy of the board has %v", standing, shown)
					}
					whole := slices.ContainsFunc(all, func(b brake.Brake) bool { return b.Stops(now) && b.Kind == brake.Division })
					if stopped := board.Stopped(brake.Payment{Township: here}, now) != nil; stopped != whole {
						t.Fatalf("stopped %t, and the division is braked %t", stopped, whole)
					}
				}
			},
		})
	})
}

// stoppers holds who did what to b against who may.
func stoppers(t *rapid.T, b brake.Brake) {
	hands := []event.Actor{b.Pulled.By}
	if b.Kind == brake.Officer {
		hands = append(hands, event.Actor{ID: b.Target, Person: b.Persons[0]})
		eventtest.Apart(t, "pulled", b.Pulled.By, hands[1])
	}
	if b.Seconded != nil {
		eventtest.Apart(t, "seconded", b.Seconded.By, hands...)
		hands = append(hands, b.Seconded.By)
	}
	if b.LiftAsked != nil {
		eventtest.Apart(t, "asked to lift", b.LiftAsked.By, hands...)
		hands = append(hands, b.LiftAsked.By)
	}
	switch {
	case b.Lifted == nil:
	case b.Lifted.By.Kind == event.System:
		if b.Pulled.By != b.Lifted.By || b.Seconded != nil || b.LiftAsked != nil {
			t.Fatalf("a machine lifted what people have a hand in: %+v", b)
		}
	case b.LiftAsked == nil:
		t.Fatalf("%s lifted it alone", b.Lifted.By.ID)
	default:
		eventtest.Apart(t, "lifted", b.Lifted.By, hands...)
	}
}
