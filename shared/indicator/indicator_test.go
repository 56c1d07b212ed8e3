package indicator

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// want is what a figure must be; parts not named are not looked at.
type want struct {
	count, of, overdue, within, oldest int64
	parts                              map[string]int64
	p50                                time.Duration // 0 for no times
	cases                              int           // marks behind it, or cases
	open                               int           // open now, as a list
}

func (d *desk) check(id ID, w want) {
	d.Helper()
	f := d.figure(id)
	if f.Count != w.count || f.Of != w.of || f.Overdue != w.overdue || f.Within24h != w.within || f.OldestSeconds != w.oldest {
		d.Errorf("%s: %+v, want %+v", id, f, w)
	}
	for code, n := range w.parts {
		if f.part(code) != n {
			d.Errorf("%s: part %s is %d, want %d", id, code, f.part(code), n)
		}
	}
	switch {
	case w.p50 == 0 && f.Times != nil:
		d.Errorf("%s: has times %+v", id, *f.Times)
	case w.p50 != 0 && (f.Times == nil || math.Abs(float64(f.Times.P50)/w.p50.Seconds()-1) > Accuracy):
		d.Errorf("%s: p50 %v, want %v", id, f.Times, w.p50.Seconds())
	}
	if got := d.found(Search{Indicator: id}); len(got) != w.cases {
		d.Errorf("%s: %d cases, want %d: %+v", id, len(got), w.cases, got)
	}
	if CanBeOpen(id) {
		if got := d.found(Search{Indicator: id, Open: true}); len(got) != w.open {
			d.Errorf("%s: %d open cases, want %d: %+v", id, len(got), w.open, got)
		}
	}
}

func TestElapsed(t *testing.T) {
	t.Parallel()
	d := plant(t)
	// One is decided in two hours, paid in three and confirmed in four.
	f := d.file(monday).accept(nil).after(time.Hour).propose("clerk-1", 100000).after(time.Hour).approve("approver-1", 100000)
	f.after(time.Minute).pay("instructed", payout.Instructing).after(29*time.Minute).pay("submitted", payout.Submitted).after(30*time.Minute).pay("paid", payout.Paid)
	f.after(time.Hour).said(application.Received).after(time.Hour).said(application.Received) // told twice, counted once
	// One takes thirty hours, in cash: no bank takes an order for it.
	f = d.file(monday).accept(nil).after(2*time.Hour).propose("clerk-1", 100000).after(28*time.Hour).approve("approver-1", 100000)
	d.put(f.make(payout.Noun, "01", "paid", staffer("clerk-1"), "", event.Facts{"rail": "reserve_cash", "state": "paid"}))
	// One is refused, one withdrawn, and one is young: nobody can say whether it is late.
	d.file(monday).accept(nil).after(3*time.Hour).put("refused", staffer("approver-1"), "DECEASED", nil)
	d.file(monday).accept(nil).after(time.Hour).put("withdrawn", event.Actor{Kind: event.Citizen, ID: "a"}, "", nil)
	d.file(monday.Add(29 * time.Hour)).accept(nil)
	// One is late already, and undecided.
	d.file(monday).accept(nil)
	d.now = monday.Add(31 * time.Hour)
	d.fold()
	d.check(Applications, want{count: 6, parts: map[string]int64{"GRANTED": 2, "PAID": 2}, cases: 6})
	d.check(Decided, want{count: 3, of: 4, within: 2, p50: 3 * time.Hour, cases: 3})
	d.check(BankAccepted, want{count: 1, of: 2, within: 1, p50: 150 * time.Minute, cases: 1})
	d.check(Paid, want{count: 2, of: 3, within: 1, p50: 3 * time.Hour, cases: 2})
	d.check(Confirmed, want{count: 1, of: 2, within: 1, p50: 4 * time.Hour, cases: 1})
	d.check(StageBank, want{count: 1, p50: 30 * time.Minute, cases: 1})
	d.check(StagePaid, want{count: 1, p50: 30 * time.Minute, cases: 1})
	d.check(StageConfirmed, want{count: 1, p50: time.Hour, cases: 1})
	if got := d.found(Search{Indicator: Decided, Code: Over24h}); len(got) != 1 || got[0].Seconds != 30*3600 || got[0].Staff != "320400-approver-1" {
		t.Errorf("those over a day: %+v", got)
	}
	if got := d.found(Search{Indicator: DeskPropose, MinSeconds: 7000}); len(got) != 1 || got[0].Staff != "320400-clerk-1" {
		t.Errorf("proposed after two hours: %+v", got)
	}
	r := d.report(Question{Division: county, By: ByOfficer})
	if len(r.Rows) != 2 || r.Rows[0].Key != "320400-approver-1" {
		t.Fatalf("officers %+v", r.Rows)
	}
	boss, clerk := r.Rows[0].Figures, r.Rows[1].Figures
	if f := pick(boss, Decided); f.Count != 3 || f.Of != 3 || f.Within24h != 2 {
		t.Errorf("the approver decided %+v", f)
	}
	if f := pick(boss, DeskApprove); f.Count != 2 || f.Times.P50 < 3600*99/100 {
		t.Errorf("the approver's desk %+v", f)
	}
	if f := pick(clerk, DeskPropose); f.Count != 2 || f.Times.P99 < 7200*99/100 {
		t.Errorf("the clerk's desk %+v", f)
	}
	// The day of acceptance has the elapsed times, whenever they ended.
	r = d.report(Question{Division: township, By: ByDay})
	if len(r.Rows) != 2 || pick(r.Rows[0].Figures, Decided).Count != 3 || pick(r.Rows[1].Figures, Decided).Count != 0 {
		t.Errorf("by day %+v", r.Rows)
	}
}

