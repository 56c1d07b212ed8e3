package decide_test

import (
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/payout"
)

// awarded is an application with an award, and the bank's answers to its payment.
func (w *world) awarded(body m, said ...payout.Said) string {
	w.T.Helper()
	id, approval := w.proposed(body)
	w.want(w.post(approver, id, "approvals", approval), 201, "")
	if len(said) > 0 {
		w.step(id, payout.Claim{Payee: "digest"})
	}
	for _, s := range said {
		p := w.payout(id)
		s.Reference, s.Payee = p.Attempts[0].Reference, "digest"
		if s.AmountFen == 0 {
			s.AmountFen = p.Award.AmountFen
		}
		w.step(id, payout.Answer{Said: s})
	}
	return id
}

func (w *world) payout(id string) payout.Payout {
	w.T.Helper()
	p, err := payout.Get(w.T.Context(), w.Store, payout.Key(id, "01"))
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

func (w *world) step(id string, in payout.Input) {
	w.T.Helper()
	o, err := payout.Step(w.payout(id), in, event.Actor{Kind: event.Provider, ID: "bank"}, w.Now())
	if err == nil {
		err = payout.Commit(w.T.Context(), w.Store, o)
	}
	if err != nil {
		w.T.Fatal(err)
	}
}

// release lifts every open hold.
func (w *world) release(who, id string) {
	w.T.Helper()
	for _, h := range w.Read(id).Holds {
		if h.Lifted == nil {
			w.want(w.post(who, id, "holds/"+h.ID+"/release", m{"reason": "已核实处理。"}), 201, "")
		}
	}
}

func TestAFailedPaymentGoesToAnotherAccountByTwoPeople(t *testing.T) {
	t.Parallel()
	for name, said := range map[string][]payout.Said{
		"failed":   {{Word: payout.Declined, Code: "ACCOUNT_CLOSED"}},
		"returned": {{Word: payout.Succeeded}, {Word: payout.SentBack}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			id := w.awarded(nil, said...)
			ask := m{"account": w.Account(999).Reveal(), "reason": "原账户已销户，本人提供新账户。"}
			w.want(w.post(clerk, id, "payees", m{"account": "12", "reason": "原账户已销户。"}), 400, "invalid-fields")
			w.want(w.post(approver, id, "payees", ask), 403, "not-allowed")
			r := w.post(clerk2, id, "payees", ask)
			w.want(r, 201, "")
			if r.text("account_tail") != "0999" || strings.Contains(r.body, w.Account(999).Reveal()) {
				t.Errorf("got %s", r.body)
			}
			path := "orders/" + r.text("order") + "/approvals"
			w.want(w.post(clerk2, id, path, nil), 403, "same-person")
			w.want(w.post(approver2, id, path, nil), 404, "application-not-found")
			w.want(w.post(approver, id, "orders/nothing/approvals", nil), 404, "application-not-found")
			w.want(w.post(approver, id, path, nil), 409, "application-held")
			w.release(approver, id)
			w.want(w.post(approver, id, path, nil), 201, "")
			w.want(w.post(approver, id, path, nil), 409, "order-done")
			p := w.payout(id)
			a := w.Read(id)
			if p.State != payout.Due || p.Reservation != 2 || p.Award.Payee != application.AccountRef(w.Blind, w.Account(999)) || a.Payee != p.Award.Payee {
				t.Errorf("payout %+v", p)
			}
			particulars, _, err := application.OpenParticulars(t.Context(), w.Store, w.Box, id)
			if err != nil || particulars.Account != w.Account(999) {
				t.Errorf("particulars keep another account (%v)", err)
			}
			to, err := payout.OpenPayee(t.Context(), w.Store, w.Box, p)
			if err != nil || to.Account != w.Account(999) {
				t.Errorf("payee %v %v", to, err)
			}
			if b := w.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Reserved) != p.Award.AmountFen {
				t.Errorf("reserved %v", b.Of(fund.Reserved))
			}
			for _, e := range w.Events(application.Partition(id)) {
				if text := e.Facts.Text("account"); text != "" {
					t.Errorf("%s holds an account", e.Kind)
				}
			}
		})
	}
}

