// Package lambdahttp runs an http.Handler behind an API Gateway HTTP API
// (payload version 2.0). It translates and decides nothing: what the handler
// answers on a laptop it answers here.
package lambdahttp

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// maxAnswer is the largest body in bytes; Lambda refuses answers over 6 MB,
// and base64 makes four bytes of three.
const maxAnswer = 4 << 20

// Start serves h until the environment ends. It does not return.
func Start(h http.Handler) { lambda.Start(Adapt(h)) }

// Adapt is the Lambda function that serves h. Its error is always nil: an error
// would be answered by the gateway in words of its own.
func Adapt(h http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		r, err := request(ctx, e)
		if err != nil {
			return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
		}
		w := &writer{header: http.Header{}}
		h.ServeHTTP(w, r)
		return w.response(r.Method), nil
	}
}

// request is e as net/http would have read it.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("lambdahttp: body is not base64")
		}
	}
	target := e.RawPath
	// The default domain has the stage in the path, a domain of one's own has not.
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(target, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			target = "/" + strings.TrimPrefix(rest, "/")
		}
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		u = &url.URL{Path: target} // the gateway had unescaped it already
	}
	u.RawQuery = e.RawQueryString
	r, err := http.NewRequestWithContext(ctx, e.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("lambdahttp: method is not one")
	}
	r.URL, r.RequestURI = u, u.RequestURI()
	for name, value := range e.Headers { // names in lower case, repeated values joined by commas
		r.Header.Set(name, value)
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	// Only what the gateway itself saw says where a request is from; anybody
	// can send X-Forwarded-For.
	r.RemoteAddr = net.JoinHostPort(e.RequestContext.HTTP.SourceIP, "0")
	return r, nil
}

// writer keeps an answer until it is complete.
type writer struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	over   bool
	body   bytes.Buffer
}

// Header is the answer's header; changes after WriteHeader have no effect.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader fixes status and header; only the first call counts.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write adds to the body, up to what Lambda can carry.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.over = w.over || w.body.Len()+len(p) > maxAnswer; w.over {
		return 0, io.ErrShortWrite
	}
	return w.body.Write(p)
}

func (w *writer) response(method string) events.APIGatewayV2HTTPResponse {
	w.WriteHeader(http.StatusOK)
	if w.over { // half an answer must not go out as a whole one
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusInternalServerError}
	}
	out := events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: map[string]string{}}
	for name, values := range w.sent {
		out.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if method == http.MethodHead {
		return out
	}
	if utf8.Valid(w.body.Bytes()) {
		out.Body = w.body.String()
	} else {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	return out
}
