package inspection

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/verification"
)

// Scene is one case at one moment, with everything that facts are worked out of.
type Scene struct {
	App application.Application
	// Particulars, opened; nil where they are not needed, such as when money leaves:
	// then what only they tell is not known.
	Particulars *application.Particulars
	Checks      verification.Checks
	// Holder is the keyed reference of whose account it is; empty means the subject's.
	Holder string
	// Approver is who approves now, if anybody does.
	Approver event.Actor
	// RegistersOnly leaves out what a case shares with others: when the registers
	// have just answered, nobody has decided anything yet.
	RegistersOnly bool
	// Coming are holds that the same change places for other reasons.
	Coming []application.Hold
	// By is who inspects, At when.
	By event.Actor
	At time.Time
}

// reach is all that a model may learn of a register: by source, the names of
// facts. Whatever is not here is not read, and a test holds the list against what
// must never be on it (D06). "registration" tells only that a benefit which is
// bound to living here has lost its ground.
var reach = map[string][]string{
	"death":              {"deceased"},
	"household":          {"registration"},
	"low_income":         {"class"},
	"earlier_aid":        {"last_month", "last_division", "last_cause"},
	"unemployment":       {"benefit"},
	"public_payroll":     {"on_payroll"},
	"allowance":          {"elderly_allowance", "tekun_support", "unemployed_relief"},
	"medical_settlement": {"settled", "invoices", "diagnoses"},
	"real_estate":        {"homes"},
	"vehicle":            {"vehicle"},
	"business":           {"owner"},
	"household_move":     {"kinship", "since"}, // the month only of whoever is no near kin
}

// said is the value of one fact in one register about one person; answered is
// false when the register has said nothing about them, or may not be asked for it.
func (s Scene) said(person, source, name string) (value string, answered bool) {
	if !slices.Contains(reach[source], name) {
		return "", false
	}
	c, ok := s.Checks[verification.Key(s.App.ID, person, source)]
	if !ok || c.Outcome != policy.HitClear && c.Outcome != policy.HitAdverse && c.Outcome != policy.NoRecord {
		return "", false
	}
	return c.Facts[name], true
}

// answer is yes for one value, no for any other, unknown for silence.
func (s Scene) answer(person, source, name, yes string) model.Answer {
	switch v, answered := s.said(person, source, name); {
	case !answered:
		return model.Unknown
	case v == yes:
		return model.Yes
	}
	return model.No
}

// facts works out what models may see. The markers are those that were read.
func (s Scene) facts(blind *seal.Blind, look *looked) model.Facts {
	f := model.Facts{}
	for i, ref := range s.App.People {
		f.People = append(f.People, s.person(i, ref, blind))
	}
	if s.App.Findings != nil {
		f.KinOfStaff = len(s.App.Findings.Kin)
	}
	f.Elsewhere = s.elsewhere()
	f.Invoices = s.invoices()
	if s.RegistersOnly {
		return f
	}
	if c := s.App.PayeeChange; c != nil {
		f.Payee = model.Payee{Changed: true, ByStaff: c.Staff, HoursAgo: max(0, int(s.At.Sub(c.At)/time.Hour))}
	}
	f.Elsewhere.Townships = look.townships
	f.Filing = look.filing
	for _, m := range look.marks {
		before := m.before(s.App.ID, s.At)
		switch m.kind {
		case markPair:
			for _, e := range before {
				f.Pair.Awards = append(f.Pair.Awards, days(e.At, s.At))
			}
		case markInvoice:
			f.Invoices[m.place].Elsewhere = len(before) > 0
		default:
			if one, shared := m.shared(s.App.ID, look.persons, s.At); shared {
				f.Shared = append(f.Shared, one)
			}
		}
	}
	return f
}

