package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

const (
	province civil.DivisionCode = "320000000000"
	city     civil.DivisionCode = "320400000000"
	district civil.DivisionCode = "320402000000"
	township civil.DivisionCode = "320402005000"
	next     civil.DivisionCode = "320411001000"
)

var (
	noon     = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	registry = event.Actor{Kind: event.System, ID: "registry"}
)

// around is a tree of its own: what a code stands in is told by its digits.
func around(code civil.DivisionCode) []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, n := range []int{9, 6, 4, 2} {
		c := civil.DivisionCode(string(code[:n]) + strings.Repeat("0", 12-n))
		if !slices.Contains(all, c) && len(strings.TrimRight(string(c), "0")) <= len(strings.TrimRight(string(code), "0"))+1 {
			all = append(all, c)
		}
	}
	return all
}

// who is one account of one person: "a/1" and "a/2" are two accounts of a.
func who(id string) event.Actor {
	return event.Actor{Kind: event.Staff, ID: id, Person: "b1." + strings.Split(id, "/")[0]}
}

func supervisor(id string, at civil.DivisionCode, until time.Time) staff.Staff {
	return staff.Staff{ID: id, Version: 1, Person: who(id).Person, Active: true,
		Grants: []staff.Grant{{Role: staff.Supervisor, Division: at, From: noon.AddDate(-1, 0, 0), Until: until}}}
}

func sample(id, above string, by string, change ...func(*delegation.Delegation)) delegation.Delegation {
	d := delegation.Delegation{ID: id, Above: above, Body: city, Scope: district, Abilities: staff.Abilities(), Members: []event.Actor{who("m/1")}, Until: noon.AddDate(0, 1, 0)}
	for _, c := range change {
		c(&d)
	}
	d, err := delegation.New(d, who(by), noon)
	if err != nil {
		panic(err)
	}
	return d
}

func given(d delegation.Delegation) delegation.Delegation {
	d, err := d.Agree(who("z/1"), noon)
	if err != nil {
		panic(err)
	}
	return d
}

// Every order of people: two give, neither of whom gets it, as an account or a person;
// one takes it back.
func TestWhoGivesAndWhoTakesBack(t *testing.T) {
	t.Parallel()
	unknown := event.Actor{Kind: event.Staff, ID: "?"}
	for _, by := range []event.Actor{who("m/1"), who("m/2"), unknown, {Kind: event.System, ID: "x", Person: "y"}} {
		if _, err := delegation.New(delegation.Delegation{Members: []event.Actor{who("m/1")}}, by, noon); !errors.Is(err, delegation.ErrPerson) {
			t.Errorf("asked by %v: %v", by, err)
		}
	}
	asked := sample("d", "", "a/1")
	for _, by := range []event.Actor{who("a/1"), who("a/2"), who("m/1"), who("m/2"), unknown} {
		if _, err := asked.Agree(by, noon); !errors.Is(err, delegation.ErrPerson) {
			t.Errorf("agreed to by %v: %v", by, err)
		}
	}
	if _, err := asked.Agree(who("b/1"), noon.Add(delegation.Answer)); !errors.Is(err, delegation.ErrState) {
		t.Errorf("agreed to too late: %v", err)
	}
	d := given(asked)
	if _, err := d.Agree(who("c/1"), noon); !errors.Is(err, delegation.ErrState) {
		t.Errorf("agreed to twice: %v", err)
	}
	for name, d := range map[string]delegation.Delegation{"asked": asked, "given": d} {
		gone, err := d.Revoke(who("a/1"), noon)
		if err != nil || gone.State(noon) != delegation.Revoked || gone.Version != d.Version+1 {
			t.Errorf("%s: %+v, %v", name, gone, err)
		}
		if _, err := gone.Revoke(who("a/1"), noon); !errors.Is(err, delegation.ErrState) {
			t.Errorf("%s revoked twice: %v", name, err)
		}
	}
	if _, err := d.Revoke(event.Actor{Kind: event.System, ID: "sweep"}, noon); !errors.Is(err, delegation.ErrPerson) {
		t.Errorf("a machine took it back: %v", err)
	}
	for _, s := range []delegation.State{delegation.Asked, delegation.Lapsed, delegation.Given, delegation.Ended, delegation.Revoked} {
		if s.Label() == "" {
			t.Errorf("%s has no name", s)
		}
	}
}

