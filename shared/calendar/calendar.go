// Package calendar counts working days as the State Council announces them
// each year: weekends, public holidays, and the make-up days (调休) on which a
// Saturday or Sunday is worked. It also says which zone the law's days begin in.
//
// It refuses to know what a deadline is for and never reads a clock. The
// announced days are embedded (data/, derived from npm chinese-days 1.5.7, MIT,
// 2004–2026).
package calendar

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
)

// Zone is the zone in which days begin and end. It is a fixed +08:00 and not
// loaded from a zone database: China has had one zone without summer time since
// 1991, and a function on a bare image without that database must not start
// counting days in UTC.
var Zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// Today is the day that t falls on in Zone.
func Today(t time.Time) civil.Day { return civil.DayOf(t, Zone) }

// Calendar is a set of announced years. It does not change once read.
type Calendar struct {
	years map[int]bool
	days  map[civil.Day]bool // true: worked; false: off. Absent: by the weekday
}

// announcedAhead is the first day of December that the announcement for the
// following year has ever touched or may touch (30 December 2018 was off for the
// New Year of 2019). Until that year is announced, these days are not settled.
const announcedAhead = 24

// Parse reads lines of "YEAR off MMDD …" and "YEAR work MMDD …". A year counts as
// announced when it has both lines. Every problem is reported.
func Parse(r io.Reader) (*Calendar, error) {
	c := &Calendar{years: map[int]bool{}, days: map[civil.Day]bool{}}
	var problems []error
	seen := map[string]bool{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) < 2 || words[1] != "off" && words[1] != "work" || seen[words[0]+words[1]] {
			problems = append(problems, fmt.Errorf("calendar: line %d: want one “YEAR off …” and one “YEAR work …” for each year", n))
			continue
		}
		seen[words[0]+words[1]] = true
		for _, w := range words[2:] {
			var day civil.Day
			if len(w) == 4 {
				day, _ = civil.ParseDay(words[0] + "-" + w[:2] + "-" + w[2:])
			}
			if _, twice := c.days[day]; twice || day.IsZero() {
				problems = append(problems, fmt.Errorf("calendar: line %d: %q is no day or stands there twice", n, w))
				continue
			}
			c.days[day] = words[1] == "work"
		}
		if first, err := civil.ParseDay(words[0] + "-01-01"); err == nil && seen[words[0]+"off"] && seen[words[0]+"work"] {
			c.years[first.Year()] = true
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("calendar: read: %w", err)
	}
	if len(c.years) == 0 {
		problems = append(problems, errors.New("calendar: no year is announced in full"))
	}
	return c, errors.Join(problems...)
}

//go:embed data/days.txt
var announced string

// Shipped is the calendar that this system comes with. Were the embedded list
// broken, which a test rules out, every day would go by its weekday and every
// deadline would call itself provisional.
func Shipped() *Calendar { return shipped() }

var shipped = sync.OnceValue(func() *Calendar {
	c, err := Parse(strings.NewReader(announced))
	if err != nil {
		return &Calendar{}
	}
	return c
})

// Settled reports whether it is announced if day is worked.
func (c *Calendar) Settled(day civil.Day) bool {
	if day.Month() == time.December && day.DayOfMonth() >= announcedAhead && !c.years[day.Year()+1] {
		return false
	}
	return c.years[day.Year()]
}

// IsWorkingDay reports whether day is worked. Days that are not announced go by
// the weekday; Settled tells which those are.
func (c *Calendar) IsWorkingDay(day civil.Day) bool {
	if worked, ok := c.days[day]; ok {
		return worked
	}
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// Deadline is a moment until which something is in time. Provisional means that
// a day on the way is not announced yet, so that At may move when it is; it must
// be worked out again then, and Basis says so.
type Deadline struct {
	At          time.Time `json:"at"`
	Provisional bool      `json:"provisional"`
	Basis       string    `json:"basis"` // plain Chinese
}

// Passed reports whether now is too late. The moment At itself is in time.
func (d Deadline) Passed(now time.Time) bool { return now.After(d.At) }

// AddWorkingDays is the end of the nth working day after the day on which from
// falls; that day itself is not counted. The end is 24:00 in Zone, given as
// 00:00 of the following day. With n below 1 it is the end of the day of from.
func (c *Calendar) AddWorkingDays(from time.Time, n int) Deadline {
	first := Today(from)
	day, open := first, civil.Day{}
	for left := n; left > 0; {
		day = day.AddDays(1)
		if !c.Settled(day) && open.IsZero() {
			open = day
		}
		if c.IsWorkingDay(day) {
			left--
		}
	}
	d := Deadline{
		At:          day.AddDays(1).Start(Zone),
		Provisional: !open.IsZero(),
		Basis:       fmt.Sprintf("自%s次日起第%d个工作日（%s）24时止。", first.Chinese(), max(n, 0), day.Chinese()),
	}
	if n < 1 {
		d.Basis = fmt.Sprintf("当日（%s）24时止。", day.Chinese())
	}
	if d.Provisional {
		d.Basis += fmt.Sprintf("%s起的放假安排尚未公布，暂按周一至周五为工作日计算，公布后重新计算。", open.Chinese())
	}
	return d
}
