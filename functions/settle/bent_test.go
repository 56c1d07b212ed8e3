package settle_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/batch/batchtest"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// bent is the bank's line for files, where a test bends what is heard on it.
type bent struct {
	rail.Files
	admit func() (bool, error)
	query func(*rail.FileSaid)
	fetch func([]byte) ([]byte, bool)
	read  func(*rail.Report) error
}

func (o bent) Admit(ctx context.Context, c rail.Call) (bool, error) {
	if o.admit != nil {
		return o.admit()
	}
	return o.Files.Admit(ctx, c)
}

func (o bent) Query(ctx context.Context, id string) rail.FileSaid {
	said := o.Files.Query(ctx, id)
	if o.query != nil {
		o.query(&said)
	}
	return said
}

func (o bent) Fetch(ctx context.Context, id string, edition int) ([]byte, bool) {
	raw, ok := o.Files.Fetch(ctx, id, edition)
	if ok && o.fetch != nil {
		return o.fetch(raw)
	}
	return raw, ok
}

func (o bent) Read(layout string, raw []byte) (rail.Report, error) {
	report, err := o.Files.Read(layout, raw)
	if err == nil && o.read != nil {
		err = o.read(&report)
	}
	return report, err
}

var errBroken = errors.New("broken")

func settling(r *batchtest.Room, files rail.Files, t table.Store) queue.Handler {
	return settle.Handle(settle.Deps{Table: t, Box: r.Box, Files: files, Now: r.Now, Metrics: r, Log: r.Logger()})
}

func about(k table.Key) queue.Message {
	return queue.Message{ID: "m", Body: work.Message{PK: k.PK, SK: k.SK}.Encode(), Attempt: 1}
}

// atTheBank is a room whose file the bank has, and is to be asked about now.
func atTheBank(t *testing.T, n int) *batchtest.Room {
	t.Helper()
	r := batchtest.New(t, n, "", nil)
	r.Wait(time.Minute)
	r.Release(r.Propose("file1"))
	pays := filing(r)[work.Pay]
	for range 20 {
		if b := r.Batch("file1"); b.Asks() {
			r.Wait(b.Next.Sub(r.Now()))
			return r
		}
		if err := pays(t.Context(), about(batch.Key("file1"))); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("the bank does not have it: %s", r.Batch("file1").State)
	return nil
}

// right lets the bank be heard as it speaks, and everybody must be paid, once.
func right(t *testing.T, r *batchtest.Room, n int, name string) {
	t.Helper()
	if !r.Rest(r.Now().Add(3*time.Hour), 1000, filing(r)) || r.Batch("file1").State != batch.Settled || states(r, n)[payout.Paid] != n {
		t.Errorf("%s: it never comes right: %s, %v", name, r.Batch("file1").State, states(r, n))
	}
	r.Books(n)
}

// TestAFileThatIsNotAnsweredFor: whatever is heard that is no answer moves no money,
// and the file is asked about again.
func TestAFileThatIsNotAnsweredFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line  bent
		wait  time.Duration
		fails bool   // the message comes back, and nothing was stored
		still bool   // nothing was stored
		alarm string // somebody is called
	}{
		"not admitted":           {line: bent{admit: func() (bool, error) { return false, nil }}, still: true},
		"admission is not known": {line: bent{admit: func() (bool, error) { return false, errBroken }}, fails: true},
		"our keys":               {line: bent{query: func(s *rail.FileSaid) { *s = rail.FileSaid{Word: payout.Silence, File: s.File, Alarm: "keys"} }}, alarm: "keys"},
		"about another file":     {line: bent{query: func(s *rail.FileSaid) { s.File = "file2" }}, fails: true},
		"not to be fetched":      {line: bent{fetch: func([]byte) ([]byte, bool) { return nil, false }}},
		"not to be fetched for long": {line: bent{fetch: func([]byte) ([]byte, bool) { return nil, false }},
			wait: batch.Unresolved, alarm: batch.AlarmUnresolved},
		"nothing can be read": {line: bent{read: func(*rail.Report) error { return errBroken }}, fails: true},
	} {
		r := atTheBank(t, 2)
		r.Wait(c.wait)
		before := r.Batch("file1")
		c.line.Files = r.Files
		err := settling(r, c.line, r.Table())(t.Context(), about(batch.Key("file1")))
		b := r.Batch("file1")
		if (err != nil) != c.fails || (b.Version == before.Version) != (c.fails || c.still) {
			t.Errorf("%s: %v, %d versions more", name, err, b.Version-before.Version)
		}
		if !b.Asks() || b.Edition != 0 || len(b.Parked) != 0 || states(r, 2)[payout.InFile] != 2 {
			t.Errorf("%s: %s, edition %d, %v", name, b.State, b.Edition, states(r, 2))
		}
		if b.Version != before.Version && !b.Next.After(r.Now()) {
			t.Errorf("%s: it is asked again at once", name)
		}
		if c.alarm != "" && r.Codes[c.alarm] != 1 || c.alarm == "" && len(r.Codes) != 0 {
			t.Errorf("%s: alarms %v", name, r.Codes)
		}
		right(t, r, 2, name)
	}
}

