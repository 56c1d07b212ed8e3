package sampling

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// The sizes that tables of sampling give.
func TestSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ population, confidence, margin, want int }{
		{1_000_000_000, 95, 5, 385}, {1_000_000_000, 99, 3, 1844}, {1_000_000_000, 90, 5, 271}, {1000, 95, 5, 278}, {100, 95, 5, 80}, {1, 95, 5, 1}, {50, 99, 3, 49},
	} {
		if got, err := Size(c.population, c.confidence, c.margin); err != nil || got != c.want {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
	for _, bad := range [][3]int{{0, 95, 5}, {10, 96, 5}, {10, 95, 2}, {10, 95, 21}, {-1, 95, 5}} {
		if n, err := Size(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%v has the size %d", bad, n)
		}
	}
}

// A draw is of the population, each once, the same for the same seed in whatever
// order the population comes, and never larger than it.
func TestDraw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(rt, "population")
		var ids []string
		for i := range n {
			ids = append(ids, fmt.Sprint("app", i))
		}
		size, err := Size(n, rapid.SampledFrom(Confidences()).Draw(rt, "confidence"), rapid.IntRange(MinMargin, MaxMargin).Draw(rt, "margin"))
		if err != nil || size < 1 || size > n {
			rt.Fatalf("%d of %d, %v", size, n, err)
		}
		seed := []byte(rapid.StringN(16, 16, -1).Draw(rt, "seed"))
		drawn := Draw(seed, ids, size)
		other := slices.Clone(ids)
		slices.Reverse(other)
		if again := Draw(seed, other, size); !slices.Equal(drawn, again) || Digest(ids) != Digest(other) {
			rt.Fatal("the order of the population decides")
		}
		seen := map[string]bool{}
		for _, id := range drawn {
			if seen[id] || !slices.Contains(ids, id) {
				rt.Fatalf("%s twice, or from nowhere", id)
			}
			seen[id] = true
		}
		if len(drawn) != size {
			rt.Fatalf("%d drawn, %d wanted", len(drawn), size)
		}
	})
	// Nobody is favoured: over many seeds each of ten is among the first three about
	// three times in ten.
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprint(i))
	}
	count := map[string]int{}
	for seed := range 2000 {
		for _, id := range Draw(fmt.Append(nil, seed), ids, 3) {
			count[id]++
		}
	}
	for id, n := range count {
		if n < 500 || n > 700 {
			t.Errorf("%s was drawn %d times of 2000", id, n)
		}
	}
}

func TestSaying(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	by, at := event.Actor{Kind: event.Staff, ID: "s", Person: "p"}, time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	s := Sample{ID: "s1", Version: 1, Division: "320400000000", By: by, At: at, Picks: []Pick{{Application: "a"}, {Application: "b"}}}
	if err := Commit(t.Context(), store, s, s.Event("drawn", by, at)); err != nil {
		t.Fatal(err)
	}
	if err := Commit(t.Context(), store, s, s.Event("drawn", by, at)); !errors.Is(err, ErrMovedOn) {
		t.Errorf("drawn twice: %v", err)
	}
	s, err := Get(t.Context(), store, "s1")
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Say("a", Unreached, by, at)
	if err != nil {
		t.Fatal(err)
	}
	if next, err = next.Say("a", NotReceived, by, at); err != nil {
		t.Errorf("somebody who was not reached cannot be asked again: %v", err)
	}
	if _, err := next.Say("a", Right, by, at); !errors.Is(err, ErrSaid) {
		t.Errorf("said twice: %v", err)
	}
	if _, err := next.Say("c", Right, by, at); !errors.Is(err, ErrNoPick) {
		t.Errorf("not drawn: %v", err)
	}
	if got := next.Tally(); got[NotReceived] != 1 || got[""] != 1 || s.Picks[0].Result != "" {
		t.Errorf("%v", got)
	}
	for _, r := range Results() {
		if r.Wrong() == (r == Right || r == Unreached) {
			t.Errorf("%s", r)
		}
	}
	if _, err := Get(t.Context(), store, "none"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}
