package seed_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/staff/seed"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var at = time.Date(2026, 11, 20, 9, 0, 0, 0, calendar.Zone)

func planted(t *testing.T) (*embedded.Store, *seal.KeyFile) {
	t.Helper()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	store := embedded.Memory()
	for range 2 { // at every start
		if err := seed.Staff(context.Background(), store, seal.NewBox(keys, rand.Reader), keys.Blind(), at); err != nil {
			t.Fatal(err)
		}
	}
	return store, keys
}

// Every shipped region has somebody for every part, in divisions that exist,
// each a person of their own.
func TestEveryRegionHasItsStaff(t *testing.T) {
	t.Parallel()
	store, keys := planted(t)
	tree := division.Shipped()
	people := map[string]string{}
	for _, region := range tree.Regions() {
		for id, role := range map[string]staff.Role{"clerk-1": staff.Clerk, "clerk-2": staff.Clerk, "reviewer-1": staff.Reviewer,
			"approver-1": staff.Approver, "county-1": staff.Approver, "finance-1": staff.Finance, "supervisor-1": staff.Supervisor, "auditor-1": staff.Auditor, "grid-1": staff.Visitor} {
			s, err := staff.Acting(t.Context(), store, seed.ID(string(region)[:6], id))
			if err != nil {
				t.Errorf("%s %s: %v", region, id, err)
				continue
			}
			in := s.Holds(at, role)
			if len(in) != 1 || !tree.Within(in[0], region, calendar.Today(at)) || s.Version != 1 {
				t.Errorf("%s: %s in %v, version %d", s.ID, role, in, s.Version)
			}
			if id == "county-1" && in[0].Level() != civil.CountyLevel || id == "approver-1" && in[0].Level() != civil.TownshipLevel {
				t.Errorf("%s decides in %v", s.ID, in)
			}
			if other, twice := people[s.Person]; twice {
				t.Errorf("%s and %s are one person", s.ID, other)
			}
			people[s.Person] = s.ID
			name, err := s.OpenName(t.Context(), seal.NewBox(keys, rand.Reader))
			if err != nil || name.Empty() {
				t.Errorf("%s has no name: %v", s.ID, err)
			}
			if id == "clerk-1" && len(s.Kin) != 1 {
				t.Errorf("%s has declared %d kin", s.ID, len(s.Kin))
			}
		}
	}
}

// Kin is declared under every live key, so that a rotation does not hide it.
func TestKinIsFoundUnderEveryKey(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	paper, err := civil.ParsePaper(civil.IDCard, "32040219731216951X", calendar.Today(at))
	if err != nil {
		t.Fatal(err)
	}
	former := application.PersonRef(keys.Blind(), paper, "")
	if err := keys.RotateBlind(); err != nil {
		t.Fatal(err)
	}
	store := embedded.Memory()
	if err := seed.Staff(t.Context(), store, seal.NewBox(keys, rand.Reader), keys.Blind(), at); err != nil {
		t.Fatal(err)
	}
	s, err := staff.Get(t.Context(), store, seed.ID("320400", "clerk-1"))
	if err != nil || !slices.Contains(s.Kin, former) || !slices.Contains(s.Kin, application.PersonRef(keys.Blind(), paper, "")) {
		t.Errorf("kin %v %v", s.Kin, err)
	}
}

// A newcomer can play a case in any township: whoever is named there is
// appointed, once, as a person of their own; nobody is appointed anywhere else.
func TestOfficesAreStaffedWhenTheyAreNamed(t *testing.T) {
	t.Parallel()
	store, keys := planted(t)
	box, tree := seal.NewBox(keys, rand.Reader), division.Shipped()
	people := map[string]string{}
	for _, id := range []string{"320411002-clerk-1", "320411002-clerk-2", "320411002-approver-1", "320411-county-1", "511703100-clerk-1", "120112104-clerk-1", "120112104-approver-1"} {
		for range 2 {
			if err := seed.Office(t.Context(), store, box, keys.Blind(), tree, id, at); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
		}
		s, err := staff.Acting(t.Context(), store, id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if s.Version != 1 || len(s.Grants) != 1 || string(s.Grants[0].Division)[:len(id[:6])] != id[:6] || people[s.Person] != "" {
			t.Errorf("%s: %+v, also %s", id, s.Grants, people[s.Person])
		}
		people[s.Person] = id
	}
	for _, id := range []string{"320411002-county-1", "320411-clerk-1", "999999001-clerk-1", "320411999-clerk-1", "320411002-mayor-1", "320400-clerk-9"} {
		if err := seed.Office(t.Context(), store, box, keys.Blind(), tree, id, at); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := staff.Get(t.Context(), store, id); err == nil {
			t.Errorf("%s was appointed", id)
		}
	}
}
