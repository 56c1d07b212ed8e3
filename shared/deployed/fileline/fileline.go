// Package fileline is the deployed line for files that pay many, in regions that
// pay so: the bank's client, with the form that the settings name. Only functions
// that move money or find out what became of it import it.
package fileline

import (
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/bankfile"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/filerail"
)

// Line is the form of files that the settings name; "" where there are none.
type Line struct{ layout string }

// In is the line that the settings name. A form that is not shipped stops the start.
func In(w *deployed.World) (Line, error) {
	layout := w.Settings.Text("DOUDI_BATCH_LAYOUT")
	if layout == "no" || layout == "" { // "" is a setting that is missing, which stops the start by itself
		return Line{}, nil
	}
	_, err := bankfile.Shipped(layout)
	return Line{layout}, err
}

// Open is the rail over a client; nil where the region pays in no files.
func (l Line) Open(c *bank.Client) (rail.Files, error) {
	if l.layout == "" {
		return nil, nil
	}
	return filerail.New(c, l.layout)
}
