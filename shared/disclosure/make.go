package disclosure

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
)

// Decision is a fact of a decision with what its line is made from.
type Decision struct {
	Fact
	Application string
	Name        string // from Name; empty for NoName
	Persons     int
	At          time.Time
	Office      string
	Not         []string // accounts of those who decided or proposed
	Posting     string   // id; empty for what was decided
}

// NoName stands where a region posts no names.
const NoName = "（不具名）"

// minor is the age below which nobody is named.
const minor = 18

// Name is how the subject of p is named in public on that day: masked; for a
// minor as a child of the guardian, masked; not at all when nobody can tell the
// age. It is the only way a name gets into a document.
func Name(p application.Particulars, on civil.Day) string {
	number, ok := p.Subject.Paper.IDNumber()
	if !ok || number.Birth().IsZero() {
		return NoName
	}
	if !number.Under(minor, on) {
		return p.Subject.Name.Masked()
	}
	if g, ok := guardian(p, on); ok {
		return g.Name.Masked() + "之子女"
	}
	return NoName
}

// guardian is a parent in the household, or whose account takes the money; never
// another minor.
func guardian(p application.Particulars, on civil.Day) (application.Person, bool) {
	grown := func(who application.Person) bool {
		number, ok := who.Paper.IDNumber()
		return ok && !number.Birth().IsZero() && !number.Under(minor, on) && !who.Name.Empty()
	}
	for _, m := range p.Members {
		if m.Kinship == application.Parent && grown(m.Person) {
			return m.Person, true
		}
	}
	if p.Holder != application.RoleSubject {
		if who := p.Payee(); grown(who) {
			return who, true
		}
	}
	return application.Person{}, false
}

// Ledger is what one county's money did, as far as it is not told yet.
type Ledger struct {
	Decisions []Decision
	Paid      []Fact
	Returned  []Fact
	// Appropriated is by township, of the whole year.
	Appropriated map[civil.DivisionCode]money.Fen
}

// Heading is what stands over an edition.
type Heading struct {
	Kind      string
	Title     string
	County    civil.DivisionCode
	Year      int
	At        time.Time
	Days      int // that it stays public, the day it is made not counted
	LeastCell int
	Named     bool
	// Place is the name of a division.
	Place func(civil.DivisionCode) string
}

// MaxLines is how many decisions one edition tells; what is more comes in the next.
const MaxLines = 400

// Make is the next edition after before, of what l has and before does not tell.
// ok is false when there is nothing to tell: too few people, or nothing new.
func Make(h Heading, l Ledger, before []Edition) (e Edition, ok bool, err error) {
	decisions := slices.Clone(l.Decisions)
	slices.SortStableFunc(decisions, func(a, b Decision) int { return a.At.Compare(b.At) }) // the oldest are told first
	by := map[string]Decision{}
	var facts []Fact
	for _, d := range decisions[:min(len(decisions), MaxLines)] {
		by[d.Key], facts = d, append(facts, d.Fact)
	}
	awarded, _ := Coarsen(facts, h.LeastCell)
	paid, _ := Coarsen(townships(l.Paid), h.LeastCell)
	returned, _ := Coarsen(townships(l.Returned), h.LeastCell)
	if max(len(awarded), len(paid), len(returned)) == 0 {
		return e, false, nil
	}
	number := len(before) + 1
	e = Edition{ID: EditionID(h.County, h.Year, number), Version: 1, County: h.County, Year: h.Year, Number: number, Made: h.At,
		Until: calendar.Today(h.At).AddDays(h.Days + 1).Start(calendar.Zone), Sources: []Source{}}
	d := Document{ID: e.ID, Number: number, Kind: h.Kind, Title: h.Title, County: string(h.County), CountyName: h.Place(h.County), Year: h.Year,
		MadeOn: day(h.At), UntilDay: calendar.Today(h.At).AddDays(h.Days).String(), Authority: h.Place(h.County) + "民政部门",
		Basis: "《中华人民共和国社会救助法》第四十五条", Objection: objection, LeastCell: h.LeastCell, Places: []Told{}, Paid: []Sum{}, Returned: []Sum{}}
	for _, c := range awarded {
		told := Told{Place: string(c.Place), PlaceName: h.Place(c.Place), Persons: c.Persons(), Lines: []Line{}}
		for _, f := range c.Facts {
			line, source := h.line(e.ID, by[f.Key])
			told.Lines, e.Sources = append(told.Lines, line), append(e.Sources, source)
		}
		// Neither the order of the ledger nor that of the alphabet says who came when.
		slices.SortFunc(told.Lines, func(a, b Line) int { return cmp.Compare(a.Line, b.Line) })
		bare, err := e.bare(Awarded, c, h)
		if err != nil {
			return e, false, err
		}
		told.AmountFen = bare.AmountFen
		d.Places = append(d.Places, told)
	}
	for kind, cells := range map[string][]Cell{Paid: paid, Returned: returned} {
		for _, c := range cells {
			bare, err := e.bare(kind, c, h)
			if err != nil {
				return e, false, err
			}
			sum := Sum{bare.Place, bare.PlaceName, bare.Persons, bare.AmountFen}
			if kind == Paid {
				d.Paid = append(d.Paid, sum)
			} else {
				d.Returned = append(d.Returned, sum)
			}
		}
	}
	slices.Sort(e.Keys)
	slices.SortFunc(e.Cells, func(a, b Bare) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Place, b.Place)) })
	if d.Funds, d.Total, err = Funds(h.County, l.Appropriated, append(slices.Clone(before), e), h.Place); err != nil {
		return e, false, err
	}
	e, err = e.with(d)
	return e, err == nil, err
}

