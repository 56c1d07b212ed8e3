package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

// operator is who keeps a log, over real HTTP.
type operator struct {
	t      *testing.T
	now    time.Time
	store  *embedded.Store
	pub    *evidence.Publisher
	server *httptest.Server
}

func (o *operator) clock() time.Time { return o.now }

// operate opens an empty log under keys.
func operate(t *testing.T, keys evidence.Keys, now time.Time) *operator {
	t.Helper()
	o := &operator{t: t, now: now}
	o.store = embedded.Memory(embedded.Clock(o.clock))
	sealed, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys.json"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := evidence.OpenDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if o.pub, err = keys.Publisher(evidence.New(o.store, seal.NewBox(sealed, rand.Reader), rand.Reader, o.clock), blobs); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	routes := log.Routes(log.Deps{Publisher: o.pub, Now: o.clock, Metrics: telemetry.Discard, Log: quiet})
	o.server = httptest.NewServer(httpapi.New(httpapi.Config{Now: o.clock, IDs: ident.Random(), Logger: quiet, Metrics: telemetry.Discard,
		Limiter: httpapi.NewMemoryLimiter(httpapi.Limits{}, time.Now)}, routes...))
	t.Cleanup(func() { o.server.Close(); _ = blobs.Close() })
	return o
}

// happen writes and sequences events of one thing, with the given versions.
func (o *operator) happen(id string, at time.Time, versions ...int64) {
	o.t.Helper()
	var items []table.Item
	for _, v := range versions {
		w, err := event.Event{PK: "APP#1", Noun: "payout", ID: id, Version: v, Kind: "paid", At: at, Actor: event.Actor{Kind: event.Provider, ID: "bank"}}.Write()
		if err == nil {
			err = o.store.Transact(o.t.Context(), w)
		}
		if err != nil {
			o.t.Fatal(err)
		}
		items = append(items, w.(table.Put).Item)
	}
	if _, err := o.pub.Log.Sequence(o.t.Context(), items...); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) publish() {
	o.t.Helper()
	if _, err := o.pub.Publish(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) many(from, n int) {
	o.t.Helper()
	for i := range n / 10 {
		var versions []int64
		for v := range 10 {
			versions = append(versions, int64(v+1))
		}
		o.happen(fmt.Sprint(from+i), o.now, versions...)
	}
}

// supervise is a witness of o, and the keys that o must have.
func supervise(t *testing.T, now func() time.Time) (*Witness, evidence.Keys) {
	t.Helper()
	w := &Witness{Dir: t.TempDir(), Now: now}
	var err error
	if w.Key, err = InitWitness(rand.Reader, w.Dir, "jjw.example.cn", now); err != nil {
		t.Fatal(err)
	}
	if _, err := InitWitness(rand.Reader, w.Dir, "jjw.example.cn", now); err == nil {
		t.Error("a witness was made over another")
	}
	if again, err := OpenWitness(w.Dir, now); err != nil || again.Public() != w.Key.Public() {
		t.Fatal(err)
	}
	keys, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		t.Fatal(err)
	}
	keys.Witnesses = []string{w.Key.Public()}
	return w, keys
}

func (w *Witness) at(o *operator) *Witness {
	w.URL, w.HTTP, w.Log = o.server.URL, o.server.Client(), o.pub.Verifier
	return w
}

func look(t *testing.T, o *operator, w *Witness, want ...expected) Sight {
	t.Helper()
	o.publish()
	s, err := w.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Cosigned != (len(want) == 0) {
		t.Errorf("cosigned: %t, with %v", s.Cosigned, s.Findings)
	}
	for _, e := range want {
		if !slices.ContainsFunc(s.Findings, func(f Finding) bool { return f.Kind == e.kind && f.Leaf == e.leaf }) {
			t.Errorf("want %s at %d, found %v", e.kind, e.leaf, s.Findings)
		}
	}
	return s
}

