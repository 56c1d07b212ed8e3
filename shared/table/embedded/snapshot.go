package embedded

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/doudi-aid/doudi/shared/table"
)

// snapshot is one acknowledged state. Pebble shows a write before it is on the
// disk; whoever acted on it could have acted on something a crash takes back.
// So readers see the snapshot of the last sync and nothing newer.
type snapshot struct {
	*pebble.Snapshot
	held int // by readers, and by being the current one; under disk.mu
}

// snapshot gives the current state to a reader, which calls done.
func (d *disk) snapshot() (s *snapshot, done func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, ErrClosed
	}
	s = d.now
	s.held++
	d.readers.Add(1)
	return s, func() {
		d.release(s)
		d.readers.Done()
	}, nil
}

func (d *disk) release(s *snapshot) {
	d.mu.Lock()
	s.held--
	last := s.held == 0
	d.mu.Unlock()
	if last {
		_ = s.Close() // fails only when closed twice
	}
}

// show makes s the current state.
func (d *disk) show(s *snapshot) {
	d.mu.Lock()
	old := d.now
	d.now = s
	d.mu.Unlock()
	d.release(old)
}

// held runs f while the store cannot close.
func (d *disk) held(f func() error) error {
	_, done, err := d.snapshot()
	if err != nil {
		return err
	}
	defer done()
	if err := f(); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}

func (d *disk) view() (view, func(), error) {
	s, done, err := d.snapshot()
	if err != nil {
		return nil, nil, err
	}
	return diskView{s}, done, nil
}

// diskView decodes what a pebble reader finds.
type diskView struct{ from pebble.Reader }

func (v diskView) item(key string) (*table.Item, error) {
	f, err := newFinder(v.from)
	if err != nil {
		return nil, err
	}
	it, err := f.item(key)
	return it, errors.Join(err, f.Close())
}

// finder looks single items up. It asks the filters of the lowest level too,
// which pebble's own Get leaves out: there most keys are, and most conditions
// ask for one that must not be.
type finder struct{ *pebble.Iterator }

func newFinder(r pebble.Reader) (finder, error) {
	it, err := r.NewIter(&pebble.IterOptions{
		LowerBound: []byte{itemSpace}, UpperBound: []byte{itemSpace + 1}, UseL6Filters: true,
	})
	if err != nil {
		return finder{}, fmt.Errorf("embedded: %w", err)
	}
	return finder{it}, nil
}

func (f finder) item(key string) (*table.Item, error) {
	want := spaced(itemSpace, key)
	if !f.SeekPrefixGE(want) || !bytes.Equal(f.Key(), want) {
		if err := f.Error(); err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
		return nil, nil
	}
	raw, err := f.ValueAndErr()
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return readItem(key, raw)
}

func (v diskView) items(from, to string, reverse bool, yield func(string, *table.Item) bool) error {
	return scan(v.from, itemSpace, from, to, reverse, func(key string, raw []byte) (bool, error) {
		it, err := readItem(key, raw)
		if err != nil {
			return false, err
		}
		return yield(key, it), nil
	})
}

func (v diskView) marks(from, to string, reverse bool, yield func(string) bool) error {
	return scan(v.from, markSpace, from, to, reverse, func(mark string, _ []byte) (bool, error) {
		return yield(mark), nil
	})
}

func spaced(space byte, key string) []byte {
	b := make([]byte, 0, 1+len(key))
	return append(append(b, space), key...)
}

// scan walks the keys of one space in [from, to); an empty to is the space's
// end. The value is only valid within the call.
func scan(r pebble.Reader, space byte, from, to string, reverse bool, each func(key string, value []byte) (bool, error)) (err error) {
	upper := []byte{space + 1}
	if to != "" {
		upper = spaced(space, to)
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: spaced(space, from), UpperBound: upper})
	if err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	step, more := it.Next, it.First
	if reverse {
		step, more = it.Prev, it.Last
	}
	for ok := more(); ok; ok = step() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("embedded: %w", err)
		}
		if ok, err = each(string(it.Key()[1:]), value); err != nil || !ok {
			return err
		}
	}
	return it.Error()
}

// get copies one value out; nil when there is none.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	raw, done, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return append([]byte{}, raw...), done.Close()
}
