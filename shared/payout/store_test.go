package payout_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

const (
	canaryName    = "欧阳试金"
	canaryAccount = "6222020200099887766"
)

// room is a store with an approved application and money in the fund.
type room struct {
	*embedded.Store
	t    *testing.T
	box  *seal.Box
	head application.Application
}

func newRoom(t *testing.T, available money.Fen) *room {
	t.Helper()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	r := &room{Store: embedded.Memory(), t: t, box: seal.NewBox(keys, rand.Reader)}
	for _, p := range fund.Purposes() {
		s := fund.Slice{ID: fund.ID{Fund: fund.Named(p, 2026), Township: "320402001000"}, Source: "county"}
		if err := fund.Provide(t.Context(), r, s, fund.Appropriation{Reference: "1", AmountFen: available, First: anna, Second: bert, At: now}); err != nil {
			t.Fatal(err)
		}
	}
	r.head = r.application("app1")
	return r
}

// application puts an approved application.
func (r *room) application(id string) application.Application {
	r.t.Helper()
	a := application.Application{ID: id, Version: 1, State: application.Approved, Account: "acc", Township: "320402001000",
		Subject: "b1.person", People: []string{"b1.person", "b1.cousin"}, AcceptedAt: now}
	r.do(a.Writes(a.Event("approved", anna, now)))
	return a
}

