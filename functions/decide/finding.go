package decide

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// inspector is who finds what models find: a machine, which may hold and never refuse.
var inspector = event.Actor{Kind: event.System, ID: "inspection"}

// FindingOut is one hit of a model, in words, naming nobody.
type FindingOut struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	Township    string `json:"township"`
	Place       string `json:"place"`
	Model       string `json:"model"`
	Title       string `json:"title"`
	TitleEn     string `json:"title_en"`
	Rules       string `json:"rules"` // fingerprint of the model
	Effect      string `json:"effect"`
	EffectLabel string `json:"effect_label"`
	Why         string `json:"why"`
	WhyEn       string `json:"why_en"`
	Hold        string `json:"hold,omitempty"`
	Owner       string `json:"owner"` // the role that must deal with it
	At          string `json:"at"`
	Due         string `json:"due"`
	Outcome     string `json:"outcome,omitempty"`
	JudgedBy    string `json:"judged_by,omitempty"`
	JudgedAt    string `json:"judged_at,omitempty"`
}

func (d Deps) findingOut(f inspection.Finding) FindingOut {
	out := FindingOut{ID: f.ID, Application: f.Application, Township: string(f.Township), Place: d.name(f.Township, f.At), Model: f.Model, Rules: f.Rules,
		Effect: string(f.Effect), EffectLabel: f.Effect.Label(), Why: f.Words.Zh, WhyEn: f.Words.En, Hold: f.Hold, Owner: f.Owner, At: clock(f.At), Due: clock(f.Due)}
	for _, m := range d.Models.All() {
		if m.ID == f.Model {
			out.Title, out.TitleEn = m.Title.Zh, m.Title.En
		}
	}
	if o := f.Outcome; o != nil {
		out.Outcome, out.JudgedBy, out.JudgedAt = string(o.Answer), o.By.ID, clock(o.At)
	}
	return out
}

func (d Deps) findingsOut(all []inspection.Finding) []FindingOut {
	out := []FindingOut{}
	for _, f := range all {
		out = append(out, d.findingOut(f))
	}
	return out
}

// inspected is everything that a decision writes of its inspection: what was
// found, and that the case is now one that others are compared with.
func inspected(ctx context.Context, d Deps, found inspection.Result) ([]table.Write, error) {
	writes, err := found.Writes(ctx, d.Table)
	if err != nil {
		return nil, err
	}
	decided, err := found.Decided()
	return append(writes, decided...), err
}

// parties are those who proposed and approved a, as accounts and as persons: they
// judge nothing that was found on it.
func parties(a application.Application) []string {
	var all []string
	if a.Proposal != nil {
		all = append(all, a.Proposal.By.ID, a.Proposal.By.Person)
	}
	if a.Award != nil {
		all = append(all, a.Award.By.ID, a.Award.By.Person)
	}
	return all
}

// Judging is what somebody found out about a finding.
type Judging struct {
	Outcome string `json:"outcome" api:"required,enum=right|wrong"`
	Reason  string `json:"reason" api:"required,min=4,max=1000,lines"`
}

// JudgedOut is a finding as judged. Freed: its hold ended with it.
type JudgedOut struct {
	Noted
	Finding FindingOut `json:"finding"`
	Freed   bool       `json:"freed"`
}

// judgeFinding counts a finding as right or wrong, once. Wrong also ends its hold,
// when nothing else stands behind it and the caller may free money; right leaves
// the hold to whoever decides what follows from it, which is never the machine.
func judgeFinding(ctx context.Context, d Deps, call httpapi.Call[Judging]) (httpapi.Reply[JudgedOut], error) {
	earlier := func(_ context.Context, a application.Application, r *staff.Request) error {
		r.Earlier = parties(a)
		return nil
	}
	return act(ctx, d, call.Request, wish{staff.JudgeFinding, earlier}, func(k desk) (application.Step[JudgedOut], error) {
		var none application.Step[JudgedOut]
		all, err := inspection.Of(ctx, d.Table, k.app.ID)
		if err != nil {
			return none, err
		}
		i := slices.IndexFunc(all, func(f inspection.Finding) bool { return f.ID == call.Path("finding") })
		if i < 0 {
			return none, inspection.ErrNotFound
		}
		f, err := all[i].Judge(inspection.Answer(call.Body.Outcome), k.actor(), k.at)
		if err != nil {
			return none, err
		}
		next, freed, err := k.free(f, all)
		if err != nil {
			return none, err
		}
		told := f.Event("judged", k.actor(), k.at)
		if err := k.note(ctx, &told, call.Body.Reason); err != nil {
			return none, err
		}
		writes, err := inspection.Judged(ctx, d.Table, f, told)
		if err != nil {
			return none, err
		}
		e := k.event(next, "finding_judged", event.Facts{"finding": f.ID, "model": f.Model, "outcome": call.Body.Outcome, "hold_lifted": freed})
		if freed {
			e.Facts["hold"] = f.Hold
		}
		return application.Step[JudgedOut]{Next: next, Event: e, Also: writes, Out: JudgedOut{noted(next), d.findingOut(f), freed}}, nil
	})
}

