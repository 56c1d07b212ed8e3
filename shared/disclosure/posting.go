package disclosure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
)

// PostingNoun names postings in events.
const PostingNoun = "posting"

// Posting is one proposal that the region wants posted before it is decided on
// (公示). It is asked for in the transaction of the proposal and told in an edition;
// it is over by itself on that edition's day. Nobody approves the proposal before,
// nor while an objection waits for its answer, nor after one was upheld: then
// somebody proposes anew or refuses. What a township may give first is never posted
// before (policy.Rules.Posting), so a posting keeps nobody from first-step aid.
type Posting struct {
	ID          string             `json:"id"`
	Version     int64              `json:"version"`
	Application string             `json:"application"`
	County      civil.DivisionCode `json:"county"`
	Year        int                `json:"year"` // in which it was asked for
	At          time.Time          `json:"at"`
	Rule        policy.Posting     `json:"rule"`
	// Edition and Line are where it is told; empty while it waits for that.
	Edition string `json:"edition,omitempty"`
	Line    string `json:"line,omitempty"`
	// Void: the proposal was gone before anybody was told of it.
	Void bool `json:"void,omitempty"`
	// Open is how many objections wait for an answer, Upheld how many were upheld.
	Open   int `json:"open,omitempty"`
	Upheld int `json:"upheld,omitempty"`
}

// PostingID is the id of the posting of the proposal that made that version of an
// application.
func PostingID(application string, version int64) string {
	return ident.Derive("posting", application, fmt.Sprint(version))
}

// Ask is the posting that proposal p of a, whose present version made it, waits for.
func Ask(a application.Application, rule policy.Posting) Posting {
	return Posting{ID: a.Proposal.Posting, Version: 1, Application: a.ID, County: a.County, Year: calendar.Today(a.Proposal.At).Year(),
		At: a.Proposal.At, Rule: rule}
}

// PostingPartition is where the postings of one county and year are kept, each
// under its id, with the event of each version.
func PostingPartition(county civil.DivisionCode, year int) string {
	return fmt.Sprintf("POSTING#%s#%04d", county, year)
}

const postings = "AT#"

func postingKey(county civil.DivisionCode, year int, id string) table.Key {
	return table.Key{PK: PostingPartition(county, year), SK: postings + id}
}

// Key is where p is kept.
func (p Posting) Key() table.Key { return postingKey(p.County, p.Year, p.ID) }

// Event begins the event of p's present version. It never says who objected.
func (p Posting) Event(kind string, by event.Actor, at time.Time) event.Event {
	return event.Event{PK: p.Key().PK, Noun: PostingNoun, ID: p.ID, Version: p.Version, Kind: kind, At: at, Actor: by,
		Facts: event.Facts{"application": p.Application, "days": p.Rule.Days, "working": p.Rule.Working, "edition": p.Edition, "line": p.Line,
			"open": p.Open, "upheld": p.Upheld}}
}

// Writes is one step of p with its event.
func (p Posting) Writes(ev event.Event) ([]table.Write, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("disclosure: %w", err)
	}
	return ev.With(table.Item{Key: p.Key(), Version: p.Version, Body: body})
}

// GetPosting reads one posting strongly; ErrNotFound when there is none.
func GetPosting(ctx context.Context, t table.Store, county civil.DivisionCode, year int, id string) (Posting, error) {
	item, ok, err := t.Get(ctx, postingKey(county, year, id))
	if err != nil {
		return Posting{}, err
	}
	if !ok {
		return Posting{}, ErrNotFound
	}
	return decodePosting(item)
}

// PostingOf is the posting that the proposal of a waits for; ErrNotFound when it
// waits for none.
func PostingOf(ctx context.Context, t table.Store, a application.Application) (Posting, error) {
	if a.Proposal == nil || a.Proposal.Posting == "" {
		return Posting{}, ErrNotFound
	}
	return GetPosting(ctx, t, a.County, calendar.Today(a.Proposal.At).Year(), a.Proposal.Posting)
}

