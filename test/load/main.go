// Command load puts the whole system under the loads that it promises to bear:
// surges, a hot fund, ten thousand payouts under the bank's cap, a storm of
// callbacks, each dependency half broken, power cuts every half second, a soak.
// It speaks to itself on the loopback address only, shows how far it is, ends by
// itself, prints a table and writes a picture of each run. It exits 1 when a
// promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are what all shapes share.
type options struct {
	dir   string  // for data; made and removed for each shape
	out   string  // for pictures
	scale float64 // of every length of time and of every count
	rate  float64 // calls a second of the steady mix
	peak  float64 // calls a second at which the system is full; 0 until measured
}

func (o options) lasting(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*o.scale), 4*time.Second)
}

func (o options) count(n int) int { return max(int(float64(n)*o.scale), 50) }

// glance is the scale of a quick look.
const glance = 0.02

// shape is one load.
type shape struct {
	name, about string
	run         func(context.Context, *options, *report) error
}

func shapes() []shape {
	return []shape{
		{"steady", "the mix of a usual day", steady},
		{"saturation", "all the system can do, and then twice as much", saturation},
		{"surge", "25 times a usual day within nine steps, held, and back", surge},
		{"fund", "approvals that all draw on one slice of one fund", hotFund},
		{"payouts", "payments under the bank's cap of 100 a second", payouts},
		{"callbacks", "callbacks: half of them twice, a third lost, in any order", callbacks},
		{"brownout", "each dependency in turn fails one call in four", brownout},
		{"kills", "the process dies every half second", kills},
		{"size", "single cases with few and with many stored", size},
		{"soak", "half of a usual day's load for a long time", soak},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

var errBroken = errors.New("a promise was broken; see the lines marked BROKEN")

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	var o options
	f.Float64Var(&o.scale, "scale", 0.25, "of the lengths and counts that docs/benchmarks.md names; 1 takes about an hour")
	quick := f.Bool("quick", false, fmt.Sprintf("a look at every shape but size in under three minutes: scale %g", glance))
	f.Float64Var(&o.rate, "rate", 300, "calls a second of a usual day")
	f.StringVar(&o.out, "out", "docs/load", "directory for the pictures")
	only := f.String("only", "", "comma-separated shapes; empty for all")
	serve := f.String("serve", "", "be the system that is killed, with its data in this directory")
	listen := f.String("listen", "", "address of the system that is killed")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return victim(ctx, *serve, *listen)
	}
	if *quick {
		o.scale = glance
	}
	if o.scale <= 0 || o.scale > 1 || o.rate <= 0 || f.NArg() > 0 {
		return errors.New("scale must be above 0 and at most 1, rate above 0, and no argument is taken")
	}
	var names []string
	for _, s := range shapes() {
		names = append(names, s.name)
	}
	for _, name := range strings.Split(*only, ",") {
		if name != "" && !slices.Contains(names, name) {
			return fmt.Errorf("no shape %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	r := &report{out: o.out}
	dir, err := os.MkdirTemp("", "doudi-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, s := range shapes() {
		if *quick && *only == "" && s.name == "size" {
			continue // storing tens of thousands takes minutes at any scale
		}
		if *only != "" && !slices.Contains(strings.Split(*only, ","), s.name) {
			continue
		}
		fmt.Printf("\n## %s: %s\n\n", s.name, s.about)
		o.dir = filepath.Join(dir, s.name)
		if err := s.run(ctx, &o, r); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := os.RemoveAll(o.dir); err != nil {
			return err
		}
	}
	fmt.Printf("\n%d acknowledged applications looked for, %d lost\n", r.acked, r.lost)
	fmt.Printf("\n%d promises kept, %d broken\n", r.kept, r.broken)
	if r.broken > 0 {
		return errBroken
	}
	return nil
}
