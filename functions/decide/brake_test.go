package decide_test

import (
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/staff"
)

const (
	brakes      = "/v1/staff/brakes"
	city        = "320400000000"
	supervisor2 = "320400-supervisor-2"
	finance2    = "320400-finance-2"
	chief       = "320400-chief-1"
)

func stop(kind, division, target string) m {
	in := m{"kind": kind, "division": division, "reason": "fraud_suspected", "note": "群众举报，先停再查。"}
	if target != "" {
		in["target"] = target
	}
	return in
}

// pull is supervisor-1's pull.
func (w *world) pull(kind, division, target string) reply {
	w.T.Helper()
	r := w.send("POST", supervisor, brakes, w.IDs.New(), stop(kind, division, target))
	w.want(r, 201, "")
	return r
}

// then takes the next step of the brake that r answered about.
func (w *world) then(who string, r reply, step string) reply {
	w.T.Helper()
	return w.send("POST", who, brakes+"/"+r.text("id")+"/"+step, w.IDs.New(), m{"version": r.number("version")})
}

func TestTwoPeopleBrakeAndTwoOthersLift(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	pulled := w.pull("division", city, "")
	if pulled.text("state") != "pulled" || pulled.out["stops"] != true || pulled.text("until") == "" {
		t.Errorf("pulled %s", pulled.body)
	}
	w.want(w.post(approver, id, "approvals", approval), 409, "payments-stopped")
	w.want(w.then(supervisor, pulled, "second"), 403, "brake-same-person")
	w.want(w.then(supervisor, pulled, "lift-request"), 403, "brake-same-person")
	w.want(w.then(supervisor, pulled, "lift"), 403, "brake-same-person")
	standing := w.then(finance2, pulled, "second")
	w.want(standing, 201, "")
	if standing.text("state") != "standing" || standing.text("until") != "" {
		t.Errorf("standing %s", standing.body)
	}
	w.Pass(2 * brake.Alone)
	w.want(w.post(approver, id, "approvals", approval), 409, "payments-stopped")

	w.want(w.then(supervisor2, standing, "lift"), 409, "brake-state") // nobody asked
	for _, who := range []string{supervisor, finance2} {
		w.want(w.then(who, standing, "lift-request"), 403, "brake-same-person")
	}
	asked := w.then(supervisor2, standing, "lift-request")
	w.want(asked, 201, "")
	w.want(w.post(approver, id, "approvals", approval), 409, "payments-stopped")
	for _, who := range []string{supervisor, finance2, supervisor2} {
		w.want(w.then(who, asked, "lift"), 403, "brake-same-person")
	}
	w.want(w.then(chief, standing, "lift"), 409, "brake-moved") // what they read is not what stands
	lifted := w.then(chief, asked, "lift")
	w.want(lifted, 201, "")
	w.want(w.post(approver, id, "approvals", approval), 201, "")

	var steps []string
	for _, e := range w.Events(brake.Partition) {
		steps = append(steps, e.Kind+" by "+e.Actor.ID)
		if e.Actor.Person == "" || e.Trace == "" || e.Reason == "" || (e.Version == 1) != (len(e.Note) > 0) {
			t.Errorf("the event does not say who, why and in which request: %+v", e)
		}
	}
	want := []string{"pulled by " + supervisor, "seconded by " + finance2, "lift_asked by " + supervisor2, "lifted by " + chief}
	for i, s := range want {
		if len(steps) != len(want) || steps[i] != s {
			t.Fatalf("events %v", steps)
		}
	}
}

// A02: two accounts of one person are one person, at every step.
func TestTheSecondAccountOfTheOneWhoPulledLiftsNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	s := w.staff(supervisor2)
	s.Person, s.Papers = w.staff(supervisor).Person, nil
	w.revise(s)
	pulled := w.pull("division", city, "")
	w.want(w.then(supervisor2, pulled, "second"), 403, "brake-same-person")
	w.want(w.then(supervisor2, pulled, "lift-request"), 403, "brake-same-person")
	asked := w.then(chief, pulled, "lift-request")
	w.want(asked, 201, "")
	w.want(w.then(supervisor2, asked, "lift"), 403, "brake-same-person")
}

