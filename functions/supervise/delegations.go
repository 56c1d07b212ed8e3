package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
)

// DelegationIn asks for a delegation. Without Above it rests on the caller's own post as
// supervisor. Until is its last day.
type DelegationIn struct {
	Above     string      `json:"above,omitempty" api:"max=64"`
	Scope     string      `json:"scope" api:"required,max=12"`
	Abilities []string    `json:"abilities" api:"required,min=1,max=9,each=20"`
	Team      string      `json:"team,omitempty" api:"max=60"`
	Members   []string    `json:"members" api:"required,min=1,max=20,each=64"`
	Until     string      `json:"until" api:"required,max=10"`
	Reason    redact.Text `json:"reason" api:"required,min=2,max=1000,lines"`
}

// DelegationVersion restates what the caller saw: nobody agrees to what they have not
// read.
type DelegationVersion struct {
	Version int64 `json:"version" api:"required,min=1"`
}

// RevocationIn takes a delegation back, with a reason.
type RevocationIn struct {
	Version int64       `json:"version" api:"required,min=1"`
	Reason  redact.Text `json:"reason" api:"required,min=2,max=1000,lines"`
}

// AbilityOut is one part of a supervisor's work.
type AbilityOut struct {
	Ability string `json:"ability"`
	Label   string `json:"label"`
}

// DelegationOut is a delegation, and what it comes to now.
type DelegationOut struct {
	ID         string       `json:"id"`
	Version    int64        `json:"version"`
	Above      string       `json:"above,omitempty"`
	Depth      int          `json:"depth"` // how much it rests on; 0 for what a body gives itself
	Body       string       `json:"body"`
	BodyName   string       `json:"body_name"`
	Scope      string       `json:"scope"`
	ScopeName  string       `json:"scope_name"`
	Abilities  []AbilityOut `json:"abilities"`
	Team       string       `json:"team,omitempty"`
	Members    []string     `json:"members"`
	Until      string       `json:"until"` // the first moment without it
	State      string       `json:"state"`
	StateLabel string       `json:"state_label"`
	// Stands: it gives something at this moment. One that is given and does not stand
	// rests on something that is over.
	Stands bool `json:"stands"`
	// Ends is when it will be over by what is known now, with all that it rests on.
	Ends      string `json:"ends,omitempty"`
	AskedBy   string `json:"asked_by"`
	AskedAt   string `json:"asked_at"`
	AgreedBy  string `json:"agreed_by,omitempty"`
	AgreedAt  string `json:"agreed_at,omitempty"`
	RevokedBy string `json:"revoked_by,omitempty"`
	RevokedAt string `json:"revoked_at,omitempty"`
}

// Delegations is the tree: what rests on something comes right after it, one deeper.
type Delegations struct {
	Delegations []DelegationOut `json:"delegations"`
}

// DelegationPage is a delegation with everything that was done to it.
type DelegationPage struct {
	DelegationOut
	Steps []Step `json:"steps"`
}

func (d Deps) around(code civil.DivisionCode) []civil.DivisionCode {
	return d.Tree.Around(code, calendar.Today(d.Now()))
}

func (d Deps) delegationOut(c delegation.Chain) DelegationOut {
	now, g := d.Now(), c.Links[0]
	out := DelegationOut{ID: g.ID, Version: g.Version, Above: g.Above, Depth: len(c.Links) - 1, Body: string(g.Body), BodyName: d.name(g.Body),
		Scope: string(g.Scope), ScopeName: d.name(g.Scope), Abilities: []AbilityOut{}, Team: g.Team, Members: []string{}, Until: clock(g.Until),
		State: string(g.State(now)), StateLabel: g.State(now).Label(), AskedBy: g.Asked.By.ID, AskedAt: clock(g.Asked.At)}
	for _, a := range g.Abilities {
		out.Abilities = append(out.Abilities, AbilityOut{string(a), a.Label()})
	}
	for _, m := range g.Members {
		out.Members = append(out.Members, m.ID)
	}
	if r, ok := c.Rights(now); ok {
		out.Stands, out.Ends = true, clock(r.Until)
	}
	if g.Agreed != nil {
		out.AgreedBy, out.AgreedAt = g.Agreed.By.ID, clock(g.Agreed.At)
	}
	if g.Revoked != nil {
		out.RevokedBy, out.RevokedAt = g.Revoked.By.ID, clock(g.Revoked.At)
	}
	return out
}

