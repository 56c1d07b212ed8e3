package indicator

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Accuracy is the greatest relative error of a percentile: 1 %. (Two significant
// digits: buckets are at most 1/128 of their value wide.)
const Accuracy = 0.01

const (
	longest = 10 * 365 * 24 * time.Hour // the longest time that is told apart
	digits  = 2                         // significant
)

// spread is a distribution of times in whole seconds, as a sketch that can be
// merged without loss: its buckets are those of an HDR histogram, the same for
// all, each keeps a whole number, and merging adds them. So the merge of the
// districts' sketches is the city's, bit for bit, in any order. It keeps only the
// buckets that hold something.
type spread struct {
	raw  []byte // encoded; nil when it has moved on
	list []bucket
	read bool // list is what raw says
	// sums are the times in each bucket while spreads are merged into this one: a
	// report adds hundreds of them up, and only what they come to is put in a list.
	sums []int64
}

// bucket is how many times are in one bucket, by its place in the histogram.
type bucket struct {
	at int
	n  int64
}

// bounds are the last times, in seconds, of each bucket.
var bounds = sync.OnceValue(func() []int64 {
	h := hdrhistogram.New(1, int64(longest/time.Second), digits)
	_ = h.RecordValue(int64(longest / time.Second)) // within the range; it lists its buckets up to the last that holds something
	bars := h.Distribution()
	last := make([]int64, len(bars))
	for i, b := range bars {
		last[i] = b.To
	}
	return last
})

// each hands over what is in s, bucket by bucket.
func (s *spread) each(do func(bucket)) error {
	switch {
	case s.sums != nil:
		for at, n := range s.sums {
			if n != 0 {
				do(bucket{at, n})
			}
		}
		return nil
	case s.read:
		for _, b := range s.list {
			do(b)
		}
		return nil
	}
	at := -1
	for raw := s.raw; len(raw) > 0; {
		gap, n := binary.Uvarint(raw)
		count, m := binary.Uvarint(raw[max(n, 0):])
		if n <= 0 || m <= 0 || gap >= uint64(len(bounds())-at-1) {
			return errSketch
		}
		at += 1 + int(gap)
		do(bucket{at, int64(count)})
		raw = raw[n+m:]
	}
	return nil
}

// opened makes s's list, of its bytes or of what was merged into it.
func (s *spread) opened() error {
	if s.read {
		return nil
	}
	list := make([]bucket, 0, len(s.raw)/2) // a bucket is at least two bytes
	if err := s.each(func(b bucket) { list = append(list, b) }); err != nil {
		return err
	}
	s.list, s.sums, s.read = list, nil, true
	return nil
}

var errSketch = fmt.Errorf("indicator: sketch: %w", errCut)

// add puts one time in. A negative one, of two clocks that disagree, is 0.
func (s *spread) add(d time.Duration) error {
	if err := s.opened(); err != nil {
		return err
	}
	at, _ := slices.BinarySearch(bounds(), int64(min(max(d, 0), longest)/time.Second))
	s.raw = nil
	i, found := slices.BinarySearchFunc(s.list, at, func(b bucket, at int) int { return b.at - at })
	if !found {
		s.list = slices.Insert(s.list, i, bucket{at: at})
	}
	s.list[i].n++
	return nil
}

// merge puts all of o in.
func (s *spread) merge(o *spread) error {
	if s.sums == nil && !s.read && len(s.raw) == 0 && o.sums == nil && !o.read {
		s.raw = o.raw // nobody writes into bytes
		return nil
	}
	if s.sums == nil {
		sums := make([]int64, len(bounds()))
		if err := s.each(func(b bucket) { sums[b.at] += b.n }); err != nil {
			return err
		}
		*s = spread{sums: sums}
	}
	return o.each(func(b bucket) { s.sums[b.at] += b.n })
}

// bytes is s encoded: for each bucket that holds something two unsigned varints,
// how many empty ones come before it and how many times are in it. The same
// contents are the same bytes.
func (s *spread) bytes() []byte {
	if s.sums != nil {
		_ = s.opened() // sums are readable
	}
	if s.raw != nil || !s.read {
		return s.raw
	}
	s.raw = []byte{}
	last := -1
	for _, b := range s.list {
		s.raw = binary.AppendUvarint(binary.AppendUvarint(s.raw, uint64(b.at-last-1)), uint64(b.n))
		last = b.at
	}
	return s.raw
}

// total is how many times are in s.
func (s *spread) total() (sum int64) {
	if s == nil || s.opened() != nil {
		return 0
	}
	for _, b := range s.list {
		sum += b.n
	}
	return sum
}

// times are s's percentiles; nil when nothing was measured. Each is the last time
// of the bucket in which its rank lies, as an HDR histogram has it; a test holds
// the two to each other. Making a histogram for every figure of a long report
// would take most of the report's time.
func (s *spread) times() *Times {
	total := s.total()
	if total == 0 {
		return nil
	}
	at := func(percent int64) int64 {
		rank, sum := max((percent*total+50)/100, 1), int64(0)
		for _, b := range s.list {
			if sum += b.n; sum >= rank {
				return bounds()[b.at]
			}
		}
		return 0
	}
	return &Times{Count: total, P50: at(50), P90: at(90), P99: at(99)}
}

// steps are the cumulated shares at the upper end of each bucket that holds
// something, for drawing.
func (s *spread) steps() (list []Step) {
	total, sum := s.total(), int64(0)
	if total == 0 {
		return nil
	}
	for _, b := range s.list {
		sum += b.n
		list = append(list, Step{bounds()[b.at], float64(sum) / float64(total)})
	}
	return list
}

// Step is one point of a cumulated distribution: the share that took at most so long.
type Step struct {
	Seconds int64
	Share   float64
}
