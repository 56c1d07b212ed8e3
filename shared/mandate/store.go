package mandate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Partition is where a mandate and its history are kept:
//
//	MANDATE                       the Mandate
//	EVENT#mandate#<id>#<version>  what was done to it
func Partition(id string) string { return "MANDATE#" + id }

// Key is where a mandate is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "MANDATE"} }

// Is reports whether key is that of a mandate.
func Is(key table.Key) bool { return strings.HasPrefix(key.PK, "MANDATE#") && key.SK == "MANDATE" }

// UnitList is the partition of the work index that lists what the staff of a unit
// have to answer.
func UnitList(unit civil.DivisionCode) string { return "MANDATES#" + string(unit) }

// BodyList is the partition of the owner index that lists everything a supervision
// body told, what is open and what has ended, by its day.
func BodyList(body civil.DivisionCode) string { return "MANDATES-OF#" + string(body) }

// Event begins the event of m's present version.
func (m Mandate) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"kind": string(m.Kind), "state": string(m.State), "unit": string(m.Unit), "body": string(m.Body), "due": m.Due.Format(time.RFC3339)}
	if m.Outcome != "" {
		facts["outcome"] = m.Outcome
	}
	return event.Event{PK: Partition(m.ID), Noun: Noun, ID: m.ID, Version: m.Version, Kind: kind, At: at, Actor: by, Facts: facts}
}

// Writes is m's new version and the event that made it.
func (m Mandate) Writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("mandate: %w", err)
	}
	item := table.Item{Key: Key(m.ID), Version: m.Version, Body: body,
		Places: []table.Place{{Index: table.ByOwner, PK: BodyList(m.Body), SK: work.Stamp(m.Due) + "#" + m.ID}}}
	switch m.State {
	case Open, Answered:
		item.Places = append(item.Places, table.Place{Index: table.ByWork, PK: UnitList(m.Unit), SK: work.Stamp(m.Due) + "#" + m.ID})
	case Again:
		item.Places = append(item.Places, table.Place{Index: table.ByWork, PK: UnitList(m.Unit), SK: work.Stamp(m.AgainAt) + "#" + m.ID})
	}
	if at, _, ok := m.Next(); ok {
		item.Places = append(item.Places, work.Due(item.Key, at, work.Clock))
	}
	return e.With(item)
}

// Commit stores a step with its event and more. ErrMovedOn means that the mandate
// changed meanwhile, or something among more did: nothing is stored.
func Commit(ctx context.Context, t table.Store, m Mandate, e event.Event, more ...table.Write) error {
	writes, err := m.Writes(e)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}

// Get reads one mandate strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Mandate, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Mandate{}, err
	}
	if !ok {
		return Mandate{}, ErrNotFound
	}
	return Decode(item)
}

// Decode reads a stored mandate.
func Decode(item table.Item) (Mandate, error) {
	var m Mandate
	if err := json.Unmarshal(item.Body, &m); err != nil {
		return m, fmt.Errorf("mandate: %s: %w", item.Key.PK, err)
	}
	m.Version = item.Version
	return m, nil
}
