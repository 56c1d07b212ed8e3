package exchange

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
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

	"github.com/cenkalti/backoff/v5"

	"github.com/doudi-aid/doudi/shared/outside"
)

// Headers of a signed message. Requests and answers carry all but App, which
// only requests do.
const (
	HeaderApp       = "Exchange-App"
	HeaderKey       = "Exchange-Key" // "hmac-sha256:<id>"
	HeaderTimestamp = "Exchange-Timestamp"
	HeaderNonce     = "Exchange-Nonce" // of the request; an answer repeats it
	HeaderSignature = "Exchange-Signature"
)

// Algorithm is the tag before the colon of a key id.
const Algorithm = "hmac-sha256"

// tries is the most often one Ask sends its question; more would make a sick
// source sicker, and a person can take over.
const tries = 3

// Codes in Answer.Why that are ours; a class of outside.NoAnswer may stand there too.
const (
	WhyNoCase        = "no-case"
	WhyNoBasis       = "no-legal-basis"
	WhyNoConsent     = "no-consent"
	WhyNoOperator    = "no-operator"
	WhyBadQuestion   = "question-malformed"
	WhyUnknownSource = "source-unknown"
	WhyRefused       = "refused-by-exchange"
	WhyBreaker       = "source-resting"
	WhyUnverified    = "answer-unverified"
	WhyMalformed     = "answer-malformed"
	WhyOther         = "answer-about-another"
	WhyContradiction = "answer-contradicts-itself"
	WhyFuture        = "answer-from-the-future"
	WhyStale         = "data-too-old"
	WhyStatus        = "answer-status"
	WhyIdentity      = "name-and-number-differ"
)

// Client asks the sources of one exchange. It is safe for concurrent use.
type Client struct {
	config   Config
	path     string
	sources  map[string]Source
	order    []Source
	breakers map[string]*breaker
}

// New checks the configuration and the catalogue.
func New(c Config) (*Client, error) {
	var wrong []error
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		wrong = append(wrong, errors.New("exchange: base URL must have a host and no query"))
	}
	if c.App == "" || c.KeyID == "" || len(c.Key) < 32 || len(c.AnswerKeys) == 0 {
		wrong = append(wrong, errors.New("exchange: app, key id, a key of at least 32 bytes and answer keys are required"))
	}
	for _, k := range c.AnswerKeys {
		if len(k) < 32 {
			wrong = append(wrong, errors.New("exchange: an answer key has less than 32 bytes"))
		}
	}
	if c.Now == nil || c.Random == nil || c.Sleep == nil {
		wrong = append(wrong, errors.New("exchange: clock, randomness and sleep are required"))
	}
	if c.Sources == nil {
		if c.Sources, err = Sources(); err != nil {
			wrong = append(wrong, err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	client := &Client{config: c, path: strings.TrimSuffix(u.EscapedPath(), "/"), order: c.Sources,
		sources: map[string]Source{}, breakers: map[string]*breaker{}}
	for _, s := range c.Sources {
		client.sources[s.ID] = s
		client.breakers[s.ID] = &breaker{}
	}
	return client, nil
}

// Sources are what this client can ask, in catalogue order.
func (c *Client) Sources() []Source { return c.order }

var (
	numberForm  = regexp.MustCompile(`^[0-9a-z]{1,32}$`)
	caseForm    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	consentForm = regexp.MustCompile(`^[0-9A-Za-z:+/=_-]{16,128}$`)
)

// Ask makes one lookup. Asking again with the same Number is safe and is how a
// Pending answer is fetched.
func (c *Client) Ask(ctx context.Context, q Question) Answer {
	source, ok := c.sources[q.Source]
	refuse := func(o Outcome, why string) Answer {
		return Answer{Source: q.Source, Outcome: o, FetchedAt: c.config.Now(), Why: why}
	}
	switch {
	case !ok:
		return refuse(Unavailable, WhyUnknownSource)
	case !caseForm.MatchString(q.Case):
		return refuse(NotAuthorised, WhyNoCase)
	case strings.TrimSpace(q.LegalBasis) == "" || len(q.LegalBasis) > 200:
		return refuse(NotAuthorised, WhyNoBasis)
	case !consentForm.MatchString(q.Consent):
		return refuse(NotAuthorised, WhyNoConsent)
	case strings.TrimSpace(q.Operator) == "" || len(q.Operator) > 100:
		return refuse(NotAuthorised, WhyNoOperator)
	case !numberForm.MatchString(q.Number) || q.ID.Empty() || q.Name.Empty():
		return refuse(Unavailable, WhyBadQuestion)
	}
	body, err := json.Marshal(QuestionDocument{q.Number, q.Source, q.Case, q.LegalBasis, q.Consent, q.Operator,
		q.Name.Reveal(), q.ID.Reveal(), source.Fields()})
	if err != nil {
		return refuse(Unavailable, WhyBadQuestion)
	}
	ctx, cancel := context.WithTimeout(ctx, source.Deadline)
	defer cancel()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval, wait.RandomizationFactor = 200*time.Millisecond, 2*time.Second, 0
	wait.Reset()
	for try := 1; ; try++ {
		if !c.breakers[source.ID].enter(c.config.Now()) {
			return refuse(Unavailable, WhyBreaker)
		}
		a, again := c.once(ctx, source, q, body)
		c.breakers[source.ID].leave(c.config.Now(), !again)
		if !again || try == tries || ctx.Err() != nil {
			return a
		}
		if c.config.Sleep(ctx, c.jitter(wait.NextBackOff())) != nil {
			return a
		}
	}
}

// jitter is d less up to half of it, so that functions started together do not
// knock together.
func (c *Client) jitter(d time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(c.config.Random, b[:]); err != nil || d < 2 {
		return d
	}
	return d - time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d/2))
}

