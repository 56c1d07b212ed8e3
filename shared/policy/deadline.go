package policy

import (
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
)

// DecisionDue is until when first-step aid must be decided: hours from
// acceptance, day and night. No edit sets it back.
func (r *Rules) DecisionDue(accepted time.Time) calendar.Deadline {
	return hours(accepted, *r.content().figures.FirstAid.DecisionHours.Value, "受理后%d小时内作出先行救助决定。")
}

// HoldDue is until when a person must have looked at a hold: hours from when it
// was set. Passing it calls a supervisor; it never lifts the hold and never
// refuses.
func (r *Rules) HoldDue(set time.Time) calendar.Deadline {
	return hours(set, *r.content().figures.FirstAid.HoldHours.Value, "挂起后%d小时内由专人核实处理。")
}

func hours(from time.Time, n int, basis string) calendar.Deadline {
	return calendar.Deadline{
		At:    from.Add(time.Duration(n) * time.Hour).In(calendar.Zone),
		Basis: fmt.Sprintf(basis, n),
	}
}

// ExplanationDue is until when the township owes its explanation (补充说明情况,
// Law art. 50). Being late calls a supervisor; it never takes money back.
func (r *Rules) ExplanationDue(decided time.Time) calendar.Deadline {
	return calendar.Shipped().AddWorkingDays(decided, *r.content().figures.FirstAid.ExplanationWorkingDays.Value)
}

// AppealDue is until when an appeal must be answered by another decider.
func (r *Rules) AppealDue(filed time.Time) calendar.Deadline {
	return calendar.Shipped().AddWorkingDays(filed, *r.content().figures.Remedy.AppealWorkingDays.Value)
}

// Remedy is what a notice must tell about going elsewhere (Law art. 76).
type Remedy struct {
	ReconsiderationDays int // 行政复议
	LitigationMonths    int // 行政诉讼
}

// Remedy is the time limits for reconsideration and litigation.
func (r *Rules) Remedy() Remedy {
	return Remedy{*r.content().figures.Remedy.ReconsiderationDays.Value, *r.content().figures.Remedy.LitigationMonths.Value}
}

// escalationPercents are how much of a deadline has run when somebody higher is
// told.
var escalationPercents = [...]int64{50, 80, 100}

// Escalations are the moments when half, four fifths and all of the time from
// accepted to due has run. A due moment that is not later than accepted escalates
// at once.
func (*Rules) Escalations(accepted, due time.Time) []time.Time {
	left := max(due.Sub(accepted), 0)
	var moments []time.Time
	for _, p := range escalationPercents {
		moments = append(moments, accepted.Add(time.Duration(int64(left)/100*p+int64(left)%100*p/100)).In(calendar.Zone))
	}
	return moments
}
