package reconciliation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// An amount is written in one way in each unit, so that neither is read as the other.
func TestAmountsAreWrittenInOneWay(t *testing.T) {
	t.Parallel()
	for u, c := range map[Unit]struct {
		right map[string]money.Fen
		wrong []string
	}{
		Yuan: {map[string]money.Fen{"0.00": 0, "0.01": 1, "10.00": 1000, "100000000.00": money.Max},
			[]string{"", ".", "0", "1", ".01", "0.1", "0.001", "00.01", "01.00", "-1.00", "+1.00", "1,000.00", "1.0x", "99999999999999999.00"}},
		Fen: {map[string]money.Fen{"0": 0, "1": 1, "10": 10, "10000000000": money.Max},
			[]string{"", "00", "01", "1.", "1.00", "-1", "+1", "1e3", " 1", "9223372036854775808"}},
		"jiao": {nil, []string{"1", "1.00"}},
	} {
		for text, want := range c.right {
			if got, ok := u.read(text); !ok || got != want || u.Write(want) != text {
				t.Errorf("%s: %s is %d, and is written %s", u, text, got, u.Write(want))
			}
		}
		for _, text := range c.wrong {
			if got, ok := u.read(text); ok {
				t.Errorf("%s: %q is %d", u, text, got)
			}
		}
	}
	if net(5, 3, payout.Out) != 8 || net(5, 3, payout.Back) != 2 {
		t.Error("what came back is not taken off")
	}
}

// A statement that is not there is asked for again ever less often; one that is,
// twice, a day and a week after it was ready; one that a person brought, until the
// keeper of the account signs it.
func TestWhenAStatementIsFetchedAgain(t *testing.T) {
	t.Parallel()
	day := civil.Date(2026, 11, 23)
	ready := time.Date(2026, 11, 24, 10, 0, 0, 0, calendar.Zone)
	if !Ready(day).Equal(ready) {
		t.Errorf("ready at %v", Ready(day))
	}
	for at, want := range map[time.Time]civil.Day{ready.Add(-1): day.AddDays(-1), ready: day, ready.Add(14 * time.Hour): day, ready.Add(24*time.Hour - 1): day, ready.Add(24 * time.Hour): day.AddDays(1)} {
		if got := LastReady(at); got != want {
			t.Errorf("at %v the latest is of %s, not of %s", at, got, want)
		}
	}
	h := Head{Day: day, Issue: 1, Verified: true}
	for looks, want := range []time.Time{ready.Add(24 * time.Hour), ready.Add(7 * 24 * time.Hour), {}, {}} {
		if h.Looks = looks; !h.lookAgain(ready).Equal(want) {
			t.Errorf("after %d looks: %v", looks, h.lookAgain(ready))
		}
	}
	brought := Head{Day: day, Issue: 1, Looks: 9}
	if !brought.lookAgain(ready).Equal(ready.Add(time.Hour)) {
		t.Errorf("brought by a person: %v", brought.lookAgain(ready))
	}
	for name, c := range map[string]struct {
		h                 Head
		believed, sighted bool
	}{
		"nothing":               {Head{Verified: true, ByHand: true}, false, false},
		"signed":                {Head{Issue: 1, Verified: true}, true, true},
		"of nobody to be asked": {Head{Issue: 1, ByHand: true}, true, true},
		"brought":               {Head{Issue: 1}, true, false},
	} {
		if c.h.Believed() != c.believed || c.h.Sees() != c.sighted {
			t.Errorf("%s: believed %v, sees %v", name, c.h.Believed(), c.h.Sees())
		}
	}
}

