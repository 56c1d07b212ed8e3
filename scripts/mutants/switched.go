package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Compiling and linking is nearly all that a mutant costs. So one test binary is
// built with every comparison and every && and || of the package twice, as it is
// and as gremlins would have it, and an environment variable says which mutant is
// on. Whatever else gremlins changes is compiled as usual.

// switchedOn names the variable.
const switchedOn = "MUTANTS_ON"

// aid is added to the package. Its names are not Go style so that they meet no other.
const aid = `package %s

import "os"

var mutant__on = os.Getenv("` + switchedOn + `")

func mutant__(id string) bool { return id == mutant__on }

func mutant__land(id string, a bool, b func() bool) bool {
	if mutant__(id) {
		return a || b()
	}
	return a && b()
}

func mutant__lor(id string, a bool, b func() bool) bool {
	if mutant__(id) {
		return a && b()
	}
	return a || b()
}
`

// boundary is what gremlins makes of an ordering, besides its negation.
var boundary = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}

// negation is the opposite of a comparison.
var negation = map[token.Token]token.Token{token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.GEQ, token.GEQ: token.LSS, token.GTR: token.LEQ, token.LEQ: token.GTR}

// expressions are the binary expressions of a file, in the order of its text.
func expressions(file *ast.File) []*ast.BinaryExpr {
	var all []*ast.BinaryExpr
	ast.Inspect(file, func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryExpr); ok {
			all = append(all, b)
		}
		return true
	})
	return all
}

// mutantID names the change of the nth binary expression of a file to op.
func mutantID(name string, n int, op token.Token) string {
	return fmt.Sprintf("%s:%d:%s", name, n, op)
}

// switched is src with its mutants in it, and their names.
func switched(name string, src []byte) ([]byte, []string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	constant := map[ast.Node]bool{}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			ast.Inspect(g, func(n ast.Node) bool { constant[n] = true; return true })
		}
	}
	var ids []string
	before, after, instead := map[int]string{}, map[int]string{}, map[int]string{} // by offset; instead of the operator there
	at := func(p token.Pos) int { return files.Position(p).Offset }
	for n, b := range expressions(file) {
		if constant[b] {
			continue
		}
		from, to, op := at(b.Pos()), at(b.End()), at(b.OpPos)
		id := func(t token.Token) string {
			ids = append(ids, mutantID(name, n, t))
			return fmt.Sprintf("%q", ids[len(ids)-1])
		}
		// Inspect meets the outer before the inner: what is inserted at one place by
		// an inner expression goes behind what the outer put before, and before what
		// it put after.
		switch {
		case b.Op == token.LAND:
			before[from] += "mutant__land(" + id(token.LOR) + ", "
			instead[op] = ", func() bool { return (" // an operand may begin on the next line
			after[to] = ") })" + after[to]
		case b.Op == token.LOR:
			before[from] += "mutant__lor(" + id(token.LAND) + ", "
			instead[op] = ", func() bool { return (" // an operand may begin on the next line
			after[to] = ") })" + after[to]
		case negation[b.Op] != token.ILLEGAL:
			open, shut := "((", ") != mutant__("+id(negation[b.Op])+"))"
			if other, ok := boundary[b.Op]; ok && still(b.X) && still(b.Y) {
				x, y := src[at(b.X.Pos()):at(b.X.End())], src[at(b.Y.Pos()):at(b.Y.End())]
				same := fmt.Sprintf("mutant__(%s) && (%s) == (%s)", id(other), x, y)
				if b.Op == token.LSS || b.Op == token.GTR {
					shut = " || " + same + shut
				} else {
					shut = " && !(" + same + ")" + shut
				}
			}
			before[from] += open
			after[to] = shut + after[to]
		}
	}
	var out bytes.Buffer
	for i := 0; i <= len(src); i++ {
		out.WriteString(after[i])
		out.WriteString(before[i])
		if with, ok := instead[i]; ok {
			out.WriteString(with)
			i++ // && and || are two bytes
			continue
		}
		if i < len(src) {
			out.WriteByte(src[i])
		}
	}
	return out.Bytes(), ids, nil
}

