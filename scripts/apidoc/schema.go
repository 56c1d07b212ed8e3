package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/test/faults"
)

const module = "github.com/doudi-aid/doudi/"

// direction says whether a type is read or written. What is read is strict and
// says what is required; what is written has every field that is not omitempty.
type direction bool

const (
	input  direction = true
	output direction = false
)

var (
	noneType   = reflect.TypeFor[httpapi.None]()
	timeType   = reflect.TypeFor[time.Time]()
	redactType = reflect.TypeFor[redact.Text]()
	jsonType   = reflect.TypeFor[json.RawMessage]()
	textType   = reflect.TypeFor[encoding.TextMarshaler]()
)

// builder gathers the schemas that the routes use.
type builder struct {
	words    words
	comments map[string]string // "functions/decide.VisitIn" and "functions/decide.VisitIn.Note"
	schemas  map[string]*yaml.Node
	owner    map[string]reflect.Type
}

// schema is t's schema: a reference for a struct, in place for the rest.
func (b *builder) schema(t reflect.Type, d direction) *yaml.Node {
	switch {
	case t == timeType:
		return mapping("type", "string", "format", "date-time")
	case t == redactType:
		return mapping("type", "string")
	case t == jsonType:
		return mapping()
	case t.Implements(textType) || reflect.PointerTo(t).Implements(textType):
		return mapping("type", "string")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.schema(t.Elem(), d)
	case reflect.String:
		return mapping("type", "string")
	case reflect.Bool:
		return mapping("type", "boolean")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return mapping("type", "integer", "format", "int64")
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return mapping("type", "string", "contentEncoding", "base64")
		}
		return mapping("type", "array", "items", b.schema(t.Elem(), d))
	case reflect.Map:
		return mapping("type", "object", "additionalProperties", b.schema(t.Elem(), d))
	case reflect.Interface:
		return mapping()
	case reflect.Struct:
		return ref("#/components/schemas/" + b.object(t, d))
	}
	panic(fmt.Sprintf("apidoc: no schema for %s", t))
}

// object makes the schema of a struct and answers its name.
func (b *builder) object(t reflect.Type, d direction) string {
	if b.owner == nil {
		b.owner = map[string]reflect.Type{}
	}
	name := t.Name()
	if i := strings.IndexByte(name, '['); i >= 0 { // a generic type: Page[pkg.Item] is PageItem
		name = name[:i] + path.Ext(strings.TrimSuffix(name, "]"))[1:]
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	if first, taken := b.owner[name]; taken && first != t {
		p := path.Base(t.PkgPath())
		name = strings.ToUpper(p[:1]) + p[1:] + name
	}
	if _, done := b.schemas[name]; done {
		return name
	}
	b.owner[name] = t
	s := mapping("type", "object")
	b.schemas[name] = s
	if c := b.comment(t, ""); c != "" {
		add(s, "description", c)
	}
	if d == input {
		add(s, "additionalProperties", false)
	}
	properties, required := mapping(), sequence()
	b.properties(t, d, properties, required)
	if len(required.Content) > 0 {
		add(s, "required", required)
	}
	add(s, "properties", properties)
	return name
}

func (b *builder) properties(t reflect.Type, d direction, properties, required *yaml.Node) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && name == "" {
			b.properties(f.Type, d, properties, required)
			continue
		}
		if name == "" {
			name = f.Name
		}
		s := b.schema(f.Type, d)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if d == input {
			optional = !limit(s, f.Tag.Get("api"))
		} else if !optional && (f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Map) {
			nullable(s)
		}
		if c := b.comment(t, f.Name); c != "" {
			add(s, "description", c)
		}
		if !optional {
			required.Content = append(required.Content, node(name))
		}
		add(properties, name, s)
	}
}

// limit writes what an api tag says into s, and reports whether the field must
// be there.
func limit(s *yaml.Node, tag string) (required bool) {
	kind := value(s, "type")
	for part := range strings.SplitSeq(tag, ",") {
		key, v, _ := strings.Cut(part, "=")
		n, _ := strconv.Atoi(v) // the platform refused a bad one at start
		switch key {
		case "required":
			required = true
		case "min", "max":
			word := map[string]string{"string": key + "Length", "array": key + "Items", "integer": key + "imum"}[kind]
			add(s, word, n)
		case "enum":
			list := sequence()
			for one := range strings.SplitSeq(v, "|") {
				list.Content = append(list.Content, node(one))
			}
			if kind == "array" {
				add(child(s, "items"), "enum", list)
			} else {
				add(s, "enum", list)
			}
		case "each":
			add(child(s, "items"), "maxLength", n)
		}
	}
	defaults(s, kind, required)
	return required
}

