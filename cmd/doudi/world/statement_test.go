package world_test

import (
	"crypto/rand"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

// statements is a world in which two transfers were paid on a day that is over.
type statements struct {
	*world.World
	bank   *bank.Client
	wxpay  *wxpay.Client
	day    civil.Day
	keys   world.Keys
	source reconciliation.Source
	flow   reconciliation.Source
}

func told(t *testing.T, rules ...world.Rule) *statements {
	t.Helper()
	at := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	s := &statements{day: civil.Date(2026, 11, 23), keys: world.LocalKeys("statements")}
	now := func() time.Time { return at }
	w, err := world.New(world.Options{Keys: s.keys, Seed: "s", Now: now, Scenario: world.Scenario{Rules: rules}, PayDelay: time.Second, AdoptStrangers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	if s.bank, err = bank.New(s.keys.BankConfig(server.URL, server.Client(), now, rand.Reader)); err != nil {
		t.Fatal(err)
	}
	if s.wxpay, err = wxpay.New(s.keys.WxPayConfig(server.URL, server.URL+"/v1/callbacks/wxpay", server.Client(), now)); err != nil {
		t.Fatal(err)
	}
	s.World, s.source, s.flow = w, reconciliation.BankSource(s.keys.Agreement, reconciliation.Yuan), reconciliation.WxPaySource(s.keys.WxPay().MchID)
	for i, reference := range []string{"ref1", "ref2"} {
		order := bank.Order{Reference: reference, AmountFen: money.Fen(300_000 + i), PayeeName: civil.StoredName("王测试"), PayeeAccount: civil.StoredAccount("622202020009988"), Purpose: "急难救助"}
		raw, err := s.bank.Encode(order)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.bank.Send(t.Context(), reference, raw); r.Status != bank.Accepted {
			t.Fatalf("%+v", r)
		}
	}
	at = reconciliation.Ready(s.day)
	return s
}

func (s *statements) fetch(t *testing.T) ([]reconciliation.Line, bank.File) {
	t.Helper()
	f := s.bank.Fetch(t.Context(), bank.Payouts, s.day)
	if f.Raw == nil {
		return nil, f
	}
	lines, err := s.source.Read(f.Raw, s.day)
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Raw)
	}
	return lines, f
}

func TestTheBanksStatementSaysWhatHappened(t *testing.T) {
	t.Parallel()
	s := told(t)
	lines, f := s.fetch(t)
	if len(lines) != 2 || lines[0].AmountFen != 300_000 || lines[1].Reference != "ref2" || lines[0].Way != payout.Out || f.Issue != 1 || lines[0].Payee == "" {
		t.Errorf("B10: %+v", lines)
	}
	if f := s.bank.Fetch(t.Context(), bank.Payouts, s.day.AddDays(1)); f.Code != bank.CodeNotReady {
		t.Errorf("tomorrow's: %+v", f)
	}
	if f := s.bank.Fetch(t.Context(), "somebodys", s.day); f.Code != bank.CodeNotReady {
		t.Errorf("another account's: %+v", f)
	}
	treasury := reconciliation.TreasurySource(world.TreasuryHolder, reconciliation.Yuan)
	if lines, err := treasury.Read(s.bank.Fetch(t.Context(), bank.Treasury, s.day).Raw, s.day); err != nil || len(lines) != 2 {
		t.Errorf("the treasury's: %v, %v", lines, err)
	}
}

// What is wrong on the line, or with the bytes, is not believed (X060, K21).
func TestBankStatementsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op, lie, effect string
		want            string
	}{
		"X060 another digest":              {"statement", "wrong_digest", "lie", bank.CodeDigest},
		"the ticket is unsigned":           {"statement", "no_signature", "lie", bank.CodeUnverified},
		"the ticket is signed wrongly":     {"statement", "bad_signature", "lie", bank.CodeUnverified},
		"the ticket is of long ago":        {"statement", "stale_timestamp", "lie", bank.CodeUnverified},
		"an old ticket":                    {"statement", "old_answer", "lie", bank.CodeUnverified},
		"a probe":                          {"statement", "probe_signature", "lie", bank.CodeUnverified},
		"the ticket is rubbish":            {"statement", "garbage", "lie", bank.CodeMalformed},
		"the file is signed wrongly":       {"file", "bad_signature", "lie", bank.CodeUnverified},
		"the file is rubbish":              {"file", "garbage", "lie", bank.CodePacking},
		"the file leads elsewhere":         {"file", "redirect", "lie", "answer-redirects"},
		"the file never ends":              {"file", "endless_body", "lie", "answer-too-large"},
		"the file breaks off on its way":   {"file", "", "cut_after", "unreachable"},
		"the ticket breaks off on its way": {"statement", "", "cut_before", "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := told(t, world.Rule{Service: "bank", Op: c.op, Effect: c.effect, Lie: c.lie})
			if _, f := s.fetch(t); f.Raw != nil || f.Code != c.want {
				t.Errorf("%q with %d bytes, want %q", f.Code, len(f.Raw), c.want)
			}
		})
	}
	for _, lie := range []string{"truncated", "other_merchant", "other_day", "fen"} {
		s := told(t, world.Rule{Service: "bank", Op: "statement", Effect: "lie", Lie: lie})
		f := s.bank.Fetch(t.Context(), bank.Payouts, s.day)
		if f.Raw == nil {
			t.Fatalf("%s: not signed: %+v", lie, f)
		}
		if lines, err := s.source.Read(f.Raw, s.day); err == nil {
			t.Errorf("%s: believed: %+v", lie, lines)
		}
	}
}

