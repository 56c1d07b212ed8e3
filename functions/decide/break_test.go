package decide_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
)

const (
	breaks     = "/v1/staff/breaks"
	statements = "/v1/staff/statements"
)

var (
	bankBooks = reconciliation.BankSource("A-1", reconciliation.Yuan)
	treasury  = reconciliation.TreasurySource("T-1", reconciliation.Yuan)
	proof     = strings.Repeat("ab", 32)
)

// books is an office that reconciles.
func books(t *testing.T) (*world, reconciliation.Office) {
	t.Helper()
	var office reconciliation.Office
	w := serve(firstaidtest.New(t), func(d *decide.Deps) {
		d.Office = reconciliation.Office{Table: d.Table, Box: d.Box, Sources: reconciliation.Sources{bankBooks, treasury}, Region: city, Now: d.Now}
		office = d.Office
	})
	return w, office
}

// differing is a payment of which the bank's statement says another amount, and
// the break about it.
func (w *world) differing(office reconciliation.Office) (application string, b reconciliation.Break) {
	w.T.Helper()
	application = w.awarded(nil, payout.Said{Word: payout.Succeeded, At: w.Now(), Evidence: strings.Repeat("e", 64)})
	day := calendar.Today(w.Now())
	p := w.payout(application)
	line := reconciliation.Line{Reference: p.Attempts[0].Reference, Number: "S1", Way: payout.Out, AmountFen: p.PaidFen + 1, At: p.PaidAt}
	w.overnight()
	return application, w.matched(office, day, line)[0]
}

// overnight lets a day pass, and everybody signs in again.
func (w *world) overnight() {
	w.Pass(30 * time.Hour)
	for _, who := range []string{clerk, approver, approver2, finance, supervisor, auditor, supervisor2, finance2, chief, clerk3} {
		w.signIn(who)
	}
}

func (w *world) matched(office reconciliation.Office, day civil.Day, lines ...reconciliation.Line) []reconciliation.Break {
	w.T.Helper()
	by := event.Actor{Kind: event.System, ID: "settle"}
	h, _, err := office.Receive(w.T.Context(), reconciliation.Bank, day, bankBooks.Write(day, lines), reconciliation.From{By: by, Verified: true})
	if err != nil {
		w.T.Fatal(err)
	}
	r, _, err := office.Match(w.T.Context(), h, by)
	if err != nil || len(r.Opened) == 0 {
		w.T.Fatal(r, err)
	}
	return r.Opened
}

func (w *world) closing(who, id, step string, version int64) reply {
	in := m{"version": version}
	if step == "proposals" {
		in["reason"], in["evidence"], in["note"] = "provider_corrected", proof, "银行已更正。"
	}
	return w.send("POST", who, breaks+"/"+id+"/"+step, w.IDs.New(), in)
}

// owed is the break among the tasks that somebody sees; nil when there is none.
func (w *world) owed(who, id string) m {
	w.T.Helper()
	r := w.get(who, "/v1/staff/tasks?limit=100")
	w.want(r, 200, "")
	for _, one := range r.out["tasks"].([]any) {
		if task := m(one.(map[string]any)); task["kind"] == "break" && task["id"] == id {
			return task
		}
	}
	return nil
}