func (r *room) do(writes []table.Write, err error) {
	r.t.Helper()
	if err == nil {
		err = r.Transact(r.t.Context(), writes...)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) payee(reservation int) table.Item {
	r.t.Helper()
	item, err := payout.Payee{Name: civil.StoredName(canaryName), Account: civil.StoredAccount(canaryAccount)}.
		Seal(r.t.Context(), r.box, "app1", "01", reservation)
	if err != nil {
		r.t.Fatal(err)
	}
	return item
}

func (r *room) grant(rail award.Rail) payout.Payout {
	r.t.Helper()
	var payee table.Item
	if rail.ByMachine() {
		payee = r.payee(1)
	}
	r.do(payout.Grant(r.t.Context(), r, sample(rail), payee))
	return r.payout()
}

func (r *room) payout() payout.Payout {
	r.t.Helper()
	p, err := payout.Get(r.t.Context(), r, payout.Key("app1", "01"))
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// commit steps p and stores it.
func (r *room) commit(p payout.Payout, in payout.Input) error {
	r.t.Helper()
	o, err := payout.Step(p, in, machine, p.Next)
	if err != nil {
		r.t.Fatal(err)
	}
	return payout.Commit(r.t.Context(), r, o)
}

// failed is a payout the bank would not carry out, with everything stored.
func (r *room) failed() payout.Payout {
	r.t.Helper()
	p := r.grant(award.Bank)
	for _, in := range []func(payout.Payout) payout.Input{claims, reply(payout.Silence), answer(payout.Declined)} {
		if err := r.commit(p, in(p)); err != nil {
			r.t.Fatal(err)
		}
		p = r.payout()
	}
	return p
}

func (r *room) balances(purpose fund.Purpose, available, reserved, paid money.Fen) {
	r.t.Helper()
	id := fund.ID{Fund: fund.Named(purpose, 2026), Township: "320402001000"}
	s, err := fund.Read(r.t.Context(), r, id)
	if err != nil {
		r.t.Fatal(err)
	}
	b := s.Balances
	if b.Of(fund.Available) != available || b.Of(fund.Reserved) != reserved || b.Of(fund.Paid) != paid {
		r.t.Errorf("%s stands at %v; want available %d reserved %d paid %d", purpose, b.Accounts, available, reserved, paid)
	}
	if err := fund.Coherent(r.t.Context(), r, id); err != nil {
		r.t.Error(err)
	}
}

func (r *room) items(pk string) []table.Item {
	r.t.Helper()
	page, err := r.Query(r.t.Context(), table.Query{PK: pk})
	if err != nil {
		r.t.Fatal(err)
	}
	return page.Items
}

func TestGrantIsOneFact(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.grant(award.Bank)
	if p.State != payout.Due || p.Version != 1 || !p.Open {
		t.Errorf("granted: %+v", p)
	}
	item, _, _ := r.Get(t.Context(), payout.Key("app1", "01"))
	if at, q, owes := work.Owed(item); !owes || q != work.Pay || !at.Equal(now) {
		t.Errorf("it is owed to %q at %v", q, at)
	}
	r.balances(fund.Relief, 7_000_00, 3_000_00, 0)
	ev, ok, _ := r.Get(t.Context(), event.Key("APP#app1", payout.Noun, "01", 1))
	if e, err := event.Decode(ev); !ok || err != nil || e.Kind != "granted" || e.Facts.Fen("amount_fen") != amount || e.Facts.Text("rail") != "bank" {
		t.Errorf("event %+v, %v", e, err)
	}
	if _, err := payout.Grant(t.Context(), r, sample(award.Bank), r.payee(1)); !errors.Is(err, award.ErrOnce) {
		t.Errorf("the same award again: %v", err)
	}
	got, err := payout.OpenPayee(t.Context(), r, r.box, p)
	if err != nil || got.Name.Reveal() != canaryName || got.Account.Reveal() != canaryAccount {
		t.Errorf("payee %v, %v", got, err)
	}
}

func TestGrantRefuses(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 2_999_99)
	a := sample(award.Bank)
	writes, err := payout.Grant(t.Context(), r, a, r.payee(1))
	if err != nil {
		t.Fatal(err)
	}
	var failed *table.ConditionError
	if err := r.Transact(t.Context(), writes...); !errors.As(err, &failed) || !errors.Is(payout.Refusal(failed, a, now), fund.ErrShort) {
		t.Errorf("one fen short: %v", err)
	}
	if err := payout.Refusal(&table.ConditionError{Failures: []table.Failure{{Key: table.Key{PK: "PERSON#x", SK: "ONCE"}, Reason: table.Exists}}}, a, now); err != nil {
		t.Errorf("a marker is for Grant to name: %v", err)
	}
	if _, err := payout.Grant(t.Context(), r, a, r.payee(2)); !errors.Is(err, award.ErrIncomplete) {
		t.Errorf("a payee sealed for another reservation: %v", err)
	}
	bad := a
	bad.AmountFen = 0
	if _, err := payout.Grant(t.Context(), r, bad, r.payee(1)); !errors.Is(err, award.ErrAmount) {
		t.Errorf("nothing granted: %v", err)
	}
	envelope := a
	envelope.Proposer, envelope.Approver, envelope.Envelope, envelope.Exception = event.Actor{}, event.Actor{}, "e1", "REASON"
	writes, err = payout.Grant(t.Context(), r, envelope, r.payee(1))
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(writes[1].(table.Put).Item)
	if err != nil || e.Actor.Kind != event.System || e.Actor.ID != "envelope#e1" || e.Reason != "REASON" {
		t.Errorf("within an envelope: %+v, %v", e, err)
	}
}

func TestX048OfManyGrantsOneIsMade(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 1_000_000_00)
	payee := r.payee(1)
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			writes, err := payout.Grant(t.Context(), r, sample(award.Bank), payee)
			if err == nil {
				err = r.Transact(t.Context(), writes...)
			}
			if err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d grants", won.Load())
	}
	r.balances(fund.Relief, 997_000_00, 3_000_00, 0)
}

func TestFailureIsOneFact(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.failed()
	r.balances(fund.Relief, 10_000_00, 0, 0)
	head, err := application.Get(t.Context(), r, "app1")
	if err != nil || !head.Held() || head.Holds[0].Code != payout.HoldFailed || head.Holds[0].Owner != "clerk" || head.Holds[0].Due.Sub(head.Holds[0].At) != 24*time.Hour {
		t.Errorf("holds %+v, %v", head.Holds, err)
	}
	var events, notices int
	for _, item := range r.items("APP#app1") {
		if event.Is(item.Key) && strings.Contains(item.Key.SK, "#payout#") {
			events++
		}
		if notice.Is(item.Key) {
			n, err := notice.Decode(item)
			if err != nil || n.Kind != notice.PaymentFailed || n.Facts.Fen("amount_fen") != amount {
				t.Errorf("notice %+v, %v", n, err)
			}
			notices++
		}
	}
	if int64(events) != p.Version || notices != 1 {
		t.Errorf("%d events for version %d, %d notices", events, p.Version, notices)
	}
	if item, _, _ := r.Get(t.Context(), payout.Key("app1", "01")); len(item.Places) != 0 {
		t.Errorf("a failed payout is owed to a machine: %v", item.Places)
	}
}

