// Package linear holds the fund, the changes of an application and the awards of a
// household to what one client after the other would see, while several really run at
// once. The order in which they write is forced by the store they share, and a share
// of the writes lose their answer although they were done.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var now = time.Date(2026, 9, 7, 2, 0, 0, 0, time.UTC)

// turnstile is a store at which those who write wait for each other: nobody
// passes before all who are still at work have read what they read and stand at
// the write. Then one passes, drawn by lot, and the rest go on waiting. So every
// write but the first meets a store that has moved since it was read.
type turnstile struct {
	table.Store
	rand *rand.Rand

	mu      sync.Mutex
	at      int // clients at work
	waiting []chan bool
}

func (s *turnstile) enter(n int) { s.at = n }

// leave tells that a client is done for good.
func (s *turnstile) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at--
	s.release()
}

// release lets one pass if all stand here; the caller holds mu.
func (s *turnstile) release() {
	if len(s.waiting) == 0 || len(s.waiting) < s.at {
		return
	}
	i := s.rand.IntN(len(s.waiting))
	who := s.waiting[i]
	s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
	who <- s.rand.IntN(5) == 0 // one answer in five is lost
}

func (s *turnstile) Transact(ctx context.Context, writes ...table.Write) error {
	turn := make(chan bool, 1)
	s.mu.Lock()
	s.waiting = append(s.waiting, turn)
	s.release()
	s.mu.Unlock()
	lost := <-turn
	if err := s.Store.Transact(ctx, writes...); err != nil {
		return err
	}
	if lost {
		return table.ErrUnknown
	}
	return nil
}