// person is what is known of one of App.People. Their place in that list, and not
// a name, tells them apart: it stays the same wherever the case is looked at.
func (s Scene) person(i int, ref string, blind *seal.Blind) model.Person {
	p := model.Person{Role: "people/" + strconv.Itoa(i), Subject: ref == s.App.Subject, Holder: ref == s.holder(blind),
		Deceased: s.answer(ref, "death", "deceased", "yes"), Payroll: s.answer(ref, "public_payroll", "on_payroll", "yes")}
	if class, _ := s.said(ref, "low_income", "class"); slices.Contains(model.Schemes(), class) {
		one := model.Scheme{Name: class}
		one.Joined, one.JoinedMonthsAgo = s.joined(ref)
		p.Schemes = append(p.Schemes, one)
	}
	for _, one := range []struct{ source, fact, value, asset string }{
		{"vehicle", "vehicle", "car", model.Car}, {"real_estate", "homes", "more", model.SecondHome}, {"business", "owner", "company", model.Company}} {
		if s.answer(ref, one.source, one.fact, one.value) == model.Yes {
			p.Owns = append(p.Owns, one.asset)
		}
	}
	for _, one := range []struct{ source, fact, paying, name string }{
		{"allowance", "tekun_support", "paying", "tekun"}, {"allowance", "unemployed_relief", "paying", "unemployed_relief"},
		{"unemployment", "benefit", "receiving", "unemployment_benefit"}} {
		if s.answer(ref, one.source, one.fact, one.paying) == model.Yes &&
			!slices.ContainsFunc(p.Schemes, func(o model.Scheme) bool { return o.Name == one.name }) {
			p.Schemes = append(p.Schemes, model.Scheme{Name: one.name})
		}
	}
	if s.answer(ref, "allowance", "elderly_allowance", "paying") == model.Yes {
		p.Schemes = append(p.Schemes, model.Scheme{Name: "elderly_allowance", Age: s.age(ref, blind), PlaceEnded: s.placeEnded(ref)})
	}
	return p
}

func (s Scene) holder(blind *seal.Blind) string {
	if s.Holder != "" || s.Particulars == nil || blind == nil || s.Particulars.Holder == "" {
		return s.Holder
	}
	return s.App.Ref(blind, *s.Particulars, s.Particulars.Holder)
}

// age is how old somebody is, for a benefit that is bound to an age; 0 when it
// cannot be told.
func (s Scene) age(ref string, blind *seal.Blind) int {
	if s.Particulars == nil || blind == nil {
		return 0
	}
	today := calendar.Today(s.At)
	for _, role := range s.Particulars.Verified() {
		who, _ := s.Particulars.Person(role)
		number, ok := who.Paper.IDNumber()
		if !ok || s.App.Ref(blind, *s.Particulars, role) != ref {
			continue
		}
		born := number.Birth()
		age := today.Year() - born.Year()
		if number.Under(age, today) {
			age--
		}
		return age
	}
	return 0
}

// placeEnded is whether the ground of a benefit for those who live here is gone.
func (s Scene) placeEnded(ref string) model.Answer {
	v, answered := s.said(ref, "household", "registration")
	switch {
	case !answered || v == "":
		return model.Unknown
	case v == "moved_out" || v == "cancelled":
		return model.Yes
	}
	return model.No
}

// joined is whether somebody who is no near kin joined the household by which they
// draw, and how many months ago. Without a month it is not known.
func (s Scene) joined(ref string) (model.Answer, int) {
	kinship, answered := s.said(ref, "household_move", "kinship")
	if !answered || kinship == "" {
		return model.Unknown, 0
	}
	if kinship == "near" {
		return model.No, 0
	}
	since, _ := s.said(ref, "household_move", "since")
	ago, ok := s.monthsAgo(since)
	if !ok {
		return model.Unknown, 0
	}
	return model.Yes, ago
}

// monthsAgo is how many calendar months before now month ("2026-10") was.
func (s Scene) monthsAgo(month string) (int, bool) {
	at, err := time.ParseInLocation("2006-01", month, calendar.Zone)
	if err != nil {
		return 0, false
	}
	now := s.At.In(calendar.Zone)
	return max(0, (now.Year()-at.Year())*12+int(now.Month()-at.Month())), true
}

// sameCause are the causes as the relief record names them.
var sameCause = map[string]policy.Cause{"illness": policy.SuddenIllness, "unemployment": policy.JobLoss}

func (s Scene) elsewhere() (e model.Elsewhere) {
	place, answered := s.said(s.App.Subject, "earlier_aid", "last_division")
	if !answered {
		return e
	}
	e.Registered = model.No
	cause, _ := s.said(s.App.Subject, "earlier_aid", "last_cause")
	same := policy.Cause(cause) == s.App.Cause || sameCause[cause] == s.App.Cause
	month, _ := s.said(s.App.Subject, "earlier_aid", "last_month")
	ago, ok := s.monthsAgo(month)
	if place == "" || place == string(s.App.Township) || !same || !ok {
		return e
	}
	e.Registered, e.MonthsAgo = model.Yes, ago
	return e
}

