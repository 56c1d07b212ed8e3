package notice

import (
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

var (
	t0    = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	cause = event.Event{PK: "APP#x", Noun: "payout", ID: "01", Version: 4, Kind: "paid", At: t0,
		Actor: event.Actor{Kind: event.Provider, ID: "bank"}, Facts: event.Facts{"amount_fen": money.Fen(300000)}}
	machine = event.Actor{Kind: event.System, ID: "notify"}
)

func owed(t *testing.T) Notice {
	t.Helper()
	w, err := Owe(Paid, cause)
	if err != nil {
		t.Fatal(err)
	}
	item := w.(table.Put).Item
	if at, q, ok := work.Owed(item); !ok || q != work.Notify || !at.Equal(t0) {
		t.Fatalf("an owed notice owes %v %v %v", at, q, ok)
	}
	n, err := Decode(item)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestChannels(t *testing.T) {
	both := []Channel{SMS, WeChat}
	for name, c := range map[string]struct {
		outcomes []Outcome // of the channels as they come up
		reach    []Channel
		want     []Channel
		state    State
	}{
		"taken at once":                {[]Outcome{Taken}, both, []Channel{WeChat}, Sent},
		"refused falls back":           {[]Outcome{Refusal, Taken}, both, []Channel{WeChat, SMS}, Sent},
		"unclear is never repeated":    {[]Outcome{Unclear, Unclear}, both, []Channel{WeChat, SMS}, Owed},
		"busy comes again":             {[]Outcome{Busy, Busy, Taken}, both, []Channel{WeChat, WeChat, WeChat}, Sent},
		"busy for too long falls back": {[]Outcome{Busy, Busy, Busy, Busy, Busy, Busy, Taken}, both, []Channel{WeChat, WeChat, WeChat, WeChat, WeChat, WeChat, SMS}, Sent},
		"no phone":                     {[]Outcome{Refusal}, []Channel{WeChat}, []Channel{WeChat}, Owed},
	} {
		n, now := owed(t), t0
		for i, o := range c.outcomes {
			ch, ok := n.Next(c.reach)
			if !ok || ch != c.want[i] {
				t.Fatalf("%s: try %d goes to %q %v, want %s", name, i, ch, ok, c.want[i])
			}
			claimed := n.Claim(ch, now)
			if claimed.State != Sending || claimed.Due != now.Add(Lease) || claimed.Version != n.Version+1 {
				t.Fatalf("%s: claim %+v", name, claimed)
			}
			n = claimed.Settle(o, "c", now)
			if o == Busy && !n.Due.After(now) {
				t.Errorf("%s: busy is due again at once", name)
			}
		}
		if n.State != c.state {
			t.Errorf("%s: ends %s, want %s", name, n.State, c.state)
		}
		if _, ok := n.Next(c.reach); n.State == Owed && ok {
			t.Errorf("%s: a spent channel is offered again", name)
		}
	}
}

func TestADeadTryIsNotRepeated(t *testing.T) {
	n := owed(t).Claim(WeChat, t0)
	if c, ok := n.Next(Channels()); !ok || c != SMS {
		t.Errorf("after a try that died, %q is next", c)
	}
}

func TestFinalOutcomeIsAnEvent(t *testing.T) {
	n := owed(t).Claim(WeChat, t0)
	writes, err := n.Replace(machine, t0)
	if err != nil || len(writes) != 1 {
		t.Fatalf("a claim writes %d items, %v", len(writes), err)
	}
	for _, final := range []Notice{n.Settle(Taken, "0", t0), n.Settle(Refusal, "43101", t0).GiveUp("320402005000")} {
		writes, err = final.Replace(machine, t0)
		if err != nil || len(writes) != 2 {
			t.Fatalf("a final outcome writes %d items, %v", len(writes), err)
		}
		item := writes[0].(table.Replace).Item
		if _, _, owes := work.Owed(item); owes {
			t.Error("a final notice still owes work")
		}
		if final.State == Unsent && (len(item.Places) != 1 || item.Places[0].Index != table.ByWork) {
			t.Error("nobody is asked to call a person whom no channel reached")
		}
		ev, err := event.Decode(writes[1].(table.Put).Item)
		if err != nil || ev.Version != final.Version || ev.Kind != string(final.State) {
			t.Errorf("event %+v, %v", ev, err)
		}
	}
	if _, err := Owe("gossip", cause); err == nil {
		t.Error("an unknown kind is owed")
	}
}

func TestWords(t *testing.T) {
	for _, k := range Kinds() {
		w := Notice{Kind: k, Facts: cause.Facts}.Words()
		if w.Title == "" || w.Text == "" || w.Hint == "" || utf8.RuneCountInString(w.Title) > 5 || utf8.RuneCountInString(w.Hint) > 20 || utf8.RuneCountInString(w.Text) > 70 {
			t.Errorf("%s: %+v (%d characters)", k, w, utf8.RuneCountInString(w.Text))
		}
		if strings.Contains(w.Text, "http") || strings.ContainsAny(w.Text, "【】") {
			t.Errorf("%s: %s", k, w.Text)
		}
	}
	if w := owed(t).Words(); w.Amount != "¥3000.00" {
		t.Errorf("the amount survives storage as %s", w.Amount)
	}
}

// Whoever deploys has to have a template approved for each kind.
func TestTheGuideNamesEveryKind(t *testing.T) {
	guide, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Kinds() {
		if !strings.Contains(string(guide), "`"+string(k)+"`") {
			t.Errorf("docs/deploy.md does not name %s", k)
		}
	}
}
