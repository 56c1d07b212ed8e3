package decide_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
)

const (
	batches = "/v1/staff/batches"
	ward    = "320402000000"
)

// openFiles is an office of a region that pays in files.
func openFiles(t *testing.T) *world {
	t.Helper()
	return serve(firstaidtest.New(t), func(d *decide.Deps) {
		d.Files = decide.FileUse{In: func(c civil.DivisionCode) bool { return strings.HasPrefix(string(c), "3204") }, Layout: "yikatong-1", MaxLines: 50_000}
	})
}

// waiting is so many awards that wait for a file.
func (w *world) waiting(n int) {
	w.T.Helper()
	for range n {
		id, approval := w.proposed(m{"rail": "bank_batch"})
		w.want(w.post(approver, id, "approvals", approval), 201, "")
	}
}

func (w *world) batch(who, id, step string, r reply) reply {
	w.T.Helper()
	return w.send("POST", who, batches+"/"+id+"/"+step, w.IDs.New(),
		m{"version": r.number("version"), "lines": r.number("proposed_lines"), "total_fen": r.number("proposed_fen")})
}

func TestTwoPeopleFormAFile(t *testing.T) {
	t.Parallel()
	w := openFiles(t)
	w.want(w.send("POST", finance, batches, w.IDs.New(), m{"division": ward}), 409, "batch-nothing")
	w.waiting(2)
	w.Pass(50 * time.Hour)
	for _, who := range []string{clerk, approver2, finance, finance2, supervisor, auditor, chief} {
		w.signIn(who)
	}

	// Nothing waits unseen, also for those who supervise.
	for _, who := range []string{finance, supervisor, clerk} {
		division := ward
		if who == clerk {
			division = string(firstaidtest.Township)
		}
		list := w.get(who, batches+"?division="+division)
		w.want(list, 200, "")
		waits, _ := list.out["waiting"].([]any)
		if len(waits) != 1 {
			t.Fatalf("%s sees %s", who, list.body)
		}
		if one, _ := waits[0].(m); one["hours"] != float64(50) || one["lines"] != float64(2) || one["township"] != string(firstaidtest.Township) {
			t.Errorf("%s sees %v", who, one)
		}
	}

	p := w.send("POST", finance, batches, "once", m{"division": ward})
	w.want(p, 201, "")
	if again := w.send("POST", finance, batches, "once", m{"division": ward}); again.body != p.body {
		t.Errorf("repeat: %s", again.body)
	}
	if p.text("state") != "proposed" || p.number("proposed_lines") != 2 || p.text("released_by") != "" {
		t.Errorf("%s", p.body)
	}
	id := p.text("id")
	for who, want := range map[string]struct {
		status int
		code   string
	}{finance: {403, "batch-same-person"}, clerk: {404, "batch-not-found"}, supervisor: {403, "supervision-reads-only"}, auditor: {403, "supervision-reads-only"}} {
		w.want(w.batch(who, id, "release", p), want.status, want.code)
	}
	w.want(w.send("POST", finance2, batches+"/"+id+"/release", w.IDs.New(), m{"version": 1, "lines": 2, "total_fen": 1}), 409, "batch-moved")
	w.want(w.send("POST", finance2, batches+"/none/release", w.IDs.New(), m{"version": 1, "lines": 2, "total_fen": 1}), 404, "batch-not-found")

	// X058: released twice, by two people at once, it is one file.
	var group sync.WaitGroup
	got := make([]reply, 2)
	for i, who := range []string{finance2, chief} {
		group.Go(func() { got[i] = w.batch(who, id, "release", p) })
	}
	group.Wait()
	if won := (got[0].status == 201) != (got[1].status == 201); !won {
		t.Errorf("%d %s and %d %s", got[0].status, got[0].body, got[1].status, got[1].body)
	}
	w.want(w.batch(finance2, id, "release", p), 409, "batch-state")
	w.want(w.batch(finance2, id, "cancellation", p), 409, "batch-state")

	b, err := batch.Get(t.Context(), w.Store, id)
	if err != nil || b.State != batch.Filling || b.Most.Count != 2 || b.Released.By.Person == b.Proposed.By.Person || b.Next.IsZero() {
		t.Errorf("%+v %v", b, err)
	}
	shown := w.get(supervisor, batches+"/"+id)
	w.want(shown, 200, "")
	if shown.text("state") != "filling" || shown.text("released_by") == "" {
		t.Errorf("%s", shown.body)
	}
	w.want(w.get(approver2, batches+"/"+id), 404, "batch-not-found")
	w.want(w.get(clerk, batches+"?division="+ward), 403, "not-allowed")
}

func TestAFileIsWithdrawn(t *testing.T) {
	t.Parallel()
	w := openFiles(t)
	w.waiting(1)
	p := w.send("POST", finance, batches, w.IDs.New(), m{"division": string(firstaidtest.Township)})
	w.want(p, 201, "")
	w.want(w.batch(clerk, p.text("id"), "cancellation", p), 403, "not-allowed")
	c := w.batch(finance, p.text("id"), "cancellation", p) // one person is enough to not pay
	w.want(c, 201, "")
	if c.text("state") != "cancelled" || c.text("cancelled_by") != finance {
		t.Errorf("%s", c.body)
	}
	list := w.get(finance, batches+"?division="+string(firstaidtest.Township))
	if all, _ := list.out["batches"].([]any); len(all) != 1 {
		t.Errorf("%s", list.body)
	}
}

// TestFilesAreOffUntilARegionHasThem: like every rail that is not the plain one.
func TestFilesAreOffUntilARegionHasThem(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.Verify(w.Apply(w.Person()).ID).ID
	w.want(w.post(clerk, id, "proposals", m{"rail": "bank_batch"}), 409, "no-payment-files")
	w.want(w.send("POST", finance, batches, w.IDs.New(), m{"division": ward}), 409, "batch-off")
	w.want(w.get(finance, batches+"?division="+ward), 200, "")
}
