// Package decide is what township and county staff do: see what is owed, visit,
// propose, approve, refuse with reasons, hold, explain, and decide afterwards
// what a bank could not pay. Every act asks the policies (package staff) and
// then carries the same demands into the conditions of its write, so that what
// moved in between undoes it. It knows no bank and no register, and it is the
// only code that makes an award by hand.
package decide

import (
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
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division", "after", "limit"}}, httpapi.With(d, tasks)),
		httpapi.JSON("GET"+one, http.StatusOK, read, httpapi.With(d, show)),
		httpapi.JSON("POST"+one+"/visits", http.StatusCreated, write, httpapi.With(d, visit)),
		httpapi.JSON("POST"+one+"/proposals", http.StatusCreated, write, httpapi.With(d, propose)),
		httpapi.JSON("POST"+one+"/approvals", http.StatusCreated, write, httpapi.With(d, approve)),
		httpapi.JSON("POST"+one+"/refusals", http.StatusCreated, write, httpapi.With(d, refuse)),
		httpapi.JSON("POST"+one+"/explanations", http.StatusCreated, write, httpapi.With(d, explain)),
		httpapi.JSON("POST"+one+"/holds", http.StatusCreated, write, httpapi.With(d, hold)),
		httpapi.JSON("POST"+one+"/holds/{hold}/release", http.StatusCreated, write, httpapi.With(d, releaseHold)),
		httpapi.JSON("POST"+one+"/findings/{finding}/outcome", http.StatusCreated, write, httpapi.With(d, judgeFinding)),
		httpapi.JSON("POST"+one+"/appeals/{appeal}/answers", http.StatusCreated, write, httpapi.With(d, answerAppeal)),
		httpapi.JSON("POST"+one+"/calls", http.StatusCreated, write, httpapi.With(d, callPerson)),
		httpapi.JSON("POST"+one+"/reviews", http.StatusCreated, write, httpapi.With(d, review)),
		httpapi.JSON("POST"+one+"/payees", http.StatusCreated, write, httpapi.With(d, askPayee)),
		httpapi.JSON("POST"+one+"/cash-receipts", http.StatusCreated, write, httpapi.With(d, askCash)),
		httpapi.JSON("POST"+one+"/thaws", http.StatusCreated, write, httpapi.With(d, askThaw)),
		httpapi.JSON("POST"+one+"/orders/{order}/approvals", http.StatusCreated, write, httpapi.With(d, completeOrder)),
		httpapi.JSON("POST"+one+"/reveals", http.StatusCreated, write, httpapi.With(d, askReveal)),
		httpapi.JSON("GET"+one+"/reveals/{reveal}", http.StatusOK, read, httpapi.With(d, seeReveal)),
		httpapi.JSON("POST"+one+"/reveals/{reveal}/approvals", http.StatusCreated, write, httpapi.With(d, agreeReveal)),
		httpapi.JSON("POST"+one+"/reveals/{reveal}/reviews", http.StatusCreated, write, httpapi.With(d, reviewReveal)),
		httpapi.JSON("GET /v1/staff/envelopes", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"township"}}, httpapi.With(d, listEnvelopes)),
		httpapi.JSON("POST /v1/staff/envelopes", http.StatusCreated, write, httpapi.With(d, askEnvelope)),
		httpapi.JSON("POST /v1/staff/envelopes/{envelope}/approvals", http.StatusCreated, write, httpapi.With(d, approveEnvelope)),
		httpapi.JSON("POST /v1/staff/envelopes/{envelope}/closure", http.StatusCreated, write, httpapi.With(d, closeEnvelope)),
		httpapi.JSON("GET /v1/staff/findings", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division", "effect", "after", "limit"}}, httpapi.With(d, listFindings)),
		httpapi.JSON("GET /v1/staff/models", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, httpapi.With(d, listModels)),
		httpapi.JSON("POST /v1/staff/inspections", http.StatusOK, httpapi.Options{Caller: httpapi.Staff, MaxBody: 4 << 10}, httpapi.With(d, inspectAgain)),
		httpapi.JSON("GET /v1/staff/brakes", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, httpapi.With(d, listBrakes)),
		httpapi.JSON("POST /v1/staff/brakes", http.StatusCreated, write, httpapi.With(d, pullBrake)),
		httpapi.JSON("POST /v1/staff/brakes/{brake}/second", http.StatusCreated, write, httpapi.With(d, secondBrake)),
		httpapi.JSON("POST /v1/staff/brakes/{brake}/lift-request", http.StatusCreated, write, httpapi.With(d, askLift)),
		httpapi.JSON("POST /v1/staff/brakes/{brake}/lift", http.StatusCreated, write, httpapi.With(d, liftBrake)),
		httpapi.JSON("GET /v1/staff/breaks", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division", "class", "hours"}}, httpapi.With(d, listBreaks)),
		httpapi.JSON("GET /v1/staff/breaks/{break}", http.StatusOK, read, httpapi.With(d, showBreak)),
		httpapi.JSON("POST /v1/staff/breaks/{break}/proposals", http.StatusCreated, write, httpapi.With(d, proposeBreak)),
		httpapi.JSON("POST /v1/staff/breaks/{break}/agreements", http.StatusCreated, write, httpapi.With(d, agreeBreak)),
		httpapi.JSON("GET /v1/staff/statements", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, httpapi.With(d, listStatements)),
		httpapi.JSON("POST /v1/staff/statements", http.StatusCreated,
			httpapi.Options{Caller: httpapi.Staff, Idempotent: true, MaxBody: 4 << 20}, httpapi.With(d, bringStatement)),
		httpapi.JSON("GET"+one+"/recoveries", http.StatusOK, read, httpapi.With(d, listRecoveries)),
		httpapi.JSON("POST"+one+"/recoveries", http.StatusCreated, write, httpapi.With(d, openRecovery)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/hearings", http.StatusCreated, write, httpapi.With(d, hearPerson)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/decisions", http.StatusCreated, write, httpapi.With(d, decideRecovery)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/plans", http.StatusCreated, write, httpapi.With(d, agreePlan)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/repayments", http.StatusCreated, write, httpapi.With(d, bookRepayment)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/waivers", http.StatusCreated, write, httpapi.With(d, askWaiver)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/waivers/approval", http.StatusCreated, write, httpapi.With(d, waiveRest)),
		httpapi.JSON("POST"+one+"/recoveries/{recovery}/revocation", http.StatusCreated, write, httpapi.With(d, revokeRecovery)),
		httpapi.JSON("GET /v1/staff/batches", http.StatusOK,
			httpapi.Options{Caller: httpapi.Staff, Query: []string{"division"}}, httpapi.With(d, listBatches)),
		httpapi.JSON("POST /v1/staff/batches", http.StatusCreated, write, httpapi.With(d, proposeBatch)),
		httpapi.JSON("GET /v1/staff/batches/{batch}", http.StatusOK, read, httpapi.With(d, showBatch)),
		httpapi.JSON("POST /v1/staff/batches/{batch}/release", http.StatusCreated, write, httpapi.With(d, releaseBatch)),
		httpapi.JSON("POST /v1/staff/batches/{batch}/cancellation", http.StatusCreated, write, httpapi.With(d, cancelBatch)),
	}
}