// TestAReturnFileThatIsParkedAlready: whoever died after it was parked, or parks it
// a second time, keeps it once and goes on.
func TestAReturnFileThatIsParkedAlready(t *testing.T) {
	t.Parallel()
	r := atTheBank(t, 2)
	line := bent{Files: r.Files, read: func(report *rail.Report) error { report.File = "file2"; return nil }}
	raw, ok := r.Files.Fetch(t.Context(), "file1", 1)
	if !ok {
		t.Fatal("no return file")
	}
	first, err := batch.Parked{File: "file1", Digest: batch.Digest(raw), Chunks: 1, Bytes: len(raw), Reason: "FIRST", At: r.Now()}.Write()
	if err == nil {
		err = r.Store.Transact(t.Context(), first)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := settling(r, line, r.Table())(t.Context(), about(batch.Key("file1"))); err != nil {
		t.Fatal(err)
	}
	page, err := r.Store.Query(t.Context(), table.Query{PK: batch.ParkedList()})
	if err != nil || len(page.Items) != 1 || !strings.Contains(string(page.Items[0].Body), "FIRST") {
		t.Errorf("parked %d, %v", len(page.Items), err)
	}
	if b := r.Batch("file1"); len(b.Parked) != 1 || b.Code != "RETURN_NOT_OURS" || r.Codes[batch.AlarmReturn] != 1 || states(r, 2)[payout.InFile] != 2 {
		t.Errorf("%+v, alarms %v, %v", b, r.Codes, states(r, 2))
	}
}

// returned is a room whose return file is kept and not yet taken in.
func returned(t *testing.T, n int) *batchtest.Room {
	t.Helper()
	r := atTheBank(t, n)
	if err := settling(r, r.Files, r.Table())(t.Context(), about(batch.Key("file1"))); err != nil || r.Batch("file1").State != batch.Applying {
		t.Fatal(r.Batch("file1").State, err)
	}
	return r
}

// TestAKeptReturnFileThatIsDamaged: nothing of it is believed, and nothing moves.
func TestAKeptReturnFileThatIsDamaged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(*testing.T, *batchtest.Room)
		read   func(*rail.Report) error
	}{
		"other bytes": {damage: func(t *testing.T, r *batchtest.Room) {
			page, err := r.Store.Query(t.Context(), table.Query{PK: batch.Partition("file1")})
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				if strings.Contains(item.Key.SK, r.Batch("file1").Taking.Digest) {
					item.Version++
					item.Body[len(item.Body)-1] ^= 1
					if err := r.Store.Transact(t.Context(), table.Replace{Item: item}); err != nil {
						t.Fatal(err)
					}
					return
				}
			}
			t.Fatal("no return file is kept")
		}},
		"not to be read any more": {read: func(*rail.Report) error { return errBroken }},
		"more money than there is": {read: func(report *rail.Report) error {
			for i := range report.Lines {
				report.Lines[i].AmountFen = math.MaxInt64
			}
			return nil
		}},
	} {
		r := returned(t, 2)
		if c.damage != nil {
			c.damage(t, r)
		}
		before := r.Batch("file1").Version
		if err := settling(r, bent{Files: r.Files, read: c.read}, r.Table())(t.Context(), about(batch.Key("file1"))); err == nil {
			t.Errorf("%s: taken in", name)
		}
		if b := r.Batch("file1"); b.Version != before || b.State != batch.Applying || b.Next.IsZero() || states(r, 2)[payout.InFile] != 2 {
			t.Errorf("%s: %s, %v", name, b.State, states(r, 2))
		}
	}
}

