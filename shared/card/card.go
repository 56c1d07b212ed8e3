// Package card makes the 明白卡 and the timeline that a citizen sees: what was
// paid, when, by whose decision and under which article. It is made from the
// application and its events alone, so it can say nothing that was not
// recorded, and the program that serves it holds no code that moves money.
package card

import (
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
)

// Payout names payouts in events. The package of that name moves money and is
// not imported here.
const Payout = "payout"

// Card is the 明白卡 of one application.
type Card struct {
	Application string   `json:"application"`
	State       string   `json:"state"`
	StateLabel  string   `json:"state_label"`
	Cause       string   `json:"cause"`
	AcceptedAt  string   `json:"accepted_at"`
	Payments    []Line   `json:"payments"`
	Explanation string   `json:"explanation"` // what is owed or was given after first-step aid, in words
	Objection   string   `json:"objection"`   // how to object, in words
	Hotline     string   `json:"hotline"`
	Timeline    []Moment `json:"timeline"`
}

// Line is one award and what became of it.
type Line struct {
	Award      string    `json:"award"`
	Item       string    `json:"item"`
	AwardedFen money.Fen `json:"awarded_fen"`
	PaidFen    money.Fen `json:"paid_fen"`
	Awarded    string    `json:"awarded"` // the same amounts in words
	Paid       string    `json:"paid"`
	State      string    `json:"state"` // of the payout
	StateLabel string    `json:"state_label"`
	Proposed   string    `json:"proposed_by"` // office, not a name
	Approved   string    `json:"approved_by"`
	Article    string    `json:"article"`
	Rules      string    `json:"rules"` // fingerprint of the rules applied
	DecidedAt  string    `json:"decided_at"`
	PaidAt     string    `json:"paid_at,omitempty"`
	Rail       string    `json:"rail"`
	Receipt    string    `json:"receipt,omitempty"`
	// MinutesToPay is whole minutes from acceptance to the money being there.
	MinutesToPay int64 `json:"minutes_to_pay,omitempty"`
	// Evidence proves that what is said here of the money is in the log that the
	// supervision body keeps; none until a checkpoint speaks of it.
	Evidence *Evidence `json:"evidence,omitempty"`
}

// Evidence is the proof of one leaf of the evidence log: whoever has the log's
// public key checks it without asking us.
type Evidence struct {
	Index      int64    `json:"index"`      // of the leaf
	Leaf       string   `json:"leaf"`       // JSON, as hashed
	Hash       string   `json:"hash"`       // of the leaf, RFC 6962, base64
	Proof      []string `json:"proof"`      // hashes from the leaf to the root, base64
	Checkpoint string   `json:"checkpoint"` // signed note
	// Code is all of it as the text of a QR code: draw it as it is. Doudi
	// verify-card reads the picture's text, or this.
	Code string `json:"code"`
}

// Told finds the event of the money that the card is about: the latest of the
// payout of award.
func Told(events []event.Event, award string) (event.Event, bool) {
	var last event.Event
	for _, e := range events {
		if e.Noun == Payout && e.ID == award && e.Version > last.Version {
			last = e
		}
	}
	return last, last.Version > 0
}

// Moment is one line of the timeline.
type Moment struct {
	At   string `json:"at"`
	What string `json:"what"` // plain Chinese
	Kind string `json:"kind"` // noun and kind, for programs
}

// Hotline is the number every citizen of the country may call.
const Hotline = "12345"

const objection = "您对这个决定有不同意见，可以先向乡镇（街道）说明；也可以依法申请行政复议或者提起行政诉讼（《社会救助法》第七十六条）。"

