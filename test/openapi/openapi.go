// Package openapi holds replies against the API document. A test wraps its
// handler in Checked, and every reply that the document does not promise fails
// the test. It knows the document and no function.
package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/doudi-aid/doudi/docs/api"
)

// Checked serves as h does and fails t for every reply that the document does
// not describe: an unknown status, a missing or mistyped field, a code that is
// not in the table, a field nobody wrote down.
func Checked(t testing.TB, h http.Handler) http.Handler {
	t.Helper()
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("openapi: %s %s: reading the request: %v", r.Method, r.URL.Path, err)
		}
		sent := r.Clone(r.Context())
		sent.Body = io.NopCloser(bytes.NewReader(body))
		reply := httptest.NewRecorder()
		h.ServeHTTP(reply, sent)
		if err := doc.check(r, reply.Code, reply.Header(), reply.Body.Bytes()); err != nil {
			t.Errorf("openapi: %s %s answered %d: %v", r.Method, r.URL.Path, reply.Code, err)
		}
		for name, values := range reply.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.Code)
		_, _ = w.Write(reply.Body.Bytes()) // the client's going away is the client's business
	})
}

// Hold holds one reply that came over the wire against the document.
func Hold(r *http.Request, status int, header http.Header, body []byte) error {
	doc, err := loaded()
	if err != nil {
		return err
	}
	return doc.check(r, status, header, body)
}

// Transport carries requests by base and fails t for every reply of the API that
// the document does not describe. What is not below /v1/ is not the API's.
func Transport(t testing.TB, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return carrier(func(r *http.Request) (*http.Response, error) {
		reply, err := base.RoundTrip(r)
		if err != nil || !strings.HasPrefix(r.URL.Path, "/v1/") {
			return reply, err
		}
		body, err := io.ReadAll(reply.Body)
		if err := errors.Join(err, reply.Body.Close()); err != nil {
			return nil, err
		}
		if err := doc.check(r, reply.StatusCode, reply.Header, body); err != nil {
			t.Errorf("openapi: %s %s answered %d: %v", r.Method, r.URL.Path, reply.StatusCode, err)
		}
		reply.Body = io.NopCloser(bytes.NewReader(body))
		return reply, nil
	})
}

type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// document is the API document, ready to be asked.
type document struct {
	spec   *openapi3.T
	router routers.Router
	status map[string]int // by error code
}

var loaded = sync.OnceValues(func() (*document, error) { return Load(api.Document) })

// Load reads and validates a document, its examples included.
func Load(raw []byte) (*document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	// The server of the document is one of many; a test's is another.
	spec.Servers = nil
	if err := spec.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	// A client must bear fields it does not know. Our own replies may have none
	// that nobody wrote down.
	for _, s := range spec.Components.Schemas {
		if closed := false; len(s.Value.Properties) > 0 && s.Value.AdditionalProperties.Has == nil {
			s.Value.AdditionalProperties.Has = &closed
		}
	}
	router, err := legacy.NewRouter(spec)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	d := &document{spec, router, map[string]int{}}
	raw, err = json.Marshal(spec.Extensions["x-error-codes"])
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	var table []struct {
		Code   string
		Status int
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		return nil, fmt.Errorf("openapi: x-error-codes: %w", err)
	}
	for _, row := range table {
		d.status[row.Code] = row.Status
	}
	return d, nil
}

// check holds one reply against the document.
func (d *document) check(r *http.Request, status int, header http.Header, body []byte) error {
	if strings.HasPrefix(header.Get("Content-Type"), "application/problem+json") {
		var p struct {
			Code   string
			Status int
		}
		if err := json.Unmarshal(body, &p); err != nil {
			return err
		}
		want, known := d.status[p.Code]
		if !known {
			return fmt.Errorf("code %q is not in x-error-codes", p.Code)
		}
		if want != status || p.Status != status {
			return fmt.Errorf("code %q belongs to status %d; the document says %d and the reply %d", p.Code, want, p.Status, status)
		}
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusTooManyRequests {
			return nil
		}
		return fmt.Errorf("the document has no such operation: %w", err)
	}
	if route.Operation.Responses.Value(fmt.Sprint(status)) == nil {
		return fmt.Errorf("the document promises no status %d here", status)
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}
