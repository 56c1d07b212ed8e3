// Command generate rebuilds shared/calendar/data/days.txt from the npm package
// chinese-days. It is run by hand each autumn, when the State Council has
// announced the next year and the package carries it:
//
//	npm pack chinese-days@1.5.7 && tar xzf chinese-days-1.5.7.tgz
//	go run ./shared/calendar/internal/generate -package package -out shared/calendar/data/days.txt
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	pkg := flag.String("package", "package", "directory of the unpacked npm package")
	out := flag.String("out", "shared/calendar/data/days.txt", "file to write")
	flag.Parse()
	text, err := derive(*pkg)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}

// derive is the text of the derived file.
func derive(pkg string) (string, error) {
	var meta struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := read(filepath.Join(pkg, "package.json"), &meta); err != nil {
		return "", err
	}
	if meta.Name != "chinese-days" {
		return "", fmt.Errorf("%s is not chinese-days", pkg)
	}
	var days struct {
		Holidays map[string]string `json:"holidays"`
		Workdays map[string]string `json:"workdays"`
	}
	if err := read(filepath.Join(pkg, "dist", "chinese-days.json"), &days); err != nil {
		return "", err
	}
	years := map[string]bool{}
	for day := range days.Holidays {
		years[day[:4]] = true
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Days off and make-up working days (调休) announced by the State Council, derived from npm chinese-days %s\n", meta.Version)
	fmt.Fprintf(&b, "# (MIT; licence beside this file). Written by shared/calendar/internal/generate; do not edit.\n")
	for _, year := range slices.Sorted(maps.Keys(years)) {
		fmt.Fprintf(&b, "%s off%s\n", year, listed(days.Holidays, year))
		fmt.Fprintf(&b, "%s work%s\n", year, listed(days.Workdays, year))
	}
	return b.String(), nil
}

// listed is the days of that year as " 0101 0102".
func listed(days map[string]string, year string) string {
	var b strings.Builder
	for _, day := range slices.Sorted(maps.Keys(days)) {
		if rest, ok := strings.CutPrefix(day, year+"-"); ok {
			b.WriteString(" " + strings.ReplaceAll(rest, "-", ""))
		}
	}
	return b.String()
}

func read(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
