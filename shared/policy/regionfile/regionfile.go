// Package regionfile reads YAML as region files are written: plainly enough that
// a reviewer reads what the program reads. It is apart from package policy so
// that no deployed function carries a YAML reader: what ships is read when it is
// built. It knows no figure.
package regionfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// wholeNumber is how numbers are written in region files. 1_000, 0x10, 010 and
// 2.5 all mean something to a YAML reader, and not what a reviewer reads.
var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

// Parse decodes one file strictly into what into points to and reports each
// problem with its key, a stable code and words for the person who edits it.
// canonical is the content without comments, order, quotes and layout. ok is
// false when what was decoded is not to be judged further.
func Parse(raw []byte, into any, problem func(key, code, text string)) (canonical []byte, ok bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var root, more yaml.Node
	if err := decoder.Decode(&root); err != nil {
		problem("", "yaml", err.Error())
		return nil, false
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		problem("", "yaml", "there is a second document or trailing text")
	}
	plain("", &root, problem)
	canonical = canonicalOf(&root)

	strict := yaml.NewDecoder(bytes.NewReader(raw))
	strict.KnownFields(true)
	err := strict.Decode(into)
	if types, typed := errors.AsType[*yaml.TypeError](err); typed {
		for _, text := range types.Errors {
			problem("", typeCode(text), text)
		}
	} else if err != nil {
		problem("", "yaml", err.Error())
	}
	return canonical, err == nil
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

// plain refuses what makes a file mean something else than it shows.
func plain(key string, n *yaml.Node, problem func(key, code, text string)) {
	switch n.Kind {
	case yaml.AliasNode:
		problem(key, "alias", fmt.Sprintf("line %d: aliases are not read; write it out", n.Line))
		return
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			plain(strings.TrimPrefix(key+"."+n.Content[i].Value, "."), n.Content[i+1], problem)
		}
		return
	case yaml.ScalarNode:
		if n.Tag == "!!float" || n.Tag == "!!int" && !wholeNumber.MatchString(n.Value) {
			problem(key, "not_whole", fmt.Sprintf("line %d: write a whole number in plain digits, or quote it", n.Line))
		}
		return
	}
	for _, c := range n.Content {
		plain(key, c, problem)
	}
}

// canonicalOf is the content of n without comments, order, quotes and layout: a
// file has the same fingerprint as long as it says the same. Aliases, which are
// refused, count by name only, so that none can grow.
func canonicalOf(n *yaml.Node) []byte {
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
