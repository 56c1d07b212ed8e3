// Command prove runs the payment path's real handlers through every schedule of
// crashes, lost answers, provider outcomes and callbacks that the space it
// prints describes, and looks after each whether the money, the ledger and the
// record are right. A schedule that breaks something prints one line that
// replays it. It opens no socket.
//
// Schedules share what they have in common. One that differs from another only
// by one more crash begins at the step in which that crash falls; one that comes
// back, byte for byte, to where another of the same behaviour came to a good end
// ends there. Nothing else is left out: -replay runs any of them from the
// beginning to its own end.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/work"
)

// end is what the bank makes of an order, and where that must lead.
type end struct {
	name    string
	verdict payouttest.Verdict
	state   payout.State
}

func ends() []end {
	return []end{
		{"paid", payouttest.Verdict{Status: bank.Paid}, payout.Paid},
		{"paid-slowly", payouttest.Verdict{Status: bank.Paid, Slow: 3}, payout.Paid},
		{"account-closed", payouttest.Verdict{Status: bank.Failed, Code: "ACCOUNT_CLOSED"}, payout.Failed},
		{"bank-busy", payouttest.Verdict{Status: bank.Failed, Code: "BANK_BUSY"}, payout.Paid}, // by a second attempt
		{"no-funds", payouttest.Verdict{Status: bank.Failed, Code: "INSUFFICIENT_FUNDS"}, payout.Failed},
		{"sent-back", payouttest.Verdict{Status: bank.Returned, Code: "ACCOUNT_CLOSED"}, payout.Returned},
	}
}

// chatter is how the bank's callbacks behave, and messages how ours do.
var (
	chatters = []string{"silent", "once", "twice", "late", "forged", "stranger"}
	messages = []string{"relayed", "halved", "swept"} // halved: the relay loses every second; swept: all
)

// schedule is one life: how the decision is made, what the provider does, and what
// befalls each touch of the world.
type schedule struct {
	office    string
	end       end
	send, ask payouttest.Manner
	chatter   string
	messages  string
	dooms     dooms
}

// doomed is one touch and what becomes of it.
type doomed struct {
	touch int
	doom  payouttest.Doom
}

// dooms are the crashes of one life, in the order of touches.
type dooms []doomed

// last is the touch of the last one, 0 when there is none.
func (all dooms) last() int {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].touch
}

// fate is what to tell payouttest.
func (all dooms) fate() map[int]payouttest.Doom {
	of := map[int]payouttest.Doom{}
	for _, d := range all {
		of[d.touch] = d.doom
	}
	return of
}

func (all dooms) String() string {
	var words []string
	for _, d := range all {
		words = append(words, fmt.Sprintf("%d:%s", d.touch, d.doom))
	}
	return strings.Join(words, "+")
}

// parseDooms reads what String wrote.
func parseDooms(text string) (all dooms, err error) {
	for _, d := range strings.FieldsFunc(text, func(r rune) bool { return r == '+' }) {
		var at doomed
		number, doom, _ := strings.Cut(d, ":")
		if _, err := fmt.Sscan(number, &at.touch); err != nil || !slices.Contains(payouttest.Dooms(), payouttest.Doom(doom)) {
			return nil, fmt.Errorf("%q is no touch and doom", d)
		}
		at.doom = payouttest.Doom(doom)
		all = append(all, at)
	}
	return all, nil
}

// String is what -replay takes.
func (s schedule) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/%s/%s/%s", s.office, s.end.name, s.send, s.ask, s.chatter, s.messages, s.dooms)
}

func (s schedule) doomed() dooms           { return s.dooms }
func (s schedule) with(all dooms) schedule { s.dooms = all; return s }

// parse reads what String wrote.
func parse(line string) (schedule, error) {
	part := strings.Split(line, "/")
	if len(part) != 7 {
		return schedule{}, fmt.Errorf("a schedule has seven parts: office/end/send/ask/callbacks/messages/dooms")
	}
	s := schedule{office: part[0], send: payouttest.Manner(part[2]), ask: payouttest.Manner(part[3]), chatter: part[4], messages: part[5]}
	i := slices.IndexFunc(ends(), func(e end) bool { return e.name == part[1] })
	if i < 0 || s.office != decided && !slices.Contains(offices, s.office) || !slices.Contains(payouttest.Sends(), s.send) || !slices.Contains(payouttest.Asks(), s.ask) ||
		!slices.Contains(chatters, s.chatter) || !slices.Contains(messages, s.messages) {
		return s, fmt.Errorf("%q names something that does not exist", line)
	}
	s.end = ends()[i]
	var err error
	s.dooms, err = parseDooms(part[6])
	return s, err
}

