package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/doudi-aid/doudi/shared/table"
)

// The first byte of a stored key says what it is.
const (
	itemSpace     = 'i' // ordered key → item
	markSpace     = 'm' // mark → nothing
	changeSpace   = 'f' // position → ordered key and item, the feed
	consumerSpace = 'c' // consumer → position
	factSpace     = 'z' // "layout", "last"
)

var (
	layoutFact = []byte("zlayout")
	lastFact   = []byte("zlast") // the newest position, for when all changes are dropped
)

const (
	// A larger memtable is flushed less often, and everything that is flushed is
	// rewritten several times on its way down. It only grows under load.
	memtableBytes = 16 << 20
	levelBytes    = 256 << 20
	// cacheBytes holds the filters, and pebble takes its memtables, of which two
	// may be full, out of it: with less, nothing is cached and every condition
	// reads its filters from the file. A filter is ten bits a key, and three million
	// cases are some thirty million keys. A small store never fills it.
	cacheBytes = 2*memtableBytes + 96<<20
	// batchBytes ends a group; a transaction is at most table.MaxTotal.
	batchBytes = 4 << 20
	// dropEvery is how many changes are dropped at a time.
	dropEvery = 512
)

// disk is a shelf on pebble. One goroutine commits: it takes every transaction
// that waits, checks them in order, and syncs once for all of them.
type disk struct {
	db   *pebble.DB
	lock *pebble.Lock
	set  settings
	feed *feed

	waiting chan *request
	stop    chan struct{} // closed by close
	stopped chan struct{} // closed when the committer has ended

	mu      sync.Mutex
	now     *snapshot // what is acknowledged
	readers sync.WaitGroup
	closed  bool
	dropped uint64 // changes up to here are deleted

	last     uint64 // newest position; the committer's own
	nextRake time.Time
	failed   error
}

// request is one transaction and, once done is closed, its answer.
type request struct {
	writes []table.Write
	answer error
	done   chan struct{}
}

// Open is a Store in a folder, which is made if it is not there. A second
// process that opens it gets ErrHeld.
func Open(dir string, opts ...Option) (*Store, error) {
	set := settings{spare: 100_000}
	for _, o := range opts {
		o(&set)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	options := &pebble.Options{
		CacheSize:          cacheBytes,
		MemTableSize:       memtableBytes,
		LBaseMaxBytes:      levelBytes,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             quiet{},
	}
	for i := range options.Levels {
		// Most conditions ask for a key that must not exist. Without a filter
		// each would read a block of every level.
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrHeld, dir, err)
	}
	options.Lock = lock
	db, err := pebble.Open(dir, options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: open %s: %w", dir, err), lock.Close())
	}
	d := &disk{
		db: db, lock: lock, set: set, feed: newFeed(set.spare),
		waiting: make(chan *request), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, db.Close(), lock.Close())
	}
	d.now = &snapshot{Snapshot: db.NewSnapshot(), held: 1}
	go d.commitAll()
	return &Store{shelf: d, feed: d.feed}, nil
}

// load reads the layout and where the feed and its consumers are.
func (d *disk) load() error {
	raw, err := get(d.db, layoutFact)
	if err != nil {
		return err
	}
	if raw == nil {
		if err := d.db.Set(layoutFact, []byte{layout}, pebble.Sync); err != nil {
			return fmt.Errorf("embedded: %w", err)
		}
	} else if len(raw) != 1 || raw[0] != layout {
		return fmt.Errorf("%w: %v, this version knows %d", ErrLayout, raw, layout)
	}
	if raw, err = get(d.db, lastFact); err != nil {
		return err
	}
	if len(raw) == 8 {
		d.last = binary.BigEndian.Uint64(raw)
	}
	d.feed.last, d.feed.base = d.last, d.last
	err = scan(d.db, changeSpace, "", "", false, func(key string, _ []byte) (bool, error) {
		d.feed.base = binary.BigEndian.Uint64([]byte(key)) - 1
		return false, nil
	})
	if err != nil {
		return err
	}
	d.dropped = d.feed.base
	return scan(d.db, consumerSpace, "", "", false, func(key string, v []byte) (bool, error) {
		if len(v) != 8 {
			return false, errCodec
		}
		d.feed.at[key] = max(binary.BigEndian.Uint64(v), d.feed.base)
		return true, nil
	})
}

