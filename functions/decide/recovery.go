package decide

import (
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/recovery"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// RecoveryIn opens a recovery: what was wrong, since when, and the papers that
// say so. It claims nothing from anybody yet.
type RecoveryIn struct {
	Reason   string   `json:"reason" api:"required,enum=false_declaration|paid_after_death|duplicate|not_eligible|wrong_amount|wrong_payee"`
	Act      string   `json:"act" api:"required,max=10"`                   // day of the act, 2026-07-01
	Evidence []string `json:"evidence_sha256" api:"required,min=1,max=20"` // SHA-256 of the papers
	Facts    string   `json:"facts" api:"required,min=10,max=2000,lines"`  // what happened, for the person to read
}

// HearingIn says how the person was heard (Law art. 46–48).
type HearingIn struct {
	Version int64    `json:"version" api:"required,min=1"`
	How     string   `json:"how" api:"required,enum=stated|silent|heirs"`
	Records []string `json:"records_sha256,omitempty" api:"max=20"`
	Words   string   `json:"words" api:"required,min=4,max=4000,lines"` // what was said, or how the person was told
}

// RecoveryDecisionIn is the written decision. An amount of 0 ends the case.
type RecoveryDecisionIn struct {
	Version    int64     `json:"version" api:"required,min=1"`
	AmountFen  money.Fen `json:"amount_fen" api:"min=0,max=5000000"`
	PenaltyFen money.Fen `json:"penalty_fen,omitempty" api:"min=0,max=15000000"`
	Due        time.Time `json:"due,omitzero"`
	Reasons    string    `json:"reasons" api:"required,min=10,max=4000,lines"`
}

// PlanIn are instalments agreed with the person.
type PlanIn struct {
	Version     int64          `json:"version" api:"required,min=1"`
	Instalments []InstalmentIn `json:"instalments" api:"required,min=1,max=60"`
	Note        string         `json:"note" api:"required,min=4,max=1000,lines"`
}

// InstalmentIn is one of them.
type InstalmentIn struct {
	Due time.Time `json:"due" api:"required"`
	Fen money.Fen `json:"fen" api:"required,min=1,max=5000000"`
}

// RepaymentIn is money that came back to the fund's account.
type RepaymentIn struct {
	Version   int64     `json:"version" api:"required,min=1"`
	Fen       money.Fen `json:"fen" api:"required,min=1,max=5000000"`
	Reference string    `json:"reference" api:"required,min=4,max=64"` // the bank's number of the credit
	Evidence  string    `json:"evidence_sha256" api:"required,min=64,max=64"`
}

// RecoveryStep restates what the caller saw, and says why.
type RecoveryStep struct {
	Version int64  `json:"version" api:"required,min=1"`
	Reason  string `json:"reason" api:"required,min=10,max=2000,lines"`
}

// RecoveryOut is a recovery.
type RecoveryOut struct {
	ID          string          `json:"id"`
	Version     int64           `json:"version"`
	Application string          `json:"application"`
	Award       string          `json:"award"`
	State       string          `json:"state"`
	StateLabel  string          `json:"state_label"`
	Reason      string          `json:"reason"`
	ReasonLabel string          `json:"reason_label"`
	Act         string          `json:"act"`
	PaidFen     money.Fen       `json:"paid_fen"`
	HearBy      string          `json:"hear_by"`
	Due         string          `json:"due,omitempty"` // of what is to be done next
	AmountFen   money.Fen       `json:"amount_fen"`
	PenaltyFen  money.Fen       `json:"penalty_fen"`
	Article     string          `json:"article,omitempty"`
	BackFen     money.Fen       `json:"back_fen"`
	LeftFen     money.Fen       `json:"left_fen"`
	Plan        []InstalmentOut `json:"plan"`
	Back        []RepaymentOut  `json:"repayments"`
	OpenedBy    string          `json:"opened_by"`
	HeardBy     string          `json:"heard_by,omitempty"`
	DecidedBy   string          `json:"decided_by,omitempty"`
	WaiverBy    string          `json:"waiver_asked_by,omitempty"`
	WaivedBy    string          `json:"waived_by,omitempty"`
	RevokedBy   string          `json:"revoked_by,omitempty"`
}

// InstalmentOut is one instalment.
type InstalmentOut struct {
	Due string    `json:"due"`
	Fen money.Fen `json:"fen"`
}

// RepaymentOut is one repayment.
type RepaymentOut struct {
	Fen       money.Fen `json:"fen"`
	Reference string    `json:"reference"`
	At        string    `json:"at"`
	By        string    `json:"by"`
}

// Recoveries is every recovery of one application.
type Recoveries struct {
	Recoveries []RecoveryOut `json:"recoveries"`
}

// remedyOfRecovery is how to object, as the person reads it (Law art. 76).
const remedyOfRecovery = "您不服这个决定，可以在收到之日起六十日内申请行政复议，或者在六个月内向人民法院提起行政诉讼（《社会救助法》第七十六条）；也可以在小程序提出异议，由没有参与决定的人处理。"

func recoveryOut(r recovery.Recovery) RecoveryOut {
	out := RecoveryOut{ID: r.ID, Version: r.Version, Application: r.Application, Award: r.Award, State: string(r.State), StateLabel: r.State.Label(),
		Reason: string(r.Reason), ReasonLabel: r.Reason.Label(), Act: r.Act.String(), PaidFen: r.PaidFen, HearBy: clock(r.HearBy), BackFen: r.BackFen,
		LeftFen: r.Left(), Plan: []InstalmentOut{}, Back: []RepaymentOut{}, OpenedBy: r.Opened.By.ID}
	if due, ok := r.Due(); ok {
		out.Due = clock(due)
	}
	if r.Hearing != nil {
		out.HeardBy = r.Hearing.By.ID
	}
	if d := r.Decision; d != nil {
		out.AmountFen, out.PenaltyFen, out.Article, out.DecidedBy = d.AmountFen, d.PenaltyFen, d.Article, d.By.ID
	}
	for _, i := range r.Plan {
		out.Plan = append(out.Plan, InstalmentOut{clock(i.Due), i.Fen})
	}
	for _, b := range r.Back {
		out.Back = append(out.Back, RepaymentOut{b.Fen, b.Reference, clock(b.At), b.By.ID})
	}
	for hand, name := range map[*recovery.Hand]*string{r.Waiver: &out.WaiverBy, r.Waived: &out.WaivedBy, r.Revoked: &out.RevokedBy} {
		if hand != nil {
			*name = hand.By.ID
		}
	}
	return out
}

func listRecoveries(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Recoveries, error) {
	k, err := d.before(ctx, call.Request, wish{action: staff.ReadApplication})
	if err != nil {
		return Recoveries{}, err
	}
	all, err := recovery.List(ctx, d.Table, k.app.ID)
	out := Recoveries{Recoveries: []RecoveryOut{}}
	for _, r := range all {
		out.Recoveries = append(out.Recoveries, recoveryOut(r))
	}
	return out, err
}

// told is what one step of a recovery tells the record and the person.
type told struct {
	kind  string      // of the events
	facts event.Facts // beside those of every step
	words string      // sealed: what was said, decided and why
	tell  notice.Kind // "" tells nobody
}

// openRecovery is one person's word that money was wrongly paid. The person is
// told and may speak; nothing is claimed.
func openRecovery(ctx context.Context, d Deps, call httpapi.Call[RecoveryIn]) (httpapi.Reply[RecoveryOut], error) {
	day, err := civil.ParseDay(call.Body.Act)
	if err != nil {
		return httpapi.Reply[RecoveryOut]{}, badField("/act", err)
	}
	id := d.IDs.New()
	return act(ctx, d, call.Request, wish{action: staff.OpenRecovery}, func(k desk) (application.Step[RecoveryOut], error) {
		var none application.Step[RecoveryOut]
		if day.After(calendar.Today(k.at)) {
			var f fault.Fields
			f.Add("/act", "future", "行为发生的日期不能在今天之后。")
			return none, f.Err()
		}
		p, err := k.paidOut(ctx)
		if err != nil {
			return none, err
		}
		earlier, err := recovery.List(ctx, d.Table, k.app.ID)
		if err != nil {
			return none, err
		}
		r, err := recovery.New(recovery.Recovery{ID: id, Reason: recovery.Reason(call.Body.Reason), Act: day, Evidence: call.Body.Evidence}, k.app, p, earlier, k.actor(), k.at)
		if err != nil {
			return none, err
		}
		return k.recover(ctx, r, told{"recovery_opened", event.Facts{"hear_by": clock(r.HearBy), "label": r.Reason.Label()}, call.Body.Facts, notice.RecoveryOpened},
			func(e event.Event) ([]table.Write, error) { return r.Begin(ctx, d.Table, p, e) })
	})
}

func (k desk) paidOut(ctx context.Context) (payout.Payout, error) {
	if k.app.Award == nil {
		return payout.Payout{}, recovery.ErrPaid
	}
	return payout.Get(ctx, k.deps.Table, payout.Key(k.app.ID, k.app.Award.ID))
}

// recover makes one step of a recovery: the application notes it, so that whoever
// moves the case meanwhile undoes it, and the person reads it there.
func (k desk) recover(ctx context.Context, r recovery.Recovery, t told, writes func(event.Event) ([]table.Write, error)) (application.Step[RecoveryOut], error) {
	var none application.Step[RecoveryOut]
	next, err := k.app.Note()
	if err != nil {
		return none, err
	}
	also, err := writes(r.Event(t.kind[len("recovery_"):], k.actor(), k.at))
	if err != nil {
		return none, err
	}
	facts := event.Facts{"recovery": r.ID, "award": r.Award, "reason": string(r.Reason), "state": string(r.State)}
	for name, v := range t.facts {
		facts[name] = v
	}
	e := k.event(next, t.kind, facts)
	e.Reason = string(r.Reason)
	if err := k.note(ctx, &e, t.words); err != nil {
		return none, err
	}
	if t.tell != "" {
		owed, err := notice.Owe(t.tell, e)
		if err != nil {
			return none, err
		}
		also = append(also, owed)
	}
	return application.Step[RecoveryOut]{Next: next, Event: e, Also: also, Out: recoveryOut(r), Lost: func(failed *table.ConditionError) error {
		return r.Refusal(failed)
	}}, nil
}

// recoveryStep is what one person does to a recovery that is there. earlier names
// who had part before and may not, as the policies ask.
func recoveryStep(ctx context.Context, d Deps, call httpapi.Request, action staff.Action, version int64, earlier func(recovery.Recovery) []event.Actor,
	step func(desk, recovery.Recovery, event.Actor) (recovery.Recovery, told, error)) (httpapi.Reply[RecoveryOut], error) {
	// Who had part before never becomes fewer, so the question to the policies may
	// be taken from a first look; everything else is read again inside.
	if _, _, err := d.acting(ctx, call.Principal.ID); err != nil {
		return httpapi.Reply[RecoveryOut]{}, err
	}
	first, err := recovery.Get(ctx, d.Table, call.Path("id"), call.Path("recovery"))
	if errors.Is(err, recovery.ErrNotFound) {
		return httpapi.Reply[RecoveryOut]{}, application.ErrNotFound // what is not there looks like a case that is not there
	}
	if err != nil {
		return httpapi.Reply[RecoveryOut]{}, err
	}
	hands := earlier(first)
	ask := func(_ context.Context, _ application.Application, r *staff.Request) error {
		r.Earlier = event.Names(hands...)
		return nil
	}
	return act(ctx, d, call, wish{action, ask}, func(k desk) (application.Step[RecoveryOut], error) {
		var none application.Step[RecoveryOut]
		r, err := recovery.Get(ctx, d.Table, k.app.ID, first.ID)
		if err != nil {
			return none, err
		}
		if r.Version != version {
			return none, recovery.ErrStale
		}
		var known []string
		for _, h := range hands {
			known = append(known, h.Person)
		}
		after, t, err := step(k, r, k.actor(known...))
		if err != nil {
			return none, err
		}
		return k.recover(ctx, after, t, func(e event.Event) ([]table.Write, error) {
			if len(after.Back) == len(r.Back) {
				return after.Writes(e)
			}
			p, err := k.paidOut(ctx)
			if err != nil {
				return nil, err
			}
			return after.Book(p, e)
		})
	})
}

func nobody(recovery.Recovery) []event.Actor { return nil }

func hearPerson(ctx context.Context, d Deps, call httpapi.Call[HearingIn]) (httpapi.Reply[RecoveryOut], error) {
	in := call.Body
	return recoveryStep(ctx, d, call.Request, staff.HearPerson, in.Version, nobody, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		r, err := r.Hear(recovery.How(in.How), in.Records, by, k.at)
		return r, told{"recovery_heard", event.Facts{"how": in.How}, in.Words, ""}, err
	})
}

