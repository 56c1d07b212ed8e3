package reconciliation

import (
	"slices"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/payout"
)

// Page is one day of both sides. Known says whether their side is there.
type Page struct {
	Day    civil.Day
	Known  bool
	Lines  []Line
	Booked []payout.Booked
}

// Input is all that one day is judged by: the day and its neighbours, and the
// payouts that its lines name and its books do not.
type Input struct {
	Source        Source
	Day           Page
	Before, After Page
	Earlier       Page                     // the day before Before: what it lists is not listed again
	Others        map[string]payout.Payout // by reference
}

// Finding is one thing that does not match. Line is zero where their side has
// nothing, Booked nil where ours has not.
type Finding struct {
	Class  Class
	Day    civil.Day // of the statement that should have it, or has it
	Line   Line
	Booked *payout.Booked
	// Payout is whose number it is, where we know of one that is not booked.
	Payout *payout.Payout
	// Nth counts the lines of one number and way, from 1.
	Nth int
}

// Pair is a line and what we booked, which say the same.
type Pair struct {
	Line   Line
	Booked payout.Booked
	Day    civil.Day // of the booking, when it is not that of the statement
}

// Result is what comparing a day found: every line of the day is in Pairs or in
// one finding, and so is all that was booked on it, unless a neighbour's statement
// has it (Elsewhere).
type Result struct {
	Pairs     []Pair
	Findings  []Finding
	Elsewhere []Pair // booked on the day, listed by the day before or after
}

type mark struct {
	reference string
	way       payout.Way
}

func marks(booked []payout.Booked) map[mark]payout.Booked {
	m := map[mark]payout.Booked{}
	for _, b := range booked {
		m[mark{b.Reference, b.Way}] = b
	}
	return m
}

// agrees reports whether l and b state the same amount and payee. A statement that
// names no payee is taken at its number.
func agrees(l Line, b payout.Booked) bool { return differs(l, b) == "" }

func differs(l Line, b payout.Booked) Class {
	switch {
	case l.AmountFen != b.AmountFen:
		return Amount
	case l.Payee != "" && l.Payee != b.Payee:
		return Payee
	}
	return ""
}

// Compare holds one day of a source's statement against the day book. It is pure.
func Compare(in Input) Result {
	c := comparing{Input: in, here: marks(in.Day.Booked), before: marks(in.Before.Booked), after: marks(in.After.Booked), used: map[mark]bool{}}
	groups := map[mark][]Line{}
	var order []mark
	for _, l := range in.Day.Lines {
		m := mark{l.Reference, l.Way}
		if groups[m] == nil {
			order = append(order, m)
		}
		groups[m] = append(groups[m], l)
	}
	for _, m := range order {
		c.group(m, groups[m])
	}
	for _, b := range in.Day.Booked {
		c.unlisted(b)
	}
	return c.Result
}

type comparing struct {
	Input
	Result
	here, before, after map[mark]payout.Booked
	used                map[mark]bool
}

func (c *comparing) find(class Class, l Line, b *payout.Booked, nth int) {
	f := Finding{Class: class, Day: c.Day.Day, Line: l, Booked: b, Nth: nth}
	if p, ok := c.Others[l.Reference]; ok && b == nil {
		f.Payout = &p
	}
	c.Findings = append(c.Findings, f)
}

// group judges the lines of one number and way. The one that agrees with our
// books, else the first, is the payment; every other is listed twice.
func (c *comparing) group(m mark, lines []Line) {
	b, day, booked := c.booked(m)
	best := 0
	if booked {
		best = max(0, slices.IndexFunc(lines, func(l Line) bool { return agrees(l, b) }))
	}
	for i, l := range lines {
		switch {
		case !c.Source.Numbers.MatchString(l.Reference):
			c.find(UnknownNumber, l, nil, i+1) // a fee, or nothing: not the same payment because both say nothing
		case i != best && booked:
			c.find(Duplicate, l, &b, i+1)
		case i != best:
			c.find(Duplicate, l, nil, i+1)
		case booked:
			c.one(l, b, day, i+1)
		default:
			c.unbooked(l, i+1)
		}
	}
}