// Narrower, no more and not longer than what it rests on, and on something that stands;
// everything that is too much is named at once.
func TestWhatADelegationMayNotExceed(t *testing.T) {
	t.Parallel()
	look := []staff.Ability{staff.Look}
	half := given(sample("up", "", "a/1", func(d *delegation.Delegation) { d.Abilities = []staff.Ability{staff.Look, staff.Delegating} }))
	nodeleg := given(sample("up", "", "a/1", func(d *delegation.Delegation) { d.Abilities = look }))
	post := supervisor("a/1", city, time.Time{})
	until := func(at time.Time) func(*delegation.Delegation) {
		return func(d *delegation.Delegation) { d.Until = at }
	}
	under := func(up delegation.Delegation, change ...func(*delegation.Delegation)) delegation.Chain {
		little := func(d *delegation.Delegation) { d.Abilities = look }
		return delegation.Chain{Links: []delegation.Delegation{sample("d", up.ID, "m/2", append([]func(*delegation.Delegation){little,
			func(d *delegation.Delegation) { d.Members = []event.Actor{who("n/1")} }}, change...)...), up}, Post: post}
	}
	top := func(post staff.Staff, change ...func(*delegation.Delegation)) delegation.Chain {
		return delegation.Chain{Links: []delegation.Delegation{sample("d", "", "a/1", change...)}, Post: post}
	}
	revoked, err := half.Revoke(who("a/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	removed := post
	removed.Active = false
	for name, c := range map[string]struct {
		c      delegation.Chain
		want   error
		fields string
	}{
		"all_that_a_body_has":     {top(post), nil, ""},
		"part_of_a_delegation":    {under(half), nil, ""},
		"to_the_same_day":         {under(half, until(half.Until)), nil, ""},
		"a_second_longer":         {under(half, until(half.Until.Add(time.Second))), delegation.ErrExceeds, "/until longer"},
		"longer_than_the_post":    {top(supervisor("a/1", city, noon.AddDate(0, 0, 7))), delegation.ErrExceeds, "/until longer"},
		"for_ever":                {top(post, until(noon.Add(delegation.Longest+time.Second))), delegation.ErrExceeds, "/until too-long"},
		"until_now":               {top(post, until(noon)), delegation.ErrExceeds, "/until past"},
		"another_place":           {under(half, func(d *delegation.Delegation) { d.Scope = next }), delegation.ErrExceeds, "/scope wider"},
		"the_whole_city":          {under(half, func(d *delegation.Delegation) { d.Scope = city }), delegation.ErrExceeds, "/scope wider"},
		"the_province":            {top(post, func(d *delegation.Delegation) { d.Scope = province }), delegation.ErrExceeds, "/scope wider"},
		"an_ability_more":         {under(half, func(d *delegation.Delegation) { d.Abilities = []staff.Ability{staff.Look, staff.Braking} }), delegation.ErrExceeds, "/abilities/1 more"},
		"everything_at_once":      {under(half, until(noon.AddDate(1, 0, 0)), func(d *delegation.Delegation) { d.Scope, d.Abilities = city, []staff.Ability{staff.Braking} }), delegation.ErrExceeds, "/scope wider /abilities/0 more /until longer"},
		"what_may_not_go_further": {under(nodeleg), delegation.ErrAbove, ""},
		"what_was_revoked":        {under(revoked), delegation.ErrAbove, ""},
		"a_post_of_another":       {top(supervisor("b/1", city, time.Time{})), delegation.ErrAbove, ""},
		"a_post_elsewhere":        {top(supervisor("a/1", district, time.Time{})), delegation.ErrAbove, ""},
		"a_post_that_ended":       {top(supervisor("a/1", city, noon)), delegation.ErrAbove, ""},
		"somebody_removed":        {top(removed), delegation.ErrAbove, ""},
		"a_township_has_no_body":  {top(supervisor("a/1", township, time.Time{}), func(d *delegation.Delegation) { d.Body = township }), delegation.ErrAbove, ""},
	} {
		err := c.c.Admit(noon, around)
		var fields []string
		if f, ok := errors.AsType[*fault.Error](err); ok {
			for _, one := range f.Fields {
				fields = append(fields, one.Pointer+" "+one.Code)
			}
		}
		if !errors.Is(err, c.want) || strings.Join(fields, " ") != c.fields {
			t.Errorf("%s: %v %v, want %v %q", name, err, fields, c.want, c.fields)
		}
	}
}

// forest is a tree by chance: bodies at three levels, and delegations on delegations of
// which some are too wide, too much or too long, as a table that somebody has edited
// might have them.
type forest struct {
	posts map[string]staff.Staff
	nodes []delegation.Delegation
}

func (f *forest) chain(i int) delegation.Chain {
	c := delegation.Chain{Links: []delegation.Delegation{f.nodes[i]}}
	for top := f.nodes[i]; top.Above != ""; {
		n := slices.IndexFunc(f.nodes, func(d delegation.Delegation) bool { return d.ID == top.Above })
		if n < 0 || len(c.Links) > delegation.Deepest {
			return c
		}
		top = f.nodes[n]
		c.Links = append(c.Links, top)
	}
	c.Post = f.posts[c.Links[len(c.Links)-1].Asked.By.ID]
	return c
}

func grow(t *rapid.T) *forest {
	f := &forest{posts: map[string]staff.Staff{}}
	ends := rapid.SampledFrom([]time.Time{noon.AddDate(0, 0, 5), noon.AddDate(0, 0, 20), noon.AddDate(0, 0, 40)})
	bodies := []civil.DivisionCode{province, city, district}
	for i, body := range bodies {
		until := time.Time{}
		if rapid.Bool().Draw(t, "post ends") {
			until = ends.Draw(t, "post until")
		}
		f.posts[fmt.Sprintf("p%d/1", i)] = supervisor(fmt.Sprintf("p%d/1", i), body, until)
	}
	for n := range rapid.IntRange(1, 12).Draw(t, "nodes") {
		d := delegation.Delegation{ID: fmt.Sprint("d", n), Version: 2, Until: ends.Draw(t, "until"), Members: []event.Actor{who(fmt.Sprintf("m%d/1", n))},
			Scope: rapid.SampledFrom([]civil.DivisionCode{city, district, township, next}).Draw(t, "scope"),
			Asked: delegation.Hand{By: who("p0/1"), At: noon}, Agreed: &delegation.Hand{By: who("z/1"), At: noon.Add(time.Duration(rapid.IntRange(0, 48).Draw(t, "agreed")) * time.Hour)}}
		for _, a := range staff.Abilities() {
			if rapid.IntRange(0, 3).Draw(t, "able") > 0 {
				d.Abilities = append(d.Abilities, a)
			}
		}
		if above := rapid.IntRange(-3, n-1).Draw(t, "above"); above >= 0 {
			d.Above, d.Body = f.nodes[above].ID, f.nodes[above].Body
		} else {
			d.Asked.By, d.Body = who(fmt.Sprintf("p%d/1", above+3)), bodies[above+3]
		}
		f.nodes = append(f.nodes, d)
	}
	return f
}

// within reports whether a is part of b: wherever, whatever and whenever a holds, so
// does b.
func within(a, b delegation.Rights) bool {
	for _, s := range b.Scopes { // whatever lies in all of a's lies in all of b's
		if !slices.Contains(a.Scopes, s) {
			return false
		}
	}
	for _, able := range a.Abilities {
		if !slices.Contains(b.Abilities, able) {
			return false
		}
	}
	return !a.From.Before(b.From) && (b.Until.IsZero() || !a.Until.IsZero() && !a.Until.After(b.Until))
}

// At any moment, whatever was written: what a delegation comes to is part of what that
// above it comes to, and nothing when that is nothing. Whatever ends or is taken back
// anywhere takes with it all that rests on it, and nothing else.
func TestNothingExceedsWhatItRestsOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := grow(t)
		at := noon.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(t, "hours")) * time.Hour)
		before := make([]bool, len(f.nodes))
		for i, d := range f.nodes {
			r, ok := f.chain(i).Rights(at)
			before[i] = ok
			if !ok {
				continue
			}
			if at.Before(r.From) || !r.Until.IsZero() && !at.Before(r.Until) {
				t.Fatalf("%s stands at %s outside %s to %s", d.ID, at, r.From, r.Until)
			}
			if d.Above == "" {
				p := f.posts[d.Asked.By.ID].Grants[0]
				if !slices.Contains(r.Scopes, p.Division) || !p.Current(at) || !p.Until.IsZero() && r.Until.After(p.Until) {
					t.Fatalf("%s exceeds the post it rests on: %+v", d.ID, r)
				}
				continue
			}
			up, stands := f.chain(slices.IndexFunc(f.nodes, func(u delegation.Delegation) bool { return u.ID == d.Above })).Rights(at)
			if !stands || !slices.Contains(up.Abilities, staff.Delegating) || !within(r, up) {
				t.Fatalf("%s has %+v, above it %v %+v", d.ID, r, stands, up)
			}
		}
		// One of them, or a post, is over now.
		cut := rapid.IntRange(0, len(f.nodes)+2).Draw(t, "cut")
		rests := func(i int) bool { // on what was cut
			c := f.chain(i)
			if cut >= len(f.nodes) {
				return c.Post.ID == fmt.Sprintf("p%d/1", cut-len(f.nodes))
			}
			return slices.ContainsFunc(c.Links, func(d delegation.Delegation) bool { return d.ID == f.nodes[cut].ID })
		}
		switch how := rapid.IntRange(0, 1).Draw(t, "how"); {
		case cut >= len(f.nodes):
			id := fmt.Sprintf("p%d/1", cut-len(f.nodes))
			p := f.posts[id]
			if how == 0 {
				p.Active = false
			} else {
				p.Grants = []staff.Grant{{Role: staff.Supervisor, Division: p.Grants[0].Division, From: p.Grants[0].From, Until: at}}
			}
			f.posts[id] = p
		case how == 0:
			f.nodes[cut].Revoked = &delegation.Hand{By: who("a/1"), At: at}
		default:
			f.nodes[cut].Until = at
		}
		for i, d := range f.nodes {
			_, ok := f.chain(i).Rights(at)
			if rests(i) && ok {
				t.Fatalf("%s still stands", d.ID)
			}
			if !rests(i) && ok != before[i] {
				t.Fatalf("%s changed though it does not rest on what was cut", d.ID)
			}
		}
	})
}

