package policy

import (
	"maps"
	"slices"

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
			if day.Before(r.head.First) {
				continue
			}
			if !r.head.Last.IsZero() && day.After(r.head.Last) {
				break
			}
			if _, err := r.read(); err != nil {
				return nil, err // of a broken build, and not ErrNoRules: a person must not hear that there are none
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
	if !ok {
		return nil, false
	}
	_, err := r.read()
	return r, err == nil
}

// Serves reports whether there are rules for the division or for anything in it.
func (b *Book) Serves(code civil.DivisionCode) bool {
	return slices.ContainsFunc(b.All(), func(r *Rules) bool { return r.Within(code) })
}

// All lists the rules that are or will be or were in force, by region and first
// day; replaced revisions are not among them. One whose figures cannot be read
// is among them and shows none.
func (b *Book) All() []*Rules {
	var list []*Rules
	for _, region := range slices.Sorted(maps.Keys(b.regions)) {
		list = append(list, b.regions[region]...)
	}
	return list
}
