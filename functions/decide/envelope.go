package decide

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// EnvelopeIn asks for a standing approval.
type EnvelopeIn struct {
	Township  string    `json:"township" api:"required,max=12"`
	Class     string    `json:"class" api:"required,enum=tekun|dibao|near_dibao|rigid_expenditure"`
	PersonFen money.Fen `json:"person_fen" api:"required,min=1,max=5000000"`
	TotalFen  money.Fen `json:"total_fen" api:"required,min=1,max=1000000000"`
	Until     time.Time `json:"until" api:"required"`
}

// EnvelopeOut is a standing approval.
type EnvelopeOut struct {
	ID         string    `json:"id"`
	Version    int64     `json:"version"`
	State      string    `json:"state"`
	StateLabel string    `json:"state_label"`
	Township   string    `json:"township"`
	Class      string    `json:"class"`
	ClassLabel string    `json:"class_label"`
	PersonFen  money.Fen `json:"person_fen"`
	TotalFen   money.Fen `json:"total_fen"`
	LeftFen    money.Fen `json:"left_fen"`
	Until      string    `json:"until"`
	AskedBy    string    `json:"asked_by"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	ClosedBy   string    `json:"closed_by,omitempty"`
	Running    bool      `json:"running"`
}

// Envelopes is every standing approval of one township.
type Envelopes struct {
	Envelopes []EnvelopeOut `json:"envelopes"`
}

func envelopeOut(e envelope.Envelope, now time.Time) EnvelopeOut {
	out := EnvelopeOut{ID: e.ID, Version: e.Version, State: string(e.State), StateLabel: e.State.Label(), Township: string(e.Township),
		Class: string(e.Class), ClassLabel: e.Class.Chinese(), PersonFen: e.PersonFen, TotalFen: e.TotalFen, LeftFen: e.LeftFen,
		Until: clock(e.Until), AskedBy: e.Asked.ID, Running: e.Running(now)}
	if e.Approved != nil {
		out.ApprovedBy = e.Approved.ID
	}
	if e.ClosedBy != nil {
		out.ClosedBy = e.ClosedBy.ID
	}
	return out
}

func listEnvelopes(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Envelopes, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Envelopes{}, err
	}
	township, err := d.permitted(ctx, who, staff.ListEnvelopes, civil.DivisionCode(call.Query("township")), now)
	if err != nil {
		return Envelopes{}, err
	}
	all, err := envelope.List(ctx, d.Table, township)
	if err != nil {
		return Envelopes{}, err
	}
	out := Envelopes{Envelopes: []EnvelopeOut{}}
	for _, e := range all {
		out.Envelopes = append(out.Envelopes, envelopeOut(e, now))
	}
	return out, nil
}

// askEnvelope is the first officer's step. Nothing can be released yet.
func askEnvelope(ctx context.Context, d Deps, call httpapi.Call[EnvelopeIn]) (httpapi.Reply[EnvelopeOut], error) {
	var none httpapi.Reply[EnvelopeOut]
	now, in := d.Now(), call.Body
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	township, err := d.permitted(ctx, who, staff.ProposeEnvelope, civil.DivisionCode(in.Township), now)
	if err != nil {
		return none, err
	}
	id := ident.Derive("envelope", call.RequestKey())
	// What was accepted once stays accepted, whatever the rules or the day say now.
	before, err := d.answered(ctx, envelope.Envelope{ID: id, Township: township}, call.RequestKey(), d.Blind.Ref("request", call.Digest()))
	if err != nil || before.Body != nil {
		return before, err
	}
	rules, err := d.Book.Rules(township, calendar.Today(now))
	if err != nil {
		return none, err
	}
	limits, on := rules.StandingApproval()
	if !on {
		return none, envelope.ErrOff
	}
	e := envelope.New(envelope.Envelope{ID: id, Township: township, County: d.county(township, now),
		Class: policy.RecipientClass(in.Class), PersonFen: in.PersonFen, TotalFen: in.TotalFen, Until: in.Until}, who.Actor(), now)
	var f fault.Fields
	if township.Level() != civil.TownshipLevel {
		f.Add("/township", "level", "常设审批按乡镇（街道）设立。")
	}
	for _, pointer := range e.Problems(limits, now) {
		f.Add(pointer, "limit", "超出本地规则对常设审批的限制。")
	}
	if err := f.Err(); err != nil {
		return none, err
	}
	return d.move(ctx, call.Request, who, board, envelope.Envelope{ID: e.ID, Township: township}, "asked",
		func(envelope.Envelope) (envelope.Envelope, error) { return e, nil })
}

// approveEnvelope is the second officer's step, of the county.
func approveEnvelope(ctx context.Context, d Deps, call httpapi.Call[EnvelopeOf]) (httpapi.Reply[EnvelopeOut], error) {
	return d.step(ctx, call, staff.ApproveEnvelope, "approved", func(e envelope.Envelope, who staff.Staff, now time.Time) (envelope.Envelope, error) {
		return e.Approve(who.Actor(e.Asked.Person), now)
	})
}

// closeEnvelope stops a standing approval; one officer is enough to stop money.
func closeEnvelope(ctx context.Context, d Deps, call httpapi.Call[EnvelopeOf]) (httpapi.Reply[EnvelopeOut], error) {
	return d.step(ctx, call, staff.CloseEnvelope, "closed", func(e envelope.Envelope, who staff.Staff, _ time.Time) (envelope.Envelope, error) {
		return e.Close(who.Actor())
	})
}

// EnvelopeOf restates whose standing approval it is, and what is approved.
type EnvelopeOf struct {
	Township string    `json:"township" api:"required,max=12"`
	TotalFen money.Fen `json:"total_fen" api:"required,min=1"`
}

// step is what one officer does to an envelope that is there.
func (d Deps) step(ctx context.Context, call httpapi.Call[EnvelopeOf], action staff.Action, kind string, to func(envelope.Envelope, staff.Staff, time.Time) (envelope.Envelope, error)) (httpapi.Reply[EnvelopeOut], error) {
	var none httpapi.Reply[EnvelopeOut]
	now := d.Now()
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	e, err := envelope.Get(ctx, d.Table, civil.DivisionCode(call.Body.Township), call.Path("envelope"))
	if err != nil {
		return none, err
	}
	decision := staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.within(e.Township, now), County: e.County,
		Earlier: []string{e.Asked.ID, e.Asked.Person}})
	if err := decision.Err(); err != nil {
		if errors.Is(err, application.ErrNotFound) {
			err = envelope.ErrNotFound
		}
		return none, d.tell(ctx, &denied{err, who, action, application.Application{Township: e.Township}, decision.Policies})
	}
	again, err := d.answered(ctx, e, call.RequestKey(), d.Blind.Ref("request", call.Digest()))
	if err != nil || again.Body != nil {
		return again, err
	}
	if err := d.recent(action, call.SignedIn, now); err != nil {
		return none, err
	}
	return d.move(ctx, call.Request, who, board, e, kind, func(e envelope.Envelope) (envelope.Envelope, error) {
		if e.TotalFen != call.Body.TotalFen {
			return e, ErrStale
		}
		return to(e, who, now)
	})
}

// moves bounds how often a change of an envelope starts again.
const moves = 5

// move makes one change of the envelope that of names, once for each request:
// the event of the version it made holds the answer.
func (d Deps) move(ctx context.Context, request httpapi.Request, who staff.Staff, board brake.Board, of envelope.Envelope, kind string, to func(envelope.Envelope) (envelope.Envelope, error)) (httpapi.Reply[EnvelopeOut], error) {
	var none httpapi.Reply[EnvelopeOut]
	key, digest := request.RequestKey(), d.Blind.Ref("request", request.Digest())
	for range moves {
		answer, err := d.answered(ctx, of, key, digest)
		if err != nil || answer.Body != nil {
			return answer, err
		}
		before, err := envelope.Get(ctx, d.Table, of.Township, of.ID)
		if err != nil && !errors.Is(err, envelope.ErrNotFound) {
			return none, err
		}
		after, err := to(before)
		if err != nil {
			return none, err
		}
		now := d.Now()
		reply, err := httpapi.Fresh(201, envelopeOut(after, now))
		if err != nil {
			return none, err
		}
		writes, err := after.Writes(kind, who.Actor(), now, &event.Request{Key: key, Digest: digest, Status: reply.Status, Answer: reply.Body},
			event.Facts{"left_before_fen": before.LeftFen})
		if err != nil {
			return none, err
		}
		err = d.Table.Transact(ctx, append(append(writes, who.Checks()...), board.Check())...)
		if err == nil {
			return reply, nil
		}
		if _, gone := table.FailedOn(err, staff.Key(who.ID)); gone || board.Moved(err) {
			return none, envelope.ErrMovedOn.Because(err)
		}
		if _, moved := errors.AsType[*table.ConditionError](err); !moved {
			return none, err
		}
	}
	return none, envelope.ErrMovedOn
}

// answered is the answer that a request got before; without a body when it is new.
func (d Deps) answered(ctx context.Context, of envelope.Envelope, key, digest string) (httpapi.Reply[EnvelopeOut], error) {
	var none httpapi.Reply[EnvelopeOut]
	page, err := d.Table.Query(ctx, table.Query{PK: envelope.Partition(of.Township)}.Prefix(event.Prefix+envelope.Noun+"#"+of.ID+"#"))
	if err != nil {
		return none, err
	}
	for _, item := range slices.Backward(page.Items) {
		e, err := event.Decode(item)
		if err != nil {
			return none, err
		}
		if e.Request == nil || e.Request.Key != key {
			continue
		}
		if e.Request.Digest != digest {
			return none, application.ErrReused
		}
		return httpapi.Again[EnvelopeOut](e.Request.Status, e.Request.Answer), nil
	}
	return none, nil
}
