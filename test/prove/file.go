package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/batch/batchtest"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/watch"
	"github.com/doudi-aid/doudi/shared/work"
)

// payees is how many people a file pays here. stands says who stands on which line:
// townships come one after the other.
const payees = 3

var stands = [payees]int{0, 2, 1}

// teller is what the bank makes of a file, and what must become of its lines.
type teller struct {
	name     string
	scenario world.Scenario
	ends     [payees]payout.State // by line
	again    bool                 // the file is rejected whole, and two people form another
	truth    *world.Scenario      // when there is one, the return file is refused until the bank goes by it
	back     bool                 // an old return file comes once more after a newer one
}

func bankRule(op, rest string) string {
	return fmt.Sprintf("[[rule]]\nservice = \"bank\"\nop = %q\n%s\n", op, rest)
}

func onLine(n int, rest string) string {
	return bankRule("file_line", fmt.Sprintf("order = %d\n%s", n, rest))
}

// told is a scenario read.
func told(text string) world.Scenario {
	s, err := world.ParseScenario([]byte(text))
	if err != nil {
		panic(err) // it is written below
	}
	return s
}

// tellers is how banks treat files: as they should, each kind of line, the return
// file in parts, anew, spoilt, out of order; and every way in which the call that
// brings the file can go wrong.
var tellers = sync.OnceValue(func() []teller {
	all := [payees]payout.State{payout.Paid, payout.Paid, payout.Paid}
	mixed := [payees]payout.State{payout.Failed, payout.Returned, payout.Paid}
	lines := onLine(1, "effect = \"fail\"\ncode = \"NAME_MISMATCH\"") + onLine(2, "effect = \"return\"\nafter = \"2h\"\ncode = \"ACCOUNT_CLOSED\"")
	truth := told(lines)
	send := func(rest string) world.Scenario { return told(bankRule("file_send", rest)) }
	return []teller{
		{name: "paid", ends: all},
		{name: "lines", scenario: told(lines), ends: mixed},
		{name: "half", scenario: told(onLine(2, "effect = \"processing\"\nafter = \"1h\"")), ends: all},
		{name: "disordered", scenario: told(lines), ends: mixed, back: true},
		{name: "spoilt", scenario: told(lines + bankRule("file_return", "effect = \"lie\"\nlie = \"cut_short\"")), ends: mixed, truth: &truth},
		{name: "return-cut", scenario: told(bankRule("file_return", "effect = \"cut_after\"\nnth = [1, 2]")), ends: all},
		{name: "silent", scenario: told(bankRule("file_query", "effect = \"status\"\nstatus = 503\nnth = [1, 2]")), ends: all},
		{name: "rejected", scenario: send("effect = \"reject\"\ncode = \"BAD_FILE\"\nnth = [1]"), ends: all, again: true},
		{name: "unheard", scenario: send("effect = \"cut_before\"\nnth = [1, 2]"), ends: all},
		{name: "heard", scenario: told(lines + bankRule("file_send", "effect = \"cut_after\"\nnth = [1]")), ends: mixed},
		{name: "broken", scenario: send("effect = \"status\"\nstatus = 500\nnth = [1]"), ends: all},
		{name: "broken-yet", scenario: told(lines + bankRule("file_send", "effect = \"status\"\nstatus = 502\ndone = true\nnth = [1]")), ends: mixed},
		{name: "forged", scenario: send("effect = \"lie\"\nlie = \"bad_signature\"\nnth = [1]"), ends: all},
		{name: "short", scenario: send("effect = \"code\"\ncode = \"INSUFFICIENT_FUNDS\"\nnth = [1]"), ends: all},
	}
})

// releases is how a file is let go: by one who asks until told, by the same request
// twice at once, by two people at once.
var releases = []string{"told", "twin", "rivals"}

const doubled = "doubled"

// workers is how messages are handled: by one worker, twice one after the other, or
// by two at once, of whom the second does all it can between the first's reading
// and writing.
var workers = []string{"one", doubled}

// filing is one life of a file.
type filing struct {
	teller  teller
	release string
	workers string
	dooms   dooms
}

// String is what -replay takes.
func (s filing) String() string {
	return fmt.Sprintf("file/%s/%s/%s/%s", s.teller.name, s.release, s.workers, s.dooms)
}

func (s filing) doomed() dooms         { return s.dooms }
func (s filing) with(all dooms) filing { s.dooms = all; return s }

