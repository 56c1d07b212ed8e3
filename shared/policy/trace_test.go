package policy

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

// changedRules are the rules of an ordinary region with texts of the nation's file
// replaced: old, new, old, new.
func changedRules(t *testing.T, texts ...string) *Rules {
	t.Helper()
	const base = "000000/2026-07-01.yaml"
	files := overlay(t, "testdata/valid_wuxi")
	text := string(files[base].Data)
	for i := 0; i < len(texts); i += 2 {
		if strings.Count(text, texts[i]) != 1 {
			t.Fatalf("%q does not stand once in the file", texts[i])
		}
		text = strings.Replace(text, texts[i], texts[i+1], 1)
	}
	files[base] = &fstest.MapFile{Data: []byte(text)}
	book, err := Load(files, division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	r, err := book.Rules("320400000000", civil.Date(2026, 11, 22))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ordinary are facts of a case with nothing remarkable about it.
func ordinary(change ...func(*Facts)) Facts {
	f := Facts{Day: civil.Date(2026, 11, 22), Division: "320400000000", Cause: Fire, Persons: 2}
	for _, c := range change {
		c(&f)
	}
	return f
}

// steps are the steps of one rule in a trace.
func steps(o Outcome, rule string) []Step {
	return slices.DeleteFunc(slices.Clone(o.Trace), func(s Step) bool { return s.Rule != rule })
}

// What reaches a limit is within it: nobody is told of a limit that was not passed.
func TestAtALimitNothingIsCut(t *testing.T) {
	t.Parallel()
	r := changedRules(t, "max_amount_fen: {value: 2000000", "max_amount_fen: {value: 200000", "max_months: {value: 12", "max_months: {value: 2")
	for name, c := range map[string]struct {
		persons, months int
		amount          money.Fen
		cut             string // rule that cut it
	}{
		"two people for a month, the limit":        {2, 1, 200_000, ""},
		"three people":                             {3, 1, 200_000, "max_amount"},
		"one person for as long as there is":       {1, 2, 200_000, ""},
		"one person for longer, cut to two months": {1, 3, 200_000, "max_months"},
	} {
		o := r.FirstAid(ordinary(func(f *Facts) { f.Persons, f.Months = c.persons, c.months }))
		var cuts []string
		for _, s := range o.Trace {
			if s.Outcome == StepLimit {
				cuts = append(cuts, s.Rule)
			}
		}
		if o.AmountFen != c.amount || strings.Join(cuts, " ") != c.cut {
			t.Errorf("%s: %d fen, cut by %v", name, o.AmountFen, cuts)
		}
	}
	// Of a year in which all was given nothing is left, and that is no ceiling.
	annual := rulesOf(t, "valid_annual")
	for given, want := range map[money.Fen]money.Fen{249_999: 1, 250_000: 2_000_000} {
		o := annual.FirstAid(ordinary(func(f *Facts) { f.Earlier = []Earlier{{Day: civil.Date(2026, 8, 1), Cause: Injury, AmountFen: given}} }))
		if o.CeilingFen != want {
			t.Errorf("after %d fen: ceiling %d, not %d", given, o.CeilingFen, want)
		}
	}
	// What cannot be counted is the most that there is.
	if times(money.Max, math.MaxInt, 2) != money.Max || times(money.Max, 2) != money.Max || times(3, 4) != 12 || times(money.Max, 1) != money.Max {
		t.Error("a product of limits")
	}
}

// Who reads the trace learns what a township may decide, who decides, and whether
// the county is told; of a township alone, and where the region wants it.
func TestWhatTheTraceSaysOfWhoDecides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told   string
		amount money.Fen
		filed  bool
		who    Authority
	}{
		"within, and told":    {"true", 300_000, true, Township},
		"within, not told":    {"false", 300_000, false, Township},
		"above, nobody told":  {"true", 300_001, false, County},
		"above, and not told": {"false", 300_001, false, County},
	} {
		r := changedRules(t, "file_with_county: {value: true", "file_with_county: {value: "+c.told)
		o := r.FirstAid(ordinary(func(f *Facts) { f.AmountFen = c.amount }))
		got := steps(o, "authority")
		if o.Authority != c.who || len(got) != 1 || !strings.HasPrefix(got[0].Text, Township.Chinese()+"可以决定¥3,000.00及以下") || strings.HasSuffix(got[0].Text, "备案。") != c.filed ||
			!strings.Contains(got[0].Text, "由"+c.who.Chinese()+"决定") {
			t.Errorf("%s: %s %+v", name, o.Authority, got)
		}
	}
}