func TestWhoMayNotBrake(t *testing.T) {
	t.Parallel()
	w := open(t)
	for who, code := range map[string]string{clerk: "not-allowed", reviewer: "not-allowed", auditor: "not-allowed", approver2: "not-allowed", approver: "not-allowed", county: "not-allowed"} {
		w.want(w.send("POST", who, brakes, w.IDs.New(), stop("division", city, "")), 403, code)
	}
	w.want(w.send("POST", approver2, brakes, w.IDs.New(), stop("division", string(firstaidtest.Township), "")), 403, "not-allowed")
	w.want(w.send("POST", approver, brakes, w.IDs.New(), stop("division", string(firstaidtest.Township), "")), 201, "")
	s := w.staff(supervisor)
	s.Person, s.Papers = "", nil
	w.revise(s)
	w.want(w.send("POST", supervisor, brakes, w.IDs.New(), stop("division", city, "")), 403, "not-allowed")
}

func TestWhatCannotBeBraked(t *testing.T) {
	t.Parallel()
	w := open(t)
	for name, in := range map[string]m{
		"no such rail":                  stop("rail", city, "gold"),
		"no such programme":             stop("programme", city, "pension"),
		"no such officer":               stop("officer", city, "320400-nobody"),
		"an officer of elsewhere":       stop("officer", city, "511700-clerk-1"),
		"a target for a division":       stop("division", city, "bank"),
		"an officer without being told": stop("officer", city, ""),
	} {
		if r := w.send("POST", supervisor, brakes, w.IDs.New(), in); r.status != 400 || r.code != "invalid-fields" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	// A township's approver does not stop the county's.
	w.want(w.send("POST", approver, brakes, w.IDs.New(), stop("officer", string(firstaidtest.Township), county)), 400, "invalid-fields")
	w.want(w.send("POST", supervisor, brakes, w.IDs.New(), stop("officer", city, supervisor)), 403, "brake-same-person")
	w.want(w.send("POST", supervisor, brakes+"/none/second", w.IDs.New(), m{"version": 1}), 404, "brake-not-found")
}

func TestAnOfficerWhoIsStopped(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil) // by clerk-1
	other := w.Verify(w.Apply(w.Person()).ID).ID
	w.pull("officer", city, clerk)
	w.want(w.get(clerk, "/v1/staff/tasks"), 403, "officer-frozen")
	w.want(w.get(clerk, "/v1/staff/applications/"+id), 403, "officer-frozen")
	w.want(w.post(clerk, other, "proposals", m{}), 403, "officer-frozen")
	w.want(w.post(clerk, id, "visits", aVisit), 403, "officer-frozen")
	// What they proposed is approved by nobody; what others do goes on.
	w.want(w.post(approver, id, "approvals", approval), 409, "payments-stopped")
	r := w.post(clerk2, other, "proposals", m{})
	w.want(r, 201, "")
	w.want(w.post(approver, other, "approvals", m{"proposal_version": r.number("proposal_version"), "amount_fen": r.number("amount_fen")}), 201, "")
	// A second account of the same person is stopped too.
	s := w.staff(clerk2)
	s.Person, s.Papers = w.staff(clerk).Person, nil
	w.revise(s)
	w.want(w.get(clerk2, "/v1/staff/tasks"), 403, "officer-frozen")
	// And whoever is stopped frees nobody, themselves first.
	pulled := w.pull("officer", city, chief)
	w.want(w.then(chief, pulled, "lift-request"), 403, "officer-frozen")
}

func TestAnOfficerIsStoppedWhileApproving(t *testing.T) {
	t.Parallel()
	for name, pull := range map[string]func(w *world){
		"the approver":  func(w *world) { w.pull("officer", city, approver) },
		"the township":  func(w *world) { w.pull("division", string(firstaidtest.Township), "") },
		"the programme": func(w *world) { w.pull("programme", city, "first_aid") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id, approval := w.proposed(nil)
			w.gate.once(func() { pull(w) })
			if r := w.post(approver, id, "approvals", approval); r.status != 409 && r.status != 403 {
				t.Errorf("got %d %s", r.status, r.body)
			}
			if w.Read(id).Award != nil || w.Balance(fund.Relief, firstaidtest.Township).Of(fund.Reserved) != 0 {
				t.Error("an award was made")
			}
		})
	}
}

