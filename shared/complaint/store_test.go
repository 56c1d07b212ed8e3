package complaint

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// room is a store with keys.
type room struct {
	*wire
	box   *seal.Box
	blind *seal.Blind
	rules *Rules
}

// wire is a store of which answers can be lost, and that can be away.
type wire struct {
	table.Store
	lose, lost, away int // how many of the next transactions: done and unanswered, neither, of reads refused
}

func (w *wire) Transact(ctx context.Context, writes ...table.Write) error {
	if w.lost > 0 {
		w.lost--
		return table.ErrUnknown
	}
	err := w.Store.Transact(ctx, writes...)
	if err == nil && w.lose > 0 {
		w.lose--
		return table.ErrUnknown
	}
	return err
}

func (w *wire) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if w.away > 0 {
		w.away--
		if w.away == 0 {
			return table.Item{}, false, table.ErrBusy
		}
	}
	return w.Store.Get(ctx, key)
}

func open(t *testing.T) *room {
	t.Helper()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	return &room{&wire{Store: embedded.Memory()}, seal.NewBox(keys, rand.Reader), keys.Blind(), rules(t)}
}

var said = Particulars{Description: redact.New("救助金少了一半。"), TargetName: redact.New("某干部"),
	Identity: Identity{Name: redact.New("赵金丝雀"), Phone: redact.New("19900314159"), Case: "case-canary"}}

func (r *room) file(t *testing.T, key, digest string) (Answer, error) {
	t.Helper()
	c := filed(r.rules, Report)
	c.ID = ident.Derive("test", key)
	return File(t.Context(), r.wire, r.box, c, said, Asked(r.blind, key, digest, 201), Complainant(), map[string]string{"id": c.ID})
}

func TestFilingTwiceIsFilingOnce(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.lose = 1 // it was stored, and we were not told
	first, err := r.file(t, "k", "d")
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.file(t, "k", "d")
	if err != nil || !again.Replayed || !bytes.Equal(again.Body, first.Body) {
		t.Errorf("%+v %v", again, err)
	}
	if _, err := r.file(t, "k", "other"); !errors.Is(err, ErrReused) {
		t.Errorf("another body: %v", err)
	}
	r.lost = 1 // it was not stored, and we were not told either
	if _, err := r.file(t, "k2", "d"); !errors.Is(err, table.ErrUnknown) {
		t.Errorf("lost: %v", err)
	}
	if _, err := r.file(t, "k2", "d"); err != nil {
		t.Errorf("after the loss: %v", err)
	}
	id := ident.Derive("test", "k")
	page, err := r.Query(t.Context(), table.Query{PK: Partition(id)})
	if err != nil || len(page.Items) != 4 {
		t.Fatalf("%d items %v", len(page.Items), err)
	}
	for _, item := range page.Items {
		for _, word := range []string{"赵金丝雀", "19900314159", "case-canary", "救助金", "某干部"} {
			if strings.Contains(string(item.Body), word) {
				t.Errorf("%s has %s in the clear", item.Key.SK, word)
			}
		}
	}
	words, name, err := OpenWords(t.Context(), r.Store, r.box, id)
	if err != nil || words != said.Description || name != said.TargetName {
		t.Errorf("words %v", err)
	}
	who, err := OpenIdentity(t.Context(), r.Store, r.box, id)
	if err != nil || who != said.Identity {
		t.Errorf("identity %v", err)
	}
	// The two are sealed apart: one does not open as the other, and neither elsewhere.
	item, _, _ := r.Get(t.Context(), particularsKey(id))
	var s sealed
	if err := json.Unmarshal(item.Body, &s); err != nil {
		t.Fatal(err)
	}
	if _, err := r.box.Open(t.Context(), place(id, "words"), s.Identity); err == nil {
		t.Error("the identity opens as the words")
	}
	if _, err := OpenIdentity(t.Context(), r.Store, r.box, ident.Derive("test", "none")); err == nil {
		t.Error("particulars of nothing")
	}
	if _, _, err := OpenWords(t.Context(), r.Store, r.box, ident.Derive("test", "none")); err == nil {
		t.Error("words of nothing")
	}
}

func TestAnIdentityThatNobodyGave(t *testing.T) {
	t.Parallel()
	r := open(t)
	c := filed(r.rules, Report)
	c.ID = ident.Derive("test", "anonymous")
	p := Particulars{Description: said.Description}
	if _, err := File(t.Context(), r.Store, r.box, c, p, Request{}, Complainant(), nil); err != nil {
		t.Fatal(err)
	}
	if who, err := OpenIdentity(t.Context(), r.Store, r.box, c.ID); err != nil || !who.Nobody() {
		t.Errorf("%v %v", who, err)
	}
}

func (r *room) change(t *testing.T, id, key string, step func(Complaint) (Complaint, error)) (Answer, error) {
	t.Helper()
	return Change(t.Context(), r.wire, id, Asked(r.blind, key, "d", 201), func(c Complaint) (Step, error) {
		n, err := step(c)
		return Step{Next: n, Event: n.Event("changed", officer(1), start), Out: n.Version}, err
	})
}

