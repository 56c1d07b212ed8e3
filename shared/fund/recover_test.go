package fund_test

import (
	"errors"
	"testing"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// TestWhatPeopleGiveBack: each credit once, never more than was paid without the
// ledger saying so, and nothing for what was never paid.
func TestWhatPeopleGiveBack(t *testing.T) {
	t.Parallel()
	s := stocked(t, 1000)
	do := transact(t, s)
	back := func(credit string, fen money.Fen) error {
		return do(fund.Recover(slice, claim(1), credit, fen, pays, "digest", now))
	}
	if _, is := table.FailedOn(back("TK-1", 1), slice.Key()); is {
		t.Error("it failed on the slice")
	}
	if err := do(fund.Take(slice, claim(1), 400, []event.Actor{first, other}, now)); err != nil {
		t.Fatal(err)
	}
	if err := back("TK-1", 1); err == nil {
		t.Error("what was never paid came back")
	}
	if err := do(fund.Post(slice, claim(1), 400, 400, pays, "digest", now)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(back("TK-1", 100), back("TK-2", 300)); err != nil {
		t.Fatal(err)
	}
	if err := back("TK-1", 100); err == nil {
		t.Error("one credit was booked twice")
	}
	balances(t, s, 1000, 0, 400, -400)
	if err := fund.Coherent(t.Context(), s, slice); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func() ([]table.Write, error){
		"nothing":   func() ([]table.Write, error) { return fund.Recover(slice, claim(1), "TK-3", 0, pays, "", now) },
		"no credit": func() ([]table.Write, error) { return fund.Recover(slice, claim(1), "", 1, pays, "", now) },
	} {
		if _, err := f(); !errors.Is(err, fund.ErrAmount) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := back("TK-3", 1); err != nil {
		t.Fatal(err)
	}
	if err := fund.Coherent(t.Context(), s, slice); !errors.Is(err, fund.ErrIncoherent) {
		t.Errorf("more came back than was paid, and the ledger is well: %v", err)
	}
	late := claim(2)
	late.Late = true
	if err := errors.Join(do(fund.Take(slice, claim(2), 100, []event.Actor{first, other}, now)), do(fund.Void(slice, claim(2), 100, pays, "d", now)),
		do(fund.PostLate(slice, claim(2), 100, pays, "d", now)), do(fund.Recover(slice, late, "TK-4", 50, pays, "d", now))); err != nil {
		t.Errorf("paid late and given back: %v", err)
	}
}
