package inspection

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/verification"
)

// Desk is what inspection works with.
type Desk struct {
	Table table.Store
	Box   *seal.Box
	// Blind is nil where money only leaves: then what cases share is not read.
	Blind *seal.Blind
	// Models are those that are run; nil runs none.
	Models *model.Set
	// Tree says which regions a township is in.
	Tree *division.Tree
}

// Result is what the models in force made of one scene.
type Result struct {
	// Found are the findings that were not on record yet.
	Found []Finding
	holds []application.Hold
	scene Scene
	look  *looked
}

// Inspect runs the models in force over s. What is on record already is not found
// again, and what a person has looked at holds nothing again, until the people or
// the account of the case change.
func (d Desk) Inspect(ctx context.Context, s Scene) (Result, error) {
	r := Result{scene: s, look: &looked{}}
	models := d.Models.InForce(d.within(s.App, s.At), calendar.Today(s.At).String())
	if len(models) == 0 {
		return r, nil
	}
	var err error
	if s.Checks == nil {
		if s.Checks, err = verification.Load(ctx, d.Table, d.Box, s.App.ID); err != nil {
			return r, err
		}
	}
	if r.look, err = d.look(ctx, s); err != nil {
		return r, err
	}
	facts := s.facts(d.Blind, r.look)
	var before []Finding
	read := false
	for _, m := range models {
		hits := m.Run(facts)
		if len(hits) > 0 && !read {
			if before, err = Of(ctx, d.Table, s.App.ID); err != nil {
				return r, err
			}
			read = true
		}
		for _, h := range hits {
			r.take(m, h, before)
		}
	}
	return r, nil
}

// within is the township of a and all it stands in.
func (d Desk) within(a application.Application, at time.Time) []string {
	all := []string{string(a.Township), string(a.County)}
	if d.Tree == nil {
		return all
	}
	for _, v := range d.Tree.Path(a.Township, calendar.Today(at)) {
		all = append(all, string(v.Code))
	}
	return all
}

// take turns one hit into a finding, unless it is known.
func (r *Result) take(m model.Model, h model.Hit, before []Finding) {
	a, at := r.scene.App, r.scene.At
	// With other people or another account it is another finding: whoever looked
	// then has not seen what there is now.
	id := ident.Derive(Noun, a.ID, m.ID, h.Key, a.Payee, strings.Join(a.People, " "))
	if slices.ContainsFunc(slices.Concat(before, r.Found), func(f Finding) bool { return f.ID == id }) {
		return
	}
	f := Finding{ID: id, Version: 1, Application: a.ID, Township: a.Township, County: a.County, Model: m.ID, Rules: m.Fingerprint, Key: h.Key,
		Effect: m.Effect, Words: h.Words, Owner: m.Owner, At: at, Due: at.Add(time.Duration(m.Hours) * time.Hour)}
	if m.Effect == model.Hold {
		hold, looked := r.hold(m, f.Due)
		if looked {
			return
		}
		f.Hold = hold.ID
	}
	r.Found = append(r.Found, f)
}

// hold is the hold of m on the case: one that is open, or comes with the same
// change, or a new one. looked tells that a person has lifted it already.
func (r *Result) hold(m model.Model, due time.Time) (h application.Hold, looked bool) {
	a, code := r.scene.App, m.Code()
	for _, h := range a.Holds {
		switch {
		case h.Code == code && h.Lifted == nil:
			return h, false
		case h.Code == code && !h.Past:
			looked = true
		}
	}
	if looked {
		return h, true
	}
	for _, h := range slices.Concat(r.holds, r.scene.Coming) {
		if h.Code == code {
			return h, false
		}
	}
	h = application.NewHold(a.ID, a.Version, code, r.scene.By, r.scene.At, due)
	h.Owner = m.Owner
	r.holds = append(r.holds, h)
	return h, false
}

// Held is next with the holds of r on it: next must be the version that the same
// transaction writes.
func (r Result) Held(next application.Application) application.Application {
	for _, h := range r.holds {
		next = next.WithHold(h)
	}
	return next
}

// Holds reports whether r holds the money.
func (r Result) Holds() bool { return len(r.holds) > 0 }

// Tell puts what was found into the event of the change that it comes with.
func (r Result) Tell(e event.Event) event.Event {
	if len(r.Found) == 0 {
		return e
	}
	facts := event.Facts{}
	maps.Copy(facts, e.Facts)
	var ids []string
	for _, f := range r.Found {
		if !slices.Contains(ids, f.Model) {
			ids = append(ids, f.Model)
		}
	}
	facts["models"] = strings.Join(ids, " ")
	facts["held_by_models"] = r.Holds()
	placed := strings.Fields(e.Facts.Text("placed"))
	for _, h := range r.holds {
		if !slices.Contains(placed, h.Code) {
			placed = append(placed, h.Code)
		}
	}
	if len(placed) > 0 {
		facts["placed"] = strings.Join(placed, " ")
	}
	e.Facts = facts
	return e
}

// Writes are the findings with their events, and the count of each model. They
// belong into the transaction that places the holds: nothing is found without
// being told, and no hold stands without a reason on record.
func (r Result) Writes(ctx context.Context, t table.Store) ([]table.Write, error) {
	var writes []table.Write
	counts := map[string]map[string]int64{}
	for _, f := range r.Found {
		w, err := f.writes(f.Event("raised", r.scene.By, r.scene.At))
		if err != nil {
			return nil, err
		}
		writes = append(writes, w...)
		if counts[f.Model] == nil {
			counts[f.Model] = map[string]int64{}
		}
		counts[f.Model][countHits]++
		if f.Hold != "" {
			counts[f.Model][countHeld]++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		w, err := count(ctx, t, id, r.scene.App.County, counts[id])
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
	}
	return writes, nil
}

// Decided are the writes that put the case on the markers of what it shares, for
// the transaction that decides on it: from then on others are compared with it.
func (r Result) Decided() ([]table.Write, error) { return r.look.markWrites(r.scene) }

// Again runs the models over a case that is under way, by itself, and puts what it
// finds on record: for a model that was switched on today, and for what another
// officer could not have seen. found is empty, and nothing is written, when there
// is nothing new.
//
// If we die before the transaction nothing was found; after it the holds stand.
func (d Desk) Again(ctx context.Context, id string, by event.Actor, at time.Time) (found []Finding, err error) {
	_, err = application.Change(ctx, d.Table, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		var none application.Step[struct{}]
		found = nil
		if !slices.Contains(underWay, a.State) {
			return none, errNothing
		}
		p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, a.ID)
		if err != nil {
			return none, err
		}
		s := Scene{App: a, Particulars: &p, By: by, At: at}
		if a.Award != nil {
			s.Approver = a.Award.By
		}
		r, err := d.Inspect(ctx, s)
		if err != nil {
			return none, err
		}
		if len(r.Found) == 0 {
			return none, errNothing
		}
		next, err := a.Note()
		if err != nil {
			return none, err
		}
		next = r.Held(next)
		writes, err := r.Writes(ctx, d.Table)
		if err != nil {
			return none, err
		}
		found = r.Found
		return application.Step[struct{}]{Next: next, Event: r.Tell(next.Event("inspected", by, at)), Also: writes}, nil
	})
	if errors.Is(err, errNothing) {
		return nil, nil
	}
	return found, err
}

// underWay are the states of cases that Again looks at: those that the registers
// have answered for and nobody has ended.
var underWay = []application.State{application.Verified, application.Proposed, application.Approved, application.Explained}

var errNothing = errors.New("inspection: nothing new")
