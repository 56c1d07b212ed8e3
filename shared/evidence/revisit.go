package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/table"
)

// Found is a leaf whose event is not what it was.
type Found struct {
	Index   uint64
	Key     table.Key // of the event
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

// Revisit compares up to max leaves with their events, beginning where it ended
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
			if err == nil && o != Same && o != Erased {
				mu.Lock()
				defer mu.Unlock()
				out.Findings = append(out.Findings, Found{s.index, s.event, o})
			}
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
