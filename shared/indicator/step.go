package indicator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// rule is one row of the fold: what events of one noun do to the figures.
type rule struct {
	noun string
	kind string // "" for every kind
	do   func(*step) error
}

// step is one event on its way into the figures. What it changes is gathered
// first, so that the fold can tell whether it still fits into the transaction.
type step struct {
	ctx   context.Context
	index uint64 // in the log
	event.Event
	m     *matter // a clone; stored with the step
	read  func(context.Context, table.Key) ([]byte, error)
	seen  map[table.Key]any      // what remember read or changed in this step
	cells map[string][]table.Key // by day: those of the case's divisions, for that day and its month
	moves []move
	marks int
	more  bool // events of the matter wait whose turn it is, and did not fit
}

// mostOfOne is after how many items a step ends though more events wait: what one
// event moves beyond them still fits into a transaction.
const mostOfOne = 40

// full reports whether the step moves as much as one should.
func (s *step) full() bool {
	if len(s.moves) <= mostOfOne {
		return false
	}
	keys := map[table.Key]bool{}
	for _, m := range s.moves {
		keys[m.key] = true
	}
	return len(keys) > mostOfOne
}

// move is one change of one stored item.
type move struct {
	key table.Key
	// One of these is set.
	cell     func(*cell) error
	standing func(*standing) error
	body     func() ([]byte, error)
	matter   *matter          // that body encodes, when it is one
	fresh    func() *standing // what a standing list is before the first move
	places   []table.Place
}

// dayOf is the local day of a time; day is the same as keys have it.
func dayOf(t time.Time) civil.Day { return calendar.Today(t) }

func day(t time.Time) string { return dayOf(t).String() }

// today is the day on which the event happened.
func (s *step) today() string { return day(s.At) }

func (s *step) inCells(on string, do func(*cell) error) {
	keys, there := s.cells[on]
	if !there {
		for _, d := range s.m.Path {
			pk := cellPK(d, s.m.Programme)
			keys = append(keys, table.Key{PK: pk, SK: daySK(on)}, table.Key{PK: pk, SK: monthSK(on)})
		}
		if s.cells == nil {
			s.cells = map[string][]table.Key{}
		}
		s.cells[on] = keys
	}
	for _, k := range keys {
		s.moves = append(s.moves, move{key: k, cell: do})
	}
}

// count counts one occurrence of prefix+code on a day in every division of the case.
func (s *step) count(on, prefix, code string) { s.add(on, prefix, code, 1) }

func (s *step) add(on, prefix, code string, n int64) {
	s.inCells(on, func(c *cell) error { c.count(prefix, code, n); return nil })
}

// spread measures one time.
func (s *step) spread(on, name string, d time.Duration) {
	s.inCells(on, func(c *cell) error { return c.spread(name).add(d) })
}

// officer changes what a member of staff did in the case's township, on a day;
// nobody is nobody.
func (s *step) officer(id, on string, do func(*cell) error) {
	if id == "" {
		return
	}
	for _, sk := range []string{officerSK(daySK(on), id), officerSK(monthSK(on), id)} {
		s.moves = append(s.moves, move{key: table.Key{PK: officerPK(s.m.township(), s.m.Programme), SK: sk}, cell: do})
	}
}

// did counts one thing that a member of staff did on the day of the event.
func (s *step) did(id, prefix, code string) {
	s.officer(id, s.today(), func(c *cell) error { c.count(prefix, code, 1); return nil })
}

// took measures how long something took that a member of staff did.
func (s *step) took(id, name string, d time.Duration) {
	s.officer(id, s.today(), func(c *cell) error { return c.spread(name).add(d) })
}

// mark lists the case under an indicator.
func (s *step) mark(id ID, on, code string, of Case) {
	of.Indicator, of.Code, of.Day = id, code, on
	if of.Application == "" && of.Matter == "" {
		of = s.about(of)
	}
	if of.At.IsZero() {
		of.At = s.At
	}
	of.Township, of.Programme = s.m.township(), s.m.Programme
	sk := fmt.Sprintf("%s#%012d#%02d", on, s.index, s.marks)
	s.marks++
	s.moves = append(s.moves, move{
		key:    table.Key{PK: markPK(id, s.m.township(), s.m.Programme), SK: sk},
		body:   func() ([]byte, error) { return encodeCase(of) },
		places: []table.Place{{Index: table.ByWork, PK: markPK(id, s.m.owner(), s.m.Programme) + above, SK: sk}},
	})
}

// about names the case of s in of.
func (s *step) about(of Case) Case {
	if s.m.Noun == applicationNoun {
		of.Application = s.m.ID
	} else {
		of.Matter = s.m.Noun + "/" + s.m.ID
	}
	return of
}

