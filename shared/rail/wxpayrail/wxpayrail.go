// Package wxpayrail is the rail of merchant transfers that the person accepts in
// the mini-program: the client shared/wxpay, put into the words of shared/rail,
// behind gates that keep all of us together under WeChat Pay's limits. It decides
// nothing.
package wxpayrail

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/pace"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

// CallbackPath is where WeChat Pay sends its news.
const CallbackPath = "/v1/callbacks/wxpay"

// Alarms of the line itself.
const (
	AlarmStopped = "wxpay-line-refused"  // our keys, address or agreement: the line stands still
	AlarmQuery   = "wxpay-query-refused" // a question is refused: perhaps older than 30 days
)

// Pause is how long nothing is sent after our account was found short, or the line
// refused: every further order would end the same way.
const Pause = 15 * time.Minute

var form = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)

type line struct {
	client *wxpay.Client
	gates  map[rail.Call]*pace.Gate
	max    money.Fen
}

// New is the rail over a client. The gates are in t and are shared by everybody
// who uses the same merchant; wait lets time pass, nil never waits. maxFen is the
// most that one bill may be, zero for no bound.
func New(c *wxpay.Client, t table.Store, maxFen money.Fen, now func() time.Time, wait func(context.Context, time.Duration) error) rail.Closer {
	return line{c, map[rail.Call]*pace.Gate{
		rail.Sending: pace.New(t, "wxpay-send", wxpay.PerSecond, now, wait),
		rail.Asking:  pace.New(t, "wxpay-ask", wxpay.PerSecond, now, wait),
		rail.Closing: pace.New(t, "wxpay-close", wxpay.ClosePerSec, now, wait),
	}, maxFen}
}

func (l line) Facts() rail.Facts {
	return rail.Facts{Rail: award.WxPay, PerSecond: wxpay.PerSecond, Confirm: wxpay.Confirm, MinFen: wxpay.MinFen, MaxFen: l.max,
		Reference: form, CallbackPath: CallbackPath}
}

func (l line) Admit(ctx context.Context, c rail.Call) (bool, error) { return l.gates[c].Take(ctx) }

func (l line) Encode(_ context.Context, o rail.Order) (rail.Request, error) {
	raw, err := l.client.Encode(wxpay.Order{BillNo: o.Reference, AmountFen: o.AmountFen, OpenID: o.Payee.OpenID, Name: o.Payee.Name, Remark: o.Purpose})
	if err != nil {
		return rail.Request{}, err
	}
	return rail.Request{Raw: raw, Payee: l.client.PayeeDigest(o.Reference, o.Payee.OpenID)}, nil
}

func (l line) Send(ctx context.Context, reference string, raw []byte) rail.Heard {
	r := l.client.Create(ctx, reference, raw)
	h := heard(r)
	h.Word = sent(r.Status)
	h.Packaged, h.Package = r.Status == wxpay.Confirming && !r.Package.Empty(), r.Package
	if r.Status == wxpay.Short || r.Status == wxpay.Stopped {
		// Failing to pause costs one more refused order, nothing else.
		_ = l.gates[rail.Sending].Pause(context.WithoutCancel(ctx), Pause)
	}
	return h
}

func (l line) Query(ctx context.Context, reference string) rail.Heard {
	r := l.client.Query(ctx, reference)
	h := heard(r)
	h.Word = word(r)
	if r.Status == wxpay.Rejected {
		h.Alarm = AlarmQuery
	}
	return h
}

func (l line) Close(ctx context.Context, reference string) rail.Heard {
	r := l.client.Cancel(ctx, reference)
	h := heard(r)
	h.Word = payout.Silence
	return h
}

func (l line) Read(_, _ string, header http.Header, raw []byte) (rail.News, error) {
	c, err := l.client.ParseCallback(header, raw)
	if err != nil {
		return rail.News{}, err
	}
	h := heard(c.Result)
	h.Word = word(c.Result)
	return rail.News{ID: c.ID, Said: h.Said}, nil
}

func heard(r wxpay.Result) rail.Heard {
	h := rail.Heard{Said: payout.Said{Reference: r.BillNo, AmountFen: r.AmountFen, Payee: r.PayeeDigest, At: r.At, Code: r.Code, Evidence: r.Evidence}}
	if r.Status == wxpay.Stopped {
		h.Alarm = AlarmStopped
	}
	return h
}

// sent frees what WeChat Pay answered to an order from its protocol. The answer
// states neither amount nor payee, so that even "paid" is only a reason to ask.
func sent(s wxpay.Status) payout.Word {
	switch s {
	case wxpay.Accepted, wxpay.Processing, wxpay.Transferring, wxpay.Cancelling, wxpay.Succeeded:
		return payout.Processing
	case wxpay.Confirming:
		return payout.Awaits
	case wxpay.Short:
		return payout.Short
	case wxpay.Rejected:
		return payout.Refused
	}
	return payout.Silence
}

// word frees what WeChat Pay answered to our own question from its protocol. No
// reason of failure is known to mend itself, so none begins an attempt by itself.
func word(r wxpay.Result) payout.Word {
	switch r.Status {
	case wxpay.Accepted, wxpay.Processing, wxpay.Transferring, wxpay.Cancelling:
		return payout.Processing
	case wxpay.Confirming:
		return payout.Awaits
	case wxpay.Succeeded:
		return payout.Succeeded
	case wxpay.Failed, wxpay.Cancelled:
		if r.Closed() {
			return payout.Closed
		}
		return payout.Declined
	case wxpay.NotFound:
		return payout.NotFound
	}
	return payout.Silence
}
