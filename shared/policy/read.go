package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi/shared/civil"
)

// wholeNumber is how numbers are written in region files. 1_000, 0x10, 010 and
// 2.5 all mean something to a YAML reader, and not what a reviewer reads.
var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

// read decodes one file strictly.
func (l *loader) read(id string, raw []byte) *file {
	f := &file{id: id}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var root, more yaml.Node
	if err := decoder.Decode(&root); err != nil {
		f.broken = true
		l.problem(id, "", "yaml", "%v", err)
		return f
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		l.problem(id, "", "yaml", "there is a second document or trailing text")
	}
	l.plain(id, "", &root)
	f.canonical = canonical(&root)

	strict := yaml.NewDecoder(bytes.NewReader(raw))
	strict.KnownFields(true)
	if err := strict.Decode(&f.document); err != nil {
		f.broken = true
		if types, ok := errors.AsType[*yaml.TypeError](err); ok {
			for _, text := range types.Errors {
				l.problem(id, "", typeCode(text), "%s", text)
			}
		} else {
			l.problem(id, "", "yaml", "%v", err)
		}
	}
	if f.broken && f.Region == "" {
		return f // nothing was decoded, which was said
	}
	l.head(f)
	return f
}

// typeCode sorts what the decoder says into our codes.
func typeCode(text string) string {
	switch {
	case strings.Contains(text, "already defined"):
		return "duplicate_key"
	case strings.Contains(text, "not found in type"):
		return "unknown_key"
	}
	return "wrong_type"
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

// plain refuses what makes a file mean something else than it shows.
func (l *loader) plain(id, key string, n *yaml.Node) {
	switch n.Kind {
	case yaml.AliasNode:
		l.problem(id, key, "alias", "line %d: aliases are not read; write it out", n.Line)
		return
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			l.plain(id, strings.TrimPrefix(key+"."+n.Content[i].Value, "."), n.Content[i+1])
		}
		return
	case yaml.ScalarNode:
		if n.Tag == "!!float" || n.Tag == "!!int" && !wholeNumber.MatchString(n.Value) {
			l.problem(id, key, "not_whole", "line %d: write a whole number in plain digits, or quote it", n.Line)
		}
		return
	}
	for _, c := range n.Content {
		l.plain(id, key, c)
	}
}

// canonical is the content of n without comments, order, quotes and layout: a
// file has the same fingerprint as long as it says the same. Aliases, which are
// refused, count by name only, so that none can grow.
func canonical(n *yaml.Node) []byte {
	raw, err := json.Marshal(content(n))
	if err != nil {
		return nil
	}
	return raw
}

func content(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, content(c))
		}
		return list
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = content(n.Content[i+1])
		}
		return m
	}
	return n.Value
}
