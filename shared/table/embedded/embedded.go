// Package embedded is the store of a laptop, a small office, a demonstration
// and a simulation: table.Store and table.Feed within the process. Open keeps
// the items in a folder and acknowledges a write only when it is on the disk;
// Memory keeps them nowhere. Both run the same conditions, indexes and feed. It
// knows no noun, and it does not share a folder: one process holds it.
package embedded

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// Store is both a table.Store and a table.Feed.
type Store struct {
	shelf shelf
	feed  *feed
}

var (
	_ table.Store = (*Store)(nil)
	_ table.Feed  = (*Store)(nil)
)

// shelf is where the items stand: on disk or in memory.
type shelf interface {
	// view is what has been acknowledged until now; done gives it back.
	view() (v view, done func(), err error)
	transact(ctx context.Context, writes []table.Write) error
	// changes reads the feed after a position, oldest first.
	changes(after uint64, most int) ([]table.Change, error)
	// remember keeps the position of one consumer and drops changes up to trim.
	remember(consumer string, at, trim uint64) error
	// forget drops the position of one consumer and changes up to trim.
	forget(consumer string, trim uint64) error
	close() error
}

// view reads items by ordered key (see order.go). What it yields belongs to the
// store: whoever hands it on makes a copy.
type view interface {
	item(key string) (*table.Item, error) // nil when there is none
	// items and marks walk the ordered keys in [from, to).
	items(from, to string, reverse bool, yield func(key string, it *table.Item) bool) error
	marks(from, to string, reverse bool, yield func(mark string) bool) error
}

// settings are what Options change.
type settings struct {
	now   func() time.Time
	spare uint64
}

// Option changes how a Store behaves.
type Option func(*settings)

// Clock is what expiry is measured against. Without it no item is forgotten.
func Clock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// Spare is how many changes are kept while the feed has no consumer; 100 000
// unless said. Once there is a consumer nothing is dropped before it acks.
func Spare(changes int) Option { return func(s *settings) { s.spare = uint64(changes) } }

// Memory is a Store that ends with the process. It starts no goroutine: a
// Transact is applied when it returns, in the order of the calls.
func Memory(opts ...Option) *Store {
	set := settings{spare: 100_000}
	for _, o := range opts {
		o(&set)
	}
	f := newFeed(set.spare)
	return &Store{shelf: newMemory(set, f), feed: f}
}

// Fork is another store that begins as s stands now, its feed's consumers
// included; neither sees what is written to the other afterwards. What it costs
// grows with the number of partitions and not with what is in them. Only a store
// in memory forks; for another it is nil.
func (s *Store) Fork() *Store {
	m, ok := s.shelf.(*memory)
	if !ok {
		return nil
	}
	f := s.feed.fork()
	return &Store{shelf: m.fork(f), feed: f}
}

// Fingerprint is a number that two stores in memory have in common when the same
// items stand in them and the same changes wait in their feeds. 0 for another.
func (s *Store) Fingerprint(seed maphash.Seed) uint64 {
	m, ok := s.shelf.(*memory)
	if !ok {
		return 0
	}
	return m.fingerprint(seed)
}

// Settle waits until a durable store has nothing left to sort of what was written:
// after very much was stored at once it goes on for minutes, and everything else is
// slower meanwhile.
func (s *Store) Settle(ctx context.Context) error {
	if d, ok := s.shelf.(*disk); ok {
		return d.settle(ctx)
	}
	return nil
}

// Close ends the store. A durable one has nothing left to write: whatever was
// acknowledged is on the disk already.
func (s *Store) Close() error { return s.shelf.close() }

// Get reads one item.
func (s *Store) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if err := key.Validate(); err != nil {
		return table.Item{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return table.Item{}, false, err
	}
	v, done, err := s.shelf.view()
	if err != nil {
		return table.Item{}, false, err
	}
	defer done()
	it, err := v.item(itemKey(key))
	if err != nil || it == nil {
		return table.Item{}, false, err
	}
	return it.Clone(), true, nil
}

// Transact applies all writes or none. An ended ctx withdraws a transaction
// that waits; one that is being written is waited for, so that the answer is
// always known.
func (s *Store) Transact(ctx context.Context, writes ...table.Write) error {
	if err := table.Validate(writes); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.shelf.transact(ctx, writes)
}
