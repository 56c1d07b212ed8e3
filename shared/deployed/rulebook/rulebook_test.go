package rulebook

import (
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
)

func TestCheck(t *testing.T) {
	book, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	day, err := civil.ParseDay("2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		region     civil.DivisionCode
		production bool
		wrong      string
	}{
		"on_trial_with_open_figures":     {"320400000000", false, ""},
		"region_nobody_wrote_rules_for":  {"990000000000", false, "no rules for region"},
		"production_with_open_figures":   {"320400000000", true, "not confirmed"},
		"production_of_a_part_of_a_city": {"120112000000", true, "not confirmed"},
	} {
		err := check(book, division.Shipped(), c.region, day, c.production)
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
