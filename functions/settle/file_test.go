package settle_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/batch/batchtest"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

func filing(r *batchtest.Room) map[work.Queue]queue.Handler {
	return map[work.Queue]queue.Handler{
		work.Pay:    pay.Handle(pay.Deps{Table: r.Table(), Box: r.Box, Files: r.Files, Now: r.Now, Metrics: r, Log: r.Logger()}),
		work.Settle: settle.Handle(settle.Deps{Table: r.Table(), Box: r.Box, Files: r.Files, Now: r.Now, Metrics: r, Log: r.Logger()}),
	}
}

func onLine(n int, rest string) string {
	return fmt.Sprintf("[[rule]]\nservice=\"bank\"\nop=\"file_line\"\norder=%d\n%s\n", n, rest)
}

func onFile(op, rest string) string {
	return fmt.Sprintf("[[rule]]\nservice=\"bank\"\nop=%q\n%s\n", op, rest)
}

// aFile proposes, releases and lets rest.
func aFile(t *testing.T, n int, scenario string, hours int) (*batchtest.Room, batch.Batch) {
	t.Helper()
	r := batchtest.New(t, n, scenario, nil)
	r.Wait(time.Minute)
	r.Release(r.Propose("file1"))
	if !r.Rest(r.Now().Add(time.Duration(hours)*time.Hour), 3000, filing(r)) {
		t.Fatal("it does not come to rest")
	}
	r.Books(n)
	r.Secret(n, "file1")
	return r, r.Batch("file1")
}

func states(r *batchtest.Room, n int) map[payout.State]int {
	got := map[payout.State]int{}
	for i := range n {
		got[r.Payout(i).State]++
	}
	return got
}

// TestAFileFromTheDecisionToTheMoney: 225 people, more than one message takes in,
// each outcome once.
func TestAFileFromTheDecisionToTheMoney(t *testing.T) {
	t.Parallel()
	const n = 225
	r, b := aFile(t, n, onLine(2, "effect=\"fail\"\ncode=\"NAME_MISMATCH\"")+onLine(3, "effect=\"return\"\nafter=\"6h\"\ncode=\"ACCOUNT_CLOSED\"")+
		onLine(4, "effect=\"processing\"\nafter=\"3h\""), 12)
	if b.State != batch.Settled || b.Lines.Count != n || b.Edition < 3 || r.Sends != 1 {
		t.Errorf("%s, %d lines, edition %d, sent %d times", b.State, b.Lines.Count, b.Edition, r.Sends)
	}
	got := states(r, n)
	if got[payout.Paid] != n-2 || got[payout.Failed] != 1 || got[payout.Returned] != 1 {
		t.Errorf("%v", got)
	}
	for i := range n {
		p := r.Payout(i)
		c, _ := p.Current()
		if c.File != "file1" || c.Line < 1 || p.State == payout.Paid && c.BankReference == "" {
			t.Errorf("an attempt that statements cannot be matched with: %+v", c)
		}
		if held := r.Head(i).Held(); held != (p.State != payout.Paid) {
			t.Errorf("%s: held %v", p.State, held)
		}
	}
	// What comes back later than this is still heard of: the file is asked about.
	if b.Next.IsZero() {
		t.Error("nobody asks for restated return files")
	}
	if len(r.Codes) != 1 || r.Codes[batch.AlarmUnclear] == 0 {
		t.Errorf("alarms: %v", r.Codes) // of the line that took three hours
	}
}

// TestAFileThatGoesAgain: the bank took it, or did not, and its answer was lost.
func TestAFileThatGoesAgain(t *testing.T) {
	t.Parallel()
	for name, scenario := range map[string]string{
		"lost before":   onFile("file_send", "effect=\"cut_before\"\nnth=[1,2]"),
		"lost after":    onFile("file_send", "effect=\"cut_after\"\nnth=[1]"),
		"broken before": onFile("file_send", "effect=\"status\"\nstatus=500\nnth=[1]"),
		"broken after":  onFile("file_send", "effect=\"status\"\nstatus=502\ndone=true\nnth=[1]"),
		"forged":        onFile("file_send", "effect=\"lie\"\nlie=\"bad_signature\"\nnth=[1]"),
		"silent":        onFile("file_query", "effect=\"status\"\nstatus=503\nnth=[1,2,3]"),
		"no return yet": onFile("file_return", "effect=\"cut_after\"\nnth=[1,2]"),
		"no money":      onFile("file_send", "effect=\"code\"\ncode=\"INSUFFICIENT_FUNDS\"\nnth=[1,2]"),
		"busy":          onFile("file_send", "effect=\"code\"\ncode=\"BANK_BUSY\"\nnth=[1]"),
		"our keys":      onFile("file_send", "effect=\"code\"\ncode=\"NO_AGREEMENT\"\nnth=[1]"),
	} {
		r, b := aFile(t, 3, scenario, 3)
		if b.State != batch.Settled || states(r, 3)[payout.Paid] != 3 {
			t.Errorf("%s: %s, %v", name, b.State, states(r, 3))
		}
	}
}

