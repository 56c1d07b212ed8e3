// Package civil holds the words by which people, places and days are known to
// an office: identity numbers, names, telephone numbers, bank accounts,
// division codes and calendar days. A value that exists has been checked, is in
// one normal form, and, when it is about a person, prints as "[redacted]".
//
// It refuses to know who the person is, what the rules are and where anything
// is stored. It never reads a clock: the day is an argument.
package civil

import "github.com/doudi-aid/doudi/shared/redact"

// hidden gives the personal types their printing: embedded, it carries
// redact.Text's methods and leaves no field that others could set.
type hidden = redact.Text

// Problem says why an input is not what it should be, in a form that can be
// used as the detail of a field: Code is stable and for programs, Detail is
// plain Chinese for people. Neither ever holds the value.
type Problem struct {
	Code   string
	Detail string
}

// Error is the code, which is safe in logs.
func (p Problem) Error() string { return "civil: " + p.Code }

// required is the problem of an empty input.
func required(what string) error { return Problem{"required", "请填写" + what + "。"} }

// fullWidth reports whether s holds full-width digits or letters (０-９, Ａ-Ｚ),
// which look right on a screen and match nothing in a register.
func fullWidth(s string) bool {
	for _, r := range s {
		if r >= '０' && r <= '９' || r >= 'Ａ' && r <= 'Ｚ' || r >= 'ａ' && r <= 'ｚ' {
			return true
		}
	}
	return false
}

// errFullWidth asks for the number again rather than turning it silently: some
// registers are fed by hand, and what the person sees must be what is sent.
var errFullWidth = Problem{"full_width", "数字请用半角输入（例如 1，不是 １）。"}

// digits reports whether s is not empty and all 0-9.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
