package disclosure_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

const county civil.DivisionCode = "320402000000"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, calendar.Zone)

func name(code civil.DivisionCode) string { return "地" + string(code[6:]) }

// fact is the nth fact of a person in a village of a township, 0 for none known.
func fact(n, person, township, village int) disclosure.Fact {
	t := civil.DivisionCode(fmt.Sprintf("320402%03d000", township))
	v := civil.DivisionCode(fmt.Sprintf("320402%03d%03d", township, village))
	return disclosure.Fact{Key: fmt.Sprintf("k%05d", n), Person: fmt.Sprint("p", person), Village: v, Township: t, County: county, AmountFen: money.Fen(1000 + n)}
}

func people(facts []disclosure.Fact) int {
	seen := map[string]bool{}
	for _, f := range facts {
		seen[f.Person] = true
	}
	return len(seen)
}

// P05, X118: whatever villages there are and in whatever editions people are told
// of, no cell tells of fewer than k, and neither does the difference of any two
// editions, at any place and with all below it.
func TestNoCellAndNoDifferenceOfEditionsTellsOfFew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(5, 8).Draw(t, "k")
		var held []disclosure.Fact
		told := map[string]string{}                    // fact to place
		cumulative := []map[string]disclosure.Fact{{}} // what was told after each edition
		n := 0
		for range rapid.IntRange(1, 5).Draw(t, "editions") {
			for range rapid.IntRange(0, 30).Draw(t, "facts") {
				n++
				held = append(held, fact(n, rapid.IntRange(1, 25).Draw(t, "person"), rapid.IntRange(1, 3).Draw(t, "township"), rapid.IntRange(0, 3).Draw(t, "village")))
			}
			before := len(held)
			cells, rest := disclosure.Coarsen(held, k)
			next := maps.Clone(cumulative[len(cumulative)-1])
			count := 0
			for _, c := range cells {
				if c.Persons() < k || c.Persons() != people(c.Facts) {
					t.Fatalf("%s tells of %d", c.Place, c.Persons())
				}
				for _, f := range c.Facts {
					count++
					if _, twice := told[f.Key]; twice {
						t.Fatalf("%s is told twice", f.Key)
					}
					if c.Place != f.Village && c.Place != f.Township && c.Place != f.County {
						t.Fatalf("%s of %s is told in %s", f.Key, f.Village, c.Place)
					}
					told[f.Key], next[f.Key] = string(c.Place), f
				}
			}
			if count+len(rest) != before {
				t.Fatalf("%d of %d facts are left", count+len(rest), before)
			}
			if len(rest) > 0 && people(rest) >= k {
				t.Fatalf("%d people are held back", people(rest))
			}
			cumulative, held = append(cumulative, next), rest
		}
		for i, old := range cumulative {
			for _, young := range cumulative[i+1:] {
				where := map[string][]disclosure.Fact{} // the difference, by every place as it is told
				for key, f := range young {
					if _, was := old[key]; was {
						continue
					}
					place := told[key]
					where[place] = append(where[place], f)
					if place == string(f.Village) && f.Village != f.Township {
						where["below "+string(f.Township)] = append(where["below "+string(f.Township)], f)
					}
					where["all"] = append(where["all"], f)
				}
				for place, facts := range where {
					if people(facts) < k {
						t.Fatalf("between two editions %s differs by %d people", place, people(facts))
					}
				}
			}
		}
	})
}

func TestSmallVillagesAreCoarsened(t *testing.T) {
	t.Parallel()
	many := func(from, count, township, village int) (all []disclosure.Fact) {
		for i := range count {
			all = append(all, fact(from+i, from+i, township, village))
		}
		return all
	}
	for name, tc := range map[string]struct {
		facts []disclosure.Fact
		want  string
		held  int
	}{
		"nobody":                       {nil, "", 0},
		"X118_a_village_of_two":        {many(1, 2, 1, 1), "", 2},
		"one_person_five_times":        {[]disclosure.Fact{fact(1, 1, 1, 1), fact(2, 1, 1, 1), fact(3, 1, 1, 1), fact(4, 1, 1, 1), fact(5, 1, 1, 1)}, "", 5},
		"a_village_of_five":            {many(1, 5, 1, 1), "320402001001:5", 0},
		"two_villages_make_a_township": {slices.Concat(many(1, 3, 1, 1), many(11, 2, 1, 2)), "320402001000:5", 0},
		"a_small_one_beside_a_big_one": {slices.Concat(many(1, 7, 1, 1), many(11, 2, 1, 2)), "320402001000:9", 0},
		"the_smallest_is_taken_along":  {slices.Concat(many(1, 9, 1, 1), many(21, 6, 1, 2), many(31, 1, 1, 3)), "320402001000:7 320402001001:9", 0},
		"of_two_as_small_the_first":    {slices.Concat(many(1, 6, 1, 1), many(21, 6, 1, 2), many(31, 1, 1, 3)), "320402001000:7 320402001002:6", 0},
		"enough_are_left_over":         {slices.Concat(many(1, 9, 1, 1), many(21, 3, 1, 2), many(31, 2, 1, 3)), "320402001000:5 320402001001:9", 0},
		"two_townships_make_a_county":  {slices.Concat(many(1, 3, 1, 1), many(11, 3, 2, 1)), "320402000000:6", 0},
		"village_unknown":              {many(1, 5, 1, 0), "320402001000:5", 0},
		"a_small_township_takes_along": {slices.Concat(many(1, 6, 1, 1), many(11, 1, 2, 1)), "320402000000:7", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cells, held := disclosure.Coarsen(tc.facts, 5)
			var got []string
			for _, c := range cells {
				got = append(got, fmt.Sprintf("%s:%d", c.Place, c.Persons()))
			}
			if strings.Join(got, " ") != tc.want || len(held) != tc.held {
				t.Errorf("%v, %d held", got, len(held))
			}
		})
	}
}

