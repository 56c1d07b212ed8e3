package doudi_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A rule looks at all Go files and answers what breaks it, each with its place.
type rule struct {
	name  string
	why   string
	check func([]source) []string
	bad   map[string]map[string]string // case → files that break it, each alone
	good  map[string]string            // files that keep it
}

// moneyDirs are where amounts are computed, moved or limited.
var moneyDirs = []string{"shared/money", "shared/fund", "shared/award/...", "shared/payout", "shared/policy/...", "shared/bank", "shared/envelope",
	"functions/pay/...", "functions/settle/...", "functions/decide/..."}

// clockDirs are where the clock and randomness are read, to be handed to everybody else.
var clockDirs = []string{"cmd/...", "functions/*/lambda", "scripts/..."}

// clockFiles read the clock or randomness outside the wiring, each for a reason.
var clockFiles = map[string]string{
	"shared/ident/ident.go":  "ident.Random is the one door to the system's randomness; wiring opens it",
	"shared/seal/keyfile.go": "the laptop's key file is made once, by the wiring, and keys are never anything but random",
}

// panicFiles may panic, each for a reason.
var panicFiles = map[string]string{
	"shared/ident/ident.go": "without randomness nothing that needs an identifier may go on",
	"shared/work/work.go":   "three strings always marshal",

	// What ships inside the program is checked whenever it starts, so any test finds it broken.
	"shared/httpapi/bind.go":      "a request type that cannot be read strictly never starts",
	"shared/httpapi/serve.go":     "two routes with one pattern never start",
	"shared/staff/authorize.go":   "embedded policies that do not parse never start",
	"shared/calendar/calendar.go": "an embedded calendar that does not parse never starts",
	"shared/division/shipped.go":  "an embedded division tree that does not parse never starts",
}

