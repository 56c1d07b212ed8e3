package seal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

const canary = "110101199003074514"

var here = seal.Place{Table: "doudi", PK: "APP#1", SK: "PARTICULARS", Field: "id_number"}

func keyFile(t *testing.T) (*seal.KeyFile, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	f, err := seal.OpenKeyFile(path, ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

func sealed(t *testing.T, keys seal.Keys) []byte {
	t.Helper()
	out, err := seal.NewBox(keys, rand.Reader).Seal(t.Context(), here, []byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t *testing.T, keys seal.Keys, at seal.Place, env []byte) (string, error) {
	t.Helper()
	plain, err := seal.NewBox(keys, rand.Reader).Open(t.Context(), at, env)
	return string(plain), err
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	keys, _ := keyFile(t)
	a, b := sealed(t, keys), sealed(t, keys)
	if got, err := open(t, keys, here, a); err != nil || got != canary {
		t.Fatalf("%q %v", got, err)
	}
	if bytes.Equal(a, b) {
		t.Error("the same field sealed twice looks the same")
	}
	if bytes.Contains(a, []byte(canary)) || bytes.Contains(a, []byte(canary[:6])) {
		t.Error("the canary shows in the envelope")
	}
	empty, err := seal.NewBox(keys, rand.Reader).Seal(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, keys, here, empty); err != nil || got != "" {
		t.Errorf("empty: %q %v", got, err)
	}
	if _, err := seal.NewBox(keys, strings.NewReader("short")).Seal(t.Context(), here, nil); err == nil {
		t.Error("sealed without randomness")
	}
}

func TestP02X116OpensOnlyWhereItWasSealed(t *testing.T) {
	t.Parallel()
	keys, _ := keyFile(t)
	env := sealed(t, keys)
	for name, at := range map[string]seal.Place{
		"other_table":    {Table: "doudi2", PK: here.PK, SK: here.SK, Field: here.Field},
		"other_row":      {Table: here.Table, PK: "APP#2", SK: here.SK, Field: here.Field},
		"other_sort_key": {Table: here.Table, PK: here.PK, SK: "PARTICULARS2", Field: here.Field},
		"other_field":    {Table: here.Table, PK: here.PK, SK: here.SK, Field: "name"},
		// The same letters, cut differently.
		"shifted": {Table: here.Table, PK: here.PK + here.SK[:1], SK: here.SK[1:], Field: here.Field},
		"nowhere": {},
	} {
		if got, err := open(t, keys, at, env); !errors.Is(err, seal.ErrOpen) || got != "" {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	strangers, _ := keyFile(t)
	if _, err := open(t, strangers, here, env); !errors.Is(err, seal.ErrKey) {
		t.Errorf("another machine's keys: %v", err)
	}
}

func TestEveryChangedBitIsNoticed(t *testing.T) {
	t.Parallel()
	keys, _ := keyFile(t)
	env := sealed(t, keys)
	for i := range env {
		for bit := range 8 {
			bad := bytes.Clone(env)
			bad[i] ^= 1 << bit
			if got, err := open(t, keys, here, bad); err == nil || got != "" {
				t.Fatalf("byte %d bit %d: opened", i, bit)
			}
		}
		if got, err := open(t, keys, here, env[:i]); err == nil || got != "" {
			t.Fatalf("cut to %d bytes: opened", i)
		}
	}
	if _, err := open(t, keys, here, append(bytes.Clone(env), 0)); err == nil {
		t.Error("lengthened: opened")
	}
}

// swapped answers another key under the id of the first, as a store mix-up would.
type swapped struct{ seal.Key }

func (s swapped) Current(context.Context) (seal.Key, error)      { return s.Key, nil }
func (s swapped) ByID(context.Context, string) (seal.Key, error) { return s.Key, nil }

func TestKeyIDIsBound(t *testing.T) {
	t.Parallel()
	secret := make([]byte, seal.AES256GCM.KeyBytes())
	a, err := seal.NewKey("a", seal.AES256GCM, secret)
	if err != nil {
		t.Fatal(err)
	}
	env := sealed(t, swapped{a})
	renamed := bytes.Replace(bytes.Clone(env), []byte{1, 1, 1, 'a'}, []byte{1, 1, 1, 'b'}, 1)
	if _, err := open(t, swapped{a}, here, renamed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("the envelope opened under another key's name: %v", err)
	}
	for _, bad := range []struct {
		id  string
		alg seal.Algorithm
		n   int
	}{{"", seal.AES256GCM, 32}, {"a", seal.AES256GCM, 16}, {"a", seal.SM4GCM, 32}, {"a", 0, 32}, {"a", 3, 16}, {strings.Repeat("a", 65), seal.AES256GCM, 32}} {
		if _, err := seal.NewKey(bad.id, bad.alg, make([]byte, bad.n)); err == nil {
			t.Errorf("key %v was made", bad)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %x", a, a, a, a); strings.Contains(got, "0000") || got != "key a key a key a key a" {
		t.Errorf("a key prints as %s", got)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	keys, path := keyFile(t)
	before, ref := sealed(t, keys), keys.Blind().Ref("person", canary)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := errors.Join(keys.Rotate(), keys.RotateBlind()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	after := sealed(t, keys)
	reopened, err := seal.OpenKeyFile(path, ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]byte{before, after} {
		if got, err := open(t, reopened, here, env); err != nil || got != canary {
			t.Errorf("%q %v", got, err)
		}
	}
	if bytes.Equal(before[3:29], after[3:29]) {
		t.Error("the new key is not used")
	}
	refs := reopened.Blind().Refs("person", canary)
	if len(refs) != 5 || refs[4] != ref || refs[0] != reopened.Blind().Ref("person", canary) || !strings.HasPrefix(refs[0], "b5.") {
		t.Errorf("refs %v, first %s", refs, ref)
	}
}

func TestBlindReferences(t *testing.T) {
	t.Parallel()
	keys, _ := keyFile(t)
	b := keys.Blind()
	ref := b.Ref("person", canary)
	if ref != b.Ref("person", canary) || len(ref) != 55 || !strings.HasPrefix(ref, "b1.") || strings.Contains(ref, canary) {
		t.Errorf("ref %s", ref)
	}
	for _, other := range []string{b.Ref("account", canary), b.Ref("person", canary+"0"), b.Ref("perso", "n"+canary), b.Ref("", "person"+canary)} {
		if other == ref {
			t.Error("two values share a reference")
		}
	}
	strangers, _ := keyFile(t)
	if strangers.Blind().Ref("person", canary) == ref {
		t.Error("the reference is not keyed (X117)")
	}
	one, _ := seal.NewBlindKey(1, make([]byte, seal.BlindKeyBytes))
	if _, err := seal.NewBlind(one, one); err == nil {
		t.Error("one version twice")
	}
	if _, err := seal.NewBlind(); err == nil {
		t.Error("a blind without a key")
	}
	for _, bad := range []struct{ v, n int }{{0, 32}, {1, 31}} {
		if _, err := seal.NewBlindKey(bad.v, make([]byte, bad.n)); err == nil {
			t.Errorf("blind key %v was made", bad)
		}
	}
	if got := fmt.Sprintf("%v %#v", one, one); got != "blind key b1 blind key b1" {
		t.Errorf("prints as %s", got)
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	keys, path := keyFile(t)
	env := sealed(t, keys)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v %v", info.Mode(), err)
	}
	if strays, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".keys-*")); len(strays) > 0 {
		t.Errorf("left behind: %v", strays)
	}
	again, err := seal.OpenKeyFile(path, ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, again, here, env); err != nil || got != canary {
		t.Errorf("after a restart: %q %v", got, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.OpenKeyFile(path, ident.Random()); !errors.Is(err, seal.ErrKeyFile) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenKeyFile(link, ident.Random()); !errors.Is(err, seal.ErrKeyFile) {
		t.Errorf("a link: %v", err)
	}
	if _, err := seal.OpenKeyFile(filepath.Join(path, "below", "keys"), ident.Random()); err == nil {
		t.Error("made a file where none can be")
	}
}

func TestDamagedKeyFilesAreRefusedWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for name, content := range map[string]string{
		"empty": "", "not_json": secret, "other_version": `{"version":2}`, "no_keys": `{"version":1}`,
		"short_secret":  `{"version":1,"data":[{"id":"a","secret":"AAAA"}],"blind":[{"version":1,"secret":"` + secret + `"}]}`,
		"blind_twice":   `{"version":1,"data":[{"id":"a","secret":"` + secret + `"}],"blind":[{"version":1,"secret":"` + secret + `"},{"version":1,"secret":"` + secret + `"}]}`,
		"short_blind":   `{"version":1,"data":[{"id":"a","secret":"` + secret + `"}],"blind":[{"version":1,"secret":""}]}`,
		"secret_broken": `{"version":1,"data":[{"id":"a","secret":"` + secret + `!"}]}`,
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := seal.OpenKeyFile(path, ident.Random())
		if !errors.Is(err, seal.ErrKeyFile) || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadFile(path); string(left) != content {
			t.Errorf("%s: a refused file was changed", name)
		}
	}
}

// Two processes that start together must end up with the same keys.
func TestKeyFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	refs := make([]string, 8)
	var wg sync.WaitGroup
	for i := range refs {
		wg.Go(func() {
			f, err := seal.OpenKeyFile(path, ident.Random())
			if err != nil {
				t.Error(err)
				return
			}
			refs[i] = f.Blind().Ref("k", "v")
		})
	}
	wg.Wait()
	for _, r := range refs {
		if r != refs[0] || r == "" {
			t.Fatalf("keys differ: %v", refs)
		}
	}
	raw, _ := os.ReadFile(path)
	var form struct{ Data, Blind []json.RawMessage }
	if err := json.Unmarshal(raw, &form); err != nil || len(form.Data) != 1 || len(form.Blind) != 1 {
		t.Errorf("%d data and %d blind keys, %v", len(form.Data), len(form.Blind), err)
	}
}
