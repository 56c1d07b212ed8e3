package reconciliation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	. "github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
	"github.com/doudi-aid/doudi/shared/table"
)

type line = reconciliation.Line

// three is a hall with three payments at noon, and the truthful lines about them.
func three(t testing.TB) (*Hall, []line) {
	h := New(t)
	var lines []line
	for n := 1; n <= 3; n++ {
		h.Pay(n, award.Bank, At("12:00:00"))
		lines = append(lines, h.Line(n, payout.Out, At("12:00:00")))
	}
	return h, lines
}

func TestACleanDayHasNoBreak(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Pay(4, award.WxPay, At("13:00:00"))
	h.Pay(5, award.Bank, At("13:00:00"))
	h.SendBack(5, At("15:00:00"))
	lines = append(lines, h.Line(5, payout.Out, At("13:00:00")), h.Line(5, payout.Back, At("15:00:00")))
	wallet := h.Line(4, payout.Out, At("13:00:00"))
	wallet.Payee = "" // WeChat's statement names nobody
	for s, of := range map[string][]line{reconciliation.Bank: lines, reconciliation.Treasury: lines, reconciliation.WxPay: {wallet}} {
		source, _ := h.Office.Sources.Find(s)
		r := h.Match(source, Day, of...)
		if len(r.Opened) != 0 || r.Counted.Pairs != len(of) || r.Counted.LinesFen != r.Counted.BookedFen || r.Counted.LinesFen == 0 {
			t.Errorf("%s: B10: %+v", s, r)
		}
	}
}

// Every class is planted, and found exactly once and as that class.
func TestEveryClassIsFoundOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plant func(h *Hall, lines []line) []line
		class reconciliation.Class
		about int // award; 0 for nobody's
		asked bool
	}{
		"one is left out":           {func(_ *Hall, l []line) []line { return l[1:] }, reconciliation.MissingTheirs, 1, false},
		"one is of another amount":  {func(_ *Hall, l []line) []line { l[1].AmountFen++; return l }, reconciliation.Amount, 2, false},
		"one is a hundredth":        {func(_ *Hall, l []line) []line { l[1].AmountFen /= 100; return l }, reconciliation.Amount, 2, false},
		"one went to somebody else": {func(_ *Hall, l []line) []line { l[1].Payee = Payee(9); return l }, reconciliation.Payee, 2, false},
		"one is there twice":        {func(_ *Hall, l []line) []line { return append(l, l[2]) }, reconciliation.Duplicate, 3, false},
		"one is there twice, first with another amount": {func(_ *Hall, l []line) []line {
			other := l[2]
			other.AmountFen++
			return append([]line{other}, l...)
		}, reconciliation.Duplicate, 3, false},
		"one we have not heard of yet": {func(h *Hall, l []line) []line {
			h.Send(4, award.Bank, At("14:00:00"))
			return append(l, h.Line(4, payout.Out, At("14:00:01")))
		}, reconciliation.MissingOurs, 4, true},
		"X062 one that is not ours": {func(_ *Hall, l []line) []line {
			other := l[0]
			other.Reference = strings.Repeat("z", 26)
			return append(l, other)
		}, reconciliation.MissingOurs, 0, false},
		"one came back": {func(h *Hall, l []line) []line { return append(l, h.Line(1, payout.Back, At("16:00:00"))) }, reconciliation.Returned, 1, true},
		"a number in other signs": {func(_ *Hall, l []line) []line {
			other := l[0]
			other.Reference = "FEE-2026"
			return append(l, other)
		}, reconciliation.UnknownNumber, 0, false},
		"money back for a number that is not ours": {func(_ *Hall, l []line) []line {
			other := l[0]
			other.Reference, other.Way = strings.Repeat("z", 26), payout.Back
			return append(l, other)
		}, reconciliation.UnknownNumber, 0, false},
		"X063 booked at 23:59:59": {func(h *Hall, l []line) []line {
			h.Pay(4, award.Bank, At("23:59:59"))
			return l
		}, reconciliation.DateCut, 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, lines := three(t)
			planted := c.plant(h, lines)
			r := h.Match(BankSource, Day, planted...)
			if len(r.Opened) != 1 || r.Opened[0].Class != c.class {
				t.Fatalf("found %+v", r.Opened)
			}
			b := r.Opened[0]
			stored, err := reconciliation.Get(t.Context(), h.Store, b.ID)
			if err != nil || stored.Version != 1 || stored.State != reconciliation.Open || stored.Owner != "finance" {
				t.Errorf("stored %+v, %v", stored, err)
			}
			if c.about == 0 {
				if b.Application != "" || b.Division != Region || b.Columns.Decision != nil {
					t.Errorf("nobody's line is somebody's: %+v", b)
				}
			} else if k := Key(c.about); b.Application != strings.TrimPrefix(k.PK, "APP#") || b.Division != Township ||
				b.Columns.Decision == nil || b.Columns.Decision.AmountFen != Amount(c.about) || len(b.People) != 2 {
				t.Errorf("not about award %d: %+v", c.about, b)
			}
			if (len(r.Asked) == 1) != c.asked {
				t.Errorf("payouts moved: %+v", r.Asked)
			}
			// The same again, also by somebody who was slower: nothing new.
			again := h.Receive(BankSource, Day, planted...)
			if again.Version == 0 || again.Issue != 1 {
				t.Errorf("the same statement is another issue: %+v", again)
			}
			before := len(h.Breaks(BankSource, Day)[c.class])
			if _, _, err := h.Office.Match(t.Context(), again, Settle); err != nil {
				t.Fatal(err)
			}
			if got := h.Breaks(BankSource, Day); len(got[c.class]) != before || before != 1 || len(got) != 1 {
				t.Errorf("looked again, and there are %v", got)
			}
		})
	}
}

