package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"image"
	"image/jpeg"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/functions/verify"
	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/staff/seed"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/verification"
	"github.com/doudi-aid/doudi/shared/watch"
	"github.com/doudi-aid/doudi/shared/work"
)

// What a citizen sends.
const (
	asks     = "asks"     // for help, and agrees to be looked up
	asksOnly = "asksOnly" // and agrees to nothing
	agrees   = "agrees"   // to be looked up, by a signed paper
	paper    = "paper"    // a photo of that paper
	photo    = "photo"    // a photo of what happened
	spoilt   = "spoilt"   // a photo that is not what it says it is
	adds     = "adds"     // somebody who lives with them, and has agreed to nothing

	// And what officers do meanwhile, as soon as they may.
	proposes = "proposes"
	approves = "approves"
)

// errand is one request of the citizen, or of who, in the order in which it first
// goes out. An officer may also hear that a person must look first.
type errand struct {
	who       string
	what, key string
	status    int    // of the answer; 0 for none, ever
	rests     int    // how often it must have come to rest before
	inside    string // it first goes out in the middle of something else
}

// What an errand may go out in the middle of.
const (
	writing = "writing" // between reading and writing of the one before
	lookup  = "lookup"  // when a register is asked, if it has not gone out yet
)

// ways are the ways in. Whoever is not told asks again with the same Idempotency-Key,
// at once or, in "late", when everything has come to rest.
var ways = func() map[string][]errand {
	ask := errand{what: asks, key: "k0", status: http.StatusCreated}
	picture := errand{what: photo, key: "k1", status: http.StatusCreated}
	twin, amid, after, bad := ask, picture, picture, errand{what: spoilt, key: "k1", status: http.StatusBadRequest}
	twin.inside, amid.inside, amid.rests, after.rests = writing, lookup, 1, 1
	second, shut := picture, picture
	second.key, shut.status = "k2", 0
	grown := errand{what: adds, key: "k1", status: http.StatusOK, inside: lookup, rests: 1}
	onPaper := func(rests int) []errand {
		return []errand{{what: asksOnly, key: "k0", status: http.StatusCreated},
			{what: agrees, key: "k1", status: http.StatusBadRequest, rests: rests}, // the paper is not on record
			{what: paper, key: "k2", status: http.StatusCreated, rests: rests},
			{what: agrees, key: "k3", status: http.StatusOK, rests: rests}}
	}
	return map[string][]errand{
		"decided": {ask, {who: clerk, what: proposes, key: "k1", status: http.StatusCreated}, {who: approver, what: approves, key: "k1", status: http.StatusCreated}},
		"told":    {ask}, "late": {ask}, "twin": {ask, twin}, "photo": {ask, picture}, "amid": {ask, amid}, "after": {ask, after}, "grown": {ask, grown},
		"spoilt": {ask, bad, second}, "shut": {ask, shut}, "paper": onPaper(0), "paper-after": onPaper(1),
	}
}()

// most is the most errands there are in one way, and hopeless how often one goes out
// that is never answered.
const (
	most     = 4
	hopeless = 3
)

// arrivalMessages is how messages are handled: as elsewhere, or all by two workers at
// once, the second doing all it can between the first's reading and writing.
var arrivalMessages = append(messages[:len(messages):len(messages)], doubled)

// arrival is one life of a case from its beginning to the desk of an officer.
type arrival struct {
	way      string
	conduct  conduct
	messages string
	dooms    dooms
}

// String is what -replay takes.
func (s arrival) String() string {
	return fmt.Sprintf("intake/%s/%s/%s/%s", s.way, s.conduct, s.messages, s.dooms)
}

func (s arrival) doomed() dooms          { return s.dooms }
func (s arrival) with(all dooms) arrival { s.dooms = all; return s }

// isArrival reports whether a line is one of an arrival.
func isArrival(line string) bool { return strings.HasPrefix(line, "intake/") }

// parseArrival reads what String wrote.
func parseArrival(line string) (s arrival, err error) {
	part := strings.Split(line, "/")
	if len(part) != 5 {
		return s, fmt.Errorf("a way in has five parts: intake/way/register/messages/dooms")
	}
	s = arrival{way: part[1], messages: part[3]}
	all := conducts()
	i := slices.IndexFunc(all, func(c conduct) bool { return c.String() == part[2] })
	if i < 0 || ways[s.way] == nil || !slices.Contains(arrivalMessages, s.messages) {
		return s, fmt.Errorf("%q names something that does not exist", line)
	}
	s.conduct = all[i]
	s.dooms, err = parseDooms(part[4])
	return s, err
}