// still reports whether e may be computed twice: it calls nothing that could do
// anything, and is no operand that has mutants of its own.
func still(e ast.Expr) bool {
	ok := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name, plain := n.Fun.(*ast.Ident)
			ok = ok && plain && slices.Contains([]string{"len", "cap", "min", "max", "int", "int64", "string"}, name.Name)
		case *ast.FuncLit:
			ok = false
		case *ast.UnaryExpr:
			ok = ok && n.Op != token.ARROW
		case *ast.BasicLit:
			ok = ok && !strings.Contains(n.Value, "\n")
		}
		return ok
	})
	return ok
}

// prepared is what the first call to the stand-in leaves for the others.
type prepared struct {
	Files map[string]string `json:"files"` // name → source as it was
	IDs   []string          `json:"ids"`
}

func binary(standIn string) string    { return filepath.Join(standIn, "switched.test") }
func inventory(standIn string) string { return filepath.Join(standIn, "switched.json") }

// prepare builds the binary for the package in dir. A package that cannot be
// switched so is no failure: all its mutants are compiled.
func prepare(real, standIn, dir string) error {
	for _, old := range []string{binary(standIn), inventory(standIn)} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	made, err := os.MkdirTemp(standIn, "overlay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	p := prepared{Files: map[string]string{}}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	put := func(path string, src []byte) error {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		with := filepath.Join(made, filepath.Base(path))
		overlay.Replace[abs] = with
		return os.WriteFile(with, src, 0o600)
	}
	var pkg string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.PackageClauseOnly)
		if err != nil {
			return err
		}
		pkg = file.Name.Name
		with, ids, err := switched(filepath.Base(name), src)
		if err != nil {
			return err
		}
		p.Files[filepath.Base(name)], p.IDs = string(src), append(p.IDs, ids...)
		if err := put(name, with); err != nil {
			return err
		}
	}
	if err := put(filepath.Join(dir, "mutants__.go"), fmt.Appendf(nil, aid, pkg)); err != nil {
		return err
	}
	list := filepath.Join(made, "overlay.json")
	for name, what := range map[string]any{list: overlay, inventory(standIn): p} {
		b, err := json.Marshal(what)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return err
		}
	}
	build := exec.Command(real, "test", "-c", "-vet=off", "-ldflags=-w", "-overlay", list, "-o", binary(standIn), "./"+dir)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %s: every mutant is compiled, because the package cannot be switched:\n%s", dir, out)
		return os.Remove(inventory(standIn))
	}
	return nil
}

// which is the mutant that stands in the working directory, if the binary has it.
func which(standIn string) (id string, ok bool) {
	b, err := os.ReadFile(inventory(standIn))
	if err != nil {
		return "", false
	}
	var p prepared
	if json.Unmarshal(b, &p) != nil {
		return "", false
	}
	for name, was := range p.Files {
		now, err := os.ReadFile(name)
		if err != nil {
			return "", false
		}
		if string(now) == was {
			continue
		}
		id, ok := changed(name, []byte(was), now)
		return id, ok && slices.Contains(p.IDs, id)
	}
	return "", false
}

// changed is the mutant that makes now of was, if it changes a binary expression.
func changed(name string, was, now []byte) (string, bool) {
	a, err1 := parser.ParseFile(token.NewFileSet(), name, was, parser.SkipObjectResolution)
	b, err2 := parser.ParseFile(token.NewFileSet(), name, now, parser.SkipObjectResolution)
	if err1 != nil || err2 != nil {
		return "", false
	}
	before, after := expressions(a), expressions(b)
	if len(before) != len(after) {
		return "", false
	}
	for n := range before {
		if before[n].Op != after[n].Op {
			return mutantID(name, n, after[n].Op), true
		}
	}
	return "", false
}

// runSwitched runs the binary with a mutant on. A test binary leaves with 2 when
// it panics, which is as red as 1.
func runSwitched(standIn, id string, args []string) error {
	cmd := exec.Command(binary(standIn), args...)
	cmd.Env = append(os.Environ(), switchedOn+"="+id)
	return cmd.Run()
}
