// Package bank is the line to the agent bank (代发银行) for single transfers:
// one order, one reference, one payment. The protocol is on one page,
// docs/bank-line.md.
//
// It refuses to know awards, funds and payout states, and it refuses to guess:
// whatever is not a verified statement of the bank is Unknown, and only a
// verified answer to Query can say that a transfer failed.
package bank

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// Path is where transfers live below the base URL.
const Path = "/transfers"

// PurposeLimit is the longest purpose text in characters; it is what the payee
// reads on the account statement.
const PurposeLimit = 30

// Order asks for one transfer.
type Order struct {
	// Reference is ours, permanent, at most 32 of [0-9a-z]. The bank pays one
	// reference at most once.
	Reference    string
	AmountFen    money.Fen
	PayeeName    civil.Name
	PayeeAccount civil.Account
	// Purpose is shown to the payee: no cause, no illness, at most PurposeLimit characters.
	Purpose string
}

// Status is what we know after a call.
type Status string

// The statuses of a Result.
const (
	// Accepted: the bank has the order and has not started.
	Accepted Status = "accepted"
	// Processing: the bank is carrying the order out.
	Processing Status = "processing"
	// Paid: the money is in the payee's account. It may still come back (退票).
	Paid Status = "paid"
	// Failed: no money left the account and none will under this reference. Only
	// a verified answer to Query says so.
	Failed Status = "failed"
	// Returned: the money was paid and has come back. Only Query says so.
	Returned Status = "returned"
	// NotFound: at this moment the bank has no order under the reference. It is
	// no proof of failure, a send may still be on its way: send the same bytes again.
	NotFound Status = "not_found"
	// Busy: the bank did not take the call. Call again later, same reference.
	Busy Status = "busy"
	// Refused: our keys or our agreement are wrong. Stop the line and call an
	// operator; it says nothing about the transfer.
	Refused Status = "refused"
	// Unknown: whatever else. The transfer may have been made: query.
	Unknown Status = "unknown"
)

// Statuses lists every status, for tests that prove tables total.
func Statuses() []Status {
	return []Status{Accepted, Processing, Paid, Failed, Returned, NotFound, Busy, Refused, Unknown}
}

// Result is the outcome of a call. There is no error beside it, so that nobody
// can take a lost answer for a refusal.
type Result struct {
	Status    Status
	Reference string // the one that was asked about
	// AmountFen and PayeeDigest are what the bank says it pays or paid, and must
	// be compared with the order (see Client.PayeeDigest); a difference freezes
	// the payout. They are zero when the bank made no verified statement of them.
	AmountFen   money.Fen
	PayeeDigest string
	// BankTime is when the bank says it reached the status; zero when it did not say.
	BankTime time.Time
	// Code is the bank's code (upper case, see Meaning), or ours for Unknown (lower
	// case), or empty.
	Code string
	// Retryable: for Failed, a new attempt with the same payee may succeed without
	// anybody changing anything; for Busy and Unknown, the same bytes may be sent
	// again after a query that finds nothing. Otherwise a person must look first.
	Retryable bool
	// Evidence is the hex SHA-256 of the raw answer, empty when there was none.
	Evidence string
}

// Our own codes for Unknown.
const (
	CodeUnverified = "answer-unverified" // no, wrong, stale or probing signature
	CodeMalformed  = "answer-malformed"  // verified, and not what the protocol says
	CodeOther      = "answer-about-another-reference"
	CodeStatus     = "answer-status" // verified, with an HTTP status that decides nothing
)

// Config is what a Client needs. HTTP, Deadline and Limit may be zero.
type Config struct {
	BaseURL string // https://…, no query; Path is added
	HTTP    *http.Client
	// Agreement is the number of the payout agreement with the bank.
	Agreement string
	Signer    Signer
	// BankKeys are the bank's live keys by id. Two or more while the bank changes
	// keys, because it moves its traffic over bit by bit.
	BankKeys map[string]Verifier
	// PayeeKeyID and PayeeKey (≥ 32 bytes) make payee digests; both sides hold
	// the key. An account number without a key is guessed in seconds.
	PayeeKeyID string
	PayeeKey   []byte
	Now        func() time.Time
	Random     io.Reader     // safe for concurrent use, as crypto/rand.Reader is
	Deadline   time.Duration // of one call; zero is outside.DefaultDeadline
	Limit      int64         // of one answer in bytes; zero is outside.DefaultLimit
}