// lobby is a room that a case comes into by the real routes, and in which the real
// handlers ask the registers about it.
type lobby struct {
	*payouttest.Room
	arrival
	found     *findings
	office    *firstaidtest.Office
	registers *registers
	pictures  map[string][]byte // the object store
	post      *post
	web       http.Handler
	sweeper   sweep.Deps
	relay     relay.Deps
	verify    func() queue.Handler // in a process that has just begun
	citizen   string               // account
	tokens    map[string]string    // by who asks
	bodies    map[string]string    // by what a citizen sends
	secrets   []string             // must be seen nowhere
	usual     money.Fen            // what the rules draft for a case without any trouble
	begin     arrivalMoment
	met       int64
	drawn     uint64 // at random, in this step
	dead      bool   // whoever is at work has died, and touches nothing any more

	progress
}

// progress is how far a life has come.
type progress struct {
	asked   [most]asked
	rests   int // how often it came to rest
	steps   int
	letter  letter
	again   int  // how often the letter is still to be handed over
	tries   int  // how often it was
	loses   bool // the next message is lost
	later   int  // letters of those who wait for a register
	letters int  // letters handed over
	repeat  int  // errands sent once more at the end
}

// arrivalMoment is a life between two steps.
type arrivalMoment struct {
	room     payouttest.Moment
	exchange exchangeBook
	pictures map[string][]byte
	pending  []letter
	progress
}

func (m arrivalMoment) touched() int { return m.room.Touches() }

func (l *lobby) moment() arrivalMoment {
	return arrivalMoment{l.Moment(), l.registers.clone(), maps.Clone(l.pictures), slices.Clone(l.post.pending), l.progress}
}

// Read draws at random, as draws has it for a payment.
func (l *lobby) Read(p []byte) (int, error) {
	var at []byte
	number := func(n int) { at = binary.BigEndian.AppendUint64(at, uint64(n)) }
	if l.Room != nil {
		number(int(l.Now().UnixNano()))
	}
	for _, a := range l.asked {
		number(a.tries)
	}
	number(l.again)
	number(l.tries)
	return draw(p, append(at, l.letter.body...), &l.drawn)
}

// errDead is what the dead are told.
var errDead = errors.New("the process is dead")

// touch does act, unless whoever does it has died, or dies of it.
func (l *lobby) touch(act func() error) error {
	if l.dead {
		return errDead
	}
	lived, err := payouttest.Live(act)
	if !lived {
		l.dead = true
		return errDead
	}
	return err
}

// process runs f as a process of its own and reports whether it lived to the end.
func (l *lobby) process(f func()) bool {
	around := l.dead
	l.dead = false
	f()
	lived := !l.dead
	l.dead = around
	return lived
}

// mortal is the store as the functions see it.
type mortal struct{ l *lobby }

func (m mortal) Get(ctx context.Context, k table.Key) (item table.Item, ok bool, err error) {
	if m.l.dead {
		return item, false, errDead
	}
	return m.l.Store.Get(ctx, k)
}

func (m mortal) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if m.l.dead {
		return table.Page{}, errDead
	}
	return m.l.Store.Query(ctx, q)
}

// Transact writes, as fate has it. What is written is looked at first: nothing
// personal in the clear, and no picture on record that is not kept.
func (m mortal) Transact(ctx context.Context, writes ...table.Write) error {
	for _, w := range writes {
		var item table.Item
		switch w := w.(type) {
		case table.Put:
			item = w.Item
		case table.Replace:
			item = w.Item
		}
		m.l.unreadable(item.Key.SK, w.Target().PK, w.Target().SK, string(item.Body))
		if strings.HasPrefix(item.Key.SK, document.Prefix) && !m.l.dead {
			m.l.whole(item)
		}
	}
	return m.l.touch(func() error { return m.l.Table.Transact(ctx, writes...) })
}

// shelf is the object store.
type shelf struct{ l *lobby }

var errShut = errors.New("the object store takes nothing")

func (s shelf) Put(_ context.Context, partition, id string, content []byte) error {
	return s.l.touch(func() error {
		return s.l.Fate.Touch(func() error {
			if s.l.way == "shut" {
				return errShut
			}
			s.l.pictures[partition+" "+id] = slices.Clone(content)
			return nil
		}, errCut)
	})
}

func (s shelf) Get(_ context.Context, partition, id string) ([]byte, error) {
	content, ok := s.l.pictures[partition+" "+id]
	if !ok {
		return nil, document.ErrNotFound
	}
	return content, nil
}

// mail is the queues as the functions see them: the dead send nothing, and what
// those send who wait for a register is lost as other messages are.
type mail struct{ l *lobby }

func (m mail) Send(ctx context.Context, name string, body []byte, delay time.Duration) error {
	if m.l.dead {
		return errDead
	}
	m.l.unreadable("a message", string(body))
	if delay == verify.Again {
		if m.l.lose() {
			return nil
		}
		if m.l.later++; m.l.later > 2 {
			delay += 25 * time.Hour // the queue is late, or a case would be asked about for days
		}
	}
	return m.l.post.Send(ctx, name, body, delay)
}

