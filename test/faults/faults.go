// Package faults reads from source which faults the system can answer with, so
// that the API document and the rules of the house speak of the same list. It
// knows how a fault is declared and nothing of where one is used.
package faults

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doudi-aid/doudi/shared/fault"
)

const faultPath = "github.com/doudi-aid/doudi/shared/fault"

// Fault is one fault as it is declared.
type Fault struct {
	Kind    fault.Kind
	Code    string
	ZH, EN  string
	Package string // its folder, from the root
	At      string // file and line
}

var form = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// In are the faults that one file declares, and what is wrong with how.
func In(name string, fset *token.FileSet, file *ast.File) ([]Fault, []string) {
	var all []Fault
	var bad []string
	dir := path.Dir(name)
	local := localName(file)
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 4 || !callsNew(call.Fun, local, dir == "shared/fault") {
			return true
		}
		f := Fault{Package: dir, At: fset.Position(call.Pos()).String()}
		var known bool
		if f.Kind, known = kind(call.Args[0]); !known {
			bad = append(bad, f.At+": not one of the kinds of package fault")
		}
		for i, to := range []*string{&f.Code, &f.ZH, &f.EN} {
			if *to, ok = literal(call.Args[i+1]); !ok || *to == "" {
				bad = append(bad, f.At+": code and titles are literals, so that they can be found")
				return true
			}
		}
		if !form.MatchString(f.Code) {
			bad = append(bad, f.At+": code "+f.Code+" is not kebab-case")
		}
		all = append(all, f)
		return true
	})
	return all, bad
}

// Tree are the faults declared outside tests below root, by code, each once.
func Tree(root string) ([]Fault, error) {
	var all []Fault
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		found, bad := In(filepath.ToSlash(short), fset, file)
		if len(bad) > 0 {
			return fmt.Errorf("faults: %s", strings.Join(bad, "; "))
		}
		all = append(all, found...)
		return nil
	})
	slices.SortFunc(all, func(a, b Fault) int { return strings.Compare(a.Code+" "+a.At, b.Code+" "+b.At) })
	return slices.CompactFunc(all, func(a, b Fault) bool { return a.Code == b.Code }), err
}

// localName is how the file calls package fault, or "".
func localName(file *ast.File) string {
	for _, i := range file.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); p == faultPath {
			if i.Name != nil {
				return i.Name.Name
			}
			return "fault"
		}
	}
	return ""
}

func callsNew(fun ast.Expr, local string, inside bool) bool {
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		x, ok := fun.X.(*ast.Ident)
		return ok && local != "" && x.Name == local && fun.Sel.Name == "New"
	case *ast.Ident:
		return inside && fun.Name == "New"
	}
	return false
}

// kind is the kind that a constant of package fault names: TooMany is too_many.
func kind(e ast.Expr) (fault.Kind, bool) {
	name := ""
	switch e := e.(type) {
	case *ast.SelectorExpr:
		name = e.Sel.Name
	case *ast.Ident:
		name = e.Name
	}
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	k := fault.Kind(b.String())
	return k, slices.Contains(fault.Kinds(), k)
}

// literal is a string written out, "a"+"b" included.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, ok := literal(e.X)
		b, also := literal(e.Y)
		return a + b, ok && also && e.Op == token.ADD
	}
	return "", false
}
