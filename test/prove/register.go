package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/verification"
)

// saying is what a register honestly holds of the person, and what must come of it.
type saying struct {
	name    string
	result  string
	facts   map[string]string
	outcome policy.CheckOutcome
	hold    string // for which a person must look, "" for none
}

// sayings are those of the registers that are asked here, the usual one first. What
// is in the last is that the exchange does not let us ask.
func sayings(source string) []saying {
	refused := saying{name: "refused", result: "not_authorised", outcome: policy.NotAuthorised}
	none, mismatch := saying{name: "none", result: "none", outcome: policy.NoRecord}, saying{name: "mismatch", result: "mismatch", outcome: policy.Mismatch}
	found := func(name string, outcome policy.CheckOutcome, hold string, facts map[string]string) saying {
		return saying{name, "found", facts, outcome, hold}
	}
	switch source {
	case "household":
		none.hold, mismatch.hold, refused.hold = policy.HoldIdentityMismatch, policy.HoldIdentityMismatch, ""
		return []saying{found("registered", policy.HitClear, "", map[string]string{"registration": "registered", "member_count": "1"}),
			found("cancelled", policy.HitAdverse, policy.HoldIdentityMismatch, map[string]string{"registration": "cancelled", "member_count": "1"}),
			none, mismatch, refused}
	case "death":
		mismatch.hold = verification.HoldContradiction
		return []saying{found("alive", policy.HitClear, "", map[string]string{"deceased": "no"}),
			found("dead", policy.HitAdverse, policy.HoldDeathRecord, map[string]string{"deceased": "yes", "month": "2026-03"}), none, mismatch, refused}
	case "low_income":
		mismatch.hold = verification.HoldContradiction
		return []saying{found("unknown", policy.HitClear, "", map[string]string{"class": "none"}),
			found("dibao", policy.HitClear, "", map[string]string{"class": "dibao"}), none, mismatch, refused}
	case "social_insurance":
		mismatch.hold = verification.HoldContradiction
		return []saying{found("resident", policy.HitClear, "", map[string]string{"pension": "resident", "paying": "no"}),
			found("well-paid", policy.HitAdverse, "", map[string]string{"pension": "employee", "paying": "yes", "income_band": "above_average"}),
			none, mismatch, refused}
	case gated:
		return []saying{found("one-home", policy.HitClear, "", map[string]string{"homes": "one"})}
	}
	return nil
}

// The registers that are asked here: those that everybody is asked of, the last of
// which takes its time, and one of assets that another must open.
var openRegisters = []string{"household", "death", "low_income", "social_insurance"}

const (
	gated  = "real_estate"
	opener = "dibao" // what low_income must say
)

// manner is how a register treats a call.
type manner string

// The manners. What is done and not told is asked for again, and answered again.
const (
	well      manner = "well"
	unheard   manner = "unheard"    // cut before it arrives
	heard     manner = "heard"      // done, and the answer is cut
	broken    manner = "broken"     // 500, nothing done
	brokenYet manner = "broken-yet" // 500, and yet done
	throttled manner = "throttled"  // 429
	forged    manner = "forged"     // something else, and the signature is another's
	other     manner = "other"      // signed, and about somebody else
	garbled   manner = "garbled"    // signed, and with a fact that nobody asked for
	twisted   manner = "twisted"    // signed, and it contradicts itself
	old       manner = "old"        // signed, and from ten years ago
	clash     manner = "clash"      // 409: another question stands under our number
	pending   manner = "pending"    // 202: it works on it; only for who may
)

// unanswered are the manners that bring nothing to go by, and what is noted then.
var unanswered = map[manner]policy.CheckOutcome{
	unheard: policy.Unavailable, heard: policy.Unavailable, broken: policy.Unavailable, brokenYet: policy.Unavailable, throttled: policy.Unavailable,
	forged: policy.Unavailable, other: policy.Unavailable, garbled: policy.Unavailable, twisted: policy.Unavailable, clash: policy.Unavailable,
	old: policy.Expired, pending: policy.Pending,
}

// spans are for how many of its first calls a register is not well: one, which the
// next try of the same question mends; four, a whole question with all its tries and
// one more; or all.
var spans = map[string]int{"once": 1, "awhile": 4, "ever": 1 << 30}

