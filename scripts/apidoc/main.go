// Apidoc writes docs/api/openapi.yaml and docs/api/problems.md: routes, fields
// and error codes from the code, so that they cannot be wrong, and the words and
// examples that people wrote in docs/api/words.yaml. It decides nothing about
// the API. Run it from the root: go run ./scripts/apidoc
package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/functions/complain"
	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/functions/disclose"
	"github.com/doudi-aid/doudi/functions/discover"
	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/functions/oversee"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/functions/supervise"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/test/faults"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(root, name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate makes every file, by its name from the root.
func generate(root string) (map[string][]byte, error) {
	known, err := faults.Tree(root)
	if err != nil {
		return nil, err
	}
	doc, err := document(root, known)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"docs/api/openapi.yaml": doc, "docs/api/problems.md": problemPage(known)}, nil
}

// problemPage explains every code under its own heading, which is where the type
// of a problem document points.
func problemPage(known []faults.Fault) []byte {
	var b strings.Builder
	b.WriteString("<!-- Made by go run ./scripts/apidoc from the code. Change that. -->\n\n# Problems\n\n" +
		"Every problem document has a `code` from this list. The HTTP status follows from the kind alone.\n")
	for _, f := range known {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s\n\nStatus %d, kind `%s`, said by `%s`.\n", f.Code, f.ZH, f.EN, f.Kind.Status(), f.Kind, f.Package)
	}
	return []byte(b.String())
}

// routes are what every HTTP function answers, by function.
func routes() map[string][]httpapi.Route {
	return map[string][]httpapi.Route{
		"signin":    signin.Routes(signin.Deps{}),
		"apply":     apply.Routes(apply.Deps{}),
		"complain":  complain.Routes(complain.Deps{}),
		"log":       log.Routes(log.Deps{}),
		"decide":    decide.Routes(decide.Deps{}),
		"discover":  discover.Routes(discover.Deps{}),
		"oversee":   oversee.Routes(oversee.Deps{}),
		"disclose":  disclose.Routes(disclose.Deps{}),
		"supervise": supervise.Routes(supervise.Deps{}),
		"settle":    settle.Routes(settle.Deps{}),
	}
}

// words are the parts of the document that people write.
type words struct {
	Head       yaml.Node            `yaml:"head"`       // info, servers, tags
	Parameters map[string]string    `yaml:"parameters"` // path and query parameters, by name
	Operations map[string]operation `yaml:"operations"` // by pattern
	Raw        map[string]yaml.Node `yaml:"raw"`        // schemas of routes that read exact bytes
}

// operation is what people say of one route.
type operation struct {
	ZH       string    `yaml:"zh"`
	EN       string    `yaml:"en"`
	About    string    `yaml:"about"`
	Request  yaml.Node `yaml:"request"`  // example
	Response yaml.Node `yaml:"response"` // example
	// Schemas of a raw route, by their name under raw.
	Takes   string `yaml:"takes"`
	Answers string `yaml:"answers"`
	// Media is what a raw route takes and answers, when that is not JSON.
	Media string `yaml:"media"`
}

// document is the whole document as YAML.
func document(root string, known []faults.Fault) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(root, "docs/api/words.yaml"))
	if err != nil {
		return nil, err
	}
	var w words
	if err := yaml.Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("words.yaml: %w", err)
	}
	comments, err := readComments(root)
	if err != nil {
		return nil, err
	}
	b := &builder{words: w, comments: comments, schemas: map[string]*yaml.Node{}}
	paths, err := b.paths(routes())
	if err != nil {
		return nil, err
	}
	doc := mapping("openapi", "3.1.0")
	doc.Content = append(doc.Content, w.Head.Content...)
	add(doc, "paths", paths, "components", b.components(known), "x-error-codes", errorTable(known))
	out, err := encode(doc)
	if err != nil {
		return nil, err
	}
	return append([]byte("# Made by go run ./scripts/apidoc from the code and docs/api/words.yaml. Change those.\n"), out...), nil
}

