// Package complain is the counter where people complain about social aid, and
// the desk where complaints are taken, handed out, handled, reviewed and
// answered. A complainant follows the own complaint by the account it was made
// from, or by a code that nobody else has; the unit that handles it is shown what
// the supervision body wrote for it and never who complained. It moves no money
// and changes no application.
package complain

import (
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
		httpapi.JSON("GET /v1/complaint-modules", http.StatusOK, modules, httpapi.With(d, listModules)),
		httpapi.JSON("GET /v1/complaint-satisfaction", http.StatusOK, figures, httpapi.With(d, satisfaction)),

		httpapi.JSON("POST /v1/complaints", http.StatusCreated, write, httpapi.With(d, file)),
		httpapi.JSON("GET /v1/complaints", http.StatusOK, read, httpapi.With(d, listOwn)),
		httpapi.JSON("GET"+one, http.StatusOK, read, httpapi.With(d, follow)),
		httpapi.JSON("POST"+one+"/supplements", http.StatusCreated, write, httpapi.With(d, supplement)),
		httpapi.JSON("POST"+one+"/documents", http.StatusCreated, picture, httpapi.With(d, addDocument)),
		httpapi.JSON("POST"+one+"/ratings", http.StatusCreated, write, httpapi.With(d, rate)),
		httpapi.JSON("POST"+one+"/reopenings", http.StatusCreated, write, httpapi.With(d, reopen)),

		httpapi.JSON("POST /v1/complaint-codes", http.StatusCreated, open, httpapi.With(d, drawCode)),
		httpapi.JSON("POST"+code, http.StatusCreated, open, httpapi.With(d, fileAnonymously)),
		httpapi.JSON("POST"+code+"/lookups", http.StatusOK, open, httpapi.With(d, followByCode)),
		httpapi.JSON("POST"+code+"/supplements", http.StatusCreated, open, httpapi.With(d, supplementByCode)),
		httpapi.JSON("POST"+code+"/documents", http.StatusCreated, openPicture, httpapi.With(d, addDocumentByCode)),
		httpapi.JSON("POST"+code+"/ratings", http.StatusCreated, open, httpapi.With(d, rateByCode)),
		httpapi.JSON("POST"+code+"/reopenings", http.StatusCreated, open, httpapi.With(d, reopenByCode)),

		httpapi.JSON("GET /v1/staff/complaints", http.StatusOK, queue, httpapi.With(d, list)),
		httpapi.JSON("POST /v1/staff/complaints", http.StatusCreated, act, httpapi.With(d, takeCall)),
		httpapi.JSON("GET /v1/staff/complaint-figures", http.StatusOK, inner, httpapi.With(d, innerFigures)),
		httpapi.JSON("GET"+desk, http.StatusOK, look, httpapi.With(d, show)),
		httpapi.JSON("GET"+desk+"/documents/{document}", http.StatusOK, look, httpapi.With(d, showDocument)),
		httpapi.JSON("POST"+desk+"/acceptance", http.StatusCreated, act, httpapi.With(d, accept)),
		httpapi.JSON("POST"+desk+"/refusal", http.StatusCreated, act, httpapi.With(d, decline)),
		httpapi.JSON("POST"+desk+"/assignments", http.StatusCreated, act, httpapi.With(d, assign)),
		httpapi.JSON("POST"+desk+"/objections", http.StatusCreated, act, httpapi.With(d, object)),
		httpapi.JSON("POST"+desk+"/objections/answers", http.StatusCreated, act, httpapi.With(d, decideObjection)),
		httpapi.JSON("POST"+desk+"/findings", http.StatusCreated, act, httpapi.With(d, handle)),
		httpapi.JSON("POST"+desk+"/reviews", http.StatusCreated, act, httpapi.With(d, review)),
		httpapi.JSON("POST"+desk+"/replies", http.StatusCreated, act, httpapi.With(d, answer)),
		httpapi.JSON("POST"+desk+"/extensions", http.StatusCreated, act, httpapi.With(d, askExtension)),
		httpapi.JSON("POST"+desk+"/extensions/answers", http.StatusCreated, act, httpapi.With(d, grantExtension)),
		httpapi.JSON("POST"+desk+"/pauses", http.StatusCreated, act, httpapi.With(d, pause)),
		httpapi.JSON("POST"+desk+"/pauses/end", http.StatusCreated, act, httpapi.With(d, resume)),
		httpapi.JSON("POST"+desk+"/supervision-notes", http.StatusCreated, act, httpapi.With(d, supervise)),
		httpapi.JSON("POST"+desk+"/supervision-notes/{note}/answers", http.StatusCreated, act, httpapi.With(d, report)),
		httpapi.JSON("POST"+desk+"/look-backs", http.StatusCreated, act, httpapi.With(d, lookBack)),
		httpapi.JSON("POST"+desk+"/identity-readings", http.StatusCreated, act, httpapi.With(d, readIdentity)),
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
