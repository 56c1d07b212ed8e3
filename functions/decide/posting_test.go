package decide_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
)

// postedFirst is a region that wants proposals posted for seven days.
func postedFirst(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("pre_days:\n    value: 0"), []byte("pre_days:\n    value: 7"))
	return bytes.ReplaceAll(text, []byte("skip_if_emergency:\n    value: true"), []byte("skip_if_emergency:\n    value: false"))
}

// big is a proposal above what the township may give by itself.
var big = m{"amount_fen": 6000_00}

// tell posts what waits, as the public's function does, and lets it be public.
func (w *world) tell() disclosure.Edition {
	w.T.Helper()
	waiting, err := disclosure.Waiting(w.T.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil || len(waiting) == 0 {
		w.T.Fatal(len(waiting), err)
	}
	name := func(civil.DivisionCode) string { return "某地" }
	books := disclosure.Books{Table: w.Store, Box: w.Box, Blind: w.Blind, Tree: w.Tree, Office: name}
	all, err := disclosure.List(w.T.Context(), w.Store, firstaidtest.County, 2026)
	if err != nil {
		w.T.Fatal(err)
	}
	r, err := books.Post(w.T.Context(), disclosure.Heading{County: firstaidtest.County, Year: 2026, At: w.Now(), LeastCell: 5, Place: name}, waiting, len(all))
	if err != nil {
		w.T.Fatal(err)
	}
	e := r.Edition
	if err := disclosure.Prepare(w.T.Context(), w.Store, e, e.Event("prepared", disclosure.System, w.Now()), r.Also...); err != nil {
		w.T.Fatal(err)
	}
	if e, err = e.Publish(w.Now()); err != nil {
		w.T.Fatal(err)
	}
	if err := disclosure.Commit(w.T.Context(), w.Store, e, e.Event("published", disclosure.System, w.Now())); err != nil {
		w.T.Fatal(err)
	}
	return e
}

// keep stores one step of a posting.
func (w *world) keep(p disclosure.Posting) {
	w.T.Helper()
	writes, err := p.Writes(p.Event("test", disclosure.System, w.Now()))
	if err != nil {
		w.T.Fatal(err)
	}
	if err := w.Store.Transact(w.T.Context(), writes...); err != nil {
		w.T.Fatal(err)
	}
}

func (w *world) posting(id string) disclosure.Posting {
	w.T.Helper()
	p, err := disclosure.PostingOf(w.T.Context(), w.Store, w.Read(id))
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

func (w *world) stands(id, state string) {
	w.T.Helper()
	r := w.get(county, "/v1/staff/applications/"+id)
	p, _ := r.out["proposal"].(m)
	q, _ := p["posting"].(m)
	if q["state"] != state {
		w.T.Errorf("the case says its posting is %v, want %s", q["state"], state)
	}
}

// again is an approval of the proposal as it stands now.
func (w *world) again(id string) m {
	a := w.Read(id)
	return m{"proposal_version": a.Version, "amount_fen": a.Proposal.AmountFen}
}

func TestWhatARegionWantsPostedIsNotApprovedBefore(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	r := w.post(clerk, id, "proposals", big)
	w.want(r, 201, "")
	if r.number("posting_days") != 7 || !strings.Contains(r.text("next"), "7天") || !strings.Contains(r.text("next"), "5,000") {
		t.Errorf("nobody is told: %s", r.body)
	}
	approve := func(code string) {
		t.Helper()
		w.signIn(county)
		status := 409
		if code == "" {
			status = 201
		}
		w.want(w.post(county, id, "approvals", w.again(id)), status, code)
	}
	approve("posting-not-over")
	w.stands(id, "waiting")
	e := w.tell()
	approve("posting-not-over")
	w.stands(id, "posted")
	w.Pass(e.Until.Sub(w.Now()) - time.Second)
	approve("posting-not-over")
	w.keep(w.posting(id).Objected())
	w.Pass(time.Second)
	approve("posting-disputed")
	w.stands(id, "disputed")
	w.keep(w.posting(id).Answered(false))
	w.stands(id, "over")

	// An objection that comes between reading and writing undoes the approval.
	w.signIn(county)
	w.gate.once(func() { w.keep(w.posting(id).Objected()) })
	w.want(w.post(county, id, "approvals", w.again(id)), 409, "posting-disputed")
	if a := w.Read(id); a.State != application.Proposed {
		t.Fatalf("it is %s", a.State)
	}
	w.keep(w.posting(id).Answered(false))
	approve("")
}

// 先行救助: a small amount is never posted before, also while a larger one is, and
// whatever is objected to that.
func TestAPostingKeepsNobodyFromFirstAid(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst)
	small := w.Verify(w.Apply(w.Person()).ID).ID
	r := w.post(clerk, small, "proposals", m{})
	w.want(r, 201, "")
	if _, said := r.out["posting_days"]; said || w.Read(small).Proposal.Posting != "" {
		t.Errorf("a small amount is posted: %s", r.body)
	}
	w.want(w.post(approver, small, "approvals", w.again(small)), 201, "")

	// An exception goes to the county, and is as small.
	id := w.Verify(w.Apply(w.Person()).ID).ID
	w.want(w.post(clerk, id, "proposals", m{"exception": m{"codes": []string{"FREQUENCY_CAP"}, "reason": "在外地已获救助，确有必要再次救助。"}}), 201, "")
	w.want(w.post(county, id, "approvals", w.again(id)), 201, "")

	// While a larger amount is posted and objected to, a small one is given.
	id = w.Verify(w.Apply(w.Person()).ID).ID
	w.want(w.post(clerk, id, "proposals", big), 201, "")
	w.tell()
	w.keep(w.posting(id).Objected())
	w.keep(w.posting(id).Answered(true))
	w.want(w.post(county, id, "approvals", w.again(id)), 409, "posting-overturned")
	w.stands(id, "upheld")
	w.want(w.post(clerk, id, "proposals", m{"months": 1}), 201, "")
	w.want(w.post(approver, id, "approvals", w.again(id)), 201, "")

	// Proposed anew as large, it is posted anew; what was not told of yet is void.
	third := w.Verify(w.Apply(w.Person()).ID).ID
	w.want(w.post(clerk, third, "proposals", big), 201, "")
	first := w.posting(third)
	w.want(w.post(clerk, third, "proposals", big), 201, "")
	second := w.posting(third)
	if first.ID == second.ID {
		t.Fatal("two proposals have one posting")
	}
	if e := w.tell(); len(e.Sources) != 1 || e.Sources[0].Posting != second.ID {
		t.Errorf("posted %+v", e.Sources)
	}
	if p, err := disclosure.GetPosting(t.Context(), w.Store, firstaidtest.County, 2026, first.ID); err != nil || !p.Void {
		t.Errorf("%+v %v", p, err)
	}
}

// Where a region wants none, and where it leaves emergencies out, nothing is posted.
func TestNothingIsPostedUnasked(t *testing.T) {
	t.Parallel()
	days := func(text []byte) []byte {
		return bytes.ReplaceAll(text, []byte("pre_days:\n    value: 0"), []byte("pre_days:\n    value: 7"))
	}
	for name, w := range map[string]*world{"none": open(t), "emergencies_left_out": open(t, days)} {
		id := w.Verify(w.Apply(w.Person()).ID).ID
		w.want(w.post(clerk, id, "proposals", big), 201, "")
		if w.Read(id).Proposal.Posting != "" {
			t.Errorf("%s: posted", name)
		}
		w.want(w.post(county, id, "approvals", w.again(id)), 201, "")
	}
}
