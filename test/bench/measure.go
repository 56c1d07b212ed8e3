package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// rate is how fast something went.
type rate struct {
	perSecond float64
	p50, p99  time.Duration
	failed    int64
	first     error
}

func (r rate) String() string {
	s := fmt.Sprintf("%9.1f/s   p50 %8s   p99 %8s", r.perSecond, r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond))
	if r.failed > 0 {
		s += fmt.Sprintf("   %d FAILED, the first: %v", r.failed, r.first)
	}
	return s
}

// measure does work with so many clients for so long.
func measure(ctx context.Context, clients int, lasting time.Duration, work func(context.Context) error) rate {
	var mu sync.Mutex
	var took []time.Duration
	var r rate
	begin := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for time.Since(begin) < lasting && ctx.Err() == nil {
				start := time.Now()
				err := work(ctx)
				d := time.Since(start)
				mu.Lock()
				if err != nil {
					if r.failed == 0 {
						r.first = err
					}
					r.failed++
				} else {
					took = append(took, d)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.perSecond = float64(len(took)) / time.Since(begin).Seconds()
	if len(took) > 0 {
		slices.Sort(took)
		r.p50, r.p99 = took[len(took)/2], took[len(took)*99/100]
	}
	return r
}