func TestPaidAfterAllBySecondAccount(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.failed()
	if _, _, err := payout.Again(t.Context(), r, r.head, p, payout.Retry{Payee: "b1.second", First: anna, Second: bert}, r.payee(1), now); !errors.Is(err, award.ErrIncomplete) {
		t.Errorf("the payee of the first reservation: %v", err)
	}
	kin := event.Actor{Kind: event.Staff, ID: "x", Person: "b1.cousin"}
	if _, _, err := payout.Again(t.Context(), r, r.head, p, payout.Retry{Payee: "b1.second", First: anna, Second: kin}, r.payee(2), now); !errors.Is(err, payout.ErrConcerned) {
		t.Errorf("by a cousin: %v", err)
	}
	if _, _, err := payout.Again(t.Context(), r, r.head, r.New(), payout.Retry{First: anna, Second: bert}, r.payee(2), now); !errors.Is(err, payout.ErrState) {
		t.Errorf("of one that has not failed: %v", err)
	}
	writes, next, err := payout.Again(t.Context(), r, r.head, p, payout.Retry{Payee: "b1.second", First: anna, Second: bert}, r.payee(2), now)
	r.do(writes, err)
	if next.State != payout.Due || r.payout().Reservation != 2 {
		t.Errorf("%+v", next)
	}
	r.balances(fund.Relief, 7_000_00, 3_000_00, 0)
	for _, in := range []func(payout.Payout) payout.Input{claims, reply(payout.Processing), answer(payout.Succeeded), answer(payout.SentBack)} {
		p := r.payout()
		if p.State == payout.Paid {
			p.Next = now
			r.balances(fund.Relief, 7_000_00, 0, 3_000_00)
		}
		if err := r.commit(p, in(p)); err != nil {
			t.Fatal(err)
		}
	}
	r.balances(fund.Relief, 10_000_00, 0, 3_000_00) // paid, ever; returned is beside it
	// The account is the second person's, and nobody else's from now on.
	p = r.payout()
	p.Award.Subject = "b1.stranger"
	if _, _, err := payout.Again(t.Context(), r, r.head, p, payout.Retry{Payee: "b1.second", First: anna, Second: bert}, r.payee(3), now); !errors.Is(err, award.ErrPayeeTaken) {
		t.Errorf("another person's account: %v", err)
	}
}

// New is a payout that has only just been granted.
func (r *room) New() payout.Payout { return payout.New(sample(award.Bank)) }

func TestMoneyThatCameAlthoughDeclined(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	r.failed()
	for _, in := range []func(payout.Payout) payout.Input{news(payout.Succeeded), answer(payout.Succeeded)} {
		p := r.payout()
		if p.Next.IsZero() {
			p.Next = now
		}
		if err := r.commit(p, in(p)); err != nil {
			t.Fatal(err)
		}
	}
	p := r.payout()
	if p.State != payout.Paid || !p.Late {
		t.Errorf("%+v", p)
	}
	r.balances(fund.Relief, 7_000_00, 0, 3_000_00)
	p.Next = now
	if err := r.commit(p, answer(payout.SentBack)(p)); err != nil {
		t.Fatal(err)
	}
	r.balances(fund.Relief, 10_000_00, 0, 3_000_00)
}

