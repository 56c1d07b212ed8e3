package world

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// transfer is one accepted order with all that will become of it, so that its
// state is a question of the clock and survives any restart.
type transfer struct {
	Reference  string    `json:"reference"`
	Digest     string    `json:"digest"` // of the request bytes
	AmountFen  money.Fen `json:"amount_fen"`
	Name       string    `json:"name"`
	Account    string    `json:"account"`
	Purpose    string    `json:"purpose"`
	AcceptedAt time.Time `json:"accepted_at"`
	PaidAt     time.Time `json:"paid_at,omitzero"`
	FailedAt   time.Time `json:"failed_at,omitzero"`
	ReturnedAt time.Time `json:"returned_at,omitzero"`
	Code       string    `json:"code,omitempty"` // of the failure or return
	File       string    `json:"file,omitempty"` // in which it came; nobody is called back about it
	order      int
}

// told says that a callback about a status was taken by the receiver.
type told struct {
	Reference string      `json:"reference"`
	Status    bank.Status `json:"status"`
}

// owedCallback is what the receiver has and has not taken of one transfer.
type owedCallback struct {
	done  map[bank.Status]bool
	tries map[bank.Status]int
	next  map[bank.Status]time.Time
	rule  map[bank.Status]*Rule
}

// state is a transfer's status at a time, and since when.
func (t *transfer) state(now time.Time) (bank.Status, time.Time) {
	at := func(x time.Time) bool { return !x.IsZero() && !now.Before(x) }
	switch {
	case at(t.ReturnedAt):
		return bank.Returned, t.ReturnedAt
	case at(t.PaidAt):
		return bank.Paid, t.PaidAt
	case at(t.FailedAt):
		return bank.Failed, t.FailedAt
	case now.After(t.AcceptedAt):
		return bank.Processing, t.AcceptedAt
	}
	return bank.Accepted, t.AcceptedAt
}

// enter puts a transfer in the book; w.mu is held or the world is starting.
func (w *World) enter(t *transfer) {
	w.order = append(w.order, t.Reference)
	if t.File == "" {
		w.pending = append(w.pending, t.Reference)
	}
	t.order = len(w.order)
	w.book[t.Reference] = t
	w.owed[t.Reference] = &owedCallback{done: map[bank.Status]bool{}, tries: map[bank.Status]int{}, next: map[bank.Status]time.Time{}, rule: map[bank.Status]*Rule{}}
}

// statement is what the bank says of t as in status s.
func (w *World) statement(t *transfer, s bank.Status, at time.Time) bank.Statement {
	out := bank.Statement{Agreement: w.options.Keys.Agreement, Reference: t.Reference, Status: s, AmountFen: t.AmountFen, BankTime: at,
		PayeeDigest: bank.PayeeDigest(payeeKeyName, w.options.Keys.PayeeKey, t.Reference, t.Name, t.Account)}
	if s == bank.Failed || s == bank.Returned {
		out.Code = t.Code
	}
	return out
}

// twist tells a lie in a statement.
func (w *World) twist(lie string, s bank.Statement) bank.Statement {
	switch lie {
	case "wrong_amount":
		if s.AmountFen > 0 {
			s.AmountFen++
		}
	case "wrong_person":
		if s.PayeeDigest != "" {
			s.PayeeDigest = bank.PayeeDigest(payeeKeyName, w.options.Keys.PayeeKey, s.Reference, "别测人", "6299990000000000000")
		}
	case "other_reference":
		s.Reference = "0000other0000"
	}
	return s
}

// stamp signs for the bank, or pretends to.
func (w *World) stamp(how signing, kind, method, path, nonce string, body []byte) http.Header {
	at := w.now()
	switch how {
	case notAtAll:
		return http.Header{}
	case inThePast:
		at = at.Add(-(outside.Window + 1) * time.Second)
	case toOtherNonce:
		nonce = strings.Repeat("0", 32)
	}
	h, err := bank.Sign(context.Background(), bank.NewEd25519Signer(bankKeyName, w.options.Keys.BankOwn), kind, method, path, nonce, at, body)
	if err != nil {
		return http.Header{}
	}
	switch how {
	case badly:
		h.Set(bank.HeaderSignature, base64.StdEncoding.EncodeToString(make([]byte, 64)))
	case asProbe:
		h.Set(bank.HeaderSignature, "DOUDI/SIGNTEST/"+h.Get(bank.HeaderSignature))
	}
	return h
}

