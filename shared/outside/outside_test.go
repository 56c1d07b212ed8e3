package outside_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/outside"
)

func TestDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		limit   int64
		want    outside.Class // "" means an answer
	}{
		"answer":             {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("12345")) }, 5, ""},
		"one_byte_too_many":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("123456")) }, 5, outside.TooLarge},
		"redirect":           {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else", http.StatusFound) }, 0, outside.Redirected},
		"compressed_unasked": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") }, 0, outside.Encoded},
		"cut_in_the_middle": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("123"))
		}, 0, outside.Unreachable},
		"nothing_but_a_hangup": {func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, 0, outside.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.handler)
			defer server.Close()
			a, err := outside.Caller{HTTP: server.Client(), Limit: c.limit}.Do(t.Context(), "GET", server.URL+"?secret=canary", nil, nil)
			if c.want == "" {
				if err != nil || string(a.Body) != "12345" || a.Evidence() != outside.Evidence([]byte("12345")) {
					t.Errorf("%v %q", err, a.Body)
				}
				return
			}
			var no *outside.NoAnswer
			if !errors.As(err, &no) || no.Class != c.want || outside.ClassOf(err) != c.want || strings.Contains(err.Error(), "canary") || len(a.Body) > 0 {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := (outside.Caller{}).Do(t.Context(), "BAD METHOD", "http://127.0.0.1/", nil, nil); outside.ClassOf(err) != outside.Unsendable {
		t.Error(err)
	}
	if outside.ClassOf(errors.New("other")) != outside.Unreachable {
		t.Error("an unknown error got a better class than it deserves")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (outside.Caller{}).Do(ctx, "GET", "http://127.0.0.1/", nil, nil); outside.ClassOf(err) != outside.Timeout {
		t.Error(err)
	}
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}))
	defer server.Close()
	defer close(done)
	if _, err := (outside.Caller{Deadline: 20 * time.Millisecond}).Do(t.Context(), "POST", server.URL, nil, []byte("x")); outside.ClassOf(err) != outside.Timeout {
		t.Error(err)
	}
}

// TestNeverSentTwice: net/http repeats requests on its own when a kept-alive
// connection breaks, unless it cannot.
func TestNeverSentTwice(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		var calls, connections atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) > 1 {
				hangUp(w)
			}
		}))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		server.Start()
		c := outside.Caller{HTTP: server.Client()}
		if _, err := c.Do(t.Context(), method, server.URL, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), method, server.URL, nil, nil); err == nil {
			t.Error("a hang-up was an answer")
		}
		if n := calls.Load(); n != 2 || connections.Load() != 1 {
			t.Errorf("%s: sent %d times over %d connections", method, n, connections.Load())
		}
		server.Close()
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"empty": "", "array": "[]", "null": "null", "twice": `{"a":1,"a":2}`, "trailing": `{"a":1}x`, "two": `{}{}`,
		"cut": `{"a":`, "cut_key": `{"a`, "not_closed": `{"a":1`, "charset": "{\"a\":\"\xff\"}", "number_key": `{1:2}`, "comma": `{"a":1,}`,
	} {
		if _, err := outside.Object([]byte(raw)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	o, err := outside.Object([]byte(` {"a":1,"A":"x","n":null} `))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var s string
	if outside.Take(o, "a", &n) != nil || outside.Take(o, "A", &s) != nil || n != 1 || s != "x" || outside.Take(o, "absent", &s) != nil || s != "x" {
		t.Errorf("%d %q", n, s)
	}
	if outside.Take(o, "n", &s) == nil {
		t.Error("null was a string")
	}
	if len(o) != 0 {
		t.Errorf("left %v", o)
	}
	o, _ = outside.Object([]byte(`{"a":"1"}`))
	if outside.Take(o, "a", &n) == nil {
		t.Error("a string was a number")
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	now := time.Unix(1795320000, 0)
	for stamp, want := range map[string]bool{
		"1795320000": true, "1795319700": true, "1795320300": true, // ±300 s are inside
		"1795319699": false, "1795320301": false,
		"": false, "+1795320000": false, "01795320000": false, "1795320000.0": false, "9223372036854775807": false, "-9223372036854775808": false, "x": false,
	} {
		if outside.Fresh(stamp, now) != want {
			t.Errorf("%q", stamp)
		}
	}
	for sig, want := range map[string]bool{"WECHATPAY/SIGNTEST/abc": true, "DOUDI/SIGNTEST/": true, "c2ln": false} {
		if outside.Probe(sig) != want {
			t.Errorf("%q", sig)
		}
	}
	got := string(outside.SignedText(outside.AnswerKind(404), "GET", "/p", "1", "n", nil))
	if got != "answer 404\nGET\n/p\n1\nn\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" {
		t.Errorf("%q", got)
	}
	if n, err := outside.Nonce(strings.NewReader("0123456789abcdef")); err != nil || n != "30313233343536373839616263646566" {
		t.Errorf("%q %v", n, err)
	}
	if _, err := outside.Nonce(strings.NewReader("short")); outside.ClassOf(err) != outside.Unsendable {
		t.Error(err)
	}
}

// What went wrong is said without what was asked: an order holds a name and an
// account, and errors end in logs (P01, B15).
func TestErrorsSayNothingOfTheBody(t *testing.T) {
	t.Parallel()
	const secret = "6222020200099887766"
	hang := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := w.(http.Hijacker); ok {
			if conn, _, err := h.Hijack(); err == nil {
				_ = conn.Close()
			}
		}
	}))
	defer hang.Close()
	for name, url := range map[string]string{"cut": hang.URL + "/" + secret, "nobody": "http://127.0.0.1:1/" + secret, "no_address": "http://" + secret + "\x7f"} {
		_, err := outside.Caller{Deadline: 5 * time.Second}.Do(t.Context(), http.MethodPost, url, http.Header{"X-Account": {secret}}, []byte(`{"account":"`+secret+`"}`))
		var no *outside.NoAnswer
		if !errors.As(err, &no) {
			t.Fatalf("%s: %T", name, err)
		}
		for form, text := range map[string]string{"error": err.Error(), "verbose": fmt.Sprintf("%+v", err), "go": fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: the %s shows what was asked", name, form)
			}
		}
	}
}

// FuzzObject: what is taken for an object is one for encoding/json too, with the
// same members.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[]}}`, `{"a":1} `, `{"a":1}{}`, `{"\u0061":1,"a":2}`, `{`, `null`, "{\"\xff\":1}", `{"a":1,}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := outside.Object(raw)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil || len(want) != len(o) {
			t.Fatalf("%q: %v: %d members, not %d", raw, err, len(o), len(want))
		}
		for key, v := range want {
			if string(o[key]) != string(v) {
				t.Errorf("%q: %q is %s, not %s", raw, key, o[key], v)
			}
		}
	})
}

// FuzzUnpack: nothing grows beyond the limit, and what is unpacked is what one
// member held.
func FuzzUnpack(f *testing.F) {
	pack := func(raw []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(raw); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	one := pack([]byte("账单"))
	f.Add(one)
	f.Add(append(bytes.Clone(one), one...))
	f.Add(one[:len(one)-1])
	f.Add(pack(make([]byte, 4000)))
	f.Fuzz(func(t *testing.T, packed []byte) {
		const limit = 1000
		raw, err := outside.Unpack(packed, limit)
		if err == nil && (len(raw) > limit || len(packed) < 18) {
			t.Errorf("%d bytes of %d", len(raw), len(packed))
		}
	})
}
