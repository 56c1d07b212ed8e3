package indicator

import (
	"encoding/binary"
	"errors"
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

// opened is s read from its bytes.
func (s *spread) opened() error {
	if s.read {
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
		s.list = append(s.list, bucket{at, int64(count)})
		raw = raw[n+m:]
	}
	s.read = true
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
	if err := errors.Join(s.opened(), o.opened()); err != nil {
		return err
	}
	all := make([]bucket, 0, len(s.list)+len(o.list))
	a, b := s.list, o.list
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].at < b[0].at:
			all, a = append(all, a[0]), a[1:]
		case a[0].at > b[0].at:
			all, b = append(all, b[0]), b[1:]
		default:
			all = append(all, bucket{a[0].at, a[0].n + b[0].n})
			a, b = a[1:], b[1:]
		}
	}
	s.raw, s.list = nil, append(append(all, a...), b...)
	return nil
}

// bytes is s encoded: for each bucket that holds something two unsigned varints,
// how many empty ones come before it and how many times are in it. The same
// contents are the same bytes.
func (s *spread) bytes() []byte {
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
