package verification_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/verification"
)

var (
	t0      = time.Date(2026, 11, 23, 10, 0, 0, 0, calendar.Zone)
	machine = event.Actor{Kind: event.System, ID: "verify"}
	death   = verification.Source{ID: "death", Basis: "社会救助法第四十一条"}
	home    = verification.Source{ID: "household", Basis: "社会救助法第四十一条"}
	kin     = verification.Source{ID: "near_relative", Basis: "社会救助法第四十一条"}
	low     = verification.Source{ID: "low_income", Basis: "社会救助法第四十二条"}
)

type bench struct {
	t     *testing.T
	store table.Store
	box   *seal.Box
	blind *seal.Blind
	rules *policy.Rules
}

func newBench(t *testing.T) bench {
	t.Helper()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	mem := embedded.Memory()
	t.Cleanup(func() { mem.Close() })
	book, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := book.Rules("320402005000", calendar.Today(t0))
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, mem, seal.NewBox(keys, rand.Reader), keys.Blind(), rules}
}

// one is a case of one person who agreed.
func (b bench) one() verification.Case {
	p := application.Particulars{Subject: application.Person{Name: civil.StoredName("张三"), Paper: civil.StoredPaper(civil.IDCard, "320402198507090013")}}
	ref := p.Ref(b.blind, "x", application.RoleSubject)
	return verification.Case{
		Application: application.Application{ID: "x", Version: 1, State: application.Accepted, Township: "320402005000", Cause: policy.Fire, AcceptedAt: t0,
			Subject: ref, People: []string{ref}},
		Particulars: p, Consents: map[string]application.Consent{ref: {Person: ref, Document: strings.Repeat("a", 64)}}, Checks: verification.Checks{},
	}
}

// keep answers every question of c with o and facts, and reads the checks anew.
func (b bench) keep(c *verification.Case, sources []verification.Source, o policy.CheckOutcome, facts map[string]string, until time.Time) {
	b.t.Helper()
	for _, q := range c.Questions(b.blind, sources, t0) {
		if err := q.Answered(o, facts, t0, until, "evidence", "why").Keep(b.t.Context(), b.store, b.box, c.ID); err != nil {
			b.t.Fatal(err)
		}
	}
	var err error
	if c.Checks, err = verification.Load(b.t.Context(), b.store, b.box, c.ID); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) weigh(c verification.Case, known verification.Known, sources ...verification.Source) verification.Result {
	b.t.Helper()
	r, err := c.Weigh(b.blind, sources, b.rules, known, machine, t0)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func TestEveryRegisterOfTheCatalogueHasAMeaning(t *testing.T) {
	t.Parallel()
	sources, err := exchange.Sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		m := verification.Meaning(s.ID)
		if !slices.Contains(policy.Sources(), m) || !slices.Contains(verification.Covered(), m) {
			t.Errorf("the rules do not know %s (%s)", s.ID, m)
		}
	}
	for _, o := range exchange.Outcomes() {
		if !slices.Contains([]policy.CheckOutcome{policy.HitClear, policy.HitAdverse, policy.NoRecord, policy.Mismatch, policy.Unavailable, policy.Expired,
			policy.NotAuthorised, policy.Pending}, policy.CheckOutcome(o)) {
			t.Errorf("the rules do not know the outcome %s", o)
		}
	}
	if verification.Meaning("library") != "library" {
		t.Error("an unknown register loses its name")
	}
}