func (w *World) bankReply(r *http.Request, status int, s bank.Statement) reply {
	body, err := json.Marshal(s)
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	nonce := r.Header.Get(bank.HeaderNonce)
	return reply{status: status, body: body, sign: func(how signing, status int, body []byte) http.Header {
		return w.stamp(how, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), nonce, body)
	}}
}

func (w *World) refusal(r *http.Request, status int, s bank.Status, code, reference string) reply {
	if !referenceForm.MatchString(reference) {
		reference = "0"
	}
	return w.bankReply(r, status, bank.Statement{Agreement: w.options.Keys.Agreement, Reference: reference, Status: s, BankTime: w.now(), Code: code})
}

var referenceForm = regexp.MustCompile(`^[0-9a-z]{1,32}$`)

// admit checks who is calling; the reply says why not.
func (w *World) admit(r *http.Request, body []byte, reference string) (reply, bool) {
	keys := map[string]bank.Verifier{bank.Ed25519 + ":" + clientKeyName: verifier(w.options.Keys.BankClient)}
	if err := bank.Verify(keys, outside.RequestKind, r.Method, r.URL.EscapedPath(), r.Header, w.now(), body); err != nil {
		return w.refusal(r, http.StatusUnauthorized, bank.Refused, "BAD_SIGNATURE", reference), false
	}
	if w.spent("bank " + r.Header.Get(bank.HeaderNonce)) {
		return w.refusal(r, http.StatusUnauthorized, bank.Refused, "BAD_SIGNATURE", reference), false
	}
	return reply{}, true
}

func (w *World) bankSend(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var order bank.OrderDocument
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	malformed := dec.Decode(&order) != nil
	if a, ok := w.admit(r, raw, order.Reference); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	w.mu.Lock()
	payee := w.byAccount[order.PayeeAccount]
	place := len(w.order) + 1
	if t := w.book[order.Reference]; t != nil {
		place = t.order
	}
	line, plan := w.script.match(callOf{"bank", "send", payee, order.Reference, place})
	w.mu.Unlock()
	w.respond(rw, r, line, func() reply {
		switch {
		case malformed, !w.acceptable(order):
			return w.refusal(r, http.StatusBadRequest, bank.Refused, "BAD_REQUEST", order.Reference)
		case order.Agreement != w.options.Keys.Agreement:
			return w.refusal(r, http.StatusForbidden, bank.Refused, "NO_AGREEMENT", order.Reference)
		case line.Effect == "code":
			return w.rejection(r, line.Code, order)
		case w.over("send"):
			return w.refusal(r, http.StatusTooManyRequests, bank.Busy, "RATE_LIMITED", order.Reference)
		}
		return w.take(r, raw, order, plan, line.Lie)
	})
}

// acceptable holds an order to the limits of the protocol.
func (w *World) acceptable(o bank.OrderDocument) bool {
	_, err := civil.ParseAccount(o.PayeeAccount)
	n := utf8.RuneCountInString(o.Purpose)
	return referenceForm.MatchString(o.Reference) && o.AmountFen.Payable() && o.PayeeName != "" && err == nil &&
		o.PayeeKey == payeeKeyName && n > 0 && n <= bank.PurposeLimit
}

// rejection answers an order without keeping it.
func (w *World) rejection(r *http.Request, code string, o bank.OrderDocument) reply {
	switch bank.Meaning(code) {
	case bank.Resend, bank.Pause:
		return w.refusal(r, http.StatusOK, bank.Busy, code, o.Reference)
	case bank.Stop:
		return w.refusal(r, http.StatusForbidden, bank.Refused, code, o.Reference)
	case bank.Freeze:
		return w.refusal(r, http.StatusConflict, bank.Refused, code, o.Reference)
	}
	s := w.statement(&transfer{Reference: o.Reference, AmountFen: o.AmountFen, Name: o.PayeeName, Account: o.PayeeAccount, Code: code}, bank.Failed, w.now())
	return w.bankReply(r, http.StatusOK, s)
}

