package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// realGo names the environment variable that holds the path of the go command
// while this program stands in for it.
const realGo = "MUTANTS_GO"

// standInDir names the one that holds the folder in which it stands.
const standInDir = "MUTANTS_DIR"

// memoryDir names the one that holds the folder of killed mutants, or nothing.
const memoryDir = "MUTANTS_MEMORY"

// asGo is the go command as gremlins should see it. Four things are wrong with
// the plain one:
//   - a mutant that does not compile leaves with 1 like a red test, and gremlins
//     would count it as killed; here it leaves with 2, which it calls not viable;
//   - the coverage profile has no block for the expressions of a case and for
//     what stands outside of functions, and gremlins would never test them;
//   - rapid makes a failure smaller for half a minute, and the mutant would time
//     out; nobody reads what it found;
//   - it compiles and links for every mutant (see prepare).
//
// Tests are the short ones. What was vetted once is not vetted for each mutant, and no answer comes from a cache:
// the time that the first run takes is the measure of what is too long.
func asGo(args []string) int {
	real, standIn := os.Getenv(realGo), os.Getenv(standInDir)
	if len(args) == 0 || args[0] != "test" {
		return leave(command(real, args, os.Stdout))
	}
	args = append([]string{"test", "-vet=off", "-count=1", "-short", "-ldflags=-w"}, args[1:]...)
	if at := slices.Index(args, "-coverprofile"); at >= 0 {
		if err := command(real, args, os.Stdout); err != nil {
			return leave(err)
		}
		if err := widen(args[at+1]); err != nil {
			return leave(err)
		}
		return leave(prepare(real, standIn, strings.TrimSuffix(strings.TrimPrefix(args[len(args)-1], "./"), "/...")))
	}
	killed := remembered(os.Getenv(memoryDir))
	if _, err := os.Stat(killed); killed != "" && err == nil {
		return 1
	}
	var rapid []string
	if usesRapid() {
		rapid = []string{"-rapid.shrinktime=0s", "-rapid.nofailfile"}
	}
	var out bytes.Buffer
	var err error
	if id, ok := which(standIn); ok {
		within := "10m"
		if at := slices.Index(args, "-timeout"); at >= 0 {
			within = args[at+1]
		}
		if err = runSwitched(standIn, id, append([]string{"-test.short", "-test.failfast", "-test.timeout", within}, rapid...)); err != nil {
			err = errRed
		}
	} else {
		err = command(real, append(append(args, "-args"), rapid...), &out)
	}
	_, _ = os.Stdout.Write(out.Bytes())
	if err != nil && (bytes.Contains(out.Bytes(), []byte("[build failed]")) || bytes.Contains(out.Bytes(), []byte("[setup failed]"))) {
		return 2
	}
	code := leave(err)
	if code == 1 && killed != "" {
		if err := os.WriteFile(killed, nil, 0o600); err != nil {
			return leave(err)
		}
	}
	return code
}

// remembered is the file that says that the package in the working directory, as
// it is without its tests, was seen red; "" if nothing is remembered.
func remembered(memory string) string {
	if memory == "" {
		return ""
	}
	files, _ := filepath.Glob("*.go") // the pattern is good
	h := sha256.New()
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, "_test.go") {
			fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
		}
	}
	return filepath.Join(memory, hex.EncodeToString(h.Sum(nil)))
}

// errRed is a test binary that left with anything but 0.
var errRed = errors.New("red")

func command(name string, args []string, out io.Writer) error {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run()
}

func leave(err error) int {
	if err == nil {
		return 0
	}
	if err == errRed {
		return 1
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "mutants:", err)
	return 3
}

// usesRapid reports whether the tests of the package in the working directory
// know rapid's flags.
func usesRapid() bool {
	tests, _ := filepath.Glob("*_test.go") // the pattern is good
	return slices.ContainsFunc(tests, func(name string) bool {
		b, err := os.ReadFile(name)
		return err == nil && bytes.Contains(b, []byte(`"pgregory.net/rapid"`))
	})
}

// block is a stretch of a file as a profile has it.
type block struct{ fromLine, fromColumn, toLine, toColumn int }

// widen adds to a profile the expressions of every case whose switch was reached,
// and every declaration outside of functions: it runs when the program starts.
func widen(profile string) error {
	b, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	ran, err := blocks(b)
	if err != nil {
		return err
	}
	for name := range ran {
		src, err := os.ReadFile(strings.TrimPrefix(name, module))
		if err != nil {
			return err
		}
		unseen, err := unseen(src, ran[name])
		if err != nil {
			return err
		}
		for _, u := range unseen {
			b = fmt.Appendf(b, "%s:%d.%d,%d.%d 1 1\n", name, u.fromLine, u.fromColumn, u.toLine, u.toColumn)
		}
	}
	return os.WriteFile(profile, b, 0o600)
}

// module is the prefix of this module's packages.
const module = "github.com/doudi-aid/doudi/"

// blocks are the blocks of a profile that ran, by file. A file of which nothing
// ran is there with none.
func blocks(profile []byte) (map[string][]block, error) {
	ran := map[string][]block{}
	for l := range strings.Lines(string(profile)) {
		if strings.HasPrefix(l, "mode: ") {
			continue
		}
		name, rest, _ := strings.Cut(l, ":")
		var b block
		var statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.fromLine, &b.fromColumn, &b.toLine, &b.toColumn, &statements, &count); err != nil {
			return nil, fmt.Errorf("profile: %q: %w", l, err)
		}
		if count == 0 {
			ran[name] = append(ran[name], nil...)
			continue
		}
		ran[name] = append(ran[name], b)
	}
	return ran, nil
}

// unseen are the stretches of src that ran and that a profile does not have.
func unseen(src []byte, seen []block) ([]block, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []block
	add := func(from, to token.Pos) {
		a, b := files.Position(from), files.Position(to)
		found = append(found, block{a.Line, a.Column, b.Line, b.Column})
	}
	ran := func(at token.Pos) bool {
		p := files.Position(at)
		return slices.ContainsFunc(seen, func(b block) bool {
			after := p.Line > b.fromLine || (p.Line == b.fromLine && p.Column >= b.fromColumn)
			before := p.Line < b.toLine || (p.Line == b.toLine && p.Column <= b.toColumn)
			return after && before
		})
	}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && (g.Tok == token.VAR || g.Tok == token.CONST) {
			add(g.Pos(), g.End())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SwitchStmt)
		if !ok || !ran(s.Switch) {
			return true
		}
		for _, c := range s.Body.List {
			if c := c.(*ast.CaseClause); len(c.List) > 0 {
				add(c.List[0].Pos(), c.List[len(c.List)-1].End())
			}
		}
		return true
	})
	return found, nil
}
