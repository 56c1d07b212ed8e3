package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// The files of an export. All but the notes and the hashes are JSON, a line each.
const (
	manifestFile   = "manifest.json"
	checkpointFile = "checkpoint"
	witnessedFile  = "witnessed"
	leavesFile     = "leaves.ndjson"     // one leaf a line, in order
	hashesFile     = "hashes.bin"        // of the leaves, as they were published, 32 bytes each
	eventsFile     = "events.ndjson"     // what each leaf's event is now
	statesFile     = "states.ndjson"     // the things themselves
	ledgerFile     = "ledger.ndjson"     // slices of funds and their entries
	statementsFile = "statements.ndjson" // of banks, where there are any
)

// Manifest says what an export is.
type Manifest struct {
	Format     string    `json:"format"`
	Origin     string    `json:"origin"`
	Key        string    `json:"key"` // the log's public key, as the operator says; pin your own
	ExportedAt time.Time `json:"exported_at"`
	Leaves     uint64    `json:"leaves"`
}

// Format is the version of the form of an export.
const Format = "doudi-export/1"

// eventLine is what a leaf's event is now.
type eventLine struct {
	Index  int64           `json:"i"`
	Hash   *tlog.Hash      `json:"h,omitempty"`      // of the leaf that the event makes today
	Erased bool            `json:"erased,omitempty"` // its salt is gone: Hash is of the bare leaf
	Now    json.RawMessage `json:"now,omitempty"`    // that leaf, where it is another
	Gone   bool            `json:"gone,omitempty"`
	// Unlogged is an event that is no leaf; Index is None.
	Unlogged json.RawMessage `json:"unlogged,omitempty"`
}

// stateLine is one thing as it stands.
type stateLine struct {
	PK      string    `json:"pk"`
	Noun    string    `json:"noun"`
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	State   string    `json:"state,omitempty"`
	Fen     money.Fen `json:"amount_fen,omitempty"`
	PaidFen money.Fen `json:"paid_fen,omitempty"`
	Slice   string    `json:"slice,omitempty"` // of the fund that pays it
	// Later: its newest event came after what is exported of the log.
	Later bool `json:"later,omitempty"`
}

// ledgerLine is one slice, or one entry of it.
type ledgerLine struct {
	Slice    string                     `json:"slice"`
	Count    int64                      `json:"count,omitempty"`
	Balances map[fund.Account]money.Fen `json:"balances,omitempty"`
	Entry    *entryLine                 `json:"entry,omitempty"`
}

// entryLine is an entry without the persons behind it.
type entryLine struct {
	Cause   string     `json:"cause"`
	Kind    fund.Kind  `json:"kind"`
	Legs    []fund.Leg `json:"legs"`
	Answers string     `json:"answers,omitempty"`
	By      []string   `json:"by"`
	At      time.Time  `json:"at"`
}

// statementLine is what a bank's statement of one day came to.
type statementLine struct {
	PK        string    `json:"pk"`
	ID        string    `json:"id"`
	Digest    string    `json:"digest"`
	LinesFen  money.Fen `json:"lines_fen"`
	BookedFen money.Fen `json:"booked_fen"`
	Version   int64     `json:"version"`
}

// Exporter writes exports. It reads and changes nothing.
type Exporter struct {
	Table     table.Store
	Publisher *evidence.Publisher
	Key       string // the log's public key
	Now       func() time.Time
	Progress  func(done, of uint64)
}

// young is how young an event may be and not be in the log yet.
const young = 5 * time.Minute

// step is how many leaves are read at once.
const step = 4 * evidence.Block

// Export writes everything up to the newest checkpoint into dir, which must be
// empty or absent.
func (x Exporter) Export(ctx context.Context, dir string) (Manifest, error) {
	m := Manifest{Format: Format, Origin: x.Publisher.Verifier.Name(), Key: x.Key, ExportedAt: x.Now().UTC()}
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return m, fmt.Errorf("%s is not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return m, err
	}
	published, err := x.Publisher.Published(ctx)
	if err != nil {
		return m, err
	}
	if published.Note == "" {
		return m, errors.New("the log has published nothing yet")
	}
	witnessed, err := x.Publisher.Witnessed(ctx)
	if err != nil {
		return m, err
	}
	m.Leaves = published.Edge.Size
	partitions, err := x.leaves(ctx, dir, m.Leaves)
	if err != nil {
		return m, err
	}
	if err := x.things(ctx, dir, partitions, m.Leaves); err != nil {
		return m, err
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	for name, content := range map[string][]byte{checkpointFile: []byte(published.Note), witnessedFile: []byte(witnessed.Note), manifestFile: append(raw, '\n')} {
		if len(content) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return m, err
		}
	}
	return m, nil
}

