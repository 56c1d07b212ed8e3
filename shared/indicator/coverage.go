package indicator

// Coverage is 应享未享: people of whom a hardship is known and who have not applied.
const Coverage ID = "coverage"

// Signal is the noun of hardship signals. Whoever writes them writes
//
//	raised     a hardship is known: facts "township" and "source" (a code)
//	applied    it led to an application, the person's own or on their behalf
//	dismissed  a person found that no help is needed or wanted: Reason is a code
//
// each once, as versions of one signal; other kinds move no figure.
const Signal = "signal"

const (
	lUnmet = "unmet" // since the hardship is known
	cMet   = "signal.applied"
)

var coverageIndicators = []Indicator{{Coverage, "应享未享", "known hardship without an application", Rule{
	"此刻已知有困难线索、尚无申请也未经核实排除的人次，按线索来源分列，账龄从得知之时算到此刻；APPLIED、DISMISSED 为期间内已申请、已排除的件数，用时为从得知到申请。分母为期间内的全部线索。",
	"Known signals of hardship without an application and not dismissed by a person, by source, aged from when they were known; APPLIED and DISMISSED are those of the days asked about, the times from signal to application. Of all signals of those days.",
	"《社会救助法》第三十九条（主动发现）"}, marked, func(v View) Figure {
	open := v.standingIn(lUnmet, v.Now)
	_, all := v.parts("signal.raised.")
	_, out := v.parts("signal.dismissed.")
	parts := append(open.parts, some("APPLIED", v.count(cMet))...)
	return Figure{Indicator: Coverage, Count: open.count, Of: all, Times: v.times(cMet), OldestSeconds: v.age(open.oldest), Parts: append(parts, some("DISMISSED", out)...)}
}}}

var coverageRules = []rule{
	{Signal, "raised", func(s *step) error {
		source := s.Facts.Text("source")
		s.set(tAccepted, s.At)
		s.open(lUnmet, "1", source, s.At)
		s.count(s.today(), "signal.raised.", source)
		s.mark(Coverage, s.today(), source, Case{})
		return nil
	}},
	{Signal, "applied", func(s *step) error {
		if o, was := s.close(lUnmet, "1"); was {
			s.count(s.today(), cMet, "")
			s.spread(s.today(), cMet, s.At.Sub(o.At))
		}
		return nil
	}},
	{Signal, "dismissed", func(s *step) error {
		if _, was := s.close(lUnmet, "1"); was {
			s.count(s.today(), "signal.dismissed.", s.Reason)
		}
		return nil
	}},
}
