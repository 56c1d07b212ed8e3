package httpapi

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Limits of a field that names none of its own.
const (
	defaultChars = 1_000 // of a string
	defaultItems = 200   // of a list
	maxProblems  = 50    // reported of one document
)

// plan is how values of one type are read. It is made once, at start.
type plan struct {
	form   form
	typ    reflect.Type
	rule   rule
	fields []field        // of an object
	byName map[string]int // exact names
	folded map[string]int // names in lower case, to recognise a variant
	elem   *plan          // of a list or an optional value
}

type form string

const (
	objectForm   form = "object"
	listForm     form = "list"
	optionalForm form = "optional"
	stringForm   form = "string"
	redactedForm form = "redacted"
	textForm     form = "text" // reads itself by UnmarshalText
	integerForm  form = "integer"
	boolForm     form = "bool"
)

// written is what kind of JSON value each form is written as.
var written = map[form]nodeKind{
	objectForm: objectNode, listForm: arrayNode, integerForm: numberNode, boolForm: boolNode,
	stringForm: stringNode, redactedForm: stringNode, textForm: stringNode,
}

type field struct {
	name     string
	index    []int
	required bool
	plan     *plan
}

// rule is what the api tag of a field says:
//
//	required        must be there, and not be empty
//	min=1,max=200   characters of a string, items of a list, value of a number
//	enum=a|b        one of these strings
//	lines           a string that may have line breaks
//	each=20         characters of each string in a list
type rule struct {
	min, max       int64
	hasMin, hasMax bool
	enum           []string
	lines          bool
	each           string
}

var (
	redactType = reflect.TypeFor[redact.Text]()
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func planFor(t reflect.Type) *plan { return makePlan(t, rule{}, t.String(), 0) }

// makePlan panics for a type that cannot be read strictly: floats, maps,
// interfaces, raw JSON. where names it for whoever has to mend it.
func makePlan(t reflect.Type, r rule, where string, depth int) *plan {
	if depth > maxDepth {
		panic("httpapi: " + where + ": type is nested in itself")
	}
	p := &plan{typ: t, rule: r}
	switch {
	case t == redactType:
		p.form = redactedForm
	case reflect.PointerTo(t).Implements(textType):
		p.form = textForm
	case t.Kind() == reflect.Pointer:
		p.form, p.elem = optionalForm, makePlan(t.Elem(), r, where, depth+1)
	case t.Kind() == reflect.Struct:
		p.form, p.byName, p.folded = objectForm, map[string]int{}, map[string]int{}
		p.addFields(t, nil, where, depth)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		of := rule{enum: r.enum, lines: r.lines}
		if r.each != "" {
			of.max, of.hasMax = number(r.each, where), true
		}
		p.form, p.elem = listForm, makePlan(t.Elem(), of, where+"[]", depth+1)
	case t.Kind() == reflect.String:
		p.form = stringForm
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		p.form = integerForm
	case t.Kind() == reflect.Bool:
		p.form = boolForm
	default:
		panic("httpapi: " + where + ": cannot read a " + t.String() + " strictly")
	}
	return p
}

func (p *plan) addFields(t reflect.Type, at []int, where string, depth int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		here := where + "." + f.Name
		if name == "-" {
			continue
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			p.addFields(f.Type, index, here, depth+1)
			continue
		}
		if name == "" || !f.IsExported() {
			panic("httpapi: " + here + ": needs a json name and must be exported")
		}
		r, required := parseRule(f.Tag.Get("api"), here)
		if _, twice := p.folded[strings.ToLower(name)]; twice {
			panic("httpapi: " + here + ": name " + name + " twice")
		}
		p.byName[name], p.folded[strings.ToLower(name)] = len(p.fields), len(p.fields)
		p.fields = append(p.fields, field{name, index, required, makePlan(f.Type, r, here, depth+1)})
	}
}

func parseRule(tag, where string) (r rule, required bool) {
	if tag == "" {
		return r, false
	}
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "required":
			required = true
		case "lines":
			r.lines = true
		case "min":
			r.min, r.hasMin = number(value, where), true
		case "max":
			r.max, r.hasMax = number(value, where), true
		case "each":
			r.each = value
		case "enum":
			r.enum = strings.Split(value, "|")
		default:
			panic("httpapi: " + where + ": unknown rule " + key)
		}
	}
	return r, required
}

