package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// short is the beginning of a hash: enough to tell a million things apart.
type short [16]byte

func shorten(parts ...string) short {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(append([]byte(p), 0)) // a hash never fails
	}
	return short(h.Sum(nil))
}

// bound are the newest commitments that leaves hold to items, by partition and name.
type bound map[short]commitment

type commitment struct {
	sum  short // its beginning; a commitment that cannot be read is none of any item
	leaf int64 // that holds it
	met  bool  // the item is in the export
	pk   short // its partition
}

// sumOf is the beginning of a commitment as leaves write it.
func sumOf(text string) short {
	var raw [sha256.Size]byte
	if n, err := base64.RawURLEncoding.Decode(raw[:], []byte(text[:min(len(text), 43)])); err != nil || n != len(raw) {
		return short{}
	}
	return short(raw[:16])
}

func (b bound) leaf(index int64, l evidence.Leaf) {
	for name, sum := range l.Made() {
		b[shorten(l.PK, name)] = commitment{sum: sumOf(sum), leaf: index, pk: shorten(l.PK)}
	}
}

// items holds every item against the newest leaf that was written with it.
func (v *verifier) items() error {
	erased := map[short]bool{}
	err := each(v.dir, itemsFile, func(i itemLine) error {
		key := shorten(i.PK, i.SK)
		c, ok := v.bound[key]
		if !ok {
			v.Unbound++
			return nil
		}
		c.met = true
		v.bound[key] = c
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
	for _, c := range v.bound {
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
