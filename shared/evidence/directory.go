package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/doudi-aid/doudi/shared/ident"
)

// Directory keeps what is published in files below a folder, under their names.
type Directory struct{ root *os.Root }

// OpenDirectory uses the folder at name, making it when absent.
func OpenDirectory(name string) (*Directory, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return &Directory{root}, nil
}

// Close lets go of the folder.
func (d *Directory) Close() error { return d.root.Close() }

// Put writes a file and makes it durable before it answers. If we die on the way,
// a stray temporary file is left, and the next publication writes again.
func (d *Directory) Put(_ context.Context, name string, content []byte) error {
	name = filepath.FromSlash(path.Clean(name))
	if old, err := d.root.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := d.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	tmp := name + "." + ident.Random().New()
	f, err := d.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = d.root.Rename(tmp, name)
	}
	if err != nil {
		return fmt.Errorf("evidence: %w", errors.Join(err, d.root.Remove(tmp)))
	}
	return nil
}

// Get reads a file; ErrNoBlob when there is none.
func (d *Directory) Get(_ context.Context, name string) ([]byte, error) {
	raw, err := d.root.ReadFile(filepath.FromSlash(path.Clean(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoBlob
	}
	return raw, err
}
