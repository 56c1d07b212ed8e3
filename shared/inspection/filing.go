package inspection

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/table"
)

// filings is what one account filed for others on one day. It stands from the
// first row to the last, so that when the first of many pasted rows is decided on,
// all of them are known.
type filings struct {
	Rows      int                  `json:"rows"`
	Townships []civil.DivisionCode `json:"townships"`
}

func filingsKey(account string, day civil.Day) table.Key {
	return table.Key{PK: "ACCOUNT#" + account, SK: "FILED#" + day.String()}
}

func readFilings(ctx context.Context, t table.Store, account string, day civil.Day) (f filings, version int64, err error) {
	item, ok, err := t.Get(ctx, filingsKey(account, day))
	if err != nil || !ok {
		return f, 0, err
	}
	if err := json.Unmarshal(item.Body, &f); err != nil {
		return f, 0, fmt.Errorf("inspection: %s: %w", item.Key.PK, err)
	}
	return f, item.Version, nil
}

// Filed is the write that counts one more application filed for somebody else.
func Filed(ctx context.Context, t table.Store, account string, day civil.Day, township civil.DivisionCode) (table.Write, error) {
	f, version, err := readFilings(ctx, t, account, day)
	if err != nil {
		return nil, err
	}
	f.Rows++
	if !slices.Contains(f.Townships, township) {
		f.Townships = append(f.Townships, township)
	}
	body, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("inspection: %w", err)
	}
	item := table.Item{Key: filingsKey(account, day), Version: version + 1, Body: body}
	return table.Step(item), nil
}

func filed(ctx context.Context, t table.Store, account string, day civil.Day) (model.Filing, error) {
	f, _, err := readFilings(ctx, t, account, day)
	return model.Filing{ForOthers: true, Rows: f.Rows, Townships: len(f.Townships)}, err
}
