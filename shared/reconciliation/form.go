package reconciliation

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

// Limits of one statement.
const (
	MaxBytes = 8 << 20
	MaxLines = 60_000
	// named is how many faults of a file are named one by one.
	named = 20
)

// Sums of a statement need no check: this does not compile when they could overflow.
const _ = MaxLines * money.Max

// Unit is what amounts are written in.
type Unit string

// The units. Each is written in its own way, so that one is never read as the
// other: yuan always with two decimals, fen always without.
const (
	Yuan Unit = "yuan"
	Fen  Unit = "fen"
)

// read reads an amount in u; zero and more than Max are none.
func (u Unit) read(s string) (money.Fen, bool) {
	whole, cents, dot := strings.Cut(s, ".")
	switch u {
	case Yuan:
		if !dot || len(cents) != 2 || (len(whole) > 1 && whole[0] == '0') {
			return 0, false
		}
		f, err := money.ParseYuan(s)
		return f, err == nil
	case Fen:
		if dot || s == "" || strings.Trim(s, "0123456789") != "" || (len(s) > 1 && s[0] == '0') {
			return 0, false
		}
		n, err := strconv.ParseInt(s, 10, 64)
		return money.Fen(n), err == nil
	}
	return 0, false
}

// Write writes an amount in u, as read reads it.
func (u Unit) Write(f money.Fen) string {
	if u == Fen {
		return strconv.FormatInt(int64(f), 10)
	}
	return f.Yuan()
}

// field is what a column says.
type field int

const (
	ignored field = iota
	ourNumber
	theirNumber
	way
	amount
	payeeDigest
	at
	code
	business // what kind of movement
	submitter
)

type column struct {
	name string
	is   field
}

// Layout is how a kind of statement is written.
type Layout struct {
	name    string
	unit    Unit
	columns []column
	mark    string // stands before every value
	clock   string // of time.Parse; in Chinese time unless it says
	out     string // the word for money that leaves
	back    string // the word for money that comes back
	// lead: the file begins with a line that says whose it is, of what day and account.
	lead bool
	// summary names the columns of the closing line, where they are named.
	summary []string
	// ours begins the business of movements that are payments of ours or came
	// back from them. Other money that comes in is funding and no line; other money
	// that goes out is one that we do not know.
	ours string
}

// Name says which layout it is.
func (l Layout) Name() string { return l.name }

// Plain is the layout of docs/bank-line.md:
//
//	#doudi-statement,1,<holder>,<yyyy-mm-dd>
//	reference,number,way,amount_yuan,payee,time,code
//	…
//	#total,<lines out>,<sum out>,<lines back>,<sum back>
func Plain(u Unit) Layout {
	return Layout{name: "plain-" + string(u), unit: u, clock: time.RFC3339, out: string(payout.Out), back: string(payout.Back), lead: true,
		columns: []column{{"reference", ourNumber}, {"number", theirNumber}, {"way", way}, {"amount_" + string(u), amount}, {"payee", payeeDigest},
			{"time", at}, {"code", code}}}
}

// FundFlow is WeChat Pay's 资金账单. Its amounts are in yuan, although those of
// the API are in fen. It names no payee.
func FundFlow() Layout {
	return Layout{name: "fundflow", unit: Yuan, mark: "`", clock: time.DateTime, out: "支出", back: "收入", ours: "商家转账",
		columns: []column{{"记账时间", at}, {"微信支付业务单号", theirNumber}, {"资金流水单号", ignored}, {"业务名称", business}, {"业务类型", ignored},
			{"收支类型", way}, {"收支金额(元)", amount}, {"账户结余(元)", ignored}, {"资金变更提交申请人", submitter}, {"备注", ignored}, {"业务凭证号", ourNumber}},
		summary: []string{"资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"}}
}