// What goes in a circle, ends in nothing or is too deep gives nothing.
func TestWhatRestsOnNothingGivesNothing(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	post := supervisor("a/1", city, time.Time{})
	if err := staff.Appoint(t.Context(), store, post, registry, noon); err != nil {
		t.Fatal(err)
	}
	put := func(d delegation.Delegation) {
		t.Helper()
		c, err := delegation.Load(t.Context(), store, d)
		if err != nil {
			t.Fatal(err)
		}
		d.Version, d.Members = 1, []event.Actor{who(d.ID)}
		c.Links[0] = d
		c.Links, c.Post = c.Links[:1], post
		if err := delegation.Commit(t.Context(), store, c, d.Event("asked", who("a/1"), noon)); err != nil {
			t.Fatal(err)
		}
	}
	stands := func(id string) bool {
		t.Helper()
		d, err := delegation.Get(t.Context(), store, id)
		if err != nil {
			t.Fatal(err)
		}
		c, err := delegation.Load(t.Context(), store, d)
		if err != nil {
			t.Fatal(err)
		}
		_, ok := c.Rights(noon)
		return ok
	}
	top := given(sample("top", "", "a/1"))
	put(top)
	put(given(sample("loop-1", "loop-2", "a/1")))
	put(given(sample("loop-2", "loop-1", "a/1")))
	put(given(sample("self", "self", "a/1")))
	put(given(sample("orphan", "nobody", "a/1")))
	last := "top"
	for n := range delegation.Deepest {
		id := fmt.Sprint("deep-", n)
		put(given(sample(id, last, "a/1")))
		last = id
	}
	for id, want := range map[string]bool{"top": true, "loop-1": false, "loop-2": false, "self": false, "orphan": false,
		"deep-3": true, "deep-4": false} {
		if got := stands(id); got != want {
			t.Errorf("%s stands: %v", id, got)
		}
	}
	if _, ok := (delegation.Chain{}).Rights(noon); ok {
		t.Error("nothing gives something")
	}
	part := delegation.Chain{Links: []delegation.Delegation{given(sample("part", "unread", "a/1"))}, Post: post}
	if _, ok := part.Rights(noon); ok {
		t.Error("half a chain gives something")
	}
}

