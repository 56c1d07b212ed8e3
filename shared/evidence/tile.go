package evidence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// The tree is published as tiles of 256 hashes, and the leaves as bundles of 256
// (C2SP tlog-tiles). A full tile never changes; a partial one has its width in
// its name, so that it does not either.
const tileHeight = 8

// TilePath is the name of a tile: "tile/0/x001/234.p/5". level is -1 for a bundle
// of leaves, "tile/entries/…".
func TilePath(level int, index uint64, width int) string {
	kind := "entries"
	if level >= 0 {
		kind = strconv.Itoa(level)
	}
	n := fmt.Sprintf("%03d", index%1000)
	for index >= 1000 {
		index /= 1000
		n = fmt.Sprintf("x%03d/%s", index%1000, n)
	}
	if width < Block {
		n += ".p/" + strconv.Itoa(width)
	}
	return "tile/" + kind + "/" + n
}

// Bundle packs leaves as one object: each is preceded by its length in two bytes.
func Bundle(leaves [][]byte) []byte {
	var out []byte
	for _, leaf := range leaves {
		out = binary.BigEndian.AppendUint16(out, uint16(len(leaf))) // at most MaxLeaf
		out = append(out, leaf...)
	}
	return out
}

// Unbundle reads a Bundle.
func Unbundle(raw []byte) ([][]byte, error) {
	var all [][]byte
	for len(raw) > 0 {
		if len(raw) < 2 || len(raw) < 2+int(binary.BigEndian.Uint16(raw)) {
			return nil, errors.New("evidence: a bundle of leaves breaks off")
		}
		n := 2 + int(binary.BigEndian.Uint16(raw))
		all, raw = append(all, raw[2:n]), raw[n:]
	}
	return all, nil
}

// Blobs keep what is published. Put of what is there already is no error: a name
// has one content for ever, but that of Latest.
type Blobs interface {
	Put(ctx context.Context, name string, content []byte) error
	// Get is ErrNoBlob when there is none.
	Get(ctx context.Context, name string) ([]byte, error)
}

// ErrNoBlob: nothing of that name is published.
var ErrNoBlob = errors.New("evidence: nothing of that name")

// Latest is the name of the newest checkpoint.
const Latest = "checkpoint"

// hashesOf splits a tile into its hashes.
func hashesOf(tile []byte) ([]tlog.Hash, error) {
	if len(tile)%tlog.HashSize != 0 || len(tile) > Block*tlog.HashSize {
		return nil, fmt.Errorf("evidence: a tile of %d bytes", len(tile))
	}
	all := make([]tlog.Hash, len(tile)/tlog.HashSize)
	for i := range all {
		all[i] = tlog.Hash(tile[i*tlog.HashSize:])
	}
	return all, nil
}

// rootOfTile is the hash that a full tile is at the level above.
func rootOfTile(hashes []tlog.Hash) tlog.Hash {
	for len(hashes) > 1 {
		up := make([]tlog.Hash, len(hashes)/2)
		for i := range up {
			up[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
		hashes = up
	}
	return hashes[0]
}

// Hashes reads the hashes of a tree of size leaves from its tiles.
// tlog's proofs are made with it. fetch gets a tile by its name.
func Hashes(size uint64, root tlog.Hash, fetch func(name string) ([]byte, error)) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: root}, tiles{fetch})
}

// tiles is a tlog.TileReader over our names.
type tiles struct {
	fetch func(name string) ([]byte, error)
}

func (t tiles) Height() int                     { return tileHeight }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(of []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(of))
	for i, tile := range of {
		raw, err := t.fetch(TilePath(tile.L, uint64(tile.N), tile.W))
		if err != nil {
			return nil, fmt.Errorf("tile %s: %w", TilePath(tile.L, uint64(tile.N), tile.W), err)
		}
		if len(raw) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %s has %d bytes", TilePath(tile.L, uint64(tile.N), tile.W), len(raw))
		}
		all[i] = raw
	}
	return all, nil
}
