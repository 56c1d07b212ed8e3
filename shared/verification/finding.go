package verification

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
)

// Result is what the checks mean: findings for the application, the holds that
// come with them, and the facts and words of the event that tells of both.
type Result struct {
	Findings application.Findings
	Holds    []application.Hold
	Facts    event.Facts
	// Inputs is what the rules saw, so that a decision can be worked out again.
	Inputs policy.Facts
	// Open lists the sources that have not answered yet and may.
	Open []string
}

// HoldContradiction: two registers contradict each other about one person.
const HoldContradiction = "SOURCES_CONFLICT"

// Known is what we know ourselves, without asking anybody.
type Known struct {
	Earlier []policy.Earlier // awards to the subject
	Kin     []string         // staff who declared one of the people as near relative
}

// Weigh works out what the checks of c mean under rules at now, with what is
// known besides. by is who works it out.
//
// A source without an answer is written down as such and stands in nobody's way
// on the emergency track, unless the region's rules insist on it.
func (c Case) Weigh(blind *seal.Blind, sources []Source, rules *policy.Rules, known Known, by event.Actor, now time.Time) (Result, error) {
	w := weighing{c: c, blind: blind, sources: c.asked(sources), now: now, kin: map[string]bool{}}
	for _, id := range known.Kin {
		w.kin[id] = true
	}
	w.people()
	in := policy.Facts{Day: calendar.Today(c.AcceptedAt), Division: c.Township, Cause: c.Cause, Persons: 1 + len(c.Particulars.Members),
		Classes: w.classes, Earlier: known.Earlier, Checks: w.checks, KinOfStaff: len(w.kin) > 0}
	o := rules.FirstAid(in)
	f := application.Findings{At: now, Checks: w.checks, Classes: w.classes, Persons: o.Persons, Months: o.Months, AmountFen: o.AmountFen,
		Authority: o.Authority, Exception: o.NeedsException, Kin: slices.Sorted(maps.Keys(w.kin)), Rules: o.Rules}
	inputs, err := json.Marshal(in)
	if err != nil {
		return Result{}, fmt.Errorf("verification: %w", err)
	}
	r := Result{Findings: f, Inputs: in, Open: w.open, Facts: event.Facts{
		"amount_fen": o.AmountFen, "persons": o.Persons, "months": o.Months, "authority": string(o.Authority), "article": "《社会救助法》第五十条",
		"trace": words(o.Trace), "inputs": string(inputs), "sources": w.summary(), "provisional": o.Provisional}}
	r.Holds = w.holds(o, by, rules.HoldDue(now).At)
	var codes []string
	for _, h := range r.Holds {
		codes = append(codes, h.Code)
	}
	if len(codes) > 0 {
		r.Facts["holds"] = strings.Join(codes, " ")
	}
	return r, nil
}

// weighing is one case being weighed.
type weighing struct {
	c       Case
	blind   *seal.Blind
	sources []Source
	now     time.Time

	checks   []policy.Check
	classes  []policy.RecipientClass
	kin      map[string]bool
	open     []string
	conflict bool
	counts   map[string]map[policy.CheckOutcome]int
}

// people goes through everybody whose circumstances count, in every source.
func (w *weighing) people() {
	w.counts = map[string]map[policy.CheckOutcome]int{}
	for i, role := range w.c.Particulars.Verified() {
		label := "求助人"
		if i > 0 {
			label = fmt.Sprintf("家庭成员%d", i)
		}
		who, _ := w.c.Particulars.Person(role)
		ref := w.c.Ref(w.blind, w.c.Particulars, role)
		abouts, said := about(w.blind, who), map[string]policy.CheckOutcome{}
		for _, s := range w.sources {
			if !w.c.opens(s, ref, abouts) {
				continue // not asked, so nothing is awaited
			}
			check, asked := w.c.Checks[Key(w.c.ID, ref, s.ID)]
			asked = asked && slices.Contains(abouts, check.About)
			outcome := w.outcome(ref, who, check, asked)
			said[s.ID] = outcome
			w.note(s.ID, label, outcome)
			if outcome == policy.HitClear || outcome == policy.HitAdverse {
				w.learn(s.ID, check.Facts)
			}
		}
		w.compare(said)
	}
}

