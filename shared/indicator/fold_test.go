package indicator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// life plants one case with everything in it, by what chance gives.
func (d *desk) life(pick func(n int) int, at time.Time, place civil.DivisionCode) {
	f := d.file(at)
	f.place = place
	f.accept(nil)
	clerk, boss := []string{"clerk-1", "clerk-2"}[pick(2)], []string{"approver-1", "county-1"}[pick(2)]
	f.after(time.Duration(pick(40))*time.Minute).put("verified", event.Actor{Kind: event.System, ID: "verify"}, "", event.Facts{"placed": []string{"", "DEATH_RECORD"}[pick(2)]})
	switch pick(6) {
	case 0:
		f.after(time.Hour).put("withdrawn", event.Actor{Kind: event.Citizen, ID: "account"}, "", nil)
		return
	case 1:
		f.after(time.Hour).put("refused", staffer(boss), "NOT_EMERGENCY", nil)
		if pick(2) == 0 {
			f.after(time.Hour).put("reopened", staffer("county-2"), "", event.Facts{"result": "reopened", "decide_due": f.at.Add(26 * time.Hour).Format(time.RFC3339)})
		}
		return
	}
	f.after(time.Duration(pick(3000))*time.Minute).put("hold_lifted", staffer(boss), "", event.Facts{"hold": "x", "code": "DEATH_RECORD"})
	f.propose(clerk, 480000).after(time.Duration(pick(3000))*time.Minute).approve(boss, 480000)
	f.after(time.Minute).pay("instructed", payout.Instructing)
	if pick(3) == 0 {
		f.after(time.Minute).pay("unknown", payout.Unknown)
	}
	if pick(9) == 0 {
		return
	}
	f.after(time.Minute).pay("submitted", payout.Submitted).after(time.Duration(pick(200))*time.Minute).pay("paid", payout.Paid)
	f.after(time.Minute).said([]string{"received", "not_received"}[pick(2)])
	if pick(2) == 0 {
		f.after(time.Duration(pick(9)*24)*time.Hour).put("explained", staffer(clerk), "", event.Facts{"findings": "ok"})
	}
}

func (d *desk) lives(n int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	places := []civil.DivisionCode{township, sibling, elsewhere}
	for range n {
		d.life(r.IntN, monday.Add(time.Duration(r.IntN(6*24*60))*time.Minute), places[r.IntN(len(places))])
	}
}

// dump is every figure that can be asked for, for comparison.
func (d *desk) dump() string {
	d.Helper()
	var all []any
	for _, q := range []Question{{Division: county, By: ByDivision}, {Division: township, By: ByDay}, {Division: city, By: ByOfficer}} {
		r := d.report(q)
		all = append(all, r.Figures, r.Rows)
	}
	for _, i := range All() {
		all = append(all, d.found(Search{Question: Question{Division: city}, Indicator: i.ID}))
		if CanBeOpen(i.ID) {
			all = append(all, d.found(Search{Question: Question{Division: city}, Indicator: i.ID, Open: true}))
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		d.Fatal(err)
	}
	return string(text)
}

// again is a desk with the same log, and nothing folded.
func (d *desk) again() *desk {
	n := plant(d.T)
	n.log, n.now = d.log, d.now
	return n
}

func TestIncrementalIsRebuild(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		grown, store := recording()
		defer func() { _ = store.Close() }()
		d := &desk{T: t, store: grown, now: monday.AddDate(0, 0, 9)}
		for range rapid.IntRange(1, 3).Draw(r, "cases") {
			d.life(func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "n") }, monday.Add(time.Duration(rapid.IntRange(0, 6000).Draw(r, "minute"))*time.Minute),
				rapid.SampledFrom([]civil.DivisionCode{township, sibling, elsewhere}).Draw(r, "place"))
		}
		whole := d.log
		whole.entries = shuffled(r, whole.entries)
		for i := range whole.entries {
			whole.entries[i].Index = uint64(i)
		}
		// Grown piece by piece, each time by a fold that remembers nothing.
		for n := 0; n < len(whole.entries); {
			n = min(len(whole.entries), n+rapid.IntRange(4, 60).Draw(r, "step"))
			d.log.entries = whole.entries[:n]
			d.fold()
		}
		rebuilt, other := recording()
		defer func() { _ = other.Close() }()
		// Anew in one go, in transactions of any size.
		whole.entries = slices.Clone(whole.entries)
		anew := &Folder{Table: rebuilt, Log: &whole, Tree: division.Shipped(), Writes: rapid.SampledFrom([]int{0, 200, 20_000}).Draw(r, "writes")}
		if _, err := anew.Fold(t.Context()); err != nil {
			r.Fatal(err)
		}
		if !maps.Equal(grown.last, rebuilt.last) {
			r.Fatalf("grown\n%v\nrebuilt\n%v", grown.last, rebuilt.last)
		}
	})
}

