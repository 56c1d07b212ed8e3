package attack

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/invariant"
)

// form is an ordinary application of p's own.
func form(p world.Person, change ...func(map[string]any)) map[string]any {
	f := map[string]any{
		"track": "emergency", "place": p.Village, "cause": "fire", "relation": "self",
		"subject": who(p), "address": p.Place + "1号", "story": "昨夜家中失火，被褥和存粮都烧了。",
		"payee":    map[string]any{"account": p.Account},
		"consents": []any{agreed("subject")},
	}
	for _, c := range change {
		c(f)
	}
	return f
}

func who(p world.Person) map[string]any {
	return map[string]any{"name": p.Name, "paper": map[string]any{"kind": "id_card", "number": p.IDNumber}, "phone": p.Phone}
}

func agreed(role string) map[string]any {
	return map[string]any{"person": role, "document_sha256": application.Authorisation().SHA256, "agreed": true}
}

func with(field string, value any) func(map[string]any) {
	return func(f map[string]any) { f[field] = value }
}

func without(field string) func(map[string]any) { return func(f map[string]any) { delete(f, field) } }

// file is one application under attack.
type file struct {
	o   *office
	id  string
	who world.Person
	by  caller
}

// file files an application that must be accepted. When the test is over the
// store is held to the invariants.
func (o *office) file(t *testing.T, p world.Person, change ...func(map[string]any)) *file {
	t.Helper()
	return o.fileAs(t, o.citizen(t, p), p, change...)
}

func (o *office) fileAs(t *testing.T, by caller, p world.Person, change ...func(map[string]any)) *file {
	t.Helper()
	r := by.post(t, "/v1/applications", form(p, change...)).is(t, http.StatusCreated, "")
	var a struct{ ID string }
	r.read(t, &a)
	f := &file{o, a.ID, p, by}
	f.watch(t)
	return f
}

// watch holds the application to the invariants when the test is over.
func (f *file) watch(t *testing.T) {
	t.Cleanup(func() {
		ctx := context.Background()
		if err := f.o.view().Case(ctx, f.id); err != nil {
			t.Error(err)
		}
		traces := invariant.Traces(f.who.Name, f.who.IDNumber, f.who.Phone, f.who.Account)
		for _, item := range f.items(ctx, t) {
			if err := invariant.Shows(traces, item.Key.SK, append([]byte(item.Key.PK+item.Key.SK), item.Body...)); err != nil {
				t.Error(err)
			}
		}
	})
}

