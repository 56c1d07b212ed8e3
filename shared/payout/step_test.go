package payout_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

var update = flag.Bool("update", false, "write the golden table anew; then read the difference line by line")

var (
	now     = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	machine = event.Actor{Kind: event.System, ID: "settle"}
	anna    = event.Actor{Kind: event.Staff, ID: "approver-1", Person: "b1.anna"}
	bert    = event.Actor{Kind: event.Staff, ID: "finance-1", Person: "b1.bert"}
)

const amount money.Fen = 3000_00

func sample(rail award.Rail) award.Award {
	a := award.Award{ID: "01", Application: "app1", Kind: award.FirstAid, AmountFen: amount, Persons: 3, Months: 1,
		Cause: "illness", Year: 2026, Subject: "b1.person", Rail: rail, Township: "320402001000",
		Proposer: event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.c"}, Approver: anna,
		Rules: "rules", Article: "《社会救助法》第五十条", At: now}
	if rail.ByMachine() {
		a.Payee, a.Fund = "b1.account", fund.Named(fund.Relief, 2026)
	} else {
		a.Fund = fund.Named(fund.Reserve, 2026)
	}
	return a
}

// said is a full and right statement about the present attempt of p.
func said(p payout.Payout, w payout.Word) payout.Said {
	c, _ := p.Current()
	s := payout.Said{Word: w, Reference: c.Reference, Evidence: "digest-of-" + string(w)}
	switch w {
	case payout.Silence, payout.NotFound:
	default:
		s.AmountFen, s.Payee = p.Award.AmountFen, c.Payee
	}
	return s
}

// drive takes p through inputs, each a function of where p is by then.
func drive(t testing.TB, p payout.Payout, inputs ...func(payout.Payout) payout.Input) payout.Payout {
	t.Helper()
	for i, in := range inputs {
		at := p.Next
		if at.IsZero() {
			at = now.Add(time.Hour)
		}
		o, err := payout.Step(p, in(p), machine, at)
		if err != nil || o.Event == "" {
			t.Fatalf("input %d, %T in %s: %v", i, in(p), p.State, err)
		}
		p = o.Payout
	}
	return p
}

func claims(payout.Payout) payout.Input { return payout.Claim{Payee: "payee-digest"} }
func files(p payout.Payout) payout.Input {
	return payout.Claim{Payee: "payee-digest", File: "file1", Line: len(p.Attempts) + 7}
}
func thaws(payout.Payout) payout.Input { return payout.Thaw{First: anna, Second: bert} }
func retry(payout.Payout) payout.Input {
	return payout.Retry{Payee: "b1.second", First: anna, Second: bert}
}
func cancel(payout.Payout) payout.Input { return payout.Cancel{} }
func overBank(payout.Payout) payout.Input {
	return payout.Retry{Rail: award.Bank, Payee: "b1.account", First: anna, Second: bert}
}
func packaged(p payout.Payout) payout.Input {
	s := said(p, payout.Awaits)
	s.Packaged = true
	return payout.Reply{Said: s}
}
func reply(w payout.Word) func(payout.Payout) payout.Input {
	return func(p payout.Payout) payout.Input { return payout.Reply{Said: said(p, w)} }
}
func answer(w payout.Word) func(payout.Payout) payout.Input {
	return func(p payout.Payout) payout.Input { return payout.Answer{Said: said(p, w)} }
}
func news(w payout.Word) func(payout.Payout) payout.Input {
	return func(p payout.Payout) payout.Input { return payout.News{Said: said(p, w)} }
}

