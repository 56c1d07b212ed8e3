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
	var s samples
	s.take(ctx, clients, lasting, work)
	return s.rate()
}

// samples are what was measured so far.
type samples struct {
	mu     sync.Mutex
	took   []time.Duration
	lasted time.Duration
	failed int64
	first  error
}

// take does work with so many clients for so long.
func (s *samples) take(ctx context.Context, clients int, lasting time.Duration, work func(context.Context) error) {
	begin := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for time.Since(begin) < lasting && ctx.Err() == nil {
				start := time.Now()
				err := work(ctx)
				s.add(time.Since(start), err)
			}
		})
	}
	wg.Wait()
	s.lasted += time.Since(begin)
}

func (s *samples) add(took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.took = append(s.took, took)
		return
	}
	if s.failed == 0 {
		s.first = err
	}
	s.failed++
}

func (s *samples) rate() rate {
	r := rate{perSecond: float64(len(s.took)) / s.lasted.Seconds(), failed: s.failed, first: s.first}
	if len(s.took) > 0 {
		slices.Sort(s.took)
		r.p50, r.p99 = s.took[len(s.took)/2], s.took[len(s.took)*99/100]
	}
	return r
}

// warming is how long what is measured goes on before it is.
const warming = 5 * time.Second

// turns is how often two things that are held against each other take turns, so
// that whatever the machine does meanwhile it does to both.
const turns = 5

// inTurns measures the same work on a system with few things stored and on one with
// many, and prints both.
func inTurns(ctx context.Context, clients int, lasting time.Duration, stored [2]int, works [2]func(context.Context) error) {
	var both [2]samples
	for _, work := range works {
		_ = measure(ctx, clients, warming, work) // what fails shows again below
	}
	for range turns {
		for i, work := range works {
			both[i].take(ctx, clients, lasting/turns, work)
		}
	}
	few, many := both[0].rate(), both[1].rate()
	for i, r := range []rate{few, many} {
		fmt.Printf("| %9d stored | %d clients | %s |\n", stored[i], clients, r)
	}
	fmt.Printf("\nratio: %.2f of the rate with %d stored\n", many.perSecond/few.perSecond, stored[0])
}
