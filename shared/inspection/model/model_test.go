package model_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

func shipped(t *testing.T) *model.Set {
	t.Helper()
	s, err := model.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// of is the shipped model with that id.
func of(t *testing.T, id string) model.Model {
	t.Helper()
	for _, m := range shipped(t).All() {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("no model %s", id)
	return model.Model{}
}

func TestShippedSaysWhatTheFilesSay(t *testing.T) {
	t.Parallel()
	set, err := model.Load(os.DirFS("data"), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	want, err := set.Pack()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(model.PackName)
	if err != nil || string(got) != string(want) {
		t.Errorf("make rules was not run: %v", err)
	}
	if !reflect.DeepEqual(set.All(), shipped(t).All()) {
		t.Error("what ships is read as something else")
	}
	kinds := map[string]bool{}
	for _, m := range set.All() {
		kinds[m.Kind] = true
	}
	for _, k := range model.Kinds() {
		if !kinds[k.Name] || k.Title.Zh == "" || k.Title.En == "" {
			t.Errorf("kind %s has no model or no name", k.Name)
		}
	}
}

// The fields that a model can reach are these and no others. Whoever adds one
// argues here that it is no ethnicity, origin, religion, sex or illness, and
// stands for none (D06, R9).
func TestFactsReachNothingForbidden(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`People People.Role People.Subject People.Holder People.Deceased People.Payroll People.Owns
		People.Schemes People.Schemes.Name People.Schemes.Age People.Schemes.PlaceEnded People.Schemes.Joined People.Schemes.JoinedMonthsAgo
		Payee Payee.Changed Payee.ByStaff Payee.HoursAgo
		Shared Shared.Kind Shared.Others Shared.Days
		Elsewhere Elsewhere.Townships Elsewhere.Registered Elsewhere.MonthsAgo
		KinOfStaff Pair Pair.Awards
		Invoices Invoices.Place Invoices.Elsewhere Invoices.Settled Invoices.Diagnosed
		Filing Filing.ForOthers Filing.Rows Filing.Townships`)
	var got []string
	var walk func(at string, typ reflect.Type)
	walk = func(at string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			got = append(got, at+f.Name)
			inner := f.Type
			for inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			switch {
			case inner.Kind() == reflect.Struct && inner.PkgPath() == reflect.TypeFor[model.Facts]().PkgPath():
				walk(at+f.Name+".", inner)
			case inner.Kind() == reflect.Bool, inner.Kind() == reflect.Int, inner.Kind() == reflect.String:
			default:
				t.Errorf("%s%s is a %s: something could hide in it", at, f.Name, inner)
			}
		}
	}
	walk("", reflect.TypeFor[model.Facts]())
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("facts are\n%v, want\n%v", got, want)
	}
}

