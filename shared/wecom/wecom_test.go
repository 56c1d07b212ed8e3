package wecom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/redact"
)

// office answers as WeCom does, from a table of codes.
type office struct {
	mu     sync.Mutex
	answer string // to a code
	tokens int    // given out
	bad    int    // tokens up to this one are refused
	asked  int    // codes looked at
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := r.URL.Query()
	switch r.URL.Path {
	case "/cgi-bin/gettoken":
		if q.Get("corpid") != "corp" || q.Get("corpsecret") != "secret" {
			fmt.Fprint(w, `{"errcode":40001,"errmsg":"invalid credential"}`)
			return
		}
		o.tokens++
		fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","access_token":"t%d","expires_in":7200}`, o.tokens)
	case "/cgi-bin/auth/getuserinfo":
		if q.Get("access_token") == fmt.Sprintf("t%d", o.bad) {
			fmt.Fprint(w, `{"errcode":42001,"errmsg":"access_token expired"}`)
			return
		}
		o.asked++
		if o.answer == "" {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprint(w, o.answer)
	}
}

func client(t *testing.T, o *office, secret string, now func() time.Time) *Client {
	t.Helper()
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	c, err := New(Config{BaseURL: s.URL, CorpID: "corp", Secret: redact.New(secret), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOnlyMembersOfOurCorporationAreSomebody(t *testing.T) {
	for name, c := range map[string]struct {
		answer, code, secret string
		want                 string
		err                  error
	}{
		"member":                   {`{"errcode":0,"errmsg":"ok","userid":"320400-clerk-1"}`, "c", "secret", "320400-clerk-1", nil},
		"X089_outsider_has_openid": {`{"errcode":0,"errmsg":"ok","openid":"oXYZ","external_userid":"w1"}`, "c", "secret", "", ErrRefused},
		"name_that_is_a_key":       {`{"errcode":0,"errmsg":"ok","userid":"a#b"}`, "c", "secret", "", ErrRefused},
		"code_wrong_or_used":       {`{"errcode":40029,"errmsg":"invalid code"}`, "c", "secret", "", ErrRefused},
		"no_code":                  {`{"errcode":0,"errmsg":"ok","userid":"x"}`, "", "secret", "", ErrRefused},
		"endless_code":             {`{"errcode":0,"errmsg":"ok","userid":"x"}`, strings.Repeat("c", 513), "secret", "", ErrRefused},
		"busy":                     {`{"errcode":-1}`, "c", "secret", "", ErrUnavailable},
		"no_errcode":               {`{"userid":"320400-clerk-1"}`, "c", "secret", "", ErrUnavailable},
		"down":                     {``, "c", "secret", "", ErrUnavailable},
		"not_json":                 {`<html>`, "c", "secret", "", ErrUnavailable},
		"address_not_allowed":      {`{"errcode":60020}`, "c", "secret", "", ErrConfig},
		"secret_wrong":             {`{"errcode":0,"userid":"x"}`, "c", "other", "", ErrConfig},
	} {
		got, err := client(t, &office{answer: c.answer}, c.secret, time.Now).Member(t.Context(), c.code)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestTokenIsKeptUntilItEndsOrIsRefused(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := &office{answer: `{"errcode":0,"userid":"x"}`}
	c := client(t, o, "secret", func() time.Time { return now })
	sign := func() {
		t.Helper()
		if _, err := c.Member(t.Context(), "c"); err != nil {
			t.Error(err)
		}
	}
	sign()
	sign()
	if o.tokens != 1 {
		t.Errorf("%d tokens for two codes", o.tokens)
	}
	now = now.Add(2*time.Hour - early)
	sign()
	if o.tokens != 2 {
		t.Errorf("a token is used to its very end")
	}
	o.bad = 2
	sign()
	if o.tokens != 3 || o.asked != 4 {
		t.Errorf("a refused token: %d tokens, code looked at %d times", o.tokens, o.asked)
	}
}

func TestConfigurationThatCannotWork(t *testing.T) {
	good := Config{BaseURL: "https://example.invalid", CorpID: "c", Secret: redact.New("s"), Now: time.Now}
	for name, change := range map[string]func(*Config){
		"address": func(c *Config) { c.BaseURL = "not one" }, "corporation": func(c *Config) { c.CorpID = "" },
		"secret": func(c *Config) { c.Secret = redact.Text{} }, "clock": func(c *Config) { c.Now = nil },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// carry answers in the place of the network.
type carry func(*http.Request) (*http.Response, error)

func (c carry) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// FuzzAnswer has WeCom answer anything to a sign-in code: a member is somebody of
// our corporation or nobody.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"errcode":0,"userid":"320400-clerk-1"}`))
	f.Add(200, []byte(`{"errcode":0,"openid":"oXYZ"}`))
	f.Add(200, []byte(`{"userid":"320400-clerk-1"}`))
	f.Add(200, []byte(`{"errcode":0,"userid":"a#b\n"}`))
	f.Add(500, []byte(`{"errcode":0,"userid":"320400-clerk-1"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		c, err := New(Config{BaseURL: "http://wecom.invalid", CorpID: "corp", Secret: redact.New("s3cret"), Now: time.Now, HTTP: &http.Client{Transport: carry(func(r *http.Request) (*http.Response, error) {
			answer, code := body, status
			if r.URL.Path == "/cgi-bin/gettoken" {
				answer, code = []byte(`{"errcode":0,"access_token":"t","expires_in":7200}`), http.StatusOK
			}
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		who, err := c.Member(t.Context(), "code")
		switch {
		case err != nil && (who != "" || strings.Contains(err.Error(), "s3cret")):
			t.Errorf("%q %v", who, err)
		case err == nil && (status != http.StatusOK || !member().MatchString(who)):
			t.Errorf("%d %q is %q", status, body, who)
		}
	})
}
