// Package disclosure is what the public is told: decisions that were made
// (公布, Law art. 45), what became of the money, and, where a region requires it,
// what is proposed and not decided yet (公示), county by county, in numbered
// editions.
//
// What is told is a projection: structs of their own, built from named fields
// and masked as they are built, so that nothing else of a case can get out. No
// place is told of that has fewer than k people in it; of a county that has
// fewer, nothing is told until there are more. An edition is stored as the exact
// bytes the public will get, with their hash in its event, and is public only
// when that event is in the evidence log. It expires by itself.
//
// It refuses to know who may object and how the bytes are served.
package disclosure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Noun names editions in events.
const Noun = "disclosure"

// Document is one edition as the public gets it. It holds what these structs
// name and nothing else; a test holds the list.
type Document struct {
	ID         string `json:"id"`
	Number     int    `json:"number"` // within the county and the year, without gaps
	Kind       string `json:"kind"`   // Decisions or Consultation
	Title      string `json:"title"`
	County     string `json:"county"`
	CountyName string `json:"county_name"`
	Year       int    `json:"year"` // of the funds
	MadeOn     string `json:"made_on"`
	UntilDay   string `json:"until"` // last day it is public
	Authority  string `json:"authority"`
	Basis      string `json:"basis"`
	Objection  string `json:"objection"` // how to object, in words
	LeastCell  int    `json:"least_cell"`
	Places     []Told `json:"places"`
	// Paid and Returned are what became of money since the edition before.
	Paid     []Sum  `json:"paid"`
	Returned []Sum  `json:"returned"`
	Funds    []Fund `json:"funds"`
	Total    Fund   `json:"total"`
}

// The kinds of Document.
const (
	Decisions    = "decisions"    // 公布
	Consultation = "consultation" // 公示 of what was decided first, where a region wants it
	Proposals    = "proposals"    // 公示 before the decision
)

// Told is the decisions of one place.
type Told struct {
	Place     string    `json:"place"`
	PlaceName string    `json:"place_name"`
	Persons   int       `json:"persons"`
	AmountFen money.Fen `json:"amount_fen"`
	// Lines is empty where lines were taken down: all of a place go together, so
	// that nobody can see which one went.
	Lines     []Line `json:"lines"`
	TakenDown bool   `json:"taken_down"`
}

// Line is one decision, or one proposal.
type Line struct {
	Line      string    `json:"line"`
	Name      string    `json:"name"` // masked, or NoName
	Programme string    `json:"programme"`
	Persons   int       `json:"persons"` // that the amount is for
	AmountFen money.Fen `json:"amount_fen"`
	DecidedOn string    `json:"decided_on"` // empty before the decision
	DecidedBy string    `json:"decided_by"` // office; before the decision, which will decide
}

// Sum is money that moved, for one place.
type Sum struct {
	Place     string    `json:"place"`
	PlaceName string    `json:"place_name"`
	Persons   int       `json:"persons"`
	AmountFen money.Fen `json:"amount_fen"`
}

// Fund is one township's money of the year so far, as far as it is told; the
// county's own row is of what is told of no township.
type Fund struct {
	Place           string    `json:"place"`
	PlaceName       string    `json:"place_name"`
	AppropriatedFen money.Fen `json:"appropriated_fen"`
	AwardedFen      money.Fen `json:"awarded_fen"`
	PaidFen         money.Fen `json:"paid_fen"`
	ReturnedFen     money.Fen `json:"returned_fen"`
	BalanceFen      money.Fen `json:"balance_fen"` // appropriated − paid + returned
	// Awarded and Paid are how many times somebody was helped.
	Awarded int `json:"awarded"`
	Paid    int `json:"paid"`
}

// State is where an edition stands.
type State string

// The states. What is expired is Published and past its day.
const (
	Prepared  State = "prepared"  // not public: its hash is not in the evidence log yet
	Published State = "published" // public until its day
)

// Source is what a line was made from. It is not public.
type Source struct {
	Line        string   `json:"line"`
	Application string   `json:"application"`
	Not         []string `json:"not"` // accounts of those who decided or proposed
	// Posting is the posting that the line is of, and its year; empty where the line
	// tells of a decision.
	Posting     string `json:"posting,omitempty"`
	PostingYear int    `json:"posting_year,omitempty"`
}

// Down is lines of one place taken down.
type Down struct {
	Place  string      `json:"place"`
	Reason string      `json:"reason"` // a code
	By     event.Actor `json:"by"`
	At     time.Time   `json:"at"`
}

