package payout

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Grant are the writes that make an award: its payout with the event "granted",
// the money reserved, the markers that keep it from being made twice, and the
// sealed payee (Payee.Seal with reservation 1; the zero item for cash). They
// belong into the transaction that approves the application, and do not touch
// the application itself.
//
// Faults: award.ErrOnce, award.ErrPayeeTaken, award.ErrAmount. When the
// transaction then fails, Refusal says what that means.
func Grant(ctx context.Context, t table.Store, a award.Award, payee table.Item) ([]table.Write, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	p := New(a)
	item, err := p.item()
	if err != nil {
		return nil, err
	}
	by, second := a.Approver, a.Proposer
	if by.Kind == "" {
		by = event.Actor{Kind: event.System, ID: "envelope#" + a.Envelope}
	}
	e := p.event("granted", by, a.At)
	if a.Exception != "" {
		e.Reason = a.Exception
	}
	writes, err := e.With(item)
	if err != nil {
		return nil, err
	}
	people := []event.Actor{by}
	if second.Kind != "" {
		people = append(people, second)
	}
	reserved, err := fund.Take(a.Slice(), p.Claim(), a.AmountFen, people, a.At)
	if err != nil {
		return nil, err
	}
	markers, err := award.Markers(ctx, t, a)
	if err != nil {
		return nil, err
	}
	writes = append(append(writes, reserved...), markers...)
	if a.Rail.ByMachine() {
		if payee.Key != payeeKey(a.Application, a.ID, p.Reservation) {
			return nil, award.ErrIncomplete
		}
		writes = append(writes, table.Put{Item: payee})
	}
	return writes, nil
}

// Refusal is what a failed transaction with Grant's, Again's or PayCash's writes
// means when starting again cannot mend it: fund.ErrShort, fund.ErrMissing or
// fund.ErrDay. Nil means start again: Grant then names a marker that is taken.
func Refusal(failed *table.ConditionError, a award.Award, at time.Time) error {
	if err := fund.Refusal(failed, a.Slice(), day(at)); err != error(failed) {
		return err
	}
	return nil
}

func day(at time.Time) string { return at.In(calendar.Zone).Format(time.DateOnly) }

// Again are the writes that pay a failed or returned award after all, to payee
// (sealed with reservation p.Reservation+1), by two people who are not concerned.
// The holds that the failure left must be lifted before it is sent.
func Again(ctx context.Context, t table.Store, head application.Application, p Payout, in Retry, payee table.Item, at time.Time) ([]table.Write, Payout, error) {
	if head.Concerns(in.First.Person) || head.Concerns(in.Second.Person) {
		return nil, p, ErrConcerned
	}
	o, err := Step(p, in, in.Second, at)
	if err != nil {
		return nil, p, err
	}
	next := o.Payout
	if payee.Key != payeeKey(next.Award.Application, next.Award.ID, next.Reservation) {
		return nil, p, award.ErrIncomplete
	}
	markers, err := award.PayeeMarkers(ctx, t, next.Award)
	if err != nil {
		return nil, p, err
	}
	writes, err := o.Writes()
	if err != nil {
		return nil, p, err
	}
	return append(append(writes, markers...), table.Put{Item: payee}), next, nil
}

// CashPayment is money handed over from the township's reserve (备用金).
type CashPayment struct {
	Handler event.Actor // who handed it over; neither proposed nor approved it
	Witness event.Actor // another person, who saw it
	Receipt string      // SHA-256 of the receipt that the recipient signed, 64 hex digits
	// CaseFen and DayFen are the limits of the region for one payment and for one
	// township and day.
	CaseFen, DayFen money.Fen
	At              time.Time
}

// PayCash are the writes that record a cash payment: the payout paid, the fund
// posted, the day's limit used and the person told, all at once. They do not
// touch the application: the caller's transaction replaces it or adds
// head.Unmoved(). When that transaction fails, see Refusal.
//
// Faults: ErrState, application.ErrHeld, ErrTwo, ErrConcerned, ErrReceipt,
// ErrCase, fund.ErrDay.
func PayCash(ctx context.Context, t table.Store, head application.Application, p Payout, c CashPayment) ([]table.Write, Payout, error) {
	a := p.Award
	switch {
	case head.ID != a.Application:
		return nil, p, ErrNotFound
	case head.Held():
		return nil, p, application.ErrHeld
	case !two(c.Handler, c.Witness), same(c.Handler, a.Proposer), same(c.Handler, a.Approver):
		return nil, p, ErrTwo
	case head.Concerns(c.Handler.Person) || head.Concerns(c.Witness.Person):
		return nil, p, ErrConcerned
	case a.AmountFen > c.CaseFen:
		return nil, p, ErrCase
	}
	o, err := Step(p, Cash{c.Receipt}, c.Handler, c.At)
	if err != nil {
		return nil, p, err
	}
	spent, err := fund.Spend(ctx, t, a.Slice(), day(c.At), c.DayFen, a.AmountFen)
	if err != nil {
		return nil, p, err
	}
	writes, err := o.Writes()
	if err != nil {
		return nil, p, err
	}
	told, err := o.witnessed(c.Witness)
	if err != nil {
		return nil, p, err
	}
	copy(writes, told) // instead of the event that names one person
	return append(writes, spent), o.Payout, nil
}

// witnessed is o's payout with its event, the second person in it.
func (o Outcome) witnessed(w event.Actor) ([]table.Write, error) {
	item, err := o.Payout.item()
	if err != nil {
		return nil, err
	}
	e := o.Payout.event(o.Event, o.By, o.At)
	e.Facts["witness"] = w.ID
	return e.With(item)
}

// same reports whether a and b are one account or one human being.
func same(a, b event.Actor) bool {
	return a.ID == b.ID && a.Kind == b.Kind || a.Person != "" && a.Person == b.Person
}
