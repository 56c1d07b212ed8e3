package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi"
)

const root = "../.."

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is not what the code says; run go run ./scripts/apidoc", name)
		}
	}
}

// The document is made from the routes, so what is left to compare is the
// template, which says where each route is deployed.
func TestTemplateDeploysEveryRouteWhereItIsAnswered(t *testing.T) {
	template, err := doudi.Load()
	if err != nil {
		t.Fatal(err)
	}
	var deployed, answered []string
	for name, f := range template.Functions {
		for _, r := range f.Routes {
			deployed = append(deployed, name+" "+r.String())
		}
	}
	for name, list := range routes() {
		for _, r := range list {
			answered = append(answered, name+" "+r.Pattern)
		}
	}
	for _, d := range difference(deployed, answered) {
		t.Errorf("template.yaml deploys %s, which the code does not answer", d)
	}
	for _, a := range difference(answered, deployed) {
		t.Errorf("the code answers %s, which template.yaml does not deploy", a)
	}
}

// difference is what is in a and not in b.
func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func TestWordsMustFitTheRoutes(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(root, "docs/api/words.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"route_that_nobody_answers": {"POST /v1/sessions:", "POST /v1/nothing:", "no function answers"},
		"no_english_summary":        {"    en: Sign a citizen in\n", "", "no zh and en"},
		"no_example_of_an_answer":   {"    response: {status: ok}\n", "", "no example of the response"},
		"example_of_no_request":     {"    response: {status: ok}\n", "    request: {a: b}\n    response: {status: ok}\n", "takes none"},
	} {
		if !strings.Contains(string(whole), c.old) {
			t.Fatalf("%s: the case no longer fits", name)
		}
		dir := t.TempDir()
		for _, folder := range []string{"docs/api", "functions", "shared"} {
			if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		broken := strings.Replace(string(whole), c.old, c.new, 1)
		if err := os.WriteFile(filepath.Join(dir, "docs/api/words.yaml"), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := document(dir, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
