// Package fund is money set aside for a purpose, cut into one slice per
// township so that no single item takes every write. It is double-entry and
// append-only: an award reserves, its payment posts, a proven failure voids, and
// money the bank sends back returns. It refuses to know banks, people and
// applications; it moves amounts between accounts and proves that they add up.
//
// Balances are counters of the slice item, moved with floors, so that nothing is
// ever spent twice however many approve at once. Every movement puts one entry
// that holds all its legs. The entry's key is derived from what it is for, so a
// reservation resolves at most once, and a balance is the fold of its entries.
package fund

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Noun names funds in events.
const Noun = "fund"

// Purpose is what the money of a fund is for; it is never used for another (649 art. 5).
type Purpose string

// The purposes.
const (
	Relief  Purpose = "relief"  // 临时救助专项资金: paid by the agent bank
	Reserve Purpose = "reserve" // 备用金: the township's imprest, paid in cash
)

// Purposes lists every purpose.
func Purposes() []Purpose { return []Purpose{Relief, Reserve} }

// Named is the name of the fund for a purpose in one budget year: "relief-2026".
func Named(p Purpose, year int) string { return fmt.Sprintf("%s-%04d", p, year) }

// Of is the purpose of a fund by its name; "" when the name is not one of ours.
func Of(name string) Purpose {
	p, year, ok := strings.Cut(name, "-")
	if !ok || len(year) != 4 || strings.Trim(year, "0123456789") != "" {
		return ""
	}
	for _, known := range Purposes() {
		if p == string(known) {
			return known
		}
	}
	return ""
}

// ID names one slice of a fund.
type ID struct {
	Fund     string             `json:"fund"` // as Named makes it
	Township civil.DivisionCode `json:"township"`
}

// Partition is where a slice, its entries and its day limits are kept:
//
//	SLICE             balances
//	ENTRY#<cause>     one movement
//	DAY#<yyyy-mm-dd>  what is left of the day's limit for cash
func (id ID) Partition() string { return "FUND#" + id.Fund + "#" + string(id.Township) }

// Key is where the slice itself is kept.
func (id ID) Key() table.Key { return table.Key{PK: id.Partition(), SK: "SLICE"} }

// Slice is the part of a fund that one township spends.
type Slice struct {
	ID
	Version int64 `json:"-"`
	// Source is whose money it is: "central", "province", "city", "county", "donation".
	Source string `json:"source"`
	// LowFen is the available amount below which finance is told to replenish.
	LowFen money.Fen `json:"low_fen"`
	// Balances are the counters as stored.
	Balances Balances `json:"-"`
}

// Low reports whether the slice should be replenished.
func (s Slice) Low() bool { return s.Balances.Of(Available) < s.LowFen }

// Open is a new slice without money, and its event.
func Open(s Slice, by event.Actor, at time.Time) ([]table.Write, error) {
	if Of(s.Fund) == "" || s.Township == "" || s.Source == "" || s.LowFen < 0 {
		return nil, fmt.Errorf("fund: slice %s is incomplete", s.Partition())
	}
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("fund: %w", err)
	}
	counters := map[string]int64{count: 0}
	for _, a := range Accounts() {
		counters[string(a)] = 0
	}
	item := table.Item{Key: s.Key(), Version: 1, Body: body, Counters: counters}
	return event.Event{PK: s.Partition(), Noun: Noun, ID: s.Fund, Version: 1, Kind: "opened", At: at, Actor: by,
		Facts: event.Facts{"township": string(s.Township), "source": s.Source, "low_fen": int64(s.LowFen)}}.With(item)
}

func decode(item table.Item) (Slice, error) {
	var s Slice
	if err := json.Unmarshal(item.Body, &s); err != nil {
		return s, fmt.Errorf("fund: %s: %w", item.Key.PK, err)
	}
	s.Version = item.Version
	s.Balances = Balances{Accounts: map[Account]money.Fen{}, Count: item.Counters[count]}
	for _, a := range Accounts() {
		s.Balances.Accounts[a] = money.Fen(item.Counters[string(a)])
	}
	return s, nil
}
