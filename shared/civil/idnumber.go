package civil

import (
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/redact"
)

// IDNumber is a citizen's identity number after GB 11643: 18 characters, upper
// case X, check digit right, birth date real. It prints as "[redacted]" and
// compares with ==.
type IDNumber struct{ hidden }

// idWeights are the weights of GB 11643 for the first 17 digits.
var idWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// idCheck is the check character for first, which is 17 digits.
func idCheck(first string) byte {
	sum := 0
	for i, w := range idWeights {
		sum += int(first[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}

// ParseIDNumber reads an identity number of 18 characters as of today. Spaces
// are dropped and x becomes X. The first six digits are not judged: codes are
// retired and people keep their number (see PrefixKnown).
func ParseIDNumber(s string, today Day) (IDNumber, error) {
	s, err := idText(s)
	if err != nil {
		return IDNumber{}, err
	}
	switch {
	case len(s) == 15 && digits(s):
		return IDNumber{}, Problem{"id_old", "这是15位的旧号码，请填写身份证上的18位号码。"}
	case len(s) != 18:
		return IDNumber{}, Problem{"id_length", "身份证号码应为18位，请核对是否少填或多填。"}
	case !digits(s[:17]) || s[17] != 'X' && !digits(s[17:]):
		return IDNumber{}, Problem{"id_characters", "身份证号码前17位应为数字，最后一位为数字或X。"}
	}
	if err := idBirth(s[6:14], today); err != nil {
		return IDNumber{}, err
	}
	if idCheck(s[:17]) != s[17] {
		return IDNumber{}, Problem{"id_check", "身份证号码与校验位不符，请对照证件逐位核对。"}
	}
	return IDNumber{redact.New(s)}, nil
}

// From15 turns a number of the first generation, which has 15 digits, into the
// 18 characters that replaced it. Such numbers were given out for births from
// 1900 to 1999 only; the sequences 996 to 999 were kept for people born before
// 1900 and are refused, because their century cannot be told.
func From15(s string, today Day) (IDNumber, error) {
	s, err := idText(s)
	if err != nil {
		return IDNumber{}, err
	}
	if len(s) != 15 || !digits(s) {
		return IDNumber{}, Problem{"id_length", "旧身份证号码应为15位数字。"}
	}
	if s[12:] >= "996" {
		return IDNumber{}, Problem{"id_century", "这个旧号码无法判断出生年份，请填写18位号码。"}
	}
	long := s[:6] + "19" + s[6:]
	if err := idBirth(long[6:14], today); err != nil {
		return IDNumber{}, err
	}
	return IDNumber{redact.New(long + string(idCheck(long)))}, nil
}

// StoredIDNumber takes back a number that was parsed before it was stored. It
// judges nothing, because the past must always load.
func StoredIDNumber(s string) IDNumber { return IDNumber{redact.New(s)} }

func idText(s string) (string, error) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	if s == "" {
		return "", required("身份证号码")
	}
	if fullWidth(s) {
		return "", errFullWidth
	}
	return s, nil
}

// idBirth judges the eight digits of the birth date.
func idBirth(s string, today Day) error {
	birth := Date(number(s[:4]), time.Month(number(s[4:6])), number(s[6:]))
	if birth.IsZero() || birth.Year() < 1900 {
		return Problem{"id_birth", "身份证号码中的出生日期不存在，请核对第7至14位。"}
	}
	if birth.After(today) {
		return Problem{"id_future", "身份证号码中的出生日期晚于今天，请核对第7至14位。"}
	}
	return nil
}

// part is s[from:to] of the number, or "" when there is no number.
func (n IDNumber) part(from, to int) string {
	if s := n.Reveal(); len(s) == 18 {
		return s[from:to]
	}
	return ""
}

// Birth is the day of birth.
func (n IDNumber) Birth() Day {
	s := n.part(6, 14)
	if s == "" {
		return Day{}
	}
	return Date(number(s[:4]), time.Month(number(s[4:6])), number(s[6:]))
}

// Female reports whether the sequence number is even. It is for forms that must
// state it; no rule and no score may read it.
func (n IDNumber) Female() bool {
	s := n.part(16, 17)
	return s != "" && number(s)%2 == 0
}

// Under reports whether the person has not reached age on that day. A year of
// age begins on the birthday.
func (n IDNumber) Under(age int, on Day) bool {
	return !n.Empty() && on.Before(n.Birth().AddYears(age))
}

// Prefix is the first 6 digits: where the number was first given out, which is
// neither where the person lives nor where they are registered today.
func (n IDNumber) Prefix() string { return n.part(0, 6) }

// PrefixKnown reports whether the first two digits are of a province, of the
// residence permits for Hong Kong, Macao and Taiwan, or of the permanent
// residence card for foreigners (9). It is a hint to look again, never a
// reason to refuse.
func (n IDNumber) PrefixKnown() bool {
	const known = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"
	p := n.part(0, 2)
	return p != "" && (p[0] == '9' || strings.Contains(known, p))
}

// Masked shows the first four and the last three characters.
func (n IDNumber) Masked() string {
	if n.Empty() {
		return ""
	}
	return n.part(0, 4) + strings.Repeat("*", 11) + n.part(15, 18)
}
