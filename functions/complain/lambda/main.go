// Complain on Lambda: complaints, from whoever makes them and for whoever handles them.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/complain"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/document/bucket"
	"github.com/doudi-aid/doudi/shared/watch"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	evidence := w.Settings.Text("DOUDI_DOCUMENTS")
	book, err := complaint.Shipped()
	if err != nil {
		return err
	}
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	w.Watch = watch.Over(w.Table, w.Now)
	w.Serve(complain.Routes(complain.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Tree: division.Shipped(),
		Documents: bucket.New(w.AWS, evidence, box), IDs: w.IDs, Now: w.Now}))
	return nil
}
