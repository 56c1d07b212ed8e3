package audit

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/test/tamper"
)

// day is a log that a witness has seen up to some leaf, and that has grown since.
type day struct {
	*synthetic
	t       testing.TB
	witness *Witness
	before  int // leaves that the witness has seen
	leaves  []string
	chain   []byte // the witness's notes at before
	lines   int64  // bytes of its leaves
	signed  string // what it cosigned last
}

// pass makes a log of before and more leaves, over real HTTP, and a witness that saw
// the first of them.
func pass(t testing.TB, before, more int) *day {
	t.Helper()
	d := &day{synthetic: synthesize(t, t.TempDir(), before+more), t: t, before: before}
	d.leaves = d.Read(t, tamper.Leaves)
	signer, err := note.NewSigner(d.keys.Private)
	if err != nil {
		t.Fatal(err)
	}
	chain := NewChain()
	var edge, whole evidence.Edge
	var hashes []byte
	for i, line := range d.leaves {
		raw := []byte(strings.TrimSuffix(line, "\n"))
		h := tlog.RecordHash(raw)
		whole.Add(h)
		if i >= before {
			continue
		}
		edge.Add(h)
		hashes = append(hashes, h[:]...)
		l, err := evidence.ParseLeaf(raw)
		if err != nil {
			t.Fatal(err)
		}
		chain.Add(l)
		chain.bytes += int64(len(line))
	}
	var notes bytes.Buffer
	if err := chain.Save(&notes); err != nil {
		t.Fatal(err)
	}
	d.chain, d.lines = notes.Bytes(), chain.bytes
	today := d.now
	d.now = chain.logged // when the witness looked
	d.signed = tamper.Note(t, evidence.Checkpoint{Origin: "doudi/320400", Size: edge.Size, Root: edge.Root()}, signer, d.synthetic.witness)
	d.now = today
	newest := tamper.Note(t, evidence.Checkpoint{Origin: "doudi/320400", Size: whole.Size, Root: whole.Root()}, signer)
	pins := d.pins(t)
	d.witness = &Witness{Dir: t.TempDir(), HTTP: http.DefaultClient, Key: d.synthetic.witness, Log: pins.Key, Now: func() time.Time { return d.now }}
	for name, content := range map[string][]byte{copyHashes: hashes, copyLeaves: []byte(strings.Join(d.leaves[:before], ""))} {
		if err := os.WriteFile(filepath.Join(d.witness.Dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.night()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := new(bytes.Buffer)
		_, _ = asked.ReadFrom(r.Body) // who asks notices
		switch r.URL.Path {
		case "/v1/log/checkpoint":
			_, _ = w.Write([]byte(newest))
		case "/v1/log/leaves":
			lines := strings.Split(asked.String(), "\n")
			at, err := strconv.Atoi(lines[2])
			width, err2 := strconv.Atoi(lines[3])
			if err != nil || err2 != nil {
				http.Error(w, "?", http.StatusBadRequest)
				return
			}
			var bundle [][]byte
			for _, line := range d.leaves[at*evidence.Block : at*evidence.Block+width] {
				bundle = append(bundle, []byte(strings.TrimSuffix(line, "\n")))
			}
			_, _ = w.Write(evidence.Bundle(bundle))
		}
	}))
	t.Cleanup(server.Close)
	d.witness.URL = server.URL
	return d
}

// night has the witness be where it was before the day.
func (d *day) night() {
	d.t.Helper()
	for name, size := range map[string]int64{copyHashes: int64(d.before) * tlog.HashSize, copyLeaves: d.lines} {
		if err := os.Truncate(filepath.Join(d.witness.Dir, name), size); err != nil {
			d.t.Fatal(err)
		}
	}
	for name, content := range map[string][]byte{copyChain: d.chain, copyNewest: []byte(d.signed)} {
		if err := os.WriteFile(filepath.Join(d.witness.Dir, name), content, 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *day) look(more uint64) {
	d.t.Helper()
	s, err := d.witness.Look(d.t.Context())
	if err != nil || !s.Cosigned || s.New != more {
		d.t.Fatalf("%d of %d new, cosigned %v, %d findings, %v", s.New, more, s.Cosigned, len(s.Findings), err)
	}
}

// A witness whose notes are of an older program, or a look behind, follows the
// leaves again and comes to the same.
func TestAWitnessWithOlderNotes(t *testing.T) {
	t.Parallel()
	d := pass(t, 1000, 500)
	d.look(500)
	want, err := os.ReadFile(filepath.Join(d.witness.Dir, copyLeaves))
	if err != nil {
		t.Fatal(err)
	}
	older := append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, d.chain[8:56]...)
	for name, notes := range map[string][]byte{"of_form_1": older, "a_look_behind": func() []byte { c := NewChain(); var b bytes.Buffer; _ = c.Save(&b); return b.Bytes() }()} {
		d.night()
		if err := os.WriteFile(filepath.Join(d.witness.Dir, copyChain), notes, 0o600); err != nil {
			t.Fatal(err)
		}
		d.look(500)
		if got, err := os.ReadFile(filepath.Join(d.witness.Dir, copyLeaves)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the copy has %d bytes, want %d, %v", name, len(got), len(want), err)
		}
	}
}

// BenchmarkWitnessDay is what a witness does for one day on top of a million leaves:
// it checks its own copy, fetches the day over HTTP, hashes and follows it, cosigns,
// and keeps it durably. A case leaves about twenty leaves, so that 60,000 are a day of
// a region that has a million cases a year:
//
//	go test ./cmd/doudi/audit -run '^$' -bench WitnessDay -benchtime 5x
func BenchmarkWitnessDay(b *testing.B) {
	for _, more := range []int{60_000, 200_000} {
		b.Run(strconv.Itoa(more), func(b *testing.B) {
			d := pass(b, 1_000_000, more)
			start := cpu(b)
			var spent time.Duration
			for b.Loop() {
				d.look(uint64(more))
				b.StopTimer()
				spent += cpu(b) - start
				d.night()
				start = cpu(b)
				b.StartTimer()
			}
			b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