func decodePosting(item table.Item) (Posting, error) {
	var p Posting
	if err := json.Unmarshal(item.Body, &p); err != nil {
		return p, fmt.Errorf("disclosure: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	if p.Version != item.Version {
		return p, fmt.Errorf("disclosure: %s/%s: the item and its body disagree on the version", item.Key.PK, item.Key.SK)
	}
	return p, nil
}

// Waiting reads the postings of a county and year that nobody was told of yet, the
// oldest first.
func Waiting(ctx context.Context, t table.Store, county civil.DivisionCode, year int) ([]Posting, error) {
	var all []Posting
	for item, err := range table.All(ctx, t, table.Query{PK: PostingPartition(county, year)}.Prefix(postings)) {
		if err != nil {
			return nil, err
		}
		p, err := decodePosting(item)
		if err != nil {
			return nil, err
		}
		if p.Edition == "" && !p.Void {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Posting) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Objected is p with one more objection that waits for an answer.
func (p Posting) Objected() Posting {
	p.Version++
	p.Open++
	return p
}

// Answered is p after one of its objections was answered.
func (p Posting) Answered(upheld bool) Posting {
	p.Version++
	p.Open--
	if upheld {
		p.Upheld++
	}
	return p
}

// voided is p for a proposal that is gone.
func (p Posting) voided() Posting {
	p.Version++
	p.Void = true
	return p
}

// Standing is where a posting stands for those who wait for it.
type Standing string

// The standings.
const (
	Unposted Standing = "waiting"  // 待公示
	Running  Standing = "posted"   // 公示中
	Disputed Standing = "disputed" // 有异议待答复
	Overturn Standing = "upheld"   // 异议成立
	Over     Standing = "over"     // 公示期满，没有异议或者异议不成立
)

// Label is the standing in Chinese.
func (s Standing) Label() string {
	return map[Standing]string{Unposted: "待公示", Running: "公示中", Disputed: "公示有异议，待答复", Overturn: "公示异议成立", Over: "公示期满"}[s]
}

// Stands is where p stands at now, and until when it is posted; the time is zero
// while it is not.
func (p Posting) Stands(ctx context.Context, t table.Store, now time.Time) (Standing, time.Time, error) {
	if p.Edition == "" {
		return Unposted, time.Time{}, nil
	}
	e, err := Get(ctx, t, p.Edition)
	if err != nil {
		return "", time.Time{}, err
	}
	switch {
	case e.Published.IsZero():
		return Unposted, time.Time{}, nil
	case p.Upheld > 0:
		return Overturn, e.Until, nil
	case p.Open > 0:
		return Disputed, e.Until, nil
	case now.Before(e.Until):
		return Running, e.Until, nil
	}
	return Over, e.Until, nil
}

// Passed is the condition under which the proposal of a may be approved at now: nil
// where it waits for no posting. While it does, ErrPosting, ErrDisputed or
// ErrOverturned. That another objection comes meanwhile fails the condition.
func Passed(ctx context.Context, t table.Store, a application.Application, now time.Time) ([]table.Write, error) {
	if a.Proposal == nil || a.Proposal.Posting == "" {
		return nil, nil
	}
	p, err := PostingOf(ctx, t, a)
	if err != nil {
		return nil, err
	}
	standing, until, err := p.Stands(ctx, t, now)
	if err != nil {
		return nil, err
	}
	switch standing {
	case Over:
		return []table.Write{table.Check{Key: p.Key(), Version: p.Version}}, nil
	case Overturn:
		return nil, ErrOverturned
	case Disputed:
		return nil, ErrDisputed
	case Running:
		return nil, ErrPosting.With(fault.Field{Pointer: "/proposal_version", Code: "posted-until", Detail: "公示到" + lastDay(until).Chinese() + "为止。"})
	}
	return nil, ErrPosting.With(fault.Field{Pointer: "/proposal_version", Code: "posting-waits", Detail: "下一期公示刊出后开始计算。"})
}

// lastDay is the day before until begins.
func lastDay(until time.Time) civil.Day { return calendar.Today(until.Add(-time.Second)) }

// MaxPosted is how many proposals one edition posts, so that it and they are one
// transaction.
const MaxPosted = 40

// Round is the edition that posts what is asked, without an ID when all of it was
// void, and what its transaction writes beside it.
type Round struct {
	Edition Edition
	Also    []table.Write
}

// Post makes the edition after before that posts the proposals in asked, at most
// MaxPosted of them. Those of a county with fewer than k people are not held back,
// because somebody waits for the decision: they are lines of the county without
// name and figure.
func (b Books) Post(ctx context.Context, h Heading, asked []Posting, before int) (r Round, err error) {
	by := map[string]Decision{}
	posting := map[string]Posting{}
	var facts []Fact
	var rule policy.Posting
	for _, p := range asked[:min(len(asked), MaxPosted)] {
		d, stands, err := b.proposal(ctx, p)
		if err != nil {
			return r, err
		}
		if !stands {
			void := p.voided()
			writes, err := void.Writes(void.Event("voided", System, h.At))
			if err != nil {
				return r, err
			}
			r.Also = append(r.Also, writes...)
			continue
		}
		by[d.Key], posting[d.Key], facts = d, p, append(facts, d.Fact)
		if p.Rule.End(h.At).After(rule.End(h.At)) {
			rule = p.Rule
		}
	}
	if len(facts) == 0 {
		return r, nil
	}
	number := before + 1
	end := rule.End(h.At)
	e := Edition{ID: EditionID(h.County, h.Year, number), Version: 1, County: h.County, Year: h.Year, Number: number, Made: h.At, Until: end,
		Sources: []Source{}, Rule: &rule}
	d := Document{ID: e.ID, Number: number, Kind: Proposals, Title: "社会救助事前公示", County: string(h.County), CountyName: h.Place(h.County), Year: h.Year,
		MadeOn: day(h.At), UntilDay: lastDay(end).String(), Authority: h.Place(h.County) + "民政部门", Basis: rule.Source, Objection: objectFirst,
		LeastCell: h.LeastCell, Places: []Told{}, Paid: []Sum{}, Returned: []Sum{}, Funds: []Fund{}}
	cells, few := Coarsen(facts, h.LeastCell)
	for _, c := range cells {
		told := Told{Place: string(c.Place), PlaceName: h.Place(c.Place), Persons: c.Persons(), Lines: []Line{}}
		for _, f := range c.Facts {
			if told.AmountFen, err = told.AmountFen.Add(f.AmountFen); err != nil {
				return r, fmt.Errorf("disclosure: %s: %w", c.Place, err)
			}
			line, source := h.line(e.ID, by[f.Key])
			told.Lines, e.Sources = append(told.Lines, line), append(e.Sources, source)
		}
		d.Places = append(d.Places, told)
	}
	if len(few) > 0 {
		told := Told{Place: string(h.County), PlaceName: h.Place(h.County) + fmt.Sprintf("（合计不足%d人，不列姓名、人口和金额）", h.LeastCell), Lines: []Line{}}
		for _, f := range few {
			line, source := h.line(e.ID, by[f.Key])
			told.Lines = append(told.Lines, Line{Line: line.Line, Name: NoName, Programme: line.Programme, DecidedBy: line.DecidedBy})
			e.Sources = append(e.Sources, source)
		}
		d.Places = append(d.Places, told)
	}
	for i := range d.Places {
		slices.SortFunc(d.Places[i].Lines, func(a, b Line) int { return cmp.Compare(a.Line, b.Line) })
	}
	for i, s := range e.Sources {
		p := posting[s.Posting]
		p.Version++
		p.Edition, p.Line = e.ID, s.Line
		e.Sources[i].PostingYear = p.Year
		writes, err := p.Writes(p.Event("posted", System, h.At))
		if err != nil {
			return r, err
		}
		r.Also = append(r.Also, writes...)
	}
	r.Edition, err = e.with(d)
	return r, err
}

const objectFirst = "这些还没有决定。对其中任何一行有不同意见，可以在公示期内在小程序该行点“提出异议”，由没有参与的人答复，答复以前不作决定；也可以拨打12345。"

// proposal is what p posts; stands is false when the proposal is gone.
func (b Books) proposal(ctx context.Context, p Posting) (d Decision, stands bool, err error) {
	a, err := application.Get(ctx, b.Table, p.Application)
	if err != nil {
		return d, false, err
	}
	if stopped(a) || a.State != application.Proposed || a.Proposal == nil || a.Proposal.Posting != p.ID {
		return d, false, nil
	}
	who, _, err := application.OpenParticulars(ctx, b.Table, b.Box, a.ID)
	if errors.Is(err, application.ErrNotFound) {
		return d, false, nil // erased
	}
	if err != nil {
		return d, false, err
	}
	not := []string{}
	for _, name := range []string{a.Proposal.By.ID, a.Proposal.By.Person} {
		if name != "" {
			not = append(not, name)
		}
	}
	f := Fact{Key: p.ID, Person: who.Ref(b.Blind, a.ID, application.RoleSubject), Village: a.Place, Township: a.Township, County: a.County,
		AmountFen: a.Proposal.AmountFen}
	if v, _ := b.Tree.TownshipOf(a.Place, calendar.Today(a.AcceptedAt)); v.Code != a.Township {
		f.Village = a.Township
	}
	return Decision{Fact: f, Application: a.ID, Name: Name(who, calendar.Today(p.At)), Persons: a.Proposal.Persons, Office: b.Office(a.County), Not: not, Posting: p.ID}, true, nil
}

// Redate begins the posting of e anew at now, because the log took its hash on
// another day than it was made: nobody is posted for a day less than the region wants.
func (e Edition) Redate(now time.Time) (Edition, error) {
	d, err := e.Document()
	if err != nil {
		return e, err
	}
	e.Version++
	e.Made, e.Until = now, e.Rule.End(now)
	d.MadeOn, d.UntilDay = day(now), lastDay(e.Until).String()
	return e.with(d)
}

// Late reports whether e posts proposals and would be public for less than it says.
func (e Edition) Late(now time.Time) bool {
	return e.Rule != nil && e.Published.IsZero() && calendar.Today(e.Made) != calendar.Today(now)
}
