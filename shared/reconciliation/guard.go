package reconciliation

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// Guard stops payments by itself when reconciliation is blind: when no statement of
// a source was believed for days, when a statement lists too many payments that our
// books have not, when ours does not agree with ours. It pulls a brake, which two
// people may lift, and which it lifts itself when it sees again.
type Guard struct {
	Table   table.Store
	Sources Sources
	Regions []Region
	// BlindDays is how many days in a row without a believed statement are blind.
	BlindDays int
	// Strangers is how many open payments that our books have not are bearable on one account.
	Strangers int
	Now       func() time.Time
}

// Region is what a brake of a rail covers: every township of a region.
type Region struct {
	Code      civil.DivisionCode
	Divisions []civil.DivisionCode // all in it, itself too
}

// Defaults of a Guard.
const (
	DefaultBlindDays = 2
	DefaultStrangers = 3
)

// patience is how long after it was to be had a statement may be missing before it
// counts: fetching takes a few tries.
const patience = 2 * time.Hour

// crowd is how many townships may be stopped one by one; beyond it the region is.
const crowd = 10

// cause is a reason to stop something.
type cause struct {
	kind     brake.Kind
	target   string
	division civil.DivisionCode
	covers   []civil.DivisionCode
	reason   string
}

func (c cause) stops(b brake.Brake) bool {
	return b.Kind == c.kind && b.Target == c.target && b.Division == c.division && b.Reason == c.reason
}

// Blindness is how many of the latest days in a row a source has no statement of by
// which we see (Head.Sees); 0 when the latest is there. Days before the source was first looked
// at do not count.
func Blindness(ctx context.Context, t table.Store, source string, now time.Time) (days int, last civil.Day, err error) {
	since, err := Since(ctx, t, source)
	if err != nil || since.IsZero() {
		return 0, civil.Day{}, err
	}
	for day := LastReady(now); !day.Before(since) && days < catchUp; day = day.AddDays(-1) {
		h, err := Statement(ctx, t, source, day)
		if err != nil {
			return days, last, err
		}
		if h.Sees() {
			return days, day, nil
		}
		if late := Ready(day); h.Asked.After(late) && now.Before(h.Asked.Add(patience)) || now.Before(late.Add(patience)) {
			continue // it is being fetched
		}
		days++
	}
	return days, civil.Day{}, nil
}

// Watched is what a guard saw and did.
type Watched struct {
	Open    map[Class]int
	Oldest  map[Class]time.Duration
	Blind   map[string]int // days, by source
	Pulled  []brake.Brake
	Lifted  []brake.Brake
	Refused int // pulls that the board did not take
}

// Watch looks, and pulls or lifts what follows. It may run twice at once: the board
// is a condition of every step, and a brake has one id.
func (g Guard) Watch(ctx context.Context, by event.Actor) (Watched, error) {
	w := Watched{Open: map[Class]int{}, Oldest: map[Class]time.Duration{}, Blind: map[string]int{}}
	causes, err := g.causes(ctx, &w)
	if err != nil {
		return w, err
	}
	all, err := brake.List(ctx, g.Table)
	if err != nil {
		return w, err
	}
	now := g.Now()
	for _, c := range causes {
		if err := g.pull(ctx, c, all, by, now, &w); err != nil {
			return w, err
		}
	}
	for _, b := range all {
		if !b.Stops(now) || b.Pulled.By != by || slices.ContainsFunc(causes, func(c cause) bool { return c.stops(b) }) {
			continue
		}
		released, err := b.Release(by, now)
		if errors.Is(err, brake.ErrState) {
			continue // a person has taken it over
		}
		if err == nil {
			err = g.keep(ctx, released, "released", by, now)
		}
		if err != nil && !errors.Is(err, brake.ErrMovedOn) {
			return w, err
		}
		if err == nil {
			w.Lifted = append(w.Lifted, released)
		}
	}
	return w, nil
}

