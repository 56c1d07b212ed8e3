package seal_test

import (
	"errors"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

// An envelope says how it was sealed, and opens in no other way.
func TestSM4Envelope(t *testing.T) {
	t.Parallel()
	key, err := seal.NewKey("a", seal.SM4GCM, make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	env := sealed(t, swapped{key})
	if seal.Algorithm(env[1]) != seal.SM4GCM {
		t.Errorf("the envelope says %s", seal.Algorithm(env[1]))
	}
	if plain, err := open(t, swapped{key}, here, env); err != nil || plain != canary {
		t.Errorf("%q, %v", plain, err)
	}
	// A key of the same name and another algorithm does not open it, and neither
	// does the envelope with another algorithm written on it.
	other, err := seal.NewKey("a", seal.AES256GCM, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, swapped{other}, here, env); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("AES opened SM4: %v", err)
	}
	env[1] = byte(seal.AES256GCM)
	if _, err := open(t, swapped{key}, here, env); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a renamed algorithm opened: %v", err)
	}
}

func TestAlgorithmsHaveNames(t *testing.T) {
	t.Parallel()
	for _, a := range []seal.Algorithm{seal.AES256GCM, seal.SM4GCM} {
		if got, err := seal.ParseAlgorithm(a.String()); err != nil || got != a {
			t.Errorf("%s: %v, %v", a, got, err)
		}
	}
	for _, bad := range []string{"", "SM4", "aes-256-gcm", "AES-128-GCM"} {
		if got, err := seal.ParseAlgorithm(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, got)
		}
	}
}

// A machine goes over to SM4 with its next key; what was sealed before opens, and
// so it does after a restart.
func TestRotationToAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	keys, path := keyFile(t)
	before := sealed(t, keys)
	if err := keys.RotateTo(seal.SM4GCM); err != nil {
		t.Fatal(err)
	}
	after := sealed(t, keys)
	if seal.Algorithm(before[1]) != seal.AES256GCM || seal.Algorithm(after[1]) != seal.SM4GCM {
		t.Errorf("sealed by %d, then by %d", before[1], after[1])
	}
	again, err := seal.OpenKeyFile(path, ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]byte{before, after} {
		if plain, err := open(t, again, here, env); err != nil || plain != canary {
			t.Errorf("%q, %v", plain, err)
		}
	}
}