// findings collects what a life did wrong. It is the testing.TB of a room; only
// what a room uses is there.
type findings struct {
	testing.TB
	wrong []string
}

func (f *findings) Helper()                      {}
func (f *findings) Errorf(form string, a ...any) { f.wrong = append(f.wrong, fmt.Sprintf(form, a...)) }
func (f *findings) Error(a ...any)               { f.wrong = append(f.wrong, fmt.Sprint(a...)) }
func (f *findings) Fatal(a ...any)               { panic(stop(fmt.Sprint(a...))) }
func (f *findings) Fatalf(form string, a ...any) { panic(stop(fmt.Sprintf(form, a...))) }

// stop ends a life that cannot go on.
type stop string

// book is what the rules are; the payment path asks them nothing but holidays.
var book = sync.OnceValues(policy.Shipped)

// quiet takes what functions log: what is judged is the store and the bank.
var quiet = slog.New(slog.DiscardHandler)

// post is every queue: what was sent to it and is not delivered yet.
type post struct {
	now     func() time.Time
	pending []letter
}

type letter struct {
	queue string
	body  []byte
	due   time.Time
}

func (p *post) Send(_ context.Context, name string, body []byte, delay time.Duration) error {
	p.pending = append(p.pending, letter{name, body, p.now().Add(delay)})
	return nil
}

// next is the letter that is due first, or none.
func (p *post) next() (letter, bool) {
	if len(p.pending) == 0 {
		return letter{}, false
	}
	first := 0
	for i, l := range p.pending {
		if l.due.Before(p.pending[first].due) {
			first = i
		}
	}
	l := p.pending[first]
	p.pending = slices.Delete(p.pending, first, first+1)
	return l, true
}

// life is one room with the real functions at work in it. Its course is cut into
// steps, so that a life with one more crash can begin at the step in which that
// crash falls, and need not repeat what came before.
type life struct {
	*payouttest.Room
	schedule
	found    *findings
	handlers map[string]queue.Handler
	web      http.Handler
	post     *post
	sweeper  sweep.Deps
	relay    relay.Deps
	begin    moment
	desk     *desk // nil where the decision has been made before
	met      int64 // lives that ended where another had been
	// In a simulation: what is drawn, and how far our clock is from the true one.
	weather *weather
	skew    time.Duration

	drawn uint64 // at random, in this step
	course
}

// course is how far a life has come.
type course struct {
	act    int // of acts
	left   int // steps that the act may still take; 0 when it has not begun
	letter letter
	again  int  // how often the letter is still to be handed over
	loses  bool // the relay loses the next change
	asked  [4]asked
}

// moment is a life between two steps.
type moment struct {
	room    payouttest.Moment
	pending []letter
	course
}

func (m moment) touched() int { return m.room.Touches() }

// act is one part of every life.
type act struct {
	talk    bool   // the bank tells what it knows, else messages are delivered
	most    int    // messages, or callbacks, or requests of the office
	arrives bool   // it must come to rest by then
	late    bool   // only with late callbacks
	office  string // what the office does, where it decides
}

// acts: first somebody decides. While things go wrong, what the bank says comes
// between deliveries. From then on everything is well, and must come to an end.
var acts = []act{
	{office: decides, most: 40},
	{most: 1}, {talk: true}, {most: 1}, {talk: true}, {most: 1}, {talk: true}, {most: 1}, {talk: true},
	{most: 80, arrives: true},
	{office: returns, most: 40}, {most: 80, arrives: true},
	{talk: true, late: true}, {most: 20, late: true},
	{office: repeats, most: len(course{}.asked) + 1},
}

