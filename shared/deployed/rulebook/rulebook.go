// Package rulebook is the rules a deployed function works by. In production it
// refuses figures that no authority has confirmed: a wrong amount paid by rule
// is paid to everybody.
package rulebook

import (
	"fmt"
	"strings"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Open is the rules for the region this stack serves.
func Open(w *deployed.World) (*policy.Book, error) {
	stage := w.Settings.Enum("DOUDI_STAGE", "dev", "prod")
	region := w.Settings.Text("DOUDI_DIVISION")
	if err := w.Settings.Err(); err != nil {
		return nil, err
	}
	book, err := policy.Shipped()
	if err != nil {
		return nil, err
	}
	served := civil.DivisionCode(region + "000000")
	return book, check(book, division.Shipped(), served, calendar.Today(w.Now()), stage == "prod")
}

// check refuses a region that has no rules and, in production, every figure of
// it, now or announced, that is not confirmed.
func check(book *policy.Book, tree *division.Tree, served civil.DivisionCode, day civil.Day, production bool) error {
	var rules int
	var open []string
	for _, r := range book.All() {
		if !tree.Within(r.Region(), served, day) {
			continue
		}
		rules++
		for _, figure := range r.Unconfirmed() {
			open = append(open, fmt.Sprintf("%s from %s: %s", r.Region(), r.FirstDay(), figure))
		}
	}
	if rules == 0 {
		return fmt.Errorf("rulebook: there are no rules for region %s", served)
	}
	if production && len(open) > 0 {
		return fmt.Errorf("rulebook: figures not confirmed by the authority do not run in production:\n%s", strings.Join(open, "\n"))
	}
	return nil
}
