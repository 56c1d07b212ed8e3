package seal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

// FuzzOpen hands anything to whoever opens sealed fields: nothing opens but what was
// sealed, to the byte, and that only in its own place; everything else is ErrOpen, or
// ErrKey where it names a key that is not there.
func FuzzOpen(f *testing.F) {
	keys, err := seal.OpenKeyFile(filepath.Join(f.TempDir(), "keys"), ident.Random())
	if err != nil {
		f.Fatal(err)
	}
	box := seal.NewBox(keys, rand.Reader)
	var made [][]byte
	for _, alg := range []seal.Algorithm{seal.AES256GCM, seal.SM4GCM} {
		if err := keys.RotateTo(alg); err != nil {
			f.Fatal(err)
		}
		for _, plain := range []string{canary, ""} {
			one, err := box.Seal(f.Context(), here, []byte(plain))
			if err != nil {
				f.Fatal(err)
			}
			made = append(made, one)
			f.Add(one, "id_number")
			f.Add(one, "name")
			f.Add(one[:len(one)-1], "id_number")
			f.Add(append(bytes.Clone(one), 0), "id_number")
			f.Add(append([]byte{one[0], one[1] ^ 3}, one[2:]...), "id_number") // the other algorithm
		}
	}
	f.Add([]byte{}, "")
	f.Add([]byte{1, 1, 255}, "id_number")
	f.Add([]byte("\x01\x01\x00nonce-of-twelve-and-more"), "id_number")
	f.Fuzz(func(t *testing.T, sealed []byte, field string) {
		at := here
		at.Field = field
		plain, err := box.Open(context.Background(), at, sealed)
		ours := false
		for _, one := range made {
			ours = ours || at == here && bytes.Equal(one, sealed)
		}
		switch {
		case ours != (err == nil):
			t.Errorf("ours %t: %v", ours, err)
		case err == nil && string(plain) != canary && len(plain) > 0:
			t.Errorf("opened as %q", plain)
		case err != nil && (len(plain) > 0 || !errors.Is(err, seal.ErrOpen) && !errors.Is(err, seal.ErrKey)):
			t.Errorf("%d bytes, %v", len(plain), err)
		}
	})
}

// FuzzKeyFile opens anything as a file of keys: it is refused, in words that quote no
// secret, or what is sealed with it opens, also after a rotation.
func FuzzKeyFile(f *testing.F) {
	secret := strings.Repeat("s", 32)
	key := base64.StdEncoding.EncodeToString([]byte(secret))
	good := `{"version":1,"data":[{"id":"k1","secret":"` + key + `"}],"blind":[{"version":1,"secret":"` + key + `"}]}`
	if _, err := openKeys(f, []byte(good)); err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{good, strings.Replace(good, `"version":1,"data"`, `"version":2,"data"`, 1), strings.Replace(good, key, key[:8], 1),
		strings.Replace(good, `"id":"k1"`, `"id":"k1","alg":9`, 1), strings.Replace(good, `"id":"k1"`, `"id":""`, 1),
		strings.Replace(good, `[{"id":"k1","secret":"`+key+`"}`, `[{"id":"k1","secret":"`+key+`"},{"id":"k1","secret":"`+strings.Replace(key, "c", "d", 1)+`"}`, 1),
		strings.Replace(good, `"blind":[`, `"blind":[{"version":1,"secret":"`+key+`"},`, 1), good[:60], `{}`, `null`, `{"version":1,"data":[],"blind":[]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var form struct {
			Data []struct{ ID, Secret string } `json:"data"`
		}
		read := json.Unmarshal(raw, &form) == nil
		keys, err := openKeys(t, raw)
		if err != nil {
			if read {
				for _, d := range form.Data {
					if len(d.Secret) > 12 && strings.Contains(err.Error(), d.Secret) {
						t.Errorf("it quotes a secret: %v", err)
					}
				}
			}
			if !errors.Is(err, seal.ErrKeyFile) {
				t.Error(err)
			}
			return
		}
		seen := map[string]bool{}
		for _, d := range form.Data {
			if seen[d.ID] {
				t.Error("one of two keys of the same id is lost")
			}
			seen[d.ID] = true
		}
		box := seal.NewBox(keys, rand.Reader)
		before, err := box.Seal(context.Background(), here, []byte(canary))
		if err == nil {
			err = keys.Rotate()
		}
		if err != nil {
			t.Fatal(err)
		}
		ref := keys.Blind().Ref("id", canary)
		if plain, err := box.Open(context.Background(), here, before); err != nil || string(plain) != canary || ref == "" {
			t.Errorf("it opens as %q after a rotation: %v", plain, err)
		}
	})
}

// openKeys opens raw as the keys of a machine.
func openKeys(t testing.TB, raw []byte) (*seal.KeyFile, error) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return seal.OpenKeyFile(path, ident.Random())
}
