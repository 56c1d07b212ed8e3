package audit

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/test/tamper"
)

func linesOf(raw []byte) func(func(string) bool) { return strings.Lines(string(raw)) }

// size of the logs that are tampered with.
const size = 600

// clone is another export of the same, to be tampered with.
func (s *synthetic) clone(t testing.TB) *synthetic {
	t.Helper()
	other := *s
	other.Export = s.Clone(t)
	return &other
}

// whole changes the leaves and then everything that speaks of them, and signs anew:
// what an operator can do who holds the log's key and every file.
func (s *synthetic) whole(t testing.TB, change tamper.Change) {
	t.Helper()
	s.sign(t, s.Whole(t, change))
}

// copyOf is a witness's directory that saw s as it is.
func (s *synthetic) copyOf(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	note := s.Read(t, tamper.Checkpoint)
	for name, lines := range map[string][]string{copyHashes: s.Read(t, tamper.Hashes), copyLeaves: s.Read(t, tamper.Leaves), copyNewest: note,
		filepath.Join(copyHistory, fmt.Sprintf("%015d", size)): note} {
		if err := replace(filepath.Join(dir, name), []byte(strings.Join(lines, ""))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
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
	if r, err := Verify(t.Context(), string(whole.Export), Pins{Key: whole.pins(t).Key, Witnesses: whole.pins(t).Witnesses, Copy: whole.copyOf(t)}, nil); err != nil || !r.Good() || r.Witnessed != size || r.Things != 120 || r.Items != 120 || r.Unbound != 0 || r.Awards != 60 {
		t.Fatalf("%+v %v", r, err)
	}
	for name, c := range map[string]struct {
		tamper func(*testing.T, *synthetic)
		copy   bool // the witness's copy is at hand
		want   expected
	}{
		"edit": {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Edit(123, "300000", "900000")) }, false, expected{Edited, 123}},
		"edit_the_hash": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.Leaves, tamper.Edit(7, "300000", "900000"))
			s.Rehash(t)
		}, false, expected{Edited, 7}},
		"edit_resigned":     {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Edit(123, "300000", "900000")) }, true, expected{Edited, 123}},
		"edit_to_rubbish":   {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Edit(9, `"pk"`, `"kp"`)) }, false, expected{Malformed, 9}},
		"delete":            {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Without(200)) }, false, expected{Deleted, 200}},
		"delete_resigned":   {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Without(200)) }, true, expected{Deleted, 200}},
		"delete_last":       {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Without(size-1)) }, false, expected{Truncated, size - 1}},
		"insert":            {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Twice(10, 300)) }, false, expected{Inserted, 300}},
		"insert_resigned":   {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Twice(10, 300)) }, true, expected{Inserted, 300}},
		"reorder":           {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Swapped(40, 41)) }, false, expected{Reordered, 40}},
		"reorder_far":       {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Swapped(40, 400)) }, false, expected{Reordered, 400}},
		"truncate":          {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Leaves, tamper.Cut(500)) }, false, expected{Truncated, 500}},
		"truncate_resigned": {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Cut(500)) }, true, expected{Truncated, 500}},
		"fork":              {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Swapped(300, 301)) }, true, expected{Forked, None}},
		"key_swap": {func(t *testing.T, s *synthetic) {
			was := s.keys
			s.keys = synthesize(t, t.TempDir(), 1).keys
			s.whole(t, func(l []string) []string { return l })
			s.keys = was
		}, false, expected{KeySwapped, None}},
		"missing_leaf":        {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Without(203)) }, false, expected{Missing, 203}}, // leaf 203 is now of the version after
		"missing_newest_leaf": {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Without(599)) }, false, expected{Missing, None}},
		"extra_leaf":          {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Twice(10, 300)) }, false, expected{Extra, 300}},
		"back_date":           {func(t *testing.T, s *synthetic) { s.whole(t, tamper.Backdated(450)) }, false, expected{BackDated, 450}},
		"another_witness": {func(t *testing.T, s *synthetic) {
			s.witness = synthesize(t, t.TempDir(), 1).witness
			s.whole(t, func(l []string) []string { return l })
		}, false, expected{Unsigned, None}},
		"amount_in_the_table": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.States, tamper.Edit(3, "300000", "300001"))
		}, false, expected{State, 19}},
		"version_in_the_table": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.States, tamper.Edit(2, `"version":6`, `"version":7`))
		}, false, expected{Missing, None}},
		"case_is_gone":  {func(t *testing.T, s *synthetic) { s.Change(t, tamper.States, tamper.Without(4)) }, false, expected{Extra, 25}},
		"entry_is_gone": {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Ledger, tamper.Without(2)) }, false, expected{Ledger, 9}},
		"entry_of_another_sum": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.Ledger, tamper.Edit(3, "300000", "299999"))
		}, false, expected{Ledger, None}},
		"balance_is_edited": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.Ledger, tamper.Edit(121, `"reserved":0`, `"reserved":5`))
		}, false, expected{Ledger, None}},
		"event_is_edited": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.Events, tamper.Edit(77, `"h":"`, `"h":"A`))
		}, false, expected{}},
		"event_is_gone": {func(t *testing.T, s *synthetic) {
			s.Write(t, tamper.Events, []string{strings.Join(s.Read(t, tamper.Events)[:77], ""), `{"i":77,"gone":true}` + "\n", strings.Join(s.Read(t, tamper.Events)[78:], "")})
		}, false, expected{Extra, 77}},
		"event_that_is_no_leaf": {func(t *testing.T, s *synthetic) {
			s.Write(t, tamper.Events, append(s.Read(t, tamper.Events), fmt.Sprintf(`{"i":-1,"unlogged":%s}`, strings.TrimSpace(s.Read(t, tamper.Leaves)[3]))))
		}, false, expected{Missing, None}},
		"item_in_the_table": {func(t *testing.T, s *synthetic) {
			s.Change(t, tamper.Items, tamper.Edit(6, `"sum":"`, `"sum":"A`))
		}, false, expected{State, 35}},
		"item_is_gone": {func(t *testing.T, s *synthetic) { s.Change(t, tamper.Items, tamper.Without(7)) }, false, expected{Extra, 39}},
		"item_of_another_time": {func(t *testing.T, s *synthetic) { // the one that an older version was written with
			l, err := evidence.ParseLeaf([]byte(strings.TrimSuffix(s.Read(t, tamper.Leaves)[34], "\n")))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for sk, sum := range l.Made() {
				lines = s.Read(t, tamper.Items)
				lines[6] = fmt.Sprintf(`{"pk":%q,"sk":%q,"sum":%q}`+"\n", l.PK, sk, sum)
			}
			s.Write(t, tamper.Items, lines)
		}, false, expected{State, 35}},
		"checkpoint_is_gone": {func(t *testing.T, s *synthetic) { s.Remove(t, tamper.Checkpoint) }, false, expected{Unsigned, None}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := whole.clone(t)
			pins := s.pins(t)
			if c.copy {
				pins.Copy = s.copyOf(t)
			}
			c.tamper(t, s)
			r, err := Verify(t.Context(), string(s.Export), pins, nil)
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
