// Package settle finds out what became of payments. It asks the bank about
// everything that is not final, takes the bank's callbacks as reasons to ask, and
// books what the answers prove. It sends no money and makes no new attempt: a
// payment that must go again is left to pay.
package settle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table   table.Store
	Bank    *bank.Client
	Now     func() time.Time
	Metrics telemetry.Metrics
	Log     *slog.Logger
}

// saving is how long storing an answer may take after the request itself is over.
const saving = 10 * time.Second

var (
	actor    = event.Actor{Kind: event.System, ID: "settle"}
	provider = event.Actor{Kind: event.Provider, ID: "bank"}
)

// Handle asks about the payout that one message names, if it is to be asked about.
func Handle(d Deps) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		msg, err := work.Decode(m.Body)
		if err != nil || !payout.Is(msg.Key()) {
			return ErrMessage.Because(err)
		}
		p, err := payout.Get(ctx, d.Table, msg.Key())
		if err != nil {
			return err
		}
		return d.ask(ctx, p)
	}
}

func (d Deps) ask(ctx context.Context, p payout.Payout) error {
	current, ok := p.Current()
	if !ok || !p.Asks() || d.Now().Before(p.Next) {
		return nil // final, not claimed, with pay, or not yet
	}
	r := d.Bank.Query(ctx, current.Reference)
	if r.Status == bank.Refused {
		d.alarm(ctx, p, "bank-line-refused")
	}
	o, err := payout.Step(p, payout.Answer{Said: answered(r)}, actor, d.Now())
	if err != nil {
		return err
	}
	for _, code := range o.Alarms() {
		d.alarm(ctx, p, code)
	}
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saving)
	defer cancel()
	// The answer holds for the payout as it was when we asked. If it moved since,
	// the answer may be older than what moved it: drop it and ask again when due.
	if err := payout.Commit(save, d.Table, o); !errors.Is(err, payout.ErrMovedOn) {
		return err
	}
	return nil
}

func (d Deps) alarm(ctx context.Context, p payout.Payout, code string) {
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: code})
	d.Log.ErrorContext(ctx, "payout needs a person", "code", code, "application", p.Award.Application, "award", p.Award.ID, "state", string(p.State))
}

// answered frees what the bank answered to our question from its protocol.
func answered(r bank.Result) payout.Said {
	s := payout.Said{Reference: r.Reference, AmountFen: r.AmountFen, Payee: r.PayeeDigest, At: r.BankTime, Code: r.Code, Evidence: r.Evidence}
	action := bank.Meaning(r.Code)
	switch {
	case action == bank.Freeze:
		s.Word = payout.Conflict
	case r.Status == bank.Failed && action == bank.Pause:
		s.Word = payout.Short
	case r.Status == bank.Failed && r.Retryable:
		s.Word = payout.Retryable
	default:
		s.Word = word(r.Status)
	}
	return s
}

func word(s bank.Status) payout.Word {
	switch s {
	case bank.Accepted, bank.Processing:
		return payout.Processing
	case bank.Paid:
		return payout.Succeeded
	case bank.Failed:
		return payout.Declined
	case bank.Returned:
		return payout.SentBack
	case bank.NotFound:
		return payout.NotFound
	default:
		return payout.Silence
	}
}

// CallbackPath is where the bank sends its news. The signature covers it.
const CallbackPath = "/v1/callbacks/bank"

// Routes are what settle answers.
func Routes(d Deps) []httpapi.Route {
	return []httpapi.Route{
		httpapi.Raw(http.MethodPost+" "+CallbackPath, httpapi.Options{Caller: httpapi.Provider, MaxBody: outside.DefaultLimit}, d.callback),
	}
}

// tries bounds how often a callback starts again because the payout moved.
const tries = 5

// callback takes the bank's news. 200 says that it is stored and will be acted
// on; anything else makes the bank send it again.
func (d Deps) callback(ctx context.Context, call httpapi.RawCall) (httpapi.RawAnswer, error) {
	news, err := d.Bank.ParseCallback(http.MethodPost, CallbackPath, call.Header, call.Raw)
	if err != nil {
		d.Metrics.Count("bank_callback_refused", 1, telemetry.Label{Name: "code", Value: fault.Of(err).Code})
		return httpapi.RawAnswer{}, err
	}
	for range tries {
		done, err := d.take(ctx, news)
		if err != nil {
			return httpapi.RawAnswer{}, err
		}
		if done {
			return httpapi.RawAnswer{Status: http.StatusOK}, nil
		}
	}
	return httpapi.RawAnswer{}, ErrBusy
}

// take stores one piece of news, once. done is false when the payout moved meanwhile.
func (d Deps) take(ctx context.Context, news bank.Callback) (done bool, err error) {
	seen := seenKey(news.ID)
	if _, twice, err := d.Table.Get(ctx, seen); err != nil || twice {
		return twice, err
	}
	p, err := payout.ByReference(ctx, d.Table, news.Reference)
	if errors.Is(err, payout.ErrNotFound) {
		return d.park(ctx, news)
	}
	if err != nil {
		return false, err
	}
	o, err := payout.Step(p, payout.News{Said: told(news)}, provider, d.Now())
	if err != nil {
		return false, err
	}
	for _, code := range o.Alarms() {
		d.alarm(ctx, p, code)
	}
	// The mark that it was seen goes with its effect: neither is ever there alone.
	err = payout.Commit(ctx, d.Table, o, table.Put{Item: table.Item{Key: seen, Version: 1}})
	if errors.Is(err, payout.ErrMovedOn) {
		return false, nil
	}
	return err == nil, err
}

func seenKey(id string) table.Key { return table.Key{PK: "CALLBACK#bank#" + id, SK: "SEEN"} }

// parked is news about a reference that is not ours, kept for a person.
type parked struct {
	Reference string    `json:"reference"`
	Says      string    `json:"says"`
	AmountFen int64     `json:"amount_fen"`
	Code      string    `json:"code,omitempty"`
	BankTime  time.Time `json:"bank_time"`
	Evidence  string    `json:"evidence"`
	At        time.Time `json:"at"`
}

// Parked is the partition of news about references that are not ours: somebody
// may have paid with our keys. It is never dropped.
const Parked = "PARKED#bank"

func (d Deps) park(ctx context.Context, news bank.Callback) (bool, error) {
	body, err := json.Marshal(parked{news.Reference, string(news.Says), int64(news.AmountFen), news.Code, news.BankTime, news.Evidence, d.Now()})
	if err != nil {
		return false, fmt.Errorf("settle: %w", err)
	}
	err = d.Table.Transact(ctx,
		table.Put{Item: table.Item{Key: table.Key{PK: Parked, SK: news.ID}, Version: 1, Body: body}},
		table.Put{Item: table.Item{Key: seenKey(news.ID), Version: 1}})
	if _, moved := errors.AsType[*table.ConditionError](err); moved {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: "callback-unknown-reference"})
	d.Log.ErrorContext(ctx, "the bank speaks of a payment that is not ours", "reference", news.Reference)
	return true, nil
}

// told frees the bank's news from its protocol.
func told(c bank.Callback) payout.Said {
	return payout.Said{Word: word(c.Says), Reference: c.Reference, AmountFen: c.AmountFen, Payee: c.PayeeDigest,
		At: c.BankTime, Code: c.Code, Evidence: c.Evidence}
}
