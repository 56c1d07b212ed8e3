package policy

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

func same(a, b Outcome) bool { return reflect.DeepEqual(a, b) }

// anyFacts draws facts that are mostly sensible and sometimes nonsense.
func anyFacts(t *rapid.T) Facts {
	day := civil.Date(2026, 7, 1).AddDays(rapid.IntRange(0, 500).Draw(t, "day"))
	amounts := rapid.OneOf(rapid.Just(money.Fen(0)), rapid.Custom(func(t *rapid.T) money.Fen {
		return money.Fen(rapid.Int64Range(1, 3_000_000).Draw(t, "fen"))
	}), rapid.SampledFrom([]money.Fen{-1, math.MaxInt64, math.MinInt64, CodeCeiling, CodeCeiling + 1}))
	return Facts{
		Day: day, Division: "320402005000", Cause: rapid.SampledFrom(append(Causes(), "x")).Draw(t, "cause"),
		Persons: rapid.OneOf(rapid.IntRange(1, 8), rapid.Int()).Draw(t, "persons"),
		Months:  rapid.OneOf(rapid.IntRange(0, 12), rapid.Int()).Draw(t, "months"), AmountFen: amounts.Draw(t, "amount"),
		Classes: rapid.SliceOfN(rapid.SampledFrom(RecipientClasses()), 0, 3).Draw(t, "classes"),
		Earlier: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Earlier {
			return Earlier{day.AddDays(-rapid.IntRange(-3, 800).Draw(t, "ago")), rapid.SampledFrom(Causes()).Draw(t, "cause"), amounts.Draw(t, "amount"), "a"}
		}), 0, 4).Draw(t, "earlier"),
		Checks: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Check {
			return Check{rapid.SampledFrom(append(Sources(), "x")).Draw(t, "source"),
				rapid.SampledFrom([]CheckOutcome{HitClear, HitAdverse, NoRecord, Mismatch, Unavailable, Expired, NotAuthorised, Pending, "x"}).Draw(t, "outcome"), "f"}
		}), 0, 6).Draw(t, "checks"),
		KinOfStaff: rapid.Bool().Draw(t, "kin"), SpecialHardship: rapid.Bool().Draw(t, "special"),
	}
}

func TestFirstAidNeverRefusesAndNeverLowers(t *testing.T) {
	t.Parallel()
	var rules []*Rules
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	rules = append(book.All(), rulesOf(t, "valid_annual"), rulesOf(t, "valid_small"), rulesOf(t, "valid_rolling"))
	rapid.Check(t, func(t *rapid.T) {
		r, f := rapid.SampledFrom(rules).Draw(t, "rules"), anyFacts(t)
		o := r.FirstAid(f)
		switch {
		case f.AmountFen > 0 && o.AmountFen != f.AmountFen:
			t.Fatalf("a person proposed %d and got %d", f.AmountFen, o.AmountFen)
		case f.AmountFen <= 0 && (o.AmountFen <= 0 || o.AmountFen > CodeCeiling):
			t.Fatalf("the rules propose %d", o.AmountFen)
		case o.CeilingFen > CodeCeiling || o.CeilingFen <= 0:
			t.Fatalf("the ceiling is %d", o.CeilingFen)
		case o.Authority.rank() < 0:
			t.Fatalf("nobody decides: %q", o.Authority)
		case o.AmountFen > o.CeilingFen && (len(o.NeedsException) == 0 || o.Authority != Coordination):
			t.Fatalf("%d is above %d and needs nothing", o.AmountFen, o.CeilingFen)
		case o.AmountFen > o.TownshipFen && o.Authority == Township:
			t.Fatalf("the township may decide %d of %d", o.AmountFen, o.TownshipFen)
		case o.AmountFen > CodeCeiling && !held(o, HoldOverCodeCeiling):
			t.Fatalf("%d goes out", o.AmountFen)
		}
		raw, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var stored Facts
		if err := json.Unmarshal(raw, &stored); err != nil {
			t.Fatal(err)
		}
		if !same(r.FirstAid(stored), o) {
			t.Fatal("stored facts give another outcome")
		}
	})
}

// Whatever a source says may add a look by a person. It never takes money away
// and never lowers who decides (R10).
func TestChecksOnlyAdd(t *testing.T) {
	t.Parallel()
	r := rulesOf(t, "valid_small")
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		with := r.FirstAid(f)
		f.Checks, f.KinOfStaff = nil, false
		without := r.FirstAid(f)
		if with.AmountFen != without.AmountFen || with.CeilingFen != without.CeilingFen || with.Authority.rank() < without.Authority.rank() ||
			!slices.Equal(with.NeedsException, without.NeedsException) {
			t.Fatalf("with %+v, without %+v", with, without)
		}
	})
}

