package settle

import (
	"context"
	"errors"
	"slices"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

// Fetched is a day's statement with a digest that its writer signed, or why there
// is none.
type Fetched struct {
	Raw  []byte
	Code string
}

// Fetch gets the statement of one day.
type Fetch func(ctx context.Context, day civil.Day) Fetched

// FromBank fetches the statements of one of our accounts at the bank.
func FromBank(c *bank.Client, account string) Fetch {
	return func(ctx context.Context, day civil.Day) Fetched {
		f := c.Fetch(ctx, account, day)
		return Fetched{f.Raw, f.Code}
	}
}

// FromWxPay fetches the statements of our merchant account.
func FromWxPay(c *wxpay.Client) Fetch {
	return func(ctx context.Context, day civil.Day) Fetched {
		f := c.FundFlow(ctx, day)
		return Fetched{f.Raw, f.Code}
	}
}

// expected are the codes of a statement that is late, as opposed to wrong.
var expected = []string{bank.CodeNotReady, wxpay.CodeNotReady}

// statement does what is owed about one day of one source: fetch it, hold it
// against our books, look again later whether it was restated. If we die anywhere
// the head still stands in the due index.
func (d Deps) statement(ctx context.Context, key table.Key) error {
	item, ok, err := d.Table.Get(ctx, key)
	if err != nil || !ok {
		return err
	}
	h, err := reconciliation.DecodeHead(item)
	if err != nil {
		return err
	}
	if h.Next.IsZero() || d.Now().Before(h.Next) {
		return nil
	}
	if h.Standing != reconciliation.Received {
		if h, err = d.fetch(ctx, h); err != nil || h.Standing != reconciliation.Received {
			return quiet(err)
		}
	}
	r, moved, err := d.Office.Match(ctx, h, actor)
	if err != nil || moved {
		return quiet(err) // moved: it was restated meanwhile, and is owed again
	}
	d.tell(ctx, h, r)
	return nil
}

// quiet is nil when somebody was quicker: what is left is still owed.
func quiet(err error) error {
	if errors.Is(err, reconciliation.ErrMovedOn) {
		return nil
	}
	return err
}

// fetch gets the statement and believes it or not; either is written down.
func (d Deps) fetch(ctx context.Context, h reconciliation.Head) (reconciliation.Head, error) {
	get, can := d.Fetch[h.Source]
	if !can {
		return h, h.PutOff(ctx, d.Table, "no-line", actor, d.Now())
	}
	got := get(ctx, h.Day)
	if got.Raw == nil {
		return h, d.late(ctx, h, got.Code)
	}
	next, fresh, err := d.Office.Receive(ctx, h.Source, h.Day, got.Raw, reconciliation.From{By: actor, Verified: true})
	switch f := fault.Of(err); {
	case err == nil && fresh:
		return next, nil
	case err == nil:
		return next.Looked(ctx, d.Table, actor, d.Now())
	case f.Kind == fault.Invalid, f.Kind == fault.TooLarge:
		d.Log.ErrorContext(ctx, "a statement is not as agreed", "source", h.Source, "day", h.Day.String(), "code", f.Code, "fields", len(f.Fields))
		return h, d.late(ctx, h, f.Code)
	}
	return h, err
}

// late writes down that there is no statement to believe, and tells somebody when
// that is not the provider's ordinary slowness.
func (d Deps) late(ctx context.Context, h reconciliation.Head, code string) error {
	d.Metrics.Count("statement_missed", 1, telemetry.Label{Name: "source", Value: h.Source})
	if !slices.Contains(expected, code) {
		d.Metrics.Count("statement_refused", 1, telemetry.Label{Name: "code", Value: code})
		d.Log.ErrorContext(ctx, "a statement is not believed", "source", h.Source, "day", h.Day.String(), "code", code)
	}
	return h.PutOff(ctx, d.Table, code, actor, d.Now())
}

// tell counts what a comparison found.
func (d Deps) tell(ctx context.Context, h reconciliation.Head, r reconciliation.Report) {
	d.Metrics.Count("statement_matched", 1, telemetry.Label{Name: "source", Value: h.Source})
	for _, b := range r.Opened {
		d.Metrics.Count("break_opened", 1, telemetry.Label{Name: "class", Value: string(b.Class)})
		if b.Class != reconciliation.DateCut {
			d.Log.ErrorContext(ctx, "our books and a statement differ", "break", b.ID, "class", string(b.Class), "source", b.Source, "reference", b.Reference)
		}
	}
	for _, m := range r.Asked {
		for _, code := range m.Alarms {
			d.alarm(ctx, m.Payout, code)
		}
	}
}
