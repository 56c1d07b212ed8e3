// Package reconciliationtest is a hall with many payments in it, some of them
// made, and the statements that a truthful bank would write about them. It is for
// tests only.
package reconciliationtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// Day is the day on which money moves.
var Day = civil.Date(2026, 11, 23)

// Region is where nobody's lines go, Township where the awards are.
const (
	Region   civil.DivisionCode = "320400000000"
	Township civil.DivisionCode = "320402001000"
)

// The people.
var (
	Clerk      = event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.clerk"}
	Approver   = event.Actor{Kind: event.Staff, ID: "approver-1", Person: "b1.approver"}
	Finance    = event.Actor{Kind: event.Staff, ID: "finance-1", Person: "b1.finance"}
	Second     = event.Actor{Kind: event.Staff, ID: "finance-2", Person: "b1.finance2"}
	Supervisor = event.Actor{Kind: event.Staff, ID: "supervisor-1", Person: "b1.supervisor"}
	Settle     = event.Actor{Kind: event.System, ID: "settle"}
)

// Hall is a store with payments.
type Hall struct {
	T      testing.TB
	Store  *embedded.Store
	Office reconciliation.Office
	at     time.Time
}

type oneKey struct{ seal.Key }

func (k oneKey) Current(context.Context) (seal.Key, error)      { return k.Key, nil }
func (k oneKey) ByID(context.Context, string) (seal.Key, error) { return k.Key, nil }

// At is a time on Day, in China.
func At(clock string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", Day.String()+" "+clock, calendar.Zone)
	if err != nil {
		panic(err)
	}
	return t
}

// New is a hall at 10:05 of the day after Day.
func New(t testing.TB, sources ...reconciliation.Source) *Hall {
	t.Helper()
	key, err := seal.NewKey("k1", seal.AES256GCM, bytes.Repeat([]byte{7}, seal.AES256GCM.KeyBytes()))
	if err != nil {
		t.Fatal(err)
	}
	h := &Hall{T: t, Store: embedded.Memory(), at: reconciliation.Ready(Day).Add(5 * time.Minute)}
	if len(sources) == 0 {
		sources = []reconciliation.Source{BankSource, TreasurySource, WalletSource}
	}
	h.Office = reconciliation.Office{Table: h.Store, Box: seal.NewBox(oneKey{key}, rand.Reader), Sources: sources, Region: Region, Now: h.Now}
	err = fund.Provide(context.Background(), h.Store, fund.Slice{ID: h.Slice(), Source: "county"},
		fund.Appropriation{Reference: "1", AmountFen: 1_000_000_00, First: Finance, Second: Approver, At: At("08:00:00")})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The sources of the hall.
var (
	BankSource     = reconciliation.BankSource("A-1", reconciliation.Yuan)
	TreasurySource = reconciliation.TreasurySource("T-1", reconciliation.Yuan)
	WalletSource   = reconciliation.WxPaySource("1900000109")
)

// Now is the hall's clock.
func (h *Hall) Now() time.Time { return h.at }

// Wait lets time pass.
func (h *Hall) Wait(d time.Duration) { h.at = h.at.Add(d) }

// Slice is the fund's slice that pays.
func (h *Hall) Slice() fund.ID {
	return fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: Township}
}

// Amount is what the nth award gives.
func Amount(n int) money.Fen { return money.Fen(1_000_00 + n*7_01) }

func id(n int) string { return fmt.Sprintf("app%03d", n) }

// Key is where the nth payout is.
func Key(n int) table.Key { return payout.Key(id(n), "01") }

// Payee is the keyed digest of the nth payee.
func Payee(n int) string { return fmt.Sprintf("p1:%064x", n) }

// Grant makes the nth award.
func (h *Hall) Grant(n int, rail award.Rail) {
	h.T.Helper()
	ctx := context.Background()
	person := fmt.Sprintf("b1.person%d", n)
	a := application.Application{ID: id(n), Version: 1, State: application.Approved, Account: "acc", Township: Township, Place: Township,
		Subject: person, People: []string{person}, Award: &application.Award{ID: "01", AmountFen: Amount(n)}, AcceptedAt: At("08:10:00")}
	head, err := a.Writes(a.Event("approved", Approver, At("08:10:00")))
	h.must(err)
	payee, err := payout.Payee{Name: civil.StoredName("某人"), Account: civil.StoredAccount("6222020200099887766")}.Seal(ctx, h.Office.Box, id(n), "01", 1)
	h.must(err)
	granted, err := payout.Grant(ctx, h.Store, award.Award{ID: "01", Application: id(n), Kind: award.FirstAid, AmountFen: Amount(n),
		Persons: 1, Months: 1, Cause: "illness", Year: 2026, Subject: person, Payee: fmt.Sprintf("b1.account%d", n), Rail: rail,
		Fund: h.Slice().Fund, Township: Township, Proposer: Clerk, Approver: Approver, Rules: "rules", Article: "《社会救助法》第五十条", At: At("08:20:00")}, payee)
	h.must(err)
	h.must(h.Store.Transact(ctx, append(head, granted...)...))
}

