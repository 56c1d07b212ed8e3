// Package discover is for those who did not apply: lists of signs of hardship come
// in, grid workers take a walk's worth of doors, write down what they find where
// there is no signal, and send it when there is one. A person found in need, who
// agrees, has an application from then on. It moves no money and decides nothing.
package discover

import (
	"context"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/acting"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Book  *policy.Book
	Tree  *division.Tree
	Now   func() time.Time
}

// Routes are what this function answers.
func Routes(d Deps) []httpapi.Route {
	write := httpapi.Options{Caller: httpapi.Staff, Idempotent: true}
	return []httpapi.Route{
		httpapi.JSON("POST /v1/staff/signals", http.StatusOK, write, httpapi.With(d, importSignals)),
		httpapi.JSON("GET /v1/staff/signals", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"township", "after", "limit"}}, httpapi.With(d, listSignals)),
		httpapi.JSON("POST /v1/staff/visit-lists", http.StatusOK, write, httpapi.With(d, takeList)),
		httpapi.JSON("POST /v1/staff/visit-records", http.StatusOK, write, httpapi.With(d, record)),
	}
}

// acting is the member of staff behind a session, known under every live key.
// Whoever is stopped by a brake neither acts nor reads.
func (d Deps) acting(ctx context.Context, id string) (staff.Staff, error) {
	who, _, err := acting.As(ctx, d.Table, d.Box, d.Blind, id, d.Now())
	return who, err
}

// may asks the policies about a place. Out of scope looks like a place that is not
// there.
func (d Deps) may(who staff.Staff, action staff.Action, at civil.DivisionCode, now time.Time) error {
	return staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.Tree.Around(at, calendar.Today(now))}).Err()
}

// township is where a place belongs; ok is false for one that is not in the tree,
// or is wider than a township.
func (d Deps) township(code string, now time.Time) (place, township civil.DivisionCode, ok bool) {
	place, err := civil.ParseDivision(code)
	if err != nil {
		return "", "", false
	}
	v, ok := d.Tree.TownshipOf(place, calendar.Today(now))
	return place, v.Code, ok
}

// clock writes t as people read it.
func clock(t time.Time) string { return t.In(calendar.Zone).Format(time.RFC3339) }
