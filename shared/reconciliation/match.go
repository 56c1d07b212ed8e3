package reconciliation

import (
	"context"
	"errors"
	"slices"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// Report is what holding a statement against our books changed.
type Report struct {
	Counted Counted
	Opened  []Break
	Closed  []Break // date cuts that the next day explained
	// Asked are payouts that a line moved, with the alarms of the step.
	Asked []Moved
}

// Moved is a payout that a line of a statement moved.
type Moved struct {
	Payout payout.Payout
	Alarms []string
}

// matcher holds one day of one source against our books.
type matcher struct {
	Office
	source Source
	head   Head
	by     event.Actor
	input  Input
	result Result
	others map[string]Side // of the counterpart account, by number and way
	stored map[string]Break
	report Report
}

// Match holds the statement that h names against our books. It may die anywhere
// and be done again, or be done by two at once: what is found is found under the
// same id, a payout moves on the condition that it has not, and only the last
// write says that it is done. moved tells that the statement is no longer the one
// that h names.
func (o Office) Match(ctx context.Context, h Head, by event.Actor) (r Report, moved bool, err error) {
	s, ok := o.Sources.Find(h.Source)
	if !ok {
		return r, false, ErrSource
	}
	m := matcher{Office: o, source: s, head: h, by: by, stored: map[string]Break{}}
	for _, step := range []func(context.Context) error{m.read, m.counterpart, m.breaks, m.yesterday, m.drive} {
		if err := step(ctx); err != nil {
			return m.report, false, err
		}
	}
	now := o.Now()
	next := h
	next.Version++
	next.Standing, next.Counted = Matched, &m.report.Counted
	next.Next = h.lookAgain(now)
	moved, err = next.commit(ctx, o.Table, next.event("matched", by, now))
	return m.report, moved, err
}

// read reads the day, its neighbours, and the payouts that lines name beside them.
func (m *matcher) read(ctx context.Context) error {
	in := &m.input
	in.Source, in.Others = m.source, map[string]payout.Payout{}
	for at, p := range map[int]*Page{-2: &in.Earlier, -1: &in.Before, 0: &in.Day, 1: &in.After} {
		page, h, err := m.page(ctx, m.source, m.head.Day.AddDays(at))
		if err != nil {
			return err
		}
		if at == 0 && h.Digest != m.head.Digest {
			return ErrMovedOn
		}
		*p = page
	}
	booked := map[mark]bool{}
	for _, p := range []Page{in.Before, in.Day, in.After} {
		for _, b := range p.Booked {
			booked[mark{b.Reference, b.Way}] = true
		}
	}
	for _, l := range in.Day.Lines {
		if booked[mark{l.Reference, l.Way}] || in.Others[l.Reference].Version > 0 || !m.source.Numbers.MatchString(l.Reference) {
			continue
		}
		p, err := payout.ByReference(ctx, m.Table, l.Reference)
		if errors.Is(err, payout.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		in.Others[l.Reference] = p
	}
	m.result = Compare(*in)
	m.report.Counted = count(*in, m.result)
	return nil
}

func count(in Input, r Result) Counted {
	c := Counted{Lines: len(in.Day.Lines), Booked: len(in.Day.Booked), Pairs: len(r.Pairs), Elsewhere: len(r.Elsewhere), Breaks: map[Class]int{}}
	for _, l := range in.Day.Lines {
		c.LinesFen = net(c.LinesFen, l.AmountFen, l.Way)
	}
	for _, b := range in.Day.Booked {
		c.BookedFen = net(c.BookedFen, b.AmountFen, b.Way)
	}
	for _, f := range r.Findings {
		c.Breaks[f.Class]++
	}
	return c
}

// net adds what went out and takes off what came back. A statement holds no more
// than can be added (MaxLines of money.Max), and no day's book comes near.
func net(sum, f money.Fen, w payout.Way) money.Fen {
	if w == payout.Back {
		return sum - f
	}
	return sum + f
}

// counterpart reads what the account on the other side says: the treasury's for a
// rail, the rail's for the treasury. It only completes the columns of breaks.
func (m *matcher) counterpart(ctx context.Context) error {
	m.others = map[string]Side{}
	if len(m.result.Findings) == 0 {
		return nil
	}
	for _, s := range m.Sources {
		if s.Name == m.source.Name || (s.Name == Treasury) == (m.source.Name == Treasury) || !slices.ContainsFunc(s.Rails, m.source.covers) {
			continue
		}
		p, h, err := m.page(ctx, s, m.head.Day)
		if err != nil {
			return err
		}
		for _, l := range p.Lines {
			m.others[l.Reference+"#"+string(l.Way)] = Side{AmountFen: l.AmountFen, Payee: l.Payee, At: l.At, Number: l.Number, Statement: h.Digest, Line: l.Place}
		}
	}
	return nil
}

// breaks puts what was found, and marks what is found no more.
func (m *matcher) breaks(ctx context.Context) error {
	before, err := OfDay(ctx, m.Table, m.source.Name, m.head.Day)
	if err != nil {
		return err
	}
	for _, b := range before {
		m.stored[b.ID] = b
	}
	found := map[string]bool{}
	for _, f := range m.result.Findings {
		if late, err := m.late(ctx, f); err != nil || late {
			if err != nil {
				return err
			}
			continue
		}
		id := m.source.idOf(f)
		found[id] = true
		if err := m.put(ctx, id, f); err != nil {
			return err
		}
	}
	for _, b := range before {
		if !found[b.ID] {
			if err := m.gone(ctx, b, m.head.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

// put stores a finding: a new break, or what has become of one that is there.
func (m *matcher) put(ctx context.Context, id string, f Finding) error {
	b, there := m.stored[id]
	switch {
	case !there:
		made, err := m.fresh(ctx, id, f)
		if err != nil {
			return err
		}
		err = Commit(ctx, m.Table, made, made.Event("opened", m.by, m.Now()))
		if errors.Is(err, ErrMovedOn) {
			return nil // a twin was quicker
		}
		if err == nil {
			m.report.Opened = append(m.report.Opened, made)
		}
		return err
	case b.Class == f.Class && b.Gone == "", b.State == Closed:
		return nil
	}
	// A date cut that the next day did not explain, or a statement that was restated.
	b.Version++
	was := b.Class
	b.Class, b.Gone = f.Class, ""
	b.State, b.Proposed = Open, nil // what was said, was said of another class
	columns, _ := m.source.sides(f, m.head.Digest, m.other(f))
	columns.Decision = b.Columns.Decision
	b.Columns = columns
	e := b.Event("reclassified", m.by, m.Now())
	e.Facts["was"] = string(was)
	return m.keep(ctx, b, e)
}

func (m *matcher) keep(ctx context.Context, b Break, e event.Event) error {
	if err := Commit(ctx, m.Table, b, e); err != nil && !errors.Is(err, ErrMovedOn) {
		return err
	}
	return nil
}

func (m *matcher) other(f Finding) *Side {
	reference, way := f.Line.Reference, f.Line.Way
	if f.Line.Place == 0 {
		reference, way = f.Booked.Reference, f.Booked.Way
	}
	if side, ok := m.others[reference+"#"+string(way)]; ok {
		return &side
	}
	return nil
}

// fresh is the break of a finding, with all four columns.
func (m *matcher) fresh(ctx context.Context, id string, f Finding) (Break, error) {
	now := m.Now()
	b := Break{ID: id, Version: 1, Source: m.source.Name, Day: f.Day, Class: f.Class, State: Open, Division: m.Region, Nth: f.Nth,
		Reference: f.Line.Reference, Way: f.Line.Way, Since: now, Owner: "finance"}
	if len(m.source.Rails) > 0 {
		b.Rail = m.source.Rails[0]
	}
	columns, a := m.source.sides(f, m.head.Digest, m.other(f))
	b.Columns = columns
	if f.Booked != nil {
		b.Reference, b.Way, b.Rail = f.Booked.Reference, f.Booked.Way, f.Booked.Rail
		p, err := payout.Get(ctx, m.Table, payout.Key(f.Booked.Application, f.Booked.Award))
		if err != nil {
			return b, err
		}
		a = &p.Award
		f.Payout = &p
	}
	if a != nil {
		b.Application, b.Award, b.Division = a.Application, a.ID, a.Township
		b.People = people(*a)
		b.Columns.Decision = &Side{AmountFen: a.AmountFen, Payee: payeeOf(*f.Payout, b.Reference), At: a.At, Number: a.Application + "#" + a.ID}
	}
	return b, nil
}

func people(a award.Award) []event.Actor {
	return slices.DeleteFunc([]event.Actor{a.Proposer, a.Approver}, func(by event.Actor) bool { return by.ID == "" })
}

// late reports whether a line is the one that an earlier day's open break misses,
// more than a day late: it belongs to that break.
func (m *matcher) late(ctx context.Context, f Finding) (bool, error) {
	if f.Class != Duplicate || f.Payout == nil || f.Nth != 1 {
		return false, nil
	}
	day := today(f.Payout.PaidAt)
	if f.Payout.PaidAt.IsZero() || !day.Before(m.head.Day) {
		return false, nil
	}
	missed := Finding{Day: day, Booked: &payout.Booked{Reference: f.Line.Reference, Way: f.Line.Way}, Nth: 1}
	b, err := Get(ctx, m.Table, m.source.idOf(missed))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil || b.Class != MissingTheirs || b.State == Closed {
		return false, err
	}
	return true, m.gone(ctx, b, m.head.Digest)
}

// gone notes that a statement does not show an open break any more. A date cut is
// thereby closed; everything else still takes two people, because a statement can
// be restated by whoever brought it.
func (m *matcher) gone(ctx context.Context, b Break, statement string) error {
	now := m.Now()
	if closed, ok := b.mend(m.by, statement, now); ok {
		err := m.keep(ctx, closed, closed.Event("explained", m.by, now))
		if err == nil {
			m.report.Closed = append(m.report.Closed, closed)
		}
		return err
	}
	if b.State == Closed || b.Gone != "" {
		return nil
	}
	b.Version++
	b.Gone = statement
	return m.keep(ctx, b, b.Event("gone", m.by, now))
}

// yesterday looks again at the day before, whose cuts this day explains or does
// not. It finds its own statement, so that it is judged as it is now.
func (m *matcher) yesterday(ctx context.Context) error {
	open, err := OfDay(ctx, m.Table, m.source.Name, m.input.Before.Day)
	if err != nil {
		return err
	}
	here := marks(m.input.Before.Booked)
	for _, b := range open {
		if b.State == Closed || (b.Class != DateCut && b.Class != MissingTheirs) {
			continue
		}
		booked, ok := here[mark{b.Reference, b.Way}]
		listed := ok && slices.ContainsFunc(m.result.Pairs, func(p Pair) bool {
			return p.Day == m.input.Before.Day && p.Booked.Reference == booked.Reference && p.Booked.Way == booked.Way
		})
		switch {
		case listed:
			err = m.gone(ctx, b, m.head.Digest)
		case b.Class == DateCut:
			b.Version++
			b.Class = MissingTheirs
			e := b.Event("reclassified", m.by, m.Now())
			e.Facts["was"] = string(DateCut)
			err = m.keep(ctx, b, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drive lets lines move the payouts they speak of: what came back as the answer to
// a question would, when the provider signed the statement, and everything else as
// news, which is a reason to ask.
func (m *matcher) drive(ctx context.Context) error {
	if m.source.Name == Treasury {
		return nil // the treasury knows of debits, not of payments
	}
	for _, f := range m.result.Findings {
		if f.Payout == nil || (f.Class != Returned && f.Class != MissingOurs) {
			continue
		}
		if err := m.move(ctx, *f.Payout, f); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) move(ctx context.Context, p payout.Payout, f Finding) error {
	l := f.Line
	said := payout.Said{Word: payout.Succeeded, Reference: l.Reference, AmountFen: l.AmountFen, Payee: l.Payee, At: l.At, Code: l.Code, Evidence: m.head.Digest}
	if said.Payee == "" {
		said.Payee = payeeOf(p, l.Reference)
	}
	var in payout.Input = payout.News{Said: said}
	if f.Class == Returned {
		said.Word = payout.SentBack
		in = payout.News{Said: said}
		if m.head.Verified {
			in = payout.Answer{Said: said}
		}
	}
	o, err := payout.Step(p, in, m.by, m.Now())
	if err != nil {
		return err
	}
	err = payout.Commit(ctx, m.Table, o)
	if errors.Is(err, payout.ErrMovedOn) {
		return nil // it learnt something meanwhile; what is still wrong is found again
	}
	if err == nil && o.Event != "" {
		m.report.Asked = append(m.report.Asked, Moved{o.Payout, o.Alarms()})
	}
	return err
}

// Look reads the open breaks of divisions.
func Look(ctx context.Context, t table.Store, divisions []civil.DivisionCode, visit func(Break)) error {
	for _, d := range divisions {
		open, err := OpenIn(ctx, t, d)
		if err != nil {
			return err
		}
		for _, b := range open {
			visit(b)
		}
	}
	return nil
}