func (d *disk) transact(ctx context.Context, writes []table.Write) error {
	r := &request{writes: writes, done: make(chan struct{})}
	select {
	case d.waiting <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.stop:
		return ErrClosed
	}
	<-r.done // it is being written: the answer comes as soon as the disk has it
	return r.answer
}

func (d *disk) commitAll() {
	defer close(d.stopped)
	for {
		select {
		case r := <-d.waiting:
			d.commit(r)
		case <-d.stop:
			return
		}
	}
}

// commit takes first and whatever else waits, writes them and answers them. No
// answer, not even a refusal, leaves before the sync: it may rest on a write of
// the same group.
func (d *disk) commit(first *request) {
	requests := []*request{first}
	defer func() {
		for _, r := range requests {
			close(r.done)
		}
	}()
	g := &group{disk: d, batch: d.db.NewBatch(), fresh: map[string]*table.Item{}, last: d.last}
	defer g.batch.Close()
	stored, err := newFinder(d.db)
	if err != nil {
		first.answer = err
		return
	}
	defer stored.Close()
	g.stored = stored
	if d.failed == nil {
		if err := g.rake(); err != nil {
			d.failed = err
		}
	}
	for more := true; more; {
		r := requests[len(requests)-1]
		if r.answer = d.failed; d.failed == nil {
			r.answer = g.add(r.writes)
		}
		more = false
		if g.batch.Len() < batchBytes {
			select {
			case next := <-d.waiting:
				requests, more = append(requests, next), true
			default:
			}
		}
	}
	if d.failed == nil && g.batch.Empty() {
		return
	}
	if d.failed == nil {
		d.failed = g.sync()
	}
	if d.failed != nil {
		// Nobody knows what is on the disk after a failed sync, so the store
		// answers nothing more until it is opened again.
		for _, r := range requests {
			if r.answer == nil {
				r.answer = fmt.Errorf("%w: %w", table.ErrUnknown, d.failed)
			}
		}
		return
	}
	d.last = g.last
	d.show(&snapshot{Snapshot: d.db.NewSnapshot(), held: 1})
	if trim := d.feed.publish(g.last); trim > 0 {
		if err := d.drop(trim); err != nil {
			slog.Error("embedded: old changes not dropped", "error", err)
		}
	}
}

// group is the transactions of one commit and the state they see.
type group struct {
	disk   *disk
	stored finder // what was committed before the group
	batch  *pebble.Batch
	fresh  map[string]*table.Item // by ordered key; nil when removed
	last   uint64
	buf    []byte
}

func (g *group) item(key string) (*table.Item, error) {
	if it, ok := g.fresh[key]; ok {
		return it, nil
	}
	return g.stored.item(key)
}

func (g *group) add(writes []table.Write) error {
	changes, err := decide(g.item, writes)
	if err != nil {
		return err
	}
	for _, c := range changes {
		err := g.write(c)
		g.last++
		key := binary.BigEndian.AppendUint64([]byte{changeSpace}, g.last)
		g.buf = appendItem(appendText(g.buf[:0], c.key), c.new)
		if err = errors.Join(err, g.batch.Set(key, g.buf, nil)); err != nil {
			g.disk.failed = err // half a transaction may be in the batch
			return err
		}
	}
	return nil
}

func (g *group) sync() error {
	last := binary.BigEndian.AppendUint64(nil, g.last)
	if err := g.batch.Set(lastFact, last, nil); err != nil {
		return fmt.Errorf("embedded: store stopped: %w", err)
	}
	if err := g.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("embedded: store stopped: %w", err)
	}
	return nil
}

