package gauge_test

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/gauge"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/work"
)

var here = []civil.DivisionCode{firstaidtest.Township, firstaidtest.County}

func TestOpenApplications(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	o.Apply(o.Person())
	o.Pass(time.Hour)
	second := o.Verify(o.Apply(o.Person()).ID)
	o.Change(second.ID, "held", func(a application.Application) (application.Application, error) {
		next, _, err := a.PlaceHold(application.NewHold(a.ID, a.Version, application.HoldStaff, event.Actor{Kind: event.System, ID: "test"}, o.Now(), o.Now().Add(time.Hour)))
		return next, err
	})
	o.Pass(time.Hour)
	r, err := gauge.Read(t.Context(), o.Store, here, o.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Applications[application.Accepted]; p.Count != 1 || p.OldestSeconds != 2*3600 {
		t.Errorf("accepted %+v", p)
	}
	if p := r.Applications[application.Verified]; p.Count != 1 || p.OldestSeconds != 3600 {
		t.Errorf("verified %+v", p)
	}
	if p := r.Owed[work.Verify]; p.Count != 1 || p.OldestSeconds != 2*3600 {
		t.Errorf("owed to verify %+v", p)
	}
	if r.Held.Count != 1 || r.Held.OldestSeconds != 3600 || r.Late.Count != 0 {
		t.Errorf("held %+v, late %+v", r.Held, r.Late)
	}
	// An application that waits past its deadline is late, told of or not.
	o.Pass(60 * 24 * time.Hour)
	if r, err = gauge.Read(t.Context(), o.Store, here, o.Now()); err != nil || r.Late.Count != 2 || r.Late.OldestSeconds < 24*3600 {
		t.Errorf("late %+v %v", r.Late, err)
	}
}

func TestMoneyOnItsWay(t *testing.T) {
	t.Parallel()
	r := payouttest.New(t, payouttest.NewFate(nil))
	reading := func() gauge.Reading {
		got, err := gauge.Read(t.Context(), r.Store, here, r.Now())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	r.Wait(time.Minute)
	if got := reading(); got.Payouts[payout.Due].Fen != payouttest.Amount || got.InFlight.Count != 0 || got.Owed[work.Pay].OldestSeconds != 60 {
		t.Errorf("due: %+v", got)
	}
	step := func(in payout.Input) {
		t.Helper()
		o, err := payout.Step(r.Payout(), in, payouttest.Approver, r.Now())
		if err == nil {
			err = payout.Commit(t.Context(), r.Store, o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	step(payout.Claim{Payee: "digest"})
	step(payout.Reply{Said: payout.Said{Word: payout.Silence, Reference: r.Payout().Attempts[0].Reference}})
	r.Wait(time.Hour)
	got := reading()
	if got.InFlight.Count != 1 || got.InFlight.Fen != payouttest.Amount || got.Unknown.Count != 1 || got.Unknown.OldestSeconds != 3600 {
		t.Errorf("unknown: %+v", got)
	}
	r.Brake(brake.Rail, "bank")
	if got := reading(); len(got.Brakes) != 1 || got.Brakes[0].State != brake.Pulled {
		t.Errorf("brakes %+v", got.Brakes)
	}
}
