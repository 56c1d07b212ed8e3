package policy

import (
	"reflect"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// inspect judges the merged figures of f and lists them for readers.
func (l *loader) inspect(f *file) []FigureNote {
	var notes []FigureNote
	l.walk(f, "", reflect.ValueOf(&f.merged).Elem(), &notes)
	slices.SortFunc(notes, func(a, b FigureNote) int { return strings.Compare(a.Name, b.Name) })
	i := inspector{l, f}
	i.firstAid()
	i.authority()
	i.amount()
	i.frequencies()
	i.standing()
	i.materials()
	m := &f.merged
	word(i, "apply_place", m.ApplyPlace, "EMERGENCY_PLACE", "HUKOU", "RESIDENCE")
	word(i, "publicity.pre_kind", m.Publicity.PreKind, "NATURAL", "WORKING")
	between(i, "publicity.pre_days", m.Publicity.PreDays, 0, 30)
	between(i, "publicity.post_days", m.Publicity.PostDays, 1, 365)
	between(i, "publicity.least_cell", m.Publicity.LeastCell, LeastCell, 100)
	between(i, "reserve.low_water_percent", m.Reserve.LowWaterPercent, 1, 100)
	between(i, "reserve.per_head_fen_year", m.Reserve.PerHeadFenYear, 1, 1000_00)
	between(i, "remedy.appeal_working_days", m.Remedy.AppealWorkingDays, 1, 60)
	between(i, "remedy.reconsideration_days", m.Remedy.ReconsiderationDays, 1, 365)
	between(i, "remedy.litigation_months", m.Remedy.LitigationMonths, 1, 24)
	return notes
}

// walk looks at every figure, whatever it is about: is it there, does it say
// where it comes from, and is it honest about being confirmed?
func (l *loader) walk(f *file, prefix string, v reflect.Value, notes *[]FigureNote) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		key := strings.TrimPrefix(prefix+"."+tag.Get("yaml"), ".")
		if field.Kind() == reflect.Struct {
			l.walk(f, key, field, notes)
			continue
		}
		if field.IsNil() {
			if !f.Base && tag.Get("need") != "optional" {
				l.problem(f.id, key, "missing", "the figure is neither here nor inherited")
			}
			continue
		}
		value, source, status, note := field.Interface().(interface {
			origin() (any, string, Status, string)
		}).origin()
		if value == nil {
			l.problem(f.id, key, "missing", "the figure has no value")
		}
		if source == "" {
			l.problem(f.id, key, "missing_source", "the figure names no source")
		}
		switch {
		case status != Confirmed && status != Unconfirmed:
			l.problem(f.id, key, "bad_status", "status is confirmed or unconfirmed, not %q", status)
		case status == Confirmed && strings.Contains(source, ToBeConfirmed):
			l.problem(f.id, key, "bad_status", "a figure without a source cannot be confirmed")
		}
		*notes = append(*notes, FigureNote{Name: key, Value: shown(value), Source: source, Status: status, Note: note})
	}
}

// inspector judges one file.
type inspector struct {
	*loader
	f *file
}

func (i inspector) wrong(key, code, format string, args ...any) {
	i.problem(i.f.id, key, code, format, args...)
}

// there reports whether a figure has a value to judge; that it should have one
// was said by walk.
func there[T any](fig *figure[T]) bool { return fig != nil && fig.Value != nil }

// between judges a number. The bounds are wide: they are there for a slipped
// digit, not for policy.
func between[T int | money.Fen](i inspector, key string, fig *figure[T], low, high T) {
	if there(fig) && (*fig.Value < low || *fig.Value > high) {
		i.wrong(key, "out_of_range", "%d is not between %d and %d", *fig.Value, low, high)
	}
}

// word judges a word from a closed list.
func word(i inspector, key string, fig *figure[string], words ...string) {
	if there(fig) && !slices.Contains(words, *fig.Value) {
		i.wrong(key, "unknown_word", "%q is not one of %s", *fig.Value, strings.Join(words, ", "))
	}
}

// words judges a list of words from a closed list.
func (i inspector) words(key string, list []string, mayBeEmpty bool, known ...string) {
	if len(list) == 0 && !mayBeEmpty {
		i.wrong(key, "empty_list", "an empty list means nobody; name them, or write %q where that is allowed", all)
	}
	for n, w := range list {
		if !slices.Contains(known, w) {
			i.wrong(key, "unknown_word", "%q is not one of %s", w, strings.Join(known, ", "))
		}
		if slices.Contains(list[:n], w) {
			i.wrong(key, "duplicate_word", "%q stands there twice", w)
		}
	}
}

