package pay_test

import (
	"context"
	"errors"
	"testing"

	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/payout"
	. "github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/redact"
)

// asking is a rail whose provider says what a test wants it to.
type asking struct {
	rail.Rail
	admit bool
	err   error
	heard rail.Heard
	sends *int
}

func (a asking) Admit(context.Context, rail.Call) (bool, error) { return a.admit, a.err }
func (a asking) Send(_ context.Context, reference string, _ []byte) rail.Heard {
	*a.sends++
	a.heard.Reference = reference
	return a.heard
}

func over(r *Room, a asking) pay.Deps {
	d := deps(r)
	a.Rail = r.Rails()[award.Bank]
	d.Rails = rail.Set{award.Bank: a}
	return d
}

func TestWhatIsNotAdmittedStaysOwed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, err := range []error{nil, broken} {
		r, sends := New(t, NewFate(nil)), 0
		if got := pay.Handle(over(r, asking{err: err, sends: &sends}))(t.Context(), r.Message()); !errors.Is(got, err) {
			t.Error(got)
		}
		if p := r.Payout(); sends != 0 || p.State != payout.Due || len(p.Attempts) != 0 {
			t.Errorf("%d sends, %s", sends, p.State)
		}
		if _, _, owes := r.Owed(); !owes {
			t.Error("it is not owed any more")
		}
	}
}

// TestThePackageIsKeptWithTheStep: neither is ever there alone.
func TestThePackageIsKeptWithTheStep(t *testing.T) {
	t.Parallel()
	r, sends := New(t, NewFate(nil)), 0
	heard := rail.Heard{Said: payout.Said{Word: payout.Awaits, Packaged: true, Evidence: "e"}, Package: redact.New("the-package")}
	d := over(r, asking{admit: true, heard: heard, sends: &sends})
	if err := pay.Handle(d)(t.Context(), r.Message()); err != nil {
		t.Fatal(err)
	}
	p := r.Payout()
	got, err := payout.OpenPackage(t.Context(), r.Store, r.Box, p)
	if p.State != payout.Waiting || err != nil || got.Reveal() != "the-package" {
		t.Errorf("%s %v", p.State, err)
	}
	if err := pay.Handle(d)(t.Context(), r.Message()); err != nil || sends != 1 {
		t.Errorf("%d sends, %v", sends, err)
	}
}

func TestARailThatIsNotInUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := New(t, NewFate(nil))
	d := deps(r)
	d.Rails = nil
	if err := pay.Handle(d)(t.Context(), r.Message()); err != nil {
		t.Error(err)
	}
	sent(t, r, 0)
}
