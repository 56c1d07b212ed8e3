package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// FuzzExport puts anything in the place of any file of an export. Nothing may
// bring the check down, and what it finds nothing wrong with has the very leaves
// that were signed.
func FuzzExport(f *testing.F) {
	s := synthesize(f, f.TempDir(), 20)
	pins := s.pins(f)
	files := []string{manifestFile, checkpointFile, witnessedFile, leavesFile, hashesFile, eventsFile, statesFile, ledgerFile, statementsFile, itemsFile}
	whole := map[string][]byte{}
	for i, name := range files {
		raw, err := os.ReadFile(filepath.Join(string(s.Export), name))
		if err != nil {
			f.Fatal(err)
		}
		whole[name] = raw
		f.Add(uint8(i), raw)
		f.Add(uint8(i), raw[:len(raw)/2])
		f.Add(uint8(i), []byte{})
	}
	f.Add(uint8(5), []byte(`{"i":-2,"h":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`))
	f.Add(uint8(5), []byte(`{"i":9223372036854775807}`))
	f.Add(uint8(6), []byte(`{"noun":"payout","version":-1}`))
	f.Add(uint8(7), []byte(`{"slice":"a","entry":{"cause":"a#b#c","kind":"posted","legs":[{"account":"paid","fen":9223372036854775807},{"account":"paid","fen":9223372036854775807}]}}`))
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		name := files[int(which)%len(files)]
		file := filepath.Join(string(s.Export), name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(t.Context(), string(s.Export), pins, nil)
		if err := os.WriteFile(file, whole[name], 0o600); err != nil {
			t.Fatal(err)
		}
		if err != nil || len(report.Findings) > 0 || name != leavesFile {
			return
		}
		if string(bytes.TrimSuffix(content, []byte("\n"))) != string(bytes.TrimSuffix(whole[name], []byte("\n"))) {
			t.Errorf("other leaves than the signed ones pass: %q", content)
		}
	})
}

// FuzzChain reads what a witness kept, damaged: what is read is written again as
// the same.
func FuzzChain(f *testing.F) {
	c := NewChain()
	for i, e := range slices.Collect(events(12)) {
		c.Add(evidence.NewLeaf(e, make([]byte, 32), e.At.Add(time.Duration(i)*time.Second)))
	}
	var kept bytes.Buffer
	if err := c.Save(&kept); err != nil {
		f.Fatal(err)
	}
	f.Add(kept.Bytes())
	f.Add(kept.Bytes()[:saved])
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := LoadChain(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := c.Save(&out); err != nil {
			t.Fatal(err)
		}
		again, err := LoadChain(out.Bytes())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%v: %+v became %+v", err, c, again)
		}
	})
}
