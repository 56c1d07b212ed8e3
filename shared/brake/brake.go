// Package brake is the one way to stop money on purpose: for a division and all
// in it, a rail, a programme or an officer. Stopping is quick and lifting is
// slow. One person's pull stops at once, for half an hour; a second person makes
// it stand; two others, neither of whom pulled it, lift it. Every step is a
// version with an event.
//
// It refuses to know where money is sent and who may ask: it says what is
// stopped, and gives whoever moves money the condition that keeps this true
// until the move is written. What is stopped stays owed.
package brake

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
)

// Noun names brakes in events.
const Noun = "brake"

// Kind is what kind of thing is stopped.
type Kind string

// The kinds.
const (
	// Division stops every payment in a division and below it; for the region
	// itself it is the kill switch.
	Division Kind = "division"
	// Rail stops one way of paying there. Approvals go on.
	Rail Kind = "rail"
	// Programme stops one kind of award there.
	Programme Kind = "programme"
	// Officer stops one member of staff, and every payment that they proposed or
	// approved and that has not left.
	Officer Kind = "officer"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Division, Rail, Programme, Officer} }

// Label is the kind's name in Chinese.
func (k Kind) Label() string {
	return map[Kind]string{Division: "辖区全部发放", Rail: "发放渠道", Programme: "救助项目", Officer: "工作人员"}[k]
}

// State is where a brake stands at one moment.
type State string

// The states.
const (
	Pulled   State = "pulled"   // one person: it stops, until Until
	Standing State = "standing" // two people: it stops, without end
	Lifting  State = "lifting"  // one of the two others asks to lift it; it still stops
	Lapsed   State = "lapsed"   // nobody seconded it in time
	Lifted   State = "lifted"
)

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Pulled: "临时制动，待第二人确认", Standing: "制动生效", Lifting: "待第二人解除，仍在制动",
		Lapsed: "无人确认，已失效", Lifted: "已解除"}[s]
}

const (
	// Alone is how long one person's pull stops by itself: long enough to reach a
	// second person at night, and short enough that one person cannot keep aid
	// from people.
	Alone = 30 * time.Minute
	// Again is how long somebody whose pull lapsed must wait before pulling alone
	// again, so that half hours cannot be strung together.
	Again = 24 * time.Hour
)

// Hand is what one person did to a brake.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Brake is one stop.
type Brake struct {
	ID       string             `json:"id"`
	Version  int64              `json:"version"`
	Kind     Kind               `json:"kind"`
	Target   string             `json:"target,omitempty"` // a rail, a programme or a staff id; empty for a division
	Division civil.DivisionCode `json:"division"`
	// Townships are the townships of Division on the day of the pull: an officer
	// is stopped everywhere, whatever they are.
	Townships []civil.DivisionCode `json:"townships"`
	// Persons are the keyed references of the officer who is stopped, so that a
	// second account of the same person is stopped too.
	Persons []string `json:"persons,omitempty"`
	Reason  string   `json:"reason"` // a code
	Pulled  Hand     `json:"pulled"`
	// Until is when the pull of one person ends; zero once it is seconded.
	Until     time.Time `json:"until,omitzero"`
	Seconded  *Hand     `json:"seconded,omitempty"`
	LiftAsked *Hand     `json:"lift_asked,omitempty"`
	Lifted    *Hand     `json:"lifted,omitempty"`
}

// State is where b stands at t.
func (b Brake) State(t time.Time) State {
	switch {
	case b.Lifted != nil:
		return Lifted
	case !b.Until.IsZero() && !t.Before(b.Until):
		return Lapsed
	case b.LiftAsked != nil:
		return Lifting
	case b.Seconded != nil, b.byMachine():
		return Standing
	}
	return Pulled
}

// Stops reports whether b stops anything at t.
func (b Brake) Stops(t time.Time) bool { s := b.State(t); return s != Lifted && s != Lapsed }

// Hands lists everybody who took part in stopping, and the one who is stopped:
// none of them may lift it. The first is who pulled.
func (b Brake) Hands() []event.Actor {
	hands := []event.Actor{b.Pulled.By}
	if b.Seconded != nil {
		hands = append(hands, b.Seconded.By)
	}
	if b.Kind == Officer {
		hands = append(hands, event.Actor{Kind: event.Staff, ID: b.Target})
		for _, p := range b.Persons {
			hands = append(hands, event.Actor{Kind: event.Staff, Person: p})
		}
	}
	return hands
}

// other is an error when by is one of hands, as an account or as a person, or
// nobody known.
func other(by event.Actor, hands ...event.Actor) error {
	if !by.Stranger(event.Names(hands...)...) {
		return ErrPerson
	}
	return nil
}

