// Package world stands in for everything outside on one machine: the data
// exchange, WeChat, the agent bank and the SMS provider, over real HTTP with
// the real signatures and limits. It can be told to misbehave (see
// docs/scenarios.md) and it remembers across kill -9 what it did, because a
// payment it acknowledged must still be there.
//
// It is for the laptop and for tests. It holds both ends of every key and knows
// only people who do not exist, and no deployed binary may contain it.
package world

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/bankfile"
	"github.com/doudi-aid/doudi/shared/exchange"
)

// DefaultRate is how many transfers, and how many queries, the bank takes in one
// second when nobody says otherwise.
const DefaultRate = 100

// DefaultLayout is the form of the bank's files when nobody says otherwise.
const DefaultLayout = "yikatong-1"

// Options says how the world is. Only Keys must be given (see LocalKeys).
type Options struct {
	Dir  string // durable state; "" keeps it in memory
	Seed string // makes open ids and tokens
	Keys Keys
	Now  func() time.Time // nil is time.Now
	// CallbackURL is where the bank sends its callbacks; "" sends none.
	CallbackURL string
	Callback    *http.Client // makes the callbacks; nil is a plain client
	Scenario    Scenario
	// PayDelay is from acceptance to payment; zero is 300 ms.
	PayDelay time.Duration
	// AsyncDelay is how long an asynchronous source answers "pending"; zero is 200 ms.
	AsyncDelay time.Duration
	// Ladder is the waits before each try of a callback; nil is a short one.
	Ladder []time.Duration
	// Hang bounds how long a "timeout" effect keeps a connection; zero is a minute.
	Hang time.Duration
	// FileLayout is the form of the bank's files of many payments; "" is DefaultLayout.
	FileLayout string
	// Rate is the most transfers, and the most queries, in one second; zero is DefaultRate.
	Rate int
	// SingleUseCodes makes "wx:<name>" work once, as WeChat's codes do. Otherwise
	// it stands for a fresh code of that person every time, and only
	// "wx:<name>#<anything>" works once.
	SingleUseCodes bool
	// AdoptStrangers makes an ordinary person of whoever is asked about and not
	// known, so that a visitor may type in anybody.
	AdoptStrangers bool
	Log            *slog.Logger // nil is silent
}

// World is one running world. It is safe for concurrent use.
type World struct {
	options Options
	now     func() time.Time
	journal *journal
	sources []exchange.Source
	layout  *bankfile.Layout
	closed  chan struct{}
	once    sync.Once

	stepping sync.Mutex // held during a Step

	mu                  sync.Mutex // guards everything below
	script              *script
	people              []*Person
	byID                map[string]*Person
	byAccount           map[string]*Person
	made                []int // fresh people by region
	book                map[string]*transfer
	order               []string
	owed                map[string]*owedCallback
	logins              map[string]string // open id → name
	usedCodes           map[string]bool
	messages            []Message
	asked               map[string]asked // exchange, by our number
	nonces, olderNonces map[string]bool
	noncesSince         time.Time
	rates               map[string][]time.Time
	bills               map[string]*bill // WeChat Pay, by our number
	billOrder           []string
	pending             []string            // transfers with callbacks to come
	files               map[string][][]byte // every issue of a day's statement, by account and day
	filings             map[string]*filing
}

// registers is the shipped catalogue, read once: an enumeration opens worlds by the
// thousand.
var registers = sync.OnceValues(exchange.Sources)

// New opens a world: the cast is there, and everything its journal remembers.
func New(o Options) (*World, error) {
	if len(o.Keys.BankOwn) == 0 || len(o.Keys.ExchangeOwn) == 0 {
		return nil, errors.New("world: keys are required, see LocalKeys")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.PayDelay <= 0 {
		o.PayDelay = 300 * time.Millisecond
	}
	if o.AsyncDelay <= 0 {
		o.AsyncDelay = 200 * time.Millisecond
	}
	if o.Ladder == nil {
		o.Ladder = []time.Duration{0, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
	}
	if o.Hang <= 0 {
		o.Hang = time.Minute
	}
	if o.Rate <= 0 {
		o.Rate = DefaultRate
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	sources, err := registers()
	if err != nil {
		return nil, err
	}
	w := &World{
		options: o, now: o.Now, sources: sources, closed: make(chan struct{}), script: newScript(o.Scenario),
		byID: map[string]*Person{}, byAccount: map[string]*Person{}, made: make([]int, len(regions)),
		book: map[string]*transfer{}, owed: map[string]*owedCallback{}, logins: map[string]string{}, usedCodes: map[string]bool{},
		asked: map[string]asked{}, nonces: map[string]bool{}, noncesSince: o.Now(), rates: map[string][]time.Time{}, bills: map[string]*bill{}, files: map[string][][]byte{}, filings: map[string]*filing{},
	}
	if w.layout, err = bankfile.Shipped(cmp.Or(o.FileLayout, DefaultLayout)); err != nil {
		return nil, err
	}
	for reg := range regions {
		for _, p := range w.cast(reg) {
			w.remember(p)
		}
	}
	if w.journal, err = openJournal(o.Dir, w.apply); err != nil {
		return nil, err
	}
	return w, nil
}

// apply takes a record from the journal back into memory.
func (w *World) apply(r record) {
	switch {
	case r.Person != nil:
		w.remember(*r.Person)
	case r.Login != nil:
		w.logins[r.Login.OpenID] = r.Login.Name
		if r.Login.Code != "" {
			w.usedCodes[r.Login.Code] = true
		}
	case r.Transfer != nil:
		w.enter(r.Transfer)
	case r.Told != nil:
		if o := w.owed[r.Told.Reference]; o != nil {
			o.done[r.Told.Status] = true
		}
	case r.Bill != nil:
		w.keepBill(*r.Bill)
	case r.Filing != nil:
		w.keepFiling(*r.Filing)
	case r.Message != nil:
		w.messages = append(w.messages, *r.Message)
	}
}

// Close lets go of hanging calls and of the journal.
func (w *World) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.journal.close()
}

// Load replaces the scenario and forgets all counts.
func (w *World) Load(s Scenario) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.options.Scenario, w.script = s, newScript(s)
}

// Run sends callbacks when they are due, until ctx ends.
func (w *World) Run(ctx context.Context) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.closed:
			return nil
		case <-tick.C:
			w.Step(ctx)
		}
	}
}

