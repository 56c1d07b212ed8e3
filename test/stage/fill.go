package stage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	domain "github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// Fill stores copies of one accepted application until there are n of them:
// each with its own key, account and township. It shows how far it has come.
func (s *Stage) Fill(ctx context.Context, n int, show func(done, all int)) error {
	items, err := s.Sample(ctx)
	if err != nil {
		return err
	}
	copied := func(id string, i int64) []table.Write { return Copies(items, id, i) }
	if err := s.Spread(ctx, s.loaded, int64(n), len(items), copied, func(done int) { show(done, n) }); err != nil {
		return err
	}
	s.loaded = int64(n)
	return nil
}

// consumers are those of the system's change feed.
var consumers = []string{"relay", "log"}

// Spread stores the copies from..n−1, each of size writes under an id of its own,
// and shows how far it has come. It stops early when ctx ends.
//
// The system stands still meanwhile and starts again afterwards: a system that has stood for years has told everybody of its changes
// long ago and has all its events in its log, and does not do it while it is
// measured. The copies are in no log and no figure. Their ids rise, and the
// store sorts what is left, so that it is as one that grew over years.
func (s *Stage) Spread(ctx context.Context, from, n int64, size int, copied func(id string, i int64) []table.Write, show func(done int)) error {
	if s.options.Data == "" {
		return errors.New("stage: nothing is kept, so nothing can be stored beforehand")
	}
	if err := s.Close(); err != nil {
		return err
	}
	store, err := embedded.Open(filepath.Join(s.options.Data, "store"), embedded.Spare(1000))
	if err != nil {
		return err
	}
	for _, c := range consumers { // or every change were kept for them
		err = errors.Join(err, store.Forget(c))
	}
	if err == nil {
		err = spread(ctx, store, from, n, size, copied, show)
	}
	for _, c := range consumers {
		err = errors.Join(err, told(store, c))
	}
	if err == nil {
		err = store.Settle(ctx)
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	return s.start(ctx)
}

// told lets a consumer of the feed be done with all there is.
func told(store *embedded.Store, consumer string) error {
	now, stop := context.WithCancel(context.Background())
	stop() // waits for nothing new
	for {
		changes, err := store.Next(now, consumer, table.MaxPage)
		if err != nil || len(changes) == 0 {
			return err
		}
		if err := store.Ack(now, consumer, changes[len(changes)-1].Seq); err != nil {
			return err
		}
	}
}

// spread stores copies, a few transactions at a time.
func spread(ctx context.Context, store table.Store, from, n int64, size int, copied func(id string, i int64) []table.Write, show func(done int)) error {
	perTransaction := int64(table.MaxWrites / size)
	apart := uint64(math.MaxUint64) / uint64(max(n-from, 1))
	var next atomic.Int64
	next.Store(from)
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	for range 16 {
		wg.Go(func() {
			for {
				first := next.Add(perTransaction) - perTransaction
				if first >= n || ctx.Err() != nil {
					return
				}
				var writes []table.Write
				for i := first; i < min(first+perTransaction, n); i++ {
					writes = append(writes, copied(rising(i, uint64(i-from)*apart), i)...)
				}
				if err := store.Transact(ctx, writes...); err != nil {
					once.Do(func() { failed = err })
					return
				}
				if (first-from)%(100*perTransaction) == 0 {
					show(int(first))
				}
			}
		})
	}
	wg.Wait()
	show(int(n))
	return failed
}

// rising is the id of the ith copy, of those that lie at.
func rising(i int64, at uint64) string {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, at), uint64(i))
	return ident.NewSource(bytes.NewReader(b)).New()
}

// Sample applies once and reads what that stored.
func (s *Stage) Sample(ctx context.Context) ([]table.Item, error) {
	n := s.Next()
	citizen, err := s.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:bench-%d", n), "")
	if err != nil {
		return nil, err
	}
	id, err := s.Submit(ctx, citizen, n)
	if err != nil {
		return nil, err
	}
	page, err := s.Table.Query(ctx, table.Query{PK: domain.Partition(id)})
	return page.Items, err
}

// OpenOf is of how many copies one is still open: it stands in a work list and owes
// something one day. All others are done, as nearly all cases of a year are.
const OpenOf = 50

// Copies is the items of one application as the ith copy, whose id is id.
func Copies(items []table.Item, id string, i int64) []table.Write {
	owner := domain.OwnerList(ident.Derive("bench account", fmt.Sprint(i/5)))
	return Copied(items, domain.Partition(""), id, i, owner)
}

// Copied is items, all that is kept of one thing in the partition that begins with
// prefix, as the ith copy, whose id is id and which stands in an owner's list.
func Copied(items []table.Item, prefix, id string, i int64, owner string) []table.Write {
	var writes []table.Write
	for _, it := range items {
		old := it.Key.PK[len(prefix):]
		c := it.Clone()
		c.Key = table.Key{PK: prefix + id, SK: strings.ReplaceAll(it.Key.SK, old, id)}
		c.Version = 1
		c.Body = bytes.ReplaceAll(it.Body, []byte(old), []byte(id))
		c.Places = c.Places[:0]
		for _, p := range it.Places {
			switch {
			case p.Index == table.ByOwner:
				c.Places = append(c.Places, table.Place{Index: p.Index, PK: owner, SK: strings.ReplaceAll(p.SK, old, id)})
			case i%OpenOf > 0: // done
			case p.Index == table.ByWork:
				c.Places = append(c.Places, table.Place{Index: p.Index, PK: fmt.Sprintf("WORK#bench-%03d", i/OpenOf%500), SK: strings.ReplaceAll(p.SK, old, id)})
			default:
				c.Places = append(c.Places, work.Due(c.Key, time.Date(2099, 1, 1, 0, 0, int(i%86400), 0, time.UTC), work.Clock))
			}
		}
		writes = append(writes, table.Put{Item: c})
	}
	return writes
}
