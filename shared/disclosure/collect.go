package disclosure

import (
	"context"
	"errors"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Books are where a ledger is read from.
type Books struct {
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Tree  *division.Tree
	// Office names the office of a division in public.
	Office func(civil.DivisionCode) string
}

// Collect reads what the ledgers of a county's townships hold of one year, and no
// edition in told tells of. The ledgers know every decision once, so nothing is
// searched for and nothing is left out.
func (b Books) Collect(ctx context.Context, county civil.DivisionCode, townships []civil.DivisionCode, year int, told []Edition) (Ledger, error) {
	l := Ledger{Appropriated: map[civil.DivisionCode]money.Fen{}}
	known := map[string]bool{}
	for _, e := range told {
		for _, key := range e.Keys {
			known[key] = true
		}
	}
	for _, township := range townships {
		for _, purpose := range fund.Purposes() {
			id := fund.ID{Fund: fund.Named(purpose, year), Township: township}
			entries, err := fund.Entries(ctx, b.Table, id)
			if err != nil {
				return l, err
			}
			for _, e := range entries {
				if err := b.take(ctx, &l, county, id, e, known); err != nil {
					return l, err
				}
			}
		}
	}
	return l, nil
}

// take adds one entry of a slice to l.
func (b Books) take(ctx context.Context, l *Ledger, county civil.DivisionCode, id fund.ID, e fund.Entry, known map[string]bool) error {
	claim, ok := e.Claim()
	if !ok {
		sum, err := l.Appropriated[id.Township].Add(e.Fen(fund.Available))
		l.Appropriated[id.Township] = sum
		return err
	}
	key := id.Fund + "/" + e.Cause
	decided := e.Kind == fund.Reservation && claim.Number == 1
	if known[key] || !decided && e.Kind != fund.Posted && e.Kind != fund.PostedLate && e.Kind != fund.CameBack && e.Kind != fund.GaveBack {
		return nil
	}
	a, err := application.Get(ctx, b.Table, claim.Application)
	if err != nil {
		return err
	}
	p, _, err := application.OpenParticulars(ctx, b.Table, b.Box, a.ID)
	if errors.Is(err, application.ErrNotFound) {
		return nil // erased: there is nobody any more to tell of
	}
	if err != nil {
		return err
	}
	f := Fact{Key: key, Person: p.Ref(b.Blind, a.ID, application.RoleSubject), Village: a.Place, Township: id.Township, County: county}
	if v, _ := b.Tree.TownshipOf(a.Place, calendar.Today(a.AcceptedAt)); v.Code != id.Township {
		f.Village = f.Township // lives elsewhere: told of where the money comes from
	}
	switch e.Kind {
	case fund.CameBack, fund.GaveBack:
		f.AmountFen = -e.Fen(fund.Returned)
		l.Returned = append(l.Returned, f)
		return nil
	case fund.Posted, fund.PostedLate:
		f.AmountFen = e.Fen(fund.Paid)
		l.Paid = append(l.Paid, f)
		return nil
	}
	if stopped(a) {
		return nil
	}
	m, err := payout.Get(ctx, b.Table, payout.Key(a.ID, claim.Award))
	if err != nil {
		return err
	}
	f.AmountFen = m.Award.AmountFen
	l.Decisions = append(l.Decisions, Decision{Fact: f, Application: a.ID, Name: Name(p, calendar.Today(m.Award.At)), Persons: m.Award.Persons, At: m.Award.At,
		Office: b.Office(id.Township), Not: deciders(m.Award)})
	return nil
}

// Stopped reports whether the decisions on a are not, or no longer, told of: the
// person is on record as dead, or the case ended otherwise.
func stopped(a application.Application) bool {
	dead := slices.ContainsFunc(a.Holds, func(h application.Hold) bool { return h.Code == policy.HoldDeathRecord && h.Lifted == nil })
	return dead || a.State == application.Withdrawn || a.State == application.Refused
}

// deciders are the accounts and persons who had part in a decision.
func deciders(a award.Award) []string {
	not := []string{}
	for _, who := range []event.Actor{a.Proposer, a.Approver} {
		for _, name := range []string{who.ID, who.Person} {
			if name != "" && !slices.Contains(not, name) {
				not = append(not, name)
			}
		}
	}
	return not
}

// Stopped is the first line of e whose case is stopped, and why; empty for none.
func Stopped(ctx context.Context, t table.Store, e Edition) (line, reason string, err error) {
	for _, s := range e.Sources {
		a, err := application.Get(ctx, t, s.Application)
		if err != nil {
			return "", "", err
		}
		if stopped(a) {
			return s.Line, "stopped", nil
		}
	}
	return "", "", nil
}
