package exchange

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

//go:embed sources.toml
var catalogue []byte

// Source is one register, as the catalogue describes it.
type Source struct {
	ID         string `toml:"id"`
	Name       string `toml:"name"`   // Chinese
	Holder     string `toml:"holder"` // who keeps the register
	Path       string `toml:"path"`   // below the base URL
	LegalBasis string `toml:"legal_basis"`
	// Freshness is how long the register's data may be relied on.
	Freshness time.Duration `toml:"freshness"`
	// Deadline bounds one Ask with all its tries.
	Deadline time.Duration `toml:"deadline"`
	// Try bounds one try inside the deadline.
	Try time.Duration `toml:"try"`
	// Async sources may answer Pending.
	Async bool `toml:"async"`
	// Causes are those of the cases that the source is asked about; none means all.
	// A case that names bills counts as one about them.
	Causes []string `toml:"causes"`
	// Regions are six-digit codes of those that have switched the source on; none
	// means all.
	Regions []string `toml:"regions"`
	// OnlyAfter: the source is asked only about a person of whom another has said
	// something; the zero value means about everybody.
	OnlyAfter After `toml:"only_after"`
	// FailOpen: first-step aid need not wait for this source (Law art. 50); what it
	// says afterwards goes into the explanation.
	FailOpen bool   `toml:"fail_open"`
	Facts    []Fact `toml:"fact"`
}

// After is what another source must have said of a person before a source is asked
// about them: one of Values for Fact.
type After struct {
	Source string   `toml:"source"`
	Fact   string   `toml:"fact"`
	Values []string `toml:"values"`
}

// Fact is one thing a source may tell us.
type Fact struct {
	Name string `toml:"name"`
	Kind string `toml:"kind"` // enum, count, month, division, code or codes
	// Values are what an enum may be.
	Values []string `toml:"values"`
	// Adverse are values that a person must look at. For a count: "1+" is any but 0.
	Adverse []string `toml:"adverse"`
	// Required facts come with every hit.
	Required bool `toml:"required"`
	// OnlyWhen is "name=value": the fact is a contradiction unless that one holds.
	OnlyWhen string `toml:"only_when"`
}

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z_]{1,31}$`)
	pathForm   = regexp.MustCompile(`^/[a-z0-9/_-]{1,63}$`)
	regionForm = regexp.MustCompile(`^[1-9][0-9]{5}$`)
	kinds      = map[string]*regexp.Regexp{
		"enum":     regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`),
		"count":    regexp.MustCompile(`^(0|[1-9][0-9]?)$`),
		"month":    regexp.MustCompile(`^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$`),
		"division": regexp.MustCompile(`^[0-9]{12}$`),
		"code":     regexp.MustCompile(`^[0-9a-z][0-9a-z-]{0,39}$`),
		"codes":    regexp.MustCompile(`^[0-9A-Z][0-9A-Z.-]*( [0-9A-Z][0-9A-Z.-]*){0,39}$`),
	}
)

// anyCount is the adverse value of a count that means "more than none".
const anyCount = "1+"

// Sources is the catalogue in this package.
func Sources() ([]Source, error) { return ParseSources(catalogue) }

