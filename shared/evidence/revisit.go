package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Found is a leaf whose event, or what was written with it, is not what it was.
type Found struct {
	Index   uint64
	Key     table.Key // of the event, or of what was written with it
	Opening Opening   // Altered or Gone
}

// Revisited is what one turn of Revisit found.
type Revisited struct {
	From, To uint64 // the leaves that were looked at
	Findings []Found
}

var revisitedKey = table.Key{PK: Partition, SK: "REVISITED"}

type revisitedItem struct {
	Next uint64 `json:"next"`
}

// stands finds the items that were written with s's event and are not as it left
// them, when it is the newest of what it is about: older ones have moved on. An
// item that changes while we look has its next event by the time we ask for it.
func (l *Log) stands(ctx context.Context, s stored) ([]Found, error) {
	told, ok, err := l.table.Get(ctx, s.event)
	if err != nil || !ok {
		return nil, err
	}
	e := decode(told)
	var found []Found
	for sk, sum := range e.Made {
		key := table.Key{PK: s.event.PK, SK: sk}
		item, ok, err := l.table.Get(ctx, key)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			found = append(found, Found{s.index, key, Gone})
		case !bytes.Equal(event.Sum(item), sum):
			found = append(found, Found{s.index, key, Altered})
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	next := table.Query{PK: s.event.PK, Limit: 1, From: event.Key(s.event.PK, e.Noun, e.ID, e.Version+1).SK,
		To: event.Key(s.event.PK, e.Noun, e.ID, lastVersion).SK}
	for _, err := range table.All(ctx, l.table, next) { // some versions have no event: what follows is the next that has
		return nil, err
	}
	return found, nil
}

// lastVersion is the highest that the key of an event has room for.
const lastVersion = 9_999_999_999

// Revisit compares up to max leaves with their events, and with what was written
// with them and is still their newest, beginning where it ended
// the last time and going round for ever, so that who edits the table is found
// out without anybody asking. Of two at once one looks in vain.
func (l *Log) Revisit(ctx context.Context, max int) (Revisited, error) {
	var at revisitedItem
	item, ok, err := l.table.Get(ctx, revisitedKey)
	if err != nil {
		return Revisited{}, err
	}
	if ok {
		if err := json.Unmarshal(item.Body, &at); err != nil {
			return Revisited{}, ErrDamaged.Because(fmt.Errorf("revisited: %w", err))
		}
	}
	kept, err := l.entries(ctx, at.Next, max)
	if err != nil {
		return Revisited{}, err
	}
	if len(kept) == 0 && at.Next > 0 {
		at.Next = 0
		if kept, err = l.entries(ctx, 0, max); err != nil {
			return Revisited{}, err
		}
	}
	out := Revisited{at.Next, at.Next + uint64(len(kept)), nil}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(16)
	for _, s := range kept {
		group.Go(func() error {
			o, _, err := l.opens(ctx, s)
			if err != nil {
				return err
			}
			found, err := l.stands(ctx, s)
			if o != Same && o != Erased {
				found = append(found, Found{s.index, s.event, o})
			}
			mu.Lock()
			defer mu.Unlock()
			out.Findings = append(out.Findings, found...)
			return err
		})
	}
	if err := group.Wait(); err != nil || len(kept) == 0 {
		return out, err
	}
	next := table.Item{Key: revisitedKey, Version: item.Version + 1, Body: plain(revisitedItem{out.To})}
	err = l.table.Transact(ctx, table.Step(next))
	if _, twin := table.FailedOn(err, revisitedKey); twin {
		err = nil
	}
	return out, err
}