// history runs clients at once, each its own operations, and notes when each
// began and ended.
func history[In any](s *turnstile, clients [][]In, do func(client int, in In) any) []porcupine.Operation {
	var clock atomic.Int64
	var mu sync.Mutex
	var all []porcupine.Operation
	var group sync.WaitGroup
	s.enter(len(clients))
	for c, ops := range clients {
		group.Go(func() {
			defer s.leave()
			for _, in := range ops {
				called := clock.Add(1)
				out := do(c, in)
				op := porcupine.Operation{ClientId: c, Input: in, Call: called, Output: out, Return: clock.Add(1)}
				mu.Lock()
				all = append(all, op)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return all
}

func told(ops []porcupine.Operation) string {
	var b strings.Builder
	for _, o := range ops {
		fmt.Fprintf(&b, "\n  %d: [%d,%d] %+v → %+v", o.ClientId, o.Call, o.Return, o.Input, o.Output)
	}
	return b.String()
}

// The fund.

type movement struct {
	do    string // reserve, post, void or read
	claim int
}

// slice is the model of a fund's slice: what is available and how each claim stands.
type slice struct {
	available int
	claims    [8]byte // 0 none, 'r' reserved, 'p' posted, 'v' voided
}

const budget = 130

func amount(claim int) int { return 40 + 10*claim }

func (s slice) step(in movement, out any) (bool, slice) {
	c := &s.claims[in.claim]
	switch {
	case in.do == "read":
		return out == s.available, s
	case in.do == "reserve" && *c == 0 && s.available >= amount(in.claim):
		*c = 'r'
		s.available -= amount(in.claim)
		return out == "done", s
	case in.do == "reserve" && *c == 0:
		return out == "short", s
	case in.do == "post" && *c == 'r':
		*c = 'p'
		return out == "done", s
	case in.do == "void" && *c == 'r':
		*c = 'v'
		s.available += amount(in.claim)
		return out == "done", s
	}
	return out == "refused", s
}

var fundModel = porcupine.Model{
	Init: func() any { return slice{available: budget} },
	Step: func(state, in, out any) (bool, any) {
		ok, next := state.(slice).step(in.(movement), out)
		return ok, next
	},
}

func TestTheFund(t *testing.T) {
	t.Parallel()
	id := fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: "320402001000"}
	first, second := event.Actor{Kind: event.Staff, ID: "f1", Person: "b1.f1"}, event.Actor{Kind: event.Staff, ID: "f2", Person: "b1.f2"}
	machine := event.Actor{Kind: event.System, ID: "linear"}
	for seed := range uint64(150) {
		ctx, mem, lot := t.Context(), embedded.Memory(), rand.New(rand.NewPCG(seed, 1))
		if err := fund.Provide(ctx, mem, fund.Slice{ID: id, Source: "county"},
			fund.Appropriation{Reference: "1", AmountFen: budget, First: first, Second: second, At: now}); err != nil {
			t.Fatal(err)
		}
		s := &turnstile{Store: mem, rand: lot}
		clients := make([][]movement, 5)
		for c := range clients {
			for range 4 {
				clients[c] = append(clients[c], movement{[]string{"reserve", "reserve", "post", "void", "read"}[lot.IntN(5)], lot.IntN(4)})
			}
		}
		ops := history(s, clients, func(_ int, in movement) any {
			claim, fen := fund.Claim{Application: fmt.Sprint(in.claim), Award: "01", Number: 1}, money.Fen(amount(in.claim))
			var writes []table.Write
			var err error
			switch in.do {
			case "read":
				got, err := fund.Read(ctx, s, id)
				if err != nil {
					t.Error(err)
				}
				return int(got.Balances.Of(fund.Available))
			case "reserve":
				writes, err = fund.Take(id, claim, fen, []event.Actor{machine}, now)
			case "post":
				writes, err = fund.Post(id, claim, fen, fen, machine, "evidence", now)
			case "void":
				writes, err = fund.Void(id, claim, fen, machine, "evidence", now)
			}
			if err != nil {
				t.Error(err)
				return err
			}
			err = fund.Refusal(s.Transact(ctx, writes...), id, "")
			switch _, failed := errors.AsType[*table.ConditionError](err); {
			case err == nil, errors.Is(err, table.ErrUnknown): // a lost answer here is one to a write that was made
				return "done"
			case errors.Is(err, fund.ErrShort) && in.do == "reserve":
				put := writes[1].(table.Put)
				if f, there := table.FailedOn(err, put.Item.Key); !there || f.Reason != table.Exists {
					return "short"
				}
				return "refused"
			case failed:
				return "refused"
			}
			return err
		})
		if !porcupine.CheckOperations(fundModel, ops) {
			t.Fatalf("seed %d: no order explains%s", seed, told(ops))
		}
		if err := fund.Coherent(ctx, mem, id); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Changes of one application: requests that are repeated, used for something
// else, and approvals of which one may win.

type request struct {
	key, body string
	approver  int // 0 for a note
}

// record is the model of an application: its version, who approved, and the
// answer to each request.
type record struct {
	version  int
	approved int
	answered string // key=body@version, each followed by a space
}

func (r record) step(in request, out any) (bool, record) {
	if at := strings.Index(r.answered, in.key+"="); at >= 0 {
		body, rest, _ := strings.Cut(r.answered[at+len(in.key)+1:], "@")
		if body != in.body {
			return out == "another body", r
		}
		version, _, _ := strings.Cut(rest, " ")
		return out == "answer "+version, r
	}
	if out == "moved on" { // it gave up, and did nothing
		return true, r
	}
	if in.approver > 0 {
		if r.approved > 0 {
			return out == "refused", r
		}
		r.approved = in.approver
	}
	r.version++
	r.answered += fmt.Sprintf("%s=%s@%d ", in.key, in.body, r.version)
	return out == fmt.Sprintf("answer %d", r.version), r
}

var recordModel = porcupine.Model{
	Init: func() any { return record{version: 1} },
	Step: func(state, in, out any) (bool, any) {
		ok, next := state.(record).step(in.(request), out)
		return ok, next
	},
}

// proposed stores an application that an officer has proposed.
func proposed(ctx context.Context, t *testing.T, s table.Store) {
	t.Helper()
	by := event.Actor{Kind: event.Staff, ID: "clerk", Person: "b1.clerk"}
	a := application.Application{ID: "app1", Version: 1, State: application.Proposed, Account: "acc", Township: civil.DivisionCode("320402001000"),
		Subject: "b1.person", People: []string{"b1.person"}, Payee: "b1.account", AcceptedAt: now, Findings: &application.Findings{At: now, AmountFen: 100},
		Proposal: &application.Proposal{By: by, At: now, AmountFen: 100, Payee: "b1.account"}}
	w, err := a.Writes(a.Event("proposed", by, now))
	if err == nil {
		err = s.Transact(ctx, w...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestApprovalsAndRepeatedRequests(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		ctx, mem, lot := t.Context(), embedded.Memory(), rand.New(rand.NewPCG(seed, 2))
		proposed(ctx, t, mem)
		s := &turnstile{Store: mem, rand: lot}
		clients := make([][]request, 4)
		for c := range clients {
			for range 3 {
				r := request{key: fmt.Sprint("k", lot.IntN(4)), body: string("ab"[lot.IntN(2)])}
				if lot.IntN(2) == 0 {
					r = request{key: fmt.Sprint("approve", c), body: "a", approver: c + 1}
				}
				clients[c] = append(clients[c], r)
			}
		}
		ops := history(s, clients, func(_ int, in request) any {
			ask := application.Request{Key: in.key, Digest: in.body, Status: 201}
			for {
				answer, err := application.Change(ctx, s, "app1", ask, func(a application.Application) (application.Step[int64], error) {
					by := event.Actor{Kind: event.Staff, ID: fmt.Sprint("officer-", in.approver), Person: fmt.Sprint("b1.officer-", in.approver)}
					next, err := a.Note()
					if in.approver > 0 {
						next, err = a.Approve(application.Award{ID: "01", AmountFen: 100, By: by, At: now}, application.Deadline{Kind: application.ToExplain, From: now, At: now.AddDate(0, 0, 5)})
					}
					return application.Step[int64]{Next: next, Event: next.Event("noted", by, now), Out: next.Version}, err
				})
				switch {
				case err == nil:
					return "answer " + strings.TrimSpace(string(answer.Body))
				case errors.Is(err, application.ErrReused):
					return "another body"
				case errors.Is(err, application.ErrMovedOn):
					return "moved on"
				case errors.Is(err, table.ErrUnknown):
					continue // as it says: the same key again
				case errors.Is(err, application.ErrState):
					return "refused"
				}
				t.Error(err)
				return err
			}
		})
		if !porcupine.CheckOperations(recordModel, ops) {
			t.Fatalf("seed %d: no order explains%s", seed, told(ops))
		}
	}
}

// Awards to the members of one household, which count together: at most so many in a
// year, and further ones by exception. Each is judged before it is written.

type asking struct {
	member    int
	exception bool
}

const mostAwards = 2

// householdModel is the model: how many awards the household had.
var householdModel = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, in, out any) (bool, any) {
		had := state.(int)
		if had >= mostAwards && !in.(asking).exception {
			return out == "too many", had
		}
		return out == "given", had + 1
	},
}

func TestAwardsOfOneHousehold(t *testing.T) {
	t.Parallel()
	home := [][]string{{"b1.mother"}, {"b1.father"}, {"b1.son"}, {"b1.daughter"}}
	for seed := range uint64(150) {
		ctx, mem, lot := t.Context(), embedded.Memory(), rand.New(rand.NewPCG(seed, 3))
		s := &turnstile{Store: mem, rand: lot}
		clients := make([][]asking, 4)
		for c := range clients {
			for range 2 {
				clients[c] = append(clients[c], asking{c, lot.IntN(4) == 0})
			}
		}
		var nth atomic.Int64
		ops := history(s, clients, func(_ int, in asking) any {
			// Whoever is helped stands first; some name only part of the others.
			people := [][]string{home[in.member]}
			for i, other := range home {
				if i != in.member && (in.member != 3 || i == 0) {
					people = append(people, other)
				}
			}
			n := nth.Add(1)
			a := award.Award{ID: "01", Application: fmt.Sprint("app", n), Cause: policy.Cause(fmt.Sprint("cause", n)), Year: 2026,
				Subject: people[0][0], Payee: "b1.account" + people[0][0], AmountFen: 1, At: now}
			for {
				h, err := award.Read(ctx, s, people, true)
				if err != nil {
					return err
				}
				for _, e := range h.Earlier {
					if e.AwardID == a.Application+"#01" {
						return "given" // its answer was lost
					}
				}
				if len(h.Earlier) >= mostAwards && !in.exception {
					return "too many"
				}
				made, err := award.Markers(ctx, s, a)
				if err != nil {
					return err
				}
				once, err := h.Writes(a)
				if err != nil {
					return err
				}
				if err := s.Transact(ctx, append(made, once...)...); err == nil {
					return "given"
				}
			}
		})
		if !porcupine.CheckOperations(householdModel, ops) {
			t.Fatalf("seed %d: no order explains%s", seed, told(ops))
		}
	}
}

// TestTheCheckerCanSayNo: histories that no order of one after the other explains.
func TestTheCheckerCanSayNo(t *testing.T) {
	t.Parallel()
	op := func(client int, in, out any, from, to int64) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: in, Output: out, Call: from, Return: to}
	}
	for name, c := range map[string]struct {
		model porcupine.Model
		ops   []porcupine.Operation
	}{
		"one award too many": {householdModel, []porcupine.Operation{
			op(0, asking{0, false}, "given", 1, 6), op(1, asking{1, false}, "given", 2, 5), op(2, asking{2, false}, "given", 3, 4)}},
		"refused before there were any": {householdModel, []porcupine.Operation{
			op(0, asking{0, false}, "too many", 1, 2), op(1, asking{1, false}, "given", 3, 4)}},
		"one claim reserved twice": {fundModel, []porcupine.Operation{
			op(0, movement{"reserve", 0}, "done", 1, 4), op(1, movement{"reserve", 0}, "done", 2, 3)}},
		"more than there is": {fundModel, []porcupine.Operation{
			op(0, movement{"reserve", 3}, "done", 1, 9), op(1, movement{"reserve", 4}, "done", 2, 8),
			op(2, movement{"reserve", 5}, "done", 3, 7), op(3, movement{"reserve", 6}, "done", 4, 6)}},
		"a balance from before": {fundModel, []porcupine.Operation{
			op(0, movement{"reserve", 0}, "done", 1, 2), op(1, movement{"read", 0}, budget, 3, 4)}},
		"two approve": {recordModel, []porcupine.Operation{
			op(0, request{"x", "a", 1}, "answer 2", 1, 4), op(1, request{"y", "a", 2}, "answer 3", 2, 3)}},
		"one key, two answers": {recordModel, []porcupine.Operation{
			op(0, request{"x", "a", 0}, "answer 2", 1, 4), op(1, request{"x", "a", 0}, "answer 3", 2, 3)}},
		"one version twice": {recordModel, []porcupine.Operation{
			op(0, request{"x", "a", 0}, "answer 2", 1, 4), op(1, request{"y", "a", 0}, "answer 2", 2, 3)}},
	} {
		if porcupine.CheckOperations(c.model, c.ops) {
			t.Errorf("%s was taken for an order", name)
		}
	}
}
