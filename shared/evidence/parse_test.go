package evidence

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/event"
)

// agree fails unless what the quick reader takes is what the general one takes, and
// is read the same.
func agree(t interface{ Fatalf(string, ...any) }, raw []byte) (quick bool) {
	l, ok := canonical(raw)
	if !ok {
		return false
	}
	slow, err := decoded(raw)
	if err != nil || !reflect.DeepEqual(l, slow) {
		t.Fatalf("%s is read %+v, and is %+v, %v", raw, l, slow, err)
	}
	return true
}

func written() Leaf {
	at := time.Date(2026, 11, 28, 1, 2, 3, 450_000_000, time.UTC)
	return Leaf{PK: "APP#1", Noun: "payout", ID: "01", Version: 12, Kind: "paid", At: at, Logged: at.Add(time.Second), Actor: Actor{Kind: event.Staff, ID: "320400-clerk-1"},
		Reason: "r", Rules: "320400/2026", Facts: event.Facts{"amount_fen": json.Number("300000"), "back": json.Number("-1"), "none": json.Number("0"), "office": "河海街道", "ok": true, "no": false},
		Hidden: map[string]string{"actor.person": "x", "request": "y"}}
}

// What the log writes is read quickly, and as the general decoder reads it.
func TestTheQuickReader(t *testing.T) {
	t.Parallel()
	whole := written()
	bare := Leaf{PK: "a", Noun: "b", ID: "c", Version: 1, Kind: "d", At: whole.At.Truncate(time.Second), Logged: whole.Logged}
	for _, l := range []Leaf{whole, bare} {
		if !agree(t, l.Encode()) {
			t.Errorf("%s is not read quickly", l.Encode())
		}
	}
	// Whatever is changed in it is read by both, or not by the quick one.
	text := string(whole.Encode())
	changes := []string{`"`, `\"`, " ", "{", "}", ",", ":", "0", "1", "-", ".", "Z", "+08:00", "e5", `\u0041`, "\u2028", "\xff", "null", "true", "\x00", "\x7f", "中"}
	for i := range text {
		for _, c := range changes {
			agree(t, []byte(text[:i]+c+text[i:]))
			agree(t, []byte(text[:i]+c+text[min(len(text), i+len(c)):]))
		}
		agree(t, []byte(text[:i]))
		agree(t, []byte(text[:i]+text[i+1:]))
	}
	for _, pair := range [][2]string{{`"none":0,"office":"河海街道","ok":true`, `"office":"河海街道","none":0,"ok":true`}, {`"none":0`, `"none":0,"none":0`}, {`"none":0`, `"none":-0`},
		{`"none":0`, `"none":00`}, {`"none":0`, `"none":99999999999999999999`}, {`,"reason":"r"`, `,"reason":""`}, {`"version":12`, `"version":0`}, {`"version":12`, `"version":-1`},
		{"11-28T01", "02-30T01"}, {"11-28T01", "11-31T01"}, {"11-28T01", "11-28T24"}, {"03.45Z", "03.450Z"}, {"03.45Z", "60Z"}, {"2026", "0001"}, {`"hidden":{`, `"hidden":{}`}} {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%s has no %s", text, pair[0])
		}
		agree(t, []byte(strings.Replace(text, pair[0], pair[1], 1)))
	}
}

func TestTheQuickReaderIsTheGeneralOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := written()
		l.PK, l.Reason = "A"+rapid.String().Draw(rt, "pk"), rapid.String().Draw(rt, "reason")
		l.At = time.Unix(rapid.Int64Range(-6e10, 2e11).Draw(rt, "at"), rapid.SampledFrom([]int64{0, 1, 10, 999_000_000}).Draw(rt, "ns")).UTC()
		l.Version = rapid.Int64Range(-1, 1<<62).Draw(rt, "version")
		for i, name := range rapid.SliceOfN(rapid.String(), 0, 3).Draw(rt, "names") {
			l.Facts[name] = rapid.OneOf(rapid.String().AsAny(), rapid.Bool().AsAny()).Draw(rt, fmt.Sprint("fact", i))
		}
		agree(rt, l.Encode())
	})
}

// BenchmarkParseLeaf compares the two readers.
func BenchmarkParseLeaf(b *testing.B) {
	raw := written().Encode()
	b.Run("canonical", func(b *testing.B) {
		for b.Loop() {
			canonical(raw)
		}
	})
	b.Run("decoded", func(b *testing.B) {
		for b.Loop() {
			_, _ = decoded(raw)
		}
	})
}
