package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

func broker(cfg queue.Config, handlers map[string]queue.Handler) *queue.Local {
	if cfg.Queues == nil {
		cfg.Queues = map[string]queue.Queue{}
		for name, h := range handlers {
			cfg.Queues[name] = queue.Queue{Handler: h}
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	cfg.IDs = ident.Random()
	return queue.NewLocal(cfg)
}

func send(t *testing.T, s queue.Sender, name, body string, delay time.Duration) {
	t.Helper()
	if err := s.Send(t.Context(), name, []byte(body), delay); err != nil {
		t.Fatal(err)
	}
}

func TestDeliversInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		began := time.Now()
		l := broker(queue.Config{}, map[string]queue.Handler{"a": func(_ context.Context, m queue.Message) error {
			got = append(got, fmt.Sprintf("%s@%s#%d", m.Body, time.Since(began), m.Attempt))
			return nil
		}})
		l.Start(t.Context())
		defer l.Close()
		send(t, l, "a", "later", 2*time.Minute)
		send(t, l, "a", "first", 0)
		send(t, l, "a", "second", 0)
		if err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := "[first@0s#1 second@0s#1 later@2m0s#1]"; fmt.Sprint(got) != want {
			t.Errorf("got %v", got)
		}
	})
}

// Each fault kind has one fate, and the broker reads it from the table in fault.
func TestFatesOfFailures(t *testing.T) {
	t.Parallel()
	for _, kind := range append(fault.Kinds(), "plain", "panic") {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Duration
			began := time.Now()
			l := broker(queue.Config{}, map[string]queue.Handler{"a": func(context.Context, queue.Message) error {
				at = append(at, time.Since(began))
				switch kind {
				case "plain":
					return errors.New("plain")
				case "panic":
					panic("panic")
				}
				return fmt.Errorf("wrapped: %w", fault.New(kind, "x", "x", "x"))
			}})
			l.Start(t.Context())
			defer l.Close()
			send(t, l, "a", "m", 0)
			if err := l.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			deliveries, dead := 5, 1
			switch kind.Disposition() {
			case fault.Drop:
				deliveries, dead = 1, 0
			case fault.Park:
				deliveries, dead = 1, 1
			}
			if len(at) != deliveries || len(l.Dead()) != dead {
				t.Errorf("%s: delivered %d times at %v, %d dead", kind, len(at), at, len(l.Dead()))
			}
			if deliveries == 5 && fmt.Sprint(at) != "[0s 1s 3s 7s 15s]" {
				t.Errorf("%s: delivered at %v", kind, at)
			}
		})
	}
}

func TestBackoffHonoursRetryAfterItsCeilingAndJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		cfg := queue.Config{MaxBackoff: 20 * time.Second, Jitter: func(n int64) int64 { return n - 1 }, Queues: map[string]queue.Queue{"a": {MaxReceives: 4, Handler: func(_ context.Context, m queue.Message) error {
			at = append(at, time.Since(began))
			return fault.New(fault.TooMany, "x", "x", "x").After([]int{0, 6, 6, 3600}[m.Attempt-1])
		}}}}
		l := broker(cfg, nil)
		l.Start(t.Context())
		defer l.Close()
		send(t, l, "a", "m", 0)
		if err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 1 s, 6 s and 6 s, each and a half.
		if fmt.Sprint(at) != "[0s 1.5s 10.5s 19.5s]" {
			t.Errorf("delivered at %v", at)
		}
	})
}

func TestConcurrencyIsBoundedAndTimeoutsReachTheHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most, timedOut atomic.Int32
		cfg := queue.Config{Queues: map[string]queue.Queue{"a": {Concurrency: 3, Timeout: time.Minute, MaxReceives: 1, Handler: func(ctx context.Context, m queue.Message) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer running.Add(-1)
			<-ctx.Done()
			timedOut.Add(1)
			return ctx.Err()
		}}}}
		l := broker(cfg, nil)
		l.Start(t.Context())
		defer l.Close()
		began := time.Now()
		for range 7 {
			send(t, l, "a", "m", 0)
		}
		if err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if most.Load() != 3 || timedOut.Load() != 7 || time.Since(began) != 3*time.Minute || len(l.Dead()) != 7 {
			t.Errorf("at once %d, timed out %d, after %s, dead %d", most.Load(), timedOut.Load(), time.Since(began), len(l.Dead()))
		}
	})
}