// Edition is one edition as it is kept.
type Edition struct {
	ID        string             `json:"id"`
	Version   int64              `json:"version"`
	County    civil.DivisionCode `json:"county"`
	Year      int                `json:"year"`
	Number    int                `json:"number"`
	State     State              `json:"state"`
	Made      time.Time          `json:"made"`
	Until     time.Time          `json:"until"` // first instant at which it is not public any more
	Bytes     json.RawMessage    `json:"bytes"` // what the public gets, exactly
	SHA256    string             `json:"sha256"`
	Published time.Time          `json:"published,omitzero"` // first
	Sources   []Source           `json:"sources"`
	// Keys are the ledger entries that this edition tells of.
	Keys []string `json:"keys"`
	Down []Down   `json:"down,omitempty"`
	// Rule is what the region wants of a posting; nil for what was decided.
	Rule *policy.Posting `json:"rule,omitempty"`
	// Cells are what is told for ever, without lines that were taken down.
	Cells []Bare `json:"cells"`
}

// Bare is a cell as open data keeps it for ever: no name, no line, no day.
type Bare struct {
	Kind      string    `json:"kind"` // Awarded, Paid or Returned
	Place     string    `json:"place"`
	PlaceName string    `json:"place_name"`
	Township  string    `json:"township"` // whose row it counts in
	Persons   int       `json:"persons"`
	AmountFen money.Fen `json:"amount_fen"`
	// AmountsFen are its parts, smallest first.
	AmountsFen []money.Fen `json:"amounts_fen"`
}

// The kinds of Bare.
const (
	Awarded  = "awarded"
	Paid     = "paid"
	Returned = "returned"
)

// EditionID is the id of the nth edition of a county in a year.
func EditionID(county civil.DivisionCode, year, number int) string {
	return ident.Derive("disclosure", string(county), fmt.Sprint(year), fmt.Sprint(number))
}

// Public reports whether e may be shown at t. Readers ask it each time: that the
// store forgets is no promise.
func (e Edition) Public(t time.Time) bool { return e.State == Published && t.Before(e.Until) }

// Document is what e tells.
func (e Edition) Document() (Document, error) {
	var d Document
	if err := json.Unmarshal(e.Bytes, &d); err != nil {
		return d, fmt.Errorf("disclosure: %s: %w", e.ID, err)
	}
	return d, nil
}

// Source is what a line of e was made from; ErrNotFound when e has no such line,
// or it was taken down.
func (e Edition) Source(line string) (Source, error) {
	i := slices.IndexFunc(e.Sources, func(s Source) bool { return s.Line == line })
	if i < 0 {
		return Source{}, ErrNotFound
	}
	return e.Sources[i], nil
}

// with is e telling d.
func (e Edition) with(d Document) (Edition, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return e, fmt.Errorf("disclosure: %w", err)
	}
	sum := sha256.Sum256(raw)
	e.Bytes, e.SHA256, e.State = raw, hex.EncodeToString(sum[:]), Prepared
	return e, nil
}

// Publish makes e public. The caller has seen that the event of e's present
// version, which holds the hash, is in the evidence log (L07).
func (e Edition) Publish(at time.Time) (Edition, error) {
	if e.State != Prepared {
		return e, ErrMovedOn
	}
	e.Version++
	e.State = Published
	if e.Published.IsZero() {
		e.Published = at
	}
	return e, nil
}

// TakeDown takes the lines of the place in which line stands, all of them, so that
// nobody who kept the page can see which one went. What they sum up to stays. e is
// public again when the hash of what is left is in the log.
func (e Edition) TakeDown(line, reason string, by event.Actor, at time.Time) (Edition, error) {
	d, err := e.Document()
	if err != nil {
		return e, err
	}
	d.Places = slices.Clone(d.Places)
	i := slices.IndexFunc(d.Places, func(t Told) bool { return slices.ContainsFunc(t.Lines, func(l Line) bool { return l.Line == line }) })
	if i < 0 {
		return e, ErrDown
	}
	gone := d.Places[i].Lines
	d.Places[i].Lines, d.Places[i].TakenDown = []Line{}, true
	e.Sources = slices.DeleteFunc(slices.Clone(e.Sources), func(s Source) bool {
		return slices.ContainsFunc(gone, func(l Line) bool { return l.Line == s.Line })
	})
	e.Down = append(slices.Clone(e.Down), Down{d.Places[i].Place, reason, by, at})
	e.Version++
	return e.with(d)
}

// Event begins the event of e's present version.
func (e Edition) Event(kind string, by event.Actor, at time.Time) event.Event {
	return event.Event{PK: Partition(e.County, e.Year), Noun: Noun, ID: e.ID, Version: e.Version, Kind: kind, At: at, Actor: by,
		Facts: event.Facts{"sha256": e.SHA256, "number": e.Number, "state": string(e.State), "until": e.Until.Format(time.RFC3339), "lines": len(e.Sources)}}
}

// System is who makes editions and lets them go public.
var System = event.Actor{Kind: event.System, ID: "disclose"}

// day writes the day of t as people read it.
func day(t time.Time) string { return calendar.Today(t).String() }
