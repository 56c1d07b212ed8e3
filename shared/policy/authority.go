package policy

import (
	"fmt"

	"github.com/doudi-aid/doudi/shared/money"
)

// The words of the figures about amounts and ceilings.
const (
	modeFormula = "FORMULA"
	modeTiers   = "TIERS"
	inFen       = "FEN"
	inMonths    = "DIBAO_MONTHS"
	perCase     = "CASE"
	perPerson   = "PERSON"
)

// townshipFen is the most that a township may decide. A ceiling that does not
// include its number ends one fen below it.
func (c *considered) townshipFen() money.Fen {
	rule := *c.rules.content().figures.Authority.TownshipCeiling.Value
	most := money.Fen(rule.Amount)
	if rule.Kind == inMonths {
		most = times(c.rules.standard(c.facts.Day), int(rule.Amount))
	}
	if rule.Basis == perPerson {
		most = times(most, c.out.Persons)
	}
	if !*rule.Inclusive {
		most = max(most-1, 0)
	}
	return most
}

// authority names the lowest that may decide the amount.
func (c *considered) authority() {
	figs := c.rules.content().figures.Authority
	c.out.TownshipFen = c.townshipFen()
	if c.out.AmountFen > c.out.TownshipFen {
		c.raise(County)
	}
	text := fmt.Sprintf("%s可以决定%s及以下的先行救助，本次%s由%s决定。",
		Township.Chinese(), c.out.TownshipFen, c.out.AmountFen, c.out.Authority.Chinese())
	if c.out.Authority == Township && *figs.FileWithCounty.Value {
		text += "决定后报县级民政部门备案。"
	}
	c.step(Step{Rule: "authority", Article: basis(lawAuthority, figs.TownshipCeiling.Source), Fact: c.out.AmountFen.String(), Source: "系统", Outcome: StepRoute, Text: text})
}
