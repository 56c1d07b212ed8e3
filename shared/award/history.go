package award

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
)

// History is what people who are counted together had, as it was read, and the
// condition that they had no more when the next award is written. Markers alone do not
// give it: two members of one household have markers of their own, so two awards that
// were judged at the same time would both be the household's first.
type History struct {
	// Earlier is every award that counts, once each.
	Earlier []policy.Earlier
	guards  []guard
}

// guard is the item of one human being that every award moves on which counts for
// them. It stands under the oldest live key alone: keys are added and never taken away,
// so every instance knows that one, and a large household fits into one transaction.
type guard struct {
	key     table.Key
	version int64 // 0 while there is none
	counts  []once
	self    bool // it is the person who is helped
}

const guardKey = "ONCE"

// kept is how long a guard remembers: longer than any window in which awards count.
const kept = 2 * 366 * 24 * time.Hour

// Read reads what people had: each is one human being's references under every live
// key, the current one first, and the first of them is who is to be helped. Counted by
// household, an award also counts for those who lived with whoever got it, so that it
// makes no difference which of them asks.
func Read(ctx context.Context, t table.Store, people [][]string, byHousehold bool) (History, error) {
	var h History
	seen := map[string]bool{}
	for i, refs := range people {
		g := guard{key: table.Key{PK: person(refs[len(refs)-1]), SK: guardKey}, self: i == 0}
		for _, ref := range refs {
			// The guard sorts before the markers: what is written after it was read makes the
			// write fail, and what was written before is among them.
			items, err := markers(ctx, t, person(ref), guardKey)
			if err != nil {
				return History{}, err
			}
			for _, item := range items {
				counts, err := counted(item)
				if err != nil {
					return History{}, err
				}
				if item.Key == g.key {
					g.version, g.counts = item.Version, counts
				}
				for _, o := range counts {
					if !seen[o.id()] && (byHousehold || !o.Shared) {
						seen[o.id()] = true
						h.Earlier = append(h.Earlier, policy.Earlier{Day: civil.DayOf(o.At, calendar.Zone), Cause: o.Cause, AmountFen: o.AmountFen, AwardID: o.id()})
					}
				}
			}
		}
		if !slices.ContainsFunc(h.guards, func(other guard) bool { return other.key == g.key }) {
			h.guards = append(h.guards, g)
		}
	}
	return h, nil
}

// counted is what an item of a person's says: a marker one award, a guard several.
func counted(item table.Item) (all []once, err error) {
	if item.Key.SK == guardKey {
		err = json.Unmarshal(item.Body, &all)
	} else {
		all = make([]once, 1)
		err = json.Unmarshal(item.Body, &all[0])
	}
	if err != nil {
		return nil, fmt.Errorf("award: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	return all, nil
}

// Writes move every guard on by a, for the transaction that makes it. It fails when
// anybody in h had another award since h was read; the caller then reads and judges
// again.
func (h History) Writes(a Award) ([]table.Write, error) {
	var writes []table.Write
	for _, g := range h.guards {
		o := onceOf(a)
		o.Shared = !g.self
		counts := slices.DeleteFunc(append(slices.Clone(g.counts), o), func(old once) bool { return a.At.Sub(old.At) > kept })
		body, err := json.Marshal(counts)
		if err != nil {
			return nil, fmt.Errorf("award: %w", err)
		}
		writes = append(writes, table.Step(table.Item{Key: g.key, Version: g.version + 1, Body: body}))
	}
	return writes, nil
}
