// Package evidence is the record that its keeper cannot quietly change: every
// event of every noun becomes exactly one leaf of one append-only Merkle tree
// (RFC 6962), in the order of the sequencer, and whoever keeps an older root can
// tell whether anything was altered since. Leaves say what happened and hide whom
// it happened to.
//
// It decides nothing about aid and refuses to know any noun: it takes events as
// they are, also those that nobody can read. It signs and answers, and trusts
// nobody to believe it: the supervision body's witness and its offline check
// (Witness, Audit) hold no key of ours.
package evidence

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Log is the log in the table:
//
//	LOG / HEAD                          size, right edge and time of the newest leaf
//	LOG#<block> / <index>               one leaf, and the key of its event; a block has 256
//	LEAF#<partition> / LEAF#EVENT#…     where the event of that key stands: once, by its condition
//	SALT#<partition> / SALT             see salts
//
// The head, the leaves and the markers of a batch are one transaction, so there
// is no moment at which a crash leaves half of it, and of two sequencers at once
// one wins and the other takes what is left.
type Log struct {
	table table.Store
	salts salts
	now   func() time.Time

	mu   sync.Mutex
	seen map[table.Key]bool // events known to be logged; forgetting is harmless
}

// New is the log in t. box seals the salts that random makes.
func New(t table.Store, box *seal.Box, random io.Reader, now func() time.Time) *Log {
	return &Log{table: t, salts: salts{t, box, random}, now: now, seen: map[table.Key]bool{}}
}

// Block is how many leaves stand in one partition, and in one tile.
const Block = 256

// batch is how many events one transaction takes: a leaf and a marker for each,
// and the head.
const batch = (table.MaxWrites - 1) / 2

// Partition begins the partition keys of the log itself, and MarkerPartition
// those of the markers: only the sequencer may write there.
const (
	Partition       = "LOG"
	MarkerPartition = "LEAF#"
)

var headKey = table.Key{PK: Partition, SK: "HEAD"}

// Head is how far the log has come.
type Head struct {
	Edge
	At      time.Time `json:"at"` // Logged of the newest leaf
	Version int64     `json:"-"`
}

func entryKey(index uint64) table.Key {
	return table.Key{PK: fmt.Sprintf("%s#%012d", Partition, index/Block), SK: fmt.Sprintf("%015d", index)}
}

// markerKey must not be the key of an event: the stream would bring every marker to
// the log as one, and that one's marker, for ever.
func markerKey(of table.Key) table.Key {
	return table.Key{PK: MarkerPartition + of.PK, SK: MarkerPartition + of.SK}
}

// entryItem is one leaf as stored.
type entryItem struct {
	PK   string `json:"pk"` // of the event item
	SK   string `json:"sk"`
	Leaf string `json:"leaf"` // as text, so that no encoder touches a byte of it
}

type markerItem struct {
	Index uint64 `json:"index"`
}

// Head reads how far the log has come, strongly.
func (l *Log) Head(ctx context.Context) (Head, error) {
	item, ok, err := l.table.Get(ctx, headKey)
	if err != nil || !ok {
		return Head{}, err
	}
	h := Head{Version: item.Version}
	if err := json.Unmarshal(item.Body, &h); err != nil || !h.sound() {
		return h, ErrDamaged.Because(fmt.Errorf("head: %w", err))
	}
	return h, nil
}

// Size is the number of leaves.
func (l *Log) Size(ctx context.Context) (uint64, error) {
	h, err := l.Head(ctx)
	return h.Edge.Size, err
}

// Index is where the event at key stands; false while it is not in the log.
func (l *Log) Index(ctx context.Context, key table.Key) (uint64, bool, error) {
	item, ok, err := l.table.Get(ctx, markerKey(key))
	if err != nil || !ok {
		return 0, false, err
	}
	var m markerItem
	if err := json.Unmarshal(item.Body, &m); err != nil {
		return 0, false, ErrDamaged.Because(fmt.Errorf("marker of %s %s: %w", key.PK, key.SK, err))
	}
	return m.Index, true, nil
}

