package attack

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/staff"
)

// order asks for something and has c complete it.
func (f *file) order(t *testing.T, asks caller, tail string, body map[string]any) (id string) {
	t.Helper()
	var o struct{ Order string }
	asks.post(t, f.staffPath(tail), body).is(t, 201, "").read(t, &o)
	return o.Order
}

func (f *file) complete(t *testing.T, c caller, order string) reply {
	t.Helper()
	return c.post(t, f.staffPath("/orders/"+order+"/approvals"), map[string]any{})
}

// A guardian was looked at and let through; then the family is another one, and
// so is the account. Nobody has looked at that guardian.
func TestGuardianSwappedAfterTheHoldWasLifted(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	child, parent, stranger := o.cast(t, "dibao_child"), o.cast(t, "dibao"), o.person(t)
	f := o.fileAs(t, o.citizen(t, parent), child, with("relation", "household"), with("applicant", who(parent)),
		with("members", []any{with1(who(parent), "relation", "parent")}),
		with("payee", map[string]any{"account": parent.Account, "holder": "members/0"}),
		with("consents", []any{agreed("subject"), agreed("members/0")})).verified(t)
	if h := f.holds(t); !slices.Contains(h, application.HoldGuardian) {
		t.Fatalf("holds %v", h)
	}
	f.release(t)
	f.by.post(t, f.path("/supplements"), map[string]any{
		"members":  []any{with1(who(parent), "relation", "parent"), with1(who(stranger), "relation", "parent")},
		"payee":    map[string]any{"account": stranger.Account, "holder": "members/1"},
		"consents": []any{agreed("members/1")}}).is(t, 200, "")
	f.verified(t)
	if h := f.holds(t); !slices.Contains(h, application.HoldGuardian) {
		t.Errorf("nobody looks at the new guardian: holds %v", h)
	}
	f.release(t)
	f.approve(t).becomes(t, payout.Paid)
}

// Agreeing later changes nobody and no account: what was looked at stays so.
func TestALiftedHoldStaysLiftedWhenNothingChanged(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	p := o.cast(t, "wrong_name")
	f := o.file(t, p).verified(t)
	f.release(t)
	f.by.post(t, f.path("/supplements"), map[string]any{"story": "还有一件事没有说。"}).is(t, 200, "")
	f.verified(t)
	if h := f.holds(t); len(h) != 0 {
		t.Errorf("holds %v", h)
	}
}

func TestHoldBetweenApprovalAndPayment(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	o.scenario(t, rule("bank", "send", "cut_before"))
	f := o.file(t, o.person(t)).approve(t)
	held := struct{ Hold string }{}
	clerk := o.staff(t, "clerk-2")
	clerk.post(t, f.staffPath("/holds"), staffPosts["/holds"]).is(t, 201, "").read(t, &held)
	clerk.post(t, f.staffPath("/holds"), staffPosts["/holds"]).is(t, 409, "hold-exists")
	o.scenario(t, "title = \"the bank is back\"")
	for range 20 {
		o.pass(t, 5*time.Minute)
		if s := f.payout(t).State; s == payout.Paid {
			t.Fatal("held money left")
		}
	}
	f.unmoved(t, func() {
		clerk.post(t, f.staffPath("/holds/"+held.Hold+"/release"), map[string]any{"reason": "自己解除"}).is(t, 403, "")
		f.by.post(t, f.path("/withdrawal"), map[string]any{}).is(t, 409, "application-state")
	})
	o.staff(t, "reviewer-1").post(t, f.staffPath("/holds/"+held.Hold+"/release"), map[string]any{"reason": "核实无误，可以发放"}).is(t, 201, "")
	o.onwards(t, "it is paid after all", time.Minute, func() bool { return f.payout(t).State == payout.Paid })
	f.paid(t)
}