func TestPayCash(t *testing.T) {
	t.Parallel()
	clerk2 := event.Actor{Kind: event.Staff, ID: "clerk-2", Person: "b1.clerk2"}
	right := payout.CashPayment{Handler: clerk2, Witness: bert, Receipt: strings.Repeat("a", 64), CaseFen: amount, DayFen: amount, At: now}
	for name, c := range map[string]struct {
		change func(*payout.CashPayment, *application.Application)
		want   error
	}{
		"all in order, at both limits exactly": {func(*payout.CashPayment, *application.Application) {}, nil},
		"one person":                           {func(c *payout.CashPayment, _ *application.Application) { c.Witness = clerk2 }, payout.ErrTwo},
		"the proposer hands out":               {func(c *payout.CashPayment, _ *application.Application) { c.Handler = sample(award.Bank).Proposer }, payout.ErrTwo},
		"the approver hands out":               {func(c *payout.CashPayment, _ *application.Application) { c.Handler = anna }, payout.ErrTwo},
		"the approver by another account": {func(c *payout.CashPayment, _ *application.Application) {
			c.Handler = event.Actor{Kind: event.Staff, ID: "other", Person: anna.Person}
		}, payout.ErrTwo},
		"the approver by account, of whom no person was kept": {func(c *payout.CashPayment, _ *application.Application) {
			c.Handler = event.Actor{Kind: event.Staff, ID: anna.ID, Person: "b1.other"}
		}, payout.ErrTwo},
		"to a cousin": {func(c *payout.CashPayment, _ *application.Application) { c.Handler.Person = "b1.cousin" }, payout.ErrConcerned},
		"seen by a cousin": {func(c *payout.CashPayment, _ *application.Application) {
			c.Witness.Person = "b1.cousin"
		}, payout.ErrConcerned},
		"no receipt":            {func(c *payout.CashPayment, _ *application.Application) { c.Receipt = "" }, payout.ErrReceipt},
		"over the case's limit": {func(c *payout.CashPayment, _ *application.Application) { c.CaseFen-- }, payout.ErrCase},
		"over the day's limit":  {func(c *payout.CashPayment, _ *application.Application) { c.DayFen-- }, fund.ErrDay},
		"held": {func(_ *payout.CashPayment, a *application.Application) {
			a.Holds = []application.Hold{{ID: "h", Code: "STAFF"}}
		}, application.ErrHeld},
		"another application": {func(_ *payout.CashPayment, a *application.Application) { a.ID = "app2" }, payout.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, 10_000_00)
			p := r.grant(award.ReserveCash)
			if item, _, _ := r.Get(t.Context(), payout.Key("app1", "01")); len(item.Places) != 0 {
				t.Errorf("cash is owed to a machine: %v", item.Places)
			}
			pay, head := right, r.head
			c.change(&pay, &head)
			writes, next, err := payout.PayCash(t.Context(), r, head, p, pay)
			if !errors.Is(err, c.want) && err != c.want {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want != nil {
				return
			}
			r.do(append(writes, head.Unmoved()), nil)
			if next.State != payout.Paid || r.payout().PaidFen != amount {
				t.Errorf("paid: %+v", next)
			}
			r.balances(fund.Reserve, 7_000_00, 0, 3_000_00)
			if _, _, err := payout.PayCash(t.Context(), r, head, r.payout(), pay); !errors.Is(err, payout.ErrState) {
				t.Errorf("handed over twice: %v", err)
			}
			ev, _, _ := r.Get(t.Context(), event.Key("APP#app1", payout.Noun, "01", 2))
			if e, err := event.Decode(ev); err != nil || e.Facts.Text("witness") != bert.ID || e.Facts.Text("receipt") != pay.Receipt {
				t.Errorf("event %+v, %v", e, err)
			}
		})
	}
}

func TestTheSecondCashPaymentOfADay(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	for i, want := range []error{nil, fund.ErrDay} {
		a := sample(award.ReserveCash)
		a.Application, a.Subject = fmt.Sprintf("day%d", i), fmt.Sprintf("b1.p%d", i)
		head := r.application(a.Application)
		r.do(payout.Grant(t.Context(), r, a, table.Item{}))
		p, err := payout.Get(t.Context(), r, payout.Key(a.Application, "01"))
		if err != nil {
			t.Fatal(err)
		}
		writes, _, err := payout.PayCash(t.Context(), r, head, p, payout.CashPayment{
			Handler: event.Actor{Kind: event.Staff, ID: "clerk-2", Person: "b1.clerk2"}, Witness: bert,
			Receipt: strings.Repeat("a", 64), CaseFen: amount, DayFen: 2*amount - 1, At: now})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Transact(t.Context(), writes...)
		var failed *table.ConditionError
		if errors.As(err, &failed) {
			err = payout.Refusal(failed, a, now)
		}
		if !errors.Is(err, want) && err != want {
			t.Errorf("payment %d: %v, want %v", i, err, want)
		}
	}
}

