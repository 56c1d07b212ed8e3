package disclose

import (
	"context"
	"errors"

	"github.com/doudi-aid/doudi/shared/acting"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// ObjectionIn is what somebody has against one line.
type ObjectionIn struct {
	Text redact.Text `json:"text" api:"required,min=4,max=1000,lines"`
}

// ObjectionOut is an objection as whoever made it sees it.
type ObjectionOut struct {
	ID      string `json:"id"`
	Edition string `json:"edition"`
	Line    string `json:"line"`
	At      string `json:"at"`
	Due     string `json:"due"`
	Result  string `json:"result,omitempty"`
	Reasons string `json:"reasons,omitempty"`
	Next    string `json:"next"` // in words
}

// TaskOut is an objection as those who answer it see it: not who made it.
type TaskOut struct {
	ID          string `json:"id"`
	Version     int64  `json:"version"`
	Edition     string `json:"edition"`
	Line        string `json:"line"`
	Application string `json:"application"`
	Text        string `json:"text"`
	At          string `json:"at"`
	Due         string `json:"due"`
	Result      string `json:"result,omitempty"`
}

// AnswerIn answers an objection with reasons that whoever made it reads.
type AnswerIn struct {
	Version int64  `json:"version" api:"required,min=1"`
	Result  string `json:"result" api:"required,enum=upheld|dismissed"`
	Reasons string `json:"reasons" api:"required,min=10,max=2000,lines"`
}

// TakeDownIn takes a line down, with all of its place.
type TakeDownIn struct {
	Version int64  `json:"version" api:"required,min=1"`
	Reason  string `json:"reason" api:"required,enum=deceased|stopped|objection|privacy|error"`
	Note    string `json:"note,omitempty" api:"max=1000,lines"`
}

// TakenDown is an edition after lines of it were taken down.
type TakenDown struct {
	Edition string `json:"edition"`
	Version int64  `json:"version"`
	Place   string `json:"place"`
	SHA256  string `json:"sha256"`
	State   string `json:"state"`
}

var nexts = map[string]string{
	"":                   "已经收到，由没有参与这个决定的人答复您。",
	disclosure.Upheld:    "异议成立，相关内容已经撤下。",
	disclosure.Dismissed: "异议不成立，理由见答复。仍有不同意见的，可以拨打12345。",
}

// proposalNexts are those of a line that tells of a proposal.
var proposalNexts = map[string]string{
	"":                   "已经收到，由没有参与的人答复您；答复以前不会按这一行作出决定。",
	disclosure.Upheld:    "异议成立，不会按这一行作出决定，理由见答复。",
	disclosure.Dismissed: nexts[disclosure.Dismissed],
}

func out(o disclosure.Objection) ObjectionOut {
	r := ObjectionOut{ID: o.ID, Edition: o.Edition, Line: o.Line, At: clock(o.At), Due: clock(o.Due)}
	if o.Answer != nil {
		r.Result = o.Answer.Result
	}
	r.Next = nexts[r.Result]
	if o.Posting != "" {
		r.Next = proposalNexts[r.Result]
	}
	return r
}

// posted is what a step of o writes of the posting that it is about: nothing where
// the line tells of what was decided.
func (d Deps) posted(ctx context.Context, o disclosure.Objection, kind string, step func(disclosure.Posting) disclosure.Posting) ([]table.Write, error) {
	if o.Posting == "" {
		return nil, nil
	}
	p, err := disclosure.GetPosting(ctx, d.Table, o.County, o.PostingYear, o.Posting)
	if err != nil {
		return nil, err
	}
	next := step(p)
	return next.Writes(next.Event(kind, disclosure.System, d.Now()))
}

// objecting is how often an objection is tried when others to the same line come at
// the same time.
const objecting = 8

// before is the answer that a request about one thing of an edition's partition
// got before; without a body when it is new.
func before[Out any](ctx context.Context, d Deps, partition, noun, id string, r httpapi.Request) (httpapi.Reply[Out], error) {
	var none httpapi.Reply[Out]
	asked, found, err := event.Asked(ctx, d.Table, partition, noun, id, r.RequestKey())
	if err != nil || !found {
		return none, err
	}
	if asked.Digest != d.Blind.Ref("request", r.Digest()) {
		return none, application.ErrReused
	}
	return httpapi.Again[Out](asked.Status, asked.Answer), nil
}

// signed is e with what asked for it and with its words sealed.
func signed[Out any](ctx context.Context, d Deps, e event.Event, r httpapi.Request, reply httpapi.Reply[Out], words redact.Text) (event.Event, error) {
	e, err := application.SealNote(ctx, d.Box, e, words)
	e.Trace = r.Trace
	e.Request = &event.Request{Key: r.RequestKey(), Digest: d.Blind.Ref("request", r.Digest()), Status: reply.Status, Answer: reply.Body}
	return e, err
}

// objected records an objection to a line that is public. It is one of the
// caller's requests for ever, also when the notice has expired since.
func objected(ctx context.Context, d Deps, c httpapi.Call[ObjectionIn]) (httpapi.Reply[ObjectionOut], error) {
	var none httpapi.Reply[ObjectionOut]
	id := ident.Derive("objection", c.RequestKey())
	if !ident.Valid(c.Path("id")) || !ident.Valid(c.Path("line")) {
		return none, disclosure.ErrNotFound
	}
	e, err := disclosure.Get(ctx, d.Table, c.Path("id"))
	if err != nil {
		return none, err
	}
	partition := disclosure.Partition(e.County, e.Year)
	if again, err := before[ObjectionOut](ctx, d, partition, disclosure.ObjectionNoun, id, c.Request); err != nil || again.Body != nil {
		return again, err
	}
	now := d.Now()
	if !e.Public(now) {
		return none, disclosure.ErrNotFound
	}
	source, err := e.Source(c.Path("line"))
	if err != nil {
		return none, err
	}
	due := now
	if rules, err := d.Book.Rules(e.County, calendar.Today(now)); err == nil {
		due = rules.AppealDue(now).At
	}
	o := disclosure.Object(id, e, source, c.Principal.ID, now, due)
	reply, err := httpapi.Fresh(201, out(o))
	if err != nil {
		return none, err
	}
	ev, err := signed(ctx, d, o.Event("filed", event.Actor{Kind: event.Citizen, ID: c.Principal.ID}, now), c.Request, reply, c.Body.Text)
	if err != nil {
		return none, err
	}
	for range objecting {
		var also []table.Write
		if also, err = d.posted(ctx, o, "objected", disclosure.Posting.Objected); err != nil {
			return none, err
		}
		if err = o.Keep(ctx, d.Table, ev, also...); err == nil {
			return reply, nil
		}
		if twin, again := before[ObjectionOut](ctx, d, partition, disclosure.ObjectionNoun, id, c.Request); again == nil && twin.Body != nil {
			return twin, nil
		}
		if o.Posting == "" || !errors.Is(err, disclosure.ErrMovedOn) {
			break
		}
	}
	return none, err
}

// objection is the one in the path.
func (d Deps) objection(ctx context.Context, r httpapi.Request) (disclosure.Edition, disclosure.Objection, error) {
	if !ident.Valid(r.Path("id")) || !ident.Valid(r.Path("objection")) {
		return disclosure.Edition{}, disclosure.Objection{}, disclosure.ErrNotFound
	}
	e, err := disclosure.Get(ctx, d.Table, r.Path("id"))
	if err != nil {
		return e, disclosure.Objection{}, err
	}
	o, err := disclosure.GetObjection(ctx, d.Table, e.County, e.Year, r.Path("objection"))
	if err == nil && o.Edition != e.ID {
		err = disclosure.ErrNotFound
	}
	return e, o, err
}

// words are the sealed words of the version of o that an event made.
func (d Deps) words(ctx context.Context, o disclosure.Objection, version int64) (string, error) {
	item, ok, err := d.Table.Get(ctx, event.Key(disclosure.Partition(o.County, o.Year), disclosure.ObjectionNoun, o.ID, version))
	if err != nil || !ok {
		return "", err
	}
	e, err := event.Decode(item)
	if err != nil {
		return "", err
	}
	text, err := application.OpenNote(ctx, d.Box, e)
	return text.Reveal(), err
}

// mine is an objection of the caller's own.
func mine(ctx context.Context, d Deps, c httpapi.Call[httpapi.None]) (ObjectionOut, error) {
	_, o, err := d.objection(ctx, c.Request)
	if err != nil {
		return ObjectionOut{}, err
	}
	if o.Account != c.Principal.ID {
		return ObjectionOut{}, disclosure.ErrNotFound
	}
	r := out(o)
	if o.Answer != nil {
		r.Reasons, err = d.words(ctx, o, o.Version)
	}
	return r, err
}

// desk is a member of staff before the case that a line tells of.
type desk struct {
	who   staff.Staff
	board brake.Board
	app   application.Application
}

// sit reads who asks and asks the policies. Out of scope looks like absent.
func (d Deps) sit(ctx context.Context, r httpapi.Request, action staff.Action, applicationID string, earlier []string) (desk, error) {
	var k desk
	var err error
	now := d.Now()
	if k.who, k.board, err = d.acting(ctx, r.Principal.ID); err != nil {
		return k, err
	}
	if k.app, err = application.Get(ctx, d.Table, applicationID); err != nil {
		return k, err
	}
	err = staff.Authorize(staff.Request{Action: action, Staff: k.who, At: now, Within: d.Tree.Around(k.app.Township, calendar.Today(now)), County: k.app.County, Application: &k.app, Earlier: earlier}).Err()
	switch {
	case errors.Is(err, application.ErrNotFound):
		err = disclosure.ErrNotFound
	case errors.Is(err, application.ErrSamePerson):
		err = disclosure.ErrPerson
	}
	return k, err
}

// acting is the member of staff behind a session, and the brakes as they stand.
func (d Deps) acting(ctx context.Context, id string) (staff.Staff, brake.Board, error) {
	return acting.As(ctx, d.Table, d.Box, d.Blind, id, d.Now())
}

// task is an objection for those who answer it.
func task(ctx context.Context, d Deps, c httpapi.Call[httpapi.None]) (TaskOut, error) {
	_, o, err := d.objection(ctx, c.Request)
	if err != nil {
		return TaskOut{}, err
	}
	k, err := d.sit(ctx, c.Request, staff.ReadObjection, o.Application, nil)
	if err != nil {
		return TaskOut{}, err
	}
	t := TaskOut{ID: o.ID, Version: o.Version, Edition: o.Edition, Line: o.Line, Application: o.Application, At: clock(o.At), Due: clock(o.Due)}
	if o.Answer != nil {
		t.Result = o.Answer.Result
	}
	if t.Text, err = d.words(ctx, o, 1); err != nil {
		return TaskOut{}, err
	}
	role := ""
	if posts := k.who.Posts(d.Now()); len(posts) > 0 {
		role = string(posts[0].Role)
	}
	return t, httpapi.Show(ctx, httpapi.Shown{Case: o.Application, Fields: []string{string(reading.Notes)}, Role: role,
		Office: d.place(d.Now())(o.County) + staff.Role(role).Label(), Purpose: string(reading.PurposeOf(role))})
}

// answered answers an objection: a county approver who had no part in the
// decision. One that is upheld takes the line down in the same breath; where the
// line tells of a proposal it keeps that from being approved instead, and the line
// stays as long as it was posted for.
func answered(ctx context.Context, d Deps, c httpapi.Call[AnswerIn]) (httpapi.Reply[TaskOut], error) {
	var none httpapi.Reply[TaskOut]
	if _, _, err := d.acting(ctx, c.Principal.ID); err != nil {
		return none, err
	}
	e, o, err := d.objection(ctx, c.Request)
	if err != nil {
		return none, err
	}
	partition := disclosure.Partition(e.County, e.Year)
	if again, err := before[TaskOut](ctx, d, partition, disclosure.ObjectionNoun, o.ID, c.Request); err != nil || again.Body != nil {
		return again, err
	}
	k, err := d.sit(ctx, c.Request, staff.AnswerObjection, o.Application, o.Not)
	if err != nil {
		return none, err
	}
	if o.Answer == nil && o.Version != c.Body.Version {
		return none, disclosure.ErrMovedOn
	}
	now := d.Now()
	by := k.who.Actor(append(k.app.Persons(), o.Not...)...)
	next, err := o.Answered(c.Body.Result, by, now)
	if err != nil {
		return none, err
	}
	reply, err := httpapi.Fresh(201, TaskOut{ID: next.ID, Version: next.Version, Edition: next.Edition, Line: next.Line, Application: next.Application,
		At: clock(next.At), Due: clock(next.Due), Result: next.Answer.Result})
	if err != nil {
		return none, err
	}
	ev, err := signed(ctx, d, next.Event("answered", by, now), c.Request, reply, redact.New(c.Body.Reasons))
	if err != nil {
		return none, err
	}
	more := append(k.who.Checks(), k.board.Check())
	upheld := c.Body.Result == disclosure.Upheld
	also, err := d.posted(ctx, o, "objection_answered", func(p disclosure.Posting) disclosure.Posting { return p.Answered(upheld) })
	if err != nil {
		return none, err
	}
	more = append(more, also...)
	if upheld && o.Posting == "" {
		down, err := e.TakeDown(o.Line, "objection", by, now)
		switch {
		case errors.Is(err, disclosure.ErrDown): // it is gone already
		case err != nil:
			return none, err
		default:
			told := down.Event("taken_down", by, now)
			told.Reason, told.Trace = "objection", c.Trace
			writes, err := disclosure.Writes(down, told)
			if err != nil {
				return none, err
			}
			more = append(more, writes...)
		}
	}
	if err := next.Keep(ctx, d.Table, ev, more...); err != nil {
		if twin, again := before[TaskOut](ctx, d, partition, disclosure.ObjectionNoun, o.ID, c.Request); again == nil && twin.Body != nil {
			return twin, nil
		}
		return none, err
	}
	return reply, nil
}

// takenDown takes a line down, and with it all lines of its place: one person is
// enough, because hiding harms nobody and waiting may.
func takenDown(ctx context.Context, d Deps, c httpapi.Call[TakeDownIn]) (httpapi.Reply[TakenDown], error) {
	var none httpapi.Reply[TakenDown]
	if _, _, err := d.acting(ctx, c.Principal.ID); err != nil {
		return none, err
	}
	if !ident.Valid(c.Path("id")) || !ident.Valid(c.Path("line")) {
		return none, disclosure.ErrNotFound
	}
	e, err := disclosure.Get(ctx, d.Table, c.Path("id"))
	if err != nil {
		return none, err
	}
	partition := disclosure.Partition(e.County, e.Year)
	if again, err := before[TakenDown](ctx, d, partition, disclosure.Noun, e.ID, c.Request); err != nil || again.Body != nil {
		return again, err
	}
	source, err := e.Source(c.Path("line"))
	if err != nil {
		return none, err
	}
	k, err := d.sit(ctx, c.Request, staff.TakeDown, source.Application, nil)
	if err != nil {
		return none, err
	}
	if e.Version != c.Body.Version {
		return none, disclosure.ErrMovedOn
	}
	now, by := d.Now(), k.who.Actor(k.app.Persons()...)
	next, err := e.TakeDown(source.Line, c.Body.Reason, by, now)
	if err != nil {
		return none, err
	}
	reply, err := httpapi.Fresh(201, TakenDown{next.ID, next.Version, next.Down[len(next.Down)-1].Place, next.SHA256, string(next.State)})
	if err != nil {
		return none, err
	}
	ev := next.Event("taken_down", by, now)
	ev.Reason = c.Body.Reason
	if ev, err = signed(ctx, d, ev, c.Request, reply, redact.New(c.Body.Note)); err != nil {
		return none, err
	}
	if err := disclosure.Commit(ctx, d.Table, next, ev, append(k.who.Checks(), k.board.Check())...); err != nil {
		if twin, again := before[TakenDown](ctx, d, partition, disclosure.Noun, e.ID, c.Request); again == nil && twin.Body != nil {
			return twin, nil
		}
		return none, err
	}
	return reply, nil
}
