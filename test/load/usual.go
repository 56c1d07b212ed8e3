package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/test/stage"
)

// patience is how long a person waits for an answer before giving up.
const patience = 10 * time.Second

// patient makes a call end when nobody waits for it any longer.
func patient(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, stop := context.WithTimeout(ctx, patience)
		defer stop()
		return do(ctx)
	}
}

func ordinary(ctx context.Context, o *options, change func(*local.Options)) (*crowd, func(), error) {
	s, err := stage.Open(ctx, o.dir, func(lo *local.Options) {
		lo.Log = io.Discard // a world that is made to fail fills pages; what counts is in the table
		change(lo)
	})
	if err != nil {
		return nil, nil, err
	}
	c, err := newCrowd(ctx, s, 200)
	return c, func() { _ = s.Close() }, err
}

// keeps says whether everybody who was told "accepted" finds their case.
func keeps(ctx context.Context, c *crowd, r *report) {
	all, lost, err := c.lost(ctx)
	if err != nil {
		fmt.Printf("\nfirst of the lost: %v\n", err)
	}
	r.acked, r.lost = r.acked+all, r.lost+lost
	r.promise(lost == 0, "%d of %d acknowledged applications lost", lost, all)
}

func steady(ctx context.Context, o *options, r *report) error {
	c, end, err := ordinary(ctx, o, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	rec := newRecord("steady")
	rec.drive(ctx, o.lasting(2*time.Minute), steadily(o.rate), patient(c.mixed))
	if err := r.finish(rec); err != nil {
		return err
	}
	all := rec.all()
	r.promise(all.failed == 0 && all.shed == 0, "no call failed or was shed at %.0f/s", o.rate)
	keeps(ctx, c, r)
	return nil
}

// saturation finds what the system can do when its callers wait for each answer,
// then makes twice as many calls, whether answered or not.
func saturation(ctx context.Context, o *options, r *report) error {
	c, end, err := ordinary(ctx, o, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	length := o.lasting(time.Minute)
	var done atomic.Int64
	until, stop := context.WithTimeout(ctx, length)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for until.Err() == nil {
				if c.mixed(until) == nil {
					done.Add(1)
				}
			}
		})
	}
	wg.Wait()
	stop()
	o.peak = float64(done.Load()) / length.Seconds()
	fmt.Printf("peak: %.0f calls/s with 64 callers who wait for their answers\n\n", o.peak)
	rec := newRecord("saturation")
	rec.drive(ctx, length, steadily(2*o.peak), patient(c.mixed))
	if err := r.finish(rec); err != nil {
		return err
	}
	good := float64(rec.all().done) / rec.ended.Seconds()
	r.promise(good >= 0.8*o.peak, "goodput at twice saturation is %.0f %% of the peak (at least 80)", 100*good/o.peak)
	keeps(ctx, c, r)
	return nil
}

// surge grows to 25 times a quiet day in nine steps, stays there and goes back.
func surge(ctx context.Context, o *options, r *report) error {
	c, end, err := ordinary(ctx, o, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	total := o.lasting(14 * time.Minute)
	step := total / 14
	quiet := o.rate / 12.5 // so that the top is twice a usual day
	rec := newRecord("surge")
	rec.drive(ctx, total, func(at time.Duration) float64 {
		switch n := int(at / step); {
		case n < 9:
			return quiet * (1 + 24*float64(n)/8)
		case n < 12:
			return quiet * 25
		}
		return quiet
	}, patient(c.mixed))
	if err := r.finish(rec); err != nil {
		return err
	}
	all, calm, top := rec.all(), rec.between(0, step), rec.between(9*step, 12*step)
	r.row("surge: first step", calm, step)
	r.row("surge: at the top", top, 3*step)
	r.promise(all.failed == 0, "%d calls failed otherwise than by being told to come back", all.failed)
	r.promise(top.quantile(99) <= 4*max(calm.quantile(99), 25*time.Millisecond), "p99 at the top is at most four times the quiet one or 100 ms")
	keeps(ctx, c, r)
	return nil
}

// soak is half a usual day's load for long; what grows would grow without end.
func soak(ctx context.Context, o *options, r *report) error {
	c, end, err := ordinary(ctx, o, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	length := o.lasting(20 * time.Minute)
	rec := newRecord("soak")
	var early, late resources
	watch := time.AfterFunc(length/2, func() { early = used() })
	defer watch.Stop()
	rec.drive(ctx, length, steadily(o.rate/2), patient(c.mixed))
	late = used()
	if err := r.finish(rec); err != nil {
		return err
	}
	fmt.Printf("\nhalf-way: %s; at the end: %s\n", early, late)
	r.promise(late.goroutines <= early.goroutines+workers, "goroutines do not grow")
	r.promise(late.files <= early.files+workers, "open files do not grow")
	before, after := rec.between(length/4, length/2), rec.between(length/2, length)
	fmt.Printf("\np99: %s in the second quarter, %s in the second half\n", before.quantile(99), after.quantile(99))
	r.promise(rec.all().failed == 0, "no call failed")
	keeps(ctx, c, r)
	return nil
}
