package bankfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// Head is the first line of a file. Edition is 0 in a file of ours, and in a
// return file 1 for the first and one more each time the bank restates it.
type Head struct {
	File      string // our permanent id
	Agreement string
	Edition   int
	Time      time.Time // to the second
}

// Line is one payee of a file.
type Line struct {
	Seq       int    // from 1, without gaps
	Reference string // of the attempt
	Name      civil.Name
	Account   civil.Account
	AmountFen money.Fen
	Purpose   string
}

// Verdict is what a return file says of one line.
type Verdict struct {
	Line
	// Status is the meaning of the bank's word; Unclear when the layout names none.
	Status Status
	// Code is the reason in our words, "" for none. Foreign is the bank's code when
	// the layout does not name it: then nothing is concluded.
	Code, Foreign string
	At            time.Time // zero when the file does not say
	BankReference string    // the bank's own number of the payment
}

// Return is a return file.
type Return struct {
	Head
	Lines  []Verdict
	Digest string // SHA-256 of the whole file, hex
}

// ErrFile: the bytes are not a file of this layout. What else is said names the
// place and quotes nothing.
var ErrFile = errors.New("bankfile: not a file of this layout")

// ErrLine: a line cannot stand in a file of this layout.
var ErrLine = errors.New("bankfile: not a line of this layout")

var (
	idForm   = regexp.MustCompile(`^[0-9a-z]{1,32}$`)
	bankForm = regexp.MustCompile(`^[0-9A-Za-z]{0,40}$`)
)

// value is what one row says, column by column.
type value struct {
	head    Head
	line    Verdict
	status  string // the bank's words
	code    string
	numbers map[string]int64 // totals
	digest  string
}

// sums counts and sums lines by status; "" is all of them.
type sums struct {
	count map[Status]int64
	fen   map[Status]money.Fen
}

func newSums() sums { return sums{map[Status]int64{}, map[Status]money.Fen{}} }

func (s sums) add(of Status, fen money.Fen) error {
	for _, k := range slices.Compact([]Status{"", of}) { // once when it is of none
		total, err := s.fen[k].Add(fen)
		if err != nil {
			return err
		}
		s.count[k]++
		s.fen[k] = total
	}
	return nil
}

// CheckLine refuses what could not be written and read back the same: ErrLine.
func (l *Layout) CheckLine(x Line) error {
	text, err := l.row(l.order.line, value{line: Verdict{Line: x}}, sums{})
	if err == nil {
		_, err = l.encode(text)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLine, err)
	}
	return whole(x)
}

// whole refuses a line that lacks anything.
func whole(x Line) error {
	switch {
	case x.Seq < 1 || x.Seq > MaxLines, !idForm.MatchString(x.Reference), !x.AmountFen.Payable(), x.Name.Empty(), x.Account.Empty():
		return fmt.Errorf("%w: number, reference, amount, name or account", ErrLine)
	}
	return nil
}

// Encode is the file that pays lines: the same bytes for the same arguments.
func (l *Layout) Encode(h Head, lines []Line) ([]byte, error) {
	if len(lines) == 0 || len(lines) > MaxLines || !idForm.MatchString(h.File) || h.Edition != 0 {
		return nil, fmt.Errorf("%w: 1 to %d lines and an id", ErrLine, MaxLines)
	}
	s := newSums()
	for i, x := range lines {
		if x.Seq != i+1 {
			return nil, fmt.Errorf("%w: line %d is numbered %d", ErrLine, i+1, x.Seq)
		}
		if err := whole(x); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if err := s.add("", x.AmountFen); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLine, err)
		}
	}
	return l.write(l.order, h, s, func(yield func(value) bool) {
		for _, x := range lines {
			if !yield(value{line: Verdict{Line: x}}) {
				return
			}
		}
	})
}

