package sweep

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// What a unit was told to do is brought to mind at half of its time, at four fifths
// and at its end, once each however often is swept, and never moved.
func TestUnitsAreReminded(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	by := event.Actor{Kind: event.Staff, ID: "s", Person: "p"}
	m := mandate.New("m1", mandate.Measure, "x", "1", "320400000000", "320402005000", t0.Add(100*time.Hour), by, t0)
	if err := mandate.Commit(t.Context(), store, m, m.Event("told", by, t0)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hours   int
		percent int
		version int64
	}{{49, 0, 1}, {51, 50, 2}, {52, 50, 2}, {81, 80, 3}, {101, 100, 4}, {500, 100, 4}} {
		out := &outbox{sent: map[table.Key]work.Queue{}}
		if _, err := Run(t.Context(), deps(store, out, t0.Add(time.Duration(c.hours)*time.Hour)), 0); err != nil {
			t.Fatal(err)
		}
		got, err := mandate.Get(t.Context(), store, "m1")
		if err != nil || got.Reminded != c.percent || got.Version != c.version || !got.Due.Equal(m.Due) || len(out.sent) != 0 {
			t.Errorf("after %d hours: %+v, %v, %d messages", c.hours, got, err, len(out.sent))
		}
	}
}
