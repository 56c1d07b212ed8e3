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
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table table.Store
	Rails rail.Set
	// Files takes payments that leave in files; nil where they are not in use. It
	// needs Box.
	Files rail.Files
	// Box, Blind and Merchant serve people who must accept their money; without a
	// rail that asks for it they may be left out.
	Box      *seal.Box
	Blind    *seal.Blind
	Merchant Merchant
	// Office holds statements against our books, and Fetch gets those of a source
	// that can be asked. Without an Office nothing is reconciled here.
	Office *reconciliation.Office
	Fetch  map[string]Fetch
	// LinesAtOnce is how many lines of a return file are settled at the same time; 0
	// for the usual. With 1 the same happens in the same order every time.
	LinesAtOnce int
	Now         func() time.Time
	Metrics     telemetry.Metrics
	Log         *slog.Logger
}

// saving is how long storing an answer may take after the request itself is over.
const saving = 10 * time.Second

var actor = event.Actor{Kind: event.System, ID: "settle"}

// Handle asks about the payout, or the file of many, that one message names, if it
// is to be asked about, or fetches the statement that it names and holds it against
// our books.
func Handle(d Deps) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		msg, err := work.Decode(m.Body)
		if err == nil && reconciliation.IsStatement(msg.Key()) && d.Office != nil {
			return d.statement(ctx, msg.Key())
		}
		if err == nil && batch.Is(msg.Key()) {
			b, err := batch.Get(ctx, d.Table, strings.TrimPrefix(msg.PK, batch.Partition("")))
			if err != nil {
				return err
			}
			return d.file(ctx, b)
		}
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
	if current.File != "" && d.Files != nil {
		said, err := d.askLine(ctx, p, current)
		if err != nil {
			return err
		}
		return d.heard(ctx, p, said, nil)
	}
	line, ours := d.Rails[p.Rail()]
	if !ours {
		return nil // over a rail that is not in use
	}
	if admitted, err := line.Admit(ctx, rail.Asking); err != nil || !admitted {
		return err // the provider's limit for all of us is used up: it stays owed
	}
	heard := line.Query(ctx, current.Reference)
	if heard.Alarm != "" {
		d.alarm(ctx, p, heard.Alarm)
	}
	return d.heard(ctx, p, heard.Said, line)
}

// heard takes an answer about p's present attempt, given by line (nil for a file).
func (d Deps) heard(ctx context.Context, p payout.Payout, said payout.Said, line rail.Rail) error {
	o, err := payout.Step(p, payout.Answer{Said: said}, actor, d.Now())
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
	if err := payout.Commit(save, d.Table, o); err != nil {
		if errors.Is(err, payout.ErrMovedOn) {
			return nil
		}
		return err
	}
	if p.State != payout.Paid && o.Payout.State == payout.Paid {
		d.Metrics.Count("payout_paid", 1)
	}
	if closer, can := line.(rail.Closer); can && o.Closes() {
		return d.close(ctx, closer, p, said.Reference)
	}
	return nil
}

// close asks the provider to take an order back. If we die before it, or it is
// lost, the next question finds the order as it was and we ask again.
func (d Deps) close(ctx context.Context, line rail.Closer, p payout.Payout, reference string) error {
	if admitted, err := line.Admit(ctx, rail.Closing); err != nil || !admitted {
		return err
	}
	if heard := line.Close(ctx, reference); heard.Alarm != "" {
		d.alarm(ctx, p, heard.Alarm)
	}
	return nil
}

func (d Deps) alarm(ctx context.Context, p payout.Payout, code string) {
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: code})
	d.Log.ErrorContext(ctx, "payout needs a person", "code", code, "application", p.Award.Application, "award", p.Award.ID, "state", string(p.State))
}

// Callbacks are where the providers tell their news.
func Callbacks(d Deps) []httpapi.Route {
	return []httpapi.Route{d.listen(award.Bank, bankrail.CallbackPath), d.listen(award.WxPay, wxpayrail.CallbackPath)}
}