// P05: a document has these fields and no others, at any depth. Whoever adds one
// must say here that everybody may know it.
func TestWhatMayBePublic(t *testing.T) {
	t.Parallel()
	allowed := strings.Fields(`id number kind title county county_name year made_on until authority basis objection least_cell
		places place place_name persons amount_fen lines taken_down line name programme decided_on decided_by
		paid returned funds total appropriated_fen awarded_fen paid_fen returned_fen balance_fen awarded`)
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, at string) {
		switch typ.Kind() {
		case reflect.Slice:
			walk(typ.Elem(), at)
		case reflect.Struct:
			for i := range typ.NumField() {
				tag, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
				if !slices.Contains(allowed, tag) {
					t.Errorf("%s.%s (%q) is public and not allowed", at, typ.Field(i).Name, tag)
				}
				walk(typ.Field(i).Type, at+"."+tag)
			}
		case reflect.String, reflect.Int, reflect.Int64, reflect.Bool:
		default:
			t.Errorf("%s is a %s: nobody knows what is in it", at, typ)
		}
	}
	walk(reflect.TypeFor[disclosure.Document](), "document")
	for _, row := range []reflect.Type{reflect.TypeFor[disclosure.AmountRow](), reflect.TypeFor[disclosure.CellRow]()} {
		for i := range row.NumField() {
			if tag := row.Field(i).Tag.Get("json"); !slices.Contains(append(allowed, "edition", "township"), tag) {
				t.Errorf("open data tells %s", tag)
			}
		}
	}
}

func person(t *testing.T, name, number string) application.Person {
	t.Helper()
	n, err := civil.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return application.Person{Name: n, Paper: civil.StoredPaper(civil.IDCard, number)}
}

