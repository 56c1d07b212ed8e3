package decide

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/recovery"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Tasks is one page of what is owed in the caller's divisions, the most urgent first.
type Tasks struct {
	Me    Me     `json:"me"`
	Tasks []Task `json:"tasks"`
	// Next is for ?after= and empty on the last page.
	Next string `json:"next"`
}

// Me is who asks.
type Me struct {
	Staff string `json:"staff"`
	Name  string `json:"name"`
	Posts []Post `json:"posts"`
}

// Post is one role in one division.
type Post struct {
	Role         string `json:"role"`
	RoleLabel    string `json:"role_label"`
	Division     string `json:"division"`
	DivisionName string `json:"division_name"`
}

// Task is one thing that somebody must do. It holds nothing personal.
type Task struct {
	Kind        string       `json:"kind"` // "application", "order", "review", "envelope", "appeal", "notice", "reveal", "objection", "recovery", "break"
	Application string       `json:"application,omitempty"`
	ID          string       `json:"id,omitempty"`      // of the order, envelope, appeal, notice or break
	Edition     string       `json:"edition,omitempty"` // that an objection is about
	Division    string       `json:"division"`
	Place       string       `json:"place"`
	State       string       `json:"state"`
	StateLabel  string       `json:"state_label"`
	Cause       string       `json:"cause,omitempty"`
	CauseLabel  string       `json:"cause_label,omitempty"`
	Next        string       `json:"next_action"` // what is to be done
	NextLabel   string       `json:"next_action_label"`
	Mine        bool         `json:"mine"`    // the caller may do it
	Recused     bool         `json:"recused"` // the caller must stand back
	Deadline    Deadline     `json:"deadline"`
	Holds       []HoldReason `json:"holds"`
}

// HoldReason is an open hold.
type HoldReason struct {
	ID    string `json:"id"`
	Code  string `json:"code"`
	Owner string `json:"owner"`
	Due   string `json:"due"`
}

// steps are the next actions: what staff do, and its label.
var steps = map[staff.Action]string{
	staff.Propose: "提出先行救助意见", staff.Approve: "审批先行救助", staff.Explain: "补充说明情况", staff.ReleaseHold: "核实并处理暂缓",
	staff.Review: "复核常设审批发放", staff.ApprovePayee: "批准更换收款账户", staff.ConfirmCash: "确认现金发放", staff.ApproveThaw: "批准解冻付款",
	staff.AnswerObjection: "答复对公布内容的异议", staff.AgreeReveal: "决定是否同意查看完整个人信息", staff.ReviewReveal: "复核查看完整个人信息有无必要",
	staff.ApproveEnvelope: "批准常设审批", verifying: "等待部门核对结果", staff.AnswerAppeal: "答复异议", staff.Call: "打电话告知本人",
	staff.ProposeBreak: "核实对账差异，提出了结", staff.AgreeBreak: "确认了结对账差异",
	staff.HearPerson: "听取本人陈述", staff.DecideRecovery: "决定是否追回", staff.BookRepayment: "登记归还的款项", staff.ApproveWaiver: "同意豁免其余款项",
}

// recoverySteps are what is to be done with a recovery, by where it stands.
var recoverySteps = map[recovery.State]staff.Action{recovery.Opened: staff.HearPerson, recovery.Heard: staff.DecideRecovery,
	recovery.Decided: staff.BookRepayment, recovery.Waiving: staff.ApproveWaiver}

// verifying is nobody's action at this desk.
const verifying staff.Action = "verify"

// next is what is to be done with a now; "" when nothing is.
func next(a application.Application) staff.Action {
	if a.Held() {
		return staff.ReleaseHold
	}
	return map[application.State]staff.Action{application.Accepted: verifying, application.Verified: staff.Propose,
		application.Proposed: staff.Approve, application.Approved: staff.Explain}[a.State]
}

const (
	defaultTasks = 50
	mostTasks    = 100
)

// tasks lists what is owed in the caller's divisions and everything below them,
// by the time it is owed.
func tasks(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Tasks, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Tasks{}, err
	}
	roots := who.Where(now, staff.ListTasks, d.around(now))
	if code := call.Query("division"); code != "" {
		root, err := d.permitted(ctx, who, staff.ListTasks, civil.DivisionCode(code), now)
		if err != nil {
			return Tasks{}, err
		}
		roots = []civil.DivisionCode{root}
	}
	limit := defaultTasks
	if text := call.Query("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostTasks {
			return Tasks{}, ErrPage
		}
	}
	after, err := page(call.Query("after"))
	if err != nil {
		return Tasks{}, err
	}
	var lists []work.List
	for _, code := range d.below(roots, now) {
		lists = append(lists, work.List{PK: application.WorkList(code)}, work.List{PK: reconciliation.List(code)})
	}
	items, err := work.Merged(ctx, d.Table, lists, after, limit+1)
	if err != nil {
		return Tasks{}, err
	}
	out := Tasks{Tasks: []Task{}}
	if out.Me, err = d.me(ctx, who, now); err != nil {
		return Tasks{}, err
	}
	if len(items) > limit {
		items = items[:limit]
		out.Next = items[limit-1].Mark.String()
	}
	for _, item := range items {
		t, ok, err := d.task(ctx, who, item.Item, now)
		if err != nil {
			return Tasks{}, err
		}
		if ok {
			out.Tasks = append(out.Tasks, t)
		}
	}
	return out, nil
}

