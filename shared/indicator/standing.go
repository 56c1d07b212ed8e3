package indicator

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// standing is what stands open in one list under one code since, or until, times
// of one month, to the minute. Split by month it is bounded: a month has 44 640
// minutes, and a minute needs at most a few bytes.
type standing struct {
	list, code string
	times      []many // by time, none twice, none with n = 0
}

// many is n things of one minute.
type many struct {
	at time.Time
	n  int64
}

// add changes how many stand at at by n; below zero is a defect of the rules.
func (s *standing) add(at time.Time, n int64) error {
	at = at.UTC().Truncate(time.Minute)
	i, found := slices.BinarySearchFunc(s.times, at, func(m many, t time.Time) int { return m.at.Compare(t) })
	if !found {
		s.times = slices.Insert(s.times, i, many{at: at})
	}
	s.times[i].n += n
	switch {
	case s.times[i].n < 0:
		return fmt.Errorf("indicator: list %s %s: closed more often than opened", s.list, s.code)
	case s.times[i].n == 0:
		s.times = slices.Delete(s.times, i, i+1)
	}
	return nil
}

// standingForm is a stored list: pairs of unsigned varints, the minutes since the
// pair before (the first since 1970) and how many stand there.
type standingForm struct {
	List string `json:"list"`
	Code string `json:"code,omitempty"`
	At   []byte `json:"at"`
}

func (s *standing) encode() ([]byte, error) {
	f := standingForm{List: s.list, Code: s.code, At: []byte{}}
	last := int64(0)
	for _, m := range s.times {
		minute := m.at.Unix() / 60
		f.At = binary.AppendUvarint(f.At, uint64(minute-last))
		f.At = binary.AppendUvarint(f.At, uint64(m.n))
		last = minute
	}
	return json.Marshal(f)
}

func decodeStanding(body []byte) (*standing, error) {
	var f standingForm
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("indicator: list: %w", err)
	}
	s := &standing{list: f.List, code: f.Code}
	minute := int64(0)
	for at := f.At; len(at) > 0; {
		step, size := binary.Uvarint(at)
		if size <= 0 {
			return nil, errCut
		}
		n, more := binary.Uvarint(at[size:])
		if more <= 0 {
			return nil, errCut
		}
		at = at[size+more:]
		minute += int64(step)
		s.times = append(s.times, many{time.Unix(minute*60, 0).UTC(), int64(n)})
	}
	return s, nil
}

var errCut = errors.New("indicator: list: cut short")
