// Package files says whether the region of a deployed stack pays in files that pay
// many (代发), and in which form. Whoever decides asks it; only those that pay have
// the line.
package files

import (
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/division"
)

// Layout is the form of new files, "" where the region pays in none.
func Layout(w *deployed.World) string {
	if l := w.Settings.Text("DOUDI_BATCH_LAYOUT"); l != "no" {
		return l
	}
	return ""
}

// In reports, township by township, whether the stack's region pays in files of
// that form.
func In(w *deployed.World, layout string) func(civil.DivisionCode) bool {
	served := civil.DivisionCode(w.Settings.Text("DOUDI_DIVISION") + "000000")
	return func(township civil.DivisionCode) bool {
		region, known := division.Shipped().Region(township)
		return layout != "" && known && region == served
	}
}
