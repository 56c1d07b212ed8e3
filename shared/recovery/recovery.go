// Package recovery follows money that was wrongly paid (追回): who says so and
// why, that the person was heard, who decided what must be given back and told
// the person how to object, how it is given back bit by bit, and who let go of
// the rest. Every step is a version with an event.
//
// No machine opens or decides one (promise 3): a contradiction, a death or a
// model may hold money that has not left, and a person may then open a case. The
// one who opens it, or who hears the person, does not decide. What is given back
// goes into the fund once, and never more than was decided.
//
// It refuses to know banks and rules of eligibility.
package recovery

import (
	"regexp"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

// Noun names recoveries in events.
const Noun = "recovery"

// Reason is why money should not have been paid.
type Reason string

// The reasons.
const (
	Fraud       Reason = "false_declaration" // 虚报、隐瞒、伪造 (Law art. 73; 649 art. 68)
	Deceased    Reason = "paid_after_death"  // 死亡后发放
	Duplicate   Reason = "duplicate"         // 重复享受
	NotEligible Reason = "not_eligible"      // 不符合条件 (Law art. 70(3): the office's own mistake too)
	WrongAmount Reason = "wrong_amount"      // 数额错误
	WrongPayee  Reason = "wrong_payee"       // 付给了别人
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{Fraud, Deceased, Duplicate, NotEligible, WrongAmount, WrongPayee}
}

// Label is the reason in Chinese.
func (r Reason) Label() string {
	return map[Reason]string{Fraud: "虚报、隐瞒、伪造骗取救助", Deceased: "死亡后发放", Duplicate: "重复享受", NotEligible: "不符合救助条件",
		WrongAmount: "发放数额错误", WrongPayee: "付给了他人"}[r]
}

// Article is the law that a decision for the reason stands on, on the day of the act.
func (r Reason) Article(act civil.Day) string {
	if p, err := PenaltyOf(act); err == nil && r == Fraud {
		return p.Article
	}
	return "《社会救助法》第七十四条"
}

// State is where a recovery stands. Stored values never change meaning.
type State string

// The states.
const (
	Opened    State = "opened"    // 待听取本人陈述
	Heard     State = "heard"     // 已听取陈述，待决定
	Decided   State = "decided"   // 决定追回，待归还
	Waiving   State = "waiving"   // somebody asks to let go of the rest; still owed
	Repaid    State = "repaid"    // 已全部归还
	Waived    State = "waived"    // 已豁免其余
	Dismissed State = "dismissed" // 决定不追回
	Revoked   State = "revoked"   // the decision did not stand (复议、诉讼或异议)
)

// States lists every state, for tests that prove tables total.
func States() []State {
	return []State{Opened, Heard, Decided, Waiving, Repaid, Waived, Dismissed, Revoked}
}

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Opened: "待听取本人陈述", Heard: "已听取陈述，待决定", Decided: "决定追回，待归还", Waiving: "待另一人同意豁免其余",
		Repaid: "已全部归还", Waived: "已豁免其余", Dismissed: "决定不追回", Revoked: "决定已撤销"}[s]
}

// Open reports whether anything is still to be done.
func (s State) Open() bool { return s == Opened || s == Heard || s == Decided || s == Waiving }

// Hand is what one person did.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Hearing is how the person was heard. The words are sealed in the event.
type Hearing struct {
	Hand
	How     How      `json:"how"`
	Records []string `json:"records,omitempty"` // SHA-256 of papers, hex
}

// How is how somebody was heard.
type How string

// The ways.
const (
	Stated How = "stated" // spoke or wrote, and it is on record
	Silent How = "silent" // was told, and said nothing in the term
	Heirs  How = "heirs"  // the person died: the heirs were heard
)

// Decision is what must be given back. Its reasons are sealed in the event.
type Decision struct {
	Hand
	AmountFen  money.Fen `json:"amount_fen"` // back to the fund
	PenaltyFen money.Fen `json:"penalty_fen,omitempty"`
	Article    string    `json:"article"`
	Penalty    string    `json:"penalty,omitempty"` // name of the frame of the day of the act
	Due        time.Time `json:"due"`
}

// Instalment is a part of what must be given back.
type Instalment struct {
	Due time.Time `json:"due"`
	Fen money.Fen `json:"fen"`
}

// Repayment is money that came back. Reference is the bank's or the treasury's
// number of the credit: no credit is booked twice.
type Repayment struct {
	Hand
	Reference string    `json:"reference"`
	Fen       money.Fen `json:"fen"`
	Evidence  string    `json:"evidence"` // SHA-256 of the paper, hex
}