func number(s, where string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic("httpapi: " + where + ": " + s + " is not a number")
	}
	return n
}

// Decode reads one JSON document into T by the rules of this package, and names
// everything that is wrong with it.
func Decode[T any](raw []byte) (T, error) {
	var v T
	n, err := parse(raw)
	if err != nil {
		return v, err
	}
	return v, planFor(reflect.TypeFor[T]()).bind(n, reflect.ValueOf(&v).Elem())
}

// bind reads n into v, which must be settable and of the plan's type.
func (p *plan) bind(n *node, v reflect.Value) error {
	var b binder
	b.read(p, n, v, "")
	return b.fields.Err()
}

// binder gathers what is wrong with one document.
type binder struct{ fields fault.Fields }

func (b *binder) say(pointer, code, zh string) {
	if len(b.fields) < maxProblems {
		b.fields.Add(pointer, code, zh)
	}
}

// tell is say with the platform's own words for code.
func (b *binder) tell(pointer, code string, args ...any) {
	b.say(pointer, code, fmt.Sprintf(words[code].zh, args...))
}

func (b *binder) read(p *plan, n *node, v reflect.Value, at string) {
	if n.kind == nullNode {
		b.tell(at, "null")
		return
	}
	if p.form == optionalForm {
		v.Set(reflect.New(p.typ.Elem()))
		b.read(p.elem, n, v.Elem(), at)
		return
	}
	if n.kind != written[p.form] {
		b.tell(at, "wrong-type")
		return
	}
	switch p.form {
	case objectForm:
		b.object(p, n, v, at)
	case listForm:
		b.list(p, n, v, at)
	case integerForm:
		b.integer(p, n, v, at)
	case boolForm:
		v.SetBool(n.truth)
	default:
		b.str(p, n, v, at)
	}
}

func (b *binder) object(p *plan, n *node, v reflect.Value, at string) {
	seen, variants := make(map[string]bool, len(n.members)), map[string]bool{}
	for i := range n.members {
		m := &n.members[i]
		fi, known := p.byName[m.key]
		switch {
		case m.broken:
			b.tell(at, "unknown-field")
		case seen[m.key]:
			b.tell(at+pointerTo(m.key), "duplicate-field")
		case known:
			f := p.fields[fi]
			b.read(f.plan, &m.value, v.FieldByIndex(f.index), at+"/"+f.name)
		default:
			if vi, variant := p.folded[strings.ToLower(m.key)]; variant {
				b.tell(at+"/"+p.fields[vi].name, "wrong-case")
				variants[p.fields[vi].name] = true // not missing as well
			} else {
				b.tell(at+pointerTo(m.key), "unknown-field")
			}
		}
		seen[m.key] = true
	}
	for _, f := range p.fields {
		switch {
		case !f.required:
		case seen[f.name]:
			b.refuseEmpty(n, f, at)
		case !variants[f.name]:
			b.tell(at+"/"+f.name, "required")
		}
	}
}

// refuseEmpty treats an empty string or list in a required field as missing.
func (b *binder) refuseEmpty(n *node, f field, at string) {
	i := slices.IndexFunc(n.members, func(m member) bool { return m.key == f.name })
	val := &n.members[i].value
	if val.kind == stringNode && !val.broken && strings.TrimSpace(val.text) == "" || val.kind == arrayNode && len(val.items) == 0 {
		b.tell(at+"/"+f.name, "required")
	}
}

// pointerTo is the step to a key of the caller's own making. It is repeated only
// when it looks like a field name: anything else may be somebody's number or
// name, and then the pointer names the object it stood in.
func pointerTo(key string) string {
	if key == "" || len(key) > 40 {
		return ""
	}
	for i := range len(key) {
		if c := key[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_') {
			return ""
		}
	}
	return "/" + key
}

