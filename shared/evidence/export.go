package evidence

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/table"
)

// Opened is one leaf beside its event as the table has it now.
type Opened struct {
	Index uint64
	Key   table.Key // of the event
	Leaf  []byte    // as it is kept in the table
	// Now is the leaf that the event would make today, bare when the salt is gone;
	// nil when there is no event.
	Now     []byte
	Opening Opening
}

// Open reads up to max leaves from from on with their events; fewer at the end.
func (l *Log) Open(ctx context.Context, from uint64, max int) ([]Opened, error) {
	kept, err := l.entries(ctx, from, max)
	if err != nil {
		return nil, err
	}
	all := make([]Opened, len(kept))
	var group errgroup.Group
	group.SetLimit(16)
	for i, s := range kept {
		group.Go(func() error {
			o, now, err := l.opens(ctx, s)
			all[i] = Opened{s.index, s.event, s.leaf, now, o}
			return err
		})
	}
	return all, group.Wait()
}

// Unlogged is what a leaf would say of an event that is not in the log, without
// anything that takes a salt.
func Unlogged(item table.Item) Leaf {
	e := decode(item)
	return NewLeaf(e, nil, e.At).Bare()
}
