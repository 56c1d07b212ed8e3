package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/session"
)

// Problem is how an error goes out: application/problem+json of RFC 9457. It
// has words of ours and pointers into what was sent, and nothing that was sent.
type Problem struct {
	Type       string        `json:"type"` // where this code is explained
	Code       string        `json:"code"` // stable; clients decide by it
	Title      string        `json:"title"`
	Status     int           `json:"status"`
	Fields     []fault.Field `json:"fields,omitempty"`
	RequestID  string        `json:"request_id"`
	RetryAfter int           `json:"retry_after,omitempty"` // seconds
}

const problemType = "application/problem+json; charset=utf-8"

// problem is the only place where an error becomes an answer.
func problem(f *fault.Error, docs, requestID string, lang Language) Problem {
	p := Problem{
		Type: docs + f.Code, Code: f.Code, Title: f.Title, Status: f.Kind.Status(),
		Fields: f.Fields, RequestID: requestID, RetryAfter: f.RetryAfter,
	}
	if lang == English && f.TitleEN != "" {
		p.Title = f.TitleEN
		p.Fields = slices.Clone(f.Fields)
		for i := range p.Fields {
			if w, ours := words[p.Fields[i].Code]; ours {
				p.Fields[i].Detail = w.en
			}
		}
	}
	return p
}

func (a *api) fail(w http.ResponseWriter, f *fault.Error, requestID string, lang Language) {
	p := problem(f, a.cfg.Docs, requestID, lang)
	body, err := Encode(p)
	if err != nil {
		body = []byte("{}") // strings and integers always encode
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge(f))
	}
	w.Header().Set("Content-Language", string(lang))
	send(w, answer{status: p.Status, contentType: problemType, body: body})
}

// challenge tells a client whether to sign in, or to sign in anew (RFC 9470).
func challenge(f *fault.Error) string {
	if errors.Is(f, session.ErrStepUp) {
		return `Bearer error="insufficient_user_authentication"`
	}
	return "Bearer"
}

// language is the first language of the header that is ours, else fallback.
// Weights are not compared: callers list what they like best first.
func language(header string, fallback Language) Language {
	if len(header) > 256 {
		return fallback
	}
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if l := Language(primary); l == Chinese || l == English {
			return l
		}
	}
	return fallback
}