// Each shipped model finds what it looks for and nothing just beside it.
func TestEachModelHitsAndMisses(t *testing.T) {
	t.Parallel()
	subject := func(p model.Person) model.Facts {
		p.Role, p.Subject = "people/0", true
		return model.Facts{People: []model.Person{p}}
	}
	for id, c := range map[string]struct {
		hit  model.Facts
		miss []model.Facts
	}{
		"dead-payee": {subject(model.Person{Deceased: model.Yes}), []model.Facts{subject(model.Person{}), subject(model.Person{Deceased: model.No}),
			{People: []model.Person{{Role: "people/1", Deceased: model.Yes}}}}}, // the earner who died
		"two-places": {model.Facts{Elsewhere: model.Elsewhere{Townships: 1}}, []model.Facts{{}, {Elsewhere: model.Elsewhere{Registered: model.Yes, MonthsAgo: 4}}}},
		"two-schemes": {subject(model.Person{Schemes: []model.Scheme{{Name: "dibao"}, {Name: "tekun"}}}),
			[]model.Facts{subject(model.Person{Schemes: []model.Scheme{{Name: "dibao"}, {Name: "elderly_allowance"}}})}},
		"shared-account": {model.Facts{Shared: []model.Shared{{Kind: model.Account, Others: 1}}},
			[]model.Facts{{Shared: []model.Shared{{Kind: model.GuardianAccount, Others: 1}, {Kind: model.Phone, Others: 1}}}}},
		"shared-guardian": {model.Facts{Shared: []model.Shared{{Kind: model.GuardianAccount, Others: 2}}}, []model.Facts{{Shared: []model.Shared{{Kind: model.GuardianAccount, Others: 1}}}}},
		"shared-phone": {model.Facts{Shared: []model.Shared{{Kind: model.Phone, Others: 3, Days: 365}}},
			[]model.Facts{{Shared: []model.Shared{{Kind: model.Phone, Others: 2}}}, {Shared: []model.Shared{{Kind: model.Phone, Others: 9, Days: 366}}}}},
		"shared-device": {model.Facts{Shared: []model.Shared{{Kind: model.Device, Others: 3}}}, []model.Facts{{Shared: []model.Shared{{Kind: model.Device, Others: 2}}}}},
		"shared-filer":  {model.Facts{Shared: []model.Shared{{Kind: model.Filer, Others: 3}}}, []model.Facts{{Shared: []model.Shared{{Kind: model.Filer, Others: 2}}}}},
		"staff-kin":     {model.Facts{KinOfStaff: 1}, []model.Facts{{}}},
		"payee-changed": {model.Facts{Payee: model.Payee{Changed: true, HoursAgo: 23}},
			[]model.Facts{{}, {Payee: model.Payee{Changed: true, HoursAgo: 24}}, {Payee: model.Payee{Changed: true, ByStaff: true}}}},
		"payee-reordered": {model.Facts{Payee: model.Payee{Changed: true, ByStaff: true}}, []model.Facts{{Payee: model.Payee{Changed: true}}}},
		"approver-payee":  {model.Facts{Pair: model.Pair{Awards: []int{1, 365}}}, []model.Facts{{Pair: model.Pair{Awards: []int{1, 366}}}, {}}},
		"invoice-twice":   {model.Facts{Invoices: []model.Invoice{{Place: 1, Elsewhere: true}}}, []model.Facts{{Invoices: []model.Invoice{{Place: 1}}}}},
		"unsettled-invoice": {model.Facts{Invoices: []model.Invoice{{Place: 1, Settled: model.No}}},
			[]model.Facts{{Invoices: []model.Invoice{{Place: 1}, {Place: 2, Settled: model.Yes, Diagnosed: model.Yes}, {Place: 3, Settled: model.Yes}}}}},
		"allowance-ended": {subject(model.Person{Schemes: []model.Scheme{{Name: "elderly_allowance", Age: 69}}}),
			[]model.Facts{subject(model.Person{Schemes: []model.Scheme{{Name: "elderly_allowance", Age: 70, PlaceEnded: model.No}, {Name: "dibao"}}})}},
		"public-payroll": {subject(model.Person{Payroll: model.Yes}), []model.Facts{subject(model.Person{}), subject(model.Person{Payroll: model.No})}},
		"aided-with-assets": {subject(model.Person{Owns: []string{"car"}, Schemes: []model.Scheme{{Name: "dibao"}}}),
			[]model.Facts{subject(model.Person{Owns: []string{"car"}, Schemes: []model.Scheme{{Name: "near_dibao"}, {Name: "elderly_allowance"}}}),
				subject(model.Person{Schemes: []model.Scheme{{Name: "dibao"}}}), subject(model.Person{Owns: []string{"car", "company"}})}},
		"household-joined": {subject(model.Person{Schemes: []model.Scheme{{Name: "tekun", Joined: model.Yes, JoinedMonthsAgo: 23}}}),
			[]model.Facts{subject(model.Person{Schemes: []model.Scheme{{Name: "dibao", Joined: model.Yes, JoinedMonthsAgo: 24}}}),
				subject(model.Person{Schemes: []model.Scheme{{Name: "dibao", Joined: model.No}}}), subject(model.Person{Schemes: []model.Scheme{{Name: "dibao"}}}),
				subject(model.Person{Schemes: []model.Scheme{{Name: "near_dibao", Joined: model.Yes}}})}},
		"bulk-rows": {model.Facts{Filing: model.Filing{ForOthers: true, Rows: 20, Townships: 3}},
			[]model.Facts{{Filing: model.Filing{Rows: 45, Townships: 24}}, {Filing: model.Filing{ForOthers: true, Rows: 90, Townships: 1}}, {Filing: model.Filing{ForOthers: true, Rows: 19, Townships: 24}}}},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			m := of(t, id)
			hits := m.Run(c.hit)
			if len(hits) != 1 || hits[0].Key == "" || hits[0].Words.Zh == "" || hits[0].Words.En == "" || strings.Contains(hits[0].Words.Zh+hits[0].Words.En, "%!") {
				t.Errorf("hits %+v", hits)
			}
			for i, f := range c.miss {
				if hits := m.Run(f); len(hits) != 0 {
					t.Errorf("miss %d is hit: %+v", i, hits)
				}
			}
		})
	}
	if n := len(shipped(t).All()); n != 19 {
		t.Errorf("%d models ship and 19 are tested", n)
	}
}

