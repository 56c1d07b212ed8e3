// Package invariant holds a store against what must be true of it whatever
// happened: money, workflow, decisions and privacy, by the numbers of the
// acceptance list. It reads the store and the bank's book and believes no API.
// It is for tests and changes nothing.
package invariant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table"
)

// Transfer is one line of the bank's own book.
type Transfer struct {
	Reference string      `json:"reference"`
	Status    bank.Status `json:"status"`
	AmountFen money.Fen   `json:"amount_fen"`
}

// View is what there is to look at.
type View struct {
	Table table.Store
	Rules *policy.Book
	// Bank gives every transfer that the bank holds under a reference.
	Bank func(ctx context.Context, reference string) ([]Transfer, error)
}

// file is everything about one application, as it stood at one moment.
type file struct {
	head    application.Application
	payouts []payout.Payout
	events  []event.Event
	items   map[string]table.Item // by sort key
}

// breach gathers what is wrong.
type breach struct {
	id  string
	all []error
}

func (b *breach) is(wrong bool, rule, format string, args ...any) {
	if wrong {
		b.all = append(b.all, fmt.Errorf("%s: %s: %s", rule, b.id, fmt.Sprintf(format, args...)))
	}
}

// Case is what is wrong with one application, and with the slices of funds that
// pay for it; nil for nothing.
func (v View) Case(ctx context.Context, id string) error {
	f, err := v.read(ctx, id)
	if err != nil {
		return err
	}
	b := &breach{id: id}
	f.versions(b)
	f.history(b)
	f.decisions(b, v.Rules)
	for _, p := range f.payouts {
		f.attempts(b, p)
		if err := v.money(ctx, b, f, p); err != nil {
			return err
		}
	}
	// What runs in production says the same: it raises no alarm where nothing is wrong.
	flaws, err := reconciliation.CheckCase(ctx, v.Table, id)
	if err != nil && !errors.Is(err, table.ErrBusy) {
		return err
	}
	for _, w := range flaws {
		b.is(len(b.all) == 0, w.Rule, "%s/%s: %s", w.Row.PK, w.Row.SK, w.Why)
	}
	return errors.Join(b.all...)
}

