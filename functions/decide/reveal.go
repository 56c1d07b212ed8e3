package decide

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
)

// RevealIn asks to see named particulars of one case unmasked.
type RevealIn struct {
	Fields []string `json:"fields" api:"required,min=1,max=6,enum=name|paper|phone|address|account|story"`
	Reason string   `json:"reason" api:"required,enum=contact_person|payment_failed|identity_doubt|fraud_suspected|court_order|audit_sample|other"`
	Note   string   `json:"note" api:"required,min=10,max=1000,lines"`
}

// Judgement is what supervision made of a look.
type Judgement struct {
	Version int64  `json:"version" api:"required,min=1"`
	Result  string `json:"result" api:"required,enum=justified|unjustified"`
	Note    string `json:"note" api:"required,min=4,max=1000,lines"`
}

// RevealOut is a request to see. It shows nothing.
type RevealOut struct {
	ID          string   `json:"id"`
	Version     int64    `json:"version"`
	Application string   `json:"application"`
	Fields      []string `json:"fields"`
	Reason      string   `json:"reason"`
	State       string   `json:"state"`
	StateLabel  string   `json:"state_label"`
	Until       string   `json:"until"`
	AskedBy     string   `json:"asked_by"`
	AgreedBy    string   `json:"agreed_by,omitempty"`
	Result      string   `json:"result,omitempty"`
}

// Whole is what was asked for, unmasked, and nothing else.
type Whole struct {
	RevealOut
	People  []WholePerson `json:"people,omitempty"`
	Address string        `json:"address,omitempty"`
	Account string        `json:"account,omitempty"`
	Holder  string        `json:"account_holder,omitempty"`
	Story   string        `json:"story,omitempty"`
}

// WholePerson is one person, unmasked as far as was asked for.
type WholePerson struct {
	Role  string `json:"role"`
	Name  string `json:"name,omitempty"`
	Kind  string `json:"paper_kind,omitempty"`
	Paper string `json:"paper,omitempty"`
	Phone string `json:"phone,omitempty"`
}

func revealOut(r reading.Reveal, now time.Time) RevealOut {
	out := RevealOut{ID: r.ID, Version: r.Version, Application: r.Application, Reason: r.Reason, State: string(r.State(now)), StateLabel: r.State(now).Label(),
		Until: clock(r.Until), AskedBy: r.Asked.By.ID, Fields: []string{}}
	for _, f := range r.Fields {
		out.Fields = append(out.Fields, string(f))
	}
	if r.Agreed != nil {
		out.AgreedBy = r.Agreed.By.ID
	}
	if r.Review != nil {
		out.Result = r.Review.Result
	}
	return out
}

// before seats whoever asks before the case in the path, for action.
func (d Deps) before(ctx context.Context, r httpapi.Request, w wish) (desk, error) {
	id := r.Path("id")
	if !ident.Valid(id) {
		return desk{}, application.ErrNotFound
	}
	if _, _, err := d.acting(ctx, r.Principal.ID); err != nil {
		return desk{}, err
	}
	a, err := application.Get(ctx, d.Table, id)
	if err != nil {
		return desk{}, err
	}
	k, err := d.sit(ctx, r.Principal.ID, a, w)
	if err != nil {
		return k, d.tell(ctx, err)
	}
	return k, d.recent(w.action, r.SignedIn, k.at)
}

// askReveal is the first person. It shows nothing; supervision is called.
func askReveal(ctx context.Context, d Deps, call httpapi.Call[RevealIn]) (httpapi.Reply[RevealOut], error) {
	var none httpapi.Reply[RevealOut]
	r := reading.Reveal{ID: ident.Derive("reveal", call.RequestKey()), Application: call.Path("id"), Reason: call.Body.Reason, Trace: call.Trace}
	if before, err := d.again(ctx, call.Request, r); err != nil || before.Body != nil {
		return before, err
	}
	k, err := d.before(ctx, call.Request, wish{action: staff.AskReveal})
	if err != nil {
		return none, err
	}
	r.Division = k.app.Township
	for _, f := range call.Body.Fields {
		if !slices.Contains(r.Fields, reading.Field(f)) {
			r.Fields = append(r.Fields, reading.Field(f))
		}
	}
	if r, err = reading.Ask(r, k.actor(), k.at); err != nil {
		return none, err
	}
	return k.keepReveal(ctx, call.Request, r, "asked", call.Body.Note)
}

// revealOf reads the reveal in the caller's path. One that is not there looks
// like an application that is not there.
func (d Deps) revealOf(ctx context.Context, applicationID, id string) (reading.Reveal, error) {
	if !ident.Valid(applicationID) || !ident.Valid(id) {
		return reading.Reveal{}, application.ErrNotFound
	}
	r, err := reading.Get(ctx, d.Table, applicationID, id)
	if errors.Is(err, reading.ErrNotFound) {
		return r, application.ErrNotFound
	}
	return r, err
}

// again is the answer that a request about a reveal got before; without a body
// when it is new. It comes before the policies are asked, so the caller must
// still be one of us.
func (d Deps) again(ctx context.Context, req httpapi.Request, r reading.Reveal) (httpapi.Reply[RevealOut], error) {
	if _, _, err := d.acting(ctx, req.Principal.ID); err != nil {
		return httpapi.Reply[RevealOut]{}, err
	}
	return answered[RevealOut](ctx, d, application.Partition(r.Application), reading.RevealNoun, r.ID, req)
}

