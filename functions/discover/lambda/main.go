// Discover on Lambda: signs of hardship, lists to walk and what was found at doors.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/discover"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/rulebook"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/watch"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	book := rulebook.Open(w)
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	w.Watch = watch.Over(w.Table, w.Now)
	w.Serve(discover.Routes(discover.Deps{Table: w.Table, Box: box, Blind: blind, Book: book, Tree: division.Shipped(), Now: w.Now}))
	return nil
}
