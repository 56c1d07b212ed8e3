package application

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

// Partition is where an application and everything about it is kept:
//
//	HEAD                          the Application
//	PARTICULARS                   sealed: names, numbers, account, story
//	CONSENT#<person>              who agreed to be verified, and to what
//	CHECK#<person>#<source>       one register's answer
//	PAYOUT#<award>                the award and its payout
//	NOTICE#<event>                one message owed or sent
//	EVENT#<noun>#<id>#<version>   what happened
func Partition(id string) string { return "APP#" + id }

// Key is where the application itself is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "HEAD"} }

// WorkList is the partition of the work index that lists what the staff of one
// division have to do.
func WorkList(d civil.DivisionCode) string { return "WORK#" + string(d) }

// OwnerList is the partition of the owner index that lists what one account filed.
func OwnerList(account string) string { return "ACCOUNT#" + account }

// Event begins the event of a's present version.
func (a Application) Event(kind string, by event.Actor, at time.Time) event.Event {
	return event.Event{PK: Partition(a.ID), Noun: Noun, ID: a.ID, Version: a.Version, Kind: kind, At: at, Actor: by, Trace: a.Trace}
}

// Decode reads a stored application.
func Decode(item table.Item) (Application, error) {
	var a Application
	if err := json.Unmarshal(item.Body, &a); err != nil {
		return a, fmt.Errorf("application: %s: %w", item.Key.PK, err)
	}
	a.Version = item.Version
	return a, nil
}

// Get reads one application strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Application, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Application{}, err
	}
	if !ok {
		return Application{}, ErrNotFound
	}
	return Decode(item)
}

// Writes is a's new version and the event that made it: always together.
func (a Application) Writes(e event.Event) ([]table.Write, error) {
	item, err := a.item()
	if err != nil {
		return nil, err
	}
	return e.With(item)
}

// Unmoved is the condition that the application is still at this version, for
// transactions that depend on it without changing it.
func (a Application) Unmoved() table.Check { return table.Check{Key: Key(a.ID), Version: a.Version} }

func (a Application) item() (table.Item, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return table.Item{}, fmt.Errorf("application: %w", err)
	}
	item := table.Item{Key: Key(a.ID), Version: a.Version, Body: body,
		Places: []table.Place{{Index: table.ByOwner, PK: OwnerList(a.Account), SK: work.Stamp(a.AcceptedAt)}}}
	if due, ok := a.workDue(); ok {
		item.Places = append(item.Places, table.Place{Index: table.ByWork, PK: WorkList(a.Actor()), SK: work.Stamp(due)})
	}
	if a.State == Accepted {
		item.Places = append(item.Places, work.Due(item.Key, a.AcceptedAt, work.Verify))
	} else if at, _, ok := a.Deadline.Next(); ok {
		item.Places = append(item.Places, work.Due(item.Key, at, work.Clock))
	}
	return item, nil
}

// workDue is the time by which staff must deal with a: the earliest of its
// deadline and of its open holds; ok is false when nothing is asked of them.
func (a Application) workDue() (due time.Time, ok bool) {
	if a.Open() && !a.Deadline.At.IsZero() {
		due, ok = a.Deadline.At, true
	}
	for _, h := range a.Holds {
		if h.Lifted == nil && (!ok || h.Due.Before(due)) {
			due, ok = h.Due, true
		}
	}
	return due, ok
}

// Is reports whether key is that of an application itself.
func Is(key table.Key) bool { return strings.HasPrefix(key.PK, "APP#") && key.SK == "HEAD" }
