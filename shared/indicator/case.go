package indicator

import (
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/payout"
)

// FirstAid is the programme of applications on the emergency track, by the word
// that brakes and awards use for it; NoProgramme is that of what belongs to none.
const (
	FirstAid    = string(award.FirstAid)
	NoProgramme = "none"
)

// Codes that several indicators share.
const staffHold = application.HoldStaff

// What the fold remembers of a case: when it was …
const (
	tAccepted = "accepted"
	tProposed = "proposed" // last
	tGranted  = "granted"
	tDecided  = "decided" // first, for or against
	tBank     = "bank"    // the bank took the order
	tPaid     = "paid"
	tDone     = "confirmed"
)

// Applications are those accepted.
const Applications ID = "applications"

var caseIndicators = []Indicator{{Applications, "受理", "applications accepted", Rule{
	"期间内受理的申请；GRANTED、PAID 为期间内决定救助、证实发放的件数（按发生之日）。",
	"Applications accepted in the days asked about; GRANTED and PAID are awards and payments of those days.",
	"《社会救助法》第三十七条"}, accepted, func(v View) Figure {
	return Figure{Indicator: Applications, Count: v.count(cAccepted), Parts: append(some("GRANTED", v.count("granted")), some("PAID", v.count("paid"))...)}
}}}

// caseRules keep what the other rules measure against.
var caseRules = []rule{
	{application.Noun, "accepted", func(s *step) error {
		s.set(tAccepted, s.At)
		s.count(s.m.Day, cAccepted, "")
		return nil
	}},
	{application.Noun, "proposed", func(s *step) error {
		s.set(tProposed, s.At)
		s.word("proposer", s.staffID())
		s.amount("proposed", s.Facts.Fen("amount_fen"))
		s.amount("township", s.Facts.Fen("township_fen"))
		s.did(s.staffID(), "proposed", "")
		return nil
	}},
	{application.Noun, "approved", granted},
	{application.Noun, "released", granted},
}

func granted(s *step) error {
	s.set(tGranted, s.At)
	s.amount("granted", s.Facts.Fen("amount_fen"))
	s.word("approver", s.staffID())
	s.count(s.today(), "granted", "")
	s.did(s.staffID(), "granted", "")
	return nil
}

// payments makes a rule for every payout event in a state, told by the fact.
func payments(do func(*step, payout.State) error) rule {
	return rule{payout.Noun, "", func(s *step) error { return do(s, payout.State(s.Facts.Text("state"))) }}
}

// since is the time from what happened before; false when it did not.
func (s *step) since(what string) (time.Duration, bool) {
	t := s.time(what)
	return s.At.Sub(t), !t.IsZero()
}