// A source that the region listed and that knows nothing, or nothing against
// anybody, holds nobody up; one that does, does.
func TestAListedSourceThatKnowsNothing(t *testing.T) {
	t.Parallel()
	r := changedRules(t)
	for outcome, want := range map[CheckOutcome]StepOutcome{HitClear: StepPass, NoRecord: StepPass, HitAdverse: StepHold, Mismatch: StepHold, Unavailable: StepLater, NotAuthorised: StepLater} {
		for source, holds := range map[string]bool{SourceReliefHistory: true, SourceBank: false} {
			o := r.FirstAid(ordinary(func(f *Facts) { f.Checks = []Check{{source, outcome, "f"}} }))
			expected := want
			if want == StepHold && !holds {
				expected = StepLater
			}
			if got := steps(o, "check"); len(got) != 1 || got[0].Outcome != expected || held(o, HoldAdverseRecord) != (expected == StepHold) {
				t.Errorf("%s %s: %+v", source, outcome, got)
			}
		}
	}
}

// The Law spares those who are recognised another examination: four classes, and no other.
func TestWhoIsNotExaminedAgain(t *testing.T) {
	t.Parallel()
	r := changedRules(t)
	for class, want := range map[RecipientClass]bool{Tekun: true, Dibao: true, NearDibao: true, RigidExpenditure: true, LowIncomeOther: false, NoClass: false} {
		o := r.FirstAid(ordinary(func(f *Facts) { f.Classes = []RecipientClass{class} }))
		if got := steps(o, "recognised"); (len(got) == 1) != want {
			t.Errorf("%s: %+v", class, got)
		}
	}
}

// How often is counted as the file says it.
func TestHowOftenIsCounted(t *testing.T) {
	t.Parallel()
	for unit, household := range map[string]bool{"HOUSEHOLD": true, "PERSON": false} {
		for window, rolling := range map[string]bool{"CALENDAR": false, "ROLLING": true} {
			got := changedRules(t, "count_unit: {value: HOUSEHOLD", "count_unit: {value: "+unit, "window: {value: CALENDAR", "window: {value: "+window).Frequency()
			if got != (Frequency{PerYear: 2, SameCausePerYear: 1, Rolling: rolling, ByHousehold: household}) {
				t.Errorf("%s %s: %+v", unit, window, got)
			}
		}
	}
	// Twelve months back to the day, that day not counted.
	r := changedRules(t, "window: {value: CALENDAR", "window: {value: ROLLING")
	for day, want := range map[civil.Day]bool{civil.Date(2025, 11, 22): false, civil.Date(2025, 11, 23): true} {
		o := r.FirstAid(ordinary(func(f *Facts) { f.Earlier = []Earlier{{Day: day, Cause: Fire, AmountFen: 1}} }))
		if slices.Contains(o.NeedsException, SameCauseRepeat) != want {
			t.Errorf("helped on %s: %v", day, o.NeedsException)
		}
	}
}

