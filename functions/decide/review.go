package decide

import (
	"context"
	"errors"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Reviewing is the second look at money that left within a standing approval.
type Reviewing struct {
	Finding string `json:"finding" api:"required,enum=ok|problem"`
	Text    string `json:"text" api:"required,min=4,max=2000,lines"`
}

// review records the second look. A problem places a hold; it takes nothing back.
func review(ctx context.Context, d Deps, call httpapi.Call[Reviewing]) (httpapi.Reply[Noted], error) {
	return act(ctx, d, call.Request, wish{action: staff.Review}, func(k desk) (application.Step[Noted], error) {
		var none application.Step[Noted]
		r, err := envelope.GetReview(ctx, d.Table, k.app.ID, k.app.Award.ID)
		if errors.Is(err, envelope.ErrNotFound) {
			return none, application.ErrState
		}
		if err != nil {
			return none, err
		}
		done, err := r.Done(call.Body.Finding, k.actor())
		if err != nil {
			return none, application.ErrState
		}
		next, err := k.app.Note()
		if err != nil {
			return none, err
		}
		facts := event.Facts{"finding": call.Body.Finding, "award": r.Award, "envelope": r.Envelope}
		if call.Body.Finding == "problem" {
			k.trouble(&next, facts)
		}
		e := k.event(next, "reviewed", facts)
		if err := k.note(ctx, &e, call.Body.Text); err != nil {
			return none, err
		}
		return application.Step[Noted]{Next: next, Event: e, Also: []table.Write{done}, Out: noted(next)}, nil
	})
}

// trouble puts a hold on next, beside what else happens to it: no further
// payment leaves until a person has decided what follows.
func (k desk) trouble(next *application.Application, facts event.Facts) {
	h := application.NewHold(next.ID, next.Version, application.HoldStaff, k.actor(), k.at, k.holdDue())
	next.Holds = append(slices.Clone(next.Holds), h)
	facts["hold"] = h.ID
}
