package bankfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
)

var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func layout(t testing.TB, name string) *Layout {
	t.Helper()
	l, err := Shipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func head() Head { return Head{File: ident.Derive("file"), Agreement: "A-1", Time: at} }

// names are what people are called: rare characters of every extension, a middle
// dot, Latin letters, and one of the newest extension.
var names = []string{"欧阳试金", "㛃试", "䶮测", "𬭎试", "𠮷野试", "𬍛测", "𱁬试", "买买提·试验", "Anna Test-Lee", "王\U00031350"}

func line(n int) Line {
	return Line{Seq: n, Reference: ident.Derive("line", fmt.Sprint(n)), Name: civil.StoredName(names[n%len(names)]),
		Account: civil.StoredAccount(fmt.Sprintf("62170000%010d", n)), AmountFen: money.Fen(100_000 + n), Purpose: "临时救助金"}
}

func lines(n int) []Line {
	var all []Line
	for i := range n {
		all = append(all, line(i+1))
	}
	return all
}

func same(a, b Line, purpose bool) bool {
	return a.Seq == b.Seq && a.Reference == b.Reference && a.Name.Reveal() == b.Name.Reveal() && a.Account.Reveal() == b.Account.Reveal() &&
		a.AmountFen == b.AmountFen && (!purpose || a.Purpose == b.Purpose)
}

func TestLayoutsShipped(t *testing.T) {
	t.Parallel()
	if len(Names()) < 2 {
		t.Fatal("no layouts")
	}
	for _, name := range Names() {
		l := layout(t, name)
		if l.Name != name {
			t.Errorf("the file %s calls itself %s", name, l.Name)
		}
		if !strings.Contains(l.Source, "未经") {
			t.Errorf("%s claims a source that nobody confirmed: %s", name, l.Source)
		}
	}
	for _, name := range []string{"", "none-9", "../secret", "Yikatong-1"} {
		if _, err := Shipped(name); !errors.Is(err, ErrLayout) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// What a person must act on in a line is what the bank's code table says.
	for _, c := range Codes() {
		if bank.Meaning(c) != bank.Fix {
			t.Errorf("%s is no reason that a person can set right", c)
		}
	}
}

func TestFilesAreReadBackAsTheyWereMeant(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		l := layout(t, name)
		want := lines(40)
		raw, err := l.Encode(head(), want)
		if err != nil {
			t.Fatal(name, err)
		}
		again, err := l.Encode(head(), want)
		if err != nil || !bytes.Equal(raw, again) {
			t.Errorf("%s: the same file has other bytes: %v", name, err)
		}
		h, got, err := l.Parse(raw)
		if err != nil || !h.Time.Equal(at) || h.File != head().File || h.Agreement != "A-1" {
			t.Fatal(name, h, err)
		}
		for i := range want {
			if !same(want[i], got[i], slices.Contains(l.order.line, colPurpose)) {
				t.Errorf("%s: line %d is another", name, i+1)
			}
		}
	}
}

func TestNationalCharactersAreWrittenAsTheStandardHasThem(t *testing.T) {
	t.Parallel()
	l := layout(t, "yikatong-1")
	x := line(1)
	x.Name = civil.StoredName("䶮𬭎")
	raw, err := l.Encode(head(), []Line{x})
	if err != nil {
		t.Fatal(err)
	}
	want, err := simplifiedchinese.GB18030.NewEncoder().String("䶮𬭎")
	if err != nil || !bytes.Contains(raw, []byte("|"+want+"|")) || !bytes.HasSuffix(raw, []byte("\r\n")) {
		t.Errorf("%q", raw)
	}
	// The second byte of 瓅 is the separator's, and it is one character all the same.
	for r := rune(0x4e00); r < 0x9fff; r++ {
		b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(string(r)))
		if err != nil || b[len(b)-1] != '|' {
			continue
		}
		x.Name = civil.StoredName("张" + string(r))
		raw, err := l.Encode(head(), []Line{x})
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := l.Parse(raw); err != nil || got[0].Name.Reveal() != "张"+string(r) {
			t.Fatalf("%q: %v", r, err)
		}
	}
}

