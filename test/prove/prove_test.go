package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
)

// TestSample runs an even part of what make prove runs in full.
func TestSample(t *testing.T) {
	t.Parallel()
	c := enumerate(797, nil)
	for _, line := range c.lines {
		t.Error(line)
	}
	if c.total() < 2000 {
		t.Errorf("%d schedules are no sample", c.total())
	}
	for crashes := range c.deep {
		if c.deep[crashes].Load() == 0 {
			t.Errorf("no schedule with %d crashes", crashes)
		}
	}
	t.Logf("%d schedules, %d wrong", c.total(), c.failed.Load())
}

// TestOffices: each way of deciding a case, alone and with each crash among the
// first touches, which are the office's.
func TestOffices(t *testing.T) {
	t.Parallel()
	l := undecided()
	for i, office := range offices {
		s := schedule{office: office, end: ends()[0], chatter: "once", messages: messages[i%len(messages)]}
		all := []dooms{nil}
		for at := 1; at <= 4; at++ {
			for _, d := range payouttest.Dooms() {
				all = append(all, dooms{{at, d}})
			}
		}
		for _, s.dooms = range all {
			if _, wrong := l.live(s, l.begin, nil, nil); len(wrong) > 0 {
				t.Errorf("%s: %q", s, wrong)
			}
		}
	}
}

// TestTheAuditCanSayNo: an approval that is told to two, or to nobody, does not pass.
func TestTheAuditCanSayNo(t *testing.T) {
	t.Parallel()
	l := undecided()
	s := schedule{office: "rivals", end: ends()[0], chatter: "once", messages: "relayed"}
	for name, spoil := range map[string]func(*asked){
		"both":          func(a *asked) { a.status = 201 },
		"nobody":        func(a *asked) { a.status = 0 },
		"the other one": func(a *asked) { a.status = 201; l.asked[2].status = 409 },
	} {
		if _, wrong := l.live(s, l.begin, nil, nil); len(wrong) > 0 || l.asked[1].status != 409 || l.asked[2].status != 201 {
			t.Fatalf("%v %v", wrong, l.asked)
		}
		spoil(&l.asked[1])
		if l.audit(); len(l.found.wrong) == 0 {
			t.Errorf("%s told, and nobody minds", name)
		}
	}
}

// TestFiles: every bank, each with other officers and workers; and answers lost,
// although it was done, at every touch of the file of which each line ends otherwise.
func TestFiles(t *testing.T) {
	t.Parallel()
	c, roots := cabinets(), fileRoots()
	var all []filing
	for i := range tellers() {
		all = append(all, roots[i*len(releases)*len(workers)+i%(len(releases)*len(workers))].filing)
	}
	lines := filing{teller: tellers()[1], release: "told", workers: "one"}
	touches, _ := c.live(lines, nowhere{}, nil, nil)
	for at := 1; at <= touches; at++ {
		next := lines
		next.dooms = dooms{{at, payouttest.LostDone}}
		all = append(all, next)
	}
	for _, s := range all {
		_, wrong := c.live(s, nowhere{}, nil, nil)
		if len(wrong) > 0 {
			t.Errorf("%s: %q", s, wrong)
		}
		if back, err := parseFiling(s.String()); err != nil || back.String() != s.String() {
			t.Errorf("%s came back as %s: %v", s, back, err)
		}
	}
	// And the same schedule is the same life.
	before, _ := c.live(all[len(all)-1], nowhere{}, nil, nil)
	if after, _ := cabinets().live(all[len(all)-1], nowhere{}, nil, nil); before != after {
		t.Errorf("%d touches, and then %d", before, after)
	}
	for _, bad := range []string{"file/paid", "file/none/told/one/", "file/paid/told/three/", "file/paid/told/one/1:sleep", "file/paid/told/one/x:lost"} {
		if s, err := parseFiling(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, s)
		}
	}
}

// TestTheJudgeOfFilesCanSayNo: other ends than were announced do not pass.
func TestTheJudgeOfFilesCanSayNo(t *testing.T) {
	t.Parallel()
	c := cabinets()
	s := filing{teller: tellers()[1], release: "told", workers: "one"}
	s.teller.ends[0] = payout.Paid
	if _, wrong := c.live(s, nowhere{}, nil, nil); len(wrong) == 0 {
		t.Error("a line that failed passed for paid")
	}
	s = filing{teller: tellers()[7], release: "told", workers: "one"} // of which two files are formed
	s.teller.again = false
	if _, wrong := c.live(s, nowhere{}, nil, nil); len(wrong) == 0 {
		t.Error("a file that was rejected passed for one that paid")
	}
}

