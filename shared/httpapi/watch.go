package httpapi

import (
	"context"
	"sync"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/session"
)

// Shown is personal data of one case in an answer to staff.
type Shown struct {
	Case    string   // its id
	Fields  []string // which particulars, by name and never by value
	Role    string   // in which the caller looks
	Office  string   // for which the caller looks, as the citizen reads it: no name
	Purpose string   // what for, as a code
	// Whole says that it is shown unmasked, on the ground of Reason, a code.
	Whole  bool
	Reason string
}

// Watch is told of every answer to a question of staff after it was made and
// before it is sent: what it shows, or why it was refused. An error is answered
// instead, so that nobody sees what could not be written down (L06).
type Watch func(ctx context.Context, r Request, shown []Shown, refused *fault.Error) error

// ErrUnwatched is for an answer that shows personal data where nobody watches.
var ErrUnwatched = fault.New(fault.Internal, "unwatched", "系统出错，我们已记录。请稍后再试。", "Something went wrong on our side and was recorded. Please try again later.")

type sightKey struct{}

// sight is what one answer will show.
type sight struct {
	mu    sync.Mutex
	shown []Shown
	told  bool
}

// Show notes that the answer being made shows s. A handler calls it before it
// answers; an answer that shows something is not sent unless it was written down.
func Show(ctx context.Context, s Shown) error {
	seen, ok := ctx.Value(sightKey{}).(*sight)
	if !ok {
		return ErrUnwatched
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	seen.shown = append(seen.shown, s)
	return nil
}

// Told notes that the handler has left a mark of its own for the refusal that it
// is about to answer, so that one reach is one mark.
func Told(ctx context.Context) {
	if seen, ok := ctx.Value(sightKey{}).(*sight); ok {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.told = true
	}
}

// watched has the watch look at an answer of a question before it is given.
func (a *api) watched(ctx context.Context, r Request, asked bool, seen *sight, err error) error {
	seen.mu.Lock()
	shown, told := seen.shown, seen.told
	seen.mu.Unlock()
	if r.Principal.Kind != session.Staff || !asked && len(shown) == 0 {
		if len(shown) > 0 {
			return ErrUnwatched // personal data of a case is for staff, and for the person by other ways
		}
		return err
	}
	var refused *fault.Error
	if err != nil {
		if refused = fault.Of(err); told || refused.Kind != fault.Forbidden && refused.Kind != fault.NotFound {
			return err // nobody overstepped, and nothing is shown
		}
		shown = nil
	}
	if a.cfg.Watch == nil {
		if len(shown) > 0 {
			return ErrUnwatched
		}
		return err
	}
	if unwritten := a.cfg.Watch(ctx, r, shown, refused); unwritten != nil {
		return unwritten
	}
	return err
}