// about asks the policies about a delegation. Out of scope looks absent.
func (d Deps) about(who staff.Staff, action staff.Action, c delegation.Chain, earlier ...event.Actor) error {
	err := staff.Authorize(staff.Request{Action: action, Staff: who, At: d.Now(), Within: d.around(c.Links[0].Scope), Delegation: c.Resource(),
		Earlier: event.Names(earlier...)}).Err()
	switch {
	case errors.Is(err, application.ErrNotFound):
		return delegation.ErrNotFound
	case errors.Is(err, application.ErrSamePerson):
		return delegation.ErrPerson
	}
	return err
}

// asking is what the caller asks for, with every bad field named at once.
func (d Deps) asking(ctx context.Context, in DelegationIn, who staff.Staff, id string, now time.Time) (delegation.Chain, error) {
	var f fault.Fields
	g := delegation.Delegation{ID: id, Above: in.Above, Team: in.Team}
	scope, err := civil.ParseDivision(in.Scope)
	around := d.around(scope)
	if err != nil || len(around) == 0 {
		f.Add("/scope", "division", "没有这个地区。")
	}
	g.Scope = scope
	day, err := civil.ParseDay(in.Until)
	if err != nil {
		f.Add("/until", "day", "日期应为“2026-12-31”的形式。")
	} else {
		g.Until = day.AddDays(1).Start(calendar.Zone)
	}
	for i, text := range in.Abilities {
		a := staff.Ability(text)
		switch {
		case !slices.Contains(staff.Abilities(), a):
			f.Add(fmt.Sprintf("/abilities/%d", i), "ability", "没有这个事项。")
		case slices.Contains(g.Abilities, a):
			f.Add(fmt.Sprintf("/abilities/%d", i), "duplicate", "这个事项写了两次。")
		}
		g.Abilities = append(g.Abilities, a)
	}
	for i, member := range in.Members {
		at := fmt.Sprintf("/members/%d", i)
		s, err := staff.Get(ctx, d.Table, member)
		if err != nil && !errors.Is(err, staff.ErrNotFound) {
			return delegation.Chain{}, err
		}
		switch {
		case err != nil || !s.Active || s.Person == "":
			f.Add(at, "officer", "没有这名工作人员，或者还没有登记本人身份。")
		case slices.ContainsFunc(g.Members, func(m event.Actor) bool { return m.ID == s.ID || m.Person == s.Person }):
			f.Add(at, "duplicate", "同一个人写了两次。")
		case d.works(s, scope, now):
			f.Add(at, "works-there", "这名工作人员在该辖区办理业务，不能同时监督。")
		}
		g.Members = append(g.Members, event.Actor{Kind: event.Staff, ID: member, Person: s.Person})
	}
	if len(g.Members) > 1 && in.Team == "" {
		f.Add("/team", "required", "委派给多人的，请写明联合工作组的名称。")
	}
	if err := f.Err(); err != nil {
		return delegation.Chain{}, err
	}
	if g.Above == "" {
		g.Body = d.body(who, around, now)
		g.Asked.By = who.Actor()
		return delegation.Chain{Links: []delegation.Delegation{g}, Post: who}, nil
	}
	up, err := delegation.Get(ctx, d.Table, g.Above)
	if err != nil {
		return delegation.Chain{}, err
	}
	g.Body = up.Body
	return delegation.Load(ctx, d.Table, g)
}

// works reports whether s has a post in scope, or above it, other than supervising.
func (d Deps) works(s staff.Staff, scope civil.DivisionCode, now time.Time) bool {
	return slices.ContainsFunc(s.Grants, func(g staff.Grant) bool {
		return g.Current(now) && g.Role != staff.Supervisor && g.Role != staff.Auditor &&
			(slices.Contains(d.around(g.Division), scope) || slices.Contains(d.around(scope), g.Division))
	})
}

// body is the narrowest division around a place that the roster has who supervise; ""
// when there is none.
func (d Deps) body(who staff.Staff, around []civil.DivisionCode, now time.Time) civil.DivisionCode {
	posts := who.Holds(now, staff.Supervisor)
	for _, code := range around {
		if slices.Contains(posts, code) {
			return code
		}
	}
	return ""
}