func TestRefusalTakenBack(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.Add(60 * time.Hour)
	citizen := event.Actor{Kind: event.Citizen, ID: "a"}
	f := d.file(monday).accept(nil).after(time.Hour).put("verified", event.Actor{Kind: event.System, ID: "verify"}, "", event.Facts{"placed": "DEATH_RECORD"})
	f.after(time.Hour).put("refused", staffer("approver-1"), "DECEASED", nil).after(time.Hour).put("appealed", citizen, "refusal", nil)
	g := d.file(monday).accept(nil).after(time.Hour).put("refused", staffer("approver-1"), "NOT_EMERGENCY", nil)
	d.fold()
	d.check(Refusals, want{count: 2, of: 2, parts: map[string]int64{"DECEASED": 1, "NOT_EMERGENCY": 1, "APPEALED": 1}, cases: 3})
	d.check(Holds, want{parts: map[string]int64{"PLACED": 1}, cases: 1}) // of a refused application: nothing waits for it
	d.check(Undecided, want{})
	f.after(time.Hour).put("reopened", staffer("county-1"), "", event.Facts{"result": "reopened", "decide_due": monday.Add(28 * time.Hour).Format(time.RFC3339)})
	g.after(time.Hour).put("restarted", staffer("county-1"), "", nil)
	d.fold()
	d.check(Refusals, want{count: 2, of: 2, parts: map[string]int64{"REOPENED": 2}, cases: 5})
	d.check(Holds, want{count: 1, oldest: 59 * 3600, parts: map[string]int64{"DEATH_RECORD": 1}, cases: 1, open: 1})
	d.check(Undecided, want{count: 2, overdue: 1, oldest: 60 * 3600, open: 2})
	// It is decided again: the first decision has been measured already.
	f.after(time.Hour).put("hold_lifted", staffer("approver-2"), "", event.Facts{"hold": "derived", "code": "DEATH_RECORD"})
	f.propose("clerk-1", 100000).approve("approver-2", 100000).after(time.Hour).pay("paid", payout.Paid)
	d.fold()
	d.check(Decided, want{count: 2, of: 2, within: 2, p50: time.Hour, cases: 2})
	d.check(Paid, want{count: 1, of: 2, within: 1, p50: 6 * time.Hour, cases: 1})
	d.check(Holds, want{parts: map[string]int64{"PLACED": 1, "LIFTED": 1}, p50: 4 * time.Hour, cases: 1})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	d := plant(t)
	// Decided in 30 of 24 hours; explained in 6 of 5 days.
	late := d.file(monday).accept(nil).after(time.Hour).propose("clerk-1", 100000).after(29*time.Hour).approve("approver-1", 100000)
	// Decided in time; to be explained by a later day than was said first.
	moved := d.file(monday).accept(nil).after(time.Hour).propose("clerk-1", 100000).approve("approver-1", 100000)
	moved.put("rescheduled", event.Actor{Kind: event.System, ID: "sweep"}, "", event.Facts{"deadline": application.ToExplain, "at": monday.AddDate(0, 0, 30).Format(time.RFC3339)})
	d.file(monday).accept(nil).put("rescheduled", event.Actor{Kind: event.System, ID: "sweep"}, "", event.Facts{"deadline": application.ToDecide, "at": monday.AddDate(0, 0, 30).Format(time.RFC3339)})
	d.file(monday).accept(event.Facts{"decide_due": ""}) // of before deadlines were told
	d.now = monday.Add(7 * 24 * time.Hour)
	d.fold()
	d.check(Undecided, want{count: 2, oldest: 7 * 24 * 3600, parts: map[string]int64{"DECIDED_LATE": 1}, cases: 1, open: 2})
	d.check(Explanation, want{count: 2, of: 2, overdue: 1, oldest: 18 * 3600, open: 2})
	// What ages is of the moment, though nothing was folded since.
	d.now = d.now.Add(6 * time.Hour)
	d.check(Explanation, want{count: 2, of: 2, overdue: 1, oldest: 24 * 3600, open: 2})
	late.at = monday.Add(7*24*time.Hour + 6*time.Hour)
	late.put("explained", staffer("clerk-1"), "", event.Facts{"findings": "ok"})
	d.fold()
	d.check(Explanation, want{count: 1, of: 2, parts: map[string]int64{"EXPLAINED": 1, "LATE": 1}, cases: 1, open: 1})
	if got := d.found(Search{Indicator: Explanation}); got[0].Seconds != 24*3600 || got[0].Staff != "320400-clerk-1" {
		t.Errorf("%+v", got)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	d := plant(t)
	system := event.Actor{Kind: event.System, ID: "verify"}
	f := d.file(monday).accept(event.Facts{"placed": "DUPLICATE_OPEN"})
	f.after(time.Hour).put("verified", system, "", event.Facts{"placed": "DEATH_RECORD"}).put("verified", system, "", event.Facts{"placed": "", "holds": "DEATH_RECORD"})
	f.after(time.Hour).put("held", staffer("clerk-1"), "PAYEE_DOUBT", event.Facts{"hold": "h1", "code": application.HoldStaff, "why": "PAYEE_DOUBT"})
	f.put("held", system, payout.HoldFrozen, nil) // as payouts place them
	f.put("held", system, "", event.Facts{"models": "m", "placed": "MODEL_x"})
	f.after(time.Hour).put("hold_lifted", staffer("approver-1"), "", event.Facts{"hold": "h1", "code": application.HoldStaff})
	f.put("hold_lifted", staffer("approver-1"), "", event.Facts{"hold": "who knows", "code": "nothing"})
	g := d.file(monday).accept(nil)
	g.propose("clerk-1", 1).approve("approver-1", 1).pay("paid", payout.Paid).after(time.Hour).said(application.NotReceived).said(application.WrongAmount)
	g.put("explained", staffer("clerk-1"), "", event.Facts{"findings": "problem", "hold": "h2"})
	g.put("reviewed", staffer("clerk-1"), "", event.Facts{"finding": "problem", "hold": "h3"})
	d.now = monday.Add(5 * time.Hour)
	d.fold()
	d.check(Holds, want{count: 8, oldest: 5 * 3600, p50: time.Hour, open: 8, cases: 9, parts: map[string]int64{"DUPLICATE_OPEN": 1, "DEATH_RECORD": 1, payout.HoldFrozen: 1,
		"MODEL_x": 1, application.HoldReceipt: 1, application.HoldAmount: 1, application.HoldStaff: 2, "PLACED": 9, "LIFTED": 1}})
}

func TestUnknownPayments(t *testing.T) {
	t.Parallel()
	d := plant(t)
	f := d.file(monday).accept(nil).propose("clerk-1", 1).approve("approver-1", 1).after(time.Minute).pay("instructed", payout.Instructing)
	f.after(time.Minute).pay("unknown", payout.Unknown).after(time.Minute).pay("unknown", payout.Unknown).after(9*time.Minute).pay("submitted", payout.Submitted)
	f.after(time.Minute).pay("unknown", payout.Unknown)
	d.now = monday.Add(43 * time.Minute)
	d.fold()
	d.check(UnknownPayments, want{count: 1, oldest: 30 * 60, p50: 10 * time.Minute, parts: map[string]int64{"OCCURRED": 2}, cases: 2, open: 1})
}

func TestHoarding(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		days, cases int           // the cases come from so many days
		apart       time.Duration // decisions are so far apart
		decisions   int64
	}{
		"five_days_at_once":          {5, 10, time.Minute, 10},
		"four_days_are_enough":       {4, 5, 30 * time.Minute, 5},
		"a_long_weekend_is_none":     {3, 30, time.Minute, 0},
		"four_cases_are_too_few":     {4, 4, time.Minute, 0},
		"far_apart":                  {5, 10, 31 * time.Minute, 0},
		"many_of_a_day_then_of_days": {6, 40, time.Second, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := plant(t)
			at := monday.AddDate(0, 0, 4)
			var files []*file
			for n := range tc.cases {
				f := d.file(monday.AddDate(0, 0, min(n, tc.days-1)-tc.days)).accept(nil)
				f.propose("clerk-1", 100000)
				files = append(files, f)
			}
			for n, f := range files {
				f.at = at.Add(time.Duration(n) * tc.apart)
				f.approve("approver-1", 100000)
			}
			d.now = at.AddDate(0, 0, 1)
			d.fold()
			batches := min(tc.decisions, 1)
			d.check(Hoarding, want{count: tc.decisions, of: int64(tc.cases), cases: int(tc.decisions), parts: map[string]int64{"DECISIONS": tc.decisions, "BATCHES": batches}})
			r := d.report(Question{Division: township, By: ByOfficer})
			if f := pick(r.Rows[0].Figures, Hoarding); f.Count != tc.decisions {
				t.Errorf("the approver has %+v", f)
			}
		})
	}
}

