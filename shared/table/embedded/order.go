package embedded

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/doudi-aid/doudi/shared/table"
)

// An ordered key is one string whose byte order is the order of its parts: each
// part but the last is escaped (00 → 00 FF) and ended with 00 01.
//
//	item   = esc(PK) SK
//	mark   = esc(index) esc(place PK) esc(place SK) item
//	expiry = esc("") seconds as 8 bytes, item
const (
	end  = "\x00\x01" // ends an escaped part
	past = "\x00\x02" // after every string that begins with the part
)

func escaped(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "\x00\xff")
}

func itemKey(k table.Key) string { return escaped(k.PK) + end + k.SK }

// splitPart takes the first escaped part off an ordered key.
func splitPart(s string) (part, rest string, err error) {
	at := strings.Index(s, end)
	if at < 0 {
		return "", "", fmt.Errorf("embedded: ordered key of %d bytes without an end", len(s))
	}
	part = s[:at]
	if strings.IndexByte(part, 0) >= 0 {
		part = strings.ReplaceAll(part, "\x00\xff", "\x00")
	}
	return part, s[at+len(end):], nil
}

func parseItemKey(s string) (table.Key, error) {
	pk, sk, err := splitPart(s)
	return table.Key{PK: pk, SK: sk}, err
}

func placeMark(p table.Place, item string) string {
	return escaped(string(p.Index)) + end + escaped(p.PK) + end + escaped(p.SK) + end + item
}

func expiryMark(seconds int64, item string) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(seconds))
	return end + string(b[:]) + item
}

// markedItem is the ordered key of the item a mark belongs to.
func markedItem(mark string) (string, error) {
	if rest, ok := strings.CutPrefix(mark, end); ok {
		if len(rest) < 8 {
			return "", fmt.Errorf("embedded: expiry mark of %d bytes", len(mark))
		}
		return rest[8:], nil
	}
	for range 3 {
		at := strings.Index(mark, end)
		if at < 0 {
			return "", fmt.Errorf("embedded: mark without an item")
		}
		mark = mark[at+len(end):]
	}
	return mark, nil
}

// itemStem is what all items of one partition begin with.
func itemStem(key string) string { return key[:strings.Index(key, end)+len(end)] }

// markStem is what all marks of one partition of one index begin with; all
// expiry marks are one partition.
func markStem(mark string) string {
	first := strings.Index(mark, end) + len(end)
	if first == len(end) {
		return end
	}
	return mark[:first+strings.Index(mark[first:], end)+len(end)]
}

// marksOf lists every mark of an item, places and expiry.
func marksOf(it *table.Item, key string) []string {
	if it == nil || len(it.Places) == 0 && it.Expires.IsZero() {
		return nil
	}
	marks := make([]string, 0, len(it.Places)+1)
	for _, p := range it.Places {
		marks = append(marks, placeMark(p, key))
	}
	if !it.Expires.IsZero() {
		marks = append(marks, expiryMark(it.Expires.Unix(), key))
	}
	return marks
}

// bounds are the ordered keys a query covers, [from, to), all beginning with stem.
func bounds(q table.Query) (stem, from, to string) {
	if q.Index == "" {
		stem = escaped(q.PK) + end
		from, to = stem+q.From, escaped(q.PK)+past
		if q.To != "" {
			to = stem + q.To + "\x00"
		}
		return stem, from, to
	}
	head := escaped(string(q.Index)) + end + escaped(q.PK)
	stem = head + end
	from, to = stem+escaped(q.From), head+past
	if q.To != "" {
		to = stem + escaped(q.To) + past
	}
	return stem, from, to
}
