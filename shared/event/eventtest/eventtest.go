// Package eventtest plays the lives of whatever has states: anybody does anything in
// any order, over a real store that loses a part of the writes and, of another part,
// the answer. It knows the store and the record of events, and no noun; what must hold
// of a noun its own tests say. It is for tests only.
package eventtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Lost is what becomes of one write: "" for nothing out of the way.
type Lost string

// What can be lost. The caller hears table.ErrUnknown of both.
const (
	Write  Lost = "write"  // nothing was stored
	Answer Lost = "answer" // it was stored
)

// Life is a store as whoever takes the steps of one life sees it.
type Life struct {
	table.Store
	// Before, when set, runs once before the next write: somebody was faster.
	Before func()

	lost Lost
	late func(*rapid.T) // sends the step before the last once more
	last func(*rapid.T)
}

// Over is a life that is kept in s.
func Over(s table.Store) *Life { return &Life{Store: s} }

// Lose has the next write lost, or its answer, or neither, as t draws.
func (l *Life) Lose(t *rapid.T) Lost {
	l.lost = rapid.SampledFrom([]Lost{"", "", "", Write, Answer}).Draw(t, "lost")
	return l.lost
}

// Heal has nothing be lost that is not lost yet: whoever wrote nothing lost nothing.
func (l *Life) Heal() { l.lost = "" }

// Transact applies writes, unless they are to be lost.
func (l *Life) Transact(ctx context.Context, writes ...table.Write) error {
	if faster := l.Before; faster != nil {
		l.Before = nil
		faster()
	}
	lost := l.lost
	l.lost = ""
	if lost == Write {
		return table.ErrUnknown
	}
	if err := l.Store.Transact(ctx, writes...); err != nil {
		return err
	}
	if lost == Answer {
		return table.ErrUnknown
	}
	return nil
}

// Step stores what commit makes in one transaction. Whoever hears nothing sends it
// again, and so does whoever taps twice: it is stored once, and movedOn says so.
func (l *Life) Step(t *rapid.T, movedOn error, commit func() error) {
	lost := l.Lose(t)
	if err := commit(); (err == nil) != (lost == "") {
		t.Fatalf("lost %q: %v", lost, err)
	}
	if err := commit(); errors.Is(err, movedOn) != (lost != Write) || lost == Write && err != nil {
		t.Fatalf("sent again, lost %q: %v", lost, err)
	}
	l.late, l.last = l.last, func(t *rapid.T) {
		if err := commit(); !errors.Is(err, movedOn) {
			t.Fatalf("stored twice, or not refused: %v", err)
		}
	}
}

// Late has somebody whose page is old send what was stored some steps ago: nothing
// comes of it.
func (l *Life) Late(t *rapid.T) {
	if l.late != nil {
		l.late(t)
	}
}

// Holds demands that what stands at key is want, which is at version and was read back
// as have; that each version has its event and there is no other; and that the last of
// them names what is stored. The item is given back for what else must hold of it.
func (l *Life) Holds(t *rapid.T, key table.Key, noun, id string, version int64, have, want any) table.Item {
	ctx := context.Background()
	got, err := json.Marshal(have)
	text, err2 := json.Marshal(want)
	item, found, err3 := l.Get(ctx, key)
	if err := errors.Join(err, err2, err3); err != nil || !found || item.Version != version || !bytes.Equal(got, text) {
		t.Fatalf("version %d is stored of %s: %s, not version %d: %s (%v)", item.Version, id, got, version, text, err)
	}
	told := int64(0)
	for stored, err := range table.All(ctx, l, table.Query{PK: key.PK}.Prefix(event.Prefix+noun+"#"+id+"#")) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(stored)
		if told++; err != nil || e.Version != told {
			t.Fatalf("the event of version %d of %s is of version %d: %v", told, id, e.Version, err)
		}
		if told == version && !bytes.Equal(e.Made[key.SK], event.Sum(item)) {
			t.Fatalf("the event of version %d of %s names something else than what is stored", told, id)
		}
	}
	if told != version {
		t.Fatalf("%d events of %d versions of %s", told, version, id)
	}
	return item
}

// Cast is who acts: four people with an account each, a second account of the first, a
// machine, and an account of which nobody knows whose it is.
func Cast() []event.Actor {
	var all []event.Actor
	for n := range 5 {
		all = append(all, event.Actor{Kind: event.Staff, ID: fmt.Sprintf("officer-%d", n), Person: fmt.Sprintf("b1.person-%d", n%4)})
	}
	return append(all, event.Actor{Kind: event.System, ID: "sweep"}, event.Actor{Kind: event.Staff, ID: "officer-9"})
}

// Who is one of Cast.
func Who(t *rapid.T) event.Actor { return rapid.SampledFrom(Cast()).Draw(t, "who") }

// Apart demands that by is a person, known, and none of others: neither by account nor
// as a human being.
func Apart(t *rapid.T, what string, by event.Actor, others ...event.Actor) {
	if by.Kind != event.Staff || by.ID == "" || by.Person == "" {
		t.Fatalf("%s by %+v, whom nobody knows", what, by)
	}
	for _, o := range others {
		if by.ID == o.ID || by.Person == o.Person {
			t.Fatalf("%s by %s, who is %s", what, by.ID, o.ID)
		}
	}
}
