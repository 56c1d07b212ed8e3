package civil

import "strings"

// DivisionCode is the 12-digit statistical code of an administrative division:
// 6 digits of GB/T 2260, 3 of the township, 3 of the village. The digits say at
// which level a division stands. They do not say what it belongs to: a code
// keeps its digits when a boundary moves, so membership is asked of
// division.Tree and never of a prefix.
type DivisionCode string

// Level is the level of a division.
type Level int

// The levels, from the widest.
const (
	NoLevel Level = iota
	ProvinceLevel
	CityLevel
	CountyLevel
	TownshipLevel
	VillageLevel
)

// ParseDivision reads a code of 12 digits, or of 6 or 9, which is filled up with
// zeros.
func ParseDivision(s string) (DivisionCode, error) {
	switch {
	case s == "":
		return "", required("所在地区")
	case fullWidth(s):
		return "", errFullWidth
	case !digits(s) || len(s) != 6 && len(s) != 9 && len(s) != 12:
		return "", Problem{"division_form", "地区代码应为6位、9位或12位数字，请从列表中选择。"}
	}
	c := DivisionCode(s + strings.Repeat("0", 12-len(s)))
	if c.Level() == NoLevel {
		return "", Problem{"division_form", "地区代码不正确，请从列表中选择。"}
	}
	return c, nil
}

// Level is the level that the digits stand for; NoLevel when they stand for
// none.
func (c DivisionCode) Level() Level {
	if len(c) != 12 || !digits(string(c)) {
		return NoLevel
	}
	parts := []struct {
		text  DivisionCode
		level Level
	}{{c[9:], VillageLevel}, {c[6:9], TownshipLevel}, {c[4:6], CountyLevel}, {c[2:4], CityLevel}, {c[:2], ProvinceLevel}}
	for _, p := range parts {
		if strings.Trim(string(p.text), "0") != "" {
			if c[:2] == "00" {
				return NoLevel
			}
			return p.level
		}
	}
	return NoLevel
}

// Province is the first 2 digits, as text only.
func (c DivisionCode) Province() string { return c.part(2) }

// City is the first 4 digits, as text only.
func (c DivisionCode) City() string { return c.part(4) }

// County is the first 6 digits, as text only.
func (c DivisionCode) County() string { return c.part(6) }

// Township is the first 9 digits, as text only.
func (c DivisionCode) Township() string { return c.part(9) }

func (c DivisionCode) part(n int) string {
	if len(c) < n {
		return ""
	}
	return string(c[:n])
}

// String is the 12 digits.
func (c DivisionCode) String() string { return string(c) }
