package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
)

// pointers is code by pointer of a problem's fields.
func pointers(p httpapi.Problem) map[string]string {
	out := map[string]string{}
	for _, f := range p.Fields {
		out[f.Pointer] = f.Code
	}
	return out
}

func post(w *world, body string, headers ...string) reply {
	w.t.Helper()
	return w.call("POST", "/v1/grants/g1", citizen, body, append([]string{"Idempotency-Key: k1"}, headers...)...)
}

func TestX008X009UnknownFieldsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	r := post(w, `{"amount_fen":1,"cause":"fire","status":"PAID","amount_approved":5,"approver_id":"x","version":2,"area":"320400"}`)
	want := map[string]string{"/status": "unknown-field", "/amount_approved": "unknown-field", "/approver_id": "unknown-field", "/version": "unknown-field", "/area": "unknown-field"}
	if got := pointers(r.problem); r.status != 400 || len(got) != len(want) {
		t.Fatalf("%d %v", r.status, got)
	}
	for p, code := range want {
		if pointers(r.problem)[p] != code {
			t.Errorf("%s: %q", p, pointers(r.problem)[p])
		}
	}
}

func TestB24BodiesThatEncodingJSONWouldTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for name, c := range map[string]struct{ body, code, pointer string }{
		"duplicate_key":             {`{"amount_fen":1,"amount_fen":2,"cause":"fire"}`, "duplicate-field", "/amount_fen"},
		"duplicate_key_escaped":     {`{"amount_fen":1,"amount\u005ffen":2,"cause":"fire"}`, "duplicate-field", "/amount_fen"},
		"case_variant":              {`{"Amount_Fen":1,"cause":"fire"}`, "wrong-case", "/amount_fen"},
		"case_variant_beside_right": {`{"amount_fen":1,"AMOUNT_FEN":2,"cause":"fire"}`, "wrong-case", "/amount_fen"},
		"unknown_nested":            {`{"amount_fen":1,"cause":"fire","members":[{"name":"a","role":"x"}]}`, "unknown-field", "/members/0/role"},
		"missing":                   {`{"cause":"fire"}`, "required", "/amount_fen"},
		"empty_required":            {`{"amount_fen":1,"cause":"fire","members":[{"name":"  "}]}`, "required", "/members/0/name"},
		"null_optional":             {`{"amount_fen":1,"cause":"fire","urgent":null}`, "null", "/urgent"},
		"wrong_type":                {`{"amount_fen":1,"cause":"fire","urgent":"yes"}`, "wrong-type", "/urgent"},
		"object_for_list":           {`{"amount_fen":1,"cause":"fire","members":{}}`, "wrong-type", "/members"},
		"not_in_enum":               {`{"amount_fen":1,"cause":"theft"}`, "not-allowed", "/cause"},
		"too_many_items":            {`{"amount_fen":1,"cause":"fire","members":[{},{},{},{}]}`, "too-many-items", "/members"},
		"int8_overflow":             {`{"amount_fen":1,"cause":"fire","members":[{"name":"a","age":300}]}`, "out-of-range", "/members/0/age"},
		"too_long":                  {`{"amount_fen":1,"cause":"fire","name":"` + strings.Repeat("王", 21) + `"}`, "too-long", "/name"},
		"top_level_list":            {`[]`, "wrong-type", ""},
		"nul":                       {`{"amount_fen":1,"cause":"fire","name":"a\u0000b"}`, "bad-character", "/name"},
		"tab":                       {`{"amount_fen":1,"cause":"fire","name":"a\tb"}`, "bad-character", "/name"},
		"line_separator":            {`{"amount_fen":1,"cause":"fire","note":"a\u2028b"}`, "bad-character", "/note"},
		"lone_high_surrogate":       {`{"amount_fen":1,"cause":"fire","name":"\ud800"}`, "bad-character", "/name"},
		"lone_low_surrogate":        {`{"amount_fen":1,"cause":"fire","name":"\udc00"}`, "bad-character", "/name"},
		"swapped_surrogates":        {`{"amount_fen":1,"cause":"fire","name":"\udc00\ud800"}`, "bad-character", "/name"},
		"bom_inside":                {"{\"amount_fen\":1,\"cause\":\"fire\",\"name\":\"\uFEFFa\"}", "bad-character", "/name"},
		"right_to_left_override":    {"{\"amount_fen\":1,\"cause\":\"fire\",\"name\":\"\u202Ea\"}", "bad-character", "/name"},
		"line_break_in_a_name":      {`{"amount_fen":1,"cause":"fire","name":"a\nb"}`, "bad-character", "/name"},
	} {
		r := post(w, c.body)
		if r.status != 400 || r.problem.Code != "invalid-fields" || pointers(r.problem)[c.pointer] != c.code {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for name, c := range map[string]struct{ body, code string }{
		"trailing_value":           {`{"amount_fen":1,"cause":"fire"} {}`, "invalid-json"},
		"trailing_comma":           {`{"amount_fen":1,"cause":"fire",}`, "invalid-json"},
		"bom_first":                {"\uFEFF" + `{"amount_fen":1,"cause":"fire"}`, "invalid-json"},
		"not_utf8":                 {"{\"amount_fen\":1,\"cause\":\"fire\",\"name\":\"\xff\"}", "invalid-json"},
		"gbk":                      {"{\"amount_fen\":1,\"cause\":\"fire\",\"name\":\"\xcd\xf5\"}", "invalid-json"},
		"raw_control":              {"{\"amount_fen\":1,\"cause\":\"fire\",\"name\":\"a\x01\"}", "invalid-json"},
		"single_quotes":            {`{'amount_fen':1}`, "invalid-json"},
		"comment":                  {`{/**/"amount_fen":1}`, "invalid-json"},
		"nan":                      {`{"amount_fen":NaN}`, "invalid-json"},
		"leading_zero":             {`{"amount_fen":01}`, "invalid-json"},
		"cut_off":                  {`{"amount_fen":1,"cause":"fi`, "invalid-json"},
		"empty":                    {` `, "invalid-json"},
		"x108_10k_levels":          {deep, "json-too-complex"},
		"x108_levels_in_a_field":   {`{"members":` + deep + `}`, "json-too-complex"},
		"x108_array":               {"[" + strings.Repeat("1,", 20_000) + "1]", "json-too-complex"},
		"x108_array_a_little_long": {"[" + strings.Repeat("1,", 5_000) + "1]", "json-too-complex"},
		"many_keys":                {"{" + strings.Repeat(`"a":1,`, 600) + `"b":1}`, "json-too-complex"},
	} {
		r := post(w, c.body)
		if r.status != 400 || r.problem.Code != c.code {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := post(w, `{"amount_fen":1,"cause":"fire","name":"\ud842\udfb7","note":"a\nb","urgent":false}`); r.status != 201 {
		t.Errorf("a good body with a rare character: %d %s", r.status, r.body)
	}
}

func TestAllProblemsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	r := post(w, `{"amount_fen":"1","cause":"x","name":7,"members":[{"age":121}],"extra":1}`)
	want := map[string]string{"/amount_fen": "wrong-type", "/cause": "not-allowed", "/name": "wrong-type", "/members/0/age": "out-of-range", "/members/0/name": "required", "/extra": "unknown-field"}
	got := pointers(r.problem)
	for p, code := range want {
		if got[p] != code {
			t.Errorf("%s: %q, want %q", p, got[p], code)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}

func TestX052X053OnlyIntegerFen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for _, amount := range []string{"0", "-1", "-0", "1000000000000000000000", "9223372036854775808", "-9223372036854775809",
		`"100"`, "100.0", "1e2", "1E2", "0x64", "null", "0.30000000000000004", "0.1", "true", "[1]", "+1", "1_000", "100.", ".5"} {
		r := post(w, `{"amount_fen":`+amount+`,"cause":"fire"}`)
		if r.status != 400 {
			t.Errorf("amount %s: %d %s", amount, r.status, r.body)
		}
	}
	for _, amount := range []string{"1", "9223372036854775807"} { // the ceiling is the noun's
		if r := post(w, `{"amount_fen":`+amount+`,"cause":"fire"}`); r.status != 201 {
			t.Errorf("amount %s: %d %s", amount, r.status, r.body)
		}
	}
}

func TestX012X111QueryNamesAreFromAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for _, q := range []string{"area=320400", "%23a=1", ":v=1", "after=1&after=2", "after=1&division=2", "After=1", "after=%00", "after=%ff", "after=%zz", "a;b=1", "after=" + strings.Repeat("x", 257)} {
		if r := w.call("GET", "/v1/grants?"+q, citizen, ""); r.status != 400 || r.problem.Code != "query-not-allowed" {
			t.Errorf("%s: %d %s", q, r.status, r.body)
		}
	}
	if r := w.call("GET", "/v1/grants?after=x1", citizen, ""); r.status != 200 || !strings.Contains(r.body, `"key":"x1"`) {
		t.Errorf("allowed query: %d %s", r.status, r.body)
	}
}

func TestX018MethodOverrideIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for _, h := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
		r := w.call("PUT", "/v1/grants/g1", citizen, `{"amount_fen":1,"cause":"fire"}`, "Idempotency-Key: k1", h+": POST")
		if r.status != 405 || r.problem.Code != "method-not-allowed" || r.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d %s, Allow %q", h, r.status, r.body, r.header.Get("Allow"))
		}
		// And a POST does not turn into something else.
		if r := post(w, `{"amount_fen":1,"cause":"fire"}`, h+": DELETE"); r.status != 201 {
			t.Errorf("%s on POST: %d", h, r.status)
		}
	}
}

