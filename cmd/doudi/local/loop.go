package local

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/functions/sweep"
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

// sweepLoop is the schedule. The first run takes everything owed, at once: that
// is how a system that was killed goes on where it was.
func (s *System) sweepLoop(ctx context.Context, d sweep.Deps, every time.Duration) {
	grace := time.Duration(0)
	for ctx.Err() == nil {
		if err := sweep.Reconcile(ctx, d); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "reconcile", "err", err)
		}
		if _, err := sweep.Run(ctx, d, grace); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "sweep", "err", err)
		}
		grace = every
		wait(ctx, every)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
