package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
)

// weather is how bad the first part of a simulated life is, in percent. Each seed
// draws its own, up to what a cluster simulator of ledgers draws.
type weather struct {
	*rand.Rand
	die   int // of touches of the world: dead or lost there
	cut   int // of calls to the bank: cut, broken, forged, throttled …
	lose  int // of messages: lost
	twice int // of messages: handed over again, later and out of order
	skew  time.Duration
}

func (w *weather) upTo(percent int) bool { return w.IntN(100) < percent }

// tick is the grain of the due index: time here moves only when something is owed,
// and must then have come.
const tick = time.Millisecond

// manner is how the bank treats one call.
func (w *weather) manner(of []payouttest.Manner) payouttest.Manner {
	if !w.upTo(w.cut) {
		return payouttest.Well
	}
	return of[w.IntN(len(of))]
}

// simulate lives one life under a weather drawn from seed: first everything that
// can go wrong does, and whatever the order, nothing may break; then all heals,
// and it must come to the end that the bank has in mind. trace is what happened,
// the same for the same seed.
func (l *life) simulate(seed uint64) (trace string, wrong []string) {
	draw := rand.New(rand.NewPCG(seed, 0))
	w := &weather{Rand: draw, die: draw.IntN(11), cut: draw.IntN(31), lose: draw.IntN(31), twice: draw.IntN(51), skew: time.Duration(draw.IntN(11)) * time.Minute}
	end := ends()[draw.IntN(len(ends()))]
	var told strings.Builder
	fmt.Fprintf(&told, "%s: %d%% die, %d%% cut, %d%% lost, %d%% twice, clocks within %s\n", end.name, w.die, w.cut, w.lose, w.twice, w.skew)
	l.found.wrong = nil
	defer func() {
		l.weather, l.skew = nil, 0
		if p := recover(); p != nil {
			reason, ours := p.(stop)
			if !ours {
				panic(p)
			}
			trace, wrong = told.String(), append(l.found.wrong, string(reason))
		}
	}()
	dooms := map[int]payouttest.Doom{}
	for touch := 1; touch <= 1000; touch++ {
		if w.upTo(w.die) {
			dooms[touch] = payouttest.Dooms()[draw.IntN(len(payouttest.Dooms()))]
		}
	}
	l.Back(l.begin.room, dooms)
	l.schedule, l.course, l.post.pending = schedule{end: end, chatter: "once", messages: "relayed"}, l.begin.course, slices.Clone(l.begin.pending)
	l.weather = w
	for range 20 + draw.IntN(60) {
		l.skew = (time.Duration(draw.Int64N(int64(2*w.skew)+1)) - w.skew).Truncate(tick)
		fmt.Fprintf(&told, "%s, %d touches, %s by our clock: %s\n", l.Now().Format(time.RFC3339), l.Fate.Touches(), l.skew, l.storm(w))
		l.safe()
	}
	l.weather, l.skew = nil, 0
	l.Fate.Turn(l.Fate.Touches(), nil)
	// What has piled up is delivered first.
	for l.course = (course{act: slices.IndexFunc(acts, func(a act) bool { return a.arrives }), left: 5000}); l.act < len(acts); {
		l.step()
	}
	l.Judge(end.state)
	p := l.Payout()
	fmt.Fprintf(&told, "%s at version %d after %d touches, %d attempts, the bank paid %d fen\n", p.State, p.Version, l.Fate.Touches(), len(p.Attempts), l.Teller.Paid)
	return told.String(), l.found.wrong
}

// storm is one thing that happens, and its name.
func (l *life) storm(w *weather) string {
	ctx := context.Background()
	l.blow(ctx, w)
	switch w.IntN(10) {
	case 0, 1: // the bank calls, and perhaps not about this, or it is not the bank
		refs := l.Teller.References()
		if len(refs) == 0 {
			return "silence"
		}
		l.chatter = []string{"once", "once", "forged", "stranger"}[w.IntN(4)]
		req := l.Teller.News(refs[w.IntN(len(refs))], bankrail.CallbackPath, l.twist)
		if l.chatter == "forged" {
			req.Header.Set(bank.HeaderSignature, req.Header.Get(bank.HeaderSignature)[1:]+"A")
		}
		_, _ = payouttest.Live(func() error { l.web.ServeHTTP(httptest.NewRecorder(), req); return nil })
		return "a call, " + l.chatter
	case 2:
		wait := time.Duration(w.Int64N(int64([]time.Duration{time.Minute, time.Hour, 25 * time.Hour}[w.IntN(3)]))).Truncate(tick)
		l.Wait(wait)
		return "nothing for " + wait.String()
	case 3:
		_, _ = payouttest.Live(func() error { _, err := sweep.Run(ctx, l.sweeper, 0); return err })
		return "a sweep"
	}
	if len(l.post.pending) == 0 {
		if _, at, owes := l.Owed(); owes {
			l.until(at)
		}
		return "nothing is under way"
	}
	i := w.IntN(len(l.post.pending)) // in any order
	m := l.post.pending[i]
	switch {
	case w.upTo(w.lose):
		l.post.pending = slices.Delete(l.post.pending, i, i+1)
		return "a message is lost: " + m.queue
	case !w.upTo(w.twice):
		l.post.pending = slices.Delete(l.post.pending, i, i+1)
	}
	handle, ours := l.handlers[m.queue]
	if !ours {
		return "a message for others: " + m.queue
	}
	lived, err := payouttest.Live(func() error { return handle(ctx, queue.Message{ID: "m", Body: m.body, Attempt: 1}) })
	return fmt.Sprintf("a message: %s, lived %v, well %v", m.queue, lived, err == nil)
}

// blow hands the changes of the table to the relay, which loses some.
func (l *life) blow(ctx context.Context, w *weather) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	changes, err := l.Store.Next(ended, "relay", 1000)
	if err != nil || len(changes) == 0 {
		return
	}
	hand := relay.Handle(l.relay)
	for _, c := range changes {
		if !w.upTo(w.lose) {
			_ = hand(ctx, c)
		}
	}
	_ = l.Store.Ack(ctx, "relay", changes[len(changes)-1].Seq)
}

// safe holds at every moment of the storm: the bank has paid at most once.
func (l *life) safe() {
	credits := 0
	for _, n := range l.Teller.Credits {
		credits += n
	}
	if credits > 1 {
		l.found.Errorf("M08: %d credits in the middle of the storm", credits)
	}
}
