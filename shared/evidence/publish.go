package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/table"
)

// Publisher signs what the log is and puts it where others read it. What it has
// published stands in two items beside the log:
//
//	LOG / PUBLISHED   the newest checkpoint, and the right edge of its tree
//	LOG / WITNESSED   the newest checkpoint that a witness cosigned
//
// Tiles are made from leaves alone, so whoever makes them makes the same ones.
type Publisher struct {
	Log       *Log
	Blobs     Blobs
	Signer    note.Signer
	Verifier  note.Verifier   // of Signer
	Witnesses []note.Verifier // whose cosignatures are taken
}

var (
	publishedKey = table.Key{PK: Partition, SK: "PUBLISHED"}
	witnessedKey = table.Key{PK: Partition, SK: "WITNESSED"}
)

// Published is what was published last.
type Published struct {
	Edge
	Note string    `json:"note"`
	At   time.Time `json:"at"` // when
}

func (p *Publisher) read(ctx context.Context, key table.Key) (Published, int64, error) {
	var out Published
	item, ok, err := p.Log.table.Get(ctx, key)
	if err != nil || !ok {
		return out, 0, err
	}
	if err := json.Unmarshal(item.Body, &out); err != nil {
		return out, 0, ErrDamaged.Because(fmt.Errorf("%s: %w", key.SK, err))
	}
	return out, item.Version, nil
}

// Published is the newest checkpoint, with the cosignatures it has by now; the
// zero value when nothing was published.
func (p *Publisher) Published(ctx context.Context) (Published, error) {
	out, _, err := p.read(ctx, publishedKey)
	return out, err
}

// Witnessed is the newest checkpoint that a witness cosigned; the zero value when
// none was.
func (p *Publisher) Witnessed(ctx context.Context) (Published, error) {
	out, _, err := p.read(ctx, witnessedKey)
	return out, err
}

// Publish brings what is published to where the log is: tiles first, then the
// checkpoint that speaks of them. It may die anywhere and run again, also twice at
// once (K25). ErrDamaged when the leaves are not those that the head was made of:
// then nothing is signed, and nothing will be until a person has looked.
func (p *Publisher) Publish(ctx context.Context) (Published, error) {
	for range tries {
		out, twin, err := p.publish(ctx)
		if !twin {
			return out, err
		}
	}
	return Published{}, ErrContended
}

// publish is one try; twin says that another publisher was quicker, which may not
// have come as far.
func (p *Publisher) publish(ctx context.Context) (out Published, twin bool, err error) {
	done, version, err := p.read(ctx, publishedKey)
	if err != nil {
		return done, false, err
	}
	head, err := p.Log.Head(ctx)
	if err != nil {
		return done, false, err
	}
	if version > 0 && head.Edge.Size == done.Edge.Size {
		return done, false, p.newest(ctx, done)
	}
	if head.Edge.Size < done.Edge.Size {
		return done, false, ErrDamaged.Because(fmt.Errorf("%d leaves were published and there are %d", done.Edge.Size, head.Edge.Size))
	}
	edge, err := p.tiles(ctx, done.Edge, head.Edge.Size)
	if err != nil {
		return done, false, err
	}
	root := edge.Root()
	if root != head.Root() {
		return done, false, ErrDamaged.Because(fmt.Errorf("the leaves up to %d are not those that were sequenced", head.Edge.Size))
	}
	signed, err := note.Sign(&note.Note{Text: Checkpoint{p.Signer.Name(), head.Edge.Size, root}.Text()}, p.Signer)
	if err != nil {
		return done, false, fmt.Errorf("evidence: sign: %w", err)
	}
	next := Published{edge, string(signed), p.Log.now()}
	item := table.Item{Key: publishedKey, Version: version + 1, Body: plain(next)}
	err = p.Log.table.Transact(ctx, table.Step(item))
	if _, twin := table.FailedOn(err, publishedKey); twin || err != nil {
		return done, twin, err
	}
	// If we die here the next look for something to publish does it.
	return next, false, p.Blobs.Put(ctx, Latest, signed)
}

// newest sees to it that the checkpoint that is read as the newest is that of done:
// whoever published it may have died before, and when nothing happens nobody else
// comes by. One that is ahead is a twin's.
func (p *Publisher) newest(ctx context.Context, done Published) error {
	raw, err := p.Blobs.Get(ctx, Latest)
	if err != nil && !errors.Is(err, ErrNoBlob) {
		return err
	}
	if c, err := ParseCheckpoint(textOf(string(raw))); err == nil && c.Size >= done.Edge.Size {
		return nil
	}
	return p.Blobs.Put(ctx, Latest, []byte(done.Note))
}

// tiles writes every tile and bundle that the leaves from edge to size complete or
// begin, and returns the right edge at size.
func (p *Publisher) tiles(ctx context.Context, edge Edge, size uint64) (Edge, error) {
	edge.Hashes = append([]tlog.Hash(nil), edge.Hashes...)
	for at := edge.Size / Block * Block; at < size; at += Block {
		kept, err := p.Log.entries(ctx, at, Block)
		if err != nil {
			return edge, err
		}
		kept = kept[:min(uint64(len(kept)), size-at)]
		leaves, row := make([][]byte, len(kept)), make([]byte, 0, len(kept)*tlog.HashSize)
		for i, s := range kept {
			leaves[i] = s.leaf
			h := tlog.RecordHash(s.leaf)
			row = append(row, h[:]...)
			if s.index >= edge.Size {
				edge.Add(h)
			}
		}
		if err := p.Blobs.Put(ctx, TilePath(-1, at/Block, len(leaves)), Bundle(leaves)); err != nil {
			return edge, err
		}
		if err := p.Blobs.Put(ctx, TilePath(0, at/Block, len(leaves)), row); err != nil {
			return edge, err
		}
		if len(leaves) == Block {
			if err := p.above(ctx, 0, at/Block, row); err != nil {
				return edge, err
			}
		}
	}
	return edge, nil
}

