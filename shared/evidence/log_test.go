package evidence_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var t0 = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// person is a keyed reference of somebody.
const person = "b1.0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk"

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// room is a table with a log in it.
type room struct {
	t     testing.TB
	store *embedded.Store
	box   *seal.Box
	clock *clock
	log   *evidence.Log
}

// sealing is one box for all rooms: making a key file takes a disk.
var sealing = sync.OnceValues(func() (*seal.Box, error) {
	dir, err := os.MkdirTemp("", "doudi-evidence-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	keys, err := seal.OpenKeyFile(filepath.Join(dir, "keys.json"), ident.Random())
	if err != nil {
		return nil, err
	}
	return seal.NewBox(keys, rand.Reader), nil
})

func open(t testing.TB) *room {
	t.Helper()
	c := &clock{at: t0}
	box, err := sealing()
	if err != nil {
		t.Fatal(err)
	}
	r := &room{t: t, store: embedded.Memory(embedded.Clock(c.now)), box: box, clock: c}
	r.log = r.other(r.store)
	return r
}

// other is another sequencer over the same table, seen through s.
func (r *room) other(s table.Store) *evidence.Log {
	return evidence.New(s, r.box, rand.Reader, r.clock.now)
}

func happened(pk, id string, version int64, at time.Time) event.Event {
	return event.Event{PK: pk, Noun: "payout", ID: id, Version: version, Kind: "paid", At: at,
		Actor: event.Actor{Kind: event.Staff, ID: "320400-clerk-1", Person: person}, Facts: event.Facts{"amount_fen": 300000, "rail": "bank"}}
}

// write stores events as their nouns do, and returns their items.
func (r *room) write(events ...event.Event) []table.Item {
	r.t.Helper()
	var items []table.Item
	for _, e := range events {
		w, err := e.Write()
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.store.Transact(r.t.Context(), w); err != nil {
			r.t.Fatal(err)
		}
		items = append(items, w.(table.Put).Item)
	}
	return items
}

// check fails unless the log has exactly the wanted events, each thing's versions in
// order, and the head's root is that of the leaves.
func (r *room) check(want []table.Item) {
	r.t.Helper()
	size, err := r.log.Size(r.t.Context())
	if err != nil || size != uint64(len(want)) {
		r.t.Fatalf("%d leaves of %d events: %v", size, len(want), err)
	}
	entries, err := r.log.Read(r.t.Context(), 0, len(want)+1)
	if err != nil || len(entries) != len(want) {
		r.t.Fatalf("read %d of %d: %v", len(entries), len(want), err)
	}
	last, seen := map[string]int64{}, map[table.Key]bool{}
	for i, e := range entries {
		key := event.Key(e.Event.PK, e.Event.Noun, e.Event.ID, e.Event.Version)
		thing := e.Event.PK + e.Event.Noun + e.Event.ID
		if e.Index != uint64(i) || seen[key] || last[thing] != e.Event.Version-1 {
			r.t.Fatalf("entry %d has index %d, is %v, after version %d", i, e.Index, key, last[thing])
		}
		seen[key], last[thing] = true, e.Event.Version
		if at, ok, err := r.log.Index(r.t.Context(), key); err != nil || !ok || at != e.Index {
			r.t.Fatalf("%v is said to stand at %d, %t, %v; it is at %d", key, at, ok, err, i)
		}
	}
	for _, item := range want {
		if !seen[item.Key] {
			r.t.Fatalf("%v is not in the log", item.Key)
		}
	}
	head, err := r.log.Head(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	leaves, err := evidence.Leaves(r.t.Context(), r.log, 0, len(want))
	if err != nil {
		r.t.Fatal(err)
	}
	if root := rootOf(r.t, leaves); head.Root() != root {
		r.t.Fatalf("root %v, of the leaves %v", head.Root(), root)
	}
}

// rootOf is the root as x/mod has it, without our own right edge.
func rootOf(t testing.TB, leaves [][]byte) tlog.Hash {
	t.Helper()
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, leaf := range leaves {
		more, err := tlog.StoredHashes(int64(i), leaf, read)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), read)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestEveryEventIsOneLeaf(t *testing.T) {
	t.Parallel()
	r := open(t)
	var all []table.Item
	for i := range 130 { // more than two batches
		all = append(all, r.write(happened(fmt.Sprintf("APP#%d", i%7), fmt.Sprint(i/7), 1, t0))...)
	}
	all = append(all, table.Item{Key: table.Key{PK: "APP#1", SK: "HEAD"}}) // a change that is no event
	for range 2 {                                                          // the stream gives everything twice
		if _, err := r.log.Sequence(t.Context(), append(all, all[3])...); err != nil {
			t.Fatal(err)
		}
	}
	all = all[:len(all)-1]
	if n, err := r.other(r.store).Sequence(t.Context(), all...); n != 0 || err != nil {
		t.Errorf("another sequencer added %d, %v", n, err)
	}
	r.check(all)
}

// TestTheLogsOwnWritesAreNoEvents: the stream brings what the log writes as well,
// and a log that took it would never end.
func TestTheLogsOwnWritesAreNoEvents(t *testing.T) {
	t.Parallel()
	r := open(t)
	all := r.write(happened("APP#1", "1", 1, t0), happened("APP#1", "1", 2, t0), happened("FUND#relief", "1", 1, t0))
	for range 2 { // the events, then what the log wrote of them
		changes, err := r.store.Next(t.Context(), "log", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if _, _, err := r.log.Take(t.Context(), c.Item); err != nil {
				t.Fatal(err)
			}
			if err := r.store.Ack(t.Context(), "log", c.Seq); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.check(all)
}

func TestVersionsAreInOrderHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := open(t)
		var all []table.Item
		for thing := range rapid.IntRange(1, 3).Draw(rt, "things") {
			for v := range rapid.IntRange(1, 12).Draw(rt, "versions") {
				all = append(all, r.write(happened("APP#1", fmt.Sprint(thing), int64(v+1), t0))...)
			}
		}
		arrived := rapid.Permutation(all).Draw(rt, "arrival")
		for len(arrived) > 0 {
			n := rapid.IntRange(1, len(arrived)).Draw(rt, "batch")
			if _, err := r.log.Sequence(t.Context(), arrived[:n]...); err != nil {
				rt.Fatal(err)
			}
			arrived = arrived[n:]
		}
		r.check(all)
	})
}

// fates of one transaction.
const (
	lost    = iota + 1 // the process died before it
	landed             // the process died after it
	unheard            // it landed and the answer was lost
	silent             // it did not land and the answer was lost
	busy               // the store refused it
)

var errDied = errors.New("died")

// fated lets transactions of the log fail as told, the nth by its fate.
type fated struct {
	table.Store
	mu    sync.Mutex
	fates []int
}

func (f *fated) Transact(ctx context.Context, writes ...table.Write) error {
	f.mu.Lock()
	fate := 0
	if len(f.fates) > 0 {
		fate, f.fates = f.fates[0], f.fates[1:]
	}
	f.mu.Unlock()
	switch fate {
	case lost:
		return errDied
	case silent:
		return table.ErrUnknown
	case busy:
		return table.ErrBusy
	}
	err := f.Store.Transact(ctx, writes...)
	switch {
	case err == nil && fate == landed:
		return errDied
	case err == nil && fate == unheard:
		return table.ErrUnknown
	}
	return err
}

// A crash at any transaction, before or after it, alone and in pairs; a lost
// answer; a store that is busy: the next sequencer ends with each event once (K24).
func TestCrashesLoseNothingAndRepeatNothing(t *testing.T) {
	t.Parallel()
	for a := range 6 {
		for b := range 6 {
			for c := range 3 {
				r := open(t)
				var all []table.Item
				for i := range 3 {
					all = append(all, r.write(happened("APP#1", fmt.Sprint(i), 1, t0), happened("APP#2", fmt.Sprint(i), 1, t0))...)
				}
				if c%2 == 0 { // else the salts are made under way, and meet the same fates
					if _, err := r.log.Sequence(t.Context(), all[:2]...); err != nil {
						t.Fatal(err)
					}
				}
				l := r.other(&fated{Store: r.store, fates: []int{a, b, c}})
				for range 5 {
					_, err := l.Sequence(t.Context(), all...)
					if err == nil {
						r.check(all) // who is told that it is in the log finds it there
						break
					}
					if errors.Is(err, errDied) {
						l = r.other(&fated{Store: r.store, fates: []int{c}})
					}
				}
				if _, err := r.log.Sequence(t.Context(), all...); err != nil {
					t.Fatal(err)
				}
				r.check(all)
			}
		}
	}
}

func TestSequencersAtOnce(t *testing.T) {
	t.Parallel()
	r := open(t)
	var all []table.Item
	for i := range 200 {
		all = append(all, r.write(happened(fmt.Sprintf("APP#%d", i%5), fmt.Sprint(i/10), int64(i/5%2+1), t0))...)
	}
	var group errgroup.Group
	for n := range 4 {
		group.Go(func() error {
			l := r.other(r.store)
			mine := slices.Clone(all)
			if n%2 == 1 {
				slices.Reverse(mine)
			}
			for len(mine) > 0 {
				k := min(17, len(mine))
				if _, err := l.Sequence(t.Context(), mine[:k]...); err != nil && !errors.Is(err, evidence.ErrContended) {
					return err
				} else if err == nil {
					mine = mine[k:]
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	r.check(all)
}

func TestSweepFindsWhatTheStreamLost(t *testing.T) {
	t.Parallel()
	r := open(t)
	since := t0.Add(-time.Hour)
	var all []table.Item
	for i := range 40 { // over four hours, none of them brought by a stream
		r.clock.move(6 * time.Minute)
		now := r.clock.now()
		all = append(all, r.write(happened(fmt.Sprintf("APP#%d", i), "1", 1, now), happened(fmt.Sprintf("APP#%d", i), "2", 1, now.Add(-10*time.Minute)))...)
		if i%5 == 4 {
			found, err := r.other(r.store).Sweep(t.Context(), since)
			if err != nil || found.Found != 10 || found.Oldest != 34*time.Minute {
				t.Fatalf("sweep %d: %+v %v", i, found, err)
			}
			r.check(all)
		}
	}
	if found, err := r.log.Sweep(t.Context(), since); err != nil || found != (evidence.Swept{}) {
		t.Errorf("nothing is missing: %+v %v", found, err)
	}
}

// An item that nobody can read is in the log all the same, and stops nothing.
func TestWhatNobodyCanReadIsALeafToo(t *testing.T) {
	t.Parallel()
	r := open(t)
	all := r.write(happened("APP#1", "1", 1, t0))
	for sk, body := range map[string]string{
		"EVENT#payout#1#0000000002": "{",
		"EVENT#payout#1#0000000003": `{"noun":"payout","id":"1","v":7,"kind":"paid","at":"2026-11-23T09:00:00Z","actor":{"kind":"staff"}}`,
		"EVENT#nonsense":            `{}`,
	} {
		item := table.Item{Key: table.Key{PK: "APP#1", SK: sk}, Version: 1, Body: []byte(body)}
		if err := r.store.Transact(t.Context(), table.Put{Item: item}); err != nil {
			t.Fatal(err)
		}
		all = append(all, item)
	}
	if n, err := r.log.Sequence(t.Context(), all...); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	entries, err := r.log.Read(t.Context(), 0, 10)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d %v", len(entries), err)
	}
	kinds := 0
	for _, e := range entries {
		if e.Event.Kind == evidence.Unreadable {
			kinds++
		}
	}
	if kinds != 3 {
		t.Errorf("%d of 3 are said to be unreadable", kinds)
	}
}

func TestNothingPersonalIsInALeaf(t *testing.T) {
	t.Parallel()
	r := open(t)
	account := strings.Replace(person, "0123", "9999", 1)
	e := happened("ACCOUNT#"+account, account+"#1", 1, t0)
	e.Actor = event.Actor{Kind: event.Citizen, ID: account, Person: person}
	e.Facts["payee"], e.Facts["note of "+person], e.Facts["deep"] = person, true, map[string]any{"a": []int{1}}
	e.Note = []byte("sealed words")
	e.Trace = "trace-1"
	e.Request = &event.Request{Key: "k", Digest: "d", Status: 201, Answer: []byte(`{"id":"x"}`)}
	second := e
	second.Version = 2
	all := r.write(e, second)
	if _, err := r.log.Sequence(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	leaves, err := evidence.Leaves(t.Context(), r.log, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	var parsed []evidence.Leaf
	for _, leaf := range leaves {
		for _, secret := range []string{account, person, "sealed", "c2VhbGVk", "trace-1", `"k"`} {
			if strings.Contains(string(leaf), secret) {
				t.Errorf("%s is in the leaf %s", secret, leaf)
			}
		}
		l, err := evidence.ParseLeaf(leaf)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, l)
	}
	for _, name := range []string{"actor.id", "actor.person", "note", "request", "trace", "facts.payee"} {
		if a, b := parsed[0].Hidden[name], parsed[1].Hidden[name]; a == "" || a == b {
			t.Errorf("%s: commitments %q and %q", name, a, b)
		}
	}
	if parsed[0].Thing() != parsed[1].Thing() || parsed[0].Facts["deep"] != `{"a":[1]}` || parsed[0].Facts.Text("rail") != "bank" {
		t.Errorf("%+v", parsed)
	}
}

func TestErasingASalt(t *testing.T) {
	t.Parallel()
	r := open(t)
	all := r.write(happened("APP#1", "1", 1, t0), happened("APP#2", "1", 1, t0))
	if _, err := r.log.Sequence(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	open := func(want int) {
		t.Helper()
		got := 0
		for i := range 2 {
			same, err := r.log.Opens(t.Context(), uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if same == evidence.Same {
				got++
			}
		}
		if got != want {
			t.Errorf("%d leaves open, want %d", got, want)
		}
	}
	open(2)
	first, second := event.Actor{Kind: event.Staff, ID: "a", Person: "pa"}, event.Actor{Kind: event.Staff, ID: "b", Person: "pb"}
	if err := r.log.Erase(t.Context(), "APP#1", "person_asked", first, event.Actor{Kind: event.Staff, ID: "a2", Person: "pa"}); !errors.Is(err, evidence.ErrTwo) {
		t.Errorf("one person erased: %v", err)
	}
	for range 2 {
		if err := r.log.Erase(t.Context(), "APP#1", "person_asked", first, second); err != nil {
			t.Fatal(err)
		}
	}
	open(1)
	all = append(all, r.write(happened("APP#1", "1", 2, t0))...) // money that comes back after all
	if _, err := r.log.Sweep(t.Context(), t0.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	told, ok, err := r.store.Get(t.Context(), event.Key("APP#1", "salt", "salt", 1))
	if err != nil || !ok {
		t.Fatalf("that it was erased is no event: %v", err)
	}
	r.check(append(all, told))
}

func TestDamageIsSaid(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]table.Key{"leaf": {PK: "LOG#000000000000", SK: "000000000000001"}, "head": {PK: "LOG", SK: "HEAD"}} {
		r := open(t)
		if _, err := r.log.Sequence(t.Context(), r.write(happened("APP#1", "1", 1, t0), happened("APP#2", "1", 1, t0))...); err != nil {
			t.Fatal(err)
		}
		item, ok, err := r.store.Get(t.Context(), key)
		if err != nil || !ok {
			t.Fatal(name, err)
		}
		item.Version, item.Body = item.Version+1, []byte("{")
		if err := r.store.Transact(t.Context(), table.Replace{Item: item}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.log.Read(t.Context(), 0, 2); !errors.Is(err, evidence.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEdgeIsTheTree(t *testing.T) {
	t.Parallel()
	var e evidence.Edge
	var leaves [][]byte
	for n := range 70 {
		if e.Root() != rootOf(t, leaves) {
			t.Fatalf("%d leaves: another root", n)
		}
		leaves = append(leaves, fmt.Append(nil, n))
		e.Add(tlog.RecordHash(leaves[n]))
	}
}

func FuzzLeaf(f *testing.F) {
	f.Add(evidence.NewLeaf(happened("APP#1", "1", 1, t0), make([]byte, 32), t0).Encode())
	f.Add([]byte(`{"pk":"a","pk":"b"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := evidence.ParseLeaf(raw)
		if err == nil && string(l.Encode()) != string(raw) {
			t.Errorf("%s was read, and is written %s", raw, l.Encode())
		}
	})
}

func TestEveryLeafReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		e := happened("APP#"+rapid.String().Draw(rt, "pk"), "1"+rapid.String().Draw(rt, "id"), 1, time.Unix(rapid.Int64Range(-1e10, 1e11).Draw(rt, "at"), rapid.Int64Range(0, 999999999).Draw(rt, "ns")))
		e.Facts = event.Facts{}
		for range rapid.IntRange(0, 4).Draw(rt, "facts") {
			e.Facts[rapid.String().Draw(rt, "name")] = rapid.OneOf(rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.Float64().AsAny(), rapid.SliceOf(rapid.Byte()).AsAny()).Draw(rt, "value")
		}
		e.Made = rapid.MapOfN(rapid.String(), rapid.SliceOf(rapid.Byte()), 0, 3).Draw(rt, "made")
		w, err := e.Write()
		if err != nil {
			return // an event that nobody can write
		}
		got, err := event.Decode(w.(table.Put).Item)
		if err != nil {
			rt.Fatal(err)
		}
		raw := evidence.NewLeaf(got, make([]byte, 32), t0).Encode()
		if _, err := evidence.ParseLeaf(raw); err != nil {
			rt.Fatalf("%s: %v", raw, err)
		}
	})
}

// keep stores items with an event of the payout's version, as a noun does.
func (r *room) keep(e event.Event, items ...table.Item) {
	r.t.Helper()
	writes, err := e.With(items...)
	if err == nil {
		err = r.store.Transact(r.t.Context(), writes...)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func kept(pk, sk, body string, version int64) table.Item {
	return table.Item{Key: table.Key{PK: pk, SK: sk}, Version: version, Body: []byte(body)}
}

// X033: whoever edits a thing in the table and writes no event is found by the
// round, and the thing is named; what moved on by an event is not, nor is what a
// counter moves, nor a case whose salt is gone.
func TestAnItemEditedByHandIsFound(t *testing.T) {
	t.Parallel()
	r := open(t)
	look := func() []evidence.Found {
		t.Helper()
		if _, err := r.log.Sweep(t.Context(), t0.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		size, err := r.log.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for {
			round, err := r.log.Revisit(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			if round.From == 0 && round.To == size {
				return round.Findings
			}
		}
	}
	r.keep(happened("APP#1", "1", 1, t0), kept("APP#1", "PAYOUT#1", `{"fen":1}`, 1))
	r.keep(happened("APP#1", "1", 2, t0), kept("APP#1", "PAYOUT#1", `{"fen":2}`, 2), kept("APP#1", "CONSENT#"+person, `{}`, 1))
	counted := kept("APP#2", "PAYOUT#1", `{}`, 1)
	counted.Counters = map[string]int64{"left": 5}
	r.keep(happened("APP#2", "1", 1, t0), counted)
	move := table.Move{Key: counted.Key, Deltas: []table.Delta{{Counter: "left", By: -1}}}
	if err := r.store.Transact(t.Context(), table.Put{Item: kept("APP#2", "ENTRY", "", 1)}, move); err != nil {
		t.Fatal(err)
	}
	if found := look(); len(found) != 0 {
		t.Fatalf("an honest table: %+v", found)
	}
	leaves, err := evidence.Leaves(t.Context(), r.log, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		if strings.Contains(string(leaf), person) {
			t.Errorf("the leaf names somebody: %s", leaf)
		}
	}
	// A version that skips one: what is left of a counter moved in between.
	counted.Version, counted.Body = 3, []byte(`{"closed":true}`)
	r.keep(happened("APP#2", "1", 3, t0), counted)
	if found := look(); len(found) != 0 {
		t.Fatalf("an honest table: %+v", found)
	}
	edited := kept("APP#1", "PAYOUT#1", `{"fen":1}`, 3) // the body of version 1, which was honest
	if err := r.store.Transact(t.Context(), table.Replace{Item: edited}); err != nil {
		t.Fatal(err)
	}
	if found := look(); len(found) != 1 || found[0].Key != edited.Key || found[0].Opening != evidence.Altered {
		t.Errorf("an edited item: %+v", found)
	}
	// Erased: nobody can compare what is exported any more, and nothing else is said of it.
	first, second := event.Actor{Kind: event.Staff, ID: "a", Person: "pa"}, event.Actor{Kind: event.Staff, ID: "b", Person: "pb"}
	if err := r.log.Erase(t.Context(), "APP#1", "person_asked", first, second); err != nil {
		t.Fatal(err)
	}
	items, err := r.log.Items(t.Context(), "APP#1")
	if err != nil || !items.Erased {
		t.Fatalf("%+v %v", items, err)
	}
	if name, sum := items.Of(kept("APP#1", "CONSENT#"+person, `{}`, 1)); sum != "" || strings.Contains(name, person) {
		t.Errorf("erased, and still said: %s %s", name, sum)
	}
	for i, leaf := range leaves[:2] {
		if o, err := r.log.Opens(t.Context(), uint64(i)); err != nil || o != evidence.Erased {
			t.Errorf("leaf %d %s opens %s %v", i, leaf, o, err)
		}
	}
}
