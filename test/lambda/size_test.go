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
	"relay":     90,
	"log":       93,
	"sweep":     101,
	"pay":       104,
	"settle":    104,
	"notify":    104,
	"signin":    119,
	"apply":     123,
	"verify":    126,
	"decide":    127,
	"oversee":   112,
	"discover":  125,
	"supervise": 125,
	"complain":  115,
	"disclose":  110,
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
