package reconciliation

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names breaks in events.
const Noun = "break"

// Breaks of one source and day stand in one partition:
//
//	BREAKS#<source>#<yyyy-mm-dd>   BREAK#<id>
//
// with their events. An open one stands in the work index of its division by when it
// must be closed, and in the due index for when somebody is told how late it is.

// State is where a break stands.
type State string

// The states.
const (
	Open     State = "open"
	Proposed State = "proposed" // one person has said why, with evidence
	Closed   State = "closed"
)

// Label is the state in Chinese.
func (s State) Label() string {
	return map[State]string{Open: "待核实", Proposed: "已提出了结，待另一人确认", Closed: "已了结"}[s]
}

// Escalate is the age by which the owner of a break must have closed it, and at which
// it is the supervisor's too: T+2.
const Escalate = 48 * time.Hour

// Side is what one column says of a payment: an amount, when and to whom. The
// payee is a keyed digest.
type Side struct {
	AmountFen money.Fen `json:"amount_fen"`
	Payee     string    `json:"payee,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Number    string    `json:"number,omitempty"`    // of theirs, or of our entry
	Statement string    `json:"statement,omitempty"` // SHA-256 of the file
	Line      int       `json:"line,omitempty"`      // of the file
}

// Columns are what the four sides said when the break was found; nil where a side
// said nothing.
type Columns struct {
	Decision *Side `json:"decision,omitempty"`
	Ledger   *Side `json:"ledger,omitempty"`
	Rail     *Side `json:"rail,omitempty"`
	Treasury *Side `json:"treasury,omitempty"`
}

// Hand is what one person, or the machine, did to a break.
type Hand struct {
	By       event.Actor `json:"by"`
	At       time.Time   `json:"at"`
	Reason   string      `json:"reason"`             // a code
	Evidence string      `json:"evidence,omitempty"` // SHA-256 of the paper or file
}

// Break is one thing that does not match.
type Break struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Source  string    `json:"source"` // a source's name, or Ours
	Day     civil.Day `json:"day"`
	Class   Class     `json:"class"`
	State   State     `json:"state"`
	// Division is whose it is: the township of the award, or the region.
	Division    civil.DivisionCode `json:"division"`
	Rail        award.Rail         `json:"rail,omitempty"`
	Application string             `json:"application,omitempty"`
	Award       string             `json:"award,omitempty"`
	Reference   string             `json:"reference,omitempty"`
	Way         payout.Way         `json:"way,omitempty"`
	Nth         int                `json:"nth,omitempty"`
	Columns     Columns            `json:"columns"`
	// Rule and Row are of what is incoherent: "M02", and which item.
	Rule string `json:"rule,omitempty"`
	Row  string `json:"row,omitempty"`
	// People decided on the payment: neither closes a break about it.
	People []event.Actor `json:"people,omitempty"`
	Since  time.Time     `json:"since"`
	// Owner is the role that must act: finance, and supervisor too from T+2 on.
	Owner string    `json:"owner"`
	Told  time.Time `json:"told,omitzero"`
	// Reminded is the highest share of the time to Due, in percent, that was told.
	Reminded int `json:"reminded,omitempty"`
	// Gone says that a later statement, of this day or of another, does not show
	// the break any more. It still takes two people to close it.
	Gone     string `json:"gone,omitempty"` // SHA-256 of that statement
	Proposed *Hand  `json:"proposed,omitempty"`
	Closed   *Hand  `json:"closed,omitempty"`
}

// Ours is the source of breaks of ours against ours.
const Ours = "ours"

const breakPrefix = "BREAK#"

var idForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z_]{1,20})-([0-9]{4})([0-9]{2})([0-9]{2})-([0-9a-z]{26})$`)
})

func breaksOf(source string, day civil.Day) string { return "BREAKS#" + source + "#" + day.String() }

// NewID is the id of what is wrong about parts in a source's day: the same wrong
// found again is the same break.
func newID(source string, day civil.Day, parts ...string) string {
	return source + "-" + strings.ReplaceAll(day.String(), "-", "") + "-" + ident.Derive(append([]string{"break", source, day.String()}, parts...)...)
}