func TestHoardedPayments(t *testing.T) {
	t.Parallel()
	d := plant(t)
	for n := range 6 {
		f := d.file(monday.AddDate(0, 0, n-6)).accept(nil).after(time.Hour).propose("clerk-1", 1).after(time.Hour).approve("approver-1", 1)
		f.at = monday.Add(time.Duration(n) * time.Minute)
		f.pay("instructed", payout.Instructing).pay("attempt_failed", payout.Due).pay("instructed", payout.Instructing) // a second attempt is no second release
	}
	d.now = monday.AddDate(0, 0, 1)
	d.fold()
	d.check(Hoarding, want{count: 6, of: 6, cases: 6, parts: map[string]int64{"PAYMENTS": 6, "BATCHES": 1}})
}

func TestCeilings(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 9)
	for _, amount := range []money.Fen{474999, 475000, 500000, 500001} { // the ceiling is 5000 yuan, inclusive
		d.file(monday).accept(nil).propose("clerk-1", amount).approve("approver-1", amount)
	}
	d.fold()
	d.check(NearCeiling, want{count: 2, of: 4, cases: 2})
	d.check(Splits, want{of: 4})
	// Three of one person, together above it; one of them too long ago; and an agent
	// who asks for many.
	ask := func(asker, relation string, at time.Time) {
		f := d.file(at)
		f.asker = asker
		f.accept(event.Facts{"relation": relation}).propose("clerk-1", 300000).approve("approver-1", 300000)
	}
	ask("same", "self", monday.AddDate(0, 0, -20))
	ask("same", "household", monday)
	ask("same", "self", monday.AddDate(0, 0, 1))
	ask("old", "self", monday.AddDate(0, 0, -22))
	ask("old", "self", monday.AddDate(0, 0, 9))
	for range 3 {
		ask("committee", "village_committee", monday)
	}
	d.fold()
	d.check(Splits, want{count: 3, of: 11, cases: 3}) // the last was in December
}