var rules = []rule{
	{
		name:  "one_package_comment",
		why:   "a package says once what it is for and what it refuses to know; two comments drift, none hides the purpose",
		check: packageComments,
		bad: map[string]map[string]string{
			"none": {"a/a.go": "package a"},
			"two":  {"a/a.go": "// Package a is.\npackage a", "a/b.go": "// Package a is also.\npackage a"},
			"odd":  {"a/a.go": "// Thoughts.\npackage a"},
		},
		good: map[string]string{"a/a.go": "// Package a is.\npackage a", "a/b.go": "package a", "c/main.go": "// The operator's tool.\npackage main"},
	},
	{
		name:  "no_floats_with_money",
		why:   "a float rounds, and a rounded amount is a wrong amount: use money.Fen and whole numbers",
		check: floats,
		bad: map[string]map[string]string{
			"type":    {"shared/fund/a.go": "package fund\nvar x float64"},
			"literal": {"functions/pay/a.go": "package pay\nvar x = 1.5"},
			"parse":   {"shared/policy/a.go": "package policy\nimport \"strconv\"\nvar x, _ = strconv.ParseFloat(\"1\", 64)"},
			"decode":  {"shared/payout/a.go": "package payout\nimport \"encoding/json\"\nfunc f(n json.Number) { n.Float64() }"},
		},
		good: map[string]string{"shared/fund/a.go": "package fund\nvar x int64 = 15", "shared/notice/a.go": "package notice\nvar rate = 1.5"},
	},
	{
		name:  "clock_is_injected",
		why:   "a domain that reads the clock cannot be replayed, and a deadline cannot be tested: take now as an argument",
		check: clocks,
		bad: map[string]map[string]string{
			"now":     {"shared/payout/a.go": "package payout\nimport \"time\"\nvar x = time.Now()"},
			"value":   {"functions/pay/a.go": "package pay\nimport \"time\"\nvar f = time.Now"},
			"since":   {"shared/payout/a.go": "package payout\nimport \"time\"\nfunc f(t time.Time) { time.Since(t) }"},
			"renamed": {"shared/payout/a.go": "package payout\nimport clock \"time\"\nvar x = clock.Now()"},
			"sleep":   {"functions/settle/a.go": "package settle\nimport \"time\"\nfunc f() { time.Sleep(1) }"},
			"local":   {"shared/calendar/a.go": "package calendar\nimport \"time\"\nvar z = time.Local"},
			"random":  {"shared/payout/a.go": "package payout\nimport \"math/rand/v2\"\nvar x = rand.Int()"},
		},
		good: map[string]string{
			"cmd/doudi/a.go":            "package main\nimport \"time\"\nvar x = time.Now",
			"functions/pay/lambda/a.go": "package main\nimport \"time\"\nvar x = time.Now",
			"shared/payout/a.go":        "package payout\nimport \"time\"\nfunc f(t time.Time) time.Time { return t.Add(time.Hour) }",
			"shared/payout/a_test.go":   "package payout\nimport \"time\"\nvar x = time.Now()",
		},
	},
	{
		name:  "no_scans",
		why:   "a scan reads everybody's data, costs by the table and misses what moves: declare an index",
		check: scans,
		bad: map[string]map[string]string{
			"scan":      {"shared/table/dynamo/a.go": "package dynamo\nimport \"github.com/aws/aws-sdk-go-v2/service/dynamodb\"\nfunc f(c *dynamodb.Client) { c.Scan(nil, nil) }"},
			"input":     {"cmd/doudi/a.go": "package main\nimport d \"github.com/aws/aws-sdk-go-v2/service/dynamodb\"\nvar x d.ScanInput"},
			"statement": {"cmd/doudi/a.go": "package main\nimport d \"github.com/aws/aws-sdk-go-v2/service/dynamodb\"\nvar x d.ExecuteStatementInput"},
		},
		good: map[string]string{"shared/a/a.go": "package a\nimport \"database/sql\"\nfunc f(r *sql.Rows) { r.Scan() }"},
	},
	{
		name:  "names_say_what_is_inside",
		why:   "a file or folder called after nothing collects everything: name the concept",
		check: vagueNames,
		bad: map[string]map[string]string{
			"utils":   {"shared/fund/utils.go": "package fund"},
			"types":   {"shared/fund/types.go": "package fund"},
			"helpers": {"shared/fund/helpers_test.go": "package fund"},
			"folder":  {"shared/common/a.go": "package common"},
		},
		good: map[string]string{"shared/fund/errors.go": "package fund", "shared/fund/reserve.go": "package fund"},
	},
	{
		name:  "no_panics",
		why:   "a panic in a handler is an answer nobody planned: return an error (Must functions and unreachable randomness apart)",
		check: panics,
		bad: map[string]map[string]string{
			"handler": {"functions/pay/a.go": "package pay\nfunc f() { panic(\"no\") }"},
			"closure": {"shared/fund/a.go": "package fund\nvar f = func() { panic(\"no\") }"},
		},
		good: map[string]string{
			"shared/policy/a.go":    "package policy\nfunc MustLoad() { panic(\"no\") }",
			"shared/ident/ident.go": "package ident\nfunc f() { panic(\"no\") }",
			"shared/fund/a_test.go": "package fund\nfunc f() { panic(\"no\") }",
		},
	},
	{
		name:  "tests_do_not_sleep_or_skip",
		why:   "a test that sleeps is slow or wrong, and a test that skips is not there: inject the clock, and say in the command what is left out",
		check: lazyTests,
		bad: map[string]map[string]string{
			"sleep": {"shared/a/a_test.go": "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }"},
			"skip":  {"shared/a/a_test.go": "package a\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Skip() }"},
		},
		good: map[string]string{"shared/a/a_test.go": "package a\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Fatal() }"},
	},
	{
		name:  "fault_codes_are_unique",
		why:   "callers and runbooks find a fault by its code; two faults with one code are one riddle",
		check: func(files []source) []string { _, bad := faultCodes(files); return bad },
		bad: map[string]map[string]string{
			"twice":  {"shared/a/errors.go": faultSnippet("a", "x-moved"), "shared/b/errors.go": faultSnippet("b", "x-moved")},
			"form":   {"shared/a/errors.go": faultSnippet("a", "X_moved")},
			"hidden": {"shared/a/errors.go": "package a\nimport \"" + module + "/shared/fault\"\nvar code = \"x\"\nvar e = fault.New(fault.Conflict, code, \"z\", \"e\")"},
		},
		good: map[string]string{"shared/a/errors.go": faultSnippet("a", "a-moved"), "shared/b/errors.go": faultSnippet("b", "b-moved")},
	},
}

