package evidence_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table"
)

// shelf is Blobs in memory that can die.
type shelf struct {
	mu    sync.Mutex
	held  map[string][]byte
	fatal int // how many puts succeed before the process dies; below 0 for ever
}

func newShelf() *shelf { return &shelf{held: map[string][]byte{}, fatal: -1} }

func (s *shelf) Put(_ context.Context, name string, content []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == 0 {
		return errDied
	}
	s.fatal--
	if old, ok := s.held[name]; ok && string(old) != string(content) && name != evidence.Latest {
		return fmt.Errorf("%s has two contents", name)
	}
	s.held[name] = content
	return nil
}

func (s *shelf) Get(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.held[name]; ok {
		return c, nil
	}
	return nil, evidence.ErrNoBlob
}

func (r *room) witness() *evidence.WitnessKey {
	r.t.Helper()
	w, err := evidence.NewWitnessKey(rand.Reader, "jjw.example.cn", r.clock.now)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *room) publisher(blobs evidence.Blobs, keys evidence.Keys) *evidence.Publisher {
	r.t.Helper()
	p, err := keys.Publisher(r.other(r.store), blobs)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *room) keys(witnesses ...*evidence.WitnessKey) evidence.Keys {
	r.t.Helper()
	k, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, w := range witnesses {
		k.Witnesses = append(k.Witnesses, w.Public())
	}
	return k
}

// grow adds n events.
func (r *room) grow(from, n int) {
	r.t.Helper()
	var all []event.Event
	for i := range n {
		all = append(all, happened("APP#1", fmt.Sprint(from+i), 1, r.clock.now()))
	}
	if _, err := r.log.Sequence(r.t.Context(), r.write(all...)...); err != nil {
		r.t.Fatal(err)
	}
}