// New is a brake that one person pulls. It stops as soon as it is written.
func New(b Brake, by event.Actor, at time.Time) (Brake, error) {
	b.Version, b.Pulled, b.Until = 1, Hand{by, at}, at.Add(Alone)
	b.Seconded, b.LiftAsked, b.Lifted = nil, nil, nil
	stopped := b.Hands()[1:]
	return b, other(by, stopped...)
}

// Second makes b stand. It also answers somebody who asked to lift it: two
// people have now said that it must stop.
func (b Brake) Second(by event.Actor, at time.Time) (Brake, error) {
	if b.Seconded != nil || !b.Stops(at) {
		return b, ErrState
	}
	hands := b.Hands()
	if b.LiftAsked != nil {
		hands = append(hands, b.LiftAsked.By)
	}
	if err := other(by, hands...); err != nil {
		return b, err
	}
	b.Version++
	b.Seconded, b.Until, b.LiftAsked = &Hand{by, at}, time.Time{}, nil
	return b, nil
}

// AskLift is the first of the two others. It still stops.
func (b Brake) AskLift(by event.Actor, at time.Time) (Brake, error) {
	if b.LiftAsked != nil || !b.Stops(at) {
		return b, ErrState
	}
	if err := other(by, b.Hands()...); err != nil {
		return b, err
	}
	b.Version++
	b.LiftAsked = &Hand{by, at}
	return b, nil
}

// Lift is the second of the two others. Money moves again.
func (b Brake) Lift(by event.Actor, at time.Time) (Brake, error) {
	if b.LiftAsked == nil || !b.Stops(at) {
		return b, ErrState
	}
	if err := other(by, append(b.Hands(), b.LiftAsked.By)...); err != nil {
		return b, err
	}
	b.Version++
	b.Lifted = &Hand{by, at}
	return b, nil
}

// Reasons of brakes that a machine pulls.
const (
	Blind      = "reconciliation_blind" // nobody has seen a believable statement for too long
	Strangers  = "payments_unknown"     // too many payments that our books have not
	Incoherent = "ledger_incoherent"    // ours does not agree with ours
)

// byMachine reports whether a machine pulled b and no person has taken it over.
func (b Brake) byMachine() bool { return b.Pulled.By.Kind == event.System }

// NewByMachine is a brake that reconciliation pulls. It stands at once and without
// end: a machine has nobody to reach within half an hour, and stopping harms nobody
// for good. A machine stops divisions and rails, and never a person.
func NewByMachine(b Brake, by event.Actor, at time.Time) (Brake, error) {
	if by.Kind != event.System || by.ID == "" || b.Kind == Officer || !slices.Contains([]string{Blind, Strangers, Incoherent}, b.Reason) {
		return b, ErrPerson
	}
	b.Version, b.Pulled, b.Until = 1, Hand{by, at}, time.Time{}
	b.Seconded, b.LiftAsked, b.Lifted = nil, nil, nil
	return b, nil
}

// Release is the machine that lifts what it pulled, because the cause is gone. What
// a person has seconded, or asked to lift, is theirs.
func (b Brake) Release(by event.Actor, at time.Time) (Brake, error) {
	if !b.Stops(at) || b.Seconded != nil || b.LiftAsked != nil {
		return b, ErrState
	}
	if !b.byMachine() || by != b.Pulled.By {
		return b, ErrPerson
	}
	b.Version++
	b.Lifted = &Hand{by, at}
	return b, nil
}

// Payment is what a brake looks at: where money would go, how, for what, and
// whose decision it is.
type Payment struct {
	Township  civil.DivisionCode
	Programme award.Kind
	Rail      award.Rail // empty while it is not leaving yet, which no rail's brake stops
	People    []event.Actor
}

// Of is the payment of an award that is about to leave.
func Of(a award.Award) Payment {
	return Payment{Township: a.Township, Programme: a.Kind, Rail: a.Rail, People: []event.Actor{a.Proposer, a.Approver}}
}

// stops reports whether b, while it stops, stops p.
func (b Brake) stops(p Payment) bool {
	if b.Kind == Officer {
		return slices.ContainsFunc(p.People, b.freezes)
	}
	if !slices.Contains(b.Townships, p.Township) && b.Division != p.Township {
		return false
	}
	switch b.Kind {
	case Division:
		return true
	case Rail:
		return string(p.Rail) == b.Target
	case Programme:
		return string(p.Programme) == b.Target
	}
	return false
}

// freezes reports whether a is the officer whom b stops.
func (b Brake) freezes(a event.Actor) bool {
	return b.Kind == Officer && (a.ID == b.Target || a.Person != "" && slices.Contains(b.Persons, a.Person))
}
