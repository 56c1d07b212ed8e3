package complain

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
)

// AcceptIn takes a complaint. What is left out stays as the complainant said it.
type AcceptIn struct {
	Kind        string      `json:"kind,omitempty" api:"enum=report|petition"`
	Rank        string      `json:"rank,omitempty" api:"enum=urgent|hardship|ordinary"`
	TargetUnit  string      `json:"target_unit,omitempty" api:"max=20"`
	TargetStaff string      `json:"target_staff,omitempty" api:"max=64"` // the staff id of the person complained about
	Note        redact.Text `json:"note,omitempty" api:"max=1000,lines"`
}

func accept(ctx context.Context, d Deps, call httpapi.Call[AcceptIn]) (httpapi.Reply[ActOut], error) {
	in := call.Body
	return act(ctx, d, call.Request, staff.AcceptComplaint, nil, func(k desk, by event.Actor) (move, error) {
		target, err := d.target(ctx, k.c.Target, in.TargetUnit, in.TargetStaff, k.at)
		if err != nil {
			return move{}, err
		}
		kind, rank := k.c.Kind, k.c.Rank
		if in.Kind != "" {
			kind = complaint.Kind(in.Kind)
		}
		if in.Rank != "" {
			rank = rankOf(in.Rank)
		}
		if kind == complaint.Petition && k.c.Channel == complaint.Anonymous {
			return move{}, fault.ErrFields.With(fault.Field{Pointer: "/kind", Code: "not-allowed", Detail: "匿名投诉不能作为信访事项办理。"})
		}
		next, err := k.c.Accept(kind, rank, target, k.rules, by, k.at)
		return move{next: next, kind: "accepted", text: in.Note, facts: event.Facts{"kind": string(kind)}}, err
	})
}

// target completes who is complained about.
func (d Deps) target(ctx context.Context, t complaint.Target, unit, id string, now time.Time) (complaint.Target, error) {
	var f fault.Fields
	if unit != "" {
		code, err := civil.ParseDivision(unit)
		if _, there := d.Tree.Find(code, calendar.Today(now)); err != nil || !there {
			f.Add("/target_unit", "place-unknown", "没有这个单位所在的地区。")
		}
		t.Division = code
	}
	if id != "" {
		s, err := staff.Get(ctx, d.Table, id)
		if err == nil {
			s, err = s.Known(ctx, d.Box, d.Blind)
		}
		switch {
		case errors.Is(err, staff.ErrNotFound):
			f.Add("/target_staff", "not-found", "没有这名工作人员；不清楚的可以不填。")
		case err != nil:
			return t, err
		}
		t.Staff, t.Persons = id, s.Persons()
	}
	return t, f.Err()
}

// DeclineIn says why a complaint is not taken, for somebody else to review.
type DeclineIn struct {
	Outcome string      `json:"outcome" api:"required,enum=not_accepted|elsewhere"`
	Text    redact.Text `json:"text" api:"required,min=5,max=2000,lines"`
}

func decline(ctx context.Context, d Deps, call httpapi.Call[DeclineIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.AcceptComplaint, complaint.Complaint.KnowsWho, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Decline(complaint.Outcome(call.Body.Outcome), by, k.at)
		return move{next: next, kind: "declined", text: call.Body.Text, facts: event.Facts{"outcome": call.Body.Outcome}}, err
	})
}

// AssignIn gives a complaint to a unit, by its division. Brief is all that the unit
// is told; it must not show who complained. Documents are those passed on with it.
type AssignIn struct {
	Division  string      `json:"division" api:"required,max=20"`
	Brief     redact.Text `json:"brief" api:"required,min=5,max=4000,lines"`
	Documents []string    `json:"documents,omitempty" api:"max=30,each=26"`
}

func assign(ctx context.Context, d Deps, call httpapi.Call[AssignIn]) (httpapi.Reply[ActOut], error) {
	in := call.Body
	reply, err := act(ctx, d, call.Request, staff.AssignComplaint, nil, func(k desk, by event.Actor) (move, error) {
		var f fault.Fields
		code, err := civil.ParseDivision(in.Division)
		if _, there := d.Tree.Find(code, calendar.Today(k.at)); err != nil || !there || code.Level() > civil.TownshipLevel {
			f.Add("/division", "place-unknown", "请选择乡镇（街道）、区县或者市一级的单位。")
		}
		docs, err := document.List(ctx, d.Table, complaint.Partition(k.c.ID))
		if err != nil {
			return move{}, err
		}
		for i, id := range in.Documents {
			if !slices.ContainsFunc(docs, func(x document.Document) bool { return x.ID == id }) {
				f.Add("/documents/"+itoa(i), "not-found", "没有这份材料。")
			}
		}
		if err := f.Err(); err != nil {
			return move{}, err
		}
		who, err := complaint.OpenIdentity(ctx, d.Table, d.Box, k.c.ID)
		if err != nil {
			return move{}, err
		}
		if shows(in.Brief.Reveal(), who) {
			// Refused, and told: a brief that is tried until one is refused would
			// otherwise find out the name without leaving a mark.
			return move{}, d.denial(ctx, k.who, staff.AssignComplaint, k.c.ID, k.c.Place(), errBrief, k.policies)
		}
		next, err := k.c.Assign(code, in.Documents, d.inside(k.at), k.rules, by, k.at)
		return move{next: next, kind: "assigned", text: in.Brief, facts: event.Facts{"division": string(code), "documents": len(in.Documents)}}, err
	})
	return reply, err
}

