package tabletest

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
)

// Subject is one of the backends that are compared.
type Subject struct {
	Name  string
	Store table.Store
}

// checksVariable raises the number of random histories; defaultChecks is what a
// run of all tests can afford on two cores.
const (
	checksVariable = "DOUDI_RAPID_CHECKS"
	defaultChecks  = "12"
)

// Differ gives all subjects the same random histories and compares every answer,
// its reasons and what is stored instead, and after it every item, index and
// page with the first subject's.
func Differ(t *testing.T, subjects ...Subject) {
	checks := cmp.Or(os.Getenv(checksVariable), defaultChecks)
	if err := flag.Set("rapid.checks", checks); err != nil {
		t.Fatalf("%s=%s: %v", checksVariable, checks, err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := history{ctx: t, room: room(ident.Random().New()), subjects: subjects}
		rt.Repeat(map[string]func(*rapid.T){
			"transact": h.transact,
			"query":    h.query,
			"get":      h.get,
		})
		for _, pk := range h.partitions() {
			h.compare(rt, table.Query{PK: pk})
			for _, i := range table.Indexes() {
				h.compare(rt, table.Query{Index: i, PK: pk})
			}
		}
	})
}

type history struct {
	ctx      *testing.T
	room     room
	subjects []Subject
}

// A small world, so that operations meet.
var (
	someSorts  = []string{"a", "ab", "b", "№1", "😀", "\x00"}
	somePlaces = []string{"1", "2", "2x", "中"}
	someNames  = []string{"open", "spent", "size"}
)

func (h history) partitions() []string { return []string{string(h.room) + "p", string(h.room) + "q"} }

func (h history) key(t *rapid.T) table.Key {
	return table.Key{PK: rapid.SampledFrom(h.partitions()).Draw(t, "pk"), SK: rapid.SampledFrom(someSorts).Draw(t, "sk")}
}

func (h history) item(t *rapid.T, key table.Key, version int64) table.Item {
	it := table.Item{Key: key, Version: version, Body: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")}
	for _, name := range someNames {
		if rapid.Bool().Draw(t, "has counter") {
			if it.Counters == nil {
				it.Counters = map[string]int64{}
			}
			it.Counters[name] = rapid.Int64Range(-5, 20).Draw(t, "counter")
		}
	}
	for _, i := range table.Indexes() {
		if rapid.IntRange(0, 2).Draw(t, "has place") > 0 {
			it.Places = append(it.Places, table.Place{
				Index: i, PK: rapid.SampledFrom(h.partitions()).Draw(t, "place pk"), SK: rapid.SampledFrom(somePlaces).Draw(t, "place sk"),
			})
		}
	}
	return it
}

func (h history) write(t *rapid.T, key table.Key) table.Write {
	now, found, err := h.subjects[0].Store.Get(h.ctx.Context(), key)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	off := rapid.SampledFrom([]int64{0, 0, 0, 0, 1, -1}).Draw(t, "off by")
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case kind < 3 && !found, kind == 0:
		return table.Put{Item: h.item(t, key, 1)}
	case kind < 6:
		return table.Replace{Item: h.item(t, key, max(2, now.Version+1+off))}
	case kind < 7:
		return table.Check{Key: key, Version: max(0, now.Version+off)}
	}
	m := table.Move{Key: key}
	for _, name := range someNames {
		if _, has := now.Counters[name]; has || rapid.IntRange(0, 9).Draw(t, "unknown counter") == 0 {
			m.Deltas = append(m.Deltas, table.Delta{
				Counter: name, By: rapid.Int64Range(-8, 8).Draw(t, "by"),
				Floor: rapid.SampledFrom([]int64{0, 0, -5, 3, table.NoFloor, table.MaxCount}).Draw(t, "floor"),
			})
		}
	}
	if len(m.Deltas) == 0 {
		return table.Check{Key: key, Version: now.Version}
	}
	return m
}