// A day's cut waits for nobody until it is old, and the machine may close it; every
// other break waits for people from the beginning.
func TestWhoseABreakIs(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 24, 10, 0, 0, 0, calendar.Zone)
	machine := event.Actor{Kind: event.System, ID: "settle"}
	for name, c := range map[string]struct {
		b           Break
		age         time.Duration
		waits, told bool
	}{
		"another, new":             {Break{Class: Amount, State: Open}, 0, true, false},
		"another, half its time":   {Break{Class: Amount, State: Open}, Escalate / 2, true, true},
		"a cut, half its time":     {Break{Class: DateCut, State: Open}, Escalate / 2, false, false},
		"a cut, a moment too soon": {Break{Class: DateCut, State: Open}, Escalate - 1, false, false},
		"a cut that is old":        {Break{Class: DateCut, State: Open}, Escalate, true, true},
		"closed":                   {Break{Class: Amount, State: Closed}, Escalate, false, false},
		"told already":             {Break{Class: Amount, State: Open, Told: since, Reminded: 100}, Escalate, true, false},
	} {
		b, at := c.b, since.Add(c.age)
		b.Since, b.Version = since, 1
		next, told := b.Tell(at)
		if b.Waits(at) != c.waits || told != c.told || (next.Version == 2) != c.told || b.Age(at) != c.age {
			t.Errorf("%s: waits %v, told %v", name, b.Waits(at), told)
		}
		closed, mended := b.mend(machine, "s", at)
		if mended != (c.b.Class == DateCut) || mended && (closed.State != Closed || closed.Version != 2 || closed.Gone != "s" || closed.Closed.By != machine) {
			t.Errorf("%s: the machine closes it: %v", name, mended)
		}
	}
	if Escalate != 48*time.Hour {
		t.Errorf("T+2 is %v", Escalate)
	}
	if _, mended := (Break{Class: DateCut, State: Closed}).mend(machine, "s", since); mended {
		t.Error("what is closed is closed again")
	}
}

// Ten townships are stopped one by one; of eleven, or of the region itself, the
// region is. Only townships and what is below them are covered by name.
func TestHowMuchIsStopped(t *testing.T) {
	t.Parallel()
	r := Region{Code: "320400000000", Divisions: []civil.DivisionCode{"320400000000", "320402000000", "320402001000", "320402001001"}}
	broken := map[civil.DivisionCode]bool{}
	for n := range 11 {
		d := civil.DivisionCode([]byte{'3', '2', '0', '4', '0', '2', '0', '1', byte('0' + n%10), byte('0' + n/10), '0', '0'})
		r.Divisions = append(r.Divisions, d)
		broken[d] = true
		causes := r.incoherent(broken)
		if want := n + 1; n < 10 && len(causes) != want || n == 10 && (len(causes) != 1 || causes[0].division != r.Code) {
			t.Errorf("%d broken: %d stopped", n+1, len(causes))
		}
	}
	if causes := r.incoherent(map[civil.DivisionCode]bool{r.Code: true}); len(causes) != 1 || causes[0].division != r.Code {
		t.Errorf("the region itself: %+v", causes)
	}
	if got := townships(r.Divisions[:4]); len(got) != 2 || got[0] != "320402001000" || got[1] != "320402001001" {
		t.Errorf("covered: %v", got)
	}
}

// rules are the rules that a file's flaws name, in order.
func rules(f *file) string {
	var all []string
	for _, flaw := range f.flaws {
		all = append(all, flaw.Rule)
	}
	return strings.Join(all, " ")
}

// What a payout may be, rule by rule, each broken by itself.
func TestWhatIsWrongWithAPayout(t *testing.T) {
	t.Parallel()
	proof := strings.Repeat("e", 64)
	for name, c := range map[string]struct {
		change func(*payout.Payout, *application.Application)
		want   string
		says   string
	}{
		"nothing": {func(*payout.Payout, *application.Application) {}, "", ""},
		"as much as an award may be": {func(p *payout.Payout, a *application.Application) {
			p.Award.AmountFen, a.Award.AmountFen = award.Ceiling, award.Ceiling
		}, "", ""},
		"a fen more than that": {func(p *payout.Payout, a *application.Application) {
			p.Award.AmountFen, a.Award.AmountFen = award.Ceiling+1, award.Ceiling+1
		}, "M03", ""},
		"an award of nothing":       {func(p *payout.Payout, a *application.Application) { p.Award.AmountFen, a.Award.AmountFen = 0, 0 }, "M03", "an award of 0 fen"},
		"no decision":               {func(_ *payout.Payout, a *application.Application) { a.Award = nil }, "M07", ""},
		"another decision":          {func(_ *payout.Payout, a *application.Application) { a.Award.AmountFen++ }, "M07", ""},
		"all of it paid":            {func(p *payout.Payout, _ *application.Application) { p.PaidFen = 1000 }, "", ""},
		"a fen more paid":           {func(p *payout.Payout, _ *application.Application) { p.PaidFen = 1001 }, "M07", "paid 1001 of 1000"},
		"another number":            {func(p *payout.Payout, _ *application.Application) { p.Attempts[1].Number = 3 }, "M10", "attempt 2 has another reference"},
		"another reference":         {func(p *payout.Payout, _ *application.Application) { p.Attempts[0].Reference = "x" }, "M10", "attempt 1 has another reference"},
		"two attempts at once":      {func(p *payout.Payout, _ *application.Application) { p.Attempts[0].Ended = "" }, "M09", "attempts 1 and 2 are both open"},
		"an end that nobody proved": {func(p *payout.Payout, _ *application.Application) { p.Attempts[0].Evidence = proof[1:] }, "M11", "attempt 2 follows"},
		"the last one ended too": {func(p *payout.Payout, _ *application.Application) {
			p.Attempts[1].Ended, p.Attempts[1].Evidence = payout.Declined, proof
		}, "", ""},
	} {
		p := payout.Payout{Award: award.Award{ID: "01", Application: "app1", AmountFen: 1000}, Attempts: []payout.Attempt{
			{Number: 1, Reference: payout.Reference("app1", "01", 1), Ended: payout.Retryable, Evidence: proof}, {Number: 2, Reference: payout.Reference("app1", "01", 2)}}}
		f := &file{id: "app1", head: application.Application{ID: "app1", Award: &application.Award{AmountFen: 1000}}}
		c.change(&p, &f.head)
		f.payout(p)
		if got := rules(f); got != c.want || c.says != "" && !strings.HasPrefix(f.flaws[0].Why, c.says) {
			t.Errorf("%s: %s, %+v", name, got, f.flaws)
		}
	}
}