func (f *file) items(ctx context.Context, t *testing.T) []table.Item {
	t.Helper()
	var all []table.Item
	q := table.Query{PK: application.Partition(f.id)}
	for {
		page, err := f.o.Table.Query(ctx, q)
		if err != nil {
			t.Error(err)
			return nil
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		q.After = page.Next
	}
}

func (f *file) path(tail string) string      { return "/v1/applications/" + f.id + tail }
func (f *file) staffPath(tail string) string { return "/v1/staff/applications/" + f.id + tail }

// head is the application as it is stored.
func (f *file) head(t *testing.T) application.Application {
	t.Helper()
	a, err := application.Get(t.Context(), f.o.Table, f.id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// events are those of one noun and kind.
func (f *file) events(t *testing.T, noun, kind string) []event.Event {
	t.Helper()
	var all []event.Event
	for _, item := range f.items(t.Context(), t) {
		if !event.Is(item.Key) {
			continue
		}
		e, err := event.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		if e.Noun == noun && e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

// holds are the codes of open holds.
func (f *file) holds(t *testing.T) []string {
	t.Helper()
	codes := []string{}
	for _, h := range f.head(t).Holds {
		if h.Lifted == nil {
			codes = append(codes, h.Code)
		}
	}
	return codes
}

// verified waits for what the registers say.
func (f *file) verified(t *testing.T) *file {
	t.Helper()
	until(t, "the registers have been asked", func() bool { return f.head(t).State != application.Accepted })
	return f
}

// proposal is what one officer proposes and another must restate.
type proposal struct {
	ProposalVersion int64 `json:"proposal_version"`
	AmountFen       int64 `json:"amount_fen"`
}

// propose proposes what the rules drafted.
func (f *file) propose(t *testing.T) proposal {
	t.Helper()
	f.verified(t)
	return f.proposeAs(t, f.o.staff(t, "clerk-1"), map[string]any{})
}

func (f *file) proposeAs(t *testing.T, c caller, body map[string]any) proposal {
	t.Helper()
	var p proposal
	c.post(t, f.staffPath("/proposals"), body).is(t, http.StatusCreated, "").read(t, &p)
	return p
}

// approve approves it by another officer.
func (f *file) approve(t *testing.T) *file {
	t.Helper()
	f.propose(t)
	f.decide(t, f.o.staff(t, "approver-1")).is(t, http.StatusCreated, "")
	return f
}

// decide has c approve what stands, as one who reads the case again when it has
// moved: a register that answers late is put on record and moves it.
func (f *file) decide(t *testing.T, c caller) reply {
	t.Helper()
	for {
		a := f.head(t)
		p := proposal{a.Version, 1}
		if a.Proposal != nil {
			p.AmountFen = int64(a.Proposal.AmountFen)
		}
		r := c.post(t, f.staffPath("/approvals"), p)
		if r.problem().Code != "proposal-moved" && r.problem().Code != "application-moved" {
			return r
		}
	}
}

func (f *file) payout(t *testing.T) payout.Payout {
	t.Helper()
	p, err := payout.Get(t.Context(), f.o.Table, payout.Key(f.id, "01"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// becomes waits until the payout is in one of states.
func (f *file) becomes(t *testing.T, states ...payout.State) *file {
	t.Helper()
	var last payout.State
	until(t, "the payout becomes "+string(states[0]), func() bool {
		last = f.payout(t).State
		return slices.Contains(states, last)
	})
	return f
}

// paid waits for the money, and makes sure that the bank paid once.
func (f *file) paid(t *testing.T) *file {
	t.Helper()
	f.becomes(t, payout.Paid)
	if n := f.times(t); n != 1 {
		t.Errorf("the bank's book shows the money %d times", n)
	}
	return f
}

// times is how many transfers the bank paid to this person.
func (f *file) times(t *testing.T) int {
	t.Helper()
	n := 0
	for _, l := range f.book(t) {
		if l.Status == "paid" {
			n++
		}
	}
	return n
}

func (f *file) book(t *testing.T) []invariant.Transfer {
	t.Helper()
	book, err := f.o.transfers(t.Context(), "account="+f.who.Account)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// unmoved runs act and makes sure that it changed nothing about the application:
// whatever happened meanwhile the machine did by itself.
func (f *file) unmoved(t *testing.T, act func()) {
	t.Helper()
	before := f.head(t)
	act()
	for v := before.Version + 1; v <= f.head(t).Version; v++ {
		item, _, err := f.o.Table.Get(t.Context(), event.Key(application.Partition(f.id), application.Noun, f.id, v))
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(item)
		if err != nil || e.Actor.Kind != event.System {
			t.Errorf("the application moved to version %d: %s by %s, %v", v, e.Kind, e.Actor.ID, err)
		}
	}
}

// settled makes sure that the application stays as it is when nothing more is
// owed: no place in the due index is in the past.
func (f *file) settled(t *testing.T) *file {
	t.Helper()
	until(t, "nothing more is owed", func() bool {
		for _, item := range f.items(t.Context(), t) {
			for _, p := range item.Places {
				if p.Index == table.ByDue && p.SK < f.o.clock.Now().UTC().Add(time.Second).Format("2006-01-02T15:04:05.000Z") {
					return false
				}
			}
		}
		return true
	})
	return f
}