func TestX020HeadersThatSayWhoAsksAreIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	forged := []string{"X-User-Id: s1", "X-Forwarded-For: 127.0.0.1", "X-Amzn-Oidc-Identity: s1", "X-Amzn-Request-Context: {}", "Cookie: session=" + staff, "X-Forwarded-User: s1"}
	if r := w.call("GET", "/v1/staff/grants/g1", "", "", forged...); r.status != 401 {
		t.Errorf("forged headers alone: %d", r.status)
	}
	if r := w.call("GET", "/v1/staff/grants/g1", citizen, "", forged...); r.status != 403 {
		t.Errorf("citizen with forged headers: %d", r.status)
	}
	if r := w.call("GET", "/v1/grants", citizen, "", forged...); !strings.Contains(r.body, `"id":"c1"`) {
		t.Errorf("principal changed: %s", r.body)
	}
}

func TestX044KeysAreScopedByPrincipalOperationAndPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	ask := func(path, token, key, body string) granted {
		t.Helper()
		r := w.call("POST", path, token, body, "Idempotency-Key: "+key)
		var g granted
		if err := json.Unmarshal([]byte(r.body), &g); err != nil || r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return g
	}
	const body = `{"amount_fen":1,"cause":"fire"}`
	first := ask("/v1/grants/g1", citizen, "k1", body)
	if again := ask("/v1/grants/g1", citizen, "k1", ` { "cause" : "f\u0069re", "amount_fen":1 } `); again != first {
		t.Errorf("the same request in other spacing: %v %v", first, again)
	}
	if again := ask("/v1/grants/%671", citizen, "k1", body); again != first {
		t.Errorf("the same path in other spelling: %v %v", first, again)
	}
	if g := ask("/v1/grants/g1", citizen, "k1", `{"amount_fen":2,"cause":"fire"}`); g.Key != first.Key || g.Digest == first.Digest {
		t.Error("X042: another amount has the same digest, or another key")
	}
	for name, g := range map[string]granted{
		"another_principal": ask("/v1/grants/g1", other, "k1", body),
		"another_path":      ask("/v1/grants/g2", citizen, "k1", body),
		"another_key":       ask("/v1/grants/g1", citizen, "k2", body),
	} {
		if g.Key == first.Key {
			t.Errorf("%s shares the request key", name)
		}
	}
	if ask("/v1/grants/g1", citizen, "k2", body).Digest == first.Digest {
		t.Error("the digest is not keyed")
	}
}

