package civil

import (
	"regexp"
	"strings"

	"github.com/doudi-aid/doudi/shared/redact"
)

// PaperKind is a kind of identity paper.
type PaperKind string

// The kinds of paper. NoPaper is a person who has none, or none at hand: such a
// person may apply all the same, and a person at the counter establishes who it
// is.
const (
	IDCard           PaperKind = "id_card"
	HongKongMacao    PaperKind = "hk_macao_permit"
	TaiwanPermit     PaperKind = "taiwan_permit"
	ForeignResidence PaperKind = "foreign_residence"
	Passport         PaperKind = "passport"
	NoPaper          PaperKind = "none"
)

// paperForms are the kinds in the order they are offered. The forms of papers
// other than the identity card are wide on purpose: they differ by year of
// issue, and a wrong one is found by a person, not by a pattern.
var paperForms = []struct {
	kind PaperKind
	name string
	form *regexp.Regexp // nil: judged elsewhere
}{
	{IDCard, "居民身份证", nil},
	{HongKongMacao, "港澳居民来往内地通行证", regexp.MustCompile(`^[HM]\d{8}(\d{2})?$`)},
	{TaiwanPermit, "台湾居民来往大陆通行证", regexp.MustCompile(`^\d{8}$|^\d{10}[A-Z]?$`)},
	{ForeignResidence, "外国人永久居留身份证", regexp.MustCompile(`^9\d{16}[0-9X]$|^[A-Z]{3}\d{12}$`)},
	{Passport, "护照", regexp.MustCompile(`^[A-Z0-9]{5,17}$`)},
	{NoPaper, "无证件", regexp.MustCompile(`^$`)},
}

// PaperKinds lists every kind.
func PaperKinds() []PaperKind {
	var kinds []PaperKind
	for _, f := range paperForms {
		kinds = append(kinds, f.kind)
	}
	return kinds
}

// Chinese is the name of the kind, or "" for one that is not known.
func (k PaperKind) Chinese() string {
	for _, f := range paperForms {
		if f.kind == k {
			return f.name
		}
	}
	return ""
}

// Paper is an identity paper: its kind and its number, which prints as
// "[redacted]". The zero value is no answer, which differs from NoPaper.
type Paper struct {
	kind PaperKind
	hidden
}

// ParsePaper reads the number of a paper of that kind as of today.
func ParsePaper(kind PaperKind, s string, today Day) (Paper, error) {
	if kind == IDCard {
		n, err := ParseIDNumber(s, today)
		return Paper{IDCard, n.hidden}.or(err)
	}
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	for _, f := range paperForms {
		if f.kind != kind {
			continue
		}
		switch {
		case fullWidth(s):
			return Paper{}, errFullWidth
		case s == "" && kind != NoPaper:
			return Paper{}, required("证件号码")
		case !f.form.MatchString(s) && kind == NoPaper:
			return Paper{}, Problem{"paper_number", "选择“无证件”时不要填写证件号码。"}
		case !f.form.MatchString(s):
			return Paper{}, Problem{"paper_number", "号码与" + f.name + "的样式不符，请对照证件核对。"}
		}
		return Paper{kind, redact.New(s)}, nil
	}
	return Paper{}, Problem{"paper_kind", "请选择证件种类。"}
}

func (p Paper) or(err error) (Paper, error) {
	if err != nil {
		return Paper{}, err
	}
	return p, nil
}

// StoredPaper takes back a paper that was parsed before it was stored.
func StoredPaper(kind PaperKind, s string) Paper { return Paper{kind, redact.New(s)} }

// Kind is the kind of paper.
func (p Paper) Kind() PaperKind { return p.kind }

// IDNumber is the identity number, when that is what the paper is.
func (p Paper) IDNumber() (IDNumber, bool) {
	return IDNumber{p.hidden}, p.kind == IDCard
}

// Masked shows the ends of the number.
func (p Paper) Masked() string {
	if n, ok := p.IDNumber(); ok {
		return n.Masked()
	}
	s := p.Reveal()
	if len(s) < 5 {
		return strings.Repeat("*", len(s))
	}
	return s[:1] + strings.Repeat("*", len(s)-3) + s[len(s)-2:]
}
