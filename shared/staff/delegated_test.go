package staff

import (
	"slices"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
)

// All abilities together are what a supervisor of the roster may do, and no more: an
// action that is forgotten here could never be delegated, and one too many would be.
func TestAllAbilitiesAreASupervisorsWork(t *testing.T) {
	t.Parallel()
	for _, action := range Actions() {
		for _, state := range application.States() {
			bySupervisor := ask(Supervisor, action, state, scopes[0].grant, ties[0].set)
			delegated := ask(Supervisor, action, state, scopes[0].grant, func(r *Request) { holding(r, Abilities()...) })
			if slices.Contains(groups[action], OnDelegation) { // rests on what the caller has, not on where
				continue
			}
			if a, b := Authorize(bySupervisor).Allow, Authorize(delegated).Allow; a != b {
				t.Errorf("%s in %s: a supervisor %v, by delegation %v", action, state, a, b)
			}
		}
	}
	for _, a := range Abilities() {
		if a.Label() == "" {
			t.Errorf("%s has no name", a)
		}
		if !slices.ContainsFunc(Actions(), func(action Action) bool { return slices.Contains(abilities[action], a) }) {
			t.Errorf("%s lets nobody do anything", a)
		}
	}
}

// Lists are opened where they were delegated for, while it lasts, and as long as the
// place stands in all that it rests on.
func TestWhereListsAreOpened(t *testing.T) {
	t.Parallel()
	s := Staff{ID: "x", Grants: []Grant{{Role: Auditor, Division: elsewhere, From: before}}}.With(
		Delegated{ID: "d", Scopes: []civil.DivisionCode{township, county}, Abilities: []Ability{Look}, From: before, Until: noon})
	around := func(civil.DivisionCode) []civil.DivisionCode { return within }
	moved := func(civil.DivisionCode) []civil.DivisionCode { return []civil.DivisionCode{township, "320411000000"} }
	last := noon.Add(-1)
	for name, c := range map[string]struct {
		got, want []civil.DivisionCode
	}{
		"for what was delegated": {s.Where(last, ListTasks, around), []civil.DivisionCode{elsewhere, township}},
		"for something else":     {s.Where(last, ListComplaints, around), []civil.DivisionCode{elsewhere}},
		"when it is over":        {s.Where(noon, ListTasks, around), []civil.DivisionCode{elsewhere}},
		"when it moved away":     {s.Where(last, ListTasks, moved), []civil.DivisionCode{elsewhere}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if n := len(s.Posts(last)); n != 2 || len(s.Posts(noon)) != 1 {
		t.Errorf("%d posts", n)
	}
	if only := (Staff{}).With(s.delegated...); !only.Supervises(last) || only.Supervises(noon) {
		t.Error("who supervises by delegation does not supervise, or does when it is over")
	}
}
