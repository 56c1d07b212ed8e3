// Package gauge reads how the whole system stands: what is owed and how long,
// how much money is on its way, what is late, held, unknown or stopped. It walks
// the indexes of open work, never the table, so its cost grows with what is
// unfinished and not with history. It changes nothing and names no person.
package gauge

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Pile is a number of things of one kind and how old the oldest of them is.
type Pile struct {
	Count         int       `json:"count"`
	OldestSeconds int64     `json:"oldest_seconds"`
	Fen           money.Fen `json:"fen,omitempty"`
}

func (p Pile) add(age time.Duration, fen money.Fen) Pile {
	p.Count++
	p.OldestSeconds = max(p.OldestSeconds, int64(age/time.Second))
	p.Fen += fen
	return p
}

// Age is how old the oldest is.
func (p Pile) Age() time.Duration { return time.Duration(p.OldestSeconds) * time.Second }

// Reading is how everything stood at one moment. What moved while it was taken
// may be counted as before or as after.
type Reading struct {
	At time.Time `json:"at"`
	// Owed is what each queue has to do by now, by how late it is.
	Owed map[work.Queue]Pile `json:"owed"`
	// Applications are those that somebody must still act on, by state.
	Applications map[application.State]Pile `json:"applications"`
	// Payouts are those that are not final, by state, with their money.
	Payouts map[payout.State]Pile `json:"payouts"`
	// InFlight is the money that may be on its way, Unknown what nobody knows of.
	InFlight Pile `json:"in_flight"`
	Unknown  Pile `json:"unknown"`
	// Late are applications whose legal deadline has passed, by how long.
	Late Pile `json:"deadlines_missed"`
	// Held are the open holds.
	Held Pile `json:"holds"`
	// Waiting are payments that wait for two people to form a file.
	Waiting Pile `json:"waiting_for_file"`
	// Unsent are notices that people are owed.
	Unsent Pile `json:"notices"`
	// Brakes are the brakes that stop something.
	Brakes []Braked `json:"brakes"`
	// Breaks is what does not match and is still open, by class.
	Breaks map[reconciliation.Class]Pile `json:"breaks"`
	// Statements are the sources that were ever looked at.
	Statements []Statements `json:"statements"`
}

// Statements is how far one source can be seen.
type Statements struct {
	Source string    `json:"source"`
	Since  civil.Day `json:"since"`
	// Last is the latest day with a believed statement, the zero day when there is
	// none; Blind is how many days in a row are missing after it.
	Last  civil.Day `json:"last"`
	Blind int       `json:"blind_days"`
}

// Braked is one brake that stops something.
type Braked struct {
	ID       string             `json:"id"`
	Kind     brake.Kind         `json:"kind"`
	Target   string             `json:"target,omitempty"`
	Division civil.DivisionCode `json:"division"`
	Reason   string             `json:"reason"`
	State    brake.State        `json:"state"`
	Since    time.Time          `json:"since"`
}

// Read takes a reading. Divisions are those whose work lists are read: townships
// and those above them.
func Read(ctx context.Context, t table.Store, divisions []civil.DivisionCode, now time.Time) (Reading, error) {
	r := Reading{At: now, Owed: map[work.Queue]Pile{}, Applications: map[application.State]Pile{}, Payouts: map[payout.State]Pile{}, Brakes: []Braked{},
		Breaks: map[reconciliation.Class]Pile{}, Statements: []Statements{}}
	for _, q := range work.Queues() {
		r.Owed[q] = Pile{}
	}
	for shard := range work.Shards {
		if err := table.Each(ctx, t, table.Query{Index: table.ByDue, PK: work.Shard(shard)}, r.owed); err != nil {
			return r, err
		}
	}
	for _, d := range divisions {
		if err := table.Each(ctx, t, table.Query{Index: table.ByWork, PK: application.WorkList(d)}, r.asked); err != nil {
			return r, err
		}
	}
	for _, d := range divisions {
		if err := table.Each(ctx, t, table.Query{Index: table.ByWork, PK: payout.WaitingList(d)}, r.waits); err != nil {
			return r, err
		}
	}
	if err := r.reconciled(ctx, t, divisions); err != nil {
		return r, err
	}
	board, err := brake.Read(ctx, t, "gauge")
	if err != nil {
		return r, err
	}
	for _, b := range board.Standing(now) {
		r.Brakes = append(r.Brakes, Braked{b.ID, b.Kind, b.Target, b.Division, b.Reason, b.State(now), b.Pulled.At})
	}
	return r, nil
}

// reconciled reads what does not match, and how far the sources can be seen.
func (r *Reading) reconciled(ctx context.Context, t table.Store, divisions []civil.DivisionCode) error {
	err := reconciliation.Look(ctx, t, divisions, func(b reconciliation.Break) {
		r.Breaks[b.Class] = r.Breaks[b.Class].add(b.Age(r.At), 0)
	})
	if err != nil {
		return err
	}
	for _, source := range reconciliation.Names() {
		since, err := reconciliation.Since(ctx, t, source)
		if err != nil {
			return err
		}
		if since.IsZero() {
			continue
		}
		days, last, err := reconciliation.Blindness(ctx, t, source, r.At)
		if err != nil {
			return err
		}
		r.Statements = append(r.Statements, Statements{source, since, last, days})
	}
	return nil
}

// owed counts one item of the due index.
func (r *Reading) owed(item table.Item) error {
	at, q, owes := work.Owed(item)
	if !owes {
		return nil
	}
	if q != work.Clock && !at.After(r.At) {
		r.Owed[q] = r.Owed[q].add(r.At.Sub(at), 0)
	}
	switch {
	case payout.Is(item.Key):
		p, err := payout.Decode(item)
		if err != nil {
			return err
		}
		age, fen := r.At.Sub(p.Since), p.Award.AmountFen
		r.Payouts[p.State] = r.Payouts[p.State].add(age, fen)
		if p.State.Flying() {
			r.InFlight = r.InFlight.add(age, fen)
		}
		if p.State == payout.Unknown {
			r.Unknown = r.Unknown.add(age, fen)
		}
	case notice.Is(item.Key):
		r.Unsent = r.Unsent.add(max(r.At.Sub(at), 0), 0)
	case application.Is(item.Key):
		a, err := application.Decode(item)
		if err != nil {
			return err
		}
		if a.State == application.Accepted { // in no work list yet, or in that too: see asked
			r.Applications[a.State] = r.Applications[a.State].add(r.At.Sub(a.AcceptedAt), 0)
		}
	}
	return nil
}

// waits counts one payout that waits for a file.
func (r *Reading) waits(item table.Item) error {
	p, err := payout.Decode(item)
	if err != nil {
		return err
	}
	age, fen := r.At.Sub(p.Since), p.Award.AmountFen
	r.Payouts[p.State] = r.Payouts[p.State].add(age, fen)
	r.Waiting = r.Waiting.add(age, fen)
	return nil
}

// asked counts one item of a work list.
func (r *Reading) asked(item table.Item) error {
	if !application.Is(item.Key) {
		return nil
	}
	a, err := application.Decode(item)
	if err != nil {
		return err
	}
	if a.State != application.Accepted {
		r.Applications[a.State] = r.Applications[a.State].add(r.At.Sub(a.AcceptedAt), 0)
	}
	if late := r.At.Sub(a.Deadline.At); a.Open() && !a.Deadline.At.IsZero() && late >= 0 {
		r.Late = r.Late.add(late, 0)
	}
	for _, h := range a.Holds {
		if h.Lifted == nil {
			r.Held = r.Held.add(r.At.Sub(h.At), 0)
		}
	}
	return nil
}