// What the fund has booked about an award, and what its payout says: they agree in
// every state, and whatever differs is named.
func TestWhatIsBookedAboutAnAward(t *testing.T) {
	t.Parallel()
	entry := func(kind fund.Kind, account fund.Account, fen money.Fen) fund.Entry {
		return fund.Entry{Kind: kind, Legs: []fund.Leg{{Account: account, Fen: fen}}}
	}
	reserved, paid, void := entry(fund.Reservation, fund.Reserved, 1000), entry(fund.Posted, fund.Paid, 1000), entry(fund.Voided, fund.Reserved, -1000)
	late, back := entry(fund.PostedLate, fund.Paid, 1000), entry(fund.CameBack, fund.Returned, -1000)
	state := func(s payout.State, reservations int, open bool, paid money.Fen) payout.Payout {
		return payout.Payout{State: s, Reservation: reservations, Open: open, PaidFen: paid}
	}
	frozen := state(payout.Frozen, 1, false, 1000)
	frozen.Was = payout.Paid
	unpaid := state(payout.Frozen, 1, false, 1000)
	unpaid.Was = payout.Unknown
	for name, c := range map[string]struct {
		p       payout.Payout
		entries []fund.Entry
		want    string
	}{
		"reserved":                         {state(payout.Due, 1, true, 0), []fund.Entry{reserved}, ""},
		"paid":                             {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, paid}, ""},
		"paid, and frozen since":           {frozen, []fund.Entry{reserved, paid}, ""},
		"frozen, and never paid":           {unpaid, []fund.Entry{reserved, paid}, "M08"},
		"failed":                           {state(payout.Failed, 1, false, 0), []fund.Entry{reserved, void}, ""},
		"paid late":                        {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, void, late}, ""},
		"come back":                        {state(payout.Returned, 1, false, 0), []fund.Entry{reserved, paid, back}, ""},
		"tried again":                      {state(payout.Due, 2, true, 0), []fund.Entry{reserved, void, reserved}, ""},
		"another amount reserved":          {state(payout.Due, 1, true, 0), []fund.Entry{entry(fund.Reservation, fund.Reserved, 999)}, "M07"},
		"reserved once too often":          {state(payout.Due, 1, true, 0), []fund.Entry{reserved, reserved}, "M06"},
		"not reserved":                     {state(payout.Due, 1, true, 0), nil, "M06"},
		"closed, and not resolved":         {state(payout.Failed, 1, false, 0), []fund.Entry{reserved}, "M06"},
		"open, and resolved":               {state(payout.Due, 1, true, 0), []fund.Entry{reserved, void}, "M06"},
		"paid, and the fund knows nothing": {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, void}, "M08"},
		"paid twice":                       {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, paid, late}, "M08 M08"},
		"less paid than booked":            {state(payout.Paid, 1, false, 999), []fund.Entry{reserved, paid}, "M08"},
		"come back, and still paid":        {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, paid, back}, "M08"},
		"more than can be added":           {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, entry(fund.Posted, fund.Paid, 1<<63-1), entry(fund.PostedLate, fund.Paid, 1<<63-1)}, "M08 M08"},
		"more come back than can be added": {state(payout.Paid, 1, false, 1000), []fund.Entry{reserved, paid, entry(fund.CameBack, fund.Returned, -1<<63+1), entry(fund.CameBack, fund.Returned, -1<<63+1)}, "M08"},
	} {
		c.p.Award = award.Award{ID: "01", Application: "app1", AmountFen: 1000}
		f := &file{id: "app1"}
		f.booked(c.p, c.entries)
		if got := rules(f); got != c.want || f.stamp != fmt.Sprintf("n%d ", len(c.entries)) {
			t.Errorf("%s: %s, %+v", name, got, f.flaws)
		}
	}
}