func TestStatementsThatLieAboutLines(t *testing.T) {
	t.Parallel()
	for lie, check := range map[string]func([]reconciliation.Line) bool{
		"omit":      func(l []reconciliation.Line) bool { return len(l) == 1 && l[0].Reference == "ref2" },
		"cut":       func(l []reconciliation.Line) bool { return len(l) == 1 },
		"alter":     func(l []reconciliation.Line) bool { return len(l) == 2 && l[0].AmountFen == 300_001 },
		"duplicate": func(l []reconciliation.Line) bool { return len(l) == 3 && l[0].Reference == l[1].Reference },
		"unknown":   func(l []reconciliation.Line) bool { return len(l) == 3 && l[2].AmountFen == 12345 },
		"someone": func(l []reconciliation.Line) bool {
			return len(l) == 2 && l[0].Payee != l[1].Payee && l[0].Payee[3] == '7'
		},
		"sent_back": func(l []reconciliation.Line) bool { return len(l) == 3 && l[2].Way == payout.Back },
	} {
		s := told(t, world.Rule{Service: "bank", Op: "statement", Effect: "lie", Lie: lie, Nth: []int{1}})
		lines, first := s.fetch(t)
		if !check(lines) {
			t.Errorf("%s: %+v", lie, lines)
		}
		if lines, again := s.fetch(t); len(lines) < 1 || again.Issue != 2 || again.Digest == first.Digest {
			t.Errorf("%s: it is not restated: %+v", lie, again)
		}
	}
	s := told(t, world.Rule{Service: "bank", Op: "statement", Effect: "lie", Lie: "cut", Order: 2})
	if lines, _ := s.fetch(t); len(lines) != 1 || lines[0].Reference != "ref1" {
		t.Errorf("cut: %+v", lines)
	}
}

func TestWeChatsFundFlow(t *testing.T) {
	t.Parallel()
	s := told(t)
	raw := s.wxpay.FundFlow(t.Context(), s.day)
	if lines, err := s.flow.Read(raw.Raw, s.day); err != nil || len(lines) != 0 {
		t.Errorf("a day without transfers: %v, %v, %q", lines, err, raw.Code)
	}
	if f := s.wxpay.FundFlow(t.Context(), s.day.AddDays(1)); f.Code != wxpay.CodeNotReady {
		t.Errorf("tomorrow's: %+v", f)
	}
	for lie, want := range map[string]string{"wrong_digest": wxpay.CodeDigest, "bad_signature": wxpay.CodeUnverified, "no_signature": wxpay.CodeUnverified, "garbage": wxpay.CodeMalformed} {
		s := told(t, world.Rule{Service: "wxpay", Op: "statement", Effect: "lie", Lie: lie})
		if f := s.wxpay.FundFlow(t.Context(), s.day); f.Raw != nil || f.Code != want && !slices.Contains([]string{wxpay.CodeUnverified}, f.Code) {
			t.Errorf("%s: %+v", lie, f)
		}
	}
	for _, lie := range []string{"fen", "truncated", "other_merchant"} {
		s := told(t, world.Rule{Service: "wxpay", Op: "statement", Effect: "lie", Lie: lie})
		if lines, err := s.flow.Read(s.wxpay.FundFlow(t.Context(), s.day).Raw, s.day); err == nil && lie != "other_merchant" {
			t.Errorf("%s: believed: %v", lie, lines)
		}
	}
	s = told(t, world.Rule{Service: "wxpay", Op: "file", Effect: "lie", Lie: "endless_body"})
	if f := s.wxpay.FundFlow(t.Context(), s.day); f.Raw != nil {
		t.Errorf("endless: %+v", f.Code)
	}
}
