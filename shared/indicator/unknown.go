package indicator

import "github.com/doudi-aid/doudi/shared/payout"

// UnknownPayments are payments of which nobody knows what became.
const UnknownPayments ID = "unknown_payments"

const (
	lUnknown = "unknown_payments" // since it became unknown
	cUnknown = "unknown.settled"  // how long it was
)

var unknownIndicators = []Indicator{{UnknownPayments, "结果不明的付款", "payments of unknown outcome", Rule{
	"此刻银行没有给出可信结果的付款，账龄从不明之时算到此刻；OCCURRED 为期间内出现过的次数，用时为从不明到查清。不明不等于失败，查清以前不会再付。",
	"Payments of which the bank has given no word that can be believed, aged from then to now; OCCURRED is how often that happened in the days asked about, the times from then until it was found out. Unknown is not failed: nothing is paid again before.",
	"本系统承诺：不明账龄 p99 ≤ 15 分钟，最长 24 小时加关单时间"}, marked, func(v View) Figure {
	open := v.standingIn(lUnknown, v.Now)
	return Figure{Indicator: UnknownPayments, Count: open.count, Times: v.times(cUnknown), OldestSeconds: v.age(open.oldest), Parts: some("OCCURRED", v.count("unknown"))}
}}}

var unknownRules = []rule{payments(func(s *step, state payout.State) error {
	name := lUnknown + "/" + s.ID
	_, open := s.m.Open[name]
	switch {
	case state == payout.Unknown && !open:
		s.open(lUnknown, s.ID, "", s.At)
		s.count(s.today(), "unknown", "")
		s.mark(UnknownPayments, s.today(), "", Case{})
	case state != payout.Unknown && open:
		o, _ := s.close(lUnknown, s.ID)
		s.spread(s.today(), cUnknown, s.At.Sub(o.At))
	}
	return nil
})}