func TestHowPeopleAreNamed(t *testing.T) {
	t.Parallel()
	const grown, child = "320402197201109004", "320402201506010013"
	on := civil.Date(2026, 11, 22)
	parent := application.Member{Person: person(t, "王大明", grown), Kinship: application.Parent}
	for name, tc := range map[string]struct {
		p    application.Particulars
		want string
	}{
		"two_characters":         {application.Particulars{Subject: person(t, "张三", grown)}, "张*"},
		"three_characters":       {application.Particulars{Subject: person(t, "张小明", grown)}, "张*明"},
		"four_characters":        {application.Particulars{Subject: person(t, "欧阳小明", grown)}, "欧**明"},
		"latin":                  {application.Particulars{Subject: person(t, "Anna Smith", grown)}, "A***"},
		"a_minor":                {application.Particulars{Subject: person(t, "王小", child), Members: []application.Member{parent}}, "王*明之子女"},
		"a_minor_by_the_account": {application.Particulars{Subject: person(t, "王小", child), Members: []application.Member{{Person: person(t, "李奶奶", grown), Kinship: application.Grandparent}}, Holder: "members/0"}, "李*奶之子女"},
		"a_minor_alone":          {application.Particulars{Subject: person(t, "王小", child)}, disclosure.NoName},
		"a_minor_with_a_minor":   {application.Particulars{Subject: person(t, "王小", child), Members: []application.Member{{Person: person(t, "王大", child), Kinship: application.Parent}}}, disclosure.NoName},
		"nobody_knows_the_age":   {application.Particulars{Subject: application.Person{Name: person(t, "张三", grown).Name, Paper: civil.StoredPaper(civil.NoPaper, "")}}, disclosure.NoName},
	} {
		if got := disclosure.Name(tc.p, on); got != tc.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func heading(change ...func(*disclosure.Heading)) disclosure.Heading {
	h := disclosure.Heading{Kind: disclosure.Decisions, Title: "社会救助决定公布", County: county, Year: 2026, At: noon, Days: 30, LeastCell: 5, Place: name}
	for _, c := range change {
		c(&h)
	}
	return h
}

// ledger has count decisions in a village, from the nth on, paid where paid.
func ledger(from, count, township, village int) disclosure.Ledger {
	l := disclosure.Ledger{Appropriated: map[civil.DivisionCode]money.Fen{civil.DivisionCode(fmt.Sprintf("320402%03d000", township)): 1_000_000}}
	for i := range count {
		f := fact(from+i, from+i, township, village)
		l.Decisions = append(l.Decisions, disclosure.Decision{Fact: f, Application: ident.Derive(f.Key), Name: "张*明", Persons: 2, At: noon.Add(-time.Hour),
			Office: "天宁街道", Not: []string{"clerk", "approver"}})
		p := f
		p.Key += "/paid"
		l.Paid = append(l.Paid, p)
	}
	return l
}

func made(t *testing.T, h disclosure.Heading, l disclosure.Ledger, before ...disclosure.Edition) disclosure.Edition {
	t.Helper()
	e, ok, err := disclosure.Make(h, l, before)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return e
}

func document(t *testing.T, e disclosure.Edition) disclosure.Document {
	t.Helper()
	d, err := e.Document()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAnEdition(t *testing.T) {
	t.Parallel()
	l := ledger(1, 6, 1, 1)
	l.Returned = l.Paid[:5]
	for i := range l.Returned {
		l.Returned[i].Key += "/back"
	}
	e := made(t, heading(), l)
	d := document(t, e)
	if d.Number != 1 || d.UntilDay != "2026-12-22" || !e.Until.Equal(time.Date(2026, 12, 23, 0, 0, 0, 0, calendar.Zone)) || d.MadeOn != "2026-11-22" || len(d.Places) != 1 {
		t.Fatalf("%+v", d)
	}
	p := d.Places[0]
	if p.Persons != 6 || p.AmountFen != 6021 || len(p.Lines) != 6 || p.Place != "320402001001" || p.Lines[0].Name != disclosure.NoName || p.Lines[0].Persons != 2 {
		t.Errorf("%+v", p)
	}
	f := d.Funds[0]
	if f.Place != "320402001000" || f.AppropriatedFen != 1_000_000 || f.AwardedFen != 6021 || f.PaidFen != 6021 || f.ReturnedFen == 0 || f.BalanceFen != f.AppropriatedFen-f.PaidFen+f.ReturnedFen || f.Awarded != 6 || f.Paid != 6 {
		t.Errorf("%+v", f)
	}
	if d.Total.BalanceFen != f.BalanceFen || d.Total.PlaceName != "地000000合计" {
		t.Errorf("%+v", d.Total)
	}
	if len(e.Keys) != 17 || len(e.Sources) != 6 || e.State != disclosure.Prepared || e.Public(noon) || len(e.SHA256) != 64 {
		t.Errorf("%+v", e)
	}
	named := made(t, heading(func(h *disclosure.Heading) { h.Named = true }), l)
	if got := document(t, named).Places[0].Lines[0].Name; got != "张*明" {
		t.Errorf("named %s", got)
	}
	if again := made(t, heading(), l); string(again.Bytes) != string(e.Bytes) {
		t.Error("the same ledger makes another edition")
	}
	if _, ok, err := disclosure.Make(heading(), ledger(1, 4, 1, 1), nil); ok || err != nil {
		t.Errorf("four people are told of: %v", err)
	}
	next := made(t, heading(), ledger(20, 5, 2, 1), e)
	if d := document(t, next); d.Number != 2 || len(d.Funds) != 2 || d.Total.Awarded != 11 || d.Total.AppropriatedFen != 1_000_000 {
		t.Errorf("the second: %+v", d)
	}
	big := made(t, heading(), ledger(1, disclosure.MaxLines+50, 1, 1))
	if n := len(big.Sources); n != disclosure.MaxLines || len(big.Keys) != 2*disclosure.MaxLines {
		t.Errorf("%d lines, %d keys", n, len(big.Keys))
	}
	if raw, err := json.Marshal(big); err != nil || len(raw) > table.MaxBody {
		t.Errorf("an edition has %d bytes, %v", len(raw), err)
	}
	over := ledger(1, 5, 1, 1)
	over.Paid[0].AmountFen = 1<<63 - 1
	if _, _, err := disclosure.Make(heading(), over, nil); err == nil {
		t.Error("a sum overflowed")
	}
}

func TestLinesOfAPlaceGoTogether(t *testing.T) {
	t.Parallel()
	l := ledger(1, 6, 1, 1)
	more := ledger(20, 5, 2, 1)
	l.Decisions = append(l.Decisions, more.Decisions...)
	e := made(t, heading(), l)
	before := document(t, e)
	line := before.Places[0].Lines[2].Line
	source, err := e.Source(line)
	if err != nil || source.Application == "" || !slices.Contains(source.Not, "approver") {
		t.Fatal(source, err)
	}
	if first, err := e.Source(e.Sources[0].Line); err != nil || first.Line != e.Sources[0].Line {
		t.Errorf("the first source: %+v, %v", first, err)
	}
	by := event.Actor{Kind: event.Staff, ID: "s", Person: "p"}
	down, err := e.TakeDown(line, "deceased", by, noon)
	if err != nil || down.State != disclosure.Prepared || down.SHA256 == e.SHA256 || down.Version != 2 {
		t.Fatal(down, err)
	}
	after := document(t, down)
	if len(after.Places[0].Lines) != 0 || !after.Places[0].TakenDown || after.Places[0].Persons != 6 || after.Places[0].AmountFen != before.Places[0].AmountFen || len(after.Places[1].Lines) != 5 {
		t.Errorf("%+v", after.Places)
	}
	if len(down.Sources) != 5 || len(down.Down) != 1 || len(e.Sources) != 11 {
		t.Errorf("%d sources are left", len(down.Sources))
	}
	if _, err := down.Source(line); !errors.Is(err, disclosure.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := down.TakeDown(line, "x", by, noon); !errors.Is(err, disclosure.ErrDown) {
		t.Errorf("got %v", err)
	}
	if fmt.Sprint(after.Funds) != fmt.Sprint(before.Funds) {
		t.Error("sums changed")
	}
	broken := e
	broken.Bytes = []byte("{")
	if _, err := broken.TakeDown(line, "x", by, noon); err == nil {
		t.Error("a damaged edition was changed")
	}
}

func keep(t *testing.T, s table.Store, e disclosure.Edition, kind string) {
	t.Helper()
	step := disclosure.Commit
	if e.Version == 1 {
		step = func(ctx context.Context, t table.Store, e disclosure.Edition, ev event.Event, _ ...table.Write) error {
			return disclosure.Prepare(ctx, t, e, ev)
		}
	}
	if err := step(t.Context(), s, e, e.Event(kind, disclosure.System, noon)); err != nil {
		t.Fatal(err)
	}
}

// L07 and expiry: readers refuse before the hash is public and after the day.
func TestWhenAnEditionIsPublic(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	e := made(t, heading(), ledger(1, 6, 1, 1))
	keep(t, s, e, "prepared")
	show := func(at time.Time) error {
		_, err := disclosure.Show(t.Context(), s, e.ID, at)
		return err
	}
	if err := show(noon); !errors.Is(err, disclosure.ErrNotFound) {
		t.Errorf("public before the log has it: %v", err)
	}
	if err := disclosure.Prepare(t.Context(), s, e, e.Event("prepared", disclosure.System, noon)); !errors.Is(err, disclosure.ErrMovedOn) {
		t.Errorf("two made the same: %v", err)
	}
	public, err := e.Publish(noon)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, s, public, "published")
	if _, err := public.Publish(noon); !errors.Is(err, disclosure.ErrMovedOn) {
		t.Errorf("published twice: %v", err)
	}
	if err := show(noon); err != nil {
		t.Error(err)
	}
	if err := show(e.Until.Add(-time.Nanosecond)); err != nil {
		t.Error(err)
	}
	if err := show(e.Until); !errors.Is(err, disclosure.ErrNotFound) {
		t.Errorf("public after its day: %v", err)
	}
	page, err := s.Query(t.Context(), table.Query{PK: disclosure.Partition(county, 2026)}.Prefix(event.Prefix))
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%d events, %v", len(page.Items), err)
	}
	first, err := event.Decode(page.Items[0])
	if err != nil || first.Facts.Text("sha256") != e.SHA256 || first.Kind != "prepared" {
		t.Errorf("the hash is not in the event: %+v %v", first, err)
	}
	all, err := disclosure.List(t.Context(), s, county, 2026)
	if err != nil || len(all) != 1 || string(all[0].Bytes) != string(e.Bytes) {
		t.Errorf("stored bytes differ, %v", err)
	}
	if _, err := disclosure.Get(t.Context(), s, ident.Derive("none")); !errors.Is(err, disclosure.ErrNotFound) {
		t.Error(err)
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	put := func(key table.Key, body string) {
		if err := s.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte(body)}}); err != nil {
			t.Fatal(err)
		}
	}
	put(disclosure.Key(county, 2026, 1), `{"id":"x","version":7}`)
	put(disclosure.Key("320404000000", 2026, 1), `{`)
	put(table.Key{PK: "DISCLOSED#a", SK: "AT"}, `{`)
	put(table.Key{PK: "DISCLOSED#b", SK: "AT"}, `{"county":"320499000000","year":2026,"number":1}`)
	put(disclosure.ObjectionKey(county, 2026, "o"), `{`)
	put(disclosure.ObjectionKey(county, 2026, "q"), `{"version":3}`)
	for _, c := range []civil.DivisionCode{county, "320404000000"} {
		if _, err := disclosure.List(t.Context(), s, c, 2026); err == nil {
			t.Errorf("%s was listed", c)
		}
	}
	for _, id := range []string{"a", "b"} {
		if _, err := disclosure.Get(t.Context(), s, id); err == nil || errors.Is(err, disclosure.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{"o", "q"} {
		if _, err := disclosure.GetObjection(t.Context(), s, county, 2026, id); err == nil {
			t.Errorf("%s was read", id)
		}
	}
	e := made(t, heading(), ledger(1, 6, 1, 1))
	if err := disclosure.Prepare(t.Context(), s, e, event.Event{}); err == nil {
		t.Error("an edition without an event")
	}
	if err := (disclosure.Objection{Version: 1}).Keep(t.Context(), s, event.Event{}); err == nil {
		t.Error("an objection without an event")
	}
}

func TestObjections(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	e := made(t, heading(), ledger(1, 6, 1, 1))
	source, err := e.Source(document(t, e).Places[0].Lines[0].Line)
	if err != nil {
		t.Fatal(err)
	}
	o := disclosure.Object("o1", e, source, "account", noon, noon.AddDate(0, 0, 7))
	citizen := event.Actor{Kind: event.Citizen, ID: "account"}
	if err := o.Keep(t.Context(), s, o.Event("filed", citizen, noon)); err != nil {
		t.Fatal(err)
	}
	if err := o.Keep(t.Context(), s, o.Event("filed", citizen, noon)); !errors.Is(err, disclosure.ErrMovedOn) {
		t.Errorf("filed twice: %v", err)
	}
	inList := func() int {
		page, err := s.Query(t.Context(), table.Query{Index: table.ByWork, PK: "WORK#" + string(county)})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			if !disclosure.IsObjection(item.Key) {
				t.Errorf("%v in the list", item.Key)
			}
		}
		return len(page.Items)
	}
	if inList() != 1 {
		t.Error("nobody is asked to answer")
	}
	for name, who := range map[string]event.Actor{
		"the_decider":                  {Kind: event.Staff, ID: "approver", Person: "p9"},
		"the_decider_as_a_person":      {Kind: event.Staff, ID: "other", Person: "clerk"},
		"nobody_known":                 {Kind: event.Staff, ID: "x"},
		"a_machine":                    {Kind: event.System, ID: "x", Person: "p"},
		"a_citizen":                    citizen,
		"somebody_without_an_account_": {Kind: event.Staff, Person: "p"},
	} {
		if _, err := o.Answered(disclosure.Dismissed, who, noon); !errors.Is(err, disclosure.ErrPerson) {
			t.Errorf("%s answers: %v", name, err)
		}
	}
	by := event.Actor{Kind: event.Staff, ID: "county", Person: "p3"}
	read, err := disclosure.GetObjection(t.Context(), s, county, 2026, "o1")
	if err != nil {
		t.Fatal(err)
	}
	done, err := read.Answered(disclosure.Upheld, by, noon)
	if err == nil {
		err = done.Keep(t.Context(), s, done.Event("answered", by, noon))
	}
	if err != nil || inList() != 0 {
		t.Fatalf("%v, %d in the list", err, inList())
	}
	if _, err := done.Answered(disclosure.Dismissed, by, noon); !errors.Is(err, disclosure.ErrAnswered) {
		t.Errorf("answered twice: %v", err)
	}
	// Of two who answer at once one does.
	other, err := read.Answered(disclosure.Dismissed, event.Actor{Kind: event.Staff, ID: "county2", Person: "p4"}, noon)
	if err == nil {
		err = other.Keep(t.Context(), s, other.Event("answered", by, noon))
	}
	if !errors.Is(err, disclosure.ErrMovedOn) {
		t.Errorf("got %v", err)
	}
	if _, err := disclosure.GetObjection(t.Context(), s, county, 2026, "none"); !errors.Is(err, disclosure.ErrNotFound) {
		t.Error(err)
	}
}

type broken struct{ table.Store }

func (broken) Transact(context.Context, ...table.Write) error { return table.ErrBusy }

func (broken) Query(context.Context, table.Query) (table.Page, error) {
	return table.Page{}, table.ErrBusy
}

func (broken) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, table.ErrBusy
}

