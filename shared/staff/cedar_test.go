package staff

import (
	"bytes"
	"maps"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/staff/compile"
)

var cedarPolicies = sync.OnceValues(func() (*cedar.PolicySet, error) {
	all, err := compile.Read(os.DirFS("policies"))
	set := cedar.NewPolicySet()
	for _, p := range all {
		set.Add(cedar.PolicyID(p.Annotations()["id"]), p)
	}
	return set, err
})

// asked is what Authorize says of r; the engine of Cedar must say the same, of
// the policies as they are written, over the same scene.
func asked(t interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}, r Request) Decision {
	t.Helper()
	written, err := cedarPolicies()
	if err != nil {
		t.Fatal(err)
	}
	got, s := Authorize(r), sceneOf(r)
	entities := cedar.EntityMap{}
	for id, known := range s.records {
		var parents []cedar.EntityUID
		for _, p := range s.parents[id] {
			parents = append(parents, uid(p))
		}
		entities[uid(id)] = cedar.Entity{UID: uid(id), Parents: cedar.NewEntityUIDSet(parents...), Attributes: inCedar(t, known).(cedar.Record)}
	}
	action := entity{"Action", s.action}
	var groups []cedar.EntityUID
	for _, g := range s.groups {
		groups = append(groups, uid(entity{"Action", string(g)}))
	}
	entities[uid(action)] = cedar.Entity{UID: uid(action), Parents: cedar.NewEntityUIDSet(groups...)}
	ok, why := cedar.Authorize(written, entities, cedar.Request{Principal: uid(s.principal), Action: uid(action), Resource: uid(s.resource),
		Context: inCedar(t, s.context).(cedar.Record)})
	want := Decision{Allow: bool(ok) && len(why.Errors) == 0}
	for _, reason := range why.Reasons {
		want.Policies = append(want.Policies, string(reason.PolicyID))
		if answer, ok := written.Get(reason.PolicyID).Annotations()["answer"]; ok {
			want.answers = append(want.answers, string(answer))
		}
	}
	for _, broken := range why.Errors {
		want.Policies = append(want.Policies, string(broken.PolicyID)+"!")
	}
	slices.Sort(want.Policies)
	slices.Sort(want.answers)
	slices.Sort(got.answers)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v:\nwe say    %+v\nCedar says %+v", r, got, want)
	}
	return got
}

func uid(e entity) cedar.EntityUID {
	return cedar.NewEntityUID(cedar.EntityType(e.kind), cedar.String(e.id))
}

// inCedar is a value of a scene as Cedar has it.
func inCedar(t interface{ Fatal(...any) }, v any) cedar.Value {
	var values []cedar.Value
	switch v := v.(type) {
	case string:
		return cedar.String(v)
	case bool:
		return cedar.Boolean(v)
	case entity:
		return uid(v)
	case set:
		for _, e := range v {
			values = append(values, inCedar(t, e))
		}
		return cedar.NewSet(values...)
	case record:
		all := cedar.RecordMap{}
		for name, value := range v {
			all[cedar.String(name)] = inCedar(t, value)
		}
		return cedar.NewRecord(all)
	}
	t.Fatal("a scene holds what Cedar has no word for", v)
	return nil
}

