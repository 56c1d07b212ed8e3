// Package pace keeps all processes together under a rate, with a handful of items
// in the table and nothing else: no leader, no reserved number of workers, no
// count that grows. It knows no provider.
//
// A gate has a few lanes. Whoever moves a lane's mark on, under the store's own
// condition, may pass; a mark moves again only after a gap. However many processes
// there are and wherever they die, no second ever sees more than the rate.
package pace

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// lanes is how many may pass at once; more lanes are less in each other's way.
const lanes = 8

// reserve is the part of the rate that is not used, in percent: what passes here
// arrives a little earlier or later.
const reserve = 10

// strange is how far ahead a mark may be. One further ahead was set by a clock
// that is wrong, and must not stop everybody.
const strange = 5 * time.Second

// longest is how long Take waits for a lane.
const longest = 5 * time.Second

// Gate is one rate that everybody shares. It is safe for concurrent use.
type Gate struct {
	table     table.Store
	name      string
	gap       time.Duration
	now       func() time.Time
	wait      func(context.Context, time.Duration) error
	first     atomic.Uint32
	partition string
}

// New is the gate called name with at most perSecond passes in any second. wait
// lets time pass; nil never waits.
func New(t table.Store, name string, perSecond int, now func() time.Time, wait func(context.Context, time.Duration) error) *Gate {
	gap := lanes * time.Second * 100 / time.Duration(perSecond*(100-reserve))
	return &Gate{table: t, name: name, gap: gap, now: now, wait: wait, partition: "PACE#" + name}
}

// Gap is the time between two passes of one lane, and Lanes how many there are.
func (g *Gate) Gap() (gap time.Duration, count int) { return g.gap, lanes }

// Take reports whether one call may be made now. False is "not now": the gate is
// paused, or no lane was free for as long as we wait.
func (g *Gate) Take(ctx context.Context) (bool, error) {
	paused, err := g.paused(ctx)
	if err != nil || paused {
		return false, err
	}
	for waited := time.Duration(0); ; waited += g.gap / lanes {
		start := g.first.Add(1)
		for i := range uint32(lanes) {
			free, err := g.pass(ctx, (start+i)%lanes)
			if err != nil || free {
				return free, err
			}
		}
		if g.wait == nil || waited >= longest || g.wait(ctx, g.gap/lanes) != nil {
			return false, nil
		}
	}
}

// pass moves a lane's mark on, if it may.
func (g *Gate) pass(ctx context.Context, lane uint32) (bool, error) {
	key := table.Key{PK: g.partition, SK: "LANE#" + strconv.Itoa(int(lane))}
	item, there, err := g.table.Get(ctx, key)
	if err != nil {
		return false, err
	}
	now := g.now()
	if since := now.Sub(mark(item)); there && since < g.gap && since > -strange {
		return false, nil
	}
	return g.set(ctx, key, item, now)
}

func mark(item table.Item) time.Time {
	n, err := strconv.ParseInt(string(item.Body), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// set writes at into an item. False means that somebody else was quicker, or that
// the store did not say: then the pass may be spent, and nobody uses it.
func (g *Gate) set(ctx context.Context, key table.Key, was table.Item, at time.Time) (bool, error) {
	next := table.Item{Key: key, Version: was.Version + 1, Body: []byte(strconv.FormatInt(at.UnixNano(), 10))}
	err := g.table.Transact(ctx, table.Step(next))
	if _, moved := errors.AsType[*table.ConditionError](err); moved || errors.Is(err, table.ErrUnknown) {
		return false, nil
	}
	return err == nil, err
}

func (g *Gate) pauseKey() table.Key { return table.Key{PK: g.partition, SK: "PAUSE"} }

func (g *Gate) paused(ctx context.Context) (bool, error) {
	item, there, err := g.table.Get(ctx, g.pauseKey())
	return there && g.now().Before(mark(item)), err
}

// Pause lets nobody pass for d from now. It never makes a pause shorter.
func (g *Gate) Pause(ctx context.Context, d time.Duration) error {
	item, there, err := g.table.Get(ctx, g.pauseKey())
	until := g.now().Add(d)
	if err != nil || there && !mark(item).Before(until) {
		return err
	}
	_, err = g.set(ctx, g.pauseKey(), item, until)
	return err
}