// open puts something of the case into a list since, or until, at.
func (s *step) open(list, id, code string, at time.Time) {
	if at.IsZero() {
		return
	}
	name := list + "/" + id
	if _, there := s.m.Open[name]; there {
		return
	}
	if s.m.Open == nil {
		s.m.Open = map[string]opening{}
	}
	s.m.Open[name] = opening{At: at, Code: code}
	s.stand(list, id, code, at, 1)
}

// close takes it out again and says how it stood; false when it stood nowhere.
func (s *step) close(list, id string) (opening, bool) {
	name := list + "/" + id
	o, there := s.m.Open[name]
	if !there {
		return o, false
	}
	delete(s.m.Open, name)
	if !o.Asleep {
		s.stand(list, id, o.Code, o.At, -1)
	}
	return o, true
}

// opened lists the ids that stand in a list about this case, in order.
func (s *step) opened(list string) []string {
	var ids []string
	for name := range s.m.Open {
		if id, ok := cutList(name, list); ok {
			ids = append(ids, id)
		}
	}
	return sorted(ids)
}

// sleep takes what stands in a list out of it for as long as the case is at
// rest; wake puts it back.
func (s *step) sleep(list string) { s.rest(list, true) }

func (s *step) wake(list string) { s.rest(list, false) }

func (s *step) rest(list string, asleep bool) {
	for _, id := range s.opened(list) {
		name := list + "/" + id
		o := s.m.Open[name]
		if o.Asleep == asleep {
			continue
		}
		o.Asleep = asleep
		s.m.Open[name] = o
		n := int64(1)
		if asleep {
			n = -1
		}
		s.stand(list, id, o.Code, o.At, n)
	}
}

// stand changes the lists of every division of the case, and where the case is
// found in those of which the cases can be asked for.
func (s *step) stand(list, id, code string, at time.Time, n int64) {
	for _, d := range s.m.Path {
		s.moves = append(s.moves, move{
			key:      table.Key{PK: cellPK(d, s.m.Programme), SK: standingSK(list, code, at)},
			standing: func(o *standing) error { return o.add(at, n) },
			fresh:    func() *standing { return &standing{list: list, code: code} },
		})
	}
	if !listed(list) {
		return
	}
	of := s.about(Case{Indicator: ID(list), Code: code, At: at, Township: s.m.township(), Programme: s.m.Programme, Day: s.m.Day})
	m := move{key: table.Key{PK: matterPK(s.m.Noun, s.m.ID), SK: "OPEN#" + list + "#" + id}, body: func() ([]byte, error) { return encodeCase(of) }}
	if n > 0 {
		sk := stamp(at) + "#" + s.m.ID
		m.places = []table.Place{
			{Index: table.ByWork, PK: openPK(list, s.m.township(), s.m.Programme), SK: sk},
			{Index: table.ByOwner, PK: openPK(list, s.m.owner(), s.m.Programme) + above, SK: sk},
		}
	}
	s.moves = append(s.moves, m)
}

// time is when something happened to the case; zero when it has not.
func (s *step) time(what string) time.Time { return s.m.Times[what] }

// once remembers when something first happened; false when it had already.
func (s *step) once(what string) bool {
	if !s.m.Times[what].IsZero() {
		return false
	}
	s.set(what, s.At)
	return true
}

func (s *step) set(what string, at time.Time) {
	if s.m.Times == nil {
		s.m.Times = map[string]time.Time{}
	}
	s.m.Times[what] = at
}

func (s *step) word(what, is string) {
	if s.m.Words == nil {
		s.m.Words = map[string]string{}
	}
	s.m.Words[what] = is
}

func (s *step) amount(what string, is money.Fen) {
	if s.m.Fen == nil {
		s.m.Fen = map[string]money.Fen{}
	}
	s.m.Fen[what] = is
}

// moment reads a time among the facts; zero when there is none.
func (s *step) moment(fact string) time.Time {
	t, err := time.Parse(time.RFC3339, s.Facts.Text(fact))
	if err != nil {
		return time.Time{}
	}
	return t
}

// number reads a whole number among the facts, fresh or read back.
func number(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

// staffID is who acted, if it was a member of staff.
func (s *step) staffID() string {
	if s.Actor.Kind != event.Staff {
		return ""
	}
	return s.Actor.ID
}

// remember reads what a pattern over several cases is recognised by into to, and
// writes it with the step once change is done with it.
func remember[T any](s *step, key table.Key, change func(*T) error) error {
	of, ok := s.seen[key].(*T)
	if !ok {
		of = new(T)
		body, err := s.read(s.ctx, key)
		if err != nil {
			return err
		}
		if body != nil {
			if err := json.Unmarshal(body, of); err != nil {
				return fmt.Errorf("indicator: %s: %w", key.PK, err)
			}
		}
		s.seen[key] = of
	}
	if err := change(of); err != nil {
		return err
	}
	s.moves = append(s.moves, move{key: key, body: func() ([]byte, error) { return json.Marshal(of) }})
	return nil
}
