// Package verification is what is asked of the registers about the people of an
// application, what they answered, and what that means for the rules. It asks
// nothing without a case, a legal basis and that person's consent (Law art. 40,
// 41, 70(6)); it keeps each answer sealed and apart, so that a retry asks only
// what is missing; and it can find reasons for a person to look, never a reason
// to refuse. It knows no register's protocol: the answers are arguments.
package verification

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Check is one register's answer about one person of one application.
type Check struct {
	Person     string              `json:"person"` // keyed reference
	Source     string              `json:"source"` // the register's id in the catalogue
	About      string              `json:"about"`  // keyed reference of the name and number asked about
	Round      int                 `json:"round"`  // counts up when an answer is too old and is asked for again
	Outcome    policy.CheckOutcome `json:"outcome"`
	FetchedAt  time.Time           `json:"fetched_at"`
	ValidUntil time.Time           `json:"valid_until,omitzero"`
	Evidence   string              `json:"evidence,omitempty"` // SHA-256 of the raw answer
	Why        string              `json:"why,omitempty"`      // a code
	Basis      string              `json:"basis"`              // legal basis it was asked on
	Consent    string              `json:"consent"`            // digest of the document agreed to
	Version    int64               `json:"-"`
	// Facts is what the register said, as the catalogue lists it.
	Facts map[string]string `json:"-"`
}

// stored is a Check as kept: the facts are sealed.
type stored struct {
	Check
	Sealed []byte `json:"facts,omitempty"`
}

// Prefix begins the sort key of every check of an application.
const Prefix = "CHECK#"

// Key is where a check is kept.
func Key(id, person, source string) table.Key {
	return table.Key{PK: application.Partition(id), SK: Prefix + person + "#" + source}
}

func place(k table.Key) seal.Place {
	return seal.Place{Table: application.TableName, PK: k.PK, SK: k.SK, Field: "facts"}
}

// settled reports whether c, about the person with one of refs, needs no asking
// again at t. A name that was corrected is another question.
func (c Check) settled(refs []string, t time.Time) bool {
	return c.Outcome.Answered() && slices.Contains(refs, c.About) && (c.ValidUntil.IsZero() || t.Before(c.ValidUntil))
}

// about is the keyed references, the current one first, of exactly this name and
// number together.
func about(blind *seal.Blind, who application.Person) []string {
	return blind.Refs("asked", string(who.Paper.Kind())+":"+who.Paper.Reveal()+" "+who.Name.Reveal())
}

// Keep stores c: Version 0 for the first time, else in place of that version.
// Its failed condition means that somebody else stored an answer meanwhile,
// which is as good.
func (c Check) Keep(ctx context.Context, t table.Store, box *seal.Box, id string) error {
	k := Key(id, c.Person, c.Source)
	s := stored{Check: c}
	if len(c.Facts) > 0 {
		plain, err := json.Marshal(c.Facts)
		if err != nil {
			return fmt.Errorf("verification: facts: %w", err)
		}
		if s.Sealed, err = box.Seal(ctx, place(k), plain); err != nil {
			return err
		}
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("verification: check: %w", err)
	}
	item := table.Item{Key: k, Version: c.Version + 1, Body: body}
	return t.Transact(ctx, table.Step(item))
}

// Decode reads and opens a stored check.
func Decode(ctx context.Context, box *seal.Box, item table.Item) (Check, error) {
	var s stored
	if err := json.Unmarshal(item.Body, &s); err != nil || !strings.HasPrefix(item.Key.SK, Prefix) {
		return Check{}, fmt.Errorf("verification: %s %s is not a check", item.Key.PK, item.Key.SK)
	}
	c := s.Check
	c.Version = item.Version
	if len(s.Sealed) == 0 {
		return c, nil
	}
	plain, err := box.Open(ctx, place(item.Key), s.Sealed)
	if err != nil {
		return Check{}, err
	}
	if err := json.Unmarshal(plain, &c.Facts); err != nil {
		return Check{}, fmt.Errorf("verification: %s %s: facts are unreadable", item.Key.PK, item.Key.SK) // err could quote them
	}
	return c, nil
}

// Checks are the answers kept so far.
type Checks map[table.Key]Check

// Heard is a digest of the answers among all: two are the same exactly when the
// registers have said the same in the same rounds.
func (all Checks) Heard() string {
	h := sha256.New()
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b table.Key) int { return strings.Compare(a.SK, b.SK) }) {
		if c := all[k]; c.Outcome.Answered() {
			_, _ = fmt.Fprintf(h, "%q %q %d %q %q\n", k.SK, c.About, c.Round, c.Outcome, c.Evidence)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Load reads every check of an application.
func Load(ctx context.Context, t table.Store, box *seal.Box, id string) (Checks, error) {
	all := Checks{}
	q := table.Query{PK: application.Partition(id)}.Prefix(Prefix)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		c, err := Decode(ctx, box, item)
		if err != nil {
			return nil, err
		}
		all[item.Key] = c
	}
	return all, nil
}