// tries bounds how often a batch begins again because another sequencer won.
const tries = 12

// Sequence puts the events among items into the log, each once, however often it
// is called and by however many at once, and returns how many were new. Items that
// are no events are passed over. Versions of one thing get into the log in their
// order: a version whose predecessor is not there yet brings it along.
//
// If we die before a transaction its events are found by Sweep; after it, they are
// in the log. A lost answer is settled by the markers.
func (l *Log) Sequence(ctx context.Context, items ...table.Item) (int, error) {
	pending, _, err := l.pending(ctx, items)
	if err != nil {
		return 0, err
	}
	return l.drain(ctx, pending)
}

// Take is Sequence for what a stream brings: an event that is in the log already
// was brought twice, or was changed, which nothing of ours ever does. Those that are
// not what the log says are answered.
func (l *Log) Take(ctx context.Context, items ...table.Item) (int, []Found, error) {
	pending, already, err := l.pending(ctx, items)
	if err != nil {
		return 0, nil, err
	}
	n, err := l.drain(ctx, pending)
	if err != nil {
		return n, nil, err
	}
	var found []Found
	for _, key := range already {
		index, logged, err := l.Index(ctx, key)
		if err != nil || !logged {
			return n, found, err
		}
		o, err := l.Opens(ctx, index)
		if err != nil {
			return n, found, err
		}
		if o != Same && o != Erased {
			found = append(found, Found{index, key, o})
		}
	}
	return n, found, nil
}

// drain appends all of pending, and returns how many it added.
func (l *Log) drain(ctx context.Context, pending []table.Item) (int, error) {
	added, lost := 0, 0
	for len(pending) > 0 {
		n, rest, err := l.append(ctx, pending)
		added += n
		switch {
		case err != nil:
			return added, err
		case n > 0 || len(rest) < len(pending):
			lost = 0
		default:
			if lost++; lost == tries {
				return added, ErrContended
			}
		}
		pending = rest
	}
	return added, nil
}

