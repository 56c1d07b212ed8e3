// Package fault is the closed vocabulary of what can go wrong. A kind decides
// both the HTTP status a caller sees and whether a queue message comes back, so
// that no handler chooses either by hand. It knows no noun and no transport:
// packages declare their own faults with New and return them; the transports
// read the tables here.
package fault

import (
	"errors"
	"slices"
)

// Kind is one class of failure. The set is closed: a new kind must fill every
// table in this package, which a test checks.
type Kind string

// The kinds.
const (
	// Invalid: the request is wrong and will be wrong again. Nothing was stored.
	Invalid Kind = "invalid"
	// Unauthenticated: we do not know who is asking.
	Unauthenticated Kind = "unauthenticated"
	// Forbidden: we know who is asking, and this person may not do this.
	Forbidden Kind = "forbidden"
	// NotFound: absent, or out of the caller's scope; the two must look alike.
	NotFound Kind = "not_found"
	// MethodNotAllowed: the path exists, the method does not.
	MethodNotAllowed Kind = "method_not_allowed"
	// Conflict: the thing moved, or is in a state that does not allow this.
	Conflict Kind = "conflict"
	// Mismatch: an idempotency key was used again with another body.
	Mismatch Kind = "mismatch"
	// TooLarge: the input passes a size limit.
	TooLarge Kind = "too_large"
	// UnsupportedMedia: the input is not of a type we read.
	UnsupportedMedia Kind = "unsupported_media"
	// TooMany: a quota is used up; try later.
	TooMany Kind = "too_many"
	// Unavailable: something we need did not answer; calling again is safe.
	Unavailable Kind = "unavailable"
	// Indeterminate: an effect outside may or may not have happened. It is never
	// retried blindly and never reported as failed; reconciliation finds out.
	Indeterminate Kind = "indeterminate"
	// Internal: our own defect. Details never leave the process.
	Internal Kind = "internal"
)

// Kinds lists every kind, for tests that prove tables total.
func Kinds() []Kind {
	return []Kind{Invalid, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict, Mismatch,
		TooLarge, UnsupportedMedia, TooMany, Unavailable, Indeterminate, Internal}
}

var statuses = map[Kind]int{
	Invalid: 400, Unauthenticated: 401, Forbidden: 403, NotFound: 404, MethodNotAllowed: 405,
	Conflict: 409, Mismatch: 422, TooLarge: 413, UnsupportedMedia: 415, TooMany: 429,
	Unavailable: 503, Indeterminate: 503, Internal: 500,
}

// Status is the HTTP status for a kind; 500 for one it does not know.
func (k Kind) Status() int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return 500
}

// Disposition says what a queue does with a message whose handler failed.
type Disposition string

const (
	// Redeliver gives the message back, later and a bounded number of times.
	Redeliver Disposition = "redeliver"
	// Drop takes the message as handled: handling it again cannot change anything,
	// and whatever is owed is found again from state by the sweeper.
	Drop Disposition = "drop"
	// Park sends the message to the dead-letter queue at once, for a person.
	Park Disposition = "park"
)

var dispositions = map[Kind]Disposition{
	Invalid: Park, Unauthenticated: Park, Forbidden: Park, NotFound: Redeliver, MethodNotAllowed: Park,
	Conflict: Redeliver, Mismatch: Park, TooLarge: Park, UnsupportedMedia: Park, TooMany: Redeliver,
	Unavailable: Redeliver, Indeterminate: Drop, Internal: Redeliver,
}

// Disposition is what a queue does with a message that failed with this kind.
func (k Kind) Disposition() Disposition {
	if d, ok := dispositions[k]; ok {
		return d
	}
	return Redeliver
}

// Field is one bad field of a request.
type Field struct {
	Pointer string `json:"pointer"` // JSON pointer, RFC 6901: "/household/0/name"
	Code    string `json:"code"`    // stable, for programs: "required"
	Detail  string `json:"detail"`  // plain Chinese, for people; never the value
}

// Error is a fault: a kind, a stable code, and words for people in Chinese and
// English. It never carries the caller's input.
type Error struct {
	Kind    Kind
	Code    string // stable, kebab-case
	Title   string // plain Chinese
	TitleEN string
	Fields  []Field
	// RetryAfter is in whole seconds; 0 means say nothing.
	RetryAfter int
	cause      error
}

// New declares a fault. code is stable and unique in the system.
func New(kind Kind, code, zh, en string) *Error {
	return &Error{Kind: kind, Code: code, Title: zh, TitleEN: en}
}

// Error is for logs: code and cause. Causes must not hold personal data.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.cause.Error()
	}
	return e.Code
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a fault with the same code, so that a sentinel
// still matches after With or Because copied it.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// Because is a copy of e with a cause, for logs only.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// With is a copy of e naming the bad fields.
func (e *Error) With(fields ...Field) *Error {
	c := *e
	c.Fields = append(slices.Clone(e.Fields), fields...)
	return &c
}

// After is a copy of e that asks the caller to wait, in whole seconds.
func (e *Error) After(seconds int) *Error {
	c := *e
	c.RetryAfter = seconds
	return &c
}

var errInternal = New(Internal, "internal", "系统出错，我们已记录。请稍后再试。", "Something went wrong on our side and was recorded. Please try again later.")

// Of finds the fault in err. Whatever is not a fault is Internal, with err as
// its cause and nothing of it shown.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return errInternal.Because(err)
}

// Fields gathers what is wrong with one input, so that the caller hears of
// everything at once.
type Fields []Field

// Add notes one bad field.
func (f *Fields) Add(pointer, code, zh string) {
	*f = append(*f, Field{Pointer: pointer, Code: code, Detail: zh})
}

// ErrFields is the fault that Fields.Err gives.
var ErrFields = New(Invalid, "invalid-fields", "有些内容需要改正，请看下面逐项说明。", "Some fields need correcting; each is listed.")

// Err is nil when nothing is wrong.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return ErrFields.With(f...)
}