// shaky fails at the nth read.
type shaky struct {
	table.Store
	left int
}

func (s *shaky) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if s.left--; s.left < 0 {
		return table.Item{}, false, table.ErrBusy
	}
	return s.Store.Get(ctx, k)
}

func (s *shaky) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if s.left--; s.left < 0 {
		return table.Page{}, table.ErrBusy
	}
	return s.Store.Query(ctx, q)
}

// Not knowing is an error, and never nothing: a store that does not answer neither takes
// away nor gives, and what cannot be read stops everything.
func TestWhatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.give(sample("up", "", "a/1"))
	d := sample("down", "up", "m/1", func(d *delegation.Delegation) { d.Members = []event.Actor{who("o/1")} })
	w.must(w.step(d, "asked"))
	w.must(w.step(given(d), "agreed"))
	o, err := staff.Get(t.Context(), w, "o/1")
	w.must(err)
	another := given(sample("another", "", "a/1", func(d *delegation.Delegation) { d.Members = []event.Actor{who("o/1")} }))
	for name, c := range map[string]struct {
		reads int
		do    func(table.Store) error
	}{
		"what somebody holds": {4, func(s table.Store) error { _, err := delegation.With(t.Context(), s, o, noon); return err }},
		"a list":              {1, func(s table.Store) error { _, err := delegation.List(t.Context(), s, city, noon); return err }},
		"giving": {2, func(s table.Store) error {
			c := delegation.Chain{Links: []delegation.Delegation{another}, Post: supervisor("a/1", city, time.Time{})}
			return delegation.Commit(t.Context(), s, c, another.Event("agreed", who("z/1"), noon), table.Check{Key: table.Key{PK: "X", SK: "1"}, Version: 1})
		}},
	} {
		for n := range c.reads {
			if err := c.do(&shaky{w, n}); !errors.Is(err, table.ErrBusy) {
				t.Errorf("%s, read %d: %v", name, n, err)
			}
		}
	}
	for _, bad := range []table.Item{
		{Key: table.Key{PK: "DELEGATED#o/1", SK: "HEAD"}, Version: 2, Body: []byte(`[{"id":"none","until":"2027-01-01T00:00:00Z"}]`)},
		{Key: table.Key{PK: "DELEGATED#o/1", SK: "HEAD"}, Version: 3, Body: []byte("{")},
		{Key: delegation.Key("up"), Version: 3, Body: []byte(`{"version":1}`)},
		{Key: delegation.Key("up"), Version: 4, Body: []byte("{")},
	} {
		w.must(w.Transact(t.Context(), table.Replace{Item: bad}))
		if _, err := delegation.With(t.Context(), w, o, noon); err == nil {
			t.Errorf("%s: read as if it were whole", bad.Body)
		}
	}
}

