// Package tabletest is what every backend of table must do: one suite of facts,
// one suite for feeds, and a property test that gives two backends the same
// random operations and compares every answer. It knows no backend.
package tabletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
)

// Options says what a backend under test is like.
type Options struct {
	// Settle waits until the indexes have caught up; nil when they never lag.
	Settle func(t testing.TB)
	// Racers is how many clients fight over one item; 16 unless said.
	Racers int
}

// suite is one backend with a partition of its own for each fact, so that a
// backend that is slow to start is started once.
type suite struct {
	store table.Store
	opts  Options
}

// Run holds a backend to the whole contract. open is called once; the facts use
// partitions of their own and run one after the other.
func Run(t *testing.T, open func(t *testing.T) table.Store, opts Options) {
	if opts.Racers == 0 {
		opts.Racers = 16
	}
	if opts.Settle == nil {
		opts.Settle = func(testing.TB) {}
	}
	s := suite{store: open(t), opts: opts}
	for name, fact := range map[string]func(*testing.T, room){
		"conditions_and_reasons":                   s.conditions,
		"every_failure_is_reported_nothing_booked": s.allOrNothing,
		"move_keeps_the_floor_exactly":             s.floors,
		"move_without_put_is_refused":              s.moveAlone,
		"malformed_is_refused":                     s.malformed,
		"hundred_writes_in_one_transaction":        s.hundred,
		"large_bodies_come_back":                   s.large,
		"items_come_back_as_stored":                s.roundTrip,
		"replace_replaces_counters_and_places":     s.replaceAll,
		"ranges_are_inclusive":                     s.ranges,
		"pages_join_without_gap_or_repeat":         s.paging,
		"order_is_by_bytes":                        s.order,
		"index_follows_the_item":                   s.index,
		"items_share_a_place":                      s.sharedPlace,
		"racers_win_exactly_once":                  s.race,
		"racing_moves_add_up":                      s.raceMoves,
		"answer_is_the_callers_own":                s.aliasing,
		"ended_context_applies_nothing":            s.ended,
	} {
		t.Run(name, func(t *testing.T) { fact(t, room(ident.Random().New())) })
	}
}

// room is a prefix of partitions that nobody else uses.
type room string

func (r room) key(pk, sk string) table.Key { return table.Key{PK: string(r) + pk, SK: sk} }

func (r room) item(pk, sk string) table.Item {
	return table.Item{Key: r.key(pk, sk), Version: 1, Body: []byte(`{"is":"` + sk + `"}`)}
}

func mustWrite(t testing.TB, s table.Store, writes ...table.Write) {
	t.Helper()
	if err := s.Transact(t.Context(), writes...); err != nil {
		t.Fatalf("Transact: %v", err)
	}
}

func read(t testing.TB, s table.Store, key table.Key) (table.Item, bool) {
	t.Helper()
	it, found, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get %v: %v", key, err)
	}
	return it, found
}

// wants compares failures in order; Current is compared as an item.
func wantFailures(t testing.TB, err error, want ...table.Failure) {
	t.Helper()
	e, ok := errors.AsType[*table.ConditionError](err)
	if !ok {
		t.Fatalf("answer %v, want a ConditionError", err)
	}
	if len(e.Failures) != len(want) {
		t.Fatalf("%d failures %v, want %d", len(e.Failures), e, len(want))
	}
	for i, f := range e.Failures {
		w := want[i]
		if f.Write != w.Write || f.Key != w.Key || f.Reason != w.Reason || !Same(f.Current, w.Current) {
			t.Errorf("failure %d:\n got %+v\nwant %+v", i, f, w)
		}
	}
}

// Same reports whether two items are equal, wherever nil and empty mean the same.
func Same(a, b table.Item) bool {
	places := func(it table.Item) []table.Place {
		p := slices.Clone(it.Places)
		slices.SortFunc(p, func(x, y table.Place) int { return strings.Compare(string(x.Index), string(y.Index)) })
		return p
	}
	if len(a.Counters) != len(b.Counters) {
		return false
	}
	for name, v := range a.Counters {
		if w, ok := b.Counters[name]; !ok || v != w {
			return false
		}
	}
	return a.Key == b.Key && a.Version == b.Version && bytes.Equal(a.Body, b.Body) &&
		slices.Equal(places(a), places(b)) && a.Expires.Equal(b.Expires)
}

