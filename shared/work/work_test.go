package work

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

func TestDueReadsBack(t *testing.T) {
	key := table.Key{PK: "APP#x", SK: "HEAD"}
	at := time.Date(2026, 11, 22, 8, 0, 0, 123e6, time.FixedZone("+08:00", 8*3600))
	got, q, ok := Owed(table.Item{Key: key, Places: []table.Place{{Index: table.ByWork, PK: "W", SK: "x"}, Due(key, at, Pay)}})
	if !ok || q != Pay || !got.Equal(at) {
		t.Errorf("Owed = %v %s %v", got, q, ok)
	}
	if _, _, ok := Owed(table.Item{Key: key, Places: []table.Place{{Index: table.ByDue, PK: "DUE#00", SK: "nonsense"}}}); ok {
		t.Error("a malformed place owes something")
	}
	if _, _, ok := Owed(table.Item{Key: key}); ok {
		t.Error("an item in no place owes something")
	}
	if Due(key, at, Pay).SK >= Due(key, at.Add(time.Millisecond), Notify).SK {
		t.Error("text order is not time order")
	}
}

func TestMessage(t *testing.T) {
	m := Message{PK: "APP#x", SK: "HEAD"}
	got, err := Decode(m.Encode())
	if err != nil || got != m || got.Key() != (table.Key{PK: "APP#x", SK: "HEAD"}) {
		t.Errorf("round trip: %+v %v", got, err)
	}
	for _, bad := range []string{"", "{}", `{"pk":"x"}`, "null", "[1]"} {
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%q is taken as a message", bad)
		}
	}
}

// The trace of whatever stands in the due index is found without knowing a noun.
func TestTrace(t *testing.T) {
	for body, want := range map[string]string{`{"trace":"a"}`: "a", `{"award":{"trace":"b"}}`: "b", `{"trace":"a","award":{"trace":"b"}}`: "a",
		`{"trace":[1]}`: "", `{}`: "", "": ""} {
		if got := Trace(table.Item{Body: []byte(body)}); got != want {
			t.Errorf("%s: %q", body, got)
		}
	}
}

// FuzzDecode: a message that is taken names an item, and is the same when sent on.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"pk":"APP#x","sk":"HEAD"}`, `{"PK":"a","sk":"b","pk":""}`, `{"pk":"x"}`, `null`, `[1]`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(body)
		if err != nil {
			return
		}
		if again, err := Decode(m.Encode()); err != nil || again != m || m.Key().PK == "" || m.Key().SK == "" {
			t.Errorf("%+v became %+v: %v", m, again, err)
		}
	})
}
