package envelope

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun of one release in events.
const releaseNoun = "release"

// Release pays first-step aid on an application that has just been verified, if
// an envelope of its township covers it; ok tells whether. Not covered is the
// ordinary path and no error. It is one transaction, and doing it again finds
// the application moved: if we die before it, whoever drives verification does
// it again or two people decide; after it, the payout stands in the due index.
//
// It leaves a task for the next working day, on which somebody looks at it.
func Release(ctx context.Context, o firstaid.Office, cal *calendar.Calendar, id string, now time.Time) (ok bool, err error) {
	for range tries {
		a, err := application.Get(ctx, o.Table, id)
		if err != nil {
			return false, err
		}
		writes, ok, err := plan(ctx, o, cal, a, now)
		if err != nil || len(writes) == 0 {
			return false, err
		}
		err = o.Table.Transact(ctx, writes...)
		if err == nil {
			return ok, nil
		}
		if _, moved := errors.AsType[*table.ConditionError](err); !moved {
			return false, err
		}
	}
	return false, nil // so busy that people had better look
}

// tries bounds how often a release starts again because something moved.
const tries = 3

// plan is everything that a release of a writes, or ok false when no envelope
// covers it; what a model holds is written down instead, and people decide. Anything at all that calls a person is outside every envelope: a
// hold, open or lifted; a finding that is not clear; kin; an earlier award; an
// exception; anybody but the applicant's own household asking.
func plan(ctx context.Context, o firstaid.Office, cal *calendar.Calendar, a application.Application, now time.Time) (writes []table.Write, ok bool, err error) {
	if !application.May(a.State, "released") || a.Findings == nil || len(a.Holds) > 0 || len(a.Findings.Kin) > 0 || a.Relation.Agent() {
		return nil, false, nil
	}
	envelopes, err := List(ctx, o.Table, a.Township)
	if err != nil || !slices.ContainsFunc(envelopes, func(e Envelope) bool { return e.Running(now) }) {
		return nil, false, err
	}
	c, err := o.Open(ctx, a)
	if err != nil {
		return nil, false, err
	}
	limits, on := c.Rules.StandingApproval()
	outcome := c.Weigh(0, 0)
	if !on || c.Earlier() || a.Payee == "" || outcome.Rules != a.Findings.Rules || outcome.AmountFen != a.Findings.AmountFen ||
		!limits.Covers(c.Facts(0, 0), outcome) {
		return nil, false, nil
	}
	board, err := brake.Read(ctx, o.Table, a.ID)
	if err != nil {
		return nil, false, err
	}
	for _, e := range envelopes {
		// What is braked goes the ordinary way, where people see that it is. So does
		// what an officer who is stopped once approved beforehand.
		if e.Approved == nil || board.Stopped(brake.Payment{Township: a.Township, Programme: award.FirstAid, Rail: award.Bank,
			People: []event.Actor{e.Asked, *e.Approved}}, now) != nil {
			continue
		}
		if !e.Running(now) || !e.covers(a, outcome.AmountFen, outcome.Persons) {
			continue
		}
		checks, clear, err := e.unconcerned(ctx, o, a)
		if err != nil {
			return nil, false, err
		}
		if clear {
			by := event.Actor{Kind: event.System, ID: "envelope#" + e.ID}
			found, err := o.Inspect(ctx, c, *e.Approved, by, now)
			if err != nil {
				return nil, false, err
			}
			writes, ok, err := e.release(ctx, o, cal, c, found, by, outcome.AmountFen, outcome.Months, now)
			if err != nil || !ok {
				return writes, false, err
			}
			return append(append(writes, checks...), board.Check()), true, nil
		}
	}
	return nil, false, nil
}

// unconcerned reports whether neither of the two who approved e is, lives with
// or is declared kin of anybody in a, with the conditions that keep this true. An
// envelope must not do for them what they could not do at their desks.
func (e Envelope) unconcerned(ctx context.Context, o firstaid.Office, a application.Application) (checks []table.Write, clear bool, err error) {
	for _, id := range []string{e.Asked.ID, e.Approved.ID} {
		s, err := staff.Get(ctx, o.Table, id)
		if err != nil {
			return nil, false, err
		}
		if s, err = s.Known(ctx, o.Box, o.Blind); err != nil {
			return nil, false, err
		}
		if s.Concerned(a) {
			return nil, false, nil
		}
		checks = append(checks, s.Check())
	}
	return checks, true, nil
}

// covers reports whether a case of that size fits into e.
func (e Envelope) covers(a application.Application, amount money.Fen, persons int) bool {
	most, err := e.PersonFen.Times(int64(persons))
	return err == nil && amount <= most && amount <= e.LeftFen && slices.Contains(a.Findings.Classes, e.Class)
}

// held is what is written when a model holds what e would have released.
func held(ctx context.Context, o firstaid.Office, c firstaid.Case, found inspection.Result, by event.Actor, now time.Time) ([]table.Write, error) {
	next, err := c.Note()
	if err != nil {
		return nil, err
	}
	next = found.Held(next)
	writes, err := next.Writes(found.Tell(next.Event("inspected", by, now)))
	if err != nil {
		return nil, err
	}
	more, err := found.Writes(ctx, o.Table)
	return append(writes, more...), err
}

