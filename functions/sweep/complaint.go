package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// tellOfComplaint settles a provisional date of a complaint, and notes what has
// passed: a share of its clock, a supervision note or a second look that is late.
// It climbs with that into the list of the district and of the city.
func tellOfComplaint(ctx context.Context, d Deps, item table.Item, now time.Time) (bool, error) {
	c, err := complaint.Decode(item)
	if err != nil {
		return false, err
	}
	if d.Complaints != nil {
		if rules, ok := d.Complaints.ByFingerprint(c.Rules); ok {
			if next, ok := c.Settle(rules); ok {
				e := next.Event("rescheduled", actor, now)
				before, was := c.Running()
				after, is := next.Running()
				e.Facts["before"], e.Facts["at"], e.Facts["basis"] = clock(was), clock(is), after.Basis
				e.Facts["first"] = clock(before.At)
				if moved, err := keep(ctx, d, next, e); moved || err != nil {
					return false, err
				}
				c = next
			}
		}
	}
	next, facts, ok := c.Tell(now)
	if !ok {
		return false, nil
	}
	e := next.Event("escalated", actor, now)
	for name, v := range facts {
		e.Facts[name] = v
	}
	e.Facts["level"] = string(next.Level())
	if moved, err := keep(ctx, d, next, e); moved || err != nil {
		return false, err
	}
	d.Metrics.Count("complaint_escalated", 1, telemetry.Label{Name: "state", Value: string(c.State)})
	if facts["percent"] == 100 {
		d.Metrics.Count("complaint_overdue", 1, telemetry.Label{Name: "state", Value: string(c.State)})
	}
	return true, nil
}

// keep stores a complaint's next version. moved tells that somebody was quicker.
func keep(ctx context.Context, d Deps, next complaint.Complaint, e event.Event) (moved bool, err error) {
	err = complaint.Commit(ctx, d.Table, next, e)
	if errors.Is(err, complaint.ErrMovedOn) {
		return true, nil
	}
	return false, err
}
