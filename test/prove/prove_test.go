package main

import (
	"fmt"
	"strings"
	"testing"

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
	s := schedule{end: ends()[0], ask: payouttest.Less, chatter: "silent", messages: "relayed"}
	l := born()
	if _, wrong := l.live(s, l.begin, nil, nil); len(wrong) == 0 {
		t.Error("a life that ends frozen passed for one that ends paid")
	}
}

// TestAMistakeIsNotForgotten: no schedule is taken for good because another that
// ended badly had been there.
func TestAMistakeIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := schedule{end: ends()[0], ask: payouttest.Less, chatter: "once", messages: "swept"}
	with, without, l := &count{}, &count{}, born()
	without.deepen(l, s, l.begin, 2, nil)
	if l.met != 0 {
		t.Errorf("%d lives ended early without a memory", l.met)
	}
	with.deepen(l, s, l.begin, 2, memory{})
	if with.total() != without.total() || with.failed.Load() != without.failed.Load() || with.failed.Load() < with.total()/4 || l.met == 0 {
		t.Errorf("%d of %d found out with a memory, %d of %d without; %d ended early",
			with.failed.Load(), with.total(), without.failed.Load(), without.total(), l.met)
	}
}

// TestACrashBeginsWhereItFalls: a life taken up in the middle ends as it does when
// it is lived from the beginning.
func TestACrashBeginsWhereItFalls(t *testing.T) {
	t.Parallel()
	l := born()
	for i, r := range roots() {
		if i%1201 != 0 {
			continue
		}
		var moments []moment
		touches, _ := l.live(r.schedule, l.begin, func(m moment) { moments = append(moments, m) }, nil)
		for n, m := range moments {
			if m.room.Touches() >= touches {
				break
			}
			s := r.schedule
			s.dooms = []doomed{{m.room.Touches() + 1, payouttest.Dooms()[n%len(payouttest.Dooms())]}}
			whole, wrong := l.live(s, l.begin, nil, nil)
			before := fmt.Sprint(l.Payout(), l.Teller.Credits, l.Alarms, wrong)
			again, wrong := l.live(s, m, nil, nil)
			if after := fmt.Sprint(l.Payout(), l.Teller.Credits, l.Alarms, wrong); whole != again || before != after {
				t.Fatalf("%s from step %d: %d touches and %s, not %d and %s", s, n, again, after, whole, before)
			}
		}
	}
}

// TestReplay: what a failure prints is read back as the same schedule.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, r := range roots()[:200] {
		s := r.schedule
		s.dooms = []doomed{{3, payouttest.LostDone}, {7, payouttest.DieBefore}}
		got, err := parse(s.String())
		if err != nil || got.String() != s.String() {
			t.Fatalf("%s came back as %s: %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "paid", "paid/x//once/relayed/", "paid///once/relayed/3:sleep", "paid///once/relayed/x:lost"} {
		if s, err := parse(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, s)
		}
	}
	whole := roots()
	seen := map[string]bool{}
	for _, r := range whole {
		seen[r.String()] = true
	}
	if len(seen) != len(whole) || len(whole) != len(ends())*len(payouttest.Sends())*len(payouttest.Asks())*len(chatters)*len(messages) {
		t.Errorf("%d behaviours, %d of them different", len(whole), len(seen))
	}
	if !strings.Contains(whole[0].String(), "paid/") {
		t.Error(whole[0].String())
	}
}
