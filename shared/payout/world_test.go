package payout_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

// A schedule is a list of choices: what the bank does, which answers get lost,
// who dies where. The world below asks for one whenever something could go
// otherwise; choice 0 is always the good one, so that a schedule that ran out of
// choices is a world in which faults have stopped, and must come to rest.
type chooser func(n int) int

// order is one reference at the bank.
type order struct {
	plan  payout.Word // what it will end in
	now   payout.Word // what the bank says when asked
	paid  money.Fen   // credited so far, ever
	back  money.Fen   // sent back so far
	steps int         // questions until plan comes true
	born  time.Time   // of an order that the person must accept
}

// world is a payout, its fund and a bank, all in memory, on one clock.
type world struct {
	p      payout.Payout
	at     time.Time
	choose chooser
	step   func(payout.Payout, payout.Input, time.Time) payout.Outcome
	bank   map[string]*order
	wire   []string // orders that left us and have not reached the bank yet
	posted money.Fen
	open   map[int]bool // reservations by number
	sent   map[string]bool
	wrong  error
	asks   int // how often somebody may still ask to take the money back
	// store, when set, keeps every step; fresh is false for one of a payout that has
	// moved meanwhile.
	store func(o payout.Outcome, fresh bool)
}

func healthy(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
	o, err := payout.Step(p, in, machine, at)
	if err != nil {
		panic(err)
	}
	return o
}

