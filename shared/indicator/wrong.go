package indicator

import (
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/payout"
)

// WrongPayments are payments that did not do what was decided.
const WrongPayments ID = "wrong_payments"

var wrongIndicators = []Indicator{{WrongPayments, "差错付款", "payments gone wrong", Rule{
	"期间内退回（RETURNED）、冻结（FROZEN）、银行前后矛盾（CONTRADICTED）、失败（FAILED），以及本人说没收到（NOT_RECEIVED）、金额不对（WRONG_AMOUNT）、不是我申请的（NOT_ME，已发放后）的，占当期发放笔数的比重；每种情形每案只计一次。",
	"Returned, frozen, contradicted or failed, and those of which the person says that nothing came, that the amount is wrong, or, after payment, that they never asked; each once a case, of those paid in the days asked about.",
	"《社会救助法》第七十条第五项、第七十三条"}, marked, func(v View) Figure {
	parts, n := v.parts("wrong.")
	return Figure{Indicator: WrongPayments, Count: n, Of: v.count("paid"), Parts: parts}
}}}

// wrongKinds are the payment events that say something went wrong.
var wrongKinds = map[string]string{"returned": "RETURNED", "frozen": "FROZEN", "contradicted": "CONTRADICTED", "failed": "FAILED"}

var wrongRules = []rule{
	payments(func(s *step, state payout.State) error {
		if state == payout.Paid && s.once("paid.counted") {
			s.count(s.today(), "paid", "")
		}
		if code, ok := wrongKinds[s.Kind]; ok {
			s.wrong(code)
		}
		return nil
	}),
	{application.Noun, "receipted", func(s *step) error {
		if code, ok := receiptHolds[s.Facts.Text("answer")]; ok {
			s.wrong(code)
		}
		return nil
	}},
	{application.Noun, "held", notMine},
	{application.Noun, "disowned", notMine},
}

func notMine(s *step) error {
	if s.Reason == application.HoldNotMine && !s.time(tPaid).IsZero() {
		s.wrong(application.HoldNotMine)
	}
	return nil
}

func (s *step) wrong(code string) {
	if s.once("wrong." + code) {
		s.count(s.today(), "wrong.", code)
		s.mark(WrongPayments, s.today(), code, Case{AmountFen: s.m.Fen["granted"]})
	}
}
