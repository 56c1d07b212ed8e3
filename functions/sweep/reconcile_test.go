package sweep

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/reconciliation/reconciliationtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

func watched(h *reconciliationtest.Hall, t table.Store) (Deps, *outbox) {
	out := &outbox{sent: map[table.Key]work.Queue{}}
	d := deps(t, out, t0)
	d.Now = h.Now
	d.Watch = Watch{Sources: h.Office.Sources, Regions: []reconciliation.Region{{Code: reconciliationtest.Region,
		Divisions: []civil.DivisionCode{reconciliationtest.Region, reconciliationtest.Township}}}}
	return d, out
}

func standing(t *testing.T, h *reconciliationtest.Hall) []brake.Brake {
	t.Helper()
	board, err := brake.Read(t.Context(), h.Store, "x")
	if err != nil {
		t.Fatal(err)
	}
	return board.Standing(h.Now())
}

// The statements of a day are owed from 10:00 of the next, once.
func TestStatementsAreOwedWhenTheyAreToBeHad(t *testing.T) {
	t.Parallel()
	h := reconciliationtest.New(t)
	d, out := watched(h, h.Store)
	for range 2 {
		if err := Reconcile(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	h.Wait(24*time.Hour - 10*time.Minute) // 9:55
	if err := Reconcile(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), d, 0); err != nil || len(out.sent) != 0 {
		t.Errorf("before ten: %v, %v", out.sent, err)
	}
	h.Wait(5 * time.Minute)
	for range 2 {
		if err := Reconcile(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Run(t.Context(), d, 0); err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Office.Sources {
		if out.sent[reconciliation.StatementKey(s.Name, reconciliationtest.Day.AddDays(1))] != work.Settle {
			t.Errorf("%s is not sent: %v", s.Name, out.sent)
		}
	}
}

// X033 as it runs: a row edited by hand is named, the supervisor and finance see a
// break, payments of that township stop, and nothing is repaired.
func TestAHandInARowIsNamedWithinAMinute(t *testing.T) {
	t.Parallel()
	h := reconciliationtest.New(t)
	h.Pay(1, award.Bank, reconciliationtest.At("12:00:00"))
	d, _ := watched(h, h.Store)
	var log bytes.Buffer
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	if err := Cohere(t.Context(), d); err != nil || len(standing(t, h)) != 0 {
		t.Fatalf("books that are whole: %v", err)
	}
	item, _, err := h.Store.Get(t.Context(), reconciliationtest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	item.Version++
	item.Body = bytes.ReplaceAll(item.Body, []byte(`"state":"paid"`), []byte(`"state":"due"`))
	if err := h.Store.Transact(t.Context(), table.Replace{Item: item}); err != nil {
		t.Fatal(err)
	}
	h.Wait(time.Minute)
	for range 2 {
		if err := Cohere(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	open, err := reconciliation.OpenIn(t.Context(), h.Store, reconciliationtest.Township)
	rows := ""
	for _, b := range open {
		rows += b.Rule + " " + b.Row + "\n"
	}
	if err != nil || !strings.Contains(rows, "L01 APP#app001/PAYOUT#01") || !strings.Contains(log.String(), "PAYOUT#01") {
		t.Errorf("not named: %q, %v", rows, err)
	}
	if got := standing(t, h); len(got) != 1 || got[0].Reason != brake.Incoherent || got[0].Division != reconciliationtest.Township {
		t.Errorf("%+v", got)
	}
	if again, _, err := h.Store.Get(t.Context(), reconciliationtest.Key(1)); err != nil || again.Version != item.Version {
		t.Errorf("the row was touched: %v", err)
	}
}

// The owner hears at half and at four fifths of the time; at T+2 the sweep makes a
// break the supervisor's too. Each once.
func TestAnOldBreakGoesFurtherUp(t *testing.T) {
	t.Parallel()
	h := reconciliationtest.New(t)
	h.Pay(1, award.Bank, reconciliationtest.At("12:00:00"))
	b := h.Match(reconciliationtest.BankSource, reconciliationtest.Day).Opened[0]
	d, out := watched(h, h.Store)
	for i, c := range []struct {
		wait time.Duration
		told bool
		to   string
	}{{time.Hour, false, "finance"}, {23 * time.Hour, true, "finance"}, {time.Minute, false, "finance"}, {15 * time.Hour, true, "finance"},
		{10 * time.Hour, true, "supervisor"}, {time.Minute, false, "supervisor"}} {
		h.Wait(c.wait)
		r, err := Run(t.Context(), d, 0)
		if err != nil || r.Failed != 0 || (r.Escalated == 1) != c.told {
			t.Errorf("run %d: %+v, %v", i, r, err)
		}
		if now, err := reconciliation.Get(t.Context(), h.Store, b.ID); err != nil || now.Owner != c.to {
			t.Errorf("run %d: %s, %v", i, now.Owner, err)
		}
	}
	after, err := reconciliation.Get(t.Context(), h.Store, b.ID)
	if err != nil || after.Owner != "supervisor" || after.Version != 4 {
		t.Errorf("%+v, %v", after, err)
	}
	for key := range out.sent {
		if reconciliation.IsBreak(key) {
			t.Errorf("a queue was sent %v", key)
		}
	}
}

// R37 as it runs: blindness stops the rails, and a statement frees them.
func TestBlindnessStopsAndSightFrees(t *testing.T) {
	t.Parallel()
	h := reconciliationtest.New(t, reconciliationtest.BankSource)
	d, _ := watched(h, h.Store)
	run := func() {
		t.Helper()
		if err := Reconcile(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		h.Wait(3 * time.Hour)
		if err := Cohere(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		run()
		h.Wait(21 * time.Hour)
	}
	if got := standing(t, h); len(got) != 2 || got[0].Kind != brake.Rail || got[0].Target != string(award.Bank) || got[0].Pulled.By != actor {
		t.Fatalf("%+v", got)
	}
	h.Receive(reconciliationtest.BankSource, reconciliation.LastReady(h.Now()))
	run()
	if got := standing(t, h); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	d.Watch = Watch{}
	if err := Cohere(context.Background(), d); err != nil {
		t.Errorf("nothing is watched: %v", err)
	}
}