// conduct is one register in one life; the others answer at once what is usual.
type conduct struct {
	source string
	saying
	manner manner
	span   string // "" when it is well
}

// String is its part of what -replay takes.
func (r conduct) String() string {
	parts := []string{r.source, r.name, string(r.manner)}
	if r.manner != well {
		parts = append(parts, r.span)
	}
	return strings.Join(parts, ".")
}

// conducts are all of them: every saying told at once, and the usual and the worst
// one in every manner, for each span.
func conducts() []conduct {
	var all []conduct
	for _, source := range openRegisters {
		says := sayings(source)
		for _, s := range says {
			all = append(all, conduct{source, s, well, ""})
		}
		for _, m := range slices.Sorted(maps.Keys(unanswered)) {
			if m == pending && source != "social_insurance" {
				continue
			}
			for _, span := range []string{"once", "awhile", "ever"} {
				for _, s := range says[:2] {
					all = append(all, conduct{source, s, m, span})
				}
			}
		}
	}
	return all
}

// exchangeBook is what the exchange knows at one moment.
type exchangeBook struct {
	asked map[string]string // digest of the question, by its number
	under map[string]string // the number of the last question, by source
	calls map[string]int    // by source
}

func (b exchangeBook) clone() exchangeBook {
	return exchangeBook{maps.Clone(b.asked), maps.Clone(b.under), maps.Clone(b.calls)}
}

// registers is the exchange and the registers behind it, without a network. It
// judges what it is asked.
type registers struct {
	lobby   *lobby
	keys    exchangeKeys
	sources []exchange.Source
	exchangeBook
}

// exchangeKeys are those of both sides.
type exchangeKeys struct{ ours, theirs []byte }

const exchangeApp, exchangeKey = "doudi-prove", "k1"

func newRegisters(l *lobby) *registers {
	all, err := exchange.Sources()
	if err != nil {
		panic(err)
	}
	all = slices.DeleteFunc(all, func(s exchange.Source) bool { return s.ID != gated && !slices.Contains(openRegisters, s.ID) })
	return &registers{lobby: l, sources: all, keys: exchangeKeys{bytes.Repeat([]byte{8}, 32), bytes.Repeat([]byte{9}, 32)},
		exchangeBook: exchangeBook{map[string]string{}, map[string]string{}, map[string]int{}}}
}