// TestWideTransactions holds that a fold with wide transactions makes, item by
// item, what one makes that fits into every store; and that it does use them.
func TestWideTransactions(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.lives(60, 5)
	var made []map[table.Key]string
	for _, writes := range []int{0, 5_000} {
		store, under := recording()
		defer func() { _ = under.Close() }()
		f := &Folder{Table: store, Log: &d.log, Tree: division.Shipped(), Writes: writes}
		if n, err := f.Fold(t.Context()); err != nil || n != len(d.entries) {
			t.Fatal(n, err)
		}
		if fits := store.widest <= table.MaxWrites; fits != (writes == 0) {
			t.Errorf("with %d writes the widest transaction has %d", writes, store.widest)
		}
		made = append(made, store.last)
	}
	if len(made[0]) < 300 || !maps.Equal(made[0], made[1]) {
		t.Errorf("%d and %d items differ", len(made[0]), len(made[1]))
	}
}

// TestWhatWaitsKeepsItsAmount holds an approval back until its proposal is there,
// across folds that remember nothing of each other.
func TestWhatWaitsKeepsItsAmount(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.file(d.now).accept(nil).after(time.Hour).propose("clerk-1", 480000).after(time.Hour).approve("approver-1", 480000)
	entries := d.entries
	entries[1].Event, entries[2].Event = entries[2].Event, entries[1].Event
	for n := range entries {
		d.entries = entries[:n+1]
		d.fold()
	}
	if c := d.found(Search{Indicator: Decided}); len(c) != 1 || c[0].AmountFen != 480000 {
		t.Errorf("decided %+v", c)
	}
	if f := d.figure(NearCeiling); f.Count != 1 {
		t.Errorf("near the ceiling %+v", f)
	}
}

// recorder remembers the last body and places of every item.
type recorder struct {
	table.Store
	last   map[table.Key]string
	widest int // transaction
}

func recording() (*recorder, *embedded.Store) {
	store := embedded.Memory()
	return &recorder{Store: store, last: map[table.Key]string{}}, store
}

// Transact takes a transaction of any size, in parts.
func (m *recorder) Transact(ctx context.Context, writes ...table.Write) error {
	m.widest = max(m.widest, len(writes))
	for part := range slices.Chunk(writes, table.MaxWrites) {
		if err := m.Store.Transact(ctx, part...); err != nil {
			return err
		}
	}
	for _, w := range writes {
		var item table.Item
		switch w := w.(type) {
		case table.Put:
			item = w.Item
		case table.Replace:
			item = w.Item
		}
		m.last[item.Key] = fmt.Sprint(string(item.Body), item.Places)
	}
	return nil
}