func (s suite) conditions(t *testing.T, r room) {
	now := r.item("p", "now")
	now.Counters = map[string]int64{"open": 10}
	mustWrite(t, s.store, table.Put{Item: now})
	mustWrite(t, s.store, table.Replace{Item: at(now, 2)})
	now = at(now, 2)
	missing := r.key("p", "missing")
	beside := func(w table.Write) []table.Write { return []table.Write{table.Put{Item: r.item("p", "beside")}, w} }
	for _, c := range []struct {
		name   string
		writes []table.Write
		reason table.Reason
		key    table.Key
	}{
		{"put_over_an_item", []table.Write{table.Put{Item: at(now, 1)}}, table.Exists, now.Key},
		{"put_over_an_item_in_two", beside(table.Put{Item: at(now, 1)}), table.Exists, now.Key},
		{"replace_missing", []table.Write{table.Replace{Item: at(r.item("p", "missing"), 2)}}, table.Missing, missing},
		{"replace_missing_in_two", beside(table.Replace{Item: at(r.item("p", "missing"), 2)}), table.Missing, missing},
		{"replace_same_version", []table.Write{table.Replace{Item: now}}, table.Version, now.Key},
		{"replace_skipping_one", []table.Write{table.Replace{Item: at(now, 4)}}, table.Version, now.Key},
		{"check_absent_finds_one", []table.Write{table.Check{Key: now.Key}}, table.Exists, now.Key},
		{"check_missing", []table.Write{table.Check{Key: missing, Version: 1}}, table.Missing, missing},
		{"check_old_version", []table.Write{table.Check{Key: now.Key, Version: 1}}, table.Version, now.Key},
		{"move_missing", beside(table.Move{Key: missing, Deltas: []table.Delta{{Counter: "open", By: 1}}}), table.Missing, missing},
		{"move_unknown_counter", beside(table.Move{Key: now.Key, Deltas: []table.Delta{{Counter: "other", By: 1}}}), table.Missing, now.Key},
		{"move_unknown_counter_beside_a_floor", beside(table.Move{Key: now.Key, Deltas: []table.Delta{{Counter: "open", By: -11}, {Counter: "other", By: 1}}}), table.Missing, now.Key},
		{"move_below_floor", beside(table.Move{Key: now.Key, Deltas: []table.Delta{{Counter: "open", By: -11}}}), table.Floor, now.Key},
		{"move_beyond_the_largest", beside(table.Move{Key: now.Key, Deltas: []table.Delta{{Counter: "open", By: table.MaxCount, Floor: table.NoFloor}}}), table.Floor, now.Key},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := table.Failure{Write: len(c.writes) - 1, Key: c.key, Reason: c.reason}
			if c.reason != table.Missing || c.key == now.Key {
				want.Current = now
			}
			wantFailures(t, s.store.Transact(t.Context(), c.writes...), want)
			if it, _ := read(t, s.store, now.Key); !Same(it, now) {
				t.Errorf("item is now %+v", it)
			}
			if _, found := read(t, s.store, r.key("p", "beside")); found {
				t.Error("half of the transaction was applied")
			}
		})
	}
	mustWrite(t, s.store, table.Check{Key: now.Key, Version: 2}, table.Check{Key: missing})
}

func at(it table.Item, version int64) table.Item {
	it = it.Clone()
	it.Version = version
	return it
}

func (s suite) allOrNothing(t *testing.T, r room) {
	a, b := r.item("p", "a"), r.item("p", "b")
	b.Counters = map[string]int64{"left": 5}
	mustWrite(t, s.store, table.Put{Item: a}, table.Put{Item: b})
	err := s.store.Transact(t.Context(),
		table.Put{Item: r.item("p", "new")},
		table.Put{Item: a},
		table.Check{Key: r.key("p", "nothing"), Version: 3},
		table.Replace{Item: at(r.item("q", "none"), 2)},
		table.Move{Key: b.Key, Deltas: []table.Delta{{Counter: "left", By: -6}}},
		table.Check{Key: r.key("q", "absent")},
	)
	wantFailures(t, err,
		table.Failure{Write: 1, Key: a.Key, Reason: table.Exists, Current: a},
		table.Failure{Write: 2, Key: r.key("p", "nothing"), Reason: table.Missing},
		table.Failure{Write: 3, Key: r.key("q", "none"), Reason: table.Missing},
		table.Failure{Write: 4, Key: b.Key, Reason: table.Floor, Current: b},
	)
	if _, found := read(t, s.store, r.key("p", "new")); found {
		t.Error("a put of a refused transaction was applied")
	}
}

