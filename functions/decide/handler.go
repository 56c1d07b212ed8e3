// Package decide is what township and county staff do: see what is owed, visit,
// propose, approve, refuse with reasons, hold, explain, and decide afterwards
// what a bank could not pay. Every act asks the policies (package staff) and
// then carries the same demands into the conditions of its write, so that what
// moved in between undoes it. It knows no bank and no register, and it is the
// only code that makes an award by hand.
package decide

import (
	"context"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/reconciliation"
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
	// Models are those that are run before money is let go; nil runs none.
	Models *model.Set
	IDs    *ident.Source
	Now    func() time.Time
	Cash   CashLimits
	// Wallets reports whether a township pays into WeChat wallets; nil is nowhere.
	Wallets func(civil.DivisionCode) bool
	// Files says where payments may leave in files (代发), and how; zero is nowhere.
	Files FileUse
	// StepUp is how long after signing in somebody may complete what another
	// began, so that a screen left open releases no money; 0 is for ever.
	StepUp time.Duration
	// RevealFor is how long particulars that two people opened may be looked at; 0
	// takes reading.Window.
	RevealFor time.Duration
	Metrics   telemetry.Metrics // nil counts nothing
	// Office is who holds statements against our books.
	Office reconciliation.Office
}

// Routes are what this function answers.
func Routes(d Deps) []httpapi.Route {
	read := httpapi.Options{Caller: httpapi.Staff}
	write := httpapi.Options{Caller: httpapi.Staff, Idempotent: true, MaxBody: 32 << 10}
	const one = " /v1/staff/applications/{id}"
	return []httpapi.Route{
		httpapi.JSON("GET /v1/staff/tasks", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division", "after", "limit"}}, with(d, tasks)),
		httpapi.JSON("GET"+one, http.StatusOK, read, with(d, show)),
		httpapi.JSON("POST"+one+"/visits", http.StatusCreated, write, with(d, visit)),
		httpapi.JSON("POST"+one+"/proposals", http.StatusCreated, write, with(d, propose)),
		httpapi.JSON("POST"+one+"/approvals", http.StatusCreated, write, with(d, approve)),
		httpapi.JSON("POST"+one+"/refusals", http.StatusCreated, write, with(d, refuse)),
		httpapi.JSON("POST"+one+"/explanations", http.StatusCreated, write, with(d, explain)),
		httpapi.JSON("POST"+one+"/holds", http.StatusCreated, write, with(d, hold)),
		httpapi.JSON("POST"+one+"/holds/{hold}/release", http.StatusCreated, write, with(d, releaseHold)),
		httpapi.JSON("POST"+one+"/findings/{finding}/outcome", http.StatusCreated, write, with(d, judgeFinding)),
		httpapi.JSON("POST"+one+"/appeals/{appeal}/answers", http.StatusCreated, write, with(d, answerAppeal)),
		httpapi.JSON("POST"+one+"/calls", http.StatusCreated, write, with(d, callPerson)),
		httpapi.JSON("POST"+one+"/reviews", http.StatusCreated, write, with(d, review)),
		httpapi.JSON("POST"+one+"/payees", http.StatusCreated, write, with(d, askPayee)),
		httpapi.JSON("POST"+one+"/cash-receipts", http.StatusCreated, write, with(d, askCash)),
		httpapi.JSON("POST"+one+"/thaws", http.StatusCreated, write, with(d, askThaw)),
		httpapi.JSON("POST"+one+"/orders/{order}/approvals", http.StatusCreated, write, with(d, completeOrder)),
		httpapi.JSON("POST"+one+"/reveals", http.StatusCreated, write, with(d, askReveal)),
		httpapi.JSON("GET"+one+"/reveals/{reveal}", http.StatusOK, read, with(d, seeReveal)),
		httpapi.JSON("POST"+one+"/reveals/{reveal}/approvals", http.StatusCreated, write, with(d, agreeReveal)),
		httpapi.JSON("POST"+one+"/reveals/{reveal}/reviews", http.StatusCreated, write, with(d, reviewReveal)),
		httpapi.JSON("GET /v1/staff/envelopes", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"township"}}, with(d, listEnvelopes)),
		httpapi.JSON("POST /v1/staff/envelopes", http.StatusCreated, write, with(d, askEnvelope)),
		httpapi.JSON("POST /v1/staff/envelopes/{envelope}/approvals", http.StatusCreated, write, with(d, approveEnvelope)),
		httpapi.JSON("POST /v1/staff/envelopes/{envelope}/closure", http.StatusCreated, write, with(d, closeEnvelope)),
		httpapi.JSON("GET /v1/staff/findings", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division", "effect", "after", "limit"}}, with(d, listFindings)),
		httpapi.JSON("GET /v1/staff/models", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, with(d, listModels)),
		httpapi.JSON("POST /v1/staff/inspections", http.StatusOK, httpapi.Options{Caller: httpapi.Staff, MaxBody: 4 << 10}, with(d, inspectAgain)),
		httpapi.JSON("GET /v1/staff/brakes", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, with(d, listBrakes)),
		httpapi.JSON("POST /v1/staff/brakes", http.StatusCreated, write, with(d, pullBrake)),
		httpapi.JSON("POST /v1/staff/brakes/{brake}/second", http.StatusCreated, write, with(d, secondBrake)),
		httpapi.JSON("POST /v1/staff/brakes/{brake}/lift-request", http.StatusCreated, write, with(d, askLift)),
		httpapi.JSON("POST /v1/staff/brakes/{brake}/lift", http.StatusCreated, write, with(d, liftBrake)),
		httpapi.JSON("GET /v1/staff/breaks", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division", "class", "hours"}}, with(d, listBreaks)),
		httpapi.JSON("GET /v1/staff/breaks/{break}", http.StatusOK, read, with(d, showBreak)),
		httpapi.JSON("POST /v1/staff/breaks/{break}/proposals", http.StatusCreated, write, with(d, proposeBreak)),
		httpapi.JSON("POST /v1/staff/breaks/{break}/agreements", http.StatusCreated, write, with(d, agreeBreak)),
		httpapi.JSON("GET /v1/staff/statements", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, with(d, listStatements)),
		httpapi.JSON("POST /v1/staff/statements", http.StatusCreated,
			httpapi.Options{Caller: httpapi.Staff, Idempotent: true, MaxBody: 4 << 20}, with(d, bringStatement)),
		httpapi.JSON("GET"+one+"/recoveries", http.StatusOK, read, with(d, listRecoveries)),
		httpapi.JSON("POST"+one+"/recoveries", http.StatusCreated, write, with(d, openRecovery)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/hearings", http.StatusCreated, write, with(d, hearPerson)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/decisions", http.StatusCreated, write, with(d, decideRecovery)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/plans", http.StatusCreated, write, with(d, agreePlan)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/repayments", http.StatusCreated, write, with(d, bookRepayment)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/waivers", http.StatusCreated, write, with(d, askWaiver)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/waivers/approval", http.StatusCreated, write, with(d, waiveRest)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/revocation", http.StatusCreated, write, with(d, revokeRecovery)),
		httpapi.JSON("GET /v1/staff/batches", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, with(d, listBatches)),
		httpapi.JSON("POST /v1/staff/batches", http.StatusCreated, write, with(d, proposeBatch)),
		httpapi.JSON("GET /v1/staff/batches/{batch}", http.StatusOK, read, with(d, showBatch)),
		httpapi.JSON("POST /v1/staff/batches/{batch}/release", http.StatusCreated, write, with(d, releaseBatch)),
		httpapi.JSON("POST /v1/staff/batches/{batch}/cancellation", http.StatusCreated, write, with(d, cancelBatch)),
	}
}

// with gives h what it needs from the world.
func with[In, Out any](d Deps, h func(context.Context, Deps, httpapi.Call[In]) (Out, error)) func(context.Context, httpapi.Call[In]) (Out, error) {
	return func(ctx context.Context, c httpapi.Call[In]) (Out, error) {
		return h(ctx, d, c)
	}
}
