package signin

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/table"
)

// ErrUnwell: the table does not answer, so nothing else would work either.
var ErrUnwell = fault.New(fault.Unavailable, "service-unavailable", "服务暂时不可用，请稍后再试。", "The service is not available at the moment.").After(5)

// healthDeadline is how long the table may take to answer.
const healthDeadline = 2 * time.Second

// Health is the answer of a service that works.
type Health struct {
	Status string `json:"status"` // always "ok"; anything else is a problem document
}

// health reads one key, which nobody stores, as strongly as any handler reads.
func (d Deps) health(ctx context.Context, _ httpapi.Call[httpapi.None]) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	if _, _, err := d.Table.Get(ctx, table.Key{PK: "HEALTH", SK: "HEALTH"}); err != nil {
		return Health{}, ErrUnwell.Because(err)
	}
	return Health{"ok"}, nil
}