// born makes a life in which any schedule of a decision that was made before can
// be lived, one after the other.
func born(opts ...payouttest.Option) *life {
	rules, err := book()
	if err != nil {
		panic(err)
	}
	l := &life{found: &findings{}}
	r := payouttest.New(l.found, payouttest.NewFate(nil), append(opts, payouttest.QuickSignatures(), payouttest.Drawing(draws{l}))...)
	l.Room, l.post = r, &post{now: r.Now}
	ours := func() time.Time { return r.Now().Add(l.skew) }
	l.relay = relay.Deps{Send: l.post, Now: ours}
	l.sweeper = sweep.Deps{Table: r.Table, Book: rules, Send: l.post, Now: ours, Metrics: r, Log: quiet}
	d := settle.Deps{Table: r.Table, Rails: r.Rails(), Now: ours, Metrics: r, Log: quiet}
	l.handlers = map[string]queue.Handler{
		string(work.Pay):    pay.Handle(pay.Deps{Table: r.Table, Box: r.Box, Rails: r.Rails(), Now: ours, Metrics: r, Log: quiet}),
		string(work.Settle): settle.Handle(d),
	}
	l.web = httpapi.New(httpapi.Config{Now: ours, IDs: ident.Random(), Logger: quiet}, settle.Callbacks(d)...)
	manner := func(first *payouttest.Manner, of []payouttest.Manner) func(int) payouttest.Manner {
		return func(n int) payouttest.Manner {
			switch {
			case l.weather != nil:
				return l.weather.manner(of)
			case n == 1:
				return *first
			}
			return payouttest.Well
		}
	}
	// A bank that does not find what it has spoken of contradicts itself, and then
	// people have the case: right, and another end than is judged here.
	asks := slices.DeleteFunc(payouttest.Asks(), func(m payouttest.Manner) bool { return m == payouttest.Blind })
	r.Teller.Send, r.Teller.Ask = manner(&l.send, payouttest.Sends()), manner(&l.ask, asks)
	r.Teller.Decide = func(o bank.OrderDocument) payouttest.Verdict {
		if l.end.name == "bank-busy" && o.Reference != payout.Reference(r.Case.Application, "01", 1) {
			return payouttest.Verdict{Status: bank.Paid} // a new attempt goes well
		}
		return l.end.verdict
	}
	l.begin = l.moment()
	return l
}

func (l *life) moment() moment { return moment{l.Moment(), slices.Clone(l.post.pending), l.course} }

// live lives s from a moment on and returns how often it touched the world and
// what was wrong in the end. keep, when there is one, is shown every moment. With
// a memory and without a keep a life ends, and well, as soon as all its crashes are
// over and it is exactly where another has been that came to a good end: from there
// on nothing can differ.
func (l *life) live(s schedule, from moment, keep func(moment), known memory) (touches int, wrong []string) {
	return lived(l.found, l.Fate.Touches, func() {
		been := trail{known: known, whole: keep != nil}
		last := s.dooms.last()
		l.Back(from.room, s.dooms.fate())
		l.schedule, l.course, l.post.pending = s, from.course, slices.Clone(from.pending)
		l.Table.Before = nil
		for l.act < len(acts) {
			if keep != nil {
				keep(l.moment())
			}
			if known != nil && l.Fate.Touches() >= last && l.again < 2 && been.met(l.state()) {
				l.met++
				return
			}
			l.step()
		}
		l.Judge(s.end.state)
		l.audit()
		if len(l.found.wrong) == 0 {
			been.remember()
		}
	})
}

// lived runs a life and returns how often it touched the world and what was wrong.
func lived(found *findings, touched func() int, life func()) (touches int, wrong []string) {
	found.wrong = nil
	defer func() {
		if p := recover(); p != nil {
			reason, ours := p.(stop)
			if !ours {
				panic(p)
			}
			touches, wrong = touched(), append(found.wrong, string(reason))
		}
	}()
	life()
	return touched(), found.wrong
}

// memory is where lives of one behaviour have been that came to a good end.
type memory map[state]bool

// trail is where one life has been since its crashes were over.
type trail struct {
	known memory
	whole bool // it is lived to its end, whomever it meets
	been  []state
}

// met reports whether a life that is here may end: from here on another came to a
// good end.
func (t *trail) met(here state) bool {
	if !t.whole && t.known[here] {
		return true
	}
	t.been = append(t.been, here)
	return false
}

// remember is for a life that came to a good end.
func (t *trail) remember() {
	for _, s := range t.been {
		t.known[s] = true
	}
}

// state is the hash of a life between two steps.
type state uint64

var hashing = maphash.MakeSeed()

func (l *life) state() state {
	var h maphash.Hash
	h.SetSeed(hashing)
	maphash.WriteComparable(&h, [2]int{l.act, l.again}) // left is only patience
	for _, m := range append(l.post.pending[:len(l.post.pending):len(l.post.pending)], l.letter) {
		maphash.WriteComparable(&h, m.queue)
		maphash.WriteComparable(&h, m.due.UnixNano())
		maphash.WriteComparable(&h, string(m.body))
	}
	maphash.WriteComparable(&h, l.loses)
	maphash.WriteComparable(&h, l.asked)
	return state(h.Sum64() + l.Fingerprint(hashing))
}

// draws are what a life draws at random: the same bytes whenever the same step is
// lived at the same hour, so that two lives can come to be exactly alike; others in
// every other step, so that what is drawn anew, and should have been kept, is seen.
type draws struct{ life *life }