// meddler does something just before a transaction.
type meddler struct {
	table.Store
	before func(n int) error
	n      *int
}

func (m meddler) Transact(ctx context.Context, w ...table.Write) error {
	*m.n++
	if err := m.before(*m.n); err != nil {
		return err
	}
	return m.Store.Transact(ctx, w...)
}

func TestCommit(t *testing.T) {
	t.Parallel()
	noted := func(r *room) error {
		a, err := application.Get(t.Context(), r, "app1")
		if err != nil {
			return err
		}
		next, err := a.Note()
		if err != nil {
			return err
		}
		w, err := next.Writes(next.Event("noted", anna, now))
		if err != nil {
			return err
		}
		return r.Transact(t.Context(), w...)
	}
	for name, c := range map[string]struct {
		before func(r *room, n int) error
		want   error
		tried  int
	}{
		"undisturbed": {func(*room, int) error { return nil }, nil, 1},
		"the application moves once": {func(r *room, n int) error {
			if n == 1 {
				return noted(r)
			}
			return nil
		}, nil, 2},
		"the application never rests": {func(r *room, _ int) error { return noted(r) }, payout.ErrMovedOn, 5},
		"the payout moves": {func(r *room, _ int) error {
			p := r.payout()
			return r.commit(p, answer(payout.Silence)(p))
		}, payout.ErrMovedOn, 1}, // whoever moved it has taken care: there is nothing to try again
		"the store does not say": {func(*room, int) error { return table.ErrUnknown }, payout.ErrIndeterminate, 1},
		"the store is busy":      {func(*room, int) error { return table.ErrBusy }, table.ErrBusy, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, 10_000_00)
			p := r.grant(award.Bank)
			for _, in := range []func(payout.Payout) payout.Input{claims, reply(payout.Silence)} {
				if err := r.commit(p, in(p)); err != nil {
					t.Fatal(err)
				}
				p = r.payout()
			}
			o, err := payout.Step(p, answer(payout.Declined)(p), machine, p.Next)
			if err != nil {
				t.Fatal(err)
			}
			m := meddler{r, func(n int) error { return c.before(r, n) }, new(int)}
			if err := payout.Commit(t.Context(), m, o); !errors.Is(err, c.want) && err != c.want {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if *m.n != c.tried {
				t.Errorf("tried %d times, want %d", *m.n, c.tried)
			}
			if c.want == nil && r.payout().State != payout.Failed {
				t.Error("not stored")
			}
			if c.want != nil && r.payout().State == payout.Failed {
				t.Error("stored although it was refused")
			}
		})
	}
}

func TestTheBytesOfAnAttemptAreFixed(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.grant(award.Bank)
	ref, n := p.NextReference()
	raw := []byte(`{"payee_account":"` + canaryAccount + `"}`)
	o, err := payout.Step(p, claims(p), machine, now)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := p.Request(t.Context(), r.box, ref, n, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := payout.Commit(t.Context(), r, o, writes...); err != nil {
		t.Fatal(err)
	}
	got, err := payout.OpenRequest(t.Context(), r, r.box, p, ref)
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%s, %v", got, err)
	}
	back, err := payout.ByReference(t.Context(), r, ref)
	if err != nil || back.Award.Application != "app1" || back.State != payout.Instructing {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := payout.ByReference(t.Context(), r, "nobodys"); !errors.Is(err, payout.ErrNotFound) {
		t.Error(err)
	}
	if err := payout.Commit(t.Context(), r, o, writes...); !errors.Is(err, payout.ErrMovedOn) {
		t.Errorf("claimed twice: %v", err)
	}
	if _, err := payout.OpenRequest(t.Context(), r, r.box, p, "nobodys"); err == nil {
		t.Error("bytes of nothing")
	}
	// P01: whoever reads the table reads no name and no account.
	for _, item := range r.items("APP#app1") {
		for _, secret := range []string{canaryAccount, canaryName} {
			if bytes.Contains(item.Body, []byte(secret)) || strings.Contains(item.Key.SK, secret) {
				t.Errorf("%s shows a payee", item.Key.SK)
			}
		}
	}
	// P02: a sealed payee moved to another row does not open.
	item, _, _ := r.Get(t.Context(), table.Key{PK: "APP#app1", SK: "PAYEE#01#001"})
	item.Key.SK = "PAYEE#01#002"
	r.do([]table.Write{table.Put{Item: item}}, nil)
	p.Reservation = 2
	if _, err := payout.OpenPayee(t.Context(), r, r.box, p); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a moved payee: %v", err)
	}
}