// lose reports whether the next message is lost.
func (l *lobby) lose() bool {
	lost := l.messages == "swept" || l.messages == "halved" && l.loses
	l.loses = !l.loses
	return lost
}

// lobbies makes a room for arrivals.
func lobbies() *lobby {
	key, err := seal.NewBlindKey(1, bytes.Repeat([]byte{5}, seal.BlindKeyBytes))
	if err != nil {
		panic(err)
	}
	blind, err := seal.NewBlind(key)
	if err != nil {
		panic(err)
	}
	l := &lobby{found: &findings{}, pictures: map[string][]byte{}, bodies: map[string]string{}, tokens: map[string]string{}}
	l.registers = newRegisters(l)
	l.Room = payouttest.New(l.found, payouttest.NewFate(nil), payouttest.QuickSignatures(), payouttest.Drawing(l),
		payouttest.Opened(func(r *payouttest.Room) payouttest.Case {
			l.office = firstaidtest.Over(r.T, r.Store, r.Box, blind, func() time.Time { return r.Now().In(calendar.Zone) })
			acc, err := account.Open(context.Background(), r.Store, blind, r.Box, "wxapp", redact.New("openid-of-a-citizen"), r.Now())
			if err != nil {
				r.T.Fatal(err)
			}
			l.citizen = acc.ID
			l.office.Fund(fund.Relief, firstaidtest.Township, firstaidtest.Available)
			for _, id := range []string{clerk, approver} {
				if err := seed.Office(context.Background(), r.Store, r.Box, blind, l.office.Tree, id, r.Now()); err != nil {
					r.T.Fatal(err)
				}
			}
			return payouttest.Case{Application: application.SubmissionID(acc.ID, "k0")}
		}))
	l.post = &post{now: l.Now}
	o, now := l.office, l.office.Now
	sessions := session.NewStore(mortal{l}, l, now)
	for _, who := range []string{"", clerk, approver} {
		p := session.Principal{Kind: session.Staff, ID: who}
		if who == "" {
			p = session.Principal{Kind: session.Citizen, ID: l.citizen}
		}
		if l.tokens[who], err = sessions.Open(context.Background(), session.Opening{Principal: p, TTL: session.MaxTTL}); err != nil {
			panic(err)
		}
	}
	l.forms()
	log := telemetry.NewLogger(l.Log, nil)
	ids := ident.NewSource(l)
	l.web = httpapi.New(httpapi.Config{Sessions: sessions, Now: now, IDs: ids, Logger: log, Watch: watch.Over(mortal{l}, now)}, slices.Concat(
		apply.Routes(apply.Deps{Table: mortal{l}, Box: l.Box, Blind: blind, Book: o.Book, Tree: o.Tree, Documents: shelf{l}, Now: now}),
		decide.Routes(decide.Deps{Table: mortal{l}, Box: l.Box, Blind: blind, Book: o.Book, Tree: o.Tree, IDs: ids, Now: now, Models: o.Models}))...)
	l.relay = relay.Deps{Send: mail{l}, Now: now}
	l.sweeper = sweep.Deps{Table: mortal{l}, Book: o.Book, Send: mail{l}, Now: now, Metrics: l.Room, Log: log}
	o.Table = mortal{l}
	l.verify = func() queue.Handler {
		return verify.Handle(verify.Deps{Table: mortal{l}, Box: l.Box, Blind: blind, Book: o.Book, Registers: l.registers.client(), Now: now, Log: log,
			Models: o.Models, Tree: o.Tree, Later: mail{l}, AtOnce: 1,
			Kin: func(ctx context.Context, people []string) ([]string, error) {
				return staff.KinOf(ctx, mortal{l}, people)
			},
			Release: func(ctx context.Context, id string) (bool, error) {
				return envelope.Release(ctx, o.Office, o.Calendar, id, now())
			}})
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	changes, err := l.Store.Next(done, "relay", 1000)
	if err == nil {
		err = l.Store.Ack(done, "relay", changes[len(changes)-1].Seq)
	}
	if err != nil {
		panic(err)
	}
	l.Fate.Turn(0, nil)
	l.begin = l.moment()
	if _, wrong := l.live(arrival{way: "told", conduct: conducts()[0], messages: messages[0]}, l.begin, nil, nil); len(wrong) > 0 {
		panic(fmt.Sprint(wrong))
	}
	l.usual = l.Head().Findings.AmountFen
	return l
}

// forms makes what the citizen sends.
func (l *lobby) forms() {
	who, account := l.office.Person(), l.office.Account(1)
	const story, address, comment = "昨夜失火家里烧光", "某某新村十七幢", "照片里的注释"
	l.secrets = []string{who.Name.Reveal(), who.Paper.Reveal(), who.Phone.Reveal(), account.Reveal(), story, address, comment, "openid-of-a-citizen"}
	type object = map[string]any
	write := func(what string, body object) {
		raw, err := json.Marshal(body)
		if err != nil {
			panic(err) // text
		}
		l.bodies[what] = string(raw)
	}
	agreed := func(document string) []object {
		return []object{{"person": application.RoleSubject, "document_sha256": document, "agreed": true}}
	}
	ask := object{"track": "emergency", "place": string(firstaidtest.Township), "cause": "fire", "relation": "self",
		"subject": object{"name": who.Name.Reveal(), "phone": who.Phone.Reveal(), "paper": object{"kind": "id_card", "number": who.Paper.Reveal()}},
		"address": address, "story": story, "payee": object{"account": account.Reveal()}}
	write(asksOnly, ask)
	ask["consents"] = agreed(application.Authorisation().SHA256)
	write(asks, ask)
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		panic(err)
	}
	picture := func(what, kind, sum string, content []byte) {
		write(what, object{"kind": kind, "media_type": document.JPEG, "sha256": sum, "content_base64": base64.StdEncoding.EncodeToString(content)})
	}
	remark := func(text string) []byte { // a comment right behind the start of the image
		return slices.Concat(plain.Bytes()[:2], []byte{0xff, 0xfe, 0, byte(2 + len(text))}, []byte(text), plain.Bytes()[2:])
	}
	happened, signed := remark(comment), remark("signed"+comment)
	picture(photo, string(document.Incident), sum(happened), happened)
	picture(spoilt, string(document.Incident), sum(signed), happened)
	picture(paper, string(document.Authorisation), sum(signed), signed)
	write(agrees, object{"consents": agreed(sum(signed))})
	spouse := l.office.Person()
	l.secrets = append(l.secrets, spouse.Paper.Reveal())
	write(adds, object{"members": []object{{"name": spouse.Name.Reveal(), "relation": "spouse", "paper": object{"kind": "id_card", "number": spouse.Paper.Reveal()}}}})
}

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// unreadable is that none of the secrets is in texts.
func (l *lobby) unreadable(where string, texts ...string) {
	for _, text := range texts {
		for _, secret := range l.secrets {
			if strings.Contains(text, secret) {
				l.found.Errorf("P01: %s shows the person", where)
			}
		}
	}
}

