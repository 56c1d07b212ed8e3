package reconciliation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	. "github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// amountBreak is a hall with one open break about the second payment.
func amountBreak(t testing.TB) (*Hall, []line, reconciliation.Break) {
	h, lines := three(t)
	wrong := append([]line{}, lines...)
	wrong[1].AmountFen++
	r := h.Match(BankSource, Day, wrong...)
	if len(r.Opened) != 1 {
		t.Fatal(r)
	}
	return h, lines, r.Opened[0]
}

func TestWhoMayCloseABreak(t *testing.T) {
	t.Parallel()
	_, _, b := amountBreak(t)
	good := reconciliation.Hand{By: Finance, At: At("10:00:00"), Reason: "provider_corrected", Evidence: strings.Repeat("a", 64)}
	for name, c := range map[string]struct {
		h    func(reconciliation.Hand) reconciliation.Hand
		want error
	}{
		"who proposed the payment": {func(h reconciliation.Hand) reconciliation.Hand { h.By = Clerk; return h }, reconciliation.ErrPerson},
		"who approved it":          {func(h reconciliation.Hand) reconciliation.Hand { h.By = Approver; return h }, reconciliation.ErrPerson},
		"the same person's other account": {func(h reconciliation.Hand) reconciliation.Hand {
			h.By.ID, h.By.Person = "finance-9", Clerk.Person
			return h
		}, reconciliation.ErrPerson},
		"nobody known":     {func(h reconciliation.Hand) reconciliation.Hand { h.By.Person = ""; return h }, reconciliation.ErrPerson},
		"a machine":        {func(h reconciliation.Hand) reconciliation.Hand { h.By = sweeper; return h }, reconciliation.ErrPerson},
		"without evidence": {func(h reconciliation.Hand) reconciliation.Hand { h.Evidence = ""; return h }, reconciliation.ErrEvidence},
		"for no reason":    {func(h reconciliation.Hand) reconciliation.Hand { h.Reason = "because"; return h }, reconciliation.ErrEvidence},
	} {
		if next, err := b.Propose(c.h(good)); !errors.Is(err, c.want) || next.State == reconciliation.Proposed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Agree(Second, At("10:00:00")); !errors.Is(err, reconciliation.ErrState) {
		t.Errorf("agreed to nothing: %v", err)
	}
	proposed, err := b.Propose(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []event.Actor{Finance, Clerk, sweeper, {Kind: event.Staff, ID: "other", Person: Finance.Person}} {
		if _, err := proposed.Agree(by, At("10:00:00")); !errors.Is(err, reconciliation.ErrPerson) {
			t.Errorf("%s agreed: %v", by.ID, err)
		}
	}
	closed, err := proposed.Agree(Second, At("11:00:00"))
	if err != nil || closed.State != reconciliation.Closed || closed.Version != 3 {
		t.Fatal(closed, err)
	}
	if _, err := closed.Propose(good); !errors.Is(err, reconciliation.ErrState) {
		t.Errorf("a closed one is proposed: %v", err)
	}
	if _, told := closed.Tell(At("10:00:00").AddDate(0, 0, 30)); told {
		t.Error("a closed one grows old")
	}
	if b.State.Label() == "" || b.Class.Label() == "" || len(reconciliation.Names()) != 3 {
		t.Error("words are missing")
	}
	for _, c := range reconciliation.Classes() {
		if c.Label() == "" {
			t.Errorf("%s has no Chinese name", c)
		}
	}
	for _, s := range []reconciliation.Standing{reconciliation.Wanted, reconciliation.Received, reconciliation.Matched} {
		if s.Label() == "" {
			t.Errorf("%s has no Chinese name", s)
		}
	}
}

// T+2: the supervisor sees it without asking, once.
func TestAnOldBreakIsTheSupervisorsToo(t *testing.T) {
	t.Parallel()
	h, _, b := amountBreak(t)
	if _, due := b.Tell(h.Now().Add(reconciliation.Escalate/2 - time.Second)); due {
		t.Error("told too soon")
	}
	for share, after := range map[int]time.Duration{50: reconciliation.Escalate / 2, 80: reconciliation.Escalate * 4 / 5} {
		late, due := b.Tell(b.Since.Add(after))
		if !due || late.Reminded != share || !late.Told.IsZero() || late.Owner != b.Owner {
			t.Errorf("%d%%: %+v", share, late)
		}
		if _, again := late.Tell(b.Since.Add(after)); again {
			t.Errorf("%d%% told twice", share)
		}
	}
	item, ok, err := h.Store.Get(t.Context(), mustKey(t, b))
	if at, q, owes := work.Owed(item); err != nil || !ok || !owes || q != work.Clock || !at.Equal(b.Since.Add(reconciliation.Escalate/2)) || !reconciliation.IsBreak(item.Key) {
		t.Errorf("it is not owed: %v %v %v", at, q, err)
	}
	h.Wait(reconciliation.Escalate)
	told, due := b.Tell(h.Now())
	if !due || told.Owner != "supervisor" {
		t.Fatalf("%+v", told)
	}
	if err := reconciliation.Commit(t.Context(), h.Store, told, told.Event("escalated", sweeper, h.Now())); err != nil {
		t.Fatal(err)
	}
	if err := reconciliation.Commit(t.Context(), h.Store, told, told.Event("escalated", sweeper, h.Now())); !errors.Is(err, reconciliation.ErrMovedOn) {
		t.Errorf("twice: %v", err)
	}
	if _, again := told.Tell(h.Now()); again {
		t.Error("told twice")
	}
	if item, _, _ := h.Store.Get(t.Context(), mustKey(t, b)); len(item.Places) != 1 {
		t.Errorf("it is still owed: %v", item.Places)
	}
	bad := told
	bad.ID = "nonsense"
	if err := reconciliation.Commit(t.Context(), h.Store, bad, bad.Event("x", sweeper, h.Now())); err == nil {
		t.Error("a break without an id is stored")
	}
}

func mustKey(t *testing.T, b reconciliation.Break) table.Key {
	t.Helper()
	w, err := b.Writes(b.Event("x", sweeper, At("10:00:00")))
	if err != nil {
		t.Fatal(err)
	}
	return w[0].Target()
}

// The four columns of a break, with what the treasury says beside the rail.
func TestTheFourColumns(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Match(TreasurySource, Day, lines...)
	wrong := append([]line{}, lines...)
	wrong[1].AmountFen++
	b := h.Match(BankSource, Day, wrong...).Opened[0]
	c := b.Columns
	if c.Decision == nil || c.Ledger == nil || c.Rail == nil || c.Treasury == nil {
		t.Fatalf("%+v", c)
	}
	if c.Decision.AmountFen != Amount(2) || c.Ledger.AmountFen != Amount(2) || c.Rail.AmountFen != Amount(2)+1 || c.Treasury.AmountFen != Amount(2) ||
		c.Rail.Payee != Payee(2) || c.Decision.Payee != Payee(2) || c.Rail.Line == 0 || c.Treasury.Statement == c.Rail.Statement {
		t.Errorf("%+v %+v %+v %+v", c.Decision, c.Ledger, c.Rail, c.Treasury)
	}
	// And the other way round: the treasury lacks what the bank has.
	g, lines := three(t)
	g.Match(BankSource, Day, lines...)
	b = g.Match(TreasurySource, Day, lines[1:]...).Opened[0]
	if b.Class != reconciliation.MissingTheirs || b.Columns.Treasury != nil || b.Columns.Rail == nil || b.Columns.Rail.AmountFen != Amount(1) {
		t.Errorf("%+v", b)
	}
}

// A restatement may say another thing of what is open already.
func TestABreakIsReclassified(t *testing.T) {
	t.Parallel()
	h, lines, b := amountBreak(t)
	proposed, err := b.Propose(reconciliation.Hand{By: Finance, At: h.Now(), Reason: "statement_error", Evidence: strings.Repeat("a", 64)})
	if err == nil {
		err = reconciliation.Commit(t.Context(), h.Store, proposed, proposed.Event("proposed", Finance, h.Now()))
	}
	if err != nil {
		t.Fatal(err)
	}
	wrong := append([]line{}, lines...)
	wrong[1].Payee = Payee(7)
	if r := h.Match(BankSource, Day, wrong...); len(r.Opened) != 0 {
		t.Errorf("a second break about the same line: %+v", r.Opened)
	}
	after, err := reconciliation.Get(t.Context(), h.Store, b.ID)
	if err != nil || after.Class != reconciliation.Payee || after.State != reconciliation.Open || after.Proposed != nil || after.Columns.Rail.Payee != Payee(7) || after.Columns.Decision == nil {
		t.Errorf("%+v, %v", after, err)
	}
}

// faulty fails the nth thing that is asked of it.
type faulty struct {
	table.Store
	left int
}

var errFaulty = errors.New("the store is away")

func (f *faulty) next() bool { f.left--; return f.left == 0 }

func (f *faulty) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if f.next() {
		return table.Item{}, false, errFaulty
	}
	return f.Store.Get(ctx, k)
}

func (f *faulty) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if f.next() {
		return table.Page{}, errFaulty
	}
	return f.Store.Query(ctx, q)
}

