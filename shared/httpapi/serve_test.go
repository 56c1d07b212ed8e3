package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for _, path := range []string{"/", "/v1", "/v1/grants/", "//v1/grants", "/v1/../v1/grants", "/v1/./grants", "/v1/grants//", "/v1/grants%2f..", "/debug/pprof/", "/V1/grants"} {
		r := w.call("GET", path, citizen, "")
		if r.status != 404 || r.problem.Code != "not-found" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.call("DELETE", "/v1/grants", citizen, ""); r.status != 405 || r.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("DELETE: %d, Allow %q", r.status, r.header.Get("Allow"))
	}
	if r := w.call("OPTIONS", "/v1/grants", "", ""); r.status != 204 || r.header.Get("Allow") != "GET, HEAD" || r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS: %d %v", r.status, r.header)
	}
	if r := w.call("OPTIONS", "/v1/nothing", "", ""); r.status != 404 {
		t.Errorf("OPTIONS of nothing: %d", r.status)
	}
	if r := w.call("HEAD", "/v1/grants", citizen, ""); r.status != 200 || r.body != "" || r.header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %q", r.status, r.body)
	}
	if r := w.call("HEAD", "/v1/grants", "", ""); r.status != 401 {
		t.Errorf("HEAD without a token: %d", r.status)
	}
	for _, r := range []reply{w.call("GET", "/v1/none", "", ""), w.call("GET", "/v1/grants", citizen, "")} {
		if r.header.Get("Cache-Control") != "no-store" || !strings.Contains(r.header.Get("Content-Security-Policy"), "default-src 'none'") || len(r.header.Get("X-Request-Id")) != 26 {
			t.Errorf("headers %v", r.header)
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for header, english := range map[string]bool{"": false, "zh-CN,zh;q=0.9,en;q=0.8": false, "en": true, "en-GB;q=1": true, "fr, en": true, "fr": false, strings.Repeat("fr,", 200) + "en": false} {
		r := post(w, `{"cause":"fire"}`, "Accept-Language: "+header)
		detail := r.problem.Fields[0].Detail
		if english != strings.HasPrefix(r.problem.Title, "Some fields") || english != (detail == "This field is required.") {
			t.Errorf("%q: %s %s", header, r.problem.Title, detail)
		}
	}
}

// What a function stored with its event goes out byte for byte, first and again.
func TestW03TheSameAnswerForEver(t *testing.T) {
	t.Parallel()
	stored := map[string]event.Event{}
	type out struct {
		ID   string `json:"id"`
		Note string `json:"note"`
	}
	create := func(_ context.Context, c httpapi.Call[grant]) (httpapi.Reply[out], error) {
		if e, again := stored[c.RequestKey()]; again {
			if e.Request.Digest != c.Digest() {
				return httpapi.Reply[out]{}, fault.New(fault.Mismatch, "mismatch", "不同", "Differs")
			}
			// Through the store's own encoding and back.
			w, err := e.Write()
			if err != nil {
				return httpapi.Reply[out]{}, err
			}
			e, err = event.Decode(w.(table.Put).Item)
			return httpapi.Again[out](e.Request.Status, e.Request.Answer), err
		}
		reply, err := httpapi.Fresh(http.StatusCreated, out{fmt.Sprint(len(stored)), "<b>&'\u2028 王\\"})
		stored[c.RequestKey()] = event.Event{PK: "p", Noun: "n", ID: "i", Version: 1, Kind: "made", At: time.Unix(1, 0), Actor: event.Actor{Kind: event.Citizen},
			Request: &event.Request{Key: c.RequestKey(), Digest: c.Digest(), Status: reply.Status, Answer: reply.Body}}
		return reply, err
	}
	route := httpapi.JSON("POST /v1/grants/{id}", http.StatusOK, httpapi.Options{Caller: httpapi.Citizen, Idempotent: true}, create)
	if route.Out != reflect.TypeFor[out]() || route.In != reflect.TypeFor[grant]() {
		t.Errorf("route says %v → %v", route.In, route.Out)
	}
	w := newWorld(t, nil, route)
	first := post(w, `{"amount_fen":1,"cause":"fire"}`)
	again := post(w, `{"cause":"fire", "amount_fen":1}`)
	if first.status != 201 || again.status != 201 || first.body != again.body || len(stored) != 1 {
		t.Errorf("first %d %q, again %d %q, %d stored", first.status, first.body, again.status, again.body, len(stored))
	}
	if r := post(w, `{"amount_fen":2,"cause":"fire"}`); r.status != 422 {
		t.Errorf("another body: %d", r.status)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	busy := fault.New(fault.Unavailable, "busy", "忙", "Busy").After(7)
	anyone := httpapi.Options{Caller: httpapi.Anyone}
	w := newWorld(t, nil,
		httpapi.JSON("POST /none", 200, anyone, func(context.Context, httpapi.Call[httpapi.None]) (httpapi.None, error) { return httpapi.None{}, nil }),
		httpapi.JSON("GET /busy", 200, anyone, func(context.Context, httpapi.Call[httpapi.None]) (httpapi.None, error) { return httpapi.None{}, busy }),
		httpapi.JSON("GET /token", 200, anyone, func(_ context.Context, c httpapi.Call[httpapi.None]) (string, error) { return c.Token.Reveal(), nil }),
		httpapi.JSON("GET /both", 200, httpapi.Options{Caller: httpapi.SignedIn}, func(_ context.Context, c httpapi.Call[httpapi.None]) (string, error) { return c.Principal.ID, nil }),
	)
	unset := newWorld(t, nil,
		httpapi.JSON("GET /reply", 200, anyone, func(context.Context, httpapi.Call[httpapi.None]) (httpapi.Reply[string], error) {
			return httpapi.Reply[string]{}, nil
		}),
		httpapi.Raw("GET /raw", anyone, func(context.Context, httpapi.RawCall) (httpapi.RawAnswer, error) { return httpapi.RawAnswer{}, nil }),
	)
	for _, path := range []string{"/reply", "/raw"} {
		if r := unset.call("GET", path, "", ""); r.status != 500 || r.problem.Code != "internal" || strings.Contains(unset.log(), "panic") {
			t.Errorf("%s without a status: %d %s", path, r.status, r.body)
		}
	}
	for body, status := range map[string]int{"": 204, "{}": 204, "{\"a\":1}": 400, "[]": 400, "x": 400} {
		if r := w.call("POST", "/none", "", body); r.status != status {
			t.Errorf("body %q: %d", body, r.status)
		}
	}
	if r := w.call("GET", "/busy", "", ""); r.status != 503 || r.header.Get("Retry-After") != "7" || r.problem.RetryAfter != 7 {
		t.Errorf("busy: %d %v %s", r.status, r.header, r.body)
	}
	if r := w.call("GET", "/token", "abc", ""); r.body != `"abc"` {
		t.Errorf("token: %s", r.body)
	}
	if a, b, c := w.call("GET", "/both", citizen, ""), w.call("GET", "/both", staff, ""), w.call("GET", "/both", "", ""); a.body != `"c1"` || b.body != `"s1"` || c.status != 401 {
		t.Errorf("both: %s %s %d", a.body, b.body, c.status)
	}
}

// TestTroubleBelowIsNoDefect: a store that is busy or did not say, and time that ran
// out, tell the caller to come again, whatever the route made of them.
func TestTroubleBelowIsNoDefect(t *testing.T) {
	t.Parallel()
	for code, trouble := range map[string]error{"store-busy": table.ErrBusy, "outcome-unknown": table.ErrUnknown, "no-answer-in-time": context.DeadlineExceeded} {
		w := newWorld(t, nil, httpapi.JSON("GET /x", 200, httpapi.Options{Caller: httpapi.Anyone}, func(context.Context, httpapi.Call[httpapi.None]) (httpapi.None, error) {
			return httpapi.None{}, fmt.Errorf("wrapped: %w: by this", trouble)
		}))
		if r := w.call("GET", "/x", "", ""); r.status != 503 || r.problem.Code != code || r.header.Get("Retry-After") != "2" {
			t.Errorf("%s: %d %s", code, r.status, r.body)
		}
		if !strings.Contains(w.log(), `"code":"`+code+`"`) {
			t.Errorf("%s is logged as %s", code, w.log())
		}
	}
}

func TestEveryFaultKindIsAnAnswer(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		w := newWorld(t, nil, httpapi.JSON("GET /x", 200, httpapi.Options{Caller: httpapi.Anyone}, func(context.Context, httpapi.Call[httpapi.None]) (httpapi.None, error) {
			return httpapi.None{}, fmt.Errorf("wrapped: %w", fault.New(kind, "some-code", "题", "Title"))
		}))
		if r := w.call("GET", "/x", "", ""); r.status != kind.Status() || r.problem.Code != "some-code" || r.problem.Title != "题" || r.problem.Status != kind.Status() {
			t.Errorf("%s: %d %s", kind, r.status, r.body)
		}
	}
}

func TestX002X099EnumerationIsCutOff(t *testing.T) {
	t.Parallel()
	var w *world
	now := func() time.Time { return w.now }
	missing := fault.New(fault.NotFound, "application-not-found", "没有", "Not found")
	w = newWorld(t, httpapi.NewMemoryLimiter(httpapi.Limits{PerSecond: 1000, Burst: 1000}, func() time.Time { return now() }),
		httpapi.JSON("GET /v1/applications/{id}", 200, httpapi.Options{Caller: httpapi.Citizen}, func(_ context.Context, c httpapi.Call[httpapi.None]) (string, error) {
			if c.Path("id") == "mine" {
				return "mine", nil
			}
			return "", missing
		}))
	for i := range 20 {
		if r := w.call("GET", fmt.Sprintf("/v1/applications/%d", i), citizen, ""); r.status != 404 {
			t.Fatalf("miss %d: %d", i, r.status)
		}
	}
	r := w.call("GET", "/v1/applications/mine", citizen, "")
	if r.status != 429 || r.problem.Code != "too-many-misses" || r.header.Get("Retry-After") != "60" {
		t.Errorf("after 20 misses: %d %s, Retry-After %q", r.status, r.body, r.header.Get("Retry-After"))
	}
	if r := w.call("GET", "/v1/applications/mine", other, ""); r.status != 200 {
		t.Errorf("somebody else: %d", r.status)
	}
	w.now = w.now.Add(time.Minute)
	if r := w.call("GET", "/v1/applications/mine", citizen, ""); r.status != 200 {
		t.Errorf("a minute later: %d", r.status)
	}
	// Paths that do not exist count as well, for whoever is not signed in.
	for range 20 {
		w.call("GET", "/v1/lookup", "", "")
	}
	if r := w.call("GET", "/v1/lookup", "", ""); r.status != 429 {
		t.Errorf("anonymous probing: %d", r.status)
	}
	if r := w.call("GET", "/v1/applications/mine", "", ""); r.status != 401 {
		t.Errorf("a neighbour at the scanner's address: %d", r.status)
	}
	if r := w.call("GET", "/v1/applications/mine", citizen, "", "X-Forwarded-For: 9.9.9.9"); r.status != 200 {
		t.Errorf("a signed-in caller at the same address: %d", r.status)
	}
	if r := w.call("GET", "/v1/lookup", "", "", "X-Forwarded-For: 9.9.9.9"); r.status != 429 {
		t.Errorf("X-Forwarded-For got round the limit: %d", r.status)
	}
}

func TestTokenBucket(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	m := httpapi.NewMemoryLimiter(httpapi.Limits{PerSecond: 2, Burst: 3, Callers: 10}, func() time.Time { return now })
	for i := range 3 {
		if _, err := m.Allow("a"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if wait, err := m.Allow("a"); err == nil || wait != 500*time.Millisecond {
		t.Errorf("bucket empty: wait %s, %v", wait, err)
	}
	now = now.Add(500 * time.Millisecond)
	if _, err := m.Allow("a"); err != nil {
		t.Errorf("refilled: %v", err)
	}
	// A flood of new callers does not give a known one its bucket back, as long
	// as that one keeps asking; and it does not grow without bound.
	for i := range 200 {
		_, _ = m.Allow(fmt.Sprint("flood", i))
		if _, err := m.Allow("a"); err == nil {
			t.Fatalf("flood %d refilled the bucket", i)
		}
	}
	now = now.Add(-time.Hour) // a clock that goes back gives nothing
	if _, err := m.Allow("a"); err == nil {
		t.Error("a clock going back refilled the bucket")
	}
}

func TestAnAddressIsSharedByManyPeople(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	m := httpapi.NewMemoryLimiter(httpapi.Limits{PerSecond: 2, Burst: 1, Sharing: 3}, func() time.Time { return now })
	w := newWorld(t, m, grants()...)
	for i, want := range []int{401, 401, 401, 429} {
		if r := w.call("GET", "/v1/grants", "", ""); r.status != want {
			t.Errorf("request %d: %d", i, r.status)
		}
	}
	if a, b := w.call("GET", "/v1/grants", citizen, ""), w.call("GET", "/v1/grants", citizen, ""); a.status != 200 || b.status != 429 || b.problem.Code != "slow-down" || b.header.Get("Retry-After") != "1" {
		t.Errorf("one person: %d, then %d %s", a.status, b.status, b.body)
	}
	if r := w.call("GET", "/v1/grants", "wrong-token", ""); r.status != 429 {
		t.Errorf("guessing tokens: %d", r.status)
	}
	for range 50 { // a provider is never slowed down (X077)
		if r := w.call("POST", "/v1/callbacks/bank", "", "x"); r.status != 200 {
			t.Fatalf("callback: %d", r.status)
		}
	}
}

func TestContradictoryRoutesStopTheStart(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, httpapi.Call[httpapi.None]) (httpapi.None, error) { return httpapi.None{}, nil }
	withBody := func(context.Context, httpapi.Call[grant]) (httpapi.None, error) { return httpapi.None{}, nil }
	type float struct {
		X float64 `json:"x"`
	}
	type unnamed struct{ X string }
	type anything struct {
		X any `json:"x"`
	}
	type loop struct {
		X []loop `json:"x"`
	}
	type twice struct {
		A string `json:"a"`
		B string `json:"A"`
	}
	type rule struct {
		A string `json:"a" api:"maximum=3"`
	}
	for name, f := range map[string]func() httpapi.Route{
		"no_caller": func() httpapi.Route { return httpapi.JSON("GET /x", 200, httpapi.Options{}, ok) },
		"no_method": func() httpapi.Route { return httpapi.JSON("/x", 200, httpapi.Options{Caller: httpapi.Anyone}, ok) },
		"anonymous_key": func() httpapi.Route {
			return httpapi.JSON("POST /x", 200, httpapi.Options{Caller: httpapi.Anyone, Idempotent: true}, ok)
		},
		"get_with_body": func() httpapi.Route {
			return httpapi.JSON("GET /x", 200, httpapi.Options{Caller: httpapi.Anyone}, withBody)
		},
		"float":              func() httpapi.Route { return in[float]() },
		"field_without_name": func() httpapi.Route { return in[unnamed]() },
		"any":                func() httpapi.Route { return in[anything]() },
		"map":                func() httpapi.Route { return in[map[string]string]() },
		"raw_json":           func() httpapi.Route { return in[json.RawMessage]() },
		"nested_in_itself":   func() httpapi.Route { return in[loop]() },
		"name_twice":         func() httpapi.Route { return in[twice]() },
		"unknown_rule":       func() httpapi.Route { return in[rule]() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was accepted", name)
				}
			}()
			newWorld(t, nil, f())
		}()
	}
}

