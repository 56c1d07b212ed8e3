package stage

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	domain "github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Fill stores copies of one accepted application until there are n of them:
// each with its own key, account and township, none owing anything soon. It
// shows how far it has come.
func (s *Stage) Fill(ctx context.Context, n int, show func(done, all int)) error {
	items, err := s.Sample(ctx)
	if err != nil {
		return err
	}
	if err := s.Spread(ctx, s.loaded, int64(n), len(items), func(i int64) []table.Write { return Copies(items, i) }, func(done int) { show(done, n) }); err != nil {
		return err
	}
	s.loaded = int64(n)
	return nil
}

// Spread stores the copies from..n−1, each of size writes, sixteen transactions at
// a time, and shows how far it has come. It stops early when ctx ends.
func (s *Stage) Spread(ctx context.Context, from, n int64, size int, copied func(i int64) []table.Write, show func(done int)) error {
	perTransaction := int64(table.MaxWrites / size)
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
					writes = append(writes, copied(i)...)
				}
				if err := s.Table.Transact(ctx, writes...); err != nil {
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

// Copies is the items of one application under the key of the ith copy.
func Copies(items []table.Item, i int64) []table.Write {
	var writes []table.Write
	for _, it := range items {
		c := it.Clone()
		c.Key.PK = domain.Partition(ident.Derive("bench copy", fmt.Sprint(i)))
		c.Version = 1
		for j, p := range c.Places {
			switch p.Index {
			case table.ByOwner:
				c.Places[j].PK = domain.OwnerList(ident.Derive("bench account", fmt.Sprint(i/5)))
			case table.ByWork:
				c.Places[j].PK = fmt.Sprintf("WORK#bench-%03d", i%500)
			case table.ByDue:
				c.Places[j] = work.Due(c.Key, time.Date(2099, 1, 1, 0, 0, int(i%86400), 0, time.UTC), work.Clock)
			}
		}
		writes = append(writes, table.Put{Item: c})
	}
	return writes
}
