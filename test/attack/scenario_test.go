package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
)

// shipped loads a scenario that comes with the world.
func (o *office) shipped(t *testing.T, name string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "cmd", "doudi", "world", "scenarios", name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	o.scenario(t, string(raw))
}

// rule is one rule of a scenario.
func rule(service, op, effect string, more ...string) string {
	s := fmt.Sprintf("[[rule]]\nservice = %q\nop = %q\neffect = %q\n", service, op, effect)
	for i := 0; i+1 < len(more); i += 2 {
		s += more[i] + " = " + more[i+1] + "\n"
	}
	return s
}

// farthest is how much time a wait lets go by: more than anything that is owed
// takes, and less than there is to the end of the year.
const farthest = 60 * 24 * time.Hour

// onwards lets time pass in steps until done: whatever is owed later comes due.
func (o *office) onwards(t *testing.T, what string, step time.Duration, done func() bool) {
	t.Helper()
	until(t, what, func() bool {
		if done() {
			return true
		}
		if o.clock.gone() < farthest {
			o.pass(t, step)
		}
		return false
	})
}

// What the bank can do to one payment (answers without end, X114, among it), and what must become of it. Whatever it
// is, the money is there once, or it is not there and a person has the case.
func TestTheBankMisbehaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules string
		want  payout.State
		holds []string // open in the end
		step  time.Duration
	}{
		"O04 timeout, never received":  {rule("bank", "send", "cut_before", "nth", "[1]"), payout.Paid, nil, time.Minute},
		"O05 timeout, received":        {rule("bank", "send", "cut_after", "nth", "[1]"), payout.Paid, nil, time.Minute},
		"O07 5xx, done":                {rule("bank", "send", "status", "nth", "[1]", "status", "502", "done", "true"), payout.Paid, nil, time.Minute},
		"O08 5xx, not done":            {rule("bank", "send", "status", "nth", "[1, 2]", "status", "503"), payout.Paid, nil, time.Minute},
		"O12 throttled":                {rule("bank", "send", "code", "nth", "[1, 2]", "code", `"RATE_LIMITED"`), payout.Paid, nil, time.Minute},
		"O02 busy, said so":            {rule("bank", "send", "code", "nth", "[1, 2]", "code", `"BANK_BUSY"`), payout.Paid, nil, time.Minute},
		"short of funds":               {rule("bank", "send", "code", "nth", "[1, 2]", "code", `"INSUFFICIENT_FUNDS"`), payout.Paid, nil, 8 * time.Minute},
		"O09 long processing":          {rule("bank", "send", "processing", "after", `"2h"`), payout.Paid, nil, 8 * time.Minute},
		"O10 processing, then failure": {rule("bank", "send", "processing", "after", `"2h"`, "code", `"NOT_ACTIVATED"`), payout.Failed, []string{payout.HoldFailed}, 8 * time.Minute},
		"O03 failure":                  {rule("bank", "send", "fail", "code", `"ACCOUNT_CLOSED"`), payout.Failed, []string{payout.HoldFailed}, time.Minute},
		"a rejection that is no proof": {rule("bank", "send", "code", "nth", "[1]", "code", `"ACCOUNT_CLOSED"`), payout.Paid, nil, time.Minute},
		"O11 conflict":                 {rule("bank", "send", "code", "nth", "[1]", "code", `"DUPLICATE_DIFFERENT"`), payout.Frozen, []string{payout.HoldFrozen}, time.Minute},
		"every query lost at first":    {rule("bank", "send", "cut_after") + rule("bank", "query", "cut_before", "nth", "[1, 2, 3]"), payout.Paid, nil, time.Minute},
		"queries 5xx":                  {rule("bank", "query", "status", "nth", "[1, 2, 3]", "status", "500"), payout.Paid, nil, time.Minute},
		"forged answer":                {rule("bank", "send", "lie", "lie", `"bad_signature"`) + rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"bad_signature"`), payout.Paid, nil, time.Minute},
		"probe":                        {rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"probe_signature"`), payout.Paid, nil, time.Minute},
		"unsigned":                     {rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"no_signature"`), payout.Paid, nil, time.Minute},
		"stale":                        {rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"stale_timestamp"`), payout.Paid, nil, time.Minute},
		"an old answer":                {rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"old_answer"`), payout.Paid, nil, time.Minute},
		"about another payment":        {rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"other_reference"`), payout.Paid, nil, time.Minute},
		"garbage":                      {rule("bank", "query", "lie", "nth", "[1, 2]", "lie", `"garbage"`), payout.Paid, nil, time.Minute},
		"bad charset":                  {rule("bank", "query", "lie", "nth", "[1]", "lie", `"bad_charset"`), payout.Paid, nil, time.Minute},
		"endless":                      {rule("bank", "query", "lie", "nth", "[1]", "lie", `"endless_body"`), payout.Paid, nil, time.Minute},
		"redirect":                     {rule("bank", "query", "lie", "nth", "[1]", "lie", `"redirect"`), payout.Paid, nil, time.Minute},
		"wrong person":                 {rule("bank", "query", "lie", "lie", `"wrong_person"`), payout.Frozen, []string{payout.HoldFrozen}, time.Minute},
		"wrong amount in a callback":   {rule("bank", "callback", "lie", "lie", `"wrong_amount"`) + rule("bank", "query", "cut_before"), payout.Frozen, []string{payout.HoldFrozen}, time.Minute},
		"callbacks lost":               {rule("bank", "callback", "drop"), payout.Paid, nil, time.Minute},
		"callbacks five times":         {rule("bank", "callback", "repeat", "times", "5"), payout.Paid, nil, time.Minute},
		"callbacks forged":             {rule("bank", "callback", "lie", "lie", `"bad_signature"`), payout.Paid, nil, time.Minute},
		"came back": {rule("bank", "send", "return", "after", `"72h"`, "code", `"ACCOUNT_FROZEN"`), payout.Returned,
			[]string{payout.HoldReturned}, 6 * time.Hour},
		"came back, nobody told us": {rule("bank", "send", "return", "after", `"1ms"`) + rule("bank", "callback", "drop"), payout.Returned,
			[]string{payout.HoldReturned}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := own(t, func(*local.Options) {})
			o.scenario(t, c.rules)
			f := o.file(t, o.person(t)).approve(t)
			o.onwards(t, name+": the payout becomes "+string(c.want), c.step, func() bool { return f.payout(t).State == c.want })
			f.settled(t)
			if h := f.holds(t); len(h) != len(c.holds) || (len(h) > 0 && !slices.Equal(h, c.holds)) {
				t.Errorf("holds %v, want %v", h, c.holds)
			}
			times := map[bool]int{true: 1}[c.want == payout.Paid]
			if n := f.times(t); n != times && c.want != payout.Frozen {
				t.Errorf("the bank paid %d times", n)
			}
			if s := f.head(t).State; s != application.Approved {
				t.Errorf("the machine made it %s", s)
			}
			if dead := o.Dead(); len(dead) > 0 {
				t.Errorf("%d dead letters, %s", len(dead), dead[0].Code)
			}
		})
	}
}

