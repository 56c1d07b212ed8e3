package card

import (
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
)

var (
	zone = time.FixedZone("+08:00", 8*3600)
	t0   = time.Date(2026, 11, 23, 9, 0, 0, 0, zone)
)

func happened(noun, id, kind string, version int64, after time.Duration, facts event.Facts) event.Event {
	return event.Event{PK: "APP#x", Noun: noun, ID: id, Version: version, Kind: kind, At: t0.Add(after), Facts: facts}
}

func story() (application.Application, []event.Event) {
	a := application.Application{ID: "x", State: application.Approved, Cause: policy.Fire, AcceptedAt: t0,
		Proposal: &application.Proposal{Rail: "bank", Rules: "fp"},
		Award:    &application.Award{ID: "01", AmountFen: 300000, At: t0.Add(30 * time.Minute)},
		Deadline: application.Deadline{Kind: application.ToExplain, From: t0, At: t0.AddDate(0, 0, 7), Provisional: true},
		Receipts: []application.Receipt{{Award: "01", Answer: application.Received}}}
	return a, []event.Event{ // in no order, as a partition gives them
		happened(Payout, "01", "paid", 3, 62*time.Minute, event.Facts{"amount_fen": money.Fen(300000), "paid_fen": money.Fen(300000), "state": "paid", "paid_at": t0.Add(62 * time.Minute).Format(time.RFC3339)}),
		happened(application.Noun, "x", "approved", 4, 30*time.Minute, event.Facts{"office": "天宁街道 审批", "article": "《社会救助法》第五十条"}),
		happened(Payout, "01", "granted", 1, 30*time.Minute, event.Facts{"state": "due"}),
		happened(application.Noun, "x", "accepted", 1, 0, nil),
		happened(application.Noun, "x", "proposed", 3, 20*time.Minute, event.Facts{"office": "天宁街道 经办"}),
		happened("access", "1", "denied", 1, 10*time.Minute, nil),
	}
}

func TestCard(t *testing.T) {
	a, events := story()
	c := Make(a, events, zone)
	if len(c.Payments) != 1 {
		t.Fatalf("%d payments", len(c.Payments))
	}
	l := c.Payments[0]
	want := Line{Award: "01", Item: "先行救助", AwardedFen: 300000, PaidFen: 300000, Awarded: "¥3,000.00", Paid: "¥3,000.00", State: "paid",
		StateLabel: "银行已将救助金打入账户", Proposed: "天宁街道 经办", Approved: "天宁街道 审批", Article: "《社会救助法》第五十条", Rules: "fp",
		DecidedAt: "2026-11-23T09:30:00+08:00", PaidAt: "2026-11-23T10:02:00+08:00", Rail: "银行转账到本人账户", Receipt: "received", MinutesToPay: 62}
	if l != want {
		t.Errorf("line\n got %+v\nwant %+v", l, want)
	}
	if !strings.Contains(c.Explanation, "2026年11月30日") || !strings.Contains(c.Explanation, "可能调整") {
		t.Errorf("a provisional deadline does not say so: %s", c.Explanation)
	}
	if !strings.Contains(c.Objection, "行政复议") || c.Hotline != "12345" {
		t.Error("the card does not say how to object")
	}
	var order []string
	for _, m := range c.Timeline {
		order = append(order, m.Kind)
	}
	if got := strings.Join(order, " "); got != "application.accepted application.proposed application.approved payout.granted payout.paid" {
		t.Errorf("timeline %s", got)
	}
}

func TestReturnedMoneyIsNotShownAsPaid(t *testing.T) {
	a, events := story()
	l := Make(a, append(events, happened(Payout, "01", "returned", 5, 100*time.Hour, event.Facts{"state": "returned", "paid_fen": money.Fen(300000), "paid_at": t0.Format(time.RFC3339)})), zone).Payments[0]
	if l.PaidFen != 0 || l.PaidAt != "" || l.State != "returned" || l.Paid != "¥0.00" {
		t.Errorf("%+v", l)
	}
}

// What passes between the bank and us after the money is no news to the citizen.
func TestAskingTheBankAgainUnpaysNothing(t *testing.T) {
	a, events := story()
	for i, kind := range []string{"asked", "confirmed", "contradicted", "thawed"} {
		events = append(events, happened(Payout, "01", kind, int64(4+i), time.Duration(63+i)*time.Minute, event.Facts{"state": "paid", "paid_fen": money.Fen(300000), "paid_at": t0.Add(62 * time.Minute).Format(time.RFC3339)}))
		l := Make(a, events, zone).Payments[0]
		if l.State != "paid" || l.StateLabel == "" || l.PaidFen != 300000 || l.PaidAt == "" {
			t.Errorf("after %s: %+v", kind, l)
		}
	}
}

func TestNoAwardNoPayment(t *testing.T) {
	a, events := story()
	a.Award, a.State = nil, application.Refused
	c := Make(a, events[3:4], zone)
	if c.Payments == nil || len(c.Payments) != 0 || c.Explanation != "" || c.StateLabel != "不予救助" {
		t.Errorf("%+v", c)
	}
}

func TestEveryMoveHasWordsForTheCitizen(t *testing.T) {
	// Notes have their own kinds; a note that nobody named stays unseen.
	for _, move := range application.Moves() {
		if move == "noted" {
			continue
		}
		if words[application.Noun+"."+move] == "" {
			t.Errorf("the citizen hears nothing of %q", move)
		}
	}
	for _, s := range payout.States() {
		if states[string(s)] == "" {
			t.Errorf("the citizen hears nothing of money that is %s", s)
		}
	}
	for k := range words {
		if strings.TrimSpace(words[k]) == "" {
			t.Errorf("%s has no words", k)
		}
	}
}

// Whoever is to be posted is told before anybody sees it.
func TestThePersonIsToldOfThePosting(t *testing.T) {
	posted := happened(application.Noun, "x", "proposed", 3, 0, event.Facts{"posting_days": 7})
	plain := happened(application.Noun, "x", "proposed", 3, 0, nil)
	if got := Timeline([]event.Event{posted}, zone)[0].What; !strings.Contains(got, "先公示") {
		t.Error(got)
	}
	if got := Timeline([]event.Event{plain}, zone)[0].What; strings.Contains(got, "公示") {
		t.Error(got)
	}
}
