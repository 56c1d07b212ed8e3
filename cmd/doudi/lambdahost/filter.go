package lambdahost

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// pattern is a filter pattern of an event source mapping: an object of objects
// whose leaves are lists of values, of {"exists": true}, or of {"prefix": …}. It refuses what it
// does not know, or a filter would pass what Lambda drops.
type pattern map[string]any

func parsePattern(text string) (pattern, error) {
	var p pattern
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p) == 0 {
		return nil, fmt.Errorf("filter pattern %s is none", text)
	}
	return p, known(p)
}

func known(p pattern) error {
	for name, v := range p {
		switch v := v.(type) {
		case map[string]any:
			if err := known(v); err != nil {
				return err
			}
		case []any:
			for _, one := range v {
				o, operator := one.(map[string]any)
				exists, _ := o["exists"].(bool)
				_, prefix := o["prefix"].(string)
				_, list := one.([]any)
				if list || operator && (len(o) != 1 || !exists && !prefix) {
					return fmt.Errorf("filter pattern of %s has an operator that is not played here", name)
				}
			}
		default:
			return fmt.Errorf("filter pattern of %s is neither a list nor an object", name)
		}
	}
	return nil
}

func (p pattern) matches(value any) bool {
	object, ok := value.(map[string]any)
	if !ok {
		return false
	}
	for name, want := range p {
		have, there := object[name]
		switch want := want.(type) {
		case map[string]any:
			if !there || !pattern(want).matches(have) {
				return false
			}
		case []any:
			if !there || !slices.ContainsFunc(want, func(one any) bool {
				o, operator := one.(map[string]any)
				if prefix, ok := o["prefix"].(string); ok {
					text, is := have.(string)
					return is && strings.HasPrefix(text, prefix)
				}
				return operator || one == have
			}) {
				return false
			}
		}
	}
	return true
}
