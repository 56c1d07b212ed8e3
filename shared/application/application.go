// Package application is one request for help for one subject and one cause,
// from acceptance to the explanation that follows first-step aid. It holds who
// may move it from where to where, the legal clock, the holds on it, and how it
// is stored. It knows no HTTP, no clock of its own, no bank and no register:
// time, findings and people are arguments. Everything personal is in
// Particulars, which is stored sealed and apart.
package application

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Noun names applications in events.
const Noun = "application"

// Track is the procedure an application follows.
type Track string

// Emergency is 急难型: pay first, explain afterwards (Law art. 50).
const Emergency Track = "emergency"

// State is where an application stands. Stored values never change meaning.
type State string

// The states.
const (
	Accepted  State = "accepted"  // 已受理: the clock runs, the registers are being asked
	Verified  State = "verified"  // 已核对: findings and a drafted proposal are there
	Proposed  State = "proposed"  // 待审批: one officer proposes an amount
	Approved  State = "approved"  // 已决定先行救助: a second one agreed, the award exists
	Explained State = "explained" // 已补充说明: the duty of art. 50 is done
	Refused   State = "refused"   // 不予救助: by a person, with reason and remedy
	Withdrawn State = "withdrawn" // 已撤回: by the applicant
)

// States lists every state, for tests that prove tables total.
func States() []State {
	return []State{Accepted, Verified, Proposed, Approved, Explained, Refused, Withdrawn}
}

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Accepted: "已受理", Verified: "已核对", Proposed: "待审批", Approved: "已决定先行救助",
		Explained: "已补充说明", Refused: "不予救助", Withdrawn: "已撤回"}[s]
}

// Relation is what the applicant is to the subject (Law art. 37).
type Relation string

// The relations.
const (
	Self      Relation = "self"              // 本人
	Household Relation = "household"         // 共同生活的家庭成员
	Committee Relation = "village_committee" // 村(居)民委员会
	Relative  Relation = "relative"          // 亲属代为申请
	Outreach  Relation = "outreach"          // 主动发现的工作人员
)

// Relations lists every relation.
func Relations() []Relation { return []Relation{Self, Household, Committee, Relative, Outreach} }

// Agent reports whether somebody outside the household asks on the subject's behalf.
func (r Relation) Agent() bool { return r == Committee || r == Relative || r == Outreach }

// Escalations are the shares of the time to a deadline, in percent, at which
// somebody further up is told.
var Escalations = []int{50, 80, 100}

// Application is one request for help. It holds keyed references and figures,
// nothing personal in the clear.
type Application struct {
	ID       string             `json:"id"`
	Version  int64              `json:"-"`
	Track    Track              `json:"track"`
	State    State              `json:"state"`
	Township civil.DivisionCode `json:"township"` // where the emergency happened (Law art. 37)
	Place    civil.DivisionCode `json:"place"`    // village or community, or the township again
	County   civil.DivisionCode `json:"county"`
	Cause    policy.Cause       `json:"cause"`
	Relation Relation           `json:"relation"`
	Account  string             `json:"account"` // who filed it
	Subject  string             `json:"subject"` // keyed reference of the person helped
	People   []string           `json:"people"`  // keyed references of subject, household and agent
	Payee    string             `json:"payee,omitempty"`
	// PayeeChange is when the account was changed after an amount had been proposed
	// for another one; nil when it never was.
	PayeeChange *PayeeChange `json:"payee_change,omitempty"`
	Device      string       `json:"device,omitempty"` // keyed reference; "" when it gave none
	Trace       string       `json:"trace,omitempty"`

	AcceptedAt time.Time `json:"accepted_at"` // starts the legal clock; no edit changes it
	Deadline   Deadline  `json:"deadline"`    // the next thing the law or the region wants done
	Findings   *Findings `json:"findings,omitempty"`
	// Heard is the digest of the registers' answers that are on the record; while
	// it differs from what they have said, somebody has still to weigh it.
	Heard    string    `json:"heard,omitempty"`
	Proposal *Proposal `json:"proposal,omitempty"`
	Award    *Award    `json:"award,omitempty"`
	Holds    []Hold    `json:"holds,omitempty"`
	Receipts []Receipt `json:"receipts,omitempty"`
	// Requests maps the key of each request that changed this application to the
	// version it made, whose event holds the answer.
	Requests map[string]int64 `json:"requests,omitempty"`
}

// PayeeChange is one change of the account that money goes to.
type PayeeChange struct {
	At time.Time `json:"at"`
	// Staff: two officers changed it, after a payment failed.
	Staff bool `json:"staff,omitempty"`
}

// Deadline is a point in time by which staff must have acted.
type Deadline struct {
	Kind        string    `json:"kind"` // "decide" or "explain"
	From        time.Time `json:"from"`
	At          time.Time `json:"at"`
	Provisional bool      `json:"provisional,omitempty"` // the year's holidays are not announced yet
	Told        int       `json:"told,omitempty"`        // highest share of Escalations already told
}

