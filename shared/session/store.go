package session

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// MaxTTL is the longest a session may live; a ceiling in code.
const MaxTTL = 30 * 24 * time.Hour

// Store keeps sessions in the table. Safe for concurrent use when random is.
//
//	SESSION#<sha-256 of token> / SESSION   one session
//	SESSIONS#<kind>#<id> / EPOCH           one principal's epoch
type Store struct {
	table  table.Store
	random io.Reader
	now    func() time.Time
}

// NewStore keeps sessions in t. random makes the tokens: crypto/rand.Reader
// anywhere but in a simulation.
func NewStore(t table.Store, random io.Reader, now func() time.Time) *Store {
	return &Store{table: t, random: random, now: now}
}

// Session is one open session.
type Session struct {
	Principal
	Opened  time.Time // when the person last proved who they are; for step-up
	Expires time.Time
}

// Opening says whose session to open.
type Opening struct {
	Principal Principal
	TTL       time.Duration // above 0, at most MaxTTL
	// Previous is the token the caller came with, if any. It is closed in the
	// same transaction, so that a token planted before sign-in is worth nothing after.
	Previous string
	// Checks must hold in the same transaction: that the staff item is still the
	// one that was read, for instance, so that removal and sign-in cannot cross.
	Checks []table.Write
}

type record struct {
	Kind    Kind   `json:"kind"`
	ID      string `json:"id"`
	Opened  int64  `json:"opened"`  // Unix seconds
	Expires int64  `json:"expires"` // Unix seconds
	Epoch   int64  `json:"epoch"`
	Closed  bool   `json:"closed,omitempty"`
}

func sessionKey(token string) table.Key {
	return table.Key{PK: "SESSION#" + digest(token), SK: "SESSION"}
}

func epochKey(p Principal) table.Key {
	return table.Key{PK: "SESSIONS#" + string(p.Kind) + "#" + p.ID, SK: "EPOCH"}
}

// tries bounds how often a transaction is made again after losing a race.
const tries = 4

// Open makes a session and answers its token, which is shown once and kept
// nowhere. A failed check in o.Checks comes back as *table.ConditionError.
// If we die after the transaction, nobody holds the token and it expires.
func (s *Store) Open(ctx context.Context, o Opening) (string, error) {
	if (o.Principal.Kind != Citizen && o.Principal.Kind != Staff) || o.Principal.ID == "" {
		return "", fmt.Errorf("session: no principal to open a session for")
	}
	if o.TTL <= 0 || o.TTL > MaxTTL {
		return "", fmt.Errorf("session: lifetime %s is out of range", o.TTL)
	}
	var secret [tokenBytes]byte
	if _, err := io.ReadFull(s.random, secret[:]); err != nil {
		return "", fmt.Errorf("session: no randomness: %w", err)
	}
	token := enc.EncodeToString(secret[:])
	for range tries {
		done, err := s.open(ctx, token, o)
		if err != nil {
			return "", err
		}
		if done {
			return token, nil
		}
	}
	return "", ErrUnavailable
}

// open tries once; false means that the epoch or the previous session moved.
func (s *Store) open(ctx context.Context, token string, o Opening) (bool, error) {
	epoch, err := s.epoch(ctx, o.Principal)
	if err != nil {
		return false, err
	}
	now := s.now()
	put, err := item(sessionKey(token), 1, record{
		Kind: o.Principal.Kind, ID: o.Principal.ID, Epoch: epoch,
		Opened: now.Unix(), Expires: now.Add(o.TTL).Unix(),
	})
	if err != nil {
		return false, err
	}
	// The epoch is checked, not just read: CloseAll between the read and the
	// write would otherwise leave a session that no removal reaches.
	writes := []table.Write{table.Put{Item: put}, table.Check{Key: epochKey(o.Principal), Version: epoch}}
	ours := []table.Key{put.Key, epochKey(o.Principal)}
	if wellFormed(o.Previous) {
		before, r, err := s.read(ctx, o.Previous)
		if err != nil {
			return false, err
		}
		if before.Version > 0 && !r.Closed {
			r.Closed = true
			next, err := item(before.Key, before.Version+1, r)
			if err != nil {
				return false, err
			}
			writes = append(writes, table.Replace{Item: next})
			ours = append(ours, next.Key)
		}
	}
	err = s.table.Transact(ctx, append(writes, o.Checks...)...)
	if err == nil {
		return true, nil
	}
	for _, key := range ours {
		if _, failed := table.FailedOn(err, key); failed {
			return false, nil
		}
	}
	return false, unavailable(err)
}

