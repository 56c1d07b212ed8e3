package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// Pins are what the verifier knows from elsewhere. Without Key the export's own is
// believed, which proves nothing against its keeper.
type Pins struct {
	Key       note.Verifier
	Witnesses []note.Verifier
	// Copy is a witness's directory: its own copy of the hashes, and every
	// checkpoint it cosigned.
	Copy string
}

// Report is what a check came to.
type Report struct {
	Manifest
	Root      string    `json:"root"`
	Pinned    bool      `json:"pinned"`
	Witnessed uint64    `json:"witnessed"` // leaves up to which a pinned witness cosigned
	Late      int       `json:"late"`      // leaves that came late because the log stood still
	Erased    int       `json:"erased"`    // leaves whose salt is gone
	Things    int       `json:"things"`
	Items     int       `json:"items"`   // held against the leaf that they were written with
	Unbound   int       `json:"unbound"` // items that no leaf speaks of
	Awards    int       `json:"awards"`
	Slices    int       `json:"slices"`
	Findings  []Finding `json:"findings"`
	More      int       `json:"more"` // findings beyond those that are listed
}

// Good reports whether nothing is wrong.
func (r Report) Good() bool { return len(r.Findings) == 0 }

// most is how many findings are listed.
const most = 1000

func (r *Report) add(found ...Finding) {
	for _, f := range found {
		switch {
		case slices.ContainsFunc(r.Findings, func(g Finding) bool { return g.Leaf != None && g.Leaf == f.Leaf && g.Kind == f.Kind }):
			// one place was found wrong in two ways of looking
		case len(r.Findings) < most:
			r.Findings = append(r.Findings, f)
		default:
			r.More++
		}
	}
}

// verifier is one check under way.
type verifier struct {
	*Report
	dir    string
	pins   Pins
	chain  *Chain
	hashes []tlog.Hash // of the leaves in the export
	edge   evidence.Edge
	roots  map[uint64]tlog.Hash // at the sizes that checkpoints speak of
	money  *books
	bound  *bound
	end    time.Time // Logged of the last leaf
}

// Verify checks the export in dir against itself, its signatures and what is
// pinned, and says everything that is wrong. progress hears how many leaves are
// done. An error is an export that cannot be read at all.
func Verify(ctx context.Context, dir string, pins Pins, progress func(done, of uint64)) (Report, error) {
	r := Report{Pinned: pins.Key != nil}
	v := &verifier{Report: &r, dir: dir, pins: pins, chain: NewChain(), roots: map[uint64]tlog.Hash{}, money: newBooks(), bound: newBound()}
	raw, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r.Manifest); err != nil || r.Format != Format {
		return r, fmt.Errorf("%s is no export of the form %s", dir, Format)
	}
	signed, err := v.signatures()
	if err != nil {
		return r, err
	}
	for _, s := range signed {
		v.roots[s.Size] = tlog.Hash{}
	}
	if err := v.leaves(ctx, progress); err != nil {
		return r, err
	}
	r.Root = v.edge.Root().String()
	v.compare(signed)
	if err := v.events(ctx); err != nil {
		return r, err
	}
	if err := v.states(ctx); err != nil {
		return r, err
	}
	if err := v.items(ctx); err != nil {
		return r, err
	}
	if err := v.ledger(ctx); err != nil {
		return r, err
	}
	r.Late, r.Things = v.chain.Late, len(v.chain.things)
	return r, v.statements(ctx)
}

