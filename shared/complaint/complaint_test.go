package complaint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

const (
	village  = civil.DivisionCode("320402005001")
	township = civil.DivisionCode("320402005000")
	sibling  = civil.DivisionCode("320402002000")
	county   = civil.DivisionCode("320402000000")
	city     = civil.DivisionCode("320400000000")
)

// start is a Friday, half past nine in the morning.
var start = time.Date(2026, 11, 20, 9, 30, 0, 0, calendar.Zone)

func inside(code, in civil.DivisionCode) bool {
	return division.Shipped().Within(code, in, calendar.Today(start))
}

// officer is one of four people; the fifth account belongs to the first.
func officer(n int) event.Actor {
	return event.Actor{Kind: event.Staff, ID: fmt.Sprintf("officer-%d", n), Person: fmt.Sprintf("b1.person-%d", n%4)}
}

func rules(t interface{ Fatal(...any) }) *Rules {
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	r, err := book.Rules(township, calendar.Today(start))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func filed(r *Rules, k Kind) Complaint {
	return New(Complaint{ID: "00000000000000000000000001", Kind: k, Channel: WeChat, Rank: Hardship, Owner: "b1.owner",
		Path: []civil.DivisionCode{village, township, county, city}, Module: "medical-aid", Target: Target{Division: sibling, Staff: "officer-3", Persons: []string{"b1.person-3"}}}, r, start)
}

// Any acts by anybody in any order and at any time, over a store that loses
// writes and answers: what is stored is what the last act made, with an event for
// each version, and nothing of an act that was not; a first deadline never moves,
// no handler is ever the reviewer, nobody complained about does anything, the
// complaint stands in a list of the supervision body after every act, and
// whatever is open is owed to a clock.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	r := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		c, now := filed(r, rapid.SampledFrom(Kinds()).Draw(t, "kind")), start
		if rapid.Bool().Draw(t, "by telephone") {
			taker := officer(0)
			c.Taken = &taker
		}
		clocks := map[string]Clock{}
		told := map[string]int{}
		extended := 0
		life, kept := eventtest.Over(embedded.Memory()), int64(0)
		// keep stores what an act made.
		keep := func(t *rapid.T) {
			if c.Version == kept {
				return
			}
			next, e := c, c.Event("act", officer(0), now)
			life.Step(t, ErrMovedOn, func() error { return Commit(context.Background(), life, next, e) })
			kept = c.Version
		}
		stored := func(t *rapid.T) {
			have, err := Get(context.Background(), life, c.ID)
			if err != nil {
				t.Fatal(err)
			}
			life.Holds(t, Key(c.ID), Noun, c.ID, c.Version, have, c)
		}
		divisions := []civil.DivisionCode{township, sibling, county, city}
		try := func(name string, act func(by event.Actor) (Complaint, error)) func(*rapid.T) {
			return func(t *rapid.T) {
				by := officer(rapid.IntRange(0, 4).Draw(t, "who"))
				n, err := act(by)
				if err != nil {
					if n.Version != c.Version {
						t.Fatalf("%s: refused with %v and yet moved", name, err)
					}
					return
				}
				if n.Version != c.Version+1 {
					t.Fatalf("%s: version %d after %d", name, n.Version, c.Version)
				}
				if c.Target.is(by) {
					t.Fatalf("%s by the one complained about", name)
				}
				c = n
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 24*12).Draw(t, "hours")) * time.Hour) },
			"accept": try("accept", func(by event.Actor) (Complaint, error) {
				return c.Accept(c.Kind, rapid.SampledFrom([]Rank{Urgent, Hardship, Ordinary}).Draw(t, "rank"), c.Target, r, by, now)
			}),
			"decline": try("decline", func(by event.Actor) (Complaint, error) { return c.Decline(NotAccepted, by, now) }),
			"assign": try("assign", func(by event.Actor) (Complaint, error) {
				to := rapid.SampledFrom(divisions).Draw(t, "to")
				n, err := c.Assign(to, nil, inside, r, by, now)
				if err == nil && inside(to, c.Target.Division) {
					t.Fatalf("assigned to the target")
				}
				return n, err
			}),
			"object": try("object", func(by event.Actor) (Complaint, error) { return c.Object(by, now) }),
			"decide": try("decide", func(by event.Actor) (Complaint, error) { return c.Decide(rapid.Bool().Draw(t, "agree"), by, now) }),
			"handle": try("handle", func(by event.Actor) (Complaint, error) { return c.Handle(Upheld, by, now) }),
			"examine": try("examine", func(by event.Actor) (Complaint, error) {
				return c.Examine(rapid.Bool().Draw(t, "pass"), by, now)
			}),
			"answer":    try("answer", func(by event.Actor) (Complaint, error) { return c.Answer(r, by, now) }),
			"rate":      func(*rapid.T) { c, _ = c.Rate(Dissatisfied) },
			"reopen":    func(*rapid.T) { c, _ = c.Reopen(r, now) },
			"supervise": try("supervise", func(by event.Actor) (Complaint, error) { return c.Supervise("note", now.Add(48*time.Hour), by, now) }),
			"report":    try("report", func(by event.Actor) (Complaint, error) { return c.Report("note", by, now) }),
			"look": try("look", func(by event.Actor) (Complaint, error) {
				handlers := c.Handlers
				n, err := c.Look(rapid.Bool().Draw(t, "rectified"), by, now)
				if err == nil && slices.ContainsFunc(handlers, func(h event.Actor) bool { return h.ID == by.ID || h.Person == by.Person }) {
					t.Fatalf("looked back by a handler")
				}
				return n, err
			}),
			"ask more": try("ask more", func(by event.Actor) (Complaint, error) {
				return c.AskExtension(rapid.IntRange(-1, 31).Draw(t, "days"), r, by, now)
			}),
			"grant more": try("grant more", func(by event.Actor) (Complaint, error) {
				grant := rapid.Bool().Draw(t, "grant")
				n, err := c.GrantExtension(grant, by, now)
				if err == nil && grant {
					extended++
				}
				return n, err
			}),
			"pause": try("pause", func(by event.Actor) (Complaint, error) {
				return c.Pause(now.AddDate(0, 0, rapid.IntRange(0, 12).Draw(t, "days")), "hearing", r, by, now)
			}),
			"late":   life.Late,
			"resume": try("resume", func(by event.Actor) (Complaint, error) { return c.Resume(by, now) }),
			"tell": func(t *rapid.T) {
				n, _, ok := c.Tell(now)
				if ok != (n.Version == c.Version+1 && ok) {
					t.Fatal("told without a version")
				}
				if ok {
					c = n
				}
			},
			// The next step as it should be, so that lives get far.
			"on": func(t *rapid.T) {
				n, err := c, error(nil)
				switch c.State {
				case Filed:
					n, err = c.Accept(c.Kind, c.Rank, c.Target, r, officer(1), now)
				case Accepted:
					n, err = c.Assign(divisions[min(2+int(c.Stage), 3)], nil, inside, r, officer(1), now)
				case Assigned:
					n, err = c.Handle(NotUpheld, officer(2), now)
				case Handled:
					n, err = c.Examine(true, officer(1), now)
				case Reviewed:
					n, err = c.Answer(r, officer(2), now)
				case Replied:
					n, err = c.Reopen(r, now)
				}
				if err == nil {
					c = n
				}
			},
			"": func(t *rapid.T) {
				keep(t)
				stored(t)
				for name, k := range map[string]*Clock{"accepting": c.Accepting, "handling": c.Handling} {
					if k == nil {
						continue
					}
					if first, seen := clocks[name]; seen && (!k.At.Equal(first.At) || !k.From.Equal(first.From)) {
						t.Fatalf("the %s clock was set again: %+v, first %+v", name, k, first)
					}
					if k.Told < told[name] {
						t.Fatalf("the %s clock forgot what it told", name)
					}
					clocks[name], told[name] = *k, k.Told
				}
				if _, due := c.Running(); c.Handling != nil && c.Stage == First && c.State != Filed && c.State != Replied &&
					due.Sub(c.Handling.At) > 30*24*time.Hour+time.Duration(r.Clocks.PauseDays.Value)*24*time.Hour {
					t.Fatalf("due %s is later than any extension and pause allow after %s", due, c.Handling.At)
				}
				if extended > 1 {
					t.Fatalf("extended %d times", extended)
				}
				if c.Checked != nil && slices.ContainsFunc(c.Handlers, func(h event.Actor) bool { return h.Person == c.Checked.By.Person }) {
					t.Fatalf("handled and reviewed by the same person: %+v", c)
				}
				if c.State == Replied && c.Checked == nil {
					t.Fatal("closed without a review")
				}
				if c.Taken != nil && slices.ContainsFunc(c.Handlers, func(h event.Actor) bool { return h.Person == c.Taken.Person }) {
					t.Fatal("whoever knows the complainant handled it")
				}
				items, err := c.items()
				if err != nil {
					t.Fatal(err)
				}
				listed := items[0].Places[0].PK
				if !slices.Contains([]string{List(township), List(county), List(city)}, listed) {
					t.Fatalf("in no list of the supervision body: %s", listed)
				}
				k, _ := c.Running()
				if _, owed := c.next(); k != nil && k.Told < 100 && !owed {
					t.Fatalf("open and owed to no clock: %+v", c)
				}
				if (k == nil) != (c.State == Replied) {
					t.Fatalf("state %s, clock %+v", c.State, k)
				}
			},
		})
	})
}

