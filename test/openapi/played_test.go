package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/httpapi"
)

func TestEveryReplyOfAPlayedCaseIsAsPromised(t *testing.T) {
	s, err := local.Start(t.Context(), local.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Store: local.Embedded, WithoutLog: true, // functions/log holds its own answers

		SweepEvery: time.Second, PayDelay: 50 * time.Millisecond,
		Limits: httpapi.Limits{PerSecond: 1e6, Burst: 1 << 20, Misses: 1 << 20}, Log: t.Output(), Level: slog.LevelWarn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	client := &http.Client{Transport: Transport(t, &http.Transport{Proxy: nil})}
	var out bytes.Buffer
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	if err := demo.Run(ctx, demo.Options{URL: s.URL, Region: "320400", Patient: time.Minute, Out: &out, HTTP: client}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	people := map[string]string{"": "", "citizen": signIn(t, client, s.URL+"/v1/sessions", `{"code":"wx:reader"}`),
		"staff": signIn(t, client, s.URL+"/v1/staff/sessions", `{"code":"staff:clerk-1"}`)}
	// Every operation, by everybody, with its own example of a request and with
	// nonsense: whatever the answer is, the document promises it.
	for path, item := range doc.spec.Paths.Map() {
		for method, op := range item.Operations() {
			if method == http.MethodDelete {
				continue // signing out would have nobody left to ask the rest
			}
			bodies := []string{"", "{", `{"nonsense":1}`}
			if op.RequestBody != nil && op.RequestBody.Value.Content["application/json"] != nil { // files have no example
				raw, err := json.Marshal(op.RequestBody.Value.Content["application/json"].Example)
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, string(raw))
			}
			for who, token := range people {
				for i, body := range bodies {
					ask(t, client, method, s.URL+filled(path), token, body, fmt.Sprintf("%s-%d", who, i))
				}
			}
		}
	}
	for _, token := range people {
		ask(t, client, http.MethodDelete, s.URL+"/v1/sessions/current", token, "", "out")
	}
}

// filled is path with an identifier of the right form for every parameter.
func filled(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "7q0w5c8x2v9z1r6t4k3nbjfhm2"
		}
	}
	return strings.Join(parts, "/")
}

func ask(t *testing.T, client *http.Client, method, url, token, body, key string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Idempotency-Key", key)
	reply, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func signIn(t *testing.T, client *http.Client, url, body string) string {
	t.Helper()
	var session struct{ Token string }
	if err := json.Unmarshal(ask(t, client, http.MethodPost, url, "", body, "sign-in"), &session); err != nil || session.Token == "" {
		t.Fatalf("signing in: %v", err)
	}
	return session.Token
}
