package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
)

// size measures whole lives of cases with ten thousand stored and with very many:
// what concerns one case must not care how many there are. Two systems live them
// in turns, so that whatever the machine does it does to both.
func size(ctx context.Context, o *options, r *report) error {
	stored := [2]int{10_000, max(o.count(3_000_000), 20_000)}
	var towns [2]*town
	for i, n := range stored {
		t, end, err := settled(ctx, o, n)
		if err != nil {
			return err
		}
		defer end()
		towns[i] = t
	}
	lives := o.count(4000) // fewer, and chance alone makes twice a p99 of a few milliseconds
	show := newProgress("lives of cases", 0)
	for n := range lives + lives/10 {
		if n == lives/10 { // the first tenth warms
			for _, t := range towns {
				t.watch.clear()
			}
		}
		for _, t := range towns {
			if err := t.live(ctx); err != nil {
				return err
			}
		}
		show.at(0, int64(lives+lives/10-n))
	}
	show.end()
	fmt.Printf("| route | calls | p50 with %d stored | p50 with %d | p99 with %d | p99 with %d | ratio |\n|---|---|---|---|---|---|---|\n", stored[0], stored[1], stored[0], stored[1])
	at := func(list []time.Duration, percent int) time.Duration {
		list = slices.Sorted(slices.Values(list))
		return list[len(list)*percent/100].Round(10 * time.Microsecond)
	}
	var worst, chance float64
	var slowest string
	for _, route := range slices.Sorted(maps.Keys(towns[0].watch.took)) {
		few, many := towns[0].watch.took[route], towns[1].watch.took[route]
		var halves [2][]time.Duration
		for i, d := range few {
			halves[i%2] = append(halves[i%2], d)
		}
		one, other := float64(at(halves[0], 99)), float64(at(halves[1], 99))
		chance = max(chance, one/other, other/one)
		ratio := float64(at(many, 99)) / float64(at(few, 99))
		fmt.Printf("| %s | %d | %s | %s | %s | %s | %.2f |\n", route, len(many), at(few, 50), at(many, 50), at(few, 99), at(many, 99), ratio)
		if ratio > worst {
			worst, slowest = ratio, route
		}
	}
	fmt.Printf("\nwhat chance does: the p99 of every second call with %d stored is up to %.2f times that of the others\n", stored[0], chance)
	r.promise(worst <= 1.2, "the p99 of no route of one case is more than 1.2 times that with 10,000 stored; the worst is %.2f, of %s", worst, slowest)
	return nil
}

// town is a system with the times that its answers took.
type town struct {
	*crowd
	watch *stopwatch
}

// settled is a town with so many cases stored.
func settled(ctx context.Context, o *options, stored int) (*town, func(), error) {
	sub := *o
	sub.dir = filepath.Join(o.dir, fmt.Sprint(stored))
	c, end, err := ordinary(ctx, &sub, func(*local.Options) {})
	if err != nil {
		return nil, nil, err
	}
	show := newProgress("storing cases", 0)
	err = c.Fill(ctx, stored, func(done, all int) { show.at(0, int64(all-done)) })
	show.end()
	t := &town{crowd: c, watch: &stopwatch{under: c.Caller.HTTP.Transport, took: map[string][]time.Duration{}}}
	c.Caller.HTTP.Transport = t.watch
	if err != nil {
		end()
		return nil, nil, err
	}
	return t, end, nil
}

// live is the life of two cases over HTTP: one is looked at by everybody, visited,
// proposed, approved, paid, confirmed and explained, the other is added to and
// withdrawn.
func (t *town) live(ctx context.Context) error {
	n := t.Next()
	person, err := t.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:size-%d", n), "")
	if err != nil {
		return err
	}
	id, err := t.Submit(ctx, person, n)
	if err != nil {
		return err
	}
	own, desk := "/v1/applications/"+id, "/v1/staff/applications/"+id
	verified := func() (bool, error) { return t.Verified(ctx, id) }
	paid := func() (bool, error) {
		p, err := payout.Get(ctx, t.Table, payout.Key(id, "01"))
		return p.State == payout.Paid, err
	}
	err = errors.Join(t.Until(ctx, verified),
		person.Do(ctx, http.MethodGet, own, "", nil, nil),
		t.Clerk.Do(ctx, http.MethodGet, desk, "", nil, nil),
		person.Do(ctx, http.MethodGet, own, "", nil, nil),
		t.Clerk.Do(ctx, http.MethodGet, desk, "", nil, nil),
		t.Clerk.Do(ctx, http.MethodPost, desk+"/visits", "v"+id, map[string]any{"method": "door", "finding": "as_told", "note": "到户看过。"}, nil),
		t.release(ctx, id),
		t.Until(ctx, paid),
		person.Do(ctx, http.MethodGet, own+"/card", "", nil, nil),
		person.Do(ctx, http.MethodPost, own+"/receipts", "r"+id, map[string]any{"award": "01", "answer": "received"}, nil),
		t.Clerk.Do(ctx, http.MethodPost, desk+"/explanations", "e"+id, map[string]any{"findings": "ok", "text": "已入户核实，情况属实，材料齐全。"}, nil),
		person.Do(ctx, http.MethodGet, own+"/readings", "", nil, nil))
	if err != nil {
		return err
	}
	n = t.Next()
	if person, err = t.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:size-%d", n), ""); err != nil {
		return err
	}
	if id, err = t.Submit(ctx, person, n); err != nil {
		return err
	}
	own = "/v1/applications/" + id
	return errors.Join(person.Do(ctx, http.MethodPost, own+"/supplements", "s"+id, map[string]any{"story": "还有一件事没有说。"}, nil),
		t.Until(ctx, verified),
		person.Do(ctx, http.MethodPost, own+"/withdrawal", "w"+id, map[string]any{}, nil))
}

// stopwatch notes how long each answer took, by route.
type stopwatch struct {
	under http.RoundTripper
	mu    sync.Mutex
	took  map[string][]time.Duration
}

// RoundTrip makes the call.
func (w *stopwatch) RoundTrip(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	res, err := w.under.RoundTrip(req)
	took := time.Since(begin)
	parts := strings.Split(req.URL.Path, "/")
	for i, p := range parts {
		if ident.Valid(p) {
			parts[i] = "{id}"
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	route := req.Method + " " + strings.Join(parts, "/")
	w.took[route] = append(w.took[route], took)
	return res, err
}

func (w *stopwatch) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.took)
}
