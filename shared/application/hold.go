package application

import (
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
)

// The codes of holds that the machine or the citizen may cause. Staff have
// HoldStaff.
const (
	HoldDeceased   = "DECEASED"          // a register says that somebody to be helped or paid has died
	HoldIdentity   = "IDENTITY_MISMATCH" // name and number do not belong together
	HoldConflict   = "SOURCES_CONFLICT"  // two registers contradict each other
	HoldDuplicate  = "DUPLICATE_OPEN"    // the same person, cause and place is open elsewhere
	HoldNotMine    = "NOT_ME"            // the person says they never asked
	HoldReceipt    = "NOT_RECEIVED"      // the money did not come
	HoldAmount     = "WRONG_AMOUNT"      // another amount came
	HoldGuardian   = "GUARDIAN_ACCOUNT"  // a minor's money would go to a guardian nobody has checked
	HoldNoIdentity = "NO_IDENTITY"       // no paper: a person must see who it is
	HoldStaff      = "STAFF"             // a member of staff has a reason
)

// duties is who deals with each hold, and within what time.
var duties = map[string]struct {
	owner  string
	within time.Duration
}{
	HoldDeceased:   {"reviewer", 12 * time.Hour},
	HoldIdentity:   {"clerk", 12 * time.Hour},
	HoldConflict:   {"reviewer", 12 * time.Hour},
	HoldDuplicate:  {"reviewer", 12 * time.Hour},
	HoldNotMine:    {"supervisor", 24 * time.Hour},
	HoldReceipt:    {"finance", 24 * time.Hour},
	HoldAmount:     {"finance", 24 * time.Hour},
	HoldGuardian:   {"clerk", 12 * time.Hour},
	HoldNoIdentity: {"clerk", 12 * time.Hour},
	HoldStaff:      {"reviewer", 24 * time.Hour},
}

// NewHold is a hold on the application id with one of the codes above, with its
// owner and deadline. A hold of the same code, placed at the same version, is
// the same hold.
func NewHold(id string, version int64, code string, by event.Actor, at time.Time) Hold {
	d, ok := duties[code]
	if !ok {
		d = duties[HoldStaff] // nobody's hold is somebody's
	}
	return Hold{ID: ident.Derive("hold", id, fmt.Sprint(version), code), Code: code, Owner: d.owner, Placed: by, At: at, Due: at.Add(d.within)}
}
