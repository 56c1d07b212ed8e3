package reconciliation

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

// An amount is written in one way in each unit, so that neither is read as the other.
func TestAmountsAreWrittenInOneWay(t *testing.T) {
	t.Parallel()
	for u, c := range map[Unit]struct {
		right map[string]money.Fen
		wrong []string
	}{
		Yuan: {map[string]money.Fen{"0.00": 0, "0.01": 1, "10.00": 1000, "100000000.00": money.Max},
			[]string{"", ".", "0", "1", ".01", "0.1", "0.001", "00.01", "01.00", "-1.00", "+1.00", "1,000.00", "1.0x", "99999999999999999.00"}},
		Fen: {map[string]money.Fen{"0": 0, "1": 1, "10": 10, "10000000000": money.Max},
			[]string{"", "00", "01", "1.", "1.00", "-1", "+1", "1e3", " 1", "9223372036854775808"}},
		"jiao": {nil, []string{"1", "1.00"}},
	} {
		for text, want := range c.right {
			if got, ok := u.read(text); !ok || got != want || u.Write(want) != text {
				t.Errorf("%s: %s is %d, and is written %s", u, text, got, u.Write(want))
			}
		}
		for _, text := range c.wrong {
			if got, ok := u.read(text); ok {
				t.Errorf("%s: %q is %d", u, text, got)
			}
		}
	}
	if net(5, 3, payout.Out) != 8 || net(5, 3, payout.Back) != 2 {
		t.Error("what came back is not taken off")
	}
}

// A statement that is not there is asked for again ever less often; one that is,
// twice, a day and a week after it was ready; one that a person brought, until the
// keeper of the account signs it.
func TestWhenAStatementIsFetchedAgain(t *testing.T) {
	t.Parallel()
	day := civil.Date(2026, 11, 23)
	ready := time.Date(2026, 11, 24, 10, 0, 0, 0, calendar.Zone)
	if !Ready(day).Equal(ready) {
		t.Errorf("ready at %v", Ready(day))
	}
	for at, want := range map[time.Time]civil.Day{ready.Add(-1): day.AddDays(-1), ready: day, ready.Add(14 * time.Hour): day, ready.Add(24*time.Hour - 1): day, ready.Add(24 * time.Hour): day.AddDays(1)} {
		if got := LastReady(at); got != want {
			t.Errorf("at %v the latest is of %s, not of %s", at, got, want)
		}
	}
	h := Head{Day: day, Issue: 1, Verified: true}
	for looks, want := range []time.Time{ready.Add(24 * time.Hour), ready.Add(7 * 24 * time.Hour), {}, {}} {
		if h.Looks = looks; !h.lookAgain(ready).Equal(want) {
			t.Errorf("after %d looks: %v", looks, h.lookAgain(ready))
		}
	}
	brought := Head{Day: day, Issue: 1, Looks: 9}
	if !brought.lookAgain(ready).Equal(ready.Add(time.Hour)) {
		t.Errorf("brought by a person: %v", brought.lookAgain(ready))
	}
	for name, c := range map[string]struct {
		h                 Head
		believed, sighted bool
	}{
		"nothing":               {Head{Verified: true, ByHand: true}, false, false},
		"signed":                {Head{Issue: 1, Verified: true}, true, true},
		"of nobody to be asked": {Head{Issue: 1, ByHand: true}, true, true},
		"brought":               {Head{Issue: 1}, true, false},
	} {
		if c.h.Believed() != c.believed || c.h.Sees() != c.sighted {
			t.Errorf("%s: believed %v, sees %v", name, c.h.Believed(), c.h.Sees())
		}
	}
}

// A day's cut waits for nobody until it is old, and the machine may close it; every
// other break waits for people from the beginning.
func TestWhoseABreakIs(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 24, 10, 0, 0, 0, calendar.Zone)
	machine := event.Actor{Kind: event.System, ID: "settle"}
	for name, c := range map[string]struct {
		b           Break
		age         time.Duration
		waits, told bool
	}{
		"another, new":             {Break{Class: Amount, State: Open}, 0, true, false},
		"another, half its time":   {Break{Class: Amount, State: Open}, Escalate / 2, true, true},
		"a cut, half its time":     {Break{Class: DateCut, State: Open}, Escalate / 2, false, false},
		"a cut, a moment too soon": {Break{Class: DateCut, State: Open}, Escalate - 1, false, false},
		"a cut that is old":        {Break{Class: DateCut, State: Open}, Escalate, true, true},
		"closed":                   {Break{Class: Amount, State: Closed}, Escalate, false, false},
		"told already":             {Break{Class: Amount, State: Open, Told: since, Reminded: 100}, Escalate, true, false},
	} {
		b, at := c.b, since.Add(c.age)
		b.Since, b.Version = since, 1
		next, told := b.Tell(at)
		if b.Waits(at) != c.waits || told != c.told || (next.Version == 2) != c.told || b.Age(at) != c.age {
			t.Errorf("%s: waits %v, told %v", name, b.Waits(at), told)
		}
		closed, mended := b.mend(machine, "s", at)
		if mended != (c.b.Class == DateCut) || mended && (closed.State != Closed || closed.Version != 2 || closed.Gone != "s" || closed.Closed.By != machine) {
			t.Errorf("%s: the machine closes it: %v", name, mended)
		}
	}
	if Escalate != 48*time.Hour {
		t.Errorf("T+2 is %v", Escalate)
	}
	if _, mended := (Break{Class: DateCut, State: Closed}).mend(machine, "s", since); mended {
		t.Error("what is closed is closed again")
	}
}

// Ten townships are stopped one by one; of eleven, or of the region itself, the
// region is. Only townships and what is below them are covered by name.
func TestHowMuchIsStopped(t *testing.T) {
	t.Parallel()
	r := Region{Code: "320400000000", Divisions: []civil.DivisionCode{"320400000000", "320402000000", "320402001000", "320402001001"}}
	broken := map[civil.DivisionCode]bool{}
	for n := range 11 {
		d := civil.DivisionCode([]byte{'3', '2', '0', '4', '0', '2', '0', '1', byte('0' + n%10), byte('0' + n/10), '0', '0'})
		r.Divisions = append(r.Divisions, d)
		broken[d] = true
		causes := r.incoherent(broken)
		if want := n + 1; n < 10 && len(causes) != want || n == 10 && (len(causes) != 1 || causes[0].division != r.Code) {
			t.Errorf("%d broken: %d stopped", n+1, len(causes))
		}
	}
	if causes := r.incoherent(map[civil.DivisionCode]bool{r.Code: true}); len(causes) != 1 || causes[0].division != r.Code {
		t.Errorf("the region itself: %+v", causes)
	}
	if got := townships(r.Divisions[:4]); len(got) != 2 || got[0] != "320402001000" || got[1] != "320402001001" {
		t.Errorf("covered: %v", got)
	}
}
