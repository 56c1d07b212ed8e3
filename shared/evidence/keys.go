package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
)

// Keys are what a log signs with and whose cosignatures it takes. Private is a
// secret; the rest is for everybody. Public is pinned by whoever verifies: another
// key is another log.
type Keys struct {
	Private   string   `json:"private"`
	Public    string   `json:"public"`
	Witnesses []string `json:"witnesses"`
}

// NewKeys makes the keys of the log called origin, such as "doudi/320400".
func NewKeys(random io.Reader, origin string) (Keys, error) {
	private, public, err := note.GenerateKey(random, origin)
	if err != nil {
		return Keys{}, fmt.Errorf("evidence: %w", err)
	}
	return Keys{Private: private, Public: public, Witnesses: []string{}}, nil
}

// Publisher publishes l under k. Its errors do not quote a key.
func (k Keys) Publisher(l *Log, blobs Blobs) (*Publisher, error) {
	signer, err := note.NewSigner(k.Private)
	if err != nil {
		return nil, errors.New("evidence: the log's private key is not one")
	}
	verifier, err := note.NewVerifier(k.Public)
	if err != nil {
		return nil, errors.New("evidence: the log's public key is not one")
	}
	if signer.Name() != verifier.Name() || signer.KeyHash() != verifier.KeyHash() {
		return nil, errors.New("evidence: the log's two keys do not belong together")
	}
	p := &Publisher{Log: l, Blobs: blobs, Signer: signer, Verifier: verifier}
	for _, public := range k.Witnesses {
		w, err := NewWitness(public)
		if err != nil {
			return nil, err
		}
		p.Witnesses = append(p.Witnesses, w)
	}
	return p, nil
}

// OpenKeys reads the keys kept at path, making them when there is no file. It
// refuses a file that anybody but its owner may read.
func OpenKeys(path, origin string, random io.Reader) (Keys, error) {
	var k Keys
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if k, err = NewKeys(random, origin); err != nil {
			return k, err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return k, fmt.Errorf("evidence: %w", err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return k, fmt.Errorf("evidence: %w", err)
		}
		_, err = f.Write(plain(k))
		return k, errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return k, fmt.Errorf("evidence: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return k, fmt.Errorf("evidence: %s must be a plain file of mode 0600", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("evidence: %w", err)
	}
	if json.Unmarshal(raw, &k) != nil {
		return k, fmt.Errorf("evidence: %s is damaged", path) // the decoder's words could quote the key
	}
	return k, nil
}
