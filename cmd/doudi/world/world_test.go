package world_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/sms"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// A clock that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock {
	return &clock{t: time.Date(2026, 11, 22, 9, 0, 0, 0, time.FixedZone("CST", 8*3600))}
}

// rig is a world behind real HTTP with all our clients before it.
type rig struct {
	*world.World
	clock    *clock
	keys     world.Keys
	url      string
	bank     *bank.Client
	exchange *exchange.Client
	wechat   *wxapp.Client
	sms      *sms.Client
}

func keys() world.Keys {
	k := world.LocalKeys("test")
	k.Templates["paid"] = "tmpl-paid"
	k.SMSTemplates["paid"] = "9001"
	return k
}

// short is the deadline of calls that are meant to time out. What comes before them
// has it too, on a machine that does much else.
const short = 400 * time.Millisecond

func newRig(t *testing.T, o world.Options, scenario string) *rig {
	t.Helper()
	r := &rig{clock: newClock(), keys: keys()}
	o.Keys, o.Seed, o.Now = r.keys, "test", r.clock.now
	if scenario != "" {
		s, err := world.ParseScenario([]byte(scenario))
		if err != nil {
			t.Fatal(err)
		}
		o.Scenario = s
	}
	var err error
	if r.World, err = world.New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.Handler())
	r.url = server.URL
	t.Cleanup(func() {
		_ = r.Close()
		server.Close()
	})
	deadline := 10 * time.Second
	if strings.Contains(scenario, "timeout_") || strings.Contains(scenario, "endless") {
		deadline = short
	}
	bc := r.keys.BankConfig(r.url, server.Client(), r.clock.now, rand.Reader)
	bc.Deadline = deadline
	if r.bank, err = bank.New(bc); err != nil {
		t.Fatal(err)
	}
	xc := r.keys.ExchangeConfig(r.url, server.Client(), r.clock.now, rand.Reader)
	xc.Sleep = func(context.Context, time.Duration) error { return nil }
	if xc.Sources, err = exchange.Sources(); err != nil {
		t.Fatal(err)
	}
	for i := range xc.Sources {
		xc.Sources[i].Try, xc.Sources[i].Deadline = deadline, 5*deadline
	}
	if r.exchange, err = exchange.New(xc); err != nil {
		t.Fatal(err)
	}
	wc := r.keys.WeChatConfig(r.url, server.Client(), r.clock.now)
	wc.Deadline = deadline
	if r.wechat, err = wxapp.New(wc); err != nil {
		t.Fatal(err)
	}
	sc := r.keys.SMSConfig(r.url, server.Client(), r.clock.now)
	sc.Deadline = deadline
	if r.sms, err = sms.New(sc); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) cast(t *testing.T, role string) world.Person {
	t.Helper()
	p, ok := r.Cast("320400", role)
	if !ok {
		t.Fatalf("no %s", role)
	}
	return p
}

func order(p world.Person, reference string) bank.Order {
	return bank.Order{Reference: reference, AmountFen: 88800, PayeeName: civil.StoredName(p.Name), PayeeAccount: civil.StoredAccount(p.Account), Purpose: "临时救助金"}
}

