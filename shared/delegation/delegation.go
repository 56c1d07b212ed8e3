// Package delegation is supervision that a supervision body gives to others for a time:
// to a member of staff, or to a joint team (室组地) of several. It is a tree. What is
// given rests on what it was given from, up to the post of a supervisor of the body on
// the roster; it is never wider, never more and never longer than that, and is over the
// moment that any of it is over. Nothing is rewritten when something above ends: what
// stands is worked out anew each time somebody asks (Chain).
//
// Two people give, neither of whom gets it; one person takes it back, at once. It
// refuses to know what the abilities let anybody do: package staff says.
package delegation

import (
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/staff"
)

// Noun names delegations in events.
const Noun = "delegation"

const (
	// Deepest is how many delegations may rest on one another: province, city and
	// district, a joint team, and one of its own further down.
	Deepest = 5
	// Largest is how many people one is given to.
	Largest = 20
	// Longest is the longest that one lasts.
	Longest = 2 * 366 * 24 * time.Hour
	// Answer is how long it may wait for the second person.
	Answer = 7 * 24 * time.Hour
	// Held is how many one member of staff may hold at once.
	Held = 8
)

// State is where a delegation stands by itself; what it rests on is another question.
type State string

// The states.
const (
	Asked   State = "asked"   // one person asked; it gives nothing yet
	Lapsed  State = "lapsed"  // nobody agreed in time
	Given   State = "given"   // two people gave it
	Ended   State = "ended"   // its day has passed
	Revoked State = "revoked" // somebody took it back
)

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Asked: "待另一人同意", Lapsed: "无人同意，已失效", Given: "有效", Ended: "已到期", Revoked: "已收回"}[s]
}

// Hand is what one person did to a delegation.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Delegation is one grant in the tree.
type Delegation struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	// Above is what it rests on: another delegation, or nothing for what a body gives
	// itself. That one rests on the post of who asked, as supervisor of Body.
	Above string `json:"above,omitempty"`
	// Body is the division of the supervision body at the top: a province, a city or a
	// district (三级).
	Body      civil.DivisionCode `json:"body"`
	Scope     civil.DivisionCode `json:"scope"`
	Abilities []staff.Ability    `json:"abilities"`
	Team      string             `json:"team,omitempty"` // the joint team's name
	Members   []event.Actor      `json:"members"`
	Until     time.Time          `json:"until"` // the first instant without it
	Asked     Hand               `json:"asked"`
	Agreed    *Hand              `json:"agreed,omitempty"`
	Revoked   *Hand              `json:"revoked,omitempty"`
}

// State is where d stands by itself at t.
func (d Delegation) State(t time.Time) State {
	switch {
	case d.Revoked != nil:
		return Revoked
	case !t.Before(d.Until):
		return Ended
	case d.Agreed != nil:
		return Given
	case !t.Before(d.Asked.At.Add(Answer)):
		return Lapsed
	}
	return Asked
}

// stranger is an error when by is one of hands, as an account or as a person, or nobody
// known.
func stranger(by event.Actor, hands ...event.Actor) error {
	if !by.Stranger(event.Names(hands...)...) {
		return ErrPerson
	}
	return nil
}

// New is a delegation that one person asks for. It gives nothing before another agrees.
func New(d Delegation, by event.Actor, at time.Time) (Delegation, error) {
	d.Version, d.Asked, d.Agreed, d.Revoked = 1, Hand{by, at}, nil, nil
	return d, stranger(by, d.Members...)
}

// Agree is the second person. From now on it gives what it says, while what it rests on
// stands.
func (d Delegation) Agree(by event.Actor, at time.Time) (Delegation, error) {
	if d.State(at) != Asked {
		return d, ErrState
	}
	if err := stranger(by, append(slices.Clone(d.Members), d.Asked.By)...); err != nil {
		return d, err
	}
	d.Version++
	d.Agreed = &Hand{by, at}
	return d, nil
}

// Revoke takes it back, at once, with all that rests on it. One person is enough:
// nobody is harmed by seeing less.
func (d Delegation) Revoke(by event.Actor, at time.Time) (Delegation, error) {
	if s := d.State(at); s != Asked && s != Given {
		return d, ErrState
	}
	if by.Kind != event.Staff || by.ID == "" {
		return d, ErrPerson
	}
	d.Version++
	d.Revoked = &Hand{by, at}
	return d, nil
}

// Event begins the event of d's present version.
func (d Delegation) Event(kind string, by event.Actor, at time.Time) event.Event {
	var able, members []string
	for _, a := range d.Abilities {
		able = append(able, string(a))
	}
	for _, m := range d.Members {
		members = append(members, m.ID)
	}
	return event.Event{PK: Partition(d.ID), Noun: Noun, ID: d.ID, Version: d.Version, Kind: kind, At: at, Actor: by,
		Facts: event.Facts{"above": d.Above, "body": string(d.Body), "scope": string(d.Scope), "abilities": strings.Join(able, " "),
			"team": d.Team, "members": strings.Join(members, " "), "until": d.Until.Format(time.RFC3339), "state": string(d.State(at))}}
}
