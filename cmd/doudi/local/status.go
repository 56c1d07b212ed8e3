package local

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/gauge"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// The pages of a local system for its operator; see front. None of them is in a
// deployed function.
const (
	StatusPath  = "/local/status"
	RedrivePath = "/local/redrive"
)

// Status is how a local system stands: the numbers that a deployed one gives as
// metrics, its funds, and its queues when it runs.
type Status struct {
	gauge.Reading
	Funds  []Fund  `json:"funds"`
	Queues *Queues `json:"queues,omitempty"`
}

// Fund is the sum of one fund over all townships.
type Fund struct {
	Name      string    `json:"name"`
	Available money.Fen `json:"available_fen"`
	Reserved  money.Fen `json:"reserved_fen"`
	Paid      money.Fen `json:"paid_fen"` // net of what came back
	Slices    int       `json:"slices"`
	Low       int       `json:"low"` // slices that should be replenished
}

// Queues are the messages of a running system.
type Queues struct {
	Pending int      `json:"pending"`
	Dead    []Letter `json:"dead_letters"`
}

// Letter is one dead letter; its body is not shown.
type Letter struct {
	Queue string    `json:"queue"`
	ID    string    `json:"id"`
	Code  string    `json:"code"`
	Trace string    `json:"trace,omitempty"`
	At    time.Time `json:"at"`
}

// ReadStatus reads how the regions of tree stand in a store. Nothing is changed.
func ReadStatus(ctx context.Context, t table.Store, tree *division.Tree, now time.Time) (Status, error) {
	day := calendar.Today(now)
	var divisions []civil.DivisionCode
	for _, region := range tree.Regions() {
		divisions = append(divisions, tree.Below(region, day)...)
	}
	reading, err := gauge.Read(ctx, t, divisions, now)
	if err != nil {
		return Status{}, err
	}
	s := Status{Reading: reading, Funds: []Fund{}}
	for _, purpose := range []fund.Purpose{fund.Relief, fund.Reserve} {
		f := Fund{Name: fund.Named(purpose, day.Year())}
		for _, d := range divisions {
			if d.Level() != civil.TownshipLevel {
				continue
			}
			slice, err := fund.Read(ctx, t, fund.ID{Fund: f.Name, Township: d})
			if errors.Is(err, fund.ErrMissing) {
				continue // no budget here this year
			}
			if err != nil {
				return Status{}, err
			}
			f.Slices++
			f.Available += slice.Balances.Of(fund.Available)
			f.Reserved += slice.Balances.Of(fund.Reserved)
			f.Paid += slice.Balances.Of(fund.Paid) + slice.Balances.Of(fund.Returned)
			if slice.Low() {
				f.Low++
			}
		}
		s.Funds = append(s.Funds, f)
	}
	return s, nil
}

// Status is how the running system stands.
func (s *System) Status(ctx context.Context) (Status, error) {
	out, err := ReadStatus(ctx, s.Table, s.Tree, s.now())
	if err != nil {
		return out, err
	}
	out.Queues = &Queues{Pending: s.broker.Pending(), Dead: []Letter{}}
	for _, d := range s.broker.Dead() {
		out.Queues.Dead = append(out.Queues.Dead, Letter{d.Message.Queue, d.Message.ID, d.Code, d.Message.Trace, d.At})
	}
	return out, nil
}

// operate answers the operator's pages; false for any other.
func (s *System) operate(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Path == StatusPath && r.Method == http.MethodGet:
		status, err := s.Status(r.Context())
		if err != nil {
			s.log.ErrorContext(r.Context(), "status", "err", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		page(w, status)
	case r.URL.Path == RedrivePath && r.Method == http.MethodPost:
		page(w, map[string]int{"moved": s.broker.Redrive()})
	default:
		return false
	}
	return true
}

func page(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // the caller is gone when this fails
}
