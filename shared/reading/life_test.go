package reading_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfAReveal has anybody ask, agree, look and judge, over a store that loses
// writes and answers. What is stored is what the last step made, with an event for each
// version; only who asked sees anything, and only after a second person agreed, for half
// an hour and not after a third has judged; it is in the list of supervision until then,
// and what was judged stays so.
func TestLifeOfAReveal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), noon
		life := eventtest.Over(embedded.Memory())
		r, err := reading.Ask(reading.Reveal{ID: "r", Application: "app", Division: "320402005000", Fields: []reading.Field{reading.Phone}, Reason: "other"}, who("a/1"), now)
		if err != nil {
			rt.Fatal(err)
		}
		r.Asked.By = eventtest.Cast()[0]
		step := func(t *rapid.T, kind string, next reading.Reveal, err error, by event.Actor) {
			if err != nil {
				if next.Version != r.Version {
					t.Fatalf("%s: refused with %v and yet moved", kind, err)
				}
				return
			}
			if r.Review != nil {
				t.Fatalf("%s of what was judged", kind)
			}
			at := now
			life.Step(t, reading.ErrMovedOn, func() error { return reading.Commit(ctx, life, next, next.Event(kind, by, at)) })
			r = next
		}
		step(rt, "asked", r, nil, r.Asked.By)
		agree := func(t *rapid.T) {
			by := eventtest.Who(t)
			next, err := r.Agree(by, now, reading.Window)
			step(t, "agreed", next, err, by)
		}
		judge := func(t *rapid.T) {
			by := eventtest.Who(t)
			next, err := r.Judge(rapid.SampledFrom([]string{reading.Justified, reading.Unjustified}).Draw(t, "result"), by, now)
			step(t, "judged", next, err, by)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 10 * time.Minute, reading.Window, reading.Wait}).Draw(t, "time"))
			},
			"ask": func(t *rapid.T) { // one who is nobody known asks for nothing
				by := eventtest.Who(t)
				if _, err := reading.Ask(reading.Reveal{ID: "s", Application: "app"}, by, now); err == nil {
					eventtest.Apart(t, "asked", by)
				}
			},
			"agree": agree, "agree again": agree, "judge": judge,
			"late": life.Late,
			"": func(t *rapid.T) {
				stored, err := reading.Get(ctx, life, "app", r.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := life.Holds(t, reading.Key("app", r.ID), reading.RevealNoun, r.ID, r.Version, stored, r)
				if (len(item.Places) == 1) != (r.Review == nil) {
					t.Fatalf("%s and in %d lists", r.State(now), len(item.Places))
				}
				if r.Agreed != nil {
					eventtest.Apart(t, "agreed", r.Agreed.By, r.Asked.By)
				}
				if r.Review != nil {
					eventtest.Apart(t, "judged", r.Review.By, r.Hands()...)
				}
				open := r.Agreed != nil && now.Before(r.Agreed.At.Add(reading.Window)) && r.Review == nil
				for _, by := range eventtest.Cast() {
					if sees := stored.Admits(by, now) == nil; sees != (open && by.ID == r.Asked.By.ID) {
						t.Fatalf("%s sees: %t, and it is %s", by.ID, sees, r.State(now))
					}
				}
			},
		})
	})
}