func TestEndOfDay(t *testing.T) {
	t.Parallel()
	d := plant(t)
	for _, h := range []int{9, 15, 16, 23} {
		f := d.file(monday.Add(-time.Hour)).accept(nil)
		f.at = time.Date(2026, 11, 23, h, 59, 0, 0, monday.Location())
		f.put("refused", staffer("approver-1"), "DECEASED", nil)
	}
	d.now = monday.AddDate(0, 0, 1)
	d.fold()
	d.check(EndOfDay, want{count: 2, of: 4, cases: 2, parts: map[string]int64{"H09": 1, "H15": 1, "H16": 1, "H23": 1}})
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 1)
	f := d.file(monday).accept(event.Facts{"placed": application.HoldDuplicate})
	f.put("refused", staffer("approver-1"), "SAME_CAUSE_REPEAT", nil) // one case, once
	d.file(monday).accept(nil).put("refused", staffer("approver-1"), "SAME_CAUSE_REPEAT", nil)
	d.file(monday).accept(nil).put("held", staffer("clerk-1"), application.HoldDuplicate, nil)
	d.file(monday).accept(nil).put("refused", staffer("approver-1"), "DECEASED", nil)
	d.fold()
	d.check(Duplicates, want{count: 3, of: 4, cases: 3, parts: map[string]int64{application.HoldDuplicate: 2, "SAME_CAUSE_REPEAT": 1}})
}

