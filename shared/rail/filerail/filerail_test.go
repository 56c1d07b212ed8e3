package filerail_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/bankfile"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/filerail"
	"github.com/doudi-aid/doudi/shared/rail/railtest"
)

// provider is the bank as the suite needs it.
type provider struct {
	*railtest.Stand
	*world.World
	at atomic.Int64
}

func (p *provider) now() time.Time { return time.Unix(0, p.at.Load()) }
func (p *provider) Finish()        { p.at.Add(int64(time.Second)) }

func (p *provider) Credits(reference string) int {
	n := 0
	for _, e := range p.Book(world.Filter{Reference: reference}) {
		if e.Status == bank.Paid {
			n++
		}
	}
	return n
}

func open(t *testing.T, scenario, layout string) (rail.Files, *provider) {
	t.Helper()
	s, err := world.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{}
	p.at.Store(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC).UnixNano())
	keys := world.LocalKeys("files")
	if p.World, err = world.New(world.Options{Keys: keys, Seed: "files", Now: p.now, Scenario: s, AdoptStrangers: true, FileLayout: layout}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.Stand = railtest.NewStand(t, p.Handler(), func(h http.Header) {
		h.Set(bank.HeaderSignature, strings.Repeat("A", len(h.Get(bank.HeaderSignature))))
	})
	c, err := bank.New(keys.BankConfig(p.URL, nil, p.now, rand.Reader))
	if err != nil {
		t.Fatal(err)
	}
	line, err := filerail.New(c, layout)
	if err != nil {
		t.Fatal(err)
	}
	return line, p
}

func TestContract(t *testing.T) {
	t.Parallel()
	for _, layout := range bankfile.Names() {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			railtest.RunFiles(t, func(t *testing.T) (rail.Files, railtest.FileProvider) { return open(t, "", layout) })
		})
	}
}

func TestALayoutThatIsNotShipped(t *testing.T) {
	t.Parallel()
	line, _ := open(t, "", "yikatong-1")
	if _, err := filerail.New(&bank.Client{}, "none"); err == nil {
		t.Error("a layout of nothing")
	}
	f := railtest.File(line, 1, 1)
	f.Layout = "none"
	if _, err := line.Encode(f); err == nil {
		t.Error("a file in no layout")
	}
	if _, err := line.Read("none", nil); err == nil || fault.Of(err).Kind == fault.Invalid {
		t.Errorf("a return file in a layout that is gone is no bad return file: %v", err)
	}
}

// TestWhatTheBankSaysOfAFile: every word, from a question and from a send.
func TestWhatTheBankSaysOfAFile(t *testing.T) {
	t.Parallel()
	const rule = "[[rule]]\nservice=\"bank\"\nop=\"file_send\"\neffect=\"code\"\ncode=\""
	for name, c := range map[string]struct {
		scenario string
		sent     payout.Word
		asked    payout.Word
		alarm    string
	}{
		"it goes well":     {"", payout.Processing, payout.Processing, ""},
		"rejected whole":   {"[[rule]]\nservice=\"bank\"\nop=\"file_send\"\neffect=\"reject\"\ncode=\"BAD_FILE\"", payout.Silence, payout.Declined, ""},
		"busy":             {rule + "BANK_BUSY\"", payout.Silence, payout.NotFound, ""},
		"no money":         {rule + "INSUFFICIENT_FUNDS\"", payout.Short, payout.NotFound, ""},
		"our keys":         {rule + "NO_AGREEMENT\"", payout.Refused, payout.NotFound, "bank-line-refused"},
		"another under it": {rule + "DUPLICATE_DIFFERENT\"", payout.Conflict, payout.NotFound, ""},
	} {
		line, _ := open(t, c.scenario, "yikatong-1")
		f := railtest.File(line, 1, 2)
		raw, err := line.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		if s := line.Send(t.Context(), f.ID, raw); s.Word != c.sent || s.Alarm != c.alarm {
			t.Errorf("%s: a send brought %q (%s), alarm %q", name, s.Word, s.Code, s.Alarm)
		}
		if s := line.Query(t.Context(), f.ID); s.Word != c.asked {
			t.Errorf("%s: a question brought %q (%s)", name, s.Word, s.Code)
		}
	}
}

// TestWhatAReturnFileSaysOfALine: only a reason that we know ends anything.
func TestWhatAReturnFileSaysOfALine(t *testing.T) {
	t.Parallel()
	const line1 = "[[rule]]\nservice=\"bank\"\nop=\"file_line\"\norder=1\n"
	lie := func(l string) string {
		return "[[rule]]\nservice=\"bank\"\nop=\"file_return\"\neffect=\"lie\"\nlie=\"" + l + "\""
	}
	for name, c := range map[string]struct {
		scenario string
		wait     time.Duration
		want     []payout.Word // of lines 1 and 2; nil: the file is refused
	}{
		"paid":            {"", time.Second, []payout.Word{payout.Succeeded, payout.Succeeded}},
		"failed":          {line1 + "effect=\"fail\"\ncode=\"NAME_MISMATCH\"", time.Second, []payout.Word{payout.Declined, payout.Succeeded}},
		"unknown reason":  {line1 + "effect=\"fail\"\ncode=\"WEATHER\"", time.Second, []payout.Word{payout.Silence, payout.Succeeded}},
		"slow":            {line1 + "effect=\"processing\"\nafter=\"1h\"", time.Second, []payout.Word{payout.Silence, payout.Succeeded}},
		"slow, then paid": {line1 + "effect=\"processing\"\nafter=\"1h\"", 2 * time.Hour, []payout.Word{payout.Succeeded, payout.Succeeded}},
		"sent back":       {line1 + "effect=\"return\"\nafter=\"24h\"", 25 * time.Hour, []payout.Word{payout.SentBack, payout.Succeeded}},
		"unknown code":    {lie("unknown_code"), time.Second, []payout.Word{payout.Silence, payout.Succeeded}},
		"partial":         {lie("partial"), time.Second, []payout.Word{payout.Succeeded}},
		"wrong totals":    {lie("wrong_totals"), time.Second, nil},
		"wrong digest":    {lie("bad_digest"), time.Second, nil},
		"cut short":       {lie("cut_short"), time.Second, nil},
		"duplicate line":  {lie("duplicate_line"), time.Second, nil},
	} {
		line, p := open(t, c.scenario, "yikatong-1")
		f := railtest.File(line, 1, 2)
		raw, err := line.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		line.Send(t.Context(), f.ID, raw)
		p.at.Add(int64(c.wait))
		s := line.Query(t.Context(), f.ID)
		raw, ok := line.Fetch(t.Context(), f.ID, s.Edition)
		if !ok {
			t.Fatalf("%s: no return file", name)
		}
		r, err := line.Read(f.Layout, raw)
		if c.want == nil {
			if fault.Of(err).Kind != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(r.Lines) != len(c.want) {
			t.Fatalf("%s: %v", name, err)
		}
		for i, l := range r.Lines {
			if l.Word != c.want[i] {
				t.Errorf("%s: line %d says %q (%s)", name, i+1, l.Word, l.Code)
			}
			if l.Word == payout.Succeeded && l.BankReference == "" {
				t.Errorf("%s: a payment without the bank's number", name)
			}
		}
	}
}
