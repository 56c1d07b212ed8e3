package lambdahost

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
)

// The limits of API Gateway's HTTP APIs.
const maxRequest = 10 << 20 // bytes of a body

// gateway is the HTTP API: it turns a request into an event of payload version
// 2.0 and the function's answer into a response.
type gateway struct {
	host   *Host
	routes []route
}

type route struct {
	doudi.Route
	function string
	segments []string
}

// API is the HTTP API with the routes of the template.
func (h *Host) API() http.Handler {
	g := &gateway{host: h}
	for name, f := range h.options.Template.Functions {
		for _, r := range f.Routes {
			g.routes = append(g.routes, route{r, name, strings.Split(r.Path, "/")})
		}
	}
	return g
}

// match finds the route of a request; of two that fit, the one with fewer
// variables.
func (g *gateway) match(method, path string) (found route, variables map[string]string, ok bool) {
	segments := strings.Split(path, "/")
	for _, r := range g.routes {
		if r.Method != method || len(r.segments) != len(segments) {
			continue
		}
		at, fits := map[string]string{}, true
		for i, s := range r.segments {
			if name, variable := strings.CutPrefix(s, "{"); variable && segments[i] != "" {
				at[strings.TrimSuffix(name, "}")] = segments[i]
			} else if s != segments[i] {
				fits = false
				break
			}
		}
		if fits && (!ok || len(at) < len(variables)) {
			found, variables, ok = r, at, true
		}
	}
	return found, variables, ok
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, variables, ok := g.match(r.Method, r.URL.Path)
	if !ok {
		say(w, http.StatusNotFound, "Not Found")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		say(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	if err != nil {
		return // the caller is gone
	}
	event, err := json.Marshal(g.event(r, route, variables, body))
	if err != nil {
		say(w, http.StatusBadRequest, "Bad Request")
		return
	}
	// A caller who goes away does not stop a function.
	answer, err := g.host.Invoke(g.host.ctx, route.function, event)
	if err != nil {
		g.host.options.Log.Warn("a request failed", "route", route.String(), "why", kind(err))
		say(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	g.respond(w, route, answer)
}

func say(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the caller is gone when this fails
}

func (g *gateway) event(r *http.Request, route route, variables map[string]string, body []byte) events.APIGatewayV2HTTPRequest {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = "127.0.0.1"
	}
	now := time.Now()
	key := route.Method + " " + route.Path
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: key, RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host, "x-forwarded-for": source, "x-forwarded-proto": "http"}, PathParameters: variables,
		QueryStringParameters: joined(r.URL.Query()),
		RequestContext: events.APIGatewayV2HTTPRequestContext{RouteKey: key, AccountID: cloud.Account, Stage: "$default", RequestID: g.host.options.IDs.New(),
			APIID: "local", DomainName: r.Host, DomainPrefix: "local", Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent()}}}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if name == "x-forwarded-for" { // the gateway adds what it saw to what it was told
			values = append(values, source)
		}
		e.Headers[name] = strings.Join(values, ",")
	}
	if e.IsBase64Encoded = !isText(r.Header.Get("Content-Type")) && len(body) > 0; e.IsBase64Encoded {
		e.Body = base64.StdEncoding.EncodeToString(body)
	} else {
		e.Body = string(body)
	}
	return e
}

func joined(query url.Values) map[string]string {
	out := map[string]string{}
	for name, values := range query {
		out[name] = strings.Join(values, ",")
	}
	return out
}

// isText reports whether the gateway passes a body of this type on as it is;
// everything else it encodes.
func isText(contentType string) bool {
	kind := strings.ToLower(strings.TrimSpace(strings.Split(contentType, ";")[0]))
	return strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == "application/xml" || kind == "application/javascript"
}

// respond answers as the function said; one whose answer is no answer is a
// broken function.
func (g *gateway) respond(w http.ResponseWriter, route route, answer []byte) {
	var out events.APIGatewayV2HTTPResponse
	err := json.Unmarshal(answer, &out)
	body := []byte(out.Body)
	if err == nil && out.IsBase64Encoded {
		body, err = base64.StdEncoding.DecodeString(out.Body)
	}
	if err != nil || out.StatusCode < 200 || out.StatusCode > 599 {
		g.host.options.Log.Warn("an answer is none", "route", route.String(), "err", err)
		say(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	for name, values := range out.MultiValueHeaders {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	for _, c := range out.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.Header().Set("Apigw-Requestid", g.host.options.IDs.New())
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(body) // the caller is gone when this fails
}
