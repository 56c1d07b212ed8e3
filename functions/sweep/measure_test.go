package sweep

import (
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// readings keeps the last value of each metric.
type readings struct {
	mu  sync.Mutex
	all map[string]int64
}

func (r *readings) Count(name string, n int64, labels ...telemetry.Label) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range labels {
		name += "/" + l.Value
	}
	r.all[name] = n
}

func (r *readings) Age(name string, age time.Duration, labels ...telemetry.Label) {
	r.Count(name, int64(age/time.Second), labels...)
}

// Every reading is told each time, nothing as zero, so that an alarm can tell
// "none" from "nobody looked".
func TestMeasureTellsEverything(t *testing.T) {
	t.Parallel()
	room := payouttest.New(t, payouttest.NewFate(nil))
	room.Brake("rail", "bank")
	room.Wait(90 * time.Second)
	m := &readings{all: map[string]int64{}}
	d := Deps{Table: room.Store, Now: room.Now, Metrics: m}
	if err := Measure(t.Context(), d, []civil.DivisionCode{room.Slice().Township}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"owed/pay": 1, "owed_oldest/pay": 90, "owed/verify": 0, "owed_oldest/notify": 0, "brakes": 1,
		"in_flight": 0, "in_flight_fen": 0, "in_flight_oldest": 0, "unknown": 0, "unknown_fen": 0, "unknown_oldest": 0, "late": 0, "late_oldest": 0,
		"held": 0, "held_oldest": 0, "notices_unsent": 0, "notices_unsent_oldest": 0} {
		if got, told := m.all[name]; !told || got != want {
			t.Errorf("%s: %d, told %t; want %d", name, got, told, want)
		}
	}
}
