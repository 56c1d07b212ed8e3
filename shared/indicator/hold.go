package indicator

import (
	"cmp"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
)

// Holds are the holds on money and how old they are.
const Holds ID = "holds"

const lHolds = "holds" // since they were placed

var holdIndicators = []Indicator{{Holds, "暂缓发放", "holds", Rule{
	"此刻尚未解除的暂缓，按原因分列，账龄从暂缓之时算到此刻；已不予救助或已撤回的申请不计。PLACED、LIFTED 为期间内新增、解除的件数，用时为从暂缓到解除。",
	"Holds open at this moment, by reason, aged from when they were placed; those of refused and withdrawn applications do not count. PLACED and LIFTED are those of the days asked about, the times from placing to lifting.",
	"《社会救助法》第四十三条；区域文件 first_aid.hold_hours"}, marked, func(v View) Figure {
	open := v.standingIn(lHolds, v.Now)
	f := Figure{Indicator: Holds, Count: open.count, Times: v.times(cHeld), OldestSeconds: v.age(open.oldest), Parts: open.parts}
	_, placed := v.parts("held.")
	f.Parts = append(f.Parts, some("PLACED", placed)...)
	f.Parts = append(f.Parts, some("LIFTED", v.count("lifted"))...)
	return f
}}}

const cHeld = "hold.lifted" // how long holds stood

var receiptHolds = map[string]string{application.NotReceived: application.HoldReceipt, application.WrongAmount: application.HoldAmount}

var holdRules = []rule{
	{application.Noun, "", func(s *step) error {
		for _, code := range strings.Fields(s.Facts.Text("placed")) {
			s.hold(code, code)
		}
		return nil
	}},
	{application.Noun, "held", func(s *step) error {
		if code := cmp.Or(s.Facts.Text("code"), s.Reason); code != "" {
			s.hold(cmp.Or(s.Facts.Text("hold"), code), code)
		}
		return nil
	}},
	{application.Noun, "explained", troubled},
	{application.Noun, "reviewed", troubled},
	{application.Noun, "receipted", func(s *step) error {
		if code, ok := receiptHolds[s.Facts.Text("answer")]; ok {
			s.hold(code, code)
		}
		return nil
	}},
	{application.Noun, "hold_lifted", func(s *step) error {
		id := s.Facts.Text("hold")
		o, was := s.close(lHolds, id)
		if !was {
			o, was = s.close(lHolds, s.Facts.Text("code"))
		}
		if was {
			s.count(s.today(), "lifted", "")
			s.spread(s.today(), cHeld, max(s.At.Sub(o.At), time.Duration(0)))
			s.did(s.staffID(), "lifted", "")
		}
		return nil
	}},
	{application.Noun, "refused", func(s *step) error { s.sleep(lHolds); return nil }},
	{application.Noun, "withdrawn", func(s *step) error { s.sleep(lHolds); return nil }},
	{application.Noun, "reopened", func(s *step) error { s.wake(lHolds); return nil }},
	{application.Noun, "restarted", func(s *step) error { s.wake(lHolds); return nil }},
}

// troubled is the hold that a problem found afterwards places.
func troubled(s *step) error {
	if id := s.Facts.Text("hold"); id != "" {
		s.hold(id, staffHold)
	}
	return nil
}

func (s *step) hold(id, code string) {
	if _, there := s.m.Open[lHolds+"/"+id]; there {
		return
	}
	s.open(lHolds, id, code, s.At)
	s.count(s.today(), "held.", code)
	s.did(s.staffID(), "held.", code)
	s.mark(Holds, s.today(), code, Case{Staff: s.staffID()})
}
