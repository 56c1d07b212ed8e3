package reading_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// FuzzAfter goes on in the list of looks from anything: it is none of ours, or what
// comes is of the same case, each once, and from there on.
func FuzzAfter(f *testing.F) {
	s := embedded.Memory()
	for n := range 7 {
		if err := reading.Record(f.Context(), s, look(func(l *reading.Look) {
			l.At = l.At.Add(time.Duration(n) * time.Hour)
			l.Case = []string{"c1", "c2"}[n%2]
		})); err != nil {
			f.Fatal(err)
		}
	}
	all, next, err := reading.List(f.Context(), s, "c1", "", 2)
	if err != nil || len(all) != 2 || next == "" {
		f.Fatal(len(all), next, err)
	}
	f.Add("")
	f.Add(next)
	f.Add(all[0].ID)
	stamp := work.Stamp(noon)
	for _, after := range []string{"!", stamp + "!", stamp + "!" + strings.Repeat("0", 26), stamp + "!" + strings.Repeat("z", 26) + "#1", strings.Repeat("\xff", len(stamp)) + "!" + ident.Derive("x"),
		strings.Repeat("#", len(stamp)) + "!" + ident.Derive("x"), strings.Repeat("~", len(stamp)) + "!" + ident.Derive("x")} {
		f.Add(after)
	}
	f.Fuzz(func(t *testing.T, after string) {
		seen, next, err := reading.List(context.Background(), s, "c1", after, 9)
		if err != nil {
			if !errors.Is(err, reading.ErrPage) {
				t.Errorf("%q: %v", after, err)
			}
			return
		}
		if len(seen) > 4 || after == "" && len(seen) != 4 || next != "" {
			t.Errorf("%d looks of four from %q on", len(seen), after)
		}
		for i, l := range seen {
			if after != "" && l.ID >= after || i > 0 && l.ID >= seen[i-1].ID {
				t.Errorf("%s comes after %q", l.ID, after)
			}
		}
	})
}
