package payouttest

import (
	"context"

	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
)

// Watch are people who stop money and let it go again.
var Watch = []event.Actor{
	{Kind: event.Staff, ID: "supervisor-1", Person: "b1.supervisor-1"}, {Kind: event.Staff, ID: "supervisor-2", Person: "b1.supervisor-2"},
	{Kind: event.Staff, ID: "finance-2", Person: "b1.finance-2"}, {Kind: event.Staff, ID: "chief-1", Person: "b1.chief-1"},
}

// Brake is one person's pull on the township of the award.
func (r *Room) Brake(kind brake.Kind, target string) brake.Brake {
	r.T.Helper()
	township := r.Slice().Township
	b, err := brake.New(brake.Brake{ID: ident.Derive(string(kind), target), Kind: kind, Target: target, Division: township,
		Townships: []civil.DivisionCode{township}, Reason: "audit"}, Watch[0], r.at)
	if err != nil {
		r.T.Fatal(err)
	}
	r.keep(b, "pulled")
	return b
}

// LiftBrake is what two others do to b.
func (r *Room) LiftBrake(b brake.Brake) {
	r.T.Helper()
	asked, err := b.AskLift(Watch[2], r.at)
	if err != nil {
		r.T.Fatal(err)
	}
	r.keep(asked, "lift_asked")
	lifted, err := asked.Lift(Watch[3], r.at)
	if err != nil {
		r.T.Fatal(err)
	}
	r.keep(lifted, "lifted")
}

func (r *Room) keep(b brake.Brake, kind string) {
	r.T.Helper()
	board, err := brake.Read(context.Background(), r.Store, b.ID)
	if err == nil {
		err = brake.Commit(context.Background(), r.Store, board, b, b.Event(kind, Watch[0], r.at))
	}
	if err != nil {
		r.T.Fatal(err)
	}
}
