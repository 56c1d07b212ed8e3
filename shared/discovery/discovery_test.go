package discovery_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/discovery"
)

var at = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

func fresh() discovery.Signal {
	return discovery.New(discovery.SignalID("s", "1"), "s", discovery.Fire, "320402005000", "320402005001", civil.Day{}, at)
}

func TestTablesAreTotal(t *testing.T) {
	t.Parallel()
	for _, k := range discovery.Kinds() {
		if k.Label() == "" || k.Within() < 1 || k.Cause().Chinese() == "" {
			t.Errorf("%s lacks something", k)
		}
	}
	for _, s := range discovery.States() {
		if s.Label() == "" {
			t.Errorf("%s has no name", s)
		}
	}
}

// Whatever is done to a signal: no act moves the day it is due, what has ended
// stays ended, and every act is one version.
func TestSignalsByChance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := fresh()
		due, now := s.Due, at
		for range rapid.IntRange(1, 30).Draw(rt, "acts") {
			before := s
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "hours")) * time.Hour)
			who := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "who")
			var err error
			switch rapid.SampledFrom([]string{"take", "match", "visit"}).Draw(rt, "act") {
			case "take":
				free := s.Free(who, now)
				s, err = s.Take(who, now, now.Add(48*time.Hour))
				if free != (err == nil) || err != nil && !errors.Is(err, discovery.ErrTaken) {
					rt.Fatalf("free %v, %v", free, err)
				}
			case "match":
				s, err = s.Match("app")
				if (before.State == discovery.Open) != (err == nil) {
					rt.Fatalf("%s matched: %v", before.State, err)
				}
			case "visit":
				f := rapid.SampledFrom(discovery.Findings()).Draw(rt, "finding")
				end := rapid.SampledFrom([]discovery.State{"", discovery.Helped, discovery.Applied}).Draw(rt, "end")
				s = s.Visit(f, end, map[bool]string{true: "app"}[end != ""])
				if s.Visits != before.Visits+1 {
					rt.Fatal("a visit was not counted")
				}
			}
			if err == nil && s.Version != before.Version+1 || err != nil && s.Version != before.Version {
				rt.Fatalf("version %d after %d, %v", s.Version, before.Version, err)
			}
			if !s.Due.Equal(due) {
				rt.Fatalf("the day moved to %s", s.Due)
			}
			if before.State != discovery.Open && (s.State != before.State || s.Application != before.Application) {
				rt.Fatalf("%s became %s", before.State, s.State)
			}
			if (s.State == discovery.Helped || s.State == discovery.Applied) != (s.Application != "") {
				rt.Fatalf("%s with application %q", s.State, s.Application)
			}
		}
	})
}

// A list to walk has every door once, and none of its parts is shorter the other
// way round; doors that nobody can place come last as they came.
func TestOrder(t *testing.T) {
	t.Parallel()
	if got := discovery.Order(nil); len(got) != 0 {
		t.Error(got)
	}
	line := []discovery.Spot{{Lat: 1, Lon: 0}, {}, {Lat: 400}, {Lat: 200}, {Lat: 300}, {}, {Lat: 100}}
	if got := discovery.Order(line); !slices.Equal(got, []int{0, 6, 3, 4, 2, 1, 5}) {
		t.Error(got)
	}
	rapid.Check(t, func(rt *rapid.T) {
		spots := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) discovery.Spot {
			return discovery.Spot{Lat: rapid.Int32Range(0, 9000000).Draw(rt, "lat"), Lon: rapid.Int32Range(-18000000, 18000000).Draw(rt, "lon")}
		}), 0, 40).Draw(rt, "spots")
		way := discovery.Order(spots)
		seen := slices.Clone(way)
		slices.Sort(seen)
		for i := range spots {
			if len(seen) != len(spots) || seen[i] != i {
				rt.Fatalf("%v is no order of %d", way, len(spots))
			}
		}
	})
}
