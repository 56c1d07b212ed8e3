package staff

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/session"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	township  = civil.DivisionCode("320402005000")
	sibling   = civil.DivisionCode("320402002000")
	county    = civil.DivisionCode("320402000000")
	city      = civil.DivisionCode("320400000000")
	elsewhere = civil.DivisionCode("511702001000")
)

var (
	within = []civil.DivisionCode{township, county, city, "320000000000"}
	noon   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	before = noon.AddDate(-1, 0, 0)
)

// scopes say where somebody serves, as seen from the township of the case.
var scopes = []struct {
	name  string
	grant Grant
}{
	{"township", Grant{Division: township, From: before}},
	{"county", Grant{Division: county, From: before}},
	{"city", Grant{Division: city, From: before}},
	{"sibling", Grant{Division: sibling, From: before}},
	{"moved", Grant{Division: township, From: before, Until: noon}},
	{"not-yet", Grant{Division: township, From: noon.Add(time.Second)}},
}

// ties are what somebody may be to the case, and what the case may ask for.
var ties = []struct {
	name string
	of   Group // only actions of this group know the tie; "" for all
	set  func(*Request)
}{
	{"none", "", func(*Request) {}},
	{"subject", OnApplication, func(r *Request) { r.Application.People = []string{"b1.someone", r.Staff.Person} }},
	{"kin", OnApplication, func(r *Request) { r.Staff.Kin = []string{"b1.other", "b1.someone"} }},
	{"kin-by-register", OnApplication, func(r *Request) { r.Application.Findings = &application.Findings{Kin: []string{r.Staff.ID}} }},
	{"same-person", "", func(r *Request) { r.Earlier = []string{"other-account", r.Staff.Person} }},
	{"same-account", "", func(r *Request) { r.Earlier = []string{r.Staff.ID, "b1.former"} }},
	{"above-ceiling", "", func(r *Request) { r.Authority = policy.County }},
	{"held", OnApplication, func(r *Request) { r.Application.Holds = []application.Hold{{ID: "h"}} }},
	{"unknown-person", "", func(r *Request) { r.Staff.Person = "" }},
	{"subject-rekeyed", OnApplication, func(r *Request) {
		r.Staff.persons, r.Application.People = []string{"b2.me", "b1.me"}, []string{"b2.me"}
	}},
	{"same-person-rekeyed", "", func(r *Request) { r.Staff.persons, r.Earlier = []string{"b2.me", "b1.me"}, []string{"other", "b2.me"} }},
	{"also-supervisor", "", func(r *Request) {
		r.Staff.Grants = append(r.Staff.Grants, Grant{Role: Supervisor, Division: elsewhere, From: before})
	}},
	{"complained-about", OnComplaint, func(r *Request) { r.Complaint.Target = []string{"320400-other", "b1.me"} }},
	{"complained-about-account", OnComplaint, func(r *Request) { r.Complaint.Target = []string{"320400-me"} }},
	{"kin-complained-about", OnComplaint, func(r *Request) { r.Staff.Kin, r.Complaint.Target = []string{"b1.cousin"}, []string{"b1.cousin"} }},
	{"unit-complained-about", OnComplaint, func(r *Request) { r.Complaint.AtTarget = true }},
	{"not-assigned", OnComplaint, func(r *Request) { r.Complaint.Handling = nil }},
	{"handled-next-door", OnComplaint, func(r *Request) { r.Complaint.Handling = []civil.DivisionCode{sibling, county, city} }},
	{"only-handled-here", OnComplaint, func(r *Request) { r.Within = []civil.DivisionCode{elsewhere, "511702000000", "511700000000"} }},
	{"given-to-me", OnDelegation, func(r *Request) { r.Delegation.Members = []string{"320400-me"} }},
	{"given-to-me-elsewhere", OnDelegation, func(r *Request) { r.Delegation.Members = []string{"320400-other", "b1.me"} }},
	{"deeper", OnDelegation, func(r *Request) { r.Delegation.Above = []string{"mid", "top"} }},
	{"of-the-city", OnDelegation, func(r *Request) { r.Delegation.Body = city }},
	{"removed", "", func(r *Request) { r.Staff.Active = false }},
}