// The scenarios that come with the world: three cases each, and the sweeper
// finishes all of them.
func TestShippedScenarios(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join("..", "..", "cmd", "doudi", "world", "scenarios"))
	if err != nil || len(entries) < 9 {
		t.Fatalf("%d scenarios, %v", len(entries), err)
	}
	steps := map[string]time.Duration{"returned.toml": 6 * time.Hour, "short-of-funds.toml": 8 * time.Minute}
	ends := map[string][]payout.State{ // of the first, second and third case
		"lying-bank.toml": {payout.Frozen, payout.Frozen, payout.Paid},
		"returned.toml":   {payout.Paid, payout.Returned, payout.Paid},
		"slow-bank.toml":  {payout.Failed, payout.Paid, payout.Paid},
	}
	for _, e := range entries {
		for _, relay := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s relay=%v", e.Name(), relay), func(t *testing.T) {
				t.Parallel()
				o := own(t, func(o *local.Options) { o.WithoutRelay = !relay })
				o.shipped(t, e.Name()[:len(e.Name())-len(".toml")])
				var files []*file
				for range 3 {
					f := o.file(t, o.person(t))
					files = append(files, f)
				}
				for i, f := range files {
					f.verified(t)
					f.release(t)
					f.approve(t)
					want := payout.Paid
					if w := ends[e.Name()]; w != nil {
						want = w[i]
					}
					// One after the other, so that the bank meets them in this order.
					o.onwards(t, fmt.Sprintf("case %d is %s", i+1, want), max(time.Minute, steps[e.Name()]), func() bool { return f.payout(t).State == want })
				}
				for i, f := range files {
					f.settled(t)
					if s := f.payout(t).State; s == payout.Paid && f.times(t) != 1 || f.times(t) > 1 {
						t.Errorf("case %d: %s, the bank paid %d times", i+1, s, f.times(t))
					}
				}
			})
		}
	}
}

