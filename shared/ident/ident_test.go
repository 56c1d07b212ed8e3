package ident

import (
	"bytes"
	"regexp"
	"testing"
)

func TestDeriveSeparatesParts(t *testing.T) {
	a, b := Derive("ab", "c"), Derive("a", "bc")
	if a == b || a != Derive("ab", "c") || !Valid(a) {
		t.Errorf("Derive: %s %s", a, b)
	}
}

func TestNew(t *testing.T) {
	s := Random()
	if a, b := s.New(), s.New(); a == b || !Valid(a) {
		t.Errorf("New: %s %s", a, b)
	}
	fixed := NewSource(bytes.NewReader(make([]byte, 16)))
	if got := fixed.New(); got != "00000000000000000000000000" {
		t.Errorf("New over zeros = %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("New went on without randomness")
		}
	}()
	fixed.New()
}

func TestValid(t *testing.T) {
	for _, bad := range []string{"", "short", "0000000000000000000000000U", "00000000000000000000000000 ", "0000000000000000000000000A",
		"0000000000000000000000000\n", "00000000000000600000000\xff\xff0"} {
		if Valid(bad) {
			t.Errorf("%q is taken as an identifier", bad)
		}
	}
}

// FuzzValid: what is taken as an identifier is 26 letters and digits of ours, so that it
// may stand in keys, URLs and file names.
func FuzzValid(f *testing.F) {
	for _, s := range []string{Derive("a"), "", "0000000000000000000000000\n", "00000000000000600000000\xff\xff0", "0000000000000000000000000z", "00000000000000000000000000=", "\u00e9000000000000000000000000"} {
		f.Add(s)
	}
	ours := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{26}$`)
	f.Fuzz(func(t *testing.T, s string) {
		if Valid(s) != ours.MatchString(s) {
			t.Errorf("%q: %t", s, Valid(s))
		}
	})
}
