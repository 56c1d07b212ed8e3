// Package discover is for those who did not apply: lists of signs of hardship come
// in, grid workers take a walk's worth of doors, write down what they find where
// there is no signal, and send it when there is one. A person found in need, who
// agrees, has an application from then on. It moves no money and decides nothing.
package discover

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
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
		httpapi.JSON("POST /v1/staff/signals", http.StatusOK, write, with(d, importSignals)),
		httpapi.JSON("GET /v1/staff/signals", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"township", "after", "limit"}}, with(d, listSignals)),
		httpapi.JSON("POST /v1/staff/visit-lists", http.StatusOK, write, with(d, takeList)),
		httpapi.JSON("POST /v1/staff/visit-records", http.StatusOK, write, with(d, record)),
	}
}

// with gives h what it needs from the world, and the store's troubles their names.
func with[In, Out any](d Deps, h func(context.Context, Deps, httpapi.Call[In]) (Out, error)) func(context.Context, httpapi.Call[In]) (Out, error) {
	return func(ctx context.Context, c httpapi.Call[In]) (Out, error) {
		out, err := h(ctx, d, c)
		switch {
		case errors.Is(err, table.ErrUnknown):
			err = application.ErrIndeterminate.Because(err)
		case errors.Is(err, table.ErrBusy), errors.Is(err, context.DeadlineExceeded):
			err = application.ErrUnavailable.Because(err)
		}
		return out, err
	}
}

// acting is the member of staff behind a session, known under every live key.
// Whoever is stopped by a brake neither acts nor reads.
func (d Deps) acting(ctx context.Context, id string) (staff.Staff, error) {
	who, err := staff.Acting(ctx, d.Table, id)
	if err != nil {
		return who, err
	}
	if who, err = who.Known(ctx, d.Box, d.Blind); err != nil {
		return who, err
	}
	board, err := brake.Read(ctx, d.Table, id)
	if err != nil {
		return who, err
	}
	hands := []event.Actor{{ID: who.ID}}
	for _, ref := range who.Persons() {
		hands = append(hands, event.Actor{ID: who.ID, Person: ref})
	}
	return who, board.Frozen(d.Now(), hands...)
}

// may asks the policies about a place. Out of scope looks like a place that is not
// there.
func (d Deps) may(who staff.Staff, action staff.Action, at civil.DivisionCode, now time.Time) error {
	var within []civil.DivisionCode
	for _, v := range slices.Backward(d.Tree.Path(at, calendar.Today(now))) {
		within = append(within, v.Code)
	}
	return staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: within}).Err()
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
