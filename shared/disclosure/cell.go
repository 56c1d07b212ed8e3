package disclosure

import (
	"cmp"
	"slices"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// Fact is one thing that may be told: a decision, a payment or a return.
type Fact struct {
	Key       string // the ledger entry that it is; told once
	Person    string // keyed reference
	Village   civil.DivisionCode
	Township  civil.DivisionCode
	County    civil.DivisionCode
	AmountFen money.Fen
}

// Cell is facts that are told together, of one place. A place is told with all
// below it that is not told by itself.
type Cell struct {
	Place civil.DivisionCode
	Facts []Fact
}

// Persons is of how many people c tells.
func (c Cell) Persons() int {
	seen := map[string]bool{}
	for _, f := range c.Facts {
		seen[f.Person] = true
	}
	return len(seen)
}

// Coarsen cuts facts into cells of at least k people each: of a village where
// there are that many, else of the township, else of the county. What is left of
// a place and is too small alone takes the smallest cell of the place with it.
// Each fact is in one cell, or is held for a later edition when the whole county
// has fewer than k people. Since every cell has k people and no two overlap,
// whatever is told of one edition and not of another, and every sum and
// difference of cells, is of k people or of nobody.
func Coarsen(facts []Fact, k int) (cells []Cell, held []Fact) {
	facts = slices.Clone(facts)
	slices.SortFunc(facts, func(a, b Fact) int { return cmp.Compare(a.Key, b.Key) }) // the same facts, the same cells
	for _, county := range places(facts, func(f Fact) civil.DivisionCode { return f.County }) {
		c, h := coarsenCounty(county, of(facts, func(f Fact) bool { return f.County == county }), k)
		cells, held = append(cells, c...), append(held, h...)
	}
	slices.SortFunc(cells, func(a, b Cell) int { return cmp.Compare(a.Place, b.Place) })
	return cells, held
}

func coarsenCounty(county civil.DivisionCode, facts []Fact, k int) (cells []Cell, held []Fact) {
	var rest []Fact
	for _, township := range places(facts, func(f Fact) civil.DivisionCode { return f.Township }) {
		c, left := coarsenTownship(township, of(facts, func(f Fact) bool { return f.Township == township }), k)
		cells, rest = append(cells, c...), append(rest, left...)
	}
	return gather(county, cells, rest, k)
}

func coarsenTownship(township civil.DivisionCode, facts []Fact, k int) (cells []Cell, left []Fact) {
	var rest []Fact
	for _, village := range places(facts, func(f Fact) civil.DivisionCode { return f.Village }) {
		c := Cell{village, of(facts, func(f Fact) bool { return f.Village == village })}
		if village.Level() == civil.VillageLevel && c.Persons() >= k {
			cells = append(cells, c)
		} else {
			rest = append(rest, c.Facts...)
		}
	}
	return gather(township, cells, rest, k)
}

// gather makes a cell of what is left of place, with the smallest of its cells
// where that is needed; what there is still too little of is left.
func gather(place civil.DivisionCode, cells []Cell, rest []Fact, k int) ([]Cell, []Fact) {
	if len(rest) == 0 {
		return cells, nil
	}
	whole := Cell{place, rest}
	if whole.Persons() < k && len(cells) > 0 {
		smallest := 0
		for i := range cells {
			if cells[i].Persons() < cells[smallest].Persons() {
				smallest = i
			}
		}
		whole.Facts = append(whole.Facts, cells[smallest].Facts...)
		cells = slices.Delete(cells, smallest, smallest+1)
	}
	if whole.Persons() < k {
		return cells, whole.Facts
	}
	return append(cells, whole), nil
}

// places are the different places of facts, in order.
func places(facts []Fact, place func(Fact) civil.DivisionCode) []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, f := range facts {
		all = append(all, place(f))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func of(facts []Fact, in func(Fact) bool) []Fact {
	var all []Fact
	for _, f := range facts {
		if in(f) {
			all = append(all, f)
		}
	}
	return all
}
