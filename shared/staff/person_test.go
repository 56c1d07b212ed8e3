package staff_test

import (
	"context"
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
	change(declare("b1.c"))
	if of("b1.b") != "y" || of("b1.c") != "x" {
		t.Error("who is declared no more, after one who still is, has not ended")
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

// Revoking ends what was declared, and tells when; coming back begins anew.
// Nothing else ends it: not a change that is made twice, nor the order of keys.
func TestADeclarationEndsOnceAndIsToldFrom(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	sessions := session.NewStore(store, rand.Reader, func() time.Time { return noon })
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
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
	told := func(fact, want string) {
		t.Helper()
		item, _, err := store.Get(t.Context(), table.Key{PK: "KIN#b1.a", SK: "STAFF#x"})
		if err != nil || string(item.Body) != want {
			t.Errorf("%s: %s, %v", fact, item.Body, err)
		}
	}
	if err := staff.Appoint(t.Context(), store, staff.Staff{ID: "x", Active: true, Kin: []string{"b1.a", "b1.a"}}, registry, day(0)); err != nil {
		t.Fatal(err)
	}
	told("declared_twice_in_one_breath_is_one", `{"staff":"x","from":"2026-11-20T12:00:00Z"}`)
	change(func(s staff.Staff) error {
		return staff.Declare(t.Context(), store, s, []string{"b2.a", "b1.a"}, registry, day(1))
	})
	told("declared_again_holds_since_the_first_time", `{"staff":"x","from":"2026-11-20T12:00:00Z"}`)
	leave := func(at time.Time) func(staff.Staff) error {
		return func(s staff.Staff) error {
			return staff.Revoke(t.Context(), store, sessions, s, "left", registry, at)
		}
	}
	change(leave(day(2)))
	told("revoked_ends_it", `{"staff":"x","from":"2026-11-20T12:00:00Z","until":"2026-11-22T12:00:00Z"}`)
	change(leave(day(3)))
	told("revoked_again_moves_no_end", `{"staff":"x","from":"2026-11-20T12:00:00Z","until":"2026-11-22T12:00:00Z"}`)
	change(func(s staff.Staff) error {
		s.Active = true
		return staff.Assign(t.Context(), store, s, s.Grants, registry, day(4))
	})
	told("back_at_work_it_begins_anew", `{"staff":"x","from":"2026-11-24T12:00:00Z"}`)
	for _, ref := range []string{"b1.a", "b2.a"} {
		if ids, err := staff.KinOf(t.Context(), store, []string{ref}); err != nil || !slices.Equal(ids, []string{"x"}) {
			t.Errorf("back at work, %s: %v, %v", ref, ids, err)
		}
	}
}

// Many may declare one relative, and a page may end early.
func TestKinOnALaterPageAreFound(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	for _, id := range []string{"z", "x", "y"} {
		if err := staff.Appoint(t.Context(), store, staff.Staff{ID: id, Active: true, Kin: []string{"b1.a"}}, registry, noon); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := staff.KinOf(t.Context(), short{store}, []string{"b1.a"}); err != nil || !slices.Equal(ids, []string{"x", "y", "z"}) {
		t.Errorf("%v, %v", ids, err)
	}
}

// short gives one item a page.
type short struct{ table.Store }

func (s short) Query(ctx context.Context, q table.Query) (table.Page, error) {
	q.Limit = 1
	return s.Store.Query(ctx, q)
}

// failing cannot read what lies under prefix.
type failing struct {
	table.Store
	prefix string
}

func (f failing) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if strings.HasPrefix(k.PK, f.prefix) {
		return table.Item{}, false, table.ErrBusy
	}
	return f.Store.Get(ctx, k)
}

func (f failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if strings.HasPrefix(q.PK, f.prefix) {
		return table.Page{}, table.ErrBusy
	}
	return f.Store.Query(ctx, q)
}

// What is declared and who declares it change together or not at all: a change
// that could not read all it needs is not half made.
func TestAChangeThatCannotReadWhatWasDeclaredIsNotMade(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	sessions := session.NewStore(store, rand.Reader, func() time.Time { return noon })
	if err := staff.Appoint(t.Context(), store, staff.Staff{ID: "x", Active: true, Kin: []string{"b1.a"}}, registry, noon); err != nil {
		t.Fatal(err)
	}
	s, err := staff.Get(t.Context(), store, "x")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prefix string
		change func(table.Store) error
	}{
		"the_new_relative_cannot_be_read": {"KIN#b1.b", func(over table.Store) error {
			return staff.Declare(t.Context(), over, s, []string{"b1.a", "b1.b"}, registry, noon)
		}},
		"the_former_relative_cannot_be_read": {"KIN#b1.a", func(over table.Store) error {
			return staff.Declare(t.Context(), over, s, nil, registry, noon)
		}},
		"revoked_but_the_relative_cannot_be_read": {"KIN#b1.a", func(over table.Store) error {
			return staff.Revoke(t.Context(), over, sessions, s, "left", registry, noon)
		}},
		"what_was_declared_before_cannot_be_read": {"STAFF#x", func(over table.Store) error {
			return staff.Declare(t.Context(), over, s, nil, registry, noon)
		}},
	} {
		if err := c.change(failing{store, c.prefix}); !errors.Is(err, table.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
		now, err := staff.Get(t.Context(), store, "x")
		if err != nil || now.Version != s.Version || !now.Active || !slices.Equal(now.Kin, s.Kin) {
			t.Errorf("%s: half made: %+v, %v", name, now, err)
		}
		if ids, err := staff.KinOf(t.Context(), store, []string{"b1.a"}); err != nil || !slices.Equal(ids, []string{"x"}) {
			t.Errorf("%s: half made: %v, %v", name, ids, err)
		}
	}
	// Nobody stands back is an answer; not knowing is none.
	if ids, err := staff.KinOf(t.Context(), failing{store, "KIN#b1.b"}, []string{"b1.a", "b1.b"}); !errors.Is(err, table.ErrBusy) || ids != nil {
		t.Errorf("half of the references were given as all: %v, %v", ids, err)
	}
}

// Without papers there is nothing to make references from: what was declared
// bare stays as it was, and nobody becomes somebody else by a rotation.
func TestWithoutPapersNothingIsAdded(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	bare := staff.Staff{ID: "x", Person: "b1.x", Kin: []string{"b1.a"}}
	s, err := bare.Known(t.Context(), seal.NewBox(keys, rand.Reader), keys.Blind())
	if err != nil || s.Person != "b1.x" || !slices.Equal(s.Kin, bare.Kin) || s.Actor("").Person != "b1.x" {
		t.Errorf("%+v, %v", s, err)
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
	// Sealed by us in the right place, yet no papers: the error quotes nothing.
	rubbish := "320402197201109004"
	if s.Papers, err = box.Seal(t.Context(), seal.Place{Table: application.TableName, PK: "STAFF#y", SK: "HEAD", Field: "papers"}, []byte(`"`+rubbish)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Known(t.Context(), box, keys.Blind()); err == nil || strings.Contains(err.Error(), rubbish) {
		t.Errorf("damaged papers: %v", err)
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
	if _, err := (staff.Staff{ID: "x"}).WithPapers(t.Context(), seal.NewBox(keys, strings.NewReader("")), keys.Blind(), idCard(t, rubbish), nil); err == nil || strings.Contains(err.Error(), rubbish) {
		t.Errorf("papers that could not be sealed: %v", err)
	}
	// A damaged member of staff neither acts nor is written over.
	head := table.Item{Key: staff.Key("z"), Version: 1, Body: []byte("{")}
	if err := store.Transact(t.Context(), table.Put{Item: head}); err != nil {
		t.Fatal(err)
	}
	if _, err := staff.Acting(t.Context(), store, "z"); err == nil || errors.Is(err, session.ErrNone) {
		t.Errorf("a damaged member of staff reads as %v", err)
	}
	z := staff.Staff{ID: "z", Version: 1, Active: true}
	if err := staff.Assign(t.Context(), store, z, nil, registry, noon); err == nil {
		t.Error("a damaged member of staff is written over, and what was declared forgotten")
	}
	if item, _, err := store.Get(t.Context(), head.Key); err != nil || item.Version != 1 {
		t.Errorf("version %d, %v", item.Version, err)
	}
}

// Who is compared with the persons of an earlier step is all that the person is
// known by, and never the nobody of a record without one.
func TestAllThatAPersonIsKnownBy(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	box, own := seal.NewBox(keys, rand.Reader), idCard(t, "320402197201109004")
	s, err := staff.Staff{ID: "x", Active: true}.WithPapers(t.Context(), box, keys.Blind(), own, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := s.Person
	if err := keys.RotateBlind(); err != nil {
		t.Fatal(err)
	}
	if s, err = s.Known(t.Context(), box, keys.Blind()); err != nil {
		t.Fatal(err)
	}
	now := application.PersonRef(keys.Blind(), own, "")
	if got := s.Persons(); !slices.Contains(got, old) || !slices.Contains(got, now) || slices.Contains(got, "") {
		t.Errorf("known by %v, not by %s and %s", got, old, now)
	}
	if got := (staff.Staff{ID: "y"}).Persons(); len(got) != 0 {
		t.Errorf("nobody is known by %q", got)
	}
}
