package e2e

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// pages is a log that may be written and read at once.
type pages struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (p *pages) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.Write(b)
}

func (p *pages) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Split(strings.TrimSpace(p.all.String()), "\n")
}

// From the phone's request to the bank and back to the phone: one trace id in
// the case's items, in every step's log line and on every event of the machine.
func TestOneTraceFromPhoneToBankAndBack(t *testing.T) {
	t.Parallel()
	log := &pages{}
	s := start(t, func(o *local.Options) { o.Log, o.Level = log, slog.LevelInfo })
	out := play(t, s, "320400")
	var a application.Application
	for _, id := range regexp.MustCompile(`[0-9a-z]{26}`).FindAllString(out, -1) {
		if got, err := application.Get(t.Context(), s.Table, id); err == nil {
			a = got
		}
	}
	if a.Trace == "" {
		t.Fatalf("the case has no trace: %+v\n%s", a, out)
	}
	page, err := s.Table.Query(t.Context(), table.Query{PK: application.Partition(a.ID)})
	if err != nil {
		t.Fatal(err)
	}
	nouns := map[string]int{}
	for _, item := range page.Items {
		if !event.Is(item.Key) {
			continue
		}
		e, err := event.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		nouns[e.Noun]++
		// What a person does belongs to that person's own request, which is named too.
		if e.Trace == "" || e.Actor.Kind == event.System && e.Trace != a.Trace {
			t.Errorf("%s %s by %s has trace %q, the case %q", e.Noun, e.Kind, e.Actor.Kind, e.Trace, a.Trace)
		}
	}
	if nouns["application"] < 3 || nouns["payout"] < 3 || nouns["notice"] == 0 {
		t.Errorf("events of %v", nouns)
	}
	done := map[string]int{}
	for _, text := range log.lines() {
		var line struct{ Msg, Queue, Trace string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("not a line: %s", text)
		}
		if line.Msg == "message done" && line.Trace == a.Trace {
			done[line.Queue]++
		}
	}
	for _, q := range []string{"verify", "pay", "settle", "notify"} {
		if done[q] == 0 {
			t.Errorf("no line of %s has the trace; %v", q, done)
		}
	}
}
