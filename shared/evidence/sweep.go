package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// slack is how far the clocks of writers may be apart, and the index behind the
// table: events that are this old and were seen in no sweep are in the log.
const slack = 15 * time.Minute

var sweptKey = table.Key{PK: Partition, SK: "SWEPT"}

// sweptItem is how far back nothing is missing.
type sweptItem struct {
	To time.Time `json:"to"`
}

// Swept is what a sweep found.
type Swept struct {
	Found  int           // events that no stream had brought
	Oldest time.Duration // age of the oldest of them when it was found
}

// Sweep finds the events that the stream did not bring, by the index of what
// happened when, and sequences them. It remembers how far back nothing is
// missing; the first sweep of a log begins at since. It may die anywhere and run
// again, also twice at once.
func (l *Log) Sweep(ctx context.Context, since time.Time) (Swept, error) {
	var out Swept
	now := l.now()
	item, _, err := l.table.Get(ctx, sweptKey)
	if err != nil {
		return out, err
	}
	swept := sweptItem{since}
	if item.Version > 0 {
		if err := json.Unmarshal(item.Body, &swept); err != nil {
			return out, ErrDamaged.Because(fmt.Errorf("swept: %w", err))
		}
	}
	for hour := swept.To.UTC().Truncate(time.Hour); !hour.After(now.Add(slack)); hour = hour.Add(time.Hour) {
		for shard := range event.Shards {
			if err := l.sweepShard(ctx, hour, shard, swept.To, now, &out); err != nil {
				return out, err
			}
		}
	}
	to := now.Add(-slack).UTC().Truncate(time.Millisecond)
	if !to.After(swept.To) {
		return out, nil
	}
	next := table.Item{Key: sweptKey, Version: item.Version + 1, Body: plain(sweptItem{to})}
	if err := l.table.Transact(ctx, table.Step(next)); err != nil {
		if _, twin := table.FailedOn(err, sweptKey); !twin { // a twin swept too
			return out, err
		}
	}
	return out, nil
}

func (l *Log) sweepShard(ctx context.Context, hour time.Time, shard int, from, now time.Time, out *Swept) error {
	q := table.Query{Index: table.ByOwner, PK: event.Happened(hour, shard), From: event.Stamp(from)}
	for {
		page, err := l.table.Query(ctx, q)
		if err != nil {
			return err
		}
		missing, _, err := l.pending(ctx, page.Items)
		if err != nil {
			return err
		}
		for _, item := range missing {
			if at := decode(item).At; !at.IsZero() {
				out.Oldest = max(out.Oldest, now.Sub(at))
			}
		}
		n, err := l.drain(ctx, missing)
		out.Found += n
		if err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}