// shuffled moves entries a little, as a log does that is not in the order of time.
func shuffled[E any](r *rapid.T, list []E) []E {
	list = slices.Clone(list)
	for i := range list {
		j := min(len(list)-1, i+rapid.IntRange(0, 4).Draw(r, "later"))
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// TestOrderDoesNotMatter folds the same events in the order in which they
// happened and in another that a log may have.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	a := plant(t)
	a.now = monday.AddDate(0, 0, 9)
	for n := range 12 {
		f := a.file(monday.Add(time.Duration(n)*7*time.Hour)).accept(nil).after(time.Hour).propose("clerk-1", 100000).after(time.Hour).approve("approver-1", 100000)
		f.after(time.Minute).pay("instructed", payout.Instructing).after(time.Minute).pay("unknown", payout.Unknown).after(time.Hour).pay("paid", payout.Paid).said("received")
	}
	b := a.again()
	b.entries = slices.Clone(a.entries)
	const one = 8 // events of one case
	for n := 0; n < len(b.entries); n += one {
		slices.Reverse(b.entries[n : n+one])
	}
	for i := range b.entries {
		b.entries[i].Index = uint64(i)
	}
	a.fold()
	b.fold()
	ra, rb := a.report(Question{By: ByDivision}), b.report(Question{By: ByDivision})
	textA, errA := json.Marshal(append(ra.Rows, Row{"", ra.Figures}))
	textB, errB := json.Marshal(append(rb.Rows, Row{"", rb.Figures}))
	if err := errors.Join(errA, errB); err != nil || string(textA) != string(textB) {
		t.Errorf("in order\n%s\nreversed\n%s %v", textA, textB, err)
	}
	if f := pick(ra.Figures, Paid); f.Count != 12 || f.Within24h != 12 {
		t.Errorf("paid %+v", f)
	}
}

// TestEventTwice holds that an event that the log had twice counts once.
func TestEventTwice(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.file(d.now).accept(nil).after(time.Hour).put("refused", staffer("approver-1"), "DECEASED", nil)
	for range mostWaiting { // more than may wait for an event before them
		d.put(d.entries[0].Event, d.entries[1].Event)
	}
	d.fold()
	if f := d.figure(Refusals); f.Count != 1 || len(d.found(Search{Indicator: Refusals})) != 1 {
		t.Errorf("%+v", f)
	}
}

// TestTwoFolders lets several fold at once: all is folded exactly once.
func TestTwoFolders(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 9)
	d.lives(20, 1)
	var group sync.WaitGroup
	sums := make([]int, 4)
	for i := range sums {
		group.Go(func() {
			n, err := d.folder().Fold(t.Context())
			if err != nil {
				t.Error(err)
			}
			sums[i] = n
		})
	}
	group.Wait()
	total := 0
	for _, n := range sums {
		total += n
	}
	if total != len(d.entries) {
		t.Errorf("folded %d of %d", total, len(d.entries))
	}
	alone := d.again()
	alone.fold()
	if d.dump() != alone.dump() {
		t.Error("four folders made other figures than one")
	}
}

// lossy loses the answer of every nth write, or the write.
type lossy struct {
	table.Store
	n, every int
	after    bool
}

var errLost = errors.New("the network is down")

func (l *lossy) Transact(ctx context.Context, writes ...table.Write) error {
	l.n++
	if l.n%l.every != 0 {
		return l.Store.Transact(ctx, writes...)
	}
	if !l.after {
		return errLost
	}
	if err := l.Store.Transact(ctx, writes...); err != nil {
		return err
	}
	return table.ErrUnknown
}

// TestCrashes loses writes, and answers of writes that were done.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"write_lost": false, "answer_lost_but_written": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := plant(t)
			d.now = monday.AddDate(0, 0, 9)
			d.lives(10, 2)
			broken := &Folder{Table: &lossy{d.store, 0, 3, after}, Log: &d.log, Tree: division.Shipped()}
			for range 1000 {
				if _, err := broken.Fold(t.Context()); err != nil && !errors.Is(err, errLost) {
					t.Fatal(err)
				}
				if at, err := readPosition(t.Context(), d.store); err != nil || at.Next == uint64(len(d.entries)) && at.Rest == nil {
					break
				}
			}
			whole := d.again()
			whole.fold()
			if d.dump() != whole.dump() {
				t.Error("figures differ from those without crashes")
			}
		})
	}
}