// Held in the very moment of the claim: it was sent before, or it waits.
func TestHoldAgainstClaim(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for range 5 {
		f := o.file(t, o.person(t))
		f.propose(t)
		var r reply
		together(2, func(i int) {
			if i == 0 {
				f.decide(t, o.staff(t, "approver-1"))
				return
			}
			r = o.staff(t, "clerk-2").post(t, f.staffPath("/holds"), staffPosts["/holds"])
		})
		if r.status != 201 && r.status != 409 {
			t.Errorf("%d %s", r.status, r.body)
		}
		f.release(t)
		if f.head(t).State == application.Proposed {
			f.decide(t, o.staff(t, "approver-1")).is(t, 201, "")
		}
		f.paid(t)
	}
}

func TestPayeeChangedAfterFailure(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	p, other := o.cast(t, "closed_account"), o.person(t)
	f := o.file(t, p).approve(t).becomes(t, payout.Failed)
	finance, approver := o.staff(t, "finance-1"), o.staff(t, "approver-1")
	// Somebody else's account, that received before: it stays theirs.
	o.file(t, other).approve(t).paid(t)
	f.release(t)
	taken := f.order(t, finance, "/payees", map[string]any{"account": other.Account, "reason": "换成别人的卡"})
	f.complete(t, approver, taken).is(t, 409, "payee-account-taken")
	// One person cannot do both steps, whatever their posts.
	both := o.hire(t, staff.Clerk, township, func(s *staff.Staff) {
		s.Grants = append(s.Grants, staff.Grant{Role: staff.Approver, Division: township, From: s.Grants[0].From})
	})
	alone := f.order(t, both, "/payees", map[string]any{"account": p.Account, "reason": "账户已恢复"})
	f.complete(t, both, alone).is(t, 403, "same-person")
	// Two orders at once: one payment.
	again := f.order(t, finance, "/payees", map[string]any{"account": "6222020200112233446", "reason": "换了新卡，本人签字"})
	var won atomic.Int64
	together(2, func(i int) {
		for {
			r := f.complete(t, approver, []string{alone, again}[i])
			if r.problem().Code == "application-moved" {
				continue
			}
			if r.status == 201 {
				won.Add(1)
			} else if r.status != 409 {
				t.Errorf("%d %s", r.status, r.body)
			}
			return
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d orders were carried out", won.Load())
	}
	f.becomes(t, payout.Paid, payout.Failed)
	if a := f.payout(t).Attempts; len(a) != 2 {
		t.Errorf("%d attempts", len(a))
	}
}

func TestMoneyThatCameBackGoesOutOnce(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	p := o.cast(t, "returned_later")
	f := o.file(t, p).approve(t)
	o.onwards(t, "it comes back", time.Second, func() bool { return f.payout(t).State == payout.Returned })
	if c := f.card(t); c.Payments[0].PaidFen != 0 || c.Payments[0].State != "returned" {
		t.Errorf("the card says %+v", c.Payments[0])
	}
	f.by.post(t, f.path("/receipts"), map[string]any{"award": "01", "answer": "received"}).is(t, 409, "not-paid-yet")
	order := f.order(t, o.staff(t, "clerk-2"), "/payees", map[string]any{"account": "6222020200112233446", "reason": "原账户被冻结，更换账户"})
	if r := f.complete(t, o.staff(t, "approver-1"), order); r.status == 201 {
		// Asked for while a hold is open: it may be ordered, and not sent.
		for range 10 {
			o.pass(t, time.Minute)
			if s := f.payout(t).State; s != payout.Due {
				t.Fatalf("held money is %s", s)
			}
		}
		f.release(t)
	} else {
		r.is(t, 409, "application-held")
		f.release(t)
		f.complete(t, o.staff(t, "approver-1"), order).is(t, 201, "")
	}
	o.onwards(t, "it is paid again", time.Minute, func() bool { return f.payout(t).State == payout.Paid })
	f.settled(t)
	if c := f.card(t); c.Payments[0].PaidFen != c.Payments[0].AwardedFen {
		t.Errorf("the card says %+v", c.Payments[0])
	}
}

func TestCash(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	f := o.file(t, p, without("payee")).verified(t)
	clerk := o.staff(t, "clerk-1")
	clerk.post(t, f.staffPath("/proposals"), map[string]any{"rail": "bank"}).is(t, 409, "no-account")
	f.proposeAs(t, clerk, map[string]any{"amount_fen": 100_000, "months": 1})
	f.decide(t, o.staff(t, "approver-1")).is(t, 201, "")
	receipt := staffPosts["/cash-receipts"]
	// Who proposed or approved does not hand over.
	own := f.order(t, clerk, "/cash-receipts", receipt)
	f.complete(t, o.staff(t, "finance-1"), own).is(t, 403, "payout-two-people")
	order := f.order(t, o.staff(t, "clerk-2"), "/cash-receipts", receipt)
	f.complete(t, o.staff(t, "clerk-2"), order).is(t, 403, "")
	var won atomic.Int64
	together(4, func(i int) {
		for {
			r := f.complete(t, []caller{o.staff(t, "finance-1"), o.staff(t, "county-1")}[i%2], order)
			if r.problem().Code == "application-moved" {
				continue
			}
			if r.status == 201 {
				won.Add(1)
			}
			return
		}
	})
	if won.Load() != 1 {
		t.Errorf("handed over %d times", won.Load())
	}
	if m := f.payout(t); m.State != payout.Paid || m.PaidFen != 100_000 {
		t.Errorf("%s %d", m.State, m.PaidFen)
	}
	f.by.post(t, f.path("/receipts"), map[string]any{"award": "01", "answer": "wrong_amount"}).is(t, 200, "")
	if h := f.holds(t); !slices.Equal(h, []string{application.HoldAmount}) {
		t.Errorf("holds %v", h)
	}
	// More than may be handed over for one case.
	g := o.file(t, o.person(t), without("payee")).verified(t)
	g.proposeAs(t, clerk, map[string]any{"amount_fen": 300_000, "months": 2})
	g.decide(t, o.staff(t, "approver-1")).is(t, 201, "")
	big := g.order(t, o.staff(t, "clerk-2"), "/cash-receipts", receipt)
	g.complete(t, o.staff(t, "finance-1"), big).is(t, 409, "cash-case-limit")
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t))
	f.by.post(t, f.path("/receipts"), map[string]any{"award": "01", "answer": "received"}).is(t, 409, "not-paid-yet")
	f.approve(t).paid(t)
	for _, answer := range []string{"not_received", "not_received", "wrong_amount", "received"} {
		f.by.post(t, f.path("/receipts"), map[string]any{"award": "01", "answer": answer}).is(t, 200, "")
	}
	// Saying "received" afterwards does not lift what was said before.
	if h := f.holds(t); !slices.Equal(h, []string{application.HoldReceipt, application.HoldAmount}) {
		t.Errorf("holds %v", h)
	}
	if c := f.card(t); c.Payments[0].Receipt != "received" {
		t.Errorf("%+v", c.Payments[0])
	}
}

