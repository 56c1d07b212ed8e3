package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
)

// size measures single cases with ten thousand stored and with very many: what
// looks at one case must not care how many there are.
func size(ctx context.Context, o *options, r *report) error {
	c, end, err := ordinary(ctx, o, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	calls := []struct {
		name string
		do   func(context.Context) error
	}{{"own case", c.look}, {"case at the desk", c.work}, {"application", c.apply}}
	p99 := map[string]time.Duration{}
	for _, stored := range []int{10_000, max(o.count(3_000_000), 20_000)} {
		show := newProgress("storing cases", 0)
		if err := c.Fill(ctx, stored, func(done, all int) { show.at(0, int64(all-done)) }); err != nil {
			return err
		}
		show.end()
		// A store that has just swallowed millions of items is still sorting them.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2*time.Second + time.Duration(stored/20_000)*time.Second):
		}
		for _, call := range calls {
			took := make([]time.Duration, 0, 2000)
			for range cap(took) {
				begin := time.Now()
				if err := call.do(ctx); err != nil {
					return err
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			now := took[len(took)*99/100]
			fmt.Printf("| %s | %d stored | p50 %s | p99 %s |\n", call.name, stored, took[len(took)/2], now)
			if before, ok := p99[call.name]; ok {
				r.promise(float64(now) <= 1.2*float64(before), "%s: p99 is %.2f of that with 10,000 stored (at most 1.2)", call.name, float64(now)/float64(before))
			}
			p99[call.name] = now
		}
	}
	return nil
}
