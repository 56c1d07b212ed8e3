package decide_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
)

// Whoever completes what another began proved who they are a short while ago;
// whoever may not do it at all is not asked to sign in for it.
func TestMoneyLeavesOnlyAfterARecentSignIn(t *testing.T) {
	t.Parallel()
	const term = 30 * time.Minute
	w := serve(firstaidtest.New(t, firstaidtest.StandingApprovals), func(d *decide.Deps) { d.StepUp = term })
	cash, approval := w.proposed(m{"rail": "reserve_cash"})
	w.want(w.post(approver, cash, "approvals", approval), 201, "")
	order := w.post(clerk2, cash, "cash-receipts", m{"receipt_sha256": strings.Repeat("ab", 32)})
	w.want(order, 201, "")
	id, approval := w.proposed(nil)
	standing := w.send("POST", approver, envelopes, "e", w.asking())
	w.want(standing, 201, "")
	steps := map[string]func(who, key string) reply{
		"approval": func(who, key string) reply {
			return w.send("POST", who, "/v1/staff/applications/"+id+"/approvals", key, approval)
		},
		"order": func(who, key string) reply {
			return w.send("POST", who, "/v1/staff/applications/"+cash+"/orders/"+order.text("order")+"/approvals", key, m{})
		},
		"envelope": func(who, key string) reply {
			return w.send("POST", who, envelopes+"/"+standing.text("id")+"/approvals", key, m{"township": string(firstaidtest.Township), "total_fen": 3000_00})
		},
	}
	w.Pass(term + time.Second)
	for name, step := range steps {
		r := step(county, name)
		if r.status != 401 || r.code != "step-up-required" || r.asked != `Bearer error="insufficient_user_authentication"` {
			t.Errorf("%s on an old screen: %d %s %q", name, r.status, r.code, r.asked)
		}
		if r = step(supervisor, name); r.status != 403 {
			t.Errorf("%s by a supervisor: %d %s", name, r.status, r.code)
		}
	}
	// What releases nothing needs no new sign-in.
	w.want(w.post(clerk2, id, "visits", aVisit), 201, "")
	approval["proposal_version"] = w.Read(id).Version
	for name, step := range steps {
		w.signIn(county)
		w.Pass(term)
		first := step(county, name) // with the key that was turned away
		w.want(first, 201, "")
		w.Pass(time.Second)
		// An answer once given is given again, however old the sign-in.
		if again := step(county, name); again.status != 201 || again.body != first.body {
			t.Errorf("%s again: %d %s", name, again.status, again.body)
		}
	}
}
