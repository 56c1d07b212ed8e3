package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

// changed is what is wrong with an ordinary region whose nation's file has one
// text in place of another.
func changed(t *testing.T, old, text string) Problems {
	t.Helper()
	const base = "000000/2026-07-01.yaml"
	files := overlay(t, "testdata/valid_wuxi")
	if strings.Count(string(files[base].Data), old) != 1 {
		t.Fatalf("%q does not stand once in the file", old)
	}
	files[base] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[base].Data), old, text, 1))}
	_, err := Load(files, division.Shipped(), regionfile.Parse)
	problems, _ := errors.AsType[Problems](err)
	if err != nil && len(problems) == 0 {
		t.Fatal(err)
	}
	return problems
}

// A number is believed from its least to its most, both included, and not one
// further: the limits are there for a digit that slipped.
func TestNumbersAreBelievedUpToTheirLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, text, least, most, below, above string }{
		{"first_aid.decision_hours", "decision_hours: {value: 24", "1", "48", "0", "49"},
		{"first_aid.hold_hours", "hold_hours: {value: 24", "1", "72", "0", "73"},
		{"first_aid.draft_months", "draft_months: {value: 1", "1", "12", "0", "13"},
		{"first_aid.explanation_working_days", "explanation_working_days: {value: 5", "1", "30", "0", "31"},
		{"first_aid.max_amount_fen", "max_amount_fen: {value: 2000000", "1", "2000000", "0", "2000001"},
		{"amount.max_months", "max_months: {value: 12", "1", "12", "0", "13"},
		{"amount.max_multiple", "max_multiple: {value: 12", "1", "12", "0", "13"},
		{"frequency.per_year", "per_year: {value: 2,", "1", "12", "0", "13"},
		{"frequency.same_cause_per_year", "same_cause_per_year: {value: 1", "1", "12", "0", "13"},
		{"publicity.pre_days", "pre_days: {value: 0", "0", "30", "-1", "31"},
		{"reserve.per_head_fen_year", "per_head_fen_year: {value: 100", "1", "100000", "0", "100001"},
		{"reserve.low_water_percent", "low_water_percent: {value: 30", "1", "100", "0", "101"},
		{"remedy.appeal_working_days", "appeal_working_days: {value: 5", "1", "60", "0", "61"},
		{"remedy.reconsideration_days", "reconsideration_days: {value: 60", "1", "365", "0", "366"},
		{"remedy.litigation_months", "litigation_months: {value: 6", "1", "24", "0", "25"},
		{"authority.township_ceiling", "amount: 300000", "1", "2000000", "0", "2000001"},
		{"dibao_standard", "kind: UNIFIED, fen: 100000,", "1", "2000000", "0", "2000001"},
		{"standing_approval", "per_award_fen: 100000", "1", "1000000", "0", "1000001"}, // no more than the whole envelope
		{"standing_approval", "total_fen: 1000000", "100000", "10000000000", "99999", "10000000001"},
		{"standing_approval", "days: 7", "1", "31", "0", "32"},
	} {
		i := strings.LastIndexByte(c.text, ' ')
		with := func(value string) Problems {
			return changed(t, c.text, c.text[:i+1]+value+strings.Repeat(",", strings.Count(c.text[i:], ",")))
		}
		for _, right := range []string{c.least, c.most} {
			if got := with(right); len(got) != 0 {
				t.Errorf("%s of %s: %v", c.key, right, got)
			}
		}
		for _, wrong := range []string{c.below, c.above} {
			got := with(wrong)
			if !slices.ContainsFunc(got, func(p Problem) bool { return p.Key == c.key && strings.HasPrefix(p.Code, "o") }) { // out of range, or over the ceiling
				t.Errorf("%s of %s: %v", c.key, wrong, got)
			}
		}
	}
}