// causes are the reasons to stop something now.
func (g Guard) causes(ctx context.Context, w *Watched) ([]cause, error) {
	var causes []cause
	now := g.Now()
	for _, s := range g.Sources {
		days, _, err := Blindness(ctx, g.Table, s.Name, now)
		if err != nil {
			return nil, err
		}
		if w.Blind[s.Name] = days; days >= g.BlindDays {
			causes = append(causes, g.rails(s.Rails, brake.Blind)...)
		}
	}
	strangers := map[string]int{}
	for _, r := range g.Regions {
		broken := map[civil.DivisionCode]bool{}
		err := Look(ctx, g.Table, r.Divisions, func(b Break) {
			w.Open[b.Class]++
			w.Oldest[b.Class] = max(w.Oldest[b.Class], b.Age(now))
			switch {
			case b.Class == Incoherent:
				broken[b.Division] = true
			case (b.Class == MissingOurs || b.Class == UnknownNumber && b.Way == payout.Out) && b.Source != Treasury && b.Gone == "":
				strangers[b.Source]++
			}
		})
		if err != nil {
			return nil, err
		}
		causes = append(causes, r.incoherent(broken)...)
	}
	for _, s := range g.Sources {
		if strangers[s.Name] > g.Strangers {
			causes = append(causes, g.rails(s.Rails, brake.Strangers)...)
		}
	}
	return causes, nil
}

func (g Guard) rails(rails []award.Rail, reason string) []cause {
	var all []cause
	for _, r := range g.Regions {
		for _, rail := range rails {
			all = append(all, cause{brake.Rail, string(rail), r.Code, r.Divisions, reason})
		}
	}
	return all
}

// incoherent stops the townships in which ours does not agree with ours, or the
// region when they are many.
func (r Region) incoherent(broken map[civil.DivisionCode]bool) []cause {
	if broken[r.Code] || len(broken) > crowd {
		return []cause{{brake.Division, "", r.Code, r.Divisions, brake.Incoherent}}
	}
	var all []cause
	for _, d := range r.Divisions {
		if broken[d] {
			all = append(all, cause{brake.Division, "", d, []civil.DivisionCode{d}, brake.Incoherent})
		}
	}
	return all
}

// pull pulls a brake for a cause, unless one stands, or people lifted one for the
// same cause within a day: they have looked, and know better for that long.
func (g Guard) pull(ctx context.Context, c cause, all []brake.Brake, by event.Actor, now time.Time, w *Watched) error {
	before := 0
	for _, b := range all {
		if !c.stops(b) || b.Pulled.By != by {
			continue
		}
		before++
		if b.Stops(now) || b.Lifted.By != by && now.Before(b.Lifted.At.Add(brake.Again)) {
			return nil
		}
	}
	b, err := brake.NewByMachine(brake.Brake{ID: ident.Derive("brake by machine", string(c.kind), c.target, string(c.division), c.reason, strconv.Itoa(before)),
		Kind: c.kind, Target: c.target, Division: c.division, Townships: townships(c.covers), Reason: c.reason}, by, now)
	if err != nil {
		return err
	}
	switch err := g.keep(ctx, b, "pulled", by, now); {
	case errors.Is(err, brake.ErrAlready), errors.Is(err, brake.ErrMovedOn):
		return nil // it is stopped already, or somebody was quicker and the next look sees
	case errors.Is(err, brake.ErrMany):
		w.Refused++
		return nil
	case err != nil:
		return err
	}
	w.Pulled = append(w.Pulled, b)
	return nil
}

func (g Guard) keep(ctx context.Context, b brake.Brake, kind string, by event.Actor, now time.Time) error {
	board, err := brake.Read(ctx, g.Table, b.ID)
	if err != nil {
		return err
	}
	return brake.Commit(ctx, g.Table, board, b, b.Event(kind, by, now))
}

func townships(all []civil.DivisionCode) []civil.DivisionCode {
	return slices.DeleteFunc(slices.Clone(all), func(d civil.DivisionCode) bool { return d.Level() < civil.TownshipLevel })
}
