package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/redact"
)

// NewLogger writes one JSON line a record to w, with the trace id of the
// context. Errors are written as code and kind, or as their types, never as
// their text; digits long enough to be an identity number, a phone or an
// account are not written at all.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(traced{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: guard})})
}

// traced adds the trace id of the context to every record.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if id := Trace(ctx); id != "" {
		r.AddAttrs(slog.String("trace", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }
func (h traced) WithGroup(name string) slog.Handler       { return traced{h.Handler.WithGroup(name)} }

// guard is the ReplaceAttr of every logger.
func guard(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if longDigits(a.Value.String()) {
			return slog.String(a.Key, redact.Shown)
		}
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			return slog.Any(a.Key, slog.GroupValue(describe(v)...))
		case []byte:
			return slog.String(a.Key, redact.Shown)
		default:
			// What the handler would write of a list or a struct is looked at as well.
			if raw, err := json.Marshal(v); err != nil || longDigits(string(raw)) {
				return slog.String(a.Key, redact.Shown)
			}
		}
	}
	return a
}

// describe says of err only what cannot hold a caller's words: a fault's code
// and kind, and the types of the chain.
func describe(err error) []slog.Attr {
	f := fault.Of(err)
	attrs := []slog.Attr{slog.String("code", f.Code), slog.String("kind", string(f.Kind))}
	var types []string
	for e := errors.Unwrap(f); e != nil; e = errors.Unwrap(e) {
		types = append(types, fmt.Sprintf("%T", e))
	}
	if len(types) > 0 {
		attrs = append(attrs, slog.String("cause", strings.Join(types, " < ")))
	}
	return attrs
}

// shortest is the fewest digits in a row that may be somebody's: a mobile
// number has 11, an identity number 17 or 18, an account 12 to 19.
const shortest = 11

// longDigits reports whether s has a run of digits, standing alone, that is
// long enough to be personal. Letters on either side make it one of our ids.
func longDigits(s string) bool {
	run := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] >= '0' && s[i] <= '9' {
			run++
			continue
		}
		if run >= shortest {
			before, after := i-run-1, i
			// The check character of an identity number may be X.
			if after < len(s) && (s[after] == 'X' || s[after] == 'x') {
				after++
			}
			if (before < 0 || !letter(s[before])) && (after >= len(s) || !letter(s[after])) {
				return true
			}
		}
		run = 0
	}
	return false
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
