package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/evidence"
)

func linesOf(raw []byte) func(func(string) bool) { return strings.Lines(string(raw)) }

// size of the logs that are tampered with.
const size = 600

func (s *synthetic) read(t testing.TB, name string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(raw)))
}

func (s *synthetic) write(t testing.TB, name string, lines []string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// clone is another export of the same, to be tampered with.
func (s *synthetic) clone(t testing.TB) *synthetic {
	t.Helper()
	other := *s
	other.dir = t.TempDir()
	if err := os.CopyFS(other.dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	return &other
}

// leaves changes the leaves, and nothing else.
func (s *synthetic) leaves(t testing.TB, change func([]string) []string) {
	t.Helper()
	s.write(t, leavesFile, change(s.read(t, leavesFile)))
}

// whole changes the leaves and then everything that speaks of them, and signs anew:
// what an operator can do who holds the log's key and every file.
func (s *synthetic) whole(t testing.TB, change func([]string) []string) {
	t.Helper()
	s.leaves(t, change)
	var edge evidence.Edge
	var hashes []byte
	var now bytes.Buffer
	for i, line := range s.read(t, leavesFile) {
		h := tlog.RecordHash([]byte(strings.TrimSuffix(line, "\n")))
		edge.Add(h)
		hashes = append(hashes, h[:]...)
		if err := json.NewEncoder(&now).Encode(eventLine{Index: int64(i), Hash: &h}); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, hashesFile, []string{string(hashes)})
	s.write(t, eventsFile, []string{now.String()})
	s.sign(t, edge)
}

// copyOf is a witness's directory that saw s as it is.
func (s *synthetic) copyOf(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	note := s.read(t, checkpointFile)
	for name, lines := range map[string][]string{copyHashes: s.read(t, hashesFile), copyLeaves: s.read(t, leavesFile), copyNewest: note,
		filepath.Join(copyHistory, fmt.Sprintf("%015d", size)): note} {
		if err := replace(filepath.Join(dir, name), []byte(strings.Join(lines, ""))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// edit replaces text in one leaf.
func edit(at int, old, becomes string) func([]string) []string {
	return func(lines []string) []string {
		lines[at] = strings.Replace(lines[at], old, becomes, 1)
		return lines
	}
}

func without(at int) func([]string) []string {
	return func(lines []string) []string { return slices.Delete(lines, at, at+1) }
}

func twice(at, to int) func([]string) []string {
	return func(lines []string) []string { return slices.Insert(lines, to, lines[at]) }
}

func swapped(a, b int) func([]string) []string {
	return func(lines []string) []string { lines[a], lines[b] = lines[b], lines[a]; return lines }
}

func cut(at int) func([]string) []string {
	return func(lines []string) []string { return lines[:at] }
}

// backdated makes the leaf at say that it happened a day before.
func backdated(at int) func([]string) []string {
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

type expected struct {
	kind Kind
	leaf int64
}

// Each of the ten tamperings of L04, by somebody who changes files and by an
// operator who changes everything and signs again: named to the leaf.
// X036: so is a key that was swapped.
func TestTamperings(t *testing.T) {
	t.Parallel()
	whole := synthesize(t, t.TempDir(), size)
	if r, err := Verify(t.Context(), whole.dir, Pins{Key: whole.pins(t).Key, Witnesses: whole.pins(t).Witnesses, Copy: whole.copyOf(t)}, nil); err != nil || !r.Good() || r.Witnessed != size || r.Things != 120 || r.Awards != 60 {
		t.Fatalf("%+v %v", r, err)
	}
	for name, c := range map[string]struct {
		tamper func(*testing.T, *synthetic)
		copy   bool // the witness's copy is at hand
		want   expected
	}{
		"edit":              {func(t *testing.T, s *synthetic) { s.leaves(t, edit(123, "300000", "900000")) }, false, expected{Edited, 123}},
		"edit_the_hash":     {func(t *testing.T, s *synthetic) { s.leaves(t, edit(7, "300000", "900000")); s.rehash(t) }, false, expected{Edited, 7}},
		"edit_resigned":     {func(t *testing.T, s *synthetic) { s.whole(t, edit(123, "300000", "900000")) }, true, expected{Edited, 123}},
		"edit_to_rubbish":   {func(t *testing.T, s *synthetic) { s.leaves(t, edit(9, `"pk"`, `"kp"`)) }, false, expected{Malformed, 9}},
		"delete":            {func(t *testing.T, s *synthetic) { s.leaves(t, without(200)) }, false, expected{Deleted, 200}},
		"delete_resigned":   {func(t *testing.T, s *synthetic) { s.whole(t, without(200)) }, true, expected{Deleted, 200}},
		"delete_last":       {func(t *testing.T, s *synthetic) { s.leaves(t, without(size-1)) }, false, expected{Truncated, size - 1}},
		"insert":            {func(t *testing.T, s *synthetic) { s.leaves(t, twice(10, 300)) }, false, expected{Inserted, 300}},
		"insert_resigned":   {func(t *testing.T, s *synthetic) { s.whole(t, twice(10, 300)) }, true, expected{Inserted, 300}},
		"reorder":           {func(t *testing.T, s *synthetic) { s.leaves(t, swapped(40, 41)) }, false, expected{Reordered, 40}},
		"reorder_far":       {func(t *testing.T, s *synthetic) { s.leaves(t, swapped(40, 400)) }, false, expected{Reordered, 400}},
		"truncate":          {func(t *testing.T, s *synthetic) { s.leaves(t, cut(500)) }, false, expected{Truncated, 500}},
		"truncate_resigned": {func(t *testing.T, s *synthetic) { s.whole(t, cut(500)) }, true, expected{Truncated, 500}},
		"fork":              {func(t *testing.T, s *synthetic) { s.whole(t, swapped(300, 301)) }, true, expected{Forked, None}},
		"key_swap": {func(t *testing.T, s *synthetic) {
			was := s.keys
			s.keys = synthesize(t, t.TempDir(), 1).keys
			s.whole(t, func(l []string) []string { return l })
			s.keys = was
		}, false, expected{KeySwapped, None}},
		"missing_leaf":        {func(t *testing.T, s *synthetic) { s.whole(t, without(203)) }, false, expected{Missing, 203}}, // leaf 203 is now of the version after
		"missing_newest_leaf": {func(t *testing.T, s *synthetic) { s.whole(t, without(599)) }, false, expected{Missing, None}},
		"extra_leaf":          {func(t *testing.T, s *synthetic) { s.whole(t, twice(10, 300)) }, false, expected{Extra, 300}},
		"back_date":           {func(t *testing.T, s *synthetic) { s.whole(t, backdated(450)) }, false, expected{BackDated, 450}},
		"another_witness": {func(t *testing.T, s *synthetic) {
			s.witness = synthesize(t, t.TempDir(), 1).witness
			s.whole(t, func(l []string) []string { return l })
		}, false, expected{Unsigned, None}},
		"amount_in_the_table": {func(t *testing.T, s *synthetic) {
			s.write(t, statesFile, edit(3, "300000", "300001")(s.read(t, statesFile)))
		}, false, expected{State, 19}},
		"version_in_the_table": {func(t *testing.T, s *synthetic) {
			s.write(t, statesFile, edit(2, `"version":6`, `"version":7`)(s.read(t, statesFile)))
		}, false, expected{Missing, None}},
		"case_is_gone":  {func(t *testing.T, s *synthetic) { s.write(t, statesFile, without(4)(s.read(t, statesFile))) }, false, expected{Extra, 25}},
		"entry_is_gone": {func(t *testing.T, s *synthetic) { s.write(t, ledgerFile, without(2)(s.read(t, ledgerFile))) }, false, expected{Ledger, 9}},
		"entry_of_another_sum": {func(t *testing.T, s *synthetic) {
			s.write(t, ledgerFile, edit(3, "300000", "299999")(s.read(t, ledgerFile)))
		}, false, expected{Ledger, None}},
		"balance_is_edited": {func(t *testing.T, s *synthetic) {
			s.write(t, ledgerFile, edit(121, `"reserved":0`, `"reserved":5`)(s.read(t, ledgerFile)))
		}, false, expected{Ledger, None}},
		"event_is_edited": {func(t *testing.T, s *synthetic) {
			s.write(t, eventsFile, edit(77, `"h":"`, `"h":"A`)(s.read(t, eventsFile)))
		}, false, expected{}},
		"event_is_gone": {func(t *testing.T, s *synthetic) {
			s.write(t, eventsFile, []string{strings.Join(s.read(t, eventsFile)[:77], ""), `{"i":77,"gone":true}` + "\n", strings.Join(s.read(t, eventsFile)[78:], "")})
		}, false, expected{Extra, 77}},
		"event_that_is_no_leaf": {func(t *testing.T, s *synthetic) {
			s.write(t, eventsFile, append(s.read(t, eventsFile), fmt.Sprintf(`{"i":-1,"unlogged":%s}`, strings.TrimSpace(s.read(t, leavesFile)[3]))))
		}, false, expected{Missing, None}},
		"checkpoint_is_gone": {func(t *testing.T, s *synthetic) { _ = os.Remove(filepath.Join(s.dir, checkpointFile)) }, false, expected{Unsigned, None}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := whole.clone(t)
			pins := s.pins(t)
			if c.copy {
				pins.Copy = s.copyOf(t)
			}
			c.tamper(t, s)
			r, err := Verify(t.Context(), s.dir, pins, nil)
			if c.want == (expected{}) {
				if err == nil && r.Good() {
					t.Error("nothing was noticed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind == c.want.kind && f.Leaf == c.want.leaf }) {
				t.Errorf("want %s at %d, found:\n%v", c.want.kind, c.want.leaf, r.Findings)
			}
			for _, f := range r.Findings {
				if f.Kind.Label() == "" || !strings.Contains(f.String(), f.Kind.Label()) {
					t.Errorf("%s has no words", f.Kind)
				}
			}
		})
	}
}

// rehash makes the list of published hashes agree with the leaves, as somebody
// does who cannot sign.
func (s *synthetic) rehash(t testing.TB) {
	t.Helper()
	var hashes []byte
	for _, line := range s.read(t, leavesFile) {
		h := tlog.RecordHash([]byte(strings.TrimSuffix(line, "\n")))
		hashes = append(hashes, h[:]...)
	}
	s.write(t, hashesFile, []string{string(hashes)})
}