// whole is that the content of a document that goes on record is kept, as its record
// says and as nothing but a picture.
func (l *lobby) whole(item table.Item) {
	d, err := document.Decode(item)
	content := l.pictures[item.Key.PK+" "+d.ID]
	if err != nil || sum(content) != d.Stored {
		l.found.Errorf("a document is on record and its content is not kept: %v", err)
	}
	l.unreadable("a picture", string(content))
}

// recorded reports whether a signed paper is on record and kept.
func (l *lobby) recorded(digest string) bool {
	docs, err := document.List(context.Background(), l.Store, application.Partition(l.Case.Application))
	if err != nil {
		l.found.Fatal(err)
	}
	return slices.ContainsFunc(docs, func(d document.Document) bool {
		return d.Kind == document.Authorisation && d.Received == digest && l.pictures[application.Partition(l.Case.Application)+" "+d.ID] != nil
	})
}

// live lives s from a moment on, as life.live does.
func (l *lobby) live(s arrival, from arrivalMoment, keep func(arrivalMoment), known memory) (touches int, wrong []string) {
	return lived(l.found, l.Fate.Touches, func() {
		l.Back(from.room, s.dooms.fate())
		l.arrival, l.progress, l.dead = s, from.progress, false
		l.post.pending, l.registers.exchangeBook, l.pictures = slices.Clone(from.pending), from.exchange.clone(), maps.Clone(from.pictures)
		l.Table.Before = nil
		been := trail{known: known, whole: keep != nil}
		for goes := true; goes; goes = l.step() {
			if keep != nil {
				keep(l.moment())
			}
			if known != nil && l.Fate.Touches() >= s.dooms.last() && l.again < 2 && been.met(l.state()) {
				l.met++
				return
			}
		}
		l.judge()
		if len(l.found.wrong) == 0 {
			been.remember()
		}
	})
}

