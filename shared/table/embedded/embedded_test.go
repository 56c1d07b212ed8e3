package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestFork: two stores that were one go their own ways, and their fingerprints
// tell whether they have come to the same again.
func TestFork(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	feed := func(s *embedded.Store) (n int) {
		changes, err := s.Next(ctx, "reader", 100)
		if err != nil {
			t.Fatal(err)
		}
		if n = len(changes); n > 0 {
			if err := s.Ack(t.Context(), "reader", changes[n-1].Seq); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	// A fingerprint that was corrected with every change is the one of all there is.
	corrected := func(s *embedded.Store) {
		t.Helper()
		was := s.Fingerprint(seed)
		s.Fingerprint(maphash.MakeSeed())
		if s.Fingerprint(seed) != was {
			t.Error("the corrected fingerprint is not that of what is stored")
		}
	}
	write := func(s *embedded.Store, i int) {
		if err := s.Transact(t.Context(), four(i, []byte(strconv.Itoa(i)))...); err != nil {
			t.Fatal(err)
		}
	}
	one := embedded.Memory()
	for i := range 100 {
		write(one, i)
	}
	if n := feed(one); n != 100 {
		t.Fatalf("%d changes", n)
	}
	two := one.Fork()
	if one.Fingerprint(seed) != two.Fingerprint(seed) {
		t.Fatal("a fork differs from the beginning")
	}
	write(one, 1000)
	write(two, 2000)
	if one.Fingerprint(seed) == two.Fingerprint(seed) {
		t.Error("what differs has one fingerprint")
	}
	for i, s := range []*embedded.Store{one, two} {
		for j := range 2 {
			_, there, err := s.Get(t.Context(), table.Key{PK: "APP#" + ident.Derive("bench", strconv.Itoa(1000+1000*j)), SK: "A"})
			if err != nil || there != (i == j) {
				t.Errorf("store %d sees the write to %d: %v, %v", i, j, there, err)
			}
		}
	}
	write(one, 2000)
	write(two, 1000)
	corrected(one)
	corrected(two.Fork())
	feed(one)
	corrected(one)
	if one.Fingerprint(seed) == two.Fingerprint(seed) {
		t.Error("changes that wait are not seen")
	}
	if feed(two); one.Fingerprint(seed) != two.Fingerprint(seed) {
		t.Error("the same in another order is not the same")
	}
	move := table.Replace{Item: table.Item{Key: table.Key{PK: "FUND#1", SK: "J#" + ident.Derive("bench", "1")}, Version: 2, Body: []byte("1")}}
	if err := one.Transact(t.Context(), move); err != nil {
		t.Fatal(err)
	}
	corrected(one)
	feed(one)
	if one.Fingerprint(seed) == two.Fingerprint(seed) {
		t.Error("another version has the same fingerprint")
	}
	disk, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if disk.Fork() != nil || disk.Fingerprint(seed) != 0 {
		t.Error("a folder was forked")
	}
}

func BenchmarkMemory(b *testing.B) {
	s := embedded.Memory()
	body := make([]byte, 400)
	for i := 0; b.Loop(); i++ {
		if err := s.Transact(b.Context(), four(i, body)...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

// four is the shape of one business fact: a thing, its event, a marker and a
// movement's entry.
func four(i int, body []byte) []table.Write {
	id := ident.Derive("bench", strconv.Itoa(i))
	put := func(pk, sk string, places ...table.Place) table.Write {
		return table.Put{Item: table.Item{Key: table.Key{PK: pk, SK: sk}, Version: 1, Body: body, Places: places}}
	}
	return []table.Write{
		put("APP#"+id, "A", table.Place{Index: table.ByOwner, PK: "OWNER#" + id[20:], SK: id}, table.Place{Index: table.ByWork, PK: "WORK#" + id[24:], SK: id}),
		put("APP#"+id, "E#0000000001"),
		put("MARK#"+id, "M"),
		put("FUND#1", "J#"+id),
	}
}

// FuzzCursor goes on from anything: no page shows an item of another partition,
// and none an item twice.
func FuzzCursor(f *testing.F) {
	s := embedded.Memory()
	for _, pk := range []string{"A", "A#", "A\x00", "B"} {
		for i := range 3 {
			if err := s.Transact(f.Context(), table.Put{Item: table.Item{Key: table.Key{PK: pk, SK: fmt.Sprint(i)}, Version: 1}}); err != nil {
				f.Fatal(err)
			}
		}
	}
	page, err := s.Query(f.Context(), table.Query{PK: "A", Limit: 1})
	if err != nil || page.Next == "" {
		f.Fatalf("%v %+v", err, page)
	}
	of, err := s.Query(f.Context(), table.Query{PK: "B", Limit: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(page.Next), false)
	f.Add(string(of.Next), true)
	f.Add("%", false)
	f.Fuzz(func(t *testing.T, after string, reverse bool) {
		page, err := s.Query(t.Context(), table.Query{PK: "A", After: table.Cursor(after), Reverse: reverse})
		if err != nil && !errors.Is(err, table.ErrInvalid) {
			t.Fatal(err)
		}
		if len(page.Items) > 3 {
			t.Errorf("%d items of three", len(page.Items))
		}
		for _, it := range page.Items {
			if it.Key.PK != "A" {
				t.Errorf("%q goes on in %q", after, it.Key.PK)
			}
		}
	})
}
