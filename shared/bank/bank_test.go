package bank_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

var (
	ours   = ed25519.NewKeyFromSeed([]byte(strings.Repeat("o", 32)))
	theirs = ed25519.NewKeyFromSeed([]byte(strings.Repeat("t", 32)))
	next   = ed25519.NewKeyFromSeed([]byte(strings.Repeat("n", 32)))
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func public(k ed25519.PrivateKey) bank.Verifier {
	pub, _ := k.Public().(ed25519.PublicKey)
	return bank.NewEd25519Verifier(pub)
}

func config(base string) bank.Config {
	return bank.Config{BaseURL: base, Agreement: "A1", Signer: bank.NewEd25519Signer("us", ours),
		BankKeys:   map[string]bank.Verifier{"ed25519:b1": public(theirs), "ed25519:b2": public(next)},
		PayeeKeyID: "p1", PayeeKey: []byte(strings.Repeat("k", 32)), Now: func() time.Time { return noon }, Random: zeros{}}
}

func client(t testing.TB, base string) *bank.Client {
	t.Helper()
	c, err := bank.New(config(base))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var order = bank.Order{Reference: "ref1", AmountFen: 100, PayeeName: civil.StoredName("测试人"), PayeeAccount: civil.StoredAccount("6299990000000000001"), Purpose: "临时救助金"}

func statement(c *bank.Client, s bank.Status) bank.Statement {
	out := bank.Statement{Agreement: "A1", Reference: "ref1", Status: s, AmountFen: 100, PayeeDigest: c.PayeeDigest(order), BankTime: noon}
	if s == bank.Failed || s == bank.Returned {
		out.Code = "ACCOUNT_CLOSED"
	}
	if s == bank.NotFound || s == bank.Busy || s == bank.Refused {
		out.AmountFen, out.PayeeDigest = 0, ""
	}
	return out
}

// answering is a bank that gives one answer to everything, signed rightly.
func answering(t *testing.T, status int, body []byte) *bank.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h, err := bank.Sign(r.Context(), bank.NewEd25519Signer("b2", next), outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), r.Header.Get(bank.HeaderNonce), noon, body)
		if err != nil {
			t.Error(err)
		}
		maps.Copy(w.Header(), h)
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return client(t, server.URL+"/line")
}

// TestWhatAnswersMean goes through every status and HTTP status, all verified.
func TestWhatAnswersMean(t *testing.T) {
	t.Parallel()
	c := client(t, "http://bank.invalid")
	settled := []bank.Status{bank.Accepted, bank.Processing, bank.Paid, bank.Failed, bank.Returned}
	for _, s := range bank.Statuses() {
		if s == bank.Unknown {
			continue
		}
		for _, status := range []int{200, 201, 202, 204, 400, 401, 403, 404, 409, 429, 500, 502, 503} {
			st := statement(c, s)
			if s == bank.Refused {
				st.Code = "NO_AGREEMENT"
			}
			body, err := json.Marshal(st)
			if err != nil {
				t.Fatal(err)
			}
			line := answering(t, status, body)
			send, query := line.Send(t.Context(), "ref1", []byte("{}")), line.Query(t.Context(), "ref1")
			want := bank.Unknown
			switch {
			case status == 200 && s == bank.Busy, status == 429 && s == bank.Busy:
				want = bank.Busy
			case status == 404 && s == bank.NotFound:
				want = bank.NotFound
			case status >= 400 && status < 500 && s == bank.Refused:
				want = bank.Refused
			case status <= 202 && slices.Contains(settled, s):
				want = s
			}
			if query.Status != want {
				t.Errorf("query: %s with %d became %s, want %s", s, status, query.Status, want)
			}
			if want == bank.Failed || want == bank.Returned || want == bank.NotFound {
				want = bank.Unknown
			}
			if send.Status != want {
				t.Errorf("send: %s with %d became %s, want %s", s, status, send.Status, want)
			}
		}
	}
}

