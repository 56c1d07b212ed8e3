package complain

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/acting"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
)

// desk is one member of staff at one moment, before one complaint.
type desk struct {
	deps  Deps
	who   staff.Staff
	board brake.Board
	at    time.Time
	c     complaint.Complaint
	rules *complaint.Rules
	// supervises: the whole of the complaint may be seen, not only what was handed out.
	supervises bool
	policies   []string
}

func (d Deps) acting(ctx context.Context, id string) (staff.Staff, brake.Board, error) {
	return acting.As(ctx, d.Table, d.Box, d.Blind, id, d.Now())
}

// matter is c as the policies see it.
func (d Deps) matter(c complaint.Complaint, who staff.Staff, now time.Time) *staff.Complaint {
	m := &staff.Complaint{ID: c.ID, Target: c.Target.Names()}
	if h := c.Handler(); h != "" {
		m.Handling = d.within(h, now)
	}
	m.AtTarget = c.Target.Division != "" && slices.ContainsFunc(who.Grants, func(g staff.Grant) bool {
		return g.Role != staff.Supervisor && g.Role != staff.Auditor && d.Tree.Within(g.Division, c.Target.Division, calendar.Today(now))
	})
	return m
}

// authorize asks the policies about one complaint.
func (d Deps) authorize(c complaint.Complaint, who staff.Staff, action staff.Action, now time.Time, earlier ...event.Actor) staff.Decision {
	return staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: c.Path, Complaint: d.matter(c, who, now),
		Earlier: event.Names(earlier...)})
}

// sit reads who asks and asks the policies: first whether the complaint may be
// seen at all, because to anybody else it is not there.
func (d Deps) sit(ctx context.Context, id string, c complaint.Complaint, action staff.Action, earlier ...event.Actor) (desk, error) {
	k := desk{deps: d, at: d.Now(), c: c}
	var err error
	if k.who, k.board, err = d.acting(ctx, id); err != nil {
		return k, err
	}
	if k.rules, err = d.rules(c); err != nil {
		return k, err
	}
	seen := d.authorize(c, k.who, staff.ReadComplaint, k.at)
	if !seen.Allow {
		return k, d.denial(ctx, k.who, action, c.ID, c.Place(), complaint.ErrNotFound, seen.Policies)
	}
	// An auditor sees every complaint, and not the words, which may show who spoke.
	k.supervises = d.authorize(c, k.who, staff.AssignComplaint, k.at).Allow
	asked := d.authorize(c, k.who, action, k.at, earlier...)
	k.policies = asked.Policies
	switch err := asked.Err(); {
	case err == nil:
		return k, nil
	case errors.Is(err, application.ErrSamePerson):
		return k, d.denial(ctx, k.who, action, c.ID, c.Place(), complaint.ErrPerson, asked.Policies)
	default:
		return k, d.denial(ctx, k.who, action, c.ID, c.Place(), err, asked.Policies)
	}
}

// permitted is an error when who may not do action in a division; whether there
// is such a division makes no difference.
func (d Deps) permitted(ctx context.Context, who staff.Staff, action staff.Action, code civil.DivisionCode, now time.Time) error {
	decision := staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.within(code, now)})
	if decision.Allow {
		return nil
	}
	return d.denial(ctx, who, action, "", code, staff.ErrNotAllowed, decision.Policies)
}

// denial records that somebody reached for what is not theirs, and is why. When it
// cannot be written the caller hears of that; the door stays shut either way.
func (d Deps) denial(ctx context.Context, who staff.Staff, action staff.Action, id string, place civil.DivisionCode, why error, policies []string) error {
	w, err := event.Event{PK: reading.By(who.ID), Noun: reading.Access, ID: d.IDs.New(), Version: 1, Kind: "denied", At: d.Now(),
		Actor: who.Actor(), Reason: fault.Of(why).Code, Facts: event.Facts{
			"action": string(action), "complaint": id, "township": string(place), "policies": strings.Join(policies, " ")}}.Write()
	if err != nil {
		return err
	}
	if err := d.Table.Transact(ctx, w); err != nil {
		return err
	}
	httpapi.Told(ctx)
	return why
}

// ActOut is the answer to every act of staff.
type ActOut struct {
	ID         string   `json:"id"`
	Version    int64    `json:"version"`
	State      string   `json:"state"`
	StateLabel string   `json:"state_label"`
	Due        ClockOut `json:"due"`
}

// move is what an act makes of a complaint.
type move struct {
	next  complaint.Complaint
	kind  string // of the event
	text  redact.Text
	facts event.Facts
	count []string // what the tally counts
	tell  bool     // the complainant is owed a message, unless anonymous
}

// act makes one change of a complaint for whoever asks. step may run more than
// once. The member of staff and the brakes are conditions of the write.
func act(ctx context.Context, d Deps, call httpapi.Request, action staff.Action, earlier func(complaint.Complaint) []event.Actor, step func(desk, event.Actor) (move, error)) (httpapi.Reply[ActOut], error) {
	var none httpapi.Reply[ActOut]
	// A repeat is answered before the policies are asked, so the caller must still
	// be one of us, and one who sees it.
	req := complaint.Asked(d.Blind, call.RequestKey(), call.Digest(), http.StatusCreated)
	if _, _, err := d.acting(ctx, call.Principal.ID); err != nil {
		return none, err
	}
	answer, err := complaint.Change(ctx, d.Table, call.Path("id"), req, func(c complaint.Complaint) (complaint.Step, error) {
		var hands []event.Actor
		if earlier != nil {
			hands = earlier(c)
		}
		k, err := d.sit(ctx, call.Principal.ID, c, action, hands...)
		if err != nil {
			return complaint.Step{}, err
		}
		m, err := step(k, k.who.Actor(c.Known()...))
		if err != nil {
			return complaint.Step{}, err
		}
		return k.commit(ctx, m, call.Trace)
	})
	if err != nil {
		return none, err
	}
	return httpapi.Again[ActOut](answer.Status, answer.Body), nil
}

// commit turns a move into a step: its event with who acted where and by which
// policies, its words sealed, its counts.
func (k desk) commit(ctx context.Context, m move, trace string) (complaint.Step, error) {
	e := m.next.Event(m.kind, k.who.Actor(k.c.Known()...), k.at)
	e.Trace = trace
	maps.Copy(e.Facts, event.Facts{"policies": strings.Join(k.policies, " "), "before": string(k.c.State)})
	maps.Copy(e.Facts, m.facts)
	e, err := application.SealNote(ctx, k.deps.Box, e, m.text)
	if err != nil {
		return complaint.Step{}, err
	}
	also := append(k.who.Checks(), k.board.Check())
	if len(m.count) > 0 {
		counted, err := m.next.Tallied(ctx, k.deps.Table, m.count...)
		if err != nil {
			return complaint.Step{}, err
		}
		also = append(also, counted)
	}
	if m.tell && m.next.Channel != complaint.Anonymous {
		owed, err := notice.OweReply(m.next.ID, e)
		if err != nil {
			return complaint.Step{}, err
		}
		also = append(also, owed)
	}
	out := ActOut{ID: m.next.ID, Version: m.next.Version, State: string(m.next.State), StateLabel: m.next.State.Label(), Due: clockOut(m.next, k.at)}
	return complaint.Step{Next: m.next, Event: e, Also: also, Out: out}, nil
}
