// Package firstaid is where an application, the rules and the money meet: it
// weighs an amount against the rules as they and the earlier awards stand at
// this moment, and turns a decision that people made into the writes of an
// award. It decides nothing, knows no HTTP and no caller, and what it writes is
// only ever part of the transaction that approves the application.
package firstaid

import (
	"context"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Article is what first-step aid is given under, as the citizen reads it.
const Article = "《社会救助法》第五十条"

// Office is what first aid works with.
type Office struct {
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Book  *policy.Book
	// Wallets reports whether a township pays into WeChat wallets; nil is nowhere.
	Wallets func(civil.DivisionCode) bool
	// Files reports whether a township pays in files (代发); nil is nowhere.
	Files func(civil.DivisionCode) bool
	// Models are those that are run before money is let go; nil runs none.
	Models *model.Set
	Tree   *division.Tree
}

// Inspection is the desk that runs the models.
func (o Office) Inspection() inspection.Desk {
	return inspection.Desk{Table: o.Table, Box: o.Box, Blind: o.Blind, Models: o.Models, Tree: o.Tree}
}

// Inspect runs the models over c at the moment of a decision that approver makes.
func (o Office) Inspect(ctx context.Context, c Case, approver, by event.Actor, at time.Time) (inspection.Result, error) {
	return o.Inspection().Inspect(ctx, inspection.Scene{App: c.Application, Particulars: &c.Particulars, Approver: approver, By: by, At: at})
}

// Case is an application with everything that first aid needs to know of it.
type Case struct {
	application.Application
	Particulars application.Particulars
	Rules       *policy.Rules
	had         award.History
}

// Open reads what first aid needs to know of a. Its findings must be there.
func (o Office) Open(ctx context.Context, a application.Application) (Case, error) {
	c := Case{Application: a}
	if a.Findings == nil {
		return c, application.ErrState
	}
	var err error
	if c.Rules, err = o.Book.Rules(a.Township, calendar.Today(a.AcceptedAt)); err != nil {
		return c, err
	}
	if c.Particulars, _, err = application.OpenParticulars(ctx, o.Table, o.Box, a.ID); err != nil {
		return c, err
	}
	byHousehold := c.Rules.Frequency().ByHousehold
	c.had, err = award.Read(ctx, o.Table, c.Particulars.Counted(o.Blind, a.ID, byHousehold), byHousehold)
	return c, err
}

// aliases is the subject's reference under the other live keys than the one the
// application knows.
func (c Case) aliases(blind *seal.Blind) []string {
	refs := application.PersonRefs(blind, c.Particulars.Subject.Paper, c.ID+"/"+application.RoleSubject)
	return slices.DeleteFunc(refs, func(r string) bool { return r == c.Subject })
}

// Facts is the case as rules see it, with an amount and months that somebody
// proposes; zero leaves them to the rules.
func (c Case) Facts(amount money.Fen, months int) policy.Facts {
	f := c.Findings
	return policy.Facts{Day: calendar.Today(c.AcceptedAt), Division: c.Township, Cause: c.Cause, Persons: f.Persons,
		Months: months, AmountFen: amount, Classes: f.Classes, Earlier: c.had.Earlier, Checks: f.Checks, KinOfStaff: len(f.Kin) > 0}
}

// Weigh is what the rules make of an amount, now.
func (c Case) Weigh(amount money.Fen, months int) policy.Outcome {
	return c.Rules.FirstAid(c.Facts(amount, months))
}

// Earlier reports whether those who are counted together have had an award before.
func (c Case) Earlier() bool { return len(c.had.Earlier) > 0 }

// Insuperable lists the holds of o that stand in the way of any decision on c:
// those that were never placed on the application, so that nobody has looked at
// them, and an amount that first-step aid can never have.
func (c Case) Insuperable(o policy.Outcome) []policy.HoldReason {
	return slices.DeleteFunc(slices.Clone(o.Holds), func(h policy.HoldReason) bool {
		return application.LookedAt(c.Holds, h.Code) && h.Code != policy.HoldOverCodeCeiling
	})
}

// Wallet reports whether c may be paid into a WeChat wallet: where that is switched
// on, and only when the person helped applied by themselves, because the wallet is
// that of whoever applied.
func (o Office) Wallet(c Case) bool {
	return o.Wallets != nil && o.Wallets(c.Township) && c.Particulars.Applicant == nil && c.Account != ""
}

// Filed reports whether c may be paid in a file with others.
func (o Office) Filed(c Case) bool { return o.Files != nil && o.Files(c.Township) }

// Decision is who decided to pay what. Either two people, or an envelope that
// two people approved beforehand.
type Decision struct {
	Proposal           application.Proposal
	Proposer, Approver event.Actor
	Envelope           string
	At                 time.Time
}

// AwardID is the id of the only award that first-step aid makes.
const AwardID = "01"

// Granted is the award of a decision, what must be written for it beside the
// application, and when the explanation is due.
type Granted struct {
	Award   award.Award
	Writes  []table.Write
	Explain application.Deadline
}

// Grant makes the award of d. Faults are those of payout.Grant, and ErrPayee. That
// nobody who is counted together had another award since c was opened is a condition.
func (o Office) Grant(ctx context.Context, c Case, d Decision) (Granted, error) {
	p := d.Proposal
	a := award.Award{ID: AwardID, Application: c.ID, Kind: award.FirstAid, AmountFen: p.AmountFen, Persons: p.Persons, Months: p.Months,
		Cause: c.Cause, Year: calendar.Today(d.At).Year(), Subject: c.Subject, Subjects: c.aliases(o.Blind), Rail: award.Rail(p.Rail),
		Township: c.Township, Proposer: d.Proposer, Approver: d.Approver, Envelope: d.Envelope, Rules: p.Rules,
		Article: Article, At: d.At, Trace: c.Trace}
	if len(p.Exception) > 0 {
		a.Exception = p.Exception[0]
	}
	var payee table.Item
	switch a.Rail {
	case award.Bank, award.BankBatch:
		if a.Rail.InFiles() && !o.Filed(c) {
			return Granted{}, ErrNoFiles
		}
		a.Fund = fund.Named(fund.Relief, a.Year)
		if c.Particulars.Account.Empty() {
			return Granted{}, ErrNoAccount
		}
		refs := application.AccountRefs(o.Blind, c.Particulars.Account)
		if !slices.Contains(refs, c.Payee) || c.Payee != p.Payee {
			return Granted{}, ErrPayee
		}
		a.Payee, a.Payees = c.Payee, slices.DeleteFunc(refs, func(r string) bool { return r == c.Payee })
		if h := c.Particulars.Holder; h != "" && h != application.RoleSubject {
			a.Holder = c.Ref(o.Blind, c.Particulars, h)
		}
		var err error
		to := payout.Payee{Name: c.Particulars.Payee().Name, Account: c.Particulars.Account}
		if payee, err = to.Seal(ctx, o.Box, c.ID, a.ID, 1); err != nil {
			return Granted{}, err
		}
	case award.WxPay:
		a.Fund = fund.Named(fund.Relief, a.Year)
		if !o.Wallet(c) {
			return Granted{}, ErrNoWallet
		}
		owner, err := account.Get(ctx, o.Table, c.Account)
		if err != nil {
			return Granted{}, err
		}
		openID, err := owner.Address(ctx, o.Box)
		if err != nil {
			return Granted{}, err
		}
		a.Payee = c.Account // already a keyed reference, of the person in the mini-program
		to := payout.Payee{Name: c.Particulars.Subject.Name, OpenID: openID}
		if payee, err = to.Seal(ctx, o.Box, c.ID, a.ID, 1); err != nil {
			return Granted{}, err
		}
	case award.ReserveCash:
		a.Fund = fund.Named(fund.Reserve, a.Year)
	}
	writes, err := payout.Grant(ctx, o.Table, a, payee)
	if err != nil {
		return Granted{}, err
	}
	once, err := c.had.Writes(a)
	if err != nil {
		return Granted{}, err
	}
	writes = append(writes, once...)
	due := c.Rules.ExplanationDue(d.At)
	return Granted{a, writes, application.Deadline{Kind: application.ToExplain, From: d.At, At: due.At, Provisional: due.Provisional}}, nil
}
