package reconciliation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// StatementNoun names statements in events.
const StatementNoun = "statement"

// A statement of one source and day lives in one partition:
//
//	STATEMENT#<source>#<yyyy-mm-dd>   HEAD            what we have and what is owed
//	                                  CHUNK#<digest>#<n>   sealed: the exact bytes, put once
//
// with its events. Nothing is believed but what HEAD names: chunks that were put
// before somebody died are simply there.

// Standing is what we have of a statement.
type Standing string

// The standings.
const (
	Wanted   Standing = "wanted"   // not there yet: fetch it
	Received Standing = "received" // there and believed, not held against our books yet
	Matched  Standing = "matched"
)

// Label is the standing in Chinese.
func (s Standing) Label() string {
	return map[Standing]string{Wanted: "待取账单", Received: "已收到，待核对", Matched: "已核对"}[s]
}

// Counted is what a comparison came to.
type Counted struct {
	Lines     int           `json:"lines"`
	LinesFen  money.Fen     `json:"lines_fen"`  // out less back
	Booked    int           `json:"booked"`     // of ours on the day
	BookedFen money.Fen     `json:"booked_fen"` // out less back
	Pairs     int           `json:"pairs"`
	Elsewhere int           `json:"elsewhere"`
	Breaks    map[Class]int `json:"breaks"`
}