// world is a store with a city's supervisors.
type world struct {
	*testing.T
	table.Store
}

func open(t *testing.T) world {
	w := world{t, embedded.Memory()}
	for _, id := range []string{"a/1", "z/1"} {
		w.must(staff.Appoint(t.Context(), w, supervisor(id, city, time.Time{}), registry, noon))
	}
	for _, id := range []string{"m/1", "n/1", "o/1"} {
		w.must(staff.Appoint(t.Context(), w, staff.Staff{ID: id, Person: who(id).Person, Active: true}, registry, noon))
	}
	return w
}

func (w world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w world) step(d delegation.Delegation, kind string) error {
	c, err := delegation.Load(w.Context(), w, d)
	if err != nil {
		return err
	}
	return delegation.Commit(w.Context(), w, c, d.Event(kind, who("a/1"), noon))
}

// give stores what was asked for and agreed to.
func (w world) give(d delegation.Delegation) delegation.Delegation {
	w.Helper()
	w.must(w.step(d, "asked"))
	d = given(d)
	w.must(w.step(d, "agreed"))
	return d
}

func (w world) holds(id string, at time.Time) bool {
	w.Helper()
	s, err := staff.Get(w.Context(), w, id)
	w.must(err)
	s, err = delegation.With(w.Context(), w, s, at)
	w.must(err)
	return s.Supervises(at)
}

