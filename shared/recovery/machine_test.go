package recovery_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/recovery"
	"github.com/doudi-aid/doudi/shared/table"
)

// TestLifeOfMoneyThatIsAskedBack has anybody do anything to the cases about one
// payment, over a store that loses writes and answers. What is stored is what the
// last step made, with an event for each version; money comes back once, never
// more than was paid, and the fund adds up; nobody agrees with themselves.
func TestLifeOfMoneyThatIsAskedBack(t *testing.T) {
	t.Parallel()
	room, p := paidOut(t)
	begun, err := fund.Read(t.Context(), room.Store, room.Slice())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), at
		s := eventtest.Over(room.Store.Fork())
		var cases []recovery.Recovery // the last is under way
		last := func() *recovery.Recovery { return &cases[len(cases)-1] }
		keep := func(t *rapid.T, writes []table.Write, err error) {
			if err != nil {
				t.Fatal(err)
			}
			s.Step(t, application.ErrMovedOn, func() error { return table.Commit(ctx, s, application.ErrMovedOn, writes...) })
		}
		step := func(t *rapid.T, kind string, next recovery.Recovery, err error, by event.Actor) {
			if err != nil {
				return
			}
			writes, err := next.Writes(next.Event(kind, by, now))
			keep(t, writes, err)
			*last() = next
		}
		begin := func(t *rapid.T) {
			by := eventtest.Who(t)
			r := draft(rapid.SampledFrom(recovery.Reasons()).Draw(t, "reason"))
			r.ID = fmt.Sprintf("r%d", len(cases)+1)
			r, err := recovery.New(r, room.Head(), p, cases, by, now)
			if err != nil {
				return
			}
			writes, err := r.Begin(ctx, s, p, r.Event("opened", by, now))
			if len(cases) > 0 {
				st := last().State
				if fell := st == recovery.Dismissed || st == recovery.Revoked; fell == errors.Is(err, recovery.ErrOpen) {
					t.Fatalf("another case after one that is %s: %v", st, err)
				}
			}
			if errors.Is(err, recovery.ErrOpen) {
				return
			}
			keep(t, writes, err)
			cases = append(cases, r)
		}
		repay := func(t *rapid.T, reference string, fen money.Fen, by event.Actor) {
			n, err := last().Repay(fen, reference, paper, by, now)
			if err != nil {
				return
			}
			writes, err := n.Book(p, n.Event("repaid", by, now))
			if err == nil && booked(cases, reference) { // by an earlier case
				failed, is := errors.AsType[*table.ConditionError](s.Store.Transact(ctx, writes...))
				if !is || !errors.Is(n.Refusal(failed), recovery.ErrBooked) {
					t.Fatalf("one credit twice: %v", failed)
				}
				return
			}
			keep(t, writes, err)
			*last() = n
		}
		// on is the next step by whoever may take it, so that lives get far.
		on := func(t *rapid.T) {
			for n := range 4 {
				by, r := eventtest.Cast()[n], last()
				var next recovery.Recovery
				var err error
				kind := string(r.State)
				switch r.State {
				case recovery.Opened:
					next, err = r.Hear(recovery.Stated, []string{paper}, by, now)
				case recovery.Heard:
					next, err = r.Decide(paid, 0, now.Add(time.Hour), by, now)
				case recovery.Waiving:
					next, err = r.Waive(by, now)
				case recovery.Decided, recovery.Repaid, recovery.Waived:
					if r.BackFen == 0 && rapid.Bool().Draw(t, "back") {
						repay(t, "TK-0000", 400, by)
						return
					}
					next, err = r.Revoke(by, now)
				default:
					begin(t)
					return
				}
				if err == nil {
					step(t, kind, next, nil, by)
					return
				}
			}
		}
		for tries := 0; len(cases) == 0; tries++ {
			if begin(rt); tries > 100 {
				rt.Fatal("of a hundred who try, nobody opens a case")
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass":  func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 24*12).Draw(t, "hours")) * time.Hour) },
			"begin": begin,
			"on":    on, "further": on, "and on": on, "and further": on, "to the end": on,
			"hear": func(t *rapid.T) {
				by := eventtest.Who(t)
				n, err := last().Hear(rapid.SampledFrom([]recovery.How{recovery.Stated, recovery.Silent, recovery.Heirs}).Draw(t, "how"), []string{paper}, by, now)
				step(t, "heard", n, err, by)
			},
			"decide": func(t *rapid.T) {
				by := eventtest.Who(t)
				n, err := last().Decide(money.Fen(rapid.SampledFrom([]int64{-1, 0, 1000, int64(paid), int64(paid) + 1}).Draw(t, "fen")),
					money.Fen(rapid.SampledFrom([]int64{0, 0, 0, 500}).Draw(t, "penalty")), now.Add(time.Hour), by, now)
				step(t, "decided", n, err, by)
			},
			"agree": func(t *rapid.T) {
				by, left := eventtest.Who(t), last().Left()
				n, err := last().Agree([]recovery.Instalment{{Due: now.Add(time.Hour), Fen: left / 2}, {Due: now.Add(2 * time.Hour), Fen: left - left/2}}, by, now)
				step(t, "agreed", n, err, by)
			},
			"repay": func(t *rapid.T) {
				repay(t, fmt.Sprintf("TK-%04d", rapid.IntRange(0, 4).Draw(t, "reference")), money.Fen(rapid.SampledFrom([]int64{-1, 400, int64(paid) - 400, int64(paid)}).Draw(t, "fen")), eventtest.Who(t))
			},
			"ask waiver": func(t *rapid.T) {
				by := eventtest.Who(t)
				n, err := last().AskWaiver(by, now)
				step(t, "waiver-asked", n, err, by)
			},
			"waive": func(t *rapid.T) {
				by := eventtest.Who(t)
				n, err := last().Waive(by, now)
				step(t, "waived", n, err, by)
			},
			"revoke": func(t *rapid.T) {
				by := eventtest.Who(t)
				n, err := last().Revoke(by, now)
				step(t, "revoked", n, err, by)
			},
			"late": s.Late,
			"": func(t *rapid.T) {
				var back money.Fen
				for _, r := range cases {
					stored, err := recovery.Get(ctx, s, r.Application, r.ID)
					if err != nil {
						t.Fatal(err)
					}
					item := s.Holds(t, recovery.Key(r.Application, r.ID), recovery.Noun, r.ID, r.Version, stored, r)
					if _, owed := r.Due(); owed != (len(item.Places) == 1) || owed != r.State.Open() {
						t.Fatalf("%s and in %d lists", r.State, len(item.Places))
					}
					hands(t, r)
					back += r.BackFen
				}
				if back > paid {
					t.Fatalf("%s came back of %s", back, paid)
				}
				slice, err := fund.Read(ctx, s, room.Slice())
				if err != nil || slice.Balances.Of(fund.Available)-begun.Balances.Of(fund.Available) != back || slice.Balances.Of(fund.Returned) != -back {
					t.Fatalf("%s came back, and the fund has %v: %v", back, slice.Balances, err)
				}
				if err := fund.Coherent(ctx, s, room.Slice()); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// booked reports whether a credit was booked by a case before the last.
func booked(cases []recovery.Recovery, reference string) bool {
	for _, r := range cases[:len(cases)-1] {
		for _, b := range r.Back {
			if b.Reference == reference {
				return true
			}
		}
	}
	return false
}

// hands holds who did what against who may.
func hands(t *rapid.T, r recovery.Recovery) {
	if r.Opened.By.Kind != event.Staff {
		t.Fatal("a machine opened it")
	}
	if r.Decision != nil {
		eventtest.Apart(t, "decided", r.Decision.By, r.Opened.By, r.Hearing.By)
		if r.BackFen > r.Decision.AmountFen {
			t.Fatalf("%s came back of %s", r.BackFen, r.Decision.AmountFen)
		}
	}
	if r.Waived != nil {
		eventtest.Apart(t, "waived", r.Waived.By, r.Waiver.By)
	}
	if r.Revoked != nil {
		eventtest.Apart(t, "revoked", r.Revoked.By, r.Opened.By, r.Hearing.By, r.Decision.By)
	}
}
