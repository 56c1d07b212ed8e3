package awscall

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

var words = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "token"}, nil
})

var kms = Service{Name: "kms", Target: "TrentService", Version: "1.1"}

// doer answers without a network.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func answered(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func client(region string, d doer) *Client {
	return New(Config{Region: region, Credentials: words, HTTP: d, Now: func() time.Time { return time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC) },
		Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
}

func TestWhereAndHowItCalls(t *testing.T) {
	for region, domain := range map[string]string{"cn-north-1": "amazonaws.com.cn", "cn-northwest-1": "amazonaws.com.cn", "us-east-1": "amazonaws.com"} {
		var seen []*http.Request
		c := client(region, func(r *http.Request) (*http.Response, error) {
			seen = append(seen, r)
			return answered(200, nil, "{}"), nil
		})
		var out struct{}
		err1 := c.JSON(t.Context(), kms, "Decrypt", map[string]string{"KeyId": "k"}, &out)
		err2 := c.PutObject(t.Context(), "evidence", "document/a", []byte("x"))
		_, err3 := c.GetObject(t.Context(), "evidence", "document/a", 10)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{
			"POST https://kms." + region + "." + domain + "/", "PUT https://evidence.s3." + region + "." + domain + "/document/a",
			"GET https://evidence.s3." + region + "." + domain + "/document/a",
		} {
			if got := seen[i].Method + " " + seen[i].URL.String(); got != want {
				t.Errorf("called %s, want %s", got, want)
			}
			if _, bounded := seen[i].Context().Deadline(); !bounded {
				t.Errorf("%s: without a deadline", want)
			}
			if auth := seen[i].Header.Get("Authorization"); !strings.Contains(auth, "20261123/"+region+"/") || !strings.Contains(auth, "x-amz-content-sha256") || !strings.Contains(auth, "x-amz-security-token") {
				t.Errorf("%s: signed %s", want, auth)
			}
		}
		if r := seen[0]; r.Header.Get("X-Amz-Target") != "TrentService.Decrypt" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("headers %v", r.Header)
		}
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	lost := errors.New("https://secret.example/ connection reset")
	for name, c := range map[string]struct {
		status int
		header string
		body   string
		err    error
		calls  int
		code   string
	}{
		"refused":                {400, "", `{"__type":"com.amazonaws.kms#NotFoundException"}`, nil, 1, "NotFoundException"},
		"refused_in_the_header":  {400, "AccessDeniedException:http://x", `{"__type":"Other"}`, nil, 1, "AccessDeniedException"},
		"refused_in_other_words": {403, "", `{"code":"InvalidSignatureException"}`, nil, 1, "InvalidSignatureException"},
		"refused_without_words":  {404, "", `<html>`, nil, 1, "Not Found"},
		"throttled":              {400, "", `{"__type":"ThrottlingException"}`, nil, attempts, "ThrottlingException"},
		"broken":                 {500, "", `{"__type":"KMSInternalException"}`, nil, attempts, "KMSInternalException"},
		"elsewhere":              {307, "", ``, nil, 1, "Temporary Redirect"},
		"lost":                   {0, "", ``, lost, attempts, ""},
	} {
		calls := 0
		client := client("cn-north-1", func(*http.Request) (*http.Response, error) {
			calls++
			if c.err != nil {
				return nil, c.err
			}
			return answered(c.status, http.Header{"X-Amzn-Errortype": {c.header}}, c.body), nil
		})
		var out struct{}
		err := client.JSON(t.Context(), kms, "Decrypt", map[string]string{"KeyId": "k"}, &out)
		if err == nil || calls != c.calls || c.code != "" && !IsCode(err, "Other", c.code) || c.code == "" && !errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
		if err != nil && strings.Contains(err.Error(), "secret.example") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	c := client("cn-north-1", func(*http.Request) (*http.Response, error) { calls++; cancel(); return nil, lost })
	if err := c.PutObject(ctx, "b", "k", nil); err == nil || calls != 1 {
		t.Errorf("after the caller gave up: %d calls", calls)
	}
}

func TestAnswersAreBoundedAndNotQuoted(t *testing.T) {
	const hush = "correct-horse"
	c := client("cn-north-1", func(*http.Request) (*http.Response, error) {
		return answered(200, nil, `{"Plaintext":{"`+hush+`":1}}`), nil
	})
	var out struct{ Plaintext []byte }
	if err := c.JSON(t.Context(), kms, "Decrypt", nil, &out); err == nil || strings.Contains(err.Error(), hush) {
		t.Errorf("%v", err)
	}
	if _, err := c.GetObject(t.Context(), "b", "k", 5); err == nil {
		t.Error("an object larger than the limit was read")
	}
	if err := c.JSON(t.Context(), kms, "Decrypt", func() {}, &out); err == nil {
		t.Error("a function was sent")
	}
}

// A body that is sent again must be whole again, over a real connection too.
func TestEachAttemptIsWholeAndSigned(t *testing.T) {
	var bodies, dates []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		bodies, dates = append(bodies, string(raw)), append(dates, r.Header.Get("X-Amz-Date"))
		if len(bodies) < attempts {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"KeyId": "k"})
	}))
	defer server.Close()
	now := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	c := New(Config{Region: "cn-north-1", Credentials: words, HTTP: server.Client(), Now: func() time.Time { now = now.Add(time.Second); return now },
		Endpoint: func(string) string { return server.URL + "/" }, Pause: func(context.Context, time.Duration) error { return nil }})
	var out struct {
		KeyID string `json:"KeyId"`
	}
	if err := c.JSON(t.Context(), kms, "Decrypt", map[string]string{"a": "b"}, &out); err != nil || out.KeyID != "k" {
		t.Fatal(out, err)
	}
	for i := range attempts {
		if bodies[i] != `{"a":"b"}` || i > 0 && dates[i] == dates[i-1] {
			t.Errorf("attempt %d: %s at %s", i, bodies[i], dates[i])
		}
	}
}

