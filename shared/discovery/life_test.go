package discovery_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfASignal has it put on lists, visited and matched by anybody in any order,
// over a store that loses writes and answers. What is stored is what the last step made,
// with an event for each version; it is in the list of its township until it has ended;
// every visit is kept once, whatever became of the signal, and none is missed.
func TestLifeOfASignal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), at
		life := eventtest.Over(embedded.Memory())
		s := fresh()
		by := eventtest.Cast()[0]
		visits := []discovery.Record{}
		step := func(t *rapid.T, kind string, next discovery.Signal, also ...table.Write) {
			writes, err := next.Writes(next.Event(kind, by, now))
			if err != nil {
				t.Fatal(err)
			}
			life.Step(t, discovery.ErrMovedOn, func() error { return table.Commit(ctx, life, discovery.ErrMovedOn, append(writes, also...)...) })
			s = next
		}
		step(rt, "heard", s)
		rt.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "hours")) * time.Hour) },
			"take": func(t *rapid.T) {
				who := eventtest.Who(t).ID
				if next, err := s.Take(who, now, now.Add(48*time.Hour)); err == nil {
					if s.Taken != "" && s.Taken != who && now.Before(s.TakenUntil) {
						t.Fatalf("on the lists of %s and %s", s.Taken, who)
					}
					step(t, "taken", next)
				}
			},
			"match": func(t *rapid.T) {
				if next, err := s.Match("app"); err == nil && rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					step(t, "matched", next)
				}
			},
			"visit": func(t *rapid.T) {
				finding := rapid.SampledFrom(discovery.Findings()).Draw(t, "finding")
				end := rapid.SampledFrom([]discovery.State{"", "", discovery.Helped, discovery.Applied}).Draw(t, "end")
				next := s.Visit(finding, end, map[bool]string{true: "app"}[end != ""])
				if ended := s.State != discovery.Open; ended && (next.State != s.State || next.Application != s.Application) {
					t.Fatalf("%s became %s", s.State, next.State)
				}
				r := discovery.Record{Device: "d", Number: int64(len(visits) + 1), Staff: by.ID, Signal: s.ID, At: now, HeardAt: now, Finding: finding, Sum: fmt.Sprint(len(visits))}
				also, err := r.Writes(r.Event(next, by))
				if err != nil {
					t.Fatal(err)
				}
				step(t, "visited", next, also...)
				visits = append(visits, r)
			},
			"late": life.Late,
			"": func(t *rapid.T) {
				stored, err := discovery.Get(ctx, life, s.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := life.Holds(t, discovery.Key(s.ID), discovery.Noun, s.ID, s.Version, stored, s)
				if (len(item.Places) == 1) != (s.State == discovery.Open) || !s.Due.Equal(fresh().Due) || s.Visits != len(visits) {
					t.Fatalf("%s in %d lists, due %s, visited %d times of %d", s.State, len(item.Places), s.Due, s.Visits, len(visits))
				}
				for _, want := range visits {
					if kept, found, err := want.Kept(ctx, life); err != nil || !found || kept.Finding != want.Finding {
						t.Fatalf("visit %d is kept %t as %s: %v", want.Number, found, kept.Finding, err)
					}
				}
				if missing, err := discovery.Missing(ctx, life, by.ID, "d"); err != nil || len(missing) != 0 {
					t.Fatalf("%v are missing: %v", missing, err)
				}
			},
		})
	})
}
