package reading

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// RevealNoun names reveals in events.
const RevealNoun = "reveal"

// State is where a reveal stands at one moment.
type State string

// The states.
const (
	Asked    State = "asked"    // one person, with a reason: shows nothing
	Open     State = "open"     // a second person agreed: shows, until Until
	Over     State = "over"     // the time to look has passed
	Lapsed   State = "lapsed"   // nobody agreed in time
	Reviewed State = "reviewed" // a third person looked at it
)

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Asked: "待另一人同意", Open: "可以查看", Over: "查看时间已过，待监督复核", Lapsed: "无人同意，已失效，待监督复核",
		Reviewed: "监督已复核"}[s]
}

const (
	// Wait is how long a second person has to agree.
	Wait = 2 * time.Hour
	// Window is how long the first person may then look, unless a region says
	// otherwise: long enough for one call or one form.
	Window = 30 * time.Minute
	// ReviewTerm is how long supervision has to look at a reveal.
	ReviewTerm = 24 * time.Hour
)

// ReasonLabel is why particulars are opened, in words for the person whose they are.
func ReasonLabel(code string) string {
	return map[string]string{"contact_person": "需要与您联系", "payment_failed": "付款失败，核对账户", "identity_doubt": "身份信息有疑问，需要核对",
		"fraud_suspected": "核查冒领等疑点", "court_order": "依法配合司法、监察机关", "audit_sample": "审计抽查", "other": "其他（理由已登记）"}[code]
}

// Hand is what one person did to a reveal.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Verdict is what supervision made of a reveal.
type Verdict struct {
	Hand
	Result string `json:"result"` // Justified or Unjustified
}

// The results of a Verdict.
const (
	Justified   = "justified"
	Unjustified = "unjustified"
)

// Reveal is break-glass: one person asks with a reason to see named particulars
// of one case whole, a second person agrees, and the first may look for a while.
type Reveal struct {
	ID          string             `json:"id"`
	Version     int64              `json:"version"`
	Application string             `json:"application"`
	Division    civil.DivisionCode `json:"division"` // whose supervision is called
	Fields      []Field            `json:"fields"`
	Reason      string             `json:"reason"` // a code; the words are sealed in the event
	Asked       Hand               `json:"asked"`
	// Until ends the waiting and, once agreed, the looking.
	Until  time.Time `json:"until"`
	Agreed *Hand     `json:"agreed,omitempty"`
	Review *Verdict  `json:"review,omitempty"`
	Trace  string    `json:"trace,omitempty"`
}

// State is where r stands at t.
func (r Reveal) State(t time.Time) State {
	past := !t.Before(r.Until)
	switch {
	case r.Review != nil:
		return Reviewed
	case r.Agreed == nil && past:
		return Lapsed
	case r.Agreed == nil:
		return Asked
	case past:
		return Over
	}
	return Open
}

// Hands lists who took part in opening: none of them reviews it.
func (r Reveal) Hands() []event.Actor {
	hands := []event.Actor{r.Asked.By}
	if r.Agreed != nil {
		hands = append(hands, r.Agreed.By)
	}
	return hands
}

// Earlier names the accounts and persons of those who took part, as policies
// compare them.
func (r Reveal) Earlier() []string {
	var names []string
	for _, h := range r.Hands() {
		names = append(names, h.ID, h.Person)
	}
	return names
}

// Due is by when somebody must act on r next.
func (r Reveal) Due() time.Time {
	if r.Agreed == nil {
		return r.Until
	}
	return r.Agreed.At.Add(ReviewTerm)
}

// other is an error unless by is a known person who is none of hands, neither as
// an account nor as a person.
func other(by event.Actor, hands ...event.Actor) error {
	if !by.Stranger(event.Names(hands...)...) {
		return ErrAlone
	}
	return nil
}

// Ask is a reveal that one person asks for. It shows nothing.
func Ask(r Reveal, by event.Actor, at time.Time) (Reveal, error) {
	r.Version, r.Asked, r.Until, r.Agreed, r.Review = 1, Hand{by, at}, at.Add(Wait), nil, nil
	return r, other(by)
}

// Agree is the second person: from now on the first may look, for window.
func (r Reveal) Agree(by event.Actor, at time.Time, window time.Duration) (Reveal, error) {
	if r.State(at) != Asked {
		return r, ErrState
	}
	if err := other(by, r.Asked.By); err != nil {
		return r, err
	}
	r.Version++
	r.Agreed, r.Until = &Hand{by, at}, at.Add(window)
	return r, nil
}

// Admits is nil when by may look at t.
func (r Reveal) Admits(by event.Actor, t time.Time) error {
	if by.ID != r.Asked.By.ID {
		return ErrNotYours
	}
	if r.Agreed == nil {
		return ErrAlone
	}
	if !t.Before(r.Until) {
		return ErrClosed
	}
	return nil
}

// Judge is a third person's word on whether there was need. It ends the looking.
func (r Reveal) Judge(result string, by event.Actor, at time.Time) (Reveal, error) {
	if s := r.State(at); s == Reviewed || s == Asked {
		return r, ErrState
	}
	if err := other(by, r.Hands()...); err != nil {
		return r, err
	}
	r.Version++
	r.Review = &Verdict{Hand{by, at}, result}
	if at.Before(r.Until) {
		r.Until = at
	}
	return r, nil
}

// Prefix begins the sort key of every reveal of an application.
const Prefix = "REVEAL#"

// Key is where a reveal is kept.
func Key(applicationID, id string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: Prefix + id}
}

// Is reports whether key is that of a reveal.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, Prefix) }

// Get reads one reveal strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, applicationID, id string) (Reveal, error) {
	item, ok, err := t.Get(ctx, Key(applicationID, id))
	if err != nil {
		return Reveal{}, err
	}
	if !ok {
		return Reveal{}, ErrNotFound
	}
	return Decode(item)
}

// Decode reads a stored reveal.
func Decode(item table.Item) (Reveal, error) {
	var r Reveal
	if err := json.Unmarshal(item.Body, &r); err != nil {
		return r, fmt.Errorf("reading: %s: %w", item.Key.SK, err)
	}
	if r.Version != item.Version {
		return r, fmt.Errorf("reading: %s: the item and its body disagree on the version", item.Key.SK)
	}
	return r, nil
}

// Event begins the event of r's present version.
func (r Reveal) Event(kind string, by event.Actor, at time.Time) event.Event {
	fields := make([]string, len(r.Fields))
	for i, f := range r.Fields {
		fields[i] = string(f)
	}
	return event.Event{PK: application.Partition(r.Application), Noun: RevealNoun, ID: r.ID, Version: r.Version, Kind: kind, At: at, Actor: by,
		Reason: r.Reason, Facts: event.Facts{"fields": strings.Join(fields, " "), "until": r.Until.Format(time.RFC3339), "state": string(r.State(at))}}
}

// Commit stores one step of r with its event and more. ErrMovedOn means that
// somebody else took a step meanwhile, or something among more moved: nothing is
// stored. Until it is reviewed it stands in the division's work list.
func Commit(ctx context.Context, t table.Store, r Reveal, e event.Event, more ...table.Write) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	item := table.Item{Key: Key(r.Application, r.ID), Version: r.Version, Body: body}
	if r.Review == nil {
		item.Places = []table.Place{{Index: table.ByWork, PK: application.WorkList(r.Division), SK: work.Stamp(r.Due())}}
	}
	writes, err := e.With(item)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}
