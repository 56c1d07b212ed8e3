package payouttest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// Manner is how the bank treats one call.
type Manner string

// The manners.
const (
	Well      Manner = ""           // as it should be
	Unheard   Manner = "unheard"    // the call is cut before it arrives
	Heard     Manner = "heard"      // done, and the answer is cut
	Broken    Manner = "broken"     // 500, nothing done
	BrokenYet Manner = "broken-yet" // 500, and yet done
	Forged    Manner = "forged"     // done, and the answer's signature is wrong
	Late      Manner = "late"       // still on the wire; arrives after the next question
	Short     Manner = "short"      // not taken: our account has not enough
	Busy      Manner = "busy"       // 429, not taken
	Blind     Manner = "blind"      // not found, although it may be there
	Less      Manner = "less"       // an answer with another amount
	Refuse    Manner = "refuse"     // our agreement is not accepted
	Differ    Manner = "differ"     // it holds other content under this reference
)

// Sends lists the honest manners of an order's reception.
func Sends() []Manner {
	return []Manner{Well, Unheard, Heard, Broken, BrokenYet, Forged, Late, Short, Busy}
}

// Asks lists the honest manners of answering a question.
func Asks() []Manner { return []Manner{Well, Unheard, Broken, Forged, Busy, Blind} }

// Verdict is what an order ends in at the bank.
type Verdict struct {
	Status bank.Status
	Code   string
	Slow   int // questions before it ends
}

// book is what the bank knows at one moment.
type book struct {
	orders  map[string]transfer
	wire    [][]byte
	sends   int
	asks    int
	bodies  map[string][]string
	credits map[string]int
	paid    money.Fen
}

func (t *Teller) book() book {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := book{map[string]transfer{}, slices.Clone(t.wire), t.sends, t.asks, map[string][]string{}, maps.Clone(t.Credits), t.Paid}
	for ref, x := range t.orders {
		b.orders[ref] = *x
	}
	for ref, sent := range t.Bodies {
		b.bodies[ref] = slices.Clone(sent)
	}
	return b
}

func (t *Teller) reopen(b book) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wire, t.sends, t.asks, t.Credits, t.Paid = slices.Clone(b.wire), b.sends, b.asks, maps.Clone(b.credits), b.paid
	t.orders, t.Bodies = map[string]*transfer{}, map[string][]string{}
	for ref, x := range b.orders {
		t.orders[ref] = &x
	}
	for ref, sent := range b.bodies {
		t.Bodies[ref] = slices.Clone(sent)
	}
}

type transfer struct {
	order   bank.OrderDocument
	verdict Verdict
	ended   bool
}

// Teller is an agent bank with a book. It pays one reference at most once.
type Teller struct {
	now    func() time.Time
	ours   map[string]bank.Verifier
	key    bank.Signer
	keyID  string
	secret []byte

	mu      sync.Mutex
	orders  map[string]*transfer
	wire    [][]byte
	sends   int
	asks    int
	Bodies  map[string][]string // every body that came, by reference
	Credits map[string]int      // how often a reference was credited
	Paid    money.Fen           // credited and not sent back
	// Send and Ask say how the nth call is treated, counted from 1; nil is well.
	Send, Ask func(n int) Manner
	// Decide is what becomes of an order; nil pays it.
	Decide func(bank.OrderDocument) Verdict
}

func (t *Teller) receive(raw []byte) {
	var o bank.OrderDocument
	if err := json.Unmarshal(raw, &o); err != nil {
		panic("payouttest: an order of ours does not parse: " + err.Error())
	}
	if t.orders[o.Reference] != nil {
		return
	}
	v := Verdict{Status: bank.Paid}
	if t.Decide != nil {
		v = t.Decide(o)
	}
	t.orders[o.Reference] = &transfer{order: o, verdict: v}
	t.progress(t.orders[o.Reference])
}

func (t *Teller) progress(x *transfer) {
	if x.ended {
		return
	}
	if x.verdict.Slow > 0 {
		x.verdict.Slow--
		return
	}
	x.ended = true
	switch x.verdict.Status {
	case bank.Paid:
		t.Credits[x.order.Reference]++
		t.Paid += x.order.AmountFen
	case bank.Returned:
		t.Credits[x.order.Reference]++
	}
}

// SendBack returns what was paid under a reference (退票).
func (t *Teller) SendBack(reference string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.orders[reference]
	x.verdict = Verdict{Status: bank.Returned, Code: "ACCOUNT_CLOSED"}
	t.Paid -= x.order.AmountFen
}

// Overrule changes what the bank says of a reference. Banks should not.
func (t *Teller) Overrule(reference string, v Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.orders[reference].verdict = v
}

