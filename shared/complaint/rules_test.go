package complaint

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

const clocksText = `
clocks:
  accept_working_days: {value: 1, source: s, status: unconfirmed}
  handle_working_days: {value: 15, source: s, status: unconfirmed}
  priority_working_days: {value: 5, source: s, status: unconfirmed}
  urgent_hours: {value: 24, source: s, status: unconfirmed}
  petition_inform_days: {value: 15, source: s, status: confirmed}
  petition_handle_days: {value: 60, source: s, status: confirmed}
  petition_ask_days: {value: 30, source: s, status: confirmed}
  petition_review_days: {value: 30, source: s, status: confirmed}
  object_working_days: {value: 5, source: s, status: confirmed}
  extension_days: {value: 30, source: s, status: confirmed}
  pause_days: {value: 10, source: s, status: unconfirmed}
  reopen_days: {value: 30, source: s, status: unconfirmed}
  look_back_days: {value: 30, source: s, status: unconfirmed}
`

const nationText = `region: "000000"
name: 全国
first_day: 2026-07-01
source: s
modules:
  - {code: one, name: 一, hardship: true, source: s, status: confirmed, items: []}
` + clocksText

func compile(files map[string]string) ([]byte, error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Compile(fsys, division.Shipped(), regionfile.Parse)
}

func TestWhatIsWrongWithARegionFile(t *testing.T) {
	t.Parallel()
	nation := "000000/2026-07-01.yaml"
	for name, tc := range map[string]struct{ old, new, want string }{
		"not_where_it_says":   {"first_day: 2026-07-01", "first_day: 2026-08-01", "not at region"},
		"no_name":             {"name: 全国", `name: ""`, "name and source"},
		"no_such_key":         {"name: 全国", "name: 全国\nnames: 全国", "unknown_key"},
		"module_without_code": {"code: one", `code: ""`, "code of its own"},
		"module_no_source":    {"hardship: true, source: s", `hardship: true, source: ""`, "needs a source"},
		"status_made_up":      {"value: 1, source: s, status: unconfirmed", "value: 1, source: s, status: sure", "confirmed or unconfirmed"},
		"nothing_is_no_time":  {"value: 24", "value: 0", "1 to 365"},
		"extension_too_long":  {"extension_days: {value: 30", "extension_days: {value: 31", "at most 30"},
		"clock_missing":       {"  pause_days: {value: 10, source: s, status: unconfirmed}\n", "", "pause_days"},
		"item_of_no_level":    {"items: []", "items: [{code: two, name: 二, handling: {level: village, name: x}, supervising: {level: county, name: x}, source: s, status: confirmed}]", "township, county or city"},
		"code_twice":          {"items: []", "items: [{code: one, name: 二, handling: {level: county, name: x}, supervising: {level: county, name: x}, source: s, status: confirmed}]", "code of its own"},
		"not_yaml":            {"modules:", "modules: [", "yaml"},
	} {
		if !strings.Contains(nationText, tc.old) {
			t.Fatalf("%s: the case no longer fits", name)
		}
		if _, err := compile(map[string]string{nation: strings.Replace(nationText, tc.old, tc.new, 1)}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	region := `region: "320400"` + "\nname: 常州\nfirst_day: 2026-08-01\nsource: s\nclocks:\n  accept_working_days: {value: 2, source: s, status: confirmed}\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no_nation":        {map[string]string{"320400/2026-08-01.yaml": region}, "no file of the nation"},
		"region_of_nobody": {map[string]string{nation: nationText, "999999/2026-08-01.yaml": strings.Replace(region, "320400", "999999", 1)}, "not in the division tree"},
		"region_no_code":   {map[string]string{nation: nationText, "x/2026-08-01.yaml": strings.Replace(region, "320400", "x", 1)}, "not a division"},
	} {
		if _, err := compile(tc.files); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw, err := compile(map[string]string{nation: nationText, "320400/2026-08-01.yaml": region})
	if err != nil {
		t.Fatal(err)
	}
	book, err := Unpack(raw, division.Shipped())
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) civil.Day {
		d, err := civil.ParseDay(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	// From its first day the region's own; before, and elsewhere, the nation's.
	for _, tc := range []struct {
		code civil.DivisionCode
		day  string
		want int
	}{{township, "2026-08-01", 2}, {township, "2026-07-31", 1}, {"511702001000", "2026-08-01", 1}} {
		r, err := book.Rules(tc.code, day(tc.day))
		if err != nil || r.Clocks.AcceptWorkingDays.Value != tc.want || len(r.Modules) != 1 {
			t.Errorf("%s %s: %+v %v", tc.code, tc.day, r, err)
		}
	}
	if _, err := book.Rules("999999000000", day("2026-08-01")); !errors.Is(err, ErrPlace) {
		t.Errorf("rules of nowhere: %v", err)
	}
	if _, err := book.Rules(township, day("2026-06-30")); !errors.Is(err, ErrPlace) {
		t.Errorf("rules before there were any: %v", err)
	}
	if _, ok := book.ByFingerprint("none"); ok {
		t.Error("rules of no fingerprint")
	}
	for _, broken := range []string{"[]", "{"} {
		if _, err := Unpack([]byte(broken), division.Shipped()); err == nil {
			t.Errorf("%s is a book", broken)
		}
	}
}

// What nobody has confirmed says so, and what the regulation says is confirmed.
func TestShippedClocksSayWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	r := rules(t)
	open := strings.Join(r.Unconfirmed(), " ")
	if open != "accept_working_days handle_working_days look_back_days pause_days priority_working_days reopen_days urgent_hours" {
		t.Errorf("unconfirmed: %s", open)
	}
	for _, f := range r.Clocks.List() {
		if f.Confirmed() != strings.Contains(f.Source, "信访工作条例") {
			t.Errorf("%s: %s, confirmed %v", f.Name, f.Source, f.Confirmed())
		}
	}
	if len(r.Clocks.List()) != 13 || r.Region.County() != "320400" {
		t.Errorf("%d clocks of %s", len(r.Clocks.List()), r.Region)
	}
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if same, ok := book.ByFingerprint(r.Fingerprint); !ok || same != r {
		t.Error("the rules are not found by their fingerprint")
	}
	if _, err := book.Rules(township, calendar.Today(start)); err != nil {
		t.Error(err)
	}
}
