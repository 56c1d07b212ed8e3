package world

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/outside"
)

// asked remembers a question by its number.
type asked struct {
	digest string
	since  time.Time
}

func (w *World) exchangeAsk(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	i := slices.IndexFunc(w.sources, func(s exchange.Source) bool { return s.Path == "/"+r.PathValue("path") })
	if i < 0 {
		http.NotFound(rw, r)
		return
	}
	source := w.sources[i]
	keys := map[string][]byte{exchangeKeyID: w.options.Keys.ExchangeClient}
	err := exchange.Verify(keys, outside.RequestKind, r.Method, r.URL.EscapedPath(), r.Header, w.now(), raw)
	if err != nil || r.Header.Get(exchange.HeaderApp) != w.options.Keys.ExchangeApp || w.spent("exchange "+r.Header.Get(exchange.HeaderNonce)) {
		http.Error(rw, "unauthorised", http.StatusUnauthorized)
		return
	}
	var q exchange.QuestionDocument
	if json.Unmarshal(raw, &q) != nil {
		http.Error(rw, "bad request", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	person := w.byID[q.IDNumber]
	line, _ := w.script.match(callOf{service: "exchange", op: source.ID, person: person})
	w.mu.Unlock()
	w.respond(rw, r, line, func() reply {
		status, a := w.answer(source, q, raw)
		if line.Effect == "answer" {
			a.Result, a.Facts = line.Result, line.Facts
			if a.Result == "not_authorised" {
				status = http.StatusForbidden
			}
		}
		a = w.bend(line.Lie, a)
		body, err := json.Marshal(a)
		if err != nil {
			return reply{status: http.StatusInternalServerError}
		}
		nonce := r.Header.Get(exchange.HeaderNonce)
		return reply{status: status, body: body, sign: func(how signing, status int, body []byte) http.Header {
			return w.seal(how, status, r.Method, r.URL.EscapedPath(), nonce, body)
		}}
	})
}

// answer is what a register honestly says.
func (w *World) answer(source exchange.Source, q exchange.QuestionDocument, raw []byte) (int, exchange.AnswerDocument) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	a := exchange.AnswerDocument{Number: q.Number, Source: q.Source, AsOf: now.Truncate(time.Second).Format(time.RFC3339),
		Subject: exchange.Subject(w.options.Keys.ExchangeClient, q.Number, q.Name, q.IDNumber)}
	if q.Source != source.ID || q.Case == "" || q.LegalBasis == "" || q.Consent == "" || q.Operator == "" ||
		slices.ContainsFunc(q.Fields, func(f string) bool { return !slices.Contains(source.Fields(), f) }) {
		a.Result = "not_authorised"
		return http.StatusForbidden, a
	}
	sum := sha256.Sum256(raw)
	before, again := w.asked[q.Number]
	if !again {
		before = asked{hexOf(sum[:]), now}
		w.asked[q.Number] = before
	}
	if before.digest != hexOf(sum[:]) {
		a.Result = "busy" // one number, two questions
		return http.StatusConflict, a
	}
	if source.Async && now.Sub(before.since) < w.options.AsyncDelay {
		a.Result = "pending"
		return http.StatusAccepted, a
	}
	p := w.byID[q.IDNumber]
	if p == nil && w.options.AdoptStrangers {
		var err error
		if p, err = w.adopt(q); err != nil {
			a.Result = "busy"
			return http.StatusOK, a
		}
	}
	switch {
	case p == nil:
		a.Result = "none"
	case !sameName(p.registered(), q.Name):
		a.Result = "mismatch"
	default:
		a.Result, a.Facts = p.Registers[source.ID].Result, maps.Clone(p.Registers[source.ID].Facts)
	}
	return http.StatusOK, a
}

// bend tells a lie in an answer.
func (w *World) bend(lie string, a exchange.AnswerDocument) exchange.AnswerDocument {
	switch lie {
	case "wrong_person":
		a.Subject = exchange.Subject(w.options.Keys.ExchangeClient, a.Number, "别测人", "110101199001019000")
	case "other_reference":
		a.Number = "0000other0000"
	case "contradiction":
		a.Result, a.Facts = "none", map[string]string{"deceased": "no"}
	case "unknown_fact":
		a.Result, a.Facts = "found", map[string]string{"salary": "12345"}
	case "future":
		a.AsOf = w.now().Add(time.Hour).Format(time.RFC3339)
	case "stale_data":
		a.AsOf = w.now().AddDate(-10, 0, 0).Format(time.RFC3339)
	}
	return a
}

// seal signs for the exchange, or pretends to.
func (w *World) seal(how signing, status int, method, path, nonce string, body []byte) http.Header {
	at := w.now()
	switch how {
	case notAtAll:
		return http.Header{}
	case inThePast:
		at = at.Add(-(outside.Window + 1) * time.Second)
	case toOtherNonce:
		nonce = strings.Repeat("0", 32)
	}
	h := exchange.Sign(exchangeKeyID, w.options.Keys.ExchangeOwn, outside.AnswerKind(status), method, path, nonce, at, body)
	switch how {
	case badly:
		h.Set(exchange.HeaderSignature, strings.Repeat("0", 64))
	case asProbe:
		h.Set(exchange.HeaderSignature, "DOUDI/SIGNTEST/"+h.Get(exchange.HeaderSignature))
	}
	return h
}