// IDOf is the id of a finding.
func (s Source) idOf(f Finding) string {
	way := f.Line.Way
	reference := f.Line.Reference
	if f.Line.Place == 0 {
		way, reference = f.Booked.Way, f.Booked.Reference
	}
	return newID(s.Name, f.Day, reference, string(way), strconv.Itoa(f.Nth))
}

// KeyOf is where the break of an id is kept; ok is false for what is no id.
func keyOf(id string) (table.Key, bool) {
	m := idForm().FindStringSubmatch(id)
	if m == nil {
		return table.Key{}, false
	}
	return table.Key{PK: "BREAKS#" + m[1] + "#" + m[2] + "-" + m[3] + "-" + m[4], SK: breakPrefix + id}, true
}

// IsBreak reports whether key is that of a break.
func IsBreak(key table.Key) bool {
	return strings.HasPrefix(key.PK, "BREAKS#") && strings.HasPrefix(key.SK, breakPrefix)
}

// List is the partition of the work index with the open breaks of a division.
func List(d civil.DivisionCode) string { return "BREAKS#" + string(d) }

// DecodeBreak reads a stored break.
func DecodeBreak(item table.Item) (Break, error) {
	var b Break
	if err := json.Unmarshal(item.Body, &b); err != nil {
		return b, fmt.Errorf("reconciliation: %s: %w", item.Key.SK, err)
	}
	if b.Version != item.Version {
		return b, fmt.Errorf("reconciliation: %s: the item and its body disagree on the version", item.Key.SK)
	}
	return b, nil
}

// Get reads one break strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Break, error) {
	key, ok := keyOf(id)
	if !ok {
		return Break{}, ErrNotFound
	}
	item, ok, err := t.Get(ctx, key)
	if err != nil {
		return Break{}, err
	}
	if !ok {
		return Break{}, ErrNotFound
	}
	return DecodeBreak(item)
}

// OfDay reads every break of a source's day.
func OfDay(ctx context.Context, t table.Store, source string, day civil.Day) ([]Break, error) {
	return all(ctx, t, table.Query{PK: breaksOf(source, day)}.Prefix(breakPrefix))
}

// OpenIn reads the open breaks of one division, the oldest first.
func OpenIn(ctx context.Context, t table.Store, d civil.DivisionCode) ([]Break, error) {
	return all(ctx, t, table.Query{Index: table.ByWork, PK: List(d)})
}

func all(ctx context.Context, t table.Store, q table.Query) ([]Break, error) {
	var found []Break
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		b, err := DecodeBreak(item)
		if err != nil {
			return nil, err
		}
		found = append(found, b)
	}
	return found, nil
}

// Event begins the event of b's present version. It names no person.
func (b Break) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"class": string(b.Class), "source": b.Source, "day": b.Day.String(), "state": string(b.State), "division": string(b.Division)}
	for name, v := range map[string]string{"reference": b.Reference, "rail": string(b.Rail), "application": b.Application, "award": b.Award,
		"rule": b.Rule, "row": b.Row, "gone": b.Gone} {
		if v != "" {
			facts[name] = v
		}
	}
	return event.Event{PK: breaksOf(b.Source, b.Day), Noun: Noun, ID: b.ID, Version: b.Version, Kind: kind, At: at, Actor: by, Facts: facts}
}

// Writes are b's present version and e.
func (b Break) Writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("reconciliation: %w", err)
	}
	key, ok := keyOf(b.ID)
	if !ok {
		return nil, fmt.Errorf("reconciliation: %q is no id of a break", b.ID)
	}
	item := table.Item{Key: key, Version: b.Version, Body: body}
	if b.State != Closed {
		item.Places = []table.Place{{Index: table.ByWork, PK: List(b.Division), SK: work.Stamp(b.Due()) + "#" + b.ID}}
		if at, _, ok := b.clock().Next(); ok && b.Told.IsZero() {
			item.Places = append(item.Places, work.Due(key, at, work.Clock))
		}
	}
	return e.With(item)
}

// Commit stores a step of a break with its event and more. ErrMovedOn means that
// it, or something among more, was no longer as it was seen: nothing is stored.
func Commit(ctx context.Context, t table.Store, b Break, e event.Event, more ...table.Write) error {
	writes, err := b.Writes(e)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}

