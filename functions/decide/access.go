package decide

import (
	"context"
	"strings"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/reading"
)

// denial records that somebody reached for what is not theirs: another area's
// case, a relative's, a supervisor writing. It stands under the staff id, so
// that whoever supervises reads one person's reaches together (Law art. 70(6)).
// If it cannot be written the caller hears of that instead; the door stays shut
// either way.
func (d Deps) denial(ctx context.Context, r denied) error {
	w, err := event.Event{PK: reading.By(r.who.ID), Noun: reading.Access, ID: d.IDs.New(), Version: 1, Kind: "denied", At: d.Now(),
		Actor: r.who.Actor(), Reason: fault.Of(r.error).Code, Facts: event.Facts{
			"action": string(r.action), "application": r.app.ID, "township": string(r.app.Township),
			"policies": strings.Join(r.policies, " ")}}.Write()
	if err != nil {
		return err
	}
	return d.Table.Transact(ctx, w)
}
