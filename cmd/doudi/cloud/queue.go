package cloud

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
)

// Queue is one SQS standard queue.
type Queue struct {
	Visibility time.Duration // how long a delivered message is hidden
	MaxReceive int           // deliveries before it moves to Dead; 0 for no limit
	Dead       string        // the queue of its dead letters
}

// Attribute is a message attribute.
type Attribute struct {
	DataType    string
	StringValue string
}

// Message is one message as it is delivered.
type Message struct {
	ID         string
	Receipt    string // of this delivery
	Body       string
	Attributes map[string]Attribute
	Sent       time.Time
	First      time.Time // of the first delivery
	Received   int       // deliveries, this one included
}

// MD5 is the digest of the body, as SQS sends it.
func (m Message) MD5() string { return digest(m.Body) }

func digest(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// Queues are all queues of the stand-in, in memory. Like SQS's standard queues
// they may deliver twice and in any order; unlike them they do so only when
// told to.
type Queues struct {
	now func() time.Time
	ids *ident.Source
	// again, when it is not nil, makes a message that was deleted come once more.
	again func(queue string, m Message) bool

	mu      sync.Mutex
	queues  map[string]*lane
	changed chan struct{} // closed and replaced whenever something may have become visible
}

type lane struct {
	Queue
	waiting []*held
}

type held struct {
	Message
	visible  time.Time
	repeated bool
}

// NewQueues makes the queues named. again may be nil; a message for which it is
// true is delivered again after it was done, once.
func NewQueues(all map[string]Queue, now func() time.Time, ids *ident.Source, again func(queue string, m Message) bool) *Queues {
	q := &Queues{now: now, ids: ids, again: again, queues: map[string]*lane{}, changed: make(chan struct{})}
	for name, one := range all {
		q.queues[name] = &lane{Queue: one}
	}
	return q
}

// Send puts a message into a queue, to be visible after delay; false when there
// is no such queue.
func (q *Queues) Send(name, body string, attributes map[string]Attribute, delay time.Duration) (id string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.queues[name]
	if l == nil {
		return "", false
	}
	m := &held{Message: Message{ID: q.ids.New(), Body: body, Attributes: attributes, Sent: q.now()}, visible: q.now().Add(delay)}
	l.waiting = append(l.waiting, m)
	q.wake()
	return m.ID, true
}

func (q *Queues) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Receive waits until something is visible and delivers up to most messages of
// it; none when ctx has ended or there is no such queue.
func (q *Queues) Receive(ctx context.Context, name string, most int) []Message {
	for {
		q.mu.Lock()
		got, next := q.take(name, most)
		changed := q.changed
		q.mu.Unlock()
		if len(got) > 0 || ctx.Err() != nil {
			return got
		}
		wait := time.Minute
		if !next.IsZero() {
			wait = min(wait, max(time.Millisecond, next.Sub(q.now())))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take delivers what is visible, and says when the next will be.
func (q *Queues) take(name string, most int) (got []Message, next time.Time) {
	l, now := q.queues[name], q.now()
	if l == nil {
		return nil, time.Time{}
	}
	keep := l.waiting[:0]
	for _, m := range l.waiting {
		switch {
		case m.visible.After(now):
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
		case l.MaxReceive > 0 && m.Received >= l.MaxReceive && q.queues[l.Dead] != nil:
			m.visible, m.Received = now, 0
			dead := q.queues[l.Dead]
			dead.waiting = append(dead.waiting, m)
			continue
		case len(got) < most:
			if m.Received++; m.Received == 1 {
				m.First = now
			}
			m.Receipt, m.visible = q.ids.New(), now.Add(l.Visibility)
			got = append(got, m.Message)
		}
		keep = append(keep, m)
	}
	clear(l.waiting[len(keep):])
	l.waiting = keep
	return got, next
}

// Delete takes a delivered message out. A receipt that a later delivery has
// replaced deletes nothing.
func (q *Queues) Delete(name, receipt string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.queues[name]
	if l == nil {
		return
	}
	i := slices.IndexFunc(l.waiting, func(m *held) bool { return m.Receipt == receipt })
	if i < 0 {
		return
	}
	if m := l.waiting[i]; q.again != nil && !m.repeated && q.again(name, m.Message) {
		m.repeated, m.visible = true, q.now()
		q.wake()
		return
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
}

// Waiting lists what is in a queue, hidden or not, without delivering it.
func (q *Queues) Waiting(name string) []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []Message
	if l := q.queues[name]; l != nil {
		for _, m := range l.waiting {
			all = append(all, m.Message)
		}
	}
	return all
}
