package embedded

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// change is what one accepted write does to one ordered key.
type change struct {
	key      string
	old, new *table.Item // nil when there is none
}

// decide checks every condition against what get finds, and says what changes.
// All failures are reported, not only the first, as DynamoDB does.
func decide(get func(key string) (*table.Item, error), writes []table.Write) ([]change, error) {
	changes := make([]change, 0, len(writes))
	var failures []table.Failure
	for i, w := range writes {
		target := w.Target()
		key := itemKey(target)
		old, err := get(key)
		if err != nil {
			return nil, err
		}
		c := change{key: key, old: old}
		var reason table.Reason
		switch w := w.(type) {
		case table.Put:
			if old != nil {
				reason = table.Exists
			} else {
				it := w.Item.Clone()
				c.new = &it
			}
		case table.Replace:
			if reason = versionReason(old, w.Item.Version-1); reason == "" {
				it := w.Item.Clone()
				c.new = &it
			}
		case table.Check:
			if w.Version == 0 {
				if old != nil {
					reason = table.Exists
				}
			} else {
				reason = versionReason(old, w.Version)
			}
		case table.Move:
			c.new, reason = moved(old, w.Deltas)
		}
		if reason != "" {
			f := table.Failure{Write: i, Key: target, Reason: reason}
			if old != nil {
				f.Current = old.Clone()
			}
			failures = append(failures, f)
			continue
		}
		if c.new != nil {
			changes = append(changes, c)
		}
	}
	if len(failures) > 0 {
		return nil, &table.ConditionError{Failures: failures}
	}
	return changes, nil
}

func versionReason(old *table.Item, want int64) table.Reason {
	switch {
	case old == nil:
		return table.Missing
	case old.Version != want:
		return table.Version
	}
	return ""
}

func moved(old *table.Item, deltas []table.Delta) (*table.Item, table.Reason) {
	if old == nil {
		return nil, table.Missing
	}
	it := old.Clone()
	for _, d := range deltas {
		v, ok := it.Counters[d.Counter]
		if !ok {
			return nil, table.Missing
		}
		it.Counters[d.Counter] = v + d.By
	}
	for _, d := range deltas {
		if lo, hi := d.Bounds(); old.Counters[d.Counter] < lo || old.Counters[d.Counter] > hi {
			return nil, table.Floor
		}
	}
	it.Version++
	return &it, ""
}

// sweepAtMost bounds the expired items that one commit forgets.
const sweepAtMost = 200

// expired lists the changes that forget items whose time has come.
func expired(v view, now time.Time) ([]change, error) {
	var keys []string
	var broken error
	err := v.marks(end, expiryMark(now.Unix(), ""), false, func(mark string) bool {
		var key string
		if key, broken = markedItem(mark); broken != nil {
			return false
		}
		keys = append(keys, key)
		return len(keys) < sweepAtMost
	})
	if err == nil {
		err = broken
	}
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, key := range keys {
		old, err := v.item(key)
		if err != nil {
			return nil, err
		}
		if old != nil {
			changes = append(changes, change{key: key, old: old})
		}
	}
	return changes, nil
}

// moveMarks says which marks a change takes away and which it sets.
func moveMarks(c change, remove, add func(mark string)) {
	before, after := marksOf(c.old, c.key), marksOf(c.new, c.key)
	for _, m := range before {
		if !slices.Contains(after, m) {
			remove(m)
		}
	}
	for _, m := range after {
		if !slices.Contains(before, m) {
			add(m)
		}
	}
}