// TestSums holds a city to the sum of its districts, and those to that of their
// townships, bit for bit in the sketches too.
func TestSums(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 9)
	d.lives(40, 3)
	d.fold()
	tree := division.Shipped()
	whole := func(code civil.DivisionCode) *cell {
		return d.report(Question{Division: code}).whole
	}
	var check func(code civil.DivisionCode) *cell
	check = func(code civil.DivisionCode) *cell {
		own := whole(code)
		if code.Level() == civil.TownshipLevel {
			return own
		}
		sum := newCell()
		for _, child := range tree.Children(code, civil.Date(2026, 11, 30)) {
			if err := sum.merge(check(child.Code)); err != nil {
				t.Fatal(err)
			}
		}
		a, err1 := own.encode()
		b, err2 := sum.encode()
		if err := errors.Join(err1, err2); err != nil || string(a) != string(b) {
			t.Errorf("%s is not the sum of what is in it:\n%s\n%s %v", code, a, b, err)
		}
		return own
	}
	if top := check(city); top.Counts[cAccepted] != 40 {
		t.Errorf("city has %d", top.Counts[cAccepted])
	}
	r := d.report(Question{By: ByDivision})
	sum := int64(0)
	for _, row := range r.Rows {
		sum += pick(row.Figures, Holds).Count
	}
	if n := pick(r.Figures, Holds).Count; n == 0 || n != sum {
		t.Errorf("the city has %d holds, its districts %d", n, sum)
	}
}

// TestLongWait drains a matter whose events all waited for the first.
func TestLongWait(t *testing.T) {
	t.Parallel()
	d := plant(t)
	f := d.file(d.now)
	f.accept(nil).after(time.Hour).propose("clerk-1", 100000)
	for range 15 {
		f.after(time.Hour).put("held", staffer("clerk-2"), "OTHER", event.Facts{"hold": f.at.String(), "code": []string{"A", "B", "C", "D", "E"}[f.at.Hour()%5]})
	}
	first := d.entries[0].Event
	d.entries = d.entries[1:]
	d.put(first)
	for i := range d.entries {
		d.entries[i].Index = uint64(i)
	}
	d.fold()
	if f := d.figure(Holds); f.part("PLACED") != 15 || f.Count != 15 {
		t.Errorf("%+v", f)
	}
	if at, err := readPosition(t.Context(), d.store); err != nil || at.Rest != nil {
		t.Errorf("%+v %v", at, err)
	}
}

// TestGapInVersions folds what came though an event before it never did.
func TestGapInVersions(t *testing.T) {
	t.Parallel()
	d := plant(t)
	f := d.file(d.now).accept(nil)
	f.versions["application"+f.id]++ // one version without an event
	for range mostWaiting + 1 {
		f.after(time.Hour).put("escalated", event.Actor{Kind: event.System, ID: "sweep"}, "", nil)
	}
	f.after(time.Hour).put("refused", staffer("approver-1"), "DECEASED", nil)
	d.fold()
	if f := d.figure(Refusals); f.Count != 1 {
		t.Errorf("%+v", f)
	}
}

func TestWrongIndex(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.file(d.now).accept(nil)
	d.entries[0].Index = 5
	if _, err := d.folder().Fold(t.Context()); err == nil {
		t.Error("a gap in the log was folded over")
	}
}

// TestBounds holds transactions and items to what the store takes: thousands of
// cases of one township in one go.
func TestBounds(t *testing.T) {
	t.Parallel()
	d := plant(t)
	d.now = monday.AddDate(0, 0, 9)
	d.lives(40, 4)
	widest := &measuring{Store: d.store}
	if _, err := (&Folder{Table: widest, Log: &d.log, Tree: division.Shipped()}).Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if widest.writes > table.MaxWrites || widest.body > 64<<10 {
		t.Errorf("a transaction of %d writes, an item of %d bytes", widest.writes, widest.body)
	}
}

type measuring struct {
	table.Store
	writes, body int
}

func (m *measuring) Transact(ctx context.Context, writes ...table.Write) error {
	m.writes = max(m.writes, len(writes))
	for _, w := range writes {
		switch w := w.(type) {
		case table.Put:
			m.body = max(m.body, len(w.Item.Body))
		case table.Replace:
			m.body = max(m.body, len(w.Item.Body))
		}
	}
	return m.Store.Transact(ctx, writes...)
}