func TestX045X046IdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	const body = `{"amount_fen":1,"cause":"fire"}`
	r := w.call("POST", "/v1/grants/g1", citizen, body)
	if r.status != 400 || r.problem.Code != "idempotency-key-missing" || r.problem.Type != "/docs/api/problems#idempotency-key-missing" {
		t.Errorf("missing: %d %s", r.status, r.body)
	}
	for _, key := range []string{strings.Repeat("k", 10<<10), strings.Repeat("k", 129), "a b", "a\tb", "钥匙", "🔑", ""} {
		r := w.call("POST", "/v1/grants/g1", citizen, body, "Idempotency-Key: "+key)
		if r.status != 400 || r.problem.Code != "idempotency-key-invalid" {
			t.Errorf("key of %d bytes: %d %s", len(key), r.status, r.body)
		}
	}
	if r := w.call("POST", "/v1/grants/g1", citizen, body, "Idempotency-Key: a", "Idempotency-Key: b"); r.problem.Code != "idempotency-key-invalid" {
		t.Errorf("two keys: %d %s", r.status, r.body)
	}
	if r := w.call("POST", "/v1/grants/g1", citizen, body, "Idempotency-Key: "+strings.Repeat("~", 128)); r.status != 201 {
		t.Errorf("128 characters: %d", r.status)
	}
}