// TestArrivals: every way in with the registers of which pairs are made, a part of all
// that last without a crash, and an even part of all with all single crashes; and each
// schedule is read back from what a failure prints of it.
func TestArrivals(t *testing.T) {
	t.Parallel()
	c := arriveAll(211, nil)
	for _, line := range c.lines {
		t.Error(line)
	}
	if c.deep[0].Load() < 4 || c.deep[1].Load() < 200 {
		t.Errorf("%d schedules are no sample", c.total())
	}
	roots, seen, l := arrivalRoots(), map[string]bool{}, lobbies()
	for i, r := range roots {
		if r.depth < 2 && (i%7 > 0 || r.conduct.span == "once") {
			continue
		}
		if _, wrong := l.live(r.arrival, l.begin, nil, nil); len(wrong) > 0 {
			t.Errorf("%s: %q", r, wrong)
		}
	}
	for _, r := range roots {
		s := r.with(dooms{{3, payouttest.LostDone}, {7, payouttest.DieBefore}})
		if back, err := parseArrival(s.String()); err != nil || back.String() != s.String() {
			t.Fatalf("%s came back as %s: %v", s, back, err)
		}
		seen[r.String()] = true
	}
	if len(seen) != len(roots) || len(seen) < len(conducts())*2 {
		t.Errorf("%d behaviours, %d of them different", len(roots), len(seen))
	}
	for _, bad := range []string{"intake/told", "intake/none/death.dead.well/relayed/", "intake/told/death.dead/relayed/", "intake/told/death.dead.well/sung/",
		"intake/told/death.dead.well/relayed/1:sleep"} {
		if s, err := parseArrival(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, s)
		}
	}
}

// TestACaseTakenUpHalfWay: it ends as one that is lived from the beginning.
func TestACaseTakenUpHalfWay(t *testing.T) {
	t.Parallel()
	l := lobbies()
	for _, line := range []string{"intake/paper-after/low_income.dibao.well/halved/", "intake/twin/social_insurance.well-paid.pending.awhile/swept/"} {
		s, err := parseArrival(line)
		if err != nil {
			t.Fatal(err)
		}
		var moments []arrivalMoment
		touches, _ := l.live(s, l.begin, func(m arrivalMoment) { moments = append(moments, m) }, nil)
		for n, m := range moments {
			if m.touched() >= touches {
				break
			}
			if n%3 > 0 {
				continue
			}
			s.dooms = dooms{{m.touched() + 1, payouttest.Dooms()[n/3%len(payouttest.Dooms())]}}
			all, wrong := l.live(s, l.begin, nil, nil)
			before := fmt.Sprint(l.state(), wrong)
			again, wrong := l.live(s, m, nil, nil)
			if after := fmt.Sprint(l.state(), wrong); all != again || before != after {
				t.Fatalf("%s from step %d: %d touches and %s, not %d and %s", s, n, again, after, all, before)
			}
		}
	}
}

// TestTheJudgeOfArrivalsCanSayNo: whatever is not as it was told is found.
func TestTheJudgeOfArrivalsCanSayNo(t *testing.T) {
	t.Parallel()
	l := lobbies()
	s, err := parseArrival("intake/photo/death.dead.well/relayed/")
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(){
		"nobody was told":            func() { l.asked[0].status = 0 },
		"another case":               func() { l.asked[0].answer = `{"id":"another"}` },
		"a picture that was lost":    func() { clear(l.pictures) },
		"a picture nobody was told":  func() { l.asked[1].status = 400 },
		"a register said otherwise":  func() { l.conduct.saying = sayings("death")[0] },
		"a register said nothing":    func() { l.conduct.manner, l.conduct.span = broken, "ever" },
		"less than without trouble":  func() { l.usual++ },
		"something personal is told": func() { l.Log.WriteString(l.secrets[0]) },
	} {
		usual := l.usual
		if _, wrong := l.live(s, l.begin, nil, nil); len(wrong) > 0 {
			t.Fatal(wrong)
		}
		spoil()
		if _, wrong := lived(l.found, l.Fate.Touches, l.judge); len(wrong) == 0 {
			t.Errorf("%s, and nobody minds", name)
		}
		l.usual = usual
	}
}