// References lists what the bank has orders for, in order.
func (t *Teller) References() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for r := range t.orders {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// Calls is how many orders and questions came.
func (t *Teller) Calls() (sends, asks int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sends, t.asks
}

func (t *Teller) statement(reference string) (int, bank.Statement) {
	s := bank.Statement{Agreement: agreement, Reference: reference, Status: bank.NotFound, BankTime: t.now()}
	x := t.orders[reference]
	if x == nil {
		return http.StatusNotFound, s
	}
	s.Status = bank.Processing
	s.AmountFen = x.order.AmountFen
	s.PayeeDigest = bank.PayeeDigest(t.keyID, t.secret, reference, x.order.PayeeName, x.order.PayeeAccount)
	if x.ended {
		s.Status, s.Code = x.verdict.Status, x.verdict.Code
	}
	return http.StatusOK, s
}

// RoundTrip is the line to the bank without a network.
func (t *Teller) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if !t.serve(w, r) {
		return nil, errCut
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// ServeHTTP is the bank behind a network.
func (t *Teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !t.serve(w, r) {
		panic(http.ErrAbortHandler)
	}
}

// serve answers r; false cuts the connection.
func (t *Teller) serve(w http.ResponseWriter, r *http.Request) bool {
	var raw []byte
	if r.Body != nil {
		raw, _ = io.ReadAll(r.Body)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := bank.Verify(t.ours, outside.RequestKind, r.Method, r.URL.EscapedPath(), r.Header, t.now(), raw); err != nil {
		panic("payouttest: a call of ours is not signed as it should be: " + err.Error())
	}
	if r.Method == http.MethodPost {
		return t.order(w, r, raw)
	}
	return t.question(w, r)
}

func (t *Teller) order(w http.ResponseWriter, r *http.Request, raw []byte) bool {
	t.sends++
	var o bank.OrderDocument
	_ = json.Unmarshal(raw, &o)
	t.Bodies[o.Reference] = append(t.Bodies[o.Reference], string(raw))
	m := Well
	if t.Send != nil {
		m = t.Send(t.sends)
	}
	switch m {
	case Unheard:
		return false
	case Broken:
		w.WriteHeader(http.StatusInternalServerError)
		return true
	case Late:
		t.wire = append(t.wire, bytes.Clone(raw))
		return false
	}
	if x := t.orders[o.Reference]; x != nil && x.order != o {
		m = Differ
	}
	if status, s, ok := t.refusal(m, o.Reference); ok {
		t.answer(w, r, status, s, true)
		return true
	}
	t.receive(raw)
	switch m {
	case Heard:
		return false
	case BrokenYet:
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	status, s := t.statement(o.Reference)
	if m == Less {
		s.AmountFen--
	}
	t.answer(w, r, status, s, m != Forged)
	return true
}

func (t *Teller) question(w http.ResponseWriter, r *http.Request) bool {
	t.asks++
	reference := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if x := t.orders[reference]; x != nil {
		t.progress(x)
	}
	status, s := t.statement(reference)
	// Only now arrives what was on the wire: the question overtook it.
	for _, raw := range t.wire {
		t.receive(raw)
	}
	t.wire = nil
	m := Well
	if t.Ask != nil {
		m = t.Ask(t.asks)
	}
	switch m {
	case Unheard, Heard:
		return false
	case Broken, BrokenYet:
		w.WriteHeader(http.StatusInternalServerError)
		return true
	case Blind:
		status, s = http.StatusNotFound, bank.Statement{Agreement: agreement, Reference: reference, Status: bank.NotFound, BankTime: t.now()}
	case Less:
		s.AmountFen--
	}
	if code, refused, ok := t.refusal(m, reference); ok {
		status, s = code, refused
	}
	t.answer(w, r, status, s, m != Forged)
	return true
}

// refusal is the answer that says why a call was not taken.
func (t *Teller) refusal(m Manner, reference string) (int, bank.Statement, bool) {
	s := bank.Statement{Agreement: agreement, Reference: reference, Status: bank.Busy, BankTime: t.now()}
	switch m {
	case Short:
		s.Code = "INSUFFICIENT_FUNDS"
		return http.StatusOK, s, true
	case Busy:
		s.Code = "RATE_LIMITED"
		return http.StatusTooManyRequests, s, true
	case Refuse:
		s.Status, s.Code = bank.Refused, "NO_AGREEMENT"
		return http.StatusForbidden, s, true
	case Differ:
		s.Status, s.Code = bank.Refused, "DUPLICATE_DIFFERENT"
		return http.StatusConflict, s, true
	}
	return 0, s, false
}

func (t *Teller) answer(w http.ResponseWriter, r *http.Request, status int, s bank.Statement, honest bool) {
	body, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	h, err := bank.Sign(r.Context(), t.key, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), r.Header.Get(bank.HeaderNonce), t.now(), body)
	if err != nil {
		panic(err)
	}
	for k, v := range h {
		w.Header()[k] = v
	}
	if !honest {
		body = append(body, ' ') // as if somebody had touched it on the way
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// News is a signed callback about a reference as the bank sees it, changed by
// twist if that is not nil.
func (t *Teller) News(reference, path string, twist func(*bank.Statement)) *http.Request {
	t.mu.Lock()
	_, s := t.statement(reference)
	t.mu.Unlock()
	if twist != nil {
		twist(&s)
	}
	body, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return t.Signed(path, t.now(), body)
}

// Signed is a callback with any body, signed for path at a time.
func (t *Teller) Signed(path string, at time.Time, body []byte) *http.Request {
	h, err := bank.Sign(context.Background(), t.key, outside.CallbackKind, http.MethodPost, path, fmt.Sprintf("%032x", at.UnixNano()), at, body)
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header = h
	r.Header.Set("Content-Type", "application/json")
	return r
}

func signer(name string, fill byte) (bank.Signer, bank.Verifier) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, ed25519.SeedSize))
	return bank.NewEd25519Signer(name, key), bank.NewEd25519Verifier(key.Public().(ed25519.PublicKey))
}

// mac stands for both halves of a signature where speed matters more than who
// could forge it.
type mac struct {
	id  string
	key []byte
}

func quickSigner(name string, fill byte) (bank.Signer, bank.Verifier) {
	m := mac{"hmac:" + name, bytes.Repeat([]byte{fill}, sha256.Size)}
	return m, m
}

func (m mac) KeyID() string     { return m.id }
func (m mac) Algorithm() string { return "hmac" }

func (m mac) Sign(_ context.Context, message []byte) ([]byte, error) {
	h := hmac.New(sha256.New, m.key)
	h.Write(message)
	return h.Sum(nil), nil
}

func (m mac) Verify(message, signature []byte) bool {
	want, _ := m.Sign(context.Background(), message) // never fails
	return hmac.Equal(want, signature)
}
