package brake

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Board is every brake that stops anything, as one copy of the board has it.
// Whoever moves money reads a copy strongly, asks it, and puts Check into the
// write: a brake that is pulled between the two then wins.
//
// There are several copies, all changed by every step, because a condition on
// one item by every payment at once would make the payments wait for each other.
type Board struct {
	copy    int
	version int64
	brakes  []Brake
}

// Copies is how many copies of the board there are.
const Copies = 8

// most bounds the brakes on the board, so that it always fits into an item.
const most = 50

func boardKey(n int) table.Key { return table.Key{PK: "BRAKEBOARD#" + strconv.Itoa(n), SK: "BOARD"} }

// Read reads the copy for whatever has that id: an application, an officer.
func Read(ctx context.Context, t table.Store, id string) (Board, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	return read(ctx, t, int(h.Sum32()%Copies))
}

func read(ctx context.Context, t table.Store, n int) (Board, error) {
	item, ok, err := t.Get(ctx, boardKey(n))
	if err != nil || !ok {
		return Board{copy: n}, err
	}
	b := Board{copy: n, version: item.Version}
	if err := json.Unmarshal(item.Body, &b.brakes); err != nil {
		return b, fmt.Errorf("brake: board: %w", err)
	}
	return b, nil
}

// Check is the condition that no brake was pulled or lifted since b was read.
func (b Board) Check() table.Check { return table.Check{Key: boardKey(b.copy), Version: b.version} }

// Moved reports whether err says that b's Check did not hold: read again.
func (b Board) Moved(err error) bool {
	_, moved := table.FailedOn(err, boardKey(b.copy))
	return moved
}

// Stopped is ErrStopped when a brake stops p at t.
func (b Board) Stopped(p Payment, t time.Time) error {
	if slices.ContainsFunc(b.brakes, func(one Brake) bool { return one.Stops(t) && one.stops(p) }) {
		return ErrStopped
	}
	return nil
}

// Frozen is ErrFrozen when a brake stops one of the actors at t.
func (b Board) Frozen(t time.Time, people ...event.Actor) error {
	for _, one := range b.brakes {
		if one.Stops(t) && slices.ContainsFunc(people, one.freezes) {
			return ErrFrozen
		}
	}
	return nil
}

// Standing lists the brakes that stop anything at t, oldest first.
func (b Board) Standing(t time.Time) []Brake {
	var all []Brake
	for _, one := range b.brakes {
		if one.Stops(t) {
			all = append(all, one)
		}
	}
	return all
}

// with is the board after one step of a brake. Lifted brakes leave it; lapsed
// ones stay until their hand may pull alone again.
func (b Board) with(changed Brake, t time.Time) (Board, error) {
	next := Board{copy: b.copy, version: b.version + 1, brakes: []Brake{}}
	for _, one := range append(slices.Clone(b.brakes), changed) {
		switch {
		case one.ID == changed.ID && one.Version != changed.Version, one.Lifted != nil:
		case one.State(t) == Lapsed && !t.Before(one.Until.Add(Again)):
		default:
			next.brakes = append(next.brakes, one)
		}
	}
	if len(next.brakes) > most && changed.Version == 1 {
		return next, ErrMany
	}
	return next, nil
}

// admits is an error when a new brake may not be pulled: its scope is stopped
// already, or a pull of the same person's lapsed a short while ago.
func (b Board) admits(pulled Brake, t time.Time) error {
	for _, one := range b.brakes {
		switch {
		case one.Stops(t) && one.Kind == pulled.Kind && one.Target == pulled.Target && one.Division == pulled.Division:
			return ErrAlready
		case pulled.Pulled.By.Kind == event.Staff && one.State(t) == Lapsed && t.Before(one.Until.Add(Again)) && other(pulled.Pulled.By, one.Pulled.By) != nil:
			return ErrAlone
		}
	}
	return nil
}

// writes are the board's new version in every copy.
func (b Board) writes() ([]table.Write, error) {
	body, err := json.Marshal(b.brakes)
	if err != nil {
		return nil, fmt.Errorf("brake: board: %w", err)
	}
	var writes []table.Write
	for n := range Copies {
		item := table.Item{Key: boardKey(n), Version: b.version, Body: body}
		writes = append(writes, table.Step(item))
	}
	return writes, nil
}
