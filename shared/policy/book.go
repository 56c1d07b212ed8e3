package policy

import (
	"embed"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
)

// Book is all rules that were loaded. It does not change and is safe for use by
// many goroutines.
type Book struct {
	tree          *division.Tree
	regions       map[civil.DivisionCode][]*Rules // in force, in order of first day
	byFingerprint map[string]*Rules               // also revisions that were replaced
}

//go:embed data/*/[0-9]*.yaml
var shippedFiles embed.FS

// Shipped is the book of the files that this system comes with.
func Shipped() (*Book, error) { return shipped() }

var shipped = sync.OnceValues(func() (*Book, error) {
	files, err := fs.Sub(shippedFiles, "data")
	if err != nil {
		return nil, err
	}
	return Load(files, division.Shipped())
})

// Rules are the rules for a place and a day: those of the nearest region up the
// tree that has any file at all. Nothing falls back from there: a region whose
// rules do not cover the day has none, and the answer is ErrNoRules.
func (b *Book) Rules(code civil.DivisionCode, day civil.Day) (*Rules, error) {
	path := b.tree.Path(code, day)
	for _, d := range slices.Backward(path) {
		list, named := b.regions[d.Code]
		if !named {
			continue
		}
		for _, r := range slices.Backward(list) {
			if day.Before(r.first) {
				continue
			}
			if !r.last.IsZero() && day.After(r.last) {
				break
			}
			return r, nil
		}
		return nil, ErrNoRules
	}
	return nil, ErrNoRules
}

// ByFingerprint are the rules under which a decision was made, in force or long
// replaced, so that it can be worked out again.
func (b *Book) ByFingerprint(fingerprint string) (*Rules, bool) {
	r, ok := b.byFingerprint[fingerprint]
	return r, ok
}

// All lists the rules that are or will be or were in force, by region and first
// day; replaced revisions are not among them.
func (b *Book) All() []*Rules {
	var list []*Rules
	for _, region := range slices.Sorted(maps.Keys(b.regions)) {
		list = append(list, b.regions[region]...)
	}
	return list
}
