package httpapi

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

// Limits of one JSON document. They are checked while reading, so that a
// hostile document is refused before it is read to its end.
const (
	maxDepth  = 32
	maxValues = 20_000
	maxItems  = 5_000 // in one array; tags ask for less
	maxKeys   = 500   // in one object
)

type nodeKind byte

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

// node is one JSON value, read but not yet given a meaning.
type node struct {
	kind    nodeKind
	truth   bool
	text    string // the string, or the number as written
	broken  bool   // the string has an escape that is no character: a lone surrogate
	items   []node
	members []member
}

type member struct {
	key    string
	broken bool
	value  node
}

// parser reads RFC 8259 JSON from bytes known to be UTF-8.
type parser struct {
	in     []byte
	at     int
	values int
	err    error
}

// parse reads one document and nothing after it.
func parse(in []byte) (*node, error) {
	if !utf8.Valid(in) {
		return nil, ErrSyntax
	}
	p := &parser{in: in}
	n, ok := p.value(1)
	if !ok {
		return nil, p.err
	}
	if p.space(); p.at != len(p.in) {
		return nil, ErrSyntax
	}
	return &n, nil
}

func (p *parser) fail(err error) bool {
	if p.err == nil {
		p.err = err
	}
	return false
}

func (p *parser) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek is the next byte; 0, which JSON has no use for, at the end.
func (p *parser) peek() byte {
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

func (p *parser) eat(c byte) bool {
	if p.peek() != c || p.at >= len(p.in) {
		return false
	}
	p.at++
	return true
}

func (p *parser) value(depth int) (n node, ok bool) {
	if p.values++; depth > maxDepth || p.values > maxValues {
		return n, p.fail(ErrDeep)
	}
	p.space()
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		n.kind = stringNode
		n.text, n.broken, ok = p.str()
		return n, ok
	case c == 't':
		return node{kind: boolNode, truth: true}, p.word("true")
	case c == 'f':
		return node{kind: boolNode}, p.word("false")
	case c == 'n':
		return node{kind: nullNode}, p.word("null")
	case c == '-' || c >= '0' && c <= '9':
		n.kind = numberNode
		n.text, ok = p.number()
		return n, ok
	}
	return n, p.fail(ErrSyntax)
}

func (p *parser) word(w string) bool {
	if len(p.in)-p.at < len(w) || string(p.in[p.at:p.at+len(w)]) != w {
		return p.fail(ErrSyntax)
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (n node, ok bool) {
	n.kind = objectNode
	p.at++
	p.space()
	if p.eat('}') {
		return n, true
	}
	for {
		if len(n.members) >= maxKeys {
			return n, p.fail(ErrDeep)
		}
		var m member
		p.space()
		if p.peek() != '"' {
			return n, p.fail(ErrSyntax)
		}
		if m.key, m.broken, ok = p.str(); !ok {
			return n, false
		}
		if p.space(); !p.eat(':') {
			return n, p.fail(ErrSyntax)
		}
		if m.value, ok = p.value(depth + 1); !ok {
			return n, false
		}
		n.members = append(n.members, m)
		p.space()
		if p.eat('}') {
			return n, true
		}
		if !p.eat(',') {
			return n, p.fail(ErrSyntax)
		}
	}
}

func (p *parser) array(depth int) (n node, ok bool) {
	n.kind = arrayNode
	p.at++
	p.space()
	if p.eat(']') {
		return n, true
	}
	for {
		if len(n.items) >= maxItems {
			return n, p.fail(ErrDeep)
		}
		item, ok := p.value(depth + 1)
		if !ok {
			return n, false
		}
		n.items = append(n.items, item)
		p.space()
		if p.eat(']') {
			return n, true
		}
		if !p.eat(',') {
			return n, p.fail(ErrSyntax)
		}
	}
}

// number is the number as written, in the grammar of RFC 8259.
func (p *parser) number() (string, bool) {
	from := p.at
	p.eat('-')
	if !p.eat('0') && !p.digits() {
		return "", p.fail(ErrSyntax)
	}
	if p.eat('.') && !p.digits() {
		return "", p.fail(ErrSyntax)
	}
	if p.eat('e') || p.eat('E') {
		if !p.eat('+') {
			p.eat('-')
		}
		if !p.digits() {
			return "", p.fail(ErrSyntax)
		}
	}
	return string(p.in[from:p.at]), true
}

func (p *parser) digits() bool {
	from := p.at
	for p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9' {
		p.at++
	}
	return p.at > from
}

// str reads a string. broken reports an escape that is half a character.
func (p *parser) str() (s string, broken, ok bool) {
	p.at++
	from := p.at
	for p.at < len(p.in) && p.in[p.at] != '"' && p.in[p.at] != '\\' && p.in[p.at] >= ' ' {
		p.at++
	}
	out := p.in[from:p.at:p.at] // copied by the first append
	for p.at < len(p.in) {
		c := p.in[p.at]
		switch {
		case c == '"':
			p.at++
			return string(out), broken, true
		case c < ' ':
			return "", false, p.fail(ErrSyntax)
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		p.at++
		switch c := p.peek(); c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			p.at++
			r, ok := p.hex()
			if !ok {
				return "", false, p.fail(ErrSyntax)
			}
			if r >= 0xD800 && r < 0xE000 {
				low := rune(0)
				if r < 0xDC00 && p.at+1 < len(p.in) && p.in[p.at] == '\\' && p.in[p.at+1] == 'u' {
					p.at += 2
					if low, ok = p.hex(); !ok {
						return "", false, p.fail(ErrSyntax)
					}
				}
				if low < 0xDC00 || low >= 0xE000 {
					broken = true
					continue
				}
				r = (r-0xD800)<<10 + (low - 0xDC00) + 0x10000
			}
			out = utf8.AppendRune(out, r)
			continue
		default:
			return "", false, p.fail(ErrSyntax)
		}
		p.at++
	}
	return "", false, p.fail(ErrSyntax)
}

func (p *parser) hex() (rune, bool) {
	if len(p.in)-p.at < 4 {
		return 0, false
	}
	v := rune(0)
	for _, c := range p.in[p.at : p.at+4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	p.at += 4
	return v, true
}

// canonical appends n with keys sorted, no spaces and one spelling for each
// string. It is only ever made of documents that were bound, where numbers have
// one spelling and keys come once.
func (n *node) canonical(out []byte) []byte {
	switch n.kind {
	case boolNode:
		return strconv.AppendBool(out, n.truth)
	case numberNode:
		return append(out, n.text...)
	case stringNode:
		return strconv.AppendQuote(out, n.text)
	case arrayNode:
		out = append(out, '[')
		for i := range n.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = n.items[i].canonical(out)
		}
		return append(out, ']')
	case objectNode:
		sorted := slices.Clone(n.members)
		slices.SortFunc(sorted, func(a, b member) int {
			switch {
			case a.key < b.key:
				return -1
			case a.key > b.key:
				return 1
			}
			return 0
		})
		out = append(out, '{')
		for i := range sorted {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendQuote(out, sorted[i].key)
			out = append(out, ':')
			out = sorted[i].value.canonical(out)
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}
