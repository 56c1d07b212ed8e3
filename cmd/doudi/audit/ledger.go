package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
)

// decided is what the leaves say of one award.
type decided struct {
	leaf  int64 // the newest that speaks of it
	name  string
	state string
	fen   money.Fen
	paid  money.Fen
	moved bool // after the export began; not held against the ledger
	// reserved, out and back are what the ledger did with it.
	reserved, out, back money.Fen
	entries             int
}

// believed is what the newest leaf says of a bank's statement.
type believed struct {
	leaf               int64
	lines, booked      money.Fen
	digest             string
	version, matchedAt int64
}

// books are the awards and statements that leaves spoke of.
type books struct {
	awards     map[string]*decided // by application and award
	statements map[string]*believed
}

func newBooks() *books {
	return &books{awards: map[string]*decided{}, statements: map[string]*believed{}}
}

const applicationPrefix = "APP#"

func (b *books) leaf(index int64, l evidence.Leaf) {
	switch l.Noun {
	case payout.Noun:
		key := strings.TrimPrefix(l.PK, applicationPrefix) + "#" + l.ID
		d := b.awards[key]
		if d == nil {
			d = &decided{}
			b.awards[key] = d
		}
		d.leaf, d.name, d.state, d.fen, d.paid = index, l.Name(), strings.Clone(l.Facts.Text("state")), l.Facts.Fen("amount_fen"), l.Facts.Fen("paid_fen")
	case reconciliation.StatementNoun:
		key := l.PK + " " + l.ID
		s := b.statements[key]
		if s == nil {
			s = &believed{}
			b.statements[key] = s
		}
		s.leaf, s.version = index, l.Version
		if digest := l.Facts.Text("digest"); digest != "" {
			s.digest = strings.Clone(digest)
		}
		if l.Kind == "matched" {
			s.lines, s.booked, s.matchedAt = l.Facts.Fen("lines_fen"), l.Facts.Fen("booked_fen"), l.Version
		}
	}
}

// state holds a payout against its newest leaf.
func (b *books) state(r *Report, s stateLine) {
	if s.Noun != payout.Noun {
		return
	}
	d := b.awards[strings.TrimPrefix(s.PK, applicationPrefix)+"#"+s.ID]
	switch {
	case d == nil:
		return // a version without a leaf, which is named already
	case s.Later:
		d.moved = true
	case s.Fen != d.fen || s.PaidFen != d.paid || s.State != d.state:
		r.add(Finding{State, d.leaf, d.name, fmt.Sprintf("the leaf says %s, awarded %s, paid %s; the table says %s, %s, %s", d.state, d.fen, d.paid, s.State, s.Fen, s.PaidFen)})
	}
}

// ledger folds every slice of every fund and holds it against the awards.
func (v *verifier) ledger(ctx context.Context) error {
	type slice struct {
		balances fund.Balances
		there    bool
		entries  []fund.Entry
	}
	slices := map[string]*slice{}
	err := each(ctx, v.dir, ledgerFile, func(l ledgerLine) error {
		s := slices[l.Slice]
		if s == nil {
			s = &slice{}
			slices[l.Slice] = s
		}
		if l.Entry == nil {
			s.balances, s.there = fund.Balances{Accounts: l.Balances, Count: l.Count}, l.Count >= 0
			return nil
		}
		e := fund.Entry{Cause: l.Entry.Cause, Kind: l.Entry.Kind, Legs: l.Entry.Legs, Answers: l.Entry.Answers, At: l.Entry.At}
		s.entries = append(s.entries, e)
		v.booked(l.Slice, e)
		return nil
	})
	if err != nil {
		return err
	}
	v.Slices = len(slices)
	for name, s := range slices {
		folded, err := fund.Fold(s.entries)
		switch {
		case !s.there:
			v.add(Finding{Ledger, None, name, "the slice was opened and is gone"})
		case err != nil:
			if cause := errors.Unwrap(err); cause != nil {
				err = cause
			}
			v.add(Finding{Ledger, None, name, err.Error()})
		case !folded.Equal(s.balances):
			v.add(Finding{Ledger, None, name, fmt.Sprintf("%d entries make available %s, reserved %s, paid %s; the slice says %d, %s, %s, %s", folded.Count,
				folded.Of(fund.Available), folded.Of(fund.Reserved), folded.Of(fund.Paid),
				s.balances.Count, s.balances.Of(fund.Available), s.balances.Of(fund.Reserved), s.balances.Of(fund.Paid))})
		}
	}
	v.Awards = len(v.money.awards)
	for _, d := range v.money.awards {
		v.award(d)
	}
	return nil
}

// booked notes what an entry did with an award. Its cause begins with the
// application and the award.
func (v *verifier) booked(slice string, e fund.Entry) {
	if e.Kind == fund.Appropriated {
		return
	}
	parts := strings.Split(e.Cause, "#")
	if len(parts) < 3 {
		v.add(Finding{Ledger, None, slice, "an entry names no award: " + e.Cause})
		return
	}
	d := v.money.awards[parts[0]+"#"+parts[1]]
	if d == nil {
		if e.At.Before(v.end.Add(-time.Minute)) {
			v.add(Finding{Ledger, None, slice, "money moved for an award of which there is no leaf: " + e.Cause})
		}
		return
	}
	d.entries++
	if !e.At.Before(v.end.Add(-time.Minute)) {
		d.moved = true
	}
	for _, leg := range e.Legs {
		switch leg.Account {
		case fund.Reserved:
			d.reserved += leg.Fen
		case fund.Paid:
			d.out += leg.Fen
		case fund.Returned:
			d.back += leg.Fen
		}
	}
}

// award holds what the ledger did with an award against what its leaves say.
func (v *verifier) award(d *decided) {
	if d.moved {
		return
	}
	var reserved, out, back money.Fen
	switch payout.State(d.state) {
	case payout.Paid:
		out = d.paid
	case payout.Returned:
		out, back = d.paid, -d.paid
	case payout.Failed:
	case payout.Frozen: // it may be either
		if d.reserved == 0 {
			out = d.paid
			break
		}
		reserved = d.fen
	default:
		reserved = d.fen
	}
	// A payment that came back and was made again went out twice.
	if d.reserved != reserved || d.out+d.back != out+back {
		v.add(Finding{Ledger, d.leaf, d.name, fmt.Sprintf("by its leaves it is %s, awarded %s, paid %s; the ledger has %s reserved and %s paid", d.state, d.fen, d.paid, d.reserved, d.out+d.back)})
	}
	if d.paid > d.fen {
		v.add(Finding{Ledger, d.leaf, d.name, "more was paid than awarded"})
	}
}

// statements holds the banks' statements against the leaves.
func (v *verifier) statements(ctx context.Context) error {
	return each(ctx, v.dir, statementsFile, func(s statementLine) error {
		b := v.money.statements[s.PK+" "+s.ID]
		switch {
		case b == nil:
			v.add(Finding{Missing, None, s.PK, "there is a statement and no leaf of it"})
		case s.Version > b.version: // it came after the export began
		case s.Digest != b.digest || b.matchedAt > 0 && (s.LinesFen != b.lines || s.BookedFen != b.booked):
			v.add(Finding{Statement, b.leaf, s.PK, "the statement is not the one that was logged"})
		}
		return nil
	})
}
