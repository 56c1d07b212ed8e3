// Package complaint is one complaint about social aid, from the moment somebody
// complains until it is answered, rated and looked at again:
// 投诉→受理→分办/转办→办理→审核→答复→评价. It holds who may move it from where
// to where, the clocks that no edit resets, and how it is stored.
//
// Who complained is sealed and apart, or not kept at all. The unit that handles a
// complaint is given words that the supervision body wrote for it (the brief),
// and neither the complainant's own words nor anything from which the person
// could be worked out (信访工作条例 第三十条). A complaint never leaves the lists
// of the supervision body, and nobody closes one alone.
package complaint

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
)

// Noun names complaints in events.
const Noun = "complaint"

// Kind is which procedure a complaint follows.
type Kind string

// The kinds.
const (
	Report   Kind = "report"   // 投诉举报 (Law art. 68)
	Petition Kind = "petition" // 信访事项, 申诉求决类 (信访工作条例)
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Report, Petition} }

// Label is the kind's name in Chinese.
func (k Kind) Label() string {
	return map[Kind]string{Report: "投诉举报", Petition: "信访事项"}[k]
}

// Channel is how it came.
type Channel string

// The channels.
const (
	WeChat    Channel = "wechat"
	Anonymous Channel = "anonymous"
	Hotline   Channel = "hotline"
)

// Rank is how soon it must be seen to; the lower goes first.
type Rank int

// The ranks.
const (
	Urgent   Rank = 0 // 危及基本生活或者人身安全
	Hardship Rank = 1 // 涉及困难群众（绿色通道）
	Ordinary Rank = 2
)

// Label is the rank's name in Chinese.
func (r Rank) Label() string {
	return map[Rank]string{Urgent: "紧急", Hardship: "绿色通道", Ordinary: "一般"}[r]
}

// State is where a complaint stands. Stored values never change meaning.
type State string

// The states.
const (
	Filed    State = "filed"    // 待受理
	Accepted State = "accepted" // 待分办
	Assigned State = "assigned" // 办理中
	Handled  State = "handled"  // 待审核
	Reviewed State = "reviewed" // 待答复
	Replied  State = "replied"  // 已答复
)

// States lists every state.
func States() []State { return []State{Filed, Accepted, Assigned, Handled, Reviewed, Replied} }

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Filed: "待受理", Accepted: "已受理，待分办", Assigned: "办理中", Handled: "待审核", Reviewed: "待答复", Replied: "已答复"}[s]
}

// Stage is which round of a petition it is.
type Stage int

// The stages.
const (
	First    Stage = 0 // 办理
	Review   Stage = 1 // 复查
	Rereview Stage = 2 // 复核
)

// Label is the stage's name in Chinese.
func (s Stage) Label() string {
	return map[Stage]string{First: "办理", Review: "复查", Rereview: "复核"}[s]
}

// Rating is what the complainant thinks of the reply; "" is 未评价.
type Rating string

// The ratings.
const (
	VerySatisfied   Rating = "very_satisfied"
	Satisfied       Rating = "satisfied"
	FairlySatisfied Rating = "fairly_satisfied"
	Dissatisfied    Rating = "dissatisfied"
)

// Ratings lists every rating, the best first.
func Ratings() []Rating { return []Rating{VerySatisfied, Satisfied, FairlySatisfied, Dissatisfied} }

// Label is the rating's name in Chinese.
func (r Rating) Label() string {
	return map[Rating]string{"": "未评价", VerySatisfied: "非常满意", Satisfied: "满意", FairlySatisfied: "一般满意", Dissatisfied: "不满意"}[r]
}

// Hand is what one person did.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
	// Version is the event that holds the words, where there are any.
	Version int64 `json:"version,omitempty"`
}

// Target is who is complained about.
type Target struct {
	// Division is the unit, by its level; empty when only a person or nobody is named.
	Division civil.DivisionCode `json:"division,omitempty"`
	// Staff and Persons are the member of staff, once known: the id, and the keyed
	// references of the person, so that a second account is known too.
	Staff   string   `json:"staff,omitempty"`
	Persons []string `json:"persons,omitempty"`
}

