package wxapp_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

func TestFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, value, want string }{
		"thing_of_20":                 {"thing1", strings.Repeat("字", 20), strings.Repeat("字", 20)},
		"thing_of_21_is_cut":          {"thing1", strings.Repeat("字", 21), strings.Repeat("字", 19) + "…"},
		"thing_counts_characters":     {"thing12", strings.Repeat("😀", 20), strings.Repeat("😀", 20)},
		"line_breaks_become_spaces":   {"thing1", "第一行\r\n第二行\x00", "第一行 第二行"},
		"invisible_characters_vanish": {"thing1", "安\u200b全\u202e", "安 全"},
		"number":                      {"number2", "12.5", "12.5"},
		"character_string":            {"character_string3", "AB-12 34", "AB-12 34"},
		"time":                        {"time4", "15:01", "15:01"},
		"time_with_day":               {"time4", "2026年11月22日 15:01", "2026年11月22日 15:01"},
		"time_range":                  {"time4", "15:01~16:00", "15:01~16:00"},
		"date":                        {"date5", "2026年11月22日", "2026年11月22日"},
		"date_with_time":              {"date5", "2026年11月22日 09:00", "2026年11月22日 09:00"},
		"amount":                      {"amount6", "¥1200.50", "¥1200.50"},
		"amount_in_words_of_yuan":     {"amount6", "1200.5元", "1200.5元"},
		"phone_number":                {"phone_number7", "+86-0766-66888866", "+86-0766-66888866"},
		"name":                        {"name8", "买买提·艾力", "买买提·艾力"},
		"masked_name":                 {"name8", "张*明", "张*明"},
		"latin_name":                  {"name8", "John Smith", "John Smith"},
		"phrase":                      {"phrase9", "已发放", "已发放"},
		"letter":                      {"letter1", "abc", "abc"},
		"symbol":                      {"symbol1", "★", "★"},
		"car_number":                  {"car_number1", "苏D12345", "苏D12345"},
		"const":                       {"const1", "办结", "办结"},
	} {
		if got, err := wxapp.Fit(c.key, c.value); err != nil || got != c.want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for name, c := range map[string]struct{ key, value string }{
		"empty":                       {"thing1", ""},
		"only_invisible":              {"thing1", "\n\u200b"},
		"not_utf8":                    {"thing1", "\xff"},
		"key_without_number":          {"thing", "x"},
		"key_nobody_knows":            {"wish1", "x"},
		"number_of_33":                {"number1", strings.Repeat("1", 33)},
		"number_with_letters":         {"number1", "1a"},
		"character_string_in_Chinese": {"character_string1", "编号1"},
		"character_string_of_33":      {"character_string1", strings.Repeat("a", 33)},
		"time_of_25_o_clock":          {"time1", "25:00"},
		"iso_date":                    {"date1", "2026-11-22"},
		"month_13":                    {"date1", "2026年13月1日"},
		"amount_grouped":              {"amount1", "¥1,200.50"},
		"amount_of_11_digits":         {"amount1", "12345678901"},
		"amount_is_never_cut":         {"amount1", "1200.50元整"},
		"phone_of_18":                 {"phone_number1", strings.Repeat("1", 18)},
		"name_of_11":                  {"name1", strings.Repeat("张", 11)},
		"latin_name_of_21":            {"name1", strings.Repeat("a", 21)},
		"phrase_of_6":                 {"phrase1", "一二三四五六"},
		"phrase_with_a_digit":         {"phrase1", "第1期"},
		"car_number_of_9":             {"car_number1", "苏D12345678"},
		"letter_with_digit":           {"letter1", "a1"},
	} {
		if got, err := wxapp.Fit(c.key, c.value); err == nil {
			t.Errorf("%s became %q", name, got)
		}
	}
}

// wechat is a WeChat that notes what it is asked.
type wechat struct {
	mu     sync.Mutex
	tokens int
	bodies []string
	answer func(path string, n int) string
}

func (x *wechat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.URL.Path == "/cgi-bin/stable_token" {
		x.tokens++
	}
	x.bodies = append(x.bodies, r.URL.Path+" "+r.URL.RawQuery+" "+string(raw))
	_, _ = w.Write([]byte(x.answer(r.URL.Path, x.tokens)))
}

