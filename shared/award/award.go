// Package award is the decision to pay a person an amount for a reason, and the
// markers that keep it from being made twice: one per person, cause and calendar
// year, and one that ties a payee account to one person. It knows no bank and no
// balance, and it decides nothing: who decided is written in it.
package award

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Kind is why money is given.
type Kind string

// FirstAid is aid given before the paperwork (先行救助, Law art. 50).
const FirstAid Kind = "first_aid"

// Rail is a way money moves.
type Rail string

// The rails.
const (
	Bank        Rail = "bank"         // single transfer through the agent bank
	ReserveCash Rail = "reserve_cash" // 备用金, handed over against a signed receipt
	WxPay       Rail = "wxpay"        // transfer into the person's WeChat wallet, which the person accepts
	BankBatch   Rail = "bank_batch"   // 社保卡（一卡通）代发: one line of a file that pays many
)

// Rails lists every rail.
func Rails() []Rail { return []Rail{Bank, ReserveCash, WxPay, BankBatch} }

// ByMachine reports whether the machine carries a payment over r out; cash is
// handed over by people.
func (r Rail) ByMachine() bool { return r != ReserveCash }

// InFiles reports whether payments over r leave together, in files that two
// people form; by itself the machine does nothing about one of them.
func (r Rail) InFiles() bool { return r == BankBatch }

// Ceiling is the most that one award may give: 50,000 yuan. It is a ceiling in
// code that no figure can raise; the figures of a region stand far below it.
const Ceiling money.Fen = 50_000_00

// Award is one decision to pay. It holds keyed references, nothing personal.
type Award struct {
	ID          string             `json:"id"` // "01", "02" … within the application
	Application string             `json:"application"`
	Kind        Kind               `json:"kind"`
	AmountFen   money.Fen          `json:"amount_fen"`
	Persons     int                `json:"persons"`
	Months      int                `json:"months"`
	Cause       policy.Cause       `json:"cause"`
	Year        int                `json:"year"`               // calendar year in China, for once-a-year
	Subject     string             `json:"subject"`            // keyed reference of the person helped
	Subjects    []string           `json:"subjects,omitempty"` // the same person under older live keys
	Payee       string             `json:"payee,omitempty"`    // keyed reference of the account; empty for cash
	Payees      []string           `json:"payees,omitempty"`   // the same account under older live keys
	Holder      string             `json:"holder,omitempty"`   // keyed reference of whose account it is; empty means Subject
	Rail        Rail               `json:"rail"`
	Fund        string             `json:"fund"` // as fund.Named makes it
	Township    civil.DivisionCode `json:"township"`
	Proposer    event.Actor        `json:"proposer"`
	Approver    event.Actor        `json:"approver"`
	Envelope    string             `json:"envelope,omitempty"`  // the standing approval it was released under
	Exception   string             `json:"exception,omitempty"` // reason code of a second award in one year
	Rules       string             `json:"rules"`               // fingerprint
	Article     string             `json:"article"`             // "《社会救助法》第五十条"
	At          time.Time          `json:"at"`
	Trace       string             `json:"trace,omitempty"`
}

var idForm = regexp.MustCompile(`^[0-9]{2}$`)

// Slice is the part of a fund that pays the award.
func (a Award) Slice() fund.ID { return fund.ID{Fund: a.Fund, Township: a.Township} }

// holder is whose account the money goes to.
func (a Award) holder() string {
	if a.Holder != "" {
		return a.Holder
	}
	return a.Subject
}

// purposes says which fund a rail may draw on: money set aside for one purpose
// never pays for another (649 art. 5).
var purposes = map[Rail]fund.Purpose{Bank: fund.Relief, BankBatch: fund.Relief, WxPay: fund.Relief, ReserveCash: fund.Reserve}

// Check refuses an award that lacks anything. Two people, always: the proposer
// and the approver, or the two who gave the standing approval it names.
func (a Award) Check() error {
	if !a.AmountFen.Payable() || a.AmountFen > Ceiling {
		return ErrAmount
	}
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, fmt.Errorf("no %s", what))
		}
	}
	need(idForm.MatchString(a.ID) && a.Application != "", "identity")
	need(a.Kind == FirstAid, "kind")
	need(a.Cause != "" && a.Year >= 2026 && a.Year < 10000, "cause and year")
	need(a.Subject != "", "subject")
	need(purposes[a.Rail] != "" && fund.Of(a.Fund) == purposes[a.Rail], "rail with a fund of its purpose")
	need(!a.Rail.ByMachine() || a.Payee != "", "payee")
	need(a.Township != "" && a.Rules != "" && a.Article != "" && !a.At.IsZero(), "township, rules, article and time")
	need(a.Envelope != "" || twoPeople(a.Proposer, a.Approver), "two people")
	if len(missing) > 0 {
		return ErrIncomplete.Because(errors.Join(missing...))
	}
	return nil
}

func twoPeople(a, b event.Actor) bool {
	return a.Kind == event.Staff && b.Kind == event.Staff && a.ID != b.ID &&
		a.Person != "" && b.Person != "" && a.Person != b.Person
}