// situations are payouts in every state, and in every shade of it that matters.
func situations(t testing.TB) []struct {
	name string
	p    payout.Payout
} {
	fresh := payout.New(sample(award.Bank))
	unknown := drive(t, fresh, claims, reply(payout.Silence))
	asked := payout.New(sample(award.WxPay))
	waiting := drive(t, asked, claims, packaged)
	closing := drive(t, waiting, cancel)
	failed := drive(t, unknown, answer(payout.Declined))
	paid := drive(t, unknown, answer(payout.Succeeded))
	filed := drive(t, payout.New(sample(award.BankBatch)), files)
	last := unknown
	for range payout.MaxRetries {
		last = drive(t, last, answer(payout.Retryable), claims, reply(payout.Silence))
	}
	return []struct {
		name string
		p    payout.Payout
	}{
		{"due", fresh},
		{"due, cash", payout.New(sample(award.ReserveCash))},
		{"due, after a failed attempt", drive(t, unknown, answer(payout.Retryable))},
		{"due, after it came back", drive(t, paid, answer(payout.SentBack), retry)},
		{"instructing", drive(t, fresh, claims)},
		{"submitted", drive(t, fresh, claims, reply(payout.Processing))},
		{"unknown", unknown},
		{"unknown, last attempt", last},
		{"unknown, second attempt", drive(t, unknown, answer(payout.Retryable), claims, reply(payout.Silence))},
		{"unknown, reservation voided", drive(t, failed, news(payout.Succeeded))},
		{"resend", drive(t, unknown, answer(payout.NotFound))},
		{"unknown, refused", drive(t, asked, claims, reply(payout.Refused))},
		{"resend, to confirm", drive(t, asked, claims, reply(payout.Silence), answer(payout.Awaits))},
		{"waiting", waiting},
		{"waiting, asked", drive(t, waiting, answer(payout.Awaits))},
		{"submitted, accepted by the person", drive(t, waiting, answer(payout.Processing))},
		{"closing", closing},
		{"failed, closed", drive(t, closing, answer(payout.Closed))},
		{"due, closed and over the bank now", drive(t, closing, answer(payout.Closed), overBank)},
		{"paid", paid},
		{"paid, being asked", drive(t, paid, news(payout.Declined))},
		{"failed", failed},
		{"returned", drive(t, paid, answer(payout.SentBack))},
		{"due, for a file", payout.New(sample(award.BankBatch))},
		{"due, for a file, after one that was rejected", drive(t, filed, answer(payout.Retryable))},
		{"due, for a file, after it came back", drive(t, filed, answer(payout.Succeeded), answer(payout.SentBack), retry)},
		{"in a file", filed},
		{"in a file, paid", drive(t, filed, answer(payout.Succeeded))},
		{"in a file, failed", drive(t, filed, answer(payout.Declined))},
		{"in a file, reservation voided", drive(t, filed, answer(payout.Declined), news(payout.Succeeded))},
		{"in a file, frozen", drive(t, filed, answer(payout.Conflict))},
		{"in a file, thawed", drive(t, filed, answer(payout.Conflict), thaws)},
		{"frozen, was unknown", drive(t, unknown, news(payout.Conflict))},
		{"frozen, was paid", drive(t, paid, answer(payout.Conflict))},
		{"frozen, was failed", drive(t, failed, news(payout.Conflict))},
	}
}

type input struct {
	name string
	in   payout.Input
}

// everything is every input that can happen to p, with its right and wrong variants.
func everything(p payout.Payout) []input {
	list := []input{
		{"claim", payout.Claim{Payee: "payee-digest"}},
		{"claim for a file", files(p)},
		{"held", payout.Held{}},
		{"cancel", payout.Cancel{}},
		{"reply awaits, packaged", packaged(p)},
		{"retry", payout.Retry{Payee: "b1.second", First: anna, Second: bert}},
		{"thaw", payout.Thaw{First: anna, Second: bert}},
		{"cash", payout.Cash{Receipt: strings.Repeat("a", 64)}},
	}
	add := func(name string, s payout.Said) {
		list = append(list, input{"reply " + name, payout.Reply{Said: s}}, input{"answer " + name, payout.Answer{Said: s}},
			input{"news " + name, payout.News{Said: s}})
	}
	for _, w := range payout.Words() {
		add(string(w), said(p, w))
	}
	for _, w := range []payout.Word{payout.Succeeded, payout.Processing} {
		s := said(p, w)
		s.AmountFen--
		add(string(w)+", less money", s)
		s = said(p, w)
		s.Payee = "somebody else"
		add(string(w)+", other payee", s)
		s = said(p, w)
		s.AmountFen, s.Payee = 0, ""
		add(string(w)+", without particulars", s)
	}
	for _, w := range []payout.Word{payout.Succeeded, payout.Declined} {
		s := said(p, w)
		s.Reference = payout.Reference("another", "01", 1)
		add(string(w)+", not our reference", s)
		if len(p.Attempts) > 1 {
			s.Reference = p.Attempts[0].Reference
			add(string(w)+", earlier attempt", s)
		}
	}
	return list
}

