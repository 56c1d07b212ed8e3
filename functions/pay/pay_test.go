package pay_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/payout"
	. "github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/verification"
	"github.com/doudi-aid/doudi/shared/work"
)

func deps(r *Room) pay.Deps {
	models, err := model.Shipped()
	if err != nil {
		r.T.Fatal(err)
	}
	return pay.Deps{Table: r.Table, Box: r.Box, Rails: r.Rails(), Now: r.Now, Metrics: r, Log: r.Logger(), Models: models}
}

// sent fails the test unless the bank got exactly n orders.
func sent(t *testing.T, r *Room, n int) {
	t.Helper()
	if sends, _ := r.Teller.Calls(); sends != n {
		t.Errorf("the bank got %d orders, want %d", sends, n)
	}
}

func TestOfManyClaimsOneWinsAndLosersTalkToNobody(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := h(t.Context(), r.Message()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sent(t, r, 1)
	if p := r.Payout(); p.State != payout.Submitted || p.Version != 3 {
		t.Errorf("%s at version %d", p.State, p.Version)
	}
}

// promise: a flag holds the money, also one raised in the last moment.
func TestAHoldPlacedMeanwhileWins(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	once := sync.Once{}
	r.Table.Before = func(ctx context.Context) { once.Do(func() { r.Hold(ctx, "STAFF") }) }
	h := pay.Handle(deps(r))
	for range 3 {
		if err := h(t.Context(), r.Message()); err != nil {
			t.Error(err)
		}
	}
	sent(t, r, 0)
	if p := r.Payout(); p.State != payout.Due || p.Version != 1 {
		t.Errorf("%s at version %d", p.State, p.Version)
	}
	if _, _, owes := r.Owed(); !owes {
		t.Error("it is not owed any more")
	}
	r.Table.Before = nil
	r.Lift(t.Context())
	if err := h(t.Context(), r.Message()); err != nil {
		t.Error(err)
	}
	sent(t, r, 1)
}

func TestAHoldDoesNotHideAnOrderThatMayBeThere(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	r.Teller.Send = func(int) Manner { return Unheard }
	if err := h(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	// The bank says it does not know it, and a hold comes: not sent, but asked.
	p := r.Payout()
	o, err := payout.Step(p, payout.Answer{Said: payout.Said{Word: payout.NotFound, Reference: p.Attempts[0].Reference}}, event.Actor{Kind: event.System, ID: "settle"}, r.Now())
	if err == nil {
		err = payout.Commit(t.Context(), r.Store, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Hold(t.Context(), "STAFF")
	if err := h(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	if q, _, _ := r.Owed(); q != work.Settle || r.Payout().State != payout.Unknown {
		t.Errorf("%s, owed to %q", r.Payout().State, q)
	}
	sent(t, r, 1)
}

// What is stopped stays owed and is paid after lifting; what is stopped
// elsewhere does not stop this.
func TestAPaymentLeavesWhenTheBrakeIsLifted(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	r.Brake(brake.Rail, "reserve_cash")
	b := r.Brake(brake.Division, "")
	if err := h(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	sent(t, r, 0)
	r.LiftBrake(b)
	if q, _, owes := r.Owed(); !owes || q != work.Pay {
		t.Errorf("owed to %q, %t", q, owes)
	}
	if err := h(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	sent(t, r, 1)
}

// One person stops money at once, and not for ever.
func TestAPullThatNobodySecondsLapses(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	r.Brake(brake.Division, "")
	r.Wait(brake.Alone - time.Nanosecond)
	if err := h(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	sent(t, r, 0)
	r.Wait(time.Nanosecond)
	if err := h(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	sent(t, r, 1)
}

var errAny = errors.New("any error")

func TestWhatIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(*Room, *pay.Deps)
		want error
	}{
		"a brake on everything there": {func(r *Room, _ *pay.Deps) { r.Brake(brake.Division, "") }, nil},
		"a brake on the rail":         {func(r *Room, _ *pay.Deps) { r.Brake(brake.Rail, "bank") }, nil},
		"a brake on the programme":    {func(r *Room, _ *pay.Deps) { r.Brake(brake.Programme, "first_aid") }, nil},
		"a brake on who proposed":     {func(r *Room, _ *pay.Deps) { r.Brake(brake.Officer, Clerk.ID) }, nil},
		"a brake on who approved":     {func(r *Room, _ *pay.Deps) { r.Brake(brake.Officer, Approver.ID) }, nil},
		"a brake pulled between looking and claiming": {func(r *Room, _ *pay.Deps) {
			r.Table.Before = func(context.Context) { r.Table.Before = nil; r.Brake(brake.Division, "") }
		}, nil},
		"the brakes cannot be read": {func(r *Room, _ *pay.Deps) {
			for n := range brake.Copies {
				if err := r.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: fmt.Sprintf("BRAKEBOARD#%d", n), SK: "BOARD"}, Version: 1, Body: []byte("{")}}); err != nil {
					t.Error(err)
				}
			}
		}, errAny},
		"what the registers said cannot be read": {func(r *Room, _ *pay.Deps) {
			if err := r.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: verification.Key("app1", "b1.person", "death"), Version: 1, Body: []byte("{")}}); err != nil {
				t.Error(err)
			}
		}, errAny},
		"no key": {func(r *Room, _ *pay.Deps) {
			item, _, _ := r.Store.Get(t.Context(), table.Key{PK: "APP#app1", SK: "PAYEE#01#001"})
			item.Body[len(item.Body)-1] ^= 1
			item.Version++
			if err := r.Store.Transact(t.Context(), table.Replace{Item: item}); err != nil {
				t.Error(err)
			}
		}, seal.ErrOpen},
		"the store does not answer the claim": {func(r *Room, d *pay.Deps) {
			d.Table = &Mortal{Store: r.Store, Fate: NewFate(map[int]Doom{1: Lost})}
		}, payout.ErrIndeterminate},
		"the claim is stored and nobody says so": {func(r *Room, d *pay.Deps) {
			d.Table = &Mortal{Store: r.Store, Fate: NewFate(map[int]Doom{1: LostDone})}
		}, payout.ErrIndeterminate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := New(t, NewFate(nil))
			d := deps(r)
			c.set(r, &d)
			err := pay.Handle(d)(t.Context(), r.Message())
			if c.want == errAny && err != nil {
				err = errAny
			}
			if !errors.Is(err, c.want) && err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			sent(t, r, 0)
			if _, _, owes := r.Owed(); !owes {
				t.Error("and it is not owed any more")
			}
		})
	}
}

