package queue

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Config is what a Local needs. Zero limits take the defaults named beside them.
type Config struct {
	Queues map[string]Queue
	Now    func() time.Time
	IDs    *ident.Source
	Logger *slog.Logger
	// Metrics may be nil.
	Metrics telemetry.Metrics

	MaxMessages int           // held at once, all queues together: 100,000
	MaxDead     int           // dead letters kept; beyond it the oldest is forgotten: 10,000
	Backoff     time.Duration // before the second delivery; doubles after: 1 s
	MaxBackoff  time.Duration // 5 min
	// Jitter is a number in [0,n), to spread redeliveries; nil for none.
	Jitter func(n int64) int64
}

// Queue is one queue of a Local.
type Queue struct {
	Handler     Handler
	Concurrency int           // handlers at once: 1
	Timeout     time.Duration // for one delivery: 30 s
	MaxReceives int           // deliveries before a message is parked: 5
}

// Dead is a message that a person has to look at.
type Dead struct {
	Message Message
	Code    string // the fault that parked it
	At      time.Time
}

// Local is the broker of one machine: in memory, bounded, at least once. What
// it holds dies with the process, which loses nothing: the sweeper finds all
// owed work in the table. Use it with Start, which works in the background, or
// with Step, which delivers one message on the caller's goroutine.
type Local struct {
	cfg     Config
	mu      sync.Mutex
	queues  map[string]*lane
	dead    []Dead
	order   int64 // of arrival, to break ties
	pending int   // waiting or being handled
	closed  bool
	moved   chan struct{} // closed and replaced whenever a delivery ends
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// lane is one queue's messages, earliest first.
type lane struct {
	Queue
	name    string
	waiting dues
	wake    chan struct{} // holds one token when something may have become due
}

type due struct {
	m     Message
	at    time.Time
	order int64
}

type dues []due

func (d dues) Len() int { return len(d) }
func (d dues) Less(i, j int) bool {
	if !d[i].at.Equal(d[j].at) {
		return d[i].at.Before(d[j].at)
	}
	return d[i].order < d[j].order
}
func (d dues) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)   { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	(*d)[len(*d)-1] = due{} // let go of the body
	*d = (*d)[:len(*d)-1]
	return last
}

// NewLocal makes a broker that holds messages and delivers none until Start or Step.
func NewLocal(cfg Config) *Local {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&cfg.MaxMessages, 100_000)
	or(&cfg.MaxDead, 10_000)
	if cfg.Backoff <= 0 {
		cfg.Backoff = time.Second
	}
	if cfg.MaxBackoff <= 0 {
		cfg.MaxBackoff = 5 * time.Minute
	}
	if cfg.Metrics == nil {
		cfg.Metrics = telemetry.Discard
	}
	l := &Local{cfg: cfg, queues: map[string]*lane{}, moved: make(chan struct{})}
	for name, q := range cfg.Queues {
		or(&q.Concurrency, 1)
		or(&q.MaxReceives, 5)
		if q.Timeout <= 0 {
			q.Timeout = 30 * time.Second
		}
		l.queues[name] = &lane{Queue: q, name: name, wake: make(chan struct{}, 1)}
	}
	return l
}

// Handle sets the handler of a declared queue. It exists because handlers send
// and so need the broker first; call it before Start or Step.
func (l *Local) Handle(queue string, h Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, ok := l.queues[queue]
	if !ok {
		return fmt.Errorf("queue: no queue %q", queue)
	}
	q.Handler = h
	return nil
}

