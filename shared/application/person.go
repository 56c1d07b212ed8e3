package application

import (
	"github.com/doudi-aid/doudi/shared/civil"
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
