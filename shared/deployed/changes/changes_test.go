package changes

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A record as Lambda delivers it, of an item that owes a payment.
const record = `{"eventID":"1","eventName":"%NAME%","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"cn-north-1",
"dynamodb":{"Keys":{"pk":{"S":"APP#1"},"sk":{"S":"PAYOUT#01"}},"SequenceNumber":"4421584500000000017450439091","SizeBytes":26,"StreamViewType":"NEW_IMAGE",
"NewImage":{"pk":{"S":"APP#1"},"sk":{"S":"PAYOUT#01"},"v":{"N":"3"},"tx":{"S":"t"},"body":{"B":"e30="},"n_left":{"N":"-7"},
"duepk":{"S":"DUE#03"},"duesk":{"S":"2026-11-22T10:00:00.000Z#pay"}}}}`

func decode(t *testing.T, replace ...string) (table.Change, bool, error) {
	t.Helper()
	raw := record
	for i := 0; i < len(replace); i += 2 {
		raw = replaceOnce(t, raw, replace[i], replace[i+1])
	}
	var r events.DynamoDBEventRecord
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		t.Fatal(err)
	}
	return Decode(r)
}

func TestDecode(t *testing.T) {
	c, ok, err := decode(t, "%NAME%", "MODIFY")
	if err != nil || !ok {
		t.Fatalf("%v %v", ok, err)
	}
	if c.Seq != "4421584500000000017450439091" || c.Item.Key != (table.Key{PK: "APP#1", SK: "PAYOUT#01"}) || c.Item.Version != 3 ||
		string(c.Item.Body) != "{}" || c.Item.Counters["left"] != -7 {
		t.Errorf("read as %+v", c)
	}
	at, q, owes := work.Owed(c.Item)
	if !owes || q != work.Pay || !at.Equal(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("it owes a payment; read as %v %v %v", at, q, owes)
	}
	if _, ok, err := decode(t, "%NAME%", "REMOVE"); ok || err != nil {
		t.Errorf("an expired item is a change: %v %v", ok, err)
	}
	if _, _, err := decode(t, "%NAME%", "INSERT", `"v":{"N":"3"}`, `"v":{"BOOL":true}`); err == nil {
		t.Error("an attribute nobody writes was read")
	}
	if _, _, err := decode(t, "%NAME%", "INSERT", `"v":{"N":"3"}`, `"v":{"N":"x"}`); err == nil {
		t.Error("a version that is no number was read")
	}
}

func replaceOnce(t *testing.T, s, from, to string) string {
	t.Helper()
	if !strings.Contains(s, from) {
		t.Fatalf("%q is not in the record", from)
	}
	return strings.Replace(s, from, to, 1)
}

// FuzzDecode hands over anything as a record of the stream: what is taken for a
// change is of an item with a key and a version.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"INSERT", "MODIFY", "REMOVE"} {
		f.Add([]byte(strings.Replace(record, "%NAME%", name, 1)))
	}
	f.Add([]byte(`{"eventName":"INSERT","dynamodb":{"NewImage":{"pk":{"NULL":true}}}}`))
	f.Add([]byte(`{"eventName":"INSERT","dynamodb":{"NewImage":{"pk":{"S":""},"sk":{"S":""},"v":{"N":"-1"}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r events.DynamoDBEventRecord
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		c, ok, err := Decode(r)
		if ok && (err != nil || c.Item.Key.PK == "" || c.Item.Key.SK == "" || c.Item.Version < 1) {
			t.Errorf("taken for a change: %+v %v", c, err)
		}
	})
}