func (e Envelope) release(ctx context.Context, o firstaid.Office, cal *calendar.Calendar, c firstaid.Case, found inspection.Result, by event.Actor, amount money.Fen, months int, now time.Time) ([]table.Write, bool, error) {
	if found.Holds() {
		writes, err := held(ctx, o, c, found, by, now)
		return writes, false, err
	}
	f := c.Findings
	p := application.Proposal{By: by, At: now, AmountFen: amount, Persons: f.Persons, Months: months, Rail: string(award.Bank),
		Authority: f.Authority, Payee: c.Payee, Rules: f.Rules}
	granted, err := o.Grant(ctx, c, firstaid.Decision{Proposal: p, Envelope: e.ID, At: now})
	if errors.Is(err, award.ErrOnce) || errors.Is(err, award.ErrPayeeTaken) || errors.Is(err, firstaid.ErrPayee) || errors.Is(err, firstaid.ErrNoAccount) {
		return nil, false, nil // a person must look
	}
	if err != nil {
		return nil, false, err
	}
	next, err := c.Release(application.Award{ID: granted.Award.ID, AmountFen: amount, By: by, At: now}, p, granted.Explain)
	if err != nil {
		return nil, false, nil
	}
	told := next.Event("released", by, now)
	told.Rules = f.Rules
	told.Facts = event.Facts{"award": granted.Award.ID, "amount_fen": amount, "article": firstaid.Article, "envelope": e.ID,
		"asked_by": e.Asked.ID, "approved_by": e.Approved.ID, "office": "常设审批", "explain_due": granted.Explain.At.Format(time.RFC3339)}
	writes, err := next.Writes(found.Tell(told))
	if err != nil {
		return nil, false, err
	}
	inspected, err := found.Writes(ctx, o.Table)
	if err != nil {
		return nil, false, err
	}
	decided, err := found.Decided()
	if err != nil {
		return nil, false, err
	}
	writes = append(append(writes, inspected...), decided...)
	moved, err := event.Event{PK: Partition(e.Township), Noun: releaseNoun, ID: e.ID + "#" + c.ID, Version: 1, Kind: "released", At: now, Actor: by,
		Facts: event.Facts{"application": c.ID, "award": granted.Award.ID, "amount_fen": amount}, Trace: c.Trace}.Write()
	if err != nil {
		return nil, false, err
	}
	review, err := newReview(e, next, granted.Award.ID, cal, now).put()
	if err != nil {
		return nil, false, err
	}
	writes = append(writes, granted.Writes...)
	return append(writes, moved, review,
		table.Move{Key: Key(e.Township, e.ID), Deltas: []table.Delta{{Counter: left, By: -int64(amount), Floor: 0}}}), true, nil
}

// Review is the second look that each release is owed on the next working day.
type Review struct {
	Application string             `json:"application"`
	Award       string             `json:"award"`
	Envelope    string             `json:"envelope"`
	Division    civil.DivisionCode `json:"division"`
	At          time.Time          `json:"at"`
	Due         time.Time          `json:"due"` // end of the next working day
	Provisional bool               `json:"provisional,omitempty"`
	Finding     string             `json:"finding,omitempty"` // "ok" or "problem", once somebody looked
	By          *event.Actor       `json:"by,omitempty"`
	Version     int64              `json:"-"`
}

const reviewPrefix = "REVIEW#"

// ReviewKey is where the review of an award is kept, beside its application.
func ReviewKey(applicationID, award string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: reviewPrefix + award}
}

// IsReview reports whether key is that of a review.
func IsReview(key table.Key) bool { return strings.HasPrefix(key.SK, reviewPrefix) }

func newReview(e Envelope, a application.Application, award string, cal *calendar.Calendar, now time.Time) Review {
	due := cal.AddWorkingDays(now, 1)
	return Review{Application: a.ID, Award: award, Envelope: e.ID, Division: a.Township, At: now, Due: due.At, Provisional: due.Provisional, Version: 1}
}

func (r Review) item() (table.Item, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return table.Item{}, fmt.Errorf("envelope: review: %w", err)
	}
	item := table.Item{Key: ReviewKey(r.Application, r.Award), Version: r.Version, Body: body}
	if r.By == nil {
		item.Places = []table.Place{{Index: table.ByWork, PK: application.WorkList(r.Division), SK: work.Stamp(r.Due)}}
	}
	return item, nil
}

func (r Review) put() (table.Write, error) {
	item, err := r.item()
	return table.Put{Item: item}, err
}

// Done is the write that ends r: somebody looked. It belongs into the
// transaction of the application's event that says what was found.
func (r Review) Done(finding string, by event.Actor) (table.Write, error) {
	if r.By != nil {
		return nil, ErrState
	}
	r.Finding, r.By, r.Version = finding, &by, r.Version+1
	item, err := r.item()
	return table.Replace{Item: item}, err
}

// GetReview reads the review of an award strongly.
func GetReview(ctx context.Context, t table.Store, applicationID, award string) (Review, error) {
	item, ok, err := t.Get(ctx, ReviewKey(applicationID, award))
	if err != nil {
		return Review{}, err
	}
	if !ok {
		return Review{}, ErrNotFound
	}
	return DecodeReview(item)
}

// DecodeReview reads a stored review.
func DecodeReview(item table.Item) (Review, error) {
	var r Review
	if err := json.Unmarshal(item.Body, &r); err != nil {
		return r, fmt.Errorf("envelope: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	r.Version = item.Version
	return r, nil
}
