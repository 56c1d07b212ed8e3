package bankrail

import (
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// A burst is spread, for orders and questions apart; without a rate nobody waits.
func TestPaced(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	l := Paced(nil, embedded.Memory(), 10, func() time.Time { return now }, nil)
	if l.Facts().PerSecond != 10 {
		t.Errorf("promises %d a second", l.Facts().PerSecond)
	}
	burst := func() (admitted int) {
		for range 30 {
			ok, err := l.Admit(t.Context(), rail.Sending)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				admitted++
			}
		}
		return admitted
	}
	if n := burst(); n == 0 || n > 10 {
		t.Errorf("%d of 30 at once", n)
	}
	if ok, err := l.Admit(t.Context(), rail.Asking); err != nil || !ok {
		t.Errorf("a question waits for orders: %v", err)
	}
	now = now.Add(time.Second)
	if n := burst(); n == 0 || n > 10 {
		t.Errorf("%d of 30 in the next second", n)
	}
	for range 1000 {
		if ok, err := New(nil).Admit(t.Context(), rail.Sending); err != nil || !ok {
			t.Fatal("a bank without a rate makes people wait")
		}
	}
}