// Head is what we have of one source's day.
type Head struct {
	Source   string      `json:"source"`
	Day      civil.Day   `json:"day"`
	Version  int64       `json:"-"`
	Standing Standing    `json:"standing"`
	Issue    int         `json:"issue,omitempty"` // counts what was received, restatements too
	Digest   string      `json:"digest,omitempty"`
	Bytes    int         `json:"bytes,omitempty"`
	Chunks   int         `json:"chunks,omitempty"`
	By       event.Actor `json:"by,omitzero"`
	// Verified: it came from the provider, signed. What a person brought proves
	// nothing about a payment; it is a reason to ask.
	Verified bool `json:"verified,omitempty"`
	// ByHand: the account is one that nobody can be asked about, so that people bring
	// its statements (Source.ByHand).
	ByHand  bool      `json:"by_hand,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Asked   time.Time `json:"asked,omitzero"`  // when it was first wanted
	Tries   int       `json:"tries,omitempty"` // since it was last there
	Code    string    `json:"code,omitempty"`  // why the last try brought nothing
	Looks   int       `json:"looks,omitempty"` // fetched again, for restatements
	Next    time.Time `json:"next,omitzero"`
	Counted *Counted  `json:"counted,omitempty"`
}

// Believed reports whether a statement is there.
func (h Head) Believed() bool { return h.Issue > 0 }

// Sees reports whether a statement is there that nobody here could have written: one
// that the provider signed, or any where the provider cannot be asked. What one
// person brought meanwhile is held against our books, and does not end blindness.
func (h Head) Sees() bool { return h.Believed() && (h.Verified || h.ByHand) }

const headKey = "HEAD"

// StatementKey is where the head of a source's day is kept.
func StatementKey(source string, day civil.Day) table.Key {
	return table.Key{PK: "STATEMENT#" + source + "#" + day.String(), SK: headKey}
}

// IsStatement reports whether key is that of a statement's head.
func IsStatement(key table.Key) bool {
	return strings.HasPrefix(key.PK, "STATEMENT#") && key.SK == headKey
}

// DecodeHead reads a stored head.
func DecodeHead(item table.Item) (Head, error) {
	var h Head
	if err := json.Unmarshal(item.Body, &h); err != nil {
		return h, fmt.Errorf("reconciliation: %s: %w", item.Key.PK, err)
	}
	h.Version = item.Version
	return h, nil
}

// Statement reads the head of a source's day; Version 0 when there is none.
func Statement(ctx context.Context, t table.Store, source string, day civil.Day) (Head, error) {
	item, ok, err := t.Get(ctx, StatementKey(source, day))
	if err != nil || !ok {
		return Head{Source: source, Day: day}, err
	}
	return DecodeHead(item)
}

func (h Head) event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"source": h.Source, "day": h.Day.String(), "standing": string(h.Standing), "issue": h.Issue}
	if h.Digest != "" {
		facts["digest"], facts["bytes"], facts["verified"] = h.Digest, h.Bytes, h.Verified
	}
	if c := h.Counted; c != nil && kind == "matched" {
		facts["lines"], facts["lines_fen"], facts["booked"], facts["booked_fen"] = c.Lines, int64(c.LinesFen), c.Booked, int64(c.BookedFen)
		for class, n := range c.Breaks {
			facts[string(class)] = n
		}
	}
	return event.Event{PK: StatementKey(h.Source, h.Day).PK, Noun: StatementNoun, ID: h.Source + "-" + h.Day.String(), Version: h.Version,
		Kind: kind, At: at, Actor: by, Reason: h.Code, Facts: facts}
}

// commit stores h, whose version is the next, with e and more. moved tells that
// somebody was quicker.
func (h Head) commit(ctx context.Context, t table.Store, e event.Event, more ...table.Write) (moved bool, err error) {
	body, err := json.Marshal(h)
	if err != nil {
		return false, fmt.Errorf("reconciliation: %w", err)
	}
	item := table.Item{Key: StatementKey(h.Source, h.Day), Version: h.Version, Body: body}
	if !h.Next.IsZero() {
		item.Places = []table.Place{work.Due(item.Key, h.Next, work.Settle)}
	}
	writes, err := e.With(item)
	if err != nil {
		return false, err
	}
	err = t.Transact(ctx, append(writes, more...)...)
	if _, moved := errors.AsType[*table.ConditionError](err); moved {
		return true, nil
	}
	return false, err
}

// Ready is when a source's statement of a day is to be had: T+1, 10:00.
func Ready(day civil.Day) time.Time { return day.AddDays(1).Start(calendar.Zone).Add(10 * time.Hour) }

// LastReady is the latest day whose statement is to be had at t.
func LastReady(t time.Time) civil.Day {
	day := today(t).AddDays(-1)
	if t.Before(Ready(day)) {
		day = day.AddDays(-1)
	}
	return day
}

var pauses = []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// looks are how long after it was ready a statement is fetched again: banks
// restate what they sent.
var looks = []time.Duration{24 * time.Hour, 7 * 24 * time.Hour}

// Want is a statement that must be fetched from owed on; zero for one that a person
// brings. It is there once, however often it is wanted.
func Want(ctx context.Context, t table.Store, source string, day civil.Day, by event.Actor, at, owed time.Time) error {
	h, err := Statement(ctx, t, source, day)
	if err != nil || h.Version > 0 {
		return err
	}
	h.Version, h.Standing, h.Next, h.Asked = 1, Wanted, owed, at
	_, err = h.commit(ctx, t, h.event("wanted", by, at))
	return err
}

// PutOff notes a try that brought nothing, and why.
func (h Head) PutOff(ctx context.Context, t table.Store, code string, by event.Actor, at time.Time) error {
	h.Version++
	h.Code = code
	h.Next = at.Add(pauses[min(h.Tries, len(pauses)-1)])
	h.Tries++
	_, err := h.commit(ctx, t, h.event("awaited", by, at))
	return err
}

// Looked notes that the same statement was there when it was looked for again; it
// is held against our books once more, which may have learnt something.
func (h Head) Looked(ctx context.Context, t table.Store, by event.Actor, at time.Time) (Head, error) {
	h.Version++
	h.Standing, h.Next, h.Tries, h.Code = Received, at, 0, ""
	h.Looks++
	moved, err := h.commit(ctx, t, h.event("looked", by, at))
	if moved {
		return h, ErrMovedOn
	}
	return h, err
}

// chunk is how many bytes of a statement stand in one item.
const chunk = 256 << 10

func chunkKey(source string, day civil.Day, digest string, n int) table.Key {
	return table.Key{PK: StatementKey(source, day).PK, SK: fmt.Sprintf("CHUNK#%s#%03d", digest, n)}
}

func place(key table.Key) seal.Place {
	return seal.Place{Table: application.TableName, PK: key.PK, SK: key.SK, Field: "statement"}
}

// Digest is the SHA-256 of a file, hex: how statements are told apart.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Office is who reconciles.
type Office struct {
	Table   table.Store
	Box     *seal.Box // a statement may name people
	Sources Sources
	// Region is the division whose business a line is that names no payment of ours.
	Region civil.DivisionCode
	Now    func() time.Time
}

// From is where a statement came from.
type From struct {
	By       event.Actor
	Verified bool // fetched from the provider and signed
	// Event completes the event, with the request that brought it.
	Event func(Head, *event.Event)
	Also  []table.Write
}

// Receive believes a statement: it is as agreed, of that source and that day. Its
// exact bytes are kept. The same bytes again change nothing, unless now they are
// signed; others restate it, and both are kept. What somebody brought never replaces
// what the provider signed (ErrSigned). fresh tells whether anything changed.
//
// If we die before the head is written nothing is believed; after it, the head
// stands in the due index until it is held against our books.
func (o Office) Receive(ctx context.Context, source string, day civil.Day, raw []byte, from From) (h Head, fresh bool, err error) {
	s, ok := o.Sources.Find(source)
	if !ok {
		return Head{}, false, ErrSource
	}
	now := o.Now()
	if age := today(now).AddDays(-366); !day.Before(today(now)) || day.Before(age) {
		return Head{}, false, ErrDay
	}
	if _, err := s.Read(raw, day); err != nil {
		return Head{}, false, err
	}
	digest := Digest(raw)
	for {
		if h, err = Statement(ctx, o.Table, source, day); err != nil {
			return h, false, err
		}
		same := h.Digest == digest
		switch {
		case same && (h.Verified || !from.Verified):
			return h, false, nil
		case h.Verified && !from.Verified:
			return h, false, ErrSigned
		}
		chunks, err := o.keep(ctx, source, day, digest, raw)
		if err != nil {
			return h, false, err
		}
		kind, issue := "received", h.Issue+1
		switch {
		case same:
			kind, issue = "confirmed", h.Issue
		case h.Issue > 0:
			kind = "restated"
		}
		next := h
		next.Version++
		next.Issue = issue
		next.Standing, next.Digest, next.Bytes, next.Chunks, next.ByHand = Received, digest, len(raw), chunks, s.ByHand
		next.By, next.Verified, next.At, next.Next, next.Tries, next.Code = from.By, from.Verified, now, now, 0, ""
		e := next.event(kind, from.By, now)
		if from.Event != nil {
			from.Event(next, &e)
		}
		moved, err := next.commit(ctx, o.Table, e, from.Also...)
		switch {
		case err != nil:
			return h, false, err
		case !moved:
			return next, true, nil
		case len(from.Also) > 0:
			return h, false, ErrMovedOn // somebody among Also moved, or a twin was quicker: the caller finds out
		}
	}
}

// keep puts the bytes, sealed. What is there already is the same, because it is
// named by its digest.
func (o Office) keep(ctx context.Context, source string, day civil.Day, digest string, raw []byte) (int, error) {
	n := 0
	for part := range slices.Chunk(raw, chunk) {
		key := chunkKey(source, day, digest, n)
		n++
		if _, there, err := o.Table.Get(ctx, key); err != nil {
			return 0, err
		} else if there {
			continue
		}
		sealed, err := o.Box.Seal(ctx, place(key), part)
		if err != nil {
			return 0, err
		}
		err = o.Table.Transact(ctx, table.Put{Item: table.Item{Key: key, Version: 1, Body: sealed}})
		if _, there := errors.AsType[*table.ConditionError](err); err != nil && !there {
			return 0, err
		}
	}
	return n, nil
}

// Content is the exact bytes of the statement that h names. What is not as it was
// received is not believed again: ErrDigest.
func (o Office) Content(ctx context.Context, h Head) ([]byte, error) {
	var raw []byte
	for n := range h.Chunks {
		key := chunkKey(h.Source, h.Day, h.Digest, n)
		item, ok, err := o.Table.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ErrDigest.Because(fmt.Errorf("%s is not there", key.SK))
		}
		part, err := o.Box.Open(ctx, place(key), item.Body)
		if err != nil {
			return nil, err
		}
		raw = append(raw, part...)
	}
	if Digest(raw) != h.Digest {
		return nil, ErrDigest
	}
	return raw, nil
}

// page reads both sides of one day.
func (o Office) page(ctx context.Context, s Source, day civil.Day) (Page, Head, error) {
	p := Page{Day: day}
	h, err := Statement(ctx, o.Table, s.Name, day)
	if err != nil {
		return p, h, err
	}
	if p.Known = h.Believed(); p.Known {
		raw, err := o.Content(ctx, h)
		if err != nil {
			return p, h, err
		}
		if p.Lines, err = s.Read(raw, day); err != nil {
			return p, h, err
		}
	}
	p.Booked, err = bookedOn(ctx, o.Table, s.Rails, day)
	return p, h, err
}

func bookedOn(ctx context.Context, t table.Store, rails []award.Rail, day civil.Day) ([]payout.Booked, error) {
	var all []payout.Booked
	for _, r := range rails {
		more, err := payout.OnDay(ctx, t, r, day)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// lookAgain is when h is fetched again, to see whether it was restated, or signed at
// last; zero when that was done often enough.
func (h Head) lookAgain(now time.Time) time.Time {
	if !h.Sees() {
		return now.Add(pauses[len(pauses)-1])
	}
	if h.Looks >= len(looks) {
		return time.Time{}
	}
	return Ready(h.Day).Add(looks[h.Looks])
}