// A register that is asked only after another has said something is neither asked nor
// awaited before; nor is one that the region has not switched on.
func TestSomeRegistersAreAskedOnlyAfterAnother(t *testing.T) {
	t.Parallel()
	cars := verification.Source{ID: "vehicle", Basis: "社会救助法第四十一条", After: verification.After{Source: "low_income", Fact: "class", Values: []string{"dibao", "tekun"}}}
	for class, want := range map[string]int{"": 0, "none": 0, "near_dibao": 0, "dibao": 1, "tekun": 1} {
		b := newBench(t)
		c := b.one()
		if class != "" {
			b.keep(&c, []verification.Source{low}, policy.HitClear, map[string]string{"class": class}, time.Time{})
		}
		if got := c.Questions(b.blind, []verification.Source{cars}, t0); len(got) != want {
			t.Errorf("%q: %d questions", class, len(got))
		}
		r := b.weigh(c, verification.Known{}, cars)
		if len(r.Open) != want || len(r.Findings.Checks) != want || len(r.Holds) != 0 {
			t.Errorf("%q: awaits %v, checks %v, holds %v", class, r.Open, r.Findings.Checks, r.Holds)
		}
	}
	b := newBench(t)
	c := b.one()
	b.keep(&c, []verification.Source{low}, policy.Unavailable, map[string]string{"class": "dibao"}, time.Time{})
	if got := c.Questions(b.blind, []verification.Source{cars}, t0); len(got) != 0 {
		t.Error("silence opened a register")
	}
	for region, want := range map[string]int{"320402": 1, "320400": 1, "320000": 1, "320411": 0, "511700": 0} {
		home := home
		home.Regions = []string{region}
		if got := c.Questions(b.blind, []verification.Source{home}, t0); len(got) != want {
			t.Errorf("switched on in %s: %d questions", region, len(got))
		}
	}
}

func TestACorrectedNameIsAnotherQuestion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.one()
	first := c.Questions(b.blind, []verification.Source{home}, t0)
	b.keep(&c, []verification.Source{home}, policy.Mismatch, nil, time.Time{})
	if len(c.Questions(b.blind, []verification.Source{home}, t0)) != 0 {
		t.Fatal("a settled answer is asked for again")
	}
	if r := b.weigh(c, verification.Known{}, home); len(r.Holds) != 1 {
		t.Fatalf("%+v", r.Holds)
	}
	c.Particulars.Subject.Name = civil.StoredName("张山")
	again := c.Questions(b.blind, []verification.Source{home}, t0)
	if len(again) != 1 || again[0].Number == first[0].Number {
		t.Fatal("the corrected name is not asked about")
	}
	if r := b.weigh(c, verification.Known{}, home); len(r.Holds) != 0 || len(r.Open) != 1 {
		t.Errorf("an answer about another name counts: %+v", r.Holds)
	}
	b.keep(&c, []verification.Source{home}, policy.HitClear, nil, time.Time{})
	if r := b.weigh(c, verification.Known{}, home); len(r.Holds) != 0 || len(r.Open) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAnotherConsentIsAnotherNumber(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.one()
	first := c.Questions(b.blind, []verification.Source{home}, t0)
	c.Consents[c.Subject] = application.Consent{Person: c.Subject, Document: strings.Repeat("b", 64)}
	if again := c.Questions(b.blind, []verification.Source{home}, t0); again[0].Number == first[0].Number {
		t.Error("one number, two questions")
	}
	delete(c.Consents, c.Subject)
	if len(c.Questions(b.blind, []verification.Source{home}, t0)) != 0 {
		t.Error("asked without a consent")
	}
}

func TestAnswersAreSealedForTheirPlaceAndStoredOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.one()
	q := c.Questions(b.blind, []verification.Source{death}, t0)[0]
	check := q.Answered(policy.HitAdverse, map[string]string{"deceased": "yes", "month": "2026-03"}, t0, t0.Add(time.Hour), "e", "")
	if err := check.Keep(t.Context(), b.store, b.box, c.ID); err != nil {
		t.Fatal(err)
	}
	err := check.Keep(t.Context(), b.store, b.box, c.ID)
	if _, ok := errors.AsType[*table.ConditionError](err); !ok {
		t.Errorf("stored twice: %v", err)
	}
	key := verification.Key(c.ID, c.Subject, "death")
	item, _, err := b.store.Get(t.Context(), key)
	if err != nil || strings.Contains(string(item.Body), "2026-03") {
		t.Error("what a register said is in the clear")
	}
	back, err := verification.Decode(t.Context(), b.box, item)
	if err != nil || back.Facts["month"] != "2026-03" || back.Version != 1 || back.Basis == "" || back.Consent == "" {
		t.Errorf("%+v %v", back, err)
	}
	item.Key = verification.Key("y", c.Subject, "death")
	if _, err := verification.Decode(t.Context(), b.box, item); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("X116: moved to another case it opens: %v", err)
	}
	item.Key.SK = "HEAD"
	if _, err := verification.Decode(t.Context(), b.box, item); err == nil {
		t.Error("a head reads as a check")
	}
}

func TestWhatComesOfEachOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source  verification.Source
		outcome policy.CheckOutcome
		facts   map[string]string
		until   time.Time
		want    policy.CheckOutcome
		holds   int
		open    int
	}{
		"clear":                       {death, policy.HitClear, nil, time.Time{}, policy.HitClear, 0, 0},
		"a death":                     {death, policy.HitAdverse, map[string]string{"deceased": "yes"}, time.Time{}, policy.HitAdverse, 1, 0},
		"an answer that is too old":   {death, policy.HitAdverse, nil, t0, policy.Expired, 0, 1},
		"still at work":               {death, policy.Pending, nil, time.Time{}, policy.Pending, 0, 1},
		"no answer":                   {death, policy.Unavailable, nil, time.Time{}, policy.Unavailable, 0, 1},
		"refused by the exchange":     {death, policy.NotAuthorised, nil, time.Time{}, policy.NotAuthorised, 0, 0},
		"kin":                         {kin, policy.HitAdverse, map[string]string{"kin": "yes", "staff": "320400-clerk-1"}, time.Time{}, policy.HitAdverse, 0, 0},
		"dibao":                       {low, policy.HitClear, map[string]string{"class": "dibao"}, time.Time{}, policy.HitClear, 0, 0},
		"a class that nobody knows":   {low, policy.HitClear, map[string]string{"class": "nobility"}, time.Time{}, policy.HitClear, 0, 0},
		"a register the rules do not": {verification.Source{ID: "library"}, policy.HitClear, nil, time.Time{}, policy.HitClear, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			k := b.one()
			b.keep(&k, []verification.Source{c.source}, c.outcome, c.facts, c.until)
			r := b.weigh(k, verification.Known{}, c.source)
			if got := r.Findings.Checks; len(got) != 1 || got[0].Outcome != c.want || got[0].Source != verification.Meaning(c.source.ID) || got[0].Fact == "" {
				t.Errorf("checks %+v", got)
			}
			if len(r.Holds) != c.holds || len(r.Open) != c.open {
				t.Errorf("holds %+v, open %v", r.Holds, r.Open)
			}
			if (len(r.Findings.Kin) == 1) != (name == "kin") || (len(r.Findings.Classes) == 1) != (name == "dibao") {
				t.Errorf("kin %v, classes %v", r.Findings.Kin, r.Findings.Classes)
			}
			if !r.Findings.AmountFen.Payable() {
				t.Error("a check took the draft away")
			}
		})
	}
}

func TestD03TheSameInputsGiveTheSameResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.one()
	b.keep(&c, []verification.Source{home, death, low}, policy.HitClear, map[string]string{"class": "tekun"}, time.Time{})
	earlier := []policy.Earlier{{Day: civil.Date(2026, 3, 1), Cause: policy.Fire, AmountFen: 50_000, AwardID: "y#01"}}
	r := b.weigh(c, verification.Known{Earlier: earlier, Kin: []string{"clerk-2", "clerk-2"}}, home, death, low)
	var in policy.Facts
	if err := json.Unmarshal([]byte(r.Facts.Text("inputs")), &in); err != nil {
		t.Fatal(err)
	}
	o := b.rules.FirstAid(in)
	if o.AmountFen != r.Findings.AmountFen || o.Rules != r.Findings.Rules || o.Authority != r.Findings.Authority || !slices.Equal(o.NeedsException, r.Findings.Exception) {
		t.Errorf("again %+v, then %+v", o, r.Findings)
	}
	if len(r.Findings.Kin) != 1 || !in.KinOfStaff || len(r.Findings.Exception) == 0 {
		t.Errorf("%+v", r.Findings)
	}
	if trace := r.Facts.Text("trace"); !strings.Contains(trace, "特困人员") || strings.Contains(trace, "张三") {
		t.Errorf("trace %s", trace)
	}
}

// dark answers no query.
type dark struct{ table.Store }

func (dark) Query(context.Context, table.Query) (table.Page, error) {
	return table.Page{}, table.ErrBusy
}

func TestAStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := verification.Load(t.Context(), dark{b.store}, b.box, "x"); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	bad := table.Put{Item: table.Item{Key: verification.Key("x", "p", "death"), Version: 1, Body: []byte(`{`)}}
	if err := b.store.Transact(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	if _, err := verification.Load(t.Context(), b.store, b.box, "x"); err == nil {
		t.Error("a torn check loads")
	}
}