// X063: what was booked at the last second of a day is in the next day's
// statement; nobody is alarmed, and nobody has to do anything.
func TestX063TheNextDayExplainsACut(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Pay(4, award.Bank, At("23:59:59"))
	next := Day.AddDays(1)
	cut := h.Line(4, payout.Out, At("23:59:59").Add(3*time.Second))
	if r := h.Match(BankSource, Day, lines...); len(r.Opened) != 1 || r.Opened[0].Class != reconciliation.DateCut {
		t.Fatalf("%+v", r.Opened)
	}
	h.Wait(24 * time.Hour)
	if r := h.Match(BankSource, next, cut); len(r.Opened) != 0 || len(r.Closed) != 1 || r.Counted.Pairs != 1 {
		t.Fatalf("the next day: %+v", r)
	}
	b := h.Breaks(BankSource, Day)[reconciliation.DateCut][0]
	if b.State != reconciliation.Closed || b.Closed.By.Kind != event.System || b.Closed.Evidence == "" {
		t.Errorf("%+v", b)
	}
	open, err := reconciliation.OpenIn(t.Context(), h.Store, Township)
	if err != nil || len(open) != 0 {
		t.Errorf("still listed: %v, %v", open, err)
	}
	// With both statements there from the beginning there is no break at all.
	g, lines := three(t)
	g.Pay(4, award.Bank, At("23:59:59"))
	g.Wait(24 * time.Hour)
	g.Receive(BankSource, next, cut)
	if r := g.Match(BankSource, Day, lines...); len(r.Opened) != 0 || r.Counted.Elsewhere != 1 {
		t.Errorf("both are there: %+v", r)
	}
}

func TestACutThatTheNextDayDoesNotExplain(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Pay(4, award.Bank, At("23:59:59"))
	h.Match(BankSource, Day, lines...)
	h.Wait(24 * time.Hour)
	h.Match(BankSource, Day.AddDays(1))
	got := h.Breaks(BankSource, Day)
	if len(got[reconciliation.MissingTheirs]) != 1 || len(got) != 1 || got[reconciliation.MissingTheirs][0].State != reconciliation.Open {
		t.Fatalf("%+v", got)
	}
	// Days later it is listed after all: it belongs to that break, which two people close.
	h.Wait(72 * time.Hour)
	late := Day.AddDays(4)
	if r := h.Match(BankSource, late, h.Line(4, payout.Out, late.Start(At("12:00:00").Location()).Add(time.Hour))); len(r.Opened) != 0 {
		t.Errorf("a late line is a break of its own: %+v", r.Opened)
	}
	if b := h.Breaks(BankSource, Day)[reconciliation.MissingTheirs][0]; b.Gone == "" || b.State != reconciliation.Open {
		t.Errorf("%+v", b)
	}
}

