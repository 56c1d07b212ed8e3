package mandate_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/mandate"
)

var at = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func actor(id string) event.Actor {
	return event.Actor{Kind: event.Staff, ID: id, Person: "p-" + id[:1]}
}

func told(kind mandate.Kind) mandate.Mandate {
	m := mandate.New(mandate.ID("320400000000", "list", "1"), kind, "查", "1", "320400000000", "320402005000", at.AddDate(0, 0, 30), actor("s1"), at)
	if kind == mandate.Accountability {
		m.About = "u9"
	}
	return m
}

func TestTablesAreTotal(t *testing.T) {
	t.Parallel()
	for _, k := range mandate.Kinds() {
		if k.Label() == "" || len(k.Outcomes()) < 2 {
			t.Errorf("%s lacks something", k)
		}
	}
	for _, s := range mandate.States() {
		if s.Label() == "" {
			t.Errorf("%s has no name", s)
		}
	}
}

// Whatever people try: the day moves only when a second look opens it again, no
// person answers and closes, or closes and looks again, and what is refused changes
// nothing.
func TestMandatesByChance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m, now := told(rapid.SampledFrom(mandate.Kinds()).Draw(rt, "kind")), at
		for range rapid.IntRange(1, 40).Draw(rt, "acts") {
			before := m
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(rt, "days")) * 24 * time.Hour)
			// a1 and a2 are two accounts of one person.
			by := actor(rapid.SampledFrom([]string{"a1", "a2", "b1", "c1", "u9"}).Draw(rt, "who"))
			var err error
			switch act := rapid.SampledFrom([]string{"reply", "return", "settle", "look", "remind"}).Draw(rt, "act"); act {
			case "reply":
				m, err = m.Reply(by, rapid.SampledFrom([][]string{nil, {"x"}}).Draw(rt, "proof"), now)
			case "return":
				m, err = m.Return(by)
			case "settle":
				m, err = m.Settle(by, rapid.SampledFrom(append(m.Kind.Outcomes(), "else")).Draw(rt, "outcome"), now)
			case "look":
				m, err = m.LookAgain(by, rapid.Bool().Draw(rt, "lasting"), now)
				if err == nil && !*m.Lasting && m.State != mandate.Open {
					rt.Fatal("what did not last was left")
				}
			case "remind":
				next, told := m.Remind(now)
				if told != (next.Version == m.Version+1) {
					rt.Fatal("a reminder without a version")
				}
				m = next
				if told {
					continue
				}
				err = mandate.ErrState
			}
			if err != nil {
				if m.Version != before.Version || m.State != before.State {
					rt.Fatalf("refused (%v), and changed", err)
				}
				continue
			}
			if m.Version != before.Version+1 {
				rt.Fatalf("version %d after %d", m.Version, before.Version)
			}
			if !m.Due.Equal(before.Due) && (m.Look == nil || m.State != mandate.Open) {
				rt.Fatalf("the day moved to %s", m.Due)
			}
			if c := m.Close; c != nil && before.Close != c {
				if c.By.Person == m.Answer.By.Person || !slices.Contains(m.Kind.Outcomes(), m.Outcome) {
					rt.Fatalf("%s answered and closed %s", c.By.ID, m.Outcome)
				}
			}
			if l := m.Look; l != nil && before.Look != l && (l.By.Person == m.Close.By.Person || l.By.Person == m.Answer.By.Person) {
				rt.Fatalf("%s closed and looked again", l.By.ID)
			}
		}
	})
}

func TestReminders(t *testing.T) {
	t.Parallel()
	m := told(mandate.Measure)
	for _, c := range []struct {
		days, percent int
	}{{14, 0}, {15, 50}, {24, 80}, {30, 100}, {60, 100}} {
		next, ok := m.Remind(at.AddDate(0, 0, c.days))
		if next.Reminded != c.percent || ok != (c.percent != m.Reminded) {
			t.Errorf("after %d days: %d %%, told %v", c.days, next.Reminded, ok)
		}
		m = next
	}
	if _, _, ok := m.Next(); ok {
		t.Error("there is more to say after the end")
	}
	if late, ok := told(mandate.Measure).Remind(at.AddDate(1, 0, 0)); !ok || late.Reminded != 100 || late.Version != 2 {
		t.Errorf("a year late: %+v", late)
	}
}

func TestWhoIsConcerned(t *testing.T) {
	t.Parallel()
	m := told(mandate.Accountability)
	if _, err := m.Reply(actor("u9"), []string{"x"}, at); !errors.Is(err, mandate.ErrConcerned) {
		t.Errorf("who it is about answered: %v", err)
	}
	m, err := m.Reply(actor("b1"), []string{"x"}, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Settle(actor("u9"), "no_fault", at); !errors.Is(err, mandate.ErrPerson) {
		t.Errorf("who it is about closed it: %v", err)
	}
}
