// Package ident makes identifiers: random ones that cannot be guessed and
// derived ones that come out the same every time. It says nothing about what
// they identify, and no identifier is ever a number that counts up.
package ident

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"io"
	"strings"
)

// enc is Crockford-like: lower case, no padding, safe in URLs, keys, file
// names and in the [0-9A-Za-z] set that payment references are limited to.
var enc = base32.NewEncoding(letters).WithPadding(base32.NoPadding)

const letters = "0123456789abcdefghjkmnpqrstvwxyz"

// Length is the number of characters of every identifier made here.
const Length = 26

// Source draws random identifiers; tests and simulations give it their own reader.
type Source struct{ r io.Reader }

// NewSource draws from r.
func NewSource(r io.Reader) *Source { return &Source{r} }

// Random is a Source over the operating system's randomness.
func Random() *Source { return &Source{rand.Reader} }

// New is a fresh identifier of 128 random bits, Length characters long. It
// panics when randomness fails: nothing that needs an identifier may go on.
func (s *Source) New() string {
	var b [16]byte
	if _, err := io.ReadFull(s.r, b[:]); err != nil {
		panic("ident: no randomness: " + err.Error())
	}
	return enc.EncodeToString(b[:])
}

// Derive is the identifier that belongs to parts, always the same, 128 bits of
// their SHA-256. Parts are length-prefixed, so ("ab","c") and ("a","bc")
// differ. It hides nothing: do not derive from personal data (use seal.Blind).
func Derive(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		io.WriteString(h, p)
	}
	return enc.EncodeToString(h.Sum(nil)[:16])
}

// Valid reports whether s has the form of an identifier made here.
func Valid(s string) bool {
	if len(s) != Length {
		return false
	}
	// The decoder of package base32 is no judge: it skips line breaks and takes a byte
	// for padding, of which there is none.
	return strings.Trim(s, letters) == ""
}
