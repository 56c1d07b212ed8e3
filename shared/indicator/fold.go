package indicator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table"
)

// Folder folds the evidence log into figures. The figures that an entry moves and
// the index it stands at are one transaction, so each entry is folded exactly
// once: whoever loses a race, dies or hears nothing reads the position again and
// goes on from there. Two may fold at once; one of them wins each step.
//
// A Folder remembers what it wrote last. That is safe because nothing but a fold
// changes it, and every fold moves the position, which is a condition of the
// next one's write.
type Folder struct {
	Table table.Store
	Log   evidence.Reader
	Tree  *division.Tree
	// Writes is how many items one transaction may change besides the position; 0
	// for as many as every store takes. What is folded does not depend on it, and a
	// whole log is folded anew the faster the more there are, into a table that
	// takes them.
	Writes int

	one  sync.Mutex
	at   position
	held map[table.Key]*doc
}

const (
	batchEntries = 200 // read from the log at once
	mostWrites   = 98  // of one transaction, below table.MaxWrites
	mostBytes    = 2 << 20
	mostHeld     = 3000 // documents remembered between transactions; some of one wide transaction more
	readers      = 16   // at once
)

// wide is how many times more one transaction may hold than every store takes.
func (f *Folder) wide() int { return max(1, f.Writes/mostWrites) }

// position is how far the log is folded. Programmes are all that were met.
type position struct {
	Next       uint64   `json:"next"` // index of the first entry not folded
	Programmes []string `json:"programmes,omitempty"`
	// Rest names a matter whose waiting events did not fit into one transaction:
	// they come before the next entry.
	Rest    *rest `json:"rest,omitempty"`
	version int64
}

type rest struct {
	Noun string `json:"noun"`
	ID   string `json:"id"`
}

// mostProgrammes bounds the programmes that are told apart.
const mostProgrammes = 16

func readPosition(ctx context.Context, t table.Store) (position, error) {
	var p position
	item, ok, err := t.Get(ctx, positionKey())
	if err != nil || !ok {
		return p, err
	}
	if err := json.Unmarshal(item.Body, &p); err != nil {
		return p, fmt.Errorf("indicator: position: %w", err)
	}
	p.version = item.Version
	return p, nil
}

// doc is one stored item while it is folded into.
type doc struct {
	key      table.Key
	version  int64 // stored; 0 when it is not there yet
	cell     *cell
	standing *standing
	body     []byte
	// later makes body of what it was moved to last; nil when body is that. What is
	// moved many times in one transaction is encoded once.
	later  func() ([]byte, error)
	matter *matter // that body, or what later encodes, says; nil when nobody has read it
	places []table.Place
	load   *load // the transaction that it is in
	weight int   // in it
}

// Fold folds everything that the log has and answers how many entries it folded
// itself. It stops without an error when ctx ends between two transactions: what
// is left is folded next time.
func (f *Folder) Fold(ctx context.Context) (folded int, err error) {
	f.one.Lock()
	defer f.one.Unlock()
	if folded, err = f.fold(ctx); ctx.Err() != nil {
		return folded, nil // whatever was under way wrote everything or nothing
	}
	return folded, err
}

func (f *Folder) fold(ctx context.Context) (folded int, err error) {
	if err := f.reread(ctx); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		entries, err := f.Log.Read(ctx, f.at.Next, batchEntries*f.wide())
		if err != nil || len(entries) == 0 && f.at.Rest == nil {
			return folded, err
		}
		for (len(entries) > 0 || f.at.Rest != nil) && ctx.Err() == nil {
			n, err := f.commit(ctx, entries)
			if err != nil {
				moved, again := f.moved(ctx)
				switch {
				case again != nil:
					return folded, errors.Join(err, again)
				case !moved:
					return folded, err
				}
				break // another fold was quicker, or our own answer was lost
			}
			folded += n
			entries = entries[n:]
		}
	}
	return folded, nil
}