func (r *rig) encode(t *testing.T, o bank.Order) []byte {
	t.Helper()
	body, err := r.bank.Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func question(p world.Person, source, number string) exchange.Question {
	return exchange.Question{Source: source, Case: "0123456789abcdefghjkmnpqrs", LegalBasis: "社会救助法第四十一条", Consent: strings.Repeat("a", 64),
		Operator: "320400-clerk-1", Name: civil.StoredName(p.Name), ID: civil.StoredIDNumber(p.IDNumber), Number: number}
}

// TestBankLine holds every effect against what each call may conclude.
// recorded says whether the bank really has the transfer afterwards.
func TestBankLine(t *testing.T) {
	t.Parallel()
	send := map[string]struct {
		rule     string
		want     bank.Status
		code     string
		recorded bool
	}{
		"honest":                          {``, bank.Accepted, "", true},
		"timeout_before_acting":           {`effect = "timeout_before"`, bank.Unknown, "timeout", false},
		"timeout_after_acting":            {`effect = "timeout_after"`, bank.Unknown, "timeout", true},
		"connection_cut_before_acting":    {`effect = "cut_before"`, bank.Unknown, "unreachable", false},
		"connection_cut_after_acting":     {`effect = "cut_after"`, bank.Unknown, "unreachable", true},
		"500_not_done":                    {"effect = \"status\"\nstatus = 500", bank.Unknown, bank.CodeUnverified, false},
		"502_done":                        {"effect = \"status\"\nstatus = 502\ndone = true", bank.Unknown, bank.CodeUnverified, true},
		"unsigned_404":                    {"effect = \"status\"\nstatus = 404", bank.Unknown, bank.CodeUnverified, false},
		"unsigned_400":                    {"effect = \"status\"\nstatus = 400", bank.Unknown, bank.CodeUnverified, false},
		"slow":                            {"effect = \"delay\"\nafter = \"5ms\"", bank.Accepted, "", true},
		"bad_signature":                   {"effect = \"lie\"\nlie = \"bad_signature\"", bank.Unknown, bank.CodeUnverified, true},
		"probe_signature":                 {"effect = \"lie\"\nlie = \"probe_signature\"", bank.Unknown, bank.CodeUnverified, true},
		"no_signature":                    {"effect = \"lie\"\nlie = \"no_signature\"", bank.Unknown, bank.CodeUnverified, true},
		"stale_timestamp":                 {"effect = \"lie\"\nlie = \"stale_timestamp\"", bank.Unknown, bank.CodeUnverified, true},
		"an_old_answer_played_again":      {"effect = \"lie\"\nlie = \"old_answer\"", bank.Unknown, bank.CodeUnverified, true},
		"other_reference":                 {"effect = \"lie\"\nlie = \"other_reference\"", bank.Unknown, bank.CodeOther, true},
		"garbage_well_signed":             {"effect = \"lie\"\nlie = \"garbage\"", bank.Unknown, bank.CodeMalformed, true},
		"bad_charset":                     {"effect = \"lie\"\nlie = \"bad_charset\"", bank.Unknown, bank.CodeMalformed, true},
		"endless_body":                    {"effect = \"lie\"\nlie = \"endless_body\"", bank.Unknown, "answer-too-large", true},
		"redirect":                        {"effect = \"lie\"\nlie = \"redirect\"", bank.Unknown, "answer-redirects", true},
		"busy":                            {"effect = \"code\"\ncode = \"BANK_BUSY\"", bank.Busy, "BANK_BUSY", false},
		"short_of_funds":                  {"effect = \"code\"\ncode = \"INSUFFICIENT_FUNDS\"", bank.Busy, "INSUFFICIENT_FUNDS", false},
		"signed_rejection_is_not_failure": {"effect = \"code\"\ncode = \"ACCOUNT_CLOSED\"", bank.Unknown, "ACCOUNT_CLOSED", false},
		"agreement_ended":                 {"effect = \"code\"\ncode = \"NO_AGREEMENT\"", bank.Refused, "NO_AGREEMENT", false},
		"code_nobody_knows":               {"effect = \"code\"\ncode = \"BRAND_NEW\"", bank.Unknown, "BRAND_NEW", false},
		"will_fail":                       {"effect = \"fail\"\ncode = \"OVER_LIMIT\"", bank.Accepted, "", true},
	}
	for name, c := range send {
		t.Run("send_"+name, func(t *testing.T) {
			t.Parallel()
			scenario := ""
			if c.rule != "" {
				scenario = "[[rule]]\nservice = \"bank\"\nop = \"send\"\n" + c.rule
			}
			r := newRig(t, world.Options{}, scenario)
			o := order(r.cast(t, "plain"), "ref1")
			got := r.bank.Send(t.Context(), o.Reference, r.encode(t, o))
			if got.Status != c.want || got.Code != c.code || got.Reference != "ref1" {
				t.Errorf("got %s %q, want %s %q", got.Status, got.Code, c.want, c.code)
			}
			if recorded := len(r.Book(world.Filter{Reference: "ref1"})) == 1; recorded != c.recorded {
				t.Errorf("recorded = %v", recorded)
			}
		})
	}
	query := map[string]struct {
		rule string
		want bank.Status
		code string
	}{
		"honest":                        {``, bank.Paid, ""},
		"failed_explicitly":             {"op = \"send\"\neffect = \"fail\"\ncode = \"OVER_LIMIT\"", bank.Failed, "OVER_LIMIT"},
		"failed_and_may_be_tried_again": {"op = \"send\"\neffect = \"fail\"\ncode = \"BANK_BUSY\"", bank.Failed, "BANK_BUSY"},
		"still_processing":              {"op = \"send\"\neffect = \"processing\"\nafter = \"24h\"", bank.Processing, ""},
		"returned":                      {"op = \"send\"\neffect = \"return\"\nafter = \"1ms\"", bank.Returned, "ACCOUNT_FROZEN"},
		"timeout":                       {"op = \"query\"\neffect = \"timeout_before\"", bank.Unknown, "timeout"},
		"cut":                           {"op = \"query\"\neffect = \"cut_after\"", bank.Unknown, "unreachable"},
		"503":                           {"op = \"query\"\neffect = \"status\"\nstatus = 503", bank.Unknown, bank.CodeUnverified},
		"unsigned_404_is_no_absence":    {"op = \"query\"\neffect = \"status\"\nstatus = 404", bank.Unknown, bank.CodeUnverified},
		"bad_signature":                 {"op = \"query\"\neffect = \"lie\"\nlie = \"bad_signature\"", bank.Unknown, bank.CodeUnverified},
		"probe_signature":               {"op = \"query\"\neffect = \"lie\"\nlie = \"probe_signature\"", bank.Unknown, bank.CodeUnverified},
		"stale_timestamp":               {"op = \"query\"\neffect = \"lie\"\nlie = \"stale_timestamp\"", bank.Unknown, bank.CodeUnverified},
		"old_answer":                    {"op = \"query\"\neffect = \"lie\"\nlie = \"old_answer\"", bank.Unknown, bank.CodeUnverified},
		"other_reference":               {"op = \"query\"\neffect = \"lie\"\nlie = \"other_reference\"", bank.Unknown, bank.CodeOther},
		"garbage":                       {"op = \"query\"\neffect = \"lie\"\nlie = \"garbage\"", bank.Unknown, bank.CodeMalformed},
		"endless_body":                  {"op = \"query\"\neffect = \"lie\"\nlie = \"endless_body\"", bank.Unknown, "answer-too-large"},
		"redirect":                      {"op = \"query\"\neffect = \"lie\"\nlie = \"redirect\"", bank.Unknown, "answer-redirects"},
	}
	for name, c := range query {
		t.Run("query_"+name, func(t *testing.T) {
			t.Parallel()
			scenario := ""
			if c.rule != "" {
				scenario = "[[rule]]\nservice = \"bank\"\n" + c.rule
			}
			r := newRig(t, world.Options{}, scenario)
			o := order(r.cast(t, "plain"), "ref1")
			r.bank.Send(t.Context(), "ref1", r.encode(t, o))
			r.clock.move(time.Second)
			got := r.bank.Query(t.Context(), "ref1")
			if got.Status != c.want || got.Code != c.code {
				t.Errorf("got %s %q, want %s %q", got.Status, got.Code, c.want, c.code)
			}
			if got.Status == bank.Failed && got.Retryable != (c.code == "BANK_BUSY") {
				t.Errorf("retryable = %v", got.Retryable)
			}
			if got.Status != bank.Unknown && (got.AmountFen != o.AmountFen || got.PayeeDigest != r.bank.PayeeDigest(o) || got.BankTime.IsZero() || got.Evidence == "") {
				t.Errorf("statement is not about the order: %+v", got)
			}
		})
	}
}

func TestBankLiesAreVisible(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"send", "query"} {
		for _, lie := range []string{"wrong_amount", "wrong_person"} {
			r := newRig(t, world.Options{}, fmt.Sprintf("[[rule]]\nservice = \"bank\"\nop = %q\neffect = \"lie\"\nlie = %q", op, lie))
			o := order(r.cast(t, "plain"), "ref1")
			got := r.bank.Send(t.Context(), "ref1", r.encode(t, o))
			if op == "query" {
				got = r.bank.Query(t.Context(), "ref1")
			}
			if (got.AmountFen == o.AmountFen) != (lie != "wrong_amount") || (got.PayeeDigest == r.bank.PayeeDigest(o)) != (lie != "wrong_person") {
				t.Errorf("%s %s: the caller cannot see the lie: %+v", op, lie, got)
			}
		}
	}
}

func TestOneReferenceIsOnePayment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, world.Options{Dir: dir}, "")
	p := r.cast(t, "plain")
	o := order(p, "ref1")
	body := r.encode(t, o)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := r.bank.Send(t.Context(), "ref1", body); got.Status != bank.Accepted {
				t.Errorf("got %s %s", got.Status, got.Code)
			}
		})
	}
	wg.Wait()
	more := o
	more.AmountFen++
	got := r.bank.Send(t.Context(), "ref1", r.encode(t, more))
	if got.Status != bank.Unknown || got.Code != "DUPLICATE_DIFFERENT" || got.Retryable || bank.Meaning(got.Code) != bank.Freeze {
		t.Errorf("other content under one reference: %+v", got)
	}
	if n := len(r.Book(world.Filter{})); n != 1 {
		t.Errorf("%d payments", n)
	}
	// The process is killed: nothing is closed, half a record is on disk.
	file := filepath.Join(dir, "world.jsonl")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"transfer":{"reference":"half`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	again := newRig(t, world.Options{Dir: dir}, "")
	again.clock.move(time.Second)
	if got := again.bank.Query(t.Context(), "ref1"); got.Status != bank.Paid || got.AmountFen != o.AmountFen {
		t.Errorf("after a restart: %+v", got)
	}
	if got := again.bank.Send(t.Context(), "ref1", body); got.Status != bank.Paid || len(again.Book(world.Filter{Purpose: "临时救助金"})) != 1 {
		t.Errorf("a repeat after a restart: %+v", got)
	}
	o2 := order(p, "ref2")
	if got := again.bank.Send(t.Context(), "ref2", again.encode(t, o2)); got.Status != bank.Accepted {
		t.Errorf("after half a record: %+v", got)
	}
	third := newRig(t, world.Options{Dir: dir}, "")
	if n := len(third.Book(world.Filter{})); n != 2 {
		t.Errorf("%d payments after the second restart", n)
	}
}

func TestDamagedJournalIsNotOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "world.jsonl"), []byte("{}\nnot json\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := world.New(world.Options{Keys: keys(), Dir: dir}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("err = %v", err)
	}
}

func TestAccountsWithStories(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{}, "")
	for role, want := range map[string]struct {
		status bank.Status
		code   string
	}{
		"plain": {bank.Paid, ""}, "deceased": {bank.Failed, "PAYEE_DECEASED"}, "wrong_payee": {bank.Failed, "NAME_MISMATCH"},
		"closed_account": {bank.Failed, "ACCOUNT_CLOSED"}, "returned_later": {bank.Paid, ""},
	} {
		ref := strings.ReplaceAll(role, "_", "")
		r.bank.Send(t.Context(), ref, r.encode(t, order(r.cast(t, role), ref)))
		r.clock.move(time.Second)
		if got := r.bank.Query(t.Context(), ref); got.Status != want.status || got.Code != want.code {
			t.Errorf("%s: %s %s", role, got.Status, got.Code)
		}
	}
	r.clock.move(time.Hour)
	if got := r.bank.Query(t.Context(), "returnedlater"); got.Status != bank.Returned || got.Code != "ACCOUNT_FROZEN" {
		t.Errorf("returned: %+v", got)
	}
	o := order(r.cast(t, "plain"), "typo")
	o.PayeeAccount = civil.StoredAccount("6299990000000000001")
	r.bank.Send(t.Context(), "typo", r.encode(t, o))
	r.clock.move(time.Second)
	if got := r.bank.Query(t.Context(), "typo"); got.Status != bank.Failed || got.Code != "ACCOUNT_NOT_FOUND" {
		t.Errorf("account with a wrong check digit: %+v", got)
	}
	if got := r.bank.Query(t.Context(), "never"); got.Status != bank.NotFound || !got.Retryable {
		t.Errorf("reference never sent: %+v", got)
	}
}

func TestRateIsEnforced(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{Rate: 3}, "")
	p := r.cast(t, "plain")
	count := map[bank.Status]int{}
	for i := range 5 {
		ref := fmt.Sprintf("r%d", i)
		got := r.bank.Send(t.Context(), ref, r.encode(t, order(p, ref)))
		count[got.Status]++
		if got.Status == bank.Busy && (got.Code != "RATE_LIMITED" || !got.Retryable) {
			t.Errorf("%+v", got)
		}
	}
	if count[bank.Accepted] != 3 || count[bank.Busy] != 2 {
		t.Errorf("%v", count)
	}
	r.clock.move(time.Second)
	if got := r.bank.Send(t.Context(), "r4", r.encode(t, order(p, "r4"))); got.Status != bank.Accepted {
		t.Errorf("a second later: %+v", got)
	}
}

func TestBankRefusesStrangers(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{}, "")
	bc := world.LocalKeys("thief").BankConfig(r.url, nil, r.clock.now, rand.Reader)
	bc.BankKeys = r.keys.BankConfig(r.url, nil, r.clock.now, rand.Reader).BankKeys
	thief, err := bank.New(bc)
	if err != nil {
		t.Fatal(err)
	}
	o := order(r.cast(t, "plain"), "ref1")
	body, err := thief.Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	if got := thief.Send(t.Context(), "ref1", body); got.Status != bank.Refused || got.Code != "BAD_SIGNATURE" || len(r.Book(world.Filter{})) != 0 {
		t.Errorf("%+v", got)
	}
}

// inbox takes callbacks the way settle will: verify, then note.
type inbox struct {
	mu     sync.Mutex
	client *bank.Client
	got    []bank.Callback
	bad    int
	refuse int // answer 503 to that many first
}

func (in *inbox) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.refuse > 0 {
		in.refuse--
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	c, err := in.client.ParseCallback(r.Method, r.URL.EscapedPath(), r.Header, raw)
	if err != nil {
		in.bad++
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	in.got = append(in.got, c)
	rw.WriteHeader(http.StatusNoContent)
}

func newCallbackRig(t *testing.T, dir, scenario string) (*rig, *inbox) {
	t.Helper()
	in := &inbox{}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	r := newRig(t, world.Options{Dir: dir, CallbackURL: server.URL + "/v1/callbacks/bank", Ladder: []time.Duration{0, time.Second, time.Second}}, scenario)
	in.client = r.bank
	return r, in
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	const rule = "[[rule]]\nservice = \"bank\"\nop = \"callback\"\n"
	for name, c := range map[string]struct {
		scenario  string
		refuse    int
		good, bad int
		says      string
	}{
		"honest":              {"", 0, 1, 0, "paid"},
		"refused_at_first":    {"", 2, 1, 0, "paid"},
		"refused_for_ever":    {"", 99, 0, 0, ""},
		"dropped":             {rule + `effect = "drop"`, 0, 0, 0, ""},
		"repeated":            {rule + "effect = \"repeat\"\ntimes = 3", 0, 3, 0, "paid paid paid"},
		"late":                {rule + "effect = \"late\"\nafter = \"2s\"", 0, 1, 0, "paid"},
		"forged":              {rule + "effect = \"lie\"\nlie = \"bad_signature\"", 0, 0, 3, ""},
		"probe":               {rule + "effect = \"lie\"\nlie = \"probe_signature\"", 0, 0, 3, ""},
		"unsigned":            {rule + "effect = \"lie\"\nlie = \"no_signature\"", 0, 0, 3, ""},
		"stale":               {rule + "effect = \"lie\"\nlie = \"stale_timestamp\"", 0, 0, 3, ""},
		"garbage_well_signed": {rule + "effect = \"lie\"\nlie = \"garbage\"", 0, 0, 3, ""},
		"failed":              {"[[rule]]\nservice = \"bank\"\nop = \"send\"\neffect = \"fail\"\ncode = \"NAME_MISMATCH\"", 0, 1, 0, "failed"},
		"returned":            {"[[rule]]\nservice = \"bank\"\nop = \"send\"\neffect = \"return\"\nafter = \"1s\"", 0, 2, 0, "paid returned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, in := newCallbackRig(t, "", c.scenario)
			in.refuse = c.refuse
			o := order(r.cast(t, "plain"), "ref1")
			r.bank.Send(t.Context(), "ref1", r.encode(t, o))
			if r.Step(t.Context()) != 0 {
				t.Error("called back before anything was settled")
			}
			for range 8 {
				r.clock.move(time.Second)
				r.Step(t.Context())
			}
			var says []string
			for _, g := range in.got {
				says = append(says, string(g.Says))
				if g.Reference != "ref1" || g.AmountFen != o.AmountFen || g.PayeeDigest != r.bank.PayeeDigest(o) || g.ID == "" {
					t.Errorf("%+v", g)
				}
			}
			if len(in.got) != c.good || in.bad != c.bad || strings.Join(says, " ") != c.says {
				t.Errorf("good %d bad %d says %q", len(in.got), in.bad, says)
			}
			for i := 1; i < len(in.got); i++ {
				if same := in.got[i].ID == in.got[0].ID; same != (name == "repeated") {
					t.Errorf("id of message %d: same = %v", i, same)
				}
			}
		})
	}
}