// read takes the partition in as few looks as it has pages.
func (v View) read(ctx context.Context, id string) (file, error) {
	f := file{items: map[string]table.Item{}}
	q := table.Query{PK: application.Partition(id)}
	for {
		page, err := v.Table.Query(ctx, q)
		if err != nil {
			return f, err
		}
		for _, item := range page.Items {
			if err := f.take(item); err != nil {
				return f, err
			}
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	if f.head.ID != id {
		return f, fmt.Errorf("invariant: no application %s", id)
	}
	return f, nil
}

func (f *file) take(item table.Item) (err error) {
	f.items[item.Key.SK] = item
	switch {
	case application.Is(item.Key):
		f.head, err = application.Decode(item)
	case payout.Is(item.Key):
		var p payout.Payout
		p, err = payout.Decode(item)
		f.payouts = append(f.payouts, p)
	case event.Is(item.Key):
		var e event.Event
		e, err = event.Decode(item)
		f.events = append(f.events, e)
	}
	return err
}

// of is the events of one thing, the first version first.
func (f file) of(noun, id string) []event.Event {
	var all []event.Event
	for _, e := range f.events {
		if e.Noun == noun && e.ID == id {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b event.Event) int { return int(a.Version - b.Version) })
	return all
}

// versions: every version has exactly one event and there is no gap (W01), and
// what must never change has not (M13).
func (f file) versions(b *breach) {
	whole := func(noun, id string, version int64) {
		got := f.of(noun, id)
		b.is(int64(len(got)) != version, "W01", "%s %s is at version %d with %d events", noun, id, version, len(got))
		for i, e := range got {
			b.is(e.Version != int64(i)+1, "W01", "%s %s has event %d where %d belongs", noun, id, e.Version, i+1)
		}
	}
	whole(application.Noun, f.head.ID, f.head.Version)
	for _, p := range f.payouts {
		whole(payout.Noun, p.Award.ID, p.Version)
	}
	for sk, item := range f.items {
		once := strings.HasPrefix(sk, event.Prefix) || strings.HasPrefix(sk, "REQUEST#") || strings.HasPrefix(sk, "PAYEE#")
		b.is(once && item.Version != 1, "M13", "%s was written %d times", sk, item.Version)
	}
}

// leads is where the moves lead that change the state.
var leads = map[string]application.State{
	"verified": application.Verified, "supplemented": application.Accepted, "proposed": application.Proposed,
	"approved": application.Approved, "released": application.Approved, "refused": application.Refused,
	"withdrawn": application.Withdrawn, "explained": application.Explained,
}

// history: only listed moves, from the first to the state that is stored (W01, W05).
func (f file) history(b *breach) {
	state := application.State("")
	for _, e := range f.of(application.Noun, f.head.ID) {
		if e.Kind == "accepted" {
			b.is(state != "", "W01", "accepted twice")
			state = application.Accepted
			continue
		}
		move := e.Kind
		switch {
		case move == "consented" && (state == application.Accepted || state == application.Verified):
			move = "supplemented"
		case !slices.Contains(application.Moves(), move):
			move = "noted"
		}
		b.is(!application.May(state, move), "W01", "%s (v%d) from %s", e.Kind, e.Version, state)
		if to, ok := leads[move]; ok {
			state = to
		}
	}
	b.is(state != f.head.State, "W06", "events lead to %s and the head says %s", state, f.head.State)
	awarded := f.head.State == application.Approved || f.head.State == application.Explained
	b.is(awarded != (len(f.payouts) == 1), "W05", "%s with %d payouts", f.head.State, len(f.payouts))
	for _, h := range f.head.Holds {
		b.is(h.Owner == "" || h.Due.IsZero() || h.Code == "", "W08", "hold %s has no owner or deadline", h.ID)
		b.is(h.Lifted != nil && (h.Lifted.By.Kind != event.Staff || h.Lifted.By.Person == "" || h.Lifted.By.Person == h.Placed.Person),
			"A02", "hold %s was lifted by nobody else", h.ID)
	}
}

// decisions: a person refuses, with a reason; what was found can be found again
// from what is stored (D01 to D04).
func (f file) decisions(b *breach, rules *policy.Book) {
	for _, e := range f.of(application.Noun, f.head.ID) {
		switch e.Kind {
		case "refused":
			b.is(e.Actor.Kind != event.Staff || e.Actor.Person == "" || e.Reason == "", "D01", "refused by %s %q, reason %q", e.Actor.Kind, e.Actor.ID, e.Reason)
			b.is(e.Facts.Text("article") == "" || e.Facts.Text("remedy") == "" || len(e.Note) == 0, "D07", "a refusal without basis, remedy or words")
		case "verified":
			f.replay(b, rules, e)
		case "proposed", "approved", "released":
			b.is(e.Rules == "" || e.Facts.Text("article") == "", "D02", "%s without rules or article", e.Kind)
		}
	}
}

func (f file) replay(b *breach, book *policy.Book, e event.Event) {
	b.is(e.Rules == "" || e.Facts.Text("trace") == "" || e.Facts.Text("sources") == "", "D02", "findings v%d without rules, trace or sources", e.Version)
	var in policy.Facts
	if err := json.Unmarshal([]byte(e.Facts.Text("inputs")), &in); err != nil {
		b.is(true, "D02", "findings v%d: inputs: %v", e.Version, err)
		return
	}
	under, ok := book.ByFingerprint(e.Rules)
	if !ok {
		b.is(true, "D03", "rules %s are gone", e.Rules)
		return
	}
	o := under.FirstAid(in)
	b.is(o.AmountFen != e.Facts.Fen("amount_fen") || string(o.Authority) != e.Facts.Text("authority"), "D03",
		"the stored rules on the stored inputs give %d fen by the %s, the event says %d by the %s", o.AmountFen, o.Authority,
		e.Facts.Fen("amount_fen"), e.Facts.Text("authority"))
}

// attempts: references are derived and permanent, the next attempt follows only
// a proven end, and only an answer to our question ends not knowing.
func (f file) attempts(b *breach, p payout.Payout) {
	a := p.Award
	for i, t := range p.Attempts {
		b.is(t.Number != i+1 || t.Reference != payout.Reference(a.Application, a.ID, i+1), "M10", "attempt %d has reference %s", t.Number, t.Reference)
		_, kept := f.items["REQUEST#"+t.Reference]
		b.is(!kept, "M10", "the bytes of attempt %d are not kept", t.Number)
		if i < len(p.Attempts)-1 {
			ends := []payout.Word{payout.Declined, payout.Retryable, payout.Short, payout.SentBack}
			b.is(!slices.Contains(ends, t.Ended) || len(t.Evidence) != 64, "M11", "attempt %d follows one that ended with %q", t.Number+1, t.Ended)
			b.is(t.Ended == "", "M09", "attempts %d and %d are both open", t.Number, t.Number+1)
		}
	}
	for _, e := range f.of(payout.Noun, a.ID) {
		if slices.Contains([]string{"paid", "failed", "returned", "attempt_failed"}, e.Kind) && a.Rail == award.Bank {
			b.is(e.Actor.Kind != event.System || e.Actor.ID != "settle" || len(e.Facts.Text("evidence")) != 64, "M12",
				"%s by %s %s without an answer to our own question", e.Kind, e.Actor.Kind, e.Actor.ID)
		}
	}
	b.is(!a.AmountFen.Payable() || a.AmountFen > award.Ceiling, "M03", "an award of %d fen", a.AmountFen)
	b.is(f.head.Award == nil || f.head.Award.AmountFen != a.AmountFen, "M07", "the payout is of another amount than the decision")
	if a.Envelope == "" {
		b.is(a.Proposer.ID == a.Approver.ID || a.Proposer.Person == a.Approver.Person || a.Proposer.Person == "" || a.Approver.Person == "", "A02",
			"proposed by %s and approved by %s", a.Proposer.ID, a.Approver.ID)
		b.is(f.head.Concerns(a.Proposer.Person) || f.head.Concerns(a.Approver.Person), "A02", "somebody decided on their own case")
	}
}

// money: what the bank paid, what the fund says, and who holds the markers.
func (v View) money(ctx context.Context, b *breach, f file, p payout.Payout) error {
	a := p.Award
	var out money.Fen
	times := 0
	for n := 1; n <= len(p.Attempts)+1; n++ { // one more than we know of
		lines, err := v.Bank(ctx, payout.Reference(a.Application, a.ID, n))
		if err != nil {
			return err
		}
		b.is(len(lines) > 1, "M08", "the bank holds reference %d %d times", n, len(lines))
		b.is(n > len(p.Attempts) && len(lines) > 0, "M10", "the bank was sent an attempt that is not stored")
		for _, l := range lines {
			b.is(l.AmountFen != a.AmountFen, "M08", "the bank was told %d fen, awarded were %d", l.AmountFen, a.AmountFen)
			if l.Status == bank.Paid {
				times++
				out += l.AmountFen
			}
		}
	}
	b.is(times > 1 || out > a.AmountFen, "M08", "the bank paid %d times, %d fen in all, awarded were %d", times, out, a.AmountFen)
	b.is(p.State == payout.Paid && p.PaidFen != a.AmountFen, "M07", "paid %d of %d", p.PaidFen, a.AmountFen)
	if err := v.Fund(ctx, a.Slice()); err != nil {
		b.all = append(b.all, err)
	}
	entries, err := fund.Entries(ctx, v.Table, a.Slice())
	if err != nil {
		return err
	}
	f.booked(b, p, entries)
	return v.markers(ctx, b, p)
}

// booked: each reservation resolves at most once, and the last as the payout says (M06).
func (f file) booked(b *breach, p payout.Payout, entries []fund.Entry) {
	prefix := p.Award.Application + "#" + p.Award.ID + "#"
	kinds := map[fund.Kind]int{}
	for _, e := range entries {
		if strings.HasPrefix(e.Cause, prefix) {
			kinds[e.Kind]++
		}
	}
	if kinds[fund.Reservation] < p.Reservation {
		b.is(true, "M06", "%d reservations booked of %d", kinds[fund.Reservation], p.Reservation)
	}
	if kinds[fund.Reservation] > p.Reservation {
		return // it moved since it was read
	}
	resolved := kinds[fund.Posted] + kinds[fund.Voided]
	b.is(resolved > kinds[fund.Reservation], "M06", "%d reservations resolved %d times", kinds[fund.Reservation], resolved)
	b.is(!p.Open && resolved != p.Reservation, "M06", "the payout is closed and %d of %d reservations are resolved", resolved, p.Reservation)
	b.is(p.State == payout.Returned && kinds[fund.CameBack] == 0, "M06", "what came back is not booked")
}

// markers: one award for a person, cause and year (M22), one account for one
// person (M21).
func (v View) markers(ctx context.Context, b *breach, p payout.Payout) error {
	a := p.Award
	page, err := v.Table.Query(ctx, table.Query{PK: "PERSON#" + a.Subject}.Prefix("ONCE#"))
	if err != nil {
		return err
	}
	mine, plain := 0, 0
	for _, item := range page.Items {
		var m struct {
			Application string `json:"application"`
			Cause       string `json:"cause"`
			Exception   string `json:"exception"`
		}
		if err := json.Unmarshal(item.Body, &m); err != nil {
			return err
		}
		if m.Application == a.Application {
			mine++
		}
		if m.Cause == string(a.Cause) && m.Exception == "" && strings.HasPrefix(item.Key.SK, fmt.Sprintf("ONCE#%d#", a.Year)) {
			plain++
		}
	}
	b.is(mine != 1 || plain > 1, "M22", "%d markers of this award, %d awards of the year for the cause without exception", mine, plain)
	if a.Payee == "" {
		return nil
	}
	item, ok, err := v.Table.Get(ctx, table.Key{PK: "PAYEE#" + a.Payee, SK: "HOLDER"})
	if err != nil {
		return err
	}
	holder := a.Holder
	if holder == "" {
		holder = a.Subject
	}
	b.is(!ok || !strings.Contains(string(item.Body), holder), "M21", "the account is not its holder's")
	return nil
}

// looks is how often Fund looks again while money moves.
const looks = 1000

// Fund is what is wrong with one slice of a fund: its balances are the fold of
// its entries, sum to zero and are nowhere below zero (M01, M02, M04).
func (v View) Fund(ctx context.Context, id fund.ID) error {
	for range looks {
		err := fund.Coherent(ctx, v.Table, id)
		if errors.Is(err, table.ErrBusy) {
			continue
		}
		if err != nil {
			return fmt.Errorf("M02: %s: %w", id.Partition(), err)
		}
		s, err := fund.Read(ctx, v.Table, id)
		if err != nil {
			return err
		}
		var sum money.Fen
		for _, a := range fund.Accounts() {
			sum += s.Balances.Of(a)
		}
		if sum != 0 {
			return fmt.Errorf("M01: %s: balances sum to %d fen", id.Partition(), sum)
		}
		return nil
	}
	return fmt.Errorf("invariant: %s never stood still", id.Partition())
}