// meddled is a store in which somebody moves key just before others do, so often.
type meddled struct {
	table.Store
	key   table.Key
	mu    sync.Mutex
	times int
	do    func()
}

func (m *meddled) Transact(ctx context.Context, writes ...table.Write) error {
	m.mu.Lock()
	ours := false
	for _, w := range writes {
		ours = ours || w.Target() == m.key
	}
	if ours && m.times > 0 {
		m.times--
		m.do()
	}
	m.mu.Unlock()
	return m.Store.Transact(ctx, writes...)
}

// TestTwoTakeInOneFile: whoever comes second leaves it to the first.
func TestTwoTakeInOneFile(t *testing.T) {
	t.Parallel()
	r := returned(t, 3)
	s := &meddled{Store: r.Table(), key: batch.Key("file1"), times: 1, do: func() {
		if err := settling(r, r.Files, r.Store)(t.Context(), about(batch.Key("file1"))); err != nil {
			t.Error(err)
		}
	}}
	if err := settling(r, r.Files, s)(t.Context(), about(batch.Key("file1"))); err != nil || s.times != 0 {
		t.Error(err, s.times)
	}
	if b := r.Batch("file1"); b.State != batch.Settled || b.Edition != 1 || states(r, 3)[payout.Paid] != 3 {
		t.Errorf("%s, edition %d, %v", b.State, b.Edition, states(r, 3))
	}
	r.Books(3)
}

// TestALineThatMovesMeanwhile is taken in as it is then. One that never rests keeps
// its file open: nobody else would ever ask about it.
func TestALineThatMovesMeanwhile(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 1000} {
		r := returned(t, 3)
		key := payout.Key(batchtest.ID(1), "01")
		s := &meddled{Store: r.Table(), key: key, times: times, do: func() {
			item, ok, err := r.Store.Get(t.Context(), key)
			item.Version++
			if err == nil && ok {
				err = r.Store.Transact(t.Context(), table.Replace{Item: item})
			}
			if err != nil {
				t.Error(err)
			}
		}}
		err := settling(r, r.Files, s)(t.Context(), about(batch.Key("file1")))
		if (err != nil) != (times > 1) {
			t.Errorf("moved %d times: %v", times, err)
		}
		if b := r.Batch("file1"); times > 1 && (b.State != batch.Applying || b.Next.IsZero() || r.Payout(1).State != payout.InFile) {
			t.Errorf("a line without an outcome, and its file is %s", b.State)
		}
		right(t, r, 3, "and then")
	}
}

