package reconciliation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	. "github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
)

var fenSource = reconciliation.BankSource("A-1", reconciliation.Fen)

// forms are all layouts, each under a name.
var forms = map[string]reconciliation.Source{"yuan": BankSource, "fen": fenSource, "treasury": TreasurySource, "wxpay": WalletSource}

func sample() []line {
	noon := At("12:00:00")
	return []line{
		{Reference: "ref1", Number: "S1", Way: payout.Out, AmountFen: 300_000, Payee: Payee(1), At: noon},
		{Reference: "ref2", Number: "S2", Way: payout.Out, AmountFen: 5, Payee: Payee(2), At: noon.Add(time.Hour)},
		{Reference: "ref1", Number: "S3", Way: payout.Back, AmountFen: 300_000, Payee: Payee(1), At: noon.Add(2 * time.Hour), Code: "ACCOUNT_CLOSED"},
	}
}

// What is written is read back, in every layout, funding beside it left out of the
// lines and not out of the sums.
func TestEveryLayoutReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	for name, s := range forms {
		want := sample()
		if name == "wxpay" {
			for i := range want {
				want[i].Payee, want[i].Code = "", ""
			}
		}
		var funding []money.Fen
		if name == "wxpay" {
			funding = []money.Fen{10_000_00, 1}
		}
		got, err := s.Read(s.Write(Day, want, funding...), Day)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %v, %v\n%s", name, got, err, s.Write(Day, want, funding...))
		}
		for i := range want {
			want[i].Place = got[i].Place
			if !got[i].At.Equal(want[i].At) {
				t.Errorf("%s: %v is not %v", name, got[i].At, want[i].At)
			}
			got[i].At = want[i].At
			if got[i] != want[i] {
				t.Errorf("%s: %+v is not %+v", name, got[i], want[i])
			}
		}
		crlf := strings.ReplaceAll("\ufeff"+string(s.Write(Day, want)), "\n", "\r\n")
		if again, err := s.Read([]byte(crlf), Day); err != nil || len(again) != len(want) {
			t.Errorf("%s: as another program writes it: %v", name, err)
		}
		if s.Layout.Name() == "" {
			t.Errorf("%s has no name", name)
		}
	}
}

// B10: yuan is never read as fen, nor fen as yuan, whatever the heading says.
func TestB10UnitsAreToldApart(t *testing.T) {
	t.Parallel()
	yuan, fen := string(BankSource.Write(Day, sample())), string(fenSource.Write(Day, sample()))
	for name, c := range map[string]struct {
		s   reconciliation.Source
		raw string
	}{
		"fen read as yuan":                 {BankSource, fen},
		"yuan read as fen":                 {fenSource, yuan},
		"fen under the heading of yuan":    {BankSource, strings.Replace(fen, "amount_fen", "amount_yuan", 1)},
		"yuan under the heading of fen":    {fenSource, strings.Replace(yuan, "amount_yuan", "amount_fen", 1)},
		"one decimal":                      {BankSource, strings.Replace(yuan, "3000.00", "3000.0", 1)},
		"three decimals":                   {BankSource, strings.Replace(yuan, "3000.00", "3000.000", 1)},
		"a leading zero":                   {BankSource, strings.Replace(yuan, ",3000.00", ",03000.00", 1)},
		"a sign":                           {BankSource, strings.Replace(yuan, ",3000.00", ",+3000.00", 1)},
		"an exponent":                      {BankSource, strings.Replace(yuan, ",3000.00", ",3e3", 1)},
		"nothing":                          {BankSource, strings.Replace(yuan, ",3000.00", ",0.00", 1)},
		"more than there is":               {BankSource, strings.Replace(yuan, ",3000.00", ",99999999999999999999.00", 1)},
		"a fen amount with a leading zero": {fenSource, strings.Replace(fen, ",300000", ",0300000", 1)},
		"WeChat's statement in fen":        {WalletSource, strings.ReplaceAll(string(WalletSource.Write(Day, sample())), "`3000.00", "`300000")},
		"a unit that is none":              {reconciliation.BankSource("A-1", "jiao"), strings.ReplaceAll(yuan, "amount_yuan", "amount_jiao")},
	} {
		if lines, err := c.s.Read([]byte(c.raw), Day); !errors.Is(err, reconciliation.ErrUnreadable) {
			t.Errorf("%s: %v, %v", name, lines, err)
		}
	}
	if lines, err := BankSource.Read([]byte(yuan), Day); err != nil || lines[0].AmountFen != 300_000 {
		t.Errorf("3000.00 yuan are %v, %v", lines, err)
	}
	if reconciliation.Fen.Write(5) != "5" || reconciliation.Yuan.Write(5) != "0.05" {
		t.Error("units write wrongly")
	}
}

