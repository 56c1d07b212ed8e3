package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Sessions finds who holds a token; *session.Store is one. It is asked for
// every request: an answer that was kept would outlive a removal (A06).
type Sessions interface {
	Find(ctx context.Context, token string) (session.Session, error)
}

// Config is what the API needs from the world.
type Config struct {
	Sessions Sessions
	Now      func() time.Time
	IDs      *ident.Source
	Logger   *slog.Logger
	Language Language // where the caller asks for none of ours; "" is Chinese
	Docs     string   // begins the type of every problem; "" is DefaultDocs
	// Limiter and Metrics may be nil.
	Limiter Limiter
	Metrics telemetry.Metrics
	// AtOnce is how many requests may be worked on at the same time; 0 is any
	// number. One more is told to come back, because a server that takes
	// everything finishes nothing in time. A Lambda function has one at once anyway.
	AtOnce int
	// Watch sees what answers to staff show. It may be nil where staff ask nothing.
	Watch Watch
}

// DefaultDocs is where problem codes are explained.
const DefaultDocs = "/docs/api/problems#"

type api struct {
	cfg  Config
	mux  *http.ServeMux
	busy chan struct{} // a place for each request being worked on; nil for any number
}

// New serves routes. It panics when a route contradicts itself, which is a
// defect found at start.
func New(cfg Config, routes ...Route) http.Handler {
	if cfg.Language == "" {
		cfg.Language = Chinese
	}
	if cfg.Docs == "" {
		cfg.Docs = DefaultDocs
	}
	if cfg.Metrics == nil {
		cfg.Metrics = telemetry.Discard
	}
	if cfg.Now == nil || cfg.IDs == nil || cfg.Logger == nil {
		panic("httpapi: Now, IDs and Logger are needed")
	}
	a := &api{cfg: cfg, mux: http.NewServeMux()}
	if cfg.AtOnce > 0 {
		a.busy = make(chan struct{}, cfg.AtOnce)
	}
	for _, r := range routes {
		if err := r.check(cfg.Sessions != nil, cfg.Watch != nil); err != nil {
			panic(err)
		}
		if r.Options.MaxBody == 0 {
			r.Options.MaxBody = DefaultMaxBody
		}
		a.mux.Handle(r.Pattern, a.handler(r))
	}
	return a
}

func (r Route) check(sessions, watch bool) error {
	o, method := r.Options, r.method()
	needsSession := o.Caller == Citizen || o.Caller == Staff || o.Caller == SignedIn
	switch {
	case r.serve == nil || method == "":
		return fmt.Errorf("httpapi: %q: a route needs a method and a function", r.Pattern)
	case !needsSession && o.Caller != Anyone && o.Caller != Provider:
		return fmt.Errorf("httpapi: %q: names no caller", r.Pattern)
	case needsSession && !sessions:
		return fmt.Errorf("httpapi: %q: needs sessions", r.Pattern)
	case question(method) && o.Caller == Staff && !watch:
		// Who looks is written down (L06, law art. 70), whoever wrote the route.
		return fmt.Errorf("httpapi: %q: staff look here and nobody watches: set Config.Watch, to watch.Over", r.Pattern)
	case o.Idempotent && !needsSession:
		// Without a principal in the key, whoever guesses it reads another's answer.
		return fmt.Errorf("httpapi: %q: idempotent without a session", r.Pattern)
	case bodyless(method) && r.plan != nil && len(r.plan.fields) > 0:
		return fmt.Errorf("httpapi: %q: a %s has no body to read", r.Pattern, method)
	}
	return nil
}

func (r Route) method() string {
	method, _, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		return ""
	}
	return method
}

func bodyless(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodDelete
}

// question reports whether a method only looks.
func question(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// ServeHTTP finds the route. Paths that no route has are never logged: a
// mistyped one may hold somebody's number.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.URL.Path == "" || r.URL.Path[0] != '/' || cleaned(r.URL.Path) != r.URL.Path {
		a.missing(w, r, ErrNoRoute) // ServeMux would redirect, and a redirected POST is a POST sent twice
		return
	}
	if handler, pattern := a.mux.Handler(r); pattern == "" {
		// ServeMux knows which methods the path has; ask it, and say it in our way.
		seen := probe{header: http.Header{}}
		handler.ServeHTTP(&seen, r)
		allow := seen.header.Get("Allow")
		switch {
		case seen.status != http.StatusMethodNotAllowed:
			a.missing(w, r, ErrNoRoute)
		case r.Method == http.MethodOptions:
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", allow)
			a.missing(w, r, ErrMethod)
		}
		return
	}
	if a.busy != nil {
		select {
		case a.busy <- struct{}{}:
			defer func() { <-a.busy }()
		default:
			a.cfg.Metrics.Count("RequestShed", 1)
			a.exchange(w, r).fail(ErrBusy)
			return
		}
	}
	a.mux.ServeHTTP(w, r)
}

// exchange begins to answer a request whose route is not known yet.
func (a *api) exchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{a: a, w: w, r: r, began: a.cfg.Now(), id: a.cfg.IDs.New(), lang: language(r.Header.Get("Accept-Language"), a.cfg.Language)}
}

