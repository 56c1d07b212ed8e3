package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/recovery"
	"github.com/doudi-aid/doudi/shared/table"
)

var (
	at      = payouttest.Start.Add(48 * time.Hour)
	clerk   = event.Actor{Kind: event.Staff, ID: "clerk-2", Person: "b1.clerk2"}
	chief   = event.Actor{Kind: event.Staff, ID: "chief-1", Person: "b1.chief"}
	other   = event.Actor{Kind: event.Staff, ID: "chief-2", Person: "b1.chief2"}
	machine = event.Actor{Kind: event.System, ID: "inspection"}
	paper   = strings.Repeat("a", 64)
	summer  = civil.Date(2026, time.August, 1)
)

const paid = payouttest.Amount

// paidOut is a room whose money was paid.
func paidOut(t testing.TB) (*payouttest.Room, payout.Payout) {
	t.Helper()
	r := payouttest.New(t, payouttest.NewFate(nil))
	p := r.Payout()
	for _, in := range []func(payout.Payout) payout.Input{
		func(payout.Payout) payout.Input { return payout.Claim{Payee: "digest"} },
		func(p payout.Payout) payout.Input {
			c, _ := p.Current()
			return payout.Answer{Said: payout.Said{Word: payout.Succeeded, Reference: c.Reference, AmountFen: paid, Payee: c.Payee, Evidence: "e"}}
		},
	} {
		o, err := payout.Step(p, in(p), payouttest.Approver, at.Add(-time.Hour))
		if err == nil {
			err = payout.Commit(context.Background(), r.Store, o)
		}
		if err != nil {
			t.Fatal(err)
		}
		p = o.Payout
	}
	return r, r.Payout()
}

func draft(reason recovery.Reason) recovery.Recovery {
	return recovery.Recovery{ID: "r1", Reason: reason, Act: summer, Evidence: []string{paper}}
}