// QuestionDocument is a question on the wire; the person is in the clear inside
// TLS, because the register needs them.
type QuestionDocument struct {
	Number     string   `json:"number"`
	Source     string   `json:"source"`
	Case       string   `json:"case"`
	LegalBasis string   `json:"legal_basis"`
	Consent    string   `json:"consent"`
	Operator   string   `json:"operator"`
	Name       string   `json:"name"`
	IDNumber   string   `json:"id_number"`
	Fields     []string `json:"fields"`
}

// AnswerDocument is an answer on the wire. Result is one of "found", "none",
// "mismatch", "pending", "busy" and "not_authorised". Subject ties the answer
// to the person: see Subject.
type AnswerDocument struct {
	Number  string            `json:"number"`
	Source  string            `json:"source"`
	Subject string            `json:"subject"`
	Result  string            `json:"result"`
	AsOf    string            `json:"as_of"`
	Facts   map[string]string `json:"facts,omitempty"`
}

// Subject is the hex HMAC-SHA256, under the key that signed the question, of
// number, name and identity number on their own lines. An answer carries it so
// that a mix-up at the source cannot put one person's facts into another's case.
func Subject(key []byte, number, name, id string) string {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, "subject\n"+number+"\n"+name+"\n"+id+"\n")
	return hex.EncodeToString(h.Sum(nil))
}

// Sign makes the headers of a signed message.
func Sign(keyID string, key []byte, kind, method, path, nonce string, now time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	h := http.Header{}
	h.Set(HeaderKey, Algorithm+":"+keyID)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderNonce, nonce)
	h.Set(HeaderSignature, mac(key, outside.SignedText(kind, method, path, timestamp, nonce, body)))
	return h
}

