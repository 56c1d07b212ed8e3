package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// What a witness keeps in its directory. It is written in this order, each durably
// before the next, so that a witness that dies goes on from its newest checkpoint.
const (
	copyKey     = "witness.key"   // its private key
	copyLeaves  = "leaves.ndjson" // every leaf it has seen
	copyHashes  = "hashes.bin"    // of them, 32 bytes each
	copyChain   = "versions.bin"  // see Chain
	copyNewest  = "checkpoint"    // the newest that it cosigned
	copyHistory = "checkpoints"   // all of them, by size
)

// Witness is the supervision body's own program: it keeps a copy of what it saw,
// and cosigns a checkpoint only when that extends everything it ever cosigned.
type Witness struct {
	URL  string // of the API
	HTTP *http.Client
	Dir  string
	Key  *evidence.WitnessKey
	Log  note.Verifier // pinned
	Now  func() time.Time
}

// Sight is what one look came to.
type Sight struct {
	Size     uint64 // leaves of the checkpoint
	New      uint64 // since the last look
	Late     int    // leaves that came late because the log stood still, ever
	Cosigned bool
	Findings []Finding
}

// ErrUnseen: the log could not be seen, so that nothing is known of it.
var ErrUnseen = errors.New("the log cannot be seen")

// OpenWitness reads the key in dir; InitWitness makes it.
func OpenWitness(dir string, now func() time.Time) (*evidence.WitnessKey, error) {
	name := filepath.Join(dir, copyKey)
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s must be a plain file of mode 0600", name)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return evidence.OpenWitnessKey(string(raw), now)
}

// InitWitness makes a witness called name in dir, which must have none.
func InitWitness(random io.Reader, dir, name string, now func() time.Time) (*evidence.WitnessKey, error) {
	key, err := evidence.NewWitnessKey(random, name, now)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, copyHistory), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, copyKey), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(key.Private() + "\n")
	return key, errors.Join(err, f.Sync(), f.Close())
}

// Look looks at the log once: it fetches the newest checkpoint and the leaves that
// are new, hashes them again, and cosigns when all is well. Nothing is cosigned,
// and nothing of the copy changes, when there is a finding. ErrUnseen when the log
// did not answer.
func (w *Witness) Look(ctx context.Context) (Sight, error) {
	var s Sight
	own, err := w.copy()
	if err != nil {
		return s, err
	}
	raw, err := w.get(ctx, "/v1/log/checkpoint", nil)
	if err != nil {
		return s, err
	}
	say := func(k Kind, leaf int64, what, format string, args ...any) {
		s.Findings = append(s.Findings, Finding{k, leaf, what, fmt.Sprintf(format, args...)})
	}
	now, err := evidence.OpenCheckpoint(raw, w.Log)
	if err != nil {
		kind := Unsigned
		if otherKey(raw, w.Log) {
			kind = KeySwapped
		}
		say(kind, None, "checkpoint", "%v", err)
		return s, nil
	}
	s.Size = now.Size
	switch {
	case now.Size < own.edge.Size:
		say(Truncated, int64(now.Size), "", "we cosigned %d leaves, and now there are %d", own.edge.Size, now.Size)
		return s, nil
	case now.Size == own.edge.Size && now.Root != own.edge.Root():
		say(Forked, None, fmt.Sprintf("at %d leaves", now.Size), "we cosigned root %s, and now it is %s", own.edge.Root(), now.Root)
		w.where(ctx, own, now.Size, &s)
		return s, nil
	}
	s.New = now.Size - own.edge.Size
	leaves, err := w.leaves(ctx, own.edge.Size, now.Size)
	if err != nil {
		return s, err
	}
	next := evidence.Edge{Size: own.edge.Size, Hashes: append([]tlog.Hash(nil), own.edge.Hashes...)}
	var text, hashes []byte
	for _, leaf := range leaves {
		next.Add(leaf.hash)
		hashes = append(hashes, leaf.hash[:]...)
		text = append(append(text, leaf.raw...), '\n')
		own.chain.bytes += int64(len(leaf.raw)) + 1
		if leaf.err != nil {
			say(Malformed, int64(next.Size)-1, "", "it is not a leaf in canonical form")
			own.chain.next++
			continue
		}
		l := leaf.leaf
		s.Findings = append(s.Findings, own.chain.add(l, leaf.thing)...)
		if !own.seen.IsZero() && l.Logged.Before(own.seen.Add(-skew)) {
			say(BackDated, int64(next.Size)-1, l.Name(), "it says that it was logged at %s; at %s we looked and it was not there", l.Logged.Format(time.RFC3339), own.seen.Format(time.RFC3339))
		}
	}
	if next.Root() != now.Root {
		say(Forked, None, fmt.Sprintf("at %d leaves", now.Size), "what we saw before with the leaves since makes root %s, the checkpoint says %s", next.Root(), now.Root)
		w.where(ctx, own, now.Size, &s)
	}
	s.Late = own.chain.Late
	if len(s.Findings) > 0 {
		return s, nil
	}
	n, err := note.Open(raw, note.VerifierList(w.Log))
	if err != nil {
		return s, err
	}
	n.UnverifiedSigs = nil // others' cosignatures are theirs to hand back
	signed, err := note.Sign(n, w.Key)
	if err != nil {
		return s, err
	}
	if err := w.keep(own, text, hashes, signed, now.Size); err != nil {
		return s, err
	}
	// If we die here, or are not heard, the next look signs again.
	if _, err := w.get(ctx, "/v1/log/cosignatures", signed); err != nil {
		return s, err
	}
	s.Cosigned = true
	return s, nil
}

