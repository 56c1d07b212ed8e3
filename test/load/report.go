package main

import (
	"fmt"
	"os"
	"time"
)

// report prints what came of the shapes, and counts promises.
type report struct {
	out          string
	kept, broken int
	acked, lost  int // applications that were acknowledged, and that their owner did not find
	headed       bool
}

// row prints what was measured, and what went wrong first.
func (r *report) row(name string, s second, lasted time.Duration) {
	if !r.headed {
		fmt.Println("| what | calls/s | p50 | p99 | p99.9 | shed | failed | not its turn |\n|---|---|---|---|---|---|---|---|")
		r.headed = true
	}
	fmt.Printf("| %s | %.0f | %s | %s | %s | %d | %d | %d |\n", name, float64(s.done)/max(lasted.Seconds(), 1),
		s.quantile(50).Round(10*time.Microsecond), s.quantile(99).Round(10*time.Microsecond), s.quantile(99.9).Round(10*time.Microsecond), s.shed, s.failed, s.missed)
}

// finish prints a record as one row and draws it.
func (r *report) finish(rec *record) error {
	r.row(rec.name, rec.all(), rec.ended)
	if rec.first != nil {
		fmt.Printf("\nfirst failure of %s: %v\n", rec.name, rec.first)
	}
	return rec.picture(r.out)
}

// promise says whether something that must hold did.
func (r *report) promise(held bool, format string, args ...any) {
	word := "kept"
	if held {
		r.kept++
	} else {
		r.broken++
		word = "BROKEN"
	}
	fmt.Printf("\n%s: %s\n", word, fmt.Sprintf(format, args...))
}

// progress shows how far something long has come, on the terminal only.
type progress struct {
	what    string
	lasting time.Duration
	last    time.Time
}

func newProgress(what string, lasting time.Duration) *progress {
	return &progress{what: what, lasting: lasting}
}

func (p *progress) at(elapsed time.Duration, waiting int64) {
	if time.Since(p.last) < time.Second {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(os.Stderr, "\r\033[K  %s %s of %s, %d calls waiting ", p.what, elapsed.Round(time.Second), p.lasting.Round(time.Second), waiting)
}

func (p *progress) end() { fmt.Fprint(os.Stderr, "\r\033[K") }