// askDelegation is the first of two people. It gives nothing yet.
func askDelegation(ctx context.Context, d Deps, call httpapi.Call[DelegationIn]) (httpapi.Reply[DelegationOut], error) {
	var none httpapi.Reply[DelegationOut]
	now := d.Now()
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	id := ident.Derive(delegation.Noun, call.RequestKey())
	if again, err := d.delegated(ctx, id, call.Request); err != nil || again.Body != nil {
		return again, err
	}
	// Whoever could ask nowhere learns nothing of who works here.
	if !who.Supervises(now) {
		return none, staff.ErrNotAllowed
	}
	c, err := d.asking(ctx, call.Body, who, id, now)
	if err != nil {
		return none, err
	}
	if err := d.about(who, staff.AskDelegation, c); err != nil {
		return none, err
	}
	if err := c.Admit(now, d.around); err != nil {
		return none, err
	}
	if c.Links[0], err = delegation.New(c.Links[0], who.Actor(), now); err != nil {
		return none, err
	}
	return d.keepDelegation(ctx, call.Request, who, c, "asked", call.Body.Reason, who.Actor())
}

// agreeDelegation is the second person. It stands from now on.
func agreeDelegation(ctx context.Context, d Deps, call httpapi.Call[DelegationVersion]) (httpapi.Reply[DelegationOut], error) {
	return delegationStep(ctx, d, call.Request, staff.AgreeDelegation, call.Body.Version, "agreed", redact.Text{},
		func(c delegation.Chain, by event.Actor, now time.Time) (delegation.Delegation, error) {
			next, err := c.Links[0].Agree(by, now)
			if err != nil {
				return next, err
			}
			return next, c.Admit(now, d.around) // what it rests on may have ended or grown less since
		})
}

// revokeDelegation is one person who takes it back, at once, with all that rests on it.
func revokeDelegation(ctx context.Context, d Deps, call httpapi.Call[RevocationIn]) (httpapi.Reply[DelegationOut], error) {
	return delegationStep(ctx, d, call.Request, staff.RevokeDelegation, call.Body.Version, "revoked", call.Body.Reason,
		func(c delegation.Chain, by event.Actor, now time.Time) (delegation.Delegation, error) {
			return c.Links[0].Revoke(by, now)
		})
}

func delegationStep(ctx context.Context, d Deps, r httpapi.Request, action staff.Action, version int64, kind string, text redact.Text,
	to func(delegation.Chain, event.Actor, time.Time) (delegation.Delegation, error)) (httpapi.Reply[DelegationOut], error) {
	var none httpapi.Reply[DelegationOut]
	who, err := d.acting(ctx, r.Principal.ID)
	if err != nil {
		return none, err
	}
	c, err := d.chain(ctx, r.Path("delegation"))
	if err != nil {
		return none, err
	}
	g := c.Links[0]
	var earlier []event.Actor
	if action == staff.AgreeDelegation {
		earlier = append(earlier, g.Asked.By)
	}
	if err := d.about(who, action, c, earlier...); err != nil {
		return none, err
	}
	if again, err := d.delegated(ctx, g.ID, r); err != nil || again.Body != nil {
		return again, err
	}
	if g.Version != version {
		return none, delegation.ErrMovedOn
	}
	known := []string{g.Asked.By.Person}
	for _, m := range g.Members {
		known = append(known, m.Person)
	}
	by := who.Actor(known...)
	if c.Links[0], err = to(c, by, d.Now()); err != nil {
		return none, err
	}
	return d.keepDelegation(ctx, r, who, c, kind, text, by)
}

// keepDelegation stores one step with its event and its answer. What it rests on and the
// caller's own rights are conditions of the write; a twin of the request finds the
// answer of the first. If we die before it nothing was given or taken; after it, it was,
// for everybody at once.
func (d Deps) keepDelegation(ctx context.Context, r httpapi.Request, who staff.Staff, c delegation.Chain, kind string, text redact.Text, by event.Actor) (httpapi.Reply[DelegationOut], error) {
	var none httpapi.Reply[DelegationOut]
	reply, err := httpapi.Fresh(201, d.delegationOut(c))
	if err != nil {
		return none, err
	}
	g := c.Links[0]
	e, err := application.SealNote(ctx, d.Box, g.Event(kind, by, d.Now()), text)
	if err != nil {
		return none, err
	}
	e.Trace = r.Trace
	e.Request = &event.Request{Key: r.RequestKey(), Digest: d.Blind.Ref("request", r.Digest()), Status: reply.Status, Answer: reply.Body}
	if err := delegation.Commit(ctx, d.Table, c, e, who.Checks()...); err != nil {
		if errors.Is(err, delegation.ErrMovedOn) {
			if twin, again := d.delegated(ctx, g.ID, r); again == nil && twin.Body != nil {
				return twin, nil
			}
		}
		return none, err
	}
	return reply, nil
}

