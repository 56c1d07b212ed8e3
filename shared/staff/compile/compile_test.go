package compile_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi/shared/staff/compile"
)

func files(text string) fstest.MapFS { return fstest.MapFS{"some.cedar": {Data: []byte(text)}} }

func TestWhatIsCompiled(t *testing.T) {
	got, err := compile.Go(files(`
@id("a") permit (principal, action, resource);
@id("b") @answer("no") forbid (principal, action == Action::"see", resource)
when { resource.state == "x" && !(principal.on || context.deep.er != false) }
unless { ["p", "q"].contains(resource.state) };
@id("c") permit (principal, action in [Action::"see", Action::"act"], resource) when { resource in principal.serves };
@id("d") permit (principal, action in Action::"act", resource) when { resource.people.containsAny(principal.persons) };`))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`{id: "a", answer: "", forbids: false, applies: func(s *scene) bool { return true }}`,
		`return s.action == "see" && (s.equal(s.of(s.resource, "state"), "x") && !(s.truth(s.of(s.principal, "on")) || !s.equal(s.of(s.of(s.context, "deep"), "er"), false))) && ` +
			`!s.contains(set{"p", "q"}, s.of(s.resource, "state"))`,
		`return s.actionIn("see", "act") && s.in(s.resource, s.of(s.principal, "serves"))`,
		`return s.actionIn("act") && s.containsAny(s.of(s.resource, "people"), s.of(s.principal, "persons"))`,
	} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s\nis not in\n%s", part, got)
		}
	}
}

// What is not compiled is an error that names the policy, never a policy left out.
func TestWhatIsNotCompiled(t *testing.T) {
	for text, names := range map[string]string{
		`@id("x") permit (principal == Staff::"a", action, resource);`:                                  "x has a principal",
		`@id("x") permit (principal, action, resource is Division);`:                                    "x has a resource",
		`@id("x") permit (principal, action == Other::"see", resource);`:                                "x has an action",
		`@id("x") permit (principal, action, resource) when { action == Action::"see" };`:               "x has the variable action",
		`@id("x") permit (principal, action, resource) when { resource has state };`:                    "x has an operator",
		`@id("x") permit (principal, action, resource) when { resource.count < 3 };`:                    "x has an operator",
		`@id("x") permit (principal, action, resource) when { resource.count == 3 };`:                   "x has a literal",
		`@id("x") permit (principal, action, resource) when { [resource.state].contains("a") };`:        "x has a literal",
		`@id("x") permit (principal, action, resource) when { ip("1.2.3.4").isLoopback() };`:            "x has an operator",
		`@id("x") permit (principal, action, resource) when { if principal.on then true else false };`:  "x has an operator",
		`permit (principal, action, resource);`:                                                         "without an @id",
		`@id("x") permit (principal, action, resource); @id("x") forbid (principal, action, resource);`: "without an @id",
		`@id("x") permit (principal, action, resource`:                                                  "some.cedar",
		`@id("x") permit (principal, action, resource) when { principal.a.containsAll(principal.b) };`:  "x has an operator",
		`@id("y") permit (principal, action, resource) when { principal.a like "b*" };`:                 "y has an operator",
		`@id("y") permit (principal, action, resource) when { resource in Division::"320400000000" };`:  "y has a literal",
		`@id("y") permit (principal, action in [Action::"see", Other::"act"], resource);`:               "y has an action",
		`@id("y") permit (principal, action, resource) unless { principal.a.containsAny([1, "two"]) };`: "y has a literal",
	} {
		if _, err := compile.Go(files(text)); err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v, want an error that says %q", text, err, names)
		}
	}
}
