// Command rules reads the region files of shared/policy/data and of
// shared/complaint/data and the inspection models of shared/inspection/model/data,
// judges them, and writes what deployed functions carry of them into the folders
// shipped beside them.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
)

func main() {
	if err := errors.Join(run("shared/policy/data", "shared/policy/shipped"), models("shared/inspection/model"), complaints("shared/complaint/data", "shared/complaint/shipped/rules.json")); err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

func run(from, into string) error {
	book, err := policy.Load(os.DirFS(from), division.Shipped(), regionfile.Parse)
	if err != nil {
		return err
	}
	files, err := book.Pack()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(into, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if files[filepath.Base(name)] == nil {
			err = errors.Join(err, os.Remove(name))
		}
	}
	for name, raw := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(into, name), raw, 0o644))
	}
	return err
}

func models(in string) error {
	set, err := model.Load(os.DirFS(filepath.Join(in, "data")), regionfile.Parse)
	if err != nil {
		return err
	}
	raw, err := set.Pack()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(in, model.PackName), raw, 0o644)
}

// complaints writes the rules of complaints.
func complaints(from, into string) error {
	raw, err := complaint.Compile(os.DirFS(from), division.Shipped(), regionfile.Parse)
	if err != nil {
		return err
	}
	return os.WriteFile(into, raw, 0o644)
}
