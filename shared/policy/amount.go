package policy

import (
	"fmt"
	"slices"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// standard is a monthly minimum living standard and the days it runs.
type standard struct {
	fen      money.Fen
	from, to civil.Day
}

// standard is the standard on that day. Where town and country have different
// ones it is the higher: an emergency is not the time to ask which. It is zero
// on a day before the first one.
func (r *Rules) standard(day civil.Day) money.Fen {
	var best money.Fen
	for _, s := range r.content().standards {
		if !day.Before(s.from) && (s.to.IsZero() || !day.After(s.to)) {
			best = max(best, s.fen)
		}
	}
	return best
}

// times is f × n, or money.Max when that is more than anybody may be given. The
// limits here are compared with, never paid.
func times(f money.Fen, n ...int) money.Fen {
	for _, m := range n {
		p, err := f.Times(int64(m))
		if err != nil {
			return money.Max
		}
		f = min(p, money.Max)
	}
	return f
}

// limit is one limit on an amount, with the words for it.
type limit struct {
	fen    money.Fen
	rule   string
	source string
	text   string
}

// limits are the limits on one award, as figures and code set them.
func (c *considered) limits() []limit {
	figs, persons := c.rules.content().figures, c.out.Persons
	base := c.rules.standard(c.facts.Day)
	multiple, fig := *figs.Amount.MaxMultiple.Value, figs.Amount.MaxMultiple
	if c.facts.SpecialHardship {
		multiple, fig = *figs.Amount.SpecialMultiple.Value, figs.Amount.SpecialMultiple
	}
	return []limit{
		{*figs.FirstAid.MaxAmountFen.Value, "max_amount", figs.FirstAid.MaxAmountFen.Source, "先行救助的小额标准"},
		{times(base, persons, multiple), "max_multiple", fig.Source, fmt.Sprintf("每人不超过低保标准%d倍的限额", multiple)},
		{CodeCeiling, "code_ceiling", "", "系统内置的先行救助上限"},
	}
}

// amount proposes an amount, or tests the one that was proposed. A proposal of
// the rules keeps within the limits and says which; an amount that a person
// proposed is never lowered, it goes to whoever may grant it.
func (c *considered) amount() {
	limits := c.limits()
	least := slices.MinFunc(limits, func(a, b limit) int { return int(a.fen - b.fen) })
	c.out.CeilingFen = least.fen

	drafted := c.draft()
	if c.facts.AmountFen <= 0 {
		c.out.AmountFen = drafted
		if drafted > least.fen {
			c.out.AmountFen = least.fen
			c.step(Step{Rule: least.rule, Article: basis(lawFirstAid, least.source), Fact: drafted.String(), Source: "系统测算", Outcome: StepLimit,
				Text: fmt.Sprintf("测算金额超过%s%s，先按%s拟定；仍不能解决的，可以继续申请。", least.text, least.fen, least.fen)})
		}
	} else {
		c.out.AmountFen = c.facts.AmountFen
		c.step(Step{Rule: "amount", Article: lawFirstAid, Fact: c.facts.AmountFen.String(), Source: "工作人员拟定", Outcome: StepDraft,
			Text: fmt.Sprintf("工作人员拟定的金额为%s。", c.facts.AmountFen)})
		if c.out.AmountFen > least.fen {
			c.except(OverCeiling)
			c.raise(Coordination)
			c.step(Step{Rule: least.rule, Article: basis(lawFirstAid, least.source), Fact: c.out.AmountFen.String(), Source: "工作人员拟定", Outcome: StepExcept,
				Text: fmt.Sprintf("拟定金额超过%s%s，需要一事一议。", least.text, least.fen)})
		}
	}
	if c.out.AmountFen > CodeCeiling {
		text := fmt.Sprintf("金额超过系统内置的先行救助上限%s，请改走一般程序。", CodeCeiling)
		c.hold(HoldReason{Code: HoldOverCodeCeiling, Text: text, Article: lawFirstAid})
		c.step(Step{Rule: "code_ceiling", Article: lawFirstAid, Fact: c.out.AmountFen.String(), Source: "系统", Outcome: StepHold, Text: text})
	}
	c.annual()
}

// draft is the amount that the figures give, before limits.
func (c *considered) draft() money.Fen {
	if *c.rules.content().figures.Amount.Mode.Value == modeTiers {
		return c.tier()
	}
	return c.formula()
}

// formula is the standard × people × months.
func (c *considered) formula() money.Fen {
	figs := c.rules.content().figures
	base := c.rules.standard(c.facts.Day)
	months, longest := c.facts.Months, *figs.Amount.MaxMonths.Value
	if months <= 0 {
		months = *figs.FirstAid.DraftMonths.Value
	}
	if months > longest {
		c.step(Step{Rule: "max_months", Article: basis(lawFirstAid, figs.Amount.MaxMonths.Source), Fact: fmt.Sprintf("%d个月", months), Source: "拟定月数", Outcome: StepLimit,
			Text: fmt.Sprintf("每次救助一般不超过%d个月，按%d个月计算；期满仍有困难的，可以继续申请。", longest, longest)})
		months = longest
	}
	c.out.Months = months
	total := times(base, c.out.Persons, months)
	c.step(Step{Rule: "formula", Article: basis(lawFirstAid, figs.DibaoStandard.Source), Fact: fmt.Sprintf("%d人，%d个月", c.out.Persons, months), Source: "申请人", Outcome: StepDraft,
		Text: fmt.Sprintf("按每人每月%s的低保标准，%d人、%d个月，测算金额为%s。", base, c.out.Persons, months, total)})
	return total
}

// tier is the fixed amount of the first tier that fits; the last one fits all,
// which Load makes sure of.
func (c *considered) tier() money.Fen {
	fig := c.rules.content().figures.Amount.Tiers
	own := c.facts.Classes
	if len(own) == 0 {
		own = []RecipientClass{NoClass}
	}
	for _, t := range *fig.Value {
		ofClass := func(k RecipientClass) bool { return covers(t.Classes, string(k)) }
		if !slices.ContainsFunc(own, ofClass) || !covers(t.Causes, string(c.facts.Cause)) {
			continue
		}
		total, words := t.Fen, "每户"
		if t.Per == perPerson {
			total, words = times(t.Fen, c.out.Persons), "每人"
		}
		c.step(Step{Rule: "tier", Article: basis(lawFirstAid, fig.Source), Fact: fmt.Sprintf("%s，%d人", c.facts.Cause.Chinese(), c.out.Persons), Source: "申请人", Outcome: StepDraft,
			Text: fmt.Sprintf("按分档标准%s%s，%d人，测算金额为%s。", words, t.Fen, c.out.Persons, total)})
		return total
	}
	return 0
}

// covers reports whether the list names word or all.
func covers(list []string, word string) bool {
	return slices.Contains(list, all) || slices.Contains(list, word)
}

// annual compares with what was already given in the window. A proposal of the
// rules keeps to what is left; when nothing is left it stands as it is and a
// person must lift the cap, because nothing is not an amount.
func (c *considered) annual() {
	fig := c.rules.content().figures.Amount.AnnualCapFen
	if fig == nil {
		return
	}
	left := *fig.Value
	for _, e := range c.recent() {
		left -= min(max(e.AmountFen, 0), left)
	}
	if left > 0 {
		c.out.CeilingFen = min(c.out.CeilingFen, left)
	}
	if c.out.AmountFen <= left {
		return
	}
	step := Step{Rule: "annual_cap", Article: basis(lawFirstAid, fig.Source), Fact: "已救助金额", Source: SourceChinese(SourceReliefHistory)}
	if left > 0 && c.facts.AmountFen <= 0 {
		c.out.AmountFen = left
		step.Outcome = StepLimit
		step.Text = fmt.Sprintf("全年救助限额为%s，余额为%s，先按余额拟定。", *fig.Value, left)
	} else {
		c.except(AnnualCap)
		c.raise(Coordination)
		step.Outcome = StepExcept
		step.Text = fmt.Sprintf("加上本次将超过全年救助限额%s，需要一事一议。", *fig.Value)
	}
	c.step(step)
}