func TestWrongPayments(t *testing.T) {
	t.Parallel()
	d := plant(t)
	paid := func() *file {
		return d.file(monday).accept(nil).propose("clerk-1", 100000).approve("approver-1", 100000).pay("paid", payout.Paid)
	}
	paid().pay("contradicted", payout.Paid).pay("contradicted", payout.Paid)
	paid().pay("returned", payout.Returned).said(application.NotReceived)
	paid().said(application.WrongAmount).put("held", event.Actor{Kind: event.Citizen, ID: "b"}, application.HoldNotMine, event.Facts{"code": application.HoldNotMine})
	d.file(monday).accept(nil).propose("clerk-1", 1).approve("approver-1", 1).pay("failed", payout.Failed)
	d.file(monday).accept(nil).propose("clerk-1", 1).approve("approver-1", 1).pay("frozen", payout.Frozen)
	d.file(monday).accept(nil).put("held", event.Actor{Kind: event.Citizen, ID: "b"}, application.HoldNotMine, nil) // before any payment
	d.now = monday.AddDate(0, 0, 1)
	d.fold()
	d.check(WrongPayments, want{count: 7, of: 3, cases: 7, parts: map[string]int64{"CONTRADICTED": 1, "RETURNED": 1, application.NotReceived: 0, application.HoldReceipt: 1,
		application.HoldAmount: 1, application.HoldNotMine: 1, "FAILED": 1, "FROZEN": 1}})
}

// signal plants one step of a hardship signal.
func (d *desk) signal(id string, v int64, at time.Time, state discovery.State) {
	d.put(event.Event{PK: discovery.Partition(id), Noun: discovery.Noun, ID: id, Version: v, Kind: "k", At: at, Actor: event.Actor{Kind: event.System, ID: "discover"},
		Facts: event.Facts{"kind": "fire", "state": string(state), "township": string(township), "place": "320402005001"}})
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	d := plant(t)
	for n, states := range [][]discovery.State{{discovery.Open}, {discovery.Open, discovery.Open, discovery.Helped}, {discovery.Open, discovery.Applied}, {discovery.Open, discovery.Closed}, {discovery.Applied}} {
		for v, s := range states {
			d.signal(fmt.Sprint("s", n), int64(v+1), monday.Add(time.Duration(v)*time.Hour), s)
		}
	}
	d.now = monday.Add(5 * time.Hour)
	d.fold()
	d.check(Coverage, want{count: 1, of: 5, oldest: 5 * 3600, p50: time.Hour, cases: 5, open: 1, parts: map[string]int64{"fire": 1, "APPLIED": 3, "DISMISSED": 1}})
	if got := d.found(Search{Indicator: Coverage, Open: true}); got[0].Matter != "signal/s0" || got[0].Application != "" {
		t.Errorf("%+v", got)
	}
	// It is of no programme, and counted without asking for one only.
	if f := pick(d.report(Question{Division: city, Programme: FirstAid}).Figures, Coverage); f.Count != 0 {
		t.Errorf("of first aid: %+v", f)
	}
	if f := pick(d.report(Question{Division: city, Programme: NoProgramme}).Figures, Coverage); f.Count != 1 {
		t.Errorf("of none: %+v", f)
	}
}

func TestComplaints(t *testing.T) {
	t.Parallel()
	d := plant(t)
	versions := map[string]int64{}
	step := func(id, kind, state string, at time.Time, facts event.Facts) {
		versions[id]++
		all := event.Facts{"state": state, "rank": 2}
		for k, v := range facts {
			all[k] = v
		}
		d.put(event.Event{PK: "COMPLAINT#" + id, Noun: Complaint, ID: id, Version: versions[id], Kind: kind, At: at, Actor: event.Actor{Kind: event.Citizen, ID: "complainant"}, Facts: all})
	}
	place := event.Facts{"place": "320402005001"} // a village of the township
	hours := func(n int) time.Time { return monday.Add(time.Duration(n) * time.Hour) }
	// Answered late, rated, taken up again.
	step("c1", "filed", "filed", hours(0), place)
	step("c1", "accepted", "accepted", hours(1), nil)
	step("c1", "told", "accepted", hours(2), event.Facts{"percent": 100})
	step("c1", "replied", "replied", hours(3), event.Facts{"late": true})
	step("c1", "rated", "replied", hours(4), event.Facts{"rating": "dissatisfied"})
	step("c1", "reopened", "accepted", hours(5), nil)
	// Its accepting clock ran out, and was met then.
	step("c2", "filed", "filed", hours(0), place)
	step("c2", "told", "filed", hours(2), event.Facts{"percent": 100})
	step("c2", "accepted", "accepted", hours(3), nil)
	// Its clock ran out, and nobody has answered.
	step("c3", "filed", "filed", hours(1), place)
	step("c3", "told", "filed", hours(2), event.Facts{"percent": 80})
	step("c3", "told", "filed", hours(3), event.Facts{"percent": 100})
	step("c4", "filed", "filed", hours(1), place)
	step("c4", "replied", "replied", hours(9), event.Facts{"late": false})
	step("c4", "rated", "replied", hours(9), event.Facts{"rating": "satisfied"})
	d.now = hours(10)
	d.fold()
	d.check(Complaints, want{count: 3, of: 4, overdue: 1, oldest: 10 * 3600, p50: 3 * time.Hour, cases: 9, open: 3,
		parts: map[string]int64{"filed": 1, "accepted": 2, "FILED": 4, "REPLIED": 2, "REPLIED_LATE": 1, "REOPENED": 1}})
	d.check(Satisfaction, want{count: 1, of: 2, cases: 2, parts: map[string]int64{"dissatisfied": 1, "satisfied": 1}})
}

