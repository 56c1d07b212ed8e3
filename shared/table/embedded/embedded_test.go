package embedded_test

import (
	"strconv"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

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
