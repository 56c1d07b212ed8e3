// Package doudi_test holds the rules of the house: what may import what, what
// source may not contain, and which documents must agree with the code. Every
// rule gives its reason, and every rule has a case that breaks it.
package doudi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const module = "github.com/doudi-aid/doudi"

// A text is one file of the repository that people wrote or could have written.
type text struct {
	path string // from the root, with slashes
	body string
}

// A source is one parsed Go file.
type source struct {
	text
	fset *token.FileSet
	ast  *ast.File
}

// dir is the file's package directory, "." for the root.
func (s source) dir() string { return path.Dir(s.path) }

// test reports whether the file is compiled into tests only.
func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// at is where node stands, for messages.
func (s source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }

// made are the folders the build makes; git ignores them too.
var made = []string{".git", ".tools", ".doudi", "dist", "coverage", "node_modules"}

// texts are all text files below the root.
var texts = sync.OnceValues(func() ([]text, error) {
	var all []text
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(made, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || slices.Contains(made, d.Name()) { // in a second work tree .git is a file
			return nil
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if utf8.Valid(body) && !strings.ContainsRune(string(body), 0) {
			all = append(all, text{filepath.ToSlash(name), string(body)})
		}
		return nil
	})
	return all, err
})

// sources are all Go files below the root, parsed.
var sources = sync.OnceValues(func() ([]source, error) {
	files, err := texts()
	if err != nil {
		return nil, err
	}
	var all []source
	for _, f := range files {
		if !strings.HasSuffix(f.path, ".go") {
			continue
		}
		s, err := parse(f.path, f.body)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
})

func parse(name, body string) (source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, body, parser.ParseComments|parser.SkipObjectResolution)
	return source{text{name, body}, fset, f}, err
}

// goFiles is sources, or the end of the test.
func goFiles(t *testing.T) []source {
	t.Helper()
	s, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// snippets parses made-up files, for cases that must break a rule.
func snippets(t *testing.T, files map[string]string) []source {
	t.Helper()
	var all []source
	for name, body := range files {
		s, err := parse(name, body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b source) int { return strings.Compare(a.path, b.path) })
	return all
}

// report fails the test with every breach at once.
func report(t *testing.T, why string, breaches []string) {
	t.Helper()
	for _, b := range breaches {
		t.Errorf("%s\n\t%s", b, why)
	}
}

// suites are folders that only tests import: contract suites, fakes, checkers.
const suites = "shared/*/*test/... test/..."

// within reports whether dir is one of patterns: "a/b" is itself, "a/b/..." is
// it and everything below, and each element is matched as path.Match does.
func within(dir string, patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		base, below := strings.CutSuffix(p, "/...")
		if p == "..." {
			return true
		}
		want, have := strings.Split(base, "/"), strings.Split(dir, "/")
		if len(have) < len(want) || (len(have) > len(want) && !below) {
			return false
		}
		for i, w := range want {
			if ok, err := path.Match(w, have[i]); err != nil || !ok {
				return false
			}
		}
		return true
	})
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		dir, pattern string
		want         bool
	}{
		{"shared/bank", "shared/bank", true},
		{"shared/bank/wire", "shared/bank", false},
		{"shared/bank/wire", "shared/bank/...", true},
		{"shared/bank", "shared/bank/...", true},
		{"shared/banker", "shared/bank/...", false},
		{"functions/pay/lambda", "functions/*/lambda", true},
		{"functions/pay", "functions/*/lambda", false},
		{"shared/table/tabletest/engine", "shared/*/*test/...", true},
		{"shared/table", "shared/*/*test/...", false},
		{"anything", "...", true},
	} {
		if got := within(c.dir, c.pattern); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.dir, c.pattern, got)
		}
	}
}
