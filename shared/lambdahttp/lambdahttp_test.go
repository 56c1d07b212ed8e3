package lambdahttp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/lambdahttp"
)

// recorded is an event as the gateway sends it, read from testdata.
func recorded(t *testing.T, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// seen is what the handler was given.
type seen struct {
	method, path, query, host, remote, uri string
	header                                 http.Header
	length                                 int64
	body                                   []byte
}

func run(t *testing.T, e events.APIGatewayV2HTTPRequest, answer http.HandlerFunc) (seen, events.APIGatewayV2HTTPResponse) {
	t.Helper()
	var s seen
	out, err := lambdahttp.Adapt(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s = seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, r.RequestURI, r.Header, r.ContentLength, body}
		if answer != nil {
			answer(w, r)
		}
	}))(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return s, out
}

func TestRecordedEvents(t *testing.T) {
	t.Parallel()
	s, _ := run(t, recorded(t, "get.json"), nil)
	if s.method != "GET" || s.path != "/v1/applications" || s.query != "after=x%2B1&after=2" || s.host != "aaaaaaaaaa.execute-api.cn-north-1.amazonaws.com.cn" ||
		s.remote != "1.2.3.4:0" || s.uri != "/v1/applications?after=x%2B1&after=2" || s.header.Get("Accept-Language") != "zh-CN,zh;q=0.9" || s.header.Get("Authorization") != "Bearer abc" || len(s.body) != 0 {
		t.Errorf("%+v", s)
	}
	// A callback: base64, signed over its exact bytes, behind a named stage.
	s, _ = run(t, recorded(t, "callback-base64-stage.json"), nil)
	if s.method != "POST" || s.path != "/v1/callbacks/wxpay" || string(s.body) != "{ \"id\":\"EV-1\",\n\"王\":1}" || s.length != int64(len(s.body)) || s.header.Get("Wechatpay-Signature") != "sig" {
		t.Errorf("%+v", s)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	event := func(path, stage string) events.APIGatewayV2HTTPRequest {
		e := events.APIGatewayV2HTTPRequest{RawPath: path}
		e.RequestContext.Stage = stage
		e.RequestContext.HTTP.Method = "GET"
		return e
	}
	for _, c := range []struct{ path, stage, want string }{
		{"/prod/v1/health", "prod", "/v1/health"},
		{"/v1/health", "prod", "/v1/health"}, // a domain of one's own
		{"/production/x", "prod", "/production/x"},
		{"/prod", "prod", "/"},
		{"/$default/x", "$default", "/$default/x"},
		{"/v1/%E7%8E%8B", "$default", "/v1/王"},
		{"/v1/a%2Fb", "$default", "/v1/a/b"},
		{"/v1/100%", "$default", "/v1/100%"},
		{"", "$default", ""},
	} {
		if s, _ := run(t, event(c.path, c.stage), nil); s.path != c.want {
			t.Errorf("%s on %s: %q", c.path, c.stage, s.path)
		}
	}
	forged := event("/", "$default")
	forged.Headers = map[string]string{"x-forwarded-for": "9.9.9.9", "host": "h"}
	forged.RequestContext.HTTP.SourceIP = "2001:db8::1"
	if s, _ := run(t, forged, nil); s.remote != "[2001:db8::1]:0" || s.header.Get("Host") != "" {
		t.Errorf("%+v", s)
	}
	for name, e := range map[string]events.APIGatewayV2HTTPRequest{
		"not_base64": {IsBase64Encoded: true, Body: "%%%"},
		"bad_method": func() events.APIGatewayV2HTTPRequest {
			e := event("/", "")
			e.RequestContext.HTTP.Method = "G E T"
			return e
		}(),
	} {
		if _, out := run(t, e, nil); out.StatusCode != 400 {
			t.Errorf("%s: %d", name, out.StatusCode)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	e := recorded(t, "get.json")
	_, out := run(t, e, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Accept-Language")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(201)
		w.WriteHeader(500) // too late
		w.Header().Set("Late", "1")
		_, _ = io.WriteString(w, `{"a":`)
		_, _ = io.WriteString(w, `"王"}`)
	})
	if out.StatusCode != 201 || out.Body != `{"a":"王"}` || out.IsBase64Encoded || out.Headers["vary"] != "Accept,Accept-Language" || out.Headers["late"] != "" || out.Headers["content-type"] == "" {
		t.Errorf("%+v", out)
	}
	binary := []byte{0xff, 0xd8, 0}
	_, out = run(t, e, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(binary) })
	if got, _ := base64.StdEncoding.DecodeString(out.Body); out.StatusCode != 200 || !out.IsBase64Encoded || !bytes.Equal(got, binary) {
		t.Errorf("%+v", out)
	}
	if _, out = run(t, e, nil); out.StatusCode != 200 || out.Body != "" {
		t.Errorf("no answer: %+v", out)
	}
	_, out = run(t, e, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 4<<20))
		if _, err := io.WriteString(w, "over"); err == nil {
			t.Error("more was taken than Lambda carries")
		}
		_, _ = w.Write(nil)
	})
	if out.StatusCode != 500 || out.Body != "" {
		t.Errorf("too large: %d, %d bytes", out.StatusCode, len(out.Body))
	}
	e.RequestContext.HTTP.Method = "HEAD"
	_, out = run(t, e, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
		_, _ = io.WriteString(w, "{}")
	})
	if out.Body != "" || out.Headers["content-length"] != "2" {
		t.Errorf("HEAD: %+v", out)
	}
	raw, err := json.Marshal(out)
	if err != nil || !strings.Contains(string(raw), `"statusCode":200`) {
		t.Errorf("%s %v", raw, err)
	}
}

func TestTheInvocationsContextReachesTheHandler(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "v")
	_, _ = lambdahttp.Adapt(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != "v" {
			t.Error("another context")
		}
	}))(ctx, recorded(t, "get.json"))
}

// FuzzEvent hands over anything as an event of the gateway: it is answered, the
// body is the one that was sent, and only the gateway says where it is from.
func FuzzEvent(f *testing.F) {
	for _, name := range []string{"get.json", "callback-base64-stage.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"rawPath":"%zz","requestContext":{"http":{"method":"G ET"}}}`))
	f.Add([]byte(`{"isBase64Encoded":true,"body":"%","headers":{"x-forwarded-for":"9.9.9.9"},"requestContext":{"stage":"v1","http":{"method":"POST","sourceIp":"1.2.3.4"}},"rawPath":"/v1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e events.APIGatewayV2HTTPRequest
		if json.Unmarshal(raw, &e) != nil {
			return
		}
		s, out := run(t, e, nil)
		switch out.StatusCode {
		case http.StatusBadRequest: // the handler was not asked
		case http.StatusOK:
			want := []byte(e.Body)
			if e.IsBase64Encoded {
				want, _ = base64.StdEncoding.DecodeString(e.Body)
			}
			if string(s.body) != string(want) || s.query != e.RawQueryString || s.remote != net.JoinHostPort(e.RequestContext.HTTP.SourceIP, "0") {
				t.Errorf("%+v", s)
			}
		default:
			t.Errorf("answered %d", out.StatusCode)
		}
	})
}