// TestEveryIndicatorSaysWhatItIs: words in both languages, a ground, cases.
func TestEveryIndicatorSaysWhatItIs(t *testing.T) {
	t.Parallel()
	seen := map[ID]bool{}
	for _, i := range All() {
		if seen[i.ID] || i.Chinese == "" || i.English == "" || i.Rule.Chinese == "" || i.Rule.English == "" || i.Rule.Source == "" || i.figure == nil {
			t.Errorf("%+v", i)
		}
		seen[i.ID] = true
		if got, ok := Of(i.ID); !ok || got.Chinese != i.Chinese {
			t.Errorf("%s is not found", i.ID)
		}
		if i.cases == accepted {
			if _, ok := runs[i.ID]; !ok {
				t.Errorf("%s lists applications by a time that nobody measures", i.ID)
			}
		}
	}
	if _, ok := Of("happiness"); ok {
		t.Error("an indicator that is none was found")
	}
}

// TestNothingPersonal puts what is personal into every event and looks for it in
// everything that is stored.
func TestNothingPersonal(t *testing.T) {
	t.Parallel()
	store, inner := recording()
	t.Cleanup(func() { _ = inner.Close() })
	d := &desk{T: t, store: store, now: monday.AddDate(0, 0, 1)}
	d.lives(5, 9)
	for i := range d.entries {
		e := &d.entries[i].Event
		e.Note = []byte("canary-note")
		e.Request = &event.Request{Key: "canary-key", Answer: []byte(`"canary-answer"`)}
		e.Trace = "canary-trace"
	}
	slices.Reverse(d.entries) // so that events wait, and are stored meanwhile
	for i := range d.entries {
		d.entries[i].Index = uint64(i)
	}
	d.fold()
	if len(store.last) == 0 {
		t.Fatal("nothing was stored")
	}
	for key, text := range store.last {
		if strings.Contains(text, "canary") || strings.Contains(key.PK+key.SK, "canary") {
			t.Errorf("%v holds %s", key, text)
		}
	}
}

// TestSketch holds percentiles to their error, whatever is put in and however it
// is merged, and the merge to be the same in any order.
func TestSketch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(-5, 400_000_000), 1, 60).Draw(r, "seconds")
		whole, left, right := &spread{}, &spread{}, &spread{}
		for i, s := range times {
			half := left
			if i%2 == 1 {
				half = right
			}
			for _, one := range []*spread{whole, half} {
				if err := one.add(time.Duration(s) * time.Second); err != nil {
					r.Fatal(err)
				}
			}
		}
		read := &spread{raw: slices.Clone(right.bytes())} // as stored
		if err := read.merge(left); err != nil {
			r.Fatal(err)
		}
		if string(read.bytes()) != string(whole.bytes()) {
			r.Fatalf("merged %x, whole %x", read.bytes(), whole.bytes())
		}
		h := hdrhistogram.New(1, int64(longest/time.Second), digits)
		for i, s := range times {
			times[i] = min(max(s, 0), int64(longest/time.Second))
			if err := h.RecordValue(times[i]); err != nil {
				r.Fatal(err)
			}
		}
		want := Times{int64(len(times)), h.ValueAtPercentile(50), h.ValueAtPercentile(90), h.ValueAtPercentile(99)}
		if got := whole.times(); *got != want {
			r.Fatalf("%+v, a histogram has %+v", *got, want)
		}
		slices.Sort(times)
		got := whole.times()
		exact := times[max((len(times)+1)/2-1, 0)]
		low, high := exact, times[min(len(times)/2, len(times)-1)]
		if float64(got.P50) < float64(low)*(1-Accuracy) || float64(got.P50) > float64(high)*(1+Accuracy)+1 {
			r.Fatalf("p50 %d of %v", got.P50, times)
		}
		if top := times[len(times)-1]; float64(got.P99) > float64(top)*(1+Accuracy)+1 {
			r.Fatalf("p99 %d above %d", got.P99, top)
		}
	})
}