// free is the case after f was judged, without its hold if that goes with it.
func (k desk) free(f inspection.Finding, all []inspection.Finding) (next application.Application, freed bool, err error) {
	open := slices.ContainsFunc(k.app.Holds, func(h application.Hold) bool { return h.ID == f.Hold && h.Lifted == nil })
	r := staff.Request{Action: staff.ReleaseHold, Staff: k.who, At: k.at, Within: k.deps.within(k.app.Township, k.at), County: k.app.County,
		Application: &k.app, Earlier: parties(k.app)}
	if open && f.Lifts(all) && staff.Authorize(r).Allow {
		next, err = k.app.LiftHold(f.Hold, k.actor(), k.at)
		return next, true, err
	}
	next, err = k.app.Note()
	return next, false, err
}

// Found is one page of what models found and nobody has judged.
type Found struct {
	Findings []FindingOut `json:"findings"`
	// Next is for ?after= and empty on the last page.
	Next string `json:"next"`
}

// listFindings lists what waits for a judgement in a division and below, by the
// time it is due; with effect=sample the list that samples are drawn from. A page
// may be short, or empty, and have a next one. A case of the caller's own, or of
// their kin, is not on it.
func listFindings(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Found, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Found{}, err
	}
	roots := who.Where(now, staff.ListFindings, d.around(now))
	if code := call.Query("division"); code != "" {
		root, err := d.permitted(ctx, who, staff.ListFindings, civil.DivisionCode(code), now)
		if err != nil {
			return Found{}, err
		}
		roots = []civil.DivisionCode{root}
	}
	effect := model.Effect(call.Query("effect"))
	if effect != "" && !slices.Contains(model.Effects(), effect) {
		return Found{}, ErrEffect
	}
	limit := defaultTasks
	if text := call.Query("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostTasks {
			return Found{}, ErrPage
		}
	}
	after, err := page(call.Query("after"))
	if err != nil {
		return Found{}, err
	}
	var lists []work.List
	for _, code := range d.below(roots, now) {
		lists = append(lists, work.List{PK: inspection.List(code)})
	}
	items, err := work.Merged(ctx, d.Table, lists, after, limit+1)
	if err != nil {
		return Found{}, err
	}
	out := Found{Findings: []FindingOut{}}
	if len(items) > limit {
		items = items[:limit]
		out.Next = items[limit-1].Mark.String()
	}
	for _, item := range items {
		f, err := inspection.Decode(item.Item)
		if err != nil {
			return Found{}, err
		}
		if effect != "" && f.Effect != effect {
			continue
		}
		a, err := application.Get(ctx, d.Table, f.Application)
		if err != nil {
			return Found{}, err
		}
		if staff.Authorize(staff.Request{Action: staff.ReadApplication, Staff: who, At: now, Within: d.within(a.Township, now), County: a.County, Application: &a}).Allow {
			out.Findings = append(out.Findings, d.findingOut(f))
		}
	}
	return out, nil
}

// ModelOut is one model in force and what became of its hits.
type ModelOut struct {
	ID          string      `json:"id"`
	Title       string      `json:"title"`
	TitleEn     string      `json:"title_en"`
	LooksFor    string      `json:"looks_for"`
	LooksForEn  string      `json:"looks_for_en"`
	Source      string      `json:"source"`
	Kind        string      `json:"kind"`
	Figures     []FigureOut `json:"figures"`
	Effect      string      `json:"effect"`
	EffectLabel string      `json:"effect_label"`
	Owner       string      `json:"owner"`
	Hours       int         `json:"hours"`
	FirstDay    string      `json:"first_day"`
	Rules       string      `json:"rules"` // fingerprint
	Hits        int64       `json:"hits"`
	Held        int64       `json:"held"` // of the hits
	Right       int64       `json:"right"`
	Wrong       int64       `json:"wrong"`
	// PrecisionPercent is the share of judged hits that were right; -1 while nobody
	// has judged any.
	PrecisionPercent int64  `json:"precision_percent"`
	Reading          string `json:"reading"` // how to read it
	ReadingEn        string `json:"reading_en"`
}

// FigureOut is one figure of a model.
type FigureOut struct {
	Name   string `json:"name"`
	Value  int    `json:"value"`
	Source string `json:"source"`
}