func TestAWitnessFollowsAndGoesOnAfterAnyCrash(t *testing.T) {
	t.Parallel()
	var o *operator
	w, keys := supervise(t, func() time.Time { return o.clock() })
	o = operate(t, keys, t0)
	w.at(o)
	if _, err := w.Look(t.Context()); !errors.Is(err, ErrUnseen) {
		t.Errorf("nothing is published: %v", err)
	}
	o.many(0, 300)
	if s := look(t, o, w); s.New != 300 {
		t.Errorf("%+v", s)
	}
	// It dies after any of the writes of a look: what was written is written over.
	for _, left := range [][]string{{copyLeaves}, {copyLeaves, copyHashes}, {copyLeaves, copyHashes, copyChain}, {copyLeaves, copyHashes, copyChain, copyHistory}} {
		before := map[string][]byte{}
		for _, name := range []string{copyLeaves, copyHashes, copyChain, copyNewest} {
			raw, err := os.ReadFile(filepath.Join(w.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			before[name] = raw
		}
		o.now = o.now.Add(time.Hour)
		o.many(int(o.now.Sub(t0)/time.Second), 40)
		look(t, o, w)
		for name, raw := range before {
			if !slices.Contains(left, name) {
				if err := os.WriteFile(filepath.Join(w.Dir, name), raw, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := look(t, o, w); s.New != 40 {
			t.Errorf("after a death that left %v: %+v", left, s)
		}
	}
	signed, err := o.pub.Witnessed(t.Context())
	if err != nil || signed.Edge.Size != 460 {
		t.Errorf("witnessed up to %d, %v", signed.Edge.Size, err)
	}
	// Somebody damages the copy: it is not believed.
	if err := os.WriteFile(filepath.Join(w.Dir, copyHashes), make([]byte, 460*32), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Look(t.Context()); err == nil {
		t.Error("a damaged copy was believed")
	}
}

// X036: a swapped key is one of them.
func TestAWitnessShouts(t *testing.T) {
	t.Parallel()
	var o *operator
	for name, c := range map[string]struct {
		after func() // what the operator does after the first look
		want  []expected
	}{
		"missing":                         {func() { o.happen("x", o.now, 1); o.happen("x", o.now, 3) }, []expected{{Missing, 61}}},
		"back_date":                       {func() { o.happen("x", o.now.Add(-48*time.Hour), 1) }, []expected{{BackDated, 60}}},
		"put_in_with_a_clock_turned_back": {func() { o.now = o.now.Add(-3 * time.Hour); o.happen("x", o.now, 1); o.now = o.now.Add(3 * time.Hour) }, []expected{{BackDated, 60}}},
	} {
		w, keys := supervise(t, func() time.Time { return o.clock() })
		o = operate(t, keys, t0)
		w.at(o)
		o.many(0, 20)
		o.now = o.now.Add(5 * time.Minute)
		o.many(100, 20)
		o.now = o.now.Add(100 * time.Minute)
		o.many(200, 20)
		look(t, o, w)
		o.now = o.now.Add(100 * time.Minute)
		o.happen("between", o.now, 1) // the log ran
		c.after()
		for i := range c.want {
			c.want[i].leaf++ // "between"
		}
		t.Log(name)
		look(t, o, w, c.want...)
	}
	// The operator writes another history under the same key.
	w, keys := supervise(t, func() time.Time { return o.clock() })
	o = operate(t, keys, t0)
	o.many(0, 300)
	look(t, o, w.at(o))
	for name, rewrite := range map[string]func(){
		"shorter": func() { o.many(0, 290) },
		"longer":  func() { o.many(0, 100); o.happen("x", o.now, 1); o.many(10, 300) },
	} {
		honest := o
		o = operate(t, keys, honest.now)
		rewrite()
		want := expected{Truncated, 290}
		if name == "longer" {
			want = expected{Forked, None}
		}
		look(t, o, w.at(o), want)
		o = honest
	}
	look(t, o, w.at(o)) // and the honest one is cosigned still
}
