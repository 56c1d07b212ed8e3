package decide

import (
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
)

// Deadline is a legal clock as staff see it.
type Deadline struct {
	Kind        string `json:"kind"`
	From        string `json:"from"`
	At          string `json:"at"`
	Provisional bool   `json:"provisional"`
	// ElapsedPercent is how much of the time has run: above 100 it is overdue.
	ElapsedPercent int64 `json:"elapsed_percent"`
}

// clock is t as people here read it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(calendar.Zone).Format(time.RFC3339)
}

func deadline(d application.Deadline, now time.Time) Deadline {
	return Deadline{d.Kind, clock(d.From), clock(d.At), d.Provisional, elapsed(d.From, d.At, now)}
}

// elapsed is how much of the time from from to at has run, in whole percent.
func elapsed(from, at, now time.Time) int64 {
	total := at.Sub(from).Milliseconds()
	if from.IsZero() || total <= 0 {
		return 0
	}
	return max(0, now.Sub(from).Milliseconds()*100/total)
}

// holdDue is by when somebody must have dealt with a hold placed now. Where no
// rules are in force it is now: a hold must never wait for a file.
func (k desk) holdDue() time.Time {
	rules, err := k.deps.Book.Rules(k.app.Township, calendar.Today(k.app.AcceptedAt))
	if err != nil {
		return k.at
	}
	return rules.HoldDue(k.at).At
}
