// Package roster puts into a region what nothing can begin without: the people
// who work there, and the money that was set aside. Both come from a file that
// two people have signed off on paper; everything in it is checked before
// anything is written, and what is there already is left as it is.
package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// File is a roster as it is written. It holds names and identity numbers, so it
// belongs on the operator's machine and nowhere else.
type File struct {
	Region string  `toml:"region"` // six digits
	Staff  []Post  `toml:"staff"`
	Money  []Money `toml:"appropriation"`
}

// Post is one person in one role.
type Post struct {
	ID       string    `toml:"id"` // without the region: "clerk-1"
	Name     string    `toml:"name"`
	Paper    string    `toml:"paper"` // identity number
	Role     string    `toml:"role"`
	Division string    `toml:"division"` // twelve digits
	From     time.Time `toml:"from"`
	Kin      []string  `toml:"kin"` // identity numbers of declared near relatives (近亲属备案)
}

// Money is one appropriation to one slice of one fund.
type Money struct {
	Purpose   string `toml:"purpose"` // as shared/fund has it
	Year      int    `toml:"year"`
	Township  string `toml:"township"` // twelve digits
	AmountFen int64  `toml:"amount_fen"`
	LowFen    int64  `toml:"low_fen"`   // below it, finance is told
	Source    string `toml:"source"`    // whose money it is
	Reference string `toml:"reference"` // of the order, and of nothing else
	First     string `toml:"first"`     // who ordered it, and
	Second    string `toml:"second"`    // who confirmed it; ids of staff in this region
	Document  string `toml:"document"`  // SHA-256 of the order, in hexadecimal
}

// Desk is where a roster is put in.
type Desk struct {
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Tree  *division.Tree
	Now   func() time.Time
}

// Done is what an import did.
type Done struct{ Appointed, Provided, Left int }

// person is a post that was read.
type person struct {
	id    string
	post  Post
	paper civil.Paper
	kin   []civil.Paper
}

// Read reads a roster and reports everything wrong in it. No problem holds a name
// or a number.
func Read(raw []byte, tree *division.Tree, today civil.Day) (File, error) {
	var f File
	meta, err := toml.Decode(string(raw), &f)
	if err != nil {
		var where toml.ParseError
		if errors.As(err, &where) { // its text quotes the line, which may be somebody's
			return File{}, fmt.Errorf("roster: line %d cannot be read", where.Position.Line)
		}
		return File{}, errors.New("roster: it cannot be read: a value is of the wrong kind")
	}
	var problems []error
	say := func(format string, args ...any) { problems = append(problems, fmt.Errorf("roster: "+format, args...)) }
	for _, k := range meta.Undecoded() {
		say("key %s means nothing", k)
	}
	region := civil.DivisionCode(f.Region + "000000")
	if _, known := tree.Find(region, today); !known {
		say("region %q is not one this version ships", f.Region)
	}
	within := func(where, code string) {
		if !tree.Within(civil.DivisionCode(code), region, today) {
			say("%s: division %q is not in the region", where, code)
		}
	}
	ids := map[string]bool{}
	for i, p := range f.Staff {
		where := fmt.Sprintf("staff %d (%s)", i+1, p.ID)
		if p.ID == "" || ids[p.ID] {
			say("%s: has no id, or that of another", where)
		}
		ids[p.ID] = true
		if _, err := p.read(f.Region, today); err != nil {
			say("%s: a name or an identity number cannot be right", where)
		}
		if !slices.Contains(staff.Roles(), staff.Role(p.Role)) {
			say("%s: role %q is not one of %v", where, p.Role, staff.Roles())
		}
		if p.From.IsZero() {
			say("%s: does not say from when", where)
		}
		within(where, p.Division)
	}
	for i, m := range f.Money {
		where := fmt.Sprintf("appropriation %d (%s)", i+1, m.Reference)
		within(where, m.Township)
		if m.First == m.Second {
			say("%s: two people order money, not one", where)
		}
		if m.AmountFen <= 0 || m.Reference == "" || len(m.Document) != 64 || m.Year < 2000 {
			say("%s: amount_fen, reference, year and the SHA-256 of the order are needed", where)
		}
		if !slices.Contains(fund.Purposes(), fund.Purpose(m.Purpose)) {
			say("%s: purpose %q is not one of %v", where, m.Purpose, fund.Purposes())
		}
	}
	return f, errors.Join(problems...)
}

func (p Post) read(region string, today civil.Day) (person, error) {
	out := person{id: region + "-" + p.ID, post: p}
	_, problem := civil.ParseName(p.Name)
	var err error
	out.paper, err = civil.ParsePaper(civil.IDCard, p.Paper, today)
	problem = errors.Join(problem, err)
	for _, number := range p.Kin {
		paper, err := civil.ParsePaper(civil.IDCard, number, today)
		problem = errors.Join(problem, err)
		out.kin = append(out.kin, paper)
	}
	return out, problem
}

// Import puts in what Read has let through. It can be run again: who is there
// stays, and an appropriation is known by its reference.
func Import(ctx context.Context, d Desk, f File) (Done, error) {
	var done Done
	at := d.Now()
	for _, post := range f.Staff {
		p, err := post.read(f.Region, civil.DayOf(at, calendar.Zone))
		if err != nil {
			return done, errors.New("roster: it was not checked") // Read comes first
		}
		if _, err := staff.Get(ctx, d.Table, p.id); !errors.Is(err, staff.ErrNotFound) {
			if err != nil {
				return done, err
			}
			done.Left++
			continue
		}
		if err := d.appoint(ctx, f.Region, p, at); err != nil {
			return done, fmt.Errorf("roster: %s: %w", p.id, err)
		}
		done.Appointed++
	}
	for _, m := range f.Money {
		if err := d.provide(ctx, f.Region, m, at); err != nil {
			return done, fmt.Errorf("roster: %s: %w", m.Reference, err)
		}
		done.Provided++
	}
	return done, nil
}

func (d Desk) appoint(ctx context.Context, region string, p person, at time.Time) error {
	s := staff.Staff{ID: p.id, Region: region, Active: true,
		Grants: []staff.Grant{{Role: staff.Role(p.post.Role), Division: civil.DivisionCode(p.post.Division), From: p.post.From}}}
	var err error
	if s.Name, err = staff.SealName(ctx, d.Box, p.id, redact.New(p.post.Name)); err != nil {
		return err
	}
	if s, err = s.WithPapers(ctx, d.Box, d.Blind, p.paper, p.kin); err != nil {
		return err
	}
	return staff.Appoint(ctx, d.Table, s, event.Actor{Kind: event.System, ID: "roster"}, at)
}

func (d Desk) provide(ctx context.Context, region string, m Money, at time.Time) error {
	var who [2]event.Actor
	for i, id := range []string{m.First, m.Second} {
		s, err := staff.Acting(ctx, d.Table, region+"-"+id)
		if err != nil {
			return err
		}
		who[i] = s.Actor()
	}
	if who[0].Person == who[1].Person {
		return errors.New("two accounts of one person")
	}
	id := fund.ID{Fund: fund.Named(fund.Purpose(m.Purpose), m.Year), Township: civil.DivisionCode(m.Township)}
	return fund.Provide(ctx, d.Table, fund.Slice{ID: id, Source: m.Source, LowFen: money.Fen(m.LowFen)},
		fund.Appropriation{Reference: m.Reference, AmountFen: money.Fen(m.AmountFen), First: who[0], Second: who[1], Document: m.Document, At: at})
}
