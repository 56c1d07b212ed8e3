package settle

import (
	"context"
	"net/http"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
)

// Collection is what the mini-program opens the page with on which the person
// accepts the money (wx.requestMerchantTransfer). That the page was shown says
// nothing about the money.
type Collection struct {
	Application string    `json:"application"`
	Award       string    `json:"award"`
	AmountFen   money.Fen `json:"amount_fen"`
	MchID       string    `json:"mch_id"`
	AppID       string    `json:"app_id"`
	Package     string    `json:"package"`
	Until       string    `json:"until"` // then the money goes back to the fund
}

// Collecting is the answer to a wish to be paid otherwise.
type Collecting struct {
	Application string `json:"application"`
	Award       string `json:"award"`
	State       string `json:"state"`
	StateLabel  string `json:"state_label"`
	Next        string `json:"next"`
}

// Merchant is who pays into wallets, as the mini-program must name it.
type Merchant struct{ MchID, AppID string }

// own is the caller's own application and the payout of its award. Out of reach
// looks like absent.
func (d Deps) own(ctx context.Context, c httpapi.Request) (application.Application, payout.Payout, error) {
	a, err := application.Get(ctx, d.Table, c.Path("id"))
	if err != nil {
		return a, payout.Payout{}, err
	}
	if a.Account != c.Principal.ID {
		return a, payout.Payout{}, application.ErrNotFound
	}
	p, err := d.awarded(ctx, a)
	return a, p, err
}

func (d Deps) awarded(ctx context.Context, a application.Application) (payout.Payout, error) {
	if d.Rails[award.WxPay] == nil {
		return payout.Payout{}, rail.ErrNoCallback
	}
	if a.Award == nil {
		return payout.Payout{}, payout.ErrNotFound
	}
	return payout.Get(ctx, d.Table, payout.Key(a.ID, a.Award.ID))
}

// collection shows the person what to accept. It is opened for that person only,
// and only while it can be accepted.
func (d Deps) collection(ctx context.Context, c httpapi.Call[httpapi.None]) (Collection, error) {
	a, p, err := d.own(ctx, c.Request)
	if err != nil {
		return Collection{}, err
	}
	if a.Held() {
		return Collection{}, application.ErrHeld // a flag holds the money here too
	}
	content, err := payout.OpenPackage(ctx, d.Table, d.Box, p)
	if err != nil {
		return Collection{}, err
	}
	current, _ := p.Current()
	return Collection{a.ID, p.Award.ID, p.Award.AmountFen, d.Merchant.MchID, d.Merchant.AppID, content.Reveal(),
		current.At.Add(payout.Confirmation).In(calendar.Zone).Format(rfc3339)}, nil
}

const rfc3339 = "2006-01-02T15:04:05Z07:00"

// decline is a person who cannot or will not accept the money in WeChat. It is
// taken back, and paid otherwise only when that is proven: until then the person
// may still have accepted it.
func (d Deps) decline(ctx context.Context, c httpapi.Call[httpapi.None]) (httpapi.Reply[Collecting], error) {
	if _, _, err := d.own(ctx, c.Request); err != nil {
		return httpapi.Reply[Collecting]{}, err
	}
	by := event.Actor{Kind: event.Citizen, ID: c.Principal.ID}
	done, err := application.Change(ctx, d.Table, c.Path("id"), application.Asked(d.Blind, c.RequestKey(), c.Digest(), http.StatusOK),
		func(a application.Application) (application.Step[Collecting], error) {
			var none application.Step[Collecting]
			p, err := d.awarded(ctx, a)
			if err != nil {
				return none, err
			}
			next, err := a.Note()
			if err != nil {
				return none, err
			}
			now := d.Now()
			o, err := payout.Step(p, payout.Cancel{}, by, now)
			if err != nil {
				return none, err
			}
			var also []table.Write
			if also, err = o.Writes(); err != nil {
				return none, err
			}
			e := next.Event("collection_declined", by, now)
			e.Facts = event.Facts{"award": p.Award.ID}
			return application.Step[Collecting]{Next: next, Event: e, Also: also, Out: Collecting{a.ID, p.Award.ID, string(o.Payout.State), o.Payout.State.Label(),
				"正在撤销微信收款。撤销完成后，工作人员会改由银行发放，您不用再做什么。"}}, nil
		})
	return httpapi.Again[Collecting](done.Status, done.Body), err
}
