// Package indicator is what supervision looks at: how long people wait, what is
// overdue, refused, held, unknown, returned, saved up or split, and who was
// missed. Figures are folded from the evidence log as it grows and are never
// worked out overnight; what ages is worked out at the moment somebody asks.
//
// It refuses to know people: it keeps ids of applications, staff ids, divisions,
// codes, amounts and times, and reads neither notes nor particulars. It judges
// nobody either: a figure is a reason to look, with the list of cases behind it
// and the rule by which it was made.
//
// Each indicator is one file: its name, its rule in words, how events move its
// figures, and how they are read. What a day's figures belong to:
//   - elapsed times, and shares of them, to the day on which the application was
//     accepted, so that releasing old cases on a good day improves no other day;
//   - everything else to the day on which it happened;
//   - a case to the divisions that its township stood in on the day of acceptance,
//     by the division tree, so that a city is the sum of its districts.
package indicator

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
)

// ID names an indicator in routes and records; it never changes its meaning.
type ID string

// Rule is how a figure is worked out, in both languages, and on what ground.
type Rule struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
	// Source is the article of the Law or the regional figure behind it, or says
	// that the threshold is our own and none of an authority's.
	Source string `json:"source"`
}

// Indicator is one thing that supervision looks at.
type Indicator struct {
	ID      ID
	Chinese string
	English string
	Rule    Rule
	// Cases says in which lists its cases are found.
	cases source
	// figure reads it from what was folded.
	figure func(View) Figure
}

// source is where the cases behind an indicator are listed.
type source int

const (
	marked   source = iota // one mark for each occurrence, by the day it happened
	accepted               // the applications themselves, by the day of acceptance
)

// Figure is one indicator over some division, days, programme or officer.
type Figure struct {
	Indicator ID     `json:"indicator"`
	Count     int64  `json:"count"`        // occurrences, or what is open now
	Of        int64  `json:"of,omitempty"` // what Count is a part of; 0 for nothing
	Overdue   int64  `json:"overdue,omitempty"`
	Within24h int64  `json:"within_24h,omitempty"` // of Of
	Times     *Times `json:"times,omitempty"`
	// OldestSeconds is the age now of the oldest that is open.
	OldestSeconds int64  `json:"oldest_seconds,omitempty"`
	Parts         []Part `json:"parts,omitempty"`
}

// SharePermille is what Count is of Of, in thousandths; for a time with a day to
// keep to, what Within24h is of it. 0 when there is nothing to be a share of.
func (f Figure) SharePermille() int64 {
	n := f.Count
	if _, timed := runs[f.Indicator]; timed {
		n = f.Within24h
	}
	if f.Of <= 0 {
		return 0
	}
	return (n*1000 + f.Of/2) / f.Of
}

// Times are percentiles in seconds, each off by at most Accuracy of itself.
type Times struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50_seconds"`
	P90   int64 `json:"p90_seconds"`
	P99   int64 `json:"p99_seconds"`
}

// Part is a part of a figure: a reason, a kind, an hour, an age.
type Part struct {
	Code  string `json:"code"`
	Count int64  `json:"count"`
}

// All lists every indicator in the order in which they are shown.
func All() []Indicator { return slices.Clone(all) }

// Of is the indicator with that id.
func Of(id ID) (Indicator, bool) {
	i := slices.IndexFunc(all, func(one Indicator) bool { return one.ID == id })
	if i < 0 {
		return Indicator{}, false
	}
	return all[i], true
}

var all = slices.Concat(caseIndicators, elapsedIndicators, deadlineIndicators, refusalIndicators, holdIndicators, unknownIndicators,
	hoardingIndicators, ceilingIndicators, bunchingIndicators, coverageIndicators, duplicateIndicators, wrongIndicators, complaintIndicators)

var rules = slices.Concat(caseRules, elapsedRules, deadlineRules, refusalRules, holdRules, unknownRules,
	hoardingRules, ceilingRules, bunchingRules, coverageRules, duplicateRules, wrongRules, complaintRules)

// View is what the figure of an indicator is read from.
type View struct {
	Now      time.Time
	From, To civil.Day // both included
	cell     *cell
	open     []standing
}

// count is how often name was counted.
func (v View) count(name string) int64 { return v.cell.Counts[name] }

// parts are the counts whose names begin with prefix, which is cut off, by code.
func (v View) parts(prefix string) (list []Part, sum int64) {
	for name, n := range v.cell.Counts {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix && n != 0 {
			list, sum = append(list, Part{name[len(prefix):], n}), sum+n
		}
	}
	slices.SortFunc(list, byCode)
	return list, sum
}

func byCode(a, b Part) int {
	if a.Code < b.Code {
		return -1
	}
	return 1
}

// times are the percentiles of a spread; nil when nothing was measured.
func (v View) times(name string) *Times { return v.cell.Spreads[name].times() }

// open is what stands in a list now: how many, the oldest, and how many of them
// stand since before a moment.
type openSum struct {
	count, before int64
	oldest        time.Time
	parts         []Part
}

// standingIn sums a list up; before counts those whose time is earlier than limit.
func (v View) standingIn(list string, limit time.Time) openSum {
	var sum openSum
	by := map[string]int64{}
	for _, s := range v.open {
		if s.list != list {
			continue
		}
		for _, one := range s.times {
			sum.count += one.n
			by[s.code] += one.n
			if one.at.Before(limit) {
				sum.before += one.n
			}
			if sum.oldest.IsZero() || one.at.Before(sum.oldest) {
				sum.oldest = one.at
			}
		}
	}
	for code, n := range by {
		if code != "" && n > 0 {
			sum.parts = append(sum.parts, Part{code, n})
		}
	}
	slices.SortFunc(sum.parts, byCode)
	return sum
}

// age is how long ago t is, in whole seconds; 0 for none or for what lies ahead.
func (v View) age(t time.Time) int64 {
	if t.IsZero() || t.After(v.Now) {
		return 0
	}
	return int64(v.Now.Sub(t) / time.Second)
}
