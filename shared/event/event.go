// Package event is the record of what happened: one append-only item per
// version of a thing, written in the same transaction as the change itself. An
// event item is at once the outbox (the relay turns it into work), the audit
// entry and the line in the citizen's timeline, so nothing can be done without
// being told and nothing told without being done. It is also the idempotency
// record of the request that caused it, and never expires.
//
// It knows the store and no noun. Nothing personal is in the clear here: Facts
// hold codes, amounts and references; words people typed are sealed by the
// noun before they get here.
package event

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// ActorKind is what kind of somebody acted.
type ActorKind string

// The kinds of actor.
const (
	Citizen  ActorKind = "citizen"
	Staff    ActorKind = "staff"
	System   ActorKind = "system"   // a machine; may never refuse, reduce or claw back
	Provider ActorKind = "provider" // a bank, a register: its word, verified
)

// Actor is who did it. ID is an account, a staff id or a function's name.
// Person is the keyed reference of the human being, when known, because two
// accounts of one person are one person.
type Actor struct {
	Kind   ActorKind `json:"kind"`
	ID     string    `json:"id"`
	Person string    `json:"person,omitempty"`
}

// Names are the accounts and persons of actors, as policies compare them.
func Names(actors ...Actor) []string {
	var names []string
	for _, a := range actors {
		for _, n := range []string{a.ID, a.Person} {
			if n != "" {
				names = append(names, n)
			}
		}
	}
	return names
}

// Stranger reports whether a is a member of staff whose person is known and who is
// none of names, neither as an account nor as a person: the second of two people.
func (a Actor) Stranger(names ...string) bool {
	return a.Kind == Staff && a.ID != "" && a.Person != "" && !slices.Contains(names, a.ID) && !slices.Contains(names, a.Person)
}

// Request ties an event to the request that caused it, so that the same request
// gets the same answer for ever.
type Request struct {
	Key    string          `json:"key"`    // digest of principal, operation and Idempotency-Key
	Digest string          `json:"digest"` // digest of the body
	Status int             `json:"status"` // the answer's HTTP status
	Answer json.RawMessage `json:"answer"` // the answer's body; nothing personal in it
}

// Event is one thing that happened to one version of one thing.
type Event struct {
	PK      string    `json:"-"`    // partition of the thing it happened to
	Noun    string    `json:"noun"` // "application", "payout", "hold" …
	ID      string    `json:"id"`   // which one, within the partition
	Version int64     `json:"v"`    // the version this event made
	Kind    string    `json:"kind"` // what happened, past tense: "proposed"
	At      time.Time `json:"at"`
	Actor   Actor     `json:"actor"`
	Reason  string    `json:"reason,omitempty"` // a code, never free text
	Rules   string    `json:"rules,omitempty"`  // fingerprint of the rules applied
	Facts   Facts     `json:"facts,omitempty"`
	Note    []byte    `json:"note,omitempty"` // sealed free text
	Request *Request  `json:"request,omitempty"`
	Trace   string    `json:"trace,omitempty"` // from phone to bank and back
	// Made are digests of the items of PK that were written with it, by sort key,
	// so that one that is edited without an event is not what its event says.
	Made map[string][]byte `json:"made,omitempty"`
}

// Facts are the particulars of an event: strings, whole numbers and booleans.
// Read back, numbers are json.Number.
type Facts map[string]any

// Fen reads an amount, whether the facts are fresh or were read back; 0 when
// there is none.
func (f Facts) Fen(name string) money.Fen {
	switch v := f[name].(type) {
	case money.Fen:
		return v
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return 0
		}
		return money.Fen(n)
	}
	return 0
}

// Text reads a string; "" when there is none.
func (f Facts) Text(name string) string {
	s, _ := f[name].(string)
	return s
}

// Prefix begins the sort key of every event item.
const Prefix = "EVENT#"

// Key is where the event of one version is kept; being derived, a version has
// one event and an event has one version.
func Key(pk, noun, id string, version int64) table.Key {
	return table.Key{PK: pk, SK: fmt.Sprintf("%s%s#%s#%010d", Prefix, noun, id, version)}
}

// Named reads back what Key was made of; false when key is not that of an event item.
func Named(key table.Key) (noun, id string, version int64, ok bool) {
	rest, is := strings.CutPrefix(key.SK, Prefix)
	noun, rest, named := strings.Cut(rest, "#")
	i := strings.LastIndexByte(rest, '#') // an id may have some itself
	if !is || !named || noun == "" || i < 1 {
		return "", "", 0, false
	}
	version, err := strconv.ParseInt(rest[i+1:], 10, 64)
	if id = rest[:i]; err != nil || version < 1 || Key(key.PK, noun, id, version) != key {
		return "", "", 0, false
	}
	return noun, id, version, true
}

