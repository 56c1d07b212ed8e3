// Package discovery is those who did not apply (主动发现、敲门行动). A signal says
// that somebody may be in hardship: a large medical bill, a fire, a call to the
// hotline. It stays open, with somebody who owes a visit and a day by which, until
// the person turns out to have applied, is helped to apply, or was found in no
// need. It refuses nobody anything and moves no money; it knows no HTTP and no
// clock. Who the person is is sealed; everything else may be counted.
package discovery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names signals in events.
const Noun = "signal"

// Kind is what the signal says has happened.
type Kind string

// The kinds (Law art. 39; the list of hardships that audits look for first).
const (
	MedicalBill Kind = "medical_bill" // 大额医疗费用
	Fire        Kind = "fire"         // 火灾
	Hotline     Kind = "hotline"      // 12345 来电
	Disability  Kind = "disability"   // 新发重度残疾
	JobLoss     Kind = "job_loss"     // 失业
	Bereavement Kind = "bereavement"  // 家庭主要劳动力死亡
	DoorVisit   Kind = "door_visit"   // 敲门发现
)

// kinds are each kind's name, by which day after the signal somebody has to have
// been there, and the cause that an application of it begins with.
var kinds = map[Kind]struct {
	label string
	days  int
	cause policy.Cause
}{
	MedicalBill: {"大额医疗费用", 5, policy.SuddenIllness}, Fire: {"火灾", 1, policy.Fire}, Hotline: {"12345来电", 3, policy.OtherCause},
	Disability: {"新发重度残疾", 10, policy.Injury}, JobLoss: {"失业", 10, policy.JobLoss}, Bereavement: {"家庭主要劳动力死亡", 3, policy.DeathOfEarner},
	DoorVisit: {"敲门发现", 1, policy.OtherCause},
}

// Kinds lists every kind, the most urgent first.
func Kinds() []Kind {
	return []Kind{Fire, DoorVisit, Hotline, Bereavement, MedicalBill, Disability, JobLoss}
}

// Label is the kind's name in Chinese.
func (k Kind) Label() string { return kinds[k].label }

// Within is how many days after the signal a visit is owed. The figure is ours: no
// national rule was found, and a region that has one changes it here.
func (k Kind) Within() int { return kinds[k].days }

// Cause is what an application that comes of it begins with.
func (k Kind) Cause() policy.Cause { return kinds[k].cause }

// State is where a signal stands.
type State string

// The states. All but Open are final.
const (
	Open    State = "open"    // 待走访
	Applied State = "applied" // 本人已申请
	Helped  State = "helped"  // 已代为申请
	Closed  State = "closed"  // 已走访，未代为申请
)

// States lists every state.
func States() []State { return []State{Open, Applied, Helped, Closed} }

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Open: "待走访", Applied: "本人已申请", Helped: "已代为申请", Closed: "已走访"}[s]
}

// Spot is a place on earth in units of 10⁻⁵ degree, which is about a metre. The
// zero value is none.
type Spot struct{ Lat, Lon int32 }

// Person is who the signal is about, and where the door is.
type Person struct {
	application.Person
	Address redact.Text
	Spot    Spot
}

// Signal is one sign of hardship.
type Signal struct {
	ID         string             `json:"id"`
	Version    int64              `json:"-"`
	Source     string             `json:"source"` // whose list: "hospital-320402-01"
	Kind       Kind               `json:"kind"`
	State      State              `json:"state"`
	Township   civil.DivisionCode `json:"township"`
	Place      civil.DivisionCode `json:"place"` // village, or the township when that is all that is known
	Person     string             `json:"person"`
	HappenedOn civil.Day          `json:"happened_on"`
	At         time.Time          `json:"at"`  // when it reached us
	Due        time.Time          `json:"due"` // by when somebody is to have been there; no edit moves it
	Visits     int                `json:"visits"`
	// Taken says on whose list it is, and until when, so that two do not go.
	Taken      string    `json:"taken,omitempty"`
	TakenUntil time.Time `json:"taken_until,omitzero"`
	// Application is what came of it.
	Application string `json:"application,omitempty"`
	Finding     string `json:"finding,omitempty"` // of the last visit
	Contact     []byte `json:"contact"`           // sealed Person
	Trace       string `json:"trace,omitempty"`
}

// SignalID is the identifier of row number of a source: the same for ever, so that
// a list that is handed in twice changes nothing.
func SignalID(source, number string) string { return ident.Derive(Noun, source, number) }

// New is an open signal that reached us at.
func New(id, source string, kind Kind, township, place civil.DivisionCode, happened civil.Day, at time.Time) Signal {
	return Signal{ID: id, Version: 1, Source: source, Kind: kind, State: Open, Township: township, Place: place, HappenedOn: happened, At: at,
		Due: at.AddDate(0, 0, kind.Within())}
}

// Partition is where a signal and everything about it is kept:
//
//	SIGNAL                        the Signal
//	VISIT#<device>#<number>       one visit, as it was written down at the door
//	EVENT#<noun>#<id>#<version>   what happened
func Partition(id string) string { return "SIGNAL#" + id }

// Key is where a signal is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "SIGNAL"} }