// TestReturnFilesThatAreRefused: nothing moves, the file is kept, somebody is called.
func TestReturnFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, lie := range []string{"wrong_totals", "bad_digest", "cut_short", "duplicate_line", "strange_line", "other_file"} {
		r, b := aFile(t, 3, onFile("file_return", "effect=\"lie\"\nlie=\""+lie+"\""), 2)
		if b.State != batch.Submitted || states(r, 3)[payout.InFile] != 3 || len(b.Parked) != 1 || r.Codes[batch.AlarmReturn] == 0 {
			t.Errorf("%s: %s, %v, %d parked, alarms %v", lie, b.State, states(r, 3), len(b.Parked), r.Codes)
			continue
		}
		raw, err := b.RawReturn(t.Context(), r.Store, r.Box, b.Parked[0], 1)
		if err != nil || len(raw) == 0 {
			t.Errorf("%s: what was parked is gone: %v", lie, err)
		}
		// When the bank tells the truth, it goes on.
		r.World.Load(worldOf(t, ""))
		if !r.Rest(r.Now().Add(3*time.Hour), 1000, filing(r)) || r.Batch("file1").State != batch.Settled || states(r, 3)[payout.Paid] != 3 {
			t.Errorf("%s: it never came right: %s", lie, r.Batch("file1").State)
		}
		r.Books(3)
	}
}

// TestALineThatIsNotWhatWasSent stops that payout alone, until two people have looked.
func TestALineThatIsNotWhatWasSent(t *testing.T) {
	t.Parallel()
	for _, lie := range []string{"line_amount", "line_payee"} {
		r, _ := aFile(t, 3, onFile("file_return", "effect=\"lie\"\nlie=\""+lie+"\""), 2)
		got := states(r, 3)
		if got[payout.Frozen] != 1 || got[payout.Paid] != 2 || r.Codes[payout.AlarmFrozen] != 1 {
			t.Errorf("%s: %v %v", lie, got, r.Codes)
		}
		for i := range 3 {
			p := r.Payout(i)
			if p.State != payout.Frozen {
				continue
			}
			r.World.Load(worldOf(t, ""))
			o, err := payout.Step(p, payout.Thaw{First: batchtest.Finance, Second: batchtest.Approver}, batchtest.Approver, r.Now())
			if err == nil {
				err = payout.Commit(t.Context(), r.Store, o)
			}
			if err != nil || !r.Rest(r.Now().Add(time.Hour), 1000, filing(r)) {
				t.Fatal(err)
			}
			if p := r.Payout(i); p.State != payout.Paid {
				t.Errorf("%s: thawed, asked about by its file, and %s", lie, p.State)
			}
		}
		r.Books(3)
	}
}

func TestWhatNobodyUnderstandsIsNoFailure(t *testing.T) {
	t.Parallel()
	r, b := aFile(t, 3, onFile("file_return", "effect=\"lie\"\nlie=\"unknown_code\""), 2)
	if got := states(r, 3); got[payout.InFile] != 1 || got[payout.Paid] != 2 || b.State != batch.Submitted || r.Codes[batch.AlarmUnclear] != 1 {
		t.Errorf("%v %s %v", got, b.State, r.Codes)
	}
	r, b = aFile(t, 4, onFile("file_return", "effect=\"lie\"\nlie=\"partial\""), 2)
	if got := states(r, 4); got[payout.InFile] != 2 || got[payout.Paid] != 2 || b.State != batch.Submitted {
		t.Errorf("partial: %v %s", got, b.State)
	}
}

