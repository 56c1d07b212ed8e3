// Settle on Lambda: answers the bank's callbacks and works through the queue of
// payments to ask about.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/bankline"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	line, err := bankline.Open(ctx, w)
	if err != nil {
		return err
	}
	d := settle.Deps{Table: w.Table, Rails: rail.Of(bankrail.New(line)), Now: w.Now, Metrics: w.Metrics, Log: w.Log}
	w.ServeAndWork(settle.Routes(d), settle.Handle(d))
	return nil
}
