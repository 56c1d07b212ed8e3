package apply

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/card"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
)

// WithdrawalIn is a wish not to be helped after all; why is the person's own
// business.
type WithdrawalIn struct {
	Reason redact.Text `json:"reason" api:"max=500,lines"`
}

func (d Deps) withdraw(ctx context.Context, c httpapi.Call[WithdrawalIn]) (httpapi.Reply[Changed], error) {
	return change(ctx, d, c.Request, http.StatusOK, func(a application.Application, now time.Time) (application.Step[Changed], error) {
		n, err := a.Withdraw()
		if err != nil {
			return application.Step[Changed]{}, err
		}
		e, err := application.SealNote(ctx, d.Box, n.Event("withdrawn", actor(c.Principal.ID), now), c.Body.Reason)
		return application.Step[Changed]{Next: n, Event: e, Out: changed(n, "申请已撤回。需要时可以随时再次申请。")}, err
	})
}

// AppealIn is an objection to a decision.
type AppealIn struct {
	About string      `json:"about" api:"required,enum=refusal|amount|delay|conduct|other"`
	Text  redact.Text `json:"text" api:"required,min=2,max=2000,lines"`
}

// Appealed is the answer to an objection.
type Appealed struct {
	Changed
	Appeal string `json:"appeal"`
	Due    string `json:"due"` // until when it must be answered
}

// appeal records an objection and puts it before the county. Whoever had part in
// the decision is named in it and may not answer it (D07).
func (d Deps) appeal(ctx context.Context, c httpapi.Call[AppealIn]) (httpapi.Reply[Appealed], error) {
	return change(ctx, d, c.Request, http.StatusCreated, func(a application.Application, now time.Time) (application.Step[Appealed], error) {
		if a.State != application.Refused && a.Award == nil {
			return application.Step[Appealed]{}, errNothingDecided
		}
		deciders, err := d.deciders(ctx, a.ID)
		if err != nil {
			return application.Step[Appealed]{}, err
		}
		n, err := a.Note()
		if err != nil {
			return application.Step[Appealed]{}, err
		}
		due := now
		if rules, err := d.rules(a); err == nil {
			due = rules.AppealDue(now).At
		}
		p := application.NewAppeal(n, deciders, now, due)
		put, err := p.Put()
		if err != nil {
			return application.Step[Appealed]{}, err
		}
		e := n.Event("appealed", actor(c.Principal.ID), now)
		e.Reason = c.Body.About
		e.Facts = event.Facts{"appeal": p.ID, "due": clock(due)}
		e, err = application.SealNote(ctx, d.Box, e, c.Body.Text)
		return application.Step[Appealed]{Next: n, Event: e, Also: []table.Write{put},
			Out: Appealed{changed(n, "您的意见已送县级民政部门，由没有参与这个决定的人答复。"), p.ID, clock(due)}}, err
	})
}

// deciders names the staff who had part in what was decided, by account and person.
func (d Deps) deciders(ctx context.Context, id string) ([]string, error) {
	events, err := event.Of(ctx, d.Table, application.Partition(id))
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, e := range events {
		decision := e.Noun == application.Noun && slices.Contains([]string{"proposed", "approved", "released", "refused", "recovery_opened", "recovery_heard", "recovery_decided"}, e.Kind)
		if decision && e.Actor.Kind == event.Staff && !slices.Contains(names, e.Actor.ID) {
			names = append(names, event.Names(e.Actor)...)
		}
	}
	return names, nil
}

// ReceiptIn is the one tap after the money: did it come?
type ReceiptIn struct {
	Award  string `json:"award" api:"required,max=2"`
	Answer string `json:"answer" api:"required,enum=received|not_received|wrong_amount"`
}

var receiptTexts = map[string]string{
	application.Received:    "谢谢您的确认。",
	application.NotReceived: "已经记下，工作人员会向银行核查并联系您；核查清楚以前不会再付款。",
	application.WrongAmount: "已经记下，工作人员会核查金额并联系您；核查清楚以前不会再付款。",
}

var receiptHolds = map[string]string{application.NotReceived: application.HoldReceipt, application.WrongAmount: application.HoldAmount}

// receipt records what the person says. Anything but received holds all further
// money and calls a person: the answer costs the citizen one tap and nobody can
// look away from it.
func (d Deps) receipt(ctx context.Context, c httpapi.Call[ReceiptIn]) (httpapi.Reply[Changed], error) {
	return change(ctx, d, c.Request, http.StatusOK, func(a application.Application, now time.Time) (application.Step[Changed], error) {
		paid, err := d.paid(ctx, a.ID, c.Body.Award)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		if !paid {
			return application.Step[Changed]{}, errNotPaid
		}
		var hold *application.Hold
		if code, ok := receiptHolds[c.Body.Answer]; ok {
			h := application.NewHold(a.ID, a.Version, code, actor(c.Principal.ID), now, d.holdDue(a, now))
			hold = &h
		}
		n, err := a.Confirm(application.Receipt{Award: c.Body.Award, Answer: c.Body.Answer, At: now}, hold)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		e := n.Event("receipted", actor(c.Principal.ID), now)
		e.Reason = c.Body.Answer
		e.Facts = event.Facts{"award": c.Body.Award, "answer": c.Body.Answer, "held": hold != nil}
		return application.Step[Changed]{Next: n, Event: e, Out: changed(n, receiptTexts[c.Body.Answer])}, nil
	})
}

// paid reports whether an award's money is paid and has not come back, as the
// last of its events tells it. The bank may have been asked again since.
func (d Deps) paid(ctx context.Context, id, award string) (bool, error) {
	events, err := event.Of(ctx, d.Table, application.Partition(id))
	if err != nil {
		return false, err
	}
	last, ok := card.Told(events, award)
	return ok && last.Facts.Text("state") == "paid", nil
}

// NotMeIn proves who says "not me": the paper the application names. What it
// does not fit is as if there were no application.
type NotMeIn struct {
	Paper PaperIn `json:"paper" api:"required"`
}

// notMe freezes an application that somebody filed in another's name (X096). It
// comes from the account of the real person, so it asks for the paper and not
// for the account that filed.
func (d Deps) notMe(ctx context.Context, c httpapi.Call[NotMeIn]) (httpapi.Reply[Changed], error) {
	r := reader{today: calendar.Today(d.Now())}
	paper := r.paper("/paper", c.Body.Paper)
	if err := r.fields.Err(); err != nil {
		return httpapi.Reply[Changed]{}, err
	}
	return changeAny(ctx, d, c.Request, http.StatusOK, func(a application.Application, now time.Time) (application.Step[Changed], error) {
		if !slices.Contains(application.PersonRefs(d.Blind, paper, ""), a.Subject) {
			return application.Step[Changed]{}, application.ErrNotFound
		}
		by := event.Actor{Kind: event.Citizen, ID: c.Principal.ID, Person: a.Subject}
		n, placed, err := a.PlaceHold(application.NewHold(a.ID, a.Version, application.HoldNotMine, by, now, d.holdDue(a, now)))
		if err != nil {
			return application.Step[Changed]{}, err
		}
		kind := "held"
		if !placed { // frozen already: it is noted that it was said again
			kind = "disowned"
			if n, err = a.Note(); err != nil {
				return application.Step[Changed]{}, err
			}
		}
		e := n.Event(kind, by, now)
		e.Reason = application.HoldNotMine
		e.Facts = event.Facts{"code": application.HoldNotMine}
		return application.Step[Changed]{Next: n, Event: e, Out: changed(n, "已经冻结，不会付款。监督人员会核实并联系您。")}, nil
	})
}
