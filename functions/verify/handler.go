// Package verify asks the registers about the people of an accepted application,
// all at once, keeps each answer as it arrives, and writes down what they mean.
// It runs when a message says so or when the sweeper finds an application whose
// verification is owed; twice, late or beside itself it does no harm. It refuses
// nobody: whatever is in the way becomes a hold with an owner.
package verify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/verification"
	"github.com/doudi-aid/doudi/shared/work"
)

// Registers answer questions; *exchange.Client is one.
type Registers interface {
	Sources() []exchange.Source
	Ask(ctx context.Context, q exchange.Question) exchange.Answer
}

// Deps is everything this function needs from the world.
type Deps struct {
	Table     table.Store
	Box       *seal.Box
	Blind     *seal.Blind
	Book      *policy.Book
	Registers Registers
	Now       func() time.Time
	Log       *slog.Logger
	// Kin lists staff who have declared one of people, given by their references
	// under every live blind key, as near relative; nil asks the register alone.
	// Whoever decides is asked again in any case.
	Kin func(ctx context.Context, people []string) (staff []string, err error)
	// Release pays at once what a standing approval covers, and tells whether it
	// did; nil leaves every case to two people. It is asked after the findings are
	// written, and again if the message comes again.
	Release func(ctx context.Context, id string) (bool, error)
	// Models are those that are run over what the registers said; nil runs none.
	Models *model.Set
	Tree   *division.Tree
	// Later asks again for what registers have not answered; nil leaves that to
	// people.
	Later queue.Sender
	// AtOnce bounds the questions under way at one time; 0 for the usual. With 1 the
	// same happens in the same order every time.
	AtOnce int
}

// Budget bounds one run, all registers together. What has not answered by then
// counts as unavailable.
const Budget = 25 * time.Second

// Again is how long after a run without all answers the next one comes, and
// Patience how long after acceptance they stop.
const (
	Again    = 10 * time.Minute
	Patience = 72 * time.Hour
)

// atOnce is how many questions are under way at one time where nobody says more.
const atOnce = 16

// tries bounds how often a run starts again because the application moved.
const tries = 4

var actor = event.Actor{Kind: event.System, ID: "verify"}

// Handle verifies one application.
func Handle(d Deps) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		msg, err := work.Decode(m.Body)
		if err != nil {
			return err
		}
		item, ok, err := d.Table.Get(ctx, msg.Key())
		if err != nil || !ok || !application.Is(msg.Key()) {
			return err
		}
		a, err := application.Decode(item)
		if err != nil {
			return err
		}
		open, err := d.run(ctx, a.ID)
		if err != nil {
			return err
		}
		if open && d.Later != nil && d.Now().Before(a.AcceptedAt.Add(Patience)) {
			// When this is lost nothing is: the case is in people's hands.
			if err := d.Later.Send(ctx, string(work.Verify), m.Body, Again); err != nil {
				d.Log.InfoContext(ctx, "not asked again", "application", a.ID)
			}
		}
		return nil
	}
}

// run asks what is missing and writes down what it means. open tells that some
// register has still to answer.
func (d Deps) run(ctx context.Context, id string) (open bool, err error) {
	for range tries {
		c, err := d.load(ctx, id)
		if err != nil {
			return false, err
		}
		if c.State == application.Refused || c.State == application.Withdrawn {
			return false, nil
		}
		if err := d.ask(ctx, &c); err != nil {
			return false, err
		}
		// By what was weighed, not by who asked: an answer kept by a run that died,
		// or that another was quicker than, is news until it is on the record.
		news := c.Checks.Heard() != c.Heard
		var r verification.Result
		switch {
		case c.State == application.Accepted, c.State == application.Verified && news:
			r, err = d.find(ctx, c)
		case news:
			r, err = d.late(ctx, c)
		default:
			r, err = d.weigh(ctx, c)
		}
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return false, err
		}
		return len(r.Open) > 0, d.release(ctx, id)
	}
	return false, errMoved
}

// load reads everything about one application.
func (d Deps) load(ctx context.Context, id string) (c verification.Case, err error) {
	if c.Application, err = application.Get(ctx, d.Table, id); err != nil {
		return c, err
	}
	if c.Particulars, _, err = application.OpenParticulars(ctx, d.Table, d.Box, id); err != nil {
		return c, err
	}
	if c.Consents, err = application.Consents(ctx, d.Table, id); err != nil {
		return c, err
	}
	c.Checks, err = verification.Load(ctx, d.Table, d.Box, id)
	return c, err
}

func (d Deps) sources() []verification.Source {
	var all []verification.Source
	for _, s := range d.Registers.Sources() {
		all = append(all, verification.Source{ID: s.ID, Basis: s.LegalBasis, Causes: s.Causes,
			Regions: s.Regions, After: verification.After(s.OnlyAfter)})
	}
	return all
}

// ask makes every lookup that is missing and keeps each answer as it arrives: if
// we die halfway, the next run asks only for the rest, under the same numbers. The
// second round is for registers that an answer of the first opened.
func (d Deps) ask(ctx context.Context, c *verification.Case) error {
	ctx, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	asked := map[table.Key]bool{}
	for range 2 {
		questions := slices.DeleteFunc(c.Questions(d.Blind, d.sources(), d.Now()), func(q verification.Question) bool {
			return asked[verification.Key(c.ID, q.Person, q.Source)]
		})
		if len(questions) == 0 {
			return nil
		}
		for _, q := range questions {
			asked[verification.Key(c.ID, q.Person, q.Source)] = true
		}
		if err := d.askAll(ctx, c, questions); err != nil {
			return err
		}
	}
	return nil
}

