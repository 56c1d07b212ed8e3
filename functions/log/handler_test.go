package log_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// counted remembers metrics.
type counted map[string]int64

func (c counted) Count(name string, n int64, _ ...telemetry.Label) { c[name] += n }
func (c counted) Age(name string, age time.Duration, _ ...telemetry.Label) {
	c[name] = int64(age / time.Second)
}

type office struct {
	t       *testing.T
	store   *embedded.Store
	now     time.Time
	deps    log.Deps
	metrics counted
	witness *evidence.WitnessKey
	api     http.Handler
}

func open(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), metrics: counted{}}
	clock := func() time.Time { return o.now }
	o.store = embedded.Memory(embedded.Clock(clock))
	sealed, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys.json"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	if o.witness, err = evidence.NewWitnessKey(rand.Reader, "jjw", clock); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "log-keys.json")
	keys, err := evidence.OpenKeys(file, "doudi/320400", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := evidence.OpenKeys(file, "doudi/320400", rand.Reader); err != nil || again.Private != keys.Private {
		t.Fatalf("the keys of one file differ: %v", err)
	}
	keys.Witnesses = []string{o.witness.Public()}
	blobs, err := evidence.OpenDirectory(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	p, err := keys.Publisher(evidence.New(o.store, seal.NewBox(sealed, rand.Reader), rand.Reader, clock), blobs)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	o.deps = log.Deps{Publisher: p, Key: keys.Public, Pinned: keys.Witnesses, Now: clock, Metrics: o.metrics, Log: quiet}
	o.api = httpapi.New(httpapi.Config{Now: clock, IDs: ident.Random(), Logger: quiet, Metrics: telemetry.Discard,
		Limiter: httpapi.NewMemoryLimiter(httpapi.Limits{}, clock)}, log.Routes(o.deps)...)
	return o
}

func (o *office) happen(id string) table.Change {
	o.t.Helper()
	w, err := event.Event{PK: "APP#1", Noun: "payout", ID: id, Version: 1, Kind: "paid", At: o.now, Actor: event.Actor{Kind: event.Provider, ID: "bank"}}.Write()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.store.Transact(o.t.Context(), w); err != nil {
		o.t.Fatal(err)
	}
	return table.Change{Item: w.(table.Put).Item}
}

func (o *office) ask(method, path string, body []byte) (int, []byte) {
	o.t.Helper()
	w := httptest.NewRecorder()
	o.api.ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(body)))
	return w.Code, w.Body.Bytes()
}

func TestFromTheStreamToTheWitness(t *testing.T) {
	o := open(t)
	for _, path := range []string{"/v1/log/checkpoint", "/v1/log/witnessed", "/v1/log/tiles/0/0?width=2"} {
		if code, _ := o.ask("GET", path, nil); code != http.StatusNotFound {
			t.Errorf("%s: %d of a log that was not published", path, code)
		}
	}
	take := log.Changes(o.deps)
	changes := []table.Change{o.happen("1"), {Item: table.Item{Key: table.Key{PK: "APP#1", SK: "HEAD"}}}, o.happen("2")}
	for range 2 {
		if err := take(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
	}
	o.happen("3") // the stream loses it
	o.now = o.now.Add(40 * time.Second)
	if err := log.Run(t.Context(), o.deps); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"log_sequenced": 2, "log_found": 1, "log_unsequenced_oldest": 40, "log_size": 3, "log_altered": 0, "log_unwitnessed": 40} {
		if o.metrics[name] != want {
			t.Errorf("%s is %d, want %d", name, o.metrics[name], want)
		}
	}
	code, raw := o.ask("GET", "/v1/log", nil)
	var about log.About
	if err := json.Unmarshal(raw, &about); err != nil || code != http.StatusOK || about.Origin != "doudi/320400" || len(about.Witnesses) != 1 {
		t.Fatalf("%d %s", code, raw)
	}
	verifier, err := note.NewVerifier(about.Key)
	if err != nil {
		t.Fatal(err)
	}
	_, raw = o.ask("GET", "/v1/log/checkpoint", nil)
	s, err := evidence.OpenCheckpoint(raw, verifier)
	if err != nil || s.Size != 3 {
		t.Fatalf("%s: %v", raw, err)
	}
	if code, tile := o.ask("GET", "/v1/log/tiles/0/0?width=3", nil); code != http.StatusOK || len(tile) != 96 {
		t.Errorf("%d, %d bytes", code, len(tile))
	}
	for _, path := range []string{"/v1/log/tiles/0/1?width=3", "/v1/log/tiles/9/0", "/v1/log/tiles/x/0", "/v1/log/tiles/0/0?width=999", "/v1/log/tiles/0/0?width=0"} {
		if code, _ := o.ask("GET", path, nil); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	ask, err := o.witness.Ask("doudi/320400", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	code, raw = o.ask("POST", "/v1/log/leaves", ask)
	leaves, err := evidence.Unbundle(raw)
	if code != http.StatusOK || err != nil || len(leaves) != 3 {
		t.Fatalf("%d %v", code, err)
	}
	if code, _ := o.ask("POST", "/v1/log/leaves", []byte("nobody\n")); code != http.StatusUnauthorized {
		t.Errorf("leaves for nobody: %d", code)
	}
	n, err := note.Open(s.Note, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(n, o.witness)
	if err != nil {
		t.Fatal(err)
	}
	if code, raw := o.ask("POST", "/v1/log/cosignatures", s.Note); code != http.StatusBadRequest || !strings.Contains(string(raw), "cosignature-refused") {
		t.Errorf("%d %s", code, raw)
	}
	if code, raw := o.ask("POST", "/v1/log/cosignatures", signed); code != http.StatusOK || !strings.Contains(string(raw), "— jjw ") {
		t.Errorf("%d %s", code, raw)
	}
	for _, path := range []string{"/v1/log/checkpoint", "/v1/log/witnessed"} {
		if _, raw := o.ask("GET", path, nil); strings.Count(string(raw), "— ") != 2 {
			t.Errorf("%s: %s", path, raw)
		}
	}
}

// Whoever edits the table is found out by the stream at once, and by the schedule
// when the stream is lost.
func TestEditsAreFoundOut(t *testing.T) {
	o := open(t)
	first, second := o.happen("1"), o.happen("2")
	take := log.Changes(o.deps)
	if err := take(t.Context(), []table.Change{first, second}); err != nil {
		t.Fatal(err)
	}
	edit := func(c table.Change) table.Change {
		c.Item.Version, c.Item.Body = c.Item.Version+1, []byte(strings.Replace(string(c.Item.Body), `"bank"`, `"bunk"`, 1))
		if err := o.store.Transact(t.Context(), table.Replace{Item: c.Item}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := take(t.Context(), []table.Change{edit(first)}); err != nil || o.metrics["log_altered"] != 1 {
		t.Errorf("%d found by the stream, %v", o.metrics["log_altered"], err)
	}
	edit(second)
	if err := log.Run(t.Context(), o.deps); err != nil || o.metrics["log_altered"] != 3 {
		t.Errorf("%d found after the schedule, %v", o.metrics["log_altered"], err)
	}
}

func TestManyTurns(t *testing.T) {
	o := open(t)
	for i := range 30 {
		o.happen(fmt.Sprint(i))
		o.now = o.now.Add(7 * time.Minute)
		if err := log.Run(t.Context(), o.deps); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := o.deps.Publisher.Log.Size(t.Context()); n != 30 || err != nil {
		t.Errorf("%d leaves, %v", n, err)
	}
}
