package calendar

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
)

func day(s string) civil.Day {
	d, err := civil.ParseDay(s)
	if err != nil {
		panic(s)
	}
	return d
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(s)
	}
	return t
}

func TestShippedYears(t *testing.T) {
	t.Parallel()
	c, err := Parse(strings.NewReader(announced))
	if err != nil || len(c.years) != 23 {
		t.Errorf("%d years: %v", len(c.years), err)
	}
	for d, worked := range c.days {
		weekend := d.Weekday() == time.Saturday || d.Weekday() == time.Sunday
		if worked && !weekend {
			t.Errorf("%s is a make-up day in the middle of the week", d)
		}
	}
}

func TestIsWorkingDay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		day  string
		want bool
	}{
		"plain_tuesday":              {"2026-11-24", true},
		"plain_sunday":               {"2026-11-22", false},
		"sunday_worked_before_feast": {"2026-09-20", true},
		"saturday_worked_after":      {"2026-10-10", true},
		"thursday_off_national_day":  {"2026-10-01", false},
		"last_day_off":               {"2026-10-07", false},
		"first_day_back":             {"2026-10-08", true},
		"off_for_next_new_year":      {"2018-12-31", false},
		"unannounced_year_weekday":   {"2027-10-01", true},
	} {
		if got := Shipped().IsWorkingDay(day(tc.day)); got != tc.want {
			t.Errorf("%s: %s is %v", name, tc.day, got)
		}
	}
}

func TestAddWorkingDays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from        string
		n           int
		want        string
		provisional bool
	}{
		"over_national_day_with_make_up_saturday": {"2026-09-30T10:00:00+08:00", 3, "2026-10-11T00:00:00+08:00", false},
		"make_up_sunday_counts":                   {"2026-09-18T10:00:00+08:00", 1, "2026-09-21T00:00:00+08:00", false},
		"plain_week":                              {"2026-11-20T23:59:59+08:00", 5, "2026-11-28T00:00:00+08:00", false},
		"last_second_is_still_that_day":           {"2026-11-22T23:59:59.999+08:00", 1, "2026-11-24T00:00:00+08:00", false},
		"midnight_is_the_next_day":                {"2026-11-23T00:00:00+08:00", 1, "2026-11-25T00:00:00+08:00", false},
		"utc_evening_is_tomorrow_here":            {"2026-11-22T16:00:00Z", 1, "2026-11-25T00:00:00+08:00", false},
		"none_is_end_of_day":                      {"2026-11-22T08:00:00+08:00", 0, "2026-11-23T00:00:00+08:00", false},
		"into_unannounced_year":                   {"2026-12-30T08:00:00+08:00", 3, "2027-01-05T00:00:00+08:00", true},
		"late_december_waits_for_next_year":       {"2026-12-23T08:00:00+08:00", 1, "2026-12-25T00:00:00+08:00", true},
		"day_before_that_is_settled":              {"2026-12-22T08:00:00+08:00", 1, "2026-12-24T00:00:00+08:00", false},
	} {
		got := Shipped().AddWorkingDays(at(tc.from), tc.n)
		if !got.At.Equal(at(tc.want)) || got.Provisional != tc.provisional || got.Basis == "" {
			t.Errorf("%s: %+v, want %s", name, got, tc.want)
		}
		if tc.provisional != strings.Contains(got.Basis, "尚未公布") {
			t.Errorf("%s: basis hides it: %s", name, got.Basis)
		}
	}
}

func TestProvisionalDeadlineIsSettledWhenTheYearIsAnnounced(t *testing.T) {
	t.Parallel()
	from := at("2026-12-30T08:00:00+08:00")
	later, err := Parse(strings.NewReader(announced + "2027 off 0101 0102 0103 0104\n2027 work 0109\n"))
	if err != nil {
		t.Fatal(err)
	}
	before, after := Shipped().AddWorkingDays(from, 3), later.AddWorkingDays(from, 3)
	if !before.Provisional || after.Provisional || !after.At.After(before.At) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestDeadlineIncludesItsMoment(t *testing.T) {
	t.Parallel()
	d := Shipped().AddWorkingDays(at("2026-11-20T10:00:00+08:00"), 1)
	if d.Passed(d.At) || !d.Passed(d.At.Add(1)) {
		t.Error("the boundary is on the wrong side")
	}
}

func TestZoneNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	if _, offset := at("2026-07-01T00:00:00Z").In(Zone).Zone(); offset != 8*3600 {
		t.Errorf("offset is %d", offset)
	}
}

func TestParseReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := Parse(strings.NewReader("2026 maybe 0101\n2026 off 0230 0101 0101 1\n2026 off 0102\nx\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"line 1", `"0230"`, `"0101"`, `"1"`, "line 3", "line 4", "no year"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not among:\n%v", want, err)
		}
	}
}

// FuzzParse reads anything as a list of days off; whatever is let through counts
// working days forward.
func FuzzParse(f *testing.F) {
	f.Add([]byte("2026 off 0101 0102\n2026 work 0104\n"))
	f.Add([]byte("2026 off 0101 0101\n"))
	f.Add([]byte("0000 off\n0000 work\n"))
	f.Add([]byte("99999 off 0101\n99999 work\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse(bytes.NewReader(raw))
		if err != nil {
			return
		}
		for i := range 7 {
			d := civil.Date(2026, 1, 1+i)
			_, _ = c.IsWorkingDay(d), c.Settled(d)
		}
	})
}
