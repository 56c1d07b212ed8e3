package decide

import (
	"context"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/staff"
)

// Calling is a telephone call to somebody whom no message reached.
type Calling struct {
	Notice  string `json:"notice" api:"required,max=200"` // the id of the task
	Reached bool   `json:"reached" api:"required"`
	Note    string `json:"note" api:"required,min=2,max=1000,lines"`
}

// CalledOut is what became of the notice.
type CalledOut struct {
	Noted
	Notice      string `json:"notice"`
	NoticeState string `json:"notice_state"` // "told", "untold", or "unsent": call again
	Calls       int    `json:"calls"`
}

// callPerson records that somebody called. Told is told: the task is gone. A call
// that nobody answered leaves it for the next day, until there were enough.
func callPerson(ctx context.Context, d Deps, call httpapi.Call[Calling]) (httpapi.Reply[CalledOut], error) {
	return act(ctx, d, call.Request, wish{action: staff.Call}, func(k desk) (application.Step[CalledOut], error) {
		var none application.Step[CalledOut]
		n, err := notice.Get(ctx, d.Table, application.Partition(k.app.ID), call.Body.Notice)
		if err != nil {
			return none, err
		}
		if n, err = n.Called(notice.Call{By: k.who.ID, At: k.at, Reached: call.Body.Reached}); err != nil {
			return none, err
		}
		next, err := k.app.Note()
		if err != nil {
			return none, err
		}
		writes, err := n.Replace(k.actor(), k.at)
		if err != nil {
			return none, err
		}
		e := k.event(next, "called", event.Facts{"notice": string(n.Kind), "reached": call.Body.Reached, "calls": len(n.Calls)})
		if err := k.note(ctx, &e, call.Body.Note); err != nil {
			return none, err
		}
		return application.Step[CalledOut]{Next: next, Event: e, Also: writes,
			Out: CalledOut{noted(next), n.ID, string(n.State), len(n.Calls)}}, nil
	})
}
