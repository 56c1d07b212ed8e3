package local

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/functions/disclose"
	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table"
)

const (
	feedBatch = 256
	pause     = 200 * time.Millisecond // after something failed, before it is tried again
)

// relayLoop is the stream's event source: it hands every change to the relay,
// in order, and remembers how far it got. What could not be relayed comes again.
func (s *System) relayLoop(ctx context.Context, feed table.Feed, d relay.Deps) {
	handle := relay.Handle(d)
	for ctx.Err() == nil {
		if err := s.relayBatch(ctx, feed, handle); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "relay", "err", err)
			wait(ctx, pause)
		}
	}
}

func (s *System) relayBatch(ctx context.Context, feed table.Feed, handle func(context.Context, table.Change) error) error {
	changes, err := feed.Next(ctx, "relay", feedBatch)
	if err != nil {
		return err
	}
	done := ""
	for _, c := range changes {
		if err = handle(ctx, c); err != nil {
			break
		}
		done = c.Seq
	}
	if done != "" {
		if ackErr := feed.Ack(ctx, "relay", done); ackErr != nil {
			return ackErr
		}
	}
	return err
}

// logLoop is the stream's other event source: it hands every change to the log, a
// batch as one.
func (s *System) logLoop(ctx context.Context, feed table.Feed, d log.Deps) {
	take := log.Changes(d)
	for ctx.Err() == nil {
		changes, err := feed.Next(ctx, "log", feedBatch)
		if err == nil && len(changes) > 0 {
			if err = take(ctx, changes); err == nil {
				err = feed.Ack(ctx, "log", changes[len(changes)-1].Seq)
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "log", "err", err)
			wait(ctx, pause)
		}
	}
}

// tickLoop is the schedule of the log.
func (s *System) tickLoop(ctx context.Context, d log.Deps, every time.Duration) {
	for ctx.Err() == nil {
		if err := log.Run(ctx, d); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "log", "err", err)
		}
		wait(ctx, every)
	}
}

// sweepLoop is the schedule. The first run takes everything owed, at once: that
// is how a system that was killed goes on where it was.
func (s *System) sweepLoop(ctx context.Context, every time.Duration) {
	grace := time.Duration(0)
	for ctx.Err() == nil {
		if err := sweep.Reconcile(ctx, s.sweeper); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "reconcile", "err", err)
		}
		_, err := sweep.Run(ctx, s.sweeper, grace)
		if err = errors.Join(err, sweep.Wake(ctx, s.sweeper)); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "sweep", "err", err)
		}
		grace = every
		wait(ctx, every)
	}
}

// Follow does at once whatever is due by the clock and waits until that is done:
// the calls that the world owes us, a sweep, and every message there is. It is
// for whoever moves Options.Now, because the loops sleep by the machine's clock.
func (s *System) Follow(ctx context.Context) error {
	s.world.Step(ctx)
	wanted := sweep.Reconcile(ctx, s.sweeper)
	_, err := sweep.Run(ctx, s.sweeper, 0)
	return errors.Join(wanted, err, s.broker.Rest(ctx))
}

// coherenceEvery is how often ours is held against ours: a hand in a row is named
// within a minute.
const coherenceEvery = 30 * time.Second

func (s *System) coherenceLoop(ctx context.Context) {
	for {
		if wait(ctx, coherenceEvery); ctx.Err() != nil {
			return
		}
		if err := sweep.Cohere(ctx, s.sweeper); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "cohere", "err", err)
		}
	}
}

// discloseLoop is the schedule of what the public is told.
func (s *System) discloseLoop(ctx context.Context, d disclose.Deps, every time.Duration) {
	for ctx.Err() == nil {
		if err := disclose.Run(ctx, d); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "disclose", "err", err)
		}
		wait(ctx, every)
	}
}

// discloseDeps tell the public what every shipped region decided.
func (s *System) discloseDeps() disclose.Deps {
	entries := evidence.New(s.Table, s.Box, rand.Reader, s.now)
	return disclose.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Book, Tree: s.Tree, Regions: s.Tree.Regions(),
		Logged: func(ctx context.Context, key table.Key) (bool, error) {
			_, in, err := entries.Index(ctx, key)
			return in, err
		}, Now: s.now, Metrics: s.metrics, Log: s.log}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