// What registers can do, X114 among it: nobody is refused, and what stops the money has an
// owner and a deadline.
func TestRegistersMisbehave(t *testing.T) {
	t.Parallel()
	all := []string{"household", "death", "marriage", "low_income", "earlier_aid", "social_insurance", "unemployment", "near_relative"}
	every := func(effect string, more ...string) (s string) {
		for _, r := range all {
			s += rule("exchange", r, effect, more...)
		}
		return s
	}
	for name, c := range map[string]struct {
		rules string
		holds []string // nil: none
	}{
		"all cut off":         {every("cut_before"), nil},
		"all 503":             {every("status", "status", "503"), nil},
		"all forged":          {every("lie", "lie", `"bad_signature"`), nil},
		"all garbage":         {every("lie", "lie", `"garbage"`), nil},
		"all endless":         {every("lie", "lie", `"endless_body"`), nil},
		"all of the future":   {every("lie", "lie", `"future"`), nil},
		"all stale":           {every("lie", "lie", `"stale_data"`), nil},
		"all unknown facts":   {every("lie", "lie", `"unknown_fact"`), nil},
		"all contradict":      {every("lie", "lie", `"contradiction"`), nil},
		"all of another":      {every("lie", "lie", `"wrong_person"`), nil},
		"all redirect":        {every("lie", "lie", `"redirect"`), nil},
		"all not authorised":  {every("answer", "result", `"not_authorised"`), nil},
		"all busy":            {every("answer", "result", `"busy"`), nil},
		"all pending":         {every("answer", "result", `"pending"`), nil},
		"all none":            {every("answer", "result", `"none"`), nil},
		"identity mismatch":   {rule("exchange", "household", "answer", "result", `"mismatch"`), []string{policy.HoldIdentityMismatch}},
		"marriage mismatch":   {rule("exchange", "marriage", "answer", "result", `"mismatch"`), []string{"SOURCES_CONFLICT"}},
		"death register down": {rule("exchange", "death", "status", "status", "500"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := own(t, func(*local.Options) {})
			o.scenario(t, c.rules)
			f := o.file(t, o.person(t))
			o.onwards(t, "the registers have been asked", time.Millisecond, func() bool { return f.head(t).State == application.Verified })
			// On a busy machine an answer is late and counts when it comes.
			for _, want := range c.holds {
				o.onwards(t, "held: "+want, time.Minute, func() bool { return slices.Contains(f.holds(t), want) })
			}
			for _, hold := range f.head(t).Holds {
				if hold.Owner == "" || !hold.Due.After(hold.At) {
					t.Errorf("%+v is nobody's", hold)
				}
			}
			// A person looks at what there is to look at, and the money comes.
			f.release(t)
			f.approve(t).paid(t).settled(t)
		})
	}
}

