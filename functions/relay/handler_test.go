package relay

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

type sent struct {
	queue string
	key   table.Key
	delay time.Duration
}

type outbox struct {
	sent []sent
	err  error
}

func (o *outbox) Send(_ context.Context, q string, body []byte, delay time.Duration) error {
	m, err := work.Decode(body)
	if err != nil {
		return err
	}
	o.sent = append(o.sent, sent{q, m.Key(), delay})
	return o.err
}

func TestRelay(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	key := table.Key{PK: "APP#x", SK: "PAYOUT#01"}
	for name, c := range map[string]struct {
		places []table.Place
		want   []sent
	}{
		"owed now":              {[]table.Place{work.Due(key, now, work.Pay)}, []sent{{"pay", key, 0}}},
		"owed since long":       {[]table.Place{work.Due(key, now.Add(-time.Hour), work.Settle)}, []sent{{"settle", key, 0}}},
		"owed soon":             {[]table.Place{work.Due(key, now.Add(time.Minute), work.Settle)}, []sent{{"settle", key, time.Minute}}},
		"at the horizon":        {[]table.Place{work.Due(key, now.Add(Horizon), work.Notify)}, []sent{{"notify", key, Horizon}}},
		"beyond the horizon":    {[]table.Place{work.Due(key, now.Add(Horizon+time.Millisecond), work.Notify)}, nil},
		"a deadline of the law": {[]table.Place{work.Due(key, now, work.Clock)}, nil},
		"owes nothing":          {nil, nil},
	} {
		out := &outbox{}
		err := Handle(Deps{Send: out, Now: func() time.Time { return now }})(t.Context(), table.Change{Item: table.Item{Key: key, Places: c.places}})
		if err != nil || len(out.sent) != len(c.want) || (len(c.want) == 1 && out.sent[0] != c.want[0]) {
			t.Errorf("%s: sent %v, %v; want %v", name, out.sent, err, c.want)
		}
	}
}

func TestAFullQueueIsReported(t *testing.T) {
	full := errors.New("full")
	key := table.Key{PK: "APP#x", SK: "HEAD"}
	err := Handle(Deps{Send: &outbox{err: full}, Now: time.Now})(t.Context(), table.Change{Item: table.Item{Key: key, Places: []table.Place{work.Due(key, time.Unix(0, 0), work.Verify)}}})
	if !errors.Is(err, full) {
		t.Errorf("the record is taken as done although nothing was sent: %v", err)
	}
}