func newClient(t *testing.T, x *wechat, now func() time.Time) *wxapp.Client {
	t.Helper()
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	c, err := wxapp.New(wxapp.Config{BaseURL: server.URL, AppID: "wx1", Secret: redact.New("s3cret"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var message = wxapp.Message{To: redact.New("o1"), Template: "t1", Data: map[string]string{"thing1": "已发放"}}

// TestTokenLife: kept until a minute before its end, and never for less than
// half a minute, whatever WeChat says of it.
func TestTokenLife(t *testing.T) {
	t.Parallel()
	for expires, kept := range map[string]time.Duration{"7200": 7140 * time.Second, "300": 240 * time.Second, "60": 30 * time.Second, "0": 30 * time.Second} {
		at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		x := &wechat{answer: func(path string, _ int) string {
			if path == "/cgi-bin/stable_token" {
				return `{"access_token":"tok","expires_in":` + expires + `}`
			}
			return `{"errcode":0}`
		}}
		c := newClient(t, x, func() time.Time { return at })
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {kept - time.Nanosecond, 1}, {kept, 2}} {
			at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(step.after)
			if o := c.Send(t.Context(), message); o.Class != wxapp.Sent || x.tokens != step.want {
				t.Errorf("expires_in %s after %v: %+v with %d tokens", expires, step.after, o, x.tokens)
			}
		}
	}
}

func TestTokenIsFetchedOnceForMany(t *testing.T) {
	t.Parallel()
	x := &wechat{answer: func(path string, _ int) string {
		if path == "/cgi-bin/stable_token" {
			return `{"access_token":"tok","expires_in":7200}`
		}
		return `{"errcode":0}`
	}}
	c := newClient(t, x, time.Now)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { c.Send(t.Context(), message) })
	}
	wg.Wait()
	if x.tokens != 1 {
		t.Errorf("%d tokens", x.tokens)
	}
	for _, b := range x.bodies {
		if strings.Contains(b, "force_refresh") {
			t.Error("force_refresh kills the token of every other instance")
		}
	}
}

func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, send string
		want        wxapp.Class
	}{
		"no_errcode_is_not_sent":   {`{"access_token":"t","expires_in":7200}`, `{}`, wxapp.Unknown},
		"not_json":                 {`{"access_token":"t","expires_in":7200}`, `<html>`, wxapp.Unknown},
		"errcode_as_text":          {`{"access_token":"t","expires_in":7200}`, `{"errcode":"0"}`, wxapp.Unknown},
		"token_without_token":      {`{}`, `{"errcode":0}`, wxapp.Retry},
		"token_for_ever":           {`{"access_token":"t","expires_in":99999999}`, `{"errcode":0}`, wxapp.Retry},
		"token_address_not_listed": {`{"errcode":40164}`, `{"errcode":0}`, wxapp.Misconfigured},
		"long_token":               {`{"access_token":"` + strings.Repeat("t", 512) + `","expires_in":7200}`, `{"errcode":0}`, wxapp.Sent},
	} {
		x := &wechat{answer: func(path string, _ int) string {
			if path == "/cgi-bin/stable_token" {
				return c.token
			}
			return c.send
		}}
		if o := newClient(t, x, time.Now).Send(t.Context(), message); o.Class != c.want {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestMessagesThatCannotBeSentAreNotSent(t *testing.T) {
	t.Parallel()
	x := &wechat{answer: func(string, int) string { return `{"errcode":0,"access_token":"t","expires_in":7200}` }}
	c := newClient(t, x, time.Now)
	for name, m := range map[string]wxapp.Message{
		"nobody": {Template: "t", Data: message.Data}, "no_template": {To: message.To, Data: message.Data}, "no_data": {To: message.To, Template: "t"},
		"field": {To: message.To, Template: "t", Data: map[string]string{"amount1": "很多"}},
	} {
		if o := c.Send(t.Context(), m); o.Class != wxapp.Misconfigured {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if len(x.bodies) != 0 {
		t.Errorf("%v", x.bodies)
	}
	if o := c.Send(t.Context(), message); o.Class != wxapp.Sent {
		t.Fatalf("%+v", o)
	}
	var got struct {
		State string `json:"miniprogram_state"`
		Lang  string `json:"lang"`
		Page  string `json:"page"`
	}
	_, body, _ := strings.Cut(x.bodies[1], " access_token=t ")
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.State != "formal" || got.Lang != "zh_CN" || strings.Contains(body, "page") {
		t.Errorf("%v %s", err, body)
	}
}

func TestSessionKeyIsDropped(t *testing.T) {
	t.Parallel()
	x := &wechat{answer: func(string, int) string { return `{"openid":"o1","unionid":"u1","session_key":"canary"}` }}
	id, err := newClient(t, x, time.Now).Code2Session(t.Context(), "a&b=c")
	if err != nil || id.OpenID.Reveal() != "o1" || id.UnionID.Reveal() != "u1" {
		t.Errorf("%v", err)
	}
	if !strings.Contains(x.bodies[0], "js_code=a%26b%3Dc") {
		t.Errorf("the code is not escaped: %s", x.bodies[0])
	}
	x.answer = func(string, int) string { return `{}` }
	if _, err := newClient(t, x, time.Now).Code2Session(t.Context(), "c"); !wxapp.ErrNoAnswer.Is(err) {
		t.Errorf("nobody signed in: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := wxapp.Config{BaseURL: "https://a.example", AppID: "a", Secret: redact.New("b"), Now: time.Now}
	for name, change := range map[string]func(*wxapp.Config){
		"host": func(c *wxapp.Config) { c.BaseURL = "x" }, "app": func(c *wxapp.Config) { c.AppID = "" }, "secret": func(c *wxapp.Config) { c.Secret = redact.Text{} },
		"clock": func(c *wxapp.Config) { c.Now = nil }, "state": func(c *wxapp.Config) { c.State = "beta" },
	} {
		c := good
		change(&c)
		if _, err := wxapp.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// carry answers in the place of the network.
type carry func(*http.Request) (*http.Response, error)

func (c carry) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// FuzzAnswer has WeChat answer anything to a sign-in code: somebody is signed in
// only when the answer names them and no error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"openid":"o1","session_key":"x"}`))
	f.Add(200, []byte(`{"errcode":40029,"openid":"o1"}`))
	f.Add(200, []byte(`{"errcode":"0","openid":"o1"}`))
	f.Add(502, []byte(`{"openid":"o1"}`))
	f.Add(200, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		c, err := wxapp.New(wxapp.Config{BaseURL: "http://wechat.invalid", AppID: "wx1", Secret: redact.New("s3cret"), Now: time.Now, HTTP: &http.Client{Transport: carry(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		who, err := c.Code2Session(t.Context(), "code")
		if err != nil {
			if !who.OpenID.Empty() || strings.Contains(err.Error(), "s3cret") || fault.Of(err).Kind == fault.Internal && fault.Of(err).Code == "internal" {
				t.Errorf("%v %+v", err, who)
			}
			return
		}
		if status != http.StatusOK || who.OpenID.Empty() || len(who.OpenID.Reveal()) > 64 {
			t.Errorf("%d %q signs somebody in", status, body)
		}
	})
}
