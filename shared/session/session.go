// Package session remembers who is signed in. A token is 256 random bits that
// mean nothing; only its SHA-256 is stored, so a dump of the table lets nobody
// in. Every Find is a strong read and nothing is cached: a token closed, or a
// person removed, is out with the next request. No signed token (JWT) is
// accepted anywhere. It knows neither how somebody proved who they are nor
// what they may do.
package session

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
)

// Kind is what kind of person is signed in.
type Kind string

// The kinds.
const (
	Citizen Kind = "citizen"
	Staff   Kind = "staff"
)

// Principal is who is asking. ID is an account or a staff id, never personal data.
type Principal struct {
	Kind Kind
	ID   string
}

// enc writes tokens: lower case, safe in a header.
var enc = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const (
	tokenBytes = 32 // ASVS 7.2.3 asks for at least 16
	tokenChars = 52
)

// wellFormed reports whether token has the shape of one made here, so that a
// JWT or any other long string costs no read.
func wellFormed(token string) bool {
	if len(token) != tokenChars {
		return false
	}
	_, err := enc.DecodeString(token)
	return err == nil
}

// digest is what stands for a token in keys.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
