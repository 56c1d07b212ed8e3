package sweep

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Watch is what is reconciled here, and when payments stop themselves.
type Watch struct {
	Sources reconciliation.Sources
	Regions []reconciliation.Region
	// BlindDays, Strangers and Budget: see reconciliation.Guard and Round; zero takes
	// the defaults.
	BlindDays int
	Strangers int
	Budget    int
}

func (w Watch) divisions() []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, r := range w.Regions {
		all = append(all, r.Divisions...)
	}
	return all
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

// Cohere holds ours against ours, opens a break for whatever does not agree, and
// stops payments where reconciliation is blind. It repairs nothing. It runs every
// minute; if it dies, the next one sees what this one saw.
func Cohere(ctx context.Context, d Deps) error {
	w := d.Watch
	if len(w.Regions) == 0 {
		return nil
	}
	round := reconciliation.Round{Table: d.Table, Divisions: w.divisions(), Rails: award.Rails(), Budget: cmp.Or(w.Budget, reconciliation.DefaultBudget), Now: d.Now}
	found, failed := round.Run(ctx)
	office := reconciliation.Office{Table: d.Table, Sources: w.Sources, Region: w.Regions[0].Code, Now: d.Now}
	opened, err := office.Mark(ctx, found.Flaws, actor)
	failed = errors.Join(failed, err)
	for _, b := range opened {
		d.Log.ErrorContext(ctx, "ours does not agree with ours", "rule", b.Rule, "row", b.Row, "break", b.ID)
	}
	for _, f := range found.Flaws {
		d.Log.WarnContext(ctx, "incoherent", "rule", f.Rule, "pk", f.Row.PK, "sk", f.Row.SK, "why", f.Why)
	}
	d.Metrics.Count("incoherent", int64(len(found.Flaws)))
	d.Metrics.Count("coherence_busy", int64(found.Busy))
	if found.Whole {
		d.Metrics.Age("coherence_round", d.Now().Sub(found.Since))
	}
	if failed == nil {
		d.Metrics.Count("coherence_done", 1)
	}
	return errors.Join(failed, guard(ctx, d))
}

// guard pulls and lifts the machine's own brakes.
func guard(ctx context.Context, d Deps) error {
	w := d.Watch
	g := reconciliation.Guard{Table: d.Table, Sources: w.Sources, Regions: w.Regions, BlindDays: cmp.Or(w.BlindDays, reconciliation.DefaultBlindDays),
		Strangers: cmp.Or(w.Strangers, reconciliation.DefaultStrangers), Now: d.Now}
	saw, err := g.Watch(ctx, actor)
	if err != nil {
		return err
	}
	for _, b := range saw.Pulled {
		d.Metrics.Count("reconciliation_stopped", 1, telemetry.Label{Name: "reason", Value: b.Reason})
		d.Log.ErrorContext(ctx, "payments stop themselves", "reason", b.Reason, "kind", string(b.Kind), "target", b.Target, "division", string(b.Division), "brake", b.ID)
	}
	for _, b := range saw.Lifted {
		d.Log.WarnContext(ctx, "payments go on by themselves", "reason", b.Reason, "brake", b.ID)
	}
	d.Metrics.Count("reconciliation_unstopped", int64(saw.Refused))
	blind := 0
	for _, days := range saw.Blind {
		blind = max(blind, days)
	}
	d.Metrics.Count("reconciliation_blind_days", int64(blind))
	for _, class := range reconciliation.Classes() {
		label := telemetry.Label{Name: "class", Value: string(class)}
		d.Metrics.Count("breaks", int64(saw.Open[class]), label)
		d.Metrics.Age("breaks_oldest", saw.Oldest[class], label)
	}
	return nil
}

// tellOfBreak notes how much of the time to close a break has passed, and makes an old
// one the supervisor's too. Of two sweeps one does, and a person who closes it
// meanwhile wins over both.
func tellOfBreak(ctx context.Context, d Deps, item table.Item, now time.Time, r *Report) error {
	b, err := reconciliation.DecodeBreak(item)
	if err != nil {
		return err
	}
	told, due := b.Tell(now)
	if !due {
		return nil
	}
	kind := "reminded"
	if !told.Told.IsZero() {
		kind = "escalated"
	}
	e := told.Event(kind, actor, now)
	e.Facts["percent"] = told.Reminded
	if err := reconciliation.Commit(ctx, d.Table, told, e); err != nil {
		if errors.Is(err, reconciliation.ErrMovedOn) {
			return nil
		}
		return err
	}
	r.Escalated++
	if told.Told.IsZero() {
		return nil
	}
	d.Metrics.Count("break_escalated", 1, telemetry.Label{Name: "class", Value: string(b.Class)})
	d.Log.WarnContext(ctx, "a break is old", "break", b.ID, "class", string(b.Class), "hours", int(b.Age(now)/time.Hour))
	return nil
}