// given are what somebody holds by delegation and not by the roster.
var given = []struct {
	name string
	of   Group
	set  func(*Request)
}{
	{"all", "", func(r *Request) { holding(r, Abilities()...) }},
	{"look", "", func(r *Request) { holding(r, Look) }},
	{"complaints", "", func(r *Request) { holding(r, Complaining) }},
	{"mandates", "", func(r *Request) { holding(r, Mandating) }},
	{"samples", "", func(r *Request) { holding(r, Sampling) }},
	{"brakes", "", func(r *Request) { holding(r, Braking) }},
	{"inspection", "", func(r *Request) { holding(r, Judging) }},
	{"reveal", "", func(r *Request) { holding(r, Unmasking) }},
	{"takedown", "", func(r *Request) { holding(r, Hiding) }},
	{"delegate", "", func(r *Request) { holding(r, Delegating) }},
	{"delegate-deeper", OnDelegation, func(r *Request) {
		holding(r, Delegating)
		r.Delegation.Above = []string{"mid", "mine"}
	}},
	{"delegate-beside", OnDelegation, func(r *Request) {
		holding(r, Delegating)
		r.Delegation.Above = []string{"theirs"}
	}},
	{"delegate-itself", OnDelegation, func(r *Request) {
		holding(r, Delegating)
		r.Delegation.ID, r.Delegation.Above = "mine", []string{"top"}
	}},
	{"all-ended", "", func(r *Request) {
		holding(r, Abilities()...)
		r.Staff.delegated[0].Until = r.At
	}},
	{"all-not-yet", "", func(r *Request) {
		holding(r, Abilities()...)
		r.Staff.delegated[0].From = r.At.Add(time.Second)
	}},
	{"all-next-door", "", func(r *Request) {
		holding(r, Abilities()...)
		r.Staff.delegated[0].Scopes = []civil.DivisionCode{sibling, county}
	}},
	{"all-of-what-moved-away", "", func(r *Request) {
		holding(r, Abilities()...)
		r.Staff.delegated[0].Scopes = []civil.DivisionCode{township, "320411000000"}
	}},
	{"all-and-clerk", "", func(r *Request) {
		holding(r, Abilities()...)
		r.Staff.Grants = []Grant{{Role: Clerk, Division: township, From: before}}
	}},
}

// holding has r's staff hold nothing but one delegation of the township.
func holding(r *Request, abilities ...Ability) {
	r.Staff.Grants = nil
	r.Staff.delegated = []Delegated{{ID: "mine", Scopes: []civil.DivisionCode{township, county, city}, Abilities: abilities, From: before, Until: noon.Add(time.Second)}}
}

func onApplication(a Action) bool { return slices.Contains(groups[a], OnApplication) }

func ask(role Role, action Action, state application.State, grant Grant, tie func(*Request)) Request {
	grant.Role = role
	r := Request{Action: action, At: noon, Within: within, County: county, Authority: policy.Township,
		Staff: Staff{ID: "320400-me", Person: "b1.me", Active: true, Grants: []Grant{grant}}}
	a := application.Application{ID: "case", State: state, People: []string{"b1.someone"}}
	r.Application = &a
	r.Delegation = &Delegation{ID: "delegation", Body: county, Members: []string{"320400-member", "b1.member"}}
	r.Complaint = &Complaint{ID: "complaint", Handling: []civil.DivisionCode{township, county, city}}
	tie(&r)
	if !onApplication(action) {
		r.Application = nil
	}
	if !slices.Contains(groups[action], OnComplaint) {
		r.Complaint = nil
	}
	if !slices.Contains(groups[action], OnDelegation) {
		r.Delegation = nil
	}
	return r
}

