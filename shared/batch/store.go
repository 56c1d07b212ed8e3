package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A file has a partition of its own:
//
//	HEAD                          the file
//	PAGE#<n>                      some lines: whose, how much; names and accounts sealed
//	BYTES#<n>                     sealed: the exact bytes, in parts
//	RETURN#<digest>#<n>           sealed: a return file that was taken in or refused, in parts
//	EVENT#batch#<id>#<version>    what happened to it

const (
	partition = "BATCH#"
	head      = "HEAD"
)

// Partition is where everything about a file is kept.
func Partition(id string) string { return partition + id }

// Key is where a file is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: head} }

// Is reports whether key is that of a file.
func Is(key table.Key) bool { return strings.HasPrefix(key.PK, partition) && key.SK == head }

// List is the partition of the work index with the files of a division, oldest first.
func List(d civil.DivisionCode) string { return "BATCHES#" + string(d) }

// Decode reads a stored file.
func Decode(item table.Item) (Batch, error) {
	var b Batch
	if err := json.Unmarshal(item.Body, &b); err != nil {
		return b, fmt.Errorf("batch: %s: %w", item.Key.PK, err)
	}
	if b.Version != item.Version {
		return b, fmt.Errorf("batch: %s: the item and its body disagree on the version", item.Key.PK)
	}
	return b, nil
}

// Get reads one file strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Batch, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Batch{}, err
	}
	if !ok {
		return Batch{}, ErrNotFound
	}
	return Decode(item)
}

// Recent reads up to limit files of a division, the newest first.
func Recent(ctx context.Context, t table.Store, d civil.DivisionCode, limit int) ([]Batch, error) {
	page, err := t.Query(ctx, table.Query{Index: table.ByWork, PK: List(d), Reverse: true, Limit: limit})
	if err != nil {
		return nil, err
	}
	all := make([]Batch, 0, len(page.Items))
	for _, item := range page.Items {
		b, err := Decode(item)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// Event begins the event of b's present version.
func (b Batch) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"state": string(b.State), "division": string(b.Division), "lines": b.Lines.Count, "total_fen": b.Lines.Fen,
		"most_lines": b.Most.Count, "most_fen": b.Most.Fen, "edition": b.Edition}
	if b.Digest != "" {
		facts["digest"] = b.Digest
	}
	if b.Taking != nil {
		facts["return_edition"], facts["return_digest"] = b.Taking.Edition, b.Taking.Digest
	}
	if len(b.Parked) > 0 {
		facts["parked"] = len(b.Parked)
	}
	return event.Event{PK: Partition(b.ID), Noun: Noun, ID: b.ID, Version: b.Version, Kind: kind, At: at, Actor: by, Reason: b.Code, Facts: facts}
}

// Writes is b's new version and the event that made it.
func (b Batch) Writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	item := table.Item{Key: Key(b.ID), Version: b.Version, Body: body,
		Places: []table.Place{{Index: table.ByWork, PK: List(b.Division), SK: work.Stamp(b.Proposed.At)}}}
	if q, owes := b.owes(); owes {
		item.Places = append(item.Places, work.Due(item.Key, b.Next, q))
	}
	return e.With(item)
}

// Commit stores b's new version with its event and more, all or nothing.
// ErrMovedOn means that nothing was stored: the file, or something among more,
// was no longer as it was read. The condition that did not hold is its cause.
func Commit(ctx context.Context, t table.Store, b Batch, e event.Event, more ...table.Write) error {
	writes, err := b.Writes(e)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}

// Line is one payee of a file: whose it is and what the return file must say.
type Line struct {
	Application string    `json:"application"`
	Award       string    `json:"award"`
	Attempt     int       `json:"attempt"`
	Reference   string    `json:"reference"`
	AmountFen   money.Fen `json:"amount_fen"`
	Payee       string    `json:"payee"` // keyed digest
	Number      int       `json:"number"`
	// To is who gets it; it is sealed apart, and empty in lines read by Pages.
	To payout.Payee `json:"-"`
}

// Key is where the payout of l is kept.
func (l Line) Key() table.Key { return payout.Key(l.Application, l.Award) }

type pageBody struct {
	Lines []Line `json:"lines"`
	To    []byte `json:"to"` // sealed
}

type toBody struct {
	Name    string `json:"name"`
	Account string `json:"account"`
}

