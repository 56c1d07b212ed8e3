package disclosure

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Partition is where the editions of one county and year are kept, with the
// objections to them and everything that happened:
//
//	EDITION#<number>       an edition
//	OBJECTION#<id>         an objection to a line
//	EVENT#…
//
// Beside it DISCLOSED#<id> / AT says where the edition of that id is.
func Partition(county civil.DivisionCode, year int) string {
	return fmt.Sprintf("DISCLOSURE#%s#%04d", county, year)
}

const editions = "EDITION#"

// Key is where an edition is kept.
func Key(county civil.DivisionCode, year, number int) table.Key {
	return table.Key{PK: Partition(county, year), SK: fmt.Sprintf("%s%06d", editions, number)}
}

func at(id string) table.Key { return table.Key{PK: "DISCLOSED#" + id, SK: "AT"} }

// where is the body of the item that finds an edition by its id.
type where struct {
	County civil.DivisionCode `json:"county"`
	Year   int                `json:"year"`
	Number int                `json:"number"`
}

// Prepare stores a new edition with its event and more. It is not public yet. Two
// who make the same number make one: ErrMovedOn for the other, who has nothing to do.
func Prepare(ctx context.Context, t table.Store, e Edition, ev event.Event, more ...table.Write) error {
	body, err := json.Marshal(where{e.County, e.Year, e.Number})
	if err != nil {
		return fmt.Errorf("disclosure: %w", err)
	}
	return Commit(ctx, t, e, ev, append(more, table.Put{Item: table.Item{Key: at(e.ID), Version: 1, Body: body}})...)
}

// Writes is one step of an edition with its event.
func Writes(e Edition, ev event.Event) ([]table.Write, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("disclosure: %w", err)
	}
	item := table.Item{Key: Key(e.County, e.Year, e.Number), Version: e.Version, Body: body}
	return ev.With(item)
}

// Commit stores one step of an edition with its event and more. ErrMovedOn means
// that somebody else took a step meanwhile, or something among more moved.
func Commit(ctx context.Context, t table.Store, e Edition, ev event.Event, more ...table.Write) error {
	writes, err := Writes(e, ev)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}

// Get reads the edition of that id strongly, public or not; ErrNotFound when
// there is none.
func Get(ctx context.Context, t table.Store, id string) (Edition, error) {
	item, ok, err := t.Get(ctx, at(id))
	if err != nil {
		return Edition{}, err
	}
	if !ok {
		return Edition{}, ErrNotFound
	}
	var w where
	if err := json.Unmarshal(item.Body, &w); err != nil {
		return Edition{}, fmt.Errorf("disclosure: %s: %w", item.Key.PK, err)
	}
	if item, ok, err = t.Get(ctx, Key(w.County, w.Year, w.Number)); err != nil {
		return Edition{}, err
	}
	if !ok {
		return Edition{}, fmt.Errorf("disclosure: %s is not where it should be", id)
	}
	return Decode(item)
}

// Show is Get for the public: what is not public at now is not there.
func Show(ctx context.Context, t table.Store, id string, now time.Time) (Edition, error) {
	e, err := Get(ctx, t, id)
	if err == nil && !e.Public(now) {
		return Edition{}, ErrNotFound
	}
	return e, err
}

// Decode reads a stored edition.
func Decode(item table.Item) (Edition, error) {
	var e Edition
	if err := json.Unmarshal(item.Body, &e); err != nil {
		return e, fmt.Errorf("disclosure: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	if e.Version != item.Version {
		return e, fmt.Errorf("disclosure: %s/%s: the item and its body disagree on the version", item.Key.PK, item.Key.SK)
	}
	return e, nil
}

// List reads every edition of a county and year, in order of their numbers.
func List(ctx context.Context, t table.Store, county civil.DivisionCode, year int) ([]Edition, error) {
	q := table.Query{PK: Partition(county, year)}.Prefix(editions)
	return table.Collect(ctx, t, q, Decode)
}