func (b *binder) list(p *plan, n *node, v reflect.Value, at string) {
	most := int64(defaultItems)
	if p.rule.hasMax {
		most = p.rule.max
	}
	if int64(len(n.items)) > most {
		b.tell(at, "too-many-items", most)
		return
	}
	if p.rule.hasMin && int64(len(n.items)) < p.rule.min {
		b.tell(at, "too-few-items", p.rule.min)
	}
	v.Set(reflect.MakeSlice(p.typ, len(n.items), len(n.items)))
	for i := range n.items {
		b.read(p.elem, &n.items[i], v.Index(i), at+"/"+strconv.Itoa(i))
	}
}

func (b *binder) integer(p *plan, n *node, v reflect.Value, at string) {
	if strings.ContainsAny(n.text, ".eE") || n.text == "-0" {
		b.tell(at, "not-integer")
		return
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || v.OverflowInt(i) {
		b.tell(at, "out-of-range")
		return
	}
	if p.rule.hasMin && i < p.rule.min || p.rule.hasMax && i > p.rule.max {
		b.tell(at, "out-of-range")
		return
	}
	v.SetInt(i)
}

func (b *binder) str(p *plan, n *node, v reflect.Value, at string) {
	most := int64(defaultChars)
	if p.rule.hasMax {
		most = p.rule.max
	}
	chars := int64(utf8.RuneCountInString(n.text))
	switch {
	case n.broken || !printable(n.text, p.rule.lines):
		b.tell(at, "bad-character")
		return
	case chars > most:
		b.tell(at, "too-long", most)
		return
	case p.rule.hasMin && chars < p.rule.min:
		b.tell(at, "too-short", p.rule.min)
		return
	case p.rule.enum != nil && !slices.Contains(p.rule.enum, n.text):
		b.tell(at, "not-allowed")
		return
	}
	switch p.form {
	case redactedForm:
		v.Set(reflect.ValueOf(redact.New(n.text)))
	case textForm:
		err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text))
		if f, ok := errors.AsType[*fault.Error](err); ok {
			b.say(at, f.Code, f.Title)
		} else if err != nil {
			b.tell(at, "malformed")
		}
	default:
		v.SetString(n.text)
	}
}

// printable refuses what a person cannot have typed into a form on purpose:
// control characters, line and paragraph separators, byte order marks,
// characters that turn the direction of writing (they make one account read as
// another), and code points that are no characters. Private-use code points
// stay: rare names are written with them.
func printable(s string, lines bool) bool {
	for _, r := range s {
		switch {
		case lines && r == '\n':
		case unicode.IsControl(r),
			r == '\u2028', r == '\u2029', r == '\uFEFF',
			r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069',
			r >= '\uFDD0' && r <= '\uFDEF', r&0xFFFE == 0xFFFE:
			return false
		}
	}
	return true
}

// words is what to say of one field, by code.
var words = map[string]struct{ zh, en string }{
	"required":        {"请填写这一项。", "This field is required."},
	"unknown-field":   {"没有这个字段。", "There is no such field."},
	"duplicate-field": {"这个字段出现了两次。", "This field is given twice."},
	"wrong-case":      {"字段名的大小写不正确。", "The name of this field is in the wrong case."},
	"wrong-type":      {"这一项的类型不正确。", "This value is of the wrong type."},
	"null":            {"这一项不能是 null；不填就不要带上。", "null is not accepted; leave the field out."},
	"not-integer":     {"请填写整数。", "This must be a whole number, written plainly."},
	"out-of-range":    {"这个数超出了允许的范围。", "This number is out of range."},
	"bad-character":   {"含有不能使用的字符。", "This has characters that are not allowed."},
	"too-long":        {"最多 %d 个字。", "This is too long."},
	"too-short":       {"至少 %d 个字。", "This is too short."},
	"too-many-items":  {"最多 %d 项。", "There are too many items."},
	"too-few-items":   {"至少 %d 项。", "There are too few items."},
	"not-allowed":     {"请从给出的选项中选择。", "This is not one of the allowed values."},
	"malformed":       {"格式不正确。", "This is not well formed."},
}

// absent reports whether a body is nothing but white space.
func absent(body []byte) bool { return len(bytes.TrimSpace(body)) == 0 }
