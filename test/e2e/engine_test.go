package e2e

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

// meter adds up what one case asks of DynamoDB.
type meter struct {
	mu       sync.Mutex
	requests map[string]int
	units    map[string]float64
}

func (m *meter) observe(u dynamo.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests, m.units = map[string]int{}, map[string]float64{}
	}
	m.requests[u.Operation]++
	m.units[u.Operation] += u.Units
}

// BenchmarkUnits plays whole cases on each engine and reports the requests and
// the capacity units of one. It is not about time: the engines count capacity
// as DynamoDB documents it.
func BenchmarkUnits(b *testing.B) {
	for _, e := range engine.All(b) {
		keys := b.TempDir() // a benchmark starts more than once, and the table of before needs the keys of before
		b.Run(e.Name, func(b *testing.B) {
			var m meter
			s := start(b, func(o *local.Options) {
				o.Store, o.Endpoint, o.Observe, o.Data = local.DynamoDB, e.URL, m.observe, keys
			})
			play(b, s, "320400") // seeding and first sign-ins are not part of a case
			m.mu.Lock()
			m.requests = nil
			m.mu.Unlock()
			b.ResetTimer()
			for range b.N {
				play(b, s, "320400")
			}
			b.StopTimer()
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, op := range slices.Sorted(maps.Keys(m.requests)) {
				b.ReportMetric(float64(m.requests[op])/float64(b.N), op+"/case")
				b.ReportMetric(m.units[op]/float64(b.N), op+"-units/case")
			}
		})
	}
}

// TestOnRealEngines plays a case on every DynamoDB engine: what runs on a
// laptop runs on the store that is deployed.
func TestOnRealEngines(t *testing.T) {
	for _, e := range engine.All(t) {
		t.Run(e.Name, func(t *testing.T) {
			play(t, start(t, func(o *local.Options) { o.Store, o.Endpoint = local.DynamoDB, e.URL }), "120112")
		})
	}
}
