// Package policy is the rules of first-step aid (先行救助, Law art. 50): how much,
// who decides, what waits for a person, and by when. Figures are dated, reviewed
// files under data/, each with its legal source; kinds of rule are Go, one file
// each, and pure: facts and figures give an outcome with reasons.
//
// It refuses to know who the applicant is, where anything is stored, what time
// it is, and how to say no: no rule here can deny, reduce or claw back. Facts is
// all that a rule can see.
package policy

import (
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// CodeCeiling is the most that one first-step award can ever be: ¥20,000.00,
// some twenty times the national average of temporary relief. It is a floor
// under carelessness: no file can raise it, and an amount above it goes the
// general way, which is not pay-first.
const CodeCeiling money.Fen = 20_000_00

// LeastCell is the fewest persons of whom anything may be published together. No
// file can lower it.
const LeastCell = 5

// The words of the Law as traces cite them.
const (
	lawCheck      = "社会救助法第四十一条"
	lawRecognised = "社会救助法第四十二条"
	lawAuthority  = "社会救助法第四十四条"
	lawFirstAid   = "社会救助法第五十条"
	lawConsent    = "社会救助法第四十条"
	lawImpartial  = "社会救助法第六十一条"
)

// Rules are the figures of one region file with what it inherits, merged. They
// do not change once loaded and are safe for use by many goroutines.
type Rules struct {
	head head
	read func() (content, error) // done once, when they are first asked for
}

// content is the figures of rules that were read: a Book gives out no others.
func (r *Rules) content() content {
	c, _ := r.read()
	return c
}

// head is what is known of rules without reading them.
type head struct {
	Region      civil.DivisionCode   `json:"region"`
	Within      []civil.DivisionCode `json:"within"` // itself and all it stands in, on the first day
	Name        string               `json:"name"`
	First       civil.Day            `json:"first"`
	Last        civil.Day            `json:"last"`
	Revision    int                  `json:"revision"`
	Source      string               `json:"source"`
	Fingerprint string               `json:"fingerprint"`
	Replaced    bool                 `json:"replaced,omitempty"` // by a later revision
	Unconfirmed []string             `json:"unconfirmed,omitempty"`
}

// content is the figures themselves.
type content struct {
	figures   figures
	standards []standard
	notes     []FigureNote
}

// Region is the division that the rules were made for.
func (r *Rules) Region() civil.DivisionCode { return r.head.Region }

// Name is the region's name in Chinese.
func (r *Rules) Name() string { return r.head.Name }

// FirstDay is the first day that the rules are in force.
func (r *Rules) FirstDay() civil.Day { return r.head.First }

// LegalSource is the instrument that the file as a whole rests on.
func (r *Rules) LegalSource() string { return r.head.Source }

// Fingerprint is the SHA-256, in hexadecimal, of the file's content and of all
// it inherits. Comments, order and layout do not count.
func (r *Rules) Fingerprint() string { return r.head.Fingerprint }

// Figures lists every figure with its source, in order of name.
func (r *Rules) Figures() []FigureNote { return slices.Clone(r.content().notes) }

// Unconfirmed names the figures that the authority has not confirmed. A
// production stage refuses to start with any.
func (r *Rules) Unconfirmed() []string { return slices.Clone(r.head.Unconfirmed) }

// Within reports whether the region stands in that division, or is it, on the
// first day of the rules.
func (r *Rules) Within(code civil.DivisionCode) bool { return slices.Contains(r.head.Within, code) }

// FirstAid works out first-step aid on these facts. It reads nothing but its
// argument and the figures, so the same facts give the same outcome for ever. It
// never refuses: whatever is in the way is a hold or an exception for a person.
func (r *Rules) FirstAid(f Facts) Outcome {
	c := &considered{rules: r, facts: f}
	c.out.Rules = r.head.Fingerprint
	c.out.Provisional = len(r.head.Unconfirmed) > 0
	c.out.Authority = Township
	c.step(Step{Rule: "first_aid", Article: lawFirstAid, Fact: f.Cause.Chinese(), Source: "申请人", Outcome: StepPass,
		Text: "情况紧急、金额较小、需要立即帮助的，先行救助，之后再补充说明情况。"})
	c.readable()
	c.recognised()
	c.amount()
	c.frequency()
	c.authority()
	c.kin()
	c.checks()
	return c.out
}

// considered is one case under consideration.
type considered struct {
	rules *Rules
	facts Facts
	out   Outcome
}

// basis is the article with where the region's figure comes from, so that the
// reader of a trace sees both.
func basis(article, figureSource string) string {
	if figureSource == "" || strings.Contains(figureSource, article) {
		return article
	}
	if figureSource == ToBeConfirmed {
		figureSource += "的地方标准"
	}
	return article + "；" + figureSource
}

func (c *considered) step(s Step) { c.out.Trace = append(c.out.Trace, s) }

// hold notes why a person must look first, once.
func (c *considered) hold(h HoldReason) {
	if !slices.Contains(c.out.Holds, h) {
		c.out.Holds = append(c.out.Holds, h)
	}
}

// except notes a limit that a person must lift, once.
func (c *considered) except(code string) {
	if !slices.Contains(c.out.NeedsException, code) {
		c.out.NeedsException = append(c.out.NeedsException, code)
	}
}

// raise sends the decision to at least that authority.
func (c *considered) raise(to Authority) {
	if to.rank() > c.out.Authority.rank() {
		c.out.Authority = to
	}
}

// mostPersons is more people than one household is; beyond it somebody typed
// wrong, and a person must say what was meant.
const mostPersons = 30

// readable keeps facts that cannot be worked with from producing nonsense: the
// case waits for a person, with the nearest amount that makes sense beside it.
func (c *considered) readable() {
	unclear := func(fact, text string) {
		c.hold(HoldReason{Code: HoldFactsUnclear, Text: text, Article: lawCheck})
		c.step(Step{Rule: "facts", Article: lawCheck, Fact: fact, Source: "申请人", Outcome: StepHold, Text: text})
	}
	c.out.Persons = min(max(c.facts.Persons, 1), mostPersons)
	if c.out.Persons != c.facts.Persons {
		unclear("需要救助的人数", "需要救助的人数填写有误，请工作人员与申请人核实人数。")
	}
	if c.facts.Cause.Chinese() == "" {
		unclear("困难原因", "困难原因不在目录内，请工作人员核实后选择。")
	}
	if c.facts.AmountFen < 0 || c.facts.Months < 0 {
		unclear("金额或月数", "拟定的金额或月数不能为负数，请工作人员核实。")
	}
	if r := c.rules; c.facts.Day.Before(r.head.First) || !r.head.Last.IsZero() && c.facts.Day.After(r.head.Last) {
		const text = "申请日期不在本规则的施行期间内，请工作人员核实适用的规则。"
		c.hold(HoldReason{Code: HoldWrongRegion, Text: text, Article: lawFirstAid})
		c.step(Step{Rule: "facts", Article: lawFirstAid, Fact: "申请日期", Source: "系统", Outcome: StepHold, Text: text})
	}
}

// recognised says who need not be examined again.
func (c *considered) recognised() {
	for _, class := range c.facts.Classes {
		if class.recognised() {
			c.step(Step{Rule: "recognised", Article: lawRecognised, Fact: class.Chinese(), Source: SourceChinese(SourceAssistance), Outcome: StepPass,
				Text: "已被认定为" + class.Chinese() + "，认定结果互认，不再重复审核家庭经济状况。"})
		}
	}
}

// kin sends a case of a relative of staff up, whoever found out: the applicant,
// the staff member or the register. The relative is helped like anybody else.
func (c *considered) kin() {
	source := "本人或工作人员申报"
	found := c.facts.KinOfStaff
	for _, check := range c.facts.Checks {
		if check.Source == SourceKin && check.Outcome == HitAdverse {
			found, source = true, SourceChinese(SourceKin)
		}
	}
	if !found {
		return
	}
	c.raise(County)
	c.step(Step{Rule: "kin", Article: lawImpartial, Fact: "申请人与经办工作人员有近亲属关系", Source: source, Outcome: StepRoute,
		Text: "申请人与经办工作人员有近亲属关系，由" + c.out.Authority.Chinese() + "决定，相关人员回避。这不影响救助本身。"})
}
