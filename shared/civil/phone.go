package civil

import (
	"regexp"
	"strings"

	"github.com/doudi-aid/doudi/shared/redact"
)

// Phone is a telephone number in China: a mobile number of 11 digits or a
// landline with its area code, digits only. It prints as "[redacted]". The zero
// value is no phone, which many elderly applicants have.
type Phone struct{ hidden }

var (
	mobileForm   = regexp.MustCompile(`^1[3-9]\d{9}$`)
	landlineForm = regexp.MustCompile(`^(010|02\d)\d{8}$|^0[3-9]\d{2}\d{7,8}$`)
	phoneNoise   = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "（", "", "）", "", "－", "")
)

// ParsePhone reads a number as people write it: spaces, hyphens, brackets and
// the country code +86 are dropped. Whether it may be empty is the caller's
// question.
func ParsePhone(s string) (Phone, error) {
	if fullWidth(s) {
		return Phone{}, errFullWidth
	}
	s = phoneNoise.Replace(strings.TrimSpace(s))
	if s == "" {
		return Phone{}, required("联系电话")
	}
	for _, prefix := range []string{"+86", "0086"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			s = rest
			if !strings.HasPrefix(s, "1") && !strings.HasPrefix(s, "0") {
				s = "0" + s // abroad the area code loses its zero
			}
		}
	}
	if !mobileForm.MatchString(s) && !landlineForm.MatchString(s) {
		return Phone{}, Problem{"phone_form", "请填写11位手机号码，或带区号的固定电话。"}
	}
	return Phone{redact.New(s)}, nil
}

// StoredPhone takes back a number that was parsed before it was stored.
func StoredPhone(s string) Phone { return Phone{redact.New(s)} }

// Mobile reports whether the number can receive short messages.
func (p Phone) Mobile() bool { return mobileForm.MatchString(p.Reveal()) }

// Masked shows the first three and the last four digits.
func (p Phone) Masked() string {
	s := p.Reveal()
	if len(s) < 8 {
		return strings.Repeat("*", len(s))
	}
	return s[:3] + strings.Repeat("*", len(s)-7) + s[len(s)-4:]
}