// TestMatrix writes out the whole of who may do what: role × action × state ×
// scope, and again for every tie. The golden file is what a reviewer reads when
// a policy changes.
func TestMatrix(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	used := map[string]bool{}
	allowed := map[Action]bool{}
	b.WriteString("# Who may do what. One line for each role, action, scope and tie: the states in which it is allowed,\n" +
		"# and for each other answer the states and the policies that gave it. Written by go test -update.\n")
	row := func(role Role, action Action, scope string, grant Grant, tie string, set func(*Request)) {
		var order []string
		by := map[string][]string{}
		states := application.States()
		if !onApplication(action) {
			states = states[:1]
		}
		for _, state := range states {
			d := asked(t, ask(role, action, state, grant, set))
			for _, p := range d.Policies {
				used[p] = true
			}
			verdict := "DENY"
			if d.Allow {
				verdict = "allow"
				allowed[action] = true
			}
			if len(d.Policies) > 0 {
				verdict += " by " + strings.Join(d.Policies, "+")
			}
			if by[verdict] == nil {
				order = append(order, verdict)
			}
			by[verdict] = append(by[verdict], string(state))
		}
		fmt.Fprintf(&b, "%s %s %s %s:", role, action, scope, tie)
		for i, verdict := range order {
			sep := " "
			if i > 0 {
				sep = "; "
			}
			where := strings.Join(by[verdict], ",")
			if len(order) == 1 {
				where = "always"
			}
			b.WriteString(sep + where + " " + verdict)
		}
		b.WriteByte('\n')
	}
	for _, role := range Roles() {
		for _, action := range Actions() {
			for _, s := range scopes {
				row(role, action, s.name, s.grant, "none", ties[0].set)
			}
			for _, tie := range ties[1:] {
				if tie.of != "" && !slices.Contains(groups[action], tie.of) {
					continue
				}
				row(role, action, "township", scopes[0].grant, tie.name, tie.set)
				if tie.name == "above-ceiling" {
					row(role, action, "county", scopes[1].grant, tie.name, tie.set)
				}
			}
		}
	}
	for _, action := range Actions() {
		for _, g := range given {
			if g.of == "" || slices.Contains(groups[action], g.of) {
				row("delegated", action, "township", Grant{}, g.name, g.set)
			}
		}
	}
	golden(t, "matrix.txt", b.String())
	for _, p := range compiled {
		if !used[p.id] {
			t.Errorf("policy %s decides nothing: remove it or test it", p.id)
		}
	}
	for _, a := range Actions() {
		if !allowed[a] {
			t.Errorf("nobody may ever %s", a)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		at := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return "(nothing)"
		}
		if at(g) != at(w) {
			t.Fatalf("%s line %d:\n got %s\nwant %s\nIf that is what is meant: go test ./shared/staff -update", file, i+1, at(g), at(w))
		}
	}
}

// The actions a policy may allow in a state are those the application itself
// would let happen, or the two have drifted apart.
func TestStatesAgreeWithTheApplication(t *testing.T) {
	t.Parallel()
	moves := map[Action]string{Visit: "noted", Propose: "proposed", Approve: "approved", Refuse: "refused", Explain: "explained",
		Hold: "held", ReleaseHold: "hold_lifted"}
	for action, move := range moves {
		for _, state := range application.States() {
			allowed := false
			for _, role := range Roles() {
				allowed = allowed || Authorize(ask(role, action, state, scopes[0].grant, func(*Request) {})).Allow
			}
			if may := application.May(state, move); allowed != may {
				t.Errorf("%s in state %s: policies say %t, the application says %t", action, state, allowed, may)
			}
		}
	}
}