// isFiling reports whether a line is one of a filing.
func isFiling(line string) bool { return strings.HasPrefix(line, "file/") }

// parseFiling reads what String wrote.
func parseFiling(line string) (filing, error) {
	part := strings.Split(line, "/")
	if len(part) != 5 {
		return filing{}, fmt.Errorf("a file has five parts: file/bank/release/workers/dooms")
	}
	s := filing{release: part[2], workers: part[3]}
	i := slices.IndexFunc(tellers(), func(t teller) bool { return t.name == part[1] })
	if i < 0 || !slices.Contains(releases, s.release) || !slices.Contains(workers, s.workers) {
		return s, fmt.Errorf("%q names something that does not exist", line)
	}
	s.teller = tellers()[i]
	var err error
	s.dooms, err = parseDooms(part[4])
	return s, err
}

// cabinet is a room in which files are formed by the real routes and paid by the
// real handlers.
type cabinet struct {
	*batchtest.Room
	found    *findings
	web      http.Handler
	tokens   map[string]string
	handlers map[work.Queue]queue.Handler
	filing
	asks int // answers that named a newer return file than the first
}

// The finance officers.
const (
	first  = "320402-finance-1"
	second = "320402-finance-2"
	third  = "320402-finance-3"
)

const ward = civil.DivisionCode("320402000000")

// cabinets makes a room for filings.
func cabinets() *cabinet {
	c := &cabinet{found: &findings{}, tokens: map[string]string{}}
	c.Room = batchtest.Direct(c.found, payees)
	key, err := seal.NewBlindKey(1, bytes.Repeat([]byte{5}, seal.BlindKeyBytes))
	if err != nil {
		panic(err)
	}
	blind, err := seal.NewBlind(key)
	if err != nil {
		panic(err)
	}
	rules, err := book()
	if err != nil {
		panic(err)
	}
	sessions := session.NewStore(c.Table(), &counter{}, c.Now)
	for _, id := range []string{first, second, third} {
		who := staff.Staff{ID: id, Region: "320400", Person: "person of " + id, Active: true,
			Grants: []staff.Grant{{Role: staff.Finance, Division: ward, From: batchtest.Start.AddDate(0, 0, -1)}}}
		err := staff.Appoint(context.Background(), c.Store, who, event.Actor{Kind: event.System, ID: "prove"}, batchtest.Start)
		if err == nil {
			c.tokens[id], err = sessions.Open(context.Background(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: id}, TTL: session.MaxTTL})
		}
		if err != nil {
			panic(err)
		}
	}
	c.Keep()
	ids := ident.NewSource(&counter{})
	c.web = httpapi.New(httpapi.Config{Sessions: sessions, Now: c.Now, IDs: ids, Logger: quiet, Watch: watch.Over(c.Table(), c.Now)},
		decide.Routes(decide.Deps{Table: c.Table(), Box: c.Box, Blind: blind, Book: rules, Tree: division.Shipped(), IDs: ids, Now: c.Now,
			Files: decide.FileUse{In: func(civil.DivisionCode) bool { return true }, Layout: world.DefaultLayout, MaxLines: batch.MaxLines}})...)
	files := backwards{c.Files, c}
	c.handlers = map[work.Queue]queue.Handler{
		work.Pay: pay.Handle(pay.Deps{Table: c.Table(), Box: c.Box, Files: files, Now: c.Now, Metrics: c.Room, Log: quiet}),
		work.Settle: settle.Handle(settle.Deps{Table: c.Table(), Box: c.Box, Files: files, LinesAtOnce: 1, Now: c.Now, Metrics: c.Room,
			Log: quiet}),
	}
	for q, h := range c.handlers {
		c.handlers[q] = c.twice(h)
	}
	return c
}

// counter is a source of ids that are not the same.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	c.n++
	return len(p), nil
}

// twice lets a second worker do all it can before the first one writes.
func (c *cabinet) twice(h queue.Handler) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		if c.workers == doubled {
			c.Before = func() {
				c.Before = nil
				_ = h(ctx, m)
				c.Revive() // the two are no one process
			}
		}
		err := h(ctx, m)
		c.Before = nil
		return err
	}
}

// backwards is a bank that names its first return file once more after a newer one.
type backwards struct {
	rail.Files
	c *cabinet
}