// Models are the models in force in a division.
type Models struct {
	Division string     `json:"division"`
	Models   []ModelOut `json:"models"`
}

// listModels lists the models in force and how often each was right in a division:
// counted by county, so for a township it is the count of its county.
func listModels(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Models, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Models{}, err
	}
	code := call.Query("division")
	if held := who.Where(now, staff.ListModels, d.around(now)); code == "" && len(held) > 0 {
		code = string(held[0])
	}
	root, err := d.permitted(ctx, who, staff.ListModels, civil.DivisionCode(code), now)
	if err != nil {
		return Models{}, err
	}
	day := calendar.Today(now)
	tallies, err := inspection.Tallies(ctx, d.Table, func(county civil.DivisionCode) bool {
		return d.Tree.Within(county, root, day) || d.county(root, now) == county
	})
	if err != nil {
		return Models{}, err
	}
	var within []string
	for _, v := range d.within(root, now) {
		within = append(within, string(v))
	}
	out := Models{Division: string(root), Models: []ModelOut{}}
	for _, m := range d.Models.InForce(within, day.String()) {
		out.Models = append(out.Models, modelOut(m, tallies[m.ID]))
	}
	return out, nil
}

func modelOut(m model.Model, t inspection.Tally) ModelOut {
	o := ModelOut{ID: m.ID, Title: m.Title.Zh, TitleEn: m.Title.En, LooksFor: m.LooksFor.Zh, LooksForEn: m.LooksFor.En, Source: m.Source, Kind: m.Kind,
		Figures: []FigureOut{}, Effect: string(m.Effect), EffectLabel: m.Effect.Label(), Owner: m.Owner, Hours: m.Hours, FirstDay: m.FirstDay,
		Rules: m.Fingerprint, Hits: t.Hits, Held: t.Held, Right: t.Right, Wrong: t.Wrong, PrecisionPercent: -1, Reading: m.Precision.Zh, ReadingEn: m.Precision.En}
	for name, f := range m.Figures {
		o.Figures = append(o.Figures, FigureOut{name, f.Value, f.Source})
	}
	slices.SortFunc(o.Figures, func(a, b FigureOut) int { return cmp.Compare(a.Name, b.Name) })
	if percent, ok := t.Percent(); ok {
		o.PrecisionPercent = percent
	}
	return o
}

// Inspecting asks that the models be run again over the cases that are under way
// in one township, a page at a time.
type Inspecting struct {
	Township string `json:"township" api:"required,max=12"`
	After    string `json:"after,omitempty" api:"max=1200"` // of the page before
}

// InspectedOut is what one page brought.
type InspectedOut struct {
	Looked   int          `json:"looked"` // cases
	Findings []FindingOut `json:"findings"`
	Next     string       `json:"next"` // for the next page; empty on the last
}

// pageOfCases is how many cases one call looks at: each is some reads and, when
// something is found, one transaction.
const pageOfCases = 25

// inspectAgain runs the models over the cases under way in a township (R18): a
// control that was switched on today looks at yesterday's cases too. What it finds
// waits for people like any other finding. Asking twice finds nothing twice, and
// a call that dies halfway has kept what it found.
func inspectAgain(ctx context.Context, d Deps, call httpapi.Call[Inspecting]) (InspectedOut, error) {
	now := d.Now()
	out := InspectedOut{Findings: []FindingOut{}}
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return out, err
	}
	township, err := d.permitted(ctx, who, staff.InspectAgain, civil.DivisionCode(call.Body.Township), now)
	if err != nil {
		return out, err
	}
	if township.Level() != civil.TownshipLevel {
		var f fault.Fields
		f.Add("/township", "township", "请填写一个乡镇（街道）的12位代码。")
		return out, f.Err()
	}
	after, err := page(call.Body.After)
	if err != nil {
		return out, err
	}
	items, err := work.Merged(ctx, d.Table, []work.List{{PK: application.WorkList(township)}}, after, pageOfCases+1)
	if err != nil {
		return out, err
	}
	if len(items) > pageOfCases {
		items = items[:pageOfCases]
		out.Next = items[pageOfCases-1].Mark.String()
	}
	// The machine finds, and the record says at whose wish it looked.
	by := event.Actor{Kind: event.System, ID: inspector.ID + "#" + who.ID}
	for _, item := range items {
		if !application.Is(item.Item.Key) {
			continue
		}
		a, err := application.Decode(item.Item)
		if err != nil {
			return out, err
		}
		out.Looked++
		found, err := d.office().Inspection().Again(ctx, a.ID, by, now)
		if err != nil {
			return out, err
		}
		out.Findings = append(out.Findings, d.findingsOut(found)...)
	}
	return out, nil
}
