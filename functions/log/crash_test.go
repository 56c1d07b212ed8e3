package log_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// shelf is where the log is published, in the hands of fate.
type shelf struct {
	fate *payouttest.Fate
	held map[string][]byte
}

func (s shelf) Put(_ context.Context, name string, content []byte) error {
	return s.fate.Touch(func() error { s.held[name] = bytes.Clone(content); return nil }, fmt.Errorf("cut"))
}

func (s shelf) Get(_ context.Context, name string) ([]byte, error) {
	if content, ok := s.held[name]; ok {
		return content, nil
	}
	return nil, evidence.ErrNoBlob
}

// chronicle is a log that grows, is published and is looked at while whoever keeps it
// dies where a test says.
type chronicle struct {
	t       *testing.T
	now     time.Time
	store   *embedded.Store
	fate    *payouttest.Fate
	blobs   shelf
	box     *seal.Box
	keys    evidence.Keys
	witness *evidence.WitnessKey
	events  []table.Key
	seen    map[uint64]tlog.Hash // every root that was handed out, by size
	metrics counted
}

// deps is the function in a process that has just begun.
func (c *chronicle) deps() log.Deps {
	clock := func() time.Time { return c.now }
	p, err := c.keys.Publisher(evidence.New(&payouttest.Mortal{Store: c.store, Fate: c.fate}, c.box, rand.Reader, clock), c.blobs)
	if err != nil {
		c.t.Fatal(err)
	}
	return log.Deps{Publisher: p, Key: c.keys.Public, Pinned: c.keys.Witnesses, Now: clock, Metrics: c.metrics, Log: slog.New(slog.DiscardHandler)}
}

// twice does f again in a new process when the first died or failed.
func (c *chronicle) twice(f func(log.Deps) error) {
	for range 2 {
		if lived, err := payouttest.Live(func() error { return f(c.deps()) }); lived && err == nil {
			return
		}
	}
}

// ask is one request of the supervisors'; 0 when it is not answered.
func (c *chronicle) ask(method, path string, body []byte) (status int, answer []byte) {
	w := httptest.NewRecorder()
	lived, _ := payouttest.Live(func() error {
		httpapi.New(httpapi.Config{Now: func() time.Time { return c.now }, IDs: ident.Random(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Metrics: telemetry.Discard}, log.Routes(c.deps())...).ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(body)))
		return nil
	})
	if !lived {
		return 0, nil
	}
	return w.Code, w.Body.Bytes()
}

