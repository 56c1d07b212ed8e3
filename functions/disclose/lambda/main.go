// Disclose on Lambda: what the public is told, by the clock and on demand.
package main

import (
	"context"
	"crypto/rand"

	"github.com/doudi-aid/doudi/functions/disclose"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/rulebook"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/watch"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	region, book := civil.DivisionCode(w.Settings.Text("DOUDI_DIVISION")+"000000"), rulebook.Open(w)
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	log := evidence.New(w.Table, box, rand.Reader, w.Now)
	w.Watch = watch.Over(w.Table, w.Now)
	d := disclose.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Tree: division.Shipped(), Regions: []civil.DivisionCode{region},
		Logged: func(ctx context.Context, key table.Key) (bool, error) {
			_, in, err := log.Index(ctx, key)
			return in, err
		}, Now: w.Now, Metrics: w.Metrics, Log: w.Log}
	w.ServeAndTick(disclose.Routes(d), func(ctx context.Context) error { return disclose.Run(ctx, d) })
	return nil
}
