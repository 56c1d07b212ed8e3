package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/stage"
)

// warming is how long what is measured goes on before it is.
const warming = 5 * time.Second

// lifecycles measures whole cases twice in one run: with a thousand
// applications stored, and with options.stored.
func lifecycles(ctx context.Context, o options) error {
	s, err := stage.Open(ctx, o.dir, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer s.Close()
	const clients = 64
	var before rate
	for _, stored := range []int{1000, o.stored} {
		if err := s.Fill(ctx, stored, storing); err != nil {
			return err
		}
		measure(ctx, clients, warming, s.One)
		r := measure(ctx, clients, o.lasting, s.One)
		fmt.Printf("| %9d stored | %d clients | %s |\n", stored, clients, r)
		if before.perSecond > 0 {
			fmt.Printf("\nratio: %.2f of the rate with 1,000 stored\n", r.perSecond/before.perSecond)
		}
		before = r
	}
	return ctx.Err()
}

// storing shows how far a bulk load has come.
func storing(done, all int) { progress("storing applications", done, all) }

// applies measures POST /v1/applications against a bare Transact of what it
// writes, with as many clients, each on a store of its own that is otherwise
// idle: nobody verifies what is applied for.
func applies(ctx context.Context, o options) error {
	const clients = 16
	quiet := func(lo *local.Options) { lo.WithoutRelay, lo.SweepEvery = true, 24*time.Hour }
	s, err := stage.Open(ctx, filepath.Join(o.dir, "http"), quiet)
	if err != nil {
		return err
	}
	defer s.Close()
	people := make([]caller.Caller, 8192)
	for i := range people {
		if people[i], err = s.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:apply-%d", i), ""); err != nil {
			return err
		}
	}
	over := func(ctx context.Context) error {
		k := s.Next()
		_, err := s.Submit(ctx, people[k%len(people)], k)
		return err
	}
	measure(ctx, clients, time.Second, over)
	b := measure(ctx, clients, o.lasting, over)

	items, err := s.Sample(ctx)
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
		writes := stage.Copies(items, ident.Derive("bench copy", fmt.Sprint(i)), i*stage.OpenOf) // open, as what is posted
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