// TextIn is words that go with an act.
type TextIn struct {
	Text redact.Text `json:"text" api:"required,min=5,max=4000,lines"`
}

func object(ctx context.Context, d Deps, call httpapi.Call[TextIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.HandleComplaint, complaint.Complaint.KnowsWho, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Object(by, k.at)
		return move{next: next, kind: "objected", text: call.Body.Text}, err
	})
}

// DecideIn is an answer, with its reason.
type DecideIn struct {
	Agree bool        `json:"agree" api:"required"`
	Text  redact.Text `json:"text" api:"required,min=2,max=2000,lines"`
}

func decideObjection(ctx context.Context, d Deps, call httpapi.Call[DecideIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.AssignComplaint, nil, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Decide(call.Body.Agree, by, k.at)
		return move{next: next, kind: "objection_answered", text: call.Body.Text, facts: event.Facts{"agreed": call.Body.Agree}}, err
	})
}

// FindingIn is what the handling unit found, and what it did.
type FindingIn struct {
	Outcome string      `json:"outcome" api:"required,enum=upheld|partly_upheld|not_upheld|explained"`
	Text    redact.Text `json:"text" api:"required,min=5,max=4000,lines"`
}

func handle(ctx context.Context, d Deps, call httpapi.Call[FindingIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.HandleComplaint, complaint.Complaint.KnowsWho, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Handle(complaint.Outcome(call.Body.Outcome), by, k.at)
		return move{next: next, kind: "handled", text: call.Body.Text, facts: event.Facts{"outcome": call.Body.Outcome}}, err
	})
}

// ReviewIn is what a second person says of a finding, which they name: nobody
// passes what they have not read.
type ReviewIn struct {
	FindingVersion int64       `json:"finding_version" api:"required,min=1"`
	Pass           bool        `json:"pass" api:"required"`
	Text           redact.Text `json:"text" api:"required,min=2,max=2000,lines"`
}

func review(ctx context.Context, d Deps, call httpapi.Call[ReviewIn]) (httpapi.Reply[ActOut], error) {
	in := call.Body
	handlers := func(c complaint.Complaint) []event.Actor { return c.Handlers }
	return act(ctx, d, call.Request, staff.ReviewComplaint, handlers, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Examine(in.Pass, by, k.at)
		if err == nil && k.c.Finding.Version != in.FindingVersion {
			err = errStale
		}
		kind := "reviewed"
		if !in.Pass {
			kind = "returned"
		}
		return move{next: next, kind: kind, text: in.Text}, err
	})
}

// answer sends the reply in plain words.
func answer(ctx context.Context, d Deps, call httpapi.Call[TextIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.ReplyComplaint, nil, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Answer(k.rules, by, k.at)
		late := k.c.Late(k.at)
		return move{next: next, kind: "replied", text: call.Body.Text, facts: event.Facts{"late": late}, count: complaint.CountReplied(late), tell: true}, err
	})
}

// ExtensionIn asks for more days, once.
type ExtensionIn struct {
	Days int         `json:"days" api:"required,min=1,max=30"`
	Text redact.Text `json:"text" api:"required,min=5,max=2000,lines"`
}

func askExtension(ctx context.Context, d Deps, call httpapi.Call[ExtensionIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.HandleComplaint, complaint.Complaint.KnowsWho, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.AskExtension(call.Body.Days, k.rules, by, k.at)
		return move{next: next, kind: "extension_asked", text: call.Body.Text, facts: event.Facts{"days": call.Body.Days}}, err
	})
}

func grantExtension(ctx context.Context, d Deps, call httpapi.Call[DecideIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.GrantExtension, complaint.Complaint.Asked, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.GrantExtension(call.Body.Agree, by, k.at)
		return move{next: next, kind: "extension_answered", text: call.Body.Text, facts: event.Facts{"granted": call.Body.Agree}}, err
	})
}

// PauseIn stops the clock for some days.
type PauseIn struct {
	Days   int         `json:"days" api:"required,min=1,max=60"`
	Reason string      `json:"reason" api:"required,enum=awaiting_complainant|awaiting_expert|awaiting_court|hearing"`
	Text   redact.Text `json:"text" api:"required,min=5,max=2000,lines"`
}

func pause(ctx context.Context, d Deps, call httpapi.Call[PauseIn]) (httpapi.Reply[ActOut], error) {
	in := call.Body
	return act(ctx, d, call.Request, staff.PauseComplaint, nil, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Pause(k.at.AddDate(0, 0, in.Days), in.Reason, k.rules, by, k.at)
		return move{next: next, kind: "paused", text: in.Text, facts: event.Facts{"days": in.Days, "why": in.Reason}}, err
	})
}