// Is reports whether key is that of an event item.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, Prefix) }

// Write is the write that records e.
func (e Event) Write() (table.Write, error) {
	if e.PK == "" || e.Noun == "" || e.ID == "" || e.Version < 1 || e.Kind == "" || e.At.IsZero() || e.Actor.Kind == "" {
		return nil, fmt.Errorf("event: %s of %s/%s v%d is incomplete", e.Kind, e.Noun, e.ID, e.Version)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	key := Key(e.PK, e.Noun, e.ID, e.Version)
	return table.Put{Item: table.Item{Key: key, Version: 1, Body: body, Places: []table.Place{place(key, e.At)}}}, nil
}

// With is the writes of items, each as the next version of what it is about, and of
// e, which keeps their digests. The items are of e's partition.
func (e Event) With(items ...table.Item) ([]table.Write, error) {
	e.Made = make(map[string][]byte, len(items))
	var writes []table.Write
	for _, item := range items {
		if item.Key.PK != e.PK {
			return nil, fmt.Errorf("event: %s of %s cannot speak for an item of %s", e.Kind, e.PK, item.Key.PK)
		}
		e.Made[item.Key.SK] = Sum(item)
		writes = append(writes, table.Step(item))
	}
	told, err := e.Write()
	if err != nil {
		return nil, err
	}
	return append(writes, told), nil
}

// Sum is the digest of what an item says and where it is listed. Its version and
// its counters are not in it: a Move changes them, and the ledger answers for that.
func Sum(item table.Item) []byte {
	h := sha256.New()
	part := func(text string) { // each with its length before it, so that none runs into the next
		_ = binary.Write(h, binary.BigEndian, uint64(len(text))) // a hash never fails
		_, _ = io.WriteString(h, text)
	}
	part(item.Key.PK)
	part(item.Key.SK)
	part(string(item.Body))
	places := slices.SortedFunc(slices.Values(item.Places), func(a, b table.Place) int { return strings.Compare(string(a.Index), string(b.Index)) })
	for _, p := range places {
		part(string(p.Index))
		part(p.PK)
		part(p.SK)
	}
	if !item.Expires.IsZero() {
		part(strconv.FormatInt(item.Expires.Unix(), 10))
	}
	return h.Sum(nil)
}

// Shards is how many partitions of the owner index hold the events of one hour.
const Shards = 4

// Happened is the partition of the owner index that lists one shard, below
// Shards, of the events of the hour of t, by time. With it whoever must see
// every event finds those that the stream lost, and scans nothing.
func Happened(t time.Time, shard int) string {
	return fmt.Sprintf("EVENTS#%s#%d", t.UTC().Format("2006-01-02T15"), shard)
}

// Stamp is where an event of time t stands within its hour: text order is time order.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// place is where the event at key is listed by time.
func place(key table.Key, at time.Time) table.Place {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key.PK)) // never fails
	return table.Place{Index: table.ByOwner, PK: Happened(at, int(h.Sum32()%Shards)), SK: Stamp(at)}
}

// Decode reads an event item.
func Decode(item table.Item) (Event, error) {
	var e Event
	if !Is(item.Key) {
		return e, fmt.Errorf("event: %s is not an event item", item.Key.SK)
	}
	d := json.NewDecoder(bytes.NewReader(item.Body))
	d.UseNumber() // amounts in Facts must not pass through a float
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("event: %s: %w", item.Key.SK, err)
	}
	e.PK = item.Key.PK
	return e, nil
}

// Of are all events of the partition pk; the versions of one thing are in their order.
func Of(ctx context.Context, t table.Store, pk string) ([]Event, error) {
	q := table.Query{PK: pk}.Prefix(Prefix)
	return table.Collect(ctx, t, q, Decode)
}

// Asked finds the request with key among the events of one thing: what made one of
// its versions before. found is false when the request is new.
func Asked(ctx context.Context, t table.Store, pk, noun, id, key string) (r Request, found bool, err error) {
	q := table.Query{PK: pk}.Prefix(Prefix + noun + "#" + id + "#")
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return r, false, err
		}
		e, err := Decode(item)
		if err != nil {
			return r, false, err
		}
		if e.Request != nil && e.Request.Key == key {
			return *e.Request, true, nil
		}
	}
	return r, false, nil
}