// own is what the witness kept.
type own struct {
	edge   evidence.Edge
	chain  *Chain
	hashes []tlog.Hash
	seen   time.Time // when the newest checkpoint was cosigned
}

// copy reads what is kept, up to the newest checkpoint: what a look that died left
// behind it is passed over.
func (w *Witness) copy() (*own, error) {
	o := &own{chain: NewChain()}
	raw, err := os.ReadFile(filepath.Join(w.Dir, copyNewest))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	public, err := evidence.NewWitness(w.Key.Public())
	if err != nil {
		return nil, err
	}
	s, err := evidence.OpenCheckpoint(raw, w.Log, public)
	if err != nil || len(s.Witnesses) == 0 {
		return nil, fmt.Errorf("our own copy in %s is not of the log whose key is pinned, or is damaged: %w", w.Dir, err)
	}
	o.seen = s.Witnesses[0].At
	if o.hashes, err = readHashes(filepath.Join(w.Dir, copyHashes)); err != nil {
		return nil, err
	}
	if uint64(len(o.hashes)) < s.Size {
		return nil, fmt.Errorf("our own copy in %s has %d hashes of %d", w.Dir, len(o.hashes), s.Size)
	}
	o.hashes = o.hashes[:s.Size]
	for _, h := range o.hashes {
		o.edge.Add(h)
	}
	if o.edge.Root() != s.Root {
		return nil, fmt.Errorf("our own copy in %s does not make the root that we cosigned", w.Dir)
	}
	notes, err := os.ReadFile(filepath.Join(w.Dir, copyChain))
	if err != nil {
		return nil, err
	}
	if o.chain, err = LoadChain(notes); err != nil {
		return nil, err
	}
	if o.chain.next != int64(s.Size) { // a look died between the two, or they are of an older form
		o.chain, err = w.rechain(s.Size)
	}
	return o, err
}

// rechain follows the leaves of the copy again.
func (w *Witness) rechain(size uint64) (*Chain, error) {
	f, err := os.Open(filepath.Join(w.Dir, copyLeaves))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	c := NewChain()
	for line := range bytes.Lines(raw) {
		if c.next == int64(size) {
			break
		}
		l, err := evidence.ParseLeaf(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return nil, err
		}
		c.Add(l)
		c.bytes += int64(len(line))
	}
	if c.next != int64(size) {
		return nil, fmt.Errorf("our own copy in %s has %d leaves of %d", w.Dir, c.next, size)
	}
	return c, nil
}

