// Sweep on Lambda: runs every minute.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/queues"
	"github.com/doudi-aid/doudi/shared/deployed/statements"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/work"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	// How late work must be before it is sent again: the relay is quicker.
	grace := w.Settings.Duration("DOUDI_SWEEP_GRACE", time.Second, time.Hour)
	send := queues.Sender(w, work.Queues()...)
	complaints, err := complaint.Shipped()
	if err != nil {
		return err
	}
	name := w.Settings.Text("DOUDI_DIVISION")
	region := civil.DivisionCode(name + "000000")
	watch := sweep.Watch{Sources: statements.In(w).Sources()}
	if w.Settings.Has("DOUDI_BLIND_DAYS") {
		watch.BlindDays = int(w.Settings.Int("DOUDI_BLIND_DAYS", 1, 30))
	}
	if w.Settings.Has("DOUDI_STRANGERS") {
		watch.Strangers = int(w.Settings.Int("DOUDI_STRANGERS", 1, 10_000))
	}
	book, err := policy.Shipped()
	if err != nil {
		return err
	}
	if name != "" && !book.Serves(region) {
		w.Settings.Problem("DOUDI_DIVISION", "names a region that there are no rules for")
	}
	if err := w.Settings.Err(); err != nil {
		return err
	}
	// Divisions change on 1 January at most, and a function lives for hours.
	divisions := sync.OnceValue(func() []civil.DivisionCode { return division.Shipped().Below(region, calendar.Today(w.Now())) })
	d := sweep.Deps{Table: w.Table, Book: book, Complaints: complaints, Send: send, Now: w.Now, Metrics: w.Metrics, Log: w.Log, Watch: watch}
	lambda.Start(func(ctx context.Context) error {
		d := d
		d.Watch.Regions = []reconciliation.Region{{Code: region, Divisions: divisions()}}
		wanted := sweep.Reconcile(ctx, d)
		_, err := sweep.Run(ctx, d, grace) // the report is in the metrics
		return errors.Join(wanted, err, sweep.Measure(ctx, d, divisions()), sweep.Wake(ctx, d), sweep.Cohere(ctx, d))
	})
	return nil
}