// Messages never stand in the way of money.
func TestNobodyCanBeReached(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules string
		want  notice.State
	}{
		"WeChat refuses":           {rule("wechat", "subscribe", "errcode", "errcode", "43101"), notice.Sent},
		"SMS is down":              {rule("sms", "send", "status", "status", "503"), notice.Unsent},
		"SMS refuses":              {rule("sms", "send", "code", "code", `"FailedOperation.PhoneNumberInBlacklist"`), notice.Unsent},
		"SMS answers into nothing": {rule("sms", "send", "cut_after"), notice.Unsent},
		"SMS speaks garbage":       {rule("sms", "send", "lie", "lie", `"garbage"`), notice.Unsent},
		"all is well":              {"title = \"well\"", notice.Sent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := own(t, func(*local.Options) {})
			o.scenario(t, c.rules)
			f := o.file(t, o.person(t)).approve(t).paid(t)
			step := map[notice.State]time.Duration{notice.Unsent: time.Minute}[c.want]
			o.onwards(t, "every notice has its end", step, func() bool { return len(f.notices(t, c.want)) == 2 })
			if sms := o.sent(t, "sms", f.who.Phone); c.want == notice.Sent && sms != 2 || sms > 2 {
				t.Errorf("%d text messages", sms)
			}
		})
	}
	// With the person's agreement WeChat is asked first; a template they did not
	// agree to is not used.
	o := own(t, func(*local.Options) {})
	p := o.person(t)
	f := o.file(t, p, with("channels", map[string]any{"subscribe": []string{"local-accepted"}})).approve(t).paid(t)
	until(t, "both notices are sent", func() bool { return len(f.notices(t, notice.Sent)) == 2 })
	if w, s := o.sent(t, "wechat", ""), o.sent(t, "sms", p.Phone); w != 1 || s != 1 {
		t.Errorf("%d WeChat and %d text messages", w, s)
	}
	// 43101 from WeChat: the text message goes instead.
	o.scenario(t, rule("wechat", "subscribe", "errcode", "errcode", "43101"))
	q := o.person(t)
	g := o.file(t, q, with("channels", map[string]any{"subscribe": []string{"local-accepted", "local-paid"}})).approve(t).paid(t)
	until(t, "both notices are sent", func() bool { return len(g.notices(t, notice.Sent)) == 2 })
	if s := o.sent(t, "sms", q.Phone); s != 2 {
		t.Errorf("%d text messages", s)
	}
}

// sent is how many messages the world took over a channel.
func (o *office) sent(t *testing.T, channel, to string) int {
	t.Helper()
	var told struct{ Messages []struct{ Channel string } }
	o.world(t, "GET", "/world/messages?to="+to, nil, &told)
	n := 0
	for _, m := range told.Messages {
		if m.Channel == channel {
			n++
		}
	}
	return n
}

