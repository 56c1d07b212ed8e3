package lambdahost

import (
	"archive/zip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// maxBinary is more than Lambda unpacks of one function.
const maxBinary = 250 << 20

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// unpack writes the bootstrap of a zip into home, and refuses what Lambda could
// not run or what this machine cannot.
func unpack(name, home string) (err error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return fmt.Errorf("lambdahost: %w; scripts/build makes it", err)
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode().Perm() != 0o755 {
		return fmt.Errorf("lambdahost: %s: Lambda runs one executable called bootstrap", name)
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	bootstrap := filepath.Join(home, "bootstrap")
	if err := extract(z.File[0], bootstrap); err != nil {
		return fmt.Errorf("lambdahost: %s: %w", name, err)
	}
	program, err := elf.Open(bootstrap)
	if err != nil {
		return fmt.Errorf("lambdahost: %s is no Linux program: %w", name, err)
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	if program.Machine != machines[runtime.GOARCH] || runtime.GOOS != "linux" {
		return fmt.Errorf("lambdahost: %s is for linux %s and this machine is %s %s; scripts/build %s makes one for it",
			name, program.Machine, runtime.GOOS, runtime.GOARCH, runtime.GOARCH)
	}
	return nil
}

func extract(from *zip.File, to string) (err error) {
	in, err := from.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, maxBinary))
	return errors.Join(err, out.Close())
}
