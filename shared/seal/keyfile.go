package seal

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/doudi-aid/doudi/shared/ident"
)

// KeyFile holds the keys of one machine in a file that only its owner can read.
// Whoever loses the file loses every sealed field: back it up apart from the
// data. It is a Keys, and its Blind is the matching one.
type KeyFile struct {
	path string
	ids  *ident.Source
	alg  Algorithm // of keys that are made from now on

	turn sync.Mutex // one rotation at a time, or the second forgets the first's key
	mu   sync.RWMutex
	form keyForm
	keys map[string]Key
	bl   *Blind
	uses int64 // of the current key, since this process began
}

// keyForm is the file: secrets in base64, the current key of each list last.
type keyForm struct {
	Version int         `json:"version"`
	Data    []dataForm  `json:"data"`
	Blind   []blindForm `json:"blind"`
}

// A data key without an algorithm was made when there was only AES-256-GCM.
type dataForm struct {
	ID     string    `json:"id"`
	Alg    Algorithm `json:"alg,omitempty"`
	Secret []byte    `json:"secret"`
}

type blindForm struct {
	Version int    `json:"version"`
	Secret  []byte `json:"secret"`
}

// OpenKeyFile reads the keys at path, making them first when there is no file.
// It refuses a file that anybody but its owner may read (ErrKeyFile).
func OpenKeyFile(path string, ids *ident.Source) (*KeyFile, error) {
	f := &KeyFile{path: path, ids: ids, alg: AES256GCM}
	form, err := readKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if form, err = f.grow(keyForm{Version: 1}, true, true); err != nil {
			return nil, err
		}
		// Linking, unlike renaming, never replaces: of two processes that start
		// together one makes the file and both read it.
		err = writeKeys(path, form, os.Link)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		form, err = readKeys(path)
	}
	if err != nil {
		return nil, err
	}
	return f, f.use(form)
}

// Current is the newest data key.
func (f *KeyFile) Current(context.Context) (Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.uses >= MaxUses {
		return Key{}, ErrWorn
	}
	f.uses++
	return f.keys[f.form.Data[len(f.form.Data)-1].ID], nil
}

// ByID is the data key of that id.
func (f *KeyFile) ByID(_ context.Context, id string) (Key, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	key, ok := f.keys[id]
	if !ok {
		return Key{}, ErrKey
	}
	return key, nil
}

// Blind is the Blind of this file as it is now.
func (f *KeyFile) Blind() *Blind {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.bl
}

// Rotate adds a data key, which seals from now on. What older keys sealed still opens.
func (f *KeyFile) Rotate() error { return f.add(true, false) }

// RotateTo is Rotate to a key of another algorithm; later keys are of it too.
func (f *KeyFile) RotateTo(alg Algorithm) error {
	f.turn.Lock()
	f.alg = alg
	f.turn.Unlock()
	return f.Rotate()
}

// RotateBlind adds a version of the blind key. Older versions stay live.
func (f *KeyFile) RotateBlind() error { return f.add(false, true) }

func (f *KeyFile) add(data, blind bool) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.mu.RLock()
	form := f.form
	f.mu.RUnlock()
	form, err := f.grow(form, data, blind)
	if err != nil {
		return err
	}
	// The file is written before any key of it is used: the other way round, a
	// crash between would leave fields that no key opens.
	if err := writeKeys(f.path, form, os.Rename); err != nil {
		return err
	}
	return f.use(form)
}

// grow is form with a fresh data key, blind key or both.
func (f *KeyFile) grow(form keyForm, data, blind bool) (keyForm, error) {
	secret := func(n int) ([]byte, error) {
		b := make([]byte, n)
		_, err := io.ReadFull(rand.Reader, b)
		return b, err
	}
	if data {
		s, err := secret(f.alg.KeyBytes())
		if err != nil {
			return form, fmt.Errorf("seal: no randomness: %w", err)
		}
		form.Data = append(form.Data[:len(form.Data):len(form.Data)], dataForm{f.ids.New(), f.alg, s})
	}
	if blind {
		s, err := secret(BlindKeyBytes)
		if err != nil {
			return form, fmt.Errorf("seal: no randomness: %w", err)
		}
		form.Blind = append(form.Blind[:len(form.Blind):len(form.Blind)], blindForm{len(form.Blind) + 1, s})
	}
	return form, nil
}

func (f *KeyFile) use(form keyForm) error {
	if form.Version != 1 || len(form.Data) == 0 || len(form.Blind) == 0 {
		return ErrKeyFile.Because(errors.New("not a key file of version 1"))
	}
	keys := map[string]Key{}
	for _, d := range form.Data {
		key, err := NewKey(d.ID, cmp.Or(d.Alg, AES256GCM), d.Secret)
		if err != nil {
			return ErrKeyFile.Because(err)
		}
		if _, twice := keys[d.ID]; twice { // what one of the two sealed would never open again
			return ErrKeyFile.Because(errors.New("two keys have the same id"))
		}
		keys[d.ID] = key
	}
	var blinds []BlindKey
	for _, b := range form.Blind {
		key, err := NewBlindKey(b.Version, b.Secret)
		if err != nil {
			return ErrKeyFile.Because(err)
		}
		blinds = append(blinds, key)
	}
	bl, err := NewBlind(blinds...)
	if err != nil {
		return ErrKeyFile.Because(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.form, f.keys, f.bl, f.uses = form, keys, bl, 0
	return nil
}

func readKeys(path string) (form keyForm, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return form, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return form, ErrKeyFile.Because(errors.New("key file must be a plain file of mode 0600"))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return form, err
	}
	if json.Unmarshal(raw, &form) != nil {
		return form, ErrKeyFile.Because(errors.New("key file is damaged")) // the decoder's words could quote a secret
	}
	return form, nil
}

// writeKeys writes beside path, makes that durable, and puts it in place with
// land. If we die before land, a stray file is left and nothing has changed.
func writeKeys(path string, form keyForm, land func(from, to string) error) error {
	raw, err := json.Marshal(form)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("seal: write keys: %w", err)
	}
	defer os.Remove(tmp.Name()) // gone already after a rename
	_, err = tmp.Write(raw)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = land(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("seal: write keys: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("seal: write keys: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
