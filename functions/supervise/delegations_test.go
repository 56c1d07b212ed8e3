package supervise_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

const (
	delegations = "/v1/staff/delegations"
	district    = "320402000000"
	first       = "320400-team-1" // of a joint team, with no post of their own
	mate        = "320400-team-2"
	deeper      = "320400-team-3"
)

// teams is a world with people whom nobody has given anything.
func teams(t *testing.T) *world {
	t.Helper()
	w := open(t)
	for _, id := range []string{first, mate, deeper} {
		w.hire(staff.Staff{ID: id, Person: "person-" + id})
	}
	return w
}

func (w *world) hire(s staff.Staff) {
	w.t.Helper()
	s.Region, s.Active = "320400", true
	if err := staff.Appoint(w.t.Context(), w.Store, s, event.Actor{Kind: event.System, ID: "test"}, w.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// lasting is the last day of something that ends in so many days.
func (w *world) lasting(days int) string { return calendar.Today(w.Now()).AddDays(days).String() }

func (w *world) team(more m) m {
	in := m{"scope": district, "abilities": []string{"look", "mandates", "delegate"}, "team": "第一联合工作组", "members": []string{first, mate},
		"until": w.lasting(30), "reason": "备用金专项检查，室组地联动。"}
	for k, v := range more {
		in[k] = v
	}
	return in
}

// given is a delegation that asks and agrees have given.
func (w *world) given(asks, agrees string, in m) string {
	w.t.Helper()
	r := w.post(asks, delegations, in).want(w.t, 201, "")
	id, _ := r.out["id"].(string)
	w.post(agrees, delegations+"/"+id+"/approvals", m{"version": 1}).want(w.t, 201, "")
	return id
}

// reads is what somebody gets who looks at the mandates of a unit.
func (w *world) reads(who, unit string) int {
	w.t.Helper()
	return w.send(who, "GET", "/v1/staff/mandates?unit="+unit, "", nil).status
}

func (w *world) tree(who, query string) (lines []string) {
	w.t.Helper()
	r := w.send(who, "GET", delegations+query, "", nil).want(w.t, 200, "")
	for _, one := range r.out["delegations"].([]any) {
		d := one.(m)
		lines = append(lines, fmt.Sprintf("%v%s %v %v", strings.Repeat(" ", int(d["depth"].(float64))), d["scope"], d["state"], d["stands"]))
	}
	return lines
}

// Two people give a part of their work to a team, which gives a part of that further.
// It is what they may do, there, until the day; nothing else.
func TestATeamGetsAPartForATime(t *testing.T) {
	t.Parallel()
	w := teams(t)
	if w.reads(first, unit) != 404 {
		t.Fatal("they read before anything was given")
	}
	asked := w.post(supervisor, delegations, w.team(nil)).want(t, 201, "")
	id := asked.out["id"].(string)
	if w.reads(first, unit) != 404 {
		t.Error("what one person asked for is held")
	}
	path := delegations + "/" + id
	w.post(supervisor, path+"/approvals", m{"version": 1}).want(t, 403, "delegation-person")
	w.post(first, path+"/approvals", m{"version": 1}).want(t, 404, "delegation-not-found")
	w.post(auditor, path+"/approvals", m{"version": 1}).want(t, 403, "not-allowed")
	w.post(second, path+"/approvals", m{"version": 2}).want(t, 409, "delegation-moved")
	agreed := w.send(second, "POST", path+"/approvals", "once", m{"version": 1}).want(t, 201, "")
	if again := w.send(second, "POST", path+"/approvals", "once", m{"version": 1}).want(t, 201, ""); again.body != agreed.body {
		t.Errorf("the same request got another answer: %s", again.body)
	}
	w.send(second, "POST", path+"/approvals", "once", m{"version": 2}).want(t, 422, "")
	w.post(third, path+"/approvals", m{"version": 2}).want(t, 409, "delegation-state")
	if agreed.out["stands"] != true || agreed.out["agreed_by"] != second || agreed.out["asked_by"] != supervisor {
		t.Errorf("%s", agreed.body)
	}
	for _, who := range []string{first, mate} {
		if w.reads(who, unit) != 200 || w.reads(who, "320411001000") != 404 || w.reads(who, "511702001000") != 404 {
			t.Errorf("%s reads %d here, %d next door", who, w.reads(who, unit), w.reads(who, "320411001000"))
		}
	}
	// What was given is done, what was not is not, and nobody of the team works on cases.
	w.post(first, "/v1/staff/mandates", m{"body": district, "list": "专项", "rows": []m{row("1", "measure", nil)}}).want(t, 200, "")
	w.post(first, "/v1/staff/samples", m{"division": district, "from": "2026-10-01", "to": "2026-10-31", "confidence_percent": 95, "margin_percent": 5}).want(t, 404, "")
	w.post(first, "/v1/staff/mandates", m{"body": city, "list": "专项", "rows": []m{row("2", "measure", nil)}}).want(t, 404, "")

	// A part of it further down, by two of the team and to somebody else.
	part := w.team(m{"above": id, "scope": unit, "abilities": []string{"look"}, "team": "", "members": []string{deeper}, "until": w.lasting(10)})
	down := w.given(first, mate, part)
	if w.reads(deeper, unit) != 200 || w.reads(deeper, "320402002000") != 404 {
		t.Errorf("further down: %d, %d", w.reads(deeper, unit), w.reads(deeper, "320402002000"))
	}
	w.post(deeper, delegations, w.team(m{"above": down, "scope": unit, "abilities": []string{"look"}, "members": []string{second}, "team": "x", "until": w.lasting(5)})).want(t, 404, "delegation-not-found")
	for who, query := range map[string]string{supervisor: "?division=" + city, auditor: "?division=" + district, first: "?division=" + unit} {
		if got := strings.Join(w.tree(who, query), "|"); got != district+" given true| "+unit+" given true" {
			t.Errorf("%s sees %q", who, got)
		}
	}
	if got := w.tree(deeper, ""); len(got) != 1 || got[0] != " "+unit+" given true" {
		t.Errorf("who holds it sees %q", got)
	}
	w.send(deeper, "GET", delegations+"/"+down, "", nil).want(t, 200, "")
	w.send(deeper, "GET", delegations+"/"+id, "", nil).want(t, 404, "delegation-not-found")
	w.send(elsewhere, "GET", delegations+"/"+id, "", nil).want(t, 404, "delegation-not-found")
	w.send(elsewhere, "GET", delegations+"?division="+city, "", nil).want(t, 404, "delegation-not-found")
	w.send(clerk, "GET", delegations+"?division="+unit, "", nil).want(t, 403, "not-allowed")
	page := w.send(supervisor, "GET", path, "", nil).want(t, 200, "")
	if steps := page.out["steps"].([]any); len(steps) != 2 || steps[0].(m)["text"] != "备用金专项检查，室组地联动。" {
		t.Errorf("%s", page.body)
	}
}

// A second after it ended nothing is read by it, nor by what rests on it; what was taken
// back gives nothing with the next request, however long it would have lasted.
func TestWhatIsOverReadsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end func(w *world, id, down string)
		own int // what the team reads afterwards
	}{
		"its_last_day_has_passed": {func(w *world, id, _ string) {
			d, err := delegation.Get(t.Context(), w.Store, id)
			if err != nil {
				t.Fatal(err)
			}
			w.Pass(d.Until.Sub(w.Now()) - time.Second)
			if w.reads(first, unit) != 200 || w.reads(deeper, unit) != 200 {
				t.Error("over before its last second")
			}
			w.Pass(time.Second)
		}, 404},
		"it_is_taken_back": {func(w *world, id, _ string) {
			w.post(third, delegations+"/"+id+"/revocation", m{"version": 2, "reason": "检查提前结束。"}).want(t, 201, "")
		}, 404},
		"what_rests_on_it_is": {func(w *world, _, down string) {
			w.post(first, delegations+"/"+down+"/revocation", m{"version": 2, "reason": "不再需要。"}).want(t, 201, "")
		}, 200},
		"who_gave_it_loses_the_post": {func(w *world, _, _ string) {
			s := w.staff(supervisor)
			for i := range s.Grants {
				s.Grants[i].Until = w.Now()
			}
			if err := staff.Assign(t.Context(), w.Store, s, s.Grants, s.Actor(), w.Now()); err != nil {
				t.Fatal(err)
			}
		}, 404},
		"who_gave_it_is_removed": {func(w *world, _, _ string) {
			if err := staff.Revoke(t.Context(), w.Store, w.sessions, w.staff(supervisor), "left", event.Actor{Kind: event.System, ID: "test"}, w.Now()); err != nil {
				t.Fatal(err)
			}
		}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := teams(t)
			id := w.given(supervisor, second, w.team(nil))
			down := w.given(first, mate, w.team(m{"above": id, "scope": unit, "abilities": []string{"look"}, "team": "", "members": []string{deeper}}))
			if w.reads(first, unit) != 200 || w.reads(deeper, unit) != 200 {
				t.Fatal("it was not given")
			}
			c.end(w, id, down)
			if own, below := w.reads(first, unit), w.reads(deeper, unit); own != c.own || below != 404 {
				t.Errorf("the team reads %d, what rests on it %d", own, below)
			}
			if got := w.tree(deeper, ""); strings.Contains(strings.Join(got, " "), "true") {
				t.Errorf("it is shown as standing: %v", got)
			}
		})
	}
}

