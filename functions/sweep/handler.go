// Package sweep finishes everything. It re-derives all owed work from the due
// index and sends it again, so that the system comes right with every queue
// message lost; and it watches the legal deadlines, telling the people further
// up at 50, 80 and 100 percent. It decides nothing: a deadline that passes
// refuses nobody, it only becomes more visible.
package sweep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table   table.Store
	Send    queue.Sender
	Now     func() time.Time
	Metrics telemetry.Metrics
	Log     *slog.Logger
}

// Report is what one sweep found.
type Report struct {
	Sent      map[work.Queue]int // messages sent, by queue
	Escalated int                // deadlines at which somebody further up was told
	Oldest    time.Duration      // age of the oldest thing owed
	Failed    int                // things that could not be sent or told this time; the next sweep finds them
}

var actor = event.Actor{Kind: event.System, ID: "sweep"}

// Run sweeps once: everything owed for at least grace is sent again. A grace of
// zero, as after a start, takes all that is owed. Two sweeps may run at once and
// a sweep may die anywhere: sending twice is harmless, and what was not sent is
// still owed. An error means that the index could not be read to the end.
func Run(ctx context.Context, d Deps, grace time.Duration) (Report, error) {
	r := Report{Sent: map[work.Queue]int{}}
	var failed []error
	for shard := range work.Shards {
		if err := sweepShard(ctx, d, work.Shard(shard), grace, &r); err != nil {
			failed = append(failed, err) // one unreadable shard must not hide the others
		}
	}
	d.Metrics.Age("oldest_owed", r.Oldest)
	d.Metrics.Count("sweep_failed", int64(r.Failed))
	return r, errors.Join(failed...)
}

func sweepShard(ctx context.Context, d Deps, shard string, grace time.Duration, r *Report) error {
	now := d.Now()
	q := table.Query{Index: table.ByDue, PK: shard, To: work.Stamp(now.Add(-grace)) + "#\U0010FFFF", Limit: 100}
	for {
		page, err := d.Table.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			at, to, owes := work.Owed(item)
			if !owes {
				continue
			}
			r.Oldest = max(r.Oldest, now.Sub(at))
			if err := finish(ctx, d, item, to, now, r); err != nil {
				r.Failed++
				d.Log.ErrorContext(ctx, "sweep could not finish", "pk", item.Key.PK, "sk", item.Key.SK, "queue", string(to), "err", err)
			}
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

func finish(ctx context.Context, d Deps, item table.Item, to work.Queue, now time.Time, r *Report) error {
	if application.Is(item.Key) {
		told, err := escalate(ctx, d, item, now)
		if err != nil {
			return err
		}
		if told {
			r.Escalated++
		}
	}
	if to == work.Clock {
		return nil
	}
	if err := d.Send.Send(ctx, string(to), work.Message{PK: item.Key.PK, SK: item.Key.SK}.Encode(), 0); err != nil {
		return err
	}
	r.Sent[to]++
	return nil
}

// escalate notes every share of the deadline that has passed. The version is
// the condition: of two sweeps one notes it, and a person who acts meanwhile
// wins over both.
func escalate(ctx context.Context, d Deps, item table.Item, now time.Time) (bool, error) {
	a, err := application.Decode(item)
	if err != nil {
		return false, err
	}
	due := passed(a.Deadline, now)
	if due == 0 {
		return false, nil
	}
	next, err := a.Escalate(due)
	if err != nil {
		return false, err
	}
	e := next.Event("escalated", actor, now)
	e.Facts = event.Facts{"percent": due, "deadline": a.Deadline.Kind}
	writes, err := next.Writes(e)
	if err != nil {
		return false, err
	}
	if err := d.Table.Transact(ctx, writes...); err != nil {
		if _, moved := errors.AsType[*table.ConditionError](err); moved {
			return false, nil
		}
		return false, err
	}
	d.Metrics.Count("deadline_escalated", 1, telemetry.Label{Name: "kind", Value: a.Deadline.Kind})
	if due == 100 {
		d.Metrics.Count("deadline_missed", 1, telemetry.Label{Name: "kind", Value: a.Deadline.Kind})
	}
	return true, nil
}

// passed is the highest share of the deadline that has passed and was not told
// yet, in percent; 0 for none.
func passed(d application.Deadline, now time.Time) int {
	before := d.Told
	for {
		at, percent, ok := d.Next()
		if !ok || at.After(now) {
			break
		}
		d.Told = percent
	}
	if d.Told == before {
		return 0
	}
	return d.Told
}
