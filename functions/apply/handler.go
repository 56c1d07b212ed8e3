// Package apply is the citizen's counter: what help there is, an estimate, an
// application and everything the person may do with it afterwards. It accepts
// and records and shows; it decides nothing, looks nobody up, and holds no code
// that moves money. A citizen sees the cases of the own account, and every
// other case is as if it were not there.
package apply

import (
	"context"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table     table.Store
	Box       *seal.Box
	Blind     *seal.Blind
	Book      *policy.Book
	Tree      *division.Tree
	Documents document.Store
	// Evidence proves what is in the evidence log; nil proves nothing.
	Evidence *evidence.Publisher
	Now      func() time.Time
	// Quotas is how many applications one account may file in a day, by relation;
	// nil takes Quotas.
	Quotas map[application.Relation]int
	// Templates are the subscription templates that may be agreed to; none known
	// means that any well-formed one is noted.
	Templates []string
}

// Quotas are how many applications one account may file in a day. Those who
// apply for others as their work may file many, and every SampleEvery-th of
// theirs is marked for the supervisor.
var Quotas = map[application.Relation]int{
	application.Self: 5, application.Household: 5, application.Relative: 5,
	application.Committee: 100, application.Outreach: 100,
}

// SampleEvery is which filings on somebody's behalf a supervisor looks at.
const SampleEvery = 10

// Limits of bodies in bytes.
const (
	maxForm    = 64 << 10
	maxPicture = (document.MaxBytes/3+1)*4 + 4<<10 // base64 and what stands around it
)

// Routes are the operations of this function.
func Routes(d Deps) []httpapi.Route {
	if d.Quotas == nil {
		d.Quotas = Quotas
	}
	open := httpapi.Options{Caller: httpapi.Anyone, MaxBody: maxForm}
	read := httpapi.Options{Caller: httpapi.Citizen}
	write := httpapi.Options{Caller: httpapi.Citizen, Idempotent: true, MaxBody: maxForm}
	programs, list, looks, picture := open, read, read, write
	programs.Query = []string{"place"}
	list.Query, looks.Query = []string{"after"}, []string{"after"}
	picture.MaxBody = maxPicture
	const one = " /v1/applications/{id}"
	return []httpapi.Route{
		httpapi.JSON("GET /v1/programs", http.StatusOK, programs, d.programs),
		httpapi.JSON("POST /v1/estimates", http.StatusOK, open, d.estimate),
		httpapi.Checked("POST /v1/applications", http.StatusCreated, write, d.judge, d.submit),
		httpapi.JSON("GET /v1/applications", http.StatusOK, list, d.list),
		httpapi.JSON("GET"+one, http.StatusOK, read, d.show),
		httpapi.JSON("GET"+one+"/card", http.StatusOK, read, d.card),
		httpapi.JSON("GET"+one+"/readings", http.StatusOK, looks, d.readings),
		httpapi.JSON("POST"+one+"/supplements", http.StatusOK, write, d.supplement),
		httpapi.JSON("POST"+one+"/documents", http.StatusCreated, picture, d.document),
		httpapi.JSON("POST"+one+"/consents", http.StatusOK, write, d.consent),
		httpapi.JSON("POST"+one+"/withdrawal", http.StatusOK, write, d.withdraw),
		httpapi.JSON("POST"+one+"/appeals", http.StatusCreated, write, d.appeal),
		httpapi.JSON("POST"+one+"/receipts", http.StatusOK, write, d.receipt),
		httpapi.JSON("POST"+one+"/not-me", http.StatusOK, write, d.notMe),
	}
}

// Changed is the answer to everything done to an application.
type Changed struct {
	Application string `json:"application"`
	Version     int64  `json:"version"`
	State       string `json:"state"`
	StateLabel  string `json:"state_label"`
	// Next says in plain Chinese what comes now.
	Next string `json:"next"`
}

func changed(a application.Application, next string) Changed {
	return Changed{a.ID, a.Version, string(a.State), a.State.Label(), next}
}

// maxRequests bounds how often citizens may change one application, because
// every answer is kept for ever.
const maxRequests = 400

// change makes one change of an application of the caller's own.
func change[Out any](ctx context.Context, d Deps, c httpapi.Request, status int, step func(application.Application, time.Time) (application.Step[Out], error)) (httpapi.Reply[Out], error) {
	return changeAny(ctx, d, c, status, func(a application.Application, now time.Time) (application.Step[Out], error) {
		if a.Account != c.Principal.ID {
			return application.Step[Out]{}, application.ErrNotFound
		}
		return step(a, now)
	})
}

// changeAny is change without asking whose application it is.
func changeAny[Out any](ctx context.Context, d Deps, c httpapi.Request, status int, step func(application.Application, time.Time) (application.Step[Out], error)) (httpapi.Reply[Out], error) {
	id := c.Path("id")
	if !ident.Valid(id) {
		return httpapi.Reply[Out]{}, application.ErrNotFound
	}
	now := d.Now()
	req := application.Asked(d.Blind, c.RequestKey(), c.Digest(), status)
	answer, err := application.Change(ctx, d.Table, id, req, func(a application.Application) (application.Step[Out], error) {
		s, err := step(a, now)
		if err != nil {
			return s, err
		}
		if len(a.Requests) >= maxRequests {
			return s, errRequests
		}
		s.Event.Trace = c.Trace
		return s, nil
	})
	if err != nil {
		return httpapi.Reply[Out]{}, err
	}
	return httpapi.Again[Out](answer.Status, answer.Body), nil
}

// own reads an application of the caller's own; anything else is absent.
func (d Deps) own(ctx context.Context, id, account string) (application.Application, error) {
	if !ident.Valid(id) {
		return application.Application{}, application.ErrNotFound
	}
	a, err := application.Get(ctx, d.Table, id)
	if err == nil && a.Account != account {
		return application.Application{}, application.ErrNotFound
	}
	return a, err
}

// rules are those that a was accepted under.
func (d Deps) rules(a application.Application) (*policy.Rules, error) {
	return d.Book.Rules(a.Township, calendar.Today(a.AcceptedAt))
}

// holdDue is until when a person must look at a hold placed on a at now. Where
// no rules are to be had any more, it is now: nobody's hold waits for ever.
func (d Deps) holdDue(a application.Application, now time.Time) time.Time {
	r, err := d.rules(a)
	if err != nil {
		return now
	}
	return r.HoldDue(now).At
}

// actor is the citizen who acts.
func actor(account string) event.Actor { return event.Actor{Kind: event.Citizen, ID: account} }

// clock writes t as citizens read it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(calendar.Zone).Format(time.RFC3339)
}

// names is a place with what it stands in: "常州市天宁区天宁街道".
func (d Deps) names(code civil.DivisionCode, day civil.Day) string {
	return d.Tree.FullName(code, day)
}
