package disclose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
)

// Run does what is due in every county: editions whose hash is in the log go
// public, lines of cases that ended are taken down, and once a day what waits to be
// posted and what is new are made editions. It may run twice at once and die
// anywhere: every step is one transaction on the version that was read, and what is
// not done is found again. One county that fails keeps no other from it.
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
	if year == calendar.Today(now).Year() {
		posted, err := d.post(ctx, county, told, now)
		if err != nil {
			return err
		}
		if posted != nil {
			told = append(told, *posted)
		}
	}
	decided := func(e disclosure.Edition) bool { return e.Rule == nil }
	if made(told, decided, now) {
		return nil
	}
	return d.make(ctx, county, year, told, now)
}

// made reports whether the last edition of a kind was made on the day of now.
func made(told []disclosure.Edition, kind func(disclosure.Edition) bool, now time.Time) bool {
	for _, e := range slices.Backward(told) {
		if kind(e) {
			return calendar.Today(e.Made) == calendar.Today(now)
		}
	}
	return false
}

// post makes the edition that posts what waits for it, once a day so that people
// are told of together, and oftener while more waits than one edition holds.
func (d Deps) post(ctx context.Context, county civil.DivisionCode, told []disclosure.Edition, now time.Time) (*disclosure.Edition, error) {
	var asked []disclosure.Posting
	for _, year := range years(now) {
		waiting, err := disclosure.Waiting(ctx, d.Table, county, year)
		if err != nil {
			return nil, err
		}
		asked = append(asked, waiting...)
	}
	posted := func(e disclosure.Edition) bool { return e.Rule != nil }
	if len(asked) == 0 || len(asked) < disclosure.MaxPosted && made(told, posted, now) {
		return nil, nil
	}
	rules, err := d.Book.Rules(county, calendar.Today(now))
	if err != nil {
		return nil, err
	}
	posting, place := rules.Publicity(), d.place(now)
	books := disclosure.Books{Table: d.Table, Box: d.Box, Blind: d.Blind, Tree: d.Tree, Office: place}
	h := disclosure.Heading{County: county, Year: calendar.Today(now).Year(), At: now, LeastCell: posting.LeastCell, Named: posting.NameEmergency, Place: place}
	round, err := books.Post(ctx, h, asked, len(told))
	if err != nil {
		return nil, err
	}
	e := round.Edition
	if e.ID == "" {
		return nil, quicker(table.Commit(ctx, d.Table, disclosure.ErrMovedOn, round.Also...))
	}
	d.Metrics.Count("disclosure_made", 1)
	err = disclosure.Prepare(ctx, d.Table, e, e.Event("prepared", disclosure.System, now), round.Also...)
	if err != nil {
		return nil, quicker(err)
	}
	return &e, nil
}

// stand brings one edition to where it should be, and reports whether it waits for
// the log.
func (d Deps) stand(ctx context.Context, e disclosure.Edition) (waits bool, err error) {
	now := d.Now()
	switch {
	case e.State == disclosure.Prepared && e.Late(now):
		next, err := e.Redate(now)
		if err != nil {
			return true, err
		}
		return true, quicker(disclosure.Commit(ctx, d.Table, next, next.Event("redated", disclosure.System, now)))
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