func (d draws) Read(p []byte) (int, error) {
	l := d.life
	h := sha256.New()
	var at [8]byte
	number := func(n uint64) { h.Write(binary.BigEndian.AppendUint64(at[:0], n)) }
	if l.Room != nil { // it is drawn from before it is there
		number(uint64(l.Now().UnixNano()))
	}
	number(uint64(l.act))
	number(uint64(l.again))
	for _, a := range l.asked {
		number(uint64(a.tries))
	}
	h.Write([]byte(l.letter.queue))
	h.Write(l.letter.body)
	return draw(p, h.Sum(nil), &l.drawn)
}

// draw fills p with what is drawn next in a step.
func draw(p, step []byte, drawn *uint64) (int, error) {
	h := sha256.New()
	for n := 0; n < len(p); {
		*drawn++
		h.Reset()
		h.Write(step)
		h.Write(binary.BigEndian.AppendUint64(nil, *drawn))
		n += copy(p[n:], h.Sum(nil))
	}
	return len(p), nil
}

// step does the next thing that happens.
func (l *life) step() {
	l.drawn = 0
	a := acts[l.act]
	next := func() { l.course = course{act: l.act + 1, loses: l.loses, asked: l.asked} }
	if a.late && l.chatter != "late" || a.office != "" && l.desk == nil {
		next()
		return
	}
	if a.talk {
		l.talk(a.late)
		next()
		return
	}
	if l.again > 0 {
		l.again--
		handle := l.handlers[l.letter.queue]
		_, _ = payouttest.Live(func() error {
			return handle(context.Background(), queue.Message{ID: "m", Body: l.letter.body, Attempt: 1})
		})
		return
	}
	if l.left == 0 {
		l.left = a.most + 1
	}
	if l.left--; l.left == 0 {
		if a.office != "" {
			l.found.Errorf("W08: the office is never told what it did: %v", l.asked)
		}
		if a.arrives {
			l.found.Errorf("W08: it does not come to rest; the payout is %s", l.Payout().State)
		}
		next()
		return
	}
	if a.office != "" {
		if !l.decide(a.office) {
			next()
		}
		return
	}
	if !l.collect() {
		next()
	}
}

// collect takes the message that is due next, each to be handed over twice,
// letting time pass. It reports whether anything is owed.
func (l *life) collect() bool {
	ctx := context.Background()
	l.stream(ctx)
	m, ok := l.post.next()
	if !ok {
		_, at, owes := l.Owed()
		if !owes {
			return false
		}
		l.until(at)
		_, _ = payouttest.Live(func() error { _, err := sweep.Run(ctx, l.sweeper, 0); return err })
		if m, ok = l.post.next(); !ok {
			return true // the sweep died; the next one finds it
		}
	}
	l.until(m.due)
	if _, ours := l.handlers[m.queue]; ours {
		l.letter, l.again = m, 2
	}
	return true
}

func (l *life) until(at time.Time) {
	if at.After(l.Now()) {
		l.Wait(at.Sub(l.Now()))
	}
}

// stream hands every change of the table to the relay, unless all is lost, or
// every second one.
func (l *life) stream(ctx context.Context) {
	if l.messages == "swept" {
		return
	}
	ended, cancel := context.WithCancel(ctx)
	cancel() // what is there now, without waiting for more
	changes, err := l.Store.Next(ended, "relay", 1000)
	if err != nil || len(changes) == 0 {
		return
	}
	hand := relay.Handle(l.relay)
	for _, c := range changes {
		if l.loses {
			l.loses = false
			continue
		}
		_ = hand(ctx, c)
		l.loses = l.messages == "halved"
	}
	_ = l.Store.Ack(ctx, "relay", changes[len(changes)-1].Seq)
}

// talk lets the bank tell what it knows about everything.
func (l *life) talk(late bool) {
	times := map[string]int{"once": 1, "twice": 2, "forged": 1, "stranger": 1}[l.chatter]
	if late {
		times = 2
	}
	for _, ref := range l.Teller.References() {
		for range times {
			req := l.Teller.News(ref, bankrail.CallbackPath, l.twist)
			if l.chatter == "forged" {
				req.Header.Set(bank.HeaderSignature, req.Header.Get(bank.HeaderSignature)[1:]+"A")
			}
			_, _ = payouttest.Live(func() error { l.web.ServeHTTP(httptest.NewRecorder(), req); return nil })
		}
	}
}

// twist makes a statement one that this bank would send unasked.
func (l *life) twist(s *bank.Statement) {
	if s.Status == bank.NotFound {
		s.Status = bank.Processing
	}
	if l.chatter == "stranger" {
		s.Reference = strings.Repeat("Z", len(s.Reference))
	}
}