// provable fails unless every leaf and every older size is proved by the tiles of s.
func provable(t *testing.T, p *evidence.Publisher, roots map[uint64]tlog.Hash) {
	t.Helper()
	published, err := p.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := evidence.OpenCheckpoint([]byte(published.Note), p.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := evidence.Leaves(t.Context(), p.Log, 0, int(s.Size))
	if err != nil || s.Root != rootOf(t, leaves) {
		t.Fatalf("another root is signed: %v", err)
	}
	roots[s.Size] = s.Root
	read := evidence.Hashes(s.Size, s.Root, func(name string) ([]byte, error) { return p.Blobs.Get(t.Context(), name) })
	for size, root := range roots {
		proof, err := tlog.ProveTree(int64(s.Size), int64(size), read)
		if err == nil {
			err = tlog.CheckTree(proof, int64(s.Size), s.Root, int64(size), root)
		}
		if err != nil {
			t.Fatalf("%d does not follow from %d: %v", s.Size, size, err)
		}
	}
	for i := 0; i < len(leaves); i += 1 + len(leaves)/7 {
		proof, err := tlog.ProveRecord(int64(s.Size), int64(i), read)
		if err == nil {
			err = tlog.CheckRecord(proof, int64(s.Size), s.Root, int64(i), tlog.RecordHash(leaves[i]))
		}
		if err != nil {
			t.Fatalf("leaf %d: %v", i, err)
		}
	}
}

func TestEverySizeFollowsFromEveryOlderOne(t *testing.T) {
	t.Parallel()
	r, blobs := open(t), newShelf()
	keys := r.keys()
	roots := map[uint64]tlog.Hash{}
	for i, n := range []int{1, 254, 1, 1, 255, 600, 3} {
		r.grow(i*1000, n)
		p := r.publisher(blobs, keys)
		for range 2 { // the second finds nothing to do
			if _, err := p.Publish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		provable(t, p, roots)
	}
	if len(roots) != 7 {
		t.Errorf("%d sizes", len(roots))
	}
}

// Dying at any write of tiles or of the checkpoint changes nothing of what is
// signed in the end (K25), nor do two publishers at once.
func TestPublishingSurvivesCrashesAndTwins(t *testing.T) {
	t.Parallel()
	r, blobs := open(t), newShelf()
	keys := r.keys()
	roots := map[uint64]tlog.Hash{}
	for turn := range 12 {
		r.grow(turn*1000, 90)
		blobs.fatal = turn % 5
		_, _ = r.publisher(blobs, keys).Publish(t.Context()) // dies, or not
		blobs.fatal = -1
		if turn%3 == 0 {
			continue
		}
		var group errgroup.Group
		for range 3 {
			group.Go(func() error { _, err := r.publisher(blobs, keys).Publish(t.Context()); return err })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		provable(t, r.publisher(blobs, keys), roots)
	}
	// What was published is lost: what comes next is right all the same.
	clear(blobs.held)
	r.grow(100_000, 2*evidence.Block)
	p := r.publisher(blobs, keys)
	if _, err := p.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsSignedOverChangedLeaves(t *testing.T) {
	t.Parallel()
	r, blobs := open(t), newShelf()
	p := r.publisher(blobs, r.keys())
	r.grow(0, 3)
	if _, err := p.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.grow(10, 3)
	key := table.Key{PK: "LOG#000000000000", SK: "000000000000004"}
	item, ok, err := r.store.Get(t.Context(), key)
	if err != nil || !ok {
		t.Fatal(err)
	}
	item.Version, item.Body = item.Version+1, []byte(strings.Replace(string(item.Body), "300000", "900000", 1))
	if err := r.store.Transact(t.Context(), table.Replace{Item: item}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context()); !errors.Is(err, evidence.ErrDamaged) {
		t.Errorf("signed: %v", err)
	}
}

func TestCosignatures(t *testing.T) {
	t.Parallel()
	r, blobs := open(t), newShelf()
	w, stranger := r.witness(), r.witness()
	p := r.publisher(blobs, r.keys(w))
	r.grow(0, 3)
	first, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.clock.move(25 * time.Hour)
	if d, err := p.Unwitnessed(t.Context()); err != nil || d != 25*time.Hour {
		t.Errorf("unwitnessed for %s, %v", d, err)
	}
	cosign := func(text string, by ...note.Signer) []byte {
		t.Helper()
		n, err := note.Open([]byte(text), note.VerifierList(p.Verifier))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := note.Sign(n, by...)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	alone, err := note.Sign(&note.Note{Text: evidence.Checkpoint{Origin: "doudi/320400", Size: 2}.Text()}, w)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"nobody_signed":        []byte(first.Note),
		"a_stranger_signed":    cosign(first.Note, stranger),
		"the_log_did_not_sign": alone,
		"no_note":              []byte("hello\n"),
	} {
		if _, err := p.Cosign(t.Context(), raw); !errors.Is(err, evidence.ErrCosignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // sent again because the answer was lost
		if _, err := p.Cosign(t.Context(), cosign(first.Note, w)); err != nil {
			t.Fatal(err)
		}
	}
	published, err := p.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := evidence.OpenCheckpoint([]byte(published.Note), p.Verifier, p.Witnesses...)
	if err != nil || len(s.Witnesses) != 1 || s.Witnesses[0].Name != w.Name() || !s.Witnesses[0].At.Equal(r.clock.now()) || strings.Count(published.Note, "— ") != 2 {
		t.Errorf("published with %+v, %v\n%s", s.Witnesses, err, published.Note)
	}
	if d, err := p.Unwitnessed(t.Context()); err != nil || d != 0 {
		t.Errorf("all is witnessed, and is not for %s, %v", d, err)
	}
	r.grow(10, 2)
	if _, err := p.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.clock.move(time.Hour)
	if d, err := p.Unwitnessed(t.Context()); err != nil || d != time.Hour {
		t.Errorf("unwitnessed for %s, %v", d, err)
	}
	old, err := p.Witnessed(t.Context())
	if err != nil || old.Edge.Size != 3 {
		t.Errorf("the newest witnessed has %d leaves, %v", old.Edge.Size, err)
	}
	// A proof takes the witnessed checkpoint where that speaks of the leaf.
	for id, want := range map[string]int{"0": 1, "10": 0} {
		proof, ok, err := p.Prove(t.Context(), event.Key("APP#1", "payout", id, 1))
		if err != nil || !ok {
			t.Fatal(id, err)
		}
		text, err := proof.Text()
		if err != nil {
			t.Fatal(err)
		}
		scanned, err := evidence.ParseProof(strings.ToLower(text[:20]) + "\n " + text[20:])
		if err != nil {
			t.Fatal(err)
		}
		l, s, err := scanned.Check(p.Verifier, p.Witnesses...)
		if err != nil || l.ID != id || len(s.Witnesses) != want {
			t.Errorf("%s: %+v %+v %v", id, l, s.Witnesses, err)
		}
		scanned.Leaf = []byte(strings.Replace(string(scanned.Leaf), "300000", "900000", 1))
		if _, _, err := scanned.Check(p.Verifier); err == nil {
			t.Error("another amount is proved")
		}
		if _, _, err := proof.Check(r.publisher(blobs, r.keys()).Verifier); err == nil {
			t.Error("another key proves")
		}
	}
	if _, ok, err := p.Prove(t.Context(), event.Key("APP#1", "payout", "77", 1)); ok || err != nil {
		t.Errorf("what is not there is proved: %v", err)
	}
}

func TestWitnessKeysReadBack(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.witness()
	again, err := evidence.OpenWitnessKey(w.Private()+"\n", r.clock.now)
	if err != nil || again.Public() != w.Public() {
		t.Fatal(err)
	}
	for _, bad := range []string{"", w.Public(), w.Private()[1:], w.Private()[:len(w.Private())-4], strings.Replace(w.Private(), "jjw", "jjx", 1)} {
		if _, err := evidence.OpenWitnessKey(bad, r.clock.now); err == nil {
			t.Errorf("%q is a key", bad)
		}
		if _, err := evidence.NewWitness(bad); err == nil && bad != w.Public() {
			t.Errorf("%q is a public key", bad)
		}
	}
	if _, err := evidence.NewWitnessKey(rand.Reader, "two words", r.clock.now); err == nil {
		t.Error("a name with a space")
	}
	ask, err := w.Ask("doudi/320400", 7, 200)
	if err != nil {
		t.Fatal(err)
	}
	v, err := evidence.NewWitness(w.Public())
	if err != nil {
		t.Fatal(err)
	}
	if b, n, err := evidence.OpenAsk(ask, "doudi/320400", t0.Add(4*time.Minute), v); b != 7 || n != 200 || err != nil {
		t.Errorf("%d %d %v", b, n, err)
	}
	for name, err := range map[string]error{
		"late":        second(evidence.OpenAsk(ask, "doudi/320400", t0.Add(6*time.Minute), v)),
		"another_log": second(evidence.OpenAsk(ask, "doudi/511700", t0, v)),
		"nobodys":     second(evidence.OpenAsk(ask, "doudi/320400", t0)),
		"altered":     second(evidence.OpenAsk([]byte(strings.Replace(string(ask), "\n7\n", "\n8\n", 1)), "doudi/320400", t0, v)),
	} {
		if !errors.Is(err, evidence.ErrAsked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ uint64, _ int, err error) error { return err }

func TestTilePaths(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		level int
		index uint64
		width int
	}{
		"tile/0/000": {0, 0, 256}, "tile/1/x001/x234/067.p/8": {1, 1234067, 8}, "tile/entries/x001/000": {-1, 1000, 256},
	} {
		if got := evidence.TilePath(c.level, c.index, c.width); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(evidence.Checkpoint{Origin: "doudi/320400", Size: 7}.Text())
	f.Add("a\n01\nb\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := evidence.ParseCheckpoint(text)
		if err == nil && !strings.HasPrefix(text, c.Text()) {
			t.Errorf("%q was read as %q", text, c.Text())
		}
	})
}

func FuzzProof(f *testing.F) {
	p := evidence.Proof{Index: 3, Leaf: []byte("{}"), Hashes: make([]tlog.Hash, 2), Checkpoint: []byte("x")}
	text, err := p.Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("DOUDI1:AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := evidence.ParseProof(text); err == nil {
			if again, err := p.Text(); err != nil || again == "" {
				t.Errorf("%v", err)
			}
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(evidence.Bundle([][]byte{[]byte("a"), {}, []byte("bc")}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if all, err := evidence.Unbundle(raw); err == nil && string(evidence.Bundle(all)) != string(raw) {
			t.Errorf("%x", raw)
		}
	})
}

// FuzzNote hands a witness, a supervisor and the log anything in the place of a
// signed note: only what was signed is opened.
func FuzzNote(f *testing.F) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	log, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := note.NewSigner(log.Private)
	if err != nil {
		f.Fatal(err)
	}
	own, err := note.NewVerifier(log.Public)
	if err != nil {
		f.Fatal(err)
	}
	w, err := evidence.NewWitnessKey(rand.Reader, "jjw.example.cn", func() time.Time { return now })
	if err != nil {
		f.Fatal(err)
	}
	witness, err := evidence.NewWitness(w.Public())
	if err != nil {
		f.Fatal(err)
	}
	checkpoint, err := note.Sign(&note.Note{Text: evidence.Checkpoint{Origin: "doudi/320400", Size: 7}.Text()}, signer, w)
	if err != nil {
		f.Fatal(err)
	}
	ask, err := w.Ask("doudi/320400", 3, 100)
	if err != nil {
		f.Fatal(err)
	}
	// The keys are made anew in every process, so a seed is a change of what was
	// signed: where, and what stands there instead.
	f.Add(uint16(0), uint16(0), []byte{})
	f.Add(uint16(0), uint16(1), []byte("D"))
	f.Add(uint16(20), uint16(9), []byte("\n"))
	f.Add(uint16(13), uint16(1), []byte("9"))
	f.Add(uint16(0xffff), uint16(0), []byte("— jjw.example.cn AAAA\n"))
	f.Fuzz(func(t *testing.T, at, cut uint16, put []byte) {
		change := func(raw []byte) []byte {
			from := min(int(at), len(raw))
			return slices.Concat(raw[:from], put, raw[min(from+int(cut), len(raw)):])
		}
		if s, err := evidence.OpenCheckpoint(change(checkpoint), own, witness); err == nil && (s.Checkpoint != evidence.Checkpoint{Origin: "doudi/320400", Size: 7}) {
			t.Errorf("a checkpoint that nobody signed: %+v", s)
		} else if err == nil && len(s.Witnesses) > 0 && !s.Witnesses[0].At.Equal(now) {
			t.Errorf("a cosignature of another time: %+v", s.Witnesses)
		}
		if bundle, width, err := evidence.OpenAsk(change(ask), "doudi/320400", now, witness); err == nil && (bundle != 3 || width != 100) {
			t.Errorf("a request that nobody signed: %d %d", bundle, width)
		}
		for _, key := range []string{w.Public(), w.Private()} {
			if v, err := evidence.NewWitness(string(change([]byte(key)))); err == nil && (v.Name() != w.Name() || v.KeyHash() != w.KeyHash()) {
				t.Errorf("another witness: %s %x", v.Name(), v.KeyHash())
			}
			if k, err := evidence.OpenWitnessKey(string(change([]byte(key))), nil); err == nil && k.Private() != w.Private() {
				t.Error("another witness's key")
			}
		}
	})
}