// Routes are what settle answers: the providers, and people who must accept their
// money, which no other function may open to them.
func Routes(d Deps) []httpapi.Route {
	const one = " /v1/applications/{id}/collection"
	return append(Callbacks(d),
		httpapi.JSON("GET"+one, http.StatusOK, httpapi.Options{Caller: httpapi.Citizen}, d.collection),
		httpapi.JSON("POST"+one+"/refusal", http.StatusOK, httpapi.Options{Caller: httpapi.Citizen, Idempotent: true}, d.decline))
}

// listen is the route of one rail's callbacks. It is there whether or not the rail
// is in use, so that the routes are the same everywhere.
func (d Deps) listen(name award.Rail, path string) httpapi.Route {
	return httpapi.Raw(http.MethodPost+" "+path, httpapi.Options{Caller: httpapi.Provider, MaxBody: outside.DefaultLimit},
		func(ctx context.Context, call httpapi.RawCall) (httpapi.RawAnswer, error) {
			line, ours := d.Rails[name]
			if !ours {
				return httpapi.RawAnswer{}, rail.ErrNoCallback
			}
			return d.callback(ctx, line, call)
		})
}

// tries bounds how often a callback starts again because the payout moved.
const tries = 5

// callback takes a provider's news. 200 says that it is stored and will be acted
// on; anything else makes the provider send it again.
func (d Deps) callback(ctx context.Context, line rail.Rail, call httpapi.RawCall) (httpapi.RawAnswer, error) {
	facts := line.Facts()
	news, err := line.Read(http.MethodPost, facts.CallbackPath, call.Header, call.Raw)
	if err != nil {
		d.Metrics.Count(string(facts.Rail)+"_callback_refused", 1, telemetry.Label{Name: "code", Value: fault.Of(err).Code})
		return httpapi.RawAnswer{}, err
	}
	for range tries {
		done, err := d.take(ctx, facts.Rail, news)
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
func (d Deps) take(ctx context.Context, name award.Rail, news rail.News) (done bool, err error) {
	seen := seenKey(name, news.ID)
	if _, twice, err := d.Table.Get(ctx, seen); err != nil || twice {
		return twice, err
	}
	p, err := payout.ByReference(ctx, d.Table, news.Reference)
	if errors.Is(err, payout.ErrNotFound) {
		return d.park(ctx, name, news)
	}
	if err != nil {
		return false, err
	}
	ctx = telemetry.WithTrace(ctx, p.Award.Trace) // back to the phone's request
	o, err := payout.Step(p, payout.News{Said: news.Said}, event.Actor{Kind: event.Provider, ID: string(name)}, d.Now())
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

func seenKey(name award.Rail, id string) table.Key {
	return table.Key{PK: "CALLBACK#" + string(name) + "#" + id, SK: "SEEN"}
}

// parked is news about a reference that is not ours, kept for a person.
type parked struct {
	Reference string      `json:"reference"`
	Says      payout.Word `json:"says"`
	AmountFen int64       `json:"amount_fen"`
	Code      string      `json:"code,omitempty"`
	BankTime  time.Time   `json:"bank_time"`
	Evidence  string      `json:"evidence"`
	At        time.Time   `json:"at"`
}

// Parked is the partition of a rail's news about references that are not ours:
// somebody may have paid with our keys. It is never dropped.
func Parked(name award.Rail) string { return "PARKED#" + string(name) }

func (d Deps) park(ctx context.Context, name award.Rail, news rail.News) (bool, error) {
	body, err := json.Marshal(parked{news.Reference, news.Word, int64(news.AmountFen), news.Code, news.At, news.Evidence, d.Now()})
	if err != nil {
		return false, fmt.Errorf("settle: %w", err)
	}
	err = d.Table.Transact(ctx,
		table.Put{Item: table.Item{Key: table.Key{PK: Parked(name), SK: news.ID}, Version: 1, Body: body}},
		table.Put{Item: table.Item{Key: seenKey(name, news.ID), Version: 1}})
	if _, moved := errors.AsType[*table.ConditionError](err); moved {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: "callback-unknown-reference"})
	d.Log.ErrorContext(ctx, "a provider speaks of a payment that is not ours", "rail", string(name), "reference", news.Reference)
	return true, nil
}