// invoices compares the bills that the case names with what the settlement says
// of everybody in the household. Only when all of them were answered for is a bill
// unknown.
func (s Scene) invoices() []model.Invoice {
	if s.Particulars == nil {
		return nil
	}
	known := func(fact string, matches func(code string) bool) model.Answer {
		asked, silent := false, false
		for _, ref := range s.App.People {
			if _, ok := s.Checks[verification.Key(s.App.ID, ref, "medical_settlement")]; !ok {
				continue
			}
			asked = true
			v, answered := s.said(ref, "medical_settlement", fact)
			silent = silent || !answered
			if slices.ContainsFunc(strings.Fields(v), matches) {
				return model.Yes
			}
		}
		if !asked || silent {
			return model.Unknown
		}
		return model.No
	}
	var all []model.Invoice
	for i, e := range s.Particulars.Expenses {
		one := model.Invoice{Place: i + 1, Settled: known("invoices", func(code string) bool { return code == e.Invoice.Reveal() })}
		if code := e.Diagnosis.Reveal(); code != "" {
			category, _, _ := strings.Cut(code, ".")
			one.Diagnosed = known("diagnoses", func(c string) bool { return c == category || strings.HasPrefix(c, category+".") })
		}
		all = append(all, one)
	}
	return all
}

// looked is what was read of things that cases share.
type looked struct {
	marks     []*mark
	persons   []string // the person helped, under every live key
	townships int
	filing    model.Filing
}

// look reads what the case shares with others: all at once, each by its key.
func (d Desk) look(ctx context.Context, s Scene) (*looked, error) {
	l := &looked{}
	if s.RegistersOnly || d.Blind == nil || s.Particulars == nil {
		return l, nil
	}
	p, a := *s.Particulars, s.App
	l.persons = append(application.PersonRefs(d.Blind, p.Subject.Paper, a.ID+"/"+application.RoleSubject), a.Subject)
	add := func(kind string, place int, refs ...string) {
		l.marks = append(l.marks, &mark{kind: kind, place: place, refs: refs})
	}
	var payees []string
	if !p.Account.Empty() {
		payees = application.AccountRefs(d.Blind, p.Account)
		kind := model.Account
		if p.Holder != "" && p.Holder != application.RoleSubject {
			kind = model.GuardianAccount
		}
		add(kind, 0, payees...)
	}
	if !p.Subject.Phone.Empty() {
		add(model.Phone, 0, application.PhoneRefs(d.Blind, p.Subject.Phone)...)
	}
	if !a.Relation.Agent() {
		if a.Device != "" {
			add(model.Device, 0, a.Device)
		}
		add(model.Filer, 0, a.Account)
	}
	if s.Approver.Person != "" && len(payees) > 0 {
		var pairs []string
		for _, payee := range payees {
			pairs = append(pairs, s.Approver.Person+"."+payee)
		}
		add(markPair, 0, pairs...)
	}
	for i, e := range p.Expenses {
		add(markInvoice, i, application.InvoiceRefs(d.Blind, e)...)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range l.marks {
		group.Go(func() error { return m.read(ctx, d.Table) })
	}
	group.Go(func() error {
		others, err := application.OpenElsewhere(ctx, d.Table, a, slices.Compact(slices.Sorted(slices.Values(l.persons))))
		places := map[string]bool{}
		for _, o := range others {
			places[string(o.Township)] = true
		}
		l.townships = len(places)
		return err
	})
	if a.Relation.Agent() {
		group.Go(func() (err error) {
			l.filing, err = filed(ctx, d.Table, a.Account, calendar.Today(a.AcceptedAt))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return l, nil
}

// markWrites put the case on every marker that was read.
func (l *looked) markWrites(s Scene) ([]table.Write, error) {
	var writes []table.Write
	for _, m := range l.marks {
		w, err := m.writes(seen{s.App.ID, s.App.Subject, s.At})
		if err != nil {
			return nil, fmt.Errorf("inspection: %w", err)
		}
		writes = append(writes, w...)
	}
	return writes, nil
}
