package work_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// put stores an item in a list at a place.
func put(t interface{ Fatal(...any) }, s table.Store, name, list, at string) {
	item := table.Item{Key: table.Key{PK: "I#" + name, SK: "X"}, Version: 1, Places: []table.Place{
		{Index: table.ByOwner, PK: "mine", SK: name}, {Index: table.ByWork, PK: list, SK: at}}}
	if err := s.Transact(context.Background(), table.Put{Item: item}); err != nil {
		t.Fatal(err)
	}
}

// Whatever stands where: page by page everything in the lists comes once, in the order
// of its place, whatever the list it stands in, and nothing else comes.
func TestPagesOfMergedLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := embedded.Memory()
		lists := []work.List{{PK: "a"}, {PK: "b"}, {PK: "c", Prefix: "open#"}}
		var want []string
		for n := range rapid.IntRange(0, 12).Draw(t, "items") {
			l := rapid.SampledFrom(append(slices.Clone(lists), work.List{PK: "other"}, work.List{PK: "c", Prefix: "closed#"})).Draw(t, "list")
			at := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "at"))
			put(t, s, fmt.Sprint(n), l.PK, l.Prefix+at)
			if slices.Contains(lists, l) {
				want = append(want, fmt.Sprintf("%s I#%d", at, n))
			}
		}
		slices.SortFunc(want, func(a, b string) int {
			ra, rb := strings.Fields(a), strings.Fields(b)
			return slices.Compare(ra, rb)
		})
		size := rapid.IntRange(1, 5).Draw(t, "page")
		var got []string
		for after, pages := (work.Mark{}), 0; ; pages++ {
			page, err := work.Merged(context.Background(), s, lists, after, size)
			if err != nil || pages > len(want) || len(page) > size {
				t.Fatalf("%d pages, the last of %d: %v", pages, len(page), err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				place := p.Item.Places[slices.IndexFunc(p.Item.Places, func(p table.Place) bool { return p.Index == table.ByWork })]
				got = append(got, strings.TrimPrefix(place.SK, "open#")+" "+p.Item.Key.PK)
			}
			text := page[len(page)-1].Mark.String()
			var ok bool
			if after, ok = work.ParseMark(text); !ok || text == "" {
				t.Fatalf("%q is not taken back", text)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestAListThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := work.Merged(ctx, embedded.Memory(), []work.List{{PK: "a"}, {PK: "b"}}, work.Mark{}, 3); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzMark: a mark that is taken is the same when it is given out again, and lists can
// be read from there, whatever it says; nothing before it comes.
func FuzzMark(f *testing.F) {
	s := embedded.Memory()
	for n := range 6 {
		put(f, s, fmt.Sprint(n), "a", fmt.Sprint("open#", n))
	}
	page, err := work.Merged(f.Context(), s, []work.List{{PK: "a", Prefix: "open#"}}, work.Mark{}, 3)
	if err != nil || len(page) != 3 {
		f.Fatal(page, err)
	}
	f.Add(page[2].Mark.String())
	for _, raw := range []string{"a\nb", "a\nb\nc\nd", "\xff\nb\nc", "\U0010FFFF\U0010FFFF\nb\nc", strings.Repeat("x", table.MaxKey-4) + "\nb\nc", "\nb\nc", "a\n\nc"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(raw)))
	}
	f.Add("%")
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := work.ParseMark(text)
		if !ok {
			return
		}
		if again, ok := work.ParseMark(m.String()); !ok || again != m || m.String() != text {
			t.Errorf("%q became %q", text, m)
		}
		page, err := work.Merged(t.Context(), s, []work.List{{PK: "a", Prefix: "open#"}, {PK: "b"}}, m, 9)
		if err != nil || text == "" && len(page) != 6 {
			t.Fatalf("%d items from %q: %v", len(page), text, err)
		}
		for _, p := range page {
			if p.Mark.Compare(m) <= 0 {
				t.Errorf("%v comes after %v", p.Mark, m)
			}
		}
	})
}
