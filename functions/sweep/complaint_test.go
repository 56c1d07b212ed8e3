package sweep_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// A provisional date of a complaint gets its own, what has passed is told once,
// and a complaint that cannot be read hides no other.
func TestComplaintsAreSettledAndTold(t *testing.T) {
	t.Parallel()
	book, err := complaint.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 9, 30, 0, 0, calendar.Zone)
	township := civil.DivisionCode("320402005000")
	rules, err := book.Rules(township, calendar.Today(now))
	if err != nil {
		t.Fatal(err)
	}
	store := embedded.Memory()
	c := complaint.New(complaint.Complaint{ID: ident.Derive("settled"), Kind: complaint.Report, Rank: complaint.Ordinary, Module: "medical-aid",
		Path: []civil.DivisionCode{township, "320402000000", "320400000000"}}, rules, now)
	right := c.Accepting.At
	c.Accepting.At, c.Accepting.Provisional = right.AddDate(0, 0, 5), true
	if err := complaint.Commit(t.Context(), store, c, c.Event("filed", complaint.Complainant(), now)); err != nil {
		t.Fatal(err)
	}
	items, err := store.Query(t.Context(), table.Query{PK: complaint.Partition(c.ID)})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items.Items {
		if complaint.Is(item.Key) { // beside it, one whose body is damaged
			bad := item.Clone()
			bad.Key, bad.Body = complaint.Key(ident.Derive("damaged")), []byte("{")
			if err := store.Transact(t.Context(), table.Put{Item: bad}); err != nil {
				t.Fatal(err)
			}
		}
	}
	now = right.AddDate(0, 0, 2)
	d := sweep.Deps{Table: store, Complaints: book, Now: func() time.Time { return now }, Metrics: telemetry.Discard, Log: telemetry.NewLogger(io.Discard, slog.LevelError)}
	r, err := sweep.Run(t.Context(), d, 0)
	if err != nil || r.Escalated != 1 || r.Failed != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	after, err := complaint.Get(t.Context(), store, c.ID)
	if err != nil || !after.Accepting.At.Equal(right) || after.Accepting.Provisional || after.Accepting.Told != 100 || after.Version != 3 {
		t.Errorf("%+v %v", after.Accepting, err)
	}
	e, err := complaint.ReadEvent(t.Context(), store, c.ID, 2)
	if raw, _ := json.Marshal(e.Facts); err != nil || e.Kind != "rescheduled" || e.Facts.Text("at") != right.Format(time.RFC3339) {
		t.Errorf("%s %s %v", e.Kind, raw, err)
	}
	if r, err := sweep.Run(t.Context(), d, 0); err != nil || r.Escalated != 0 {
		t.Errorf("told twice: %+v %v", r, err)
	}
}
