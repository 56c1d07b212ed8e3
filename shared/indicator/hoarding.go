package indicator

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// Hoarding is 积攒批量发放: what came in on many days is let go all at once.
const Hoarding ID = "hoarding"

// A burst is a run of decisions, or of first payment orders, of one township in
// which none comes later than burstGap after the one before. It is a hoard when
// it has at least hoardCases cases that had come in on at least hoardDays days. A
// long weekend alone makes three days of backlog, so three are none.
const (
	burstGap   = 30 * time.Minute
	hoardCases = 5
	hoardDays  = 4
)

var hoardingIndicators = []Indicator{{Hoarding, "积攒批量发放", "batch hoarding", Rule{
	"同一乡镇（街道）接连作出的决定（或首次付款指令），前后间隔不超过30分钟，达到5件以上且来自4个以上受理日（付款按决定日）的，整批计入。DECISIONS、PAYMENTS 为件数，BATCHES 为批数。",
	"Decisions (or first payment orders) of one township, each within 30 minutes of the one before, five or more from four or more days of acceptance (payments: of decision). DECISIONS and PAYMENTS count cases, BATCHES runs.",
	"本系统的提示线，不是法定标准；《社会救助法》第五十条要求及时先行救助"}, marked, func(v View) Figure {
	d, p := v.count("hoarding.decisions"), v.count("hoarding.payments")
	parts := append(some("DECISIONS", d), some("PAYMENTS", p)...)
	return Figure{Indicator: Hoarding, Count: d + p, Of: v.count("granted"), Parts: append(parts, some("BATCHES", v.count("hoarding.batches"))...)}
}}}

// burst is the present run of a township.
type burst struct {
	Last  time.Time `json:"last"`
	Days  []string  `json:"days"`
	Cases int       `json:"cases"`
	Found bool      `json:"found,omitempty"`
	Held  []Case    `json:"held,omitempty"` // while it is no hoard yet
}

var hoardingRules = []rule{
	{application.Noun, "approved", func(s *step) error { return s.burst("decisions", s.m.Day) }},
	{payout.Noun, "instructed", func(s *step) error {
		if !s.once("instructed") {
			return nil
		}
		return s.burst("payments", day(s.time(tGranted)))
	}},
}

func (s *step) burst(what, came string) error {
	key := table.Key{PK: prefix + "BURST#" + what + "#" + string(s.m.township()) + "#" + s.m.Programme, SK: "NOW"}
	return remember(s, key, func(b *burst) error {
		if apart := s.At.Sub(b.Last); apart > burstGap || apart < -burstGap {
			*b = burst{}
		}
		if s.At.After(b.Last) {
			b.Last = s.At
		}
		b.Cases++
		if !slices.Contains(b.Days, came) && len(b.Days) < hoardDays {
			b.Days = append(b.Days, came)
		}
		b.Held = append(b.Held, s.about(Case{Staff: s.staffID(), At: s.At}))
		if !b.Found && (b.Cases < hoardCases || len(b.Days) < hoardDays) {
			// A long run of one day's cases is no hoard; the newest are enough to
			// name should it become one.
			b.Held = b.Held[max(0, len(b.Held)-3*hoardCases):]
			return nil
		}
		if !b.Found {
			b.Found = true
			s.count(s.today(), "hoarding.batches", "")
		}
		for _, one := range b.Held {
			s.count(s.today(), "hoarding.", what)
			s.did(one.Staff, "hoarding.", what)
			s.mark(Hoarding, s.today(), codes[what], one)
		}
		b.Held = nil
		return nil
	})
}

var codes = map[string]string{"decisions": "DECISIONS", "payments": "PAYMENTS"}
