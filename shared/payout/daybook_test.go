package payout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
)

// hear takes an answer of the bank's.
func (r *room) hear(said payout.Said) error {
	r.t.Helper()
	o, err := payout.Step(r.payout(), payout.Answer{Said: said}, machine, now.Add(time.Minute))
	if err != nil {
		return err
	}
	return payout.Commit(r.t.Context(), r, o)
}

// What is posted and what comes back stands in the day book of the bank's own day,
// once, in the transaction that books it.
func TestTheDayBook(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 5_000_00)
	p := r.grant(award.Bank)
	if err := r.commit(p, payout.Claim{Payee: "d"}); err != nil {
		t.Fatal(err)
	}
	ref, _ := r.payout().Current()
	midnight := calendar.Today(now).AddDays(1).Start(calendar.Zone)
	said := payout.Said{Word: payout.Succeeded, Reference: ref.Reference, AmountFen: p.Award.AmountFen, Payee: "d", At: midnight.Add(-time.Second), Evidence: strings.Repeat("e", 64)}
	if err := r.hear(said); err != nil {
		t.Fatal(err)
	}
	said.Word, said.At = payout.SentBack, midnight.Add(50*time.Hour)
	if err := r.hear(said); err != nil {
		t.Fatal(err)
	}
	for day, want := range map[time.Time]payout.Way{midnight.Add(-time.Second): payout.Out, midnight.Add(50 * time.Hour): payout.Back} {
		got, err := payout.OnDay(t.Context(), r.Store, award.Bank, calendar.Today(day))
		if err != nil || len(got) != 1 || got[0].Way != want || got[0].AmountFen != p.Award.AmountFen || got[0].Reference != ref.Reference ||
			got[0].Payee != "d" || !got[0].At.Equal(day) || got[0].Inferred || got[0].Evidence != said.Evidence || got[0].Township != p.Award.Township {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
	if got, err := payout.OnDay(t.Context(), r.Store, award.WxPay, calendar.Today(midnight)); err != nil || len(got) != 0 {
		t.Errorf("another rail's: %+v, %v", got, err)
	}
	if _, err := payout.DecodeBooked(table.Item{Body: []byte("{")}); err == nil {
		t.Error("rubbish is a line of the day book")
	}
}

// Of a payment that we hear of only when it has come back, nobody said when it was
// made: it was ordered then.
func TestTheDayBookOfWhatWasHeardTooLate(t *testing.T) {
	t.Parallel()
	r := newRoom(t, 5_000_00)
	p := r.grant(award.Bank)
	if err := r.commit(p, payout.Claim{Payee: "d"}); err != nil {
		t.Fatal(err)
	}
	ref, _ := r.payout().Current()
	said := payout.Said{Word: payout.SentBack, Reference: ref.Reference, AmountFen: p.Award.AmountFen, Payee: "d", Evidence: strings.Repeat("e", 64)}
	if err := r.hear(said); err != nil {
		t.Fatal(err)
	}
	got, err := payout.OnDay(t.Context(), r.Store, award.Bank, calendar.Today(ref.At))
	if err != nil || len(got) != 1 || !got[0].Inferred || !got[0].At.Equal(ref.At) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := r.hear(said); err != nil {
		t.Fatal(err)
	}
	if got, err := payout.OnDay(t.Context(), r.Store, award.Bank, calendar.Today(now)); err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A line stands in the book of the rail that carried the attempt, though people
// have chosen another one since. What was stored before attempts had a rail went
// over the award's.
func TestTheDayBookOfTheRailThatPaid(t *testing.T) {
	t.Parallel()
	closed := drive(t, payout.New(sample(award.WxPay)), claims, packaged, cancel, answer(payout.Closed), overBank)
	old := drive(t, payout.New(sample(award.Bank)), claims, reply(payout.Silence))
	old.Attempts[0].Rail = ""
	for name, c := range map[string]struct {
		p    payout.Payout
		rail award.Rail
	}{
		"paid over WeChat after all": {drive(t, closed, news(payout.Succeeded)), award.WxPay},
		"an old record":              {old, award.Bank},
	} {
		o, err := payout.Step(c.p, answer(payout.Succeeded)(c.p), machine, now)
		if err != nil {
			t.Fatal(name, err)
		}
		writes, err := o.Writes()
		if err != nil {
			t.Fatal(name, err)
		}
		found := 0
		for _, w := range writes {
			if put, is := w.(table.Put); is && put.Item.Key.PK == payout.DayBook(c.rail, calendar.Today(now)) {
				if b, err := payout.DecodeBooked(put.Item); err != nil || b.Rail != c.rail {
					t.Errorf("%s: %+v, %v", name, b, err)
				}
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: %d lines in the book of %s", name, found, c.rail)
		}
	}
}
