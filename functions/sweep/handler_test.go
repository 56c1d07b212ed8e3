package sweep

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

var t0 = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// outbox counts what is sent, by item, and can be out of order.
type outbox struct {
	sent map[table.Key]work.Queue
	err  error
}

func (o *outbox) Send(_ context.Context, q string, body []byte, _ time.Duration) error {
	m, err := work.Decode(body)
	if err != nil {
		return err
	}
	if o.err != nil {
		return o.err
	}
	o.sent[m.Key()] = work.Queue(q)
	return nil
}

func deps(t table.Store, out *outbox, now time.Time) Deps {
	book, err := policy.Shipped()
	if err != nil {
		panic(err)
	}
	return Deps{Table: t, Book: book, Send: out, Now: func() time.Time { return now }, Metrics: telemetry.Discard, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func accepted(t *testing.T, store table.Store, id string, state application.State) application.Application {
	t.Helper()
	a := application.Application{ID: id, Version: 1, Track: application.Emergency, State: state, Account: "acc", AcceptedAt: t0,
		Township: "320402005000", County: "320402000000",
		Deadline: application.Deadline{Kind: application.ToDecide, From: t0, At: t0.Add(24 * time.Hour)}}
	writes, err := a.Writes(a.Event("accepted", event.Actor{Kind: event.Citizen, ID: "acc"}, t0))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Transact(t.Context(), writes...); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWhatIsOwedIsSentAgain(t *testing.T) {
	store := embedded.Memory()
	want := map[table.Key]work.Queue{}
	for i := range 40 { // enough to stand in every shard, and to need a second page in none
		key := table.Key{PK: string(rune('A' + i)), SK: "PAYOUT#01"}
		q := work.Queues()[i%len(work.Queues())]
		at := t0.Add(time.Duration(i-20) * time.Minute)
		if err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Places: []table.Place{work.Due(key, at, q)}}}); err != nil {
			t.Fatal(err)
		}
		if !at.After(t0.Add(-time.Minute)) {
			want[key] = q
		}
	}
	out := &outbox{sent: map[table.Key]work.Queue{}}
	r, err := Run(t.Context(), deps(store, out, t0), time.Minute)
	if err != nil || !maps.Equal(out.sent, want) {
		t.Errorf("sent %v, %v; want %v", out.sent, err, want)
	}
	if r.Oldest != 20*time.Minute || r.Failed != 0 || r.Sent[work.Pay]+r.Sent[work.Verify]+r.Sent[work.Settle]+r.Sent[work.Notify] != len(want) {
		t.Errorf("report %+v", r)
	}
}

func TestMoreThanOnePage(t *testing.T) {
	store := embedded.Memory()
	const n = 1500
	for i := range n {
		key := table.Key{PK: "APP#" + string(rune(0x4e00+i)), SK: "NOTICE#x"}
		if err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Places: []table.Place{work.Due(key, t0, work.Notify)}}}); err != nil {
			t.Fatal(err)
		}
	}
	out := &outbox{sent: map[table.Key]work.Queue{}}
	if _, err := Run(t.Context(), deps(store, out, t0), 0); err != nil || len(out.sent) != n {
		t.Errorf("sent %d of %d, %v", len(out.sent), n, err)
	}
}

func TestDeadlinesEscalate(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		told  int
	}{
		"fresh":              {time.Hour, 0},
		"just before half":   {12*time.Hour - time.Millisecond, 0},
		"half":               {12 * time.Hour, 50},
		"between":            {19 * time.Hour, 50},
		"eighty percent":     {19*time.Hour + 12*time.Minute, 80},
		"missed":             {24 * time.Hour, 100},
		"all at once, later": {30 * 24 * time.Hour, 100},
	} {
		for _, state := range []application.State{application.Accepted, application.Verified} {
			store := embedded.Memory()
			accepted(t, store, "x", state)
			out := &outbox{sent: map[table.Key]work.Queue{}}
			d := deps(store, out, t0.Add(c.after))
			for range 2 { // the second sweep finds nothing more to tell
				if _, err := Run(t.Context(), d, 0); err != nil {
					t.Fatal(err)
				}
			}
			a, err := application.Get(t.Context(), store, "x")
			if err != nil || a.Deadline.Told != c.told {
				t.Errorf("%s, %s: told %d, %v; want %d", name, state, a.Deadline.Told, err, c.told)
			}
			if want := int64(1 + min(c.told, 1)); a.Version != want {
				t.Errorf("%s, %s: version %d, want %d", name, state, a.Version, want)
			}
			if state == application.Accepted && out.sent[application.Key("x")] != work.Verify {
				t.Errorf("%s: verification is owed and was not sent", name)
			}
			if !a.AcceptedAt.Equal(t0) {
				t.Error("the legal clock was reset")
			}
		}
	}
}

