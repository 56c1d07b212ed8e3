package inspection

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/verification"
)

// What may be read of each register is this and nothing else. Whoever adds a word
// argues here that it is no ethnicity, origin, religion, sex or illness (D06).
func TestWhatMayBeReadOfARegister(t *testing.T) {
	t.Parallel()
	want := map[string]string{"death": "deceased", "household": "registration", "low_income": "class",
		"earlier_aid": "last_month last_division last_cause", "unemployment": "benefit", "public_payroll": "on_payroll",
		"allowance": "elderly_allowance tekun_support unemployed_relief", "medical_settlement": "settled invoices diagnoses",
		"real_estate": "homes", "vehicle": "vehicle", "business": "owner", "household_move": "kinship since"}
	got := map[string]string{}
	for source, facts := range reach {
		got[source] = strings.Join(facts, " ")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("reach is %v", got)
	}
	sources, err := exchange.Sources()
	if err != nil {
		t.Fatal(err)
	}
	for source, facts := range reach {
		i := slices.IndexFunc(sources, func(s exchange.Source) bool { return s.ID == source })
		if i < 0 {
			t.Errorf("no register %s", source)
			continue
		}
		for _, name := range facts {
			if !slices.Contains(sources[i].Fields(), name) {
				t.Errorf("%s tells no %s", source, name)
			}
		}
	}
	s := Scene{App: application.Application{ID: "a"}, Checks: verification.Checks{}}
	s.Checks[verification.Key("a", "p", "household")] = verification.Check{Outcome: policy.HitClear, Facts: map[string]string{"registered_division": "653101001000"}}
	if v, answered := s.said("p", "household", "registered_division"); v != "" || answered {
		t.Error("the registered division was read")
	}
}

// twin is a case of one person as the registers describe them. Everything that
// models must not see is an argument.
func twin(t *testing.T, blind *seal.Blind, name, number, division, marriage, diagnosis string) Scene {
	t.Helper()
	at := time.Date(2026, 11, 28, 10, 0, 0, 0, calendar.Zone)
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(number[i]-'0') * w
	}
	number += string("10X98765432"[sum%11])
	p := application.Particulars{Subject: application.Person{Name: civil.StoredName(name), Paper: civil.StoredPaper(civil.IDCard, number)},
		Expenses: []application.Expense{{Invoice: redact.New("INV-1"), Diagnosis: redact.New(diagnosis)}}}
	a := application.Application{ID: "a", Cause: policy.SuddenIllness, Township: "320402005000", AcceptedAt: at}
	a.Subject = p.Ref(blind, a.ID, application.RoleSubject)
	a.People = []string{a.Subject}
	s := Scene{App: a, Particulars: &p, Checks: verification.Checks{}, At: at}
	for source, facts := range map[string]map[string]string{
		"household":          {"registration": "registered", "member_count": "4", "registered_division": division},
		"death":              {"deceased": "no", "month": "2020-01"},
		"marriage":           {"status": marriage},
		"low_income":         {"class": "dibao", "since": "2019-05"},
		"household_move":     {"kinship": "near", "since": map[string]string{"married": "2012-05", "divorced": "1985-07"}[marriage]},
		"social_insurance":   {"pension": "none", "paying": "no", "income_band": "none"},
		"allowance":          {"elderly_allowance": "paying"},
		"medical_settlement": {"settled": "yes", "invoices": "INV-9 INV-1", "diagnoses": "A00 " + diagnosis},
	} {
		s.Checks[verification.Key(a.ID, a.Subject, source)] = verification.Check{Outcome: policy.HitClear, Facts: facts}
	}
	return s
}

// Two cases that differ only in what must not count look the same to every model:
// sex, the place of the number, the people that a name tells of, the household's
// registration, marriage and illness. And none of it is in the facts.
func TestModelsCannotTellThemApart(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	blind := keys.Blind()
	// The 17th digit tells the sex, the first six the place.
	one := twin(t, blind, "王测安", "32040219850709001", "320402005000", "married", "F20.0")
	two := twin(t, blind, "买买提·测试", "65310119850709002", "653101001000", "divorced", "O03.9")
	a, b := one.facts(blind, &looked{}), two.facts(blind, &looked{})
	if !reflect.DeepEqual(a, b) {
		t.Errorf("models can tell them apart:\n%+v\n%+v", a, b)
	}
	if a.People[0].Schemes[0].Joined != "no" || a.People[0].Schemes[1].Age != 41 || a.Invoices[0].Settled != "yes" || a.Invoices[0].Diagnosed != "yes" {
		t.Errorf("what may be seen is not there: %+v", a)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"653101", "19850709", "买买提", "divorced", "O03", "INV", two.App.Subject, "320402"} {
		if strings.Contains(string(raw)+fmt.Sprint(b), secret) {
			t.Errorf("facts hold %q", secret)
		}
	}
}

// Silence is never taken for no: whatever has not answered holds nobody.
func TestSilenceIsNoSuspicion(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	for _, outcome := range []policy.CheckOutcome{policy.Unavailable, policy.Expired, policy.NotAuthorised, policy.Pending, policy.Mismatch} {
		s := twin(t, keys.Blind(), "王测安", "32040219850709001", "320402005000", "married", "F20.0")
		for k, c := range s.Checks {
			c.Outcome = outcome
			s.Checks[k] = c
		}
		f := s.facts(keys.Blind(), &looked{})
		if p := f.People[0]; p.Owns != nil || p.Deceased != "" || p.Payroll != "" || p.Schemes != nil || f.Invoices[0].Settled != "" || f.Elsewhere.Registered != "" {
			t.Errorf("%s: %+v", outcome, f)
		}
	}
}