// What is asked for gives nothing; what is given is held by each member from that moment
// to the last of the day, or until it, what it rests on or the post above is over.
func TestWhoHoldsWhatAndWhen(t *testing.T) {
	t.Parallel()
	w := open(t)
	team := func(d *delegation.Delegation) { d.Members = []event.Actor{who("m/1"), who("n/1")} }
	up := sample("up", "", "a/1", team)
	w.must(w.step(up, "asked"))
	if w.holds("m/1", noon) {
		t.Error("one person gave it")
	}
	up = given(up)
	w.must(w.step(up, "agreed"))
	down := w.give(sample("down", "up", "m/1", func(d *delegation.Delegation) {
		d.Members, d.Scope, d.Abilities = []event.Actor{who("o/1")}, township, []staff.Ability{staff.Look}
	}))
	check := func(when string, at time.Time, want bool) {
		t.Helper()
		for _, id := range []string{"m/1", "n/1", "o/1"} {
			if got := w.holds(id, at); got != want {
				t.Errorf("%s: %s holds %v", when, id, got)
			}
		}
	}
	check("given", noon, true)
	check("the last moment", up.Until.Add(-time.Nanosecond), true)
	check("a moment later", up.Until, false)
	if w.holds("z/1", up.Until) != true {
		t.Error("the roster's supervisor lost the post")
	}
	// The chain is the condition of what they write.
	o, err := staff.Get(t.Context(), w, "o/1")
	w.must(err)
	o, err = delegation.With(t.Context(), w, o, noon)
	w.must(err)
	mark := table.Put{Item: table.Item{Key: table.Key{PK: "X", SK: "1"}, Version: 1}}
	gone, err := up.Revoke(who("a/1"), noon)
	w.must(err)
	w.must(w.step(gone, "revoked"))
	if err := w.Transact(t.Context(), append(o.Checks(), mark)...); err == nil {
		t.Error("written under what was revoked above in between")
	}
	check("revoked above", noon, false)
	if err := w.step(gone, "revoked"); !errors.Is(err, delegation.ErrMovedOn) {
		t.Errorf("revoked twice: %v", err)
	}
	// What rests on something that is over can still be taken back, and nothing new rests on it.
	late, err := down.Revoke(who("z/1"), noon)
	w.must(err)
	w.must(w.step(late, "revoked"))
	c, err := delegation.Load(t.Context(), w, sample("new", "up", "m/1", func(d *delegation.Delegation) { d.Members = []event.Actor{who("o/1")} }))
	w.must(err)
	if err := c.Admit(noon, around); !errors.Is(err, delegation.ErrAbove) {
		t.Errorf("on what was revoked: %v", err)
	}
	// Everything that was done is on record.
	var kinds []string
	for item, err := range table.All(t.Context(), w, table.Query{PK: delegation.Partition("up")}.Prefix(event.Prefix)) {
		w.must(err)
		e, err := event.Decode(item)
		w.must(err)
		kinds = append(kinds, e.Kind)
		if e.Facts.Text("members") != "m/1 n/1" || e.Facts.Text("scope") != string(district) || e.Facts.Text("until") == "" {
			t.Errorf("%+v", e.Facts)
		}
	}
	if strings.Join(kinds, " ") != "asked agreed revoked" {
		t.Errorf("events %v", kinds)
	}
	all, err := delegation.List(t.Context(), w, city, noon)
	if err != nil || len(all) != 2 {
		t.Errorf("listed %d, %v", len(all), err)
	}
}

// Between reading what it rests on and writing, that was taken back: nothing is given.
func TestWhatIsTakenBackMeanwhileGivesNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	up := w.give(sample("up", "", "a/1"))
	d := sample("down", "up", "m/1", func(d *delegation.Delegation) { d.Members = []event.Actor{who("o/1")} })
	w.must(w.step(d, "asked"))
	agreed := given(d)
	c, err := delegation.Load(t.Context(), w, agreed)
	w.must(err)
	gone, err := up.Revoke(who("a/1"), noon)
	w.must(err)
	w.must(w.step(gone, "revoked"))
	if err := delegation.Commit(t.Context(), w, c, agreed.Event("agreed", who("z/1"), noon)); !errors.Is(err, delegation.ErrMovedOn) {
		t.Errorf("given on what was taken back: %v", err)
	}
	if w.holds("o/1", noon) {
		t.Error("held all the same")
	}
}

// One member of staff holds so many at once; what is over does not count.
func TestNobodyHoldsTooMany(t *testing.T) {
	t.Parallel()
	w := open(t)
	for n := range delegation.Held {
		w.give(sample(fmt.Sprint("d", n), "", "a/1"))
	}
	more := sample("more", "", "a/1")
	w.must(w.step(more, "asked"))
	if err := w.step(given(more), "agreed"); !errors.Is(err, delegation.ErrMany) {
		t.Errorf("one more: %v", err)
	}
	first, err := delegation.Get(t.Context(), w, "d0")
	w.must(err)
	gone, err := first.Revoke(who("a/1"), noon)
	w.must(err)
	w.must(w.step(gone, "revoked"))
	w.must(w.step(given(more), "agreed"))
	if chains, err := delegation.Of(t.Context(), w, "m/1", noon); err != nil || len(chains) != delegation.Held {
		t.Errorf("%d, %v", len(chains), err)
	}
}
