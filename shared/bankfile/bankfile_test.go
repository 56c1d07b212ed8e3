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
		if l := layout(t, name); !strings.Contains(l.Source, "未经") {
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
