package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
)

// Problem is one thing that is wrong with a file. Code is stable; Key is where
// in the file, Text is for the person who edits it.
type Problem struct {
	File string
	Key  string
	Code string
	Text string
}

// Problems is everything that is wrong with the files of a book. It is an error.
type Problems []Problem

// Error lists all of them, one on a line.
func (p Problems) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy: %d problem(s) in region files", len(p))
	for _, x := range p {
		fmt.Fprintf(&b, "\n%s: %s: %s (%s)", x.File, x.Key, x.Text, x.Code)
	}
	return b.String()
}

// document is one region file.
type document struct {
	Region   string  `yaml:"region"`    // 6, 9 or 12 digits; 000000 is the nation
	Name     string  `yaml:"name"`      // in Chinese
	FirstDay string  `yaml:"first_day"` // in force from
	LastDay  string  `yaml:"last_day"`  // and to; "" until the next file
	Revision int     `yaml:"revision"`  // 1, or more for a correction of the same first day
	Base     bool    `yaml:"base"`      // only to be inherited
	Inherits string  `yaml:"inherits"`  // another file: "000000/2026-07-01"
	Source   string  `yaml:"source"`    // the instrument the file rests on
	Figures  figures `yaml:",inline"`
}

// file is a document with its place and what has become of it.
type file struct {
	document
	id          string // "320400/2026-07-01" or "320400/2026-07-01.r2"
	canonical   []byte
	first, last civil.Day
	state       int // 0 untouched, 1 being merged, 2 merged
	merged      figures
	fingerprint string
	broken      bool // has a problem that makes judging it further pointless
}

// fileName is what a region file is called: its first day, and for a correction
// its revision. Corrections are new files, because decisions made under the old
// one must still find it.
const fileName = `^\d{4}-\d{2}-\d{2}(\.r([2-9]|[1-9]\d))?\.yaml$`

// nation is the region of files that everybody may inherit and that are nobody's
// rules by themselves.
const nation = "000000"

// Load reads all region files of fsys, which holds one folder for each region,
// by parse.
// It refuses all of them when anything is wrong with any, and the error is then
// Problems, with every problem of every file.
func Load(fsys fs.FS, tree *division.Tree, parse Parser) (*Book, error) {
	l := &loader{tree: tree, parse: parse, files: map[string]*file{}}
	if err := l.readAll(fsys); err != nil {
		return nil, fmt.Errorf("policy: read region files: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(l.files)) {
		l.merge(l.files[id])
	}
	book := &Book{tree: tree, regions: map[civil.DivisionCode][]*Rules{}, byFingerprint: map[string]*Rules{}}
	l.judge(book)
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, func(a, b Problem) int { return strings.Compare(a.File, b.File) })
		return nil, l.problems
	}
	return book, nil
}

type loader struct {
	tree     *division.Tree
	parse    Parser
	files    map[string]*file
	problems Problems
}

func (l *loader) problem(file, key, code, format string, args ...any) {
	l.problems = append(l.problems, Problem{file, key, code, fmt.Sprintf(format, args...)})
}

func (l *loader) readAll(fsys fs.FS) error {
	names, err := fs.Glob(fsys, "*/*.yaml")
	if err != nil {
		return err
	}
	wellNamed := regexp.MustCompile(fileName)
	for _, name := range names {
		if path.Base(name) == "cases.yaml" {
			continue
		}
		id := strings.TrimSuffix(name, ".yaml")
		if !wellNamed.MatchString(path.Base(name)) {
			l.problem(id, "", "file_name", "a region file is called <first-day>.yaml or, for a correction, <first-day>.r<n>.yaml")
			continue
		}
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		l.files[id] = l.read(id, raw)
	}
	if len(l.files) == 0 {
		l.problem(".", "", "empty", "there is no region file: nothing would have rules")
	}
	return nil
}

// merge gives f its figures: its own over those it inherits, and a fingerprint
// over the content of the whole chain.
func (l *loader) merge(f *file) {
	if f.state != 0 {
		return
	}
	f.state = 1
	defer func() { f.state = 2 }()
	f.merged = f.Figures
	sum := sha256.New()
	sum.Write([]byte("doudi-policy-1\n"))
	sum.Write(f.canonical)
	if f.Inherits != "" {
		base, ok := l.files[f.Inherits]
		switch {
		case !ok:
			f.broken = true
			l.problem(f.id, "inherits", "inherits_absent", "there is no file %s", f.Inherits)
			return
		case base.state == 1:
			f.broken = true
			l.problem(f.id, "inherits", "inherits_circle", "%s inherits from itself", f.Inherits)
			return
		}
		l.merge(base)
		if base.broken {
			f.broken = true
			return
		}
		if !f.first.IsZero() && f.first.Before(base.first) {
			l.problem(f.id, "inherits", "inherits_later", "%s is not in force yet on %s", base.id, f.first)
		}
		inherit(reflect.ValueOf(&f.merged).Elem(), reflect.ValueOf(base.merged))
		sum.Write([]byte("\n" + base.fingerprint))
	}
	f.fingerprint = hex.EncodeToString(sum.Sum(nil))
}

