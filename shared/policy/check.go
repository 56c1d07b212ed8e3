package policy

import "slices"

// checks reads what the sources answered. A source that said nothing never
// stands in the way of first-step aid, unless the region insists on it; it is
// asked again afterwards. A recorded death and a name that does not belong to
// the number always wait for a person, whatever a file says, because both are as
// often a clerk's slip as a fraud and only somebody who looks can tell.
func (c *considered) checks() {
	for _, check := range c.facts.Checks {
		c.check(check)
	}
}

func (c *considered) check(check Check) {
	name := SourceChinese(check.Source)
	step := Step{Rule: "check", Article: lawCheck, Fact: check.Fact, Source: name, Outcome: StepPass}
	holds := *c.rules.content().figures.FirstAid.HoldOnAdverse.Value
	insists := *c.rules.content().figures.FirstAid.MustAnswer.Value
	code := ""
	switch {
	case !check.Outcome.Answered() && slices.Contains(insists, check.Source):
		code = HoldCheckMissing
		step.Text = "“" + name + "”尚无核对结果，本地要求先核对再发放，由工作人员尽快核实。"
	case check.Outcome == NotAuthorised:
		step.Outcome, step.Article = StepLater, lawConsent
		step.Text = "尚未取得“" + name + "”的核对授权，不影响先行救助，请在补充说明情况时补签。"
	case !check.Outcome.Answered():
		step.Outcome = StepLater
		step.Text = "“" + name + "”暂时没有查到结果，不影响先行救助，之后由工作人员补查。"
	case check.Source == SourceDeath && check.Outcome == HitAdverse:
		code = HoldDeathRecord
		step.Text = "登记信息显示当事人可能已经去世，先由工作人员联系核实。登记有误的，核实后立即发放。"
	case check.Source == SourceIdentity && check.Outcome != HitClear:
		code = HoldIdentityMismatch
		step.Text = "姓名与证件号码未能核对一致，先由工作人员联系核实。登记有误的，核实后立即发放。"
	case check.Source == SourceKin:
		step.Article = lawImpartial
		step.Text = "已核对近亲属备案。"
	case check.Outcome == HitClear || check.Outcome == NoRecord:
		step.Text = "“" + name + "”已核对，没有发现需要核实的情况。"
	case slices.Contains(holds, check.Source):
		code = HoldAdverseRecord
		step.Text = "“" + name + "”的核对结果需要由工作人员先核实。"
	default:
		step.Outcome = StepLater
		step.Text = "“" + name + "”的核对结果留待补充说明情况时一并核实，不影响先行救助。"
	}
	if code != "" {
		step.Outcome = StepHold
		c.hold(HoldReason{Code: code, Text: step.Text, Article: step.Article})
	}
	c.step(step)
}
