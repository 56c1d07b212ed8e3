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

	"github.com/doudi-aid/doudi/test/faults"
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
var clockDirs = []string{"cmd/...", "functions/*/lambda", "shared/deployed/...", "scripts/..."}

// clockFiles read the clock or randomness outside the wiring, each for a reason.
var clockFiles = map[string]string{
	"shared/ident/ident.go":         "ident.Random is the one door to the system's randomness; wiring opens it",
	"shared/table/embedded/disk.go": "the default of an option, for compaction and group commit, not for anything stored",
	"shared/seal/keyfile.go":        "the laptop's key file is made once, by the wiring, and keys are never anything but random",
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

	"shared/table/embedded/disk.go": "a disk that refuses a sync must end the process, or what is lost counts as written",
	"cmd/doudi/local/system.go":     "two strings always marshal",
	"scripts/apidoc/schema.go":      "a type without a schema is found by whoever adds it",
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
			"by_word":   {"shared/table/dynamo/a.go": "package dynamo\nimport \"" + module + "/shared/awscall\"\nvar scan, c = \"Scan\", awscall.New"},
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
		good: map[string]string{
			"shared/a/a_test.go": "package a\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Fatal() }",
			"shared/b/b_test.go": "package b\nimport \"pgregory.net/rapid\"\nvar f = func(t *rapid.T) { t.Skip() }",
		},
	},
	{
		name:  "fault_codes_are_unique",
		why:   "callers and runbooks find a fault by its code; two faults with one code are one riddle",
		check: faultCodes,
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
		if f.test() || !within(f.dir(), moneyDirs...) {
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
		if f.test() || within(f.dir(), clockDirs...) || within(f.dir(), strings.Fields(suites)...) || clockFiles[f.path] != "" {
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
		wire := imported(f, module+"/shared/awscall") != "" // where an operation is a word
		if imported(f, "github.com/aws/aws-sdk-go-v2/service/dynamodb") == "" && !wire {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && wire && l.Kind == token.STRING && forbidden.MatchString(strings.Trim(l.Value, "`\"")) {
				bad = append(bad, f.at(l)+": "+l.Value)
			}
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
		if f.test() || panicFiles[f.path] != "" || within(f.dir(), strings.Fields(suites)...) {
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
		draws := rapidFunctions(f)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			drawn := slices.ContainsFunc(draws, func(fn ast.Node) bool { return fn.Pos() < s.Pos() && s.Pos() < fn.End() })
			if ok && slices.Contains([]string{"t", "b", "tb"}, x.Name) && !drawn {
				bad = append(bad, f.at(s)+": "+x.Name+"."+s.Sel.Name)
			}
			return true
		})
	}
	return bad
}

// rapidFunctions are the functions of f that draw from rapid: to skip there is
// to reject one draw, not to leave out a test.
func rapidFunctions(f source) []ast.Node {
	var all []ast.Node
	ast.Inspect(f.ast, func(n ast.Node) bool {
		var params *ast.FieldList
		switch n := n.(type) {
		case *ast.FuncDecl:
			params = n.Type.Params
		case *ast.FuncLit:
			params = n.Type.Params
		default:
			return true
		}
		for _, p := range params.List {
			if star, ok := p.Type.(*ast.StarExpr); ok {
				if s, ok := star.X.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "rapid" && s.Sel.Name == "T" {
						all = append(all, n)
					}
				}
			}
		}
		return true
	})
	return all
}

// sharedCodes are said in more than one place on purpose.
var sharedCodes = map[string]string{
	"not-signed-in":        "somebody removed from work must look the same as nobody",
	"not-a-payout-message": "pay and settle read the same form of message, and neither may import the other",
	"same-person":          "the policy and the write both hold the two-person rule; the caller need not know which spoke first",
}

// faultCodes are what is wrong with the faults declared outside tests.
func faultCodes(files []source) []string {
	var bad []string
	first := map[string]faults.Fault{}
	for _, f := range files {
		if f.test() {
			continue
		}
		found, wrong := faults.In(f.path, f.fset, f.ast)
		bad = append(bad, wrong...)
		for _, d := range found {
			twin, twice := first[d.Code]
			if twice && (sharedCodes[d.Code] == "" || twin.Kind != d.Kind) {
				bad = append(bad, d.At+": code "+d.Code+" is also at "+twin.At)
			}
			first[d.Code] = d
		}
	}
	return bad
}