func encode(n *yaml.Node) ([]byte, error) {
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil, err
	}
	return []byte(b.String()), enc.Close()
}

// paths are all operations, in order of path.
func (b *builder) paths(functions map[string][]httpapi.Route) (*yaml.Node, error) {
	type entry struct {
		function, method, path string
		route                  httpapi.Route
	}
	var all []entry
	used := map[string]bool{}
	for function, list := range functions {
		for _, r := range list {
			method, path, _ := strings.Cut(r.Pattern, " ")
			all = append(all, entry{function, method, path, r})
			used[r.Pattern] = true
		}
	}
	slices.SortFunc(all, func(a, c entry) int { return strings.Compare(a.path+" "+a.method, c.path+" "+c.method) })
	var problems []error
	for pattern := range b.words.Operations {
		if !used[pattern] {
			problems = append(problems, fmt.Errorf("words.yaml speaks of %s, which no function answers", pattern))
		}
	}
	paths, at := mapping(), map[string]*yaml.Node{}
	for _, e := range all {
		say, ok := b.words.Operations[e.route.Pattern]
		if !ok || say.ZH == "" || say.EN == "" {
			problems = append(problems, fmt.Errorf("words.yaml has no zh and en for %s", e.route.Pattern))
			continue
		}
		op, err := b.operation(e.function, e.path, e.route, say)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", e.route.Pattern, err))
			continue
		}
		if at[e.path] == nil {
			at[e.path] = mapping()
			add(paths, e.path, at[e.path])
		}
		add(at[e.path], strings.ToLower(e.method), op)
	}
	return paths, errors.Join(problems...)
}

func (b *builder) operation(function, path string, r httpapi.Route, say operation) (*yaml.Node, error) {
	op := mapping("operationId", operationID(r.Pattern), "tags", sequence(tag(path)), "summary", say.ZH+" · "+say.EN)
	if say.About != "" {
		add(op, "description", strings.TrimSpace(say.About))
	}
	add(op, "x-function", function, "x-summary-zh", say.ZH, "x-summary-en", say.EN)
	if params := b.parameters(path, r); len(params.Content) > 0 {
		add(op, "parameters", params)
	}
	if r.Options.Caller == httpapi.Anyone || r.Options.Caller == httpapi.Provider {
		add(op, "security", sequence())
	}
	if body := b.requestBody(r, say); body != nil {
		add(op, "requestBody", body)
	} else if say.Request.Kind != 0 {
		return nil, errors.New("words.yaml has a request, the route takes none")
	}
	responses, err := b.responses(path, r, say)
	if err != nil {
		return nil, err
	}
	return add(op, "responses", responses), nil
}

func tag(path string) string {
	switch {
	case strings.HasPrefix(path, "/v1/staff/"):
		return "staff"
	case strings.HasPrefix(path, "/v1/callbacks/"):
		return "callbacks"
	case path == "/v1/health", strings.HasPrefix(path, "/v1/open-data/"), strings.HasPrefix(path, "/v1/disclosures") && !strings.Contains(path, "/objections"):
		return "everyone"
	}
	return "citizen"
}

// operationID is the pattern in one word: postStaffApplicationsOneVisits.
func operationID(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	id := strings.ToLower(method)
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/v1/"), "/") {
		if strings.HasPrefix(part, "{") {
			part = "one"
		}
		for word := range strings.SplitSeq(part, "-") {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

func (b *builder) parameters(path string, r httpapi.Route) *yaml.Node {
	list := sequence()
	describe := func(name string) string { return b.words.Parameters[name] }
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			list.Content = append(list.Content, mapping("name", name, "in", "path", "required", true,
				"description", describe(name), "schema", mapping("type", "string")))
		}
	}
	for _, name := range r.Options.Query {
		list.Content = append(list.Content, mapping("name", name, "in", "query",
			"description", describe(name), "schema", mapping("type", "string", "maxLength", 256)))
	}
	if r.Options.Idempotent {
		list.Content = append(list.Content, ref("#/components/parameters/IdempotencyKey"))
	}
	list.Content = append(list.Content, ref("#/components/parameters/AcceptLanguage"))
	return list
}

