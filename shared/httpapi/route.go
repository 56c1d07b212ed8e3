// Package httpapi turns Go functions into an HTTP API that is strict on the way
// in and says one thing in one way on the way out. A request is checked whole
// (caller, query, size, media type, every field) before any function runs; an
// error becomes a problem document by its fault kind and by nothing else. It
// knows no noun, no cloud and no store, and it never echoes or logs what a
// caller sent.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
)

// Caller is who may call a route. There is no default: a route that names no
// caller is refused at start.
type Caller string

// The callers.
const (
	// Anyone needs no session. Such a route sees no principal, but the token the
	// caller came with, if any.
	Anyone Caller = "anyone"
	// Citizen needs a citizen's session.
	Citizen Caller = "citizen"
	// Staff needs a staff member's session.
	Staff Caller = "staff"
	// SignedIn needs a session of either kind.
	SignedIn Caller = "signed-in"
	// Provider is a system of the outside world that signs what it sends; the
	// handler verifies the signature over the exact bytes.
	Provider Caller = "provider"
)

// DefaultMaxBody is how many bytes a body may have where Options says nothing.
const DefaultMaxBody = 256 << 10

// Options say what a route asks of a request.
type Options struct {
	Caller Caller
	// Idempotent routes need an Idempotency-Key header and a session.
	Idempotent bool
	// MaxBody is in bytes; 0 is DefaultMaxBody.
	MaxBody int64
	// Query names the query parameters that are allowed. All others are refused.
	Query []string
}

// Route is one operation. In and Out are what its function reads and writes;
// nil for the exact bytes of a Raw route.
type Route struct {
	Pattern string // of net/http: "POST /v1/applications/{id}/proposals"
	Status  int    // of an answer that does not name its own
	Options Options
	In, Out reflect.Type

	plan  *plan
	serve func(context.Context, Request, http.Header) (answer, error)
}

// Routes are what a function answers.
type Routes []Route

// None is the In of a route without a body and the Out of one without an answer.
type None struct{}

// Call is a request whose body was read into In.
type Call[In any] struct {
	Request
	Body In
}

// RawCall is a request whose body nobody has looked at. Header holds what the
// caller sent, for signatures.
type RawCall struct {
	Request
	Header http.Header
}

// RawAnswer is an answer in the caller's own protocol.
type RawAnswer struct {
	Status      int
	ContentType string // empty for an answer without body
	Body        []byte
	// MaxAge is how long anybody may keep the answer; 0 is not at all.
	MaxAge time.Duration
	// Style is the style sheet in a page, the only thing that a browser may apply
	// of it: there are no scripts and nothing is loaded.
	Style string
}

// Stored is an answer whose bytes were fixed earlier. A function that answers it
// gives the same bytes however often it is asked.
type Stored struct {
	Status int
	Body   []byte
	// MaxAge is how long anybody may keep the answer; 0 is not at all. It is for
	// what the public may see.
	MaxAge time.Duration
}

// Reply is a T whose bytes are fixed, to be stored with the change that made it
// and given again when the request comes again. Route.Out of a function that
// answers Reply[T] is T.
type Reply[T any] struct{ Stored }

// Fresh fixes the bytes of v. Store Status and Body (event.Request) before
// answering.
func Fresh[T any](status int, v T) (Reply[T], error) {
	body, err := Encode(v)
	return Reply[T]{Stored{Status: status, Body: body}}, err
}

// Again is the reply whose bytes were stored.
func Again[T any](status int, body []byte) Reply[T] {
	return Reply[T]{Stored{Status: status, Body: body}}
}

// Keepable is the reply whose bytes were fixed, which anybody may keep for a while.
func Keepable[T any](body []byte, maxAge time.Duration) Reply[T] {
	return Reply[T]{Stored{http.StatusOK, body, maxAge}}
}

func (s Stored) stored() Stored      { return s }
func (Reply[T]) holds() reflect.Type { return reflect.TypeFor[T]() }

// Encode is how this API writes v: fields in the order of the struct. Bytes it
// made survive being stored as json.RawMessage unchanged.
func Encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("httpapi: encode %T: %w", v, err)
	}
	return body, nil
}