func TestX079BodiesAreCappedBeforeParsing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	big := `{"note":"` + strings.Repeat("a", 5<<20) + `"}`
	for name, r := range map[string]reply{
		"5_MB":            post(w, big),
		"5_MB_callback":   w.call("POST", "/v1/callbacks/bank", "", big),
		"gzip":            post(w, "\x1f\x8b\x08", "Content-Encoding: gzip"),
		"gzip_callback":   w.call("POST", "/v1/callbacks/bank", "", "\x1f\x8b\x08", "Content-Encoding: gzip"),
		"one_byte_over":   post(w, strings.Repeat(" ", httpapi.DefaultMaxBody+1)),
		"deflate_in_caps": post(w, "x", "Content-Encoding: DEFLATE"),
	} {
		if r.status != 413 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	// Without a Content-Length, too.
	req, _ := http.NewRequest("POST", w.url+"/v1/callbacks/bank", struct{ *strings.Reader }{strings.NewReader(big)})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("chunked: %d", res.StatusCode)
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	const body = `{"amount_fen":1,"cause":"fire"}`
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=gbk", "application/json, text/plain", "application/jsonp", ";"} {
		if r := post(w, body, "Content-Type: "+kind); r.status != 415 {
			t.Errorf("%s: %d", kind, r.status)
		}
	}
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
		if r := post(w, body, "Content-Type: "+kind); r.status != 201 {
			t.Errorf("%s: %d %s", kind, r.status, r.body)
		}
	}
	if r := w.call("GET", "/v1/grants", citizen, `{}`); r.status != 400 || r.problem.Code != "body-not-allowed" {
		t.Errorf("GET with a body: %d %s", r.status, r.body)
	}
}

func TestX086NoJWTIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for _, authorization := range []string{
		"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzMSJ9.", "Bearer ", "Bearer", "Basic czE6", staff, "Bearer  " + staff, "Bearer " + staff + ",Bearer " + citizen,
	} {
		if r := w.call("GET", "/v1/staff/grants/g1", "", "", "Authorization: "+authorization); r.status != 401 || r.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: %d %v", authorization, r.status, r.header)
		}
	}
	if r := w.call("GET", "/v1/staff/grants/g1", "", "", "Authorization: Bearer "+staff, "Authorization: Bearer "+staff); r.status != 401 {
		t.Errorf("two tokens: %d", r.status)
	}
	if r := w.call("GET", "/v1/staff/grants/g1", "", "", "Authorization: bearer "+staff); r.status != 200 {
		t.Errorf("scheme in lower case: %d", r.status)
	}
}

