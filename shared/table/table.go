// Package table is the store as the nouns see it: a small port shaped like
// DynamoDB and no wider. There is one table of items, each with a key, a
// version and an opaque body; every write carries a condition; one business
// fact is one Transact. It knows no noun, and nothing here deletes.
//
// Backends live in subpackages and are held to the suite in tabletest.
package table

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
)

// Key names one item. PK groups items that are read together; SK orders them,
// compared as bytes. Neither may hold personal data.
type Key struct{ PK, SK string }

// Index is one of the declared secondary indexes.
type Index string

// The declared indexes. Reading one may lag the table by a moment.
const (
	// ByOwner lists what one account has filed.
	ByOwner Index = "owner"
	// ByWork lists what one division's staff have to do, by deadline.
	ByWork Index = "work"
	// ByDue lists what the machine still owes, by the time it is owed.
	ByDue Index = "due"
)

// Indexes lists every declared index.
func Indexes() []Index { return []Index{ByOwner, ByWork, ByDue} }

// Place is where an item stands in one index. Two items may share a place; the
// order between them is then the backend's own, the same each time, and paging
// gives each of them once.
type Place struct {
	Index  Index
	PK, SK string
}

// Item is one stored record.
type Item struct {
	Key     Key
	Version int64  // 1 when put; up by exactly one with every later write
	Body    []byte // the noun's own encoding; the store never looks inside
	// Counters are whole numbers that Move changes in place. They are declared
	// by Put; a Move of an undeclared counter fails as Missing.
	Counters map[string]int64
	Places   []Place // at most one per index
	// Expires, when set, is when the store may forget the item, in whole
	// seconds. It may still be returned for days after: readers check it too.
	Expires time.Time
}

// Clone is a deep copy.
func (i Item) Clone() Item {
	i.Body = slices.Clone(i.Body)
	i.Places = slices.Clone(i.Places)
	if i.Counters != nil {
		c := make(map[string]int64, len(i.Counters))
		for k, v := range i.Counters {
			c[k] = v
		}
		i.Counters = c
	}
	return i
}

// Write is one part of a transaction: Put, Replace, Check or Move.
type Write interface {
	// Target is the key the write is about.
	Target() Key
}

// Put stores an item that must not exist yet. Item.Version must be 1.
type Put struct{ Item Item }

// Replace stores a new version of an item: the stored version must be
// Item.Version − 1. The whole item is replaced, counters and places too.
type Replace struct{ Item Item }

// Step stores item as the next version of what it is about: a Put of the first, a
// Replace from then on.
func Step(item Item) Write {
	if item.Version == 1 {
		return Put{Item: item}
	}
	return Replace{Item: item}
}

// Check changes nothing and demands that the item is at Version; 0 demands
// that it does not exist.
type Check struct {
	Key     Key
	Version int64
}

// Move adds to counters of an item that must exist and bumps its version. It is
// only allowed beside a Put in the same transaction, because that Put is what
// keeps a lost answer from booking the movement twice.
type Move struct {
	Key    Key
	Deltas []Delta
}

// NoFloor is a Floor that every counter value satisfies.
const NoFloor = math.MinInt64

// Delta moves one counter by By; the result must be at least Floor, and its
// magnitude at most MaxCount.
type Delta struct {
	Counter string
	By      int64
	Floor   int64
}

// Bounds are the smallest and the largest value that the counter may have before
// the move.
func (d Delta) Bounds() (lo, hi int64) {
	return max(d.Floor, -MaxCount) - d.By, MaxCount - d.By
}

// Target is the key the write is about.
func (w Put) Target() Key { return w.Item.Key }

// Target is the key the write is about.
func (w Replace) Target() Key { return w.Item.Key }

// Target is the key the write is about.
func (w Check) Target() Key { return w.Key }

// Target is the key the write is about.
func (w Move) Target() Key { return w.Key }

// Query asks for the items of one partition, or of one partition of an index,
// in sort-key order. From and To are inclusive bounds on the sort key; an empty
// From begins at the beginning, an empty To ends at the end.
type Query struct {
	Index    Index // "" for the table itself
	PK       string
	From, To string
	Reverse  bool
	Limit    int    // items a page, 1 to MaxPage; 0 means MaxPage
	After    Cursor // from the page before; "" for the first
}

// Prefix bounds q to sort keys that begin with p.
func (q Query) Prefix(p string) Query {
	q.From, q.To = p, p+"\U0010FFFF"
	return q
}

// Commit stores writes, all or nothing. movedOn, because of the condition that did not
// hold, says that something was no longer as it was read: nothing is stored.
func Commit(ctx context.Context, s Store, movedOn *fault.Error, writes ...Write) error {
	err := s.Transact(ctx, writes...)
	if _, moved := errors.AsType[*ConditionError](err); moved {
		return movedOn.Because(err)
	}
	return err
}

// Cursor continues a Query. It is opaque and holds only keys.
type Cursor string

// All are the items of q, one page after the other, read as they are asked for. An
// error comes last, with no item.
func All(ctx context.Context, s Store, q Query) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for {
			page, err := s.Query(ctx, q)
			if err != nil {
				yield(Item{}, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.After = page.Next
		}
	}
}