func TestLinesThatCannotStandInAFile(t *testing.T) {
	t.Parallel()
	for name, twist := range map[string]func(*Line){
		"separator in the name": func(x *Line) { x.Name = civil.StoredName("王|试") },
		"line end in the name":  func(x *Line) { x.Name = civil.StoredName("王\r\nD|2") },
		"invisible":             func(x *Line) { x.Name = civil.StoredName("王\u200b试") },
		"not text":              func(x *Line) { x.Name = civil.StoredName("王\xff") },
		"a space that is lost":  func(x *Line) { x.Name = civil.StoredName("王试 ") },
		"too long":              func(x *Line) { x.Purpose = strings.Repeat("救", 201) },
		"not of the set":        func(x *Line) { x.Name = civil.StoredName("王\ue000") },
		"no name":               func(x *Line) { x.Name = civil.Name{} },
		"no account":            func(x *Line) { x.Account = civil.Account{} },
		"no money":              func(x *Line) { x.AmountFen = 0 },
		"too much money":        func(x *Line) { x.AmountFen = money.Max + 1 },
		"no reference":          func(x *Line) { x.Reference = "" },
		"no number":             func(x *Line) { x.Seq = 0 },
		"number too high":       func(x *Line) { x.Seq = MaxLines + 1 },
	} {
		x := line(1)
		twist(&x)
		l := layout(t, "yikatong-1")
		if err := l.CheckLine(x); !errors.Is(err, ErrLine) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := l.Encode(head(), []Line{x}); !errors.Is(err, ErrLine) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := layout(t, "plain-1")
	for name, f := range map[string]func() ([]byte, error){
		"no lines":  func() ([]byte, error) { return l.Encode(head(), nil) },
		"too many":  func() ([]byte, error) { return l.Encode(head(), make([]Line, MaxLines+1)) },
		"a gap":     func() ([]byte, error) { return l.Encode(head(), []Line{line(1), line(3)}) },
		"no id":     func() ([]byte, error) { return l.Encode(Head{Agreement: "A", Time: at}, lines(1)) },
		"agreement": func() ([]byte, error) { h := head(); h.Agreement = "A,1"; return l.Encode(h, lines(1)) },
		"an edition": func() ([]byte, error) {
			h := head()
			h.Edition = 1
			return l.Encode(h, lines(1))
		},
		"return with a bad header": func() ([]byte, error) { return l.EncodeReturn(Head{Agreement: "\n"}, nil) },
		"return with a bad line": func() ([]byte, error) {
			return l.EncodeReturn(head(), []Verdict{{Line: Line{Name: civil.StoredName("a,b")}}})
		},
		"return that overflows": func() ([]byte, error) {
			return l.EncodeReturn(head(), []Verdict{{Line: Line{AmountFen: 1<<63 - 1}}, {Line: Line{AmountFen: 1}}})
		},
	} {
		if _, err := f(); !errors.Is(err, ErrLine) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A count is written in one way only, and is a whole number that every program
// can hold exactly, also one that knows only floating point.
func TestCounts(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]int64{"0": 0, "1": 1, "10": 10, "9007199254740992": 1 << 53} {
		if n, err := natural(cell); err != nil || n != want {
			t.Errorf("%s: %d, %v", cell, n, err)
		}
	}
	for _, cell := range []string{"", "-0", "-1", "+1", "01", "00", "1.0", "1e3", " 1", "9007199254740993", "9223372036854775808"} {
		if n, err := natural(cell); err == nil {
			t.Errorf("%q is %d", cell, n)
		}
	}
}

// An amount is written in one way only, in fen or in yuan with two decimals.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		right map[string]money.Fen
		wrong []string
	}{
		"plain-1":    {map[string]money.Fen{"0": 0, "1": 1, "100001": 100_001}, []string{"", "1.00", "01", "-1", "1,000", "+1", "1e3"}},
		"yikatong-1": {map[string]money.Fen{"0.00": 0, "0.01": 1, "1000.01": 100_001}, []string{"", "1", "1.0", "1.000", "01.00", "-1.00", "+1.00", "1,000.00", "1000.010", ".01", "1000.01元", "１.00"}},
	} {
		l := layout(t, name)
		for cell, want := range c.right {
			if got, err := l.fen(cell); err != nil || got != want || l.amount(want) != cell {
				t.Errorf("%s: %s is %d, %v", name, cell, got, err)
			}
		}
		for _, cell := range c.wrong {
			if got, err := l.fen(cell); err == nil {
				t.Errorf("%s: %q is %d", name, cell, got)
			}
		}
	}
}