// said keeps a register's answer about a person.
func said(t *testing.T, r *Room, person, source string, o policy.CheckOutcome) {
	t.Helper()
	c := verification.Check{Person: person, Source: source, Outcome: o, FetchedAt: r.Now(), Basis: "b", Facts: map[string]string{"deceased": "yes"}}
	if err := c.Keep(t.Context(), r.Store, r.Box, "app1"); err != nil {
		t.Fatal(err)
	}
}

func TestTheDeadAreNotPaidUntilAPersonHasLooked(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	said(t, r, "b1.person", "death", policy.HitAdverse)
	for range 2 {
		if err := h(t.Context(), r.Message()); err != nil {
			t.Error(err)
		}
	}
	sent(t, r, 0)
	head := r.Head()
	if len(head.Holds) != 1 || head.Holds[0].Code != policy.HoldDeathRecord || head.Version != 2 {
		t.Fatalf("holds %+v", head.Holds)
	}
	found, err := inspection.Of(t.Context(), r.Table, head.ID)
	if err != nil || len(found) != 1 || found[0].Model != "dead-payee" || found[0].Hold != head.Holds[0].ID {
		t.Errorf("what held it is not on record: %+v %v", found, err)
	}
	r.Lift(t.Context())
	if err := h(t.Context(), r.Message()); err != nil {
		t.Error(err)
	}
	sent(t, r, 1)
}

// No model has to be switched on for the dead (X098), and what a model only tells
// goes on record with the claim.
func TestWithAndWithoutModels(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	bare := deps(r)
	bare.Models = nil
	said(t, r, "b1.person", "death", policy.HitAdverse)
	if err := pay.Handle(bare)(t.Context(), r.Message()); err != nil {
		t.Error(err)
	}
	sent(t, r, 0)
	r = New(t, NewFate(nil))
	c := verification.Check{Person: "b1.person", Source: "public_payroll", Outcome: policy.HitAdverse, FetchedAt: r.Now(), Basis: "b", Facts: map[string]string{"on_payroll": "yes"}}
	if err := c.Keep(t.Context(), r.Store, r.Box, r.Head().ID); err != nil {
		t.Fatal(err)
	}
	if err := pay.Handle(deps(r))(t.Context(), r.Message()); err != nil {
		t.Error(err)
	}
	sent(t, r, 1)
	if found, err := inspection.Of(t.Context(), r.Table, r.Head().ID); err != nil || len(found) != 1 || found[0].Model != "public-payroll" {
		t.Errorf("found %+v %v", found, err)
	}
}

func TestWhatDoesNotMakeSomebodyDead(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	said(t, r, "b1.cousin", "death", policy.HitAdverse)
	said(t, r, "b1.person", "death", policy.Unavailable) // D04: silence is no answer
	said(t, r, "b1.person", "household", policy.HitAdverse)
	if err := pay.Handle(deps(r))(t.Context(), r.Message()); err != nil {
		t.Error(err)
	}
	sent(t, r, 1)
}

func TestTheApplicationMovesWhileADeathIsNoted(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	said(t, r, "b1.person", "death", policy.HitAdverse)
	r.Table.Before = func(ctx context.Context) { r.Table.Before = nil; r.Hold(ctx, "STAFF") }
	if err := pay.Handle(deps(r))(t.Context(), r.Message()); fault.Of(err).Kind.Disposition() != fault.Redeliver {
		t.Errorf("got %v", err)
	}
	sent(t, r, 0)
}

