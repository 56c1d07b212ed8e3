// Package redact keeps personal data from being printed by accident. A Text
// prints, logs and marshals as "[redacted]"; getting at what it holds takes a
// call to Reveal, which is easy to search for and to review.
package redact

import (
	"fmt"
	"io"
	"log/slog"
)

// Shown is what every redacted value prints as.
const Shown = "[redacted]"

// Text is a string that must not be printed. The zero value is empty. It is
// comparable, so equal values may be compared with ==.
type Text struct{ v string }

// New wraps s.
func New(s string) Text { return Text{s} }

// Reveal is the text itself. Call it only to seal, to send to the party that
// must have it, or to show it to the person it belongs to.
func (t Text) Reveal() string { return t.v }

// Empty reports whether there is no text.
func (t Text) Empty() bool { return t.v == "" }

// String is "[redacted]".
func (t Text) String() string { return Shown }

// Format writes "[redacted]" for every verb, %#v and %x included.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Shown) }

// MarshalText is "[redacted]", so that JSON, XML and map keys are safe too.
func (t Text) MarshalText() ([]byte, error) { return []byte(Shown), nil }

// LogValue is "[redacted]".
func (t Text) LogValue() slog.Value { return slog.StringValue(Shown) }
