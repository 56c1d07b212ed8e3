package reading_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// who is one account of one person: "a/1" and "a/2" are two accounts of a.
func who(id string) event.Actor {
	return event.Actor{Kind: event.Staff, ID: id, Person: "b1." + id[:1]}
}

func events(t *testing.T, store table.Store, partition string) []event.Event {
	t.Helper()
	page, err := store.Query(t.Context(), table.Query{PK: partition}.Prefix(event.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	var all []event.Event
	for _, item := range page.Items {
		e, err := event.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func look(change ...func(*reading.Look)) reading.Look {
	l := reading.Look{By: who("a/1"), At: noon, Operation: "GET /v1/x", Case: "c1", Fields: []reading.Field{reading.Name, reading.Phone},
		Role: "clerk", Office: "天宁街道经办人员", Purpose: reading.Handle, Trace: "t1", Values: map[string]string{"id": "c1"}}
	for _, c := range change {
		c(&l)
	}
	return l
}

// Looks at the same things within ten minutes are one, and everything else is another.
func TestWhatIsAnotherLook(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*reading.Look)
		more   int
	}{
		"the_same_again":      {func(l *reading.Look) { l.At, l.Trace = l.At.Add(9*time.Minute), "t2" }, 0},
		"ten_minutes_later":   {func(l *reading.Look) { l.At = l.At.Add(reading.Together) }, 1},
		"somebody_else":       {func(l *reading.Look) { l.By = who("b/1") }, 1},
		"another_account":     {func(l *reading.Look) { l.By = who("a/2") }, 1},
		"more_is_shown":       {func(l *reading.Look) { l.Fields = append(l.Fields, reading.Story) }, 1},
		"another_purpose":     {func(l *reading.Look) { l.Purpose = reading.Audit }, 1},
		"by_another_way":      {func(l *reading.Look) { l.Operation = "GET /v1/y" }, 1},
		"about_another_thing": {func(l *reading.Look) { l.Values = map[string]string{"id": "c2"} }, 1},
		"another_case":        {func(l *reading.Look) { l.Case = "c2" }, 0},
		"whole":               {func(l *reading.Look) { l.Whole, l.Trace = true, "t2" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := embedded.Memory()
			for _, l := range []reading.Look{look(), look(tc.change)} {
				if err := reading.Record(t.Context(), store, l); err != nil {
					t.Fatal(err)
				}
			}
			if got := events(t, store, reading.Of("c1")); len(got) != 1+tc.more {
				t.Errorf("%d events: %+v", len(got), got)
			}
		})
	}
}

// Each look at whole particulars is an event of its own, and one that was
// written under the same name already is an error: it could not be told apart.
func TestLooksAtWholeParticularsAreNeverPutTogether(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	for n := range 3 {
		if err := reading.Record(t.Context(), store, look(func(l *reading.Look) { l.Whole, l.Trace, l.Reason = true, fmt.Sprint("t", n), "other" })); err != nil {
			t.Fatal(err)
		}
	}
	if got := events(t, store, reading.Of("c1")); len(got) != 3 {
		t.Errorf("%d events", len(got))
	}
	again := reading.Record(t.Context(), store, look(func(l *reading.Look) { l.Whole, l.Trace, l.Reason = true, "t0", "other" }))
	if !errors.Is(again, reading.ErrUnrecorded) {
		t.Errorf("got %v", again)
	}
}

type broken struct {
	table.Store
	err error
}

func (b broken) Transact(context.Context, ...table.Write) error { return b.err }

func (b broken) Query(context.Context, table.Query) (table.Page, error) { return table.Page{}, b.err }

func (b broken) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, b.err
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	for _, trouble := range []error{table.ErrBusy, table.ErrUnknown, context.DeadlineExceeded} {
		err := reading.Record(t.Context(), broken{embedded.Memory(), trouble}, look())
		if !errors.Is(err, reading.ErrUnrecorded) || !errors.Is(err, trouble) || fault.Of(err).Kind.Status() != 503 {
			t.Errorf("%v: %v", trouble, err)
		}
		if _, _, err := reading.List(t.Context(), broken{embedded.Memory(), trouble}, "c1", "", 5); !errors.Is(err, trouble) {
			t.Errorf("listed: %v", err)
		}
		if _, err := reading.Get(t.Context(), broken{embedded.Memory(), trouble}, "c1", "r"); !errors.Is(err, trouble) {
			t.Errorf("got: %v", err)
		}
	}
	if err := reading.Record(t.Context(), embedded.Memory(), reading.Look{Case: "c"}); err == nil {
		t.Error("a look of nobody was written")
	}
}

// Queries and refused reaches stand under who made them, by names and never by values.
func TestQueriesAndReachesStandUnderTheOfficer(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	queried := reading.Look{By: who("s/1"), At: noon, Operation: "GET /v1/list", Names: []string{"division", "name"}, Role: "supervisor",
		Purpose: reading.Supervise, Values: map[string]string{"division": "320402000000"}}
	refused := queried
	refused.Refused = "not-allowed"
	for _, l := range []reading.Look{queried, refused} {
		if err := reading.Record(t.Context(), store, l); err != nil {
			t.Fatal(err)
		}
	}
	got := events(t, store, reading.By("s/1"))
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	slices.SortFunc(got, func(a, b event.Event) int { return strings.Compare(a.Kind, b.Kind) })
	if d, q := got[0], got[1]; d.Kind != "denied" || d.Reason != "not-allowed" || q.Kind != "queried" || q.Noun != reading.Access ||
		q.Facts.Text("asked") != "division name" || q.Facts.Text("of_division") != "320402000000" || q.Facts.Text("operation") != "GET /v1/list" {
		t.Errorf("%+v", got)
	}
}

func TestListedByPages(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	const all = 23
	for n := range all {
		if err := reading.Record(t.Context(), store, look(func(l *reading.Look) { l.At = noon.Add(time.Duration(n) * time.Hour) })); err != nil {
			t.Fatal(err)
		}
	}
	var got []reading.Seen
	after := ""
	for pages := 0; ; pages++ {
		seen, next, err := reading.List(t.Context(), store, "c1", after, 5)
		if err != nil || pages > all {
			t.Fatal(pages, err)
		}
		got = append(got, seen...)
		if next == "" {
			break
		}
		after = next
	}
	if len(got) != all {
		t.Fatalf("%d of %d", len(got), all)
	}
	for i, s := range got {
		if !s.At.Equal(noon.Add(time.Duration(all-1-i) * time.Hour)) {
			t.Errorf("%d is of %s", i, s.At)
		}
	}
	if s := got[0]; s.Office != "天宁街道经办人员" || s.Purpose != reading.Handle || s.Whole || len(s.Fields) != 2 || s.Role != "clerk" {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"x", "2026", "../../etc", "2026-11-22T12:00:00.000Z!", "2026-11-22T12:00:00.000Z!zz", "2026!" + ident.Derive("x"), strings.Repeat("9", 500)} {
		if _, _, err := reading.List(t.Context(), store, "c1", bad, 5); !errors.Is(err, reading.ErrPage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: event.Key(reading.Of("c9"), reading.Noun, "x", 1), Version: 1, Body: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reading.List(t.Context(), store, "c9", "", 5); err == nil {
		t.Error("a damaged record was left out")
	}
}

func TestEverythingHasAName(t *testing.T) {
	t.Parallel()
	for _, f := range append(reading.Fields(), reading.Finding, reading.Notes) {
		if f.Label() == "" {
			t.Errorf("%s has no name", f)
		}
	}
	if reading.Label(reading.Name, false) == reading.Label(reading.Name, true) || reading.Label(reading.Story, false) != reading.Label(reading.Story, true) {
		t.Error("masked and whole read the same")
	}
	for _, role := range []string{"clerk", "reviewer", "approver", "finance", "supervisor", "auditor"} {
		if reading.PurposeOf(role).Label() == "" {
			t.Errorf("%s looks for nothing", role)
		}
	}
	for _, s := range []reading.State{reading.Asked, reading.Open, reading.Over, reading.Lapsed, reading.Reviewed} {
		if s.Label() == "" {
			t.Errorf("%s has no name", s)
		}
	}
}

func asked(t *testing.T) reading.Reveal {
	t.Helper()
	r, err := reading.Ask(reading.Reveal{ID: ident.Derive("r"), Application: "c1", Division: "320402005000", Fields: []reading.Field{reading.Phone}, Reason: "other"}, who("a/1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// X032: in every order of accounts and persons, nobody opens alone and nobody
// who took part judges.
func TestTwoOpenAndAThirdJudges(t *testing.T) {
	t.Parallel()
	people := []string{"a/1", "a/2", "b/1", "b/2", "c/1", "?"}
	actor := func(id string) event.Actor {
		if id == "?" {
			return event.Actor{Kind: event.Staff, ID: "?"}
		}
		return who(id)
	}
	if _, err := reading.Ask(reading.Reveal{}, actor("?"), noon); !errors.Is(err, reading.ErrAlone) {
		t.Errorf("somebody unknown asked: %v", err)
	}
	for _, second := range people {
		r := asked(t)
		if err := r.Admits(who("a/1"), noon); !errors.Is(err, reading.ErrAlone) {
			t.Fatalf("one person sees: %v", err)
		}
		open, err := r.Agree(actor(second), noon.Add(time.Minute), reading.Window)
		if ok := second[0] != 'a' && second != "?"; ok != (err == nil) {
			t.Fatalf("%s agreed: %v", second, err)
		}
		if err != nil {
			continue
		}
		for _, looks := range people {
			if err := open.Admits(actor(looks), noon.Add(2*time.Minute)); (looks == "a/1") != (err == nil) {
				t.Errorf("%s sees: %v", looks, err)
			}
		}
		for _, third := range people {
			_, err := open.Judge(reading.Justified, actor(third), noon.Add(time.Hour))
			if ok := third[0] != 'a' && third[0] != second[0] && third != "?"; ok != (err == nil) {
				t.Errorf("%s judged: %v", third, err)
			}
		}
	}
}

func TestTimesOfAReveal(t *testing.T) {
	t.Parallel()
	r := asked(t)
	if r.State(noon) != reading.Asked || r.State(noon.Add(reading.Wait-time.Nanosecond)) != reading.Asked || r.State(noon.Add(reading.Wait)) != reading.Lapsed {
		t.Error("waiting")
	}
	if _, err := r.Agree(who("b/1"), noon.Add(reading.Wait), reading.Window); !errors.Is(err, reading.ErrState) {
		t.Errorf("agreed too late: %v", err)
	}
	at := noon.Add(time.Hour)
	open, err := r.Agree(who("b/1"), at, 10*time.Minute)
	if err != nil || open.Version != 2 || open.State(at) != reading.Open {
		t.Fatal(open, err)
	}
	if _, err := open.Agree(who("c/1"), at, time.Hour); !errors.Is(err, reading.ErrState) {
		t.Errorf("agreed twice: %v", err)
	}
	end := at.Add(10 * time.Minute)
	if open.Admits(who("a/1"), end.Add(-time.Nanosecond)) != nil || !errors.Is(open.Admits(who("a/1"), end), reading.ErrClosed) || open.State(end) != reading.Over {
		t.Error("the window")
	}
	if _, err := r.Judge(reading.Justified, who("c/1"), noon); !errors.Is(err, reading.ErrState) {
		t.Errorf("judged before anything: %v", err)
	}
	shut, err := open.Judge(reading.Unjustified, who("c/1"), at.Add(time.Minute))
	if err != nil || !errors.Is(shut.Admits(who("a/1"), at.Add(time.Minute)), reading.ErrClosed) || shut.State(at.Add(time.Minute)) != reading.Reviewed {
		t.Errorf("an unjustified look goes on: %+v %v", shut, err)
	}
	if _, err := shut.Judge(reading.Justified, who("d/1"), at.Add(time.Hour)); !errors.Is(err, reading.ErrState) {
		t.Errorf("judged twice: %v", err)
	}
	if r.Due() != r.Until || open.Due() != at.Add(24*time.Hour) {
		t.Error("due")
	}
	if lapsed, err := r.Judge(reading.Justified, who("b/1"), noon.Add(reading.Wait)); err != nil || lapsed.State(noon.Add(reading.Wait)) != reading.Reviewed {
		t.Errorf("a lapsed one cannot be judged: %v", err)
	}
}

func TestOfTwoWhoAgreeAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	r := asked(t)
	if err := reading.Commit(t.Context(), store, r, r.Event("asked", r.Asked.By, noon)); err != nil {
		t.Fatal(err)
	}
	if err := reading.Commit(t.Context(), store, r, r.Event("asked", r.Asked.By, noon)); !errors.Is(err, reading.ErrMovedOn) {
		t.Errorf("asked twice: %v", err)
	}
	read, err := reading.Get(t.Context(), store, "c1", r.ID)
	if err != nil || read.State(noon) != reading.Asked {
		t.Fatal(read, err)
	}
	for i, id := range []string{"b/1", "c/1"} {
		open, err := read.Agree(who(id), noon, reading.Window)
		if err != nil {
			t.Fatal(err)
		}
		err = reading.Commit(t.Context(), store, open, open.Event("agreed", who(id), noon))
		if (i == 0) != (err == nil) || err != nil && !errors.Is(err, reading.ErrMovedOn) {
			t.Errorf("%s: %v", id, err)
		}
	}
	// It stands in the list until somebody has judged it.
	inList := func() int {
		page, err := store.Query(t.Context(), table.Query{Index: table.ByWork, PK: "WORK#320402005000"})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Items)
	}
	if inList() != 1 {
		t.Error("nobody is called")
	}
	read, err = reading.Get(t.Context(), store, "c1", r.ID)
	if err != nil {
		t.Fatal(err)
	}
	done, err := read.Judge(reading.Justified, who("d/1"), noon)
	if err == nil {
		err = reading.Commit(t.Context(), store, done, done.Event("reviewed", who("d/1"), noon))
	}
	if err != nil || inList() != 0 {
		t.Errorf("%v, %d in the list", err, inList())
	}
	var kinds []string
	for _, e := range events(t, store, "APP#c1") {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []string{"asked", "agreed", "reviewed"}) {
		t.Errorf("%v", kinds)
	}
}

func TestDamagedRevealsAreErrors(t *testing.T) {
	t.Parallel()
	store := embedded.Memory()
	if _, err := reading.Get(t.Context(), store, "c1", "none"); !errors.Is(err, reading.ErrNotFound) {
		t.Error(err)
	}
	for id, body := range map[string]string{"broken": "{", "other": `{"id":"other","version":7}`} {
		if err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: reading.Key("c1", id), Version: 1, Body: []byte(body)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := reading.Get(t.Context(), store, "c1", id); err == nil {
			t.Errorf("%s was read", id)
		}
	}
	r := asked(t)
	if err := reading.Commit(t.Context(), store, r, event.Event{}); err == nil {
		t.Error("a step without an event")
	}
	if err := reading.Commit(t.Context(), broken{store, table.ErrBusy}, r, r.Event("asked", r.Asked.By, noon)); !errors.Is(err, table.ErrBusy) {
		t.Errorf("got %v", err)
	}
}
