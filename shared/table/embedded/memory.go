package embedded

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/btree"

	"github.com/doudi-aid/doudi/shared/table"
)

// memory is a shelf of ordered maps under one lock, one map for each partition:
// nothing reads across partitions, and a small map stays in the processor's
// cache where one large map would miss at every comparison.
type memory struct {
	set  settings
	feed *feed

	mu       sync.RWMutex
	byKey    partitions[*table.Item]
	byMark   partitions[struct{}]
	log      []*table.Item // changes after dropped, oldest first
	sum      *sum          // nil until somebody asks for a fingerprint
	dropped  uint64
	nextRake time.Time
}

func newMemory(set settings, f *feed) *memory {
	return &memory{set: set, feed: f, byKey: partitions[*table.Item]{}, byMark: partitions[struct{}]{}}
}

func (m *memory) view() (view, func(), error) {
	m.mu.RLock()
	return m, m.mu.RUnlock, nil
}

func (m *memory) item(key string) (*table.Item, error) {
	return m.byKey.get(itemStem(key), key), nil
}

func (m *memory) items(from, to string, reverse bool, yield func(string, *table.Item) bool) error {
	m.byKey.walk(itemStem(from), from, to, reverse, yield)
	return nil
}

func (m *memory) marks(from, to string, reverse bool, yield func(string) bool) error {
	m.byMark.walk(markStem(from), from, to, reverse, func(k string, _ struct{}) bool { return yield(k) })
	return nil
}

// partitions are ordered maps by stem, the part of an ordered key that all keys
// of one partition begin with.
type partitions[V any] map[string]*btree.Map[string, V]

func (p partitions[V]) get(stem, key string) (v V) {
	if m := p[stem]; m != nil {
		v, _ = m.Get(key)
	}
	return v
}

func (p partitions[V]) set(stem, key string, v V) {
	m := p[stem]
	if m == nil {
		m = &btree.Map[string, V]{}
		p[stem] = m
	}
	m.Set(key, v)
}

func (p partitions[V]) remove(stem, key string) {
	m := p[stem]
	if m == nil {
		return
	}
	if m.Delete(key); m.Len() == 0 {
		delete(p, stem)
	}
}

func (p partitions[V]) walk(stem, from, to string, reverse bool, yield func(string, V) bool) {
	m := p[stem]
	switch {
	case m == nil:
	case reverse:
		m.Descend(to, func(k string, v V) bool { return k == to || k >= from && yield(k, v) })
	default:
		m.Ascend(from, func(k string, v V) bool { return k < to && yield(k, v) })
	}
}

func (m *memory) transact(_ context.Context, writes []table.Write) error {
	last, err := m.write(writes)
	if err != nil {
		return err
	}
	// Outside the lock: the feed's lock is always taken before the shelf's.
	if trim := m.feed.publish(last); trim > 0 {
		return m.remember("", 0, trim)
	}
	return nil
}

// write applies a transaction and answers the newest change.
func (m *memory) write(writes []table.Write) (last uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rake(); err != nil {
		return 0, err
	}
	changes, err := decide(m.item, writes)
	if err != nil {
		return 0, err
	}
	for _, c := range changes {
		m.apply(c)
		m.log = append(m.log, c.new)
		if m.sum != nil {
			m.sum.total += waiting * m.sum.of(c.new)
		}
	}
	return m.dropped + uint64(len(m.log)), nil
}

func (m *memory) apply(c change) {
	if m.sum != nil {
		m.sum.total += m.sum.of(c.new) - m.sum.of(c.old)
	}
	if c.new == nil {
		m.byKey.remove(itemStem(c.key), c.key)
	} else {
		m.byKey.set(itemStem(c.key), c.key, c.new)
	}
	moveMarks(c,
		func(mark string) { m.byMark.remove(markStem(mark), mark) },
		func(mark string) { m.byMark.set(markStem(mark), mark, struct{}{}) })
}

// rake forgets expired items, at most once a second of the store's clock.
func (m *memory) rake() error {
	if m.set.now == nil {
		return nil
	}
	now := m.set.now()
	if now.Before(m.nextRake) {
		return nil
	}
	m.nextRake = now.Add(time.Second)
	changes, err := expired(m, now)
	if err != nil {
		return err
	}
	for _, c := range changes {
		m.apply(c)
	}
	return nil
}

func (m *memory) changes(after uint64, most int) ([]table.Change, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []table.Change
	for seq := max(after, m.dropped); seq < m.dropped+uint64(len(m.log)) && len(out) < most; seq++ {
		out = append(out, table.Change{Seq: seqText(seq + 1), Item: m.log[seq-m.dropped].Clone()})
	}
	return out, nil
}

// drop forgets changes up to seq; the caller holds mu.
func (m *memory) drop(seq uint64) {
	if seq <= m.dropped {
		return
	}
	n := int(seq - m.dropped)
	if m.sum != nil {
		for _, it := range m.log[:n] {
			m.sum.total -= waiting * m.sum.of(it)
		}
	}
	clear(m.log[:n]) // so that the items can be collected
	m.log = m.log[n:]
	m.dropped = seq
}

func (m *memory) remember(_ string, _, trim uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(trim)
	return nil
}

// fork is a shelf of its own with what stands on m. The maps are shared until
// one side writes; items never change once they are stored.
func (m *memory) fork(f *feed) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	other := &memory{set: m.set, feed: f, byKey: m.byKey.fork(), byMark: m.byMark.fork(), log: slices.Clone(m.log), dropped: m.dropped, nextRake: m.nextRake}
	if m.sum != nil {
		kept := *m.sum
		other.sum = &kept
	}
	return other
}

// fingerprint sums over all items and waiting changes, so that no order matters.
// Whoever asks does so again and again: from the first time on every change
// corrects the sum.
func (m *memory) fingerprint(seed maphash.Seed) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sum != nil && m.sum.seed == seed {
		return m.sum.total
	}
	m.sum = &sum{seed: seed}
	for _, p := range m.byKey {
		p.Ascend("", func(_ string, it *table.Item) bool { m.sum.total += m.sum.of(it); return true })
	}
	for _, it := range m.log {
		m.sum.total += waiting * m.sum.of(it)
	}
	return m.sum.total
}

// sum is what fingerprint answers, kept.
type sum struct {
	seed  maphash.Seed
	total uint64
}

// waiting tells a change that waits from the item that it left; odd, so that no
// bit is lost.
const waiting = 3

// of is the part that one item has in the sum; nothing is nothing.
func (s *sum) of(it *table.Item) uint64 {
	if it == nil {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	print := func(parts ...string) {
		for _, p := range parts {
			_, _ = h.WriteString(p) // a hash takes everything
			_ = h.WriteByte(0)
		}
	}
	print(it.Key.PK, it.Key.SK)
	maphash.WriteComparable(&h, it.Version)
	maphash.WriteComparable(&h, it.Expires.Unix())
	_, _ = h.Write(it.Body)
	for _, p := range it.Places {
		print(string(p.Index), p.PK, p.SK)
	}
	var counters uint64
	for name, n := range it.Counters {
		counters += maphash.Comparable(s.seed, struct {
			string
			int64
		}{name, n})
	}
	maphash.WriteComparable(&h, counters)
	return h.Sum64()
}

func (p partitions[V]) fork() partitions[V] {
	out := make(partitions[V], len(p))
	for stem, m := range p {
		out[stem] = m.Copy()
	}
	return out
}

func (m *memory) forget(consumer string, trim uint64) error { return m.remember(consumer, 0, trim) }

func (m *memory) close() error { return nil }
