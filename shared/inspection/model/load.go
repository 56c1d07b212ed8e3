package model

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Parser decodes the text of a model's file strictly into what into points to
// and reports each problem; shared/policy/regionfile.Parse is one.
type Parser func(raw []byte, into any, problem func(key, code, text string)) (canonical []byte, ok bool)

// Problems is everything that is wrong with the files of models. It is an error.
type Problems []string

// Error lists all of them, one on a line.
func (p Problems) Error() string {
	return fmt.Sprintf("model: %d problem(s):\n%s", len(p), strings.Join(p, "\n"))
}

// Set is the models there are. It does not change once made.
type Set struct{ models []Model }

// All lists every model, by id and first day.
func (s *Set) All() []Model {
	if s == nil {
		return nil
	}
	return slices.Clone(s.models)
}

// With is s and m, which replaces any of the same id: what a backtest runs.
func (s *Set) With(m Model) *Set {
	all := slices.DeleteFunc(s.All(), func(o Model) bool { return o.ID == m.ID })
	return &Set{append(all, m)}
}

// Only is the models of s with that id; for an empty id all of them.
func (s *Set) Only(id string) *Set {
	return &Set{slices.DeleteFunc(s.All(), func(o Model) bool { return id != "" && o.ID != id })}
}

// InForce lists the models in force on day ("2026-11-28") somewhere within
// divisions, given by their twelve-digit codes: of each id the latest.
func (s *Set) InForce(within []string, day string) []Model {
	if s == nil {
		return nil
	}
	var all []Model
	for i, m := range s.models {
		if day < m.FirstDay || !m.covers(within) {
			continue
		}
		if n := i + 1; n < len(s.models) && s.models[n].ID == m.ID && day >= s.models[n].FirstDay {
			continue
		}
		if m.LastDay == "" || day <= m.LastDay {
			all = append(all, m)
		}
	}
	return all
}

func (m Model) covers(within []string) bool {
	return slices.ContainsFunc(m.Regions, func(r string) bool {
		return r == everywhere || slices.Contains(within, r+"000000")
	})
}

