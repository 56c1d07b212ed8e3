package attack

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/staff"
)

// applications are the ids that an account sees.
func (c caller) applications(t *testing.T) (ids []string) {
	t.Helper()
	var list struct{ Applications []struct{ ID string } }
	c.get(t, "/v1/applications").is(t, 200, "").read(t, &list)
	for _, a := range list.Applications {
		ids = append(ids, a.ID)
	}
	return ids
}

func TestX041_double_tap(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by, k := o.citizen(t, p), key()
	var got [2]reply
	together(2, func(i int) { got[i] = by.call(t, "POST", "/v1/applications", k, form(p)) })
	got[0].is(t, 201, "")
	if got[1].status != 201 || !bytes.Equal(got[0].body, got[1].body) {
		t.Errorf("%d %s\n%d %s", got[0].status, got[0].body, got[1].status, got[1].body)
	}
	if ids := by.applications(t); len(ids) != 1 {
		t.Errorf("applications %v", ids)
	}
	// Fields in another order are the same wish or another one, never a second case.
	again := by.call(t, "POST", "/v1/applications", k, form(p)).is(t, 201, "")
	if !bytes.Equal(again.body, got[0].body) {
		t.Errorf("%s", again.body)
	}
}

func TestX042_same_key_other_content(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by, k := o.citizen(t, p), key()
	r := by.call(t, "POST", "/v1/applications", k, form(p)).is(t, 201, "")
	by.call(t, "POST", "/v1/applications", k, form(p, with("story", "另外一回事。"))).is(t, 422, "idempotency-mismatch")
	by.call(t, "POST", "/v1/applications", k, form(p, without("payee"))).is(t, 422, "idempotency-mismatch")
	var a struct{ ID string }
	r.read(t, &a)
	f := &file{o, a.ID, p, by}
	f.watch(t)
	f.verified(t)
	clerk := o.staff(t, "clerk-1")
	k = key()
	clerk.call(t, "POST", f.staffPath("/proposals"), k, map[string]any{"amount_fen": 100_000, "months": 1}).is(t, 201, "")
	f.unmoved(t, func() {
		clerk.call(t, "POST", f.staffPath("/proposals"), k, map[string]any{"amount_fen": 100_001, "months": 1}).is(t, 422, "idempotency-mismatch")
		clerk.call(t, "POST", f.staffPath("/proposals"), k, map[string]any{"amount_fen": 100_000, "months": 1}).is(t, 201, "")
	})
}

// The same key on another case, or for another operation, is another request.
func TestSameKeyElsewhere(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := o.file(t, o.person(t)).verified(t), o.file(t, o.person(t)).verified(t)
	clerk, k := o.staff(t, "clerk-1"), key()
	for _, f := range []*file{a, b} {
		r := clerk.call(t, "POST", f.staffPath("/proposals"), k, map[string]any{}).is(t, 201, "")
		if !bytes.Contains(r.body, []byte(f.id)) {
			t.Errorf("answered about another case: %s", r.body)
		}
	}
	clerk.call(t, "POST", a.staffPath("/visits"), k, staffPosts["/visits"]).is(t, 201, "")
}

