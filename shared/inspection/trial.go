package inspection

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/verification"
)

// Trial is what one model would have made of past decisions, before it is switched
// on. Nothing is written by it.
type Trial struct {
	Model model.Model
	// Cases is how many decisions were looked at, Hit how many of them it hits.
	Cases, Hit int
	// DecidedFen is the money of all, HitFen that of those hit: for a model that
	// holds, what would have waited for somebody to look.
	DecidedFen, HitFen money.Fen
	// Examples are the first of those hit.
	Examples []Example
}

// Example is one case that a model would have hit. It names nobody.
type Example struct {
	Application string
	Township    civil.DivisionCode
	At          time.Time
	Words       model.Words
}

// examples bounds the examples of one trial.
const examples = 20

// PerMille is the share of cases hit, in thousandths.
func (t Trial) PerMille() int {
	if t.Cases == 0 {
		return 0
	}
	return 1000 * t.Hit / t.Cases
}

// Try runs m over the decisions among past, which is every event in the order of
// the record, as each case stood when it was decided: what others shared with it
// later does not count. What a register has said since then does, because that is
// what would be known if it were asked today. A case is looked at once.
func (d Desk) Try(ctx context.Context, m model.Model, past iter.Seq2[event.Event, error], from, to time.Time) (Trial, error) {
	t := Trial{Model: m}
	seen := map[string]bool{}
	for e, err := range past {
		if err != nil {
			return t, err
		}
		id, ok := strings.CutPrefix(e.PK, application.Partition(""))
		decision := e.Noun == application.Noun && (e.Kind == "approved" || e.Kind == "released")
		if !ok || !decision || seen[id] || e.At.Before(from) || !e.At.Before(to) {
			continue
		}
		seen[id] = true
		hits, township, err := d.would(ctx, m, id, e)
		if err != nil {
			return t, err
		}
		fen := e.Facts.Fen("amount_fen")
		t.Cases++
		if t.DecidedFen, err = t.DecidedFen.Add(fen); err != nil {
			return t, err
		}
		if len(hits) == 0 {
			continue
		}
		t.Hit++
		if t.HitFen, err = t.HitFen.Add(fen); err != nil {
			return t, err
		}
		if len(t.Examples) < examples {
			t.Examples = append(t.Examples, Example{id, township, e.At, hits[0].Words})
		}
	}
	return t, nil
}

// would is what m finds in one case as it was when e decided on it.
func (d Desk) would(ctx context.Context, m model.Model, id string, e event.Event) ([]model.Hit, civil.DivisionCode, error) {
	a, err := application.Get(ctx, d.Table, id)
	if err != nil {
		return nil, "", err
	}
	if a.PayeeChange != nil && a.PayeeChange.At.After(e.At) {
		a.PayeeChange = nil
	}
	p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, id)
	if err != nil {
		return nil, "", err
	}
	s := Scene{App: a, Particulars: &p, Approver: e.Actor, At: e.At}
	if s.Checks, err = verification.Load(ctx, d.Table, d.Box, id); err != nil {
		return nil, "", err
	}
	look, err := d.look(ctx, s)
	if err != nil {
		return nil, "", err
	}
	return m.Run(s.facts(d.Blind, look)), a.Township, nil
}
