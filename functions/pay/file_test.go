package pay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/batch/batchtest"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/filerail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

func filing(r *batchtest.Room, files rail.Files, t table.Store) pay.Deps {
	return pay.Deps{Table: t, Box: r.Box, Files: files, Now: r.Now, Metrics: r, Log: r.Logger()}
}

// drive gives the file its messages until pay has nothing more to do with it.
func drive(t *testing.T, r *batchtest.Room, d pay.Deps) batch.Batch {
	t.Helper()
	for range 40 {
		b := r.Batch("file1")
		if b.State != batch.Filling && b.State != batch.Sealing && b.State != batch.Ready {
			return b
		}
		if err := pay.Handle(d)(t.Context(), fileMessage("file1")); err != nil {
			t.Fatal(err)
		}
		if next := r.Batch("file1"); next.Version == b.Version {
			return next // it waits
		}
	}
	t.Fatal("it never comes to an end")
	return batch.Batch{}
}

func fileMessage(id string) queue.Message {
	k := batch.Key(id)
	return queue.Message{ID: "m", Body: work.Message{PK: k.PK, SK: k.SK}.Encode(), Attempt: 1}
}

func released(t *testing.T, n int) *batchtest.Room {
	t.Helper()
	r := batchtest.New(t, n, "", nil)
	r.Wait(time.Minute)
	r.Release(r.Propose("file1"))
	return r
}

func TestAFileIsFormedAndSentOnce(t *testing.T) {
	t.Parallel()
	const n = 330 // more than one message takes
	r := released(t, n)
	r.Hold(3)
	d := filing(r, r.Files, r.Table())
	b := drive(t, r, d)
	if b.State != batch.Submitted || b.Lines.Count != n-1 || r.Sends != 1 || b.SentAt.IsZero() {
		t.Fatalf("%s, %d lines, %d sends", b.State, b.Lines.Count, r.Sends)
	}
	if p := r.Payout(3); p.State != payout.Due {
		t.Errorf("a flag does not hold the money: %s", p.State)
	}
	full, err := batch.Full(t.Context(), r.Store, r.Box, b)
	if err != nil || len(full) != n-1 {
		t.Fatal(err)
	}
	for _, l := range full {
		p, err := payout.ByReference(t.Context(), r.Store, l.Reference)
		if c, _ := p.Current(); err != nil || p.State != payout.InFile || c.File != b.ID || c.Line != l.Number || c.Payee != l.Payee {
			t.Fatalf("line %d and its payout do not agree: %v", l.Number, err)
		}
	}
	// X058: sent again it is nothing, and a late message is nothing.
	for range 2 {
		if err := pay.Handle(d)(t.Context(), fileMessage("file1")); err != nil || r.Sends != 1 {
			t.Errorf("%d sends, %v", r.Sends, err)
		}
	}
}

// between runs something before the first transaction that takes a page.
type between struct {
	table.Store
	do func()
}

func (b *between) Transact(ctx context.Context, writes ...table.Write) error {
	if b.do != nil && len(writes) > 8 {
		do := b.do
		b.do = nil
		do()
	}
	return b.Store.Transact(ctx, writes...)
}

