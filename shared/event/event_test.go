package event

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
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