// A source that did not answer never leaves the case worse than without it.
func TestSilenceChangesNothing(t *testing.T) {
	t.Parallel()
	r := rulesOf(t, "valid_checks")
	for _, source := range Sources() {
		for _, outcome := range []CheckOutcome{Unavailable, Expired, NotAuthorised, Pending} {
			o := r.FirstAid(Facts{Day: civil.Date(2026, 11, 22), Cause: Fire, Persons: 1, Checks: []Check{{source, outcome, ""}}})
			if len(o.Holds) != 0 || o.Authority != Township || o.Trace[len(o.Trace)-1].Outcome != StepLater {
				t.Errorf("%s %s: %+v", source, outcome, o)
			}
		}
	}
}

func held(o Outcome, code string) bool {
	return slices.ContainsFunc(o.Holds, func(h HoldReason) bool { return h.Code == code })
}

// The fields that rules can reach are these and no others. Whoever adds one
// argues here that it is no gender, ethnicity, origin, religion or illness, and
// stands for none (D06).
func TestFactsReachNothingForbidden(t *testing.T) {
	t.Parallel()
	want := "Day Division Cause Persons Months AmountFen " +
		"Classes " + "Earlier Earlier.Day Earlier.Cause Earlier.AmountFen Earlier.AwardID " +
		"Checks Checks.Source Checks.Outcome Checks.Fact KinOfStaff SpecialHardship"
	var got []string
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			field := typ.Field(i)
			got = append(got, prefix+field.Name)
			inner := field.Type
			for inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[civil.Day]() {
				walk(prefix+field.Name+".", inner)
			}
		}
	}
	walk("", reflect.TypeFor[Facts]())
	if text := strings.Join(got, " "); text != want {
		t.Errorf("rules reach %s", text)
	}
}

func TestEveryWordHasALabel(t *testing.T) {
	t.Parallel()
	for _, c := range Causes() {
		if c.Chinese() == "" {
			t.Errorf("cause %s", c)
		}
	}
	for _, c := range RecipientClasses() {
		if c.Chinese() == "" {
			t.Errorf("class %s", c)
		}
	}
	for _, a := range []Authority{Township, County, Coordination} {
		if a.Chinese() == "" {
			t.Errorf("authority %s", a)
		}
	}
	if len(Causes()) != 8 || len(RecipientClasses()) != 6 || Cause("x").Chinese() != "" || SourceChinese("x") == "" {
		t.Error("words")
	}
}

func TestTraceNamesArticleAndFigure(t *testing.T) {
	t.Parallel()
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	r, err := book.Rules("120112103000", civil.Date(2026, 11, 22))
	if err != nil {
		t.Fatal(err)
	}
	o := r.FirstAid(Facts{Day: civil.Date(2026, 11, 22), Division: "120112103000", Cause: Fire, Persons: 3, Classes: []RecipientClass{Dibao}})
	var text strings.Builder
	for _, s := range o.Trace {
		text.WriteString(s.Article + " " + s.Text + "\n")
	}
	for _, want := range []string{"社会救助法第五十条", "第四十二条", "¥1,010.00", "3人、1个月", "¥3,030.00", "天津日报", "备案"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is not in:\n%s", want, text.String())
		}
	}
	if !o.Provisional || o.Rules != r.Fingerprint() || o.TownshipFen != 606000 || o.CeilingFen != 909000 {
		t.Errorf("%+v", o)
	}
	if rulesOf(t, "valid_wuxi").FirstAid(Facts{}).Provisional {
		t.Error("confirmed figures are provisional")
	}
}