// decideRecovery is the written decision, by somebody who neither opened the case
// nor heard the person.
func decideRecovery(ctx context.Context, d Deps, call httpapi.Call[RecoveryDecisionIn]) (httpapi.Reply[RecoveryOut], error) {
	in := call.Body
	return recoveryStep(ctx, d, call.Request, staff.DecideRecovery, in.Version, recovery.Recovery.Hands, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		r, err := r.Decide(in.AmountFen, in.PenaltyFen, in.Due, by, k.at)
		if err != nil {
			return r, told{}, err
		}
		facts := event.Facts{"amount_fen": in.AmountFen, "penalty_fen": in.PenaltyFen, "article": r.Decision.Article, "label": r.Reason.Label(), "remedy": remedyOfRecovery}
		if in.AmountFen == 0 {
			return r, told{"recovery_dismissed", facts, in.Reasons, notice.RecoveryClosed}, nil
		}
		facts["due"] = clock(in.Due)
		return r, told{"recovery_decided", facts, in.Reasons, notice.RecoveryDecided}, nil
	})
}

func agreePlan(ctx context.Context, d Deps, call httpapi.Call[PlanIn]) (httpapi.Reply[RecoveryOut], error) {
	in := call.Body
	return recoveryStep(ctx, d, call.Request, staff.AgreePlan, in.Version, nobody, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		plan := make([]recovery.Instalment, len(in.Instalments))
		for i, one := range in.Instalments {
			plan[i] = recovery.Instalment{Due: one.Due, Fen: one.Fen}
		}
		r, err := r.Agree(plan, by, k.at)
		return r, told{"recovery_planned", event.Facts{"instalments": len(plan)}, in.Note, ""}, err
	})
}