// Send holds body for queue. It answers ErrFull or ErrClosed when it cannot.
func (l *Local) Send(ctx context.Context, queue string, body []byte, delay time.Duration) error {
	if len(body) > MaxBody || delay < 0 || delay > MaxDelay {
		return fmt.Errorf("queue: body of %d bytes or delay of %s is out of range", len(body), delay)
	}
	hops, err := NextHops(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q, ok := l.queues[queue]
	if !ok {
		return fmt.Errorf("queue: no queue %q", queue)
	}
	if l.closed {
		return ErrClosed
	}
	if l.pending >= l.cfg.MaxMessages {
		l.cfg.Metrics.Count("QueueFull", 1, telemetry.Label{Name: "queue", Value: queue})
		return ErrFull
	}
	l.pending++
	l.push(q, Message{ID: l.cfg.IDs.New(), Queue: queue, Body: bytes.Clone(body), Hops: hops, Trace: telemetry.Trace(ctx)}, delay)
	return nil
}

// push needs l.mu.
func (l *Local) push(q *lane, m Message, delay time.Duration) {
	l.order++
	heap.Push(&q.waiting, due{m, l.cfg.Now().Add(delay), l.order})
	q.signal()
}

func (q *lane) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take removes the next message of q that is due. When there is none it says
// how long until there may be; a negative wait means that q is empty.
func (l *Local) take(q *lane) (m Message, ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(q.waiting) == 0 || l.closed {
		return m, false, -1
	}
	if wait = q.waiting[0].at.Sub(l.cfg.Now()); wait > 0 {
		return m, false, wait
	}
	m = heap.Pop(&q.waiting).(due).m
	if len(q.waiting) > 0 {
		q.signal() // another worker may have work, too
	}
	return m, true, 0
}

// Start delivers in the background until Close.
func (l *Local) Start(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	l.mu.Lock()
	l.stop = stop
	l.mu.Unlock()
	for _, q := range l.queues {
		for range q.Concurrency {
			l.workers.Go(func() { l.work(ctx, q) })
		}
	}
}

func (l *Local) work(ctx context.Context, q *lane) {
	for ctx.Err() == nil {
		m, ok, wait := l.take(q)
		if ok {
			l.deliver(ctx, q, m)
			continue
		}
		if wait < 0 {
			select {
			case <-ctx.Done():
			case <-q.wake:
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Step delivers one message that is due and reports whether there was one.
// Queues are served by name, so that the same state steps the same way.
func (l *Local) Step(ctx context.Context) bool {
	for _, name := range slices.Sorted(maps.Keys(l.queues)) {
		q := l.queues[name]
		if m, ok, _ := l.take(q); ok {
			l.deliver(ctx, q, m)
			return true
		}
	}
	return false
}

// Next is when the next message is due; false when none waits.
func (l *Local) Next() (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.queues {
		if len(q.waiting) > 0 && (!ok || q.waiting[0].at.Before(at)) {
			at, ok = q.waiting[0].at, true
		}
	}
	return at, ok
}

func (l *Local) deliver(ctx context.Context, q *lane, m Message) {
	m.Attempt++
	given := m
	given.Body = bytes.Clone(m.Body) // a handler may scribble on its copy
	bounded, cancel := context.WithTimeout(ctx, q.Timeout)
	d, err := Run(bounded, given, q.Handler)
	cancel()
	label := telemetry.Label{Name: "queue", Value: q.name}
	if d == "" {
		l.cfg.Logger.InfoContext(telemetry.WithTrace(ctx, m.Trace), "message done", "queue", q.name, "message", m.ID, "attempt", m.Attempt)
		l.cfg.Metrics.Count("MessageDone", 1, label)
		l.done()
		return
	}
	l.cfg.Logger.ErrorContext(telemetry.WithTrace(ctx, m.Trace), "message failed",
		"queue", q.name, "message", m.ID, "attempt", m.Attempt, "disposition", string(d), "error", err)
	l.cfg.Metrics.Count("MessageFailed", 1, label)
	switch {
	case d == fault.Drop:
		l.done()
	case d == fault.Park || m.Attempt >= q.MaxReceives:
		l.cfg.Metrics.Count("MessageParked", 1, label)
		l.park(m, err)
		l.done()
	default:
		l.mu.Lock()
		l.push(q, m, l.backoff(m.Attempt, err))
		l.ended()
		l.mu.Unlock()
	}
}

// backoff is how long to wait after the given attempt.
func (l *Local) backoff(attempt int, err error) time.Duration {
	wait := l.cfg.MaxBackoff
	if attempt < 32 {
		wait = min(wait, l.cfg.Backoff<<(attempt-1))
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		wait = min(l.cfg.MaxBackoff, max(wait, time.Duration(f.RetryAfter)*time.Second))
	}
	if l.cfg.Jitter != nil {
		wait += time.Duration(l.cfg.Jitter(int64(wait)/2 + 1))
	}
	return wait
}

func (l *Local) park(m Message, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.dead) >= l.cfg.MaxDead {
		l.dead = slices.Delete(l.dead, 0, 1)
	}
	l.dead = append(l.dead, Dead{m, fault.Of(err).Code, l.cfg.Now()})
}

func (l *Local) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending--
	l.ended()
}

// ended needs l.mu.
func (l *Local) ended() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// Dead lists the dead letters, oldest first.
func (l *Local) Dead() []Dead {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.dead)
}

// Redrive sends every dead letter again and reports how many.
func (l *Local) Redrive() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, d := range l.dead {
		if q, ok := l.queues[d.Message.Queue]; ok && !l.closed {
			d.Message.Attempt = 0
			l.pending++
			l.push(q, d.Message, 0)
			n++
		}
	}
	l.dead = nil
	return n
}

// Pending is how many messages wait or are being handled.
func (l *Local) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending
}

// Drain waits until nothing waits and nothing is being handled, messages held
// back for later included, or until ctx ends.
func (l *Local) Drain(ctx context.Context) error {
	return l.await(ctx, func() int { return l.pending })
}

// Rest waits until nothing that is due is left and nothing is being handled, or
// until ctx ends. Messages held back for later stay. Workers sleep by the
// machine's clock: whoever moves Config.Now calls Rest to let them follow.
func (l *Local) Rest(ctx context.Context) error {
	return l.await(ctx, func() int {
		busy, now := l.pending, l.cfg.Now()
		for _, q := range l.queues {
			for _, d := range q.waiting {
				if d.at.After(now) {
					busy--
				}
			}
			q.signal()
		}
		return busy
	})
}

// await looks whenever a delivery has ended, until left is 0. left has l.mu.
func (l *Local) await(ctx context.Context, left func() int) error {
	for {
		l.mu.Lock()
		n, moved := left(), l.moved
		l.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// Close takes no more messages, waits for the handlers at work, and forgets the
// messages that wait: they are owed by the table, not by this process.
func (l *Local) Close() {
	l.mu.Lock()
	l.closed = true
	stop := l.stop
	l.mu.Unlock()
	for _, q := range l.queues {
		q.signal()
	}
	if stop != nil {
		stop()
	}
	l.workers.Wait()
}
