package disclosure_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
)

// posts is an office of a region that wants proposals posted for three working days.
func posts(t *testing.T) *firstaidtest.Office {
	t.Helper()
	return firstaidtest.New(t, func(text []byte) []byte {
		text = bytes.ReplaceAll(text, []byte("pre_days:\n    value: 0"), []byte("pre_days:\n    value: 3"))
		text = bytes.ReplaceAll(text, []byte("pre_kind:\n    value: NATURAL"), []byte("pre_kind:\n    value: WORKING"))
		return bytes.ReplaceAll(text, []byte("skip_if_emergency:\n    value: true"), []byte("skip_if_emergency:\n    value: false"))
	})
}

// ask is a proposal of 6,000 yuan with the posting it waits for.
func ask(o *firstaidtest.Office, change ...func(*application.Submission)) (application.Application, disclosure.Posting) {
	o.T.Helper()
	by := event.Actor{Kind: event.Staff, ID: "320400-clerk-1", Person: "b1.one"}
	id := o.Verify(o.Apply(o.Person(), change...).ID).ID
	a := o.Read(id)
	c, err := o.Open(context.Background(), a)
	if err != nil {
		o.T.Fatal(err)
	}
	rule, ok := c.Rules.Posting(c.Weigh(6000_00, 1))
	if !ok {
		o.T.Fatal("nothing is posted")
	}
	a = o.Change(id, "proposed", func(a application.Application) (application.Application, error) {
		return a.Propose(application.Proposal{By: by, At: o.Now(), AmountFen: 6000_00, Persons: 1, Months: 1, Rail: "bank", Payee: a.Payee,
			Authority: policy.County, Rules: a.Findings.Rules, Posting: disclosure.PostingID(a.ID, a.Version+1)})
	})
	p := disclosure.Ask(a, rule)
	writes, err := p.Writes(p.Event("asked", by, o.Now()))
	book(o, writes, err)
	return a, p
}

// round posts what waits.
func round(o *firstaidtest.Office) disclosure.Round {
	o.T.Helper()
	waiting, err := disclosure.Waiting(context.Background(), o.Store, firstaidtest.County, 2026)
	if err != nil {
		o.T.Fatal(err)
	}
	name := func(code civil.DivisionCode) string { return "地" + string(code[6:]) }
	books := disclosure.Books{Table: o.Store, Box: o.Box, Blind: o.Blind, Tree: o.Tree, Office: name}
	r, err := books.Post(context.Background(), disclosure.Heading{County: firstaidtest.County, Year: 2026, At: o.Now(), LeastCell: 5, Place: name, Named: true}, waiting, 0)
	if err != nil {
		o.T.Fatal(err)
	}
	return r
}

func commit(o *firstaidtest.Office, e disclosure.Edition, kind string) {
	o.T.Helper()
	writes, err := disclosure.Writes(e, e.Event(kind, disclosure.System, o.Now()))
	book(o, writes, err)
}

func TestWherePostingStands(t *testing.T) {
	t.Parallel()
	o := posts(t)
	a, p := ask(o)
	if p.Rule.Days != 3 || !p.Rule.Working || p.Rule.Source == "" {
		t.Errorf("%+v", p.Rule)
	}
	stands := func(want disclosure.Standing, conditions int, refused error) {
		t.Helper()
		now, err := disclosure.PostingOf(t.Context(), o.Store, a)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := now.Stands(t.Context(), o.Store, o.Now())
		if got != want || err != nil || got.Label() == "" {
			t.Errorf("it is %s, want %s, %v", got, want, err)
		}
		writes, err := disclosure.Passed(t.Context(), o.Store, a, o.Now())
		if len(writes) != conditions || !errors.Is(err, refused) {
			t.Errorf("%s: %d conditions, %v", want, len(writes), err)
		}
	}
	stands(disclosure.Unposted, 0, disclosure.ErrPosting)
	r := round(o)
	e := r.Edition
	// Made on a Friday: three working days end with Wednesday.
	if e.Until.Format(time.DateTime) != "2026-11-26 00:00:00" || document(t, e).UntilDay != "2026-11-25" {
		t.Errorf("until %s, %s", e.Until, document(t, e).UntilDay)
	}
	if err := disclosure.Prepare(t.Context(), o.Store, e, e.Event("prepared", disclosure.System, o.Now()), r.Also...); err != nil {
		t.Fatal(err)
	}
	if err := disclosure.Prepare(t.Context(), o.Store, e, e.Event("prepared", disclosure.System, o.Now()), r.Also...); !errors.Is(err, disclosure.ErrMovedOn) {
		t.Errorf("posted twice: %v", err)
	}
	stands(disclosure.Unposted, 0, disclosure.ErrPosting) // nobody can see it yet

	o.Pass(24 * time.Hour)
	if !e.Late(o.Now()) {
		t.Error("a day is lost and nobody notices")
	}
	e, err := e.Redate(o.Now())
	if err != nil || e.Until.Format(time.DateOnly) != "2026-11-26" || document(t, e).MadeOn != "2026-11-21" {
		t.Errorf("%+v %v", e, err)
	}
	commit(o, e, "redated")
	if e, err = e.Publish(o.Now()); err != nil || e.Late(o.Now().Add(48*time.Hour)) {
		t.Error("it is redated after it was public", err)
	}
	commit(o, e, "published")
	stands(disclosure.Running, 0, disclosure.ErrPosting)

	step := func(change func(disclosure.Posting) disclosure.Posting) {
		t.Helper()
		now, err := disclosure.PostingOf(t.Context(), o.Store, a)
		if err != nil {
			t.Fatal(err)
		}
		next := change(now)
		writes, err := next.Writes(next.Event("changed", disclosure.System, o.Now()))
		book(o, writes, err)
	}
	step(disclosure.Posting.Objected)
	stands(disclosure.Disputed, 0, disclosure.ErrDisputed)
	o.Pass(e.Until.Sub(o.Now()))
	stands(disclosure.Disputed, 0, disclosure.ErrDisputed)
	step(func(p disclosure.Posting) disclosure.Posting { return p.Answered(false) })
	stands(disclosure.Over, 1, nil)
	step(disclosure.Posting.Objected)
	step(func(p disclosure.Posting) disclosure.Posting { return p.Answered(true) })
	stands(disclosure.Overturn, 0, disclosure.ErrOverturned)
}