// Find is who holds token. It is ErrNone for every token that is not open now,
// and ErrUnavailable when the store cannot say: never let in on a guess.
func (s *Store) Find(ctx context.Context, token string) (Session, error) {
	if !wellFormed(token) {
		return Session{}, ErrNone
	}
	it, r, err := s.read(ctx, token)
	if err != nil {
		return Session{}, err
	}
	if it.Version == 0 || r.Closed || s.now().Unix() >= r.Expires {
		return Session{}, ErrNone
	}
	p := Principal{r.Kind, r.ID}
	epoch, err := s.epoch(ctx, p)
	if err != nil {
		return Session{}, err
	}
	if epoch != r.Epoch {
		return Session{}, ErrNone
	}
	return Session{p, time.Unix(r.Opened, 0), time.Unix(r.Expires, 0)}, nil
}

// Close ends one session. Closing one that is not open is no error.
func (s *Store) Close(ctx context.Context, token string) error {
	if !wellFormed(token) {
		return nil
	}
	for range tries {
		it, r, err := s.read(ctx, token)
		if err != nil {
			return err
		}
		if it.Version == 0 || r.Closed {
			return nil
		}
		r.Closed = true
		next, err := item(it.Key, it.Version+1, r)
		if err != nil {
			return err
		}
		err = s.table.Transact(ctx, table.Replace{Item: next})
		if err == nil {
			return nil
		}
		if _, moved := table.FailedOn(err, next.Key); !moved {
			return unavailable(err)
		}
	}
	return ErrUnavailable
}

// CloseAll ends every session of p, those we have lost sight of included, by
// moving the epoch that each of them was opened under.
func (s *Store) CloseAll(ctx context.Context, p Principal) error {
	for range tries {
		epoch, err := s.epoch(ctx, p)
		if err != nil {
			return err
		}
		it := table.Item{Key: epochKey(p), Version: epoch + 1, Body: []byte("{}")}
		err = s.table.Transact(ctx, table.Step(it))
		if err == nil {
			return nil
		}
		if _, moved := table.FailedOn(err, it.Key); !moved {
			return unavailable(err)
		}
	}
	return ErrUnavailable
}

// epoch is the version of p's epoch item; 0 when it was never moved.
func (s *Store) epoch(ctx context.Context, p Principal) (int64, error) {
	it, _, err := s.table.Get(ctx, epochKey(p))
	if err != nil {
		return 0, ErrUnavailable.Because(err)
	}
	return it.Version, nil
}

// read is the stored session of token; an item of version 0 when there is none.
func (s *Store) read(ctx context.Context, token string) (table.Item, record, error) {
	it, found, err := s.table.Get(ctx, sessionKey(token))
	if err != nil {
		return it, record{}, ErrUnavailable.Because(err)
	}
	var r record
	if found {
		if err := json.Unmarshal(it.Body, &r); err != nil {
			return it, r, fmt.Errorf("session: stored session is unreadable: %w", err)
		}
	}
	return it, r, nil
}

func item(key table.Key, version int64, r record) (table.Item, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return table.Item{}, fmt.Errorf("session: %w", err)
	}
	return table.Item{Key: key, Version: version, Body: body, Expires: time.Unix(r.Expires, 0)}, nil
}
