package sweep

import (
	"context"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/gauge"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Measure tells the metrics how everything stands in the divisions. It reads all
// open work and changes nothing.
func Measure(ctx context.Context, d Deps, divisions []civil.DivisionCode) error {
	r, err := gauge.Read(ctx, d.Table, divisions, d.Now())
	if err != nil {
		return err
	}
	tell(r, d.Metrics)
	return nil
}

// tell gives a reading to metrics. docs/metrics.md says what each name means.
func tell(r gauge.Reading, m telemetry.Metrics) {
	for q, p := range r.Owed {
		label := telemetry.Label{Name: "queue", Value: string(q)}
		m.Count("owed", int64(p.Count), label)
		m.Age("owed_oldest", p.Age(), label)
	}
	m.Count("in_flight", int64(r.InFlight.Count))
	m.Count("in_flight_fen", int64(r.InFlight.Fen))
	m.Age("in_flight_oldest", r.InFlight.Age())
	m.Count("unknown", int64(r.Unknown.Count))
	m.Count("unknown_fen", int64(r.Unknown.Fen))
	m.Age("unknown_oldest", r.Unknown.Age())
	m.Count("late", int64(r.Late.Count))
	m.Age("late_oldest", r.Late.Age())
	m.Count("held", int64(r.Held.Count))
	m.Age("held_oldest", r.Held.Age())
	m.Count("notices_unsent", int64(r.Unsent.Count))
	m.Age("notices_unsent_oldest", r.Unsent.Age())
	m.Count("file_waiting", int64(r.Waiting.Count))
	m.Count("file_waiting_fen", int64(r.Waiting.Fen))
	m.Age("file_waiting_oldest", r.Waiting.Age())
	m.Count("brakes", int64(len(r.Brakes)))
}
