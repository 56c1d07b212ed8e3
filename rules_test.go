package doudi_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
	"github.com/doudi-aid/doudi/shared/staff/compile"
)

// What ships of the rules says what the reviewed region files say, no more and
// no less: money is worked out by the one and people read the other.
func TestTheShippedRulesAreTheRegionFiles(t *testing.T) {
	book, err := policy.Load(os.DirFS("shared/policy/data"), division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	want, err := book.Pack()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	again, err := shipped.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range want {
		got, err := os.ReadFile(filepath.Join("shared/policy/shipped", name))
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("shared/policy/shipped/%s is not what the region files say: run make rules (%v)", name, err)
		}
		if !bytes.Equal(again[name], raw) {
			t.Errorf("%s: what is read back is not what was packed", name)
		}
	}
	there, err := filepath.Glob("shared/policy/shipped/*")
	if err != nil || len(there) != len(want) {
		t.Errorf("shared/policy/shipped has %d files, the region files make %d: run make rules (%v)", len(there), len(want), err)
	}
}

// The same of the modules and clocks of complaints.
func TestTheShippedRulesOfComplaintsAreTheRegionFiles(t *testing.T) {
	want, err := complaint.Compile(os.DirFS("shared/complaint/data"), division.Shipped(), regionfile.Parse)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("shared/complaint/shipped/rules.json"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("shared/complaint/shipped is not what the region files say: run make rules (%v)", err)
	}
}

// The same of who may do what.
func TestTheCompiledPoliciesAreThePolicies(t *testing.T) {
	want, err := compile.Go(os.DirFS("shared/staff/policies"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("shared/staff/compiled.go"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("shared/staff/compiled.go is not what the policies say: run make rules (%v)", err)
	}
}