// EncodeReturn is the return file that says verdicts, as a bank writes it: for
// stand-ins and tests.
func (l *Layout) EncodeReturn(h Head, verdicts []Verdict) ([]byte, error) {
	words, codes := map[Status]string{}, map[string]string{}
	for w, s := range l.statuses {
		words[s] = max(words[s], w)
	}
	for c, ours := range l.codes {
		codes[ours] = max(codes[ours], c)
	}
	s := newSums()
	rows := make([]value, 0, len(verdicts))
	for _, v := range verdicts {
		if err := s.add(v.Status, v.AmountFen); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLine, err)
		}
		row := value{line: v, status: words[v.Status], code: codes[v.Code]}
		if v.Foreign != "" {
			row.code = v.Foreign
		}
		if v.Status == Unclear {
			row.status = "Z9"
		}
		rows = append(rows, row)
	}
	return l.write(l.back, h, s, func(yield func(value) bool) {
		for _, r := range rows {
			if !yield(r) {
				return
			}
		}
	})
}

func (l *Layout) write(f form, h Head, s sums, rows func(func(value) bool)) ([]byte, error) {
	var text strings.Builder
	put := func(columns []string, v value) error {
		row, err := l.row(columns, v, s)
		text.WriteString(row)
		return err
	}
	if err := put(f.header, value{head: h}); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrLine, err)
	}
	n := 0
	for v := range rows {
		n++
		if err := put(f.line, v); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrLine, n, err)
		}
	}
	raw, err := l.encode(text.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	text.Reset()
	if err := put(f.trailer, value{digest: sha(raw)}); err != nil {
		return nil, fmt.Errorf("%w: trailer: %w", ErrLine, err)
	}
	raw = append(raw, text.String()...) // letters and digits are the same in every character set
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes are too many", ErrLine, len(raw))
	}
	return raw, nil
}

// row is one line of a file as text.
func (l *Layout) row(columns []string, v value, s sums) (string, error) {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(l.separator)
		}
		text := l.column(c, v, s)
		if strings.Contains(text, l.separator) || !plain(text) {
			return "", fmt.Errorf("%s holds the separator or what cannot be printed", c)
		}
		b.WriteString(text)
	}
	b.WriteString(l.newline)
	return b.String(), nil
}

// encode is text in the layout's character set.
func (l *Layout) encode(text string) ([]byte, error) {
	if l.charset == nil {
		return []byte(text), nil
	}
	raw, err := l.charset.NewEncoder().Bytes([]byte(text))
	if err != nil {
		return nil, errNoCharacter
	}
	// Some characters are written as others: a name that comes back as another
	// name is refused here, and not by the bank.
	back, err := l.charset.NewDecoder().Bytes(raw)
	if err != nil || string(back) != text {
		return nil, errNoCharacter
	}
	return raw, nil
}

var errNoCharacter = errors.New("a character that the character set does not have")

// plain reports whether text can stand in a column: nothing invisible, and no
// space at an end, where banks cut it off. Characters that are newer than this
// program's tables, or that somebody's office made itself, are people's names.
func plain(text string) bool {
	return utf8.ValidString(text) && strings.TrimSpace(text) == text && utf8.RuneCountInString(text) <= longestColumn &&
		!strings.ContainsFunc(text, invisible)
}

