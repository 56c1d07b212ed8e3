// Package acting is who acts when somebody of staff does something: who they are, under
// every key by which we know them, and whether a brake stops them. It stands above
// staff and brakes, so that what only asks about brakes carries no policies.
package acting

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// As is the member of staff behind a session, known under every live key, with what is
// delegated to them at this moment, and the brakes as they stand. Whoever is stopped by one neither acts nor reads.
func As(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, id string, now time.Time) (who staff.Staff, board brake.Board, err error) {
	if who, err = staff.Acting(ctx, t, id); err != nil {
		return who, board, err
	}
	if who, err = who.Known(ctx, box, blind); err != nil {
		return who, board, err
	}
	if who, err = delegation.With(ctx, t, who, now); err != nil {
		return who, board, err
	}
	if board, err = brake.Read(ctx, t, id); err != nil {
		return who, board, err
	}
	hands := []event.Actor{{ID: who.ID}}
	for _, ref := range who.Persons() {
		hands = append(hands, event.Actor{ID: who.ID, Person: ref})
	}
	return who, board, board.Frozen(now, hands...)
}