// pending are the events of items that are not in the log, with predecessors,
// each thing's versions in order; and the keys of those that are.
func (l *Log) pending(ctx context.Context, items []table.Item) (all []table.Item, already []table.Key, err error) {
	have := map[table.Key]table.Item{}
	var order []table.Key
	for _, item := range items {
		_, twice := have[item.Key]
		switch {
		case twice || !event.Is(item.Key):
		case l.known(item.Key):
			already = append(already, item.Key)
		default:
			have[item.Key] = item
			order = append(order, item.Key)
		}
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(16)
	before := make([][]table.Item, len(order))
	for i, key := range order {
		group.Go(func() error {
			if _, logged, err := l.Index(ctx, key); err != nil || logged {
				mu.Lock()
				defer mu.Unlock()
				delete(have, key)
				if logged {
					l.learn(key)
					already = append(already, key)
				}
				return err
			}
			for {
				noun, id, version, ok := event.Named(key)
				if !ok || version == 1 {
					return nil
				}
				key = event.Key(key.PK, noun, id, version-1)
				if slices.Contains(order, key) || l.known(key) {
					return nil
				}
				if _, logged, err := l.Index(ctx, key); err != nil || logged {
					return err
				}
				item, there, err := l.table.Get(ctx, key)
				if err != nil || !there {
					return err
				}
				before[i] = append(before[i], item)
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	placed := map[table.Key]bool{}
	add := func(item table.Item) {
		if !placed[item.Key] {
			placed[item.Key] = true
			all = append(all, item)
		}
	}
	for i, key := range order {
		item, wanted := have[key]
		if !wanted {
			continue
		}
		slices.Reverse(before[i])
		for _, b := range before[i] {
			add(b)
		}
		add(item)
	}
	inVersionOrder(all)
	return all, already, nil
}

// inVersionOrder gives the versions of each thing the places they have, in their
// order; everything else stays where it is.
func inVersionOrder(items []table.Item) {
	type thing struct{ pk, noun, id string }
	places := map[thing][]int{}
	version := func(i int) int64 {
		_, _, v, _ := event.Named(items[i].Key)
		return v
	}
	for i, item := range items {
		if noun, id, _, ok := event.Named(item.Key); ok {
			t := thing{item.Key.PK, noun, id}
			places[t] = append(places[t], i)
		}
	}
	for _, at := range places {
		sorted := slices.Clone(at)
		slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(version(a), version(b)) })
		moved := make([]table.Item, len(at))
		for i, from := range sorted {
			moved[i] = items[from]
		}
		for i, to := range at {
			items[to] = moved[i]
		}
	}
}

// append is one transaction: as many of pending as fit. It returns how many it
// added and what is left to do; all of it when another sequencer was quicker.
func (l *Log) append(ctx context.Context, pending []table.Item) (int, []table.Item, error) {
	head, err := l.Head(ctx)
	if err != nil {
		return 0, pending, err
	}
	take := pending[:min(batch, len(pending))]
	logged := l.now().UTC().Truncate(time.Millisecond)
	if logged.Before(head.At) {
		logged = head.At // a clock that is behind does not turn the log back
	}
	next := Head{Edge: Edge{head.Edge.Size, slices.Clone(head.Hashes)}, At: logged}
	var leaves []table.Write
	bySalt := map[string][]byte{}
	for _, item := range take {
		salt := bySalt[item.Key.PK]
		if salt == nil {
			if salt, err = l.salts.of(ctx, item.Key.PK); err != nil {
				return 0, pending, err
			}
			bySalt[item.Key.PK] = salt
		}
		leaf := NewLeaf(decode(item), salt, logged).Encode()
		leaves = append(leaves,
			table.Put{Item: table.Item{Key: entryKey(next.Edge.Size), Version: 1, Body: plain(entryItem{item.Key.PK, item.Key.SK, string(leaf)})}},
			table.Put{Item: table.Item{Key: markerKey(item.Key), Version: 1, Body: plain(markerItem{next.Edge.Size})}})
		next.Add(tlog.RecordHash(leaf))
	}
	headItem := table.Item{Key: headKey, Version: head.Version + 1, Body: plain(next)}
	first := table.Step(headItem)
	err = l.table.Transact(ctx, append([]table.Write{first}, leaves...)...)
	failed, refused := errors.AsType[*table.ConditionError](err)
	switch {
	case err == nil:
		for _, item := range take {
			l.learn(item.Key)
		}
		return len(take), pending[len(take):], nil
	case errors.Is(err, table.ErrUnknown):
		return l.settle(ctx, pending)
	case !refused:
		return 0, pending, err
	}
	rest := slices.DeleteFunc(slices.Clone(pending), func(item table.Item) bool {
		_, there := failed.On(markerKey(item.Key))
		return there
	})
	return 0, rest, nil
}

// settle finds out what became of a transaction whose answer was lost.
func (l *Log) settle(ctx context.Context, pending []table.Item) (int, []table.Item, error) {
	var rest []table.Item
	for _, item := range pending {
		_, logged, err := l.Index(ctx, item.Key)
		if err != nil {
			return 0, pending, err
		}
		if !logged {
			rest = append(rest, item)
		}
	}
	return len(pending) - len(rest), rest, nil
}

// decode is the event of an item; one that nobody can read is known by its key.
func decode(item table.Item) event.Event {
	e, err := event.Decode(item)
	noun, id, version, ok := event.Named(item.Key)
	if err == nil && ok && e.Noun == noun && e.ID == id && e.Version == version {
		return e
	}
	if !ok {
		noun, id, version = "event", item.Key.SK, 1
	}
	return event.Event{PK: item.Key.PK, Noun: noun, ID: id, Version: version, Kind: Unreadable, Note: item.Body}
}

// known and learn are about events that are in the log, so that what comes twice
// costs nothing.
func (l *Log) known(key table.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[key]
}

// remembered bounds what is remembered.
const remembered = 1 << 16

func (l *Log) learn(key table.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= remembered {
		clear(l.seen)
	}
	l.seen[key] = true
}
