package redact

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingPrintsTheText(t *testing.T) {
	const canary = "canary-110101"
	v := New(canary)
	holder := struct {
		Public  string
		Private Text
		Nested  []Text
		ByKey   map[Text]int
	}{"ok", v, []Text{v}, map[Text]int{v: 1}}
	var logs bytes.Buffer
	slog.New(slog.NewJSONHandler(&logs, nil)).Info("x", "v", v, "holder", holder, "err", fmt.Errorf("bad %v", v))
	slog.New(slog.NewTextHandler(&logs, nil)).Info("x", "v", v, "holder", holder)
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	asXML, _ := xml.Marshal(v)
	out := logs.String() + string(asJSON) + string(asXML)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out += fmt.Sprintf(verb, v) + fmt.Sprintf(verb, &v) + fmt.Sprintf(verb, holder)
	}
	if strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
		t.Fatalf("the text got out:\n%s", out)
	}
	if v.Reveal() != canary || v.Empty() || !New("").Empty() || v != New(canary) {
		t.Error("Reveal, Empty or comparison is wrong")
	}
}
