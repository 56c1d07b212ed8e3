package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	domain "github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
	"github.com/doudi-aid/doudi/test/caller"
)

// lifecycles measures whole cases twice in one run: with a thousand
// applications stored, and with options.stored.
func lifecycles(ctx context.Context, o options) error {
	s, err := open(ctx, o.dir, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer s.Close()
	const clients = 64
	var before rate
	for _, stored := range []int{1000, o.stored} {
		if err := s.load(ctx, stored); err != nil {
			return err
		}
		// Warm, and after a bulk load long enough for the store to have compacted
		// most of what was loaded: nobody files a million applications in a minute.
		measure(ctx, clients, 2*time.Second+time.Duration(stored/20_000)*time.Second, s.one)
		r := measure(ctx, clients, o.lasting, s.one)
		fmt.Printf("| %9d stored | %d clients | %s |\n", stored, clients, r)
		if before.perSecond > 0 {
			fmt.Printf("\nratio: %.2f of the rate with 1,000 stored\n", r.perSecond/before.perSecond)
		}
		before = r
	}
	return ctx.Err()
}

// load stores copies of one accepted application until there are n of them:
// each with its own key, account and township, none owing anything soon.
func (s *stage) load(ctx context.Context, n int) error {
	items, err := s.sample(ctx)
	if err != nil {
		return err
	}
	perTransaction := int64(table.MaxWrites / len(items))
	var next atomic.Int64
	next.Store(s.loaded)
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	for range 16 {
		wg.Go(func() {
			for {
				first := next.Add(perTransaction) - perTransaction
				if first >= int64(n) || ctx.Err() != nil {
					return
				}
				var writes []table.Write
				for i := first; i < min(first+perTransaction, int64(n)); i++ {
					writes = append(writes, copies(items, i)...)
				}
				if err := s.Table.Transact(ctx, writes...); err != nil {
					once.Do(func() { failed = err })
					return
				}
				if first%10_000 == 0 {
					progress("storing applications", int(first), n)
				}
			}
		})
	}
	wg.Wait()
	progress("storing applications", n, n)
	s.loaded = int64(n)
	return failed
}

// sample applies once and reads what that stored.
func (s *stage) sample(ctx context.Context) ([]table.Item, error) {
	n := int(s.next.Add(1))
	citizen, err := s.caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:bench-%d", n), "")
	if err != nil {
		return nil, err
	}
	id, err := s.submit(ctx, citizen, n)
	if err != nil {
		return nil, err
	}
	page, err := s.Table.Query(ctx, table.Query{PK: domain.Partition(id)})
	return page.Items, err
}

// copies is the items of one application under the key of the ith copy.
func copies(items []table.Item, i int64) []table.Write {
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

// applies measures POST /v1/applications against a bare Transact of what it
// writes, with as many clients, each on a store of its own that is otherwise
// idle: nobody verifies what is applied for.
func applies(ctx context.Context, o options) error {
	const clients = 16
	quiet := func(lo *local.Options) { lo.WithoutRelay, lo.SweepEvery = true, 24*time.Hour }
	s, err := open(ctx, filepath.Join(o.dir, "http"), quiet)
	if err != nil {
		return err
	}
	defer s.Close()
	people := make([]caller.Caller, 8192)
	for i := range people {
		if people[i], err = s.caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:apply-%d", i), ""); err != nil {
			return err
		}
	}
	over := func(ctx context.Context) error {
		k := int(s.next.Add(1))
		_, err := s.submit(ctx, people[k%len(people)], k)
		return err
	}
	measure(ctx, clients, time.Second, over)
	b := measure(ctx, clients, o.lasting, over)

	items, err := s.sample(ctx)
	if err != nil {
		return err
	}
	store, err := embedded.Open(filepath.Join(o.dir, "bare"))
	if err != nil {
		return err
	}
	defer store.Close()
	var n atomic.Int64
	bare := func(ctx context.Context) error {
		i := n.Add(1)
		writes := copies(items, i)
		// The marker of the open case and the account's count of the day are
		// written too, in partitions of their own.
		for _, other := range []struct {
			pk    string
			bytes int
		}{{"PERSON#", 60}, {"ACCOUNT#", 320}} {
			key := table.Key{PK: other.pk + ident.Derive("bench", fmt.Sprint(i)), SK: "HEAD"}
			writes = append(writes, table.Put{Item: table.Item{Key: key, Version: 1, Body: make([]byte, other.bytes)}})
		}
		return store.Transact(ctx, writes...)
	}
	measure(ctx, clients, time.Second, bare)
	a := measure(ctx, clients, o.lasting, bare)
	fmt.Printf("| bare Transact of %d items | %d clients | %s |\n| POST /v1/applications | %d clients | %s |\n\nratio: %.2f\n",
		len(items)+2, clients, a, clients, b, b.perSecond/a.perSecond)
	return ctx.Err()
}