func TestHopsAndTracesAreHandedOn(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var hops []int
	var last error
	var l *queue.Local
	l = broker(queue.Config{Now: func() time.Time { return now }}, map[string]queue.Handler{"a": func(ctx context.Context, m queue.Message) error {
		hops = append(hops, m.Hops)
		if m.Trace != "trace-1" || telemetry.Trace(ctx) != "trace-1" {
			t.Errorf("hop %d has trace %q", m.Hops, m.Trace)
		}
		last = l.Send(ctx, "a", m.Body, 0)
		return last
	}})
	if err := l.Send(telemetry.WithTrace(t.Context(), "trace-1"), "a", []byte("round"), 0); err != nil {
		t.Fatal(err)
	}
	for l.Step(t.Context()) {
	}
	if len(hops) != queue.MaxHops+1 || hops[queue.MaxHops] != queue.MaxHops || !errors.Is(last, queue.ErrTooManyHops) || len(l.Dead()) != 1 {
		t.Errorf("hops %v, last %v, dead %v", hops, last, l.Dead())
	}
	if d, err := queue.Run(t.Context(), queue.Message{Hops: queue.MaxHops + 1}, nil); d != fault.Park || !errors.Is(err, queue.ErrTooManyHops) {
		t.Errorf("a message that came too far: %s %v", d, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	bad := fault.New(fault.Invalid, "bad", "坏", "Bad")
	l := broker(queue.Config{Now: func() time.Time { return now }, MaxMessages: 3, MaxDead: 2}, map[string]queue.Handler{"a": func(context.Context, queue.Message) error { return bad }})
	for i := range 3 {
		send(t, l, "a", fmt.Sprint(i), 0)
	}
	if err := l.Send(t.Context(), "a", nil, 0); !errors.Is(err, queue.ErrFull) || fault.Of(err).Kind != fault.Unavailable {
		t.Errorf("a fourth: %v", err)
	}
	for l.Step(t.Context()) {
	}
	dead := l.Dead()
	if len(dead) != 2 || string(dead[0].Message.Body) != "1" || dead[0].Code != "bad" || l.Pending() != 0 {
		t.Errorf("dead %v, pending %d", dead, l.Pending())
	}
	if n := l.Redrive(); n != 2 || l.Pending() != 2 || len(l.Dead()) != 0 {
		t.Errorf("redrove %d, pending %d", n, l.Pending())
	}
	for _, err := range []error{
		l.Send(t.Context(), "a", bytes.Repeat([]byte{'x'}, queue.MaxBody+1), 0), l.Send(t.Context(), "a", nil, -1),
		l.Send(t.Context(), "a", nil, queue.MaxDelay+1), l.Send(t.Context(), "nobody", nil, 0), l.Handle("nobody", nil),
	} {
		if err == nil {
			t.Error("accepted what is out of range")
		}
	}
}

// The same state steps the same way: by queue name, then by time, then by arrival.
func TestStepIsDeterministic(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var got []string
	note := func(_ context.Context, m queue.Message) error {
		got = append(got, m.Queue+string(m.Body))
		again := string(m.Body) == "3" && m.Attempt == 1
		m.Body[0] = '!' // our own copy: the next delivery is whole
		if again {
			return errors.New("again")
		}
		return nil
	}
	l := broker(queue.Config{Now: func() time.Time { return now }}, map[string]queue.Handler{"b": note, "a": note})
	send(t, l, "b", "1", 0)
	send(t, l, "a", "2", time.Second)
	send(t, l, "a", "3", 0)
	send(t, l, "a", "4", 0)
	steps := func() {
		for l.Step(t.Context()) {
		}
	}
	steps()
	if fmt.Sprint(got) != "[a3 a4 b1]" {
		t.Errorf("got %v", got)
	}
	at, ok := l.Next()
	if !ok || !at.Equal(now.Add(time.Second)) {
		t.Errorf("next %v %v", at, ok)
	}
	now = at
	steps()
	if _, ok := l.Next(); fmt.Sprint(got) != "[a3 a4 b1 a2 a3]" || ok {
		t.Errorf("got %v", got)
	}
}

func TestCloseFinishesWhatRunsAndTakesNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var finished atomic.Int32
		l := broker(queue.Config{}, map[string]queue.Handler{"a": func(context.Context, queue.Message) error {
			<-release
			finished.Add(1)
			return nil
		}})
		l.Start(t.Context())
		send(t, l, "a", "running", 0)
		send(t, l, "a", "waiting", 0)
		synctest.Wait()
		var closed sync.WaitGroup
		closed.Go(l.Close)
		synctest.Wait()
		if err := l.Send(t.Context(), "a", nil, 0); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("sent to a closed broker: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Drain(ctx); err == nil {
			t.Error("drained with a message at work")
		}
		close(release)
		closed.Wait()
		if finished.Load() != 1 {
			t.Errorf("finished %d", finished.Load())
		}
		if l.Step(t.Context()) {
			t.Error("delivered after Close")
		}
	})
}

func TestAPanicIsNotQuoted(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	l := broker(queue.Config{Logger: telemetry.NewLogger(&logs, nil)}, map[string]queue.Handler{"a": func(context.Context, queue.Message) error { panic("canary 王小明") }})
	send(t, l, "a", "m", 0)
	l.Step(t.Context())
	if strings.Contains(logs.String(), "canary") || !strings.Contains(logs.String(), "handler-panicked") {
		t.Errorf("log: %s", logs.String())
	}
}

// TestRestFollowsAClockThatWasMoved: workers sleep by the machine's clock; Rest
// wakes them when the broker's own has been moved on, and waits for them.
func TestRestFollowsAClockThatWasMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var ahead time.Duration
		var got []string
		l := broker(queue.Config{Now: func() time.Time { return began.Add(ahead) }}, map[string]queue.Handler{
			"a": func(_ context.Context, m queue.Message) error {
				<-time.After(time.Second) // an answer takes a while
				got = append(got, string(m.Body))
				return nil
			}})
		l.Start(t.Context())
		defer l.Close()
		send(t, l, "a", "now", 0)
		send(t, l, "a", "soon", 10*time.Minute)
		send(t, l, "a", "soon, too", 10*time.Minute)
		send(t, l, "a", "later", 15*time.Minute)
		for _, c := range []struct {
			ahead time.Duration
			want  int
		}{{0, 1}, {10*time.Minute - 1, 1}, {10 * time.Minute, 3}} {
			ahead = c.ahead
			if err := l.Rest(t.Context()); err != nil || len(got) != c.want {
				t.Fatalf("after %s: %q, %v", c.ahead, got, err)
			}
		}
		if n := l.Pending(); n != 1 {
			t.Errorf("%d messages are held back", n)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("three answers took %s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		ahead = 15 * time.Minute
		if err := l.Rest(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a rest without time: %v", err)
		}
	})
}
