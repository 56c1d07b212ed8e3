package evidence

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge is the right edge of a tree: the roots of the complete subtrees it is made
// of, the largest first. With it a tree grows and has a root, and no older leaf is
// read. A tree of n leaves has as many as n has bits set (RFC 6962, 2.1).
type Edge struct {
	Size   uint64      `json:"size"`
	Hashes []tlog.Hash `json:"hashes"`
}

// Add appends the hash of one leaf.
func (e *Edge) Add(h tlog.Hash) {
	for n := e.Size; n&1 == 1; n >>= 1 {
		last := len(e.Hashes) - 1
		h, e.Hashes = tlog.NodeHash(e.Hashes[last], h), e.Hashes[:last]
	}
	e.Hashes = append(e.Hashes, h)
	e.Size++
}

// Root is the hash of the whole tree.
func (e Edge) Root() tlog.Hash {
	if e.Size == 0 {
		h, _ := tlog.TreeHash(0, nil) // the hash of nothing; reads nothing
		return h
	}
	h := e.Hashes[len(e.Hashes)-1]
	for i := len(e.Hashes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.Hashes[i], h)
	}
	return h
}

// sound reports whether e has as many hashes as its size asks for.
func (e Edge) sound() bool { return len(e.Hashes) == bits.OnesCount64(e.Size) }