// While somebody writes by what was delegated, it is taken back above them: nothing is
// written.
func TestARevocationUndoesWhatIsBeingWritten(t *testing.T) {
	t.Parallel()
	w := teams(t)
	id := w.given(supervisor, second, w.team(nil))
	down := w.given(first, mate, w.team(m{"above": id, "scope": unit, "abilities": []string{"mandates"}, "team": "", "members": []string{deeper}}))
	w.before = func(writes []table.Write) {
		for _, one := range writes {
			if put, ok := one.(table.Put); ok && strings.HasPrefix(put.Item.Key.PK, "MANDATE#") {
				w.before = nil
				w.post(third, delegations+"/"+id+"/revocation", m{"version": 2, "reason": "立即停止。"}).want(t, 201, "")
				return
			}
		}
	}
	w.post(deeper, "/v1/staff/mandates", m{"body": unit, "list": "x", "rows": []m{row("1", "measure", nil)}}).want(t, 409, "mandate-moved")
	if got := w.tree(supervisor, "?division="+city); strings.Join(got, "|") != district+" revoked false| "+unit+" given false" {
		t.Errorf("%q", got)
	}
	w.post(third, delegations+"/"+id+"/revocation", m{"version": 3, "reason": "再收一次。"}).want(t, 409, "delegation-state")
	w.post(mate, delegations+"/"+down+"/revocation", m{"version": 2, "reason": "上级已收回。"}).want(t, 404, "")
	w.post(third, delegations+"/"+down+"/revocation", m{"version": 2, "reason": "上级已收回。"}).want(t, 201, "")
}