// keep adds to the copy and then says what it is a copy of.
func (w *Witness) keep(o *own, text, hashes, signed []byte, size uint64) error {
	var chain bytes.Buffer
	if err := o.chain.Save(&chain); err != nil {
		return err
	}
	leavesEnd := o.chain.bytes - int64(len(text)) // what a look that died wrote after it is written over
	for _, write := range []func() error{
		func() error { return appendAt(filepath.Join(w.Dir, copyLeaves), leavesEnd, text) },
		func() error {
			return appendAt(filepath.Join(w.Dir, copyHashes), int64(o.edge.Size)*tlog.HashSize, hashes)
		},
		func() error { return replace(filepath.Join(w.Dir, copyChain), chain.Bytes()) },
		func() error { return replace(filepath.Join(w.Dir, copyHistory, fmt.Sprintf("%015d", size)), signed) },
		func() error { return replace(filepath.Join(w.Dir, copyNewest), signed) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

func appendAt(name string, at int64, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(at)
	if err == nil {
		_, err = f.WriteAt(content, at)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func replace(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is the error before it
	}
	return err
}

// history is every checkpoint that the witness in dir cosigned.
func history(dir string) (map[string][]byte, error) {
	found, err := os.ReadDir(filepath.Join(dir, copyHistory))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if all[f.Name()], err = os.ReadFile(filepath.Join(dir, copyHistory, f.Name())); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// seen is one leaf as it was shown.
type seen struct {
	parsed
	raw []byte
}

// asked is how many blocks of leaves are asked for at once.
const asked = 4

// leaves fetches the leaves from from up to size, and reads them.
func (w *Witness) leaves(ctx context.Context, from, size uint64) ([]seen, error) {
	all := make([]seen, size-from)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(asked)
	for at := from / evidence.Block; at*evidence.Block < size; at++ {
		group.Go(func() error {
			bundle, err := w.block(ctx, at, int(min(evidence.Block, size-at*evidence.Block)))
			for i, raw := range bundle {
				index := at*evidence.Block + uint64(i)
				if index < from {
					continue
				}
				one := seen{parsed{hash: tlog.RecordHash(raw)}, raw}
				if one.leaf, one.err = evidence.ParseLeaf(raw); one.err == nil {
					one.thing = thingOf(one.leaf)
				}
				all[index-from] = one
			}
			return err
		})
	}
	return all, group.Wait()
}

// block fetches the first width leaves of a block.
func (w *Witness) block(ctx context.Context, at uint64, width int) ([][]byte, error) {
	ask, err := w.Key.Ask(w.Log.Name(), at, width)
	if err != nil {
		return nil, err
	}
	raw, err := w.get(ctx, "/v1/log/leaves", ask)
	if err != nil {
		return nil, err
	}
	bundle, err := evidence.Unbundle(raw)
	if err != nil || len(bundle) != width {
		return nil, fmt.Errorf("%w: a bundle of %d leaves has %d: %v", ErrUnseen, width, len(bundle), err)
	}
	return bundle, nil
}

// where names the first leaves at which the published hashes are not those that
// the witness kept.
func (w *Witness) where(ctx context.Context, o *own, size uint64, s *Sight) {
	var shown []tlog.Hash
	for at := uint64(0); at*evidence.Block < size; at++ {
		width := min(evidence.Block, size-at*evidence.Block)
		raw, err := w.get(ctx, fmt.Sprintf("/v1/log/tiles/0/%d?width=%d", at, width), nil)
		if err != nil {
			s.Findings = append(s.Findings, Finding{Missing, int64(at * evidence.Block), "", "the hashes from here on are not shown"})
			break
		}
		for ; len(raw) >= tlog.HashSize; raw = raw[tlog.HashSize:] {
			shown = append(shown, tlog.Hash(raw))
		}
	}
	found := differ(shown[:min(len(shown), len(o.hashes))], o.hashes, func(int) string { return "" })
	s.Findings = append(s.Findings, found...)
}

// limit is the most bytes of one answer.
const limit = evidence.Block * (evidence.MaxLeaf + 2)

// patience is how often a request is sent again to an API that says it is too busy.
const patience = 30

// get fetches path, or posts body there.
func (w *Witness) get(ctx context.Context, path string, body []byte) ([]byte, error) {
	for range patience {
		raw, busy, err := w.once(ctx, path, body)
		if !busy {
			return raw, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return nil, fmt.Errorf("%w: %s is too busy", ErrUnseen, path)
}

func (w *Witness) once(ctx context.Context, path string, body []byte) (answer []byte, busy bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(w.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	resp, err := w.HTTP.Do(r)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %v", ErrUnseen, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil || len(raw) > limit:
		return nil, false, fmt.Errorf("%w: the answer of %s breaks off or has no end", ErrUnseen, path)
	case resp.StatusCode == http.StatusTooManyRequests:
		return nil, true, nil
	case resp.StatusCode != http.StatusOK:
		return nil, false, fmt.Errorf("%w: %s answers %d: %.300s", ErrUnseen, path, resp.StatusCode, raw)
	}
	return raw, false, nil
}
