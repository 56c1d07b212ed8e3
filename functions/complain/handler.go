// Package complain is the counter where people complain about social aid, and
// the desk where complaints are taken, handed out, handled, reviewed and
// answered. A complainant follows the own complaint by the account it was made
// from, or by a code that nobody else has; the unit that handles it is shown what
// the supervision body wrote for it and never who complained. It moves no money
// and changes no application.
package complain

import (
	"context"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table     table.Store
	Box       *seal.Box
	Blind     *seal.Blind
	Book      *complaint.Book
	Tree      *division.Tree
	Documents document.Store
	IDs       *ident.Source
	Now       func() time.Time
}

// Limits of bodies in bytes.
const (
	maxForm    = 32 << 10
	maxPicture = (document.MaxBytes/3+1)*4 + 4<<10 // base64 and what stands around it
)

// Routes are the operations of this function.
func Routes(d Deps) []httpapi.Route {
	open := httpapi.Options{Caller: httpapi.Anyone, MaxBody: maxForm}
	read := httpapi.Options{Caller: httpapi.Citizen}
	write := httpapi.Options{Caller: httpapi.Citizen, Idempotent: true, MaxBody: maxForm}
	look := httpapi.Options{Caller: httpapi.Staff}
	act := httpapi.Options{Caller: httpapi.Staff, Idempotent: true, MaxBody: maxForm}
	modules, figures, openPicture, picture, queue, inner := open, open, open, write, look, look
	modules.Query, figures.Query = []string{"place"}, []string{"division", "year"}
	openPicture.MaxBody, picture.MaxBody = maxPicture, maxPicture
	queue.Query, inner.Query = []string{"division", "state", "after", "limit"}, []string{"division", "year"}
	const (
		one  = " /v1/complaints/{id}"
		code = " /v1/anonymous-complaints"
		desk = " /v1/staff/complaints/{id}"
	)
	return []httpapi.Route{
		httpapi.JSON("GET /v1/complaint-modules", http.StatusOK, modules, with(d, listModules)),
		httpapi.JSON("GET /v1/complaint-satisfaction", http.StatusOK, figures, with(d, satisfaction)),

		httpapi.JSON("POST /v1/complaints", http.StatusCreated, write, with(d, file)),
		httpapi.JSON("GET /v1/complaints", http.StatusOK, read, with(d, listOwn)),
		httpapi.JSON("GET"+one, http.StatusOK, read, with(d, follow)),
		httpapi.JSON("POST"+one+"/supplements", http.StatusCreated, write, with(d, supplement)),
		httpapi.JSON("POST"+one+"/documents", http.StatusCreated, picture, with(d, addDocument)),
		httpapi.JSON("POST"+one+"/ratings", http.StatusCreated, write, with(d, rate)),
		httpapi.JSON("POST"+one+"/reopenings", http.StatusCreated, write, with(d, reopen)),

		httpapi.JSON("POST /v1/complaint-codes", http.StatusCreated, open, with(d, drawCode)),
		httpapi.JSON("POST"+code, http.StatusCreated, open, with(d, fileAnonymously)),
		httpapi.JSON("POST"+code+"/lookups", http.StatusOK, open, with(d, followByCode)),
		httpapi.JSON("POST"+code+"/supplements", http.StatusCreated, open, with(d, supplementByCode)),
		httpapi.JSON("POST"+code+"/documents", http.StatusCreated, openPicture, with(d, addDocumentByCode)),
		httpapi.JSON("POST"+code+"/ratings", http.StatusCreated, open, with(d, rateByCode)),
		httpapi.JSON("POST"+code+"/reopenings", http.StatusCreated, open, with(d, reopenByCode)),

		httpapi.JSON("GET /v1/staff/complaints", http.StatusOK, queue, with(d, list)),
		httpapi.JSON("POST /v1/staff/complaints", http.StatusCreated, act, with(d, takeCall)),
		httpapi.JSON("GET /v1/staff/complaint-figures", http.StatusOK, inner, with(d, innerFigures)),
		httpapi.JSON("GET"+desk, http.StatusOK, look, with(d, show)),
		httpapi.JSON("GET"+desk+"/documents/{document}", http.StatusOK, look, with(d, showDocument)),
		httpapi.JSON("POST"+desk+"/acceptance", http.StatusCreated, act, with(d, accept)),
		httpapi.JSON("POST"+desk+"/refusal", http.StatusCreated, act, with(d, decline)),
		httpapi.JSON("POST"+desk+"/assignments", http.StatusCreated, act, with(d, assign)),
		httpapi.JSON("POST"+desk+"/objections", http.StatusCreated, act, with(d, object)),
		httpapi.JSON("POST"+desk+"/objections/answers", http.StatusCreated, act, with(d, decideObjection)),
		httpapi.JSON("POST"+desk+"/findings", http.StatusCreated, act, with(d, handle)),
		httpapi.JSON("POST"+desk+"/reviews", http.StatusCreated, act, with(d, review)),
		httpapi.JSON("POST"+desk+"/replies", http.StatusCreated, act, with(d, answer)),
		httpapi.JSON("POST"+desk+"/extensions", http.StatusCreated, act, with(d, askExtension)),
		httpapi.JSON("POST"+desk+"/extensions/answers", http.StatusCreated, act, with(d, grantExtension)),
		httpapi.JSON("POST"+desk+"/pauses", http.StatusCreated, act, with(d, pause)),
		httpapi.JSON("POST"+desk+"/pauses/end", http.StatusCreated, act, with(d, resume)),
		httpapi.JSON("POST"+desk+"/supervision-notes", http.StatusCreated, act, with(d, supervise)),
		httpapi.JSON("POST"+desk+"/supervision-notes/{note}/answers", http.StatusCreated, act, with(d, report)),
		httpapi.JSON("POST"+desk+"/look-backs", http.StatusCreated, act, with(d, lookBack)),
		httpapi.JSON("POST"+desk+"/identity-readings", http.StatusCreated, act, with(d, readIdentity)),
	}
}

// with gives h what it needs from the world.
func with[In, Out any](d Deps, h func(context.Context, Deps, httpapi.Call[In]) (Out, error)) func(context.Context, httpapi.Call[In]) (Out, error) {
	return func(ctx context.Context, c httpapi.Call[In]) (Out, error) {
		return h(ctx, d, c)
	}
}

// within is a division and all it stands in, narrowest first.
func (d Deps) within(code civil.DivisionCode, at time.Time) []civil.DivisionCode {
	return d.Tree.Around(code, calendar.Today(at))
}

// inside is complaint.Inside on the day of at.
func (d Deps) inside(at time.Time) complaint.Inside {
	return func(code, in civil.DivisionCode) bool { return d.Tree.Within(code, in, calendar.Today(at)) }
}

// name is a place with what it stands in: "常州市天宁区天宁街道".
func (d Deps) name(code civil.DivisionCode, at time.Time) string {
	return d.Tree.FullName(code, calendar.Today(at))
}

// rules are those that c was filed under; when they are gone, those of today.
func (d Deps) rules(c complaint.Complaint) (*complaint.Rules, error) {
	if r, ok := d.Book.ByFingerprint(c.Rules); ok {
		return r, nil
	}
	return d.Book.Rules(c.Place(), calendar.Today(c.FiledAt))
}

// clock writes t as people read it; "" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(calendar.Zone).Format(time.RFC3339)
}

// day is the day of t, and no more: the minute of a complaint could show whose it is.
func day(t time.Time) string { return calendar.Today(t).String() }
