package openapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/docs/api"
)

func TestDocumentIsValid(t *testing.T) {
	if _, err := loaded(); err != nil {
		t.Fatal(err)
	}
}

func TestBrokenDocumentIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ old, new string }{
		"example_with_a_wrong_type": {`code: "wx:wang"`, "code: 7"},
		"reference_to_nowhere":      {"#/components/schemas/CitizenIn", "#/components/schemas/Nobody"},
		"not_yaml":                  {"paths:", "paths: ["},
	} {
		raw := string(api.Document)
		if !strings.Contains(raw, c.old) {
			t.Fatalf("%s: the case no longer fits", name)
		}
		if _, err := Load([]byte(strings.Replace(raw, c.old, c.new, 1))); err == nil {
			t.Errorf("%s: nothing noticed", name)
		}
	}
}

func TestRepliesAreHeldAgainstTheDocument(t *testing.T) {
	const (
		ok      = `{"token":"t","expires_in_seconds":1,"account":"a"}`
		problem = `{"type":"x","code":"not-signed-in","title":"请重新登录。","status":401,"request_id":"r"}`
	)
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path string
		status       int
		kind, body   string
		want         string // part of the error; "" for none
	}{
		"as_promised":             {"POST", "/v1/sessions", 201, "application/json; charset=utf-8", ok, ""},
		"problem_as_promised":     {"POST", "/v1/sessions", 401, "application/problem+json; charset=utf-8", problem, ""},
		"no_such_route":           {"GET", "/v1/nothing", 404, "application/problem+json", strings.NewReplacer("not-signed-in", "not-found", "401", "404").Replace(problem), ""},
		"nothing_to_say":          {"DELETE", "/v1/sessions/current", 204, "", "", ""},
		"field_missing":           {"POST", "/v1/sessions", 201, "application/json", `{"token":"t","account":"a"}`, "expires_in_seconds"},
		"field_of_another_type":   {"POST", "/v1/sessions", 201, "application/json", strings.Replace(ok, ":1,", `:"1",`, 1), "expires_in_seconds"},
		"status_nobody_promised":  {"POST", "/v1/sessions", 302, "application/json", ok, "302"},
		"media_type_of_another":   {"POST", "/v1/sessions", 201, "text/html", ok, "text/html"},
		"code_nobody_declared":    {"POST", "/v1/sessions", 401, "application/problem+json", strings.Replace(problem, "not-signed-in", "made-up", 1), "made-up"},
		"code_of_another_status":  {"POST", "/v1/sessions", 403, "application/problem+json", strings.Replace(problem, "401", "403", 1), "belongs to status 401"},
		"operation_nobody_wrote":  {"GET", "/v1/nothing", 200, "application/json", "{}", "no such operation"},
		"problem_without_request": {"POST", "/v1/sessions", 401, "application/problem+json", strings.Replace(problem, `,"request_id":"r"`, "", 1), "request_id"},
		"field_nobody_wrote_down": {"POST", "/v1/sessions", 201, "application/json", strings.Replace(ok, "{", `{"openid":"o",`, 1), "openid"},
	} {
		r := httptest.NewRequest(c.method, "http://127.0.0.1:9999"+c.path, nil)
		err := doc.check(r, c.status, http.Header{"Content-Type": {c.kind}}, []byte(c.body))
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// failures counts what a test would have been failed for.
type failures struct {
	testing.TB
	n int
}

func (f *failures) Errorf(string, ...any) { f.n++ }
func (f *failures) Helper()               {}

func TestCheckedFailsTheTest(t *testing.T) {
	for body, want := range map[string]int{`{"token":"t","expires_in_seconds":1,"account":"a"}`: 0, `{}`: 1} {
		f := &failures{TB: t}
		h := Checked(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(body))
		}))
		reply := httptest.NewRecorder()
		h.ServeHTTP(reply, httptest.NewRequest("POST", "/v1/sessions", strings.NewReader(`{"code":"wx:a"}`)))
		if f.n != want || reply.Code != http.StatusCreated || reply.Body.String() != body {
			t.Errorf("%s: %d failures, status %d", body, f.n, reply.Code)
		}
	}
}
