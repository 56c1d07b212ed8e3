// Package envelope is the standing approval: the one way money leaves without
// two people at that moment. Two officers approve beforehand, for one township,
// a class of people already recognised, a cap per person, a total and an end;
// within it first-step aid for exactly those people leaves at once, at night and
// on holidays too, and somebody looks at each release the next working day. It
// is off unless the region's rules turn it on. It never refuses anybody:
// whatever does not fit goes the ordinary way.
package envelope

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names envelopes in events.
const Noun = "envelope"

// State is where an envelope stands.
type State string

// The states.
const (
	Asked  State = "asked"  // one officer asks
	Open   State = "open"   // a second one, of the county, agreed
	Closed State = "closed" // by any officer, at any time
)

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Asked: "待批准", Open: "生效", Closed: "已停用"}[s]
}

// Envelope is one standing approval.
type Envelope struct {
	ID       string                `json:"id"`
	Version  int64                 `json:"-"`
	State    State                 `json:"state"`
	Township civil.DivisionCode    `json:"township"`
	County   civil.DivisionCode    `json:"county"`
	Class    policy.RecipientClass `json:"class"`
	// PersonFen is the most for one person helped; TotalFen the most of the envelope.
	PersonFen money.Fen `json:"person_fen"`
	TotalFen  money.Fen `json:"total_fen"`
	// LeftFen is what may still be released. It is a counter of the item: zero
	// unless the envelope is open, so that no release can cross its closing.
	LeftFen  money.Fen    `json:"-"`
	Until    time.Time    `json:"until"` // first instant without it
	Asked    event.Actor  `json:"asked_by"`
	AskedAt  time.Time    `json:"asked_at"`
	Approved *event.Actor `json:"approved_by,omitempty"`
	ClosedBy *event.Actor `json:"closed_by,omitempty"`
}

const left = "left_fen"

// Partition is where the envelopes of one township and their releases are kept:
//
//	ENVELOPE#<id>                     the envelope
//	EVENT#envelope#<id>#<version>     what people did to it
//	EVENT#release#<award>#0000000001  one release: what it moved, and for whom
func Partition(township civil.DivisionCode) string { return "ENVELOPES#" + string(township) }

const prefix = "ENVELOPE#"

// Key is where an envelope is kept.
func Key(township civil.DivisionCode, id string) table.Key {
	return table.Key{PK: Partition(township), SK: prefix + id}
}

// Limits are what the rules of the region allow an envelope to be at most.
// Problems are in the words of the API's fields.
func (e Envelope) Problems(limits policy.StandingApproval, now time.Time) (pointers []string) {
	bad := func(wrong bool, pointer string) {
		if wrong {
			pointers = append(pointers, pointer)
		}
	}
	bad(!slices.Contains(limits.Classes, e.Class), "/class")
	bad(!e.PersonFen.Payable() || e.PersonFen > limits.PerAwardFen, "/person_fen")
	bad(!e.TotalFen.Payable() || e.TotalFen > limits.TotalFen || e.TotalFen < e.PersonFen, "/total_fen")
	bad(!e.Until.After(now) || e.Until.After(now.AddDate(0, 0, limits.Days)), "/until")
	return pointers
}

// New is an envelope that one officer asks for.
func New(e Envelope, by event.Actor, at time.Time) Envelope {
	e.Version, e.State, e.Asked, e.AskedAt, e.LeftFen = 1, Asked, by, at, 0
	e.Approved, e.ClosedBy = nil, nil
	return e
}

// Approve opens e by a second officer.
func (e Envelope) Approve(by event.Actor, at time.Time) (Envelope, error) {
	switch {
	case e.State != Asked:
		return e, ErrState
	case !at.Before(e.Until):
		return e, ErrOver
	case by.Kind != event.Staff || by.Person == "" || by.ID == e.Asked.ID || by.Person == e.Asked.Person:
		return e, application.ErrSamePerson
	}
	e.Version++
	e.State, e.Approved, e.LeftFen = Open, &by, e.TotalFen
	return e, nil
}

// Close ends e; one officer is enough, because it only stops money.
func (e Envelope) Close(by event.Actor) (Envelope, error) {
	if e.State == Closed {
		return e, ErrState
	}
	e.Version++
	e.State, e.ClosedBy, e.LeftFen = Closed, &by, 0
	return e, nil
}

// Running reports whether e may release anything at t.
func (e Envelope) Running(t time.Time) bool {
	return e.State == Open && e.LeftFen > 0 && t.Before(e.Until)
}

// Writes is e's new version and the event that made it. A release between
// reading e and writing it makes them fail: read again.
func (e Envelope) Writes(kind string, by event.Actor, at time.Time, request *event.Request, facts event.Facts) ([]table.Write, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	item := table.Item{Key: Key(e.Township, e.ID), Version: e.Version, Body: body, Counters: map[string]int64{left: int64(e.LeftFen)}}
	if e.State == Asked {
		item.Places = []table.Place{{Index: table.ByWork, PK: application.WorkList(e.County), SK: work.Stamp(e.AskedAt.Add(24 * time.Hour))}}
	}
	if facts == nil {
		facts = event.Facts{}
	}
	facts["class"], facts["person_fen"], facts["total_fen"] = string(e.Class), e.PersonFen, e.TotalFen
	facts["until"] = e.Until.In(calendar.Zone).Format(time.RFC3339)
	return event.Event{PK: item.Key.PK, Noun: Noun, ID: e.ID, Version: e.Version, Kind: kind, At: at, Actor: by, Facts: facts, Request: request}.With(item)
}

// Get reads one envelope strongly.
func Get(ctx context.Context, t table.Store, township civil.DivisionCode, id string) (Envelope, error) {
	item, ok, err := t.Get(ctx, Key(township, id))
	if err != nil {
		return Envelope{}, err
	}
	if !ok {
		return Envelope{}, ErrNotFound
	}
	return Decode(item)
}

// List reads every envelope of a township.
func List(ctx context.Context, t table.Store, township civil.DivisionCode) ([]Envelope, error) {
	q := table.Query{PK: Partition(township)}.Prefix(prefix)
	return table.Collect(ctx, t, q, Decode)
}

// Is reports whether key is that of an envelope.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, prefix) }

// Decode reads a stored envelope.
func Decode(item table.Item) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(item.Body, &e); err != nil {
		return e, fmt.Errorf("envelope: %s: %w", item.Key.SK, err)
	}
	e.Version, e.LeftFen = item.Version, money.Fen(item.Counters[left])
	return e, nil
}
