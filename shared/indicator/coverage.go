package indicator

import "github.com/doudi-aid/doudi/shared/discovery"

// Coverage is 应享未享: people of whom a hardship is known and who have not applied.
const Coverage ID = "coverage"

// Signal is the noun of hardship signals. Every event of one says in which state
// it then is; of which kind it is and where, at the first.
const Signal = discovery.Noun

const (
	lUnmet = "unmet" // since the hardship is known
	cMet   = "signal.applied"
)

var coverageIndicators = []Indicator{{Coverage, "应享未享", "known hardship without an application", Rule{
	"此刻已知有困难线索、尚无申请也未经核实排除的人次，按线索种类分列，账龄从得知之时算到此刻；APPLIED、DISMISSED 为期间内已申请（含代为申请）、走访后未申请的件数，用时为从得知到申请。分母为期间内的全部线索。",
	"Known signals of hardship without an application and not ended by a visit, by kind, aged from when they were known; APPLIED and DISMISSED are those of the days asked about, the times from signal to application. Of all signals of those days.",
	"《社会救助法》第三十九条（主动发现）"}, marked, func(v View) Figure {
	open := v.standingIn(lUnmet, v.Now)
	_, all := v.parts("signal.raised.")
	parts := append(open.parts, some("APPLIED", v.count(cMet))...)
	return Figure{Indicator: Coverage, Count: open.count, Of: all, Times: v.times(cMet), OldestSeconds: v.age(open.oldest), Parts: append(parts, some("DISMISSED", v.count("signal.dismissed"))...)}
}}}

var coverageRules = []rule{{Signal, "", func(s *step) error {
	if s.once(tAccepted) {
		kind := s.Facts.Text("kind")
		s.open(lUnmet, "1", kind, s.At)
		s.count(s.today(), "signal.raised.", kind)
		s.mark(Coverage, s.today(), kind, Case{})
	}
	switch discovery.State(s.Facts.Text("state")) {
	case discovery.Applied, discovery.Helped:
		if o, was := s.close(lUnmet, "1"); was {
			s.count(s.today(), cMet, "")
			s.spread(s.today(), cMet, s.At.Sub(o.At))
		}
	case discovery.Closed:
		if _, was := s.close(lUnmet, "1"); was {
			s.count(s.today(), "signal.dismissed", "")
		}
	}
	return nil
}}}