func in[T any]() httpapi.Route {
	return httpapi.JSON("POST /x", 200, httpapi.Options{Caller: httpapi.Anyone}, func(context.Context, httpapi.Call[T]) (httpapi.None, error) { return httpapi.None{}, nil })
}

// date reads itself, as the words of shared/civil do.
type date struct{ day string }

var errDay = fault.New(fault.Invalid, "no-such-day", "没有这一天。", "There is no such day.")

func (d *date) UnmarshalText(b []byte) error {
	if string(b) == "2026-02-30" {
		return errDay
	}
	if len(b) != 10 {
		return fmt.Errorf("not a day: %s", b)
	}
	d.day = string(b)
	return nil
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type base struct {
		ID string `json:"id" api:"required"`
	}
	type doc struct {
		base
		Day   date     `json:"day"`
		Till  *date    `json:"till"`
		Tags  []string `json:"tags" api:"each=3,min=1,enum=a|b"`
		Inner *base    `json:"inner"`
		Skip  string   `json:"-"`
	}
	got, err := httpapi.Decode[doc]([]byte(`{"id":"1","day":"2026-02-28","till":"2026-03-01","tags":["a"],"inner":{"id":"2"}}`))
	if err != nil || got.ID != "1" || got.Day.day != "2026-02-28" || got.Till.day != "2026-03-01" || got.Inner.ID != "2" {
		t.Errorf("%+v %v", got, err)
	}
	_, err = httpapi.Decode[doc]([]byte(`{"id":"1","day":"2026-02-30","till":"x","tags":["c","abcd"],"inner":{},"Skip":"x"}`))
	codes := map[string]string{}
	for _, f := range fault.Of(err).Fields {
		codes[f.Pointer] = f.Code
		if f.Pointer == "/day" && f.Detail != errDay.Title {
			t.Errorf("detail %q", f.Detail)
		}
	}
	want := map[string]string{"/day": "no-such-day", "/till": "malformed", "/tags/0": "not-allowed", "/tags/1": "too-long", "/inner/id": "required", "/Skip": "unknown-field"}
	if !reflect.DeepEqual(codes, want) {
		t.Errorf("got %v", codes)
	}
}