func faultSnippet(pkg, code string) string {
	return fmt.Sprintf("package %s\nimport %q\nvar e = fault.New(fault.Conflict, %q, \"z\", \"e\")", pkg, module+"/shared/fault", code)
}

func TestSource(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { report(t, r.why, r.check(goFiles(t))) })
	}
}

func TestSourceRulesBite(t *testing.T) {
	for _, r := range rules {
		for name, files := range r.bad {
			if len(r.check(snippets(t, files))) == 0 {
				t.Errorf("%s/%s: nothing noticed", r.name, name)
			}
		}
		if got := r.check(snippets(t, r.good)); len(got) != 0 {
			t.Errorf("%s: refused: %v", r.name, got)
		}
	}
}

func packageComments(files []source) []string {
	comments := map[string][]string{}
	var bad []string
	for _, f := range files {
		if f.test() {
			continue
		}
		at := comments[f.dir()]
		if f.ast.Doc != nil && !directiveOnly(f.ast.Doc) {
			at = append(at, f.path)
			if name := f.ast.Name.Name; name != "main" && !strings.HasPrefix(f.ast.Doc.Text(), "Package "+name+" ") {
				bad = append(bad, f.path+": the package comment does not begin with \"Package "+name+" \"")
			}
		}
		comments[f.dir()] = at
	}
	for dir, at := range comments {
		if len(at) != 1 {
			bad = append(bad, fmt.Sprintf("%s has %d package comments %v", dir, len(at), at))
		}
	}
	slices.Sort(bad)
	return bad
}

// directiveOnly reports whether a comment group holds nothing but //go: lines.
func directiveOnly(g *ast.CommentGroup) bool { return strings.TrimSpace(g.Text()) == "" }

func floats(files []source) []string {
	var bad []string
	for _, f := range files {
		if !within(f.dir(), moneyDirs...) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				switch n.Name {
				case "float32", "float64", "complex64", "complex128", "ParseFloat", "Float64", "Float32":
					bad = append(bad, f.at(n)+": "+n.Name)
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					bad = append(bad, f.at(n)+": "+n.Value)
				}
			}
			return true
		})
	}
	return bad
}

// imported is the name by which f knows an import, or "".
func imported(f source, importPath string) string {
	for _, i := range f.ast.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); p == importPath {
			if i.Name != nil {
				return i.Name.Name
			}
			return path.Base(strings.TrimSuffix(importPath, "/v2"))
		}
	}
	return ""
}

// selected visits every name.X in f.
func selected(f source, name string, visit func(*ast.SelectorExpr)) {
	if name == "" {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
				visit(s)
			}
		}
		return true
	})
}

func clocks(files []source) []string {
	var bad []string
	for _, f := range files {
		if f.test() || within(f.dir(), clockDirs...) || within(f.dir(), "shared/table/tabletest", "test/...") || clockFiles[f.path] != "" {
			continue
		}
		selected(f, imported(f, "time"), func(s *ast.SelectorExpr) {
			switch s.Sel.Name {
			case "Now", "Since", "Until", "Sleep", "Local":
				bad = append(bad, f.at(s)+": time."+s.Sel.Name)
			}
		})
		for _, p := range []string{"math/rand", "math/rand/v2", "crypto/rand"} {
			if imported(f, p) != "" {
				bad = append(bad, f.path+": imports "+p)
			}
		}
	}
	return bad
}

func scans(files []source) []string {
	var bad []string
	forbidden := regexp.MustCompile(`^(New)?(Scan|BatchExecuteStatement|ExecuteStatement|ExecuteTransaction)(Input|Paginator|APIClient)?$`)
	for _, f := range files {
		if imported(f, "github.com/aws/aws-sdk-go-v2/service/dynamodb") == "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && forbidden.MatchString(s.Sel.Name) {
				bad = append(bad, f.at(s)+": "+s.Sel.Name)
			}
			return true
		})
	}
	return bad
}