// Rules that have ended are not followed by those that they once replaced.
func TestAfterTheLastRulesThereAreNone(t *testing.T) {
	t.Parallel()
	files := overlay(t, "testdata/valid_periods")
	const first, second = "320400/2026-07-01.yaml", "320400/2027-02-01.yaml"
	open := strings.Replace(string(files[first].Data), "last_day: 2026-12-31\n", "", 1)
	ended := strings.Replace(string(files[second].Data), "revision: 1\n", "revision: 1\nlast_day: 2027-06-30\n", 1)
	files[first], files[second] = &fstest.MapFile{Data: []byte(open)}, &fstest.MapFile{Data: []byte(ended)}
	book, err := Load(files, division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[civil.Day]string{civil.Date(2027, 1, 31): "2026-07-01", civil.Date(2027, 2, 1): "2027-02-01", civil.Date(2027, 6, 30): "2027-02-01", civil.Date(2027, 7, 1): ""} {
		r, err := book.Rules("320400000000", day)
		if want == "" {
			if !errors.Is(err, ErrNoRules) {
				t.Errorf("on %s: %v, %v", day, r, err)
			}
			continue
		}
		if err != nil || r.FirstDay().String() != want {
			t.Errorf("on %s: %v, %v", day, r, err)
		}
	}
}

// Facts that make no sense wait for a person, each for its own reason, and what
// makes sense at the edge does not.
func TestFactsAtTheEdgeOfSense(t *testing.T) {
	t.Parallel()
	r := changedRules(t)
	for name, c := range map[string]struct {
		change  func(*Facts)
		persons int
		hold    string
	}{
		"one person":             {func(f *Facts) { f.Persons = 1 }, 1, ""},
		"thirty":                 {func(f *Facts) { f.Persons = 30 }, 30, ""},
		"thirty-one":             {func(f *Facts) { f.Persons = 31 }, 30, HoldFactsUnclear},
		"nobody":                 {func(f *Facts) { f.Persons = 0 }, 1, HoldFactsUnclear},
		"no amount or months":    {func(f *Facts) { f.AmountFen, f.Months = 0, 0 }, 2, ""},
		"less than no amount":    {func(f *Facts) { f.AmountFen = -1 }, 2, HoldFactsUnclear},
		"less than no months":    {func(f *Facts) { f.Months = -1 }, 2, HoldFactsUnclear},
		"a cause that is none":   {func(f *Facts) { f.Cause = "x" }, 2, HoldFactsUnclear},
		"on the first day":       {func(f *Facts) { f.Day = civil.Date(2026, 7, 1) }, 2, ""},
		"before the first day":   {func(f *Facts) { f.Day = civil.Date(2026, 6, 30) }, 2, HoldWrongRegion},
		"as much as there is":    {func(f *Facts) { f.AmountFen = CodeCeiling }, 2, ""},
		"more than there is":     {func(f *Facts) { f.AmountFen = CodeCeiling + 1 }, 2, HoldOverCodeCeiling},
		"no amount, many people": {func(f *Facts) { f.Persons = 25 }, 25, ""}, // more than the ceiling, and cut to it
	} {
		o := r.FirstAid(ordinary(c.change))
		var holds []string
		for _, h := range o.Holds {
			holds = append(holds, h.Code)
		}
		if o.Persons != c.persons || strings.Join(holds, " ") != c.hold {
			t.Errorf("%s: %d people, held for %v", name, o.Persons, holds)
		}
	}
	ended := rulesOf(t, "valid_periods") // until the end of the year
	for day, want := range map[civil.Day]bool{civil.Date(2026, 12, 31): false, civil.Date(2027, 1, 1): true} {
		if o := ended.FirstAid(ordinary(func(f *Facts) { f.Day = day })); held(o, HoldWrongRegion) != want {
			t.Errorf("on %s: %+v", day, o.Holds)
		}
	}
}

// A relative of staff is found by whoever found out, and the trace says who.
func TestARelativeOfStaffGoesUp(t *testing.T) {
	t.Parallel()
	r := changedRules(t)
	for name, c := range map[string]struct {
		change func(*Facts)
		source string // "" when nothing is found
	}{
		"nobody":                        {func(*Facts) {}, ""},
		"declared":                      {func(f *Facts) { f.KinOfStaff = true }, "本人或工作人员申报"},
		"found in the register":         {func(f *Facts) { f.Checks = []Check{{SourceKin, HitAdverse, ""}} }, "近亲属备案"},
		"the register knows of nothing": {func(f *Facts) { f.Checks = []Check{{SourceKin, HitClear, ""}} }, ""},
		"another register":              {func(f *Facts) { f.Checks = []Check{{SourceBank, HitAdverse, ""}} }, ""},
	} {
		o := r.FirstAid(ordinary(c.change))
		got := steps(o, "kin")
		if (o.Authority == County) != (c.source != "") || (len(got) == 1) != (c.source != "") || len(got) == 1 && got[0].Source != c.source {
			t.Errorf("%s: %s %+v", name, o.Authority, got)
		}
	}
}

// What a region wants posted before a decision is posted: above what the township
// may give by itself, where the region wants it for emergencies too, and where it
// wants any days at all. The source of the figure is told.
func TestWhatIsPostedBefore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		days, kind, skip string
		amount           money.Fen
		want             Posting // zero: nothing is posted
	}{
		"above":                      {"3", "WORKING", "false", 300_001, Posting{Days: 3, Working: true, Source: "测试"}},
		"above, in natural days":     {"7", "NATURAL", "false", 300_001, Posting{Days: 7, Source: "测试"}},
		"as much as a township may":  {"3", "WORKING", "false", 300_000, Posting{}},
		"no days":                    {"0", "WORKING", "false", 300_001, Posting{}},
		"emergencies are left alone": {"3", "WORKING", "true", 300_001, Posting{}},
	} {
		r := changedRules(t, "pre_days: {value: 0", "pre_days: {value: "+c.days, "pre_kind: {value: NATURAL", "pre_kind: {value: "+c.kind, "skip_if_emergency: {value: true", "skip_if_emergency: {value: "+c.skip)
		got, ok := r.Posting(Outcome{AmountFen: c.amount, TownshipFen: 300_000})
		if got != c.want || ok != (c.want.Days > 0) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

// A step names the article of the Law and beside it where the region's figure comes
// from, unless that is the same.
func TestTheBasisOfAStep(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                       lawFirstAid,
		"社会救助法第五十条第一款":           lawFirstAid,
		"常政发〔2026〕1号":            lawFirstAid + "；常政发〔2026〕1号",
		ToBeConfirmed:            lawFirstAid + "；" + ToBeConfirmed + "的地方标准",
		ToBeConfirmed + "（二〇二七）": lawFirstAid + "；" + ToBeConfirmed + "（二〇二七）",
	} {
		if got := basis(lawFirstAid, source); got != want {
			t.Errorf("%q: %s", source, got)
		}
	}
	// A figure is shown as it is written, and the least of authorities is asked first.
	for _, n := range changedRules(t).Figures() {
		if want := map[string]string{"first_aid.hold_on_adverse": `["relief_history"]`, "amount.mode": `"FORMULA"`, "first_aid.decision_hours": "24"}[n.Name]; want != "" && n.Value != want {
			t.Errorf("%s is shown as %s", n.Name, n.Value)
		}
	}
}
