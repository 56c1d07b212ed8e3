// Package payouttest is a room in which money moves and anything can go wrong: a
// store and a bank that fail, forget and die exactly where a test says. The bank
// speaks the real protocol with real signatures. It is for tests only and knows
// nothing of the functions it is used on.
package payouttest

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/doudi-aid/doudi/shared/table"
)

// Doom is what becomes of one touch of the world.
type Doom string

// The dooms.
const (
	DieBefore Doom = "die-before" // the process ends, nothing was done
	DieAfter  Doom = "die-after"  // done, and the process ends
	Lost      Doom = "lost"       // not done, and nobody says so
	LostDone  Doom = "lost-done"  // done, and nobody says so
)

// Dooms lists every doom.
func Dooms() []Doom { return []Doom{DieBefore, DieAfter, Lost, LostDone} }

// Fate counts the touches of the world (writes to the store, calls to the bank)
// and says what becomes of each.
type Fate struct {
	mu      sync.Mutex
	touches int
	dooms   map[int]Doom
}

// NewFate dooms touches by their number, counted from 1.
func NewFate(dooms map[int]Doom) *Fate { return &Fate{dooms: dooms} }

// Touches is how many there were.
func (f *Fate) Touches() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.touches
}

// Turn makes it as if there had been so many touches, and dooms later ones.
func (f *Fate) Turn(touches int, dooms map[int]Doom) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touches, f.dooms = touches, dooms
}

func (f *Fate) next() Doom {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touches++
	return f.dooms[f.touches]
}

// killed is what the end of a process panics with.
type killed struct{}

// Live runs f and reports whether it lived to the end.
func Live(f func() error) (lived bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ours := p.(killed); !ours {
				panic(p)
			}
			lived, err = false, nil
		}
	}()
	return true, f()
}

// Touch does act, or not, as fate has it. lost is what the caller gets when its
// answer is lost.
func (f *Fate) Touch(act func() error, lost error) error {
	switch f.next() {
	case DieBefore:
		panic(killed{})
	case DieAfter:
		_ = act()
		panic(killed{})
	case Lost:
		return lost
	case LostDone:
		_ = act()
		return lost
	}
	return act()
}

// Mortal is a store whose writes are in the hands of fate.
type Mortal struct {
	table.Store
	Fate *Fate
	// Before, when set, runs before every transaction; what it does comes first.
	Before func(context.Context)
}

// Transact applies writes, or not, as fate has it.
func (m *Mortal) Transact(ctx context.Context, writes ...table.Write) error {
	if m.Before != nil {
		m.Before(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err // a store does not write for somebody who has gone
	}
	return m.Fate.Touch(func() error { return m.Store.Transact(ctx, writes...) }, table.ErrUnknown)
}

var errCut = errors.New("connection cut")

type line struct {
	fate *Fate
	to   http.RoundTripper
}

func (l line) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	err = l.fate.Touch(func() error {
		var err error
		answer, err = l.to.RoundTrip(r)
		return err
	}, errCut)
	if err != nil {
		return nil, err
	}
	return answer, nil
}
