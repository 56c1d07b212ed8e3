package reconciliation_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	. "github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A statement may be as long as it may be, and no longer; of what is wrong twenty
// places are named, and that there are more.
func TestHowMuchAStatementMayHold(t *testing.T) {
	t.Parallel()
	one := strings.SplitAfter(string(fenSource.Write(Day, []line{{Reference: "r", Number: "1", Way: payout.Out, AmountFen: 1, At: At("12:00:00")}})), "\n")
	full := func(n int) []byte {
		return []byte(one[0] + one[1] + strings.Repeat(one[2], n) + fmt.Sprintf("#total,%d,%d,0,0\n", n, n))
	}
	if got, err := fenSource.Read(full(reconciliation.MaxLines), Day); err != nil || len(got) != reconciliation.MaxLines {
		t.Errorf("as many lines as there may be: %d, %v", len(got), err)
	}
	if _, err := fenSource.Read(full(reconciliation.MaxLines+1), Day); !errors.Is(err, reconciliation.ErrUnreadable) {
		t.Errorf("a line too many: %v", err)
	}
	many := make([]line, 22)
	for n := range many {
		many[n] = line{Reference: "r", Number: fmt.Sprint(n), Way: payout.Out, AmountFen: 1, At: At("12:00:00")}
	}
	for i := range many[:22] {
		many[i].Number = "a b"
	}
	for n, want := range map[int]int{1: 1, 20: 20, 21: 21, 22: 21} {
		if _, err := fenSource.Read(fenSource.Write(Day, many[:n]), Day); len(fault.Of(err).Fields) != want {
			t.Errorf("%d wrong lines are %d faults", n, len(fault.Of(err).Fields))
		}
	}
	// So many bytes are still read, though they are no statement.
	for extra, want := range map[int]error{0: reconciliation.ErrUnreadable, 1: reconciliation.ErrTooLarge} {
		if _, err := fenSource.Read(bytes.Repeat([]byte("x"), reconciliation.MaxBytes+extra), Day); !errors.Is(err, want) {
			t.Errorf("%d bytes too many: %v", extra, err)
		}
	}
	if lines, err := fenSource.Read(fenSource.Write(Day, nil), Day); err != nil || len(lines) != 0 {
		t.Errorf("a day on which nothing moved: %v", err)
	}
	rows := strings.SplitAfter(string(fenSource.Write(Day, nil)), "\n")
	for name, c := range map[string]struct{ raw, code string }{
		"nothing": {"\n", "columns"}, "only a lead": {rows[0], "columns"}, "no total": {rows[0] + rows[1], "required"}, "a total twice": {strings.Join(rows, "") + rows[2], "columns"},
	} {
		_, err := fenSource.Read([]byte(c.raw), Day)
		if fields := fault.Of(err).Fields; !errors.Is(err, reconciliation.ErrUnreadable) || len(fields) == 0 || fields[len(fields)-1].Code != c.code {
			t.Errorf("%s: %+v", name, fields)
		}
	}
}

// What is in a merchant's account beside our payments: funding is no line and is in
// the sums; money that leaves is a line whoever asked for it, unless another
// merchant did, and then the file is theirs.
func TestWhatAMerchantsStatementHolds(t *testing.T) {
	t.Parallel()
	good := string(WalletSource.Write(Day, sample()[:1], 100, 200))
	if lines, err := WalletSource.Read([]byte(good), Day); err != nil || len(lines) != 1 || lines[0].Way != payout.Out {
		t.Fatalf("%v, %v", lines, err)
	}
	rows := strings.Split(good, "\n")
	for name, c := range map[string]struct {
		row      int
		old, new string
		lines    int
	}{
		"money that leaves for something else": {1, "商家转账", "提现", 1},
		"funding by another":                   {2, "1900000109API", "1900009999API", 1},
	} {
		changed := append([]string{}, rows...)
		changed[c.row] = strings.Replace(changed[c.row], c.old, c.new, 1)
		if changed[c.row] == rows[c.row] {
			t.Errorf("%s: %q has no %q", name, rows[c.row], c.old)
			continue
		}
		if lines, err := WalletSource.Read([]byte(strings.Join(changed, "\n")), Day); err != nil || len(lines) != c.lines {
			t.Errorf("%s: %v, %v", name, lines, err)
		}
	}
}

