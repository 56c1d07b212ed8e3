package fund

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Account is where money stands within a slice.
type Account string

// The accounts. Their balances sum to zero at all times.
const (
	External  Account = "external"  // counterpart of everything appropriated; never above zero
	Available Account = "available" // may still be reserved; never below zero
	Reserved  Account = "reserved"  // approved and not yet known to be paid; never below zero
	Paid      Account = "paid"      // paid out, ever; only grows
	Returned  Account = "returned"  // counterpart of what came back; only falls
)

// Accounts lists every account.
func Accounts() []Account { return []Account{External, Available, Reserved, Paid, Returned} }

// count is the counter of entries: with it a missing entry shows.
const count = "count"

// floors bound what a movement may leave; other accounts have none.
var floors = map[Account]int64{Available: 0, Reserved: 0, Paid: 0}

// Kind is what a movement was.
type Kind string

// The kinds.
const (
	Appropriated Kind = "appropriated" // 拨入, or lowered when negative
	Reservation  Kind = "reserved"     // 预留 at approval
	Posted       Kind = "posted"       // 支付 proven
	Voided       Kind = "voided"       // 释放: proven not paid
	CameBack     Kind = "returned"     // 退票: paid and sent back
	GaveBack     Kind = "gave_back"    // 追回: paid, and given back by the person, perhaps in part
	PostedLate   Kind = "posted_late"  // paid after all, when the reservation was already voided
)

// Leg is one account's part of a movement.
type Leg struct {
	Account Account   `json:"account"`
	Fen     money.Fen `json:"fen"`
}

// Entry is one movement. It is put once and never changes; a correction is
// another entry that names the one it answers.
type Entry struct {
	Cause   string        `json:"cause"` // the end of its key
	Kind    Kind          `json:"kind"`
	Legs    []Leg         `json:"legs"`              // sum to zero
	Answers string        `json:"answers,omitempty"` // cause of the entry it resolves or reverses
	By      []event.Actor `json:"by"`
	// Document is the SHA-256 of the paper behind it, or the digest of the bank's answer.
	Document string    `json:"document,omitempty"`
	At       time.Time `json:"at"`
}

const entryPrefix = "ENTRY#"

func entryKey(id ID, cause string) table.Key {
	return table.Key{PK: id.Partition(), SK: entryPrefix + cause}
}

// Claim names one reservation: an award and how many times money was reserved for it.
type Claim struct {
	Application string
	Award       string
	Number      int  // 1 for the first reservation; each human retry reserves anew
	Late        bool // paid by PostLate
}

func (c Claim) cause(step string) string {
	return fmt.Sprintf("%s#%s#%03d#%s", c.Application, c.Award, c.Number, step)
}

// Claim is whose reservation e is about, by application, award and number; false
// for an appropriation.
func (e Entry) Claim() (Claim, bool) {
	parts := strings.SplitN(e.Cause, "#", 4) // the step may have a number of its own
	if len(parts) != 4 || e.Kind == Appropriated {
		return Claim{}, false
	}
	n, err := strconv.Atoi(parts[2])
	return Claim{Application: parts[0], Award: parts[1], Number: n}, err == nil && n > 0
}

// The steps of a claim. Posting and voiding share one: whichever comes first
// takes the key, and the other can never happen.
const (
	stepReserve = "reserve"
	stepResolve = "resolve"
	stepReturn  = "return"
	stepLate    = "late"
	stepBack    = "back" // and the number of the credit
)

// move is the pair that books e: counters guarded by floors, and the entry
// whose key makes it happen once.
func move(id ID, e Entry) ([]table.Write, error) {
	var total money.Fen
	deltas := []table.Delta{{Counter: count, By: 1, Floor: 1}}
	for _, leg := range e.Legs {
		var err error
		if total, err = total.Add(leg.Fen); err != nil {
			return nil, ErrAmount
		}
		floor, ok := floors[leg.Account]
		if !ok || leg.Fen > 0 {
			floor = table.NoFloor
		}
		deltas = append(deltas, table.Delta{Counter: string(leg.Account), By: int64(leg.Fen), Floor: floor})
	}
	if total != 0 || len(e.Legs) < 2 {
		return nil, fmt.Errorf("fund: legs of %s do not balance", e.Cause)
	}
	if e.At.IsZero() || len(e.By) == 0 {
		return nil, fmt.Errorf("fund: entry %s without time or actor", e.Cause)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("fund: %w", err)
	}
	return []table.Write{
		table.Move{Key: id.Key(), Deltas: deltas},
		table.Put{Item: table.Item{Key: entryKey(id, e.Cause), Version: 1, Body: body}},
	}, nil
}

func decodeEntry(item table.Item) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(item.Body, &e); err != nil {
		return e, fmt.Errorf("fund: %s: %w", item.Key.SK, err)
	}
	if e.Cause != strings.TrimPrefix(item.Key.SK, entryPrefix) {
		return e, ErrIncoherent.Because(fmt.Errorf("entry %s says it is %s", item.Key.SK, e.Cause))
	}
	return e, nil
}