// above writes the tile over a full tile, and those above that. What stands to the
// left of it was written when its last tile was.
func (p *Publisher) above(ctx context.Context, level int, index uint64, full []byte) error {
	hashes, err := hashesOf(full)
	if err != nil {
		return err
	}
	width := int(index%Block) + 1
	var row []byte
	if width > 1 {
		row, err = p.Blobs.Get(ctx, TilePath(level+1, index/Block, width-1))
		if errors.Is(err, ErrNoBlob) {
			row, err = p.again(ctx, level+1, index/Block, width-1)
		}
		if err != nil {
			return err
		}
	}
	root := rootOfTile(hashes)
	row = append(bytes.Clone(row), root[:]...)
	if err := p.Blobs.Put(ctx, TilePath(level+1, index/Block, width), row); err != nil {
		return err
	}
	if width == Block {
		return p.above(ctx, level+1, index/Block, row)
	}
	return nil
}

// again makes a tile from the leaves alone, when what was published is lost.
func (p *Publisher) again(ctx context.Context, level int, index uint64, width int) ([]byte, error) {
	var row []byte
	if level == 0 {
		kept, err := p.Log.entries(ctx, index*Block, width)
		for _, s := range kept {
			h := tlog.RecordHash(s.leaf)
			row = append(row, h[:]...)
		}
		return row, err
	}
	for i := range uint64(width) {
		below, err := p.again(ctx, level-1, index*Block+i, Block)
		if err != nil {
			return nil, err
		}
		hashes, err := hashesOf(below)
		if err != nil || len(hashes) != Block {
			return nil, ErrDamaged.Because(fmt.Errorf("tile %s: %w", TilePath(level-1, index*Block+i, Block), err))
		}
		root := rootOfTile(hashes)
		row = append(row, root[:]...)
	}
	return row, nil
}

// Cosign takes a checkpoint that a witness cosigned: ours by its signature, and
// signed by at least one pinned witness. The newest published one carries the
// cosignature from then on when it is the same; the newest cosigned one is kept.
func (p *Publisher) Cosign(ctx context.Context, raw []byte) (Signed, error) {
	s, err := OpenCheckpoint(raw, p.Verifier, p.Witnesses...)
	if err != nil {
		return s, ErrCosignature.Because(err)
	}
	if len(s.Witnesses) == 0 {
		return s, ErrCosignature.Because(errors.New("no witness that is pinned here signed it"))
	}
	head, err := p.Log.Head(ctx)
	if err != nil {
		return s, err
	}
	if s.Size > head.Edge.Size {
		return s, ErrCosignature.Because(fmt.Errorf("it has %d leaves and the log %d", s.Size, head.Edge.Size))
	}
	for _, key := range []table.Key{witnessedKey, publishedKey} {
		if err := p.sign(ctx, key, s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// sign adds s's cosignatures to the item at key, when that is of the same
// checkpoint, or puts s there when it is older and may be.
func (p *Publisher) sign(ctx context.Context, key table.Key, s Signed) error {
	for range tries {
		old, version, err := p.read(ctx, key)
		if err != nil {
			return err
		}
		next := old
		before, _ := ParseCheckpoint(textOf(old.Note))
		switch {
		case version > 0 && before == s.Checkpoint:
			next.Note = string(addSignatures([]byte(old.Note), s.Note))
			if next.Note == old.Note {
				return nil
			}
		case key == publishedKey, version > 0 && before.Size >= s.Size:
			return nil
		default:
			next = Published{Edge{Size: s.Size}, string(s.Note), p.Log.now()}
		}
		item := table.Item{Key: key, Version: version + 1, Body: plain(next)}
		err = p.Log.table.Transact(ctx, table.Step(item))
		if _, moved := table.FailedOn(err, key); !moved {
			return err
		}
	}
	return ErrContended
}

// textOf is the text of a note, before its signatures.
func textOf(signed string) string {
	text, _, _ := bytes.Cut([]byte(signed), []byte("\n\n"))
	return string(text) + "\n"
}

// Unwitnessed is how long something has been published that no witness cosigned:
// since the newest cosignature, or since the log began; 0 when all is.
func (p *Publisher) Unwitnessed(ctx context.Context) (time.Duration, error) {
	published, err := p.Published(ctx)
	if err != nil || published.Edge.Size == 0 {
		return 0, err
	}
	witnessed, err := p.Witnessed(ctx)
	if err != nil || witnessed.Edge.Size >= published.Edge.Size {
		return 0, err
	}
	since := witnessed.At
	if since.IsZero() {
		first, err := p.Log.entries(ctx, 0, 1)
		if err != nil || len(first) == 0 {
			return 0, err
		}
		leaf, err := ParseLeaf(first[0].leaf)
		if err != nil {
			return 0, ErrDamaged.Because(err)
		}
		since = leaf.Logged
	}
	return max(0, p.Log.now().Sub(since)), nil
}
