package indicator

import (
	"encoding/json"
	"fmt"
)

// cell is what happened in one division, to one programme, on one day or in one
// month; or what one member of staff did there and then. It is bounded: names
// come from this package, codes from events are at most mostCodes, and a spread
// has at most some 1000 buckets.
type cell struct {
	Counts  map[string]int64
	Spreads map[string]*spread
}

// mostCodes bounds the counts of a cell; what comes after them is counted as other.
const mostCodes = 400

// other is the code of what is counted past mostCodes.
const other = "OTHER"

func newCell() *cell { return &cell{Counts: map[string]int64{}, Spreads: map[string]*spread{}} }

// cellForm is a stored cell. See spread.bytes for how sketches are written.
type cellForm struct {
	Counts  map[string]int64  `json:"counts,omitempty"`
	Spreads map[string][]byte `json:"spreads,omitempty"`
}

func (c *cell) encode() ([]byte, error) {
	f := cellForm{Counts: c.Counts, Spreads: make(map[string][]byte, len(c.Spreads))}
	for name, s := range c.Spreads {
		f.Spreads[name] = s.bytes()
	}
	return json.Marshal(f)
}

func decodeCell(body []byte) (*cell, error) {
	var f cellForm
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("indicator: cell: %w", err)
	}
	c := newCell()
	if f.Counts != nil {
		c.Counts = f.Counts
	}
	for name, raw := range f.Spreads {
		c.Spreads[name] = &spread{raw: raw}
	}
	return c, nil
}

func (c *cell) spread(name string) *spread {
	s, ok := c.Spreads[name]
	if !ok {
		s = &spread{}
		c.Spreads[name] = s
	}
	return s
}

// count adds n to prefix+code.
func (c *cell) count(prefix, code string, n int64) {
	name := prefix + code
	if _, known := c.Counts[name]; !known && code != "" && len(c.Counts) >= mostCodes {
		name = prefix + other
	}
	c.Counts[name] += n
}

// merge adds all of o.
func (c *cell) merge(o *cell) error {
	for name, n := range o.Counts {
		c.Counts[name] += n
	}
	for name, s := range o.Spreads {
		if err := c.spread(name).merge(s); err != nil {
			return err
		}
	}
	return nil
}
