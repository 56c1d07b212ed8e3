// Package disclose tells the public what was decided and what became of the
// money, and hears objections. By the clock it makes editions, lets those go
// public whose hash is in the evidence log, and takes down lines of cases that
// ended. To anybody it shows what is public and nothing else; it reads cases only
// to make editions, and moves nothing.
package disclose

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Book  *policy.Book
	Tree  *division.Tree
	// Regions are what is served.
	Regions []civil.DivisionCode
	// Logged reports whether the event at key is in the evidence log.
	Logged  func(ctx context.Context, key table.Key) (bool, error)
	Now     func() time.Time
	Metrics telemetry.Metrics
	Log     *slog.Logger
}

// keep is how long anybody may keep what is public: a line that was taken down is
// gone everywhere after it.
const keep = 5 * time.Minute

// Routes are what this function answers.
func Routes(d Deps) []httpapi.Route {
	anyone := httpapi.Options{Caller: httpapi.Anyone}
	list := httpapi.Options{Caller: httpapi.Anyone, Query: []string{"division"}}
	object := httpapi.Options{Caller: httpapi.Citizen, Idempotent: true, MaxBody: 16 << 10}
	answer := httpapi.Options{Caller: httpapi.Staff, Idempotent: true, MaxBody: 16 << 10}
	const (
		one   = " /v1/disclosures/{id}"
		staff = " /v1/staff/disclosures/{id}"
		open  = "GET /v1/open-data/{division}/{year}"
	)
	return []httpapi.Route{
		httpapi.JSON("GET /v1/disclosures", http.StatusOK, list, httpapi.With(d, listed)),
		httpapi.JSON("GET"+one, http.StatusOK, anyone, httpapi.With(d, shown)),
		httpapi.Raw("GET"+one+"/page", anyone, d.page),
		httpapi.JSON("POST"+one+"/lines/{line}/objections", http.StatusCreated, object, httpapi.With(d, objected)),
		httpapi.JSON("GET"+one+"/objections/{objection}", http.StatusOK, httpapi.Options{Caller: httpapi.Citizen}, httpapi.With(d, mine)),
		httpapi.JSON("GET"+staff+"/objections/{objection}", http.StatusOK, httpapi.Options{Caller: httpapi.Staff}, httpapi.With(d, task)),
		httpapi.JSON("POST"+staff+"/objections/{objection}/answers", http.StatusCreated, answer, httpapi.With(d, answered)),
		httpapi.JSON("POST"+staff+"/lines/{line}/takedowns", http.StatusCreated, answer, httpapi.With(d, takenDown)),
		httpapi.JSON(open, http.StatusOK, anyone, httpapi.With(d, manifest)),
		httpapi.Raw(open+"/{file}", anyone, d.file),
	}
}

// counties are the counties that are served.
func (d Deps) counties(now time.Time) []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, region := range d.Regions {
		for _, code := range d.Tree.Below(region, calendar.Today(now)) {
			if code.Level() == civil.CountyLevel {
				all = append(all, code)
			}
		}
	}
	return all
}

// years are the years whose money may still move, the later first.
func years(now time.Time) []int {
	y := calendar.Today(now).Year()
	return []int{y, y - 1}
}

func (d Deps) place(now time.Time) func(civil.DivisionCode) string {
	return func(code civil.DivisionCode) string {
		v, _ := d.Tree.Find(code, calendar.Today(now))
		return v.Name
	}
}

func clock(t time.Time) string { return t.In(calendar.Zone).Format(time.RFC3339) }
