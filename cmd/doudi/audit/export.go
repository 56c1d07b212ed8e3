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
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/recovery"
	"github.com/doudi-aid/doudi/shared/sampling"
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
	statesFile     = "states.ndjson"     // the things themselves, and their versions
	itemsFile      = "items.ndjson"      // every item, by commitment
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
const Format = "doudi-export/2"

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

// itemLine is one item of a partition as it stands.
type itemLine struct {
	PK  string `json:"pk"`
	SK  string `json:"sk"`
	Sum string `json:"sum,omitempty"` // as the leaf that was written with it would say it today
	// Erased: the salt is gone, and nothing can be said of it.
	Erased bool `json:"erased,omitempty"`
	// Later: an event that came after what is exported of the log was written with it.
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
	if err := x.contents(ctx, dir, m.Leaves); err != nil {
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

// contents writes the first size leaves and what the table has beside them.
func (x Exporter) contents(ctx context.Context, dir string, size uint64) (err error) {
	events, err := create(dir, eventsFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.close()) }()
	partitions, err := x.leaves(ctx, dir, events, size)
	if err != nil {
		return err
	}
	return x.things(ctx, dir, events, partitions, size)
}

// leaves writes the leaves as the table has them, the hashes as they were
// published, and what the events are now. It returns every partition that the log
// speaks of.
func (x Exporter) leaves(ctx context.Context, dir string, events *lines, size uint64) (partitions []string, err error) {
	leaves, err1 := create(dir, leavesFile)
	hashes, err2 := create(dir, hashesFile)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, leaves.close(), hashes.close()) }()
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
	return partitions, nil
}

// unlogged looks for events of pk that are in no leaf and old enough to be. It
// returns the sort keys of what was written with events after the first size leaves.
func (x Exporter) unlogged(ctx context.Context, events *lines, pk string, size uint64) (later map[string]bool, err error) {
	later = map[string]bool{}
	err = table.Each(ctx, x.Table, table.Query{PK: pk}.Prefix(event.Prefix), func(item table.Item) error {
		index, logged, err := x.Publisher.Log.Index(ctx, item.Key)
		if err != nil || logged && index < size {
			return err
		}
		l := evidence.Unlogged(item)
		if !logged && x.Now().Sub(l.At) >= young {
			return events.put(eventLine{Index: None, Unlogged: l.Encode()})
		}
		if e, err := event.Decode(item); err == nil {
			for sk := range e.Made {
				later[sk] = true
			}
		}
		return nil
	})
	return later, err
}

