package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"
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
	"github.com/doudi-aid/doudi/shared/table"
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

// few is how many cases there are before options.cases.
const few = 10_000

// figures measures how fast a year of a city is folded, and how long its report and
// a page of the cases behind a figure take, with few cases and with options.cases,
// in turns.
func figures(ctx context.Context, o options) error {
	if err := folding(ctx, o.lasting); err != nil {
		return err
	}
	counts := [2]int{few, max(o.cases, 2*few)}
	var readers [2]indicator.Reader
	for i, cases := range counts {
		store := embedded.Memory(embedded.Spare(1000))
		defer func() { _ = store.Close() }()
		y := newYear(cases)
		begin := time.Now()
		if err := y.fill(ctx, store); err != nil {
			return err
		}
		fmt.Printf("| %d cases folded, many events a transaction, in %s |\n", cases, time.Since(begin).Round(time.Second))
		readers[i] = indicator.Reader{Table: store, Tree: division.Shipped(), Now: func() time.Time { return y.first.AddDate(1, 0, 0) }}
	}
	runtime.GC() // of what filling left
	q := indicator.Question{Division: city, From: civil.Date(2026, 1, 1), To: civil.Date(2026, 12, 31)}
	report := func(by indicator.By) func(context.Context, indicator.Reader) error {
		q := q
		q.By = by
		return func(ctx context.Context, r indicator.Reader) error { _, err := r.Report(ctx, q); return err }
	}
	search := indicator.Search{Question: q, Indicator: indicator.Decided, Code: indicator.Over24h, Limit: 50}
	fmt.Printf("\n| asked in turns | p50 with %d cases | p50 with %d | p99 with %d | p99 with %d | processor time with %d | with %d |\n|---|---|---|---|---|---|---|\n",
		counts[0], counts[1], counts[0], counts[1], counts[0], counts[1])
	for _, ask := range []struct {
		what string
		do   func(context.Context, indicator.Reader) error
	}{
		{"12 months of a city", report(indicator.ByNothing)},
		{"the same by district", report(indicator.ByDivision)},
		{"the same by day", report(indicator.ByDay)},
		{"the same by officer", report(indicator.ByOfficer)},
		{"a page of 50 cases behind a figure", func(ctx context.Context, r indicator.Reader) error { _, _, err := r.Cases(ctx, search); return err }},
	} {
		var took [2][]time.Duration
		var spent [2]time.Duration // which does not grow with what else the machine does
		for begin := time.Now(); time.Since(begin) < o.lasting/2 && ctx.Err() == nil; {
			for i, r := range readers {
				start, used := time.Now(), processor()
				if err := ask.do(ctx, r); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(start))
				spent[i] += processor() - used
			}
		}
		at := func(i, percent int) time.Duration {
			slices.Sort(took[i])
			return took[i][len(took[i])*percent/100].Round(10 * time.Microsecond)
		}
		each := func(i int) time.Duration {
			return (spent[i] / time.Duration(len(took[i]))).Round(10 * time.Microsecond)
		}
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %s |\n", ask.what, at(0, 50), at(1, 50), at(0, 99), at(1, 99), each(0), each(1))
	}
	return ctx.Err()
}

// processor is the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no process but another
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// folding measures the fold as it runs, a hundred items a transaction, for so long.
func folding(ctx context.Context, lasting time.Duration) error {
	store := embedded.Memory() // the fold's own cost; a disk adds its flushes, one for some ten events
	defer func() { _ = store.Close() }()
	folder := &indicator.Folder{Table: store, Log: newYear(1_000_000), Tree: division.Shipped()}
	begin := time.Now()
	within, done := context.WithTimeout(ctx, lasting)
	defer done()
	n, err := folder.Fold(within)
	fmt.Printf("| folded, a hundred items a transaction | %9.0f events/s |\n", float64(n)/time.Since(begin).Seconds())
	return err
}

// fill folds the whole year, many entries a transaction. What it makes is what
// folding them a hundred items at a time makes (indicator.TestIncrementalIsRebuild).
func (y *year) fill(ctx context.Context, store *embedded.Store) error {
	within, done := context.WithCancel(ctx)
	defer done()
	shown := make(chan struct{})
	size, err := y.Size(ctx)
	if err != nil {
		return err
	}
	// A million cases are some five gigabytes, which are walked seldom and never for
	// more than twice as much.
	defer debug.SetGCPercent(debug.SetGCPercent(300))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(10 << 30))
	log := &watched{year: y}
	go func() {
		defer close(shown)
		for within.Err() == nil {
			progress("folding events", int(log.at.Load()), int(size))
			select {
			case <-within.Done():
			case <-time.After(time.Second):
			}
		}
		progress("folding events", int(size), int(size))
	}()
	folder := &indicator.Folder{Table: inParts{store}, Log: log, Tree: division.Shipped(), Writes: 20_000}
	_, err = folder.Fold(ctx)
	done()
	<-shown
	return err
}

// watched is a year that knows how far it was read.
type watched struct {
	*year
	at atomic.Int64
}

// Read notes how far that is.
func (w *watched) Read(ctx context.Context, from uint64, max int) ([]evidence.Entry, error) {
	w.at.Store(int64(from))
	return w.year.Read(ctx, from, max)
}

// inParts is a store that takes a transaction of any size, in parts: nobody else is
// there, and what dies is filled anew.
type inParts struct{ *embedded.Store }

// Transact writes one part after another.
func (s inParts) Transact(ctx context.Context, writes ...table.Write) error {
	for part := range slices.Chunk(writes, table.MaxWrites) {
		if err := s.Store.Transact(ctx, part...); err != nil {
			return err
		}
	}
	return nil
}
