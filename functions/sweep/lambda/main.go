// Sweep on Lambda: runs every minute.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/queues"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/work"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	// How late work must be before it is sent again: the relay is quicker.
	grace := w.Settings.Duration("DOUDI_SWEEP_GRACE", time.Second, time.Hour)
	book, err := policy.Shipped()
	if err != nil {
		return err
	}
	send, err := queues.Sender(w, work.Queues()...)
	if err != nil {
		return err
	}
	region := w.Settings.Text("DOUDI_DIVISION")
	divisions := division.Shipped().Below(civil.DivisionCode(region+"000000"), calendar.Today(w.Now()))
	if len(divisions) == 0 {
		return fmt.Errorf("no region %q in the division tree", region)
	}
	d := sweep.Deps{Table: w.Table, Book: book, Send: send, Now: w.Now, Metrics: w.Metrics, Log: w.Log}
	lambda.Start(func(ctx context.Context) error {
		_, err := sweep.Run(ctx, d, grace) // the report is in the metrics
		return errors.Join(err, sweep.Measure(ctx, d, divisions))
	})
	return nil
}
