package main

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff/seed"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

func TestForgettingACaseTakesTwoOfWhomOneSupervises(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys.json"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	store, box := embedded.Memory(embedded.Clock(clock)), seal.NewBox(keys, rand.Reader)
	if err := seed.Staff(t.Context(), store, box, keys.Blind(), now); err != nil {
		t.Fatal(err)
	}
	told, err := event.Event{PK: application.Partition("x"), Noun: application.Noun, ID: "x", Version: 1, Kind: "accepted", At: now,
		Actor: event.Actor{Kind: event.Citizen, ID: "somebody"}}.Write()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Transact(t.Context(), told, table.Put{Item: table.Item{Key: application.Key("x"), Version: 1, Body: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	log := evidence.New(store, box, rand.Reader, clock)
	if n, err := log.Sequence(t.Context(), told.(table.Put).Item); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	supervisor, clerk, approver := seed.ID("320400", "supervisor-1"), seed.ID("320400", "clerk-1"), seed.ID("320400", "approver-1")
	for name, c := range map[string]struct{ id, first, second string }{
		"no_such_case":     {"y", clerk, supervisor},
		"one_person":       {"x", supervisor, supervisor},
		"nobody_watches":   {"x", clerk, approver},
		"unknown_to_staff": {"x", supervisor, "nobody"},
	} {
		if err := forgetCase(t.Context(), store, log, c.id, "person_asked", c.first, c.second, now); err == nil {
			t.Errorf("%s: erased", name)
		}
	}
	if o, err := log.Opens(t.Context(), 0); o != evidence.Same || err != nil {
		t.Fatalf("%s %v", o, err)
	}
	if err := forgetCase(t.Context(), store, log, "x", "person_asked", clerk, supervisor, now); err != nil {
		t.Fatal(err)
	}
	if o, err := log.Opens(t.Context(), 0); o != evidence.Erased || err != nil {
		t.Errorf("%s %v", o, err)
	}
}
