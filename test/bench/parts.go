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

// lifecycles measures whole cases on two systems in turns: one with a thousand
// applications stored, and one with options.stored.
func lifecycles(ctx context.Context, o options) error {
	stored := [2]int{1000, o.stored}
	var works [2]func(context.Context) error
	for i, n := range stored {
		s, err := stage.Open(ctx, filepath.Join(o.dir, fmt.Sprint(i)), func(*local.Options) {})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Fill(ctx, n, storing); err != nil {
			return err
		}
		works[i] = s.One
	}
	inTurns(ctx, 64, o.lasting, stored, works)
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
