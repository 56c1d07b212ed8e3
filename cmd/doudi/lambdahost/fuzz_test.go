package lambdahost

import (
	"encoding/json"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
)

// FuzzFilter holds any event to any filter pattern. Neither brings the host down; a
// pattern that is taken passes what it passes whatever else the event has, and passes
// nothing that lacks a name it asks for.
func FuzzFilter(f *testing.F) {
	for pattern, event := range map[string]string{
		`{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"duepk":{"S":[{"exists":true}]}}}}`: `{"eventName":"INSERT","dynamodb":{"NewImage":{"duepk":{"S":"DUE#01"}}}}`,
		`{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"EVENT#"}]}}}}`:                                    `{"dynamodb":{"Keys":{"sk":{"S":"EVENT#x"}}}}`,
		`{"a":[[1]]}`: `{"a":[1]}`, `{"a":[{"exists":true,"prefix":"x"}]}`: `{"a":{}}`, `{"a":[null,1,"x"]}`: `{"a":null}`, `{"a":[]}`: `[]`, `{"a":{}}`: `{"a":7}`, `{"a":1}`: `{}`, `{}`: `{}`,
		`{"a":[{"x":[]}]}`: `{"a":{"x":[]}}`,
	} {
		f.Add(pattern, event)
	}
	f.Fuzz(func(t *testing.T, text, event string) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		var value any
		if json.Unmarshal([]byte(event), &value) != nil || !p.matches(value) {
			return
		}
		object, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("%s passes %s", text, event)
		}
		object["something else"] = 1.0
		if !p.matches(object) && p["something else"] == nil {
			t.Errorf("%s passes no more %s", text, event)
		}
		for name := range p {
			kept := object[name]
			delete(object, name)
			if p.matches(object) {
				t.Errorf("%s passes %s without %s", text, event, name)
			}
			object[name] = kept
		}
	})
}

// FuzzFailures has a function answer anything to a batch: what is given back is of the
// batch, or the answer counts for nothing and the whole batch comes again.
func FuzzFailures(f *testing.F) {
	batch := []cloud.Message{{ID: "a"}, {ID: "b"}}
	for _, s := range []string{"", "{}", `{"batchItemFailures":[{"itemIdentifier":"a"}]}`, `{"batchItemFailures":[{"itemIdentifier":"c"}]}`, `{"batchItemFailures":[{}]}`, `null`, `[]`, `"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		ids, ok := failures(answer, batch)
		for _, id := range ids {
			if !ok || id != "a" && id != "b" {
				t.Errorf("%q gives back %q", answer, id)
			}
		}
	})
}
