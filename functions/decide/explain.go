package decide

import (
	"context"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/staff"
)

// Explaining is the explanation that first-step aid leaves the office owing
// (补充说明情况, Law art. 50).
type Explaining struct {
	Findings  string   `json:"findings" api:"required,enum=ok|problem"`
	Text      string   `json:"text" api:"required,min=10,max=4000,lines"`
	Documents []string `json:"documents,omitempty" api:"max=20,each=64"`
}

// explain records the explanation. A problem found afterwards takes nothing back
// by itself: it places a hold, so that a person decides what follows.
func explain(ctx context.Context, d Deps, call httpapi.Call[Explaining]) (httpapi.Reply[Noted], error) {
	return act(ctx, d, call.Request, wish{action: staff.Explain}, func(k desk) (application.Step[Noted], error) {
		next, err := k.app.Explain()
		if err != nil {
			return application.Step[Noted]{}, err
		}
		facts := event.Facts{"findings": call.Body.Findings, "documents": len(call.Body.Documents)}
		if call.Body.Findings == "problem" {
			k.trouble(&next, facts)
		}
		e := k.event(next, "explained", facts)
		if err := k.note(ctx, &e, call.Body.Text); err != nil {
			return application.Step[Noted]{}, err
		}
		return application.Step[Noted]{Next: next, Event: e, Out: noted(next)}, nil
	})
}
