// Package reproducible builds what is deployed twice and compares it byte by
// byte.
package reproducible

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSameSourceSameZip builds one function here, with whatever the compiler
// remembers, and once more from a copy of the source in another folder that no
// version control knows, with nothing remembered.
func TestSameSourceSameZip(t *testing.T) {
	const function, arch = "relay", "arm64"
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "a copy")
	for _, dir := range []string{"functions", "shared", "scripts"} {
		if err := os.CopyFS(filepath.Join(elsewhere, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(elsewhere, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := func(source string, flags string) []byte {
		t.Helper()
		into := t.TempDir()
		cmd := exec.Command("scripts/build", arch, into, function)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "BUILD="+flags)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		zip, err := os.ReadFile(filepath.Join(into, function+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		return zip
	}
	if first, second := build(root, ""), build(elsewhere, "-a"); !bytes.Equal(first, second) {
		t.Errorf("%d and %d bytes differ: every build would publish a new version of what nobody changed", len(first), len(second))
	}
}
