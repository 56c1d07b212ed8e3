// Relay on Lambda: gets the changes of the table.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/changes"
	"github.com/doudi-aid/doudi/shared/deployed/queues"
	"github.com/doudi-aid/doudi/shared/lambdaqueue"
	"github.com/doudi-aid/doudi/shared/work"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	send := queues.Sender(w, work.Queues()...)
	if err := w.Settings.Err(); err != nil {
		return err
	}
	lambda.Start(lambdaqueue.Stream(w.Queue(), changes.Decode, relay.Handle(relay.Deps{Send: send, Now: w.Now})))
	return nil
}
