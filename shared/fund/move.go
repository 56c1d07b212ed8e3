package fund

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Appropriation is money put into a slice, or taken out when AmountFen is
// negative. Reference is the number of the paper that orders it: the same one
// books once.
type Appropriation struct {
	Reference string
	AmountFen money.Fen
	First     event.Actor // who entered it
	Second    event.Actor // who confirmed it: another person
	Document  string      // SHA-256 of the paper, hex
	At        time.Time
}

// Appropriate books a. Lowering takes only what is available, so a budget
// cannot go below what is reserved or paid.
func Appropriate(id ID, a Appropriation) ([]table.Write, error) {
	if a.AmountFen == 0 || a.AmountFen > money.Max || a.AmountFen < -money.Max || a.Reference == "" {
		return nil, ErrAmount
	}
	if !two(a.First, a.Second) {
		return nil, ErrTwo
	}
	return move(id, Entry{Cause: "appropriate#" + a.Reference, Kind: Appropriated,
		Legs:     []Leg{{External, -a.AmountFen}, {Available, a.AmountFen}},
		By:       []event.Actor{a.First, a.Second},
		Document: a.Document, At: a.At})
}

// two reports whether a and b are two different human beings.
func two(a, b event.Actor) bool {
	return a.Kind == event.Staff && b.Kind == event.Staff && a.ID != b.ID &&
		a.Person != "" && b.Person != "" && a.Person != b.Person
}

// Take reserves amount for c: it leaves what is available and cannot go to
// anybody else. The transaction fails on the slice's key with reason Floor when
// there is not enough (see Refusal).
func Take(id ID, c Claim, amount money.Fen, by []event.Actor, at time.Time) ([]table.Write, error) {
	if !amount.Payable() {
		return nil, ErrAmount
	}
	return move(id, Entry{Cause: c.cause(stepReserve), Kind: Reservation,
		Legs: []Leg{{Available, -amount}, {Reserved, amount}}, By: by, At: at})
}

// Post books that paid of the reserved amount reached the payee; what is left
// of the reservation is released in the same breath.
func Post(id ID, c Claim, reserved, paid money.Fen, by event.Actor, evidence string, at time.Time) ([]table.Write, error) {
	if !paid.Payable() || !reserved.Payable() {
		return nil, ErrAmount
	}
	if paid > reserved {
		return nil, ErrExceeds
	}
	legs := []Leg{{Reserved, -reserved}, {Paid, paid}}
	rest, err := reserved.Sub(paid)
	if err != nil {
		return nil, ErrAmount
	}
	if rest > 0 {
		legs = append(legs, Leg{Available, rest})
	}
	return answer(id, c, stepResolve, stepReserve, Entry{Kind: Posted, Legs: legs, By: []event.Actor{by}, Document: evidence, At: at})
}

// Void releases the whole reservation: it is proven that nothing was paid.
func Void(id ID, c Claim, reserved money.Fen, by event.Actor, evidence string, at time.Time) ([]table.Write, error) {
	if !reserved.Payable() {
		return nil, ErrAmount
	}
	return answer(id, c, stepResolve, stepReserve, Entry{Kind: Voided,
		Legs: []Leg{{Reserved, -reserved}, {Available, reserved}}, By: []event.Actor{by}, Document: evidence, At: at})
}

// Return books that the bank sent a paid amount back (退票). It is available
// again, and nobody is paid with it by itself.
func Return(id ID, c Claim, paid money.Fen, by event.Actor, evidence string, at time.Time) ([]table.Write, error) {
	if !paid.Payable() {
		return nil, ErrAmount
	}
	after := stepResolve
	if c.Late {
		after = stepLate
	}
	return answer(id, c, stepReturn, after, Entry{Kind: CameBack,
		Legs: []Leg{{Returned, -paid}, {Available, paid}}, By: []event.Actor{by}, Document: evidence, At: at})
}

