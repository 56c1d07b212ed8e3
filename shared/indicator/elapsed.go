package indicator

import (
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/payout"
)

// The elapsed times: from acceptance, and of one stage.
const (
	Decided        ID = "elapsed.decided"
	BankAccepted   ID = "elapsed.bank_accepted"
	Paid           ID = "elapsed.paid"
	Confirmed      ID = "elapsed.confirmed"
	StageBank      ID = "stage.bank_accepted"
	StagePaid      ID = "stage.paid"
	StageConfirmed ID = "stage.confirmed"
)

// Counts of cells, all of the day of acceptance: what became of the accepted.
const (
	cAccepted  = "accepted"
	cWithdrawn = "ended.withdrawn" // before any decision
	cRefused   = "ended.refused"
	cCash      = "ended.cash" // paid in cash, which no bank takes an order for
	cWithin    = "within24h." // + ID
)

const (
	lUndecided = "undecided" // since acceptance
	lUnpaid    = "unpaid"    // since acceptance
)

// aDay is the time within which an emergency is to be helped. Local rules name 24
// hours (Zouping 2018, Shandong 2019); the Law art. 50 says at once.
const aDay = 24 * time.Hour

var elapsedIndicators = []Indicator{
	{Decided, "受理到决定用时", "acceptance to decision", Rule{
		"从受理到第一次作出决定（救助或不予救助）的时间，按受理日归集。24小时占比的分母：已受理、未在决定前撤回、且已满24小时或已有决定的申请。",
		"From acceptance to the first decision, for or against, by the day of acceptance. Share within 24 h of those accepted, not withdrawn before it, and decided or older than 24 h.",
		"《社会救助法》第三十五条、第五十条；24小时为各地先行救助时限"}, accepted, func(v View) Figure { return v.elapsed(Decided) }},
	{BankAccepted, "受理到银行受理用时", "acceptance to the bank's acceptance", Rule{
		"从受理到银行接受付款指令的时间；现金发放不计。",
		"From acceptance to the bank taking the order; cash is left out.",
		"《社会救助法》第五十条"}, accepted, func(v View) Figure { return v.elapsed(BankAccepted) }},
	{Paid, "受理到发放用时", "acceptance to payment", Rule{
		"从受理到银行（或现金签收）证实已发放的时间，以本系统得知之时为准。",
		"From acceptance to the bank's (or the receipt's) word that it is paid, when we learnt of it.",
		"《社会救助法》第五十条"}, accepted, func(v View) Figure { return v.elapsed(Paid) }},
	{Confirmed, "受理到本人确认用时", "acceptance to the person's confirmation", Rule{
		"从受理到本人确认收到的时间；分母为已发放的申请。",
		"From acceptance to the person saying that it came; of those paid.",
		"《社会救助法》第六十六条（资金使用监督）"}, accepted, func(v View) Figure { return v.elapsed(Confirmed) }},
	{StageBank, "决定到银行受理用时", "decision to the bank's acceptance", Rule{
		"从决定救助到银行接受付款指令。", "From the grant to the bank taking the order.", "《社会救助法》第五十条"}, accepted,
		func(v View) Figure { return v.stage(StageBank) }},
	{StagePaid, "银行受理到发放用时", "the bank's acceptance to payment", Rule{
		"从银行接受付款指令到证实已发放。", "From the bank taking the order to its word that it is paid.", "《社会救助法》第五十条"}, accepted,
		func(v View) Figure { return v.stage(StagePaid) }},
	{StageConfirmed, "发放到本人确认用时", "payment to confirmation", Rule{
		"从证实已发放到本人确认收到。", "From payment to the person saying that it came.", "《社会救助法》第六十六条（资金使用监督）"}, accepted,
		func(v View) Figure { return v.stage(StageConfirmed) }},
}