// A break is a task of those who must close it, by T+2 and for as long as it is open;
// the next step is anybody's who neither decided on the payment nor took the last one.
func TestABreakIsATaskUntilItIsClosed(t *testing.T) {
	t.Parallel()
	w, office := books(t)
	_, b := w.differing(office)
	mine := func(when string, want map[string]bool) {
		t.Helper()
		for who, mine := range want {
			if task := w.owed(who, b.ID); task == nil || task["mine"] != mine {
				t.Errorf("%s: %s has %v", when, who, task)
			}
		}
	}
	percent := func(want float64) {
		t.Helper()
		task := w.owed(finance, b.ID)
		deadline, _ := task["deadline"].(map[string]any)
		if got, _ := deadline["elapsed_percent"].(float64); got != want || deadline["at"] == "" {
			t.Errorf("%v%%, want %v: %v", got, want, task)
		}
	}
	mine("open", map[string]bool{finance: true, finance2: true, approver: false, clerk: false, supervisor: false})
	if task := w.owed(clerk3, b.ID); task != nil {
		t.Errorf("it is a task elsewhere: %v", task)
	}
	percent(0)
	w.overnight()
	w.overnight()
	percent(125)
	mine("old", map[string]bool{finance: true, supervisor: false})
	w.want(w.closing(finance, b.ID, "proposals", 1), 201, "")
	mine("proposed", map[string]bool{finance: false, finance2: true, chief: true, approver: false, supervisor: false})
	w.want(w.closing(finance2, b.ID, "agreements", 2), 201, "")
	for _, who := range []string{finance, finance2, supervisor, chief} {
		if task := w.owed(who, b.ID); task != nil {
			t.Errorf("%s still owes what is closed: %v", who, task)
		}
	}
}

// A payment that the next day's statement is going to explain is nobody's task before
// it is old.
func TestADaysCutIsNoTaskBeforeItIsOld(t *testing.T) {
	t.Parallel()
	w, _ := books(t)
	by := event.Actor{Kind: event.System, ID: "settle"}
	b := reconciliation.Break{ID: "bank-20261120-" + strings.Repeat("0", 26), Version: 1, Source: reconciliation.Bank, Day: calendar.Today(w.Now()),
		Class: reconciliation.DateCut, State: reconciliation.Open, Division: firstaidtest.Township, Since: w.Now(), Owner: "finance"}
	if err := reconciliation.Commit(t.Context(), w.Store, b, b.Event("opened", by, w.Now())); err != nil {
		t.Fatal(err)
	}
	if task := w.owed(finance, b.ID); task != nil {
		t.Errorf("already a task: %v", task)
	}
	w.overnight()
	w.overnight()
	if task := w.owed(finance, b.ID); task == nil || task["mine"] != true {
		t.Errorf("no task when it is old: %v", task)
	}
}

