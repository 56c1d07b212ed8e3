// Coverfloor reads a coverage profile and demands a share of statements of the
// packages named. It knows only the profile's format: what the tests are worth
// is for people to judge.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

const module = "github.com/doudi-aid/doudi/"

func main() {
	profile := flag.String("profile", "coverage/profile", "profile written by go test -coverprofile")
	floor := flag.Int("floor", 90, "per cent of statements that must have run")
	flag.Parse()
	f, err := os.Open(*profile)
	if err == nil {
		defer f.Close()
		err = check(f, os.Stdout, *floor, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "coverfloor:", err)
		os.Exit(1)
	}
}

// count is how many statements there are, and how many ran.
type count struct{ all, ran int }

// read adds up a profile by package directory. A block that several test
// binaries report counts once, as run if any of them ran it.
func read(profile io.Reader) (map[string]count, error) {
	type block struct {
		statements int
		ran        bool
	}
	blocks := map[string]block{}
	lines := bufio.NewScanner(profile)
	for n := 1; lines.Scan(); n++ {
		l := lines.Text()
		if strings.HasPrefix(l, "mode: ") {
			continue
		}
		parts := strings.Fields(l)
		if len(parts) != 3 {
			return nil, fmt.Errorf("line %d of the profile has %d parts, not 3", n, len(parts))
		}
		statements, err := strconv.Atoi(parts[1])
		if err != nil {
			return nil, fmt.Errorf("line %d of the profile: %w", n, err)
		}
		blocks[parts[0]] = block{statements, blocks[parts[0]].ran || parts[2] != "0"}
	}
	counts := map[string]count{}
	for at, b := range blocks {
		file, _, _ := strings.Cut(at, ":")
		dir := strings.TrimPrefix(path.Dir(file), module)
		c := counts[dir]
		c.all += b.statements
		if b.ran {
			c.ran += b.statements
		}
		counts[dir] = c
	}
	return counts, lines.Err()
}

// check prints a line for each package and fails if one is below floor or has
// no statements at all, which means that it was moved or misspelt.
func check(profile io.Reader, out io.Writer, floor int, packages []string) error {
	counts, err := read(profile)
	if err != nil {
		return err
	}
	var low error
	for _, p := range packages {
		c := counts[p]
		if c.all == 0 {
			low = errors.Join(low, fmt.Errorf("%s: not in the profile", p))
			continue
		}
		fmt.Fprintf(out, "%4d.%d %%  %s\n", 100*c.ran/c.all, 1000*c.ran/c.all%10, p)
		if 100*c.ran < floor*c.all {
			low = errors.Join(low, fmt.Errorf("%s: %d of %d statements ran, below %d %%", p, c.ran, c.all, floor))
		}
	}
	return low
}
