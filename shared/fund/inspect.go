package fund

import (
	"context"
	"fmt"
	"slices"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Flaw is something that no correct ledger could hold, and in which item of the
// slice it stands.
type Flaw struct {
	Rule string // M01, M02 …
	SK   string
	Why  string
}

// Inspected is a slice as it was looked through, and its entries.
type Inspected struct {
	Slice   Slice
	Entries []Entry
	Flaws   []Flaw
}

// Inspect looks through a slice and all its entries and names every item that is
// not as it should be. ErrMissing when there is no slice; table.ErrBusy when money
// moved during every look.
func Inspect(ctx context.Context, t table.Store, id ID) (Inspected, error) {
	for range glances {
		before, err := Read(ctx, t, id)
		if err != nil {
			return Inspected{}, err
		}
		look := Inspected{}
		q := table.Query{PK: id.Partition()}.Prefix(entryPrefix)
		for item, err := range table.All(ctx, t, q) {
			if err != nil {
				return Inspected{}, err
			}
			look.entry(item)
		}
		after, err := Read(ctx, t, id)
		if err != nil {
			return Inspected{}, err
		}
		if before.Version != after.Version {
			continue
		}
		look.Slice = after
		look.relations()
		look.sums()
		return look, nil
	}
	return Inspected{}, table.ErrBusy
}

func (l *Inspected) flaw(rule, sk, format string, args ...any) {
	l.Flaws = append(l.Flaws, Flaw{rule, sk, fmt.Sprintf(format, args...)})
}

// entry takes one item: it was put once, and says of itself where it stands.
func (l *Inspected) entry(item table.Item) {
	e, err := decodeEntry(item)
	if err != nil {
		l.flaw("M13", item.Key.SK, "the entry cannot be read as what it is")
		return
	}
	if item.Version != 1 {
		l.flaw("M13", item.Key.SK, "written %d times", item.Version)
	}
	l.Entries = append(l.Entries, e)
}

// relations: every entry balances, and answers what it says it answers.
func (l *Inspected) relations() {
	by, back := map[string]Entry{}, map[string]money.Fen{}
	for _, e := range l.Entries {
		by[e.Cause] = e
	}
	for _, e := range l.Entries {
		var sum money.Fen
		for _, leg := range e.Legs {
			var err error
			if sum, err = sum.Add(leg.Fen); err != nil {
				l.flaw("M01", entryPrefix+e.Cause, "its legs overflow")
			}
		}
		if sum != 0 {
			l.flaw("M01", entryPrefix+e.Cause, "its legs sum to %d fen", int64(sum))
		}
		if e.Answers == "" {
			continue
		}
		asked, ok := by[e.Answers]
		switch {
		case !ok:
			l.flaw("M06", entryPrefix+e.Cause, "it answers an entry that is not there")
		case !answers(asked, e):
			l.flaw("M07", entryPrefix+e.Cause, "it does not fit the entry that it answers")
		case e.Kind == CameBack || e.Kind == GaveBack:
			var err error
			if back[e.Answers], err = back[e.Answers].Sub(e.leg(Returned)); err != nil || back[e.Answers] > asked.leg(Paid) {
				l.flaw("M07", entryPrefix+e.Cause, "more came back than was paid")
			}
		}
	}
}

// sums: the counters are the fold of the entries, none is missing, and they sum to
// zero above their floors.
func (l *Inspected) sums() {
	const slice = "SLICE"
	folded, total := map[Account]money.Fen{}, money.Fen(0)
	for _, e := range l.Entries {
		for _, leg := range e.Legs {
			if !slices.Contains(Accounts(), leg.Account) {
				l.flaw("M01", entryPrefix+e.Cause, "it names no account of ours")
			}
			if sum, err := folded[leg.Account].Add(leg.Fen); err == nil {
				folded[leg.Account] = sum
			} else {
				l.flaw("M02", entryPrefix+e.Cause, "the sum overflows")
			}
		}
	}
	stored := l.Slice.Balances
	for _, a := range Accounts() {
		if stored.Of(a) != folded[a] {
			l.flaw("M02", slice, "%s is %d and its entries come to %d", a, int64(stored.Of(a)), int64(folded[a]))
		}
		if sum, err := total.Add(stored.Of(a)); err == nil {
			total = sum
		}
		if floor, bounded := floors[a]; bounded && int64(stored.Of(a)) < floor {
			l.flaw("M04", slice, "%s is below zero", a)
		}
	}
	if total != 0 {
		l.flaw("M01", slice, "the balances sum to %d fen", int64(total))
	}
	if stored.Count != int64(len(l.Entries)) {
		l.flaw("M15", slice, "%d entries are counted and %d are there", stored.Count, len(l.Entries))
	}
}

// Of is the award that an entry is about; ok is false for an appropriation.
func (e Entry) Of() (application, award string, ok bool) {
	c, ok := e.Claim()
	return c.Application, c.Award, ok
}

// About reads the entries of a slice about one award. One that is not what it says
// is left out: Inspect names it.
func About(ctx context.Context, t table.Store, id ID, application, award string) ([]Entry, error) {
	page, err := t.Query(ctx, table.Query{PK: id.Partition()}.Prefix(entryPrefix+application+"#"+award+"#"))
	if err != nil {
		return nil, err
	}
	all := make([]Entry, 0, len(page.Items))
	for _, item := range page.Items {
		if e, err := decodeEntry(item); err == nil {
			all = append(all, e)
		}
	}
	return all, nil
}

// Fen is what the entry moves into an account, below zero for out of it.
func (e Entry) Fen(a Account) money.Fen { return e.leg(a) }
