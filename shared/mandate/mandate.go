// Package mandate is what the supervision body tells a unit to do, and what became
// of it: a measure of a campaign with its day and its proof, a notice to put
// something right that must be answered (整改通知), a clue that is verified and
// disposed of (线索核查处置), an accountability record (责任追究). Each is answered by
// the unit, closed by one supervisor, and looked at again later by another (回头看).
// No edit moves its day. It decides nothing about aid and moves no money.
package mandate

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
)

// Noun names mandates in events.
const Noun = "mandate"

// Kind is what sort of thing is told to be done.
type Kind string

// The kinds.
const (
	Measure        Kind = "measure"        // 措施任务
	Rectification  Kind = "rectification"  // 整改通知
	Clue           Kind = "clue"           // 问题线索
	Accountability Kind = "accountability" // 责任追究
)

// rules are what each kind asks: of the answer, and of whoever closes it.
var rules = map[Kind]struct {
	label    string
	proof    bool     // the answer names at least one document
	outcomes []string // one of them closes it
	again    int      // days after closing until somebody looks again; 0 for never
}{
	Measure:        {"措施任务", true, []string{"done", "partly_done", "not_done"}, 0},
	Rectification:  {"整改通知", true, []string{"put_right", "partly_put_right", "not_put_right"}, 90},
	Clue:           {"问题线索", false, []string{"founded", "partly_founded", "unfounded", "transferred"}, 90},
	Accountability: {"责任追究", true, []string{"reminded", "admonished", "punished", "transferred", "no_fault"}, 0},
}

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Measure, Rectification, Clue, Accountability} }

// Label is the kind's name in Chinese.
func (k Kind) Label() string { return rules[k].label }

// Outcomes are the codes with which k can be closed.
func (k Kind) Outcomes() []string { return slices.Clone(rules[k].outcomes) }

// State is where a mandate stands.
type State string

// The states.
const (
	Open     State = "open"     // 待办
	Answered State = "answered" // 已答复，待核
	Closed   State = "closed"   // 已办结
	Again    State = "again"    // 已办结，待回头看
	Looked   State = "looked"   // 已回头看
)

// States lists every state.
func States() []State { return []State{Open, Answered, Closed, Again, Looked} }

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Open: "待办", Answered: "已答复待核", Closed: "已办结", Again: "待回头看", Looked: "已回头看"}[s]
}

// Hand is one step somebody took.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Mandate is one thing told to be done. Words people typed are sealed by the event
// that holds them; the title is for lists and names nobody.
type Mandate struct {
	ID      string             `json:"id"`
	Version int64              `json:"-"`
	Kind    Kind               `json:"kind"`
	State   State              `json:"state"`
	Title   string             `json:"title"`
	Number  string             `json:"number"`           // in the list it came from
	Body    civil.DivisionCode `json:"body"`             // whose supervision body tells
	Unit    civil.DivisionCode `json:"unit"`             // whose staff must do it
	About   string             `json:"about,omitempty"`  // staff id, of an accountability record
	Source  string             `json:"source,omitempty"` // a complaint, a finding or a sample that it comes of
	Due     time.Time          `json:"due"`
	Told    Hand               `json:"told"`
	Answer  *Hand              `json:"answer,omitempty"`
	Proof   []string           `json:"proof,omitempty"` // SHA-256 of documents, of the last answer
	Returns int                `json:"returns,omitempty"`
	Close   *Hand              `json:"close,omitempty"`
	Outcome string             `json:"outcome,omitempty"`
	AgainAt time.Time          `json:"again_at,omitzero"`
	Look    *Hand              `json:"look,omitempty"`
	Lasting *bool              `json:"lasting,omitempty"` // what the second look found
	// Reminded is the share of its time, in percent, at which its unit was last told.
	Reminded int `json:"reminded,omitempty"`
}

// ID is the identifier of number in a body's list of one name: the same for ever,
// so that a list that is brought twice changes nothing.
func ID(body civil.DivisionCode, list, number string) string {
	return ident.Derive(Noun, string(body), list, number)
}

