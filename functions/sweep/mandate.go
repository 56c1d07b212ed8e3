package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// remind notes that a share of a mandate's time has passed. Of two sweeps one does,
// and a person who acts meanwhile wins over both.
func remind(ctx context.Context, d Deps, item table.Item, now time.Time) (bool, error) {
	m, err := mandate.Decode(item)
	if err != nil {
		return false, err
	}
	next, passed := m.Remind(now)
	if !passed {
		return false, nil
	}
	e := next.Event("reminded", actor, now)
	e.Facts["percent"] = next.Reminded
	if err := mandate.Commit(ctx, d.Table, next, e); err != nil {
		if errors.Is(err, mandate.ErrMovedOn) {
			return false, nil
		}
		return false, err
	}
	if next.Reminded == 100 {
		d.Metrics.Count("mandate_overdue", 1, telemetry.Label{Name: "kind", Value: string(m.Kind)})
	}
	return true, nil
}
