package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

// overlay is testdata/base with a test's own files over it.
func overlay(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	all := fstest.MapFS{}
	for _, root := range []string{"testdata/base", dir} {
		err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(filepath.Join(root, name))
			all[name] = &fstest.MapFile{Data: raw}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// load is the book of a test's directory under testdata.
func load(t testing.TB, name string) *Book {
	t.Helper()
	book, err := Load(overlay(t, filepath.Join("testdata", name)), division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// rulesOf are the rules of Changzhou in such a book on an ordinary day.
func rulesOf(t testing.TB, name string) *Rules {
	t.Helper()
	r, err := load(t, name).Rules("320400000000", civil.Date(2026, 11, 22))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// worked is one case of a cases.yaml.
type worked struct {
	Case  string `json:"case"`
	Facts Facts  `json:"facts"`
	Want  struct {
		AmountFen      money.Fen `json:"amount_fen"`
		Months         int       `json:"months"`
		Authority      Authority `json:"authority"`
		Holds          []string  `json:"holds"`
		NeedsException []string  `json:"needs_exception"`
	} `json:"want"`
}

func workedCases(t testing.TB, raw []byte) []worked {
	t.Helper()
	var loose any
	if err := yaml.Unmarshal(raw, &loose); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(loose)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var list []worked
	if err := decoder.Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("there is no case")
	}
	return list
}

func runCases(t *testing.T, book *Book, raw []byte) {
	t.Helper()
	for _, c := range workedCases(t, raw) {
		day := c.Facts.Day
		if day.Before(civil.Date(2026, 7, 1)) {
			day = civil.Date(2026, 7, 1)
		}
		r, err := book.Rules(c.Facts.Division, day)
		if err != nil {
			t.Errorf("%s: %v", c.Case, err)
			continue
		}
		got := r.FirstAid(c.Facts)
		var holds []string
		for _, h := range got.Holds {
			holds = append(holds, h.Code)
			if h.Text == "" || h.Article == "" {
				t.Errorf("%s: hold without words: %+v", c.Case, h)
			}
		}
		if got.AmountFen != c.Want.AmountFen || got.Months != c.Want.Months || got.Authority != c.Want.Authority ||
			!slices.Equal(holds, c.Want.Holds) || !slices.Equal(got.NeedsException, c.Want.NeedsException) {
			t.Errorf("%s: got %d fen, %d months, %s, holds %v, exceptions %v; want %+v", c.Case, got.AmountFen, got.Months, got.Authority, holds, got.NeedsException, c.Want)
		}
		for _, s := range got.Trace {
			if s.Rule == "" || s.Article == "" || s.Source == "" || s.Outcome == "" || s.Text == "" {
				t.Errorf("%s: a step does not say everything: %+v", c.Case, s)
			}
		}
	}
}

func TestShippedCases(t *testing.T) {
	t.Parallel()
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range book.All() {
		raw, err := os.ReadFile(filepath.Join("data", r.Region().County(), "cases.yaml"))
		if err != nil {
			t.Errorf("%s: %v", r.Name(), err)
			continue
		}
		t.Run(r.Region().County(), func(t *testing.T) { runCases(t, book, raw) })
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/valid_*")
	if err != nil || len(dirs) < 10 {
		t.Fatalf("%d directories, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			book := load(t, filepath.Base(dir))
			cases, err := filepath.Glob(dir + "/*/cases.yaml")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range cases {
				raw, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				runCases(t, book, raw)
			}
		})
	}
}

var wanted = regexp.MustCompile(`(?m)^# want: (\S+)(?: (\S+))?$`)

func TestInvalidReportsEveryProblem(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/invalid_*")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d directories, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			files := overlay(t, dir)
			var want []string
			for _, f := range files {
				for _, m := range wanted.FindAllStringSubmatch(string(f.Data), -1) {
					want = append(want, m[1]+" "+m[2])
				}
			}
			book, err := Load(files, division.Shipped(), regionfile.Parse)
			problems, ok := errors.AsType[Problems](err)
			if !ok || book != nil {
				t.Fatalf("accepted: %v", err)
			}
			for _, w := range want {
				found := slices.ContainsFunc(problems, func(p Problem) bool { return strings.TrimSpace(w) == strings.TrimSpace(p.Code+" "+p.Key) })
				if !found {
					t.Errorf("%q is not among:\n%v", w, err)
				}
			}
			for _, p := range problems {
				if !slices.ContainsFunc(want, func(w string) bool { return strings.TrimSpace(w) == strings.TrimSpace(p.Code+" "+p.Key) }) {
					t.Errorf("also said: %+v", p)
				}
				if p.Text == "" || !strings.Contains(err.Error(), p.Text) {
					t.Errorf("without words: %+v", p)
				}
			}
		})
	}
}

func TestProblemsOfAllFilesComeTogether(t *testing.T) {
	t.Parallel()
	files := overlay(t, "testdata/invalid_inclusive_missing")
	for name, f := range overlay(t, "testdata/invalid_bad_division") {
		files[name] = f
	}
	_, err := Load(files, division.Shipped(), regionfile.Parse)
	for _, want := range []string{"inclusive_missing", "bad_division"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
	if _, err := Load(fstest.MapFS{}, division.Shipped(), regionfile.Parse); err == nil {
		t.Error("no files at all were accepted")
	}
}

func TestShippedFiles(t *testing.T) {
	t.Parallel()
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	var regions []string
	for _, r := range book.All() {
		regions = append(regions, r.Region().County())
		if _, enabled := r.StandingApproval(); enabled {
			t.Errorf("%s: standing approval is on", r.Name())
		}
		if len(r.Unconfirmed()) == 0 {
			t.Errorf("%s: everything is confirmed; by whom?", r.Name())
		}
		for _, n := range r.Figures() {
			if n.Status == Confirmed && !strings.Contains(n.Source, "社会救助法第") {
				t.Errorf("%s: %s is confirmed by %s", r.Name(), n.Name, n.Source)
			}
		}
		if r.LegalSource() == "" || r.FirstDay() != civil.Date(2026, 7, 1) {
			t.Errorf("%s: %s from %s", r.Name(), r.LegalSource(), r.FirstDay())
		}
	}
	if got := strings.Join(regions, " "); got != "120112 320400 511700" {
		t.Errorf("regions are %s", got)
	}
}

// Decisions find their rules by fingerprint for ever. Once a line stands in
// data/fingerprints.txt of a release, its file is corrected by a new revision
// and never edited.
func TestReleasedFingerprintsAreStillFound(t *testing.T) {
	t.Parallel()
	book, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("data/fingerprints.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		if len(words) != 2 || words[0] == "#" {
			continue
		}
		listed[words[1]] = true
		if r, ok := book.ByFingerprint(words[1]); !ok || path.Dir(words[0]) != r.Region().County() {
			t.Errorf("%s has changed: add a revision instead", words[0])
		}
	}
	for _, r := range book.All() {
		if !listed[r.Fingerprint()] {
			t.Errorf("%s/%s %s is not listed", r.Region().County(), r.FirstDay(), r.Fingerprint())
		}
	}
}

func TestRulesByPlaceAndDay(t *testing.T) {
	t.Parallel()
	const city, district, street, elsewhere = "320400000000", "320402000000", "320402005000", "511700000000"
	for name, tc := range map[string]struct {
		book   string
		code   civil.DivisionCode
		day    civil.Day
		region civil.DivisionCode // "" for none
		first  string
	}{
		"from_the_first_day":            {"valid_periods", street, civil.Date(2026, 7, 1), city, "2026-07-01"},
		"not_the_day_before":            {"valid_periods", street, civil.Date(2026, 6, 30), "", ""},
		"on_the_last_day":               {"valid_periods", street, civil.Date(2026, 12, 31), city, "2026-07-01"},
		"not_in_the_gap":                {"valid_periods", street, civil.Date(2027, 1, 1), "", ""},
		"from_the_next_first_day":       {"valid_periods", street, civil.Date(2027, 2, 1), city, "2027-02-01"},
		"nearest_region":                {"valid_nearest", street, civil.Date(2026, 9, 1), district, "2026-09-01"},
		"no_fall_back_to_the_city":      {"valid_nearest", street, civil.Date(2026, 8, 31), "", ""},
		"other_districts_have_the_city": {"valid_nearest", "320404000000", civil.Date(2026, 9, 1), city, "2026-07-01"},
		"another_region":                {"valid_nearest", elsewhere, civil.Date(2026, 9, 1), "", ""},
		"a_code_that_is_nothing":        {"valid_nearest", "320499000000", civil.Date(2026, 9, 1), "", ""},
		"no_day":                        {"valid_nearest", city, civil.Day{}, "", ""},
		"under_the_old_base":            {"valid_base_replaced", city, civil.Date(2026, 12, 31), city, "2026-07-01"},
		"under_the_new_base":            {"valid_base_replaced", city, civil.Date(2027, 1, 1), city, "2027-01-01"},
	} {
		r, err := load(t, tc.book).Rules(tc.code, tc.day)
		if tc.region == "" {
			if !errors.Is(err, ErrNoRules) || r != nil {
				t.Errorf("%s: %v, %v", name, r, err)
			}
			continue
		}
		if err != nil || r.Region() != tc.region || r.FirstDay().String() != tc.first {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestCorrectionReplacesAndTheOldIsStillFound(t *testing.T) {
	t.Parallel()
	book := load(t, "valid_revision")
	r, err := book.Rules("320400000000", civil.Date(2026, 11, 22))
	if err != nil || r.Frequency().PerYear != 4 || len(book.All()) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	files := overlay(t, "testdata/valid_revision")
	delete(files, "320400/2026-07-01.r2.yaml")
	before, err := Load(files, division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	old, err := before.Rules("320400000000", civil.Date(2026, 11, 22))
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{Day: civil.Date(2026, 11, 22), Division: "320400000000", Cause: Fire, Persons: 3}
	made := old.FirstAid(facts)
	found, ok := book.ByFingerprint(made.Rules)
	if !ok || found.Frequency().PerYear != 3 || !same(found.FirstAid(facts), made) {
		t.Errorf("the old decision cannot be worked out again: %+v", found)
	}
	if _, ok := book.ByFingerprint("0"); ok {
		t.Error("found rules that never were")
	}
}

func TestFingerprintIsOfTheContent(t *testing.T) {
	t.Parallel()
	const own, base = "320400/2026-07-01.yaml", "000000/2026-07-01.yaml"
	print := func(change func(fstest.MapFS)) string {
		files := overlay(t, "testdata/valid_tianjin")
		change(files)
		book, err := Load(files, division.Shipped(), regionfile.Parse)
		if err != nil {
			t.Fatal(err)
		}
		return book.All()[0].Fingerprint()
	}
	replace := func(name, old, next string) func(fstest.MapFS) {
		return func(files fstest.MapFS) {
			text := strings.Replace(string(files[name].Data), old, next, 1)
			if text == string(files[name].Data) {
				t.Fatalf("%q is not in %s", old, name)
			}
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	was := print(func(fstest.MapFS) {})
	if len(was) != 64 {
		t.Errorf("fingerprint is %q", was)
	}
	for name, change := range map[string]func(fstest.MapFS){
		"comment": replace(own, "source: 测试\n", "source: 测试 # a remark\n"),
		"quotes":  replace(own, "name: 测试市", `name: "测试市"`),
		"order":   replace(own, "revision: 1\ninherits: 000000/2026-07-01\n", "inherits: 000000/2026-07-01\nrevision: 1\n"),
	} {
		if print(change) != was {
			t.Errorf("%s changed it", name)
		}
	}
	for name, change := range map[string]func(fstest.MapFS){
		"figure":            replace(own, "amount: 6", "amount: 5"),
		"word":              replace(own, "basis: CASE", "basis: PERSON"),
		"name":              replace(own, "name: 测试市", "name: 别市"),
		"inherited_figure":  replace(base, "per_year: {value: 2", "per_year: {value: 3"),
		"inherited_unused":  replace(base, "max_months: {value: 12", "max_months: {value: 11"),
		"status":            replace(own, "status: confirmed", "status: unconfirmed"),
		"standard_of_a_day": replace(base, "fen: 100000, from", "fen: 100001, from"),
	} {
		if print(change) == was {
			t.Errorf("%s did not change it", name)
		}
	}
}