// Handler serves /exchange, /wechat, /wecom, /bank, /sms, WeChat Pay's /v3 and /world.
func (w *World) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bank/transfers", w.bankSend)
	mux.HandleFunc("GET /bank/transfers/{reference}", w.bankQuery)
	mux.HandleFunc("GET /bank/accounts/{account}/statements/{day}", w.bankTicket)
	mux.HandleFunc("GET /bank/accounts/{account}/statements/{day}/files/{issue}", w.bankFile)
	mux.HandleFunc("GET "+wxpayFlowPath, w.wxpayTicket)
	mux.HandleFunc("GET "+wxpayFilePath, w.wxpayFile)
	mux.HandleFunc("POST /bank/files/{file}", w.fileSend)
	mux.HandleFunc("GET /bank/files/{file}", w.fileQuery)
	mux.HandleFunc("GET /bank/files/{file}/returns/{edition}", w.fileReturn)
	mux.HandleFunc("POST /exchange/sources/{path...}", w.exchangeAsk)
	mux.HandleFunc("GET /wechat/sns/jscode2session", w.code2session)
	mux.HandleFunc("POST /wechat/cgi-bin/stable_token", w.stableToken)
	mux.HandleFunc("POST /wechat/cgi-bin/message/subscribe/send", w.subscribeSend)
	mux.HandleFunc("GET /wecom/cgi-bin/gettoken", w.wecomGetToken)
	mux.HandleFunc("GET /wecom/cgi-bin/auth/getuserinfo", w.wecomMember)
	mux.HandleFunc("POST /sms/{$}", w.smsSend)
	mux.HandleFunc("POST "+wxpayPath, w.wxpayCreate)
	mux.HandleFunc("GET "+wxpayPath+"/out-bill-no/{bill}", w.wxpayQuery)
	mux.HandleFunc("POST "+wxpayPath+"/out-bill-no/{bill}/cancel", w.wxpayCancel)
	mux.HandleFunc("POST /world/wxpay/accept", w.adminAccept)
	mux.HandleFunc("GET /world/health", func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, 200, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /world/people", w.adminPeople)
	mux.HandleFunc("POST /world/people", w.adminAdd)
	mux.HandleFunc("GET /world/bank/book", w.adminBook)
	mux.HandleFunc("GET /world/messages", w.adminMessages)
	mux.HandleFunc("GET /world/scenario", w.adminScenario)
	mux.HandleFunc("POST /world/scenario", w.adminLoad)
	return mux
}

// match asks the scenario what happens to a call.
func (w *World) match(c callOf) (line, plan Rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.script.match(c)
}

// nonceAge is how long a nonce is remembered at least.
const nonceAge = 10 * time.Minute

// spent reports whether a nonce was seen before, and remembers it.
func (w *World) spent(nonce string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Two generations, each longer than the window of the signatures: looking
	// through all of them at every call would make a busy day ever slower.
	if now := w.now(); now.Sub(w.noncesSince) > nonceAge {
		w.olderNonces, w.nonces, w.noncesSince = w.nonces, map[string]bool{}, now
	}
	seen := w.nonces[nonce] || w.olderNonces[nonce]
	w.nonces[nonce] = true
	return seen
}

// over reports whether a call of this kind passes the rate, and counts it if not.
func (w *World) over(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	recent := slices.DeleteFunc(w.rates[kind], func(t time.Time) bool { return now.Sub(t) >= time.Second })
	if len(recent) < w.options.Rate {
		w.rates[kind] = append(recent, now)
		return false
	}
	w.rates[kind] = recent
	return true
}

// bodyLimit is the most the world reads of a request.
const bodyLimit = 64 << 10

// readBody reads a request's body; false when it was too large and answered.
func readBody(rw http.ResponseWriter, r *http.Request) ([]byte, bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, bodyLimit))
	if err != nil {
		http.Error(rw, "too large", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return raw, true
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
