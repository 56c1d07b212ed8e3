package decide

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/acting"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
)

// desk is one member of staff at one moment, before one application.
type desk struct {
	deps  Deps
	who   staff.Staff
	at    time.Time
	app   application.Application
	board brake.Board
	// policies are those that allowed the act; they go into its event.
	policies []string
}

// wish is what somebody wants to do: an action, and what it depends on.
type wish struct {
	action staff.Action
	// ask, when set, completes the question to the policies.
	ask func(context.Context, application.Application, *staff.Request) error
}

// denied is a refusal by the policies. It leaves a mark (see denial) before the
// caller hears of it.
type denied struct {
	error
	who      staff.Staff
	action   staff.Action
	app      application.Application
	policies []string
}

func (d *denied) Unwrap() error { return d.error }

// sit reads who asks and asks the policies. It is done again at every try of a
// change, because both may have moved.
func (d Deps) sit(ctx context.Context, id string, a application.Application, w wish) (desk, error) {
	k := desk{deps: d, at: d.Now(), app: a}
	var err error
	if k.who, k.board, err = d.acting(ctx, id); err != nil {
		return k, err
	}
	r := staff.Request{Action: w.action, Staff: k.who, At: k.at, Within: d.within(a.Township, k.at), County: a.County, Application: &a}
	if w.ask != nil {
		if err := w.ask(ctx, a, &r); err != nil {
			return k, err
		}
	}
	decision := staff.Authorize(r)
	k.policies = decision.Policies
	if err := decision.Err(); err != nil {
		return k, &denied{err, k.who, w.action, a, decision.Policies}
	}
	return k, k.stopped(w.action)
}

// stopped is an error when a brake stops what action would let leave. A rail's
// brake stops no decision: what was decided is owed, and waits.
func (k desk) stopped(action staff.Action) error {
	p := brake.Payment{Township: k.app.Township, Programme: award.FirstAid, People: []event.Actor{k.actor()}}
	if k.app.Proposal != nil {
		p.People = append(p.People, k.app.Proposal.By)
	}
	switch action {
	case staff.ConfirmCash:
		p.Rail = award.ReserveCash
	case staff.Approve, staff.ApprovePayee:
	default:
		return nil
	}
	return k.board.Stopped(p, k.at)
}

// fresh lists what needs a recent sign-in: the steps after which money may leave.
var fresh = []staff.Action{staff.Approve, staff.ApprovePayee, staff.ConfirmCash, staff.ApproveThaw, staff.ApproveEnvelope,
	staff.AskLift, staff.LiftBrake, staff.AgreeReveal, staff.ReleaseBatch,
	staff.DecideRecovery, staff.ApproveWaiver}

// recent is an error when action needs a more recent sign-in than signedIn.
func (d Deps) recent(action staff.Action, signedIn, now time.Time) error {
	if d.StepUp > 0 && slices.Contains(fresh, action) && now.Sub(signedIn) > d.StepUp {
		return session.ErrStepUp
	}
	return nil
}

// acting is the member of staff behind a session, known under every live key,
// and the brakes as they stand. Whoever is stopped by one neither acts nor reads.
func (d Deps) acting(ctx context.Context, id string) (who staff.Staff, board brake.Board, err error) {
	return acting.As(ctx, d.Table, d.Box, d.Blind, id, d.Now())
}

// actor is who acts, by the reference under which the case or one of earlier
// knows the person.
func (k desk) actor(earlier ...string) event.Actor {
	return k.who.Actor(append(k.app.Persons(), earlier...)...)
}

// within is a division and all it stands in, narrowest first.
func (d Deps) within(code civil.DivisionCode, at time.Time) []civil.DivisionCode {
	return d.Tree.Around(code, calendar.Today(at))
}

// around is within at one moment.
func (d Deps) around(at time.Time) func(civil.DivisionCode) []civil.DivisionCode {
	return func(code civil.DivisionCode) []civil.DivisionCode { return d.within(code, at) }
}

