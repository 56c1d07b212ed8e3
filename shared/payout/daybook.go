package payout

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// The day book (日记账) lists what the ledger booked over one rail on one day of
// the provider's clock, so that a statement of that day can be held against it
// without looking through all payouts:
//
//	DAYBOOK#<rail>#<yyyy-mm-dd>   <reference>#<way>
//
// A line is put in the transaction that posts or returns the money and never
// changes.

// Way is the direction of booked money.
type Way string

// The ways.
const (
	Out  Way = "paid"     // it reached the payee
	Back Way = "returned" // it came back (退票)
)

// Booked is one line of the day book.
type Booked struct {
	Application string             `json:"application"`
	Award       string             `json:"award"`
	Township    civil.DivisionCode `json:"township"`
	Fund        string             `json:"fund"`
	Rail        award.Rail         `json:"rail"`
	Reference   string             `json:"reference"`
	Way         Way                `json:"way"`
	AmountFen   money.Fen          `json:"amount_fen"`
	Payee       string             `json:"payee"`    // keyed digest, as the provider knows it
	At          time.Time          `json:"at"`       // the provider's clock
	Evidence    string             `json:"evidence"` // SHA-256 of what proved it
	// Inferred: we heard of the payment only when it had come back, and At is when
	// it was ordered.
	Inferred bool `json:"inferred,omitempty"`
}

// DayBook is the partition of one rail and day.
func DayBook(r award.Rail, day civil.Day) string { return "DAYBOOK#" + string(r) + "#" + day.String() }

// booked is the write that enters what o posts or returns. Cash has no provider
// whose statement it could be held against.
func (o Outcome) booked(way Way) ([]table.Write, error) {
	p := o.Payout
	current, ok := p.Current()
	if !ok {
		return nil, nil
	}
	rail := current.Rail
	if rail == "" {
		rail = p.Award.Rail
	}
	b := Booked{Application: p.Award.Application, Award: p.Award.ID, Township: p.Award.Township, Fund: p.Award.Fund, Rail: rail,
		Reference: current.Reference, Way: way, AmountFen: p.PaidFen, Payee: current.Payee, At: p.PaidAt, Evidence: o.evidence()}
	switch {
	case way == Back && o.Said.At.IsZero():
		b.At = o.At
	case way == Back:
		b.At = o.Said.At
	case o.Said.Word == SentBack:
		b.At, b.Inferred = current.At, true
	}
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("payout: %w", err)
	}
	key := table.Key{PK: DayBook(rail, calendar.Today(b.At)), SK: b.Reference + "#" + string(way)}
	return []table.Write{table.Put{Item: table.Item{Key: key, Version: 1, Body: body}}}, nil
}

// entered adds the line of the day book to the writes that book money.
func (o Outcome) entered(way Way) func([]table.Write, error) ([]table.Write, error) {
	return func(writes []table.Write, err error) ([]table.Write, error) {
		if err != nil {
			return nil, err
		}
		line, err := o.booked(way)
		return append(writes, line...), err
	}
}

// DecodeBooked reads a line of the day book.
func DecodeBooked(item table.Item) (Booked, error) {
	var b Booked
	if err := json.Unmarshal(item.Body, &b); err != nil {
		return b, fmt.Errorf("payout: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	return b, nil
}

// OnDay reads what was booked over a rail on one day.
func OnDay(ctx context.Context, t table.Store, r award.Rail, day civil.Day) ([]Booked, error) {
	q := table.Query{PK: DayBook(r, day)}
	return table.Collect(ctx, t, q, DecodeBooked)
}