func (s suite) floors(t *testing.T, r room) {
	fund := r.item("fund", "F")
	fund.Counters = map[string]int64{"open": 100, "spent": 0, "edge": table.MaxCount}
	mustWrite(t, s.store, table.Put{Item: fund})
	n := 0
	move := func(deltas ...table.Delta) error {
		n++
		return s.store.Transact(t.Context(), table.Put{Item: r.item("fund", fmt.Sprint("J", n))}, table.Move{Key: fund.Key, Deltas: deltas})
	}
	want := func(version, open, spent int64) {
		t.Helper()
		it, _ := read(t, s.store, fund.Key)
		if it.Version != version || it.Counters["open"] != open || it.Counters["spent"] != spent {
			t.Fatalf("fund is %+v, want version %d open %d spent %d", it, version, open, spent)
		}
		fund = it
	}
	if err := move(table.Delta{Counter: "open", By: -60}, table.Delta{Counter: "spent", By: 60}); err != nil {
		t.Fatal(err)
	}
	want(2, 40, 60)
	wantFailures(t, move(table.Delta{Counter: "open", By: -41}), table.Failure{Write: 1, Key: fund.Key, Reason: table.Floor, Current: fund})
	want(2, 40, 60)
	if err := move(table.Delta{Counter: "open", By: -40}); err != nil { // to the floor exactly
		t.Fatal(err)
	}
	want(3, 0, 60)
	if err := move(table.Delta{Counter: "open", By: -5, Floor: -5}); err != nil {
		t.Fatal(err)
	}
	want(4, -5, 60)
	if err := move(table.Delta{Counter: "open", By: 0, Floor: -5}); err != nil {
		t.Fatal(err)
	}
	want(5, -5, 60)
	if err := move(table.Delta{Counter: "open", By: -1000, Floor: table.NoFloor}); err != nil {
		t.Fatal(err)
	}
	want(6, -1005, 60)
	wantFailures(t, move(table.Delta{Counter: "edge", By: 1}), table.Failure{Write: 1, Key: fund.Key, Reason: table.Floor, Current: fund})
	if err := move(table.Delta{Counter: "edge", By: -table.MaxCount}); err != nil {
		t.Fatal(err)
	}
}

func (s suite) moveAlone(t *testing.T, r room) {
	fund := r.item("fund", "F")
	fund.Counters = map[string]int64{"open": 100}
	mustWrite(t, s.store, table.Put{Item: fund})
	move := table.Move{Key: fund.Key, Deltas: []table.Delta{{Counter: "open", By: 1}}}
	for _, writes := range [][]table.Write{{move}, {table.Check{Key: r.key("x", "y")}, move}} {
		if err := s.store.Transact(t.Context(), writes...); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("answer %v, want ErrInvalid", err)
		}
	}
}