// reread reads the position and forgets what it no longer vouches for.
func (f *Folder) reread(ctx context.Context) error {
	at, err := readPosition(ctx, f.Table)
	if err != nil {
		return err
	}
	if at.version != f.at.version || f.held == nil {
		f.held = map[table.Key]*doc{}
	}
	f.at = at
	return nil
}

// moved reports whether the log was folded further since f last read how far. A
// fold that was overtaken has read some items from before and some from after, so
// whatever went wrong with them means nothing.
func (f *Folder) moved(ctx context.Context) (bool, error) {
	was := f.at.version
	f.held = nil // perhaps half changed
	if err := f.reread(ctx); err != nil {
		return false, err
	}
	return f.at.version != was, nil
}

// commit folds as many of entries as fit into one transaction, at least one.
func (f *Folder) commit(ctx context.Context, entries []evidence.Entry) (n int, err error) {
	if len(f.held) > max(mostHeld, 3*f.Writes) {
		f.held = map[table.Key]*doc{}
	}
	next := position{Next: f.at.Next, Programmes: f.at.Programmes, version: f.at.version + 1}
	hold := &load{writes: mostWrites * f.wide(), bytes: mostBytes * f.wide()}
	if err := f.prefetch(ctx, entries); err != nil {
		return 0, err
	}
	for f.at.Rest != nil || n < len(entries) {
		var s *step
		if f.at.Rest != nil {
			s, err = f.drain(ctx, *f.at.Rest, f.at.Next)
		} else {
			if entries[n].Index != next.Next {
				return 0, fmt.Errorf("indicator: the log gives entry %d where %d is due", entries[n].Index, next.Next)
			}
			s, err = f.take(ctx, entries[n])
		}
		if err != nil {
			return 0, fmt.Errorf("indicator: entry %d: %w", next.Next, err)
		}
		if s != nil {
			docs, err := f.docs(ctx, s.moves)
			if err != nil {
				return 0, fmt.Errorf("indicator: entry %d: %w", next.Next, err)
			}
			if !hold.takes(docs) {
				break
			}
			if err := hold.take(docs, s.moves); err != nil {
				return 0, fmt.Errorf("indicator: entry %d: %w", next.Next, err)
			}
			if p := s.m.Programme; p != "" && !slices.Contains(next.Programmes, p) {
				next.Programmes = append(slices.Clone(next.Programmes), p)
			}
		}
		if f.at.Rest == nil {
			next.Next++
			n++
		}
		if s != nil && s.more {
			next.Rest = &rest{s.m.Noun, s.m.ID}
		}
		if f.at.Rest != nil || next.Rest != nil {
			break
		}
	}
	writes, err := hold.list(next)
	if err != nil {
		return 0, err
	}
	if err := f.Table.Transact(ctx, writes...); err != nil {
		return 0, err
	}
	for _, d := range hold.docs {
		d.version++
		d.load = nil
	}
	f.at = next
	return n, nil
}

// load is what one transaction holds so far, and how much it may.
type load struct {
	writes, bytes int
	docs          []*doc
	sum           int // of what they weigh
}

// takes reports whether moves of docs fit in too. An empty load takes anything:
// what one event moves always fits into a transaction.
func (l *load) takes(docs []*doc) bool {
	added, sum := 0, l.sum
	for i, d := range docs {
		if d.load != l && !slices.Contains(docs[:i], d) {
			added++
			sum += d.weighs()
		}
	}
	return len(l.docs) == 0 || len(l.docs)+added <= l.writes && sum <= l.bytes
}

// take makes moves, each of its doc.
func (l *load) take(docs []*doc, moves []move) error {
	for i, d := range docs {
		if err := d.make(moves[i]); err != nil {
			return err
		}
	}
	for _, d := range docs {
		if d.load != l {
			d.load, d.weight = l, 0
			l.docs = append(l.docs, d)
		}
		now := d.weighs()
		l.sum += now - d.weight
		d.weight = now
	}
	return nil
}