// notices are those of f in a state.
func (f *file) notices(t *testing.T, state notice.State) (ids []string) {
	t.Helper()
	for _, item := range f.items(t.Context(), t) {
		if !notice.Is(item.Key) {
			continue
		}
		n, err := notice.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		if n.State == state {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// People whose registers or accounts have a story.
func TestTheCast(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	for role, c := range map[string]struct {
		want  payout.State
		holds bool // before anything is proposed
	}{
		"plain": {payout.Paid, false}, "wrong_payee": {payout.Failed, false}, "closed_account": {payout.Failed, false},
		"returned_later": {payout.Returned, false}, "tekun": {payout.Paid, false}, "helped_before": {payout.Paid, true},
		"migrant": {payout.Paid, false}, "unemployed": {payout.Paid, false}, "well_paid": {payout.Paid, false},
	} {
		t.Run(role, func(t *testing.T) {
			p := o.cast(t, role)
			f := o.file(t, p, with("cause", "injury")).verified(t)
			if got := len(f.holds(t)) > 0; got != c.holds {
				t.Errorf("holds %v", f.holds(t))
			}
			f.release(t)
			body := map[string]any{}
			if e := f.head(t).Findings.Exception; len(e) > 0 {
				body = map[string]any{"exception": map[string]any{"codes": e, "reason": "情况特殊，经核实确有必要。"}}
			}
			f.proposeAs(t, o.staff(t, "clerk-2"), body)
			f.decide(t, o.staff(t, "county-1")).is(t, 201, "")
			o.onwards(t, role+" becomes "+string(c.want), time.Second, func() bool { return f.payout(t).State == c.want })
			f.settled(t)
			want := map[bool]int{true: 1}[c.want == payout.Paid]
			if n := f.times(t); n != want {
				t.Errorf("paid %d times", n)
			}
		})
	}
}

// A household of the low-income register: three people, one of them a minor.
func TestHousehold(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	head, spouse, child := o.cast(t, "dibao"), o.cast(t, "dibao_spouse"), o.cast(t, "dibao_child")
	f := o.file(t, head, with("members", []any{with1(who(spouse), "relation", "spouse"), with1(who(child), "relation", "child")}),
		with("consents", []any{agreed("subject"), agreed("members/0"), agreed("members/1")})).verified(t)
	a := f.head(t)
	if a.Findings.Persons != 3 || !slices.Contains(a.Findings.Classes, policy.Dibao) || len(f.holds(t)) > 0 {
		t.Errorf("%+v, holds %v", a.Findings, f.holds(t))
	}
	f.approve(t).paid(t)
	// The spouse asks for the same fire: the family was helped, and a person sees it.
	g := o.file(t, spouse, with("members", []any{with1(who(head), "relation", "spouse"), with1(who(child), "relation", "child")}),
		with("consents", []any{agreed("subject"), agreed("members/0"), agreed("members/1")})).verified(t)
	if e := g.head(t).Findings.Exception; !slices.Contains(e, policy.SameCauseRepeat) {
		t.Errorf("the family was helped for this fire, and the rules say %v", e)
	}
	g.unmoved(t, func() {
		o.staff(t, "clerk-1").post(t, g.staffPath("/proposals"), map[string]any{}).is(t, 409, "exception-required")
	})

}

func TestDeathIsHeardOfLate(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	o.scenario(t, rule("exchange", "death", "answer", "result", `"busy"`)+rule("bank", "send", "cut_before"))
	f := o.file(t, o.person(t)).approve(t)
	if h := f.holds(t); len(h) != 0 {
		t.Errorf("holds %v", h)
	}
	// Ten minutes later the register answers, while the bank is still away.
	o.scenario(t, rule("exchange", "death", "answer", "result", `"found"`, "facts", `{ deceased = "yes", month = "2026-08", cremation = "yes" }`)+
		rule("bank", "send", "cut_before"))
	o.onwards(t, "the death is heard of", 11*time.Minute, func() bool { return slices.Contains(f.holds(t), policy.HoldDeathRecord) })
	o.scenario(t, "title = \"the bank is back\"")
	for range 30 {
		o.pass(t, time.Minute)
		if s := f.payout(t).State; s == payout.Paid {
			t.Fatalf("money left after the death was known")
		}
	}
	f.release(t)
	o.onwards(t, "a person looked, and it is paid", time.Minute, func() bool { return f.payout(t).State == payout.Paid })
}

// The clock of the law goes on by itself: told at 50, 80 and 100 percent, and
// never a refusal (D09).
func TestDeadlinesEscalate(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	f := o.file(t, o.person(t)).verified(t)
	o.onwards(t, "all three shares are told", 6*time.Hour, func() bool { return f.head(t).Deadline.Told == 100 })
	if a := f.head(t); a.State != application.Verified || len(f.events(t, application.Noun, "escalated")) == 0 {
		t.Errorf("%s, %d escalations", a.State, len(f.events(t, application.Noun, "escalated")))
	}
	f.approve(t).paid(t)
	if d := f.head(t).Deadline; d.Kind != application.ToExplain || d.Told != 0 {
		t.Errorf("%+v", d)
	}
}