// The kinds of Deadline.
const (
	ToDecide  = "decide"
	ToExplain = "explain"
)

// Next is when the next escalation of d is due; ok is false after the last.
func (d Deadline) Next() (at time.Time, percent int, ok bool) {
	for _, p := range Escalations {
		if p > d.Told {
			return d.From.Add(d.At.Sub(d.From) * time.Duration(p) / 100), p, !d.At.IsZero()
		}
	}
	return time.Time{}, 0, false
}

// Passed is the highest share of Escalations that has passed at now; 0 for none.
func (d Deadline) Passed(now time.Time) int {
	passed := 0
	for d.Told = 0; ; d.Told = passed {
		at, percent, ok := d.Next()
		if !ok || at.After(now) {
			return passed
		}
		passed = percent
	}
}

// Findings is what the checks mean for the rules, with a drafted amount. Words
// and traces are in the event; the answers themselves are the checks' own items.
type Findings struct {
	At        time.Time               `json:"at"`
	Checks    []policy.Check          `json:"checks"`
	Classes   []policy.RecipientClass `json:"classes,omitempty"`
	Persons   int                     `json:"persons"`
	Months    int                     `json:"months"`
	AmountFen money.Fen               `json:"amount_fen"` // drafted
	Authority policy.Authority        `json:"authority"`
	Exception []string                `json:"exception,omitempty"` // rules that need a reasoned exception
	Kin       []string                `json:"kin,omitempty"`       // staff ids with declared kin among People
	Rules     string                  `json:"rules"`               // fingerprint
}

// Proposal is one officer's proposal of first-step aid.
type Proposal struct {
	By        event.Actor      `json:"by"`
	At        time.Time        `json:"at"`
	AmountFen money.Fen        `json:"amount_fen"`
	Persons   int              `json:"persons"`
	Months    int              `json:"months"`
	Rail      string           `json:"rail"` // "bank" or "reserve_cash"
	Authority policy.Authority `json:"authority"`
	Payee     string           `json:"payee"` // the payee it was proposed for
	Exception []string         `json:"exception,omitempty"`
	Rules     string           `json:"rules"`
	// Posting is the id of the posting (公示) that must be over before anybody may
	// approve; "" where none is wanted.
	Posting string `json:"posting,omitempty"`
}

// Award points at the decision to pay. The award itself belongs to the payout.
type Award struct {
	ID        string      `json:"id"`
	AmountFen money.Fen   `json:"amount_fen"`
	By        event.Actor `json:"by"` // the approver; System with an envelope's id when it was released in advance
	At        time.Time   `json:"at"`
}

// Receipt is what the person said when asked whether the money came.
type Receipt struct {
	Award  string    `json:"award"`
	Answer string    `json:"answer"` // Received, NotReceived or WrongAmount
	At     time.Time `json:"at"`
}

// The answers of a Receipt. Anything but Received places a hold and calls a person.
const (
	Received    = "received"     // 收到
	NotReceived = "not_received" // 没收到
	WrongAmount = "wrong_amount" // 金额不对
)

// Hold is a reason why nothing may be paid on this application yet.
type Hold struct {
	ID     string      `json:"id"`
	Code   string      `json:"code"`  // of policy.HoldReason, or HoldReceipt, HoldStaff …
	Owner  string      `json:"owner"` // role that must deal with it
	Placed event.Actor `json:"placed"`
	At     time.Time   `json:"at"`
	Due    time.Time   `json:"due"`
	Lifted *Lift       `json:"lifted,omitempty"`
	// Past: it was lifted, and the people or the payee it was about have changed
	// since. Whoever looked then has not seen what there is now.
	Past bool `json:"past,omitempty"`
}

// Lift is how a hold ended.
type Lift struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Held reports whether a hold is open.
func (a Application) Held() bool {
	return slices.ContainsFunc(a.Holds, func(h Hold) bool { return h.Lifted == nil })
}

// Concerns reports whether the person behind ref is the subject, lives in the
// household or files for them. Such a person decides nothing here.
func (a Application) Concerns(ref string) bool { return ref != "" && slices.Contains(a.People, ref) }

// Persons lists the keyed references of everybody whom a concerns or who acted
// on it: what somebody must be compared with to be known again.
func (a Application) Persons() []string {
	all := slices.Clone(a.People)
	if a.Proposal != nil {
		all = append(all, a.Proposal.By.Person)
	}
	if a.Award != nil {
		all = append(all, a.Award.By.Person)
	}
	for _, h := range a.Holds {
		all = append(all, h.Placed.Person)
	}
	return all
}

// Open reports whether there is still something to decide or explain.
func (a Application) Open() bool {
	return a.State == Accepted || a.State == Verified || a.State == Proposed || a.State == Approved
}

// Actor is the division that has to act now: the county where it decides, else the township.
func (a Application) Actor() civil.DivisionCode {
	if a.State == Proposed && a.Proposal != nil && a.Proposal.Authority != policy.Township {
		return a.County
	}
	return a.Township
}