// permitted is a division in which who may do action; anywhere else is
// forbidden, whether there is such a division or not (X012).
func (d Deps) permitted(ctx context.Context, who staff.Staff, action staff.Action, code civil.DivisionCode, now time.Time) (civil.DivisionCode, error) {
	code, err := civil.ParseDivision(string(code))
	if err != nil {
		return "", staff.ErrNotAllowed
	}
	decision := staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.within(code, now), County: d.county(code, now)})
	if !decision.Allow {
		return "", d.tell(ctx, &denied{staff.ErrNotAllowed, who, action, application.Application{Township: code}, decision.Policies})
	}
	return code, nil
}

func (d Deps) county(code civil.DivisionCode, now time.Time) civil.DivisionCode {
	v, _ := d.Tree.CountyOf(code, calendar.Today(now))
	return v.Code
}

// below is the divisions and all in them down to the townships.
func (d Deps) below(roots []civil.DivisionCode, now time.Time) []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, code := range roots {
		if slices.Contains(all, code) {
			continue
		}
		all = append(all, code)
		if code.Level() >= civil.TownshipLevel {
			continue
		}
		for _, child := range d.Tree.Children(code, calendar.Today(now)) {
			all = append(all, d.below([]civil.DivisionCode{child.Code}, now)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// page is the mark that a caller gives.
func page(text string) (work.Mark, error) {
	m, ok := work.ParseMark(text)
	if !ok {
		return m, ErrPage
	}
	return m, nil
}

func (d Deps) me(ctx context.Context, who staff.Staff, now time.Time) (Me, error) {
	name, err := who.OpenName(ctx, d.Box)
	if err != nil {
		return Me{}, err
	}
	m := Me{Staff: who.ID, Name: name.Reveal(), Posts: []Post{}}
	for _, g := range who.Posts(now) {
		m.Posts = append(m.Posts, Post{string(g.Role), g.Role.Label(), string(g.Division), d.name(g.Division, now)})
	}
	return m, nil
}

func (d Deps) name(code civil.DivisionCode, now time.Time) string {
	v, _ := d.Tree.Find(code, calendar.Today(now))
	return v.Name
}

// task is one item as a task; ok is false for one that this page does not know.
func (d Deps) task(ctx context.Context, who staff.Staff, item table.Item, now time.Time) (t Task, ok bool, err error) {
	t.Holds = []HoldReason{}
	var of string
	switch {
	case item.Key.SK == "HEAD":
		a, err := application.Decode(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.State, t.StateLabel = "application", string(a.State), a.State.Label()
		t.Deadline = deadline(a.Deadline, now)
		return d.about(t, who, a, next(a), a.Actor(), nil, now), true, nil
	case order.Is(item.Key):
		o, err := order.Decode(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.ID, t.State, t.StateLabel = "order", o.ID, string(o.State), "待另一人确认"
		t.Deadline = span(o.At, o.Due, now)
		a, err := application.Get(ctx, d.Table, o.Application)
		return d.about(t, who, a, seconds[o.Kind], o.Division, []string{o.Asked.ID, o.Asked.Person}, now), err == nil, err
	case envelope.IsReview(item.Key):
		r, err := envelope.DecodeReview(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.State, t.StateLabel = "review", "open", "待复核"
		t.Deadline = span(r.At, r.Due, now)
		t.Deadline.Provisional = r.Provisional
		a, err := application.Get(ctx, d.Table, r.Application)
		return d.about(t, who, a, staff.Review, r.Division, nil, now), err == nil, err
	case strings.HasPrefix(item.Key.SK, application.AppealPrefix):
		p, err := application.DecodeAppeal(item)
		if err != nil {
			return t, false, err
		}
		of, t.Kind, t.ID, t.State, t.StateLabel = p.Application, "appeal", p.ID, "open", "待答复"
		t.Deadline = span(p.At, p.Due, now)
		a, err := application.Get(ctx, d.Table, of)
		return d.about(t, who, a, staff.AnswerAppeal, p.Division, p.Not, now), err == nil, err
	case notice.Is(item.Key):
		n, err := notice.Decode(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.ID, t.State, t.StateLabel = "notice", n.ID, string(n.State), "通知未送达："+n.Words().Title
		t.Deadline = span(n.At, n.CallDue(), now)
		a, err := application.Get(ctx, d.Table, n.Application)
		return d.about(t, who, a, staff.Call, civil.DivisionCode(n.Township), nil, now), err == nil, err
	case disclosure.IsObjection(item.Key):
		o, err := disclosure.DecodeObjection(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.ID, t.Edition, t.State, t.StateLabel = "objection", o.ID, o.Edition, "open", "待答复"
		t.Deadline = span(o.At, o.Due, now)
		a, err := application.Get(ctx, d.Table, o.Application)
		return d.about(t, who, a, staff.AnswerObjection, o.Division, o.Not, now), err == nil, err
	case reading.Is(item.Key):
		r, err := reading.Decode(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.ID, t.State, t.StateLabel = "reveal", r.ID, string(r.State(now)), r.State(now).Label()
		step := staff.ReviewReveal
		if r.State(now) == reading.Asked {
			step = staff.AgreeReveal
		}
		t.Deadline = span(r.Asked.At, r.Due(), now)
		a, err := application.Get(ctx, d.Table, r.Application)
		return d.about(t, who, a, step, r.Division, r.Earlier(), now), err == nil, err
	case recovery.Is(item.Key):
		r, err := recovery.Decode(item)
		if err != nil {
			return t, false, err
		}
		due, _ := r.Due()
		t.Kind, t.ID, t.State, t.StateLabel = "recovery", r.ID, string(r.State), r.State.Label()
		t.Deadline = span(r.Since, due, now)
		step, earlier := recoverySteps[r.State], event.Names(r.Hands()...)
		if r.State == recovery.Waiving {
			earlier = event.Names(r.Waiver.By)
		}
		a, err := application.Get(ctx, d.Table, r.Application)
		return d.about(t, who, a, step, r.Division, earlier, now), err == nil, err
	case reconciliation.IsBreak(item.Key):
		b, err := reconciliation.DecodeBreak(item)
		if err != nil || !b.Waits(now) {
			return t, false, err
		}
		return d.reconciling(t, who, b, now), true, nil
	case envelope.Is(item.Key):
		e, err := envelope.Decode(item)
		if err != nil {
			return t, false, err
		}
		t.Kind, t.ID, t.Division, t.Place = "envelope", e.ID, string(e.Township), d.name(e.Township, now)
		t.State, t.StateLabel, t.Next = string(e.State), e.State.Label(), string(staff.ApproveEnvelope)
		t.NextLabel = steps[staff.ApproveEnvelope]
		t.Deadline = span(e.AskedAt, e.Until, now)
		t.Mine = staff.Authorize(staff.Request{Action: staff.ApproveEnvelope, Staff: who, At: now, Within: d.within(e.Township, now), County: e.County,
			Earlier: []string{e.Asked.ID, e.Asked.Person}}).Allow
		return t, true, nil
	}
	return t, false, nil
}

// reconciling is a break as a task of its owner: one person of finance says why it is
// none, and another agrees. Neither decided on the payment.
func (d Deps) reconciling(t Task, who staff.Staff, b reconciliation.Break, now time.Time) Task {
	step, earlier := staff.ProposeBreak, slices.Clone(b.People)
	if b.Proposed != nil {
		step, earlier = staff.AgreeBreak, append(earlier, b.Proposed.By)
	}
	t.Kind, t.ID, t.Division, t.Place = "break", b.ID, string(b.Division), d.name(b.Division, now)
	t.State, t.StateLabel = string(b.State), b.Class.Label()+"："+b.State.Label()
	t.Next, t.NextLabel, t.Deadline = string(step), steps[step], span(b.Since, b.Due(), now)
	t.Mine = staff.Authorize(staff.Request{Action: step, Staff: who, At: now, Within: d.within(b.Division, now), County: d.county(b.Division, now),
		Earlier: event.Names(earlier...)}).Allow
	return t
}

func span(from, at, now time.Time) Deadline {
	return Deadline{Kind: application.ToDecide, From: clock(from), At: clock(at), ElapsedPercent: elapsed(from, at, now)}
}

// about completes t with what its application says of it, and whether the caller
// may take the next step. For whoever must stand back nothing of the case is in it.
func (d Deps) about(t Task, who staff.Staff, a application.Application, step staff.Action, division civil.DivisionCode, earlier []string, now time.Time) Task {
	t.Division, t.Place, t.Next, t.NextLabel = string(division), d.name(a.Place, now), string(step), steps[step]
	r := staff.Request{Action: staff.ReadApplication, Staff: who, At: now, Within: d.within(a.Township, now), County: a.County,
		Application: &a, Earlier: earlier}
	if !staff.Authorize(r).Allow {
		t.Recused = true
		return t
	}
	t.Application, t.Cause, t.CauseLabel = a.ID, string(a.Cause), a.Cause.Chinese()
	for _, h := range a.Holds {
		if h.Lifted == nil {
			t.Holds = append(t.Holds, HoldReason{h.ID, h.Code, h.Owner, clock(h.Due)})
			if step == staff.ReleaseHold && r.Earlier == nil {
				r.Earlier = []string{h.Placed.ID, h.Placed.Person}
			}
		}
	}
	if a.Proposal != nil {
		r.Authority = a.Proposal.Authority
		if step == staff.Approve {
			r.Earlier = []string{a.Proposal.By.ID, a.Proposal.By.Person}
		}
	}
	if step == staff.Approve && a.Proposal != nil && a.Proposal.Posting != "" {
		t.NextLabel = "公示期满、没有待答复的异议后审批"
	}
	r.Action = step
	t.Mine = step != verifying && staff.Authorize(r).Allow
	return t
}
