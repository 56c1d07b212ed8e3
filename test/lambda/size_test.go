package lambda

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/doudi-aid/doudi"
)

// ceilings are what a binary may weigh unzipped, in units of 100 kB, a little
// above what it does: whoever passes one has put something heavy into every
// cold start, and says in docs/benchmarks.md why.
var ceilings = map[string]int64{
	"apply":     103,
	"complain":  121,
	"decide":    134,
	"disclose":  114,
	"discover":  112,
	"log":       91,
	"notify":    91,
	"oversee":   110,
	"pay":       101,
	"relay":     73,
	"settle":    104,
	"signin":    108,
	"supervise": 114,
	"sweep":     92,
	"verify":    113,
}

func TestSizes(t *testing.T) {
	t.Parallel()
	dir, err := zips()
	if err != nil {
		t.Fatal(err)
	}
	template, err := doudi.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name := range template.Functions {
		info, err := os.Stat(filepath.Join(dir, name, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		if most, known := ceilings[name]; !known || info.Size() > most*100_000 {
			t.Errorf("%s weighs %d bytes, its ceiling is %d", name, info.Size(), most*100_000)
		}
	}
}
