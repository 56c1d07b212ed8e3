package lambda

import (
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

// TestOnRealEngines plays two cases on the shipped zips on every engine: into an
// account, and into a WeChat wallet.
func TestOnRealEngines(t *testing.T) {
	t.Parallel()
	for _, e := range engine.All(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			s := start(t, e.URL, shipped.Trouble{})
			play(t, s, "511700")
			playInto(t, s, shipped.Region, true)
		})
	}
}
