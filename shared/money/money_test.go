package money

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestArithmeticAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 / 2})
		any64 := rapid.OneOf(rapid.Int64(), edge)
		a, b := any64.Draw(t, "a"), any64.Draw(t, "b")
		check := func(name string, got Fen, err error, want *big.Int) {
			if want.IsInt64() {
				if err != nil || int64(got) != want.Int64() {
					t.Fatalf("%s(%d,%d) = %d, %v; want %s", name, a, b, got, err, want)
				}
			} else if !errors.Is(err, ErrOverflow) {
				t.Fatalf("%s(%d,%d) = %d, %v; want overflow", name, a, b, got, err)
			}
		}
		x, y := big.NewInt(a), big.NewInt(b)
		got, err := Fen(a).Add(Fen(b))
		check("Add", got, err, new(big.Int).Add(x, y))
		got, err = Fen(a).Times(b)
		check("Times", got, err, new(big.Int).Mul(x, y))
		got, err = Fen(a).Sub(Fen(b))
		if b == math.MinInt64 {
			if !errors.Is(err, ErrOverflow) {
				t.Fatal("Sub of the smallest amount must be refused")
			}
			return
		}
		check("Sub", got, err, new(big.Int).Sub(x, y))
	})
}

func TestArithmeticAtTheEdges(t *testing.T) {
	t.Parallel()
	edges := []int64{0, 1, -1, 2, -2, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, math.MaxInt64 / 2, math.MinInt64 / 2}
	for _, a := range edges {
		for _, b := range edges {
			x, y := big.NewInt(a), big.NewInt(b)
			for name, c := range map[string]struct {
				do   func(Fen) (Fen, error)
				want *big.Int
			}{
				"plus":  {Fen(a).Add, new(big.Int).Add(x, y)},
				"times": {func(f Fen) (Fen, error) { return Fen(a).Times(int64(f)) }, new(big.Int).Mul(x, y)},
			} {
				got, err := c.do(Fen(b))
				if c.want.IsInt64() != (err == nil) || (err == nil && int64(got) != c.want.Int64()) {
					t.Errorf("%d %s %d = %d, %v; want %s", a, name, b, got, err, c.want)
				}
			}
		}
	}
}

func TestYuanRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Fen(rapid.Int64Range(0, math.MaxInt64).Draw(t, "fen"))
		got, err := ParseYuan(f.Yuan())
		if err != nil || got != f {
			t.Fatalf("ParseYuan(%q) = %d, %v; want %d", f.Yuan(), got, err, f)
		}
	})
}

func TestWords(t *testing.T) {
	for f, want := range map[Fen]string{0: "¥0.00", 5: "¥0.05", 123456: "¥1,234.56", 12345678: "¥123,456.78", -10000000: "-¥100,000.00", 100000000: "¥1,000,000.00", -150: "-¥1.50", math.MinInt64: "-¥92,233,720,368,547,758.08"} {
		if f.String() != want {
			t.Errorf("%d prints as %s, want %s", int64(f), f, want)
		}
	}
	for _, bad := range []string{"", ".", "1.", ".5", "-1", "+1", "1e2", "1.234", "1,000", " 1", "１", "92233720368547758.08", "99999999999999999999"} {
		if f, err := ParseYuan(bad); err == nil {
			t.Errorf("ParseYuan(%q) = %d", bad, f)
		}
	}
	if f, _ := ParseYuan("3.5"); f != 350 {
		t.Errorf("3.5 yuan = %d fen", f)
	}
}

func TestPayable(t *testing.T) {
	for f, want := range map[Fen]bool{0: false, -1: false, 1: true, Max: true, Max + 1: false} {
		if f.Payable() != want {
			t.Errorf("%d payable: %v", f, !want)
		}
	}
	if _, err := Sum(math.MaxInt64, 1); !errors.Is(err, ErrOverflow) {
		t.Error("Sum did not notice an overflow")
	}
	if s, err := Sum(1, 2, 3); s != 6 || err != nil {
		t.Errorf("Sum = %d, %v", s, err)
	}
}

// FuzzParseYuan: what is read is written as the same amount.
func FuzzParseYuan(f *testing.F) {
	for _, s := range []string{"0", "3000.00", "0.5", "1.005", "-1", "１", "92233720368547758.07", "92233720368547758.08", "1e3", "1,000", "", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fen, err := ParseYuan(s)
		if err != nil {
			return
		}
		again, err := ParseYuan(fen.Yuan())
		if fen < 0 || err != nil || again != fen {
			t.Errorf("%q is %d, and %q is %d: %v", s, fen, fen.Yuan(), again, err)
		}
	})
}