// TestEveryStepGolden is the whole machine on paper: state × input. Whatever is
// not listed changes nothing.
func TestEveryStepGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/steps.golden"
	var b strings.Builder
	seen := map[payout.State]bool{}
	for _, s := range situations(t) {
		seen[s.p.State] = true
		fmt.Fprintf(&b, "%s\n", s.name)
		at := s.p.Next
		if at.IsZero() {
			at = now.Add(time.Hour)
		}
		for _, in := range everything(s.p) {
			o, err := payout.Step(s.p, in.in, machine, at)
			if err != nil {
				if !errors.Is(err, payout.ErrState) {
					t.Errorf("%s, %s: %v", s.name, in.name, err)
				}
				continue
			}
			if o.Event == "" {
				if o.Payout.Version != s.p.Version || o.Payout.State != s.p.State || len(o.Effects) != 0 {
					t.Errorf("%s, %s: no event, and yet something changed", s.name, in.name)
				}
				continue
			}
			if o.Payout.Version != s.p.Version+1 {
				t.Errorf("W01: %s, %s: version %d after %d", s.name, in.name, o.Payout.Version, s.p.Version)
			}
			var effects []string
			for _, f := range o.Effects {
				effects = append(effects, strings.TrimSpace(string(f.Kind)+" "+f.Code))
			}
			next := "rests"
			if !o.Payout.Next.IsZero() {
				next = "in " + o.Payout.Next.Sub(at).String()
			}
			fmt.Fprintf(&b, "    %-40s %-15s %-12s %-9s %s\n", in.name, o.Event, o.Payout.State, next, strings.Join(effects, ", "))
		}
	}
	for _, s := range payout.States() {
		if !seen[s] {
			t.Errorf("no situation is in state %s", s)
		}
		if s.Label() == "" {
			t.Errorf("state %s has no Chinese name", s)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the machine is no longer the one in %s; run with -update and read the difference", file)
	}
}

// Wherever a payout stands, these hold for every single input.
func TestInvariantsOfEveryStep(t *testing.T) {
	t.Parallel()
	for _, s := range situations(t) {
		for _, in := range everything(s.p) {
			at := now.Add(24 * time.Hour)
			o, err := payout.Step(s.p, in.in, machine, at)
			if err != nil || o.Event == "" {
				continue
			}
			name := s.name + ", " + in.name
			_, asked := in.in.(payout.Answer)
			if o.Payout.State != s.p.State && s.p.State == payout.Unknown && !asked && o.Payout.State != payout.Frozen {
				t.Errorf("M12: %s leaves unknown for %s without an answer", name, o.Payout.State)
			}
			for _, end := range []payout.State{payout.Paid, payout.Failed, payout.Returned} {
				_, cash := in.in.(payout.Cash)
				_, thaw := in.in.(payout.Thaw)
				if o.Payout.State == end && s.p.State != end && !asked && !cash && !thaw {
					t.Errorf("%s ends in %s without an answer", name, end)
				}
			}
			for i, a := range o.Payout.Attempts {
				if a.Reference != payout.Reference("app1", "01", i+1) || a.Number != i+1 {
					t.Errorf("M10: %s: attempt %d has reference %s", name, a.Number, a.Reference)
				}
				if i < len(o.Payout.Attempts)-1 && (a.Ended == "" || a.Evidence == "") {
					t.Errorf("M11: %s: attempt %d follows one that has not ended", name, i+2)
				}
			}
			if len(o.Payout.Attempts) > len(s.p.Attempts) && s.p.State != payout.Due {
				t.Errorf("X056: %s makes a new attempt in state %s", name, s.p.State)
			}
			if o.Payout.State == payout.Frozen && !o.Payout.Next.IsZero() {
				t.Errorf("%s: a frozen payout moves by itself", name)
			}
			if o.Payout.State.Flying() && o.Payout.Next.IsZero() && o.Payout.State != payout.InFile { // that is asked about with its file
				t.Errorf("W08: %s: nobody asks any more", name)
			}
		}
	}
}

// TestWhatGoesOverOneRailIsAskedThere: after people chose another rail, news of the
// attempt before must not be looked for at the wrong provider.
func TestWhatGoesOverOneRailIsAskedThere(t *testing.T) {
	t.Parallel()
	p := drive(t, payout.New(sample(award.WxPay)), claims, packaged, cancel, answer(payout.Closed), overBank)
	if p.Rail() != award.Bank {
		t.Errorf("the next attempt goes over %s", p.Rail())
	}
	again := drive(t, p, news(payout.Succeeded))
	if again.State != payout.Unknown || again.Rail() != award.WxPay {
		t.Errorf("%s, asked over %s", again.State, again.Rail())
	}
	if p = drive(t, p, claims, reply(payout.Silence)); p.Rail() != award.Bank {
		t.Errorf("asked over %s", p.Rail())
	}
	if _, err := payout.Step(drive(t, p, answer(payout.Declined)), payout.Retry{Rail: award.ReserveCash, Payee: "x", First: anna, Second: bert}, machine, now); !errors.Is(err, payout.ErrState) {
		t.Error("a machine's payment became cash: ", err)
	}
}