// A time is written in one way only, on the bank's clock.
func TestTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		right string
		wrong []string
	}{
		"plain-1":    {"2026-11-22T16:00:00+08:00", []string{"2026-11-22T08:00:00Z", "2026-11-22T16:00:00.5+08:00", "2026-11-22T17:00:00+09:00", "2026-11-22"}},
		"yikatong-1": {"20261122160000", []string{"20261122160000.5", "20260230000000", "20261122240000", "2026-11-22"}},
	} {
		l := layout(t, name)
		var v value
		if err := l.take(&v, colTime, c.right); err != nil || !v.head.Time.Equal(at) {
			t.Errorf("%s: %s is %v, %v", name, c.right, v.head.Time, err)
		}
		for _, cell := range c.wrong {
			if err := l.take(&value{}, colTime, cell); err == nil {
				t.Errorf("%s: %s is a time", name, cell)
			}
		}
	}
}

// TestFilesOnPaper is a file each way as a bank sees it: the time on its clock,
// each line and each sum once.
func TestFilesOnPaper(t *testing.T) {
	t.Parallel()
	l := layout(t, "plain-1")
	h, two := Head{File: "f1", Agreement: "A-1", Time: at}, []Line{
		{Seq: 1, Reference: "r1", Name: civil.StoredName("王试"), Account: civil.StoredAccount("62170001"), AmountFen: 100},
		{Seq: 2, Reference: "r2", Name: civil.StoredName("李试"), Account: civil.StoredAccount("62170002"), AmountFen: 20}}
	raw, err := l.Encode(h, two)
	want := "f1,A-1,2026-11-22T16:00:00+08:00\n1,62170001,王试,100,r1\n2,62170002,李试,20,r2\n"
	if want += "TOTAL,120,2," + sha([]byte(want)) + "\n"; err != nil || string(raw) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, raw, want)
	}
	h.Edition = 1
	raw, err = l.EncodeReturn(h, []Verdict{{Line: two[0], Status: Paid, At: at, BankReference: "B1"}, {Line: two[1]}}) // of one nobody knows
	want = "f1,A-1,1,2026-11-22T16:00:00+08:00\nr1,1,paid,,100,62170001,王试,B1,2026-11-22T16:00:00+08:00\nr2,2,Z9,,20,62170002,李试,,\n"
	if want += "TOTAL,120,2,100,1,0,0,0,0," + sha([]byte(want)) + "\n"; err != nil || string(raw) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, raw, want)
	}
	if r, err := l.ParseReturn(raw); err != nil || r.Lines[0].Status != Paid || r.Lines[1].Status != Unclear {
		t.Errorf("%+v, %v", r.Lines, err)
	}
}

