// Apply on Lambda: the public intake.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/rulebook"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/document/bucket"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	evidence, book := w.Settings.Text("DOUDI_DOCUMENTS"), rulebook.Open(w)
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	documents := bucket.New(w.AWS, evidence, box)
	w.Serve(apply.Routes(apply.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Tree: division.Shipped(), Documents: documents, Now: w.Now}))
	return nil
}