// Nobody gives more than they have, to themselves, or to those who work there; every
// field that is wrong is named at once.
func TestWhatCannotBeDelegated(t *testing.T) {
	t.Parallel()
	w := teams(t)
	id := w.given(supervisor, second, w.team(nil))
	more := m{"above": id, "members": []string{deeper}, "team": ""}
	with := func(extra m) m {
		in := w.team(more)
		for k, v := range extra {
			in[k] = v
		}
		return in
	}
	for name, c := range map[string]struct {
		who    string
		in     m
		status int
		code   string
		fields string
	}{
		"wider":                     {first, with(m{"scope": city}), 404, "delegation-not-found", ""},
		"elsewhere":                 {supervisor, w.team(m{"scope": "511702001000"}), 404, "delegation-not-found", ""},
		"more_and_longer":           {first, with(m{"abilities": []string{"look", "brakes"}, "until": w.lasting(31)}), 400, "delegation-exceeds", "/abilities/1 /until"},
		"for_ever":                  {supervisor, w.team(m{"until": "2029-12-31"}), 400, "delegation-exceeds", "/until"},
		"in_the_past":               {supervisor, w.team(m{"until": "2026-01-01"}), 400, "delegation-exceeds", "/until"},
		"to_oneself":                {supervisor, w.team(m{"members": []string{supervisor}}), 403, "own-delegation", ""},
		"to_the_second_person":      {first, with(m{"members": []string{deeper, mate}, "team": "x"}), 201, "", ""},
		"to_whoever_works_there":    {supervisor, w.team(m{"members": []string{clerk, first}}), 400, "", "/members/0"},
		"to_nobody":                 {supervisor, w.team(m{"members": []string{"nobody"}}), 400, "", "/members/0"},
		"to_one_person_twice":       {supervisor, w.team(m{"members": []string{first, first}}), 400, "", "/members/1"},
		"to_several_without_name":   {supervisor, w.team(m{"team": ""}), 400, "", "/team"},
		"nonsense_is_named_at_once": {supervisor, w.team(m{"scope": "999999999999", "until": "soon", "abilities": []string{"fly", "look", "look"}, "members": []string{"x"}}), 400, "", "/scope /until /abilities/0 /abilities/2 /members/0"},
		"by_an_auditor":             {auditor, w.team(nil), 403, "not-allowed", ""},
		"by_a_clerk":                {clerk, w.team(nil), 403, "not-allowed", ""},
		"on_what_is_not_theirs":     {deeper, with(m{"members": []string{supervisor}}), 403, "not-allowed", ""},
		"on_nothing":                {supervisor, w.team(m{"above": "nothing"}), 404, "delegation-not-found", ""},
	} {
		r := w.post(c.who, delegations, c.in)
		if got, _ := r.out["code"].(string); r.status != c.status || c.code != "" && got != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, r.status, r.body, c.status, c.code)
		}
		for _, f := range strings.Fields(c.fields) {
			if !strings.Contains(r.body, `"`+f+`"`) {
				t.Errorf("%s: %s is not named in %s", name, f, r.body)
			}
		}
	}
	// Whoever is to get it does not agree to it, under whichever account.
	r := w.post(first, delegations, with(m{"members": []string{mate}})).want(t, 201, "")
	w.post(mate, delegations+"/"+r.out["id"].(string)+"/approvals", m{"version": 1}).want(t, 403, "own-delegation")
	w.hire(staff.Staff{ID: "320400-supervisor-7", Person: "person-" + mate, Grants: []staff.Grant{{Role: staff.Supervisor, Division: city, From: w.Now().AddDate(-1, 0, 0)}}})
	w.post("320400-supervisor-7", delegations+"/"+r.out["id"].(string)+"/approvals", m{"version": 1}).want(t, 403, "own-delegation")
	// What it would rest on was taken back meanwhile.
	late := w.post(first, delegations, with(nil)).want(t, 201, "").out["id"].(string)
	w.post(third, delegations+"/"+id+"/revocation", m{"version": 2, "reason": "检查提前结束。"}).want(t, 201, "")
	w.post(second, delegations+"/"+late+"/approvals", m{"version": 1}).want(t, 409, "delegation-above")
	// What waited too long is asked for anew.
	w.Pass(delegation.Answer)
	w.post(second, delegations+"/"+r.out["id"].(string)+"/approvals", m{"version": 1}).want(t, 409, "delegation-state")
}
