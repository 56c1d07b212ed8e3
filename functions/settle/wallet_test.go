package settle_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
	. "github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

const (
	person = "oPersonWithAWallet"
	appID  = "7q0w5c8x2v9z1r6t4k3nbjfhm2"
)

// wallet is a room whose one award goes into the person's wallet, with WeChat Pay
// behind real HTTP. Fate rules every write to the store.
type wallet struct {
	*Room
	world    *world.World
	handlers map[work.Queue]queue.Handler
	web      http.Handler
	token    string
	key      table.Key
}

func openWallet(t *testing.T, fate *Fate, scenario string) *wallet {
	t.Helper()
	ctx := t.Context()
	// The room's own case is over the bank; ours is another one in the same store.
	w := &wallet{Room: New(t, fate), key: payout.Key(appID, "01")}
	s, err := world.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	keys := world.LocalKeys("wallet")
	if w.world, err = world.New(world.Options{Keys: keys, Seed: "wallet", Now: w.Now, Scenario: s}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.world.Handler())
	t.Cleanup(func() { _ = w.world.Close(); server.Close() })
	client, err := wxpay.New(keys.WxPayConfig(server.URL, "https://aid.example.cn"+wxpayrail.CallbackPath, nil, w.Now))
	if err != nil {
		t.Fatal(err)
	}
	rails := rail.Of(wxpayrail.New(client, w.Store, 0, w.Now, nil))
	sessions := session.NewStore(w.Store, rand.Reader, w.Now)
	if w.token, err = sessions.Open(ctx, session.Opening{Principal: session.Principal{Kind: session.Citizen, ID: "acc"}, TTL: 48 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	d := settle.Deps{Table: w.Table, Rails: rails, Box: w.Box, Blind: blind(t), Merchant: settle.Merchant{MchID: "1900000109", AppID: keys.WeChatAppID}, Now: w.Now, Metrics: w, Log: w.Logger()}
	w.handlers = map[work.Queue]queue.Handler{work.Settle: settle.Handle(d),
		work.Pay: pay.Handle(pay.Deps{Table: w.Table, Box: w.Box, Rails: rails, Now: w.Now, Metrics: w, Log: w.Logger()})}
	w.web = httpapi.New(httpapi.Config{Sessions: sessions, Now: w.Now, IDs: ident.Random(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, settle.Routes(d)...)
	w.grant()
	return w
}

func blind(t *testing.T) *seal.Blind {
	t.Helper()
	key, err := seal.NewBlindKey(1, bytes.Repeat([]byte{7}, seal.BlindKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal.NewBlind(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *wallet) grant() {
	w.T.Helper()
	ctx := context.Background()
	a := application.Application{ID: appID, Version: 1, State: application.Approved, Account: "acc", Township: w.Slice().Township,
		Subject: "b1.person2", People: []string{"b1.person2"}, AcceptedAt: Start, Award: &application.Award{ID: "01", AmountFen: Amount, By: Approver, At: Start}}
	head, err := a.Writes(a.Event("approved", Approver, Start))
	if err != nil {
		w.T.Fatal(err)
	}
	payee, err := payout.Payee{Name: civil.StoredName(Name), OpenID: redact.New(person)}.Seal(ctx, w.Box, appID, "01", 1)
	if err != nil {
		w.T.Fatal(err)
	}
	granted, err := payout.Grant(ctx, w.Store, award.Award{ID: "01", Application: appID, Kind: award.FirstAid, AmountFen: Amount,
		Persons: 3, Months: 1, Cause: "illness", Year: 2026, Subject: "b1.person2", Payee: "acc", Rail: award.WxPay,
		Fund: w.Slice().Fund, Township: w.Slice().Township, Proposer: Clerk, Approver: Approver, Rules: "rules",
		Article: "《社会救助法》第五十条", At: Start}, payee)
	if err == nil {
		err = w.Store.Transact(ctx, append(head, granted...)...)
	}
	if err != nil {
		w.T.Fatal(err)
	}
}

func (w *wallet) payout() payout.Payout {
	w.T.Helper()
	p, err := payout.Get(context.Background(), w.Store, w.key)
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

// run delivers what is owed, twice each, until done or nothing is owed.
func (w *wallet) run(done func(payout.Payout) bool) {
	w.T.Helper()
	for range 400 {
		p := w.payout()
		if done(p) || p.Next.IsZero() {
			return
		}
		if p.Next.After(w.Now()) {
			w.Wait(p.Next.Sub(w.Now()))
		}
		q := work.Settle
		if !p.Asks() {
			q = work.Pay
		}
		for range 2 {
			_, _ = Live(func() error {
				return w.handlers[q](context.Background(), queue.Message{ID: "m", Body: work.Message{PK: w.key.PK, SK: w.key.SK}.Encode(), Attempt: 1})
			})
		}
		if w.payout().Version == p.Version {
			w.Wait(time.Minute) // not admitted: the sweeper comes again
		}
	}
	w.T.Fatalf("no rest, in %s", w.payout().State)
}

func in(states ...payout.State) func(payout.Payout) bool {
	return func(p payout.Payout) bool {
		for _, s := range states {
			if p.State == s {
				return true
			}
		}
		return false
	}
}

func (w *wallet) call(method, path, token, key string) (int, string) {
	r := httptest.NewRequest(method, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	a := httptest.NewRecorder()
	if lived, _ := Live(func() error { w.web.ServeHTTP(a, r); return nil }); !lived {
		return 0, ""
	}
	return a.Code, a.Body.String()
}

const collection = "/v1/applications/" + appID + "/collection"

// reference is the number of the first attempt.
func reference() string { return payout.Reference(appID, "01", 1) }

// judge checks that ledger, provider and record agree on how it ended.
func (w *wallet) judge(end payout.State) {
	w.T.Helper()
	p := w.payout()
	if p.State != end {
		w.T.Errorf("it ended %s, not %s", p.State, end)
	}
	paid := w.world.Wallet(reference())
	slice, err := fund.Read(context.Background(), w.Store, w.Slice())
	if err != nil {
		w.T.Fatal(err)
	}
	b := slice.Balances
	// The room's own award of the same amount stays reserved throughout.
	if b.Of(fund.Paid) != paid || b.Of(fund.Reserved) != Amount || b.Of(fund.Available) != Budget-Amount-paid {
		w.T.Errorf("M18: the wallet has %d, the ledger says %v", paid, b.Accounts)
	}
	if err := fund.Coherent(context.Background(), w.Store, w.Slice()); err != nil {
		w.T.Errorf("M02: %v", err)
	}
	if len(p.Attempts) != 1 || p.Attempts[0].Reference != reference() {
		w.T.Errorf("M10: %+v", p.Attempts)
	}
	page, err := w.Store.Query(context.Background(), table.Query{PK: application.Partition(appID)})
	if err != nil {
		w.T.Fatal(err)
	}
	_, content := w.world.Package(reference())
	for _, item := range page.Items {
		for _, secret := range []string{person, Name, content} {
			if bytes.Contains(item.Body, []byte(secret)) || strings.Contains(w.Log.String(), secret) {
				w.T.Errorf("P01: %s or the log shows the person", item.Key.SK)
			}
		}
	}
}

func TestThePersonAccepts(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	if code, _ := w.call("GET", collection, w.token, ""); code != http.StatusConflict {
		t.Errorf("before there is anything to accept: %d", code)
	}
	w.run(in(payout.Waiting))
	code, body := w.call("GET", collection, w.token, "")
	var c settle.Collection
	if err := json.Unmarshal([]byte(body), &c); code != http.StatusOK || err != nil || c.AmountFen != Amount || c.Until != "2026-11-23T16:00:00+08:00" {
		t.Fatalf("%d %s %v", code, body, err)
	}
	other, err := session.NewStore(w.Store, rand.Reader, w.Now).Open(t.Context(), session.Opening{Principal: session.Principal{Kind: session.Citizen, ID: "stranger"}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		path := collection
		if method == "POST" {
			path += "/refusal"
		}
		if code, body := w.call(method, path, other, "key-of-a-stranger-1"); code != http.StatusNotFound || strings.Contains(body, c.Package) {
			t.Errorf("%s by a stranger: %d", method, code)
		}
		if code, _ := w.call(method, path, "", "key-of-nobody-at-all"); code != http.StatusUnauthorized {
			t.Errorf("%s by nobody: %d", method, code)
		}
	}
	if !w.world.Accept(person, c.Package) {
		t.Fatal("the page did not open")
	}
	w.run(in(payout.Paid))
	w.judge(payout.Paid)
	if code, _ := w.call("POST", collection+"/refusal", w.token, "key-refuse-too-late"); code != http.StatusConflict {
		t.Errorf("taken back after it was paid: %d", code)
	}
}

func TestNobodyAcceptsInTime(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	w.run(in(payout.Paid, payout.Failed))
	w.judge(payout.Failed)
	if got := w.Now().Sub(Start); got < payout.Confirmation || got > payout.Confirmation+time.Hour {
		t.Errorf("it was over after %v", got)
	}
}

func TestTakenBackWhenThePersonCannotAccept(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	w.run(in(payout.Waiting))
	first, body := w.call("POST", collection+"/refusal", w.token, "key-refuse-0000001")
	again, same := w.call("POST", collection+"/refusal", w.token, "key-refuse-0000001")
	if first != http.StatusOK || again != first || same != body {
		t.Errorf("%d %s, then %d %s", first, body, again, same)
	}
	p := w.payout()
	if _, err := payout.Step(p, payout.Retry{Rail: award.Bank, Payee: "x", First: Clerk, Second: Approver}, Approver, w.Now()); err == nil {
		t.Error("it can be paid otherwise although nobody proved that it was taken back")
	}
	if p.State != payout.Closing || !p.Open {
		t.Errorf("%s, reserved %v", p.State, p.Open)
	}
	w.run(in(payout.Failed, payout.Paid))
	w.judge(payout.Failed)
}

// TestTheTapWinsOverTheCancellation: asked to take back, and accepted before.
func TestTheTapWinsOverTheCancellation(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	w.run(in(payout.Waiting))
	w.world.Accept(w.world.Package(reference()))
	w.call("POST", collection+"/refusal", w.token, "key-refuse-0000002")
	w.run(in(payout.Failed, payout.Paid))
	w.judge(payout.Paid)
}

// TestWhateverGoesWrongOnTheWay: each trouble of the line, with each of the ways a
// person can act.
func TestWhateverGoesWrongOnTheWay(t *testing.T) {
	t.Parallel()
	const rule = "[[rule]]\nservice = \"wxpay\"\nop = %q\nnth = [1]\n%s\n"
	for name, s := range map[string]string{
		"send cut, not done":  fmt.Sprintf(rule, "send", `effect = "cut_before"`),
		"send cut, done":      fmt.Sprintf(rule, "send", `effect = "cut_after"`),
		"send 500, not done":  fmt.Sprintf(rule, "send", "effect = \"status\"\nstatus = 500"),
		"send 502, done":      fmt.Sprintf(rule, "send", "effect = \"status\"\nstatus = 502\ndone = true"),
		"send probed":         fmt.Sprintf(rule, "send", "effect = \"lie\"\nlie = \"probe_signature\""),
		"send short":          fmt.Sprintf(rule, "send", "effect = \"code\"\ncode = \"NOT_ENOUGH\""),
		"send too many":       fmt.Sprintf(rule, "send", "effect = \"code\"\ncode = \"FREQUENCY_LIMITED\""),
		"send stopped":        fmt.Sprintf(rule, "send", "effect = \"code\"\ncode = \"NO_AUTH\""),
		"accepted, not ready": fmt.Sprintf(rule, "send", "effect = \"processing\"\nafter = \"1m\""),
		"query cut":           fmt.Sprintf(rule, "query", `effect = "cut_before"`),
		"query forged":        fmt.Sprintf(rule, "query", "effect = \"lie\"\nlie = \"bad_signature\""),
		"query stale":         fmt.Sprintf(rule, "query", "effect = \"lie\"\nlie = \"stale_timestamp\""),
		"cancel cut, done":    fmt.Sprintf(rule, "cancel", `effect = "cut_after"`),
		"cancel 500":          fmt.Sprintf(rule, "cancel", "effect = \"status\"\nstatus = 500"),
	} {
		for _, tap := range []string{"accept", "refuse", "nothing"} {
			t.Run(name+", "+tap, func(t *testing.T) {
				t.Parallel()
				w := openWallet(t, NewFate(nil), "title = \"x\"\n"+s)
				w.run(in(payout.Waiting))
				end := w.act(tap)
				w.run(in(payout.Failed, payout.Paid, payout.Frozen))
				w.judge(end)
			})
		}
	}
}

// act is what the person does, and how it must end.
func (w *wallet) act(tap string) payout.State {
	switch tap {
	case "accept":
		w.world.Accept(w.world.Package(reference()))
		return payout.Paid
	case "refuse":
		w.call("POST", collection+"/refusal", w.token, "key-refuse-0000003")
	}
	return payout.Failed
}

// TestEveryWriteMayBeLost dooms each write of each story in each way.
func TestEveryWriteMayBeLost(t *testing.T) {
	t.Parallel()
	for _, tap := range []string{"accept", "refuse"} {
		story := func(fate *Fate) {
			w := openWallet(t, fate, "")
			w.run(in(payout.Waiting))
			end := w.act(tap)
			if w.payout().State == payout.Waiting && tap == "refuse" {
				w.call("POST", collection+"/refusal", w.token, "key-refuse-0000003") // the person taps again
			}
			w.run(in(payout.Failed, payout.Paid, payout.Frozen))
			w.judge(end)
		}
		healthy := NewFate(nil)
		story(healthy)
		for n := 1; n <= min(healthy.Touches(), 8); n++ {
			for _, doom := range Dooms() {
				story(NewFate(map[int]Doom{n: doom}))
				if t.Failed() {
					t.Fatalf("%s: write %d %s", tap, n, doom)
				}
			}
		}
	}
}

func TestAHoldKeepsThePageShut(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	w.run(in(payout.Waiting))
	head, err := application.Get(t.Context(), w.Store, appID)
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := head.PlaceHold(application.NewHold(head.ID, head.Version, "STAFF", Clerk, w.Now(), w.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	writes, err := next.Writes(next.Event("held", Clerk, w.Now()))
	if err == nil {
		err = w.Store.Transact(t.Context(), writes...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, body := w.call("GET", collection, w.token, ""); code != http.StatusConflict || strings.Contains(body, "package") {
		t.Errorf("%d %s", code, body)
	}
}

// TestWhereTheRailIsOff: callbacks wait for it, and people find no page.
func TestWhereTheRailIsOff(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	d := settle.Deps{Table: w.Table, Box: w.Box, Blind: blind(t), Now: w.Now, Metrics: w, Log: w.Logger()}
	w.web = httpapi.New(httpapi.Config{Sessions: session.NewStore(w.Store, rand.Reader, w.Now), Now: w.Now, IDs: ident.Random(),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, settle.Routes(d)...)
	r := httptest.NewRequest(http.MethodPost, wxpayrail.CallbackPath, strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	a := httptest.NewRecorder()
	w.web.ServeHTTP(a, r)
	if a.Code != http.StatusServiceUnavailable {
		t.Errorf("a callback: %d", a.Code)
	}
	if code, _ := w.call("GET", collection, w.token, ""); code != http.StatusServiceUnavailable {
		t.Errorf("the page: %d", code)
	}
	if code, _ := w.call("GET", "/v1/applications/00000000000000000000000000/collection", w.token, ""); code != http.StatusNotFound {
		t.Errorf("nobody's case: %d", code)
	}
}

func TestNewsOfTheWallet(t *testing.T) {
	t.Parallel()
	w := openWallet(t, NewFate(nil), "")
	post := func(h http.Header, body []byte) int {
		r := httptest.NewRequest(http.MethodPost, wxpayrail.CallbackPath, bytes.NewReader(body))
		r.Header = h.Clone()
		r.Header.Set("Content-Type", "application/json")
		a := httptest.NewRecorder()
		w.web.ServeHTTP(a, r)
		return a.Code
	}
	w.run(in(payout.Waiting))
	w.world.Accept(w.world.Package(reference()))
	w.Wait(time.Second)
	_, h, body := w.world.News(reference())
	probe := h.Clone()
	probe.Set(wxpay.HeaderSignature, "WECHATPAY/SIGNTEST/"+h.Get(wxpay.HeaderSignature))
	if code := post(probe, body); code != http.StatusUnauthorized {
		t.Errorf("X076: a probe got %d", code)
	}
	before := w.payout()
	for range 3 {
		if code := post(h, body); code != http.StatusOK {
			t.Errorf("%d", code)
		}
	}
	p := w.payout()
	if p.Version != before.Version+1 || p.State != payout.Waiting || p.Next.After(w.Now()) {
		t.Errorf("news concluded something, or was taken %d times: %s", p.Version-before.Version, p.State)
	}
	w.Wait(301 * time.Second)
	if code := post(h, body); code != http.StatusUnauthorized {
		t.Errorf("X067: 301 s old: %d", code)
	}
	w.run(in(payout.Paid))
	w.judge(payout.Paid)
}
