package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/test/caller"
)

// ahead is a clock that runs as the machine's does, from a Tuesday morning on, and
// ahead by as much as a test lets pass.
type ahead struct {
	begun time.Time
	by    atomic.Int64
}

func (a *ahead) Now() time.Time {
	return time.Date(2026, 11, 24, 9, 0, 0, 0, calendar.Zone).Add(time.Since(a.begun) + time.Duration(a.by.Load()))
}

// until lets time pass, step after step, until done.
func (a *ahead) until(t *testing.T, what string, step time.Duration, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		a.by.Add(int64(step))
		select {
		case <-t.Context().Done():
			t.Fatal(what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A region that pays in files: two people are decided on, one officer forms the
// file and another lets it go, the bank reads it and sends back what became of each
// line. One is paid. The other is not: that person is told, an officer has the case,
// the money is back in the fund once. The next day's statement says the same.
func TestAFileThatPaysOneAndFailsAnother(t *testing.T) {
	t.Parallel()
	const refused = "[[rule]]\nservice = \"bank\"\nop = \"file_line\"\norder = 2\neffect = \"fail\"\ncode = \"NAME_MISMATCH\"\n"
	scenario := filepath.Join(t.TempDir(), "scenario.toml")
	if err := os.WriteFile(scenario, []byte(refused), 0o600); err != nil {
		t.Fatal(err)
	}
	clock := &ahead{begun: time.Now()}
	s := start(t, func(o *local.Options) {
		o.Batch, o.Scenario, o.Now, o.WithoutLog = []string{"320400"}, scenario, clock.Now, true
		o.SweepEvery, o.AsyncDelay = 200*time.Millisecond, time.Millisecond
	})
	ctx := t.Context()
	everybody := caller.Caller{Base: s.URL, HTTP: &http.Client{}}
	consent, err := everybody.ConsentText(ctx)
	if err != nil {
		t.Fatal(err)
	}
	slice := fund.ID{Fund: fund.Named(fund.Relief, 2026), Township: "320402005000"}
	balances := func() fund.Balances {
		t.Helper()
		if err := fund.Coherent(ctx, s.Table, slice); err != nil {
			t.Fatal(err)
		}
		b, err := fund.Read(ctx, s.Table, slice)
		if err != nil {
			t.Fatal(err)
		}
		return b.Balances
	}
	before := balances()

	// Two people apply, and two officers decide on each.
	clerk, approver := signIn(t, s, "320400-clerk-1"), signIn(t, s, "320400-approver-1")
	var ids, phones []string
	for n := 1; n <= 2; n++ {
		person, err := everybody.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:file-%d", n), "")
		var a struct{ ID string }
		if err == nil {
			err = person.Do(ctx, http.MethodPost, "/v1/applications", fmt.Sprintf("file-%d", n), caller.Application(n, consent), &a)
		}
		if err != nil {
			t.Fatal(err)
		}
		clock.until(t, "the registers have answered", time.Second, func() bool {
			got, err := application.Get(ctx, s.Table, a.ID)
			return err == nil && got.Findings != nil
		})
		path := "/v1/staff/applications/" + a.ID
		p := clerk.post(path+"/proposals", map[string]any{"rail": "bank_batch"})
		approver.post(path+"/approvals", map[string]any{"proposal_version": p["proposal_version"], "amount_fen": p["amount_fen"]})
		ids, phones = append(ids, a.ID), append(phones, fmt.Sprintf("199%08d", n))
	}
	state := func(n int) payout.Payout {
		t.Helper()
		p, err := payout.Get(ctx, s.Table, payout.Key(ids[n], "01"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	amount := state(0).Award.AmountFen

	// One officer forms the file; the same one may not let it go, another does.
	finance, second := signIn(t, s, "320400-finance-1"), signIn(t, s, "320400-finance-2")
	f := finance.post("/v1/staff/batches", map[string]any{"division": "320402000000"})
	release := map[string]any{"version": f["version"], "lines": f["proposed_lines"], "total_fen": f["proposed_fen"]}
	id, _ := f["id"].(string)
	if f["proposed_lines"] != float64(2) || f["proposed_fen"] != float64(2*amount) {
		t.Fatalf("the file is of %v", f)
	}
	err = caller.Caller{Base: s.URL, HTTP: &http.Client{}, Token: finance.token}.Do(ctx, http.MethodPost, "/v1/staff/batches/"+id+"/release", "alone", release, nil)
	if err == nil || !strings.Contains(err.Error(), "batch-same-person") {
		t.Errorf("one person alone: %v", err)
	}
	second.post("/v1/staff/batches/"+id+"/release", release)
	clock.until(t, "every line has an outcome", 10*time.Second, func() bool {
		b, err := batch.Get(ctx, s.Table, id)
		return err == nil && b.State == batch.Settled
	})
	paid, failed := state(0), state(1)
	if paid.State == payout.Failed { // lines stand in the order of the decisions, to the millisecond
		paid, failed = failed, paid
		ids[0], ids[1], phones[0], phones[1] = ids[1], ids[0], phones[1], phones[0]
	}
	if paid.State != payout.Paid || failed.State != payout.Failed || len(paid.Attempts) != 1 || paid.Attempts[0].File != id {
		t.Fatalf("%s and %s", paid.State, failed.State)
	}

	// The bank's own book has one payment of this case and none of the other.
	var book struct {
		Entries []struct{ Reference, Status string }
	}
	if err := (caller.Caller{Base: s.WorldURL, HTTP: &http.Client{}}).Do(ctx, http.MethodGet, "/world/bank/book", "", nil, &book); err != nil {
		t.Fatal(err)
	}
	standing := map[string]string{}
	for _, e := range book.Entries {
		standing[e.Reference] += e.Status
	}
	if len(book.Entries) != 2 || standing[paid.Attempts[0].Reference] != "paid" || standing[failed.Attempts[0].Reference] != "failed" {
		t.Errorf("the bank's book: %v", book.Entries)
	}

	// Both are told, each their own.
	told := func(n int) (kinds []string) {
		t.Helper()
		var sent struct{ Messages []struct{ Template string } }
		if err := (caller.Caller{Base: s.WorldURL, HTTP: &http.Client{}}).Do(ctx, http.MethodGet, "/world/messages?to="+phones[n], "", nil, &sent); err != nil {
			t.Fatal(err)
		}
		for _, m := range sent.Messages {
			kinds = append(kinds, strings.TrimPrefix(m.Template, "10local-"))
		}
		return kinds
	}
	for n, want := range []notice.Kind{notice.Paid, notice.PaymentFailed} {
		clock.until(t, "somebody is told: "+string(want), time.Second, func() bool { return slices.Contains(told(n), string(want)) })
	}
	if slices.Contains(told(0), string(notice.PaymentFailed)) || slices.Contains(told(1), string(notice.Paid)) {
		t.Errorf("told %v and %v", told(0), told(1))
	}

	// Whose money did not arrive is somebody's task, and stays decided.
	head, err := application.Get(ctx, s.Table, ids[1])
	if err != nil || !head.Held() || head.State != application.Approved {
		t.Errorf("held %v, %s, %v", head.Held(), head.State, err)
	}
	var tasks struct {
		Tasks []struct{ Application string }
	}
	if err := (caller.Caller{Base: s.URL, HTTP: &http.Client{}, Token: clerk.token}).Do(ctx, http.MethodGet, "/v1/staff/tasks", "", nil, &tasks); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(tasks), ids[1]) {
		t.Errorf("nobody has the case: %v", tasks)
	}
	// The money of the one is gone, that of the other is back, once.
	after := balances()
	if after.Of(fund.Reserved) != 0 || before.Of(fund.Available)-after.Of(fund.Available) != amount {
		t.Errorf("%v, then %v", before.Accounts, after.Accounts)
	}

	// The day after, bank and treasury list what we booked, and nothing else.
	day := civil.DayOf(clock.Now(), calendar.Zone)
	clock.by.Add(int64(reconciliation.Ready(day).Add(time.Minute).Sub(clock.Now())))
	for _, source := range []string{reconciliation.Bank, reconciliation.Treasury} {
		var h reconciliation.Head
		clock.until(t, source+" is reconciled", 10*time.Second, func() bool {
			h, err = reconciliation.Statement(ctx, s.Table, source, day)
			return err == nil && h.Standing == reconciliation.Matched
		})
		if c := h.Counted; !h.Verified || c.Lines != 1 || c.Pairs != 1 || c.LinesFen != amount || c.BookedFen != amount || len(c.Breaks) != 0 {
			t.Errorf("%s: %+v", source, *h.Counted)
		}
	}
	if dead := s.Dead(); len(dead) > 0 {
		t.Errorf("%d dead letters, %s", len(dead), dead[0].Code)
	}
}
