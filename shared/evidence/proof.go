package evidence

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/table"
)

// Proof shows that one leaf is in the log, to whoever has the log's public key and
// nothing else: no connection, no trust in who hands it over.
type Proof struct {
	Index      uint64      // of the leaf
	Leaf       []byte      // see Leaf
	Hashes     []tlog.Hash // from the leaf up to the root
	Checkpoint []byte      // signed note
}

// ErrProof: what is shown does not prove that the leaf is in the log.
var ErrProof = errors.New("evidence: the proof does not hold")

// Check verifies p with the log's public key, and gives the leaf and the checkpoint
// with those of witnesses who signed it.
func (p Proof) Check(log note.Verifier, witnesses ...note.Verifier) (Leaf, Signed, error) {
	s, err := OpenCheckpoint(p.Checkpoint, log, witnesses...)
	if err != nil {
		return Leaf{}, s, err
	}
	if p.Index >= s.Size {
		return Leaf{}, s, fmt.Errorf("%w: leaf %d of %d", ErrProof, p.Index, s.Size)
	}
	if err := tlog.CheckRecord(p.Hashes, int64(s.Size), s.Root, int64(p.Index), tlog.RecordHash(p.Leaf)); err != nil {
		return Leaf{}, s, fmt.Errorf("%w: %v", ErrProof, err)
	}
	l, err := ParseLeaf(p.Leaf)
	return l, s, err
}

// Prove is the proof that the event at key is in the log; false while no checkpoint
// speaks of it. A checkpoint that a witness cosigned is taken before a newer one
// that none did.
func (p *Publisher) Prove(ctx context.Context, key table.Key) (Proof, bool, error) {
	index, ok, err := p.Log.Index(ctx, key)
	if err != nil || !ok {
		return Proof{}, false, err
	}
	published, err := p.Witnessed(ctx)
	if err == nil && published.Edge.Size <= index {
		published, err = p.Published(ctx)
	}
	if err != nil || published.Edge.Size <= index {
		return Proof{}, false, err
	}
	kept, err := p.Log.entries(ctx, index, 1)
	if err != nil {
		return Proof{}, false, err
	}
	c, err := ParseCheckpoint(textOf(published.Note))
	if err != nil {
		return Proof{}, false, ErrDamaged.Because(err)
	}
	hashes, err := tlog.ProveRecord(int64(c.Size), int64(index), Hashes(c.Size, c.Root, func(name string) ([]byte, error) { return p.Blobs.Get(ctx, name) }))
	if err != nil {
		return Proof{}, false, fmt.Errorf("evidence: prove leaf %d: %w", index, err)
	}
	return Proof{index, kept[0].leaf, hashes, []byte(published.Note)}, true, nil
}

// cardPrefix begins every proof as text, so that a program knows what it scanned.
const cardPrefix = "DOUDI1:"

// code has letters and digits that a QR code packs into five and a half bits each.
var code = base32.StdEncoding.WithPadding(base32.NoPadding)

// most bounds what a text may unpack to, in bytes.
const most = 128 << 10

// Text is p as capital letters and digits, short enough for a QR code of a printed
// page: index, leaf, hashes and checkpoint, each with its length, deflated.
func (p Proof) Text() (string, error) {
	var raw []byte
	raw = binary.AppendUvarint(raw, p.Index)
	for _, part := range [][]byte{p.Leaf, joined(p.Hashes), p.Checkpoint} {
		raw = binary.AppendUvarint(raw, uint64(len(part)))
		raw = append(raw, part...)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	return cardPrefix + code.EncodeToString(packed.Bytes()), nil
}

func joined(hashes []tlog.Hash) []byte {
	var out []byte
	for _, h := range hashes {
		out = append(out, h[:]...)
	}
	return out
}

// ParseProof reads what Text wrote. It says nothing of whether the proof holds.
func ParseProof(text string) (Proof, error) {
	bad := fmt.Errorf("%w: not the text of a proof", ErrProof)
	letters, ok := strings.CutPrefix(strings.Join(strings.Fields(strings.ToUpper(text)), ""), cardPrefix)
	if !ok || len(letters) > most {
		return Proof{}, bad
	}
	packed, err := code.DecodeString(letters)
	if err != nil {
		return Proof{}, bad
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), most+1))
	if err != nil || len(raw) > most {
		return Proof{}, bad
	}
	var p Proof
	index, n := binary.Uvarint(raw)
	if n <= 0 {
		return Proof{}, bad
	}
	p.Index, raw = index, raw[n:]
	var hashes []byte
	for _, part := range []*[]byte{&p.Leaf, &hashes, &p.Checkpoint} {
		length, n := binary.Uvarint(raw)
		if n <= 0 || length > uint64(len(raw)-n) {
			return Proof{}, bad
		}
		*part, raw = raw[n:n+int(length)], raw[n+int(length):]
	}
	if p.Hashes, err = hashesOf(hashes); err != nil || len(raw) != 0 || len(p.Hashes) > 63 {
		return Proof{}, bad
	}
	return p, nil
}