// defaults writes the limits that the platform has for a field that names none.
func defaults(s *yaml.Node, kind string, required bool) {
	if child(s, "enum") != nil || child(s, "format") != nil {
		return
	}
	switch kind {
	case "string":
		if required && child(s, "minLength") == nil {
			add(s, "minLength", 1)
		}
		if child(s, "maxLength") == nil {
			add(s, "maxLength", 1000)
		}
	case "array":
		if required && child(s, "minItems") == nil {
			add(s, "minItems", 1)
		}
		if child(s, "maxItems") == nil {
			add(s, "maxItems", 200)
		}
	}
}

// nullable lets s also be null, which is how Go writes a nil.
func nullable(s *yaml.Node) {
	if t := child(s, "type"); t != nil {
		*t = *sequence(t.Value, "null")
		return
	}
	if r := child(s, "$ref"); r != nil {
		*s = *mapping("anyOf", sequence(ref(r.Value), mapping("type", "null")))
	}
}

func (b *builder) raw(name string) *yaml.Node {
	n := b.words.Raw[name]
	b.schemas[name] = &n
	return ref("#/components/schemas/" + name)
}

func (b *builder) components(known []faults.Fault) *yaml.Node {
	problem := b.object(reflect.TypeFor[httpapi.Problem](), output)
	codes, seen := sequence(), map[string]bool{}
	for _, f := range known {
		if !seen[f.Code] {
			codes.Content = append(codes.Content, node(f.Code))
		}
		seen[f.Code] = true
	}
	add(child(child(b.schemas[problem], "properties"), "code"), "enum", codes)
	schemas := mapping()
	for _, name := range slices.Sorted(maps.Keys(b.schemas)) {
		add(schemas, name, b.schemas[name])
	}
	return mapping(
		"securitySchemes", mapping("session", mapping("type", "http", "scheme", "bearer",
			"description", "An opaque token from POST /v1/sessions or POST /v1/staff/sessions.")),
		"parameters", mapping(
			"IdempotencyKey", mapping("name", "Idempotency-Key", "in", "header", "required", true,
				"description", "1 to 128 visible ASCII characters, new for every new wish. The same key with the same body gets the same answer for ever; with another body 422; while the first is still running 409.",
				"schema", mapping("type", "string", "minLength", 1, "maxLength", 128, "pattern", "^[!-~]*$")),
			"AcceptLanguage", mapping("name", "Accept-Language", "in", "header",
				"description", "zh (the default) or en; the language of words for people. What names neither, whatever it is, gets the default.",
				"schema", mapping("type", "string")),
		),
		"responses", mapping("Problem", mapping(
			"description", "What went wrong, once and for all fields at once. Decide by code; all codes are under x-error-codes.",
			"content", mapping("application/problem+json", mapping("schema", ref("#/components/schemas/"+problem), "example", mapping(
				"type", httpapi.DefaultDocs+"invalid-fields", "code", "invalid-fields", "title", "有些内容需要改正，请看下面逐项说明。", "status", 400,
				"fields", sequence(mapping("pointer", "/household/0/name", "code", "required", "detail", "请填写。")),
				"request_id", "5r0v2c8kq3n1m7x9z4w6t8y2ab"))))),
		"schemas", schemas,
	)
}

// comment is what the source says above or beside a type or one of its fields.
func (b *builder) comment(t reflect.Type, field string) string {
	key := strings.TrimPrefix(t.PkgPath(), module) + "." + strings.SplitN(t.Name(), "[", 2)[0]
	if field != "" {
		key += "." + field
	}
	return b.comments[key]
}

// readComments reads the comments of every struct type below root.
func readComments(root string) (map[string]string, error) {
	all := map[string]string{}
	for _, top := range []string{"functions", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			dir, err := filepath.Rel(root, filepath.Dir(name))
			if err != nil {
				return err
			}
			for _, d := range file.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					for _, s := range g.Specs {
						if t, ok := s.(*ast.TypeSpec); ok {
							typeComments(all, filepath.ToSlash(dir), g, t)
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func typeComments(all map[string]string, dir string, g *ast.GenDecl, t *ast.TypeSpec) {
	key := dir + "." + t.Name.Name
	doc := t.Doc
	if doc == nil && len(g.Specs) == 1 {
		doc = g.Doc
	}
	all[key] = oneLine(doc)
	st, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range st.Fields.List {
		text := oneLine(f.Doc)
		if text == "" {
			text = oneLine(f.Comment)
		}
		for _, n := range f.Names {
			all[key+"."+n.Name] = text
		}
	}
}

func oneLine(g *ast.CommentGroup) string {
	if g == nil {
		return ""
	}
	return strings.Join(strings.Fields(g.Text()), " ")
}
