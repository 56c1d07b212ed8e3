// Package supervise is the work of the supervision body: it tells units what to do
// and by when, has the answers checked and looked at again, follows clues to their
// end, asks a random sample of the paid what they got, and delegates parts of its work
// for a time. Units answer; they neither close nor lengthen anything. It moves no money
// and changes no application.
package supervise

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/acting"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Tree  *division.Tree
	// Random draws seeds: crypto/rand.Reader anywhere but in a simulation.
	Random io.Reader
	Now    func() time.Time
}

// Routes are what this function answers.
func Routes(d Deps) []httpapi.Route {
	write := httpapi.Options{Caller: httpapi.Staff, Idempotent: true}
	const one = " /v1/staff/mandates/{mandate}"
	return []httpapi.Route{
		httpapi.JSON("POST /v1/staff/mandates", http.StatusOK, write, with(d, tell)),
		httpapi.JSON("GET /v1/staff/mandates", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"body", "unit", "after", "limit"}}, with(d, list)),
		httpapi.JSON("GET"+one, http.StatusOK, httpapi.Options{Caller: httpapi.Staff}, with(d, show)),
		httpapi.JSON("POST"+one+"/answers", http.StatusCreated, write, with(d, reply)),
		httpapi.JSON("POST"+one+"/returns", http.StatusCreated, write, with(d, sendBack)),
		httpapi.JSON("POST"+one+"/closures", http.StatusCreated, write, with(d, settle)),
		httpapi.JSON("POST /v1/staff/samples", http.StatusOK, write, with(d, drawSample)),
		httpapi.JSON("GET /v1/staff/samples/{sample}", http.StatusOK, httpapi.Options{Caller: httpapi.Staff}, with(d, showSample)),
		httpapi.JSON("POST /v1/staff/samples/{sample}/results", http.StatusOK, write, with(d, sayResult)),
		httpapi.JSON("POST"+one+"/second-looks", http.StatusCreated, write, with(d, lookAgain)),
		httpapi.JSON("POST /v1/staff/delegations", http.StatusCreated, write, with(d, askDelegation)),
		httpapi.JSON("GET /v1/staff/delegations", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, with(d, listDelegations)),
		httpapi.JSON("GET /v1/staff/delegations/{delegation}", http.StatusOK, httpapi.Options{Caller: httpapi.Staff}, with(d, showDelegation)),
		httpapi.JSON("POST /v1/staff/delegations/{delegation}/approvals", http.StatusCreated, write, with(d, agreeDelegation)),
		httpapi.JSON("POST /v1/staff/delegations/{delegation}/revocation", http.StatusCreated, write, with(d, revokeDelegation)),
	}
}

// with gives h what it needs from the world.
func with[In, Out any](d Deps, h func(context.Context, Deps, httpapi.Call[In]) (Out, error)) func(context.Context, httpapi.Call[In]) (Out, error) {
	return func(ctx context.Context, c httpapi.Call[In]) (Out, error) {
		out, err := h(ctx, d, c)
		if errors.Is(err, application.ErrNotFound) {
			err = mandate.ErrNotFound // out of scope looks absent
		}
		return out, err
	}
}

// acting is the member of staff behind a session, known under every live key.
// Whoever is stopped by a brake neither acts nor reads.
func (d Deps) acting(ctx context.Context, id string) (staff.Staff, error) {
	who, _, err := acting.As(ctx, d.Table, d.Box, d.Blind, id, d.Now())
	return who, err
}

// may asks the policies about a place.
func (d Deps) may(who staff.Staff, action staff.Action, at civil.DivisionCode, earlier ...string) error {
	now := d.Now()
	return staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.Tree.Around(at, calendar.Today(now)), Earlier: earlier}).Err()
}

// name is a place with what it stands in.
func (d Deps) name(code civil.DivisionCode) string {
	return d.Tree.FullName(code, calendar.Today(d.Now()))
}

// clock writes t as people read it; "" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(calendar.Zone).Format(time.RFC3339)
}
