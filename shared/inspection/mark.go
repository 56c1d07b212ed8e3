package inspection

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/table"
)

// What cases have in common is counted by markers, not by searching: one item for
// one account, telephone, device, bill, or approver with an account, under its
// keyed reference. An approval reads them, and puts itself on them in its own
// transaction at the version it read; so of two approvals that share something one
// sees the other, and nothing is ever scanned.
//
//	SEEN#<kind>#<ref>  MARK   the decided cases that have it in common

// seen is one decided case.
type seen struct {
	Application string    `json:"application"`
	Person      string    `json:"person"` // keyed reference of the person helped
	At          time.Time `json:"at"`
}

// Kinds of marker beside model.Things.
const (
	markPair    = "pair"
	markInvoice = "invoice"
)

// most bounds one marker, oldest first out: more than any model asks for.
const most = 120

// mark is one marker as it was read.
type mark struct {
	kind    string
	place   int // of a bill in the case's list
	refs    []string
	items   []table.Item
	entries []seen
}

func markKey(kind, ref string) table.Key {
	return table.Key{PK: "SEEN#" + kind + "#" + ref, SK: "MARK"}
}

// read reads the marker under every reference that the thing has.
func (m *mark) read(ctx context.Context, t table.Store) error {
	for _, ref := range m.refs {
		key := markKey(m.kind, ref)
		item, ok, err := t.Get(ctx, key)
		if err != nil {
			return err
		}
		item.Key = key
		m.items = append(m.items, item)
		if !ok {
			continue
		}
		var entries []seen
		if err := json.Unmarshal(item.Body, &entries); err != nil {
			return fmt.Errorf("inspection: %s: %w", key.PK, err)
		}
		for _, e := range entries {
			if !slices.ContainsFunc(m.entries, func(o seen) bool { return o.Application == e.Application }) {
				m.entries = append(m.entries, e)
			}
		}
	}
	return nil
}

// before is what was on the marker before at, without the case itself.
func (m *mark) before(applicationID string, at time.Time) []seen {
	return slices.DeleteFunc(slices.Clone(m.entries), func(e seen) bool { return e.Application == applicationID || e.At.After(at) })
}

// writes put one more case on the marker, in place of what was read.
func (m *mark) writes(one seen) ([]table.Write, error) {
	entries := append(slices.DeleteFunc(slices.Clone(m.entries), func(e seen) bool { return e.Application == one.Application }), one)
	if n := len(entries) - most; n > 0 {
		entries = entries[n:]
	}
	body, err := json.Marshal(entries)
	if err != nil {
		return nil, fmt.Errorf("inspection: %w", err)
	}
	var writes []table.Write
	for _, item := range m.items {
		item = table.Item{Key: item.Key, Version: item.Version + 1, Body: body}
		writes = append(writes, table.Step(item))
	}
	return writes, nil
}

// shared is what a model may know of a marker: how many others, and how long ago
// the first of them was.
func (m *mark) shared(applicationID string, persons []string, at time.Time) (model.Shared, bool) {
	s := model.Shared{Kind: m.kind}
	others := map[string]bool{}
	for _, e := range m.before(applicationID, at) {
		if slices.Contains(persons, e.Person) {
			continue
		}
		others[e.Person] = true
		s.Days = max(s.Days, days(e.At, at))
	}
	s.Others = len(others)
	return s, s.Others > 0
}

// days is whole days from one moment to another.
func days(from, to time.Time) int { return max(0, int(to.Sub(from)/(24*time.Hour))) }