var (
	textForm   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z._-]{0,64}$`) })
	digestForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z._-]{1,32}:[0-9a-f]{64}$`) })
	codeForm   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`) })
)

// sheet is one file while it is read.
type sheet struct {
	Source
	day     civil.Day
	bad     fault.Fields
	count   int
	lines   []Line
	outs    int
	backs   int
	all     int
	out, in money.Fen // MaxLines amounts of money.Max fit
}

func (s *sheet) wrong(place int, what, zh string) {
	if s.count++; s.count <= named {
		s.bad.Add("/lines/"+strconv.Itoa(place), what, zh)
	}
}

// Read reads a statement of day strictly: whose it is, every line, and that the
// lines add up to what the file itself declares. Everything that is wrong is
// named, the first twenty lines of it. Nothing of the file is quoted.
func (s Source) Read(raw []byte, day civil.Day) ([]Line, error) {
	sh := &sheet{Source: s, day: day}
	if len(raw) > MaxBytes {
		return nil, ErrTooLarge
	}
	if !utf8.Valid(raw) {
		return nil, ErrUnreadable.With(fault.Field{Pointer: "/charset", Code: "utf-8", Detail: "文件不是UTF-8编码。"})
	}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	if !strings.HasSuffix(text, "\n") {
		sh.bad.Add("/end", "truncated", "文件不完整：最后一行没有结束。")
	}
	rows := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := range rows {
		rows[i] = strings.TrimSuffix(rows[i], "\r")
	}
	sh.read(rows)
	if len(sh.bad) > 0 {
		if sh.count > named {
			sh.bad.Add("/lines", "more", fmt.Sprintf("共有%d处不符合格式。", sh.count))
		}
		return nil, ErrUnreadable.With(sh.bad...)
	}
	return sh.lines, nil
}

func (s *sheet) read(rows []string) {
	first := 0
	if s.Layout.lead {
		first = 1
		if rows[0] != strings.Join([]string{"#doudi-statement", "1", s.Holder, s.day.String()}, ",") {
			s.bad.Add("/lead", "other", "文件首行与本账户、本日期不符：可能是其他单位或其他日期的账单。")
		}
	}
	var names []string
	for _, c := range s.Layout.columns {
		names = append(names, c.name)
	}
	if len(rows) <= first || rows[first] != strings.Join(names, ",") {
		s.bad.Add("/header", "columns", "表头与约定的格式或金额单位不符。")
		return
	}
	tail := 1
	if s.Layout.summary != nil {
		tail = 2
	}
	last := len(rows) - tail
	if last < first+1 {
		s.bad.Add("/total", "required", "缺少合计行，文件可能被截断。")
		return
	}
	if last-first-1 > MaxLines {
		s.bad.Add("/lines", "max", "账单行数超过上限。")
		return
	}
	for i := first + 1; i < last; i++ {
		s.line(i+1, rows[i])
	}
	s.total(rows[last:])
}

// cells cuts a row; the marks before the values must be there.
func (s *sheet) cells(row string) ([]string, bool) {
	cells := strings.Split(row, ",")
	for i, c := range cells {
		value, ok := strings.CutPrefix(c, s.Layout.mark)
		if !ok {
			return nil, false
		}
		cells[i] = value
	}
	return cells, true
}

func (s *sheet) line(place int, row string) {
	cells, ok := s.cells(row)
	if !ok || len(cells) != len(s.Layout.columns) {
		s.wrong(place, "columns", "这一行的列数或标记不符。")
		return
	}
	l := Line{Place: place}
	before := s.count
	ours, foreign := s.Layout.ours == "", false
	for i, c := range s.Layout.columns {
		v := cells[i]
		switch c.is {
		case ourNumber:
			if l.Reference = v; !textForm().MatchString(v) {
				s.wrong(place, c.name, "付款编号格式不符。")
			}
		case theirNumber:
			if l.Number = v; !textForm().MatchString(v) {
				s.wrong(place, c.name, "流水号格式不符。")
			}
		case way:
			if l.Way, ok = map[string]payout.Way{s.Layout.out: payout.Out, s.Layout.back: payout.Back}[v]; !ok {
				s.wrong(place, c.name, "收支方向不符。")
			}
		case amount:
			if l.AmountFen, ok = s.Layout.unit.read(v); !ok || !l.AmountFen.Payable() {
				s.wrong(place, c.name, "金额格式或范围不符。")
			}
		case payeeDigest:
			if l.Payee = v; v != "" && !digestForm().MatchString(v) {
				s.wrong(place, c.name, "收款人校验值格式不符。")
			}
		case at:
			var err error
			if l.At, err = time.ParseInLocation(s.Layout.clock, v, calendar.Zone); err != nil || !within(l.At, s.day, calendar.Zone) {
				s.wrong(place, c.name, "时间格式不符，或者不在账单日期之内。")
			}
		case code:
			if l.Code = v; v != "" && !codeForm().MatchString(v) {
				s.wrong(place, c.name, "原因代码格式不符。")
			}
		case business:
			ours = strings.HasPrefix(v, s.Layout.ours)
		case submitter:
			foreign = !strings.HasPrefix(v, s.Holder)
		}
	}
	if s.count > before {
		return
	}
	if foreign && l.Way == payout.Out {
		s.wrong(place, "submitter", "资金变动不是本商户提交的：可能是其他商户的账单。")
		return
	}
	s.add(l, ours || l.Way == payout.Out)
}

// add counts a movement, and keeps it when it may be a payment of ours.
func (s *sheet) add(l Line, keep bool) {
	s.all++
	if l.Way == payout.Out {
		s.outs++
		s.out += l.AmountFen
	} else {
		s.backs++
		s.in += l.AmountFen
	}
	if keep {
		s.lines = append(s.lines, l)
	}
}

// total holds the lines against what the file declares of itself.
func (s *sheet) total(rows []string) {
	u := s.Layout.unit
	want := []string{"#total", strconv.Itoa(s.outs), u.Write(s.out), strconv.Itoa(s.backs), u.Write(s.in)}
	got := rows[0]
	if s.Layout.summary != nil {
		if rows[0] != strings.Join(s.Layout.summary, ",") {
			s.bad.Add("/total", "columns", "合计行的表头不符，文件可能被截断。")
			return
		}
		want = []string{strconv.Itoa(s.all), strconv.Itoa(s.backs), u.Write(s.in), strconv.Itoa(s.outs), u.Write(s.out)}
		for i := range want {
			want[i] = s.Layout.mark + want[i]
		}
		got = rows[1]
	}
	if s.count == 0 && got != strings.Join(want, ",") {
		s.bad.Add("/total", "sum", "合计与明细不符：文件被截断、被改动或金额单位不符。")
	}
}

// Write writes lines as Read reads them, with funding that came in beside them. It
// is what stands in for the outside, and what a form to fill in is made from.
func (s Source) Write(day civil.Day, lines []Line, funding ...money.Fen) []byte {
	var b bytes.Buffer
	row := func(cells ...string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(s.Layout.mark + c)
		}
		b.WriteByte('\n')
	}
	if s.Layout.lead {
		fmt.Fprintf(&b, "#doudi-statement,1,%s,%s\n", s.Holder, day)
	}
	var names []string
	for _, c := range s.Layout.columns {
		names = append(names, c.name)
	}
	b.WriteString(strings.Join(names, ",") + "\n")
	sums, counts := map[payout.Way]money.Fen{}, map[payout.Way]int{}
	put := func(l Line, what string) {
		sums[l.Way] += l.AmountFen
		counts[l.Way]++
		var cells []string
		for _, c := range s.Layout.columns {
			cells = append(cells, map[field]string{ourNumber: l.Reference, theirNumber: l.Number, amount: s.Layout.unit.Write(l.AmountFen),
				way: map[payout.Way]string{payout.Out: s.Layout.out, payout.Back: s.Layout.back}[l.Way], payeeDigest: l.Payee, code: l.Code,
				at: l.At.In(calendar.Zone).Format(s.Layout.clock), business: what, submitter: s.Holder + "API"}[c.is])
		}
		row(cells...)
	}
	for _, l := range lines {
		put(l, s.Layout.ours)
	}
	for i, f := range funding {
		put(Line{Number: fmt.Sprintf("F%d", i), Way: payout.Back, AmountFen: f, At: day.Start(calendar.Zone)}, "充值")
	}
	u := s.Layout.unit
	outs, backs := strconv.Itoa(counts[payout.Out]), strconv.Itoa(counts[payout.Back])
	if s.Layout.summary != nil {
		b.WriteString(strings.Join(s.Layout.summary, ",") + "\n")
		row(strconv.Itoa(counts[payout.Out]+counts[payout.Back]), backs, u.Write(sums[payout.Back]), outs, u.Write(sums[payout.Out]))
		return b.Bytes()
	}
	row("#total", outs, u.Write(sums[payout.Out]), backs, u.Write(sums[payout.Back]))
	return b.Bytes()
}