// client is our side of the line, in a process that has just begun.
func (x *registers) client() *exchange.Client {
	c, err := exchange.New(exchange.Config{BaseURL: "http://exchange.test/exchange", HTTP: &http.Client{Transport: x}, App: exchangeApp,
		KeyID: exchangeKey, Key: x.keys.ours, AnswerKeys: map[string][]byte{exchangeKey: x.keys.theirs}, Sources: x.sources,
		Now: x.lobby.Now, Random: &counter{}, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		panic(err)
	}
	return c
}

var errCut = errors.New("connection cut")

// RoundTrip is the line, in the hands of fate.
func (x *registers) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	err = x.lobby.touch(func() error {
		return x.lobby.Fate.Touch(func() error { answer, err = x.serve(r, raw); return err }, errCut)
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// serve answers as the conduct has it.
func (x *registers) serve(r *http.Request, raw []byte) (*http.Response, error) {
	i := slices.IndexFunc(x.sources, func(s exchange.Source) bool { return strings.HasSuffix(r.URL.Path, "/sources"+s.Path) })
	var q exchange.QuestionDocument
	if i < 0 || json.Unmarshal(raw, &q) != nil || q.Source != x.sources[i].ID || r.Header.Get(exchange.HeaderApp) != exchangeApp ||
		exchange.Verify(map[string][]byte{exchangeKey: x.keys.ours}, outside.RequestKind, r.Method, r.URL.EscapedPath(), r.Header, x.lobby.Now(), raw) != nil {
		x.lobby.found.Errorf("a question of ours is not as it should be: %s", r.URL.Path)
		return nil, errCut
	}
	x.calls[q.Source]++
	x.lobby.meanwhile()
	says, how := sayings(q.Source)[0], well
	if at := x.lobby.conduct; at.source == q.Source {
		says = at.saying
		if x.calls[q.Source] <= spans[at.span] {
			how = at.manner
		}
	}
	switch how {
	case unheard:
		return nil, errCut
	case broken:
		return x.reply(r, http.StatusInternalServerError, nil, nil), nil
	case throttled:
		return x.reply(r, http.StatusTooManyRequests, nil, nil), nil
	}
	x.judge(r, q, raw)
	switch how {
	case heard:
		return nil, errCut
	case brokenYet:
		return x.reply(r, http.StatusInternalServerError, nil, nil), nil
	}
	status, key, a := http.StatusOK, x.keys.theirs, exchange.AnswerDocument{Number: q.Number, Source: q.Source, AsOf: x.lobby.Now().Format(time.RFC3339),
		Subject: exchange.Subject(x.keys.ours, q.Number, q.Name, q.IDNumber), Result: says.result, Facts: says.facts}
	if says.result == "not_authorised" {
		status = http.StatusForbidden
	}
	switch how {
	case forged: // and says something else
		lie := sayings(q.Source)[0]
		if lie.name == says.name {
			lie = sayings(q.Source)[1]
		}
		key, a.Result, a.Facts = x.keys.ours, lie.result, lie.facts
	case other:
		a.Subject = exchange.Subject(x.keys.ours, q.Number, "别测人", q.IDNumber)
	case garbled:
		a.Result, a.Facts = "found", map[string]string{"salary": "1"}
	case twisted:
		a.Result, a.Facts = "none", map[string]string{x.sources[i].Facts[0].Name: "no"}
	case old:
		a.AsOf = x.lobby.Now().AddDate(-10, 0, 0).Format(time.RFC3339)
	case clash:
		status, a.Result, a.Facts = http.StatusConflict, "busy", nil
	case pending:
		status, a.Result, a.Facts = http.StatusAccepted, "pending", nil
	}
	body, err := json.Marshal(a)
	if err != nil {
		panic(err) // text
	}
	return x.reply(r, status, body, key), nil
}

// reply is an answer, signed by key; one without a key is a gateway's.
func (x *registers) reply(r *http.Request, status int, body, key []byte) *http.Response {
	h := http.Header{}
	if key != nil {
		h = exchange.Sign(exchangeKey, key, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), r.Header.Get(exchange.HeaderNonce), x.lobby.Now(), body)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), Request: r}
}

// judge looks at a question that arrived: one number is one question, nobody is
// asked about what is kept, nor without a paper to show for it (Law art. 40).
func (x *registers) judge(r *http.Request, q exchange.QuestionDocument, raw []byte) {
	l, ctx := x.lobby, context.Background()
	sum := sha256.Sum256(raw)
	digest := hex.EncodeToString(sum[:])
	if before, again := x.asked[q.Number]; again && before != digest {
		l.found.Errorf("M10: two questions go out under number %s", q.Number)
	}
	x.asked[q.Number] = digest
	for _, h := range append(slices.Collect(maps.Values(r.Header)), []string{r.URL.String(), q.Case, q.Consent, q.Operator, q.Number}) {
		for _, text := range h {
			l.unreadable("a question", text)
		}
	}
	checks, err := verification.Load(ctx, l.Store, l.Box, q.Case)
	if err != nil {
		l.found.Fatal(err)
	}
	before, again := x.under[q.Source]
	x.under[q.Source] = q.Number
	for _, c := range checks {
		if c.Source != q.Source {
			continue
		}
		if l.messages != doubled && c.Outcome.Answered() && (c.ValidUntil.IsZero() || l.Now().Before(c.ValidUntil)) {
			l.found.Errorf("%s is asked again, and its answer is kept", q.Source)
		}
		again = again && !c.Outcome.Answered() && c.Outcome != policy.Expired // else what is too old is asked for anew
	}
	if again && before != q.Number {
		l.found.Errorf("%s is asked the same under another number", q.Source)
	}
	consents, err := application.Consents(ctx, l.Store, q.Case)
	if err != nil {
		l.found.Fatal(err)
	}
	agreed := false
	for _, c := range consents {
		agreed = agreed || c.Document == q.Consent
	}
	if !agreed || q.Consent != application.Authorisation().SHA256 && !l.recorded(q.Consent) {
		l.found.Errorf("O: %s is asked on a paper that is not on record", q.Source)
	}
}