// A deadline that was set before the holidays were announced gets its date when
// they are, is told of by that date, and only then.
func TestAProvisionalDeadlineIsSettled(t *testing.T) {
	settled := time.Date(2026, 9, 24, 10, 0, 0, 0, calendar.Zone)
	unannounced := time.Date(2028, 3, 1, 10, 0, 0, 0, calendar.Zone)
	for name, c := range map[string]struct {
		from    time.Time
		guess   float64 // the provisional term, in terms of the right one
		told    int
		now     float64
		settled bool
		left    int // told afterwards
	}{
		"later_than_thought":             {settled, 0.6, 50, 0.49, true, 0},
		"later_and_half_is_gone_of_both": {settled, 0.6, 80, 0.6, true, 50},
		"earlier_than_thought":           {settled, 2, 0, 1, true, 100},
		"still_not_announced":            {unannounced, 1, 0, 0.5, false, 50},
	} {
		t.Run(name, func(t *testing.T) {
			store := embedded.Memory()
			d := deps(store, &outbox{sent: map[table.Key]work.Queue{}}, t0)
			rules, err := d.Book.Rules("320402005000", calendar.Today(c.from))
			if err != nil {
				t.Fatal(err)
			}
			due := rules.ExplanationDue(c.from)
			part := func(f float64) time.Time { return c.from.Add(time.Duration(f * float64(due.At.Sub(c.from)))) }
			before := part(c.guess)
			d.Now = func() time.Time { return part(c.now) }
			a := application.Application{ID: "x", Version: 1, State: application.Approved, Account: "acc", AcceptedAt: c.from, Township: "320402005000",
				Proposal: &application.Proposal{Rules: rules.Fingerprint()}, Award: &application.Award{ID: "01"},
				Deadline: application.Deadline{Kind: application.ToExplain, From: c.from, At: before, Provisional: true, Told: c.told}}
			writes, err := a.Writes(a.Event("approved", actor, c.from))
			if err == nil {
				err = store.Transact(t.Context(), writes...)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := Run(t.Context(), d, 0); err != nil {
					t.Fatal(err)
				}
			}
			got, err := application.Get(t.Context(), store, "x")
			want := application.Deadline{Kind: application.ToExplain, From: c.from.UTC(), At: before.UTC(), Provisional: true, Told: c.left}
			if c.settled {
				want.At, want.Provisional = due.At.UTC(), false
			}
			got.Deadline.From, got.Deadline.At = got.Deadline.From.UTC(), got.Deadline.At.UTC()
			if err != nil || got.Deadline != want || due.Provisional == c.settled {
				t.Errorf("got %+v, want %+v, %v", got.Deadline, want, err)
			}
			item, ok, err := store.Get(t.Context(), event.Key(application.Partition("x"), application.Noun, "x", 2))
			if err != nil || !ok {
				t.Fatalf("no event: %v", err)
			}
			e, err := event.Decode(item)
			if kind := map[bool]string{true: "rescheduled", false: "escalated"}[c.settled]; err != nil || e.Kind != kind {
				t.Errorf("event %s, want %s, %v", e.Kind, kind, err)
			}
			if c.settled && (e.Facts.Text("before") != before.In(calendar.Zone).Format(time.RFC3339) || e.Facts.Text("at") != due.At.Format(time.RFC3339)) {
				t.Errorf("the event does not tell both dates: %v", e.Facts)
			}
		})
	}
}

// racer moves the application between the sweeper's read and its write.
type racer struct {
	table.Store
	race func()
}

func (r *racer) Transact(ctx context.Context, writes ...table.Write) error {
	if r.race != nil {
		race := r.race
		r.race = nil
		race()
	}
	return r.Store.Transact(ctx, writes...)
}

func TestAPersonWinsOverTheClock(t *testing.T) {
	store := embedded.Memory()
	a := accepted(t, store, "x", application.Verified)
	r := &racer{Store: store, race: func() {
		n, err := a.Withdraw()
		if err != nil {
			t.Fatal(err)
		}
		writes, err := n.Writes(n.Event("withdrawn", event.Actor{Kind: event.Citizen, ID: "acc"}, t0))
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Transact(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}}
	rep, err := Run(t.Context(), deps(r, &outbox{sent: map[table.Key]work.Queue{}}, t0.Add(25*time.Hour)), 0)
	if err != nil || rep.Escalated != 0 || rep.Failed != 0 {
		t.Errorf("report %+v, %v", rep, err)
	}
	if got, _ := application.Get(t.Context(), store, "x"); got.State != application.Withdrawn || got.Version != 2 {
		t.Errorf("the withdrawal was overwritten: %+v", got)
	}
}

// broken cannot read one shard.
type broken struct{ table.Store }

func (b broken) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if q.PK == work.Shard(0) {
		return table.Page{}, errors.New("down")
	}
	return b.Store.Query(ctx, q)
}

func TestOneBadShardHidesNoOther(t *testing.T) {
	store := embedded.Memory()
	n := 0
	for i := range 40 {
		key := table.Key{PK: string(rune('A' + i)), SK: "X"}
		p := work.Due(key, t0, work.Pay)
		if err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Places: []table.Place{p}}}); err != nil {
			t.Fatal(err)
		}
		if p.PK != work.Shard(0) {
			n++
		}
	}
	out := &outbox{sent: map[table.Key]work.Queue{}}
	if _, err := Run(t.Context(), deps(broken{store}, out, t0), 0); err == nil || len(out.sent) != n || n == 40 {
		t.Errorf("sent %d of %d, %v", len(out.sent), n, err)
	}
	out.err = errors.New("full")
	if r, err := Run(t.Context(), deps(store, out, t0), 0); err != nil || r.Failed != 40 {
		t.Errorf("a full queue: %+v, %v", r, err)
	}
}

func TestWake(t *testing.T) {
	out := &outbox{sent: map[table.Key]work.Queue{}}
	if err := Wake(t.Context(), deps(embedded.Memory(), out, t0)); err != nil || len(out.sent) != 1 || !slices.Contains(slices.Collect(maps.Values(out.sent)), work.Oversee) {
		t.Errorf("sent %v, %v", out.sent, err)
	}
	out.err = errors.New("down")
	if err := Wake(t.Context(), deps(embedded.Memory(), out, t0)); err == nil {
		t.Error("nobody was told that nobody was woken")
	}
}
