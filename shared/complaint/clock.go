package complaint

import (
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
)

// Clock is a time by which somebody must have acted. At is the first deadline,
// and stays: only the announcement of the year's holidays moves it, when it was
// provisional.
type Clock struct {
	From        time.Time `json:"from"`
	At          time.Time `json:"at"`
	Provisional bool      `json:"provisional,omitempty"`
	Basis       string    `json:"basis"`
	Told        int       `json:"told,omitempty"` // highest share of Escalations told
	Met         time.Time `json:"met,omitzero"`   // when it was first met
}

func clock(from time.Time, d calendar.Deadline) *Clock {
	return &Clock{From: from, At: d.At, Provisional: d.Provisional, Basis: d.Basis}
}

// Escalations are the shares of a clock, in percent, at which it climbs: to the
// handling unit's own head, to the district, to the city.
var Escalations = []int{50, 80, 100}

// Running is the clock that runs now, and until when with what was added to it;
// nil when none does.
func (c Complaint) Running() (clock *Clock, due time.Time) {
	switch {
	case c.State == Replied:
		return nil, time.Time{}
	case c.State == Filed:
		return c.Accepting, c.Accepting.At
	case c.Stage != First:
		return c.Reviewing, c.Reviewing.At.Add(c.paused(c.Reviewing.From))
	case c.Handling != nil:
		return c.Handling, c.Handling.At.Add(c.paused(c.Handling.From)).Add(c.extended())
	}
	return c.Accepting, c.Accepting.At // declined before it was taken
}

// extended is the time an extension granted.
func (c Complaint) extended() time.Duration {
	if c.Extension == nil || c.Extension.Granted == nil {
		return 0
	}
	return time.Duration(c.Extension.Days) * 24 * time.Hour
}

// paused is how long the pauses since from last.
func (c Complaint) paused(from time.Time) time.Duration {
	var sum time.Duration
	for _, p := range c.Pauses {
		if !p.From.Before(from) {
			sum += p.end().Sub(p.From)
		}
	}
	return sum
}

// Paused reports whether time does not count at now.
func (c Complaint) Paused(now time.Time) bool {
	for _, p := range c.Pauses {
		if !now.Before(p.From) && now.Before(p.end()) {
			return true
		}
	}
	return false
}

// Passed is the highest share of Escalations of the running clock that has
// passed at now; 0 for none.
func (c Complaint) Passed(now time.Time) int {
	clock, due := c.Running()
	if clock == nil {
		return 0
	}
	passed := 0
	for _, p := range Escalations {
		if !now.Before(share(clock.From, due, p)) {
			passed = p
		}
	}
	return passed
}

func share(from, due time.Time, percent int) time.Time {
	return from.Add(due.Sub(from) / 100 * time.Duration(percent))
}

// next is when the machine must look at c again: the next share of the running
// clock, the answer that a supervision note waits for, the look-back. A pause
// holds back no more than itself, because the due time it is worked out from has
// it in.
func (c Complaint) next() (at time.Time, owed bool) {
	take := func(t time.Time) {
		if !owed || t.Before(at) {
			at, owed = t, true
		}
	}
	if clock, due := c.Running(); clock != nil {
		for _, p := range Escalations {
			if p > clock.Told {
				take(share(clock.From, due, p))
				break
			}
		}
	}
	for _, n := range c.Notes {
		if n.Answered == nil && !n.Told {
			take(n.Due)
		}
	}
	if l := c.LookBack; l != nil && l.Done == nil && !l.Told {
		take(l.Due)
	}
	return at, owed
}

// Late reports whether the running clock has run out.
func (c Complaint) Late(now time.Time) bool {
	_, due := c.Running()
	return !due.IsZero() && now.After(due)
}
