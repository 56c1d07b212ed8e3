package complaint

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/table"
)

// The counters of a tally.
const (
	countFiled    = "filed"
	countReplied  = "replied"
	countLate     = "late" // answered after the clock ran out
	countReopened = "reopened"
	rated         = "rated_" // followed by the rating
)

// tallyShards cut one tally, so that a busy day does not queue at one item.
const tallyShards = 4

// tallyPartition is where the figures of one district and year are kept, in
// counters that move in place: TALLY#<module>#<shard>.
func tallyPartition(county civil.DivisionCode, year int) string {
	return fmt.Sprintf("COMPLAINTTALLY#%s#%04d", county, year)
}

func (c Complaint) tallyKey() table.Key {
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.ID)) // a hash takes everything
	return table.Key{PK: tallyPartition(c.at(civil.CountyLevel), calendar.Today(c.FiledAt).Year()),
		SK: fmt.Sprintf("TALLY#%s#%d", c.Module, h.Sum32()%tallyShards)}
}

// counters are every counter of a tally.
func counters() map[string]int64 {
	all := map[string]int64{countFiled: 0, countReplied: 0, countLate: 0, countReopened: 0}
	for _, r := range Ratings() {
		all[rated+string(r)] = 0
	}
	return all
}

// Tallied makes the tally that c counts in when it is not there, and is the write
// that counts.
func (c Complaint) Tallied(ctx context.Context, t table.Store, names ...string) (table.Write, error) {
	key := c.tallyKey()
	_, found, err := t.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if !found {
		// A twin may be quicker, or the answer lost: the write that counts finds out.
		err := t.Transact(ctx, table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte(`{}`), Counters: counters()}})
		if _, twin := errors.AsType[*table.ConditionError](err); err != nil && !twin && !errors.Is(err, table.ErrUnknown) {
			return nil, err
		}
	}
	var deltas []table.Delta
	for _, n := range names {
		deltas = append(deltas, table.Delta{Counter: n, By: 1, Floor: 0})
	}
	return table.Move{Key: key, Deltas: deltas}, nil
}

// CountFiled, CountReplied, CountReopened and CountRated are what is counted.
func CountFiled() []string { return []string{countFiled} }

// CountReplied counts an answer, and whether it was late.
func CountReplied(late bool) []string {
	if late {
		return []string{countReplied, countLate}
	}
	return []string{countReplied}
}

// CountReopened counts a complaint that was taken up again.
func CountReopened() []string { return []string{countReopened} }

// CountRated counts a rating.
func CountRated(r Rating) []string { return []string{rated + string(r)} }

// Tally is the figures of one module.
type Tally struct {
	Filed, Replied, Late, Reopened int64
	Rated                          map[Rating]int64
}

// Ratings is how many ratings there are.
func (t Tally) Ratings() int64 {
	var n int64
	for _, v := range t.Rated {
		n += v
	}
	return n
}

// Add is t and o together.
func (t Tally) Add(o Tally) Tally {
	sum := Tally{t.Filed + o.Filed, t.Replied + o.Replied, t.Late + o.Late, t.Reopened + o.Reopened, map[Rating]int64{}}
	for _, r := range Ratings() {
		sum.Rated[r] = t.Rated[r] + o.Rated[r]
	}
	return sum
}

// Tallies reads the figures of one district and year, by module.
func Tallies(ctx context.Context, t table.Store, county civil.DivisionCode, year int) (map[string]Tally, error) {
	all := map[string]Tally{}
	q := table.Query{PK: tallyPartition(county, year)}.Prefix("TALLY#")
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		parts := strings.Split(item.Key.SK, "#")
		n := Tally{item.Counters[countFiled], item.Counters[countReplied], item.Counters[countLate], item.Counters[countReopened], map[Rating]int64{}}
		for _, r := range Ratings() {
			n.Rated[r] = item.Counters[rated+string(r)]
		}
		all[parts[1]] = all[parts[1]].Add(n)
	}
	return all, nil
}

// K is the fewest ratings that a public figure may rest on: below it somebody
// could be recognised.
const K = 5

// Public is one line of what may be shown to everybody.
type Public struct {
	Module   string
	Division civil.DivisionCode // a district, or the city for what is too little by itself
	Tally    Tally
}

// Publish turns the figures of the districts of a city into what may be shown,
// the least satisfied first: a line rests on K ratings at least, or it goes into
// the city's line for the module, which then rests on K of those that were too
// few by themselves. So nothing can be worked out by taking one from another.
func Publish(city civil.DivisionCode, districts map[civil.DivisionCode]map[string]Tally) []Public {
	var lines []Public
	rest := map[string]Tally{}
	for d, modules := range districts {
		for m, n := range modules {
			if n.Ratings() >= K {
				lines = append(lines, Public{m, d, n})
			} else {
				rest[m] = rest[m].Add(n)
			}
		}
	}
	for m, n := range rest {
		if n.Ratings() >= K {
			lines = append(lines, Public{m, city, n})
		}
	}
	slices.SortFunc(lines, func(a, b Public) int {
		// Shares compared without dividing: dissatisfied of a × ratings of b.
		x, y := a.Tally.Rated[Dissatisfied]*b.Tally.Ratings(), b.Tally.Rated[Dissatisfied]*a.Tally.Ratings()
		switch {
		case x != y:
			return int(y - x)
		case a.Module != b.Module:
			return strings.Compare(a.Module, b.Module)
		}
		return strings.Compare(string(a.Division), string(b.Division))
	})
	return lines
}
