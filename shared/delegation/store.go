package delegation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A delegation and its history stand in one partition; who holds which is found by the
// holder, so that a request reads one item to learn that somebody holds none:
//
//	DELEGATION#<id>    HEAD, and its events
//	DELEGATED#<staff>  HEAD
//
// Those of one supervision body stand in the owner index by when they end.

// Partition is where a delegation and its history are kept.
func Partition(id string) string { return "DELEGATION#" + id }

// Key is where a delegation is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "HEAD"} }

func heldKey(id string) table.Key { return table.Key{PK: "DELEGATED#" + id, SK: "HEAD"} }

func listOf(body civil.DivisionCode) string { return "DELEGATIONS#" + string(body) }

// held says that a member of staff was given a delegation; whether it stands is not in
// it.
type held struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

func readHeld(ctx context.Context, t table.Store, id string) (all []held, version int64, err error) {
	item, ok, err := t.Get(ctx, heldKey(id))
	if err != nil || !ok {
		return nil, 0, err
	}
	if err := json.Unmarshal(item.Body, &all); err != nil {
		return nil, 0, fmt.Errorf("delegation: %s: %w", item.Key.PK, err)
	}
	return all, item.Version, nil
}

// Get reads one delegation strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Delegation, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Delegation{}, err
	}
	if !ok {
		return Delegation{}, ErrNotFound
	}
	return decode(item)
}

func decode(item table.Item) (Delegation, error) {
	var d Delegation
	if err := json.Unmarshal(item.Body, &d); err != nil {
		return d, fmt.Errorf("delegation: %s: %w", item.Key.PK, err)
	}
	if d.Version != item.Version {
		return d, fmt.Errorf("delegation: %s: the item and its body disagree on the version", item.Key.PK)
	}
	return d, nil
}

// Load reads d's chain: all that it rests on, strongly. Something that is missing or
// goes in a circle makes a chain that gives nothing.
func Load(ctx context.Context, t table.Store, d Delegation) (Chain, error) {
	c := Chain{Links: []Delegation{d}}
	for top := d; top.Above != ""; {
		if len(c.Links) > Deepest {
			return c, nil
		}
		up, err := Get(ctx, t, top.Above)
		if errors.Is(err, ErrNotFound) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		c.Links = append(c.Links, up)
		top = up
	}
	post, err := staff.Get(ctx, t, c.Links[len(c.Links)-1].Asked.By.ID)
	if err != nil && !errors.Is(err, staff.ErrNotFound) {
		return c, err
	}
	c.Post = post
	return c, nil
}

// Of reads the chains of everything that was given to a member of staff and whose day
// has not passed, whether it stands or not.
func Of(ctx context.Context, t table.Store, id string, at time.Time) ([]Chain, error) {
	given, _, err := readHeld(ctx, t, id)
	if err != nil {
		return nil, err
	}
	var all []Chain
	for _, h := range given {
		if !at.Before(h.Until) {
			continue
		}
		d, err := Get(ctx, t, h.ID)
		if err != nil {
			return nil, err
		}
		c, err := Load(ctx, t, d)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// With is s with what was delegated to them and stands at this moment. It is read for
// each request: what ended or was revoked a moment ago gives nothing.
func With(ctx context.Context, t table.Store, s staff.Staff, at time.Time) (staff.Staff, error) {
	chains, err := Of(ctx, t, s.ID, at)
	if err != nil {
		return s, err
	}
	var all []staff.Delegated
	for _, c := range chains {
		if d, ok := c.Delegated(at); ok && slices.ContainsFunc(c.Links[0].Members, func(m event.Actor) bool { return m.ID == s.ID }) {
			all = append(all, d)
		}
	}
	return s.With(all...), nil
}

// List reads the delegations that come from one supervision body and end after since,
// those that end first first.
func List(ctx context.Context, t table.Store, body civil.DivisionCode, since time.Time) ([]Delegation, error) {
	return table.Collect(ctx, t, table.Query{Index: table.ByOwner, PK: listOf(body), From: work.Stamp(since)}, decode)
}

// Commit stores one step of a delegation with its event and more. When it was just
// agreed to, every member is told to hold it in the same transaction. ErrMovedOn means
// that it, something that it rests on or something among more has changed: nothing is
// stored. Revoking rests on nothing: what is over can be taken back all the same.
func Commit(ctx context.Context, t table.Store, c Chain, e event.Event, more ...table.Write) error {
	d := c.Links[0]
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("delegation: %w", err)
	}
	writes, err := e.With(table.Item{Key: Key(d.ID), Version: d.Version, Body: body,
		Places: []table.Place{{Index: table.ByOwner, PK: listOf(d.Body), SK: work.Stamp(d.Until) + "#" + d.ID}}})
	if err != nil {
		return err
	}
	if d.Revoked == nil {
		for _, check := range c.Checks() {
			more = append(more, check)
		}
	}
	if d.Agreed != nil && d.Revoked == nil {
		for _, m := range d.Members {
			w, err := hold(ctx, t, m.ID, d, e.At)
			if err != nil {
				return err
			}
			writes = append(writes, w)
		}
	}
	seen := map[table.Key]bool{Key(d.ID): true}
	for _, w := range more {
		if check, ok := w.(table.Check); ok {
			if seen[check.Key] {
				continue
			}
			seen[check.Key] = true
		}
		writes = append(writes, w)
	}
	return table.Commit(ctx, t, ErrMovedOn, writes...)
}

// hold is the write that has a member of staff hold d. What is over they hold no more.
func hold(ctx context.Context, t table.Store, id string, d Delegation, at time.Time) (table.Write, error) {
	all, version, err := readHeld(ctx, t, id)
	if err != nil {
		return nil, err
	}
	kept := []held{{d.ID, d.Until}}
	for _, h := range all {
		if !at.Before(h.Until) {
			continue
		}
		other, err := Get(ctx, t, h.ID)
		if err != nil {
			return nil, err
		}
		if other.State(at) == Given {
			kept = append(kept, h)
		}
	}
	if len(kept) > Held {
		return nil, ErrMany
	}
	body, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("delegation: %w", err)
	}
	return table.Step(table.Item{Key: heldKey(id), Version: version + 1, Body: body}), nil
}