const objection = "对其中任何一行有不同意见，可以在小程序该行点“提出异议”，由没有参与决定的人答复；也可以拨打12345。"

// line is d as the public reads it, and what it was made from.
func (h Heading) line(edition string, d Decision) (Line, Source) {
	id := ident.Derive("line", edition, d.Key)
	name := NoName
	if h.Named && d.Name != "" {
		name = d.Name
	}
	l := Line{Line: id, Name: name, Programme: "急难型临时救助（先行救助）", Persons: d.Persons, AmountFen: d.AmountFen, DecidedBy: d.Office}
	if d.Posting == "" {
		l.DecidedOn = day(d.At)
	} else {
		l.Programme = "急难型临时救助（拟救助，尚未决定）"
	}
	return l, Source{Line: id, Application: d.Application, Not: d.Not, Posting: d.Posting}
}

// bare notes the cell c in e.
func (e *Edition) bare(kind string, c Cell, h Heading) (Bare, error) {
	b := Bare{Kind: kind, Place: string(c.Place), PlaceName: h.Place(c.Place), Township: string(c.Place), Persons: c.Persons()}
	if c.Place.Level() == civil.VillageLevel {
		b.Township = string(c.Facts[0].Township)
	}
	for _, f := range c.Facts {
		e.Keys, b.AmountsFen = append(e.Keys, f.Key), append(b.AmountsFen, f.AmountFen)
	}
	slices.Sort(b.AmountsFen)
	var err error
	if b.AmountFen, err = money.Sum(b.AmountsFen...); err != nil {
		return b, fmt.Errorf("disclosure: %s: %w", c.Place, err)
	}
	e.Cells = append(e.Cells, b)
	return b, nil
}

// townships are facts told of no village, as many as one edition tells.
func townships(facts []Fact) []Fact {
	out := slices.Clone(facts[:min(len(facts), MaxLines)])
	for i := range out {
		out[i].Village = out[i].Township
	}
	return out
}

// Funds are the rows of a county's year, made of what was appropriated and what
// the editions tell: so every sum in them can be made again from what is public,
// and none tells of people who are held back.
func Funds(county civil.DivisionCode, appropriated map[civil.DivisionCode]money.Fen, told []Edition, name func(civil.DivisionCode) string) ([]Fund, Fund, error) {
	rows := map[string]*Fund{}
	row := func(place string) *Fund {
		if rows[place] == nil {
			rows[place] = &Fund{Place: place, PlaceName: name(civil.DivisionCode(place))}
		}
		return rows[place]
	}
	total := Fund{Place: string(county), PlaceName: name(county) + "合计"}
	var sums summer
	for place, fen := range appropriated {
		sums.add(&row(string(place)).AppropriatedFen, fen)
	}
	for _, e := range told {
		for _, c := range e.Cells {
			r := row(c.Township)
			switch c.Kind {
			case Awarded:
				sums.add(&r.AwardedFen, c.AmountFen)
				r.Awarded += c.Persons
			case Paid:
				sums.add(&r.PaidFen, c.AmountFen)
				r.Paid += c.Persons
			case Returned:
				sums.add(&r.ReturnedFen, c.AmountFen)
			}
		}
	}
	out := []Fund{}
	for _, r := range rows {
		if r.Place == string(county) {
			r.PlaceName += "（人数少的乡镇、街道合并）"
		}
		sums.balance(r)
		out = append(out, *r)
		sums.add(&total.AppropriatedFen, r.AppropriatedFen)
		sums.add(&total.AwardedFen, r.AwardedFen)
		sums.add(&total.PaidFen, r.PaidFen)
		sums.add(&total.ReturnedFen, r.ReturnedFen)
		total.Awarded, total.Paid = total.Awarded+r.Awarded, total.Paid+r.Paid
	}
	sums.balance(&total)
	slices.SortFunc(out, func(a, b Fund) int { return cmp.Compare(a.Place, b.Place) })
	return out, total, sums.err
}

// summer adds amounts and keeps the first thing that went wrong.
type summer struct{ err error }

func (s *summer) add(to *money.Fen, fen money.Fen) {
	sum, err := to.Add(fen)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("disclosure: %w", err)
	}
	*to = sum
}

func (s *summer) balance(r *Fund) {
	r.BalanceFen = 0
	s.add(&r.BalanceFen, r.AppropriatedFen)
	s.add(&r.BalanceFen, -r.PaidFen)
	s.add(&r.BalanceFen, r.ReturnedFen)
}
