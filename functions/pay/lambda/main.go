// Pay on Lambda: works through the queue of awards to pay.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/bankline"
	"github.com/doudi-aid/doudi/shared/deployed/fileline"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/deployed/walletline"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	line, wallet := bankline.In(w), walletline.In(w)
	batches, err := fileline.In(w)
	if err != nil {
		return err
	}
	models, err := model.Shipped()
	if err != nil {
		return err
	}
	box, err := w.Box()
	if err != nil {
		return err
	}
	w.WorkWith(secrets.Make(w, func(ctx context.Context, r *secrets.Reading) (queue.Handler, error) {
		bank, err := line.Open(ctx, r)
		if err != nil {
			return nil, err
		}
		rails := rail.Of(bankrail.New(bank))
		if _, err := wallet.Join(ctx, r, rails); err != nil {
			return nil, err
		}
		many, err := batches.Open(bank)
		if err != nil {
			return nil, err
		}
		return pay.Handle(pay.Deps{Table: w.Table, Box: box, Rails: rails, Files: many, Now: w.Now, Metrics: w.Metrics, Log: w.Log,
			Models: models, Tree: division.Shipped()}), nil
	}).Get)
	return nil
}