func (h *Hall) must(err error) {
	if err != nil {
		h.T.Helper()
		h.T.Fatal(err)
	}
}

// Payout is the nth payout as it is stored.
func (h *Hall) Payout(n int) payout.Payout {
	h.T.Helper()
	p, err := payout.Get(context.Background(), h.Store, Key(n))
	h.must(err)
	return p
}

// Step moves the nth payout.
func (h *Hall) Step(n int, in payout.Input, at time.Time, more ...table.Write) {
	h.T.Helper()
	o, err := payout.Step(h.Payout(n), in, Settle, at)
	h.must(err)
	h.must(payout.Commit(context.Background(), h.Store, o, more...))
}

// Send grants the nth award and gives its order to the rail; nobody has heard since.
func (h *Hall) Send(n int, rail award.Rail, at time.Time) {
	h.T.Helper()
	h.Grant(n, rail)
	p := h.Payout(n)
	reference, number := p.NextReference()
	bytes, err := p.Request(context.Background(), h.Office.Box, reference, number, []byte("{}"))
	h.must(err)
	h.Step(n, payout.Claim{Payee: Payee(n)}, at, bytes...)
	h.Step(n, payout.Reply{Said: payout.Said{Word: payout.Processing, Reference: reference}}, at)
}

func (h *Hall) said(n int, word payout.Word, at time.Time) payout.Said {
	current, _ := h.Payout(n).Current()
	return payout.Said{Word: word, Reference: current.Reference, AmountFen: Amount(n), Payee: Payee(n), At: at, Evidence: strings.Repeat("e", 64), Code: "OK"}
}

// Pay makes the nth payment over a rail: granted, sent, and paid at a time.
func (h *Hall) Pay(n int, rail award.Rail, at time.Time) {
	h.T.Helper()
	h.Send(n, rail, at.Add(-time.Minute))
	h.Step(n, payout.Answer{Said: h.said(n, payout.Succeeded, at)}, at)
}

// SendBack is the nth payment coming back, as an answer says.
func (h *Hall) SendBack(n int, at time.Time) {
	h.T.Helper()
	h.Step(n, payout.Answer{Said: h.said(n, payout.SentBack, at)}, at)
}

// Line is what a truthful statement says of the nth payment.
func (h *Hall) Line(n int, way payout.Way, at time.Time) reconciliation.Line {
	current, _ := h.Payout(n).Current()
	return reconciliation.Line{Reference: current.Reference, Number: fmt.Sprintf("S%04d", n), Way: way, AmountFen: Amount(n), Payee: Payee(n), At: at}
}

// Receive believes lines as a source's statement of a day.
func (h *Hall) Receive(s reconciliation.Source, day civil.Day, lines ...reconciliation.Line) reconciliation.Head {
	h.T.Helper()
	head, _, err := h.Office.Receive(context.Background(), s.Name, day, s.Write(day, lines), reconciliation.From{By: Settle, Verified: true})
	h.must(err)
	return head
}

// Match receives lines and holds them against the books.
func (h *Hall) Match(s reconciliation.Source, day civil.Day, lines ...reconciliation.Line) reconciliation.Report {
	h.T.Helper()
	r, moved, err := h.Office.Match(context.Background(), h.Receive(s, day, lines...), Settle)
	h.must(err)
	if moved {
		h.T.Fatal("the statement moved")
	}
	return r
}

// Breaks are the breaks of a source's day, closed ones too, by class.
func (h *Hall) Breaks(s reconciliation.Source, day civil.Day) map[reconciliation.Class][]reconciliation.Break {
	h.T.Helper()
	all, err := reconciliation.OfDay(context.Background(), h.Store, s.Name, day)
	h.must(err)
	out := map[reconciliation.Class][]reconciliation.Break{}
	for _, b := range all {
		out[b.Class] = append(out[b.Class], b)
	}
	return out
}
