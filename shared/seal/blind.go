package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
)

var enc = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Blind makes references to personal values for keys and indexes: the full
// HMAC-SHA-256 under a key of its own, so that a stolen table cannot be
// searched by trying every identity number (X117). Nothing is cut off: two
// people must never share a reference, because references decide uniqueness.
type Blind struct{ keys []BlindKey }

// BlindKey is one version of the key of a Blind. It prints as its version.
type BlindKey struct {
	version int
	secret  []byte
}

// BlindKeyBytes is the length of a blind key, that of the digest it makes.
const BlindKeyBytes = 32

// NewBlindKey makes version (1 and up) with BlindKeyBytes of secret.
func NewBlindKey(version int, secret []byte) (BlindKey, error) {
	if version < 1 || len(secret) != BlindKeyBytes {
		return BlindKey{}, fmt.Errorf("seal: blind key version or secret is out of range")
	}
	return BlindKey{version, slices.Clone(secret)}, nil
}

// Format keeps the secret out of every verb.
func (k BlindKey) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "blind key b%d", k.version) }

// NewBlind uses all keys; the highest version is the current one.
func NewBlind(keys ...BlindKey) (*Blind, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("seal: a blind needs a key")
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b BlindKey) int { return b.version - a.version })
	for i := 1; i < len(keys); i++ {
		if keys[i].version == keys[i-1].version {
			return nil, fmt.Errorf("seal: blind key b%d twice", keys[i].version)
		}
	}
	return &Blind{keys}, nil
}

// Ref is the reference of value under the current key: "b1." and 52 characters.
// kind keeps an account and an identity number of the same digits apart. The
// caller normalises value first: one person, one spelling.
func (b *Blind) Ref(kind, value string) string { return b.keys[0].ref(kind, value) }

// Refs is the reference of value under every live key, the current one first.
// Uniqueness must look at all of them, or a rotation lets everybody in twice.
func (b *Blind) Refs(kind, value string) []string {
	out := make([]string, len(b.keys))
	for i, k := range b.keys {
		out[i] = k.ref(kind, value)
	}
	return out
}

func (k BlindKey) ref(kind, value string) string {
	mac := hmac.New(sha256.New, k.secret)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(kind)))
	mac.Write(n[:])
	mac.Write([]byte(kind))
	mac.Write([]byte(value))
	return fmt.Sprintf("b%d.%s", k.version, enc.EncodeToString(mac.Sum(nil)))
}