func opened(t testing.TB, reason recovery.Reason) recovery.Recovery {
	t.Helper()
	_, p := paidOut(t)
	r, err := recovery.New(draft(reason), application.Application{ID: "app1", Township: "320402001000"}, p, nil, payouttest.Finance, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func heard(t testing.TB, reason recovery.Reason) recovery.Recovery {
	t.Helper()
	r, err := opened(t, reason).Hear(recovery.Stated, []string{paper}, clerk, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decided(t testing.TB, amount money.Fen) recovery.Recovery {
	t.Helper()
	r, err := heard(t, recovery.Duplicate).Decide(amount, 0, at.Add(240*time.Hour), chief, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOnlyAPersonOpensOne: R5, D01.
func TestOnlyAPersonOpensOne(t *testing.T) {
	t.Parallel()
	_, p := paidOut(t)
	a := application.Application{ID: "app1", Township: "320402001000"}
	for name, c := range map[string]struct {
		change func(*recovery.Recovery, *payout.Payout)
		by     event.Actor
		want   error
	}{
		"a machine":            {func(*recovery.Recovery, *payout.Payout) {}, machine, recovery.ErrMachine},
		"the bank":             {func(*recovery.Recovery, *payout.Payout) {}, event.Actor{Kind: event.Provider, ID: "bank", Person: "x"}, recovery.ErrMachine},
		"nobody known":         {func(*recovery.Recovery, *payout.Payout) {}, event.Actor{Kind: event.Staff, ID: "x"}, recovery.ErrMachine},
		"not paid":             {func(_ *recovery.Recovery, p *payout.Payout) { p.State = payout.Failed }, clerk, recovery.ErrPaid},
		"came back":            {func(_ *recovery.Recovery, p *payout.Payout) { p.State = payout.Returned }, clerk, recovery.ErrPaid},
		"of another":           {func(_ *recovery.Recovery, p *payout.Payout) { p.Award.Application = "x" }, clerk, recovery.ErrPaid},
		"no reason":            {func(r *recovery.Recovery, _ *payout.Payout) { r.Reason = "sorry" }, clerk, recovery.ErrState},
		"no papers":            {func(r *recovery.Recovery, _ *payout.Payout) { r.Evidence = nil }, clerk, recovery.ErrState},
		"papers that are none": {func(r *recovery.Recovery, _ *payout.Payout) { r.Evidence = []string{"x"} }, clerk, recovery.ErrState},
		"no day":               {func(r *recovery.Recovery, _ *payout.Payout) { r.Act = civil.Day{} }, clerk, recovery.ErrState},
	} {
		d, q := draft(recovery.Duplicate), p
		c.change(&d, &q)
		if _, err := recovery.New(d, a, q, nil, c.by, at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What earlier cases brought back cannot come back again.
	before := recovery.Recovery{Award: "01", Claim: recovery.Claim{Number: 1}, BackFen: paid - 1}
	r, err := recovery.New(draft(recovery.Duplicate), a, p, []recovery.Recovery{before}, clerk, at)
	if err != nil || r.PaidFen != 1 {
		t.Errorf("%d left, %v", r.PaidFen, err)
	}
	before.BackFen = paid
	if _, err := recovery.New(draft(recovery.Duplicate), a, p, []recovery.Recovery{before}, clerk, at); !errors.Is(err, recovery.ErrPaid) {
		t.Errorf("all of it came back: %v", err)
	}
}

// TestNobodyIsDecidedOnUnheard: Law art. 46–48.
func TestNobodyIsDecidedOnUnheard(t *testing.T) {
	t.Parallel()
	r := opened(t, recovery.Duplicate)
	if _, err := r.Decide(1, 0, at.Add(time.Hour), chief, at); !errors.Is(err, recovery.ErrUnheard) {
		t.Errorf("unheard: %v", err)
	}
	for name, c := range map[string]struct {
		how     recovery.How
		records []string
		by      event.Actor
		at      time.Time
		want    error
	}{
		"silence too early":        {recovery.Silent, nil, clerk, at.Add(recovery.HearingTerm - time.Second), recovery.ErrEarly},
		"silence in the end":       {recovery.Silent, nil, clerk, at.Add(recovery.HearingTerm), nil},
		"a statement":              {recovery.Stated, []string{paper}, clerk, at, nil},
		"heirs":                    {recovery.Heirs, []string{paper}, clerk, at, nil},
		"a statement of nothing":   {recovery.Stated, nil, clerk, at, recovery.ErrUnheard},
		"some other way":           {"guessed", []string{paper}, clerk, at, recovery.ErrUnheard},
		"a machine that has heard": {recovery.Stated, []string{paper}, machine, at, recovery.ErrMachine},
	} {
		got, err := r.Hear(c.how, c.records, c.by, c.at)
		if !errors.Is(err, c.want) || (err == nil) != (got.State == recovery.Heard) {
			t.Errorf("%s: %s %v", name, got.State, err)
		}
	}
	if _, err := heard(t, recovery.Duplicate).Hear(recovery.Stated, []string{paper}, clerk, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
}

func TestWhoDecidesAndHowMuch(t *testing.T) {
	t.Parallel()
	later := at.Add(time.Hour)
	for name, c := range map[string]struct {
		reason          recovery.Reason
		act             civil.Day
		amount, penalty money.Fen
		due             time.Time
		by              event.Actor
		want            error
	}{
		"all of it":                     {recovery.Duplicate, summer, paid, 0, later, chief, nil},
		"nothing":                       {recovery.Duplicate, summer, 0, 0, time.Time{}, chief, nil},
		"a fen more":                    {recovery.Duplicate, summer, paid + 1, 0, later, chief, recovery.ErrAmount},
		"less than nothing":             {recovery.Duplicate, summer, -1, 0, later, chief, recovery.ErrAmount},
		"due before it was decided":     {recovery.Duplicate, summer, 1, 0, at, chief, recovery.ErrAmount},
		"who opened it":                 {recovery.Duplicate, summer, 1, 0, later, payouttest.Finance, recovery.ErrPerson},
		"who heard":                     {recovery.Duplicate, summer, 1, 0, later, clerk, recovery.ErrPerson},
		"who heard, by another account": {recovery.Duplicate, summer, 1, 0, later, event.Actor{Kind: event.Staff, ID: "z", Person: clerk.Person}, recovery.ErrPerson},
		"a machine":                     {recovery.Duplicate, summer, 1, 0, later, machine, recovery.ErrMachine},
		"penalty without fraud":         {recovery.Duplicate, summer, paid, 1, later, chief, recovery.ErrPenalty},
		"fraud, twice under the Law":    {recovery.Fraud, summer, paid, 2 * paid, later, chief, nil},
		"a fen above twice":             {recovery.Fraud, summer, paid, 2*paid + 1, later, chief, recovery.ErrPenalty},
		"a little under the Law":        {recovery.Fraud, civil.Date(2026, time.July, 1), paid, 1, later, chief, nil},
		"three times the day before":    {recovery.Fraud, civil.Date(2026, time.June, 30), paid, 3 * paid, later, chief, nil},
		"four times the day before":     {recovery.Fraud, civil.Date(2026, time.June, 30), paid, 3*paid + 1, later, chief, recovery.ErrPenalty},
		"less than once before":         {recovery.Fraud, civil.Date(2026, time.June, 30), paid, paid - 1, later, chief, recovery.ErrPenalty},
		"none before, which may be":     {recovery.Fraud, civil.Date(2026, time.June, 30), paid, 0, later, chief, nil},
		"before any law":                {recovery.Fraud, civil.Date(2010, time.June, 30), paid, paid, later, chief, recovery.ErrPenalty},
		"less than nothing added":       {recovery.Fraud, summer, paid, -1, later, chief, recovery.ErrPenalty},
		"a penalty on nothing":          {recovery.Fraud, summer, 0, 1, later, chief, recovery.ErrPenalty},
	} {
		r := heard(t, c.reason)
		r.Act = c.act
		got, err := r.Decide(c.amount, c.penalty, c.due, c.by, at)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			continue
		}
		want := recovery.Decided
		if c.amount == 0 {
			want = recovery.Dismissed
		}
		if got.State != want || got.Decision.Article == "" || got.Left() != c.amount || (c.penalty > 0) != (got.Decision.Penalty != "") {
			t.Errorf("%s: %s %+v", name, got.State, got.Decision)
		}
		if _, err := got.Decide(1, 0, later, other, at); !errors.Is(err, recovery.ErrState) {
			t.Errorf("%s: decided twice: %v", name, err)
		}
	}
	if recovery.Fraud.Article(summer) == recovery.Fraud.Article(civil.Date(2026, time.June, 30)) {
		t.Error("the law of the day of the act does not show")
	}
	for _, r := range recovery.Reasons() {
		if r.Label() == "" {
			t.Errorf("%s has no Chinese name", r)
		}
	}
}

func TestInstalments(t *testing.T) {
	t.Parallel()
	r := decided(t, 1000)
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	for name, plan := range map[string][]recovery.Instalment{
		"none": nil, "too little": {{day(1), 999}}, "too much": {{day(1), 1001}}, "backwards": {{day(2), 500}, {day(1), 500}},
		"in the past": {{at, 1000}}, "a negative one": {{day(1), 1500}, {day(2), -500}}, "too many": make([]recovery.Instalment, 61),
		"an overflow": {{day(1), 1<<63 - 1}, {day(2), 1}},
	} {
		if _, err := r.Agree(plan, clerk, at); !errors.Is(err, recovery.ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Agree([]recovery.Instalment{{day(1), 1000}}, machine, at); !errors.Is(err, recovery.ErrMachine) {
		t.Error(err)
	}
	if _, err := heard(t, recovery.Duplicate).Agree(nil, clerk, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
	r, err := r.Agree([]recovery.Instalment{{day(1), 400}, {day(30), 600}}, clerk, at)
	if err != nil {
		t.Fatal(err)
	}
	if due, ok := r.Due(); !ok || !due.Equal(day(1)) {
		t.Error(due)
	}
	if r, err = r.Repay(400, "TK-0001", paper, chief, at); err != nil {
		t.Fatal(err)
	}
	if due, ok := r.Due(); !ok || !due.Equal(day(30)) {
		t.Error(due)
	}
}

func TestLettingGoTakesTwo(t *testing.T) {
	t.Parallel()
	r := decided(t, 1000)
	if _, err := r.Waive(other, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
	if _, err := r.AskWaiver(machine, at); !errors.Is(err, recovery.ErrMachine) {
		t.Error(err)
	}
	w, err := r.AskWaiver(chief, at)
	if err != nil {
		t.Fatal(err)
	}
	if due, ok := w.Due(); !ok || !due.After(at) {
		t.Error(due)
	}
	if _, err := w.AskWaiver(other, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
	if _, err := w.Waive(chief, at); !errors.Is(err, recovery.ErrPerson) {
		t.Errorf("one person waives: %v", err)
	}
	if done, err := w.Repay(1000, "TK-0001", paper, clerk, at); err != nil || done.State != recovery.Repaid { // money meanwhile
		t.Errorf("%s %v", done.State, err)
	}
	done, err := w.Waive(other, at)
	if err != nil || done.State != recovery.Waived || done.State.Open() {
		t.Errorf("%s %v", done.State, err)
	}
	if _, err := done.Repay(1, "TK-0002", paper, clerk, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
	if _, ok := done.Due(); ok {
		t.Error("somebody must still do something")
	}
}

func TestADecisionThatDoesNotStand(t *testing.T) {
	t.Parallel()
	r := decided(t, 1000)
	for name, by := range map[string]event.Actor{"who decided": chief, "who heard": clerk, "who opened": payouttest.Finance} {
		if _, err := r.Revoke(by, at); !errors.Is(err, recovery.ErrPerson) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := r.Revoke(other, at)
	if err != nil || got.State != recovery.Revoked {
		t.Errorf("%s %v", got.State, err)
	}
	if _, err := got.Revoke(other, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
	if _, err := heard(t, recovery.Fraud).Revoke(other, at); !errors.Is(err, recovery.ErrState) {
		t.Error(err)
	}
	for _, s := range recovery.States() {
		if s.Label() == "" {
			t.Errorf("%s has no Chinese name", s)
		}
	}
}

// TestNeverMoreThanWasDecided: whatever is paid back in whatever pieces.
func TestNeverMoreThanWasDecided(t *testing.T) {
	t.Parallel()
	base := decided(t, 1000)
	rapid.Check(t, func(rt *rapid.T) {
		r, total := base, money.Fen(0)
		for i := range rapid.IntRange(1, 12).Draw(rt, "credits") {
			fen := money.Fen(rapid.Int64Range(-5, 600).Draw(rt, "fen"))
			reference := "TK-" + string(rune('0'+i)) + rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "reference")
			if rapid.IntRange(0, 4).Draw(rt, "again") == 0 && len(r.Back) > 0 {
				reference = r.Back[0].Reference
			}
			next, err := r.Repay(fen, reference, paper, clerk, at)
			if err != nil {
				continue
			}
			total += fen
			r = next
		}
		if total > 1000 || r.BackFen != total || r.Left() != 1000-total || (total == 1000) != (r.State == recovery.Repaid) {
			rt.Fatalf("%d back, %s", total, r.State)
		}
		seen := map[string]bool{}
		for _, b := range r.Back {
			if seen[b.Reference] {
				rt.Fatal("one credit twice")
			}
			seen[b.Reference] = true
		}
	})
	if _, err := base.Repay(1, "!", paper, clerk, at); !errors.Is(err, recovery.ErrAmount) {
		t.Error(err)
	}
	if _, err := base.Repay(1, "TK-1", "x", clerk, at); !errors.Is(err, recovery.ErrAmount) {
		t.Error(err)
	}
	if _, err := base.Repay(1, "TK-1", paper, machine, at); !errors.Is(err, recovery.ErrMachine) {
		t.Error(err)
	}
}

func commit(t *testing.T, s table.Store, writes []table.Write, err error) error {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return s.Transact(t.Context(), writes...)
}

// TestMoneyComesBackOnce: into the slice that paid, and the ledger stays whole.
func TestMoneyComesBackOnce(t *testing.T) {
	t.Parallel()
	room, p := paidOut(t)
	s := room.Store
	r, err := recovery.New(draft(recovery.Duplicate), room.Head(), p, nil, payouttest.Finance, at)
	if err != nil {
		t.Fatal(err)
	}
	begin, err := r.Begin(t.Context(), s, p, r.Event("opened", payouttest.Finance, at))
	if err := commit(t, s, begin, err); err != nil {
		t.Fatal(err)
	}
	second := r
	second.ID = "r2"
	if _, err := second.Begin(t.Context(), s, p, second.Event("opened", clerk, at)); !errors.Is(err, recovery.ErrOpen) {
		t.Errorf("a second case about the same money: %v", err)
	}
	step := func(next recovery.Recovery, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r = next
		writes, err := r.Writes(r.Event("step", clerk, at))
		if err := commit(t, s, writes, err); err != nil {
			t.Fatal(err)
		}
	}
	step(r.Hear(recovery.Stated, []string{paper}, clerk, at))
	step(r.Decide(1000, 0, at.Add(time.Hour), chief, at))
	before, err := fund.Read(t.Context(), s, room.Slice())
	if err != nil {
		t.Fatal(err)
	}
	for i, fen := range []money.Fen{400, 600} {
		next, err := r.Repay(fen, "TK-000"+string(rune('1'+i)), paper, payouttest.Finance, at)
		if err != nil {
			t.Fatal(err)
		}
		writes, err := next.Book(p, next.Event("repaid", payouttest.Finance, at))
		if err := commit(t, s, writes, err); err != nil {
			t.Fatal(err)
		}
		// The same again, by somebody whose screen is late or whose answer was lost.
		failed, is := errors.AsType[*table.ConditionError](commit(t, s, writes, nil))
		if !is || !errors.Is(next.Refusal(failed), recovery.ErrBooked) {
			t.Errorf("booked twice: %v", failed)
		}
		r = next
	}
	after, err := fund.Read(t.Context(), s, room.Slice())
	if err != nil || after.Balances.Of(fund.Available)-before.Balances.Of(fund.Available) != 1000 || after.Balances.Of(fund.Returned) != -1000 {
		t.Errorf("%v %v", after.Balances, err)
	}
	if err := fund.Coherent(t.Context(), s, room.Slice()); err != nil {
		t.Error(err)
	}
	stored, err := recovery.Get(t.Context(), s, "app1", "r1")
	if err != nil || stored.State != recovery.Repaid || stored.BackFen != 1000 {
		t.Errorf("%+v %v", stored.State, err)
	}
	if all, err := recovery.List(t.Context(), s, "app1"); err != nil || len(all) != 1 {
		t.Errorf("%d cases, %v", len(all), err)
	}
	gone := p
	gone.State = payout.Returned
	if _, err := r.Book(gone, r.Event("x", clerk, at)); !errors.Is(err, recovery.ErrPaid) {
		t.Errorf("what came back through the bank came back again: %v", err)
	}
	if r.Refusal(&table.ConditionError{}) != nil {
		t.Error("a refusal of nothing")
	}
	// A dismissed case does not stand in the way of another.
	if _, err := second.Begin(t.Context(), s, p, second.Event("opened", clerk, at)); !errors.Is(err, recovery.ErrOpen) {
		t.Errorf("after it was repaid: %v", err)
	}
}

func TestASecondCaseAfterTheFirstFell(t *testing.T) {
	t.Parallel()
	room, p := paidOut(t)
	r, err := recovery.New(draft(recovery.Duplicate), room.Head(), p, nil, payouttest.Finance, at)
	if err != nil {
		t.Fatal(err)
	}
	begin, err := r.Begin(t.Context(), room.Store, p, r.Event("opened", payouttest.Finance, at))
	if err := commit(t, room.Store, begin, err); err != nil {
		t.Fatal(err)
	}
	h, err := r.Hear(recovery.Stated, []string{paper}, clerk, at)
	if err == nil {
		h, err = h.Decide(0, 0, time.Time{}, chief, at)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Version = 2
	writes, err := h.Writes(h.Event("dismissed", chief, at))
	if err := commit(t, room.Store, writes, err); err != nil {
		t.Fatal(err)
	}
	again := r
	again.ID = "r2"
	begin, err = again.Begin(t.Context(), room.Store, p, again.Event("opened", clerk, at))
	if err := commit(t, room.Store, begin, err); err != nil {
		t.Error(err)
	}
	if _, err := recovery.Get(t.Context(), room.Store, "app1", "none"); !errors.Is(err, recovery.ErrNotFound) {
		t.Error(err)
	}
	for _, body := range []string{"{", `{"version":9}`} {
		key := recovery.Key("app1", "damaged"+body)
		if !recovery.Is(key) {
			t.Error(key)
		}
		if err := room.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte(body)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := recovery.List(t.Context(), room.Store, "app1"); err == nil {
			t.Error("a damaged case is read")
		}
	}
}

// Of a person who acts, account and person are known; of two who differ, neither
// is the other's. Each is missed by itself.
func TestWhoActsIsKnown(t *testing.T) {
	t.Parallel()
	later := at.Add(time.Hour)
	r, w := heard(t, recovery.Duplicate), decided(t, 1000)
	w, err := w.AskWaiver(chief, at)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by   event.Actor
		want error
	}{
		"a machine with a person": {event.Actor{Kind: event.System, ID: "x", Person: "b1.x"}, recovery.ErrMachine},
		"an applicant":            {event.Actor{Kind: event.Citizen, ID: "x", Person: "b1.x"}, recovery.ErrMachine},
		"no account":              {event.Actor{Kind: event.Staff, Person: "b1.x"}, recovery.ErrMachine},
		"no person":               {event.Actor{Kind: event.Staff, ID: "x"}, recovery.ErrMachine},
		"another":                 {other, nil},
	} {
		if _, err := r.Decide(1, 0, later, c.by, at); !errors.Is(err, c.want) {
			t.Errorf("%s decides: %v", name, err)
		}
		if _, err := w.Waive(c.by, at); !errors.Is(err, c.want) {
			t.Errorf("%s waives: %v", name, err)
		}
		if _, err := w.Revoke(c.by, at); !errors.Is(err, c.want) {
			t.Errorf("%s revokes: %v", name, err)
		}
	}
	for name, by := range map[string]event.Actor{"that account of another person": {Kind: event.Staff, ID: chief.ID, Person: "b1.x"},
		"that person by another account": {Kind: event.Staff, ID: "x", Person: chief.Person}} {
		if _, err := w.Waive(by, at); !errors.Is(err, recovery.ErrPerson) {
			t.Errorf("%s waives: %v", name, err)
		}
	}
	if hands := r.Deciders(); len(hands) != 2 || len(w.Deciders()) != 3 || w.Deciders()[2] != chief {
		t.Errorf("before a decision %v, after it %v", hands, w.Deciders())
	}
}

// Only a case about the same award and the same reservation has brought anything
// of this money back.
func TestWhatOtherCasesBroughtBackIsOtherMoney(t *testing.T) {
	t.Parallel()
	_, p := paidOut(t)
	for name, c := range map[string]struct {
		award  string
		number int
		left   money.Fen
	}{
		"the same": {"01", 1, paid - 1}, "another award": {"02", 1, paid}, "paid again": {"01", 2, paid}, "neither": {"02", 2, paid},
	} {
		earlier := []recovery.Recovery{{Award: c.award, Claim: recovery.Claim{Number: c.number}, BackFen: 1}}
		r, err := recovery.New(draft(recovery.Duplicate), application.Application{ID: "app1"}, p, earlier, clerk, at)
		if err != nil || r.PaidFen != c.left {
			t.Errorf("%s: %d left, %v", name, r.PaidFen, err)
		}
	}
}

// As many papers as a case may have, and not one more.
func TestPapersOfACase(t *testing.T) {
	t.Parallel()
	r := opened(t, recovery.Duplicate)
	for n, want := range map[int]error{1: nil, 20: nil, 21: recovery.ErrUnheard} {
		if _, err := r.Hear(recovery.Stated, slices.Repeat([]string{paper}, n), clerk, at); !errors.Is(err, want) {
			t.Errorf("%d papers: %v", n, err)
		}
	}
	if _, err := r.Hear(recovery.Stated, []string{paper, "x"}, clerk, at); !errors.Is(err, recovery.ErrUnheard) {
		t.Errorf("a paper that is none: %v", err)
	}
}

// A case says until when somebody must do something, at each stage; what is late
// stands first in a work list.
func TestUntilWhenSomebodyMustAct(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	later := at.Add(3 * day)
	open := opened(t, recovery.Duplicate)
	said, err := open.Hear(recovery.Stated, []string{paper}, clerk, later)
	if err != nil {
		t.Fatal(err)
	}
	owed := decided(t, 1000)
	asked, err := owed.AskWaiver(chief, later)
	if err != nil {
		t.Fatal(err)
	}
	paidBack, err := owed.Repay(1000, "TK-0001", paper, clerk, later)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		r    recovery.Recovery
		want time.Time // zero: nobody
	}{
		"to be heard":        {open, at.Add(10 * day)},
		"to be decided":      {said, later.Add(15 * day)},
		"to be given back":   {owed, at.Add(240 * time.Hour)},
		"to be let go of":    {asked, later.Add(5 * day)},
		"given back":         {paidBack, time.Time{}},
		"of no stage at all": {recovery.Recovery{}, time.Time{}},
	} {
		if due, ok := c.r.Due(); ok == c.want.IsZero() || !due.Equal(c.want) {
			t.Errorf("%s: %v %v, want %v", name, due, ok, c.want)
		}
		if c.r.State.Open() == c.want.IsZero() {
			t.Errorf("%s: open %v", name, c.r.State.Open())
		}
	}
	if !said.Since.Equal(later) || !owed.Since.Equal(at) || said.Version != 2 {
		t.Errorf("heard since %v, decided since %v", said.Since, owed.Since)
	}
}

// What was given back before instalments were agreed pays none of them: they came
// to what was left then.
func TestInstalmentsAreOwedInTheirOrder(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	r, err := decided(t, 1000).Repay(400, "TK-0000", paper, clerk, at)
	if err == nil {
		r, err = r.Agree([]recovery.Instalment{{Due: day(1), Fen: 300}, {Due: day(30), Fen: 300}}, clerk, at.Add(time.Hour))
	}
	if err != nil {
		t.Fatal(err)
	}
	if !r.Since.Equal(at) {
		t.Errorf("an agreement is no new stage: %v", r.Since)
	}
	for n, c := range []struct {
		fen  money.Fen
		next time.Time
	}{{0, day(1)}, {299, day(1)}, {1, day(30)}, {299, day(30)}} {
		if c.fen > 0 {
			if r, err = r.Repay(c.fen, fmt.Sprintf("TK-100%d", n), paper, clerk, at); err != nil {
				t.Fatal(err)
			}
		}
		if due, ok := r.Due(); !ok || !due.Equal(c.next) {
			t.Errorf("with %d left, %v is next, not %v", r.Left(), due, c.next)
		}
	}
	if r, err = r.Repay(1, "TK-2000", paper, clerk, at); err != nil || r.State != recovery.Repaid || r.Left() != 0 {
		t.Errorf("the last fen: %s, %v", r.State, err)
	}
}

// A record has bounds, and both of them are reached.
func TestAsManyPartsAsACaseMayHave(t *testing.T) {
	t.Parallel()
	r := decided(t, 1000)
	plan := make([]recovery.Instalment, 60)
	for i := range plan {
		plan[i] = recovery.Instalment{Due: at.AddDate(0, i+1, 0), Fen: 1}
	}
	plan[59].Fen = 1000 - 59
	if got, err := r.Agree(plan, clerk, at); err != nil || len(got.Plan) != 60 {
		t.Errorf("%v", err)
	}
	longer := append(slices.Clone(plan[:59]), recovery.Instalment{Due: at.AddDate(0, 60, 0), Fen: 1}, recovery.Instalment{Due: at.AddDate(0, 61, 0), Fen: 1000 - 60})
	if _, err := r.Agree(longer, clerk, at); !errors.Is(err, recovery.ErrPlan) || len(longer) != 61 {
		t.Errorf("an instalment too many: %v", err)
	}
	if _, err := r.Agree([]recovery.Instalment{{Due: at.Add(1), Fen: 1000}, {Due: at.Add(2), Fen: 0}}, clerk, at); !errors.Is(err, recovery.ErrPlan) {
		t.Errorf("an instalment of nothing: %v", err)
	}
	if _, err := r.Agree([]recovery.Instalment{{Due: at.Add(1), Fen: 500}, {Due: at.Add(1), Fen: 500}}, clerk, at); !errors.Is(err, recovery.ErrPlan) {
		t.Errorf("two on one day: %v", err)
	}
	var err error
	for i := range 120 {
		if r, err = r.Repay(1, fmt.Sprintf("TK-%04d", i), paper, clerk, at); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := r.Repay(1, "TK-9999", paper, clerk, at); !errors.Is(err, recovery.ErrAmount) {
		t.Errorf("a credit too many: %v", err)
	}
	whole := decided(t, 1000)
	if _, err := whole.Repay(1001, "TK-0001", paper, clerk, at); !errors.Is(err, recovery.ErrAmount) {
		t.Errorf("a fen more than is owed: %v", err)
	}
	if _, err := whole.Repay(0, "TK-0001", paper, clerk, at); !errors.Is(err, recovery.ErrAmount) {
		t.Errorf("nothing: %v", err)
	}
	part, err := whole.Repay(400, "TK-0001", paper, clerk, at)
	if err == nil {
		_, err = part.Repay(100, "TK-0001", paper, clerk, at)
	}
	if !errors.Is(err, recovery.ErrBooked) {
		t.Errorf("one credit twice: %v", err)
	}
}

// Money that comes while people think about letting go of the rest is taken; the
// last of it ends the question too.
func TestMoneyThatComesWhileItIsBeingWaived(t *testing.T) {
	t.Parallel()
	w, err := decided(t, 1000).AskWaiver(chief, at)
	if err != nil {
		t.Fatal(err)
	}
	part, err := w.Repay(999, "TK-0001", paper, clerk, at)
	if err != nil || part.State != recovery.Waiving || part.Waiver == nil || part.Left() != 1 {
		t.Errorf("%s, %v", part.State, err)
	}
	all, err := part.Repay(1, "TK-0002", paper, clerk, at)
	if err != nil || all.State != recovery.Repaid || all.Waiver != nil {
		t.Errorf("%s, %v", all.State, err)
	}
}

// There is nothing to take back where nothing was decided to be given back.
func TestWhatCannotBeRevoked(t *testing.T) {
	t.Parallel()
	dismissed, err := heard(t, recovery.Duplicate).Decide(0, 0, time.Time{}, chief, at)
	if err != nil || dismissed.State != recovery.Dismissed || dismissed.Left() != 0 {
		t.Fatal(dismissed.State, err)
	}
	if _, err := dismissed.Revoke(other, at); !errors.Is(err, recovery.ErrState) {
		t.Errorf("a dismissed case: %v", err)
	}
	repaid, err := decided(t, 1000).Repay(1000, "TK-0001", paper, clerk, at)
	if err == nil {
		repaid, err = repaid.Revoke(other, at)
	}
	if err != nil || repaid.State != recovery.Revoked || repaid.Revoked.By != other {
		t.Errorf("a decision that was carried out: %s, %v", repaid.State, err)
	}
	if left := opened(t, recovery.Duplicate).Left(); left != 0 {
		t.Errorf("%d is owed before anybody decided", left)
	}
}

// The law of a penalty is that of the day of the act, from its first day on; the
// event of a case says what was decided once it was.
func TestTheLawOfTheDay(t *testing.T) {
	t.Parallel()
	for act, want := range map[civil.Day]string{
		civil.Date(2014, time.April, 30): "", civil.Date(2014, time.May, 1): "R649", civil.Date(2026, time.June, 30): "R649", civil.Date(2026, time.July, 1): "LAW2026",
	} {
		if p, err := recovery.PenaltyOf(act); p.Name != want || errors.Is(err, recovery.ErrPenalty) != (want == "") {
			t.Errorf("%s: %q, %v", act, p.Name, err)
		}
	}
	if p := (recovery.Penalty{MinPercent: 100, MaxPercent: 100}); !p.Allows(5, 5) || p.Allows(5, 4) || p.Allows(5, 6) || !p.Allows(5, 0) || (recovery.Penalty{}).Allows(5, -1) {
		t.Error("a frame of one number allows just that")
	}
	for reason, want := range map[recovery.Reason]string{recovery.Fraud: "《社会救助法》第七十三条", recovery.Duplicate: "《社会救助法》第七十四条"} {
		if got := reason.Article(summer); got != want {
			t.Errorf("%s stands on %s", reason, got)
		}
	}
	if got := recovery.Fraud.Article(civil.Date(2010, time.June, 30)); got != "《社会救助法》第七十四条" {
		t.Errorf("fraud before any law that names it stands on %s", got)
	}
	r := opened(t, recovery.Duplicate)
	if _, told := r.Event("opened", clerk, at).Facts["amount_fen"]; told {
		t.Error("the event tells an amount that nobody decided")
	}
	r = decided(t, 1000)
	if f := r.Event("decided", chief, at).Facts; f.Fen("amount_fen") != 1000 || f.Fen("left_fen") != 1000 || f.Text("article") == "" {
		t.Errorf("%v", f)
	}
}

// What comes back is for the reservation that was paid, and for no other.
func TestMoneyComesBackToWhereItCameFrom(t *testing.T) {
	t.Parallel()
	_, p := paidOut(t)
	r, err := decided(t, 1000).Repay(1000, "TK-0001", paper, clerk, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Book(p, r.Event("repaid", clerk, at)); err != nil {
		t.Error(err)
	}
	p.Reservation++
	if _, err := r.Book(p, r.Event("repaid", clerk, at)); !errors.Is(err, recovery.ErrPaid) {
		t.Errorf("it was paid anew: %v", err)
	}
	if err := opened(t, recovery.Duplicate).Refusal(&table.ConditionError{}); err != nil {
		t.Errorf("of a case to which nothing came back: %v", err)
	}
	foreign := &table.ConditionError{Failures: []table.Failure{{Key: table.Key{PK: "CREDIT#other", SK: "REPAYMENT"}, Reason: table.Exists}}}
	if err := r.Refusal(foreign); err != nil {
		t.Errorf("another credit: %v", err)
	}
}

// A case that fell may be followed by another, and that by a third; one that
// stands may not.
func TestOneCaseAtATime(t *testing.T) {
	t.Parallel()
	room, p := paidOut(t)
	for n, state := range []recovery.State{recovery.Dismissed, recovery.Revoked, recovery.Waived, recovery.Decided} {
		r := decided(t, 1000)
		r.ID, r.Version, r.State = fmt.Sprintf("r%d", n), 1, state
		begin, err := r.Begin(t.Context(), room.Store, p, r.Event("opened", clerk, at))
		if n == 3 { // after the one that was waived
			if !errors.Is(err, recovery.ErrOpen) {
				t.Errorf("a case after one that stands: %v", err)
			}
			continue
		}
		if err := commit(t, room.Store, begin, err); err != nil {
			t.Errorf("case %d: %v", n+1, err)
		}
	}
}