func invisible(r rune) bool {
	if r < unicode.MaxLatin1 {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xad // quickly, because most of a file is digits
	}
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func (l *Layout) column(c string, v value, s sums) string {
	if constant, is := strings.CutPrefix(c, tag); is {
		return constant
	}
	if of, sum, is := totalOf(c); is {
		if sum {
			return l.amount(s.fen[of])
		}
		return strconv.FormatInt(s.count[of], 10)
	}
	switch c {
	case colFile:
		return v.head.File
	case colAgreement:
		return v.head.Agreement
	case colEdition:
		return strconv.Itoa(v.head.Edition)
	case colTime:
		at := v.head.Time
		if v.line.Seq > 0 {
			at = v.line.At
		}
		if at.IsZero() {
			return ""
		}
		return at.In(china).Format(l.stamp)
	case colSeq:
		return strconv.Itoa(v.line.Seq)
	case colReference:
		return v.line.Reference
	case colName:
		return v.line.Name.Reveal()
	case colAccount:
		return v.line.Account.Reveal()
	case colAmount:
		return l.amount(v.line.AmountFen)
	case colPurpose:
		return v.line.Purpose
	case colStatus:
		return v.status
	case colCode:
		return v.code
	case colBankRef:
		return v.line.BankReference
	default: // the digest; a layout has no other columns
		return v.digest
	}
}

func (l *Layout) amount(f money.Fen) string {
	if l.yuan {
		return f.Yuan()
	}
	return strconv.FormatInt(int64(f), 10)
}

// Parse reads a file of ours back, whole: it is the proof that what was written
// says what was meant. Fault: ErrFile.
func (l *Layout) Parse(raw []byte) (Head, []Line, error) {
	head, rows, err := l.read(l.order, raw)
	if err != nil {
		return Head{}, nil, err
	}
	lines := make([]Line, 0, len(rows))
	for i, v := range rows {
		if v.line.Seq != i+1 {
			return Head{}, nil, fmt.Errorf("%w: line %d has another number", ErrFile, i+1)
		}
		lines = append(lines, v.line.Line)
	}
	if len(lines) == 0 {
		return Head{}, nil, fmt.Errorf("%w: it has no lines", ErrFile)
	}
	return head, lines, nil
}

// ParseReturn reads a return file. A file whose digest, counts or sums are not
// those of its lines, or that speaks of one line twice, is refused as a whole:
// nobody knows which of its lines is wrong. Fault: ErrFile.
func (l *Layout) ParseReturn(raw []byte) (Return, error) {
	head, rows, err := l.read(l.back, raw)
	if err != nil {
		return Return{}, err
	}
	if head.Edition < 1 {
		return Return{}, fmt.Errorf("%w: it has no edition", ErrFile)
	}
	out := Return{Head: head, Lines: make([]Verdict, 0, len(rows))}
	seen, referred := make(map[int]bool, len(rows)), make(map[string]bool, len(rows))
	for i, v := range rows {
		if seen[v.line.Seq] || referred[v.line.Reference] {
			return Return{}, fmt.Errorf("%w: line %d is about a payment that another line is about", ErrFile, i+1)
		}
		seen[v.line.Seq], referred[v.line.Reference] = true, true
		out.Lines = append(out.Lines, v.line)
	}
	out.Digest = sha(raw)
	return out, nil
}

// read is the header and the lines of a file whose digest and totals hold.
func (l *Layout) read(f form, raw []byte) (Head, []value, error) {
	bad := func(where string, err error) (Head, []value, error) {
		return Head{}, nil, fmt.Errorf("%w: %s: %w", ErrFile, where, err)
	}
	text, err := l.decode(raw)
	if err != nil {
		return bad("bytes", err)
	}
	body, ended := strings.CutSuffix(text, l.newline)
	if !ended {
		return bad("end", errors.New("the last line does not end"))
	}
	rows := strings.Split(body, l.newline)
	if len(rows) < 2 || len(rows) > MaxLines+2 {
		return bad("lines", errors.New("too few or too many"))
	}
	first, err := l.cut(f.header, rows[0])
	if err != nil {
		return bad("header", err)
	}
	if !idForm.MatchString(first.head.File) || first.head.Time.IsZero() {
		return bad("header", errors.New("no id or no time"))
	}
	s := newSums()
	lines := make([]value, 0, len(rows))
	for i, row := range rows[1 : len(rows)-1] {
		v, err := l.cut(f.line, row)
		if err == nil {
			err = s.add(v.line.Status, v.line.AmountFen)
		}
		if err != nil {
			return bad("line "+strconv.Itoa(i+1), err)
		}
		lines = append(lines, v)
	}
	tail := rows[len(rows)-1]
	last, err := l.cut(f.trailer, tail)
	if err != nil {
		return bad("trailer", err)
	}
	for _, v := range []value{first, last} {
		for column, n := range v.numbers {
			want, of := int64(0), Status("")
			var sum bool
			if of, sum, _ = totalOf(column); sum {
				want = int64(s.fen[of])
			} else {
				want = s.count[of]
			}
			if n != want {
				return bad(column, errors.New("is not what the lines say"))
			}
		}
	}
	// The trailer is letters and digits alone, as many bytes as characters in
	// every character set: what is before it is what the digest is of.
	before := len(raw) - len(tail) - len(l.newline)
	if last.digest != sha(raw[:before]) {
		return bad("digest", errors.New("is not that of the file"))
	}
	return first.head, lines, nil
}

// decode is the text of a file. What would not be written the same is refused:
// two ways to write one name are two readings of one file.
func (l *Layout) decode(raw []byte) (string, error) {
	if len(raw) > MaxBytes {
		return "", errors.New("too many")
	}
	if l.charset == nil {
		if !utf8.Valid(raw) {
			return "", errors.New("not UTF-8")
		}
		return string(raw), nil
	}
	text, err := l.charset.NewDecoder().Bytes(raw)
	if err != nil {
		return "", errors.New("not of the character set")
	}
	again, err := l.charset.NewEncoder().Bytes(text)
	if err != nil || !bytes.Equal(again, raw) {
		return "", errors.New("not of the character set, or not as it is written")
	}
	return string(text), nil
}

// cut reads one row.
func (l *Layout) cut(columns []string, row string) (value, error) {
	cells := strings.Split(row, l.separator)
	if len(cells) != len(columns) {
		return value{}, errors.New("another number of columns")
	}
	var v value
	for i, c := range columns {
		if err := l.take(&v, c, cells[i]); err != nil {
			return value{}, fmt.Errorf("%s: %w", c, err)
		}
	}
	if v.line.Seq > 0 {
		v.line.At, v.head.Time = v.head.Time, time.Time{}
		return v, l.meaning(&v)
	}
	return v, nil
}

// meaning turns the bank's word and code into ours.
func (l *Layout) meaning(v *value) error {
	x := &v.line
	if !idForm.MatchString(x.Reference) || !x.AmountFen.Payable() || x.Name.Empty() || x.Account.Empty() || x.Seq > MaxLines {
		return errors.New("no number, reference, amount, name or account")
	}
	x.Status = l.statuses[v.status]
	ours, named := l.codes[v.code]
	if x.Code = ours; !named && v.code != "" {
		x.Foreign = v.code
	}
	return nil
}

var errCell = errors.New("not as the layout has it")

func (l *Layout) take(v *value, c, cell string) error {
	if !plain(cell) {
		return errCell
	}
	if constant, is := strings.CutPrefix(c, tag); is {
		if cell != constant {
			return errCell
		}
		return nil
	}
	if _, sum, is := totalOf(c); is {
		if v.numbers == nil {
			v.numbers = map[string]int64{}
		}
		n, err := natural(cell)
		if sum {
			var f money.Fen
			f, err = l.fen(cell)
			n = int64(f)
		}
		v.numbers[c] = n
		return err
	}
	var err error
	switch c {
	case colFile:
		v.head.File = cell
	case colAgreement:
		v.head.Agreement = cell
	case colEdition:
		var n int64
		n, err = natural(cell)
		v.head.Edition = int(n)
	case colTime:
		if cell != "" {
			v.head.Time, err = time.ParseInLocation(l.stamp, cell, china)
			if err != nil || v.head.Time.In(china).Format(l.stamp) != cell {
				return errCell
			}
		}
	case colSeq:
		var n int64
		if n, err = natural(cell); n < 1 {
			err = errCell
		}
		v.line.Seq = int(n)
	case colReference:
		v.line.Reference = cell
	case colName:
		v.line.Name = civil.StoredName(cell)
	case colAccount:
		v.line.Account = civil.StoredAccount(cell)
	case colAmount:
		v.line.AmountFen, err = l.fen(cell)
	case colPurpose:
		v.line.Purpose = cell
	case colStatus:
		if v.status = cell; !wordForm.MatchString(cell) {
			err = errCell
		}
	case colCode:
		if v.code = cell; cell != "" && !wordForm.MatchString(cell) {
			err = errCell
		}
	case colBankRef:
		if v.line.BankReference = cell; !bankForm.MatchString(cell) {
			err = errCell
		}
	default:
		v.digest = cell
	}
	return err
}

// natural reads a count: digits without zeros before them.
func natural(cell string) (int64, error) {
	n, err := strconv.ParseInt(cell, 10, 64)
	if err != nil || n < 0 || n > 1<<53 || strconv.FormatInt(n, 10) != cell {
		return 0, errCell
	}
	return n, nil
}

// fen reads an amount as the layout writes it, and in no other way.
func (l *Layout) fen(cell string) (money.Fen, error) {
	if !l.yuan {
		n, err := natural(cell)
		return money.Fen(n), err
	}
	f, err := money.ParseYuan(cell)
	if err != nil || f.Yuan() != cell {
		return 0, errCell
	}
	return f, nil
}

func sha(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
