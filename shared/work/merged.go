package work

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/table"
)

// Mark is where a page ended that was read from several lists as if they were one:
// behind which place, of which item. It holds only keys. The zero value is before the
// first.
type Mark struct {
	at   string // the place's sort key, without its list's prefix
	item table.Key
}

// Compare orders marks as Merged orders what they are of.
func (m Mark) Compare(o Mark) int {
	return cmp.Or(cmp.Compare(m.at, o.at), cmp.Compare(m.item.PK, o.item.PK), cmp.Compare(m.item.SK, o.item.SK))
}

// String is m for whoever asks for the next page; "" for the zero value.
func (m Mark) String() string {
	if m == (Mark{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(m.at + "\n" + m.item.PK + "\n" + m.item.SK))
}

// ParseMark reads what String wrote; ok is false for what no item and no place can be.
func ParseMark(text string) (m Mark, ok bool) {
	if text == "" {
		return Mark{}, true
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	parts := strings.Split(string(raw), "\n")
	if err != nil || len(parts) != 3 || len(raw) > table.MaxKey || !utf8.Valid(raw) {
		return Mark{}, false
	}
	m = Mark{parts[0], table.Key{PK: parts[1], SK: parts[2]}}
	return m, m.at != "" && m.item.Validate() == nil
}

// List is one list of the work index: its partition, and what the places that are
// meant begin with, "" for all of them.
type List struct{ PK, Prefix string }

// Placed is an item and where it stands in the lists that were read.
type Placed struct {
	Item table.Item
	Mark Mark
}

// together is how many lists are read at once.
const together = 8

// Merged is the first n items behind after in lists of the work index, merged in the
// order of their places, prefixes left out. An item stands in one list, so that it
// comes once.
func Merged(ctx context.Context, s table.Store, lists []List, after Mark, n int) ([]Placed, error) {
	found := make([][]Placed, len(lists))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i, l := range lists {
		group.Go(func() (err error) {
			found[i], err = l.behind(ctx, s, after, n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	slices.SortFunc(all, func(a, b Placed) int { return a.Mark.Compare(b.Mark) })
	return all[:min(n, len(all))], nil
}

// behind is the first n items behind after in l, or somewhat more.
func (l List) behind(ctx context.Context, s table.Store, after Mark, n int) ([]Placed, error) {
	q := table.Query{Index: table.ByWork, PK: l.PK, Limit: min(n, table.MaxPage)}.Prefix(l.Prefix)
	if q.From = l.Prefix + after.at; len(q.From) > table.MaxKey || q.From > q.To {
		return nil, nil // no place is that far
	}
	var all []Placed
	for {
		page, err := s.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			for _, p := range item.Places {
				if m := (Mark{strings.TrimPrefix(p.SK, l.Prefix), item.Key}); p.Index == table.ByWork && m.Compare(after) > 0 {
					all = append(all, Placed{item, m})
				}
			}
		}
		if page.Next == "" || len(all) >= n {
			return all, nil
		}
		q.After = page.Next
	}
}
