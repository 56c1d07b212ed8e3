package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// city is what the figures are of: Dazhou, which has more than two hundred townships.
const city = civil.DivisionCode("511700000000")

// year is the log of a city's year: so many cases, made up as they are read, each
// the same whenever it is read. Cases of one minute stand beside each other, as in
// a log that several townships write at once.
type year struct {
	cases  int
	places []civil.DivisionCode
	first  time.Time
}

// perCase is how many events a case has, beside is how many cases go on at once.
const (
	perCase = 8
	beside  = 50
)

func newYear(cases int) *year {
	y := &year{cases: cases, first: time.Date(2026, 1, 1, 0, 0, 0, 0, calendar.Zone)}
	tree := division.Shipped()
	for _, d := range tree.Below(city, civil.Date(2026, 6, 1)) {
		if d.Level() == civil.TownshipLevel {
			y.places = append(y.places, d)
		}
	}
	return y
}

// Size is every event of the year.
func (y *year) Size(context.Context) (uint64, error) {
	return uint64(y.cases / beside * beside * perCase), nil
}

// Read makes the events at those places of the log.
func (y *year) Read(ctx context.Context, from uint64, max int) ([]evidence.Entry, error) {
	size, err := y.Size(ctx)
	if err != nil || from >= size {
		return nil, err
	}
	entries := make([]evidence.Entry, 0, max)
	for i := from; i < min(size, from+uint64(max)); i++ {
		group, within := int(i)/(beside*perCase), int(i)%(beside*perCase)
		entries = append(entries, evidence.Entry{Index: i, Event: y.event(group*beside+within%beside, within/beside)})
	}
	return entries, nil
}

// event is the nth event of a case.
func (y *year) event(n, step int) event.Event {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	id := fmt.Sprintf("case%08d", n)
	place := y.places[r.IntN(len(y.places))]
	at := y.first.Add(time.Duration(float64(365*24*time.Hour) * float64(n) / float64(y.cases)))
	clerk, boss := fmt.Sprintf("%s-clerk-%d", place, r.IntN(3)), fmt.Sprintf("%s-approver-%d", place, r.IntN(2))
	amount := money.Fen(50_000 + r.IntN(450_000))
	waits := []time.Duration{0, time.Minute, time.Duration(r.ExpFloat64() * float64(2*time.Hour)), time.Duration(r.ExpFloat64() * float64(4*time.Hour)),
		time.Minute, time.Duration(r.ExpFloat64() * float64(5*time.Minute)), time.Duration(r.ExpFloat64() * float64(3*time.Hour)), 72 * time.Hour}
	for _, w := range waits[:step+1] {
		at = at.Add(w)
	}
	own := func(v int64, kind string, by event.Actor, facts event.Facts) event.Event {
		return event.Event{PK: application.Partition(id), Noun: application.Noun, ID: id, Version: v, Kind: kind, At: at, Actor: by, Facts: facts}
	}
	pay := func(v int64, kind string, state payout.State) event.Event {
		return event.Event{PK: application.Partition(id), Noun: payout.Noun, ID: "01", Version: v, Kind: kind, At: at, Actor: event.Actor{Kind: event.Provider, ID: "bank"},
			Facts: event.Facts{"rail": "bank", "state": string(state)}}
	}
	staff := func(id string) event.Actor { return event.Actor{Kind: event.Staff, ID: id, Person: "b1." + id} }
	switch step {
	case 0:
		return own(1, "accepted", event.Actor{Kind: event.Citizen, ID: "a"}, event.Facts{"township": string(place), "relation": "relative", "decide_due": at.Add(24 * time.Hour).Format(time.RFC3339)})
	case 1:
		return own(2, "verified", event.Actor{Kind: event.System, ID: "verify"}, event.Facts{"placed": ""})
	case 2:
		return own(3, "proposed", staff(clerk), event.Facts{"amount_fen": amount, "township_fen": money.Fen(500_000)})
	case 3:
		return own(4, "approved", staff(boss), event.Facts{"amount_fen": amount, "explain_due": at.Add(120 * time.Hour).Format(time.RFC3339)})
	case 4:
		return pay(1, "submitted", payout.Submitted)
	case 5:
		return pay(2, "paid", payout.Paid)
	case 6:
		e := own(5, "receipted", event.Actor{Kind: event.Citizen, ID: "a"}, event.Facts{"answer": application.Received})
		e.Reason = application.Received
		return e
	}
	return own(6, "explained", staff(clerk), event.Facts{"findings": "ok"})
}

// figures measures how fast a year of a city is folded, and how long its report
// takes, with a tenth of the cases and with all of them in one run.
func figures(ctx context.Context, o options) error {
	const clients = 1
	var before rate
	for _, cases := range []int{o.cases / 10, o.cases} {
		store := embedded.Memory() // the fold's own cost; a disk adds its flushes, one for some ten events
		y := newYear(cases)
		now := func() time.Time { return y.first.AddDate(1, 0, 0) }
		folder := &indicator.Folder{Table: store, Log: y, Tree: division.Shipped()}
		begin := time.Now()
		n, err := folder.Fold(ctx)
		if err != nil {
			return err
		}
		took := time.Since(begin)
		fmt.Printf("| %9d cases | folded | %9.0f events/s | %.0f cases/s |\n", cases, float64(n)/took.Seconds(), float64(cases)/took.Seconds())
		reader := indicator.Reader{Table: store, Tree: division.Shipped(), Now: now}
		q := indicator.Question{Division: city, From: civil.Date(2026, 1, 1), To: civil.Date(2026, 12, 31)}
		for _, by := range []indicator.By{indicator.ByDivision, indicator.ByDay, indicator.ByNothing} {
			q.By = by
			r := measure(ctx, clients, o.lasting/3, func(ctx context.Context) error { _, err := reader.Report(ctx, q); return err })
			fmt.Printf("| %9d cases | 12 months of a city, by %q | %s |\n", cases, by, r)
			if by == indicator.ByDivision {
				if before.perSecond > 0 {
					fmt.Printf("\nratio: the report takes %.2f of the time with a tenth of the cases\n\n", float64(r.p50)/float64(before.p50))
				}
				before = r
			}
		}
		s := indicator.Search{Question: q, Indicator: indicator.Decided, Code: indicator.Over24h, Limit: 50}
		s.By = indicator.ByNothing
		r := measure(ctx, clients, o.lasting/3, func(ctx context.Context) error { _, _, err := reader.Cases(ctx, s); return err })
		fmt.Printf("| %9d cases | a page of 50 cases behind a figure | %s |\n", cases, r)
		if err := store.Close(); err != nil {
			return err
		}
	}
	return ctx.Err()
}
