// Package dynamo is the store on Amazon DynamoDB. Every write carries a
// condition and the token of its attempt, so that an answer lost on the way is
// recognised afterwards and nothing is booked twice. It knows no noun.
//
// The indexes project keys only: most writes change a body and no place, and
// then cost nothing in an index, while a full projection would pay for every
// index again. Reading an index therefore reads the items themselves, strongly,
// and leaves out those that no longer stand where the index has them. A read
// costs a fifth of a write, and far more is written than listed.
package dynamo

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
)

// Store is a table.Store on one DynamoDB table.
type Store struct {
	client Client
	name   string
	ids    *ident.Source

	attempts int
	patience time.Duration // for one attempt
	sleep    func(ctx context.Context, d time.Duration) error
	observe  func(Usage)
}

var _ table.Store = (*Store)(nil)

// Usage is what one answered request consumed, in DynamoDB's capacity units.
type Usage struct {
	Operation string
	Units     float64
}

// Option changes how a Store behaves.
type Option func(*Store)

// Observe has the engine count capacity and hands each answer's count to f.
func Observe(f func(Usage)) Option { return func(s *Store) { s.observe = f } }

// Sleep replaces the pause between two attempts.
func Sleep(f func(ctx context.Context, d time.Duration) error) Option {
	return func(s *Store) { s.sleep = f }
}

// Attempts is how often one write is sent at most; 8 unless said.
func Attempts(n int) Option { return func(s *Store) { s.attempts = n } }

// Patience is how long one attempt may take; 3 s unless said.
func Patience(d time.Duration) Option { return func(s *Store) { s.patience = d } }

// New is a Store on the table called name. The client's own retries serve reads
// only: a write is repeated here, where it is known what was sent before. Each
// transaction draws its token from ids.
func New(client Client, name string, ids *ident.Source, opts ...Option) *Store {
	s := &Store{client: client, name: name, ids: ids, attempts: 8, patience: 3 * time.Second, sleep: pause}
	for _, o := range opts {
		o(s)
	}
	return s
}

// Name is the table's name.
func (s *Store) Name() string { return s.name }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

// backoff is a pause drawn evenly from nothing to the attempt's share, so that
// writers that met once do not meet again.
func (s *Store) backoff(attempt int) time.Duration {
	most := min(firstPause<<attempt, longestPause)
	draw := binary.BigEndian.Uint64([]byte(s.ids.New()[:8])) ^ binary.BigEndian.Uint64([]byte(s.ids.New()[8:16]))
	const mix = 0x9e3779b97f4a7c15 // spreads the five random bits of each letter
	return time.Duration((draw * mix) % uint64(most))
}

// capacity is what an answer shall say of what it consumed.
func (s *Store) capacity() string {
	if s.observe == nil {
		return ""
	}
	return "TOTAL"
}

func (s *Store) used(operation string, counts ...capacity) {
	if s.observe == nil {
		return
	}
	u := Usage{Operation: operation}
	for _, c := range counts {
		u.Units += c.CapacityUnits
	}
	s.observe(u)
}

func one(c *capacity) []capacity {
	if c == nil {
		return nil
	}
	return []capacity{*c}
}