// Recovery is one case. It holds keyed references, nothing personal.
type Recovery struct {
	ID          string             `json:"id"`
	Version     int64              `json:"version"`
	Application string             `json:"application"`
	Award       string             `json:"award"`
	Division    civil.DivisionCode `json:"division"`
	State       State              `json:"state"`
	Since       time.Time          `json:"since"`
	Reason      Reason             `json:"reason"`
	// Act is the day of the act: when the money was got, or the lie was told. The
	// law of that day bounds a penalty.
	Act      civil.Day    `json:"act"`
	PaidFen  money.Fen    `json:"paid_fen"` // what was paid and has not come back: the most that can be recovered
	Claim    Claim        `json:"claim"`
	Evidence []string     `json:"evidence"` // SHA-256 of papers, hex; at least one
	Opened   Hand         `json:"opened"`
	HearBy   time.Time    `json:"hear_by"` // until when the person may speak
	Hearing  *Hearing     `json:"hearing,omitempty"`
	Decision *Decision    `json:"decision,omitempty"`
	Plan     []Instalment `json:"plan,omitempty"`
	Back     []Repayment  `json:"back,omitempty"`
	BackFen  money.Fen    `json:"back_fen"`
	Waiver   *Hand        `json:"waiver,omitempty"`
	Waived   *Hand        `json:"waived,omitempty"`
	Revoked  *Hand        `json:"revoked,omitempty"`
}

// Claim is which reservation of the fund the money went out under.
type Claim struct {
	Number int  `json:"number"`
	Late   bool `json:"late,omitempty"`
}

// Terms.
const (
	// HearingTerm is how long the person has to speak before silence counts.
	HearingTerm = 10 * 24 * time.Hour
	// decideTerm is how long the office has to decide once the person was heard.
	decideTerm = 15 * 24 * time.Hour
	// waiveTerm is how long the second person has.
	waiveTerm = 5 * 24 * time.Hour
	// maxRepayments and maxPlan bound a record.
	maxRepayments = 120
	maxPlan       = 60
)

var (
	digestForm    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	referenceForm = regexp.MustCompile(`^[0-9A-Za-z-]{4,64}$`)
)

func person(a event.Actor) bool { return a.Kind == event.Staff && a.ID != "" && a.Person != "" }

func same(a, b event.Actor) bool { return a.ID == b.ID || a.Person == b.Person }

func papers(list []string) bool {
	return len(list) > 0 && len(list) <= 20 && !slices.ContainsFunc(list, func(d string) bool { return !digestForm.MatchString(d) })
}

// New is a recovery of what p paid, which by says was wrong. Earlier are all cases
// about the application: what they brought back cannot come back again.
func New(r Recovery, a application.Application, p payout.Payout, earlier []Recovery, by event.Actor, at time.Time) (Recovery, error) {
	left := p.PaidFen
	for _, e := range earlier {
		if e.Award == p.Award.ID && e.Claim.Number == p.Reservation {
			left -= e.BackFen
		}
	}
	switch {
	case !person(by):
		return r, ErrMachine
	case p.State != payout.Paid || p.Award.Application != a.ID || left <= 0:
		return r, ErrPaid
	case !slices.Contains(Reasons(), r.Reason), !papers(r.Evidence), r.Act.IsZero():
		return r, ErrState
	}
	r.Version, r.Application, r.Award, r.Division = 1, a.ID, p.Award.ID, a.Township
	r.PaidFen, r.Claim = left, Claim{p.Reservation, p.Late}
	r.State, r.Since, r.Opened, r.HearBy = Opened, at, Hand{by, at}, at.Add(HearingTerm)
	r.Hearing, r.Decision, r.Plan, r.Back, r.BackFen, r.Waiver, r.Waived, r.Revoked = nil, nil, nil, nil, 0, nil, nil, nil
	return r, nil
}

func (r Recovery) to(s State, at time.Time) Recovery {
	if r.State != s {
		r.Since = at
	}
	r.State = s
	r.Version++
	return r
}

// Hear records that the person was heard (Law art. 46–48). Silence counts only
// after the term, and only of a person who was told.
func (r Recovery) Hear(how How, records []string, by event.Actor, at time.Time) (Recovery, error) {
	switch {
	case r.State != Opened:
		return r, ErrState
	case !person(by):
		return r, ErrMachine
	case how == Silent && at.Before(r.HearBy):
		return r, ErrEarly
	case how != Silent && !papers(records), how != Stated && how != Silent && how != Heirs:
		return r, ErrUnheard
	}
	r.Hearing = &Hearing{Hand{by, at}, how, records}
	return r.to(Heard, at), nil
}

// Hands are those who had part before a decision: none of them decides.
func (r Recovery) Hands() []event.Actor {
	hands := []event.Actor{r.Opened.By}
	if r.Hearing != nil {
		hands = append(hands, r.Hearing.By)
	}
	return hands
}

// Deciders are those who decided: none of them answers for it afterwards.
func (r Recovery) Deciders() []event.Actor {
	hands := r.Hands()
	if r.Decision != nil {
		hands = append(hands, r.Decision.By)
	}
	return hands
}

// other is an error when by is one of hands, or nobody known.
func other(by event.Actor, hands []event.Actor) error {
	if !person(by) {
		return ErrMachine
	}
	if slices.ContainsFunc(hands, func(h event.Actor) bool { return same(by, h) }) {
		return ErrPerson
	}
	return nil
}