// booked is what our books have of m on the day, or on a neighbouring one whose
// own statement has it not.
func (c *comparing) booked(m mark) (payout.Booked, civil.Day, bool) {
	if b, ok := c.here[m]; ok {
		return b, c.Day.Day, true
	}
	if b, ok := c.before[m]; ok {
		return b, c.Before.Day, true
	}
	b, ok := c.after[m]
	return b, c.After.Day, ok
}

func (c *comparing) one(l Line, b payout.Booked, day civil.Day, nth int) {
	if day == c.Day.Day {
		c.used[mark{b.Reference, b.Way}] = true
	} else if lists(c.neighbour(day), b) || day == c.Before.Day && lists(c.Earlier, b) {
		c.find(Duplicate, l, &b, nth) // an earlier statement has it too
		return
	}
	if class := differs(l, b); class != "" {
		c.find(class, l, &b, nth)
		return
	}
	c.Pairs = append(c.Pairs, Pair{l, b, day})
}

func (c *comparing) neighbour(day civil.Day) Page {
	if day == c.Before.Day {
		return c.Before
	}
	return c.After
}

// lists reports whether a page's statement has b.
func lists(p Page, b payout.Booked) bool {
	return slices.ContainsFunc(p.Lines, func(l Line) bool { return l.Reference == b.Reference && l.Way == b.Way })
}

// unbooked judges a line that our books have not on these days.
func (c *comparing) unbooked(l Line, nth int) {
	p, ours := c.Others[l.Reference]
	switch {
	case !ours && l.Way == payout.Back:
		c.find(UnknownNumber, l, nil, nth)
	case !ours:
		c.find(MissingOurs, l, nil, nth)
	case l.AmountFen != p.Award.AmountFen:
		c.find(Amount, l, nil, nth)
	case l.Payee != "" && l.Payee != payeeOf(p, l.Reference):
		c.find(Payee, l, nil, nth)
	case l.Way == payout.Back && !back(p, l.Reference):
		c.find(Returned, l, nil, nth)
	case settled(p, l.Reference):
		c.find(Duplicate, l, nil, nth) // booked on another day, long ago: not this line
	default:
		c.find(MissingOurs, l, nil, nth)
	}
}

func attempt(p payout.Payout, reference string) (payout.Attempt, bool) {
	i := slices.IndexFunc(p.Attempts, func(a payout.Attempt) bool { return a.Reference == reference })
	if i < 0 {
		return payout.Attempt{}, false
	}
	return p.Attempts[i], true
}

func payeeOf(p payout.Payout, reference string) string {
	a, _ := attempt(p, reference)
	return a.Payee
}

// settled reports whether our books say that the attempt was paid, be it that it
// came back.
func settled(p payout.Payout, reference string) bool {
	a, ok := attempt(p, reference)
	return ok && (a.Ended == payout.Succeeded || a.Ended == payout.SentBack)
}

// back reports whether our books have the money of the attempt back.
func back(p payout.Payout, reference string) bool {
	a, ok := attempt(p, reference)
	current, _ := p.Current()
	return ok && a.Ended == payout.SentBack && (a.Reference != current.Reference || p.State != payout.Paid)
}

// unlisted judges what we booked on the day and its statement has not.
func (c *comparing) unlisted(b payout.Booked) {
	if c.used[mark{b.Reference, b.Way}] {
		return
	}
	for _, p := range []Page{c.Before, c.After} {
		if i := slices.IndexFunc(p.Lines, func(l Line) bool { return l.Reference == b.Reference && l.Way == b.Way }); i >= 0 {
			// The neighbour's own comparison judges the line, this booking with it.
			c.Elsewhere = append(c.Elsewhere, Pair{p.Lines[i], b, p.Day})
			return
		}
	}
	class := MissingTheirs
	if near := c.Day.Day.AddDays(1).Start(calendar.Zone).Sub(b.At) <= c.Source.Cut; (near || b.Inferred) && !c.After.Known {
		class = DateCut
	}
	booked := b
	c.Findings = append(c.Findings, Finding{Class: class, Day: c.Day.Day, Booked: &booked, Nth: 1})
}

// covers reports whether a rail's payments move the source's account.
func (s Source) covers(r award.Rail) bool { return slices.Contains(s.Rails, r) }
