package payouttest

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// Moment is a room at one instant between two steps of anybody in it.
type Moment struct {
	store   *embedded.Store
	book    book
	alarms  map[string]int64
	at      time.Time
	touches int
}

// Touches is how often the world had been touched.
func (m Moment) Touches() int { return m.touches }

// Moment keeps the room as it is. What happens next does not change it.
func (r *Room) Moment() Moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Moment{r.Store.Fork(), r.Teller.book(), maps.Clone(r.Alarms), r.at, r.Fate.Touches()}
}

// Fingerprint is what two moments have in common from which everything goes on
// alike: the store, the bank and the clock. What was counted on the way is not in it.
func (r *Room) Fingerprint(seed maphash.Seed) uint64 {
	t := r.Teller
	t.mu.Lock()
	defer t.mu.Unlock()
	var h maphash.Hash
	h.SetSeed(seed)
	maphash.WriteComparable(&h, [4]int64{r.at.UnixNano(), int64(t.sends), int64(t.asks), int64(t.Paid)})
	for _, w := range t.wire {
		maphash.WriteComparable(&h, len(w))
		_, _ = h.Write(w) // a hash takes everything
	}
	for _, ref := range slices.Sorted(maps.Keys(t.orders)) {
		maphash.WriteComparable(&h, ref)
		maphash.WriteComparable(&h, *t.orders[ref])
		maphash.WriteComparable(&h, t.Credits[ref])
	}
	for _, ref := range slices.Sorted(maps.Keys(t.Bodies)) {
		for _, sent := range t.Bodies[ref] {
			maphash.WriteComparable(&h, sent)
		}
	}
	return h.Sum64() + r.Store.Fingerprint(seed)
}

// Back makes the room what it was at m, with other dooms to come, any number of
// times: whoever wants to know what one crash changes need not live through all
// that came before it again. Functions that were made for the room stay in it.
func (r *Room) Back(m Moment, dooms map[int]Doom) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Store = m.store.Fork()
	r.Table.Store = r.Store
	r.Alarms, r.at = maps.Clone(m.alarms), m.at
	r.Log.Reset()
	r.Teller.reopen(m.book)
	r.Fate.Turn(m.touches, dooms)
}
