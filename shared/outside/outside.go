// Package outside makes one HTTP call to a party that is not ours, with a
// deadline, a limit on what is read, no redirects and no compression, and says
// no more about a failure than its class: never an address, a header or a
// body, because those carry secrets and people. It knows no provider and draws
// no conclusion: whoever gets an error knows only that there was no answer.
package outside

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultLimit is the most that is read of an answer, in bytes: 64 KiB.
const DefaultLimit int64 = 64 << 10

// DefaultDeadline is how long one call may take.
const DefaultDeadline = 5 * time.Second

// Class says why there is no answer. None of them says whether the other side
// acted on the call.
type Class string

// The classes.
const (
	// Timeout: the deadline passed, or the caller gave up.
	Timeout Class = "timeout"
	// Unreachable: no connection, or it broke.
	Unreachable Class = "unreachable"
	// TooLarge: the answer passes the limit and was not read further.
	TooLarge Class = "answer-too-large"
	// Redirected: the answer sends us elsewhere, where we do not go.
	Redirected Class = "answer-redirects"
	// Encoded: the answer is compressed, which we did not ask for.
	Encoded Class = "answer-encoded"
	// Unsendable: the request could not be built; a defect or bad configuration.
	Unsendable Class = "request-unsendable"
)

// NoAnswer is the only error of Do. Its text is its class.
type NoAnswer struct{ Class Class }

// Error is the class.
func (e *NoAnswer) Error() string { return "outside: no answer: " + string(e.Class) }

// ClassOf is the class of an error of Do, and Unreachable for any other.
func ClassOf(err error) Class {
	var no *NoAnswer
	if errors.As(err, &no) {
		return no.Class
	}
	return Unreachable
}

// Answer is what came back, whole and within the limit. Nothing about it has
// been checked.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Evidence is the hex SHA-256 of the raw body, kept so that what was answered
// can be proved later without keeping it.
func (a Answer) Evidence() string { return Evidence(a.Body) }

// Evidence is the hex SHA-256 of raw.
func Evidence(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Caller makes calls. HTTP may be nil; zero Deadline and Limit take the defaults.
type Caller struct {
	HTTP     *http.Client
	Deadline time.Duration
	Limit    int64
}

// Do makes one call. The body is sent exactly as given. The error, if any, is a
// *NoAnswer.
func (c Caller) Do(ctx context.Context, method, url string, header http.Header, body []byte) (Answer, error) {
	deadline, limit := c.Deadline, c.Limit
	if deadline <= 0 {
		deadline = DefaultDeadline
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, &NoAnswer{Unsendable}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	// Asking for identity stops net/http from unpacking a small gzip into
	// gigabytes behind the limit.
	req.Header.Set("Accept-Encoding", "identity")
	// net/http sends again by itself after a broken connection whatever it can
	// rewind, a GET included. The second copy would carry a spent nonce, or do
	// twice what was to be done once, so it gets a body that cannot be rewound.
	req.Body, req.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	hc := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if c.HTTP != nil {
		hc.Transport = c.HTTP.Transport
	}
	resp, err := hc.Do(req)
	if err != nil {
		return Answer{}, &NoAnswer{classify(ctx, err)}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return Answer{}, &NoAnswer{Redirected}
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return Answer{}, &NoAnswer{Encoded}
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return Answer{}, &NoAnswer{classify(ctx, err)}
	}
	if int64(len(raw)) > limit {
		return Answer{}, &NoAnswer{TooLarge}
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: raw}, nil
}

func classify(ctx context.Context, err error) Class {
	var n net.Error
	if ctx.Err() != nil || (errors.As(err, &n) && n.Timeout()) {
		return Timeout
	}
	return Unreachable
}

// Object reads one JSON object and nothing after it: valid UTF-8, no key
// twice. Keys keep their exact case, so "Amount_Fen" is not "amount_fen".
// Errors never quote the input.
func Object(raw []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("outside: not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("outside: not a JSON object")
	}
	out := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.New("outside: broken JSON")
		}
		if _, twice := out[key]; twice {
			return nil, errors.New("outside: a key appears twice")
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, errors.New("outside: broken JSON")
		}
		out[key] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("outside: broken JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("outside: something follows the JSON object")
	}
	return out, nil
}

// Take reads key of an object into out and removes it. Absent leaves out alone.
// What is left in the object when all known keys are taken is unknown.
func Take(object map[string]json.RawMessage, key string, out any) error {
	raw, ok := object[key]
	if !ok {
		return nil
	}
	delete(object, key)
	if err := json.Unmarshal(raw, out); err != nil || string(raw) == "null" {
		return fmt.Errorf("outside: %q has the wrong type", key)
	}
	return nil
}
