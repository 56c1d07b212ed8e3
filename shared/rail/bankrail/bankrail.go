// Package bankrail is the rail of single transfers through the agent bank: the
// client shared/bank, put into the words of shared/rail. It decides nothing.
package bankrail

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/pace"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
)

// CallbackPath is where the bank sends its news. The signature covers it.
const CallbackPath = "/v1/callbacks/bank"

// alarm: the bank refuses our keys or our agreement.
const alarm = "bank-line-refused"

var form = regexp.MustCompile(`^[0-9a-z]{1,32}$`)

type line struct {
	client    *bank.Client
	perSecond int
	gates     map[rail.Call]*pace.Gate // none where the bank names no rate
}

// New is the rail over a client whose bank names no rate.
func New(c *bank.Client) rail.Rail { return line{client: c} }

// Paced is the rail over a client whose bank takes so many orders, and as many
// questions, in a second from all of us together. The gates are in t. Without
// them a burst is refused by the bank order by order, and each refusal costs
// minutes of asking what became of it.
func Paced(c *bank.Client, t table.Store, perSecond int, now func() time.Time, wait func(context.Context, time.Duration) error) rail.Rail {
	return line{c, perSecond, map[rail.Call]*pace.Gate{
		rail.Sending: pace.New(t, "bank-send", perSecond, now, wait),
		rail.Asking:  pace.New(t, "bank-ask", perSecond, now, wait),
	}}
}

func (l line) Facts() rail.Facts {
	return rail.Facts{Rail: award.Bank, PerSecond: l.perSecond, Reference: form, CallbackPath: CallbackPath}
}

// Admit waits for a turn where there is a rate, and is always true where there is
// none: the bank says itself when it is busy, and nothing is lost.
func (l line) Admit(ctx context.Context, c rail.Call) (bool, error) {
	if l.gates == nil {
		return true, nil
	}
	return l.gates[c].Take(ctx)
}

func (l line) Encode(_ context.Context, o rail.Order) (rail.Request, error) {
	order := bank.Order{Reference: o.Reference, AmountFen: o.AmountFen, PayeeName: o.Payee.Name, PayeeAccount: o.Payee.Account, Purpose: o.Purpose}
	raw, err := l.client.Encode(order)
	if err != nil {
		return rail.Request{}, err
	}
	return rail.Request{Raw: raw, Payee: l.client.PayeeDigest(order)}, nil
}

func (l line) Send(ctx context.Context, reference string, raw []byte) rail.Heard {
	r := l.client.Send(ctx, reference, raw)
	return heard(r, sent(r))
}

func (l line) Query(ctx context.Context, reference string) rail.Heard {
	r := l.client.Query(ctx, reference)
	return heard(r, answered(r))
}

func heard(r bank.Result, word payout.Word) rail.Heard {
	h := rail.Heard{Said: payout.Said{Word: word, Reference: r.Reference, AmountFen: r.AmountFen, Payee: r.PayeeDigest,
		At: r.BankTime, Code: r.Code, Evidence: r.Evidence}}
	if r.Status == bank.Refused {
		h.Alarm = alarm
	}
	return h
}

func (l line) Read(method, path string, header http.Header, raw []byte) (rail.News, error) {
	c, err := l.client.ParseCallback(method, path, header, raw)
	if err != nil {
		return rail.News{}, err
	}
	return rail.News{ID: c.ID, Said: payout.Said{Word: word(c.Says), Reference: c.Reference, AmountFen: c.AmountFen, Payee: c.PayeeDigest,
		At: c.BankTime, Code: c.Code, Evidence: c.Evidence}}, nil
}

// sent frees what the bank answered to an order from its protocol. It never says
// that a payment failed: only an answer to a question does.
func sent(r bank.Result) payout.Word {
	switch bank.Meaning(r.Code) {
	case bank.Freeze:
		return payout.Conflict
	case bank.Pause:
		return payout.Short
	}
	switch r.Status {
	case bank.Accepted, bank.Processing:
		return payout.Processing
	case bank.Paid:
		return payout.Succeeded
	}
	return payout.Silence
}

// answered frees what the bank answered to our own question from its protocol.
func answered(r bank.Result) payout.Word {
	action := bank.Meaning(r.Code)
	switch {
	case action == bank.Freeze:
		return payout.Conflict
	case r.Status == bank.Failed && action == bank.Pause:
		return payout.Short
	case r.Status == bank.Failed && r.Retryable:
		return payout.Retryable
	}
	return word(r.Status)
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