// probe is a ResponseWriter that only remembers the head.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }

// cleaned is path as ServeMux would have it.
func cleaned(p string) string {
	c := path.Clean(p)
	if p[len(p)-1] == '/' && c != "/" {
		c += "/"
	}
	return c
}

// missing answers for a path or method that no route has.
func (a *api) missing(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	x := a.exchange(w, r)
	// Counted apart, so that one scanner does not keep his neighbours from signing in.
	x.key = nowhere + address(r.RemoteAddr)
	err := x.allow()
	if err == nil {
		err = f
	}
	x.fail(err)
}

func (a *api) handler(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := a.exchange(w, r)
		x.route = &route
		defer x.recover()
		ans, err := x.run()
		if err != nil {
			x.fail(err)
			return
		}
		x.log(ans.status, nil)
		w.Header().Set("X-Request-Id", x.id)
		send(w, ans.keepable(w.Header(), r))
	})
}

// exchange is one request and its answer.
type exchange struct {
	a     *api
	w     http.ResponseWriter
	r     *http.Request
	route *Route // nil when there is none
	began time.Time
	id    string
	lang  Language
	key   string // of the limiter
}

// run does everything in the one order that is safe: what costs nothing first,
// who asks before what is asked, and everything checked before anything is done.
func (x *exchange) run() (answer, error) {
	o := x.route.Options
	query, err := x.query(o.Query)
	if err != nil {
		return answer{}, err
	}
	parts, err := x.pathValues()
	if err != nil {
		return answer{}, err
	}
	req := Request{
		Trace: x.id, Language: x.lang, Operation: x.route.Pattern,
		QueryValues: query, PathValues: parts,
	}
	if err := x.identify(&req); err != nil {
		return answer{}, err
	}
	if o.Idempotent {
		if req.IdempotencyKey, err = idempotencyKey(x.r.Header); err != nil {
			return answer{}, err
		}
	}
	if req.Raw, err = x.body(); err != nil {
		return answer{}, err
	}
	if p := x.route.plan; p != nil && (len(p.fields) > 0 || !absent(req.Raw)) {
		if req.body, err = parse(req.Raw); err != nil {
			return answer{}, err
		}
	}
	seen := &sight{}
	ctx := context.WithValue(telemetry.WithTrace(x.r.Context(), x.id), sightKey{}, seen)
	ans, err := x.route.serve(ctx, req, x.r.Header)
	if err = x.a.watched(ctx, req, question(x.r.Method), seen, err); err != nil {
		return answer{}, err
	}
	if ans.status < 200 || ans.status > 599 {
		return answer{}, fmt.Errorf("httpapi: %s answered with status %d", x.route.Pattern, ans.status)
	}
	return ans, nil
}

// query refuses every parameter that is not named (X111), and tokens by name,
// because a URL is written into logs all along its way (X087).
func (x *exchange) query(allowed []string) (map[string]string, error) {
	if x.r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, ErrQuery
	}
	out := make(map[string]string, len(values))
	for name, vs := range values {
		if !slices.Contains(allowed, name) {
			if tokenLike(name) {
				return nil, ErrQueryToken
			}
			return nil, ErrQuery
		}
		if len(vs) != 1 || !plain(vs[0], maxQuery) {
			return nil, ErrQuery
		}
		out[name] = vs[0]
	}
	return out, nil
}

// The longest values in a URL, in bytes. What stands in a path becomes part of a key,
// and those have 900.
const (
	maxQuery = 256
	maxPath  = 512
)

// plain reports whether a value in a URL is text of at most so many bytes.
func plain(value string, most int) bool {
	return len(value) <= most && utf8.ValidString(value) && printable(value, false)
}

func tokenLike(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"token", "auth", "session", "bearer", "jwt", "key", "secret"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// pathValues are the parts of the path that the route names. Where one is not plain
// there is nothing: no store could be asked for it.
func (x *exchange) pathValues() (map[string]string, error) {
	var out map[string]string
	for rest := x.route.Pattern; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return out, nil
		}
		name, tail, _ := strings.Cut(after, "}")
		name = strings.TrimSuffix(name, "...")
		rest = tail
		if name == "$" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		value := x.r.PathValue(name)
		if !plain(value, maxPath) {
			return nil, ErrNoRoute
		}
		out[name] = value
	}
}

// identify finds who asks. The token comes from Authorization and from nowhere
// else; headers that a proxy might have set say nothing about who asks (X020).
func (x *exchange) identify(req *Request) error {
	caller := x.route.Options.Caller
	if caller == Provider {
		return nil // a provider's flood is its queue of payments; never refuse it
	}
	token, given := bearer(x.r.Header)
	req.Token = redact.New(token)
	x.key = fromAddress + address(x.r.RemoteAddr)
	if caller == Anyone {
		return x.allow()
	}
	if !given {
		if slow := x.allow(); slow != nil {
			return slow
		}
		return session.ErrNone
	}
	s, err := x.a.cfg.Sessions.Find(x.r.Context(), token)
	if err != nil {
		if slow := x.allow(); slow != nil {
			return slow // guessing tokens is charged to where it comes from
		}
		return err
	}
	req.Principal, req.SignedIn = s.Principal, s.Opened
	x.key = string(s.Kind) + "#" + s.ID
	if err := x.allow(); err != nil {
		return err
	}
	if caller != SignedIn && string(caller) != string(s.Kind) {
		return ErrWrongCaller
	}
	return nil
}

