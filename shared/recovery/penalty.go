package recovery

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// Penalty is what a law in force on some day lets people add when aid was got by
// fraud. It is a frame for a person's decision and decides nothing.
type Penalty struct {
	Name    string    `json:"name"`
	From    civil.Day `json:"from"` // first day in force
	Article string    `json:"article"`
	Text    string    `json:"text"`
	// MinPercent and MaxPercent bound a penalty, in percent of what was got; both
	// belong to the frame (以上、以下 include the number).
	MinPercent int64 `json:"min_percent"`
	MaxPercent int64 `json:"max_percent"`
}

//go:embed data/penalties.json
var penaltyData []byte

// Penalties are the frames that there have been, the oldest first.
var Penalties = sync.OnceValues(func() ([]Penalty, error) { return parsePenalties(penaltyData) })

func parsePenalties(raw []byte) ([]Penalty, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var all []Penalty
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("recovery: penalties: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(all) == 0 {
		return nil, errors.New("recovery: penalties: nothing, or something more")
	}
	for i, p := range all {
		if p.Name == "" || p.Article == "" || p.Text == "" || p.From.IsZero() || p.MinPercent < 0 || p.MaxPercent < p.MinPercent || p.MaxPercent > 1000 ||
			i > 0 && !all[i-1].From.Before(p.From) {
			return nil, fmt.Errorf("recovery: penalty %q is not whole or not in order", p.Name)
		}
	}
	return all, nil
}

// PenaltyOf is the frame of the day of the act: a law never reaches back.
func PenaltyOf(act civil.Day) (Penalty, error) {
	all, err := Penalties()
	if err != nil {
		return Penalty{}, err
	}
	var of Penalty
	for _, p := range all {
		if !act.Before(p.From) {
			of = p
		}
	}
	if of.Name == "" {
		return of, ErrPenalty
	}
	return of, nil
}

// Allows reports whether fen may be added to what was got. None may always.
func (p Penalty) Allows(got, fen money.Fen) bool {
	if fen == 0 {
		return true
	}
	least, err1 := got.Times(p.MinPercent)
	most, err2 := got.Times(p.MaxPercent)
	of, err3 := fen.Times(100)
	return errors.Join(err1, err2, err3) == nil && of >= least && of <= most
}
