package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadCountsEveryStatusAndQuotesTheLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n\tif x > 1 {\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := func(statuses ...string) []byte {
		var all []string
		for _, s := range statuses {
			all = append(all, `{"line":2,"column":7,"type":"CONDITIONALS_BOUNDARY","status":"`+s+`"}`)
		}
		return []byte(`{"files":[{"file_name":"a.go","mutations":[` + strings.Join(all, ",") + `]}]}`)
	}
	r, err := read(answer("KILLED", "KILLED", "KILLED", "LIVED", "NOT COVERED", "TIMED OUT", "NOT VIABLE"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Killed != 3 || r.Lived != 1 || r.NotCovered != 1 || r.TimedOut != 1 || r.NotViable != 1 || len(r.Survivors) != 3 {
		t.Errorf("read %+v", r)
	}
	if r.efficacy() != 75 || int(r.coverage()) != 83 { // 3 of 4; 5 of 6
		t.Errorf("efficacy %v, coverage %v", r.efficacy(), r.coverage())
	}
	page := render(map[string]result{"shared/money": r})
	for _, want := range []string{"| shared/money | money: amounts and their arithmetic | 3 | 1 | 1 | 1 | 75.0 | 83.3 |", "`if x > 1 {` lived. Open.", "`if x > 1 {` timed out. Open."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// A call after an index is code, and leads nowhere.
	if page := render(map[string]result{"x": {Survivors: []survivor{{Code: "all[i](`x`)"}}}}); !strings.Contains(page, "`all[i] ('x')`") {
		t.Errorf("%s", page)
	}
	if _, err := read(answer("SKIPPED"), dir); err == nil {
		t.Error("a status that nobody counts was read")
	}
	if (result{}).efficacy() != 0 {
		t.Error("nothing tested is not everything killed")
	}
}

func TestUnseenAreCasesThatWereReachedAndDeclarations(t *testing.T) {
	t.Parallel()
	src := `package a

var most = 1 << 3

func f(x int) int {
	switch {
	case x > 1, x < -1:
		return 1
	default:
	}
	return 2
}

func g(x int) {
	switch {
	case x > 2:
	}
}
`
	ran, err := blocks([]byte("mode: set\nm/a.go:5.19,6.9 1 1\nm/a.go:7.21,8.11 1 0\nm/a.go:14.15,15.9 1 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := unseen([]byte(src), ran["m/a.go"])
	if err != nil {
		t.Fatal(err)
	}
	if want := []block{{3, 1, 3, 18}, {7, 7, 7, 20}}; !slices.Equal(got, want) {
		t.Errorf("unseen %v, want %v", got, want)
	}
	if _, err := blocks([]byte("mode: set\nnonsense\n")); err == nil {
		t.Error("a profile that is not one was read")
	}
}

// A reason outlives its line otherwise, and excuses the next mutant of that name.
func TestEveryEquivalentStillStandsInItsFile(t *testing.T) {
	t.Parallel()
	for _, e := range equivalents {
		b, err := os.ReadFile(filepath.Join("../..", e.file))
		if err != nil {
			t.Error(err)
		} else if !slices.ContainsFunc(strings.Split(string(b), "\n"), func(l string) bool { return strings.TrimSpace(l) == e.code }) {
			t.Errorf("%s has no line %q any more: the reason is stale", e.file, e.code)
		}
		if e.why == "" {
			t.Errorf("%s: %q without a reason", e.file, e.code)
		}
	}
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join("../..", p.dir)); err != nil {
			t.Error(err)
		}
	}
}