func TestCallbacksOutOfOrder(t *testing.T) {
	t.Parallel()
	r, in := newCallbackRig(t, "", "[[rule]]\nservice = \"bank\"\nop = \"callback\"\norder = 1\neffect = \"reorder\"")
	p := r.cast(t, "plain")
	for _, ref := range []string{"first", "second"} {
		r.bank.Send(t.Context(), ref, r.encode(t, order(p, ref)))
	}
	for range 3 {
		r.clock.move(time.Second)
		r.Step(t.Context())
	}
	if len(in.got) != 2 || in.got[0].Reference != "second" || in.got[1].Reference != "first" {
		t.Errorf("%+v", in.got)
	}
}

func TestCallbackIsOwedAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, _ := newCallbackRig(t, dir, "")
	r.bank.Send(t.Context(), "ref1", r.encode(t, order(r.cast(t, "plain"), "ref1")))
	again, in := newCallbackRig(t, dir, "")
	again.clock.move(time.Second)
	again.Step(t.Context())
	third, late := newCallbackRig(t, dir, "")
	third.clock.move(time.Second)
	third.Step(t.Context())
	if len(in.got) != 1 || len(late.got) != 0 {
		t.Errorf("%d then %d callbacks", len(in.got), len(late.got))
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	t.Parallel()
	r, in := newCallbackRig(t, "", "")
	r.bank.Send(t.Context(), "ref1", r.encode(t, order(r.cast(t, "plain"), "ref1")))
	r.clock.move(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for {
		in.mu.Lock()
		n := len(in.got)
		in.mu.Unlock()
		if n > 0 {
			break
		}
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Error(err)
	}
}

func TestRegisters(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{AsyncDelay: time.Nanosecond}, "")
	for i, c := range []struct {
		role, source string
		want         exchange.Outcome
		fact         string
	}{
		{"plain", "household", exchange.HitClear, "registration=registered"},
		{"plain", "death", exchange.HitClear, "deceased=no"},
		{"plain", "low_income", exchange.HitClear, "class=none"},
		{"plain", "earlier_aid", exchange.HitClear, "times_this_year=0"},
		{"plain", "near_relative", exchange.HitClear, "kin=no"},
		{"deceased", "death", exchange.HitAdverse, "deceased=yes"},
		{"deceased", "household", exchange.HitAdverse, "registration=cancelled"},
		{"wrong_name", "household", exchange.Mismatch, ""},
		{"dibao", "low_income", exchange.HitClear, "class=dibao"},
		{"dibao_child", "household", exchange.HitClear, "member_count=3"},
		{"dibao_spouse", "marriage", exchange.HitClear, "status=married"},
		{"kin_of_clerk", "near_relative", exchange.HitAdverse, "staff=320400-clerk-1"},
		{"helped_before", "earlier_aid", exchange.HitAdverse, "times_this_year=1"},
		{"migrant", "household", exchange.HitClear, "registered_division=511702001000"},
		{"unregistered", "household", exchange.NoRecord, ""},
		{"dibao_with_car", "vehicle", exchange.HitClear, "vehicle=car"},
		{"dibao_with_stall", "business", exchange.HitClear, "owner=self_employed"},
		{"joined_household", "household_move", exchange.HitClear, "kinship=other"},
		{"daughter_in_law", "household_move", exchange.HitClear, "kinship=near"},
	} {
		a := r.exchange.Ask(t.Context(), question(r.cast(t, c.role), c.source, fmt.Sprintf("n%d", i)))
		name, value, _ := strings.Cut(c.fact, "=")
		if a.Outcome != c.want || a.Facts[name] != value || a.Evidence == "" || a.Source != c.source {
			t.Errorf("%s %s: %s %s %v", c.role, c.source, a.Outcome, a.Why, a.Facts)
		}
		if relied := a.Outcome == exchange.HitClear || a.Outcome == exchange.HitAdverse || a.Outcome == exchange.NoRecord; relied != a.ValidUntil.After(a.FetchedAt) {
			t.Errorf("%s %s: valid until %v", c.role, c.source, a.ValidUntil)
		}
	}
	// An asynchronous source is asked again under the same number.
	q := question(r.cast(t, "well_paid"), "social_insurance", "async")
	if a := r.exchange.Ask(t.Context(), q); a.Outcome != exchange.Pending {
		t.Errorf("first: %s %s", a.Outcome, a.Why)
	}
	r.clock.move(time.Second)
	if a := r.exchange.Ask(t.Context(), q); a.Outcome != exchange.HitAdverse || a.Facts["income_band"] != "above_average" {
		t.Errorf("second: %s %s", a.Outcome, a.Why)
	}
	// One number is one question.
	q.Case = "another"
	if a := r.exchange.Ask(t.Context(), q); a.Outcome != exchange.Unavailable {
		t.Errorf("number used twice: %s", a.Outcome)
	}
	stranger := world.Person{Name: "不在册", IDNumber: "110101199003070011"}
	if a := r.exchange.Ask(t.Context(), question(stranger, "death", "stranger")); a.Outcome != exchange.NoRecord {
		t.Errorf("stranger: %s %s", a.Outcome, a.Why)
	}
	open := newRig(t, world.Options{AdoptStrangers: true}, "")
	if a := open.exchange.Ask(t.Context(), question(stranger, "death", "stranger")); a.Outcome != exchange.HitClear {
		t.Errorf("adopted stranger: %s %s", a.Outcome, a.Why)
	}
}

func TestExchangeLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule string
		want exchange.Outcome
		why  string
	}{
		"timeout_before":    {`effect = "timeout_before"`, exchange.Unavailable, "timeout"},
		"timeout_after":     {`effect = "timeout_after"`, exchange.Unavailable, "timeout"},
		"cut":               {`effect = "cut_after"`, exchange.Unavailable, "unreachable"},
		"one_500":           {"effect = \"status\"\nstatus = 500\nnth = [1]", exchange.HitClear, ""},
		"two_500":           {"effect = \"status\"\nstatus = 500\nnth = [1, 2]", exchange.HitClear, ""},
		"always_500":        {"effect = \"status\"\nstatus = 500", exchange.Unavailable, exchange.WhyUnverified},
		"unsigned_403":      {"effect = \"status\"\nstatus = 403", exchange.Unavailable, exchange.WhyUnverified},
		"unsigned_404":      {"effect = \"status\"\nstatus = 404", exchange.Unavailable, exchange.WhyUnverified},
		"bad_signature":     {"effect = \"lie\"\nlie = \"bad_signature\"", exchange.Unavailable, exchange.WhyUnverified},
		"probe_signature":   {"effect = \"lie\"\nlie = \"probe_signature\"", exchange.Unavailable, exchange.WhyUnverified},
		"no_signature":      {"effect = \"lie\"\nlie = \"no_signature\"", exchange.Unavailable, exchange.WhyUnverified},
		"stale_timestamp":   {"effect = \"lie\"\nlie = \"stale_timestamp\"", exchange.Unavailable, exchange.WhyUnverified},
		"old_answer":        {"effect = \"lie\"\nlie = \"old_answer\"", exchange.Unavailable, exchange.WhyUnverified},
		"wrong_person":      {"effect = \"lie\"\nlie = \"wrong_person\"", exchange.Unavailable, exchange.WhyOther},
		"other_number":      {"effect = \"lie\"\nlie = \"other_reference\"", exchange.Unavailable, exchange.WhyOther},
		"none_with_facts":   {"effect = \"lie\"\nlie = \"contradiction\"", exchange.Unavailable, exchange.WhyContradiction},
		"fact_not_listed":   {"effect = \"lie\"\nlie = \"unknown_fact\"", exchange.Unavailable, exchange.WhyMalformed},
		"from_the_future":   {"effect = \"lie\"\nlie = \"future\"", exchange.Unavailable, exchange.WhyFuture},
		"ten_years_old":     {"effect = \"lie\"\nlie = \"stale_data\"", exchange.Expired, exchange.WhyStale},
		"bad_charset":       {"effect = \"lie\"\nlie = \"bad_charset\"", exchange.Unavailable, exchange.WhyMalformed},
		"garbage":           {"effect = \"lie\"\nlie = \"garbage\"", exchange.Unavailable, exchange.WhyMalformed},
		"never_ends":        {"effect = \"lie\"\nlie = \"endless_body\"", exchange.Unavailable, "answer-too-large"},
		"redirect":          {"effect = \"lie\"\nlie = \"redirect\"", exchange.Unavailable, "answer-redirects"},
		"busy":              {"effect = \"answer\"\nresult = \"busy\"", exchange.Unavailable, exchange.WhyStatus},
		"no_record":         {"effect = \"answer\"\nresult = \"none\"", exchange.NoRecord, ""},
		"mismatch":          {"effect = \"answer\"\nresult = \"mismatch\"", exchange.Mismatch, exchange.WhyIdentity},
		"refused":           {"effect = \"answer\"\nresult = \"not_authorised\"", exchange.NotAuthorised, exchange.WhyRefused},
		"pending_from_sync": {"effect = \"answer\"\nresult = \"pending\"", exchange.Unavailable, exchange.WhyContradiction},
		"alive_with_a_month_of_death": {"effect = \"answer\"\nresult = \"found\"\nfacts = { deceased = \"no\", month = \"2026-01\" }",
			exchange.Mismatch, exchange.WhyContradiction},
		"hit_without_the_fact": {"effect = \"answer\"\nresult = \"found\"\nfacts = { cremation = \"no\" }", exchange.Unavailable, exchange.WhyContradiction},
		"value_out_of_bounds":  {"effect = \"answer\"\nresult = \"found\"\nfacts = { deceased = \"<b>no</b>\" }", exchange.Unavailable, exchange.WhyMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, world.Options{}, "[[rule]]\nservice = \"exchange\"\nop = \"death\"\n"+c.rule)
			a := r.exchange.Ask(t.Context(), question(r.cast(t, "plain"), "death", "n1"))
			if a.Outcome != c.want || a.Why != c.why {
				t.Errorf("got %s %q, want %s %q", a.Outcome, a.Why, c.want, c.why)
			}
			if a.Outcome == exchange.Unavailable && (len(a.Facts) > 0 || !a.ValidUntil.IsZero()) {
				t.Errorf("unavailable with facts: %+v", a)
			}
		})
	}
}

func TestWeChat(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t, world.Options{}, "")
	first, err := r.wechat.Code2Session(ctx, "wx:王测安")
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.wechat.Code2Session(ctx, "wx:王测安")
	if err != nil || first != again || first.OpenID.Reveal() != r.OpenID("王测安") {
		t.Errorf("one name, two people: %v", err)
	}
	if other, err := r.wechat.Code2Session(ctx, "wx:李测宁"); err != nil || other == first {
		t.Errorf("two names, one person: %v", err)
	}
	if _, err := r.wechat.Code2Session(ctx, "wx:王测安#1"); err != nil {
		t.Error(err)
	}
	for code, want := range map[string]error{
		"wx:王测安#1":         wxapp.ErrCodeRefused,    // X081
		"wx:王测安#app=other": wxapp.ErrCodeOfOtherApp, // X082
		"nonsense":         wxapp.ErrCodeRefused,
		"":                 wxapp.ErrCodeRefused,
		"wx:":              wxapp.ErrCodeRefused,
	} {
		if _, err := r.wechat.Code2Session(ctx, code); err == nil || !isErr(err, want) {
			t.Errorf("%q: %v", code, err)
		}
	}
	msg := wxapp.Message{To: first.OpenID, Template: "tmpl-paid", Page: "pages/case", Data: map[string]string{
		"thing1": "您的临时救助金已经发放到您本人的银行账户，请查收", "date2": "2026年11月22日", "amount3": "888.00元", "phrase4": "已发放"}}
	if o := r.wechat.Send(ctx, msg); o.Class != wxapp.Sent {
		t.Errorf("%+v", o)
	}
	r.clock.move(7000 * time.Second) // the token went stale; the cache must notice by itself
	if o := r.wechat.Send(ctx, msg); o.Class != wxapp.Sent {
		t.Errorf("after the token's life: %+v", o)
	}
	sent := r.Messages("wx:王测安")
	if len(sent) != 2 || len([]rune(sent[0].Data["thing1"])) != 20 || strings.Contains(fmt.Sprint(sent), first.OpenID.Reveal()) {
		t.Errorf("%+v", sent)
	}
	msg.To = redact.New("onobody")
	if o := r.wechat.Send(ctx, msg); o.Class != wxapp.Permanent || o.Errcode != 40003 {
		t.Errorf("unknown open id: %+v", o)
	}
	msg.To, msg.Template = first.OpenID, "tmpl-other"
	if o := r.wechat.Send(ctx, msg); o.Class != wxapp.Misconfigured || o.Errcode != 40037 {
		t.Errorf("unknown template: %+v", o)
	}
}

func isErr(err, want error) bool {
	type is interface{ Is(error) bool }
	e, ok := want.(is)
	return ok && e.Is(err)
}

func TestWeChatLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule    string
		class   wxapp.Class
		errcode int
		sent    int
	}{
		"honest":                     {"", wxapp.Sent, 0, 1},
		"timeout_after":              {"op = \"subscribe\"\neffect = \"timeout_after\"", wxapp.Unknown, 0, 1},
		"timeout_before":             {"op = \"subscribe\"\neffect = \"timeout_before\"", wxapp.Unknown, 0, 0},
		"502":                        {"op = \"subscribe\"\neffect = \"status\"\nstatus = 502", wxapp.Unknown, 0, 0},
		"garbage":                    {"op = \"subscribe\"\neffect = \"lie\"\nlie = \"garbage\"", wxapp.Unknown, 0, 1},
		"endless":                    {"op = \"subscribe\"\neffect = \"lie\"\nlie = \"endless_body\"", wxapp.Unknown, 0, 1},
		"redirect":                   {"op = \"subscribe\"\neffect = \"lie\"\nlie = \"redirect\"", wxapp.Unknown, 0, 1},
		"not_subscribed":             {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 43101", wxapp.Permanent, 43101, 0},
		"busy":                       {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = -1", wxapp.Retry, -1, 0},
		"quota":                      {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 45009", wxapp.Retry, 45009, 0},
		"field":                      {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 47003", wxapp.Misconfigured, 47003, 0},
		"new_code":                   {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 99999", wxapp.Misconfigured, 99999, 0},
		"page_not_released":          {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 41030\nnth = [1]", wxapp.Sent, 41030, 1},
		"token_refused_once":         {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 42001\nnth = [1]", wxapp.Sent, 0, 1},
		"token_refused_always":       {"op = \"subscribe\"\neffect = \"errcode\"\nerrcode = 40001", wxapp.Retry, 40001, 0},
		"no_token_for_now":           {"op = \"token\"\neffect = \"errcode\"\nerrcode = -1", wxapp.Retry, -1, 0},
		"token_timeout_sent_nothing": {"op = \"token\"\neffect = \"timeout_before\"", wxapp.Retry, 0, 0},
		"secret_wrong":               {"op = \"token\"\neffect = \"errcode\"\nerrcode = 40125", wxapp.Misconfigured, 40125, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario := ""
			if c.rule != "" {
				scenario = "[[rule]]\nservice = \"wechat\"\n" + c.rule
			}
			r := newRig(t, world.Options{}, scenario)
			id, err := r.wechat.Code2Session(t.Context(), "wx:王测安")
			if err != nil {
				t.Fatal(err)
			}
			o := r.wechat.Send(t.Context(), wxapp.Message{To: id.OpenID, Template: "tmpl-paid", Page: "p", Data: map[string]string{"thing1": "已发放"}})
			if o.Class != c.class || o.Errcode != c.errcode || len(r.Messages("")) != c.sent {
				t.Errorf("%+v, %d sent", o, len(r.Messages("")))
			}
		})
	}
	for name, c := range map[string]struct {
		rule string
		want error
	}{
		"timeout_uses_the_code_up": {`effect = "timeout_after"`, wxapp.ErrNoAnswer},
		"502":                      {"effect = \"status\"\nstatus = 502", wxapp.ErrNoAnswer},
		"garbage":                  {"effect = \"lie\"\nlie = \"garbage\"", wxapp.ErrNoAnswer},
		"busy":                     {"effect = \"errcode\"\nerrcode = 45011", wxapp.ErrBusy},
		"blocked":                  {"effect = \"errcode\"\nerrcode = 40226", wxapp.ErrUserBlocked},
		"secret_frozen":            {"effect = \"errcode\"\nerrcode = 40243", wxapp.ErrConfig},
	} {
		t.Run("sign_in_"+name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, world.Options{}, "[[rule]]\nservice = \"wechat\"\nop = \"code2session\"\n"+c.rule)
			if _, err := r.wechat.Code2Session(t.Context(), "wx:王测安#1"); err == nil || !isErr(err, c.want) {
				t.Errorf("%v", err)
			}
			var picked struct{ Picked []int }
			getJSON(t, r.url+"/world/scenario", &picked)
			if !slices.Equal(picked.Picked, []int{1}) {
				t.Errorf("the code was sent %v times", picked.Picked)
			}
		})
	}
}

func TestSMSLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule  string
		class sms.Class
		alarm bool
		sent  int
	}{
		"honest":         {"", sms.Sent, false, 1},
		"timeout_before": {`effect = "timeout_before"`, sms.Unknown, false, 0},
		"timeout_after":  {`effect = "timeout_after"`, sms.Unknown, false, 1},
		"500_done":       {"effect = \"status\"\nstatus = 500\ndone = true", sms.Unknown, false, 1},
		"garbage":        {"effect = \"lie\"\nlie = \"garbage\"", sms.Unknown, false, 1},
		"endless":        {"effect = \"lie\"\nlie = \"endless_body\"", sms.Unknown, false, 1},
		"internal_error": {"effect = \"code\"\ncode = \"InternalError.Timeout\"", sms.Unknown, false, 0},
		"limit":          {"effect = \"code\"\ncode = \"LimitExceeded.DeliveryFrequencyLimit\"", sms.Busy, false, 0},
		"blacklist":      {"effect = \"code\"\ncode = \"FailedOperation.PhoneNumberInBlacklist\"", sms.Refused, false, 0},
		"sensitive_word": {"effect = \"code\"\ncode = \"FailedOperation.ContainSensitiveWord\"", sms.Refused, true, 0},
		"out_of_money":   {"effect = \"code\"\ncode = \"FailedOperation.InsufficientBalanceInSmsPackage\"", sms.Busy, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario := ""
			if c.rule != "" {
				scenario = "[[rule]]\nservice = \"sms\"\nop = \"send\"\n" + c.rule
			}
			r := newRig(t, world.Options{}, scenario)
			p := r.cast(t, "plain")
			o := r.sms.Send(t.Context(), sms.Message{To: civil.StoredPhone(p.Phone), Template: "paid", Params: []string{"12345678", "888.00"}, Session: "n1"})
			if o.Class != c.class || o.Alarm != c.alarm || len(r.Messages(p.Phone)) != c.sent {
				t.Errorf("%+v, %d sent", o, len(r.Messages(p.Phone)))
			}
		})
	}
}