// TestAFileThatIsRejectedWhole: its payouts wait for another file, which two
// people form; nobody is told that a payment failed.
func TestAFileThatIsRejectedWhole(t *testing.T) {
	t.Parallel()
	r, b := aFile(t, 25, onFile("file_send", "effect=\"reject\"\ncode=\"BAD_FILE\""), 2)
	if got := states(r, 25); b.State != batch.Rejected || got[payout.Due] != 25 || r.Codes[batch.AlarmRejected] != 1 {
		t.Fatalf("%s %v %v", b.State, got, r.Codes)
	}
	r.World.Load(worldOf(t, ""))
	r.Release(r.Propose("file2"))
	if !r.Rest(r.Now().Add(2*time.Hour), 2000, filing(r)) || states(r, 25)[payout.Paid] != 25 {
		t.Errorf("%v", states(r, 25))
	}
	if c, _ := r.Payout(0).Current(); c.Number != 2 || c.File != "file2" {
		t.Errorf("%+v", c)
	}
	r.Books(25)
}

// TestTheBankHoldsSomethingElse: nothing is sent any more, and somebody is called.
func TestTheBankHoldsSomethingElse(t *testing.T) {
	t.Parallel()
	r, b := aFile(t, 2, onFile("file_send", "effect=\"code\"\ncode=\"DUPLICATE_DIFFERENT\""), 3)
	if b.State != batch.Frozen || r.Sends != 1 || r.Codes[batch.AlarmFrozen] != 1 || states(r, 2)[payout.InFile] != 2 {
		t.Errorf("%s, %d sends, %v", b.State, r.Sends, r.Codes)
	}
	r, b = aFile(t, 2, onFile("file_query", "effect=\"lie\"\nlie=\"wrong_amount\""), 3)
	if b.State != batch.Frozen || r.Sends != 1 {
		t.Errorf("another total: %s", b.State)
	}
}

// TestTwoFilesOverTheSamePeople: whoever stands in one is not in the other.
func TestTwoFilesOverTheSamePeople(t *testing.T) {
	t.Parallel()
	const n = 45
	r := batchtest.New(t, n, "", nil)
	r.Wait(time.Minute)
	r.Hold(7)
	a, b := r.Propose("file1"), r.Propose("file2")
	r.Release(a)
	r.Release(b)
	if !r.Rest(r.Now().Add(2*time.Hour), 3000, filing(r)) {
		t.Fatal("no rest")
	}
	one, two := r.Batch("file1"), r.Batch("file2")
	if one.Lines.Count+two.Lines.Count != n-1 {
		t.Errorf("%d and %d lines", one.Lines.Count, two.Lines.Count)
	}
	if p := r.Payout(7); p.State != payout.Due || r.Credits(7) != 0 {
		t.Errorf("a flag does not hold the money: %s", p.State)
	}
	r.Books(n)
}

// TestNoMoreThanWasReleased: what two people saw is the most that goes.
func TestNoMoreThanWasReleased(t *testing.T) {
	t.Parallel()
	r := batchtest.New(t, 5, "", nil)
	r.Wait(time.Minute)
	b := r.Propose("file1")
	b.Most.Count, b.Most.Fen = 3, 3*batchtest.Amount-1
	b.Version++
	if err := batch.Commit(t.Context(), r.Store, b, b.Event("shrunk", batchtest.Finance, r.Now())); err != nil {
		t.Fatal(err)
	}
	r.Release(b)
	if !r.Rest(r.Now().Add(time.Hour), 1000, filing(r)) || r.Batch("file1").Lines.Count != 2 || states(r, 5)[payout.Paid] != 2 {
		t.Errorf("%d lines, %v", r.Batch("file1").Lines.Count, states(r, 5))
	}
	r.Books(5)
}