func (g *group) write(c change) (err error) {
	g.fresh[c.key] = c.new
	if c.new == nil {
		err = g.batch.Delete(spaced(itemSpace, c.key), nil)
	} else {
		g.buf = appendItem(g.buf[:0], c.new)
		err = g.batch.Set(spaced(itemSpace, c.key), g.buf, nil)
	}
	moveMarks(c,
		func(mark string) { err = errors.Join(err, g.batch.Delete(spaced(markSpace, mark), nil)) },
		func(mark string) { err = errors.Join(err, g.batch.Set(spaced(markSpace, mark), nil, nil)) })
	return err
}

// rake forgets expired items, at most once a second.
func (g *group) rake() error {
	if g.disk.set.now == nil {
		return nil
	}
	now := g.disk.set.now()
	if now.Before(g.disk.nextRake) {
		return nil
	}
	g.disk.nextRake = now.Add(time.Second)
	changes, err := expired(diskView{g.disk.db}, now)
	for _, c := range changes {
		if err == nil {
			err = g.write(c)
		}
	}
	return err
}

func (d *disk) changes(after uint64, most int) ([]table.Change, error) {
	s, done, err := d.snapshot()
	if err != nil {
		return nil, err
	}
	defer done()
	from := string(binary.BigEndian.AppendUint64(nil, after+1))
	var out []table.Change
	err = scan(s, changeSpace, from, "", false, func(key string, v []byte) (bool, error) {
		r := reader{b: v}
		item := r.text()
		if r.fault {
			return false, errCodec
		}
		it, err := readItem(item, r.b)
		if err != nil {
			return false, err
		}
		out = append(out, table.Change{Seq: seqText(binary.BigEndian.Uint64([]byte(key))), Item: *it})
		return len(out) < most, nil
	})
	return out, err
}

func (d *disk) remember(consumer string, at, trim uint64) error {
	value := binary.BigEndian.AppendUint64(nil, at)
	return d.held(func() error {
		if err := d.db.Set(spaced(consumerSpace, consumer), value, pebble.NoSync); err != nil {
			return err
		}
		return d.drop(trim)
	})
}

func (d *disk) forget(consumer string, trim uint64) error {
	return d.held(func() error {
		if err := d.db.Delete(spaced(consumerSpace, consumer), pebble.NoSync); err != nil {
			return err
		}
		return d.drop(trim)
	})
}

// drop deletes changes up to seq, many at a time: each deletion leaves a mark
// that reads must step over until it is compacted away.
func (d *disk) drop(seq uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq < d.dropped+dropEvery {
		return nil
	}
	from := binary.BigEndian.AppendUint64([]byte{changeSpace}, 0)
	to := binary.BigEndian.AppendUint64([]byte{changeSpace}, seq+1)
	if err := d.db.DeleteRange(from, to, pebble.NoSync); err != nil {
		return err
	}
	d.dropped = seq
	return nil
}

// quietFor is how often in a row, a tenth of a second apart, nothing is found to be
// sorted before nothing is left.
const quietFor = 10

// settle waits until nothing is sorted in the background.
func (d *disk) settle(ctx context.Context) error {
	return d.held(func() error {
		if err := d.db.Flush(); err != nil {
			return err
		}
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for quiet := 0; quiet < quietFor; quiet++ {
			if m := d.db.Metrics(); m.Compact.NumInProgress > 0 || m.Flush.NumInProgress > 0 {
				quiet = 0
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
		return nil
	})
}

func (d *disk) close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	close(d.stop)
	<-d.stopped
	d.readers.Wait()
	// Flushed, the next Open has no log to replay.
	return errors.Join(d.now.Close(), d.db.Flush(), d.db.Close(), d.lock.Close())
}

// quiet keeps pebble's own log to what an operator must see.
type quiet struct{}

func (quiet) Infof(string, ...any) {}

func (quiet) Errorf(format string, args ...any) {
	slog.Error("embedded: " + fmt.Sprintf(format, args...))
}

// Fatalf ends the process, as pebble demands: the disk refused a sync, and
// nothing that was not acknowledged may be taken for written.
func (quiet) Fatalf(format string, args ...any) {
	slog.Error("embedded: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