// happen is two facts, each of which is an event.
func (c *chronicle) happen(round int) []table.Change {
	var changes []table.Change
	for version := range int64(2) {
		w, err := event.Event{PK: "APP#1", Noun: "payout", ID: fmt.Sprint(round), Version: version + 1, Kind: "paid", At: c.now,
			Actor: event.Actor{Kind: event.Provider, ID: "bank"}}.Write()
		if err == nil {
			err = c.store.Transact(c.t.Context(), w)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		item := w.(table.Put).Item
		c.events, changes = append(c.events, item.Key), append(changes, table.Change{Item: item})
	}
	return changes
}

// look is a supervisor who reads what is published, and cosigns it when there is a
// line back.
func (c *chronicle) look(back bool) {
	status, raw := c.ask(http.MethodGet, "/v1/log/checkpoint", nil)
	if status != http.StatusOK {
		return
	}
	ours, err := note.NewVerifier(c.keys.Public)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := evidence.OpenCheckpoint(raw, ours)
	if err != nil {
		c.t.Fatal(err)
	}
	if root, again := c.seen[s.Size]; again && root != s.Root {
		c.t.Errorf("L02: two roots for %d leaves", s.Size)
	}
	c.seen[s.Size] = s.Root
	if !back {
		return
	}
	n, err := note.Open(s.Note, note.VerifierList(ours))
	if err == nil {
		raw, err = note.Sign(n, c.witness)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for range 3 {
		if status, _ := c.ask(http.MethodPost, "/v1/log/cosignatures", raw); status == http.StatusOK {
			return
		}
	}
	c.t.Error("the witness is never told that its cosignature is kept")
}

// live has three rounds of facts: the stream brings those of the first twice, loses
// those of the second and brings those of the last late. The witness is there once in
// the middle. Then it is quiet, and judged.
func (c *chronicle) live() {
	var late []table.Change
	for round := range 3 {
		changes := c.happen(round)
		switch round {
		case 0:
			for range 2 {
				c.twice(func(d log.Deps) error { return log.Changes(d)(c.t.Context(), changes) })
			}
		case 2:
			late = changes
		}
		c.now = c.now.Add(30 * time.Second)
		if round < 2 {
			c.twice(func(d log.Deps) error { return log.Run(c.t.Context(), d) })
		}
		c.look(round == 1)
	}
	c.twice(func(d log.Deps) error { return log.Changes(d)(c.t.Context(), late) })
	for range 2 { // the schedule, and nothing happens any more
		c.now = c.now.Add(time.Minute)
		c.twice(func(d log.Deps) error { return log.Run(c.t.Context(), d) })
	}
	if c.metrics["log_unwitnessed"] == 0 {
		c.t.Error("nobody hears that the witness is away")
	}
	c.look(true)
	c.judge()
}

func (c *chronicle) judge() {
	ctx, p := c.t.Context(), c.deps().Publisher
	at := map[uint64]table.Key{}
	for _, key := range c.events {
		index, ok, err := p.Log.Index(ctx, key)
		if _, twice := at[index]; err != nil || !ok || twice {
			c.t.Errorf("L01: %v is at %d, %t %t %v", key, index, ok, twice, err)
		}
		at[index] = key
	}
	leaves, err := evidence.Leaves(ctx, p.Log, 0, 100)
	published, err2 := p.Published(ctx)
	witnessed, err3 := p.Witnessed(ctx)
	s, err4 := evidence.OpenCheckpoint([]byte(published.Note), p.Verifier, p.Witnesses...)
	if err != nil || err2 != nil || err3 != nil || err4 != nil {
		c.t.Fatal(err, err2, err3, err4)
	}
	if len(leaves) != len(c.events) || s.Size != uint64(len(c.events)) {
		c.t.Fatalf("L01: %d leaves, %d of them published, of %d events", len(leaves), s.Size, len(c.events))
	}
	if len(s.Witnesses) != 1 || witnessed.Edge.Size != s.Size {
		c.t.Errorf("cosigned by %d, and kept as witnessed up to %d of %d", len(s.Witnesses), witnessed.Edge.Size, s.Size)
	}
	read := evidence.Hashes(s.Size, s.Root, func(name string) ([]byte, error) { return c.blobs.Get(ctx, name) })
	for _, size := range slices.Sorted(maps.Keys(c.seen)) {
		proof, err := tlog.ProveTree(int64(s.Size), int64(size), read)
		if err == nil {
			err = tlog.CheckTree(proof, int64(s.Size), s.Root, int64(size), c.seen[size])
		}
		if err != nil {
			c.t.Errorf("L02: %d leaves do not follow from %d: %v", s.Size, size, err)
		}
	}
	for i, leaf := range leaves {
		proof, err := tlog.ProveRecord(int64(s.Size), int64(i), read)
		if err == nil {
			err = tlog.CheckRecord(proof, int64(s.Size), s.Root, int64(i), tlog.RecordHash(leaf))
		}
		if err != nil {
			c.t.Errorf("leaf %d is not in the tiles: %v", i, err)
		}
	}
	if latest, err := evidence.OpenCheckpoint(c.blobs.held[evidence.Latest], p.Verifier); err != nil || latest.Checkpoint != s.Checkpoint {
		c.t.Errorf("L03: published are %d leaves, and %d where the newest checkpoint is read: %v", s.Size, latest.Size, err)
	}
	if n := c.metrics["log_altered"]; n != 0 {
		c.t.Errorf("%d alarms that somebody changed the log", n)
	}
}

// TestEveryTouchOfTheRecordDies: committed and not sequenced (K24), sequenced and no
// tile written (K25), signed and no witness there (K27), and whatever else there is
// between: at every touch of the store and of what is published the process dies, or
// its answer is lost, and at a later one once more.
func TestEveryTouchOfTheRecordDies(t *testing.T) {
	t.Parallel()
	files, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys.json"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		t.Fatal(err)
	}
	live := func(t *testing.T, dooms map[int]payouttest.Doom) int {
		c := &chronicle{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), store: embedded.Memory(), fate: payouttest.NewFate(dooms),
			box: seal.NewBox(files, rand.Reader), keys: keys, seen: map[uint64]tlog.Hash{}, metrics: counted{}}
		c.blobs = shelf{c.fate, map[string][]byte{}}
		if c.witness, err = evidence.NewWitnessKey(rand.Reader, "jjw", func() time.Time { return c.now }); err != nil {
			t.Fatal(err)
		}
		c.keys.Witnesses = []string{c.witness.Public()}
		c.live()
		return c.fate.Touches()
	}
	touches := live(t, nil)
	if touches < 20 {
		t.Fatalf("only %d touches", touches)
	}
	for first := 1; first <= touches; first++ {
		for i, doom := range payouttest.Dooms() {
			second := first + 1 + (first+i)%7
			for _, dooms := range []map[int]payouttest.Doom{{first: doom}, {first: doom, second: payouttest.Dooms()[(first+second)%4]}} {
				t.Run(fmt.Sprint(dooms), func(t *testing.T) { live(t, dooms) })
			}
		}
	}
}