func vagueNames(files []source) []string {
	vague := []string{"util", "utils", "common", "types", "helper", "helpers", "misc", "base", "shared_types", "constants", "const"}
	var bad []string
	for _, f := range files {
		base := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
		if slices.Contains(vague, base) || slices.Contains(vague, path.Base(f.dir())) {
			bad = append(bad, f.path)
		}
	}
	return bad
}

func panics(files []source) []string {
	var bad []string
	for _, f := range files {
		if f.test() || panicFiles[f.path] != "" || within(f.dir(), "shared/table/tabletest", "test/...") {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(strings.ToLower(fn.Name.Name), "must") {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok {
					if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "panic" {
						bad = append(bad, f.at(c))
					}
				}
				return true
			})
		}
	}
	return bad
}

func lazyTests(files []source) []string {
	var bad []string
	for _, f := range files {
		if !f.test() {
			continue
		}
		selected(f, imported(f, "time"), func(s *ast.SelectorExpr) {
			if s.Sel.Name == "Sleep" {
				bad = append(bad, f.at(s)+": time.Sleep")
			}
		})
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				switch s.Sel.Name {
				case "Skip", "Skipf", "SkipNow":
					if x, ok := s.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "tb"}, x.Name) {
						bad = append(bad, f.at(s)+": "+x.Name+"."+s.Sel.Name)
					}
				}
			}
			return true
		})
	}
	return bad
}

// A faultDecl is one fault as declared in source.
type faultDecl struct{ kind, code, zh, en, at string }

// sharedCodes are said in more than one place on purpose.
var sharedCodes = map[string]string{
	"not-signed-in": "somebody removed from work must look the same as nobody",
	"same-person":   "the policy and the write both hold the two-person rule; the caller need not know which spoke first",
}

var kebab = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// faultCodes are all faults declared outside tests, and what is wrong with them.
func faultCodes(files []source) ([]faultDecl, []string) {
	var all []faultDecl
	var bad []string
	first := map[string]string{}
	for _, f := range files {
		if f.test() {
			continue
		}
		name := imported(f, module+"/shared/fault")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || len(c.Args) != 4 || !callsNew(c.Fun, name, f.dir() == "shared/fault") {
				return true
			}
			d := faultDecl{at: f.at(c)}
			switch k := c.Args[0].(type) {
			case *ast.SelectorExpr:
				d.kind = k.Sel.Name
			case *ast.Ident:
				d.kind = k.Name
			}
			for i, to := range []*string{&d.code, &d.zh, &d.en} {
				s, ok := literal(c.Args[i+1])
				if !ok {
					bad = append(bad, d.at+": a fault is declared with literals, so that it can be found")
					return true
				}
				*to = s
			}
			if !kebab.MatchString(d.code) {
				bad = append(bad, d.at+": code "+d.code+" is not kebab-case")
			}
			if first[d.code] != "" && sharedCodes[d.code] == "" {
				bad = append(bad, d.at+": code "+d.code+" is also at "+first[d.code])
			}
			first[d.code] = d.at
			all = append(all, d)
			return true
		})
	}
	slices.SortFunc(all, func(a, b faultDecl) int { return strings.Compare(a.code, b.code) })
	return all, bad
}

// callsNew reports whether fun is fault.New, under the file's name for it.
func callsNew(fun ast.Expr, name string, inside bool) bool {
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		x, ok := fun.X.(*ast.Ident)
		return ok && name != "" && x.Name == name && fun.Sel.Name == "New"
	case *ast.Ident:
		return inside && fun.Name == "New"
	}
	return false
}

// literal is a string constant written out, "a"+"b" included.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, ok := literal(e.X)
		b, ok2 := literal(e.Y)
		return a + b, ok && ok2 && e.Op == token.ADD
	}
	return "", false
}
