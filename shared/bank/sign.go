package bank

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/outside"
)

// Headers of a signed message.
const (
	HeaderKey       = "Bank-Key"       // "<algorithm>:<id>", for instance "ed25519:2026-1"
	HeaderTimestamp = "Bank-Timestamp" // Unix seconds
	HeaderNonce     = "Bank-Nonce"     // of the request; an answer repeats it
	HeaderSignature = "Bank-Signature" // base64
)

// Signer signs for one key. An implementation may keep the key elsewhere.
type Signer interface {
	// KeyID is "<algorithm>:<id>".
	KeyID() string
	Sign(ctx context.Context, message []byte) ([]byte, error)
}

// Verifier checks signatures of one key.
type Verifier interface {
	// Algorithm is the part of the key id before the colon. A signature is only
	// checked with the algorithm that its key was configured for, whatever the
	// message claims.
	Algorithm() string
	Verify(message, signature []byte) bool
}

// Ed25519 is the algorithm tag of the keys below.
const Ed25519 = "ed25519"

type edSigner struct {
	id  string
	key ed25519.PrivateKey
}

// NewEd25519Signer signs with key under the id "ed25519:<name>".
func NewEd25519Signer(name string, key ed25519.PrivateKey) Signer {
	return edSigner{Ed25519 + ":" + name, key}
}

func (s edSigner) KeyID() string { return s.id }

func (s edSigner) Sign(_ context.Context, message []byte) ([]byte, error) {
	if len(s.key) != ed25519.PrivateKeySize {
		return nil, errors.New("bank: not an ed25519 key")
	}
	return ed25519.Sign(s.key, message), nil
}

type edVerifier ed25519.PublicKey

// NewEd25519Verifier checks signatures of key.
func NewEd25519Verifier(key ed25519.PublicKey) Verifier { return edVerifier(key) }

func (v edVerifier) Algorithm() string { return Ed25519 }

func (v edVerifier) Verify(message, signature []byte) bool {
	return len(v) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(v), message, signature)
}

func encodeSignature(sig []byte) string { return base64.StdEncoding.EncodeToString(sig) }

var (
	errHeaders = errors.New("signature headers missing or repeated")
	errStale   = errors.New("timestamp outside the window")
	errProbe   = errors.New("signature probe")
	errKey     = errors.New("key not known")
	errWrong   = errors.New("signature wrong")
)

// Verify checks the signature on a message against the live keys. Its errors
// say which check failed and quote nothing.
func Verify(keys map[string]Verifier, kind, method, path string, header http.Header, now time.Time, body []byte) error {
	for _, h := range []string{HeaderKey, HeaderTimestamp, HeaderNonce, HeaderSignature} {
		// A header given twice is read differently by different programs.
		if len(header.Values(h)) != 1 || header.Get(h) == "" {
			return errHeaders
		}
	}
	if outside.Probe(header.Get(HeaderSignature)) {
		return errProbe
	}
	if !outside.Fresh(header.Get(HeaderTimestamp), now) {
		return errStale
	}
	id := header.Get(HeaderKey)
	key, ok := keys[id]
	if algorithm, _, _ := strings.Cut(id, ":"); !ok || key == nil || key.Algorithm() != algorithm {
		return errKey
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(header.Get(HeaderSignature))
	text := outside.SignedText(kind, method, path, header.Get(HeaderTimestamp), header.Get(HeaderNonce), body)
	if err != nil || !key.Verify(text, sig) {
		return errWrong
	}
	return nil
}
