package application

import (
	"errors"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
)

// PersonRef is the keyed reference of the person who holds paper. Somebody
// without a paper is known by fallback, which must be unique to them: the
// application's id and the role in it, for instance.
func PersonRef(blind *seal.Blind, paper civil.Paper, fallback string) string {
	return blind.Ref("person", personText(paper, fallback))
}

// PersonRefs is PersonRef under every live key, the current one first, for
// questions of uniqueness and kinship.
func PersonRefs(blind *seal.Blind, paper civil.Paper, fallback string) []string {
	return blind.Refs("person", personText(paper, fallback))
}

func personText(paper civil.Paper, fallback string) string {
	if paper.Kind() == "" || paper.Kind() == civil.NoPaper {
		return string(civil.NoPaper) + ":" + fallback
	}
	return string(paper.Kind()) + ":" + paper.Reveal()
}

// AccountRef is the keyed reference of a payee account.
func AccountRef(blind *seal.Blind, account civil.Account) string {
	return blind.Ref("account", account.Reveal())
}

// AccountRefs is AccountRef under every live key, the current one first.
func AccountRefs(blind *seal.Blind, account civil.Account) []string {
	return blind.Refs("account", account.Reveal())
}

// Counted is the references of those whose earlier awards count, one human being
// each, under every live key: the subject, and with byHousehold everybody who
// lives there.
func (p Particulars) Counted(blind *seal.Blind, id string, byHousehold bool) [][]string {
	roles := p.Verified()
	if !byHousehold {
		roles = roles[:1]
	}
	var all [][]string
	for _, role := range roles {
		who, _ := p.Person(role)
		all = append(all, PersonRefs(blind, who.Paper, id+"/"+role))
	}
	return all
}

// typed adds to f what a parser says about the value at pointer.
func typed(f *fault.Fields, pointer string, err error) {
	if wrong, ok := errors.AsType[civil.Problem](err); ok {
		f.Add(pointer, wrong.Code, wrong.Detail)
	}
}

// ReadPaper reads an identity paper as somebody typed it, and names in f what is
// wrong, at pointers below at.
func ReadPaper(f *fault.Fields, at, kind string, number redact.Text, today civil.Day) civil.Paper {
	p, err := civil.ParsePaper(civil.PaperKind(kind), number.Reveal(), today)
	if wrong, ok := errors.AsType[civil.Problem](err); ok && wrong.Code == "paper_kind" {
		typed(f, at+"/kind", err)
	} else {
		typed(f, at+"/number", err)
	}
	return p
}

// ReadPhone reads a telephone number; it may be empty, because many of the people
// who need help have none.
func ReadPhone(f *fault.Fields, at string, in redact.Text) civil.Phone {
	if in.Empty() {
		return civil.Phone{}
	}
	p, err := civil.ParsePhone(in.Reveal())
	typed(f, at, err)
	return p
}

// ReadPerson reads one person: the name, the paper and the telephone.
func ReadPerson(f *fault.Fields, at string, name redact.Text, kind string, number, phone redact.Text, today civil.Day) (p Person) {
	var err error
	p.Name, err = civil.ParseName(name.Reveal())
	typed(f, at+"/name", err)
	p.Paper = ReadPaper(f, at+"/paper", kind, number, today)
	p.Phone = ReadPhone(f, at+"/phone", phone)
	return p
}