func TestTheRealPauseEndsWithItsCaller(t *testing.T) {
	if err := pause(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); err == nil {
		t.Error("it waits for nobody")
	}
}

func TestOnceIsOnce(t *testing.T) {
	calls := 0
	c := client("cn-north-1", func(*http.Request) (*http.Response, error) {
		calls++
		return answered(503, nil, `{"__type":"x#Busy","why":"w"}`), nil
	})
	var out struct{}
	err := c.JSONOnce(t.Context(), kms, "Write", map[string]string{}, &out)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != "Busy" || string(e.Detail) != `{"__type":"x#Busy","why":"w"}` || strings.Contains(err.Error(), "why") || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// What never left this machine was not carried out; of all else nobody knows.
func TestNotSent(t *testing.T) {
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	deaf := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or it does not see the caller go
		<-r.Context().Done()
	}))
	defer deaf.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for at, notSent := range map[string]bool{nobody.URL: true, deaf.URL: false, cut.URL: false} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		c := New(Config{Region: "cn-north-1", Credentials: words, HTTP: &http.Client{}, Now: time.Now, Endpoint: func(string) string { return at }})
		var out struct{}
		err := c.JSONOnce(ctx, kms, "Write", map[string]string{}, &out)
		cancel()
		if !errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrNotSent) != notSent || errors.Is(err, context.DeadlineExceeded) != (at == deaf.URL) {
			t.Errorf("not sent %t: %v", notSent, err)
		}
	}
}

func TestDamagedAndLargeAnswers(t *testing.T) {
	body := `{"KeyId":"` + strings.Repeat("k", jsonLimit) + `"}`
	large := kms
	large.Limit = 2 * jsonLimit
	for name, c := range map[string]struct {
		sum     string
		service Service
		ok      bool
	}{
		"whole":     {"3471719959", large, true},
		"damaged":   {"3471719958", large, false},
		"too_large": {"", kms, false},
		"unchecked": {"", large, true},
	} {
		var out struct {
			KeyID string `json:"KeyId"`
		}
		client := client("cn-north-1", func(*http.Request) (*http.Response, error) {
			return answered(200, http.Header{"X-Amz-Crc32": {c.sum}}, body), nil
		})
		if err := client.JSON(t.Context(), c.service, "Read", nil, &out); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	said := map[string]string{}
	from := Environment(func(name string) string { return said[name] })
	if _, err := from.Retrieve(t.Context()); err == nil {
		t.Error("nobody's credentials were taken")
	}
	said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"], said["AWS_SESSION_TOKEN"] = "a", "b", "c"
	if c, err := from.Retrieve(t.Context()); err != nil || c.AccessKeyID != "a" || c.SecretAccessKey != "b" || c.SessionToken != "c" {
		t.Errorf("%+v %v", c, err)
	}
}

// FuzzAnswer has AWS, or whoever sits in its place, answer anything: it is an answer
// within its bound, or an error that quotes nothing of it and says whether it may have
// been done; an error that is the service's own has its status and a code.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", "", "", []byte(`{"Plaintext":"c2VjcmV0"}`))
	f.Add(400, "application/x-amz-json-1.1", "", "", []byte(`{"__type":"com.amazonaws.kms#NotFoundException:http://x","message":"canary-canary"}`))
	f.Add(400, "", "AccessDeniedException:http://x", "", []byte("canary-canary"))
	f.Add(400, "", "canary-canary", "", []byte(`{}`))
	f.Add(404, "", "", "", []byte("<Error><Code>canary-canary</Code>"))
	f.Add(400, "", strings.Repeat("Long", 200), "", []byte(`{}`))
	f.Add(500, "", "", "7", []byte(`<Error><Code>SlowDown</Code></Error>`))
	f.Add(200, "", "", "1", []byte(`{"Plaintext":7}`))
	f.Add(302, "", "", "", []byte(`{"code":1,"__type":[]}`))
	f.Add(999, "", "\x00", "x", []byte("<Error><Code>a</Code>"))
	f.Fuzz(func(t *testing.T, status int, media, kind, sum string, body []byte) {
		if status < 100 || status > 999 {
			return
		}
		header := http.Header{"Content-Type": {media}, "X-Amzn-Errortype": {kind}}
		if sum != "" {
			header["X-Amz-Crc32"] = []string{sum}
		}
		c := client("cn-north-1", func(*http.Request) (*http.Response, error) { return answered(status, header, string(body)), nil })
		var out struct{ Plaintext []byte }
		small := kms
		small.Limit = 64
		_, err2 := c.GetObject(t.Context(), "evidence", "document/a", 64)
		for _, err := range []error{c.JSON(t.Context(), small, "Decrypt", struct{}{}, &out), err2} {
			if err == nil {
				if status/100 != 2 || len(body) > 64 {
					t.Errorf("%d with %d bytes is an answer", status, len(body))
				}
				continue
			}
			if strings.Contains(err.Error(), "canary-canary") || len(err.Error()) > 400 {
				t.Errorf("it quotes the answer: %v", err)
			}
			if e, own := errors.AsType[*Error](err); own && (e.Status != status || e.Code == "" || status/100 == 2) {
				t.Errorf("%d is %+v", status, e)
			}
		}
	})
}
