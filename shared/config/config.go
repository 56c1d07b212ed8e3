// Package config reads what a function is configured with: once, in main, from
// one lookup function, with every problem reported together. It never prints a
// value, and a value that is missing stops the function: falling back to a
// stand-in is how tests' money becomes real. It knows no name of a setting.
package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/redact"
)

// Reader reads settings by name and gathers what is wrong with them:
//
//	r := config.From(os.LookupEnv)
//	c := Config{Table: r.Text("DOUDI_TABLE"), Lease: r.Duration("DOUDI_LEASE", time.Second, time.Minute)}
//	if err := r.Err(); err != nil { return err }
//
// What a getter answers for a setting that is wrong is the zero value.
type Reader struct {
	lookup   func(string) (string, bool)
	problems []string
}

// From reads by lookup, which is os.LookupEnv in a function.
func From(lookup func(string) (string, bool)) *Reader { return &Reader{lookup: lookup} }

// Error is everything that is wrong with a configuration: names and reasons,
// no values.
type Error struct{ Problems []string }

// Error lists the problems.
func (e *Error) Error() string { return "config: " + strings.Join(e.Problems, "; ") }

// Err is nil when every setting that was asked for was there and well formed.
func (r *Reader) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{slices.Clone(r.problems)}
}

// Problem notes what main itself finds wrong, such as two settings that
// contradict each other.
func (r *Reader) Problem(name, reason string) {
	r.problems = append(r.problems, name+" "+reason)
}

// get is the setting, "" with a problem noted when it is missing or empty.
func (r *Reader) get(name string) string {
	v, ok := r.lookup(name)
	if !ok || v == "" {
		r.Problem(name, "is missing")
		return ""
	}
	if strings.TrimSpace(v) != v || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7F }) {
		r.Problem(name, "has spaces around it or control characters")
		return ""
	}
	return v
}

// Has reports whether the setting is there: for settings that were added later
// and may be absent. Ask before the getter.
func (r *Reader) Has(name string) bool {
	v, ok := r.lookup(name)
	return ok && v != ""
}

// Text is a setting that is any line of text.
func (r *Reader) Text(name string) string { return r.get(name) }

// Secret is a setting that must not be printed.
func (r *Reader) Secret(name string) redact.Text { return redact.New(r.get(name)) }

// Int is a whole number from min to max.
func (r *Reader) Int(name string, min, max int64) int64 {
	v := r.get(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < min || n > max {
		r.Problem(name, fmt.Sprintf("must be a whole number from %d to %d", min, max))
		return 0
	}
	return n
}

// Duration is a time span with its unit ("30s", "5m"), from min to max.
func (r *Reader) Duration(name string, min, max time.Duration) time.Duration {
	v := r.get(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < min || d > max {
		r.Problem(name, fmt.Sprintf("must be a time with its unit, from %s to %s", min, max))
		return 0
	}
	return d
}

// URL is where another system is: https, or http to this machine itself, with a
// host and without user, query or fragment.
func (r *Reader) URL(name string) *url.URL {
	v := r.get(name)
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !safe(u) {
		r.Problem(name, "must be an https URL without user, query or fragment")
		return nil
	}
	return u
}

// Address is URL as text, "" when it is wrong.
func (r *Reader) Address(name string) string {
	if u := r.URL(name); u != nil {
		return u.String()
	}
	return ""
}

func safe(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// Enum is one of the allowed words.
func (r *Reader) Enum(name string, allowed ...string) string {
	v := r.get(name)
	if v != "" && !slices.Contains(allowed, v) {
		r.Problem(name, "must be one of "+strings.Join(allowed, ", "))
		return ""
	}
	return v
}
