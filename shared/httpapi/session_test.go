package httpapi_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/lambdahttp"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// The real sessions behind the real transport: sign in, act, and be thrown out.
func TestX084X085X088OverTheWire(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	sessions := session.NewStore(embedded.Memory(), rand.Reader, func() time.Time { return now })
	clerk := session.Principal{Kind: session.Staff, ID: "s-1"}
	type opened struct {
		Token string `json:"token"`
	}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: sessions, Now: func() time.Time { return now }, IDs: ident.Random(), Logger: slog.New(slog.DiscardHandler), Watch: unwatched},
		httpapi.JSON("POST /v1/staff/sessions", 201, httpapi.Options{Caller: httpapi.Anyone}, func(ctx context.Context, c httpapi.Call[httpapi.None]) (opened, error) {
			token, err := sessions.Open(ctx, session.Opening{Principal: clerk, TTL: time.Hour, Previous: c.Token.Reveal()})
			return opened{token}, err
		}),
		httpapi.JSON("DELETE /v1/staff/sessions", 204, httpapi.Options{Caller: httpapi.Staff}, func(ctx context.Context, c httpapi.Call[httpapi.None]) (httpapi.None, error) {
			return httpapi.None{}, sessions.Close(ctx, c.Token.Reveal())
		}),
		httpapi.JSON("GET /v1/staff/tasks", 200, httpapi.Options{Caller: httpapi.Staff}, func(_ context.Context, c httpapi.Call[httpapi.None]) (string, error) {
			if !c.SignedIn.Equal(now) {
				t.Errorf("signed in at %s", c.SignedIn)
			}
			return c.Principal.ID, nil
		}),
	))
	t.Cleanup(server.Close)
	w := &world{t: t, url: server.URL}
	signIn := func(with string) string {
		t.Helper()
		r := w.call("POST", "/v1/staff/sessions", with, "")
		if r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return strings.TrimSuffix(strings.TrimPrefix(r.body, `{"token":"`), `"}`)
	}
	status := func(token string) int { t.Helper(); return w.call("GET", "/v1/staff/tasks", token, "").status }

	planted := signIn("")
	token := signIn(planted)
	if status(planted) != 401 || status(token) != 200 {
		t.Error("X088: the token from before sign-in is alive, or the new one is not")
	}
	if r := w.call("DELETE", "/v1/staff/sessions", token, ""); r.status != 204 || status(token) != 401 {
		t.Errorf("X084: %d, then %d", r.status, status(token))
	}
	one, two := signIn(""), signIn("")
	if err := sessions.CloseAll(t.Context(), clerk); err != nil {
		t.Fatal(err)
	}
	if status(one) != 401 || status(two) != 401 {
		t.Error("X085: a removed clerk is in")
	}
}

// down is a session store that does not answer.
type down struct{}

func (down) Find(context.Context, string) (session.Session, error) {
	return session.Session{}, session.ErrUnavailable.Because(errors.New("timeout"))
}

func TestNobodyIsLetInWhenSessionsAreDown(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: down{}, Now: time.Now, IDs: ident.Random(), Logger: slog.New(slog.DiscardHandler), Watch: unwatched}, grants()...))
	t.Cleanup(server.Close)
	w := &world{t: t, url: server.URL}
	if r := w.call("GET", "/v1/grants", citizen, ""); r.status != 503 || r.header.Get("Retry-After") != "2" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// What the laptop answers, Lambda answers: the same requests through both.
func TestTheAdapterChangesNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	cfg := httpapi.Config{Sessions: w, Now: time.Now, IDs: ident.NewSource(zeros{}), Logger: slog.New(slog.DiscardHandler), Watch: unwatched}
	handler := httpapi.New(cfg, grants()...)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w.url = server.URL
	lambda := lambdahttp.Adapt(handler)
	for name, c := range map[string]struct{ method, path, token, body, key, encoding string }{
		"created":   {"POST", "/v1/grants/g1", citizen, `{"amount_fen":1,"cause":"fire"}`, "k1", ""},
		"invalid":   {"POST", "/v1/grants/g1", citizen, `{"amount_fen":1.0}`, "k1", ""},
		"no_key":    {"POST", "/v1/grants/g1", citizen, `{}`, "", ""},
		"not_utf8":  {"POST", "/v1/grants/g1", citizen, "{\"a\":\"\xff\"}", "k1", ""},
		"x079_gzip": {"POST", "/v1/grants/g1", citizen, "\x1f\x8b", "k1", "gzip"},
		"x079_5_MB": {"POST", "/v1/callbacks/bank", "", strings.Repeat("a", 5<<20), "", ""},
		"callback":  {"POST", "/v1/callbacks/bank", "", "\xff\x00 exact\n", "", ""},
		"query":     {"GET", "/v1/grants?after=a%2Fb", citizen, "", "", ""},
		"bad_query": {"GET", "/v1/grants?token=x", citizen, "", "", ""},
		"head":      {"HEAD", "/v1/grants", citizen, "", "", ""},
		"absent":    {"GET", "/v1/nothing", citizen, "", "", ""},
		"method":    {"PUT", "/v1/grants", citizen, "", "", ""},
		"options":   {"OPTIONS", "/v1/grants", "", "", "", ""},
		"anonymous": {"GET", "/v1/grants", "", "", "", ""},
	} {
		var headers []string
		e := events.APIGatewayV2HTTPRequest{Headers: map[string]string{}}
		if c.key != "" {
			headers = append(headers, "Idempotency-Key: "+c.key)
			e.Headers["idempotency-key"] = c.key
		}
		if c.encoding != "" {
			headers = append(headers, "Content-Encoding: "+c.encoding)
			e.Headers["content-encoding"] = c.encoding
		}
		if c.body != "" {
			e.Headers["content-type"] = "application/json"
		}
		if c.token != "" {
			e.Headers["authorization"] = "Bearer " + c.token
		}
		e.RawPath, e.RawQueryString, _ = strings.Cut(c.path, "?")
		e.RequestContext.HTTP.Method, e.RequestContext.HTTP.SourceIP = c.method, "1.2.3.4"
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(c.body)), true
		want := w.call(c.method, c.path, c.token, c.body, headers...)
		got, err := lambda(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(got.Body)
		if got.IsBase64Encoded {
			body, _ = base64.StdEncoding.DecodeString(got.Body)
		}
		if got.StatusCode != want.status || string(body) != want.body {
			t.Errorf("%s: %d %q, over the wire %d %q", name, got.StatusCode, body, want.status, want.body)
		}
		for _, h := range []string{"Content-Type", "Allow", "Www-Authenticate", "Cache-Control", "X-Request-Id", "Retry-After"} {
			if got.Headers[strings.ToLower(h)] != want.header.Get(h) {
				t.Errorf("%s: %s %q, over the wire %q", name, h, got.Headers[strings.ToLower(h)], want.header.Get(h))
			}
		}
	}
}

// zeros makes every request id the same, so that answers can be compared.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
