package verification

import (
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
)

// Source is one register of the catalogue, as far as verification cares.
type Source struct {
	ID    string
	Basis string // legal basis
	// Causes are those of the cases it is asked about; none means all.
	Causes []string
	// Regions are six-digit codes of those that have switched it on; none means all.
	Regions []string
	// After is what must be known of a person before it is asked about them.
	After After
}

// After is what another register must have said of a person: one of Values for
// Fact. The zero value asks for nothing.
type After struct {
	Source string
	Fact   string
	Values []string
}

// asks reports whether s is asked about c at all: a register that has nothing to
// say about what happened is not opened (Law art. 70(6)), nor one that the region
// has not switched on.
func (c Case) asks(s Source) bool {
	if len(s.Regions) > 0 && !slices.ContainsFunc(s.Regions, c.within) {
		return false
	}
	return len(s.Causes) == 0 || len(c.Particulars.Expenses) > 0 || slices.Contains(s.Causes, string(c.Cause))
}

// within reports whether the emergency happened in region, a six-digit code.
func (c Case) within(region string) bool {
	return slices.Contains([]string{c.Township.Province() + "0000", c.Township.City() + "00", c.Township.County()}, region)
}

// opens reports whether s is asked about one person, by what was said of exactly
// the name and number in refs. What has not been said opens nothing.
func (c Case) opens(s Source, ref string, refs []string) bool {
	if s.After.Source == "" {
		return true
	}
	k, ok := c.Checks[Key(c.ID, ref, s.After.Source)]
	return ok && slices.Contains(refs, k.About) && (k.Outcome == policy.HitClear || k.Outcome == policy.HitAdverse) &&
		slices.Contains(s.After.Values, k.Facts[s.After.Fact])
}

// asked is those of sources that are asked about c.
func (c Case) asked(sources []Source) []Source {
	return slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return !c.asks(s) })
}

// meanings says which source of the rules each register of the catalogue is. A
// register that is not here is asked all the same and written into the trace
// under its own id.
var meanings = map[string]string{
	"household":        policy.SourceIdentity,
	"death":            policy.SourceDeath,
	"marriage":         policy.SourceMarriage,
	"low_income":       policy.SourceAssistance,
	"earlier_aid":      policy.SourceReliefHistory,
	"social_insurance": policy.SourceSocialInsurance,
	"unemployment":     policy.SourceUnemployment,
	"near_relative":    policy.SourceKin,

	"medical_settlement": policy.SourceMedicalInsurance,
	"public_payroll":     policy.SourcePublicPayroll,
	"allowance":          policy.SourceAllowance,
	"real_estate":        policy.SourceRealEstate,
	"vehicle":            policy.SourceVehicle,
	"business":           policy.SourceBusiness,
	"household_move":     policy.SourceHouseholdMove,
}

// Meaning is the source of the rules that register id is.
func Meaning(id string) string {
	if m, ok := meanings[id]; ok {
		return m
	}
	return id
}

// Covered lists the sources of the rules that lookups answer, so that nobody is
// asked for what they can (Law art. 62).
func Covered() []string {
	var all []string
	for _, m := range meanings {
		all = append(all, m)
	}
	slices.Sort(all)
	return all
}

// Case is an application with everything that verification reads of it.
type Case struct {
	application.Application
	Particulars application.Particulars
	Consents    map[string]application.Consent
	Checks      Checks
}

// Question is one lookup that is to be made. Before is the check it replaces;
// its Version is 0 when there is none.
type Question struct {
	Case    string
	Person  string // keyed reference
	About   string // keyed reference of name and number
	Source  string
	Basis   string
	Consent string
	Name    civil.Name
	ID      civil.IDNumber
	// Number is derived, so that asking again is the same question.
	Number string
	Round  int
	Before Check
}

// Questions are the lookups still to be made at now: of everybody whose
// circumstances count and who agreed, in every source whose answer is missing or
// too old. Whoever did not agree is not asked about, anywhere. An answer may bring
// questions in registers that are asked only after it.
func (c Case) Questions(blind *seal.Blind, sources []Source, now time.Time) []Question {
	var all []Question
	sources = c.asked(sources)
	for _, role := range c.Particulars.Verified() {
		who, _ := c.Particulars.Person(role)
		ref := c.Ref(blind, c.Particulars, role)
		consent, agreed := c.Consents[ref]
		number, has := who.Paper.IDNumber()
		if !agreed || !has {
			continue
		}
		refs := about(blind, who)
		for _, s := range sources {
			before := c.Checks[Key(c.ID, ref, s.ID)]
			if !c.opens(s, ref, refs) || before.settled(refs, now) {
				continue
			}
			round := before.Round
			if before.Outcome.Answered() || before.Outcome == policy.Expired {
				round++ // the same number would bring the same old answer
			}
			all = append(all, Question{Case: c.ID, Person: ref, About: refs[0], Source: s.ID, Basis: s.Basis, Consent: consent.Document,
				Name: who.Name, ID: number, Round: round, Before: before,
				// All that the exchange sees goes into the number: one number with two
				// questions behind it is never answered.
				Number: ident.Derive("lookup", c.ID, ref, refs[0], s.ID, s.Basis, consent.Document, fmt.Sprint(round))})
		}
	}
	return all
}

// Answered is the check that comes of q.
func (q Question) Answered(o policy.CheckOutcome, facts map[string]string, fetched, until time.Time, evidence, why string) Check {
	return Check{Person: q.Person, About: q.About, Source: q.Source, Round: q.Round, Outcome: o, Facts: facts, FetchedAt: fetched, ValidUntil: until,
		Evidence: evidence, Why: why, Basis: q.Basis, Consent: q.Consent, Version: q.Before.Version}
}
