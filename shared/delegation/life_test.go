package delegation_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfDelegations has anybody ask, agree and take back, over a store that loses
// writes and answers. What is stored is what the last step made, with an event for each
// version; two give, neither of whom gets it; what is over stays over; and at every
// moment people hold exactly what stands, up to a post on the roster, whatever came in
// between.
func TestLifeOfDelegations(t *testing.T) {
	t.Parallel()
	cast := eventtest.Cast()
	posted := supervisor(cast[0].ID, city, noon.AddDate(0, 0, 30))
	posted.Person = cast[0].Person
	begun := embedded.Memory()
	if err := staff.Appoint(t.Context(), begun, posted, registry, noon); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), noon
		life := eventtest.Over(begun.Fork())
		var all []delegation.Delegation
		find := func(id string) int {
			return slices.IndexFunc(all, func(d delegation.Delegation) bool { return d.ID == id })
		}
		// stands is what the record comes to, on paper.
		var stands func(d delegation.Delegation) bool
		stands = func(d delegation.Delegation) bool {
			if d.State(now) != delegation.Given {
				return false
			}
			if d.Above == "" {
				return posted.Active && now.Before(posted.Grants[0].Until)
			}
			up := all[find(d.Above)]
			return stands(up) && slices.Contains(up.Abilities, staff.Delegating)
		}
		commit := func(t *rapid.T, kind string, next delegation.Delegation, by event.Actor) func() error {
			c, err := delegation.Load(ctx, life, next)
			if err != nil {
				t.Fatal(err)
			}
			at := now
			return func() error { return delegation.Commit(ctx, life, c, next.Event(kind, by, at)) }
		}
		ask := func(t *rapid.T) {
			if len(all) == delegation.Held {
				return
			}
			by := eventtest.Who(t)
			d := delegation.Delegation{ID: fmt.Sprint("d", len(all)), Body: city, Scope: rapid.SampledFrom([]civil.DivisionCode{city, district, township}).Draw(t, "scope"),
				Abilities: rapid.SampledFrom([][]staff.Ability{staff.Abilities(), {staff.Look}}).Draw(t, "abilities"),
				Members:   []event.Actor{rapid.SampledFrom(cast[:5]).Draw(t, "member")}, Until: now.AddDate(0, 0, rapid.SampledFrom([]int{2, 9, 25}).Draw(t, "days"))}
			if n := rapid.IntRange(-2, len(all)-1).Draw(t, "above"); n >= 0 {
				d.Above = all[n].ID
			} else {
				by = cast[0]
			}
			d, err := delegation.New(d, by, now)
			if err != nil {
				return
			}
			c, err := delegation.Load(ctx, life, d)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Admit(now, around); err != nil {
				return
			}
			if d.Above != "" && !stands(all[find(d.Above)]) {
				t.Fatalf("%s rests on what does not stand", d.ID)
			}
			life.Step(t, delegation.ErrMovedOn, commit(t, "asked", d, by))
			all = append(all, d)
		}
		step := func(kind string, act func(delegation.Delegation, event.Actor, time.Time) (delegation.Delegation, error)) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(all) == 0 {
					return
				}
				by, i := eventtest.Who(t), rapid.IntRange(0, len(all)-1).Draw(t, "which")
				next, err := act(all[i], by, now)
				if err != nil {
					if next.Version != all[i].Version {
						t.Fatalf("%s: refused with %v and yet moved", kind, err)
					}
					return
				}
				if was := all[i].State(now); was != delegation.Asked && was != delegation.Given {
					t.Fatalf("%s of what is %s", kind, was)
				}
				life.Step(t, delegation.ErrMovedOn, commit(t, kind, next, by))
				all[i] = next
			}
		}
		// Most begin with one that was given and may be given further.
		if rapid.IntRange(0, 3).Draw(rt, "begun") > 0 {
			d, err := delegation.New(delegation.Delegation{ID: "d0", Body: city, Scope: city, Abilities: staff.Abilities(), Members: cast[3:4], Until: now.AddDate(0, 0, 25)}, cast[0], now)
			if err != nil {
				rt.Fatal(err)
			}
			life.Step(rt, delegation.ErrMovedOn, commit(rt, "asked", d, cast[0]))
			if d, err = d.Agree(cast[2], now); err != nil {
				rt.Fatal(err)
			}
			life.Step(rt, delegation.ErrMovedOn, commit(rt, "agreed", d, cast[2]))
			all = append(all, d)
		}
		agree, revoke := step("agreed", delegation.Delegation.Agree), step("revoked", delegation.Delegation.Revoke)
		rt.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "hours")) * time.Hour) },
			"ask":  ask, "ask again": ask, "agree": agree, "agree again": agree, "and again": agree,
			"revoke": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "really") == 0 {
					revoke(t)
				}
			},
			// What it rests on is taken back between the reading and the writing.
			"overtaken": func(t *rapid.T) {
				i := slices.IndexFunc(all, func(d delegation.Delegation) bool { return d.Above != "" && d.State(now) == delegation.Asked })
				if i < 0 || !stands(all[find(all[i].Above)]) {
					return
				}
				next, err := all[i].Agree(cast[1], now)
				if err != nil {
					return
				}
				late, above := commit(t, "agreed", next, cast[1]), find(all[i].Above)
				gone, err := all[above].Revoke(cast[2], now)
				if err != nil {
					t.Fatal(err)
				}
				life.Step(t, delegation.ErrMovedOn, commit(t, "revoked", gone, cast[2]))
				all[above] = gone
				if err := late(); !errors.Is(err, delegation.ErrMovedOn) {
					t.Fatalf("given although what it rests on was just taken back: %v", err)
				}
			},
			"late": life.Late,
			"": func(t *rapid.T) {
				held := map[string][]string{} // by whom, on paper
				for _, d := range all {
					stored, err := delegation.Get(ctx, life, d.ID)
					if err != nil {
						t.Fatal(err)
					}
					life.Holds(t, delegation.Key(d.ID), delegation.Noun, d.ID, d.Version, stored, d)
					eventtest.Apart(t, "asked for", d.Asked.By, d.Members...)
					if d.Agreed != nil {
						eventtest.Apart(t, "agreed to", d.Agreed.By, append(d.Members, d.Asked.By)...)
					}
					if stands(d) {
						held[d.Members[0].ID] = append(held[d.Members[0].ID], d.ID)
					}
				}
				for _, who := range cast {
					chains, err := delegation.Of(ctx, life, who.ID, now)
					if err != nil {
						t.Fatal(err)
					}
					holds := []string{}
					for _, c := range chains {
						if given, ok := c.Delegated(now); ok {
							holds = append(holds, given.ID)
						}
					}
					slices.Sort(holds)
					if !slices.Equal(holds, held[who.ID]) {
						t.Fatalf("%s holds %v, not %v", who.ID, holds, held[who.ID])
					}
				}
			},
		})
	})
}
