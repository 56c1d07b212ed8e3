package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const plain = `package main

const limit = 1 << 2 // no comparison

func f(a, b int, s []int) bool {
	switch {
	case a > 9:
		return len(s) >= b && a != b
	}
	return a < b ||
		(b == 2 && g(a) <= b)
}

func g(a int) int { return a }
`

// Every mutant that the binary says it has must do what the mutant compiled on its
// own does: the switched program is run with each, over a grid of arguments.
func TestASwitchedMutantDoesWhatTheCompiledOneDoes(t *testing.T) {
	t.Parallel()
	with, ids, err := switched("f.go", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	const grid = `
func main() {
	for a := -1; a < 12; a++ {
		for b := -1; b < 4; b++ {
			for n := 0; n < 3; n++ {
				if f(a, b, make([]int, n)) { print("1") } else { print("0") }
			}
		}
	}
}
`
	out := func(name, src string, env ...string) string {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"go.mod": "module m\n", "f.go": src + grid, "aid.go": fmt.Sprintf(aid, "main")}
		for n, text := range files {
			if err := os.WriteFile(filepath.Join(dir, n), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run := exec.CommandContext(t.Context(), "go", "run", ".")
		run.Dir, run.Env = dir, append(os.Environ(), env...)
		b, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, b)
		}
		return string(b)
	}
	asIs := out("plain", plain)
	if got := out("off", string(with)); got != asIs {
		t.Error("with no mutant on, the program is another")
	}
	// Three of the seven, one of each kind, are compiled: each costs a build.
	compiled := map[string]string{
		"f.go:1:>=": strings.Replace(plain, "a > 9", "a >= 9", 1),
		"f.go:2:||": strings.Replace(plain, ">= b && a", ">= b || a", 1),
		"f.go:6:>=": strings.Replace(plain, "a < b ||", "a >= b ||", 1),
	}
	for id, src := range compiled {
		was, ok := changed("f.go", []byte(plain), []byte(src))
		if !ok {
			t.Errorf("%s was not seen", id)
		}
		if got := out("on", string(with), switchedOn+"="+was); got != out("alone", src) || got == asIs {
			t.Errorf("%s, seen as %s, does something else than it does alone", id, was)
		}
	}
	// What would call g twice, and what is a constant, is compiled.
	if want := "f.go:1:<= f.go:1:>= f.go:2:|| f.go:3:< f.go:3:> f.go:4:== f.go:5:&& f.go:6:>= f.go:6:<= f.go:7:|| f.go:8:!= f.go:9:>"; strings.Join(ids, " ") != want {
		t.Errorf("mutants %v, want %s", ids, want)
	}
}
