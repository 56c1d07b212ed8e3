// Package exchange asks the government data-sharing exchange about one person
// in one register. Which registers there are, on what legal basis and what they
// may tell us is data: sources.toml.
//
// It refuses to ask without a case, a legal basis and a consent (Law art. 40,
// 41, 70(6)), and it refuses to know what an answer means for anybody's aid.
// Answers are hostile input: whatever is not a verified, well-formed, fresh
// answer about the person asked for is "unavailable", and never a "no".
package exchange

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
)

// Outcome is what one lookup came to. None of them refuses anybody anything.
type Outcome string

// The outcomes.
const (
	// Pending: the source works on it; ask again with the same Number.
	Pending Outcome = "PENDING"
	// HitClear: the register knows the person and says nothing of note.
	HitClear Outcome = "HIT_CLEAR"
	// HitAdverse: the register says something a person must look at.
	HitAdverse Outcome = "HIT_ADVERSE"
	// NoRecord: the register answered and does not hold the person.
	NoRecord Outcome = "NO_RECORD"
	// Mismatch: number and name do not belong together, or the answer contradicts
	// itself.
	Mismatch Outcome = "MISMATCH"
	// Unavailable: there is no answer that can be believed.
	Unavailable Outcome = "UNAVAILABLE"
	// Expired: the register's data are older than their freshness allows.
	Expired Outcome = "EXPIRED"
	// NotAuthorised: not asked, or refused by the exchange, for want of case, basis
	// or consent.
	NotAuthorised Outcome = "NOT_AUTHORISED"
)

// Outcomes lists every outcome, for tests that prove tables total.
func Outcomes() []Outcome {
	return []Outcome{Pending, HitClear, HitAdverse, NoRecord, Mismatch, Unavailable, Expired, NotAuthorised}
}

// Question is one lookup of one person.
type Question struct {
	Source     string // id in the catalogue
	Case       string // application id
	LegalBasis string // for instance "Law art. 41"
	Consent    string // hash of the signed consent document
	Operator   string // staff id, or the function that asks for the case
	Name       civil.Name
	ID         civil.IDNumber
	// Number is ours, derived, at most 32 of [0-9a-z]. The exchange answers one
	// number always for the same question.
	Number string
}

// Answer is what is known afterwards. There is no error beside it.
type Answer struct {
	Source  string
	Outcome Outcome
	// Facts holds only what the catalogue lists for the source, with bounded values.
	Facts map[string]string
	// FetchedAt is when we got the answer, ValidUntil when the facts go stale;
	// ValidUntil is zero when there are no facts to rely on.
	FetchedAt, ValidUntil time.Time
	Evidence              string // hex SHA-256 of the raw answer, empty when there was none
	// Why is a code for logs and for staff, empty when there is nothing to explain.
	Why string
}

// Config is what a Client needs. HTTP and Sources may be nil.
type Config struct {
	BaseURL string
	HTTP    *http.Client
	// App is our registration, KeyID and Key (≥ 32 bytes) sign our requests.
	App   string
	KeyID string
	Key   []byte
	// AnswerKeys are the exchange's live keys by id.
	AnswerKeys map[string][]byte
	Sources    []Source // nil: the catalogue in this package
	Now        func() time.Time
	Random     io.Reader // safe for concurrent use, as crypto/rand.Reader is
	// Sleep waits, or returns early with an error when ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
	Limit int64 // of one answer in bytes; zero is outside.DefaultLimit
}