// things writes what every partition holds beside its events.
func (x Exporter) things(ctx context.Context, dir string, events *lines, partitions []string, size uint64) (err error) {
	states, err1 := create(dir, statesFile)
	ledger, err2 := create(dir, ledgerFile)
	statements, err3 := create(dir, statementsFile)
	items, err4 := create(dir, itemsFile)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, states.close(), ledger.close(), statements.close(), items.close())
	}()
	for _, pk := range slices.Sorted(slices.Values(partitions)) {
		if id, ok := sliceOf(pk); ok {
			if err := x.slice(ctx, ledger, id); err != nil {
				return err
			}
		}
		as, err := x.Publisher.Log.Items(ctx, pk)
		if err != nil {
			return err
		}
		var met []itemLine
		var keys []string // of those met
		err = table.Each(ctx, x.Table, table.Query{PK: pk}, func(item table.Item) error {
			if event.Is(item.Key) {
				return nil
			}
			line := itemLine{PK: as.PK, Erased: as.Erased}
			line.SK, line.Sum = as.Of(item)
			met, keys = append(met, line), append(keys, item.Key.SK)
			if reconciliation.IsStatement(item.Key) {
				if err := statement(statements, item); err != nil {
					return err
				}
			}
			thing, ok := state(item)
			if !ok {
				return nil
			}
			if thing.Later, err = x.later(ctx, thing, size); err != nil {
				return err
			}
			return states.put(thing)
		})
		if err != nil {
			return err
		}
		later, err := x.unlogged(ctx, events, pk, size) // after the items: whatever moved one is seen
		if err != nil {
			return err
		}
		for i, line := range met {
			line.Later = later[keys[i]]
			if err := items.put(line); err != nil {
				return err
			}
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

// kept are the nouns whose versions have events, and where they are kept: one in a
// partition of its own, or several below a prefix.
var kept = []struct {
	noun      string
	partition string // how it begins
	key       string // the sort key of the only one, or what theirs begin with
	several   bool
	id        func(table.Item) (string, error) // where the key does not say it
}{
	{application.Noun, application.Partition(""), application.Key("").SK, false, nil},
	{staff.Noun, staff.Partition(""), staff.Key("").SK, false, nil},
	{complaint.Noun, complaint.Partition(""), complaint.Key("").SK, false, nil},
	{discovery.Noun, discovery.Partition(""), discovery.Key("").SK, false, nil},
	{mandate.Noun, mandate.Partition(""), mandate.Key("").SK, false, nil},
	{delegation.Noun, delegation.Partition(""), delegation.Key("").SK, false, nil},
	{sampling.Noun, sampling.Partition(""), sampling.Key("").SK, false, nil},
	{batch.Noun, batch.Partition(""), batch.Key("").SK, false, nil},
	{fund.Noun, fundPrefix, fund.ID{}.Key().SK, false, fundOf},
	{order.Noun, application.Partition(""), order.Prefix, true, nil},
	{reading.RevealNoun, application.Partition(""), reading.Prefix, true, nil},
	{inspection.Noun, application.Partition(""), inspection.Key("", "").SK, true, nil},
	{recovery.Noun, application.Partition(""), recovery.Key("", "").SK, true, nil},
	{notice.Noun, application.Partition(""), notice.Prefix, true, nil},
	{notice.Noun, notice.ReplyPartition(""), notice.Prefix, true, nil},
	{payout.Noun, application.Partition(""), payout.Key("", "").SK, true, nil},
	{envelope.Noun, envelope.Partition(""), envelope.Key("", "").SK, true, nil},
	{brake.Noun, brake.Partition, brake.Key("").SK, true, nil},
	{reconciliation.Noun, "BREAKS#", "BREAK#", true, nil},
	{reconciliation.StatementNoun, "STATEMENT#", reconciliation.StatementKey("", civil.Day{}).SK, false, statementOf},
	{disclosure.Noun, "DISCLOSURE#", "EDITION#", true, editionOf},
	{disclosure.ObjectionNoun, "DISCLOSURE#", "OBJECTION#", true, nil},
	{disclosure.PostingNoun, "POSTING#", "AT#", true, nil},
}

const fundPrefix = "FUND#"

func fundOf(item table.Item) (string, error) {
	id, _ := sliceOf(item.Key.PK)
	return id.Fund, nil
}

func statementOf(item table.Item) (string, error) {
	h, err := reconciliation.DecodeHead(item)
	return h.Source + "-" + h.Day.String(), err
}

func editionOf(item table.Item) (string, error) {
	e, err := disclosure.Decode(item)
	return e.ID, err
}

// exported are the nouns whose things are in an export.
var exported = func() map[string]bool {
	all := map[string]bool{}
	for _, k := range kept {
		all[k.noun] = true
	}
	return all
}()

// state is what is said of a thing that events speak of; false for anything else,
// and for what nobody can read any more: its leaf is then of a thing that is gone.
func state(item table.Item) (stateLine, bool) {
	for _, k := range kept {
		id, ok := strings.CutPrefix(item.Key.SK, k.key)
		if !ok || !strings.HasPrefix(item.Key.PK, k.partition) || k.several != (id != "") {
			continue
		}
		if !k.several {
			id = strings.TrimPrefix(item.Key.PK, k.partition)
		}
		if k.id != nil {
			var err error
			if id, err = k.id(item); err != nil {
				return stateLine{}, false
			}
		}
		line := stateLine{PK: item.Key.PK, Noun: k.noun, ID: id, Version: item.Version}
		if k.noun != payout.Noun {
			return line, true
		}
		p, err := payout.Decode(item)
		if err != nil {
			line.State = evidence.Unreadable
			return line, true
		}
		line.State, line.Fen, line.PaidFen, line.Slice = string(p.State), p.Award.AmountFen, p.PaidFen, p.Award.Slice().Partition()
		return line, true
	}
	return stateLine{}, false
}

// sliceOf is the slice of a fund whose partition pk is.
func sliceOf(pk string) (fund.ID, bool) {
	name, ok := strings.CutPrefix(pk, fundPrefix)
	i := strings.LastIndexByte(name, '#')
	if !ok || i < 0 {
		return fund.ID{}, false
	}
	return fund.ID{Fund: name[:i], Township: civil.DivisionCode(name[i+1:])}, true
}

// slice writes one slice of a fund and its entries, unless money moved during
// every look.
func (x Exporter) slice(ctx context.Context, out *lines, id fund.ID) error {
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