// weighs is about how many bytes d is.
func (d *doc) weighs() int {
	sum := len(d.body) + 300
	if d.later != nil {
		sum += 1000
	}
	if d.cell != nil {
		sum += 2000 + 4000*len(d.cell.Spreads)
	}
	if d.standing != nil {
		sum += 8 * len(d.standing.times)
	}
	return sum
}

// prefetch reads the matters of entries at once, so that the steps need not wait
// for each.
func (f *Folder) prefetch(ctx context.Context, entries []evidence.Entry) error {
	var keys []table.Key
	for _, e := range entries[:min(len(entries), mostWrites*f.wide())] {
		if noun, id, ok := matterOf(e.Event); ok {
			keys = append(keys, matterKey(noun, id))
		}
	}
	return f.fetch(ctx, keys)
}

// fetch makes sure that the documents at keys are held.
func (f *Folder) fetch(ctx context.Context, keys []table.Key) error {
	var missing []table.Key
	for _, k := range keys {
		if _, ok := f.held[k]; !ok {
			f.held[k] = nil // asked for once, if it is named twice
			missing = append(missing, k)
		}
	}
	items := make([]table.Item, len(missing))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, k := range missing {
		group.Go(func() (err error) { items[i], _, err = f.Table.Get(ctx, k); return err })
	}
	if err := group.Wait(); err != nil {
		for _, k := range missing {
			delete(f.held, k)
		}
		return err
	}
	for i, k := range missing {
		f.held[k] = &doc{key: k, version: items[i].Version, body: items[i].Body, places: items[i].Places}
	}
	return nil
}

// take is what an entry does: nil for one that no indicator is about or that was
// folded before, else its own step with those of events that waited for it. It
// changes only a clone.
func (f *Folder) take(ctx context.Context, e evidence.Entry) (*step, error) {
	noun, id, ok := matterOf(e.Event)
	if !ok {
		return nil, nil
	}
	m, err := f.matter(ctx, noun, id)
	if err != nil || !m.take(e.Event) {
		return nil, err
	}
	return f.turns(ctx, m, e.Index)
}

// drain is what the waiting events of a matter do.
func (f *Folder) drain(ctx context.Context, r rest, index uint64) (*step, error) {
	m, err := f.matter(ctx, r.Noun, r.ID)
	if err != nil {
		return nil, err
	}
	return f.turns(ctx, m, index)
}

// matter is what the fold knows of one, for the caller to change.
func (f *Folder) matter(ctx context.Context, noun, id string) (*matter, error) {
	key := matterKey(noun, id)
	if err := f.fetch(ctx, []table.Key{key}); err != nil {
		return nil, err
	}
	d := f.held[key]
	switch {
	case d.matter != nil:
		return d.matter.clone(), nil
	case d.version == 0:
		return &matter{Noun: noun, ID: id}, nil
	}
	return decodeMatter(d.body)
}

// turns lets every event of m act whose turn it is, until the step is full.
func (f *Folder) turns(ctx context.Context, m *matter, index uint64) (*step, error) {
	s := &step{ctx: ctx, index: index, m: m, read: f.read, seen: map[table.Key]any{}}
	for !s.more {
		turn, ok := m.next()
		if !ok {
			break
		}
		s.Event = turn
		if err := f.step(s); err != nil {
			return nil, err
		}
		s.more = s.full() && m.ready()
	}
	s.moves = append(s.moves, move{key: matterKey(m.Noun, m.ID), matter: m, body: func() ([]byte, error) { return json.Marshal(m) }, places: m.places()})
	return s, nil
}