// A line that our books have not on these days is judged by what we know of its
// payment, from the first thing that differs.
func TestALineThatIsNotBooked(t *testing.T) {
	t.Parallel()
	day := civil.Date(2026, 11, 23)
	known := func(s payout.State, attempts ...payout.Attempt) map[string]payout.Payout {
		p := payout.Payout{State: s, Award: award.Award{AmountFen: 100}, Attempts: attempts}
		return map[string]payout.Payout{"r1": p}
	}
	first := func(ended payout.Word) payout.Attempt {
		return payout.Attempt{Reference: "r1", Payee: "p", Ended: ended}
	}
	second := payout.Attempt{Reference: "r2", Payee: "p"}
	for name, c := range map[string]struct {
		others map[string]payout.Payout
		way    payout.Way
		amount money.Fen
		payee  string
		want   Class
	}{
		"not ours":                               {nil, payout.Out, 100, "p", MissingOurs},
		"not ours, and back":                     {nil, payout.Back, 100, "p", UnknownNumber},
		"another amount":                         {known(payout.Submitted, first("")), payout.Out, 99, "x", Amount},
		"another payee":                          {known(payout.Submitted, first("")), payout.Out, 100, "x", Payee},
		"no payee stated":                        {known(payout.Submitted, first("")), payout.Out, 100, "", MissingOurs},
		"not heard of yet":                       {known(payout.Submitted, first("")), payout.Out, 100, "p", MissingOurs},
		"said never to be paid":                  {known(payout.Failed, first(payout.Declined)), payout.Out, 100, "p", MissingOurs},
		"paid long ago":                          {known(payout.Paid, first(payout.Succeeded)), payout.Out, 100, "p", Duplicate},
		"paid and come back long ago":            {known(payout.Returned, first(payout.SentBack)), payout.Out, 100, "p", Duplicate},
		"back, and we had not heard":             {known(payout.Paid, first(payout.Succeeded)), payout.Back, 100, "p", Returned},
		"back, and not booked yet":               {known(payout.Paid, first(payout.SentBack)), payout.Back, 100, "p", Returned},
		"back long ago":                          {known(payout.Returned, first(payout.SentBack)), payout.Back, 100, "p", Duplicate},
		"back long ago, and paid another time":   {known(payout.Paid, first(payout.SentBack), second), payout.Back, 100, "p", Duplicate},
		"back, of what was said never to be":     {known(payout.Failed, first(payout.Declined)), payout.Back, 100, "p", Returned},
		"back, of a reference that it lists not": {known(payout.Returned, second), payout.Back, 100, "", Returned},
	} {
		in := Input{Source: BankSource("A", Yuan), Others: c.others,
			Earlier: Page{Day: day.AddDays(-2)}, Before: Page{Day: day.AddDays(-1)}, After: Page{Day: day.AddDays(1)},
			Day: Page{Day: day, Known: true, Lines: []Line{{Place: 1, Reference: "r1", Way: c.way, AmountFen: c.amount, Payee: c.payee}}}}
		r := Compare(in)
		if len(r.Findings) != 1 || r.Findings[0].Class != c.want || r.Findings[0].Nth != 1 || len(r.Pairs) != 0 {
			t.Errorf("%s: %+v", name, r.Findings)
		}
	}
}

