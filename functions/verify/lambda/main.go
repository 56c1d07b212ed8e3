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
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/work"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	book, err := rulebook.Open(w)
	if err != nil {
		return err
	}
	registers, err := exchangeline.Open(ctx, w)
	if err != nil {
		return err
	}
	later, err := queues.Sender(w, work.Verify)
	if err != nil {
		return err
	}
	office := firstaid.Office{Table: w.Table, Box: box, Blind: blind, Book: book}
	w.Work(verify.Handle(verify.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Registers: registers, Now: w.Now, Log: w.Log,
		Kin:   func(ctx context.Context, people []string) ([]string, error) { return staff.KinOf(ctx, w.Table, people) },
		Later: later, Release: func(ctx context.Context, id string) (bool, error) {
			return envelope.Release(ctx, office, calendar.Shipped(), id, w.Now())
		}}))
	return nil
}