func TestHowSoon(t *testing.T) {
	t.Parallel()
	r := rules(t)
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, tc := range map[string]struct {
		kind             Kind
		rank             Rank
		filed, accepted  string
		acceptBy, handle string
		provisional      bool
	}{
		"ordinary":                          {Report, Ordinary, "2026-11-20T09:30:00+08:00", "2026-11-20T10:00:00+08:00", "2026-11-24T00:00:00+08:00", "2026-12-12T00:00:00+08:00", false},
		"hardship":                          {Report, Hardship, "2026-11-20T09:30:00+08:00", "2026-11-20T10:00:00+08:00", "2026-11-24T00:00:00+08:00", "2026-11-28T00:00:00+08:00", false},
		"urgent_counts_from_filing":         {Report, Urgent, "2026-11-20T09:30:00+08:00", "2026-11-20T20:00:00+08:00", "2026-11-21T09:30:00+08:00", "2026-11-21T09:30:00+08:00", false},
		"over_national_day":                 {Report, Hardship, "2026-09-30T09:30:00+08:00", "2026-09-30T10:00:00+08:00", "2026-10-09T00:00:00+08:00", "2026-10-14T00:00:00+08:00", false},
		"make_up_sunday_is_a_working_day":   {Report, Ordinary, "2026-09-18T09:30:00+08:00", "2026-09-18T10:00:00+08:00", "2026-09-21T00:00:00+08:00", "2026-10-16T00:00:00+08:00", false},
		"into_a_year_nobody_announced":      {Report, Ordinary, "2026-12-18T09:30:00+08:00", "2026-12-18T10:00:00+08:00", "2026-12-22T00:00:00+08:00", "2027-01-09T00:00:00+08:00", true},
		"petition_15_and_60_natural_days":   {Petition, Ordinary, "2026-11-20T09:30:00+08:00", "2026-11-20T10:00:00+08:00", "2026-12-06T00:00:00+08:00", "2027-01-20T00:00:00+08:00", false},
		"utc_evening_is_the_next_day_here":  {Petition, Ordinary, "2026-11-20T16:30:00Z", "2026-11-20T16:30:00Z", "2026-12-07T00:00:00+08:00", "2027-01-21T00:00:00+08:00", false},
		"petition_about_hardship_is_sooner": {Petition, Hardship, "2026-11-20T09:30:00+08:00", "2026-11-20T10:00:00+08:00", "2026-12-06T00:00:00+08:00", "2026-11-28T00:00:00+08:00", false},
	} {
		a, h := r.acceptDue(tc.kind, tc.rank, at(tc.filed)), r.handleDue(tc.kind, tc.rank, at(tc.filed), at(tc.accepted))
		if !a.At.Equal(at(tc.acceptBy)) || !h.At.Equal(at(tc.handle)) || h.Provisional != tc.provisional || a.Basis == "" || h.Basis == "" {
			t.Errorf("%s: accept by %s, handle by %s (%v), want %s and %s", name, a.At, h.At, h.Provisional, tc.acceptBy, tc.handle)
		}
	}
}

