package httpapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/session"
)

// Language is the language of words for people.
type Language string

// The languages.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// Request is what is known of a request besides its body's meaning.
type Request struct {
	// Raw is the body as it came. Never log it.
	Raw []byte
	// Principal is who is asking; zero on routes for Anyone and Provider.
	Principal session.Principal
	// SignedIn is when Principal last proved who they are; for step-up.
	SignedIn time.Time
	// Token is the bearer token the caller came with, verified or not.
	Token redact.Text
	// IdempotencyKey is set on idempotent routes.
	IdempotencyKey string
	// Trace names this request; the answer calls it request_id.
	Trace    string
	Language Language
	// Operation is the route's pattern.
	Operation string
	// PathValues and QueryValues are read through Path and Query.
	PathValues  map[string]string
	QueryValues map[string]string

	body *node // the parsed body of a JSON route
}

// Path is the value of {name} in the pattern.
func (r Request) Path(name string) string { return r.PathValues[name] }

// Query is the value of an allowed query parameter, or "".
func (r Request) Query(name string) string { return r.QueryValues[name] }

// RequestKey says which request this is, the same each time it is sent: the
// digest of who asks, for what, under which Idempotency-Key (event.Request.Key).
// Two principals never share one, nor two operations, nor two paths.
func (r Request) RequestKey() string {
	parts := []string{string(r.Principal.Kind), r.Principal.ID, r.Operation}
	for _, name := range slices.Sorted(maps.Keys(r.PathValues)) {
		parts = append(parts, name, r.PathValues[name])
	}
	return digest(append(parts, r.IdempotencyKey))
}

// Digest says what was asked (event.Request.Digest): a digest of the body in
// canonical form, so that spaces and the order of keys do not make it another
// request, and of the query. It is keyed with the Idempotency-Key, which is
// stored nowhere: a plain hash of a form with an identity number in it could be
// undone by trying every number (P03).
func (r Request) Digest() string {
	body := r.Raw
	if r.body != nil {
		body = r.body.canonical(nil)
	}
	parts := []string{r.IdempotencyKey, string(body)}
	for _, name := range slices.Sorted(maps.Keys(r.QueryValues)) {
		parts = append(parts, name, r.QueryValues[name])
	}
	return digest(parts)
}

// digest is the SHA-256 of length-prefixed parts, in hex.
func digest(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		_, _ = io.WriteString(h, p) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
