package brake

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Acting is the member of staff behind a session, known under every live key,
// and the brakes as they stand. Whoever is stopped by one neither acts nor reads.
func Acting(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, id string, now time.Time) (who staff.Staff, board Board, err error) {
	if who, err = staff.Acting(ctx, t, id); err != nil {
		return who, board, err
	}
	if who, err = who.Known(ctx, box, blind); err != nil {
		return who, board, err
	}
	if board, err = Read(ctx, t, id); err != nil {
		return who, board, err
	}
	hands := []event.Actor{{ID: who.ID}}
	for _, ref := range who.Persons() {
		hands = append(hands, event.Actor{ID: who.ID, Person: ref})
	}
	return who, board, board.Frozen(now, hands...)
}