func (b backwards) Query(ctx context.Context, id string) rail.FileSaid {
	said := b.Files.Query(ctx, id)
	if !b.c.teller.back || said.Edition == 0 {
		return said
	}
	if said.Edition > 1 {
		b.c.asks++
	}
	if b.c.asks == 2 {
		said.Edition = 1
		if raw, ok := b.Files.Fetch(ctx, id, 1); ok {
			said.ReturnDigest = batch.Digest(raw)
		}
	}
	return said
}

// nowhere is where every life of a file begins: they are not taken up in the middle.
type nowhere struct{}

func (nowhere) touched() int { return 0 }

// live lives s and returns how often it touched the world and what was wrong.
func (c *cabinet) live(s filing, _ nowhere, _ func(nowhere), _ memory) (touches int, wrong []string) {
	return lived(c.found, c.Touches, func() {
		dooms := map[int]batchtest.Doom{}
		for _, d := range s.dooms {
			dooms[d.touch] = batchtest.Doom(d.doom)
		}
		c.Again(s.teller.scenario, dooms)
		c.filing, c.asks = s, 0
		c.Wait(time.Minute)
		files := []string{c.form("1")}
		// A file whose lines all have an outcome is asked about once an hour: each crash
		// may cost a question, and a bank that names the old return file some more.
		patience := time.Duration(4+2*len(s.dooms)) * time.Hour
		if s.teller.back {
			patience += 8 * time.Hour
		}
		c.rest(patience)
		switch {
		case s.teller.truth != nil:
			if b := c.Batch(files[0]); len(b.Parked) == 0 || b.State != batch.Submitted {
				c.found.Errorf("a spoilt return file: %d parked, %s", len(b.Parked), b.State)
			}
			c.World.Load(*s.teller.truth)
			c.rest(3 * time.Hour)
		case s.teller.again:
			files = append(files, c.form("2"))
			c.rest(3 * time.Hour)
		}
		c.judge(files)
	})
}

func (c *cabinet) rest(d time.Duration) {
	if !c.Rest(c.Now().Add(d), 300, c.handlers) {
		c.found.Errorf("W08: it does not come to rest")
	}
}

// post makes one request until its sender is told. inside runs once between its
// reading and its writing.
func (c *cabinet) post(who, path, key string, body any, inside func()) (int, string) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	for range 10 {
		r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(raw))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.tokens[who])
		r.Header.Set("Idempotency-Key", key)
		if inside != nil {
			do := inside
			inside = nil
			c.Before = func() { c.Before = nil; do(); c.Revive() }
		}
		answer := httptest.NewRecorder()
		c.web.ServeHTTP(answer, r)
		c.Before = nil
		c.Revive()
		if answer.Code < http.StatusInternalServerError {
			return answer.Code, answer.Body.String()
		}
	}
	c.found.Errorf("%s is never told what became of %s", who, path)
	return 0, ""
}

// form has two people form a file of all that waits, and answers its id.
func (c *cabinet) form(turn string) string {
	const path = "/v1/staff/batches"
	status, proposed := c.post(first, path, "p"+turn, decide.BatchIn{Division: string(ward)}, nil)
	var b decide.BatchOut
	if err := json.Unmarshal([]byte(proposed), &b); err != nil || status != http.StatusCreated || b.ProposedLines != payees {
		c.found.Fatalf("a file of %d: %d %s", payees, status, proposed)
	}
	release, of := path+"/"+b.ID+"/release", decide.BatchOf{Version: b.Version, Lines: b.ProposedLines, TotalFen: b.ProposedFen}
	if status, answer := c.post(first, release, "r"+turn, of, nil); status != http.StatusForbidden {
		c.found.Errorf("A02: who proposed a file releases it: %d %s", status, answer)
	}
	type told struct {
		who    string
		status int
		answer string
	}
	var heard []told
	say := func(who string, inside func()) {
		status, answer := c.post(who, release, "r"+turn, of, inside)
		heard = append(heard, told{who, status, answer})
	}
	switch c.release {
	case "told":
		say(second, nil)
	case "twin":
		say(second, func() { say(second, nil) })
	case "rivals":
		say(second, func() { say(third, nil) })
	}
	won := map[string]string{}
	for _, h := range heard {
		if h.status != http.StatusCreated {
			continue
		}
		if before, again := won[h.who]; again && before != h.answer {
			c.found.Errorf("W03: one request is answered %s and %s", before, h.answer)
		}
		won[h.who] = h.answer
		if status, answer := c.post(h.who, release, "r"+turn, of, nil); status != h.status || answer != h.answer {
			c.found.Errorf("W03: the same release again is answered %d %s", status, answer)
		}
	}
	stored := c.Batch(b.ID)
	if len(won) != 1 || stored.Released == nil || won[stored.Released.By.ID] == "" || stored.Released.By.Person == stored.Proposed.By.Person {
		c.found.Errorf("X058: %v were told that they released it; on record is %+v", heard, stored.Released)
	}
	return b.ID
}

