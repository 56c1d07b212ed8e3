package pace

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }

func start() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// TestNoSecondSeesMoreThanTheRate: eight processes that share nothing but the
// table ask as often as they can, for three seconds.
func TestNoSecondSeesMoreThanTheRate(t *testing.T) {
	t.Parallel()
	store, c := embedded.Memory(), start()
	var gates []*Gate
	for range 8 {
		gates = append(gates, New(store, "x", 100, c.now, nil))
	}
	var passes []time.Time
	var mu sync.Mutex
	for range 300 {
		var wg sync.WaitGroup
		for _, g := range gates {
			wg.Go(func() {
				ok, err := g.Take(t.Context())
				if err != nil {
					t.Error(err)
				}
				if ok {
					mu.Lock()
					passes = append(passes, c.now())
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		c.move(10 * time.Millisecond)
	}
	for i := range passes {
		n := 0
		for _, p := range passes[i:] {
			if p.Sub(passes[i]) < time.Second {
				n++
			}
		}
		if n > 100 {
			t.Fatalf("%d passes in one second", n)
		}
	}
	if len(passes) < 3*75 {
		t.Errorf("only %d passes in three seconds: the rate is not used", len(passes))
	}
}

func TestAWrongClockStopsNobody(t *testing.T) {
	t.Parallel()
	store, c := embedded.Memory(), start()
	ahead := start()
	ahead.move(10 * time.Minute)
	for range lanes {
		if ok, err := New(store, "x", 100, ahead.now, nil).Take(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := New(store, "x", 100, c.now, nil).Take(t.Context()); !ok || err != nil {
		t.Error("marks of the future are believed", err)
	}
}

func TestPauseHoldsEverybody(t *testing.T) {
	t.Parallel()
	store, c := embedded.Memory(), start()
	a, b := New(store, "x", 100, c.now, nil), New(store, "x", 100, c.now, nil)
	if err := errors.Join(a.Pause(t.Context(), time.Hour), b.Pause(t.Context(), time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.move(59 * time.Minute)
	if ok, _ := b.Take(t.Context()); ok {
		t.Error("passed during a pause, which a shorter one had cut")
	}
	c.move(2 * time.Minute)
	if ok, err := b.Take(t.Context()); !ok {
		t.Error("the pause does not end", err)
	}
	if err := a.Pause(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	if ok, _ := b.Take(t.Context()); ok {
		t.Error("a second pause does not hold")
	}
	if ok, err := New(store, "y", 100, c.now, nil).Take(t.Context()); !ok {
		t.Error("another gate is held too", err)
	}
}

func TestTakeWaitsAndGivesUp(t *testing.T) {
	t.Parallel()
	store, c := embedded.Memory(), start()
	g := New(store, "x", 20, c.now, func(_ context.Context, d time.Duration) error { c.move(d); return nil })
	for range 3 * lanes {
		if ok, err := g.Take(t.Context()); !ok {
			t.Fatal(err)
		}
	}
	stopped := New(store, "x", 20, c.now, func(context.Context, time.Duration) error { return nil }) // time stands still
	for range lanes {
		_, _ = stopped.Take(t.Context())
	}
	if ok, err := stopped.Take(t.Context()); ok || err != nil {
		t.Error("passed though no lane was free", err)
	}
}

var errGone = errors.New("gone")

// sick is a store that fails from the nth call on.
type sick struct {
	table.Store
	err error
	get bool
}

func (s sick) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if s.get {
		return table.Item{}, false, s.err
	}
	return s.Store.Get(ctx, k)
}
func (s sick) Transact(context.Context, ...table.Write) error { return s.err }

func TestASickStoreLetsNobodyPass(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]sick{
		"get": {embedded.Memory(), errGone, true}, "write": {embedded.Memory(), errGone, false}, "unknown": {embedded.Memory(), table.ErrUnknown, false},
	} {
		g := New(s, "x", 100, start().now, nil)
		if ok, err := g.Take(t.Context()); ok || (name != "unknown" && !errors.Is(err, errGone)) || (name == "unknown" && err != nil) {
			t.Errorf("%s: %v %v", name, ok, err)
		}
		if err := g.Pause(t.Context(), time.Minute); name != "unknown" && !errors.Is(err, errGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
