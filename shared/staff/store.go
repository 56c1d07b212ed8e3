package staff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
)

// Partition is where a member of staff and their history are kept.
func Partition(id string) string { return "STAFF#" + id }

// Key is where the member of staff is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "HEAD"} }

// Get reads one member of staff strongly, active or not; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Staff, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Staff{}, err
	}
	if !ok {
		return Staff{}, ErrNotFound
	}
	var s Staff
	if err := json.Unmarshal(item.Body, &s); err != nil {
		return Staff{}, fmt.Errorf("staff: %s: %w", id, err)
	}
	s.Version = item.Version
	return s, nil
}

// Acting reads the member of staff behind a session, strongly and every time:
// whoever was removed is out with the next request (A06). Absent and removed
// are both session.ErrNone.
func Acting(ctx context.Context, t table.Store, id string) (Staff, error) {
	s, err := Get(ctx, t, id)
	if errors.Is(err, ErrNotFound) {
		return Staff{}, session.ErrNone
	}
	if err != nil {
		return Staff{}, err
	}
	if !s.Active {
		return Staff{}, session.ErrNone
	}
	return s, nil
}

// Check is the condition that the roster has s as it was read, grants and kin
// included; Checks is that and what was delegated.
func (s Staff) Check() table.Check { return table.Check{Key: Key(s.ID), Version: s.Version} }

// Appoint records a new member of staff.
func Appoint(ctx context.Context, t table.Store, s Staff, by event.Actor, at time.Time) error {
	s.Version = 1
	return s.commit(ctx, t, "appointed", "", by, at)
}

// Assign gives s other grants, forward only: the caller ends old ones with Until.
func Assign(ctx context.Context, t table.Store, s Staff, grants []Grant, by event.Actor, at time.Time) error {
	s.Version++
	s.Grants = grants
	return s.commit(ctx, t, "assigned", "", by, at)
}

// Declare records who s has declared as near relatives. Kin of s.WithPapers
// survives a change of the blind key; a bare reference does not.
func Declare(ctx context.Context, t table.Store, s Staff, kin []string, by event.Actor, at time.Time) error {
	s.Version++
	s.Kin = kin
	return s.commit(ctx, t, "kin_declared", "", by, at)
}

// Revoke removes s from work and ends the sessions. If we die between the two,
// the sessions are open and worth nothing, because Acting reads s each time.
func Revoke(ctx context.Context, t table.Store, sessions *session.Store, s Staff, reason string, by event.Actor, at time.Time) error {
	s.Version++
	s.Active = false
	if err := s.commit(ctx, t, "revoked", reason, by, at); err != nil {
		return err
	}
	return sessions.CloseAll(ctx, session.Principal{Kind: session.Staff, ID: s.ID})
}

func (s Staff) commit(ctx context.Context, t table.Store, kind, reason string, by event.Actor, at time.Time) error {
	var before []string
	switch old, err := Get(ctx, t, s.ID); {
	case err == nil:
		before = old.Kin
	case !errors.Is(err, ErrNotFound):
		return err
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("staff: %w", err)
	}
	item := table.Item{Key: Key(s.ID), Version: s.Version, Body: body}
	// The event holds the grants whole, so that who could do what at any instant
	// can be told from the events alone.
	grants, err := json.Marshal(s.Grants)
	if err != nil {
		return fmt.Errorf("staff: %w", err)
	}
	writes, err := event.Event{PK: Partition(s.ID), Noun: Noun, ID: s.ID, Version: s.Version, Kind: kind, At: at, Actor: by,
		Reason: reason, Facts: event.Facts{"grants": string(grants), "active": s.Active, "kin": len(s.Kin)}}.With(item)
	if err != nil {
		return err
	}
	kin, err := s.declared(ctx, t, before, at)
	if err != nil {
		return err
	}
	// If we die before this, nobody was appointed or changed; after it, both the
	// person and what was declared stand.
	err = t.Transact(ctx, append(writes, kin...)...)
	if _, moved := table.FailedOn(err, item.Key); moved {
		return ErrMovedOn.Because(err)
	}
	return err
}

// place is where the name of a member of staff is sealed.
func place(id string) seal.Place {
	return seal.Place{Table: "doudi", PK: Partition(id), SK: "HEAD", Field: "name"}
}

// SealName is name as Staff.Name holds it for the member of staff with id.
func SealName(ctx context.Context, box *seal.Box, id string, name redact.Text) ([]byte, error) {
	return box.Seal(ctx, place(id), []byte(name.Reveal()))
}

// OpenName is the name of s.
func (s Staff) OpenName(ctx context.Context, box *seal.Box) (redact.Text, error) {
	if len(s.Name) == 0 {
		return redact.Text{}, nil
	}
	plain, err := box.Open(ctx, place(s.ID), s.Name)
	if err != nil {
		return redact.Text{}, err
	}
	return redact.New(string(plain)), nil
}