func TestWhatIsNotAPayout(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 1)
	if _, err := payout.Get(t.Context(), r, application.Key("app1")); !errors.Is(err, payout.ErrNotFound) {
		t.Errorf("the head of an application: %v", err)
	}
	if _, err := payout.Get(t.Context(), r, payout.Key("app1", "09")); !errors.Is(err, payout.ErrNotFound) {
		t.Error(err)
	}
	for _, key := range []table.Key{payout.Key("app1", "08"), {PK: "REF#damaged", SK: "PAYOUT"}} {
		r.do([]table.Write{table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte("{")}}}, nil)
	}
	if _, err := payout.Get(t.Context(), r, payout.Key("app1", "08")); err == nil {
		t.Error("a damaged payout was read")
	}
	if _, err := payout.ByReference(t.Context(), r, "damaged"); err == nil {
		t.Error("a damaged reference was read")
	}
	if err := payout.Commit(t.Context(), r, payout.Outcome{}); err != nil {
		t.Errorf("nothing to store: %v", err)
	}
}

func TestACashDayIsADayInChina(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.grant(award.ReserveCash)
	late := time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC) // midnight in China
	writes, _, err := payout.PayCash(t.Context(), r, r.head, p, payout.CashPayment{
		Handler: event.Actor{Kind: event.Staff, ID: "clerk-2", Person: "b1.clerk2"}, Witness: bert,
		Receipt: strings.Repeat("a", 64), CaseFen: amount, DayFen: amount, At: late})
	if err != nil {
		t.Fatal(err)
	}
	if key := writes[len(writes)-1].Target(); key.SK != "DAY#2026-11-23" {
		t.Errorf("counted on %s", key.SK)
	}
}

// dumb is a store that answers nothing when asked for a key, or for anything.
type dumb struct {
	table.Store
	err error
}

func (d dumb) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, d.err
}

func (d dumb) Query(context.Context, table.Query) (table.Page, error) { return table.Page{}, d.err }