func (f *faulty) Transact(ctx context.Context, w ...table.Write) error {
	if f.next() {
		return errFaulty
	}
	return f.Store.Transact(ctx, w...)
}

// Whatever the store fails at, the caller hears of it, and doing it again comes to
// the same end.
func TestAStoreThatFailsAnywhere(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(h *Hall, s table.Store) error{
		"receive and match": func(h *Hall, s table.Store) error {
			office := h.Office
			office.Table = s
			lines := []line{h.Line(1, payout.Back, At("16:00:00")), {Reference: strings.Repeat("z", 26), Number: "1", Way: payout.Out, AmountFen: 1, Payee: Payee(1), At: At("12:00:00")}}
			head, _, err := office.Receive(context.Background(), reconciliation.Bank, Day, BankSource.Write(Day, lines), reconciliation.From{By: Settle, Verified: true})
			if err != nil {
				return err
			}
			_, _, err = office.Match(context.Background(), head, Settle)
			return err
		},
		"the next day": func(h *Hall, s table.Store) error {
			office := h.Office
			office.Table, office.Now = s, func() time.Time { return h.Now().Add(24 * time.Hour) }
			head, _, err := office.Receive(context.Background(), reconciliation.Bank, Day.AddDays(1), BankSource.Write(Day.AddDays(1), nil), reconciliation.From{By: Settle})
			if err != nil {
				return err
			}
			_, _, err = office.Match(context.Background(), head, Settle)
			return err
		},
		"want": func(h *Hall, s table.Store) error {
			for _, at := range []time.Time{h.Now().AddDate(0, 0, -2), h.Now()} {
				if _, err := reconciliation.WantAll(context.Background(), s, BankSource, sweeper, at); err != nil {
					return err
				}
			}
			return nil
		},
		"a round, its marks and the guard": func(h *Hall, s table.Store) error {
			found, err := round(h, s, 1000).Run(context.Background())
			if err != nil {
				return err
			}
			office := h.Office
			office.Table = s
			flaws := append(found.Flaws, reconciliation.Flaw{Rule: "M02", Row: h.Slice().Key()})
			if _, err := office.Mark(context.Background(), flaws, sweeper); err != nil {
				return err
			}
			_, err = guard(h, s).Watch(context.Background(), sweeper)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				h := books(t)
				h.Pay(5, award.Bank, At("23:59:59"))
				if name == "the next day" {
					h.Match(BankSource, Day)
				}
				s := &faulty{h.Store, n}
				err := do(h, s)
				if s.left > 0 {
					if err != nil {
						t.Errorf("nothing failed: %v", err)
					}
					return
				}
				if !errors.Is(err, errFaulty) {
					t.Errorf("the store failed at %d, and the caller hears %v", n, err)
				}
				if err := do(h, h.Store); err != nil {
					t.Errorf("after a failure at %d: %v", n, err)
				}
			}
		})
	}
}