func (s suite) malformed(t *testing.T, r room) {
	ok := r.item("p", "ok")
	with := func(change func(*table.Item)) table.Write {
		it := ok.Clone()
		change(&it)
		return table.Put{Item: it}
	}
	var many []table.Write
	for i := range table.MaxWrites + 1 {
		many = append(many, table.Check{Key: r.key("p", fmt.Sprint(i))})
	}
	for name, writes := range map[string][]table.Write{
		"nothing":            {},
		"too_many":           many,
		"same_key_twice":     {table.Put{Item: ok}, table.Check{Key: ok.Key}},
		"put_of_version_two": {table.Put{Item: at(ok, 2)}},
		"replace_of_one":     {table.Replace{Item: ok}},
		"check_below_zero":   {table.Check{Key: ok.Key, Version: -1}},
		"empty_key":          {with(func(i *table.Item) { i.Key.SK = "" })},
		"key_not_utf8":       {with(func(i *table.Item) { i.Key.SK = "\xff" })},
		"long_key":           {with(func(i *table.Item) { i.Key.SK = strings.Repeat("k", table.MaxKey+1) })},
		"long_body":          {with(func(i *table.Item) { i.Body = make([]byte, table.MaxBody+1) })},
		"unknown_index":      {with(func(i *table.Item) { i.Places = []table.Place{{Index: "no", PK: "a", SK: "b"}} })},
		"two_places": {with(func(i *table.Item) {
			i.Places = []table.Place{{Index: table.ByDue, PK: "a", SK: "b"}, {Index: table.ByDue, PK: "a", SK: "c"}}
		})},
		"part_of_a_second":  {with(func(i *table.Item) { i.Expires = time.Unix(5, 1) })},
		"counter_too_large": {with(func(i *table.Item) { i.Counters = map[string]int64{"c": table.MaxCount + 1} })},
	} {
		if err := s.store.Transact(t.Context(), writes...); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("%s: answer %v, want ErrInvalid", name, err)
		}
	}
	for name, q := range map[string]table.Query{
		"no_partition":    {},
		"unknown_index":   {PK: "p", Index: "no"},
		"page_too_large":  {PK: "p", Limit: table.MaxPage + 1},
		"bounds_reversed": {PK: "p", From: "b", To: "a"},
		"cursor_of_none":  {PK: "p", After: "%%%"},
	} {
		if _, err := s.store.Query(t.Context(), q); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("query %s: %v, want ErrInvalid", name, err)
		}
	}
	if _, _, err := s.store.Get(t.Context(), table.Key{PK: "p"}); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("get: %v, want ErrInvalid", err)
	}
}

func (s suite) hundred(t *testing.T, r room) {
	var writes []table.Write
	for i := range table.MaxWrites {
		it := r.item("p", fmt.Sprintf("%03d", i))
		it.Body = bytes.Repeat([]byte{byte(i)}, 2000)
		writes = append(writes, table.Put{Item: it})
	}
	mustWrite(t, s.store, writes...)
	page, err := s.store.Query(t.Context(), table.Query{PK: string(r) + "p"})
	if err != nil || len(page.Items) != table.MaxWrites {
		t.Fatalf("%d items, %v", len(page.Items), err)
	}
	writes[41] = table.Put{Item: r.item("q", "other")}
	var e *table.ConditionError
	if err := s.store.Transact(t.Context(), writes...); !errors.As(err, &e) || len(e.Failures) != table.MaxWrites-1 {
		t.Errorf("answer %.200v, want %d failures", err, table.MaxWrites-1)
	}
}

func (s suite) large(t *testing.T, r room) {
	var writes []table.Write
	for i := range 9 {
		it := r.item("p", fmt.Sprint(i))
		it.Body = bytes.Repeat([]byte{byte(i), 0xff}, table.MaxBody/2)
		writes = append(writes, table.Put{Item: it})
	}
	mustWrite(t, s.store, writes...)
	got := collect(t, s.store, table.Query{PK: string(r) + "p"})
	if len(got) != len(writes) {
		t.Fatalf("%d items", len(got))
	}
	for i, it := range got {
		if !Same(it, writes[i].(table.Put).Item) {
			t.Errorf("item %d came back otherwise", i)
		}
	}
}

// collect reads every page.
func collect(t testing.TB, s table.Store, q table.Query) []table.Item {
	t.Helper()
	var all []table.Item
	for pages := 0; ; pages++ {
		page, err := s.Query(t.Context(), q)
		if err != nil {
			t.Fatalf("Query %+v: %v", q, err)
		}
		all = append(all, page.Items...)
		if q.Limit > 0 && len(page.Items) > q.Limit {
			t.Fatalf("page of %d items, limit %d", len(page.Items), q.Limit)
		}
		if page.Next == "" {
			return all
		}
		if pages > 10_000 {
			t.Fatal("pages do not end")
		}
		q.After = page.Next
	}
}

func (s suite) roundTrip(t *testing.T, r room) {
	for i, it := range []table.Item{
		{Body: nil},
		{Body: []byte{0, 1, 2, 0xff}, Counters: map[string]int64{"a": 0, "size": -7, "big": table.MaxCount, "small": -table.MaxCount}},
		{Body: []byte("{}"), Places: []table.Place{{Index: table.ByDue, PK: string(r) + "d", SK: "1"}, {Index: table.ByOwner, PK: string(r) + "o", SK: "2"}, {Index: table.ByWork, PK: string(r) + "w", SK: "3"}}},
		{Body: []byte("x"), Expires: time.Unix(4_102_444_800, 0)},
		{Body: []byte("兜底")},
	} {
		it.Key, it.Version = r.key("救助#p", fmt.Sprintf("№%d 😀", i)), 1
		mustWrite(t, s.store, table.Put{Item: it})
		got, found := read(t, s.store, it.Key)
		if !found || !Same(got, it) {
			t.Errorf("item %d: got %+v, want %+v", i, got, it)
		}
	}
	if it, found := read(t, s.store, r.key("none", "none")); found || !Same(it, table.Item{}) {
		t.Errorf("an item that is not there: %+v", it)
	}
}

