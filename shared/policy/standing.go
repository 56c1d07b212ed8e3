package policy

import (
	"slices"

	"github.com/doudi-aid/doudi/shared/money"
)

// StandingApproval is the limits within which two people may approve an envelope
// beforehand, so that small first-step aid of a known kind goes out without two
// people at that moment. It is off in every shipped file.
type StandingApproval struct {
	Classes     []RecipientClass
	Causes      []Cause
	PerAwardFen money.Fen
	TotalFen    money.Fen // of one envelope
	Days        int       // from approval to the end of an envelope
}

// StandingApproval is the limits on envelopes, and whether there may be any.
func (r *Rules) StandingApproval() (StandingApproval, bool) {
	s := *r.content().figures.StandingApproval.Value
	limits := StandingApproval{PerAwardFen: s.PerAwardFen, TotalFen: s.TotalFen, Days: s.Days}
	for _, class := range RecipientClasses() {
		if slices.Contains(s.Classes, string(class)) {
			limits.Classes = append(limits.Classes, class)
		}
	}
	for _, cause := range Causes() {
		if slices.Contains(s.Causes, string(cause)) {
			limits.Causes = append(limits.Causes, cause)
		}
	}
	return limits, s.Enabled
}

// Covers reports whether a case is of the kind and size that an envelope with
// these limits may carry. Anything that calls a person, or anybody above the
// township, is outside every envelope.
func (s StandingApproval) Covers(f Facts, o Outcome) bool {
	return len(o.Holds) == 0 && len(o.NeedsException) == 0 && o.Authority == Township && !f.KinOfStaff &&
		o.AmountFen.Payable() && o.AmountFen <= s.PerAwardFen && slices.Contains(s.Causes, f.Cause) &&
		slices.ContainsFunc(f.Classes, func(c RecipientClass) bool { return slices.Contains(s.Classes, c) })
}