// Whoever must look at a refused file is told which line it is.
func TestErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	l := layout(t, "plain-1")
	unread, unwritten := lines(2), lines(2)
	unread[1].AmountFen, unwritten[1].Name = 0, civil.StoredName("王,试")
	twice := verdicts(2)
	twice[1].Line = twice[0].Line
	jump := returned(t, l, verdicts(2)) // whose second line has no number
	jump = retell(l, jump, true, func(rows []string) []string {
		rows[2] = strings.Replace(rows[2], ",2,", ",0,", 1)
		return rows
	})
	s := newSums()
	rows := []value{{line: Verdict{Line: line(1)}}, {line: Verdict{Line: line(3)}}}
	for _, r := range rows {
		if err := s.add("", r.line.AmountFen); err != nil {
			t.Fatal(err)
		}
	}
	gap, err := l.write(l.order, head(), s, slices.Values(rows))
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"line 2 is numbered 3":       func() error { _, err := l.Encode(head(), []Line{line(1), line(3)}); return err },
		"line 2: bankfile: not a":    func() error { _, err := l.Encode(head(), unread); return err },
		"line 2: name holds":         func() error { _, err := l.Encode(head(), unwritten); return err },
		"line 2 has another number":  func() error { _, _, err := l.Parse(gap); return err },
		"line 2 is about a payment":  func() error { _, err := l.ParseReturn(returned(t, l, twice)); return err },
		"line 2: seq: not as the la": func() error { _, err := l.ParseReturn(jump); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What cannot be seen is refused at both ends of each range of it, and what
// stands next to it is not.
func TestWhatCanBeSeen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"王\x1f试": false, "王 试": true, "王~试": true, "王\x7f试": false, "王\u0080试": false, "王\u009f试": false, "王\u00a0试": true,
		"王\u00ac试": true, "王\u00ad试": false, "王\u00ae试": true, "王ÿ试": true, "王Ā试": true, "王\ufffd试": false, "王\u2028试": false, "王\u2029试": false,
		"王\u200b试": false, "王\ufeff试": false, "\u00a0王试": false, "王试 ": false, "王\xff": false,
		strings.Repeat("试", longestColumn): true, strings.Repeat("试", longestColumn+1): false,
	} {
		if plain(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// GB 18030 has codes that nobody gave a meaning. A file that has one would not be
// written the same again, and is not read at all.
func TestCodesWithoutACharacter(t *testing.T) {
	t.Parallel()
	l := layout(t, "yikatong-1")
	if text, err := l.decode([]byte("\x84\x31\xa5\x30")); err == nil {
		t.Errorf("%q", text)
	}
	plain := layout(t, "plain-1")
	if text, err := plain.decode(make([]byte, MaxBytes)); err != nil || len(text) != MaxBytes {
		t.Errorf("a file of just the size that it may have: %v", err)
	}
	if _, err := plain.decode(make([]byte, MaxBytes+1)); err == nil {
		t.Error("a file that is too large")
	}
}

// A return may speak of nobody yet; an order of nobody is none.
func TestFilesWithoutLines(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		l := layout(t, name)
		if r, err := l.ParseReturn(returned(t, l, nil)); err != nil || len(r.Lines) != 0 || r.Edition != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		raw, err := l.write(l.order, head(), newSums(), func(func(value) bool) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Parse(raw); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What an order says is held to what it says elsewhere, as a return's is.
func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	l := layout(t, "yikatong-1")
	write := func(seqs ...int) []byte {
		s, rows := newSums(), []value{}
		for _, n := range seqs {
			x := line(n)
			if err := s.add("", x.AmountFen); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, value{line: Verdict{Line: x}})
		}
		raw, err := l.write(l.order, head(), s, slices.Values(rows))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if _, got, err := l.Parse(write(1, 2, 3)); err != nil || len(got) != 3 {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"a gap": write(1, 3), "from two": write(2, 3), "the other way": write(2, 1), "twice": write(1, 1)} {
		if _, _, err := l.Parse(raw); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	seqs := make([]int, MaxLines+1)
	for i := range seqs {
		seqs[i] = min(i+1, MaxLines) // each line may stand there, and there is one too many
	}
	if _, _, err := l.Parse(write(seqs...)); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "too few or too many") {
		t.Errorf("a line too many: %v", err)
	}
}

func verdicts(n int) []Verdict {
	var all []Verdict
	for i, x := range lines(n) {
		x.Purpose = ""
		v := Verdict{Line: x, Status: Paid, At: at.Add(time.Hour), BankReference: fmt.Sprintf("B%06d", i)}
		switch i % 5 {
		case 1:
			v.Status, v.Code = Failed, "NAME_MISMATCH"
		case 2:
			v.Status, v.Code = Returned, "ACCOUNT_CLOSED"
		case 3:
			v.Status, v.At = Processing, time.Time{}
		}
		all = append(all, v)
	}
	return all
}

func returned(t testing.TB, l *Layout, v []Verdict) []byte {
	t.Helper()
	h := head()
	h.Edition = 1
	raw, err := l.EncodeReturn(h, v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestReturnsAreRead(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		l := layout(t, name)
		want := verdicts(23)
		slices.Reverse(want) // in whatever order the bank likes
		r, err := l.ParseReturn(returned(t, l, want))
		if err != nil || r.Edition != 1 || r.File != head().File || len(r.Digest) != 64 || len(r.Lines) != len(want) {
			t.Fatal(name, r.Head, err)
		}
		for i, v := range r.Lines {
			w := want[i]
			if !same(v.Line, w.Line, false) || v.Status != w.Status || v.Code != w.Code || v.Foreign != "" || !v.At.Equal(w.At) || v.BankReference != w.BankReference {
				t.Errorf("%s: line %d: %s %s, want %s %s", name, i+1, v.Status, v.Code, w.Status, w.Code)
			}
		}
	}
}

func TestWordsThatNobodyNamedAreUnclear(t *testing.T) {
	t.Parallel()
	l := layout(t, "yikatong-1")
	v := verdicts(2)
	v[0].Status, v[1].Foreign = Unclear, "9999"
	r, err := l.ParseReturn(returned(t, l, v))
	if err != nil || r.Lines[0].Status != Unclear || r.Lines[1].Code != "" || r.Lines[1].Foreign != "9999" {
		t.Errorf("%+v %v", r.Lines, err)
	}
}

// retell is raw with one row changed, and with a digest that fits again when fix.
func retell(l *Layout, raw []byte, fix bool, change func(rows []string) []string) []byte {
	text, err := l.decode(raw)
	if err != nil {
		panic(err)
	}
	rows := change(strings.Split(strings.TrimSuffix(text, l.newline), l.newline))
	if fix {
		body := strings.Join(rows[:len(rows)-1], l.newline) + l.newline
		cells := strings.Split(rows[len(rows)-1], l.separator)
		cells[slices.Index(l.back.trailer, colDigest)] = digestOf(l, body)
		rows[len(rows)-1] = strings.Join(cells, l.separator)
	}
	out := strings.Join(rows, l.newline) + l.newline
	if l.charset != nil {
		out, err = l.charset.NewEncoder().String(out)
		if err != nil {
			panic(err)
		}
	}
	return []byte(out)
}

func digestOf(l *Layout, text string) string {
	raw := []byte(text)
	if l.charset != nil {
		var err error
		if raw, err = l.charset.NewEncoder().Bytes(raw); err != nil {
			panic(err)
		}
	}
	return sha(raw)
}

func TestReturnsThatAreRefused(t *testing.T) {
	t.Parallel()
	cell := func(row, column int, to string) func(*Layout, []string) []string {
		return func(l *Layout, rows []string) []string {
			if row < 0 {
				row += len(rows)
			}
			cells := strings.Split(rows[row], l.separator)
			cells[column] = to
			rows[row] = strings.Join(cells, l.separator)
			return rows
		}
	}
	for name, change := range map[string]func(*Layout, []string) []string{
		"another count":           cell(-1, 1, "24"),
		"another sum":             cell(-1, 2, "1.00"),
		"another paid count":      cell(-1, 3, "8"),
		"another failed sum":      cell(-1, 6, "0.01"),
		"another returned count":  cell(-1, 7, "0"),
		"count in the header":     cell(0, 5, "1"),
		"sum in the header":       cell(0, 6, "1.00"),
		"edition zero":            cell(0, 3, "0"),
		"edition with a zero":     cell(0, 3, "01"),
		"edition minus":           cell(0, 3, "-1"),
		"no file":                 cell(0, 1, ""),
		"a file that is no id":    cell(0, 1, "../x"),
		"no time":                 cell(0, 4, ""),
		"time of another form":    cell(0, 4, "2026-11-22"),
		"a day that is none":      cell(0, 4, "20260230000000"),
		"another tag":             cell(1, 0, "X"),
		"amount without decimals": cell(1, 5, "1000"),
		"amount with a sign":      cell(1, 5, "-1000.01"),
		"amount with a comma":     cell(1, 5, "1,000.01"),
		"amount of nothing":       cell(1, 5, "0.00"),
		"amount beyond all":       cell(1, 5, "99999999999999999999.00"),
		"no account":              cell(1, 4, ""),
		"no name":                 cell(1, 3, ""),
		"number zero":             cell(1, 1, "0"),
		"number beyond all":       cell(1, 1, "50001"),
		"bank number with spaces": cell(1, 9, "a b"),
		"bank number too long":    cell(1, 9, strings.Repeat("1", 41)),
		"word with a space":       cell(1, 6, "S S"),
		"no word":                 cell(1, 6, ""),
		"code with a space":       cell(1, 7, "00 00"),
		"reference that is none":  cell(1, 2, "A"),
		"no reference":            cell(1, 2, ""),
		"a column too long":       cell(1, 3, strings.Repeat("试", longestColumn+1)),
		"duplicate number":        cell(2, 1, "1"),
		"duplicate reference": func(l *Layout, rows []string) []string {
			a, b := strings.Split(rows[1], l.separator), strings.Split(rows[2], l.separator)
			b[2] = a[2]
			rows[2] = strings.Join(b, l.separator)
			return rows
		},
		"a line more":   func(_ *Layout, rows []string) []string { return slices.Insert(rows, 1, rows[1]) },
		"a line less":   func(_ *Layout, rows []string) []string { return slices.Delete(rows, 1, 2) },
		"an empty line": func(_ *Layout, rows []string) []string { return slices.Insert(rows, 1, "") },
		"a column more": func(l *Layout, rows []string) []string { rows[1] += l.separator; return rows },
		"no trailer":    func(_ *Layout, rows []string) []string { return rows[:len(rows)-1] },
		"only a header": func(_ *Layout, rows []string) []string { return rows[:1] },
	} {
		l := layout(t, "yikatong-1")
		raw := returned(t, l, verdicts(23))
		if got := retell(l, raw, true, func(rows []string) []string { return rows }); !bytes.Equal(got, raw) {
			t.Fatal("what is unchanged is changed")
		}
		fix := name != "no trailer" && name != "only a header"
		if _, err := l.ParseReturn(retell(l, raw, fix, func(rows []string) []string { return change(l, rows) })); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range Names() {
		l := layout(t, name)
		raw := returned(t, l, verdicts(9))
		for i := 0; i < len(raw); i += 3 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1
			if _, err := l.ParseReturn(bad); !errors.Is(err, ErrFile) {
				t.Fatalf("%s: byte %d of %d was changed and nobody noticed", name, i, len(raw))
			}
		}
		for name, bad := range map[string][]byte{"nothing": nil, "cut": raw[:len(raw)-1], "more": append(bytes.Clone(raw), '\n'),
			"a mark before it": append([]byte("\xef\xbb\xbf"), raw...), "too large": make([]byte, MaxBytes+1), "not text": {0xff, 0xff, 0xff}} {
			if _, err := l.ParseReturn(bad); !errors.Is(err, ErrFile) {
				t.Errorf("%s: %v", name, err)
			}
			if _, _, err := l.Parse(bad); !errors.Is(err, ErrFile) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := l.Parse(raw); !errors.Is(err, ErrFile) {
			t.Errorf("a return was read as a file of ours: %v", err)
		}
	}
}

// TestErrorsQuoteNothing: a refused file is full of people.
func TestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	l := layout(t, "yikatong-1")
	raw := returned(t, l, verdicts(5))
	for i := 0; i < len(raw); i += 3 {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x11
		_, err := l.ParseReturn(bad)
		for _, secret := range append(names, "621700000") {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Fatalf("%v", err)
			}
		}
	}
}

func TestLayoutsThatAreRefused(t *testing.T) {
	t.Parallel()
	good, err := shipped.ReadFile("layouts/yikatong-1.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, swap := range map[string][2]string{
		"name":                     {`"yikatong-1"`, `"Yi ka"`},
		"no name":                  {`"name": "yikatong-1",`, ``},
		"no source":                {`"source": "社保卡`, `"source": "", "x": "`},
		"unknown key":              {`"name"`, `"extra": 1, "name"`},
		"key twice":                {`"name"`, `"name": "a", "name"`},
		"charset":                  {`gb18030`, `gbk`},
		"line end":                 {`crlf`, `cr`},
		"separator":                {`"separator": "|"`, `"separator": "||"`},
		"separator in the date":    {`"separator": "|"`, `"separator": "2"`},
		"amount":                   {`"amount": "yuan"`, `"amount": "cent"`},
		"amount of another type":   {`"amount": "yuan"`, `"amount": 2`},
		"date that loses the hour": {`20060102150405`, `20060102`},
		"digest":                   {`sha-256`, `md5`},
		"order is no object":       {`"order": {`, `"order": 1, "o": {`},
		"no columns":               {`["tag:T", "count", "total", "digest"]`, `[]`},
		"column twice":             {`"tag:D", "seq", "reference", "name", "account", "amount", "purpose"`, `"tag:D", "seq", "seq", "reference", "name", "account", "amount", "purpose"`},
		"column of elsewhere":      {`"amount", "purpose"]`, `"amount", "digest"]`},
		"column missing":           {`["tag:D", "seq", "reference", "name", "account", "amount", "purpose"]`, `["tag:D", "seq", "reference", "name", "account"]`},
		"total in a line":          {`"amount", "purpose"]`, `"amount", "count"]`},
		"paid in an order":         {`["tag:T", "count", "total", "digest"]`, `["tag:T", "count", "total", "digest", "paid_count"]`},
		"tag in the middle":        {`"tag:H", "file", "agreement", "time"`, `"file", "tag:H", "agreement", "time"`},
		"tag that is none":         {`"tag:T", "count", "total", "digest"`, `"tag:T T", "count", "total", "digest"`},
		"unknown part":             {`"header": ["tag:H", "file", "agreement", "time"`, `"footer": [], "header": ["tag:H", "file", "agreement", "time"`},
		"status":                   {`"P": "processing"`, `"P": "perhaps"`},
		"word that is none":        {`"P": "processing"`, `"P P": "processing"`},
		"nothing means paid":       {`"S": "paid"`, `"S": "processing"`},
		"code":                     {`"2001": "NAME_MISMATCH"`, `"2001": "SORRY"`},
		"code that is none":        {`"2001"`, `"20 01"`},
		"no separator":             {`"separator": "|"`, `"separator": ""`},
		"separator that is a word": {`"separator": "|"`, `"separator": "x"`},
		"tag of 17":                {`"tag:T"`, `"tag:T1234567890123456"`},
		"tag twice":                {`"tag:T", "count"`, `"tag:T", "tag:T", "count"`},
		"failed sum in an order":   {`"tag:T", "count", "total", "digest"]`, `"tag:T", "count", "total", "failed_total", "digest"]`},
		"total of nothing":         {`"returned_total", "digest"`, `"returned_total", "other_total", "digest"`},
		"count of nothing":         {`"returned_total", "digest"`, `"returned_total", "other_count", "digest"`},
		"return lacks a sum":       {`"returned_count", "returned_total", "digest"`, `"returned_count", "digest"`},
		"return lacks the edition": {`"edition", "time"`, `"time"`},
		"columns of another type":  {`["tag:T", "count", "total", "digest"]`, `"count"`},
		"date with the separator":  {`20060102150405`, `20060102|150405`},
	} {
		bad := strings.Replace(string(good), swap[0], swap[1], 1)
		if bad == string(good) {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := ParseLayout([]byte(bad)); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseLayout([]byte(`{"name":"x"`)); !errors.Is(err, ErrLayout) {
		t.Error(err)
	}
	for _, part := range []string{"order.header", "order.line", "order.trailer"} {
		if _, err := ParseLayout([]byte(`{"order":{"header":1,"line":1,"trailer":1}}`)); !strings.Contains(err.Error(), part+" must list columns") {
			t.Errorf("%s is not named: %v", part, err)
		}
	}
	// Everything that is wrong is named at once.
	if _, err := ParseLayout([]byte(`{"name":"!","encoding":"x"}`)); strings.Count(err.Error(), "\n") < 10 {
		t.Errorf("%v", err)
	}
}

// TestAnyFileIsReadBack: whatever people are called and are given.
func TestAnyFileIsReadBack(t *testing.T) {
	t.Parallel()
	all := Names()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(all).Draw(t, "layout")
		l, err := Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		var in []Verdict
		for i := range rapid.IntRange(1, 12).Draw(t, "lines") {
			called := rapid.StringMatching(`[\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{20000}-\x{3134f}·A-Za-z]{1,12}`).Draw(t, "name")
			v := Verdict{Line: Line{Seq: i + 1, Reference: ident.Derive(fmt.Sprint(i)), Name: civil.StoredName(called),
				Account:   civil.StoredAccount(rapid.StringMatching(`[0-9]{8,32}`).Draw(t, "account")),
				AmountFen: money.Fen(rapid.Int64Range(1, int64(money.Max)).Draw(t, "amount"))},
				Status: rapid.SampledFrom(append(Statuses(), Unclear)).Draw(t, "status")}
			if v.Status == Failed || v.Status == Returned {
				v.Code = rapid.SampledFrom(Codes()).Draw(t, "code")
			}
			in = append(in, v)
		}
		h := head()
		h.Edition = rapid.IntRange(1, 99).Draw(t, "edition")
		raw, err := l.EncodeReturn(h, in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.ParseReturn(raw)
		if err != nil || out.Edition != h.Edition || len(out.Lines) != len(in) {
			t.Fatal(err)
		}
		for i := range in {
			if !same(in[i].Line, out.Lines[i].Line, false) || in[i].Status != out.Lines[i].Status || in[i].Code != out.Lines[i].Code {
				t.Fatalf("line %d is another", i+1)
			}
		}
		want := slices.Collect(func(yield func(Line) bool) {
			for _, v := range in {
				if !yield(v.Line) {
					return
				}
			}
		})
		if raw, err = l.Encode(head(), want); err != nil {
			t.Fatal(err)
		}
		if _, back, err := l.Parse(raw); err != nil || len(back) != len(want) {
			t.Fatal(err)
		}
	})
}

// TestAFullFile: as many people as one file may pay.
func TestAFullFile(t *testing.T) {
	t.Parallel()
	l := layout(t, "yikatong-1")
	raw, err := l.Encode(head(), lines(MaxLines))
	if err != nil {
		t.Fatal(err)
	}
	h, back, err := l.Parse(raw)
	if err != nil || len(back) != MaxLines || h.File != head().File {
		t.Fatal(len(back), err)
	}
}

func FuzzParseReturn(f *testing.F) {
	for _, name := range Names() {
		l := layout(f, name)
		f.Add(name, returned(f, l, verdicts(7)))
		raw, err := l.Encode(head(), lines(3))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, raw)
	}
	f.Add("yikatong-1", []byte("H|x\r\nT|0\r\n"))
	f.Add("plain-1", []byte("a,b,1,2026-11-22T16:00:00+08:00\nTOTAL,0,0,0,0,0,0,0,0,x\n"))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		l, err := Shipped(name)
		if err != nil {
			return
		}
		r, err := l.ParseReturn(raw)
		if err != nil {
			return
		}
		// What was read says the same when it is written again.
		again, err := l.ParseReturn(raw)
		if err != nil || len(again.Lines) != len(r.Lines) || r.Edition < 1 {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for _, v := range r.Lines {
			if seen[v.Seq] || !v.AmountFen.Payable() {
				t.Fatalf("line %d", v.Seq)
			}
			seen[v.Seq] = true
		}
	})
}

func FuzzParseLayout(f *testing.F) {
	for _, name := range Names() {
		raw, err := shipped.ReadFile("layouts/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"order":{"header":["tag:"]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ParseLayout(raw)
		if err != nil {
			return
		}
		// Whatever was accepted can carry a file there and back.
		file, err := l.Encode(Head{File: "f", Agreement: "A", Time: at}, lines(2))
		if err != nil {
			t.Fatal(err)
		}
		if _, back, err := l.Parse(file); err != nil || len(back) != 2 {
			t.Fatal(err)
		}
		if len(l.codes) > 1000 || len(slices.Collect(maps.Keys(l.statuses))) == 0 {
			t.Fatal("no words")
		}
	})
}
