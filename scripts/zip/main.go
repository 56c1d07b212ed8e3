// Zip packs dist/<name>/bootstrap into dist/<name>.zip with a fixed time and
// mode, so that the same binary gives the same archive. It knows no function.
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func main() {
	for _, dir := range os.Args[1:] {
		if err := pack(filepath.Clean(dir)); err != nil {
			fmt.Fprintln(os.Stderr, "zip:", err)
			os.Exit(1)
		}
	}
}

// pack writes <dir>.zip with the one file Lambda runs, and says how big it is.
func pack(dir string) (err error) {
	binary, err := os.ReadFile(filepath.Join(dir, "bootstrap"))
	if err != nil {
		return err
	}
	f, err := os.Create(dir + ".zip")
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	if err := write(f, binary); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Printf("%6d KiB  %s.zip\n", info.Size()>>10, dir)
	return nil
}

func write(to io.Writer, binary []byte) error {
	z := zip.NewWriter(to)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	entry, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := entry.Write(binary); err != nil {
		return err
	}
	return z.Close()
}