// New is a mandate told by. Due lies after at.
func New(id string, kind Kind, title, number string, body, unit civil.DivisionCode, due time.Time, by event.Actor, at time.Time) Mandate {
	return Mandate{ID: id, Version: 1, Kind: kind, State: Open, Title: title, Number: number, Body: body, Unit: unit, Due: due, Told: Hand{by, at}}
}

// another reports whether by is a member of staff whose person is known, who gave none
// of hands and whom m is not about.
func (m Mandate) another(by event.Actor, hands ...*Hand) bool {
	names := []string{m.About}
	for _, h := range hands {
		names = append(names, event.Names(h.By)...)
	}
	return by.Stranger(names...)
}

// Reply is m answered by somebody of the unit (of the supervision body for a clue),
// with the digests of what proves it. Whoever it is about answers nothing.
func (m Mandate) Reply(by event.Actor, proof []string, at time.Time) (Mandate, error) {
	switch {
	case m.State != Open:
		return m, ErrState
	case rules[m.Kind].proof && len(proof) == 0:
		return m, ErrProof
	case m.About == by.ID:
		return m, ErrConcerned
	case !m.another(by):
		return m, ErrPerson
	}
	m.Version, m.State, m.Answer, m.Proof = m.Version+1, Answered, &Hand{by, at}, proof
	return m, nil
}

// Return is m handed back because the answer does not do. The day stays.
func (m Mandate) Return(by event.Actor) (Mandate, error) {
	switch {
	case m.State != Answered:
		return m, ErrState
	case !m.another(by, m.Answer):
		return m, ErrPerson
	}
	m.Version, m.State, m.Returns = m.Version+1, Open, m.Returns+1
	return m, nil
}

// Settle is m closed with outcome by somebody who did not answer it.
func (m Mandate) Settle(by event.Actor, outcome string, at time.Time) (Mandate, error) {
	switch {
	case m.State != Answered:
		return m, ErrState
	case !m.another(by, m.Answer):
		return m, ErrPerson
	case !slices.Contains(rules[m.Kind].outcomes, outcome):
		return m, ErrOutcome
	}
	m.Version, m.State, m.Close, m.Outcome = m.Version+1, Closed, &Hand{by, at}, outcome
	if days := rules[m.Kind].again; days > 0 && outcome != "transferred" && outcome != "unfounded" {
		m.State, m.AgainAt = Again, at.AddDate(0, 0, days)
	}
	return m, nil
}

// LookAgain is m looked at once more, by somebody who neither answered nor closed
// it, not before its day. What did not last opens it again, with a fortnight.
func (m Mandate) LookAgain(by event.Actor, lasting bool, at time.Time) (Mandate, error) {
	switch {
	case m.State != Again || at.Before(m.AgainAt):
		return m, ErrState
	case !m.another(by, m.Answer, m.Close):
		return m, ErrPerson
	}
	m.Version, m.Look, m.Lasting, m.State = m.Version+1, &Hand{by, at}, &lasting, Looked
	if !lasting {
		m.State, m.Due, m.Reminded = Open, at.AddDate(0, 0, 14), 0
	}
	return m, nil
}

// Next is when the machine next has something to say about m: at half of its time,
// at four fifths and at its end; ok is false when there is nothing more to say.
func (m Mandate) Next() (at time.Time, percent int, ok bool) {
	if m.State != Open && m.State != Answered {
		return time.Time{}, 0, false
	}
	from := m.Told.At
	if m.Look != nil {
		from = m.Look.At
	}
	for _, p := range []int{50, 80, 100} {
		if p > m.Reminded {
			return from.Add(m.Due.Sub(from) * time.Duration(p) / 100), p, true
		}
	}
	return time.Time{}, 0, false
}

// Remind is m with a share of its time noted as passed; ok is false when none has.
func (m Mandate) Remind(now time.Time) (Mandate, bool) {
	passed := false
	for {
		at, percent, ok := m.Next()
		if !ok || now.Before(at) {
			break
		}
		m.Reminded, passed = percent, true
	}
	if passed {
		m.Version++
	}
	return m, passed
}