// state is where a life is between two steps. How many steps and tries it took is
// only patience.
func (l *lobby) state() state {
	var h maphash.Hash
	h.SetSeed(hashing)
	maphash.WriteComparable(&h, l.asked)
	maphash.WriteComparable(&h, [5]int{l.rests, l.again, l.later, l.letters, l.repeat})
	maphash.WriteComparable(&h, l.loses)
	for _, m := range append(l.post.pending[:len(l.post.pending):len(l.post.pending)], l.letter) {
		maphash.WriteComparable(&h, m.queue)
		maphash.WriteComparable(&h, m.due.UnixNano())
		maphash.WriteComparable(&h, string(m.body))
	}
	total := h.Sum64() + l.Fingerprint(hashing)
	for source, n := range l.registers.calls {
		total += maphash.Comparable(hashing, fmt.Sprint(source, n))
	}
	for number, digest := range l.registers.asked {
		total += maphash.Comparable(hashing, number+" "+digest)
	}
	for source, number := range l.registers.under {
		total += maphash.Comparable(hashing, source+" "+number)
	}
	for id, content := range l.pictures {
		total += maphash.Comparable(hashing, id+" "+string(content))
	}
	return state(total)
}

// step does the next thing that happens and reports whether there may be another.
func (l *lobby) step() bool {
	l.drawn = 0
	if l.steps++; l.steps > 500 {
		l.found.Fatal("W08: it does not come to rest")
	}
	if i, ok := l.next(); ok {
		l.errand(i)
		return true
	}
	if l.again > 0 {
		l.deliver()
		return true
	}
	if l.collect() {
		return true
	}
	if l.rests < 2 {
		l.rests++
		return true
	}
	if l.repeat == len(ways[l.way]) {
		return false
	}
	l.once(l.repeat)
	l.repeat++
	return true
}

// next is the errand whose turn it is.
func (l *lobby) next() (int, bool) {
	for i, e := range ways[l.way] {
		a := l.asked[i]
		switch {
		case a.status > 0, e.status == 0 && a.tries == hopeless:
		case l.rests < e.rests, l.way == "late" && a.tries > 0 && l.rests == 0, e.who != "" && l.Head().State == application.Accepted:
			return 0, false
		default:
			return i, true
		}
	}
	return 0, false
}

// errand sends the ith errand, and in the middle of it the one after, if it is to.
func (l *lobby) errand(i int) {
	plan, a := ways[l.way], &l.asked[i]
	if a.tries++; a.body == "" {
		a.body = l.body(plan[i].what)
	}
	if after := i + 1; after < len(plan) && plan[after].inside == writing && l.asked[after].tries == 0 {
		l.Table.Before = func(context.Context) {
			l.Table.Before = nil
			l.process(func() { l.errand(after) })
		}
	}
	status, answer := l.request(plan[i], a.body)
	l.Table.Before = nil
	if status == 0 {
		return
	}
	mayWait := plan[i].who != "" && status == http.StatusConflict
	if a.status, a.answer = status, answer; status != plan[i].status && !mayWait {
		l.found.Errorf("%s is answered %d %s, not %d", plan[i].what, status, answer, plan[i].status)
	}
	l.readable()
}

// meanwhile sends the errand that goes out while a register is asked.
func (l *lobby) meanwhile() {
	for i, e := range ways[l.way] {
		if e.inside == lookup && l.asked[i].tries == 0 {
			l.process(func() { l.errand(i) })
		}
	}
}

// once sends the ith errand again, although it was told: it hears the same.
func (l *lobby) once(i int) {
	a := l.asked[i]
	if status, answer := l.request(ways[l.way][i], a.body); status > 0 && a.status > 0 && a.status < 300 && (status != a.status || answer != a.answer) {
		l.found.Errorf("W03: the same request again is answered %d %s, and was %d %s", status, answer, a.status, a.answer)
	}
}

// body is what goes out with an errand: for an officer by what lies before them.
func (l *lobby) body(what string) string {
	switch what {
	case proposes:
		return "{}"
	case approves:
		a := l.Head()
		if a.Proposal == nil {
			return `{"proposal_version":1,"amount_fen":1}` // somebody must look first
		}
		raw, err := json.Marshal(decide.Approving{ProposalVersion: a.Version, AmountFen: a.Proposal.AmountFen})
		if err != nil {
			panic(err) // two numbers
		}
		return string(raw)
	}
	return l.bodies[what]
}

