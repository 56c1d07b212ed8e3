package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Entry is one event at its place in the log.
type Entry struct {
	Index uint64      // from 0, without gaps
	Event event.Event // with PK; Note sealed as stored
}

// Reader reads what has been sequenced, in order and without gaps. *Log is one.
type Reader interface {
	// Size is the number of entries sequenced so far, strongly.
	Size(ctx context.Context) (uint64, error)
	// Read gives up to max entries, contiguous from from; fewer at the end.
	Read(ctx context.Context, from uint64, max int) ([]Entry, error)
}

var _ Reader = (*Log)(nil)

// stored is one leaf as it is kept.
type stored struct {
	index uint64
	event table.Key
	leaf  []byte
}

// entries reads up to max stored leaves from from on, without gaps; fewer at the
// end. ErrDamaged when one below the size is not there or not readable.
func (l *Log) entries(ctx context.Context, from uint64, max int) ([]stored, error) {
	size, err := l.Size(ctx)
	if err != nil || from >= size || max < 1 {
		return nil, err
	}
	end := min(size, from+uint64(max))
	all := make([]stored, 0, end-from)
	for at := from; at < end; {
		last := min(end, (at/Block+1)*Block) - 1
		q := table.Query{PK: entryKey(at).PK, From: entryKey(at).SK, To: entryKey(last).SK}
		for item, err := range table.All(ctx, l.table, q) {
			if err != nil {
				return nil, err
			}
			var e entryItem
			if err := json.Unmarshal(item.Body, &e); err != nil || item.Key != entryKey(at) {
				return nil, ErrDamaged.Because(fmt.Errorf("leaf %d is missing or unreadable: %w", at, err))
			}
			all = append(all, stored{at, table.Key{PK: e.PK, SK: e.SK}, []byte(e.Leaf)})
			at++
		}
		if at <= last {
			return nil, ErrDamaged.Because(fmt.Errorf("leaf %d is missing", at))
		}
	}
	return all, nil
}

// Read gives entries with the events as the table has them now. An event item
// that is gone or unreadable is an entry of kind Unreadable: a fold must not stop
// for it, and the audit names it.
func (l *Log) Read(ctx context.Context, from uint64, max int) ([]Entry, error) {
	kept, err := l.entries(ctx, from, max)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	all := make([]Entry, len(kept))
	var group errgroup.Group
	group.SetLimit(16)
	for i, s := range kept {
		group.Go(func() error {
			item, _, err := l.table.Get(ctx, s.event)
			item.Key = s.event
			all[i] = Entry{s.index, decode(item)}
			return err
		})
	}
	return all, group.Wait()
}

// Leaves gives the leaves themselves, contiguous from from; fewer than max at the end.
func Leaves(ctx context.Context, l *Log, from uint64, max int) ([][]byte, error) {
	kept, err := l.entries(ctx, from, max)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, len(kept))
	for i, s := range kept {
		all[i] = s.leaf
	}
	return all, nil
}

// Opening is how a leaf compares with its event as the table has it now.
type Opening string

// The openings.
const (
	Same    Opening = "same"    // the event is what the leaf says, to the last byte
	Erased  Opening = "erased"  // what can still be compared is the same; the salt is gone
	Altered Opening = "altered" // the event is another
	Gone    Opening = "gone"    // there is no event
)

// Opens compares one leaf with its event.
func (l *Log) Opens(ctx context.Context, index uint64) (Opening, error) {
	kept, err := l.entries(ctx, index, 1)
	if err != nil || len(kept) == 0 {
		return Gone, err
	}
	o, _, err := l.opens(ctx, kept[0])
	return o, err
}

// opens compares s with its event, and gives the leaf that the event makes now.
func (l *Log) opens(ctx context.Context, s stored) (Opening, []byte, error) {
	item, ok, err := l.table.Get(ctx, s.event)
	if err != nil || !ok {
		return Gone, nil, err
	}
	salt, erased, err := l.salts.read(ctx, s.event.PK)
	if err != nil {
		return "", nil, err
	}
	leaf, err := ParseLeaf(s.leaf)
	now := NewLeaf(decode(item), salt, leaf.Logged)
	switch {
	case err != nil:
		return Altered, now.Encode(), nil
	case salt != nil && bytes.Equal(now.Encode(), s.leaf):
		return Same, s.leaf, nil
	case erased && bytes.Equal(now.Bare().Encode(), leaf.Bare().Encode()):
		return Erased, now.Bare().Encode(), nil
	case erased:
		return Altered, now.Bare().Encode(), nil
	}
	return Altered, now.Encode(), nil
}

// Bare is the leaf without anything that takes a salt to make.
func (l Leaf) Bare() Leaf {
	hidden := map[string]string{}
	for name := range l.Hidden {
		if !strings.HasPrefix(name, "facts.~") && !strings.HasPrefix(name, madePrefix+"~") {
			hidden[name] = ""
		}
	}
	l.Hidden = hidden
	for _, name := range []*string{&l.PK, &l.ID} {
		if strings.HasPrefix(*name, "~") {
			*name = "~"
		}
	}
	return l
}