func TestStandingApprovalIsOff(t *testing.T) {
	t.Parallel()
	o := shared(t)
	until := o.clock.Now().AddDate(0, 0, 5).Format(time.RFC3339)
	body := map[string]any{"township": township, "class": "dibao", "person_fen": 100_000, "total_fen": 500_000, "until": until}
	o.staff(t, "approver-1").post(t, "/v1/staff/envelopes", body).is(t, 409, "")
	o.staff(t, "clerk-1").post(t, "/v1/staff/envelopes", body).is(t, 403, "")
}

// A refusal is a person's, names the remedy, and can be objected to.
func TestRefusal(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	approver := o.staff(t, "approver-1")
	f.unmoved(t, func() {
		approver.post(t, f.staffPath("/refusals"), map[string]any{"code": "TOO_RICH", "reason": "家里有一辆车，不给。"}).is(t, 400, "")
		approver.post(t, f.staffPath("/refusals"), map[string]any{"code": "NOT_EMERGENCY", "reason": "不给"}).is(t, 400, "")
		o.staff(t, "clerk-1").post(t, f.staffPath("/refusals"), staffPosts["/refusals"]).is(t, 403, "not-allowed")
	})
	// Refused and approved at once: one of them.
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
	var refused, approved atomic.Bool
	together(2, func(i int) {
		if i == 0 {
			refused.Store(approver.post(t, f.staffPath("/refusals"), staffPosts["/refusals"]).status == 201)
			return
		}
		approved.Store(f.decide(t, o.staff(t, "county-1")).status == 201)
	})
	if refused.Load() == approved.Load() {
		t.Errorf("refused %v, approved %v", refused.Load(), approved.Load())
	}
	if approved.Load() {
		f.paid(t)
		return
	}
	r := f.by.get(t, f.path("")).is(t, 200, "")
	for _, word := range []string{"行政复议", "第二十九条", "12345"} {
		if !strings.Contains(string(r.body), word) {
			t.Errorf("the refusal does not say %s: %s", word, r.body)
		}
	}
	f.by.post(t, f.path("/appeals"), posts["/appeals"]).is(t, 201, "")
	f.by.post(t, f.path("/withdrawal"), map[string]any{}).is(t, 409, "application-state")
	// Who was refused may ask again.
	o.fileAs(t, f.by, f.who)
}

