package attack

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

const callbackPath = "/v1/callbacks/bank"

// bankOf holds the bank's own keys, for an attacker who has them, or has not.
func (o *office) bankOf() world.Keys { return world.LocalKeys(o.Blind.Ref("world", "seed")) }

// news is a callback as the bank would send it, before somebody tampers with it.
type news struct {
	body   []byte
	header http.Header
}

func (o *office) news(t *testing.T, s bank.Statement, at time.Time, path string, key ed25519.PrivateKey) news {
	t.Helper()
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return o.signed(t, body, at, path, key)
}

func (o *office) signed(t *testing.T, body []byte, at time.Time, path string, key ed25519.PrivateKey) news {
	t.Helper()
	nonce := strings.Repeat("0", 16) + strings.ReplaceAll(keyText(), "-", "0")
	h, err := bank.Sign(t.Context(), bank.NewEd25519Signer("bank-1", key), outside.CallbackKind, http.MethodPost, path, nonce[len(nonce)-32:], at, body)
	if err != nil {
		t.Fatal(err)
	}
	h.Set("Content-Type", "application/json")
	return news{body, h}
}

func keyText() string { return strings.Repeat("0", 24) + key()[len("attack-"):] }

func (o *office) send(t *testing.T, n news) reply {
	t.Helper()
	return o.nobody().call(t, http.MethodPost, callbackPath, "", raw(n.body), func(r *http.Request) {
		for k, v := range n.header {
			r.Header[k] = v
		}
	})
}