// TestFilesSurviveAnything: whoever dies wherever, whatever answer is lost, each
// person is paid once or nobody is, and the books agree.
func TestFilesSurviveAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(rt, "people")
		dooms := map[int]batchtest.Doom{}
		for range rapid.IntRange(0, 4).Draw(rt, "dooms") {
			dooms[rapid.IntRange(1, 40).Draw(rt, "touch")] = rapid.SampledFrom(batchtest.Dooms()).Draw(rt, "doom")
		}
		var scenario strings.Builder
		for i := 1; i <= n; i++ {
			scenario.WriteString(rapid.SampledFrom([]string{"", "", "", onLine(i, "effect=\"fail\"\ncode=\"ACCOUNT_CLOSED\""),
				onLine(i, "effect=\"return\"\nafter=\"2h\""), onLine(i, "effect=\"processing\"\nafter=\"1h\"")}).Draw(rt, "line"))
		}
		if rapid.Bool().Draw(rt, "rejected first") {
			scenario.WriteString(onFile("file_send", "effect=\"reject\"\ncode=\"BAD_FILE\"\nnth=[1]"))
		}
		r := batchtest.New(t, n, scenario.String(), dooms)
		r.Wait(time.Minute)
		r.Release(r.Propose("file1"))
		if !r.Rest(r.Now().Add(5*time.Hour), 3000, filing(r)) {
			rt.Fatal("it does not come to rest")
		}
		if b := r.Batch("file1"); b.State == batch.Rejected {
			r.Release(r.Propose("file2"))
			if !r.Rest(r.Now().Add(5*time.Hour), 3000, filing(r)) {
				rt.Fatal("the second does not come to rest")
			}
		}
		r.Books(n)
		for i := range n {
			if s := r.Payout(i).State; s != payout.Paid && s != payout.Failed && s != payout.Returned {
				rt.Fatalf("application %d ended %s (dooms %v)", i, s, dooms)
			}
		}
		if t.Failed() {
			rt.Fatalf("dooms %v", dooms)
		}
	})
}

func worldOf(t *testing.T, scenario string) world.Scenario {
	t.Helper()
	s, err := world.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shaky is a store that answers nothing at its nth call, once.
type shaky struct {
	table.Store
	mu   sync.Mutex
	left int
}

var errShaky = errors.New("the store is away")

func (s *shaky) gone() bool { s.mu.Lock(); defer s.mu.Unlock(); s.left--; return s.left == 0 }

func (s *shaky) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if s.gone() {
		return table.Item{}, false, errShaky
	}
	return s.Store.Get(ctx, k)
}

func (s *shaky) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if s.gone() {
		return table.Page{}, errShaky
	}
	return s.Store.Query(ctx, q)
}

func (s *shaky) Transact(ctx context.Context, w ...table.Write) error {
	if s.gone() {
		return errShaky
	}
	return s.Store.Transact(ctx, w...)
}

// TestEveryCallToTheStoreMayFailWhileAFileIsTakenIn: what was done stays done, and
// the rest is done once.
func TestEveryCallToTheStoreMayFailWhileAFileIsTakenIn(t *testing.T) {
	t.Parallel()
	for name, scenario := range map[string]string{
		"paid, failed, back": onLine(1, "effect=\"fail\"\ncode=\"NAME_MISMATCH\"") + onLine(2, "effect=\"return\"\nafter=\"100ms\""),
		"rejected":           onFile("file_send", "effect=\"reject\"\ncode=\"BAD_FILE\""),
		"wrong":              onFile("file_return", "effect=\"lie\"\nlie=\"cut_short\""),
	} {
		for n := 1; ; n++ {
			r := batchtest.New(t, 3, scenario, nil)
			r.Wait(time.Minute)
			r.Release(r.Propose("file1"))
			h := filing(r)
			s := &shaky{Store: r.Table(), left: n}
			h[work.Settle] = settle.Handle(settle.Deps{Table: s, Box: r.Box, Files: r.Files, Now: r.Now, Metrics: r, Log: r.Logger()})
			if !r.Rest(r.Now().Add(30*time.Minute), 500, h) {
				t.Fatalf("%s, call %d: no rest", name, n)
			}
			r.Books(3)
			if b := r.Batch("file1"); b.State != map[string]batch.State{"rejected": batch.Rejected, "wrong": batch.Submitted}[name] && b.State != batch.Settled {
				t.Errorf("%s, call %d: %s", name, n, b.State)
			}
			if s.left > 0 || n > 40 {
				break
			}
		}
	}
}

// odd is a bank that says other things than the one behind it.
type odd struct {
	rail.Files
	shut  bool
	query func(rail.FileSaid) rail.FileSaid
	fetch func([]byte) ([]byte, bool)
}

func (o odd) Admit(context.Context, rail.Call) (bool, error) { return !o.shut, nil }

