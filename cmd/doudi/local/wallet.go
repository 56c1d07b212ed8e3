package local

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/filerail"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

// wallets says where people are paid into WeChat wallets: in the regions that the
// options name, and nowhere else.
func (s *System) wallets(o Options) func(civil.DivisionCode) bool { return s.in(o.WxPay) }

// files says where payments leave in files, and how.
func (s *System) files(o Options) decide.FileUse {
	return decide.FileUse{In: s.in(o.Batch), Layout: world.DefaultLayout, MaxLines: batch.MaxLines}
}

// in reports whether a township is in one of the regions.
func (s *System) in(regions []string) func(civil.DivisionCode) bool {
	return func(township civil.DivisionCode) bool {
		region, ok := s.Tree.Region(township)
		return ok && slices.ContainsFunc(regions, func(r string) bool { return len(r) == 6 && string(region) == r+"000000" })
	}
}

// fileRail is the rail of files when some region uses it; nil otherwise.
func (s *System) fileRail(o Options, line *bank.Client) (rail.Files, error) {
	if len(o.Batch) == 0 {
		return nil, nil
	}
	return filerail.New(line, world.DefaultLayout)
}

// addWallets puts the rail into rails when some region uses it.
func (s *System) addWallets(rails rail.Set, o Options, keys world.Keys, hc *http.Client) (settle.Merchant, *wxpay.Client, error) {
	if len(o.WxPay) == 0 {
		return settle.Merchant{}, nil, nil
	}
	c := keys.WxPayConfig(s.WorldURL, s.URL+wxpayrail.CallbackPath, hc, s.now)
	line, err := wxpay.New(c)
	if err != nil {
		return settle.Merchant{}, nil, err
	}
	rails[award.WxPay] = wxpayrail.New(line, s.Table, c.MaxFen, s.now, passing)
	return settle.Merchant{MchID: c.MchID, AppID: c.AppID}, line, nil
}

// passing lets time pass, unless ctx ends first.
func passing(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
