package seal

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
)

func TestAWornKeySealsNoMore(t *testing.T) {
	t.Parallel()
	f, err := OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	f.uses = MaxUses - 1
	if _, err := f.Current(t.Context()); err != nil {
		t.Errorf("the last use: %v", err)
	}
	if _, err := f.Current(t.Context()); !errors.Is(err, ErrWorn) {
		t.Errorf("one use too many: %v", err)
	}
	if err := f.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Current(t.Context()); err != nil {
		t.Errorf("after rotation: %v", err)
	}
}
