package staff

import (
	"slices"

	"github.com/doudi-aid/doudi/shared/civil"
)

// What the compiled policies are evaluated over: the part of Cedar's semantics
// that they use. Where Cedar would find an error, so is there one here: a test
// asks both every question.

// compiledPolicy is one policy. applies may mark the scene as broken; whatever
// it answers then, the policy could not be evaluated.
type compiledPolicy struct {
	id, answer string
	forbids    bool
	applies    func(*scene) bool
}

// entity names a thing, as Kind::"id" does in a policy.
type entity struct{ kind, id string }

// set is a set of strings or of entities.
type set []any

// record is what is known of a thing, by attribute: a string, a bool, an entity
// or a set.
type record map[string]any

// scene is one question.
type scene struct {
	action              string
	groups              []Group
	principal, resource entity
	context             record
	records             map[entity]record
	parents             map[entity][]entity
	broken              bool
}

func (s *scene) fail() { s.broken = true }

// actionIn reports whether the action is one of names or in a group that is.
func (s *scene) actionIn(names ...string) bool {
	return slices.Contains(names, s.action) || slices.ContainsFunc(s.groups, func(g Group) bool { return slices.Contains(names, string(g)) })
}

// of is an attribute. One that is not there is an error.
func (s *scene) of(thing any, attribute string) any {
	known, _ := thing.(record)
	if e, ok := thing.(entity); ok {
		known = s.records[e]
	}
	v, ok := known[attribute]
	if !ok {
		s.fail()
	}
	return v
}

func (s *scene) truth(v any) bool {
	b, ok := v.(bool)
	if !ok {
		s.fail()
	}
	return b
}

// equal is false for values of different types, and no error. Sets are equal when
// each has all of the other.
func (s *scene) equal(a, b any) bool {
	switch a := a.(type) {
	case string, bool, entity:
		return has(set{a}, b)
	case set:
		b, ok := b.(set)
		return ok && all(a, b) && all(b, a)
	}
	s.fail()
	return false
}

func all(of, in set) bool {
	return !slices.ContainsFunc(of, func(v any) bool { return !has(in, v) })
}

// has reports whether v is in set; a set never is.
func has(values set, v any) bool {
	if _, nested := v.(set); nested {
		return false
	}
	return slices.Contains(values, v)
}

// in reports whether a is within b, or within any of b: it is the same, or some
// parent of it is within.
func (s *scene) in(a, b any) bool {
	e, ok := a.(entity)
	places, many := b.(set)
	if !many {
		places = set{b}
	}
	if !ok || slices.ContainsFunc(places, func(p any) bool { _, is := p.(entity); return !is }) {
		s.fail()
		return false
	}
	return s.within(e, places, map[entity]bool{})
}

func (s *scene) within(e entity, places set, seen map[entity]bool) bool {
	if has(places, e) {
		return true
	}
	seen[e] = true
	return slices.ContainsFunc(s.parents[e], func(p entity) bool { return !seen[p] && s.within(p, places, seen) })
}

func (s *scene) contains(values, v any) bool {
	a, ok := values.(set)
	if !ok {
		s.fail()
	}
	return has(a, v)
}

func (s *scene) containsAny(a, b any) bool {
	some, ok := a.(set)
	others, also := b.(set)
	if !ok || !also {
		s.fail()
	}
	return slices.ContainsFunc(some, func(v any) bool { return has(others, v) })
}

func divisionEntity(code civil.DivisionCode) entity { return entity{"Division", string(code)} }

func divisions(codes []civil.DivisionCode) set {
	var values set
	for _, c := range codes {
		values = append(values, divisionEntity(c))
	}
	return values
}

// words leaves out the empty ones.
func words(list []string) set {
	var values set
	for _, w := range list {
		if w != "" {
			values = append(values, w)
		}
	}
	return values
}