func pageKey(id string, n int) table.Key {
	return table.Key{PK: Partition(id), SK: fmt.Sprintf("PAGE#%06d", n)}
}

func sealedAt(key table.Key, field string) seal.Place {
	return seal.Place{Table: application.TableName, PK: key.PK, SK: key.SK, Field: field}
}

// Page is the write that puts lines into the file as its nth page, from 1.
func Page(ctx context.Context, box *seal.Box, id string, n int, lines []Line) (table.Write, error) {
	key := pageKey(id, n)
	to := make([]toBody, len(lines))
	for i, l := range lines {
		to[i] = toBody{l.To.Name.Reveal(), l.To.Account.Reveal()}
	}
	plain, err := json.Marshal(to)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	p := pageBody{Lines: lines}
	if p.To, err = box.Seal(ctx, sealedAt(key, "to"), plain); err != nil {
		return nil, err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return table.Put{Item: table.Item{Key: key, Version: 1, Body: body}}, nil
}

// Pages reads pages from to to of b, both included, without the people in them.
func Pages(ctx context.Context, t table.Store, b Batch, from, to int) ([][]Line, error) {
	return pages(ctx, t, b, from, to, func(table.Key, pageBody) error { return nil })
}

// Full reads every line of b with the people in them.
func Full(ctx context.Context, t table.Store, box *seal.Box, b Batch) ([]Line, error) {
	all, err := pages(ctx, t, b, 1, b.Pages, func(key table.Key, p pageBody) error {
		plain, err := box.Open(ctx, sealedAt(key, "to"), p.To)
		if err != nil {
			return err
		}
		var to []toBody
		if err := json.Unmarshal(plain, &to); err != nil || len(to) != len(p.Lines) {
			return ErrDamaged // err could quote it
		}
		for i := range p.Lines {
			p.Lines[i].To = payout.Payee{Name: civil.StoredName(to[i].Name), Account: civil.StoredAccount(to[i].Account)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var lines []Line
	for _, page := range all {
		lines = append(lines, page...)
	}
	return lines, b.checks(lines)
}

// checks refuses lines that are not those that were counted.
func (b Batch) checks(lines []Line) error {
	var total Tally
	for i, l := range lines {
		if l.Number != i+1 {
			return ErrDamaged
		}
		var err error
		if total.Fen, err = total.Fen.Add(l.AmountFen); err != nil {
			return ErrDamaged
		}
		total.Count++
	}
	if total != b.Lines {
		return ErrDamaged
	}
	return nil
}

func pages(ctx context.Context, t table.Store, b Batch, from, to int, each func(table.Key, pageBody) error) ([][]Line, error) {
	if to < from {
		return nil, nil
	}
	var all [][]Line
	q := table.Query{PK: Partition(b.ID), From: pageKey(b.ID, from).SK, To: pageKey(b.ID, to).SK, Limit: 100}
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		var p pageBody
		if err := json.Unmarshal(item.Body, &p); err != nil {
			return nil, ErrDamaged
		}
		if err := each(item.Key, p); err != nil {
			return nil, err
		}
		all = append(all, p.Lines)
	}
	if len(all) != to-from+1 {
		return nil, ErrDamaged
	}
	return all, nil
}

// partBytes is how much of a file one item holds.
const partBytes = 256 << 10

// Digest is the hex SHA-256 by which bytes are known.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// bytesName is how the parts of the file itself are called, and returnName those
// of a return file.
const bytesName = "BYTES"

func returnName(digest string) string { return "RETURN#" + digest }

func partKey(id, name string, n int) table.Key {
	return table.Key{PK: Partition(id), SK: fmt.Sprintf("%s#%04d", name, n)}
}

// keep stores raw in parts and answers how many. It may be done again after a
// death half way: a part that is there stays as it is, because the same name
// always means the same bytes.
func keep(ctx context.Context, t table.Store, box *seal.Box, id, name string, raw []byte) (int, error) {
	n := 0
	for part := range slices.Chunk(raw, partBytes) {
		n++
		key := partKey(id, name, n)
		sealed, err := box.Seal(ctx, sealedAt(key, "part"), part)
		if err != nil {
			return 0, err
		}
		err = t.Transact(ctx, table.Put{Item: table.Item{Key: key, Version: 1, Body: sealed}})
		if _, there := table.FailedOn(err, key); there {
			continue
		}
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// read is what keep stored under a name, if it still is what it was.
func read(ctx context.Context, t table.Store, box *seal.Box, id, name string, parts int, digest string) ([]byte, error) {
	var raw []byte
	for n := 1; n <= parts; n++ {
		key := partKey(id, name, n)
		item, ok, err := t.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ErrDamaged
		}
		plain, err := box.Open(ctx, sealedAt(key, "part"), item.Body)
		if err != nil {
			return nil, err
		}
		raw = append(raw, plain...)
	}
	if Digest(raw) != digest {
		return nil, ErrDamaged
	}
	return raw, nil
}

// KeepBytes stores the bytes of b, before they are ever sent.
func (b Batch) KeepBytes(ctx context.Context, t table.Store, box *seal.Box, raw []byte) (chunks int, err error) {
	return keep(ctx, t, box, b.ID, bytesName, raw)
}

// Raw is the bytes of b, as they were stored.
func (b Batch) Raw(ctx context.Context, t table.Store, box *seal.Box) ([]byte, error) {
	return read(ctx, t, box, b.ID, bytesName, b.Chunks, b.Digest)
}

// KeepReturn stores a return file, be it taken in or refused. Nothing that a bank
// sent is dropped.
func (b Batch) KeepReturn(ctx context.Context, t table.Store, box *seal.Box, raw []byte) (digest string, chunks int, err error) {
	digest = Digest(raw)
	chunks, err = keep(ctx, t, box, b.ID, returnName(digest), raw)
	return digest, chunks, err
}

// RawReturn is a return file as it was stored.
func (b Batch) RawReturn(ctx context.Context, t table.Store, box *seal.Box, digest string, chunks int) ([]byte, error) {
	return read(ctx, t, box, b.ID, returnName(digest), chunks, digest)
}

// Parked is a return file that was refused and is kept for a person.
type Parked struct {
	File   string    `json:"file"`
	Digest string    `json:"digest"`
	Chunks int       `json:"chunks"`
	Bytes  int       `json:"bytes"`
	Reason string    `json:"reason"` // a code
	At     time.Time `json:"at"`
}

// ParkedList is the partition of the return files that were refused. Nothing
// leaves it.
func ParkedList() string { return "PARKED#" + string(award.BankBatch) }

// Write is the write that parks p.
func (p Parked) Write() (table.Write, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return table.Put{Item: table.Item{Key: table.Key{PK: ParkedList(), SK: p.File + "#" + p.Digest}, Version: 1, Body: body}}, nil
}

// Waiting is what waits in one township for somebody to form a file.
type Waiting struct {
	Tally
	Oldest time.Time // since when the oldest waits; zero when nothing does
}

// Waits counts what waits in a township since cutoff or longer, up to most.
func Waits(ctx context.Context, t table.Store, township civil.DivisionCode, cutoff time.Time, most int) (Waiting, error) {
	var w Waiting
	q := waiting(township, cutoff, table.MaxPage)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return w, err
		}
		p, err := payout.Decode(item)
		if err != nil {
			return w, err
		}
		if w.Count >= most {
			return w, nil
		}
		if w.Count == 0 {
			w.Oldest = p.Since
		}
		w.Count++
		if w.Fen, err = w.Fen.Add(p.Award.AmountFen); err != nil {
			return w, err
		}
	}
	return w, nil
}

func waiting(township civil.DivisionCode, cutoff time.Time, limit int) table.Query {
	return table.Query{Index: table.ByWork, PK: payout.WaitingList(township), To: work.Stamp(cutoff), Limit: limit}
}

// Candidates reads up to limit payouts that may go into b, from b's mark on, and
// the mark after them; done is true when there are no more. What is read may lag:
// whoever claims one finds out.
func (b Batch) Candidates(ctx context.Context, t table.Store, mark Mark, limit int) (all []payout.Payout, after Mark, done bool, err error) {
	for mark.Township < len(b.Townships) {
		q := waiting(b.Townships[mark.Township], b.Cutoff, limit)
		q.After = table.Cursor(mark.After)
		page, err := t.Query(ctx, q)
		if err != nil {
			return nil, mark, false, err
		}
		for _, item := range page.Items {
			p, err := payout.Decode(item)
			if err != nil {
				return nil, mark, false, err
			}
			all = append(all, p)
		}
		if mark.After = string(page.Next); page.Next == "" {
			mark.Township++
		}
		if len(all) > 0 {
			return all, mark, false, nil
		}
	}
	return nil, mark, true, nil
}
