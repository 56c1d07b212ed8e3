// Verify on Lambda: works through the queue of applications to verify.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/verify"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/exchangeline"
	"github.com/doudi-aid/doudi/shared/deployed/queues"
	"github.com/doudi-aid/doudi/shared/deployed/rulebook"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/deployed/wallets"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/work"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	line, later := exchangeline.In(w), queues.Sender(w, work.Verify)
	book, pays := rulebook.Open(w), wallets.In(w)
	models, err := model.Shipped()
	if err != nil {
		return err
	}
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	office := firstaid.Office{Table: w.Table, Box: box, Blind: blind, Book: book, Wallets: pays, Models: models, Tree: division.Shipped()}
	w.WorkWith(secrets.Make(w, func(ctx context.Context, r *secrets.Reading) (queue.Handler, error) {
		registers, err := line.Open(ctx, r)
		if err != nil {
			return nil, err
		}
		return verify.Handle(verify.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Registers: registers, Now: w.Now, Log: w.Log,
			Models: models, Tree: division.Shipped(),
			Kin:   func(ctx context.Context, people []string) ([]string, error) { return staff.KinOf(ctx, w.Table, people) },
			Later: later, Release: func(ctx context.Context, id string) (bool, error) {
				return envelope.Release(ctx, office, calendar.Shipped(), id, w.Now())
			}}), nil
	}).Get)
	return nil
}