// Everything that is wrong is named, and nothing of the file is quoted.
func TestWhatIsWrongWithAStatement(t *testing.T) {
	t.Parallel()
	good := string(BankSource.Write(Day, sample()))
	flow := string(WalletSource.Write(Day, sample(), 100))
	for name, c := range map[string]struct {
		s        reconciliation.Source
		raw      string
		pointers string
	}{
		"no end":                       {BankSource, strings.TrimSuffix(good, "\n"), "/end"},
		"no total":                     {BankSource, good[:strings.Index(good, "#total")], "/total"},
		"only a heading":               {BankSource, strings.Join(strings.SplitN(good, "\n", 3)[:2], "\n") + "\n", "/total"},
		"another account":              {BankSource, strings.Replace(good, "A-1", "A-2", 1), "/lead"},
		"other columns":                {BankSource, strings.Replace(good, "reference,number", "number,reference", 1), "/header"},
		"a column too many":            {BankSource, strings.Replace(good, "ref1,S1", "ref1,S1,x", 1), "/lines/3"},
		"each field of a line":         {BankSource, strings.Replace(good, "ref2,S2,paid,0.05,"+Payee(2), "re f,S 2,lent,5,someone", 1), "/lines/4 /lines/4 /lines/4 /lines/4 /lines/4"},
		"a code nobody writes":         {BankSource, strings.Replace(good, "ACCOUNT_CLOSED", "Konto zu", 1), "/lines/5"},
		"a time of another day":        {BankSource, strings.Replace(good, Day.String()+"T12", Day.AddDays(1).String()+"T12", 1), "/lines/3"},
		"no time":                      {BankSource, strings.Replace(good, Day.String()+"T12:00:00+08:00", "noon", 1), "/lines/3"},
		"WeChat's without marks":       {WalletSource, strings.Replace(flow, "`", "", 1), "/lines/2"},
		"WeChat's of another merchant": {WalletSource, strings.ReplaceAll(flow, "1900000109API", "1900009999API"), "/lines/2 /lines/3"},
		"WeChat's without summary":     {WalletSource, strings.Replace(flow, "资金流水总笔数", "总数", 1), "/total"},
		"WeChat's with another sum":    {WalletSource, strings.Replace(flow, "`3000.05\n", "`3000.06\n", 1), "/total"},
	} {
		_, err := c.s.Read([]byte(c.raw), Day)
		var got []string
		for _, f := range fault.Of(err).Fields {
			got = append(got, f.Pointer)
			if f.Detail == "" || strings.Contains(f.Detail, "ref") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if strings.Join(got, " ") != c.pointers || !errors.Is(err, reconciliation.ErrUnreadable) {
			t.Errorf("%s: %v, want %s", name, got, c.pointers)
		}
	}
	var many []line
	for n := range 40 {
		many = append(many, line{Reference: "a b", Number: fmt.Sprint(n), Way: payout.Out, AmountFen: 1, At: At("12:00:00")})
	}
	if _, err := BankSource.Read(BankSource.Write(Day, many), Day); len(fault.Of(err).Fields) != 21 {
		t.Errorf("forty wrong lines are %d faults", len(fault.Of(err).Fields))
	}
	huge := line{Reference: "r", Number: "1", Way: payout.Out, AmountFen: money.Max, At: At("12:00:00")}
	if lines, err := BankSource.Read(BankSource.Write(Day, []line{huge, huge}), Day); err != nil || len(lines) != 2 {
		t.Errorf("twice the most: %v", err)
	}
}

// A reader of bytes from outside neither panics nor believes what it cannot write
// back.
func FuzzStatement(f *testing.F) {
	for name, s := range forms {
		raw := s.Write(Day, sample(), 100)
		f.Add(name, raw)
		f.Add(name, raw[:len(raw)/2])
		f.Add(name, []byte(strings.ReplaceAll(string(raw), "3000.00", "300000")))
		f.Add(name, append([]byte("\ufeff"), raw...))
		f.Add(name, s.Write(Day, nil))
	}
	f.Add("wxpay", []byte("``,`\n"))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		s, ok := forms[name]
		if !ok {
			return
		}
		lines, err := s.Read(raw, Day)
		if err != nil {
			if strings.Contains(err.Error(), "\ufffd") {
				t.Error("an error quotes the file")
			}
			return
		}
		for _, l := range lines {
			if !l.AmountFen.Payable() || calendar.Today(l.At) != Day || (l.Way != payout.Out && l.Way != payout.Back) {
				t.Errorf("believed %+v", l)
			}
		}
		if again, err := s.Read(s.Write(Day, lines), Day); err != nil || len(again) != len(lines) {
			t.Errorf("what was believed cannot be written: %v", err)
		}
	})
}

