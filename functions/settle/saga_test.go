package settle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
	. "github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/work"
)

// functions are pay and settle at work in a room.
type functions struct {
	*Room
	handlers map[work.Queue]queue.Handler
	web      http.Handler
}

func start(r *Room) functions {
	d := settle.Deps{Table: r.Table, Rails: r.Rails(), Now: r.Now, Metrics: r, Log: r.Logger()}
	return functions{r, map[work.Queue]queue.Handler{
		work.Pay:    pay.Handle(pay.Deps{Table: r.Table, Box: r.Box, Rails: r.Rails(), Now: r.Now, Metrics: r, Log: r.Logger()}),
		work.Settle: settle.Handle(d),
	}, httpapi.New(httpapi.Config{Now: r.Now, IDs: ident.Random(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, settle.Callbacks(d)...)}
}

// call gives the bank's callback to settle; 0 means that the process died.
func (f functions) call(req *http.Request) int {
	w := httptest.NewRecorder()
	if lived, _ := Live(func() error { f.web.ServeHTTP(w, req); return nil }); !lived {
		return 0
	}
	return w.Code
}

// chatter is how the bank's callbacks behave.
type chatter string

var chatters = []chatter{"silent", "once", "twice", "late", "lost then again"}

// talk lets the bank tell what it knows about everything.
func (f functions) talk(c chatter) {
	for _, ref := range f.Teller.References() {
		n := map[chatter]int{"once": 1, "twice": 2}[c]
		for range n {
			f.call(f.Teller.News(ref, bankrail.CallbackPath, settled))
		}
	}
}

// settled makes a statement one that the bank sends unasked: about an order it has.
func settled(s *bank.Statement) {
	if s.Status == bank.NotFound {
		s.Status = bank.Processing
	}
}

// one runs a whole life in which things go as told, and then none any more.
func one(t testing.TB, dooms map[int]Doom, send, ask Manner, verdict Verdict, c chatter, end payout.State) *Room {
	r := New(t, NewFate(dooms))
	f := start(r)
	r.Teller.Send = func(n int) Manner {
		if n == 1 {
			return send
		}
		return Well
	}
	r.Teller.Ask = func(n int) Manner {
		if n == 1 {
			return ask
		}
		return Well
	}
	first := true
	r.Teller.Decide = func(bank.OrderDocument) Verdict {
		if verdict.Code == "BANK_BUSY" && !first {
			return Verdict{Status: bank.Paid} // a new attempt goes well
		}
		first = false
		return verdict
	}
	// The faulty time: deliveries interleaved with what the bank says.
	for range 4 {
		r.Rest(1, f.handlers)
		f.talk(c)
	}
	if !r.Rest(60, f.handlers) {
		t.Errorf("W08: it does not come to rest; state %s", r.Payout().State)
	}
	if c == "late" || c == "lost then again" {
		f.talk("twice")
		r.Rest(10, f.handlers)
	}
	r.Judge(end)
	return r
}

var ends = []struct {
	verdict Verdict
	end     payout.State
}{
	{Verdict{Status: bank.Paid}, payout.Paid},
	{Verdict{Status: bank.Paid, Slow: 3}, payout.Paid},
	{Verdict{Status: bank.Failed, Code: "ACCOUNT_CLOSED"}, payout.Failed},
	{Verdict{Status: bank.Failed, Code: "BANK_BUSY"}, payout.Paid}, // by a second attempt
	{Verdict{Status: bank.Failed, Code: "INSUFFICIENT_FUNDS"}, payout.Failed},
	{Verdict{Status: bank.Returned, Code: "ACCOUNT_CLOSED"}, payout.Returned},
}

// report collects what one schedule did wrong, so that a failure names it.
type report struct {
	testing.TB
	wrong []string
}

func (r *report) Helper()                   {}
func (r *report) Errorf(f string, a ...any) { r.wrong = append(r.wrong, fmt.Sprintf(f, a...)) }
func (r *report) Error(a ...any)            { r.wrong = append(r.wrong, fmt.Sprint(a...)) }
func (r *report) Fatal(a ...any)            { panic(fmt.Sprint(a...)) }
func (r *report) check(t *testing.T, name string) {
	if len(r.wrong) > 0 {
		t.Errorf("%s: %v", name, r.wrong)
	}
}

// touches is more than any of these lives takes before it could come to rest.
const touches = 14

// TestCrashMatrix kills the real handlers, over the real protocol, at every
// touch of the store and the bank, in every way, crossed with everything the
// bank and its callbacks may do. Whatever happens, the person is paid once, or
// it is proven that they were not, the ledger adds up, and nothing is left lying.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	runs := 0
	for _, e := range ends {
		for i, send := range Sends() {
			for j, ask := range Asks() {
				c := chatters[(i+j)%len(chatters)]
				for at := range touches {
					for k, doom := range Dooms() {
						if (i+j+at+k)%stride() != 0 {
							continue
						}
						runs++
						tb := &report{TB: t}
						one(tb, map[int]Doom{at + 1: doom}, send, ask, e.verdict, c, e.end)
						tb.check(t, fmt.Sprintf("send %q, ask %q, bank %v, callbacks %s, touch %d %s", send, ask, e.verdict, c, at+1, doom))
					}
				}
			}
		}
	}
	t.Logf("%d lives", runs)
}

// stride thins the matrix out, the same way every time; 1 runs every cell.
func stride() int {
	if testing.Short() {
		return 29
	}
	return 23
}

// TestTwoCrashes kills twice, at every pair of touches, in the plain life.
func TestTwoCrashes(t *testing.T) {
	t.Parallel()
	for first := 1; first <= touches; first++ {
		for second := first + 1; second <= touches; second++ {
			for i, doom := range Dooms() {
				tb := &report{TB: t}
				other := Dooms()[(i+first+second)%len(Dooms())]
				one(tb, map[int]Doom{first: doom, second: other}, Well, Well, Verdict{Status: bank.Paid}, chatters[(first+second)%len(chatters)], payout.Paid)
				tb.check(t, fmt.Sprintf("touch %d %s, touch %d %s", first, doom, second, other))
			}
		}
	}
}

// TestEveryChannelFault crosses all that the bank can do without any crash, evenly
// thinned by what the callbacks do.
func TestEveryChannelFault(t *testing.T) {
	t.Parallel()
	for _, e := range ends {
		for i, send := range Sends() {
			for j, ask := range Asks() {
				for k, c := range chatters {
					if (i+j+k)%len(chatters) > 1 || testing.Short() && (i+j+k)%len(chatters) != 0 {
						continue // each verdict still meets each pair of faults, with two kinds of callbacks
					}
					tb := &report{TB: t}
					one(tb, nil, send, ask, e.verdict, c, e.end)
					tb.check(t, fmt.Sprintf("send %q, ask %q, bank %v, callbacks %s", send, ask, e.verdict, c))
				}
			}
		}
	}
}

// TestAPlainLife is the life that should be most people's, over a real network.
func TestAPlainLife(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	server := httptest.NewServer(r.Teller)
	defer server.Close()
	r.Bank = r.BankAt(server.URL)
	f := start(r)
	if !r.Rest(10, f.handlers) {
		t.Error("it does not come to rest")
	}
	r.Judge(payout.Paid)
	if sends, asks := r.Teller.Calls(); sends != 1 || asks != 1 {
		t.Errorf("%d orders and %d questions", sends, asks)
	}
	if len(r.Alarms) > 0 {
		t.Errorf("alarms %v in a life without trouble", r.Alarms)
	}
	// 退票, days later.
	r.Wait(72 * 60 * 60 * 1e9)
	ref := r.Payout().Attempts[0].Reference
	r.Teller.SendBack(ref)
	if code := f.call(r.Teller.News(ref, bankrail.CallbackPath, nil)); code != http.StatusOK {
		t.Errorf("callback answered %d", code)
	}
	r.Rest(10, f.handlers)
	r.T = &onlyState{t}
	if p := r.Payout(); p.State != payout.Returned {
		t.Errorf("after it came back: %s", p.State)
	}
	if !r.Head().Held() {
		t.Error("nobody is asked to look")
	}
}

type onlyState struct{ *testing.T }

// TestDeathOfTheBankForAWhile: the bank is silent for a day; nothing is
// concluded, a person is called, and then all is well.
func TestTheBankIsSilentForADay(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	f := start(r)
	silent := true
	quiet := func(int) Manner {
		if silent {
			return Unheard
		}
		return Well
	}
	r.Teller.Send, r.Teller.Ask = quiet, quiet
	if r.Rest(100, f.handlers) {
		t.Error("it came to rest although nobody knows anything")
	}
	if p := r.Payout(); p.State != payout.Unknown || len(p.Attempts) != 1 || r.Now().Sub(Start).Hours() < 20 {
		t.Errorf("after %v: %+v", r.Now().Sub(Start), p)
	}
	if r.Alarms[payout.AlarmUnresolved] == 0 {
		t.Error("nobody was called")
	}
	silent = false
	if !r.Rest(20, f.handlers) {
		t.Error("it does not come to rest")
	}
	r.Judge(payout.Paid)
}

// still is a rail that does not let us ask now.
type still struct {
	rail.Rail
	err error
}

func (s still) Admit(context.Context, rail.Call) (bool, error) { return false, s.err }

// TestAQuestionThatCannotBeAsked stays owed: over a rail that is not in use, or
// whose provider has heard enough of all of us for now.
func TestAQuestionThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		rails func(*Room) rail.Set
		err   error
	}{
		"not in use":             {rails: func(*Room) rail.Set { return nil }},
		"not admitted":           {rails: func(r *Room) rail.Set { return rail.Set{award.Bank: still{Rail: r.Rails()[award.Bank]}} }},
		"admission is not known": {rails: func(r *Room) rail.Set { return rail.Set{award.Bank: still{r.Rails()[award.Bank], broken}} }, err: broken},
	} {
		f, _ := flying(t)
		f.Wait(f.Payout().Next.Sub(f.Now()))
		version := f.Payout().Version
		h := settle.Handle(settle.Deps{Table: f.Table, Rails: c.rails(f.Room), Now: f.Now, Metrics: f.Room, Log: f.Logger()})
		if err := h(t.Context(), f.Message()); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		_, asks := f.Teller.Calls()
		if q, _, owes := f.Owed(); asks != 0 || f.Payout().Version != version || !owes || q != work.Settle {
			t.Errorf("%s: %d questions, version %d, owed to %q", name, asks, f.Payout().Version, q)
		}
		f.Rest(10, f.handlers)
		f.Judge(payout.Paid)
	}
}
