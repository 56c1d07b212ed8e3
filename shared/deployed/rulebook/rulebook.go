// Package rulebook is the rules a deployed function works by. In production it
// refuses figures that no authority has confirmed: a wrong amount paid by rule
// is paid to everybody.
package rulebook

import (
	"fmt"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Open is the rules for the region this stack serves. What is wrong with them
// is noted among the problems of the settings.
func Open(w *deployed.World) *policy.Book {
	stage, region := w.Settings.Enum("DOUDI_STAGE", "dev", "prod"), w.Settings.Text("DOUDI_DIVISION")
	book, err := policy.Shipped()
	if err != nil {
		w.Settings.Problem("the rules", "cannot be read: "+err.Error())
		return nil
	}
	served := civil.DivisionCode(region + "000000")
	if region != "" && !book.Serves(served) {
		w.Settings.Problem("DOUDI_DIVISION", "names a region that there are no rules for")
	}
	if open := unconfirmed(book, served); stage == "prod" && len(open) > 0 {
		w.Settings.Problem("DOUDI_STAGE", "is prod, and figures not confirmed by the authority do not run in production:\n"+strings.Join(open, "\n"))
	}
	return book
}

// unconfirmed names every figure of a region, now or announced, that is not
// confirmed.
func unconfirmed(book *policy.Book, served civil.DivisionCode) []string {
	var open []string
	for _, r := range book.All() {
		if !r.Within(served) {
			continue
		}
		for _, figure := range r.Unconfirmed() {
			open = append(open, fmt.Sprintf("%s from %s: %s", r.Region(), r.FirstDay(), figure))
		}
	}
	return open
}