func TestX073AnyDifferenceFreezes(t *testing.T) {
	t.Parallel()
	flying := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence))
	for name, change := range map[string]func(*payout.Said){
		"one fen less":    func(s *payout.Said) { s.AmountFen-- },
		"30 % less, X040": func(s *payout.Said) { s.AmountFen = amount / 10 * 7 },
		"one fen more":    func(s *payout.Said) { s.AmountFen++ },
		"another payee":   func(s *payout.Said) { s.Payee = "x" },
		"no particulars":  func(s *payout.Said) { s.AmountFen, s.Payee = 0, "" },
	} {
		s := said(flying, payout.Succeeded)
		change(&s)
		for _, in := range []payout.Input{payout.Answer{Said: s}, payout.News{Said: s}} {
			o, err := payout.Step(flying, in, machine, now)
			if err != nil || o.Payout.State != payout.Frozen || len(o.Alarms()) != 1 {
				t.Errorf("%s by %T: %s, alarms %v, %v", name, in, o.Payout.State, o.Alarms(), err)
			}
		}
	}
}

func TestX075FailAfterSuccess(t *testing.T) {
	t.Parallel()
	paid := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Processing), answer(payout.Succeeded))
	asked := drive(t, paid, news(payout.Declined))
	if asked.State != payout.Paid || asked.Next.IsZero() || asked.PaidFen != amount {
		t.Errorf("after the news: %+v", asked)
	}
	confirmed := drive(t, asked, answer(payout.Succeeded))
	if confirmed.State != payout.Paid || !confirmed.Next.IsZero() {
		t.Errorf("after the answer: %+v", confirmed)
	}
	contradicted := drive(t, asked, answer(payout.Declined))
	if contradicted.State != payout.Paid || contradicted.PaidFen != amount {
		t.Errorf("paid stays paid until people have looked: %+v", contradicted)
	}
}

func TestQuestionsAreSpacedOutAndAgeIsAnAlarm(t *testing.T) {
	t.Parallel()
	p := drive(t, payout.New(sample(award.Bank)), claims)
	begin, at := p.Next, p.Next
	var gaps []time.Duration
	alarm := time.Duration(0)
	for range 9 {
		o, err := payout.Step(p, payout.Answer{Said: said(p, payout.Silence)}, machine, at)
		if err != nil {
			t.Fatal(err)
		}
		p = o.Payout
		gaps = append(gaps, p.Next.Sub(at))
		if len(o.Alarms()) > 0 && alarm == 0 {
			alarm = at.Sub(begin) + payout.Lease
		}
		at = p.Next
	}
	want := "[2s 5s 15s 1m0s 5m0s 15m0s 15m0s 15m0s 15m0s]"
	if fmt.Sprint(gaps) != want || p.State != payout.Unknown {
		t.Errorf("asked after %v, want %s", gaps, want)
	}
	if alarm < payout.Unresolved || alarm > 2*payout.Unresolved {
		t.Errorf("alarm at the age of %v", alarm)
	}
	o, err := payout.Step(p, payout.Answer{Said: said(p, payout.Silence)}, machine, p.Attempts[0].At.Add(payout.Unresolved))
	if err != nil || len(o.Alarms()) != 1 {
		t.Errorf("B06: no alarm at exactly %v: %v", payout.Unresolved, err)
	}
}

func TestPeopleDecideInTwos(t *testing.T) {
	t.Parallel()
	failed := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence), answer(payout.Declined))
	frozen := drive(t, payout.New(sample(award.Bank)), claims, news(payout.Conflict))
	for name, second := range map[string]event.Actor{"the same": anna, "the same human being": {Kind: event.Staff, ID: "x", Person: anna.Person},
		"a machine": machine, "nobody known": {Kind: event.Staff, ID: "x"}} {
		if _, err := payout.Step(failed, payout.Retry{Payee: "p", First: anna, Second: second}, anna, now); !errors.Is(err, payout.ErrTwo) {
			t.Errorf("retry by %s: %v", name, err)
		}
		if _, err := payout.Step(frozen, payout.Thaw{First: anna, Second: second}, anna, now); !errors.Is(err, payout.ErrTwo) {
			t.Errorf("thaw by %s: %v", name, err)
		}
	}
	again := drive(t, failed, retry)
	if again.State != payout.Due || again.Reservation != 2 || !again.Open || again.Award.Payee != "b1.second" {
		t.Errorf("retried: %+v", again)
	}
	if ref, n := again.NextReference(); n != 2 || ref == again.Attempts[0].Reference || len(ref) > 32 || strings.Trim(ref, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		t.Errorf("next reference %q of attempt %d", ref, n)
	}
	if _, err := payout.Step(payout.New(sample(award.ReserveCash)), payout.Cash{Receipt: "short"}, anna, now); !errors.Is(err, payout.ErrReceipt) {
		t.Errorf("cash without a receipt: %v", err)
	}
}

