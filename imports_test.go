package doudi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A pkg is what the go command says of one package.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string // direct, without tests
	Deps       []string // all, without tests
}

// rooms puts every package of the house in exactly one place. A new folder
// needs a line here, and the place it gets decides what it may know.
var rooms = []struct{ room, dirs string }{
	{"vocabulary", "shared/fault shared/money shared/civil/... shared/ident shared/redact"},
	{"table", "shared/table"},
	{"backend", "shared/table/dynamo/... shared/table/embedded"},
	{"suite", suites},
	{"platform", "shared/httpapi shared/lambdahttp shared/lambdaqueue shared/queue shared/queue/sqsqueue shared/seal/kmskeys shared/config shared/telemetry"},
	{"keeper", "shared/seal shared/session shared/awscall"}, // of keys, of sessions and of signatures: below the nouns, and knowing none
	{"client", "shared/outside shared/exchange shared/wxapp shared/wecom shared/wxpay shared/bank shared/bankfile shared/sms"},
	{"noun", strings.Join([]string{ // one a line, so that new rooms do not meet
		"shared/account",
		"shared/acting",
		"shared/application",
		"shared/award",
		"shared/batch",
		"shared/brake",
		"shared/calendar/...",
		"shared/card",
		"shared/discovery",
		"shared/complaint",
		"shared/complaint/announce",
		"shared/disclosure",
		"shared/division/...",
		"shared/delegation",
		"shared/document/...",
		"shared/envelope",
		"shared/event",
		"shared/evidence/...",
		"shared/firstaid",
		"shared/fund",
		"shared/gauge",
		"shared/indicator",
		"shared/inspection/...",
		"shared/mandate",
		"shared/notice",
		"shared/order",
		"shared/pace",
		"shared/payout",
		"shared/policy/...",
		"shared/rail",
		"shared/reading",
		"shared/recovery",
		"shared/reconciliation",
		"shared/sampling",
		"shared/staff/...",
		"shared/verification",
		"shared/work",
	}, " ")},
	{"line", "shared/rail/bankrail shared/rail/wxpayrail shared/rail/filerail"}, // a client in the words of the nouns
	{"watch", "shared/watch"}, // what the API shows, told to the record
	{"function", "functions/*"},
	{"wiring", "functions/*/lambda shared/deployed/... cmd/... scripts/..."},
	{"document", "docs/..."},
	{"root", "."},
}

// A line forbids an import, and says why somebody would be sorry.
type line struct {
	from   string // directories, space separated; patterns as in within
	not    string // directories of the house, or "std" packages or modules
	except string // directories of from that may, all the same
	but    string // what not covers and is allowed, all the same
	direct bool   // only a direct import is meant
	why    string
}

