package embedded

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/doudi-aid/doudi/shared/table"
)

// pageBytes ends a page early, as DynamoDB does at one megabyte.
const pageBytes = 1 << 20

// Query reads one page of one moment's state.
func (s *Store) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := q.Validate(); err != nil {
		return table.Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return table.Page{}, err
	}
	stem, from, to := bounds(q)
	if q.After != "" {
		raw, err := base64.RawURLEncoding.DecodeString(string(q.After))
		if err != nil || !strings.HasPrefix(string(raw), stem) {
			return table.Page{}, fmt.Errorf("%w: cursor of another query", table.ErrInvalid)
		}
		if q.Reverse {
			to = min(to, string(raw))
		} else {
			from = max(from, string(raw)+"\x00")
		}
	}
	limit := q.Limit
	if limit == 0 {
		limit = table.MaxPage
	}
	v, done, err := s.shelf.view()
	if err != nil {
		return table.Page{}, err
	}
	defer done()

	var page table.Page
	if from >= to {
		return page, nil
	}
	var last string
	var bytes int
	take := func(key string, it *table.Item) bool {
		if len(page.Items) == limit || bytes >= pageBytes {
			page.Next = table.Cursor(base64.RawURLEncoding.EncodeToString([]byte(last)))
			return false
		}
		page.Items = append(page.Items, it.Clone())
		bytes += len(it.Body)
		last = key
		return true
	}
	if q.Index == "" {
		return page, v.items(from, to, q.Reverse, take)
	}
	var broken error
	err = v.marks(from, to, q.Reverse, func(mark string) bool {
		var key string
		var it *table.Item
		if key, broken = markedItem(mark); broken != nil {
			return false
		}
		if it, broken = v.item(key); broken != nil {
			return false
		}
		if it == nil {
			broken = fmt.Errorf("embedded: index %s names an item that is not there", q.Index)
			return false
		}
		return take(mark, it)
	})
	if err == nil {
		err = broken
	}
	return page, err
}