func TestAnswerOfAnotherAgreement(t *testing.T) {
	t.Parallel()
	st := statement(client(t, "http://bank.invalid"), bank.Paid)
	st.Agreement = "A2"
	body, _ := json.Marshal(st)
	if got := answering(t, 200, body).Query(t.Context(), "ref1"); got.Status != bank.Unknown || got.Code != bank.CodeOther || got.Retryable {
		t.Errorf("%+v", got)
	}
}

func TestStatementsAreReadStrictly(t *testing.T) {
	t.Parallel()
	good := `{"agreement":"A1","reference":"ref1","status":"paid","amount_fen":100,"payee_digest":"p1:` + strings.Repeat("a", 64) + `","bank_time":"2026-11-22T12:00:00Z"}`
	if _, err := bank.ParseStatement([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty":                  "",
		"unknown_key":            strings.Replace(good, `"agreement"`, `"extra":1,"agreement"`, 1),
		"key_twice":              strings.Replace(good, `{`, `{"status":"failed",`, 1),
		"key_in_other_case":      strings.Replace(good, `"status"`, `"Status"`, 1),
		"status_nobody_knows":    strings.Replace(good, `"paid"`, `"done"`, 1),
		"unknown_is_no_status":   strings.Replace(good, `"paid"`, `"unknown"`, 1),
		"amount_zero":            strings.Replace(good, `100`, `0`, 1),
		"amount_negative":        strings.Replace(good, `100`, `-1`, 1),
		"amount_fraction":        strings.Replace(good, `100`, `1.5`, 1),
		"amount_as_text":         strings.Replace(good, `100`, `"100"`, 1),
		"amount_beyond_all":      strings.Replace(good, `100`, `9223372036854775808`, 1),
		"amount_above_ceiling":   strings.Replace(good, `100`, `10000000001`, 1),
		"digest_missing":         strings.Replace(good, `"p1:`+strings.Repeat("a", 64)+`"`, `""`, 1),
		"digest_upper_case":      strings.Replace(good, strings.Repeat("a", 64), strings.Repeat("A", 64), 1),
		"reference_form":         strings.Replace(good, `ref1`, `REF 1`, 1),
		"time_missing":           strings.Replace(good, `"2026-11-22T12:00:00Z"`, `""`, 1),
		"time_null":              strings.Replace(good, `"2026-11-22T12:00:00Z"`, `null`, 1),
		"failed_without_reason":  strings.Replace(good, `"paid"`, `"failed"`, 1),
		"returned_without_cause": strings.Replace(good, `"paid"`, `"returned"`, 1),
		"code_form":              strings.Replace(good, `"status"`, `"code":"oh no\n","status"`, 1),
		"absent_with_an_amount":  strings.Replace(good, `"paid"`, `"not_found"`, 1),
		"trailing":               good + good,
	} {
		if _, err := bank.ParseStatement([]byte(raw)); err == nil {
			t.Errorf("%s was read", name)
		} else if strings.Contains(err.Error(), "ref1") {
			t.Errorf("%s: the error quotes the input", name)
		}
	}
}

func FuzzParseStatement(f *testing.F) {
	f.Add([]byte(`{"agreement":"A1","reference":"ref1","status":"not_found","bank_time":"2026-11-22T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := bank.ParseStatement(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := bank.ParseStatement(again)
		if err != nil || back.Status != s.Status || back.AmountFen != s.AmountFen || back.Reference != s.Reference {
			t.Errorf("%v: %+v", err, back)
		}
	})
}

// TestOrderBytes pins the bytes and the digest: a change of either would pay
// stored orders under another content.
func TestOrderBytes(t *testing.T) {
	t.Parallel()
	c := client(t, "http://bank.invalid")
	body, err := c.Encode(order)
	want := `{"agreement":"A1","reference":"ref1","amount_fen":100,"payee_name":"测试人","payee_account":"6299990000000000001","payee_key":"p1","purpose":"临时救助金"}`
	if err != nil || string(body) != want {
		t.Errorf("%v %s", err, body)
	}
	// printf 'ref1\n测试人\n6299990000000000001\n' | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
	if got := c.PayeeDigest(order); got != "p1:4591194e8b0fb1cae24b384d140c5bce4b263270837546918575d5cdbeac6848" {
		t.Errorf("digest %s", got)
	}
	other := order
	other.Reference = "ref2"
	if c.PayeeDigest(other) == c.PayeeDigest(order) {
		t.Error("two transfers to one person have one digest")
	}
}

func TestWrongOrdersNameEveryField(t *testing.T) {
	t.Parallel()
	_, err := client(t, "http://bank.invalid").Encode(bank.Order{Reference: "REF", AmountFen: money.Max + 1, Purpose: "a\nb"})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) != 5 {
		t.Errorf("%v", err)
	}
	for _, purpose := range []string{"", strings.Repeat("长", bank.PurposeLimit+1), "a\x00", "\u202e"} {
		o := order
		o.Purpose = purpose
		if _, err := client(t, "http://bank.invalid").Encode(o); err == nil {
			t.Errorf("purpose %q", purpose)
		}
	}
	o := order
	o.Purpose = strings.Repeat("长", bank.PurposeLimit)
	if _, err := client(t, "http://bank.invalid").Encode(o); err != nil {
		t.Error(err)
	}
}

func TestQueryAsksOnlyForReferences(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"", "../x", "a?b", strings.Repeat("a", 33)} {
		if got := client(t, "http://bank.invalid").Query(t.Context(), ref); got.Status != bank.Unknown || got.Code != string(outside.Unsendable) {
			t.Errorf("%q: %+v", ref, got)
		}
	}
}

// TestSignature pins the signed text with a signature made by openssl.
func TestSignature(t *testing.T) {
	t.Parallel()
	h, err := bank.Sign(t.Context(), bank.NewEd25519Signer("us", ours), outside.RequestKind, "POST", "/line/transfers", strings.Repeat("0", 32), noon, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get(bank.HeaderSignature); got != "tbz0cfoMfCI8f9kHpBR8tHJEyYapmM5nTqfAq2O6GvnCKEZF1rebylfoYZ/2haqtzAdtXBr3/0TQWvnb+V/FDQ==" {
		t.Errorf("signature %s", got)
	}
	if h.Get(bank.HeaderKey) != "ed25519:us" || h.Get(bank.HeaderTimestamp) != "1795348800" {
		t.Errorf("%v", h)
	}
}

func TestCallback(t *testing.T) {
	t.Parallel()
	c := client(t, "http://bank.invalid")
	body, err := json.Marshal(statement(c, bank.Failed))
	if err != nil {
		t.Fatal(err)
	}
	const path = "/v1/callbacks/bank"
	sign := func(key ed25519.PrivateKey, name, kind, method, path string, at time.Time, body []byte) http.Header {
		h, err := bank.Sign(context.Background(), bank.NewEd25519Signer(name, key), kind, method, path, "n1", at, body)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	good := sign(theirs, "b1", outside.CallbackKind, "POST", path, noon, body)
	with := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	twice := good.Clone()
	twice.Add(bank.HeaderSignature, good.Get(bank.HeaderSignature))
	busy, _ := json.Marshal(statement(c, bank.Busy))
	other := statement(c, bank.Paid)
	other.Agreement = "A2"
	foreign, _ := json.Marshal(other)
	huge := []byte(strings.Repeat(" ", 5<<20))
	for name, x := range map[string]struct {
		method, path string
		header       http.Header
		body         []byte
		want         *fault.Error
	}{
		"good":                          {"POST", path, good, body, nil},
		"good_with_the_next_key":        {"POST", path, sign(next, "b2", outside.CallbackKind, "POST", path, noon, body), body, nil},
		"300_s_old":                     {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon.Add(-300*time.Second), body), body, nil},
		"X066_forged":                   {"POST", path, with(bank.HeaderSignature, base64.StdEncoding.EncodeToString(make([]byte, 64))), body, bank.ErrCallbackUnverified},
		"X067_301_s_old":                {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon.Add(-301*time.Second), body), body, bank.ErrCallbackUnverified},
		"X067_301_s_early":              {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon.Add(301*time.Second), body), body, bank.ErrCallbackUnverified},
		"X069_other_path":               {"POST", "/v1/callbacks/wxpay", good, body, bank.ErrCallbackUnverified},
		"other_method":                  {"PUT", path, good, body, bank.ErrCallbackUnverified},
		"X070_spaces_changed":           {"POST", path, good, append([]byte(" "), body...), bank.ErrCallbackUnverified},
		"X076_probe":                    {"POST", path, with(bank.HeaderSignature, "WECHATPAY/SIGNTEST/"+good.Get(bank.HeaderSignature)), body, bank.ErrCallbackUnverified},
		"X079_five_megabytes":           {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon, huge), huge, bank.ErrCallbackTooLarge},
		"an_answer_is_no_callback":      {"POST", path, sign(theirs, "b1", outside.AnswerKind(200), "POST", path, noon, body), body, bank.ErrCallbackUnverified},
		"signed_by_us":                  {"POST", path, sign(ours, "us", outside.CallbackKind, "POST", path, noon, body), body, bank.ErrCallbackUnverified},
		"key_under_another_id":          {"POST", path, sign(theirs, "b2", outside.CallbackKind, "POST", path, noon, body), body, bank.ErrCallbackUnverified},
		"key_id_claims_other_algorithm": {"POST", path, with(bank.HeaderKey, "none:b1"), body, bank.ErrCallbackUnverified},
		"no_key":                        {"POST", path, with(bank.HeaderKey, ""), body, bank.ErrCallbackUnverified},
		"no_headers":                    {"POST", path, http.Header{}, body, bank.ErrCallbackUnverified},
		"signature_twice":               {"POST", path, twice, body, bank.ErrCallbackUnverified},
		"signature_not_base64":          {"POST", path, with(bank.HeaderSignature, "***"), body, bank.ErrCallbackUnverified},
		"nonce_changed":                 {"POST", path, with(bank.HeaderNonce, "n2"), body, bank.ErrCallbackUnverified},
		"signed_nonsense":               {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon, []byte("{}")), []byte("{}"), bank.ErrCallbackMalformed},
		"signed_busy":                   {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon, busy), busy, bank.ErrCallbackMalformed},
		"of_another_agreement":          {"POST", path, sign(theirs, "b1", outside.CallbackKind, "POST", path, noon, foreign), foreign, bank.ErrCallbackMalformed},
	} {
		got, err := c.ParseCallback(x.method, x.path, x.header, x.body)
		if x.want == nil {
			if err != nil || got.Reference != "ref1" || got.Says != bank.Failed || got.ID == "" || got.Code != "ACCOUNT_CLOSED" {
				t.Errorf("%s: %v %+v", name, err, got)
			}
			continue
		}
		if !x.want.Is(err) || got != (bank.Callback{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCodes states the table a second time: marking a code Resend that is not
// costs a second payment.
func TestCodes(t *testing.T) {
	t.Parallel()
	want := map[bank.Action]string{
		bank.Fix:    "ACCOUNT_CLOSED ACCOUNT_FROZEN ACCOUNT_NOT_FOUND NAME_MISMATCH NOT_ACTIVATED OVER_LIMIT PAYEE_DECEASED",
		bank.Resend: "BANK_BUSY RATE_LIMITED",
		bank.Pause:  "INSUFFICIENT_FUNDS",
		bank.Freeze: "DUPLICATE_DIFFERENT",
		bank.Stop:   "BAD_REQUEST BAD_SIGNATURE NO_AGREEMENT UNKNOWN_KEY",
	}
	got := map[bank.Action][]string{}
	for _, c := range slices.Sorted(slices.Values(bank.Codes())) {
		got[bank.Meaning(c)] = append(got[bank.Meaning(c)], c)
	}
	for a, codes := range want {
		if strings.Join(got[a], " ") != codes {
			t.Errorf("%s: %v", a, got[a])
		}
	}
	if len(got) != len(want) || bank.Meaning("ANYTHING_NEW") != bank.Look || bank.Meaning("") != bank.Look {
		t.Errorf("%v", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bank.Config){
		"no_host": func(c *bank.Config) { c.BaseURL = "bank" }, "query": func(c *bank.Config) { c.BaseURL += "?a=b" }, "user": func(c *bank.Config) { c.BaseURL = "https://a:b@c" },
		"no_agreement": func(c *bank.Config) { c.Agreement = "" }, "no_keys": func(c *bank.Config) { c.BankKeys = nil }, "no_signer": func(c *bank.Config) { c.Signer = nil },
		"no_clock": func(c *bank.Config) { c.Now = nil }, "no_random": func(c *bank.Config) { c.Random = nil }, "short_key": func(c *bank.Config) { c.PayeeKey = c.PayeeKey[:31] },
	} {
		c := config("https://bank.example")
		change(&c)
		if _, err := bank.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

type brokenSigner struct{}

func (brokenSigner) KeyID() string { return "ed25519:us" }
func (brokenSigner) Sign(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("canary")
}

func TestNoSignatureNoCall(t *testing.T) {
	t.Parallel()
	c := config("http://bank.invalid")
	c.Signer = brokenSigner{}
	line, err := bank.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := line.Query(t.Context(), "ref1"); got.Status != bank.Unknown || got.Code != string(outside.Unsendable) {
		t.Errorf("%+v", got)
	}
	c = config("http://bank.invalid")
	c.Random = strings.NewReader("")
	if line, err = bank.New(c); err != nil {
		t.Fatal(err)
	}
	if got := line.Query(t.Context(), "ref1"); got.Status != bank.Unknown {
		t.Errorf("%+v", got)
	}
	if _, err := bank.NewEd25519Signer("us", nil).Sign(t.Context(), nil); err == nil {
		t.Error("signed without a key")
	}
}

// FuzzCallback sends anything in the place of a callback that the bank signed:
// only the bytes that were signed are news, whoever else signs.
func FuzzCallback(f *testing.F) {
	c := client(f, "http://bank.invalid")
	const path = "/v1/callbacks/bank"
	good, err := json.Marshal(statement(c, bank.Failed))
	if err != nil {
		f.Fatal(err)
	}
	signed := func(t testing.TB, key ed25519.PrivateKey, name string, body []byte) http.Header {
		h, err := bank.Sign(context.Background(), bank.NewEd25519Signer(name, key), outside.CallbackKind, "POST", path, "n1", noon, body)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	header := signed(f, theirs, "b1", good)
	f.Add(good, header.Get(bank.HeaderKey), header.Get(bank.HeaderTimestamp), header.Get(bank.HeaderNonce), header.Get(bank.HeaderSignature))
	f.Add([]byte("{}"), "ed25519:b1", "1795348800", "n1", "WECHATPAY/SIGNTEST/AAAA")
	f.Add(append([]byte(" "), good...), "ed25519:b2", "-1", "", "AAAA")
	f.Fuzz(func(t *testing.T, body []byte, key, timestamp, nonce, signature string) {
		h := http.Header{}
		h.Set(bank.HeaderKey, key)
		h.Set(bank.HeaderTimestamp, timestamp)
		h.Set(bank.HeaderNonce, nonce)
		h.Set(bank.HeaderSignature, signature)
		if got, err := c.ParseCallback("POST", path, h, body); err == nil && string(body) != string(good) {
			t.Errorf("nobody signed this: %+v", got)
		}
		// Signed by the bank, it is read strictly; by us or by nobody's key, not at all.
		if got, err := c.ParseCallback("POST", path, signed(t, theirs, "b1", body), body); err == nil &&
			(got.Reference == "" || got.AmountFen < 0 || got.Evidence != outside.Evidence(body)) {
			t.Errorf("%+v", got)
		}
		if _, err := c.ParseCallback("POST", path, signed(t, ours, "us", body), body); err == nil {
			t.Error("what we signed ourselves is the bank's news")
		}
	})
}