var elapsedRules = []rule{
	{application.Noun, "accepted", func(s *step) error {
		s.open(lUndecided, "1", "", s.At)
		s.open(lUnpaid, "1", "", s.At)
		return nil
	}},
	{application.Noun, "approved", decided},
	{application.Noun, "released", decided},
	{application.Noun, "refused", func(s *step) error {
		if s.time(tDecided).IsZero() {
			s.count(s.m.Day, cRefused, "")
			s.word("refused", "yes")
		}
		s.close(lUnpaid, "1")
		return decided(s)
	}},
	{application.Noun, "withdrawn", func(s *step) error {
		if s.time(tDecided).IsZero() {
			s.count(s.m.Day, cWithdrawn, "")
		}
		s.close(lUndecided, "1")
		s.close(lUnpaid, "1")
		return nil
	}},
	{application.Noun, "reopened", undecided},
	{application.Noun, "restarted", undecided},
	{application.Noun, "receipted", func(s *step) error {
		if s.Facts.Text("answer") == application.Received && s.once(tDone) {
			s.reached(Confirmed)
			if d, ok := s.since(tPaid); ok {
				s.spread(s.m.Day, string(StageConfirmed), d)
			}
		}
		return nil
	}},
	payments(func(s *step, state payout.State) error {
		cash := award.Rail(s.Facts.Text("rail")) == award.ReserveCash
		taken := state == payout.Submitted || state == payout.Waiting || state == payout.Paid
		if taken && !cash && s.once(tBank) {
			s.reached(BankAccepted)
			if d, ok := s.since(tGranted); ok {
				s.spread(s.m.Day, string(StageBank), d)
			}
		}
		if state != payout.Paid || !s.once(tPaid) {
			return nil
		}
		s.close(lUnpaid, "1")
		s.reached(Paid)
		if cash {
			s.count(s.m.Day, cCash, "")
		} else if d, ok := s.since(tBank); ok {
			s.spread(s.m.Day, string(StagePaid), d)
		}
		return nil
	}),
}

// reached measures the time from acceptance.
func (s *step) reached(id ID) {
	d, ok := s.since(tAccepted)
	if !ok {
		return
	}
	s.spread(s.m.Day, string(id), d)
	if d <= aDay {
		s.count(s.m.Day, cWithin, string(id))
	}
}

// decided is the first decision. What people did at their desks is measured for
// those who did it.
func decided(s *step) error {
	s.close(lUndecided, "1")
	if !s.once(tDecided) {
		return nil
	}
	s.reached(Decided)
	approver := s.staffID()
	if d, ok := s.since(tAccepted); ok {
		s.took(approver, string(Decided), d)
		if d <= aDay {
			s.did(approver, cWithin, string(Decided))
		}
	}
	if d, ok := s.since(tProposed); ok {
		s.took(approver, deskApprove, d)
	}
	if p := s.time(tProposed); !p.IsZero() {
		s.took(s.m.Words["proposer"], deskPropose, p.Sub(s.time(tAccepted)))
	}
	return nil
}

// undecided is a refusal taken back: the application is to be decided on again.
func undecided(s *step) error {
	if s.m.Words["refused"] != "" {
		s.add(s.m.Day, cRefused, "", -1)
		s.word("refused", "")
	}
	s.open(lUndecided, "1", "", s.time(tAccepted))
	s.open(lUnpaid, "1", "", s.time(tAccepted))
	return nil
}

// elapsed is the figure of a time from acceptance.
func (v View) elapsed(id ID) Figure {
	f := Figure{Indicator: id, Times: v.times(string(id)), Within24h: v.count(cWithin + string(id))}
	if f.Times != nil {
		f.Count = f.Times.Count
	}
	switch {
	case v.count(cAccepted) == 0: // an officer's, who is not asked about what others have not done
		f.Of = f.Count
	case id == Decided:
		f.Of = v.count(cAccepted) - v.count(cWithdrawn) - v.young(lUndecided)
	case id == Confirmed:
		f.Of = v.cell.Spreads[string(Paid)].total()
	default:
		f.Of = v.count(cAccepted) - v.count(cWithdrawn) - v.count(cRefused) - v.young(lUnpaid)
		if id == BankAccepted {
			f.Of -= v.count(cCash)
		}
	}
	f.Of = max(f.Of, f.Count)
	return f
}

func (v View) stage(id ID) Figure {
	f := Figure{Indicator: id, Times: v.times(string(id))}
	if f.Times != nil {
		f.Count = f.Times.Count
	}
	return f
}

// young is how many accepted on the days asked about stand in a list for less
// than a day: nobody can say yet whether they are late.
func (v View) young(list string) int64 {
	n := int64(0)
	for _, s := range v.open {
		for _, m := range s.times {
			if on := dayOf(m.at); s.list == list && v.Now.Sub(m.at) < aDay && !on.Before(v.From) && !on.After(v.To) {
				n += m.n
			}
		}
	}
	return n
}