// What a store does not say is not read as "there is none".
func TestAStoreThatIsAwayIsNoAnswer(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.grant(award.Bank)
	waiting := drive(t, payout.New(sample(award.WxPay)), claims, packaged)
	failed := r.answered(p, payout.Declined) // puts a hold, for which the application must be read
	away := dumb{r, errors.New("the store is away")}
	for name, ask := range map[string]func() error{
		"the payout":        func() error { _, err := payout.Get(t.Context(), away, payout.Key("app1", "01")); return err },
		"by its reference":  func() error { _, err := payout.ByReference(t.Context(), away, "r"); return err },
		"the payee":         func() error { _, err := payout.OpenPayee(t.Context(), away, r.box, p); return err },
		"the bytes":         func() error { _, err := payout.OpenRequest(t.Context(), away, r.box, p, "r"); return err },
		"the package":       func() error { _, err := payout.OpenPackage(t.Context(), away, r.box, waiting); return err },
		"the day book":      func() error { _, err := payout.OnDay(t.Context(), away, award.Bank, calendar.Today(now)); return err },
		"the award's marks": func() error { _, err := payout.Grant(t.Context(), away, sample(award.Bank), r.payee(1)); return err },
		"the application":   func() error { return payout.Commit(t.Context(), away, failed) },
	} {
		if err := ask(); !errors.Is(err, away.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := r.payout(); got.Version != p.Version || got.State != payout.Due {
		t.Errorf("something was stored: %+v", got)
	}
}

// answered is what an answer would make of p once the bank has it.
func (r *room) answered(p payout.Payout, w payout.Word) payout.Outcome {
	r.t.Helper()
	p = drive(r.t, p, claims, reply(payout.Silence))
	o, err := payout.Step(p, answer(w)(p), machine, p.Next)
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

// What the person needs to accept the money is theirs, and only while they have the
// word; whoever reads the table does not see it.
func TestThePackageOfAnAttempt(t *testing.T) {
	t.Parallel()
	const content = "package-canary-0001"
	r := newRoom(t, 10_000_00)
	p := drive(t, payout.New(sample(award.WxPay)), claims)
	if _, err := payout.OpenPackage(t.Context(), r, r.box, p); !errors.Is(err, payout.ErrState) {
		t.Errorf("before there is one: %v", err)
	}
	p = drive(t, p, packaged)
	if _, err := payout.OpenPackage(t.Context(), r, r.box, p); err == nil {
		t.Error("a package that was never kept")
	}
	current, _ := p.Current()
	write, err := p.Package(t.Context(), r.box, current.Reference, redact.New(content))
	r.do([]table.Write{write}, err)
	got, err := payout.OpenPackage(t.Context(), r, r.box, p)
	if err != nil || got.Reveal() != content || strings.Contains(fmt.Sprint(got), content) {
		t.Errorf("%v, %v", got, err)
	}
	item, ok, err := r.Get(t.Context(), write.Target())
	if err != nil || !ok || bytes.Contains(item.Body, []byte(content)) {
		t.Errorf("P01: it is kept in the clear: %v", err)
	}
	if _, err := payout.OpenPackage(t.Context(), r, r.box, drive(t, p, cancel)); !errors.Is(err, payout.ErrState) {
		t.Errorf("while it is taken back: %v", err)
	}
}

// What is sealed can be damaged before it was sealed: nothing of it gets into an error.
func TestAPayeeThatIsNotToBeRead(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	p := r.grant(award.Bank)
	key := table.Key{PK: "APP#app1", SK: "PAYEE#01#001"}
	sealed, err := r.box.Seal(t.Context(), seal.Place{Table: application.TableName, PK: key.PK, SK: key.SK, Field: "payee"}, []byte(`{"name":"`+canaryName+`"`))
	r.do([]table.Write{table.Replace{Item: table.Item{Key: key, Version: 2, Body: sealed}}}, err)
	if _, err := payout.OpenPayee(t.Context(), r, r.box, p); err == nil || strings.Contains(err.Error(), canaryName) {
		t.Errorf("%v", err)
	}
}

// Who approved an award stands in the fund's own books, both of them, or the
// envelope alone where that approved it.
func TestWhoTookTheMoney(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*award.Award)
		want   []event.Actor
	}{
		"two people": {func(*award.Award) {}, []event.Actor{anna, sample(award.Bank).Proposer}},
		"an envelope": {func(a *award.Award) { a.Proposer, a.Approver, a.Envelope = event.Actor{}, event.Actor{}, "e1" },
			[]event.Actor{{Kind: event.System, ID: "envelope#e1"}}},
	} {
		r, a := newRoom(t, 10_000_00), sample(award.Bank)
		c.change(&a)
		r.do(payout.Grant(t.Context(), r, a, r.payee(1)))
		entries, err := fund.Entries(t.Context(), r, a.Slice())
		if err != nil {
			t.Fatal(name, err)
		}
		taken := slices.IndexFunc(entries, func(e fund.Entry) bool { return e.Kind == fund.Reservation })
		if taken < 0 || !slices.Equal(entries[taken].By, c.want) {
			t.Errorf("%s: %+v", name, entries)
		}
	}
}

// An account is one of one kind: a function that is called like a member of staff
// is nobody's second account.
func TestAFunctionIsNoColleague(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	a := sample(award.ReserveCash)
	a.Proposer = event.Actor{Kind: event.System, ID: "clerk-2"}
	_, _, err := payout.PayCash(t.Context(), r, r.head, payout.New(a), payout.CashPayment{Handler: event.Actor{Kind: event.Staff, ID: "clerk-2", Person: "b1.clerk2"},
		Witness: bert, Receipt: strings.Repeat("a", 64), CaseFen: amount, DayFen: amount, At: now})
	if err != nil {
		t.Error(err)
	}
}

// What waits for a file stands in its township's list, the longest first, and is
// owed to no machine; in a file it stands in neither; what goes by itself is owed.
func TestWhereAPayoutIsFound(t *testing.T) {
	t.Parallel()
	filed := payout.New(sample(award.BankBatch))
	for name, c := range map[string]struct {
		p    payout.Payout
		in   func(payout.Payout) payout.Input
		list bool
		owed work.Queue
	}{
		"a line that was rejected waits again": {drive(t, filed, files), answer(payout.Retryable), true, ""},
		"in a file":                            {filed, files, false, ""},
		"asked of the bank":                    {drive(t, payout.New(sample(award.Bank)), claims), reply(payout.Silence), false, work.Settle},
		"to be sent again":                     {drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence)), answer(payout.NotFound), false, work.Pay},
		"paid":                                 {drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence)), answer(payout.Succeeded), false, ""},
	} {
		o, err := payout.Step(c.p, c.in(c.p), machine, now.Add(time.Hour))
		if err != nil {
			t.Fatal(name, err)
		}
		writes, err := o.Writes()
		if err != nil {
			t.Fatal(name, err)
		}
		item := writes[0].(table.Replace).Item
		at, queue, owed := work.Owed(item)
		if owed != (c.owed != "") || queue != c.owed || owed && !at.Equal(o.Payout.Next) {
			t.Errorf("%s: owed to %q at %v", name, queue, at)
		}
		place := table.Place{Index: table.ByWork, PK: payout.WaitingList(o.Payout.Award.Township), SK: work.Stamp(o.Payout.Since)}
		if slices.Contains(item.Places, place) != c.list || payout.WaitingList("320402001000") != "FILEWAIT#320402001000" {
			t.Errorf("%s: stands in %v", name, item.Places)
		}
	}
}

