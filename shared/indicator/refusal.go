package indicator

import "github.com/doudi-aid/doudi/shared/application"

// Refusals are decisions against, by their reason.
const Refusals ID = "refusals"

var refusalIndicators = []Indicator{{Refusals, "不予救助", "refusals", Rule{
	"当日作出的不予救助决定，按理由分列；APPEALED 为当日提出的异议，REOPENED 为异议成立、重新办理的件数。",
	"Decisions against, on the day they were made, by reason; APPEALED are objections filed, REOPENED refusals taken back.",
	"《社会救助法》第四十五条（书面说明理由）、第七十六条"}, marked, func(v View) Figure {
	parts, n := v.parts("refused.")
	parts = append(parts, some("APPEALED", v.count("appealed"))...)
	parts = append(parts, some("REOPENED", v.count("reopened"))...)
	return Figure{Indicator: Refusals, Count: n, Of: n + v.count("granted"), Parts: parts}
}}}

var refusalRules = []rule{
	{application.Noun, "refused", func(s *step) error {
		s.count(s.today(), "refused.", s.Reason)
		s.did(s.staffID(), "refused.", s.Reason)
		s.mark(Refusals, s.today(), s.Reason, Case{Staff: s.staffID()})
		return nil
	}},
	{application.Noun, "appealed", func(s *step) error {
		s.count(s.today(), "appealed", "")
		s.mark(Refusals, s.today(), "APPEALED", Case{})
		return nil
	}},
	{application.Noun, "reopened", takenBack},
	{application.Noun, "restarted", takenBack},
}

func takenBack(s *step) error {
	s.count(s.today(), "reopened", "")
	s.mark(Refusals, s.today(), "REOPENED", Case{Staff: s.staffID()})
	return nil
}