// ParseSources reads a catalogue strictly and reports everything wrong with it:
// unknown keys, missing values, sources or facts named twice, conditions on
// facts that are not there.
func ParseSources(raw []byte) ([]Source, error) {
	var file struct {
		Source []Source `toml:"source"`
	}
	meta, err := toml.Decode(string(raw), &file)
	if err != nil {
		return nil, fmt.Errorf("exchange: catalogue: %w", err)
	}
	var wrong []error
	bad := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("exchange: catalogue: "+format, args...))
	}
	for _, k := range meta.Undecoded() {
		bad("unknown key %s", k)
	}
	if len(file.Source) == 0 {
		bad("no source")
	}
	seen := map[string]bool{}
	for _, s := range file.Source {
		if seen[s.ID] || seen[s.Path] {
			bad("%s: id or path used twice", s.ID)
		}
		seen[s.ID], seen[s.Path] = true, true
		if !idForm.MatchString(s.ID) || !pathForm.MatchString(s.Path) || s.Name == "" || s.Holder == "" || s.LegalBasis == "" {
			bad("%s: id, name, holder, path and legal_basis are required", s.ID)
		}
		if s.Freshness <= 0 || s.Try <= 0 || s.Deadline < s.Try || s.Deadline > time.Minute {
			bad("%s: freshness and 0 < try <= deadline <= 1m are required", s.ID)
		}
		if slices.ContainsFunc(s.Causes, func(c string) bool { return !idForm.MatchString(c) }) {
			bad("%s: a cause has the wrong form", s.ID)
		}
		if slices.ContainsFunc(s.Regions, func(r string) bool { return !regionForm.MatchString(r) }) {
			bad("%s: a region is not six digits", s.ID)
		}
		if !s.OnlyAfter.holds(file.Source) {
			bad("%s: only_after names no fact and values of a source that everybody is asked of", s.ID)
		}
		s.check(func(format string, args ...any) { bad(s.ID+": "+format, args...) })
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return file.Source, nil
}

func (s Source) check(bad func(string, ...any)) {
	if len(s.Facts) == 0 {
		bad("no facts")
	}
	for i, f := range s.Facts {
		form, known := kinds[f.Kind]
		if !idForm.MatchString(f.Name) || !known {
			bad("fact %d: name and a known kind are required", i+1)
			continue
		}
		if (f.Kind == "enum") != (len(f.Values) > 0) {
			bad("%s: values belong to an enum, and an enum needs them", f.Name)
		}
		for _, v := range f.Values {
			if !form.MatchString(v) {
				bad("%s: a value has the wrong form", f.Name)
			}
		}
		for _, v := range f.Adverse {
			if (f.Kind != "count" || v != anyCount) && !slices.Contains(f.Values, v) {
				bad("%s: adverse value is not a value", f.Name)
			}
		}
		if slices.ContainsFunc(s.Facts[:i], func(g Fact) bool { return g.Name == f.Name }) {
			bad("%s: listed twice", f.Name)
		}
		if name, value, ok := strings.Cut(f.OnlyWhen, "="); f.OnlyWhen != "" {
			other, found := s.fact(name)
			if !ok || !found || !other.allows(value) {
				bad("%s: only_when names no fact and value of this source", f.Name)
			}
		}
	}
}

// holds reports whether a is nothing, or what one of all may say of anybody.
func (a After) holds(all []Source) bool {
	if a.Source == "" && a.Fact == "" && len(a.Values) == 0 {
		return true
	}
	i := slices.IndexFunc(all, func(s Source) bool { return s.ID == a.Source && s.OnlyAfter.Source == "" })
	if i < 0 || len(a.Values) == 0 {
		return false
	}
	f, found := all[i].fact(a.Fact)
	return found && !slices.ContainsFunc(a.Values, func(v string) bool { return !f.allows(v) })
}

func (s Source) fact(name string) (Fact, bool) {
	i := slices.IndexFunc(s.Facts, func(f Fact) bool { return f.Name == name })
	if i < 0 {
		return Fact{}, false
	}
	return s.Facts[i], true
}

// Fields are the names of the facts asked for.
func (s Source) Fields() []string {
	out := make([]string, len(s.Facts))
	for i, f := range s.Facts {
		out[i] = f.Name
	}
	return out
}

// allows reports whether v is a value this fact may have.
func (f Fact) allows(v string) bool {
	if f.Kind == "enum" {
		return slices.Contains(f.Values, v)
	}
	form, ok := kinds[f.Kind]
	return ok && form.MatchString(v)
}

func (f Fact) adverse(v string) bool {
	return slices.Contains(f.Adverse, v) || (slices.Contains(f.Adverse, anyCount) && v != "0")
}