// TestStorms: whatever the weather, when it is over it comes to the right end; and
// a seed tells the same story twice, also after others.
func TestStorms(t *testing.T) {
	t.Parallel()
	c := weathered(100)
	for _, line := range c.lines {
		t.Error(line)
	}
	one, other := born(), born()
	other.simulate(7)
	for seed := range uint64(20) {
		first, _ := one.simulate(seed)
		if again, _ := other.simulate(seed); again != first {
			t.Fatalf("seed %d:\n%s\nand then\n%s", seed, first, again)
		}
	}
}

// TestTheJudgeCanSayNo: a bank that takes an order and says another amount
// freezes the payment, which is not the end that was announced.
func TestTheJudgeCanSayNo(t *testing.T) {
	t.Parallel()
	s := schedule{office: decided, end: ends()[0], ask: payouttest.Less, chatter: "silent", messages: "relayed"}
	l := born()
	if _, wrong := l.live(s, l.begin, nil, nil); len(wrong) == 0 {
		t.Error("a life that ends frozen passed for one that ends paid")
	}
}

// TestAMistakeIsNotForgotten: no schedule is taken for good because another that
// ended badly had been there.
func TestAMistakeIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := schedule{office: decided, end: ends()[0], ask: payouttest.Less, chatter: "once", messages: "swept"}
	with, without, l := &count{}, &count{}, born()
	deepening[schedule, moment]{without, l, nil, eachWay[schedule]}.run(s, l.begin, 2)
	if l.met != 0 {
		t.Errorf("%d lives ended early without a memory", l.met)
	}
	deepening[schedule, moment]{with, l, memory{}, eachWay[schedule]}.run(s, l.begin, 2)
	if with.total() != without.total() || with.failed.Load() != without.failed.Load() || with.failed.Load() < with.total()/4 || l.met == 0 {
		t.Errorf("%d of %d found out with a memory, %d of %d without; %d ended early",
			with.failed.Load(), with.total(), without.failed.Load(), without.total(), l.met)
	}
}

// TestACrashBeginsWhereItFalls: a life taken up in the middle ends as it does when
// it is lived from the beginning.
func TestACrashBeginsWhereItFalls(t *testing.T) {
	t.Parallel()
	before, after := born(), undecided()
	whole := roots()
	for i, r := range whole {
		if i%1201 != 0 && i != len(whole)-1 {
			continue
		}
		l := before
		if r.office != decided {
			l = after
		}
		var moments []moment
		touches, _ := l.live(r.schedule, l.begin, func(m moment) { moments = append(moments, m) }, nil)
		for n, m := range moments {
			if m.room.Touches() >= touches {
				break
			}
			s := r.schedule
			s.dooms = dooms{{m.room.Touches() + 1, payouttest.Dooms()[n/3%len(payouttest.Dooms())]}}
			all, wrong := l.live(s, l.begin, nil, nil)
			before := fmt.Sprint(l.Payout(), l.Teller.Credits, l.Alarms, wrong)
			again, wrong := l.live(s, m, nil, nil)
			if after := fmt.Sprint(l.Payout(), l.Teller.Credits, l.Alarms, wrong); all != again || before != after {
				t.Fatalf("%s from step %d: %d touches and %s, not %d and %s", s, n, again, after, all, before)
			}
		}
	}
}

// TestReplay: what a failure prints is read back as the same schedule.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, r := range append(roots()[:200], officeRoots()...) {
		s := r.schedule
		s.dooms = dooms{{3, payouttest.LostDone}, {7, payouttest.DieBefore}}
		got, err := parse(s.String())
		if err != nil || got.String() != s.String() {
			t.Fatalf("%s came back as %s: %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "paid", "decided/paid/x//once/relayed/", "decided/paid///once/relayed/3:sleep", "told/paid///once/relayed/x:lost",
		"alone/paid///once/relayed/3:lost", "paid///once/relayed/3:lost"} {
		if s, err := parse(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, s)
		}
	}
	whole := roots()
	seen := map[string]bool{}
	for _, r := range whole {
		seen[r.String()] = true
	}
	if len(seen) != len(whole) || len(whole) != len(ends())*len(payouttest.Sends())*(len(payouttest.Asks())*len(chatters)*len(messages)+len(offices)) {
		t.Errorf("%d behaviours, %d of them different", len(whole), len(seen))
	}
	if !strings.HasPrefix(whole[0].String(), "decided/paid/") {
		t.Error(whole[0].String())
	}
}