// Client talks to one bank under one agreement. It is safe for concurrent use.
type Client struct {
	config Config
	caller outside.Caller
	path   string // escaped path of the base URL
}

// New checks the configuration and reports everything that is wrong with it.
func New(c Config) (*Client, error) {
	var wrong []error
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		wrong = append(wrong, errors.New("bank: base URL must have a host and no query"))
	}
	if c.Agreement == "" || c.Signer == nil || len(c.BankKeys) == 0 || c.Now == nil || c.Random == nil {
		wrong = append(wrong, errors.New("bank: agreement, signer, bank keys, clock and randomness are required"))
	}
	if c.PayeeKeyID == "" || len(c.PayeeKey) < 32 {
		wrong = append(wrong, errors.New("bank: payee key needs an id and at least 32 bytes"))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return &Client{
		config: c,
		caller: outside.Caller{HTTP: c.HTTP, Deadline: c.Deadline, Limit: c.Limit},
		path:   strings.TrimSuffix(u.EscapedPath(), "/"),
	}, nil
}

// OrderDocument is an order on the wire. The payee fields are in the clear
// inside TLS: this is the one place they must be.
type OrderDocument struct {
	Agreement    string    `json:"agreement"`
	Reference    string    `json:"reference"`
	AmountFen    money.Fen `json:"amount_fen"`
	PayeeName    string    `json:"payee_name"`
	PayeeAccount string    `json:"payee_account"`
	PayeeKey     string    `json:"payee_key"`
	Purpose      string    `json:"purpose"`
}

var referenceForm = regexp.MustCompile(`^[0-9a-z]{1,32}$`)