// TestWhoMovesMeanwhileWaitsOn: the others of the page go, with lines without gaps.
func TestWhoMovesMeanwhileWaitsOn(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*batchtest.Room){
		"somebody is held": func(r *batchtest.Room) { r.Hold(2) },
		"two are held":     func(r *batchtest.Room) { r.Hold(0); r.Hold(4) },
	} {
		r := released(t, 10)
		s := &between{Store: r.Table()}
		s.do = func() { do(r) }
		b := drive(t, r, filing(r, r.Files, s))
		held := 0
		for i := range 10 {
			if r.Head(i).Held() {
				held++
				if r.Payout(i).State != payout.Due {
					t.Errorf("%s: it left all the same", name)
				}
			}
		}
		if held == 0 || b.Lines.Count != 10-held || b.State != batch.Submitted {
			t.Errorf("%s: %s with %d lines", name, b.State, b.Lines.Count)
		}
		if _, err := batch.Full(t.Context(), r.Store, r.Box, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Whoever takes the file itself meanwhile goes on with it.
	r := released(t, 3)
	s := &between{Store: r.Table()}
	s.do = func() { drive(t, r, filing(r, r.Files, r.Table())) }
	if b := drive(t, r, filing(r, r.Files, s)); b.State != batch.Submitted || b.Lines.Count != 3 || r.Sends != 1 {
		t.Errorf("two at once: %s, %d lines, %d sends", b.State, b.Lines.Count, r.Sends)
	}
}

func pull(t *testing.T, r *batchtest.Room, b brake.Brake) {
	t.Helper()
	b, err := brake.New(b, event.Actor{Kind: event.Staff, ID: "supervisor-1", Person: "b1.s"}, r.Now())
	if err == nil {
		var board brake.Board
		if board, err = brake.Read(t.Context(), r.Store, "x"); err == nil {
			err = brake.Commit(t.Context(), r.Store, board, b, b.Event("pulled", b.Pulled.By, r.Now()))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestABrakeStopsAFile(t *testing.T) {
	t.Parallel()
	r := released(t, 4)
	pull(t, r, brake.Brake{ID: "b", Kind: brake.Division, Division: batchtest.Townships[0], Townships: []civil.DivisionCode{batchtest.Townships[0]}, Reason: "audit"})
	d := filing(r, r.Files, r.Table())
	b := drive(t, r, d)
	if b.State != batch.Ready || b.Lines.Count != 2 || r.Sends != 0 || b.Next.IsZero() {
		t.Fatalf("%s, %d lines, %d sends", b.State, b.Lines.Count, r.Sends)
	}
	r.Wait(2 * brake.Alone)
	if b := drive(t, r, d); b.State != batch.Submitted || r.Sends != 1 {
		t.Errorf("what was stopped does not go on: %s", b.State)
	}
}

// alone is a store in which what somebody else wrote is in the way of every page.
type alone struct {
	table.Store
	times int
}

func (a *alone) Transact(ctx context.Context, writes ...table.Write) error {
	if len(writes) > 5 && a.times > 0 {
		a.times--
		return &table.ConditionError{Failures: []table.Failure{{Key: table.Key{PK: "SOMETHING", SK: "ELSE"}}}}
	}
	return a.Store.Transact(ctx, writes...)
}

// TestAPageThatNothingIsToldOf: what kept it out is none of its lines, so none of
// them is taken, and whoever was passed over waits for another file.
func TestAPageThatNothingIsToldOf(t *testing.T) {
	t.Parallel()
	r := released(t, 3)
	b := drive(t, r, filing(r, r.Files, &alone{Store: r.Table(), times: 100}))
	if b.State != batch.Empty || b.Lines.Count != 0 || r.Sends != 0 {
		t.Errorf("%s with %d lines, %d sends", b.State, b.Lines.Count, r.Sends)
	}
	for i := range 3 {
		if p := r.Payout(i); p.State != payout.Due || len(p.Attempts) != 0 {
			t.Errorf("%s after %d attempts", p.State, len(p.Attempts))
		}
	}
	r.Release(r.Propose("file2"))
	if err := pay.Handle(filing(r, r.Files, r.Table()))(t.Context(), fileMessage("file2")); err != nil || r.Batch("file2").Lines.Count != 3 {
		t.Errorf("%d lines, %v", r.Batch("file2").Lines.Count, err)
	}
}

// refusing is a bank that takes no file from us, and says something to operators.
type refusing struct {
	rail.Files
	said rail.FileSaid
}

func (f refusing) Send(_ context.Context, id string, _ []byte) rail.FileSaid {
	f.said.File = id
	return f.said
}

// TestWhatTheBankSaysOfAFileAtOnce calls somebody where somebody is needed; that it
// failed is never concluded.
func TestWhatTheBankSaysOfAFileAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said  rail.FileSaid
		state batch.State
		alarm string
	}{
		"our keys":       {rail.FileSaid{Word: payout.Refused, Alarm: "keys"}, batch.Unknown, "keys"},
		"no money":       {rail.FileSaid{Word: payout.Short}, batch.Unknown, batch.AlarmShort},
		"something else": {rail.FileSaid{Word: payout.Conflict}, batch.Frozen, batch.AlarmFrozen},
	} {
		r := released(t, 2)
		b := drive(t, r, filing(r, refusing{r.Files, c.said}, r.Table()))
		if b.State != c.state || b.Next.IsZero() || r.Codes[c.alarm] != 1 || r.Payout(0).State != payout.InFile || r.Payout(1).State != payout.InFile {
			t.Errorf("%s: %s, alarms %v, %s", name, b.State, r.Codes, r.Payout(0).State)
		}
	}
}

// choosy is a rail that cannot write one line, or no file, or is full.
type choosy struct {
	rail.Files
	line, encode error
	shut         bool
}

func (c choosy) Line(o rail.Order) (string, error) {
	if c.line != nil && o.Reference == payout.Reference(batchtest.ID(1), "01", 1) {
		return "", c.line
	}
	return c.Files.Line(o)
}

func (c choosy) Encode(f rail.FileOrder) ([]byte, error) {
	if c.encode != nil {
		return nil, c.encode
	}
	return c.Files.Encode(f)
}

func (c choosy) Admit(context.Context, rail.Call) (bool, error) { return !c.shut, nil }

func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := released(t, 3)
	b := drive(t, r, filing(r, choosy{Files: r.Files, line: filerail.ErrLine}, r.Table()))
	if b.State != batch.Submitted || b.Lines.Count != 2 || r.Codes[batch.AlarmLine] == 0 || r.Payout(1).State != payout.Due {
		t.Errorf("one line: %s, %d lines, alarms %v", b.State, b.Lines.Count, r.Codes)
	}
	r = released(t, 3)
	b = drive(t, r, filing(r, choosy{Files: r.Files, encode: filerail.ErrLine}, r.Table()))
	if b.State != batch.Rejecting || r.Sends != 0 || r.Codes[batch.AlarmLine] != 1 {
		t.Errorf("no file: %s, %d sends", b.State, r.Sends)
	}
	broken := errors.New("broken")
	for _, c := range []choosy{{Files: r.Files, encode: broken}, {Files: r.Files, line: broken}} {
		r := released(t, 3)
		c.Files = r.Files
		var err error
		for range 4 {
			if err = pay.Handle(filing(r, c, r.Table()))(t.Context(), fileMessage("file1")); err != nil {
				break
			}
		}
		if !errors.Is(err, broken) || r.Sends != 0 {
			t.Errorf("%v, %d sends", err, r.Sends)
		}
	}
	r = released(t, 2)
	if b := drive(t, r, filing(r, choosy{Files: r.Files, shut: true}, r.Table())); b.State != batch.Ready || r.Sends != 0 {
		t.Errorf("not admitted: %s, %d sends", b.State, r.Sends)
	}
}

func TestFilesThatAreNotForPay(t *testing.T) {
	t.Parallel()
	r := released(t, 1)
	if b := drive(t, r, filing(r, nil, r.Table())); b.State != batch.Filling {
		t.Errorf("not in use: %s", b.State)
	}
	if err := pay.Handle(filing(r, r.Files, r.Table()))(t.Context(), fileMessage("none")); !errors.Is(err, batch.ErrNotFound) {
		t.Error(err)
	}
	r.Hold(0)
	if b := drive(t, r, filing(r, r.Files, r.Table())); b.State != batch.Empty {
		t.Errorf("of nobody: %s", b.State)
	}
	// A payout that waits for a file is not sent by itself.
	r = released(t, 1)
	k := payout.Key(batchtest.ID(0), "01")
	d := filing(r, r.Files, r.Table())
	if err := pay.Handle(d)(t.Context(), queue.Message{ID: "m", Body: work.Message{PK: k.PK, SK: k.SK}.Encode()}); err != nil || r.Payout(0).State != payout.Due {
		t.Error(err, r.Payout(0).State)
	}
}

// failing is a store that answers nothing from the nth call on, once.
type failing struct {
	table.Store
	left int
}

var errStore = errors.New("the store is away")

func (f *failing) gone() bool { f.left--; return f.left == 0 }

func (f *failing) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if f.gone() {
		return table.Item{}, false, errStore
	}
	return f.Store.Get(ctx, k)
}

func (f *failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if f.gone() {
		return table.Page{}, errStore
	}
	return f.Store.Query(ctx, q)
}

func (f *failing) Transact(ctx context.Context, w ...table.Write) error {
	if f.gone() {
		return errStore
	}
	return f.Store.Transact(ctx, w...)
}

// TestEveryCallToTheStoreMayFail: the message comes back, and the file goes on from
// where it was; it is never sent twice by itself.
func TestEveryCallToTheStoreMayFail(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		r := released(t, 2)
		s := &failing{Store: r.Table(), left: n}
		d, failed := filing(r, r.Files, s), 0
		for range 12 {
			if err := pay.Handle(d)(t.Context(), fileMessage("file1")); err != nil {
				failed++
			}
		}
		b := r.Batch("file1")
		if b.State != batch.Submitted && b.State != batch.Sending || r.Sends != 1 && failed == 0 || r.Sends > 1 || b.Lines.Count > 2 {
			t.Errorf("call %d: %s, %d lines, %d sends, %d errors", n, b.State, b.Lines.Count, r.Sends, failed)
		}
		if s.left > 0 {
			return
		}
	}
}