func (s suite) replaceAll(t *testing.T, r room) {
	it := r.item("p", "a")
	it.Counters = map[string]int64{"gone": 1, "kept": 2}
	it.Places = []table.Place{{Index: table.ByDue, PK: string(r) + "due", SK: "1"}}
	it.Expires = time.Unix(4_102_444_800, 0)
	mustWrite(t, s.store, table.Put{Item: it})
	next := table.Item{Key: it.Key, Version: 2, Counters: map[string]int64{"kept": 3}}
	mustWrite(t, s.store, table.Replace{Item: next})
	if got, _ := read(t, s.store, it.Key); !Same(got, next) {
		t.Errorf("got %+v, want %+v", got, next)
	}
	s.opts.Settle(t)
	if left := collect(t, s.store, table.Query{Index: table.ByDue, PK: string(r) + "due"}); len(left) != 0 {
		t.Errorf("index still gives %v", left)
	}
}

func sortKeys(items []table.Item) string {
	var keys []string
	for _, it := range items {
		keys = append(keys, it.Key.SK)
	}
	return strings.Join(keys, " ")
}

func (s suite) ranges(t *testing.T, r room) {
	for _, sk := range []string{"a", "b", "ba", "bb", "c", "中", "中国", "丰"} {
		it := r.item("p", sk)
		it.Places = []table.Place{{Index: table.ByWork, PK: string(r) + "w", SK: sk}}
		mustWrite(t, s.store, table.Put{Item: it})
	}
	mustWrite(t, s.store, table.Put{Item: r.item("p2", "b")}) // a neighbour
	s.opts.Settle(t)
	for _, c := range []struct {
		q    table.Query
		want string
	}{
		{table.Query{}, "a b ba bb c 中 中国 丰"},
		{table.Query{Reverse: true}, "丰 中国 中 c bb ba b a"},
		{table.Query{From: "b"}, "b ba bb c 中 中国 丰"},
		{table.Query{To: "b"}, "a b"},
		{table.Query{From: "b", To: "bb"}, "b ba bb"},
		{table.Query{From: "b", To: "bb", Reverse: true}, "bb ba b"},
		{table.Query{From: "b", To: "b"}, "b"},
		{table.Query{From: "d", To: "e"}, ""},
		{table.Query{}.Prefix("b"), "b ba bb"},
		{table.Query{}.Prefix("中"), "中 中国"},
		{table.Query{Limit: 2, Reverse: true}.Prefix("b"), "bb ba b"},
	} {
		c.q.PK = string(r) + "p"
		if got := sortKeys(collect(t, s.store, c.q)); got != c.want {
			t.Errorf("%+v gives %q, want %q", c.q, got, c.want)
		}
		c.q.PK, c.q.Index = string(r)+"w", table.ByWork
		if got := sortKeys(collect(t, s.store, c.q)); got != c.want {
			t.Errorf("index %+v gives %q, want %q", c.q, got, c.want)
		}
	}
}