func TestX087TokenInQueryIsRefusedAndNotLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, grants()...)
	for _, name := range []string{"access_token", "token", "Authorization", "session", "api_key"} {
		r := w.call("GET", "/v1/grants?"+name+"=canary123", citizen, "")
		if r.status != 400 || r.problem.Code != "token-in-query" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if strings.Contains(w.log(), "canary123") || w.log() == "" {
		t.Errorf("log: %s", w.log())
	}
}

// Everything a caller can put somewhere is a canary; none may come back or be
// written down, not even when the function fails or panics (X115, B15).
func TestX115NothingSentIsEchoedOrLogged(t *testing.T) {
	t.Parallel()
	const canary = "110101199003074514"
	routes := httpapi.Routes{
		httpapi.JSON("POST /v1/{mode}", 200, httpapi.Options{Caller: httpapi.Citizen, Query: []string{"q"}},
			func(_ context.Context, c httpapi.Call[grant]) (granted, error) {
				switch c.Path("mode") {
				case "panic":
					panic("broken by " + string(c.Raw))
				case "plain":
					return granted{}, errors.New("cannot store " + string(c.Raw))
				}
				return granted{}, fault.New(fault.Conflict, "moved", "变了", "Moved").Because(errors.New(string(c.Raw)))
			}),
	}
	w := newWorld(t, nil, routes...)
	bodies := []string{
		`{"amount_fen":1,"cause":"fire","name":"` + canary + `"}`,
		`{"amount_fen":1,"cause":"fire","name":"王小明"}`, // too short for the logger's own guard
		`{"` + canary + `":1}`,
		`{"cause":"` + canary + `"}`,
		`{"amount_fen":` + canary + canary + `}`,
		canary + `x`,
		`"` + canary + `"`,
		`{"name":"` + canary + `\ud800"}`,
	}
	n := 0
	for _, mode := range []string{"panic", "plain", "fault", canary} {
		for _, body := range bodies {
			for _, lang := range []string{"zh-CN", "en"} {
				r := w.call("POST", "/v1/"+mode, citizen, body, "Accept-Language: "+lang, "X-Canary: "+canary)
				if r.status < 400 || strings.Contains(r.body, canary) || strings.Contains(r.header.Get("X-Request-Id"), canary) {
					t.Errorf("%s %s: %d %s", mode, body, r.status, r.body)
				}
				n++
			}
		}
	}
	for _, r := range []reply{
		w.call("GET", "/v2/"+canary, citizen, ""), w.call("PATCH", "/v1/"+canary, citizen, ""),
		w.call("POST", "/v1/x?q="+canary, canary, "{}"), w.call("POST", "/v1/x?"+canary+"=1", citizen, "{}"),
		w.call("POST", "/v1/x", citizen, "{}", "Idempotency-Key: "+canary, "Accept-Language: "+canary),
	} {
		if r.status < 400 || strings.Contains(r.body, canary) {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if log := w.log(); strings.Contains(log, canary) || strings.Contains(log, "broken by") || strings.Contains(log, "王小明") || strings.Contains(log, "cannot store") || strings.Count(log, `"msg":"request"`) != n+5 {
		t.Errorf("log holds the canary or not one line a request:\n%s", log)
	}
	if r := w.call("POST", "/v1/panic", citizen, bodies[0]); r.status != 500 || r.problem.RequestID == "" || strings.Contains(r.body, "goroutine") {
		t.Errorf("panic: %d %s", r.status, r.body)
	} else if !strings.Contains(w.log(), r.problem.RequestID) {
		t.Error("the panic's request_id is not in the log")
	}
}
