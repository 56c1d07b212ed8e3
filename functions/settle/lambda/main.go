// Settle on Lambda: answers callbacks, shows people what waits for them, and works
// through the queue of payments to ask about.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/bankline"
	"github.com/doudi-aid/doudi/shared/deployed/fileline"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/deployed/statements"
	"github.com/doudi-aid/doudi/shared/deployed/walletline"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/reconciliation"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	line, wallet, books := bankline.In(w), walletline.In(w), statements.In(w)
	batches, err := fileline.In(w)
	if err != nil {
		return err
	}
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	w.ServeAndWorkWith(secrets.Make(w, func(ctx context.Context, r *secrets.Reading) (deployed.Two, error) {
		client, err := line.Open(ctx, r)
		if err != nil {
			return deployed.Two{}, err
		}
		rails := rail.Of(bankrail.New(client))
		joined, err := wallet.Join(ctx, r, rails)
		if err != nil {
			return deployed.Two{}, err
		}
		many, err := batches.Open(client)
		if err != nil {
			return deployed.Two{}, err
		}
		office := books.Office(box)
		fetch := map[string]settle.Fetch{reconciliation.Bank: settle.FromBank(client, bank.Payouts), reconciliation.Treasury: settle.FromBank(client, bank.Treasury)}
		if joined.Client != nil {
			fetch[reconciliation.WxPay] = settle.FromWxPay(joined.Client)
		}
		d := settle.Deps{Table: w.Table, Rails: rails, Files: many, Box: box, Blind: blind, Merchant: settle.Merchant{MchID: joined.MchID, AppID: joined.AppID},
			Office: &office, Fetch: fetch, Now: w.Now, Metrics: w.Metrics, Log: w.Log}
		return deployed.Two{API: w.API(settle.Routes(d)), Work: settle.Handle(d)}, nil
	}).Get)
	return nil
}
