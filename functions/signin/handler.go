// Package signin opens and closes sessions: a citizen's from a WeChat sign-in
// code, a staff member's from the office's single sign-on. It proves who holds
// an account or a staff id, and nothing about who a citizen is.
package signin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// StaffIdentity says which member of staff a code of the single sign-on stands
// for. region is the division the person names, empty for the usual one. Codes
// work once. It answers ErrStaffRefused or ErrStaffUnavailable.
type StaffIdentity interface {
	Who(ctx context.Context, code, region string) (staffID string, err error)
}

// WeChat trades a sign-in code for an identity; *wxapp.Client is one.
type WeChat interface {
	Code2Session(ctx context.Context, code string) (wxapp.Identity, error)
}

// How long sessions live.
const (
	CitizenTTL = 24 * time.Hour
	StaffTTL   = 8 * time.Hour // a working day
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table    table.Store
	Box      *seal.Box
	Blind    *seal.Blind
	Sessions *session.Store
	WeChat   WeChat
	AppID    string        // of the mini-program
	Staff    StaffIdentity // nil where there is no single sign-on: staff get 503
	Now      func() time.Time
}

// Routes are the operations of this function.
func Routes(d Deps) []httpapi.Route {
	anyone := httpapi.Options{Caller: httpapi.Anyone, MaxBody: 4 << 10}
	return []httpapi.Route{
		httpapi.JSON("GET /v1/health", http.StatusOK, httpapi.Options{Caller: httpapi.Anyone}, d.health),
		httpapi.JSON("POST /v1/sessions", http.StatusCreated, anyone, d.citizen),
		httpapi.JSON("POST /v1/staff/sessions", http.StatusCreated, anyone, d.staff),
		httpapi.JSON("DELETE /v1/sessions/current", http.StatusNoContent, httpapi.Options{Caller: httpapi.SignedIn}, d.close),
	}
}

// CitizenIn is the body of POST /v1/sessions. Previous is the token from before,
// which is closed: a token planted on somebody's phone is worth nothing after.
type CitizenIn struct {
	Code     redact.Text `json:"code" api:"required,max=128"`
	Previous redact.Text `json:"previous" api:"max=128"`
}

// CitizenOut is a citizen's new session. The token is shown once.
type CitizenOut struct {
	Token            string `json:"token"`
	ExpiresInSeconds int64  `json:"expires_in_seconds"`
	Account          string `json:"account"`
}

// citizen never sends a code twice: after a lost answer it may be used up, and
// the mini-program fetches a new one for the asking.
func (d Deps) citizen(ctx context.Context, c httpapi.Call[CitizenIn]) (CitizenOut, error) {
	who, err := d.WeChat.Code2Session(ctx, c.Body.Code.Reveal())
	if err != nil {
		return CitizenOut{}, err
	}
	a, err := account.Open(ctx, d.Table, d.Blind, d.Box, d.AppID, who.OpenID, d.Now())
	if err != nil {
		return CitizenOut{}, err
	}
	token, err := d.Sessions.Open(ctx, session.Opening{
		Principal: session.Principal{Kind: session.Citizen, ID: a.ID}, TTL: CitizenTTL, Previous: c.Body.Previous.Reveal()})
	if err != nil {
		return CitizenOut{}, err
	}
	return CitizenOut{token, int64(CitizenTTL / time.Second), a.ID}, nil
}

// StaffIn is the body of POST /v1/staff/sessions.
type StaffIn struct {
	Code     redact.Text `json:"code" api:"required,max=512"`
	Region   string      `json:"region" api:"max=12"`
	Previous redact.Text `json:"previous" api:"max=128"`
}

// StaffOut is a staff member's new session, with what the person may do now.
type StaffOut struct {
	Token            string  `json:"token"`
	ExpiresInSeconds int64   `json:"expires_in_seconds"`
	Staff            string  `json:"staff"`
	Grants           []Grant `json:"grants"`
}

// Grant is one role in one division.
type Grant struct {
	Role     string             `json:"role"`
	Label    string             `json:"label"`
	Division civil.DivisionCode `json:"division"`
}

func (d Deps) staff(ctx context.Context, c httpapi.Call[StaffIn]) (StaffOut, error) {
	if d.Staff == nil {
		return StaffOut{}, ErrStaffUnavailable
	}
	id, err := d.Staff.Who(ctx, c.Body.Code.Reveal(), c.Body.Region)
	if err != nil {
		return StaffOut{}, err
	}
	s, err := staff.Get(ctx, d.Table, id)
	if errors.Is(err, staff.ErrNotFound) || err == nil && !s.Active {
		return StaffOut{}, ErrStaffRefused
	}
	if err != nil {
		return StaffOut{}, err
	}
	// The check keeps a removal between reading and opening from being missed.
	token, err := d.Sessions.Open(ctx, session.Opening{Principal: session.Principal{Kind: session.Staff, ID: s.ID},
		TTL: StaffTTL, Previous: c.Body.Previous.Reveal(), Checks: []table.Write{s.Check()}})
	if _, moved := table.FailedOn(err, staff.Key(s.ID)); moved {
		return StaffOut{}, ErrStaffRefused
	}
	if err != nil {
		return StaffOut{}, err
	}
	out := StaffOut{Token: token, ExpiresInSeconds: int64(StaffTTL / time.Second), Staff: s.ID, Grants: []Grant{}}
	for _, g := range s.Grants {
		if g.Current(d.Now()) {
			out.Grants = append(out.Grants, Grant{string(g.Role), g.Role.Label(), g.Division})
		}
	}
	return out, nil
}

func (d Deps) close(ctx context.Context, c httpapi.Call[httpapi.None]) (httpapi.None, error) {
	return httpapi.None{}, d.Sessions.Close(ctx, c.Token.Reveal())
}
