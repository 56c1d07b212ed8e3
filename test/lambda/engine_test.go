package lambda

import (
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

// TestOnRealEngines plays a case on the shipped zips on every engine.
func TestOnRealEngines(t *testing.T) {
	t.Parallel()
	for _, e := range engine.All(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			play(t, start(t, e.URL, shipped.Trouble{}), "511700")
		})
	}
}
