package inspection

import (
	"context"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/table"
)

// Tally is how often one model hit in one county and what people made of it.
type Tally struct {
	Model  string             `json:"model"`
	County civil.DivisionCode `json:"county"`
	Hits   int64              `json:"hits"`
	Held   int64              `json:"held"` // of those, how many held money
	Right  int64              `json:"right"`
	Wrong  int64              `json:"wrong"`
}

// Percent is the share of judged hits that were right, in whole percent; ok is
// false while nobody has judged any.
func (t Tally) Percent() (percent int64, ok bool) {
	if t.Right+t.Wrong == 0 {
		return 0, false
	}
	return 100 * t.Right / (t.Right + t.Wrong), true
}

func (t Tally) plus(o Tally) Tally {
	t.Hits, t.Held, t.Right, t.Wrong = t.Hits+o.Hits, t.Held+o.Held, t.Right+o.Right, t.Wrong+o.Wrong
	return t
}

const (
	partition   = "MODELS"
	tallyPrefix = "TALLY#"
)

// The counters of a tally, beside the answers Right and Wrong.
const (
	countHits = "hits"
	countHeld = "held"
)

func tallyKey(id string, county civil.DivisionCode) table.Key {
	return table.Key{PK: partition, SK: tallyPrefix + id + "#" + string(county)}
}

// count is the write that moves counters of one model's tally. It stands beside
// the item that is counted, whose condition makes it happen once.
func count(ctx context.Context, t table.Store, id string, county civil.DivisionCode, by map[string]int64) (table.Write, error) {
	key := tallyKey(id, county)
	_, ok, err := t.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		counters := map[string]int64{countHits: 0, countHeld: 0, string(Right): 0, string(Wrong): 0}
		for name, n := range by {
			counters[name] = n
		}
		return table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte("{}"), Counters: counters}}, nil
	}
	m := table.Move{Key: key}
	for name, n := range by {
		m.Deltas = append(m.Deltas, table.Delta{Counter: name, By: n, Floor: 0})
	}
	slices.SortFunc(m.Deltas, func(a, b table.Delta) int { return strings.Compare(a.Counter, b.Counter) })
	return m, nil
}

// Tallies reads what became of each model's hits in the counties for which
// within holds, by model.
func Tallies(ctx context.Context, t table.Store, within func(civil.DivisionCode) bool) (map[string]Tally, error) {
	all := map[string]Tally{}
	q := table.Query{PK: partition}.Prefix(tallyPrefix)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		id, county, _ := strings.Cut(strings.TrimPrefix(item.Key.SK, tallyPrefix), "#")
		if !within(civil.DivisionCode(county)) {
			continue
		}
		c := item.Counters
		all[id] = all[id].plus(Tally{Hits: c[countHits], Held: c[countHeld], Right: c[string(Right)], Wrong: c[string(Wrong)]})
	}
	return all, nil
}
