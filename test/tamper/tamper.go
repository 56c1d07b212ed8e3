// Package tamper is an operator who is not honest: whoever holds the log's key,
// every file of an export and the table itself, and changes them. It knows the form
// of an export (docs/evidence-log.md) and nothing of how it is checked, so that the
// check cannot be shown what it expects.
package tamper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// The files of an export.
const (
	Checkpoint = "checkpoint"
	Witnessed  = "witnessed"
	Leaves     = "leaves.ndjson"
	Hashes     = "hashes.bin"
	Events     = "events.ndjson"
	States     = "states.ndjson"
	Items      = "items.ndjson"
	Ledger     = "ledger.ndjson"
)

// Export is the directory of one.
type Export string

// Read reads a file of lines.
func (x Export) Read(t testing.TB, name string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(string(x), name))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(raw)))
}

// Write writes one.
func (x Export) Write(t testing.TB, name string, lines []string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(x), name), []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Remove takes a file away.
func (x Export) Remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(string(x), name)); err != nil {
		t.Fatal(err)
	}
}

// Clone is another export of the same, to be tampered with.
func (x Export) Clone(t testing.TB) Export {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(string(x))); err != nil {
		t.Fatal(err)
	}
	return Export(dir)
}

// A Change is what becomes of the lines of a file.
type Change func(lines []string) []string

// Change changes one file, and nothing else.
func (x Export) Change(t testing.TB, name string, change Change) {
	t.Helper()
	x.Write(t, name, change(x.Read(t, name)))
}

// Rehash makes the list of published hashes agree with the leaves, as somebody does
// who cannot sign. It gives the edge of the tree that the leaves make.
func (x Export) Rehash(t testing.TB) (edge evidence.Edge) {
	t.Helper()
	var hashes []byte
	for _, line := range x.Read(t, Leaves) {
		h := tlog.RecordHash([]byte(strings.TrimSuffix(line, "\n")))
		edge.Add(h)
		hashes = append(hashes, h[:]...)
	}
	x.Write(t, Hashes, []string{string(hashes)})
	return edge
}

// Whole changes the leaves and then everything that speaks of them but what is
// signed: what an operator can do who holds every file. Sign goes with it.
func (x Export) Whole(t testing.TB, change Change) evidence.Edge {
	t.Helper()
	x.Change(t, Leaves, change)
	edge := x.Rehash(t)
	var now bytes.Buffer
	for i, line := range x.Read(t, Leaves) {
		h := tlog.RecordHash([]byte(strings.TrimSuffix(line, "\n")))
		if err := json.NewEncoder(&now).Encode(map[string]any{"i": i, "h": h}); err != nil {
			t.Fatal(err)
		}
	}
	x.Write(t, Events, []string{now.String()})
	return edge
}

// Sign signs a checkpoint over edge in the log's name.
func (x Export) Sign(t testing.TB, origin string, edge evidence.Edge, by ...note.Signer) {
	t.Helper()
	x.Write(t, Checkpoint, []string{Note(t, evidence.Checkpoint{Origin: origin, Size: edge.Size, Root: edge.Root()}, by...)})
}

// Note is a signed checkpoint.
func Note(t testing.TB, c evidence.Checkpoint, by ...note.Signer) string {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: c.Text()}, by...)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// Edit replaces text in one line, once. It panics when the text is not there: an
// edit that changes nothing proves nothing.
func Edit(at int, old, becomes string) Change {
	return func(lines []string) []string {
		if !strings.Contains(lines[at], old) {
			panic(fmt.Sprintf("line %d holds no %s: %s", at, old, lines[at]))
		}
		lines[at] = strings.Replace(lines[at], old, becomes, 1)
		return lines
	}
}

// Without takes a line out.
func Without(at int) Change {
	return func(lines []string) []string { return slices.Delete(lines, at, at+1) }
}

// Twice puts a line in once more, at another place.
func Twice(at, to int) Change {
	return func(lines []string) []string { return slices.Insert(lines, to, lines[at]) }
}

// Swapped has two lines change places.
func Swapped(a, b int) Change {
	return func(lines []string) []string { lines[a], lines[b] = lines[b], lines[a]; return lines }
}

// Cut ends a file before a line.
func Cut(at int) Change {
	return func(lines []string) []string { return lines[:at] }
}

// Backdated makes a leaf say that it happened a day before.
func Backdated(at int) Change {
	return func(lines []string) []string {
		l, err := evidence.ParseLeaf([]byte(strings.TrimSuffix(lines[at], "\n")))
		if err != nil {
			panic(err)
		}
		l.At = l.At.AddDate(0, 0, -1)
		lines[at] = string(l.Encode()) + "\n"
		return lines
	}
}

// Liar is an API that is the one at to, but shows another checkpoint.
func Liar(t testing.TB, to, checkpoint string) string {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(u)
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/log/checkpoint" {
			_, _ = w.Write([]byte(checkpoint)) // who asks notices
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(liar.Close)
	return liar.URL
}
