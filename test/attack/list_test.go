package attack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// untried are the attacks that nothing of ours can be tried with yet; docs/proof.md
// says why at each.
var untried = []string{"X095"}

var (
	attackRow  = regexp.MustCompile(`(?m)^\| (X\d{3}) \| .* \| ([^|]*) \|$`)
	attackTest = regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`")
	attackSpan = regexp.MustCompile(`X(\d{3})To?X(\d{3})`)
)

// TestEveryAttackHasATest reads the table of docs/proof.md: every test it names is
// there and speaks of the attack it stands for.
func TestEveryAttackHasATest(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	doc, err := os.ReadFile(filepath.Join(root, "docs", "proof.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := attackRow.FindAllStringSubmatch(string(doc), -1)
	if len(rows) < 80 {
		t.Fatalf("%d attacks are listed", len(rows))
	}
	texts := map[string]map[string]string{}
	for _, row := range rows {
		number, named := row[1], attackTest.FindAllStringSubmatch(row[2], -1)
		if len(named) == 0 != slices.Contains(untried, number) {
			t.Errorf("%s has %d tests", number, len(named))
		}
		for _, n := range named {
			if texts[n[1]] == nil {
				texts[n[1]] = testsOf(t, filepath.Join(root, n[1]))
			}
			text, there := texts[n[1]][n[2]]
			if !there {
				t.Errorf("%s: %s has no %s", number, n[1], n[2])
			} else if !speaksOf(text, number) {
				t.Errorf("%s: %s.%s does not speak of it", number, n[1], n[2])
			}
		}
	}
}

// testsOf are the tests of one folder with everything that is written in them.
func testsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, raw, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				from := f.Pos()
				if f.Doc != nil {
					from = f.Doc.Pos()
				}
				out[f.Name.Name] = string(raw[set.Position(from).Offset:set.Position(f.End()).Offset])
			}
		}
	}
	return out
}

// speaksOf reports whether text has number, or a span that number is in.
func speaksOf(text, number string) bool {
	if strings.Contains(text, number) {
		return true
	}
	n, _ := strconv.Atoi(number[1:])
	for _, span := range attackSpan.FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(span[1])
		to, _ := strconv.Atoi(span[2])
		if from <= n && n <= to {
			return true
		}
	}
	return false
}
