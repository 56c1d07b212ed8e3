package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/notice"
)

const (
	// skew is how far the clocks of writers may be apart.
	skew = 10 * time.Minute
	// late is how long after it happened an event may be logged while the log runs.
	late = 15 * time.Minute
	// makingUp is how long after a silence what happened in it may still come.
	makingUp = time.Hour
)

// sparse nouns have versions without an event: a notice has one for its outcome
// only, and what is left of an envelope or a slice is a counter that others move.
var sparse = map[string]bool{notice.Noun: true, envelope.Noun: true, fund.Noun: true}

type thing [16]byte

func thingOf(l evidence.Leaf) thing {
	sum := sha256.Sum256([]byte(l.Thing()))
	return thing(sum[:16])
}

// last is the newest version of a thing.
type last struct {
	version int64
	at      int64 // Unix milliseconds
	leaf    int64 // its index
	state   bool  // it is of a noun whose things are exported, and was not met yet
}

// Chain follows leaves in their order: the versions of each thing have no gap and
// no twin, clocks do not run back, and nothing is logged long after it happened
// while the log was running.
type Chain struct {
	next   int64 // the index that comes next
	things map[thing]last
	logged time.Time // of the leaf before
	// from and to are the last time in which nothing was logged for long: whatever
	// happened then may come late, for a while.
	from, to time.Time
	// bytes is how long the leaves are as lines, where somebody keeps them.
	bytes int64
	// Late counts leaves that came late because the log stood still.
	Late int
}

// NewChain begins before the first leaf.
func NewChain() *Chain { return &Chain{things: map[thing]last{}} }

// Add is the next leaf.
func (c *Chain) Add(l evidence.Leaf) []Finding { return c.add(l, thingOf(l)) }

// add is Add for a leaf whose thing is worked out.
func (c *Chain) add(l evidence.Leaf, key thing) []Finding {
	var found []Finding
	index := c.next
	c.next++
	say := func(k Kind, format string, args ...any) {
		found = append(found, Finding{k, index, l.Name(), fmt.Sprintf(format, args...)})
	}
	switch {
	case l.Logged.Before(c.logged):
		say(BackDated, "logged at %s, after a leaf of %s", l.Logged.Format(time.RFC3339), c.logged.Format(time.RFC3339))
	case l.Logged.After(c.logged):
		if l.Logged.Sub(c.logged) > late {
			c.from, c.to = c.logged, l.Logged
		}
		c.logged = l.Logged
	}
	switch {
	case l.Kind == evidence.Unreadable:
	case l.At.After(l.Logged.Add(skew)):
		say(BackDated, "happened at %s, logged before that, at %s", l.At.Format(time.RFC3339), l.Logged.Format(time.RFC3339))
	case !l.At.Before(l.Logged.Add(-late)):
	case !l.At.Before(c.from.Add(-skew)) && !l.Logged.After(c.to.Add(makingUp)):
		c.Late++
	default:
		say(BackDated, "says it happened at %s; the log ran then and it was not there; logged at %s", l.At.Format(time.RFC3339), l.Logged.Format(time.RFC3339))
	}
	was := c.things[key]
	switch {
	case l.Version <= was.version:
		say(Extra, "version %d of it stands before", was.version)
	case l.Version > was.version+1 && !sparse[l.Noun]:
		say(Missing, "version %d follows version %d: what lies between is no leaf", l.Version, was.version)
	case was.version > 0 && l.At.UnixMilli() < was.at-skew.Milliseconds():
		say(BackDated, "happened before version %d of the same", was.version)
	}
	if l.Version > was.version {
		c.things[key] = last{l.Version, l.At.UnixMilli(), index, exported[l.Noun]}
	}
	return found
}

// Version is the newest version of a thing among the leaves; 0 when there is none.
func (c *Chain) Version(l evidence.Leaf) int64 { return c.things[thingOf(l)].version }

// meet notes that the thing itself was shown.
func (c *Chain) meet(l evidence.Leaf) {
	key := thingOf(l)
	if was, ok := c.things[key]; ok {
		was.state = false
		c.things[key] = was
	}
}

// unmet are the newest leaves of things that were not shown, in order.
func (c *Chain) unmet() []int64 {
	var all []int64
	for _, l := range c.things {
		if l.state {
			all = append(all, l.leaf)
		}
	}
	slices.Sort(all)
	return all
}

// chainForm is the version of what Save writes.
const chainForm = 2

// saved is the length of what stands before the things.
const saved = 8 * 8

// Save writes c so that a later Load goes on where it was.
func (c *Chain) Save(w io.Writer) error {
	head := []int64{chainForm, c.next, int64(len(c.things)), stamp(c.logged), stamp(c.from), stamp(c.to), int64(c.Late), c.bytes}
	buf := make([]byte, 0, len(head)*8+len(c.things)*32)
	for _, n := range head {
		buf = binary.BigEndian.AppendUint64(buf, uint64(n))
	}
	for k, v := range c.things {
		buf = append(buf, k[:]...)
		buf = binary.BigEndian.AppendUint64(buf, uint64(v.version))
		buf = binary.BigEndian.AppendUint64(buf, uint64(v.at))
	}
	_, err := w.Write(buf)
	return err
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func unstamp(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// LoadChain reads what Save wrote.
func LoadChain(raw []byte) (*Chain, error) {
	bad := errors.New("audit: the notes on versions are damaged")
	if len(raw) >= 8 && binary.BigEndian.Uint64(raw) == 1 {
		return NewChain(), nil // of an older program: whoever has the leaves follows them again
	}
	if len(raw) < saved || binary.BigEndian.Uint64(raw) != chainForm {
		return nil, bad
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(raw[i*8:])) }
	c := &Chain{next: n(1), things: make(map[thing]last, len(raw)/32), logged: unstamp(n(3)), from: unstamp(n(4)), to: unstamp(n(5)), Late: int(n(6)), bytes: n(7)}
	if int64(len(raw)-saved) != 32*n(2) {
		return nil, bad
	}
	for raw = raw[saved:]; len(raw) > 0; raw = raw[32:] {
		c.things[thing(raw)] = last{version: int64(binary.BigEndian.Uint64(raw[16:])), at: int64(binary.BigEndian.Uint64(raw[24:]))}
	}
	return c, nil
}