func TestWhoNeedsNoPosting(t *testing.T) {
	t.Parallel()
	o := posts(t)
	a := o.Verify(o.Apply(o.Person()).ID)
	if writes, err := disclosure.Passed(t.Context(), o.Store, a, o.Now()); len(writes) != 0 || err != nil {
		t.Errorf("%d conditions, %v", len(writes), err)
	}
	if _, err := disclosure.PostingOf(t.Context(), o.Store, a); !errors.Is(err, disclosure.ErrNotFound) {
		t.Error(err)
	}
	a.Proposal = &application.Proposal{Posting: "gone", At: o.Now()}
	if _, err := disclosure.Passed(t.Context(), o.Store, a, o.Now()); !errors.Is(err, disclosure.ErrNotFound) {
		t.Errorf("a posting that is not there lets a decision pass: %v", err)
	}
	c, err := o.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	// Changzhou's township gives 5,000 yuan by itself, inclusive.
	for fen, want := range map[money.Fen]bool{1: false, 5000_00: false, 5000_01: true} {
		if _, ok := c.Rules.Posting(policy.Outcome{AmountFen: fen, TownshipFen: 5000_00}); ok != want {
			t.Errorf("%d fen: %v", fen, ok)
		}
	}
}

// P05, X118: five of a village are told with figures and masked names; what is
// fewer in the whole county without either; what is gone is told of by nobody.
func TestWhatIsPosted(t *testing.T) {
	t.Parallel()
	const village civil.DivisionCode = "320402005001"
	for name, tc := range map[string]struct {
		many  int
		place civil.DivisionCode
		bare  bool
	}{
		"four":       {4, firstaidtest.County, true},
		"five":       {5, village, false},
		"only_gone":  {0, "", false},
		"one_person": {1, firstaidtest.County, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := posts(t)
			gone, _ := ask(o, in(village))
			o.Change(gone.ID, "withdrawn", func(a application.Application) (application.Application, error) { return a.Withdraw() })
			anew, old := ask(o, in(village)) // its amount was changed for a small one
			o.Change(anew.ID, "proposed", func(a application.Application) (application.Application, error) {
				p := *a.Proposal
				p.Posting, p.AmountFen = "", 1100_00
				return a.Propose(p)
			})
			for range tc.many {
				ask(o, in(village))
			}
			r := round(o)
			if tc.many == 0 {
				if r.Edition.ID != "" {
					t.Errorf("%+v", r.Edition)
				}
				book(o, r.Also, nil)
				if p, err := disclosure.GetPosting(t.Context(), o.Store, old.County, old.Year, old.ID); err != nil || !p.Void {
					t.Errorf("%+v %v", p, err)
				}
				if len(round(o).Also) != 0 {
					t.Error("what is void waits")
				}
				return
			}
			d := document(t, r.Edition)
			if len(d.Places) != 1 || d.Places[0].Place != string(tc.place) || len(d.Places[0].Lines) != tc.many || len(r.Edition.Sources) != tc.many {
				t.Fatalf("%+v", d.Places)
			}
			if r.Edition.Number != 1 || d.Number != 1 || r.Edition.ID != disclosure.EditionID(firstaidtest.County, 2026, 1) {
				t.Errorf("the first edition is number %d", r.Edition.Number)
			}
			for _, s := range r.Edition.Sources {
				if !slices.Equal(s.Not, []string{"320400-clerk-1", "b1.one"}) || s.PostingYear != 2026 || s.Posting == "" {
					t.Errorf("%+v", s)
				}
			}
			told := d.Places[0]
			for _, l := range told.Lines {
				bare := l.Name == disclosure.NoName && l.AmountFen == 0 && l.Persons == 0 && told.Persons == 0 && told.AmountFen == 0
				if bare != tc.bare || !tc.bare && l.Name != "王*安" || l.DecidedOn != "" || l.DecidedBy == "" {
					t.Errorf("%+v", l)
				}
			}
			page := string(disclosure.Page(d))
			for _, word := range []string{"社会救助事前公示", "还没有决定", "提出异议", d.Basis} {
				if !strings.Contains(page, word) {
					t.Errorf("no %s on the page", word)
				}
			}
			if strings.Contains(page, "资金使用") || tc.bare && strings.Contains(page, "¥") || !strings.Contains(page, `data-word="拟救助金额"`) {
				t.Errorf("%s", page)
			}
			published, err := r.Edition.Publish(o.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := disclosure.Open([]disclosure.Edition{published}); !errors.Is(err, disclosure.ErrNotFound) {
				t.Errorf("what is proposed is open data: %v", err)
			}
		})
	}
}

