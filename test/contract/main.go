// Command contract holds the whole system against its API document. For each
// kind of caller it starts one on a free loopback port, plays cases that can be
// asked about, and has Schemathesis send what the document allows and what it
// forbids; every answer must be one that the document promises, and none a
// server's error. It shows how far it is, ends by itself, and exits 1 when an
// answer was another. The same seed asks the same again.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// options are what every caller's run shares.
type options struct {
	tool, document string // files
	only           string // one caller; "" for all
	seed           uint64
	examples       int           // fuzzed requests an operation
	each           time.Duration // for one caller, at most
	at             int           // callers at the same time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.tool, "tool", ".tools/schemathesis/bin/schemathesis", "the pinned Schemathesis; scripts/tools contract installs it")
	flag.StringVar(&o.document, "document", "docs/api/openapi.yaml", "the API document")
	flag.StringVar(&o.only, "only", "", "one caller only: "+strings.Join(callers, ", "))
	flag.Uint64Var(&o.seed, "seed", 0, "asks the same again; 0 draws one and prints it")
	flag.IntVar(&o.examples, "examples", 5, "how many fuzzed requests an operation, for each caller, besides the examples and the edges of every field")
	flag.DurationVar(&o.each, "each", 10*time.Minute, "how long one caller may take")
	flag.IntVar(&o.at, "at", 2, "how many callers ask at the same time, each a system of their own")
	flag.Parse()
	if o.seed == 0 {
		o.seed = 1 + rand.Uint64N(1<<31)
	}
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		os.Exit(1)
	}
}

// run asks in the name of every caller and says who was answered wrongly.
func run(ctx context.Context, o options, to io.Writer) error {
	asking := callers
	if o.only != "" {
		if !slices.Contains(callers, o.only) {
			return fmt.Errorf("nobody is called %q; there are %s", o.only, strings.Join(callers, ", "))
		}
		asking = []string{o.only}
	}
	for _, file := range []*string{&o.tool, &o.document} {
		full, err := filepath.Abs(*file)
		if err == nil {
			_, err = os.Stat(full)
		}
		if err != nil {
			return err
		}
		*file = full
	}
	began, out := time.Now(), &lines{to: to}
	out.say("seed %d", o.seed)
	var group errgroup.Group
	group.SetLimit(max(o.at, 1))
	failed := make([]error, len(asking))
	for i, name := range asking {
		group.Go(func() error {
			if failed[i] = ask(ctx, o, name, out); failed[i] != nil && ctx.Err() == nil {
				out.say("%s: %v\nagain: make contract SEED=%d ONLY=%s", name, failed[i], o.seed, name)
			}
			return nil
		})
	}
	_ = group.Wait() // each caller's error is kept apart
	if err := ctx.Err(); err != nil {
		return err
	}
	var who []string
	for i, err := range failed {
		if err != nil {
			who = append(who, asking[i])
		}
	}
	if len(who) > 0 {
		return fmt.Errorf("not as the document promises, to %s (seed %d)", strings.Join(who, ", "), o.seed)
	}
	out.say("%d requests of %d callers: every answer was one that the document promises, in %.0f s (seed %d)", out.asked, len(asking), time.Since(began).Seconds(), o.seed)
	return nil
}

// lines are written whole, whoever writes them.
type lines struct {
	mu    sync.Mutex
	to    io.Writer
	asked int // requests
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.to, format+"\n", args...)
}

// add counts requests.
func (l *lines) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked += n
}

var (
	phase = regexp.MustCompile(`^\s*(\S+)\s+(Examples|Coverage|Fuzzing|Stateful) \(in ([0-9.]+s)\)`)
	count = regexp.MustCompile(`(?m)^\s*([0-9]+) generated`)
)

// ask runs Schemathesis once, over a system of its own, in the name of one
// caller. What it writes is shown when something was wrong.
func ask(ctx context.Context, o options, name string, out *lines) (err error) {
	ctx, stop := context.WithTimeout(ctx, o.each)
	defer stop()
	s, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c, err := s.signIn(ctx, name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "doudi-contract-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := filepath.Join(dir, "schemathesis.toml")
	if err := os.WriteFile(config, s.config(name, c.Token), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, o.tool, "--config-file", config, "run", o.document, "--url", s.URL, "--seed", fmt.Sprint(o.seed),
		"--max-examples", fmt.Sprint(o.examples), "--generation-database", "none", "--no-shrink", "--continue-on-failure",
		"--no-color", "--warnings", "off")
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { // the host's proxies have no business on the loopback address
		return strings.HasSuffix(strings.ToLower(strings.SplitN(v, "=", 2)[0]), "_proxy")
	}), "NO_PROXY=*")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	began := time.Now()
	out.say("%s: %s with %s", name, s.URL, s)
	if err := cmd.Start(); err != nil {
		return err
	}
	var all bytes.Buffer
	read := bufio.NewScanner(said)
	read.Buffer(nil, 64<<20) // a request that failed is a line, whatever its size
	for read.Scan() {
		fmt.Fprintf(&all, "%s\n", read.Bytes())
		if m := phase.FindSubmatch(read.Bytes()); m != nil {
			out.say("%s: %s %s, %s", name, m[1], m[2], m[3])
		}
	}
	err = errors.Join(read.Err(), cmd.Wait())
	if ctx.Err() != nil {
		return fmt.Errorf("not done after %s", time.Since(began).Round(time.Second))
	}
	if err != nil {
		out.say("%s", all.Bytes())
		return fmt.Errorf("the requests of Schemathesis: %w", err)
	}
	m := count.FindSubmatch(all.Bytes())
	if m == nil {
		return fmt.Errorf("no word from Schemathesis of how much it asked:\n%s", all.Bytes())
	}
	asked, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return err
	}
	out.add(asked)
	out.say("%s: %d requests, every answer as promised, %.0f s", name, asked, time.Since(began).Seconds())
	return nil
}