var lines = []line{
	{from: "shared/fault shared/money shared/ident shared/redact", not: "module:...",
		why: "vocabulary is used by everybody, so it stands on the standard library alone"},
	{from: "shared/civil/...", not: "module:...", but: "golang.org/x/text",
		why: "vocabulary stands on the standard library; x/text only, because names need Unicode NFC"},
	{from: "shared/...", not: "functions/... cmd/... scripts/... test/...", except: suites,
		why: "shared rooms are below the functions and the wiring; upwards imports tie a noun to one caller"},
	{from: "functions/*", not: "functions/... cmd/... scripts/...",
		why: "functions are deployed alone; one that imports another ships it, with its permissions in mind and not in force"},
	{from: "functions/*/lambda", not: "cmd/...",
		why: "the stand-in world and its sign-in codes must never be in a deployed binary"},
	{from: "functions/... shared/...", not: "std:testing module:pgregory.net/rapid module:go.uber.org/goleak " + suites,
		except: suites,
		why:    "test code in a shipped binary can be reached by whoever reaches the binary"},
	{from: "functions/*/lambda", not: "shared/table/embedded",
		why: "a function that cannot find its table must stop, never fall back to a private file"},
	{from: "functions/apply functions/apply/lambda", not: "shared/payout shared/fund shared/bank shared/wxpay",
		why: "the public intake must not contain code that moves money"},
	{from: "...", not: "shared/deployed/...", except: "functions/*/lambda shared/deployed/...",
		why: "only a deployed main reads the environment; whoever else does cannot be run twice in one process"},
	{from: "functions/* shared/...", not: "shared/table/dynamo shared/table/embedded module:github.com/aws/aws-sdk-go-v2/service/dynamodb module:github.com/cockroachdb/pebble",
		except: "shared/table/dynamo/... shared/table/embedded shared/deployed/... " + suites,
		why:    "only wiring knows which store is used; a noun that knows DynamoDB cannot run on a laptop or in a simulation"},
	{from: "...", not: "module:github.com/cedar-policy/cedar-go",
		except: "shared/staff/compile", direct: true,
		why: "who may do what is decided in one place, or it is decided in two ways"},
	{from: "functions/*/lambda", not: "module:github.com/cedar-policy/cedar-go",
		why: "policies are compiled when the program is built (make rules); the engine of Cedar is 1.2 MB of every cold start"},
	{from: "...", not: "module:github.com/aws/aws-sdk-go-v2/config",
		why: "the config package brings single sign-on and metadata clients: 2 MB and 1.5 ms of every cold start"},
	{from: "functions/*/lambda", not: "module:github.com/aws/aws-sdk-go-v2/service/dynamodb module:github.com/aws/aws-sdk-go-v2/service/kms module:github.com/aws/aws-sdk-go-v2/service/secretsmanager module:github.com/aws/aws-sdk-go-v2/service/sqs module:github.com/aws/aws-sdk-go-v2/service/s3 module:github.com/aws/aws-sdk-go-v2/service/dynamodbstreams",
		why: "the SDK's packages carry every operation and region into each cold start; shared/awscall makes the few calls we make"},
	{from: "shared/table/dynamo", not: "module:github.com/aws/aws-sdk-go-v2/service/...",
		why: "the store makes five calls of DynamoDB; its client in the SDK is 1.6 MB and 0.7 ms of every cold start"},
	{from: "functions/*/lambda", not: "module:go.yaml.in/yaml",
		why: "what ships as data is read when it is built; a parser costs every cold start its weight"},
	{from: "functions/*/lambda", not: "module:github.com/BurntSushi/toml", except: "functions/verify/lambda",
		why: "the catalogue of registers is read by whoever asks them; nobody waits for that function"},
	{from: "functions/* shared/...", not: "module:github.com/getkin/kin-openapi",
		why: "kin-openapi costs 7 ms of every cold start; it checks replies in tests"},
	{from: "shared/inspection/model", not: "shared/... module:...",
		why: "a model sees answers, counts and days; one that could name a person, a paper or a register could look at what it must not (D06)"},
	{from: "functions/... shared/...", not: "module:rsc.io/qr",
		why: "a function gives the text of a code; the phone or the operator's program draws it"},
	{from: "functions/*", not: "shared/outside shared/exchange shared/wxapp shared/wecom shared/wxpay shared/bank shared/bankfile shared/sms",
		except: "functions/verify functions/signin functions/pay functions/settle functions/notify", direct: true,
		why: "only the function whose business it is talks to the outside world"},
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...").Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %s", e.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// dirOf is a package's folder in the house.
func dirOf(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// forbidden reports whether importing dep breaks l.
func (l line) forbidden(dep string, standard bool) bool {
	for _, n := range strings.Fields(l.not) {
		if dir, ours := dirOf(dep); ours {
			if !strings.Contains(n, ":") && within(dir, n) && !within(dir, strings.Fields(l.but)...) {
				return true
			}
			continue
		}
		if p, ok := strings.CutPrefix(n, "std:"); ok && standard && within(dep, p+"/...") {
			return true
		}
		if p, ok := strings.CutPrefix(n, "module:"); ok && !standard && (p == "..." || within(dep, p+"/...")) {
			if !slices.ContainsFunc(strings.Fields(l.but), func(e string) bool { return within(dep, e+"/...") }) {
				return true
			}
		}
	}
	return false
}

// importBreaches holds packages to lines.
func importBreaches(packages []pkg, lines []line) []string {
	std := map[string]bool{}
	for _, p := range packages {
		std[p.ImportPath] = p.Standard
	}
	var bad []string
	for _, p := range packages {
		dir, ours := dirOf(p.ImportPath)
		if !ours {
			continue
		}
		for _, l := range lines {
			if !within(dir, strings.Fields(l.from)...) || within(dir, strings.Fields(l.except)...) {
				continue
			}
			deps := p.Deps
			if l.direct {
				deps = p.Imports
			}
			for _, dep := range deps {
				if dep != p.ImportPath && l.forbidden(dep, std[dep] || !strings.Contains(strings.Split(dep, "/")[0], ".")) {
					bad = append(bad, fmt.Sprintf("%s reaches %s: %s", dir, dep, l.why))
				}
			}
		}
	}
	return bad
}

// layerBreaches holds packages to the order vocabulary ← nouns ← functions ← wiring.
func layerBreaches(packages []pkg) []string {
	mayImport := map[string]string{
		"vocabulary": "vocabulary",
		"table":      "vocabulary table",
		"backend":    "vocabulary table backend keeper", // shared/awscall carries the store's calls
		"keeper":     "vocabulary table keeper",
		"platform":   "vocabulary table keeper platform",
		"client":     "vocabulary client",
		"noun":       "vocabulary table keeper noun",
		"watch":      "vocabulary table keeper noun platform",
		"line":       "vocabulary table keeper noun client",
		"function":   "vocabulary table keeper noun platform client line",
	}
	var bad []string
	for _, p := range packages {
		dir, ours := dirOf(p.ImportPath)
		if !ours {
			continue
		}
		room := roomOf(dir)
		if len(room) != 1 {
			bad = append(bad, fmt.Sprintf("%s has %d rooms %v: give it exactly one in imports_test.go", dir, len(room), room))
			continue
		}
		may, limited := mayImport[room[0]]
		if !limited {
			continue
		}
		for _, dep := range p.Imports {
			d, ours := dirOf(dep)
			if !ours {
				continue
			}
			if to := roomOf(d); len(to) == 1 && !slices.Contains(strings.Fields(may), to[0]) {
				bad = append(bad, fmt.Sprintf("%s (%s) imports %s (%s): a %s may know %s", dir, room[0], d, to[0], room[0], may))
			}
		}
	}
	return bad
}

// roomOf is every room that claims dir; a healthy house has one.
func roomOf(dir string) []string {
	var in []string
	for _, r := range rooms {
		if within(dir, strings.Fields(r.dirs)...) {
			in = append(in, r.room)
		}
	}
	return in
}

func TestImports(t *testing.T) {
	packages := list(t)
	report(t, "see the table in imports_test.go", importBreaches(packages, lines))
	report(t, "vocabulary <- nouns <- functions <- wiring", layerBreaches(packages))
}

func TestImportRulesBite(t *testing.T) {
	for name, c := range map[string]struct {
		from string
		dep  string
	}{
		"vocabulary_needs_a_library":          {"shared/money", "github.com/shopspring/decimal"},
		"civil_needs_more_than_x_text":        {"shared/civil", "golang.org/x/net/html"},
		"noun_imports_a_function":             {"shared/payout", module + "/functions/pay"},
		"function_imports_another":            {"functions/pay", module + "/functions/settle"},
		"lambda_ships_the_world":              {"functions/pay/lambda", module + "/cmd/doudi/world"},
		"shipped_code_reaches_testing":        {"shared/payout", "testing"},
		"lambda_falls_back_to_a_file":         {"functions/pay/lambda", module + "/shared/table/embedded"},
		"intake_can_move_money":               {"functions/apply", module + "/shared/payout"},
		"intake_lambda_can_reach_the_bank":    {"functions/apply/lambda", module + "/shared/bank"},
		"noun_knows_dynamo":                   {"shared/fund", module + "/shared/table/dynamo"},
		"function_knows_the_disk":             {"functions/decide", "github.com/cockroachdb/pebble/v2"},
		"noun_reads_the_environment":          {"shared/fund", module + "/shared/deployed"},
		"function_knows_the_dynamo_sdk":       {"functions/decide", "github.com/aws/aws-sdk-go-v2/service/dynamodb"},
		"cedar_outside_its_room":              {"functions/decide", "github.com/cedar-policy/cedar-go"},
		"lambda_with_cedar":                   {"functions/decide/lambda", "github.com/cedar-policy/cedar-go"},
		"lambda_with_the_fat_config":          {"functions/pay/lambda", "github.com/aws/aws-sdk-go-v2/config"},
		"function_draws_a_code":               {"functions/apply", "rsc.io/qr"},
		"shipped_code_with_kin_openapi":       {"shared/httpapi", "github.com/getkin/kin-openapi/openapi3"},
		"deciding_function_calls_the_bank":    {"functions/decide", module + "/shared/bank"},
		"model_knows_an_identity_number":      {"shared/inspection/model", module + "/shared/civil"},
		"model_reads_a_case":                  {"shared/inspection/model", module + "/shared/application"},
		"shared_imports_the_operators_comand": {"shared/fund", module + "/cmd/doudi"},
	} {
		p := pkg{ImportPath: module + "/" + c.from, Imports: []string{c.dep}, Deps: []string{c.dep}}
		if got := importBreaches([]pkg{p}, lines); len(got) == 0 {
			t.Errorf("%s: nothing noticed", name)
		}
	}
	for name, c := range map[string]struct{ from, dep string }{
		"money_in_the_intakes_settlement":    {"functions/settle", module + "/shared/payout"},
		"civil_normalises_names":             {"shared/civil", "golang.org/x/text/unicode/norm"},
		"wiring_picks_the_store":             {"functions/pay/lambda", module + "/shared/table/dynamo"},
		"cedar_in_its_room":                  {"shared/staff/compile", "github.com/cedar-policy/cedar-go"},
		"verify_asks_the_exchange":           {"functions/verify", module + "/shared/exchange"},
		"vocabulary_on_the_standard_library": {"shared/money", "encoding/json"},
	} {
		p := pkg{ImportPath: module + "/" + c.from, Imports: []string{c.dep}, Deps: []string{c.dep}}
		if got := importBreaches([]pkg{p}, lines); len(got) != 0 {
			t.Errorf("%s: refused: %v", name, got)
		}
	}
	for name, p := range map[string]pkg{
		"folder_without_a_room":      {ImportPath: module + "/shared/misc"},
		"vocabulary_imports_a_noun":  {ImportPath: module + "/shared/money", Imports: []string{module + "/shared/fund"}},
		"platform_imports_a_noun":    {ImportPath: module + "/shared/httpapi", Imports: []string{module + "/shared/staff"}},
		"noun_imports_the_platform":  {ImportPath: module + "/shared/fund", Imports: []string{module + "/shared/httpapi"}},
		"client_imports_a_noun":      {ImportPath: module + "/shared/bank", Imports: []string{module + "/shared/payout"}},
		"function_imports_a_backend": {ImportPath: module + "/functions/pay", Imports: []string{module + "/shared/table/dynamo"}},
	} {
		if got := layerBreaches([]pkg{p}); len(got) == 0 {
			t.Errorf("%s: nothing noticed", name)
		}
	}
}