// says is what the bank would say about f's payment.
func (f *file) says(t *testing.T, status bank.Status, change ...func(*bank.Statement)) bank.Statement {
	t.Helper()
	p := f.payout(t)
	current, ok := p.Current()
	if !ok {
		t.Fatal("nothing was sent")
	}
	s := bank.Statement{Agreement: f.o.bankOf().Agreement, Reference: current.Reference, Status: status, AmountFen: p.Award.AmountFen,
		PayeeDigest: current.Payee, BankTime: f.o.clock.Now()}
	if status == bank.Failed || status == bank.Returned {
		s.Code = "ACCOUNT_FROZEN"
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// slow is a system whose bank takes a while and tells nobody, and one payment on
// its way.
func slow(t *testing.T) *file {
	t.Helper()
	o := own(t, func(o *local.Options) { o.PayDelay = time.Hour })
	o.scenario(t, "[[rule]]\nservice = \"bank\"\nop = \"callback\"\neffect = \"drop\"\n")
	f := o.file(t, o.person(t)).approve(t)
	return f.becomes(t, payout.Submitted)
}

func TestX066_forged_callbacks(t *testing.T) {
	t.Parallel()
	f := slow(t)
	o := f.o
	own := o.bankOf().BankOwn
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := o.clock.Now()
	paid := f.says(t, bank.Paid)
	good := func() news { return o.news(t, paid, now, callbackPath, own) }
	tamper := func(change func(*news)) news {
		n := good()
		change(&n)
		return n
	}
	forged := map[string]news{
		"another key":         o.news(t, paid, now, callbackPath, stranger),
		"our own key":         o.news(t, paid, now, callbackPath, o.bankOf().BankClient),
		"no signature":        tamper(func(n *news) { n.header.Del(bank.HeaderSignature) }),
		"nothing signed":      {body: good().body, header: http.Header{"Content-Type": {"application/json"}}},
		"two signatures":      tamper(func(n *news) { n.header.Add(bank.HeaderSignature, n.header.Get(bank.HeaderSignature)) }),
		"unknown key id":      tamper(func(n *news) { n.header.Set(bank.HeaderKey, "ed25519:bank-9") }),
		"other algorithm":     tamper(func(n *news) { n.header.Set(bank.HeaderKey, "none:bank-1") }),
		"X067 301 s old":      o.news(t, paid, now.Add(-301*time.Second), callbackPath, own),
		"X067 301 s ahead":    o.news(t, paid, now.Add(310*time.Second), callbackPath, own),
		"X069 for other path": o.news(t, paid, now, "/v1/callbacks/wxpay", own),
		"X070 spaces":         tamper(func(n *news) { n.body = append(bytes.TrimSuffix(n.body, []byte("}")), []byte(" }")...) }),
		"X076 probe": tamper(func(n *news) {
			n.header.Set(bank.HeaderSignature, "WECHATPAY/SIGNTEST/"+n.header.Get(bank.HeaderSignature))
		}),
		"X076 own probe": tamper(func(n *news) {
			n.header.Set(bank.HeaderSignature, "DOUDI/SIGNTEST/"+n.header.Get(bank.HeaderSignature))
		}),
		"other nonce":          tamper(func(n *news) { n.header.Set(bank.HeaderNonce, strings.Repeat("1", 32)) }),
		"later time by a hand": tamper(func(n *news) { n.header.Set(bank.HeaderTimestamp, "9999999999") }),
	}
	before := f.payout(t)
	for name, n := range forged {
		if r := o.send(t, n); r.status < 400 || r.status >= 500 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if after := f.payout(t); after.State != before.State || after.PaidFen != 0 || !after.Open {
		t.Errorf("forged callbacks made %s of %s", after.State, before.State)
	}
	// Bodies that are signed and not a statement change nothing either.
	for _, body := range []string{"{}", `{"reference":`, "[]", "null", `{"a":1}`, strings.Repeat("[", 10_000)} {
		if r := o.send(t, o.signed(t, []byte(body), now, callbackPath, own)); r.status < 400 || r.status >= 500 {
			t.Errorf("%q: %d %s", body[:min(len(body), 20)], r.status, r.body)
		}
	}
}

func TestX068_replayed_callback(t *testing.T) {
	t.Parallel()
	f := slow(t)
	o := f.o
	n := o.news(t, f.says(t, bank.Paid), o.clock.Now(), callbackPath, o.bankOf().BankOwn)
	for range 3 {
		o.send(t, n).is(t, 200, "")
	}
	// Saying so is no proof: the bank's answer to our question is.
	if p := f.payout(t); p.State == payout.Paid || p.PaidFen != 0 {
		t.Errorf("believed a callback: %s", p.State)
	}
	if asked := f.events(t, payout.Noun, "asked"); len(asked) > 1 {
		t.Errorf("B04: one callback had %d effects", len(asked))
	}
	o.pass(t, 2*time.Hour)
	o.send(t, n).is(t, 401, "") // and now it is too old
	f.paid(t)
}

func TestX073_right_signature_wrong_content(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bank.Statement){
		"amount":              func(s *bank.Statement) { s.AmountFen-- },
		"thirty percent less": func(s *bank.Statement) { s.AmountFen = s.AmountFen * 7 / 10 },
		"yuan":                func(s *bank.Statement) { s.AmountFen = s.AmountFen / 100 },
		"payee":               func(s *bank.Statement) { s.PayeeDigest = "p1:" + strings.Repeat("0", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := slow(t)
			o := f.o
			o.send(t, o.news(t, f.says(t, bank.Paid, change), o.clock.Now(), callbackPath, o.bankOf().BankOwn)).is(t, 200, "")
			f.becomes(t, payout.Frozen)
			if !slices.Contains(f.holds(t), payout.HoldFrozen) || f.payout(t).PaidFen != 0 {
				t.Errorf("holds %v, paid %d", f.holds(t), f.payout(t).PaidFen)
			}
			if !bytes.Contains(o.log.all(), []byte(payout.AlarmFrozen)) {
				t.Error("nobody was called")
			}
			// Two people look, and then the bank's answer counts.
			f.thaw(t)
			o.pass(t, 2*time.Hour)
			f.paid(t)
		})
	}
}

// thaw has two people look at a frozen payment.
func (f *file) thaw(t *testing.T) {
	t.Helper()
	var order struct{ Order string }
	f.o.staff(t, "finance-1").post(t, f.staffPath("/thaws"), staffPosts["/thaws"]).is(t, 201, "").read(t, &order)
	f.unmoved(t, func() {
		f.o.staff(t, "clerk-1").post(t, f.staffPath("/orders/"+order.Order+"/approvals"), map[string]any{}).is(t, 403, "not-allowed")
	})
	f.o.staff(t, "approver-1").post(t, f.staffPath("/orders/"+order.Order+"/approvals"), map[string]any{}).is(t, 201, "")
}

func TestX075_failure_after_success(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	f := o.file(t, o.person(t)).approve(t).paid(t).settled(t)
	for _, s := range []bank.Status{bank.Failed, bank.Returned, bank.Processing, bank.Accepted} {
		o.send(t, o.news(t, f.says(t, s), o.clock.Now(), callbackPath, o.bankOf().BankOwn)).is(t, 200, "")
		f.settled(t)
		if p := f.payout(t); p.State != payout.Paid || p.PaidFen != p.Award.AmountFen {
			t.Errorf("%s after paid made it %s", s, p.State)
		}
	}
	if !bytes.Contains(o.log.all(), []byte(payout.AlarmContradicted)) {
		t.Error("nobody was called")
	}
	// What the citizen reads and may do has not changed.
	if c := f.card(t); c.Payments[0].State != "paid" || c.Payments[0].PaidFen != c.Payments[0].AwardedFen || c.Payments[0].PaidAt == "" || c.Payments[0].StateLabel == "" {
		t.Errorf("the card says %+v", c.Payments[0])
	}
	f.by.post(t, f.path("/receipts"), map[string]any{"award": "01", "answer": "received"}).is(t, 200, "")
}

func TestCallbackAboutNobody(t *testing.T) {
	t.Parallel()
	f := slow(t)
	o := f.o
	s := f.says(t, bank.Paid, func(s *bank.Statement) { s.Reference = "0000unknown0000" })
	n := o.news(t, s, o.clock.Now(), callbackPath, o.bankOf().BankOwn)
	o.send(t, n).is(t, 200, "")
	o.send(t, n).is(t, 200, "")
	page, err := o.Table.Query(t.Context(), table.Query{PK: "PARKED#bank"})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d parked, %v", len(page.Items), err)
	}
	if !bytes.Contains(o.log.all(), []byte("not ours")) {
		t.Error("nobody was called")
	}
}

func TestX077_a_flood_of_callbacks(t *testing.T) {
	t.Parallel()
	f := slow(t)
	o := f.o
	other := o.file(t, o.person(t)).approve(t).becomes(t, payout.Submitted)
	// Half of them twice, in any order, all at once.
	var all []news
	for i := range 150 {
		at := o.clock.Now().Add(-time.Duration(i) * time.Second)
		for _, g := range []*file{f, other} {
			n := o.news(t, g.says(t, bank.Paid, func(s *bank.Statement) { s.BankTime = at }), o.clock.Now(), callbackPath, o.bankOf().BankOwn)
			all = append(all, n)
			if i%2 == 0 {
				all = append(all, n)
			}
		}
	}
	var lost atomic.Int64
	together(32, func(w int) {
		for i := w; i < len(all); i += 32 {
			r := o.send(t, all[i])
			for tries := 0; r.status == 503 && tries < 20; tries++ { // the bank sends again
				r = o.send(t, all[i])
			}
			if r.status != 200 {
				lost.Add(1)
			}
		}
	})
	if lost.Load() > 0 {
		t.Errorf("%d of %d callbacks were not taken", lost.Load(), len(all))
	}
	o.pass(t, 2*time.Hour)
	// Whoever asked just before the bank moved the money asks again minutes later.
	o.onwards(t, "both are paid", time.Minute, func() bool { return f.payout(t).State == payout.Paid && other.payout(t).State == payout.Paid })
	f.paid(t)
	other.paid(t)
}

func TestX079_bombs(t *testing.T) {
	t.Parallel()
	f := slow(t)
	o := f.o
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 8<<20)) // into memory
	_ = z.Close()                       // never fails into memory
	n := o.signed(t, bomb.Bytes(), o.clock.Now(), callbackPath, o.bankOf().BankOwn)
	n.header.Set("Content-Encoding", "gzip")
	o.send(t, n).is(t, 413, "")
	o.send(t, o.signed(t, make([]byte, 5<<20), o.clock.Now(), callbackPath, o.bankOf().BankOwn)).is(t, 413, "")
	f.by.call(t, "POST", f.path("/supplements"), key(), raw(bomb.Bytes()), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }).is(t, 413, "")
	f.by.call(t, "POST", f.path("/supplements"), key(), raw(make([]byte, 5<<20))).is(t, 413, "")
	if a := f.head(t); a.State != application.Approved || f.payout(t).Award.AmountFen <= money.Fen(0) {
		t.Errorf("%+v", a.State)
	}
}
