// Package model is what inspection looks for, as data: dated, reviewed files that
// each name a kind of rule, its figures with their sources, what a hit does, who
// owns it and by when. The kinds are Go, one file each, and pure: facts and
// figures give hits with words.
//
// It stands on the standard library alone and refuses to know applications,
// people, registers and money: a model cannot even name an identity number.
// Facts is all that it can see, and a hit can do no more than hold, sample or
// inform: there is no way to refuse, reduce or claw back in it.
package model

import (
	"fmt"
	"slices"
	"strings"
)

// Effect is what a hit does.
type Effect string

// The effects. There is no other, and none that takes anything from anybody.
const (
	Hold   Effect = "hold"   // the money waits until a person has looked
	Sample Effect = "sample" // it goes onto the list that supervisors draw from
	Inform Effect = "inform" // the supervisor is told
)

// Effects lists every effect.
func Effects() []Effect { return []Effect{Hold, Sample, Inform} }

// Label is the effect's name in Chinese.
func (e Effect) Label() string {
	return map[Effect]string{Hold: "暂缓发放", Sample: "列入抽查", Inform: "告知监督"}[e]
}

// Owners are the roles that a finding may be given to.
var Owners = []string{"clerk", "reviewer", "approver", "finance", "supervisor"}

// Words are in both languages.
type Words struct {
	Zh string `yaml:"zh" json:"zh"`
	En string `yaml:"en" json:"en"`
}

// Figure is one number with where it comes from.
type Figure struct {
	Value  int    `yaml:"value" json:"value"`
	Source string `yaml:"source" json:"source"`
}

// Model is one model as reviewed. It does not change once loaded.
type Model struct {
	ID       string `yaml:"id" json:"id"`
	FirstDay string `yaml:"first_day" json:"first_day"`         // in force from, "2026-11-28"
	LastDay  string `yaml:"last_day" json:"last_day,omitempty"` // and to; "" until the next file
	Title    Words  `yaml:"title" json:"title"`
	// LooksFor says what is looked for and why, for whoever must judge a hit.
	LooksFor Words  `yaml:"looks_for" json:"looks_for"`
	Source   string `yaml:"source" json:"source"` // the law or the case it rests on
	Kind     string `yaml:"kind" json:"kind"`
	// Figures are the numbers of its kind, Lists its words; both are complete.
	Figures map[string]Figure   `yaml:"figures" json:"figures,omitempty"`
	Lists   map[string][]string `yaml:"lists" json:"lists,omitempty"`
	Effect  Effect              `yaml:"effect" json:"effect"`
	// HoldCode is the code of its hold, when that is one that others place too.
	HoldCode string   `yaml:"hold_code" json:"hold_code,omitempty"`
	Owner    string   `yaml:"owner" json:"owner"`     // role that must deal with a hit
	Hours    int      `yaml:"hours" json:"hours"`     // by when
	Regions  []string `yaml:"regions" json:"regions"` // six-digit codes, "000000" for everywhere
	// Precision says how to read the share of hits that were right.
	Precision Words `yaml:"precision" json:"precision"`
	// Fingerprint is the SHA-256 of what the file says, in hexadecimal.
	Fingerprint string `yaml:"-" json:"fingerprint"`
}

// CodePrefix begins the codes of holds that only models place.
const CodePrefix = "MODEL_"

// Code is the code of the holds that the model places.
func (m Model) Code() string {
	if m.HoldCode != "" {
		return m.HoldCode
	}
	return CodePrefix + strings.ToUpper(strings.ReplaceAll(m.ID, "-", "_"))
}

// Hit is one thing that a model found. Key tells apart what one model finds in
// one case, and the same thing found again has the same key.
type Hit struct {
	Key   string
	Words Words
}

// Run is what m finds in f. The same facts give the same hits for ever.
func (m Model) Run(f Facts) []Hit {
	k, ok := kindOf(m.Kind)
	if !ok {
		return nil // Load lets none in
	}
	return k.run(m, f)
}

func (m Model) figure(name string) int { return m.Figures[name].Value }

// Kind is one kind of rule.
type Kind struct {
	Name    string
	Title   Words
	Figures []Bounds // the numbers it needs
	Lists   []Choice // the words it needs
	run     func(Model, Facts) []Hit
}

// Bounds are a figure's name and what it may be. They are a floor under
// carelessness: no file can make one person's own card a suspicion.
type Bounds struct {
	Name     string
	Min, Max int
	Unit     string
}

// Choice is a list's name and what may stand in it: words, or with Pair two words
// joined by "+".
type Choice struct {
	Name  string
	Among []string
	Pair  bool
}

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{dead, twoPlaces, twoSchemes, manyPeople, kin, payeeChanged, concentration, invoiceTwice, unsettled, ended, payroll, bulk, assets, joined}
}

func kindOf(name string) (Kind, bool) {
	all := Kinds()
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return all[i], true
}

// hit is one hit with words made from the same values in both languages.
func hit(key, zh, en string, values ...any) Hit {
	return Hit{key, Words{fmt.Sprintf(zh, values...), fmt.Sprintf(en, values...)}}
}

// who names a person of the case by role, without a name.
func who(p Person) Words {
	if p.Subject {
		return Words{"求助人", "the person helped"}
	}
	return Words{"家庭成员", "a member of the household"}
}
