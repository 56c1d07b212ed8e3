package doudi_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unfinished are words that promise work instead of doing it. They are written
// in halves so that this file does not contain them.
var unfinished = regexp.MustCompile(`\b(` + "TO" + `DO|` + "FIX" + `ME|` + "XX" + `X)\b`)

// elsewhere are names of places outside the repository: a workplace, or the
// hosts of package registries, whose addresses belong in nobody's source.
var elsewhere = regexp.MustCompile(`(^|[\s"'` + "`" + `(=:\[])(/wo` + `rk/|\.\./` + `shared/)|` +
	`registry\.npm` + `js\.org|npm` + `mirror\.com|files\.python` + `hosted\.org|pypi\.` + `org|proxy\.go` + `lang\.org|sum\.go` + `lang\.org|repo1\.ma` + `ven\.org|repo\.ma` + `ven\.apache\.org`)

// textBreaches finds pattern line by line.
func textBreaches(files []text, pattern *regexp.Regexp) []string {
	var bad []string
	for _, f := range files {
		for i, l := range strings.Split(f.body, "\n") {
			if m := pattern.FindString(l); m != "" {
				bad = append(bad, fmt.Sprintf("%s:%d: %q", f.path, i+1, m))
			}
		}
	}
	return bad
}

func TestTexts(t *testing.T) {
	files, err := texts()
	if err != nil {
		t.Fatal(err)
	}
	report(t, "finish it, or open an issue", textBreaches(files, unfinished))
	report(t, "the project is understood from itself, on any machine", textBreaches(files, elsewhere))
}

func TestTextRulesBite(t *testing.T) {
	for _, bad := range []string{"// TO" + "DO: later", "# FIX" + "ME"} {
		if len(textBreaches([]text{{"a", bad}}, unfinished)) == 0 {
			t.Errorf("%q: nothing noticed", bad)
		}
	}
	for _, bad := range []string{"see /wo" + "rk/x", "see `../" + "shared/design.md`", "https://registry.npm" + "js.org/x", "GOPROXY=https://proxy.go" + "lang.org"} {
		if len(textBreaches([]text{{"a", bad}}, elsewhere)) == 0 {
			t.Errorf("%q: nothing noticed", bad)
		}
	}
	for _, good := range []string{module + "/shared/work", "GET /v1/staff/work", "../shared_files"} {
		if got := textBreaches([]text{{"a", good}}, elsewhere); len(got) != 0 {
			t.Errorf("%q: refused", good)
		}
	}
}

// unlisted are the decision records that the index does not name.
func unlisted(index string, records []string) []string {
	var bad []string
	for _, r := range records {
		if !strings.Contains(index, "("+r+")") {
			bad = append(bad, r+" is not in docs/adr/README.md")
		}
	}
	return bad
}

func TestDecisionsAreListed(t *testing.T) {
	index, err := os.ReadFile("docs/adr/README.md")
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob("docs/adr/[0-9]*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	if len(found) == 0 {
		t.Fatal("no decision records: run from the root")
	}
	report(t, "a decision nobody can find is taken again", unlisted(string(index), found))
	if len(unlisted("[one](0001-a.md)", []string{"0001-a.md", "0002-b.md"})) != 1 {
		t.Error("an unlisted record was not noticed")
	}
}

var link = regexp.MustCompile(`\]\(([^)\s#]+)[^)]*\)`)

// brokenLinks are relative links of Markdown files that lead nowhere; exists
// tells what is there, by its path from the root.
func brokenLinks(files []text, exists func(string) bool) []string {
	var bad []string
	for _, f := range files {
		if !strings.HasSuffix(f.path, ".md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(f.body, -1) {
			if to := path.Join(path.Dir(f.path), m[1]); !strings.Contains(m[1], "://") && !exists(to) {
				bad = append(bad, f.path+" leads to "+to+", which is not there")
			}
		}
	}
	return bad
}

func TestLinksLeadSomewhere(t *testing.T) {
	files, err := texts()
	if err != nil {
		t.Fatal(err)
	}
	exists := func(name string) bool { _, err := os.Stat(name); return err == nil }
	report(t, "a newcomer follows it", brokenLinks(files, exists))
	sample := []text{{"docs/a.md", "[x](b.md#c) [y](../README.md) [z](https://example.org/q) [w](gone.md)"}}
	got := brokenLinks(sample, func(name string) bool { return name == "docs/b.md" || name == "README.md" })
	if len(got) != 1 || !strings.Contains(got[0], "docs/gone.md") {
		t.Errorf("links were read as %v", got)
	}
}

// TestKnownMistakesFit: each mistake of test/seeded can still be made. That a test
// notices it is what `make drill` shows.
func TestKnownMistakesFit(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob("test/seeded/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("%d known mistakes: %v", len(patches), err)
	}
	for _, patch := range patches {
		if out, err := exec.Command("git", "apply", "--check", patch).CombinedOutput(); err != nil {
			t.Errorf("%s does not fit any more: %s", patch, out)
		}
	}
}

func TestPapersArePresent(t *testing.T) {
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md", "docs/api/openapi.yaml", ".ci/run"} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: a newcomer looks for it", name)
		}
	}
	if info, err := os.Stat(".ci/run"); err == nil && info.Mode()&0o111 == 0 {
		t.Error(".ci/run is not executable")
	}
}
