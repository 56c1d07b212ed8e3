// Pay on Lambda: works through the queue of awards to pay.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/bankline"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	box, _, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	line, err := bankline.Open(ctx, w)
	if err != nil {
		return err
	}
	w.Work(pay.Handle(pay.Deps{Table: w.Table, Box: box, Rails: rail.Of(bankrail.New(line)), Now: w.Now, Metrics: w.Metrics, Log: w.Log}))
	return nil
}