// What a file says in words is missed or refused by itself, each at its own key.
func TestEachThingThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	const ceiling, tier = "kind: FEN, amount: 300000, basis: CASE, inclusive: true", "{classes: [all], causes: [all], per: CASE, fen: 100}"
	mode := "mode: {value: FORMULA, source: 测试, status: confirmed}"
	tiers := func(list string) string {
		return "mode: {value: TIERS, source: 测试, status: confirmed}\n  tiers: {value: [" + list + "], source: 测试, status: confirmed}"
	}
	standards := "[{kind: UNIFIED, fen: 100000, from: 2026-07-01}]"
	for name, c := range map[string]struct{ old, text, want string }{
		"months of the standard, the least":   {ceiling, "kind: DIBAO_MONTHS, amount: 1, basis: CASE, inclusive: true", ""},
		"months of the standard, the most":    {ceiling, "kind: DIBAO_MONTHS, amount: 12, basis: PERSON, inclusive: false", ""},
		"no months of the standard":           {ceiling, "kind: DIBAO_MONTHS, amount: 0, basis: CASE, inclusive: true", "out_of_range"},
		"too many months of the standard":     {ceiling, "kind: DIBAO_MONTHS, amount: 13, basis: CASE, inclusive: true", "out_of_range"},
		"a kind that is none":                 {ceiling, "kind: YUAN, amount: 1, basis: CASE, inclusive: true", "unknown_word"},
		"a basis that is none":                {ceiling, "kind: FEN, amount: 1, basis: HOUSE, inclusive: true", "unknown_word"},
		"tiers that fit all":                  {mode, tiers("{classes: [dibao], causes: [fire], per: PERSON, fen: 2000000}, " + tier), ""},
		"tiers that leave out a class":        {mode, tiers("{classes: [dibao], causes: [all], per: CASE, fen: 100}"), "tiers_not_total"},
		"tiers that leave out a cause":        {mode, tiers("{classes: [all], causes: [fire], per: CASE, fen: 100}"), "tiers_not_total"},
		"tiers of which the last is not it":   {mode, tiers(tier + ", {classes: [dibao], causes: [fire], per: CASE, fen: 100}"), "tiers_not_total"},
		"no tiers":                            {mode, tiers(""), "tiers_not_total"},
		"a tier of nothing":                   {mode, tiers("{classes: [all], causes: [all], per: CASE, fen: 0}"), "over_code_ceiling"},
		"a tier of the least":                 {mode, tiers("{classes: [all], causes: [all], per: CASE, fen: 1}"), ""},
		"a tier above the ceiling":            {mode, tiers("{classes: [all], causes: [all], per: CASE, fen: 2000001}"), "over_code_ceiling"},
		"a tier per what is none":             {mode, tiers("{classes: [all], causes: [all], per: HOUSE, fen: 100}"), "unknown_word"},
		"a tier for a class twice":            {mode, tiers("{classes: [dibao, dibao], causes: [all], per: CASE, fen: 100}, " + tier), "duplicate_word"},
		"a tier for nobody":                   {mode, tiers("{classes: [], causes: [all], per: CASE, fen: 100}, " + tier), "empty_list"},
		"special hardship as much as usual":   {"special_multiple: {value: 12", "special_multiple: {value: 12", ""},
		"special hardship less than usual":    {"special_multiple: {value: 12", "special_multiple: {value: 11", "out_of_range"},
		"a material without a code":           {"{code: identity, ", "{code: \"\", ", "bad_material"},
		"a material without a name":           {"name: 身份证件, ", "name: \"\", ", "bad_material"},
		"a material without a reason":         {"why: 确认本人。", "why: \"\"", "bad_material"},
		"a material under another's code":     {"{code: medical_record, ", "{code: identity, ", "bad_material"},
		"a material for no cause":             {"causes: [sudden_illness]", "causes: []", "empty_list"},
		"an envelope for no class":            {"classes: [dibao]", "classes: []", "empty_list"},
		"an envelope for all":                 {"classes: [dibao]", "classes: [all]", "unknown_word"},
		"sources that may be none":            {"hold_on_adverse: {value: [relief_history]", "hold_on_adverse: {value: []", ""},
		"a source that is none":               {"must_answer: {value: []", "must_answer: {value: [gossip]", "unknown_word"},
		"where one applies":                   {"apply_place: {value: EMERGENCY_PLACE", "apply_place: {value: RESIDENCE", ""},
		"where nobody applies":                {"apply_place: {value: EMERGENCY_PLACE", "apply_place: {value: MOON", "unknown_word"},
		"days of another kind":                {"pre_kind: {value: NATURAL", "pre_kind: {value: LUNAR", "unknown_word"},
		"a window that is none":               {"window: {value: CALENDAR", "window: {value: NONE", "unknown_word"},
		"a unit that is none":                 {"count_unit: {value: HOUSEHOLD", "count_unit: {value: TOWN", "unknown_word"},
		"a mode that is none":                 {"mode: {value: FORMULA", "mode: {value: GUESS", "unknown_word"},
		"an explanation that is none":         {"explanation_kind: {value: EXPLAIN", "explanation_kind: {value: NONE", "unknown_word"},
		"confirmed by nobody":                 {"pre_days: {value: 0, source: 测试", "pre_days: {value: 0, source: 待当地民政部门确认", "bad_status"},
		"unconfirmed, and nobody was asked":   {"pre_days: {value: 0, source: 测试, status: confirmed", "pre_days: {value: 0, source: 待当地民政部门确认, status: unconfirmed", ""},
		"a status that is none":               {"pre_days: {value: 0, source: 测试, status: confirmed", "pre_days: {value: 0, source: 测试, status: perhaps", "bad_status"},
		"two standards, one after the other":  {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2026-12-31}, {kind: UNIFIED, fen: 110000, from: 2027-01-01}]", ""},
		"the later one first":                 {standards, "[{kind: UNIFIED, fen: 110000, from: 2027-01-01}, {kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2026-12-31}]", ""},
		"a standard that began before":        {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-06-30}]", ""},
		"a standard that begins too late":     {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-02}]", "gap"},
		"a day without a standard":            {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2026-12-30}, {kind: UNIFIED, fen: 110000, from: 2027-01-01}]", "gap"},
		"a day with two standards":            {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2027-01-01}, {kind: UNIFIED, fen: 110000, from: 2027-01-01}]", "overlap"},
		"a standard without end and another":  {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01}, {kind: UNIFIED, fen: 110000, from: 2027-01-01}]", "overlap"},
		"a standard that ends with no other":  {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2026-12-31}]", "gap"},
		"town and country, each of their own": {standards, "[{kind: URBAN, fen: 100000, from: 2026-07-01}, {kind: RURAL, fen: 90000, from: 2026-07-01}]", ""},
		"a standard of one day":               {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2026-07-01}, {kind: UNIFIED, fen: 110000, from: 2026-07-02}]", ""},
		"a standard that ends before it runs": {standards, "[{kind: UNIFIED, fen: 100000, from: 2026-07-01, to: 2026-06-30}]", "bad_day"},
		"a standard of no kind":               {standards, "[{kind: ISLAND, fen: 100000, from: 2026-07-01}]", "unknown_word"},
		"no standard":                         {standards, "[]", "missing"},
	} {
		got := changed(t, c.old, c.text)
		if c.want == "" && len(got) != 0 || c.want != "" && !slices.ContainsFunc(got, func(p Problem) bool { return p.Code == c.want }) {
			t.Errorf("%s: want %q, got %v", name, c.want, got)
		}
	}
}