func TestAnOrderIsForThePayoutAsItWas(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.awarded(nil, payout.Said{Word: payout.Declined})
	r := w.post(clerk2, id, "payees", m{"account": w.Account(5).Reveal(), "reason": "更换账户。"})
	w.want(r, 201, "")
	w.release(approver, id)
	// The bank now says it paid after all: paying again would pay twice.
	w.step(id, payout.News{Said: payout.Said{Word: payout.Succeeded, Reference: w.payout(id).Attempts[0].Reference, Payee: "digest",
		AmountFen: w.payout(id).Award.AmountFen}})
	w.want(w.post(approver, id, "orders/"+r.text("order")+"/approvals", nil), 409, "payout-moved")
	w.want(w.post(clerk2, id, "payees", m{"account": w.Account(5).Reveal(), "reason": "更换账户。"}), 409, "payout-state")
}

func TestCashNeedsASignedReceiptAndTwoPeople(t *testing.T) {
	t.Parallel()
	w := open(t)
	cash := func(amount int) string { return w.awarded(m{"rail": "reserve_cash", "amount_fen": amount}) }
	id := cash(1500_00)
	hash := strings.Repeat("ab", 32)
	w.want(w.post(clerk2, id, "cash-receipts", m{"receipt_sha256": strings.Repeat("AB", 32)}), 400, "invalid-fields")
	w.want(w.post(clerk2, id, "cash-receipts", m{}), 400, "invalid-fields")
	r := w.post(clerk2, id, "cash-receipts", m{"receipt_sha256": hash, "note": "本人签收。"})
	w.want(r, 201, "")
	path := "orders/" + r.text("order") + "/approvals"
	w.want(w.post(clerk2, id, path, nil), 403, "same-person")
	w.want(w.post(finance, id, path, nil), 201, "")
	if p := w.payout(id); p.State != payout.Paid || p.Receipt != hash {
		t.Errorf("payout %+v", p)
	}
	if b := w.Balance(fund.Reserve, firstaidtest.Township); b.Of(fund.Paid) != 1500_00 || b.Of(fund.Reserved) != 0 {
		t.Errorf("balances %+v", b)
	}
	// The proposer may not hand it out as well; the limits of case and day hold.
	for _, tc := range []struct {
		who    string
		amount int
		status int
		code   string
	}{
		{clerk, 100_00, 403, "payout-two-people"}, {clerk2, 2000_01, 409, "cash-case-limit"}, {clerk2, 1600_00, 409, "fund-day-limit"}, {clerk2, 1500_00, 201, ""},
	} {
		id := cash(tc.amount)
		r := w.post(tc.who, id, "cash-receipts", m{"receipt_sha256": hash})
		w.want(r, 201, "")
		w.want(w.post(finance, id, "orders/"+r.text("order")+"/approvals", nil), tc.status, tc.code)
	}
}

func TestAFrozenPaymentThawsByTwoPeople(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.awarded(nil, payout.Said{Word: payout.Succeeded, AmountFen: 1}) // X040: another amount than awarded
	if p := w.payout(id); p.State != payout.Frozen {
		t.Fatalf("payout %s", p.State)
	}
	why := m{"reason": "已与银行核对流水，金额一致，系报文错误。"}
	w.want(w.post(clerk, id, "thaws", why), 403, "not-allowed")
	r := w.post(finance, id, "thaws", why)
	w.want(r, 201, "")
	w.want(w.post(finance, id, "orders/"+r.text("order")+"/approvals", nil), 403, "same-person")
	w.want(w.post(approver, id, "orders/"+r.text("order")+"/approvals", nil), 201, "")
	if p := w.payout(id); p.State != payout.Unknown {
		t.Errorf("payout %s", p.State)
	}
	w.want(w.post(finance, id, "thaws", why), 409, "payout-state")
}
