// Package seal keeps personal data unreadable at rest. A Box seals one field of
// one item and binds it to that place, so that a sealed field copied to another
// row, or to another field, does not open. A Blind makes the keyed references
// by which sealed values are found again. It knows no noun, and where keys come
// from is behind Keys.
package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm4"
)

// Algorithm is how a key seals. It is a byte of every envelope and stands beside
// every stored key, so that a region changes it from one key to the next and what
// was sealed before still opens.
type Algorithm byte

// The algorithms: a block cipher in Galois/Counter Mode (NIST SP 800-38D) with a
// random 96-bit nonce and a 128-bit tag.
const (
	// AES256GCM takes keys of 32 bytes.
	AES256GCM Algorithm = 1
	// SM4GCM (GB/T 32907-2016, RFC 8998) takes keys of 16 bytes: commercial
	// cryptography where its use is asked for (商用密码管理条例 art. 41).
	SM4GCM Algorithm = 2
)

// ciphers say what each algorithm is made of.
var ciphers = map[Algorithm]struct {
	name  string
	bytes int
	block func([]byte) (cipher.Block, error)
}{
	AES256GCM: {"AES-256-GCM", 32, aes.NewCipher},
	SM4GCM:    {"SM4-GCM", 16, sm4.NewCipher},
}

// ParseAlgorithm reads a name: "AES-256-GCM" or "SM4-GCM".
func ParseAlgorithm(name string) (Algorithm, error) {
	for a, c := range ciphers {
		if c.name == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("seal: %q is no algorithm; there are AES-256-GCM and SM4-GCM", name)
}

// String is the algorithm's name.
func (a Algorithm) String() string { return ciphers[a].name }

// KeyBytes is the length of the algorithm's keys; 0 for one that is not known.
func (a Algorithm) KeyBytes() int { return ciphers[a].bytes }

// Place is where a sealed field is kept.
type Place struct{ Table, PK, SK, Field string }

// Key is one data key, ready for use. It prints as its id.
type Key struct {
	id   string
	alg  Algorithm
	aead cipher.AEAD
}

// NewKey makes a key of 1 to 64 characters of id and the algorithm's KeyBytes of
// secret.
func NewKey(id string, alg Algorithm, secret []byte) (Key, error) {
	c, known := ciphers[alg]
	if !known {
		return Key{}, fmt.Errorf("seal: no algorithm %d", alg)
	}
	if id == "" || len(id) > 64 || len(secret) != c.bytes {
		return Key{}, fmt.Errorf("seal: key id or secret of the wrong length")
	}
	block, err := c.block(secret)
	if err != nil {
		return Key{}, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return Key{}, fmt.Errorf("seal: %w", err)
	}
	return Key{id, alg, aead}, nil
}

// ID names the key in envelopes.
func (k Key) ID() string { return k.id }

// Format keeps the secret out of every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key "+k.id) }

// Keys is where keys come from.
type Keys interface {
	// Current is the key to seal with. It is asked once for every seal, and it
	// counts: after MaxUses it answers another key, or ErrWorn.
	Current(ctx context.Context) (Key, error)
	// ByID is the key that sealed an envelope; ErrKey when it is not to be had.
	ByID(ctx context.Context, id string) (Key, error)
}

// MaxUses bounds the seals under one key: at 2³² random nonces the chance that
// one came twice reaches 2⁻³² (SP 800-38D 8.3); this is a quarter of that.
const MaxUses = 1 << 30

const (
	envelope   = 1 // version of the layout
	nonceBytes = 12
)

// Box seals and opens. Safe for concurrent use when its keys and random are.
type Box struct {
	keys   Keys
	random io.Reader
}

// NewBox seals with keys; random makes the nonces: crypto/rand.Reader anywhere
// but in a simulation.
func NewBox(keys Keys, random io.Reader) *Box { return &Box{keys, random} }

// Seal is plain, readable only through Open at the same place. The envelope is
//
//	1 byte layout | 1 byte algorithm | 1 byte length of key id | key id | 12 bytes nonce | ciphertext | 16 bytes tag
func (b *Box) Seal(ctx context.Context, at Place, plain []byte) ([]byte, error) {
	key, err := b.keys.Current(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 3+len(key.id)+nonceBytes+len(plain)+key.aead.Overhead())
	out = append(out, envelope, byte(key.alg), byte(len(key.id)))
	out = append(out, key.id...)
	head := len(out)
	out = out[:head+nonceBytes]
	if _, err := io.ReadFull(b.random, out[head:]); err != nil {
		return nil, fmt.Errorf("seal: no randomness: %w", err)
	}
	return key.aead.Seal(out, out[head:], plain, bind(at, out[:head])), nil
}

// Open is what Seal was given, or ErrOpen.
func (b *Box) Open(ctx context.Context, at Place, sealed []byte) ([]byte, error) {
	if len(sealed) < 3 || sealed[0] != envelope {
		return nil, ErrOpen
	}
	head := 3 + int(sealed[2])
	if len(sealed) < head+nonceBytes {
		return nil, ErrOpen
	}
	key, err := b.keys.ByID(ctx, string(sealed[3:head]))
	if err != nil {
		return nil, err
	}
	if byte(key.alg) != sealed[1] {
		return nil, ErrOpen
	}
	nonce, text := sealed[head:head+nonceBytes], sealed[head+nonceBytes:]
	plain, err := key.aead.Open(nil, nonce, text, bind(at, sealed[:head]))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// bind is the additional data that ties an envelope to its place, key and
// algorithm. Parts are length-prefixed so that none can run into the next.
func bind(at Place, head []byte) []byte {
	var out []byte
	for _, part := range []string{at.Table, at.PK, at.SK, at.Field, string(head)} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}