// Shares are of the time with pauses and the extension in it.
func TestSharesOfAClock(t *testing.T) {
	t.Parallel()
	r := rules(t)
	c, err := filed(r, Report).Accept(Report, Ordinary, Target{}, r, officer(1), start)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Assign(township, nil, inside, r, officer(1), start); err != nil {
		t.Fatal(err)
	}
	_, due := c.Running()
	half := start.Add(due.Sub(start) / 2)
	if c.Passed(half.Add(-time.Hour)) != 0 || c.Passed(half) != 50 || c.Passed(due) != 100 || c.Late(due) || !c.Late(due.Add(1)) {
		t.Errorf("passed %d %d %d", c.Passed(half.Add(-time.Hour)), c.Passed(half), c.Passed(due))
	}
	paused, err := c.Pause(start.AddDate(0, 0, 4), "hearing", r, officer(2), start)
	if err != nil {
		t.Fatal(err)
	}
	if paused.Passed(half) != 0 || !paused.Paused(start.AddDate(0, 0, 3)) || paused.Paused(start.AddDate(0, 0, 4)) {
		t.Error("a pause does not count")
	}
	n, facts, ok := c.Tell(half)
	if !ok || facts["percent"] != 50 || n.Handling.Told != 50 || c.Handling.Told != 0 {
		t.Errorf("told %v %v", facts, ok)
	}
	if _, _, again := n.Tell(half); again {
		t.Error("told twice")
	}
	if level := n.Level(); level != township {
		t.Errorf("level %s", level)
	}
}