// Recover books that a person gave fen of a paid amount back. Credit is the bank's
// number of it, so that no credit is booked twice for one claim; that all of them
// together are no more than was paid, whoever keeps the case must know, and Fold
// proves.
func Recover(id ID, c Claim, credit string, fen money.Fen, by event.Actor, evidence string, at time.Time) ([]table.Write, error) {
	if !fen.Payable() || credit == "" {
		return nil, ErrAmount
	}
	after := stepResolve
	if c.Late {
		after = stepLate
	}
	return answer(id, c, stepBack+"#"+credit, after, Entry{Kind: GaveBack,
		Legs: []Leg{{Returned, -fen}, {Available, fen}}, By: []event.Actor{by}, Document: evidence, At: at})
}

// PostLate books money that reached the payee although the bank had said it
// would not, after the reservation was voided.
func PostLate(id ID, c Claim, paid money.Fen, by event.Actor, evidence string, at time.Time) ([]table.Write, error) {
	if !paid.Payable() {
		return nil, ErrAmount
	}
	return answer(id, c, stepLate, stepResolve, Entry{Kind: PostedLate,
		Legs: []Leg{{Available, -paid}, {Paid, paid}}, By: []event.Actor{by}, Document: evidence, At: at})
}

// answer books e as the step that follows another entry, which must be there.
func answer(id ID, c Claim, step, after string, e Entry) ([]table.Write, error) {
	e.Cause, e.Answers = c.cause(step), c.cause(after)
	writes, err := move(id, e)
	if err != nil {
		return nil, err
	}
	return append(writes, table.Check{Key: entryKey(id, e.Answers), Version: 1}), nil
}

// left is the counter of a day's limit.
const left = "left"

func dayKey(id ID, day string) table.Key { return table.Key{PK: id.Partition(), SK: "DAY#" + day} }

// Spend takes amount from what may be paid in cash on day ("2026-03-04"). The
// first payment of a day fixes the day's limit. Use it in the transaction that
// posts the payment.
func Spend(ctx context.Context, t table.Store, id ID, day string, limit, amount money.Fen) (table.Write, error) {
	if !amount.Payable() || !limit.Payable() {
		return nil, ErrAmount
	}
	key := dayKey(id, day)
	_, ok, err := t.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if ok {
		return table.Move{Key: key, Deltas: []table.Delta{{Counter: left, By: -int64(amount), Floor: 0}}}, nil
	}
	if amount > limit {
		return nil, ErrDay
	}
	rest, err := limit.Sub(amount)
	if err != nil {
		return nil, ErrAmount
	}
	return table.Put{Item: table.Item{Key: key, Version: 1, Counters: map[string]int64{left: int64(rest)}}}, nil
}

// Refusal turns the failed condition of a transaction into the fault it means
// for the slice: ErrShort, ErrDay or ErrMissing. Other errors come back as they are.
func Refusal(err error, id ID, day string) error {
	if f, ok := table.FailedOn(err, id.Key()); ok {
		switch f.Reason {
		case table.Floor:
			return ErrShort.Because(err)
		case table.Missing:
			return ErrMissing.Because(err)
		}
	}
	if f, ok := table.FailedOn(err, dayKey(id, day)); ok && f.Reason == table.Floor {
		return ErrDay.Because(err)
	}
	return err
}

// Provide makes sure that the slice is there and that a is booked in it, however
// often it is called. ErrReference when the reference booked something else.
func Provide(ctx context.Context, t table.Store, s Slice, a Appropriation) error {
	open, err := Open(s, a.First, a.At)
	if err != nil {
		return err
	}
	if err := t.Transact(ctx, open...); err != nil {
		if _, there := table.FailedOn(err, s.Key()); !there { // a Put fails for what is there already, and for nothing else
			return err
		}
	}
	writes, err := Appropriate(s.ID, a)
	if err != nil {
		return err
	}
	err = t.Transact(ctx, writes...)
	put := writes[1].(table.Put) // move makes the pair
	f, there := table.FailedOn(err, put.Item.Key)
	if !there {
		return Refusal(err, s.ID, "")
	}
	var booked, wanted Entry
	if err := errors.Join(json.Unmarshal(f.Current.Body, &booked), json.Unmarshal(put.Item.Body, &wanted)); err != nil {
		return fmt.Errorf("fund: %w", err)
	}
	if !slices.Equal(booked.Legs, wanted.Legs) {
		return ErrReference
	}
	return nil
}
