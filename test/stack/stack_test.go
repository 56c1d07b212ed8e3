// Package stack holds the templates against what AWS itself would make of them:
// the expansion CloudFormation sees, the SAM CLI's own checks, and what each
// role may and may not do by a simulation of IAM. It needs no account. The rules
// of this house for templates are in template_test.go at the root.
package stack

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew instead of comparing")

const (
	root  = "../.."
	sam   = ".tools/sam/bin/"
	nodes = ".tools/node"
)

// tool is a command in the project's root, with what the SAM CLI must be told
// to stay at home.
func tool(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if strings.HasPrefix(name, ".tools/") {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Fatalf("%s is not there: run make tools", name)
		}
		name = "./" + name
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "SAM_CLI_TELEMETRY_DISABLED=1", "AWS_DEFAULT_REGION=cn-north-1", "AWS_EC2_METADATA_DISABLED=true",
		"HOME="+t.TempDir(), "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// TestExpansion: what CloudFormation gets is what was reviewed, and the same in
// China and elsewhere. Renew testdata with `make docs`.
func TestExpansion(t *testing.T) {
	t.Parallel()
	const golden = "testdata/expanded.yaml"
	for _, region := range []string{"cn-north-1", "us-east-1"} {
		var errs bytes.Buffer
		cmd := tool(t, sam+"python", "test/stack/expand.py", "template.yaml", region)
		cmd.Stderr = &errs
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", region, err, errs.Bytes())
		}
		if *update && region == "cn-north-1" {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string]string{"partition": "arn:aws:", "suffix": ".amazonaws.com/"} {
			if strings.Contains(string(got), bad) {
				t.Errorf("%s: a literal %s: %s", region, name, bad)
			}
		}
		difference(t, region, string(want), string(got))
	}
}

// difference shows the first place at which two texts part.
func difference(t *testing.T, what, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		at := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return "(nothing)"
		}
		if at(w) != at(g) {
			t.Errorf("%s: line %d of the expansion is\n\t%s\nand testdata has\n\t%s\nWhen that is meant, renew it with make docs and read the difference.", what, i+1, at(g), at(w))
			return
		}
	}
}

func TestSAM(t *testing.T) {
	t.Parallel()
	if out, err := tool(t, sam+"sam", "validate", "--lint", "--template", "template.yaml").CombinedOutput(); err != nil {
		t.Errorf("sam validate --lint: %v\n%s", err, out)
	}
	// The zips are made by make build; the SAM CLI takes them as they are.
	out := t.TempDir()
	if said, err := tool(t, sam+"sam", "build", "--template", "template.yaml", "--build-dir", out).CombinedOutput(); err != nil {
		t.Fatalf("sam build: %v\n%s", err, said)
	}
	for _, name := range []string{"template.yaml", "Data/template.yaml", "Identity/template.yaml"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Errorf("sam build left no %s", name)
		}
	}
	broken := filepath.Join(t.TempDir(), "template.yaml")
	body, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	body = bytes.Replace(body, []byte("MemorySize: 256"), []byte("MemorySizes: 256"), 1)
	if err := os.WriteFile(broken, body, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tool(t, sam+"sam", "validate", "--lint", "--template", broken).Run(); err == nil {
		t.Error("sam validate --lint takes a property that does not exist")
	}
}