// askAll asks questions side by side and reads what is kept then.
func (d Deps) askAll(ctx context.Context, c *verification.Case, questions []verification.Question) error {
	// No question stops another: a store that fails for one answer is asked to
	// keep the rest, so the group has no context of its own.
	var group errgroup.Group
	group.SetLimit(cmp.Or(d.AtOnce, atOnce))
	for _, q := range questions {
		group.Go(func() error {
			got := d.Registers.Ask(ctx, exchange.Question{Source: q.Source, Case: q.Case, LegalBasis: q.Basis, Consent: q.Consent,
				Operator: "doudi/" + actor.ID, Name: q.Name, ID: q.ID, Number: q.Number})
			check := q.Answered(policy.CheckOutcome(got.Outcome), got.Facts, got.FetchedAt, got.ValidUntil, got.Evidence, got.Why)
			err := check.Keep(context.WithoutCancel(ctx), d.Table, d.Box, c.ID)
			if _, moved := errors.AsType[*table.ConditionError](err); moved {
				return nil // another run was quicker, and its answer is as good
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// Read again rather than remembered: another run may have kept other answers.
	var err error
	c.Checks, err = verification.Load(context.WithoutCancel(ctx), d.Table, d.Box, c.ID)
	return err
}

// weigh works out what the answers mean.
func (d Deps) weigh(ctx context.Context, c verification.Case) (verification.Result, error) {
	rules, err := d.Book.Rules(c.Township, calendar.Today(c.AcceptedAt))
	if err != nil {
		return verification.Result{}, err
	}
	var known verification.Known
	byHousehold := rules.Frequency().ByHousehold
	had, err := award.Read(ctx, d.Table, c.Particulars.Counted(d.Blind, c.ID, byHousehold), byHousehold)
	if err != nil {
		return verification.Result{}, err
	}
	known.Earlier = had.Earlier
	if d.Kin != nil {
		if known.Kin, err = d.Kin(ctx, c.PeopleRefs(d.Blind, c.Particulars)); err != nil {
			return verification.Result{}, err
		}
	}
	return c.Weigh(d.Blind, d.sources(), rules, known, actor, d.Now())
}

// find writes the findings down. The application must be as it was when the
// questions were made: with other people or another account they mean nothing.
func (d Deps) find(ctx context.Context, c verification.Case) (verification.Result, error) {
	r, err := d.weigh(ctx, c)
	if err != nil {
		return r, err
	}
	_, err = application.Change(ctx, d.Table, c.ID, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		if a.Version != c.Version {
			return application.Step[struct{}]{}, errMoved
		}
		n, err := a.WithFindings(r.Findings, r.Holds)
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		a.Findings = &r.Findings
		found, writes, err := d.inspect(ctx, c, a, r.Holds)
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		n = found.Held(n)
		n.Heard = c.Checks.Heard()
		e := n.Event("verified", actor, r.Findings.At)
		e.Rules, e.Facts = r.Findings.Rules, maps.Clone(r.Facts)
		e.Facts["placed"] = application.Codes(n.Holds[len(a.Holds):]) // a hold that somebody lifted before is not placed again
		return application.Step[struct{}]{Next: n, Event: found.Tell(e), Also: writes}, nil
	})
	return r, err
}

// late puts answers that came after an officer acted on the record. What was
// decided stands; somebody looks at what is new when the explanation is written.
// Only a death or an identity that does not fit stops money that is still here.
func (d Deps) late(ctx context.Context, c verification.Case) (verification.Result, error) {
	r, err := d.weigh(ctx, c)
	if err != nil {
		return r, err
	}
	_, err = application.Change(ctx, d.Table, c.ID, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		if a.Version != c.Version {
			return application.Step[struct{}]{}, errMoved
		}
		n, err := a.Note()
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		n.Heard = c.Checks.Heard()
		var coming []application.Hold
		for _, h := range r.Holds {
			if a.Open() && (h.Code == policy.HoldDeathRecord || h.Code == policy.HoldIdentityMismatch) && !application.LookedAt(a.Holds, h.Code) {
				n, coming = n.WithHold(h), append(coming, h)
			}
		}
		found, writes, err := d.inspect(ctx, c, a, coming)
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		if a.Open() {
			n = found.Held(n)
		}
		e := n.Event("answered_late", actor, r.Findings.At)
		e.Rules = r.Findings.Rules
		placed := n.Holds[len(a.Holds):]
		e.Facts = event.Facts{"sources": r.Facts["sources"], "trace": r.Facts["trace"], "held": len(placed) > 0, "placed": application.Codes(placed)}
		return application.Step[struct{}]{Next: n, Event: found.Tell(e), Also: writes}, nil
	})
	return r, err
}

// inspect runs the models over what the registers said of c, as a says it stands,
// and gives what goes with the change that says so. What cases share is looked at
// by whoever decides.
func (d Deps) inspect(ctx context.Context, c verification.Case, a application.Application, coming []application.Hold) (inspection.Result, []table.Write, error) {
	desk := inspection.Desk{Table: d.Table, Box: d.Box, Blind: d.Blind, Models: d.Models, Tree: d.Tree}
	scene := inspection.Scene{App: a, Particulars: &c.Particulars, Checks: c.Checks, Coming: coming, RegistersOnly: true, By: actor, At: d.Now()}
	found, err := desk.Inspect(ctx, scene)
	if err != nil {
		return found, nil, err
	}
	writes, err := found.Writes(ctx, d.Table)
	return found, writes, err
}

// release lets a standing approval pay. If we die before it, people decide, or
// the message comes again.
func (d Deps) release(ctx context.Context, id string) error {
	if d.Release == nil {
		return nil
	}
	released, err := d.Release(ctx, id)
	if released {
		d.Log.InfoContext(ctx, "released under a standing approval", "application", id)
	}
	return err
}
