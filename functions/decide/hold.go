package decide

import (
	"context"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/staff"
)

// Holding is a wish to hold the money until somebody has looked.
type Holding struct {
	Code   string `json:"code" api:"required,enum=IDENTITY_DOUBT|PAYEE_DOUBT|DUPLICATE_DOUBT|FACTS_DOUBT|COMPLAINT|OTHER"`
	Reason string `json:"reason" api:"required,min=4,max=1000,lines"`
}

// Held is a hold as placed.
type Held struct {
	Noted
	Hold  string `json:"hold"`
	Owner string `json:"owner"` // the role that must deal with it
	Due   string `json:"due"`   // by when, RFC 3339
}

// hold stops the money. Whoever works on the case may, alone and at once: a
// suspicion that does not stop a payment is not a control.
func hold(ctx context.Context, d Deps, call httpapi.Call[Holding]) (httpapi.Reply[Held], error) {
	return act(ctx, d, call.Request, wish{action: staff.Hold}, func(k desk) (application.Step[Held], error) {
		h := application.NewHold(k.app.ID, k.app.Version, application.HoldStaff, k.actor(), k.at, k.holdDue())
		next, placed, err := k.app.PlaceHold(h)
		if err != nil {
			return application.Step[Held]{}, err
		}
		if !placed {
			return application.Step[Held]{}, ErrHoldExists
		}
		e := k.event(next, "held", event.Facts{"hold": h.ID, "code": h.Code, "why": call.Body.Code, "owner": h.Owner})
		e.Reason = call.Body.Code
		if err := k.note(ctx, &e, call.Body.Reason); err != nil {
			return application.Step[Held]{}, err
		}
		return application.Step[Held]{Next: next, Event: e,
			Out: Held{noted(next), h.ID, h.Owner, clock(h.Due)}}, nil
	})
}

// Releasing says why a hold may end.
type Releasing struct {
	Reason string `json:"reason" api:"required,min=4,max=1000,lines"`
}

// releaseHold ends a hold: another person than the one who placed it, with a
// reason. It pays nothing by itself.
func releaseHold(ctx context.Context, d Deps, call httpapi.Call[Releasing]) (httpapi.Reply[Noted], error) {
	id := call.Path("hold")
	placedBy := func(ctx context.Context, a application.Application, r *staff.Request) error {
		for _, h := range a.Holds {
			if h.ID == id {
				r.Earlier = []string{h.Placed.ID, h.Placed.Person}
			}
		}
		found, err := inspection.Of(ctx, d.Table, a.ID)
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.Hold == id {
				// What a model holds is freed by somebody who had no part in the decision.
				r.Earlier = append(r.Earlier, parties(a)...)
			}
		}
		return nil
	}
	return act(ctx, d, call.Request, wish{staff.ReleaseHold, placedBy}, func(k desk) (application.Step[Noted], error) {
		next, err := k.app.LiftHold(id, k.actor(), k.at)
		if err != nil {
			return application.Step[Noted]{}, err
		}
		e := k.event(next, "hold_lifted", event.Facts{"hold": id})
		for _, h := range k.app.Holds {
			if h.ID == id {
				e.Facts["code"] = h.Code
			}
		}
		if err := k.note(ctx, &e, call.Body.Reason); err != nil {
			return application.Step[Noted]{}, err
		}
		return application.Step[Noted]{Next: next, Event: e, Out: noted(next)}, nil
	})
}