func TestTwoPeopleCloseABreak(t *testing.T) {
	t.Parallel()
	w, office := books(t)
	application, b := w.differing(office)
	slice := w.payout(application).Award.Slice()
	before, err := fund.Read(t.Context(), w.Store, slice)
	if err != nil {
		t.Fatal(err)
	}

	for _, who := range []string{clerk, finance, supervisor, auditor} {
		r := w.get(who, breaks)
		w.want(r, 200, "")
		list, _ := r.out["breaks"].([]any)
		if len(list) != 1 || !strings.Contains(r.body, `"class":"amount"`) {
			t.Errorf("%s sees %s", who, r.body)
		}
	}
	one := w.get(finance, breaks+"/"+b.ID)
	w.want(one, 200, "")
	for _, side := range []string{"decision", "ledger", "statement"} {
		if one.out[side] == nil {
			t.Errorf("the %s says nothing: %s", side, one.body)
		}
	}
	if w.get(clerk3, breaks+"/"+b.ID).status != 404 || w.get(finance, breaks+"/bank-20261123-"+strings.Repeat("0", 26)).status != 404 || w.get(finance, breaks+"/x").status != 404 {
		t.Error("out of scope is not absent")
	}

	// Who decided on the payment, who supervises and who is not finance do not propose.
	w.want(w.closing(clerk, b.ID, "proposals", 1), 403, "break-same-person")
	w.want(w.closing(approver, b.ID, "proposals", 1), 403, "break-same-person")
	w.want(w.closing(supervisor, b.ID, "proposals", 1), 403, "supervision-reads-only")
	w.want(w.closing(chief, b.ID, "proposals", 1), 403, "not-allowed")
	w.want(w.closing(approver2, b.ID, "proposals", 1), 404, "break-not-found")
	w.want(w.closing(finance2, b.ID, "agreements", 1), 409, "break-state")
	w.want(w.closing(finance, b.ID, "proposals", 7), 409, "break-moved")
	w.want(w.send("POST", finance, breaks+"/"+b.ID+"/proposals", w.IDs.New(), m{"version": 1, "reason": "provider_corrected", "evidence": strings.Repeat("Z", 64)}), 400, "break-evidence")
	key := w.IDs.New()
	in := m{"version": 1, "reason": "provider_corrected", "evidence": proof, "note": "银行已更正。"}
	proposed := w.send("POST", finance, breaks+"/"+b.ID+"/proposals", key, in)
	w.want(proposed, 201, "")
	if again := w.send("POST", finance, breaks+"/"+b.ID+"/proposals", key, in); again.body != proposed.body {
		t.Errorf("the same request got another answer: %s", again.body)
	}
	in["note"] = "改了。"
	if r := w.send("POST", finance, breaks+"/"+b.ID+"/proposals", key, in); r.status != 422 {
		t.Errorf("the same key for another request: %d", r.status)
	}
	if proposed.text("state") != "proposed" || proposed.text("proposed_by") != finance {
		t.Errorf("%s", proposed.body)
	}
	for _, who := range []string{finance, approver} {
		w.want(w.closing(who, b.ID, "agreements", 2), 403, "break-same-person")
	}
	closed := w.closing(finance2, b.ID, "agreements", 2)
	w.want(closed, 201, "")
	if closed.text("state") != "closed" || closed.text("closed_by") != finance2 || closed.text("evidence") != proof {
		t.Errorf("%s", closed.body)
	}
	w.want(w.closing(finance, b.ID, "proposals", 3), 409, "break-state")
	if r := w.get(finance, breaks); strings.Contains(r.body, b.ID) {
		t.Error("a closed break is listed")
	}

	after, err := fund.Read(t.Context(), w.Store, slice)
	if err != nil || !after.Balances.Equal(before.Balances) || after.Version != before.Version {
		t.Errorf("closing a break moved the ledger: %v, %v", after, err)
	}
	events := 0
	for _, e := range w.Events(b.Event("", event.Actor{}, w.Now()).PK) {
		if e.Noun == reconciliation.Noun {
			events++
			if e.Version > 1 && (e.Actor.Person == "" || e.Trace == "" || e.Facts.Text("evidence") != proof) {
				t.Errorf("the event does not say who, with what and in which request: %+v", e)
			}
		}
	}
	if events != 3 {
		t.Errorf("%d events for 3 versions", events)
	}
}

func TestOneOfTwoAgrees(t *testing.T) {
	t.Parallel()
	w, office := books(t)
	_, b := w.differing(office)
	w.want(w.closing(finance, b.ID, "proposals", 1), 201, "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for _, who := range []string{finance2, chief, finance2, chief} {
		wg.Go(func() {
			r := w.closing(who, b.ID, "agreements", 2)
			mu.Lock()
			defer mu.Unlock()
			got[r.status]++
		})
	}
	wg.Wait()
	if got[201] != 1 || got[409] != 3 {
		t.Errorf("answers %v", got)
	}
}

func TestBreaksAreListedByScopeClassAndAge(t *testing.T) {
	t.Parallel()
	w, office := books(t)
	_, b := w.differing(office)
	for query, want := range map[string]int{"": 1, "?class=amount": 1, "?class=duplicate": 0, "?hours=0": 1, "?hours=48": 0, "?division=" + string(b.Division): 1} {
		r := w.get(finance, breaks+query)
		w.want(r, 200, "")
		if list, _ := r.out["breaks"].([]any); len(list) != want {
			t.Errorf("%q: %s", query, r.body)
		}
	}
	w.Pass(50 * time.Hour)
	w.signIn(finance)
	if r := w.get(finance, breaks+"?hours=48"); !strings.Contains(r.body, b.ID) {
		t.Errorf("after two days: %s", r.body)
	}
	for query, status := range map[string]int{"?class=nonsense": 400, "?hours=x": 400, "?hours=-1": 400, "?division=511700000000": 403, "?division=1": 403, "?color=red": 400} {
		if r := w.get(finance, breaks+query); r.status != status {
			t.Errorf("%q: %d %s", query, r.status, r.body)
		}
	}
}