// lines writes JSON, a line each.
type lines struct {
	file *os.File
	w    *bufio.Writer
	enc  *json.Encoder
}

func create(dir, name string) (*lines, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	l := &lines{file: f, w: bufio.NewWriterSize(f, 1<<20)}
	l.enc = json.NewEncoder(l.w)
	l.enc.SetEscapeHTML(false)
	return l, nil
}

func (l *lines) put(v any) error { return l.enc.Encode(v) }

func (l *lines) close() error { return errors.Join(l.w.Flush(), l.file.Sync(), l.file.Close()) }

// leaves writes the leaves as the table has them, the hashes as they were
// published, and what the events are now. It returns every partition that the log
// speaks of.
func (x Exporter) leaves(ctx context.Context, dir string, size uint64) (partitions []string, err error) {
	leaves, err1 := create(dir, leavesFile)
	hashes, err2 := create(dir, hashesFile)
	events, err3 := create(dir, eventsFile)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, leaves.close(), hashes.close(), events.close()) }()
	seen := map[string]bool{}
	for at := uint64(0); at < size; {
		all, err := x.Publisher.Log.Open(ctx, at, int(min(step, size-at)))
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			if !seen[o.Key.PK] {
				seen[o.Key.PK] = true
				partitions = append(partitions, o.Key.PK)
			}
			if _, err := leaves.w.Write(append(o.Leaf, '\n')); err != nil {
				return nil, err
			}
			line := eventLine{Index: int64(o.Index), Erased: o.Opening == evidence.Erased, Gone: o.Opening == evidence.Gone}
			if o.Now != nil {
				h := tlog.RecordHash(o.Now)
				line.Hash = &h
			}
			if o.Opening == evidence.Altered {
				line.Now = o.Now
			}
			if err := events.put(line); err != nil {
				return nil, err
			}
		}
		at += uint64(len(all))
		if x.Progress != nil {
			x.Progress(at, size)
		}
	}
	for block := uint64(0); block*evidence.Block < size; block++ {
		tile, err := x.Publisher.Blobs.Get(ctx, evidence.TilePath(0, block, int(min(evidence.Block, size-block*evidence.Block))))
		if err != nil && !errors.Is(err, evidence.ErrNoBlob) {
			return nil, err
		}
		if err != nil {
			break // Verify misses what comes after
		}
		if _, err := hashes.w.Write(tile); err != nil {
			return nil, err
		}
	}
	for _, pk := range partitions {
		if err := x.unlogged(ctx, events, pk); err != nil {
			return nil, err
		}
	}
	return partitions, nil
}

// unlogged looks for events of pk that are in no leaf and old enough to be.
func (x Exporter) unlogged(ctx context.Context, events *lines, pk string) error {
	return table.Each(ctx, x.Table, table.Query{PK: pk}.Prefix(event.Prefix), func(item table.Item) error {
		_, logged, err := x.Publisher.Log.Index(ctx, item.Key)
		if err != nil || logged {
			return err
		}
		l := evidence.Unlogged(item)
		if x.Now().Sub(l.At) < young {
			return nil
		}
		return events.put(eventLine{Index: None, Unlogged: l.Encode()})
	})
}