// Make is the card of a as its events tell it. zone is where citizens read clocks.
func Make(a application.Application, events []event.Event, zone *time.Location) Card {
	clock := func(t time.Time) string { return t.In(zone).Format(time.RFC3339) }
	c := Card{Application: a.ID, State: string(a.State), StateLabel: a.State.Label(), Cause: a.Cause.Chinese(),
		AcceptedAt: clock(a.AcceptedAt), Explanation: explanation(a, zone), Objection: objection, Hotline: Hotline,
		Payments: []Line{}, Timeline: Timeline(events, zone)}
	if a.Award == nil {
		return c
	}
	l := Line{Award: a.Award.ID, Item: "先行救助", AwardedFen: a.Award.AmountFen, DecidedAt: clock(a.Award.At), State: "due"}
	if a.Proposal != nil {
		l.Rail, l.Rules = rails[a.Proposal.Rail], a.Proposal.Rules
	}
	for _, e := range inOrder(events) {
		switch {
		case e.Noun == application.Noun && e.Kind == "proposed":
			l.Proposed = e.Facts.Text("office")
		case e.Noun == application.Noun && (e.Kind == "approved" || e.Kind == "released"):
			l.Approved, l.Article = e.Facts.Text("office"), e.Facts.Text("article")
			if e.Kind == "released" {
				l.Proposed = "常设审批（两名负责人事先共同批准）"
			}
		case e.Noun == Payout && e.ID == a.Award.ID:
			// The state, not what the event is called: asking the bank again about
			// money that is there unpays nothing.
			l.State = e.Facts.Text("state")
			l.PaidFen, l.PaidAt, l.MinutesToPay = 0, "", 0
			if at, err := time.Parse(time.RFC3339, e.Facts.Text("paid_at")); err == nil && l.State == "paid" {
				l.PaidFen, l.PaidAt = e.Facts.Fen("paid_fen"), clock(at)
				l.MinutesToPay = int64(at.Sub(a.AcceptedAt) / time.Minute)
			}
		}
	}
	l.StateLabel = states[l.State]
	l.Awarded, l.Paid = l.AwardedFen.String(), l.PaidFen.String()
	for _, r := range a.Receipts {
		if r.Award == l.Award {
			l.Receipt = r.Answer
		}
	}
	c.Payments = append(c.Payments, l)
	return c
}

func explanation(a application.Application, zone *time.Location) string {
	switch {
	case a.State == application.Explained:
		return "乡镇（街道）已按《社会救助法》第五十条补充说明情况。"
	case a.State == application.Approved && a.Deadline.Kind == application.ToExplain:
		day := a.Deadline.At.In(zone).Format("2006年1月2日")
		if a.Deadline.Provisional {
			day += "（放假安排公布后可能调整）"
		}
		return "乡镇（街道）应在" + day + "前补充说明情况，这是工作人员的责任，不需要您补办手续。"
	}
	return ""
}

var rails = map[string]string{"bank": "银行转账到本人账户", "reserve_cash": "备用金现金发放", "wxpay": "微信收款（本人确认）", "bank_batch": "社保卡（一卡通）代发到本人账户"}

// states says each state of a payout in plain Chinese.
var states = map[string]string{
	"due":         "救助金已安排，等待银行办理",
	"instructing": "已向银行发出付款指令",
	"submitted":   "银行已收到付款指令",
	"unknown":     "正在向银行核实付款结果",
	"waiting":     "救助金已备好，请在小程序点“确认收款”",
	"closing":     "正在撤销微信收款，完成后改由其他方式发放",
	"resend":      "正在向银行重新发送同一指令",
	"paid":        "银行已将救助金打入账户",
	"failed":      "银行未能付款，资金未动，工作人员会联系您",
	"returned":    "救助金被银行退回，资金已回到专户，工作人员会联系您",
	"in_file":     "已列入发给银行的代发名单",
	"frozen":      "银行反馈与我们的记录不一致，已冻结并由专人核查",
}

