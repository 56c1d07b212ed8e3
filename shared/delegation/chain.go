package delegation

import (
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Chain is a delegation with everything that it rests on: itself first, then what is
// above it, and the supervisor on whose post the last of them rests.
type Chain struct {
	Links []Delegation
	Post  staff.Staff
}

// Rights are what somebody may do, where and how long: in all of Scopes, the narrowest
// first. Until is zero only for a post without an end.
type Rights struct {
	Scopes      []civil.DivisionCode
	Abilities   []staff.Ability
	From, Until time.Time
}

// current reports whether r holds at t.
func (r Rights) current(t time.Time) bool {
	return !t.Before(r.From) && (r.Until.IsZero() || t.Before(r.Until))
}

// post is what a supervisor of body has to give by the roster at t; ok is false when
// that is nothing.
func post(s staff.Staff, body civil.DivisionCode, t time.Time) (r Rights, ok bool) {
	if !s.Active || body.Level() < civil.ProvinceLevel || body.Level() > civil.CountyLevel {
		return r, false
	}
	for _, g := range s.Grants {
		if g.Role != staff.Supervisor || g.Division != body || !g.Current(t) {
			continue
		}
		if !ok || g.Until.IsZero() || !r.Until.IsZero() && g.Until.After(r.Until) { // of several, the one that lasts longest
			r, ok = Rights{[]civil.DivisionCode{body}, staff.Abilities(), g.From, g.Until}, true
		}
	}
	return r, ok
}

// Rights is what the chain comes to at t, worked out from the top down; ok is false when
// any of it does not stand. It is never more than the rights of what is above, because
// it is made of nothing but parts of them.
func (c Chain) Rights(t time.Time) (r Rights, ok bool) {
	if len(c.Links) == 0 || len(c.Links) > Deepest {
		return r, false
	}
	top := c.Links[len(c.Links)-1]
	if top.Above != "" || top.Asked.By.ID != c.Post.ID {
		return r, false
	}
	if r, ok = post(c.Post, top.Body, t); !ok {
		return r, false
	}
	for i := len(c.Links) - 1; i >= 0; i-- {
		d := c.Links[i]
		if d.State(t) != Given || i < len(c.Links)-1 && d.Above != c.Links[i+1].ID || !slices.Contains(r.Abilities, staff.Delegating) {
			return Rights{}, false
		}
		r = r.part(d)
		if !r.current(t) {
			return Rights{}, false
		}
	}
	return r, true
}

// part is what d takes of r.
func (r Rights) part(d Delegation) Rights {
	next := Rights{append([]civil.DivisionCode{d.Scope}, r.Scopes...), nil, r.From, d.Until}
	for _, a := range d.Abilities {
		if slices.Contains(r.Abilities, a) {
			next.Abilities = append(next.Abilities, a)
		}
	}
	if d.Agreed != nil && d.Agreed.At.After(next.From) {
		next.From = d.Agreed.At
	}
	if !r.Until.IsZero() && r.Until.Before(next.Until) {
		next.Until = r.Until
	}
	return next
}

// above is what the first link of c may be given from at t.
func (c Chain) above(t time.Time) (Rights, bool) {
	if up := (Chain{c.Links[1:], c.Post}); len(up.Links) > 0 {
		return up.Rights(t)
	}
	if c.Links[0].Asked.By.ID != c.Post.ID {
		return Rights{}, false
	}
	return post(c.Post, c.Links[0].Body, t)
}

// Admit is an error when the first link of c, which is not given yet, would not stand
// on the rest at t: ErrAbove, or ErrExceeds with every field that is too much. around is
// a division and all it stands in.
func (c Chain) Admit(t time.Time, around func(civil.DivisionCode) []civil.DivisionCode) error {
	d := c.Links[0]
	up, ok := c.above(t)
	if !ok || !slices.Contains(up.Abilities, staff.Delegating) || len(c.Links) > Deepest {
		return ErrAbove
	}
	var f fault.Fields
	if in := around(d.Scope); slices.ContainsFunc(up.Scopes, func(s civil.DivisionCode) bool { return !slices.Contains(in, s) }) {
		f.Add("/scope", "wider", "范围应当在上级授权的辖区之内。")
	}
	for i, a := range d.Abilities {
		if !slices.Contains(up.Abilities, a) {
			f.Add(fmt.Sprintf("/abilities/%d", i), "more", "上级授权没有这个事项。")
		}
	}
	switch {
	case !d.Until.After(t):
		f.Add("/until", "past", "截止日期应当在今天以后。")
	case d.Until.After(t.Add(Longest)):
		f.Add("/until", "too-long", "委派最长两年。")
	case !up.Until.IsZero() && d.Until.After(up.Until):
		f.Add("/until", "longer", "不能比上级授权更晚到期。")
	}
	if len(f) > 0 {
		return ErrExceeds.With(f...)
	}
	return nil
}

// Checks are the conditions that what the first link rests on is as it was read.
func (c Chain) Checks() []table.Check {
	checks := []table.Check{c.Post.Check()}
	for _, d := range c.Links[1:] {
		checks = append(checks, table.Check{Key: Key(d.ID), Version: d.Version})
	}
	return checks
}

// Delegated is what the chain gives its members at t.
func (c Chain) Delegated(t time.Time) (staff.Delegated, bool) {
	r, ok := c.Rights(t)
	if !ok {
		return staff.Delegated{}, false
	}
	d := c.Links[0]
	return staff.Delegated{ID: d.ID, Scopes: r.Scopes, Abilities: r.Abilities, From: r.From, Until: r.Until,
		Rests: append(c.Checks(), table.Check{Key: Key(d.ID), Version: d.Version})}, true
}

// Resource is the chain's first link as the policies see it.
func (c Chain) Resource() *staff.Delegation {
	d := c.Links[0]
	out := &staff.Delegation{ID: d.ID, Body: d.Body, Members: event.Names(d.Members...)}
	for _, up := range c.Links[1:] {
		out.Above = append(out.Above, up.ID)
	}
	return out
}