// A statement is of a day that is over, within a year and a day.
func TestOfWhichDaysAStatementMayBe(t *testing.T) {
	t.Parallel()
	h := New(t)
	today := Day.AddDays(1)
	for days, want := range map[int]error{0: reconciliation.ErrDay, -1: nil, -366: nil, -367: reconciliation.ErrDay} {
		day := today.AddDays(days)
		if _, _, err := h.Office.Receive(t.Context(), reconciliation.Bank, day, BankSource.Write(day, nil), reconciliation.From{By: Settle, Verified: true}); !errors.Is(err, want) {
			t.Errorf("%d days: %v", days, err)
		}
	}
}

// A try that brought nothing is followed by another, ever later; what is there
// again is held against our books once more.
func TestTriesAreSpacedOut(t *testing.T) {
	t.Parallel()
	h := New(t, BankSource)
	if _, err := reconciliation.WantAll(t.Context(), h.Store, BankSource, sweeper, h.Now()); err != nil {
		t.Fatal(err)
	}
	h.Wait(24 * time.Hour)
	if n, err := reconciliation.WantAll(t.Context(), h.Store, BankSource, sweeper, h.Now()); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	day := Day.AddDays(1)
	read := func() reconciliation.Head {
		t.Helper()
		head, err := reconciliation.Statement(t.Context(), h.Store, reconciliation.Bank, day)
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	if head := read(); head.Standing != reconciliation.Wanted || !head.Next.Equal(h.Now()) || !head.Asked.Equal(h.Now()) {
		t.Fatalf("%+v", head)
	}
	for n, want := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, time.Hour} {
		if err := read().PutOff(t.Context(), h.Store, "NO_STATEMENT", sweeper, h.Now()); err != nil {
			t.Fatal(err)
		}
		head := read()
		item, _, err := h.Store.Get(t.Context(), reconciliation.StatementKey(reconciliation.Bank, day))
		if due, q, owed := work.Owed(item); err != nil || !owed || q != work.Settle || !due.Equal(head.Next) || head.Next.Sub(h.Now()) != want || head.Tries != n+1 || head.Code != "NO_STATEMENT" {
			t.Errorf("try %d: again after %v, owed %v to %s", n+1, head.Next.Sub(h.Now()), owed, q)
		}
	}
	head := h.Receive(BankSource, day)
	if head.Tries != 0 || head.Code != "" || head.Issue != 1 {
		t.Errorf("%+v", head)
	}
	looked, err := head.Looked(t.Context(), h.Store, sweeper, h.Now())
	if err != nil || looked.Looks != 1 || looked.Standing != reconciliation.Received || looked.Issue != 1 {
		t.Errorf("%+v, %v", looked, err)
	}
	if _, err := head.Looked(t.Context(), h.Store, sweeper, h.Now()); !errors.Is(err, reconciliation.ErrMovedOn) {
		t.Errorf("by somebody who was slower: %v", err)
	}
}

// A day counts as blind when its statement is two hours late, counted from when it
// could be had and from when it was asked for; at two such days payments stop.
func TestFromWhenADayIsBlind(t *testing.T) {
	t.Parallel()
	h := New(t, BankSource)
	if _, err := reconciliation.WantAll(t.Context(), h.Store, BankSource, sweeper, h.Now()); err != nil {
		t.Fatal(err)
	}
	ready := reconciliation.Ready(Day.AddDays(1)) // the first day that is wanted
	blind := func(at time.Time) int {
		t.Helper()
		days, _, err := reconciliation.Blindness(t.Context(), h.Store, reconciliation.Bank, at)
		if err != nil {
			t.Fatal(err)
		}
		return days
	}
	for after, want := range map[time.Duration]int{0: 0, 2*time.Hour - 1: 0, 2 * time.Hour: 1, 26*time.Hour - 1: 1, 26 * time.Hour: 2} {
		if got := blind(ready.Add(after)); got != want {
			t.Errorf("%v after it was to be had: %d days", after, got)
		}
	}
	// It was asked for an hour late: it has two hours from then.
	if err := reconciliation.Want(t.Context(), h.Store, reconciliation.Bank, Day.AddDays(1), sweeper, ready.Add(time.Hour), ready.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]int{3*time.Hour - 1: 0, 3 * time.Hour: 1} {
		if got := blind(ready.Add(after)); got != want {
			t.Errorf("asked late, %v after it was to be had: %d days", after, got)
		}
	}
}