// words says each event in plain Chinese. An event that is not listed is not
// shown to citizens.
var words = map[string]string{
	"application.accepted":              "申请已受理，开始计时",
	"application.verified":              "部门信息核对完成",
	"application.supplemented":          "收到您补充的情况，重新核对",
	"application.proposed":              "经办人员提出救助意见",
	"application.approved":              "另一名负责人批准先行救助",
	"application.released":              "在事先批准的范围内立即发放",
	"application.refused":               "决定不予救助",
	"application.reopened":              "您的异议成立，撤销不予救助的决定，重新办理",
	"application.restarted":             "您的异议成立，撤销不予救助的决定，重新核对",
	"application.appeal_upheld":         "您的异议已经答复：维持原决定",
	"application.withdrawn":             "申请已撤回",
	"application.explained":             "乡镇（街道）已补充说明情况",
	"application.held":                  "暂缓发放，等待人工核实",
	"application.hold_lifted":           "暂缓已解除",
	"application.receipted":             "收到您对到账情况的确认",
	"application.visited":               "工作人员入户走访",
	"application.escalated":             "办理期限临近，已提醒上级",
	"application.rescheduled":           "放假安排已公布，办理期限按公布的安排确定",
	"application.document_added":        "收到您提交的材料",
	"application.consented":             "收到核对授权",
	"application.appealed":              "收到您的异议，由没有参与决定的人处理",
	"application.disowned":              "本人表示没有提出申请，已暂缓并核实",
	"application.answered_late":         "有部门补充了核对结果",
	"payout.granted":                    "救助金已安排，等待银行办理",
	"payout.instructed":                 "已向银行发出付款指令",
	"payout.filed":                      "已列入发给银行的代发名单",
	"payout.submitted":                  "银行已收到付款指令",
	"payout.unknown":                    "正在向银行核实付款结果",
	"payout.waiting":                    "救助金已备好，请您确认收款",
	"payout.cancel_asked":               "正在撤销微信收款",
	"payout.paid":                       "银行已将救助金打入账户",
	"payout.failed":                     "银行未能付款，资金未动",
	"payout.returned":                   "救助金被银行退回，资金已回到专户",
	"payout.frozen":                     "银行反馈与我们的记录不一致，已冻结并由专人核查",
	"payout.retried":                    "重新办理付款",
	"reveal.asked":                      "有工作人员申请查看您的完整个人信息，等待另一人决定",
	"reveal.agreed":                     "另一人同意在限定时间内查看您的完整个人信息",
	"reveal.reviewed":                   "监督人员复核了对您完整个人信息的查看",
	"application.recovery_opened":       "工作人员提出核实一笔已发放的救助金，请您陈述意见",
	"application.recovery_heard":        "已听取您的陈述",
	"application.recovery_decided":      "作出追回决定，您可以申请行政复议、提起行政诉讼",
	"application.recovery_dismissed":    "决定不予追回",
	"application.recovery_planned":      "与您商定分期归还",
	"application.recovery_repaid":       "收到您归还的款项",
	"application.recovery_waiver_asked": "提出豁免其余款项，等待另一人同意",
	"application.recovery_waived":       "其余款项已豁免",
	"application.recovery_revoked":      "追回决定已撤销",
	"notice.sent":                       "已通知您",
	"notice.unsent":                     "未能通知到您，工作人员会电话联系",
	"notice.called":                     "工作人员给您打过电话，没有联系上，还会再打",
	"notice.told":                       "工作人员已经电话告诉您",
	"notice.untold":                     "工作人员多次打电话没有联系上您，结果请在这里查看",
}

// Words is what e is called in words for the citizen; "" when it is not shown.
func Words(e event.Event) string { return words[e.Noun+"."+e.Kind] }

// Timeline is what happened, oldest first, in words for the citizen.
func Timeline(events []event.Event, zone *time.Location) []Moment {
	moments := []Moment{}
	for _, e := range inOrder(events) {
		kind := e.Noun + "." + e.Kind
		if what, ok := words[kind]; ok {
			if _, posted := e.Facts["posting_days"]; posted {
				what += "，决定以前先公示（不公开身份证号、住址和病情）"
			}
			moments = append(moments, Moment{At: e.At.In(zone).Format(time.RFC3339), What: what, Kind: kind})
		}
	}
	return moments
}

// inOrder sorts by time; events of one transaction share it and then go by
// what depends on what: the application before the money before the message.
func inOrder(events []event.Event) []event.Event {
	rank := map[string]int{application.Noun: 0, Payout: 1}
	of := func(e event.Event) int {
		if r, ok := rank[e.Noun]; ok {
			return r
		}
		return 2
	}
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b event.Event) int {
		if d := a.At.Compare(b.At); d != 0 {
			return d
		}
		if d := of(a) - of(b); d != 0 {
			return d
		}
		if a.Noun == b.Noun && a.ID == b.ID {
			return int(a.Version - b.Version)
		}
		return strings.Compare(a.Noun+a.ID, b.Noun+b.ID)
	})
	return sorted
}
