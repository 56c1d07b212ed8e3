package staff_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var (
	noon     = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	registry = event.Actor{Kind: event.System, ID: "registry"}
)

func idCard(t *testing.T, number string) civil.Paper {
	t.Helper()
	p, err := civil.ParsePaper(civil.IDCard, number, civil.DayOf(noon, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A blind key that changes makes no strangers: neither of the person nor of kin,
// whichever of staff, case and earlier step is the older.
func TestARotationMakesNoStrangers(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	store, box, old := embedded.Memory(), seal.NewBox(keys, rand.Reader), keys.Blind()
	own, sister, brother := idCard(t, "320402197201109004"), idCard(t, "32040219731216951X"), idCard(t, "320402197402119014")
	appoint := func(id string, blind *seal.Blind) {
		s, err := staff.Staff{ID: id, Active: true}.WithPapers(t.Context(), box, blind, own, []civil.Paper{sister})
		if err == nil {
			err = staff.Appoint(t.Context(), store, s, registry, noon)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	appoint("before", old)
	if err := keys.RotateBlind(); err != nil {
		t.Fatal(err)
	}
	appoint("after", keys.Blind())
	for _, id := range []string{"before", "after"} {
		s, err := staff.Get(t.Context(), store, id)
		if err == nil {
			s, err = s.Known(t.Context(), box, keys.Blind())
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, blind := range map[string]*seal.Blind{"old": old, "new": keys.Blind()} {
			mine, hers := application.PersonRef(blind, own, ""), application.PersonRef(blind, sister, "")
			for what, ref := range map[string]string{"self": mine, "kin": hers} {
				if !s.Concerned(application.Application{People: []string{"b1.other", ref}}) {
					t.Errorf("%s: %s of a case under the %s key is a stranger", id, what, name)
				}
			}
			if got := s.Actor("b1.other", mine); got.Person != mine {
				t.Errorf("%s acts as somebody else than under the %s key", id, name)
			}
		}
		if s.Concerned(application.Application{People: []string{application.PersonRef(old, brother, "")}}) || s.Actor("b1.other").Person != s.Person {
			t.Errorf("%s is taken for somebody else", id)
		}
		if text := fmt.Sprintf("%v %+v %s", s, s, s.Papers); strings.Contains(text, "32040219") {
			t.Errorf("%s: the papers print", id)
		}
	}
}

// Who declared somebody is found from that somebody's references, and no longer
// once the declaration or the work has ended.
func TestKinAreFoundFromTheirCase(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	sessions := session.NewStore(store, rand.Reader, func() time.Time { return noon })
	of := func(refs ...string) string {
		t.Helper()
		ids, err := staff.KinOf(t.Context(), store, refs)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(ids, " ")
	}
	change := func(f func(staff.Staff) error) {
		t.Helper()
		s, err := staff.Get(t.Context(), store, "x")
		if err == nil {
			err = f(s)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	declare := func(kin ...string) func(staff.Staff) error {
		return func(s staff.Staff) error { return staff.Declare(t.Context(), store, s, kin, registry, noon) }
	}
	for _, s := range []staff.Staff{{ID: "x", Active: true, Kin: []string{"b1.a", "b1.b"}}, {ID: "y", Active: true, Kin: []string{"b1.b"}}} {
		if err := staff.Appoint(t.Context(), store, s, registry, noon); err != nil {
			t.Fatal(err)
		}
	}
	if of("b1.a") != "x" || of("b1.b") != "x y" || of("b1.a", "b1.b") != "x y" || of("b1.c") != "" || of() != "" {
		t.Error("what was declared with the appointment is not found")
	}
	change(declare("b1.c", "b1.b"))
	if of("b1.a") != "" || of("b1.b") != "x y" || of("b1.c") != "x" {
		t.Error("another declaration does not replace the first")
	}
	change(declare("b1.a"))
	change(func(s staff.Staff) error { return staff.Assign(t.Context(), store, s, s.Grants, registry, noon) })
	if of("b1.a") != "x" || of("b1.c") != "" {
		t.Error("a declaration made again is not found")
	}
	change(func(s staff.Staff) error {
		return staff.Revoke(t.Context(), store, sessions, s, "left", registry, noon)
	})
	if of("b1.a", "b1.b") != "y" {
		t.Error("somebody who left is still asked to stand back")
	}
	s, err := staff.Get(t.Context(), store, "x")
	if err != nil || !slices.Equal(s.Kin, []string{"b1.a"}) {
		t.Errorf("what was declared is forgotten: %v %v", s.Kin, err)
	}
}

// What cannot be read lets nobody through as a stranger: it is an error.
func TestDamagedRecordsAreErrors(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	store, box := embedded.Memory(), seal.NewBox(keys, rand.Reader)
	s, err := staff.Staff{ID: "x", Active: true}.WithPapers(t.Context(), box, keys.Blind(), idCard(t, "320402197201109004"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.ID = "y"
	if _, err := s.Known(t.Context(), box, keys.Blind()); err == nil {
		t.Error("papers open in another place")
	}
	s.Papers, s.Kin = nil, []string{"b1.a"}
	broken := table.Put{Item: table.Item{Key: table.Key{PK: "KIN#b1.a", SK: "STAFF#y"}, Version: 1, Body: []byte("{")}}
	if err := store.Transact(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	if _, err := staff.KinOf(t.Context(), store, s.Kin); err == nil {
		t.Error("a damaged declaration reads as none")
	}
	if err := staff.Appoint(t.Context(), store, s, registry, noon); err == nil {
		t.Error("a damaged declaration is written over")
	}
	if _, err := staff.Get(t.Context(), store, "y"); !errors.Is(err, staff.ErrNotFound) {
		t.Errorf("somebody was appointed all the same: %v", err)
	}
}