func touch(c Complaint) (Complaint, error) { return c.Touch(), nil }

func TestChange(t *testing.T) {
	t.Parallel()
	r := open(t)
	if _, err := r.file(t, "k", "d"); err != nil {
		t.Fatal(err)
	}
	id := ident.Derive("test", "k")
	r.lose = 1
	first, err := r.change(t, id, "one", touch)
	if err != nil || string(first.Body) != "2" {
		t.Fatalf("%s %v", first.Body, err)
	}
	if again, err := r.change(t, id, "one", touch); err != nil || !again.Replayed || string(again.Body) != "2" {
		t.Errorf("%s %v", again.Body, err)
	}
	r.lost = 1 // not stored: it is tried again
	if second, err := r.change(t, id, "two", touch); err != nil || string(second.Body) != "3" {
		t.Errorf("%s %v", second.Body, err)
	}
	r.lost = 2 * tries
	if _, err := r.change(t, id, "three", touch); !errors.Is(err, table.ErrUnknown) {
		t.Errorf("%v", err)
	}
	r.lost = 0
	// Somebody is always quicker.
	if _, err := r.change(t, id, "four", func(c Complaint) (Complaint, error) {
		if err := Commit(t.Context(), r.Store, c.Touch(), c.Touch().Event("moved", officer(2), start)); err != nil {
			t.Fatal(err)
		}
		return c.Touch(), nil
	}); !errors.Is(err, ErrMovedOn) {
		t.Errorf("%v", err)
	}
	if err := Commit(t.Context(), r.Store, Complaint{ID: id, Version: 2, Path: []civil.DivisionCode{township}, Accepting: &Clock{}}, event.Event{PK: Partition(id), Noun: Noun, ID: id, Version: 2,
		Kind: "late", At: start, Actor: officer(1)}); !errors.Is(err, ErrMovedOn) {
		t.Errorf("a version that is there: %v", err)
	}
	for name, step := range map[string]func(Complaint) (Complaint, error){
		"version_skipped": func(c Complaint) (Complaint, error) { return c.Touch().Touch(), nil },
		"another":         func(c Complaint) (Complaint, error) { c = c.Touch(); c.ID = "x"; return c, nil },
		"refused":         func(c Complaint) (Complaint, error) { return c, ErrState },
	} {
		if _, err := r.change(t, id, name, step); err == nil {
			t.Errorf("%s: done", name)
		}
	}
	for _, id := range []string{"x", ident.Derive("test", "none")} {
		if _, err := r.change(t, id, "k", touch); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for n := 1; n <= 3; n++ {
		r.away = n
		if _, err := r.change(t, id, fmt.Sprint("away", n), func(c Complaint) (Complaint, error) {
			r.lost = 1
			return c.Touch(), nil
		}); n < 3 && !errors.Is(err, table.ErrBusy) {
			t.Errorf("away %d: %v", n, err)
		}
		r.away, r.lost = 0, 0
	}
	c, err := Get(t.Context(), r.Store, id)
	if err != nil {
		t.Fatal(err)
	}
	for len(c.Requests) < maxRequests {
		c.Requests[fmt.Sprint(len(c.Requests))] = 1
	}
	if err := Commit(t.Context(), r.Store, c.Touch(), c.Touch().Event("full", officer(1), start)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.change(t, id, "more", touch); !errors.Is(err, ErrMany) {
		t.Errorf("%v", err)
	}
	if _, err := Decode(table.Item{Body: []byte("{")}); err == nil {
		t.Error("half a body is a complaint")
	}
	if _, err := ReadEvent(t.Context(), r.Store, id, 9999); err == nil {
		t.Error("an event that is not there")
	}
}

// Where it stands: in the list of its level, most urgent first, in the unit's duty
// list while it is theirs, and under the clock that is owed next.
func TestPlaces(t *testing.T) {
	t.Parallel()
	r := rules(t)
	c := filed(r, Report)
	at := func(c Complaint) (head, duty string, due time.Time) {
		t.Helper()
		items, err := c.items()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range items[0].Places {
			if p.Index == table.ByWork {
				head = p.PK + " " + p.SK
			}
		}
		due, _, _ = work.Owed(items[0])
		for _, p := range items[1].Places {
			duty = p.PK
		}
		return head, duty, due
	}
	head, duty, due := at(c)
	if !strings.HasPrefix(head, List(township)+" 0#1#") || duty != "" || !due.Equal(share(start, c.Accepting.At, 50)) {
		t.Errorf("filed: %s %s %s", head, duty, due)
	}
	c, _ = c.Accept(Report, Urgent, Target{}, r, officer(1), start)
	c, err := c.Assign(county, nil, inside, r, officer(1), start)
	if err != nil {
		t.Fatal(err)
	}
	if head, duty, _ = at(c); !strings.HasPrefix(head, List(township)+" 0#0#") || duty != DutyList(county) {
		t.Errorf("assigned: %s %s", head, duty)
	}
	c, _, _ = c.Tell(c.Handling.At)
	if head, _, _ = at(c); !strings.HasPrefix(head, List(city)+" ") {
		t.Errorf("overdue: %s", head)
	}
	c, _ = c.Supervise("n", start.Add(time.Hour), officer(1), start)
	if _, _, due = at(c); !due.Equal(start.Add(time.Hour)) {
		t.Errorf("a note is owed at %s", due)
	}
	c, _ = c.Handle(Upheld, officer(0), start)
	c, _ = c.Examine(true, officer(1), start)
	c, err = c.Answer(r, officer(0), start)
	if err != nil {
		t.Fatal(err)
	}
	c, _ = c.Report("n", officer(0), start)
	if head, duty, due = at(c); !strings.HasPrefix(head, List(township)+" 1#") || duty != "" || !due.Equal(c.LookBack.Due) {
		t.Errorf("replied: %s %s %s", head, duty, due)
	}
	if !Is(Key("x")) || Is(dutyKey("x")) || c.Place() != village {
		t.Error("keys")
	}
	far := Complaint{Path: []civil.DivisionCode{"320000000000"}}
	if far.at(civil.TownshipLevel) != "320000000000" {
		t.Errorf("%s", far.at(civil.TownshipLevel))
	}
}

func TestTallies(t *testing.T) {
	t.Parallel()
	r := open(t)
	count := func(id string, names ...string) {
		t.Helper()
		c := filed(r.rules, Report)
		c.ID = id
		w, err := c.Tallied(t.Context(), r.wire, names...)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Transact(t.Context(), w, table.Put{Item: table.Item{Key: table.Key{PK: "x", SK: id + strings.Join(names, "")}, Version: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	r.lose = 1 // that the tally was made
	for i := range 9 {
		id := fmt.Sprint(i)
		count(id, CountFiled()...)
		count(id, CountReplied(i == 0)...)
		count(id, CountRated(Ratings()[i%4])...)
	}
	count("0", CountReopened()...)
	all, err := Tallies(t.Context(), r.Store, county, 2026)
	if err != nil {
		t.Fatal(err)
	}
	n := all["medical-aid"]
	if n.Filed != 9 || n.Replied != 9 || n.Late != 1 || n.Reopened != 1 || n.Ratings() != 9 || n.Rated[VerySatisfied] != 3 {
		t.Errorf("%+v", n)
	}
	r.away = 1
	if _, err := filed(r.rules, Report).Tallied(t.Context(), r.wire, countFiled); !errors.Is(err, table.ErrBusy) {
		t.Errorf("%v", err)
	}
}

// What is shown rests on five ratings, also what is left when everything shown is
// taken from the whole.
func TestPublish(t *testing.T) {
	t.Parallel()
	some := func(bad, good int64) Tally { return Tally{Rated: map[Rating]int64{Dissatisfied: bad, Satisfied: good}} }
	got := Publish(city, map[civil.DivisionCode]map[string]Tally{
		"320402000000": {"a": some(1, 9), "b": some(4, 0), "c": some(2, 0)},
		"320404000000": {"a": some(5, 5), "b": some(1, 1), "c": some(0, 2)},
		"320411000000": {"a": some(0, 2)},
	})
	var lines []string
	for _, p := range got {
		lines = append(lines, fmt.Sprintf("%s %s %d/%d", p.Module, p.Division, p.Tally.Rated[Dissatisfied], p.Tally.Ratings()))
		if p.Tally.Ratings() < K {
			t.Errorf("%s rests on %d", lines[len(lines)-1], p.Tally.Ratings())
		}
	}
	want := "b 320400000000 5/6; a 320404000000 5/10; a 320402000000 1/10"
	if strings.Join(lines, "; ") != want {
		t.Errorf("%s, want %s", strings.Join(lines, "; "), want)
	}
	tied := Publish(city, map[civil.DivisionCode]map[string]Tally{"320404000000": {"b": some(1, 4), "a": some(1, 4)}, "320402000000": {"b": some(1, 4)}})
	if tied[0].Module != "a" || tied[1].Division != "320402000000" {
		t.Errorf("%+v", tied)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	r := open(t)
	owner := Owners(r.blind, "account")[0]
	for n := range Quota {
		w, err := Counted(t.Context(), r.Store, owner, start)
		if err == nil {
			err = r.Transact(t.Context(), w)
		}
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if _, err := Counted(t.Context(), r.Store, owner, start); !errors.Is(err, ErrQuota) {
		t.Errorf("%v", err)
	}
	if _, err := Counted(t.Context(), r.Store, owner, start.AddDate(0, 0, 1)); err != nil {
		t.Errorf("tomorrow: %v", err)
	}
	r.away = 1
	if _, err := Counted(t.Context(), r.wire, owner, start); !errors.Is(err, table.ErrBusy) {
		t.Errorf("%v", err)
	}
}