func TestWhatElseKindsFind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id    string
		facts model.Facts
		key   string
	}{
		"the_holder_is_dead":  {"dead-payee", model.Facts{People: []model.Person{{Role: "people/1", Holder: true, Deceased: model.Yes}}}, "dead/people/1"},
		"aid_elsewhere":       {"two-places", model.Facts{Elsewhere: model.Elsewhere{Registered: model.Yes, MonthsAgo: 3}}, "elsewhere/aided"},
		"a_diagnosis_unknown": {"unsettled-invoice", model.Facts{Invoices: []model.Invoice{{Place: 2, Settled: model.Yes, Diagnosed: model.No}}}, "invoice/2/diagnosis"},
		"the_place_was_left":  {"allowance-ended", model.Facts{People: []model.Person{{Role: "people/0", Schemes: []model.Scheme{{Name: "elderly_allowance", Age: 80, PlaceEnded: model.Yes}}}}}, "ended/people/0/elderly_allowance/place"},
		"a_member_with_a_company": {"aided-with-assets", model.Facts{People: []model.Person{{Role: "people/0", Subject: true},
			{Role: "people/1", Owns: []string{"company"}, Schemes: []model.Scheme{{Name: "tekun"}}}}}, "assets/people/1/company"},
		"a_member_on_a_payroll": {"public-payroll", model.Facts{People: []model.Person{{Role: "people/2", Payroll: model.Yes}}}, "payroll/people/2"},
	} {
		if hits := of(t, c.id).Run(c.facts); len(hits) != 1 || hits[0].Key != c.key {
			t.Errorf("%s: %+v", name, hits)
		}
	}
	if hits := (model.Model{Kind: "none"}).Run(model.Facts{}); hits != nil {
		t.Error(hits)
	}
}

// Whoever's home burns is helped first: what somebody owns, and whom they moved to,
// never holds the money of an emergency.
func TestAssetsAndMovesNeverHold(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"aided-with-assets", "household-joined"} {
		m := of(t, id)
		if m.Effect == model.Hold || m.Owner != "supervisor" || !strings.Contains(m.LooksFor.Zh, "先救急") || !strings.Contains(m.LooksFor.En, "helped first") && !strings.Contains(m.LooksFor.En, "Help comes first") {
			t.Errorf("%s: %s, %s", id, m.Effect, m.LooksFor.Zh)
		}
	}
}

const good = `id: some-model
first_day: "2026-12-01"
title: {zh: 一, en: a}
looks_for: {zh: 一, en: a}
source: 某文
kind: many_people
figures:
  others: {value: 2, source: 某文}
  days: {value: 30, source: 某文}
lists: {things: [phone]}
effect: hold
owner: approver
hours: 24
regions: ["320400"]
precision: {zh: 一, en: a}
`

func load(text string) (*model.Set, error) {
	return model.Load(fstest.MapFS{"some-model/2026-12-01.yaml": {Data: []byte(text)}}, regionfile.Parse)
}

func TestAFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	if _, err := load(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown_key":           {"hours: 24", "hours: 24\nscore: 3", "unknown_key"},
		"an_effect_that_takes":  {"effect: hold", "effect: refuse", "can do nothing else"},
		"unknown_kind":          {"kind: many_people", "kind: ethnicity", `no kind "ethnicity"`},
		"unknown_list_word":     {"[phone]", "[hukou]", "is not among"},
		"figure_missing":        {"  days: {value: 30, source: 某文}\n", "", "figures.days: missing"},
		"figure_unknown":        {"  days:", "  age: {value: 3, source: x}\n  days:", "no such figure"},
		"figure_out_of_range":   {"value: 2", "value: 0", "is not between 1 and 50"},
		"figure_without_source": {"others: {value: 2, source: 某文}", "others: {value: 2}", "no source"},
		"figure_a_fraction":     {"value: 2,", "value: 2.5,", "not_whole"},
		"list_missing":          {"lists: {things: [phone]}", "", "lists.things: missing"},
		"list_unknown":          {"{things: [phone]}", "{things: [phone], more: [x]}", "no such list"},
		"no_owner":              {"owner: approver", "owner: machine", "owner"},
		"no_clock":              {"hours: 24", "hours: 0", "hours"},
		"no_region":             {`["320400"]`, "[]", "none is not everywhere"},
		"bad_region":            {`["320400"]`, `["32"]`, "six digits"},
		"one_language":          {"title: {zh: 一, en: a}", "title: {zh: 一}", "both languages"},
		"no_source":             {"source: 某文\nkind", "kind", "names none"},
		"bad_day":               {`"2026-12-01"`, `"2026-13-01"`, "is not a day"},
		"ends_first":            {`first_day: "2026-12-01"`, "first_day: \"2026-12-01\"\nlast_day: \"2026-11-01\"", "ends before"},
		"bad_id":                {"id: some-model", "id: Some", "id:"},
		"hold_code_of_a_sample": {"effect: hold", "effect: sample\nhold_code: DEATH_RECORD", "hold_code"},
		"other_name":            {"id: some-model", "id: other-model", "not called"},
		"not_yaml":              {"id: some-model", "id: [", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, c.from, c.to, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			if _, err := load(text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := model.Load(fstest.MapFS{}, regionfile.Parse); err == nil {
		t.Error("no model at all was taken")
	}
	if _, problems := model.Parse([]byte(strings.ReplaceAll(good, "zh: 一, en: a", "zh: 一")), regionfile.Parse); len(problems) != 3 {
		t.Errorf("not everything is named at once: %v", problems)
	}
}

func TestWhichModelsAreInForce(t *testing.T) {
	t.Parallel()
	second := strings.NewReplacer(`"2026-12-01"`, "\"2027-01-01\"\nlast_day: \"2027-02-01\"", "value: 2,", "value: 5,").Replace(good)
	set, err := model.Load(fstest.MapFS{"some-model/2026-12-01.yaml": {Data: []byte(good)}, "some-model/2027-01-01.yaml": {Data: []byte(second)}}, regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	here := []string{"320402005000", "320402000000", "320400000000"}
	for day, want := range map[string]int{"2026-11-30": 0, "2026-12-01": 2, "2026-12-31": 2, "2027-01-01": 5, "2027-02-01": 5, "2027-02-02": 0} {
		got := set.InForce(here, day)
		if want == 0 != (len(got) == 0) || want > 0 && got[0].Figures["others"].Value != want {
			t.Errorf("%s: %+v", day, got)
		}
	}
	if got := set.InForce([]string{"511702000000", "511700000000"}, "2026-12-01"); len(got) != 0 {
		t.Errorf("in force in another region: %v", got)
	}
	m := set.All()[0]
	m.Regions, m.Kind = []string{"000000"}, "kin"
	if got := set.With(m).InForce(nil, "2026-12-01"); len(got) != 1 || got[0].Kind != "kin" {
		t.Errorf("everywhere: %v", got)
	}
	if len(set.Only("some-model").All()) != 2 || len(set.Only("other").All()) != 0 || len(set.Only("").All()) != 2 {
		t.Error("the wrong ones are left")
	}
	var none *model.Set
	if none.All() != nil || none.InForce(here, "2026-12-01") != nil {
		t.Error("no set has models")
	}
	if m.Code() != "MODEL_SOME_MODEL" || of(t, "dead-payee").Code() != "DEATH_RECORD" {
		t.Error("the wrong code")
	}
	for _, e := range model.Effects() {
		if e.Label() == "" {
			t.Errorf("%s has no name", e)
		}
	}
}

// FuzzFile reads anything as a model: one that is let through can do nothing but
// what models can do.
func FuzzFile(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "effect: hold", "effect: refuse", 1)))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Add([]byte("id: x\n---\nid: y\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, problems := model.Parse(raw, regionfile.Parse)
		if len(problems) > 0 {
			return
		}
		if !slices.Contains(model.Effects(), m.Effect) || len(m.Regions) == 0 || m.Fingerprint == "" || m.Hours < 1 {
			t.Errorf("let through: %+v", m)
		}
	})
}