// act makes one change of an application for whoever asks. step may run more
// than once. What made the answer is in the event; the member of staff is a
// condition of the write, so that removal, transfer, a new declaration of kin
// or a brake in between undoes it.
func act[Out any](ctx context.Context, d Deps, call httpapi.Request, w wish, step func(desk) (application.Step[Out], error)) (httpapi.Reply[Out], error) {
	id := call.Path("id")
	if !ident.Valid(id) {
		return httpapi.Reply[Out]{}, application.ErrNotFound
	}
	// A repeat is answered before the policies are asked, so the caller must
	// still be one of us.
	if _, _, err := d.acting(ctx, call.Principal.ID); err != nil {
		return httpapi.Reply[Out]{}, err
	}
	req := application.Request{Key: call.RequestKey(), Digest: d.Blind.Ref("request", call.Digest()), Status: 201}
	answer, err := application.Change(ctx, d.Table, id, req, func(a application.Application) (application.Step[Out], error) {
		k, err := d.sit(ctx, call.Principal.ID, a, w)
		if err != nil {
			return application.Step[Out]{}, err
		}
		// After the policies, so that only who may act at all is asked to sign in.
		if err := d.recent(w.action, call.SignedIn, k.at); err != nil {
			return application.Step[Out]{}, err
		}
		s, err := step(k)
		if err != nil {
			return application.Step[Out]{}, err
		}
		s.Also = append(append(s.Also, k.who.Checks()...), k.board.Check())
		s.Event.Trace = call.Trace
		return s, nil
	})
	if err != nil {
		return httpapi.Reply[Out]{}, d.tell(ctx, err)
	}
	return httpapi.Again[Out](answer.Status, answer.Body), nil
}

// event begins the event of next, with who acted where and by which policies.
func (k desk) event(next application.Application, kind string, facts event.Facts) event.Event {
	e := next.Event(kind, k.actor(), k.at)
	e.Facts = event.Facts{"office": k.office(), "policies": strings.Join(k.policies, " ")}
	maps.Copy(e.Facts, facts)
	return e
}

// post is the post in which k acts: the first here that is held now.
func (k desk) post() staff.Grant {
	for _, g := range k.who.Posts(k.at) {
		if slices.Contains(k.deps.within(k.app.Township, k.at), g.Division) {
			return g
		}
	}
	return staff.Grant{}
}

// office is the office that acts, as the citizen reads it: no names.
func (k desk) office() string {
	g := k.post()
	if v, ok := k.deps.Tree.Find(g.Division, calendar.Today(k.at)); ok {
		return v.Name + g.Role.Label()
	}
	return ""
}

// shows has it written down, before the answer is given, that it shows particulars of k's case.
func (k desk) shows(ctx context.Context, s httpapi.Shown, fields ...reading.Field) error {
	s.Case, s.Role, s.Office, s.Purpose = k.app.ID, string(k.post().Role), k.office(), string(reading.PurposeOf(string(k.post().Role)))
	for _, f := range fields {
		s.Fields = append(s.Fields, string(f))
	}
	return httpapi.Show(ctx, s)
}

// note seals words that somebody typed into e.
func (k desk) note(ctx context.Context, e *event.Event, text string) (err error) {
	*e, err = application.SealNote(ctx, k.deps.Box, *e, redact.New(text))
	return err
}

// tell leaves the mark of a denial and gives the caller its reason.
func (d Deps) tell(ctx context.Context, err error) error {
	refused, ok := errors.AsType[*denied](err)
	if !ok {
		return err
	}
	kind := fault.Of(refused.error).Kind
	if kind != fault.Forbidden && kind != fault.NotFound {
		return refused.error // a state or a hold: nobody overstepped
	}
	if err := d.denial(ctx, *refused); err != nil {
		return err
	}
	httpapi.Told(ctx)
	return refused.error
}