func texts[S ~string](list []S) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

func (i inspector) firstAid() {
	a := &i.f.merged.FirstAid
	// 48 hours is the longest that any place was found to allow.
	between(i, "first_aid.decision_hours", a.DecisionHours, 1, 48)
	between(i, "first_aid.hold_hours", a.HoldHours, 1, 72)
	between(i, "first_aid.draft_months", a.DraftMonths, 1, 12)
	between(i, "first_aid.explanation_working_days", a.ExplanationWorkingDays, 1, 30)
	word(i, "first_aid.explanation_kind", a.ExplanationKind, "EXPLAIN", "FORMALITIES")
	i.capped("first_aid.max_amount_fen", a.MaxAmountFen)
	if there(a.HoldOnAdverse) {
		i.words("first_aid.hold_on_adverse", *a.HoldOnAdverse.Value, true, Sources()...)
	}
	if there(a.MustAnswer) {
		i.words("first_aid.must_answer", *a.MustAnswer.Value, true, Sources()...)
	}
}

// capped judges an amount that first-step aid may reach.
func (i inspector) capped(key string, fig *figure[money.Fen]) {
	if !there(fig) {
		return
	}
	if *fig.Value <= 0 {
		i.wrong(key, "out_of_range", "an amount is more than nothing")
	}
	if *fig.Value > CodeCeiling {
		i.wrong(key, "over_code_ceiling", "%s is above the ceiling in code, %s", *fig.Value, CodeCeiling)
	}
}

func (i inspector) authority() {
	fig := i.f.merged.Authority.TownshipCeiling
	if !there(fig) {
		return
	}
	c, key := *fig.Value, "authority.township_ceiling"
	switch c.Kind {
	case inFen:
		if c.Amount < 1 || money.Fen(c.Amount) > CodeCeiling {
			i.wrong(key, "over_code_ceiling", "%s is not between one fen and the ceiling in code, %s", money.Fen(c.Amount), CodeCeiling)
		}
	case inMonths:
		if c.Amount < 1 || c.Amount > 12 {
			i.wrong(key, "out_of_range", "%d is not between 1 and 12 months of the standard", c.Amount)
		}
	default:
		i.wrong(key, "unknown_word", "kind is %s or %s, not %q", inFen, inMonths, c.Kind)
	}
	if c.Basis != perCase && c.Basis != perPerson {
		i.wrong(key, "unknown_word", "basis is %s or %s, not %q", perCase, perPerson, c.Basis)
	}
	if c.Inclusive == nil {
		i.wrong(key, "inclusive_missing", "say whether the number itself is within: inclusive is true or false")
	}
}

func (i inspector) amount() {
	a := &i.f.merged.Amount
	word(i, "amount.mode", a.Mode, modeFormula, modeTiers)
	between(i, "amount.max_months", a.MaxMonths, 1, 12)
	between(i, "amount.max_multiple", a.MaxMultiple, 1, 12)
	between(i, "amount.special_multiple", a.SpecialMultiple, 1, 12)
	between(i, "amount.annual_cap_fen", a.AnnualCapFen, 1, money.Max)
	if there(a.MaxMultiple) && there(a.SpecialMultiple) && *a.SpecialMultiple.Value < *a.MaxMultiple.Value {
		i.wrong("amount.special_multiple", "out_of_range", "special hardship would be given less than the usual")
	}
	if there(a.Mode) && *a.Mode.Value == modeTiers && !there(a.Tiers) {
		i.wrong("amount.tiers", "missing", "mode is %s and there are none", modeTiers)
	}
	if !there(a.Tiers) {
		return
	}
	tiers := *a.Tiers.Value
	for _, t := range tiers {
		i.words("amount.tiers", t.Classes, false, append(texts(RecipientClasses()), all)...)
		i.words("amount.tiers", t.Causes, false, append(texts(Causes()), all)...)
		if t.Per != perCase && t.Per != perPerson {
			i.wrong("amount.tiers", "unknown_word", "per is %s or %s, not %q", perCase, perPerson, t.Per)
		}
		if t.Fen <= 0 || t.Fen > CodeCeiling {
			i.wrong("amount.tiers", "over_code_ceiling", "%s is not between one fen and the ceiling in code, %s", t.Fen, CodeCeiling)
		}
	}
	if n := len(tiers); n == 0 || !slices.Contains(tiers[n-1].Classes, all) || !slices.Contains(tiers[n-1].Causes, all) {
		i.wrong("amount.tiers", "tiers_not_total", "the last tier must be for all classes and all causes, or somebody fits none")
	}
}