// Two are two human beings: members of staff with different accounts whose
// persons are known and differ. Each of these is missed by itself, whoever of the
// two it is missed at.
func TestWhoTwoPeopleAre(t *testing.T) {
	t.Parallel()
	failed := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence), answer(payout.Declined))
	for name, other := range map[string]event.Actor{
		"a machine that has a person": {Kind: event.System, ID: "x", Person: "b1.x"},
		"an applicant":                {Kind: event.Citizen, ID: "x", Person: "b1.x"},
		"one account of two persons":  {Kind: event.Staff, ID: anna.ID, Person: "b1.x"},
		"one person of two accounts":  {Kind: event.Staff, ID: "x", Person: anna.Person},
		"a person nobody knows":       {Kind: event.Staff, ID: "x"},
		"nobody":                      {},
	} {
		for _, pair := range [][2]event.Actor{{anna, other}, {other, anna}} {
			in := payout.Retry{Payee: "b1.second", First: pair[0], Second: pair[1]}
			if _, err := payout.Step(failed, in, anna, now); !errors.Is(err, payout.ErrTwo) {
				t.Errorf("%s and anna, first %s: %v", name, pair[0].ID, err)
			}
		}
	}
}

// Since says for how long a payout has been where it is: from when it got there,
// not from when it was last asked about.
func TestSinceWhenItIsWhereItIs(t *testing.T) {
	t.Parallel()
	p := drive(t, payout.New(sample(award.Bank)), claims)
	if !p.Since.Equal(now) {
		t.Errorf("claimed at %v, there since %v", now, p.Since)
	}
	p = drive(t, p, reply(payout.Silence))
	got := p.Since
	if !got.Equal(now.Add(payout.Lease)) {
		t.Errorf("unknown since %v", got)
	}
	if p = drive(t, p, answer(payout.Silence), answer(payout.Silence)); p.State != payout.Unknown || !p.Since.Equal(got) {
		t.Errorf("unknown since %v, and after it was asked twice since %v", got, p.Since)
	}
}

// An order is overdue at an age that depends on who has the word: the provider a
// quarter of an hour, the person a day and then the provider as long again; of what
// is taken back it is counted from when somebody asked for it.
func TestWhenAnOrderIsOverdue(t *testing.T) {
	t.Parallel()
	const patience, day = 15 * time.Minute, 24 * time.Hour
	if payout.Unresolved != patience || payout.Confirmation != day {
		t.Fatalf("%v, %v", payout.Unresolved, payout.Confirmation)
	}
	unknown := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence))
	waiting := drive(t, payout.New(sample(award.WxPay)), claims, packaged)
	closing := drive(t, waiting, cancel)
	for name, c := range map[string]struct {
		p    payout.Payout
		word payout.Word
		from time.Time
		late time.Duration
	}{
		"nobody knows":                   {unknown, payout.Silence, unknown.Attempts[0].At, patience},
		"the person has the word":        {waiting, payout.Awaits, waiting.Attempts[0].At, day + patience},
		"after the person had the word":  {waiting, payout.Processing, waiting.Attempts[0].At, day + patience},
		"taken back, and not proven yet": {closing, payout.Processing, closing.Since, patience},
	} {
		for _, at := range []struct {
			age  time.Duration
			want int
		}{{c.late - 1, 0}, {c.late, 1}, {c.late + 1, 1}} {
			o, err := payout.Step(c.p, answer(c.word)(c.p), machine, c.from.Add(at.age))
			if err != nil || len(o.Alarms()) != at.want || at.want == 1 && o.Alarms()[0] != payout.AlarmUnresolved {
				t.Errorf("%s for %v: alarms %v, %v", name, at.age, o.Alarms(), err)
			}
		}
	}
}