// A short serial that comes round again, with the same amount, is not the payment
// of long ago.
func TestARecycledNumberIsNoMatch(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Match(BankSource, Day, lines...)
	h.Wait(40 * 24 * time.Hour)
	again := lines[0]
	later := Day.AddDays(40)
	again.At = later.Start(At("12:00:00").Location()).Add(time.Hour)
	if r := h.Match(BankSource, later, again); len(r.Opened) != 1 || r.Opened[0].Class != reconciliation.Duplicate {
		t.Errorf("%+v", r)
	}
	next := Day.AddDays(1)
	again.At = next.Start(At("12:00:00").Location()).Add(time.Hour)
	if r := h.Match(BankSource, next, again); len(r.Opened) != 1 || r.Opened[0].Class != reconciliation.Duplicate {
		t.Errorf("on the next day: %+v", r)
	}
}

// What came back, and whose callback was lost, is found by the statement and goes
// the way of any return. What a person brought is a reason to ask, and no more.
func TestAReturnThatNobodyToldUs(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	lines = append(lines, h.Line(1, payout.Back, At("16:00:00")))
	h.Match(BankSource, Day, lines...)
	if p := h.Payout(1); p.State != payout.Returned || !p.Next.IsZero() {
		t.Errorf("the money is back at the bank, and the payout is %s", p.State)
	}
	if r := h.Match(BankSource, Day, append(lines, h.Line(2, payout.Back, At("16:30:00")))...); r.Counted.Pairs != 4 || len(r.Opened) != 1 {
		t.Errorf("restated: %+v", r)
	}
	g, lines := three(t)
	raw := BankSource.Write(Day, append(lines, g.Line(1, payout.Back, At("16:00:00"))))
	head, fresh, err := g.Office.Receive(t.Context(), reconciliation.Bank, Day, raw, reconciliation.From{By: Finance})
	if err != nil || !fresh {
		t.Fatal(err)
	}
	if r, _, err := g.Office.Match(t.Context(), head, Settle); err != nil || len(r.Opened) != 1 {
		t.Fatal(r, err)
	}
	if p := g.Payout(1); p.State != payout.Paid || p.Next.After(g.Now()) || p.Next.IsZero() {
		t.Errorf("a file that somebody brought moved money: %s, asked at %v", p.State, p.Next)
	}
}

func TestARestatedStatement(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	first := h.Receive(BankSource, Day, lines[1:]...)
	if _, _, err := h.Office.Match(t.Context(), first, Settle); err != nil {
		t.Fatal(err)
	}
	b := h.Breaks(BankSource, Day)[reconciliation.MissingTheirs][0]
	second := h.Receive(BankSource, Day, lines...)
	if second.Issue != 2 || second.Standing != reconciliation.Received {
		t.Fatalf("%+v", second)
	}
	if _, moved, err := h.Office.Match(t.Context(), first, Settle); !errors.Is(err, reconciliation.ErrMovedOn) || moved {
		t.Errorf("the superseded one was held against our books: %v", err)
	}
	if _, _, err := h.Office.Match(t.Context(), second, Settle); err != nil {
		t.Fatal(err)
	}
	after, err := reconciliation.Get(t.Context(), h.Store, b.ID)
	if err != nil || after.State != reconciliation.Open || after.Gone != second.Digest {
		t.Errorf("a restatement closed a break by itself, or says nothing: %+v", after)
	}
	for _, head := range []reconciliation.Head{first, second} {
		if raw, err := h.Office.Content(t.Context(), head); err != nil || reconciliation.Digest(raw) != head.Digest {
			t.Errorf("issue %d is not kept: %v", head.Issue, err)
		}
	}
}

func TestStatementsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	good := string(BankSource.Write(Day, lines))
	fen := reconciliation.BankSource("A-1", reconciliation.Fen)
	other := reconciliation.BankSource("A-2", reconciliation.Yuan)
	for name, c := range map[string]struct {
		raw    string
		source string
		want   error
	}{
		"cut off in a line":          {good[:len(good)/2], reconciliation.Bank, reconciliation.ErrUnreadable},
		"cut off after a line":       {good[:strings.LastIndex(good, "#total")], reconciliation.Bank, reconciliation.ErrUnreadable},
		"a line taken out":           {strings.Replace(good, good[strings.Index(good, "\n"+lines[0].Reference)+1:strings.Index(good, lines[1].Reference)], "", 1), reconciliation.Bank, reconciliation.ErrUnreadable},
		"another amount in the file": {strings.Replace(good, ",1007.01,", ",1007.02,", 1), reconciliation.Bank, reconciliation.ErrUnreadable},
		"fen where yuan is agreed":   {string(fen.Write(Day, lines)), reconciliation.Bank, reconciliation.ErrUnreadable},
		"fen under yuan's heading":   {strings.ReplaceAll(string(fen.Write(Day, lines)), "amount_fen", "amount_yuan"), reconciliation.Bank, reconciliation.ErrUnreadable},
		"another merchant's":         {string(other.Write(Day, lines)), reconciliation.Bank, reconciliation.ErrUnreadable},
		"another day's":              {string(BankSource.Write(Day.AddDays(-1), nil)), reconciliation.Bank, reconciliation.ErrUnreadable},
		"lines of another day":       {string(BankSource.Write(Day, []line{h.Line(1, payout.Out, At("12:00:00").Add(24*time.Hour))})), reconciliation.Bank, reconciliation.ErrUnreadable},
		"no charset":                 {good + "\xff\xfe\n", reconciliation.Bank, reconciliation.ErrUnreadable},
		"too large":                  {strings.Repeat("x", reconciliation.MaxBytes+1), reconciliation.Bank, reconciliation.ErrTooLarge},
		"no such account":            {good, "casino", reconciliation.ErrSource},
		"empty":                      {"", reconciliation.Bank, reconciliation.ErrUnreadable},
	} {
		if name == "another amount in the file" && strings.Replace(good, ",1007.01,", ",1007.02,", 1) == good {
			t.Fatal("nothing was changed")
		}
		_, fresh, err := h.Office.Receive(t.Context(), c.source, Day, []byte(c.raw), reconciliation.From{By: Settle, Verified: true})
		if !errors.Is(err, c.want) || fresh {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, reconciliation.ErrUnreadable) && len(fault.Of(err).Fields) == 0 {
			t.Errorf("%s: nothing is named", name)
		}
	}
	for name, day := range map[string]int{"today": 1, "tomorrow": 2, "long ago": -400} {
		if _, _, err := h.Office.Receive(t.Context(), reconciliation.Bank, Day.AddDays(day), []byte(good), reconciliation.From{By: Settle}); !errors.Is(err, reconciliation.ErrDay) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if head, err := reconciliation.Statement(t.Context(), h.Store, reconciliation.Bank, Day); err != nil || head.Believed() {
		t.Errorf("believed: %+v, %v", head, err)
	}
}

// K21 and X060 for what is kept: bytes that were changed in the store are not believed.
func TestBytesChangedInTheStore(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	head := h.Receive(BankSource, Day, lines...)
	page, err := h.Store.Query(t.Context(), table.Query{PK: reconciliation.StatementKey(reconciliation.Bank, Day).PK}.Prefix("CHUNK#"))
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	item := page.Items[0]
	item.Version++
	item.Body[len(item.Body)-1] ^= 1
	if err := h.Store.Transact(context.Background(), table.Replace{Item: item}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Office.Match(t.Context(), head, Settle); err == nil {
		t.Error("changed bytes were believed")
	}
}
