package division

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
)

// Parse reads a tree from its text form: "from DAY" and "region CODE" lines,
// then one division a line, a tab deeper for each level, as
// "CODE NAME [from=DAY] [to=DAY]". Codes may be short (2, 4, 6 or 9 digits).
// A division that moved stands in both places, each with its days. Every
// problem is reported, with its line.
func Parse(r io.Reader) (*Tree, error) {
	l := &lists{
		versions: map[civil.DivisionCode][]Division{},
		children: map[civil.DivisionCode][]civil.DivisionCode{},
	}
	t := &Tree{func() *lists { return l }}
	p := parser{tree: t, lists: l}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.line++
		p.read(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("division: read: %w", err)
	}
	p.finish()
	return t, errors.Join(p.problems...)
}

type parser struct {
	tree     *Tree
	lists    *lists
	line     int
	from     civil.Day            // the first day of lines that name none
	above    []civil.DivisionCode // the divisions that the line may stand in
	problems []error
}

func (p *parser) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("division: line %d: "+format, append([]any{p.line}, args...)...))
}

func (p *parser) read(text string) {
	if text == "" || text[0] == '#' {
		return
	}
	body := strings.TrimLeft(text, "\t")
	depth := len(text) - len(body)
	words := strings.Fields(body)
	if len(words) < 2 {
		p.problem("too few words")
		return
	}
	switch words[0] {
	case "from":
		day, err := civil.ParseDay(words[1])
		if err != nil {
			p.problem("bad day %q", words[1])
		}
		p.from = day
		return
	case "region":
		p.lists.regions = append(p.lists.regions, p.code(words[1]))
		return
	}
	d := Division{Code: p.code(words[0]), Name: words[1], From: p.from}
	for _, w := range words[2:] {
		key, value, _ := strings.Cut(w, "=")
		day, err := civil.ParseDay(value)
		switch {
		case err != nil:
			p.problem("bad day %q", w)
		case key == "from":
			d.From = day
		case key == "to":
			d.To = day
		default:
			p.problem("unknown key %q", key)
		}
	}
	if depth > len(p.above) {
		p.problem("%s is deeper than what stands above it", d.Code)
		return
	}
	if depth > 0 {
		d.Parent = p.above[depth-1]
	}
	p.above = append(p.above[:depth], d.Code)
	if d.From.IsZero() {
		p.problem("%s has no first day", d.Code)
	}
	if !d.To.IsZero() && d.To.Before(d.From) {
		p.problem("%s ends before it begins", d.Code)
	}
	p.lists.versions[d.Code] = append(p.lists.versions[d.Code], d)
	if !slices.Contains(p.lists.children[d.Parent], d.Code) {
		p.lists.children[d.Parent] = append(p.lists.children[d.Parent], d.Code)
	}
}

// code reads a full or short code.
func (p *parser) code(s string) civil.DivisionCode {
	if len(s) < 6 {
		s += strings.Repeat("0", 6-len(s))
	}
	c, err := civil.ParseDivision(s)
	if err != nil {
		p.problem("bad code %q", s)
	}
	return c
}

// finish judges what can be judged only when all lines are read.
func (p *parser) finish() {
	for code, list := range p.lists.versions {
		slices.SortStableFunc(list, func(a, b Division) int { return a.From.Compare(b.From) })
		for i, d := range list {
			if i > 0 && list[i-1].on(d.From) {
				p.problems = append(p.problems, fmt.Errorf("division: %s is two things on %s", code, d.From))
			}
			if d.Parent != "" && p.tree.Path(code, d.From) == nil {
				p.problems = append(p.problems, fmt.Errorf("division: %s stands in nothing on %s", code, d.From))
			}
			if parent := d.Parent.Level(); d.Parent != "" && parent >= code.Level() {
				p.problems = append(p.problems, fmt.Errorf("division: %s cannot stand in %s", code, d.Parent))
			}
		}
	}
	for _, list := range p.lists.children {
		slices.Sort(list)
	}
	for _, region := range p.lists.regions {
		if len(p.lists.versions[region]) == 0 {
			p.problems = append(p.problems, fmt.Errorf("division: region %s is not in the tree", region))
		}
	}
	if len(p.lists.versions) == 0 {
		p.problems = append(p.problems, errors.New("division: the tree is empty"))
	}
}
