package policy

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/money"
)

// The region files, read and judged when the program is built (make rules), so
// that no start reads YAML and each reads the figures only of the region asked
// about. A test proves that they say what the files in data/ say.
//
//go:embed shipped
var shippedFiles embed.FS

// Shipped is the book of the files that this system comes with.
func Shipped() (*Book, error) { return shipped() }

var shipped = sync.OnceValues(func() (*Book, error) {
	files, err := fs.Sub(shippedFiles, "shipped")
	if err != nil {
		return nil, err
	}
	return Unpack(files, division.Shipped())
})

const index = "index.json"

// packed is a file of figures. Its name is its fingerprint.
type packed struct {
	Figures   figures          `json:"figures"`
	Standards []packedStandard `json:"standards"`
	Notes     []FigureNote     `json:"notes"`
}

type packedStandard struct {
	Fen  money.Fen `json:"fen"`
	From civil.Day `json:"from"`
	To   civil.Day `json:"to"`
}

// Pack is b as files, by name: an index, and the figures of each.
func (b *Book) Pack() (map[string][]byte, error) {
	files := map[string][]byte{}
	var heads []head
	for _, r := range b.byFingerprint {
		heads = append(heads, r.head)
		all, err := r.read()
		if err != nil {
			return nil, err
		}
		p := packed{Figures: all.figures, Notes: all.notes}
		for _, s := range all.standards {
			p.Standards = append(p.Standards, packedStandard{s.fen, s.from, s.to})
		}
		raw, err := json.MarshalIndent(p, "", "\t")
		if err != nil {
			return nil, fmt.Errorf("policy: pack: %w", err)
		}
		files[r.head.Fingerprint+".json"] = append(raw, '\n')
	}
	slices.SortFunc(heads, func(a, b head) int {
		if n := strings.Compare(string(a.Region), string(b.Region)); n != 0 {
			return n
		}
		if n := a.First.Compare(b.First); n != 0 {
			return n
		}
		return a.Revision - b.Revision
	})
	raw, err := json.MarshalIndent(heads, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("policy: pack: %w", err)
	}
	files[index] = append(raw, '\n')
	return files, nil
}

// Unpack is the book that was packed into files. It reads the index; figures
// are read when they are first asked for, and rules whose figures cannot be read
// are then an error of whoever asked.
func Unpack(files fs.FS, tree *division.Tree) (*Book, error) {
	raw, err := fs.ReadFile(files, index)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	var heads []head
	if err := json.Unmarshal(raw, &heads); err != nil {
		return nil, fmt.Errorf("policy: index: %w", err)
	}
	if len(heads) == 0 {
		return nil, errors.New("policy: the index names no rules")
	}
	b := &Book{tree: tree, regions: map[civil.DivisionCode][]*Rules{}, byFingerprint: map[string]*Rules{}}
	for _, h := range heads {
		name := h.Fingerprint + ".json"
		r := &Rules{head: h, read: sync.OnceValues(func() (content, error) { return unpack(files, name) })}
		b.byFingerprint[h.Fingerprint] = r
		if !h.Replaced {
			b.regions[h.Region] = append(b.regions[h.Region], r)
		}
	}
	return b, nil
}

// unpack reads one file of figures.
func unpack(files fs.FS, name string) (content, error) {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return content{}, fmt.Errorf("policy: %w", err)
	}
	var p packed
	if err := json.Unmarshal(raw, &p); err != nil {
		return content{}, fmt.Errorf("policy: %s: %w", name, err)
	}
	all := content{figures: p.Figures, notes: p.Notes}
	for _, s := range p.Standards {
		all.standards = append(all.standards, standard{s.Fen, s.From, s.To})
	}
	return all, nil
}
