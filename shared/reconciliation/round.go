package reconciliation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A Round is how ours is held against ours without looking at everything at once.
// One run looks first at whatever may just have moved: the payouts and applications
// that owe something soonest, what was booked today and yesterday, and every slice whose
// balances are not as they were. Then it goes on where the last run stopped, slice
// after slice with the cases it pays for, division after division with the cases
// that are open, until Budget is used up. So a hand in a row that money just moved
// through is seen at the next run, and one anywhere after at most (cases and
// entries) ÷ Budget runs.
type Round struct {
	Table     table.Store
	Divisions []civil.DivisionCode // down to the townships
	Rails     []award.Rail
	// Budget is about how many items one run reads beyond what just moved.
	Budget int
	Now    func() time.Time
}

// DefaultBudget is the Budget where nobody says otherwise.
const DefaultBudget = 20_000

// Found is what one run found.
type Found struct {
	Flaws  []Flaw
	Cases  int
	Slices int
	// Whole tells that the run came to the end of everything, and Since when that
	// round had begun.
	Whole bool
	Since time.Time
	// Busy counts what never stood still long enough; the next run looks again.
	Busy int
}

// cursor is where the last run stopped.
type cursor struct {
	Since time.Time `json:"since"`
	Unit  int       `json:"unit"`
	Case  string    `json:"case,omitempty"` // the last one looked at in the unit
	// Seen are the slices as they were when last looked through.
	Seen map[string]string `json:"seen"`
}

var cursorKey = table.Key{PK: "COHERENCE", SK: "CURSOR"}

// run is one run of a round.
type run struct {
	Round
	at     cursor
	found  Found
	looked map[string]bool // cases of this run
	left   int
}

// Run looks once. Of two runs at once one remembers where it got to.
func (r Round) Run(ctx context.Context) (Found, error) {
	item, ok, err := r.Table.Get(ctx, cursorKey)
	if err != nil {
		return Found{}, err
	}
	one := run{Round: r, looked: map[string]bool{}, left: r.Budget, at: cursor{Since: r.Now(), Seen: map[string]string{}}}
	if ok {
		if err := json.Unmarshal(item.Body, &one.at); err != nil {
			return Found{}, fmt.Errorf("reconciliation: cursor: %w", err)
		}
	}
	for _, look := range []func(context.Context) error{one.moved, one.changed, one.onward} {
		if err := look(ctx); err != nil {
			return one.found, err
		}
	}
	body, err := json.Marshal(one.at)
	if err != nil {
		return one.found, fmt.Errorf("reconciliation: cursor: %w", err)
	}
	next := table.Item{Key: cursorKey, Version: item.Version + 1, Body: body}
	err = r.Table.Transact(ctx, table.Step(next))
	if _, twin := errors.AsType[*table.ConditionError](err); twin {
		err = nil
	}
	return one.found, err
}

// look looks at one case, once in a run.
func (r *run) look(ctx context.Context, id string) error {
	if id == "" || r.looked[id] {
		return nil
	}
	r.looked[id] = true
	flaws, err := CheckCase(ctx, r.Table, id)
	if errors.Is(err, table.ErrBusy) {
		r.found.Busy++
		return nil
	}
	r.found.Cases++
	r.left -= caseItems
	r.found.Flaws = append(r.found.Flaws, flaws...)
	return err
}

// caseItems is about how many items one case has.
const caseItems = 25

// moved looks at what owes something and at what was booked since yesterday.
func (r *run) moved(ctx context.Context) error {
	var ids []string
	for shard := range work.Shards {
		read := 0
		for item, err := range table.All(ctx, r.Table, table.Query{Index: table.ByDue, PK: work.Shard(shard)}) {
			if err != nil {
				return err
			}
			if payout.Is(item.Key) || application.Is(item.Key) {
				ids = append(ids, caseOf(item.Key))
			}
			// What is owed in months, such as the second look at every complaint that
			// was closed, stands at the end, and there is no end of it.
			if read++; read >= max(r.Budget/work.Shards, table.MaxPage) {
				break
			}
		}
	}
	for _, rail := range r.Rails {
		for n := range 2 {
			booked, err := payout.OnDay(ctx, r.Table, rail, today(r.Now()).AddDays(-n))
			if err != nil {
				return err
			}
			for _, b := range booked {
				ids = append(ids, b.Application)
			}
		}
	}
	slices.Sort(ids)
	for i, id := range slices.Compact(ids) {
		if i*caseItems >= 2*r.Budget {
			break // a crisis: the round sees the rest
		}
		if err := r.look(ctx, id); err != nil {
			return err
		}
	}
	r.left = r.Budget
	return nil
}

const casePrefix = "APP#"

func caseOf(k table.Key) string { return k.PK[len(casePrefix):] }

