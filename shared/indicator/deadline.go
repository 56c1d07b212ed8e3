package indicator

import (
	"github.com/doudi-aid/doudi/shared/application"
)

// What is owed by the clock.
const (
	Undecided   ID = "undecided"
	Explanation ID = "explanation"
)

const (
	lDecision    = "decision_due"    // by when it must be decided
	lExplanation = "explanation_due" // by when it must be explained
)

// What the desks of officers are measured by: from acceptance to proposal, and
// from proposal to decision.
const (
	deskPropose = "desk.propose"
	deskApprove = "desk.approve"
)

// Desk are the figures of officers alone.
const (
	DeskPropose ID = deskPropose
	DeskApprove ID = deskApprove
)

var deadlineIndicators = []Indicator{
	{Undecided, "尚未决定", "not decided yet", Rule{
		"此刻尚未作出决定的申请；逾期指已过当地决定时限。账龄按此刻计算。",
		"Applications not decided on at this moment; overdue are those past the region's time for deciding. Ages are of this moment.",
		"《社会救助法》第五十条；区域文件 first_aid.decision_hours"}, marked, func(v View) Figure {
		open, due := v.standingIn(lUndecided, v.Now), v.standingIn(lDecision, v.Now)
		_, late := v.parts("late.decision")
		return Figure{Indicator: Undecided, Count: open.count, Overdue: due.before, OldestSeconds: v.age(open.oldest), Parts: some("DECIDED_LATE", v.count("late.decision")+late)}
	}},
	{Explanation, "待补充说明", "explanation owed", Rule{
		"先行救助后尚未补充说明的申请；逾期指已过当地期限，账龄从期限届满时起算。LATE 为补充说明时已经逾期的件数，按补充之日归集。",
		"First-step aid not explained yet; overdue are those past the region's time, aged from its end. LATE are those explained after it, by the day of the explanation.",
		"《社会救助法》第五十条；区域文件 first_aid.explanation_working_days"}, marked, func(v View) Figure {
		due := v.standingIn(lExplanation, v.Now)
		return Figure{Indicator: Explanation, Count: due.count, Of: v.count("granted"), Overdue: due.before, OldestSeconds: v.age(due.oldest),
			Parts: append(some("EXPLAINED", v.count("explained")), some("LATE", v.count("late.explanation"))...)}
	}},
	{DeskPropose, "受理到提出意见用时", "acceptance to proposal", Rule{
		"从受理到该工作人员提出意见。", "From acceptance to this officer's proposal.", "《社会救助法》第四十四条"}, accepted,
		func(v View) Figure { return v.stage(DeskPropose) }},
	{DeskApprove, "提出意见到决定用时", "proposal to decision", Rule{
		"从提出意见到该工作人员作出决定。", "From the proposal to this officer's decision.", "《社会救助法》第四十四条"}, accepted,
		func(v View) Figure { return v.stage(DeskApprove) }},
}

// some is the part of a count that is not nothing.
func some(code string, n int64) []Part {
	if n == 0 {
		return nil
	}
	return []Part{{code, n}}
}

var deadlineRules = []rule{
	{application.Noun, "accepted", func(s *step) error { s.open(lDecision, "1", "", s.moment("decide_due")); return nil }},
	{application.Noun, "approved", explain},
	{application.Noun, "released", explain},
	{application.Noun, "refused", func(s *step) error { s.met(lDecision, Undecided, "late.decision"); return nil }},
	{application.Noun, "withdrawn", func(s *step) error { s.close(lDecision, "1"); return nil }},
	{application.Noun, "reopened", func(s *step) error { s.open(lDecision, "1", "", s.moment("decide_due")); return nil }},
	{application.Noun, "restarted", func(s *step) error { s.open(lDecision, "1", "", s.moment("decide_due")); return nil }},
	{application.Noun, "explained", func(s *step) error {
		s.count(s.today(), "explained", "")
		s.did(s.staffID(), "explained", "")
		s.met(lExplanation, Explanation, "late.explanation")
		return nil
	}},
	{application.Noun, "rescheduled", func(s *step) error {
		list := lDecision
		if s.Facts.Text("deadline") == application.ToExplain {
			list = lExplanation
		}
		if _, was := s.close(list, "1"); was {
			s.open(list, "1", "", s.moment("at"))
		}
		return nil
	}},
}

func explain(s *step) error {
	s.met(lDecision, Undecided, "late.decision")
	s.open(lExplanation, "1", "", s.moment("explain_due"))
	return nil
}

// met takes a duty out of its list, and counts and lists it when that was late.
func (s *step) met(list string, id ID, late string) {
	if o, was := s.close(list, "1"); was && s.At.After(o.At) {
		s.count(s.today(), late, "")
		s.did(s.staffID(), late, "")
		s.mark(id, s.today(), "LATE", Case{Staff: s.staffID(), Seconds: int64(s.At.Sub(o.At).Seconds())})
	}
}