// The event of a step says what it rests on, and nothing that is not so.
func TestWhatTheEventOfAStepSays(t *testing.T) {
	t.Parallel()
	always := []string{"amount_fen", "attempt", "award", "rail", "reference", "state"}
	alone := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence))
	inFile := drive(t, payout.New(sample(award.BankBatch)), files)
	numbered := said(alone, payout.Succeeded)
	numbered.BankReference = "B1"
	for name, c := range map[string]struct {
		p    payout.Payout
		in   payout.Input
		more []string
	}{
		"claimed":                 {payout.New(sample(award.Bank)), claims(alone), nil},
		"answered":                {alone, answer(payout.Silence)(alone), []string{"evidence", "word"}},
		"paid":                    {alone, answer(payout.Succeeded)(alone), []string{"evidence", "paid_at", "paid_fen", "word"}},
		"paid, the bank's number": {alone, payout.Answer{Said: numbered}, []string{"bank_reference", "evidence", "paid_at", "paid_fen", "word"}},
		"in a file":               {payout.New(sample(award.BankBatch)), files(payout.Payout{}), []string{"file", "line"}},
		"declined in a file":      {inFile, answer(payout.Declined)(inFile), []string{"evidence", "file", "line", "word"}},
	} {
		o, err := payout.Step(c.p, c.in, machine, now.Add(time.Hour))
		if err != nil {
			t.Fatal(name, err)
		}
		writes, err := o.Writes()
		if err != nil {
			t.Fatal(name, err)
		}
		e, err := event.Decode(writes[1].(table.Put).Item)
		if got := slices.Sorted(maps.Keys(e.Facts)); err != nil || !slices.Equal(got, slices.Sorted(slices.Values(append(slices.Clone(always), c.more...)))) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A payout that is contradicted again while people still look at the first time
// is stored, and puts no second hold.
func TestAnOpenHoldIsEnough(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 10_000_00)
	r.grant(award.Bank)
	for _, in := range []func(payout.Payout) payout.Input{claims, reply(payout.Silence), answer(payout.Succeeded), answer(payout.Declined), answer(payout.Declined)} {
		p := r.payout()
		if p.Next.IsZero() {
			p.Next = now
		}
		if err := r.commit(p, in(p)); err != nil {
			t.Fatal(err)
		}
	}
	head, err := application.Get(t.Context(), r, "app1")
	if p := r.payout(); err != nil || p.State != payout.Paid || p.Version != 6 || len(head.Holds) != 1 || head.Holds[0].Code != payout.HoldContradicted {
		t.Errorf("version %d, holds %+v, %v", p.Version, head.Holds, err)
	}
}
