package civil

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/doudi-aid/doudi/shared/redact"
)

// nameLimit is the longest name in characters; names on papers stay below it.
const nameLimit = 60

// Name is a person's name in one normal form: Unicode NFC, one kind of middle
// dot (U+00B7), single spaces. It prints as "[redacted]" and compares with ==;
// use Same to compare with what another office wrote.
type Name struct{ hidden }

// ParseName reads a Chinese or Latin name. Rare characters of every CJK
// extension are welcome. Digits, symbols, emoji, control and invisible
// characters are refused: names end up in bank files and spreadsheets, where a
// leading = + - @ is a formula and an invisible character a failed payment.
func ParseName(s string) (Name, error) {
	runes := []rune(norm.NFC.String(strings.Join(strings.Fields(s), " ")))
	if len(runes) == 0 {
		return Name{}, required("姓名")
	}
	if len(runes) > nameLimit {
		return Name{}, Problem{"name_length", "姓名太长，请与证件核对。"}
	}
	for i, r := range runes {
		runes[i] = nameRune(r)
	}
	for i, r := range runes {
		// A full stop between two Chinese characters is a middle dot that a
		// keyboard did not have.
		if r == '.' && i > 0 && i+1 < len(runes) && han(runes[i-1]) && han(runes[i+1]) {
			runes[i] = '·'
		}
	}
	for _, r := range runes {
		if p := nameProblem(r); p.Code != "" {
			return Name{}, p
		}
	}
	if first, last := runes[0], runes[len(runes)-1]; !unicode.IsLetter(first) && !han(first) || joins(last) && last != '.' {
		return Name{}, Problem{"name_edge", "姓名的开头和结尾应为文字，请去掉多余的符号。"}
	}
	return Name{redact.New(string(runes))}, nil
}

// StoredName takes back a name that was parsed before it was stored.
func StoredName(s string) Name { return Name{redact.New(s)} }

// nameRune is r in its normal form.
func nameRune(r rune) rune {
	switch r {
	case '·', '•', '‧', '・', '･', '∙', '⋅', '\u0387':
		return '·'
	case '．':
		return '.'
	case '’', '＇', '‘', 'ʼ':
		return '\''
	case '－', '‐', '‑':
		return '-'
	}
	if r >= 'Ａ' && r <= 'Ｚ' || r >= 'ａ' && r <= 'ｚ' {
		return r - 'Ａ' + 'A'
	}
	return r
}

// nameProblem says what is wrong with r in a name; its Code is "" for nothing.
func nameProblem(r rune) Problem {
	switch {
	case han(r), unicode.Is(unicode.Latin, r), joins(r):
		return Problem{}
	case unicode.IsDigit(r), unicode.IsNumber(r):
		return Problem{"name_digit", "姓名中不能有数字。"}
	case unicode.Is(unicode.Co, r):
		return Problem{"name_private", "姓名中有本机造字，请改用规范汉字，或请窗口工作人员代填。"}
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return Problem{"name_invisible", "姓名中有看不见的字符，请删除后重新输入。"}
	case unicode.IsLetter(r):
		return Problem{"name_script", "请按证件填写汉字或拉丁字母的姓名。"}
	}
	return Problem{"name_symbol", "姓名中不能有符号或表情。"}
}

// han reports whether r is a Chinese character. Planes 2 and 3 are set aside
// for them, so characters newer than this compiler's tables are known too.
func han(r rune) bool {
	return unicode.Is(unicode.Han, r) && unicode.IsLetter(r) || r == '〇' || r >= 0x20000 && r <= 0x3FFFD
}

// joins reports whether r may stand between the letters of a name.
func joins(r rune) bool { return strings.ContainsRune("· -'.", r) }

// Same reports whether two names are of one spelling when case, dots, spaces,
// hyphens and apostrophes are left aside, as banks and registers leave them.
func Same(a, b Name) bool {
	return !a.Empty() && plain(a) == plain(b)
}

func plain(n Name) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if joins(r) {
			return -1
		}
		return r
	}, n.Reveal()))
}

// Masked shows the first character, and the last of a Chinese name of three or
// more: 张*, 张*明. A Latin name shows its first letter only.
func (n Name) Masked() string {
	runes := []rune(n.Reveal())
	switch {
	case len(runes) == 0:
		return ""
	case !slices.ContainsFunc(runes, han):
		return string(runes[0]) + "***"
	case len(runes) == 1:
		return "*"
	case len(runes) == 2:
		return string(runes[0]) + "*"
	}
	return string(runes[0]) + strings.Repeat("*", len(runes)-2) + string(runes[len(runes)-1])
}