// signatures opens every checkpoint that is to be had.
func (v *verifier) signatures() ([]evidence.Signed, error) {
	key := v.pins.Key
	if key == nil {
		own, err := note.NewVerifier(v.Key)
		if err != nil {
			return nil, fmt.Errorf("the export names no key of the log: %w", err)
		}
		key = own
	} else if own, err := note.NewVerifier(v.Key); err != nil || own.Name() != key.Name() || own.KeyHash() != key.KeyHash() {
		v.add(Finding{KeySwapped, None, v.Key, "the export names another key than the pinned one"})
	}
	notes := map[string][]byte{}
	for _, name := range []string{checkpointFile, witnessedFile} {
		raw, err := os.ReadFile(filepath.Join(v.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		notes[name] = raw
	}
	if notes[checkpointFile] == nil {
		v.add(Finding{Unsigned, None, checkpointFile, "there is no checkpoint"})
	}
	if v.pins.Copy != "" {
		own, err := history(v.pins.Copy)
		if err != nil {
			return nil, err
		}
		for name, raw := range own {
			notes["witness's copy, "+name] = raw
		}
	}
	var all []evidence.Signed
	for name, raw := range notes {
		s, err := evidence.OpenCheckpoint(raw, key, v.pins.Witnesses...)
		if err != nil {
			kind := Unsigned
			if otherKey(raw, key) {
				kind = KeySwapped
			}
			v.add(Finding{kind, None, name, err.Error()})
			continue
		}
		if name == witnessedFile && len(v.pins.Witnesses) > 0 && len(s.Witnesses) == 0 {
			v.add(Finding{Unsigned, None, name, "no pinned witness cosigned it"})
		}
		if len(s.Witnesses) > 0 {
			v.Witnessed = max(v.Witnessed, s.Size)
		}
		all = append(all, s)
	}
	return all, nil
}

// otherKey reports whether raw carries a signature in the log's name by another key.
func otherKey(raw []byte, key note.Verifier) bool {
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](second(note.Open(raw, note.VerifierList())))
	if !ok {
		return false
	}
	for _, s := range unverified.Note.UnverifiedSigs {
		if s.Name == key.Name() && s.Hash != key.KeyHash() {
			return true
		}
	}
	return false
}

func second(_ *note.Note, err error) error { return err }

// parsed is one leaf that was read, with what takes time to work out of it.
type parsed struct {
	leaf  evidence.Leaf
	hash  tlog.Hash
	thing thing
	made  []commitment
	err   error
}

// leaves reads them in order.
func (v *verifier) leaves(ctx context.Context, progress func(done, of uint64)) error {
	return eachLine(ctx, v.dir, leavesFile, func(line []byte) (parsed, error) {
		p := parsed{hash: tlog.RecordHash(line)}
		if p.leaf, p.err = evidence.ParseLeaf(line); p.err == nil {
			p.thing, p.made = thingOf(p.leaf), v.bound.of(p.leaf)
		}
		return p, nil // one that is no leaf is a finding
	}, func(p parsed) error {
		v.leaf(p)
		return nil
	}, func() {
		if progress != nil {
			progress(v.edge.Size, v.Leaves)
		}
	})
}

func (v *verifier) leaf(p parsed) {
	index := int64(v.edge.Size)
	if _, wanted := v.roots[v.edge.Size]; wanted {
		v.roots[v.edge.Size] = v.edge.Root()
	}
	v.edge.Add(p.hash)
	v.hashes = append(v.hashes, p.hash)
	if _, wanted := v.roots[v.edge.Size]; wanted {
		v.roots[v.edge.Size] = v.edge.Root()
	}
	if p.err != nil {
		v.chain.next++
		v.add(Finding{Malformed, index, "", "it is not a leaf in canonical form"})
		return
	}
	v.add(v.chain.add(p.leaf, p.thing)...)
	v.end = p.leaf.Logged
	v.money.leaf(index, p.leaf)
	v.bound.keep(index, p.made)
}

// compare holds the leaves against what was published and signed.
func (v *verifier) compare(signed []evidence.Signed) {
	published, err := readHashes(filepath.Join(v.dir, hashesFile))
	if err != nil {
		v.add(Finding{Missing, None, hashesFile, err.Error()})
	}
	own, err := readHashes(filepath.Join(v.pins.Copy, copyHashes))
	if v.pins.Copy != "" && err != nil {
		v.add(Finding{Missing, None, "witness's copy", err.Error()})
	}
	name := func(i int) string { return fmt.Sprintf("%.12s…", v.hashes[i]) }
	if v.pins.Copy != "" && len(own) > 0 { // what the witness saw itself counts more than what is shown now
		for _, f := range differ(v.hashes, own, name) {
			if f.Kind != Extra { // the export may be newer than the copy
				v.add(f)
			}
		}
	}
	var of tlog.Hash
	var size uint64
	for _, s := range signed {
		if s.Size >= size {
			size, of = s.Size, s.Root
		}
	}
	if rootOf(published, size) == of || len(own) == 0 {
		v.add(differ(v.hashes, published, name)...)
	}
	for _, s := range signed {
		switch root := v.roots[s.Size]; {
		case s.Size > v.edge.Size:
			v.add(Finding{Truncated, int64(v.edge.Size), "", fmt.Sprintf("a checkpoint speaks of %d leaves, and there are %d", s.Size, v.edge.Size)})
		case root != s.Root && rootOf(published, s.Size) == s.Root:
			// The leaves differ from what was published, and that is named already.
		case root != s.Root:
			v.add(Finding{Forked, None, fmt.Sprintf("at %d leaves", s.Size), fmt.Sprintf("the checkpoint says %s, the leaves make %s", s.Root, root)})
		}
	}
	if v.edge.Size > size && size > 0 {
		v.add(Finding{Extra, int64(size), "", "leaves from here on stand in no checkpoint"})
	}
}

func rootOf(hashes []tlog.Hash, size uint64) tlog.Hash {
	var e evidence.Edge
	for _, h := range hashes[:min(uint64(len(hashes)), size)] {
		e.Add(h)
	}
	return e.Root()
}

func readHashes(name string) ([]tlog.Hash, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	all := make([]tlog.Hash, len(raw)/tlog.HashSize)
	for i := range all {
		all[i] = tlog.Hash(raw[i*tlog.HashSize:])
	}
	return all, nil
}

// events holds what the events are now against the leaves.
func (v *verifier) events(ctx context.Context) error {
	next := int64(0)
	err := each(ctx, v.dir, eventsFile, func(e eventLine) error {
		if e.Index == None {
			l, err := evidence.ParseLeaf(e.Unlogged)
			what := string(e.Unlogged)
			if err == nil {
				what = l.Name()
			}
			v.add(Finding{Missing, None, what, "it happened and is in no leaf"})
			return nil
		}
		if e.Index < 0 { // whoever wrote the export may write anything
			v.add(Finding{Malformed, None, "", fmt.Sprintf("an event is shown for leaf %d, which cannot be", e.Index)})
			return nil
		}
		if e.Index != next {
			v.add(Finding{Missing, next, "", "no event is shown for this leaf"})
		}
		next = e.Index + 1
		switch {
		case e.Gone:
			v.add(Finding{Extra, e.Index, "", "there is no event of this leaf any more"})
		case e.Erased:
			v.Erased++
		case e.Index >= int64(len(v.hashes)):
			v.add(Finding{Deleted, e.Index, "", "there is an event and no leaf"})
		case e.Hash == nil || *e.Hash != v.hashes[e.Index]:
			v.add(Finding{Edited, e.Index, nameOf(e.Now), "the event in the table is not what the leaf says"})
		}
		return nil
	})
	if err == nil && next < int64(len(v.hashes)) {
		v.add(Finding{Missing, next, "", "no event is shown for this leaf and those after it"})
	}
	return err
}

func nameOf(raw []byte) string {
	l, err := evidence.ParseLeaf(raw)
	if err != nil {
		return ""
	}
	return l.Name()
}

// states holds the things against their newest leaves.
func (v *verifier) states(ctx context.Context) error {
	err := each(ctx, v.dir, statesFile, func(s stateLine) error {
		l := evidence.Leaf{PK: s.PK, Noun: s.Noun, ID: s.ID, Version: s.Version}
		what, logged := l.Name(), v.chain.Version(l)
		v.chain.meet(l)
		switch {
		case s.Later:
		case sparse[s.Noun] && s.Version >= logged:
		case s.Version > logged:
			v.add(Finding{Missing, None, what, fmt.Sprintf("the newest leaf of it is of version %d", logged)})
		case s.Version < logged:
			v.add(Finding{Extra, None, what, fmt.Sprintf("a leaf speaks of version %d, which it never had", logged)})
		}
		v.money.state(v.Report, s)
		return nil
	})
	for _, leaf := range v.chain.unmet() {
		v.add(Finding{Extra, leaf, "", "the thing that it speaks of is not there any more"})
	}
	return err
}