func (h history) transact(t *rapid.T) {
	keys := rapid.SliceOfNDistinct(rapid.Custom(h.key), 1, 5, rapid.ID[table.Key]).Draw(t, "keys")
	var writes []table.Write
	moves, puts := false, false
	for _, key := range keys {
		w := h.write(t, key)
		_, isMove := w.(table.Move)
		_, isPut := w.(table.Put)
		moves, puts = moves || isMove, puts || isPut
		writes = append(writes, w)
	}
	if moves && !puts && rapid.IntRange(0, 9).Draw(t, "bare move") > 0 {
		key := table.Key{PK: h.partitions()[0], SK: "j" + ident.Random().New()}
		writes = append(writes, table.Put{Item: table.Item{Key: key, Version: 1}})
	}
	var first error
	for i, s := range h.subjects {
		err := s.Store.Transact(h.ctx.Context(), writes...)
		if i == 0 {
			first = err
			continue
		}
		if diff := differ(first, err); diff != "" {
			t.Fatalf("%s answers otherwise than %s to %+v: %s", s.Name, h.subjects[0].Name, writes, diff)
		}
	}
}

// differ says how two answers differ, or nothing.
func differ(a, b error) string {
	ca, oka := errors.AsType[*table.ConditionError](a)
	cb, okb := errors.AsType[*table.ConditionError](b)
	if !oka || !okb {
		if oka != okb || (a == nil) != (b == nil) || errors.Is(a, table.ErrInvalid) != errors.Is(b, table.ErrInvalid) {
			return fmt.Sprintf("%v and %v", a, b)
		}
		return ""
	}
	same := slices.EqualFunc(ca.Failures, cb.Failures, func(x, y table.Failure) bool {
		return x.Write == y.Write && x.Key == y.Key && x.Reason == y.Reason && Same(x.Current, y.Current)
	})
	if !same {
		return fmt.Sprintf("%+v and %+v", ca.Failures, cb.Failures)
	}
	return ""
}

func (h history) get(t *rapid.T) {
	key := h.key(t)
	want, wantFound, err := h.subjects[0].Store.Get(h.ctx.Context(), key)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	for _, s := range h.subjects[1:] {
		got, found, err := s.Store.Get(h.ctx.Context(), key)
		if err != nil || found != wantFound || !Same(got, want) {
			t.Fatalf("%s has %+v, %v, %v; want %+v, %v", s.Name, got, found, err, want, wantFound)
		}
	}
}

func (h history) query(t *rapid.T) {
	q := table.Query{
		PK:      rapid.SampledFrom(h.partitions()).Draw(t, "pk"),
		Index:   rapid.SampledFrom(append(table.Indexes(), "", "", "")).Draw(t, "index"),
		Reverse: rapid.Bool().Draw(t, "reverse"),
		Limit:   rapid.SampledFrom([]int{0, 1, 2, 3, 7}).Draw(t, "limit"),
	}
	bounds := slices.Concat(someSorts, somePlaces, []string{"", "", "\U0010FFFF", "0"})
	q.From, q.To = rapid.SampledFrom(bounds).Draw(t, "from"), rapid.SampledFrom(bounds).Draw(t, "to")
	if q.From > q.To && q.To != "" {
		q.From, q.To = q.To, q.From
	}
	h.compare(t, q)
}

// compare reads every page of a query from every subject. The order of items
// that share a place is a backend's own, so those are sorted by key.
func (h history) compare(t *rapid.T, q table.Query) {
	var want []table.Item
	for i, s := range h.subjects {
		got := collect(h.ctx, s.Store, q)
		for from := 0; from < len(got); {
			to := from + 1
			for to < len(got) && place(got[to], q.Index) == place(got[from], q.Index) {
				to++
			}
			slices.SortFunc(got[from:to], func(a, b table.Item) int {
				return cmp.Or(cmp.Compare(a.Key.PK, b.Key.PK), cmp.Compare(a.Key.SK, b.Key.SK))
			})
			from = to
		}
		if i == 0 {
			want = got
			continue
		}
		if !slices.EqualFunc(got, want, Same) {
			t.Fatalf("%s gives to %+v\n%s, want\n%s", s.Name, q, sortKeys(got), sortKeys(want))
		}
	}
}
