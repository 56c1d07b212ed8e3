// Supervise on Lambda: what the supervision body tells units to do.
package main

import (
	"context"
	"crypto/rand"

	"github.com/doudi-aid/doudi/functions/supervise"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/watch"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	w.Watch = watch.Over(w.Table, w.Now)
	w.Serve(supervise.Routes(supervise.Deps{Table: w.Table, Box: box, Blind: blind, Tree: division.Shipped(), Random: rand.Reader, Now: w.Now}))
	return nil
}
