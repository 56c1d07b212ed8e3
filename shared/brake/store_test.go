package brake_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// A step is taken once, and none after the brake has ended.
func TestAStepIsTakenOnce(t *testing.T) {
	t.Parallel()
	b := pulled(t)
	seconded, err := b.Second(who("b/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := seconded.AskLift(who("c/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	lifted, err := asked.Lift(who("d/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	lapse := noon.Add(brake.Alone)
	type step func(event.Actor, time.Time) (brake.Brake, error)
	for name, c := range map[string]struct {
		step step
		at   time.Time
	}{
		"seconded twice":       {seconded.Second, noon},
		"asked twice":          {asked.AskLift, noon},
		"lifted twice":         {lifted.Lift, noon},
		"seconded when lifted": {lifted.Second, noon},
		"asked when lifted":    {lifted.AskLift, noon},
		"seconded when lapsed": {b.Second, lapse},
		"asked when lapsed":    {b.AskLift, lapse},
		"lifted unasked":       {seconded.Lift, noon},
	} {
		if got, err := c.step(who("e/1"), c.at); !errors.Is(err, brake.ErrState) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// The payment of an award is stopped by what stops its place, way or people.
func TestThePaymentOfAnAward(t *testing.T) {
	t.Parallel()
	p := brake.Of(award.Award{Township: here, Kind: award.FirstAid, Rail: award.Bank, Proposer: who("p/1"), Approver: who("q/1")})
	for name, b := range map[string]brake.Brake{
		"place":    {Kind: brake.Division},
		"way":      {Kind: brake.Rail, Target: string(award.Bank)},
		"aid":      {Kind: brake.Programme, Target: string(award.FirstAid)},
		"proposer": {Kind: brake.Officer, Target: "p/1"},
		"approver": {Kind: brake.Officer, Target: "q/2", Persons: []string{"b1.q"}},
	} {
		b.ID, b.Division, b.Townships = "x", "320402000000", []civil.DivisionCode{here}
		b, err := brake.New(b, who("a/1"), noon)
		if err != nil {
			t.Fatal(err)
		}
		store := embedded.Memory()
		keep(t, store, b, "pulled")
		if err := read(t, store, "app").Stopped(p, noon); !errors.Is(err, brake.ErrStopped) {
			t.Errorf("%s: %v", name, err)
		}
	}
	strange, err := brake.New(brake.Brake{ID: "y", Kind: "weather", Division: here, Townships: []civil.DivisionCode{here}}, who("a/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	store := embedded.Memory()
	keep(t, store, strange, "pulled")
	if err := read(t, store, "app").Stopped(p, noon); err != nil {
		t.Errorf("a kind that nobody knows stops: %v", err)
	}
}

// Half hours are not strung together: whose pull lapsed waits a day, under every
// account of theirs, and anybody else may pull.
func TestHalfHoursAreNotStrungTogether(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	keep(t, store, pulled(t), "pulled")
	pull := func(by event.Actor, at time.Time) error {
		b, err := brake.New(brake.Brake{ID: "again", Kind: brake.Division, Division: here, Townships: []civil.DivisionCode{here}}, by, at)
		if err != nil {
			t.Fatal(err)
		}
		return brake.Commit(t.Context(), store, read(t, store, "any"), b, b.Event("pulled", by, at))
	}
	lapse := noon.Add(brake.Alone)
	for _, id := range []string{"a/1", "a/2"} {
		for _, at := range []time.Time{lapse, lapse.Add(brake.Again - time.Second)} {
			if err := pull(who(id), at); !errors.Is(err, brake.ErrAlone) {
				t.Errorf("%s at %s: %v", id, at, err)
			}
		}
	}
	if _, err := brake.Get(t.Context(), store, "again"); !errors.Is(err, brake.ErrNotFound) {
		t.Errorf("what was refused is kept: %v", err)
	}
	if err := pull(who("a/1"), lapse.Add(brake.Again)); err != nil {
		t.Errorf("after a day: %v", err)
	}
}

// paged answers one item a page, and nothing after some pages.
type paged struct {
	table.Store
	left int
}

func (p *paged) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if p.left--; p.left < 0 {
		return table.Page{}, table.ErrBusy
	}
	q.Limit = 1
	return p.Store.Query(ctx, q)
}

// away is a store that reads nothing.
type away struct{ table.Store }

func (away) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, table.ErrBusy
}

// Every brake is listed, newest first, or an error: never a part of them.
func TestTheListIsWholeOrAnError(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	for n, id := range []string{"c", "a", "b"} {
		at := noon.Add(time.Duration(n) * time.Hour)
		b, err := brake.New(brake.Brake{ID: id, Kind: brake.Rail, Target: id, Division: here}, who(id+"/1"), at)
		if err != nil {
			t.Fatal(err)
		}
		if err := brake.Commit(t.Context(), store, read(t, store, "any"), b, b.Event("pulled", b.Pulled.By, at)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := brake.List(t.Context(), &paged{store, 10})
	if err != nil || len(all) != 3 || all[0].ID != "b" || all[1].ID != "a" || all[2].ID != "c" {
		t.Errorf("%+v %v", all, err)
	}
	for pages := range 3 {
		if all, err := brake.List(t.Context(), &paged{store, pages}); !errors.Is(err, table.ErrBusy) || all != nil {
			t.Errorf("after %d pages: %+v %v", pages, all, err)
		}
	}
	if _, err := brake.Get(t.Context(), away{store}, "a"); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
}

// lost is a store whose write is done and not answered.
type lost struct{ table.Store }

func (l lost) Transact(ctx context.Context, w ...table.Write) error {
	if err := l.Store.Transact(ctx, w...); err != nil {
		return err
	}
	return table.ErrUnknown
}

// A lost answer is passed on as it is; the pull stands, once, for everybody. An
// event that says nothing of who acted stores nothing.
func TestAPullWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	b := pulled(t)
	if err := brake.Commit(t.Context(), store, read(t, store, "any"), b, event.Event{At: noon}); err == nil {
		t.Error("pulled by nobody")
	}
	if _, err := brake.Get(t.Context(), store, b.ID); !errors.Is(err, brake.ErrNotFound) {
		t.Errorf("kept without an event: %v", err)
	}
	before := read(t, store, "any")
	told := b.Event("pulled", b.Pulled.By, noon)
	if err := brake.Commit(t.Context(), lost{store}, before, b, told); !errors.Is(err, table.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if err := brake.Commit(t.Context(), store, before, b, told); !errors.Is(err, brake.ErrMovedOn) {
		t.Errorf("written twice: %v", err)
	}
	if got, err := brake.Get(t.Context(), store, b.ID); err != nil || got.Version != 1 || len(read(t, store, "any").Standing(noon)) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	seconded, err := b.Second(who("b/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	mark := table.Put{Item: table.Item{Key: table.Key{PK: "X", SK: "1"}, Version: 1}}
	more := table.Check{Key: table.Key{PK: "X", SK: "2"}, Version: 1}
	if err := brake.Commit(t.Context(), store, read(t, store, "any"), seconded, seconded.Event("seconded", who("b/1"), noon), mark, more); !errors.Is(err, brake.ErrMovedOn) {
		t.Errorf("something among more did not hold: %v", err)
	}
	if _, there, err := store.Get(t.Context(), mark.Item.Key); there || err != nil {
		t.Errorf("half of it was written: %v", err)
	}
}
