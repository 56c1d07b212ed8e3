package disclose_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/disclose"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
)

// postedFirst is a region that wants proposals posted for five days.
func postedFirst(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("pre_days:\n    value: 0\n    source: 社会救助法第四十五条"), []byte("pre_days:\n    value: 5\n    source: 某市临时救助办法第九条"))
	return bytes.ReplaceAll(text, []byte("skip_if_emergency:\n    value: true"), []byte("skip_if_emergency:\n    value: false"))
}

// proposed is a proposal that waits to be posted.
func (w *world) proposed(fen money.Fen) application.Application {
	w.T.Helper()
	one := event.Actor{Kind: event.Staff, ID: clerk, Person: "b1.one"}
	who := w.Person()
	w.planted = append(w.planted, who.Name.Reveal(), who.Name.Masked(), who.Paper.Reveal(), who.Phone.Reveal())
	id := w.Verify(w.Apply(who, func(s *application.Submission) { s.Place = village }).ID).ID
	_, err := application.Change(w.T.Context(), w.Store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		c, err := w.Open(w.T.Context(), a)
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		rule, ok := c.Rules.Posting(c.Weigh(fen, 1))
		if !ok {
			return application.Step[struct{}]{}, errors.New("nothing is posted here")
		}
		next, err := a.Propose(application.Proposal{By: one, At: w.Now(), AmountFen: fen, Persons: 1, Months: 1, Rail: "bank", Payee: a.Payee,
			Authority: policy.County, Rules: a.Findings.Rules, Posting: disclosure.PostingID(a.ID, a.Version+1)})
		if err != nil {
			return application.Step[struct{}]{}, err
		}
		p := disclosure.Ask(next, rule)
		also, err := p.Writes(p.Event("asked", one, w.Now()))
		return application.Step[struct{}]{Next: next, Event: next.Event("proposed", one, w.Now()), Also: also}, err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Read(id)
}

// passed is why a proposal cannot be approved now; nil when it can.
func (w *world) passed(a application.Application) error {
	writes, err := disclosure.Passed(w.T.Context(), w.Store, a, w.Now())
	if err == nil && len(writes) != 1 {
		w.T.Errorf("%d conditions", len(writes))
	}
	return err
}

// From the proposal to the end of its posting: hash first, of five or without
// figures, nothing planted in any byte, over by itself, and never in open data.
func TestAProposalIsPostedAndOverByItself(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst)
	var all []application.Application
	for i := range 5 {
		all = append(all, w.proposed(money.Fen(6000_00+100*i)))
	}
	waits := func(want error) {
		t.Helper()
		if err := w.passed(all[0]); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	waits(disclosure.ErrPosting)
	w.run()
	w.run() // not in the log
	waits(disclosure.ErrPosting)
	w.Pass(24 * time.Hour)
	w.sequence() // a day late: posted for as long as the region wants all the same
	w.run()
	waits(disclosure.ErrPosting)
	e := w.public()
	d, err := e.Document()
	if err != nil || d.Kind != disclosure.Proposals || d.Basis != "某市临时救助办法第九条" || d.UntilDay != "2026-11-26" || d.MadeOn != "2026-11-21" {
		t.Fatalf("%+v %v", d, err)
	}
	if len(d.Places) != 1 || d.Places[0].Place != string(village) || d.Places[0].Persons != 5 || d.Places[0].AmountFen != 30010_00 {
		t.Errorf("%+v", d.Places)
	}
	list := w.do("GET", "", "/v1/disclosures?division=320402", "", nil)
	r := w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil)
	page := w.do("GET", "", "/v1/disclosures/"+e.ID+"/page", "", nil)
	if !strings.Contains(list.body, e.ID) || r.status != 200 || page.status != 200 || !strings.Contains(page.body, "还没有决定") || strings.Contains(page.body, "资金使用") {
		t.Errorf("%d %d %s", r.status, page.status, page.body)
	}
	w.want(w.do("GET", "", "/v1/open-data/320402/2026", "", nil), 404, "disclosure-not-found")
	for _, canary := range append(w.planted, "629999", "某路", "失火", "fire", "b1.", clerk) {
		if strings.Contains(w.said.String(), canary) {
			t.Errorf("%q is in the open", canary)
		}
	}
	w.Pass(e.Until.Sub(w.Now()) - time.Second)
	waits(disclosure.ErrPosting)
	w.Pass(time.Second)
	if err := w.passed(all[0]); err != nil {
		t.Error(err)
	}
	w.want(w.do("GET", "", "/v1/disclosures/"+e.ID, "", nil), 404, "disclosure-not-found")
}

// X118: of fewer than five in a whole county nothing is told but that there is a
// proposal; they do not wait for others either.
func TestFewAreToldWithoutFigures(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst, func(text []byte) []byte {
		return bytes.ReplaceAll(text, []byte("name_emergency:\n    value: false"), []byte("name_emergency:\n    value: true"))
	})
	a := w.proposed(6000_00)
	w.proposed(7000_00)
	e := w.public()
	d, err := e.Document()
	if err != nil || len(d.Places) != 1 {
		t.Fatal(d.Places, err)
	}
	told := d.Places[0]
	if told.Place != string(firstaidtest.County) || told.Persons != 0 || told.AmountFen != 0 || len(told.Lines) != 2 {
		t.Errorf("%+v", told)
	}
	for _, l := range told.Lines {
		if l.Name != disclosure.NoName || l.AmountFen != 0 || l.Persons != 0 {
			t.Errorf("%+v", l)
		}
	}
	if page := w.do("GET", "", "/v1/disclosures/"+e.ID+"/page", "", nil); strings.Contains(page.body, "0.00") || strings.Contains(page.body, "6,000") || strings.Contains(page.body, "*") {
		t.Errorf("%s", page.body)
	}
	w.Pass(e.Until.Sub(w.Now()))
	if err := w.passed(a); err != nil {
		t.Error(err)
	}
}

func TestAnObjectionHoldsTheDecisionUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst)
	a := w.proposed(6000_00)
	other := w.proposed(6000_00)
	e := w.public()
	line := ""
	for _, s := range e.Sources {
		if s.Application == a.ID {
			line = s.Line
		}
	}
	path := "/v1/disclosures/" + e.ID + "/lines/" + line + "/objections"
	const words = "这家人上个月刚买了新车，请核实。"
	var both sync.WaitGroup
	got := make([]reply, 2)
	for i, who := range []string{citizen, "li"} {
		both.Go(func() { got[i] = w.do("POST", who, path, "k", m{"text": words}) })
	}
	both.Wait()
	for _, r := range got {
		w.want(r, 201, "")
		if !strings.Contains(r.text("next"), "答复以前不会") {
			t.Error(r.body)
		}
	}
	again := w.do("POST", citizen, path, "k", m{"text": words})
	if again.body != got[0].body {
		t.Errorf("again %s", again.body)
	}
	w.Pass(e.Until.Sub(w.Now()))
	for _, who := range []string{county, clerk, citizen} { // the sessions of a week ago are over
		w.signIn(who)
	}
	w.want(w.do("POST", citizen, path, "late", m{"text": words}), 404, "disclosure-not-found")
	if err := w.passed(a); !errors.Is(err, disclosure.ErrDisputed) {
		t.Errorf("two objections wait, and it says %v", err)
	}
	if err := w.passed(other); err != nil {
		t.Errorf("the line beside it: %v", err)
	}
	answer := func(r reply, result string) {
		t.Helper()
		task := "/v1/staff/disclosures/" + e.ID + "/objections/" + r.text("id")
		w.want(w.do("POST", clerk, task+"/answers", w.IDs.New(), m{"version": 1, "result": result, "reasons": "经入户核实，情况与申报一致。"}), 403, "")
		body := m{"version": 1, "result": result, "reasons": "经入户核实，情况与申报一致。"}
		w.want(w.do("POST", county, task+"/answers", "a"+r.text("id"), body), 201, "")
		w.want(w.do("POST", county, task+"/answers", "a"+r.text("id"), body), 201, "")
	}
	answer(got[0], disclosure.Dismissed)
	if err := w.passed(a); !errors.Is(err, disclosure.ErrDisputed) {
		t.Errorf("one objection waits, and it says %v", err)
	}
	answer(got[1], disclosure.Upheld)
	if err := w.passed(a); !errors.Is(err, disclosure.ErrOverturned) {
		t.Errorf("upheld, and it says %v", err)
	}
	if r := w.do("GET", citizen, "/v1/disclosures/"+e.ID+"/objections/"+got[0].text("id"), "", nil); r.text("result") != disclosure.Dismissed || r.text("reasons") == "" {
		t.Error(r.body)
	}
	for _, ev := range w.Events(disclosure.PostingPartition(firstaidtest.County, 2026)) {
		if ev.Actor.Kind == event.Citizen || strings.Contains(fmt.Sprint(ev), citizen) {
			t.Errorf("who objected stands in %+v", ev)
		}
	}
}

// If we die anywhere, the next run goes on, and each proposal is posted once.
func TestPostingThroughAStoreThatFails(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst)
	gone := w.proposed(6000_00)
	w.Change(gone.ID, "withdrawn", func(a application.Application) (application.Application, error) { return a.Withdraw() })
	for range disclosure.MaxPosted + 1 { // more than one edition holds
		w.proposed(6000_00)
	}
	d := w.deps
	f := &failing{Store: w.Store}
	d.Table = f
	failed := 0
	for n := 1; ; n += 13 {
		f.left = n
		err := disclose.Run(t.Context(), d)
		if f.left > 0 {
			break
		}
		if err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
	f.left = -1
	w.public()
	w.Pass(24 * time.Hour)
	w.public()
	all, err := disclosure.List(t.Context(), w.Store, firstaidtest.County, 2026)
	told := map[string]int{}
	for _, e := range all {
		if len(e.Sources) > disclosure.MaxPosted {
			t.Errorf("%d in one edition", len(e.Sources))
		}
		for _, s := range e.Sources {
			told[s.Posting]++
		}
	}
	if err != nil || len(told) != disclosure.MaxPosted+1 {
		t.Errorf("%d are posted, %v", len(told), err)
	}
	for p, n := range told {
		if n != 1 {
			t.Errorf("%s is posted %d times", p, n)
		}
	}
	if waiting, err := disclosure.Waiting(t.Context(), w.Store, firstaidtest.County, 2026); err != nil || len(waiting) != 0 {
		t.Errorf("%d wait, %v", len(waiting), err)
	}
}