// Encode is the exact request body for o. Seal and store it before the first
// Send, and send those bytes ever after: they hold the payee in the clear. A
// wrong order is a fault of kind Invalid with every bad field.
func (c *Client) Encode(o Order) ([]byte, error) {
	var bad fault.Fields
	if !referenceForm.MatchString(o.Reference) {
		bad.Add("/reference", "form", "付款编号应为1至32位小写字母或数字。")
	}
	if !o.AmountFen.Payable() {
		bad.Add("/amount_fen", "range", "付款金额不在允许范围内。")
	}
	if o.PayeeName.Empty() {
		bad.Add("/payee_name", "required", "缺少收款人姓名。")
	}
	if o.PayeeAccount.Empty() {
		bad.Add("/payee_account", "required", "缺少收款账号。")
	}
	if n := utf8.RuneCountInString(o.Purpose); n == 0 || n > PurposeLimit || strings.ContainsFunc(o.Purpose, unprintable) {
		bad.Add("/purpose", "form", "付款用途应为1至30个可见字符。")
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(OrderDocument{c.config.Agreement, o.Reference, o.AmountFen, o.PayeeName.Reveal(),
		o.PayeeAccount.Reveal(), c.config.PayeeKeyID, o.Purpose})
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// PayeeDigest is what Result.PayeeDigest must equal for o. Keep it with the
// stored bytes: it stays right when the key is changed later.
func (c *Client) PayeeDigest(o Order) string {
	return PayeeDigest(c.config.PayeeKeyID, c.config.PayeeKey, o.Reference, o.PayeeName.Reveal(), o.PayeeAccount.Reveal())
}

// PayeeDigest is the protocol's keyed digest of the payee of one transfer:
// key id, colon, hex HMAC-SHA256 over reference, name and account, each on its
// own line. The reference is in it so that digests of one person differ.
func PayeeDigest(keyID string, key []byte, reference, name, account string) string {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, reference+"\n"+name+"\n"+account+"\n")
	return keyID + ":" + hex.EncodeToString(h.Sum(nil))
}

// Send gives the bank an order: body is what Encode made, byte for byte. It
// never answers Failed or Returned: a verified rejection comes back as Unknown
// with the bank's Code, and Query finds out.
func (c *Client) Send(ctx context.Context, reference string, body []byte) Result {
	r := c.ask(ctx, http.MethodPost, "", reference, body)
	switch r.Status {
	case Failed, Returned, NotFound:
		r.Status, r.Retryable = Unknown, false
	}
	return r
}

// Query asks what became of a reference. Only its answers end an attempt.
func (c *Client) Query(ctx context.Context, reference string) Result {
	if !referenceForm.MatchString(reference) {
		return Result{Status: Unknown, Reference: reference, Code: string(outside.Unsendable)}
	}
	return c.ask(ctx, http.MethodGet, "/"+reference, reference, nil)
}

func (c *Client) ask(ctx context.Context, method, tail, reference string, body []byte) Result {
	unknown := Result{Status: Unknown, Reference: reference, Retryable: true}
	var kind string
	if body != nil {
		kind = "application/json"
	}
	answer, code := c.call(ctx, c.caller, method, Path+tail, kind, body)
	if answer.Header != nil {
		unknown.Evidence = answer.Evidence()
	}
	if code != "" {
		unknown.Code = code
		return unknown
	}
	s, err := ParseStatement(answer.Body)
	if err != nil {
		unknown.Code = CodeMalformed
		return unknown
	}
	if s.Reference != reference || s.Agreement != c.config.Agreement {
		unknown.Code, unknown.Retryable = CodeOther, false
		return unknown
	}
	return read(unknown, answer.Status, s)
}

// call makes one signed call and verifies the answer; code is empty when it can be
// believed. The answer is there when there was one.
func (c *Client) call(ctx context.Context, caller outside.Caller, method, target, contentType string, body []byte) (answer outside.Answer, code string) {
	path := c.path + target
	nonce, err := outside.Nonce(c.config.Random)
	if err != nil {
		return answer, string(outside.Unsendable)
	}
	header, err := Sign(ctx, c.config.Signer, outside.RequestKind, method, path, nonce, c.config.Now(), body)
	if err != nil {
		return answer, string(outside.Unsendable)
	}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	answer, err = caller.Do(ctx, method, strings.TrimSuffix(c.config.BaseURL, "/")+target, header, body)
	if err != nil {
		return answer, string(outside.ClassOf(err))
	}
	// The answer must carry our own nonce: an old answer, however well signed,
	// then cannot be played to us again.
	if answer.Header.Get(HeaderNonce) != nonce ||
		c.verify(outside.AnswerKind(answer.Status), method, path, answer.Header, answer.Body) != nil {
		return answer, CodeUnverified
	}
	return answer, ""
}

// read turns a verified statement about the right reference into a result.
func read(unknown Result, httpStatus int, s Statement) Result {
	r := unknown
	r.AmountFen, r.PayeeDigest, r.BankTime, r.Code = s.AmountFen, s.PayeeDigest, s.BankTime, s.Code
	action := Meaning(s.Code)
	r.Retryable = action == Resend || action == Pause
	switch {
	case httpStatus == http.StatusTooManyRequests && s.Status == Busy, httpStatus == http.StatusOK && s.Status == Busy:
		r.Status = Busy
	case httpStatus == http.StatusNotFound && s.Status == NotFound:
		r.Status, r.Retryable = NotFound, true
	case httpStatus >= 400 && httpStatus < 500 && s.Status == Refused && action == Stop:
		r.Status, r.Retryable = Refused, false
	case (httpStatus == http.StatusOK || httpStatus == http.StatusCreated || httpStatus == http.StatusAccepted) && s.settled():
		r.Status = s.Status
	case s.Code == "":
		// A 5xx among them: signed or not, a server that broke does not know what
		// it did.
		r.Code, r.Retryable = CodeStatus, true
	}
	return r
}

// Statement is what the bank says about one reference: the body of every
// answer and every callback.
type Statement struct {
	Agreement   string
	Reference   string
	Status      Status
	AmountFen   money.Fen // zero when the bank has no order
	PayeeDigest string
	BankTime    time.Time
	Code        string
}

// settled reports whether the statement is about an order that the bank holds.
func (s Statement) settled() bool {
	switch s.Status {
	case Accepted, Processing, Paid, Failed, Returned:
		return true
	}
	return false
}

type statementDocument struct {
	Agreement   string    `json:"agreement"`
	Reference   string    `json:"reference"`
	Status      Status    `json:"status"`
	AmountFen   money.Fen `json:"amount_fen,omitempty"`
	PayeeDigest string    `json:"payee_digest,omitempty"`
	BankTime    string    `json:"bank_time"`
	Code        string    `json:"code,omitempty"`
}

// MarshalJSON writes the wire form.
func (s Statement) MarshalJSON() ([]byte, error) {
	return json.Marshal(statementDocument{s.Agreement, s.Reference, s.Status, s.AmountFen, s.PayeeDigest,
		s.BankTime.Format(time.RFC3339), s.Code})
}

var (
	codeForm   = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`)
	digestForm = regexp.MustCompile(`^[0-9A-Za-z._-]{1,32}:[0-9a-f]{64}$`)
	errForm    = errors.New("bank: not a statement")
)

// ParseStatement reads a statement strictly: no unknown, repeated or misspelt
// key, every value within bounds, and a status that fits what else is said. It
// does not verify; errors never quote the input.
func ParseStatement(raw []byte) (Statement, error) {
	o, err := outside.Object(raw)
	if err != nil {
		return Statement{}, errForm
	}
	var d statementDocument
	for key, field := range map[string]any{"agreement": &d.Agreement, "reference": &d.Reference, "status": &d.Status,
		"amount_fen": &d.AmountFen, "payee_digest": &d.PayeeDigest, "bank_time": &d.BankTime, "code": &d.Code} {
		if outside.Take(o, key, field) != nil {
			return Statement{}, errForm
		}
	}
	at, err := time.Parse(time.RFC3339, d.BankTime)
	if len(o) > 0 || err != nil || !referenceForm.MatchString(d.Reference) || (d.Code != "" && !codeForm.MatchString(d.Code)) {
		return Statement{}, errForm
	}
	s := Statement{d.Agreement, d.Reference, d.Status, d.AmountFen, d.PayeeDigest, at, d.Code}
	switch {
	case s.settled():
		// A failure without a reason cannot be acted on and is not believed.
		if !s.AmountFen.Payable() || !digestForm.MatchString(s.PayeeDigest) || (s.Code == "" && (s.Status == Failed || s.Status == Returned)) {
			return Statement{}, errForm
		}
	case s.Status == NotFound, s.Status == Busy, s.Status == Refused:
		if s.AmountFen != 0 || s.PayeeDigest != "" {
			return Statement{}, errForm
		}
	default:
		return Statement{}, errForm
	}
	return s, nil
}

// Callback is the bank's news about one reference. It is a reason to Query, not
// an outcome: Says may be Failed, and still only Query ends an attempt.
type Callback struct {
	// ID is of the message, the same when the bank repeats it: handle it once.
	ID          string
	Reference   string
	Says        Status
	AmountFen   money.Fen
	PayeeDigest string
	BankTime    time.Time
	Code        string
	Evidence    string // hex SHA-256 of the raw body
}

// ParseCallback verifies a callback over its raw bytes and reads it. path is
// the escaped path of the request line. Faults: ErrCallbackTooLarge,
// ErrCallbackUnverified, ErrCallbackMalformed.
func (c *Client) ParseCallback(method, path string, header http.Header, raw []byte) (Callback, error) {
	if int64(len(raw)) > outside.DefaultLimit {
		return Callback{}, ErrCallbackTooLarge
	}
	if err := c.verify(outside.CallbackKind, method, path, header, raw); err != nil {
		return Callback{}, ErrCallbackUnverified.Because(err)
	}
	s, err := ParseStatement(raw)
	if err != nil || !s.settled() || s.Agreement != c.config.Agreement {
		return Callback{}, ErrCallbackMalformed
	}
	evidence := outside.Evidence(raw)
	return Callback{ID: evidence, Reference: s.Reference, Says: s.Status, AmountFen: s.AmountFen, PayeeDigest: s.PayeeDigest,
		BankTime: s.BankTime, Code: s.Code, Evidence: evidence}, nil
}

// Sign makes the headers of a signed message.
func Sign(ctx context.Context, s Signer, kind, method, path, nonce string, now time.Time, body []byte) (http.Header, error) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	sig, err := s.Sign(ctx, outside.SignedText(kind, method, path, timestamp, nonce, body))
	if err != nil {
		return nil, fmt.Errorf("bank: signing failed")
	}
	h := http.Header{}
	h.Set(HeaderKey, s.KeyID())
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderNonce, nonce)
	h.Set(HeaderSignature, encodeSignature(sig))
	return h, nil
}

func (c *Client) verify(kind, method, path string, header http.Header, body []byte) error {
	return Verify(c.config.BankKeys, kind, method, path, header, c.config.Now(), body)
}
