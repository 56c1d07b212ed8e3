package indicator

import (
	"cmp"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/application"
)

// Duplicates are applications for what is asked or given already.
const Duplicates ID = "duplicates"

var duplicateIndicators = []Indicator{{Duplicates, "重复申请", "duplicates", Rule{
	"同一人同一事由在别处已有未结申请而被暂缓的（DUPLICATE_OPEN），和因同一事由重复被不予救助的（SAME_CAUSE_REPEAT），占当期受理件数的比重。",
	"Held because the same person has the same cause open elsewhere (DUPLICATE_OPEN), or refused because the cause was helped before (SAME_CAUSE_REPEAT), of those accepted.",
	"国发〔2014〕47号（同一事由不得重复申请）"}, marked, func(v View) Figure {
	parts, n := v.parts("duplicate.")
	return Figure{Indicator: Duplicates, Count: n, Of: v.count(cAccepted), Parts: parts}
}}}

// repeated is the reason of refusal that says the cause was helped already.
const repeated = "SAME_CAUSE_REPEAT"

var duplicateRules = []rule{
	{application.Noun, "accepted", duplicateHold},
	{application.Noun, "verified", duplicateHold},
	{application.Noun, "held", duplicateHold},
	{application.Noun, "refused", func(s *step) error {
		if s.Reason == repeated {
			s.duplicate(repeated)
		}
		return nil
	}},
}

func duplicateHold(s *step) error {
	codes := append(strings.Fields(s.Facts.Text("placed")), cmp.Or(s.Facts.Text("code"), s.Reason))
	if slices.Contains(codes, application.HoldDuplicate) {
		s.duplicate(application.HoldDuplicate)
	}
	return nil
}

// duplicate counts a case once.
func (s *step) duplicate(code string) {
	if s.once("duplicate") {
		s.count(s.today(), "duplicate.", code)
		s.mark(Duplicates, s.today(), code, Case{Staff: s.staffID()})
	}
}
