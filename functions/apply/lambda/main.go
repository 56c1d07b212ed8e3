// Apply on Lambda: the public intake.
package main

import (
	"context"
	"crypto/rand"

	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/rulebook"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/document/bucket"
	"github.com/doudi-aid/doudi/shared/evidence"
	logbucket "github.com/doudi-aid/doudi/shared/evidence/bucket"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	papers, published, book := w.Settings.Text("DOUDI_DOCUMENTS"), w.Settings.Text("DOUDI_LOG_BUCKET"), rulebook.Open(w)
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	documents := bucket.New(w.AWS, papers, box)
	proofs := &evidence.Publisher{Log: evidence.New(w.Table, box, rand.Reader, w.Now), Blobs: logbucket.New(w.AWS, published)} // signs nothing
	w.Serve(apply.Routes(apply.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Tree: division.Shipped(), Documents: documents, Evidence: proofs, Now: w.Now}))
	return nil
}