func TestX043_fifty_at_once(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by, k := o.citizen(t, p), key()
	var bodies [50]reply
	together(len(bodies), func(i int) { bodies[i] = by.call(t, "POST", "/v1/applications", k, form(p)) })
	made := 0
	for _, r := range bodies {
		switch {
		case r.status == 201 && bytes.Equal(r.body, bodies[0].body) || r.status == 201 && made == 0:
			made++
		case r.status != 409 && r.status != 503:
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if ids := by.applications(t); made == 0 || len(ids) != 1 {
		t.Errorf("%d answers, applications %v", made, ids)
	}
	var a struct{ ID string }
	by.call(t, "POST", "/v1/applications", k, form(p)).is(t, 201, "").read(t, &a)
	(&file{o, a.ID, p, by}).watch(t)
}

func TestX044_same_key_of_another_person(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p, q, k := o.person(t), o.person(t), key()
	a := o.citizen(t, p).call(t, "POST", "/v1/applications", k, form(p)).is(t, 201, "")
	b := o.citizen(t, q).call(t, "POST", "/v1/applications", k, form(q)).is(t, 201, "")
	var one, two struct{ ID string }
	a.read(t, &one)
	b.read(t, &two)
	if one.ID == two.ID {
		t.Error("B11: two people share an answer")
	}
	// The very same body from another account neither leaks nor replays.
	r := o.citizen(t, q).call(t, "POST", "/v1/applications", k, form(p))
	if r.status == 201 || bytes.Contains(r.body, []byte(one.ID)) {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestX045_no_key(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	f.unmoved(t, func() {
		for tail, body := range posts {
			f.by.call(t, "POST", f.path(tail), "", body).is(t, 400, "idempotency-key-missing")
		}
		for tail, body := range staffPosts {
			r := o.staff(t, "clerk-1").call(t, "POST", f.staffPath(tail), "", body).is(t, 400, "idempotency-key-missing")
			if !strings.Contains(r.problem().Type, "idempotency-key-missing") {
				t.Errorf("no way to the documentation: %s", r.body)
			}
		}
	})
}

func TestX046_keys_that_are_none(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by := o.citizen(t, p)
	for _, k := range []string{strings.Repeat("k", 10<<10), strings.Repeat("k", 129), "with space", "表情😀", "a\tb"} {
		by.call(t, "POST", "/v1/applications", k, form(p)).is(t, 400, "idempotency-key-invalid")
	}
	by.call(t, "POST", "/v1/applications", "", form(p), func(r *http.Request) {
		r.Header["Idempotency-Key"] = []string{"one", "two"}
	}).is(t, 400, "idempotency-key-invalid")
	if ids := by.applications(t); len(ids) != 0 {
		t.Errorf("%v", ids)
	}
}

func TestX047_the_same_key_after_thirteen_months(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	p := o.person(t)
	k := key()
	first := o.citizen(t, p).call(t, "POST", "/v1/applications", k, form(p)).is(t, 201, "")
	var a struct{ ID string }
	first.read(t, &a)
	f := &file{o, a.ID, p, o.citizen(t, p)}
	f.watch(t)
	f.propose(t)
	ka, pr, approved := key(), proposal{}, reply{}
	for approved.status != 201 {
		a := f.head(t)
		pr = proposal{a.Version, int64(a.Proposal.AmountFen)}
		if approved = o.staff(t, "approver-1").call(t, "POST", f.staffPath("/approvals"), ka, pr); approved.status != 201 {
			approved.is(t, 409, "proposal-moved")
		}
	}
	f.paid(t)
	for _, later := range []time.Duration{25 * time.Hour, 8 * 24 * time.Hour, 400 * 24 * time.Hour} {
		o.pass(t, later)
		again := o.citizen(t, p).call(t, "POST", "/v1/applications", k, form(p)).is(t, 201, "")
		twice := o.staff(t, "approver-1").call(t, "POST", f.staffPath("/approvals"), ka, pr).is(t, 201, "")
		if !bytes.Equal(again.body, first.body) || !bytes.Equal(twice.body, approved.body) {
			t.Errorf("after %s:\n%s\n%s", later, again.body, twice.body)
		}
	}
	if n := f.times(t); n != 1 {
		t.Errorf("paid %d times", n)
	}
}

func TestX048_fifty_approvers(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
	approvers := make([]caller, 50)
	for i := range approvers {
		approvers[i] = o.hire(t, staff.Approver, township)
	}
	var won atomic.Int64
	together(len(approvers), func(i int) {
		switch r := f.decide(t, approvers[i]); r.status {
		case 201:
			won.Add(1)
		case 409:
		default:
			t.Errorf("%d %s", r.status, r.body)
		}
	})
	if won.Load() != 1 {
		t.Errorf("B07: %d approvals", won.Load())
	}
	f.paid(t)
}

// budget leaves a township exactly amount for the year.
func (o *office) budget(t *testing.T, township civil.DivisionCode, amount money.Fen) fund.ID {
	t.Helper()
	id := fund.ID{Fund: fund.Named(fund.Relief, o.clock.Now().Year()), Township: township}
	s, err := fund.Read(t.Context(), o.Table, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.appropriate(t, id, amount-s.Balances.Of(fund.Available)); err != nil {
		t.Fatal(err)
	}
	return id
}

func (o *office) appropriate(t *testing.T, id fund.ID, by money.Fen) error {
	t.Helper()
	writes, err := fund.Appropriate(id, fund.Appropriation{Reference: key(), AmountFen: by, Document: strings.Repeat("0", 64), At: o.clock.Now(),
		First:  event.Actor{Kind: event.Staff, ID: "finance", Person: "finance"},
		Second: event.Actor{Kind: event.Staff, ID: "county", Person: "county"}})
	if err != nil {
		t.Fatal(err)
	}
	return o.Table.Transact(t.Context(), writes...)
}

func TestX050_budget_to_the_last_fen(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	const amount, room, people = 100_000, 6, 10
	id := o.budget(t, township, room*amount)
	files := make([]*file, people)
	for i := range files {
		files[i] = o.file(t, o.person(t)).verified(t)
		files[i].proposeAs(t, o.staff(t, "clerk-1"), map[string]any{"amount_fen": amount, "months": 1})
	}
	var won atomic.Int64
	together(people, func(i int) {
		switch r := files[i].decide(t, o.staff(t, "approver-1")); {
		case r.status == 201:
			won.Add(1)
		case r.problem().Code != "fund-empty" && r.problem().Code != "application-moved":
			t.Errorf("%d %s", r.status, r.body)
		}
	})
	// Whoever met only a crowd asks again.
	for i := range files {
		if files[i].decide(t, o.staff(t, "approver-1")).status == 201 {
			won.Add(1)
		}
	}
	if won.Load() != room {
		t.Errorf("B06: %d approvals where there is money for %d", won.Load(), room)
	}
	// X051: what is reserved or paid cannot be taken away.
	if err := o.appropriate(t, id, -1); err == nil {
		t.Error("the budget went below what is reserved")
	}
	for _, f := range files {
		if f.head(t).Award != nil {
			f.paid(t)
		}
	}
	if err := o.view().Fund(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestX052_amounts_that_are_none(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	clerk := o.staff(t, "clerk-1")
	f.unmoved(t, func() {
		for _, amount := range []string{"-1", "0", "1e18", "9223372036854775808", "18446744073709551617", `"100"`, "100.0", "1e2", "0x64", "null", "0.3",
			"0.30000000000000004", "+1", "01", "1_000", "NaN", "Infinity", "-0", "[100]", "{}", "true", "５００", "99999999999999999999999999999999"} {
			r := clerk.post(t, f.staffPath("/proposals"), raw(fmt.Sprintf(`{"amount_fen":%s,"months":1}`, amount)))
			if r.status != 400 {
				t.Errorf("amount %s: %d %s", amount, r.status, r.body)
			}
		}
	})
	pr := f.proposeAs(t, clerk, map[string]any{})
	approver := o.staff(t, "approver-1")
	f.unmoved(t, func() {
		for _, amount := range []string{"0", "-1", fmt.Sprintf("%d.0", pr.AmountFen), fmt.Sprintf("%de0", pr.AmountFen), fmt.Sprintf(`"%d"`, pr.AmountFen), "null"} {
			r := approver.post(t, f.staffPath("/approvals"), raw(fmt.Sprintf(`{"proposal_version":%d,"amount_fen":%s}`, pr.ProposalVersion, amount)))
			if r.status != 400 {
				t.Errorf("X053: amount %s: %d %s", amount, r.status, r.body)
			}
		}
		twice := fmt.Sprintf(`{"proposal_version":%d,"amount_fen":1,"amount_fen":%d}`, pr.ProposalVersion, pr.AmountFen)
		approver.post(t, f.staffPath("/approvals"), raw(twice)).is(t, 400, "")
		folded := fmt.Sprintf(`{"proposal_version":%d,"Amount_Fen":%d}`, pr.ProposalVersion, pr.AmountFen)
		approver.post(t, f.staffPath("/approvals"), raw(folded)).is(t, 400, "")
	})
}

func TestX056_no_new_number_while_nobody_knows(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	o.scenario(t, `
[[rule]]
service = "bank"
op = "send"
effect = "cut_after"
[[rule]]
service = "bank"
op = "query"
effect = "cut_before"
[[rule]]
service = "bank"
op = "callback"
effect = "drop"
`)
	f := o.file(t, o.person(t)).approve(t)
	f.becomes(t, payout.Unknown)
	finance, approver := o.staff(t, "finance-1"), o.staff(t, "approver-1")
	finance.post(t, f.staffPath("/payees"), map[string]any{"account": f.who.Account, "reason": "再付一次"}).is(t, 409, "payout-state")
	finance.post(t, f.staffPath("/thaws"), staffPosts["/thaws"]).is(t, 409, "payout-state")
	approver.post(t, f.staffPath("/approvals"), proposal{3, 1}).is(t, 409, "")
	o.staff(t, "clerk-1").post(t, f.staffPath("/cash-receipts"), staffPosts["/cash-receipts"]).is(t, 409, "payout-state")
	o.scenario(t, "title = \"all is well again\"")
	o.pass(t, 20*time.Minute)
	f.paid(t)
	if p := f.payout(t); len(p.Attempts) != 1 {
		t.Errorf("B01: %d attempts", len(p.Attempts))
	}
}
