// Package bankfile is the form of the files with which an agent bank pays many
// people at once (代发文件), and of the files with which it says what became of
// each (回盘文件). A form is data, a Layout: which fields stand where, between
// what, in which character set, with which totals and digest. Everything is read
// strictly: a file is understood to the last byte or refused.
//
// It refuses to know awards, payouts and HTTP, and it concludes nothing: a word
// or code that the layout does not name is unknown, and never a failure.
package bankfile

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/doudi-aid/doudi/shared/outside"
)

// MaxLines is the most payees that one file may have.
const MaxLines = 50_000

// MaxBytes is the most that a file of either kind may weigh.
const MaxBytes = 24 << 20

// Status is what a return file says of one line.
type Status string

// The statuses.
const (
	Paid       Status = "paid"       // the money is in the account
	Failed     Status = "failed"     // it is not and will not be
	Returned   Status = "returned"   // it was, and has come back (退票)
	Processing Status = "processing" // not done yet
	Unclear    Status = ""           // a word that the layout does not name
)

// Statuses lists what a layout may call by a word of the bank's.
func Statuses() []Status { return []Status{Paid, Failed, Returned, Processing} }

// Codes lists the reasons that we know, in the words of package bank.
func Codes() []string {
	return []string{"ACCOUNT_CLOSED", "ACCOUNT_FROZEN", "ACCOUNT_NOT_FOUND", "NAME_MISMATCH", "NOT_ACTIVATED", "OVER_LIMIT", "PAYEE_DECEASED"}
}

// Layout is the form of one bank's files. It is read from data and never changes
// under its name: files sent long ago must still be read.
type Layout struct {
	Name   string
	Source string // where the form comes from, and whether the bank confirmed it

	charset   encoding.Encoding // nil is UTF-8
	newline   string
	separator string
	yuan      bool // amounts in yuan with two decimals, else in whole fen
	stamp     string
	order     form
	back      form
	statuses  map[string]Status // the bank's word to ours
	codes     map[string]string // the bank's code to ours; "" is no reason
}

// form is the columns of the first line, of one payee and of the last line.
type form struct{ header, line, trailer []string }

// The columns by name. "tag:X" is the constant X.
const (
	colFile       = "file"
	colAgreement  = "agreement"
	colEdition    = "edition"
	colTime       = "time"
	colSeq        = "seq"
	colReference  = "reference"
	colName       = "name"
	colAccount    = "account"
	colAmount     = "amount"
	colPurpose    = "purpose"
	colStatus     = "status"
	colCode       = "code"
	colBankRef    = "bank_reference"
	colDigest     = "digest"
	colCount      = "count"
	colTotal      = "total"
	tag           = "tag:"
	lineFeed      = "\n"
	carriage      = "\r\n"
	digestSHA256  = "sha-256"
	longestColumn = 200 // characters
)

// totals are the columns that count and sum what the lines say, by status; ""
// is all of them.
var totals = map[string]Status{"paid": Paid, "failed": Failed, "returned": Returned}

// totalOf is what a column counts (sum false) or sums.
func totalOf(column string) (of Status, sum, ok bool) {
	switch column {
	case colCount:
		return "", false, true
	case colTotal:
		return "", true, true
	}
	if name, is := strings.CutSuffix(column, "_count"); is {
		of, ok = totals[name]
		return of, false, ok
	}
	if name, is := strings.CutSuffix(column, "_total"); is {
		of, ok = totals[name]
		return of, true, ok
	}
	return "", false, false
}

// allowed are the columns that may stand in each part, totals apart; required are
// those that must.
var allowed = map[string][]string{
	"order.header":   {colFile, colAgreement, colTime},
	"order.line":     {colSeq, colReference, colName, colAccount, colAmount, colPurpose},
	"order.trailer":  {colDigest},
	"return.header":  {colFile, colAgreement, colEdition, colTime},
	"return.line":    {colSeq, colReference, colName, colAccount, colAmount, colStatus, colCode, colTime, colBankRef},
	"return.trailer": {colDigest},
}

var required = map[string][]string{
	"order.header":   {colFile, colAgreement, colTime},
	"order.line":     {colSeq, colReference, colName, colAccount, colAmount},
	"order.trailer":  {colDigest, colCount, colTotal},
	"return.header":  {colFile, colAgreement, colEdition, colTime},
	"return.line":    {colSeq, colReference, colName, colAccount, colAmount, colStatus, colCode},
	"return.trailer": {colDigest, colCount, colTotal, "paid_count", "paid_total", "failed_count", "failed_total", "returned_count", "returned_total"},
}

//go:embed layouts/*.json
var shipped embed.FS

// ErrLayout: no layout of that name is shipped, or one is not well made.
var ErrLayout = errors.New("bankfile: layout")

// Shipped is the layout of that name.
func Shipped(name string) (*Layout, error) {
	if !nameForm.MatchString(name) {
		return nil, fmt.Errorf("%w: %q is no name", ErrLayout, name)
	}
	raw, err := shipped.ReadFile("layouts/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("%w: none is called %q", ErrLayout, name)
	}
	return ParseLayout(raw)
}