// revealStep is what a further person does to a reveal that is there.
func (d Deps) revealStep(ctx context.Context, req httpapi.Request, version int64, action staff.Action, kind, note string,
	to func(reading.Reveal, event.Actor, time.Time) (reading.Reveal, error)) (httpapi.Reply[RevealOut], error) {
	var none httpapi.Reply[RevealOut]
	if _, _, err := d.acting(ctx, req.Principal.ID); err != nil {
		return none, err
	}
	r, err := d.revealOf(ctx, req.Path("id"), req.Path("reveal"))
	if err != nil {
		return none, err
	}
	if before, err := d.again(ctx, req, r); err != nil || before.Body != nil {
		return before, err
	}
	k, err := d.before(ctx, req, wish{action, func(_ context.Context, _ application.Application, q *staff.Request) error {
		q.Earlier = r.Earlier()
		return nil
	}})
	if errors.Is(err, application.ErrSamePerson) {
		return none, reading.ErrAlone
	}
	if err != nil {
		return none, err
	}
	if r.Version != version {
		return none, reading.ErrMovedOn
	}
	var persons []string
	for _, h := range r.Hands() {
		persons = append(persons, h.Person)
	}
	next, err := to(r, k.actor(persons...), k.at)
	if err != nil {
		return none, err
	}
	return k.keepReveal(ctx, req, next, kind, note)
}

// agreeReveal is the second person: the first may look from now on.
func agreeReveal(ctx context.Context, d Deps, call httpapi.Call[Restated]) (httpapi.Reply[RevealOut], error) {
	return d.revealStep(ctx, call.Request, call.Body.Version, staff.AgreeReveal, "agreed", "",
		func(r reading.Reveal, by event.Actor, at time.Time) (reading.Reveal, error) {
			return r.Agree(by, at, d.window())
		})
}

// window is how long somebody may look once a second person has agreed.
func (d Deps) window() time.Duration {
	if d.RevealFor > 0 {
		return d.RevealFor
	}
	return reading.Window
}

// reviewReveal is supervision's word on whether there was need.
func reviewReveal(ctx context.Context, d Deps, call httpapi.Call[Judgement]) (httpapi.Reply[RevealOut], error) {
	return d.revealStep(ctx, call.Request, call.Body.Version, staff.ReviewReveal, "reviewed", call.Body.Note,
		func(r reading.Reveal, by event.Actor, at time.Time) (reading.Reveal, error) {
			return r.Judge(call.Body.Result, by, at)
		})
}

// keepReveal stores a step with its event and its answer; whatever changed about
// the officer or the brakes undoes it. The person is told when somebody may look.
func (k desk) keepReveal(ctx context.Context, req httpapi.Request, r reading.Reveal, kind, note string) (httpapi.Reply[RevealOut], error) {
	var none httpapi.Reply[RevealOut]
	d := k.deps
	reply, err := httpapi.Fresh(201, revealOut(r, k.at))
	if err != nil {
		return none, err
	}
	e := r.Event(kind, k.actor(r.Asked.By.Person), k.at)
	e.Facts["office"] = k.office()
	if r.Review != nil {
		e.Facts["result"] = r.Review.Result
	}
	if e, err = application.SealNote(ctx, d.Box, e, redact.New(note)); err != nil {
		return none, err
	}
	e.Trace = req.Trace
	e.Request = &event.Request{Key: req.RequestKey(), Digest: d.Blind.Ref("request", req.Digest()), Status: reply.Status, Answer: reply.Body}
	more := append(k.who.Checks(), k.board.Check())
	if kind == "agreed" {
		told, err := notice.Owe(notice.Revealed, e)
		if err != nil {
			return none, err
		}
		more = append(more, told)
	}
	switch err := reading.Commit(ctx, d.Table, r, e, more...); {
	case errors.Is(err, reading.ErrMovedOn):
		if twin, again := d.again(ctx, req, r); again == nil && twin.Body != nil {
			return twin, nil
		}
		return none, err
	case err != nil:
		return none, err
	}
	d.page()
	return reply, nil
}

// page wakes supervision at every step: the metric has an alarm of its own.
func (d Deps) page() {
	if d.Metrics != nil {
		d.Metrics.Count("break_glass", 1)
	}
}

// seeReveal shows what was agreed to the one who asked, while it lasts. Each look
// is an event of its own before the answer is given.
func seeReveal(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Whole, error) {
	k, err := d.before(ctx, call.Request, wish{action: staff.ReadReveal})
	if err != nil {
		return Whole{}, err
	}
	r, err := d.revealOf(ctx, k.app.ID, call.Path("reveal"))
	if err != nil {
		return Whole{}, err
	}
	if err := r.Admits(k.actor(r.Asked.By.Person), k.at); err != nil {
		return Whole{}, err
	}
	p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, k.app.ID)
	if err != nil {
		return Whole{}, err
	}
	out := Whole{RevealOut: revealOut(r, k.at)}
	has := func(f reading.Field) bool { return slices.Contains(r.Fields, f) }
	for _, role := range p.Roles() {
		who, _ := p.Person(role)
		one := WholePerson{Role: role}
		if has(reading.Name) {
			one.Name = who.Name.Reveal()
		}
		if has(reading.Paper) {
			one.Kind, one.Paper = who.Paper.Kind().Chinese(), who.Paper.Reveal()
		}
		if has(reading.Phone) {
			one.Phone = who.Phone.Reveal()
		}
		if has(reading.Name) || has(reading.Paper) || has(reading.Phone) {
			out.People = append(out.People, one)
		}
	}
	if has(reading.Address) {
		out.Address = p.Address.Reveal()
	}
	if has(reading.Account) {
		out.Account, out.Holder = p.Account.Reveal(), p.Holder
	}
	if has(reading.Story) {
		out.Story = p.Story.Reveal()
	}
	if err := k.shows(ctx, httpapi.Shown{Whole: true, Reason: r.Reason}, r.Fields...); err != nil {
		return Whole{}, err
	}
	d.page()
	return out, nil
}