// everywhere is the region of models that hold in the whole country.
const everywhere = "000000"

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z-]{2,40}$`)
	regionForm = regexp.MustCompile(`^[0-9]{6}$`)
	codeForm   = regexp.MustCompile(`^[A-Z][A-Z_]{2,40}$`)
)

// Load reads every model in fsys, <id>/<first-day>.yaml, by parse. It refuses all
// of them when anything is wrong with any, and the error is then Problems.
func Load(fsys fs.FS, parse Parser) (*Set, error) {
	names, err := fs.Glob(fsys, "*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	var all Problems
	s := &Set{}
	for _, name := range names {
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
		m, problems := Parse(raw, parse)
		for _, p := range problems {
			all = append(all, name+": "+p)
		}
		if name != m.ID+"/"+m.FirstDay+".yaml" {
			all = append(all, name+": the file is not called <id>/<first_day>.yaml")
		}
		s.models = append(s.models, m)
	}
	if len(names) == 0 {
		all = append(all, "there is no model: nothing would be looked for")
	}
	if len(all) > 0 {
		return nil, all
	}
	slices.SortFunc(s.models, compare)
	return s, nil
}

func compare(a, b Model) int {
	if n := strings.Compare(a.ID, b.ID); n != 0 {
		return n
	}
	return strings.Compare(a.FirstDay, b.FirstDay)
}

// Parse reads one model and says everything that is wrong with it.
func Parse(raw []byte, parse Parser) (Model, Problems) {
	var m Model
	var all Problems
	canonical, ok := parse(raw, &m, func(key, code, text string) {
		all = append(all, strings.TrimPrefix(key+": ", ": ")+text+" ("+code+")")
	})
	if !ok {
		return m, all
	}
	sum := sha256.Sum256(append([]byte("doudi-model-1\n"), canonical...))
	m.Fingerprint = hex.EncodeToString(sum[:])
	m.judge(func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) })
	slices.Sort(all)
	return m, all
}

// judge says what is wrong with m.
func (m Model) judge(bad func(string, ...any)) {
	need := func(ok bool, format string, a ...any) {
		if !ok {
			bad(format, a...)
		}
	}
	need(idForm.MatchString(m.ID), "id: small letters and hyphens")
	for name, day := range map[string]string{"first_day": m.FirstDay, "last_day": m.LastDay} {
		_, err := time.Parse(time.DateOnly, day)
		need(err == nil || name == "last_day" && day == "", "%s: %q is not a day", name, day)
	}
	need(m.LastDay == "" || m.LastDay >= m.FirstDay, "last_day: it ends before it begins")
	for name, w := range map[string]Words{"title": m.Title, "looks_for": m.LooksFor, "precision": m.Precision} {
		need(w.Zh != "" && w.En != "", "%s: say it in both languages", name)
	}
	need(m.Source != "", "source: the file names none")
	need(slices.Contains(Effects(), m.Effect), "effect: %q is none of %v; a model can do nothing else", m.Effect, Effects())
	need(slices.Contains(Owners, m.Owner), "owner: %q is none of %v", m.Owner, Owners)
	need(m.Hours >= 1 && m.Hours <= 720, "hours: 1 to 720")
	need(m.HoldCode == "" || m.Effect == Hold && codeForm.MatchString(m.HoldCode), "hold_code: capital letters, and only for effect hold")
	need(len(m.Regions) > 0, "regions: none is not everywhere; write %q for the whole country", everywhere)
	for _, r := range m.Regions {
		need(regionForm.MatchString(r), "regions: %q is not six digits", r)
	}
	k, ok := kindOf(m.Kind)
	if !ok {
		bad("kind: there is no kind %q", m.Kind)
		return
	}
	m.fits(k, bad)
}

// fits holds the figures and lists of m to what its kind needs: all of them, and
// nothing else.
func (m Model) fits(k Kind, bad func(string, ...any)) {
	known := map[string]bool{}
	for _, b := range k.Figures {
		known[b.Name] = true
		f, ok := m.Figures[b.Name]
		switch {
		case !ok:
			bad("figures.%s: missing", b.Name)
		case f.Value < b.Min || f.Value > b.Max:
			bad("figures.%s: %d is not between %d and %d %s", b.Name, f.Value, b.Min, b.Max, b.Unit)
		case f.Source == "":
			bad("figures.%s: no source", b.Name)
		}
	}
	for name := range m.Figures {
		if !known[name] {
			bad("figures.%s: kind %s has no such figure", name, k.Name)
		}
	}
	for _, c := range k.Lists {
		known[c.Name] = true
		if len(m.Lists[c.Name]) == 0 {
			bad("lists.%s: missing", c.Name)
		}
		for _, word := range m.Lists[c.Name] {
			parts := []string{word}
			if c.Pair {
				parts = strings.Split(word, "+")
			}
			if c.Pair && (len(parts) != 2 || parts[0] == parts[1]) || slices.ContainsFunc(parts, func(p string) bool { return !slices.Contains(c.Among, p) }) {
				bad("lists.%s: %q is not among %v", c.Name, word, c.Among)
			}
		}
	}
	for name := range m.Lists {
		if !known[name] {
			bad("lists.%s: kind %s has no such list", name, k.Name)
		}
	}
}

// Pack is s as the file that deployed functions carry.
func (s *Set) Pack() ([]byte, error) {
	raw, err := json.MarshalIndent(s.models, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("model: pack: %w", err)
	}
	return append(raw, '\n'), nil
}

// PackName is the file that Pack makes, below its folder.
var PackName = path.Join("shipped", "models.json")

//go:embed shipped
var packed embed.FS

// Shipped is the models that this system comes with, read and judged when the
// program is built (make rules). A test proves that they say what the files in
// data/ say; were the embedded file broken, which that test rules out, whoever
// asks gets the error.
func Shipped() (*Set, error) { return shipped() }

var shipped = sync.OnceValues(func() (*Set, error) {
	raw, err := packed.ReadFile(PackName)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	s := &Set{}
	if err := json.Unmarshal(raw, &s.models); err != nil {
		return nil, fmt.Errorf("model: %s: %w", PackName, err)
	}
	return s, nil
})
