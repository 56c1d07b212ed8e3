package order_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfAnOrder has anybody complete what was asked for, over a store that loses
// writes and answers. What is stored is what the last step made, with an event for each
// version; it is a task until a second person, who is known, has done it, and done once.
func TestLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		life := eventtest.Over(embedded.Memory())
		o := order.New("o", application.Application{ID: "app", Township: "320402005000"}, "01", rapid.SampledFrom(order.Kinds()).Draw(rt, "kind"), eventtest.Cast()[0], at)
		step := func(t *rapid.T, kind string, next order.Order, by event.Actor) {
			writes, err := next.Writes(kind, by, at)
			if err != nil {
				t.Fatal(err)
			}
			life.Step(t, application.ErrMovedOn, func() error { return table.Commit(ctx, life, application.ErrMovedOn, writes...) })
			o = next
		}
		step(rt, "asked", o, o.Asked)
		complete := func(t *rapid.T) {
			by := eventtest.Who(t)
			next, err := o.Complete(by)
			if err != nil {
				if next.Version != o.Version || next.State != o.State {
					t.Fatalf("refused with %v and yet moved", err)
				}
				return
			}
			if o.State != order.Open {
				t.Fatalf("completed what is %s", o.State)
			}
			step(t, "completed", next, by)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"complete": complete, "late": life.Late,
			"": func(t *rapid.T) {
				stored, err := order.Get(ctx, life, "app", o.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := life.Holds(t, order.Key("app", o.ID), order.Noun, o.ID, o.Version, stored, o)
				if (len(item.Places) == 1) != (o.State == order.Open) || (o.Done == nil) != (o.State == order.Open) {
					t.Fatalf("%s, in %d lists, done by %v", o.State, len(item.Places), o.Done)
				}
				if o.Done != nil {
					eventtest.Apart(t, "completed", *o.Done, o.Asked)
				}
			},
		})
	})
}