func (o odd) Query(ctx context.Context, id string) rail.FileSaid {
	said := o.Files.Query(ctx, id)
	if o.query != nil {
		said = o.query(said)
	}
	return said
}

func (o odd) Fetch(ctx context.Context, id string, edition int) ([]byte, bool) {
	raw, ok := o.Files.Fetch(ctx, id, edition)
	if o.fetch != nil {
		return o.fetch(raw)
	}
	return raw, ok
}

// TestWhatSettlesNoLineOfAFile: a payout that people thawed is asked about by its
// file, and stays unknown until the file says what became of it.
func TestWhatSettlesNoLineOfAFile(t *testing.T) {
	t.Parallel()
	r, b := aFile(t, 2, onFile("file_return", "effect=\"lie\"\nlie=\"line_amount\""), 1)
	n := 0
	for r.Payout(n).State != payout.Frozen {
		n++
	}
	o, err := payout.Step(r.Payout(n), payout.Thaw{First: batchtest.Finance, Second: batchtest.Approver}, batchtest.Approver, r.Now())
	if err == nil {
		err = payout.Commit(t.Context(), r.Store, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.World.Load(worldOf(t, ""))
	ask := func(files rail.Files) {
		t.Helper()
		p := r.Payout(n)
		if wait := p.Next.Sub(r.Now()); wait > 0 {
			r.Wait(wait)
		}
		d := settle.Deps{Table: r.Table(), Box: r.Box, Files: files, Now: r.Now, Metrics: r, Log: r.Logger()}
		k := payout.Key(p.Award.Application, p.Award.ID)
		if err := settle.Handle(d)(t.Context(), queue.Message{ID: "m", Body: work.Message{PK: k.PK, SK: k.SK}.Encode(), Attempt: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for name, bank := range map[string]odd{
		"not admitted":    {shut: true},
		"silent":          {query: func(s rail.FileSaid) rail.FileSaid { s.Word = payout.Silence; s.Alarm = "bank-line-refused"; return s }},
		"nothing fetched": {fetch: func([]byte) ([]byte, bool) { return nil, false }},
		"other bytes":     {fetch: func(raw []byte) ([]byte, bool) { return raw[1:], true }},
		"unreadable": {query: func(s rail.FileSaid) rail.FileSaid { s.ReturnDigest = batch.Digest([]byte("x")); return s },
			fetch: func([]byte) ([]byte, bool) { return []byte("x"), true }},
		"an edition of the past": {query: func(s rail.FileSaid) rail.FileSaid { s.Edition = 0; return s }},
	} {
		bank.Files = r.Files
		ask(bank)
		if p := r.Payout(n); p.State != payout.Unknown {
			t.Errorf("%s: %s", name, p.State)
		}
	}
	if r.Codes["bank-line-refused"] == 0 {
		t.Error("nobody is called when the bank refuses our keys")
	}
	r.World.Load(worldOf(t, onFile("file_return", "effect=\"lie\"\nlie=\"unknown_code\"")))
	ask(r.Files) // the line is there, and nobody understands it
	r.World.Load(worldOf(t, ""))
	ask(r.Files)
	if p := r.Payout(n); p.State != payout.Paid {
		t.Errorf("%s", p.State)
	}
	r.Books(2)
	// The same for the file itself.
	d := settle.Deps{Table: r.Table(), Box: r.Box, Files: odd{Files: r.Files, shut: true}, Now: r.Now, Metrics: r, Log: r.Logger()}
	r.Wait(2 * time.Hour)
	k := batch.Key(b.ID)
	body := work.Message{PK: k.PK, SK: k.SK}.Encode()
	before := r.Batch(b.ID).Version
	if err := settle.Handle(d)(t.Context(), queue.Message{ID: "m", Body: body}); err != nil || r.Batch(b.ID).Version != before {
		t.Errorf("what was not admitted was asked: %v", err)
	}
	d.Files = odd{Files: r.Files, query: func(s rail.FileSaid) rail.FileSaid { s.Alarm = "bank-line-refused"; return s }}
	if err := settle.Handle(d)(t.Context(), queue.Message{ID: "m", Body: body}); err != nil || r.Batch(b.ID).Version != before+1 {
		t.Errorf("%v", err)
	}
}