func TestABrakeElsewhereStopsNothingHere(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.pull("division", string(firstaidtest.Sibling), "")
	w.pull("rail", city, "reserve_cash")
	w.pull("rail", city, "bank") // approvals go on: what is decided is owed
	w.pull("officer", city, finance)
	id, approval := w.proposed(nil)
	w.want(w.post(approver, id, "approvals", approval), 201, "")
}

func TestAPullAloneLapsesAndIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, approval := w.proposed(nil)
	pulled := w.pull("division", city, "")
	w.want(w.send("POST", finance2, brakes, w.IDs.New(), stop("division", city, "")), 409, "brake-exists")
	w.Pass(brake.Alone)
	w.want(w.then(finance2, pulled, "second"), 409, "brake-state")
	w.want(w.then(finance2, pulled, "lift-request"), 409, "brake-state")
	w.want(w.send("POST", supervisor, brakes, w.IDs.New(), stop("rail", city, "bank")), 409, "brake-alone")
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	w.want(w.send("POST", supervisor2, brakes, w.IDs.New(), stop("division", city, "")), 201, "")
	list := w.get(clerk, brakes+"?division="+string(firstaidtest.Township))
	w.want(list, 200, "")
	all := list.out["brakes"].([]any)
	if len(all) != 2 || all[0].(m)["state"] != "pulled" || all[1].(m)["state"] != "lapsed" {
		t.Errorf("listed %s", list.body)
	}
	w.want(w.get(clerk3, brakes+"?division="+string(firstaidtest.Township)), 403, "not-allowed")
	w.Pass(brake.Again)
	w.signIn(supervisor)
	w.want(w.send("POST", supervisor, brakes, w.IDs.New(), stop("rail", city, "bank")), 201, "")
}

// W03: the same request gets the same answer for ever.
func TestBrakesAskedForTwice(t *testing.T) {
	t.Parallel()
	w := open(t)
	first := w.send("POST", supervisor, brakes, "once", stop("division", city, ""))
	w.want(first, 201, "")
	if again := w.send("POST", supervisor, brakes, "once", stop("division", city, "")); again.body != first.body {
		t.Errorf("%s, %s", first.body, again.body)
	}
	w.want(w.send("POST", supervisor, brakes, "once", stop("rail", city, "bank")), 422, "idempotency-mismatch")
	path := brakes + "/" + first.text("id") + "/second"
	second := w.send("POST", finance2, path, "twice", m{"version": 1})
	w.want(second, 201, "")
	if again := w.send("POST", finance2, path, "twice", m{"version": 1}); again.body != second.body {
		t.Errorf("%s, %s", second.body, again.body)
	}
}

// X048: twenty people lift at once, and one does.
func TestManyLiftAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	pulled := w.pull("division", city, "")
	var group sync.WaitGroup
	replies := make([]reply, 20)
	for i := range replies {
		group.Go(func() { replies[i] = w.then([]string{supervisor2, chief, finance2}[i%3], pulled, "lift-request") })
	}
	group.Wait()
	won := 0
	for _, r := range replies {
		if r.status == 201 {
			won++
		} else if r.status != 409 && r.code != "brake-same-person" {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	b, err := brake.Get(t.Context(), w.Store, pulled.text("id"))
	if err != nil || won != 1 || b.Version != 2 || !b.Stops(w.Now()) {
		t.Errorf("%d asked, %+v, %v", won, b, err)
	}
}

// A removal between reading and writing undoes a lift.
func TestAnOfficerRemovedWhileLiftingLiftsNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	asked := w.then(supervisor2, w.pull("division", city, ""), "lift-request")
	w.want(asked, 201, "")
	w.gate.once(func() {
		if err := staff.Revoke(t.Context(), w.Store, w.sessions, w.staff(chief), "left", event.Actor{Kind: event.System, ID: "test"}, w.Now()); err != nil {
			t.Error(err)
		}
	})
	w.want(w.then(chief, asked, "lift"), 409, "brake-moved")
}