func (b *builder) requestBody(r httpapi.Route, say operation) *yaml.Node {
	if say.Takes != "" {
		return mapping("required", true, "content", mapping(cmp.Or(say.Media, "application/json"), b.media(b.raw(say.Takes), say.Request)))
	}
	if r.In == nil || r.In == noneType || bodyless(r) {
		return nil
	}
	return mapping("required", true, "content", mapping("application/json", b.media(b.schema(r.In, input), say.Request)))
}

func bodyless(r httpapi.Route) bool {
	method, _, _ := strings.Cut(r.Pattern, " ")
	return method == http.MethodGet || method == http.MethodDelete || method == http.MethodHead
}

func (b *builder) media(schema *yaml.Node, example yaml.Node) *yaml.Node {
	m := mapping("schema", schema)
	if example.Kind != 0 {
		add(m, "example", plain(&example))
	}
	return m
}

// responses are the success of the route and the ways in which it can fail: those
// of the transport follow from what the route asks of a request; what the noun
// can say is in x-error-codes, under the same statuses.
func (b *builder) responses(path string, r httpapi.Route, say operation) (*yaml.Node, error) {
	all := mapping()
	status := fmt.Sprint(r.Status)
	switch {
	case say.Answers != "":
		add(all, status, mapping("description", http.StatusText(r.Status), "content", mapping(cmp.Or(say.Media, "application/json"), b.media(b.raw(say.Answers), say.Response))))
	case r.Out == nil: // a raw route says what it has to say by the status
		add(all, status, mapping("description", http.StatusText(r.Status)))
	case r.Out == noneType:
		if say.Response.Kind != 0 {
			return nil, errors.New("words.yaml has a response, the route answers none")
		}
		add(all, fmt.Sprint(http.StatusNoContent), mapping("description", "Done; there is nothing to say."))
	default:
		if say.Response.Kind == 0 {
			return nil, errors.New("words.yaml has no example of the response")
		}
		add(all, status, mapping("description", http.StatusText(r.Status), "content", mapping("application/json", b.media(b.schema(r.Out, output), say.Response))))
	}
	fails := []int{400, 429, 500, 503}
	if r.Options.Caller != httpapi.Anyone || !bodyless(r) { // signing in can be refused too
		fails = append(fails, 401, 403)
	}
	if r.In != nil && r.In != noneType && !bodyless(r) || r.In == nil {
		fails = append(fails, 409, 413, 415, 422)
	}
	// An id, or a place, that is not there: in the path, in the query or, for staff and
	// for a complaint's code, in the body; or a file that there is not yet.
	if strings.Contains(path, "{") || len(r.Options.Query) > 0 || r.Options.Caller == httpapi.Staff || r.In == nil && bodyless(r) ||
		strings.HasPrefix(path, "/v1/anonymous-complaints/") {
		fails = append(fails, 404)
	}
	if r.Options.Idempotent {
		fails = append(fails, 409, 422)
	}
	slices.Sort(fails)
	for _, f := range slices.Compact(fails) {
		add(all, fmt.Sprint(f), ref("#/components/responses/Problem"))
	}
	return all, nil
}

// errorTable is every code the system can answer with.
func errorTable(known []faults.Fault) *yaml.Node {
	list := sequence()
	for _, f := range known {
		row := mapping("code", f.Code, "status", f.Kind.Status(), "kind", string(f.Kind), "zh", f.ZH, "en", f.EN, "from", f.Package)
		list.Content = append(list.Content, row)
	}
	return list
}