func bring(raw []byte, source string, day civil.Day) m {
	sum := sha256.Sum256(raw)
	return m{"source": source, "day": day.String(), "sha256": hex.EncodeToString(sum[:]), "content_base64": base64.StdEncoding.EncodeToString(raw)}
}

func TestAFinanceOfficerBringsAStatement(t *testing.T) {
	t.Parallel()
	w, office := books(t)
	day := calendar.Today(w.Now())
	w.overnight()
	good := treasury.Write(day, []reconciliation.Line{{Reference: "ref1", Number: "1", Way: payout.Out, AmountFen: money.Fen(100_00), At: day.Start(calendar.Zone).Add(time.Hour)}})
	in := bring(good, "treasury", day)
	for who, code := range map[string]string{clerk: "not-allowed", supervisor: "not-allowed", finance: "not-allowed"} {
		w.want(w.send("POST", who, statements, w.IDs.New(), in), 403, code)
	}
	altered := bring(good, "treasury", day)
	altered["sha256"] = strings.Repeat("0", 64)
	rubbish := bring(good, "casino", day)
	rubbish["day"], rubbish["content_base64"] = "yesterday", "***"
	for name, c := range map[string]struct {
		in     m
		status int
		code   string
		fields string
	}{
		"X060 altered on the way": {altered, 400, "invalid-fields", "digest"},
		"everything wrong":        {rubbish, 400, "invalid-fields", "day source base64"},
		"truncated":               {bring(good[:len(good)/2], "treasury", day), 400, "statement-unreadable", ""},
		"another day's":           {bring(good, "treasury", day.AddDays(-1)), 400, "statement-unreadable", ""},
		"of today":                {bring(treasury.Write(calendar.Today(w.Now()), nil), "treasury", calendar.Today(w.Now())), 400, "statement-day", ""},
		"another account's":       {bring(good, "bank", day), 400, "statement-unreadable", ""},
		"a field nobody knows":    {m{"source": "treasury", "day": day.String(), "sha256": proof, "content_base64": "", "believe": true}, 400, "", ""},
	} {
		r := w.send("POST", finance2, statements, w.IDs.New(), c.in)
		if r.status != c.status || c.code != "" && r.code != c.code || c.fields != "" && r.fields != c.fields {
			t.Errorf("%s: %d %s %q", name, r.status, r.code, r.fields)
		}
	}
	key := w.IDs.New()
	r := w.send("POST", finance2, statements, key, in)
	w.want(r, 201, "")
	if r.text("state") != "received" || r.number("issue") != 1 || r.out["verified"] != false || r.text("by") != finance2 {
		t.Errorf("%s", r.body)
	}
	if again := w.send("POST", finance2, statements, key, in); again.body != r.body {
		t.Errorf("the same request got another answer: %s", again.body)
	}
	twice := w.send("POST", finance2, statements, w.IDs.New(), in)
	w.want(twice, 201, "")
	if twice.number("issue") != 1 {
		t.Errorf("the same file twice is another issue: %s", twice.body)
	}
	restated := w.send("POST", finance2, statements, w.IDs.New(), bring(treasury.Write(day, nil), "treasury", day))
	w.want(restated, 201, "")
	if restated.number("issue") != 2 {
		t.Errorf("%s", restated.body)
	}
	h, err := reconciliation.Statement(t.Context(), w.Store, "treasury", day)
	if err != nil {
		t.Fatal(err)
	}
	if _, moved, err := office.Match(t.Context(), h, event.Actor{Kind: event.System, ID: "settle"}); err != nil || moved {
		t.Fatal(err)
	}
	list := w.get(supervisor, statements+"?division="+city)
	w.want(list, 200, "")
	if !strings.Contains(list.body, `"state":"matched"`) || !strings.Contains(list.body, `"issue":2`) {
		t.Errorf("%s", list.body)
	}
	w.want(w.get(supervisor, statements+"?division=511700000000"), 403, "not-allowed")
}