func (x *exchange) allow() error {
	if x.a.cfg.Limiter == nil {
		return nil
	}
	wait, err := x.a.cfg.Limiter.Allow(x.key)
	if err == nil {
		return nil
	}
	f := fault.Of(err)
	x.a.cfg.Metrics.Count("Limited", 1, telemetry.Label{Name: "code", Value: f.Code})
	return f.After(int((wait + time.Second - 1) / time.Second))
}

// bearer is the one bearer token of the header.
func bearer(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", false
	}
	return token, true
}

// address is what an anonymous caller is counted under: an IPv4 address, or the
// /64 that one IPv6 customer has.
func address(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			ip = p.Addr()
		}
	}
	return ip.String()
}

func idempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", ErrNoKey
	}
	if len(values) != 1 || len(values[0]) < 1 || len(values[0]) > 128 {
		return "", ErrBadKey
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c <= ' ' || c > '~' {
			return "", ErrBadKey
		}
	}
	return values[0], nil
}

// body reads the body whole, within its limit, before anybody looks inside.
func (x *exchange) body() ([]byte, error) {
	o := x.route.Options
	if enc := x.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, ErrEncoded
	}
	if x.r.ContentLength > o.MaxBody {
		return nil, ErrTooLarge
	}
	raw, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, o.MaxBody))
	if err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, ErrTooLarge
		}
		return nil, ErrBody
	}
	if x.route.plan == nil {
		return raw, nil
	}
	if bodyless(x.r.Method) {
		if len(raw) > 0 {
			return nil, ErrNoBody
		}
		return nil, nil
	}
	if len(x.route.plan.fields) == 0 && absent(raw) {
		return nil, nil
	}
	kinds := x.r.Header.Values("Content-Type")
	if len(kinds) != 1 {
		return nil, ErrMediaType
	}
	kind, params, err := mime.ParseMediaType(kinds[0])
	if charset, named := params["charset"]; err != nil || kind != "application/json" || (named && !strings.EqualFold(charset, "utf-8")) {
		return nil, ErrMediaType
	}
	return raw, nil
}

func (x *exchange) fail(err error) {
	f := fault.Of(err)
	if f.Kind == fault.Internal && errors.Is(err, context.DeadlineExceeded) {
		f = ErrLate.Because(err) // time ran out: nobody's defect, and safe to ask again
		err = f                  // and is logged as that
	}
	if f.Kind == fault.NotFound && x.key != "" {
		x.a.cfg.Metrics.Count("NotFound", 1)
		if x.a.cfg.Limiter != nil {
			x.a.cfg.Limiter.Missed(x.key)
		}
	}
	x.log(f.Kind.Status(), err)
	x.w.Header().Set("X-Request-Id", x.id)
	x.a.fail(x.w, f, x.id, x.lang)
}

// recover turns a panic into an answer. Neither the log nor the answer has the
// panic's own words, which may quote the request; the stack has no values.
func (x *exchange) recover() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	x.a.cfg.Logger.ErrorContext(telemetry.WithTrace(context.Background(), x.id), "panic",
		"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	x.a.cfg.Metrics.Count("Panic", 1)
	x.fail(errors.New("panic")) // no fault, so Internal
}

// log writes the one line of this request: the route's pattern and never its
// path, the status, the code.
func (x *exchange) log(status int, err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.Int("status", status),
		slog.Int64("ms", x.a.cfg.Now().Sub(x.began).Milliseconds()),
	}
	if x.route != nil {
		attrs = append(attrs, slog.String("route", x.route.Pattern))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	if status >= 500 {
		level = slog.LevelError
		x.a.cfg.Metrics.Count("ServerError", 1)
	}
	x.a.cfg.Logger.LogAttrs(telemetry.WithTrace(x.r.Context(), x.id), level, "request", attrs...)
}

// secure sets the headers that every answer has.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
}

// keepable sets the headers of an answer that anybody may keep. Whoever has it
// already is told so.
func (ans answer) keepable(h http.Header, r *http.Request) answer {
	if ans.style != "" {
		sum := sha256.Sum256([]byte(ans.style))
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; frame-ancestors 'none'")
	}
	if ans.maxAge <= 0 {
		return ans
	}
	sum := sha256.Sum256(ans.body)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(ans.maxAge/time.Second)))
	h.Set("ETag", tag)
	if ans.status == http.StatusOK && r.Header.Get("If-None-Match") == tag {
		return answer{status: http.StatusNotModified}
	}
	return ans
}

func send(w http.ResponseWriter, ans answer) {
	if ans.contentType != "" && len(ans.body) > 0 {
		w.Header().Set("Content-Type", ans.contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(ans.body)))
	}
	w.WriteHeader(ans.status)
	_, _ = io.Copy(w, bytes.NewReader(ans.body)) // a caller who went away needs no answer
}