func getJSON(t *testing.T, url string, out any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, url, body string, out any) int {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestPeople(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, world.Options{Dir: dir}, "")
	today := civil.DayOf(r.clock.now(), time.UTC)
	for range 200 {
		var p world.Person
		if code := post(t, r.url+"/world/people", `{"region":"511700"}`, &p); code != http.StatusCreated {
			t.Fatal(code)
		}
	}
	var bad map[string]string
	if code := post(t, r.url+"/world/people", `{"region":"999999"}`, &bad); code != http.StatusBadRequest {
		t.Error(code)
	}
	var listed struct{ People []world.Person }
	getJSON(t, r.url+"/world/people", &listed)
	seen := map[string]bool{}
	for _, p := range listed.People {
		_, idErr := civil.ParseIDNumber(p.IDNumber, today)
		_, phoneErr := civil.ParsePhone(p.Phone)
		account, accountErr := civil.ParseAccount(p.Account)
		_, nameErr := civil.ParseName(p.Name)
		village, placeErr := civil.ParseDivision(p.Village)
		if idErr != nil || phoneErr != nil || accountErr != nil || nameErr != nil || placeErr != nil || !account.LuhnOK() || village.Level() != civil.VillageLevel || p.Place == "" {
			t.Errorf("%s %s: %v %v %v %v %v %s", p.Region, p.Role, idErr, phoneErr, accountErr, nameErr, placeErr, p.Village)
		}
		for _, unique := range []string{p.IDNumber, p.Phone, p.Account, p.Code} {
			if seen[unique] {
				t.Errorf("%s %s: %s twice", p.Region, p.Role, unique)
			}
			seen[unique] = true
		}
		if len(p.Registers) != 15 {
			t.Errorf("%s %s is in %d registers", p.Region, p.Role, len(p.Registers))
		}
	}
	again := newRig(t, world.Options{Dir: dir}, "")
	if got := again.People(""); len(got) != len(listed.People) {
		t.Errorf("%d people after a restart, %d before", len(got), len(listed.People))
	}
	p, err := again.Add("511700")
	if err != nil || seen[p.IDNumber] {
		t.Errorf("a number given twice after a restart: %v", err)
	}
	if a := again.exchange.Ask(t.Context(), question(p, "death", "fresh")); a.Outcome != exchange.HitClear {
		t.Errorf("fresh person: %s %s", a.Outcome, a.Why)
	}
}

func TestShippedScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("scenarios/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s, err := world.ParseScenario(raw)
		if err != nil || s.Title == "" || len(s.Rules) == 0 {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestScenarioIsStrict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, problem string }{
		"unknown_key":              {"[[rule]]\nservice = \"bank\"\neffect = \"cut_after\"\nwhen = 1", "unknown key rule.when"},
		"unknown_service":          {"[[rule]]\nservice = \"tax\"\neffect = \"cut_after\"", "service must be"},
		"unknown_op":               {"[[rule]]\nservice = \"bank\"\nop = \"steal\"\neffect = \"cut_after\"", `bank has no op "steal"`},
		"unknown_source":           {"[[rule]]\nservice = \"exchange\"\nop = \"tax\"\neffect = \"cut_after\"", `exchange has no source "tax"`},
		"unknown_effect":           {"[[rule]]\nservice = \"bank\"\neffect = \"explode\"", `unknown effect "explode"`},
		"effect_of_another":        {"[[rule]]\nservice = \"sms\"\neffect = \"drop\"", "drop does not happen to sms"},
		"effect_of_another_op":     {"[[rule]]\nservice = \"bank\"\nop = \"query\"\neffect = \"fail\"\ncode = \"X\"", "fail needs op"},
		"parameter_missing":        {"[[rule]]\nservice = \"bank\"\neffect = \"status\"", "status needs status"},
		"parameter_too_many":       {"[[rule]]\nservice = \"bank\"\neffect = \"cut_after\"\nstatus = 500", "cut_after takes no status"},
		"unknown_lie":              {"[[rule]]\nservice = \"sms\"\neffect = \"lie\"\nlie = \"wrong_amount\"", `sms does not tell the lie`},
		"lie_in_a_callback":        {"[[rule]]\nservice = \"bank\"\nop = \"callback\"\neffect = \"lie\"\nlie = \"redirect\"", "a callback does not tell"},
		"nth_from_zero":            {"[[rule]]\nservice = \"bank\"\neffect = \"cut_after\"\nnth = [0]", "count from 1"},
		"person_to_whom_it_is_not": {"[[rule]]\nservice = \"sms\"\nperson = \"plain\"\neffect = \"cut_after\"", "only the bank and the exchange"},
		"not_toml":                 {"{}{", "scenario"},
	} {
		if _, err := world.ParseScenario([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := newRig(t, world.Options{}, "")
	var answer struct {
		Problems []string
		Rules    int
	}
	if code := post(t, r.url+"/world/scenario", "[[rule]]\nservice = \"tax\"\neffect = \"explode\"", &answer); code != http.StatusBadRequest || len(answer.Problems) != 2 {
		t.Errorf("%d %v", code, answer.Problems)
	}
	if code := post(t, r.url+"/world/scenario", "[[rule]]\nservice = \"bank\"\nperson = \"320400/plain\"\norder = 2\neffect = \"cut_before\"", &answer); code != http.StatusOK || answer.Rules != 1 {
		t.Errorf("%d %v", code, answer)
	}
	p, migrant := r.cast(t, "plain"), r.cast(t, "migrant")
	for _, c := range []struct {
		ref  string
		who  world.Person
		want bank.Status
	}{{"a", p, bank.Accepted}, {"b", p, bank.Unknown}, {"c", migrant, bank.Accepted}, {"d", p, bank.Accepted}} {
		if got := r.bank.Send(t.Context(), c.ref, r.encode(t, order(c.who, c.ref))); got.Status != c.want {
			t.Errorf("%s: %s", c.ref, got.Status)
		}
	}
}

func TestNthCountsEach(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{}, "[[rule]]\nservice = \"bank\"\nop = \"query\"\neach = true\nnth = [1]\neffect = \"cut_before\"")
	for _, ref := range []string{"a", "b"} {
		r.bank.Send(t.Context(), ref, r.encode(t, order(r.cast(t, "plain"), ref)))
		if got := r.bank.Query(t.Context(), ref); got.Status != bank.Unknown {
			t.Errorf("%s first: %s", ref, got.Status)
		}
		if got := r.bank.Query(t.Context(), ref); got.Status != bank.Accepted {
			t.Errorf("%s second: %s", ref, got.Status)
		}
	}
}

// TestNothingLeaks puts canaries through every client in every failure and
// looks for them in whatever the clients say.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	for _, effect := range []string{"", `effect = "cut_after"`, `effect = "timeout_before"`, "effect = \"status\"\nstatus = 500", "effect = \"lie\"\nlie = \"garbage\"", "effect = \"lie\"\nlie = \"redirect\""} {
		var scenario strings.Builder
		for _, service := range []string{"bank", "exchange", "wechat", "sms"} {
			if effect != "" {
				fmt.Fprintf(&scenario, "[[rule]]\nservice = %q\n%s\n", service, effect)
			}
		}
		r := newRig(t, world.Options{}, scenario.String())
		p := r.cast(t, "deceased")
		var said bytes.Buffer
		say := func(v ...any) {
			for _, x := range v {
				fmt.Fprintf(&said, "%v %+v %#v %s\n", x, x, x, x)
			}
		}
		o := order(p, "ref1")
		body, err := r.bank.Encode(o)
		say(err, o, r.bank.Send(t.Context(), "ref1", body), r.bank.Query(t.Context(), "ref1"))
		bad := o
		bad.Purpose, bad.Reference, bad.AmountFen = "\n", "A!", money.Max+1
		_, err = r.bank.Encode(bad)
		say(err)
		_, err = r.bank.ParseCallback("POST", "/", http.Header{}, body)
		say(err)
		q := question(p, "death", "n1")
		say(q, r.exchange.Ask(t.Context(), q))
		q.Case = ""
		say(r.exchange.Ask(t.Context(), q))
		id, err := r.wechat.Code2Session(t.Context(), "wx:canarycode")
		say(id, err)
		m := wxapp.Message{To: redact.New(r.OpenID("canarycode")), Template: "tmpl-paid", Data: map[string]string{"thing1": "已发放"}}
		say(m, r.wechat.Send(t.Context(), m))
		s := sms.Message{To: civil.StoredPhone(p.Phone), Template: "paid", Params: []string{"1"}}
		say(s, r.sms.Send(t.Context(), s))
		for name, canary := range map[string]string{"id number": p.IDNumber, "account": p.Account, "phone": p.Phone, "name": p.Name, "WeChat secret": r.keys.WeChatSecret,
			"SMS key": r.keys.SMSSecretKey, "open id": r.OpenID("canarycode"), "sign-in code": "canarycode", "token": "access_token=", "host": strings.TrimPrefix(r.url, "http://")} {
			if strings.Contains(said.String(), canary) {
				t.Errorf("with %q the %s leaks", effect, name)
			}
		}
	}
}