func TestBrokenItems(t *testing.T) {
	t.Parallel()
	for _, raw := range [][]byte{{0x80}, {1}, {255, 255, 255, 1, 1}} {
		if err := (&spread{raw: raw}).add(time.Second); err == nil {
			t.Errorf("%x was read as a sketch", raw)
		}
	}
	for _, body := range []string{"{", `{"at":"gA=="}`, `{"at":"AYA="}`} {
		if _, err := decodeStanding([]byte(body)); err == nil {
			t.Errorf("%s was read as a list", body)
		}
	}
	if _, err := decodeCell([]byte("{")); err == nil {
		t.Error("half a cell was read")
	}
	if _, err := decodeMatter([]byte("{")); err == nil {
		t.Error("half a matter was read")
	}
	s := &standing{list: "l"}
	if err := s.add(monday, -1); err == nil {
		t.Error("what is not open was closed")
	}
}

// TestStandingReadsBack writes a list and reads it.
func TestStandingReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := &standing{list: "l", code: "c"}
		for range rapid.IntRange(0, 40).Draw(r, "n") {
			if err := s.add(monday.Add(time.Duration(rapid.IntRange(-50000, 50000).Draw(r, "m"))*time.Second), 1); err != nil {
				r.Fatal(err)
			}
		}
		body, err := s.encode()
		if err != nil {
			r.Fatal(err)
		}
		got, err := decodeStanding(body)
		if err != nil || got.list != s.list || got.code != s.code || !slices.EqualFunc(got.times, s.times, func(a, b many) bool { return a.n == b.n && a.at.Equal(b.at) }) {
			r.Fatalf("%+v %v, want %+v", got, err, s)
		}
	})
}

// TestCodesAreBounded: who can make up codes cannot fill an item.
func TestCodesAreBounded(t *testing.T) {
	t.Parallel()
	c := newCell()
	for n := range 3 * mostCodes {
		c.count("refused.", fmt.Sprint("CODE", n), 1)
	}
	if len(c.Counts) > mostCodes+1 || c.Counts["refused."+other] != 2*mostCodes {
		t.Errorf("%d codes, %d others", len(c.Counts), c.Counts["refused."+other])
	}
}