// What two people lifted stays lifted for a day to the moment; what is unknown on
// the treasury's account, came back, or is listed no more stops nothing.
func TestWhatStopsARail(t *testing.T) {
	t.Parallel()
	stranger := func(n int, way payout.Way, reference string) line {
		return line{Reference: reference, Number: fmt.Sprint(n), Way: way, AmountFen: 100, Payee: Payee(9), At: At("12:00:00")}
	}
	three := func(way payout.Way, form string) []line {
		var all []line
		for n := range 3 {
			all = append(all, stranger(n, way, fmt.Sprintf(form, n)))
		}
		return all
	}
	for name, c := range map[string]struct {
		source reconciliation.Source
		lines  []line
		pulls  int
	}{
		"paid, and our books have them not":        {BankSource, three(payout.Out, "zzzzzzzzzzzzzzzzzzzzzzzzz%d"), 2},
		"paid, under numbers that are none":        {BankSource, three(payout.Out, "FEE-%d"), 2},
		"come back, under numbers that are none":   {BankSource, three(payout.Back, "FEE-%d"), 0},
		"on the treasury's account":                {TreasurySource, three(payout.Out, "zzzzzzzzzzzzzzzzzzzzzzzzz%d"), 0},
		"two, which are bearable":                  {BankSource, three(payout.Out, "zzzzzzzzzzzzzzzzzzzzzzzzz%d")[:2], 0},
		"three of the merchant's, that rail alone": {WalletSource, three(payout.Out, "zzzzzzzzzzzzzzzzzzzzzzzzz%d"), 1},
	} {
		h := New(t)
		h.Match(c.source, Day, c.lines...)
		w, err := guard(h, h.Store).Watch(t.Context(), sweeper)
		if err != nil || len(w.Pulled) != c.pulls {
			t.Errorf("%s: %d pulled, %v", name, len(w.Pulled), err)
		}
		n := 0
		for _, open := range w.Open {
			n += open
		}
		if n != len(c.lines) {
			t.Errorf("%s: %d open breaks are counted", name, n)
		}
		h.Wait(time.Hour)
		if w, err := guard(h, h.Store).Watch(t.Context(), sweeper); err != nil || len(w.Oldest) != 1 {
			t.Errorf("%s: ages %v, %v", name, w.Oldest, err)
		} else {
			for class, age := range w.Oldest {
				if age != time.Hour {
					t.Errorf("%s: the oldest %s is %v old", name, class, age)
				}
			}
		}
		// A statement that lists them no more: nothing has to stop for them.
		h.Match(c.source, Day)
		if w, err := guard(h, h.Store).Watch(t.Context(), sweeper); err != nil || len(w.Lifted) != c.pulls {
			t.Errorf("%s: restated without them, %d lifted, %v", name, len(w.Lifted), err)
		}
	}
	h := New(t)
	h.Match(WalletSource, Day, three(payout.Out, "zzzzzzzzzzzzzzzzzzzzzzzzz%d")...)
	w, err := guard(h, h.Store).Watch(t.Context(), sweeper)
	if err != nil || len(w.Pulled) != 1 || w.Pulled[0].Target != string(award.WxPay) {
		t.Fatal(w.Pulled, err)
	}
	asked, err := w.Pulled[0].AskLift(Finance, h.Now())
	if err != nil {
		t.Fatal(err)
	}
	lifted, err := asked.Lift(Supervisor, h.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []brake.Brake{asked, lifted} {
		board, err := brake.Read(t.Context(), h.Store, b.ID)
		if err == nil {
			err = brake.Commit(t.Context(), h.Store, board, b, b.Event("step", event.Actor{Kind: event.Staff, ID: "x", Person: "y"}, h.Now()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		wait  time.Duration
		pulls int
	}{{brake.Again - 1, 0}, {1, 1}} {
		h.Wait(c.wait)
		if w, err := guard(h, h.Store).Watch(t.Context(), sweeper); err != nil || len(w.Pulled) != c.pulls {
			t.Errorf("%v later: %d pulled, %v", c.wait, len(w.Pulled), err)
		}
	}
}

// A payment within an hour of midnight may be in the next day's statement, and
// nobody is alarmed; one a moment before that, or when that statement is there, is
// missing.
func TestHowNearToMidnightACutIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clock string
		next  bool // the next day's statement is there, without it
		want  reconciliation.Class
	}{
		"an hour before":             {"23:00:00", false, reconciliation.DateCut},
		"a second more than that":    {"22:59:59", false, reconciliation.MissingTheirs},
		"an hour before, and judged": {"23:00:00", true, reconciliation.MissingTheirs},
	} {
		h := New(t)
		h.Pay(1, award.Bank, At(c.clock))
		if c.next {
			h.Wait(24 * time.Hour)
			h.Receive(BankSource, Day.AddDays(1))
		}
		if r := h.Match(BankSource, Day); len(r.Opened) != 1 || r.Opened[0].Class != c.want {
			t.Errorf("%s: %+v", name, r.Opened)
		}
	}
}

// What is wrong with a case is believed when two looks saw the same of it: what is
// wrong once, while money moves, is nothing; what never stands still is looked at
// another time.
func TestWhatIsWrongIsLookedAtTwice(t *testing.T) {
	t.Parallel()
	h := books(t)
	head, told := application.Key("app001"), event.Key(application.Key("app001").PK, payout.Noun, "01", 2)
	for name, c := range map[string]struct {
		key   table.Key
		hand  func(look int, item table.Item) (table.Item, bool)
		flaws bool
		busy  bool
	}{
		"nothing": {head, func(_ int, i table.Item) (table.Item, bool) { return i, true }, false, false},
		"a payout that is wrong once": {Key(1), func(look int, i table.Item) (table.Item, bool) {
			if look == 1 {
				i.Version++
			}
			return i, true
		}, false, false},
		"a payout that is wrong":       {Key(1), func(_ int, i table.Item) (table.Item, bool) { i.Version++; return i, true }, true, false},
		"a head that goes on moving":   {head, func(look int, i table.Item) (table.Item, bool) { i.Version += int64(look); return i, true }, false, true},
		"a payout that goes on moving": {Key(1), func(look int, i table.Item) (table.Item, bool) { i.Version += int64(look); return i, true }, false, true},
		"an event that comes and goes": {told, func(look int, i table.Item) (table.Item, bool) {
			if look%2 == 0 {
				i.Version++ // and is wrong when it is there
			}
			return i, look%2 == 0
		}, false, true},
	} {
		look := 0
		store := edited{h.Store, map[table.Key]func(table.Item) (table.Item, bool){c.key: func(i table.Item) (table.Item, bool) { look++; return c.hand(look, i) }}}
		flaws, err := reconciliation.CheckCase(t.Context(), store, "app001")
		if (len(flaws) > 0) != c.flaws || errors.Is(err, table.ErrBusy) != c.busy || err != nil && !c.busy {
			t.Errorf("%s: %+v, %v after %d looks", name, flaws, err, look)
		}
	}
	if flaws, err := reconciliation.CheckCase(t.Context(), h.Store, "nobody"); err != nil || len(flaws) != 0 {
		t.Errorf("a case that is not there: %+v, %v", flaws, err)
	}
}

// The event of a break names what it is about and nothing else; a key is that of a
// break under its own name in its own partition.
func TestWhatTheEventOfABreakSays(t *testing.T) {
	t.Parallel()
	b := reconciliation.Break{ID: "x", Version: 1, Source: reconciliation.Bank, Day: Day, Reference: "r", Award: "01"}
	facts := b.Event("opened", sweeper, At("10:00:00")).Facts
	for name, want := range map[string]bool{"reference": true, "award": true, "rail": false, "application": false, "rule": false, "row": false, "gone": false} {
		if _, told := facts[name]; told != want {
			t.Errorf("%s told: %v", name, told)
		}
	}
	for key, want := range map[table.Key]bool{{PK: "BREAKS#bank#2026-11-23", SK: "BREAK#x"}: true, {PK: "BREAKS#bank#2026-11-23", SK: "EVENT#x"}: false, {PK: "APP#x", SK: "BREAK#x"}: false} {
		if reconciliation.IsBreak(key) != want {
			t.Errorf("%v: %v", key, !want)
		}
	}
	for key, want := range map[table.Key]bool{reconciliation.StatementKey("bank", Day): true, {PK: "STATEMENT#bank#2026-11-23", SK: "CHUNK#1"}: false, {PK: "APP#x", SK: "HEAD"}: false} {
		if reconciliation.IsStatement(key) != want {
			t.Errorf("%v: %v", key, !want)
		}
	}
	// A damaged record, of which nobody knows who proposed it, is agreed to by nobody.
	if _, err := (reconciliation.Break{State: reconciliation.Proposed}).Agree(Second, At("10:00:00")); !errors.Is(err, reconciliation.ErrState) {
		t.Errorf("%v", err)
	}
	// One that was told of before shares of its time were kept is owed to nobody's clock.
	h, _, old := amountBreak(t)
	old.Version, old.Told = old.Version+1, h.Now()
	if err := reconciliation.Commit(t.Context(), h.Store, old, old.Event("x", sweeper, h.Now())); err != nil {
		t.Fatal(err)
	}
	item, _, err := h.Store.Get(t.Context(), mustKey(t, old))
	if _, _, owed := work.Owed(item); err != nil || owed {
		t.Errorf("owed %v, %v", owed, err)
	}
}

// A run that comes to the end of everything says so and since when, and the next one
// begins anew; one whose budget is used up goes on where it stopped.
func TestWhereARunStops(t *testing.T) {
	t.Parallel()
	h := New(t)
	for n := 1; n <= 6; n++ {
		h.Pay(n, award.Bank, At("12:00:00"))
	}
	h.Wait(10 * 24 * time.Hour) // nothing of it is fresh
	began := h.Now()
	found, err := round(h, h.Store, 10_000).Run(t.Context())
	if err != nil || !found.Whole || !found.Since.Equal(began) || found.Cases != 6 || found.Slices < 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	h.Wait(time.Hour)
	second, cases := h.Now(), 0
	for runs := 1; ; runs++ {
		found, err := round(h, h.Store, 60).Run(t.Context())
		if err != nil || runs > 20 || len(found.Flaws) > 0 {
			t.Fatalf("run %d: %+v, %v", runs, found, err)
		}
		cases += found.Cases
		h.Wait(time.Minute)
		if found.Whole {
			if !found.Since.Equal(began) || cases != 6 || runs < 2 {
				t.Errorf("since %v after %d runs and %d cases", found.Since, runs, cases)
			}
			break
		}
	}
	if found, err := round(h, h.Store, 10_000).Run(t.Context()); err != nil || !found.Whole || !found.Since.After(second) || found.Cases != 6 {
		t.Errorf("the next round: %+v, %v", found, err)
	}
}

// What is found of one line keeps nobody from looking at the next, whatever became
// of it: a stranger, a fee, one that nobody had heard of, one that is days late.
func TestOneFindingHidesNoOther(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Send(4, award.Bank, At("14:00:00"))
	stranger, fee := lines[0], lines[0]
	stranger.Reference, fee.Reference = strings.Repeat("z", 26), "FEE-1"
	r := h.Match(BankSource, Day, append([]line{stranger, fee, h.Line(4, payout.Out, At("14:00:01"))}, lines...)...)
	want := map[reconciliation.Class]int{reconciliation.MissingOurs: 2, reconciliation.UnknownNumber: 1}
	if len(r.Opened) != 3 || len(r.Asked) != 1 || fmt.Sprint(r.Counted.Breaks) != fmt.Sprint(want) || r.Counted.Lines != 6 || r.Counted.Booked != 3 || r.Counted.Pairs != 3 {
		t.Errorf("%+v", r)
	}

	h, lines = three(t)
	h.Match(BankSource, Day, lines[1:]...) // the first is missing
	h.Wait(4 * 24 * time.Hour)
	later := Day.AddDays(4)
	at := later.Start(At("12:00:00").Location()).Add(time.Hour)
	fee.At = at
	r = h.Match(BankSource, later, h.Line(1, payout.Out, at), fee)
	if len(r.Opened) != 1 || r.Opened[0].Class != reconciliation.UnknownNumber {
		t.Errorf("beside one that is days late: %+v", r.Opened)
	}
	if b := h.Breaks(BankSource, Day)[reconciliation.MissingTheirs]; len(b) != 1 || b[0].Gone == "" {
		t.Errorf("the one that was missing: %+v", b)
	}
	// It is days late once; listed another time, it is there twice.
	r = h.Match(BankSource, later, h.Line(1, payout.Out, at), h.Line(1, payout.Out, at), fee)
	if len(r.Opened) != 1 || r.Opened[0].Class != reconciliation.Duplicate {
		t.Errorf("twice on a later day: %+v", r.Opened)
	}
}

// What a restatement does not show any more is gone, every one of it, and comes
// again when another shows it; what two people closed stays closed.
func TestWhatComesAndGoesInRestatements(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	opened := h.Match(BankSource, Day, lines[2:]...).Opened
	if len(opened) != 2 {
		t.Fatal(opened)
	}
	read := func(n int) reconciliation.Break {
		t.Helper()
		b, err := reconciliation.Get(t.Context(), h.Store, opened[n].ID)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	h.Match(BankSource, Day, lines...)
	if read(0).Gone == "" || read(1).Gone == "" || read(0).State != reconciliation.Open {
		t.Errorf("both are listed now: %+v %+v", read(0), read(1))
	}
	versions := read(0).Version + read(1).Version
	if _, _, err := h.Office.Match(t.Context(), h.Receive(BankSource, Day, lines...), Settle); err != nil || read(0).Version+read(1).Version != versions {
		t.Errorf("looked at again, and they moved: %v", err)
	}
	first := 0
	if read(0).Reference != lines[0].Reference {
		first = 1
	}
	h.Match(BankSource, Day, lines[1:]...)
	if back, other := read(first), read(1-first); back.Gone != "" || back.State != reconciliation.Open || other.Gone == "" {
		t.Errorf("one is missing again: %+v, and the other %+v", back, other)
	}
	b := read(first)
	proposed, err := b.Propose(reconciliation.Hand{By: Finance, At: h.Now(), Reason: "statement_error", Evidence: strings.Repeat("a", 64)})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := proposed.Agree(Second, h.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []reconciliation.Break{proposed, closed} {
		if err := reconciliation.Commit(t.Context(), h.Store, step, step.Event("step", Finance, h.Now())); err != nil {
			t.Fatal(err)
		}
	}
	h.Match(BankSource, Day, lines...)
	h.Match(BankSource, Day, lines[1:]...)
	if after := read(first); after.Version != closed.Version || after.State != reconciliation.Closed || after.Gone != "" {
		t.Errorf("what two people closed moved: %+v", after)
	}
}

// The next day explains the cuts of the day before and leaves its other breaks alone.
func TestTheNextDayIsAboutCutsOnly(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	h.Pay(4, award.Bank, At("23:59:58"))
	h.Pay(5, award.Bank, At("23:59:59"))
	wrong := append([]line{}, lines[:2]...) // the third is missing
	wrong[0].AmountFen++
	if r := h.Match(BankSource, Day, wrong...); len(r.Opened) != 4 {
		t.Fatalf("%+v", r.Opened)
	}
	h.Wait(24 * time.Hour)
	next := At("23:59:59").Add(time.Hour)
	r := h.Match(BankSource, Day.AddDays(1), h.Line(4, payout.Out, next), h.Line(3, payout.Out, next))
	got := map[string]string{}
	for _, of := range h.Breaks(BankSource, Day) {
		for _, b := range of {
			got[b.Application] = fmt.Sprintf("%s %s %v", b.Class, b.State, b.Gone != "")
		}
	}
	want := map[string]string{"app001": "amount open false", "app003": "missing-theirs open true", "app004": "date-cut closed true", "app005": "missing-theirs open false"}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(r.Closed) != 1 || r.Counted.Pairs != 2 {
		t.Errorf("%v, closed %d", got, len(r.Closed))
	}
}

// A payment that two other days' statements list, the one before it was booked and
// the one after, is there twice.
func TestListedBeforeAndAfterItWasBooked(t *testing.T) {
	t.Parallel()
	h := New(t)
	h.Pay(1, award.Bank, At("12:00:00"))
	h.Receive(BankSource, Day.AddDays(-1), h.Line(1, payout.Out, At("12:00:00").AddDate(0, 0, -1)))
	h.Wait(24 * time.Hour)
	if r := h.Match(BankSource, Day.AddDays(1), h.Line(1, payout.Out, At("12:00:00").AddDate(0, 0, 1))); len(r.Opened) != 1 || r.Opened[0].Class != reconciliation.Duplicate {
		t.Errorf("%+v", r.Opened)
	}
}

// A statement that names no payee is news of the payee we know, and freezes nothing.
func TestNewsWithoutAPayee(t *testing.T) {
	t.Parallel()
	h := New(t)
	h.Send(1, award.WxPay, At("12:00:00"))
	l := h.Line(1, payout.Out, At("12:00:01"))
	l.Payee = ""
	r := h.Match(WalletSource, Day, l)
	if len(r.Asked) != 1 || r.Asked[0].Payout.State == payout.Frozen || len(r.Asked[0].Alarms) != 0 || h.Payout(1).State == payout.Frozen {
		t.Errorf("%+v", r.Asked)
	}
}

// A brake that a person pulled, or took over, is no machine's to lift, and hides none
// that is.
func TestTheMachineLiftsItsOwnBrakesOnly(t *testing.T) {
	t.Parallel()
	h := New(t, BankSource)
	own, err1 := brake.New(brake.Brake{ID: "a", Kind: brake.Division, Division: Township}, Finance, h.Now())
	machines, err2 := brake.NewByMachine(brake.Brake{ID: "b", Kind: brake.Rail, Target: "bank", Division: Region, Reason: brake.Blind}, sweeper, h.Now())
	taken, err3 := machines.Second(Finance, h.Now())
	gone, err4 := brake.NewByMachine(brake.Brake{ID: "c", Kind: brake.Rail, Target: "wxpay", Division: Region, Reason: brake.Blind}, sweeper, h.Now())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	for _, b := range []brake.Brake{own, machines, taken, gone} {
		board, err := brake.Read(t.Context(), h.Store, b.ID)
		if err == nil {
			err = brake.Commit(t.Context(), h.Store, board, b, b.Event("step", Finance, h.Now()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := guard(h, h.Store).Watch(t.Context(), sweeper)
	if err != nil || len(w.Lifted) != 1 || w.Lifted[0].ID != "c" || len(w.Pulled) != 0 {
		t.Errorf("lifted %+v, %v", w.Lifted, err)
	}
}

// What was booked today and yesterday is looked at in every run, and at most so much
// of it that a run ends; what is older waits for its turn.
func TestWhatJustMovedIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	h := New(t)
	for n := 1; n <= 4; n++ {
		h.Pay(n, award.Bank, At("12:00:00"))
	}
	look := func(budget int) int {
		t.Helper()
		r := round(h, h.Store, budget)
		r.Divisions = r.Divisions[:1] // the region, which has no slices and no cases of its own
		found, err := r.Run(t.Context())
		if err != nil || len(found.Flaws) > 0 {
			t.Fatal(found, err)
		}
		return found.Cases
	}
	for budget, want := range map[int]int{25: 2, 37: 3, 38: 4, 1000: 4} { // a case is about 25 items, and twice the budget is the most
		if got := look(budget); got != want {
			t.Errorf("with a budget of %d: %d cases", budget, got)
		}
	}
	h.Wait(13*time.Hour + 54*time.Minute) // a minute to midnight
	if got := look(1000); got != 4 {
		t.Errorf("what was booked yesterday: %d cases", got)
	}
	h.Wait(2 * time.Minute)
	if got := look(1000); got != 0 {
		t.Errorf("what was booked the day before yesterday: %d cases", got)
	}
}

// A slice is looked through when it is not as it was, whatever else is not there, and
// also when somebody's hand left its version alone.
func TestWhichSlicesAreLookedThrough(t *testing.T) {
	t.Parallel()
	h := New(t)
	h.Pay(1, award.Bank, At("12:00:00"))
	look := func(store table.Store) reconciliation.Found {
		t.Helper()
		r := round(h, store, 0) // nothing but what changed
		r.Divisions = append([]civil.DivisionCode{"320402009000"}, r.Divisions...)
		found, err := r.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := look(h.Store); found.Slices != 1 || len(found.Flaws) != 0 || found.Cases != 0 {
		t.Errorf("the first time: %+v", found)
	}
	if found := look(h.Store); found.Slices != 0 {
		t.Errorf("nothing moved: %+v", found)
	}
	h.Pay(2, award.Bank, At("13:00:00"))
	if found := look(h.Store); found.Slices != 1 || len(found.Flaws) != 0 {
		t.Errorf("money moved: %+v", found)
	}
	hand := edited{h.Store, map[table.Key]func(table.Item) (table.Item, bool){h.Slice().Key(): func(i table.Item) (table.Item, bool) {
		i.Counters["available"]++
		i.Counters["external"]--
		return i, true
	}}}
	if found := look(hand); found.Slices != 1 || len(found.Flaws) == 0 {
		t.Errorf("a hand moved it: %+v", found)
	}
}

// What never stands still is counted and looked at another time; flaws that are
// known already hide none that are not.
func TestWhatIsBusyAndWhatIsKnown(t *testing.T) {
	t.Parallel()
	h := books(t)
	look := int64(0)
	moving := edited{h.Store, map[table.Key]func(table.Item) (table.Item, bool){application.Key("app001"): func(i table.Item) (table.Item, bool) {
		look++
		i.Version += look
		return i, true
	}}}
	if found, err := round(h, moving, 1000).Run(t.Context()); err != nil || found.Busy != 1 || found.Cases != 3 || len(found.Flaws) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	one, two := reconciliation.Flaw{Rule: "M02", Row: h.Slice().Key(), Township: Township}, reconciliation.Flaw{Rule: "M04", Row: h.Slice().Key(), Township: Township}
	if opened, err := h.Office.Mark(t.Context(), []reconciliation.Flaw{one, one, two}, sweeper); err != nil || len(opened) != 2 || opened[0].ID == opened[1].ID {
		t.Errorf("%+v, %v", opened, err)
	}
	nobodys := reconciliation.Flaw{Rule: "L01", Row: table.Key{PK: "APP#x", SK: "HEAD"}}
	if opened, err := h.Office.Mark(t.Context(), []reconciliation.Flaw{two, nobodys}, sweeper); err != nil || len(opened) != 1 || opened[0].Division != Region {
		t.Errorf("%+v, %v", opened, err)
	}
}

// The events of a statement say what there is of it: its digest once it is there, and
// what a comparison came to when it was compared.
func TestWhatTheEventsOfAStatementSay(t *testing.T) {
	t.Parallel()
	h, lines := three(t)
	if err := reconciliation.Want(t.Context(), h.Store, reconciliation.Bank, Day, sweeper, h.Now(), h.Now()); err != nil {
		t.Fatal(err)
	}
	h.Match(BankSource, Day, lines[1:]...)
	head, err := reconciliation.Statement(t.Context(), h.Store, reconciliation.Bank, Day)
	if err == nil {
		_, err = head.Looked(t.Context(), h.Store, sweeper, h.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for item, err := range table.All(t.Context(), h.Store, table.Query{PK: reconciliation.StatementKey(reconciliation.Bank, Day).PK}.Prefix(event.Prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Kind] = strings.Join(slices.Sorted(maps.Keys(e.Facts)), " ")
	}
	want := map[string]string{
		"wanted":   "day issue source standing",
		"received": "bytes day digest issue source standing verified",
		"matched":  "booked booked_fen bytes day digest issue lines lines_fen missing-theirs source standing verified",
		"looked":   "bytes day digest issue source standing verified",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
}