func (s suite) paging(t *testing.T, r room) {
	var writes []table.Write
	for i := range 23 {
		it := r.item("p", fmt.Sprintf("%02d", i))
		it.Places = []table.Place{{Index: table.ByOwner, PK: string(r) + "o", SK: fmt.Sprintf("%02d", i/5)}}
		writes = append(writes, table.Put{Item: it})
	}
	mustWrite(t, s.store, writes...)
	s.opts.Settle(t)
	for _, index := range []table.Index{"", table.ByOwner} {
		for _, limit := range []int{1, 2, 5, 22, 23, 24} {
			for _, reverse := range []bool{false, true} {
				q := table.Query{PK: string(r) + "p", Limit: limit, Reverse: reverse}
				if index != "" {
					q.Index, q.PK = index, string(r)+"o"
				}
				got := collect(t, s.store, q)
				var all []table.Item
				if err := table.Each(t.Context(), s.store, q, func(it table.Item) error { all = append(all, it); return nil }); err != nil || !slices.EqualFunc(all, got, Same) {
					t.Errorf("limit %d reverse %v: Each gives %d of %d items, %v", limit, reverse, len(all), len(got), err)
				}
				seen := map[table.Key]bool{}
				for i, it := range got {
					seen[it.Key] = true
					if i > 0 && (place(it, index) < place(got[i-1], index)) != reverse && place(it, index) != place(got[i-1], index) {
						t.Errorf("limit %d reverse %v: %s after %s", limit, reverse, place(it, index), place(got[i-1], index))
					}
				}
				if len(got) != 23 || len(seen) != 23 {
					t.Errorf("index %q limit %d reverse %v: %d items, %d of them different", index, limit, reverse, len(got), len(seen))
				}
			}
		}
	}
}

// place is the sort key of an item in an index, or in the table itself.
func place(it table.Item, index table.Index) string {
	if index == "" {
		return it.Key.SK
	}
	for _, p := range it.Places {
		if p.Index == index {
			return p.SK
		}
	}
	return ""
}

func (s suite) order(t *testing.T, r room) {
	// As bytes; UTF-16 would put the last two the other way round.
	keys := []string{"\x00", "\x00\x00", "\x00\x01", "\x01", "#", "A", "AZ", "Aa", "a", "ａ", "😀"}
	for _, sk := range slices.Backward(keys) {
		mustWrite(t, s.store, table.Put{Item: r.item("p\x00q", sk)})
	}
	mustWrite(t, s.store, table.Put{Item: r.item("p", "neighbour")}, table.Put{Item: r.item("p\x00", "neighbour")})
	if got := sortKeys(collect(t, s.store, table.Query{PK: string(r) + "p\x00q", Limit: 3})); got != strings.Join(keys, " ") {
		t.Errorf("order %q", got)
	}
}

func (s suite) index(t *testing.T, r room) {
	due := table.Query{Index: table.ByDue, PK: string(r) + "due"}
	it := r.item("p", "a")
	it.Counters = map[string]int64{"n": 0}
	it.Places = []table.Place{{Index: table.ByDue, PK: due.PK, SK: "1"}, {Index: table.ByWork, PK: due.PK, SK: "x"}}
	mustWrite(t, s.store, table.Put{Item: it}, table.Put{Item: r.item("p", "nowhere")})
	mustWrite(t, s.store, table.Put{Item: r.item("p", "j")}, table.Move{Key: it.Key, Deltas: []table.Delta{{Counter: "n", By: 3}}})
	it.Version, it.Counters["n"] = 2, 3
	s.opts.Settle(t)
	if got := collect(t, s.store, due); len(got) != 1 || !Same(got[0], it) {
		t.Fatalf("after a move the index gives %+v, want %+v", got, it)
	}
	it = at(it, 3)
	it.Places[0].SK = "2"
	mustWrite(t, s.store, table.Replace{Item: it})
	s.opts.Settle(t)
	due.From = "2"
	if got := collect(t, s.store, due); len(got) != 1 || !Same(got[0], it) {
		t.Fatalf("at its new place the index gives %+v, want %+v", got, it)
	}
	due.From, due.To = "", "1"
	if got := collect(t, s.store, due); len(got) != 0 {
		t.Fatalf("at its old place the index still gives %+v", got)
	}
	it = at(it, 4)
	it.Places = it.Places[1:]
	mustWrite(t, s.store, table.Replace{Item: it})
	s.opts.Settle(t)
	due.To = ""
	if got := collect(t, s.store, due); len(got) != 0 {
		t.Fatalf("an item without a place is still there: %+v", got)
	}
}

func (s suite) sharedPlace(t *testing.T, r room) {
	const n = 12
	for i := range n {
		it := r.item(fmt.Sprint("p", i), "same")
		it.Places = []table.Place{{Index: table.ByDue, PK: string(r) + "due", SK: "noon"}}
		mustWrite(t, s.store, table.Put{Item: it})
	}
	s.opts.Settle(t)
	for _, reverse := range []bool{false, true} {
		seen := map[table.Key]bool{}
		for _, it := range collect(t, s.store, table.Query{Index: table.ByDue, PK: string(r) + "due", From: "noon", To: "noon", Limit: 5, Reverse: reverse}) {
			seen[it.Key] = true
		}
		if len(seen) != n {
			t.Errorf("reverse %v: %d of %d", reverse, len(seen), n)
		}
	}
}

