package decide

import (
	"context"
	"errors"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Approving restates what is approved, so that nobody approves what they have
// not seen.
type Approving struct {
	ProposalVersion int64     `json:"proposal_version" api:"required,min=1"`
	AmountFen       money.Fen `json:"amount_fen" api:"required,min=1"`
}

// ApprovedOut is the decision.
type ApprovedOut struct {
	Noted
	Award     string    `json:"award"`
	AmountFen money.Fen `json:"amount_fen"`
	Rail      string    `json:"rail"`
	Article   string    `json:"article"`
	Explain   Deadline  `json:"explain"`
	// Held: a model holds the money. The decision stands; it is paid when somebody
	// has looked. Findings say why.
	Held     bool         `json:"held"`
	Findings []FindingOut `json:"findings"`
}

// approve makes the award. Everything it rests on is weighed again at this
// moment and is a condition of one transaction: that the application, its people,
// its payee and its holds are as they were read; that the approver is still in
// office, here, and still declares the same kin; that nobody had the award of
// this year; that the account is nobody else's; that the money is there; that what
// had to be posted was, and nobody objects to it. If we die before it, nothing
// happened; after it, the payout stands in the due index.
func approve(ctx context.Context, d Deps, call httpapi.Call[Approving]) (httpapi.Reply[ApprovedOut], error) {
	second := func(_ context.Context, a application.Application, r *staff.Request) error {
		if a.Proposal != nil {
			r.Authority = a.Proposal.Authority
			r.Earlier = []string{a.Proposal.By.ID, a.Proposal.By.Person}
		}
		return nil
	}
	reply, err := act(ctx, d, call.Request, wish{staff.Approve, second}, func(k desk) (application.Step[ApprovedOut], error) {
		var none application.Step[ApprovedOut]
		p := k.app.Proposal
		if call.Body.ProposalVersion != k.app.Version || call.Body.AmountFen != p.AmountFen {
			return none, ErrStale
		}
		c, err := d.office().Open(ctx, k.app)
		if err != nil {
			return none, err
		}
		if err := still(c, *p); err != nil {
			return none, err
		}
		posted, err := disclosure.Passed(ctx, d.Table, k.app, k.at)
		if err != nil {
			return none, err
		}
		found, err := d.office().Inspect(ctx, c, k.actor(), inspector, k.at)
		if err != nil {
			return none, err
		}
		g, err := d.office().Grant(ctx, c, firstaid.Decision{Proposal: *p, Proposer: p.By, Approver: k.actor(), At: k.at})
		if errors.Is(err, award.ErrOnce) {
			return none, ErrOnce
		}
		if err != nil {
			return none, err
		}
		next, err := k.app.Approve(application.Award{ID: g.Award.ID, AmountFen: g.Award.AmountFen, By: k.actor(), At: k.at}, g.Explain)
		if err != nil {
			return none, err
		}
		next = found.Held(next)
		also, err := inspected(ctx, d, found)
		if err != nil {
			return none, err
		}
		e := k.event(next, "approved", event.Facts{"award": g.Award.ID, "amount_fen": g.Award.AmountFen, "rail": p.Rail,
			"article": g.Award.Article, "proposal": k.app.Version, "proposed_by": p.By.ID, "exception": g.Award.Exception,
			"explain_due": clock(g.Explain.At)})
		e.Rules, e.Reason = p.Rules, g.Award.Exception
		out := ApprovedOut{noted(next), g.Award.ID, g.Award.AmountFen, p.Rail, g.Award.Article, deadline(next.Deadline, k.at),
			found.Holds(), d.findingsOut(found.Found)}
		return application.Step[ApprovedOut]{Next: next, Event: found.Tell(e), Also: slices.Concat(g.Writes, also, posted), Out: out,
			Lost: func(failed *table.ConditionError) error { return broke(payout.Refusal(failed, g.Award, k.at)) }}, nil
	})
	if errors.Is(err, award.ErrPayeeTaken) {
		// Nobody else's money goes to this account (X027); that it was tried is put on
		// record, and somebody has to look.
		if _, failed := d.office().Inspection().Again(ctx, call.Path("id"), inspector, d.Now()); failed != nil {
			return reply, failed
		}
	}
	return reply, err
}

// still reports what has changed since p was made that makes it another
// question: other rules, a new limit, a higher authority.
func still(c firstaid.Case, p application.Proposal) error {
	o := c.Weigh(p.AmountFen, p.Months)
	missing := unlifted(o, p.Exception)
	switch {
	case slices.Contains(missing, policy.SameCauseRepeat):
		return ErrOnce
	case len(missing) > 0 || o.Rules != p.Rules || o.AmountFen != p.AmountFen || authority(o, p.Exception) != p.Authority ||
		len(c.Insuperable(o)) > 0:
		return ErrReopen
	}
	return nil
}

// broke names the fund's refusals for the people who approve.
func broke(err error) error {
	if errors.Is(err, fund.ErrShort) || errors.Is(err, fund.ErrMissing) {
		return ErrFundEmpty.Because(err)
	}
	return err
}
