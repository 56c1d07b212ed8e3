// Package sweep finishes everything. It re-derives all owed work from the due
// index and sends it again, so that the system comes right with every queue
// message lost; and it watches the legal deadlines, telling the people further
// up at 50, 80 and 100 percent, and giving those that waited for the year's
// holidays their date once it is announced. It decides nothing: a deadline that passes
// refuses nobody, it only becomes more visible.
package sweep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table table.Store
	Book  *policy.Book
	// Complaints are the rules of complaints, by which provisional dates are settled.
	Complaints *complaint.Book
	Send       queue.Sender
	// Watch says what is reconciled here; the zero value is nothing.
	Watch   Watch
	Now     func() time.Time
	Metrics telemetry.Metrics
	Log     *slog.Logger
}

// Report is what one sweep found.
type Report struct {
	Sent      map[work.Queue]int // messages sent, by queue
	Settled   int                // provisional deadlines that got their date
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
	if len(failed) == 0 {
		d.Metrics.Count("sweep_done", 1)
	}
	return r, errors.Join(failed...)
}

// Wake has the figures of supervision look into the evidence log, should every
// message have been lost that told them to.
func Wake(ctx context.Context, d Deps) error {
	return d.Send.Send(ctx, string(work.Oversee), work.Message{PK: "INDICATOR", SK: "FOLD"}.Encode(), 0)
}

func sweepShard(ctx context.Context, d Deps, shard string, grace time.Duration, r *Report) error {
	now := d.Now()
	q := table.Query{Index: table.ByDue, PK: shard, To: work.Stamp(now.Add(-grace)) + "#\U0010FFFF", Limit: 100}
	for item, err := range table.All(ctx, d.Table, q) {
		if err != nil {
			return err
		}
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
	return nil
}

func finish(ctx context.Context, d Deps, item table.Item, to work.Queue, now time.Time, r *Report) error {
	if application.Is(item.Key) {
		a, err := application.Decode(item)
		if err != nil {
			return err
		}
		a, settled, err := settle(ctx, d, a, now)
		if err != nil {
			return err
		}
		if settled {
			r.Settled++
		}
		told, err := escalate(ctx, d, a, now)
		if err != nil {
			return err
		}
		if told {
			r.Escalated++
		}
	}
	if reconciliation.IsBreak(item.Key) {
		if err := tellOfBreak(ctx, d, item, now, r); err != nil {
			return err
		}
	}
	if complaint.Is(item.Key) {
		told, err := tellOfComplaint(ctx, d, item, now)
		if err != nil {
			return err
		}
		if told {
			r.Escalated++
		}
	}
	if mandate.Is(item.Key) {
		told, err := remind(ctx, d, item, now)
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
	if err := d.Send.Send(telemetry.WithTrace(ctx, work.Trace(item)), string(to), work.Message{PK: item.Key.PK, SK: item.Key.SK}.Encode(), 0); err != nil {
		return err
	}
	r.Sent[to]++
	return nil
}

// settle puts the announced date in place of a provisional one, once the
// calendar that this program ships has every day on the way. The law's date
// counts, be it earlier or later than what was said before; both are in the event.
func settle(ctx context.Context, d Deps, a application.Application, now time.Time) (application.Application, bool, error) {
	if !a.Deadline.Provisional {
		return a, false, nil
	}
	due, ok := d.due(a)
	if !ok || due.Provisional {
		return a, false, nil
	}
	next, err := a.Reschedule(due.At, now)
	if err != nil {
		return a, false, err
	}
	e := next.Event("rescheduled", actor, now)
	e.Facts = event.Facts{"deadline": a.Deadline.Kind, "before": clock(a.Deadline.At), "at": clock(due.At), "basis": due.Basis}
	if moved, err := commit(ctx, d, next, e); moved || err != nil {
		return a, false, err
	}
	return next, true, nil
}

// due works the deadline of a out again, under the rules it was set by; ok is
// false when they are gone.
func (d Deps) due(a application.Application) (due calendar.Deadline, ok bool) {
	var rules *policy.Rules
	if a.Proposal != nil {
		rules, ok = d.Book.ByFingerprint(a.Proposal.Rules)
	}
	if !ok {
		var err error
		if rules, err = d.Book.Rules(a.Township, calendar.Today(a.AcceptedAt)); err != nil {
			return due, false
		}
	}
	if a.Deadline.Kind == application.ToExplain {
		return rules.ExplanationDue(a.Deadline.From), true
	}
	return rules.DecisionDue(a.Deadline.From), true
}

func clock(t time.Time) string { return t.In(calendar.Zone).Format(time.RFC3339) }

// commit stores next with its event. moved tells that somebody was quicker, and
// knows more.
func commit(ctx context.Context, d Deps, next application.Application, e event.Event) (moved bool, err error) {
	writes, err := next.Writes(e)
	if err != nil {
		return false, err
	}
	err = d.Table.Transact(ctx, writes...)
	if _, moved := errors.AsType[*table.ConditionError](err); moved {
		return true, nil
	}
	return false, err
}

// escalate notes every share of the deadline that has passed. The version is
// the condition: of two sweeps one notes it, and a person who acts meanwhile
// wins over both.
func escalate(ctx context.Context, d Deps, a application.Application, now time.Time) (bool, error) {
	due := a.Deadline.Passed(now)
	if due <= a.Deadline.Told {
		return false, nil
	}
	next, err := a.Escalate(due)
	if err != nil {
		return false, err
	}
	e := next.Event("escalated", actor, now)
	e.Facts = event.Facts{"percent": due, "deadline": a.Deadline.Kind}
	if moved, err := commit(ctx, d, next, e); moved || err != nil {
		return false, err
	}
	d.Metrics.Count("deadline_escalated", 1, telemetry.Label{Name: "kind", Value: a.Deadline.Kind})
	if due == 100 {
		d.Metrics.Count("deadline_missed", 1, telemetry.Label{Name: "kind", Value: a.Deadline.Kind})
	}
	return true, nil
}