// Is reports whether key is that of a signal.
func Is(key table.Key) bool { return strings.HasPrefix(key.PK, "SIGNAL#") && key.SK == "SIGNAL" }

// List is the partition of the work index that lists a township's open signals.
func List(township civil.DivisionCode) string { return "VISITS#" + string(township) }

// Event begins the event of s's present version.
func (s Signal) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"kind": string(s.Kind), "state": string(s.State), "township": string(s.Township), "place": string(s.Place)}
	if s.Application != "" {
		facts["application"] = s.Application
	}
	return event.Event{PK: Partition(s.ID), Noun: Noun, ID: s.ID, Version: s.Version, Kind: kind, At: at, Actor: by, Facts: facts, Trace: s.Trace}
}

// Writes is s's new version and the event that made it.
func (s Signal) Writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	item := table.Item{Key: Key(s.ID), Version: s.Version, Body: body}
	if s.State == Open {
		item.Places = []table.Place{{Index: table.ByWork, PK: List(s.Township), SK: work.Stamp(s.Due) + "#" + s.ID}}
	}
	return e.With(item)
}

// Decode reads a stored signal.
func Decode(item table.Item) (Signal, error) {
	var s Signal
	if err := json.Unmarshal(item.Body, &s); err != nil {
		return s, fmt.Errorf("discovery: %s: %w", item.Key.PK, err)
	}
	s.Version = item.Version
	return s, nil
}

// Get reads one signal strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Signal, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Signal{}, err
	}
	if !ok {
		return Signal{}, ErrNotFound
	}
	return Decode(item)
}

// contact is the encoding of Person under the seal, spelled out because the types
// themselves marshal as redacted.
type contact struct {
	Name    string          `json:"name"`
	Kind    civil.PaperKind `json:"paper_kind"`
	Paper   string          `json:"paper,omitempty"`
	Phone   string          `json:"phone,omitempty"`
	Address string          `json:"address,omitempty"`
	Lat     int32           `json:"lat,omitempty"`
	Lon     int32           `json:"lon,omitempty"`
}

func (s Signal) place() seal.Place {
	return seal.Place{Table: application.TableName, PK: Partition(s.ID), SK: "SIGNAL", Field: "contact"}
}

// About is s about p, sealed, and known by the keyed reference of p's paper.
func (s Signal) About(ctx context.Context, box *seal.Box, blind *seal.Blind, p Person) (Signal, error) {
	body, err := json.Marshal(contact{p.Name.Reveal(), p.Paper.Kind(), p.Paper.Reveal(), p.Phone.Reveal(), p.Address.Reveal(), p.Spot.Lat, p.Spot.Lon})
	if err != nil {
		return s, fmt.Errorf("discovery: %w", err)
	}
	s.Person = application.PersonRef(blind, p.Paper, s.ID)
	s.Contact, err = box.Seal(ctx, s.place(), body)
	return s, err
}

// Who is the person s is about.
func (s Signal) Who(ctx context.Context, box *seal.Box) (Person, error) {
	body, err := box.Open(ctx, s.place(), s.Contact)
	if err != nil {
		return Person{}, err
	}
	var c contact
	if err := json.Unmarshal(body, &c); err != nil {
		return Person{}, fmt.Errorf("discovery: %s: the contact is unreadable", s.ID) // err could quote it
	}
	return Person{Person: application.Person{Name: civil.StoredName(c.Name), Paper: civil.StoredPaper(c.Kind, c.Paper), Phone: civil.StoredPhone(c.Phone)},
		Address: redact.New(c.Address), Spot: Spot{c.Lat, c.Lon}}, nil
}

// Free reports whether s may go on the list of who at t.
func (s Signal) Free(who string, t time.Time) bool {
	return s.State == Open && (s.Taken == "" || s.Taken == who || !t.Before(s.TakenUntil))
}

// Take is s on the list of who until.
func (s Signal) Take(who string, t, until time.Time) (Signal, error) {
	if !s.Free(who, t) {
		return s, ErrTaken
	}
	s.Version, s.Taken, s.TakenUntil = s.Version+1, who, until
	return s, nil
}

// Match is s whose person turned out to have applied by themselves.
func (s Signal) Match(applicationID string) (Signal, error) {
	if s.State != Open {
		return s, ErrDone
	}
	s.Version, s.State, s.Application = s.Version+1, Applied, applicationID
	return s, nil
}

// Visit is s after a visit with finding. Only what was found ends it: nobody at
// home leaves it open, with the same day by which somebody has to have been there.
// A need ends it only with an application: end is Helped for one filed at the door
// and Applied for one that was there, "" without; a need without the person's
// consent stays open, so that somebody asks again. A visit to what has ended is
// kept and changes nothing else.
func (s Signal) Visit(finding Finding, end State, applicationID string) Signal {
	s.Version++
	s.Visits++
	if s.State != Open {
		return s
	}
	s.Finding = string(finding)
	switch {
	case end != "":
		s.State, s.Application = end, applicationID
	case slices.Contains([]Finding{NoNeed, Moved, Died, Declined}, finding):
		s.State = Closed
	}
	return s
}