// together runs f in n goroutines that begin at the same moment.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
}

func (s suite) race(t *testing.T, r room) {
	it := r.item("p", "prize")
	for round := int64(1); round <= 3; round++ {
		var won, lost atomic.Int64
		together(s.opts.Racers, func(i int) {
			mine := at(it, round)
			mine.Body = []byte(fmt.Sprint(round, "/", i))
			w := table.Write(table.Put{Item: mine})
			if round > 1 {
				w = table.Replace{Item: mine}
			}
			writes := []table.Write{w}
			if i%2 == 0 { // a transaction of two against single writes
				writes = append(writes, table.Put{Item: r.item("p", fmt.Sprintf("e%d/%d", round, i))})
			}
			err := s.store.Transact(t.Context(), writes...)
			_, failed := table.FailedOn(err, it.Key)
			switch {
			case err == nil:
				won.Add(1)
			case failed, errors.Is(err, table.ErrBusy):
				lost.Add(1)
			default:
				t.Errorf("answer %v", err)
			}
		})
		if won.Load() != 1 || lost.Load() != int64(s.opts.Racers)-1 {
			t.Fatalf("round %d: %d winners, %d losers", round, won.Load(), lost.Load())
		}
	}
}

func (s suite) raceMoves(t *testing.T, r room) {
	fund := r.item("fund", "F")
	enough := int64(s.opts.Racers)*2 - 5 // for all but five of the movements
	fund.Counters = map[string]int64{"open": enough, "spent": 0}
	mustWrite(t, s.store, table.Put{Item: fund})
	var won, lost atomic.Int64
	together(s.opts.Racers, func(i int) {
		for n := range 2 {
			entry := r.item("fund", fmt.Sprintf("J%d/%d", i, n))
			for {
				err := s.store.Transact(t.Context(), table.Put{Item: entry}, table.Move{Key: fund.Key, Deltas: []table.Delta{{Counter: "open", By: -1}, {Counter: "spent", By: 1}}})
				if errors.Is(err, table.ErrBusy) {
					continue
				}
				if f, failed := table.FailedOn(err, fund.Key); failed && f.Reason == table.Floor {
					lost.Add(1)
				} else if err == nil {
					won.Add(1)
				} else {
					t.Errorf("answer %v", err)
				}
				break
			}
		}
	})
	it, _ := read(t, s.store, fund.Key)
	entries := collect(t, s.store, table.Query{PK: string(r) + "fund"}.Prefix("J"))
	if won.Load() != enough || lost.Load() != 5 || it.Counters["open"] != 0 || it.Counters["spent"] != enough || it.Version != 1+enough || int64(len(entries)) != enough {
		t.Errorf("%d won, %d lost, fund %+v, %d entries; want %d won, 5 lost", won.Load(), lost.Load(), it, len(entries), enough)
	}
}

func (s suite) aliasing(t *testing.T, r room) {
	it := r.item("p", "a")
	it.Counters = map[string]int64{"n": 1}
	want := it.Clone()
	mustWrite(t, s.store, table.Put{Item: it})
	it.Body[0], it.Counters["n"] = '!', 9
	got, _ := read(t, s.store, want.Key)
	if !Same(got, want) {
		t.Error("the store kept the caller's slices")
	}
	got.Body[0], got.Counters["n"] = '!', 9
	if again, _ := read(t, s.store, want.Key); !Same(again, want) {
		t.Error("the store gave away its own slices")
	}
}

func (s suite) ended(t *testing.T, r room) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	it := r.item("p", "a")
	if err := s.store.Transact(ctx, table.Put{Item: it}); !errors.Is(err, context.Canceled) {
		t.Errorf("Transact: %v", err)
	}
	if _, _, err := s.store.Get(ctx, it.Key); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.store.Query(ctx, table.Query{PK: it.Key.PK}); !errors.Is(err, context.Canceled) {
		t.Errorf("Query: %v", err)
	}
	if _, found := read(t, s.store, it.Key); found {
		t.Error("a transaction of an ended context was applied")
	}
}
