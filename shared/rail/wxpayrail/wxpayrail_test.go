package wxpayrail_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/rail/railtest"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }

func start() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// provider is WeChat Pay or the bank as the suite needs it.
type provider struct {
	*railtest.Stand
	*world.World
	clock  *clock
	wechat bool
	heard  chan *http.Request
}

func (p provider) Finish(reference string) {
	if p.wechat {
		p.Accept(p.Package(reference))
	}
	p.clock.move(time.Second)
}

func (p provider) News(reference string) *http.Request {
	if p.wechat {
		_, h, body := p.World.News(reference)
		r := httptest.NewRequest(http.MethodPost, wxpayrail.CallbackPath, bytes.NewReader(body))
		r.Header = h
		return r
	}
	p.Step(context.Background())
	return <-p.heard
}

func (p provider) Credits(reference string) int {
	if p.wechat {
		if p.Wallet(reference) > 0 {
			return 1
		}
		return 0
	}
	n := 0
	for _, e := range p.Book(world.Filter{Reference: reference}) {
		if e.Status == bank.Paid {
			n++
		}
	}
	return n
}

func open(t *testing.T, scenario string, wechat bool) provider {
	t.Helper()
	s, err := world.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	p := provider{clock: start(), wechat: wechat, heard: make(chan *http.Request, 8)}
	listen := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var raw bytes.Buffer
		_, _ = raw.ReadFrom(r.Body)
		r.Body = http.NoBody
		again := httptest.NewRequest(r.Method, r.URL.Path, &raw)
		again.Header = r.Header
		p.heard <- again
	}))
	t.Cleanup(listen.Close)
	if p.World, err = world.New(world.Options{Keys: world.LocalKeys("rails"), Seed: "rails", Now: p.clock.now, Scenario: s, AdoptStrangers: true,
		CallbackURL: listen.URL + bankrail.CallbackPath}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.Stand = railtest.NewStand(t, p.Handler(), func(h http.Header) {
		for _, name := range []string{"Wechatpay-Signature", bank.HeaderSignature} {
			if v := h.Get(name); v != "" {
				h.Set(name, strings.Repeat("A", len(v)))
			}
		}
	})
	return p
}

func (p provider) client(t *testing.T) *wxpay.Client {
	t.Helper()
	c, err := wxpay.New(world.LocalKeys("rails").WxPayConfig(p.URL, "https://aid.example.cn"+wxpayrail.CallbackPath, nil, p.clock.now))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p provider) wxpay(t *testing.T) rail.Closer {
	return wxpayrail.New(p.client(t), embedded.Memory(), 0, p.clock.now, nil)
}

func TestTheContractOfEveryRail(t *testing.T) {
	t.Parallel()
	t.Run("wxpay", func(t *testing.T) {
		t.Parallel()
		railtest.Run(t, func(t *testing.T) (rail.Rail, railtest.Provider) {
			p := open(t, "", true)
			return p.wxpay(t), p
		})
	})
	t.Run("bank", func(t *testing.T) {
		t.Parallel()
		railtest.Run(t, func(t *testing.T) (rail.Rail, railtest.Provider) {
			p := open(t, "", false)
			c, err := bank.New(world.LocalKeys("rails").BankConfig(p.URL, nil, p.clock.now, rand.Reader))
			if err != nil {
				t.Fatal(err)
			}
			return bankrail.New(c), p
		})
	})
}

func send(t *testing.T, line rail.Rail) (rail.Heard, rail.Request) {
	t.Helper()
	o := railtest.Order(1)
	r, err := line.Encode(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return line.Send(t.Context(), o.Reference, r.Raw), r
}

// TestEveryCode restates the table of WeChat Pay's errors: what an order's refusal
// is taken for, which alarm it raises, and whether the whole line pauses.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	type row struct {
		word   payout.Word
		alarm  string
		pauses bool
	}
	want := map[string]row{
		"FREQUENCY_LIMITED":      {payout.Silence, "", false},
		"FREQUENCY_LIMIT_EXCEED": {payout.Silence, "", false},
		"NOT_ENOUGH":             {payout.Short, "", true},
		"INVALID_REQUEST":        {payout.Refused, "", false},
		"PARAM_ERROR":            {payout.Refused, "", false},
		"SIGN_ERROR":             {payout.Silence, wxpayrail.AlarmStopped, true},
		"NO_AUTH":                {payout.Silence, wxpayrail.AlarmStopped, true},
		"USER_ERROR":             {payout.Silence, wxpayrail.AlarmStopped, true},
		"APPID_MCHID_NOT_MATCH":  {payout.Silence, wxpayrail.AlarmStopped, true},
		"ACCOUNTERROR":           {payout.Silence, wxpayrail.AlarmStopped, true},
		"SYSTEM_ERROR":           {payout.Silence, "", false},
		"NOT_FOUND":              {payout.Silence, "", false},
		"SOMETHING_NEW":          {payout.Silence, "", false},
	}
	for _, code := range wxpay.Codes() {
		if _, ok := want[code]; !ok {
			t.Errorf("%s is not in the table", code)
		}
	}
	for code, row := range want {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			p := open(t, fmt.Sprintf("title = \"x\"\n[[rule]]\nservice = \"wxpay\"\nop = \"send\"\nnth = [1]\neffect = \"code\"\ncode = %q\n", code), true)
			line := p.wxpay(t)
			h, r := send(t, line)
			if h.Word != row.word || h.Alarm != row.alarm || h.Code != code {
				t.Errorf("%q, alarm %q, code %q", h.Word, h.Alarm, h.Code)
			}
			if ok, err := line.Admit(t.Context(), rail.Sending); ok == row.pauses || err != nil {
				t.Errorf("admitted %v, %v", ok, err)
			}
			if ok, err := line.Admit(t.Context(), rail.Asking); !ok || err != nil {
				t.Error("questions pause too", err)
			}
			p.clock.move(wxpayrail.Pause + time.Second)
			if ok, _ := line.Admit(t.Context(), rail.Sending); !ok {
				t.Error("the pause does not end")
			}
			if h := line.Send(t.Context(), railtest.Order(1).Reference, r.Raw); h.Word != payout.Awaits || !h.Packaged || h.Package.Empty() {
				t.Errorf("the same number afterwards: %q", h.Word)
			}
		})
	}
}