// step lets every rule that is about the event act.
func (f *Folder) step(s *step) error {
	if s.m.Seen == nil {
		s.m.Seen = map[string]int64{}
	}
	s.m.Seen[thing(s.Event)] = max(s.Version, s.m.Seen[thing(s.Event)])
	if where := cmp.Or(s.Facts.Text("township"), s.Facts.Text("place")); len(s.m.Path) == 0 && where != "" {
		s.m.Day = s.today()
		s.m.Path = f.path(civil.DivisionCode(where), dayOf(s.At))
		s.m.Programme = f.programme(s.m.Noun, s.Facts)
		s.cells = nil
	}
	for _, r := range rules {
		if r.noun == s.Noun && (r.kind == "" || r.kind == s.Kind) {
			if err := r.do(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// path is a division and all it stands in on a day, narrowest first; a village is
// its township.
func (f *Folder) path(code civil.DivisionCode, day civil.Day) []civil.DivisionCode {
	if t, ok := f.Tree.TownshipOf(code, day); ok {
		code = t.Code
	}
	var codes []civil.DivisionCode
	for _, d := range slices.Backward(f.Tree.Path(code, day)) {
		codes = append(codes, d.Code)
	}
	return codes
}

// programme is under what a matter is counted.
func (f *Folder) programme(noun string, facts event.Facts) string {
	p := facts.Text("programme")
	switch {
	case p == "" && noun == applicationNoun:
		p = FirstAid
	case p == "":
		p = NoProgramme
	}
	if !slices.Contains(f.at.Programmes, p) && len(f.at.Programmes) >= mostProgrammes {
		p = NoProgramme
	}
	return p
}

// read is the body at key, nil when there is none yet.
func (f *Folder) read(ctx context.Context, key table.Key) ([]byte, error) {
	if err := f.fetch(ctx, []table.Key{key}); err != nil {
		return nil, err
	}
	return f.held[key].encoded()
}

// docs are what moves are made of, one for each.
func (f *Folder) docs(ctx context.Context, moves []move) ([]*doc, error) {
	docs := make([]*doc, len(moves))
	var missing []table.Key
	for i, m := range moves {
		if docs[i] = f.held[m.key]; docs[i] == nil {
			missing = append(missing, m.key)
		}
	}
	if len(missing) == 0 {
		return docs, nil
	}
	if err := f.fetch(ctx, missing); err != nil {
		return nil, err
	}
	for i, m := range moves {
		docs[i] = f.held[m.key]
	}
	return docs, nil
}

// encoded is d's body.
func (d *doc) encoded() (_ []byte, err error) {
	if d.later != nil {
		if d.body, err = d.later(); err != nil {
			return nil, err
		}
		d.later = nil
	}
	return d.body, nil
}

func (d *doc) make(m move) (err error) {
	switch {
	case m.cell != nil:
		if d.cell == nil {
			d.cell = newCell()
			if d.body != nil {
				if d.cell, err = decodeCell(d.body); err != nil {
					return err
				}
			}
			d.body = nil
		}
		return m.cell(d.cell)
	case m.standing != nil:
		if d.standing == nil {
			d.standing = m.fresh()
			if d.body != nil {
				if d.standing, err = decodeStanding(d.body); err != nil {
					return err
				}
			}
			d.body = nil
		}
		return m.standing(d.standing)
	}
	d.body, d.later, d.matter, d.places = nil, m.body, m.matter, m.places
	return nil
}

// list is the whole transaction: the position first, then everything that changed.
func (l *load) list(next position) ([]table.Write, error) {
	body, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("indicator: position: %w", err)
	}
	writes := []table.Write{table.Step(table.Item{Key: positionKey(), Version: next.version, Body: body})}
	for _, d := range l.docs {
		switch {
		case d.cell != nil:
			body, err = d.cell.encode()
		case d.standing != nil:
			body, err = d.standing.encode()
		default:
			body, err = d.encoded()
		}
		if err != nil {
			return nil, err
		}
		writes = append(writes, table.Step(table.Item{Key: d.key, Version: d.version + 1, Body: body, Places: d.places}))
	}
	return writes, nil
}

// Behind is how many entries of the log are in no figure yet.
func (f *Folder) Behind(ctx context.Context) (uint64, error) {
	size, err := f.Log.Size(ctx)
	if err != nil {
		return 0, err
	}
	at, err := readPosition(ctx, f.Table)
	return size - min(size, at.Next), err
}
