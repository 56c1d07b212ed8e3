package ident

import (
	"bytes"
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
	for _, bad := range []string{"", "short", "0000000000000000000000000U", "00000000000000000000000000 ", "0000000000000000000000000A"} {
		if Valid(bad) {
			t.Errorf("%q is taken as an identifier", bad)
		}
	}
}
