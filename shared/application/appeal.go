package application

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
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
	Not         []string           `json:"not"`      // staff ids that had part in the decision and may not answer it
	At          time.Time          `json:"at"`
	Due         time.Time          `json:"due"`
	Version     int64              `json:"-"`
}

// AppealPrefix begins the sort key of every appeal of an application.
const AppealPrefix = "APPEAL#"

// NewAppeal is an objection made at a's present version, to be answered by due
// (policy.Rules.AppealDue). not lists the staff who had part in what is objected to.
func NewAppeal(a Application, not []string, at, due time.Time) Appeal {
	return Appeal{ID: ident.Derive("appeal", a.ID, fmt.Sprint(a.Version)), Application: a.ID, Division: a.County,
		Not: not, At: at, Due: due}
}

// Put is the write that records the appeal and puts it before the county's staff.
func (p Appeal) Put() (table.Write, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("application: appeal: %w", err)
	}
	return table.Put{Item: table.Item{Key: table.Key{PK: Partition(p.Application), SK: AppealPrefix + p.ID}, Version: 1, Body: body,
		Places: []table.Place{{Index: table.ByWork, PK: WorkList(p.Division), SK: work.Stamp(p.Due)}}}}, nil
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
		return nil, stored(err)
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