func TestWantingIsOnceAndCatchesUp(t *testing.T) {
	t.Parallel()
	h := New(t)
	byHand := TreasurySource
	byHand.ByHand = true
	if n, err := reconciliation.WantAll(t.Context(), h.Store, byHand, sweeper, h.Now()); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	since, err := reconciliation.Since(t.Context(), h.Store, byHand.Name)
	if err != nil || since != Day.AddDays(1) {
		t.Fatal(since, err)
	}
	h.Wait(60 * 24 * time.Hour) // switched off for two months
	for _, want := range []int{40, 20, 0} {
		if n, err := reconciliation.WantAll(t.Context(), h.Store, byHand, sweeper, h.Now()); err != nil || n != want {
			t.Errorf("%d, want %d: %v", n, want, err)
		}
	}
	head, err := reconciliation.Statement(t.Context(), h.Store, byHand.Name, since)
	if err != nil || head.Version != 1 || !head.Next.IsZero() {
		t.Errorf("what a person brings is owed by the machine: %+v, %v", head, err)
	}
	if days, _, err := reconciliation.Blindness(t.Context(), h.Store, "nobody", h.Now()); err != nil || days != 0 {
		t.Error(days, err)
	}
	var w []brake.Brake
	g := guard(h, h.Store)
	g.Regions = nil
	if saw, err := g.Watch(t.Context(), sweeper); err != nil || len(append(w, saw.Pulled...)) != 0 {
		t.Error(saw, err)
	}
}

// Two findings of one number stand apart, whatever order they come in.
func TestIdsOfBreaksAreTheirOwn(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	fee := line{Reference: "", Number: "F1", Way: payout.Out, AmountFen: 100, At: At("12:00:00")}
	r := h.Match(BankSource, Day, append(lines, lines[0], lines[0], fee, fee)...)
	got, ids := map[reconciliation.Class]int{}, map[string]bool{}
	for _, b := range r.Opened {
		got[b.Class]++
		ids[b.ID] = true
	}
	if fmt.Sprint(got) != fmt.Sprint(map[reconciliation.Class]int{reconciliation.Duplicate: 2, reconciliation.UnknownNumber: 2}) || len(ids) != 4 {
		t.Errorf("%v, %d ids", got, len(ids))
	}
	if _, err := reconciliation.Get(t.Context(), h.Store, "no id"); !errors.Is(err, reconciliation.ErrNotFound) {
		t.Error(err)
	}
	open, err := reconciliation.OpenIn(t.Context(), h.Store, civil.DivisionCode("510000000000"))
	if err != nil || len(open) != 0 {
		t.Error(open, err)
	}
}
