package indicator

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

const (
	city      = civil.DivisionCode("320400000000")
	county    = civil.DivisionCode("320402000000")
	township  = civil.DivisionCode("320402005000")
	sibling   = civil.DivisionCode("320402002000")
	elsewhere = civil.DivisionCode("320411002000") // in another county
)

// monday is a working morning.
var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, calendar.Zone)

// log is an evidence log of planted events.
type log struct{ entries []evidence.Entry }

func (l *log) Size(context.Context) (uint64, error) { return uint64(len(l.entries)), nil }

func (l *log) Read(_ context.Context, from uint64, max int) ([]evidence.Entry, error) {
	if from >= uint64(len(l.entries)) {
		return nil, nil
	}
	return l.entries[from:min(int(from)+max, len(l.entries))], nil
}

func (l *log) put(events ...event.Event) {
	for _, e := range events {
		l.entries = append(l.entries, evidence.Entry{Index: uint64(len(l.entries)), Event: e})
	}
}

// desk plants events and folds them.
type desk struct {
	*testing.T
	log
	store table.Store
	now   time.Time
	cases int
}

func plant(t *testing.T) *desk {
	store := embedded.Memory()
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &desk{T: t, store: store, now: monday}
}

func (d *desk) folder() *Folder {
	return &Folder{Table: d.store, Log: &d.log, Tree: division.Shipped()}
}

func (d *desk) fold() {
	d.Helper()
	if _, err := d.folder().Fold(d.Context()); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) reader() Reader {
	return Reader{Table: d.store, Tree: division.Shipped(), Now: func() time.Time { return d.now }}
}

// report is about November unless q says otherwise.
func (d *desk) report(q Question) Report {
	d.Helper()
	if q.Division == "" {
		q.Division = city
	}
	if q.From.IsZero() {
		q.From, q.To = civil.Date(2026, 11, 1), civil.Date(2026, 11, 30)
	}
	r, err := d.reader().Report(d.Context(), q)
	if err != nil {
		d.Fatal(err)
	}
	return r
}

// figure is one figure of the township.
func (d *desk) figure(id ID) Figure { return pick(d.report(Question{Division: township}).Figures, id) }

func pick(list []Figure, id ID) Figure {
	i := slices.IndexFunc(list, func(f Figure) bool { return f.Indicator == id })
	if i < 0 {
		return Figure{}
	}
	return list[i]
}

func (f Figure) part(code string) int64 {
	for _, p := range f.Parts {
		if p.Code == code {
			return p.Count
		}
	}
	return 0
}

// found lists the cases behind a figure.
func (d *desk) found(s Search) []Case {
	d.Helper()
	if s.Division == "" {
		s.Division = township
	}
	s.From, s.To = civil.Date(2026, 11, 1), civil.Date(2026, 11, 30)
	if s.Limit == 0 {
		s.Limit = MostCases
	}
	var all []Case
	for {
		page, next, err := d.reader().Cases(d.Context(), s)
		if err != nil {
			d.Fatal(err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		s.After = next
	}
}

// file is one application whose events are planted one after another.
type file struct {
	d        *desk
	id       string
	versions map[string]int64
	at       time.Time
	place    civil.DivisionCode
	asker    string
}

func (d *desk) file(at time.Time) *file {
	d.cases++
	return &file{d: d, id: fmt.Sprintf("case%04d", d.cases), versions: map[string]int64{}, at: at, place: township, asker: fmt.Sprintf("person-%d", d.cases)}
}

func staffer(id string) event.Actor {
	return event.Actor{Kind: event.Staff, ID: "320400-" + id, Person: "b1." + id}
}

func (f *file) make(noun, id, kind string, by event.Actor, reason string, facts event.Facts) event.Event {
	f.versions[noun+id]++
	return event.Event{PK: application.Partition(f.id), Noun: noun, ID: id, Version: f.versions[noun+id], Kind: kind, At: f.at, Actor: by, Reason: reason, Facts: facts}
}

func (f *file) put(kind string, by event.Actor, reason string, facts event.Facts) *file {
	f.d.put(f.make(application.Noun, f.id, kind, by, reason, facts))
	return f
}

func (f *file) after(d time.Duration) *file { f.at = f.at.Add(d); return f }

func (f *file) accept(facts event.Facts) *file {
	all := event.Facts{"township": string(f.place), "relation": "self", "decide_due": f.at.Add(24 * time.Hour).Format(time.RFC3339)}
	for k, v := range facts {
		all[k] = v
	}
	return f.put("accepted", event.Actor{Kind: event.Citizen, ID: "account", Person: f.asker}, "", all)
}

func (f *file) propose(by string, amount money.Fen) *file {
	return f.put("proposed", staffer(by), "", event.Facts{"amount_fen": amount, "township_fen": money.Fen(500000)})
}

func (f *file) approve(by string, amount money.Fen) *file {
	f.put("approved", staffer(by), "", event.Facts{"amount_fen": amount, "explain_due": f.at.Add(5 * 24 * time.Hour).Format(time.RFC3339)})
	return f.pay("granted", payout.Due)
}

func (f *file) pay(kind string, state payout.State) *file {
	f.d.put(f.make(payout.Noun, "01", kind, event.Actor{Kind: event.Provider, ID: "bank"}, "", event.Facts{"award": "01", "rail": "bank", "state": string(state)}))
	return f
}

func (f *file) said(answer string) *file {
	return f.put("receipted", event.Actor{Kind: event.Citizen, ID: "account"}, answer, event.Facts{"award": "01", "answer": answer})
}
