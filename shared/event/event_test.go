package event

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

func TestEventReadsBack(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	e := Event{PK: "APP#x", Noun: "payout", ID: "01", Version: 3, Kind: "paid", At: at, Actor: Actor{Kind: Provider, ID: "bank"},
		Facts: Facts{"amount_fen": money.Fen(9007199254740993), "rail": "bank"}}
	w, err := e.Write()
	if err != nil {
		t.Fatal(err)
	}
	put := w.(table.Put)
	if put.Item.Key.SK != "EVENT#payout#01#0000000003" || !Is(put.Item.Key) || Is(table.Key{SK: "HEAD"}) {
		t.Errorf("key %v", put.Item.Key)
	}
	got, err := Decode(put.Item)
	if err != nil {
		t.Fatal(err)
	}
	// 2^53+1 survives only if it never was a float.
	if got.PK != e.PK || got.Facts.Fen("amount_fen") != 9007199254740993 || e.Facts.Fen("amount_fen") != 9007199254740993 || got.Facts.Text("rail") != "bank" {
		t.Errorf("read back %+v", got)
	}
	if got.Facts.Fen("none") != 0 || got.Facts.Fen("rail") != 0 || got.Facts.Text("amount_fen") != "" {
		t.Error("a fact that is not there was found")
	}
	if _, err := Decode(table.Item{Key: table.Key{PK: "APP#x", SK: "HEAD"}}); err == nil {
		t.Error("a head was read as an event")
	}
	for _, broken := range []Event{{}, {PK: "a", Noun: "n", ID: "i", Version: 1, Kind: "k", At: at}, {PK: "a", Noun: "n", ID: "i", Kind: "k", At: at, Actor: e.Actor}} {
		if _, err := broken.Write(); err == nil {
			t.Errorf("an incomplete event was written: %+v", broken)
		}
	}
}

// The request that made a version is found again, whichever of many it was.
func TestAsked(t *testing.T) {
	store := embedded.Memory()
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for v := int64(1); v <= 600; v++ { // more than one page
		e := Event{PK: "APP#x", Noun: "hold", ID: "1", Version: v, Kind: "moved", At: at, Actor: Actor{Kind: System, ID: "t"}}
		if v%2 == 0 {
			e.Request = &Request{Key: fmt.Sprint("key", v), Digest: "d", Status: 201, Answer: []byte(`{}`)}
		}
		w, err := e.Write()
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Transact(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if r, found, err := Asked(t.Context(), store, "APP#x", "hold", "1", "key600"); err != nil || !found || r.Digest != "d" || r.Status != 201 {
		t.Errorf("%+v %v %v", r, found, err)
	}
	for _, none := range [][2]string{{"1", "key601"}, {"2", "key600"}} {
		if _, found, err := Asked(t.Context(), store, "APP#x", "hold", none[0], none[1]); found || err != nil {
			t.Errorf("%v: %v %v", none, found, err)
		}
	}
}

// What is written with an event is in its digests: whatever of it changes, but for
// what a Move changes.
func TestWithKeepsDigests(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	e := Event{PK: "APP#x", Noun: "payout", ID: "01", Version: 3, Kind: "paid", At: at, Actor: Actor{Kind: Provider, ID: "bank"}}
	item := table.Item{Key: table.Key{PK: "APP#x", SK: "PAYOUT#01"}, Version: 3, Body: []byte(`{"state":"paid"}`),
		Places: []table.Place{{Index: table.ByDue, PK: "DUE#1", SK: "a"}, {Index: table.ByWork, PK: "WORK#1", SK: "b"}}}
	writes, err := e.With(item, table.Item{Key: table.Key{PK: "APP#x", SK: "HEAD"}, Version: 1})
	if err != nil || len(writes) != 3 {
		t.Fatalf("%v %v", writes, err)
	}
	if _, ok := writes[0].(table.Replace); !ok {
		t.Errorf("version 3 is written as %T", writes[0])
	}
	if _, ok := writes[1].(table.Put); !ok {
		t.Errorf("version 1 is written as %T", writes[1])
	}
	got, err := Decode(writes[2].(table.Put).Item)
	if err != nil || len(got.Made) != 2 || !bytes.Equal(got.Made["PAYOUT#01"], Sum(item)) || bytes.Equal(got.Made["HEAD"], Sum(item)) {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := e.With(table.Item{Key: table.Key{PK: "APP#y", SK: "HEAD"}, Version: 1}); err == nil {
		t.Error("an event speaks for another partition")
	}
	if _, err := (Event{PK: "APP#x"}).With(); err == nil {
		t.Error("an incomplete event was written")
	}
	for name, c := range map[string]struct {
		same   bool
		change func(*table.Item)
	}{
		"moved":     {true, func(i *table.Item) { i.Version, i.Counters = 9, map[string]int64{"left": 1} }},
		"reordered": {true, func(i *table.Item) { i.Places[0], i.Places[1] = i.Places[1], i.Places[0] }},
		"body":      {false, func(i *table.Item) { i.Body = []byte(`{"state":"pa1d"}`) }},
		"unlisted":  {false, func(i *table.Item) { i.Places = i.Places[:1] }},
		"relisted":  {false, func(i *table.Item) { i.Places[1].SK = "c" }},
		"run_on":    {false, func(i *table.Item) { i.Places[1].PK, i.Places[1].SK = "WORK#1b", "" }},
		"expires":   {false, func(i *table.Item) { i.Expires = at }},
		"elsewhere": {false, func(i *table.Item) { i.Key.SK = "PAYOUT#02" }},
	} {
		other := item.Clone()
		c.change(&other)
		if bytes.Equal(Sum(item), Sum(other)) != c.same {
			t.Errorf("%s: the digest is the same: %v", name, !c.same)
		}
	}
}

func TestTheSecondOfTwoPeopleIsAStranger(t *testing.T) {
	by := Actor{Kind: Staff, ID: "clerk-1", Person: "b1.wang"}
	names := Names(Actor{Kind: Staff, ID: "clerk-2", Person: "b1.li"}, Actor{Kind: Staff, ID: "clerk-3"}, Actor{})
	if len(names) != 3 {
		t.Fatalf("%q", names)
	}
	for name, c := range map[string]struct {
		by    Actor
		names []string
		want  bool
	}{
		"somebody_else":      {by, names, true},
		"nobody_before":      {by, nil, true},
		"the_same_account":   {Actor{Kind: Staff, ID: "clerk-3", Person: "b1.wang"}, names, false},
		"another_account":    {Actor{Kind: Staff, ID: "clerk-9", Person: "b1.li"}, names, false},
		"a_person_not_known": {Actor{Kind: Staff, ID: "clerk-1"}, names, false},
		"no_account":         {Actor{Kind: Staff, Person: "b1.wang"}, names, false},
		"a_machine":          {Actor{Kind: System, ID: "sweep", Person: "b1.wang"}, names, false},
	} {
		if got := c.by.Stranger(c.names...); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
