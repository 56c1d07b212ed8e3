package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff/seed"
	"github.com/doudi-aid/doudi/shared/table"
)

// What every township has to spend in the local system, so that a newcomer can
// play. These are not figures of any authority.
const (
	reliefFen  money.Fen = 500_000_00
	reserveFen money.Fen = 50_000_00
	lowFen     money.Fen = 10_000_00
	// What may be handed over from the reserve, for one case and in one day.
	CashCaseFen money.Fen = 2_000_00
	CashDayFen  money.Fen = 20_000_00
)

// Seed makes staff and funds of every shipped region. It may die anywhere and
// run again: the marker at the end only saves the looking. relief is what each
// township's relief fund begins with, 0 for the usual.
func Seed(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, tree *division.Tree, now func() time.Time, relief money.Fen) error {
	if relief == 0 {
		relief = reliefFen
	}
	if err := seed.Staff(ctx, t, box, blind, now()); err != nil {
		return fmt.Errorf("seed staff: %w", err)
	}
	today := civil.DayOf(now(), calendar.Zone)
	marker := table.Key{PK: fmt.Sprintf("LOCAL#%04d", today.Year()), SK: "SEEDED"}
	if _, done, err := t.Get(ctx, marker); err != nil || done {
		return err
	}
	var group errgroup.Group
	group.SetLimit(64)
	for _, township := range townships(tree, today) {
		for purpose, amount := range map[fund.Purpose]money.Fen{fund.Relief: relief, fund.Reserve: reserveFen} {
			group.Go(func() error { return provide(ctx, t, purpose, township, amount, today.Year(), now()) })
		}
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("seed funds: %w", err)
	}
	err := t.Transact(ctx, table.Put{Item: table.Item{Key: marker, Version: 1}})
	if _, twin := errors.AsType[*table.ConditionError](err); twin {
		return nil
	}
	return err
}

// provide gives one township its slice of one fund for the year.
func provide(ctx context.Context, t table.Store, purpose fund.Purpose, township civil.DivisionCode, amount money.Fen, year int, at time.Time) error {
	id := fund.ID{Fund: fund.Named(purpose, year), Township: township}
	region := string(township)[:6]
	return fund.Provide(ctx, t, fund.Slice{ID: id, Source: "county", LowFen: lowFen}, fund.Appropriation{
		Reference: ident.Derive("local appropriation", id.Fund, string(township)), AmountFen: amount,
		First:    event.Actor{Kind: event.Staff, ID: seed.ID(region, "finance-1"), Person: "local-finance-1"},
		Second:   event.Actor{Kind: event.Staff, ID: seed.ID(region, "county-1"), Person: "local-county-1"},
		Document: fmt.Sprintf("%064d", 0), At: at})
}

// townships lists every township of the shipped regions, in order.
func townships(tree *division.Tree, day civil.Day) []civil.DivisionCode {
	var found []civil.DivisionCode
	var walk func(code civil.DivisionCode)
	walk = func(code civil.DivisionCode) {
		if code.Level() == civil.TownshipLevel {
			found = append(found, code)
			return
		}
		for _, child := range tree.Children(code, day) {
			walk(child.Code)
		}
	}
	for _, region := range tree.Regions() {
		walk(region)
	}
	return found
}