// request makes one request; 0 when its sender is not told what became of it.
func (l *lobby) request(e errand, body string) (status int, answer string) {
	path := "/v1/applications"
	switch e.what {
	case proposes:
		path = "/v1/staff/applications/" + l.Case.Application + "/proposals"
	case approves:
		path = "/v1/staff/applications/" + l.Case.Application + "/approvals"
	case adds:
		path += "/" + l.Case.Application + "/supplements"
	case agrees:
		path += "/" + l.Case.Application + "/consents"
	case photo, paper, spoilt:
		path += "/" + l.Case.Application + "/documents"
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", e.key)
	w := httptest.NewRecorder()
	if !l.process(func() { l.serve(w, r, e.who) }) || w.Code >= http.StatusInternalServerError {
		return 0, ""
	}
	return w.Code, w.Body.String()
}

func (l *lobby) serve(w http.ResponseWriter, r *http.Request, who string) {
	r.Header.Set("Authorization", "Bearer "+l.tokens[who])
	l.web.ServeHTTP(w, r)
}

// see is what the citizen reads at a path.
func (l *lobby) see(path string, out any) {
	w := httptest.NewRecorder()
	l.process(func() { l.serve(w, httptest.NewRequest(http.MethodGet, path, nil), "") })
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil || w.Code != http.StatusOK {
		l.found.Errorf("W04: %s is answered %d %s", path, w.Code, w.Body)
	}
}

// readable is that whoever was told that an application is accepted can read it.
func (l *lobby) readable() {
	if l.asked[0].status != http.StatusCreated {
		return
	}
	var told apply.Accepted
	if err := json.Unmarshal([]byte(l.asked[0].answer), &told); err != nil || told.ID != l.Case.Application {
		l.found.Errorf("W03: %s is the answer of %s", l.asked[0].answer, l.Case.Application)
	}
	var shown apply.Status
	if l.see("/v1/applications/"+told.ID, &shown); shown.AcceptedAt != told.AcceptedAt || shown.Deadline.At != told.Deadline.At && !l.decided() {
		l.found.Errorf("W04: accepted at %s until %s, and shown as %s until %s", told.AcceptedAt, told.Deadline.At, shown.AcceptedAt, shown.Deadline.At)
	}
}

// deliver hands the letter over, again until it is handled, and then once more.
func (l *lobby) deliver() {
	var err error
	l.tries++
	m := queue.Message{ID: "m", Body: l.letter.body, Attempt: l.tries}
	if l.messages == doubled && l.again > 1 {
		l.Table.Before = func(context.Context) {
			l.Table.Before = nil
			l.process(func() { _ = l.verify()(context.Background(), m) })
		}
	}
	lived := l.process(func() { err = l.verify()(context.Background(), m) })
	l.Table.Before = nil
	switch {
	case lived && err == nil:
		l.again--
	case l.tries == 5:
		l.again = 0 // to the dead letters
	}
}

// collect takes the letter that is due next, or has the sweeper look, letting time
// pass. It reports whether anything is owed.
func (l *lobby) collect() bool {
	l.stream()
	l.post.pending = slices.DeleteFunc(l.post.pending, func(m letter) bool { return m.queue != string(work.Verify) })
	at, owes := l.owed()
	if m, ok := l.post.next(); ok {
		if now := l.Now(); !owes || !m.due.After(now) || m.due.Before(at.Add(time.Minute)) {
			l.until(m.due)
			l.letter, l.again, l.tries = m, 2, 0
			if l.letters++; l.letters > 2 {
				l.again = 1 // each asks for another one, and twice each would be ever more
			}
			return true
		}
		l.post.pending = append(l.post.pending, m)
	}
	if owes {
		l.until(at)
		l.process(func() { _, _ = sweep.Run(context.Background(), l.sweeper, 0) })
	}
	return owes
}

func (l *lobby) until(at time.Time) {
	if at.After(l.Now()) {
		l.Wait(at.Sub(l.Now()))
	}
}

// stream hands every change of the table to the relay that is not lost.
func (l *lobby) stream() {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // what is there now, without waiting for more
	changes, err := l.Store.Next(ended, "relay", 1000)
	if err != nil || len(changes) == 0 {
		return
	}
	hand := relay.Handle(l.relay)
	for _, c := range changes {
		if !l.lose() {
			_ = hand(context.Background(), c)
		}
	}
	_ = l.Store.Ack(context.Background(), "relay", changes[len(changes)-1].Seq)
}

// owed is when the machine owes something to the application next.
func (l *lobby) owed() (at time.Time, owes bool) {
	for shard := range work.Shards {
		for _, item := range l.query(table.Query{Index: table.ByDue, PK: work.Shard(shard)}) {
			if when, _, ok := work.Owed(item); ok && application.Is(item.Key) && (!owes || when.Before(at)) {
				at, owes = when, true
			}
		}
	}
	return at, owes
}

func (l *lobby) query(q table.Query) []table.Item {
	page, err := l.Store.Query(context.Background(), q)
	if err != nil || page.Next != "" {
		l.found.Fatalf("%v %s", err, page.Next)
	}
	return page.Items
}

// judge looks at everything when it is over.
func (l *lobby) judge() {
	a := l.Head()
	for i, e := range ways[l.way] {
		if told := l.asked[i]; told.status == 0 && e.status > 0 {
			l.found.Errorf("%s is not told what became of it", e.what)
		} else if e.inside == writing && told.answer != l.asked[i-1].answer {
			l.found.Errorf("W03: one request, twice at once, is answered %s and %s", told.answer, l.asked[i-1].answer)
		}
	}
	l.readable()
	var mine apply.List
	if l.see("/v1/applications", &mine); len(mine.Applications) != 1 {
		l.found.Errorf("W03: %d cases came of one request", len(mine.Applications))
	}
	if want := map[bool]application.State{true: application.Approved, false: application.Verified}[l.decided()]; a.State != want || a.Findings == nil {
		l.found.Fatalf("D01: it is %s, and should be %s", a.State, want)
	}
	l.owned(a)
	l.answers(a)
	l.record(a)
	if l.unreadable("the log", l.Log.String()); l.Log.Len() == 0 {
		l.found.Errorf("nothing is logged")
	}
}

// decided reports whether officers were told that they decided it.
func (l *lobby) decided() bool { return l.way == "decided" && l.asked[2].status == http.StatusCreated }

// owned is that the case lies before an officer who has a date, and that people
// further up were told when it passed.
func (l *lobby) owned(a application.Application) {
	until := a.Deadline.At
	for _, h := range a.Holds {
		if h.Owner == "" || h.Due.IsZero() || h.Lifted != nil || h.Placed.Kind != event.System {
			l.found.Errorf("W08: nobody has to look at %+v", h)
		}
		if h.Due.Before(until) {
			until = h.Due
		}
	}
	for _, item := range l.query(table.Query{Index: table.ByWork, PK: application.WorkList(a.Actor())}) {
		at := slices.IndexFunc(item.Places, func(p table.Place) bool { return p.Index == table.ByWork })
		if item.Key == application.Key(a.ID) && item.Places[at].SK == work.Stamp(until) {
			if a.Deadline.Told != 100 {
				l.found.Errorf("W08: the deadline passed, and people were told of %d percent", a.Deadline.Told)
			}
			return
		}
	}
	l.found.Errorf("W08: it is on nobody's list for %s", until)
}

// answers is that each register's answer is kept, once, as the register gave it, and
// that no want of one was held against the person.
func (l *lobby) answers(a application.Application) {
	at := l.conduct
	want, hold := map[string]policy.CheckOutcome{}, at.hold
	for _, source := range openRegisters {
		want[source] = sayings(source)[0].outcome
	}
	checks, err := verification.Load(context.Background(), l.Store, l.Box, a.ID)
	if err != nil {
		l.found.Fatal(err)
	}
	got := map[string]policy.CheckOutcome{}
	for _, c := range checks {
		if _, twice := got[c.Source]; twice {
			l.found.Errorf("%s has two answers", c.Source)
		}
		got[c.Source] = c.Outcome
		if says := sayings(c.Source)[0]; c.Source != at.source && !maps.Equal(c.Facts, says.facts) || c.Outcome.Answered() && c.Evidence == "" {
			l.found.Errorf("%s is kept as %v, and said %v", c.Source, c.Facts, says.facts)
		}
	}
	// With all messages that ask again lost it stays open, and a person has the case.
	silent := at.manner != well && (at.span == "ever" || (l.messages == "halved" || l.messages == "swept") && got[at.source] == unanswered[at.manner])
	if want[at.source] = at.outcome; silent {
		want[at.source], hold = unanswered[at.manner], ""
	} else if at.name == opener {
		want[gated] = sayings(gated)[0].outcome
	}
	if !maps.Equal(got, want) {
		l.found.Errorf("D04: the registers said %v, and kept is %v", want, got)
	}
	if l.decided() {
		l.stands(a, checks, at, silent)
		return
	}
	weighed, grown := map[string]policy.CheckOutcome{}, l.way == "grown"
	for i, c := range a.Findings.Checks {
		if of := i / len(got); of > 0 && (!grown || of > 1 || c.Outcome != policy.NotAuthorised) {
			l.found.Errorf("D02: somebody nobody asked about is %s in %s", c.Outcome, c.Source)
		} else if of == 0 {
			weighed[c.Source] = c.Outcome
		}
	}
	for source, outcome := range got {
		if weighed[verification.Meaning(source)] != outcome {
			l.found.Errorf("D02: %s said %s, and weighed was %s", source, outcome, weighed[verification.Meaning(source)])
		}
	}
	if grown && a.Findings.Persons != 2 || !grown && a.Findings.Persons != 1 || a.Heard != checks.Heard() {
		l.found.Errorf("D02: weighed for %d people, or not all that is kept", a.Findings.Persons)
	}
	if placed := application.Codes(a.Holds); placed != hold {
		l.found.Errorf("D04: a person must look for %q, and should for %q", placed, hold)
	}
	if a.Findings.AmountFen < l.usual || !a.Findings.AmountFen.Payable() {
		l.found.Errorf("D04: drafted are %s, and %s without any trouble", a.Findings.AmountFen, l.usual)
	}
}

// stands is that answers that came after the decision are on record and change
// nothing of it; but money that is still here waits for a person to look at a death
// or an identity that does not fit.
func (l *lobby) stands(a application.Application, checks verification.Checks, at conduct, silent bool) {
	hold := ""
	if !silent && (at.hold == policy.HoldDeathRecord || at.hold == policy.HoldIdentityMismatch) {
		hold = at.hold
	}
	if placed := application.Codes(a.Holds); placed != hold {
		l.found.Errorf("D04: after the decision a person must look for %q, and should for %q", placed, hold)
	}
	if a.Heard != checks.Heard() {
		l.found.Errorf("D02: an answer came after the decision and is not on record")
	}
	p := l.Payout()
	if a.Award == nil || a.Award.ID != p.Award.ID || p.Award.AmountFen < l.usual || p.State != payout.Due {
		l.found.Errorf("D01: the decision does not stand: %+v, %s", a.Award, p.State)
	}
}

// record is that every version has one event, the person was told once, and what is
// on record of documents is what was told.
func (l *lobby) record(a application.Application) {
	versions, told, photos := map[int64]int{}, 0, 0
	for _, item := range l.Items() {
		if notice.Is(item.Key) {
			told++
		}
		if strings.HasPrefix(item.Key.SK, document.Prefix) {
			l.whole(item)
			photos++
		}
		if !event.Is(item.Key) {
			continue
		}
		e, err := event.Decode(item)
		if err != nil {
			l.found.Fatal(err)
		}
		if e.Noun != application.Noun {
			continue // what the models of supervision noticed
		}
		versions[e.Version]++
		switch e.Kind {
		case "document_added":
			photos += 1 << 10
		case "refused", "withdrawn":
			l.found.Errorf("D01: nobody did, and it was %s", e.Kind)
		case "approved":
			if !l.decided() || e.Actor.ID != approver {
				l.found.Errorf("D01: it was approved by %+v", e.Actor)
			}
		case "verified":
			if e.Rules == "" || e.Facts.Text("inputs") == "" || e.Facts.Text("trace") == "" {
				l.found.Errorf("D02: the record of the verification is %+v", e)
			}
		}
	}
	for v := int64(1); v <= a.Version; v++ {
		if versions[v] != 1 {
			l.found.Errorf("W01: %d events for version %d", versions[v], v)
		}
	}
	if int64(len(versions)) != a.Version || told != 1 {
		l.found.Errorf("W01: events of %d versions for %d, and %d messages that it was accepted", len(versions), a.Version, told)
	}
	want := 0
	for i, e := range ways[l.way] {
		if (e.what == photo || e.what == paper) && l.asked[i].status == http.StatusCreated {
			want++
		}
	}
	var shown apply.Status
	if l.see("/v1/applications/"+a.ID, &shown); photos != want+want<<10 || len(shown.Papers) != want {
		l.found.Errorf("%d documents were told to be kept; %d are on record with %d events, %d are shown", want, photos%(1<<10), photos>>10, len(shown.Papers))
	}
}

// arrivalRoot is a behaviour of citizen, registers and messages, and how many crashes
// are put into it.
type arrivalRoot struct {
	arrival
	depth int
}

// arrivalRoots is the space of ways in. Every conduct of a register with every
// handling of messages by one worker and, in turn, by two, all in turn for one that
// lasts for ever, the ways in taking turns: all single crashes. Every way in with
// registers that are well, that take their time, and that tell bad news late, the
// messages taking turns: pairs too.
func arrivalRoots() []arrivalRoot {
	var all []arrivalRoot
	names, behave := slices.Sorted(maps.Keys(ways)), conducts()
	for i, c := range behave {
		for j, m := range arrivalMessages {
			if turn := j == i%len(arrivalMessages); turn || c.span != "ever" && m != doubled {
				all = append(all, arrivalRoot{arrival{way: names[(i+j)%len(names)], conduct: c, messages: m}, 1})
			}
		}
	}
	pairs := []string{"household.registered.well", "social_insurance.resident.pending.once", "household.cancelled.forged.awhile"}
	for i, way := range names {
		for j, name := range pairs {
			c := behave[slices.IndexFunc(behave, func(c conduct) bool { return c.String() == name })]
			s := arrival{way: way, conduct: c, messages: arrivalMessages[(i+j)%len(arrivalMessages)]}
			all = slices.DeleteFunc(all, func(r arrivalRoot) bool { return r.String() == s.String() })
			all = append(all, arrivalRoot{s, 2})
		}
	}
	return all
}

// arriveAll runs the space of ways in, or every nth behaviour of it.
func arriveAll(every int, show func(*count, int)) *count {
	roots := arrivalRoots()
	return inParallel(len(roots), every, show, func(c *count) func(int) {
		l := lobbies()
		return func(i int) {
			l.met = 0
			deepening[arrival, arrivalMoment]{c, l, memory{}, inTurn[arrival]}.run(roots[i].arrival, l.begin, roots[i].depth)
			c.met.Add(l.met)
		}
	})
}