// inherit fills what own leaves out from base.
func inherit(own, base reflect.Value) {
	for i := range own.NumField() {
		switch field := own.Field(i); field.Kind() {
		case reflect.Struct:
			inherit(field, base.Field(i))
		case reflect.Pointer:
			if field.IsNil() {
				field.Set(base.Field(i))
			}
		}
	}
}

// judge looks at merged files one by one and then at each region's sequence, and
// puts the good ones into the book.
func (l *loader) judge(book *Book) {
	byRegion := map[civil.DivisionCode][]*file{}
	for _, id := range slices.Sorted(maps.Keys(l.files)) {
		f := l.files[id]
		if f.broken {
			continue
		}
		notes := l.inspect(f)
		if f.Base {
			continue
		}
		code := l.place(f)
		byRegion[code] = append(byRegion[code], f)
		rules := &Rules{
			head: head{Region: code, Within: l.above(code, f.first), Name: f.Name, First: f.first, Last: f.last, Revision: f.Revision, Source: f.Source,
				Fingerprint: f.fingerprint, Unconfirmed: unconfirmed(notes)},
		}
		all := content{figures: f.merged, notes: notes, standards: l.standards(f)}
		rules.read = func() (content, error) { return all, nil }
		book.byFingerprint[f.fingerprint] = rules
	}
	for _, r := range book.byFingerprint {
		r.head.Replaced = true
	}
	for code, files := range byRegion {
		for _, f := range l.sequence(files) {
			rules := book.byFingerprint[f.fingerprint]
			rules.head.Replaced = false
			book.regions[code] = append(book.regions[code], rules)
		}
	}
}

// place is the division that f is for.
func (l *loader) place(f *file) civil.DivisionCode {
	code, err := civil.ParseDivision(f.Region)
	if err != nil {
		l.problem(f.id, "region", "bad_division", "%q is not a division code", f.Region)
		return ""
	}
	if _, ok := l.tree.Find(code, f.first); !ok {
		l.problem(f.id, "region", "bad_division", "%s is not in the tree of divisions on %s", code, f.first)
	}
	return code
}

// above is the division and all it stands in.
func (l *loader) above(code civil.DivisionCode, day civil.Day) []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, d := range l.tree.Path(code, day) {
		all = append(all, d.Code)
	}
	return all
}

func unconfirmed(notes []FigureNote) []string {
	var names []string
	for _, n := range notes {
		if n.Status == Unconfirmed {
			names = append(names, n.Name)
		}
	}
	return names
}

// sequence is the files of one region that are in force, in order: for each
// first day the highest revision. A file runs until the next one begins; one
// that states a last day must end before that.
func (l *loader) sequence(files []*file) []*file {
	slices.SortFunc(files, func(a, b *file) int {
		if n := a.first.Compare(b.first); n != 0 {
			return n
		}
		return a.Revision - b.Revision
	})
	var inForce []*file
	for i, f := range files {
		if i+1 < len(files) && files[i+1].first == f.first {
			if files[i+1].Revision == f.Revision {
				l.problem(f.id, "revision", "overlap", "%s has the same first day and revision", files[i+1].id)
			}
			continue
		}
		inForce = append(inForce, f)
	}
	for i, f := range inForce {
		if i+1 < len(inForce) && !f.last.IsZero() && !f.last.Before(inForce[i+1].first) {
			l.problem(f.id, "last_day", "overlap", "it is still in force on %s, when %s begins", inForce[i+1].first, inForce[i+1].id)
		}
		l.stale(f, inForce[i+1:])
	}
	return inForce
}

// stale finds rules that would go on under a base that has been replaced: when
// the nation's file changes, each region says anew what it does.
func (l *loader) stale(f *file, later []*file) {
	base, ok := l.files[f.Inherits]
	if !ok {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(l.files)) {
		next := l.files[id]
		if next.broken || next.Base != base.Base || next.Region != base.Region || !next.first.After(base.first) || next.first.Before(f.first) {
			continue
		}
		ended := !f.last.IsZero() && f.last.Before(next.first) || len(later) > 0 && !later[0].first.After(next.first)
		if !ended {
			l.problem(f.id, "inherits", "base_replaced", "%s replaces %s on %s; add a region file for that day", next.id, base.id, next.first)
		}
	}
}

// shown is a figure's value as a reader sees it.
func shown(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(raw)
}
