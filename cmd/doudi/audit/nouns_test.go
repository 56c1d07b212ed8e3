package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/reading"
)

// onlyTold are the nouns that are their events: there is no item beside them that
// somebody could edit.
var onlyTold = map[string]string{
	reading.Noun:      "a look at a case is the event itself",
	reading.Access:    "a query, or a refused reach, is the event itself",
	"release":         "what an envelope released stands in the application, the payout and the ledger",
	discovery.Visited: "the record of a door lies in its device's partition; the signal that it moved is exported",
	"salt":            "an erased salt is what the export says of everything that it opened",
}

// house are the parsed packages below shared and functions, by import path within
// the module.
func house(t *testing.T) map[string][]*ast.File {
	t.Helper()
	root, all := filepath.Join("..", "..", ".."), map[string][]*ast.File{}
	for _, part := range []string{"shared", "functions"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			dir, err := filepath.Rel(root, filepath.Dir(path))
			all[filepath.ToSlash(dir)] = append(all[filepath.ToSlash(dir)], f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// constants are the string constants of a package.
func constants(files []*ast.File) map[string]string {
	all := map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != len(v.Names) {
				return true
			}
			for i, name := range v.Names {
				if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					all[name.Name], _ = strconv.Unquote(lit.Value)
				}
			}
			return true
		})
	}
	return all
}

// told are the expressions that some event's Noun is set to.
func told(f *ast.File) (nouns []ast.Expr) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if s, ok := n.Type.(*ast.SelectorExpr); !ok || s.Sel.Name != "Event" {
				return true
			}
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Noun" {
					nouns = append(nouns, kv.Value)
				}
			}
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if s, ok := to.(*ast.SelectorExpr); ok && s.Sel.Name == "Noun" && len(n.Rhs) == len(n.Lhs) {
					nouns = append(nouns, n.Rhs[i])
				}
			}
		}
		return true
	})
	return nouns
}

// A noun that writes events and is not in the export could be edited, and nothing
// offline would tell: whoever adds one says here where it is.
func TestEveryNounWithEventsIsExported(t *testing.T) {
	t.Parallel()
	packages := house(t)
	found := map[string]bool{}
	for dir, files := range packages {
		own := constants(files)
		for _, f := range files {
			for _, e := range told(f) {
				var noun string
				switch e := e.(type) {
				case *ast.BasicLit:
					noun, _ = strconv.Unquote(e.Value)
				case *ast.Ident:
					noun = own[e.Name]
				case *ast.SelectorExpr:
					if x, ok := e.X.(*ast.Ident); ok {
						noun = constants(packages["shared/"+x.Name])[e.Sel.Name]
					}
				}
				if noun == "" && dir != "shared/evidence" { // which repeats what others wrote
					t.Errorf("%s: an event's noun is no constant: this test cannot follow it", dir)
				}
				found[noun] = true
			}
		}
	}
	delete(found, "")
	if len(found) < 20 {
		t.Errorf("only %d nouns found: the test looks in vain", len(found))
	}
	for noun := range found {
		if why := onlyTold[noun]; (why != "") == exported[noun] {
			t.Errorf("%s: exported %v, and only told: %q", noun, exported[noun], why)
		}
	}
	for noun := range onlyTold {
		if !found[noun] {
			t.Errorf("nothing tells of %s any more", noun)
		}
	}
}

// A release moves what is left of an envelope and makes no event of the envelope:
// its next one skips a version, and that is nothing to accuse anybody of. A version
// that a case skips is.
func TestVersionsThatHaveNoEvent(t *testing.T) {
	t.Parallel()
	for noun, want := range map[string]int{envelope.Noun: 0, notice.Noun: 0, application.Noun: 1} {
		c := NewChain()
		var found []Finding
		for _, v := range []int64{1, 2, 4} {
			e := event.Event{PK: "P", Noun: noun, ID: "1", Version: v, Kind: "done", At: t0, Actor: event.Actor{Kind: event.Staff, ID: "a"}}
			found = append(found, c.Add(evidence.NewLeaf(e, nil, t0))...)
		}
		if len(found) != want {
			t.Errorf("%s: %v", noun, found)
		}
	}
}