// answer is what goes out.
type answer struct {
	status      int
	contentType string
	body        []byte
	maxAge      time.Duration
	style       string
}

const jsonType = "application/json; charset=utf-8"

// With gives h what it needs from the world, so that JSON or Raw takes it.
func With[Deps, In, Out any](d Deps, h func(context.Context, Deps, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) { return h(ctx, d, in) }
}

// JSON is a route that reads In and answers Out with status. It panics when In
// has a field that cannot be read strictly: that is a defect found at start.
func JSON[In, Out any](pattern string, status int, o Options, h func(context.Context, Call[In]) (Out, error)) Route {
	return Checked(pattern, status, o, nil, h)
}

// Checked is JSON for a function that judges what fields mean: when the form of
// a body is wrong already, check looks at what could be read of it, so that the
// caller hears of everything at once. What check says about a field whose form
// is wrong is left out, and so is any error of it that names no field.
func Checked[In, Out any](pattern string, status int, o Options, check func(context.Context, Call[In]) error, h func(context.Context, Call[In]) (Out, error)) Route {
	return typed(Route{Pattern: pattern, Status: status, Options: o}, check, h)
}

// typed is Checked without its types, of which each would be another copy of the
// same code: check and h are functions as there, check may be a nil one.
func typed(route Route, check, h any) Route {
	do, judge := reflect.ValueOf(h), reflect.ValueOf(check)
	call, out := do.Type().In(1), do.Type().Out(0)
	body, _ := call.FieldByName("Body")
	if r, ok := reflect.Zero(out).Interface().(interface{ holds() reflect.Type }); ok {
		out = r.holds()
	}
	p := planFor(body.Type)
	serve := func(ctx context.Context, r Request, _ http.Header) (answer, error) {
		c := reflect.New(call).Elem()
		c.FieldByName("Request").Set(reflect.ValueOf(r))
		asked := []reflect.Value{reflect.ValueOf(&ctx).Elem(), c}
		if r.body != nil {
			if err := p.bind(r.body, c.FieldByName("Body")); err != nil {
				if !judge.IsNil() {
					err = merge(err, failed(judge.Call(asked)[0]))
				}
				return answer{}, err
			}
		}
		said := do.Call(asked)
		if err := failed(said[1]); err != nil {
			return answer{}, err
		}
		v := said[0].Interface()
		if s, ok := v.(interface{ stored() Stored }); ok {
			kept := s.stored()
			return answer{status: kept.Status, contentType: jsonType, body: kept.Body, maxAge: kept.MaxAge}, nil
		}
		if _, none := v.(None); none {
			return answer{status: http.StatusNoContent}, nil
		}
		body, err := Encode(v)
		return answer{status: route.Status, contentType: jsonType, body: body}, err
	}
	route.In, route.Out, route.plan, route.serve = body.Type, out, p, serve
	return route
}

// failed is the error in v, or nil.
func failed(v reflect.Value) error {
	err, _ := v.Interface().(error)
	return err
}

// merge adds to form, what is wrong with the form of a body, what meaning says
// about other fields.
func merge(form, meaning error) error {
	wrong, ok := errors.AsType[*fault.Error](form)
	more, also := errors.AsType[*fault.Error](meaning)
	if !ok || !also {
		return form
	}
	named := wrong.Fields
	for _, f := range more.Fields {
		covered := slices.ContainsFunc(named, func(n fault.Field) bool {
			return n.Pointer == f.Pointer || strings.HasPrefix(f.Pointer, n.Pointer+"/") || strings.HasPrefix(n.Pointer, f.Pointer+"/")
		})
		if !covered && len(wrong.Fields) < maxProblems {
			wrong = wrong.With(f)
		}
	}
	return wrong
}

// Raw is a route that gets the exact bytes of the body and answers exact bytes.
func Raw(pattern string, o Options, h func(context.Context, RawCall) (RawAnswer, error)) Route {
	serve := func(ctx context.Context, r Request, header http.Header) (answer, error) {
		a, err := h(ctx, RawCall{r, header})
		return answer{a.Status, a.ContentType, a.Body, a.MaxAge, a.Style}, err
	}
	return Route{Pattern: pattern, Status: http.StatusOK, Options: o, serve: serve}
}