// Requests of every shape, also such as no handler makes: about nothing, about
// two things, in places that contradict each other.
func TestCedarSaysTheSame(t *testing.T) {
	t.Parallel()
	places := []civil.DivisionCode{township, sibling, county, city, elsewhere, ""}
	refs := []string{"", "b1.me", "b2.me", "b1.cousin", "320400-me", "320400-other"}
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string) []string { return rapid.SliceOfN(rapid.SampledFrom(refs), 0, 3).Draw(t, name) }
		path := func(name string) []civil.DivisionCode {
			return rapid.SliceOfN(rapid.SampledFrom(places), 0, 4).Draw(t, name)
		}
		r := Request{Action: rapid.SampledFrom(append(Actions(), "nothing", "act")).Draw(t, "action"), At: noon, Within: path("within"),
			County: rapid.SampledFrom(places).Draw(t, "county"), Earlier: some("earlier"),
			Authority: rapid.SampledFrom([]policy.Authority{"", policy.Township, policy.County}).Draw(t, "authority")}
		r.Staff = Staff{ID: rapid.SampledFrom(refs).Draw(t, "id"), Person: rapid.SampledFrom(refs).Draw(t, "person"), Kin: some("kin"),
			persons: some("persons"), Active: rapid.IntRange(0, 9).Draw(t, "active") > 0}
		for range rapid.IntRange(0, 3).Draw(t, "grants") {
			g := Grant{Role: rapid.SampledFrom(Roles()).Draw(t, "role"), Division: rapid.SampledFrom(places).Draw(t, "division"), From: before}
			g.Until = rapid.SampledFrom([]time.Time{{}, noon, noon.Add(time.Hour)}).Draw(t, "until")
			r.Staff.Grants = append(r.Staff.Grants, g)
		}
		if rapid.Bool().Draw(t, "about an application") {
			a := application.Application{ID: "case", State: rapid.SampledFrom(application.States()).Draw(t, "state"), People: some("people")}
			a.Findings = rapid.SampledFrom([]*application.Findings{nil, {Kin: some("kin of theirs")}}).Draw(t, "findings")
			a.Holds = rapid.SampledFrom([][]application.Hold{nil, {{ID: "h"}}}).Draw(t, "holds")
			r.Application = &a
		}
		if rapid.Bool().Draw(t, "about a complaint") {
			r.Complaint = &Complaint{ID: "complaint", Handling: path("handling"), Target: some("target"), AtTarget: rapid.Bool().Draw(t, "at")}
		}
		for range rapid.IntRange(0, 2).Draw(t, "delegated") {
			r.Staff.delegated = append(r.Staff.delegated, Delegated{ID: rapid.SampledFrom([]string{"mine", "theirs"}).Draw(t, "which"), Scopes: path("scopes"),
				Abilities: rapid.SliceOfN(rapid.SampledFrom(Abilities()), 0, 4).Draw(t, "abilities"), From: before,
				Until: rapid.SampledFrom([]time.Time{noon, noon.Add(time.Hour)}).Draw(t, "ends")})
		}
		if rapid.Bool().Draw(t, "about a delegation") {
			r.Delegation = &Delegation{ID: "mine", Above: rapid.SliceOfN(rapid.SampledFrom([]string{"mine", "theirs", "top"}), 0, 3).Draw(t, "above"),
				Body: rapid.SampledFrom(places).Draw(t, "body"), Members: some("members")}
		}
		asked(t, r)
	})
}

// What no policy of ours does today still means what it means in Cedar: values
// of every type, in every place of every operator.
func TestTheSceneIsCedars(t *testing.T) {
	t.Parallel()
	me, town, there := entity{"Staff", "me"}, divisionEntity(township), divisionEntity(county)
	values := record{"word": "a", "empty": "", "yes": true, "no": false, "town": town, "there": there,
		"words": set{"a", "b"}, "same": set{"b", "a", "b"}, "fewer": set{"a"}, "none": set(nil), "places": set{there}, "mixed": set{there, "a"}}
	names := append(slices.Sorted(maps.Keys(values)), "absent")
	for _, a := range names {
		for _, b := range names {
			for op, ours := range map[string]func(*scene) bool{
				"principal.%a == principal.%b": func(s *scene) bool { return s.equal(s.of(s.principal, a), s.of(s.principal, b)) },
				"principal.%a in principal.%b": func(s *scene) bool { return s.in(s.of(s.principal, a), s.of(s.principal, b)) },
				"principal.%a.contains(principal.%b)": func(s *scene) bool {
					return s.contains(s.of(s.principal, a), s.of(s.principal, b))
				},
				"principal.%a.containsAny(principal.%b)": func(s *scene) bool {
					return s.containsAny(s.of(s.principal, a), s.of(s.principal, b))
				},
				"principal.%a && principal.%b": func(s *scene) bool {
					return s.truth(s.of(s.principal, a)) && s.truth(s.of(s.principal, b))
				},
				"principal.%a || !principal.%b": func(s *scene) bool {
					return s.truth(s.of(s.principal, a)) || !s.truth(s.of(s.principal, b))
				},
				"principal.%a.%b == true": func(s *scene) bool { return s.equal(s.of(s.of(s.principal, a), b), true) },
			} {
				s := &scene{principal: me, records: map[entity]record{me: values, town: {"yes": true}}, parents: map[entity][]entity{town: {there}, there: {town}}}
				got := ours(s)
				text := bytes.ReplaceAll(bytes.ReplaceAll([]byte("permit (principal, action, resource) when { "+op+" };"), []byte("%a"), []byte(a)), []byte("%b"), []byte(b))
				var p cedar.Policy
				if err := p.UnmarshalCedar(text); err != nil {
					t.Fatal(err)
				}
				one := cedar.NewPolicySet()
				one.Add("p", &p)
				ok, why := cedar.Authorize(one, cedar.EntityMap{
					uid(me):    {UID: uid(me), Attributes: inCedar(t, values).(cedar.Record)},
					uid(town):  {UID: uid(town), Parents: cedar.NewEntityUIDSet(uid(there)), Attributes: cedar.NewRecord(cedar.RecordMap{"yes": cedar.True})},
					uid(there): {UID: uid(there), Parents: cedar.NewEntityUIDSet(uid(town))},
				}, cedar.Request{Principal: uid(me), Action: uid(me), Resource: uid(me)})
				if s.broken != (len(why.Errors) > 0) || !s.broken && got != bool(ok) {
					t.Errorf("%s: we say %t, broken %t; Cedar %t, %v", text, got, s.broken, ok, why.Errors)
				}
			}
		}
	}
}
