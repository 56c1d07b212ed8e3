package main

import (
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/payout/payouttest"
)

// TestSample runs an even part of what make prove runs in full.
func TestSample(t *testing.T) {
	t.Parallel()
	c := enumerate(397, nil)
	for _, line := range c.lines {
		t.Error(line)
	}
	if c.total() < 5000 {
		t.Errorf("%d schedules are no sample", c.total())
	}
	for crashes := range c.deep {
		if c.deep[crashes].Load() == 0 {
			t.Errorf("no schedule with %d crashes", crashes)
		}
	}
	t.Logf("%d schedules, %d wrong", c.total(), c.failed.Load())
}

// TestTheJudgeCanSayNo: a bank that takes an order and says another amount
// freezes the payment, which is not the end that was announced.
func TestTheJudgeCanSayNo(t *testing.T) {
	t.Parallel()
	s := schedule{end: ends()[0], ask: payouttest.Less, chatter: "silent", messages: "relayed"}
	if _, wrong := live(s); len(wrong) == 0 {
		t.Error("a life that ends frozen passed for one that ends paid")
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