// Reasons are why a break is closed.
func Reasons() []string {
	return []string{"provider_corrected", "our_side_completed", "money_recovered", "statement_error", "not_ours", "data_restored", "other"}
}

var sha = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// stranger is an error when by decided on the payment, is one of others, or nobody known.
func (b Break) stranger(by event.Actor, others ...event.Actor) error {
	if !by.Stranger(event.Names(append(slices.Clone(b.People), others...)...)...) {
		return ErrPerson
	}
	return nil
}

// Propose is one person who says why b is none any more, with evidence. Whoever
// proposes again replaces what was said.
func (b Break) Propose(h Hand) (Break, error) {
	if b.State == Closed {
		return b, ErrState
	}
	if !sha().MatchString(h.Evidence) || !slices.Contains(Reasons(), h.Reason) {
		return b, ErrEvidence
	}
	if err := b.stranger(h.By); err != nil {
		return b, err
	}
	b.Version++
	b.State, b.Proposed = Proposed, &h
	return b, nil
}

// Agree is the second person. The break is closed; no line of the ledger moves.
func (b Break) Agree(by event.Actor, at time.Time) (Break, error) {
	if b.State != Proposed || b.Proposed == nil {
		return b, ErrState
	}
	if err := b.stranger(by, b.Proposed.By); err != nil {
		return b, err
	}
	b.Version++
	b.State, b.Closed = Closed, &Hand{By: by, At: at, Reason: b.Proposed.Reason, Evidence: b.Proposed.Evidence}
	return b, nil
}

// mend is the machine that closes what needs nobody: a day's cut that the next
// day's statement explains.
func (b Break) mend(by event.Actor, statement string, at time.Time) (Break, bool) {
	if b.Class != DateCut || b.State == Closed {
		return b, false
	}
	b.Version++
	b.State, b.Gone, b.Closed = Closed, statement, &Hand{By: by, At: at, Reason: "next_day", Evidence: statement}
	return b, true
}

// Due is by when the owner must have closed b.
func (b Break) Due() time.Time { return b.Since.Add(Escalate) }

// clock is the time that b's owner has. A day's cut is nobody's before it is old: the
// next statement explains it.
func (b Break) clock() application.Deadline {
	d := application.Deadline{From: b.Since, At: b.Due(), Told: b.Reminded}
	if b.Class == DateCut {
		d.Told = max(d.Told, 99)
	}
	return d
}

// Waits reports whether somebody has to do something about b: not yet while the next
// day's statement is going to explain it.
func (b Break) Waits(at time.Time) bool {
	return b.State != Closed && (b.Class != DateCut || !at.Before(b.Due()))
}

// Tell notes that a share of the time to close b has passed. When all of it has, b is
// the supervisor's too.
func (b Break) Tell(at time.Time) (Break, bool) {
	clock := b.clock()
	passed := clock.Passed(at)
	if b.State == Closed || !b.Told.IsZero() || passed <= clock.Told {
		return b, false
	}
	b.Version++
	b.Reminded = passed
	if !at.Before(b.Due()) {
		b.Told, b.Owner = at, "supervisor"
	}
	return b, true
}

// Age is how long b has been open.
func (b Break) Age(at time.Time) time.Duration { return at.Sub(b.Since) }

// sides are the columns of a finding; its own side by the kind of source.
func (s Source) sides(f Finding, digest string, other *Side) (c Columns, a *award.Award) {
	theirs := &Side{AmountFen: f.Line.AmountFen, Payee: f.Line.Payee, At: f.Line.At, Number: f.Line.Number, Statement: digest, Line: f.Line.Place}
	if f.Line.Place == 0 {
		theirs = nil
	}
	c.Rail, c.Treasury = theirs, other
	if s.Name == Treasury {
		c.Rail, c.Treasury = other, theirs
	}
	if b := f.Booked; b != nil {
		c.Ledger = &Side{AmountFen: b.AmountFen, Payee: b.Payee, At: b.At, Number: b.Reference + "#" + string(b.Way)}
	}
	if f.Payout != nil {
		a = &f.Payout.Award
	}
	return c, a
}

func today(t time.Time) civil.Day { return calendar.Today(t) }
