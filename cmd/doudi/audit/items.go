package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"slices"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// bound are the newest commitments that leaves hold to items. The items go by a
// hash whose seed nobody knows, so that nobody can make two that have the same.
type bound struct {
	seed maphash.Seed
	by   map[uint64]commitment
}

func newBound() *bound { return &bound{maphash.MakeSeed(), map[uint64]commitment{}} }

// commitment is what a leaf holds to one item.
type commitment struct {
	item uint64   // the hash of its partition and name
	pk   uint64   // and of its partition alone
	sum  [16]byte // how it begins; of one that cannot be read, nothing that any item has
	leaf int64    // that holds it
	met  bool     // the item is in the export
}

func (b *bound) hash(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, p := range parts {
		_, _ = h.WriteString(p) // a hash never fails
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// sumOf is the beginning of a commitment as leaves write it.
func sumOf(text string) (sum [16]byte) {
	var raw [sha256.Size]byte
	if len(text) == base64.RawURLEncoding.EncodedLen(len(raw)) {
		if _, err := base64.RawURLEncoding.Decode(raw[:], []byte(text)); err == nil {
			copy(sum[:], raw[:])
		}
	}
	return sum
}

// of are the commitments of a leaf.
func (b *bound) of(l evidence.Leaf) (all []commitment) {
	for name, sum := range l.Made() {
		all = append(all, commitment{item: b.hash(l.PK, name), pk: b.hash(l.PK), sum: sumOf(sum)})
	}
	return all
}

// keep keeps those of the leaf at index, instead of older ones of the same items.
func (b *bound) keep(index int64, all []commitment) {
	for _, c := range all {
		c.leaf = index
		b.by[c.item] = c
	}
}

// items holds every item against the newest leaf that was written with it.
func (v *verifier) items(ctx context.Context) error {
	erased := map[uint64]bool{}
	err := each(ctx, v.dir, itemsFile, func(i itemLine) error {
		c, ok := v.bound.by[v.bound.hash(i.PK, i.SK)]
		if !ok {
			v.Unbound++
			return nil
		}
		c.met = true
		v.bound.by[c.item] = c
		switch {
		case i.Erased:
			erased[c.pk] = true
		case i.Later:
		case sumOf(i.Sum) != c.sum:
			v.add(Finding{State, c.leaf, i.PK + " " + i.SK, "the item in the table is not the one that was written with this leaf, and no leaf tells of a change"})
		default:
			v.Items++
		}
		return nil
	})
	var gone []int64
	for _, c := range v.bound.by {
		if !c.met && !erased[c.pk] {
			gone = append(gone, c.leaf)
		}
	}
	slices.Sort(gone)
	for _, leaf := range gone {
		v.add(Finding{Extra, leaf, "", "what was written with it is not there any more"})
	}
	return err
}
