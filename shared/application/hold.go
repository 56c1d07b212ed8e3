package application

import (
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
)

// The codes of holds that are not the rules' own (policy.HoldReason has those).
const (
	HoldDuplicate  = "DUPLICATE_OPEN"   // the same person, cause and place is open elsewhere
	HoldNotMine    = "NOT_ME"           // the person says they never asked
	HoldReceipt    = "NOT_RECEIVED"     // the money did not come
	HoldAmount     = "WRONG_AMOUNT"     // another amount came
	HoldGuardian   = "GUARDIAN_ACCOUNT" // a minor's money would go to a guardian nobody has checked
	HoldNoIdentity = "NO_IDENTITY"      // no paper: a person must see who it is
	HoldStaff      = "STAFF"            // a member of staff has a reason
)

// owners is which role deals with a hold. What concerns money that is out goes
// to finance; what may be somebody's misdeed goes past the office to supervision.
var owners = map[string]string{
	HoldNotMine:                 "supervisor",
	HoldReceipt:                 "finance",
	HoldAmount:                  "finance",
	HoldGuardian:                "clerk",
	HoldNoIdentity:              "clerk",
	policy.HoldIdentityMismatch: "clerk",
	policy.HoldCheckMissing:     "clerk",
	policy.HoldFactsUnclear:     "clerk",
}

// Codes are the codes of holds in one word each, as the fact "placed" of an event
// has those that it placed.
func Codes(holds []Hold) string {
	list := make([]string, len(holds))
	for i, h := range holds {
		list[i] = h.Code
	}
	return strings.Join(list, " ")
}

// NewHold is a hold on the application id, with its owner, for a person to deal
// with by due (policy.Rules.HoldDue). A hold of the same code, placed at the
// same version, is the same hold.
func NewHold(id string, version int64, code string, by event.Actor, at, due time.Time) Hold {
	owner, ok := owners[code]
	if !ok {
		owner = "approver" // nobody's hold is somebody's
	}
	return Hold{ID: ident.Derive("hold", id, fmt.Sprint(version), code), Code: code, Owner: owner, Placed: by, At: at, Due: due}
}