func resume(ctx context.Context, d Deps, call httpapi.Call[TextIn]) (httpapi.Reply[ActOut], error) {
	return act(ctx, d, call.Request, staff.PauseComplaint, nil, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Resume(by, k.at)
		return move{next: next, kind: "resumed", text: call.Body.Text}, err
	})
}

// SuperviseIn is a supervision note (督办): the unit must answer within so many
// working days.
type SuperviseIn struct {
	WorkingDays int         `json:"working_days" api:"required,min=1,max=30"`
	Text        redact.Text `json:"text" api:"required,min=5,max=2000,lines"`
}

func supervise(ctx context.Context, d Deps, call httpapi.Call[SuperviseIn]) (httpapi.Reply[ActOut], error) {
	in := call.Body
	return act(ctx, d, call.Request, staff.SuperviseComplaint, nil, func(k desk, by event.Actor) (move, error) {
		if k.c.Handler() == "" {
			return move{}, complaint.ErrState
		}
		who, err := complaint.OpenIdentity(ctx, d.Table, d.Box, k.c.ID)
		if err != nil {
			return move{}, err
		}
		if shows(in.Text.Reveal(), who) {
			return move{}, d.denial(ctx, k.who, staff.SuperviseComplaint, k.c.ID, k.c.Place(), errBrief, k.policies)
		}
		due := calendar.Shipped().AddWorkingDays(k.at, in.WorkingDays)
		id := noteID(k.c)
		next, err := k.c.Supervise(id, due.At, by, k.at)
		return move{next: next, kind: "supervised", text: in.Text, facts: event.Facts{"note": id, "due": clock(due.At)}}, err
	})
}

// report is the unit's answer to a supervision note.
func report(ctx context.Context, d Deps, call httpapi.Call[TextIn]) (httpapi.Reply[ActOut], error) {
	note := call.Path("note")
	return act(ctx, d, call.Request, staff.HandleComplaint, complaint.Complaint.KnowsWho, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Report(note, by, k.at)
		return move{next: next, kind: "supervision_answered", text: call.Body.Text, facts: event.Facts{"note": note}}, err
	})
}

// LookBackIn is what the second look found.
type LookBackIn struct {
	Rectified bool        `json:"rectified" api:"required"`
	Text      redact.Text `json:"text" api:"required,min=5,max=2000,lines"`
}

func lookBack(ctx context.Context, d Deps, call httpapi.Call[LookBackIn]) (httpapi.Reply[ActOut], error) {
	in := call.Body
	return act(ctx, d, call.Request, staff.LookBack, complaint.Complaint.Looked, func(k desk, by event.Actor) (move, error) {
		next, err := k.c.Look(in.Rectified, by, k.at)
		m := move{next: next, kind: "looked_back", text: in.Text, facts: event.Facts{"rectified": in.Rectified}}
		if !in.Rectified {
			m.count = complaint.CountReopened()
		}
		return m, err
	})
}

// IdentityIn is why somebody needs to know who complained.
type IdentityIn struct {
	Reason string      `json:"reason" api:"required,enum=contact_complainant|verify_facts|protect_complainant|retaliation_check|court_order"`
	Text   redact.Text `json:"text" api:"required,min=5,max=1000,lines"`
}

// IdentityOut is who complained, as far as it was told. It is in no stored answer.
type IdentityOut struct {
	Known       bool   `json:"known"`
	Name        string `json:"name,omitempty"`
	Phone       string `json:"phone,omitempty"`
	Application string `json:"application,omitempty"`
	TakenBy     string `json:"taken_by,omitempty"`
}

// readIdentity shows the supervision body who complained. The reading is an event
// before anything is shown, so that none goes unrecorded.
func readIdentity(ctx context.Context, d Deps, call httpapi.Call[IdentityIn]) (IdentityOut, error) {
	in := call.Body
	_, err := act(ctx, d, call.Request, staff.ReadComplainant, nil, func(k desk, by event.Actor) (move, error) {
		return move{next: k.c.Touch(), kind: "identity_read", text: in.Text, facts: event.Facts{"why": in.Reason}}, nil
	})
	if err != nil {
		return IdentityOut{}, err
	}
	// Asked again, because a repeat of the request was not.
	c, err := complaint.Get(ctx, d.Table, call.Path("id"))
	if err != nil {
		return IdentityOut{}, err
	}
	if _, err := d.sit(ctx, call.Principal.ID, c, staff.ReadComplainant); err != nil {
		return IdentityOut{}, err
	}
	who, err := complaint.OpenIdentity(ctx, d.Table, d.Box, c.ID)
	if err != nil {
		return IdentityOut{}, err
	}
	return IdentityOut{Known: !who.Nobody(), Name: who.Name.Reveal(), Phone: who.Phone.Reveal(), Application: who.Case, TakenBy: who.Taken}, nil
}

// words are those of the event of one version of a complaint.
func (d Deps) words(ctx context.Context, id string, version int64) (string, error) {
	e, err := complaint.ReadEvent(ctx, d.Table, id, version)
	if err != nil {
		return "", err
	}
	text, err := application.OpenNote(ctx, d.Box, e)
	return text.Reveal(), err
}