func TestTheSameBytesGoAgain(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	r.Teller.Send = func(n int) Manner { return map[int]Manner{1: Unheard, 2: Late}[n] }
	for range 3 {
		if err := h(t.Context(), r.Message()); err != nil {
			t.Fatal(err)
		}
		p := r.Payout()
		c, _ := p.Current()
		if p.State == payout.Submitted {
			break
		}
		o, err := payout.Step(p, payout.Answer{Said: payout.Said{Word: payout.NotFound, Reference: c.Reference}}, event.Actor{Kind: event.System, ID: "settle"}, r.Now())
		if err == nil {
			err = payout.Commit(t.Context(), r.Store, o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(r.Teller.Bodies) != 1 {
		t.Errorf("B01: %d references", len(r.Teller.Bodies))
	}
	for _, bodies := range r.Teller.Bodies {
		if len(bodies) != 3 || bodies[0] != bodies[1] || bodies[1] != bodies[2] {
			t.Errorf("%d orders, or not the same bytes", len(bodies))
		}
	}
}

func TestTheReplyIsStoredAfterOurTimeIsUp(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	ctx, cancel := context.WithCancel(t.Context())
	r.Teller.Send = func(int) Manner { cancel(); return Well }
	if err := pay.Handle(deps(r))(ctx, r.Message()); err != nil {
		t.Error(err)
	}
	if p := r.Payout(); p.State != payout.Submitted && p.State != payout.Unknown {
		t.Errorf("what came back is not stored: %s", p.State)
	}
}

// The answer is lost to the store, or somebody knew more meanwhile: the claim
// stands, settle owes the question, and nothing is sent twice.
func TestTheReplyThatIsNotStored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second func(context.Context, *Room)
		want   error
	}{
		"the store does not answer": {nil, payout.ErrIndeterminate},
		"somebody knew more": {func(ctx context.Context, r *Room) {
			p := r.Payout()
			o, err := payout.Step(p, payout.Answer{Said: payout.Said{Word: payout.Processing, Reference: p.Attempts[0].Reference}}, event.Actor{Kind: event.System, ID: "settle"}, r.Now())
			if err == nil {
				err = payout.Commit(ctx, r.Store, o)
			}
			if err != nil {
				t.Error(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fate := NewFate(nil)
			if c.second == nil {
				fate = NewFate(map[int]Doom{3: Lost}) // the claim, the order, the answer
			}
			r := New(t, fate)
			writes := 0
			r.Table.Before = func(ctx context.Context) {
				if writes++; writes == 2 && c.second != nil {
					c.second(ctx, r)
				}
			}
			h := pay.Handle(deps(r))
			if err := h(t.Context(), r.Message()); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err := h(t.Context(), r.Message()); err != nil {
				t.Error(err)
			}
			sent(t, r, 1)
			if q, _, owes := r.Owed(); !owes || q != work.Settle {
				t.Errorf("owed to %q", q)
			}
		})
	}
}

func TestWhatTheBankSaysAtOnce(t *testing.T) {
	t.Parallel()
	for m, want := range map[Manner]struct {
		state payout.State
		alarm string
	}{
		Well:      {payout.Submitted, ""},
		Unheard:   {payout.Unknown, ""},
		Heard:     {payout.Unknown, ""},
		Broken:    {payout.Unknown, ""},
		BrokenYet: {payout.Unknown, ""},
		Forged:    {payout.Unknown, ""},
		Late:      {payout.Unknown, ""},
		Busy:      {payout.Unknown, ""},
		Short:     {payout.Unknown, payout.AlarmShort},
		Refuse:    {payout.Unknown, "bank-line-refused"},
		Differ:    {payout.Frozen, payout.AlarmFrozen},
		Less:      {payout.Frozen, payout.AlarmFrozen},
	} {
		t.Run("manner "+string(m), func(t *testing.T) {
			t.Parallel()
			r := New(t, NewFate(nil))
			r.Teller.Send = func(int) Manner { return m }
			if err := pay.Handle(deps(r))(t.Context(), r.Message()); err != nil {
				t.Fatal(err)
			}
			p := r.Payout()
			if p.State != want.state || len(p.Attempts) != 1 || (want.alarm != "" && r.Alarms[want.alarm] != 1) {
				t.Errorf("%s, %d attempts, alarms %v", p.State, len(p.Attempts), r.Alarms)
			}
			if m == Short && p.Next.Sub(r.Now()) != 15*time.Minute {
				t.Errorf("an account that is short is asked of again in %v", p.Next.Sub(r.Now()))
			}
		})
	}
}

func TestMessagesThatArePoison(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	h := pay.Handle(deps(r))
	for _, body := range []string{"", "{", "{}", `{"pk":"APP#app1","sk":"HEAD"}`} {
		if err := h(t.Context(), queue.Message{Body: []byte(body)}); !errors.Is(err, pay.ErrMessage) {
			t.Errorf("%q: %v", body, err)
		}
	}
	if err := h(t.Context(), queue.Message{Body: work.Message{PK: "APP#none", SK: "PAYOUT#01"}.Encode()}); !errors.Is(err, payout.ErrNotFound) {
		t.Error(err)
	}
	sent(t, r, 0)
}
