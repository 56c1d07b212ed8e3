package indicator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// matter is one thing that figures are about, as the fold knows it: an
// application with its payments, a complaint, a hardship signal. It holds what
// later events are measured against, and nothing personal.
type matter struct {
	Noun      string               `json:"noun"`
	ID        string               `json:"id"`
	Path      []civil.DivisionCode `json:"path,omitempty"` // narrowest first, as of Day
	Programme string               `json:"programme,omitempty"`
	Day       string               `json:"day,omitempty"` // on which it was accepted
	Times     map[string]time.Time `json:"times,omitempty"`
	Fen       map[string]money.Fen `json:"fen,omitempty"`
	Words     map[string]string    `json:"words,omitempty"` // staff ids, codes, keyed references
	Open      map[string]opening   `json:"open,omitempty"`  // by list and id: what stands open about it
	Seen      map[string]int64     `json:"seen,omitempty"`  // the last version folded, of each thing in it
	Waiting   []event.Event        `json:"waiting,omitempty"`
}

// opening is one thing that stands in a list.
type opening struct {
	At   time.Time `json:"at"` // since when, or by when
	Code string    `json:"code,omitempty"`
	// Asleep: it stands in no list while the application is refused or withdrawn.
	Asleep bool `json:"asleep,omitempty"`
}

// matterOf says which matter e belongs to; false when no indicator is about it.
func matterOf(e event.Event) (noun, id string, ok bool) {
	switch e.Noun {
	case application.Noun, payout.Noun:
		id, ok = strings.CutPrefix(e.PK, application.Partition(""))
		return application.Noun, id, ok && id != ""
	case Complaint, Signal:
		return e.Noun, e.ID, true
	}
	return "", "", false
}

func decodeMatter(body []byte) (*matter, error) {
	var m matter
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // amounts of events that wait must not pass through a float
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("indicator: matter: %w", err)
	}
	return &m, nil
}

// clone is m for somebody who changes it. Paths and events do not change.
func (m *matter) clone() *matter {
	c := *m
	c.Times, c.Fen, c.Words, c.Open, c.Seen = maps.Clone(m.Times), maps.Clone(m.Fen), maps.Clone(m.Words), maps.Clone(m.Open), maps.Clone(m.Seen)
	c.Waiting = slices.Clone(m.Waiting)
	return &c
}

func (m *matter) township() civil.DivisionCode {
	if len(m.Path) == 0 {
		return ""
	}
	return m.Path[0]
}

// owner is the division above the township, whose lists show its cases too.
func (m *matter) owner() civil.DivisionCode {
	if len(m.Path) < 2 {
		return m.township()
	}
	return m.Path[1]
}

// mostWaiting bounds the events that wait for one before them. The log has no
// gaps, so a wait is short; past the bound something is amiss, and what is there
// is folded in its own order rather than lost.
const mostWaiting = 20

// thing names what an event is about within its matter.
func thing(e event.Event) string { return e.Noun + "/" + e.ID }

// turn is the place among those waiting of the event whose turn it is, the
// earliest if there are several; -1 when all wait for another. The events of one
// thing are folded in the order of their versions, a payment's after the decision
// that made it, and what the person says of the money after the payment.
func (m *matter) turn() int {
	first := -1
	for i, e := range m.Waiting {
		if m.may(e) && (first < 0 || e.At.Before(m.Waiting[first].At)) {
			first = i
		}
	}
	if first < 0 && len(m.Waiting) > mostWaiting {
		return 0
	}
	return first
}

func (m *matter) may(e event.Event) bool {
	if e.Version != m.Seen[thing(e)]+1 {
		return false
	}
	return (e.Noun != payout.Noun || !m.Times[tGranted].IsZero()) && (e.Kind != "receipted" || !m.Times[tPaid].IsZero())
}

func (m *matter) ready() bool { return m.turn() >= 0 }

// next takes the event out whose turn it is.
func (m *matter) next() (event.Event, bool) {
	i := m.turn()
	if i < 0 {
		return event.Event{}, false
	}
	e := m.Waiting[i]
	m.Waiting = slices.Delete(m.Waiting, i, i+1)
	return e, true
}

// places list an application under its township and under the division above it,
// by the day of acceptance.
func (m *matter) places() []table.Place {
	if m.Noun != applicationNoun || len(m.Path) == 0 {
		return nil
	}
	sk := m.Day + "#" + m.ID
	return []table.Place{
		{Index: table.ByWork, PK: acceptedPK(m.township(), m.Programme), SK: sk},
		{Index: table.ByOwner, PK: acceptedPK(m.owner(), m.Programme) + above, SK: sk},
	}
}

// longestFact is the longest word among the facts that any rule reads.
const longestFact = 400

// short is facts without the long texts, such as what the rules had to say, so
// that what waits stays small.
func short(facts event.Facts) event.Facts {
	kept := event.Facts{}
	for name, v := range facts {
		if text, is := v.(string); !is || len(text) <= longestFact {
			kept[name] = v
		}
	}
	return kept
}

// take puts e among those waiting, without what no figure needs. It reports
// false for an event that was folded already or waits already.
func (m *matter) take(e event.Event) bool {
	same := func(w event.Event) bool { return thing(w) == thing(e) && w.Version == e.Version }
	if e.Version <= m.Seen[thing(e)] || slices.ContainsFunc(m.Waiting, same) {
		return false
	}
	e.Note, e.Request, e.Facts = nil, nil, short(e.Facts)
	m.Waiting = append(m.Waiting, e)
	slices.SortStableFunc(m.Waiting, func(a, b event.Event) int {
		if c := strings.Compare(thing(a), thing(b)); c != 0 {
			return c
		}
		return int(a.Version - b.Version)
	})
	return true
}