// Names lists the layouts that are shipped.
func Names() []string {
	entries, _ := shipped.ReadDir("layouts") // embedded: it is there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	tagForm  = regexp.MustCompile(`^[0-9A-Za-z]{1,16}$`)
	wordForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,16}$`)
)

// ParseLayout reads a layout strictly and names everything wrong with it.
func ParseLayout(raw []byte) (*Layout, error) {
	o, err := outside.Object(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	var wrong []error
	bad := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%w: "+format, append([]any{ErrLayout}, args...)...))
	}
	take := func(o map[string]json.RawMessage, key string, out any) {
		if _, there := o[key]; !there {
			bad("%s is missing", key)
		} else if err := outside.Take(o, key, out); err != nil {
			bad("%s has the wrong type", key)
		}
	}
	l := &Layout{}
	var charset, newline, amount, digest string
	var order, back json.RawMessage
	take(o, "name", &l.Name)
	take(o, "source", &l.Source)
	take(o, "encoding", &charset)
	take(o, "newline", &newline)
	take(o, "separator", &l.separator)
	take(o, "amount", &amount)
	take(o, "date", &l.stamp)
	take(o, "digest", &digest)
	take(o, "order", &order)
	take(o, "return", &back)
	take(o, "statuses", &l.statuses)
	take(o, "codes", &l.codes)
	for key := range o {
		bad("unknown key %q", key)
	}
	if !nameForm.MatchString(l.Name) {
		bad("name must be 1 to 32 of a-z, 0-9 and -")
	}
	if l.Source == "" {
		bad("source is empty")
	}
	switch charset {
	case "utf-8":
	case "gb18030":
		l.charset = simplifiedchinese.GB18030
	default:
		bad("encoding must be utf-8 or gb18030")
	}
	if l.newline = map[string]string{"lf": lineFeed, "crlf": carriage}[newline]; l.newline == "" {
		bad("newline must be lf or crlf")
	}
	if len(l.separator) != 1 || !strings.Contains("|,;^~\t", l.separator) {
		bad("separator must be one of | , ; ^ ~ and tab")
	}
	if l.yuan = amount == "yuan"; !l.yuan && amount != "fen" {
		bad("amount must be yuan or fen")
	}
	if digest != digestSHA256 {
		bad("digest must be sha-256")
	}
	// A form of the time that loses seconds, or means different moments, is none.
	at := time.Date(2026, 11, 22, 13, 4, 5, 0, china)
	if back, err := time.ParseInLocation(l.stamp, at.Format(l.stamp), china); err != nil || !back.Equal(at) || strings.Contains(at.Format(l.stamp), l.separator) {
		bad("date does not keep a time to the second, or holds the separator")
	}
	l.order = l.form("order", order, bad)
	l.back = l.form("return", back, bad)
	seen := map[Status]bool{}
	for word, s := range l.statuses {
		if !wordForm.MatchString(word) || !slices.Contains(Statuses(), s) {
			bad("status %q cannot mean %q", word, s)
		}
		seen[s] = true
	}
	for _, s := range []Status{Paid, Failed, Returned} {
		if !seen[s] {
			bad("no word means %q", s)
		}
	}
	for code, ours := range l.codes {
		if !wordForm.MatchString(code) || ours != "" && !slices.Contains(Codes(), ours) {
			bad("code %q cannot mean %q", code, ours)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return l, nil
}

// china is the zone of the bank's clock. It has had no summer time since 1991.
var china = time.FixedZone("CST", 8*60*60)

func (l *Layout) form(part string, raw json.RawMessage, bad func(string, ...any)) form {
	o, err := outside.Object(raw)
	if err != nil {
		bad("%s is not an object", part)
		return form{}
	}
	var f form
	for name, columns := range map[string]*[]string{"header": &f.header, "line": &f.line, "trailer": &f.trailer} {
		where := part + "." + name
		if outside.Take(o, name, columns) != nil {
			bad("%s must list columns", where)
			continue
		}
		seen := map[string]bool{}
		for i, c := range *columns {
			constant, isTag := strings.CutPrefix(c, tag)
			_, _, isTotal := totalOf(c)
			switch {
			case isTag && (i > 0 || !tagForm.MatchString(constant) || strings.Contains(constant, l.separator)):
				bad("%s: a tag comes first and is 1 to 16 letters and digits", where)
			case isTag:
			case seen[c]:
				bad("%s: %s stands there twice", where, c)
			case isTotal && name == "line", isTotal && part == "order" && c != colCount && c != colTotal:
				bad("%s cannot have %s", where, c)
			case !isTotal && !slices.Contains(allowed[where], c):
				bad("%s cannot have %q", where, c)
			}
			seen[c] = true
		}
		for _, c := range required[where] {
			if !seen[c] {
				bad("%s lacks %s", where, c)
			}
		}
	}
	for key := range o {
		bad("%s: unknown key %q", part, key)
	}
	return f
}
