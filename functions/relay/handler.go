// Package relay turns changes of the table into queue messages. Every item that
// owes something says so in its due place (package work); the relay sends what
// is owed now, or soon. It knows no noun and keeps nothing: what it loses, the
// sweeper finds.
package relay

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Send queue.Sender
	Now  func() time.Time
}

// Horizon is how far ahead the relay sends; what is owed later is left to the
// sweeper. It is the longest delay that a queue can keep.
const Horizon = 15 * time.Minute

// Handle sends what the changed item owes. It may run twice for one change, or
// late, or after a newer one: the receiver reads the item again.
func Handle(d Deps) func(context.Context, table.Change) error {
	return func(ctx context.Context, c table.Change) error {
		at, q, owes := work.Owed(c.Item)
		if !owes || q == work.Clock {
			return nil
		}
		delay := max(at.Sub(d.Now()), 0)
		if delay > Horizon {
			return nil
		}
		return d.Send.Send(telemetry.WithTrace(ctx, work.Trace(c.Item)), string(q), work.Message{PK: c.Item.Key.PK, SK: c.Item.Key.SK}.Encode(), delay)
	}
}