func TestNumbersHaveOneSpelling(t *testing.T) {
	t.Parallel()
	type count struct {
		N int64 `json:"n"`
	}
	for _, n := range []string{"-0", "0.0", "1e0", "1E+0", "9223372036854775808"} {
		if _, err := httpapi.Decode[count]([]byte(`{"n":` + n + `}`)); err == nil {
			t.Errorf("%s was taken", n)
		}
	}
	for _, n := range []int64{0, -1, 1<<63 - 1, -1 << 63} {
		if got, err := httpapi.Decode[count](fmt.Appendf(nil, `{"n":%d}`, n)); err != nil || got.N != n {
			t.Errorf("%d: %v %v", n, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"amount_fen":1,"cause":"fire"}`, `{"amount_fen":-0}`, `{"amount_fen":1e400}`, `{"name":"\ud800\udc00"}`, `{"name":"\ud800"}`,
		`{"\ud800":1}`, `{"members":[{"name":"a"},{}]}`, `{"a":`, "\"\\", `"\u12`, "{\"a\":\"\xff\"}", "\uFEFF{}", strings.Repeat("[", 40), `{"":1,"":2}`, `-`, `1.`, `1e`, `tru`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := httpapi.Decode[grant](raw)
		if err != nil {
			if k := fault.Of(err).Kind; k != fault.Invalid {
				t.Errorf("kind %s: %v", k, err)
			}
			return
		}
		// Whatever is taken, encoding/json takes too, with the same meaning.
		var loose struct {
			AmountFen int64  `json:"amount_fen"`
			Cause     string `json:"cause"`
			Name      string `json:"name"`
		}
		if err := json.Unmarshal(raw, &loose); err != nil || loose.AmountFen != int64(v.AmountFen) || loose.Cause != v.Cause || loose.Name != v.Name.Reveal() {
			t.Errorf("%q: %+v, but encoding/json says %+v %v", raw, v, loose, err)
		}
		if v.AmountFen < 1 {
			t.Errorf("%q: rule passed over", raw)
		}
	})
}

// FuzzHead sends anything as path, query and headers of a request whose body is
// right. It is answered by something the API can say, never as another caller's,
// and nothing of it stands in the answer or the log.
func FuzzHead(f *testing.F) {
	route := httpapi.JSON("POST /v1/things/{id}", http.StatusCreated, httpapi.Options{Caller: httpapi.Citizen, Idempotent: true, Query: []string{"after"}},
		func(_ context.Context, c httpapi.Call[struct {
			N int64 `json:"n"`
		}]) (struct {
			Who string `json:"who"`
		}, error) {
			if id := c.Path("id"); len(id) > 512 || !utf8.ValidString(id) {
				return struct {
					Who string `json:"who"`
				}{}, errors.New("no store can be asked for that")
			}
			return struct {
				Who string `json:"who"`
			}{c.Principal.ID}, nil
		})
	w := &world{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), sessions: map[string]session.Session{citizen: {Principal: session.Principal{Kind: session.Citizen, ID: "c1"}}}}
	api := httpapi.New(httpapi.Config{Sessions: w, IDs: ident.Random(), Now: func() time.Time { return w.now }, Logger: telemetry.NewLogger(w, slog.LevelDebug), Watch: unwatched}, route)
	f.Add("/v1/things/a", "after=x", "Bearer "+citizen, "k1", "zh", "application/json", "")
	f.Add("/v1/things/a%2fb", "after=x&after=y", "Bearer", "", "en;q=x", "application/json; charset=gbk", "gzip")
	f.Add("/v1//things/../a", "token=1", "bearer "+citizen+" x", "k\x00", "*", "text/plain", "identity")
	f.Add("/v1/things/\xff", "after=x", "Bearer "+citizen, "k1", "", "application/json", "")
	f.Add("/v1/things/"+strings.Repeat("x", 1000), "", "Bearer "+citizen, "k1", "", "application/json", "")
	f.Add("", "%zz", "Basic YTpi", strings.Repeat("k", 129), "", "", "")
	f.Fuzz(func(t *testing.T, path, query, authorization, key, language, media, encoding string) {
		const canary = "11010519491231002X"
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"n":1}`))
		r.URL = &url.URL{Path: path + canary, RawQuery: query}
		for name, value := range map[string]string{"Authorization": authorization, "Idempotency-Key": key, "Accept-Language": language, "Content-Type": media, "Content-Encoding": encoding} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		w.mu.Lock()
		w.logs.Reset()
		w.mu.Unlock()
		reply := httptest.NewRecorder()
		api.ServeHTTP(reply, r)
		if reply.Code >= 500 || reply.Code < 200 || strings.Contains(reply.Body.String(), canary) || strings.Contains(w.log(), canary) {
			t.Errorf("%d %s\n%s", reply.Code, reply.Body, w.log())
		}
		scheme, token, _ := strings.Cut(authorization, " ")
		if reply.Code == http.StatusCreated && (!strings.EqualFold(scheme, "Bearer") || token != citizen || key == "") {
			t.Errorf("%q with key %q was served", authorization, key)
		}
	})
}
