// Package payout is the carrying out of one award to one payee over one rail. It
// is a pure state machine, Step, and what a step means for the store. It refuses
// to know any bank and any clock: what a bank said arrives as words, time as an
// argument.
//
// What it holds to, whatever crashes, repeats or comes late:
//   - an attempt has one reference, derived from award and number, for ever, and
//     the bytes stored with it are the only bytes ever sent under it;
//   - not knowing is a state, left only by the bank's answer to our own question;
//   - a new attempt exists only after such an answer said that the one before failed;
//   - a callback is a reason to ask, never an outcome;
//   - whatever differs from what was awarded stops everything until two people look.
package payout

import (
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names payouts in events.
const Noun = "payout"

// State is where a payout stands. Stored values never change meaning.
type State string

// The states.
const (
	Due         State = "due"         // 待支付: owed, nothing under way
	Instructing State = "instructing" // claimed: the order may be on the wire, or its sender died
	Submitted   State = "submitted"   // the bank has the order
	Unknown     State = "unknown"     // nobody knows: ask
	Waiting     State = "waiting"     // the money is set aside until the person accepts it
	Closing     State = "closing"     // somebody asked to take it back before the person accepts it; not proven yet
	Resend      State = "resend"      // the bank does not know the reference: the same bytes go again
	Paid        State = "paid"        // the bank's answer says so; it may still come back
	Failed      State = "failed"      // the bank's answer says it never will be, and a person must act
	Returned    State = "returned"    // 退票: paid, and sent back
	InFile      State = "in_file"     // one line of a file that pays many; what is heard of the file is heard of it
	Frozen      State = "frozen"      // something differs: two people look before anything moves
)

// States lists every state, for tests that prove tables total.
func States() []State {
	return []State{Due, Instructing, Submitted, Unknown, Waiting, Closing, Resend, Paid, Failed, Returned, InFile, Frozen}
}

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Due: "待支付", Instructing: "正在向银行发出指令", Submitted: "银行已受理", Unknown: "正在向银行核实",
		Waiting: "待本人确认收款", Closing: "正在撤销", Resend: "待重新发送同一指令", Paid: "已发放", Failed: "发放失败", Returned: "银行退回", InFile: "已列入代发文件", Frozen: "已冻结核查"}[s]
}

// Flying reports whether an order may be on its way.
func (s State) Flying() bool {
	return s == Instructing || s == Submitted || s == Unknown || s == Waiting || s == Closing || s == Resend || s == InFile
}

// Asks reports whether the bank is to be asked at p.Next.
func (p Payout) Asks() bool {
	q, owes := p.owes()
	return owes && q == work.Settle
}

// Payout is the carrying out of one award.
type Payout struct {
	Award   award.Award `json:"award"`
	Version int64       `json:"-"`
	State   State       `json:"state"`
	Since   time.Time   `json:"since"` // in this state
	// Next is when the machine must act; zero when it owes nothing.
	Next time.Time `json:"next,omitzero"`
	// Attempts are all numbered tries; the last is the present one.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Reservation counts how often money was reserved; Open says that the last
	// one is neither posted nor voided.
	Reservation int  `json:"reservation"`
	Open        bool `json:"open"`
	// Asked is how many answers in a row did not settle it; it spaces the questions.
	Asked int `json:"asked,omitempty"`
	// Retries is how many attempts the machine began by itself since a person last decided.
	Retries int       `json:"retries,omitempty"`
	PaidFen money.Fen `json:"paid_fen,omitempty"`
	PaidAt  time.Time `json:"paid_at,omitzero"`
	// Late says that the money arrived after its reservation had been voided.
	Late bool `json:"late,omitempty"`
	// Was is the state before it was frozen.
	Was State `json:"was,omitempty"`
	// Receipt is the SHA-256 of the signed receipt of a cash payment, hex.
	Receipt string `json:"receipt,omitempty"`
}

// Attempt is one numbered try. Its number, reference and payee never change.
type Attempt struct {
	Number    int    `json:"number"`
	Reference string `json:"reference"`
	// Rail is what the attempt goes over for ever, also when people decide to pay
	// over another one later; "" in old records is the award's.
	Rail  award.Rail `json:"rail,omitempty"`
	Payee string     `json:"payee"` // keyed digest of the payee, as the bank must repeat it
	At    time.Time  `json:"at"`
	// Ended is the word that ended it, Code the bank's reason, and Evidence the
	// SHA-256 of the raw answer; empty while it is open.
	Ended    Word   `json:"ended,omitempty"`
	Code     string `json:"code,omitempty"`
	Evidence string `json:"evidence,omitempty"`
	// Packaged says that what the person needs to accept the money is kept (see
	// Package), and that the person was told of it.
	Packaged bool `json:"packaged,omitempty"`
	// File and Line are where the attempt stands in a file that pays many; "" and 0
	// when it went by itself.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// BankReference is the bank's own number of the payment, when it told it.
	BankReference string `json:"bank_reference,omitempty"`
	// Refused is the code with which the provider did not take the order, "" when
	// it did or when people have looked since.
	Refused string `json:"refused,omitempty"`
}

// Reference is the permanent reference of attempt n of an award: 26 of [0-9a-z].
func Reference(application, award string, n int) string {
	return ident.Derive("payout", application, award, strconv.Itoa(n))
}

// Current is the present attempt; ok is false before the first.
func (p Payout) Current() (a Attempt, ok bool) {
	if len(p.Attempts) == 0 {
		return Attempt{}, false
	}
	return p.Attempts[len(p.Attempts)-1], true
}

// Rail is the rail that must act next: the present attempt's, except that the next
// attempt goes over the award's.
func (p Payout) Rail() award.Rail {
	if current, ok := p.Current(); ok && p.State != Due && current.Rail != "" {
		return current.Rail
	}
	return p.Award.Rail
}

// NextReference is the reference and number that the next claim uses: those of
// the present attempt when its bytes go again, else of the attempt after it.
func (p Payout) NextReference() (reference string, number int) {
	number = len(p.Attempts) + 1
	if p.State == Resend {
		number = len(p.Attempts)
	}
	return Reference(p.Award.Application, p.Award.ID, number), number
}

// Claim names the reservation in the fund.
func (p Payout) Claim() fund.Claim {
	return fund.Claim{Application: p.Award.Application, Award: p.Award.ID, Number: p.Reservation, Late: p.Late}
}

// New is a payout that has just been awarded. Its money must be reserved in the
// same transaction (see Grant).
func New(a award.Award) Payout {
	p := Payout{Award: a, Version: 1, State: Due, Since: a.At, Reservation: 1, Open: true}
	p.Next = p.due(a.At)
	return p
}

// due is when the machine must act on a payout that is due at t: never by itself
// where people must.
func (p Payout) due(t time.Time) time.Time {
	if !p.Award.Rail.ByMachine() || p.Award.Rail.InFiles() {
		return time.Time{}
	}
	return t
}

// filed reports whether the present attempt stands in a file that pays many.
func (p Payout) filed() bool {
	current, ok := p.Current()
	return ok && current.File != ""
}