// TestAFileOfMoreThanOneMessage is taken in by parts, and goes on where it was.
func TestAFileOfMoreThanOneMessage(t *testing.T) {
	t.Parallel()
	const n = 505
	r := returned(t, n)
	h := settling(r, r.Files, r.Table())
	if err := h(t.Context(), about(batch.Key("file1"))); err != nil {
		t.Fatal(err)
	}
	b := r.Batch("file1")
	if b.State != batch.Applying {
		t.Fatalf("all at once: %s", b.State)
	}
	pages, err := batch.Pages(t.Context(), r.Store, b, 1, b.Taking.NextPage-1)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, page := range pages {
		done += len(page)
	}
	if b.Taking.NextPage > b.Pages || b.Next.After(r.Now()) || done == n || states(r, n)[payout.Paid] != done {
		t.Fatalf("%s, page %+v of %d, %v", b.State, b.Taking, b.Pages, states(r, n))
	}
	for range b.Pages {
		if r.Batch("file1").State == batch.Settled {
			break
		}
		if err := h(t.Context(), about(batch.Key("file1"))); err != nil {
			t.Fatal(err)
		}
	}
	if b := r.Batch("file1"); b.State != batch.Settled || b.Outcomes[payout.Succeeded].Count != n || states(r, n)[payout.Paid] != n {
		t.Errorf("%s, %v", b.State, states(r, n))
	}
	r.Books(n)
}

// TestAThawedLineThatIsNotAnsweredFor: two people have looked, and the machine asks
// by the file; what is no answer about that very line concludes nothing.
func TestAThawedLineThatIsNotAnsweredFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line  bent
		fails bool
		alarm string
	}{
		"not admitted":           {line: bent{admit: func() (bool, error) { return false, nil }}},
		"admission is not known": {line: bent{admit: func() (bool, error) { return false, errBroken }}, fails: true},
		"our keys":               {line: bent{query: func(s *rail.FileSaid) { *s = rail.FileSaid{Word: payout.Silence, File: s.File, Alarm: "keys"} }}, alarm: "keys"},
		"the bank lost it":       {line: bent{query: func(s *rail.FileSaid) { s.Word = payout.NotFound }}},
		"an older edition":       {line: bent{query: func(s *rail.FileSaid) { s.Edition = 0 }}},
		"not to be fetched":      {line: bent{fetch: func([]byte) ([]byte, bool) { return nil, false }}},
		"other bytes":            {line: bent{fetch: func(raw []byte) ([]byte, bool) { return append(raw, '\n'), true }}},
		"not to be read":         {line: bent{read: func(*rail.Report) error { return errBroken }}},
		"another file's":         {line: bent{read: func(report *rail.Report) error { report.File = "file2"; return nil }}},
		"without that line":      {line: bent{read: func(report *rail.Report) error { report.Lines = nil; return nil }}},
	} {
		r, _ := aFile(t, 2, onFile("file_return", "effect=\"lie\"\nlie=\"line_amount\""), 2)
		n := 0
		if r.Payout(n).State != payout.Frozen {
			n = 1
		}
		r.World.Load(worldOf(t, ""))
		o, err := payout.Step(r.Payout(n), payout.Thaw{First: batchtest.Finance, Second: batchtest.Approver}, batchtest.Approver, r.Now())
		if err == nil {
			err = payout.Commit(t.Context(), r.Store, o)
		}
		if err != nil {
			t.Fatal(err)
		}
		before := r.Payout(n)
		c.line.Files = r.Files
		clear(r.Codes)
		if err := settling(r, c.line, r.Table())(t.Context(), about(payout.Key(batchtest.ID(n), "01"))); (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
		p := r.Payout(n)
		if !p.Asks() || !p.Open || p.Next.IsZero() || (p.Version == before.Version) != c.fails || !c.fails && !p.Next.After(r.Now()) {
			t.Errorf("%s: %s at %d, next %v", name, p.State, p.Version, p.Next)
		}
		if c.alarm != "" && r.Codes[c.alarm] != 1 {
			t.Errorf("%s: alarms %v", name, r.Codes)
		}
		if !r.Rest(r.Now().Add(time.Hour), 1000, filing(r)) || r.Payout(n).State != payout.Paid {
			t.Errorf("%s: asked about by its file, and %s", name, r.Payout(n).State)
		}
		r.Books(2)
	}
}
