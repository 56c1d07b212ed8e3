package settle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	. "github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// flying is a room in which the bank has the order and nobody has asked yet.
func flying(t *testing.T) (functions, string) {
	t.Helper()
	f := start(New(t, NewFate(nil)))
	f.Rest(1, map[work.Queue]queue.Handler{work.Pay: f.handlers[work.Pay]})
	p := f.Payout()
	if p.State != payout.Submitted {
		t.Fatalf("the bank does not have the order: %s", p.State)
	}
	return f, p.Attempts[0].Reference
}

// paid is a room in which everything went well.
func paid(t *testing.T) (functions, string) {
	t.Helper()
	f, ref := flying(t)
	f.Rest(10, f.handlers)
	f.Judge(payout.Paid)
	return f, ref
}

func TestACallbackIsAReasonToAskAndNoOutcome(t *testing.T) {
	t.Parallel()
	f, ref := flying(t)
	if code := f.call(f.Teller.News(ref, bankrail.CallbackPath, nil)); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	if p := f.Payout(); p.State != payout.Submitted || p.Next.After(f.Now()) {
		t.Errorf("credited on the word of a callback, or not asked at once: %+v", p)
	}
	f.Rest(10, f.handlers)
	f.Judge(payout.Paid)
}

func TestX068AReplayHasNoSecondEffect(t *testing.T) {
	t.Parallel()
	f, ref := flying(t)
	body := f.Teller.News(ref, bankrail.CallbackPath, nil)
	raw := new(bytes.Buffer)
	_, _ = raw.ReadFrom(body.Body)
	before := f.Payout().Version
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			again := f.Teller.Signed(bankrail.CallbackPath, f.Now(), raw.Bytes())
			if code := f.call(again); code != http.StatusOK {
				t.Errorf("answered %d", code)
			}
		})
	}
	wg.Wait()
	if got := f.Payout().Version; got != before+1 {
		t.Errorf("B04: 20 deliveries of one callback made %d versions", got-before)
	}
	f.Wait(4 * time.Minute) // the bank signs it anew and sends it again
	if code := f.call(f.Teller.Signed(bankrail.CallbackPath, f.Now(), raw.Bytes())); code != http.StatusOK || f.Payout().Version != before+1 {
		t.Errorf("sent again later: %d, version %d", code, f.Payout().Version)
	}
}

func TestCallbacksThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(f functions, ref string) *http.Request
		want int
	}{
		"X066 no signature": {func(f functions, ref string) *http.Request {
			r := f.Teller.News(ref, bankrail.CallbackPath, nil)
			r.Header.Del(bank.HeaderSignature)
			return r
		}, 401},
		"X066 another body under the signature": {func(f functions, ref string) *http.Request {
			r := f.Teller.News(ref, bankrail.CallbackPath, nil)
			r.Body = http.NoBody
			other := httptest.NewRequest(http.MethodPost, bankrail.CallbackPath, strings.NewReader(`{"status":"paid"}`))
			other.Header = r.Header
			return other
		}, 401},
		"X067 301 s old": {func(f functions, ref string) *http.Request {
			r := f.Teller.News(ref, bankrail.CallbackPath, nil)
			f.Wait(301 * time.Second)
			return r
		}, 401},
		"X067 301 s ahead": {func(f functions, ref string) *http.Request {
			return f.Teller.Signed(bankrail.CallbackPath, f.Now().Add(301*time.Second), []byte(`{}`))
		}, 401},
		"B06 exactly 300 s old": {func(f functions, ref string) *http.Request {
			r := f.Teller.News(ref, bankrail.CallbackPath, nil)
			f.Wait(300 * time.Second)
			return r
		}, 200},
		"X069 signed for another path": {func(f functions, ref string) *http.Request {
			r := f.Teller.News(ref, "/v1/callbacks/wxpay", nil)
			r.URL.Path, r.RequestURI = bankrail.CallbackPath, bankrail.CallbackPath
			return r
		}, 401},
		"X077 a signature probe": {func(f functions, ref string) *http.Request {
			r := f.Teller.News(ref, bankrail.CallbackPath, nil)
			r.Header.Set(bank.HeaderSignature, "BANK/SIGNTEST/abc")
			return r
		}, 401},
		"poison": {func(f functions, _ string) *http.Request {
			return f.Teller.Signed(bankrail.CallbackPath, f.Now(), []byte(`{"status":"paid","status":"failed"}`))
		}, 400},
		"X079 too large": {func(f functions, _ string) *http.Request {
			return f.Teller.Signed(bankrail.CallbackPath, f.Now(), bytes.Repeat([]byte(" "), 5<<20))
		}, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ref := flying(t)
			before := f.Payout().Version
			if code := f.call(c.make(f, ref)); code != c.want {
				t.Errorf("answered %d, want %d", code, c.want)
			}
			if c.want != 200 && f.Payout().Version != before {
				t.Error("a refused callback had an effect")
			}
			if c.want != 200 && c.want != 413 && f.Alarms["bank_callback_refused"] != 1 {
				t.Error("a refused callback was not counted")
			}
		})
	}
}

