package embedded

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/doudi-aid/doudi/shared/table"
)

// feed is who reads the changes and how far each has come. The changes
// themselves are on the shelf.
type feed struct {
	spare uint64

	mu   sync.Mutex
	last uint64            // the newest committed change
	base uint64            // every change up to here is dropped
	at   map[string]uint64 // done up to, by consumer
	wake chan struct{}     // closed by the next commit; nil while nobody waits
}

func newFeed(spare uint64) *feed { return &feed{spare: spare, at: map[string]uint64{}} }

// fork is a feed whose consumers have come as far.
func (f *feed) fork() *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &feed{spare: f.spare, last: f.last, base: f.base, at: maps.Clone(f.at)}
}

// publish tells waiting consumers that changes up to last are committed. While
// nobody consumes, it answers how far the shelf may drop them.
func (f *feed) publish(last uint64) (trim uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = max(f.last, last)
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
	if len(f.at) == 0 && f.last-f.base > f.spare+f.spare/8 {
		f.base = f.last - f.spare
		return f.base
	}
	return 0
}

// slowest is how far every consumer has come; the caller holds mu.
func (f *feed) slowest() uint64 {
	least := f.last
	for _, at := range f.at {
		least = min(least, at)
	}
	return least
}

func seqText(seq uint64) string { return fmt.Sprintf("%016x", seq) }

// Next returns changes after the consumer's last Ack. A consumer is registered
// by its first Next and begins at the oldest change that is kept; from then on
// nothing is dropped before it acks.
func (s *Store) Next(ctx context.Context, consumer string, max int) ([]table.Change, error) {
	if consumer == "" || max < 1 {
		return nil, fmt.Errorf("%w: feed needs a consumer and room for a change", table.ErrInvalid)
	}
	f := s.feed
	for {
		f.mu.Lock()
		at, known := f.at[consumer]
		if !known {
			at = f.base
			f.at[consumer] = at
			if err := s.shelf.remember(consumer, at, 0); err != nil {
				delete(f.at, consumer)
				f.mu.Unlock()
				return nil, err
			}
		}
		if at < f.last {
			// The shelf may already hold more than is announced: a group is stored
			// before it is. What is given must be what Ack takes back.
			announced := f.last - at
			f.mu.Unlock()
			return s.shelf.changes(at, int(min(uint64(max), announced)))
		}
		if f.wake == nil {
			f.wake = make(chan struct{})
		}
		wake := f.wake
		f.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// Ack remembers how far the consumer is done and drops what every consumer is
// done with. It does not wait for the disk: after a crash a consumer may see
// its last changes again, never miss one.
func (s *Store) Ack(_ context.Context, consumer, seq string) error {
	n, err := strconv.ParseUint(seq, 16, 64)
	if err != nil {
		return fmt.Errorf("%w: no position %q", table.ErrInvalid, seq)
	}
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	at, known := f.at[consumer]
	if !known || n > f.last {
		return fmt.Errorf("%w: consumer %q was never given %q", table.ErrInvalid, consumer, seq)
	}
	if n <= at {
		return nil
	}
	f.at[consumer] = n
	trim := f.slowest()
	if trim <= f.base {
		trim = 0
	}
	if err := s.shelf.remember(consumer, n, trim); err != nil {
		f.at[consumer] = at
		return err
	}
	f.base = max(f.base, trim)
	return nil
}

// Forget ends a consumer for good: changes are no longer kept for it.
func (s *Store) Forget(consumer string) error {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	at, known := f.at[consumer]
	if !known {
		return nil
	}
	delete(f.at, consumer)
	var trim uint64
	if len(f.at) > 0 {
		trim = f.slowest()
	}
	if trim <= f.base {
		trim = 0
	}
	if err := s.shelf.forget(consumer, trim); err != nil {
		f.at[consumer] = at
		return err
	}
	f.base = max(f.base, trim)
	return nil
}
