package lambda

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/doudi-aid/doudi"
)

// ceilings are what a binary may weigh unzipped, in units of 100 kB, a little
// above what it does: whoever passes one has put something heavy into every
// cold start, and says in docs/benchmarks.md why. They are for amd64; what runs on
// arm64 weighs a tenth less.
var ceilings = map[string]int64{
	"apply":     87,
	"complain":  91,
	"decide":    102,
	"disclose":  86,
	"discover":  83,
	"log":       76,
	"notify":    76,
	"oversee":   81,
	"pay":       85,
	"relay":     65,
	"settle":    89,
	"signin":    77,
	"supervise": 87,
	"sweep":     77,
	"verify":    84,
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
