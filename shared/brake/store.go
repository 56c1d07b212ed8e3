package brake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Partition is where every brake and its history are kept:
//
//	BRAKE#<id>                   the brake
//	EVENT#brake#<id>#<version>   what was done to it
const Partition = "BRAKES"

const prefix = "BRAKE#"

// Key is where a brake is kept.
func Key(id string) table.Key { return table.Key{PK: Partition, SK: prefix + id} }

// Get reads one brake strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Brake, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Brake{}, err
	}
	if !ok {
		return Brake{}, ErrNotFound
	}
	return decode(item)
}

func decode(item table.Item) (Brake, error) {
	var b Brake
	if err := json.Unmarshal(item.Body, &b); err != nil {
		return b, fmt.Errorf("brake: %s: %w", item.Key.SK, err)
	}
	if b.Version != item.Version {
		return b, fmt.Errorf("brake: %s: the item and its body disagree on the version", item.Key.SK)
	}
	return b, nil
}

// List reads every brake there ever was, newest first.
func List(ctx context.Context, t table.Store) ([]Brake, error) {
	var all []Brake
	q := table.Query{PK: Partition}.Prefix(prefix)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		b, err := decode(item)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	slices.SortStableFunc(all, func(a, b Brake) int { return b.Pulled.At.Compare(a.Pulled.At) })
	return all, nil
}

// Event begins the event of b's present version.
func (b Brake) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"kind": string(b.Kind), "target": b.Target, "division": string(b.Division), "state": string(b.State(at))}
	if !b.Until.IsZero() {
		facts["until"] = b.Until.Format(time.RFC3339)
	}
	return event.Event{PK: Partition, Noun: Noun, ID: b.ID, Version: b.Version, Kind: kind, At: at, Actor: by, Reason: b.Reason, Facts: facts}
}

// Commit stores one step of a brake with its event, the board that was read
// before it in every copy, and more. ErrMovedOn means that some brake changed meanwhile, or something among
// more did: nothing is stored. If we die before the transaction nothing is
// stopped or lifted; after it, it is, for everybody at once.
func Commit(ctx context.Context, t table.Store, board Board, b Brake, e event.Event, more ...table.Write) error {
	if b.Version == 1 {
		if err := board.admits(b, e.At); err != nil {
			return err
		}
	}
	next, err := board.with(b, e.At)
	if err != nil {
		return err
	}
	body, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("brake: %w", err)
	}
	writes, err := e.With(table.Item{Key: Key(b.ID), Version: b.Version, Body: body})
	if err != nil {
		return err
	}
	copies, err := next.writes()
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, slices.Concat(writes, copies, more)...)
}
