package reconciliation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// Flaw is something of ours that does not agree with ours: which rule, and which
// item. Keys hold no personal data, so it may be shown.
type Flaw struct {
	Rule        string
	Row         table.Key
	Why         string // for the log
	Township    civil.DivisionCode
	Application string
	Award       string
}

// CheckSlice looks through one slice of a fund with all its entries.
func CheckSlice(ctx context.Context, t table.Store, id fund.ID) (fund.Inspected, []Flaw, error) {
	look, err := fund.Inspect(ctx, t, id)
	if err != nil {
		return look, nil, err
	}
	var flaws []Flaw
	for _, f := range look.Flaws {
		flaws = append(flaws, Flaw{Rule: f.Rule, Row: table.Key{PK: id.Partition(), SK: f.SK}, Why: f.Why, Township: id.Township})
	}
	return look, flaws, nil
}

// file is everything about one application at one look.
type file struct {
	id      string
	head    application.Application
	payouts []payout.Payout
	events  map[string][]event.Event // by noun and id
	stamp   string
	flaws   []Flaw
}

// caseLooks is how often a case is looked at again before what is wrong is believed: a
// partition of several pages is not read at one moment.
const caseLooks = 4

// CheckCase looks through one application with its payouts and what the fund has
// booked about them. What is wrong is believed when two looks that saw the same
// versions found it.
func CheckCase(ctx context.Context, t table.Store, id string) ([]Flaw, error) {
	before := ""
	for range caseLooks {
		f, err := readCase(ctx, t, id)
		if err != nil {
			return nil, err
		}
		if err := f.check(ctx, t); err != nil {
			return nil, err
		}
		if len(f.flaws) == 0 || f.stamp == before {
			return f.flaws, nil
		}
		before = f.stamp
	}
	return nil, table.ErrBusy // it never stood still
}

func readCase(ctx context.Context, t table.Store, id string) (*file, error) {
	f := &file{id: id, events: map[string][]event.Event{}}
	for item, err := range table.All(ctx, t, table.Query{PK: application.Partition(id)}) {
		if err != nil {
			return nil, err
		}
		f.take(item)
	}
	return f, nil
}

// take sorts one item in. What cannot be read is a flaw, and no error: everything
// else must still be looked at.
func (f *file) take(item table.Item) {
	var err error
	switch {
	case application.Is(item.Key):
		f.head, err = application.Decode(item)
		f.stamp += fmt.Sprintf("H%d ", item.Version)
	case payout.Is(item.Key):
		var p payout.Payout
		p, err = payout.Decode(item)
		f.payouts = append(f.payouts, p)
		f.stamp += fmt.Sprintf("P%s:%d ", item.Key.SK, item.Version)
	case event.Is(item.Key):
		var e event.Event
		e, err = event.Decode(item)
		if e.Noun == application.Noun || e.Noun == payout.Noun {
			f.events[e.Noun+"#"+e.ID] = append(f.events[e.Noun+"#"+e.ID], e)
			f.stamp += "e"
		}
		if want := event.Key(item.Key.PK, e.Noun, e.ID, e.Version); err == nil && (item.Version != 1 || item.Key != want) {
			f.flaw("M13", item.Key.SK, "an event was written again, or says that it is another")
		}
	}
	if err != nil {
		f.flaw("L01", item.Key.SK, "it cannot be read")
	}
}

func (f *file) flaw(rule, sk, format string, args ...any) {
	f.flaws = append(f.flaws, Flaw{Rule: rule, Row: table.Key{PK: application.Partition(f.id), SK: sk}, Why: fmt.Sprintf(format, args...),
		Township: f.head.Township, Application: f.id})
}

func (f *file) check(ctx context.Context, t table.Store) error {
	if f.head.ID != f.id {
		if len(f.events)+len(f.payouts) > 0 {
			f.flaw("L01", "HEAD", "there is no application")
		}
		return nil
	}
	f.versioned(application.Noun, f.id, f.head.Version, "HEAD")
	if state := application.StateAfter(f.events[application.Noun+"#"+f.id]); state != f.head.State {
		f.flaw("L01", "HEAD", "its events lead to %q and it says %q", state, f.head.State)
	}
	awarded := f.head.State == application.Approved || f.head.State == application.Explained
	if awarded != (len(f.payouts) > 0) {
		f.flaw("L01", "HEAD", "%s with %d payouts", f.head.State, len(f.payouts))
	}
	for _, p := range f.payouts {
		f.payout(p)
		entries, err := fund.About(ctx, t, p.Award.Slice(), p.Award.Application, p.Award.ID)
		if err != nil {
			return err
		}
		f.booked(p, entries)
	}
	for i := range f.flaws {
		f.flaws[i].Township = f.head.Township
	}
	return nil
}

