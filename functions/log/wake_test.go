package log_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/shared/table"
)

// bell counts who is woken.
type bell struct {
	rung map[string]int
	err  error
}

func (b *bell) Send(_ context.Context, queue string, _ []byte, _ time.Duration) error {
	b.rung[queue]++
	return b.err
}

// TestFiguresAreWoken once the log has grown, by the stream or by the schedule,
// and not otherwise; the log does not mind when nobody hears.
func TestFiguresAreWoken(t *testing.T) {
	o := open(t)
	b := &bell{rung: map[string]int{}, err: errors.New("nobody there")}
	o.deps.Send = b
	changes := []table.Change{o.happen("1")}
	for range 2 {
		if err := log.Changes(o.deps)(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
	}
	if b.rung["oversee"] != 1 {
		t.Errorf("the stream rang %v", b.rung)
	}
	o.happen("2") // the stream loses it
	o.now = o.now.Add(time.Minute)
	for range 2 {
		if err := log.Run(t.Context(), o.deps); err != nil {
			t.Fatal(err)
		}
	}
	if b.rung["oversee"] != 2 || len(b.rung) != 1 {
		t.Errorf("then the schedule: %v", b.rung)
	}
}
