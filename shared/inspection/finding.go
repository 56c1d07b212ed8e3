// Package inspection runs the models (package model) over a case: when its
// registers have answered, when somebody approves, when an answer comes late,
// before the money leaves, and again whenever a new model is switched on. It works
// out the facts that a model may see, puts what was found on record, holds the
// money where the model says so, and counts who found it right.
//
// It refuses to decide: a hit can hold, be drawn for a sample or be told to the
// supervisor, and nothing else. What a model may learn of a register is a list in
// this package (reach), and only answers, counts and days go through it.
package inspection

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names findings in events.
const Noun = "finding"

// Finding is one hit on one case. It says why in words and names nobody.
type Finding struct {
	ID          string             `json:"id"`
	Version     int64              `json:"-"`
	Application string             `json:"application"`
	Township    civil.DivisionCode `json:"township"`
	County      civil.DivisionCode `json:"county"`
	Model       string             `json:"model"`
	Rules       string             `json:"rules"` // fingerprint of the model
	Key         string             `json:"key"`   // what within the case
	Effect      model.Effect       `json:"effect"`
	Words       model.Words        `json:"words"`
	Hold        string             `json:"hold,omitempty"` // the hold that it placed or found in place
	Owner       string             `json:"owner"`          // role that must deal with it
	At          time.Time          `json:"at"`
	Due         time.Time          `json:"due"`
	Outcome     *Outcome           `json:"outcome,omitempty"`
}

// Answer is what a person says of a finding.
type Answer string

// The answers.
const (
	Right Answer = "right" // 属实: it is as the model says
	Wrong Answer = "wrong" // 有误: it is not, or it is and means nothing
)

// Outcome is who judged a finding. The reason is sealed in the event.
type Outcome struct {
	Answer Answer      `json:"answer"`
	By     event.Actor `json:"by"`
	At     time.Time   `json:"at"`
}

const prefix = "FINDING#"

// Key is where a finding is kept, beside its application.
func Key(applicationID, id string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: prefix + id}
}

// List is the partition of the work index that lists the findings of a township
// that nobody has judged, by the time they are due.
func List(township civil.DivisionCode) string { return "FINDING#" + string(township) }

// Get reads one finding strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, applicationID, id string) (Finding, error) {
	item, ok, err := t.Get(ctx, Key(applicationID, id))
	if err != nil {
		return Finding{}, err
	}
	if !ok {
		return Finding{}, ErrNotFound
	}
	return Decode(item)
}

// Of reads every finding on an application.
func Of(ctx context.Context, t table.Store, applicationID string) ([]Finding, error) {
	var all []Finding
	q := table.Query{PK: application.Partition(applicationID)}.Prefix(prefix)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		f, err := Decode(item)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return a.At.Compare(b.At) })
	return all, nil
}

// Decode reads a stored finding.
func Decode(item table.Item) (Finding, error) {
	var f Finding
	if err := json.Unmarshal(item.Body, &f); err != nil {
		return f, fmt.Errorf("inspection: %s: %w", item.Key.SK, err)
	}
	f.Version = item.Version
	return f, nil
}

// Event begins the event of f's present version.
func (f Finding) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"model": f.Model, "effect": string(f.Effect), "owner": f.Owner, "due": f.Due.Format(time.RFC3339)}
	if f.Hold != "" {
		facts["hold"] = f.Hold
	}
	e := event.Event{PK: application.Partition(f.Application), Noun: Noun, ID: f.ID, Version: f.Version, Kind: kind, At: at, Actor: by,
		Rules: f.Rules, Facts: facts}
	if f.Outcome != nil {
		e.Reason = string(f.Outcome.Answer)
	}
	return e
}

// writes are f's new version and the event that made it.
func (f Finding) writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("inspection: %w", err)
	}
	item := table.Item{Key: Key(f.Application, f.ID), Version: f.Version, Body: body}
	if f.Outcome == nil {
		item.Places = []table.Place{{Index: table.ByWork, PK: List(f.Township), SK: work.Stamp(f.Due)}}
	}
	return e.With(item)
}

// Judge is f with what somebody found out. Once only: a second opinion is a
// matter of complaint, not of counting again.
func (f Finding) Judge(a Answer, by event.Actor, at time.Time) (Finding, error) {
	if f.Outcome != nil {
		return f, ErrJudged
	}
	f.Version++
	f.Outcome = &Outcome{Answer: a, By: by, At: at}
	return f, nil
}

// Judged are the writes that keep a judged finding with its event e, and count it:
// exactly once, because the finding's version is the condition.
func Judged(ctx context.Context, t table.Store, f Finding, e event.Event) ([]table.Write, error) {
	writes, err := f.writes(e)
	if err != nil {
		return nil, err
	}
	counted, err := count(ctx, t, f.Model, f.County, map[string]int64{string(f.Outcome.Answer): 1})
	if err != nil {
		return nil, err
	}
	return append(writes, counted), nil
}

// Lifts reports whether judging f takes away the ground of its hold: it is wrong,
// and no other finding on the case stands behind the same hold.
func (f Finding) Lifts(all []Finding) bool {
	return f.Hold != "" && f.Outcome != nil && f.Outcome.Answer == Wrong &&
		!slices.ContainsFunc(all, func(o Finding) bool {
			return o.ID != f.ID && o.Hold == f.Hold && (o.Outcome == nil || o.Outcome.Answer == Right)
		})
}