func (i inspector) frequencies() {
	f := &i.f.merged.Frequency
	between(i, "frequency.per_year", f.PerYear, 1, 12)
	between(i, "frequency.same_cause_per_year", f.SameCausePerYear, 1, 12)
	word(i, "frequency.window", f.Window, windowCalendar, windowRolling)
	word(i, "frequency.count_unit", f.CountUnit, countPerson, countHousehold)
}

func (i inspector) standing() {
	fig := i.f.merged.StandingApproval
	if !there(fig) {
		return
	}
	s, key := *fig.Value, "standing_approval"
	i.words(key, s.Classes, false, texts(RecipientClasses())...)
	i.words(key, s.Causes, false, texts(Causes())...)
	if s.PerAwardFen < 1 || s.PerAwardFen > CodeCeiling {
		i.wrong(key, "over_code_ceiling", "per_award_fen is not between one fen and the ceiling in code, %s", CodeCeiling)
	}
	if s.TotalFen < s.PerAwardFen || s.TotalFen > money.Max {
		i.wrong(key, "out_of_range", "total_fen is not between per_award_fen and %s", money.Max)
	}
	if s.Days < 1 || s.Days > 31 {
		i.wrong(key, "out_of_range", "days is not between 1 and 31")
	}
}

func (i inspector) materials() {
	fig := i.f.merged.Materials
	if !there(fig) {
		return
	}
	seen := []string{}
	for _, m := range *fig.Value {
		if m.Code == "" || m.Name == "" || m.Why == "" || slices.Contains(seen, m.Code) {
			i.wrong("materials", "bad_material", "%q needs a code of its own, a name and a reason", m.Code)
		}
		seen = append(seen, m.Code)
		i.words("materials", m.Causes, false, append(texts(Causes()), all)...)
		i.words("materials", m.AnsweredBy, true, Sources()...)
	}
}

// standards reads and judges the standards of f: from its first day on, for each
// kind, there is exactly one on each day.
func (l *loader) standards(f *file) []standard {
	const key = "dibao_standard"
	if !there(f.merged.DibaoStandard) {
		return nil
	}
	var list []standard
	byKind := map[string][]standard{}
	for _, d := range *f.merged.DibaoStandard.Value {
		s := standard{fen: d.Fen}
		var err error
		if s.from, err = civil.ParseDay(d.From); err != nil {
			l.problem(f.id, key, "bad_day", "from: %q is not a day", d.From)
		}
		if d.To != "" {
			if s.to, err = civil.ParseDay(d.To); err != nil || s.to.Before(s.from) {
				l.problem(f.id, key, "bad_day", "to: %q is not a day after from", d.To)
			}
		}
		if d.Kind != "URBAN" && d.Kind != "RURAL" && d.Kind != "UNIFIED" {
			l.problem(f.id, key, "unknown_word", "kind is URBAN, RURAL or UNIFIED, not %q", d.Kind)
		}
		if d.Fen < 1 || d.Fen > CodeCeiling {
			l.problem(f.id, key, "out_of_range", "%s is no monthly standard", d.Fen)
		}
		list = append(list, s)
		byKind[d.Kind] = append(byKind[d.Kind], s)
	}
	if len(list) == 0 {
		l.problem(f.id, key, "missing", "there is no standard")
	}
	for kind, own := range byKind {
		slices.SortFunc(own, func(a, b standard) int { return a.from.Compare(b.from) })
		if own[0].from.After(f.first) {
			l.problem(f.id, key, "gap", "%s begins after the file's first day", kind)
		}
		for n, s := range own[1:] {
			if before := own[n]; before.to.IsZero() || !before.to.Before(s.from) {
				l.problem(f.id, key, "overlap", "%s: two standards on %s", kind, s.from)
			} else if before.to.AddDays(1) != s.from {
				l.problem(f.id, key, "gap", "%s: none on %s", kind, before.to.AddDays(1))
			}
		}
		if last := own[len(own)-1]; !last.to.IsZero() && (f.last.IsZero() || last.to.Before(f.last)) {
			l.problem(f.id, key, "gap", "%s: none after %s", kind, last.to)
		}
	}
	return list
}