// outcome is what is known from one check, or why nothing is.
func (w *weighing) outcome(ref string, who application.Person, check Check, asked bool) policy.CheckOutcome {
	_, agreed := w.c.Consents[ref]
	_, number := who.Paper.IDNumber()
	switch {
	case asked && check.Outcome.Answered() && !check.settled([]string{check.About}, w.now):
		return policy.Expired
	case asked:
		return check.Outcome
	case !agreed:
		return policy.NotAuthorised
	case !number:
		return policy.Unavailable // the registers are kept by identity number
	}
	return policy.Pending
}

// outcomeTexts says each outcome without saying what was found.
var outcomeTexts = map[policy.CheckOutcome]string{
	policy.HitClear: "已核对", policy.HitAdverse: "有需要核实的登记", policy.NoRecord: "没有登记记录", policy.Mismatch: "信息不一致",
	policy.Unavailable: "暂时没有结果", policy.Expired: "登记信息已过期", policy.NotAuthorised: "本人未授权核对", policy.Pending: "正在查询",
}

// note writes one outcome down for the rules.
func (w *weighing) note(source, label string, o policy.CheckOutcome) {
	meaning := Meaning(source)
	w.checks = append(w.checks, policy.Check{Source: meaning, Outcome: o, Fact: label + "：" + outcomeTexts[o]})
	if w.counts[meaning] == nil {
		w.counts[meaning] = map[policy.CheckOutcome]int{}
	}
	w.counts[meaning][o]++
	waits := o == policy.Pending || o == policy.Unavailable || o == policy.Expired
	if waits && !slices.Contains(w.open, source) {
		w.open = append(w.open, source)
	}
}

// learn takes from a hit what the rules may know: recognised classes, and staff
// who are near relatives.
func (w *weighing) learn(source string, facts map[string]string) {
	switch Meaning(source) {
	case policy.SourceAssistance:
		class := policy.RecipientClass(facts["class"])
		if class.Chinese() != "" && class != policy.NoClass && !slices.Contains(w.classes, class) {
			w.classes = append(w.classes, class)
		}
	case policy.SourceKin:
		if id := facts["staff"]; facts["kin"] == "yes" && id != "" {
			w.kin[id] = true
		}
	}
}

// compare looks for registers that contradict each other about one person: then
// none of them is believed over the other, and a person finds out.
func (w *weighing) compare(said map[string]policy.CheckOutcome) {
	fits, differs := false, false
	for source, o := range said {
		switch {
		case Meaning(source) == policy.SourceIdentity && o == policy.HitClear:
			fits = true
		case Meaning(source) != policy.SourceIdentity && o == policy.Mismatch:
			differs = true
		}
	}
	w.conflict = w.conflict || fits && differs
}

// holds are the rules' own reasons to wait and those that no rule sees.
func (w *weighing) holds(o policy.Outcome, by event.Actor, due time.Time) []application.Hold {
	var codes []string
	add := func(code string) {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	for _, h := range o.Holds {
		add(h.Code)
	}
	if w.conflict {
		add(HoldContradiction)
	}
	p := w.c.Particulars
	if p.Subject.Paper.Kind() == civil.NoPaper {
		add(application.HoldNoIdentity)
	}
	if !p.Account.Empty() && p.Holder != "" && p.Holder != application.RoleSubject {
		add(application.HoldGuardian)
	}
	var holds []application.Hold
	for _, code := range codes {
		holds = append(holds, application.NewHold(w.c.ID, w.c.Version, code, by, w.now, due))
	}
	return holds
}

// summary is the outcomes by source in codes, for the record.
func (w *weighing) summary() string {
	var parts []string
	for _, source := range slices.Sorted(maps.Keys(w.counts)) {
		for _, o := range slices.Sorted(maps.Keys(w.counts[source])) {
			parts = append(parts, fmt.Sprintf("%s:%s:%d", source, o, w.counts[source][o]))
		}
	}
	return strings.Join(parts, " ")
}

// words is the trace as lines that a citizen can read, each once.
func words(trace []policy.Step) string {
	var lines []string
	for _, s := range trace {
		line := s.Text
		if s.Article != "" {
			line += "（" + s.Article + "）"
		}
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
