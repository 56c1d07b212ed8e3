package decide

import (
	"context"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Answering is the answer to an appeal, with reasons that the person reads.
type Answering struct {
	Result  application.AppealResult `json:"result" api:"required,enum=upheld|reopened"`
	Reasons string                   `json:"reasons" api:"required,min=10,max=2000,lines"`
}

// AnsweredOut is the answer as given.
type AnsweredOut struct {
	Noted
	Appeal      string   `json:"appeal"`
	Result      string   `json:"result"`
	ResultLabel string   `json:"result_label"`
	Deadline    Deadline `json:"deadline"` // of the new decision, when there is to be one
}

// answerAppeal answers an objection: a county approver who had no part in what is
// objected to (D07). A refusal that does not stand is taken back and decided on
// anew; the person is told either way.
func answerAppeal(ctx context.Context, d Deps, call httpapi.Call[Answering]) (httpapi.Reply[AnsweredOut], error) {
	in := call.Body
	return act(ctx, d, call.Request, wish{staff.AnswerAppeal, d.decided}, func(k desk) (application.Step[AnsweredOut], error) {
		var none application.Step[AnsweredOut]
		p, err := application.GetAppeal(ctx, d.Table, k.app.ID, call.Path("appeal"))
		if err != nil {
			return none, err
		}
		answered, err := p.Answered(in.Result, k.actor(), k.at)
		if err != nil {
			return none, err
		}
		var next application.Application
		kind, tell := "appeal_upheld", notice.Upheld
		if in.Result == application.Reopened {
			tell = notice.Reopened
			next, kind, err = k.app.Reopen(k.actor(), k.decideDue())
		} else {
			next, err = k.app.Note()
		}
		if err != nil {
			return none, err
		}
		e := k.event(next, kind, event.Facts{"appeal": p.ID, "result": string(in.Result), "filed": clock(p.At), "due": clock(p.Due)})
		if err := k.note(ctx, &e, in.Reasons); err != nil {
			return none, err
		}
		if in.Result == application.Reopened {
			e.Facts["decide_due"] = clock(next.Deadline.At)
		}
		told, err := notice.Owe(tell, e)
		if err != nil {
			return none, err
		}
		return application.Step[AnsweredOut]{Next: next, Event: e, Also: []table.Write{answered, told},
			Out: AnsweredOut{noted(next), p.ID, string(in.Result), in.Result.Label(), deadline(next.Deadline, k.at)}}, nil
	})
}

// decisions are the events of those who had part in a decision.
var decisions = []string{"proposed", "approved", "released", "refused", "recovery_opened", "recovery_heard", "recovery_decided"}

// decided names everybody who had part in a decision on a, by person and account:
// none of them answers an appeal against it. It is read at every try, so that
// whoever decides meanwhile is among them.
func (d Deps) decided(ctx context.Context, a application.Application, r *staff.Request) error {
	events, err := event.Of(ctx, d.Table, application.Partition(a.ID))
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Noun == application.Noun && slices.Contains(decisions, e.Kind) {
			r.Earlier = append(r.Earlier, e.Actor.ID, e.Actor.Person, e.Facts.Text("asked_by"), e.Facts.Text("approved_by"))
		}
	}
	return nil
}

// decideDue is by when a reopened application must be decided on: as long as a new
// one would have, from now. Where no rules are in force it is now.
func (k desk) decideDue() application.Deadline {
	due := application.Deadline{Kind: application.ToDecide, From: k.at, At: k.at}
	if rules, err := k.deps.Book.Rules(k.app.Township, calendar.Today(k.app.AcceptedAt)); err == nil {
		d := rules.DecisionDue(k.at)
		due.At, due.Provisional = d.At, d.Provisional
	}
	return due
}
