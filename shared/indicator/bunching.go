package indicator

import (
	"fmt"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
)

// EndOfDay is bunching at the end of the day.
const EndOfDay ID = "end_of_day"

// lateHour is when the end of the day begins: most offices close at half past
// five or six.
const lateHour = 16

var bunchingIndicators = []Indicator{{EndOfDay, "日末集中办理", "end-of-day bunching", Rule{
	"16时以后作出的决定占全部决定的比重；各小时的件数列为 H00 至 H23（北京时间）。均匀办理时约为两成。",
	"Decisions made at 16:00 or later, of all; H00 to H23 are decisions by hour (China time). Steady work makes about a fifth.",
	"16时为本系统的提示线，不是法定标准"}, marked, func(v View) Figure {
	hours, all := v.parts("hour.")
	late := int64(0)
	for _, h := range hours {
		if h.Code >= hour(lateHour) {
			late += h.Count
		}
	}
	return Figure{Indicator: EndOfDay, Count: late, Of: all, Parts: hours}
}}}

func hour(h int) string { return fmt.Sprintf("H%02d", h) }

var bunchingRules = []rule{{application.Noun, "approved", atHour}, {application.Noun, "refused", atHour}}

func atHour(s *step) error {
	h := s.At.In(calendar.Zone).Hour()
	s.count(s.today(), "hour.", hour(h))
	s.did(s.staffID(), "hour.", hour(h))
	if h >= lateHour {
		s.mark(EndOfDay, s.today(), hour(h), Case{Staff: s.staffID()})
	}
	return nil
}
