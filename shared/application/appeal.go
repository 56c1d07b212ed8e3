package application

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Appeal is a citizen's objection to a decision, waiting for somebody who had no
// part in it. Its words are sealed in the event that recorded it.
type Appeal struct {
	ID          string             `json:"id"`
	Application string             `json:"application"`
	Division    civil.DivisionCode `json:"division"` // whose staff must answer: the county above the office that decided
	Not         []string           `json:"not"`      // accounts and persons of staff who had part in the decision and may not answer it
	At          time.Time          `json:"at"`
	Due         time.Time          `json:"due"`
	Answer      *AppealAnswer      `json:"answer,omitempty"`
	Version     int64              `json:"-"`
}

// AppealAnswer is what came of an appeal. Its reasons are sealed in the event that
// recorded it.
type AppealAnswer struct {
	Result AppealResult `json:"result"`
	By     event.Actor  `json:"by"`
	At     time.Time    `json:"at"`
}

// AppealResult is how an appeal was answered.
type AppealResult string

// The results.
const (
	Upheld   AppealResult = "upheld"   // 维持原决定
	Reopened AppealResult = "reopened" // 撤销不予救助的决定，重新办理
)

// Label is the result in Chinese.
func (r AppealResult) Label() string {
	return map[AppealResult]string{Upheld: "维持原决定", Reopened: "撤销原决定，重新办理"}[r]
}

// AppealPrefix begins the sort key of every appeal of an application.
const AppealPrefix = "APPEAL#"

// NewAppeal is an objection made at a's present version, to be answered by due
// (policy.Rules.AppealDue). not names the staff who had part in what is objected to (event.Names).
func NewAppeal(a Application, not []string, at, due time.Time) Appeal {
	return Appeal{ID: ident.Derive("appeal", a.ID, fmt.Sprint(a.Version)), Application: a.ID, Division: a.County,
		Not: not, At: at, Due: due}
}

// Put is the write that records the appeal and puts it before the county's staff.
func (p Appeal) Put() (table.Write, error) {
	p.Version = 1
	item, err := p.item()
	return table.Put{Item: item}, err
}

// Answered is the write that records the answer and takes the appeal from the
// county's list. Only a person may, who had no part in the decision; ErrAnswered
// when somebody has.
func (p Appeal) Answered(result AppealResult, by event.Actor, at time.Time) (table.Write, error) {
	switch {
	case p.Answer != nil:
		return nil, ErrAnswered
	case by.Kind != event.Staff || by.Person == "":
		return nil, ErrNotAPerson
	case !by.Stranger(p.Not...):
		return nil, ErrSamePerson
	}
	p.Answer = &AppealAnswer{Result: result, By: by, At: at}
	p.Version++
	item, err := p.item()
	return table.Replace{Item: item}, err
}

func appealKey(application, id string) table.Key {
	return table.Key{PK: Partition(application), SK: AppealPrefix + id}
}

func (p Appeal) item() (table.Item, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return table.Item{}, fmt.Errorf("application: appeal: %w", err)
	}
	item := table.Item{Key: appealKey(p.Application, p.ID), Version: p.Version, Body: body}
	if p.Answer == nil {
		item.Places = []table.Place{{Index: table.ByWork, PK: WorkList(p.Division), SK: work.Stamp(p.Due)}}
	}
	return item, nil
}

// GetAppeal reads one appeal of an application; ErrNoAppeal when there is none.
func GetAppeal(ctx context.Context, t table.Store, application, id string) (Appeal, error) {
	item, ok, err := t.Get(ctx, appealKey(application, id))
	if err != nil {
		return Appeal{}, err
	}
	if !ok {
		return Appeal{}, ErrNoAppeal
	}
	return DecodeAppeal(item)
}

// DecodeAppeal reads a stored appeal.
func DecodeAppeal(item table.Item) (Appeal, error) {
	var p Appeal
	if err := json.Unmarshal(item.Body, &p); err != nil || !strings.HasPrefix(item.Key.SK, AppealPrefix) {
		return p, fmt.Errorf("application: %s %s is not an appeal", item.Key.PK, item.Key.SK)
	}
	p.Version = item.Version
	return p, nil
}

// Appeals reads every appeal of an application.
func Appeals(ctx context.Context, t table.Store, id string) ([]Appeal, error) {
	page, err := t.Query(ctx, table.Query{PK: Partition(id), Limit: table.MaxPage}.Prefix(AppealPrefix))
	if err != nil {
		return nil, err
	}
	var all []Appeal
	for _, item := range page.Items {
		p, err := DecodeAppeal(item)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