func TestTheStoresTroublesAreTold(t *testing.T) {
	t.Parallel()
	e := made(t, heading(), ledger(1, 6, 1, 1))
	_, one := disclosure.Get(t.Context(), broken{}, e.ID)
	_, two := disclosure.List(t.Context(), broken{}, county, 2026)
	_, three := disclosure.GetObjection(t.Context(), broken{}, county, 2026, "o")
	_, _, four := disclosure.Stopped(t.Context(), broken{}, e)
	_, five := disclosure.Books{Table: broken{}}.Collect(t.Context(), county, []civil.DivisionCode{county}, 2026, nil)
	for i, err := range []error{one, two, three, four, five, disclosure.Prepare(t.Context(), broken{}, e, e.Event("prepared", disclosure.System, noon))} {
		if !errors.Is(err, table.ErrBusy) && err == nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// An auditor makes every total again from what is open, and sees what was altered.
func TestOpenDataAddsUp(t *testing.T) {
	t.Parallel()
	l := ledger(1, 6, 1, 1)
	l.Appropriated["320402002000"] = -500
	first, err := made(t, heading(), l).Publish(noon)
	if err != nil {
		t.Fatal(err)
	}
	small := ledger(30, 3, 2, 1)
	small.Decisions = append(small.Decisions, ledger(40, 3, 3, 1).Decisions...)
	small.Appropriated = l.Appropriated
	second, err := made(t, heading(), small, first).Publish(noon)
	if err != nil {
		t.Fatal(err)
	}
	third := made(t, heading(), ledger(60, 9, 3, 2), first, second) // never public
	if _, err := disclosure.Open(nil); !errors.Is(err, disclosure.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := disclosure.Open([]disclosure.Edition{third}); !errors.Is(err, disclosure.ErrNotFound) {
		t.Errorf("what was never public is open: %v", err)
	}
	files, err := disclosure.Open([]disclosure.Edition{first, second, third})
	if err != nil {
		t.Fatal(err)
	}
	if wrong := disclosure.Recompute(files); len(wrong) != 0 {
		t.Fatalf("it does not add up: %v", wrong)
	}
	if len(files) != 8 || strings.Count(string(files["amounts.jsonl"]), "\n") != 18 {
		t.Errorf("%d files, %s", len(files), files["amounts.jsonl"])
	}
	for name, body := range files {
		for _, not := range []string{"张", ident.Derive("k00001"), "clerk"} {
			if strings.Contains(string(body), not) {
				t.Errorf("%s has %s", name, not)
			}
		}
	}
	if !strings.Contains(string(files["funds.csv"]), ",-500,") {
		t.Errorf("a negative amount is not a number: %s", files["funds.csv"])
	}
	replace := func(file, old, with string) func(map[string][]byte) {
		return func(f map[string][]byte) { f[file] = []byte(strings.Replace(string(f[file]), old, with, 1)) }
	}
	for name, c := range map[string]struct {
		tamper func(map[string][]byte)
		says   string // beside that the file is not that of the manifest
	}{
		"an_amount":        {replace("amounts.jsonl", `"amount_fen":1001`, `"amount_fen":1002`), "6021 fen, the amounts make 6022"},
		"a_csv_cell":       {replace("amounts.csv", ",1001\r", ",1002\r"), "amounts: row 1 differs between CSV and JSON Lines"},
		"a_later_csv_cell": {replace("amounts.csv", ",1002\r", ",1003\r"), "amounts: row 2 differs between CSV and JSON Lines"},
		"a_cell":           {replace("cells.jsonl", `"persons":6`, `"persons":7`), "the cells make"},
		"a_small_cell":     {replace("cells.jsonl", `"persons":6`, `"persons":4`), "tells of 4 people"},
		"another_kind":     {replace("cells.jsonl", `"kind":"awarded"`, `"kind":"gift"`), `has a kind "gift"`},
		"a_row_of_funds":   {replace("funds.jsonl", `"paid":6`, `"paid":5`), "the cells make"},
		"a_balance":        {replace("funds.jsonl", `"balance_fen":`, `"balance_fen":1`), "the cells make"},
		"another_township": {replace("cells.jsonl", `"township":"320402001000"`, `"township":"320402009000"`), "cells of 320402009000 count in no row of funds"},
		"another_place":    {replace("amounts.jsonl", `"place":"320402001001"`, `"place":"320402001002"`), "in 320402001002 are in no cell"},
		"a_line_is_gone": {func(f map[string][]byte) {
			f["amounts.jsonl"] = f["amounts.jsonl"][strings.Index(string(f["amounts.jsonl"]), "\n")+1:]
		}, "amounts.csv has 18 rows, amounts.jsonl 17"},
		"a_file_is_gone": {func(f map[string][]byte) { delete(f, "cells.csv") }, "cells.csv cannot be read"},
		"no_json":        {func(f map[string][]byte) { f["cells.jsonl"] = []byte("{\n") }, "cells.jsonl, line 1 cannot be read"},
		"an_empty_line":  {replace("amounts.jsonl", "\n{", "\n\n{"), "amounts.jsonl, line 2 cannot be read"},
		"two_bad_lines": {func(f map[string][]byte) {
			f["amounts.jsonl"] = append([]byte("[\n"), append(f["amounts.jsonl"], "]\n"...)...)
		}, "amounts.jsonl, line 20 cannot be read"},
		"a_later_line":     {replace("amounts.jsonl", "\n{", "\n["), "amounts.jsonl, line 2 cannot be read"},
		"a_line_of_null":   {func(f map[string][]byte) { f["funds.jsonl"] = append(f["funds.jsonl"], "null x\n"...) }, "funds.csv has 3 rows, funds.jsonl 4"},
		"an_unknown_field": {replace("cells.jsonl", `"persons"`, `"phone"`), "cells.jsonl, line 1 cannot be read"},
		"no_manifest":      {func(f map[string][]byte) { delete(f, "manifest.json") }, "manifest.json cannot be read"},
		"a_shorter_list":   {func(f map[string][]byte) { f["manifest.json"] = []byte(`{"files":[]}`) }, "schema.json is not in the manifest"},
		"another_size":     {replace("manifest.json", `"bytes": `, `"bytes": 1`), "amounts.csv is not the file of the manifest"},
		"another_hash":     {replace("manifest.json", `"sha256": "`, `"sha256": "0`), "amounts.csv is not the file of the manifest"},
		"overflow":         {replace("amounts.jsonl", `"amount_fen":1001`, `"amount_fen":9223372036854775807`), "amounts: disclosure"},
		"the_schema":       {replace("schema.json", "Doudi", "doudi"), "schema.json is not the file of the manifest"},
	} {
		bad := map[string][]byte{}
		for k, v := range files {
			bad[k] = slices.Clone(v)
		}
		c.tamper(bad)
		if got := disclosure.Recompute(bad); !slices.ContainsFunc(got, func(err error) bool { return strings.Contains(err.Error(), c.says) }) {
			t.Errorf("%s: want %q, got %v", name, c.says, got)
		}
	}
	damaged := first
	damaged.Bytes = []byte("{")
	if _, err := disclosure.Open([]disclosure.Edition{damaged}); err == nil {
		t.Error("a damaged edition is open")
	}
}

// X109.
func TestFormulasAreNeutralised(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\x00x", "＝1", "＠x"} {
		if got := disclosure.Neutral(s); got != "'"+s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for _, s := range []string{"", "天宁街道", "320402", "a=b"} {
		if got := disclosure.Neutral(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	h := heading(func(h *disclosure.Heading) {
		h.Place = func(civil.DivisionCode) string { return `=HYPERLINK("x")<script>` }
	})
	e, err := made(t, h, ledger(1, 6, 1, 1)).Publish(noon)
	if err != nil {
		t.Fatal(err)
	}
	files, err := disclosure.Open([]disclosure.Edition{e})
	if err != nil || !strings.Contains(string(files["cells.csv"]), `"'=HYPERLINK(""x"")<script>"`) || len(disclosure.Recompute(files)) != 0 {
		t.Errorf("%s %v", files["cells.csv"], err)
	}
	if page := string(disclosure.Page(document(t, e))); strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("markup gets into the page")
	}
}

func TestThePage(t *testing.T) {
	t.Parallel()
	l := ledger(1, 6, 1, 1)
	l.Decisions = append(l.Decisions, ledger(20, 5, 2, 1).Decisions...)
	e := made(t, heading(func(h *disclosure.Heading) { h.Named = true }), l)
	e, err := e.TakeDown(document(t, e).Places[1].Lines[0].Line, "stopped", disclosure.System, noon)
	if err != nil {
		t.Fatal(err)
	}
	page := string(disclosure.Page(document(t, e)))
	for _, want := range []string{"<title>社会救助决定公布</title>", "张*明", "已经撤下", "提出异议", "2026年12月22日", "¥", "合计", "<style>" + disclosure.Style + "</style>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Count(page, ">张*明</td>") != 6 {
		t.Error("lines that were taken down are on the page")
	}
}

// Whatever bytes an auditor is handed, the check answers.
func FuzzRecompute(f *testing.F) {
	f.Add([]byte(`{"files":[]}`), []byte(`{"edition":1,"kind":"paid","place":"1","amount_fen":1}`), []byte("a,b\n"))
	f.Add([]byte(`{`), []byte(``), []byte(`"`))
	f.Fuzz(func(t *testing.T, manifest, lines, sheet []byte) {
		files := map[string][]byte{"manifest.json": manifest}
		for _, name := range []string{"amounts", "cells", "funds"} {
			files[name+".jsonl"], files[name+".csv"] = lines, sheet
		}
		if len(disclosure.Recompute(files)) == 0 {
			t.Error("it adds up")
		}
	})
}

// An adult is named by a masked name; who is a child is seen from the day of birth,
// and a child is never named, also not by another child who gets the money.
func TestWhoIsAChild(t *testing.T) {
	t.Parallel()
	foreign := application.Person{Name: person(t, "Anna Smith", "320402197201109004").Name, Paper: civil.StoredPaper(civil.ForeignResidence, "911000198501010018")}
	if got := disclosure.Name(application.Particulars{Subject: foreign}, civil.Date(2026, 11, 22)); got != disclosure.NoName {
		t.Errorf("whose paper says no age is called %s", got)
	}
	const child, grown = "320402200811220018", "320402197201109004" // the first is 18 on 22 November 2026
	subject := person(t, "王小明", child)
	for day, want := range map[civil.Day]string{civil.Date(2026, 11, 21): disclosure.NoName, civil.Date(2026, 11, 22): "王*明"} {
		if got := disclosure.Name(application.Particulars{Subject: subject, Holder: application.RoleSubject}, day); got != want {
			t.Errorf("on %s: %s", day, got)
		}
	}
	on := civil.Date(2026, 11, 21)
	nameless := application.Person{Paper: civil.StoredPaper(civil.IDCard, grown)}
	for name, p := range map[string]application.Particulars{
		"a parent with another paper":   {Subject: subject, Members: []application.Member{{Person: foreign, Kinship: application.Parent}}},
		"a parent without a name":       {Subject: subject, Members: []application.Member{{Person: nameless, Kinship: application.Parent}}},
		"a parent without a number":     {Subject: subject, Members: []application.Member{{Person: application.Person{Name: person(t, "王大明", grown).Name, Paper: civil.StoredPaper(civil.Passport, "E12345678")}, Kinship: application.Parent}}},
		"a grandparent without account": {Subject: subject, Members: []application.Member{{Person: person(t, "李奶奶", grown), Kinship: application.Grandparent}}, Holder: application.RoleSubject},
		"a sibling with the account":    {Subject: subject, Members: []application.Member{{Person: person(t, "王小红", child), Kinship: application.Sibling}}, Holder: "members/0"},
	} {
		if got := disclosure.Name(p, on); got != disclosure.NoName {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What is more than one edition tells comes in the next: the oldest decisions first.
func TestTheOldestAreToldFirst(t *testing.T) {
	t.Parallel()
	l := ledger(1, disclosure.MaxLines+1, 1, 1)
	l.Decisions[0].At = noon // all others are an hour older
	e := made(t, heading(), l)
	if len(e.Sources) != disclosure.MaxLines || slices.Contains(e.Keys, l.Decisions[0].Key) || !slices.Contains(e.Keys, l.Decisions[disclosure.MaxLines].Key) {
		t.Errorf("%d lines, the youngest among them: %v", len(e.Sources), slices.Contains(e.Keys, l.Decisions[0].Key))
	}
	if all := made(t, heading(), ledger(1, disclosure.MaxLines, 1, 1)); len(all.Sources) != disclosure.MaxLines {
		t.Errorf("%d of as many as there may be", len(all.Sources))
	}
}

// Each of the three is a reason for an edition, also when the others are nothing.
func TestWhatMakesAnEdition(t *testing.T) {
	t.Parallel()
	all := ledger(1, 5, 1, 1)
	for name, l := range map[string]disclosure.Ledger{
		"decisions": {Decisions: all.Decisions}, "payments": {Paid: all.Paid}, "returns": {Returned: all.Paid},
	} {
		d := document(t, made(t, heading(), l))
		if got := len(d.Places) + len(d.Paid) + len(d.Returned); got != 1 {
			t.Errorf("%s: %d places are told", name, got)
		}
		if (len(d.Places) == 1) != (name == "decisions") || (len(d.Paid) == 1) != (name == "payments") || (len(d.Returned) == 1) != (name == "returns") {
			t.Errorf("%s: %+v %+v %+v", name, d.Places, d.Paid, d.Returned)
		}
		if f := d.Funds[0]; (f.AwardedFen > 0) != (name == "decisions") || (f.PaidFen > 0) != (name == "payments") || (f.ReturnedFen > 0) != (name == "returns") || f.BalanceFen != f.ReturnedFen-f.PaidFen {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if e := made(t, heading(), disclosure.Ledger{Paid: all.Paid, Returned: all.Paid}); len(e.Cells) != 2 {
		t.Errorf("payments that all came back: %+v", e.Cells)
	}
	if _, ok, err := disclosure.Make(heading(), disclosure.Ledger{}, nil); ok || err != nil {
		t.Errorf("an edition of nothing: %v", err)
	}
}

// The sums of a county are those of its rows; what is told of no township stands in
// a row of its own, which says so.
func TestTheRowsOfACounty(t *testing.T) {
	t.Parallel()
	l := ledger(1, 5, 1, 1)
	for _, part := range []disclosure.Ledger{ledger(20, 3, 2, 1), ledger(30, 3, 3, 1)} { // too few in each
		l.Decisions, l.Paid = append(l.Decisions, part.Decisions...), append(l.Paid, part.Paid...)
	}
	d := document(t, made(t, heading(), l))
	if len(d.Funds) != 2 || d.Funds[0].Place != string(county) || d.Funds[1].Place != "320402001000" {
		t.Fatalf("%+v", d.Funds)
	}
	if own, one := d.Funds[0], d.Funds[1]; own.PlaceName != "地000000（人数少的乡镇、街道合并）" || strings.Contains(one.PlaceName, "合并") || own.Awarded != 6 || own.Paid != 6 || one.Awarded != 5 ||
		d.Total.Awarded != 11 || d.Total.Paid != 11 || d.Total.AwardedFen != own.AwardedFen+one.AwardedFen || d.Total.PaidFen != own.PaidFen+one.PaidFen ||
		d.Total.BalanceFen != d.Total.AppropriatedFen-d.Total.PaidFen {
		t.Errorf("%+v, together %+v", d.Funds, d.Total)
	}
	page := string(disclosure.Page(d))
	for _, want := range []string{"共5人", "共6人", "2026年11月22日到2026年12月22日", ` class="n"`, `<th scope="col">姓名</th>`, `data-word="金额"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s on the page", want)
		}
	}
}

// An edition that was never public is no open data, nor is what came after the
// last that was; what was taken down is counted.
func TestWhatOfTheEditionsIsOpen(t *testing.T) {
	t.Parallel()
	first, err := made(t, heading(), ledger(1, 6, 1, 1)).Publish(noon)
	if err != nil {
		t.Fatal(err)
	}
	second := made(t, heading(), ledger(20, 6, 2, 1), first)
	down, err := first.TakeDown(document(t, first).Places[0].Lines[0].Line, "stopped", disclosure.System, noon)
	if err != nil || down.Public(noon) || !down.Published.Equal(noon) {
		t.Fatal(down.State, err)
	}
	again, err := down.Publish(noon.Add(time.Hour))
	if err != nil || !again.Published.Equal(noon) || again.Version != 4 {
		t.Errorf("public again: first %v, version %d, %v", again.Published, again.Version, err)
	}
	for name, c := range map[string]struct {
		told  []disclosure.Edition
		made  int
		downs int
	}{
		"one":                               {[]disclosure.Edition{first}, 1, 0},
		"and one that is prepared":          {[]disclosure.Edition{first, second}, 1, 0},
		"one whose lines were taken down":   {[]disclosure.Edition{again}, 1, 1},
		"one that waits to be public again": {[]disclosure.Edition{down, second}, 1, 1},
	} {
		files, err := disclosure.Open(c.told)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var m disclosure.Manifest
		if err := json.Unmarshal(files[disclosure.ManifestFile], &m); err != nil || len(m.Editions) != c.made || m.Editions[0].TakenDown != c.downs || len(m.Files) != 7 {
			t.Errorf("%s: %+v, %v", name, m.Editions, err)
		}
		if wrong := disclosure.Recompute(files); len(wrong) != 0 {
			t.Errorf("%s: %v", name, wrong)
		}
	}
}

// An objection is one under its own key in the partition of editions.
func TestWhichKeyIsThatOfAnObjection(t *testing.T) {
	t.Parallel()
	for key, want := range map[table.Key]bool{
		disclosure.ObjectionKey(county, 2026, "o"):            true,
		disclosure.Key(county, 2026, 1):                       false,
		{PK: "APP#x", SK: "OBJECTION#o"}:                      false,
		{PK: disclosure.Partition(county, 2026), SK: "OTHER"}: false,
	} {
		if disclosure.IsObjection(key) != want {
			t.Errorf("%v: %v", key, !want)
		}
	}
	o := disclosure.Objection{Version: 1}
	if _, told := o.Event("filed", disclosure.System, noon).Facts["result"]; told {
		t.Error("the event tells an answer that nobody gave")
	}
	o.Answer = &disclosure.Answer{Result: disclosure.Upheld}
	if got := o.Event("answered", disclosure.System, noon).Facts.Text("result"); got != disclosure.Upheld {
		t.Errorf("answered %q", got)
	}
}

// A township that is told of in several editions is told of once in the rows of the
// money, with all of it; five people are enough.
func TestATownshipInSeveralEditions(t *testing.T) {
	t.Parallel()
	var told []disclosure.Edition
	for n, from := range []int{1, 20, 40} {
		l := ledger(from, 5, 1, 1)
		l.Decisions = append(l.Decisions, ledger(from+10, 5, 1, 2).Decisions...)
		if n == 2 {
			l.Returned = returns(l)
		}
		e, err := made(t, heading(), l, told...).Publish(noon)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e)
	}
	d := document(t, told[2])
	if f := d.Funds[0]; len(d.Funds) != 1 || f.Awarded != 30 || f.Paid != 15 || f.ReturnedFen == 0 || d.Total.ReturnedFen != f.ReturnedFen || d.Total.Paid != 15 {
		t.Errorf("%+v, together %+v", d.Funds, d.Total)
	}
	files, err := disclosure.Open(told)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := disclosure.Recompute(files); len(wrong) != 0 {
		t.Errorf("%v", wrong)
	}
	if !strings.Contains(string(files["cells.jsonl"]), `"kind":"returned"`) || !strings.Contains(string(files["cells.jsonl"]), `"persons":5`) {
		t.Errorf("%s", files["cells.jsonl"])
	}
}

// returns are the payments of l, all of which came back.
func returns(l disclosure.Ledger) []disclosure.Fact {
	back := slices.Clone(l.Paid)
	for i := range back {
		back[i].Key += "/back"
	}
	return back
}

// A page says what kind of telling it is, and goes on after a place whose lines
// were taken down.
func TestWhatAPageSays(t *testing.T) {
	t.Parallel()
	l := ledger(1, 6, 1, 1)
	l.Decisions = append(l.Decisions, ledger(20, 5, 2, 1).Decisions...)
	for kind, want := range map[string]string{disclosure.Decisions: "公布机关", disclosure.Consultation: "公示机关", disclosure.Proposals: "公示机关"} {
		e := made(t, heading(func(h *disclosure.Heading) { h.Kind, h.Named = kind, true }), l)
		e, err := e.TakeDown(document(t, e).Places[0].Lines[0].Line, "stopped", disclosure.System, noon)
		if err != nil {
			t.Fatal(err)
		}
		page := string(disclosure.Page(document(t, e)))
		if !strings.Contains(page, want) || strings.Count(page, ">张*明</td>") != 5 || strings.Count(page, "已经撤下") != 1 || strings.Contains(page, "资金使用情况") == (kind == disclosure.Proposals) {
			t.Errorf("%s: %s", kind, page)
		}
	}
}
