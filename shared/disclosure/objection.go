package disclosure

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

// ObjectionNoun names objections in events.
const ObjectionNoun = "objection"

// Objection is what somebody of the public has against one line. Its words are
// sealed in its event. Whoever decided what the line tells of does not answer it,
// and nobody of staff learns who objected.
type Objection struct {
	ID          string             `json:"id"`
	Version     int64              `json:"version"`
	Edition     string             `json:"edition"`
	Line        string             `json:"line"`
	Application string             `json:"application"`
	Account     string             `json:"account"`  // whose it is
	Division    civil.DivisionCode `json:"division"` // whose staff answer: the county
	County      civil.DivisionCode `json:"county"`
	Year        int                `json:"year"`
	Not         []string           `json:"not"` // accounts that had part in the decision
	// Posting and its year: what the objection stops until it is answered; empty where
	// the line tells of what was decided.
	Posting     string    `json:"posting,omitempty"`
	PostingYear int       `json:"posting_year,omitempty"`
	At          time.Time `json:"at"`
	Due         time.Time `json:"due"` // no edit sets it back
	Answer      *Answer   `json:"answer,omitempty"`
}

// Answer is what came of an objection. Its reasons are sealed in its event.
type Answer struct {
	Result string      `json:"result"` // Upheld or Dismissed
	By     event.Actor `json:"by"`
	At     time.Time   `json:"at"`
}

// The results of an Answer.
const (
	Upheld    = "upheld"    // 异议成立，撤下
	Dismissed = "dismissed" // 异议不成立
)

const objections = "OBJECTION#"

// ObjectionKey is where an objection is kept.
func ObjectionKey(county civil.DivisionCode, year int, id string) table.Key {
	return table.Key{PK: Partition(county, year), SK: objections + id}
}

// IsObjection reports whether key is that of an objection.
func IsObjection(key table.Key) bool {
	return strings.HasPrefix(key.SK, objections) && strings.HasPrefix(key.PK, "DISCLOSURE#")
}

// Object is an objection to the line that source is of, to be answered by due.
func Object(id string, e Edition, s Source, account string, now, due time.Time) Objection {
	return Objection{ID: id, Version: 1, Edition: e.ID, Line: s.Line, Application: s.Application, Account: account, Division: e.County,
		County: e.County, Year: e.Year, Not: s.Not, Posting: s.Posting, PostingYear: s.PostingYear, At: now, Due: due}
}

// Answered is o answered by somebody who had no part in the decision.
func (o Objection) Answered(result string, by event.Actor, at time.Time) (Objection, error) {
	switch {
	case o.Answer != nil:
		return o, ErrAnswered
	case !by.Stranger(o.Not...):
		return o, ErrPerson
	}
	o.Version++
	o.Answer = &Answer{result, by, at}
	return o, nil
}

// Event begins the event of o's present version.
func (o Objection) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"edition": o.Edition, "line": o.Line, "due": o.Due.Format(time.RFC3339)}
	if o.Answer != nil {
		facts["result"] = o.Answer.Result
	}
	return event.Event{PK: Partition(o.County, o.Year), Noun: ObjectionNoun, ID: o.ID, Version: o.Version, Kind: kind, At: at, Actor: by, Facts: facts}
}

// Keep stores o's present version with its event and more. Until it is answered it
// stands in the work list of its division.
func (o Objection) Keep(ctx context.Context, t table.Store, ev event.Event, more ...table.Write) error {
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("disclosure: %w", err)
	}
	item := table.Item{Key: ObjectionKey(o.County, o.Year, o.ID), Version: o.Version, Body: body}
	if o.Answer == nil {
		item.Places = []table.Place{{Index: table.ByWork, PK: application.WorkList(o.Division), SK: work.Stamp(o.Due)}}
	}
	writes, err := ev.With(item)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}

// GetObjection reads one objection strongly; ErrNotFound when there is none.
func GetObjection(ctx context.Context, t table.Store, county civil.DivisionCode, year int, id string) (Objection, error) {
	item, ok, err := t.Get(ctx, ObjectionKey(county, year, id))
	if err != nil {
		return Objection{}, err
	}
	if !ok {
		return Objection{}, ErrNotFound
	}
	return DecodeObjection(item)
}

// DecodeObjection reads a stored objection.
func DecodeObjection(item table.Item) (Objection, error) {
	var o Objection
	if err := json.Unmarshal(item.Body, &o); err != nil {
		return o, fmt.Errorf("disclosure: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	if o.Version != item.Version {
		return o, fmt.Errorf("disclosure: %s/%s: the item and its body disagree on the version", item.Key.PK, item.Key.SK)
	}
	return o, nil
}
