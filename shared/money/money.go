// Package money holds amounts as whole fen (分, 1/100 yuan) with checked
// arithmetic. There is no float anywhere in it, and nothing outside it adds
// amounts with a bare +.
package money

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fen is an amount of money in fen. JSON carries it as an integer in fields
// named ..._fen. The zero value is no money.
type Fen int64

// ErrOverflow is returned when a sum or product does not fit.
var ErrOverflow = errors.New("money: amount overflows")

// Max is the largest amount this system accepts from anybody: one hundred
// million yuan. It is a ceiling in code that no figure can raise.
const Max Fen = 100_000_000_00

// Add is f + g.
func (f Fen) Add(g Fen) (Fen, error) {
	s := f + g
	if (s > f) != (g > 0) { // more than f exactly if something was added, or it went round
		return 0, ErrOverflow
	}
	return s, nil
}

// Sub is f − g.
func (f Fen) Sub(g Fen) (Fen, error) {
	if g == math.MinInt64 {
		return 0, ErrOverflow
	}
	return f.Add(-g)
}

// Times is f × n.
func (f Fen) Times(n int64) (Fen, error) {
	if f == 0 || n == 0 {
		return 0, nil
	}
	p := f * Fen(n)
	if p/Fen(n) != f || (n == -1 && f == math.MinInt64) { // -1 times the smallest is itself, and divides back
		return 0, ErrOverflow
	}
	return p, nil
}

// Sum adds all amounts.
func Sum(amounts ...Fen) (Fen, error) {
	var total Fen
	var err error
	for _, a := range amounts {
		if total, err = total.Add(a); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Payable reports whether f can be the amount of a payment: 0 < f ≤ Max.
func (f Fen) Payable() bool { return f > 0 && f <= Max }

// String is the amount in yuan with two decimals and grouping: "¥1,234.05".
func (f Fen) String() string {
	sign, digits := "", f.Yuan()
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	whole, cents, _ := strings.Cut(digits, ".")
	var b strings.Builder
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return sign + "¥" + b.String() + "." + cents
}

// Yuan is the amount in yuan with exactly two decimals and no grouping, as
// bank files write it: "1234.05".
func (f Fen) Yuan() string {
	sign := ""
	u := uint64(f)
	if f < 0 {
		sign, u = "-", uint64(-(f+1))+1
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// ParseYuan reads an amount as bank files write it: digits, optionally a point
// and one or two decimals; no sign, no grouping, no exponent.
func ParseYuan(s string) (Fen, error) {
	whole, cents, dot := strings.Cut(s, ".")
	if whole == "" || (dot && (cents == "" || len(cents) > 2)) || !digits(whole) || !digits(cents) {
		return 0, fmt.Errorf("money: not an amount in yuan")
	}
	w, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, ErrOverflow
	}
	c := int64(0)
	if dot {
		c, _ = strconv.ParseInt((cents + "0")[:2], 10, 64) // two digits cannot fail
	}
	f, err := Fen(w).Times(100)
	if err != nil {
		return 0, err
	}
	return f.Add(Fen(c))
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
