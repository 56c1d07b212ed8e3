package reconciliation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// A source's calendar is one item that says from which day on its statements are
// wanted, and which was wanted last:
//
//	STATEMENTS#<source>   WANTED
type wanted struct {
	Since civil.Day `json:"since"`
	Next  civil.Day `json:"next"` // not wanted yet
}

func wantedKey(source string) table.Key {
	return table.Key{PK: "STATEMENTS#" + source, SK: "WANTED"}
}

// Since is the first day whose statement was ever wanted of a source; the zero day
// when none was.
func Since(ctx context.Context, t table.Store, source string) (civil.Day, error) {
	w, _, err := readWanted(ctx, t, source)
	return w.Since, err
}

func readWanted(ctx context.Context, t table.Store, source string) (w wanted, version int64, err error) {
	item, ok, err := t.Get(ctx, wantedKey(source))
	if err != nil || !ok {
		return w, 0, err
	}
	if err := json.Unmarshal(item.Body, &w); err != nil {
		return w, 0, fmt.Errorf("reconciliation: %s: %w", item.Key.PK, err)
	}
	return w, item.Version, nil
}

// catchUp is how many days are wanted in one go after a long sleep.
const catchUp = 40

// WantAll wants the statement of every day that is to be had by now, from the day
// on which the source was first looked at. A day is wanted before the calendar
// goes on, so none is left out if we die between.
func WantAll(ctx context.Context, t table.Store, s Source, by event.Actor, at time.Time) (n int, err error) {
	w, version, err := readWanted(ctx, t, s.Name)
	if err != nil {
		return 0, err
	}
	if version == 0 {
		w = wanted{Since: today(at), Next: today(at)}
	}
	next := w
	for last := LastReady(at); !next.Next.After(last) && n < catchUp; n++ {
		owed := at
		if s.ByHand {
			owed = time.Time{}
		}
		if err := Want(ctx, t, s.Name, next.Next, by, at, owed); err != nil {
			return n, err
		}
		next.Next = next.Next.AddDays(1)
	}
	if version > 0 && n == 0 {
		return 0, nil
	}
	body, err := json.Marshal(next)
	if err != nil {
		return n, fmt.Errorf("reconciliation: %w", err)
	}
	item := table.Item{Key: wantedKey(s.Name), Version: version + 1, Body: body}
	err = t.Transact(ctx, table.Step(item))
	if _, twin := errors.AsType[*table.ConditionError](err); twin {
		return n, nil // another sweep was quicker
	}
	return n, err
}
