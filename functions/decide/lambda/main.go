// Decide on Lambda: what township and county staff call.
package main

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/files"
	"github.com/doudi-aid/doudi/shared/deployed/rulebook"
	"github.com/doudi-aid/doudi/shared/deployed/statements"
	"github.com/doudi-aid/doudi/shared/deployed/wallets"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/watch"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	cash := decide.CashLimits{CaseFen: w.Fen("DOUDI_CASH_CASE_FEN"), DayFen: w.Fen("DOUDI_CASH_DAY_FEN")}
	stepUp := w.Settings.Duration("DOUDI_STEP_UP", time.Minute, 12*time.Hour)
	reveal := w.Settings.Duration("DOUDI_REVEAL_FOR", time.Minute, 4*time.Hour)
	book, pays := rulebook.Open(w), wallets.In(w)
	layout := files.Layout(w)
	batches := decide.FileUse{In: files.In(w, layout), Layout: layout, MaxLines: batch.MaxLines}
	books := statements.In(w)
	models, err := model.Shipped()
	if err != nil {
		return err
	}
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	w.Watch = watch.Over(w.Table, w.Now)
	w.Serve(decide.Routes(decide.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Tree: division.Shipped(), Models: models,
		IDs: w.IDs, Now: w.Now, Wallets: pays, Files: batches, Cash: cash, StepUp: stepUp, RevealFor: reveal, Metrics: w.Metrics, Office: books.Office(box)}))
	return nil
}
