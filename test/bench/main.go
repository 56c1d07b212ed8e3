// Command bench measures the whole system on this machine and prints tables
// with ratios taken within one run. What it prints is what docs/benchmarks.md
// quotes. It talks to itself on the loopback address only, for a bounded time.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// part is one table.
type part struct {
	name  string
	about string
	run   func(context.Context, options) error
}

// options are what all parts share.
type options struct {
	dir     string // for data; removed by whoever made it
	lasting time.Duration
	stored  int
	cases   int
}

func parts() []part {
	return []part{
		{"lifecycle", "whole cases a second, with few and with many applications stored", lifecycles},
		{"complaint", "whole lives of complaints a second, with none and with many stored", complaints},
		{"apply", "applications over HTTP against a bare transaction of the same items", applies},
		{"models", "an approval with every inspection model against one with none", inspections},
		{"starts", "size and start of each shipped function against a bare handler over DynamoDB", starts},
		{"indicators", "folding a city's year into figures, and its report", figures},
		{"fresh", "from an event to the report in which it shows", freshness},
		{"up", "memory at rest and time from start to ready", ups},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	o := options{}
	f.DurationVar(&o.lasting, "lasting", 15*time.Second, "how long each measurement lasts")
	f.IntVar(&o.stored, "stored", 1_000_000, "applications, or complaints, stored before the second measurement")
	f.IntVar(&o.cases, "cases", 1_000_000, "cases of the year whose report is held against that of one with ten thousand")
	only := f.String("only", "", "comma-separated parts; empty for all")
	f.StringVar(&o.dir, "dir", "", "directory for data, on the disk to be measured; empty for a temporary one")
	profile := f.String("cpuprofile", "", "file to write a CPU profile to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		out, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	dir, err := os.MkdirTemp(o.dir, "doudi-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	for _, p := range parts() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), p.name) {
			continue
		}
		fmt.Printf("\n## %s: %s\n\n", p.name, p.about)
		sub := o
		sub.dir = filepath.Join(dir, p.name)
		if err := os.MkdirAll(sub.dir, 0o700); err != nil {
			return err
		}
		if err := p.run(ctx, sub); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := os.RemoveAll(sub.dir); err != nil { // a million applications are gigabytes
			return err
		}
	}
	return nil
}

// progress shows how far something long has come, on the terminal only.
func progress(what string, done, all int) {
	fmt.Fprintf(os.Stderr, "\r  %s %d of %d (%d %%) ", what, done, all, done*100/all)
	if done >= all {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
}
