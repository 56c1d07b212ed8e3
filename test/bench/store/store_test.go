// Package store_test measures the stores side by side in one run: durable
// transactions of four items from 16 clients at once. Absolute figures are the
// machine's; the ratios are what docs quote.
//
//	go test ./test/bench/store -run '^$' -bench . -benchtime 5s
package store_test

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

const clients = 16

// itemsVariable is how many items are stored before the second measurement of
// the embedded store.
const itemsVariable = "DOUDI_BENCH_ITEMS"

func BenchmarkTransact(b *testing.B) {
	var base float64 // the embedded store's rate, which the others are compared with
	report := func(b *testing.B, rate float64) {
		if base > 0 && b.N > 1 {
			b.ReportMetric(rate/base, "of-embedded")
		}
	}
	b.Run("embedded_memory", func(b *testing.B) { measure(b, embedded.Memory()) })
	dir := b.TempDir()
	disk, err := embedded.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("embedded_disk", func(b *testing.B) { base = measure(b, disk) })
	for _, e := range engine.All(b) {
		credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench"}, nil
		})
		wire := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
		if err := setup.CreateTable(b.Context(), setup.Client("us-east-1", e.URL, credentials, wire), "bench"); err != nil {
			b.Fatal(err)
		}
		b.Run(e.Name, func(b *testing.B) {
			report(b, measure(b, dynamo.New(dynamo.Lean("us-east-1", e.URL, credentials, wire, time.Now), "bench", ident.Random())))
		})
	}
	items := 1_000_000
	if v := os.Getenv(itemsVariable); v != "" {
		if items, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	fill(b, disk, items)
	b.Run("embedded_disk_with_"+strconv.Itoa(items), func(b *testing.B) { report(b, measure(b, disk)) })
	b.Run("open_again_with_"+strconv.Itoa(items), func(b *testing.B) {
		for b.Loop() {
			if err := disk.Close(); err != nil {
				b.Fatal(err)
			}
			if disk, err = embedded.Open(dir); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := disk.Close(); err != nil {
		b.Fatal(err)
	}
}

// fact is the shape of one business fact: a thing in two indexes, its event, a
// marker and an entry of a fund.
func fact(id string, body []byte) []table.Write {
	put := func(pk, sk string, places ...table.Place) table.Write {
		return table.Put{Item: table.Item{Key: table.Key{PK: pk, SK: sk}, Version: 1, Body: body, Places: places}}
	}
	return []table.Write{
		put("A#"+id, "A", table.Place{Index: table.ByOwner, PK: "O#" + id[:3], SK: id}, table.Place{Index: table.ByDue, PK: "D#" + id[:1], SK: id}),
		put("A#"+id, "E#00000001"),
		put("M#"+id, "M"),
		put("F#"+id[:2], "J#"+id),
	}
}

const bodyBytes = 400

// measure writes b.N facts and answers how many a second.
func measure(b *testing.B, s table.Store) float64 {
	body := make([]byte, bodyBytes)
	ids := ident.Random()
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			var took []time.Duration
			for next.Add(1) <= int64(b.N) {
				begin := time.Now()
				if err := s.Transact(b.Context(), fact(ids.New(), body)...); err != nil {
					b.Error(err)
					return
				}
				took = append(took, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	wg.Wait()
	rate := float64(b.N) / b.Elapsed().Seconds()
	slices.Sort(all)
	ms := func(share int) float64 { return float64(all[len(all)*share/100].Microseconds()) / 1000 }
	b.ReportMetric(rate, "tx/s")
	b.ReportMetric(ms(50), "p50-ms")
	b.ReportMetric(ms(99), "p99-ms")
	return rate
}

// fill stores items of random keys, four in each transaction.
func fill(b *testing.B, s table.Store, items int) {
	body := make([]byte, bodyBytes)
	ids := ident.Random()
	var left atomic.Int64
	left.Store(int64(items / 4))
	var wg sync.WaitGroup
	for range 4 * clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := s.Transact(b.Context(), fact(ids.New(), body)...); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
