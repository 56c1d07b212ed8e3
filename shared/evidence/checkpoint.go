package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says what the log was at one size (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string // which log
	Size   uint64
	Root   tlog.Hash
}

// Text is the note's text: origin, size and root, a line each.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ErrCheckpoint is a text that is no checkpoint.
var ErrCheckpoint = errors.New("evidence: not a checkpoint")

// ParseCheckpoint reads a note's text. Lines after the third are for others and
// passed over, as C2SP asks.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 || lines[0] == "" || !strings.HasSuffix(text, "\n") {
		return Checkpoint{}, ErrCheckpoint
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	root, err2 := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || err2 != nil || len(root) != tlog.HashSize || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, ErrCheckpoint
	}
	return Checkpoint{lines[0], size, tlog.Hash(root)}, nil
}

// Signed is a checkpoint with who signed it.
type Signed struct {
	Checkpoint
	Note      []byte // as it was sent
	Witnesses []Cosigned
}

// Cosigned is a witness's signature.
type Cosigned struct {
	Name string
	At   time.Time // as the witness says
}

// OpenCheckpoint reads a note that the log signed, with the cosignatures of those
// witnesses that are known. Signatures of others count for nothing.
func OpenCheckpoint(raw []byte, log note.Verifier, witnesses ...note.Verifier) (Signed, error) {
	n, err := note.Open(raw, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %v", ErrCheckpoint, err)
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Signed{}, err
	}
	if c.Origin != log.Name() {
		return Signed{}, fmt.Errorf("%w: of another log, %s", ErrCheckpoint, c.Origin)
	}
	s := Signed{Checkpoint: c, Note: raw}
	own := false
	for _, sig := range n.Sigs {
		if sig.Name == log.Name() && sig.Hash == log.KeyHash() {
			own = true
			continue
		}
		at, err := cosignedAt(sig.Base64)
		if err != nil {
			return Signed{}, err
		}
		s.Witnesses = append(s.Witnesses, Cosigned{sig.Name, at})
	}
	if !own {
		return Signed{}, fmt.Errorf("%w: the log itself did not sign it", ErrCheckpoint)
	}
	return s, nil
}

// A cosignature (C2SP cosignature/v1) is an Ed25519 signature over a checkpoint and
// the time at which the witness saw that it extends all it saw before.
const (
	cosignatureType = 4
	cosignatureSize = 8 + ed25519.SignatureSize
)

func cosignatureText(at time.Time, text []byte) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), text)
}

func cosignedAt(base string) (time.Time, error) {
	raw, err := base64.StdEncoding.DecodeString(base)
	if err != nil || len(raw) != 4+cosignatureSize {
		return time.Time{}, ErrCheckpoint
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[4:12])), 0), nil
}

func cosignerHash(name string, key ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"+string(rune(cosignatureType))), key...))
	return binary.BigEndian.Uint32(sum[:4])
}

// A WitnessKey signs for one witness.
type WitnessKey struct {
	name string
	key  ed25519.PrivateKey
	now  func() time.Time
}

// NewWitnessKey makes the key of the witness called name, which is best a domain
// of the supervision body's; random is crypto/rand.Reader.
func NewWitnessKey(random io.Reader, name string, now func() time.Time) (*WitnessKey, error) {
	if name == "" || strings.ContainsAny(name, "+ \n\t") {
		return nil, fmt.Errorf("evidence: a witness's name has no space and no plus")
	}
	_, key, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("evidence: no randomness: %w", err)
	}
	return &WitnessKey{name, key, now}, nil
}

// Private is the key as it is kept. Nobody but the witness may have it.
func (w *WitnessKey) Private() string {
	return fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", w.name, w.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{cosignatureType}, w.key.Seed()...)))
}

// OpenWitnessKey reads what Private wrote.
func OpenWitnessKey(private string, now func() time.Time) (*WitnessKey, error) {
	fields := strings.Split(strings.TrimSpace(private), "+")
	bad := errors.New("evidence: not a witness's key") // says nothing of what it is
	if len(fields) < 5 || fields[0] != "PRIVATE" || fields[1] != "KEY" {
		return nil, bad
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(fields[4:], "+"))
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != cosignatureType {
		return nil, bad
	}
	w := &WitnessKey{fields[2], ed25519.NewKeyFromSeed(raw[1:]), now}
	if fmt.Sprintf("%08x", w.KeyHash()) != fields[3] {
		return nil, bad
	}
	return w, nil
}

func (w *WitnessKey) public() ed25519.PublicKey { return w.key.Public().(ed25519.PublicKey) }

// Public is what others verify with: pin it.
func (w *WitnessKey) Public() string {
	return fmt.Sprintf("%s+%08x+%s", w.name, w.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{cosignatureType}, w.public()...)))
}

// Name is the witness's name.
func (w *WitnessKey) Name() string { return w.name }

// KeyHash identifies the key.
func (w *WitnessKey) KeyHash() uint32 { return cosignerHash(w.name, w.public()) }

// Sign is the cosignature of a checkpoint's text, now.
func (w *WitnessKey) Sign(text []byte) ([]byte, error) {
	at := w.now()
	sig := ed25519.Sign(w.key, cosignatureText(at, text))
	return append(binary.BigEndian.AppendUint64(nil, uint64(at.Unix())), sig...), nil
}

var _ note.Signer = (*WitnessKey)(nil)

// cosigner verifies cosignatures of one key.
type cosigner struct {
	name string
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return cosignerHash(c.name, c.key) }

func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != cosignatureSize {
		return false
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(sig[:8])), 0)
	return ed25519.Verify(c.key, cosignatureText(at, text), sig[8:])
}

// NewWitness verifies the cosignatures of a witness by its Public.
func NewWitness(public string) (note.Verifier, error) {
	bad := fmt.Errorf("evidence: %q is not a witness's public key", public)
	fields := strings.SplitN(strings.TrimSpace(public), "+", 3)
	if len(fields) != 3 || fields[0] == "" || strings.ContainsAny(fields[0], " \n\t") {
		return nil, bad
	}
	raw, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != cosignatureType {
		return nil, bad
	}
	c := cosigner{fields[0], ed25519.PublicKey(raw[1:])}
	if fmt.Sprintf("%08x", c.KeyHash()) != fields[1] {
		return nil, bad
	}
	return c, nil
}

// NewWitnesses reads public keys, one a line or apart by commas; none is none.
func NewWitnesses(keys string) ([]note.Verifier, error) {
	var all []note.Verifier
	for _, key := range strings.FieldsFunc(keys, func(r rune) bool { return strings.ContainsRune(", \n\r\t", r) }) {
		w, err := NewWitness(key)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// addSignatures is base with those signature lines of other that it lacks. Both
// are notes of the same text.
func addSignatures(base, other []byte) []byte {
	_, lines, _ := bytes.Cut(other, []byte("\n\n"))
	out := bytes.Clone(base)
	for line := range bytes.Lines(lines) {
		if !bytes.Contains(base, line) {
			out = append(out, line...)
		}
	}
	return out
}