func TestWhatADeniedCallerIsTold(t *testing.T) {
	t.Parallel()
	here := scopes[0].grant
	removed := ties[len(ties)-1].set
	for name, tc := range map[string]struct {
		r    Request
		want error
	}{
		"X003_out_of_scope_looks_absent":       {ask(Clerk, ReadApplication, application.Verified, scopes[3].grant, ties[0].set), application.ErrNotFound},
		"X004_moved_away":                      {ask(Clerk, Propose, application.Verified, scopes[4].grant, ties[0].set), ErrMovedAway},
		"X006_township_approver_above_ceiling": {ask(Approver, Approve, application.Proposed, here, ties[6].set), ErrCounty},
		"X007_supervisor_writes":               {ask(Supervisor, Approve, application.Proposed, here, ties[0].set), ErrReadOnly},
		"X021_own_case":                        {ask(Approver, Approve, application.Proposed, here, ties[1].set), application.ErrConcerned},
		"X023_declared_kin":                    {ask(Approver, Approve, application.Proposed, here, ties[2].set), ErrKin},
		"X023_kin_by_register":                 {ask(Approver, Approve, application.Proposed, here, ties[3].set), ErrKin},
		"same_person":                          {ask(Approver, Approve, application.Proposed, here, ties[4].set), application.ErrSamePerson},
		"held":                                 {ask(Approver, Approve, application.Proposed, here, ties[7].set), application.ErrHeld},
		"wrong_state":                          {ask(Approver, Approve, application.Verified, here, ties[0].set), application.ErrState},
		"nothing_permits":                      {ask(Finance, Propose, application.Verified, here, ties[0].set), ErrNotAllowed},
		"removed":                              {ask(Approver, Approve, application.Proposed, here, removed), session.ErrNone},
		// A supervisor of another place learns from a forbidden write no more
		// than from a forbidden read.
		"supervisor_of_another_place": {ask(Supervisor, Approve, application.Proposed, scopes[3].grant, ties[0].set), application.ErrNotFound},
	} {
		if got := Authorize(tc.r).Err(); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	if err := Authorize(ask(Approver, Approve, application.Proposed, here, ties[0].set)).Err(); err != nil {
		t.Errorf("the plain case is denied: %v", err)
	}
}

// A policy that fails to evaluate is skipped by the engine; a forbid that is
// skipped must not let anybody through.
func TestAPolicyThatCannotBeEvaluatedDenies(t *testing.T) {
	t.Parallel()
	r := ask(Clerk, Propose, application.Verified, scopes[0].grant, ties[0].set)
	r.Application = nil // the resource is a division now: it has no people and no state
	if d := Authorize(r); d.Allow || !slices.ContainsFunc(d.Policies, func(p string) bool { return strings.HasSuffix(p, "!") }) {
		t.Errorf("got %+v, want a denial that names the broken policies", d)
	}
}

// Every policy says in Chinese, right above itself, what it is for.
func TestPoliciesAreReadable(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("policies/*.cedar")
	if len(files) == 0 {
		t.Fatal("no policies")
	}
	known := map[string]bool{}
	for _, a := range answers {
		known[a.code] = true
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		commented := regexp.MustCompile(`(?m)^//.*\p{Han}.*\n@id\(`).FindAll(text, -1)
		all := regexp.MustCompile(`(?m)^(permit|forbid) `).FindAll(text, -1)
		if len(commented) != len(all) {
			t.Errorf("%s: %d policies, %d with a comment in Chinese", file, len(all), len(commented))
		}
		for _, forbid := range regexp.MustCompile(`(?m)^@id\(.*\)\n(@answer\("([^"]*)"\)\n)?forbid`).FindAllSubmatch(text, -1) {
			if !known[string(forbid[2])] {
				t.Errorf("%s: a forbid answers %q, which nobody is told", file, forbid[2])
			}
		}
	}
}

// After a change of the blind key a person acts under the reference that is known
// where they act, the present one if that is known, and nobody is "".
func TestWhoActsIsWhoWasKnown(t *testing.T) {
	t.Parallel()
	s := Staff{ID: "x", Person: "b1.me", persons: []string{"b2.me", "b3.me"}}
	for name, c := range map[string]struct {
		known []string
		want  string
	}{
		"nobody is known":            {nil, "b1.me"},
		"somebody else is":           {[]string{"b1.other"}, "b1.me"},
		"the one of another key is":  {[]string{"b1.other", "b2.me"}, "b2.me"},
		"the present one is as well": {[]string{"b2.me", "b1.me"}, "b1.me"},
		"two of other keys are":      {[]string{"b3.me", "b2.me"}, "b2.me"},
	} {
		if got := s.Actor(c.known...); got.Person != c.want || got.ID != "x" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := s.Persons(); !slices.Equal(got, []string{"b1.me", "b2.me", "b3.me"}) {
		t.Errorf("persons %v", got)
	}
	if got := (Staff{}).Persons(); len(got) != 0 {
		t.Errorf("somebody unknown is known as %q", got)
	}
	if got := (Staff{}).Actor(""); got.Person != "" {
		t.Errorf("%+v", got)
	}
}
