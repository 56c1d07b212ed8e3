package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// world is one API served over real HTTP, with what it wrote to its log.
type world struct {
	t    *testing.T
	url  string
	mu   sync.Mutex
	logs bytes.Buffer
	now  time.Time

	sessions map[string]session.Session
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs.Write(p)
}

func (w *world) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs.String()
}

func (w *world) Find(_ context.Context, token string) (session.Session, error) {
	if s, ok := w.sessions[token]; ok {
		return s, nil
	}
	return session.Session{}, session.ErrNone
}

const (
	citizen = "citizen-token"
	other   = "other-token"
	staff   = "staff-token"
)

// unwatched is the watch of tests that are about something else.
func unwatched(context.Context, httpapi.Request, []httpapi.Shown, *fault.Error) error { return nil }

func newWorld(t *testing.T, limiter httpapi.Limiter, routes ...httpapi.Route) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), sessions: map[string]session.Session{
		citizen: {Principal: session.Principal{Kind: session.Citizen, ID: "c1"}},
		other:   {Principal: session.Principal{Kind: session.Citizen, ID: "c2"}},
		staff:   {Principal: session.Principal{Kind: session.Staff, ID: "s1"}},
	}}
	cfg := httpapi.Config{
		Sessions: w, IDs: ident.Random(), Limiter: limiter,
		Now:    func() time.Time { return w.now },
		Logger: telemetry.NewLogger(w, slog.LevelDebug),
		Watch:  unwatched,
	}
	server := httptest.NewServer(httpapi.New(cfg, routes...))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// reply is an answer read whole.
type reply struct {
	status  int
	header  http.Header
	body    string
	problem httpapi.Problem
}

// call sends one request. Headers are "Name: value".
func (w *world) call(method, path, token, body string, headers ...string) reply {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[http.CanonicalHeaderKey(name)] = append(req.Header[http.CanonicalHeaderKey(name)], value)
		if name == "Content-Type" {
			req.Header.Set(name, value)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header, body: string(raw)}
	if len(raw) > 0 && strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(raw, &r.problem); err != nil {
			w.t.Fatalf("problem document: %v in %s", err, raw)
		}
	}
	return r
}

// grant is an input as functions have them.
type grant struct {
	AmountFen money.Fen   `json:"amount_fen" api:"required,min=1"`
	Cause     string      `json:"cause" api:"required,enum=fire|illness"`
	Name      redact.Text `json:"name" api:"max=20"`
	Note      string      `json:"note" api:"max=50,lines"`
	Urgent    *bool       `json:"urgent"`
	Members   []person    `json:"members" api:"max=3"`
}

type person struct {
	Name string `json:"name" api:"required"`
	Age  int8   `json:"age" api:"min=0,max=120"`
}

type granted struct {
	ID        string    `json:"id"`
	AmountFen money.Fen `json:"amount_fen"`
	Key       string    `json:"key"`
	Digest    string    `json:"digest"`
}

// grants is a small function: one write, one read, one callback.
func grants() httpapi.Routes {
	return httpapi.Routes{
		httpapi.JSON("POST /v1/grants/{id}", http.StatusCreated, httpapi.Options{Caller: httpapi.Citizen, Idempotent: true},
			func(_ context.Context, c httpapi.Call[grant]) (granted, error) {
				return granted{c.Path("id"), c.Body.AmountFen, c.RequestKey(), c.Digest()}, nil
			}),
		httpapi.JSON("GET /v1/grants", http.StatusOK, httpapi.Options{Caller: httpapi.Citizen, Query: []string{"after"}},
			func(_ context.Context, c httpapi.Call[httpapi.None]) (granted, error) {
				return granted{ID: c.Principal.ID, Key: c.Query("after")}, nil
			}),
		httpapi.JSON("GET /v1/staff/grants/{id}", http.StatusOK, httpapi.Options{Caller: httpapi.Staff},
			func(_ context.Context, c httpapi.Call[httpapi.None]) (granted, error) {
				return granted{ID: c.Principal.ID}, nil
			}),
		httpapi.Raw("POST /v1/callbacks/bank", httpapi.Options{Caller: httpapi.Provider},
			func(_ context.Context, c httpapi.RawCall) (httpapi.RawAnswer, error) {
				return httpapi.RawAnswer{Status: 200, ContentType: "text/plain", Body: append([]byte(c.Header.Get("Signature")+":"), c.Raw...)}, nil
			}),
	}
}

func TestOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	r := w.call("POST", "/v1/grants/g1", citizen, `{"amount_fen":100,"cause":"fire","members":[{"name":"王","age":3}]}`, "Idempotency-Key: k1")
	if r.status != 201 || !strings.Contains(r.body, `{"id":"g1","amount_fen":100,`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", r.header)
	}
	r = w.call("POST", "/v1/callbacks/bank", "", "{ \"a\" :1}\n", "Signature: sig")
	if r.body != "sig:{ \"a\" :1}\n" {
		t.Errorf("raw body came back as %q", r.body)
	}
}
