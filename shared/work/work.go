// Package work is how state says what the machine still owes. An item that
// owes something stands in the due index under the time and the queue it is
// owed to. The relay reads the same place from the table's stream and sends at
// once; the sweeper reads the index and sends whatever is late. So a lost
// message costs a minute, never a duty, and neither of them knows a noun.
package work

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// Queue is a destination of work.
type Queue string

// The queues. Clock is not a queue of messages: the sweeper itself acts on it
// when a legal deadline comes near.
const (
	Verify Queue = "verify"
	Pay    Queue = "pay"
	Settle Queue = "settle"
	Notify Queue = "notify"
	Clock  Queue = "clock"
	// Oversee is owed nothing: a message in it is only a reason to fold the
	// evidence log, and one of its own comes with every sweep.
	Oversee Queue = "oversee"
)

// Queues lists every queue that carries messages.
func Queues() []Queue { return []Queue{Verify, Pay, Settle, Notify} }

// Shards is how many partitions the due index is cut into, so that no single
// one takes every write.
const Shards = 8

// Shard is the partition key of one shard of the due index.
func Shard(n int) string { return fmt.Sprintf("DUE#%02d", n) }

const layout = "2006-01-02T15:04:05.000Z"

// Stamp writes t so that text order is time order; in UTC, to the millisecond.
func Stamp(t time.Time) string { return t.UTC().Format(layout) }

// Due is the place of an item that owes something to queue q at time at.
func Due(key table.Key, at time.Time, q Queue) table.Place {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key.PK)) // never fails
	return table.Place{Index: table.ByDue, PK: Shard(int(h.Sum32() % Shards)), SK: Stamp(at) + "#" + string(q)}
}

// Owed reads the place back: what the item owes, and when.
func Owed(item table.Item) (at time.Time, q Queue, owes bool) {
	for _, p := range item.Places {
		if p.Index != table.ByDue {
			continue
		}
		stamp, name, ok := strings.Cut(p.SK, "#")
		t, err := time.Parse(layout, stamp)
		if !ok || err != nil {
			return time.Time{}, "", false
		}
		return t, Queue(name), true
	}
	return time.Time{}, "", false
}

// Message is the body of a queue message: which item. Everything else is read
// from the table when it arrives; the trace travels beside the body.
type Message struct {
	PK string `json:"pk"`
	SK string `json:"sk"`
}

// Trace is the trace id that item belongs to, from the phone's request on; "" when
// it has none. Whatever stands in the due index keeps it under the same name,
// at the top or in its award.
func Trace(item table.Item) string {
	var of struct {
		Trace string `json:"trace"`
		Award struct {
			Trace string `json:"trace"`
		} `json:"award"`
	}
	if err := json.Unmarshal(item.Body, &of); err != nil {
		return "" // a trace that cannot be read must not keep work from being sent
	}
	return cmp.Or(of.Trace, of.Award.Trace)
}

// Key is the item the message is about.
func (m Message) Key() table.Key { return table.Key{PK: m.PK, SK: m.SK} }

// Encode is the message as a queue body.
func (m Message) Encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("work: two strings do not marshal: " + err.Error())
	}
	return b
}

// Decode reads a queue body.
func Decode(body []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(body, &m); err != nil || m.PK == "" || m.SK == "" {
		return Message{}, fmt.Errorf("work: not a work message of %d bytes", len(body))
	}
	return m, nil
}