// Of several corrections the highest number counts, also the tenth; two files for
// the same place, day and number are one too many, whatever their folders are called.
func TestWhichCorrectionCounts(t *testing.T) {
	t.Parallel()
	files := overlay(t, "testdata/valid_wuxi")
	const own = "320400/2026-07-01.yaml"
	text := string(files[own].Data)
	for n, per := range map[string]string{"2": "3", "10": "5", "9": "4"} {
		files["320400/2026-07-01.r"+n+".yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(text, "revision: 1\n", "revision: "+n+"\n", 1) +
			"frequency:\n  per_year: {value: " + per + ", source: 测试, status: confirmed}\n")}
	}
	book, err := Load(files, division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := book.Rules("320400000000", civil.Date(2026, 11, 22)); err != nil || r.Frequency().PerYear != 5 || len(book.All()) != 1 {
		t.Errorf("%+v, %v", r.Frequency(), err)
	}
	files["320400000000/2026-07-01.r10.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(files["320400/2026-07-01.r10.yaml"].Data), `"320400"`, `"320400000000"`, 1))}
	_, err = Load(files, division.Shipped(), regionfile.Parse)
	problems, _ := errors.AsType[Problems](err)
	if len(problems) != 1 || problems[0].Code != "overlap" || problems[0].Key != "revision" || !strings.Contains(problems[0].Text, "2026-07-01.r10") {
		t.Errorf("%v", err)
	}
}

// One file that cannot be read hides nothing of the others.
func TestOneBadFileHidesNoOther(t *testing.T) {
	t.Parallel()
	files := overlay(t, "testdata/valid_wuxi")
	const own = "320400/2026-07-01.yaml"
	files["120112/2026.yaml"], files["511700/tomorrow.yaml"] = files[own], files[own]                                  // no names of region files
	files["120112/2026-07-01.yaml"] = &fstest.MapFile{Data: []byte("region: [")}                                       // no file
	files[own] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[own].Data), "name: 测试市", "name: \"\"", 1))} // and one after it
	_, err := Load(files, division.Shipped(), regionfile.Parse)
	problems, _ := errors.AsType[Problems](err)
	for _, want := range []string{"120112/2026 file_name", "511700/tomorrow file_name", "120112/2026-07-01 yaml", "320400/2026-07-01 missing"} {
		if !slices.ContainsFunc(problems, func(p Problem) bool { return p.File+" "+p.Code == want }) {
			t.Errorf("%q is not among %v", want, err)
		}
	}
	if !slices.IsSortedFunc(problems, func(a, b Problem) int { return strings.Compare(a.File, b.File) }) {
		t.Errorf("not in the order of files: %v", err)
	}
}

