package policy

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
)

func TestWhenAPostingIsOver(t *testing.T) {
	t.Parallel()
	friday := time.Date(2026, 11, 20, 23, 59, 0, 0, calendar.Zone)
	for want, p := range map[string]Posting{
		"2026-11-28": {Days: 7},
		"2026-12-02": {Days: 7, Working: true},
		"2026-11-22": {Days: 1},
		"2026-11-24": {Days: 1, Working: true},
	} {
		if got := p.End(friday).Format(time.DateOnly); got != want {
			t.Errorf("%+v is over on %s, want %s", p, got, want)
		}
	}
	// The nation's file asks for none, whatever the amount.
	if _, ok := rulesOf(t, "valid_small").Posting(Outcome{AmountFen: CodeCeiling, TownshipFen: 1}); ok {
		t.Error("something is posted that nobody asked for")
	}
}
