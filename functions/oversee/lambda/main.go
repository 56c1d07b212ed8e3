// Oversee on Lambda: what supervision asks, and the fold of the evidence log.
package main

import (
	"context"
	"crypto/rand"

	"github.com/doudi-aid/doudi/functions/oversee"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/watch"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	if err := w.Settings.Err(); err != nil {
		return err
	}
	w.Watch = watch.Over(w.Table, w.Now)
	tree := division.Shipped()
	// It reads the log and writes nothing into it, so it needs no key of the salts.
	log := evidence.New(w.Table, nil, rand.Reader, w.Now)
	d := oversee.Deps{Table: w.Table, Tree: tree, Folder: &indicator.Folder{Table: w.Table, Log: log, Tree: tree}, Now: w.Now, Metrics: w.Metrics}
	two := deployed.Two{API: w.API(oversee.Routes(d)), Work: oversee.Fold(d)}
	w.ServeAndWorkWith(func(context.Context) (deployed.Two, error) { return two, nil })
	return nil
}
