package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/doudi-aid/doudi/test/caller"
)

// workers bounds the calls in flight. A call that waits for one of them is
// measured from the moment it should have begun, so a slow system cannot hide
// by slowing the generator down.
const workers = 256

// slowest is the longest time that is told apart; errors and waits end before.
const slowest = 60 * time.Second

// second is what was measured of calls that were due in one second.
type second struct {
	latency              *hdrhistogram.Histogram // µs, of the calls that were answered as asked
	due, done            int64
	shed, failed, missed int64
}

func newSecond() *second {
	return &second{latency: hdrhistogram.New(1, slowest.Microseconds(), 2)}
}

// record is one run of one shape.
type record struct {
	name    string
	mu      sync.Mutex
	seconds []*second
	marks   []mark
	first   error // the first answer that nobody should get
	begin   time.Time
	ended   time.Duration // when the last call was answered
}

// mark is something that was done to the system while it ran.
type mark struct {
	at   time.Duration
	what string
}

func newRecord(name string) *record { return &record{name: name, begin: time.Now()} }

func (r *record) mark(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, mark{time.Since(r.begin), what})
}

func (r *record) at(d time.Duration) *second {
	i := int(d / time.Second)
	for len(r.seconds) <= i {
		r.seconds = append(r.seconds, newSecond())
	}
	return r.seconds[i]
}

// add books one call that was due at d after the begin and has just ended.
func (r *record) add(d time.Duration, err error) {
	took := min(time.Since(r.begin)-d, slowest)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = max(r.ended, time.Since(r.begin))
	s := r.at(d)
	s.due++
	var refused *caller.Refused
	switch {
	case err == nil:
		s.done++
		_ = s.latency.RecordValue(max(took.Microseconds(), 1)) // within the bounds by min and max
	case errors.Is(err, errAgain):
		s.missed++
	case errors.As(err, &refused) && (refused.Status == http.StatusTooManyRequests || refused.Status == http.StatusServiceUnavailable):
		s.shed++
	default:
		s.failed++
		if r.first == nil {
			r.first = err
		}
	}
}

// errAgain is a step whose turn has not come: the case it wanted is not ready.
var errAgain = errors.New("not its turn")

// drive makes calls at the times that rate prescribes, whatever the answers do.
// rate is calls a second at a time after the begin; do is one call.
func (r *record) drive(ctx context.Context, lasting time.Duration, rate func(time.Duration) float64, do func(context.Context) error) {
	due := make(chan time.Duration, 1<<16)
	var wg sync.WaitGroup
	var waiting atomic.Int64
	for range workers {
		wg.Go(func() {
			for d := range due {
				err := do(ctx)
				if ctx.Err() == nil {
					r.add(d, err)
				}
				waiting.Add(-1)
			}
		})
	}
	start := time.Since(r.begin)
	show := newProgress(r.name, lasting)
	for next := 0.0; ; {
		elapsed := time.Since(r.begin) - start
		if elapsed >= lasting || ctx.Err() != nil {
			break
		}
		show.at(elapsed, waiting.Load())
		for next <= elapsed.Seconds() {
			waiting.Add(1)
			due <- start + time.Duration(next*float64(time.Second))
			next += 1 / max(rate(time.Duration(next*float64(time.Second))), 0.1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
	close(due)
	wg.Wait()
	show.end()
}

// steadily is the same rate at all times.
func steadily(perSecond float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return perSecond }
}

// between sums what was due from one time to another.
func (r *record) between(from, to time.Duration) second {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := *newSecond()
	for i, s := range r.seconds {
		if t := time.Duration(i) * time.Second; t < from || t >= to {
			continue
		}
		sum.latency.Merge(s.latency)
		sum.due += s.due
		sum.done += s.done
		sum.shed += s.shed
		sum.failed += s.failed
		sum.missed += s.missed
	}
	return sum
}

func (r *record) all() second { return r.between(0, time.Duration(len(r.seconds))*time.Second) }

func (s second) quantile(q float64) time.Duration {
	return time.Duration(s.latency.ValueAtQuantile(q)) * time.Microsecond
}