// Lines of one number are counted from the first, and one of them is the payment:
// the one that agrees, or the first. What is booked on a neighbouring day and listed
// there too is listed twice.
func TestLinesOfOneNumber(t *testing.T) {
	t.Parallel()
	day := civil.Date(2026, 11, 23)
	noon := day.Start(calendar.Zone).Add(12 * time.Hour)
	line := func(place int, reference string, fen money.Fen) Line {
		return Line{Place: place, Reference: reference, Way: payout.Out, AmountFen: fen}
	}
	booked := func(fen money.Fen, offset int) []payout.Booked {
		return []payout.Booked{{Reference: "r1", Way: payout.Out, AmountFen: fen, At: noon.AddDate(0, 0, offset)}}
	}
	for name, c := range map[string]struct {
		lines  []Line
		booked map[int][]payout.Booked // by day
		listed map[int]bool            // another day's statement has it
		want   string                  // class and count of each finding, pairs
	}{
		"booked and listed":               {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{0: booked(5, 0)}, nil, "pairs 1"},
		"the second agrees":               {[]Line{line(1, "r1", 4), line(2, "r1", 5)}, map[int][]payout.Booked{0: booked(5, 0)}, nil, "duplicate 1 pairs 1"},
		"none agrees":                     {[]Line{line(1, "r1", 4), line(2, "r1", 3)}, map[int][]payout.Booked{0: booked(5, 0)}, nil, "amount 1 duplicate 2 pairs 0"},
		"three of one that we know not":   {[]Line{line(1, "r1", 5), line(2, "r1", 5), line(3, "r1", 5)}, nil, nil, "missing-ours 1 duplicate 2 duplicate 3 pairs 0"},
		"fees":                            {[]Line{line(1, "", 5), line(2, "", 5)}, nil, nil, "unknown-number 1 unknown-number 2 pairs 0"},
		"booked yesterday":                {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{-1: booked(5, -1)}, nil, "pairs 1"},
		"booked tomorrow":                 {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{1: booked(5, 1)}, nil, "pairs 1"},
		"booked and listed yesterday":     {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{-1: booked(5, -1)}, map[int]bool{-1: true}, "duplicate 1 pairs 0"},
		"booked yesterday, listed before": {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{-1: booked(5, -1)}, map[int]bool{-2: true}, "duplicate 1 pairs 0"},
		"booked and listed tomorrow":      {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{1: booked(5, 1)}, map[int]bool{1: true}, "duplicate 1 pairs 0"},
		"booked tomorrow, a number of the day before yesterday": {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{1: booked(5, 1)}, map[int]bool{-2: true}, "pairs 1"},
		"booked, and another day lists it too":                  {[]Line{line(1, "r1", 5)}, map[int][]payout.Booked{0: booked(5, 0)}, map[int]bool{-1: true}, "pairs 1"},
		"booked, and only another day lists it":                 {nil, map[int][]payout.Booked{0: booked(5, 0)}, map[int]bool{1: true}, "pairs 0"},
		"booked, and nobody lists it":                           {nil, map[int][]payout.Booked{0: booked(5, 0)}, nil, "missing-theirs 1 pairs 0"},
	} {
		page := func(offset int) Page {
			p := Page{Day: day.AddDays(offset), Known: true, Booked: c.booked[offset]}
			if c.listed[offset] {
				p.Lines = []Line{line(9, "r1", 5)}
			}
			return p
		}
		in := Input{Source: BankSource("A", Yuan), Earlier: page(-2), Before: page(-1), Day: page(0), After: page(1)}
		in.Day.Lines = c.lines
		r := Compare(in)
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s %d", f.Class, f.Nth))
		}
		if got := strings.Join(append(got, fmt.Sprintf("pairs %d", len(r.Pairs))), " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// The slices that there may be are those of every township, of this year and of the
// last, whose payments may still come back.
func TestWhichSlicesThereMayBe(t *testing.T) {
	t.Parallel()
	r := run{Round: Round{Divisions: []civil.DivisionCode{"320400000000", "320402001000", "320402001001", "320402002000"},
		Now: func() time.Time { return time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC) }}} // 2027 in China
	seen := map[string]int{}
	for _, id := range r.slices() {
		seen[string(id.Township)+" "+id.Fund]++
	}
	for _, township := range []string{"320402001000", "320402002000"} {
		for _, purpose := range fund.Purposes() {
			for _, year := range []int{2026, 2027} {
				if key := township + " " + fund.Named(purpose, year); seen[key] != 1 {
					t.Errorf("%s stands there %d times", key, seen[key])
				}
			}
		}
	}
	if want := 2 * 2 * len(fund.Purposes()); len(seen) != want {
		t.Errorf("%d slices, want %d: %v", len(seen), want, seen)
	}
	if got := row(table.Key{PK: "APP#x", SK: "HEAD"}) + " " + row(table.Key{PK: "APP#x"}); got != "APP#x/HEAD APP#x" {
		t.Errorf("a key is shown as %s", got)
	}
}