func TestThePersonHasTheWord(t *testing.T) {
	t.Parallel()
	reference := railtest.Order(1).Reference
	ask := func(t *testing.T, line rail.Rail, want payout.Word) rail.Heard {
		t.Helper()
		h := line.Query(t.Context(), reference)
		if h.Word != want {
			t.Errorf("%q (%s), want %q", h.Word, h.Code, want)
		}
		return h
	}
	for name, f := range map[string]func(*testing.T, provider, rail.Closer){
		"accepted": func(t *testing.T, p provider, line rail.Closer) {
			_, content := p.Package(reference)
			if p.Accept("oSomebodyElse", content) {
				t.Error("another person's page opened")
			}
			if !p.Accept(p.Package(reference)) {
				t.Error("the page did not open")
			}
			ask(t, line, payout.Processing)
			p.clock.move(time.Second)
			ask(t, line, payout.Succeeded)
		},
		"not accepted in 24 hours": func(t *testing.T, p provider, line rail.Closer) {
			p.clock.move(24*time.Hour - time.Second)
			ask(t, line, payout.Awaits)
			p.clock.move(time.Second)
			if h := ask(t, line, payout.Closed); h.Code != "OVERDUE_CLOSE" {
				t.Error(h.Code)
			}
			if p.Accept(p.Package(reference)) {
				t.Error("accepted after it was closed")
			}
		},
		"taken back": func(t *testing.T, p provider, line rail.Closer) {
			if h := line.Close(t.Context(), reference); h.Word != payout.Silence {
				t.Errorf("asking to close concluded %q", h.Word)
			}
			ask(t, line, payout.Processing)
			p.clock.move(time.Second)
			ask(t, line, payout.Closed)
		},
		"taken back too late": func(t *testing.T, p provider, line rail.Closer) {
			p.Accept(p.Package(reference))
			p.clock.move(time.Second)
			line.Close(t.Context(), reference)
			ask(t, line, payout.Succeeded)
		},
		"31 days later": func(t *testing.T, p provider, line rail.Closer) {
			p.clock.move(31 * 24 * time.Hour)
			ask(t, line, payout.NotFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, "", true)
			line := p.wxpay(t)
			if h, _ := send(t, line); h.Word != payout.Awaits {
				t.Fatalf("%q (%s)", h.Word, h.Code)
			}
			f(t, p, line)
		})
	}
}

// TestLies: whatever is not ours, not signed or not whole is silence, and another
// amount or person is passed on as stated, for the payout to freeze.
func TestLies(t *testing.T) {
	t.Parallel()
	for _, lie := range []string{"bad_signature", "probe_signature", "no_signature", "stale_timestamp", "other_reference", "other_merchant", "garbage", "redirect", "wrong_amount", "wrong_person"} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			p := open(t, fmt.Sprintf("title = \"x\"\n[[rule]]\nservice = \"wxpay\"\nop = \"query\"\neffect = \"lie\"\nlie = %q\n", lie), true)
			line := p.wxpay(t)
			_, r := send(t, line)
			h := line.Query(t.Context(), railtest.Order(1).Reference)
			differs := h.AmountFen != railtest.Amount || h.Payee != r.Payee
			if strings.HasPrefix(lie, "wrong_") {
				if h.Word != payout.Awaits || !differs {
					t.Errorf("%+v", h)
				}
			} else if h.Word != payout.Silence || h.AmountFen != 0 {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestTheNameIsSealedAndTheBytesAreKept(t *testing.T) {
	t.Parallel()
	p := open(t, "", true)
	line, o := p.wxpay(t), railtest.Order(1)
	o.AmountFen = 2000_00
	first, err := line.Encode(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := line.Encode(t.Context(), o)
	if bytes.Equal(first.Raw, second.Raw) || first.Payee != second.Payee || bytes.Contains(first.Raw, []byte(o.Payee.Name.Reveal())) {
		t.Error("the name is not sealed afresh")
	}
	if h := line.Send(t.Context(), o.Reference, first.Raw); h.Word != payout.Awaits {
		t.Fatalf("%q %s", h.Word, h.Code)
	}
	// Made anew, the bytes differ and the provider refuses them: an earlier attempt exists.
	if h := line.Send(t.Context(), o.Reference, second.Raw); h.Word != payout.Refused {
		t.Errorf("%q %s", h.Word, h.Code)
	}
	if h := line.Send(t.Context(), o.Reference, first.Raw); h.Word != payout.Awaits || !h.Packaged {
		t.Errorf("the kept bytes: %q %s", h.Word, h.Code)
	}
	small := o
	small.AmountFen = 29
	r, err := line.Encode(t.Context(), small)
	if err != nil || bytes.Contains(r.Raw, []byte("user_name")) {
		t.Error("a name under 0.3 yuan is refused by the provider", err)
	}
	var body map[string]any
	_, after, _ := bytes.Cut(first.Raw, []byte("\n"))
	if json.Unmarshal(after, &body) != nil || body["transfer_scene_id"] != "1002" || body["user_name"] == nil {
		t.Error(body)
	}
}