// things writes what every partition holds beside its events.
func (x Exporter) things(ctx context.Context, dir string, partitions []string, size uint64) (err error) {
	states, err1 := create(dir, statesFile)
	ledger, err2 := create(dir, ledgerFile)
	statements, err3 := create(dir, statementsFile)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, states.close(), ledger.close(), statements.close()) }()
	for _, pk := range slices.Sorted(slices.Values(partitions)) {
		if rest, ok := strings.CutPrefix(pk, "FUND#"); ok {
			if err := x.slice(ctx, ledger, rest); err != nil {
				return err
			}
		}
		err := table.Each(ctx, x.Table, table.Query{PK: pk}, func(item table.Item) error {
			if event.Is(item.Key) {
				return nil
			}
			if reconciliation.IsStatement(item.Key) {
				return statement(statements, item)
			}
			line, ok := state(item)
			if !ok {
				return nil
			}
			if line.Later, err = x.later(ctx, line, size); err != nil {
				return err
			}
			return states.put(line)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// later reports whether the event of a thing's version came after the first size
// leaves.
func (x Exporter) later(ctx context.Context, s stateLine, size uint64) (bool, error) {
	key := event.Key(s.PK, s.Noun, s.ID, s.Version)
	index, logged, err := x.Publisher.Log.Index(ctx, key)
	if err != nil || logged {
		return logged && index >= size, err
	}
	item, there, err := x.Table.Get(ctx, key)
	if err != nil || !there {
		return false, err
	}
	e, err := event.Decode(item)
	return err == nil && x.Now().Sub(e.At) < young, nil
}

// kept are the nouns of which every version has an event, and where they are kept:
// one in a partition of its own, or several below a prefix.
var kept = []struct {
	noun      string
	partition string // how it begins
	key       string // the sort key of the only one, or what theirs begin with
	several   bool
}{
	{application.Noun, application.Partition(""), application.Key("").SK, false},
	{staff.Noun, staff.Partition(""), staff.Key("").SK, false},
	{complaint.Noun, complaint.Partition(""), complaint.Key("").SK, false},
	{discovery.Noun, discovery.Partition(""), discovery.Key("").SK, false},
	{batch.Noun, batch.Partition(""), batch.Key("").SK, false},
	{order.Noun, application.Partition(""), order.Prefix, true},
	{reading.RevealNoun, application.Partition(""), reading.Prefix, true},
	{inspection.Noun, application.Partition(""), inspection.Key("", "").SK, true},
	{envelope.Noun, envelope.Partition(""), envelope.Key("", "").SK, true},
	{brake.Noun, brake.Partition, brake.Key("").SK, true},
	{reconciliation.Noun, "BREAKS#", "BREAK#", true},
}

// exported are the nouns whose things are in an export.
var exported = func() map[string]bool {
	all := map[string]bool{payout.Noun: true}
	for _, k := range kept {
		all[k.noun] = true
	}
	return all
}()

// state is what is said of a thing that events speak of; false for anything else.
func state(item table.Item) (stateLine, bool) {
	line := stateLine{PK: item.Key.PK, Version: item.Version}
	if payout.Is(item.Key) {
		p, err := payout.Decode(item)
		if err != nil {
			line.Noun, line.ID, line.State = payout.Noun, strings.TrimPrefix(item.Key.SK, payout.Key("", "").SK), evidence.Unreadable
			return line, true
		}
		line.Noun, line.ID, line.State = payout.Noun, p.Award.ID, string(p.State)
		line.Fen, line.PaidFen, line.Slice = p.Award.AmountFen, p.PaidFen, p.Award.Slice().Partition()
		return line, true
	}
	for _, k := range kept {
		id, ok := strings.CutPrefix(item.Key.SK, k.key)
		if !ok || !strings.HasPrefix(item.Key.PK, k.partition) || k.several != (id != "") {
			continue
		}
		if line.Noun, line.ID = k.noun, id; !k.several {
			line.ID = strings.TrimPrefix(item.Key.PK, k.partition)
		}
		return line, true
	}
	return line, false
}

// slice writes one slice of a fund and its entries, unless money moved during
// every look.
func (x Exporter) slice(ctx context.Context, out *lines, name string) error {
	i := strings.LastIndexByte(name, '#')
	if i < 0 {
		return nil
	}
	id := fund.ID{Fund: name[:i], Township: civil.DivisionCode(name[i+1:])}
	for {
		before, err := fund.Read(ctx, x.Table, id)
		if errors.Is(err, fund.ErrMissing) {
			return out.put(ledgerLine{Slice: id.Partition(), Count: -1})
		}
		if err != nil {
			return err
		}
		entries, err := fund.Entries(ctx, x.Table, id)
		if err != nil {
			return err
		}
		after, err := fund.Read(ctx, x.Table, id)
		if err != nil {
			return err
		}
		if before.Version != after.Version {
			continue
		}
		if err := out.put(ledgerLine{Slice: id.Partition(), Count: after.Balances.Count, Balances: after.Balances.Accounts}); err != nil {
			return err
		}
		for _, e := range entries {
			line := entryLine{Cause: e.Cause, Kind: e.Kind, Legs: e.Legs, Answers: e.Answers, At: e.At}
			for _, by := range e.By {
				if by.Kind != event.Citizen {
					line.By = append(line.By, by.ID)
				}
			}
			if err := out.put(ledgerLine{Slice: id.Partition(), Entry: &line}); err != nil {
				return err
			}
		}
		return nil
	}
}

func statement(out *lines, item table.Item) error {
	h, err := reconciliation.DecodeHead(item)
	if err != nil {
		return err
	}
	line := statementLine{PK: item.Key.PK, ID: h.Source + "-" + h.Day.String(), Digest: h.Digest, Version: h.Version}
	if h.Counted != nil {
		line.LinesFen, line.BookedFen = h.Counted.LinesFen, h.Counted.BookedFen
	}
	return out.put(line)
}