func TestX073ADifferenceFreezesAndNothingMovesByItself(t *testing.T) {
	t.Parallel()
	for name, twist := range map[string]func(*bank.Statement){
		"amount": func(s *bank.Statement) { s.AmountFen -= 1 },
		"payee":  func(s *bank.Statement) { s.PayeeDigest = "p1:" + strings.Repeat("0", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ref := flying(t)
			if code := f.call(f.Teller.News(ref, bankrail.CallbackPath, twist)); code != http.StatusOK {
				t.Fatalf("answered %d", code)
			}
			frozen(t, f)
		})
	}
	t.Run("amount, in an answer", func(t *testing.T) {
		t.Parallel()
		f, _ := flying(t)
		f.Teller.Ask = func(int) Manner { return Less }
		f.Rest(1, f.handlers)
		frozen(t, f)
	})
	t.Run("amount, in the reply to the order", func(t *testing.T) {
		t.Parallel()
		f := start(New(t, NewFate(nil)))
		f.Teller.Send = func(int) Manner { return Less }
		f.Rest(1, f.handlers)
		frozen(t, f)
	})
}

func frozen(t *testing.T, f functions) {
	t.Helper()
	p := f.Payout()
	if p.State != payout.Frozen || !f.Head().Held() || f.Head().Holds[0].Owner != "finance" || f.Alarms[payout.AlarmFrozen] != 1 {
		t.Errorf("%s, held %v, alarms %v", p.State, f.Head().Held(), f.Alarms)
	}
	if _, _, owes := f.Owed(); owes {
		t.Error("a frozen payout is owed to a machine")
	}
	for _, h := range f.handlers {
		if err := h(t.Context(), f.Message()); err != nil {
			t.Error(err)
		}
	}
	if f.Payout().Version != p.Version {
		t.Error("it moved by itself")
	}
	// Two people look, and the machine asks again.
	o, err := payout.Step(p, payout.Thaw{First: Finance, Second: Approver}, Approver, f.Now())
	if err == nil {
		err = payout.Commit(t.Context(), f.Store, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Lift(t.Context())
	f.Teller.Ask = nil
	f.Rest(10, f.handlers)
	f.Judge(payout.Paid)
}

func TestX075FailAfterSuccess(t *testing.T) {
	t.Parallel()
	f, ref := paid(t)
	fail := func(s *bank.Statement) { s.Status, s.Code = bank.Failed, "ACCOUNT_CLOSED" }
	if code := f.call(f.Teller.News(ref, bankrail.CallbackPath, fail)); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	if f.Alarms[payout.AlarmContradicted] != 1 {
		t.Errorf("alarms %v", f.Alarms)
	}
	_, asked := f.Teller.Calls()
	f.Rest(10, f.handlers)
	if _, now := f.Teller.Calls(); now != asked+1 {
		t.Error("the bank was not asked")
	}
	f.Judge(payout.Paid)
	// Should the bank stand by its second word, people look; the ledger stays.
	f.Teller.Overrule(ref, Verdict{Status: bank.Failed, Code: "ACCOUNT_CLOSED"})
	f.Wait(time.Minute)
	f.call(f.Teller.News(ref, bankrail.CallbackPath, nil))
	f.Rest(10, f.handlers)
	if p := f.Payout(); p.State != payout.Paid || !f.Head().Held() {
		t.Errorf("%s, held %v", p.State, f.Head().Held())
	}
}

func TestMoneyUnderAnEarlierReferenceStopsEverything(t *testing.T) {
	t.Parallel()
	f := start(New(t, NewFate(nil)))
	tries := 0
	f.Teller.Decide = func(bank.OrderDocument) Verdict {
		if tries++; tries == 1 {
			return Verdict{Status: bank.Failed, Code: "BANK_BUSY"}
		}
		return Verdict{Status: bank.Paid, Slow: 10}
	}
	f.Rest(4, f.handlers)
	p := f.Payout()
	if len(p.Attempts) != 2 {
		t.Fatalf("%d attempts in state %s", len(p.Attempts), p.State)
	}
	f.Teller.Overrule(p.Attempts[0].Reference, Verdict{Status: bank.Paid})
	f.call(f.Teller.News(p.Attempts[0].Reference, bankrail.CallbackPath, nil))
	if got := f.Payout(); got.State != payout.Frozen {
		t.Errorf("two payments are possible, and it is %s", got.State)
	}
}

func TestNewsOfAPaymentThatIsNotOursIsParked(t *testing.T) {
	t.Parallel()
	f, ref := flying(t)
	strange := func(s *bank.Statement) { s.Reference = "nobodys" }
	for range 3 {
		if code := f.call(f.Teller.News(ref, bankrail.CallbackPath, strange)); code != http.StatusOK {
			t.Fatalf("answered %d", code)
		}
	}
	page, err := f.Store.Query(t.Context(), table.Query{PK: settle.Parked(award.Bank)})
	if err != nil || len(page.Items) != 1 || !bytes.Contains(page.Items[0].Body, []byte("nobodys")) {
		t.Errorf("parked %v, %v", page.Items, err)
	}
	if f.Alarms["callback-unknown-reference"] != 1 {
		t.Errorf("alarms %v", f.Alarms)
	}
}

func TestMessagesThatAreOld(t *testing.T) {
	t.Parallel()
	f, _ := paid(t)
	version := f.Payout().Version
	sends, asks := f.Teller.Calls()
	for range 3 {
		for q, h := range f.handlers {
			if err := h(t.Context(), f.Message()); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
	}
	s, a := f.Teller.Calls()
	if f.Payout().Version != version || s != sends || a != asks {
		t.Error("an old message had an effect")
	}
}

func TestMessagesThatArePoison(t *testing.T) {
	t.Parallel()
	f, _ := flying(t)
	for _, body := range []string{"", "{", "{}", `{"pk":"APP#app1","sk":"HEAD"}`} {
		err := f.handlers[work.Settle](t.Context(), queue.Message{Body: []byte(body)})
		if !errors.Is(err, settle.ErrMessage) || fault.Of(err).Kind.Disposition() != fault.Park {
			t.Errorf("%q: %v", body, err)
		}
	}
	missing := work.Message{PK: "APP#none", SK: "PAYOUT#01"}
	if err := f.handlers[work.Settle](t.Context(), queue.Message{Body: missing.Encode()}); !errors.Is(err, payout.ErrNotFound) {
		t.Errorf("a payout that is not there: %v", err)
	}
}

func TestQuestionsAreNotAskedBeforeTheirTime(t *testing.T) {
	t.Parallel()
	f, _ := flying(t)
	if err := f.handlers[work.Settle](t.Context(), f.Message()); err != nil {
		t.Fatal(err)
	}
	if _, asks := f.Teller.Calls(); asks != 0 {
		t.Error("asked before its time")
	}
}

// The answer of an hour ago must not be applied to what has moved since.
func TestAnAnswerIsForWhatWasAskedAbout(t *testing.T) {
	t.Parallel()
	f, _ := flying(t)
	f.Wait(time.Hour)
	f.Table.Before = func(ctx context.Context) {
		f.Table.Before = nil // somebody else settles it while we wait for our turn
		if err := f.handlers[work.Settle](ctx, f.Message()); err != nil {
			t.Error(err)
		}
	}
	if err := f.handlers[work.Settle](t.Context(), f.Message()); err != nil {
		t.Error(err)
	}
	f.Judge(payout.Paid)
}

func TestAnAnswerIsStoredAfterTheCallIsOver(t *testing.T) {
	t.Parallel()
	f, _ := flying(t)
	f.Wait(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	f.Teller.Ask = func(int) Manner { cancel(); return Well }
	before := f.Payout().Version
	if err := f.handlers[work.Settle](ctx, f.Message()); err != nil || f.Payout().Version != before+1 {
		t.Errorf("what was learnt is not stored: %v", err)
	}
	f.Rest(10, f.handlers)
	f.Judge(payout.Paid)
}

func TestOurKeysAreRefused(t *testing.T) {
	t.Parallel()
	f, ref := flying(t)
	f.Wait(time.Hour)
	f.Teller.Ask = func(int) Manner { return Refuse }
	if err := f.handlers[work.Settle](t.Context(), f.Message()); err != nil {
		t.Fatal(err)
	}
	if p := f.Payout(); !p.State.Flying() || p.Attempts[0].Reference != ref || f.Alarms["bank-line-refused"] != 1 {
		t.Errorf("%s, alarms %v", p.State, f.Alarms)
	}
}

// deaf is a store that cannot be read.
type deaf struct{ table.Store }

func (deaf) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, table.ErrBusy
}

// halfDeaf cannot read one kind of key.
type halfDeaf struct {
	table.Store
	prefix string
}

func (h halfDeaf) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if strings.HasPrefix(k.PK, h.prefix) {
		return table.Item{}, false, table.ErrBusy
	}
	return h.Store.Get(ctx, k)
}

func TestACallbackWeCannotStoreIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(f functions) functions{
		"nothing can be read":      func(f functions) functions { f.Table.Store = deaf{f.Store}; return f },
		"no reference can be read": func(f functions) functions { f.Table.Store = halfDeaf{f.Store, "REF#"}; return f },
		"the payout never rests": func(f functions) functions {
			f.Table.Before = func(ctx context.Context) {
				p := f.Payout()
				c, _ := p.Current()
				o, err := payout.Step(p, payout.Answer{Said: payout.Said{Word: payout.Silence, Reference: c.Reference}}, event.Actor{Kind: event.System, ID: "x"}, f.Now())
				if err == nil {
					err = payout.Commit(ctx, f.Store, o)
				}
				if err != nil {
					t.Error(err)
				}
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ref := flying(t)
			f = start(c(f).Room)
			if code := f.call(f.Teller.News(ref, bankrail.CallbackPath, nil)); code < 500 {
				t.Errorf("answered %d to what was not stored", code)
			}
		})
	}
	t.Run("the park cannot be written", func(t *testing.T) {
		t.Parallel()
		f := start(New(t, NewFate(map[int]Doom{4: Lost})))
		f.Rest(1, map[work.Queue]queue.Handler{work.Pay: f.handlers[work.Pay]})
		ref := f.Payout().Attempts[0].Reference
		if code := f.call(f.Teller.News(ref, bankrail.CallbackPath, func(s *bank.Statement) { s.Reference = "nobodys" })); code < 500 {
			t.Errorf("answered %d", code)
		}
	})
}

func TestParkedNewsNamesAmountAndReferenceOnly(t *testing.T) {
	t.Parallel()
	f, ref := flying(t)
	f.call(f.Teller.News(ref, bankrail.CallbackPath, func(s *bank.Statement) { s.Reference = "nobodys" }))
	page, err := f.Store.Query(t.Context(), table.Query{PK: settle.Parked(award.Bank)})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	var kept map[string]any
	if err := json.Unmarshal(page.Items[0].Body, &kept); err != nil || kept["payee_digest"] != nil || money.Fen(kept["amount_fen"].(float64)) != Amount {
		t.Errorf("kept %v, %v", kept, err)
	}
}
