package brake_test

import (
	"errors"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var machine = event.Actor{Kind: event.System, ID: "sweep"}

func byMachine(t *testing.T) brake.Brake {
	t.Helper()
	b, err := brake.NewByMachine(brake.Brake{ID: "m", Kind: brake.Rail, Target: string(award.Bank), Division: here, Townships: []civil.DivisionCode{here}, Reason: brake.Blind}, machine, noon)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A machine's brake stands by itself and without end; two people lift it, or the
// machine does while no person has a hand in it.
func TestAMachinesBrake(t *testing.T) {
	t.Parallel()
	b, later := byMachine(t), noon.Add(100*24*time.Hour)
	if b.State(noon) != brake.Standing || !b.Stops(later) || b.Version != 1 {
		t.Fatalf("%+v", b)
	}
	released, err := b.Release(machine, later)
	if err != nil || released.Stops(later) || released.Version != 2 {
		t.Errorf("%+v, %v", released, err)
	}
	if _, err := released.Release(machine, later); !errors.Is(err, brake.ErrState) {
		t.Errorf("lifted twice: %v", err)
	}
	asked, err := b.AskLift(who("a/1"), later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asked.Lift(who("a/2"), later); !errors.Is(err, brake.ErrPerson) {
		t.Errorf("one person lifted it: %v", err)
	}
	if lifted, err := asked.Lift(who("b/1"), later); err != nil || lifted.Stops(later) {
		t.Errorf("two people cannot lift it: %v", err)
	}
	seconded, err := b.Second(who("a/1"), later)
	if err != nil || seconded.State(later) != brake.Standing {
		t.Fatal(seconded, err)
	}
	for name, c := range map[string]struct {
		b    brake.Brake
		by   event.Actor
		want error
	}{
		"what somebody asks to lift":   {asked, machine, brake.ErrState},
		"what a person has taken over": {seconded, machine, brake.ErrState},
		"a person's brake":             {pulled(t), machine, brake.ErrPerson},
		"another machine's":            {b, event.Actor{Kind: event.System, ID: "settle"}, brake.ErrPerson},
		"by one person":                {b, who("a/1"), brake.ErrPerson},
	} {
		if _, err := c.b.Release(c.by, noon); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		b  brake.Brake
		by event.Actor
	}{
		"a person":          {brake.Brake{Kind: brake.Rail, Reason: brake.Blind}, who("a/1")},
		"nobody":            {brake.Brake{Kind: brake.Rail, Reason: brake.Blind}, event.Actor{Kind: event.System}},
		"an officer":        {brake.Brake{Kind: brake.Officer, Reason: brake.Blind}, machine},
		"a person's reason": {brake.Brake{Kind: brake.Rail, Reason: "audit"}, machine},
	} {
		if _, err := brake.NewByMachine(c.b, c.by, noon); !errors.Is(err, brake.ErrPerson) {
			t.Errorf("pulled for %s: %v", name, err)
		}
	}
}

// A person's pull that lapsed does not keep the machine from pulling.
func TestAMachinePullsAfterALapse(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	keep := func(b brake.Brake, at time.Time) error {
		board, err := brake.Read(t.Context(), store, "x")
		if err != nil {
			return err
		}
		return brake.Commit(t.Context(), store, board, b, b.Event("pulled", b.Pulled.By, at))
	}
	person, err := brake.New(brake.Brake{ID: "p", Kind: brake.Rail, Target: string(award.Bank), Division: here, Townships: []civil.DivisionCode{here}, Reason: "audit"}, who("a/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := keep(person, noon); err != nil {
		t.Fatal(err)
	}
	b := byMachine(t)
	if err := keep(b, noon.Add(time.Minute)); !errors.Is(err, brake.ErrAlready) {
		t.Errorf("twice: %v", err)
	}
	if err := keep(b, noon.Add(brake.Alone)); err != nil {
		t.Errorf("after the lapse: %v", err)
	}
	board, err := brake.Read(t.Context(), store, "y")
	if err != nil || board.Stopped(brake.Payment{Township: here, Rail: award.Bank}, noon.Add(time.Hour)) == nil {
		t.Errorf("nothing is stopped: %v", err)
	}
}
