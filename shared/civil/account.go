package civil

import (
	"strings"

	"github.com/doudi-aid/doudi/shared/redact"
)

// Account is the number of a bank card or passbook, digits only. It prints as
// "[redacted]".
type Account struct{ hidden }

// ParseAccount reads an account number of 8 to 32 digits; spaces and hyphens
// are dropped. Cards have 16 to 19 digits and a Luhn check digit, but passbooks
// of rural banks have neither, so both are for LuhnOK to warn about and not for
// this to refuse.
func ParseAccount(s string) (Account, error) {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), ""), "-", "")
	switch {
	case s == "":
		return Account{}, required("银行账号")
	case fullWidth(s):
		return Account{}, errFullWidth
	case !digits(s):
		return Account{}, Problem{"account_characters", "银行账号只能有数字。"}
	case len(s) < 8 || len(s) > 32:
		return Account{}, Problem{"account_length", "银行账号应为8至32位数字，请对照银行卡或存折核对。"}
	case strings.Trim(s, s[:1]) == "":
		return Account{}, Problem{"account_blank", "银行账号不能是同一个数字的重复，请对照银行卡或存折核对。"}
	}
	return Account{redact.New(s)}, nil
}

// StoredAccount takes back a number that was parsed before it was stored.
func StoredAccount(s string) Account { return Account{redact.New(s)} }

// LuhnOK reports whether the number has the length of a card and passes the
// Luhn check. A number that does not is worth asking about once more; it may be
// a passbook.
func (a Account) LuhnOK() bool {
	s := a.Reveal()
	if len(s) < 16 || len(s) > 19 {
		return false
	}
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// Tail4 is the last four digits, which is all that notices and pages show.
func (a Account) Tail4() string {
	s := a.Reveal()
	if len(s) < 4 {
		return ""
	}
	return s[len(s)-4:]
}
