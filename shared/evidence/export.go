package evidence

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/event"
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

// Items says what leaves say of the items of one partition, as they are now.
type Items struct {
	PK     string // as leaves have it
	Erased bool   // the salt is gone: nothing can be compared any more
	salt   []byte
}

// Items reads what is needed to compare the items of pk with their leaves.
func (l *Log) Items(ctx context.Context, pk string) (Items, error) {
	salt, erased, err := l.salts.read(ctx, pk)
	if erased {
		return Items{PK: pseudonym(nil, pk), Erased: true}, err
	}
	return Items{PK: pseudonym(salt, pk), salt: salt}, err
}

// Of is an item's name, and the commitment that a leaf written with it holds; none
// when the salt is gone.
func (i Items) Of(item table.Item) (name, sum string) {
	switch name = pseudonym(i.salt, item.Key.SK); {
	case i.Erased && name != item.Key.SK:
		return "~", ""
	case i.Erased:
		return name, ""
	}
	return name, commitItem(i.salt, item.Key, event.Sum(item))
}

// Unlogged is what a leaf would say of an event that is not in the log, without
// anything that takes a salt.
func Unlogged(item table.Item) Leaf {
	e := decode(item)
	return NewLeaf(e, nil, e.At).Bare()
}
