package embedded

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// layout is what the folder's items look like; a change of codec or order needs
// another number and a migration.
const layout = 1

var errCodec = errors.New("embedded: stored item cannot be read")

// appendItem writes all of an item but its key: version, expiry in seconds (0
// for none), counters by name, places, body.
func appendItem(b []byte, it *table.Item) []byte {
	b = binary.AppendUvarint(b, uint64(it.Version))
	var expires uint64
	if !it.Expires.IsZero() {
		expires = uint64(it.Expires.Unix())
	}
	b = binary.AppendUvarint(b, expires)
	b = binary.AppendUvarint(b, uint64(len(it.Counters)))
	names := make([]string, 0, len(it.Counters))
	for name := range it.Counters {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b = appendText(b, name)
		b = binary.AppendVarint(b, it.Counters[name])
	}
	b = binary.AppendUvarint(b, uint64(len(it.Places)))
	for _, p := range it.Places {
		b = appendText(appendText(appendText(b, string(p.Index)), p.PK), p.SK)
	}
	return append(b, it.Body...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes fields off the front; after the first fault it gives zeros.
type reader struct {
	b     []byte
	fault bool
}

func (r *reader) took(n int) bool {
	if n <= 0 {
		r.fault = true
		return false
	}
	r.b = r.b[n:]
	return true
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if !r.took(n) {
		return 0
	}
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if !r.took(n) {
		return 0
	}
	return v
}

func (r *reader) text() string {
	n := r.uint()
	if r.fault || n > uint64(len(r.b)) {
		r.fault = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// readItem reads what appendItem wrote; it copies out of b.
func readItem(key string, b []byte) (*table.Item, error) {
	k, err := parseItemKey(key)
	if err != nil {
		return nil, err
	}
	r := reader{b: b}
	it := &table.Item{Key: k, Version: int64(r.uint())}
	if at := r.uint(); at != 0 {
		it.Expires = time.Unix(int64(at), 0).UTC()
	}
	if n := r.uint(); n > 0 {
		it.Counters = make(map[string]int64, min(n, table.MaxCounters))
		for ; n > 0 && !r.fault; n-- {
			name := r.text()
			it.Counters[name] = r.int()
		}
	}
	for n := r.uint(); n > 0 && !r.fault; n-- {
		index := table.Index(r.text())
		pk := r.text()
		it.Places = append(it.Places, table.Place{Index: index, PK: pk, SK: r.text()})
	}
	if r.fault {
		return nil, errCodec
	}
	if len(r.b) > 0 {
		it.Body = slices.Clone(r.b)
	}
	return it, nil
}