func mac(key, text []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// Verify checks the signature of a message against the live keys. Its error
// quotes nothing.
func Verify(keys map[string][]byte, kind, method, path string, header http.Header, now time.Time, body []byte) error {
	for _, h := range []string{HeaderKey, HeaderTimestamp, HeaderNonce, HeaderSignature} {
		if len(header.Values(h)) != 1 || header.Get(h) == "" {
			return errUnverified
		}
	}
	algorithm, id, _ := strings.Cut(header.Get(HeaderKey), ":")
	key, ok := keys[id]
	if algorithm != Algorithm || !ok || !outside.Fresh(header.Get(HeaderTimestamp), now) || outside.Probe(header.Get(HeaderSignature)) {
		return errUnverified
	}
	want := mac(key, outside.SignedText(kind, method, path, header.Get(HeaderTimestamp), header.Get(HeaderNonce), body))
	if !hmac.Equal([]byte(want), []byte(header.Get(HeaderSignature))) {
		return errUnverified
	}
	return nil
}

var errUnverified = fmt.Errorf("exchange: not verified")

// once makes one try. again says that another try may do better.
func (c *Client) once(ctx context.Context, source Source, q Question, body []byte) (a Answer, again bool) {
	a = Answer{Source: source.ID, Outcome: Unavailable, FetchedAt: c.config.Now()}
	path := c.path + "/sources" + source.Path
	nonce, err := outside.Nonce(c.config.Random)
	if err != nil {
		a.Why = string(outside.Unsendable)
		return a, false
	}
	header := Sign(c.config.KeyID, c.config.Key, outside.RequestKind, http.MethodPost, path, nonce, c.config.Now(), body)
	header.Set(HeaderApp, c.config.App)
	header.Set("Content-Type", "application/json")
	caller := outside.Caller{HTTP: c.config.HTTP, Deadline: source.Try, Limit: c.config.Limit}
	got, err := caller.Do(ctx, http.MethodPost, strings.TrimSuffix(c.config.BaseURL, "/")+"/sources"+source.Path, header, body)
	a.FetchedAt = c.config.Now()
	if err != nil {
		a.Why = string(outside.ClassOf(err))
		return a, true
	}
	a.Evidence = got.Evidence()
	if got.Header.Get(HeaderNonce) != nonce ||
		Verify(c.config.AnswerKeys, outside.AnswerKind(got.Status), http.MethodPost, path, got.Header, c.config.Now(), got.Body) != nil {
		a.Why = WhyUnverified
		return a, true
	}
	var d AnswerDocument
	if !parseAnswer(got.Body, &d) {
		a.Why = WhyMalformed
		return a, true
	}
	if d.Number != q.Number || d.Source != q.Source ||
		!hmac.Equal([]byte(d.Subject), []byte(Subject(c.config.Key, q.Number, q.Name.Reveal(), q.ID.Reveal()))) {
		a.Why = WhyOther
		return a, true
	}
	return source.judge(a, got.Status, d)
}

// parseAnswer reads an answer strictly: known keys once, in UTF-8.
func parseAnswer(raw []byte, d *AnswerDocument) bool {
	o, err := outside.Object(raw)
	if err != nil {
		return false
	}
	if raw, ok := o["facts"]; ok {
		if _, err := outside.Object(raw); err != nil {
			return false
		}
	}
	for key, field := range map[string]any{"number": &d.Number, "source": &d.Source, "subject": &d.Subject,
		"result": &d.Result, "as_of": &d.AsOf, "facts": &d.Facts} {
		if outside.Take(o, key, field) != nil {
			return false
		}
	}
	return len(o) == 0
}

// judge turns a verified answer about the right person into an outcome.
func (s Source) judge(a Answer, status int, d AnswerDocument) (Answer, bool) {
	asOf, err := time.Parse(time.RFC3339, d.AsOf)
	switch {
	case status == http.StatusForbidden && d.Result == "not_authorised":
		a.Outcome, a.Why = NotAuthorised, WhyRefused
		return a, false
	case status != http.StatusOK && status != http.StatusAccepted:
		a.Why = WhyStatus
		return a, true
	case err != nil:
		a.Why = WhyMalformed
		return a, true
	case asOf.Sub(a.FetchedAt) > outside.Window*time.Second:
		a.Why = WhyFuture
		return a, true
	case d.Result != "found" && len(d.Facts) > 0:
		a.Why = WhyContradiction
		return a, true
	}
	switch d.Result {
	case "busy":
		a.Why = WhyStatus
		return a, true
	case "pending":
		if !s.Async {
			a.Why = WhyContradiction
			return a, true
		}
		a.Outcome = Pending
		return a, false
	case "mismatch":
		a.Outcome, a.Why = Mismatch, WhyIdentity
		return a, false
	case "none", "found":
	default:
		a.Why = WhyMalformed
		return a, true
	}
	until := asOf.Add(s.Freshness)
	if !a.FetchedAt.Before(until) {
		a.Outcome, a.Why = Expired, WhyStale
		return a, false
	}
	if d.Result == "none" {
		a.Outcome, a.ValidUntil = NoRecord, until
		return a, false
	}
	return s.weigh(a, until, d.Facts)
}

// weigh checks the facts of a hit against the catalogue.
func (s Source) weigh(a Answer, until time.Time, facts map[string]string) (Answer, bool) {
	outcome := HitClear
	for name, value := range facts {
		f, ok := s.fact(name)
		if !ok || !f.allows(value) {
			a.Why = WhyMalformed
			return a, true
		}
		if f.adverse(value) {
			outcome = HitAdverse
		}
	}
	for _, f := range s.Facts {
		value, given := facts[f.Name]
		if f.Required && !given {
			a.Why = WhyContradiction
			return a, true
		}
		if name, want, conditional := strings.Cut(f.OnlyWhen, "="); given && value != "" && conditional && facts[name] != want {
			a.Outcome, a.Why = Mismatch, WhyContradiction
			return a, false
		}
	}
	a.Outcome, a.Facts, a.ValidUntil = outcome, facts, until
	return a, false
}
