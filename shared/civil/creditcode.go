package civil

import "strings"

// CreditCode is the unified social credit code of an organisation after
// GB 32100: 18 characters. It is public and not about a person.
type CreditCode string

// creditSet is the alphabet of GB 32100: no I, O, S, V, Z.
const creditSet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// ParseCreditCode reads a code and judges its check character.
func ParseCreditCode(s string) (CreditCode, error) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	switch {
	case s == "":
		return "", required("统一社会信用代码")
	case fullWidth(s):
		return "", errFullWidth
	case len(s) != 18:
		return "", Problem{"credit_length", "统一社会信用代码应为18位。"}
	case strings.Trim(s, creditSet) != "" || !digits(s[2:8]):
		return "", Problem{"credit_characters", "统一社会信用代码中有不允许的字符。"}
	}
	sum, weight := 0, 1
	for i := range 17 {
		sum += strings.IndexByte(creditSet, s[i]) * weight
		weight = weight * 3 % 31
	}
	if creditSet[(31-sum%31)%31] != s[17] {
		return "", Problem{"credit_check", "统一社会信用代码与校验位不符，请核对。"}
	}
	return CreditCode(s), nil
}
