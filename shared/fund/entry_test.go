package fund

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
)

// The last guard before the store, behind all that the builders check.
func TestAnEntryThatDoesNotBalanceIsNotBooked(t *testing.T) {
	t.Parallel()
	by, at := []event.Actor{{Kind: event.Staff, ID: "a", Person: "p"}}, time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		e  Entry
		ok bool
	}{
		"balanced":      {Entry{Legs: []Leg{{Available, -1}, {Reserved, 1}}, By: by, At: at}, true},
		"unbalanced":    {Entry{Legs: []Leg{{Available, -1}, {Reserved, 2}}, By: by, At: at}, false},
		"of one leg":    {Entry{Legs: []Leg{{Available, 0}}, By: by, At: at}, false},
		"of no leg":     {Entry{By: by, At: at}, false},
		"of nobody":     {Entry{Legs: []Leg{{Available, -1}, {Reserved, 1}}, At: at}, false},
		"at no time":    {Entry{Legs: []Leg{{Available, -1}, {Reserved, 1}}, By: by}, false},
		"too much":      {Entry{Legs: []Leg{{Available, 1<<63 - 1}, {Reserved, 1}}, By: by, At: at}, false},
		"in three legs": {Entry{Legs: []Leg{{Available, 1}, {Reserved, -3}, {Paid, 2}}, By: by, At: at}, true},
	} {
		if _, err := move(ID{Fund: "relief-2026", Township: "320402001000"}, c.e); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
