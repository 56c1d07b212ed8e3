package disclose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Run does what is due in every county: editions whose hash is in the log go
// public, lines of cases that ended are taken down, and once a day what is new is
// made an edition. It may run twice at once and die anywhere: every step is one
// transaction on the version that was read, and what is not done is found again.
// One county that fails keeps no other from it.
func Run(ctx context.Context, d Deps) error {
	var failed []error
	for _, county := range d.counties(d.Now()) {
		for _, year := range years(d.Now()) {
			if err := d.due(ctx, county, year); err != nil {
				d.Log.ErrorContext(ctx, "disclosure", "county", string(county), "err", err)
				failed = append(failed, fmt.Errorf("%s: %w", county, err))
			}
		}
	}
	d.Metrics.Count("disclosure_failed", int64(len(failed)))
	if len(failed) == 0 {
		d.Metrics.Count("disclosure_done", 1)
	}
	return errors.Join(failed...)
}

func (d Deps) due(ctx context.Context, county civil.DivisionCode, year int) error {
	told, err := disclosure.List(ctx, d.Table, county, year)
	if err != nil {
		return err
	}
	for _, e := range told {
		waits, err := d.stand(ctx, e)
		if err != nil {
			return err
		}
		if waits {
			break // in order: the rows of one edition are those of all before it
		}
	}
	now := d.Now()
	if n := len(told); n > 0 && calendar.Today(told[n-1].Made) == calendar.Today(now) {
		return nil
	}
	return d.make(ctx, county, year, told, now)
}

// stand brings one edition to where it should be, and reports whether it waits for
// the log.
func (d Deps) stand(ctx context.Context, e disclosure.Edition) (waits bool, err error) {
	now := d.Now()
	switch {
	case e.State == disclosure.Prepared:
		logged, err := d.Logged(ctx, event.Key(disclosure.Partition(e.County, e.Year), disclosure.Noun, e.ID, e.Version))
		if err != nil || !logged {
			return true, err
		}
		next, err := e.Publish(now)
		if err != nil {
			return true, err
		}
		return false, quicker(disclosure.Commit(ctx, d.Table, next, next.Event("published", disclosure.System, now)))
	case e.Public(now):
		line, reason, err := disclosure.Stopped(ctx, d.Table, e)
		if err != nil || line == "" {
			return false, err
		}
		next, err := e.TakeDown(line, reason, disclosure.System, now)
		if err != nil {
			return false, err
		}
		ev := next.Event("taken_down", disclosure.System, now)
		ev.Reason = reason
		return true, quicker(disclosure.Commit(ctx, d.Table, next, ev))
	}
	return false, nil
}

// quicker is nil when somebody else has just taken the step.
func quicker(err error) error {
	if errors.Is(err, disclosure.ErrMovedOn) {
		return nil
	}
	return err
}

// make makes the next edition, if there is something to tell.
func (d Deps) make(ctx context.Context, county civil.DivisionCode, year int, told []disclosure.Edition, now time.Time) error {
	rules, err := d.Book.Rules(county, calendar.Today(now))
	if errors.Is(err, policy.ErrNoRules) {
		return nil
	}
	if err != nil {
		return err
	}
	posting := rules.Publicity()
	if !posting.PostPublish {
		return nil
	}
	place := d.place(now)
	var townships []civil.DivisionCode
	for _, code := range d.Tree.Below(county, calendar.Today(now)) {
		if code.Level() == civil.TownshipLevel {
			townships = append(townships, code)
		}
	}
	books := disclosure.Books{Table: d.Table, Box: d.Box, Blind: d.Blind, Tree: d.Tree, Office: place}
	ledger, err := books.Collect(ctx, county, townships, year, told)
	if err != nil {
		return err
	}
	h := disclosure.Heading{Kind: disclosure.Decisions, Title: "社会救助决定公布", County: county, Year: year, At: now, Days: posting.PostDays,
		LeastCell: posting.LeastCell, Named: posting.NameEmergency, Place: place}
	if posting.PreDays > 0 && !posting.SkipIfEmergency {
		// The money has gone already (Law art. 50); what the region wants posted is
		// open for objections as long as it says.
		h.Kind, h.Title, h.Days = disclosure.Consultation, "社会救助公示", max(posting.PostDays, posting.PreDays)
	}
	e, ok, err := disclosure.Make(h, ledger, told)
	if err != nil || !ok {
		return err
	}
	d.Metrics.Count("disclosure_made", 1)
	return quicker(disclosure.Prepare(ctx, d.Table, e, e.Event("prepared", disclosure.System, now)))
}
