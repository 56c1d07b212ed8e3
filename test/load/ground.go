package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// part is one thing that a system stands on.
type part string

// The parts, and of how many calls one fails while a part is weak: what the
// client's own repeats leave. A request asks the store, and for keys, about ten
// times, and all others once or twice.
const (
	theStore  part = "store"
	theKeys   part = "keys"
	theFiles  part = "files" // evidence that people send, and what the log publishes
	theQueues part = "queues"
)

var oneIn = map[part]uint64{theStore: 20, theKeys: 20, theFiles: 4, theQueues: 4}

// ground is what a system stands on; one part at a time is weak, or none.
type ground struct {
	weak  atomic.Value // part
	calls atomic.Uint64
}

// fails says whether a call to p fails now, and gives a number that goes on with
// every failure.
func (g *ground) fails(p part) (turn uint64, yes bool) {
	if w, _ := g.weak.Load().(part); w != p {
		return 0, false
	}
	n := g.calls.Add(1)
	return n / oneIn[p], n%oneIn[p] == 0
}

func (g *ground) under() local.Under {
	return local.Under{
		Table:     func(t table.Store) table.Store { return weakTable{t, g} },
		Keys:      func(k seal.Keys) seal.Keys { return weakKeys{k, g} },
		Documents: func(d document.Store) document.Store { return weakDocuments{d, g} },
		Published: func(b evidence.Blobs) evidence.Blobs { return weakBlobs{b, g} },
		Queues:    func(s queue.Sender) queue.Sender { return weakQueues{s, g} },
	}
}

var errWeak = errors.New("load: it was made to fail")

type weakTable struct {
	table.Store
	*ground
}

func (w weakTable) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if _, yes := w.fails(theStore); yes {
		return table.Item{}, false, table.ErrBusy.Because(errWeak)
	}
	return w.Store.Get(ctx, key)
}

func (w weakTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if _, yes := w.fails(theStore); yes {
		return table.Page{}, table.ErrBusy.Because(errWeak)
	}
	return w.Store.Query(ctx, q)
}

// Transact is refused, or its answer is lost: of those every second was done.
func (w weakTable) Transact(ctx context.Context, writes ...table.Write) error {
	turn, yes := w.fails(theStore)
	if !yes {
		return w.Store.Transact(ctx, writes...)
	}
	switch turn % 3 {
	case 0:
		return table.ErrBusy.Because(errWeak)
	case 1:
		return table.ErrUnknown.Because(errWeak)
	}
	_ = w.Store.Transact(ctx, writes...)
	return table.ErrUnknown.Because(errWeak)
}

type weakKeys struct {
	seal.Keys
	*ground
}

func (w weakKeys) Current(ctx context.Context) (seal.Key, error) {
	if _, yes := w.fails(theKeys); yes {
		return seal.Key{}, seal.ErrKey.Because(errWeak)
	}
	return w.Keys.Current(ctx)
}

func (w weakKeys) ByID(ctx context.Context, id string) (seal.Key, error) {
	if _, yes := w.fails(theKeys); yes {
		return seal.Key{}, seal.ErrKey.Because(errWeak)
	}
	return w.Keys.ByID(ctx, id)
}

type weakDocuments struct {
	document.Store
	*ground
}

// Put fails before it was done or after.
func (w weakDocuments) Put(ctx context.Context, partition, id string, content []byte) error {
	if turn, yes := w.fails(theFiles); yes {
		if turn%2 == 0 {
			_ = w.Store.Put(ctx, partition, id, content)
		}
		return document.ErrUnavailable.Because(errWeak)
	}
	return w.Store.Put(ctx, partition, id, content)
}

func (w weakDocuments) Get(ctx context.Context, partition, id string) ([]byte, error) {
	if _, yes := w.fails(theFiles); yes {
		return nil, document.ErrUnavailable.Because(errWeak)
	}
	return w.Store.Get(ctx, partition, id)
}

type weakBlobs struct {
	evidence.Blobs
	*ground
}

func (w weakBlobs) Put(ctx context.Context, name string, content []byte) error {
	if turn, yes := w.fails(theFiles); yes {
		if turn%2 == 0 {
			_ = w.Blobs.Put(ctx, name, content)
		}
		return evidence.ErrUnavailable.Because(errWeak)
	}
	return w.Blobs.Put(ctx, name, content)
}

func (w weakBlobs) Get(ctx context.Context, name string) ([]byte, error) {
	if _, yes := w.fails(theFiles); yes {
		return nil, evidence.ErrUnavailable.Because(errWeak)
	}
	return w.Blobs.Get(ctx, name)
}

type weakQueues struct {
	queue.Sender
	*ground
}

// Send fails before it was sent or after.
func (w weakQueues) Send(ctx context.Context, name string, body []byte, delay time.Duration) error {
	if turn, yes := w.fails(theQueues); yes {
		if turn%2 == 0 {
			_ = w.Sender.Send(ctx, name, body, delay)
		}
		return queue.ErrUnavailable.Because(errWeak)
	}
	return w.Sender.Send(ctx, name, body, delay)
}
