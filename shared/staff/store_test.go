package staff

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var registry = event.Actor{Kind: event.System, ID: "registry"}

func appointed(t *testing.T, store table.Store) Staff {
	t.Helper()
	s := Staff{ID: "320400-x", Region: "320400", Person: "b1.x", Active: true, Grants: []Grant{{Role: Clerk, Division: township, From: before}}}
	if err := Appoint(t.Context(), store, s, registry, noon); err != nil {
		t.Fatal(err)
	}
	s, err := Get(t.Context(), store, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryVersionHasAnEvent(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	s := appointed(t, store)
	if err := Assign(t.Context(), store, s, append(s.Grants, Grant{Role: Approver, Division: sibling, From: noon}), registry, noon); err != nil {
		t.Fatal(err)
	}
	s, _ = Get(t.Context(), store, s.ID)
	if err := Declare(t.Context(), store, s, []string{"b1.kin"}, registry, noon); err != nil {
		t.Fatal(err)
	}
	s, _ = Get(t.Context(), store, s.ID)
	sessions := session.NewStore(store, rand.Reader, func() time.Time { return noon })
	token, err := sessions.Open(t.Context(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: s.ID}, TTL: time.Hour, Checks: []table.Write{s.Check()}})
	if err != nil {
		t.Fatal(err)
	}
	if acting, err := Acting(t.Context(), store, s.ID); err != nil || acting.Version != 3 || len(acting.Grants) != 2 {
		t.Errorf("who works here may not act: %+v %v", acting, err)
	}
	if err := Revoke(t.Context(), store, sessions, s, "left", registry, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := sessions.Find(t.Context(), token); !errors.Is(err, session.ErrNone) {
		t.Errorf("the session outlives the removal: %v", err)
	}
	if _, err := Acting(t.Context(), store, s.ID); !errors.Is(err, session.ErrNone) {
		t.Errorf("somebody removed may act: %v", err)
	}
	s, err = Get(t.Context(), store, s.ID)
	if err != nil || s.Version != 4 || s.Active || len(s.Kin) != 1 || len(s.Grants) != 2 {
		t.Errorf("got %+v %v", s, err)
	}
	for v, kind := range []string{"appointed", "assigned", "kin_declared", "revoked"} {
		item, ok, err := store.Get(t.Context(), event.Key(Partition(s.ID), Noun, s.ID, int64(v+1)))
		if err != nil || !ok {
			t.Fatalf("no event for version %d (%v)", v+1, err)
		}
		if e, err := event.Decode(item); err != nil || e.Kind != kind || e.Actor != registry || !strings.Contains(e.Facts.Text("grants"), string(township)) {
			t.Errorf("version %d: %+v %v", v+1, e, err)
		}
	}
}

func TestAChangeOfWhatMovedIsNotMade(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	s := appointed(t, store)
	if err := Assign(t.Context(), store, s, nil, registry, noon); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"assign":  Assign(t.Context(), store, s, s.Grants, registry, noon),
		"appoint": Appoint(t.Context(), store, s, registry, noon),
		"revoke":  Revoke(t.Context(), store, nil, s, "left", registry, noon),
	} {
		if !errors.Is(err, ErrMovedOn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The condition that a decision carries fails as well.
	if err := store.Transact(t.Context(), s.Check()); err == nil {
		t.Error("a decision by somebody who was reassigned would stand")
	}
	if _, err := Get(t.Context(), store, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := Acting(t.Context(), store, "nobody"); !errors.Is(err, session.ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := Acting(t.Context(), down{store}, s.ID); !errors.Is(err, table.ErrBusy) {
		t.Errorf("got %v", err)
	}
}

type down struct{ table.Store }

func (down) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, table.ErrBusy
}

func TestGrantsHoldFromTheirFirstInstantToTheirLast(t *testing.T) {
	t.Parallel()
	g := Grant{Role: Clerk, Division: township, From: noon, Until: noon.Add(time.Hour)}
	s := Staff{Grants: []Grant{g, g}}
	for at, want := range map[time.Time]int{noon.Add(-1): 0, noon: 1, noon.Add(time.Hour - 1): 1, noon.Add(time.Hour): 0} {
		if got := len(s.Holds(at)); got != want {
			t.Errorf("at %s: %d divisions, want %d", at, got, want)
		}
	}
	if len(s.Holds(noon, Approver)) != 0 || len(s.held(noon.Add(time.Hour))) != 1 {
		t.Error("roles or former divisions are confused")
	}
	for _, r := range Roles() {
		if r.Label() == "" {
			t.Errorf("%s has no name", r)
		}
	}
}

// P01, P02: the name is sealed to its place, and nothing prints it.
func TestANameIsSealed(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	box := seal.NewBox(keys, rand.Reader)
	s := Staff{ID: "a"}
	if name, err := s.OpenName(t.Context(), box); err != nil || !name.Empty() {
		t.Errorf("no name: %v %v", name, err)
	}
	if s.Name, err = SealName(t.Context(), box, "a", redact.New("钱若溪")); err != nil {
		t.Fatal(err)
	}
	if name, err := s.OpenName(t.Context(), box); err != nil || name.Reveal() != "钱若溪" {
		t.Errorf("got %v", err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %s", s, s, s.Name), "钱若溪") {
		t.Error("the name prints")
	}
	s.ID = "b"
	if _, err := s.OpenName(t.Context(), box); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a name opens in another place: %v", err)
	}
}
