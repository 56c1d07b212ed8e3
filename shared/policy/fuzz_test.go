package policy

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

// seeds adds every region file under testdata, the good and the bad.
func seeds(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/*/*/2*.yaml")
	if err != nil || len(names) < 40 {
		f.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, text := range []string{"", "a: &x [1]\nb: *x\n", "? [a]\n: 1\n", "- 1\n", "a: 1_000\n", "a: {b: 0x10}\n", "<<: {region: x}\n", "a: 1\n---\nb: 2\n", "\ufeffa: 1\n", "a: !!binary x\n"} {
		f.Add([]byte(text))
	}
}

// FuzzRegionFile reads anything as the file of a region. What is refused is refused for
// a reason that has a code and words. What is taken means what it shows: no alias, and
// no number but in plain digits; and written again, without comments and layout, it
// says the same and has the same fingerprint.
func FuzzRegionFile(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var said []Problem
		note := func(key, code, text string) { said = append(said, Problem{"f", key, code, text}) }
		var d document
		canonical, ok := regionfile.Parse(raw, &d, note)
		for _, p := range said {
			if p.Code == "" || p.Text == "" {
				t.Errorf("says nothing: %+v", p)
			}
		}
		if !ok && len(said) == 0 {
			t.Fatal("refused without a word")
		}
		if !ok || len(said) > 0 {
			return
		}
		if !json.Valid(canonical) {
			t.Fatalf("its content is %q", canonical)
		}
		var again document
		list := strings.TrimSuffix(strings.TrimPrefix(string(canonical), "["), "]") // of documents
		second, _ := regionfile.Parse([]byte(list), &again, func(string, string, string) {})
		if string(second) != string(canonical) {
			t.Fatalf("%s became %s", canonical, second)
		}
	})
}

// FuzzLoad has anything stand as the rules of a city beside good files. The book is
// refused as a whole, with a file, a code and words for each problem; or the city has
// rules whose fingerprint is of the content alone, and by which a case can be weighed.
func FuzzLoad(f *testing.F) {
	seeds(f)
	base := overlay(f, "testdata/base")
	tree := division.Shipped()
	f.Fuzz(func(t *testing.T, raw []byte) {
		files := fstest.MapFS{"320400/2026-07-01.yaml": {Data: raw}}
		for name, file := range base {
			files[name] = file
		}
		book, err := Load(files, tree, regionfile.Parse)
		if err != nil {
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) == 0 || book != nil {
				t.Fatalf("%T %v", err, err)
			}
			for _, p := range problems {
				if p.File == "" || p.Code == "" || p.Text == "" {
					t.Errorf("says too little: %+v", p)
				}
			}
			return
		}
		if len(raw) == 0 || raw[0] >= 0xEF { // a mark of the byte order has to come first
			return
		}
		files["320400/2026-07-01.yaml"] = &fstest.MapFile{Data: append([]byte("# another comment\n"), raw...)}
		again, err := Load(files, tree, regionfile.Parse)
		if err != nil || len(again.All()) != len(book.All()) {
			t.Fatalf("with a comment before it: %v", err)
		}
		for i, r := range book.All() {
			if r.Fingerprint() == "" || r.Fingerprint() != again.All()[i].Fingerprint() {
				t.Errorf("%s became %s", r.Fingerprint(), again.All()[i].Fingerprint())
			}
			out := r.FirstAid(Facts{Division: "320402005000", Day: civil.Date(2026, 11, 22), Persons: 3, Cause: Fire})
			if out.AmountFen < 0 || out.Rules == "" {
				t.Errorf("a household of three gets %+v", out)
			}
		}
	})
}
