package policy

import (
	"path"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
)

// A Parser decodes the text of a region file strictly into what into points to
// and reports each problem; regionfile.Parse is one.
type Parser func(raw []byte, into any, problem func(key, code, text string)) (canonical []byte, ok bool)

// read decodes one file.
func (l *loader) read(id string, raw []byte) *file {
	f := &file{id: id}
	var ok bool
	f.canonical, ok = l.parse(raw, &f.document, func(key, code, text string) { l.problem(id, key, code, "%s", text) })
	f.broken = !ok
	if f.broken && f.Region == "" {
		return f // nothing was decoded, which was said
	}
	l.head(f)
	return f
}

// head judges what the file says about itself against where it lies.
func (l *loader) head(f *file) {
	day := func(key, text string) civil.Day {
		d, err := civil.ParseDay(text)
		if err != nil {
			f.broken = true
			l.problem(f.id, key, "bad_day", "%q is not a day", text)
		}
		return d
	}
	f.first = day("first_day", f.FirstDay)
	if f.LastDay != "" {
		if f.last = day("last_day", f.LastDay); f.last.Before(f.first) {
			l.problem(f.id, "last_day", "bad_day", "it ends before it begins")
		}
	}
	folder, name := path.Split(f.id)
	if strings.TrimSuffix(folder, "/") != f.Region {
		l.problem(f.id, "region", "file_name", "the folder is not called %q", f.Region)
	}
	want := f.FirstDay
	if f.Revision > 1 {
		want += ".r" + shown(f.Revision)
	}
	if name != want || f.Revision < 1 {
		l.problem(f.id, "first_day", "file_name", "first_day %q and revision %d do not go with the file's name", f.FirstDay, f.Revision)
	}
	if f.Region == nation && !f.Base {
		l.problem(f.id, "base", "nation_is_base", "the nation's file is inherited and never anybody's rules: set base")
	}
	if f.Name == "" {
		l.problem(f.id, "name", "missing", "the region has no name")
	}
	if f.Source == "" {
		l.problem(f.id, "source", "missing_source", "the file names no legal source")
	}
}