func TestHigherStandardOfTownAndCountry(t *testing.T) {
	t.Parallel()
	all := content{standards: []standard{{fen: 80000, from: civil.Date(2026, 7, 1)}, {fen: 62000, from: civil.Date(2026, 7, 1)},
		{fen: 90000, from: civil.Date(2027, 1, 1), to: civil.Date(2027, 1, 31)}}}
	r := &Rules{read: func() (content, error) { return all, nil }}
	for day, want := range map[civil.Day]money.Fen{
		civil.Date(2026, 6, 30): 0, civil.Date(2026, 7, 1): 80000, civil.Date(2027, 1, 31): 90000, civil.Date(2027, 2, 1): 80000,
	} {
		if got := r.standard(day); got != want {
			t.Errorf("%s: %s", day, got)
		}
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	r := rulesOf(t, "valid_wuxi")
	at := time.Date(2026, 9, 30, 15, 0, 0, 0, calendar.Zone)
	for name, tc := range map[string]struct {
		got  calendar.Deadline
		want time.Time
	}{
		"decision_by_the_hour":              {r.DecisionDue(at), at.Add(24 * time.Hour)},
		"hold_by_the_hour":                  {r.HoldDue(at.UTC()), at.Add(24 * time.Hour)},
		"explanation_over_national_day":     {r.ExplanationDue(at), time.Date(2026, 10, 14, 0, 0, 0, 0, calendar.Zone)},
		"appeal_over_national_day":          {r.AppealDue(at), time.Date(2026, 10, 14, 0, 0, 0, 0, calendar.Zone)},
		"explanation_counts_make_up_sunday": {r.ExplanationDue(time.Date(2026, 9, 18, 9, 0, 0, 0, calendar.Zone)), time.Date(2026, 9, 25, 0, 0, 0, 0, calendar.Zone)},
	} {
		if !tc.got.At.Equal(tc.want) || tc.got.Provisional || tc.got.Basis == "" {
			t.Errorf("%s: %+v, want %s", name, tc.got, tc.want)
		}
	}
	if d := r.ExplanationDue(time.Date(2026, 12, 30, 0, 0, 0, 0, calendar.Zone)); !d.Provisional {
		t.Error("an unannounced year is certain")
	}
	if r.Remedy() != (Remedy{60, 6}) {
		t.Errorf("%+v", r.Remedy())
	}
}

func TestEscalations(t *testing.T) {
	t.Parallel()
	r := rulesOf(t, "valid_wuxi")
	at := time.Date(2026, 9, 30, 15, 0, 0, 0, calendar.Zone)
	for name, tc := range map[string]struct {
		due  time.Time
		want []time.Duration
	}{
		"a_day":      {at.Add(24 * time.Hour), []time.Duration{12 * time.Hour, 19*time.Hour + 12*time.Minute, 24 * time.Hour}},
		"odd":        {at.Add(199), []time.Duration{99, 159, 199}},
		"overdue":    {at.Add(-time.Hour), []time.Duration{0, 0, 0}},
		"long":       {at.Add(1000 * 24 * time.Hour), []time.Duration{500 * 24 * time.Hour, 800 * 24 * time.Hour, 1000 * 24 * time.Hour}},
		"no_overrun": {at.Add(7), []time.Duration{3, 5, 7}},
	} {
		got := r.Escalations(at, tc.due)
		for i, want := range tc.want {
			if len(got) != 3 || !got[i].Equal(at.Add(want)) {
				t.Errorf("%s: %v", name, got)
				break
			}
		}
	}
}

func TestMaterials(t *testing.T) {
	t.Parallel()
	r := rulesOf(t, "valid_wuxi")
	for name, tc := range map[string]struct {
		cause    Cause
		answered []string
		want     string
	}{
		"nothing_answered":       {SuddenIllness, nil, "identity medical_record payee_account"},
		"what_lookups_know_goes": {SuddenIllness, []string{SourceIdentity, SourceMedicalInsurance}, "payee_account"},
		"only_of_the_cause":      {Fire, nil, "identity payee_account"},
		"others_do_not_answer":   {Fire, []string{SourceDeath}, "identity payee_account"},
	} {
		var got []string
		for _, m := range r.Materials(tc.cause, tc.answered) {
			got = append(got, m.Code)
			if m.RequiredToApply || m.Name == "" || m.Why == "" {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if p := r.Publicity(); p != (Publicity{SkipIfEmergency: true, PostPublish: true, PostDays: 30, LeastCell: LeastCell}) {
		t.Errorf("%+v", p)
	}
}

func TestStandingApprovalCovers(t *testing.T) {
	t.Parallel()
	s, enabled := rulesOf(t, "valid_wuxi").StandingApproval()
	if enabled || s.TotalFen != 1000000 || s.Days != 7 || !slices.Equal(s.Causes, []Cause{Fire}) || !slices.Equal(s.Classes, []RecipientClass{Dibao}) {
		t.Fatalf("%+v, %v", s, enabled)
	}
	facts, outcome := Facts{Cause: Fire, Classes: []RecipientClass{Dibao}}, Outcome{AmountFen: 100000, Authority: Township}
	for name, tc := range map[string]struct {
		change func(*Facts, *Outcome)
		want   bool
	}{
		"at_the_limit":      {func(*Facts, *Outcome) {}, true},
		"one_fen_above":     {func(_ *Facts, o *Outcome) { o.AmountFen++ }, false},
		"nothing":           {func(_ *Facts, o *Outcome) { o.AmountFen = 0 }, false},
		"another_cause":     {func(f *Facts, _ *Outcome) { f.Cause = Injury }, false},
		"another_class":     {func(f *Facts, _ *Outcome) { f.Classes = []RecipientClass{NoClass} }, false},
		"no_class":          {func(f *Facts, _ *Outcome) { f.Classes = nil }, false},
		"a_hold":            {func(_ *Facts, o *Outcome) { o.Holds = []HoldReason{{}} }, false},
		"an_exception":      {func(_ *Facts, o *Outcome) { o.NeedsException = []string{FrequencyCap} }, false},
		"county_decides":    {func(_ *Facts, o *Outcome) { o.Authority = County }, false},
		"relative_of_staff": {func(f *Facts, _ *Outcome) { f.KinOfStaff = true }, false},
	} {
		f, o := facts, outcome
		tc.change(&f, &o)
		if s.Covers(f, o) != tc.want {
			t.Errorf("%s", name)
		}
	}
}
