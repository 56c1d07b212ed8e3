package tabletest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
)

// RunFeed holds a backend's feed to its contract. open gives a store and the
// feed of that store; nobody else writes to it meanwhile.
func RunFeed(t *testing.T, open func(t *testing.T) (table.Store, table.Feed)) {
	store, feed := open(t)
	r := room(ident.Random().New())
	fund := r.item("fund", "F")
	fund.Counters = map[string]int64{"open": 10}
	var want []table.Item // in order for each key
	put := func(it table.Item, more ...table.Write) {
		t.Helper()
		mustWrite(t, store, append([]table.Write{table.Put{Item: it}}, more...)...)
		want = append(want, it)
	}
	put(fund)
	for i := range 5 {
		put(r.item("fund", fmt.Sprint("J", i)), table.Move{Key: fund.Key, Deltas: []table.Delta{{Counter: "open", By: -2}}})
		it, _ := read(t, store, fund.Key)
		want = append(want, it)
	}
	it := at(r.item("fund", "J0"), 2)
	it.Places = []table.Place{{Index: table.ByDue, PK: "d", SK: "1"}}
	mustWrite(t, store, table.Replace{Item: it}, table.Check{Key: fund.Key, Version: 6})
	want = append(want, it)
	if err := store.Transact(t.Context(), table.Put{Item: r.item("p", "refused")}, table.Put{Item: fund}); err == nil {
		t.Fatal("a put over an item was taken")
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// drain reads until want has been seen, acking each page.
	drain := func(consumer string, page, from int) {
		t.Helper()
		got := map[table.Key][]table.Item{}
		expected := map[table.Key][]table.Item{}
		for _, it := range want[from:] {
			expected[it.Key] = append(expected[it.Key], it)
		}
		for n := 0; n < len(want)-from; {
			changes, err := feed.Next(t.Context(), consumer, page)
			if err != nil || len(changes) == 0 || len(changes) > page {
				t.Fatalf("Next(%s): %d changes, %v", consumer, len(changes), err)
			}
			for _, c := range changes {
				got[c.Item.Key] = append(got[c.Item.Key], c.Item)
			}
			n += len(changes)
			if err := feed.Ack(t.Context(), consumer, changes[len(changes)-1].Seq); err != nil {
				t.Fatal(err)
			}
		}
		for key, items := range expected {
			if len(got[key]) != len(items) {
				t.Fatalf("%s: %v came %d times, want %d", consumer, key, len(got[key]), len(items))
			}
			for i := range items {
				if !Same(got[key][i], items[i]) {
					t.Errorf("%s: change %d of %v: %+v, want %+v", consumer, i, key, got[key][i], items[i])
				}
			}
		}
		if left, err := feed.Next(ended, consumer, page); err != nil || len(left) > 0 {
			t.Errorf("%s: after the last change %d more, %v", consumer, len(left), err)
		}
	}

	t.Run("without_ack_the_same_comes_again", func(t *testing.T) {
		a, err := feed.Next(t.Context(), "relay", 3)
		if err != nil {
			t.Fatal(err)
		}
		b, err := feed.Next(t.Context(), "relay", 3)
		if err != nil || len(a) == 0 || len(b) == 0 || a[0].Seq != b[0].Seq {
			t.Fatalf("first %v, then %v, %v", a, b, err)
		}
	})
	t.Run("second_consumer_registers", func(t *testing.T) {
		if c, err := feed.Next(t.Context(), "audit", 1); err != nil || len(c) != 1 {
			t.Fatalf("%v %v", c, err)
		}
	})
	t.Run("each_consumer_sees_all_in_order", func(t *testing.T) {
		drain("relay", 4, 0)
		drain("audit", 1, 0)
	})
	t.Run("a_waiting_consumer_is_woken", func(t *testing.T) {
		got := make(chan error, 1)
		from := len(want)
		go func() {
			changes, err := feed.Next(t.Context(), "relay", 10)
			if err == nil && len(changes) == 0 {
				err = errors.New("woken by nothing")
			}
			got <- err
		}()
		put(r.item("p", "late"))
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		drain("relay", 10, from)
		drain("audit", 10, from)
	})
	t.Run("nonsense_is_refused", func(t *testing.T) {
		if _, err := feed.Next(t.Context(), "", 1); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("no consumer: %v", err)
		}
		if _, err := feed.Next(t.Context(), "relay", 0); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("no room: %v", err)
		}
		if err := feed.Ack(t.Context(), "relay", "not a position"); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("no position: %v", err)
		}
	})
}
