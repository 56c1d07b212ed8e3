package acting_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/acting"
	"github.com/doudi-aid/doudi/shared/brake"
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
	noon     = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	registry = event.Actor{Kind: event.System, ID: "registry"}
)

// away is a store that does not answer for one partition.
type away struct {
	table.Store
	pk string
}

func (a away) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if a.pk == k.PK {
		return table.Item{}, false, table.ErrBusy
	}
	return a.Store.Get(ctx, k)
}

func keyring(t *testing.T) *seal.KeyFile {
	t.Helper()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func paperOf(t *testing.T, number string) civil.Paper {
	t.Helper()
	p, err := civil.ParsePaper(civil.IDCard, number, civil.DayOf(noon, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Who is stopped neither acts nor reads, under whichever account and blind key;
// everybody else is known and gets the board of their own copy.
func TestWhoIsStoppedDoesNotAct(t *testing.T) {
	t.Parallel()
	store, keys := embedded.Memory(), keyring(t)
	box := seal.NewBox(keys, rand.Reader)
	appoint := func(id string, paper civil.Paper) staff.Staff {
		s, err := staff.Staff{ID: id, Active: true}.WithPapers(t.Context(), box, keys.Blind(), paper, nil)
		if err == nil {
			err = staff.Appoint(t.Context(), store, s, registry, noon)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	own, hers := paperOf(t, "320402197201109004"), paperOf(t, "32040219731216951X")
	stopped := appoint("his", own)
	if err := keys.RotateBlind(); err != nil {
		t.Fatal(err)
	}
	second := appoint("his-other", own)
	appoint("hers", hers)
	if second.Person == stopped.Person {
		t.Fatal("both accounts have one reference; the test shows nothing")
	}
	act := func(st table.Store, id string, at time.Time) error {
		who, board, err := acting.As(t.Context(), st, box, keys.Blind(), id, at)
		if err == nil && (who.ID != id || len(who.Persons()) < 2 || board.Check() != read(t, store, id).Check()) {
			t.Errorf("%s: %+v, board %+v", id, who, board.Check())
		}
		return err
	}
	for _, id := range []string{"his", "his-other", "hers"} {
		if err := act(store, id, noon); err != nil {
			t.Errorf("%s before: %v", id, err)
		}
	}
	b, err := brake.New(brake.Brake{ID: "x", Kind: brake.Officer, Target: "his", Persons: []string{stopped.Person}, Division: "320402005000"},
		event.Actor{Kind: event.Staff, ID: "supervisor", Person: "b1.s"}, noon)
	if err == nil {
		err = brake.Commit(t.Context(), store, read(t, store, "any"), b, b.Event("pulled", b.Pulled.By, noon))
	}
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"his": brake.ErrFrozen, "his-other": brake.ErrFrozen, "hers": nil} {
		if err := act(store, id, noon); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
		if err := act(store, id, noon.Add(brake.Alone)); err != nil {
			t.Errorf("%s after the lapse: %v", id, err)
		}
	}
	// Nothing that is not known lets anybody act.
	if err := act(store, "nobody", noon); !errors.Is(err, session.ErrNone) {
		t.Errorf("nobody: %v", err)
	}
	for what, pk := range map[string]string{"staff": staff.Key("hers").PK, "the board": read(t, store, "hers").Check().Key.PK} {
		if err := act(away{store, pk}, "hers", noon); !errors.Is(err, table.ErrBusy) {
			t.Errorf("%s does not answer: %v", what, err)
		}
	}
	if _, _, err := acting.As(t.Context(), store, seal.NewBox(keyring(t), rand.Reader), keys.Blind(), "hers", noon); err == nil {
		t.Error("acts although the papers cannot be opened")
	}
	if err := staff.Revoke(t.Context(), store, session.NewStore(store, rand.Reader, func() time.Time { return noon }), mustGet(t, store, "hers"), "moved", registry, noon); err != nil {
		t.Fatal(err)
	}
	if err := act(store, "hers", noon); !errors.Is(err, session.ErrNone) {
		t.Errorf("after the removal: %v", err)
	}
}

func mustGet(t *testing.T, store table.Store, id string) staff.Staff {
	t.Helper()
	s, err := staff.Get(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, store table.Store, id string) brake.Board {
	t.Helper()
	board, err := brake.Read(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	return board
}