// TestSpans are each day once, and few.
func TestSpans(t *testing.T) {
	t.Parallel()
	d := func(text string) civil.Day {
		day, err := civil.ParseDay(text)
		if err != nil {
			t.Fatal(err)
		}
		return day
	}
	for name, tc := range map[string]struct{ from, to, want string }{
		"one_day":               {"2026-11-05", "2026-11-05", "D#2026-11-05..D#2026-11-05"},
		"a_month":               {"2026-11-01", "2026-11-30", "M#2026-11..M#2026-11"},
		"most_of_a_month":       {"2026-11-01", "2026-11-29", "D#2026-11-01..D#2026-11-29"},
		"a_year":                {"2026-01-01", "2026-12-31", "M#2026-01..M#2026-12"},
		"across_a_turn":         {"2026-12-31", "2027-01-01", "D#2026-12-31..D#2027-01-01"},
		"a_leap_february":       {"2028-02-01", "2028-02-29", "M#2028-02..M#2028-02"},
		"both_ends_cut":         {"2026-01-31", "2026-04-01", "D#2026-01-31..D#2026-01-31 M#2026-02..M#2026-03 D#2026-04-01..D#2026-04-01"},
		"from_the_last_of_a_31": {"2026-10-31", "2026-11-30", "D#2026-10-31..D#2026-10-31 M#2026-11..M#2026-11"},
	} {
		var got []string
		for _, s := range spans(d(tc.from), d(tc.to)) {
			got = append(got, s[0]+".."+s[1])
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
}

// TestPaging gives every case once, in pages of any size, across places.
func TestPaging(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 9)
	d.lives(30, 5)
	d.fold()
	for _, where := range []civil.DivisionCode{city, county, township} {
		for _, id := range []ID{Applications, Holds, EndOfDay} {
			want := d.found(Search{Question: Question{Division: where}, Indicator: id})
			for _, limit := range []int{1, 2, 7} {
				if got := d.found(Search{Question: Question{Division: where}, Indicator: id, Limit: limit}); !slices.Equal(got, want) {
					t.Errorf("%s of %s by %d: %d cases, want %d", id, where, limit, len(got), len(want))
				}
			}
		}
	}
	if n := len(d.found(Search{Question: Question{Division: city}, Indicator: Applications})); n != 30 {
		t.Errorf("the city has %d applications", n)
	}
}

func TestQuestionsThatAreNone(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.file(monday).accept(nil)
	d.fold()
	day := func(text string) civil.Day {
		v, err := civil.ParseDay(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	ok := Question{Division: city, From: day("2026-11-01"), To: day("2026-11-30")}
	for name, tc := range map[string]struct {
		change func(*Question)
		want   error
	}{
		"no_days":           {func(q *Question) { q.From = civil.Day{} }, ErrDays},
		"backwards":         {func(q *Question) { q.From = day("2026-12-01") }, ErrDays},
		"three_years":       {func(q *Question) { q.From = day("2023-11-01") }, ErrDays},
		"two_years_by_day":  {func(q *Question) { q.From, q.By = day("2025-01-01"), ByDay }, ErrDays},
		"by_weather":        {func(q *Question) { q.By = "weather" }, ErrBy},
		"no_such_programme": {func(q *Question) { q.Programme = "grant" }, ErrProgramme},
		"a_partition":       {func(q *Question) { q.Programme = "x#D" }, ErrProgramme},
	} {
		q := ok
		tc.change(&q)
		if _, err := d.reader().Report(t.Context(), q); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if _, _, err := d.reader().Cases(t.Context(), Search{Question: q, Indicator: Holds, Limit: 1}); !errors.Is(err, tc.want) {
			t.Errorf("cases, %s: %v, want %v", name, err, tc.want)
		}
	}
	if _, _, err := d.reader().Cases(t.Context(), Search{Question: ok, Indicator: "happiness", Limit: 1}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	for _, after := range []string{"!", "e30x", "eyJwIjotMX0", "eyJwIjo5OX0"} {
		if _, _, err := d.reader().Cases(t.Context(), Search{Question: ok, Indicator: Holds, Limit: 1, After: after}); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: %v", after, err)
		}
	}
}

// dark is a store that answers nothing.
type dark struct{ table.Store }

var errDark = errors.New("dark")

func (dark) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, errDark
}
func (dark) Query(context.Context, table.Query) (table.Page, error) { return table.Page{}, errDark }

// dim answers Get alone.
type dim struct{ table.Store }

func (dim) Query(context.Context, table.Query) (table.Page, error) { return table.Page{}, errDark }

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.file(monday).accept(nil)
	d.fold()
	q := Question{Division: city, From: civil.Date(2026, 11, 1), To: civil.Date(2026, 11, 30)}
	for _, store := range []table.Store{dark{d.store}, dim{d.store}} {
		r := Reader{Table: store, Tree: division.Shipped(), Now: func() time.Time { return d.now }}
		for _, by := range []By{ByNothing, ByDay, ByOfficer, ByDivision} {
			q.By = by
			if _, err := r.Report(t.Context(), q); !errors.Is(err, errDark) {
				t.Errorf("by %q: %v", by, err)
			}
		}
		if _, _, err := r.Cases(t.Context(), Search{Question: q, Indicator: Holds, Limit: 1}); !errors.Is(err, errDark) {
			t.Error(err)
		}
	}
	d.file(monday).accept(nil)
	for _, f := range []*Folder{{Table: dark{d.store}, Log: &d.log, Tree: division.Shipped()}, {Table: d.store, Log: blind{}, Tree: division.Shipped()}} {
		if _, err := f.Fold(t.Context()); !errors.Is(err, errDark) {
			t.Error(err)
		}
		if _, err := f.Behind(t.Context()); !errors.Is(err, errDark) {
			t.Error(err)
		}
	}
	if n, err := d.folder().Behind(t.Context()); n != 1 || err != nil {
		t.Errorf("behind %d, %v", n, err)
	}
	d.fold()
	if n, err := d.folder().Behind(t.Context()); n != 0 || err != nil {
		t.Errorf("behind %d, %v", n, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if n, err := d.folder().Fold(ended); n != 0 || err != nil {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

// blind is a log that cannot be read.
type blind struct{}

func (blind) Size(context.Context) (uint64, error)                        { return 0, errDark }
func (blind) Read(context.Context, uint64, int) ([]evidence.Entry, error) { return nil, errDark }

func TestDraw(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 9)
	empty := string(d.report(Question{}).Draw("<常州 & 市>"))
	d.lives(20, 6)
	d.fold()
	full := string(d.report(Question{}).Draw("常州市"))
	if strings.Contains(empty, "<path") || !strings.Contains(empty, "&lt;常州 &amp; 市&gt;") || strings.Count(full, "<path") != 4 {
		t.Errorf("empty %s\nfull %s", empty, full)
	}
	for _, text := range []string{empty, full} {
		for dec := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// FuzzMark: a mark that is taken stands within the places there are, and is the
// same when it is given out again.
func FuzzMark(f *testing.F) {
	good, err := mark{Place: 1, Skip: 2}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, 3)
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"place":-1,"skip":99999999999}`)), 3)
	f.Add("%%%", 0)
	f.Fuzz(func(t *testing.T, text string, places int) {
		m, err := parseMark(text, places)
		if err != nil || text == "" {
			return
		}
		out, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseMark(out, places); err != nil || again != m || m.Place < 0 || m.Place >= places {
			t.Errorf("%+v became %+v: %v", m, again, err)
		}
	})
}
