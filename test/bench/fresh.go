package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/stage"
)

// probed is a township where nobody applies but the probe.
const probed = "320411002000"

// freshness measures how long after an application was answered it is in the
// report that a supervisor asks for over HTTP: with nothing else going on, with
// whole cases lived beside it at about half of what the system can, and at all it
// can.
func freshness(ctx context.Context, o options) error {
	s, err := stage.Open(ctx, o.dir, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer s.Close()
	supervisor, err := s.Caller.SignIn(ctx, "/v1/staff/sessions", "staff:supervisor-1", "320400")
	if err != nil {
		return err
	}
	fmt.Print("| cases lived beside it | probes | p50 | p99 | longest |\n|---|---|---|---|---|\n")
	seen := int64(0)
	for _, clients := range []int{0, 4, 64} {
		load := make(chan rate, 1)
		go func() { load <- measure(ctx, clients, o.lasting, s.One) }()
		var took []time.Duration
		for begin := time.Now(); time.Since(begin) < o.lasting && ctx.Err() == nil; {
			d, err := visible(ctx, s, supervisor, seen)
			if err != nil {
				return err
			}
			seen++
			took = append(took, d)
		}
		r := <-load
		slices.Sort(took)
		at := func(percent int) time.Duration {
			return took[min(len(took)-1, len(took)*percent/100)].Round(time.Millisecond)
		}
		fmt.Printf("| %.0f a second by %d clients | %d | %s | %s | %s |\n", r.perSecond, clients, len(took), at(50), at(99), at(100))
	}
	return ctx.Err()
}

// visible applies in the probed township, where so many have, and waits until the
// report says one more.
func visible(ctx context.Context, s *stage.Stage, supervisor caller.Caller, seen int64) (time.Duration, error) {
	n := s.Next()
	citizen, err := s.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:fresh-%d", n), "")
	if err != nil {
		return 0, err
	}
	form := caller.Application(n, s.Consent)
	form["place"] = probed
	if err := citizen.Do(ctx, http.MethodPost, "/v1/applications", fmt.Sprintf("fresh-%d", n), form, nil); err != nil {
		return 0, err
	}
	begin := time.Now()
	err = s.Until(ctx, func() (bool, error) {
		var report struct {
			Figures []indicator.Figure `json:"figures"`
		}
		if err := supervisor.Do(ctx, http.MethodGet, "/v1/staff/indicators?division="+probed, "", nil, &report); err != nil {
			return false, err
		}
		for _, f := range report.Figures {
			if f.Indicator == indicator.Applications {
				return f.Count > seen, nil
			}
		}
		return false, nil
	})
	return time.Since(begin), err
}
