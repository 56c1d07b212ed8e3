package fund

import (
	"context"
	"fmt"
	"maps"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Balances are what stands in each account, and after how many entries.
type Balances struct {
	Accounts map[Account]money.Fen
	Count    int64
}

// Of is the balance of one account.
func (b Balances) Of(a Account) money.Fen { return b.Accounts[a] }

// Equal reports whether b and c are the same to the fen.
func (b Balances) Equal(c Balances) bool {
	return b.Count == c.Count && maps.Equal(b.Accounts, c.Accounts)
}

// Fold computes balances from entries, in any order. Whatever no correct ledger
// could hold is ErrIncoherent: legs that do not sum to zero, an answer to an
// entry that is not there, more posted than reserved or returned than paid.
func Fold(entries []Entry) (Balances, error) {
	b := Balances{Accounts: map[Account]money.Fen{}, Count: int64(len(entries))}
	for _, a := range Accounts() {
		b.Accounts[a] = 0
	}
	by, back := map[string]Entry{}, map[string]money.Fen{}
	for _, e := range entries {
		if _, twice := by[e.Cause]; twice {
			return b, ErrIncoherent.Because(fmt.Errorf("%s twice", e.Cause))
		}
		by[e.Cause] = e
	}
	for _, e := range entries {
		var sum money.Fen
		for _, leg := range e.Legs {
			if _, known := b.Accounts[leg.Account]; !known {
				return b, ErrIncoherent.Because(fmt.Errorf("%s names no account of ours", e.Cause))
			}
			var err1, err2 error
			sum, err1 = sum.Add(leg.Fen)
			b.Accounts[leg.Account], err2 = b.Accounts[leg.Account].Add(leg.Fen)
			if err1 != nil || err2 != nil {
				return b, ErrIncoherent.Because(fmt.Errorf("%s overflows", e.Cause))
			}
		}
		if sum != 0 {
			return b, ErrIncoherent.Because(fmt.Errorf("legs of %s sum to %d fen", e.Cause, sum))
		}
		if e.Answers == "" {
			continue
		}
		asked, ok := by[e.Answers]
		if !ok {
			return b, ErrIncoherent.Because(fmt.Errorf("%s answers %s, which is not there", e.Cause, e.Answers))
		}
		if !answers(asked, e) {
			return b, ErrIncoherent.Because(fmt.Errorf("%s does not fit %s", e.Cause, e.Answers))
		}
		if e.Kind == CameBack || e.Kind == GaveBack {
			var err error
			if back[e.Answers], err = back[e.Answers].Sub(e.leg(Returned)); err != nil || back[e.Answers] > asked.leg(Paid) {
				return b, ErrIncoherent.Because(fmt.Errorf("more came back for %s than was paid", e.Answers))
			}
		}
	}
	for _, a := range []Account{Available, Reserved, Paid} {
		if b.Accounts[a] < 0 {
			return b, ErrIncoherent.Because(fmt.Errorf("%s is below zero", a))
		}
	}
	// All five sum to zero, so with these External is not above zero either.
	if b.Accounts[Returned] > 0 || b.Accounts[Paid] < -b.Accounts[Returned] {
		return b, ErrIncoherent.Because(fmt.Errorf("more came back than went out"))
	}
	return b, nil
}

// answers reports whether e is a lawful answer to asked, amounts included.
func answers(asked, e Entry) bool {
	switch e.Kind {
	case Posted, Voided:
		return asked.Kind == Reservation && e.leg(Reserved) == -asked.leg(Reserved)
	case CameBack:
		return (asked.Kind == Posted || asked.Kind == PostedLate) && e.leg(Returned) == -asked.leg(Paid)
	case GaveBack:
		return (asked.Kind == Posted || asked.Kind == PostedLate) && e.leg(Returned) < 0 // that all of them are no more than was paid, whoever asks adds up
	case PostedLate:
		return asked.Kind == Voided && e.leg(Paid) <= asked.leg(Available)
	default:
		return false
	}
}

func (e Entry) leg(a Account) money.Fen {
	for _, l := range e.Legs {
		if l.Account == a {
			return l.Fen
		}
	}
	return 0
}

// Read is a slice with its balances as stored.
func Read(ctx context.Context, t table.Store, id ID) (Slice, error) {
	item, ok, err := t.Get(ctx, id.Key())
	if err != nil {
		return Slice{}, err
	}
	if !ok {
		return Slice{}, ErrMissing
	}
	return decode(item)
}

// Entries reads every entry of a slice.
func Entries(ctx context.Context, t table.Store, id ID) ([]Entry, error) {
	var out []Entry
	q := table.Query{PK: id.Partition()}.Prefix(entryPrefix)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		e, err := decodeEntry(item)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// glances is how often Coherent looks again while the slice is moving.
const glances = 5

// Coherent checks that the stored balances of a slice are the fold of its
// entries. ErrIncoherent when they are not; table.ErrBusy when money moved
// during every look.
func Coherent(ctx context.Context, t table.Store, id ID) error {
	for range glances {
		before, err := Read(ctx, t, id)
		if err != nil {
			return err
		}
		entries, err := Entries(ctx, t, id)
		if err != nil {
			return err
		}
		after, err := Read(ctx, t, id)
		if err != nil {
			return err
		}
		if before.Version != after.Version {
			continue
		}
		folded, err := Fold(entries)
		if err != nil {
			return err
		}
		if !folded.Equal(after.Balances) {
			return ErrIncoherent.Because(fmt.Errorf("%s: balances are not the fold of %d entries", id.Partition(), len(entries)))
		}
		return nil
	}
	return table.ErrBusy
}