// Collect decodes every item of q.
func Collect[T any](ctx context.Context, s Store, q Query, decode func(Item) (T, error)) ([]T, error) {
	var all []T
	for item, err := range All(ctx, s, q) {
		if err != nil {
			return nil, err
		}
		one, err := decode(item)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Each does something with every item of q, until it fails.
func Each(ctx context.Context, s Store, q Query, do func(Item) error) error {
	for item, err := range All(ctx, s, q) {
		if err != nil {
			return err
		}
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

// Page is one page of answers. An empty Next means there is no more; a page may
// be shorter than the limit, or empty, and still have a Next.
type Page struct {
	Items []Item
	Next  Cursor
}

// Limits, those of DynamoDB with room to spare.
const (
	MaxWrites = 100         // writes in one transaction
	MaxKey    = 900         // bytes of PK and of SK
	MaxBody   = 350 << 10   // bytes of one item's body
	MaxTotal  = 3_500 << 10 // bytes of keys, places, counters and bodies in one transaction
	MaxPage   = 500         // items in one page
	MaxCount  = 1 << 53     // largest magnitude of a counter or delta

	MaxCounters    = 50 // counters of one item
	MaxCounterName = 60 // bytes of a counter's name
)

// Store is what every backend does. All methods are safe for concurrent use.
//
// Transact applies all writes or none. It answers nil when they are applied
// (once, even if the answer was lost on the way and the write was sent again),
// *ConditionError when a condition did not hold, ErrUnknown when it could not
// learn whether they were applied, ErrBusy when contention, throttling or an
// unreachable backend did not end within the backend's own retries (nothing was
// applied), ErrInvalid for a transaction that no state could accept. Any other
// error, such as that of an ended ctx, means that nothing was applied.
type Store interface {
	// Get reads one item strongly: it sees every Transact acknowledged before.
	Get(ctx context.Context, key Key) (item Item, found bool, err error)
	// Query reads one page. Without an Index it is strong.
	Query(ctx context.Context, q Query) (Page, error)
	Transact(ctx context.Context, writes ...Write) error
}

// Change is one item as it stood after a write, as a stream record has it.
type Change struct {
	Seq  string // the backend's position, increasing per key
	Item Item
}

// Feed is a change feed equivalent to a table stream: every committed Put,
// Replace and Move appears at least once, in order for each key; changes of one
// transaction may arrive apart. A consumer that dies resumes at its last Ack.
type Feed interface {
	// Next returns up to max changes after the consumer's last Ack; it waits for
	// one until ctx ends, and then answers none and no error.
	Next(ctx context.Context, consumer string, max int) ([]Change, error)
	// Ack remembers that the consumer is done with everything up to seq.
	Ack(ctx context.Context, consumer, seq string) error
}

// Errors of a Store. The first two are no defect of anybody's: whoever asked is told
// to ask again, and a message comes back. Every write has a condition, so that doing
// it again is safe.
var (
	// ErrUnknown: the transaction may or may not have been applied. Read to find out.
	ErrUnknown = fault.New(fault.Unavailable, "outcome-unknown", "暂时无法确认是否办成，请用同一个 Idempotency-Key 再提交一次。",
		"Whether this was done is not known yet; send it again with the same Idempotency-Key.").After(2)
	// ErrBusy: the backend would not take it in time; nothing was applied.
	ErrBusy = fault.New(fault.Unavailable, "store-busy", "现在办理的人多，请稍后再试。", "The service is busy; please try again.").After(2)
	// ErrInvalid: the transaction or query is malformed; a defect of the caller.
	ErrInvalid = errors.New("table: invalid")
)

// Reason is why one condition did not hold.
type Reason string

// The reasons.
const (
	Exists  Reason = "exists"  // Put, or Check for absence, found an item
	Missing Reason = "missing" // Replace, Check or Move found no item, or Move no such counter
	Version Reason = "version" // Replace or Check found another version
	Floor   Reason = "floor"   // Move would take a counter below its floor or beyond MaxCount
)

// Failure is one write whose condition did not hold.
type Failure struct {
	Write   int // position in the transaction
	Key     Key
	Reason  Reason
	Current Item // what is stored instead; zero when Missing
}

// ConditionError says which conditions did not hold. Nothing was applied.
type ConditionError struct{ Failures []Failure }

// Error names keys and reasons; keys hold no personal data.
func (e *ConditionError) Error() string {
	var b strings.Builder
	b.WriteString("table: condition failed:")
	for _, f := range e.Failures {
		fmt.Fprintf(&b, " [%d] %s/%s %s", f.Write, f.Key.PK, f.Key.SK, f.Reason)
	}
	return b.String()
}

// On is the failure for key, if that is one of those that failed.
func (e *ConditionError) On(key Key) (Failure, bool) {
	for _, f := range e.Failures {
		if f.Key == key {
			return f, true
		}
	}
	return Failure{}, false
}

// FailedOn finds the failure for key in err, if err is or wraps a ConditionError.
func FailedOn(err error, key Key) (Failure, bool) {
	if e, ok := errors.AsType[*ConditionError](err); ok {
		return e.On(key)
	}
	return Failure{}, false
}