// A book that was packed and unpacked says the same: the rules of each place and
// day, those that were replaced, and every figure. The index is in order of place,
// day and revision, so that the same rules make the same files.
func TestABookIsUnpackedAsItWasPacked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"valid_revision", "valid_nearest", "valid_periods", "valid_tiers"} {
		book := load(t, name)
		packed, err := book.Pack()
		if err != nil {
			t.Fatal(err)
		}
		again, err := book.Pack()
		if err != nil || !maps.EqualFunc(packed, again, bytes.Equal) {
			t.Errorf("%s: packed twice it is other files: %v", name, err)
		}
		files := fstest.MapFS{}
		for file, raw := range packed {
			if !bytes.HasSuffix(raw, []byte("}\n")) && !bytes.HasSuffix(raw, []byte("]\n")) {
				t.Errorf("%s: %s does not end with its line", name, file)
			}
			files[file] = &fstest.MapFile{Data: raw}
		}
		var heads []head
		if err := json.Unmarshal(packed[index], &heads); err != nil || !slices.IsSortedFunc(heads, func(a, b head) int {
			return cmp.Or(cmp.Compare(a.Region, b.Region), a.First.Compare(b.First), a.Revision-b.Revision)
		}) {
			t.Errorf("%s: the index is not in order: %+v, %v", name, heads, err)
		}
		back, err := Unpack(files, division.Shipped())
		if err != nil || len(back.All()) != len(book.All()) || len(back.byFingerprint) != len(book.byFingerprint) || len(packed) != len(heads)+1 {
			t.Fatalf("%s: %d rules of %d, %v", name, len(back.All()), len(book.All()), err)
		}
		for fingerprint, was := range book.byFingerprint {
			now, ok := back.ByFingerprint(fingerprint)
			if !ok || !slices.Equal(now.Figures(), was.Figures()) || !same(now.FirstAid(ordinary()), was.FirstAid(ordinary())) || now.head.Replaced != was.head.Replaced {
				t.Errorf("%s: %s is not what it was", name, fingerprint)
			}
		}
	}
	if _, err := Unpack(fstest.MapFS{}, division.Shipped()); err == nil {
		t.Error("no index")
	}
	for name, text := range map[string]string{"no list": "{", "an empty list": "[]"} {
		if _, err := Unpack(fstest.MapFS{index: &fstest.MapFile{Data: []byte(text)}}, division.Shipped()); err == nil {
			t.Error(name)
		}
	}
}
