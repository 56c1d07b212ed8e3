package decide

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/staff"
)

// Visited is what a visit at the door found (Law art. 43).
type Visited struct {
	Method  string    `json:"method" api:"required,enum=door|neighbours|telephone|letter"`
	At      time.Time `json:"at,omitzero"` // zero is now
	Finding string    `json:"finding" api:"required,enum=as_told|not_as_told|nobody_home|other_help_needed"`
	Note    string    `json:"note" api:"required,min=1,max=2000,lines"`
}

// Noted is the answer to everything that changes no state.
type Noted struct {
	Application string `json:"application"`
	Version     int64  `json:"version"`
	State       string `json:"state"`
}

func noted(a application.Application) Noted {
	return Noted{Application: a.ID, Version: a.Version, State: string(a.State)}
}

// visit records that somebody was there. It changes no state and no clock: on
// the emergency track the money does not wait for it.
func visit(ctx context.Context, d Deps, call httpapi.Call[Visited]) (httpapi.Reply[Noted], error) {
	return act(ctx, d, call.Request, wish{action: staff.Visit}, func(k desk) (application.Step[Noted], error) {
		in := call.Body
		if in.At.IsZero() {
			in.At = k.at
		}
		if in.At.After(k.at) || in.At.Before(k.app.AcceptedAt.AddDate(0, -1, 0)) {
			var f fault.Fields
			f.Add("/at", "out-of-range", "走访时间不能晚于现在，也不能早于申请前一个月。")
			return application.Step[Noted]{}, f.Err()
		}
		next, err := k.app.Note()
		if err != nil {
			return application.Step[Noted]{}, err
		}
		e := k.event(next, "visited", event.Facts{"method": in.Method, "finding": in.Finding,
			"visited_at": clock(in.At)})
		if err := k.note(ctx, &e, in.Note); err != nil {
			return application.Step[Noted]{}, err
		}
		return application.Step[Noted]{Next: next, Event: e, Out: noted(next)}, nil
	})
}