// judge looks at everything when it is over.
func (c *cabinet) judge(files []string) {
	c.Books(payees)
	c.SameBytes()
	c.Secret(payees, files...)
	last := files[len(files)-1]
	for i, id := range files {
		b, want := c.Batch(id), batch.Settled
		if i < len(files)-1 {
			want = batch.Rejected
		}
		if b.State != want || b.Lines.Count != payees || b.Next.IsZero() {
			c.found.Errorf("file %d is %s with %d lines, next %v", i+1, b.State, b.Lines.Count, b.Next)
		}
		c.versions(batch.Partition(id), batch.Noun, b.Version)
	}
	if all := c.World.Book(world.Filter{}); len(all) != payees {
		c.found.Errorf("M08: the bank's book has %d payments for %d people", len(all), payees)
	}
	for line, want := range c.teller.ends {
		n := stands[line]
		p := c.Payout(n)
		if p.State != want {
			c.found.Errorf("person %d ended %s, not %s", n+1, p.State, want)
		}
		if a, ok := p.Current(); !ok || a.File != last || a.Line != line+1 || len(p.Attempts) != len(files) {
			c.found.Errorf("a line is lost: person %d stands in %q after %d attempts", n+1, a.File, len(p.Attempts))
		}
		told := c.versions(application.Partition(batchtest.ID(n)), payout.Noun, p.Version)
		kind := map[payout.State]notice.Kind{payout.Paid: notice.Paid, payout.Failed: notice.PaymentFailed, payout.Returned: notice.Returned}[want]
		if told[kind] != 1 || want == payout.Paid && len(told) != 1 {
			c.found.Errorf("person %d was told %v, and should be %s once", n+1, told, kind)
		}
		if held := c.Head(n).Held(); held != (want != payout.Paid) {
			c.found.Errorf("W08: held=%v although it ended %s", held, want)
		}
	}
}

// versions checks that a noun has one event for each version, and counts the
// notices beside them.
func (c *cabinet) versions(partition, noun string, version int64) map[notice.Kind]int {
	told, events := map[notice.Kind]int{}, int64(0)
	for _, item := range c.Items(partition) {
		if of, _, _, ok := event.Named(item.Key); ok && of == noun {
			events++
		}
		if notice.Is(item.Key) {
			n, err := notice.Decode(item)
			if err != nil {
				c.found.Fatal(err)
			}
			told[n.Kind]++
		}
	}
	if events != version {
		c.found.Errorf("W01: %d events for %d versions in %s", events, version, partition)
	}
	return told
}

// fileRoot is a behaviour of bank, officers and workers, and how many crashes are
// put into it.
type fileRoot struct {
	filing
	depth int
}

// fileRoots is the space of files. Every bank with every way of releasing and
// working; single crashes with each bank alone and with one of the others in turn;
// pairs with each kind of line and of sending that differs.
func fileRoots() []fileRoot {
	var all []fileRoot
	pairs := []string{"lines/told/one", "heard/rivals/one", "rejected/told/one"}
	for i, bank := range tellers() {
		for j, release := range releases {
			for k, worker := range workers {
				depth, turn := 0, j*len(workers)+k
				if turn == 0 || turn == 1+i%(len(releases)*len(workers)-1) {
					depth = 1
				}
				if slices.Contains(pairs, bank.name+"/"+release+"/"+worker) {
					depth = 2
				}
				all = append(all, fileRoot{filing{teller: bank, release: release, workers: worker}, depth})
			}
		}
	}
	return all
}

// fileAll runs the space of files, or every nth behaviour of it.
func fileAll(every int, show func(*count, int)) *count {
	roots := fileRoots()
	return inParallel(len(roots), every, show, func(c *count) func(int) {
		room := cabinets()
		// Of the ways in which a second crash may happen one is taken in turn.
		d := deepening[filing, nowhere]{c, room, nil, inTurn[filing]}
		return func(i int) { d.run(roots[i].filing, nowhere{}, roots[i].depth) }
	})
}