// slices are all that there may be: of this year, and of the last, whose payments
// may still come back.
func (r *run) slices() []fund.ID {
	var all []fund.ID
	for _, d := range r.Divisions {
		if d.Level() != civil.TownshipLevel {
			continue
		}
		for _, purpose := range fund.Purposes() {
			for year := range 2 {
				all = append(all, fund.ID{Fund: fund.Named(purpose, today(r.Now()).Year()-year), Township: d})
			}
		}
	}
	return all
}

// changed looks through every slice whose balances are not as they were.
func (r *run) changed(ctx context.Context) error {
	for _, id := range r.slices() {
		s, err := fund.Read(ctx, r.Table, id)
		if errors.Is(err, fund.ErrMissing) {
			continue
		}
		if err != nil {
			return err
		}
		if r.at.Seen[id.Partition()] == stampOf(s) {
			continue
		}
		if _, err := r.slice(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func stampOf(s fund.Slice) string {
	stamp := fmt.Sprintf("%d %d", s.Version, s.Balances.Count)
	for _, a := range fund.Accounts() {
		stamp += fmt.Sprintf(" %d", int64(s.Balances.Of(a)))
	}
	return Digest([]byte(stamp))[:16]
}

// slice looks through one slice and gives the cases that it pays for.
func (r *run) slice(ctx context.Context, id fund.ID) ([]string, error) {
	look, flaws, err := CheckSlice(ctx, r.Table, id)
	if errors.Is(err, table.ErrBusy) {
		r.found.Busy++
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.found.Slices++
	r.left -= len(look.Entries)
	r.found.Flaws = append(r.found.Flaws, flaws...)
	if r.at.Seen == nil {
		r.at.Seen = map[string]string{}
	}
	r.at.Seen[id.Partition()] = stampOf(look.Slice)
	var ids []string
	for _, e := range look.Entries {
		if application, _, ok := e.Of(); ok {
			ids = append(ids, application)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// onward goes on where the last run stopped.
func (r *run) onward(ctx context.Context) error {
	all := r.slices()
	units := len(all) + len(r.Divisions)
	if r.at.Unit >= units {
		r.at.Unit, r.at.Case = 0, ""
	}
	for r.left > 0 {
		var ids []string
		var err error
		if r.at.Unit < len(all) {
			ids, err = r.slice(ctx, all[r.at.Unit])
			if errors.Is(err, fund.ErrMissing) {
				err = nil
			}
		} else {
			ids, err = r.open(ctx, r.Divisions[r.at.Unit-len(all)])
		}
		if err != nil {
			return err
		}
		r.left-- // what is empty costs a read too
		for _, id := range ids {
			if id <= r.at.Case {
				continue
			}
			if r.left <= 0 {
				return nil
			}
			if err := r.look(ctx, id); err != nil {
				return err
			}
			r.at.Case = id
		}
		if r.at.Unit, r.at.Case = r.at.Unit+1, ""; r.at.Unit >= units {
			r.found.Whole, r.found.Since = true, r.at.Since
			r.at.Unit, r.at.Since = 0, r.Now()
			return nil
		}
	}
	return nil
}

// open lists the cases that the staff of a division have to do something about.
func (r *run) open(ctx context.Context, d civil.DivisionCode) ([]string, error) {
	var ids []string
	err := table.Each(ctx, r.Table, table.Query{Index: table.ByWork, PK: application.WorkList(d)}, func(item table.Item) error {
		if application.Is(item.Key) {
			ids = append(ids, caseOf(item.Key))
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// Mark opens a break for every flaw that has none yet, in the work list of its
// township. It repairs nothing.
func (o Office) Mark(ctx context.Context, flaws []Flaw, by event.Actor) (opened []Break, err error) {
	now := o.Now()
	known := map[civil.DivisionCode]map[string]bool{}
	for _, f := range flaws {
		division := f.Township
		if division == "" {
			division = o.Region
		}
		if known[division] == nil {
			known[division] = map[string]bool{}
			open, err := OpenIn(ctx, o.Table, division)
			if err != nil {
				return opened, err
			}
			for _, b := range open {
				known[division][b.Rule+b.Row] = true
			}
		}
		if known[division][f.Rule+row(f.Row)] {
			continue
		}
		known[division][f.Rule+row(f.Row)] = true
		b := Break{ID: newID(Ours, today(now), f.Rule, f.Row.PK, f.Row.SK), Version: 1, Source: Ours, Day: today(now), Class: Incoherent, State: Open,
			Division: division, Application: f.Application, Award: f.Award, Rule: f.Rule, Row: row(f.Row), Since: now, Owner: "finance"}
		switch err := Commit(ctx, o.Table, b, b.Event("opened", by, now)); {
		case errors.Is(err, ErrMovedOn): // a twin was quicker, or two people closed it today
		case err != nil:
			return opened, err
		default:
			opened = append(opened, b)
		}
	}
	return opened, nil
}
