package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Watch is what is reconciled here.
type Watch struct {
	Sources reconciliation.Sources
}

// Reconcile owes the statements that are to be had by now: the sweep itself sends
// them to be fetched.
func Reconcile(ctx context.Context, d Deps) error {
	var failed []error
	for _, s := range d.Watch.Sources {
		if _, err := reconciliation.WantAll(ctx, d.Table, s, actor, d.Now()); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// tellSupervisor makes an old break the supervisor's too. Of two sweeps one does,
// and a person who closes it meanwhile wins over both.
func tellSupervisor(ctx context.Context, d Deps, item table.Item, now time.Time, r *Report) error {
	b, err := reconciliation.DecodeBreak(item)
	if err != nil {
		return err
	}
	told, due := b.Tell(now)
	if !due {
		return nil
	}
	e := told.Event("escalated", actor, now)
	if err := reconciliation.Commit(ctx, d.Table, told, e); err != nil {
		if errors.Is(err, reconciliation.ErrMovedOn) {
			return nil
		}
		return err
	}
	r.Escalated++
	d.Metrics.Count("break_escalated", 1, telemetry.Label{Name: "class", Value: string(b.Class)})
	d.Log.WarnContext(ctx, "a break is old", "break", b.ID, "class", string(b.Class), "hours", int(b.Age(now)/time.Hour))
	return nil
}