// A provisional date gets its own when the year is announced, and no other date moves.
func TestAProvisionalDateIsSettled(t *testing.T) {
	t.Parallel()
	r := rules(t)
	late := time.Date(2026, 12, 18, 9, 30, 0, 0, calendar.Zone)
	c := New(Complaint{Kind: Report, Rank: Ordinary, Path: []civil.DivisionCode{township, county, city}}, r, late)
	c, err := c.Accept(Report, Ordinary, Target{}, r, officer(1), late)
	if err != nil || !c.Handling.Provisional {
		t.Fatalf("%+v %v", c.Handling, err)
	}
	if _, ok := c.Settle(r); ok {
		t.Error("settled before anything was announced")
	}
	// The same with a clock that was provisional and is no more.
	c = New(Complaint{Kind: Report, Rank: Ordinary, Path: []civil.DivisionCode{township, county, city}}, r, start)
	k := *c.Accepting
	c.Accepting = &Clock{From: k.From, At: k.At.AddDate(0, 0, 3), Provisional: true, Told: 50}
	n, ok := c.Settle(r)
	if !ok || !n.Accepting.At.Equal(k.At) || n.Accepting.Provisional || n.Accepting.Told != 50 || n.Version != c.Version+1 {
		t.Errorf("%+v %v", n.Accepting, ok)
	}
	if c, err = c.Accept(Report, Ordinary, Target{}, r, officer(1), start); err != nil {
		t.Fatal(err)
	}
	c.Handling = &Clock{From: start, At: start.AddDate(0, 1, 0), Provisional: true}
	if n, ok := c.Settle(r); !ok || n.Handling.Provisional {
		t.Errorf("%+v %v", n.Handling, ok)
	}
	c.Stage, c.Reviewing = Review, &Clock{From: start, At: start, Provisional: true}
	if _, ok := c.Settle(r); ok {
		t.Error("thirty days are thirty days")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := rules(t)
	c := filed(r, Report)
	step := func(n Complaint, err error) Complaint {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := func(name string, err, wanted error) {
		t.Helper()
		if !errors.Is(err, wanted) {
			t.Errorf("%s: %v, want %v", name, err, wanted)
		}
	}
	target := officer(3)
	_, err := c.Accept(Report, Ordinary, c.Target, r, target, start)
	want("accepted by the target", err, ErrTarget)
	_, err = c.Decline(Upheld, officer(1), start)
	want("declined as upheld", err, ErrState)
	accepted := step(c.Accept(Report, Ordinary, c.Target, r, officer(1), start))
	_, err = accepted.Assign(county, nil, inside, r, target, start)
	want("assigned by the target", err, ErrTarget)
	assigned := step(accepted.Assign(county, nil, inside, r, officer(1), start))
	_, err = assigned.Handle(NotAccepted, officer(0), start)
	want("handled as declined", err, ErrState)
	_, err = assigned.Object(officer(0), assigned.Assigned[0].ObjectDue.Add(time.Second))
	want("objected late", err, ErrLate)
	_, err = assigned.Object(target, start)
	want("objected by the target", err, ErrTarget)
	objected := step(assigned.Object(officer(0), start))
	_, err = objected.Object(officer(0), start)
	want("objected twice", err, ErrState)
	_, err = objected.Decide(true, officer(0), start)
	want("decided by who objected", err, ErrPerson)
	decided := step(objected.Decide(false, officer(1), start))
	_, err = decided.Object(officer(0), start)
	want("objected after the answer", err, ErrState)
	_, err = assigned.AskExtension(10, r, officer(0), start.AddDate(1, 0, 0))
	want("asked for more when it is late", err, ErrLate)
	asked := step(assigned.AskExtension(10, r, officer(0), start))
	_, err = asked.GrantExtension(true, officer(4), start)
	want("granted by the other account", err, ErrPerson)
	_, err = asked.GrantExtension(true, officer(1), start.AddDate(1, 0, 0))
	want("granted when it is late", err, ErrLate)
	_, err = assigned.Pause(start, "hearing", r, officer(1), start)
	want("paused for nothing", err, ErrState)
	_, err = assigned.Pause(start.AddDate(1, 0, 1), "hearing", r, officer(1), start.AddDate(1, 0, 0))
	want("paused when it is late", err, ErrLate)
	_, err = assigned.Supervise("n", start, target, start)
	want("supervised by the target", err, ErrTarget)
	noted := step(assigned.Supervise("n", start, officer(1), start))
	_, err = noted.Report("n", officer(1), start)
	want("answered by who asked", err, ErrPerson)
	handled := step(assigned.Handle(Upheld, officer(0), start))
	_, err = handled.Examine(true, officer(4), start)
	want("reviewed by the other account", err, ErrPerson)
	nobody := officer(2)
	nobody.Person = ""
	_, err = handled.Examine(true, nobody, start)
	want("reviewed by nobody known", err, ErrPerson)
	machine := event.Actor{Kind: event.System, ID: "sweep", Person: "x"}
	_, err = handled.Examine(true, machine, start)
	want("reviewed by a machine", err, ErrPerson)
	reviewed := step(handled.Examine(true, officer(1), start))
	_, err = reviewed.Answer(r, target, start)
	want("answered by the target", err, ErrTarget)
	replied := step(reviewed.Answer(r, officer(0), start))
	_, err = replied.Rate("fine")
	want("rated with another word", err, ErrState)
	_, err = replied.Reopen(r, start.AddDate(0, 0, 32))
	want("reopened late", err, ErrLate)
	_, err = replied.Look(true, officer(0), start)
	want("looked back by the handler", err, ErrPerson)
	looked := step(replied.Look(true, officer(1), start))
	_, err = looked.Look(true, officer(1), start)
	want("looked back twice", err, ErrState)
	if _, ok := assigned.ReopenBy(r); ok {
		t.Error("may be reopened before a reply")
	}
}

func TestEverythingHasAName(t *testing.T) {
	t.Parallel()
	var labels []string
	for _, k := range Kinds() {
		labels = append(labels, k.Label())
	}
	for _, s := range States() {
		labels = append(labels, s.Label())
	}
	for _, r := range append(Ratings(), "") {
		labels = append(labels, r.Label())
	}
	for _, o := range append(Outcomes(), Declined()...) {
		labels = append(labels, o.Label())
	}
	for _, r := range []Rank{Urgent, Hardship, Ordinary} {
		labels = append(labels, r.Label())
	}
	for _, s := range []Stage{First, Review, Rereview} {
		labels = append(labels, s.Label())
	}
	if slices.Contains(labels, "") {
		t.Errorf("%q", labels)
	}
}

func TestAPetitionGoesUp(t *testing.T) {
	t.Parallel()
	r := rules(t)
	c := filed(r, Petition)
	now := start
	must := func(n Complaint, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		c = n
	}
	must(c.Accept(Petition, Ordinary, Target{}, r, officer(1), now))
	for stage, to := range []civil.DivisionCode{township, county, city} {
		if Stage(stage) != c.Stage {
			t.Fatalf("stage %d", c.Stage)
		}
		if stage > 0 {
			for _, below := range []civil.DivisionCode{township, sibling, []civil.DivisionCode{"", township, county}[stage]} {
				if _, err := c.Assign(below, nil, inside, r, officer(1), now); !errors.Is(err, ErrLower) {
					t.Errorf("stage %d by %s: %v", stage, below, err)
				}
			}
			if k, due := c.Running(); k != c.Reviewing || !due.Equal(calendar.Today(now).AddDays(31).Start(calendar.Zone)) {
				t.Errorf("stage %d until %s", stage, due)
			}
		}
		must(c.Assign(to, nil, inside, r, officer(1), now))
		if stage == 1 {
			must(c.Pause(now.AddDate(0, 0, 2), "hearing", r, officer(1), now))
			if told, facts, ok := c.Tell(now.AddDate(0, 0, 40)); !ok || facts["percent"] != 100 || told.Reviewing.Told != 100 {
				t.Errorf("%v", facts)
			}
		}
		must(c.Handle(NotUpheld, officer(2), now))
		must(c.Examine(true, officer(1), now))
		must(c.Answer(r, officer(2), now))
		until, more := c.ReopenBy(r)
		if more != (stage < 2) {
			t.Errorf("stage %d may go on until %s", stage, until)
		}
		must(c.Rate(Dissatisfied))
		if _, err := c.Rate(Satisfied); !errors.Is(err, ErrRated) {
			t.Errorf("rated twice: %v", err)
		}
		now = now.AddDate(0, 0, 7)
		if stage < 2 {
			must(c.Reopen(r, now))
		}
	}
	if _, err := c.Reopen(r, now); !errors.Is(err, ErrState) {
		t.Errorf("after 复核: %v", err)
	}
	if _, err := c.Look(false, officer(3), now); err != nil {
		t.Errorf("looked at again: %v", err)
	}
	if k := c.Known(); !slices.Contains(k, "b1.person-2") || len(event.Names(officer(1), event.Actor{})) != 2 || len((Target{}).Names()) != 0 {
		t.Errorf("known %v", k)
	}
}

// What was not taken is reviewed like anything else, and may be asked for again.
func TestDeclinedAndAskedAgain(t *testing.T) {
	t.Parallel()
	r := rules(t)
	c := filed(r, Petition)
	n, err := c.Decline(Elsewhere, officer(1), start)
	if err != nil {
		t.Fatal(err)
	}
	if k, _ := n.Running(); k != n.Accepting {
		t.Error("the accepting clock does not run")
	}
	if back, err := n.Examine(false, officer(2), start); err != nil || back.State != Filed {
		t.Errorf("%s %v", back.State, err)
	}
	if n, err = n.Examine(true, officer(2), start); err == nil {
		n, err = n.Answer(r, officer(1), start)
	}
	if err != nil || n.LookBack != nil {
		t.Fatalf("%+v %v", n.LookBack, err)
	}
	if n, err = n.Reopen(r, start); err != nil || n.State != Filed || n.Stage != First {
		t.Errorf("%s stage %d %v", n.State, n.Stage, err)
	}
	module, ok := r.Module("medical-aid")
	if _, item := module.Item("none"); !ok || item {
		t.Error("modules")
	}
	if _, ok := module.Item("medical-aid-payout"); !ok {
		t.Error("items")
	}
	if _, ok := r.Module("none"); ok {
		t.Error("a module of no code")
	}
}
