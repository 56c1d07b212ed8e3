package complaint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
)

// regionFile is one file of data/.
type regionFile struct {
	Region   string   `yaml:"region"`
	Name     string   `yaml:"name"`
	FirstDay string   `yaml:"first_day"`
	Source   string   `yaml:"source"`
	Modules  []Module `yaml:"modules"`
	Clocks   Figures  `yaml:"clocks"`
}

var code = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Compile reads the region files of fsys by parse, judges them and packs them
// for Unpack. Every problem of every file is reported.
func Compile(fsys fs.FS, tree *division.Tree, parse policy.Parser) ([]byte, error) {
	names, err := fs.Glob(fsys, "*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("complaint: %w", err)
	}
	slices.Sort(names)
	var all []*Rules
	var problems []error
	for _, name := range names {
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("complaint: %w", err)
		}
		say := func(key, code, text string) {
			problems = append(problems, fmt.Errorf("complaint: %s: %s: %s (%s)", name, key, text, code))
		}
		var f regionFile
		if _, ok := parse(raw, &f, say); !ok {
			continue
		}
		all = append(all, f.rules(name, tree, say))
	}
	nation := slices.IndexFunc(all, func(r *Rules) bool { return r.Region == Nation })
	if nation < 0 {
		return nil, errors.Join(append(problems, errors.New("complaint: no file of the nation, 000000"))...)
	}
	for _, r := range all {
		complete(r, all[nation])
		for _, missing := range r.Clocks.missing() {
			problems = append(problems, fmt.Errorf("complaint: %s: clocks.%s: nowhere given (missing)", r.Region, missing))
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("complaint: %w", err)
		}
		sum := sha256.Sum256(raw)
		r.Fingerprint = hex.EncodeToString(sum[:])
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("complaint: %w", err)
	}
	return append(raw, '\n'), nil
}

// rules are the file's own figures, judged.
func (f regionFile) rules(name string, tree *division.Tree, say func(key, code, text string)) *Rules {
	r := &Rules{Name: f.Name, Source: f.Source, Modules: f.Modules, Clocks: f.Clocks}
	day, err := civil.ParseDay(f.FirstDay)
	if err != nil || path.Base(name) != f.FirstDay+".yaml" || path.Dir(name) != f.Region {
		say("first_day", "name", "the file is not at region/first_day.yaml")
	}
	r.First = day
	if r.Region = Nation; f.Region != "000000" {
		if r.Region, err = civil.ParseDivision(f.Region); err != nil {
			say("region", "division", "not a division")
		} else if _, known := tree.Find(r.Region, day); !known {
			say("region", "division", "not in the division tree on that day")
		}
	}
	if f.Name == "" || f.Source == "" {
		say("name", "required", "name and source are needed")
	}
	said := func(key, source, status string) {
		if source == "" || status != "confirmed" && status != "unconfirmed" {
			say(key, "source", "needs a source, and status confirmed or unconfirmed")
		}
	}
	seen := map[string]bool{}
	named := func(key, c, text string) {
		if !code.MatchString(c) || seen[c] || text == "" {
			say(key, "code", "needs a code of its own and a name")
		}
		seen[c] = true
	}
	for _, m := range r.Modules {
		named("modules."+m.Code, m.Code, m.Name)
		said("modules."+m.Code, m.Source, m.Status)
		for _, i := range m.Items {
			key := "modules." + m.Code + "." + i.Code
			named(key, i.Code, i.Name)
			said(key, i.Source, i.Status)
			for _, u := range []Unit{i.Handling, i.Supervising} {
				if _, ok := levels[u.Level]; !ok {
					say(key, "level", "level is township, county or city")
				}
			}
		}
	}
	for key, d := range r.Clocks.each() {
		if d == nil {
			continue
		}
		said("clocks."+key, d.Source, d.Status)
		if d.Value < 1 || d.Value > 365 {
			say("clocks."+key, "range", "1 to 365")
		}
	}
	if e := r.Clocks.ExtensionDays; e != nil && e.Value > 30 {
		say("clocks.extension_days", "range", "at most 30 (信访工作条例第三十四条)")
	}
	return r
}

// levels are the levels of a Unit.
var levels = map[string]civil.Level{"township": civil.TownshipLevel, "county": civil.CountyLevel, "city": civil.CityLevel}

// each is every clock by its name.
func (f *Figures) each() map[string]*Days {
	all := map[string]*Days{}
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		all[figureName(v.Type().Field(i))] = v.Field(i).Interface().(*Days)
	}
	return all
}

// figureName is how a figure is written.
func figureName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// complete takes from the nation what r does not say.
func complete(r, nation *Rules) {
	own, base := reflect.ValueOf(&r.Clocks).Elem(), reflect.ValueOf(&nation.Clocks).Elem()
	for i := range own.NumField() {
		if own.Field(i).IsNil() {
			own.Field(i).Set(base.Field(i))
		}
	}
	if len(r.Modules) == 0 {
		r.Modules = nation.Modules
	}
}

func (f *Figures) missing() []string {
	var none []string
	for name, d := range f.each() {
		if d == nil {
			none = append(none, name)
		}
	}
	slices.Sort(none)
	return none
}

// Unconfirmed names the clocks that no authority has confirmed.
func (r *Rules) Unconfirmed() []string {
	names := []string{}
	for name, d := range r.Clocks.each() {
		if d != nil && !d.Confirmed() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Figure is one clock with its name.
type Figure struct {
	Name string
	Days
}

// List is every clock, in order of their names.
func (f *Figures) List() []Figure {
	var all []Figure
	for name, d := range f.each() {
		if d != nil {
			all = append(all, Figure{name, *d})
		}
	}
	slices.SortFunc(all, func(a, b Figure) int { return strings.Compare(a.Name, b.Name) })
	return all
}