// Decide is the decision of another person: how much goes back, by when, and for
// fraud how much is added. An amount of 0 dismisses the case.
func (r Recovery) Decide(amount, penalty money.Fen, due time.Time, by event.Actor, at time.Time) (Recovery, error) {
	if r.State == Opened {
		return r, ErrUnheard
	}
	if r.State != Heard {
		return r, ErrState
	}
	if err := other(by, r.Hands()); err != nil {
		return r, err
	}
	if amount < 0 || amount > r.PaidFen || amount > 0 && !due.After(at) {
		return r, ErrAmount
	}
	d := Decision{Hand: Hand{by, at}, AmountFen: amount, PenaltyFen: penalty, Article: r.Reason.Article(r.Act), Due: due}
	if penalty != 0 {
		frame, err := PenaltyOf(r.Act)
		if err != nil {
			return r, ErrPenalty
		}
		if r.Reason != Fraud || !frame.Allows(amount, penalty) {
			return r, ErrPenalty
		}
		d.Penalty = frame.Name
	}
	r.Decision = &d
	if amount == 0 {
		return r.to(Dismissed, at), nil
	}
	return r.to(Decided, at), nil
}

// Left is what must still go back to the fund.
func (r Recovery) Left() money.Fen {
	if r.Decision == nil {
		return 0
	}
	return r.Decision.AmountFen - r.BackFen
}

// Agree records instalments that were agreed with the person. They change when
// the money comes, never how much.
func (r Recovery) Agree(plan []Instalment, by event.Actor, at time.Time) (Recovery, error) {
	if r.State != Decided {
		return r, ErrState
	}
	if !person(by) {
		return r, ErrMachine
	}
	if len(plan) > maxPlan {
		return r, ErrPlan
	}
	var total money.Fen
	last := at
	for _, i := range plan {
		var err error
		if total, err = total.Add(i.Fen); err != nil || i.Fen <= 0 || !i.Due.After(last) {
			return r, ErrPlan
		}
		last = i.Due
	}
	if total != r.Left() {
		return r, ErrPlan
	}
	r.Plan = slices.Clone(plan)
	return r.to(Decided, at), nil
}

// Repay records money that came back. The last of it ends the case.
func (r Recovery) Repay(fen money.Fen, reference, evidence string, by event.Actor, at time.Time) (Recovery, error) {
	switch {
	case r.State != Decided && r.State != Waiving:
		return r, ErrState
	case !person(by):
		return r, ErrMachine
	case !referenceForm.MatchString(reference), !digestForm.MatchString(evidence), fen <= 0, fen > r.Left(), len(r.Back) >= maxRepayments:
		return r, ErrAmount
	case slices.ContainsFunc(r.Back, func(b Repayment) bool { return b.Reference == reference }):
		return r, ErrBooked
	}
	r.BackFen += fen
	r.Back = append(slices.Clone(r.Back), Repayment{Hand{by, at}, reference, fen, evidence})
	if r.Left() == 0 {
		r.Waiver = nil
		return r.to(Repaid, at), nil
	}
	return r.to(r.State, at), nil
}

// AskWaiver is the first of two people who let go of the rest. It is still owed.
func (r Recovery) AskWaiver(by event.Actor, at time.Time) (Recovery, error) {
	if r.State != Decided {
		return r, ErrState
	}
	if !person(by) {
		return r, ErrMachine
	}
	r.Waiver = &Hand{by, at}
	return r.to(Waiving, at), nil
}

// Waive is the second.
func (r Recovery) Waive(by event.Actor, at time.Time) (Recovery, error) {
	if r.State != Waiving {
		return r, ErrState
	}
	if err := other(by, []event.Actor{r.Waiver.By}); err != nil {
		return r, err
	}
	r.Waived = &Hand{by, at}
	return r.to(Waived, at), nil
}

// Revoke takes a decision back that did not stand: on the person's objection, a
// review or a judgement. Whoever had part in it does not. What was given back
// already is then owed to the person, and people must pay it.
func (r Recovery) Revoke(by event.Actor, at time.Time) (Recovery, error) {
	if r.Decision == nil || r.State == Revoked || r.State == Dismissed {
		return r, ErrState
	}
	if err := other(by, r.Deciders()); err != nil {
		return r, err
	}
	r.Revoked = &Hand{by, at}
	return r.to(Revoked, at), nil
}

// Due is when somebody must do something; ok is false when nobody must.
func (r Recovery) Due() (due time.Time, ok bool) {
	switch r.State {
	case Opened:
		return r.HearBy, true
	case Heard:
		return r.Since.Add(decideTerm), true
	case Waiving:
		return r.Waiver.At.Add(waiveTerm), true
	case Decided:
		back := -r.Left() // since the instalments were agreed, which came to what was left
		for _, i := range r.Plan {
			back += i.Fen
		}
		for _, i := range r.Plan {
			if back < i.Fen {
				return i.Due, true
			}
			back -= i.Fen
		}
		return r.Decision.Due, true
	}
	return time.Time{}, false
}