// Every line and everything booked on the day is matched or in exactly one break,
// whatever the two sides say.
func TestNothingIsLostInAComparison(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		noon := Day.Start(calendar.Zone).Add(12 * time.Hour)
		page := func(offset int, booked []payout.Booked, name string) reconciliation.Page {
			p := reconciliation.Page{Day: Day.AddDays(offset), Known: rapid.Bool().Draw(t, name+" known") || offset == 0, Booked: booked}
			if !p.Known {
				return p
			}
			for n := range rapid.IntRange(0, 8).Draw(t, name) {
				p.Lines = append(p.Lines, line{Place: n + 1, Reference: fmt.Sprintf("r%d", rapid.IntRange(0, 6).Draw(t, "ref")),
					Way:       rapid.SampledFrom([]payout.Way{payout.Out, payout.Back}).Draw(t, "way"),
					AmountFen: money.Fen(rapid.IntRange(1, 2).Draw(t, "fen")), At: noon.AddDate(0, 0, offset)})
			}
			return p
		}
		book := map[int][]payout.Booked{}
		for n := range 7 {
			offset := rapid.IntRange(-2, 2).Draw(t, "day")
			if offset == 2 || offset == -2 {
				continue // not booked, or long ago
			}
			book[offset] = append(book[offset], payout.Booked{Reference: fmt.Sprintf("r%d", n), Way: payout.Out, AmountFen: 1, At: noon.AddDate(0, 0, offset), Rail: award.Bank})
			if rapid.Bool().Draw(t, "back") {
				book[offset] = append(book[offset], payout.Booked{Reference: fmt.Sprintf("r%d", n), Way: payout.Back, AmountFen: 1, At: noon.AddDate(0, 0, offset), Rail: award.Bank})
			}
		}
		in := reconciliation.Input{Source: BankSource, Earlier: page(-2, nil, "earlier"), Before: page(-1, book[-1], "before"), Day: page(0, book[0], "day"), After: page(1, book[1], "after")}
		r := reconciliation.Compare(in)
		lines, booked := map[int]int{}, map[string]int{}
		for _, p := range r.Pairs {
			lines[p.Line.Place]++
			if p.Day == Day {
				booked[p.Booked.Reference+string(p.Booked.Way)]++
			}
			if p.Line.AmountFen != p.Booked.AmountFen || p.Line.Reference != p.Booked.Reference || p.Line.Way != p.Booked.Way {
				t.Fatalf("matched %+v", p)
			}
		}
		for _, p := range r.Elsewhere {
			booked[p.Booked.Reference+string(p.Booked.Way)]++
		}
		for _, f := range r.Findings {
			if f.Line.Place > 0 {
				lines[f.Line.Place]++
			}
			if f.Booked != nil && f.Class != reconciliation.Duplicate && calendar.Today(f.Booked.At) == Day {
				booked[f.Booked.Reference+string(f.Booked.Way)]++
			}
			if f.Class == "" {
				t.Fatalf("no class: %+v", f)
			}
		}
		for _, l := range in.Day.Lines {
			if lines[l.Place] != 1 {
				t.Fatalf("line %+v is accounted for %d times", l, lines[l.Place])
			}
		}
		for _, b := range in.Day.Booked {
			if booked[b.Reference+string(b.Way)] != 1 {
				t.Fatalf("%s %s is accounted for %d times", b.Reference, b.Way, booked[b.Reference+string(b.Way)])
			}
		}
	})
}