// chain reads a delegation with what it rests on.
func (d Deps) chain(ctx context.Context, id string) (delegation.Chain, error) {
	g, err := delegation.Get(ctx, d.Table, id)
	if err != nil {
		return delegation.Chain{}, err
	}
	return delegation.Load(ctx, d.Table, g)
}

// delegated is the answer that a request about a delegation got before; without a body
// when it is new.
func (d Deps) delegated(ctx context.Context, id string, r httpapi.Request) (httpapi.Reply[DelegationOut], error) {
	return answered[DelegationOut](ctx, d, delegation.Partition(id), delegation.Noun, id, r)
}

// pastShown is how long after its end a delegation is still listed.
const pastShown = 90 * 24 * time.Hour

// listDelegations is the tree in one division: what was given there, what reaches it
// from above, and what was given below. Without a division it is what the caller holds.
func listDelegations(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Delegations, error) {
	now := d.Now()
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Delegations{}, err
	}
	if call.Query("division") == "" {
		own, err := delegation.Of(ctx, d.Table, who.ID, now)
		if err != nil {
			return Delegations{}, err
		}
		return d.drawn(own), nil
	}
	root, err := civil.ParseDivision(call.Query("division"))
	if err != nil {
		return Delegations{}, delegation.ErrNotFound
	}
	if err := d.may(who, staff.ListDelegations, root); err != nil {
		if errors.Is(err, application.ErrNotFound) {
			err = delegation.ErrNotFound
		}
		return Delegations{}, err
	}
	var chains []delegation.Chain
	bodies := append(d.around(root), d.Tree.Below(root, calendar.Today(now))...)
	slices.Sort(bodies)
	for _, body := range slices.Compact(bodies) {
		if body.Level() > civil.CountyLevel {
			continue // no supervision body
		}
		all, err := delegation.List(ctx, d.Table, body, now.Add(-pastShown))
		if err != nil {
			return Delegations{}, err
		}
		for _, g := range all {
			if !slices.Contains(d.around(g.Scope), root) && !slices.Contains(d.around(root), g.Scope) {
				continue
			}
			c, err := delegation.Load(ctx, d.Table, g)
			if err != nil {
				return Delegations{}, err
			}
			chains = append(chains, c)
		}
	}
	return d.drawn(chains), nil
}

// drawn is chains as a tree, each before what rests on it. One whose upper part is not
// among them stands at the top, with its depth.
func (d Deps) drawn(chains []delegation.Chain) Delegations {
	out := Delegations{Delegations: []DelegationOut{}}
	below := map[string][]delegation.Chain{}
	there := map[string]bool{}
	for _, c := range chains {
		there[c.Links[0].ID] = true
	}
	seen := map[string]bool{}
	for _, c := range chains {
		g := c.Links[0]
		if seen[g.ID] {
			continue
		}
		seen[g.ID] = true
		at := g.Above
		if !there[at] {
			at = ""
		}
		below[at] = append(below[at], c)
	}
	var draw func(above string)
	draw = func(above string) {
		slices.SortFunc(below[above], func(a, b delegation.Chain) int {
			x, y := a.Links[0], b.Links[0]
			return cmp.Or(cmp.Compare(x.Body, y.Body), cmp.Compare(x.Scope, y.Scope), x.Asked.At.Compare(y.Asked.At), cmp.Compare(x.ID, y.ID))
		})
		for _, c := range below[above] {
			out.Delegations = append(out.Delegations, d.delegationOut(c))
			draw(c.Links[0].ID)
		}
	}
	draw("")
	return out
}

func showDelegation(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (DelegationPage, error) {
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return DelegationPage{}, err
	}
	c, err := d.chain(ctx, call.Path("delegation"))
	if err != nil {
		return DelegationPage{}, err
	}
	if err := d.about(who, staff.ReadDelegation, c); err != nil {
		return DelegationPage{}, err
	}
	steps, err := d.steps(ctx, delegation.Partition(c.Links[0].ID), delegation.Noun)
	return DelegationPage{d.delegationOut(c), steps}, err
}