// bookRepayment brings what came back into the fund, once for each credit.
func bookRepayment(ctx context.Context, d Deps, call httpapi.Call[RepaymentIn]) (httpapi.Reply[RecoveryOut], error) {
	in := call.Body
	return recoveryStep(ctx, d, call.Request, staff.BookRepayment, in.Version, nobody, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		r, err := r.Repay(in.Fen, in.Reference, in.Evidence, by, k.at)
		t := told{"recovery_repaid", event.Facts{"fen": in.Fen, "back_fen": r.BackFen, "left_fen": r.Left()}, "", ""}
		if r.State == recovery.Repaid {
			t.tell = notice.RecoveryClosed
		}
		return r, t, err
	})
}

func askWaiver(ctx context.Context, d Deps, call httpapi.Call[RecoveryStep]) (httpapi.Reply[RecoveryOut], error) {
	return recoveryStep(ctx, d, call.Request, staff.AskWaiver, call.Body.Version, nobody, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		r, err := r.AskWaiver(by, k.at)
		return r, told{"recovery_waiver_asked", event.Facts{"left_fen": r.Left()}, call.Body.Reason, ""}, err
	})
}

func waiveRest(ctx context.Context, d Deps, call httpapi.Call[RecoveryStep]) (httpapi.Reply[RecoveryOut], error) {
	asked := func(r recovery.Recovery) []event.Actor {
		if r.Waiver == nil {
			return nil
		}
		return []event.Actor{r.Waiver.By}
	}
	return recoveryStep(ctx, d, call.Request, staff.ApproveWaiver, call.Body.Version, asked, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		r, err := r.Waive(by, k.at)
		return r, told{"recovery_waived", event.Facts{"left_fen": r.Left()}, call.Body.Reason, notice.RecoveryClosed}, err
	})
}

// revokeRecovery takes back a decision that did not stand, by the county and by
// nobody who had part in it.
func revokeRecovery(ctx context.Context, d Deps, call httpapi.Call[RecoveryStep]) (httpapi.Reply[RecoveryOut], error) {
	return recoveryStep(ctx, d, call.Request, staff.RevokeRecovery, call.Body.Version, recovery.Recovery.Deciders, func(k desk, r recovery.Recovery, by event.Actor) (recovery.Recovery, told, error) {
		r, err := r.Revoke(by, k.at)
		return r, told{"recovery_revoked", event.Facts{"back_fen": r.BackFen}, call.Body.Reason, notice.RecoveryClosed}, err
	})
}
