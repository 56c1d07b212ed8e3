package table

import (
	"fmt"
	"unicode/utf8"
)

// Validate refuses a transaction that no state could accept. Every backend
// calls it first, so that all refuse the same things in the same words.
func Validate(writes []Write) error {
	if len(writes) == 0 || len(writes) > MaxWrites {
		return fmt.Errorf("%w: %d writes", ErrInvalid, len(writes))
	}
	seen := make(map[Key]bool, len(writes))
	total, puts, moves := 0, 0, 0 // bytes and numbers of writes
	for i, w := range writes {
		key := w.Target()
		if err := key.Validate(); err != nil {
			return fmt.Errorf("write %d: %w", i, err)
		}
		if seen[key] {
			return fmt.Errorf("%w: write %d: key %s/%s twice in one transaction", ErrInvalid, i, key.PK, key.SK)
		}
		seen[key] = true
		var err error
		switch w := w.(type) {
		case Put:
			puts++
			total += size(w.Item)
			if w.Item.Version != 1 {
				err = fmt.Errorf("put with version %d", w.Item.Version)
			} else {
				err = validItem(w.Item)
			}
		case Replace:
			total += size(w.Item)
			if w.Item.Version < 2 {
				err = fmt.Errorf("replace with version %d", w.Item.Version)
			} else {
				err = validItem(w.Item)
			}
		case Check:
			if w.Version < 0 {
				err = fmt.Errorf("check of version %d", w.Version)
			}
		case Move:
			moves++
			err = validMove(w)
		default:
			err = fmt.Errorf("unknown write %T", w)
		}
		if err != nil {
			return fmt.Errorf("%w: write %d: %v", ErrInvalid, i, err)
		}
	}
	if total > MaxTotal {
		return fmt.Errorf("%w: %d bytes in one transaction", ErrInvalid, total)
	}
	if moves > 0 && puts == 0 {
		return fmt.Errorf("%w: a move without a put beside it can be booked twice", ErrInvalid)
	}
	return nil
}

// Validate refuses a query that no backend could answer.
func (q Query) Validate() error {
	if q.PK == "" || q.Limit < 0 || q.Limit > MaxPage {
		return fmt.Errorf("%w: query needs a partition and a limit of 0 to %d", ErrInvalid, MaxPage)
	}
	if q.Index != "" && !declared(q.Index) {
		return fmt.Errorf("%w: no index %q", ErrInvalid, q.Index)
	}
	if q.From != "" && q.To != "" && q.From > q.To {
		return fmt.Errorf("%w: empty range", ErrInvalid)
	}
	for _, s := range []string{q.PK, q.From, q.To} {
		if len(s) > MaxKey+utf8.UTFMax || !utf8.ValidString(s) {
			return fmt.Errorf("%w: bound longer than a key or not UTF-8", ErrInvalid)
		}
	}
	return nil
}

func declared(i Index) bool {
	for _, d := range Indexes() {
		if d == i {
			return true
		}
	}
	return false
}

// Validate refuses a key that no item can have.
func (k Key) Validate() error {
	for _, s := range []string{k.PK, k.SK} {
		if s == "" || len(s) > MaxKey || !utf8.ValidString(s) {
			return fmt.Errorf("%w: key part is empty, longer than %d bytes or not UTF-8", ErrInvalid, MaxKey)
		}
	}
	return nil
}

// size is a safe upper bound of what DynamoDB counts for an item, in bytes.
func size(it Item) int {
	const fixed, perPlace, perCounter = 120, 20, 30 // names of attributes, numbers, version, token
	n := fixed + len(it.Key.PK) + len(it.Key.SK) + len(it.Body)
	for _, p := range it.Places {
		n += perPlace + len(p.PK) + len(p.SK)
	}
	for name := range it.Counters {
		n += perCounter + len(name)
	}
	return n
}

func validItem(it Item) error {
	if len(it.Body) > MaxBody {
		return fmt.Errorf("body of %d bytes", len(it.Body))
	}
	if len(it.Counters) > MaxCounters {
		return fmt.Errorf("%d counters", len(it.Counters))
	}
	for name, v := range it.Counters {
		if !validCounter(name) || v > MaxCount || v < -MaxCount {
			return fmt.Errorf("counter %q out of range", name)
		}
	}
	seen := map[Index]bool{}
	for _, p := range it.Places {
		if !declared(p.Index) || seen[p.Index] {
			return fmt.Errorf("place in index %q twice or not declared", p.Index)
		}
		seen[p.Index] = true
		if err := (Key{p.PK, p.SK}).Validate(); err != nil {
			return err
		}
	}
	if !it.Expires.IsZero() && (it.Expires.Nanosecond() != 0 || it.Expires.Unix() <= 0) {
		return fmt.Errorf("expiry not in whole seconds")
	}
	return nil
}

func validCounter(name string) bool {
	return name != "" && len(name) <= MaxCounterName && utf8.ValidString(name)
}

func validMove(m Move) error {
	if len(m.Deltas) == 0 || len(m.Deltas) > MaxCounters {
		return fmt.Errorf("move of %d counters", len(m.Deltas))
	}
	seen := map[string]bool{}
	for _, d := range m.Deltas {
		if !validCounter(d.Counter) || seen[d.Counter] || d.By > MaxCount || d.By < -MaxCount {
			return fmt.Errorf("counter %q twice, badly named or moved too far", d.Counter)
		}
		if d.Floor > MaxCount || d.Floor < -MaxCount && d.Floor != NoFloor {
			return fmt.Errorf("counter %q has a floor out of range", d.Counter)
		}
		seen[d.Counter] = true
	}
	return nil
}
