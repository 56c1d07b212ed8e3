package sms_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/sms"
)

// TestSignature holds the signer against a vector made with openssl by the
// script in testdata, which shares nothing with the signer.
func TestSignature(t *testing.T) {
	t.Parallel()
	body := []byte(`{"PhoneNumberSet":["+8619901000001"]}`)
	got := sms.Authorization("AKIDEXAMPLE", "EXAMPLEKEY", "SMS.tencentcloudapi.com", time.Date(2026, 11, 22, 23, 30, 0, 0, time.FixedZone("CST", 8*3600)), body)
	want := "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2026-11-22/sms/tc3_request, SignedHeaders=content-type;host;x-tc-action, Signature=9fa463ad3ce996eb57ad835a489168f5892eb54027a8f039f0686f02b6c60812"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The date in the scope is UTC: one hour after midnight in China is the day before.
	early := sms.Authorization("A", "K", "h", time.Date(2026, 11, 23, 1, 0, 0, 0, time.FixedZone("CST", 8*3600)), body)
	if !strings.Contains(early, "/2026-11-22/") {
		t.Error(early)
	}
}

func client(t *testing.T, status int, answer string, calls *int) *sms.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		*calls++
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	c, err := sms.New(config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func config(base string) sms.Config {
	return sms.Config{BaseURL: base, SecretID: "id", SecretKey: redact.New("key"), Region: "ap-nanjing", AppID: "1", Sign: "兜底救助",
		Templates: map[string]string{"paid": "9"}, Now: time.Now}
}

var message = sms.Message{To: civil.StoredPhone("19901000001"), Template: "paid", Params: []string{"1"}}

func one(code string) string {
	return `{"Response":{"SendStatusSet":[{"SerialNo":"s1","Code":"` + code + `"}]}}`
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		answer string
		want   sms.Class
		alarm  bool
	}{
		"ok":                   {200, one("Ok"), sms.Sent, false},
		"ok_with_500":          {500, one("Ok"), sms.Unknown, false},
		"ok_in_other_case":     {200, one("OK"), sms.Refused, true},
		"no_status":            {200, `{"Response":{"SendStatusSet":[]}}`, sms.Unknown, false},
		"two_statuses":         {200, `{"Response":{"SendStatusSet":[{"Code":"Ok"},{"Code":"Ok"}]}}`, sms.Unknown, false},
		"nothing":              {200, `{}`, sms.Unknown, false},
		"no_code":              {200, one(""), sms.Unknown, false},
		"code_with_a_log_line": {200, one(`x\nlevel=ERROR`), sms.Unknown, false},
		"signature_wrong":      {200, `{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"19901000001"}}}`, sms.Refused, true},
		"rate":                 {200, `{"Response":{"Error":{"Code":"RequestLimitExceeded"}}}`, sms.Busy, false},
		"internal":             {200, `{"Response":{"Error":{"Code":"InternalError.RequestTimeException"}}}`, sms.Unknown, false},
		"wrong_number":         {200, one("InvalidParameterValue.IncorrectPhoneNumber"), sms.Refused, false},
		"content":              {200, one("FailedOperation.ContainSensitiveWord"), sms.Refused, true},
	} {
		calls := 0
		o := client(t, c.status, c.answer, &calls).Send(t.Context(), message)
		if o.Class != c.want || o.Alarm != c.alarm || calls != 1 || strings.Contains(o.Code, "\n") || strings.Contains(o.Code, "1990") {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestMessagesThatCannotBeSentAreNotSent(t *testing.T) {
	t.Parallel()
	calls := 0
	c := client(t, 200, one("Ok"), &calls)
	for name, change := range map[string]func(*sms.Message){
		"template":       func(m *sms.Message) { m.Template = "other" },
		"landline":       func(m *sms.Message) { m.To = civil.StoredPhone("02288880000") },
		"nobody":         func(m *sms.Message) { m.To = civil.Phone{} },
		"long_parameter": func(m *sms.Message) { m.Params = []string{strings.Repeat("字", sms.ParameterLimit+1)} },
		"no_parameter":   func(m *sms.Message) { m.Params = []string{""} },
		"brackets":       func(m *sms.Message) { m.Params = []string{"【银行】"} },
		"line_break":     func(m *sms.Message) { m.Params = []string{"a\nb"} },
		"session":        func(m *sms.Message) { m.Session = strings.Repeat("s", 513) },
	} {
		m := message
		change(&m)
		if o := c.Send(t.Context(), m); o.Class != sms.Refused {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if calls != 0 {
		t.Errorf("%d calls", calls)
	}
	m := message
	m.Params = []string{strings.Repeat("字", sms.ParameterLimit)}
	if o := c.Send(t.Context(), m); o.Class != sms.Sent || o.Serial != "s1" {
		t.Errorf("%+v", o)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sms.Config){
		"host": func(c *sms.Config) { c.BaseURL = "x" }, "id": func(c *sms.Config) { c.SecretID = "" }, "sign": func(c *sms.Config) { c.Sign = "一" },
		"templates": func(c *sms.Config) { c.Templates = nil }, "clock": func(c *sms.Config) { c.Now = nil },
	} {
		c := config("https://a.example")
		change(&c)
		if _, err := sms.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// carry answers in the place of the network.
type carry func(*http.Request) (*http.Response, error)

func (c carry) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// FuzzAnswer has the provider answer anything: only its documented yes is one, and
// nothing of it but codes comes through.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(one("Ok")))
	f.Add(500, []byte(one("Ok")))
	f.Add(200, []byte(one("FailedOperation\\n<b>")))
	f.Add(200, []byte(`{"Response":{"Error":{"Code":"InternalError"},"SendStatusSet":[{"Code":"Ok"}]}}`))
	f.Add(200, []byte(`{"response":{"sendstatusset":[{"code":"Ok"}]}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		cfg := config("http://sms.invalid")
		cfg.HTTP = &http.Client{Transport: carry(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})}
		c, err := sms.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		o := c.Send(t.Context(), message)
		if o.Class == sms.Sent && (status != http.StatusOK || !bytes.Contains(body, []byte("Ok"))) {
			t.Errorf("%d %q is %+v", status, body, o)
		}
		if strings.ContainsAny(o.Code+o.Serial, "\n\r<>\" ") {
			t.Errorf("%+v", o)
		}
	})
}
