package sampling

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfASample has anybody write down what those who were drawn said, over a store
// that loses writes and answers. What is stored is what the last step made, with an
// event for each version; what somebody said is said once, who was not reached may be
// asked again, and nobody is drawn anew.
func TestLifeOfASample(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx, at := t.Context(), time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
		life := eventtest.Over(embedded.Memory())
		s := Sample{ID: "s", Version: 1, Division: "320402000000", Confidence: 95, Margin: 5, Population: 9, By: eventtest.Cast()[0], Picks: []Pick{{Application: "a"}, {Application: "b"}, {Application: "c"}}}
		said := map[string]Result{}
		step := func(t *rapid.T, kind string, next Sample) {
			life.Step(t, ErrMovedOn, func() error { return Commit(ctx, life, next, next.Event(kind, next.By, at)) })
			s = next
		}
		step(rt, "drawn", s)
		rt.Repeat(map[string]func(*rapid.T){
			"say": func(t *rapid.T) {
				of, by := rapid.SampledFrom([]string{"a", "b", "c", "stranger"}).Draw(t, "of"), eventtest.Who(t)
				r := rapid.SampledFrom(append(Results(), Unreached, Unreached)).Draw(t, "result")
				next, err := s.Say(of, r, by, at)
				was := said[of]
				switch {
				case of == "stranger":
					if !errors.Is(err, ErrNoPick) {
						t.Fatalf("%s of somebody who was not drawn: %v", r, err)
					}
				case was != "" && was != Unreached:
					if !errors.Is(err, ErrSaid) {
						t.Fatalf("%s after %s: %v", r, was, err)
					}
				case err != nil:
					t.Fatal(err)
				default:
					step(t, "said", next)
					said[of] = r
				}
			},
			"late": life.Late,
			"": func(t *rapid.T) {
				stored, err := Get(ctx, life, s.ID)
				if err != nil {
					t.Fatal(err)
				}
				life.Holds(t, Key(s.ID), Noun, s.ID, s.Version, stored, s)
				for i, p := range stored.Picks {
					if p.Application != []string{"a", "b", "c"}[i] || p.Result != said[p.Application] {
						t.Fatalf("%+v, who said %q", p, said[p.Application])
					}
				}
				if fmt.Sprint(stored.Tally()) != fmt.Sprint(tally(said)) {
					t.Fatalf("%v, not %v", stored.Tally(), tally(said))
				}
			},
		})
	})
}

// tally is how many of three said what, on paper.
func tally(said map[string]Result) map[Result]int {
	out := map[Result]int{}
	for _, id := range []string{"a", "b", "c"} {
		out[said[id]]++
	}
	return out
}