func TestCallbacksThatLie(t *testing.T) {
	t.Parallel()
	for lie, visible := range map[string]func(*rig, bank.Callback) bool{
		"wrong_amount": func(_ *rig, c bank.Callback) bool { return c.AmountFen != 88800 },
		"wrong_person": func(r *rig, c bank.Callback) bool {
			return c.PayeeDigest != r.bank.PayeeDigest(order(r.cast(t, "plain"), "ref1"))
		},
		"other_reference": func(_ *rig, c bank.Callback) bool { return c.Reference != "ref1" },
	} {
		r, in := newCallbackRig(t, "", "[[rule]]\nservice = \"bank\"\nop = \"callback\"\neffect = \"lie\"\nlie = \""+lie+"\"")
		r.bank.Send(t.Context(), "ref1", r.encode(t, order(r.cast(t, "plain"), "ref1")))
		r.clock.move(time.Second)
		r.Step(t.Context())
		if len(in.got) != 1 || !visible(r, in.got[0]) {
			t.Errorf("%s cannot be seen: %+v", lie, in.got)
		}
	}
}

func TestWhatPeopleCanLookUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{}, "")
	p := r.cast(t, "plain")
	r.bank.Send(t.Context(), "ref1", r.encode(t, order(p, "ref1")))
	r.bank.Send(t.Context(), "ref2", r.encode(t, order(r.cast(t, "tekun"), "ref2")))
	r.sms.Send(t.Context(), sms.Message{To: civil.StoredPhone(p.Phone), Template: "paid", Params: []string{"1"}})
	for query, want := range map[string]int{"": 2, "?reference=ref1": 1, "?purpose=临时救助金": 2, "?account=" + p.Account: 1, "?reference=none": 0} {
		var book struct{ Entries []world.Entry }
		getJSON(t, r.url+"/world/bank/book"+query, &book)
		if len(book.Entries) != want {
			t.Errorf("%q: %d entries", query, len(book.Entries))
		}
		for _, e := range book.Entries {
			if strings.Contains(e.Account, p.Account[4:12]) || e.AmountFen != 88800 {
				t.Errorf("%+v", e)
			}
		}
	}
	for query, want := range map[string]int{"": 1, "?to=" + p.Phone: 1, "?to=19900000000": 0} {
		var messages struct{ Messages []world.Message }
		getJSON(t, r.url+"/world/messages"+query, &messages)
		if len(messages.Messages) != want || (want == 1 && strings.Contains(messages.Messages[0].To, p.Phone)) {
			t.Errorf("%q: %+v", query, messages)
		}
	}
}

// TestWrongKeys: each service knows its callers.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{SingleUseCodes: true}, "")
	thief := world.LocalKeys("thief")
	thief.SMSTemplates["paid"] = "9001"
	wc, err := wxapp.New(thief.WeChatConfig(r.url, nil, r.clock.now))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wc.Code2Session(t.Context(), "wx:王测安"); !isErr(err, wxapp.ErrConfig) {
		t.Errorf("wrong secret: %v", err)
	}
	sc, err := sms.New(thief.SMSConfig(r.url, nil, r.clock.now))
	if err != nil {
		t.Fatal(err)
	}
	if o := sc.Send(t.Context(), sms.Message{To: civil.StoredPhone("19901000001"), Template: "paid", Params: []string{"1"}}); o.Class != sms.Refused || o.Code != "AuthFailure.SignatureFailure" {
		t.Errorf("%+v", o)
	}
	xc := thief.ExchangeConfig(r.url, nil, r.clock.now, rand.Reader)
	xc.Sleep = func(context.Context, time.Duration) error { return nil }
	x, err := exchange.New(xc)
	if err != nil {
		t.Fatal(err)
	}
	if a := x.Ask(t.Context(), question(r.cast(t, "plain"), "death", "n1")); a.Outcome != exchange.Unavailable {
		t.Errorf("%s", a.Outcome)
	}
	if _, err := r.wechat.Code2Session(t.Context(), "wx:王测安"); err != nil {
		t.Error(err)
	}
	if _, err := r.wechat.Code2Session(t.Context(), "wx:王测安"); !isErr(err, wxapp.ErrCodeRefused) {
		t.Errorf("single-use code used twice: %v", err)
	}
}

// TestTwoLimitsOneMeaning holds the client's idea of a field against the
// platform's: what the client lets through, the platform takes.
func TestTwoLimitsOneMeaning(t *testing.T) {
	t.Parallel()
	r := newRig(t, world.Options{}, "")
	id, err := r.wechat.Code2Session(t.Context(), "wx:王测安")
	if err != nil {
		t.Fatal(err)
	}
	for key, values := range map[string][]string{
		"thing1": {strings.Repeat("字", 50), "a\nb", "😀😀"}, "number1": {"1.5"}, "character_string1": {"AB 12-3"}, "time1": {"15:01~16:00", "2026年1月2日 15:01"},
		"date1": {"2026年11月22日", "2026年11月22日~2026年11月23日"}, "amount1": {"¥1.50", "1200元"}, "phone_number1": {"+86-19901000001"},
		"name1": {"买买提·艾力", "张*明", "John Smith"}, "phrase1": {"已发放"}, "letter1": {"abc"}, "symbol1": {"★"}, "car_number1": {"苏D12345"}, "const1": {"办结"}, "enum1": {"办结"},
	} {
		for _, v := range values {
			if o := r.wechat.Send(t.Context(), wxapp.Message{To: id.OpenID, Template: "tmpl-paid", Data: map[string]string{key: v}}); o.Class != wxapp.Sent {
				t.Errorf("%s %q: %+v", key, v, o)
			}
		}
	}
}

// FuzzScenario reads anything as a scenario; what is let through has rules that
// mean something.
func FuzzScenario(f *testing.F) {
	files, err := filepath.Glob("scenarios/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatal("no scenario is shipped", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("[[rules]]\nservice = 1\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := world.ParseScenario(raw)
		if err != nil {
			return
		}
		for _, r := range s.Rules {
			if r.Service == "" {
				t.Errorf("let through: %+v", r)
			}
		}
	})
}