func newWorld(rail award.Rail, choose chooser, step func(payout.Payout, payout.Input, time.Time) payout.Outcome) *world {
	p := payout.New(sample(rail))
	return &world{p: p, asks: 1, at: now, choose: choose, step: step, bank: map[string]*order{}, open: map[int]bool{1: true}, sent: map[string]bool{}}
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

// receive is the bank getting an order. It pays one reference at most once.
func (w *world) receive(ref string) {
	if w.bank[ref] != nil {
		return
	}
	if w.p.Rail() == award.WxPay {
		w.bank[ref] = &order{now: payout.Awaits, born: w.at}
		return
	}
	plans := []order{{plan: payout.Succeeded}, {plan: payout.Declined}, {plan: payout.Retryable},
		{plan: payout.Succeeded, steps: 2}, {plan: payout.Declined, steps: 2}, {plan: payout.SentBack}}
	o := plans[w.choose(len(plans))]
	o.now = payout.Processing
	w.bank[ref] = &o
	w.progress(&o)
}

// progress brings an order one question nearer to its end.
func (w *world) progress(o *order) {
	if o.now == payout.Awaits && !o.born.IsZero() {
		if w.at.Sub(o.born) >= payout.Confirmation {
			o.now = payout.Closed // the provider closes it and keeps the money for us
			return
		}
		switch w.choose(4) {
		case 0: // the person accepts; 1: not yet
			o.plan, o.now = payout.Succeeded, payout.Processing
		case 2: // the wallet cannot take it
			o.plan, o.now = payout.Declined, payout.Processing
		case 3: // accepted, and in the wallet at once
			o.plan, o.now = payout.Succeeded, payout.Processing
			w.progress(o)
		}
		return
	}
	if o.steps > 0 {
		o.steps--
		return
	}
	if o.now != payout.Processing {
		return
	}
	o.now = o.plan
	switch o.plan {
	case payout.Succeeded:
		o.paid = amount
	case payout.SentBack:
		o.paid, o.back = amount, amount
	}
	total := money.Fen(0)
	for _, other := range w.bank {
		total += other.paid - other.back
	}
	if total > amount {
		w.fail("M08: the bank has paid %d on an award of %d", total, amount)
	}
}

// close is the provider being asked to take an order back: it may not hear it,
// and may have paid already.
func (w *world) close(ref string) {
	o := w.bank[ref]
	if c := w.choose(3); c != 1 && o != nil && o.now == payout.Awaits {
		o.plan, o.now, o.steps = payout.Closed, payout.Processing, c
	}
}

// says is the bank's true word about a reference.
func (w *world) says(ref string) payout.Said {
	s := payout.Said{Word: payout.NotFound, Reference: ref, Evidence: "raw"}
	if o := w.bank[ref]; o != nil {
		s.Word, s.AmountFen, s.Payee = o.now, amount, "payee-digest"
	}
	return s
}

// commit stores an outcome if the payout is still what the step saw.
func (w *world) commit(o payout.Outcome) bool {
	if o.Event == "" {
		return true
	}
	if o.Payout.Version != w.p.Version+1 {
		if w.store != nil {
			w.store(o, false)
		}
		return false
	}
	was := w.p
	w.p = o.Payout
	for _, f := range o.Effects {
		number := w.p.Reservation
		switch f.Kind {
		case payout.Post, payout.Void:
			if !w.open[number] {
				w.fail("M06: reservation %d is resolved twice", number)
			}
			w.open[number] = false
			if f.Kind == payout.Post {
				w.posted += amount
			}
		case payout.PostLate:
			w.posted += amount
		case payout.Return:
			w.posted -= amount
		}
	}
	for i, a := range w.p.Attempts {
		if a.Reference != payout.Reference("app1", "01", i+1) {
			w.fail("M10: attempt %d has another reference", i+1)
		}
		if i < len(w.p.Attempts)-1 && a.Evidence == "" {
			w.fail("M11: attempt %d exists although the bank never said that %d failed", i+2, i+1)
		}
	}
	if w.posted < 0 || w.posted > amount {
		w.fail("the ledger says %d was paid", w.posted)
	}
	if was.State == payout.Closing && (w.p.State == payout.Due || w.p.State == payout.Resend) {
		w.fail("it goes again although nobody proved that it was closed")
	}
	if was.State == payout.Failed && w.p.State != payout.Failed && w.p.State != payout.Unknown {
		w.fail("failed turned into %s", w.p.State)
	}
	if w.store != nil {
		w.store(o, true)
	}
	return true
}

// pay is the function pay: it may die before, between and after.
func (w *world) pay() {
	ref, _ := w.p.NextReference()
	die := w.choose(4) // 1 before the claim, 2 before the bytes leave, 3 before the reply is stored
	if die == 1 {
		return
	}
	o := w.step(w.p, payout.Claim{Payee: "payee-digest"}, w.at)
	if !o.Sends() || !w.commit(o) || die == 2 {
		return
	}
	w.sent[ref] = true
	reply := payout.Said{Word: payout.Silence, Reference: ref}
	switch w.choose(w.receptions()) {
	case 0: // received and answered
		w.receive(ref)
		reply = w.says(ref)
		reply.Packaged = reply.Word == payout.Awaits
	case 1: // never received
	case 2: // received, answer lost or 5xx
		w.receive(ref)
	case 3: // still on the wire when we give up
		w.wire = append(w.wire, ref)
	case 4: // not taken: our account is short
		reply.Word = payout.Short
	case 5: // refused, although an earlier copy may have been taken
		reply.Word = payout.Refused
	}
	if w.choose(2) == 1 { // the bank's callback is faster than our own reply
		w.callback(ref)
	}
	if die == 3 {
		return
	}
	w.commit(w.step(o.Payout, payout.Reply{Said: reply}, w.at))
}

// receptions is how many ways there are to receive an order.
func (w *world) receptions() int {
	if w.p.Rail() == award.WxPay {
		return 6
	}
	return 5
}

// settle is the function settle. Between question and storing the answer the
// world may move on.
func (w *world) settle() {
	asked := w.p
	current, _ := asked.Current()
	if o := w.bank[current.Reference]; o != nil {
		w.progress(o)
	}
	s := w.says(current.Reference)
	switch w.choose(4) {
	case 1: // no answer, or one that cannot be believed
		s = payout.Said{Word: payout.Silence, Reference: current.Reference}
	case 2: // we die before storing it
		return
	case 3: // meanwhile the bank tells us by itself
		w.callback(current.Reference)
	}
	o := w.step(asked, payout.Answer{Said: s}, w.at)
	if w.commit(o) && o.Closes() && w.choose(2) == 0 { // or we die before asking
		w.close(current.Reference)
	}
}

// callback is the bank telling what it knows, never an untruth.
func (w *world) callback(ref string) {
	if w.bank[ref] == nil {
		return
	}
	w.commit(w.step(w.p, payout.News{Said: w.says(ref)}, w.at))
}

// run lets the world go until nothing is owed, and judges how it ended.
func (w *world) run() error {
	for range 200 {
		if w.wrong != nil {
			return w.wrong
		}
		if len(w.wire) > 0 && w.choose(2) == 0 { // what was on the wire arrives
			w.receive(w.wire[0])
			w.wire = w.wire[1:]
		}
		if w.p.Next.IsZero() {
			if w.quiet() {
				return w.judge()
			}
			continue
		}
		if w.p.State == payout.Waiting && w.asks > 0 && w.choose(2) == 1 { // the person cannot accept it
			w.asks--
			w.commit(w.step(w.p, payout.Cancel{}, w.at))
			continue
		}
		if w.p.Next.After(w.at) {
			w.at = w.p.Next
		}
		if w.p.Asks() {
			w.settle()
		} else {
			w.pay()
		}
	}
	w.fail("W08: no rest after 200 steps, in state %s", w.p.State)
	return w.wrong
}

// quiet lets late things happen after everything seemed over.
func (w *world) quiet() bool {
	current, _ := w.p.Current()
	o := w.bank[current.Reference]
	if o == nil || o.now == payout.Processing {
		return len(w.wire) == 0
	}
	switch w.choose(4) {
	case 1: // a repeated callback
		w.callback(current.Reference)
	case 2: // an old one, from before the end
		w.commit(w.step(w.p, payout.News{Said: payout.Said{Word: payout.Processing, Reference: current.Reference,
			AmountFen: amount, Payee: "payee-digest", Evidence: "raw"}}, w.at))
	case 3: // 退票
		if o.now == payout.Succeeded {
			o.now, o.back = payout.SentBack, o.paid
			w.callback(current.Reference)
		}
	}
	return w.p.Next.IsZero() && len(w.wire) == 0
}

func (w *world) judge() error {
	var kept money.Fen
	for _, o := range w.bank {
		kept += o.paid - o.back
	}
	for ref, o := range w.bank {
		if w.wrong == nil && w.p.State != payout.Frozen && (o.now == payout.Processing || o.now == payout.Awaits) {
			w.fail("it ends %s although the provider is not done with %s", w.p.State, ref)
		}
	}
	want := map[payout.State]money.Fen{payout.Paid: amount, payout.Failed: 0, payout.Returned: 0}
	end, final := want[w.p.State]
	switch {
	case w.wrong != nil:
	case w.p.State == payout.Frozen && w.p.Rail() == award.WxPay && w.p.Attempts[len(w.p.Attempts)-1].Ended == "" && kept == 0 && w.posted == 0:
		// Refused and not there: parked, with people to look.
	case !final:
		w.fail("it rests in state %s with nobody to look", w.p.State)
	case kept != end || w.posted != end:
		w.fail("it ends %s, the bank has paid %d, the ledger says %d", w.p.State, kept, w.posted)
	}
	return w.wrong
}

// enumerate runs every schedule whose first depth choices are arbitrary and
// whose later ones are good, and reports how many there were and the first few
// that went wrong.
func enumerate(rail award.Rail, depth int, step func(payout.Payout, payout.Input, time.Time) payout.Outcome) (runs, wrong int, first error) {
	var prefix []int
	for {
		var taken, width []int
		w := newWorld(rail, func(n int) int {
			i := len(taken)
			if i >= depth {
				return 0
			}
			c := 0
			if i < len(prefix) {
				c = prefix[i]
			}
			taken, width = append(taken, c), append(width, n)
			return c
		}, step)
		runs++
		if err := w.run(); err != nil {
			wrong++
			if first == nil {
				first = fmt.Errorf("schedule %v: %w", taken, err)
			}
		}
		// The next schedule: count up from the end.
		i := len(taken) - 1
		for i >= 0 && taken[i] == width[i]-1 {
			i--
		}
		if i < 0 {
			return runs, wrong, first
		}
		prefix = append(taken[:i:i], taken[i]+1)
	}
}

func depth() int {
	if testing.Short() {
		return 7
	}
	return 9
}

// TestEverySchedule enumerates; it does not sample.
func TestEverySchedule(t *testing.T) {
	t.Parallel()
	for _, rail := range []award.Rail{award.Bank, award.WxPay} {
		runs, wrong, first := enumerate(rail, depth(), healthy)
		t.Logf("%s: %d schedules", rail, runs)
		if wrong > 0 {
			t.Errorf("%s: %d of %d schedules go wrong, the first: %v", rail, wrong, runs, first)
		}
		if runs < 10_000 {
			t.Errorf("%s: only %d schedules: the world offers too few choices", rail, runs)
		}
	}
}

// TestTheWorldCatchesClassicMistakes proves that the enumeration has teeth: each
// mistake that has paid people twice elsewhere is caught by it.
func TestTheWorldCatchesClassicMistakes(t *testing.T) {
	t.Parallel()
	flying := func(p payout.Payout) bool { return p.State.Flying() }
	for name, mistake := range map[string]func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome{
		"B01 a new reference after a timeout": func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
			if a, ok := in.(payout.Answer); ok && a.Word == payout.Silence && flying(p) {
				in = payout.Answer{Said: said(p, payout.Retryable)}
			}
			return healthy(p, in, at)
		},
		"B02 not found taken as failed": func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
			if a, ok := in.(payout.Answer); ok && a.Word == payout.NotFound && flying(p) {
				in = payout.Answer{Said: said(p, payout.Retryable)}
			}
			return healthy(p, in, at)
		},
		"B03 a broken reply taken as failed": func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
			if r, ok := in.(payout.Reply); ok && r.Word == payout.Silence {
				in = payout.Answer{Said: said(p, payout.Retryable)}
			}
			return healthy(p, in, at)
		},
		"B05 released although it may be paid": func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
			if a, ok := in.(payout.Answer); ok && a.Word == payout.Silence && flying(p) {
				in = payout.Answer{Said: said(p, payout.Declined)}
			}
			return healthy(p, in, at)
		},
	} {
		if _, wrong, _ := enumerate(award.Bank, 6, mistake); wrong == 0 {
			t.Errorf("%s is not caught", name)
		}
	}
	for name, mistake := range map[string]func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome{
		"asked to close, taken as closed": func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
			if a, ok := in.(payout.Answer); ok && p.State == payout.Closing && a.Word == payout.Processing {
				in = payout.Answer{Said: said(p, payout.Closed)}
			}
			return healthy(p, in, at)
		},
		"refused taken as failed": func(p payout.Payout, in payout.Input, at time.Time) payout.Outcome {
			if r, ok := in.(payout.Reply); ok && r.Word == payout.Refused {
				in = payout.Answer{Said: said(p, payout.Declined)}
			}
			return healthy(p, in, at)
		},
	} {
		caught := false
		for seed := range uint64(20_000) {
			r := rand.New(rand.NewPCG(seed, 1))
			left := 25
			caught = caught || newWorld(award.WxPay, func(n int) int {
				if left--; left < 0 || r.IntN(2) == 0 {
					return 0
				}
				return r.IntN(n)
			}, mistake).run() != nil
			if caught {
				break
			}
		}
		if !caught {
			t.Errorf("%s is not caught", name)
		}
	}
}

// TestRandomWorlds goes deeper than the enumeration can, and shrinks what it finds.
func TestRandomWorlds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := 40
		w := newWorld(rapid.SampledFrom([]award.Rail{award.Bank, award.WxPay}).Draw(t, "rail"), func(n int) int {
			if left--; left < 0 {
				return 0
			}
			return rapid.IntRange(0, n-1).Draw(t, "choice")
		}, healthy)
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
	})
}