// take enters an order in the book, once, and answers only when the book is on
// disk.
func (w *World) take(r *http.Request, raw []byte, o bank.OrderDocument, plan Rule, lie string) reply {
	sum := sha256.Sum256(raw)
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if t := w.book[o.Reference]; t != nil {
		if t.Digest != hexOf(sum[:]) {
			return w.refusal(r, http.StatusConflict, bank.Refused, "DUPLICATE_DIFFERENT", o.Reference)
		}
		s, at := t.state(now)
		return w.bankReply(r, http.StatusOK, w.twist(lie, w.statement(t, s, at)))
	}
	t := &transfer{Reference: o.Reference, Digest: hexOf(sum[:]), AmountFen: o.AmountFen, Name: o.PayeeName, Account: o.PayeeAccount,
		Purpose: o.Purpose, AcceptedAt: now}
	w.fate(t, plan)
	if err := w.journal.append(record{Transfer: t}); err != nil {
		w.options.Log.Error("world: the book cannot be written", "error", err)
		return reply{status: http.StatusInternalServerError}
	}
	w.enter(t)
	return w.bankReply(r, http.StatusAccepted, w.twist(lie, w.statement(t, bank.Accepted, now)))
}

// fate decides what becomes of a transfer: by the scenario, else by what the
// bank knows of the account.
func (w *World) fate(t *transfer, plan Rule) {
	due := t.AcceptedAt.Add(w.options.PayDelay)
	if plan.Effect == "processing" {
		due = t.AcceptedAt.Add(plan.After)
	}
	fail := func(code string) { t.FailedAt, t.Code = due, code }
	known := w.byAccount[t.Account]
	card := len(t.Account) >= 16 && len(t.Account) <= 19
	switch {
	case plan.Effect == "fail":
		due = due.Add(plan.After)
		fail(plan.Code)
	case plan.Effect == "processing" && plan.Code != "":
		fail(plan.Code)
	case plan.Effect != "" && plan.Effect != "return":
		t.PaidAt = due
	case known != nil && known.AccountState != "":
		fail(known.AccountState)
	case known != nil && !sameName(known.holder(), t.Name):
		fail("NAME_MISMATCH")
	case known == nil && card && !civil.StoredAccount(t.Account).LuhnOK():
		fail("ACCOUNT_NOT_FOUND")
	default:
		t.PaidAt = due
	}
	if t.PaidAt.IsZero() {
		return
	}
	switch {
	case plan.Effect == "return":
		t.ReturnedAt, t.Code = due.Add(plan.After), "ACCOUNT_FROZEN"
		if plan.Code != "" {
			t.Code = plan.Code
		}
	case known != nil && known.AccountReturns != "":
		t.ReturnedAt, t.Code = due.Add(2*time.Second), known.AccountReturns
	}
}

