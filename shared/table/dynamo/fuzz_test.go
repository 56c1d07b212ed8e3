package dynamo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/table"
)

// FuzzCursor goes on from anything: what is taken is a key of the partition, the index
// and the range that were asked for, one that DynamoDB takes, and the same when it is
// given out again. Anything else is the caller's mistake.
func FuzzCursor(f *testing.F) {
	work := attributes{attrPK: text("APP#1"), attrSK: text("HEAD"), placePK(table.ByWork): text("W"), placeSK(table.ByWork): text("2026#1")}
	f.Add(string(cursor(work)), true, "2026", "2027")
	f.Add(string(cursor(attributes{attrPK: text("W"), attrSK: text("E#1")})), false, "", "")
	f.Add(string(cursor(attributes{attrPK: text("W"), attrSK: text("E#1")})), false, "F", "")
	f.Add(string(cursor(attributes{attrPK: text("W"), attrSK: text(strings.Repeat("x", table.MaxKey+1))})), false, "", "")
	f.Add(string(cursor(attributes{attrPK: text("other"), attrSK: text("E#1")})), false, "", "")
	f.Add("%", false, "", "")
	for _, raw := range []string{`{"pk":"W"}`, `{"pk":"W","sk":""}`, `{"pk":"W","sk":"x","sk":"y"}`, `[1]`, `null`, "{\"pk\":\"W\",\"sk\":\"\xff\"}"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(raw)), false, "", "")
	}
	f.Fuzz(func(t *testing.T, after string, index bool, from, to string) {
		q, sort := table.Query{PK: "W", From: from, To: to, After: table.Cursor(after)}, attrSK
		if index {
			q.Index, sort = table.ByWork, placeSK(table.ByWork)
		}
		if after == "" || q.Validate() != nil {
			return
		}
		key, err := startAt(q)
		if err != nil {
			if !errors.Is(err, table.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		pk, _ := KeyNames(q.Index)
		if *key[pk].S != "W" || len(key) != map[bool]int{true: 4, false: 2}[index] {
			t.Fatalf("goes on at %v", key)
		}
		for name, v := range key {
			if v.S == nil || *v.S == "" || len(*v.S) > table.MaxKey || !utf8.ValidString(*v.S) {
				t.Fatalf("goes on at a %s that is none", name)
			}
		}
		if at := *key[sort].S; from != "" && at < from || to != "" && at > to {
			t.Fatalf("goes on at %q, outside %q to %q", at, from, to)
		}
		q.After = cursor(key)
		if again, err := startAt(q); err != nil || !reflect.DeepEqual(again, key) {
			t.Fatalf("became %v: %v", again, err)
		}
	})
}

// FuzzItem reads anything as a stored item, as somebody with another program could have
// written it: it is an error that names the attribute, or an item that is the same when
// it is written and read again.
func FuzzItem(f *testing.F) {
	for _, it := range []table.Item{
		{Key: table.Key{PK: "a", SK: "b"}, Version: 1},
		{Key: table.Key{PK: "a", SK: "b"}, Version: 7, Body: []byte("{}"), Counters: map[string]int64{"left": -3}, Expires: time.Unix(9, 0).UTC(),
			Places: []table.Place{{Index: table.ByWork, PK: "w", SK: "x"}, {Index: table.ByDue, PK: "d", SK: "y"}}},
	} {
		raw, err := json.Marshal(encode(it, "token"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"pk":{"N":"1"},"sk":{"S":"b"},"v":{"N":"1e3"}}`))
	f.Add([]byte(`{"pk":{"S":"a"},"sk":{"S":"b"},"v":{"N":"1"},"n_":{"N":"9223372036854775808"},"workpk":{"S":"w"}}`))
	f.Add([]byte(`{"pk":{"S":"a"},"sk":{"S":"b"},"v":{"N":"1"},"ttl":{"N":"-1"},"body":{"B":""}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a attributes
		if json.Unmarshal(raw, &a) != nil {
			return
		}
		it, err := decode(a)
		if err != nil {
			if !strings.Contains(err.Error(), `"`) {
				t.Errorf("%v names nothing", err)
			}
			return
		}
		if again, err := decode(encode(it, "token")); err != nil || len(it.Body) != len(again.Body) {
			t.Fatalf("%+v became %+v: %v", it, again, err)
		} else if again.Body = it.Body; !reflect.DeepEqual(again, it) {
			t.Fatalf("%+v became %+v", it, again)
		}
	})
}
