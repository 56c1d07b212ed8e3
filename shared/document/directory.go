package document

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

// Directory keeps content in files below a folder, each sealed for its own
// place: a file copied over another does not open.
type Directory struct {
	root *os.Root
	box  *seal.Box
}

// OpenDirectory uses the folder at path, making it when absent, for its owner only.
func OpenDirectory(path string, box *seal.Box) (*Directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return &Directory{root, box}, nil
}

// Close lets go of the folder.
func (d *Directory) Close() error { return d.root.Close() }

func place(partition, id string) seal.Place {
	k := Key(partition, id)
	return seal.Place{Table: "doudi", PK: k.PK, SK: k.SK, Field: "content"}
}

// name is the file of one document; derived, so that no key becomes a path.
func name(partition, id string) string { return ident.Derive("document file", partition, id) }

// Put seals content into its file and makes it durable before it answers. If we
// die on the way, a stray temporary file is left and the sender sends again.
func (d *Directory) Put(ctx context.Context, partition, id string, content []byte) error {
	file := name(partition, id)
	if _, err := d.root.Stat(file); err == nil {
		return nil
	}
	sealed, err := d.box.Seal(ctx, place(partition, id), content)
	if err != nil {
		return err
	}
	tmp := file + "." + ident.Random().New()
	f, err := d.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = d.root.Rename(tmp, file)
	}
	if err != nil {
		return fmt.Errorf("document: %w", errors.Join(err, d.root.Remove(tmp)))
	}
	folder, err := d.root.Open(".")
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Get opens a document's content.
func (d *Directory) Get(ctx context.Context, partition, id string) ([]byte, error) {
	sealed, err := d.root.ReadFile(filepath.Clean(name(partition, id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return d.box.Open(ctx, place(partition, id), sealed)
}