// The same person and fire, filed by themselves and by a relative: both are
// taken, the second is held, and there is one award.
func TestFiledTwiceByTwo(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p, agent := o.person(t), o.person(t)
	first := o.file(t, p)
	first.by.post(t, "/v1/applications", form(p)).is(t, 409, "duplicate-open")
	second := o.fileAs(t, o.citizen(t, agent), p, with("relation", "relative"), with("applicant", who(agent)))
	if h := second.holds(t); !slices.Contains(h, application.HoldDuplicate) {
		t.Errorf("holds %v", h)
	}
	first.approve(t).paid(t)
	second.verified(t)
	second.release(t)
	r := o.staff(t, "clerk-1").post(t, second.staffPath("/proposals"), map[string]any{})
	if r.status == 201 {
		second.decide(t, o.staff(t, "approver-1")).is(t, 409, "award-duplicate")
	} else {
		r.is(t, 409, "exception-required")
	}
	// By exception, and by the county, it may be: logged and paid.
	second.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{"exception": map[string]any{"codes": []string{"SAME_CAUSE_REPEAT"}, "reason": "第二次起火，与第一次无关，经核实。"}})
	second.unmoved(t, func() { second.decide(t, o.staff(t, "approver-1")).is(t, 403, "county-required") })
	second.decide(t, o.staff(t, "county-1")).is(t, 201, "")
	second.becomes(t, payout.Paid)
	if n := second.times(t); n != 2 {
		t.Errorf("paid %d times for two awards", n)
	}
}

// Filed at the same moment by two: one keeps the marker, the other is held.
func TestFiledAtOnceByTwo(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	var files [4]*file
	agents := make([]caller, len(files))
	forms := make([]map[string]any, len(files))
	for i := range files {
		agent := o.person(t)
		agents[i] = o.citizen(t, agent)
		forms[i] = form(p, with("relation", "relative"), with("applicant", who(agent)))
	}
	together(len(files), func(i int) {
		var a struct{ ID string }
		agents[i].post(t, "/v1/applications", forms[i]).is(t, 201, "").read(t, &a)
		files[i] = &file{o, a.ID, p, agents[i]}
	})
	free := 0
	for _, f := range files {
		f.watch(t)
		if !slices.Contains(f.holds(t), application.HoldDuplicate) {
			free++
		}
	}
	if free != 1 {
		t.Errorf("%d of %d are not held", free, len(files))
	}
}