func TestABadPostingIsNotRead(t *testing.T) {
	t.Parallel()
	o := posts(t)
	for id, body := range map[string]string{"x": `{`, "y": `{"id":"y","version":2}`} {
		item := table.Item{Key: table.Key{PK: disclosure.PostingPartition(firstaidtest.County, 2026), SK: "AT#" + id}, Version: 1, Body: []byte(body)}
		book(o, []table.Write{table.Put{Item: item}}, nil)
		if _, err := disclosure.GetPosting(t.Context(), o.Store, firstaidtest.County, 2026, id); err == nil {
			t.Error(id)
		}
	}
	if _, err := disclosure.Waiting(t.Context(), o.Store, firstaidtest.County, 2026); err == nil {
		t.Error("a list with what cannot be read")
	}
}

// Of postings with different terms in one edition the longest counts for all, and
// whoever was asked first is told first.
func TestTheLongestTermOfAnEdition(t *testing.T) {
	t.Parallel()
	o := posts(t)
	for _, days := range []int{3, 5, 1} {
		_, p := ask(o)
		p.Version, p.Rule.Days = p.Version+1, days
		writes, err := p.Writes(p.Event("changed", disclosure.System, o.Now()))
		book(o, writes, err)
		o.Pass(time.Minute)
	}
	waiting, err := disclosure.Waiting(t.Context(), o.Store, firstaidtest.County, 2026)
	if err != nil || len(waiting) != 3 || waiting[0].Rule.Days != 3 || waiting[1].Rule.Days != 5 || waiting[2].Rule.Days != 1 {
		t.Fatal(waiting, err)
	}
	r := round(o)
	if r.Edition.Rule.Days != 5 || r.Edition.Until.Format(time.DateOnly) != "2026-11-28" || document(t, r.Edition).UntilDay != "2026-11-27" {
		t.Errorf("%d days, until %s", r.Edition.Rule.Days, r.Edition.Until)
	}
	book(o, r.Also, nil)
	if left, err := disclosure.Waiting(t.Context(), o.Store, firstaidtest.County, 2026); err != nil || len(left) != 0 {
		t.Errorf("%d wait after they were posted, %v", len(left), err)
	}
}

// Only what posts proposals can be late, only before it is public, and only on
// another day than it says.
func TestWhatIsLate(t *testing.T) {
	t.Parallel()
	rule := policy.Posting{Days: 3}
	tomorrow := noon.Add(24 * time.Hour)
	for name, c := range map[string]struct {
		e    disclosure.Edition
		at   time.Time
		want bool
	}{
		"the same day":    {disclosure.Edition{Rule: &rule, Made: noon}, noon.Add(11 * time.Hour), false},
		"the next day":    {disclosure.Edition{Rule: &rule, Made: noon}, noon.Add(12 * time.Hour), true},
		"public":          {disclosure.Edition{Rule: &rule, Made: noon, Published: noon}, tomorrow, false},
		"what is decided": {disclosure.Edition{Made: noon}, tomorrow, false},
	} {
		if c.e.Late(c.at) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}
