package shipped

import (
	"testing"

	"github.com/doudi-aid/doudi"
)

// Every setting that a deployment decides is decided here too, or a function does
// not start and the long tests are the first to say so.
func TestEverySettingIsDecided(t *testing.T) {
	t.Parallel()
	template, err := doudi.Load()
	if err != nil {
		t.Fatal(err)
	}
	decided := settings(template, Options{Endpoint: "e"}, "a", "o", "w", "app", "agreement")
	for name, f := range template.Functions {
		for setting, value := range f.Settings {
			if _, said := decided[setting]; value == "" && !said {
				t.Errorf("%s: nobody says what %s is", name, setting)
			}
		}
	}
}