// versioned: every version has its event, and there is no other (L01).
func (f *file) versioned(noun, id string, version int64, sk string) {
	events := f.events[noun+"#"+id]
	slices.SortFunc(events, func(a, b event.Event) int { return int(a.Version - b.Version) })
	for i, e := range events {
		if e.Version != int64(i)+1 {
			f.flaw("L01", event.Key("", noun, id, int64(i)+1).SK, "the event of version %d is not there", i+1)
			return
		}
	}
	if int64(len(events)) != version {
		f.flaw("L01", sk, "it is at version %d and has %d events", version, len(events))
	}
}

// payout: the row says what its last event said, and its attempts are as they must be.
func (f *file) payout(p payout.Payout) {
	a, sk := p.Award, payout.Key(f.id, p.Award.ID).SK
	f.versioned(payout.Noun, a.ID, p.Version, sk)
	if events := f.events[payout.Noun+"#"+a.ID]; len(events) > 0 {
		last := events[len(events)-1].Facts
		switch {
		case last.Text("state") != string(p.State):
			f.flaw("L01", sk, "its last event says %q and it says %q", last.Text("state"), p.State)
		case last.Fen("amount_fen") != a.AmountFen, last.Fen("paid_fen") != p.PaidFen:
			f.flaw("L01", sk, "its last event speaks of another amount")
		}
	}
	if !a.AmountFen.Payable() || a.AmountFen > award.Ceiling {
		f.flaw("M03", sk, "an award of %d fen", int64(a.AmountFen))
	}
	if f.head.Award == nil || f.head.Award.AmountFen != a.AmountFen {
		f.flaw("M07", sk, "the payout is of another amount than the decision")
	}
	if p.PaidFen > a.AmountFen {
		f.flaw("M07", sk, "paid %d of %d", int64(p.PaidFen), int64(a.AmountFen))
	}
	for i, t := range p.Attempts {
		if t.Number != i+1 || t.Reference != payout.Reference(a.Application, a.ID, i+1) {
			f.flaw("M10", sk, "attempt %d has another reference than its own", i+1)
		}
		if i < len(p.Attempts)-1 && t.Ended == "" {
			f.flaw("M09", sk, "attempts %d and %d are both open", t.Number, t.Number+1)
		}
		if i < len(p.Attempts)-1 && len(t.Evidence) != 64 {
			f.flaw("M11", sk, "attempt %d follows one that nobody said had ended", t.Number+1)
		}
	}
}

// booked: what the fund has about an award is what the payout says (M06, M07, M08).
func (f *file) booked(p payout.Payout, entries []fund.Entry) {
	sk := payout.Key(f.id, p.Award.ID).SK
	n := map[fund.Kind]int{}
	var out, back money.Fen
	for _, e := range entries {
		n[e.Kind]++
		var err1, err2 error
		switch e.Kind {
		case fund.Reservation:
			if e.Fen(fund.Reserved) != p.Award.AmountFen {
				f.flaw("M07", sk, "%d fen were reserved for an award of %d", int64(e.Fen(fund.Reserved)), int64(p.Award.AmountFen))
			}
		case fund.Posted, fund.PostedLate:
			out, err1 = out.Add(e.Fen(fund.Paid))
		case fund.CameBack:
			back, err2 = back.Add(-e.Fen(fund.Returned))
		}
		if err1 != nil || err2 != nil {
			f.flaw("M08", sk, "the sum overflows")
		}
	}
	f.entries(len(entries))
	resolved := n[fund.Posted] + n[fund.Voided]
	open := 0
	if p.Open {
		open = 1
	}
	if n[fund.Reservation] != p.Reservation {
		f.flaw("M06", sk, "%d reservations, and %d are booked", p.Reservation, n[fund.Reservation])
	}
	if resolved != p.Reservation-open {
		f.flaw("M06", sk, "%d of %d reservations are resolved, and it is open: %v", resolved, p.Reservation, p.Open)
	}
	kept := money.Fen(0)
	if p.State == payout.Paid || p.State == payout.Frozen && p.Was == payout.Paid {
		kept = p.PaidFen
	}
	net, err := out.Sub(back)
	if err != nil || net > p.Award.AmountFen {
		f.flaw("M08", sk, "%d fen left the fund for an award of %d", int64(net), int64(p.Award.AmountFen))
	}
	if net != kept {
		f.flaw("M08", sk, "the fund says %d fen are paid, the payout %d", int64(net), int64(kept))
	}
}

// entries puts the number of entries into the stamp: it grows when money moves.
func (f *file) entries(n int) { f.stamp += fmt.Sprintf("n%d ", n) }

// row is a key as it is shown.
func row(k table.Key) string { return strings.TrimSuffix(k.PK+"/"+k.SK, "/") }