// Names are the account and the references of the person complained about.
func (t Target) Names() []string {
	var names []string
	for _, n := range append([]string{t.Staff}, t.Persons...) {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}

// is reports whether by is the person complained about.
func (t Target) is(by event.Actor) bool {
	return by.ID != "" && by.ID == t.Staff || by.Person != "" && slices.Contains(t.Persons, by.Person)
}

// Assignment is who handles it, since when.
type Assignment struct {
	Division  civil.DivisionCode `json:"division"`
	By        event.Actor        `json:"by"`
	At        time.Time          `json:"at"`
	ObjectDue time.Time          `json:"object_due"` // until when the unit may say that it is not theirs
	Version   int64              `json:"version"`    // the event with the brief
	Documents []string           `json:"documents"`  // passed on with the brief
	Objection *Hand              `json:"objection,omitempty"`
}

// Outcome is what was found.
type Outcome string

// The outcomes.
const (
	Upheld       Outcome = "upheld"        // 反映属实
	PartlyUpheld Outcome = "partly_upheld" // 部分属实
	NotUpheld    Outcome = "not_upheld"    // 不属实
	Explained    Outcome = "explained"     // 解释说明
	NotAccepted  Outcome = "not_accepted"  // 不予受理
	Elsewhere    Outcome = "elsewhere"     // 告知向有权机关提出
)

// Outcomes are those that a handling may have.
func Outcomes() []Outcome { return []Outcome{Upheld, PartlyUpheld, NotUpheld, Explained} }

// Declined are the outcomes of a complaint that was not taken.
func Declined() []Outcome { return []Outcome{NotAccepted, Elsewhere} }

// Label is the outcome's name in Chinese.
func (o Outcome) Label() string {
	return map[Outcome]string{Upheld: "反映属实", PartlyUpheld: "部分属实", NotUpheld: "不属实", Explained: "解释说明", NotAccepted: "不予受理", Elsewhere: "告知向有权机关提出"}[o]
}

// Finding is what the handling came to.
type Finding struct {
	Hand
	Outcome Outcome `json:"outcome"`
}

// Extension is more time: asked by one, granted by another.
type Extension struct {
	Days    int   `json:"days"`
	Asked   Hand  `json:"asked"`
	Granted *Hand `json:"granted,omitempty"`
}

// Pause is time that does not count. Until is when it ends by itself.
type Pause struct {
	By     event.Actor `json:"by"`
	Reason string      `json:"reason"`
	From   time.Time   `json:"from"`
	Until  time.Time   `json:"until"`
	Ended  time.Time   `json:"ended,omitzero"`
}

// end is when p stopped or will stop counting.
func (p Pause) end() time.Time {
	if !p.Ended.IsZero() {
		return p.Ended
	}
	return p.Until
}

// Note is one supervision note (督办): the unit must answer until Due.
type Note struct {
	ID       string    `json:"id"`
	Sent     Hand      `json:"sent"`
	Due      time.Time `json:"due"`
	Answered *Hand     `json:"answered,omitempty"`
	Told     bool      `json:"told,omitempty"` // that the answer is late
}

// LookBack is the second look after closing (回头看).
type LookBack struct {
	Due       time.Time `json:"due"`
	Told      bool      `json:"told,omitempty"`
	Done      *Hand     `json:"done,omitempty"`
	Rectified bool      `json:"rectified,omitempty"`
}

// Complaint is one complaint. It holds no words and nothing from which the
// complainant could be known: those are in Particulars, sealed.
type Complaint struct {
	ID      string  `json:"id"`
	Version int64   `json:"-"`
	Kind    Kind    `json:"kind"`
	Channel Channel `json:"channel"`
	State   State   `json:"state"`
	Stage   Stage   `json:"stage,omitempty"`
	Rank    Rank    `json:"rank"`
	// Owner is the keyed reference of the account that follows it; "" when it is
	// anonymous or came by telephone.
	Owner string `json:"owner,omitempty"`
	// Taken is the member of staff who entered it for the person. Knowing who that
	// is, they handle nothing of it.
	Taken *event.Actor `json:"taken,omitempty"`
	// Path is where it is about and all that stands in, narrowest first, on the day it was filed.
	Path   []civil.DivisionCode `json:"path"`
	Module string               `json:"module"`
	Item   string               `json:"item,omitempty"`
	Target Target               `json:"target"`
	Rules  string               `json:"rules"` // fingerprint of the rules it was filed under

	FiledAt    time.Time `json:"filed_at"`
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	// Accepting, Handling and Reviewing are the clocks. Each is set once, when its
	// time begins, and is never set again: not by a transfer, a change of rank or
	// a reopening.
	Accepting *Clock `json:"accepting"`
	Handling  *Clock `json:"handling,omitempty"`
	Reviewing *Clock `json:"reviewing,omitempty"` // of the present 复查 or 复核

	Extension *Extension   `json:"extension,omitempty"`
	Pauses    []Pause      `json:"pauses,omitempty"`
	Assigned  []Assignment `json:"assigned,omitempty"` // the last is the present one
	Finding   *Finding     `json:"finding,omitempty"`
	Checked   *Hand        `json:"checked,omitempty"` // by the reviewer
	Reply     *Hand        `json:"reply,omitempty"`
	Rating    Rating       `json:"rating,omitempty"`
	Reopened  int          `json:"reopened,omitempty"`
	Notes     []Note       `json:"notes,omitempty"`
	LookBack  *LookBack    `json:"look_back,omitempty"`
	// Handlers is everybody who ever recorded a handling of it.
	Handlers []event.Actor `json:"handlers,omitempty"`
	// Requests maps the key of each request that changed this to the version it
	// made, whose event holds the answer.
	Requests map[string]int64 `json:"requests,omitempty"`
}

// Place is where it is about.
func (c Complaint) Place() civil.DivisionCode { return c.Path[0] }

// at is the division of a level in the complaint's path, or the nearest above it.
func (c Complaint) at(level civil.Level) civil.DivisionCode {
	for _, d := range c.Path {
		if l := d.Level(); l <= level && l != civil.NoLevel {
			return d
		}
	}
	return c.Path[len(c.Path)-1]
}

// Handler is the division that handles it now; "" before it is assigned.
func (c Complaint) Handler() civil.DivisionCode {
	if len(c.Assigned) == 0 {
		return ""
	}
	return c.Assigned[len(c.Assigned)-1].Division
}

// Present is the present assignment.
func (c Complaint) Present() (Assignment, bool) {
	if len(c.Assigned) == 0 {
		return Assignment{}, false
	}
	return c.Assigned[len(c.Assigned)-1], true
}

// KnowsWho lists those who know who complained, and so handle nothing of it.
func (c Complaint) KnowsWho() []event.Actor {
	if c.Taken == nil {
		return nil
	}
	return []event.Actor{*c.Taken}
}

// Looked lists those who may not take the second look: the handlers and who replied.
func (c Complaint) Looked() []event.Actor {
	hands := slices.Clone(c.Handlers)
	if c.Reply != nil {
		hands = append(hands, c.Reply.By)
	}
	return hands
}

// Asked lists those who may not grant the extension: who asked, and the handlers.
func (c Complaint) Asked() []event.Actor {
	hands := slices.Clone(c.Handlers)
	if c.Extension != nil {
		hands = append(hands, c.Extension.Asked.By)
	}
	return hands
}

// Known lists the references of everybody who acted on c, by which somebody from
// before a change of the blind key is known again.
func (c Complaint) Known() []string {
	hands := append(append(c.Looked(), c.Asked()...), c.KnowsWho()...)
	for _, a := range c.Assigned {
		hands = append(hands, a.By)
		if a.Objection != nil {
			hands = append(hands, a.Objection.By)
		}
	}
	for _, n := range c.Notes {
		hands = append(hands, n.Sent.By)
	}
	var refs []string
	for _, h := range hands {
		if h.Person != "" {
			refs = append(refs, h.Person)
		}
	}
	return append(refs, c.Target.Persons...)
}

// other is an error when by is one of hands, as an account or as a person, is
// nobody known, or is the one complained about.
func (c Complaint) other(by event.Actor, hands ...event.Actor) error {
	if !by.Stranger(event.Names(hands...)...) {
		return ErrPerson
	}
	return c.untouched(by)
}

// untouched is an error when by is complained about.
func (c Complaint) untouched(by event.Actor) error {
	if c.Target.is(by) {
		return ErrTarget
	}
	return nil
}
