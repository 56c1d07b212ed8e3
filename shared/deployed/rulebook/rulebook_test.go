package rulebook

import (
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/config"
	"github.com/doudi-aid/doudi/shared/deployed"
)

func TestOpen(t *testing.T) {
	for name, c := range map[string]struct{ region, stage, wrong string }{
		"on_trial_with_open_figures":     {"320400", "dev", ""},
		"region_nobody_wrote_rules_for":  {"990000", "dev", "no rules for"},
		"no_region":                      {"", "dev", "DOUDI_DIVISION is missing"},
		"production_with_open_figures":   {"320400", "prod", "320400000000 from 2026-07-01: "},
		"production_of_a_part_of_a_city": {"120112", "prod", "not confirmed"},
		"production_of_the_city_itself":  {"120000", "prod", "not confirmed"},
	} {
		settings := map[string]string{"DOUDI_DIVISION": c.region, "DOUDI_STAGE": c.stage}
		w := &deployed.World{Settings: config.From(func(name string) (string, bool) { v, ok := settings[name]; return v, ok })}
		book := Open(w)
		err := w.Settings.Err()
		if book == nil || c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