// While our account is short there is no hurry, and what is not the payee's fault
// is not tried for ever.
func TestWhileOurAccountIsShort(t *testing.T) {
	t.Parallel()
	p := drive(t, payout.New(sample(award.Bank)), claims)
	at := p.Next
	o, err := payout.Step(p, reply(payout.Short)(p), machine, at)
	if err != nil || o.Payout.State != payout.Unknown || o.Payout.Next.Sub(at) != 15*time.Minute || o.Payout.Asked != 1 {
		t.Errorf("asked after %v, answers %d, %v", o.Payout.Next.Sub(at), o.Payout.Asked, err)
	}
	p = o.Payout
	for n := range payout.MaxRetries {
		at = p.Next
		if o, err = payout.Step(p, answer(payout.Short)(p), machine, at); err != nil || o.Payout.State != payout.Due || o.Payout.Next.Sub(at) != 15*time.Minute || o.Payout.Retries != n+1 {
			t.Fatalf("retry %d: %s after %v, counted %d, %v", n+1, o.Payout.State, o.Payout.Next.Sub(at), o.Payout.Retries, err)
		}
		p = drive(t, o.Payout, claims, reply(payout.Silence))
	}
	if p = drive(t, p, answer(payout.Short)); p.State != payout.Failed || len(p.Attempts) != payout.MaxRetries+1 {
		t.Errorf("after %d attempts: %s", len(p.Attempts), p.State)
	}
}

// A statement with an amount and no payee, or a payee and no amount, is not the
// one we know; one without either is only believed where it ends nothing. What is
// no statement at all differs from nothing.
func TestHalfAStatementIsADifference(t *testing.T) {
	t.Parallel()
	p := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence))
	for name, c := range map[string]struct {
		word   payout.Word
		amount money.Fen
		payee  string
		frozen bool
	}{
		"both":                          {payout.Processing, amount, "payee-digest", false},
		"neither":                       {payout.Processing, 0, "", false},
		"neither, and paid":             {payout.Succeeded, 0, "", true},
		"neither, and come back":        {payout.SentBack, 0, "", true},
		"no payee":                      {payout.Processing, amount, "", true},
		"no amount":                     {payout.Processing, 0, "payee-digest", true},
		"silence with another amount":   {payout.Silence, 1, "payee-digest", false},
		"not found with another amount": {payout.NotFound, 1, "payee-digest", false},
	} {
		s := said(p, c.word)
		s.AmountFen, s.Payee = c.amount, c.payee
		o, err := payout.Step(p, payout.Answer{Said: s}, machine, p.Next)
		if err != nil || (o.Payout.State == payout.Frozen) != c.frozen {
			t.Errorf("%s: %s, %v", name, o.Payout.State, err)
		}
	}
}

// Bytes that were refused are not sent again until people have looked, and then
// they may be.
func TestWhatWasRefusedIsForPeople(t *testing.T) {
	t.Parallel()
	p := drive(t, payout.New(sample(award.WxPay)), claims, reply(payout.Refused), answer(payout.NotFound))
	if p.State != payout.Frozen || p.Was != payout.Unknown {
		t.Fatalf("refused and not there: %s, was %s", p.State, p.Was)
	}
	if p = drive(t, p, thaws, answer(payout.NotFound)); p.State != payout.Resend {
		t.Errorf("after two people looked: %s", p.State)
	}
}

// Of what a step implies, the order to the rail and the request to take it back
// are what the caller carries out itself.
func TestWhatTheCallerCarriesOut(t *testing.T) {
	t.Parallel()
	fresh := payout.New(sample(award.WxPay))
	waiting := drive(t, fresh, claims, packaged)
	closing := drive(t, waiting, cancel)
	for name, c := range map[string]struct {
		p             payout.Payout
		in            func(payout.Payout) payout.Input
		sends, closes bool
	}{
		"claimed":            {fresh, claims, true, false},
		"the person is told": {drive(t, fresh, claims), packaged, false, false},
		"asked to take back": {waiting, cancel, false, false},
		"still with them":    {closing, answer(payout.Awaits), false, true},
		"closed":             {closing, answer(payout.Closed), false, false},
	} {
		o, err := payout.Step(c.p, c.in(c.p), machine, now.Add(time.Hour))
		if err != nil || o.Sends() != c.sends || o.Closes() != c.closes {
			t.Errorf("%s: sends %v, closes %v, %v", name, o.Sends(), o.Closes(), err)
		}
	}
}