func (w *World) bankQuery(rw http.ResponseWriter, r *http.Request) {
	reference := r.PathValue("reference")
	if a, ok := w.admit(r, nil, reference); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	w.mu.Lock()
	t := w.book[reference]
	c := callOf{service: "bank", op: "query", reference: reference}
	if t != nil {
		c.person, c.order = w.byAccount[t.Account], t.order
	}
	line, _ := w.script.match(c)
	w.mu.Unlock()
	w.respond(rw, r, line, func() reply {
		if w.over("query") {
			return w.refusal(r, http.StatusTooManyRequests, bank.Busy, "RATE_LIMITED", reference)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		t := w.book[reference]
		if t == nil {
			s := bank.Statement{Agreement: w.options.Keys.Agreement, Reference: reference, Status: bank.NotFound, BankTime: w.now()}
			return w.bankReply(r, http.StatusNotFound, w.twist(line.Lie, s))
		}
		s, at := t.state(w.now())
		return w.bankReply(r, http.StatusOK, w.twist(line.Lie, w.statement(t, s, at)))
	})
}

// parcel is one callback on its way.
type parcel struct {
	t      *transfer
	status bank.Status
	at     time.Time
	rule   Rule
}

// Step sends every callback that is due and returns how many were taken. Of two
// at once the second begins when the first has had its answers.
func (w *World) Step(ctx context.Context) int {
	w.stepping.Lock()
	defer w.stepping.Unlock()
	taken := w.wxpayStep(ctx)
	if w.options.CallbackURL == "" {
		return taken
	}
	parcels := w.due()
	var wg sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, 8)
	for _, p := range parcels {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if w.deliver(ctx, p) {
				mu.Lock()
				taken++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return taken
}

// due picks the callbacks whose time has come and moves each one's next try on.
func (w *World) due() []parcel {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var out []parcel
	var pending []string
	for _, reference := range w.pending {
		t, o := w.book[reference], w.owed[reference]
		open := false
		for _, e := range t.events() {
			status, at := e.status, e.at
			if o.done[status] || o.tries[status] >= len(w.options.Ladder) {
				continue
			}
			open = true
			if now.Before(at) {
				continue
			}
			if o.rule[status] == nil {
				line, _ := w.script.match(callOf{"bank", "callback", w.byAccount[t.Account], reference, t.order})
				o.rule[status] = &line
				o.next[status] = now.Add(w.options.Ladder[0] + line.After)
				if line.Effect == "drop" {
					o.done[status] = true
					continue
				}
			}
			if now.Before(o.next[status]) {
				continue
			}
			p := parcel{t, status, at, *o.rule[status]}
			if p.rule.Effect == "reorder" && !w.overtaken(t) && now.Sub(at) < patience {
				continue
			}
			o.tries[status]++
			if o.tries[status] < len(w.options.Ladder) {
				o.next[status] = now.Add(w.options.Ladder[o.tries[status]])
			}
			out = append(out, p)
		}
		if open {
			pending = append(pending, reference)
		}
	}
	w.pending = pending
	return out
}

// patience is how long a callback waits for a later one to go before it.
const patience = 5 * time.Second

// bankEvent is something a callback is sent about.
type bankEvent struct {
	status bank.Status
	at     time.Time
}

// events are what will have been called back about a transfer in the end.
func (t *transfer) events() []bankEvent {
	return slices.DeleteFunc([]bankEvent{{bank.Paid, t.PaidAt}, {bank.Failed, t.FailedAt}, {bank.Returned, t.ReturnedAt}},
		func(e bankEvent) bool { return e.at.IsZero() })
}

// overtaken reports whether a callback about a later transfer, or about the
// return of this one, has been taken.
func (w *World) overtaken(t *transfer) bool {
	for _, other := range w.order[t.order:] {
		if len(w.owed[other].done) > 0 {
			return true
		}
	}
	return w.owed[t.Reference].done[bank.Returned]
}

// deliver sends one callback, as often as its rule says.
func (w *World) deliver(ctx context.Context, p parcel) bool {
	u, err := url.Parse(w.options.CallbackURL)
	if err != nil {
		return false
	}
	taken := false
	for range max(1, p.rule.Times) {
		s := w.twist(p.rule.Lie, w.statement(p.t, p.status, p.at))
		body, err := json.Marshal(s)
		if err != nil {
			return false
		}
		if p.rule.Lie == "garbage" {
			body = []byte(`{"reference":`)
		}
		nonce, how := hexOf(derive(p.t.Reference, string(p.status)))[:32], honestly
		switch signing(p.rule.Lie) {
		case badly, asProbe, notAtAll, inThePast:
			how = signing(p.rule.Lie)
		}
		h := w.stamp(how, outside.CallbackKind, http.MethodPost, u.EscapedPath(), nonce, body)
		h.Set("Content-Type", "application/json")
		a, err := outside.Caller{HTTP: w.options.Callback}.Do(ctx, http.MethodPost, w.options.CallbackURL, h, body)
		taken = err == nil && a.Status >= 200 && a.Status < 300
	}
	if !taken {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.journal.append(record{Told: &told{p.t.Reference, p.status}}); err != nil {
		w.options.Log.Error("world: the journal cannot be written", "error", err)
	}
	w.owed[p.t.Reference].done[p.status] = true
	return true
}
