package doudi

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	emitted  = regexp.MustCompile(`\.(?:Count|Age)\("([A-Za-z_]+)"`)
	composed = regexp.MustCompile(`\.(?:Count|Age)\([^"\n]*\+"(_[a-z_]+)"`)
	named    = regexp.MustCompile("`([A-Za-z_]+)`")
	listened = regexp.MustCompile(`Namespace: Doudi,? *\n? *MetricName: ([A-Za-z0-9_]+)`)
	filtered = regexp.MustCompile(`MetricNamespace: Doudi, MetricName: ([A-Za-z]+), MetricValue: "([^"]+)"`)
)

// An alarm on a metric that nobody emits never rings, and a metric that nobody
// explains is read wrong: code, alarms and docs/metrics.md agree.
func TestMetricsAreEmittedListedAndListenedTo(t *testing.T) {
	t.Parallel()
	var names, endings []string
	for _, root := range []string{"shared", "functions"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range emitted.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
			for _, m := range composed.FindAllStringSubmatch(string(text), -1) {
				endings = append(endings, m[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %v are found in the code", names)
	}
	isEmitted := func(name string) bool {
		return slices.Contains(names, name) || slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) })
	}
	page, err := os.ReadFile("docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `") {
			for _, m := range named.FindAllStringSubmatch(strings.SplitN(line, "|", 3)[1], -1) {
				listed = append(listed, m[1])
			}
		}
	}
	for _, n := range names {
		if !slices.Contains(listed, n) {
			t.Errorf("%s is emitted and not explained in docs/metrics.md", n)
		}
	}
	for _, n := range listed {
		if !isEmitted(n) {
			t.Errorf("docs/metrics.md explains %s, which nothing emits", n)
		}
	}
	made := map[string]bool{} // by a filter of the logs
	files, err := filepath.Glob("infra/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var heard []string
	for _, file := range append(files, "template.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range filtered.FindAllStringSubmatch(string(text), -1) {
			made[m[1]] = true
			if of, is := strings.CutPrefix(m[2], "$."); is && !isEmitted(of) {
				t.Errorf("%s: %s is made of %s, which nothing emits", file, m[1], of)
			}
		}
		for _, m := range listened.FindAllStringSubmatch(string(text), -1) {
			heard = append(heard, m[1])
		}
	}
	if len(heard) == 0 {
		t.Fatal("no alarm is found")
	}
	for _, n := range heard {
		if !made[n] && !isEmitted(n) {
			t.Errorf("an alarm listens to %s, which nothing emits", n)
		}
	}
}
